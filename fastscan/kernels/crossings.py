"""Where chi2 along columns crosses its infimum + delta: the kernel `crossings`, from which every limit comes.

In each row, chi2 of all columns is computed at the rungs of a ladder.  Each change of the slope's sign brackets an
extremum, which is refined.  Between neighbouring extrema chi2 is monotonic, so every crossing has a bracket of its own,
in which it is refined.  Each crossing is computed by the same operations whatever columns are computed beside it:
results depend neither on threads nor on the order of columns, to the last bit.
"""

import numpy as np

from fastscan.kernels.arithmetic import wide_vectors
from fastscan.kernels.gaussian import settings_of
from fastscan.kernels.jit import Kernel, jit
from fastscan.kernels.ladders import inserted, rungs_of
from fastscan.kernels.roots import chi2_and_fall, level_changes, put_derivatives, refined

BATCH = 256  # columns of one row that are computed together: their chi2 at two dozen rungs stay in cache


@jit
def extrema_of(x, fall, own, noise, variance):
    """Every extremum of columns of one row.

    Parameters
    ----------
    x : float64 (rungs,)
    fall : float64 (rungs, columns)
        Minus the slope of chi2.
    own : float64 (members, 3, SQUARES)
        S_dd, D and S_mm of the row, see `fastscan.kernels.squares`.
    noise, variance : float64 (members, columns)
        1 / lam_e and sigma^2 of each column.

    Returns
    -------
    rung, column : intp (extrema,)
        The rung below the extremum, and the extremum's column.
    turning, extreme : float64 (extrema,)
        x of the extremum, and chi2 there.
    """
    zero = np.zeros(fall.shape[1])
    rung, column = level_changes(fall, zero)
    bracket = np.empty((4, rung.size))
    for e in range(rung.size):
        m = rung[e]
        below, above = fall[m, column[e]], fall[m + 1, column[e]]
        bracket[0, e], bracket[1, e], bracket[2, e] = x[m], x[m + 1], 1.0 if below > 0.0 else -1.0
        bracket[3, e] = secant(x[m], x[m + 1], below, above)
    turning = refined(True, bracket, zero, column, own, noise, variance)
    extreme, slope, curvature = np.empty((3, rung.size))
    put_derivatives(turning, own, *settings_of(noise, variance, column), extreme, slope, curvature)
    return rung, column, turning, extreme


@jit
def secant(low, high, below, above):
    """Where the straight line from one end of a bracket to the other is zero, for values of two signs at the ends."""
    return min(max(low + (high - low) * below / (below - above), low), high)


@jit
def brackets_of(x, chi2, level, rung, column, turning, extreme):
    """A bracket around every place where a column of one row crosses its level.

    A change of side from one rung to the next is one crossing.  Where an extremum and both rungs beside it lie on
    different sides of the level, there are two crossings, one on each side of the extremum.

    Parameters
    ----------
    x : float64 (rungs,)
    chi2 : float64 (rungs, columns)
    level : float64 (columns,)
    rung, column, turning, extreme : arrays (extrema,)
        What `extrema_of` returns.

    Returns
    -------
    column : intp (brackets,)
    bracket : float64 (4, brackets)
        As `fastscan.kernels.roots.refined` takes it.
    """
    m, k = level_changes(chi2, level)
    hidden, count = np.empty(rung.size, np.intp), 0
    for e in range(rung.size):
        low, high, own = chi2[rung[e], column[e]], chi2[rung[e] + 1, column[e]], level[column[e]]
        if (low > own) == (high > own) != (extreme[e] > own):
            hidden[count] = e
            count += 1
    where, bracket = np.empty(m.size + 2 * count, np.intp), np.empty((4, m.size + 2 * count))
    for i in range(m.size):
        below, above = chi2[m[i], k[i]] - level[k[i]], chi2[m[i] + 1, k[i]] - level[k[i]]
        where[i], bracket[0, i], bracket[1, i], bracket[2, i] = k[i], x[m[i]], x[m[i] + 1], 1.0 if above > 0.0 else -1.0
        bracket[3, i] = secant(x[m[i]], x[m[i] + 1], below, above)
    for i in range(count):
        e, one, other = hidden[i], m.size + 2 * i, m.size + 2 * i + 1
        where[one] = where[other] = column[e]
        bracket[0, one], bracket[1, one] = x[rung[e]], turning[e]
        bracket[0, other], bracket[1, other] = turning[e], x[rung[e] + 1]
        bracket[2, one] = 1.0 if extreme[e] > level[column[e]] else -1.0
        bracket[2, other] = -bracket[2, one]
        for i in (one, other):
            bracket[3, i] = 0.5 * (bracket[0, i] + bracket[1, i])
    return where, bracket


@jit
def range_of(x, chi2, column, turning, extreme, zero, largest):
    """Lowest and highest chi2 of each column, at those rungs and extrema at which |x| is at most the largest.

    Parameters
    ----------
    x : float64 (rungs,)
    chi2 : float64 (rungs, columns)
    column, turning, extreme : arrays (extrema,)
        What `extrema_of` returns.
    zero : intp
        The rung at which x is 0.
    largest : float64

    Returns
    -------
    lowest, highest : float64 (columns,)
    """
    wide_vectors()
    lowest, highest = chi2[zero].copy(), chi2[zero].copy()
    for m in range(x.size):
        if abs(x[m]) <= largest:
            for k in range(lowest.size):
                lowest[k], highest[k] = min(lowest[k], chi2[m, k]), max(highest[k], chi2[m, k])
    for e in range(column.size):
        if abs(turning[e]) <= largest:
            k = column[e]
            lowest[k], highest[k] = min(lowest[k], extreme[e]), max(highest[k], extreme[e])
    return lowest, highest


@Kernel
def crossings(
    coefficients,
    ladder,
    scale,
    others,
    row,
    noise,
    variance,
    delta,
    largest,
    lowest,
    at_zero,
    flat,
    count,
    crossing,
    first,
    last,
):
    """Where chi2 along columns crosses its infimum + delta; also the infimum, chi2 at x = 0, and whether chi2 is flat.

    A piece is a column.

    Parameters
    ----------
    coefficients : float64 (members, rows, 3, SQUARES)
        S_dd, D and S_mm as sums of squares, see `fastscan.kernels.squares`.  Dimensionless, as all else here.
    ladder : float64 (rungs,)
        x in units of each row's scale, ascending, so fine that no two extrema of a column lie between neighbours.  It
        has negative points too where x can be negative.
    scale : float64 (rows,)
    others : float64 (rows, any)
        Further x at which a row is computed.
    row : intp (columns,)
        Index of each column's row.  Neighbours in the same row share work.
    noise, variance : float64 (members, columns)
        1 / lam_e (inverse effective luminosity) and sigma^2 (squared relative systematic error) of each column.
    delta : float64
        Height of the crossings above the infimum of chi2; an infinite height has no crossings.
    largest : float64
        A column is flat if chi2 changes by no more than delta among the rungs and extrema with |x| up to this value.
    lowest, at_zero : float64 (columns,)
        Receive the infimum of chi2 over all x, or over x >= 0 where the ladder has no negative x; and chi2 at x = 0.
    flat : bool (columns,)
        Receives whether each column is flat.
    count : intp (columns,)
        Receives the number of crossings.  Where a number is above `most`, call again with more memory.
    crossing : float64 (columns, most)
        Receives x of the crossings, ascending; places beyond their number stay as they are.
    first, last : int
        The range of columns.

    References
    ----------
    Eq. 21 of arXiv:2002.01482, with the nuisance minimised out.
    """
    scratch = np.empty((2, (1 + ladder.size + others.shape[1] + 1) * BATCH))
    start = first
    while start < last:
        r, stop = row[start], start + 1
        while stop < min(last, start + BATCH) and row[stop] == r:
            stop += 1
        own = coefficients[:, r]
        x = rungs_of(own, ladder, scale[r], others[r], largest)
        settings = settings_of(noise, variance, np.arange(start, stop))
        chi2, fall = chi2_and_fall(x, own, *settings, scratch)
        rung, at, turning, extreme = extrema_of(x, fall, own, *settings[1:])
        # Between rungs and extrema chi2 is monotonic, so its lowest and highest values are among them.
        zero = np.searchsorted(x, 0.0)
        smallest, _ = range_of(x, chi2, at, turning, extreme, zero, np.inf)
        deepest, highest = range_of(x, chi2, at, turning, extreme, zero, largest)
        level = np.empty(stop - start)
        for k in range(stop - start):
            lowest[start + k], at_zero[start + k], level[k] = smallest[k], chi2[zero, k], smallest[k] + delta
            flat[start + k], count[start + k] = highest[k] - deepest[k] <= delta, 0
        at, bracket = brackets_of(x, chi2, level, rung, at, turning, extreme)
        root = refined(False, bracket, level, at, own, *settings[1:])
        for i in range(root.size):
            k = start + at[i]
            count[k] = inserted(crossing[k], count[k], root[i])
        start = stop
