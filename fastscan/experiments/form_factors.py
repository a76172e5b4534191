"""Form factors by name: each kind is one class, which reads its keys and computes its value for each isotope.

A new kind is a new class and its line in `FORM_FACTORS`.  Protons and neutrons have the same form factor.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from fastscan.inputs.toml import Table
from fastscan.physics import form_factors
from fastscan.physics.nuclei import Isotope
from fastscan.typing import Array

Radii = tuple[tuple[str, float], ...]  # root mean square radii in fm, by element ("Cs") or isotope ("Cs133")


class FormFactor(Protocol):
    """The protocol of form factors."""

    @classmethod
    def read(cls, table: Table, isotopes: Sequence[Isotope]) -> Self:
        """The form factor that the ``form_factor`` of a target with such isotopes describes.

        Raises
        ------
        ExperimentError
            For a key that is missing or wrong, and for a smearing that leaves nothing to be smeared.
        """

    def told(self) -> str:
        """The form factor in words."""

    def at(self, momentum_mev: Array, isotope: Isotope) -> Array:
        """F of an isotope at momentum transfers in MeV, dimensionless, in the shape of the momentum transfers."""


@dataclass(frozen=True)
class Fermi:
    """The symmetrised Fermi form factor without parameters, see `form_factors.fermi`."""

    @classmethod
    def read(cls, table: Table, isotopes: Sequence[Isotope]) -> Self:
        """See `FormFactor.read`; this form factor has no keys."""
        return cls()

    def told(self) -> str:
        """See `FormFactor.told`."""
        return "Fermi"

    def at(self, momentum_mev: Array, isotope: Isotope) -> Array:
        """See `FormFactor.at`."""
        return form_factors.fermi(momentum_mev, isotope.A)


@dataclass(frozen=True)
class Helm:
    """Helm's form factor, see `form_factors.helm`.

    An isotope without a root mean square radius of its own has Lewin and Smith's radius, see
    `form_factors.helm_sphere_squared`.

    Attributes
    ----------
    skin_fm : float
        Thickness s of the surface in fm.
    radii_fm : tuple of (str, float)
        Root mean square radii in fm by isotope or element.
    """

    skin_fm: float = 0.9
    radii_fm: Radii = ()

    @classmethod
    def read(cls, table: Table, isotopes: Sequence[Isotope]) -> Self:
        """See `FormFactor.read`."""
        found = cls(table.quantity("skin", "nuclear length", "0.9 fm"), _read_radii(table, isotopes))
        for isotope in isotopes:
            if found.radius_squared(isotope) <= 0:
                raise table.error("skin", f"{found.skin_fm:g} fm leaves no sphere inside the skin of {isotope.name}")
        return found

    def told(self) -> str:
        """See `FormFactor.told`."""
        return f"Helm, skin {self.skin_fm:.6g} fm{_told_radii(self.radii_fm)}"

    def radius_squared(self, isotope: Isotope) -> float:
        """Square of the sphere's radius in fm^2.

        Examples
        --------
        >>> from fastscan.physics.nuclei import elements
        >>> (caesium,) = elements()["Cs"]
        >>> [round(math.sqrt(helm.radius_squared(caesium)), 3) for helm in (Helm(), Helm(radii_fm=(("Cs", 5.01),)))]
        [5.867, 6.147]
        """
        rms = _rms(self.radii_fm, isotope)
        if rms is None:
            return form_factors.helm_sphere_squared(isotope.A, self.skin_fm)
        return form_factors.sphere_squared(rms, 3 * self.skin_fm**2)

    def at(self, momentum_mev: Array, isotope: Isotope) -> Array:
        """See `FormFactor.at`."""
        return form_factors.helm(momentum_mev, math.sqrt(self.radius_squared(isotope)), self.skin_fm)


@dataclass(frozen=True)
class KleinNystrand:
    """Klein and Nystrand's form factor, see `form_factors.klein_nystrand`.

    The sphere of an isotope without a root mean square radius of its own has the radius r0 A^(1/3).

    Attributes
    ----------
    range_fm : float
        Range of the Yukawa potential in fm.
    r0_fm : float
        r0 in fm.
    radii_fm : tuple of (str, float)
        Root mean square radii in fm by isotope or element.
    """

    range_fm: float = 0.7
    r0_fm: float = 1.23
    radii_fm: Radii = ()

    @classmethod
    def read(cls, table: Table, isotopes: Sequence[Isotope]) -> Self:
        """See `FormFactor.read`."""
        found = cls(
            range_fm=table.quantity("range", "nuclear length", "0.7 fm"),
            r0_fm=table.quantity("r0", "nuclear length", "1.23 fm"),
            radii_fm=_read_radii(table, isotopes),
        )
        for isotope in isotopes:
            if found.radius_squared(isotope) <= 0:
                raise table.error("range", f"{found.range_fm:g} fm leaves no sphere inside {isotope.name}")
        return found

    def told(self) -> str:
        """See `FormFactor.told`."""
        return f"Klein-Nystrand, range {self.range_fm:.6g} fm, r0 {self.r0_fm:.6g} fm{_told_radii(self.radii_fm)}"

    def radius_squared(self, isotope: Isotope) -> float:
        """Square of the sphere's radius in fm^2.

        Examples
        --------
        >>> from fastscan.physics.nuclei import elements
        >>> (caesium,) = elements()["Cs"]
        >>> round(math.sqrt(KleinNystrand().radius_squared(caesium)), 3)
        6.278
        """
        rms = _rms(self.radii_fm, isotope)
        if rms is None:
            squared: float = (self.r0_fm * isotope.A ** (1 / 3)) ** 2
            return squared
        return form_factors.sphere_squared(rms, 6 * self.range_fm**2)

    def at(self, momentum_mev: Array, isotope: Isotope) -> Array:
        """See `FormFactor.at`."""
        return form_factors.klein_nystrand(momentum_mev, math.sqrt(self.radius_squared(isotope)), self.range_fm)


FORM_FACTORS: dict[str, type[FormFactor]] = {"fermi": Fermi, "helm": Helm, "klein-nystrand": KleinNystrand}


def read(table: Table, isotopes: Sequence[Isotope]) -> FormFactor:
    """The form factor of a target: ``form_factor`` is the name of a kind or a table; by default "fermi"."""
    return table.named_or_table("form_factor", "fermi").of_kind("kind", FORM_FACTORS, isotopes)


def _read_radii(table: Table, isotopes: Sequence[Isotope]) -> Radii:
    """Root mean square radii in fm of the elements or the isotopes of the target that the file names."""
    if "radii" not in table:
        return ()
    radii = table.table("radii")
    known = {name for isotope in isotopes for name in (isotope.symbol, isotope.name)}
    for name in radii.names():
        if name not in known:
            raise radii.error(name, "is no element and no isotope of the target")
    return tuple((name, radii.quantity(name, "nuclear length")) for name in radii.names())


def _told_radii(radii: Radii) -> str:
    return "".join(f", {name} {radius:.6g} fm" for name, radius in radii)


def _rms(radii: Radii, isotope: Isotope) -> float | None:
    """Root mean square radius in fm, given for an isotope or else for its element; None where neither is given."""
    given = dict(radii)
    return given.get(isotope.name, given.get(isotope.symbol))
