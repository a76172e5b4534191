"""Counted events of a member in bins: its signal at a strength, what is expected at nuisances, and half of its chi2.

The bins' arrays have a line of lanes for each bin, so that as many points stand side by side, see
`fastscan.kernels.lanes`.  What all points share, the background and its changes, has a number for each bin.  The
parameters of a member are the scale e of its signal, then the nuisances z of the signal's shapes and of the background:

    N = e S_0 + sum_s z_s S_s + B + sum_j z_j E_j
    chi2 = 2 lam sum [N - n + n ln(n / N)],      2 lam N where n = 0

so that half of chi2 has the gradient sum lam (1 - n / N) d and the Hessian sum lam n / N^2 d d^T, with the derivatives
d of N: S_0, S_s and E_j.
"""

import numpy as np

from fastscan.kernels.jit import jit
from fastscan.kernels.lanes import LANES, lanes_of, logarithm, put_lanes, spread, where_above

TOGETHER = 4  # sums that `put_sums` has in registers at once; tables have as many columns, or a multiple


@jit
def put_energies(rates, change, x, lane, out):
    """Signal events of each neutrino in each bin of energy, and their first and second derivatives in x, in a lane.

    Parameters
    ----------
    rates : float64 (1 + features, energies of all neutrinos)
        The Standard Model's events, then those per unit of each feature.
    change : float64 (any, 3)
        Change of each feature from its Standard Model value as a polynomial in x, lowest power first; further ones are
        those of other members.
    x : float64
    lane : int
    out : float64 (3, energies of all neutrinos, LANES)
        Its lane receives the events and their derivatives.
    """
    for i in range(rates.shape[1]):
        value, slope, curvature = rates[0, i], 0.0, 0.0
        for f in range(rates.shape[0] - 1):
            c0, c1, c2 = change[f, 0], change[f, 1], change[f, 2]
            value += rates[1 + f, i] * (c0 + x * (c1 + x * c2))
            slope += rates[1 + f, i] * (c1 + 2.0 * x * c2)
            curvature += rates[1 + f, i] * (2.0 * c2)
        out[0, i, lane], out[1, i, lane], out[2, i, lane] = value, slope, curvature


@jit
def put_signals(events, arriving, out):
    """The signal, and its change with each of its shapes, in all bins.

    Parameters
    ----------
    events : float64 (neutrinos * energies, LANES)
    arriving : float64 (1 + shapes, neutrinos, energies, others)
        See `fastscan.experiments.experiment.Experiment.arriving`.
    out : float64 (1 + shapes, bins, LANES)
        Overwritten.
    """
    shapes, neutrinos, energies, others = arriving.shape
    for s in range(shapes):
        for i in range(energies):
            for k in range(others):
                total = spread(0.0)
                for n in range(neutrinos):
                    total += lanes_of(events, n * energies + i) * arriving[s, n, i, k]
                put_lanes(out[s], i * others + k, total)


@jit
def put_sums(weights, table, out):
    """The sums over bins of weights times each column of a table.

    Parameters
    ----------
    weights : float64 (bins, LANES)
    table : float64 (bins, columns)
        The number of columns is a multiple of `TOGETHER`.
    out : float64 (columns or more, LANES)
        Overwritten.
    """
    for k in range(0, table.shape[1], TOGETHER):
        first, second, third, fourth = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
        for b in range(table.shape[0]):
            weight = lanes_of(weights, b)
            first += weight * table[b, k]
            second += weight * table[b, k + 1]
            third += weight * table[b, k + 2]
            fourth += weight * table[b, k + 3]
        put_lanes(out, k, first)
        put_lanes(out, k + 1, second)
        put_lanes(out, k + 2, third)
        put_lanes(out, k + 3, fourth)


@jit
def put_expected(signals, background, effects, scale, z, out):
    """Expected events in each bin.

    Parameters
    ----------
    signals : float64 (1 + shapes, bins, LANES)
    background : float64 (bins,)
    effects : float64 (bins, nuisances or more)
    scale : float64 (1, LANES)
    z : float64 (1 + shapes + nuisances, LANES)
        The first is not used.
    out : float64 (bins, LANES)
        Overwritten.
    """
    e, shapes = lanes_of(scale, 0), signals.shape[0]
    for b in range(background.size):
        total = lanes_of(signals[0], b) * e + background[b]
        for s in range(1, shapes):
            total += lanes_of(signals[s], b) * lanes_of(z, s)
        for j in range(z.shape[0] - shapes):
            total += lanes_of(z, shapes + j) * effects[b, j]
        put_lanes(out, b, total)


@jit
def all_possible(expected, data, possible):
    """`possible`, and 0 in lanes in which nothing is expected in some bin that has data."""
    for b in range(data.shape[0]):
        empty = where_above(lanes_of(data, b), 0.0, 0.0, possible)
        possible = where_above(lanes_of(expected, b), 0.0, possible, empty)
    return possible


@jit
def put_weights(expected, data, luminosity, inverse, excess, weight):
    """What half of chi2 weighs each bin with, in its gradient and in its Hessian.

    Parameters
    ----------
    expected, data : float64 (bins, LANES)
    luminosity : lanes
    inverse, excess, weight : float64 (bins, LANES)
        Receive 1 / N, or 1 where nothing is counted; lam (1 - n / N); and lam n / N^2.
    """
    for b in range(data.shape[0]):
        counted = lanes_of(data, b)
        over = 1.0 / where_above(counted, 0.0, lanes_of(expected, b), 1.0)
        ratio = counted * over
        put_lanes(inverse, b, over)
        put_lanes(excess, b, luminosity * (1.0 - ratio))
        put_lanes(weight, b, luminosity * ratio * over)


@jit
def put_local(signals, effects, products, nuisances, excess, weight, scratch, gradient, hessian):
    """Gradient and Hessian of half of chi2 in the scale of the signal and the nuisances.

    Parameters
    ----------
    signals : float64 (1 + shapes, bins, LANES)
    effects : float64 (bins, nuisances or more)
    products : float64 (bins, pairs or more)
        The products of the effects of each nuisance and of those up to it, see `fastscan.likelihoods.poisson`.
    nuisances : int
        Of the background.
    excess, weight : float64 (bins, LANES)
        See `put_weights`.
    scratch : tuple of float64 (bins, LANES), float64 (columns of either table, LANES)
    gradient : float64 (own, LANES)
        Overwritten.
    hessian : float64 (own * own, LANES)
        Row after row; its lower triangle is overwritten.
    """
    weighted, sums = scratch
    shapes, bins = signals.shape[:2]
    own = shapes + nuisances
    put_sums(excess, effects, sums)
    for j in range(nuisances):
        put_lanes(gradient, shapes + j, lanes_of(sums, j))
    put_sums(weight, products, sums)
    pair = 0
    for j in range(nuisances):
        for k in range(j + 1):
            put_lanes(hessian, (shapes + j) * own + shapes + k, lanes_of(sums, pair))
            pair += 1
    for s in range(shapes):
        slope, bend = spread(0.0), spread(0.0)
        for b in range(bins):
            signal = lanes_of(signals[s], b)
            product = lanes_of(weight, b) * signal
            slope += lanes_of(excess, b) * signal
            bend += product * signal
            put_lanes(weighted, b, product)
        put_lanes(gradient, s, slope)
        put_lanes(hessian, s * own + s, bend)
        for t in range(s):
            bend = spread(0.0)
            for b in range(bins):
                bend += lanes_of(weighted, b) * lanes_of(signals[t], b)
            put_lanes(hessian, s * own + t, bend)
        put_sums(weighted, effects, sums)
        for j in range(nuisances):
            put_lanes(hessian, (shapes + j) * own + s, lanes_of(sums, j))


@jit
def changes_of(expected, inverse, data, fall, change):
    """By how much of itself what is expected in a bin that has data falls at most, and changes at most.

    Parameters
    ----------
    expected : float64 (bins, LANES)
        After the change.
    inverse : float64 (bins, LANES)
        One over what was expected before, see `put_weights`.
    data : float64 (bins, LANES)
    fall, change : lanes
        Those of other members.

    Returns
    -------
    fall, change : lanes
    """
    for b in range(data.shape[0]):
        less = where_above(lanes_of(data, b), 0.0, 1.0 - lanes_of(expected, b) * lanes_of(inverse, b), 0.0)
        fall = where_above(less, fall, less, fall)
        size = where_above(less, 0.0, less, 0.0 - less)
        change = where_above(size, change, size, change)
    return fall, change


@jit
def chi2_of(expected, data, luminosity):
    """chi2 without the nuisances' own; no large numbers are subtracted."""
    total = spread(0.0)
    for b in range(data.shape[0]):
        counted, here = lanes_of(data, b), lanes_of(expected, b)
        ratio = where_above(counted, 0.0, here, 1.0) / where_above(counted, 0.0, counted, 1.0)
        missing = counted * ((ratio - 1.0) - logarithm(ratio))
        total += where_above(counted, 0.0, missing, here)
    return 2.0 * luminosity * total


@jit
def less_than_nothing(expected, data, found):
    """`found`, and 1 in lanes in which less than nothing is expected in a bin without data."""
    for b in range(data.shape[0]):
        negative = where_above(0.0, lanes_of(expected, b), 1.0, found)
        found = where_above(lanes_of(data, b), 0.0, found, negative)
    return found


@jit
def put_slopes(events, arriving, signals, effects, scale, z, excess, weight, scratch, mixed):
    """First and second derivative in x of half of chi2 at fixed nuisances, and the mixed ones.

    Parameters
    ----------
    events : float64 (3, neutrinos * energies, LANES)
        See `put_energies`.
    arriving : float64 (1 + shapes, neutrinos, energies, others)
    signals, effects, scale, z
        As in `put_expected`.
    excess, weight
        See `put_weights`.
    scratch : as in `put_local`
    mixed : float64 (own, LANES)
        Receives the second derivatives in x and in the scale, and in x and in each nuisance.

    Returns
    -------
    first, second : lanes
    """
    weighted, sums = scratch
    shapes, neutrinos, energies, others = arriving.shape
    first, second = spread(0.0), spread(0.0)
    for s in range(shapes):
        put_lanes(mixed, s, spread(0.0))
    for i in range(energies):
        for k in range(others):
            b = i * others + k
            change, bend, left = spread(0.0), spread(0.0), lanes_of(excess, b)
            for s in range(shapes):
                slope, curvature = spread(0.0), spread(0.0)
                for n in range(neutrinos):
                    slope += lanes_of(events[1], n * energies + i) * arriving[s, n, i, k]
                    curvature += lanes_of(events[2], n * energies + i) * arriving[s, n, i, k]
                by = lanes_of(scale, 0) if s == 0 else lanes_of(z, s)
                change += by * slope
                bend += by * curvature
                put_lanes(mixed, s, lanes_of(mixed, s) + left * slope)
            pulled = lanes_of(weight, b) * change
            first += left * change
            second += left * bend + pulled * change
            put_lanes(weighted, b, pulled)
    for s in range(shapes):
        total = lanes_of(mixed, s)
        for b in range(energies * others):
            total += lanes_of(weighted, b) * lanes_of(signals[s], b)
        put_lanes(mixed, s, total)
    put_sums(weighted, effects, sums)
    for j in range(mixed.shape[0] - shapes):
        put_lanes(mixed, shapes + j, lanes_of(sums, j))
    return first, second
