"""Cross sections, form factor and kinematics of a neutrino scattering off a target at rest.

Energies, recoil energies and masses in MeV; arrays broadcast.
"""

import math

import numpy as np
from scipy.special import spherical_in, spherical_jn

from fastscan.constants import CM2_PER_INVERSE_MEV2, G_FERMI, HBARC_MEV_FM
from fastscan.typing import Array


def maximum_recoil(energy: Array, mass: float) -> Array:
    """Largest recoil energy that a neutrino gives to a target (Eq. 1), MeV."""
    return 2 * energy**2 / (mass + 2 * energy)


def minimum_energy(recoil: float, mass: float) -> float:
    """Smallest neutrino energy that gives a recoil energy, MeV: the inverse of `maximum_recoil`."""
    return (recoil + math.sqrt(recoil**2 + 2 * mass * recoil)) / 2


def momentum_transfer(recoil: Array, mass: float) -> Array:
    """Momentum of a recoiling target, MeV."""
    return np.sqrt(recoil * (recoil + 2 * mass))


def form_factor(momentum_mev: Array, A: int) -> Array:
    """Symmetrised Fermi form factor F(Q) of a nucleus (Eqs. 4, 5).

    Parameters
    ----------
    momentum_mev : array
        Momentum transfer Q in MeV, not negative.
    A : int
        Mass number.

    Returns
    -------
    array
        Of the same shape, F(0) = 1.

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


def cevns(recoil: Array, energy: Array, mass: float) -> Array:
    """Differential cross section of CEvNS per unit of weak charge squared (Eq. 1).

        dsigma/dT / Q_W^2 = G_F^2 M / (2 pi) [2 - 2 T/E - M T/E^2]

    Reference: D. Z. Freedman, Phys. Rev. D 9 (1974) 1389.

    Returns
    -------
    array
        In cm^2 / MeV, for recoils up to `maximum_recoil`.
    """
    strength = G_FERMI**2 * mass / (2 * math.pi) * CM2_PER_INVERSE_MEV2
    return strength * (2 - 2 * recoil / energy - mass * recoil / energy**2)
