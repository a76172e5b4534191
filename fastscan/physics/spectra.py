"""Spectra of neutrinos: the fluence of one kind of neutrino by energy.

A spectrum has moments: integrals over the neutrino energies that give a recoil, times powers of 1/E, because every
cross section is a polynomial in 1/E.
Energies are in MeV, fluences in neutrinos per cm^2.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from fastscan.inputs import data_files
from fastscan.physics.constants import M_MUON, M_PION
from fastscan.physics.quadrature import STEEPEST, gauss_legendre, panels
from fastscan.typing import FLAVOURS, Array

Neutrino = Literal["nu_e", "nu_mu", "nu_tau", "nubar_e", "nubar_mu", "nubar_tau"]

MICHEL_ENDPOINT_MEV = M_MUON / 2  # largest energy of both neutrinos from the decay of a muon at rest
FISSION_ENDPOINT_MEV = 10.0  # last energy of the tabulated spectra of fission


def flavour(neutrino: Neutrino) -> int:
    """Index of a neutrino's flavour in `fastscan.typing.FLAVOURS`, the same for its antineutrino.

    Examples
    --------
    >>> flavour("nubar_mu")
    1
    """
    return FLAVOURS.index(neutrino.split("_")[1])


def is_antineutrino(neutrino: Neutrino) -> bool:
    """Whether a neutrino is an antineutrino, for which left- and right-handed couplings are exchanged."""
    return neutrino.startswith("nubar")


class Spectrum(Protocol):
    """Fluence of one neutrino as a function of its energy."""

    @property
    def neutrino(self) -> Neutrino:
        """The neutrino that has this spectrum."""

    @property
    def knots(self) -> tuple[float, ...]:
        """Energies in MeV between which the fluence is smooth, ascending; beyond them the fluence is 0."""

    def moments(self, minimum: Array) -> Array:
        """Integrals of the fluence over the energies E above some minimum, times 1, 1/E and 1/E^2.

        Parameters
        ----------
        minimum : array, shape (...)
            Energies in MeV, above 0.

        Returns
        -------
        array, shape (3, ...)
            In cm^-2, cm^-2 / MeV and cm^-2 / MeV^2.
        """

    @property
    def total(self) -> float:
        """Fluence at all energies in cm^-2."""


@dataclass(frozen=True)
class Line:
    """Neutrinos of one energy.

    Attributes
    ----------
    neutrino : Neutrino
    energy : float
        Energy in MeV.
    fluence : float
        Fluence in cm^-2.
    """

    neutrino: Neutrino
    energy: float
    fluence: float

    @property
    def knots(self) -> tuple[float, ...]:
        """The energy of the line."""
        return (self.energy,)

    def moments(self, minimum: Array) -> Array:
        """See `Spectrum.moments`; they are 0 where the line's energy isn't above the minimum."""
        powers = self.fluence * self.energy ** -np.arange(3.0)
        return np.where(np.asarray(minimum) < self.energy, powers.reshape(3, *(1,) * np.ndim(minimum)), 0.0)

    @property
    def total(self) -> float:
        """See `Spectrum.total`."""
        return self.fluence


@dataclass(frozen=True)
class Continuum:
    """Neutrinos whose fluence is a function of their energy that is smooth between knots.

    Attributes
    ----------
    neutrino : Neutrino
    knots : tuple of float
        Energies in MeV, ascending.  The fluence is zero below the first and above the last.
    density : callable
        Function from an array of energies in MeV to the fluence per energy in cm^-2 / MeV, in the array's shape.
    """

    neutrino: Neutrino
    knots: tuple[float, ...]
    density: Callable[[Array], Array]

    def moments(self, minimum: Array) -> Array:
        """Sums over nodes in energy, see `Spectrum.moments`.

        Examples
        --------
        >>> box = Continuum("nu_e", (0.0, 10.0), np.ones_like)
        >>> box.moments(np.array([4.0, 10.0])).round(6)
        array([[6.      , 0.      ],
               [0.916291, 0.      ],
               [0.15    , 0.      ]])
        """
        ends = self._ends
        low = np.maximum(minimum, ends[0])
        inside = low < ends[-1]
        found = np.zeros((3, *np.shape(minimum)))
        next_end = np.searchsorted(ends, low[inside], side="right")
        found[:, inside] = self._above[:, next_end] + self._moments(low[inside], ends[next_end])
        return found

    @functools.cached_property
    def _ends(self) -> Array:
        """Ends of the pieces of the integral over all energies, in MeV."""
        return panels(np.array(self.knots), STEEPEST)

    @functools.cached_property
    def _above(self) -> Array:
        """Moments above each of `_ends`, shape (3, ends)."""
        above = np.zeros((3, len(self._ends)))
        above[:, :-1] = np.cumsum(self._moments(self._ends[:-1], self._ends[1:])[:, ::-1], axis=1)[:, ::-1]
        return above

    def _moments(self, low: Array, high: Array) -> Array:
        """Integrals of the fluence times powers of the energy between energies of shape (...), shape (3, ...)."""
        energies, widths = gauss_legendre(low, high)
        fluences = widths * self.density(energies)
        return np.stack([(fluences / energies**power).sum(axis=-1) for power in range(3)])

    @property
    def total(self) -> float:
        """See `Spectrum.total`."""
        return float(self._moments(self._ends[:-1], self._ends[1:])[0].sum())


def prompt_energy() -> float:
    """Energy in MeV of the nu_mu from pion decay at rest (Eq. 17 of arXiv:2002.01482).

        (m_pi^2 - m_mu^2) / (2 m_pi)

    Examples
    --------
    >>> round(prompt_energy(), 4)
    29.7921
    """
    return (M_PION**2 - M_MUON**2) / (2 * M_PION)


def michel_nu_e(energy: Array) -> Array:
    """Spectrum of the nu_e from muon decay at rest, normalised to 1 (Eq. 17 of arXiv:2002.01482).

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
    The spectrum is largest at m_mu / 3:

    >>> float(michel_nu_e(np.array(M_MUON / 3)).round(6))
    0.033651
    """
    x = energy / M_MUON
    return 192 / M_MUON * x**2 * (1 / 2 - x)


def michel_nubar_mu(energy: Array) -> Array:
    """Spectrum of the nubar_mu from muon decay at rest, normalised to 1 (Eq. 17 of arXiv:2002.01482).

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
    The spectrum is largest at its end:

    >>> float(michel_nubar_mu(np.array(M_MUON / 2)).round(6))
    0.037858
    """
    x = energy / M_MUON
    return 64 / M_MUON * x**2 * (3 / 4 - x)


def fission_spectrum(isotope: str, energy: Array) -> Array:
    """Antineutrinos per fission and MeV.

    From 2 MeV on, the spectrum is exp(sum_k alpha_k E^(k-1)).  Below 2 MeV it is linear between the points of a table,
    and zero below the first point.

    Parameters
    ----------
    isotope : {"U235", "U238", "Pu239", "Pu241"}
        The isotope that fissions.
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
    low = data_files.columns("reactor_low_energy.csv")
    (alpha,) = (row for row in data_files.rows("reactor_mueller.csv") if row["isotope"] == isotope)
    high = sum(float(alpha[f"alpha{k}"]) * energy ** (k - 1) for k in range(1, 7))
    below = np.interp(energy, low["energy_mev"], low[isotope], left=0.0)
    return np.where(energy < low["energy_mev"][-1], below, np.exp(high))


def fission_knots() -> tuple[float, ...]:
    """Energies in MeV between which `fission_spectrum` is smooth, ascending, from its first energy to its last."""
    return (*map(float, data_files.columns("reactor_low_energy.csv")["energy_mev"]), FISSION_ENDPOINT_MEV)


@functools.cache
def fission_energy(isotope: str) -> float:
    """Mean energy that a fission of an isotope releases in a reactor, in MeV.

    Parameters
    ----------
    isotope : {"U235", "U238", "Pu239", "Pu241"}
        The isotope that fissions.

    References
    ----------
    Ma et al., Phys. Rev. C 88 (2013) 014605.

    Examples
    --------
    >>> fission_energy("U235")
    202.36
    """
    (energy,) = (row["energy_mev"] for row in data_files.rows("fission_energy.csv") if row["isotope"] == isotope)
    return float(energy)
