"""The construction of Feldman and Cousins with profiled nuisances: what is accepted by the toys of each point.

    C(x) = chi2 of counts n and of centres c of the nuisances' constraints, minimised over the nuisances
    t(x) = C(x) less its infimum over all strengths that there are

t of the data has c = 0.  At a point x, toys are drawn with the nuisances that are best for the data there, and t_c is
the quantile of their t at the confidence level.  The data accept x where their t is not above t_c: limits are the
places at which the sign of t - t_c changes, with t_c of the same x.

Sources: Feldman and Cousins, arXiv:physics/9711021; nuisances as in Sen, Walker and Woodroofe, Statistica Sinica 19
(2009) 301, from their best values.
"""

import math
from dataclasses import dataclass

import numpy as np

from fastscan.errors import InputError, warn
from fastscan.interactions.interaction import Strength
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.limits.crossings import Crossings, find_crossings, infimum
from fastscan.limits.drawn import Drawn, Truth
from fastscan.limits.search import minima
from fastscan.typing import Array, BoolArray, IntArray

AT_ONCE = 2000  # toys that are fitted together: this bounds the memory
FEWEST_ABOVE = 4  # toys above the quantile, without which its error is none
ROUNDING = 1e-12  # of a number of toys that is to be whole
MOST_NEGATIVE = 1e-3  # part of the toys whose normalisation can be centred below 0 without a word
LEVELS = (0.5, 0.8, 1.0, 1.3)  # of the asymptotic t_c, among which t_c mostly is
HOPELESS = 4.0  # of the same: a point with so large a t is rejected without toys
ROUNDS = 3  # of toys in each bracket around a limit
ADDED = 2  # rounds in which rungs are added where a limit may hide between two
NEAREST = 1e-3  # distance of rungs along u = arsinh(x / scale), below which one is enough
HALVINGS = 50  # of a bracket along u


def critical(toys: Array, cl: float) -> tuple[Array, Array]:
    """The quantile of toys at a confidence level, and its Monte-Carlo error.

    Parameters
    ----------
    toys : array, shape (..., toys)
        t of each toy, ascending.
    cl : float
        Confidence level, a probability.

    Returns
    -------
    t_c, error : array, shape (...)
        The k-th smallest t, k = ceil(cl N), and half the distance of those that are a standard deviation of the number
        of toys below it, sqrt(N cl (1 - cl)), before and after.

    Examples
    --------
    >>> [float(each) for each in critical(np.arange(1.0, 10001.0), 0.9)]
    [9000.0, 30.0]
    """
    number = toys.shape[-1]
    k, spread = math.ceil(number * cl * (1 - ROUNDING)), round(math.sqrt(number * cl * (1 - cl)))
    low, high = (toys[..., min(max(each, 1), number) - 1] for each in (k - spread, k + spread))
    return toys[..., k - 1], (high - low) / 2


def require_enough(toys: int, cl: float) -> None:
    """Refuse so few toys that hardly any are above the quantile."""
    fewest = math.ceil(FEWEST_ABOVE / (1 - cl) * (1 - ROUNDING))
    if toys < fewest:
        raise InputError(f"toys must be at least {fewest} for cl = {cl:g}, not {toys}")


def lowest_of(columns: Columns, strength: Strength) -> Array:
    """The infimum of chi2 of each column over all strengths, shape (columns,); of one bin it has a closed form."""
    if isinstance(columns, GaussianColumns):
        seen = [number for number, sums in enumerate(columns.sums) if sums.any()]
        if len(seen) == 1 and not columns.sums[seen[0], :, 1].any():
            return _lowest_of_one_bin(columns, seen[0], strength.signed)
    return infimum(columns, strength.largest_x, strength.signed)


def _lowest_of_one_bin(columns: GaussianColumns, member: int, signed: bool) -> Array:
    """The infimum of d^2 / (noise + variance m^2), where d = n - m, and a parabola in x is what is expected, m.

    Along m it falls to 0 at n and rises from there, until it falls once more on the other side of 0.  So the infimum is
    0 where d changes its sign, and else where the range of m ends: where the parabola turns, at x = 0, at infinity.
    """
    of_d, of_m = (columns.sums[member, columns.row, which, :3] for which in (0, 2))
    noise, variance = columns.noise[member], columns.variance[member]
    curved = of_d[:, 2] != 0
    vertex = np.where(curved, -of_d[:, 1], 0.0) / np.where(curved, 2 * of_d[:, 2], 1.0)
    ends = [vertex] if signed else [np.zeros(len(of_d)), np.maximum(vertex, 0.0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        leading = np.where(curved, of_d[:, 2], of_d[:, 1])
        last = np.where(curved, of_m[:, 2], of_m[:, 1])
        values, signs = [np.where(leading != 0, leading**2 / (variance * last**2), np.inf)], [np.sign(leading)]
        if signed:  # a straight line goes to both sides
            signs.append(np.where(curved, signs[0], -signs[0]))
    for x in ends:
        d, m = ((own * np.stack([np.ones_like(x), x, x * x], axis=1)).sum(axis=1) for own in (of_d, of_m))
        values.append(d * d / (noise + variance * m * m))
        signs.append(np.sign(d))
    signs = [np.where(each == 0, 0.0, each) for each in signs]
    least, most = np.min(signs, axis=0), np.max(signs, axis=0)
    return np.where(least * most < 0, 0.0, np.min(values, axis=0))


def t_of(columns: Columns, x: Array, strength: Strength) -> Array:
    """t of columns, each at a strength of its own; x and t have shape (columns,)."""
    chi2, _, _ = columns.derivatives(np.arange(columns.row.size), x)
    lowest = lowest_of(columns, strength)
    with np.errstate(invalid="ignore"):
        return np.where(chi2 < np.inf, np.maximum(chi2 - lowest, 0.0), np.inf)  # x is one of the strengths


def thrown_at(truth: Truth, strength: Strength, toys: int, seed: int, *place: int) -> Array:
    """t of the toys of a point, in the order in which they are drawn.

    Parameters
    ----------
    truth : Truth
    strength : Strength
    toys : int
        How many.
    seed, *place : int
        What their random numbers begin with: each place has its own.

    Returns
    -------
    array, shape (toys,)

    Warns
    -----
    FastscanWarning
        Where the normalisation of a signal is centred below 0 in more than a few toys.
    """
    found, below = [], 0
    streams = truth.streams(seed, *place)
    for first in range(0, toys, AT_ONCE):
        drawn = streams.draw(min(AT_ONCE, toys - first))
        columns = truth.columns_of(drawn)
        found.append(t_of(columns, np.full(len(drawn.centres), truth.x), strength))
        below += negative(truth, drawn).sum()
    tell_of_negative(below, toys)
    return np.concatenate(found)


def negative(truth: Truth, drawn: Drawn) -> BoolArray:
    """Whether the normalisation of any signal is centred at or below 0, of each toy."""
    scales = [truth.scale(member, drawn.centres) for member in range(len(truth.models))]
    below: BoolArray = np.min(scales, axis=0) <= 0
    return below


def tell_of_negative(below: int, toys: int) -> None:
    """Warn of `negative` toys, where there are more than a few."""
    if below > MOST_NEGATIVE * toys:
        told = f"in more than {100 * MOST_NEGATIVE:g} % of the toys a signal is expected to be negative"
        warn(f"{told}: its systematic error is large, and Gauss's law for it is doubtful")


@dataclass(frozen=True, eq=False)
class ToyCrossings:
    """Where t - t_c changes its sign in some columns.

    Attributes
    ----------
    crossings : Crossings
    error : array, shape (crossings,)
        Monte-Carlo error of the strength of each.
    """

    crossings: Crossings
    error: Array


def find_toy_crossings(
    likelihood: Likelihood,
    columns: Columns,
    strength: Strength,
    cl: float,
    asymptotic: float,
    toys: int,
    seed: int,
) -> ToyCrossings:
    """Where the toys of each point begin or cease to accept it, along some columns.

    Parameters
    ----------
    likelihood : Likelihood
    columns : Columns
        Of the likelihood.
    strength : Strength
    cl : float
        Confidence level, a probability.
    asymptotic : float
        The asymptotic t_c, in whose neighbourhood toys are thrown first.
    toys, seed : int
        How many toys at each point, and what their random numbers begin with.
    """
    require_enough(toys, cl)
    flat = _crossings(columns, asymptotic, strength).flat
    found = [
        _Search(likelihood, columns.some(np.array([number])), strength, cl, asymptotic, (toys, seed, number)).ends()
        for number in range(columns.row.size)
    ]
    column = np.repeat(np.arange(len(found)), [each[0].size for each in found])
    x, error, at_zero = zip(*found, strict=True)
    return ToyCrossings(Crossings(column, np.concatenate(x), np.array(at_zero), flat), np.concatenate(error))


def _crossings(columns: Columns, level: float, strength: Strength) -> Crossings:
    return find_crossings(columns, level, strength.largest_x, strength.signed)


class _Search:
    """The search for the ends of the accepted intervals of one column, along u = arsinh(x / scale)."""

    def __init__(
        self,
        likelihood: Likelihood,
        column: Columns,
        strength: Strength,
        cl: float,
        asymptotic: float,
        throw: tuple[int, int, int],
    ) -> None:
        self.likelihood, self.column, self.strength, self.cl = likelihood, column, strength, cl
        self.asymptotic = asymptotic
        self.toys, self.seed, self.place = throw
        self.scale = column.scale[column.row][0]
        self.lowest = lowest_of(column, strength)[0]
        self.thrown = 0

    def t(self, u: Array) -> Array:
        """t of the data."""
        chi2, _, _ = self.column.derivatives(np.zeros(u.size, np.intp), self.scale * np.sinh(u))
        t: Array = np.maximum(chi2 - self.lowest, 0.0)
        return t

    def t_c(self, u: Array) -> tuple[Array, Array]:
        """t_c and its error; where no toys are needed, because nothing accepts a t so large, it is 0."""
        found = np.zeros((2, u.size))
        for number in np.flatnonzero(self.t(u) <= HOPELESS * self.asymptotic):
            truth = Truth.of_data(self.likelihood, self.column, float(self.scale * np.sinh(u[number])))
            toys = thrown_at(truth, self.strength, self.toys, self.seed, self.place, self.thrown)
            found[:, number] = critical(np.sort(toys), self.cl)
            self.thrown += 1
        return found[0], found[1]

    def rungs(self) -> Array:
        """Where toys are thrown first: at both ends; where the data's t crosses levels or turns; where counts turn."""
        strength, column = self.strength, self.column
        crossed = [_crossings(column, each * self.asymptotic, strength).x for each in LEVELS]
        turns = minima(column, strength.largest_x, strength.signed), column.turning()[0]
        x = np.concatenate([[0.0, strength.largest_x, -strength.largest_x], *turns, *crossed])
        x = x[(np.abs(x) <= strength.largest_x) & (strength.signed | (x >= 0))]
        u = np.unique(np.arcsinh(x / self.scale))
        apart = np.abs(u) > NEAREST
        apart[1:] &= np.diff(u) > NEAREST
        return np.unique(np.append(u[apart], 0.0))

    def ends(self) -> tuple[Array, Array, bool]:
        """x of the ends, descending, their errors, and whether x = 0 is accepted."""
        u = self.rungs()
        t, (t_c, error) = self.t(u), self.t_c(u)
        for _ in range(ADDED):
            more = _doubtful(u, t, t_c, error)
            if not more.size:
                break
            order = np.argsort(np.concatenate([u, more]))
            found = self.t_c(more)
            u, t, t_c, error = (
                np.concatenate(pair)[order]
                for pair in ((u, more), (t, self.t(more)), (t_c, found[0]), (error, found[1]))
            )
        accepted = t <= t_c
        at_zero = bool(accepted[np.searchsorted(u, 0.0)])
        low = np.flatnonzero(accepted[1:] != accepted[:-1])
        place, errors = self._refined(u, t_c, low, accepted)
        order = np.argsort(-place)
        return self.scale * np.sinh(place[order]), errors[order], at_zero

    def _refined(self, u: Array, t_c: Array, low: IntArray, accepted: BoolArray) -> tuple[Array, Array]:
        """u of the limit in each of some gaps, and the error of x there."""
        rises = accepted[low]  # whether t - t_c rises from below 0
        ends, values = np.stack([u[low], u[low + 1]]), np.stack([t_c[low], t_c[low + 1]])
        slope, error = self._slope(ends, values), np.zeros(low.size)
        for _ in range(ROUNDS):
            place = self._crossing(ends, values, rises)
            found, error = self.t_c(place)
            beyond = (self.t(place) > found) == rises
            ends[1], values[1] = np.where(beyond, place, ends[1]), np.where(beyond, found, values[1])
            ends[0], values[0] = np.where(beyond, ends[0], place), np.where(beyond, values[0], found)
        place = self._crossing(ends, values, rises)
        x = self.scale * np.sinh(place)
        _, steep, _ = self.column.derivatives(np.zeros(x.size, np.intp), x)
        return place, error / np.abs(steep - slope / np.sqrt(self.scale**2 + x**2))

    @staticmethod
    def _slope(ends: Array, values: Array) -> Array:
        """How t_c changes along u; not at all where no toys were thrown at an end."""
        known = (values > 0).all(axis=0)
        slope: Array = np.where(known, values[1] - values[0], 0.0) / (ends[1] - ends[0])
        return slope

    def _crossing(self, ends: Array, values: Array, rises: BoolArray) -> Array:
        """Where the data's t crosses t_c, which is a straight line between the ends of gaps."""
        slope = self._slope(ends, values)
        start = np.where(values[0] > 0, values[0], values[1])
        low, high = ends.copy()
        middle: Array = 0.5 * (low + high)
        for _ in range(HALVINGS):
            beyond = (self.t(middle) > start + slope * (middle - ends[0])) == rises
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
            middle = 0.5 * (low + high)
        return middle


def _doubtful(u: Array, t: Array, t_c: Array, error: Array) -> Array:
    """The middles of gaps between which t_c changes so much that two limits can hide there."""
    left = np.abs(t - t_c)
    known = (t_c[1:] > 0) & (t_c[:-1] > 0)
    change = np.abs(np.diff(t_c)) + 2 * (error[1:] + error[:-1])
    same = (t <= t_c)[1:] == (t <= t_c)[:-1]
    doubtful = known & same & (np.minimum(left[1:], left[:-1]) < change) & (np.diff(u) > 2 * NEAREST)
    middles: Array = 0.5 * (u[1:] + u[:-1])[doubtful]
    return middles
