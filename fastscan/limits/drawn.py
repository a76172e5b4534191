"""Toys at a point of a column: simulated data, and the columns in which they are fitted.

The counts of a toy are drawn from Poisson or Gaussian distributions around the expected counts at the point and at some
nuisances, and the centres of the nuisances' constraints are drawn around these nuisances.  Each toy is one column in a
row of its own.

Toys need nothing but the likelihood, which a store carries.  The predictions of a member with a variance lie, for all
strengths, in a space of three dimensions.  Only the part of the data in that space is drawn, because the rest would add
the same number to chi2 at every strength.  For the same reason merged bins of counted events are drawn as one bin.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastscan.errors import InputError, quoted
from fastscan.interactions.interaction import Interaction
from fastscan.kernels.squares import derivatives, of_vectors, vectors
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.poisson import Block, PoissonColumns, PoissonCounts, PseudoData
from fastscan.typing import Array, Channel, IntArray

FEW = 3.09  # standard deviations; 0.1 % of a Gaussian distribution lies beyond, on one side
MOST_EXPECTED = 1e15  # events in a bin; random numbers are drawn for no larger mean


@dataclass(frozen=True, eq=False)
class Drawn:
    """The data of some toys.

    Attributes
    ----------
    data : list of array, shape (toys, bins)
        The data of each member, in the bins or coordinates of the function that draws them.
    centres : array, shape (toys, nuisances)
        The centres of all nuisances' constraints in standard deviations: first the nuisances that members share, then
        those of each member.
    """

    data: list[Array]
    centres: Array


def drawable(likelihood: Likelihood) -> list[PoissonCounts | None]:
    """The counts of each member with counted events; None for a member with a variance.

    Raises
    ------
    InputError
        Where a member has a model of fitted parameters: toys are not implemented for it.
    """
    found: list[PoissonCounts | None] = []
    for name, counts in zip(likelihood.members, likelihood.counted or [None] * len(likelihood.members), strict=True):
        if counts is not None and not isinstance(counts, PoissonCounts):
            raise InputError(f"there are no toys of experiment {quoted(name)}: it has a model of fitted parameters")
        found.append(counts)
    return found


def first_nuisances(likelihood: Likelihood) -> list[int]:
    """Index of the first own nuisance of each member among all nuisances, and at the end the number of nuisances.

    Nuisances that members share come first.  Each member has one for its signal's normalisation and, where it counts
    events, one for each shape and each background.
    """
    own = [
        1 if counts is None else counts.nuisances for counts in likelihood.counted or [None] * len(likelihood.members)
    ]
    found: list[int] = np.cumsum([len(likelihood.shared), *own]).tolist()
    return found


def in_block(likelihood: Likelihood, block: Sequence[int]) -> IntArray:
    """Indices of the nuisances of a block, in the order of `fastscan.likelihoods.poisson.PoissonColumns.pulls`."""
    first = first_nuisances(likelihood)
    own = [np.arange(first[number], first[number + 1]) for number in block if likelihood.counts_are_kept(number)]
    return np.concatenate([np.array(likelihood.shared_by(block), np.intp), *own])


def parts(columns: Columns) -> tuple[GaussianColumns, Sequence[Block]]:
    """The Gaussian part of columns of any kind, and their blocks of counted events."""
    gaussian, blocks = (columns.others, columns.blocks) if isinstance(columns, PoissonColumns) else (columns, ())
    assert isinstance(gaussian, GaussianColumns)
    return gaussian, blocks


def signal_errors(likelihood: Likelihood, columns: Columns) -> tuple[Array, Array, Array]:
    """Relative errors of the members' signals, their own (members,) and shared (members, shared); noise (members,)."""
    gaussian, blocks = parts(columns)
    own, common = np.sqrt(gaussian.variance[:, 0]), np.zeros((len(likelihood.members), len(likelihood.shared)))
    noise = gaussian.noise[:, 0]
    for members, block in zip(likelihood.blocks, blocks, strict=True):
        own[members] = np.sqrt(block.variance[:, 0])
        common[np.ix_(members, likelihood.shared_by(members))] = block.common[:, :, 0]
    return own, common, noise


@dataclass(frozen=True, eq=False)
class Truth:
    """A point at which toys are drawn: a strength and nuisances that are true there.

    Attributes
    ----------
    likelihood : Likelihood
    columns : Columns
        One column of the likelihood.
    x : float
        The strength, dimensionless.
    nuisances : array, shape (nuisances,)
        The true nuisances in standard deviations, in the order of `Drawn.centres`.
    frame : sequence of array, shape (rows, coordinates, 3), optional
        The coordinates of `frames`, for toys that are fitted in other rows too; left out, each member has coordinates
        of the point's own row.
    """

    likelihood: Likelihood
    columns: Columns
    x: float
    nuisances: Array
    frame: Sequence[Array] | None = None

    def __post_init__(self) -> None:
        drawable(self.likelihood)

    @classmethod
    def unmoved(
        cls, likelihood: Likelihood, columns: Columns, x: float, frame: Sequence[Array] | None = None
    ) -> "Truth":
        """A point with all nuisances at 0."""
        return cls(likelihood, columns, x, np.zeros(first_nuisances(likelihood)[-1]), frame)

    def of_data(self, x: float) -> "Truth":
        """The point at strength x of the same column, with the nuisances that fit the data best there."""
        there = replace(self, x=x, nuisances=np.zeros_like(self.nuisances))
        return replace(there, nuisances=there._best_nuisances())

    @property
    def row(self) -> int:
        """The row of the column."""
        return int(self.columns.row[0])

    @functools.cached_property
    def firsts(self) -> list[int]:
        """The indices of `first_nuisances`."""
        return first_nuisances(self.likelihood)

    @functools.cached_property
    def errors(self) -> tuple[Array, Array, Array]:
        """The errors and the noise of `signal_errors`."""
        return signal_errors(self.likelihood, self.columns)

    @functools.cached_property
    def counts(self) -> list[PoissonCounts | None]:
        """The counts of `drawable`."""
        return drawable(self.likelihood)

    def counted(self, member: int) -> PoissonCounts | None:
        """The counts of a member with counted events; None for a member with a variance."""
        return self.counts[member]

    def _best_nuisances(self) -> Array:
        """The nuisances at which chi2 of the data is smallest; members with a variance have a closed form."""
        found, point = self.nuisances.copy(), np.array([self.x])
        if isinstance(self.columns, PoissonColumns):
            pulls = self.columns.pulls(np.zeros(1, np.intp), point)
            for block, own in zip(self.likelihood.blocks, pulls, strict=True):
                found[in_block(self.likelihood, block)] = own[0]
        own, common, noise = self.errors
        shared = found[: common.shape[1]]
        for member, first in enumerate(self.firsts[:-1]):
            if self.counted(member) is None:
                sums = self.likelihood.sums[member, self.row]
                s_dd, s_mm = (float(derivatives(sums[each], np.array(self.x))[0]) for each in (0, 2))
                s_dm = (self.likelihood.norm[member] - s_dd - s_mm) / 2  # because d + m are the data
                left = s_dm - common[member] @ shared * s_mm
                found[first] = own[member] * left / (noise[member] + s_mm * own[member] ** 2)
        return found

    def scale(self, member: int, nuisances: Array) -> Array:
        """The factor on a member's signal at nuisances (..., nuisances), shape (...)."""
        own, common, _ = self.errors
        first = self.firsts[member]
        shared = (nuisances[..., : common.shape[1]] * common[member]).sum(axis=-1)
        scale: Array = 1 + shared + own[member] * nuisances[..., first]
        return scale

    @functools.cached_property
    def models(self) -> list[Array]:
        """Each member's prediction along the column as polynomials in x, (coordinates, 3), see `vectors`.

        Members with counted events have no coordinates.
        """
        members = range(len(self.likelihood.members))
        if self.frame is not None:
            return [self.frame[member][self.row] for member in members]
        return [
            vectors(self.likelihood.sums[member, self.row, 2]) if self.counted(member) is None else np.empty((0, 3))
            for member in members
        ]

    @functools.cached_property
    def expected(self) -> list[Array]:
        """The expected events of each member, in the bins of chi2 if counted, else in the coordinates of `models`."""
        return [self._expected(member) for member in range(len(self.likelihood.members))]

    def _expected(self, member: int) -> Array:
        counts, scale = self.counted(member), float(self.scale(member, self.nuisances))
        if counts is None:
            in_plane: Array = scale * (self.models[member] @ self.x ** np.arange(3))
            return in_plane
        first = self.firsts[member] + 1
        signal, *shapes = counts.signals(self.row, self.likelihood.change[member, self.row], self.x)
        changes = np.stack([signal, *shapes, *counts.merged(counts.effects)])[1:]
        moved = self.nuisances[first : first + len(changes)] @ changes
        events: Array = scale * signal + counts.merged(counts.background) + moved
        return events

    @property
    def is_possible(self) -> bool:
        """Whether toys can be drawn here: the best nuisances exist, and no bin expects more than `MOST_EXPECTED`."""
        return bool(np.isfinite(self.nuisances).all()) and not self._expects_too_much

    @property
    def _expects_too_much(self) -> bool:
        return any(events.max(initial=0.0) > MOST_EXPECTED for events in self.expected)

    @property
    def is_doubtful(self) -> bool:
        """Whether the normalisation of a signal is centred below 0 in more than 0.1 % of the toys."""
        own, common, _ = self.errors
        for member in range(len(self.likelihood.members)):
            error = math.hypot(own[member], *common[member])
            if float(self.scale(member, self.nuisances)) < FEW * error:
                return True
        return False

    def streams(self, seed: int, *place: int) -> "Streams":
        """The random numbers of this point's toys, seeded by a seed and the whole numbers of a place."""
        if self._expects_too_much:
            raise InputError(f"toys need at most {MOST_EXPECTED:g} events in a bin")
        return Streams(self, seed, place)

    def columns_of(self, toys: Drawn) -> Columns:
        """The columns in which toys are fitted: one for each toy, in a row of its own."""
        number, members = len(toys.centres), len(self.likelihood.members)
        own, _, noise = self.errors
        scale, norm = np.ones((members, number)), np.zeros((members, number))
        sums = np.zeros((members, number, *self.likelihood.sums.shape[2:]))
        for member, model in enumerate(self.models):
            if self.counted(member) is None:
                scale[member] += own[member] * toys.centres[:, self.firsts[member]]
                sums[member], norm[member] = _sums(toys.data[member], scale[member], model)
        return columns_of_toys(self.likelihood, self.columns, toys, sums, norm, scale, noise)


def frames(
    likelihood: Likelihood, interaction: Interaction, channels: Sequence[Sequence[Channel]], rows: Mapping[str, Array]
) -> list[Array]:
    """The prediction of each member with a variance, in coordinates that all rows have in common.

    Where rows share their energy integrals, the coordinates are those of the features.  Otherwise they are the bins,
    with events divided by the roots of the variances.

    Parameters
    ----------
    likelihood : Likelihood
    interaction : Interaction
        The interaction of the likelihood.
    channels : sequence of sequence of str
        The scattering channels of each member, "cevns" or "nu-e".
    rows : mapping of str to array, shape (rows,)
        The row parameters by name, in the units of their axes.

    Returns
    -------
    list of array, shape (rows, coordinates, 3)
        Coefficients of polynomials in the strength x; members with counted events have no coordinates.
    """
    found, number = [], likelihood.change.shape[1]
    for member, own in enumerate(channels):
        exchange = likelihood.exchanges[member] if likelihood.exchanges else None
        if likelihood.counts_are_kept(member):
            model = np.empty((number, 0, 3))
        elif exchange is not None and exchange.counts is not None:
            templates = np.concatenate(list(exchange.in_rows(interaction, tuple(own), rows)))
            templates[:, 0] += exchange.signal + exchange.counts.background
            seen = exchange.counts.variance > 0
            model = np.swapaxes(templates[..., seen] / np.sqrt(exchange.counts.variance[seen]), 1, 2)
        else:
            features = np.insert(likelihood.change[member], 0, np.eye(3)[0], axis=1)  # the first one is 1
            root = likelihood.roots[member, 0, 2]
            model = root[root.any(axis=1)] @ features
        found.append(model)
    return found


class Streams:
    """The random numbers of the toys of a point: one stream for each member's data, and one for the centres.

    Toys are drawn in their order, so that the n-th toy is the same however many toys are drawn, and however many at
    once.
    """

    def __init__(self, truth: Truth, seed: int, place: Sequence[int]) -> None:
        self.truth = truth
        self._of_data, self._of_centres = (
            [np.random.default_rng([seed, *place, which, part]) for part in range(number)]
            for which, number in enumerate((len(truth.expected), 1))
        )

    def draw(self, number: int) -> Drawn:
        """The next toys."""
        truth, data = self.truth, []
        _, _, noise = truth.errors
        for member, (stream, expected) in enumerate(zip(self._of_data, truth.expected, strict=True)):
            if truth.counted(member) is None:
                data.append(stream.normal(expected, np.sqrt(noise[member]), (number, expected.size)))
            else:  # a bin without events can expect a negative number
                mean = np.maximum(expected, 0.0) / noise[member]
                data.append(noise[member] * stream.poisson(mean, (number, expected.size)))
        (stream,) = self._of_centres
        return Drawn(data, stream.normal(truth.nuisances, 1.0, (number, truth.nuisances.size)))


def _sums(data: Array, scale: Array, model: Array) -> tuple[Array, Array]:
    """S_dd, D and S_mm of a member with a variance in each toy, (toys, 3, SQUARES), and the sum of its squared data.

    `fastscan.limits.toys` explains how a centre of the member's own normalisation changes its prediction, by the factor
    `scale`, shape (toys,).
    """
    predicted = [scale * own[:, None] for own in model]  # of each coordinate, by power of x: (3, toys)
    counts = [np.stack([own, np.zeros_like(own), np.zeros_like(own)]) for own in data.T]
    difference = [one - other for one, other in zip(counts, predicted, strict=True)]
    length = np.sqrt(sum((own**2 for own in data.T), np.zeros(len(data))))
    unit = [own / np.where(length > 0, length, 1.0) for own in data.T]
    across = difference
    for _ in range(2):  # the second time removes what rounding left along the data
        along = sum((one * each for one, each in zip(across, unit, strict=True)), np.zeros((3, len(data))))
        across = [one - along * each for one, each in zip(across, unit, strict=True)]
    found = [of_vectors(each) for each in (difference, [length * each for each in across], predicted)]
    return np.stack([np.broadcast_to(each, (len(data), each.shape[-1])) for each in found], axis=1), length**2


def columns_of_toys(
    likelihood: Likelihood,
    columns: Columns,
    toys: Drawn,
    sums: Array,
    norm: Array,
    scale: Array,
    noise: Array,
    lost: Sequence[Array] | None = None,
) -> Columns:
    """The columns in which toys are fitted: one for each toy, in a row of its own, from one column of the data.

    Parameters
    ----------
    likelihood : Likelihood
    columns : Columns
        One column of the likelihood.
    toys : Drawn
        Centres, and data of members with counted events in the bins of chi2.
    sums, norm : array, shape (members, toys, 3, SQUARES) and (members, toys)
        Sums of squares of members with a variance, computed with the factor `scale` on the prediction.
    scale : array, shape (members, toys)
        Divides the relative errors of a member's signal; 1 for members with counted events.
    noise : array, shape (members,)
        As in `fastscan.likelihoods.gaussian.GaussianColumns`; 1 where the sums contain it already.
    lost : sequence of array, shape (toys,), optional
        `fastscan.likelihoods.poisson.PoissonCounts.lost` of each member; left out where only differences of chi2
        between strengths matter.

    Returns
    -------
    Columns
    """
    number, row = len(toys.centres), int(columns.row[0])
    gaussian, blocks = parts(columns)
    alone, found = sums.copy(), []
    for members, block in zip(likelihood.blocks, blocks, strict=True):
        counted, others = members[: len(block.counts)], members[len(block.counts) :]
        alone[others] = 0.0
        data = np.concatenate([np.empty((number, 0)), *(toys.data[member] for member in counted)], axis=1)
        without = sum((lost[member] for member in counted), np.zeros(number)) if lost else np.zeros(number)
        found.append(
            replace(
                block,
                counts=tuple(each.in_row(row) for each in block.counts),
                change=np.repeat(block.change[:, row : row + 1], number, axis=1),
                sums=sums[others],
                norm=norm[others],
                noise=np.repeat(noise[members, None], number, axis=1),
                variance=block.variance / scale[members] ** 2,
                common=block.common / scale[members][:, None],
                drawn=PseudoData(data, without, toys.centres[:, in_block(likelihood, members)]),
            )
        )
    rest = GaussianColumns(
        sums=alone,
        scale=np.full(number, gaussian.scale[row]),
        row=np.arange(number),
        noise=np.repeat(noise[:, None], number, axis=1),
        variance=gaussian.variance / scale**2,
    )
    return PoissonColumns(rest, tuple(found)) if found else rest
