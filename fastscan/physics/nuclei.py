"""Nuclei: natural isotopes, and how many of them a detector holds.

The elements are those of `data/isotopes.csv`; rows there add one.
"""

import functools
import re
from dataclasses import dataclass

from fastscan.errors import InputError, quoted
from fastscan.inputs import data_files
from fastscan.physics.constants import ATOMIC_MASS_UNIT, AVOGADRO, M_ELECTRON

_FORMULA_PART = re.compile(r"([A-Z][a-z]?)([0-9]{0,4})")


@dataclass(frozen=True)
class Isotope:
    """A natural isotope.

    Attributes
    ----------
    symbol : str
        Chemical symbol of the element.
    Z, A : int
        Proton and mass number.
    atomic_mass_u : float
        Mass of the atom in atomic mass units.
    abundance : float
        Mole fraction in the natural element, dimensionless.
    """

    symbol: str
    Z: int
    A: int
    atomic_mass_u: float
    abundance: float

    @property
    def N(self) -> int:  # noqa: N802 the physics writes N
        """Number of neutrons."""
        return self.A - self.Z

    @property
    def mass_mev(self) -> float:
        """Mass of the nucleus in MeV: the mass of the atom less that of its electrons."""
        return self.atomic_mass_u * ATOMIC_MASS_UNIT - self.Z * M_ELECTRON


@functools.cache
def elements() -> dict[str, tuple[Isotope, ...]]:
    """The natural isotopes of each element, by chemical symbol; the abundances of an element add up to one."""
    table: dict[str, list[dict[str, str]]] = {}
    for row in data_files.rows("isotopes.csv"):
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

    Parameters
    ----------
    compound : str
        A chemical formula without brackets.

    Returns
    -------
    dict of str to int
        The number of atoms by chemical symbol.

    Raises
    ------
    InputError
        Where the text is no formula, an element is not one of `elements`, or a count is zero or could be the mass
        number of an isotope: "Ge76" would be 76 atoms of natural germanium, which nobody means.

    Examples
    --------
    >>> parse_formula("CaWO4")
    {'Ca': 1, 'W': 1, 'O': 4}
    """
    parts = _FORMULA_PART.findall(compound)
    if not parts or "".join(symbol + count for symbol, count in parts) != compound:
        raise InputError(f"{quoted(compound)} is no chemical formula such as 'CsI' or 'CaWO4'")
    atoms: dict[str, int] = {}
    for symbol, count in parts:
        if symbol not in elements():
            known = ", ".join(sorted(elements()))
            raise InputError(f"unknown element {symbol!r}; the table of isotopes has {known}")
        mass_numbers = [isotope.A for isotope in elements()[symbol]]
        if count and min(mass_numbers) <= int(count) <= max(mass_numbers):
            raise InputError(f"{symbol + count!r} would be {count} atoms; natural isotopes only: write {symbol!r}")
        if count and int(count) == 0:
            raise InputError(f"{quoted(compound)} has zero atoms of {symbol}")
        atoms[symbol] = atoms.get(symbol, 0) + int(count or 1)
    return atoms


def targets(compound: str, mass_kg: float, molar_mass: float | None = None) -> list[tuple[Isotope, float]]:
    """Each isotope in a mass of a compound, with the number of its nuclei, by Z and A.

    Parameters
    ----------
    compound : str
        A formula, see `parse_formula`.
    mass_kg : float
        Mass of the whole target in kg.
    molar_mass : float, optional
        Molar mass in g/mol; left out, that of the natural isotopes.

    Returns
    -------
    list of (Isotope, float)
        Numbers of nuclei, dimensionless.

    Raises
    ------
    InputError
        As `parse_formula`.

    Examples
    --------
    >>> [(isotope.A, f"{number:.3e}") for isotope, number in targets("CsI", 14.57)]
    [(127, '3.377e+25'), (133, '3.377e+25')]
    """
    atoms = parse_formula(compound)
    natural = sum(
        count * isotope.abundance * isotope.atomic_mass_u
        for symbol, count in atoms.items()
        for isotope in elements()[symbol]
    )
    units = mass_kg * 1e3 / (molar_mass or natural) * AVOGADRO
    return sorted(
        (
            (isotope, units * count * isotope.abundance)
            for symbol, count in atoms.items()
            for isotope in elements()[symbol]
        ),
        key=lambda target: (target[0].Z, target[0].A),
    )
