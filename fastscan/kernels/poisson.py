"""chi2 of counted events with linear nuisances, at points of columns: minimised over the nuisances by Newton's method.

Some members are fitted together, because nuisances are common to them.  With n events in a bin of a member, where N are
expected, and nuisances z, each in units of its standard deviation and around a centre c,

    chi2 = min over z of  sum over members of 2 lam sum [N - n + n ln(n / N)] + sum (z - c)^2,      2 lam N where n = 0
    N = e S_0 + sum_s z_s S_s + B + sum_j z_j E_j,   e = 1 + sigma z_0 + sum_f sigma_f z_f

S_0 is the member's signal and S_s are its changes at one standard deviation, which follow the couplings; B is the
background and E_j are its changes.  z_0 is the nuisance of the signal's own normalisation, the z_f are common to
members.  lam is the luminosity.  A member with Gaussian counts has chi2 in closed form, a parabola in e.  The problem
is convex.  At sigma = 0 nothing is singular, because sigma multiplies the change and not its inverse.  A point starts
from the same place whatever is computed beside it, so that results depend neither on threads nor on blocks, to the last
bit.

Sources: section 4 of the COHERENT likelihood on CsI, arXiv:2110.07730, and for the damping of Newton's step Nesterov,
Lectures on Convex Optimization, section 5.1.
"""

import numpy as np

from fastscan.kernels.arithmetic import wide_vectors
from fastscan.kernels.gaussian import registers, sums_derivatives
from fastscan.kernels.jit import Kernel, jit

SHARE = 16  # neighbouring points that share scratch memory
DECREMENT = 1e-12  # of chi2 by a step that is the last: what is left is about the square of it
LEFT = 1e-15  # of a diagonal element, at least: rounding can take the place of what others leave of it
SHORTEST = 1e-9  # part of a step, below which a point stays where it is: rounding empties a bin
MOST_STEPS = 500  # of Newton's method; some ten are enough but where couplings are extreme
CHI2, SLOPE, CURVATURE, NUISANCES = 0, 1, 2, 3  # columns of what is filled
# Columns of the sizes of a member, and of the places where its numbers begin in arrays of all members.
SHAPES, TERMS, NEUTRINOS, ENERGIES, OTHERS, ARRIVALS, EFFECTS = range(7)
AT_RATES, AT_ARRIVING, AT_EFFECTS, AT_BINS, AT_TEMPLATES, AT_SLOPES, AT_NUISANCES = range(7)


@jit
def places_of(sizes, common):
    """Where the numbers of each member begin in arrays of all members, and in the last line where they end.

    Parameters
    ----------
    sizes : intp (members, 7)
    common : int
        Number of nuisances that members have in common, which come before their own.

    Returns
    -------
    intp (members + 1, 7)
    """
    at = np.zeros((sizes.shape[0] + 1, 7), np.intp)
    at[0, AT_NUISANCES] = common
    for m in range(sizes.shape[0]):
        energies = sizes[m, NEUTRINOS] * sizes[m, ENERGIES]
        bins, own = sizes[m, ENERGIES] * sizes[m, OTHERS], sizes[m, ARRIVALS] + sizes[m, EFFECTS]
        at[m + 1, AT_RATES] = at[m, AT_RATES] + sizes[m, SHAPES] * sizes[m, TERMS] * energies
        at[m + 1, AT_ARRIVING] = at[m, AT_ARRIVING] + sizes[m, ARRIVALS] * energies * sizes[m, OTHERS]
        at[m + 1, AT_EFFECTS] = at[m, AT_EFFECTS] + sizes[m, EFFECTS] * bins
        at[m + 1, AT_BINS] = at[m, AT_BINS] + bins
        at[m + 1, AT_TEMPLATES] = at[m, AT_TEMPLATES] + bins * own
        at[m + 1, AT_SLOPES] = at[m, AT_SLOPES] + bins * sizes[m, ARRIVALS]
        at[m + 1, AT_NUISANCES] = at[m, AT_NUISANCES] + own
    return at


@jit
def put_energies(rates, change, x, out):
    """Signal events of each neutrino in each bin of energy, and their first and second derivatives in x.

    Parameters
    ----------
    rates : float64 (1 + features, neutrinos, energies)
        The Standard Model's events, then those per unit of each feature.
    change : float64 (any, 3)
        Change of each feature from its Standard Model value as a polynomial in x, lowest power first; further ones are
        those of other members.
    x : float64
    out : float64 (3, neutrinos, energies)
        Receives the events and their derivatives.
    """
    out[0] = rates[0]
    out[1:] = 0.0
    for f in range(rates.shape[0] - 1):
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
    if signal <= 0.0 or width <= 0.0:
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
def put_local(templates, expected, data, luminosity, gradient, hessian):
    """Gradient and Hessian of half of a member's chi2, in the scale of its signal and in its other nuisances.

    Parameters
    ----------
    templates : float64 (bins, nuisances)
        As in `put_expected`.
    expected, data : float64 (bins,)
    luminosity : float64
    gradient : float64 (nuisances,)
        Overwritten.
    hessian : float64 (nuisances, nuisances)
        Overwritten.
    """
    gradient[:] = 0.0
    hessian[:] = 0.0
    for b in range(data.size):
        excess, weight = luminosity, 0.0
        if data[b] > 0.0:
            ratio = data[b] / expected[b]
            excess, weight = luminosity * (1.0 - ratio), luminosity * ratio / expected[b]
        for j in range(gradient.size):
            gradient[j] += excess * templates[b, j]
        if weight > 0.0:
            for j in range(gradient.size):
                weighted = weight * templates[b, j]
                for k in range(gradient.size):
                    hessian[j, k] += weighted * templates[b, k]


@jit
def add_local(local_gradient, local_hessian, sigma, common, start, pull, gradient, hessian):
    """Add a member's gradient and Hessian to those in all parameters.

    The parameter of its normalisation is the scale e of its signal itself, from which z_0 = (e - 1 - sum sigma_f z_f) /
    sigma follows: so nothing cancels where the signal is huge and e tiny.  At sigma = 0 the scale follows from what
    members have in common.

    Parameters
    ----------
    local_gradient, local_hessian : float64 (own,), (own, own)
        In the scale and in its other nuisances.
    sigma : float64
        Change of the scale with the first of its own nuisances.
    common : float64 (common,)
        Change of the scale with each nuisance that members have in common.
    start : int
        Number of the first of its own parameters.
    pull : float64
        z_0 less its centre.
    gradient, hessian : float64 (parameters,), (parameters, parameters)
        Changed in place.
    """
    free = sigma > 0.0
    weight = 1.0 / (sigma * sigma) if free else 1.0
    hessian[start, start] += weight
    gradient[start] += pull / sigma if free else pull
    for j in range(0 if free else 1, local_gradient.size):
        gradient[start + j] += local_gradient[j]
        for k in range(0 if free else 1, local_gradient.size):
            hessian[start + j, start + k] += local_hessian[j, k]
    for f in range(common.size):
        gradient[f] += -common[f] * pull / sigma if free else common[f] * local_gradient[0]
        for g in range(common.size):
            hessian[f, g] += common[f] * common[g] * (weight if free else local_hessian[0, 0])
        for j in range(local_gradient.size):
            if free:
                mixed = -common[f] * weight if j == 0 else 0.0
            else:
                mixed = common[f] * local_hessian[0, j] if j > 0 else 0.0
            hessian[f, start + j] += mixed
            hessian[start + j, f] += mixed


@jit
def factorise(matrix):
    """Replace a symmetric matrix, which is positive definite but for rounding, by its Cholesky factor."""
    for j in range(matrix.shape[0]):
        least = LEFT * matrix[j, j]
        for i in range(j, matrix.shape[0]):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = np.sqrt(max(total, least)) if i == j else total / matrix[j, j]


@jit
def put_solution(factor, right, out):
    """Solve a linear system whose matrix has a Cholesky factor, see `factorise`.

    Parameters
    ----------
    factor : float64 (n, n)
    right, out : float64 (n,)
        The right-hand side, and what receives the solution.
    """
    for i in range(right.size):
        total = right[i]
        for k in range(i):
            total -= factor[i, k] * out[k]
        out[i] = total / factor[i, i]
    for i in range(right.size - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, right.size):
            total -= factor[k, i] * out[k]
        out[i] = total / factor[i, i]


@jit
def longest_fall(templates, expected, data, scale, step):
    """By how much of itself what a member expects falls along a step, at most, among the bins that have data.

    Parameters
    ----------
    templates, expected, data
        As in `put_local`.
    scale : float64
        How much the scale of the signal changes.
    step : float64 (own,)
        How much the member's own nuisances change; the first is not used.
    """
    longest = 0.0
    for b in range(data.size):
        if data[b] > 0.0:
            change = scale * templates[b, 0]
            for j in range(1, step.size):
                change += step[j] * templates[b, j]
            longest = max(longest, -change / expected[b])
    return longest


@jit
def chi2_of(expected, data, luminosity):
    """chi2 of a member without the nuisances' own; no large numbers are subtracted."""
    total = 0.0
    for b in range(data.size):
        if data[b] > 0.0:
            ratio = expected[b] / data[b]
            total += data[b] * ((ratio - 1.0) - np.log(ratio))
        else:
            total += expected[b]
    return 2.0 * luminosity * total


@jit
def put_slopes(slopes, curvatures, templates, expected, data, luminosity, scale, z, mixed):
    """First and second derivative in x of half of a member's chi2 at fixed nuisances, and the mixed ones.

    Parameters
    ----------
    slopes, curvatures : float64 (bins, 1 + shapes)
        Derivatives of the signal and of its changes.
    templates, expected, data, luminosity
        As in `put_local`.
    scale : float64
        The scale of the signal.
    z : float64 (own,)
        Its own nuisances.
    mixed : float64 (own,)
        Receives the second derivatives in x and in the scale, and in x and in each other nuisance.
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
        for j in range(z.size):
            mixed[j] += weight * change * templates[b, j]
    return first, second


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


@jit
def put_templates(sizes, at, rates, arriving, change, row, x, events, templates, slopes, curvatures):
    """The signals of all members at a point, and their derivatives in x.

    Parameters
    ----------
    sizes, at : intp (members, 7), (members + 1, 7)
        See `places_of`.
    rates, arriving, change
        As in `profiles`.
    row : int
    x : float64
    events : float64 (any,)
        Scratch memory.
    templates : float64 (any,)
        Bins times nuisances of each member; the columns of the signal and its shapes are overwritten.
    slopes, curvatures : float64 (any,)
        Bins times signal and shapes of each member; overwritten, where there is room.
    """
    for m in range(sizes.shape[0]):
        shapes, terms, neutrinos, energies, others, arrivals, effects = sizes[m]
        bins = energies * others
        own_rates = rates[at[m, AT_RATES] : at[m + 1, AT_RATES]].reshape((shapes, terms, neutrinos, energies))
        shares = arriving[at[m, AT_ARRIVING] : at[m + 1, AT_ARRIVING]].reshape((arrivals, neutrinos, energies, others))
        found = events[: 3 * neutrinos * energies].reshape((3, neutrinos, energies))
        put_energies(own_rates[row if shapes > 1 else 0], change[m, row], x, found)
        first, last = at[m, AT_TEMPLATES], at[m + 1, AT_TEMPLATES]
        put_signal(found[0], shares, templates[first:last].reshape((bins, arrivals + effects)))
        if slopes.size > 0:
            first, last = at[m, AT_SLOPES], at[m + 1, AT_SLOPES]
            put_signal(found[1], shares, slopes[first:last].reshape((bins, arrivals)))
            put_signal(found[2], shares, curvatures[first:last].reshape((bins, arrivals)))


@jit
def put_all_expected(at, templates, background, z, scale, expected):
    """What all members expect; see `put_expected`."""
    for m in range(scale.size):
        bins, own = slice(at[m, AT_BINS], at[m + 1, AT_BINS]), slice(at[m, AT_NUISANCES], at[m + 1, AT_NUISANCES])
        size = at[m + 1, AT_NUISANCES] - at[m, AT_NUISANCES]
        mine = templates[at[m, AT_TEMPLATES] : at[m + 1, AT_TEMPLATES]].reshape((-1, size))
        put_expected(mine, background[bins], scale[m], z[own], expected[bins])


@jit
def start_scales(at, templates, background, data, sigma, common, luminosity, scale):
    """The scale of each member's signal at which the search begins: the best of its own, see `first_scale`."""
    for m in range(scale.size):
        width = sigma[m] * sigma[m]
        size = at[m + 1, AT_NUISANCES] - at[m, AT_NUISANCES]
        signal, total, counted = 0.0, 0.0, 0.0
        for b in range(at[m + 1, AT_BINS] - at[m, AT_BINS]):
            signal += templates[at[m, AT_TEMPLATES] + b * size]
            total += background[at[m, AT_BINS] + b]
            counted += data[at[m, AT_BINS] + b]
        scale[m] = first_scale(signal, total, counted, luminosity[m] * width)


@jit
def move(at, templates, background, data, z, step, scale, scale_step, expected, before, length):
    """Go along a step of the nuisances and the scales; where rounding empties a bin, less far.

    `before` is memory for both, so that a point is left and found again to the last bit.

    Returns
    -------
    float64
        The part of the step that was gone; 0 where rounding lets it be no part.
    """
    from_z, from_scale = before
    from_z[:] = z
    from_scale[:] = scale
    shortest = SHORTEST * length
    while length > shortest:
        for j in range(z.size):
            z[j] = from_z[j] + length * step[j]
        for m in range(scale.size):
            scale[m] = from_scale[m] + length * scale_step[m]
        put_all_expected(at, templates, background, z, scale, expected)
        if is_possible(expected, data):
            return length
        length *= 0.25
    z[:] = from_z
    scale[:] = from_scale
    put_all_expected(at, templates, background, z, scale, expected)
    return 0.0


@jit
def minimise(at, templates, background, data, sigma, common, luminosity, parabolas, centre, work):
    """Find the nuisances at which chi2 is smallest.

    A step of Newton's method is shortened by 1 / (1 + r), where r is how often it would take away all that is expected
    in the bin that it empties first: so short, it decreases chi2 and empties no bin.

    Parameters
    ----------
    at : intp (members + 1, 7)
        See `places_of`.
    templates : float64 (any,)
        Bins times nuisances of each member: S_0, S_s and E_j.
    background, data : float64 (bins,)
        Of all members.
    sigma, luminosity : float64 (members,)
    common : float64 (members + Gaussian members, common)
        Change of a signal's scale with each nuisance in common.
    parabolas : float64 (Gaussian members, 3, 3)
        What `parabola` returns.
    centre : float64 (nuisances,)
        Where each nuisance is expected.
    work : tuple
        z, step, gradient, hessian, scale, expected, local_gradient, local_hessian and a pair of arrays like z and
        scale.  z receives the nuisances, scale
        those of the signals, with their digits where these are huge, hessian the Cholesky factor of that of half of
        chi2, and expected the events.

    Returns
    -------
    bool
        Whether there is such a point; where not, nothing is expected in a bin that has data.
    """
    z, step, gradient, hessian, scale, expected, local_gradient, local_hessian, before = work
    members, shared = scale.size, common.shape[1]
    z[:] = 0.0
    start_scales(at, templates, background, data, sigma, common, luminosity, scale)
    put_all_expected(at, templates, background, z, scale, expected)
    if not is_possible(expected, data):
        scale[:] = 1.0
        put_all_expected(at, templates, background, z, scale, expected)
        if not is_possible(expected, data):
            return False
    for m in range(members):
        if sigma[m] > 0.0:
            z[at[m, AT_NUISANCES]] = (scale[m] - 1.0) / sigma[m]
    for _ in range(MOST_STEPS):
        for j in range(z.size):
            gradient[j] = z[j] - centre[j]
            hessian[j] = 0.0
            hessian[j, j] = 1.0
        for m in range(members):
            gradient[at[m, AT_NUISANCES]] = hessian[at[m, AT_NUISANCES], at[m, AT_NUISANCES]] = 0.0
        for m in range(members):
            first, size = at[m, AT_NUISANCES], at[m + 1, AT_NUISANCES] - at[m, AT_NUISANCES]
            bins = slice(at[m, AT_BINS], at[m + 1, AT_BINS])
            mine = templates[at[m, AT_TEMPLATES] : at[m + 1, AT_TEMPLATES]].reshape((-1, size))
            slope, bend = local_gradient[:size], local_hessian[: size * size].reshape((size, size))
            put_local(mine, expected[bins], data[bins], luminosity[m], slope, bend)
            add_local(slope, bend, sigma[m], common[m], first, z[first] - centre[first], gradient, hessian)
        for n in range(parabolas.shape[0]):
            changes, u = common[members + n], 0.0
            for f in range(shared):
                u += changes[f] * z[f]
            for f in range(shared):
                gradient[f] += changes[f] * (0.5 * parabolas[n, 0, 1] + u * parabolas[n, 0, 2])
                for g in range(shared):
                    hessian[f, g] += changes[f] * changes[g] * parabolas[n, 0, 2]
        factorise(hessian)
        put_solution(hessian, gradient, step)
        decrement, longest = 0.0, 0.0
        for j in range(z.size):
            decrement += step[j] * gradient[j]
            step[j] = -step[j]
        for m in range(members):
            first, last = at[m, AT_NUISANCES], at[m + 1, AT_NUISANCES]
            by_common = 0.0
            for f in range(shared):
                by_common += common[m, f] * step[f]
            local_gradient[m] = step[first] if sigma[m] > 0.0 else by_common
            if sigma[m] > 0.0:  # from here on the step is one of nuisances, and local_gradient that of the scales
                step[first] = (step[first] - by_common) / sigma[m]
            bins = slice(at[m, AT_BINS], at[m + 1, AT_BINS])
            mine = templates[at[m, AT_TEMPLATES] : at[m + 1, AT_TEMPLATES]].reshape((-1, last - first))
            fall = longest_fall(mine, expected[bins], data[bins], local_gradient[m], step[first:last])
            longest = max(longest, fall)
        length = 1.0 / (1.0 + longest)
        length = move(at, templates, background, data, z, step, scale, local_gradient, expected, before, length)
        if not (decrement > DECREMENT and length > 0.0):
            break
    return True


@jit
def put_result(at, sizes, templates, slopes, curvatures, data, sigma, common, luminosity, parabolas, centre, work, out):
    """chi2 at the best nuisances, and its first and second derivative in x, along which they follow their best values.

    The first derivative is that at fixed nuisances; from the second theirs is subtracted, |L^-1 m|^2 = m H^-1 m with
    the Cholesky factor L of the Hessian and the mixed derivatives m.

    Parameters
    ----------
    at, templates, data, sigma, common, luminosity, parabolas, centre, work
        As in `minimise`, after it.
    sizes : intp (members, 7)
    slopes, curvatures : float64 (any,)
        See `put_templates`.
    out : float64 (1 or more,)
        Receives chi2 and, where there is room, both derivatives.
    """
    z, mixed, _, factor, scale, expected, local, _, _ = work
    members, shared = scale.size, common.shape[1]
    chi2, first, second = 0.0, 0.0, 0.0
    mixed[:] = 0.0
    for j in range(z.size):
        chi2 += (z[j] - centre[j]) * (z[j] - centre[j])
    for m in range(members):
        start, stop = at[m, AT_NUISANCES], at[m + 1, AT_NUISANCES]
        bins, arrivals = slice(at[m, AT_BINS], at[m + 1, AT_BINS]), sizes[m, ARRIVALS]
        chi2 += chi2_of(expected[bins], data[bins], luminosity[m])
        if out.size > 1:
            mine = templates[at[m, AT_TEMPLATES] : at[m + 1, AT_TEMPLATES]].reshape((-1, stop - start))
            slope = slopes[at[m, AT_SLOPES] : at[m + 1, AT_SLOPES]].reshape((-1, arrivals))
            bend = curvatures[at[m, AT_SLOPES] : at[m + 1, AT_SLOPES]].reshape((-1, arrivals))
            own = local[: stop - start]
            one, two = put_slopes(
                slope, bend, mine, expected[bins], data[bins], luminosity[m], scale[m], z[start:stop], own
            )
            first, second = first + one, second + two
            if not sigma[m] > 0.0:
                for f in range(shared):
                    mixed[f] += common[m, f] * own[0]
                own[0] = 0.0
            for j in range(own.size):
                mixed[start + j] += own[j]
    for n in range(parabolas.shape[0]):
        u = 0.0
        for f in range(shared):
            u += common[members + n, f] * z[f]
        value, slope, bend = parabolas[n]
        chi2 += value[0] + u * (value[1] + u * value[2])
        first += 0.5 * (slope[0] + u * (slope[1] + u * slope[2]))
        second += 0.5 * (bend[0] + u * (bend[1] + u * bend[2]))
        for f in range(shared):
            mixed[f] += common[members + n, f] * (0.5 * slope[1] + u * slope[2])
    out[CHI2] = chi2
    if out.size > 1:
        followed = 0.0
        for j in range(mixed.size):
            total = mixed[j]
            for k in range(j):
                total -= factor[j, k] * mixed[k]
            mixed[j] = total / factor[j, j]
            followed += mixed[j] * mixed[j]
        out[SLOPE], out[CURVATURE] = 2.0 * first, 2.0 * (second - followed)


@Kernel
def profiles(counted, change, others, row, x, noise, variance, common, centre, data, chosen, out, first, last):
    """Fill an array with chi2 of members that are fitted together, at points with a row, strength and setting each.

    Parameters
    ----------
    counted : tuple
        Of the members with counted events: ``sizes`` intp (members, 7), the numbers of shapes (1, or of rows), of
        1 + features, neutrinos, bins of energy, others in a bin of energy, 1 + signal shapes, and nuisances of the
        background; then arrays in which one member's numbers follow the other's, see
        `fastscan.likelihoods.poisson.PoissonCounts`: ``rates``, ``arriving``, ``effects`` and ``background``.
    change : float64 (members, rows, features, 3)
        Change of each feature from its Standard Model value as a polynomial in x.
    others : tuple
        Of the Gaussian members: their sums, float64 (members, rows, 3, SQUARES), see `fastscan.kernels.squares`,
        and the sums of their squared data over the variance, float64 (members, rows).
    row : intp (points,)
    x : float64 (points,)
        Strengths, of either sign.
    noise, variance : float64 (members + Gaussian members, points)
        1 / lam and sigma^2, of which sigma is the relative error of the signal's own normalisation.
    common : float64 (members + Gaussian members, common, points)
        Relative change of a signal with each nuisance that members have in common.
    centre : float64 (sets, nuisances)
        Where each nuisance is expected: those in common, then of each member that of the signal's normalisation, those
        of its shapes, and those of the background.
    data : float64 (sets, bins)
        Counted events of all members.
    chosen : intp (points,)
        Which set of data and centres each point is compared with.
    out : float64 (points, 1 or 3 or 3 + nuisances)
        Receives chi2, its first and second derivative in x, and the nuisances.  chi2 is infinite, and all else nan,
        where nothing is expected in a bin that has data.
    first, last : int
        The range of points.

    Returns
    -------
    int
        Number of points in the range at which less than nothing is expected in a bin that has none.
    """
    sizes, rates, arriving, effects, background = counted
    sums, norm = others
    members, gaussian, width = sizes.shape[0], sums.shape[0], out.shape[1]
    at = places_of(sizes, common.shape[1])
    total, most, most_events = at[members, AT_NUISANCES], max(members, 1), 1
    for m in range(members):
        most = max(most, at[m + 1, AT_NUISANCES] - at[m, AT_NUISANCES])
        most_events = max(most_events, 3 * sizes[m, NEUTRINOS] * sizes[m, ENERGIES])
    negative = 0
    for share in range(first, last, SHARE):
        wide_vectors()
        events, templates = np.empty(most_events), np.empty(at[members, AT_TEMPLATES])
        room = at[members, AT_SLOPES] if width > 1 else 0
        slopes, curvatures = np.empty(room), np.empty(room)
        z, step, gradient, hessian = np.empty(total), np.empty(total), np.empty(total), np.empty((total, total))
        scale, expected = np.empty(members), np.empty(at[members, AT_BINS])
        before = np.empty(total), np.empty(members)
        work = z, step, gradient, hessian, scale, expected, np.empty(most), np.empty(most * most), before
        sigma, luminosity = np.empty(members), np.empty(members)
        own_common, parabolas = np.empty((members + gaussian, common.shape[1])), np.empty((gaussian, 3, 3))
        for m in range(members):
            arrivals, bins = sizes[m, ARRIVALS], at[m + 1, AT_BINS] - at[m, AT_BINS]
            own = arrivals + sizes[m, EFFECTS]
            mine = templates[at[m, AT_TEMPLATES] : at[m + 1, AT_TEMPLATES]].reshape((bins, own))
            for j in range(sizes[m, EFFECTS]):
                for b in range(bins):
                    mine[b, arrivals + j] = effects[at[m, AT_EFFECTS] + j * bins + b]
        for p in range(share, min(share + SHARE, last)):
            for m in range(members):
                sigma[m], luminosity[m] = np.sqrt(variance[m, p]), 1.0 / noise[m, p]
            for m in range(members + gaussian):
                for f in range(common.shape[1]):
                    own_common[m, f] = common[m, f, p]
            for n in range(gaussian):
                found = sums_derivatives(registers(sums[n, row[p]]), x[p])
                curve = parabola(found, norm[n, row[p]], noise[members + n, p], variance[members + n, p])
                for order in range(3):
                    for power in range(3):
                        parabolas[n, order, power] = curve[order][power]
            put_templates(sizes, at, rates, arriving, change, row[p], x[p], events, templates, slopes, curvatures)
            counts, expected_at = data[chosen[p]], centre[chosen[p]]
            out[p] = np.nan
            if not minimise(
                at, templates, background, counts, sigma, own_common, luminosity, parabolas, expected_at, work
            ):
                out[p, CHI2] = np.inf
                continue
            put_result(
                at,
                sizes,
                templates,
                slopes,
                curvatures,
                counts,
                sigma,
                own_common,
                luminosity,
                parabolas,
                expected_at,
                work,
                out[p, : min(width, NUISANCES)],
            )
            if width > NUISANCES:
                out[p, NUISANCES:] = z
            for b in range(counts.size):
                if counts[b] == 0.0 and expected[b] < 0.0:
                    negative += 1
                    break
    return negative
