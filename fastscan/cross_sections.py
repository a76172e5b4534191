"""Cross sections and the kinematics of a neutrino scattering off a target at rest.

Energies, recoil energies and masses in MeV; arrays broadcast.
"""

import math

import numpy as np

from fastscan.constants import CM2_PER_INVERSE_MEV2, G_FERMI
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
