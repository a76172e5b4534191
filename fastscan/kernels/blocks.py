"""chi2 at many points: `chi2_block` fills a block of a grid, `chi2_columns` computes columns one by one.

Each grid point is computed by one thread, by the same operations wherever its block begins or ends.  Results depend
neither on threads nor on blocks, to the last bit, and both kernels give the same bits at the same point.
`column_derivatives` computes the derivatives of chi2 as well, at single points of columns.
"""

import numpy as np
from numba import prange

from fastscan.kernels.arithmetic import wide_vectors
from fastscan.kernels.gaussian import (
    chi2_derivatives,
    chi2_point,
    column_sums,
    registers,
    settings_of,
    sums_derivatives,
)
from fastscan.kernels.jit import Kernel

TILE_POINTS = 16384  # grid points that a thread computes in one go: 128 KiB of float64, which stay in its cache


@Kernel
def chi2_block(coefficients, x, noise, variance, tile, out):
    """Fill a block of a grid with chi2: every row at every x and every setting.

    Parameters
    ----------
    coefficients : float64 (members, rows, 3, SQUARES)
        S_dd, D and S_mm as sums of squares, see `fastscan.kernels.polynomials`.  Dimensionless, as all else here.
    x : float64 (points,)
        Strengths, of either sign.
    noise, variance : float64 (members, settings)
        1 / lam_e (inverse effective luminosity) and sigma^2 (squared relative systematic error) at each setting.
    tile : int
        Number of grid points that a thread computes in one go.  The result does not depend on it.
    out : float64 or float32 (rows, points, settings)
        Receives chi2, which is computed in float64 in either case.

    References
    ----------
    Eq. 21 of arXiv:2002.01482, with the nuisance minimised out.
    """
    members, rows = coefficients.shape[:2]
    points, settings = x.size, noise.shape[1]
    lines = rows * points  # a line is all settings at one x of one row
    height = max(1, tile // settings)
    t, noise, variance = settings_of(noise, variance, np.arange(settings))
    for tile_number in prange((lines + height - 1) // height):
        wide_vectors()
        # The last member writes its sum with the others straight to the block, which saves one pass over the block.
        total = np.zeros(settings)
        for line in range(tile_number * height, min((tile_number + 1) * height, lines)):
            r, p = line // points, line % points
            if members > 1:
                total[:] = 0.0
            for n in range(members - 1):
                s_dd, det, s_mm = column_sums(coefficients[n, r], x[p])
                for k in range(settings):
                    total[k] = chi2_point(s_dd, det, s_mm, t[n, k], noise[n, k], variance[n, k], total[k])
            n = members - 1
            s_dd, det, s_mm = column_sums(coefficients[n, r], x[p])
            for k in range(settings):
                out[r, p, k] = chi2_point(s_dd, det, s_mm, t[n, k], noise[n, k], variance[n, k], total[k])


@Kernel
def chi2_columns(coefficients, row, x, noise, variance):
    """chi2 along columns, each with its own row, setting and strengths.

    Parameters
    ----------
    coefficients : float64 (members, rows, 3, SQUARES)
        S_dd, D and S_mm as sums of squares, see `fastscan.kernels.polynomials`.  Dimensionless, as all else here.
    row : intp (columns,)
        Index of each column's row.
    x : float64 (columns, points)
        Strengths, of either sign.
    noise, variance : float64 (members, columns)
        1 / lam_e (inverse effective luminosity) and sigma^2 (squared relative systematic error) of each column.

    Returns
    -------
    float64 (columns, points)

    References
    ----------
    Eq. 21 of arXiv:2002.01482, with the nuisance minimised out.
    """
    columns, points = x.shape
    out = np.zeros((columns, points))
    for i in prange(columns):
        wide_vectors()
        for n in range(coefficients.shape[0]):
            own = registers(coefficients[n, row[i]])
            own_noise, own_variance = noise[n, i], variance[n, i]
            t = own_variance / own_noise
            for p in range(points):
                s_dd, det, s_mm = column_sums(own, x[i, p])
                out[i, p] = chi2_point(s_dd, det, s_mm, t, own_noise, own_variance, out[i, p])
    return out


@Kernel
def column_derivatives(coefficients, row, noise, variance, column, x):
    """chi2 and its first and second derivative in x, at points that each lie in a column of their own.

    Parameters
    ----------
    coefficients : float64 (members, rows, 3, SQUARES)
        S_dd, D and S_mm as sums of squares, see `fastscan.kernels.polynomials`.  Dimensionless, as all else here.
    row : intp (columns,)
        Index of each column's row.
    noise, variance : float64 (members, columns)
        1 / lam_e (inverse effective luminosity) and sigma^2 (squared relative systematic error) of each column.
    column : intp (points,)
        Index of each point's column.
    x : float64 (points,)
        Strengths, of either sign.

    Returns
    -------
    chi2, slope, curvature : float64 (points,)

    References
    ----------
    Eq. 21 of arXiv:2002.01482, with the nuisance minimised out.
    """
    chi2, slope, curvature = np.zeros(x.size), np.zeros(x.size), np.zeros(x.size)
    for i in prange(x.size):
        k = column[i]
        for n in range(coefficients.shape[0]):
            sums = sums_derivatives(registers(coefficients[n, row[k]]), x[i])
            t = variance[n, k] / noise[n, k]
            value, first, second = chi2_derivatives(sums, t, noise[n, k], variance[n, k])
            chi2[i] += value
            slope[i] += first
            curvature[i] += second
    return chi2, slope, curvature
