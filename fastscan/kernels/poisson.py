"""chi2 of counted events with linear nuisances, at points of columns: minimised over the nuisances by Newton's method.

With n events in a bin, where N are expected, and nuisances z, each in units of its standard deviation,

    chi2 = min over z of  2 lam sum [N - n + n ln(n / N)] + sum z^2,        2 lam N where n = 0
    N = (1 + sigma z_0) S_0 + sum_s z_s S_s + B + sum_j z_j E_j

S_0 is the signal and S_s are its changes at one standard deviation, which follow the couplings; B is the background and
E_j are its changes.  sigma is the signal's relative systematic error, lam the luminosity.  In a simulated measurement
constraints have centres c, and sum (z - c)^2 is in the place of sum z^2.  The problem is convex.  At sigma = 0 nothing
is singular, because sigma multiplies the change and not its inverse.  A point starts from the same place whatever is
computed beside it, so that results depend neither on threads nor on blocks, to the last bit.

Sources: section 4 of the COHERENT likelihood on CsI, arXiv:2110.07730, and for the damping of Newton's step Nesterov,
Lectures on Convex Optimization, section 5.1.
"""

import numpy as np
from numba import prange

from fastscan.kernels.arithmetic import wide_vectors
from fastscan.kernels.jit import Kernel, jit

SHARE = 16  # neighbouring points that share a thread's scratch memory
DECREMENT = 1e-12  # of chi2 by a step that is the last: what is left is about the square of it
MOST_STEPS = 500  # of Newton's method; some ten are enough but where couplings are extreme
CHI2, SLOPE, CURVATURE, NUISANCES = 0, 1, 2, 3  # columns of what is returned


@jit
def put_energies(rates, change, x, out):
    """Signal events of each neutrino in each bin of energy, and their first and second derivatives in x.

    Parameters
    ----------
    rates : float64 (1 + features, neutrinos, energies)
        The Standard Model's events, then those per unit of each feature.
    change : float64 (features, 3)
        Change of each feature from its Standard Model value as a polynomial in x, lowest power first.
    x : float64
    out : float64 (3, neutrinos, energies)
        Receives the events and their derivatives.
    """
    out[0], out[1], out[2] = rates[0], 0.0, 0.0
    for f in range(change.shape[0]):
        c0, c1, c2 = change[f]
        value, slope, curvature = c0 + x * (c1 + x * c2), c1 + 2.0 * x * c2, 2.0 * c2
        for n in range(rates.shape[1]):
            for i in range(rates.shape[2]):
                out[0, n, i] += rates[1 + f, n, i] * value
                out[1, n, i] += rates[1 + f, n, i] * slope
                out[2, n, i] += rates[1 + f, n, i] * curvature


@jit
def put_signal(events, arriving, out):
    """The signal, and its change with each of its shapes, in all bins.

    Parameters
    ----------
    events : float64 (neutrinos, energies)
    arriving : float64 (1 + shapes, neutrinos, energies, others)
        See `fastscan.experiments.experiment.Experiment.arriving`.
    out : float64 (bins, any)
        Its first 1 + shapes columns are overwritten.
    """
    shapes, neutrinos, energies, others = arriving.shape
    for s in range(shapes):
        for i in range(energies):
            for k in range(others):
                total = 0.0
                for n in range(neutrinos):
                    total += arriving[s, n, i, k] * events[n, i]
                out[i * others + k, s] = total


@jit
def first_scale(signal, background, data, width):
    """The scale of the signal that is best if all bins are one and it is the only nuisance.

    It is the positive root e of S e^2 + (w S^2 + B - S) e = B + w S (n - B), written so that no digits cancel; without
    it Newton's method would take long where the signal is a million times too large.

    Parameters
    ----------
    signal, background, data : float64
        Sums over all bins.
    width : float64
        lam sigma^2.
    """
    if signal <= 0.0:
        return 1.0
    linear = width * signal * signal + background - signal
    constant = background + width * signal * (data - background)
    root = np.sqrt(max(linear * linear + 4.0 * signal * constant, 0.0))
    return 2.0 * constant / (linear + root) if linear > 0.0 else (root - linear) / (2.0 * signal)


@jit
def put_expected(templates, background, scale, z, out):
    """Expected events in each bin: scale S_0 + B + sum of z times the other templates.

    Parameters
    ----------
    templates : float64 (bins, nuisances)
        S_0, then the change of events at one standard deviation of each other nuisance.
    background : float64 (bins,)
    scale : float64
    z : float64 (nuisances,)
        The first is not used.
    out : float64 (bins,)
        Overwritten.
    """
    for b in range(background.size):
        total = background[b] + scale * templates[b, 0]
        for j in range(1, z.size):
            total += z[j] * templates[b, j]
        out[b] = total


@jit
def is_possible(expected, data):
    """Whether something is expected in every bin that has data."""
    possible = True
    for b in range(data.size):
        possible &= expected[b] > 0.0 or not data[b] > 0.0
    return possible


@jit
def put_derivatives(templates, expected, data, sigma, luminosity, centre, z, gradient, hessian):
    """Gradient and Hessian of half of chi2 in the nuisances.

    Parameters
    ----------
    templates : float64 (bins, nuisances)
        As in `put_expected`.
    expected, data : float64 (bins,)
    sigma, luminosity : float64
    centre, z, gradient : float64 (nuisances,)
        The gradient is overwritten.
    hessian : float64 (nuisances, nuisances)
        Overwritten.
    """
    size = z.size
    gradient[:] = 0.0
    hessian[:] = 0.0
    for b in range(data.size):
        excess, weight = luminosity, 0.0
        if data[b] > 0.0:
            ratio = data[b] / expected[b]
            excess, weight = luminosity * (1.0 - ratio), luminosity * ratio / expected[b]
        for j in range(size):
            gradient[j] += excess * templates[b, j]
        if weight > 0.0:
            for j in range(size):
                weighted = weight * templates[b, j]
                for k in range(size):
                    hessian[j, k] += weighted * templates[b, k]
    gradient[0] *= sigma
    for j in range(size):
        hessian[0, j] *= sigma
        hessian[j, 0] *= sigma
    for j in range(size):
        gradient[j] += z[j] - centre[j]
        hessian[j, j] += 1.0


@jit
def factorise(matrix):
    """Replace a symmetric matrix of which no eigenvalue is below 1 by its Cholesky factor, lower triangular."""
    for j in range(matrix.shape[0]):
        for i in range(j, matrix.shape[0]):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            # rounding can take the place of what is left of a row that others determine
            matrix[i, j] = np.sqrt(max(total, 1.0)) if i == j else total / matrix[j, j]


@jit
def put_solution(factor, right, out):
    """Solve a linear system whose matrix has a Cholesky factor, see `factorise`.

    Parameters
    ----------
    factor : float64 (n, n)
    right, out : float64 (n,)
        The right-hand side, and what receives the solution; they can be the same.
    """
    size = right.size
    for i in range(size):
        total = right[i]
        for k in range(i):
            total -= factor[i, k] * out[k]
        out[i] = total / factor[i, i]
    for i in range(size - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * out[k]
        out[i] = total / factor[i, i]


@jit
def longest_fall(templates, expected, data, sigma, step):
    """By how much of itself what is expected falls along a step, at most, among the bins that have data."""
    longest = 0.0
    for b in range(data.size):
        if data[b] > 0.0:
            change = sigma * step[0] * templates[b, 0]
            for j in range(1, step.size):
                change += step[j] * templates[b, j]
            longest = max(longest, -change / expected[b])
    return longest


@jit
def minimise(templates, background, data, sigma, luminosity, centre, z, step, gradient, hessian, expected):
    """Find the nuisances at which chi2 is smallest.

    A step of Newton's method is shortened by 1 / (1 + r), where r is how often it would take away all that is expected
    in the bin that it empties first: so short, it decreases chi2 and empties no bin.

    Parameters
    ----------
    templates, background, data, sigma, luminosity, centre
        As in `put_derivatives`.
    z, step, gradient : float64 (nuisances,)
        Overwritten; z receives the nuisances.
    hessian : float64 (nuisances, nuisances)
        Receives the Cholesky factor of the Hessian of half of chi2.
    expected : float64 (bins,)
        Receives the expected events.

    Returns
    -------
    bool
        Whether there is such a point; where not, nothing is expected in a bin that has data.
    scale : float64
        1 + sigma z_0, which keeps its digits where the signal is huge.
    """
    signal = 0.0
    for b in range(data.size):
        signal += templates[b, 0]
    z[:] = 0.0
    scale = first_scale(signal, background.sum(), data.sum(), luminosity * sigma * sigma) if sigma > 0.0 else 1.0
    put_expected(templates, background, scale, z, expected)
    if not is_possible(expected, data):
        scale = 1.0
        put_expected(templates, background, scale, z, expected)
        if not is_possible(expected, data):
            return False, scale
    if sigma > 0.0:
        z[0] = (scale - 1.0) / sigma
    for _ in range(MOST_STEPS):
        put_derivatives(templates, expected, data, sigma, luminosity, centre, z, gradient, hessian)
        factorise(hessian)
        put_solution(hessian, gradient, step)
        decrement = 0.0
        for j in range(z.size):
            decrement += step[j] * gradient[j]
            step[j] = -step[j]
        length = 1.0 / (1.0 + longest_fall(templates, expected, data, sigma, step))
        for j in range(z.size):
            z[j] += length * step[j]
        scale += length * sigma * step[0]
        put_expected(templates, background, scale, z, expected)
        if not decrement > DECREMENT:
            break
    return True, scale


@jit
def chi2_of(expected, data, luminosity, z, centre):
    """chi2 where the nuisances are z; no large numbers are subtracted."""
    total = 0.0
    for b in range(data.size):
        if data[b] > 0.0:
            ratio = expected[b] / data[b]
            total += data[b] * ((ratio - 1.0) - np.log(ratio))
        else:
            total += expected[b]
    total *= 2.0 * luminosity
    for j in range(z.size):
        total += (z[j] - centre[j]) * (z[j] - centre[j])
    return total


@jit
def slope_of(slopes, curvatures, templates, expected, data, sigma, luminosity, scale, z, factor, mixed):
    """First and second derivative of chi2 in x, along which the nuisances follow their best values.

    The first is that at fixed nuisances; from the second theirs is subtracted.

    Parameters
    ----------
    slopes, curvatures : float64 (bins, 1 + shapes)
        Derivatives of the signal and of its changes.
    templates, expected, data, sigma, luminosity, z
        As in `put_derivatives`, at the best nuisances.
    scale : float64
        1 + sigma z_0.
    factor : float64 (nuisances, nuisances)
        Cholesky factor of the Hessian.
    mixed : float64 (nuisances,)
        Scratch memory.
    """
    first, second, shapes = 0.0, 0.0, slopes.shape[1]
    mixed[:] = 0.0
    for b in range(data.size):
        change, bend = scale * slopes[b, 0], scale * curvatures[b, 0]
        for s in range(1, shapes):
            change += z[s] * slopes[b, s]
            bend += z[s] * curvatures[b, s]
        excess, weight = luminosity, 0.0
        if data[b] > 0.0:
            ratio = data[b] / expected[b]
            excess, weight = luminosity * (1.0 - ratio), luminosity * ratio / expected[b]
        first += excess * change
        second += excess * bend + weight * change * change
        for s in range(shapes):
            mixed[s] += excess * slopes[b, s]
        for j in range(mixed.size):
            mixed[j] += weight * change * templates[b, j]
    mixed[0] *= sigma
    followed = 0.0
    for j in range(mixed.size):  # |L^-1 m|^2 = m H^-1 m
        total = mixed[j]
        for k in range(j):
            total -= factor[j, k] * mixed[k]
        mixed[j] = total / factor[j, j]
        followed += mixed[j] * mixed[j]
    return 2.0 * first, 2.0 * (second - followed)


@Kernel
def profiles(rates, change, arriving, background, effects, data, centres, row, x, noise, variance, out):
    """Fill an array with chi2 at points, each with its own row, strength and setting.

    Parameters
    ----------
    rates : float64 (shapes, 1 + features, neutrinos, energies)
        Events at luminosity 1: the Standard Model's, then those per unit of each feature; shapes is 1, or the number of
        rows.
    change : float64 (rows, features, 3)
        Change of each feature from its Standard Model value as a polynomial in x.
    arriving : float64 (1 + signal shapes, neutrinos, energies, others)
        Shares of each neutrino's events of an energy in the bins of that energy, and their changes at one standard
        deviation of each signal shape.
    background : float64 (energies * others,)
        Events at luminosity 1.
    effects : float64 (nuisances, bins)
        Change of the background at one standard deviation of each of its nuisances.
    data : float64 (1 or rows, bins)
        Events at luminosity 1, those of all rows or of each.
    centres : float64 (0 or rows, all nuisances)
        Where the constraints of the nuisances have their centres in each row; without any, at 0.
    row : intp (points,)
    x : float64 (points,)
        Strengths, of either sign.
    noise, variance : float64 (points,)
        1 / lam and sigma^2.
    out : float64 (points, 1 or 3 or 3 + nuisances)
        Receives chi2, its first and second derivative in x, and the nuisances: that of the signal's normalisation,
        those of its shapes, those of the background.  chi2 is infinite, and all else nan, where nothing is expected in
        a bin that has data.

    Returns
    -------
    int
        Number of points at which less than nothing is expected in a bin that has none.
    """
    points, bins, shapes = x.size, background.size, arriving.shape[0]
    size, width = shapes + effects.shape[0], out.shape[1]
    negative = 0
    for share in prange((points + SHARE - 1) // SHARE):
        wide_vectors()
        events = np.empty((3, rates.shape[2], rates.shape[3]))
        templates, slopes, curvatures = np.empty((bins, size)), np.empty((bins, shapes)), np.empty((bins, shapes))
        z, step, gradient, hessian = np.empty(size), np.empty(size), np.empty(size), np.empty((size, size))
        expected, centre = np.empty(bins), np.zeros(size)
        for j in range(effects.shape[0]):
            templates[:, shapes + j] = effects[j]
        for p in range(share * SHARE, min((share + 1) * SHARE, points)):
            sigma, luminosity = np.sqrt(variance[p]), 1.0 / noise[p]
            put_energies(rates[row[p] if rates.shape[0] > 1 else 0], change[row[p]], x[p], events)
            put_signal(events[0], arriving, templates)
            own = data[row[p] if data.shape[0] > 1 else 0]
            if centres.shape[0] > 0:
                centre[:] = centres[row[p]]
            possible, scale = minimise(
                templates, background, own, sigma, luminosity, centre, z, step, gradient, hessian, expected
            )
            out[p] = np.nan
            if not possible:
                out[p, CHI2] = np.inf
                continue
            out[p, CHI2] = chi2_of(expected, own, luminosity, z, centre)
            if width > 1:
                put_signal(events[1], arriving, slopes)
                put_signal(events[2], arriving, curvatures)
                out[p, SLOPE], out[p, CURVATURE] = slope_of(
                    slopes, curvatures, templates, expected, own, sigma, luminosity, scale, z, hessian, step
                )
            if width > NUISANCES:
                out[p, NUISANCES:] = z
            for b in range(bins):
                if own[b] == 0.0 and expected[b] < 0.0:
                    negative += 1
                    break
    return negative
