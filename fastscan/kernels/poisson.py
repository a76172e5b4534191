"""chi2 of counted events with linear nuisances, at points of columns: minimised over the nuisances by Newton's method.

Some members are fitted together, because nuisances are common to them.  With n events in a bin of a member, where N are
expected, and nuisances z, each in units of its standard deviation and around a centre c,

    chi2 = min over z of  sum over members of 2 lam sum [N - n + n ln(n / N)] + sum (z - c)^2,      2 lam N where n = 0
    N = e S_0 + sum_s z_s S_s + B + sum_j z_j E_j,   e = 1 + sigma z_0 + sum_f sigma_f z_f

S_0 is the member's signal and S_s are its changes at one standard deviation, which follow the couplings; B is the
background and E_j are its changes.  z_0 is the nuisance of the signal's own normalisation, the z_f are common to
members.  lam is the luminosity.  A member with Gaussian counts has chi2 in closed form, a parabola in e.  The problem
is convex.  At sigma = 0 nothing is singular, because sigma multiplies the change and not its inverse.

Some points are computed side by side, one in each lane.  A point starts from the same place and takes its own steps
whatever is computed beside it, so that results depend neither on threads nor on blocks, to the last bit.

Sources: section 4 of the COHERENT likelihood on CsI, arXiv:2110.07730, and for the damping of Newton's step Nesterov,
Lectures on Convex Optimization, section 5.1.
"""

from typing import NamedTuple

import numpy as np

from fastscan.kernels.cholesky import factorise, put_forward, put_solution
from fastscan.kernels.counted import (
    TOGETHER,
    chi2_of,
    product_of,
    total_of,
    put_energies,
    put_expected,
    put_gradient,
    put_hessian,
    put_polynomials,
    put_signals,
    put_slopes,
)
from fastscan.kernels.gaussian import parabola, registers, sums_derivatives
from fastscan.kernels.jit import Kernel, inner, jit
from fastscan.kernels.lanes import LANES, empty_lanes, lane_of, lanes_of, largest, put_lanes, root, spread, where_above

TOLERANCE = 1e-11  # of chi2: what is left of it, times the change of what is expected with the last step
SHORT = 0.125  # fall of what is expected in a bin, up to which a step of Newton's method can be taken as it is
SHORTEST = 1e-9  # part of a step, below which a point stays where it is: rounding empties a bin
MOST_STEPS = 500  # of Newton's method; some ten are enough but where couplings are extreme
CHI2, SLOPE, CURVATURE, NUISANCES = 0, 1, 2, 3  # columns of what is filled
PARABOLA = 9  # numbers of a parabola: three coefficients, and their first and second derivatives in x
# Columns of the sizes of a member, and of the places where its numbers begin in arrays of all members.
SHAPES, TERMS, NEUTRINOS, ENERGIES, OTHERS, ARRIVALS, EFFECTS, BINS = range(8)
AT_RATES, AT_ARRIVING, AT_BIN_OF, AT_EFFECTS, AT_PRODUCTS, AT_BINS, AT_EVENTS, AT_SIGNALS, AT_NUISANCES = range(9)


class Members(NamedTuple):
    """What members with counted events are made of; see `profiles`, and `places_of` for at."""

    sizes: np.ndarray
    at: np.ndarray
    rates: np.ndarray
    arriving: np.ndarray
    bin_of: np.ndarray
    effects: np.ndarray
    products: np.ndarray
    background: np.ndarray


class Point(NamedTuple):
    """The settings of as many points as there are lanes: all float64 (any, LANES).

    Those of each member are sigma, luminosity and, one nuisance in common after the other, common, where those of the
    Gaussian members follow; of each Gaussian member there are the numbers of a parabola; centre is of each nuisance.
    """

    sigma: np.ndarray
    luminosity: np.ndarray
    common: np.ndarray
    parabolas: np.ndarray
    centre: np.ndarray


class Memory(NamedTuple):
    """What is computed of points, float64 (any, LANES); of all members, one after the other."""

    rows: np.ndarray
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


def pieces_of(points: int) -> int:
    """Number of pieces that `profiles` makes of points."""
    return (points + LANES - 1) // LANES


@jit
def columns_for(number):
    """Columns of a table of as many changes: `put_sums` takes some together."""
    return (number + TOGETHER - 1) // TOGETHER * TOGETHER


@jit
def places_of(sizes, common):
    """Where the numbers of each member begin in arrays of all members, and in the last line where they end.

    Parameters
    ----------
    sizes : intp (members, 8)
    common : int
        Number of nuisances that members have in common, which come before their own.

    Returns
    -------
    intp (members + 1, 9)
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
    """The memory of points of some members, for chi2 alone where orders is 1, and for its derivatives where it is 3."""
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
    """Where the numbers of a member are in arrays of all members, of the kind that a column of `places_of` is about."""
    return slice(members.at[m, which], members.at[m + 1, which])


@inner
def put_all_signals(members, change, row, x, first, orders, memory):
    """The signals of all members at points from the first on, and where orders is 3 their derivatives in x.

    Parameters
    ----------
    members : Members
    change : float64 (members, rows, features, 3)
    row, x : (points,)
        Where points are fewer than lanes, the last one is in all lanes that are left.
    first, orders : int
    memory : Memory
        Its events, signals, slopes and bends are overwritten.
    """
    sizes = members.sizes
    for m in range(sizes.shape[0]):
        terms, energies = sizes[m, TERMS], sizes[m, NEUTRINOS] * sizes[m, ENERGIES]
        rates = members.rates[part_of(members, m, AT_RATES)].reshape((sizes[m, SHAPES], terms, energies))
        events = memory.events[part_of(members, m, AT_EVENTS)]
        for order in range(orders):
            for lane in range(LANES):
                p = min(first + lane, x.size - 1)
                memory.rows[lane] = row[p] if sizes[m, SHAPES] > 1 else 0
                put_polynomials(change[m, row[p], : terms - 1], x[p], lane, order, memory.polynomials)
            put_energies(rates, memory.rows, memory.polynomials, order, events[order * energies : (order + 1) * energies])
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
    """What all members expect, see `put_expected`.

    Returns
    -------
    fall, change : lanes
        By how much of itself what was expected before in a bin that has data falls at most, and changes at most; a fall
        of 1 or more means that nothing is expected in such a bin.
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
def is_possible(members, memory):
    """1 where something is expected in every bin that has data, else 0; what was expected before is forgotten."""
    for b in range(memory.inverse.shape[0]):
        put_lanes(memory.inverse, b, 1.0)
    least, _ = put_all_expected(members, memory.z, memory.scale, memory)
    return where_above(least, 0.0, spread(1.0), 0.0)


@inner
def first_scale(signal, background, data, width):
    """The scale of the signal that is best if all bins are one and it is the only nuisance.

    It is the positive root e of S e^2 + (w S^2 + B - S) e = B + w S (n - B), written so that no digits cancel; without
    it Newton's method would take long where the signal is a million times too large.

    Parameters
    ----------
    signal, background, data : lanes
        Sums over all bins.
    width : lanes
        lam sigma^2.
    """
    linear = width * signal * signal + background - signal
    constant = background + width * signal * (data - background)
    square = linear * linear + 4.0 * signal * constant
    length = root(where_above(square, 0.0, square, 0.0))
    found = where_above(linear, 0.0, 2.0 * constant / (linear + length), (length - linear) / (2.0 * signal))
    found = where_above(signal, 0.0, found, 1.0)
    return where_above(width, 0.0, found, 1.0)


@inner
def start(members, point, origin, memory):
    """Put the nuisances where the search begins: at the origin, and the signals' normalisations where one bin is best.

    Where something is expected in too few bins there, it begins at 0.

    Returns
    -------
    lanes
        1 where something is expected in every bin that has data, else 0.
    """
    shared = members.at[0, AT_NUISANCES]
    for j in range(origin.size):
        put_lanes(memory.z, j, origin[j])
    for m in range(members.sizes.shape[0]):
        sigma, bins = lanes_of(point.sigma, m), part_of(members, m, AT_BINS)
        variance = sigma * sigma
        for f in range(shared):
            variance += lanes_of(point.common, m * shared + f) * lanes_of(point.common, m * shared + f)
        signals, beside = part_of(members, m, AT_SIGNALS), spread(memory.beside[m])
        signal, counted = total_of(memory.signals, signals.start, bins.stop - bins.start), lanes_of(memory.counted, m)
        for shape in range(1, members.sizes[m, ARRIVALS]):
            at = signals.start + shape * (bins.stop - bins.start)
            change = total_of(memory.signals, at, bins.stop - bins.start)
            beside += origin[members.at[m, AT_NUISANCES] + shape] * change
        scale = first_scale(signal, beside, counted, lanes_of(point.luminosity, m) * variance)
        put_lanes(memory.scale, m, scale)
    if shared > 0:
        put_common(members, point, memory)
    possible = is_possible(members, memory)
    if largest(1.0 - possible) > 0.0:
        for j in range(origin.size):
            put_lanes(memory.z, j, where_above(possible, 0.0, lanes_of(memory.z, j), 0.0))
        for m in range(members.sizes.shape[0]):
            put_lanes(memory.scale, m, where_above(possible, 0.0, lanes_of(memory.scale, m), 1.0))
        possible = is_possible(members, memory)
    for m in range(members.sizes.shape[0]):
        own, sigma = lanes_of(memory.scale, m) - 1.0, lanes_of(point.sigma, m)
        for f in range(shared):
            own -= lanes_of(point.common, m * shared + f) * lanes_of(memory.z, f)
        put_lanes(memory.z, members.at[m, AT_NUISANCES], where_above(sigma, 0.0, own / sigma, 0.0))
    return possible


@inner
def put_common(members, point, memory):
    """Put the nuisances in common where the smallest scale is that of a signal which has no nuisance of its own.

    Those of other such signals follow: 1 + r (e - 1) of the smallest scale e, whose digits are left where r is 1.
    """
    shared, smallest, square, leading = members.at[0, AT_NUISANCES], spread(np.inf), spread(1.0), memory.next_z
    for f in range(shared):
        put_lanes(leading, f, 0.0)
    for m in range(members.sizes.shape[0]):
        scale, total = (
            lanes_of(memory.scale, m),
            product_of(point.common[m * shared : (m + 1) * shared], point.common, m * shared),
        )
        smaller = where_above(lanes_of(point.sigma, m), 0.0, 0.0, where_above(total, 0.0, smallest - scale, 0.0))
        smallest, square = where_above(smaller, 0.0, scale, smallest), where_above(smaller, 0.0, total, square)
        for f in range(shared):
            change = lanes_of(point.common, m * shared + f)
            put_lanes(leading, f, where_above(smaller, 0.0, change, lanes_of(leading, f)))
    for f in range(shared):
        there = (smallest - 1.0) * lanes_of(leading, f) / square
        put_lanes(memory.z, f, where_above(lanes_of(leading, f), 0.0, there, 0.0))
    for m in range(members.sizes.shape[0]):
        r = product_of(point.common[m * shared : (m + 1) * shared], leading, 0) / square
        linked = where_above(r, 0.0, (1.0 - r) + r * smallest, 1.0)
        put_lanes(memory.scale, m, where_above(lanes_of(point.sigma, m), 0.0, lanes_of(memory.scale, m), linked))


@inner
def add_gradient(m, members, point, memory):
    """Add a member's gradient to that in all parameters.

    The parameter of its normalisation is the scale e of its signal itself, from which z_0 = (e - 1 - sum sigma_f z_f) /
    sigma follows: so nothing cancels where the signal is huge and e tiny.  At sigma = 0 the scale follows from what
    members have in common.
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
    """Add a member's Hessian to that in all parameters, see `add_gradient`."""
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
def scale_of_gaussian(n, members, point, z):
    """u = e - 1 of a Gaussian member's signal."""
    shared, u = members.at[0, AT_NUISANCES], spread(0.0)
    for f in range(shared):
        u += lanes_of(point.common, (members.sizes.shape[0] + n) * shared + f) * lanes_of(z, f)
    return u


@inner
def put_all_gradients(members, point, memory):
    """Gradient of half of chi2 in all parameters, where the nuisances are."""
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
    """Hessian of half of chi2 in all parameters, where the nuisances are."""
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
def put_step(members, point, memory):
    """Newton's step of all nuisances and scales; the Hessian is replaced by its Cholesky factor."""
    total, shared = memory.z.shape[0], members.at[0, AT_NUISANCES]
    factorise(memory.hessian, total)
    put_solution(memory.hessian, memory.gradient, memory.step)
    for j in range(total):
        put_lanes(memory.step, j, 0.0 - lanes_of(memory.step, j))
    for m in range(members.sizes.shape[0]):
        first, sigma, in_common = members.at[m, AT_NUISANCES], lanes_of(point.sigma, m), spread(0.0)
        for f in range(shared):
            in_common += lanes_of(point.common, m * shared + f) * lanes_of(memory.step, f)
        by_scale = lanes_of(memory.step, first)
        put_lanes(memory.scale_step, m, where_above(sigma, 0.0, by_scale, in_common))
        put_lanes(memory.step, first, where_above(sigma, 0.0, (by_scale - in_common) / sigma, by_scale))


@inner
def square_by_hessian(factor, right, out):
    """right H^-1 right of lanes, with the Cholesky factors of H; out, of the length of right, is overwritten."""
    put_forward(factor, right, out)
    return product_of(out, out, 0)


@inner
def put_next(members, memory, length):
    """Go a length of the step, in lanes where it is above 0; what is returned is that of `put_all_expected`."""
    for j in range(memory.z.shape[0]):
        z = lanes_of(memory.z, j)
        put_lanes(memory.next_z, j, where_above(length, 0.0, z + length * lanes_of(memory.step, j), z))
    for m in range(members.sizes.shape[0]):
        scale = lanes_of(memory.scale, m)
        there = where_above(length, 0.0, scale + length * lanes_of(memory.scale_step, m), scale)
        put_lanes(memory.next_scale, m, there)
    return put_all_expected(members, memory.next_z, memory.next_scale, memory)


@inner
def move(members, memory, moving):
    """Go along the step, less far where that would take away much of what is expected in a bin.

    A step is shortened by 1 / (1 + r), where r is how often it would take away all that is expected in the bin that it
    empties first: so short, it decreases chi2 and empties no bin.  Where rounding still empties one, it is shortened
    again.

    Parameters
    ----------
    moving : lanes
        1, or 0 where a point stays where it is.

    Returns
    -------
    change, length : lanes
        By how much of itself what is expected in a bin would change with the whole step, at most; and how much of it
        was gone.
    """
    least, most = put_next(members, memory, moving)
    fall, rise, length = 1.0 - least, most - 1.0, moving
    if largest(fall) > SHORT:
        length = where_above(fall, SHORT, moving / (1.0 + fall), moving)
        shortest = SHORTEST * length
        least, _ = put_next(members, memory, length)
        while largest(where_above(least, 0.0, 0.0, length)) > 0.0:
            length = where_above(least, 0.0, length, 0.25 * length)
            length = where_above(length, shortest, length, 0.0)
            least, _ = put_next(members, memory, length)
    for j in range(memory.z.shape[0]):
        put_lanes(memory.z, j, lanes_of(memory.next_z, j))
    for m in range(members.sizes.shape[0]):
        put_lanes(memory.scale, m, lanes_of(memory.next_scale, m))
    return where_above(fall, rise, fall, rise), length


@inner
def minimise(members, point, origin, memory):
    """Find the nuisances at which chi2 is smallest, from the origin on.

    After each step chi2 is above its minimum by the gradient's square, measured by the Hessian's inverse.  The Hessian
    is that before the step, so this is known up to the part by which the step changed what is expected.  The search
    ends where that is little enough, and where the nuisances are is told by chi2's own size.

    Returns
    -------
    possible : lanes
        1 where there are such nuisances; 0 where nothing is expected in a bin that has data.
    left : lanes
        By how much chi2 is above its minimum where the search ends.
    """
    possible, left = start(members, point, origin, memory), spread(0.0)
    put_all_gradients(members, point, memory)
    moving = possible
    for _ in range(MOST_STEPS):
        if not largest(moving) > 0.0:
            break
        put_all_hessians(members, point, memory)
        put_step(members, point, memory)
        change, length = move(members, memory, moving)
        put_all_gradients(members, point, memory)
        above = square_by_hessian(memory.hessian, memory.gradient, memory.next_z)
        left = where_above(moving, 0.0, where_above(length, 0.0, above, 0.0), left)
        moving = where_above(left * change, TOLERANCE, where_above(length, 0.0, moving, 0.0), 0.0)
    return possible, left


@inner
def chi2_at(members, point, memory):
    """chi2 where the nuisances are, and whether it is the likelihood's end, see `chi2_of`."""
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
def derivatives_at(members, point, possible, memory):
    """First and second derivative of chi2 in x, along which the nuisances follow their best values.

    The first derivative is that at fixed nuisances; from the second theirs is subtracted, |L^-1 m|^2 = m H^-1 m with
    the Cholesky factor L of the Hessian and the mixed derivatives m.  A last step of Newton's method comes before,
    because both derivatives feel how far the nuisances are from their best values, and chi2 only its square.

    Returns
    -------
    slope, curvature : lanes
    """
    put_all_hessians(members, point, memory)
    put_step(members, point, memory)
    move(members, memory, possible)
    total, shared = memory.z.shape[0], members.at[0, AT_NUISANCES]
    mixed, first, second = memory.next_z, spread(0.0), spread(0.0)
    for j in range(total):
        put_lanes(mixed, j, 0.0)
    for m in range(members.sizes.shape[0]):
        bins, own, sigma = part_of(members, m, AT_BINS), part_of(members, m, AT_NUISANCES), lanes_of(point.sigma, m)
        at, local = members.at[m, AT_NUISANCES], memory.local[: own.stop - own.start]
        signals = part_of(members, m, AT_SIGNALS)
        one, two = put_slopes(
            memory.slopes[signals],
            memory.bends[signals],
            memory.signals[signals],
            members.sizes[m, ARRIVALS],
            members.effects[part_of(members, m, AT_EFFECTS)],
            lanes_of(memory.scale, m),
            memory.z[own],
            memory.excess[bins],
            memory.weight[bins],
            memory.weighted[: bins.stop - bins.start],
            memory.sums,
            local,
        )
        luminosity = lanes_of(point.luminosity, m)
        first, second = first + luminosity * one, second + luminosity * two
        by_scale = luminosity * lanes_of(local, 0)
        for f in range(shared):
            in_common = where_above(sigma, 0.0, 0.0, lanes_of(point.common, m * shared + f) * by_scale)
            put_lanes(mixed, f, lanes_of(mixed, f) + in_common)
        put_lanes(mixed, at, where_above(sigma, 0.0, by_scale, 0.0))
        for j in range(1, local.shape[0]):
            put_lanes(mixed, at + j, luminosity * lanes_of(local, j))
    for n in range(point.parabolas.shape[0] // PARABOLA):
        u, at = scale_of_gaussian(n, members, point, memory.z), n * PARABOLA
        slope0, slope1, slope2 = (
            lanes_of(point.parabolas, at + 3),
            lanes_of(point.parabolas, at + 4),
            lanes_of(point.parabolas, at + 5),
        )
        bend0, bend1, bend2 = (
            lanes_of(point.parabolas, at + 6),
            lanes_of(point.parabolas, at + 7),
            lanes_of(point.parabolas, at + 8),
        )
        by_u = 0.5 * slope1 + u * slope2
        first += 0.5 * (slope0 + u * (slope1 + u * slope2))
        second += 0.5 * (bend0 + u * (bend1 + u * bend2))
        for f in range(shared):
            change = lanes_of(point.common, (members.sizes.shape[0] + n) * shared + f)
            put_lanes(mixed, f, lanes_of(mixed, f) + change * by_u)
    return 2.0 * first, 2.0 * (second - square_by_hessian(memory.hessian, mixed, mixed))


@inner
def put_point(settings, others, row, x, centre, chosen, first, point):
    """Put the settings of points from the first on side by side; parameters are those of `profiles`."""
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
    """Put the data of points from the first on side by side; parameters are those of `profiles`."""
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
    """Put the events of each member that are expected beside its signal and its shapes, at the origin."""
    for m in range(members.sizes.shape[0]):
        bins, effects = part_of(members, m, AT_BINS), members.effects[part_of(members, m, AT_EFFECTS)]
        first, total = members.at[m, AT_NUISANCES] + members.sizes[m, ARRIVALS], 0.0
        columns = columns_for(members.sizes[m, EFFECTS])
        for b in range(bins.stop - bins.start):
            total += members.background[bins.start + b]
            for j in range(members.sizes[m, EFFECTS]):
                total += origin[first + j] * effects[b * columns + j]
        memory.beside[m] = total


@Kernel
def profiles(counted, change, others, row, x, settings, data, centre, chosen, origin, out, start, stop):
    """Fill an array with chi2 of members that are fitted together, at points with a row, strength and setting each.

    A piece is as many points as there are lanes.

    Parameters
    ----------
    counted : tuple
        Of the members with counted events: ``sizes`` intp (members, 8), the numbers of shapes (1, or of rows), of
        1 + features, neutrinos, bins of energy, others in a bin of energy, 1 + signal shapes, nuisances of the
        background, and bins that are compared; then arrays in which one member's numbers follow the other's, see
        `fastscan.likelihoods.poisson.PoissonCounts`: ``rates``, ``arriving``, ``bin_of``, ``effects``, ``products``,
        which are those of each effect and all up to it, and ``background``.  Effects and products are (bins, columns),
        of as many columns as `columns_for` says.
    change : float64 (members, rows, features, 3)
        Change of each feature from its Standard Model value as a polynomial in x.
    others : tuple
        Of the Gaussian members: their sums, float64 (members, rows, 3, SQUARES), see `fastscan.kernels.squares`,
        and the sums of their squared data over the variance, float64 (members, rows).
    row : intp (points,)
    x : float64 (points,)
        Strengths, of either sign.
    settings : tuple
        ``noise`` and ``variance``, float64 (members + Gaussian members, points): 1 / lam and sigma^2, of which sigma is
        the relative error of the signal's own normalisation; ``common``, float64 (members + Gaussian members, common,
        points): relative change of a signal with each nuisance that members have in common.
    data : float64 (sets, bins)
        Counted events of all members.
    centre : float64 (sets, nuisances)
        Where each nuisance is expected: those in common, then of each member that of the signal's normalisation, those
        of its shapes, and those of the background.
    chosen : intp (points,)
        Which set of data and centres each point is compared with.
    origin : float64 (nuisances,)
        Where the search for the best nuisances begins; those of the signals' normalisations are not used.
    out : float64 (points, 1 or 3 or 3 + nuisances)
        Receives chi2, its first and second derivative in x, and the nuisances.  chi2 is infinite, and all else nan,
        where nothing is expected in a bin that has data.
    start, stop : int
        The range of pieces.

    Returns
    -------
    int
        Number of points of the pieces at which less than nothing is expected in a bin that has none.
    """
    sizes, rates, arriving, bin_of, effects, products, background = counted
    gaussian, shared, width = others[0].shape[0], settings[2].shape[1], out.shape[1]
    members = Members(sizes, places_of(sizes, shared), rates, arriving, bin_of, effects, products, background)
    number, total = sizes.shape[0], members.at[sizes.shape[0], AT_NUISANCES]
    orders, negative = min(width, NUISANCES), 0
    memory = memory_for(members, orders)
    point = Point(
        sigma=empty_lanes(number),
        luminosity=empty_lanes(number),
        common=empty_lanes((number + gaussian) * shared),
        parabolas=empty_lanes(gaussian * PARABOLA),
        centre=empty_lanes(total),
    )
    found = empty_lanes(NUISANCES)
    put_beside(members, origin, memory)
    for piece in range(start, stop):
        first = piece * LANES
        put_point(settings, others, row, x, centre, chosen, first, point)
        if piece == start or data.shape[0] > 1:
            put_data(members, data, chosen, first, memory)
        put_all_signals(members, change, row, x, first, orders, memory)
        possible, left = minimise(members, point, origin, memory)
        chi2, less = chi2_at(members, point, memory)
        put_lanes(found, CHI2, chi2 - left)
        if orders > 1:
            slope, curvature = derivatives_at(members, point, possible, memory)
            put_lanes(found, SLOPE, slope)
            put_lanes(found, CURVATURE, curvature)
        for lane in range(min(LANES, x.size - first)):
            p = first + lane
            if not lane_of(possible, lane) > 0.0:
                out[p] = np.nan
                out[p, CHI2] = np.inf
                continue
            for k in range(orders):
                out[p, k] = found[k, lane]
            for j in range(width - NUISANCES):
                out[p, NUISANCES + j] = memory.z[j, lane]
            negative += lane_of(less, lane) > 0.0
    return negative
