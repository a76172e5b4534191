"""chi2 of a model within a cell between anchors, and its minimum there.

With n events and the variance v in a bin where the model expects N, see `fastscan.kernels.components`,

    chi2 = lam sum (N - n)^2 / v + ((e - 1 - u) / sigma)^2 + sum ((p_i - c_i) / sigma_i)^2

and for counted events the first sum is 2 sum [N - n + n ln(n / N)].  lam is the luminosity, sigma the relative error of
the signal's normalisation, and u a relative change of the signal that comes from outside.  c_i and sigma_i are the
centres and the errors of the parameters' constraints.

The minimum is found by Newton's method within the bounds of the cell, with exact second derivatives.
"""

import numpy as np

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.components import AMOUNTS, add_times, amount_without, copy, put_expected, shaped_by
from fastscan.kernels.jit import inner
from fastscan.kernels.lanes import lanes_of, largest, logarithm, put_lanes, spread, total, where_above

MOST_STEPS = 200  # largest number of Newton's steps in a cell
MOST_HALVINGS = 40  # largest number of halvings of a step that doesn't lower chi2
ENOUGH = 1e-11  # a step that promises to lower chi2 by less is the last one
DAMPING = 1e-8  # first relative increase of the Hessian's diagonal where chi2 bends down in some direction
LARGEST_DAMPING = 1e8  # damping at which a step goes nowhere
ROUNDING = 1e-13  # relative rounding error of chi2


@inner
def put_bounds(model, cell, sigma, shift, memory):
    """Put the bounds of the parameters in a cell; where sigma is 0, the signal's scale is fixed at 1 + shift."""
    copy(model.low, memory.low)
    copy(model.high, memory.high)
    if not sigma > 0.0:
        memory.low[0], memory.high[0] = 1.0 + shift, 1.0 + shift
    for axis in range(2):
        i = model.morphing[axis]
        if i >= 0:
            memory.low[i] = max(model.low[i], model.axes[axis, cell[axis]])
            memory.high[i] = min(model.high[i], model.axes[axis, cell[axis] + 1])


@inner
def chi2_at(model, memory, cell, p, luminosity, sigma, shift):
    """chi2 at parameters p in a cell; `Memory.pull` and `bend` receive its derivatives in the expected events."""
    put_expected(model, memory, cell, p)
    if model.weight.shape[0] > 0:
        chi2 = luminosity * squares_of(model, memory, luminosity)
    else:
        chi2 = luminosity * counted_of(memory, luminosity)
    if sigma > 0.0:
        chi2 += ((p[0] - 1.0 - shift) / sigma) ** 2
    for i in range(1, p.size):
        chi2 += (p[i] - memory.centre[i]) ** 2 * model.tightness[i]
    return chi2


@inner
def squares_of(model, memory, luminosity):
    """The sum over bins of (N - n)^2 / v; `Memory.pull` and `bend` receive derivatives of lam times the sum in N."""
    found = spread(0.0)
    for line in range(memory.expected.shape[0]):
        far = lanes_of(memory.expected, line) - lanes_of(memory.data, line)
        weight = lanes_of(model.weight, line)
        found = fma(far * far, weight, found)
        put_lanes(memory.bend, line, 2.0 * luminosity * weight)
        put_lanes(memory.pull, line, 2.0 * luminosity * far * weight)
    return total(found)


@inner
def counted_of(memory, luminosity):
    """The sum 2 sum [N - n + n ln(n / N)] over bins; infinite where a bin with data expects no events.

    `Memory.pull` and `bend` receive derivatives of lam times the sum in N.
    """
    found, impossible = spread(0.0), spread(0.0)
    for line in range(memory.expected.shape[0]):
        here, counted = lanes_of(memory.expected, line), lanes_of(memory.data, line)
        possible = where_above(here, 0.0, here, 1.0)
        impossible += where_above(here, 0.0, 0.0, counted)
        over = counted / possible
        ratio = where_above(counted, 0.0, possible / where_above(counted, 0.0, counted, 1.0), 1.0)
        excess = (ratio - 1.0) - logarithm(ratio)
        found += where_above(counted, 0.0, counted * excess, here)
        put_lanes(memory.pull, line, 2.0 * luminosity * (1.0 - over))
        put_lanes(memory.bend, line, 2.0 * luminosity * over / possible)
    return np.inf if largest(impossible) > 0.0 else 2.0 * total(found)


@inner
def product(one, other):
    """The sum over all bins of one times other, both in lines of lanes."""
    found = spread(0.0)
    for line in range(one.shape[0]):
        found = fma(lanes_of(one, line), lanes_of(other, line), found)
    return total(found)


@inner
def dot(one, other):
    """The scalar product of two vectors."""
    found = 0.0
    for i in range(one.size):
        found += one[i] * other[i]
    return found


@inner
def put_derivatives(model, memory, p, sigma, shift):
    """Put gradient and Hessian of chi2 in the parameters p, at which `chi2_at` must have been called last."""
    parameters, slopes = p.size, memory.slopes
    slopes[:] = 0.0
    memory.hessian[:] = 0.0
    for c in range(model.parts.shape[0]):
        shape, whole = memory.shapes[c], amount_without(model, c, p, -1, -1)
        pulled = product(memory.pull, shape[0])
        for k in range(AMOUNTS):
            i = model.parts[c, 1 + k]
            if i < 0:
                continue
            amount = amount_without(model, c, p, k, -1)
            add_times(amount, shape[0], slopes[i])
            for other in range(AMOUNTS):
                j = model.parts[c, 1 + other]
                if j >= 0 and other != k:
                    memory.hessian[i, j] += amount_without(model, c, p, k, other) * pulled
            for d in range(2):
                j = shaped_by(model, c, d)
                if j >= 0:
                    both = amount * product(memory.pull, shape[1 + d])
                    memory.hessian[i, j] += both
                    memory.hessian[j, i] += both
        for d in range(2):
            i = shaped_by(model, c, d)
            if i < 0:
                continue
            add_times(whole, shape[1 + d], slopes[i])
            for e in range(2):
                j = shaped_by(model, c, e)
                if j >= 0:
                    memory.hessian[i, j] += whole * product(memory.pull, shape[3 + d + e])
    for i in range(parameters):
        memory.gradient[i] = product(memory.pull, slopes[i]) + 2.0 * (p[i] - memory.centre[i]) * model.tightness[i]
        memory.hessian[i, i] += 2.0 * model.tightness[i]
        for line in range(memory.bend.shape[0]):
            put_lanes(memory.weighted, line, lanes_of(memory.bend, line) * lanes_of(slopes[i], line))
        for j in range(i + 1):
            memory.hessian[i, j] += product(memory.weighted, slopes[j])
            memory.hessian[j, i] = memory.hessian[i, j]
    if sigma > 0.0:
        memory.gradient[0] += 2.0 * (p[0] - 1.0 - shift) / (sigma * sigma)
        memory.hessian[0, 0] += 2.0 / (sigma * sigma)


@inner
def put_free(memory, p):
    """Put which parameters can move.

    A parameter can't move if its bounds are equal, if it stands at a bound beyond which chi2 falls, or if chi2 doesn't
    depend on it.
    """
    for i in range(p.size):
        at_low, at_high = p[i] <= memory.low[i], p[i] >= memory.high[i]
        pushed = (at_low and memory.gradient[i] > 0.0) or (at_high and memory.gradient[i] < 0.0)
        memory.free[i] = not pushed and memory.low[i] < memory.high[i] and memory.hessian[i, i] != 0.0


@inner
def factorise(memory, damping):
    """Put Cholesky's factor of the Hessian, damped and in the free parameters; returns whether there is a factor."""
    size, factor = memory.free.size, memory.factor
    for i in range(size):
        if not memory.free[i]:
            continue
        for j in range(i + 1):
            if not memory.free[j]:
                continue
            total = memory.hessian[i, j]
            if i == j:
                total += damping * abs(total)
            least = 1e-15 * abs(total)
            for k in range(j):
                if memory.free[k]:
                    total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > least:
                    return False
                factor[i, i] = np.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    return True


@inner
def solve(memory, right, out):
    """As `put_solution`, with as little damping as the Hessian needs to have a factor; returns the damping."""
    damping = 0.0
    while not factorise(memory, damping) and damping < LARGEST_DAMPING:
        damping = max(DAMPING, 10.0 * damping)
    put_solution(memory, right, out)
    return damping


@inner
def put_solution(memory, right, out):
    """Solve H out = right in the free parameters, with the factor of the Hessian H; out is 0 in the others."""
    size, factor = right.size, memory.factor
    for i in range(size):
        out[i] = 0.0
        if memory.free[i]:
            total = right[i]
            for k in range(i):
                if memory.free[k]:
                    total -= factor[i, k] * out[k]
            out[i] = total / factor[i, i]
    for i in range(size - 1, -1, -1):
        if memory.free[i]:
            total = out[i]
            for k in range(i + 1, size):
                if memory.free[k]:
                    total -= factor[k, i] * out[k]
            out[i] = total / factor[i, i]


@inner
def minimise(model, memory, cell, luminosity, sigma, shift, lowest):
    """Move the parameters `Memory.p` to the minimum of chi2 within the bounds of a cell; returns chi2 there.

    The search gives up where even twice the fall that Newton's step promises leaves chi2 above `lowest`, the lowest
    chi2 of all cells so far.
    """
    p, trial, step = memory.p, memory.trial, memory.step
    chi2 = chi2_at(model, memory, cell, p, luminosity, sigma, shift)
    if not chi2 < np.inf:
        return chi2
    for _ in range(MOST_STEPS):
        put_derivatives(model, memory, p, sigma, shift)
        put_free(memory, p)
        damping = solve(memory, memory.gradient, step)
        if damping == 0.0 and chi2 - dot(memory.gradient, step) > lowest:
            break
        length, promised, lower = 1.0, 0.0, False
        for _ in range(MOST_HALVINGS):
            promised = 0.0
            for i in range(p.size):
                trial[i] = min(max(p[i] - length * step[i], memory.low[i]), memory.high[i])
                promised += memory.gradient[i] * (p[i] - trial[i])
            found = chi2_at(model, memory, cell, trial, luminosity, sigma, shift)
            lower = found <= chi2 + ROUNDING * (1.0 + chi2)
            if lower:
                break
            length *= 0.5
        if not lower:
            chi2_at(model, memory, cell, p, luminosity, sigma, shift)
            break
        copy(trial, p)
        chi2 = found
        if damping == 0.0 and length == 1.0 and promised < ENOUGH:
            break
    return chi2
