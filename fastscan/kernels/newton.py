"""Newton's method for the nuisances of counted events, at LANES points side by side.

A step that would empty a bin is shortened, and the search ends where the height of chi2 above its minimum is known well
enough to be subtracted.  The search begins at the signals' best scales for all bins taken as one, so that huge
couplings cost only a few steps more.

Source: for the damping of the step Nesterov, Lectures on Convex Optimization, section 5.1.
"""

import numpy as np

from fastscan.kernels.cholesky import factorise, put_forward, put_solution
from fastscan.kernels.counted import product_of, total_of
from fastscan.kernels.jit import inner
from fastscan.kernels.lanes import lanes_of, largest, put_lanes, root, spread, where_above
from fastscan.kernels.members import (
    ARRIVALS,
    AT_BINS,
    AT_NUISANCES,
    AT_SIGNALS,
    part_of,
    put_all_expected,
    put_all_gradients,
    put_all_hessians,
)

TOLERANCE = 1e-11  # of chi2's height above its minimum times the largest relative change of a bin in the last step
SHORT = 0.125  # relative fall of a bin's expected events, up to which a step of Newton's method is taken as it is
SHORTEST = 1e-9  # smallest part of a step: where even this part empties a bin by rounding, the point stays where it is
MOST_STEPS = 500  # largest number of Newton's steps; some ten are enough unless couplings are extreme


@inner
def is_possible(members, memory):
    """1 where events are expected in every bin that has data, else 0; `Memory.inverse` is reset first."""
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
    """Put the nuisances at which the search begins: the origin, and the signals' normalisations from `first_scale`.

    Where a bin with data expects nothing there, all nuisances begin at 0.

    Returns
    -------
    lanes
        1 where events are expected in every bin that has data, else 0.
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
    """Put the nuisances in common that give the smallest scale among the signals without a nuisance of their own.

    The scales of the other such signals follow: (1 - r) + r e with the smallest scale e, which keeps its digits where
    r is 1.
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
def put_step(members, point, memory):
    """Put Newton's step of all nuisances and scales; the Hessian is replaced by its Cholesky factor."""
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
    """right^T H^-1 right with the Cholesky factors of H; out has the shape of right and is overwritten."""
    put_forward(factor, right, out)
    return product_of(out, out, 0)


@inner
def put_next(members, memory, length):
    """Put the nuisances after a length of the step, in lanes where it is above 0; returns as `put_all_expected`."""
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
    """Go along the step, less far where the whole step would remove much of a bin's expected events.

    A step is shortened by 1 / (1 + r), where r is the largest relative fall of a bin's expected events: so short, it
    decreases chi2 and empties no bin.  Where rounding still empties a bin, the step is shortened again.

    Parameters
    ----------
    moving : lanes
        1, or 0 where a point stays where it is.

    Returns
    -------
    change, length : lanes
        The largest relative change of a bin's expected events that the whole step would make, and the part of the step
        that was taken.
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
def take_step(members, point, memory, moving):
    """Take a step of Newton's method from nuisances at which the gradient is known; returns what `move` returns."""
    put_all_hessians(members, point, memory)
    put_step(members, point, memory)
    return move(members, memory, moving)


@inner
def minimise(members, point, origin, memory):
    """Find the nuisances at which chi2 is smallest, from the origin on.

    After each step the height of chi2 above its minimum is g^T H^-1 g, with the gradient g and the Hessian H of half of
    chi2.  H is the Hessian before the step, so that the height's relative error is about the relative change of the
    expected events in the step.  The search ends where the product of both is small.

    Returns
    -------
    possible : lanes
        1 where there are such nuisances; 0 where a bin with data expects nothing.
    left : lanes
        The height of chi2 above its minimum where the search ends.
    """
    possible, left = start(members, point, origin, memory), spread(0.0)
    put_all_gradients(members, point, memory)
    moving = possible
    for _ in range(MOST_STEPS):
        if not largest(moving) > 0.0:
            break
        change, length = take_step(members, point, memory, moving)
        put_all_gradients(members, point, memory)
        above = square_by_hessian(memory.hessian, memory.gradient, memory.next_z)
        left = where_above(moving, 0.0, where_above(length, 0.0, above, 0.0), left)
        moving = where_above(left * change, TOLERANCE, where_above(length, 0.0, moving, 0.0), 0.0)
    return possible, left
