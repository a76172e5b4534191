"""Evenly spaced points of an axis: the floats nearest to the intended decimal numbers."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from fastscan.typing import Array

LARGEST_WHOLE = 2**53  # every whole number up to it is a float
DIGITS = 15  # significant decimal digits that every float preserves
POWERS = np.array([float(f"1e{exponent}") for exponent in range(23)])  # the powers of ten that are floats exactly


def linear(start: float, stop: float, num: int) -> Array:
    """Points at equal distances from start to stop.

    Each point is the float nearest to the exact start + i (stop - start) / (num - 1), with the ends as written.  Where
    exact numbers would be too large, because the ends have many digits, points are rounded to `DIGITS` instead.

    Parameters
    ----------
    start, stop : float
        The ends, finite and both included.
    num : int
        Number of points, at least 1.

    Returns
    -------
    array, shape (num,)

    Examples
    --------
    >>> linear(0.0, 0.3, 4).tolist(), np.linspace(0.0, 0.3, 4).tolist()
    ([0.0, 0.1, 0.2, 0.3], [0.0, 0.09999999999999999, 0.19999999999999998, 0.3])
    """
    first, last = Fraction(repr(start)), Fraction(repr(stop))
    step = (last - first) / max(num - 1, 1)
    denominator = math.lcm(first.denominator, step.denominator)
    begin, end, pace = (int(each * denominator) for each in (first, last, step))
    if max(abs(begin), abs(end), denominator) > LARGEST_WHOLE:
        return _between(start, stop, np.linspace(start, stop, num))
    points: Array = (begin + pace * np.arange(num)) / denominator
    return points


def logarithmic(start: float, stop: float, num: int) -> Array:
    """Points at equal ratios from start to stop, rounded to `DIGITS`; parameters as in `linear`, with positive ends.

    Examples
    --------
    >>> logarithmic(1e-3, 1.0, 4).tolist()
    [0.001, 0.01, 0.1, 1.0]
    """
    return _between(start, stop, np.geomspace(start, stop, num))


def _between(start: float, stop: float, points: Array) -> Array:
    """Points, rounded, with the exact ends."""
    points = rounded(points)
    points[0], points[-1] = start, stop
    return points


def rounded(values: Array) -> Array:
    """Values rounded to `DIGITS` significant decimal digits.

    Values below 1e-8 are rounded one by one.  Values above 1e37, which nobody needs, stay as they are.

    Examples
    --------
    >>> rounded(np.array([0.0, 0.19999999999999998, 999.9999999999998, 1e-12 / 3])).tolist()
    [0.0, 0.2, 1000.0, 3.33333333333333e-13]
    """
    size = np.abs(values)
    power = DIGITS - 1 - np.floor(np.log10(size, where=size > 0, out=np.zeros_like(size))).astype(int)
    small, large = power >= len(POWERS), power <= -len(POWERS)
    scale = POWERS[np.where(small | large, 0, np.abs(power))]
    result: Array = np.where(power < 0, np.rint(values / scale) * scale, np.rint(values * scale) / scale)
    result[small] = [float(f"{value:.{DIGITS}g}") for value in values[small].tolist()]
    result[large] = values[large]
    return result


SPACINGS: dict[str, Callable[[float, float, int], Array]] = {"linear": linear, "log": logarithmic}
