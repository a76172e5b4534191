"""chi2 at many points: `chi2_block` fills a block of a grid, `chi2_columns` computes columns one by one.

Each grid point is computed by the same operations wherever its block begins or ends.  Results depend neither on
threads nor on blocks, to the last bit, and both kernels give the same bits at the same point.
"""

import numpy as np

from fastscan.kernels.arithmetic import wide_vectors
from fastscan.kernels.gaussian import column_sums, fraction, registers
from fastscan.kernels.jit import Kernel, inner, jit
from fastscan.kernels.lanes import LANES, empty_lanes, lane_of, lanes_of, spread, write_lanes

TOGETHER = 4  # lines of a block that are computed together


@jit
def side_by_side(settings):
    """Settings (members, settings) as lines of lanes, member after member; spare lanes repeat the last setting."""
    members, number = settings.shape
    lines = (number + LANES - 1) // LANES
    out = empty_lanes(members * lines)
    for n in range(members):
        for k in range(lines * LANES):
            out[n * lines + k // LANES, k % LANES] = settings[n, min(k, number - 1)]
    return out


@inner
def put_sums_of_lines(coefficients, x, line, last, out):
    """Put S_dd, D and S_mm of each member on four lines, (members, 4, 3); lines beyond the last one repeat it."""
    for n in range(coefficients.shape[0]):
        for i in range(TOGETHER):
            own = min(line + i, last - 1)
            out[n, i] = column_sums(coefficients[n, own // x.size], x[own % x.size])


@inner
def chi2_of(sums, t, noise, variance):
    """chi2 of a member at settings side by side, from its sums on a line; see `fraction`."""
    excess, total = fraction(sums[0], sums[1], sums[2], t, noise, variance)
    return excess / total


@inner
def write_line(out, first, count, value):
    """Write lanes to a block, from its place `first` on; only `count` lanes where fewer settings are left."""
    if count >= LANES:
        write_lanes(out, first, value)
    else:
        for lane in range(count):
            out[first + lane] = lane_of(value, lane)


@Kernel
def chi2_block(coefficients, x, noise, variance, out, first, last):
    """Fill a block of a grid with chi2: every row at every x and every setting.

    A piece is a line: all settings at one x of one row.  Four lines are computed together, so that a setting is read
    once for all four: reading settings takes longer than the arithmetic.

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
    members, settings = noise.shape
    t, noise, variance = side_by_side(variance / noise), side_by_side(noise), side_by_side(variance)
    groups, sums, flat = t.shape[0] // members, np.empty((members, TOGETHER, 3)), out.reshape(-1)
    for line in range(first, last, TOGETHER):
        put_sums_of_lines(coefficients, x, line, last, sums)
        places = line, min(line + 1, last - 1), min(line + 2, last - 1), min(line + 3, last - 1)
        for group in range(groups):
            one, two, three, four = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
            for n in range(members):
                at = n * groups + group
                setting = lanes_of(t, at), lanes_of(noise, at), lanes_of(variance, at)
                one += chi2_of(sums[n, 0], *setting)
                two += chi2_of(sums[n, 1], *setting)
                three += chi2_of(sums[n, 2], *setting)
                four += chi2_of(sums[n, 3], *setting)
            start = group * LANES
            write_line(flat, places[0] * settings + start, settings - start, one)
            write_line(flat, places[1] * settings + start, settings - start, two)
            write_line(flat, places[2] * settings + start, settings - start, three)
            write_line(flat, places[3] * settings + start, settings - start, four)


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
                excess, total = fraction(s_dd, det, s_mm, t, own_noise, own_variance)
                out[i, p] += excess / total
