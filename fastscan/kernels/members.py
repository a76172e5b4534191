"""Members with counted events that are fitted together: their arrays, expected events, chi2 and its derivatives.

`fastscan.kernels.poisson` defines chi2, and `fastscan.kernels.newton` finds the nuisances at which it is smallest.  An
array of all members holds the numbers of one member after another; `places_of` computes where each member begins.
"""

from typing import NamedTuple

import numpy as np

from fastscan.kernels.counted import (
    TOGETHER,
    chi2_of,
    put_energies,
    put_expected,
    put_gradient,
    put_hessian,
    put_signals,
    total_of,
)
from fastscan.kernels.gaussian import parabola, registers, sums_derivatives
from fastscan.kernels.jit import inner, jit
from fastscan.kernels.lanes import LANES, empty_lanes, lanes_of, put_lanes, root, spread, where_above

PARABOLA = 9  # numbers of a parabola: three coefficients, and their first and second derivatives in x
# Columns of the sizes of a member, and of the places where its numbers begin in arrays of all members.
SHAPES, TERMS, NEUTRINOS, ENERGIES, OTHERS, ARRIVALS, EFFECTS, BINS = range(8)
AT_RATES, AT_ARRIVING, AT_BIN_OF, AT_EFFECTS, AT_PRODUCTS, AT_BINS, AT_EVENTS, AT_SIGNALS, AT_NUISANCES = range(9)


class Members(NamedTuple):
    """The arrays of members with counted events, see `fastscan.kernels.poisson.profiles`; `at` is from `places_of`."""

    sizes: np.ndarray
    at: np.ndarray
    rates: np.ndarray
    arriving: np.ndarray
    bin_of: np.ndarray
    effects: np.ndarray
    products: np.ndarray
    background: np.ndarray


class Point(NamedTuple):
    """The settings of LANES points, each array float64 (any, LANES).

    `sigma` and `luminosity` have a line for each member.  `common` has a line for each nuisance in common of the first
    member, then of the next, and of the Gaussian members last.  `parabolas` has `PARABOLA` lines for each Gaussian
    member, and `centre` has a line for each nuisance.
    """

    sigma: np.ndarray
    luminosity: np.ndarray
    common: np.ndarray
    parabolas: np.ndarray
    centre: np.ndarray


class Memory(NamedTuple):
    """Memory for LANES points, float64 (any, LANES), member after member; `rows` is (LANES,), `beside` (members,)."""

    rows: np.ndarray
    x: np.ndarray
    polynomials: np.ndarray
    events: np.ndarray
    signals: np.ndarray
    slopes: np.ndarray
    bends: np.ndarray
    data: np.ndarray
    over_data: np.ndarray
    expected: np.ndarray
    inverse: np.ndarray
    beside: np.ndarray
    counted: np.ndarray
    excess: np.ndarray
    weight: np.ndarray
    weighted: np.ndarray
    sums: np.ndarray
    z: np.ndarray
    scale: np.ndarray
    step: np.ndarray
    scale_step: np.ndarray
    next_z: np.ndarray
    next_scale: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    local: np.ndarray
    local_hessian: np.ndarray


@jit
def columns_for(number):
    """Number of columns of a table with so many changes: this number, rounded up to a multiple of `TOGETHER`."""
    return (number + TOGETHER - 1) // TOGETHER * TOGETHER


@jit
def places_of(sizes, common):
    """Where the numbers of each member begin in arrays of all members; the last line is where the arrays end.

    Parameters
    ----------
    sizes : intp (members, 8)
        Columns `SHAPES` to `BINS`.
    common : int
        Number of nuisances that members have in common, which come before their own.

    Returns
    -------
    intp (members + 1, 9)
        Columns `AT_RATES` to `AT_NUISANCES`.
    """
    at = np.zeros((sizes.shape[0] + 1, 9), np.intp)
    at[0, AT_NUISANCES] = common
    for m in range(sizes.shape[0]):
        energies, effects, bins = sizes[m, NEUTRINOS] * sizes[m, ENERGIES], sizes[m, EFFECTS], sizes[m, BINS]
        at[m + 1, AT_RATES] = at[m, AT_RATES] + sizes[m, SHAPES] * sizes[m, TERMS] * energies
        at[m + 1, AT_ARRIVING] = at[m, AT_ARRIVING] + sizes[m, ARRIVALS] * energies * sizes[m, OTHERS]
        at[m + 1, AT_BIN_OF] = at[m, AT_BIN_OF] + sizes[m, ENERGIES] * sizes[m, OTHERS]
        at[m + 1, AT_EFFECTS] = at[m, AT_EFFECTS] + bins * columns_for(effects)
        at[m + 1, AT_PRODUCTS] = at[m, AT_PRODUCTS] + bins * columns_for(effects * (effects + 1) // 2)
        at[m + 1, AT_BINS] = at[m, AT_BINS] + bins
        at[m + 1, AT_EVENTS] = at[m, AT_EVENTS] + 3 * energies
        at[m + 1, AT_SIGNALS] = at[m, AT_SIGNALS] + bins * sizes[m, ARRIVALS]
        at[m + 1, AT_NUISANCES] = at[m, AT_NUISANCES] + sizes[m, ARRIVALS] + effects
    return at


@jit
def memory_for(members, orders):
    """Memory for LANES points: for chi2 alone where orders is 1, for its derivatives in x too where orders is 3."""
    at, sizes = members.at, members.sizes
    number = sizes.shape[0]
    bins, total, most, widest, sums, terms = at[number, AT_BINS], at[number, AT_NUISANCES], 0, 0, TOGETHER, 0
    signals = at[number, AT_SIGNALS]
    derivatives = signals if orders > 1 else 0
    for m in range(number):
        most = max(most, at[m + 1, AT_NUISANCES] - at[m, AT_NUISANCES])
        widest = max(widest, at[m + 1, AT_BINS] - at[m, AT_BINS])
        sums = max(sums, columns_for(sizes[m, EFFECTS] * (sizes[m, EFFECTS] + 1) // 2))
        terms = max(terms, sizes[m, TERMS])
    return Memory(
        rows=np.empty(LANES, np.intp),
        x=empty_lanes(1),
        polynomials=empty_lanes(terms),
        events=empty_lanes(at[number, AT_EVENTS]),
        signals=empty_lanes(signals),
        slopes=empty_lanes(derivatives),
        bends=empty_lanes(derivatives),
        data=empty_lanes(bins),
        over_data=empty_lanes(bins),
        expected=empty_lanes(bins),
        inverse=empty_lanes(bins),
        beside=np.empty(number),
        counted=empty_lanes(number),
        excess=empty_lanes(bins),
        weight=empty_lanes(bins),
        weighted=empty_lanes(widest),
        sums=empty_lanes(sums),
        z=empty_lanes(total),
        scale=empty_lanes(number),
        step=empty_lanes(total),
        scale_step=empty_lanes(number),
        next_z=empty_lanes(total),
        next_scale=empty_lanes(number),
        gradient=empty_lanes(total),
        hessian=empty_lanes(total * total),
        local=empty_lanes(most),
        local_hessian=empty_lanes(most * most),
    )


@inner
def part_of(members, m, which):
    """The range of a member's numbers in an array of all members; `which` is that array's column of `places_of`."""
    return slice(members.at[m, which], members.at[m + 1, which])


@inner
def put_all_signals(members, change, row, x, first, orders, memory):
    """Put the signals of all members at points from the first on, and where orders is 3 their derivatives in x.

    Parameters
    ----------
    members : Members
    change : float64 (members, rows, features, 3)
    row, x : (points,)
        Where fewer points are left than lanes, the last point fills the spare lanes.
    first, orders : int
        Number of the first point, and 1 or 3.
    memory : Memory
        Its events, signals, slopes and bends are overwritten.
    """
    sizes = members.sizes
    for lane in range(LANES):
        p = min(first + lane, x.size - 1)
        memory.rows[lane], memory.x[0, lane] = row[p], x[p]
    for m in range(sizes.shape[0]):
        terms, energies = sizes[m, TERMS], sizes[m, NEUTRINOS] * sizes[m, ENERGIES]
        rates = members.rates[part_of(members, m, AT_RATES)].reshape((sizes[m, SHAPES], terms, energies))
        events = memory.events[part_of(members, m, AT_EVENTS)]
        for order in range(orders):
            one = events[order * energies : (order + 1) * energies]
            put_energies(rates, change[m], memory.rows, memory.x, order, memory.polynomials, one)
        signals = part_of(members, m, AT_SIGNALS)
        shape = sizes[m, ARRIVALS], sizes[m, NEUTRINOS], sizes[m, ENERGIES], sizes[m, OTHERS]
        arriving = members.arriving[part_of(members, m, AT_ARRIVING)]
        bin_of = members.bin_of[part_of(members, m, AT_BIN_OF)]
        put_signals(events, 0, arriving, bin_of, shape, memory.signals[signals])
        if orders > 1:
            put_signals(events, energies, arriving, bin_of, shape, memory.slopes[signals])
            put_signals(events, 2 * energies, arriving, bin_of, shape, memory.bends[signals])


@inner
def put_all_expected(members, z, scale, memory):
    """Put the expected events of all members, see `put_expected`.

    Returns
    -------
    least, most : lanes
        The smallest and the largest ratio of all members; where least is not above 0, a bin with data expects nothing.
    """
    least, most = spread(1.0), spread(1.0)
    for m in range(members.sizes.shape[0]):
        bins = part_of(members, m, AT_BINS)
        low, high = put_expected(
            memory.signals[part_of(members, m, AT_SIGNALS)],
            members.sizes[m, ARRIVALS],
            members.background[bins],
            members.effects[part_of(members, m, AT_EFFECTS)],
            lanes_of(scale, m),
            z[part_of(members, m, AT_NUISANCES)],
            memory.data[bins],
            memory.inverse[bins],
            memory.excess[bins],
            memory.weight[bins],
            memory.expected[bins],
        )
        least, most = where_above(least, low, low, least), where_above(high, most, high, most)
    return least, most


@inner
def scale_of_gaussian(n, members, point, z):
    """u = e - 1 of the n-th Gaussian member, whose signal is scaled by e."""
    shared, u = members.at[0, AT_NUISANCES], spread(0.0)
    for f in range(shared):
        u += lanes_of(point.common, (members.sizes.shape[0] + n) * shared + f) * lanes_of(z, f)
    return u


@inner
def add_gradient(m, members, point, memory):
    """Add a member's gradient to the gradient in all parameters.

    The parameter of its normalisation is the scale e of its signal itself, from which z_0 = (e - 1 - sum sigma_f z_f) /
    sigma follows: so nothing cancels where the signal is huge and e tiny.  At sigma = 0 the scale follows from the
    nuisances in common.
    """
    gradient, local, first, sigma = memory.gradient, memory.local, members.at[m, AT_NUISANCES], lanes_of(point.sigma, m)
    over = where_above(sigma, 0.0, 1.0 / sigma, 0.0)
    luminosity = lanes_of(point.luminosity, m)
    slope, pull = luminosity * lanes_of(local, 0), lanes_of(memory.z, first) - lanes_of(point.centre, first)
    put_lanes(gradient, first, where_above(sigma, 0.0, over * pull + slope, pull))
    for j in range(1, members.at[m + 1, AT_NUISANCES] - first):
        put_lanes(gradient, first + j, lanes_of(gradient, first + j) + luminosity * lanes_of(local, j))
    shared = members.at[0, AT_NUISANCES]
    for f in range(shared):
        change = lanes_of(point.common, m * shared + f)
        in_common = where_above(sigma, 0.0, 0.0 - change * over * pull, change * slope)
        put_lanes(gradient, f, lanes_of(gradient, f) + in_common)


@inner
def add_hessian(m, members, point, memory):
    """Add a member's Hessian to the Hessian in all parameters, see `add_gradient`."""
    hessian, total, bend = memory.hessian, memory.z.shape[0], memory.local_hessian
    first, last = members.at[m, AT_NUISANCES], members.at[m + 1, AT_NUISANCES]
    own, shared, sigma = last - first, members.at[0, AT_NUISANCES], lanes_of(point.sigma, m)
    over = where_above(sigma, 0.0, 1.0 / sigma, 0.0)
    weight, luminosity = over * over, lanes_of(point.luminosity, m)
    bend_of_scale = luminosity * lanes_of(bend, 0)
    put_lanes(hessian, first * total + first, where_above(sigma, 0.0, weight + bend_of_scale, 1.0))
    for j in range(1, own):
        line = (first + j) * total + first
        put_lanes(hessian, line, where_above(sigma, 0.0, luminosity * lanes_of(bend, j * own), 0.0))
        for k in range(1, j + 1):
            put_lanes(hessian, line + k, lanes_of(hessian, line + k) + luminosity * lanes_of(bend, j * own + k))
    for f in range(shared):
        change = lanes_of(point.common, m * shared + f)
        for g in range(f + 1):
            both = change * lanes_of(point.common, m * shared + g) * where_above(sigma, 0.0, weight, bend_of_scale)
            put_lanes(hessian, f * total + g, lanes_of(hessian, f * total + g) + both)
        put_lanes(hessian, first * total + f, where_above(sigma, 0.0, 0.0 - change * weight, 0.0))
        for j in range(1, own):
            mixed = where_above(sigma, 0.0, 0.0, change * (luminosity * lanes_of(bend, j * own)))
            put_lanes(hessian, (first + j) * total + f, mixed)


@inner
def put_all_gradients(members, point, memory):
    """Put the gradient of half of chi2 in all parameters, at the present nuisances."""
    shared = members.at[0, AT_NUISANCES]
    for j in range(memory.z.shape[0]):
        put_lanes(memory.gradient, j, lanes_of(memory.z, j) - lanes_of(point.centre, j))
    for m in range(members.sizes.shape[0]):
        put_gradient(
            memory.signals[part_of(members, m, AT_SIGNALS)],
            members.sizes[m, ARRIVALS],
            members.effects[part_of(members, m, AT_EFFECTS)],
            members.sizes[m, EFFECTS],
            memory.excess[part_of(members, m, AT_BINS)],
            memory.sums,
            memory.local,
        )
        add_gradient(m, members, point, memory)
    for n in range(point.parabolas.shape[0] // PARABOLA):
        u, at, first = scale_of_gaussian(n, members, point, memory.z), n * PARABOLA, members.sizes.shape[0] + n
        by_u = 0.5 * lanes_of(point.parabolas, at + 1) + u * lanes_of(point.parabolas, at + 2)
        for f in range(shared):
            change = lanes_of(point.common, first * shared + f)
            put_lanes(memory.gradient, f, lanes_of(memory.gradient, f) + change * by_u)


@inner
def put_all_hessians(members, point, memory):
    """Put the Hessian of half of chi2 in all parameters, at the present nuisances."""
    total, shared = memory.z.shape[0], members.at[0, AT_NUISANCES]
    for j in range(total):
        for k in range(j + 1):
            put_lanes(memory.hessian, j * total + k, 1.0 if j == k else 0.0)
    for m in range(members.sizes.shape[0]):
        bins = part_of(members, m, AT_BINS)
        put_hessian(
            memory.signals[part_of(members, m, AT_SIGNALS)],
            members.sizes[m, ARRIVALS],
            members.effects[part_of(members, m, AT_EFFECTS)],
            members.products[part_of(members, m, AT_PRODUCTS)],
            members.sizes[m, EFFECTS],
            memory.weight[bins],
            memory.weighted[: bins.stop - bins.start],
            memory.sums,
            memory.local_hessian,
        )
        add_hessian(m, members, point, memory)
    for n in range(point.parabolas.shape[0] // PARABOLA):
        square, first = lanes_of(point.parabolas, n * PARABOLA + 2), members.sizes.shape[0] + n
        for f in range(shared):
            change = lanes_of(point.common, first * shared + f)
            for g in range(f + 1):
                both = change * lanes_of(point.common, first * shared + g) * square
                put_lanes(memory.hessian, f * total + g, lanes_of(memory.hessian, f * total + g) + both)


@inner
def chi2_at(members, point, memory):
    """chi2 at the present nuisances, and above 0 where a bin without data expects a negative number, see `chi2_of`."""
    chi2, negative = spread(0.0), spread(0.0)
    for j in range(memory.z.shape[0]):
        pull = lanes_of(memory.z, j) - lanes_of(point.centre, j)
        chi2 += pull * pull
    for m in range(members.sizes.shape[0]):
        bins = part_of(members, m, AT_BINS)
        luminosity = lanes_of(point.luminosity, m)
        own, less = chi2_of(memory.expected[bins], memory.data[bins], memory.over_data[bins], luminosity)
        chi2, negative = chi2 + own, negative + less
    for n in range(point.parabolas.shape[0] // PARABOLA):
        u, at = scale_of_gaussian(n, members, point, memory.z), n * PARABOLA
        constant, linear = lanes_of(point.parabolas, at), lanes_of(point.parabolas, at + 1)
        chi2 += constant + u * (linear + u * lanes_of(point.parabolas, at + 2))
    return chi2, negative


@inner
def put_point(settings, others, row, x, centre, chosen, first, point):
    """Put the settings of points from the first on side by side; `profiles` describes the arguments."""
    noise, variance, common = settings
    sums, norm = others
    gaussian = sums.shape[0]
    members = noise.shape[0] - gaussian
    for lane in range(LANES):
        p = min(first + lane, x.size - 1)
        for m in range(members):
            point.sigma[m, lane], point.luminosity[m, lane] = variance[m, p], noise[m, p]
        for m in range(members + gaussian):
            for f in range(common.shape[1]):
                point.common[m * common.shape[1] + f, lane] = common[m, f, p]
        for n in range(gaussian):
            found = sums_derivatives(registers(sums[n, row[p]]), x[p])
            curve = parabola(found, norm[n, row[p]], noise[members + n, p], variance[members + n, p])
            for order in range(3):
                for power in range(3):
                    point.parabolas[n * PARABOLA + 3 * order + power, lane] = curve[order][power]
        for j in range(centre.shape[1]):
            point.centre[j, lane] = centre[chosen[p], j]
    for m in range(members):
        put_lanes(point.sigma, m, root(lanes_of(point.sigma, m)))
        put_lanes(point.luminosity, m, 1.0 / lanes_of(point.luminosity, m))


@inner
def put_data(members, data, chosen, first, memory):
    """Put the data of points from the first on side by side; `profiles` describes the arguments."""
    for lane in range(LANES):
        own = data[chosen[min(first + lane, chosen.size - 1)]]
        for b in range(own.size):
            memory.data[b, lane] = own[b]
    for b in range(data.shape[1]):
        counted = lanes_of(memory.data, b)
        put_lanes(memory.over_data, b, 1.0 / where_above(counted, 0.0, counted, 1.0))
    for m in range(members.sizes.shape[0]):
        bins = part_of(members, m, AT_BINS)
        put_lanes(memory.counted, m, total_of(memory.data, bins.start, bins.stop - bins.start))


@inner
def put_beside(members, origin, memory):
    """Put the total background of each member at the origin of the nuisances."""
    for m in range(members.sizes.shape[0]):
        bins, effects = part_of(members, m, AT_BINS), members.effects[part_of(members, m, AT_EFFECTS)]
        first, total = members.at[m, AT_NUISANCES] + members.sizes[m, ARRIVALS], 0.0
        columns = columns_for(members.sizes[m, EFFECTS])
        for b in range(bins.stop - bins.start):
            total += members.background[bins.start + b]
            for j in range(members.sizes[m, EFFECTS]):
                total += origin[first + j] * effects[b * columns + j]
        memory.beside[m] = total
