"""Units as people write them, converted once, at the boundary.

Inside fastscan energies are in MeV, angles in rad, sizes in bytes, lengths in nuclei in fm, arrival times in us, fluxes
in cm^-2 s^-1, and all else in SI units (m, kg, s, W, Bq).  Only M_Z' is in GeV, as in every table of limits.
"""

import math
import re
from fractions import Fraction
from typing import Any

from fastscan.errors import InputError, quoted
from fastscan.inputs.bounds import LONGEST_QUANTITY

UNITS: dict[str, dict[str, float]] = {
    "energy": {"eV": 1e-6, "keV": 1e-3, "MeV": 1.0, "GeV": 1e3, "TeV": 1e6},
    "recoil energy": {"eV": 1e-6, "keV": 1e-3, "MeV": 1.0, "eVnr": 1e-6, "keVnr": 1e-3, "MeVnr": 1.0},
    "visible energy": {"eVee": 1e-6, "keVee": 1e-3, "MeVee": 1.0},
    "photoelectrons": {"PE": 1.0, "photoelectrons": 1.0},
    "electrons": {"electrons": 1.0},
    "length": {"cm": 1e-2, "m": 1.0, "km": 1e3},
    "nuclear length": {"fm": 1.0},
    "mass": {"g": 1e-3, "kg": 1.0, "t": 1e3},
    "arrival time": {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6},
    "time": {"s": 1.0, "h": 3600.0, "d": 86400.0, "yr": 365 * 86400.0},
    "power": {"W": 1.0, "kW": 1e3, "MW": 1e6, "GW": 1e9},
    "flux": {"/cm2/s": 1.0},
    "activity": {"Bq": 1.0, "GBq": 1e9, "Ci": 3.7e10, "kCi": 3.7e13, "MCi": 3.7e16},
    "density": {"g/cm3": 1e3, "kg/m3": 1.0},
    "molar mass": {"g/mol": 1.0},
    "angle": {"rad": 1.0, "deg": math.pi / 180},
    "ratio": {"1": 1.0, "%": 1e-2},
    "size": {"B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
}
EXAMPLES = {
    "energy": "100 eV",
    "recoil energy": "100 eV",
    "visible energy": "160 eVee",
    "photoelectrons": "5 PE",
    "electrons": "4 electrons",
    "length": "20 m",
    "nuclear length": "0.9 fm",
    "mass": "10 kg",
    "arrival time": "0.5 us",
    "time": "1 yr",
    "power": "3 GW",
    "flux": "1.5e13 /cm2/s",
    "activity": "5 MCi",
    "density": "2.94 g/cm3",
    "molar mass": "131.293 g/mol",
    "angle": "30 deg",
    "ratio": "20 %",
    "size": "16 MiB",
}

_QUANTITY = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(/?[A-Za-z][A-Za-z0-9/]*|%)?\s*")
ROUNDING = 1e-9  # relative rounding of a quantity that was converted from another unit


def expected(kind: str) -> str:
    """The form of a quantity of a kind of `UNITS`, for error messages.

    Examples
    --------
    >>> expected("mass")
    "a mass with its unit (g, kg, t), such as '10 kg'"
    """
    article = "an" if kind[0] in "ae" else "a"
    return f"{article} {kind} with its unit ({', '.join(UNITS[kind])}), such as {EXAMPLES[kind]!r}"


def symbol(text: str) -> str | None:
    """The unit in a text that is a number with a unit; None for any other text.

    Examples
    --------
    >>> symbol("160 eVee"), symbol("twenty")
    ('eVee', None)
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= LONGEST_QUANTITY else None
    return match[2] if match else None


def quantity(text: object, kind: str) -> float:
    """Value of a quantity such as ``"14.57 kg"``, in the base unit of its kind.

    Parameters
    ----------
    text : str
        A number and a unit.
    kind : str
        A key of `UNITS`.

    Raises
    ------
    InputError
        Where the text isn't a number with a unit of this kind.

    Examples
    --------
    >>> quantity("250 keV", "energy")
    0.25
    """
    number, unit = _parsed(text, kind)
    return number * UNITS[kind][unit]


def quantity_in(text: object, kind: str, to: str) -> float:
    """As `quantity`, in one of the kind's units, and rounded only once.

    >>> quantity_in("57 %", "ratio", "1"), 57 * 0.01
    (0.57, 0.5700000000000001)
    """
    return converted_number(*_parsed(text, kind), kind, to)


def _parsed(text: object, kind: str) -> tuple[float, str]:
    """The number and the unit of a quantity; an `InputError` for another text, or a number out of a float's range."""
    choice = ", ".join(UNITS[kind])
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) and len(text) <= LONGEST_QUANTITY else None
    if match and match[2] not in UNITS[kind]:
        raise InputError(f"{quoted(text)} has no unit of {kind}: use one of {choice}")
    try:
        value = float(match[1]) if match else math.nan
    except ValueError:  # two decimal points
        value = math.nan
    if not (match and math.isfinite(value * UNITS[kind][match[2]])):
        raise InputError(f"{quoted(text)} is no {kind}: write a number and a unit ({choice})")
    return value, match[2]


def relative(written: float | str) -> float:
    """A relative error, which is a number or a text in per cent; an `InputError` for another text.

    >>> relative(0.2), relative("20 %")
    (0.2, 0.2)
    """
    if not isinstance(written, str):
        return written
    try:
        return quantity_in(written, "ratio", "1")
    except InputError:
        problem = f"{quoted(written)} is no relative error: write a number such as 0.2, or '20 %'"
        raise InputError(problem) from None


def kind_of(unit: str) -> str:
    """The kind of a unit; empty where the unit isn't in `UNITS`."""
    return next((kind for kind, units in UNITS.items() if unit in units), "")


def decimal_ratio(kind: str, unit: str, to: str) -> Fraction | None:
    """The size of one unit in another, where this is a power of ten; else None.

    >>> decimal_ratio("energy", "MeV", "GeV"), decimal_ratio("angle", "deg", "rad")
    (Fraction(1, 1000), None)
    """
    ratio = Fraction(repr(UNITS[kind][unit])) / Fraction(repr(UNITS[kind][to]))
    digits = str(ratio.numerator * ratio.denominator)
    return ratio if digits.rstrip("0") == "1" else None


def converted(value: Any, kind: str, unit: str, to: str) -> Any:
    """A value, or an array of values, from one unit of a kind to another.

    The product comes before the quotient, so that 10^6 eV are 0.001 GeV to the last bit.
    """
    return value * UNITS[kind][unit] / UNITS[kind][to]


def converted_number(value: float, unit: str, kind: str, to: str) -> float:
    """The float nearest to a decimal number that is converted from one unit to another.

    >>> converted_number(1.001, "TeV", "energy", "GeV"), 1.001 * 1e6 / 1e3
    (1001.0, 1000.9999999999999)
    """
    ratio = decimal_ratio(kind, unit, to)
    if ratio is None:
        result: float = converted(value, kind, unit, to)
        return result
    try:
        return float(Fraction(repr(float(value))) * ratio)
    except OverflowError:
        return math.copysign(math.inf, value)


def told(value: float, kind: str) -> str:
    """A quantity, given in the base unit of its kind, in words: in the largest unit that it reaches.

    >>> told(26619840.0, "time"), told(0.75, "energy"), told(3.9e9, "power"), told(1.85e17, "activity")
    ('308.1 d', '750 keV', '3.9 GW', '5 MCi')
    """
    sizes = {unit: size for unit, size in UNITS[kind].items() if unit != "yr"}  # a year has several lengths
    reached = [unit for unit, size in sizes.items() if abs(value) >= size * (1 - ROUNDING)]
    unit = max(reached or [min(sizes, key=sizes.__getitem__)], key=sizes.__getitem__)
    return f"{value / sizes[unit]:.6g} {unit}"


def short(number: float, unit: str = "") -> str:
    """A number with the prefix that makes it short.

    >>> short(64_000_000), short(950), short(36_900_000, "B")
    ('64.0 M', '950', '36.9 MB')
    """
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.1f} {prefix}{unit}"
    return f"{number:.0f} {unit}".rstrip()
