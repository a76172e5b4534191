"""Elastic scattering of a neutrino off a target at rest: what recoil it can give.  All in MeV.

Reference: what relativistic energy and momentum conservation leave, as under Eqs. 1 and 6 of arXiv:2002.01482.
"""

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


def minimum_energy(recoil: Energy, mass: float) -> Energy:
    """Smallest neutrino energy that gives a recoil energy: the inverse of `maximum_recoil`.

    Examples
    --------
    >>> round(minimum_energy(maximum_recoil(30.0, 1e5), 1e5), 9)
    30.0
    """
    root: Energy = (recoil**2 + 2 * mass * recoil) ** 0.5
    return (recoil + root) / 2
