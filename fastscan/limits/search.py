"""The search for crossings along columns of any kind, such as columns of counted events.

Each chi2 of counted events is a minimisation, so the search computes few points.  It begins with the rungs of a coarse
ladder and with the strengths at which a column may turn.  Between two neighbouring points chi2 is approximated by the
polynomial of degree 5 that has its value and two derivatives at both.  Where the polynomial may turn more than once, a
point is added in the middle.  After that every change of the slope's sign is one extremum.  Minima are refined and
become points, and so do maxima that may rise above the level.  Then each crossing has a bracket, in which it is
refined.

The search runs along u = arsinh(x / scale), with the scale of the row.  For x below the scale u is x / scale, and above
the scale u is a logarithm of x.  Along u chi2 changes its shape over a distance of about 1, however small or large x
is, so that the polynomials are good approximations.

Points of many columns are computed together, but no result depends on neighbouring columns, to the last bit: all
arithmetic is element by element, and a bracket doesn't change once it is done.  chi2 is infinite where events are
observed and none are predicted.  There it is above every level; it falls from infinity and rises to it.
"""

from typing import NamedTuple

import numpy as np

from fastscan.likelihoods.columns import Columns
from fastscan.limits.brackets import EVEN, Brackets, Derivatives, Roots, roots
from fastscan.typing import Array, BoolArray, IntArray

LADDER = np.geomspace(1e-9, 1e6, 16)  # x in units of a row's scale: one rung for each factor of ten
FEW_RUNGS = np.array([0.01, 0.1, 1.0, 10.0, LADDER[-1]])  # enough for the infimum of a toy, and fast for many toys
TOGETHER = 2**17  # largest number of rungs that are computed at once, to bound the memory
SHALLOWEST = 1e-6  # about the smallest difference in chi2 of a pair of extrema that is looked for between rungs
MOST_HALVINGS = 20  # of a gap between rungs; the package's columns need up to 5
END = np.arcsinh(LADDER[-1])  # beyond this u chi2 grows like a power of x, or is constant


class Found(NamedTuple):
    """The results of a search in some columns.

    Attributes
    ----------
    lowest, at_zero : array, shape (columns,)
        The infimum of chi2, and chi2 at x = 0.
    flat : array of bool, shape (columns,)
        Whether chi2 changes by no more than delta up to the largest x.
    number : array of int, shape (columns,)
        Number of crossings.
    x : array, shape (crossings,)
        Strengths of the crossings, column after column, descending within a column.
    """

    lowest: Array
    at_zero: Array
    flat: BoolArray
    number: IntArray
    x: Array


class _Points(NamedTuple):
    """Points of columns, by column and then by u, with chi2 and its derivatives in u."""

    column: IntArray
    u: Array
    chi2: Array
    slope: Array
    curvature: Array

    def at(self, chosen: IntArray | slice) -> "_Points":
        return _Points(self.column[chosen], *(each[chosen] for each in self[1:]))

    def rises_after(self) -> BoolArray:
        """Whether chi2 rises after each point; from an infinite value it falls."""
        rises: BoolArray = (self.slope > 0) | ((self.slope == 0) & (self.curvature > 0))
        return rises

    def rises_before(self) -> BoolArray:
        """Whether chi2 rises before each point; it rises to an infinite value."""
        rises: BoolArray = (self.slope > 0) | ((self.slope == 0) & (self.curvature < 0)) | np.isinf(self.chi2)
        return rises

    def lowest(self) -> Array:
        """The smallest chi2 of each column."""
        lowest: Array = np.minimum.reduceat(self.chi2, self.first())
        return lowest

    def highest(self) -> Array:
        """The largest chi2 of each column."""
        highest: Array = np.maximum.reduceat(self.chi2, self.first())
        return highest

    def first(self) -> IntArray:
        """Index of the first point of each column; every column has at least the point u = 0."""
        return np.flatnonzero(np.diff(self.column, prepend=-1))

    def within(self, farthest: Array) -> "_Points":
        """The points with |u| up to `farthest`, shape (columns,), of their column."""
        return self.at(np.flatnonzero(np.abs(self.u) <= farthest[self.column]))

    def gaps(self) -> "_Gaps":
        """The gaps between neighbours, including those from the last point of a column to the first of the next."""
        return _Gaps(self.at(slice(None, -1)), self.at(slice(1, None)))

    def among(self, others: "_Points", after: IntArray) -> "_Points":
        """These points with others inserted, each after the point of index `after`; equal indices keep their order."""
        order = np.insert(np.arange(self.u.size), after + 1, self.u.size + np.arange(after.size))
        return _joined(self, others).at(order)


def _joined(*parts: _Points) -> _Points:
    return _Points(*map(np.concatenate, zip(*parts, strict=True)))


class _Gaps(NamedTuple):
    """Gaps between points."""

    low: _Points
    high: _Points

    def at(self, chosen: IntArray) -> "_Gaps":
        return _Gaps(self.low.at(chosen), self.high.at(chosen))

    def width(self) -> Array:
        return self.high.u - self.low.u

    def middle(self) -> Array:
        middle: Array = 0.5 * (self.low.u + self.high.u)
        return middle

    def halves(self, middles: _Points) -> "_Gaps":
        """The lower half of each gap, then the upper half of each."""
        return _Gaps(_joined(self.low, middles), _joined(middles, self.high))

    def in_column(self) -> BoolArray:
        in_column: BoolArray = self.low.column == self.high.column
        return in_column

    def on_ladder(self) -> BoolArray:
        """Whether both points belong to one column, and lie within its ladder."""
        on_ladder: BoolArray = self.in_column() & (self.low.u >= -END) & (self.high.u <= END)
        return on_ladder

    def is_infinite(self) -> BoolArray:
        """Whether chi2 is infinite at an end, so that no polynomial can show its turns."""
        is_infinite: BoolArray = np.isinf(self.low.chi2) | np.isinf(self.high.chi2)
        return is_infinite

    def polynomial(self) -> Array:
        """The polynomial of degree 5 that shares chi2 and two derivatives with both points, from t = 0 to t = 1.

        Returns
        -------
        array, shape (6, gaps)
            Coefficients, lowest power first; nan where chi2 is infinite.
        """
        low, high, width = self.low, self.high, self.width()
        with np.errstate(invalid="ignore"):
            slope, curvature = low.slope * width, low.curvature * width * width
            # contributions of the powers 3 to 5 at t = 1: to the value, the slope and the curvature
            rise = high.chi2 - low.chi2 - slope - 0.5 * curvature
            steeper = high.slope * width - slope - curvature
            rounder = high.curvature * width * width - curvature
            third = 10.0 * rise - 4.0 * steeper + 0.5 * rounder
            fourth = -15.0 * rise + 7.0 * steeper - rounder
            fifth = 6.0 * rise - 3.0 * steeper + 0.5 * rounder
        return np.stack([low.chi2, slope, 0.5 * curvature, third, fourth, fifth])

    def may_turn_often(self) -> BoolArray:
        """Whether the polynomial may turn more than once in each gap.

        The slope of the polynomial has five coefficients in the Bernstein basis, and no more roots in the gap than
        their sequence has changes of sign.  The result is False where chi2 is infinite, because they are nan.
        """
        low, high, width = self.low, self.high, self.width()
        with np.errstate(invalid="ignore"):
            first, last = 0.2 * width * low.slope, 0.2 * width * high.slope
            second = first + 0.05 * width * width * low.curvature
            fourth = last - 0.05 * width * width * high.curvature
            third = high.chi2 - low.chi2 - (first + second + fourth + last)
            slopes = np.stack([first, second, third, fourth, last])
            turns = np.count_nonzero((slopes[1:] > 0) != (slopes[:-1] > 0), axis=0)
            often: BoolArray = (turns > 1) & (slopes.min(axis=0) < -SHALLOWEST) & (slopes.max(axis=0) > SHALLOWEST)
        return often


def search(columns: Columns, delta: float, largest_x: float, signed: bool, ladder: Array = LADDER) -> Found:
    """The crossings of a threshold of Delta chi2 in each column, with the infimum of chi2 and chi2 at x = 0.

    Parameters
    ----------
    columns : Columns
    delta : float
        The threshold; with infinity there is no crossing.
    largest_x : float
        A column is flat if chi2 changes by no more than delta for |x| up to largest_x.
    signed : bool
        Whether x can be below 0.
    ladder : array, shape (rungs,)
        The strengths that are computed first, in units of the row's scale.

    Returns
    -------
    Found
    """
    turning = columns.turning()
    size = max(1, TOGETHER // (ladder.size * (1 + signed) + turning.shape[1]))
    parts = np.split(np.arange(columns.row.size), range(size, columns.row.size, size))
    found = [_found(columns.some(part), turning[part], delta, largest_x, signed, ladder) for part in parts]
    return Found(*map(np.concatenate, zip(*found, strict=True)))


def _found(columns: Columns, turning: Array, delta: float, largest_x: float, signed: bool, ladder: Array) -> Found:
    """The result of `search` for columns that are computed at once."""
    scale = columns.scale[columns.row]
    farthest = np.arcsinh(largest_x / scale)
    explored = _explored(columns, turning, farthest, signed, ladder)
    points = _with_minima(columns, explored)
    lowest, deepest = points.lowest(), points.within(farthest).lowest()
    points = _with_maxima(columns, points, deepest + delta)
    column, u = _crossings(columns, points, lowest + delta)
    return Found(
        lowest,
        explored.chi2[explored.u == 0],
        (points.within(farthest).highest() <= deepest + delta) & (deepest < np.inf),
        np.bincount(column, minlength=scale.size),
        scale[column] * np.sinh(u[np.lexsort((-u, column))]),
    )


def best_strengths(columns: Columns, largest_x: float, signed: bool) -> Array:
    """The strength x of each column at which chi2 is smallest; of several such strengths the nearest to 0.

    Parameters
    ----------
    columns, largest_x, signed
        As in `search`.

    Returns
    -------
    array, shape (columns,)
        Strengths, dimensionless.  Where chi2 falls towards ever larger x, the result is the largest x computed.
    """
    scale = columns.scale[columns.row]
    explored = _explored(columns, columns.turning(), np.arcsinh(largest_x / scale), signed)
    points = _with_minima(columns, explored)
    order = np.lexsort((np.abs(points.u), points.chi2, points.column))
    best: Array = scale * np.sinh(points.u[order[points.first()]])
    return best


def minima(column: Columns, largest_x: float, signed: bool) -> Array:
    """The strengths x of all local minima of chi2 of one column, including those at the ends of the range of x.

    Parameters
    ----------
    column : Columns
        One column.
    largest_x, signed
        As in `search`.

    Returns
    -------
    array, shape (minima,)
        Strengths, dimensionless, ascending.
    """
    explored = _explored(column, column.turning(), np.arcsinh(largest_x / column.scale[column.row]), signed)
    points = _with_minima(column, explored)
    before = np.append(np.inf, points.chi2[:-1])
    after = np.append(points.chi2[1:], np.inf)
    lowest: Array = points.u[(points.chi2 <= before) & (points.chi2 <= after)]
    return column.scale[column.row] * np.sinh(lowest)


def _explored(columns: Columns, turning: Array, farthest: Array, signed: bool, ladder: Array = LADDER) -> _Points:
    """The rungs of columns, with points between them until chi2 turns at most once between neighbours."""
    return _with_middles(columns, _looked_at(columns, *_rungs(columns, turning, farthest, signed, ladder)))


def _rungs(columns: Columns, turning: Array, farthest: Array, signed: bool, ladder: Array) -> tuple[IntArray, Array]:
    """Column and u of every distinct rung, sorted by column and then by u."""
    above = np.tile(np.arcsinh(ladder), (farthest.size, 1))
    turns = np.arcsinh((turning if signed else np.maximum(turning, 0.0)) / columns.scale[columns.row][:, None])
    each = [np.zeros((farthest.size, 1)), above, farthest[:, None], turns]
    if signed:
        each += [-above, -farthest[:, None]]
    rungs = np.sort(np.concatenate(each, axis=1), axis=1)
    new = np.diff(rungs, axis=1, prepend=-np.inf) > 0
    return np.nonzero(new)[0], rungs[new]


def _looked_at(columns: Columns, column: IntArray, u: Array) -> _Points:
    """chi2 at points of columns, with derivatives in u = arsinh(x / scale): dx/du = sqrt(scale^2 + x^2), d2x/du2 = x.

    A slope within rounding of 0 is set to 0, because a rung often is an extremum itself.
    """
    scale = columns.scale[columns.row[column]]
    x = scale * np.sinh(u)
    square = scale * scale + x * x
    chi2, slope, curvature = columns.derivatives(column, x)
    slope, curvature = slope * np.sqrt(square), curvature * square + slope * x
    still = np.abs(slope) <= np.sqrt(EVEN * np.abs(curvature))
    return _Points(column, u, chi2, np.where(still, 0.0, slope), curvature)


def _with_middles(columns: Columns, points: _Points) -> _Points:
    """The points, with others between them until chi2 turns at most once between neighbours."""
    gaps = points.gaps()
    after = np.flatnonzero((gaps.may_turn_often() | gaps.is_infinite()) & gaps.on_ladder())
    gaps = gaps.at(after)
    middles, places = [points.at(slice(0))], [after[:0]]
    for _ in range(MOST_HALVINGS):
        if not after.size:
            break
        middles.append(_looked_at(columns, gaps.low.column, gaps.middle()))
        places.append(after)
        gaps = gaps.halves(middles[-1])
        doubtful = np.flatnonzero(gaps.may_turn_often())
        gaps, after = gaps.at(doubtful), np.tile(after, 2)[doubtful]
    others, after = _joined(*middles), np.concatenate(places)
    order = np.lexsort((others.u, after))
    return points.among(others.at(order), after[order])


def _with_minima(columns: Columns, points: _Points) -> _Points:
    """The points, with every minimum between them."""
    gaps = points.gaps()
    turns = ~gaps.low.rises_after() & gaps.high.rises_before()
    finite = np.minimum(gaps.low.chi2, gaps.high.chi2) < np.inf
    return _with_extrema(columns, points, np.flatnonzero(turns & finite & gaps.in_column()))


def _with_maxima(columns: Columns, points: _Points, level: Array) -> _Points:
    """The points, with every maximum between two neighbours that are not above their column's level."""
    gaps = points.gaps()
    turns = gaps.low.rises_after() & ~gaps.high.rises_before()
    own = level[gaps.low.column]
    below = (np.maximum(gaps.low.chi2, gaps.high.chi2) <= own) & (own < np.inf)
    return _with_extrema(columns, points, np.flatnonzero(turns & below & gaps.in_column()))


def _with_extrema(columns: Columns, points: _Points, after: IntArray) -> _Points:
    """The points, with the extremum after each point of index `after`; extrema within rounding are left out."""
    gaps = points.gaps().at(after)
    change = np.maximum(np.abs(gaps.low.slope), np.abs(gaps.high.slope)) * gaps.width()
    uneven = np.flatnonzero(~(change <= EVEN))  # the change is nan where chi2 is infinite
    gaps, none = gaps.at(uneven), np.zeros(uneven.size)
    found = _roots(columns, gaps, none, gaps.high.rises_before(), extrema=True)
    return points.among(_Points(gaps.low.column, found.place, found.value, none, found.curvature), after[uneven])


def _crossings(columns: Columns, points: _Points, level: Array) -> tuple[IntArray, Array]:
    """Column and u of every crossing of each column's level."""
    above = points.chi2 > level[points.column]
    gaps = points.gaps()
    crosses = np.flatnonzero((above[1:] != above[:-1]) & gaps.in_column())
    gaps, column = gaps.at(crosses), points.column[crosses]
    return column, _roots(columns, gaps, level[column], above[crosses + 1], extrema=False).place


def _roots(columns: Columns, gaps: _Gaps, level: Array, rises: BoolArray, *, extrema: bool) -> Roots:
    """The place in each gap where chi2 crosses a level, or has its extremum; the polynomial's place is the start."""
    slope_at_infinity = np.where(np.isinf(gaps.low.chi2), -np.inf, np.inf)

    def above_level(gap: IntArray, u: Array) -> Derivatives:
        found = _looked_at(columns, gaps.low.column[gap], u)
        slope = np.where(np.isinf(found.chi2), slope_at_infinity[gap], found.slope)
        return found.chi2 - level[gap], slope, found.curvature

    start = _start(gaps, level, rises, extrema=extrema)
    return roots(above_level, Brackets(gaps.low.u, gaps.high.u, start, rises), extrema=extrema)


def _start(gaps: _Gaps, level: Array, rises: BoolArray, *, extrema: bool) -> Array:
    """The place where the polynomial of a gap crosses a level or has an extremum; the gap's middle without any."""
    powers = gaps.polynomial()
    powers[0] -= level
    there = np.flatnonzero(np.isfinite(powers).all(axis=0))
    c = powers[:, there]

    def polynomial(gap: IntArray, t: Array) -> Derivatives:
        c0, c1, c2, c3, c4, c5 = c[:, gap]
        value = c0 + t * (c1 + t * (c2 + t * (c3 + t * (c4 + t * c5))))
        slope = c1 + t * (2.0 * c2 + t * (3.0 * c3 + t * (4.0 * c4 + t * (5.0 * c5))))
        return value, slope, 2.0 * c2 + t * (6.0 * c3 + t * (12.0 * c4 + t * (20.0 * c5)))

    low, one = np.zeros(there.size), np.ones(there.size)
    t = np.full(level.size, 0.5)
    t[there] = roots(polynomial, Brackets(low, one, 0.5 * one, rises[there]), extrema=extrema).place
    start = gaps.low.u + t * gaps.width()
    inside = (gaps.low.u < start) & (start < gaps.high.u)
    return np.where(inside, start, gaps.middle())
