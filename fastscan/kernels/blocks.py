"""chi2 at many points: `chi2_block` fills a block of a grid, `chi2_columns` computes columns one by one.

Each grid point is computed by the same operations wherever its block begins or ends.  Results depend neither on
threads nor on blocks, to the last bit, and both kernels give the same bits at the same point.
"""

import numpy as np

from fastscan.kernels.arithmetic import wide_vectors
from fastscan.kernels.gaussian import (
    chi2_point,
    column_sums,
    registers,
    settings_of,
)
from fastscan.kernels.jit import Kernel


@Kernel
def chi2_block(coefficients, x, noise, variance, out, first, last):
    """Fill a block of a grid with chi2: every row at every x and every setting.

    A piece is a line: all settings at one x of one row.

    Parameters
    ----------
    coefficients : float64 (members, rows, 3, SQUARES)
        S_dd, D and S_mm as sums of squares, see `fastscan.kernels.squares`.  Dimensionless, as all else here.
    x : float64 (points,)
        Strengths, of either sign.
    noise, variance : float64 (members, settings)
        1 / lam_e (inverse effective luminosity) and sigma^2 (squared relative systematic error) at each setting.
    out : float64 or float32 (rows, points, settings)
        Receives chi2, which is computed in float64 in either case.
    first, last : int
        The range of lines, in the order in which they lie in memory.

    References
    ----------
    Eq. 21 of arXiv:2002.01482, with the nuisance minimised out.
    """
    wide_vectors()
    members, points, settings = coefficients.shape[0], x.size, noise.shape[1]
    t, noise, variance = settings_of(noise, variance, np.arange(settings))
    # The last member writes its sum with the others straight to the block, which saves one pass over the block.
    total = np.zeros(settings)
    for line in range(first, last):
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
def chi2_columns(coefficients, row, x, noise, variance, out, first, last):
    """Fill an array with chi2 along columns, the pieces, each with its own row, setting and strengths.

    Parameters
    ----------
    coefficients : float64 (members, rows, 3, SQUARES)
        S_dd, D and S_mm as sums of squares, see `fastscan.kernels.squares`.  Dimensionless, as all else here.
    row : intp (columns,)
        Index of each column's row.
    x : float64 (columns, points)
        Strengths, of either sign.
    noise, variance : float64 (members, columns)
        1 / lam_e (inverse effective luminosity) and sigma^2 (squared relative systematic error) of each column.
    out : float64 (columns, points)
        Receives chi2.
    first, last : int
        The range of columns.

    References
    ----------
    Eq. 21 of arXiv:2002.01482, with the nuisance minimised out.
    """
    wide_vectors()
    for i in range(first, last):
        out[i] = 0.0
        for n in range(coefficients.shape[0]):
            own = registers(coefficients[n, row[i]])
            own_noise, own_variance = noise[n, i], variance[n, i]
            t = own_variance / own_noise
            for p in range(x.shape[1]):
                s_dd, det, s_mm = column_sums(own, x[i, p])
                out[i, p] = chi2_point(s_dd, det, s_mm, t, own_noise, own_variance, out[i, p])
