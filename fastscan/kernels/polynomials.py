"""Quartics in the strength x of new physics: how sums over bins depend on x, and their values and derivatives.

At fixed parameters (a row) every expected count is a quadratic polynomial in x.  Sums over bins of squares of counts
are therefore quartics.  `polynomials` computes their coefficients from square roots of the sums, in which the bins are
compressed already; `quartic` and `quartic_derivatives` evaluate them.  Coefficients stand lowest power first.
"""

import numpy as np

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.jit import jit

POWERS = 5  # coefficients of a quartic


@jit
def squared(root, u0, u1, u2):
    """|root u|^2 of a vector u = u0 + x u1 + x^2 u2, as a quartic in x.

    The features are added up before anything is squared, so that no digits are lost where they cancel.

    Parameters
    ----------
    root : float64 (basis, basis)
        Upper triangular.
    u0, u1, u2 : float64 (basis,)

    Returns
    -------
    tuple of POWERS float64
    """
    s00 = s01 = s02 = s11 = s12 = s22 = 0.0
    for i in range(u0.size):
        v0 = v1 = v2 = 0.0
        for j in range(i, u0.size):
            v0 += root[i, j] * u0[j]
            v1 += root[i, j] * u1[j]
            v2 += root[i, j] * u2[j]
        s00 += v0 * v0
        s01 += v0 * v1
        s02 += v0 * v2
        s11 += v1 * v1
        s12 += v1 * v2
        s22 += v2 * v2
    return s00, 2.0 * s01, s11 + 2.0 * s02, 2.0 * s12, s22


@jit
def polynomials(roots, change):
    """Coefficients in x of sums of squares, in each row.

    Each sum is |root u|^2 of u = (1, changes of the features from their Standard Model values), which is a polynomial
    u0 + x u1 + x^2 u2.  Changes keep the digits that would be lost near the Standard Model if the features themselves
    were subtracted from the data.

    Parameters
    ----------
    roots : float64 (members, sums, basis, basis)
        Upper triangular, for each member: of S_dd, D and S_mm of `fastscan.kernels.gaussian`, or any others.
        basis = 1 + features.  Dimensionless.
    change : float64 (members, rows, features, 3)
        Change of each feature as a polynomial in x.  Power 0 is not zero in rows that miss the Standard Model at x = 0.

    Returns
    -------
    float64 (members, rows, sums, POWERS)
        |root u|^2 as a polynomial in x.
    """
    members, rows, features = change.shape[:3]
    sums = roots.shape[1]
    out = np.empty((members, rows, sums, POWERS))
    u0, u1, u2 = np.zeros(1 + features), np.zeros(1 + features), np.zeros(1 + features)
    u0[0] = 1.0
    for n in range(members):
        for r in range(rows):
            for f in range(features):
                u0[1 + f], u1[1 + f], u2[1 + f] = change[n, r, f]
            for s in range(sums):
                c = squared(roots[n, s], u0, u1, u2)
                for power in range(POWERS):
                    out[n, r, s, power] = c[power]
    return out


@jit
def quartic(c, x):
    """Value of a quartic.

    Parameters
    ----------
    c : float64 (POWERS,)
    x : float64

    Returns
    -------
    float64
    """
    return (((c[4] * x + c[3]) * x + c[2]) * x + c[1]) * x + c[0]


@jit
def quartic_derivatives(c, x):
    """Value of a quartic, and its first and second derivative, by Horner's scheme.

    Parameters
    ----------
    c : tuple or float64 (POWERS,)
    x : float64

    Returns
    -------
    value, first, second : float64
    """
    value3 = fma(c[4], x, c[3])
    value2 = fma(value3, x, c[2])
    value1 = fma(value2, x, c[1])
    slope2 = fma(c[4], x, value3)
    slope1 = fma(slope2, x, value2)
    half = fma(fma(c[4], x, slope2), x, slope1)
    return fma(value1, x, c[0]), fma(slope1, x, value1), 2.0 * half
