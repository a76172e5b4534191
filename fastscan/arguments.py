"""Checks of the numbers that a caller passes: the boundary of the Python interface."""

import reprlib
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastscan.constants import LARGEST_SIGMA_SYS
from fastscan.errors import FastscanError
from fastscan.typing import Array

LIGHTEST_GEV = 1e-3  # far below 1 GeV, where the contact interaction ends; its powers don't overflow


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
    """Factors on the exposure: positive, and so that neither they nor their inverse overflow a sum of squares."""
    return _checked("luminosity", values, "positive, from 1e-15 to 1e15", lambda x: (x >= 1e-15) & (x <= 1e15))


def mass(name: str, values: ArrayLike) -> Array:
    """Masses in GeV, infinity (the Standard Model) included."""
    return _checked(name, values, f"at least {LIGHTEST_GEV:g} GeV", lambda x: x >= LIGHTEST_GEV)


def sigma_sys(values: ArrayLike) -> Array:
    """Relative errors: zero or positive."""
    return _checked("sigma_sys", values, "zero or positive, at most 1e6", lambda x: (x >= 0) & (x <= LARGEST_SIGMA_SYS))


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
