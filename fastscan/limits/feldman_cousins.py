"""The construction of Feldman and Cousins with profiled nuisances: intervals from the toys of each strength.

    C(x) = chi2 of counts n, with the nuisances' constraints centred at c, minimised over the nuisances
    t(x) = C(x) minus its infimum over all allowed strengths

For the data c = 0.  At each strength x, toys are drawn at the nuisances that fit the data best there, and t_c(x) is the
quantile of their t at the confidence level.  A strength x is accepted where t(x) of the data is at most t_c(x), so the
limits are the strengths at which t - t_c changes its sign.

Sources: Feldman and Cousins, arXiv:physics/9711021; drawing toys at the best nuisances follows Sen, Walker and
Woodroofe, Statistica Sinica 19 (2009) 301.
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

AT_ONCE = 2000  # toys that are fitted together, to bound the memory
FEWEST_ABOVE = 4  # toys that must lie above the quantile, so that the quantile has an error
ROUNDING = 1e-12  # relative rounding error of a number of toys that should be whole
LEVELS = (0.5, 0.8, 1.0, 1.3)  # multiples of the asymptotic t_c; t_c mostly lies among them
HOPELESS = 4.0  # a point is rejected without toys if its t exceeds 4 max(asymptotic t_c, 1)
ROUNDS = 3  # rounds of toys in each bracket around a limit
ADDED = 2  # rounds of additional rungs where two limits may lie between neighbouring rungs
CERTAIN = 3.0  # errors of t_c by which t must differ from t_c where a bracket ends
NEAREST = 1e-3  # smallest distance between rungs along u = arsinh(x / scale)
HALVINGS = 50  # halvings of a bracket along u


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
        t_c is the k-th smallest t of N toys, k = ceil(CL N).  With the binomial error s = sqrt(N CL (1 - CL)) of k, the
        error is half the difference of the (k + s)-th and the (k - s)-th smallest t.

    Examples
    --------
    >>> [float(each) for each in critical(np.arange(1.0, 10001.0), 0.9)]
    [9000.0, 30.0]
    """
    return critical_of_three(toys[..., places_of(toys.shape[-1], cl)])


def places_of(number: int, cl: float) -> list[int]:
    """Indices, among `number` ascending toys, of the three toys from which t_c and its error follow."""
    k, spread = math.ceil(number * cl * (1 - ROUNDING)), round(math.sqrt(number * cl * (1 - cl)))
    return [min(max(each, 1), number) - 1 for each in (k - spread, k, k + spread)]


def critical_of_three(three: Array) -> tuple[Array, Array]:
    """t_c and its error, each of shape (...), from t of the three toys of `places_of`, shape (..., 3)."""
    low, middle, high = np.moveaxis(three, -1, 0)
    width = np.where(np.isfinite(low), high, 0.0) - np.where(np.isfinite(low), low, 0.0)
    return middle, width / 2


def require_enough(toys: int, cl: float) -> None:
    """Raise an `InputError` for so few toys that hardly any lie above the quantile."""
    fewest = math.ceil(FEWEST_ABOVE / (1 - cl) * (1 - ROUNDING))
    if toys < fewest:
        raise InputError(f"toys must be at least {fewest} for cl = {cl:g}, not {toys}")


def lowest_of(columns: Columns, strength: Strength) -> Array:
    """The infimum of chi2 of each column over all strengths, shape (columns,); one bin has a closed form."""
    if isinstance(columns, GaussianColumns):
        seen = [number for number, sums in enumerate(columns.sums) if sums.any()]
        if len(seen) == 1 and not columns.sums[seen[0], :, 1].any():
            with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 at infinity without growth or error
                return _lowest_of_one_bin(columns, seen[0], strength.signed)
        return infimum(columns, strength.largest_x, strength.signed)
    return search(columns, np.inf, strength.largest_x, strength.signed, FEW_RUNGS).lowest


def _lowest_of_one_bin(columns: GaussianColumns, member: int, signed: bool) -> Array:
    """The infimum of d^2 / (noise + variance m^2) with d = n - m, where the expected events m are a parabola in x.

    As a function of m it falls to 0 at m = n and rises from there, and falls again only on the other side of m = 0.  So
    the infimum is 0 where d changes its sign.  Elsewhere it lies at an end of the range of m: where the parabola turns,
    at x = 0, or at infinity.
    """
    sums = columns.sums[member, columns.row]
    c0, c1, c2 = sums[:, 0, :3].T  # coefficients of d, up to a sign
    noise, variance = columns.noise[member], columns.variance[member]
    curved = c2 != 0
    vertex = np.where(curved, -c1, 0.0) / np.where(curved, 2 * c2, 1.0)
    leading = np.where(curved, c2, c1)
    values, signs = [_at_infinity(sums[:, 0], curved) / (variance * _at_infinity(sums[:, 2], curved))], [leading]
    if signed:  # a straight line has opposite signs at -infinity and infinity
        signs.append(np.where(curved, leading, -leading))
    for x in [vertex] if signed else [np.zeros_like(vertex), np.maximum(vertex, 0.0)]:
        s_dd, s_mm = (derivatives(sums[:, which], x)[0] for which in (0, 2))
        values.append(s_dd / (noise + variance * s_mm))
        signs.append(c0 + x * (c1 + x * c2))
    changes = (np.min(signs, axis=0) < 0) & (np.max(signs, axis=0) > 0)
    return np.where(changes, 0.0, np.fmin.reduce(values))


def _at_infinity(sums: Array, curved: BoolArray) -> Array:
    """The coefficients of x^4 in sums of squares, or those of x^2 where a sum has no x^4."""
    _, c1, c2, c3, c4, c5 = sums.T
    found: Array = np.where(curved, c2**2 + c4**2 + c5, c1**2 + c3**2)
    return found


def thrown_at(truth: Truth, strength: Strength, toys: int, seed: int, *place: int, rows: Sequence[Truth] = ()) -> Array:
    """t of the toys of a point, in the order in which they are drawn.

    Parameters
    ----------
    truth : Truth
        The point at which the toys are drawn.
    strength : Strength
    toys : int
        Number of toys.
    seed, *place : int
        Seeds of the random numbers; each place has random numbers of its own.
    rows : sequence of Truth
        A point in each other row that is fitted to the toys too.  All of them share the frame of `truth`.

    Returns
    -------
    array, shape (toys,)
        t, dimensionless.
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
    """t = chi2 - lowest, where `lowest` is the infimum of chi2; a negative value is rounding and becomes 0."""
    with np.errstate(invalid="ignore"):
        return np.where(chi2 < np.inf, np.maximum(chi2 - lowest, 0.0), np.inf)


def tell_of_doubts(truths: Iterable[Truth]) -> None:
    """Warn if the normalisation of a signal is centred below 0 in more than 0.1 % of the toys of some point."""
    if any(each.is_doubtful for each in truths):
        told = "in more than 0.1 % of the toys a signal is expected to be negative"
        warn(f"{told}: its systematic error is so large that a Gaussian distribution of it is doubtful")


@dataclass(frozen=True, eq=False)
class ToyCrossings:
    """The strengths at which t - t_c changes its sign in some columns.

    Attributes
    ----------
    crossings : Crossings
    error : array, shape (crossings,)
        Monte-Carlo error of each strength x, dimensionless; infinite where t and t_c are parallel.
    """

    crossings: Crossings
    error: Array


class Critical(Protocol):
    """t_c along one column."""

    @property
    def known(self) -> Array:
        """Strengths x at which t_c has been computed already, ascending."""

    def at(self, x: Array, t: Array) -> tuple[Array, Array]:
        """t_c and its error at strengths x, where the data have t; t_c is 0 where no t_c can accept this t."""


class Thrower:
    """t_c from toys that are thrown at each requested strength; a kind of `Critical`.

    The seed, the place and n seed the random numbers of the toys at the n-th strength.
    """

    known = np.empty(0)

    def __init__(self, column: Truth, strength: Strength, cl: float, toys: Toys, place: int, most: float) -> None:
        self.column, self.strength, self.cl, self.toys, self.place, self.most = column, strength, cl, toys, place, most
        self.truths: list[Truth] = []

    def at(self, x: Array, t: Array) -> tuple[Array, Array]:
        """See `Critical`; no toys are thrown where t is above `most`."""
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
    """t_c interpolated between the strengths at which it is known; a kind of `Critical`.

    Attributes
    ----------
    known, t_c, error : array, shape (strengths,)
        Ascending strengths x, with t_c and its error; t_c is -inf where no t is accepted.
    scale : float
        The strength on whose scale t_c changes.  The interpolation is linear in arsinh(x / scale).
    """

    known: Array
    t_c: Array
    error: Array
    scale: float

    def at(self, x: Array, t: Array) -> tuple[Array, Array]:
        """See `Critical`; beyond the ends t_c is constant."""
        u, known = np.arcsinh(x / self.scale), np.arcsinh(self.known / self.scale)
        t_c, error = (np.interp(u, known, np.maximum(values, 0.0)) for values in (self.t_c, self.error))
        return t_c, error


def find_toy_crossings(
    columns: Columns, strength: Strength, asymptotic: float, critical_of: Callable[[int], Critical]
) -> ToyCrossings:
    """The ends of the accepted intervals of some columns.

    Parameters
    ----------
    columns : Columns
    strength : Strength
    asymptotic : float
        The asymptotic t_c; the search begins where t of the data is near it.
    critical_of : callable
        Function from the index of a column to its `Critical`.

    Returns
    -------
    ToyCrossings
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
    """The ends of the accepted intervals of a likelihood's columns, with toys that are thrown at each strength.

    Parameters
    ----------
    likelihood : Likelihood
    columns : Columns
        Columns of the likelihood.
    strength : Strength
    cl : float
        Confidence level, a probability.
    asymptotic : float
        The asymptotic t_c at this level.
    toys : Toys

    Returns
    -------
    ToyCrossings

    Raises
    ------
    InputError
        For too few toys, see `require_enough`, and for experiments with a model of fitted parameters.

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
        """The first u for toys: both ends, and where t of the data crosses `LEVELS` or turns, or counts turn."""
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
        """Strengths x of the ends, descending, their errors, and whether x = 0 is accepted."""
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
        certain = np.abs(t - t_c) > CERTAIN * error  # others would turn fluctuations into intervals
        certain[[0, zero, u.size - 1]] = True
        u, t_c, accepted = u[certain], t_c[certain], accepted[certain]
        low = np.flatnonzero(accepted[1:] != accepted[:-1])
        place, errors = self._refined(u, t_c, low, accepted)
        order = np.argsort(-place)
        return self.scale * np.sinh(place[order]), errors[order], at_zero

    def _refined(self, u: Array, t_c: Array, low: IntArray, accepted: BoolArray) -> tuple[Array, Array]:
        """u of the limit in the gap after each rung of index `low`, and the error of its x."""
        rises = accepted[low]  # whether t - t_c rises through 0
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
        with np.errstate(divide="ignore"):  # where t and t_c are parallel
            return place, error / np.abs(steep - slope / np.sqrt(self.scale**2 + x**2))

    @staticmethod
    def _slope(ends: Array, values: Array) -> Array:
        """The slope of t_c along u in each gap; 0 where no toys were thrown at an end."""
        known = (values > 0).all(axis=0)
        slope: Array = np.where(known, values[1] - values[0], 0.0) / (ends[1] - ends[0])
        return slope

    def _crossing(self, ends: Array, values: Array, rises: BoolArray) -> Array:
        """The u at which t of the data crosses t_c in each gap, where t_c is a straight line between the ends."""
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
    """The middles of the gaps in which t_c changes so much that two limits may lie there unseen."""
    left = np.abs(t - t_c)
    known = (t_c[1:] > 0) & (t_c[:-1] > 0)
    change = np.abs(np.diff(t_c)) + 2 * (error[1:] + error[:-1])
    same = (t <= t_c)[1:] == (t <= t_c)[:-1]
    doubtful = known & same & (np.minimum(left[1:], left[:-1]) < change) & (np.diff(u) > 2 * NEAREST)
    middles: Array = 0.5 * (u[1:] + u[:-1])[doubtful]
    return middles
