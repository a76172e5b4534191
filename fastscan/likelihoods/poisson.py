"""Counted events with named nuisances: what a member of a likelihood compares, and columns of its chi2.

What is kept of the signal is its events in bins of energy, neutrino by neutrino, and how those of an energy are shared
among the bins of time and of a further factor; so a row costs its bins of energy, whatever the others.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastscan.errors import warn
from fastscan.likelihoods.columns import turning_of
from fastscan.likelihoods.gaussian import GaussianColumns, quartics
from fastscan.typing import Array, IntArray

MOST = 2**31  # of each size that a store can say
NEGATIVE = "less than nothing is expected in a bin without events, where the likelihood ends"


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
    """

    rates: Array
    arriving: Array
    background: Array
    data: Array
    effects: Array
    is_measured: bool

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

    @property
    def bins(self) -> int:
        return self.data.size

    def expected(self) -> "PoissonCounts":
        """The same with the predicted signal and background for the data."""
        return replace(self, data=self.standard + self.background, is_measured=False)


@dataclass(frozen=True, eq=False)
class PseudoData:
    """Sets of data that stand for the counted events of a block, and of centres of its nuisances.

    Attributes
    ----------
    data : array, shape (sets, bins)
    centres : array, shape (sets, nuisances)
        In the order of `PoissonColumns.pulls`.
    chosen : array of int, shape (points,)
        The set with which each point is compared.
    """

    data: Array
    centres: Array
    chosen: IntArray


@dataclass(frozen=True, eq=False)
class Block:
    """Columns of members that are fitted together, because they have nuisances in common, or of one alone.

    Attributes
    ----------
    counts : tuple of PoissonCounts
        What the members with counted events compare.
    change : array, shape (members, rows, features, 3)
        Change of each of their features as a polynomial in the strength x.
    sums, norm : array, shape (Gaussian members, rows, 3, SQUARES) and (Gaussian members, rows)
        Of the other members, see `fastscan.likelihoods.likelihood.Likelihood`.
    noise, variance : array, shape (members + Gaussian members, columns)
        1 / luminosity, or what stands for it, and the square of the relative error of each signal's own normalisation.
    common : array, shape (members + Gaussian members, common, columns)
        Relative change of each signal at one standard deviation of each nuisance that they have in common.
    """

    counts: tuple[PoissonCounts, ...]
    change: Array
    sums: Array
    norm: Array
    noise: Array
    variance: Array
    common: Array

    def some(self, chosen: IntArray) -> "Block":
        """The columns of some indices, in their order."""
        noise, variance, common = (each[..., chosen] for each in (self.noise, self.variance, self.common))
        return replace(self, noise=noise, variance=variance, common=common)

    def filled(
        self,
        row: IntArray,
        x: Array,
        column: IntArray,
        width: int,
        in_parallel: bool | None = None,
        sets: PseudoData | None = None,
    ) -> tuple[Array, int]:
        """What `fastscan.kernels.poisson.profiles` fills at points of some columns, (points, width), and returns."""
        from fastscan.kernels.poisson import pieces_of, profiles  # imported here: other members need no compiler

        given = sets or PseudoData(self.data[None], np.zeros((1, self.nuisances)), np.zeros(x.size, np.intp))
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
            given.data,
            given.centres,
            given.chosen,
            out,
        )
        return out, sum(negative)

    @functools.cached_property
    def data(self) -> Array:
        """Counted events of all members, one after the other."""
        return np.concatenate([np.empty(0), *(each.data for each in self.counts)])

    @functools.cached_property
    def counted(self) -> tuple[IntArray, Array, Array, Array, Array, Array]:
        """Sizes, rates, arriving, effects, products and background of all members as the kernel takes them."""

        def joined(arrays: Iterable[Array]) -> Array:
            return np.concatenate([np.empty(0), *(each.ravel() for each in arrays)])

        sizes = np.array([_sizes(each) for each in self.counts], np.intp).reshape(len(self.counts), len(SIZES) - 1)
        return (
            sizes,
            joined(each.rates for each in self.counts),
            joined(each.arriving for each in self.counts),
            joined(_table(each.effects) for each in self.counts),
            joined(_table(_products(each.effects)) for each in self.counts),
            joined(each.background for each in self.counts),
        )

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
    from fastscan.kernels.poisson import columns_for

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
        """chi2 of each column at its own strengths.

        Parameters
        ----------
        x : array, shape (points,) or (columns, points)
            Strengths, those of all columns or of each.
        in_parallel : bool, optional
            Whether to spread the points over threads; left out, where there are many.

        Returns
        -------
        array, shape (columns, points)

        Warns
        -----
        FastscanWarning
            Where less than nothing is expected in a bin without events.
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


def _counts_in_rows(counts: PoissonCounts, change: Array) -> Array:
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
        ``arriving`` and ``effects`` (numbers,), and ``observed`` (2, bins), which is the background and the data.
    """
    there = [each for each in counts if each is not None]
    return {
        "sizes": np.array([_stored_sizes(each) for each in counts], float),
        "rates": np.concatenate([each.rates.ravel() for each in there]),
        "arriving": np.concatenate([each.arriving.ravel() for each in there]),
        "effects": np.concatenate([each.effects.ravel() for each in there]),
        "observed": np.concatenate([(each.background, each.data) for each in there], axis=1),
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
        raise ValueError("the sizes of its counted events are none")
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
        background, data = taken("observed", bins)
        found.append(
            PoissonCounts(
                rates=taken("rates", *rates).reshape(rates),
                arriving=taken("arriving", *arriving).reshape(arriving),
                background=background,
                data=data,
                effects=taken("effects", nuisances, bins).reshape(nuisances, bins),
                is_measured=bool(measured),
            )
        )
    if any(places[name] != arrays[name].shape[-1] for name in places):
        raise ValueError("its counted events have other sizes than it says")
    return tuple(found)
