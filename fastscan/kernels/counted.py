"""Counted events of a member in bins: its signal at a strength, what is expected at nuisances, and half of its chi2.

The bins' arrays have a line of lanes for each bin, so that as many points stand side by side, see
`fastscan.kernels.lanes`.  What all points share, the background and its changes, has a number for each bin.  The
parameters of a member are the scale e of its signal, then the nuisances z of the signal's shapes and of the background:

    N = e S_0 + sum_s z_s S_s + B + sum_j z_j E_j
    chi2 = 2 lam sum [N - n + n ln(n / N)],      2 lam N where n = 0

so that half of chi2 has the gradient sum lam (1 - n / N) d and the Hessian sum lam n / N^2 d d^T, with the derivatives
d of N: S_0, S_s and E_j.
"""

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.jit import inner
from fastscan.kernels.lanes import lanes_of, logarithm, number_at, put_lanes, spread, where_above

TOGETHER = 4  # sums that `put_sums` has in registers at once; tables have as many columns, or a multiple


@inner
def put_energies(rates, change, x, lane, orders, polynomial, out):
    """Signal events of each neutrino in each bin of energy, and their derivatives in x, in a lane.

    Parameters
    ----------
    rates : float64 (1 + features, energies of all neutrinos)
        The Standard Model's events, then those per unit of each feature.
    change : float64 (any, 3)
        Change of each feature from its Standard Model value as a polynomial in x, lowest power first; further ones are
        those of other members.
    x : float64
    lane : int
    orders : int
        1 for the events alone; 3 for their first and second derivative, too.
    polynomial : float64 (features or more,)
        Scratch memory.
    out : float64 (3 * energies of all neutrinos, LANES)
        Its lane receives the events, then their derivatives.
    """
    terms, energies = rates.shape
    for order in range(orders):
        for f in range(terms - 1):
            c1, c2 = change[f, 1], change[f, 2]
            if order == 0:
                polynomial[f] = change[f, 0] + x * (c1 + x * c2)
            else:
                polynomial[f] = c1 + 2.0 * x * c2 if order == 1 else 2.0 * c2
        for i in range(energies):
            total = rates[0, i] if order == 0 else 0.0
            for f in range(terms - 1):
                total += rates[1 + f, i] * polynomial[f]
            out[order * energies + i, lane] = total


@inner
def put_signals(events, first, arriving, bin_of, shape, out):
    """The signal, and its change with each of its shapes, in all bins.

    Parameters
    ----------
    events : float64 (any, LANES)
        See `put_energies`.
    first : int
        Where the events begin, or their derivatives.
    arriving : float64 (any,)
        See `fastscan.experiments.experiment.Experiment.arriving`, of which the shape is
    bin_of : intp (energies * others,)
        The number of the bin in which each is counted; several can be counted in one.
    shape : tuple of 4 int
        1 + shapes, neutrinos, energies and others.
    out : float64 ((1 + shapes) * bins, LANES)
        Overwritten.
    """
    shapes, neutrinos, energies, others = shape
    bins = out.shape[0] // shapes
    for b in range(out.shape[0]):
        put_lanes(out, b, 0.0)
    for s in range(shapes):
        for i in range(energies):
            for k in range(others):
                place = s * bins + bin_of[i * others + k]
                total = lanes_of(out, place)
                for n in range(neutrinos):
                    at = ((s * neutrinos + n) * energies + i) * others + k
                    total = fma(lanes_of(events, first + n * energies + i), number_at(arriving, at), total)
                put_lanes(out, place, total)


@inner
def put_sums(weights, table, out):
    """The sums over bins of weights times each column of a table.

    Parameters
    ----------
    weights : float64 (bins, LANES)
    table : float64 (bins * columns,)
        All columns of a bin, of which there are a multiple of `TOGETHER`, one after the other.
    out : float64 (columns or more, LANES)
        Overwritten.
    """
    columns = table.size // weights.shape[0]
    for k in range(0, columns, TOGETHER):
        first, second, third, fourth = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
        for b in range(weights.shape[0]):
            weight, at = lanes_of(weights, b), b * columns + k
            first = fma(weight, number_at(table, at), first)
            second = fma(weight, number_at(table, at + 1), second)
            third = fma(weight, number_at(table, at + 2), third)
            fourth = fma(weight, number_at(table, at + 3), fourth)
        put_lanes(out, k, first)
        put_lanes(out, k + 1, second)
        put_lanes(out, k + 2, third)
        put_lanes(out, k + 3, fourth)


@inner
def put_expected(signals, shapes, background, effects, scale, z, data, inverse, out):
    """Expected events in each bin, and how they differ from those before in bins that have data.

    Parameters
    ----------
    signals : float64 (shapes * bins, LANES)
    shapes : int
        The signal and its shapes.
    background : float64 (bins,)
    effects : float64 (bins * columns,)
        See `put_sums`.
    scale : lanes
    z : float64 (shapes + nuisances, LANES)
        The first is not used.
    data : float64 (bins, LANES)
    inverse : float64 (bins, LANES)
        One over what was expected before, see `put_weights`.
    out : float64 (bins, LANES)
        Overwritten.

    Returns
    -------
    possible : lanes
        1 where something is expected in every bin that has data, else 0.
    fall, change : lanes
        By how much of itself what was expected in a bin falls at most, and changes at most.
    """
    possible, fall, change, bins = spread(1.0), spread(0.0), spread(0.0), background.size
    columns = effects.size // bins
    for b in range(bins):
        total = fma(lanes_of(signals, b), scale, number_at(background, b))
        for s in range(1, shapes):
            total = fma(lanes_of(signals, s * bins + b), lanes_of(z, s), total)
        for j in range(z.shape[0] - shapes):
            total = fma(lanes_of(z, shapes + j), number_at(effects, b * columns + j), total)
        put_lanes(out, b, total)
        counted = lanes_of(data, b)
        possible = where_above(total, 0.0, possible, where_above(counted, 0.0, 0.0, possible))
        less = where_above(counted, 0.0, 1.0 - total * lanes_of(inverse, b), 0.0)
        more = 0.0 - less
        fall = where_above(less, fall, less, fall)
        change = where_above(more, change, more, change)
    return possible, fall, where_above(fall, change, fall, change)


@inner
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


@inner
def put_local(signals, shapes, effects, products, nuisances, excess, weight, weighted, sums, gradient, hessian):
    """Gradient and Hessian of half of chi2 in the scale of the signal and the nuisances.

    Parameters
    ----------
    signals, shapes
        As in `put_expected`.
    effects : float64 (bins * columns,)
        See `put_sums`.
    products : float64 (bins * columns,)
        As effects: the products of the effects of each nuisance and of those up to it.
    nuisances : int
        Of the background.
    excess, weight : float64 (bins, LANES)
        See `put_weights`.
    weighted, sums : float64 (bins, LANES), float64 (columns of either table, LANES)
        Scratch memory.
    gradient : float64 (own, LANES)
        Overwritten.
    hessian : float64 (own * own, LANES)
        Row after row; its lower triangle is overwritten.
    """
    bins, own, pair = weight.shape[0], shapes + nuisances, 0
    put_sums(excess, effects, sums)
    for j in range(nuisances):
        put_lanes(gradient, shapes + j, lanes_of(sums, j))
    put_sums(weight, products, sums)
    for j in range(nuisances):
        for k in range(j + 1):
            put_lanes(hessian, (shapes + j) * own + shapes + k, lanes_of(sums, pair))
            pair += 1
    for s in range(shapes):
        slope, bend = spread(0.0), spread(0.0)
        for b in range(bins):
            signal = lanes_of(signals, s * bins + b)
            product = lanes_of(weight, b) * signal
            slope, bend = fma(lanes_of(excess, b), signal, slope), fma(product, signal, bend)
            put_lanes(weighted, b, product)
        put_lanes(gradient, s, slope)
        put_lanes(hessian, s * own + s, bend)
        for t in range(s):
            put_lanes(hessian, s * own + t, product_of(weighted, signals, t * bins))
        put_sums(weighted, effects, sums)
        for j in range(nuisances):
            put_lanes(hessian, (shapes + j) * own + s, lanes_of(sums, j))


@inner
def product_of(one, other, first):
    """The sum of products of all lines of one array with as many of another one, from a first on."""
    total = spread(0.0)
    for b in range(one.shape[0]):
        total = fma(lanes_of(one, b), lanes_of(other, first + b), total)
    return total


@inner
def chi2_of(expected, data, over_data, luminosity):
    """chi2 without the nuisances' own, and 1 where less than nothing is expected in a bin without data, else 0.

    No large numbers are subtracted.  over_data are 1 / n, or 1 where nothing is counted.
    """
    total, negative = spread(0.0), spread(0.0)
    for b in range(data.shape[0]):
        counted, here = lanes_of(data, b), lanes_of(expected, b)
        ratio = where_above(counted, 0.0, here * lanes_of(over_data, b), 1.0)
        missing = counted * ((ratio - 1.0) - logarithm(ratio))
        total += where_above(counted, 0.0, missing, here)
        negative = where_above(counted, 0.0, negative, where_above(0.0, here, 1.0, negative))
    return 2.0 * luminosity * total, negative


@inner
def put_slopes(slopes, bends, signals, shapes, effects, scale, z, excess, weight, weighted, sums, mixed):
    """First and second derivative in x of half of chi2 at fixed nuisances, and the mixed ones.

    Parameters
    ----------
    slopes, bends : float64 (shapes * bins, LANES)
        Derivatives of the signals.
    signals, shapes, effects, scale, z
        As in `put_expected`.
    excess, weight
        See `put_weights`.
    weighted, sums
        As in `put_local`.
    mixed : float64 (own, LANES)
        Receives the second derivatives in x and in the scale, and in x and in each nuisance.

    Returns
    -------
    first, second : lanes
    """
    bins, first, second = weight.shape[0], spread(0.0), spread(0.0)
    for b in range(bins):
        change, bend = scale * lanes_of(slopes, b), scale * lanes_of(bends, b)
        for s in range(1, shapes):
            change = fma(lanes_of(z, s), lanes_of(slopes, s * bins + b), change)
            bend = fma(lanes_of(z, s), lanes_of(bends, s * bins + b), bend)
        left, pulled = lanes_of(excess, b), lanes_of(weight, b) * change
        first, second = fma(left, change, first), fma(pulled, change, fma(left, bend, second))
        put_lanes(weighted, b, pulled)
    for s in range(shapes):
        put_lanes(mixed, s, product_of(excess, slopes, s * bins) + product_of(weighted, signals, s * bins))
    put_sums(weighted, effects, sums)
    for j in range(mixed.shape[0] - shapes):
        put_lanes(mixed, shapes + j, lanes_of(sums, j))
    return first, second
