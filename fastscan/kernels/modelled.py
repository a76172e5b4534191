"""chi2 of a model with few parameters, minimised over all of them, at points of columns.

`fastscan.kernels.components` computes the model, and `fastscan.kernels.cells` chi2 and its minimum within one cell
between anchors.  The model has kinks at the anchors, so that each cell has a minimum of its own.  The search ends in a
cell whose minimum is lower than the minimum of every cell beside it.

Each point is computed by itself, so that results depend neither on threads nor on blocks, to the last bit.
"""

import numpy as np

from fastscan.kernels.arithmetic import wide_vectors
from fastscan.kernels.cells import (
    chi2_at,
    dot,
    minimise,
    product,
    put_bounds,
    put_derivatives,
    put_free,
    put_solution,
    solve,
)
from fastscan.kernels.components import copy, copy_lines, memory_for, put_events, put_morphed, put_signal, put_signals
from fastscan.kernels.jit import Kernel, inner
from fastscan.kernels.lanes import lanes_of, put_lanes, spread, total, where_above

CHI2, SLOPE, CURVATURE, BY_SHIFT, SQUARE_BY_SHIFT, MIXED, PARAMETERS = range(7)  # columns that `profiles` fills


@inner
def cell_of(model, axis, p):
    """The first cell along an axis that contains the morphing parameter's value; 0 for a missing parameter."""
    if model.morphing[axis] < 0:
        return 0
    last = model.sides[axis] - 2
    for k in range(last):
        if p[model.morphing[axis]] <= model.axes[axis, k + 1]:
            return k
    return last


@inner
def search(model, memory, luminosity, sigma, shift, cell):
    """Put the best parameters into `Memory.best` and their cell into `cell`; returns chi2 there.

    The search ends when it has looked at all cells beside the best one.
    """
    memory.cells[:] = False
    copy(model.start, memory.best)
    signal, counted = sums_of(memory.signals[0], memory.data)
    memory.best[0] = 1.0 + shift
    if sigma > 0.0:
        memory.best[0] = max(model.low[0], min(1.0 + shift, max(counted, 1.0) / max(signal, 1e-300)))
    lowest, looking = np.inf, True
    here = cell_of(model, 0, memory.best), cell_of(model, 1, memory.best)
    while looking:
        looking = False
        for one in range(memory.cells.shape[0]):
            for other in range(memory.cells.shape[1]):
                far = max(abs(one - here[0]), abs(other - here[1]))
                if memory.cells[one, other] or far > 1 or (far > 0 and lowest == np.inf):
                    continue
                looking, memory.cells[one, other] = True, True
                put_bounds(model, (one, other), sigma, shift, memory)
                for i in range(memory.p.size):
                    memory.p[i] = min(max(memory.best[i], memory.low[i]), memory.high[i])
                found = minimise(model, memory, (one, other), luminosity, sigma, shift, lowest)
                if found < lowest:
                    lowest, here = found, (one, other)
                    copy(memory.p, memory.best)
    cell[0], cell[1] = here
    return lowest


@inner
def sums_of(signal, data):
    """The sums over all bins of the signal's absolute value and of the data."""
    one, other = spread(0.0), spread(0.0)
    for line in range(signal.shape[0]):
        here = lanes_of(signal, line)
        one += where_above(here, 0.0, here, -1.0 * here)
        other += lanes_of(data, line)
    return total(one), total(other)


@inner
def put_beside(model, memory, cell, p, order):
    """Put the signal's derivative in x of order 1 or 2, with its own derivatives in the morphing parameters."""
    memory.known[:] = False
    put_signals(model, memory, cell, memory.events[order])
    put_morphed(memory.signals, model, cell, p, memory.beside)


@inner
def put_slopes(model, memory, cell, luminosity, sigma, shift, out):
    """Put the derivatives of chi2 in x and in the shift u, where the parameters follow their best values."""
    p, beside, weighted = memory.best, memory.beside, memory.weighted
    put_bounds(model, cell, sigma, shift, memory)
    chi2_at(model, memory, cell, p, luminosity, sigma, shift)
    put_derivatives(model, memory, p, sigma, shift)
    put_free(memory, p)
    put_beside(model, memory, cell, p, 2)
    second = p[0] * product(memory.pull, beside[0])
    put_beside(model, memory, cell, p, 1)
    pulled = product(memory.pull, beside[0])
    for line in range(weighted.shape[0]):
        put_lanes(weighted, line, p[0] * lanes_of(beside[0], line) * lanes_of(memory.bend, line))
    first, by_x, by_shift = p[0] * pulled, memory.mixed[0], memory.mixed[1]
    for d in range(2):
        if model.morphing[d] >= 0:
            by_shift[d] = p[0] * product(memory.pull, beside[1 + d])  # kept until by_x is known
    for i in range(p.size):
        by_x[i] = product(weighted, memory.slopes[i])
    for d in range(2):
        if model.morphing[d] >= 0:
            by_x[model.morphing[d]] += by_shift[d]
    by_x[0] += pulled
    second += p[0] * product(weighted, beside[0])
    if sigma > 0.0:
        over = 2.0 / (sigma * sigma)
        by_shift[:] = 0.0
        by_shift[0] = -over
        slope, square, mixed = -over * (p[0] - 1.0 - shift), over, 0.0
    else:
        copy(memory.hessian[0], by_shift)
        slope, square, mixed = memory.gradient[0], memory.hessian[0, 0], by_x[0]
    solve(memory, by_x, memory.solved)
    out[SLOPE], out[CURVATURE] = first, second - dot(by_x, memory.solved)
    out[MIXED] = mixed - dot(by_shift, memory.solved)
    put_solution(memory, by_shift, memory.solved)
    out[BY_SHIFT], out[SQUARE_BY_SHIFT] = slope, square - dot(by_shift, memory.solved)


@Kernel
def profiles(model, rates, change, row, x, noise, variance, shift, data, centre, chosen, out, start, stop):
    """Fill an array with chi2 of a member, minimised over its parameters, at points with a row and a setting each.

    A piece is a point.

    Parameters
    ----------
    model : Model
    rates : float64 (1 or rows, 1 + features, energies)
        The Standard Model's events of each energy, then those per unit of each feature.
    change : float64 (rows, features or more, 3)
        Change of each feature from its Standard Model value as a polynomial in x.
    row : intp (points,)
    x, noise, variance, shift : float64 (points,)
        Strengths; 1 / lam, sigma^2 and u.
    data, centre : float64 (sets, lines, LANES) and (sets, parameters)
        n and c_i; the centre of the signal's scale is its distance from 1 + u in units of sigma.
    chosen : intp (points,)
        Number of the set of data and centres for each point.
    out : float64 (points, 1 or PARAMETERS + parameters)
        Receives chi2; then its first and second derivative in x, the same in u, the mixed derivative, and the
        parameters.  Where a bin with data expects nothing, chi2 is infinite and all else is nan.
    start, stop : int
        The range of points.
    """
    wide_vectors()
    memory, cell = memory_for(model), np.zeros(2, np.intp)
    for point in range(start, stop):
        luminosity, sigma = 1.0 / noise[point], np.sqrt(variance[point])
        moved = shift[point] + sigma * centre[chosen[point], 0]
        copy_lines(data[chosen[point]], memory.data)
        copy(centre[chosen[point]], memory.centre)
        put_events(rates, change, row[point], x[point], memory.events)
        memory.known[:] = False
        put_signal(model.spread[0], memory.events[0], memory.signals[0])
        memory.known[0] = True
        found = search(model, memory, luminosity, sigma, moved, cell)
        out[point] = np.nan
        out[point, CHI2] = found
        if out.shape[1] > 1 and found < np.inf:
            put_slopes(model, memory, (cell[0], cell[1]), luminosity, sigma, moved, out[point])
            copy(memory.best, out[point, PARAMETERS:])
