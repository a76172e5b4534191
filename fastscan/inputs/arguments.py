"""Checks of the numbers that a caller passes: the boundary of the Python interface."""

import numpy as np
from numpy.typing import ArrayLike

from fastscan.errors import InputError, quoted
from fastscan.typing import Array


def scalar(name: str, value: object, low: float, high: float, whole: bool = False) -> float:
    """A single number between bounds.

    Bounds are exclusive for real numbers and inclusive for integers.

    Raises
    ------
    InputError
        Where the value is no number, out of bounds, or not whole where it must be.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not (low <= number <= high and number == int(number) if whole else low < number < high):
        kind = f"a whole number from {low:g} to {high:g}" if whole else f"a number between {low:g} and {high:g}"
        raise InputError(f"{name} must be {kind}, not {quoted(value)}")
    return number


def within(name: str, values: ArrayLike, low: float, high: float, expected: str) -> Array:
    """Values as an array of floats from low to high, both included.

    Raises
    ------
    InputError
        Where a value is no number or out of bounds; `expected` describes the bounds in the error.
    """
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} must be a number or an array of numbers, not {quoted(values)}") from None
    wrong = array[~((low <= array) & (array <= high))]  # a NaN compares false, so it is wrong too
    if wrong.size:
        raise InputError(f"{name} must be {expected}, not {wrong.flat[0]:g}")
    return array


def broadcast(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Common shape of arguments; where they have none, an `InputError` names them and their shapes."""
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"shapes that do not broadcast: {told}") from None
