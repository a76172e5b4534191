"""Sums of squares along the strength x of new physics: their coefficients, and their values without the compiler.

At fixed parameters (a row) every expected count is a quadratic polynomial in x, and so is every difference of counts.
A sum of their squares over bins is a quartic in x that is never negative.  It is kept as squares,

    sum(x) = (c0 + c1 x + c2 x^2)^2 + x^2 [(c3 + c4 x)^2 + c5 x^2],   c5 >= 0,

because the coefficients of the quartic itself cancel where counts cancel, and with them half of the digits.

Everything here is NumPy and computed element by element, so that a row or a point has the same bits whatever rows and
points stand beside it.  `fastscan.kernels.polynomials` has the same sums for compiled loops.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SQUARES = 6  # number of coefficients c0 to c5 of a sum
ROWS = 1024  # rows that are expanded at once, which bounds the memory


def polynomials(roots: Array, change: Array) -> Array:
    """Coefficients in x of sums of squares, in each row.

    Each sum is |root u|^2 of u = (1, changes of the features from their Standard Model values), which is a polynomial
    u0 + x u1 + x^2 u2.  Changes keep the digits that would be lost near the Standard Model if the features themselves
    were subtracted from the data.

    Parameters
    ----------
    roots : array, shape (members, shapes, sums, basis, basis)
        An upper triangular matrix for each sum of each member: S_dd, D and S_mm of `fastscan.kernels.gaussian`, or any
        other sums.  basis = 1 + features; shapes is 1, or the number of rows.  Dimensionless.
    change : array, shape (members, rows, features, 3)
        Change of each feature as a polynomial in x.  Power 0 is not zero in rows that miss the Standard Model at x = 0.

    Returns
    -------
    array, shape (members, rows, sums, SQUARES)
    """
    members, rows = change.shape[:2]
    out = np.empty((members, rows, roots.shape[2], SQUARES))
    for n in range(members):
        for start in range(0, rows, ROWS):
            part = slice(start, start + ROWS)
            own = roots[n] if roots.shape[1] == 1 else roots[n, part]
            out[n, part] = of_vectors(_expanded(own, change[n, part]))
    return out


def _expanded(roots: Array, change: Array) -> list[Array]:
    """The elements of root u that are not zero in all rows and sums: coefficients of powers of x, (3, rows, sums) each.

    Most elements are zero: those of flavours that a source lacks, and all but one for a single bin.
    """
    u = np.zeros((1 + change.shape[1], 3, len(change), 1))
    u[0, 0] = 1.0
    u[1:] = np.moveaxis(change, 0, -1)[..., None]
    found = []
    for i in range(len(u)):
        used = [j for j in range(i, len(u)) if roots[..., i, j].any()]
        if used:
            found.append(_added(roots[..., i, j] * u[j] for j in used))
    return found


def vectors(coefficients: Array) -> Array:
    """Vectors v0, v1 and v2 such that a sum is |v0 + x v1 + x^2 v2|^2, with three coordinates at most.

    Any other vectors with the same sum, such as those of all bins, are rotations of these.

    Parameters
    ----------
    coefficients : array, shape (SQUARES,)

    Returns
    -------
    array, shape (coordinates, 3)
        Upper triangular; the sum of one bin has one coordinate, and a sum that is zero has none.
    """
    c0, c1, c2, c3, c4, c5 = coefficients.tolist()
    found = np.array([[c0, c1, c2], [0.0, c3, c4], [0.0, 0.0, np.sqrt(c5)]])
    return found[found.any(axis=1)]


def of_vectors(v: list[Array]) -> Array:
    """Coefficients of |v0 + x v1 + x^2 v2|^2 by the Gram-Schmidt process, for vectors given by their elements.

    The features are added up before anything is squared, so that no digits are lost where they cancel.

    Parameters
    ----------
    v : list of array, shape (3, ...)
        v0, v1 and v2 of each element.

    Returns
    -------
    array, shape (..., SQUARES)
    """
    v0, v1, v2 = ([each[power] for each in v] for power in range(3))
    c0, v0 = _normalised(v0)
    c1, v1 = _split(v1, v0)
    c2, v2 = _split(v2, v0)
    c3, v1 = _normalised(v1)
    c4, v2 = _split(v2, v1)
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3, c4, _product(v2, v2)), axis=-1)


def _normalised(v: list[Array]) -> tuple[Array, list[Array]]:
    """The length of a vector, and the vector of length 1 along it, or of length 0."""
    length = np.sqrt(_product(v, v))
    divisor = np.where(length > 0, length, 1.0)
    return length, [each / divisor for each in v]


def _split(v: list[Array], unit: list[Array]) -> tuple[Array, list[Array]]:
    """The length of a vector's part along a unit vector, with its sign, and the rest of the vector."""
    along = _product(v, unit)
    return along, [each - along * other for each, other in zip(v, unit, strict=True)]


def _product(v: list[Array], w: list[Array]) -> Array:
    """The scalar product of vectors."""
    return _added(one * other for one, other in zip(v, w, strict=True))


def _added(terms: Iterable[Array]) -> Array:
    """The sum of arrays one after the other: NumPy's own order of adding depends on the arrays' shapes."""
    return sum(terms, np.zeros(()))


def derivatives(coefficients: Array, x: Array) -> tuple[Array, Array, Array]:
    """Values of sums of squares, and their first and second derivatives in x.

    Parameters
    ----------
    coefficients : array, shape (..., SQUARES)
    x : array, shape (...)
        Strengths, which broadcast with the sums.

    Returns
    -------
    value, slope, curvature : array, shape (...)
    """
    c0, c1, c2, c3, c4, c5 = np.moveaxis(coefficients, -1, 0)
    one, one_slope = c0 + x * (c1 + x * c2), c1 + 2.0 * x * c2
    two, c5_x = c3 + x * c4, c5 * x
    value = one * one + x * x * (two * two + c5_x * x)
    rest = two * (two + x * c4) + 2.0 * c5_x * x  # half of the slope of the second term, over x
    rest_slope = 3.0 * two * c4 + x * c4 * c4 + 4.0 * c5_x
    slope = 2.0 * (one * one_slope + x * rest)
    curvature = 2.0 * (one_slope * one_slope + 2.0 * one * c2 + rest + x * rest_slope)
    return value, slope, curvature
