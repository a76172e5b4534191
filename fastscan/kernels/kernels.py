"""The arithmetic of scans and limits: couplings -> rates -> chi2 -> crossings, compiled by numba.

A column is a line of the grid along M_Z'.  On it the sums over bins that a chi2 needs are polynomials in
gamma = (M_Z / M_Z')^2; `polynomials` makes them from Gram matrices and couplings, `chi2_block` fills a block of
a grid from them, `chi2_columns` single columns, and `crossings` finds where columns cross a level, for limits.
Every experiment is a Gram matrix and every model a kappa, so there are no cases here.  A combination of experiments
("members") is the sum of its members' chi2.

Each grid point, and each crossing, is computed by one thread, by the same operations wherever its block begins or
ends: results depend neither on threads nor on blocks, to the last bit.  All kernels are in this one file, because numba
keeps what it compiled until the file of a kernel changes, whatever becomes of another file that it calls.
"""

import errno
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import get_num_threads, njit, prange, types
from numba.extending import intrinsic, overload

SUMS = 3  # S_dd, D and S_mm of `fastscan.likelihoods.likelihood.gram_matrices`
BASIS = 4  # 1 and the changes of g1^2, g1 g2 and g2^2
POWERS = 5  # of gamma: each sum is a quartic
SPARSE = 32  # of so many rungs where columns are monotonic one is kept, so that brackets aren't too wide
LAST_STEP = 1e-8  # relative, of gamma, of Newton's: its square is below rounding
RECIPROCAL_BITS = 0x7FDE623822FC16E6  # minus a number's bits are those of about its reciprocal
SHARE = 4096  # columns that are dealt out to a thread, of which it does
BATCH = 256  # in one go: their chi2 at two dozen rungs stays in cache
TILE_POINTS = 16384  # grid points that a thread computes in one go: 128 KiB of float64


def jit(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile a scalar formula or a kernel, with the options that all kernels share.

    error_model "numpy" lets loops vectorise, nogil lets dask's threads run side by side, the cache spares the
    next process the compilation.  No fastmath: it would delete NaNs and reorder sums.
    """
    try:
        compiled: Callable[..., Any] = njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    except RuntimeError:  # numba's own list of places ends with the package's and the home directory's
        remedy = "set NUMBA_CACHE_DIR to a directory where numba can keep what it compiles"
        raise PermissionError(errno.EACCES, remedy, "numba's cache") from None
    return compiled


class Kernel:
    """One source, compiled twice.

    `serial` releases the GIL and is for processes that run several tasks in threads, `parallel` spreads over
    numba's threads and is for processes that do one thing at a time.  The lock is there because numba's
    workqueue layer, the only one that every platform has, aborts the process when two threads enter it.
    """

    _lock = threading.Lock()

    def __init__(self, function: Callable[..., Any]) -> None:
        self.serial = jit(function)
        twin = FunctionType(function.__code__, function.__globals__, function.__name__)
        twin.__qualname__ = f"{function.__qualname__}_parallel"  # numba caches by qualified name
        self._parallel = jit(twin, parallel=True)

    def parallel(self, *arguments: Any) -> Any:
        with self._lock:
            return self._parallel(*arguments)

    def of_size(self, points: int) -> Callable[..., Any]:
        """The twin for so many points: waking threads costs more than a few tiles do."""
        return self.parallel if points > 4 * TILE_POINTS else self.serial


def threads() -> int:
    """Threads that a parallel kernel has."""
    count: int = get_num_threads()
    return count


@jit
def quadratic_form(form, a, b):
    """a^T form b."""
    total = 0.0
    for i in range(BASIS):
        for j in range(BASIS):
            total += a[i] * form[i, j] * b[j]
    return total


@jit
def quartic(c, x):
    """Polynomial of degree 4 with coefficients c, lowest first."""
    return (((c[4] * x + c[3]) * x + c[2]) * x + c[1]) * x + c[0]


def fma(a, b, c):
    """a b + c, rounded once.  Written out, because a compiler that may contract does so where it likes."""
    return a * b + c  # twice, but only without a compiler


def as_integer(x):
    """The bits of a float64."""
    return np.float64(x).view(np.int64)


def as_float(bits):
    """The float64 of these bits."""
    return np.int64(bits).view(np.float64)


def wide_vectors():
    """Let the loops of the function that calls this use all of AVX-512, of which LLVM takes half by default."""


@intrinsic
def _fma(context, a, b, c):
    return types.float64(a, b, c), lambda target, builder, signature, arguments: builder.fma(*arguments)


@intrinsic
def _as_integer(context, x):
    return types.int64(x), lambda target, builder, signature, arguments: builder.bitcast(*arguments, ir.IntType(64))


@intrinsic
def _as_float(context, bits):
    return types.float64(bits), lambda target, builder, signature, arguments: builder.bitcast(
        *arguments, ir.DoubleType()
    )


@intrinsic
def _wide_vectors(context):
    def generate(target, builder, signature, arguments):
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # llvmlite's own add() knows no such pairs
        return target.get_dummy_value()

    return types.none(), generate


# what the functions above are when compiled: one instruction each
overload(fma, inline="always")(lambda a, b, c: lambda a, b, c: _fma(a, b, c))
overload(as_integer, inline="always")(lambda x: lambda x: _as_integer(x))
overload(as_float, inline="always")(lambda bits: lambda bits: _as_float(bits))
overload(wide_vectors, inline="always")(lambda: lambda: _wide_vectors())


@jit
def reciprocal(x):
    """1 / x of a positive number, within 4e-16 of it: a loop of divisions waits for the processor's only divider.

    The exponent's sign is turned in the bits, which is 5 % off, and two steps of the geometric series for 1 / (1 - e)
    follow, to e^4 and e^3.
    """
    y = as_float(RECIPROCAL_BITS - as_integer(x))
    e = fma(-x, y, 1.0)
    y = fma(y, e, y)
    y = fma(y, e * e, y)
    e = fma(-x, y, 1.0)
    return fma(y, fma(e, e, e), y)


@jit
def chi2_factors(s_dd, det, s_mm, pull, noise, variance):
    """chi2 with its normalisation nuisance minimised out, as a product.

    (S_dd + D pull) / (noise + S_mm variance), with noise = 1 / lam_e, variance = sigma_sys^2 and their ratio
    pull = variance / noise.  Every term is at least zero, and sigma_sys = 0 is a regular point.  The textbook form,
    with the sums scaled to a luminosity, is S_dd - sigma^2 S_dm^2 / (1 + sigma^2 S_mm).
    """
    return fma(det, pull, s_dd), reciprocal(fma(s_mm, variance, noise))


@jit
def chi2_point(s_dd, det, s_mm, pull, noise, variance, others):
    """chi2 added to that of other members."""
    excess, over = chi2_factors(s_dd, det, s_mm, pull, noise, variance)
    return fma(excess, over, others)


@jit
def polynomials(gram, g_sm, kappa):
    """Each sum over bins as a quartic in gamma.

    With g = g_SM + gamma kappa the basis (1, changes of g1^2, g1 g2, g2^2) is e0 + gamma first + gamma^2 second:
    written as changes, so that no digits are lost near the Standard Model.

    Parameters
    ----------
    gram : float64 (members, SUMS, BASIS, BASIS)
    g_sm : float64 (members, 2)
    kappa : float64 (members, betas, 2)

    Returns
    -------
    float64 (members, betas, SUMS, POWERS)
    """
    members, betas = kappa.shape[:2]
    out = np.empty((members, betas, SUMS, POWERS))
    zeroth, first, second = np.zeros(BASIS), np.zeros(BASIS), np.zeros(BASIS)
    zeroth[0] = 1.0
    for n in range(members):
        g1, g2 = g_sm[n]
        for b in range(betas):
            k1, k2 = kappa[n, b]
            first[1], first[2], first[3] = 2.0 * g1 * k1, g1 * k2 + g2 * k1, 2.0 * g2 * k2
            second[1], second[2], second[3] = k1 * k1, k1 * k2, k2 * k2
            for s in range(SUMS):
                form, c = gram[n, s], out[n, b, s]
                c[0] = quadratic_form(form, zeroth, zeroth)
                c[1] = 2.0 * quadratic_form(form, zeroth, first)
                c[2] = quadratic_form(form, first, first) + 2.0 * quadratic_form(form, zeroth, second)
                c[3] = 2.0 * quadratic_form(form, first, second)
                c[4] = quadratic_form(form, second, second)
    return out


@jit
def settings_of(noise, variance, column):
    """pull, noise and variance (members, columns) of some columns, side by side in memory, for vectors."""
    shape = noise.shape[0], column.size
    pull, own_noise, own_variance = np.empty(shape), np.empty(shape), np.empty(shape)
    for n in range(noise.shape[0]):
        for k in range(column.size):
            own_noise[n, k], own_variance[n, k] = noise[n, column[k]], variance[n, column[k]]
            pull[n, k] = own_variance[n, k] / own_noise[n, k]
    return pull, own_noise, own_variance


@jit
def registers(coefficients):
    """Coefficients (SUMS, POWERS) as tuples, which a loop that writes keeps in registers: it vectorises."""
    a, b, c = coefficients
    return (a[0], a[1], a[2], a[3], a[4]), (b[0], b[1], b[2], b[3], b[4]), (c[0], c[1], c[2], c[3], c[4])


@jit
def column_sums(coefficients, gamma):
    """S_dd, D and S_mm at gamma; clipped, because rounding can make a sum of squares negative."""
    return (
        max(quartic(coefficients[0], gamma), 0.0),
        max(quartic(coefficients[1], gamma), 0.0),
        max(quartic(coefficients[2], gamma), 0.0),
    )


def _chi2_block(coefficients, gamma, noise, variance, tile, out):
    """Fill a block of a grid with chi2.

    Parameters
    ----------
    coefficients : float64 (members, betas, SUMS, POWERS)
        Of `polynomials`.
    gamma : float64 (masses,)
    noise, variance : float64 (members, settings)
        1 / lam_e and sigma_sys^2 of each member at each pair of sigma_sys and luminosity.
    tile : int
        Points that a thread computes in one go; the result doesn't depend on it.
    out : float64 or float32 (betas, masses, settings)
        Filled; computed in float64 whatever it is.
    """
    members, betas = coefficients.shape[:2]
    masses, settings = gamma.size, noise.shape[1]
    rows = betas * masses
    height = max(1, tile // settings)
    pull, noise, variance = settings_of(noise, variance, np.arange(settings))
    for tile_number in prange((rows + height - 1) // height):
        wide_vectors()
        total = np.zeros(settings)  # of all members but the last, which writes: one pass less over the block
        for row in range(tile_number * height, min((tile_number + 1) * height, rows)):
            b, m = row // masses, row % masses
            if members > 1:
                total[:] = 0.0
            for n in range(members - 1):
                s_dd, det, s_mm = column_sums(coefficients[n, b], gamma[m])
                for k in range(settings):
                    total[k] = chi2_point(s_dd, det, s_mm, pull[n, k], noise[n, k], variance[n, k], total[k])
            n = members - 1
            s_dd, det, s_mm = column_sums(coefficients[n, b], gamma[m])
            for k in range(settings):
                out[b, m, k] = chi2_point(s_dd, det, s_mm, pull[n, k], noise[n, k], variance[n, k], total[k])


@jit
def quartic_derivatives(c, x):
    """A quartic and its first and second derivative."""
    value3 = fma(c[4], x, c[3])
    value2 = fma(value3, x, c[2])
    value1 = fma(value2, x, c[1])
    slope2 = fma(c[4], x, value3)
    slope1 = fma(slope2, x, value2)
    half = fma(fma(c[4], x, slope2), x, slope1)
    return fma(value1, x, c[0]), fma(slope1, x, value1), 2.0 * half


@jit
def sums_derivatives(polynomials, gamma):
    """S_dd, D and S_mm at gamma, each with two derivatives."""
    s_dd, det, s_mm = polynomials
    return quartic_derivatives(s_dd, gamma), quartic_derivatives(det, gamma), quartic_derivatives(s_mm, gamma)


@jit
def chi2_derivatives(sums, pull, noise, variance):
    """chi2 of one member, and its first and second derivative with respect to gamma."""
    s_dd, det, s_mm = sums
    excess, over = chi2_factors(max(s_dd[0], 0.0), max(det[0], 0.0), max(s_mm[0], 0.0), pull, noise, variance)
    value = excess * over
    slope = fma(-value * variance, s_mm[1], fma(det[1], pull, s_dd[1])) * over
    curvature = fma(-variance, fma(2.0 * slope, s_mm[1], value * s_mm[2]), fma(det[2], pull, s_dd[2])) * over
    return value, slope, curvature


@jit
def rises_or_falls(own, ladder, scale):
    """Where chi2 rises with gamma whatever sigma_sys and luminosity are, and where it falls, on a ladder of gammas.

    The sign of a member's slope is that of S' + (D' + S' M - S M') t + (D' M - D M') t^2, with M = S_mm.
    """
    wide_vectors()
    rises, falls = np.ones(ladder.size, np.bool_), np.ones(ladder.size, np.bool_)
    for n in range(own.shape[0]):
        polynomials = registers(own[n])
        for m in range(ladder.size):
            s_dd, det, s_mm = sums_derivatives(polynomials, ladder[m] * scale)
            first = fma(s_dd[1], s_mm[0], fma(-s_dd[0], s_mm[1], det[1]))
            second = fma(det[1], s_mm[0], -det[0] * s_mm[1])
            rises[m] &= (s_dd[1] >= 0.0) & (first >= 0.0) & (second >= 0.0)
            falls[m] &= (s_dd[1] <= 0.0) & (first <= 0.0) & (second <= 0.0)
    return rises, falls


@jit
def inserted(row, count, x):
    """Put x among the first so many numbers of a row, which ascend, and return their new count.

    A row that is full stays as it is.
    """
    if count < row.size:
        place = count
        while place > 0 and row[place - 1] > x:
            row[place] = row[place - 1]
            place -= 1
        row[place] = x
    return count + 1


@jit
def rungs_of(own, ladder, scale, others, strongest):
    """gamma at which columns of one beta are computed: 0, what matters of a ladder, others, the strongest; ascending.

    The ladder is in units of scale.  Rungs between which chi2 only rises, or only falls, in every column are left out
    but for a few.
    """
    rises, falls = rises_or_falls(own, ladder, scale)
    rungs = np.zeros(1 + ladder.size + others.size + 1)
    count, last = 1, ladder.size - 1
    for m in range(ladder.size):
        below, above = max(m - 1, 0), min(m + 1, last)
        rising, falling = rises[below] & rises[m] & rises[above], falls[below] & falls[m] & falls[above]
        if m % SPARSE == 0 or not (rising or falling):
            rungs[count] = ladder[m] * scale
            count += 1
    for x in others:
        count = inserted(rungs, count, x)
    return rungs[: inserted(rungs, count, strongest)]


@jit
def chi2_and_fall(gamma, own, pull, noise, variance, room):
    """chi2, and minus its slope, at each gamma in each column, shape (rungs, columns); settings (members, columns).

    They are put where there is room, (2, any): fresh memory costs more than the arithmetic that fills it.
    """
    wide_vectors()
    rungs, columns = gamma.size, pull.shape[1]
    chi2, fall = room[0, : rungs * columns].reshape(rungs, columns), room[1, : rungs * columns].reshape(rungs, columns)
    for m in range(rungs):
        for k in range(columns):
            chi2[m, k] = fall[m, k] = 0.0
        for n in range(pull.shape[0]):
            sums = sums_derivatives(registers(own[n]), gamma[m])
            for k in range(columns):
                value, slope, _ = chi2_derivatives(sums, pull[n, k], noise[n, k], variance[n, k])
                chi2[m, k] += value
                fall[m, k] -= slope
    return chi2, fall


@jit
def level_changes(values, level):
    """Rung and column of every place where values (rungs, columns) are on another side of a level at the next rung."""
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
        if count[m]:  # few rungs have any, and the count is quick
            for k in range(columns):
                if (values[m, k] > level[k]) != (values[m + 1, k] > level[k]):
                    rung[i], column[i] = m, k
                    i += 1
    return rung, column


@jit
def put_derivatives(gamma, own, pull, noise, variance, chi2, slope, curvature):
    """Fill chi2 and its derivatives, each with its own gamma and settings (members, any)."""
    wide_vectors()
    for i in range(gamma.size):
        chi2[i] = slope[i] = curvature[i] = 0.0
    for n in range(pull.shape[0]):
        polynomials = registers(own[n])
        for i in range(gamma.size):
            sums = sums_derivatives(polynomials, gamma[i])
            value, first, second = chi2_derivatives(sums, pull[n, i], noise[n, i], variance[n, i])
            chi2[i] += value
            slope[i] += first
            curvature[i] += second


@jit
def refined(extrema, bracket, level, column, own, noise, variance):
    """Where chi2 is at a level, or its slope zero (extrema), each in a bracket.

    A bracket, of three rows, is two gammas and 1 where chi2, or its slope, rises from one to the other, else -1; it
    shrinks.  Newton's steps in all brackets at once, so that vectors hold several; where a step leaves its bracket, or
    isn't half as long as the one before, the bracket is halved.  After a step the error is about its square: the last
    one is shorter than LAST_STEP.
    """
    wide_vectors()
    pull, noise, variance = settings_of(noise, variance, column)
    low, high, direction = bracket[0], bracket[1], bracket[2]
    size = column.size
    x, step = np.empty(size), np.empty(size)
    for i in range(size):
        x[i], step[i] = 0.5 * (low[i] + high[i]), high[i] - low[i]
    chi2, slope, curvature = np.empty(size), np.empty(size), np.empty(size)
    moving = size
    while moving > 0:
        put_derivatives(x, own, pull, noise, variance, chi2, slope, curvature)
        for i in range(size):  # without branches, and with its own names for what it writes: so it vectorises
            f = slope[i] if extrema else chi2[i] - level[column[i]]
            df = curvature[i] if extrema else slope[i]
            beyond = f * direction[i] > 0.0
            a, b = low[i] if beyond else x[i], x[i] if beyond else high[i]
            newton = x[i] - f / df
            safe = (a <= newton) & (newton <= b) & (abs(newton - x[i]) <= 0.5 * abs(step[i]))
            following = newton if safe else 0.5 * (a + b)
            following = following if abs(step[i]) > LAST_STEP * x[i] else x[i]
            low[i], high[i], step[i], x[i] = a, b, following - x[i], following
        moving = 0
        for i in range(size):
            moving += abs(step[i]) > LAST_STEP * x[i]
    return x


@jit
def extrema_of(gamma, fall, own, noise, variance):
    """Every extremum of columns: the rung below, column, gamma, and chi2; fall is minus the slope at the rungs."""
    zero = np.zeros(fall.shape[1])
    rung, column = level_changes(fall, zero)
    bracket = np.empty((3, rung.size))
    for e in range(rung.size):
        m = rung[e]
        bracket[0, e], bracket[1, e] = gamma[m], gamma[m + 1]
        bracket[2, e] = 1.0 if fall[m, column[e]] > 0.0 else -1.0
    turning = refined(True, bracket, zero, column, own, noise, variance)
    peak, slope, curvature = np.empty((3, rung.size))
    put_derivatives(turning, own, *settings_of(noise, variance, column), peak, slope, curvature)
    return rung, column, turning, peak


@jit
def brackets_of(gamma, chi2, level, rung, column, turning, peak):
    """Every place where columns cross their level: column, and bracket as of `refined`.

    Between neighbouring extrema chi2 is monotonic, so a change from one rung to the next is one crossing, and an
    extremum on the other side of the level than both of its rungs makes two.
    """
    m, k = level_changes(chi2, level)
    hidden, count = np.empty(rung.size, np.intp), 0
    for e in range(rung.size):
        low, high, own = chi2[rung[e], column[e]], chi2[rung[e] + 1, column[e]], level[column[e]]
        if (low > own) == (high > own) != (peak[e] > own):
            hidden[count] = e
            count += 1
    where, bracket = np.empty(m.size + 2 * count, np.intp), np.empty((3, m.size + 2 * count))
    for i in range(m.size):
        where[i], bracket[0, i], bracket[1, i] = k[i], gamma[m[i]], gamma[m[i] + 1]
        bracket[2, i] = 1.0 if chi2[m[i] + 1, k[i]] > level[k[i]] else -1.0
    for i in range(count):
        e, one, other = hidden[i], m.size + 2 * i, m.size + 2 * i + 1
        where[one] = where[other] = column[e]
        bracket[0, one], bracket[1, one] = gamma[rung[e]], turning[e]
        bracket[0, other], bracket[1, other] = turning[e], gamma[rung[e] + 1]
        bracket[2, one] = 1.0 if peak[e] > level[column[e]] else -1.0
        bracket[2, other] = -bracket[2, one]
    return where, bracket


@jit
def range_of(gamma, chi2, column, turning, peak, strongest):
    """Lowest and highest chi2 of each column, at rungs and extrema up to some gamma."""
    wide_vectors()
    lowest, highest = chi2[0].copy(), chi2[0].copy()
    for m in range(1, gamma.size):
        if gamma[m] <= strongest:
            for k in range(lowest.size):
                lowest[k], highest[k] = min(lowest[k], chi2[m, k]), max(highest[k], chi2[m, k])
    for e in range(column.size):
        if turning[e] <= strongest:
            k = column[e]
            lowest[k], highest[k] = min(lowest[k], peak[e]), max(highest[k], peak[e])
    return lowest, highest


@jit
def joined(rows, lengths):
    """The first so many numbers of each row, one row after the other, each from its end."""
    out, first = np.empty(lengths.sum()), 0
    for i in range(lengths.size):
        for j in range(lengths[i]):
            out[first + j] = rows[i, lengths[i] - 1 - j]
        first += lengths[i]
    return out


def _crossings(coefficients, ladder, scale, others, column, noise, variance, delta, strongest, most, hands):
    """Where chi2 along columns of gamma crosses its infimum + delta, and what else a limit needs of them.

    Parameters
    ----------
    coefficients : float64 (members, betas, SUMS, POWERS)
        Of `polynomials`.
    ladder, scale : float64 (rungs,) and (betas,)
        A beta's ladder is their product, in ascending order, so fine that no two extrema share a rung.
    others : float64 (betas, any)
        Further gammas of a beta's ladder.
    column : intp (columns,)
        Index of the column's beta.  Neighbours that have the same share the work on it.
    noise, variance : float64 (members, columns)
    delta : float
        Infinity to find none.
    strongest : float
        gamma up to which a column counts as flat where chi2 changes by no more than delta.
    most : int
        Crossings of a column that there is room for.
    hands : int
        To which columns are dealt out in turn, as some betas take longer; the result doesn't depend on it.

    Returns
    -------
    lowest, of_sm : float64 (columns,)
        chi2's infimum, and that of the Standard Model.
    flat : bool (columns,)
    count : intp (columns,)
        Crossings, of which each column's first `most` are in
    crossing : float64 (any,)
        column after column: gamma, in descending order.
    """
    columns = column.size
    lowest, of_sm, flat = np.empty(columns), np.empty(columns), np.empty(columns, np.bool_)
    count, crossing = np.zeros(columns, np.intp), np.empty((columns, most))
    for hand in prange(hands):
        room = np.empty((2, (1 + ladder.size + others.shape[1] + 1) * BATCH))
        for share in range(hand * SHARE, columns, hands * SHARE):
            start, end = share, min(share + SHARE, columns)
            while start < end:
                b, stop = column[start], start + 1
                while stop < min(end, start + BATCH) and column[stop] == b:
                    stop += 1
                own = coefficients[:, b]
                gamma = rungs_of(own, ladder, scale[b], others[b], strongest)
                settings = settings_of(noise, variance, np.arange(start, stop))
                chi2, fall = chi2_and_fall(gamma, own, *settings, room)
                rung, at, turning, peak = extrema_of(gamma, fall, own, *settings[1:])
                # chi2 is monotonic but for its extrema: with the rungs they are all that its range takes
                smallest, _ = range_of(gamma, chi2, at, turning, peak, np.inf)
                deepest, highest = range_of(gamma, chi2, at, turning, peak, strongest)
                level = np.empty(stop - start)
                for k in range(stop - start):
                    lowest[start + k], of_sm[start + k], level[k] = smallest[k], chi2[0, k], smallest[k] + delta
                    flat[start + k] = highest[k] - deepest[k] <= delta
                at, bracket = brackets_of(gamma, chi2, level, rung, at, turning, peak)
                x = refined(False, bracket, level, at, own, *settings[1:])
                for i in range(x.size):
                    k = start + at[i]
                    count[k] = inserted(crossing[k], count[k], x[i])
                start = stop
    return lowest, of_sm, flat, count, joined(crossing, np.minimum(count, most))


def _chi2_columns(coefficients, column, gamma, noise, variance):
    """chi2 along columns, each with its own beta, sigma_sys and luminosity.

    Parameters
    ----------
    coefficients : float64 (members, betas, SUMS, POWERS)
        Of `polynomials`.
    column : intp (columns,)
        Index of the column's beta.
    gamma : float64 (columns, masses)
    noise, variance : float64 (members, columns)

    Returns
    -------
    float64 (columns, masses)
    """
    columns, masses = gamma.shape
    out = np.zeros((columns, masses))
    for i in prange(columns):
        wide_vectors()
        for n in range(coefficients.shape[0]):
            own = registers(coefficients[n, column[i]])
            own_noise, own_variance = noise[n, i], variance[n, i]
            pull = own_variance / own_noise
            for m in range(masses):
                s_dd, det, s_mm = column_sums(own, gamma[i, m])
                out[i, m] = chi2_point(s_dd, det, s_mm, pull, own_noise, own_variance, out[i, m])
    return out


chi2_block = Kernel(_chi2_block)
chi2_columns = Kernel(_chi2_columns)
crossings = Kernel(_crossings)
