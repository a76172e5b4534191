"""Neutrino sources: each flavour's fluence at the detector, as lines and continuous spectra.

A spectrum offers one thing: nodes and weights with which an integral over neutrino energy becomes a sum.  Energies
are in MeV, fluences in neutrinos per cm^2.  A function of a source takes its exposure in s and the `dilution` in
cm^-2: the mean of 1/(4 pi r^2) over the detector, which turns neutrinos emitted into fluence.
"""

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fastscan.experiments.catalogue import (
    Cylinder,
    ElectronCapture,
    Experiment,
    Geometry,
    PionDecayAtRest,
    Point,
    Reactor,
)
from fastscan.inputs import data_files as tables
from fastscan.physics.constants import JOULE_PER_MEV, M_MUON, M_PION
from fastscan.physics.quadrature import gauss_legendre
from fastscan.typing import Array


class Spectrum(Protocol):
    """Fluence of one flavour."""

    def quadrature(self, splits: Iterable[float]) -> tuple[Array, Array]:
        """Energies (MeV) and fluences (cm^-2) whose sum is the integral over the spectrum.

        Exact for functions that are smooth between the `splits` (MeV).
        """


@dataclass(frozen=True)
class Line:
    """Neutrinos of one energy (MeV): their fluence (cm^-2)."""

    energy: float
    fluence: float

    def quadrature(self, splits: Iterable[float]) -> tuple[Array, Array]:
        return np.array([self.energy]), np.array([self.fluence])


@dataclass(frozen=True)
class Continuum:
    """Fluence (cm^-2 / MeV) as a function of energy (MeV) that is smooth between its knots."""

    knots: tuple[float, ...]
    density: Callable[[Array], Array]

    def quadrature(self, splits: Iterable[float]) -> tuple[Array, Array]:
        inside = [energy for energy in splits if self.knots[0] < energy < self.knots[-1]]
        edges = np.unique([*self.knots, *inside])
        energies, widths = gauss_legendre(edges[:-1], edges[1:])
        return energies.ravel(), (widths * self.density(energies)).ravel()


def prompt_energy() -> float:
    """Energy of the nu_mu from pion decay at rest (Eq. 17), MeV.

    Examples
    --------
    >>> round(prompt_energy(), 4)
    29.7921
    """
    return (M_PION**2 - M_MUON**2) / (2 * M_PION)


def michel_nu_e(energy: Array) -> Array:
    """Spectrum of the nu_e from muon decay at rest, normalised to 1 (Eq. 17).

        192 / m_mu (E / m_mu)^2 (1/2 - E / m_mu)

    Parameters
    ----------
    energy : array, shape (...)
        In MeV, from 0 to m_mu / 2.

    Returns
    -------
    array, shape (...)
        In 1/MeV.

    Examples
    --------
    It is largest at m_mu / 3:

    >>> float(michel_nu_e(np.array(M_MUON / 3)).round(6))
    0.033651
    """
    x = energy / M_MUON
    return 192 / M_MUON * x**2 * (1 / 2 - x)


def michel_nubar_mu(energy: Array) -> Array:
    """Spectrum of the nubar_mu from muon decay at rest, normalised to 1 (Eq. 17).

        64 / m_mu (E / m_mu)^2 (3/4 - E / m_mu)

    Parameters
    ----------
    energy : array, shape (...)
        In MeV, from 0 to m_mu / 2.

    Returns
    -------
    array, shape (...)
        In 1/MeV.

    Examples
    --------
    It is largest at its end:

    >>> float(michel_nubar_mu(np.array(M_MUON / 2)).round(6))
    0.037858
    """
    x = energy / M_MUON
    return 64 / M_MUON * x**2 * (3 / 4 - x)


def spectra(experiment: Experiment) -> list[Spectrum]:
    """Fluence of each of a source's neutrinos at the detector, over the experiment's exposure.

    Returns
    -------
    list of Spectrum
        One for each flavour or line; their nodes are in MeV, their weights in cm^-2.

    Examples
    --------
    The fluence of each flavour at COHERENT's CsI[Na], 19.3 m from 1.76e23 protons:

    >>> from fastscan.experiments.catalogue import load
    >>> [f"{spectrum.quadrature([])[1].sum():.4g}" for spectrum in spectra(load("coherent-csi"))]
    ['3.008e+14', '3.008e+14', '3.008e+14']
    """
    dilution = mean_inverse_square(experiment.geometry) / (4 * math.pi) * 1e-4  # 1/m^2 to 1/cm^2
    match experiment.source:
        case PionDecayAtRest() as source:
            return pion_decay_at_rest(source, experiment.exposure_s, dilution)
        case Reactor() as source:
            return reactor(source, experiment.exposure_s, dilution)
        case ElectronCapture() as source:
            return electron_capture(source, experiment.exposure_s, dilution)


def mean_inverse_square(geometry: Geometry) -> float:
    """Mean of 1/r^2 over a detector, r the distance from the source, in m^-2.

    For a cylinder of volume V and radius R at a distance L, pi/V [G(L + h) - G(L)] with
    G(z) = z ln(1 + R^2/z^2) + 2 R arctan(z/R)  (after Eq. 20).

    Examples
    --------
    >>> round(mean_inverse_square(Cylinder(1.38, 1.38, 1.0)), 6)
    0.37558
    """
    match geometry:
        case Point(distance):
            return 1 / distance**2
        case Cylinder(height, diameter, distance):
            R, L = diameter / 2, distance

            def G(z: float) -> float:  # noqa: N802 the name of the formula
                return z * math.log1p((R / z) ** 2) + 2 * R * math.atan(z / R)

            return math.pi / geometry.volume_m3 * (G(L + height) - G(L))


def pion_decay_at_rest(source: PionDecayAtRest, exposure_s: float, dilution: float) -> list[Spectrum]:
    """nu_mu, nu_e and nubar_mu of a stopped-pion source, in this order and of equal fluence (Eq. 17).

    An exposure that differs from the time of the protons on target is at the same rate of protons.
    """
    fluence = source.neutrinos_per_proton * source.protons * exposure_s / source.protons_in_s * dilution
    return [
        Line(prompt_energy(), fluence),
        Continuum((0.0, source.endpoint_mev), lambda energy: fluence * michel_nu_e(energy)),
        Continuum((0.0, source.endpoint_mev), lambda energy: fluence * michel_nubar_mu(energy)),
    ]


def fission_spectrum(isotope: str, energy: Array) -> Array:
    """Antineutrinos per fission and MeV.

    From 2 MeV on exp(sum_k alpha_k E^(k-1)); below, linear between the points of a table, and zero below the first of
    them.

    Parameters
    ----------
    isotope : {"U235", "U238", "Pu239", "Pu241"}
        What fissions.
    energy : array, shape (...)
        In MeV, up to 10.

    Returns
    -------
    array, shape (...)
        In 1/MeV per fission.

    References
    ----------
    Mueller et al., Phys. Rev. C 83 (2011) 054615, Table VI; Vogel and Engel, Phys. Rev. D 39 (1989) 3378, Table II.

    Examples
    --------
    >>> fission_spectrum("U235", np.array([0.001, 0.5, 2.0, 5.0])).round(4)
    array([0.    , 2.66  , 1.308 , 0.1084])
    """
    low = _columns("reactor_low_energy.csv")
    (alpha,) = (row for row in tables.rows("reactor_mueller.csv") if row["isotope"] == isotope)
    high = sum(float(alpha[f"alpha{k}"]) * energy ** (k - 1) for k in range(1, 7))
    below = np.interp(energy, low["energy_mev"], low[isotope], left=0.0)
    return np.where(energy < low["energy_mev"][-1], below, np.exp(high))


def reactor(source: Reactor, exposure_s: float, dilution: float) -> list[Spectrum]:
    """nubar_e of a reactor: fissions at its thermal power times the mean spectrum of its fuel; no oscillation.

    Fissions per second are the power over the mean energy per fission; at 3.9 GW there are 1.18e20.

    References
    ----------
    Energy per fission: Ma et al., Phys. Rev. C 88 (2013) 014605; spectra: see `fission_spectrum`.

    Examples
    --------
    >>> plant = Reactor(3.9e9, (("U235", 0.556), ("U238", 0.071), ("Pu239", 0.326), ("Pu241", 0.047)))
    >>> (spectrum,) = reactor(plant, exposure_s=1.0, dilution=1.0)
    >>> assert isinstance(spectrum, Continuum)
    >>> f"{spectrum.density(np.array(0.5)):.3g}"
    '3.16e+20'
    """
    released = {row["isotope"]: float(row["energy_mev"]) for row in tables.rows("fission_energy.csv")}
    energy_per_fission = sum(share * released[fuel] for fuel, share in source.fission_fractions)
    fissions = source.power_w * exposure_s / (energy_per_fission * JOULE_PER_MEV)

    def density(energy: Array) -> Array:
        mean = sum(share * fission_spectrum(fuel, energy) for fuel, share in source.fission_fractions)
        return fissions * dilution * np.asarray(mean)

    low = _columns("reactor_low_energy.csv")["energy_mev"]
    return [Continuum((*map(float, low), source.endpoint_mev), density)]


def electron_capture(source: ElectronCapture, exposure_s: float, dilution: float) -> list[Spectrum]:
    """Lines of a source that decays while it is measured (Eqs. 18, 19).

    With the activity R0 at the start and tau = half-life / ln 2, it decays R0 tau (1 - exp(-t / tau)) times in an
    exposure t.

    Examples
    --------
    In one half-life half of the nuclei decay:

    >>> (line,) = electron_capture(ElectronCapture(1.0, 100.0, ((0.75, 1.0),)), exposure_s=100.0, dilution=1.0)
    >>> float(line.quadrature([])[1][0] / (100 / math.log(2)))
    0.5
    """
    lifetime = source.half_life_s / math.log(2)
    decays = source.activity_bq * lifetime * -math.expm1(-exposure_s / lifetime)
    return [Line(energy, share * decays * dilution) for energy, share in source.lines]


@functools.cache
def _columns(name: str) -> dict[str, Array]:
    """Columns of a table of numbers in the package's data."""
    rows = tables.rows(name)
    return {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
