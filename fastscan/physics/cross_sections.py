"""Cross sections of a neutrino off a nucleus or an electron at rest.

Energies, recoil energies and masses are in MeV; arrays broadcast.
"""

import math

import numpy as np

from fastscan.physics.constants import CM2_PER_INVERSE_MEV2, G_FERMI, M_ELECTRON
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


def cevns(recoil: Array, energy: Array, isotope: Isotope, form_factor: Array) -> Array:
    """Differential cross section of CEvNS as coefficients of the squared couplings (Eqs. 1, 2 of arXiv:2002.01482).

        dsigma/dT = G_F^2 M / (2 pi) Q_W^2 [2 - 2 T/E - M T/E^2],   Q_W = (g_p Z + g_n N) F(Q)

    Reference: D. Z. Freedman, Phys. Rev. D 9 (1974) 1389.

    Parameters
    ----------
    recoil, energy : array
        Recoil energy T and neutrino energy E in MeV; they broadcast.
    isotope : Isotope
        The nucleus.
    form_factor : array
        F at the recoil's momentum transfer, dimensionless; it broadcasts with the recoil.

    Returns
    -------
    array, shape (..., 3)
        cm^2 / MeV per unit of g_p^2, g_p g_n and g_n^2, for recoils up to the largest one.

    Examples
    --------
    A neutrino of 30 MeV on caesium, at a recoil of 10 keV:

    >>> from fastscan.physics.form_factors import fermi
    >>> from fastscan.physics.nuclei import elements
    >>> (caesium,) = elements()["Cs"]
    >>> recoil = np.array(0.01)
    >>> form_factor = fermi(momentum_transfer(recoil, caesium.mass_mev), caesium.A)
    >>> (cevns(recoil, np.array(30.0), caesium, form_factor) * 1e36).round(3)
    array([1.191, 3.379, 2.396])
    """
    M, Z, N = isotope.mass_mev, isotope.Z, isotope.N
    strength = G_FERMI**2 * M / (2 * math.pi) * CM2_PER_INVERSE_MEV2
    kinematic = 2 - 2 * recoil / energy - M * recoil / energy**2
    coherent = strength * kinematic * form_factor**2
    return np.stack([Z**2 * coherent, 2 * Z * N * coherent, N**2 * coherent], axis=-1)


def neutrino_electron(recoil: Array, energy: Array, antineutrino: bool) -> Array:
    """Differential cross section off a free electron as coefficients of the squared couplings (Eq. 6).

        dsigma/dT = 2 G_F^2 m_e / pi [g_L^2 + g_R^2 (1 - T/E)^2 - g_L g_R m_e T / E^2]

    of a neutrino.  For an antineutrino g_L and g_R are exchanged.

    Parameters
    ----------
    recoil, energy : array
        Recoil energy T and neutrino energy E in MeV; they broadcast.
    antineutrino : bool
        Whether the neutrino is an antineutrino.

    Returns
    -------
    array, shape (..., 3)
        cm^2 / MeV per unit of g_L^2, g_L g_R and g_R^2, for recoils up to the largest one.

    References
    ----------
    Eq. 6 of arXiv:2002.01482; P. Vogel and J. Engel, Phys. Rev. D 39 (1989) 3378.

    Examples
    --------
    A 51Cr neutrino of 0.75 MeV, at recoils of 0.1 and 0.5 MeV:

    >>> (neutrino_electron(np.array([0.1, 0.5]), np.array(0.75), antineutrino=False) * 1e44).round(3)
    array([[ 1.723, -0.157,  1.294],
           [ 1.723, -0.783,  0.191]])
    """
    strength = 2 * G_FERMI**2 * M_ELECTRON / math.pi * CM2_PER_INVERSE_MEV2
    terms = [np.ones_like(recoil / energy), -M_ELECTRON * recoil / energy**2, (1 - recoil / energy) ** 2]
    return strength * np.stack(terms[::-1] if antineutrino else terms, axis=-1)
