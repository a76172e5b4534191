"""Kinds of neutrino sources: stopped pions, reactors and radioactive sources, and the table of every kind.

A new kind of source is a new class and its line in `SOURCES`.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from fastscan.errors import ExperimentError, unknown
from fastscan.experiments import geometry
from fastscan.experiments.fluxes import GivenFlux
from fastscan.experiments.geometry import Point
from fastscan.experiments.source import Source
from fastscan.experiments.sun import Sun
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.inputs.units import told
from fastscan.physics.arrival import OF_PIONS, Delays
from fastscan.physics.constants import JOULE_PER_MEV
from fastscan.physics.reactors import EVALUATIONS
from fastscan.physics.spectra import (
    MICHEL_ENDPOINT_MEV,
    Continuum,
    Line,
    Spectrum,
    fission_energy,
    michel_nu_e,
    michel_nubar_mu,
    prompt_energy,
)
from fastscan.typing import Array

FUELS = ("U235", "U238", "Pu239", "Pu241")


@dataclass(frozen=True)
class PionDecayAtRest(Source):
    """A stopped-pion source.

    Attributes
    ----------
    neutrinos_per_proton : float
        Number per proton of each of nu_mu, nu_e and nubar_mu.
    protons : float
        Number of protons on target.
    protons_in_s : float
        Time in s in which these protons arrive.
    """

    neutrinos_per_proton: float
    protons: float
    protons_in_s: float
    group: ClassVar[str] = "spallation"
    delays: ClassVar[Delays] = OF_PIONS
    endpoint_mev: ClassVar[float] = MICHEL_ENDPOINT_MEV

    @classmethod
    def read(cls, table: Table) -> Self:
        """The stopped-pion source that a ``[source]`` table describes."""
        return cls(
            neutrinos_per_proton=table.number("neutrinos_per_proton", *bounds.NEUTRINOS_PER_PROTON),
            protons=table.number("protons", *bounds.PROTONS),
            protons_in_s=table.quantity("protons_in", "time"),
        )

    def told(self) -> str:
        """See `Source.told`."""
        protons = f"{self.protons:.6g} protons in {told(self.protons_in_s, 'time')}"
        return f"pions at rest, {protons}, each giving {self.neutrinos_per_proton:.6g} neutrinos of each flavour"

    def spectra(self, exposure_s: float, dilution: float) -> list[Spectrum]:
        """nu_mu, nu_e and nubar_mu, in this order and of equal fluence, see `Source.spectra`.

        Protons arrive at a constant rate, so that the fluence is proportional to the exposure.

        References
        ----------
        Eq. 17 of arXiv:2002.01482.

        Examples
        --------
        The fluence of each neutrino at COHERENT's CsI[Na], 19.3 m from 1.76e23 protons:

        >>> source = PionDecayAtRest(neutrinos_per_proton=0.08, protons=1.76e23, protons_in_s=1.0)
        >>> spectra = source.spectra(exposure_s=1.0, dilution=1 / (4 * math.pi * 1930**2))
        >>> [f"{spectrum.neutrino} {spectrum.total:.4g}" for spectrum in spectra]
        ['nu_mu 3.008e+14', 'nu_e 3.008e+14', 'nubar_mu 3.008e+14']
        """
        fluence = self.neutrinos_per_proton * self.protons * exposure_s / self.protons_in_s * dilution
        return [
            Line("nu_mu", prompt_energy(), fluence),
            Continuum("nu_e", (0.0, self.endpoint_mev), lambda energy: fluence * michel_nu_e(energy)),
            Continuum("nubar_mu", (0.0, self.endpoint_mev), lambda energy: fluence * michel_nubar_mu(energy)),
        ]


@dataclass(frozen=True)
class Core:
    """One of several cores: its thermal power `power_w` in W, and `place`, the detector's position relative to it."""

    power_w: float
    place: Point

    @classmethod
    def read(cls, table: Table) -> Self:
        """The core that one of the tables ``cores`` describes."""
        core = cls(table.quantity("power", "power"), Point.read(table))
        table.done()
        return core

    def told(self) -> str:
        """The core in words."""
        return f"{told(self.power_w, 'power')} thermal at {told(self.place.distance_m, 'length')}"


@dataclass(frozen=True)
class Reactor(Source):
    """A reactor: its power or flux, its fuel, and the evaluation of its spectrum.

    Attributes
    ----------
    power_w : float or None
        Thermal power in W; None where `flux` or `cores` are given.
    fission_fractions : tuple of (str, float)
        Isotopes of `FUELS` and their fractions of the fissions.
    evaluation : str
        Name of the spectrum's evaluation in `reactors.EVALUATIONS`.
    flux : float or None
        Antineutrinos of all energies at the detector in cm^-2 s^-1; None where a power is given.
    cores : tuple of Core
        Several cores with powers and distances of their own, and with the same fuel, in place of `power_w`.
    duty_factor : float
        Fraction of the exposure in which the reactor has this power or flux; the rest of the time it is off.
    """

    power_w: float | None
    fission_fractions: tuple[tuple[str, float], ...]
    evaluation: str = "mueller-vogel-engel"
    flux: float | None = None
    cores: tuple[Core, ...] = ()
    duty_factor: float = 1.0
    group: ClassVar[str] = "reactor"

    def __post_init__(self) -> None:
        if (self.power_w is not None) + (self.flux is not None) + bool(self.cores) != 1:
            raise ExperimentError("a reactor has a power, a flux or cores, and one of them only")
        if self.evaluation not in EVALUATIONS:
            raise unknown("spectrum", self.evaluation, EVALUATIONS, ExperimentError)
        if self.flux is None and not EVALUATIONS[self.evaluation].of_any_fuel:
            known = ", ".join(name for name, each in EVALUATIONS.items() if each.of_any_fuel)
            raise ExperimentError(
                f"{self.evaluation} has a shape, but no number for each fission: give the flux, or one of {known}"
            )

    @classmethod
    def read(cls, table: Table) -> Self:
        """The reactor that a ``[source]`` table describes; its fission fractions must add up to 1."""
        fractions = table.table("fission_fractions")
        shares = tuple((fuel, fractions.number(fuel, *bounds.SHARE)) for fuel in FUELS if fuel in fractions)
        fractions.done()
        total = math.fsum(share for _, share in shares)
        if abs(total - 1) > bounds.SHARE_ROUNDING:
            raise table.error("fission_fractions", f"must add up to 1, not {total:g}")
        power, flux, cores = _read_strength(table)
        evaluation = table.choice("spectrum", EVALUATIONS, "mueller-vogel-engel")
        duty_factor = table.number("duty_factor", *bounds.DUTY_FACTOR) if "duty_factor" in table else 1.0
        return table.checked("spectrum", lambda: cls(power, shares, evaluation, flux, cores, duty_factor))

    @property
    def at_detector(self) -> bool:
        """See `Source.at_detector`; only a single power needs the experiment's geometry."""
        return self.power_w is None

    @property
    def endpoint_mev(self) -> float:
        """Energy in MeV at which the spectrum ends."""
        return EVALUATIONS[self.evaluation].knots()[-1]

    def told(self) -> str:
        """See `Source.told`."""
        shares = ", ".join(f"{fuel} {share:.6g}" for fuel, share in self.fission_fractions)
        if self.power_w is not None:
            strength = f"by power, {told(self.power_w, 'power')} thermal"
        elif self.flux is not None:
            strength = f"by total flux, {self.flux:.6g} /cm2/s"
        else:
            strength = f"by power of its cores, {', '.join(core.told() for core in self.cores)}"
        duty = "" if self.duty_factor == 1 else f", {self.duty_factor:.6g} of the time"
        return f"{strength}{duty}, fissions {shares}, spectrum {self.evaluation}"

    def spectra(self, exposure_s: float, dilution: float) -> list[Spectrum]:
        """nubar_e, without oscillation, see `Source.spectra`.

        The number of fissions is the thermal energy over the mean energy per fission (`fission_energy`); at 3.9 GW
        there are 1.18e20 in a second.  The spectrum is the mean of its fuels' spectra, weighted by their fractions.
        Where the flux is given, only the shape of the spectrum is used.

        Examples
        --------
        >>> fuel = (("U235", 0.556), ("U238", 0.071), ("Pu239", 0.326), ("Pu241", 0.047))
        >>> (spectrum,) = Reactor(3.9e9, fuel).spectra(exposure_s=1.0, dilution=1.0)
        >>> assert isinstance(spectrum, Continuum)
        >>> f"{spectrum.density(np.array(0.5)):.3g}"
        '3.16e+20'
        """
        evaluation, live_s = EVALUATIONS[self.evaluation], self.duty_factor * exposure_s
        weights = dict(self.fission_fractions)
        if self.flux is not None:
            scale, weights = self.flux * live_s, dict(evaluation.unit_weights(weights))
        elif self.power_w is not None:
            scale = self._fissions(self.power_w, live_s) * dilution
        else:
            scale = sum(self._fissions(core.power_w, live_s) * geometry.dilution(core.place) for core in self.cores)

        def density(energy: Array) -> Array:
            return scale * np.asarray(sum(part * evaluation.spectrum(fuel, energy) for fuel, part in weights.items()))

        return [Continuum("nubar_e", evaluation.knots(), density)]

    def _fissions(self, power_w: float, seconds: float) -> float:
        """Number of fissions in some seconds at a thermal power in W."""
        energy_per_fission = sum(share * fission_energy(fuel) for fuel, share in self.fission_fractions)
        return power_w * seconds / (energy_per_fission * JOULE_PER_MEV)


def _read_strength(table: Table) -> tuple[float | None, float | None, tuple[Core, ...]]:
    """The power, the flux or the cores of a reactor."""
    if "flux" in table:
        for key in ("power", "cores"):
            table.refuse(key, "the flux at the detector is given")
        return None, table.quantity("flux", "flux"), ()
    if "cores" in table:
        table.refuse("power", "each of the cores has its own")
        return None, None, tuple(map(Core.read, table.tables("cores")))
    return table.quantity("power", "power"), None, ()


@dataclass(frozen=True)
class ElectronCapture(Source):
    """A radioactive source.

    Attributes
    ----------
    activity_bq, half_life_s : float
        Activity in Bq when the detector begins to count, and half-life in s.
    lines : tuple of (float, float)
        Neutrino energies in MeV, and their fractions of all decays.
    """

    activity_bq: float
    half_life_s: float
    lines: tuple[tuple[float, float], ...]
    group: ClassVar[str] = "radioactive source"

    @classmethod
    def read(cls, table: Table) -> Self:
        """The radioactive source that a ``[source]`` table describes; its lines' fractions add up to at most 1."""
        lines = []
        for line in table.tables("lines"):
            lines.append((line.quantity("energy", "energy"), line.number("fraction", *bounds.SHARE)))
            line.done()
        total = math.fsum(fraction for _, fraction in lines)
        if total > 1 + bounds.SHARE_ROUNDING:
            raise table.error("lines", f"fractions of all decays must not add up to more than 1, but to {total:g}")
        return cls(table.quantity("activity", "activity"), table.quantity("half_life", "time"), tuple(lines))

    def told(self) -> str:
        """See `Source.told`."""
        lines = ", ".join(f"{told(energy, 'energy')} in {100 * share:.4g} %" for energy, share in self.lines)
        half_life = told(self.half_life_s, "time")
        return f"{told(self.activity_bq, 'activity')} at the start, half-life {half_life}, lines {lines} of decays"

    @property
    def endpoint_mev(self) -> float:
        """Energy of the highest line in MeV."""
        return max(energy for energy, _ in self.lines)

    def spectra(self, exposure_s: float, dilution: float) -> list[Spectrum]:
        """The nu_e lines of a source that decays while the detector counts, see `Source.spectra`.

        With the activity R0 at the start and tau = half-life / ln 2, there are R0 tau (1 - exp(-t / tau)) decays in an
        exposure t.

        References
        ----------
        Eqs. 18 and 19 of arXiv:2002.01482.

        Examples
        --------
        In one half-life half of the nuclei decay:

        >>> (line,) = ElectronCapture(1.0, 100.0, ((0.75, 1.0),)).spectra(exposure_s=100.0, dilution=1.0)
        >>> float(line.total / (100 / math.log(2)))
        0.5
        """
        lifetime = self.half_life_s / math.log(2)
        decays = self.activity_bq * lifetime * -math.expm1(-exposure_s / lifetime)
        return [Line("nu_e", energy, share * decays * dilution) for energy, share in self.lines]


SOURCES: dict[str, type[Source]] = {
    "pion-decay-at-rest": PionDecayAtRest,
    "reactor": Reactor,
    "electron-capture": ElectronCapture,
    "sun": Sun,
    "table": GivenFlux,
}
