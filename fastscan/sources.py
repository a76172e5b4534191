"""Neutrino sources: each flavour's fluence at the detector, as lines and continuous spectra.

A spectrum offers one thing: nodes and weights with which an integral over neutrino energy becomes a sum.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fastscan.constants import M_MUON, M_PION
from fastscan.experiments import PionDecayAtRest
from fastscan.typing import Array

NODES = 32  # of a Gauss-Legendre rule on each smooth piece: 64 change no event count by 1e-12


def gauss_legendre(low: Array, high: Array) -> tuple[Array, Array]:
    """Nodes and weights on the intervals [low, high], shape (..., NODES)."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = np.asarray(high - low)[..., None] / 2
    return np.asarray(low)[..., None] + half * (1 + nodes), half * weights


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
    """Spectrum of the nu_e from muon decay at rest, normalised to 1 below m_mu / 2 (Eq. 17), 1/MeV."""
    x = energy / M_MUON
    return 192 / M_MUON * x**2 * (1 / 2 - x)


def michel_nubar_mu(energy: Array) -> Array:
    """Spectrum of the nubar_mu from muon decay at rest, normalised to 1 below m_mu / 2 (Eq. 17), 1/MeV."""
    x = energy / M_MUON
    return 64 / M_MUON * x**2 * (3 / 4 - x)


def pion_decay_at_rest(source: PionDecayAtRest, exposure_s: float) -> list[Spectrum]:
    """nu_mu, nu_e and nubar_mu of a stopped-pion source (Eq. 17)."""
    protons = source.protons * exposure_s / source.protons_in_s
    area_cm2 = 4 * math.pi * (source.baseline_m * 1e2) ** 2
    fluence = source.neutrinos_per_proton * protons / area_cm2
    return [
        Line(prompt_energy(), fluence),
        Continuum((0.0, M_MUON / 2), lambda energy: fluence * michel_nu_e(energy)),
        Continuum((0.0, M_MUON / 2), lambda energy: fluence * michel_nubar_mu(energy)),
    ]
