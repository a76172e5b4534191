"""Counted events of one member: its signal at a strength, its expected events at nuisances, and half of its chi2.

Arrays over bins have a line of lanes for each bin, with one point in each lane, see `fastscan.kernels.lanes`.  The
background and its changes, which all points share, have one number for each bin.  The parameters of a member are the
scale e of its signal, then the nuisances z of the signal's shapes and of the background:

    N = e S_0 + sum_s z_s S_s + B + sum_j z_j E_j
    chi2 = 2 lam sum [N - n + n ln(n / N)],      2 lam N where n = 0

so that half of chi2 has the gradient sum lam (1 - n / N) d and the Hessian sum lam n / N^2 d d^T, with the derivatives
d of N: S_0, S_s and E_j.
"""

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.jit import inner
from fastscan.kernels.lanes import LANES, lanes_of, logarithm, number_at, put_lanes, spread, where_above

TOGETHER = 3  # `put_sums` keeps so many sums, or twice as many, in registers; a table's columns are a multiple


@inner
def derivative(change, f, x, order):
    """Change of feature f, a polynomial in x, or its derivative of order 1 or 2; x is lanes or a number."""
    if order == 0:
        return change[f, 0] + x * (change[f, 1] + x * change[f, 2])
    if order == 1:
        return change[f, 1] + 2.0 * x * change[f, 2]
    return 0.0 * x + 2.0 * change[f, 2]


@inner
def put_energies(rates, change, rows, x, order, polynomials, out):
    """Put signal events of each neutrino in each bin of energy, or their derivative in x.

    Where all lanes have the same row, it is read once for all of them; results are the same.

    Parameters
    ----------
    rates : float64 (1 or rows, 1 + features, energies of all neutrinos)
        The Standard Model's events, then those per unit of each feature.
    change : float64 (rows, features or more, 3)
        Change of each feature from its Standard Model value as a polynomial in x, lowest power first.
    rows : intp (LANES,)
        The row of each lane.
    x : float64 (1, LANES)
    order : int
        Order of the derivative: 0, 1 or 2.
    polynomials : float64 (features, LANES)
        Scratch memory.
    out : float64 (energies of all neutrinos, LANES)
        Overwritten.
    """
    shapes, terms, energies = rates.shape
    same, flat = True, rates.reshape(-1)
    for lane in range(1, LANES):
        same = same and rows[lane] == rows[0]
    if same:
        own, at = change[rows[0]], rows[0] * terms * energies if shapes > 1 else 0
        for f in range(terms - 1):
            put_lanes(polynomials, f, derivative(own, f, lanes_of(x, 0), order))
        for i in range(energies):
            total = spread(number_at(flat, at + i) if order == 0 else 0.0)
            for f in range(terms - 1):
                total += number_at(flat, at + (1 + f) * energies + i) * lanes_of(polynomials, f)
            put_lanes(out, i, total)
        return
    for lane in range(LANES):
        own, at = change[rows[lane]], rows[lane] * terms * energies if shapes > 1 else 0
        for f in range(terms - 1):
            polynomials[f, lane] = derivative(own, f, x[0, lane], order)
        for i in range(energies):
            total = number_at(flat, at + i) if order == 0 else 0.0
            for f in range(terms - 1):
                total += number_at(flat, at + (1 + f) * energies + i) * polynomials[f, lane]
            out[i, lane] = total


@inner
def put_signals(events, first, arriving, bin_of, shape, out):
    """Put the signal, and its change with each of its shapes, in all bins.

    Parameters
    ----------
    events : float64 (any, LANES)
        See `put_energies`.
    first : int
        Line at which the events, or their derivatives, begin.
    arriving : float64 (any,)
        See `fastscan.experiments.experiment.Experiment.arriving`.
    bin_of : intp (energies * others,)
        The number of the bin in which each energy and other value is counted; a bin can count several.
    shape : tuple of 4 int
        The shape of `arriving`: 1 + shapes, neutrinos, energies and others.
    out : float64 ((1 + shapes) * bins, LANES)
        Overwritten.
    """
    shapes, neutrinos, energies, others = shape
    bins = out.shape[0] // shapes
    for b in range(out.shape[0]):
        put_lanes(out, b, 0.0)
    for s in range(shapes):
        for i in range(energies):
            for n in range(neutrinos):
                arrived, at = lanes_of(events, first + n * energies + i), ((s * neutrinos + n) * energies + i) * others
                for k in range(others):
                    place = s * bins + number_at(bin_of, i * others + k)
                    put_lanes(out, place, fma(arrived, number_at(arriving, at + k), lanes_of(out, place)))


@inner
def put_pairs_of_groups(weights, table, columns, out):
    """As `put_sums`, for as many columns as make whole pairs of groups of `TOGETHER`; returns their number."""
    paired = columns // (2 * TOGETHER) * (2 * TOGETHER)
    for k in range(0, paired, 2 * TOGETHER):
        one, two, three = spread(0.0), spread(0.0), spread(0.0)
        four, five, six = spread(0.0), spread(0.0), spread(0.0)
        for b in range(weights.shape[0]):
            weight, at = lanes_of(weights, b), b * columns + k
            one = fma(weight, number_at(table, at), one)
            two = fma(weight, number_at(table, at + 1), two)
            three = fma(weight, number_at(table, at + 2), three)
            four = fma(weight, number_at(table, at + 3), four)
            five = fma(weight, number_at(table, at + 4), five)
            six = fma(weight, number_at(table, at + 5), six)
        put_lanes(out, k, one)
        put_lanes(out, k + 1, two)
        put_lanes(out, k + 2, three)
        put_lanes(out, k + 3, four)
        put_lanes(out, k + 4, five)
        put_lanes(out, k + 5, six)
    return paired


@inner
def put_sums(weights, table, out):
    """The sums over bins of weights times each column of a table.

    Parameters
    ----------
    weights : float64 (bins, LANES)
    table : float64 (bins * columns,)
        The columns of each bin one after another; their number is a multiple of `TOGETHER`.
    out : float64 (columns or more, LANES)
        Overwritten.
    """
    columns = table.size // weights.shape[0]
    k = put_pairs_of_groups(weights, table, columns, out)
    if k < columns:
        one, two, three = spread(0.0), spread(0.0), spread(0.0)
        for b in range(weights.shape[0]):
            weight, at = lanes_of(weights, b), b * columns + k
            one = fma(weight, number_at(table, at), one)
            two = fma(weight, number_at(table, at + 1), two)
            three = fma(weight, number_at(table, at + 2), three)
        put_lanes(out, k, one)
        put_lanes(out, k + 1, two)
        put_lanes(out, k + 2, three)


@inner
def put_sums_beside(weights, signals, first, table, out):
    """As `put_sums`; returns the sum over bins of weights times the signals that begin at line `first`."""
    columns = table.size // weights.shape[0]
    k = put_pairs_of_groups(weights, table, columns, out)
    if k == columns:
        return product_of(weights, signals, first)
    total, one, two, three = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    for b in range(weights.shape[0]):
        weight, at = lanes_of(weights, b), b * columns + k
        total = fma(weight, lanes_of(signals, first + b), total)
        one = fma(weight, number_at(table, at), one)
        two = fma(weight, number_at(table, at + 1), two)
        three = fma(weight, number_at(table, at + 2), three)
    put_lanes(out, k, one)
    put_lanes(out, k + 1, two)
    put_lanes(out, k + 2, three)
    return total


@inner
def put_expected(signals, shapes, background, effects, scale, z, data, inverse, excess, weight, out):
    """Put expected events N and the weights of each bin in derivatives of half of chi2; returns how much N changed.

    Parameters
    ----------
    signals : float64 (shapes * bins, LANES)
    shapes : int
        The signal and its shapes.
    background : float64 (bins,)
    effects : float64 (bins * columns,)
        See `put_sums`.
    scale : lanes
        The scale e of the signal.
    z : float64 (shapes + nuisances, LANES)
        The member's nuisances; the first one is not used, because `scale` contains it.
    data : float64 (bins, LANES)
    inverse : float64 (bins, LANES)
        1 / N of the call before; receives the new 1 / N, or 1 where nothing is counted.
    excess, weight : float64 (bins, LANES)
        Receive the weights of each bin in the gradient and in the Hessian, without lam: 1 - n / N and n / N^2.
    out : float64 (bins, LANES)
        Receives N.

    Returns
    -------
    least, most : lanes
        The smallest and the largest of 1 and the ratios of N to the N before in all bins with data.
    """
    least, most, bins = spread(1.0), spread(1.0), background.size
    columns = effects.size // bins
    for b in range(bins):
        total = fma(lanes_of(signals, b), scale, number_at(background, b))
        for s in range(1, shapes):
            total = fma(lanes_of(signals, s * bins + b), lanes_of(z, s), total)
        for j in range(z.shape[0] - shapes):
            total = fma(lanes_of(z, shapes + j), number_at(effects, b * columns + j), total)
        put_lanes(out, b, total)
        counted = lanes_of(data, b)
        part = where_above(counted, 0.0, total * lanes_of(inverse, b), 1.0)
        least, most = where_above(least, part, part, least), where_above(part, most, part, most)
        over = 1.0 / where_above(counted, 0.0, total, 1.0)
        ratio = counted * over
        put_lanes(inverse, b, over)
        put_lanes(excess, b, 1.0 - ratio)
        put_lanes(weight, b, ratio * over)
    return least, most


@inner
def put_gradient(signals, shapes, effects, nuisances, excess, sums, gradient):
    """Put the gradient of half of chi2, without lam; see `put_hessian` for the arguments, `put_expected` for excess."""
    bins = excess.shape[0]
    put_lanes(gradient, 0, put_sums_beside(excess, signals, 0, effects, sums))
    for s in range(1, shapes):
        put_lanes(gradient, s, product_of(excess, signals, s * bins))
    for j in range(nuisances):
        put_lanes(gradient, shapes + j, lanes_of(sums, j))


@inner
def put_hessian(signals, shapes, effects, products, nuisances, weight, weighted, sums, hessian):
    """Put the Hessian of half of chi2, without the factor lam, in the scale of the signal and the nuisances.

    Parameters
    ----------
    signals, shapes
        As in `put_expected`.
    effects : float64 (bins * columns,)
        See `put_sums`.
    products : float64 (bins * columns,)
        As `effects`: the product of the effect of each nuisance and that of every nuisance up to it.
    nuisances : int
        Number of the background's nuisances.
    weight : float64 (bins, LANES)
        See `put_expected`.
    weighted, sums : float64 (bins, LANES), float64 (columns of either table, LANES)
        Scratch memory.
    hessian : float64 (own * own, LANES)
        Row after row; its lower triangle is overwritten.
    """
    bins, own, pair = weight.shape[0], shapes + nuisances, 0
    put_sums(weight, products, sums)
    for j in range(nuisances):
        for k in range(j + 1):
            put_lanes(hessian, (shapes + j) * own + shapes + k, lanes_of(sums, pair))
            pair += 1
    for s in range(shapes):
        for b in range(bins):
            put_lanes(weighted, b, lanes_of(weight, b) * lanes_of(signals, s * bins + b))
        put_lanes(hessian, s * own + s, put_sums_beside(weighted, signals, s * bins, effects, sums))
        for t in range(s):
            put_lanes(hessian, s * own + t, product_of(weighted, signals, t * bins))
        for j in range(nuisances):
            put_lanes(hessian, (shapes + j) * own + s, lanes_of(sums, j))


@inner
def product_of(one, other, first):
    """The sum of products of all lines of one array with as many lines of another, from line `first` on."""
    total = spread(0.0)
    for b in range(one.shape[0]):
        total = fma(lanes_of(one, b), lanes_of(other, first + b), total)
    return total


@inner
def total_of(lines, first, number):
    """The sum of so many lines, from line `first` on."""
    total = spread(0.0)
    for b in range(first, first + number):
        total += lanes_of(lines, b)
    return total


@inner
def chi2_of(expected, data, over_data, luminosity):
    """chi2 without the nuisances' terms, and 1 where a bin without data expects a negative number, else 0.

    No large numbers are subtracted.  over_data is 1 / n, or 1 where nothing is counted.
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
    """First and second derivative in x of half of chi2 at fixed nuisances, without lam; puts the mixed derivatives.

    Parameters
    ----------
    slopes, bends : float64 (shapes * bins, LANES)
        Derivatives of the signals.
    signals, shapes, effects, scale, z
        As in `put_expected`.
    excess, weight
        See `put_expected`.
    weighted, sums
        As in `put_hessian`.
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
        pulling = put_sums_beside(weighted, signals, s * bins, effects, sums)
        put_lanes(mixed, s, product_of(excess, slopes, s * bins) + pulling)
    for j in range(mixed.shape[0] - shapes):
        put_lanes(mixed, shapes + j, lanes_of(sums, j))
    return first, second
