"""The expected events of a model with few parameters in each bin, and the derivatives of its shapes.

The model of a member is a sum of components.  Each component is an amount times a shape over the bins b:

    N_b = sum_c f_c prod_{i in c} p_i  h_cb,     h_0b = S_b(x)

The amounts are parameters p_i, of which p_0 is the scale e of the signal S.  A shape is a template, a template that is
bilinear between anchors of two parameters, an exponential exp(-r (E - E_0)), or a Gaussian exp(-(E - c)^2 / 2 w^2),
whose r, c and w are parameters or numbers.  Each parameter has bounds, and can have a Gaussian constraint.

Each line of an array holds LANES bins.  The last line is filled up with bins in which all components are 0.

A cell is the rectangle between neighbouring anchors of both morphing parameters, on which templates depend.  Within a
cell the model is smooth.
"""

from typing import NamedTuple

import numpy as np

from fastscan.kernels.arithmetic import fma
from fastscan.kernels.jit import inner, jit
from fastscan.kernels.lanes import LANES, empty_lanes, exponential, lanes_of, put_lanes, spread

CONSTANT, TEMPLATE, MORPHED, EXPONENTIAL, GAUSSIAN = range(5)  # kinds of shapes
AMOUNTS = 3  # largest number of parameters whose product is an amount
KIND, FIRST, SHAPED = 0, 1 + AMOUNTS, 2 + AMOUNTS  # columns of Model.parts: the amount's parameters follow KIND
FACTOR, ORIGIN, FIXED = 0, 1, 2  # columns of Model.numbers; both arguments of a shape begin at SHAPED and at FIXED


class Model(NamedTuple):
    """The model of a member: its components, its parameters, and the weights of its bins.

    Attributes
    ----------
    spread : float64 (anchors, lines * energies, LANES)
        Events in each bin per signal event of each energy, at all anchors of both morphing parameters.
    parts : intp (components, 7)
        A line for each component, the first of which is the signal: its kind, the numbers of three parameters in its
        amount, its first template, and the numbers of two parameters of its shape; -1 stands for no parameter.
    numbers : float64 (components, 4)
        A line for each component: its factor, the origin of an exponential, and the two arguments of its shape, which
        are used where they are no parameters.
    templates : float64 (templates, lines, LANES)
    axes : float64 (2, most anchors)
        Anchors of both morphing parameters; a missing parameter has one anchor.
    sides, morphing : intp (2,)
        The number of anchors of each morphing parameter, and its number among the parameters, -1 for a missing one.
    energies, filled : float64 (lines, LANES)
        Energy of each bin in the unit of the bins; and 1 for each bin, 0 for the places that fill up the last line.
    weight : float64 (lines, LANES)
        1 / v; empty where events are counted.
    start, low, high, tightness : float64 (parameters,)
        Starting values, bounds, and 1 / sigma_i^2, which is 0 without a constraint.
    """

    spread: np.ndarray
    parts: np.ndarray
    numbers: np.ndarray
    templates: np.ndarray
    axes: np.ndarray
    sides: np.ndarray
    morphing: np.ndarray
    energies: np.ndarray
    filled: np.ndarray
    weight: np.ndarray
    start: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tightness: np.ndarray


class Memory(NamedTuple):
    """Memory for one point: its data, and all that is computed there."""

    data: np.ndarray  # (lines, LANES): the events n
    centre: np.ndarray  # (parameters,): the centres c_i of the constraints
    events: np.ndarray  # (3, energies): signal events, and their first and second derivatives in x
    signals: np.ndarray  # (anchors, lines, LANES): the signal at each anchor
    known: np.ndarray  # (anchors,): whether `signals` has been computed at each anchor
    shapes: np.ndarray  # (components, 6, lines, LANES): h, its two first derivatives, and its three second ones
    beside: np.ndarray  # (6, lines, LANES): as `shapes`, for a derivative of the signal in x
    expected: np.ndarray  # (lines, LANES): the expected events N
    slopes: np.ndarray  # (parameters, lines, LANES): derivatives of N in each parameter
    pull: np.ndarray  # (lines, LANES): first derivative of chi2 in N
    bend: np.ndarray  # (lines, LANES): second derivative of chi2 in N
    weighted: np.ndarray  # (lines, LANES): a derivative of N times `bend`
    gradient: np.ndarray
    hessian: np.ndarray
    factor: np.ndarray  # Cholesky's factor of the Hessian in the free parameters
    free: np.ndarray  # whether each parameter can move
    step: np.ndarray
    p: np.ndarray
    trial: np.ndarray
    best: np.ndarray
    low: np.ndarray  # bounds of a cell
    high: np.ndarray
    cells: np.ndarray  # whether the search has looked at each cell
    mixed: np.ndarray  # (2, parameters): derivatives of chi2 in x and each parameter, and in the shift u and each one
    solved: np.ndarray


@jit
def memory_for(model):
    """Memory for one point of a model."""
    lines, anchors = model.filled.shape[0], model.spread.shape[0]
    components, parameters = model.parts.shape[0], model.start.size
    memory = Memory(
        data=empty_lanes(lines),
        centre=np.empty(parameters),
        events=np.empty((3, model.spread.shape[1] // lines)),
        signals=empty_lanes(anchors * lines).reshape((anchors, lines, LANES)),
        known=np.zeros(anchors, np.bool_),
        shapes=empty_lanes(components * 6 * lines).reshape((components, 6, lines, LANES)),
        beside=empty_lanes(6 * lines).reshape((6, lines, LANES)),
        expected=empty_lanes(lines),
        slopes=empty_lanes(parameters * lines).reshape((parameters, lines, LANES)),
        pull=empty_lanes(lines),
        bend=empty_lanes(lines),
        weighted=empty_lanes(lines),
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
    memory.shapes[:] = 0.0
    memory.beside[:] = 0.0
    return memory


@inner
def copy(source, out):
    """Copy numbers to out."""
    for i in range(out.size):
        out[i] = source[i]


@inner
def copy_lines(source, out):
    """Copy lines of bins to out."""
    for line in range(out.shape[0]):
        put_lanes(out, line, lanes_of(source, line))


@inner
def add_times(number, source, out):
    """Add a number times lines of bins to out."""
    for line in range(out.shape[0]):
        put_lanes(out, line, fma(number, lanes_of(source, line), lanes_of(out, line)))


@inner
def put_events(rates, change, row, x, events):
    """Put signal events of each energy and their first two derivatives in x; `profiles` describes the arguments."""
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
def put_signal(each, events, out):
    """Put the signal in each bin, from events of each energy.

    Four sums are added up side by side, because a single one would wait for each addition.
    """
    energies = events.size
    whole = energies - energies % 4
    for line in range(out.shape[0]):
        first, a, b, c, d = line * energies, spread(0.0), spread(0.0), spread(0.0), spread(0.0)
        for i in range(0, whole, 4):
            a = fma(events[i], lanes_of(each, first + i), a)
            b = fma(events[i + 1], lanes_of(each, first + i + 1), b)
            c = fma(events[i + 2], lanes_of(each, first + i + 2), c)
            d = fma(events[i + 3], lanes_of(each, first + i + 3), d)
        for i in range(whole, energies):
            a = fma(events[i], lanes_of(each, first + i), a)
        put_lanes(out, line, (a + b) + (c + d))


@inner
def put_signals(model, memory, cell, events):
    """Put the signal at the four corners of a cell, from events of each energy, where it isn't known yet."""
    for number in range(4):
        k = corner(model, cell, number)
        if not memory.known[k]:
            put_signal(model.spread[k], events, memory.signals[k])
            memory.known[k] = True


@inner
def corner(model, cell, number):
    """The number of the anchor at one of the four corners of a cell."""
    one = min(cell[0] + number // 2, model.sides[0] - 1)
    other = min(cell[1] + number % 2, model.sides[1] - 1)
    return one * model.sides[1] + other


@inner
def place_in(model, cell, axis, p):
    """The place of a morphing parameter in a cell, from 0 to 1, and the cell's width; a missing parameter is at 0."""
    if model.morphing[axis] < 0:
        return 0.0, 1.0
    low, high = model.axes[axis, cell[axis]], model.axes[axis, cell[axis] + 1]
    return (p[model.morphing[axis]] - low) / (high - low), high - low


@inner
def put_morphed(anchored, model, cell, p, out):
    """Put what is bilinear between the corners of a cell, and its derivatives, in the order of `Memory.shapes`."""
    u, width = place_in(model, cell, 0, p)
    v, height = place_in(model, cell, 1, p)
    over_width, over_height = 1.0 / width, 1.0 / height
    over_both = over_width * over_height
    one, two = anchored[corner(model, cell, 0)], anchored[corner(model, cell, 1)]
    three, four = anchored[corner(model, cell, 2)], anchored[corner(model, cell, 3)]
    for line in range(out.shape[1]):
        a, b, c, d = lanes_of(one, line), lanes_of(two, line), lanes_of(three, line), lanes_of(four, line)
        low, high, left, right = fma(v, b - a, a), fma(v, d - c, c), fma(u, c - a, a), fma(u, d - b, b)
        put_lanes(out[0], line, fma(u, high - low, low))
        put_lanes(out[1], line, (high - low) * over_width)
        put_lanes(out[2], line, (right - left) * over_height)
        put_lanes(out[4], line, ((d - c) - (b - a)) * over_both)


@inner
def put_exponential(rate, origin, energies, filled, out):
    """Put exp(-r (E - E_0)) and its derivatives in r."""
    for line in range(out.shape[1]):
        far = lanes_of(energies, line) - origin
        h = exponential(-rate * far) * lanes_of(filled, line)
        put_lanes(out[0], line, h)
        put_lanes(out[1], line, -1.0 * far * h)
        put_lanes(out[3], line, far * far * h)


@inner
def put_gaussian(centre, width, energies, filled, out):
    """Put exp(-(E - c)^2 / 2 w^2) and its derivatives in c and w."""
    over = 1.0 / width
    for line in range(out.shape[1]):
        t = (lanes_of(energies, line) - centre) * over
        square = t * t
        h = exponential(-0.5 * square) * lanes_of(filled, line)
        by_width = h * over
        twice = by_width * over
        put_lanes(out[0], line, h)
        put_lanes(out[1], line, by_width * t)
        put_lanes(out[2], line, by_width * square)
        put_lanes(out[3], line, twice * (square - 1.0))
        put_lanes(out[4], line, twice * t * (square - 2.0))
        put_lanes(out[5], line, twice * square * (square - 3.0))


@inner
def value_of(model, c, number, p):
    """An argument of a shape: the value of its parameter, or its fixed number."""
    i = model.parts[c, SHAPED + number]
    return p[i] if i >= 0 else model.numbers[c, FIXED + number]


@inner
def put_shapes(model, memory, cell, p):
    """Put the shapes of all components at parameters p in a cell."""
    put_signals(model, memory, cell, memory.events[0])
    put_morphed(memory.signals, model, cell, p, memory.shapes[0])
    for c in range(1, model.parts.shape[0]):
        kind, first, out = model.parts[c, KIND], model.parts[c, FIRST], memory.shapes[c]
        if kind == MORPHED:
            put_morphed(model.templates[first:], model, cell, p, out)
        elif kind == EXPONENTIAL:
            put_exponential(value_of(model, c, 0, p), model.numbers[c, ORIGIN], model.energies, model.filled, out)
        elif kind == GAUSSIAN:
            put_gaussian(value_of(model, c, 0, p), value_of(model, c, 1, p), model.energies, model.filled, out)
        else:
            copy_lines(model.templates[first] if kind == TEMPLATE else model.filled, out[0])


@inner
def amount_without(model, c, p, one, other):
    """The amount of a component without the parameters at two places of its product; -1 leaves none out."""
    amount = model.numbers[c, FACTOR]
    for k in range(AMOUNTS):
        i = model.parts[c, 1 + k]
        if i >= 0 and k != one and k != other:
            amount *= p[i]
    return amount


@inner
def shaped_by(model, c, d):
    """Parameter 0 or 1 of a component's shape, -1 for none; all morphed components share the morphing parameters."""
    return model.morphing[d] if model.parts[c, KIND] == MORPHED else model.parts[c, SHAPED + d]


@inner
def put_expected(model, memory, cell, p):
    """Put the shapes of all components at parameters p in a cell, and the expected events in each bin."""
    put_shapes(model, memory, cell, p)
    memory.expected[:] = 0.0
    for c in range(model.parts.shape[0]):
        add_times(amount_without(model, c, p, -1, -1), memory.shapes[c, 0], memory.expected)
