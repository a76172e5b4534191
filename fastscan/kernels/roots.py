"""Roots of chi2 minus a level, or of the slope of chi2, in many columns of one row at once.

`chi2_and_fall` computes columns at rungs, `level_changes` finds the rungs between which a root lies, and `refined`
finds the root there.  Loops run over columns or roots, so that a vector instruction holds several of them.  A root
depends only on its own column, whatever columns stand beside it.
"""

import numpy as np

from fastscan.kernels.arithmetic import wide_vectors
from fastscan.kernels.gaussian import chi2_derivatives, registers, settings_of, sums_derivatives
from fastscan.kernels.jit import jit

LAST_STEP = 1e-8  # relative to x: the error after a Newton step is about the step's square, here below rounding


@jit
def chi2_and_fall(x, own, t, noise, variance, scratch):
    """chi2, and minus its slope, at each rung in each column.

    Parameters
    ----------
    x : float64 (rungs,)
    own : float64 (members, 3, SQUARES)
        S_dd, D and S_mm of the row, see `fastscan.kernels.squares`.
    t, noise, variance : float64 (members, columns)
        variance / noise, 1 / lam_e and sigma^2 of each column.
    scratch : float64 (2, any)
        Memory for the results: fresh memory costs more time than the arithmetic that fills it.

    Returns
    -------
    chi2, fall : float64 (rungs, columns)
        Views of scratch.
    """
    wide_vectors()
    rungs, columns = x.size, t.shape[1]
    chi2 = scratch[0, : rungs * columns].reshape(rungs, columns)
    fall = scratch[1, : rungs * columns].reshape(rungs, columns)
    for m in range(rungs):
        for k in range(columns):
            chi2[m, k] = fall[m, k] = 0.0
        for n in range(t.shape[0]):
            sums = sums_derivatives(registers(own[n]), x[m])
            for k in range(columns):
                value, slope, _ = chi2_derivatives(sums, t[n, k], noise[n, k], variance[n, k])
                chi2[m, k] += value
                fall[m, k] -= slope
    return chi2, fall


@jit
def level_changes(values, level):
    """Every place where a column is above its level at one rung and not above it at the next, or the reverse.

    Parameters
    ----------
    values : float64 (rungs, columns)
    level : float64 (columns,)

    Returns
    -------
    rung, column : intp (places,)
        The lower of both rungs, and the column; in the order of rungs, then of columns.
    """
    wide_vectors()
    rungs, columns = values.shape
    count, total = np.zeros(rungs, np.intp), 0
    for m in range(rungs - 1):
        here = 0
        for k in range(columns):
            here += (values[m, k] > level[k]) != (values[m + 1, k] > level[k])
        count[m] = here
        total += here
    rung, column, i = np.empty(total, np.intp), np.empty(total, np.intp), 0
    for m in range(rungs - 1):
        if count[m]:  # few rungs have any; counting them vectorises, listing them does not
            for k in range(columns):
                if (values[m, k] > level[k]) != (values[m + 1, k] > level[k]):
                    rung[i], column[i] = m, k
                    i += 1
    return rung, column


@jit
def put_derivatives(x, own, t, noise, variance, chi2, slope, curvature):
    """Fill three arrays with chi2 and its derivatives in x, at points that each have an x and a setting of their own.

    Parameters
    ----------
    x : float64 (points,)
    own : float64 (members, 3, SQUARES)
        S_dd, D and S_mm of the row, see `fastscan.kernels.squares`.
    t, noise, variance : float64 (members, points)
        variance / noise, 1 / lam_e and sigma^2.
    chi2, slope, curvature : float64 (points,)
        Receive chi2, its first and its second derivative.
    """
    wide_vectors()
    for i in range(x.size):
        chi2[i] = slope[i] = curvature[i] = 0.0
    for n in range(t.shape[0]):
        coefficients = registers(own[n])
        for i in range(x.size):
            sums = sums_derivatives(coefficients, x[i])
            value, first, second = chi2_derivatives(sums, t[n, i], noise[n, i], variance[n, i])
            chi2[i] += value
            slope[i] += first
            curvature[i] += second


@jit
def put_slopes(x, own, t, noise, variance, chi2, slope):
    """As `put_derivatives` without the curvature, which crossings don't need and the compiler then leaves out."""
    wide_vectors()
    for i in range(x.size):
        chi2[i] = slope[i] = 0.0
    for n in range(t.shape[0]):
        coefficients = registers(own[n])
        for i in range(x.size):
            sums = sums_derivatives(coefficients, x[i])
            value, first, _ = chi2_derivatives(sums, t[n, i], noise[n, i], variance[n, i])
            chi2[i] += value
            slope[i] += first


@jit
def refined(extrema, bracket, level, column, own, noise, variance):
    """x at which chi2 equals a level, or at which its slope is zero, in each bracket.

    Newton's method in all brackets at once.  A step that leaves its bracket, or is longer than half the step before,
    is replaced by halving the bracket.  A root is done after a step shorter than LAST_STEP, and then stands still while
    the others go on.

    Parameters
    ----------
    extrema : bool
        Whether to find zeros of the slope instead of places where chi2 equals the level.
    bracket : float64 (4, brackets)
        Lower end, upper end, 1 where the function rises through its root, else -1, and where to start.  The ends are
        changed in place.
    level : float64 (columns,)
        Ignored for extrema.
    column : intp (brackets,)
        Index of each bracket's column.
    own : float64 (members, 3, SQUARES)
        S_dd, D and S_mm of the row, see `fastscan.kernels.squares`.
    noise, variance : float64 (members, columns)
        1 / lam_e and sigma^2 of each column.

    Returns
    -------
    float64 (brackets,)
    """
    wide_vectors()
    t, noise, variance = settings_of(noise, variance, column)
    low, high, direction = bracket[0], bracket[1], bracket[2]
    size = column.size
    x, step = np.empty(size), np.empty(size)
    for i in range(size):
        x[i], step[i] = bracket[3, i], high[i] - low[i]
    chi2, slope, curvature = np.empty(size), np.empty(size), np.zeros(size)
    moving = size
    while moving > 0:
        if extrema:
            put_derivatives(x, own, t, noise, variance, chi2, slope, curvature)
        else:
            put_slopes(x, own, t, noise, variance, chi2, slope)
        for i in range(size):  # this loop vectorises because it has no branches and writes its arrays at the end only
            f = slope[i] if extrema else chi2[i] - level[column[i]]
            df = curvature[i] if extrema else slope[i]
            beyond = f * direction[i] > 0.0
            a, b = low[i] if beyond else x[i], x[i] if beyond else high[i]
            newton = x[i] - f / df
            safe = (a <= newton) & (newton <= b) & (abs(newton - x[i]) <= 0.5 * abs(step[i]))
            following = newton if safe else 0.5 * (a + b)
            following = following if abs(step[i]) > LAST_STEP * abs(x[i]) else x[i]
            low[i], high[i], step[i], x[i] = a, b, following - x[i], following
        moving = 0
        for i in range(size):
            moving += abs(step[i]) > LAST_STEP * abs(x[i])
    return x
