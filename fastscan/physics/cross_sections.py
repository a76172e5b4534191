"""Cross sections of a neutrino off a nucleus or an electron at rest, and the form factor.

Energies, recoil energies and masses are in MeV; arrays broadcast.
"""

import math

import numpy as np
from scipy.special import spherical_in, spherical_jn

from fastscan.physics.constants import CM2_PER_INVERSE_MEV2, G_FERMI, HBARC_MEV_FM, M_ELECTRON
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


def form_factor(momentum_mev: Array, A: int) -> Array:
    """Symmetrised Fermi form factor F(Q) of a nucleus (Eqs. 4, 5 of arXiv:2002.01482).

    Parameters
    ----------
    momentum_mev : array, shape (...)
        Momentum transfer Q in MeV, not negative.
    A : int
        Mass number.

    Returns
    -------
    array, shape (...)
        Dimensionless, F(0) = 1.

    Notes
    -----
    With x = pi Q a and y = Q c (c = 1.23 A^(1/3) - 0.60 fm, a = 0.52 fm) the textbook form is

        F = 3 / (y (y^2 + x^2)) * x / sinh(x) * (x sin(y) / tanh(x) - y cos(y))

    whose last bracket loses all digits as Q -> 0.  Spherical Bessel functions i, j hold its two small
    differences: x / tanh(x) - 1 = x i1(x) / i0(x), sin(y) / y - cos(y) = y j1(y).  Reference: D. W. L. Sprung
    and J. Martorell, J. Phys. A 30 (1997) 6525.

    Examples
    --------
    >>> form_factor(np.array([0.0, 50.0]), 133).round(6)
    array([1.      , 0.775693])
    """
    q = np.asarray(momentum_mev, float) / HBARC_MEV_FM
    x = math.pi * 0.52 * q
    y = (1.23 * A ** (1 / 3) - 0.60) * q
    i0, i1 = spherical_in(0, x), spherical_in(1, x)
    j0, j1 = spherical_jn(0, y), spherical_jn(1, y)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = 3 / (y**2 + x**2) * (x * i1 / i0 * j0 + y * j1) / i0
    return np.where(q == 0, 1.0, factor)


def cevns(recoil: Array, energy: Array, isotope: Isotope) -> Array:
    """Differential cross section of CEvNS as coefficients of the squared couplings (Eqs. 1, 2 of arXiv:2002.01482).

        dsigma/dT = G_F^2 M / (2 pi) Q_W^2 [2 - 2 T/E - M T/E^2],   Q_W = (g_p Z + g_n N) F(Q)

    Reference: D. Z. Freedman, Phys. Rev. D 9 (1974) 1389.

    Parameters
    ----------
    recoil, energy : array
        Recoil energy T and neutrino energy E in MeV; they broadcast.
    isotope : Isotope
        The nucleus.

    Returns
    -------
    array, shape (..., 3)
        cm^2 / MeV per unit of g_p^2, g_p g_n and g_n^2, for recoils up to the largest one.

    Examples
    --------
    A neutrino of 30 MeV on caesium, at a recoil of 10 keV:

    >>> from fastscan.physics.nuclei import elements
    >>> (caesium,) = elements()["Cs"]
    >>> (cevns(np.array(0.01), np.array(30.0), caesium) * 1e36).round(3)
    array([1.191, 3.379, 2.396])
    """
    M, Z, N = isotope.mass_mev, isotope.Z, isotope.N
    strength = G_FERMI**2 * M / (2 * math.pi) * CM2_PER_INVERSE_MEV2
    kinematic = 2 - 2 * recoil / energy - M * recoil / energy**2
    coherent = strength * kinematic * form_factor(momentum_transfer(recoil, M), isotope.A) ** 2
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
