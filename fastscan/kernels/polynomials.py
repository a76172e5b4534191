"""Sums of squares along the strength x of new physics, in compiled loops: their values and derivatives.

`fastscan.kernels.squares` defines these sums and computes their coefficients.
"""

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.jit import jit


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

    Where terms of the slope cancel, rounding moves an extremum but not the value there, so the slope may be the
    polynomial that costs the least.

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
