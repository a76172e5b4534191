"""Rungs: the strengths x at which the columns of a row are computed first, in the search for crossings.

A ladder is so fine that no two extrema of a column lie between neighbouring points.  Most of its points are not needed:
where chi2 rises at every setting, or falls at every setting, there is no extremum.  `rungs_of` keeps all other points,
and every 32nd of these.
"""

import numpy as np

from fastscan.kernels.arithmetic import fma, wide_vectors
from fastscan.kernels.gaussian import registers, sums_derivatives
from fastscan.kernels.jit import jit

SPARSE = 32  # where every column is monotonic, every 32nd ladder point stays; sparser would make brackets too wide


@jit
def rises_or_falls(own, ladder, scale):
    """Where on a ladder chi2 rises with x at every setting, and where it falls at every setting.

    With ' for the derivative in x and M for S_mm, the slope of a member's chi2 has the sign of

        S_dd' + (D' + S_dd' M - S_dd M') t + (D' M - D M') t^2,

    and t >= 0.  So chi2 rises at every setting where all three coefficients of all members are at least zero.

    Parameters
    ----------
    own : float64 (members, 3, SQUARES)
        S_dd, D and S_mm of the row, see `fastscan.kernels.squares`.
    ladder : float64 (rungs,)
        x in units of scale, ascending.
    scale : float64

    Returns
    -------
    rises, falls : bool (rungs,)
    """
    wide_vectors()
    rises, falls = np.ones(ladder.size, np.bool_), np.ones(ladder.size, np.bool_)
    for n in range(own.shape[0]):
        coefficients = registers(own[n])
        for m in range(ladder.size):
            s_dd, det, s_mm = sums_derivatives(coefficients, ladder[m] * scale)
            first = fma(s_dd[1], s_mm[0], fma(-s_dd[0], s_mm[1], det[1]))
            second = fma(det[1], s_mm[0], -det[0] * s_mm[1])
            rises[m] &= (s_dd[1] >= 0.0) & (first >= 0.0) & (second >= 0.0)
            falls[m] &= (s_dd[1] <= 0.0) & (first <= 0.0) & (second <= 0.0)
    return rises, falls


@jit
def inserted(numbers, count, x):
    """Put x in its place among the first `count` numbers, which ascend.

    Parameters
    ----------
    numbers : float64 (any,)
        Changed in place; an array that is full stays as it is.
    count : int
    x : float64

    Returns
    -------
    int
        count + 1, also if the array was full.
    """
    if count < numbers.size:
        place = count
        while place > 0 and numbers[place - 1] > x:
            numbers[place] = numbers[place - 1]
            place -= 1
        numbers[place] = x
    return count + 1


@jit
def rungs_of(own, ladder, scale, others, largest):
    """Rungs of a row: the ladder points that are needed, x = 0, `others` and `largest`.

    Parameters
    ----------
    own : float64 (members, 3, SQUARES)
        S_dd, D and S_mm of the row, see `fastscan.kernels.squares`.
    ladder : float64 (any,)
        x in units of scale, ascending; with negative points too where x can be negative.
    scale : float64
    others : float64 (any,)
        Further x, in any order.
    largest : float64
        One more x.

    Returns
    -------
    float64 (rungs,)
        x, ascending.
    """
    rises, falls = rises_or_falls(own, ladder, scale)
    rungs = np.empty(ladder.size + 1 + others.size + 1)
    count, last = 0, ladder.size - 1
    for m in range(ladder.size):
        below, above = max(m - 1, 0), min(m + 1, last)
        rising, falling = rises[below] & rises[m] & rises[above], falls[below] & falls[m] & falls[above]
        if m % SPARSE == 0 or not (rising or falling):
            rungs[count] = ladder[m] * scale
            count += 1
    count = inserted(rungs, count, 0.0)
    for x in others:
        count = inserted(rungs, count, x)
    return rungs[: inserted(rungs, count, largest)]
