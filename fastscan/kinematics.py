"""Elastic scattering of a neutrino off a target at rest: what recoil it can give.  All in MeV."""

import math
from typing import TypeVar

from fastscan.typing import Array

Energy = TypeVar("Energy", float, Array)


def maximum_recoil(energy: Energy, mass: float) -> Energy:
    """Largest recoil energy that a neutrino gives to a target of a mass (Eq. 1).

    Examples
    --------
    >>> round(maximum_recoil(30.0, 1e5), 5)
    0.01799
    """
    return 2 * energy**2 / (mass + 2 * energy)


def minimum_energy(recoil: float, mass: float) -> float:
    """Smallest neutrino energy that gives a recoil energy: the inverse of `maximum_recoil`.

    Examples
    --------
    >>> round(minimum_energy(maximum_recoil(30.0, 1e5), 1e5), 9)
    30.0
    """
    return (recoil + math.sqrt(recoil**2 + 2 * mass * recoil)) / 2
