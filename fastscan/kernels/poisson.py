"""chi2 of counted events with linear nuisances, at points of columns: minimised over the nuisances by Newton's method.

Members with nuisances in common are fitted together.  With n events in a bin of a member, where N are expected, and
nuisances z, each in units of its standard deviation and around a centre c,

    chi2 = min over z of  sum over members of 2 lam sum [N - n + n ln(n / N)] + sum (z - c)^2,      2 lam N where n = 0
    N = e S_0 + sum_s z_s S_s + B + sum_j z_j E_j,   e = 1 + sigma z_0 + sum_f sigma_f z_f

S_0 is the member's signal and S_s are its changes at one standard deviation, which depend on the couplings; B is the
background and E_j are its changes at one standard deviation.  z_0 is the nuisance of the signal's own normalisation,
and members have the nuisances z_f in common.  lam is the luminosity.  chi2 of a member with Gaussian counts has a
closed form, a parabola in e.  The problem is convex.  sigma = 0 is not singular, because z_0 is multiplied by sigma.

LANES points are computed side by side, one in each lane.  A point starts from the same place and takes its own steps
whatever is computed beside it, so that results depend neither on threads nor on blocks, to the last bit.

Source: section 4 of the COHERENT likelihood on CsI, arXiv:2110.07730.
"""

import numpy as np

from fastscan.kernels.counted import put_slopes
from fastscan.kernels.jit import Kernel, inner
from fastscan.kernels.lanes import LANES, empty_lanes, lane_of, lanes_of, largest, put_lanes, spread, where_above
from fastscan.kernels.members import (
    ARRIVALS,
    AT_BINS,
    AT_EFFECTS,
    AT_NUISANCES,
    AT_SIGNALS,
    PARABOLA,
    Members,
    Point,
    chi2_at,
    memory_for,
    part_of,
    places_of,
    put_all_gradients,
    put_all_signals,
    put_beside,
    put_data,
    put_point,
    scale_of_gaussian,
)
from fastscan.kernels.newton import TOLERANCE, minimise, square_by_hessian, take_step

CHI2, SLOPE, CURVATURE, NUISANCES = 0, 1, 2, 3  # columns that `profiles` fills


def pieces_of(points: int) -> int:
    """Number of pieces into which `profiles` divides so many points."""
    return (points + LANES - 1) // LANES


@inner
def derivatives_at(members, point, possible, left, memory):
    """First and second derivative of chi2 in x, where the nuisances follow their best values.

    The first derivative equals the one at fixed nuisances.  The second one is smaller than at fixed nuisances, by
    2 m^T H^-1 m with the Hessian H and the mixed derivatives m of half of chi2.  Before, the nuisances take a last step
    of Newton's method, and one more where chi2 is above its minimum by more than `TOLERANCE`: errors of the
    derivatives are linear in the nuisances' distance from their best values, the error of chi2 is quadratic.

    Returns
    -------
    slope, curvature : lanes
    """
    far = where_above(left, TOLERANCE, possible, 0.0)
    if largest(far) > 0.0:
        take_step(members, point, memory, far)
        put_all_gradients(members, point, memory)
    take_step(members, point, memory, possible)
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


@Kernel
def profiles(counted, change, others, row, x, settings, data, centre, chosen, origin, out, start, stop):
    """Fill an array with chi2 of members that are fitted together, at points with a row, strength and setting each.

    A piece is LANES points.

    Parameters
    ----------
    counted : tuple
        Arrays of the members with counted events.  ``sizes``, intp (members, 8), has the numbers of shapes (1, or
        of rows), 1 + features, neutrinos, bins of energy, others in a bin of energy, 1 + signal shapes, nuisances of
        the background, and compared bins.  The other arrays hold one member's numbers after another's, see
        `fastscan.likelihoods.poisson.PoissonCounts`: ``rates``, ``arriving``, ``bin_of``, ``effects``, ``products``
        of each effect with every effect up to it, and ``background``.  A member's effects and products have the shape
        (bins, columns), where `columns_for` computes the number of columns.
    change : float64 (members, rows, features, 3)
        Change of each feature from its Standard Model value as a polynomial in x.
    others : tuple
        Arrays of the Gaussian members: their sums, float64 (members, rows, 3, SQUARES), see `fastscan.kernels.squares`,
        and the sums of their squared data over the variance, float64 (members, rows).
    row : intp (points,)
    x : float64 (points,)
        Strengths, of either sign.
    settings : tuple
        ``noise`` and ``variance``, float64 (members + Gaussian members, points): 1 / lam and sigma^2, where sigma is
        the relative error of the signal's own normalisation; ``common``, float64 (members + Gaussian members, common,
        points): sigma_f, the relative change of a signal with each nuisance that members have in common.
    data : float64 (sets, bins)
        Counted events of all members.
    centre : float64 (sets, nuisances)
        Centre c of each nuisance: the nuisances in common, then for each member the nuisance of the signal's
        normalisation, those of its shapes, and those of the background.
    chosen : intp (points,)
        Number of the set of data and centres for each point.
    origin : float64 (nuisances,)
        Where the search for the best nuisances begins; those of the signals' normalisations are not used.
    out : float64 (points, 1 or 3 or 3 + nuisances)
        Receives chi2, its first and second derivative in x, and the nuisances.  Where a bin with data expects nothing,
        chi2 is infinite and all else is nan.
    start, stop : int
        The range of pieces.

    Returns
    -------
    int
        Number of points of the pieces at which a bin without data expects a negative number.
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
            slope, curvature = derivatives_at(members, point, possible, left, memory)
            put_lanes(found, SLOPE, slope)
            put_lanes(found, CURVATURE, curvature)
        for lane in range(min(LANES, x.size - first)):
            p = first + lane
            if not (lane_of(possible, lane) > 0.0 and found[CHI2, lane] < np.inf):
                out[p] = np.nan
                out[p, CHI2] = np.inf
                continue
            for k in range(orders):
                out[p, k] = found[k, lane]
            for j in range(width - NUISANCES):
                out[p, NUISANCES + j] = memory.z[j, lane]
            negative += lane_of(less, lane) > 0.0
    return negative
