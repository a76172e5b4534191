"""Toys at a point of a column: simulated counts and centres of nuisances, and the columns in which they are fitted.

A toy has counts that are drawn by Poisson's law, or Gauss's, around what is expected at the point with some nuisances,
and centres of the nuisances' constraints that are drawn around these nuisances.  Each toy is a column of its own, and a
row too.

Nothing but the likelihood is needed, which a store carries.  The bins of a member with a variance enter its chi2
through a plane of three dimensions, in which the predictions of all strengths lie: what is drawn across that plane
would add the same to chi2 at every strength.  Bins of counted events that are merged are drawn as one, for the same
reason.
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

FEW = 3.09  # standard deviations, beyond which a thousandth of a Gaussian distribution is on one side
MOST_EXPECTED = 1e15  # events in a bin that Poisson's law is drawn for


@dataclass(frozen=True, eq=False)
class Drawn:
    """The data of some toys.

    Attributes
    ----------
    data : list of array, shape (toys, bins)
        Of each member; what the bins are is the business of who draws.
    centres : array, shape (toys, nuisances)
        Of all nuisances in standard deviations: those that members share, then those of each member.
    """

    data: list[Array]
    centres: Array


def drawable(likelihood: Likelihood) -> list[PoissonCounts | None]:
    """What each member with counted events compares, None of another.

    Raises
    ------
    InputError
        Where a member has a model of fitted parameters, which toys have no place for.
    """
    found: list[PoissonCounts | None] = []
    for name, counts in zip(likelihood.members, likelihood.counted or [None] * len(likelihood.members), strict=True):
        if counts is not None and not isinstance(counts, PoissonCounts):
            raise InputError(f"there are no toys of experiment {quoted(name)}: it has a model of fitted parameters")
        found.append(counts)
    return found


def first_nuisances(likelihood: Likelihood) -> list[int]:
    """The number of the first nuisance of each member among all, and that of all: those that members share come first.

    A member has one of its signal's normalisation, and, where it counts events, those of shapes and of backgrounds.
    """
    own = [
        1 if counts is None else counts.nuisances for counts in likelihood.counted or [None] * len(likelihood.members)
    ]
    found: list[int] = np.cumsum([len(likelihood.shared), *own]).tolist()
    return found


def in_block(likelihood: Likelihood, block: Sequence[int]) -> IntArray:
    """Numbers of the nuisances of a block, in the order of `fastscan.likelihoods.poisson.PoissonColumns.pulls`."""
    first = first_nuisances(likelihood)
    own = [np.arange(first[number], first[number + 1]) for number in block if likelihood.counts_are_kept(number)]
    return np.concatenate([np.array(likelihood.shared_by(block), np.intp), *own])


def parts(columns: Columns) -> tuple[GaussianColumns, Sequence[Block]]:
    """The Gaussian columns of columns of any kind, and the blocks."""
    gaussian, blocks = (columns.others, columns.blocks) if isinstance(columns, PoissonColumns) else (columns, ())
    assert isinstance(gaussian, GaussianColumns)
    return gaussian, blocks


def signal_errors(likelihood: Likelihood, columns: Columns) -> tuple[Array, Array, Array]:
    """Relative errors of the members' signals, their own (members,) and shared (members, shared); and their noise."""
    gaussian, blocks = parts(columns)
    own, common = np.sqrt(gaussian.variance[:, 0]), np.zeros((len(likelihood.members), len(likelihood.shared)))
    noise = gaussian.noise[:, 0]
    for members, block in zip(likelihood.blocks, blocks, strict=True):
        own[members] = np.sqrt(block.variance[:, 0])
        common[np.ix_(members, likelihood.shared_by(members))] = block.common[:, :, 0]
    return own, common, noise


@dataclass(frozen=True, eq=False)
class Truth:
    """A point at which toys are drawn.

    Attributes
    ----------
    likelihood : Likelihood
    columns : Columns
        One column of the likelihood.
    x : float
        The strength.
    nuisances : array, shape (nuisances,)
        What the nuisances are, in standard deviations; their order is that of `Drawn.centres`.
    frame : sequence of array, shape (rows, coordinates, 3), optional
        See `frames`, where toys are fitted in other rows too; left out, each member has the plane of its own row.
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
        """A point of the same column, with the nuisances at which chi2 of the data is smallest there."""
        there = replace(self, x=x, nuisances=np.zeros_like(self.nuisances))
        return replace(there, nuisances=there._best_nuisances())

    @property
    def row(self) -> int:
        """The row of the column."""
        return int(self.columns.row[0])

    @functools.cached_property
    def firsts(self) -> list[int]:
        """See `first_nuisances`."""
        return first_nuisances(self.likelihood)

    @functools.cached_property
    def errors(self) -> tuple[Array, Array, Array]:
        """See `signal_errors`."""
        return signal_errors(self.likelihood, self.columns)

    @functools.cached_property
    def counts(self) -> list[PoissonCounts | None]:
        """See `drawable`."""
        return drawable(self.likelihood)

    def counted(self, member: int) -> PoissonCounts | None:
        """What a member with counted events compares; None of another."""
        return self.counts[member]

    def _best_nuisances(self) -> Array:
        """The nuisances at which chi2 of the data is smallest; those of normalisations alone have a closed form."""
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
        """What a member's signal is multiplied by at nuisances (..., nuisances)."""
        own, common, _ = self.errors
        first = self.firsts[member]
        shared = (nuisances[..., : common.shape[1]] * common[member]).sum(axis=-1)
        scale: Array = 1 + shared + own[member] * nuisances[..., first]
        return scale

    @functools.cached_property
    def models(self) -> list[Array]:
        """The prediction of each member with a variance along the column, see `vectors`; of the others nothing."""
        members = range(len(self.likelihood.members))
        if self.frame is not None:
            return [self.frame[member][self.row] for member in members]
        return [
            vectors(self.likelihood.sums[member, self.row, 2]) if self.counted(member) is None else np.empty((0, 3))
            for member in members
        ]

    @functools.cached_property
    def expected(self) -> list[Array]:
        """What each member expects, of counted events in the bins that are compared, else in the plane of `models`."""
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
        """Whether toys can be drawn here: something is expected wherever there are data, and not too much."""
        return bool(np.isfinite(self.nuisances).all()) and not self._expects_too_much

    @property
    def _expects_too_much(self) -> bool:
        return any(events.max(initial=0.0) > MOST_EXPECTED for events in self.expected)

    @property
    def is_doubtful(self) -> bool:
        """Whether more than a few toys centre the normalisation of a signal below 0."""
        own, common, _ = self.errors
        for member in range(len(self.likelihood.members)):
            error = math.hypot(own[member], *common[member])
            if float(self.scale(member, self.nuisances)) < FEW * error:
                return True
        return False

    def streams(self, seed: int, *place: int) -> "Streams":
        """The random numbers of this point's toys, which begin with a seed and whole numbers of the place."""
        if self._expects_too_much:
            raise InputError(f"toys need at most {MOST_EXPECTED:g} events in a bin")
        return Streams(self, seed, place)

    def columns_of(self, toys: Drawn) -> Columns:
        """The column of each toy, which is a row too."""
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
    """The prediction of each member with a variance in coordinates that all rows have in common.

    Where rows share their energy integrals, these are the features' own; else the bins, over the roots of variances.

    Parameters
    ----------
    likelihood : Likelihood
    interaction : Interaction
        That of the likelihood.
    channels : sequence of sequence of str
        Those of each member.
    rows : mapping of str to array, shape (rows,)
        The row parameters by name, in the units of their axes.

    Returns
    -------
    list of array, shape (rows, coordinates, 3)
        As polynomials in the strength; members with counted events have no coordinates.
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
    """The random numbers of the toys of a point, of which each member has a stream, and the centres have another.

    The toys are drawn in their order, however many at once: the first ones are the same however many there are.
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

    A centre c of its own normalisation changes what is predicted: in d - m (1 + sigma z) with the penalty (z - c)^2, m
    is replaced by m (1 + sigma c), and sigma by sigma / (1 + sigma c), and all other errors of it too.
    """
    predicted = [scale * own[:, None] for own in model]  # of each coordinate, by power of x: (3, toys)
    counts = [np.stack([own, np.zeros_like(own), np.zeros_like(own)]) for own in data.T]
    difference = [one - other for one, other in zip(counts, predicted, strict=True)]
    length = np.sqrt(sum((own**2 for own in data.T), np.zeros(len(data))))
    unit = [own / np.where(length > 0, length, 1.0) for own in data.T]
    across = difference
    for _ in range(2):  # a second time, for what rounding left along the data
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
    """A column, which is a row too, for each toy, from one column of the data.

    Parameters
    ----------
    likelihood : Likelihood
    columns : Columns
        One column of the likelihood.
    toys : Drawn
        The counts of members with counted events in the bins that are compared.
    sums, norm : array, shape (members, toys, 3, SQUARES) and (members, toys)
        Of members with a variance, whose prediction has a scale in each toy.
    scale : array, shape (members, toys)
        It divides the relative errors of a member's signal; 1 of members with counted events.
    noise : array, shape (members,)
        1 / luminosity, or what stands for it.
    lost : sequence of array, shape (toys,), optional
        `fastscan.likelihoods.poisson.PoissonCounts.lost` of each member; left out where chi2 is only compared with
        that at other strengths.
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
