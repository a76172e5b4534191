"""Form factors of nuclei: Fourier transforms of the distribution of nucleons, 1 at zero momentum transfer.

Momenta are in MeV, lengths in fm; arrays broadcast.
"""

import math

import numpy as np

from fastscan.physics.constants import HBARC_MEV_FM
from fastscan.typing import Array

SURFACE = 0.52  # fm, the parameter a of a Fermi distribution
# j1(y) / y = sum_k c_k (-y^2)^k and i1(x) / x = sum_k c_k (x^2)^k; up to 1 these terms leave less than rounding does.
SERIES = 1 / (3 * np.cumprod([1.0, *(2 * k * (2 * k + 3) for k in range(1, 10))]))


def half_density_radius(A: int) -> float:
    """Radius c = 1.23 A^(1/3) - 0.60 fm at which a Fermi distribution has half of its height (Eq. 5)."""
    radius: float = 1.23 * A ** (1 / 3) - 0.60
    return radius


def fermi(momentum_mev: Array, A: int) -> Array:
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

    whose last bracket loses all digits as Q -> 0.  The bracket is y [x / tanh(x) - 1] sin(y) / y + y [sin(y) / y -
    cos(y)].  Its two small differences are x i1(x) / i0(x) and y j1(y), with i0(x) = sinh(x) / x, and the spherical
    Bessel functions i1 and j1 have series.  Reference: D. W. L. Sprung and J. Martorell, J. Phys. A 30 (1997) 6525.

    Examples
    --------
    >>> fermi(np.array([0.0, 50.0]), 133).round(6)
    array([1.      , 0.775693])
    """
    q = np.asarray(momentum_mev, float) / HBARC_MEV_FM
    x = math.pi * SURFACE * q
    y = half_density_radius(A) * q
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        over_i0 = x / np.sinh(x)
        small = x**2 * np.polyval(SERIES[::-1], np.minimum(x, 1.0) ** 2) * over_i0
        difference = np.where(x < 1, small, x / np.tanh(x) - 1)
        factor = 3 / (y**2 + x**2) * over_i0 * (difference * np.sin(y) / y + y**2 * _j1_over(y))
    return np.where(q == 0, 1.0, factor)


def _j1_over(y: Array) -> Array:
    """j1(y) / y with the spherical Bessel function j1(y) = sin(y) / y^2 - cos(y) / y, which cancels at small y."""
    with np.errstate(invalid="ignore", divide="ignore"):
        large = (np.sin(y) / y - np.cos(y)) / y**2
    return np.where(y < 1, np.polyval(SERIES[::-1], -(np.minimum(y, 1.0) ** 2)), large)


def helm(momentum_mev: Array, radius_fm: float, skin_fm: float) -> Array:
    """Helm's form factor: a uniform sphere of radius R, smeared by a Gaussian of width s, the skin.

        F = 3 j1(Q R) / (Q R) exp(-Q^2 s^2 / 2)

    Parameters
    ----------
    momentum_mev : array, shape (...)
        Momentum transfer Q in MeV, not negative.
    radius_fm, skin_fm : float
        R and s in fm.

    Returns
    -------
    array, shape (...)
        Dimensionless, F(0) = 1.

    References
    ----------
    R. H. Helm, Phys. Rev. 104 (1956) 1466.

    Examples
    --------
    Caesium with a root mean square radius of 5.01 fm:

    >>> helm(np.array([0.0, 50.0]), sphere_squared(5.01, 3 * 0.9**2) ** 0.5, 0.9).round(6)
    array([1.      , 0.757554])
    """
    q = np.asarray(momentum_mev, float) / HBARC_MEV_FM
    return _sphere(q * radius_fm) * np.exp(-((q * skin_fm) ** 2) / 2)


def klein_nystrand(momentum_mev: Array, radius_fm: float, range_fm: float) -> Array:
    """Klein and Nystrand's form factor: a uniform sphere of radius R, smeared by a Yukawa potential of range a.

        F = 3 j1(Q R) / (Q R) / (1 + Q^2 a^2)

    Parameters
    ----------
    momentum_mev : array, shape (...)
        Momentum transfer Q in MeV, not negative.
    radius_fm, range_fm : float
        R and a in fm.

    Returns
    -------
    array, shape (...)
        Dimensionless, F(0) = 1.

    References
    ----------
    S. Klein and J. Nystrand, Phys. Rev. C 60 (1999) 014903.

    Examples
    --------
    Caesium with R = 1.23 A^(1/3):

    >>> klein_nystrand(np.array([0.0, 50.0]), 1.23 * 133 ** (1 / 3), 0.7).round(6)
    array([1.      , 0.745296])
    """
    q = np.asarray(momentum_mev, float) / HBARC_MEV_FM
    return _sphere(q * radius_fm) / (1 + (q * range_fm) ** 2)


def _sphere(x: Array) -> Array:
    """Form factor 3 j1(x) / x of a uniform sphere, x = Q R."""
    return 3 * _j1_over(x)


def sphere_squared(rms_fm: float, smearing_fm2: float) -> float:
    """Square of the radius of a uniform sphere, from the root mean square radius after smearing.

    Mean squares add up: 3/5 R^2 for a sphere, 3 s^2 for a Gaussian of width s, and 6 a^2 for a Yukawa potential of
    range a.

    Parameters
    ----------
    rms_fm : float
        Root mean square radius of the smeared sphere in fm.
    smearing_fm2 : float
        Mean square radius of the smearing in fm^2.

    Returns
    -------
    float
        R^2 in fm^2, negative where the smearing alone is larger.

    Examples
    --------
    >>> round(sphere_squared(5.01, 3 * 0.9**2) ** 0.5, 3)
    6.147
    """
    return 5 / 3 * (rms_fm**2 - smearing_fm2)


def helm_sphere_squared(A: int, skin_fm: float) -> float:
    """Square of the radius of Helm's sphere with which the form factor is close to a Fermi distribution's.

        R^2 = c^2 + 7/3 pi^2 a^2 - 5 s^2,   c = 1.23 A^(1/3) - 0.60 fm, a = 0.52 fm

    Parameters
    ----------
    A : int
        Mass number.
    skin_fm : float
        The skin s in fm.

    Returns
    -------
    float
        R^2 in fm^2.

    References
    ----------
    J. D. Lewin and P. F. Smith, Astropart. Phys. 6 (1996) 87.

    Examples
    --------
    >>> round(helm_sphere_squared(133, 0.9) ** 0.5, 3)
    5.867
    """
    return half_density_radius(A) ** 2 + 7 / 3 * (math.pi * SURFACE) ** 2 - 5 * skin_fm**2
