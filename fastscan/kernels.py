"""The arithmetic of a scan: couplings -> rates -> chi2, compiled by numba.

A column is a line of the grid along M_Z'.  On it the sums over bins that a chi2 needs are polynomials in
gamma = (M_Z / M_Z')^2; `polynomials` makes them from Gram matrices and couplings, `chi2_block` fills a block of
a grid from them, and `chi2_columns` single columns.  Every experiment is a Gram matrix and every model a kappa,
so there are no cases here.  A combination of experiments ("members") is the sum of its members' chi2.

Each grid point is computed by one thread, by the same operations wherever its block begins or ends: results
depend neither on threads nor on blocks, to the last bit.
"""

import errno
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic, overload

SUMS = 3  # S_dd, D and S_mm of PHYSICS.md section 8
BASIS = 4  # 1 and the changes of g1^2, g1 g2 and g2^2
POWERS = 5  # of gamma: each sum is a quartic
GOLDEN = 0.3819660112501051  # 2 minus the golden ratio
EXTREMUM_WIDTH = 1e-6  # relative, of gamma: chi2 at an extremum changes by its square, 1e-12, over it
CROSSING_WIDTH = 4e-16  # relative, of gamma: rounding
STORED_ROUNDING = 1e-6  # of a stored value: this close to the level, the likelihood says on which side it is
RECIPROCAL_BITS = 0x7FDE623822FC16E6  # minus a number's bits are those of about its reciprocal
TILE_POINTS = 16384  # grid points that a thread computes in one go: 128 KiB of float64


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a scalar formula or a serial kernel, with the options that all kernels share.

    error_model "numpy" lets loops vectorise, nogil lets dask's threads run side by side, the cache spares the
    next process the compilation.  No fastmath: it would delete NaNs and reorder sums.
    """
    return _compiled(function)


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
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
        twin = FunctionType(function.__code__, globals(), function.__name__)
        twin.__qualname__ = f"{function.__qualname__}_parallel"  # numba caches by qualified name
        self._parallel = _compiled(twin, parallel=True)

    def parallel(self, *arguments: Any) -> Any:
        with self._lock:
            return self._parallel(*arguments)

    def of_size(self, points: int) -> Callable[..., Any]:
        """The twin for so many points: waking threads costs more than a few tiles do."""
        return self.parallel if points > 4 * TILE_POINTS else self.serial


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
def chi2_point(s_dd, det, s_mm, pull, noise, variance, others):
    """chi2 with its normalisation nuisance minimised out, added to that of other members.

    (S_dd + D t) / (1 / lam_e + S_mm sigma_sys^2), with t = pull = lam_e sigma_sys^2, noise = 1 / lam_e, and
    variance = sigma_sys^2.  Every term is at least zero, and sigma_sys = 0 is a regular point.  The textbook form,
    with the sums scaled to a luminosity, is S_dd - sigma^2 S_dm^2 / (1 + sigma^2 S_mm).
    """
    return fma(fma(det, pull, s_dd), reciprocal(fma(s_mm, variance, noise)), others)


@jit
def noise_and_variance(weight, pull):
    """1 / lam_e and sigma_sys^2 of what the kernels are given, lam_e and lam_e sigma_sys^2."""
    return 1.0 / weight, pull / weight


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


def _chi2_block(coefficients, gamma, weight, pull, tile, out):
    """Fill a block of a grid with chi2.

    Parameters
    ----------
    coefficients : float64 (members, betas, SUMS, POWERS)
        Of `polynomials`.
    gamma : float64 (masses,)
    weight, pull : float64 (members, settings)
        lam_e and lam_e sigma_sys^2 of each member at each pair of sigma_sys and luminosity.
    tile : int
        Points that a thread computes in one go; the result doesn't depend on it.
    out : float64 or float32 (betas, masses, settings)
        Filled; computed in float64 whatever it is.
    """
    members, betas = coefficients.shape[:2]
    masses, settings = gamma.size, weight.shape[1]
    rows = betas * masses
    height = max(1, tile // settings)
    noise, variance = noise_and_variance(weight, pull)
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
def chi2_at(coefficients, gamma, pull, noise, variance):
    """chi2 of all members at gamma; coefficients (members, SUMS, POWERS), the others (members,)."""
    total = 0.0
    for n in range(pull.size):
        s_dd, det, s_mm = column_sums(coefficients[n], gamma)
        total = chi2_point(s_dd, det, s_mm, pull[n], noise[n], variance[n], total)
    return total


@jit
def extremum_between(low, middle, high, sign, coefficients, pull, noise, variance):
    """gamma of the minimum of sign chi2 between two others, by golden sections; middle is its estimate."""
    best = sign * chi2_at(coefficients, middle, pull, noise, variance)
    while high - low > EXTREMUM_WIDTH * middle:
        far_left = middle - low > high - middle
        x = middle - GOLDEN * (middle - low) if far_left else middle + GOLDEN * (high - middle)
        value = sign * chi2_at(coefficients, x, pull, noise, variance)
        if value < best:
            low, high = (low, middle) if far_left else (middle, high)
            middle, best = x, value
        elif far_left:
            low = x
        else:
            high = x
    return middle


@jit
def crossing_between(a, b, level, coefficients, pull, noise, variance):
    """gamma between two others where chi2 crosses a level, or NaN where it is on one side of it at both.

    Chandrupatla's method: inverse quadratic interpolation where that is safe, and bisection elsewhere.
    """
    f_a = chi2_at(coefficients, a, pull, noise, variance) - level
    f_b = chi2_at(coefficients, b, pull, noise, variance) - level
    if (f_a > 0.0) == (f_b > 0.0):
        return np.nan
    step = 0.5
    while True:
        x = a + step * (b - a)
        f_x = chi2_at(coefficients, x, pull, noise, variance) - level
        if (f_x > 0.0) == (f_a > 0.0):
            c, f_c = a, f_a
        else:
            c, f_c = b, f_b
            b, f_b = a, f_a
        a, f_a = x, f_x
        best, f_best = (a, f_a) if abs(f_a) < abs(f_b) else (b, f_b)
        least = CROSSING_WIDTH * best / abs(b - a)
        if least > 0.5 or f_best == 0.0:
            return best
        xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        step = 0.5
        if phi * phi < xi and (1.0 - phi) * (1.0 - phi) < 1.0 - xi:
            step = f_a / (f_b - f_a) * f_c / (f_b - f_c) + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        step = min(1.0 - least, max(least, step))


@jit
def find_extrema(gamma, chi2, coefficients, pull, noise, variance):
    """gamma and chi2 where chi2 turns, and the rung (its index) below; chi2 is known at the rungs in gamma."""
    turning, peak, below, count = np.empty(gamma.size), np.empty(gamma.size), np.empty(gamma.size, np.intp), 0
    for m in range(1, gamma.size - 1):
        dip = chi2[m] < chi2[m - 1] and chi2[m] <= chi2[m + 1]
        if dip or (chi2[m] > chi2[m - 1] and chi2[m] >= chi2[m + 1]):
            low, middle, high, sign = gamma[m - 1], gamma[m], gamma[m + 1], 1.0 if dip else -1.0
            x = extremum_between(low, middle, high, sign, coefficients, pull, noise, variance)
            turning[count], below[count] = x, m - 1 if x < middle else m
            peak[count] = chi2_at(coefficients, x, pull, noise, variance)
            count += 1
    return turning[:count], peak[:count], below[:count]


@jit
def noted(brackets, count, low, high):
    """The number of brackets with one more, which is kept where there is room."""
    if count < len(brackets):
        brackets[count, 0], brackets[count, 1] = low, high
    return count + 1


@jit
def find_brackets(gamma, chi2, turning, peak, below, level, brackets):
    """How often chi2 crosses a level, each time between two gammas, which are noted in brackets (room, 2).

    Between neighbouring extrema chi2 is monotonic, so two rungs on different sides of the level are a bracket of one
    crossing, and an extremum on the other side than both of its rungs makes two.
    """
    count, above = 0, chi2[0] > level
    for m in range(1, gamma.size):
        if (chi2[m] > level) != above:
            above = not above
            count = noted(brackets, count, gamma[m - 1], gamma[m])
    for e in range(turning.size):
        m = below[e]
        if (chi2[m] > level) == (chi2[m + 1] > level) != (peak[e] > level):
            count = noted(brackets, count, gamma[m], turning[e])
            count = noted(brackets, count, turning[e], gamma[m + 1])
    return count


def _crossings(coefficients, gamma, column, weight, pull, stored, stored_at, delta, strongest, most):
    """Where chi2 along columns of gamma crosses its infimum + delta, and what else a limit needs of them.

    Parameters
    ----------
    coefficients : float64 (members, betas, SUMS, POWERS)
        Of `polynomials`.
    gamma : float64 (betas, rungs)
        In ascending order: a ladder so fine that no two extrema share a rung.
    column : intp (columns,)
        Index of the column's beta.
    weight, pull : float64 (members, columns)
    stored : float64 (columns, masses)
        chi2 that counts in place of the likelihood's, unless it is within STORED_ROUNDING of the level.
    stored_at : intp (betas, rungs)
        Which of those masses a rung is, or -1.
    delta : float
        Infinity to find none.
    strongest : float
        gamma up to which a column counts as flat where chi2 changes by no more than delta.
    most : int
        Crossings of a column that there is room for.

    Returns
    -------
    lowest, of_sm : float64 (columns,)
        chi2's infimum, and that of the Standard Model.
    flat : bool (columns,)
    count : intp (columns,)
        Crossings, of which the first `most` are in
    crossing, bracket : float64 (columns, most) and (columns, most, 2)
        gamma of the crossing, NaN where stored values contradict the likelihood, and of the two between which it is.
    """
    members, columns, rungs = weight.shape[0], column.size, gamma.shape[1]
    noise, variance = noise_and_variance(weight, pull)
    lowest, of_sm, flat = np.empty(columns), np.empty(columns), np.empty(columns, np.bool_)
    count = np.zeros(columns, np.intp)
    crossing, bracket = np.full((columns, most), np.nan), np.empty((columns, most, 2))
    for i in prange(columns):
        wide_vectors()
        b = column[i]
        own, pull_i, noise_i, variance_i = coefficients[:, b], pull[:, i], noise[:, i], variance[:, i]
        chi2 = np.zeros(rungs)
        for n in range(members):
            polynomial, pull_n, noise_n, variance_n = registers(own[n]), pull_i[n], noise_i[n], variance_i[n]
            for m in range(rungs):
                s_dd, det, s_mm = column_sums(polynomial, gamma[b, m])
                chi2[m] = chi2_point(s_dd, det, s_mm, pull_n, noise_n, variance_n, chi2[m])
        of_sm[i] = chi2_at(own, 0.0, pull_i, noise_i, variance_i)

        # chi2 is monotonic but for its extrema: with the ends they are all that its range takes
        turning, peak, below = find_extrema(gamma[b], chi2, own, pull_i, noise_i, variance_i)
        at_strongest = chi2_at(own, strongest, pull_i, noise_i, variance_i)
        smallest = min(of_sm[i], chi2[0], chi2[rungs - 1])
        deepest, highest = min(of_sm[i], at_strongest), max(of_sm[i], at_strongest)
        for e in range(turning.size):
            smallest = min(smallest, peak[e])
            if turning[e] <= strongest:
                deepest, highest = min(deepest, peak[e]), max(highest, peak[e])
        lowest[i], flat[i], level = smallest, highest - deepest <= delta, smallest + delta

        if stored.shape[1] > 0:
            for m in range(rungs):
                if stored_at[b, m] >= 0:
                    value = stored[i, stored_at[b, m]]
                    if abs(value - level) > STORED_ROUNDING * value:
                        chi2[m] = value

        count[i] = find_brackets(gamma[b], chi2, turning, peak, below, level, bracket[i])
        for k in range(min(count[i], most)):
            low, high = bracket[i, k]
            crossing[i, k] = crossing_between(low, high, level, own, pull_i, noise_i, variance_i)
    return lowest, of_sm, flat, count, crossing, bracket


def _chi2_columns(coefficients, column, gamma, weight, pull):
    """chi2 along columns, each with its own beta, sigma_sys and luminosity.

    Parameters
    ----------
    coefficients : float64 (members, betas, SUMS, POWERS)
        Of `polynomials`.
    column : intp (columns,)
        Index of the column's beta.
    gamma : float64 (columns, masses)
    weight, pull : float64 (members, columns)

    Returns
    -------
    float64 (columns, masses)
    """
    columns, masses = gamma.shape
    noise, variance = noise_and_variance(weight, pull)
    out = np.zeros((columns, masses))
    for i in prange(columns):
        wide_vectors()
        for n in range(coefficients.shape[0]):
            polynomial, pull_n, noise_n, variance_n = (
                registers(coefficients[n, column[i]]),
                pull[n, i],
                noise[n, i],
                variance[n, i],
            )
            for m in range(masses):
                s_dd, det, s_mm = column_sums(polynomial, gamma[i, m])
                out[i, m] = chi2_point(s_dd, det, s_mm, pull_n, noise_n, variance_n, out[i, m])
    return out


chi2_block = Kernel(_chi2_block)
chi2_columns = Kernel(_chi2_columns)
crossings = Kernel(_crossings)
