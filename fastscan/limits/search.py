"""The search for crossings along columns of any kind, such as those of counted events.

The chi2 of counted events is a minimisation at every point, so columns are computed at few.  They begin with the rungs
of a coarse ladder and with the strengths at which a column may turn.  Where the polynomial of degree 5 that shares chi2
and two derivatives with neighbouring points turns more than once between them, a point is added in the middle.  After
that every change of the slope's sign is one extremum, which is refined, and becomes a point.  Between points chi2 is
monotonic, so each crossing has a bracket, and is refined there.

Points of many columns are computed together, but no number depends on the columns beside it, to the last bit: all is
done element by element, and each bracket stands still once it is done.  Where chi2 is infinite, because something is
observed where nothing is predicted, it is above every level, and falls from there and rises to there.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastscan.likelihoods.columns import Columns
from fastscan.typing import Array, BoolArray, IntArray

LAST_STEP = 1e-8  # relative to x: the error after a Newton step is about the step's square, here below rounding
LADDER = np.geomspace(1e-9, 1e6, 31)  # x in units of a row's scale: 2 rungs for a factor of ten
TOGETHER = 2**17  # rungs of so many are computed at once, which bounds the memory
SHALLOWEST = 1e-6  # of a pair of extrema that is looked for between rungs, in chi2
MOST_HALVINGS = 20  # of the way from one rung to the next; the columns of the package need up to 5
SAMPLES = np.linspace(0.125, 0.875, 7)  # of the way from one point to the next


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
    """Points of columns, by column and then by x, with chi2 and its derivatives."""

    column: IntArray
    x: Array
    chi2: Array
    slope: Array
    curvature: Array

    def at(self, chosen: IntArray) -> "_Points":
        return _Points(self.column[chosen], *(each[chosen] for each in self[1:]))

    def rises_after(self) -> BoolArray:
        """Whether chi2 rises with x after each point; from infinity it falls."""
        rises: BoolArray = (self.slope > 0) | ((self.slope == 0) & (self.curvature > 0))
        return rises

    def rises_before(self) -> BoolArray:
        """Whether chi2 rises with x before each point; to infinity it does."""
        rises: BoolArray = (self.slope > 0) | ((self.slope == 0) & (self.curvature < 0)) | np.isinf(self.chi2)
        return rises

    def neighbours(self) -> tuple["_Points", "_Points"]:
        """Every point that has another above it in its column, and that other one."""
        lower = np.flatnonzero(self.column[1:] == self.column[:-1])
        return self.at(lower), self.at(lower + 1)


class _Brackets(NamedTuple):
    """Brackets around a root of a function each: their ends, where to start, and whether it rises through its root."""

    column: IntArray
    low: Array
    high: Array
    start: Array
    rises: BoolArray


def search(columns: Columns, delta: float, largest_x: float, signed: bool) -> Found:
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
    """
    turning = columns.turning()
    size = max(1, TOGETHER // (LADDER.size * (1 + signed) + turning.shape[1]))
    parts = np.split(np.arange(columns.row.size), range(size, columns.row.size, size))
    found = [_found(columns.some(part), turning[part], delta, largest_x, signed) for part in parts]
    return Found(*map(np.concatenate, zip(*found, strict=True)))


def _found(columns: Columns, turning: Array, delta: float, largest_x: float, signed: bool) -> Found:
    """As `search`, of columns that are computed at once."""
    rungs, points = _explored(columns, turning, largest_x, signed)
    first = np.searchsorted(points.column, np.arange(columns.row.size))
    level = np.minimum.reduceat(points.chi2, first) + delta
    column, x = _crossings(columns, points, level)
    near = np.abs(points.x) <= largest_x
    deepest = np.minimum.reduceat(np.where(near, points.chi2, np.inf), first)
    highest = np.maximum.reduceat(np.where(near, points.chi2, -np.inf), first)
    return Found(
        np.minimum.reduceat(points.chi2, first),
        rungs.chi2[rungs.x == 0],
        highest <= deepest + delta,
        np.bincount(column, minlength=columns.row.size),
        x[np.lexsort((-x, column))],
    )


def best_strengths(columns: Columns, largest_x: float, signed: bool) -> Array:
    """The strength x of each column at which chi2 is smallest, of several the nearest to 0; shape (columns,).

    Parameters
    ----------
    columns, largest_x, signed
        As in `search`.  Where chi2 falls towards ever larger x, the largest that is looked at is the best.
    """
    _, points = _explored(columns, columns.turning(), largest_x, signed)
    order = np.lexsort((np.abs(points.x), points.chi2, points.column))
    best: Array = points.x[order[np.searchsorted(points.column, np.arange(columns.row.size))]]
    return best


def _explored(columns: Columns, turning: Array, largest_x: float, signed: bool) -> tuple[_Points, _Points]:
    """The rungs of columns; and all points, so many that between neighbours chi2 is monotonic."""
    rungs = _looked_at(columns, *_rungs(columns, turning, largest_x, signed))
    return rungs, _with_extrema(columns, _with_middles(columns, rungs))


def _rungs(columns: Columns, turning: Array, largest_x: float, signed: bool) -> tuple[IntArray, Array]:
    """Column and x of every rung, by column and then by x, each once."""
    size = columns.row.size
    above = columns.scale[columns.row, None] * LADDER
    each = [np.zeros((size, 1)), above, np.full((size, 1), largest_x), turning if signed else np.maximum(turning, 0.0)]
    if signed:
        each += [-above, np.full((size, 1), -largest_x)]
    rungs = np.sort(np.concatenate(each, axis=1), axis=1)
    new = np.diff(rungs, axis=1, prepend=-np.inf) > 0
    return np.nonzero(new)[0], rungs[new]


def _looked_at(columns: Columns, column: IntArray, x: Array) -> _Points:
    return _Points(column, x, *columns.derivatives(column, x))


def _with(columns: Columns, points: _Points, column: IntArray, x: Array) -> _Points:
    """Points, and others in their places among them."""
    both = zip(points[1:], _looked_at(columns, column, x)[1:], strict=True)
    together = _Points(np.concatenate([points.column, column]), *map(np.concatenate, both))
    return together.at(np.lexsort((together.x, together.column)))


def _with_middles(columns: Columns, points: _Points) -> _Points:
    """Points, and so many between them that between neighbours chi2 turns at most once."""
    end = LADDER[-1] * columns.scale[columns.row]  # beyond it chi2 grows with a power of x, or stays
    for _ in range(MOST_HALVINGS):
        low, high = points.neighbours()
        on_ladder = np.maximum(np.abs(low.x), np.abs(high.x)) <= end[low.column]
        doubtful = on_ladder & _turns_often(low, high)
        if not doubtful.any():
            break
        points = _with(columns, points, low.column[doubtful], 0.5 * (low.x + high.x)[doubtful])
    return points


def _turns_often(low: _Points, high: _Points) -> BoolArray:
    """Whether chi2 seems to turn more than once between points, by the polynomial of degree 5 through both.

    With t from 0 to 1 the polynomial is chi2 + slope t + curvature t^2 / 2 + a t^3 + b t^4 + c t^5.  Its slope is
    sampled; where chi2 is infinite it is nan, and nothing is seen.
    """
    width = high.x - low.x
    with np.errstate(invalid="ignore"):
        slope, curvature = low.slope * width, low.curvature * width * width
        rise = high.chi2 - low.chi2 - slope - 0.5 * curvature  # all three: what power 3 and higher add at t = 1
        steeper = high.slope * width - slope - curvature
        rounder = high.curvature * width * width - curvature
        a = 10.0 * rise - 4.0 * steeper + 0.5 * rounder
        b = -15.0 * rise + 7.0 * steeper - rounder
        c = 6.0 * rise - 3.0 * steeper + 0.5 * rounder
        t = SAMPLES[:, None]
        between = slope + t * (curvature + t * (3.0 * a + t * (4.0 * b + t * (5.0 * c))))
        sampled = np.concatenate([slope[None], between, (high.slope * width)[None]])
        rises = np.concatenate([low.rises_after()[None], between > 0, high.rises_before()[None]])
        turns = np.count_nonzero(rises[1:] != rises[:-1], axis=0)
        often: BoolArray = (turns > 1) & (sampled.min(axis=0) < -SHALLOWEST) & (sampled.max(axis=0) > SHALLOWEST)
    return often


def _with_extrema(columns: Columns, points: _Points) -> _Points:
    """Points, and every extremum between them."""
    low, high = points.neighbours()
    somewhere_finite = np.minimum(low.chi2, high.chi2) < np.inf
    turns = np.flatnonzero((low.rises_after() != high.rises_before()) & somewhere_finite)
    low, high = low.at(turns), high.at(turns)
    at_infinity = np.where(np.isinf(low.chi2), -np.inf, np.inf)  # the slope there, on the side of the infinite end

    def slope(bracket: IntArray, x: Array) -> tuple[Array, Array]:
        chi2, slope, curvature = columns.derivatives(low.column[bracket], x)
        return np.where(np.isinf(chi2), at_infinity[bracket], slope), curvature

    start = _secant(low.x, high.x, low.slope, high.slope)
    brackets = _Brackets(low.column, low.x, high.x, start, high.rises_before())
    return _with(columns, points, low.column, _refined(slope, brackets, columns))


def _crossings(columns: Columns, points: _Points, level: Array) -> tuple[IntArray, Array]:
    """Column and x of every crossing of each column's level."""
    low, high = points.neighbours()
    crosses = np.flatnonzero((low.chi2 > level[low.column]) != (high.chi2 > level[low.column]))
    low, high = low.at(crosses), high.at(crosses)
    own = level[low.column]
    start = _secant(low.x, high.x, low.chi2 - own, high.chi2 - own)
    brackets = _Brackets(low.column, low.x, high.x, start, high.chi2 > own)

    def excess(bracket: IntArray, x: Array) -> tuple[Array, Array]:
        chi2, slope, _ = columns.derivatives(low.column[bracket], x)
        return chi2 - own[bracket], slope

    return low.column, _refined(excess, brackets, columns)


def _secant(low: Array, high: Array, at_low: Array, at_high: Array) -> Array:
    """Where the straight line from one end of a bracket to the other is zero, or the middle if that is an end or none.

    An end at which a slope is zero is another extremum, such as the maximum before a minimum: not to be begun at.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        zero = low + (high - low) * at_low / (at_low - at_high)
    return np.where((low < zero) & (zero < high), zero, 0.5 * (low + high))


def _refined(
    function: Callable[[IntArray, Array], tuple[Array, Array]], brackets: _Brackets, columns: Columns
) -> Array:
    """The root of a function in each bracket, as `fastscan.kernels.roots.refined` finds it.

    Newton's method in all brackets at once.  A step that leaves its bracket, or is longer than half the step before,
    is replaced by halving the bracket.

    Parameters
    ----------
    function : callable
        Function from indices of brackets and an x in each to its values and slopes.
    brackets : _Brackets
    columns : Columns
        Those of the brackets; a step that is small beside the first rung of a column is small enough.

    Returns
    -------
    array, shape (brackets,)
    """
    low, high, x = brackets.low.copy(), brackets.high.copy(), brackets.start.copy()
    smallest = LADDER[0] * columns.scale[columns.row[brackets.column]]
    step, moving = high - low, np.arange(x.size)
    while moving.size:
        at = x[moving]
        value, slope = function(moving, at)
        beyond = (value > 0) == brackets.rises[moving]
        a, b = np.where(beyond, low[moving], at), np.where(beyond, at, high[moving])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = at - value / slope
        safe = (a <= newton) & (newton <= b) & (np.abs(newton - at) <= 0.5 * np.abs(step[moving]))
        following = np.where(safe, newton, 0.5 * (a + b))
        low[moving], high[moving], step[moving], x[moving] = a, b, following - at, following
        moving = moving[np.abs(following - at) > LAST_STEP * np.maximum(np.abs(following), smallest[moving])]
    return x
