"""Roots in brackets: where functions cross zero, or have their extrema, by their values and two derivatives.

Each bracket has a function of its own, which is looked at in all brackets at once.  A step goes to where the parabola
crosses zero, or has its extremum, that shares the value and both derivatives with the function where it was looked at
last.  A step that leaves its bracket, or is longer than half the step before, is replaced by halving the bracket.  A
bracket that is done stands still while the others go on, so that no root depends on the brackets beside it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastscan.typing import Array, BoolArray, IntArray

SMALLEST = 1e-9  # smallest place that differs from 0
LAST_STEP = 1e-6  # towards a crossing, relative to its place: the error after it is about its cube
LAST_CHANGE = 1e-9  # of the value, on the last step towards an extremum: the error after it is about its power of 3/2
EVEN = 1e-12  # change of the value from one end of a bracket to the other that is rounding
NARROWEST = 1e-15  # width of a bracket, relative to its place

Derivatives = tuple[Array, Array, Array]  # a value, its slope and its curvature
Function = Callable[[IntArray, Array], Derivatives]  # of the numbers of brackets, and of a place in each


class Brackets(NamedTuple):
    """Brackets around one root each.

    Attributes
    ----------
    low, high : array, shape (brackets,)
        Their ends.
    start : array, shape (brackets,)
        Where to look first, between the ends.
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
        Where the function crosses zero, or has its extremum.
    value : array, shape (brackets,)
        What it is there, by the last parabola.
    curvature : array, shape (brackets,)
        That of the last parabola.
    """

    place: Array
    value: Array
    curvature: Array


def roots(function: Function, brackets: Brackets, *, extrema: bool) -> Roots:
    """The root of a function in each bracket.

    Parameters
    ----------
    function : callable
        Function from indices of brackets and a place in each to its values, slopes and curvatures.
    brackets : Brackets
    extrema : bool
        Whether to find an extremum in each bracket instead of a crossing.
    """
    low, high, place = (each.copy() for each in brackets[:3])
    step, found = high - low, np.empty((3, place.size))
    moving = np.arange(place.size)
    towards = _to_extremum if extrema else _to_crossing
    with np.errstate(all="ignore"):  # a step that is none is none of the numbers in its bracket
        while moving.size:
            at, rises = place[moving], brackets.rises[moving]
            value, slope, curvature = function(moving, at)
            beyond = ((slope if extrema else value) > 0) == rises
            a, b = np.where(beyond, low[moving], at), np.where(beyond, at, high[moving])
            following, done = towards(at, b - a, (value, slope, curvature), rises)
            safe = (a <= following) & (following <= b) & (np.abs(following - at) <= 0.5 * np.abs(step[moving]))
            last = np.fmax(a, np.fmin(following, b))  # beyond an end of its bracket a root is by rounding only
            following = np.where(safe, following, np.where(done, last, 0.5 * (a + b)))
            low[moving], high[moving], place[moving], step[moving] = a, b, following, following - at
            found[:, moving] = value, slope, curvature
            moving = moving[~done]
        value, slope, curvature = found
        change = step * (slope + 0.5 * step * curvature)
        return Roots(place, value + np.where(np.isfinite(change), change, 0.0), curvature)


def _to_crossing(at: Array, width: Array, found: Derivatives, rises: BoolArray) -> tuple[Array, BoolArray]:
    """Where parabolas cross zero in the direction that is asked, and whether those are the last steps."""
    value, slope, curvature = found
    root = np.sqrt(slope * slope - 2.0 * value * curvature)
    step = -2.0 * value / (slope + np.where(rises, root, -root))
    size = np.maximum(np.abs(at), SMALLEST)
    done: BoolArray = (np.abs(step) <= LAST_STEP * size) | (width <= NARROWEST * size)
    return at + step, done


def _to_extremum(at: Array, width: Array, found: Derivatives, rises: BoolArray) -> tuple[Array, BoolArray]:
    """Where parabolas have their extrema, and whether those are the last steps."""
    _, slope, curvature = found
    step = -slope / curvature
    near = (np.abs(slope * step) <= LAST_CHANGE) & ((curvature > 0) == rises)
    size = np.maximum(np.abs(at), SMALLEST)
    done: BoolArray = near | (np.abs(slope) * width <= EVEN) | (width <= NARROWEST * size)
    return at + step, done
