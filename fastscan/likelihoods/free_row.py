"""chi2 at single points where the row parameter varies, from the events added to the Standard Model's in each bin."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastscan.kernels.squares import SQUARES
from fastscan.likelihoods.profiles import OtherProfile, Profile
from fastscan.likelihoods.signals import Compiled, Signal, compiled, sum_of
from fastscan.typing import Array, IntArray

NO_OTHERS = np.empty((0, 1, 3, SQUARES))
LINE = np.array([0.0, 1.0, 0.0])  # y as a polynomial in y


def gaussian_sums(
    added: Array, places: IntArray, difference: Array, predicted: Array, direction: Array, norm: Array
) -> Array:
    """S_dd, D and S_mm of some members, see `fastscan.likelihoods.gaussian`, shape (members, 3).

    Parameters
    ----------
    added : array, shape (bins,)
        Events in addition to the Standard Model's, in all bins of all members.
    places : array of int, shape (members, 2)
        The numbers of each member's first bin, and of the bin after its last.
    difference, predicted, direction : array, shape (bins,)
        See `fastscan.likelihoods.signals.Bins`.
    norm : array, shape (members,)
        Sum of the squared data over their variance.
    """
    found = np.empty((len(places), 3))
    for member in range(len(places)):
        own = slice(places[member, 0], places[member, 1])
        d, m = difference[own] - added[own], predicted[own] + added[own]
        across = d - (d @ direction[own]) * direction[own]
        found[member] = d @ d, norm[member] * (across @ across), m @ m
    return found


def slopes_of_sums(
    added: Array,
    along: Array,
    places: IntArray,
    difference: Array,
    predicted: Array,
    direction: Array,
    norm: Array,
) -> Array:
    """The derivatives of `gaussian_sums` along a change of the added events, shape (members, 3)."""
    found = np.empty((len(places), 3))
    for member, own in enumerate(itertools.starmap(slice, places)):
        d, m = difference[own] - added[own], predicted[own] + added[own]
        across = d - (d @ direction[own]) * direction[own]
        found[member] = -2 * (d @ along[own]), -2 * norm[member] * (across @ along[own]), 2 * (m @ along[own])
    return found


def gaussian_chi2(sums: Array, noise: Array, variance: Array) -> Array:
    """chi2 of each member from its sums, see `fastscan.kernels.gaussian`, shape (members,)."""
    found: Array = (sums[:, 0] + sums[:, 1] * (variance / noise)) / (noise + sums[:, 2] * variance)
    return found


def squares(values: Array) -> Array:
    """Numbers, shape (members, 3), as sums of squares that are constant, shape (members, 1, 3, SQUARES)."""
    found = np.zeros((len(values), 1, 3, SQUARES))
    found[:, 0, :, 0] = np.sqrt(values)
    return found


@dataclass(frozen=True, eq=False)
class GaussianBins:
    """Members with Gaussian counts that share no nuisance with others, at one setting.

    Attributes
    ----------
    compared : tuple of array
        The arguments of `gaussian_sums` after `added`.
    noise, variance : array, shape (members,)
        See `fastscan.kernels.gaussian`.
    """

    compared: tuple[Any, ...]
    noise: Array
    variance: Array

    def chi2(self, added: Array) -> float:
        return float(gaussian_chi2(gaussian_sums(added, *self.compared), self.noise, self.variance).sum())

    def slopes(self, added: Array, directions: Sequence[Array]) -> list[float]:
        """The derivatives of chi2 along changes of what is added."""
        sums = gaussian_sums(added, *self.compared)
        chi2, over = gaussian_chi2(sums, self.noise, self.variance), 1 / (self.noise + sums[:, 2] * self.variance)
        weights = np.stack([over, over * self.variance / self.noise, -chi2 * over * self.variance], axis=-1)
        return [float((weights * slopes_of_sums(added, each, *self.compared)).sum()) for each in directions]

    def compiled(self) -> Compiled:
        sums, of_sums, noise, variance = compiled(gaussian_sums), compiled(gaussian_chi2), self.noise, self.variance
        places, difference, predicted, direction, norm = self.compared

        def chi2(added: Array) -> float:
            found: float = of_sums(sums(added, places, difference, predicted, direction, norm), noise, variance).sum()
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class FittedBins:
    """A block at one setting.

    For chi2 the kernel gets the events as signals without features.  For a slope it gets signals with one feature,
    which is y itself, at y = 0.

    Attributes
    ----------
    value, line : Profile
        For signals of one term, and of two.
    standard : array, shape (bins,)
        The Standard Model's events of the members with counted events, in bins of energy of each neutrino.
    places : array of int, shape (members + 1,)
        The number of each such member's first bin among the bins of all members, and of the bin after the last
        member's last; these members follow each other.
    compared : tuple of array
        The arguments of `gaussian_sums` after `added`, for the other members.
    """

    value: Profile | OtherProfile
    line: Profile | OtherProfile
    standard: Array
    places: IntArray
    compared: tuple[Any, ...]

    def chi2(self, added: Array) -> float:
        rates = self.standard + added[self.places[0] : self.places[-1]]
        others = squares(gaussian_sums(added, *self.compared)) if len(self.compared[0]) else NO_OTHERS
        return float(self.value.filled(rates, np.empty((len(self.places) - 1, 1, 0, 3)), others, 0.0, 1)[0])

    def slopes(self, added: Array, directions: Sequence[Array]) -> list[float]:
        """The derivatives of chi2 along changes of what is added."""
        events, sums = self.standard + added[self.places[0] : self.places[-1]], gaussian_sums(added, *self.compared)
        change = np.broadcast_to(LINE, (len(self.places) - 1, 1, 1, 3)).copy()
        found = []
        for along in directions:
            rates, others = [np.empty(0)], squares(sums)
            for first, last in itertools.pairwise(self.places):
                rates += [events[first - self.places[0] : last - self.places[0]], along[first:last]]
            half = slopes_of_sums(added, along, *self.compared)[:, None] / 2
            np.divide(half, others[..., 0], out=others[..., 1], where=others[..., 0] > 0)
            found.append(float(self.line.filled(np.concatenate(rates), change, others, 0.0, 3)[1]))
        return found

    def compiled(self) -> Compiled:
        inner, sums, as_squares = self.value.compiled(), compiled(gaussian_sums), compiled(squares)
        standard, first, last, members = self.standard, self.places[0], self.places[-1], len(self.places) - 1
        own, difference, predicted, direction, norm = self.compared

        def chi2(added: Array) -> float:
            others = as_squares(sums(added, own, difference, predicted, direction, norm))
            found: float = inner(standard + added[first:last], np.empty((members, 1, 0, 3)), others, 0.0)
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class FreeRow:
    """chi2 where the row parameter varies; a kind of `fastscan.likelihoods.pointwise.Pointwise`.

    Attributes
    ----------
    signal : Signal
    parts : tuple of GaussianBins or FittedBins
        The members, whose chi2 add up.
    """

    signal: Signal
    parts: tuple[GaussianBins | FittedBins, ...]

    def chi2(self, row: float, x: float) -> float:
        added = self.signal.added(row, x)
        return sum(part.chi2(added) for part in self.parts)

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        added, directions = self.signal.added(row, x), self.signal.slopes(row, x)
        along_row, along_x = map(sum, zip(*(part.slopes(added, directions) for part in self.parts), strict=True))
        return along_row, along_x

    def compiled(self) -> Compiled:
        events, of_events = self.signal.compiled(), functools.reduce(sum_of, (part.compiled() for part in self.parts))

        def chi2(row: float, x: float) -> float:
            found: float = of_events(events(row, x))
            return found

        return compiled(chi2)
