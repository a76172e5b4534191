"""The search for crossings along columns whose chi2 costs a fit: few evaluations, and numpy between them.

It gives what `fastscan.kernels.crossings.crossings` gives for Gaussian columns, in the same way: columns are computed
at rungs, every change of the slope's sign is refined to an extremum, and between neighbouring rungs and extrema, where
chi2 is monotonic, each crossing has a bracket of its own.  A root depends only on its own column, to the last bit,
whatever columns stand beside it.
"""

from typing import Protocol

import numpy as np

from fastscan.typing import Array, BoolArray, IntArray

LAST_STEP = 1e-8  # relative to x: the error after a Newton step is about the step's square, here below rounding


class Evaluated(Protocol):
    """What the search asks of columns."""

    def derivatives(self, column: IntArray, x: Array) -> tuple[Array, Array, Array]:
        """chi2 and its first and second derivative in x at points; nan derivatives where chi2 is infinite."""


def crossings(
    columns: Evaluated, rungs: Array, delta: float, largest: float
) -> tuple[Array, Array, BoolArray, IntArray, Array]:
    """Where chi2 along columns crosses its infimum + delta, and what else a limit needs to know of each column.

    Parameters
    ----------
    columns : PoissonColumns
    rungs : array, shape (columns, rungs)
        Strengths x at which each column is computed, ascending, 0 among them.
    delta : float
        chi2 above the infimum; infinity finds no crossing.
    largest : float
        A column is flat if chi2 changes by no more than delta up to this x, of either sign.

    Returns
    -------
    lowest, at_zero : array, shape (columns,)
        The infimum of chi2 over all x, and chi2 at x = 0.
    flat : array of bool, shape (columns,)
    count : array of int, shape (columns,)
        Number of crossings.
    crossing : array, shape (crossings,)
        x of the crossings, column after column, descending in each.
    """
    size = len(rungs)
    column, x, values = _explored(columns, rungs)
    first = np.searchsorted(column, np.arange(size))
    lowest = np.minimum.reduceat(values, first)
    near = np.abs(x) <= largest
    deepest = np.minimum.reduceat(np.where(near, values, np.inf), first)
    highest = np.maximum.reduceat(np.where(near, values, -np.inf), first)
    at_zero = np.maximum.reduceat(np.where(x == 0, values, -np.inf), first)
    level = lowest + delta
    above = values > level[column]
    place = np.flatnonzero((column[1:] == column[:-1]) & (above[1:] != above[:-1]))
    own = column[place]
    start = _secant(x[place], x[place + 1], values[place] - level[own], values[place + 1] - level[own])
    rises = np.where(above[place + 1], 1.0, -1.0)
    crossing = _refined(columns, own, x[place], x[place + 1], rises, start, level[own])
    descending = np.lexsort((-crossing, own))
    flat = highest <= deepest + delta
    return lowest, at_zero, flat, np.bincount(own, minlength=size), crossing[descending]


def lowest(columns: Evaluated, rungs: Array) -> Array:
    """The strength x of each column at which chi2 is smallest, of several the nearest to 0, shape (columns,).

    Parameters
    ----------
    columns, rungs
        As in `crossings`.
    """
    column, x, values = _explored(columns, rungs)
    order = np.lexsort((np.abs(x), values, column))
    found: Array = x[order[np.searchsorted(column, np.arange(len(rungs)))]]
    return found


def _explored(columns: Evaluated, rungs: Array) -> tuple[IntArray, Array, Array]:
    """Column, x and chi2 at all rungs and extrema, column after column, ascending in x."""
    size, width = rungs.shape
    chi2, slope, _ = columns.derivatives(np.repeat(np.arange(size), width), rungs.ravel())
    column, turning, extreme = _extrema(columns, rungs, chi2.reshape(size, width), slope.reshape(size, width))
    column = np.concatenate([np.repeat(np.arange(size), width), column])
    x, values = np.concatenate([rungs.ravel(), turning]), np.concatenate([chi2, extreme])
    order = np.lexsort((x, column))
    return column[order], x[order], values[order]


def _extrema(columns: Evaluated, rungs: Array, chi2: Array, slope: Array) -> tuple[IntArray, Array, Array]:
    """Column, x and chi2 of every extremum between rungs; arrays given are of shape (columns, rungs).

    Where chi2 is infinite, it falls towards larger x before what is finite, and rises after it.
    """
    infinite = np.isinf(chi2)
    left = (slope[:, :-1] > 0) & ~infinite[:, :-1]
    right = (slope[:, 1:] > 0) | infinite[:, 1:]
    column, rung = np.nonzero((left != right) & ~(infinite[:, :-1] & infinite[:, 1:]))
    low, high = rungs[column, rung], rungs[column, rung + 1]
    rises = np.where(right[column, rung], 1.0, -1.0)
    start = _secant(low, high, slope[column, rung], slope[column, rung + 1])
    beyond = np.where(infinite[column, rung + 1], np.inf, -np.inf)  # the slope where chi2 is infinite
    turning = _refined(columns, column, low, high, rises, start, beyond=beyond)
    return column, turning, columns.derivatives(column, turning)[0]


def _secant(low: Array, high: Array, below: Array, above: Array) -> Array:
    """Where straight lines between the ends of brackets are zero; in the middle where an end is not finite."""
    finite = np.isfinite(below) & np.isfinite(above)
    below, above = np.where(finite, below, -1.0), np.where(finite, above, 1.0)
    found: Array = np.clip(low + (high - low) * (below / (below - above)), low, high)
    return found


def _refined(
    columns: Evaluated,
    column: IntArray,
    low: Array,
    high: Array,
    rises: Array,
    start: Array,
    level: Array | None = None,
    beyond: Array | None = None,
) -> Array:
    """x in each bracket at which chi2 equals a level, or, without levels, at which its slope is zero.

    Newton's method in all brackets.  A step that leaves its bracket, or is longer than half the step before, is
    replaced by halving the bracket.  A root is done after a step shorter than LAST_STEP.

    Parameters
    ----------
    columns
    column : array of int, shape (brackets,)
    low, high : array, shape (brackets,)
        Ends of the brackets.
    rises : array, shape (brackets,)
        1 where the function rises through its root, else -1.
    start : array, shape (brackets,)
    level : array, shape (brackets,), optional
    beyond : array, shape (brackets,), optional
        The slope where chi2 is infinite; only without levels.

    Returns
    -------
    array, shape (brackets,)
    """
    low, high, x, step = low.copy(), high.copy(), start.copy(), high - low
    moving = np.flatnonzero(step > 0)
    while moving.size:
        chi2, slope, curvature = columns.derivatives(column[moving], x[moving])
        if level is not None:
            function, change = chi2 - level[moving], slope
        else:
            assert beyond is not None
            function, change = np.where(np.isinf(chi2), beyond[moving], slope), curvature
        passed = function * rises[moving] > 0
        at = x[moving]
        lower, upper = np.where(passed, low[moving], at), np.where(passed, at, high[moving])
        usable = np.isfinite(function) & np.isfinite(change) & (change != 0)
        newton = at - np.where(usable, function, 0.0) / np.where(usable, change, 1.0)
        safe = usable & (lower <= newton) & (newton <= upper) & (np.abs(newton - at) <= 0.5 * np.abs(step[moving]))
        following = np.where(safe, newton, 0.5 * (lower + upper))
        low[moving], high[moving], step[moving], x[moving] = lower, upper, following - at, following
        moving = moving[np.abs(step[moving]) > LAST_STEP * np.abs(following)]
    return x
