"""Sums of squares along the strength x of new physics: their coefficients, values and derivatives.

At fixed parameters (a row) every expected count is a quadratic polynomial in x, and so is every difference of counts.
A sum of their squares over bins is a quartic in x that is never negative.  It is kept as squares,

    sum(x) = (c0 + c1 x + c2 x^2)^2 + x^2 [(c3 + c4 x)^2 + c5 x^2],   c5 >= 0,

because the coefficients of the quartic itself cancel where counts cancel, and with them half of the digits.
"""

import numpy as np

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.jit import jit

SQUARES = 6  # number of coefficients c0 to c5 of a sum


@jit
def length(v):
    """The length of a vector.

    Parameters
    ----------
    v : float64 (any,)

    Returns
    -------
    float64
    """
    total = 0.0
    for i in range(v.size):
        total += v[i] * v[i]
    return np.sqrt(total)


@jit
def projected_out(v, unit):
    """Remove from a vector its part along a unit vector, and return the length of that part, with its sign.

    Parameters
    ----------
    v : float64 (any,)
        Changed in place.
    unit : float64 (any,)
        A vector of length 1, of the same size.

    Returns
    -------
    float64
        The scalar product of v and the unit vector.
    """
    along = 0.0
    for i in range(v.size):
        along += v[i] * unit[i]
    for i in range(v.size):
        v[i] -= along * unit[i]
    return along


@jit
def put_squares(root, u, v, c):
    """Coefficients of |root u|^2 for u = u0 + x u1 + x^2 u2, by the Gram-Schmidt process.

    The features are added up before anything is squared, so that no digits are lost where they cancel.

    Parameters
    ----------
    root : float64 (basis, basis)
        Upper triangular.
    u : float64 (3, basis)
        u0, u1 and u2.
    v : float64 (3, basis)
        Scratch memory, overwritten.
    c : float64 (SQUARES,)
        Receives c0 to c5.
    """
    v[:] = 0.0
    for i in range(u.shape[1]):
        for j in range(i, u.shape[1]):
            if root[i, j] != 0.0:  # most are zero: those of flavours that a source lacks, and all but a line of one bin
                for power in range(3):
                    v[power, i] += root[i, j] * u[power, j]
    c[:] = 0.0
    c[0] = length(v[0])
    if c[0] > 0.0:
        v[0] /= c[0]
        c[1], c[2] = projected_out(v[1], v[0]), projected_out(v[2], v[0])
    c[3] = length(v[1])
    if c[3] > 0.0:
        v[1] /= c[3]
        c[4] = projected_out(v[2], v[1])
    c[5] = length(v[2]) ** 2


@jit
def polynomials(roots, change):
    """Coefficients in x of sums of squares, in each row.

    Each sum is |root u|^2 of u = (1, changes of the features from their Standard Model values), which is a polynomial
    u0 + x u1 + x^2 u2.  Changes keep the digits that would be lost near the Standard Model if the features themselves
    were subtracted from the data.

    Parameters
    ----------
    roots : float64 (members, shapes, sums, basis, basis)
        Upper triangular, for each member: of S_dd, D and S_mm of `fastscan.kernels.gaussian`, or any others.
        basis = 1 + features; shapes is 1, or the number of rows.  Dimensionless.
    change : float64 (members, rows, features, 3)
        Change of each feature as a polynomial in x.  Power 0 is not zero in rows that miss the Standard Model at x = 0.

    Returns
    -------
    float64 (members, rows, sums, SQUARES)
    """
    members, rows, features = change.shape[:3]
    shapes, sums = roots.shape[1:3]
    out = np.empty((members, rows, sums, SQUARES))
    u, v = np.zeros((3, 1 + features)), np.empty((3, 1 + features))
    u[0, 0] = 1.0
    for n in range(members):
        for r in range(rows):
            shape = r if shapes > 1 else 0
            for f in range(features):
                u[0, 1 + f], u[1, 1 + f], u[2, 1 + f] = change[n, r, f]
            for s in range(sums):
                put_squares(roots[n, shape, s], u, v, out[n, r, s])
    return out


@jit
def sum_of_squares(c, x):
    """Value of a sum of squares.

    Parameters
    ----------
    c : tuple or float64 (SQUARES or more,)
    x : float64

    Returns
    -------
    float64
    """
    first, second = fma(fma(c[2], x, c[1]), x, c[0]), fma(c[4], x, c[3])
    square = x * x
    return fma(square, fma(second, second, c[5] * square), first * first)


@jit
def with_slope(c):
    """Coefficients of a sum of squares and of its slope, which is a cubic, as a tuple that loops keep in registers.

    Where a slope cancels, an extremum moves by rounding and its value stays, so the slope may be the polynomial that
    costs the least.

    Parameters
    ----------
    c : float64 (SQUARES,)

    Returns
    -------
    tuple of SQUARES + 4 float64
        c, then the coefficients of the slope, lowest power first.
    """
    slope = (
        2.0 * c[0] * c[1],
        2.0 * (c[1] * c[1] + 2.0 * c[0] * c[2] + c[3] * c[3]),
        6.0 * (c[1] * c[2] + c[3] * c[4]),
        4.0 * (c[2] * c[2] + c[4] * c[4] + c[5]),
    )
    return c[0], c[1], c[2], c[3], c[4], c[5], slope[0], slope[1], slope[2], slope[3]


@jit
def derivatives(c, x):
    """Value of a sum of squares, and its first and second derivative in x.

    Parameters
    ----------
    c : what `with_slope` returns
    x : float64

    Returns
    -------
    value, first, second : float64
    """
    slope2 = fma(c[9], x, c[8])
    slope1 = fma(slope2, x, c[7])
    return sum_of_squares(c, x), fma(slope1, x, c[6]), fma(fma(c[9], x, slope2), x, slope1)
