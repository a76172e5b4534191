"""chi2 of a model within a cell between anchors, and its minimum there.

With n events and the variance v in a bin where the model expects N, see `fastscan.kernels.components`,

    chi2 = lam sum (N - n)^2 / v + ((e - 1 - u) / sigma)^2 + sum ((p_i - c_i) / sigma_i)^2

and for counted events the first sum is 2 sum [N - n + n ln(n / N)].  lam is the luminosity, sigma the error of the
signal's normalisation, and u a relative change of the signal that comes from outside.  c_i and sigma_i are the centres
and the errors of the parameters' constraints.

The minimum is found by Newton's method within the bounds of the cell, with exact second derivatives.
"""

import numpy as np

from fastscan.kernels.components import AMOUNTS, amount_without, copy, put_expected, shaped_by
from fastscan.kernels.jit import inner

MOST_STEPS = 200  # of Newton's method in a cell
MOST_HALVINGS = 40  # of a step that doesn't lower chi2
ENOUGH = 1e-11  # of chi2: what a step promises to take off it, below which it is the last one
DAMPING = 1e-8  # of the Hessian's diagonal, at first, where it has a direction in which chi2 bends down
LARGEST_DAMPING = 1e8  # with which a step goes nowhere
ROUNDING = 1e-13  # of chi2


@inner
def put_bounds(model, cell, sigma, shift, memory):
    """The bounds of the parameters in a cell; without an error the scale of the signal is what it is."""
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
    """chi2 at parameters p of a cell, see `Memory.pull` and `bend` for what else is computed."""
    put_expected(model, memory, cell, p)
    bins, total = memory.expected.size, 0.0
    if model.weight.size > 0:
        for b in range(bins):
            far = memory.expected[b] - memory.data[b]
            total += far * far * model.weight[b]
            memory.pull[b], memory.bend[b] = (
                2.0 * luminosity * far * model.weight[b],
                2.0 * luminosity * model.weight[b],
            )
    else:
        for b in range(bins):
            here, counted = memory.expected[b], memory.data[b]
            if counted > 0.0:
                if not here > 0.0:
                    return np.inf
                ratio = here / counted
                total += 2.0 * counted * ((ratio - 1.0) - np.log(ratio))
                memory.pull[b] = 2.0 * luminosity * (1.0 - 1.0 / ratio)
                memory.bend[b] = 2.0 * luminosity / (ratio * here)
            else:
                total += 2.0 * here
                memory.pull[b], memory.bend[b] = 2.0 * luminosity, 0.0
    total *= luminosity
    if sigma > 0.0:
        total += ((p[0] - 1.0 - shift) / sigma) ** 2
    for i in range(1, p.size):
        total += (p[i] - memory.centre[i]) ** 2 * model.tightness[i]
    return total


@inner
def product(one, other):
    """The sum of products, of which four are added at once: one sum alone waits for each addition."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    last = one.size - one.size % 4
    for i in range(0, last, 4):
        a += one[i] * other[i]
        b += one[i + 1] * other[i + 1]
        c += one[i + 2] * other[i + 2]
        d += one[i + 3] * other[i + 3]
    for i in range(last, one.size):
        a += one[i] * other[i]
    return (a + c) + (b + d)


@inner
def put_derivatives(model, memory, p, sigma, shift):
    """Gradient and Hessian of chi2 in the parameters, where `chi2_at` was computed last."""
    bins, parameters, slopes = memory.expected.size, p.size, memory.slopes
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
            for b in range(bins):
                slopes[i, b] += amount * shape[0, b]
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
            for b in range(bins):
                slopes[i, b] += whole * shape[1 + d, b]
            for e in range(2):
                j = shaped_by(model, c, e)
                if j >= 0:
                    memory.hessian[i, j] += whole * product(memory.pull, shape[3 + d + e])
    for i in range(parameters):
        memory.gradient[i] = product(memory.pull, slopes[i]) + 2.0 * (p[i] - memory.centre[i]) * model.tightness[i]
        memory.hessian[i, i] += 2.0 * model.tightness[i]
        for b in range(bins):
            memory.beside[0, b] = memory.bend[b] * slopes[i, b]
        for j in range(i + 1):
            memory.hessian[i, j] += product(memory.beside[0], slopes[j])
            memory.hessian[j, i] = memory.hessian[i, j]
    if sigma > 0.0:
        memory.gradient[0] += 2.0 * (p[0] - 1.0 - shift) / (sigma * sigma)
        memory.hessian[0, 0] += 2.0 / (sigma * sigma)


@inner
def put_free(memory, p):
    """Which parameters can move: not those at a bound beyond which chi2 is smaller, nor those that change nothing."""
    for i in range(p.size):
        at_low, at_high = p[i] <= memory.low[i], p[i] >= memory.high[i]
        pushed = (at_low and memory.gradient[i] > 0.0) or (at_high and memory.gradient[i] < 0.0)
        memory.free[i] = not pushed and memory.low[i] < memory.high[i] and memory.hessian[i, i] != 0.0


@inner
def factorise(memory, damping):
    """Cholesky's factor of the Hessian in the free parameters with a damped diagonal; whether there is one."""
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
    """`put_solution` with as little damping as the Hessian needs to have a factor, which is returned."""
    damping = 0.0
    while not factorise(memory, damping) and damping < LARGEST_DAMPING:
        damping = max(DAMPING, 10.0 * damping)
    put_solution(memory, right, out)
    return damping


@inner
def put_solution(memory, right, out):
    """Solve the Hessian's equations in the free parameters, with its factor; 0 in the others."""
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
    """Move the parameters to where chi2 is smallest within the bounds of a cell, and return it there.

    It ends before where even twice of what Newton's step promises doesn't take chi2 below the lowest one of all cells.
    """
    p, trial, step = memory.p, memory.trial, memory.step
    chi2 = chi2_at(model, memory, cell, p, luminosity, sigma, shift)
    if not chi2 < np.inf:
        return chi2
    for _ in range(MOST_STEPS):
        put_derivatives(model, memory, p, sigma, shift)
        put_free(memory, p)
        damping = solve(memory, memory.gradient, step)
        if damping == 0.0 and chi2 - product(memory.gradient, step) > lowest:
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
