"""What a model with few parameters expects in each bin, and the derivatives of its shapes.

The model of a member is a sum of components.  Each component is an amount times a shape over the bins b:

    N_b = sum_c f_c prod_{i in c} p_i  h_cb,     h_0b = S_b(x)

The amounts are parameters p_i, of which p_0 is the scale e of the signal S.  A shape is a template, a template that is
bilinear between anchors of two parameters, an exponential exp(-r (E - E_0)), or a Gaussian exp(-(E - c)^2 / 2 w^2),
whose r, c and w are parameters or numbers.  Each parameter has bounds, and can have a Gaussian constraint.

A cell lies between neighbouring anchors of both parameters that templates follow.  Within a cell the model is smooth.
"""

from typing import NamedTuple

import numpy as np

from fastscan.kernels.jit import inner, jit

CONSTANT, TEMPLATE, MORPHED, EXPONENTIAL, GAUSSIAN = range(5)  # kinds of shapes
AMOUNTS = 3  # parameters, at most, whose product an amount is
KIND, FIRST, SHAPED = 0, 1 + AMOUNTS, 2 + AMOUNTS  # columns of parts: amounts come between; then two of the shape
FACTOR, ORIGIN, FIXED = 0, 1, 2  # columns of numbers; then two of the shape


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
def shaped_by(model, c, d):
    """The parameter that changes the shape of a component, -1 for none; those of what is morphed are common to all."""
    return model.morphing[d] if model.parts[c, KIND] == MORPHED else model.parts[c, SHAPED + d]


@inner
def put_expected(model, memory, cell, p):
    """The shapes of all components at parameters p in a cell, and the events that all of them expect in each bin."""
    bins = memory.expected.size
    put_shapes(model, memory, cell, p)
    for b in range(bins):
        memory.expected[b] = 0.0
    for c in range(model.parts.shape[0]):
        amount, shape = amount_without(model, c, p, -1, -1), memory.shapes[c, 0]
        for b in range(bins):
            memory.expected[b] += amount * shape[b]
