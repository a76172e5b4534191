"""Kinematics of elastic scattering of a neutrino off a target at rest.  Energies and masses are in MeV.

Reference: relativistic conservation of energy and momentum, as under Eqs. 1 and 6 of arXiv:2002.01482.
"""

from typing import TypeVar

from fastscan.typing import Array

Energy = TypeVar("Energy", float, Array)


def maximum_recoil(energy: Energy, mass: float) -> Energy:
    """Largest recoil energy that a neutrino gives to a target (under Eq. 1 of arXiv:2002.01482).

        T_max = 2 E^2 / (M + 2 E)

    Parameters
    ----------
    energy : float or array, shape (...)
        Neutrino energy E in MeV.
    mass : float
        Mass M of the target in MeV.

    Returns
    -------
    float or array, shape (...)
        T_max in MeV.

    Examples
    --------
    >>> round(maximum_recoil(30.0, 1e5), 5)
    0.01799
    """
    return 2 * energy**2 / (mass + 2 * energy)


def four_momentum_transfer(recoil: Energy, mass: float) -> Energy:
    """Four-momentum transfer of a recoil: the square root of -q^2, the argument of a propagator 1 / (M_Z'^2 - q^2).

        Q = sqrt(2 M T)

    It is at most 2 E for a neutrino of energy E.  The three-momentum is `cross_sections.momentum_transfer`.

    Parameters
    ----------
    recoil : float or array, shape (...)
        Recoil energy T in MeV.
    mass : float
        Mass M of the target in MeV.

    Returns
    -------
    float or array, shape (...)
        Q in MeV.

    Examples
    --------
    >>> round(four_momentum_transfer(maximum_recoil(30.0, 1e5), 1e5), 2)
    59.98
    """
    transfer: Energy = (2 * mass * recoil) ** 0.5
    return transfer


def minimum_energy(recoil: Energy, mass: float) -> Energy:
    """Smallest neutrino energy that gives a recoil energy: the inverse of `maximum_recoil`.

        E_min = [T + sqrt(T^2 + 2 M T)] / 2

    Parameters
    ----------
    recoil : float or array, shape (...)
        Recoil energy T in MeV.
    mass : float
        Mass M of the target in MeV.

    Returns
    -------
    float or array, shape (...)
        E_min in MeV.

    Examples
    --------
    >>> round(minimum_energy(maximum_recoil(30.0, 1e5), 1e5), 9)
    30.0
    """
    root: Energy = (recoil**2 + 2 * mass * recoil) ** 0.5
    return (recoil + root) / 2
