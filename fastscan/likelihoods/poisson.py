"""Counted events with named nuisances: what a member of a likelihood compares, and columns of its chi2.

What is kept of the signal is its events in bins of energy, neutrino by neutrino, and how those of an energy are shared
among the bins of time and of a further factor; so a row costs its bins of energy, whatever the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastscan.errors import warn
from fastscan.kernels.poisson import NUISANCES, profiles
from fastscan.likelihoods.gaussian import GaussianColumns
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
        Events at luminosity 1; in simulated measurements data have the shape (rows, bins).
    effects : array, shape (nuisances, energy bins * others)
        Change of the background at one standard deviation of each of its nuisances.
    is_measured : bool
        Whether the data are measured ones.
    centres : array, shape (rows, nuisances), optional
        Where the constraints of all nuisances have their centres in simulated measurements; left out, at 0.
    """

    rates: Array
    arriving: Array
    background: Array
    data: Array
    effects: Array
    is_measured: bool
    centres: Array | None = None

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
        return self.background.size

    def expected(self) -> "PoissonCounts":
        """The same with the predicted signal and background for the data."""
        return replace(self, data=self.standard + self.background, is_measured=False)


@dataclass(frozen=True, eq=False)
class Counted:
    """The columns of one member with counted events.

    Attributes
    ----------
    counts : PoissonCounts
    change : array, shape (rows, features, 3)
        Change of each of its features as a polynomial in the strength x.
    noise, variance : array, shape (columns,)
        1 / luminosity, and sigma_sys^2.
    """

    counts: PoissonCounts
    change: Array
    noise: Array
    variance: Array

    @classmethod
    def of(cls, counts: PoissonCounts, change: Array, noise: Array, variance: Array) -> "Counted":
        """The columns, from changes of at least its own features; further ones are those of other members."""
        return cls(counts, np.ascontiguousarray(change[:, : counts.rates.shape[1] - 1]), noise, variance)

    def filled(
        self, row: IntArray, x: Array, column: IntArray, width: int, kernel: Callable[..., int]
    ) -> tuple[Array, int]:
        """What `fastscan.kernels.poisson.profiles` fills at points of some columns, (points, width), and returns."""
        counts, out = self.counts, np.empty((x.size, width))
        noise, variance = self.noise[column], self.variance[column]
        centres = np.empty((0, self.nuisances)) if counts.centres is None else counts.centres
        observed = (np.atleast_2d(counts.data), centres)
        arrays = (counts.rates, self.change, counts.arriving, counts.background, counts.effects, *observed)
        negative = kernel(*arrays, row, x, noise, variance, out)
        return out, negative

    @property
    def nuisances(self) -> int:
        """How many there are: the signal's normalisation, its shapes, and those of the background."""
        return len(self.counts.arriving) + len(self.counts.effects)


@dataclass(frozen=True, eq=False)
class PoissonColumns:
    """Columns of chi2 along the strength x, of which some members have counted events.

    Attributes
    ----------
    others : GaussianColumns
        The same columns of all other members; nothing is added for those that have counted events.
    counted : tuple of Counted
        The columns of each member that has them.
    """

    others: GaussianColumns
    counted: tuple[Counted, ...]

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
        counted = (replace(each, noise=each.noise[chosen], variance=each.variance[chosen]) for each in self.counted)
        return PoissonColumns(self.others.some(chosen), tuple(counted))

    def chi2(self, x: Array, in_parallel: bool | None = None) -> Array:
        """chi2 of each column at its own strengths.

        Parameters
        ----------
        x : array, shape (points,) or (columns, points)
            Strengths, those of all columns or of each.
        in_parallel : bool, optional
            Whether to spread the points over numba's threads; left out, where there are many.

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
        total = self.others.chi2(x, in_parallel)
        for member in self.counted:
            kernel = profiles.chosen(each.size * member.counts.bins, in_parallel)
            found, negative = member.filled(self.row[column], each.flatten(), column, 1, kernel)
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
        chi2, slope, curvature = self.others.derivatives(column, x)
        for member in self.counted:
            kernel = profiles.of_size(x.size * member.counts.bins)
            found, _ = member.filled(self.row[column], x, column, 3, kernel)
            chi2, slope, curvature = chi2 + found[:, 0], slope + found[:, 1], curvature + found[:, 2]
        return chi2, slope, curvature

    def pulls(self, column: IntArray, x: Array) -> list[Array]:
        """The best nuisances of each member that has any, in standard deviations, at points of some columns.

        Returns
        -------
        list of array, shape (points, nuisances)
            The first is that of the signal's normalisation; those of its shapes and of the background follow.
        """
        found = []
        for member in self.counted:
            kernel = profiles.of_size(x.size * member.counts.bins)
            width = NUISANCES + member.nuisances
            found.append(member.filled(self.row[column], x, column, width, kernel)[0][:, NUISANCES:])
        return found

    def turning(self) -> Array:
        """Strengths at which the signal of each member with counted events is stationary, shape (columns, members)."""
        _, linear, square = np.moveaxis(np.stack([_counts_in_rows(each) for each in self.counted]), -1, 0)
        curved = square > 0
        own = np.where(curved, -linear, 0.0) / np.where(curved, 2 * square, 1.0)
        found: Array = own.T[self.row]
        return found


def _counts_in_rows(member: Counted) -> Array:
    """Signal events of all bins of a member in each row as a polynomial in x, shape (rows, 3)."""
    totals = member.counts.totals
    found = np.zeros((len(member.change), 3))
    found[:, 0] = totals[:, 0]
    for feature in range(member.change.shape[1]):
        found += totals[:, 1 + feature, None] * member.change[:, feature]
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
        "sizes": np.array([[0] * len(SIZES) if each is None else _sizes(each) for each in counts], float),
        "rates": np.concatenate([each.rates.ravel() for each in there]),
        "arriving": np.concatenate([each.arriving.ravel() for each in there]),
        "effects": np.concatenate([each.effects.ravel() for each in there]),
        "observed": np.concatenate([(each.background, each.data) for each in there], axis=1),
    }


def _sizes(counts: PoissonCounts) -> list[int]:
    arrivals, *_, others = counts.arriving.shape
    return [*counts.rates.shape, others, arrivals, len(counts.effects), counts.is_measured]


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
