"""Targets: masses of compounds, and what in them recoils."""

from dataclasses import dataclass
from functools import partial
from typing import Self

from fastscan.experiments.geometry import Cylinder, Geometry
from fastscan.inputs.toml import Table
from fastscan.physics import nuclei
from fastscan.physics.nuclei import Isotope


@dataclass(frozen=True)
class Target:
    """A mass of a compound; `molar_mass` in g/mol, None for that of the natural isotopes."""

    compound: str
    mass_kg: float
    molar_mass: float | None = None

    @classmethod
    def read(cls, table: Table, geometry: Geometry) -> Self:
        """The target that a ``[[target]]`` table describes; a density fills the cylinder of the geometry.

        Raises
        ------
        ExperimentError
            For a key that is missing, unknown or wrong, or can't stand beside the others.
        """
        compound = table.text("compound")
        table.checked("compound", partial(nuclei.parse_formula, compound))
        if isinstance(geometry, Cylinder) and "density" in table:
            table.refuse("mass", "it follows from the density and the cylinder's volume")
            mass = table.quantity("density", "density") * geometry.volume_m3
        else:
            table.refuse("density", "it needs a cylinder to fill; without one, give the mass")
            mass = table.quantity("mass", "mass")
        molar_mass = table.quantity("molar_mass", "molar mass") if "molar_mass" in table else None
        table.done()
        return cls(compound, mass, molar_mass)

    def isotopes(self) -> list[tuple[Isotope, float]]:
        """Each isotope in the target with the number of its nuclei, by Z and A.

        Examples
        --------
        >>> [(isotope.A, f"{number:.3e}") for isotope, number in Target("CsI", 14.57).isotopes()]
        [(127, '3.377e+25'), (133, '3.377e+25')]
        """
        return nuclei.targets(self.compound, self.mass_kg, self.molar_mass)
