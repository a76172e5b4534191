"""Targets: masses of compounds, and their nuclei and electrons."""

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from fastscan.experiments import form_factors
from fastscan.experiments.form_factors import Fermi, FormFactor
from fastscan.experiments.geometry import Geometry
from fastscan.inputs.bounds import SHARE
from fastscan.inputs.toml import Table
from fastscan.inputs.units import told
from fastscan.physics import nuclei
from fastscan.physics.nuclei import Isotope

Shares = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Target:
    """A mass of a compound with its dopants.

    Attributes
    ----------
    compound : str
        Formula, see `nuclei.parse_formula`.
    mass_kg : float
        Mass in kg, dopants included.
    molar_mass : float or None
        Molar mass of the compound in g/mol; None to compute it from its isotopes.
    abundances : tuple of (str, float)
        Chosen isotopes and their mole fractions; other elements have their natural isotopes.
    dopants : tuple of (str, float)
        Elements in addition to the compound, and their fractions of the mass.
    form_factor : FormFactor
        Form factor of the nuclei.
    """

    compound: str
    mass_kg: float
    molar_mass: float | None = None
    abundances: Shares = ()
    dopants: Shares = ()
    form_factor: FormFactor = field(default_factory=Fermi)

    @classmethod
    def read(cls, table: Table, geometry: Geometry | None) -> Self:
        """The target that a ``[[target]]`` table describes; a density fills the volume of the geometry.

        Raises
        ------
        ExperimentError
            For a key that is missing, unknown or wrong, or can't stand beside the others.
        """
        compound = table.text("compound")
        atoms = table.checked("compound", partial(nuclei.parse_formula, compound))
        volume = None if geometry is None else geometry.volume_m3
        if volume is not None and "density" in table:
            table.refuse("mass", "it follows from the density and the detector's volume")
            mass = table.quantity("density", "density") * volume
        else:
            table.refuse("density", "it needs a cylinder or another volume to fill; without one, give the mass")
            mass = table.quantity("mass", "mass")
        molar_mass = table.quantity("molar_mass", "molar mass") if "molar_mass" in table else None
        dopants = _read_dopants(table)
        abundances = _read_abundances(table, {*atoms, *(element for element, _ in dopants)})
        target = cls(compound, mass, molar_mass, abundances, dopants)
        isotopes = [isotope for isotope, _ in target.isotopes()]
        target = replace(target, form_factor=form_factors.read(table, isotopes))
        table.done()
        return target

    def told(self) -> str:
        """The target in words: its mass, and the isotopes of each element in it.

        >>> Target("Ge", 50.0, abundances=(("Ge76", 0.92), ("Ge74", 0.08))).told()
        '50 kg of Ge: Ge74 8 %, Ge76 92 %'
        """
        doped = "".join(f", {100 * share:.4g} % of its mass {element}" for element, share in self.dopants)
        isotopes = ", ".join(_told_share(isotope) for isotope, _ in self.isotopes())
        return f"{told(self.mass_kg, 'mass')} of {self.compound}{doped}: {isotopes}"

    def isotopes(self) -> list[tuple[Isotope, float]]:
        """Each isotope in the target with the number of its nuclei, sorted by Z and A.

        Examples
        --------
        >>> [(isotope.A, f"{number:.3e}") for isotope, number in Target("CsI", 14.57).isotopes()]
        [(127, '3.377e+25'), (133, '3.377e+25')]
        """
        return nuclei.targets(self.compound, self.mass_kg, self.molar_mass, self.abundances, self.dopants)


def _told_share(isotope: Isotope) -> str:
    """An isotope and its share of the element, unless the share is 1."""
    return isotope.name if isotope.abundance == 1 else f"{isotope.name} {100 * isotope.abundance:.4g} %"


def _read_dopants(table: Table) -> Shares:
    """The dopants of the compound, and their shares of the mass."""
    dopants = _read_shares(table, "dopants")
    for element, _ in dopants:
        table.checked("dopants", partial(nuclei.check_element, element))
    total = math.fsum(share for _, share in dopants)
    if total >= 1:
        raise table.error("dopants", f"must add up to less than 1, the whole mass, not to {total:.9g}")
    return dopants


def _read_abundances(table: Table, elements: set[str]) -> Shares:
    """Chosen isotopes of elements of the target, and their mole fractions."""
    abundances = _read_shares(table, "abundances")
    table.checked("abundances", partial(nuclei.composition, abundances))
    for isotope, _ in abundances:
        symbol = isotope.rstrip("0123456789")
        if symbol not in elements:
            raise table.error("abundances", f"there is no {symbol} in the target")
    return abundances


def _read_shares(table: Table, key: str) -> Shares:
    """Shares from 0 to 1 by name; none where the key is left out."""
    shares = table.table(key, {})
    return tuple((name, shares.number(name, *SHARE)) for name in shares.names())
