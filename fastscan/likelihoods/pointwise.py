"""chi2 of one interaction at single points, and its slopes, from numbers that are prepared once.

Samplers and minimisers ask for one point at a time, where layers that broadcast cost a thousand times what the
arithmetic does.  A point is a value of the interaction's row parameter, in the unit of its axis, and a strength x.

In `FixedRow` the row parameter is fixed, or there is none: chi2 is a quotient of two sums of squares in x.  In
`FreeRow` it varies, and the events in each bin are computed at each point.  How they depend on the parameters is a
`Signal`: couplings that are shifted, or a mediator that is exchanged.

What is computed at each point is plain Python and NumPy.  `compiled` gives the same functions to numba, which nothing
else here needs but counted events.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fastscan.errors import ModelError, quoted, warn
from fastscan.experiments.experiment import Experiment
from fastscan.interactions import standard_model
from fastscan.interactions.interaction import Interaction, RowShifts
from fastscan.interactions.light import propagator
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.likelihood import Likelihood, in_bins
from fastscan.likelihoods.poisson import NEGATIVE, Block, PoissonColumns
from fastscan.likelihoods.predictions import terms_of
from fastscan.likelihoods.settings import Settings
from fastscan.typing import Array, Channel, IntArray

MEV = 1e3  # per GeV, the unit of a row parameter that is a mass
LINE = np.array([[[0.0, 1.0, 0.0]]])  # y as a polynomial in y, in the only row
Compiled = Callable[..., Any]


def compiled(function: Callable[..., Any]) -> Compiled:
    """The function compiled by numba, which is imported when this is first called."""
    from numba import njit

    found: Compiled = njit(error_model="numpy")(function)
    return found


class Pointwise(Protocol):
    """chi2 at points."""

    def chi2(self, row: float, x: float) -> float:
        """chi2 at a point; infinite where nothing is expected in a bin that has data."""

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        """The derivatives of chi2 in the row parameter and in x; nan where chi2 is infinite."""

    def compiled(self) -> Compiled:
        """`chi2` as a function for compiled code, which warns of nothing."""


# Members that are fitted together -----------------------------------------------------------------------------------


@functools.cache
def kernel() -> Compiled:
    """The kernel of counted events on one thread; numba is imported when this is first called."""
    from fastscan.kernels.poisson import profiles

    return profiles.serial


def profile(
    run: Compiled,
    constants: tuple[Array, ...],
    sizes: IntArray,
    rates: Array,
    change: Array,
    sums: Array,
    x: float,
    width: int,
) -> tuple[Array, int]:
    """What the kernel fills at one point, shape (1, width), and what it returns.

    Parameters
    ----------
    run : callable
        What `kernel` returns.
    constants : tuple of array
        See `Profile`.
    sizes, rates, change, sums, x
        As `fastscan.kernels.poisson.profiles` takes them, of one row.
    width : int
        1 for chi2, 3 for its derivatives too.
    """
    arriving, effects, background, norm, noise, variance, common, centres, data = constants
    row, out = np.zeros(1, np.intp), np.empty((1, width))
    counted = (sizes, rates, arriving, effects, background)
    negative = run(counted, change, (sums, norm), row, np.full(1, x), noise, variance, common, centres, data, row, out)
    return out, negative


@dataclass(frozen=True, eq=False)
class Profile:
    """What the kernel of counted events needs of a block at one setting, whatever the signal.

    Attributes
    ----------
    sizes : array of int, shape (members, 7)
        See the kernel.
    constants : tuple of array
        Arriving, effects and background of the members with counted events, the norms of the Gaussian ones; noise,
        variance and common; centres and data.
    """

    sizes: IntArray
    constants: tuple[Array, ...]

    @classmethod
    def of(cls, block: Block) -> "Profile":
        """That of a block of one column and one row."""
        sizes, _, arriving, effects, background = block.counted
        centres = np.zeros((1, block.nuisances))
        settings = block.noise, block.variance, block.common
        return cls(sizes, (arriving, effects, background, block.norm, *settings, centres, block.data[None]))

    def of_terms(self, terms: int) -> "Profile":
        """The same, where the signal of each member has so many terms."""
        sizes = self.sizes.copy()
        sizes[:, :2] = 1, terms
        return Profile(sizes, self.constants)

    def filled(self, rates: Array, change: Array, sums: Array, x: float, width: int) -> list[float]:
        """What `profile` fills, with a warning where the kernel has one."""
        (out,), negative = profile(kernel(), self.constants, self.sizes, rates, change, sums, x, width)
        if negative:
            warn(NEGATIVE)
        found: list[float] = out.tolist()
        return found

    def compiled(self) -> Compiled:
        """The first number that `profile` fills as a function of rates, change, sums and x."""
        run, inner, constants, sizes = kernel(), compiled(profile), self.constants, self.sizes

        def chi2(rates: Array, change: Array, sums: Array, x: float) -> float:
            # Compiled code takes arrays from outside for constants, for which the kernel would be compiled once more.
            one, two, three, four, five, six, seven, eight, nine = constants
            own = (one.copy(), two.copy(), three.copy(), four.copy(), five.copy(), six.copy(), seven.copy())
            out, _ = inner(run, (*own, eight.copy(), nine.copy()), sizes.copy(), rates, change, sums, x, 1)
            found: float = out[0, 0]
            return found

        return compiled(chi2)


# One row ------------------------------------------------------------------------------------------------------------


def quotient(coefficients: Sequence[Sequence[float]], x: float) -> float:
    """Sum of (u + v t) / (noise + w) over members, of which each has a sum of squares as numerator, and as w.

    Parameters
    ----------
    coefficients : sequence of 13 floats
        c0 to c5 of the numerator, see `fastscan.kernels.polynomials`, those of w, and the noise, of each member.
    x : float
    """
    total = 0.0
    for a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5, noise in coefficients:
        first, second = a0 + x * (a1 + x * a2), x * (a3 + x * a4)
        under, below = b0 + x * (b1 + x * b2), x * (b3 + x * b4)
        square = x * x * x * x
        total += (first * first + second * second + a5 * square) / (noise + under * under + below * below + b5 * square)
    return total


def quotient_slope(coefficients: Sequence[Sequence[float]], x: float) -> float:
    """The derivative of `quotient` in x."""
    total = 0.0
    for member in coefficients:
        value, slope = square_and_slope(member[:6], x)
        w, w_slope = square_and_slope(member[6:12], x)
        over = 1 / (member[12] + w)
        total += (slope - value * over * w_slope) * over
    return total


def square_and_slope(c: Sequence[float], x: float) -> tuple[float, float]:
    """A sum of squares, see `fastscan.kernels.polynomials`, and its derivative in x."""
    first, second = c[0] + x * (c[1] + x * c[2]), x * (c[3] + x * c[4])
    slopes = c[1] + 2 * x * c[2], c[3] + 2 * x * c[4]
    return (
        first * first + second * second + c[5] * x**4,
        2 * (first * slopes[0] + second * slopes[1]) + 4 * c[5] * x**3,
    )


def merged(sums: Array) -> Array:
    """The coefficients of one sum of squares that is the sum of two, shape (2, SQUARES): shape (SQUARES,).

    >>> merged(np.array([[3.0, 0, 0, 0, 0, 0], [4.0, 0, 0, 0, 0, 0]])).round(12) ** 2
    array([25.,  0.,  0.,  0.,  0.,  0.])
    """
    vectors = np.zeros((2, 3, 3))
    vectors[:, 0, 0], vectors[:, 0, 1], vectors[:, 0, 2] = sums[:, 0], sums[:, 1], sums[:, 2]
    vectors[:, 1, 1], vectors[:, 1, 2], vectors[:, 2, 2] = sums[:, 3], sums[:, 4], np.sqrt(sums[:, 5])
    factor = np.linalg.qr(vectors.reshape(6, 3), mode="r")
    return np.array([*factor[0], factor[1, 1], factor[1, 2], factor[2, 2] ** 2])


@dataclass(frozen=True, eq=False)
class FittedColumn:
    """A block of one column and one row; the attributes are arguments of `profile`."""

    profile: Profile
    rates: Array
    change: Array
    sums: Array

    @classmethod
    def of(cls, block: Block) -> "FittedColumn":
        return cls(Profile.of(block), block.counted[1], block.change, block.sums)

    def filled(self, x: float, width: int) -> list[float]:
        """The first numbers that the kernel computes at a strength."""
        return self.profile.filled(self.rates, self.change, self.sums, x, width)

    def compiled(self) -> Compiled:
        inner, rates, change, sums = self.profile.compiled(), self.rates, self.change, self.sums

        def chi2(x: float) -> float:
            found: float = inner(rates.copy(), change.copy(), sums.copy(), x)
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class FixedRow:
    """chi2 along one column; a kind of `Pointwise`, to which the row means nothing.

    Attributes
    ----------
    coefficients : tuple of tuple of 13 floats
        See `quotient`, of the members that nothing links to others.
    blocks : tuple of FittedColumn
        The other members.
    """

    coefficients: tuple[tuple[float, ...], ...]
    blocks: tuple[FittedColumn, ...]

    @classmethod
    def of(cls, columns: GaussianColumns, alone: Sequence[int], blocks: Sequence[Block]) -> "FixedRow":
        """That of one column: of members that stand alone, by number, and of blocks."""
        coefficients = []
        for member in alone:
            s_dd, det, s_mm = columns.sums[member, 0]
            noise, variance = columns.noise[member, 0], columns.variance[member, 0]
            together = merged(_scaled(np.stack([s_dd, det]), np.array([1.0, variance / noise])))
            (below,) = _scaled(s_mm[None], np.array([variance]))
            coefficients.append((*together.tolist(), *below.tolist(), float(noise)))
        return cls(tuple(coefficients), tuple(map(FittedColumn.of, blocks)))

    def chi2(self, row: float, x: float) -> float:
        total = quotient(self.coefficients, x)
        for block in self.blocks:
            total += block.filled(x, 1)[0]
        return total

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        along_x = quotient_slope(self.coefficients, x)
        for block in self.blocks:
            along_x += block.filled(x, 3)[1]
        return 0.0, along_x

    def compiled(self) -> Compiled:
        along, coefficients = compiled(quotient), np.array(self.coefficients).reshape(-1, 13)
        inner = [each.compiled() for each in self.blocks]

        def chi2(row: float, x: float) -> float:
            found: float = along(coefficients, x)
            return found

        found = compiled(chi2)
        for each in inner:
            found = _with_column(found, each)
        return found


def _scaled(sums: Array, factors: Array) -> Array:
    """Coefficients of sums of squares, shape (sums, SQUARES), each times a factor."""
    roots = np.sqrt(factors)[:, None]
    return np.concatenate([sums[:, :5] * roots, sums[:, 5:] * roots**2], axis=1)


def _with_column(first: Compiled, second: Compiled) -> Compiled:
    def total(row: float, x: float) -> float:
        found: float = first(row, x) + second(x)
        return found

    return compiled(total)


# How events depend on the row parameter -----------------------------------------------------------------------------


class Signal(Protocol):
    """Events beside the Standard Model's in all bins of all members, one member after the other."""

    def added(self, row: float, x: float) -> Array:
        """The events at a point, shape (bins,)."""

    def slopes(self, row: float, x: float) -> tuple[Array, Array]:
        """Their derivatives in the row parameter and in x, each of shape (bins,)."""

    def compiled(self) -> Compiled:
        """`added` as a function for compiled code."""


def interference(pair: Array, other: Array) -> Array:
    """What the features of sums of two pairs of couplings have beside the features of each.

    Parameters
    ----------
    pair, other : array, shape (2, pairs)
        The first couplings of all pairs, and the second ones.

    Returns
    -------
    array, shape (3 pairs,)
        See `fastscan.interactions.standard_model.interference`: the first features of all pairs, then the second and
        the third ones.
    """
    return np.concatenate((2 * pair[0] * other[0], pair[0] * other[1] + pair[1] * other[0], 2 * pair[1] * other[1]))


@dataclass(frozen=True, eq=False)
class Shifted:
    """The signal of couplings g that become g + s, where s = sum_j f_j(row) (start_j + x growth_j).

    What s adds to the features of g is the interference of g + s/2 with s, and their derivative is the interference of
    g + s with that of s.

    Attributes
    ----------
    functions, derivatives : callable
        The f_j and their derivatives, see `fastscan.interactions.interaction.RowShifts`.
    couplings : array, shape (2, pairs)
        The Standard Model's, which are 0 where the flavour changes.
    start, growth : array, shape (functions, 2 pairs)
    rates : array, shape (3 pairs, bins)
        Events per unit of each feature.
    """

    functions: Callable[[float], Array]
    derivatives: Callable[[float], Array]
    couplings: Array
    start: Array
    growth: Array
    rates: Array

    def added(self, row: float, x: float) -> Array:
        shift = (self.functions(row) @ (self.start + x * self.growth)).reshape(self.couplings.shape)
        found: Array = interference(self.couplings + shift / 2, shift) @ self.rates
        return found

    def slopes(self, row: float, x: float) -> tuple[Array, Array]:
        values, line = self.functions(row), self.start + x * self.growth
        shape = self.couplings.shape
        shifted = self.couplings + (values @ line).reshape(shape)
        along_row, along_x = (self.derivatives(row) @ line).reshape(shape), (values @ self.growth).reshape(shape)
        return interference(shifted, along_row) @ self.rates, interference(shifted, along_x) @ self.rates

    def compiled(self) -> Compiled:
        functions, beside = compiled(self.functions), compiled(interference)
        couplings, start, growth, rates = self.couplings, self.start, self.growth, self.rates

        def added(row: float, x: float) -> Array:
            shift = (functions(row) @ (start + x * growth)).reshape(couplings.shape)
            found: Array = beside(couplings + shift / 2, shift) @ rates
            return found

        return compiled(added)


def propagated(row: float, transfer2: Array) -> Array:
    """1 / (q^2 + M^2) in MeV^-2 at q^2 in MeV^2, shape (nodes,), of a mass in GeV."""
    found: Array = 1 / (transfer2 + (MEV * row) ** 2)
    return found


def contracted(
    linear: Array, square: Array, places: IntArray, of_linear: tuple[Array, ...], of_square: tuple[Array, ...]
) -> Array:
    """Events in all bins, one member after the other, from what multiplies them at the nodes of each.

    Parameters
    ----------
    linear, square : array, shape (nodes of all members,)
    places : array of int, shape (2, members + 1)
        The number of the first node and of the first bin of each member, and of all nodes and bins.
    of_linear, of_square : tuple of array, shape (nodes, bins)
        Of each member.
    """
    nodes, bins = places
    found = np.empty(bins[-1])
    for member in range(len(of_linear)):
        own = slice(nodes[member], nodes[member + 1])
        found[bins[member] : bins[member + 1]] = linear[own] @ of_linear[member] + square[own] @ of_square[member]
    return found


@dataclass(frozen=True, eq=False)
class Exchanged:
    """The signal of a mediator: sums over nodes of y and of y^2, y = x / (q^2 + M^2); the row is its mass M in GeV.

    Attributes
    ----------
    transfer2 : array, shape (nodes,)
        q^2 in MeV^2 at the nodes of each member.
    places, of_linear, of_square
        See `contracted`.
    """

    transfer2: Array
    places: IntArray
    of_linear: tuple[Array, ...]
    of_square: tuple[Array, ...]

    def added(self, row: float, x: float) -> Array:
        y = x * propagated(row, self.transfer2)
        return contracted(y, y * y, self.places, self.of_linear, self.of_square)

    def slopes(self, row: float, x: float) -> tuple[Array, Array]:
        factor = propagated(row, self.transfer2)
        y = x * factor
        return self._along(y, -2 * MEV**2 * row * y * factor), self._along(y, factor)

    def _along(self, y: Array, slope: Array) -> Array:
        """The derivative of the events where y has a slope."""
        return contracted(slope, 2 * y * slope, self.places, self.of_linear, self.of_square)

    def compiled(self) -> Compiled:
        factor, sums = compiled(propagated), compiled(contracted)
        transfer2, places, of_linear, of_square = self.transfer2, self.places, self.of_linear, self.of_square

        def added(row: float, x: float) -> Array:
            y = x * factor(row, transfer2)
            found: Array = sums(y, y * y, places, of_linear, of_square)
            return found

        return compiled(added)


# Many rows ----------------------------------------------------------------------------------------------------------


def gaussian_sums(
    added: Array, places: IntArray, difference: Array, predicted: Array, direction: Array, norm: Array
) -> Array:
    """S_dd, D and S_mm of some members, see `fastscan.likelihoods.gaussian`, shape (members, 3).

    Parameters
    ----------
    added : array, shape (bins,)
        Events beside the Standard Model's in all bins of all members, over their errors as all else here.
    places : array of int, shape (members, 2)
        The number of each member's first bin, and of the one after its last.
    difference, predicted : array, shape (bins,)
        Data less prediction, and the prediction, in the Standard Model.
    direction : array, shape (bins,)
        The data, of length 1 for each member.
    norm : array, shape (members,)
        Sum of the squared data.
    """
    found = np.empty((len(places), 3))
    for member in range(len(places)):
        own = slice(places[member, 0], places[member, 1])
        d, m = difference[own] - added[own], predicted[own] + added[own]
        across = d - (d @ direction[own]) * direction[own]
        found[member] = d @ d, norm[member] * (across @ across), m @ m
    return found


def gaussian_slopes(
    added: Array,
    along: Array,
    places: IntArray,
    difference: Array,
    predicted: Array,
    direction: Array,
    norm: Array,
) -> Array:
    """The derivatives of `gaussian_sums` along a change of what is added, shape (members, 3)."""
    found = np.empty((len(places), 3))
    for member, (first, last) in enumerate(places):
        own, change = slice(first, last), along[first:last]
        d, m = difference[own] - added[own], predicted[own] + added[own]
        across = d - (d @ direction[own]) * direction[own]
        found[member] = -2 * (d @ change), -2 * norm[member] * (across @ change), 2 * (m @ change)
    return found


def gaussian_chi2(sums: Array, noise: Array, variance: Array) -> Array:
    """chi2 of each member from its sums, see `fastscan.kernels.gaussian`, shape (members,)."""
    found: Array = (sums[:, 0] + sums[:, 1] * (variance / noise)) / (noise + sums[:, 2] * variance)
    return found


@dataclass(frozen=True, eq=False)
class Alone:
    """Members with Gaussian counts that nothing links to others, at one setting.

    Attributes
    ----------
    compared : tuple of array
        What `gaussian_sums` takes beside what is added.
    noise, variance : array, shape (members,)
        See `fastscan.kernels.gaussian`.
    """

    compared: tuple[Any, ...]
    noise: Array
    variance: Array

    def chi2(self, added: Array) -> float:
        return float(gaussian_chi2(gaussian_sums(added, *self.compared), self.noise, self.variance).sum())

    def slope(self, added: Array, along: Array) -> float:
        sums, slopes = gaussian_sums(added, *self.compared), gaussian_slopes(added, along, *self.compared)
        chi2 = gaussian_chi2(sums, self.noise, self.variance)
        s_dd, det, s_mm = slopes.T
        rises = s_dd + det * (self.variance / self.noise) - chi2 * self.variance * s_mm
        return float((rises / (self.noise + sums[:, 2] * self.variance)).sum())

    def compiled(self) -> Compiled:
        sums, of_sums, noise, variance = compiled(gaussian_sums), compiled(gaussian_chi2), self.noise, self.variance
        places, difference, predicted, direction, norm = self.compared

        def chi2(added: Array) -> float:
            found: float = of_sums(sums(added, places, difference, predicted, direction, norm), noise, variance).sum()
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class FittedBins:
    """A block at one setting, whose members' events are given.

    The kernel gets the events as signals without features; for a slope, as signals with one feature that grows with y,
    at y = 0.

    Attributes
    ----------
    profile : Profile
    standard : array, shape (bins,)
        The Standard Model's events of the members with counted events, in bins of energy of each neutrino.
    places : array of int, shape (members + 1,)
        The number of the first of these bins of each such member among those of all members; they are neighbours.
    compared : tuple of array
        What `gaussian_sums` takes beside what is added, of the other members.
    """

    profile: Profile
    standard: Array
    places: IntArray
    compared: tuple[Any, ...]

    def chi2(self, added: Array) -> float:
        rates = self.standard + added[self.places[0] : self.places[-1]]
        change, sums = np.empty((len(self.places) - 1, 1, 0, 3)), squares(gaussian_sums(added, *self.compared))
        return self.profile.of_terms(1).filled(rates, change, sums, 0.0, 1)[0]

    def slope(self, added: Array, along: Array) -> float:
        members, first = len(self.places) - 1, self.places[0]
        events = self.standard + added[first : self.places[-1]]
        by_member = [slice(*each) for each in itertools.pairwise(self.places.tolist())]
        shown = ((events[each.start - first : each.stop - first], along[each]) for each in by_member)
        rates = np.concatenate([np.empty(0), *(each for pair in shown for each in pair)])
        sums = squares(gaussian_sums(added, *self.compared))
        slopes = gaussian_slopes(added, along, *self.compared)[:, None] / 2
        np.divide(slopes, sums[..., 0], out=sums[..., 1], where=sums[..., 0] > 0)
        return self.profile.of_terms(2).filled(rates, np.tile(LINE, (members, 1, 1, 1)), sums, 0.0, 3)[1]

    def compiled(self) -> Compiled:
        inner, sums, as_squares = self.profile.of_terms(1).compiled(), compiled(gaussian_sums), compiled(squares)
        standard, places = self.standard, self.places
        own, difference, predicted, direction, norm = self.compared

        def chi2(added: Array) -> float:
            rates = standard + added[places[0] : places[-1]]
            others = as_squares(sums(added, own, difference, predicted, direction, norm))
            found: float = inner(rates, np.empty((len(places) - 1, 1, 0, 3)), others, 0.0)
            return found

        return compiled(chi2)


def squares(values: Array) -> Array:
    """Numbers, shape (members, 3), as coefficients of sums of squares that are constant: (members, 1, 3, SQUARES)."""
    found = np.zeros((len(values), 1, 3, 6))
    found[:, 0, :, 0] = np.sqrt(values)
    return found


@dataclass(frozen=True, eq=False)
class FreeRow:
    """chi2 where the row parameter varies; a kind of `Pointwise`."""

    signal: Signal
    parts: tuple[Alone | FittedBins, ...]

    def chi2(self, row: float, x: float) -> float:
        added = self.signal.added(row, x)
        return sum(part.chi2(added) for part in self.parts)

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        added = self.signal.added(row, x)
        along_row, along_x = (
            sum(part.slope(added, along) for part in self.parts) for along in self.signal.slopes(row, x)
        )
        return along_row, along_x

    def compiled(self) -> Compiled:
        added, *parts = self.signal.compiled(), *(part.compiled() for part in self.parts)
        found = parts[0]
        for part in parts[1:]:
            found = _with_part(found, part)

        def chi2(row: float, x: float) -> float:
            total: float = found(added(row, x))
            return total

        return compiled(chi2)


def _with_part(first: Compiled, second: Compiled) -> Compiled:
    def total(added: Array) -> float:
        found: float = first(added) + second(added)
        return found

    return compiled(total)


# How all of it is made ----------------------------------------------------------------------------------------------


def pointwise(
    found: Likelihood,
    settings: Settings,
    interaction: Interaction,
    row: dict[str, Array],
    experiments: Sequence[Experiment],
    observed: Sequence[Experiment],
    is_free: bool,
) -> Pointwise:
    """chi2 at points, at one setting.

    Parameters
    ----------
    found : Likelihood
        That of one row.
    settings : Settings
        Scalars.
    interaction : Interaction
    row : dict of str to array, shape (1,)
        The row parameters of that row.
    experiments, observed : sequence of Experiment
        The members; and those that have the data, see `fastscan.likelihoods.likelihood.contact_sums`.
    is_free : bool
        Whether the row parameter varies; else it is that of the row.

    Raises
    ------
    ModelError
        Where it varies, and the interaction doesn't say how it acts.
    """
    columns, _ = found.columns(np.zeros((), np.intp), settings)
    others, blocks = (columns.others, columns.blocks) if isinstance(columns, PoissonColumns) else (columns, ())
    assert isinstance(others, GaussianColumns)
    linked = found.blocks
    alone = [number for number in range(len(found.members)) if not any(number in block for block in linked)]
    if not is_free:
        return FixedRow.of(others, alone, blocks)
    order = [*alone, *(number for block in linked for number in block)]
    members = [_bins(found, number, experiments[number], observed[number]) for number in order]
    ends = np.cumsum([0, *(each.standard.size for each in members)])
    place = {number: ends[index : index + 2] for index, number in enumerate(order)}
    everywhere = [np.concatenate(each) for each in zip(*(member.compared for member in members), strict=True)]

    def compared(numbers: Sequence[int]) -> tuple[Any, ...]:
        places = np.array([place[number] for number in numbers], np.intp).reshape(-1, 2)
        return (places, *everywhere, found.norm[list(numbers)])

    parts: list[Alone | FittedBins] = []
    if alone:
        parts.append(Alone(compared(alone), others.noise[alone, 0], others.variance[alone, 0]))
    standard = np.concatenate([member.standard for member in members])
    for numbers, block in zip(linked, blocks, strict=True):
        counted = numbers[: len(block.counts)]
        first = place[numbers[0]][0]
        places = np.array([first, *(place[number][1] for number in counted)])
        own = standard[places[0] : places[-1]]
        parts.append(FittedBins(Profile.of(block), own, places, compared(numbers[len(counted) :])))
    return FreeRow(_signal(found, interaction, row, members, [experiments[number] for number in order]), tuple(parts))


@dataclass(frozen=True, eq=False)
class _Bins:
    """What a member compares in bins, over their errors; of one with counted events, bins of energy of each neutrino.

    Attributes
    ----------
    standard : array, shape (bins,)
        The Standard Model's signal.
    compared : tuple of array, shape (bins,)
        Difference, prediction and direction, see `gaussian_sums`; 0 for counted events.
    rates : array, shape (features, bins)
        Events per unit of each weak feature; empty where the likelihood has exchanges.
    exchange : tuple of (array, array) or None
        q^2 at the nodes, and events of each term at each, see `fastscan.likelihoods.exchanges.Exchange`.
    """

    standard: Array
    compared: tuple[Array, Array, Array]
    rates: Array
    exchange: tuple[Array, Array] | None


def _bins(found: Likelihood, number: int, experiment: Experiment, observed: Experiment) -> _Bins:
    made = found.exchanges[number] if found.exchanges else None
    counted = found.counted[number] if found.counted else None
    if counted is not None:
        standard, *rates = counted.rates[0].reshape(counted.rates.shape[1], -1)
        nothing = np.zeros_like(standard)
        exchange = None if made is None else (made.transfer2, made.events)
        return _Bins(standard, (nothing, nothing, nothing), np.array(rates), exchange)
    if made is None:
        signal, rates, counts = in_bins(experiment, observed)
    else:
        assert made.counts is not None, "a member without counted events has Gaussian ones"
        signal, rates, counts = made.signal, np.empty((0, made.signal.size)), made.counts
    error = np.sqrt(counts.variance)
    data, predicted = counts.data / error, signal + counts.background
    norm = np.linalg.norm(data)
    compared = (counts.data - predicted) / error, predicted / error, data / norm if norm > 0 else data
    exchange = None if made is None else (made.transfer2, made.events / error)
    return _Bins(signal / error, compared, rates / error, exchange)


def _signal(
    found: Likelihood,
    interaction: Interaction,
    row: dict[str, Array],
    members: Sequence[_Bins],
    experiments: Sequence[Experiment],
) -> Signal:
    """How the events of members in their order depend on the row parameter."""
    if found.exchanges and interaction.mediator is not None:
        mass = row[interaction.mediator.name] * MEV
        return _exchanged(interaction, row, mass[:, None], members, experiments)
    channels: list[Channel] = list(dict.fromkeys(each for one in experiments for each in one.channels))
    shifts = [interaction.row_shifts(channel) for channel in channels]
    if found.exchanges or any(each is None for each in shifts):
        names = ", ".join(row)
        raise ModelError(f"model {quoted(interaction.name)} doesn't say how {names} acts at a point: fix it")
    return _shifted(channels, [each for each in shifts if each is not None], members, experiments)


def _exchanged(
    interaction: Interaction,
    row: dict[str, Array],
    mass: Array,
    members: Sequence[_Bins],
    experiments: Sequence[Experiment],
) -> Exchanged:
    """The signal of a mediator, from the events of its terms in a row of some mass in MeV, shape (1, 1)."""
    by_power: dict[int, list[Array]] = {1: [], 2: []}
    for member, experiment in zip(members, experiments, strict=True):
        assert member.exchange is not None
        transfer2, events = member.exchange
        terms = [term for each in terms_of(interaction, experiment.channels, row) for term in each]
        factors = [(term.at(transfer2) / propagator(mass, transfer2) ** term.power)[0] for term in terms]
        for power, found in by_power.items():
            own = (number for number, term in enumerate(terms) if term.power == power)
            found.append(sum((factors[each][:, None] * events[each] for each in own), np.zeros(events.shape[1:])))
    transfers = [member.exchange[0] for member in members if member.exchange is not None]
    sizes = [[each.size for each in transfers], [member.standard.size for member in members]]
    places = np.array([np.cumsum([0, *each]) for each in sizes])
    return Exchanged(np.concatenate(transfers), places, tuple(by_power[1]), tuple(by_power[2]))


def _shifted(
    channels: Sequence[Channel],
    shifts: Sequence[RowShifts],
    members: Sequence[_Bins],
    experiments: Sequence[Experiment],
) -> Shifted:
    """The signal of shifted couplings; a pair of them is that of a channel, a final and an incoming flavour."""
    moved = [((each.start != 0) | (each.growth != 0)).any(axis=(0, 3)) for each in shifts]
    found = [(number, *flavours) for number, each in enumerate(moved) for flavours in np.argwhere(each).tolist()]
    pairs = found or [(0, 0, 0)]  # which stays where it is

    def of_pairs(name: str) -> Array:
        each = [getattr(shifts[number], name)[:, final, flavour] for number, final, flavour in pairs]
        together: Array = np.concatenate(np.moveaxis(np.array(each), -1, 0)).T  # (functions, 2 pairs)
        return np.ascontiguousarray(together)

    couplings = [
        standard_model.couplings(channels[number])[flavour] * (final == flavour) for number, final, flavour in pairs
    ]
    rates = [
        np.concatenate(
            [
                _of_feature(*member, channels[number], flavour, feature)
                for member in zip(members, experiments, strict=True)
            ]
        )
        for feature in range(3)
        for number, _, flavour in pairs
    ]
    first = shifts[0]
    return Shifted(
        first.functions,
        first.derivatives,
        np.ascontiguousarray(np.array(couplings).T),
        of_pairs("start"),
        of_pairs("growth"),
        np.array(rates),
    )


def _of_feature(member: _Bins, experiment: Experiment, channel: Channel, flavour: int, feature: int) -> Array:
    """Events of a member per unit of a feature of a channel and a flavour, shape (bins,)."""
    if channel not in experiment.channels:
        return np.zeros_like(member.standard)
    number = flavour * len(experiment.channels) + experiment.channels.index(channel)
    found: Array = member.rates[3 * number + feature]
    return found
