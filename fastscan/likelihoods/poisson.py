"""Counted events with named nuisances: what a member of a likelihood compares, and columns of its chi2.

What is kept of the signal is its events in bins of energy, neutrino by neutrino, and how those of an energy are shared
among the bins of time and of a further factor; so a row costs its bins of energy, whatever the others.
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

MOST = 2**31  # of each size that a store can have
STEPS = 6  # of Newton's method, which are more than enough for two digits of most nuisances
NEGATIVE = "a negative number of events is expected in a bin without events, where the likelihood ends"


@dataclass(frozen=True, eq=False)
class PoissonCounts:
    """What an experiment compares bin by bin, those of one energy after the other.

    Attributes
    ----------
    rates : array, shape (shapes, 1 + features, neutrinos, energy bins)
        Events at luminosity 1 in bins of energy: the Standard Model's, then those per unit of each feature.
    arriving : array, shape (1 + signal shapes, neutrinos, energy bins, others)
        Shares of a neutrino's events of an energy, see `fastscan.experiments.experiment.Experiment.arriving`.
    background, data : array, shape (energy bins * others,)
        Events at luminosity 1.
    effects : array, shape (nuisances, energy bins * others)
        Change of the background at one standard deviation of each of its nuisances.
    is_measured : bool
        Whether the data are measured ones.
    bin_of : array of int, shape (energy bins * others,), optional
        Which of the bins that are compared each is counted in, see `fastscan.likelihoods.merging`; left out, each is
        one of them.
    """

    rates: Array
    arriving: Array
    background: Array
    data: Array
    effects: Array
    is_measured: bool
    bin_of: IntArray | None = None

    def with_rates(self, rates: Array) -> "PoissonCounts":
        """The same with other rates."""
        return replace(self, rates=rates)

    def in_row(self, row: int) -> "PoissonCounts":
        """The same in one row alone."""
        return self if len(self.rates) == 1 else replace(self, rates=self.rates[row : row + 1])

    @property
    def nuisances(self) -> int:
        """How many it has of its own: of the signal's normalisation, of its shapes, and of the backgrounds."""
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
        """Signal events in the bins that are compared, at a point.

        Parameters
        ----------
        row : int
        change : array, shape (features, 3)
            Change of each feature in this row as a polynomial in the strength x; features beyond the own ones are 0.
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
        """The nearly best nuisances of the background, shape (nuisances,), where the signal is the Standard Model's.

        A search that begins there takes a step less.  They are rounded, so that no machine begins elsewhere.
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
        """`bin_of`, whether or not it is left out."""
        return np.arange(self.data.size) if self.bin_of is None else self.bin_of

    def merged(self, events: Array) -> Array:
        """Events in the bins that are compared, (..., bins), from those in all, (..., energy bins * others)."""
        if self.bin_of is None:
            return events
        found = np.zeros((*events.shape[:-1], self.bin_of.max() + 1))
        np.add.at(found.T, self.bin_of, events.T)
        return found

    def lost(self, data: Array) -> Array:
        """By how much chi2 of the bins that are compared is below that of all bins.

        Where bins b are merged, of whose events there are shares q_b in the Standard Model, it is the sum of
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
        """The same with the predicted signal and background for the data."""
        return replace(self, data=self.standard + self.background, is_measured=False)


@dataclass(frozen=True, eq=False)
class PseudoData:
    """Sets of data that stand for the counted events of a block, and of centres of its nuisances: one for each row.

    Attributes
    ----------
    data : array, shape (rows, bins)
        In the bins that are compared.
    lost : array, shape (rows,)
        See `PoissonCounts.lost`, of all members.
    centres : array, shape (rows, nuisances)
        In the order of `PoissonColumns.pulls`.
    """

    data: Array
    lost: Array
    centres: Array


@dataclass(frozen=True, eq=False)
class Block:
    """Columns of members that are fitted together, because they have nuisances in common, or of one alone.

    Attributes
    ----------
    counts : tuple
        What the members with counted events compare: `PoissonCounts`, or what a subclass says.
    change : array, shape (members, rows, features, 3)
        Change of each of their features as a polynomial in the strength x.
    sums, norm : array, shape (Gaussian members, rows, 3, SQUARES) and (Gaussian members, rows)
        Of the other members, see `fastscan.likelihoods.likelihood.Likelihood`.
    noise, variance : array, shape (members + Gaussian members, columns)
        1 / luminosity, or what stands for it, and the square of the relative error of each signal's own normalisation.
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
        """What `fastscan.kernels.poisson.profiles` fills at points of some columns, (points, width), and returns."""
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
        """The rates of all members, one after the other."""
        return np.concatenate([np.empty(0), *(each.rates.ravel() for each in self.counts)])

    @functools.cached_property
    def data(self) -> Array:
        """Counted events of all members in the bins that are compared, one after the other."""
        return np.concatenate([np.empty(0), *(each.merged(each.data) for each in self.counts)])

    @functools.cached_property
    def lost(self) -> Array:
        """See `PoissonCounts.lost`, of all members, shape (1,); it is 0 where a luminosity scales chi2."""
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
        """Where the kernel begins to look for the best nuisances, in the order of `PoissonColumns.pulls`."""
        own = [np.concatenate([np.zeros(len(each.arriving)), each.likely]) for each in self.counts]
        return np.concatenate([np.zeros(len(self.common[0])), *own])

    @property
    def nuisances(self) -> int:
        """How many there are: those in common, then each member's own, see `PoissonColumns.pulls`."""
        own = [len(each.arriving) + len(each.effects) for each in self.counts]
        return len(self.common[0]) + sum(own)


def _products(effects: Array) -> Array:
    """The products of the effects of each nuisance and of all up to it, shape (pairs, bins)."""
    one, other = np.tril_indices(len(effects))
    found: Array = effects[one] * effects[other]
    return found


def _table(lines: Array) -> Array:
    """Lines of numbers side by side, shape (bins, columns), with columns of zeros after them as kernels ask for it."""
    from fastscan.kernels.members import columns_for

    table = np.zeros((lines.shape[1], columns_for(len(lines))))
    table[:, : len(lines)] = lines.T
    return table


@dataclass(frozen=True, eq=False)
class PoissonColumns:
    """Columns of chi2 along the strength x, of which some members are fitted.

    Attributes
    ----------
    others : GaussianColumns
        The same columns of all other members; nothing is added for those that are fitted.
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
            chi2 is infinite, and the others nan, where nothing is expected in a bin that has data.
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
            Those in common first; then, of each member, that of the signal's normalisation, those of its shapes, and
            those of the background.
        """
        from fastscan.kernels.poisson import NUISANCES

        row = self.row[column]
        found = (block.filled(row, x, column, NUISANCES + block.nuisances)[0] for block in self.blocks)
        return [each[:, NUISANCES:] for each in found]

    def turning(self) -> Array:
        """See `fastscan.likelihoods.columns.Columns`: where the signal of a member with counted events is stationary.

        And where the other members do, be they fitted or not.
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
    """What several members count as a few arrays, in which one member follows the other.

    Returns
    -------
    dict of str to array
        ``sizes`` (members, `SIZES`), which are 0 for a member without counted events; and of all members ``rates``,
        ``arriving`` and ``effects`` (numbers,), and ``observed`` (2, bins), which is the background and the data; where
        bins are merged, its third line is `PoissonCounts.bin_of`.
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
    """What `packed` made arrays of; a ValueError where sizes aren't those of the arrays."""
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
    """`PoissonCounts.bin_of` as a store has it; None where no two bins are merged."""
    if stored is None:
        return None
    numbers = np.unique(stored)
    if not np.array_equal(numbers, np.arange(numbers.size)):  # kernels trust it
        raise ValueError("its counted events are merged into bins that don't exist")
    return None if numbers.size == stored.size else stored.astype(np.intp)
