"""The sun as a source of neutrinos: its components, their fluxes, and the flavours in which they arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from fastscan.errors import unknown
from fastscan.experiments.source import Source
from fastscan.inputs import bounds, points
from fastscan.inputs.toml import Table
from fastscan.inputs.units import UNITS
from fastscan.physics import solar
from fastscan.physics.spectra import Continuum, Line, Neutrino, Spectrum
from fastscan.typing import Array

ENERGY_UNITS = UNITS["energy"]
PROBABILITY = "a number from 0 to 1, or a table of them by energy"


@dataclass(frozen=True)
class Survival:
    """Probability that a nu_e of the sun arrives as a nu_e: linear between energies, constant outside of them.

    Attributes
    ----------
    energies : tuple of float, shape (points,)
        Neutrino energies in MeV, ascending.
    values : tuple of float, shape (points,)
        Probabilities at these energies.
    """

    energies: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def read(cls, table: Table, key: str) -> Self:
        """The probability of a key: a number, or a table with ``unit``, ``energy`` and ``values``, or a ``file``."""
        table.take(key, (int, float, dict), PROBABILITY)
        if table.is_number(key):
            return cls((0.0,), (table.number(key, *bounds.SHARE),))
        inner = table.table(key)
        unit = ENERGY_UNITS[inner.choice("unit", ENERGY_UNITS)]
        energies, values = points.read(inner, "energy", "values", bounds.NEUTRINO_ENERGY, bounds.SHARE)
        inner.done()
        return cls(tuple(energy * unit for energy in energies), values)

    def told(self) -> str:
        """The probability in words."""
        if len(self.values) == 1:
            return f"{self.values[0]:.6g}"
        return f"{min(self.values):.6g} to {max(self.values):.6g} by energy"


@dataclass(frozen=True)
class Component:
    """The neutrinos of one reaction.

    Attributes
    ----------
    name : str
        Name of the reaction in `solar.fluxes`.
    flux : float
        Flux of all neutrinos of this reaction at the detector, in cm^-2 s^-1.
    survival : Survival
    """

    name: str
    flux: float
    survival: Survival

    @property
    def endpoint_mev(self) -> float:
        """Largest energy of the neutrinos in MeV."""
        lines = solar.lines(self.name)
        return max(energy for energy, _ in lines) if lines else float(solar.spectrum(self.name)[0][-1])

    def spectra(self, exposure_s: float, neutrino: Neutrino, shares: Array) -> list[Spectrum]:
        """Lines or spectrum of one neutrino; `shares` are its shares of the flux at the energies of `survival`."""
        fluence, energies = self.flux * exposure_s, self.survival.energies
        lines = solar.lines(self.name)
        if lines:
            found = [fluence * fraction * float(np.interp(energy, energies, shares)) for energy, fraction in lines]
            return [Line(neutrino, energy, number) for (energy, _), number in zip(lines, found, strict=True)]
        at, emitted = solar.spectrum(self.name)
        inside = [energy for energy in energies if at[0] < energy < at[-1]]

        def density(energy: Array) -> Array:
            return fluence * np.interp(energy, at, emitted) * np.interp(energy, energies, shares)

        return [Continuum(neutrino, tuple(map(float, np.union1d(at, inside))), density)]


@dataclass(frozen=True)
class Sun(Source):
    """The sun.

    Attributes
    ----------
    components : tuple of Component
        The neutrinos of each reaction in the sun.
    nu_mu_share : float
        Fraction of nu_mu among the neutrinos that don't arrive as nu_e; the others are nu_tau.
    """

    components: tuple[Component, ...]
    nu_mu_share: float = 0.5
    group: ClassVar[str] = "sun"
    at_detector: ClassVar[bool] = True
    mixed: ClassVar[bool] = True

    @classmethod
    def read(cls, table: Table) -> Self:
        """The sun that a ``[source]`` table describes; fluxes that it leaves out are taken from `solar.fluxes`."""
        names = table.texts("components")
        for name in names:
            if name not in solar.fluxes():
                raise table.error("components", unknown("component", name, solar.fluxes()))
        given = table.table("fluxes", {})
        fluxes = [given.quantity(name, "flux") if name in given else solar.fluxes()[name] for name in names]
        given.done()
        components = map(Component, names, fluxes, _read_survivals(table, names))
        share = table.number("nu_mu_share", *bounds.SHARE) if "nu_mu_share" in table else cls.nu_mu_share
        return cls(tuple(components), share)

    def told(self) -> str:
        """See `Source.told`."""
        found = [f"{each.name} {each.flux:.6g} /cm2/s, survival {each.survival.told()}" for each in self.components]
        return f"{'; '.join(found)}; of those that do not survive, {self.nu_mu_share:.6g} are nu_mu"

    @property
    def endpoint_mev(self) -> float:
        """Largest energy of any neutrino in MeV."""
        return max(component.endpoint_mev for component in self.components)

    def spectra(self, exposure_s: float, dilution: float) -> list[Spectrum]:
        """nu_e, nu_mu and nu_tau of each component, without flavours that have no share, see `Source.spectra`.

        Examples
        --------
        7Be has two lines, each of them in three flavours:

        >>> beryllium = Component("7Be", 4.93e9, Survival((0.0,), (0.55,)))
        >>> lines = Sun((beryllium,), nu_mu_share=4 / 9).spectra(exposure_s=1.0, dilution=1.0)
        >>> [f"{line.neutrino} {line.fluence / 4.93e9:.4f}" for line in lines if isinstance(line, Line)]
        ['nu_e 0.4934', 'nu_e 0.0566', 'nu_mu 0.1794', 'nu_mu 0.0206', 'nu_tau 0.2243', 'nu_tau 0.0257']
        """
        found: list[Spectrum] = []
        for component in self.components:
            survived = np.array(component.survival.values)
            shares: dict[Neutrino, Array] = {
                "nu_e": survived,
                "nu_mu": (1 - survived) * self.nu_mu_share,
                "nu_tau": (1 - survived) * (1 - self.nu_mu_share),
            }
            for neutrino, share in shares.items():
                if share.any():
                    found += component.spectra(exposure_s, neutrino, share)
        return found


def _read_survivals(table: Table, names: Sequence[str]) -> list[Survival]:
    """The survival probability of each component: one for all, or one for each by its name."""
    table.take("survival", (int, float, dict), f"{PROBABILITY}, or one of them for each component")
    if table.is_number("survival") or "unit" in table.table("survival"):
        return [Survival.read(table, "survival")] * len(names)
    inner = table.table("survival")
    found = [Survival.read(inner, name) for name in names]
    inner.done()
    return found
