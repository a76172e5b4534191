"""Roots in brackets: zeros or extrema of functions, found from their values and two derivatives.

Each bracket has a function of its own, and one call evaluates the functions of all brackets.  A step approximates the
function by the parabola with its value and both derivatives at the last point, and goes to the zero or the extremum of
the parabola.  A step that leaves its bracket, or is longer than half the step before, is replaced by halving the
bracket.  A bracket that is done doesn't change while the others go on, so that no root depends on other brackets.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastscan.typing import Array, BoolArray, IntArray

SMALLEST = 1e-9  # places below it count as 0 in relative tolerances
LAST_STEP = 1e-6  # largest last step towards a crossing, relative to the place; the error left is about its cube
LAST_CHANGE = 1e-9  # largest change of the value in the last step towards an extremum; the error is its power of 3/2
EVEN = 1e-12  # a smaller change of the value across a bracket is rounding
NARROWEST = 1e-15  # width at which a bracket is done, relative to the place

Derivatives = tuple[Array, Array, Array]  # values, slopes and curvatures
Function = Callable[[IntArray, Array], Derivatives]  # from indices of brackets and a place in each


class Brackets(NamedTuple):
    """Brackets around one root each.

    Attributes
    ----------
    low, high : array, shape (brackets,)
        Their ends.
    start : array, shape (brackets,)
        The place of the first evaluation, between the ends.
    rises : array of bool, shape (brackets,)
        Whether the function, or its slope where an extremum is looked for, rises through zero.
    """

    low: Array
    high: Array
    start: Array
    rises: BoolArray


class Roots(NamedTuple):
    """Roots in brackets.

    Attributes
    ----------
    place : array, shape (brackets,)
        The place where the function crosses zero, or has its extremum.
    value : array, shape (brackets,)
        The value of the last parabola at that place.
    curvature : array, shape (brackets,)
        The curvature of the last parabola.
    """

    place: Array
    value: Array
    curvature: Array


def roots(function: Function, brackets: Brackets, *, extrema: bool) -> Roots:
    """The zero or the extremum of a function in each bracket.

    Parameters
    ----------
    function : callable
        Function from indices of brackets and a place in each to its values, slopes and curvatures.
    brackets : Brackets
    extrema : bool
        Whether to find an extremum in each bracket instead of a zero.

    Returns
    -------
    Roots
    """
    low, high, place = (each.copy() for each in brackets[:3])
    step, found = high - low, np.empty((3, place.size))
    moving = np.arange(place.size)
    towards = _to_extremum if extrema else _to_crossing
    with np.errstate(all="ignore"):  # an invalid step is nan, which lies in no bracket and is replaced by halving
        while moving.size:
            at, rises = place[moving], brackets.rises[moving]
            value, slope, curvature = function(moving, at)
            beyond = ((slope if extrema else value) > 0) == rises
            a, b = np.where(beyond, low[moving], at), np.where(beyond, at, high[moving])
            following, done = towards(at, b - a, (value, slope, curvature), rises)
            safe = (a <= following) & (following <= b) & (np.abs(following - at) <= 0.5 * np.abs(step[moving]))
            last = np.fmax(a, np.fmin(following, b))  # only rounding puts a root beyond an end of its bracket
            following = np.where(safe, following, np.where(done, last, 0.5 * (a + b)))
            low[moving], high[moving], place[moving], step[moving] = a, b, following, following - at
            found[:, moving] = value, slope, curvature
            moving = moving[~done]
        value, slope, curvature = found
        change = step * (slope + 0.5 * step * curvature)
        return Roots(place, value + np.where(np.isfinite(change), change, 0.0), curvature)


def _to_crossing(at: Array, width: Array, found: Derivatives, rises: BoolArray) -> tuple[Array, BoolArray]:
    """The zeros of the parabolas, rising or falling as asked, and whether these are the last steps."""
    value, slope, curvature = found
    root = np.sqrt(slope * slope - 2.0 * value * curvature)
    step = -2.0 * value / (slope + np.where(rises, root, -root))
    size = np.maximum(np.abs(at), SMALLEST)
    done: BoolArray = (np.abs(step) <= LAST_STEP * size) | (width <= NARROWEST * size)
    return at + step, done


def _to_extremum(at: Array, width: Array, found: Derivatives, rises: BoolArray) -> tuple[Array, BoolArray]:
    """The extrema of the parabolas, and whether these are the last steps."""
    _, slope, curvature = found
    step = -slope / curvature
    near = (np.abs(slope * step) <= LAST_CHANGE) & ((curvature > 0) == rises)
    size = np.maximum(np.abs(at), SMALLEST)
    done: BoolArray = near | (np.abs(slope) * width <= EVEN) | (width <= NARROWEST * size)
    return at + step, done
