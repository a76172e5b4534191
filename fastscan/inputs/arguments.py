"""Checks of the numbers that a caller passes: the boundary of the Python interface.

A quantity of astropy, pint or unyt is converted to the requested unit, and so is an array whose attributes name a unit,
such as a DataArray of xarray.  A number without a unit is taken in the requested unit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastscan.errors import InputError, quoted
from fastscan.inputs import units
from fastscan.typing import Array

NO_NUMBERS = (TypeError, ValueError, OverflowError, RecursionError)  # errors of conversions to floats
PLAIN = (int, float, np.integer, np.floating)


def scalar(name: str, value: object, low: float, high: float, whole: bool = False, unit: str = "1") -> float:
    """A single number between bounds, in a unit of `fastscan.inputs.units`.

    Bounds are exclusive for real numbers and inclusive for integers.

    Raises
    ------
    InputError
        Where the value isn't a number, is out of bounds, isn't whole where it must be, or has another kind of unit.
    """
    try:
        array = _floats(name, value, unit)
    except InputError:
        raise
    except NO_NUMBERS:
        array = np.array(np.nan)
    number = float(array) if array.shape == () else np.nan
    if not (low <= number <= high and number == int(number) if whole else low < number < high):
        kind = f"a whole number from {low:g} to {high:g}" if whole else f"a number between {low:g} and {high:g}"
        raise InputError(f"{name} must be {kind}, not {quoted(value)}")
    return number


def within(name: str, values: ArrayLike, low: float, high: float, expected: str, unit: str = "1") -> Array:
    """Values as an array of floats from low to high, both included, in a unit of `fastscan.inputs.units`.

    Raises
    ------
    InputError
        Where a value isn't a number, is out of bounds, or has another kind of unit; `expected` describes the bounds.
    """
    try:
        array = _floats(name, values, unit)
    except InputError:
        raise
    except NO_NUMBERS:
        raise InputError(f"{name} must be a number or an array of numbers, not {quoted(values)}") from None
    wrong = array[~((low <= array) & (array <= high))]  # a NaN compares false, so it is wrong too
    if wrong.size:
        raise InputError(f"{name} must be {expected}, not {wrong.flat[0]:g}")
    return array


def flag(name: str, value: object) -> bool:
    """True or False; an `InputError` for anything else, which Python would take for one of them."""
    if not isinstance(value, bool | np.bool):
        raise InputError(f"{name} must be True or False, not {quoted(value)}")
    return bool(value)


def broadcast(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Common shape of arguments; where they don't broadcast, an `InputError` names them and their shapes."""
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"shapes that do not broadcast: {told}") from None


def _floats(name: str, values: Any, unit: str) -> Array:
    """Numbers and quantities of any shape as floats in a unit; anything else raises one of `NO_NUMBERS`."""
    if isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray):
        kinds = {*map(type, values)}
        if all(issubclass(kind, PLAIN) and not issubclass(kind, bool | np.timedelta64) for kind in kinds):
            return np.array(values, float)
        return np.array([_floats(name, each, unit) for each in values])
    attributes = getattr(values, "attrs", None)  # of a DataArray, a Series, or an array of zarr
    inner = values if attributes is None else getattr(values, "data", values)
    given = getattr(inner, "units", getattr(inner, "unit", None))
    if given is not None and callable(getattr(inner, "to", None)):
        return _plain(name, _converted(name, inner, unit), unit)
    if attributes is not None:
        given = attributes.get("units")
    numbers = _plain(name, inner, unit)
    return numbers if given is None else _from_named_unit(name, numbers, given, unit)


def _plain(name: str, values: Any, unit: str) -> Array:
    """Values without a unit as floats.  NumPy would take texts, truths, dates and masked values for numbers too."""
    mask = getattr(values, "mask", None)
    if isinstance(values, bytearray) or (isinstance(mask, np.ndarray | np.bool) and np.any(mask)):
        raise TypeError("no number")
    array = np.asarray(values)
    if array.dtype.kind == "O":
        return np.array([_floats(name, each, unit) for each in array]) if array.shape else np.array(float(array.item()))
    if array.dtype.kind not in "iuf":
        raise TypeError("no number")
    return np.asarray(array, float)


def _converted(name: str, quantity: Any, unit: str) -> Any:
    """The value of a quantity in a unit."""
    try:
        found = quantity.to("" if unit == "1" else unit)
    except Exception:  # noqa: BLE001 - each library has errors of its own
        needed = "without unit" if unit == "1" else f"in {unit} or in a unit that converts to it"
        raise InputError(f"{name} must be {needed}, not {quoted(quantity)}") from None
    return getattr(found, "magnitude", found)


def _from_named_unit(name: str, numbers: Array, given: Any, unit: str) -> Array:
    """Numbers in a unit that an attribute names, converted to another of the same kind."""
    kind = units.kind_of(unit)
    word = given or "1"  # an empty name stands for a number without unit
    known = units.UNITS.get(kind, {unit: 1.0})
    if word not in known:
        raise InputError(f"{name} must be in {' or '.join(known)}, not in {quoted(given)}")
    converted: Array = numbers * known[word] / known[unit]
    return converted
