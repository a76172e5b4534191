"""Checks of the numbers that a caller passes: the boundary of the Python interface."""

import reprlib
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastscan.errors import FastscanError
from fastscan.inputs.bounds import LARGEST_SIGMA_SYS, LIGHTEST_GEV, LUMINOSITY
from fastscan.typing import Array


def scalar(name: str, value: object, low: float, high: float, whole: bool = False) -> float:
    """A single number between bounds, which it may not equal unless it must be whole."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not (low <= number <= high and number == int(number) if whole else low < number < high):
        kind = f"a whole number from {low:g} to {high:g}" if whole else f"a number between {low:g} and {high:g}"
        raise FastscanError(f"{name} must be {kind}, not {reprlib.repr(value)}")
    return number


def finite(name: str, values: ArrayLike) -> Array:
    """Values as an array of finite floats."""
    return _checked(name, values, "finite", np.isfinite)


def luminosity(values: ArrayLike) -> Array:
    """Factors on the exposure."""
    low, high = LUMINOSITY
    return _checked("luminosity", values, f"positive, from {low:g} to {high:g}", lambda x: (x >= low) & (x <= high))


def m_zprime(values: ArrayLike) -> Array:
    """Masses in GeV, infinity (the Standard Model) included."""
    return _checked("m_zprime", values, f"at least {LIGHTEST_GEV:g} GeV", lambda x: x >= LIGHTEST_GEV)


def sigma_sys(values: ArrayLike) -> Array:
    """Relative errors: zero or positive."""
    expected = f"zero or positive, at most {LARGEST_SIGMA_SYS:g}"
    return _checked("sigma_sys", values, expected, lambda x: (x >= 0) & (x <= LARGEST_SIGMA_SYS))


def _checked(name: str, values: ArrayLike, expected: str, allowed: Callable[[Array], NDArray[np.bool_]]) -> Array:
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError, OverflowError):
        raise FastscanError(f"{name} must be a number or an array of numbers, not {reprlib.repr(values)}") from None
    wrong = array[~allowed(array)]
    if wrong.size:
        raise FastscanError(f"{name} must be {expected}, not {wrong.flat[0]:g}")
    return array


def broadcast(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Common shape of arguments; where they have none, an error that names them."""
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise FastscanError(f"shapes that do not broadcast: {told}") from None
