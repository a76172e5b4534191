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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fastscan.errors import InputError, warn
from fastscan.interactions.interaction import Strength
from fastscan.kernels.squares import derivatives
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.limits.confidence import Toys
from fastscan.limits.crossings import Crossings, find_crossings, infimum
from fastscan.limits.drawn import Truth
from fastscan.limits.search import FEW_RUNGS, minima, search
from fastscan.typing import Array, BoolArray, IntArray

AT_ONCE = 2000  # toys that are fitted together: this bounds the memory
FEWEST_ABOVE = 4  # toys that must lie above the quantile, so that it has an error
ROUNDING = 1e-12  # of a number of toys that is to be whole
LEVELS = (0.5, 0.8, 1.0, 1.3)  # of the asymptotic t_c, among which t_c mostly is
HOPELESS = 4.0  # of the same, or of 1 if that is more: a point with a larger t is rejected without toys
ROUNDS = 3  # of toys in each bracket around a limit
ADDED = 2  # rounds in which rungs are added where a limit may hide between two
CERTAIN = 3.0  # errors of t_c by which t must differ from it, for a rung to be an end of a bracket
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
        The k-th smallest t, k = ceil(CL N), and half the distance of those that are a standard deviation of the number
        of toys below it, sqrt(N CL (1 - CL)), before and after.

    Examples
    --------
    >>> [float(each) for each in critical(np.arange(1.0, 10001.0), 0.9)]
    [9000.0, 30.0]
    """
    return critical_of_three(toys[..., places_of(toys.shape[-1], cl)])


def places_of(number: int, cl: float) -> list[int]:
    """The places, from 0 on, of the toys from which t_c and its error follow, among so many that ascend."""
    k, spread = math.ceil(number * cl * (1 - ROUNDING)), round(math.sqrt(number * cl * (1 - cl)))
    return [min(max(each, 1), number) - 1 for each in (k - spread, k, k + spread)]


def critical_of_three(three: Array) -> tuple[Array, Array]:
    """t_c and its error from t of the three toys of `places_of`, shape (..., 3)."""
    low, middle, high = np.moveaxis(three, -1, 0)
    width = np.where(np.isfinite(low), high, 0.0) - np.where(np.isfinite(low), low, 0.0)
    return middle, width / 2


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
            with np.errstate(divide="ignore", invalid="ignore"):  # at infinity, where nothing grows or errs
                return _lowest_of_one_bin(columns, seen[0], strength.signed)
        return infimum(columns, strength.largest_x, strength.signed)
    return search(columns, np.inf, strength.largest_x, strength.signed, FEW_RUNGS).lowest


def _lowest_of_one_bin(columns: GaussianColumns, member: int, signed: bool) -> Array:
    """The infimum of d^2 / (noise + variance m^2), where d = n - m, and a parabola in x is what is expected, m.

    Along m it falls to 0 at n and rises from there, until it falls once more on the other side of 0.  So the infimum is
    0 where d changes its sign, and else where the range of m ends: where the parabola turns, at x = 0, at infinity.
    """
    sums = columns.sums[member, columns.row]
    c0, c1, c2 = sums[:, 0, :3].T  # d, but for its sign
    noise, variance = columns.noise[member], columns.variance[member]
    curved = c2 != 0
    vertex = np.where(curved, -c1, 0.0) / np.where(curved, 2 * c2, 1.0)
    leading = np.where(curved, c2, c1)
    values, signs = [_at_infinity(sums[:, 0], curved) / (variance * _at_infinity(sums[:, 2], curved))], [leading]
    if signed:  # a straight line goes to both sides
        signs.append(np.where(curved, leading, -leading))
    for x in [vertex] if signed else [np.zeros_like(vertex), np.maximum(vertex, 0.0)]:
        s_dd, s_mm = (derivatives(sums[:, which], x)[0] for which in (0, 2))
        values.append(s_dd / (noise + variance * s_mm))
        signs.append(c0 + x * (c1 + x * c2))
    changes = (np.min(signs, axis=0) < 0) & (np.max(signs, axis=0) > 0)
    return np.where(changes, 0.0, np.fmin.reduce(values))


def _at_infinity(sums: Array, curved: BoolArray) -> Array:
    """The coefficients of x^4 in sums of squares, or those of x^2 where there are none."""
    _, c1, c2, c3, c4, c5 = sums.T
    found: Array = np.where(curved, c2**2 + c4**2 + c5, c1**2 + c3**2)
    return found


def thrown_at(truth: Truth, strength: Strength, toys: int, seed: int, *place: int, rows: Sequence[Truth] = ()) -> Array:
    """t of the toys of a point, in the order in which they are drawn.

    Parameters
    ----------
    truth : Truth
    strength : Strength
    toys : int
        How many.
    seed, *place : int
        What their random numbers begin with: each place has its own.
    rows : sequence of Truth
        A point in each of the other rows that are fitted too; they and the point have a frame in common.

    Returns
    -------
    array, shape (toys,)
    """
    found, streams = [], truth.streams(seed, *place)
    for first in range(0, toys, AT_ONCE):
        drawn = streams.draw(min(AT_ONCE, toys - first))
        columns = truth.columns_of(drawn)
        lowest = [lowest_of(each, strength) for each in (columns, *(row.columns_of(drawn) for row in rows))]
        chi2, _, _ = columns.derivatives(np.arange(len(drawn.centres)), np.full(len(drawn.centres), truth.x))
        found.append(above(chi2, np.min(lowest, axis=0)))
    return np.concatenate(found)


def above(chi2: Array, lowest: Array) -> Array:
    """t, which is chi2 above its infimum; rounding puts no strength below the infimum over all of them."""
    with np.errstate(invalid="ignore"):
        return np.where(chi2 < np.inf, np.maximum(chi2 - lowest, 0.0), np.inf)


def tell_of_doubts(truths: Iterable[Truth]) -> None:
    """Warn where the normalisation of a signal is centred below 0 in more than a few of the toys of some points."""
    if any(each.is_doubtful for each in truths):
        told = "in more than 0.1 % of the toys a signal is expected to be negative"
        warn(f"{told}: its systematic error is large, and Gauss's law for it is doubtful")


@dataclass(frozen=True, eq=False)
class ToyCrossings:
    """Where t - t_c changes its sign in some columns.

    Attributes
    ----------
    crossings : Crossings
    error : array, shape (crossings,)
        Monte-Carlo error of the strength of each; infinite where t and t_c run side by side.
    """

    crossings: Crossings
    error: Array


class Critical(Protocol):
    """t_c of the points of one column."""

    @property
    def known(self) -> Array:
        """Strengths x at which it has been computed already, ascending."""

    def at(self, x: Array, t: Array) -> tuple[Array, Array]:
        """t_c at strengths x at which the data have some t, and its error; t_c is 0 where nothing accepts the t."""


class Thrower:
    """t_c from toys that are thrown at each strength that is asked for; a kind of `Critical`.

    The random numbers of the toys at the n-th strength begin with the seed, the place and n.
    """

    known = np.empty(0)

    def __init__(self, column: Truth, strength: Strength, cl: float, toys: Toys, place: int, most: float) -> None:
        self.column, self.strength, self.cl, self.toys, self.place, self.most = column, strength, cl, toys, place, most
        self.truths: list[Truth] = []

    def at(self, x: Array, t: Array) -> tuple[Array, Array]:
        """See `Critical`; no toys are thrown where t is above the most that anything accepts."""
        found = np.zeros((2, x.size))
        for number in np.flatnonzero(t <= self.most):
            truth = self.column.of_data(float(x[number]))
            place = self.place, len(self.truths)
            toys = thrown_at(truth, self.strength, self.toys.number, self.toys.seed, *place)
            found[:, number] = critical(np.sort(toys), self.cl)
            self.truths.append(truth)
        return found[0], found[1]


@dataclass(frozen=True, eq=False)
class Interpolated:
    """t_c between strengths at which it is known; a kind of `Critical`.

    Attributes
    ----------
    known, t_c, error : array, shape (strengths,)
        Ascending strengths x, and t_c there with its error; t_c is -inf where nothing is accepted.
    scale : float
        The x on whose scale t_c changes: it is a straight line between neighbours along arsinh(x / scale).
    """

    known: Array
    t_c: Array
    error: Array
    scale: float

    def at(self, x: Array, t: Array) -> tuple[Array, Array]:
        """See `Critical`; beyond the ends it is what it is there."""
        u, known = np.arcsinh(x / self.scale), np.arcsinh(self.known / self.scale)
        t_c, error = (np.interp(u, known, np.maximum(values, 0.0)) for values in (self.t_c, self.error))
        return t_c, error


def find_toy_crossings(
    columns: Columns, strength: Strength, asymptotic: float, critical_of: Callable[[int], Critical]
) -> ToyCrossings:
    """Where the toys of each point begin or cease to accept it, along some columns.

    Parameters
    ----------
    columns : Columns
    strength : Strength
    asymptotic : float
        The asymptotic t_c, in whose neighbourhood t_c is looked for first.
    critical_of : callable
        Function from the number of a column to its t_c.
    """
    flat = _crossings(columns, asymptotic, strength).flat
    found = [
        _Search(columns.some(np.array([number])), strength, asymptotic, critical_of(number)).ends()
        for number in range(columns.row.size)
    ]
    column = np.repeat(np.arange(len(found)), [each[0].size for each in found])
    x, error, at_zero = zip(*found, strict=True)
    return ToyCrossings(Crossings(column, np.concatenate(x), np.array(at_zero), flat), np.concatenate(error))


def throw_crossings(
    likelihood: Likelihood, columns: Columns, strength: Strength, cl: float, asymptotic: float, toys: Toys
) -> ToyCrossings:
    """As `find_toy_crossings`, with toys that are thrown at each strength; columns are those of the likelihood.

    Warns
    -----
    FastscanWarning
        See `tell_of_doubts`.
    """
    require_enough(toys.number, cl)
    throwers = [
        Thrower(
            Truth.unmoved(likelihood, columns.some(np.array([place])), 0.0),
            strength,
            cl,
            toys,
            place,
            HOPELESS * max(asymptotic, 1.0),
        )
        for place in range(columns.row.size)
    ]
    found = find_toy_crossings(columns, strength, asymptotic, throwers.__getitem__)
    tell_of_doubts(truth for each in throwers for truth in each.truths)
    return found


def _crossings(columns: Columns, level: float, strength: Strength) -> Crossings:
    return find_crossings(columns, level, strength.largest_x, strength.signed)


class _Search:
    """The search for the ends of the accepted intervals of one column, along u = arsinh(x / scale)."""

    def __init__(self, column: Columns, strength: Strength, asymptotic: float, critical: Critical) -> None:
        self.column, self.strength, self.asymptotic, self.critical = column, strength, asymptotic, critical
        self.scale = column.scale[column.row][0]
        self.lowest = lowest_of(column, strength)[0]

    def t(self, u: Array) -> Array:
        """t of the data."""
        chi2, _, _ = self.column.derivatives(np.zeros(u.size, np.intp), self.scale * np.sinh(u))
        return above(chi2, self.lowest)

    def t_c(self, u: Array) -> tuple[Array, Array]:
        """t_c and its error."""
        return self.critical.at(self.scale * np.sinh(u), self.t(u))

    def rungs(self) -> Array:
        """Where toys are thrown first: at both ends; where the data's t crosses levels or turns; where counts turn."""
        strength, column = self.strength, self.column
        crossed = [_crossings(column, each * self.asymptotic, strength).x for each in LEVELS]
        turns = minima(column, strength.largest_x, strength.signed), column.turning()[0]
        x = np.concatenate([[0.0, strength.largest_x, -strength.largest_x], *turns, *crossed, self.critical.known])
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
        zero = int(np.searchsorted(u, 0.0))
        at_zero = bool(accepted[zero])
        certain = np.abs(t - t_c) > CERTAIN * error  # others would make intervals of mere fluctuations
        certain[[0, zero, u.size - 1]] = True
        u, t_c, accepted = u[certain], t_c[certain], accepted[certain]
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
        with np.errstate(divide="ignore"):  # where t and t_c run side by side
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
