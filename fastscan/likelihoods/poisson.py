"""Members of a likelihood with counted events and named nuisances: data and prediction, and columns of their chi2.

The signal is kept as events in bins of energy, neutrino by neutrino, and as shares of the events of an energy in the
bins of time and of a further factor.  So a row costs as much as it has bins of energy, however many other bins.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastscan.errors import warn
from fastscan.likelihoods.columns import turning_of
from fastscan.likelihoods.counted import Counted
from fastscan.likelihoods.gaussian import GaussianColumns, quartics
from fastscan.typing import Array, IntArray

MOST = 2**31  # largest size in a store
STEPS = 6  # steps of Newton's method, which are more than enough for two digits of most nuisances
NEGATIVE = "a negative number of events is expected in a bin without events, where the likelihood ends"


@dataclass(frozen=True, eq=False)
class PoissonCounts:
    """The data and the prediction of an experiment, bin by bin; all bins of one energy follow each other.

    Attributes
    ----------
    rates : array, shape (shapes, 1 + features, neutrinos, energy bins)
        Events at luminosity 1 in bins of energy: the Standard Model's, then those per unit of each feature.
    arriving : array, shape (1 + signal shapes, neutrinos, energy bins, others)
        Shares of a neutrino's events of each energy, see `fastscan.experiments.experiment.Experiment.arriving`.
    background, data : array, shape (energy bins * others,)
        Events at luminosity 1.
    effects : array, shape (nuisances, energy bins * others)
        Change of the background at one standard deviation of each of its nuisances.
    is_measured : bool
        Whether the data are measured, not predicted.
    bin_of : array of int, shape (energy bins * others,), optional
        The number of the compared bin in which each bin is counted, see `fastscan.likelihoods.merging`; left out, no
        bins are merged.
    """

    rates: Array
    arriving: Array
    background: Array
    data: Array
    effects: Array
    is_measured: bool
    bin_of: IntArray | None = None

    def with_rates(self, rates: Array) -> "PoissonCounts":
        """The same counts with other rates."""
        return replace(self, rates=rates)

    def in_row(self, row: int) -> "PoissonCounts":
        """The same counts in one row alone."""
        return self if len(self.rates) == 1 else replace(self, rates=self.rates[row : row + 1])

    @property
    def nuisances(self) -> int:
        """The number of its own nuisances: the signal's normalisation, its shapes, and those of the backgrounds."""
        return len(self.arriving) + len(self.effects)

    @property
    def totals(self) -> Array:
        """Events over all bins, shape (shapes, 1 + features)."""
        counted = self.arriving[0].sum(axis=-1)
        totals: Array = (self.rates * counted).sum(axis=(-2, -1))
        return totals

    @property
    def standard(self) -> Array:
        """Signal events that the Standard Model predicts in each bin."""
        events: Array = (self.rates[0, 0, :, :, None] * self.arriving[0]).sum(axis=0).ravel()
        return events

    def signals(self, row: int, change: Array, x: float) -> Array:
        """Signal events in the compared bins, at a point.

        Parameters
        ----------
        row : int
        change : array, shape (features, 3)
            Change of each feature in this row as a polynomial in the strength x; those beyond its own features are 0.
        x : float

        Returns
        -------
        array, shape (1 + signal shapes, bins)
            The events, and their change at one standard deviation of each shape.
        """
        rates = self.rates[row if len(self.rates) > 1 else 0]
        features = change[: len(rates) - 1] @ x ** np.arange(3)
        events = rates[0] + np.tensordot(features, rates[1:], axes=1)
        arrived: Array = (events[:, :, None] * self.arriving).sum(axis=1)
        return self.merged(arrived.reshape(len(arrived), -1))

    @functools.cached_property
    def likely(self) -> Array:
        """The nearly best nuisances of the background for the Standard Model's signal, shape (nuisances,).

        A search that begins there takes a step less.  They are rounded, so that it begins there on every machine.
        """
        z, some = np.zeros(len(self.effects)), self.data > 0
        effects, data, rest = self.effects[:, some], self.data[some], (self.standard + self.background)[some]
        for _ in range(STEPS):
            expected = rest + z @ effects
            if not (expected > 0).all():
                return np.zeros(len(z))
            slope = z + self.effects.sum(axis=1) - effects @ (data / expected)
            step = np.linalg.solve(np.eye(len(z)) + (effects * (data / expected**2)) @ effects.T, -slope)
            z += step / (1 + max(0.0, (-(step @ effects) / expected).max(initial=0.0)))
        return np.round(z, 2)

    @property
    def places(self) -> IntArray:
        """`bin_of`, or the bins' own numbers where it is left out."""
        return np.arange(self.data.size) if self.bin_of is None else self.bin_of

    def merged(self, events: Array) -> Array:
        """Events in the compared bins, (..., bins), from events in all bins, (..., energy bins * others)."""
        if self.bin_of is None:
            return events
        found = np.zeros((*events.shape[:-1], self.bin_of.max() + 1))
        np.add.at(found.T, self.bin_of, events.T)
        return found

    def lost(self, data: Array) -> Array:
        """chi2 of all bins minus chi2 of the compared bins.

        For merged bins b, with shares q_b of their events in the Standard Model, it is the sum of
        2 n_b ln(n_b / (q_b sum n)): a constant, and exactly 0 for data that are the prediction.

        Parameters
        ----------
        data : array, shape (..., energy bins * others)

        Returns
        -------
        array, shape (...)
        """
        if self.bin_of is None:
            return np.zeros(data.shape[:-1])
        logarithms = []
        for events in (data, self.standard + self.background):
            share = np.divide(events, self.merged(events)[..., self.bin_of], out=np.ones_like(events), where=events > 0)
            logarithms.append(np.log(share))
        lost: Array = 2 * (data * (logarithms[0] - logarithms[1])).sum(axis=-1)
        return lost

    def expected(self) -> "PoissonCounts":
        """The same counts with the predicted signal and background in place of the data."""
        return replace(self, data=self.standard + self.background, is_measured=False)


@dataclass(frozen=True, eq=False)
class PseudoData:
    """Data that replace the counted events of a block, and centres of its nuisances: one set for each row.

    Attributes
    ----------
    data : array, shape (rows, bins)
        Events of all members in the compared bins.
    lost : array, shape (rows,)
        The sum of `PoissonCounts.lost` over all members.
    centres : array, shape (rows, nuisances)
        In the order of `PoissonColumns.pulls`.
    """

    data: Array
    lost: Array
    centres: Array


@dataclass(frozen=True, eq=False)
class Block:
    """Columns of members that are fitted together because they have nuisances in common, or of one fitted member.

    Attributes
    ----------
    counts : tuple
        The counted events of the members that have them: `PoissonCounts`, or another class in a subclass.
    change : array, shape (members, rows, features, 3)
        Change of each of their features as a polynomial in the strength x.
    sums, norm : array, shape (Gaussian members, rows, 3, SQUARES) and (Gaussian members, rows)
        Arrays of the Gaussian members, see `fastscan.likelihoods.likelihood.Likelihood`.
    noise, variance : array, shape (members + Gaussian members, columns)
        1 / luminosity, for Gaussian members 1 / lam_e, and the square of the relative error of each signal's own
        normalisation.
    common : array, shape (members + Gaussian members, common, columns)
        Relative change of each signal at one standard deviation of each nuisance that they have in common.
    drawn : PseudoData, optional
        The data and the centres of each row; left out, all rows are compared with the data of `counts`.
    """

    counts: tuple[Any, ...]
    change: Array
    sums: Array
    norm: Array
    noise: Array
    variance: Array
    common: Array
    drawn: PseudoData | None = None

    def some(self, chosen: IntArray) -> "Block":
        """The columns of some indices, in their order."""
        noise, variance, common = (each[..., chosen] for each in (self.noise, self.variance, self.common))
        return replace(self, noise=noise, variance=variance, common=common)

    def filled(
        self, row: IntArray, x: Array, column: IntArray, width: int, in_parallel: bool | None = None
    ) -> tuple[Array, int]:
        """What `fastscan.kernels.poisson.profiles` fills and returns, at points of some columns.

        Returns
        -------
        array, shape (points, width)
            chi2, its derivatives in x, and the nuisances.
        int
            Number of points at which a bin without data expects a negative number.
        """
        from fastscan.kernels.poisson import CHI2, pieces_of, profiles  # imported here: other members need no compiler

        sets = self.drawn or PseudoData(self.data[None], self.lost, np.zeros((1, self.nuisances)))
        chosen = row if self.drawn else np.zeros(x.size, np.intp)
        out = np.empty((x.size, width))
        settings = (np.ascontiguousarray(each[..., column]) for each in (self.noise, self.variance, self.common))
        negative = profiles.run(
            pieces_of(x.size),
            x.size * max(self.data.size, 1),
            in_parallel,
            self.counted,
            self.change,
            (self.sums, self.norm),
            row,
            np.ascontiguousarray(x),
            tuple(settings),
            sets.data,
            sets.centres,
            chosen,
            self.origin,
            out,
        )
        out[:, CHI2] += sets.lost[chosen]
        return out, sum(negative)

    @property
    def rates(self) -> Array:
        """The rates of all members, flattened, one member after the other."""
        return np.concatenate([np.empty(0), *(each.rates.ravel() for each in self.counts)])

    @functools.cached_property
    def data(self) -> Array:
        """Counted events of all members in the compared bins, one member after the other."""
        return np.concatenate([np.empty(0), *(each.merged(each.data) for each in self.counts)])

    @functools.cached_property
    def lost(self) -> Array:
        """The sum of `PoissonCounts.lost` over all members, shape (1,); it is 0 where a luminosity scales chi2."""
        return sum((each.lost(each.data[None]) for each in self.counts), np.zeros(1))

    @functools.cached_property
    def counted(self) -> tuple[IntArray, Array, Array, IntArray, Array, Array, Array]:
        """Sizes, rates, arriving, bin_of, effects, products and background of all members as the kernel takes them."""

        def joined(arrays: Iterable[Array]) -> Array:
            return np.concatenate([np.empty(0), *(each.ravel() for each in arrays)])

        backgrounds = [each.merged(each.background) for each in self.counts]
        effects = [each.merged(each.effects) for each in self.counts]
        sizes = [[*_sizes(each), background.size] for each, background in zip(self.counts, backgrounds, strict=True)]
        return (
            np.array(sizes, np.intp).reshape(len(sizes), len(SIZES)),  # those of `SIZES` but the last, and the bins
            joined(each.rates for each in self.counts),
            joined(each.arriving for each in self.counts),
            np.concatenate([np.empty(0, np.intp), *(each.places for each in self.counts)]),
            joined(map(_table, effects)),
            joined(_table(_products(each)) for each in effects),
            joined(backgrounds),
        )

    @functools.cached_property
    def origin(self) -> Array:
        """The nuisances at which the kernel begins its search, in the order of `PoissonColumns.pulls`."""
        own = [np.concatenate([np.zeros(len(each.arriving)), each.likely]) for each in self.counts]
        return np.concatenate([np.zeros(len(self.common[0])), *own])

    @property
    def nuisances(self) -> int:
        """The number of nuisances: those in common, then each member's own, see `PoissonColumns.pulls`."""
        own = [len(each.arriving) + len(each.effects) for each in self.counts]
        return len(self.common[0]) + sum(own)


def _products(effects: Array) -> Array:
    """The product of the effect of each nuisance and that of every nuisance up to it, shape (pairs, bins)."""
    one, other = np.tril_indices(len(effects))
    found: Array = effects[one] * effects[other]
    return found


def _table(lines: Array) -> Array:
    """Lines of numbers as columns, shape (bins, columns), with as many columns of zeros as the kernel needs."""
    from fastscan.kernels.members import columns_for

    table = np.zeros((lines.shape[1], columns_for(len(lines))))
    table[:, : len(lines)] = lines.T
    return table


@dataclass(frozen=True, eq=False)
class PoissonColumns:
    """Columns of chi2 along the strength x for a likelihood in which some members are fitted.

    Attributes
    ----------
    others : GaussianColumns
        The same columns for all other members; fitted members add 0 to them.
    blocks : tuple of Block
        The columns of the fitted members.
    """

    others: GaussianColumns
    blocks: tuple[Block, ...]

    @property
    def row(self) -> IntArray:
        """The row of each column, shape (columns,)."""
        return self.others.row

    @property
    def scale(self) -> Array:
        """See `fastscan.likelihoods.gaussian.GaussianColumns`."""
        return self.others.scale

    def some(self, chosen: IntArray) -> "PoissonColumns":
        """The columns of some indices, in their order."""
        return PoissonColumns(self.others.some(chosen), tuple(block.some(chosen) for block in self.blocks))

    def chi2(self, x: Array, in_parallel: bool | None = None) -> Array:
        """See `fastscan.likelihoods.columns.Columns`.

        Warns
        -----
        FastscanWarning
            Where a negative number of events is expected in a bin without events.
        """
        each = np.broadcast_to(x, (self.row.size, x.shape[-1]))
        column = np.repeat(np.arange(self.row.size), each.shape[1])
        others, _, _ = self.others.derivatives(column, each.ravel())  # next to nothing beside the blocks
        total = others.reshape(each.shape)
        for block in self.blocks:
            found, negative = block.filled(self.row[column], each.ravel(), column, 1, in_parallel)
            if negative:
                warn(NEGATIVE)
            total += found.reshape(each.shape)
        return total

    def derivatives(self, column: IntArray, x: Array) -> tuple[Array, Array, Array]:
        """chi2 and its first and second derivative in x, at points of some columns.

        Parameters
        ----------
        column : array of int, shape (points,)
        x : array, shape (points,)

        Returns
        -------
        chi2, slope, curvature : array, shape (points,)
            Where a bin with data expects nothing, chi2 is infinite, and slope and curvature are nan.
        """
        from fastscan.kernels.poisson import CHI2, CURVATURE, NUISANCES, SLOPE

        chi2, slope, curvature = self.others.derivatives(column, x)
        for block in self.blocks:
            found, _ = block.filled(self.row[column], x, column, NUISANCES)
            chi2, slope, curvature = chi2 + found[:, CHI2], slope + found[:, SLOPE], curvature + found[:, CURVATURE]
        return chi2, slope, curvature

    def pulls(self, column: IntArray, x: Array) -> list[Array]:
        """The best nuisances of each block, in standard deviations, at points of some columns.

        Returns
        -------
        list of array, shape (points, nuisances)
            The nuisances in common first; then, for each member, the nuisance of the signal's normalisation, those of
            its shapes, and those of the background.
        """
        from fastscan.kernels.poisson import NUISANCES

        row = self.row[column]
        found = (block.filled(row, x, column, NUISANCES + block.nuisances)[0] for block in self.blocks)
        return [each[:, NUISANCES:] for each in found]

    def turning(self) -> Array:
        """See `fastscan.likelihoods.columns.Columns`.

        These are the strengths at which the signal of a member with counted events is stationary, and the strengths at
        which S_dd of any other member turns.
        """
        found = []
        for block in self.blocks:
            found.append(turning_of(quartics(block.sums[:, :, 0]), self.scale))
            for counts, change in zip(block.counts, block.change, strict=True):
                _, linear, square = _counts_in_rows(counts, change).T
                curved = square > 0
                found.append((np.where(curved, -linear, 0.0) / np.where(curved, 2 * square, 1.0))[:, None])
        return np.concatenate([self.others.turning(), np.concatenate(found, axis=1)[self.row]], axis=1)


def _counts_in_rows(counts: Counted, change: Array) -> Array:
    """Signal events of all bins of a member in each row as a polynomial in x, shape (rows, 3)."""
    totals = counts.totals
    found = np.zeros((len(change), 3))
    found[:, 0] = totals[:, 0]
    for feature in range(totals.shape[1] - 1):
        found += totals[:, 1 + feature, None] * change[:, feature]
    return found


SIZES = ("shapes", "terms", "neutrinos", "energies", "others", "arrivals", "nuisances", "is_measured")


def packed(counts: Sequence[PoissonCounts | None]) -> dict[str, Array]:
    """The `PoissonCounts` of members as a few arrays, one member after the other.

    Returns
    -------
    dict of str to array
        ``sizes`` (members, `SIZES`), which are 0 for a member without counted events.  ``rates``, ``arriving`` and
        ``effects`` (numbers,) of all members.  ``observed`` (2, bins) of all members: the background and the data;
        where bins are merged, its third line is `PoissonCounts.bin_of`.
    """
    there = [each for each in counts if each is not None]
    lines = 2 if all(each.bin_of is None for each in there) else 3
    observed = [(each.background, each.data, each.places)[:lines] for each in there]
    return {
        "sizes": np.array([_stored_sizes(each) for each in counts], float),
        "rates": np.concatenate([each.rates.ravel() for each in there]),
        "arriving": np.concatenate([each.arriving.ravel() for each in there]),
        "effects": np.concatenate([each.effects.ravel() for each in there]),
        "observed": np.concatenate(observed, axis=1),
    }


def _stored_sizes(counts: PoissonCounts | None) -> list[int]:
    return [0] * len(SIZES) if counts is None else [*_sizes(counts), counts.is_measured]


def _sizes(counts: PoissonCounts) -> list[int]:
    """All but the last of `SIZES`."""
    arrivals, *_, others = counts.arriving.shape
    return [*counts.rates.shape, others, arrivals, len(counts.effects)]


def unpacked(arrays: Mapping[str, Array]) -> tuple[PoissonCounts | None, ...]:
    """The inverse of `packed`; a ValueError where the sizes don't fit the arrays."""
    if not ((arrays["sizes"] >= 0) & (arrays["sizes"] <= MOST)).all():  # a nan fails this too
        raise ValueError("the sizes of its counted events are out of bounds")
    found: list[PoissonCounts | None] = []
    places = {name: 0 for name in ("rates", "arriving", "effects", "observed")}

    def taken(name: str, *shape: int) -> Array:
        start, size = places[name], int(np.prod(shape, dtype=object))
        places[name] += size
        return arrays[name][..., start : start + size]

    for sizes in arrays["sizes"].astype(int).tolist():
        shapes, terms, neutrinos, energies, others, arrivals, nuisances, measured = sizes
        if not any(sizes):
            found.append(None)
            continue
        bins = energies * others
        rates, arriving = (shapes, terms, neutrinos, energies), (arrivals, neutrinos, energies, others)
        background, data, *bin_of = taken("observed", bins)
        found.append(
            PoissonCounts(
                rates=taken("rates", *rates).reshape(rates),
                arriving=taken("arriving", *arriving).reshape(arriving),
                background=background,
                data=data,
                effects=taken("effects", nuisances, bins).reshape(nuisances, bins),
                is_measured=bool(measured),
                bin_of=_bin_of(*bin_of),
            )
        )
    if any(places[name] != arrays[name].shape[-1] for name in places):
        raise ValueError("its counted events have other sizes than it says")
    return tuple(found)


def _bin_of(stored: Array | None = None) -> IntArray | None:
    """`PoissonCounts.bin_of` from a member's line in a store; None where no two bins are merged."""
    if stored is None:
        return None
    numbers = np.unique(stored)
    if not np.array_equal(numbers, np.arange(numbers.size)):  # kernels trust it
        raise ValueError("its counted events are merged into bins that don't exist")
    return None if numbers.size == stored.size else stored.astype(np.intp)
