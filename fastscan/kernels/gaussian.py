"""chi2 of Gaussian counts with one normalisation nuisance, at a point of a column.

With d = data - prediction and m = prediction, each divided by the bin's error, chi2 of a row needs three sums of bins:

    S_dd = sum d^2,  S_mm = sum m^2,  D = S_dd S_mm - (sum d m)^2      (sums of squares in x, never negative)

    chi2 = lam_e (S_dd + D t) / (1 + S_mm t),  t = lam_e sigma^2
         = (S_dd + D t) / (noise + S_mm variance),  noise = 1 / lam_e,  variance = sigma^2

sigma is the relative systematic error of the normalisation, and lam_e is the effective luminosity relative to the one
in the sums.  A setting is a pair of sigma and lam_e; a column is the line along x in one row at one setting.  chi2 of a
combination is the sum over its members, each with its own nuisance.  All of this is dimensionless.  Source: Eq. 21 of
arXiv:2002.01482, with the nuisance minimised out: chi2 = S_dd - sigma^2 (sum d m)^2 / (1 + sigma^2 S_mm) at lam_e = 1.
"""

import numpy as np

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.jit import jit
from fastscan.kernels.polynomials import derivatives, sum_of_squares, with_slope


@jit
def fraction(s_dd, det, s_mm, t, noise, variance):
    """chi2 of one member as a fraction.

    Every term is at least zero, and sigma = 0 is a regular point.

    Parameters
    ----------
    s_dd, det, s_mm : float64
        The sums S_dd, D and S_mm.
    t : float64 or lanes
        variance / noise.
    noise : float64 or lanes
        1 / lam_e, the inverse of the effective luminosity.
    variance : float64 or lanes
        sigma^2, the square of the relative systematic error.

    Returns
    -------
    excess, total : float64 or lanes
        S_dd + D t, and noise + S_mm variance.

    References
    ----------
    Eq. 21 of arXiv:2002.01482, with the nuisance minimised out.
    """
    return fma(det, t, s_dd), fma(s_mm, variance, noise)


@jit
def settings_of(noise, variance, column):
    """t, noise and variance of some columns, copied side by side in memory so that loops over columns vectorise.

    Parameters
    ----------
    noise, variance : float64 (members, any)
        1 / lam_e and sigma^2 of each member.
    column : intp (columns,)
        Indices of the columns.

    Returns
    -------
    t, noise, variance : float64 (members, columns)
        t = variance / noise.
    """
    shape = noise.shape[0], column.size
    t, own_noise, own_variance = np.empty(shape), np.empty(shape), np.empty(shape)
    for n in range(noise.shape[0]):
        for k in range(column.size):
            own_noise[n, k], own_variance[n, k] = noise[n, column[k]], variance[n, column[k]]
            t[n, k] = own_variance[n, k] / own_noise[n, k]
    return t, own_noise, own_variance


@jit
def registers(coefficients):
    """One row's coefficients as tuples, which a loop keeps in registers.

    A loop that reads an array while it writes another does not vectorise, because both might be the same memory.

    Parameters
    ----------
    coefficients : float64 (3, SQUARES)
        S_dd, D and S_mm as sums of squares, see `fastscan.kernels.squares`.

    Returns
    -------
    s_dd, det, s_mm : what `fastscan.kernels.polynomials.with_slope` returns
    """
    return with_slope(coefficients[0]), with_slope(coefficients[1]), with_slope(coefficients[2])


@jit
def column_sums(coefficients, x):
    """S_dd, D and S_mm at a point.

    Parameters
    ----------
    coefficients : float64 (3, SQUARES), or what `registers` returns
    x : float64

    Returns
    -------
    s_dd, det, s_mm : float64
    """
    s_dd, det, s_mm = coefficients
    return sum_of_squares(s_dd, x), sum_of_squares(det, x), sum_of_squares(s_mm, x)


@jit
def sums_derivatives(coefficients, x):
    """S_dd, D and S_mm at a point, each with its first and second derivative in x.

    Parameters
    ----------
    coefficients : what `registers` returns
    x : float64

    Returns
    -------
    s_dd, det, s_mm : tuple of 3 float64
    """
    s_dd, det, s_mm = coefficients
    return derivatives(s_dd, x), derivatives(det, x), derivatives(s_mm, x)


@jit
def chi2_derivatives(sums, t, noise, variance):
    """chi2 of one member, and its first and second derivative in x.

    chi2 N = E, with E = S_dd + D t and N = noise + S_mm variance, is differentiated once and twice.

    Parameters
    ----------
    sums : what `sums_derivatives` returns
    t : float64
        variance / noise.
    noise, variance : float64
        1 / lam_e and sigma^2.

    Returns
    -------
    value, slope, curvature : float64
    """
    s_dd, det, s_mm = sums
    excess, total = fraction(s_dd[0], det[0], s_mm[0], t, noise, variance)
    over = 1.0 / total
    value = excess * over
    slope = fma(-value * variance, s_mm[1], fma(det[1], t, s_dd[1])) * over
    curvature = fma(-variance, fma(2.0 * slope, s_mm[1], value * s_mm[2]), fma(det[2], t, s_dd[2])) * over
    return value, slope, curvature


@jit
def parabola(sums, norm, noise, variance):
    """chi2 of a Gaussian member as a parabola in u = e - 1, where e scales its signal, with derivatives in x.

    With the sums of `fastscan.kernels.gaussian`, S_dm = (norm - S_dd - S_mm) / 2 because d + m are the data, and
    D doesn't depend on u:

        chi2 = (S_dd + D t - 2 u S_dm + u^2 S_mm) / (noise + S_mm variance),  t = variance / noise

    Parameters
    ----------
    sums : what `fastscan.kernels.gaussian.sums_derivatives` returns
    norm : float64
        Sum of the squared data over their variance.
    noise, variance : float64
        1 / lam_e, and sigma^2 of the member's own normalisation.

    Returns
    -------
    tuple of 3 tuples of 3 float64
        The coefficients of 1, u and u^2, and their first and second derivatives in x.
    """
    s_dd, det, s_mm = sums
    t, over = variance / noise, 1.0 / (noise + s_mm[0] * variance)
    top = (
        (s_dd[0] + det[0] * t, s_dd[0] + s_mm[0] - norm, s_mm[0]),
        (s_dd[1] + det[1] * t, s_dd[1] + s_mm[1], s_mm[1]),
        (s_dd[2] + det[2] * t, s_dd[2] + s_mm[2], s_mm[2]),
    )
    down1, down2 = s_mm[1] * variance, s_mm[2] * variance
    value = (top[0][0] * over, top[0][1] * over, top[0][2] * over)
    first = (
        (top[1][0] - value[0] * down1) * over,
        (top[1][1] - value[1] * down1) * over,
        (top[1][2] - value[2] * down1) * over,
    )
    second = (
        (top[2][0] - 2.0 * first[0] * down1 - value[0] * down2) * over,
        (top[2][1] - 2.0 * first[1] * down1 - value[1] * down2) * over,
        (top[2][2] - 2.0 * first[2] * down1 - value[2] * down2) * over,
    )
    return value, first, second
