"""Cross sections of neutrinos off a nucleus or an electron at rest.

Each is a polynomial in 1/E, the inverse of the neutrino's energy, so that it depends on a spectrum only through the
three moments of `fastscan.physics.spectra.Spectrum.moments`: integrals of the fluence times 1, 1/E and 1/E^2.  A single
neutrino has the moments (1, 1/E, 1/E^2).  Energies, recoil energies and masses are in MeV; arrays broadcast.

A cross section is a sum over features, which are products of two couplings; a function here returns the coefficient of
each feature.  A new process is two such functions and their `Process`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastscan.physics.constants import ALPHA, CM2_PER_INVERSE_MEV2, G_FERMI, M_ELECTRON
from fastscan.physics.nuclei import Isotope
from fastscan.typing import Array


def momentum_transfer(recoil: Array, mass: float) -> Array:
    """Momentum of a recoiling target, Q = sqrt(T^2 + 2 M T).

    Parameters
    ----------
    recoil : array, shape (...)
        Recoil energy T in MeV.
    mass : float
        Mass M of the target in MeV.

    Returns
    -------
    array, shape (...)
        Q in MeV.
    """
    return np.sqrt(recoil * (recoil + 2 * mass))


def cevns(recoil: Array, moments: Array, isotope: Isotope, form_factor: Array) -> Array:
    """Differential cross section of CEvNS as coefficients of the squared couplings (Eqs. 1, 2 of arXiv:2002.01482).

        dsigma/dT = G_F^2 M / (2 pi) Q_W^2 [2 - 2 T/E - M T/E^2],   Q_W = (g_p Z + g_n N) F(Q)

    Reference: D. Z. Freedman, Phys. Rev. D 9 (1974) 1389.

    Parameters
    ----------
    recoil : array, shape (...)
        Recoil energy T in MeV.
    moments : array, shape (3, ...)
        Moments of the neutrinos that can give this recoil, see the module.
    isotope : Isotope
        The nucleus.
    form_factor : array, shape (...)
        F at the recoil's momentum transfer, dimensionless.

    Returns
    -------
    array, shape (..., 3)
        cm^2 / MeV, times the unit of the moments, per unit of g_p^2, g_p g_n and g_n^2.

    Examples
    --------
    A neutrino of 30 MeV on caesium, at a recoil of 10 keV:

    >>> from fastscan.physics.form_factors import fermi
    >>> from fastscan.physics.nuclei import elements
    >>> (caesium,) = elements()["Cs"]
    >>> recoil = np.array(0.01)
    >>> form_factor = fermi(momentum_transfer(recoil, caesium.mass_mev), caesium.A)
    >>> (cevns(recoil, 30.0 ** -np.arange(3), caesium, form_factor) * 1e36).round(3)
    array([1.191, 3.379, 2.396])
    """
    M = isotope.mass_mev
    strength = G_FERMI**2 * M / (2 * math.pi) * CM2_PER_INVERSE_MEV2
    kinematic = 2 * moments[0] - 2 * recoil * moments[1] - M * recoil * moments[2]
    return _coherent(strength * kinematic * form_factor**2, isotope)


def neutrino_electron(recoil: Array, moments: Array, antineutrino: bool) -> Array:
    """Differential cross section off a free electron as coefficients of the squared couplings (Eq. 6).

        dsigma/dT = 2 G_F^2 m_e / pi [g_L^2 + g_R^2 (1 - T/E)^2 - g_L g_R m_e T / E^2]

    for a neutrino.  For an antineutrino g_L and g_R are exchanged.

    Parameters
    ----------
    recoil : array, shape (...)
        Recoil energy T in MeV.
    moments : array, shape (3, ...)
        Moments of the neutrinos that can give this recoil, see the module.
    antineutrino : bool
        Whether these are antineutrinos.

    Returns
    -------
    array, shape (..., 3)
        cm^2 / MeV, times the unit of the moments, per unit of g_L^2, g_L g_R and g_R^2.

    References
    ----------
    Eq. 6 of arXiv:2002.01482; P. Vogel and J. Engel, Phys. Rev. D 39 (1989) 3378.

    Examples
    --------
    A 51Cr neutrino of 0.75 MeV, at recoils of 0.1 and 0.5 MeV:

    >>> moments = 0.75 ** -np.arange(3)[:, None]
    >>> (neutrino_electron(np.array([0.1, 0.5]), moments, antineutrino=False) * 1e44).round(3)
    array([[ 1.723, -0.157,  1.294],
           [ 1.723, -0.783,  0.191]])
    """
    strength = 2 * G_FERMI**2 * M_ELECTRON / math.pi * CM2_PER_INVERSE_MEV2
    same = moments[0] + 0.0 * recoil
    flipped = moments[0] - recoil * (2 * moments[1] - recoil * moments[2])
    terms = [same, -M_ELECTRON * recoil * moments[2], flipped]
    return strength * np.stack(terms[::-1] if antineutrino else terms, axis=-1)


def scalar_nucleus(recoil: Array, moments: Array, isotope: Isotope, form_factor: Array) -> Array:
    """Exchange of a scalar with a nucleus, without its propagator, as coefficients of the squared couplings.

        dsigma/dT = (C_p Z + C_n N)^2 F^2 M^2 T / (4 pi E^2) / (q^2 + m^2)^2

    Parameters and shapes are those of `cevns`.

    Returns
    -------
    array, shape (..., 3)
        cm^2 MeV^3, times the unit of the moments, per unit of C_p^2, C_p C_n and C_n^2: the propagator
        1 / (q^2 + m^2)^2, with q^2 = 2 M T and the scalar's mass m, is left out.

    References
    ----------
    D. G. Cerdeno et al., JHEP 05 (2016) 118, arXiv:1604.01025.
    """
    strength = CM2_PER_INVERSE_MEV2 / (4 * math.pi) * isotope.mass_mev**2
    return _coherent(strength * recoil * moments[2] * form_factor**2, isotope)


def scalar_electron(recoil: Array, moments: Array, antineutrino: bool = False) -> Array:
    """Exchange of a scalar with a free electron, without its propagator.

        dsigma/dT = m_e^2 T (1 + T / 2 m_e) / (4 pi E^2) / (2 m_e T + m^2)^2

    Units are as in `scalar_nucleus`.  There is one feature, the same for antineutrinos.
    """
    strength = CM2_PER_INVERSE_MEV2 / (4 * math.pi) * M_ELECTRON**2
    density: Array = strength * recoil * (1 + recoil / (2 * M_ELECTRON)) * moments[2]
    return density[..., None]


def magnetic_nucleus(recoil: Array, moments: Array, isotope: Isotope, form_factor: Array) -> Array:
    """Scattering of a magnetic moment off a nucleus.

        dsigma/dT = pi alpha^2 / m_e^2 (mu / mu_B)^2 Z^2 F^2 (1/T - 1/E)

    Parameters and shapes are those of `cevns`.

    Returns
    -------
    array, shape (..., 1)
        cm^2 / MeV, times the unit of the moments, per (mu / mu_B)^2.

    References
    ----------
    P. Vogel and J. Engel, Phys. Rev. D 39 (1989) 3378.
    """
    return isotope.Z**2 * form_factor[..., None] ** 2 * magnetic_electron(recoil, moments)


def magnetic_electron(recoil: Array, moments: Array, antineutrino: bool = False) -> Array:
    """Scattering of a magnetic moment off a free electron: `magnetic_nucleus` with Z = F = 1.

    Antineutrinos have the same cross section.

    Examples
    --------
    The unit of the cross section, pi alpha^2 / m_e^2, at a recoil of 1 MeV of neutrinos of 2 MeV:

    >>> round(magnetic_electron(np.array(1.0), 2.0 ** -np.arange(3)).item() * 2 * 1e25, 6)
    2.494672
    """
    strength = math.pi * ALPHA**2 / M_ELECTRON**2 * CM2_PER_INVERSE_MEV2
    density: Array = strength * (moments[0] / recoil - moments[1])
    return density[..., None]


def _coherent(density: Array, isotope: Isotope) -> Array:
    """The coefficients of p^2, p n and n^2 in (p Z + n N)^2 times a density, shape (..., 3)."""
    Z, N = isotope.Z, isotope.N
    return np.stack([Z**2 * density, 2 * Z * N * density, N**2 * density], axis=-1)


@dataclass(frozen=True)
class Process:
    """A process by which a neutrino scatters.

    Attributes
    ----------
    nucleus : callable
        Cross section off a nucleus, with the parameters and the result of `cevns`.
    electron : callable
        Cross section off a free electron, with the parameters and the result of `neutrino_electron`.
    """

    nucleus: Callable[[Array, Array, Isotope, Array], Array]
    electron: Callable[[Array, Array, bool], Array]


WEAK = Process(cevns, neutrino_electron)
SCALAR = Process(scalar_nucleus, scalar_electron)
MAGNETIC = Process(magnetic_nucleus, magnetic_electron)
