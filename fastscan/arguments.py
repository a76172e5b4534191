"""Checks of the numbers that a caller passes: the boundary of the Python interface."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastscan.errors import FastscanError
from fastscan.typing import Array


def finite(name: str, values: ArrayLike) -> Array:
    """Values as an array of finite floats."""
    return _checked(name, values, "finite", np.isfinite)


def positive(name: str, values: ArrayLike) -> Array:
    """Values as an array of positive, finite floats."""
    return _checked(name, values, "positive and finite", lambda x: (x > 0) & np.isfinite(x))


def mass(name: str, values: ArrayLike) -> Array:
    """Values as an array of positive floats, infinity (the Standard Model) included."""
    return _checked(name, values, "positive", lambda x: x > 0)


def not_negative(name: str, values: ArrayLike) -> Array:
    """Values as an array of finite floats, none below zero."""
    return _checked(name, values, "zero or positive, and finite", lambda x: (x >= 0) & np.isfinite(x))


def _checked(
    name: str, values: ArrayLike, expected: str, allowed: Callable[[Array], NDArray[np.bool_]]
) -> Array:
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError):
        raise FastscanError(f"{name} must be a number or an array of numbers, not {values!r}") from None
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
