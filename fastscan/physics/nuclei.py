"""Nuclei: isotopes, and their numbers in a detector.

Isotopes are the natural ones, in `data/isotopes.csv`; an enriched detector has chosen shares of these isotopes.
"""

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fastscan.errors import InputError, quoted
from fastscan.inputs import data_files
from fastscan.inputs.bounds import MOST_ATOMS, SHARE_ROUNDING
from fastscan.physics.constants import ATOMIC_MASS_UNIT, AVOGADRO, M_ELECTRON

# Elements without a natural composition that is the same everywhere on Earth.
WITHOUT_COMPOSITION = (
    "Tc Pm Po At Rn Fr Ra Ac Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)

_ISOTOPE = re.compile(r"([A-Z][a-z]?)([0-9]{1,3})")
_PART = re.compile(r"([A-Z][a-z]?)([0-9]{0,4})|(\()|\)([0-9]{1,4})")
_DOPANT = re.compile(r"(?:\(([A-Z][a-z]?)\)|\[([A-Z][a-z]?)\]|:([A-Z][a-z]?))\Z")
Shares = Iterable[tuple[str, float]]


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
        Mole fraction in the element, dimensionless: the natural one or a chosen one.
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
    def name(self) -> str:
        """Symbol and mass number, such as "Ge76"."""
        return f"{self.symbol}{self.A}"

    @property
    def mass_mev(self) -> float:
        """Mass of the nucleus in MeV: the mass of the atom minus the mass of its electrons."""
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


def composition(abundances: Shares) -> dict[str, tuple[Isotope, ...]]:
    """The isotopes of each element: chosen isotopes where shares are given, natural ones for all other elements.

    Parameters
    ----------
    abundances : iterable of (str, float)
        Isotopes such as "Ge76" and their mole fractions, which add up to 1 in each element.

    Returns
    -------
    dict of str to tuple of Isotope
        By chemical symbol, as in `elements`; an isotope with the share 0 is left out.

    Raises
    ------
    InputError
        Where an isotope is not one of `elements`, or shares don't add up to 1.

    Examples
    --------
    >>> [(isotope.name, isotope.abundance) for isotope in composition([("Ge76", 0.92), ("Ge74", 0.08)])["Ge"]]
    [('Ge76', 0.92), ('Ge74', 0.08)]
    """
    chosen: dict[str, list[Isotope]] = {}
    for name, share in abundances:
        isotope = _isotope(name)
        chosen.setdefault(isotope.symbol, []).append(replace(isotope, abundance=share))
    for symbol, isotopes in chosen.items():
        total = math.fsum(isotope.abundance for isotope in isotopes)
        if abs(total - 1) > SHARE_ROUNDING:
            raise InputError(f"the shares of {symbol} must add up to 1, not {total:.9g}")
    return elements() | {symbol: tuple(each for each in found if each.abundance) for symbol, found in chosen.items()}


def _isotope(name: str) -> Isotope:
    """The natural isotope of a name such as "Ge76"."""
    parts = _ISOTOPE.fullmatch(name)
    if not parts:
        raise InputError(f"{quoted(name)} is no isotope such as 'Ge76'")
    isotopes = {isotope.name: isotope for isotope in elements()[check_element(parts[1])]}
    if name not in isotopes:
        raise InputError(f"unknown isotope {name!r}; the table of isotopes has {', '.join(isotopes)}")
    return isotopes[name]


def check_element(symbol: str) -> str:
    """A chemical symbol, if the table of isotopes has the element."""
    if symbol in WITHOUT_COMPOSITION.split():
        raise InputError(f"{quoted(symbol)} has no natural composition of isotopes")
    if symbol not in elements():
        raise InputError(f"unknown element {quoted(symbol)}")
    return symbol


def parse_formula(compound: str) -> dict[str, int]:
    """Atoms of each element in a formula unit.

    Parameters
    ----------
    compound : str
        A chemical formula, in which groups in round brackets have a count.  At its end it can name a dopant, which
        counts no atoms: "CsI(Tl)", "CsI[Na]" or "CaF2:Eu".

    Returns
    -------
    dict of str to int
        The number of atoms by chemical symbol.

    Raises
    ------
    InputError
        Where the text isn't a formula, an element is not one of `elements`, or a count is zero, too large or could be
        the mass number of an isotope: "Ge76" would be 76 atoms of natural germanium, which nobody means.

    Examples
    --------
    >>> parse_formula("CaWO4"), parse_formula("Ca3(PO4)2"), parse_formula("CsI(Tl)")
    ({'Ca': 1, 'W': 1, 'O': 4}, {'Ca': 3, 'P': 2, 'O': 8}, {'Cs': 1, 'I': 1})
    """
    dopant = _DOPANT.search(compound)
    host = compound[: dopant.start()] if dopant else compound
    atoms = _atoms(host)
    if not atoms:
        raise InputError(f"{quoted(compound)} is no chemical formula such as 'CsI', 'Ca3(PO4)2' or 'CsI(Tl)'")
    if dopant:
        check_element(next(filter(None, dopant.groups())))
    for symbol, number in atoms.items():
        if number > MOST_ATOMS:
            raise InputError(f"{quoted(compound)} has more than {MOST_ATOMS} atoms of {symbol}")
    _refuse_mass_numbers(host, atoms)
    return atoms


def _atoms(host: str) -> dict[str, int]:
    """Atoms of each element in a formula without a dopant; empty where the text isn't a formula."""
    parts = list(_PART.finditer(host))
    if "".join(part[0] for part in parts) != host:
        return {}
    groups: list[Counter[str]] = [Counter()]  # the open groups; the first one is the whole formula
    for symbol, count, opening, repeated in (part.groups() for part in parts):
        times = int(count or repeated or 1)
        if times == 0:
            raise InputError(f"{quoted(host)} has zero atoms of {symbol or 'a group'}")
        if symbol:
            groups[-1][check_element(symbol)] += times
        elif opening:
            groups.append(Counter())
        elif len(groups) > 1 and groups[-1]:
            group = groups.pop()
            groups[-1].update({symbol: times * number for symbol, number in group.items()})
        else:
            return {}
    return dict(groups[0]) if len(groups) == 1 else {}


def _refuse_mass_numbers(host: str, atoms: dict[str, int]) -> None:
    """Refuse a count of atoms that could be a mass number, except for hydrogen, and for carbon beside hydrogen."""
    counted = {"H", "C"} if {"H", "C"} <= atoms.keys() else {"H"}
    for symbol, count, _, _ in _PART.findall(host):
        if not count or symbol in counted:
            continue
        mass_numbers = [isotope.A for isotope in elements()[symbol]]
        if min(mass_numbers) <= int(count) <= max(mass_numbers):
            remedy = f"for an isotope write {symbol!r} and give abundances, for atoms write '({symbol}){count}'"
            raise InputError(f"{symbol + count!r} would be {count} atoms; {remedy}")


def targets(
    compound: str,
    mass_kg: float,
    molar_mass: float | None = None,
    abundances: Shares = (),
    dopants: Shares = (),
) -> list[tuple[Isotope, float]]:
    """Each isotope in a mass of a compound, with the number of its nuclei, sorted by Z and A.

    Parameters
    ----------
    compound : str
        A formula, see `parse_formula`.
    mass_kg : float
        Mass of the whole target in kg.
    molar_mass : float, optional
        Molar mass of the compound in g/mol; by default computed from its isotopes.
    abundances : iterable of (str, float), optional
        Chosen isotopes and their mole fractions, see `composition`.
    dopants : iterable of (str, float), optional
        Elements in addition to the compound, and their shares of the mass.

    Returns
    -------
    list of (Isotope, float)
        Numbers of nuclei, dimensionless.

    Raises
    ------
    InputError
        As in `parse_formula` and `composition`.

    Examples
    --------
    >>> [(isotope.A, f"{number:.3e}") for isotope, number in targets("CsI", 14.57)]
    [(127, '3.377e+25'), (133, '3.377e+25')]
    >>> [(isotope.A, f"{number:.3e}") for isotope, number in targets("NaI", 1.0, dopants=[("Tl", 1e-3)])]
    [(23, '4.014e+24'), (127, '4.014e+24'), (203, '8.697e+20'), (205, '2.077e+21')]
    """
    isotopes = composition(abundances)
    host_kg = mass_kg * (1 - math.fsum(share for _, share in dopants))
    found = _nuclei(parse_formula(compound), host_kg, molar_mass, isotopes)
    for symbol, share in dopants:
        found += _nuclei({check_element(symbol): 1}, mass_kg * share, None, isotopes)
    return sorted(found, key=lambda target: (target[0].Z, target[0].A))


def _nuclei(
    atoms: dict[str, int], mass_kg: float, molar_mass: float | None, isotopes: dict[str, tuple[Isotope, ...]]
) -> list[tuple[Isotope, float]]:
    """Each isotope in a mass of a formula unit's atoms, with the number of its nuclei."""
    parts = [(isotope, count) for symbol, count in atoms.items() for isotope in isotopes[symbol]]
    own = sum(count * isotope.abundance * isotope.atomic_mass_u for isotope, count in parts)
    units = mass_kg * 1e3 / (molar_mass or own) * AVOGADRO
    return [(isotope, units * count * isotope.abundance) for isotope, count in parts]
