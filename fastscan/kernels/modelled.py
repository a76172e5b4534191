"""chi2 of events that a model with few parameters expects, minimised over all of them, at points of columns.

The model of a member is a sum of components, each an amount times a shape over the bins b:

    N_b = sum_c f_c prod_{i in c} p_i  h_cb,     h_0b = S_b(x)

The amounts are parameters p_i, of which p_0 is the scale e of the signal S.  A shape is a template, a template that is
bilinear between anchors of two parameters, an exponential exp(-r (E - E_0)), or a Gaussian exp(-(E - c)^2 / 2 w^2),
whose r, c and w are parameters or numbers.  Each parameter has bounds, and can have a Gaussian constraint.

    chi2 = min over p of  lam sum (N - n)^2 / v + ((e - 1 - u) / sigma)^2 + sum ((p_i - c_i) / sigma_i)^2

and for counted events 2 sum [N - n + n ln(n / N)] in place of the first sum.  u is a relative change of the signal that
comes from outside.  The minimum is found by Newton's method within the bounds, with exact second derivatives.  Between
neighbouring anchors the model is smooth, and it has kinks at them: each cell between anchors has a minimum of its own.
The search ends in a cell whose minimum is lower than those of all cells beside it.

Each point is computed by itself, so that results depend neither on threads nor on blocks, to the last bit.
"""

from typing import NamedTuple

import numpy as np

from fastscan.kernels.jit import Kernel, inner, jit

CHI2, SLOPE, CURVATURE, BY_SHIFT, SQUARE_BY_SHIFT, MIXED, PARAMETERS = range(7)  # columns of what is filled
CONSTANT, TEMPLATE, MORPHED, EXPONENTIAL, GAUSSIAN = range(5)  # kinds of shapes
AMOUNTS = 3  # parameters, at most, whose product an amount is
KIND, FIRST, SHAPED = 0, 1 + AMOUNTS, 2 + AMOUNTS  # columns of parts: amounts come between; then two of the shape
FACTOR, ORIGIN, FIXED = 0, 1, 2  # columns of numbers; then two of the shape
MOST_STEPS = 200  # of Newton's method in a cell
MOST_HALVINGS = 40  # of a step that doesn't lower chi2
ENOUGH = 1e-11  # of chi2: what a step promises to take off it, below which it is the last one
DAMPING = 1e-8  # of the Hessian's diagonal, at first, where it has a direction in which chi2 bends down
LARGEST_DAMPING = 1e8  # with which a step goes nowhere
ROUNDING = 1e-13  # of chi2


class Model(NamedTuple):
    """What a member expects, and what is compared with it.

    Attributes
    ----------
    spread : float64 (anchors, energies, bins)
        How the signal of each energy is distributed among the bins, at all anchors of both morphing parameters.
    parts : intp (components, 7)
        Of each its kind, three numbers of parameters in its amount (-1 for none), its first template, and two of
        parameters of its shape.  The first one is the signal.
    numbers : float64 (components, 4)
        Of each its factor, the origin of an exponential, and what stands for parameters that it doesn't have.
    templates : float64 (templates, bins)
    axes : float64 (2, most anchors)
        Anchors of the morphing parameters; a parameter that isn't there has one.
    sides, morphing : intp (2,)
        The number of anchors of each, and which parameter it is.
    energies : float64 (bins,)
    weight : float64 (bins,)
        1 / v; nothing where events are counted.
    start, low, high, tightness : float64 (parameters,)
        Where the search begins, the bounds, and 1 / sigma_i^2, which is 0 without a constraint.
    """

    spread: np.ndarray
    parts: np.ndarray
    numbers: np.ndarray
    templates: np.ndarray
    axes: np.ndarray
    sides: np.ndarray
    morphing: np.ndarray
    energies: np.ndarray
    weight: np.ndarray
    start: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tightness: np.ndarray


class Memory(NamedTuple):
    """What is computed of a point."""

    data: np.ndarray  # (bins,): the events that it is compared with, n
    centre: np.ndarray  # (parameters,): of the constraints, c_i
    events: np.ndarray  # (3, energies): of the signal, and its derivatives in x
    lines: np.ndarray  # (anchors, bins): the signal at each anchor ...
    known: np.ndarray  # ... where it is known
    shapes: np.ndarray  # (components, 6, bins): h, its two derivatives, and three second ones
    beside: np.ndarray  # (6, bins): as shapes, of a derivative of the signal in x
    expected: np.ndarray  # (bins,)
    slopes: np.ndarray  # (parameters, bins): derivatives of what is expected
    pull: np.ndarray  # (bins,): derivative of chi2 in what is expected
    bend: np.ndarray  # (bins,): and the second one
    gradient: np.ndarray
    hessian: np.ndarray
    factor: np.ndarray  # Cholesky's, of the Hessian in the free parameters
    free: np.ndarray
    step: np.ndarray
    p: np.ndarray
    trial: np.ndarray
    best: np.ndarray
    low: np.ndarray  # bounds of a cell
    high: np.ndarray
    cells: np.ndarray  # whether each cell was looked at
    mixed: np.ndarray  # second derivatives in x, and in the shift u, and in each parameter
    solved: np.ndarray


@jit
def memory_for(model):
    """The memory of a point."""
    anchors, energies, bins = model.spread.shape
    components, parameters = model.parts.shape[0], model.start.size
    return Memory(
        data=np.empty(bins),
        centre=np.empty(parameters),
        events=np.empty((3, energies)),
        lines=np.empty((anchors, bins)),
        known=np.zeros(anchors, np.bool_),
        shapes=np.zeros((components, 6, bins)),
        beside=np.zeros((6, bins)),
        expected=np.empty(bins),
        slopes=np.empty((parameters, bins)),
        pull=np.empty(bins),
        bend=np.empty(bins),
        gradient=np.empty(parameters),
        hessian=np.empty((parameters, parameters)),
        factor=np.empty((parameters, parameters)),
        free=np.zeros(parameters, np.bool_),
        step=np.empty(parameters),
        p=np.empty(parameters),
        trial=np.empty(parameters),
        best=np.empty(parameters),
        low=np.empty(parameters),
        high=np.empty(parameters),
        cells=np.zeros((max(1, model.sides[0] - 1), max(1, model.sides[1] - 1)), np.bool_),
        mixed=np.empty((2, parameters)),
        solved=np.empty(parameters),
    )


@inner
def copy(source, out):
    """Put numbers in the place of others."""
    for i in range(out.size):
        out[i] = source[i]


@inner
def put_events(rates, change, row, x, events):
    """Signal events of each energy and their two derivatives in x; arguments are those of `profiles`."""
    shapes, terms, energies = rates.shape
    own = row if shapes > 1 else 0
    for i in range(energies):
        value, slope, bend = rates[own, 0, i], 0.0, 0.0
        for f in range(terms - 1):
            c0, c1, c2 = change[row, f, 0], change[row, f, 1], change[row, f, 2]
            value += rates[own, 1 + f, i] * (c0 + x * (c1 + x * c2))
            slope += rates[own, 1 + f, i] * (c1 + 2.0 * x * c2)
            bend += rates[own, 1 + f, i] * (2.0 * c2)
        events[0, i], events[1, i], events[2, i] = value, slope, bend


@inner
def put_line(spread, events, out):
    """The signal in each bin, from that of each energy."""
    for b in range(out.size):
        out[b] = 0.0
    for i in range(events.size):
        for b in range(out.size):
            out[b] += events[i] * spread[i, b]


@inner
def corner(model, cell, number):
    """The number of an anchor at one of the four corners of a cell."""
    one = min(cell[0] + number // 2, model.sides[0] - 1)
    other = min(cell[1] + number % 2, model.sides[1] - 1)
    return one * model.sides[1] + other


@inner
def place_in(model, cell, axis, p):
    """Where a parameter is in a cell, from 0 to 1, and the width of the cell; a parameter that isn't there is at 0."""
    if model.morphing[axis] < 0:
        return 0.0, 1.0
    low, high = model.axes[axis, cell[axis]], model.axes[axis, cell[axis] + 1]
    return (p[model.morphing[axis]] - low) / (high - low), high - low


@inner
def put_morphed(lines, first, model, cell, p, out):
    """What is bilinear between four lines, and its derivatives in both parameters, as `Memory.shapes` has them."""
    u, width = place_in(model, cell, 0, p)
    v, height = place_in(model, cell, 1, p)
    one, two = lines[first + corner(model, cell, 0)], lines[first + corner(model, cell, 1)]
    three, four = lines[first + corner(model, cell, 2)], lines[first + corner(model, cell, 3)]
    for b in range(out.shape[1]):
        low, high = one[b] + v * (two[b] - one[b]), three[b] + v * (four[b] - three[b])
        left, right = one[b] + u * (three[b] - one[b]), two[b] + u * (four[b] - two[b])
        out[0, b] = low + u * (high - low)
        out[1, b], out[2, b] = (high - low) / width, (right - left) / height
        out[3, b], out[5, b] = 0.0, 0.0
        out[4, b] = ((four[b] - three[b]) - (two[b] - one[b])) / (width * height)


@inner
def put_exponential(rate, origin, energies, out):
    """exp(-r (E - E_0)) and its derivatives in r."""
    for b in range(energies.size):
        far = energies[b] - origin
        out[0, b] = np.exp(-rate * far)
        out[1, b], out[3, b] = -far * out[0, b], far * far * out[0, b]


@inner
def put_gaussian(centre, width, energies, out):
    """exp(-(E - c)^2 / 2 w^2) and its derivatives in c and w."""
    for b in range(energies.size):
        t = (energies[b] - centre) / width
        h, square = np.exp(-0.5 * t * t), t * t
        out[0, b], out[1, b], out[2, b] = h, h * t / width, h * square / width
        over = h / (width * width)
        out[3, b], out[4, b], out[5, b] = (
            over * (square - 1.0),
            over * t * (square - 2.0),
            over * square * (square - 3.0),
        )


@inner
def value_of(model, c, number, p):
    """A parameter of a shape, or the number that stands for it."""
    i = model.parts[c, SHAPED + number]
    return p[i] if i >= 0 else model.numbers[c, FIXED + number]


@inner
def put_shapes(model, memory, cell, p):
    """The shapes of all components at parameters p in a cell."""
    for number in range(4):
        k = corner(model, cell, number)
        if not memory.known[k]:
            put_line(model.spread[k], memory.events[0], memory.lines[k])
            memory.known[k] = True
    put_morphed(memory.lines, 0, model, cell, p, memory.shapes[0])
    for c in range(1, model.parts.shape[0]):
        kind, first, out = model.parts[c, KIND], model.parts[c, FIRST], memory.shapes[c]
        if kind == MORPHED:
            put_morphed(model.templates, first, model, cell, p, out)
        elif kind == EXPONENTIAL:
            put_exponential(value_of(model, c, 0, p), model.numbers[c, ORIGIN], model.energies, out)
        elif kind == GAUSSIAN:
            put_gaussian(value_of(model, c, 0, p), value_of(model, c, 1, p), model.energies, out)
        else:
            for b in range(out.shape[1]):
                out[0, b] = model.templates[first, b] if kind == TEMPLATE else 1.0


@inner
def amount_without(model, c, p, one, other):
    """The amount of a component without two of the parameters that it is a product of; -1 for none of them."""
    amount = model.numbers[c, FACTOR]
    for k in range(AMOUNTS):
        i = model.parts[c, 1 + k]
        if i >= 0 and k != one and k != other:
            amount *= p[i]
    return amount


@inner
def chi2_at(model, memory, cell, p, luminosity, sigma, shift):
    """chi2 at parameters p of a cell, see `Memory.pull` and `bend` for what else is computed."""
    bins = memory.expected.size
    put_shapes(model, memory, cell, p)
    for b in range(bins):
        memory.expected[b] = 0.0
    for c in range(model.parts.shape[0]):
        amount, shape = amount_without(model, c, p, -1, -1), memory.shapes[c, 0]
        for b in range(bins):
            memory.expected[b] += amount * shape[b]
    total = 0.0
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
def shaped_by(model, c, d):
    """The parameter that changes the shape of a component, -1 for none; those of what is morphed are common to all."""
    return model.morphing[d] if model.parts[c, KIND] == MORPHED else model.parts[c, SHAPED + d]


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
def cell_of(model, axis, p):
    """The first cell in which a parameter can be where it is; 0 for one that isn't there."""
    if model.morphing[axis] < 0:
        return 0
    last = model.sides[axis] - 2
    for k in range(last):
        if p[model.morphing[axis]] <= model.axes[axis, k + 1]:
            return k
    return last


@inner
def search(model, memory, luminosity, sigma, shift, cell):
    """Find the best parameters, and put their cell: all cells beside it are looked at; chi2 there is returned."""
    memory.cells[:] = False
    copy(model.start, memory.best)
    signal, counted = product_of_all(memory.lines[0], memory.data)
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
def product_of_all(signal, data):
    """The sums of the signal and of the data over all bins."""
    one, other = 0.0, 0.0
    for b in range(signal.size):
        one += abs(signal[b])
        other += data[b]
    return one, other


@inner
def put_slopes(model, memory, cell, luminosity, sigma, shift, out):
    """The derivatives of chi2 in x and in the shift u, along which the parameters follow their best values."""
    p, bins = memory.best, memory.expected.size
    put_bounds(model, cell, sigma, shift, memory)
    chi2_at(model, memory, cell, p, luminosity, sigma, shift)
    put_derivatives(model, memory, p, sigma, shift)
    put_free(memory, p)
    for number in range(4):
        k = corner(model, cell, number)
        put_line(model.spread[k], memory.events[2], memory.lines[k])
    put_morphed(memory.lines, 0, model, cell, p, memory.beside)
    second = p[0] * product(memory.pull, memory.beside[0])
    for number in range(4):
        k = corner(model, cell, number)
        put_line(model.spread[k], memory.events[1], memory.lines[k])
    put_morphed(memory.lines, 0, model, cell, p, memory.beside)
    pulled = product(memory.pull, memory.beside[0])
    first, by_x, by_shift = p[0] * pulled, memory.mixed[0], memory.mixed[1]
    for d in range(2):
        if model.morphing[d] >= 0:
            by_shift[d] = p[0] * product(memory.pull, memory.beside[1 + d])  # kept until by_x is known
    for i in range(p.size):
        total = 0.0
        for b in range(bins):
            total += memory.bend[b] * memory.beside[0, b] * memory.slopes[i, b]
        by_x[i] = p[0] * total
    for d in range(2):
        if model.morphing[d] >= 0:
            by_x[model.morphing[d]] += by_shift[d]
    by_x[0] += pulled
    for b in range(bins):
        second += memory.bend[b] * (p[0] * memory.beside[0, b]) ** 2
    if sigma > 0.0:
        over = 2.0 / (sigma * sigma)
        by_shift[:] = 0.0
        by_shift[0] = -over
        slope, square, mixed = -over * (p[0] - 1.0 - shift), over, 0.0
    else:
        copy(memory.hessian[0], by_shift)
        slope, square, mixed = memory.gradient[0], memory.hessian[0, 0], by_x[0]
    solve(memory, by_x, memory.solved)
    out[SLOPE], out[CURVATURE] = first, second - product(by_x, memory.solved)
    out[MIXED] = mixed - product(by_shift, memory.solved)
    put_solution(memory, by_shift, memory.solved)
    out[BY_SHIFT], out[SQUARE_BY_SHIFT] = slope, square - product(by_shift, memory.solved)


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
    data, centre : float64 (sets, bins) and (sets, parameters)
        n and c_i; that of the scale of the signal is in units of sigma, from 1 + u.
    chosen : intp (points,)
        The set with which each point is compared.
    out : float64 (points, 1 or PARAMETERS + parameters)
        Receives chi2; then its first and second derivative in x, those in u, the one in both, and the parameters.
        chi2 is infinite, and all else nan, where nothing is expected in a bin that has data.
    start, stop : int
        The range of points.
    """
    memory, cell = memory_for(model), np.zeros(2, np.intp)
    for point in range(start, stop):
        luminosity, sigma = 1.0 / noise[point], np.sqrt(variance[point])
        moved = shift[point] + sigma * centre[chosen[point], 0]
        copy(data[chosen[point]], memory.data)
        copy(centre[chosen[point]], memory.centre)
        put_events(rates, change, row[point], x[point], memory.events)
        memory.known[:] = False
        put_line(model.spread[0], memory.events[0], memory.lines[0])
        memory.known[0] = True
        found = search(model, memory, luminosity, sigma, moved, cell)
        out[point] = np.nan
        out[point, CHI2] = found
        if out.shape[1] > 1 and found < np.inf:
            put_slopes(model, memory, (cell[0], cell[1]), luminosity, sigma, moved, out[point])
            copy(memory.best, out[point, PARAMETERS:])
