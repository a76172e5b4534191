"""The search for crossings along columns of any kind, such as those of counted events.

The chi2 of counted events is a minimisation at every point, so columns are computed at few.  They begin with the rungs
of a coarse ladder and with the strengths at which a column may turn.  Between neighbouring points chi2 is taken for the
polynomial of degree 5 that shares its value and two derivatives with both.  Where that may turn more than once, a point
is added in the middle.  After that every change of the slope's sign is one extremum.  Minima are refined, and become
points; so are maxima that may rise above the level from below it.  Now each crossing has a bracket, and is refined
there.

All this is done along u = arsinh(x / scale), with the scale of a row: it is x in units of the scale where x is smaller,
and a logarithm where x is larger.  Along u chi2 changes its shape over a distance of about 1, however small or large x
is, so that the polynomials say nearly where to look.

Points of many columns are computed together, but no number depends on the columns beside it, to the last bit: all is
done element by element, and each bracket stands still once it is done.  Where chi2 is infinite, because something is
observed where nothing is predicted, it is above every level, and falls from there and rises to there.
"""

from typing import NamedTuple

import numpy as np

from fastscan.likelihoods.columns import Columns
from fastscan.limits.brackets import EVEN, Brackets, Derivatives, Roots, roots
from fastscan.typing import Array, BoolArray, IntArray

LADDER = np.geomspace(1e-9, 1e6, 16)  # x in units of a row's scale: a rung for every factor of ten
FEW_RUNGS = np.array([0.01, 0.1, 1.0, 10.0, LADDER[-1]])  # are enough for an infimum of toys, of which there are many
TOGETHER = 2**17  # rungs of so many are computed at once, which bounds the memory
SHALLOWEST = 1e-6  # of a pair of extrema that is looked for between rungs, in chi2
MOST_HALVINGS = 20  # of the way from one rung to the next; the columns of the package need up to 5
END = np.arcsinh(LADDER[-1])  # beyond it chi2 grows with a power of x, or stays


class Found(NamedTuple):
    """What a search finds in columns.

    Attributes
    ----------
    lowest, at_zero : array, shape (columns,)
        The infimum of chi2, and chi2 at x = 0.
    flat : array of bool, shape (columns,)
        Whether chi2 changes by no more than delta up to the largest x.
    number : array of int, shape (columns,)
        How many crossings there are.
    x : array, shape (crossings,)
        The crossings, column after column, descending in each.
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
        """Whether chi2 rises after each point; from infinity it falls."""
        rises: BoolArray = (self.slope > 0) | ((self.slope == 0) & (self.curvature > 0))
        return rises

    def rises_before(self) -> BoolArray:
        """Whether chi2 rises before each point; to infinity it does."""
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
        """The first point of each column; every column has one at 0."""
        return np.flatnonzero(np.diff(self.column, prepend=-1))

    def within(self, farthest: Array) -> "_Points":
        """The points of each column on either side of 0 up to some u of its own."""
        return self.at(np.flatnonzero(np.abs(self.u) <= farthest[self.column]))

    def gaps(self) -> "_Gaps":
        """The gaps between neighbours, from the last point of a column to the first of the next too."""
        return _Gaps(self.at(slice(None, -1)), self.at(slice(1, None)))

    def among(self, others: "_Points", after: IntArray) -> "_Points":
        """Points, and others which each come after one of them, those after the same one in their own order."""
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
        """Whether both points are of one column, and of its ladder."""
        on_ladder: BoolArray = self.in_column() & (self.low.u >= -END) & (self.high.u <= END)
        return on_ladder

    def is_infinite(self) -> BoolArray:
        """Whether chi2 is infinite at an end; how it turns on the way there no polynomial says."""
        is_infinite: BoolArray = np.isinf(self.low.chi2) | np.isinf(self.high.chi2)
        return is_infinite

    def polynomial(self) -> Array:
        """The polynomial of degree 5 that shares chi2 and two derivatives with both points, from t = 0 to t = 1.

        Returns
        -------
        array, shape (6, gaps)
            Its coefficients, that of the lowest power first; nan where chi2 is infinite.
        """
        low, high, width = self.low, self.high, self.width()
        with np.errstate(invalid="ignore"):
            slope, curvature = low.slope * width, low.curvature * width * width
            rise = high.chi2 - low.chi2 - slope - 0.5 * curvature  # all three: what power 3 and higher add at t = 1
            steeper = high.slope * width - slope - curvature
            rounder = high.curvature * width * width - curvature
            third = 10.0 * rise - 4.0 * steeper + 0.5 * rounder
            fourth = -15.0 * rise + 7.0 * steeper - rounder
            fifth = 6.0 * rise - 3.0 * steeper + 0.5 * rounder
        return np.stack([low.chi2, slope, 0.5 * curvature, third, fourth, fifth])

    def may_turn_often(self) -> BoolArray:
        """Whether chi2 may turn more than once, as the polynomial does.

        The slope of the polynomial is a mean of five numbers, weighted from the first to the last on the way from one
        point to the other, and has no more roots than they have changes of sign: they are its coefficients in Bernstein
        polynomials.  Where chi2 is infinite they are nan, and nothing is seen.
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
    """Where Delta chi2 crosses a threshold, and what else a limit needs to know.

    Parameters
    ----------
    columns : Columns
    delta : float
        chi2 above the infimum; infinity finds no crossing.
    largest_x : float
        A column is flat if chi2 changes by no more than delta up to this x, of either sign where x can be below 0.
    signed : bool
        Whether x can be below 0.
    ladder : array, shape (rungs,)
        Where each column is looked at first, in units of its row's scale.
    """
    turning = columns.turning()
    size = max(1, TOGETHER // (ladder.size * (1 + signed) + turning.shape[1]))
    parts = np.split(np.arange(columns.row.size), range(size, columns.row.size, size))
    found = [_found(columns.some(part), turning[part], delta, largest_x, signed, ladder) for part in parts]
    return Found(*map(np.concatenate, zip(*found, strict=True)))


def _found(columns: Columns, turning: Array, delta: float, largest_x: float, signed: bool, ladder: Array) -> Found:
    """As `search`, of columns that are computed at once."""
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
    """The strength x of each column at which chi2 is smallest, of several the nearest to 0; shape (columns,).

    Parameters
    ----------
    columns, largest_x, signed
        As in `search`.  Where chi2 falls towards ever larger x, the largest that is looked at is the best.
    """
    scale = columns.scale[columns.row]
    explored = _explored(columns, columns.turning(), np.arcsinh(largest_x / scale), signed)
    points = _with_minima(columns, explored)
    order = np.lexsort((np.abs(points.u), points.chi2, points.column))
    best: Array = scale * np.sinh(points.u[order[points.first()]])
    return best


def minima(column: Columns, largest_x: float, signed: bool) -> Array:
    """The strengths x of every local minimum of chi2 of one column, the ends of the strengths among them.

    Parameters
    ----------
    column : Columns
        One column.
    largest_x, signed
        As in `search`.
    """
    explored = _explored(column, column.turning(), np.arcsinh(largest_x / column.scale[column.row]), signed)
    points = _with_minima(column, explored)
    before = np.append(np.inf, points.chi2[:-1])
    after = np.append(points.chi2[1:], np.inf)
    lowest: Array = points.u[(points.chi2 <= before) & (points.chi2 <= after)]
    return column.scale[column.row] * np.sinh(lowest)


def _explored(columns: Columns, turning: Array, farthest: Array, signed: bool, ladder: Array = LADDER) -> _Points:
    """Points of columns, so many that between neighbours chi2 turns at most once."""
    return _with_middles(columns, _looked_at(columns, *_rungs(columns, turning, farthest, signed, ladder)))


def _rungs(columns: Columns, turning: Array, farthest: Array, signed: bool, ladder: Array) -> tuple[IntArray, Array]:
    """Column and u of every rung, by column and then by u, each once."""
    above = np.tile(np.arcsinh(ladder), (farthest.size, 1))
    turns = np.arcsinh((turning if signed else np.maximum(turning, 0.0)) / columns.scale[columns.row][:, None])
    each = [np.zeros((farthest.size, 1)), above, farthest[:, None], turns]
    if signed:
        each += [-above, -farthest[:, None]]
    rungs = np.sort(np.concatenate(each, axis=1), axis=1)
    new = np.diff(rungs, axis=1, prepend=-np.inf) > 0
    return np.nonzero(new)[0], rungs[new]


def _looked_at(columns: Columns, column: IntArray, u: Array) -> _Points:
    """Points of columns, with derivatives in u = arsinh(x / scale): dx/du = sqrt(scale^2 + x^2), and d2x/du2 = x.

    Where chi2 is an extremum but for rounding, its slope is 0: a rung often is the extremum itself.
    """
    scale = columns.scale[columns.row[column]]
    x = scale * np.sinh(u)
    square = scale * scale + x * x
    chi2, slope, curvature = columns.derivatives(column, x)
    slope, curvature = slope * np.sqrt(square), curvature * square + slope * x
    still = np.abs(slope) <= np.sqrt(EVEN * np.abs(curvature))
    return _Points(column, u, chi2, np.where(still, 0.0, slope), curvature)


def _with_middles(columns: Columns, points: _Points) -> _Points:
    """Points, and so many between them that between neighbours chi2 turns at most once."""
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
    """Points, and every minimum between them."""
    gaps = points.gaps()
    turns = ~gaps.low.rises_after() & gaps.high.rises_before()
    finite = np.minimum(gaps.low.chi2, gaps.high.chi2) < np.inf
    return _with_extrema(columns, points, np.flatnonzero(turns & finite & gaps.in_column()))


def _with_maxima(columns: Columns, points: _Points, level: Array) -> _Points:
    """Points, and every maximum between two that are not above their column's level."""
    gaps = points.gaps()
    turns = gaps.low.rises_after() & ~gaps.high.rises_before()
    own = level[gaps.low.column]
    below = (np.maximum(gaps.low.chi2, gaps.high.chi2) <= own) & (own < np.inf)
    return _with_extrema(columns, points, np.flatnonzero(turns & below & gaps.in_column()))


def _with_extrema(columns: Columns, points: _Points, after: IntArray) -> _Points:
    """Points, and the extremum after each of some of them, but for those that rounding makes."""
    gaps = points.gaps().at(after)
    change = np.maximum(np.abs(gaps.low.slope), np.abs(gaps.high.slope)) * gaps.width()
    uneven = np.flatnonzero(~(change <= EVEN))  # it is nan where chi2 is infinite
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
    """Where chi2 crosses a level in each gap, or has an extremum there; the search begins where the polynomial does."""
    slope_at_infinity = np.where(np.isinf(gaps.low.chi2), -np.inf, np.inf)

    def above_level(gap: IntArray, u: Array) -> Derivatives:
        found = _looked_at(columns, gaps.low.column[gap], u)
        slope = np.where(np.isinf(found.chi2), slope_at_infinity[gap], found.slope)
        return found.chi2 - level[gap], slope, found.curvature

    start = _start(gaps, level, rises, extrema=extrema)
    return roots(above_level, Brackets(gaps.low.u, gaps.high.u, start, rises), extrema=extrema)


def _start(gaps: _Gaps, level: Array, rises: BoolArray, *, extrema: bool) -> Array:
    """Where the polynomial of a gap crosses a level or has an extremum; the middle of the gap where there is none."""
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
