"""Nuclei: natural isotopes, how many of them a detector holds, and their form factor."""

import csv
import functools
import hashlib
import math
import re
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from scipy.special import spherical_in, spherical_jn

from fastscan.constants import ATOMIC_MASS_UNIT, AVOGADRO, HBARC_MEV_FM, M_ELECTRON
from fastscan.errors import FastscanError, unknown
from fastscan.typing import Array

ISOTOPES_FILE = files("fastscan") / "data" / "isotopes.csv"
_FORMULA_PART = re.compile(r"([A-Z][a-z]?)([0-9]*)")


@dataclass(frozen=True)
class Isotope:
    """A natural isotope: proton and mass number, atomic mass, mole fraction of its element."""

    symbol: str
    Z: int
    A: int
    atomic_mass_u: float
    abundance: float

    @property
    def N(self) -> int:  # noqa: N802
        """Number of neutrons."""
        return self.A - self.Z

    @property
    def mass_mev(self) -> float:
        """Mass of the nucleus in MeV: the atom's less its electrons'."""
        return self.atomic_mass_u * ATOMIC_MASS_UNIT - self.Z * M_ELECTRON


def isotopes_digest() -> str:
    """SHA-256 of the table of isotopes, which a store's identity names."""
    return hashlib.sha256(ISOTOPES_FILE.read_bytes()).hexdigest()


@functools.cache
def elements() -> dict[str, tuple[Isotope, ...]]:
    """Isotopes by chemical symbol, with abundances that add up to one."""
    rows = csv.DictReader(line for line in ISOTOPES_FILE.read_text().splitlines() if line[0] != "#")
    table: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        table.setdefault(row["symbol"], []).append(row)
    return {
        symbol: tuple(
            Isotope(
                symbol,
                int(row["Z"]),
                int(row["A"]),
                float(row["atomic_mass_u"]),
                float(row["abundance"]) / sum(float(other["abundance"]) for other in isotopes),
            )
            for row in isotopes
        )
        for symbol, isotopes in table.items()
    }


def parse_formula(compound: str) -> dict[str, int]:
    """Atoms of each element in a formula unit.

    Examples
    --------
    >>> parse_formula("CaWO4")
    {'Ca': 1, 'W': 1, 'O': 4}
    """
    parts = _FORMULA_PART.findall(compound)
    if not parts or "".join(symbol + count for symbol, count in parts) != compound:
        raise FastscanError(f"{compound!r} is no chemical formula such as 'CsI' or 'CaWO4'")
    atoms: dict[str, int] = {}
    for symbol, count in parts:
        if symbol not in elements():
            raise unknown("element", symbol, elements())
        if count and int(count) == 0:
            raise FastscanError(f"{compound!r} has zero atoms of {symbol}")
        atoms[symbol] = atoms.get(symbol, 0) + int(count or 1)
    return atoms


def targets(compound: str, mass_kg: float) -> list[tuple[Isotope, float]]:
    """Each isotope in a mass of a compound, with the number of its nuclei.

    Examples
    --------
    >>> [(isotope.A, f"{number:.3e}") for isotope, number in targets("CsI", 14.57)]
    [(127, '3.377e+25'), (133, '3.377e+25')]
    """
    atoms = parse_formula(compound)
    molar_mass = sum(
        count * isotope.abundance * isotope.atomic_mass_u
        for symbol, count in atoms.items()
        for isotope in elements()[symbol]
    )
    units = mass_kg * 1e3 / molar_mass * AVOGADRO
    return sorted(
        (
            (isotope, units * count * isotope.abundance)
            for symbol, count in atoms.items()
            for isotope in elements()[symbol]
        ),
        key=lambda target: (target[0].Z, target[0].A),
    )


def form_factor(momentum_mev: Array, A: int) -> Array:
    """Symmetrised Fermi form factor F(Q) of a nucleus (Eqs. 4, 5).

    Parameters
    ----------
    momentum_mev : array
        Momentum transfer Q in MeV, not negative.
    A : int
        Mass number.

    Returns
    -------
    array
        Of the same shape, F(0) = 1.

    Notes
    -----
    With x = pi Q a and y = Q c (c = 1.23 A^(1/3) - 0.60 fm, a = 0.52 fm) the textbook form is

        F = 3 / (y (y^2 + x^2)) * x / sinh(x) * (x sin(y) / tanh(x) - y cos(y))

    whose last bracket loses all digits as Q -> 0.  Spherical Bessel functions i, j hold its two small
    differences: x / tanh(x) - 1 = x i1(x) / i0(x), sin(y) / y - cos(y) = y j1(y).  Reference: D. W. L. Sprung
    and J. Martorell, J. Phys. A 30 (1997) 6525.

    Examples
    --------
    >>> form_factor(np.array([0.0, 50.0]), 133).round(6)
    array([1.      , 0.614036])
    """
    q = np.asarray(momentum_mev, float) / HBARC_MEV_FM
    x = math.pi * 0.52 * q
    y = (1.23 * A ** (1 / 3) - 0.60) * q
    i0, i1 = spherical_in(0, x), spherical_in(1, x)
    j0, j1 = spherical_jn(0, y), spherical_jn(1, y)
    with np.errstate(invalid="ignore"):
        factor = 3 / (y**2 + x**2) * (x * i1 / i0 * j0 + y * j1) / i0
    return np.where(q == 0, 1.0, factor)
