"""Quenching: the part of a nuclear recoil's energy that ionises.  Energies are in MeV."""

import numpy as np

from fastscan.typing import Array

REDUCED_PER_KEV = 11.5  # reduced energy per keV of recoil energy, times Z^(7/3)


def lindhard(recoil: Array, Z: int, k: float) -> Array:
    """Ionisation energy of a nuclear recoil in its own element, by Lindhard's model.

        E_ee = T k g / (1 + k g),   g = 3 eps^0.15 + 0.7 eps^0.6 + eps,   eps = 11.5 Z^(-7/3) T/keV

    Parameters
    ----------
    recoil : array, shape (...)
        Recoil energy T in MeV, not negative.
    Z : int
        Atomic number.
    k : float
        Strength of the electronic stopping, dimensionless; in Lindhard's theory 0.133 Z^(2/3) A^(-1/2).

    Returns
    -------
    array, shape (...)
        E_ee in MeV.

    References
    ----------
    J. Lindhard et al., Mat. Fys. Medd. Dan. Vid. Selsk. 33, 10 (1963); the fit of g is by J. D. Lewin and P. F. Smith,
    Astropart. Phys. 6 (1996) 87.

    Examples
    --------
    Recoils of 0.5, 1 and 2 keV in germanium, in keV:

    >>> 1e3 * lindhard(np.array([5e-4, 1e-3, 2e-3]), Z=32, k=0.162)
    array([0.08006315, 0.17548085, 0.38477242])
    """
    eps = REDUCED_PER_KEV * Z ** (-7 / 3) * np.asarray(recoil) * 1e3
    stopping = k * (3 * eps**0.15 + 0.7 * eps**0.6 + eps)
    visible: Array = recoil * stopping / (1 + stopping)
    return visible
