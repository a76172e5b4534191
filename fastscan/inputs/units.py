"""Units as people write them, converted once, at the boundary.

Inside fastscan energies are in MeV, angles in rad, sizes in bytes, lengths in nuclei in fm, arrival times in us, and
all else in SI units (m, kg, s, W, Bq); only M_Z' is in GeV, as in every table of limits.
"""

import math
import re

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
    "activity": {"Bq": 1.0, "GBq": 1e9, "Ci": 3.7e10, "kCi": 3.7e13, "MCi": 3.7e16},
    "density": {"g/cm3": 1e3, "kg/m3": 1.0},
    "molar mass": {"g/mol": 1.0},
    "angle": {"rad": 1.0, "deg": math.pi / 180},
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
    "activity": "5 MCi",
    "density": "2.94 g/cm3",
    "molar mass": "131.293 g/mol",
    "angle": "30 deg",
    "size": "16 MiB",
}

_QUANTITY = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z][A-Za-z0-9/]*)?\s*")


def expected(kind: str) -> str:
    """What a quantity of a kind of `UNITS` looks like, for error messages.

    Examples
    --------
    >>> expected("mass")
    "a mass with its unit (g, kg, t), such as '10 kg'"
    """
    article = "an" if kind[0] in "ae" else "a"
    return f"{article} {kind} with its unit ({', '.join(UNITS[kind])}), such as {EXAMPLES[kind]!r}"


def symbol(text: str) -> str | None:
    """The unit in a text that is a number with a unit; None where it is none.

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
    choice = ", ".join(UNITS[kind])
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) and len(text) <= LONGEST_QUANTITY else None
    if match and match[2] not in UNITS[kind]:
        raise InputError(f"{quoted(text)} has no unit of {kind}: use one of {choice}")
    try:
        value = float(match[1]) * UNITS[kind][match[2]] if match else math.nan
    except ValueError:  # two decimal points
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{quoted(text)} is no {kind}: write a number and a unit ({choice})")
    return value
