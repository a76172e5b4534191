"""chi2 of one interaction at single points, and its slopes, from numbers that are prepared once.

In `FixedRow` the row parameter is fixed, or there is none: chi2 is a quotient of two sums of squares in x.  In
`FreeRow` it varies, and the events in each bin are computed at each point, see `fastscan.likelihoods.signals`.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from fastscan.errors import ModelError, warn
from fastscan.experiments.experiment import Experiment
from fastscan.interactions.interaction import Interaction
from fastscan.kernels.squares import SQUARES
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.modelled import ModelledBlock, ModelledCounts
from fastscan.likelihoods.poisson import NEGATIVE, Block, PoissonColumns
from fastscan.likelihoods.settings import Settings
from fastscan.likelihoods.signals import Compiled, Signal, bins_of, compiled, signal_of
from fastscan.typing import Array, IntArray

UPPER = np.tri(3, dtype=bool).T  # elements of a matrix
NO_OTHERS = np.empty((0, 1, 3, SQUARES))
LINE = np.array([0.0, 1.0, 0.0])  # y as a polynomial in y


class Pointwise(Protocol):
    """chi2 at points."""

    def chi2(self, row: float, x: float) -> float:
        """chi2 at a point; infinite where nothing is expected in a bin that has data."""

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        """The derivatives of chi2 in the row parameter and in x; nan where chi2 is infinite."""

    def compiled(self) -> Compiled:
        """`chi2` as a function for compiled code, which warns of nothing."""


def _sum(first: Compiled, second: Compiled) -> Compiled:
    """The sum of two functions of one argument for compiled code."""

    def total(argument: Any) -> float:
        found: float = first(argument) + second(argument)
        return found

    return compiled(total)


# Members that are fitted together -----------------------------------------------------------------------------------


@functools.cache
def _kernel() -> Any:
    """The compiled kernel of counted events, on one thread; numba is imported when this is first called."""
    from fastscan.kernels.poisson import profiles

    return profiles.compiled


def kernel_arguments(
    constants: tuple[Array, ...], sizes: IntArray, rates: Array, change: Array, sums: Array, x: float, out: Array
) -> tuple[Any, ...]:
    """What `fastscan.kernels.poisson.profiles` takes at one point of one row; all but the constants is as there."""
    arriving, bin_of, effects, products, background, norm, noise, variance, common, data, centres, origin = constants
    counted, row = (sizes, rates, arriving, bin_of, effects, products, background), np.zeros(1, np.intp)
    settings = noise, variance, common
    return counted, change, (sums, norm), row, np.array([x]), settings, data, centres, row, origin, out, 0, 1


@dataclass(frozen=True, eq=False)
class Profile:
    """What the kernel of counted events needs of a block at one setting, whatever the signal.

    Attributes
    ----------
    sizes : array of int, shape (members, 8)
        See the kernel.
    constants : tuple of array
        Arriving, bin_of, effects, products and background of the members with counted events, and the norms of the
        Gaussian ones; noise, variance and common; data, centres and origin.
    lost : float
        See `Block.lost`.
    """

    sizes: IntArray
    constants: tuple[Any, ...]
    lost: float

    @classmethod
    def of(cls, block: Block) -> "Profile | ModelledProfile":
        """That of a block of one column and one row."""
        if isinstance(block, ModelledBlock):
            return ModelledProfile(block)
        sizes, _, *counted = block.counted
        settings, centres = (block.noise, block.variance, block.common), np.zeros((1, block.nuisances))
        constants = (*counted, block.norm, *settings, block.data[None], centres, block.origin)
        return cls(sizes, constants, block.lost.item())

    def of_terms(self, terms: int) -> "Profile":
        """The same, where the signal of each member has so many terms."""
        sizes = self.sizes.copy()
        sizes[:, :2] = 1, terms
        return replace(self, sizes=sizes)

    def filled(self, rates: Array, change: Array, sums: Array, x: float, width: int) -> Array:
        """The first numbers that the kernel computes at a point, shape (width,), with a warning where it has one."""
        out = np.empty((1, width))
        if _kernel()(*kernel_arguments(self.constants, self.sizes, rates, change, sums, x, out)):
            warn(NEGATIVE)
        out[0, 0] += self.lost
        found: Array = out[0]
        return found

    def compiled(self) -> Compiled:
        """The first number of `filled` as a function of rates, change, sums and x for compiled code."""
        every, constants, sizes, lost = compiled(kernel_arguments), self.constants, self.sizes, self.lost
        numbers = np.empty(1), np.empty((1, 1, 1, 3)), np.empty((1, 1, 3, SQUARES))
        run = _by_address(_kernel(), kernel_arguments(constants, sizes, *numbers, 0.0, np.empty((1, 1))))

        def chi2(rates: Array, change: Array, sums: Array, x: float) -> float:
            # Compiled code takes arrays from outside for constants, and the kernel's are none.
            a, b, c, d, e, f, g, h, i, j, k, m = constants
            first = a.copy(), b.copy(), c.copy(), d.copy(), e.copy(), f.copy()
            own = (*first, g.copy(), h.copy(), i.copy(), j.copy(), k.copy(), m.copy())
            out = np.empty((1, 1))
            run(*every(own, sizes.copy(), rates, change, sums, x, out))
            found: float = out[0, 0] + lost
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class ModelledProfile:
    """As `Profile`, of a block of members that compare with models."""

    block: ModelledBlock

    def of_terms(self, terms: int) -> "ModelledProfile":
        """See `Profile.of_terms`; the signal itself says how many there are."""
        return self

    def filled(self, rates: Array, change: Array, sums: Array, x: float, width: int) -> Array:
        """See `Profile.filled`."""
        counts: list[ModelledCounts] = []
        first = 0
        for each in self.block.counts:
            neutrinos, energies = each.rates.shape[2:]
            terms = 1 + change.shape[2]
            own = rates[first : first + terms * neutrinos * energies]
            counts.append(replace(each, rates=own.reshape(1, terms, neutrinos, energies)))
            first += own.size
        block = replace(self.block, counts=tuple(counts), change=change, sums=sums)
        nothing = np.zeros(1, np.intp)
        found: Array = block.filled(nothing, np.full(1, x), nothing, width)[0][0]
        return found

    def compiled(self) -> Compiled:
        """It is refused."""
        raise ModelError("a fitted model of backgrounds has no compiled code to call: call the likelihood itself")


def _by_address(function: Any, arguments: tuple[Any, ...]) -> Any:
    """A compiled function as one that compiled code calls by its address, for arguments like some.

    Otherwise numba would optimise it again with each of its callers, which takes ten seconds for the kernel.
    """
    from numba import typeof
    from numba.core.types import WrapperAddressProtocol

    types = tuple(map(typeof, arguments))
    function.compile(types)
    found = function.overloads[types]

    class Address(WrapperAddressProtocol):
        def __wrapper_address__(self) -> int:
            address: int = found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name)
            return address

        def signature(self) -> Any:
            return found.signature

    return Address()


# One row ------------------------------------------------------------------------------------------------------------


def quotients(coefficients: Sequence[Sequence[float]], x: float) -> float:
    """Sum over members of u / (noise + w), where u and w are sums of squares.

    Parameters
    ----------
    coefficients : sequence of 13 floats
        Of each member c0 to c5 of u, see `fastscan.kernels.squares`, those of w, and the noise.
    x : float
    """
    total = 0.0
    for a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5, noise in coefficients:
        first, second, square = a0 + x * (a1 + x * a2), x * (a3 + x * a4), x * x * x * x
        under, below = b0 + x * (b1 + x * b2), x * (b3 + x * b4)
        u = first * first + second * second + a5 * square
        total += u / (noise + under * under + below * below + b5 * square)
    return total


def slope_of_quotients(coefficients: Sequence[Sequence[float]], x: float) -> float:
    """The derivative of `quotients` in x."""
    total = 0.0
    for member in coefficients:
        u, u_slope = square_and_slope(member[:SQUARES], x)
        w, w_slope = square_and_slope(member[SQUARES:-1], x)
        over = 1 / (member[-1] + w)
        total += (u_slope - u * over * w_slope) * over
    return total


def square_and_slope(c: Sequence[float], x: float) -> tuple[float, float]:
    """A sum of squares and its derivative in x, see `fastscan.kernels.squares`, in plain numbers.

    >>> square_and_slope((1.0, 2.0, 0.0, 1.0, 0.0, 0.0), 2.0)  # (1 + 2 x)^2 + x^2
    (29.0, 24.0)
    """
    first, second = c[0] + x * (c[1] + x * c[2]), x * (c[3] + x * c[4])
    rises = first * (c[1] + 2 * x * c[2]) + second * (c[3] + 2 * x * c[4])
    return first * first + second * second + c[5] * x**4, 2 * rises + 4 * c[5] * x**3


def merged(one: Array, other: Array) -> Array:
    """The coefficients of one sum of squares that is the sum of two, shape (SQUARES,).

    >>> found = merged(np.array([3.0, 0, 0, 0, 0, 0]), np.array([0.0, 4.0, 0, 0, 0, 0]))  # 9 + 16 x^2
    >>> [round(each, 12) for each in square_and_slope(found.tolist(), 1.0)]
    [25.0, 32.0]
    """
    roots = np.zeros((2, 3, 3))  # the lengths of their combinations of 1, x and x^2 are the sums
    roots[:, UPPER] = [[*c[:5], np.sqrt(c[5])] for c in (one, other)]
    factor = np.linalg.qr(roots.reshape(6, 3), mode="r")[UPPER]
    return np.array([*factor[:5], factor[5] ** 2])


def _scaled(c: Array, factor: float) -> Array:
    """The coefficients of a sum of squares times a factor."""
    return np.array([*(c[:5] * np.sqrt(factor)), c[5] * factor])


@dataclass(frozen=True, eq=False)
class FittedColumn:
    """A block of one column and one row; the attributes are arguments of `Profile.filled`."""

    profile: Profile | ModelledProfile
    rates: Array
    change: Array
    sums: Array

    @classmethod
    def of(cls, block: Block) -> "FittedColumn":
        return cls(Profile.of(block), block.rates, block.change, block.sums)

    def filled(self, x: float, width: int) -> Array:
        """The first numbers that the kernel computes at a strength, shape (width,)."""
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
        See `quotients`, of the members that nothing links to others.
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
            s_dd, det, s_mm = columns.sums[member, columns.row[0]]
            noise, variance = float(columns.noise[member, 0]), float(columns.variance[member, 0])
            both = merged(s_dd, _scaled(det, variance / noise)), _scaled(s_mm, variance)
            coefficients.append((*np.concatenate(both).tolist(), noise))
        return cls(tuple(coefficients), tuple(map(FittedColumn.of, blocks)))

    def chi2(self, row: float, x: float) -> float:
        total = quotients(self.coefficients, x)
        for block in self.blocks:
            total += float(block.filled(x, 1)[0])
        return total

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        blocks = sum(float(block.filled(x, 3)[1]) for block in self.blocks)
        return 0.0, slope_of_quotients(self.coefficients, x) + blocks

    def compiled(self) -> Compiled:
        along, coefficients = compiled(quotients), np.array(self.coefficients).reshape(-1, 2 * SQUARES + 1)

        def alone(x: float) -> float:
            found: float = along(coefficients, x)
            return found

        total = functools.reduce(_sum, (block.compiled() for block in self.blocks), compiled(alone))
        return compiled(lambda row, x: total(x))


# Many rows ----------------------------------------------------------------------------------------------------------


def gaussian_sums(
    added: Array, places: IntArray, difference: Array, predicted: Array, direction: Array, norm: Array
) -> Array:
    """S_dd, D and S_mm of some members, see `fastscan.likelihoods.gaussian`, shape (members, 3).

    Parameters
    ----------
    added : array, shape (bins,)
        Events beside the Standard Model's in all bins of all members.
    places : array of int, shape (members, 2)
        The number of each member's first bin, and of the one after its last.
    difference, predicted, direction : array, shape (bins,)
        See `fastscan.likelihoods.signals.Bins`.
    norm : array, shape (members,)
        Sum of the squared data over their variance.
    """
    found = np.empty((len(places), 3))
    for member in range(len(places)):
        own = slice(places[member, 0], places[member, 1])
        d, m = difference[own] - added[own], predicted[own] + added[own]
        across = d - (d @ direction[own]) * direction[own]
        found[member] = d @ d, norm[member] * (across @ across), m @ m
    return found


def slopes_of_sums(
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
    for member, own in enumerate(itertools.starmap(slice, places)):
        d, m = difference[own] - added[own], predicted[own] + added[own]
        across = d - (d @ direction[own]) * direction[own]
        found[member] = -2 * (d @ along[own]), -2 * norm[member] * (across @ along[own]), 2 * (m @ along[own])
    return found


def gaussian_chi2(sums: Array, noise: Array, variance: Array) -> Array:
    """chi2 of each member from its sums, see `fastscan.kernels.gaussian`, shape (members,)."""
    found: Array = (sums[:, 0] + sums[:, 1] * (variance / noise)) / (noise + sums[:, 2] * variance)
    return found


def squares(values: Array) -> Array:
    """Numbers, shape (members, 3), as sums of squares that are constant, shape (members, 1, 3, SQUARES)."""
    found = np.zeros((len(values), 1, 3, SQUARES))
    found[:, 0, :, 0] = np.sqrt(values)
    return found


@dataclass(frozen=True, eq=False)
class GaussianBins:
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

    def slopes(self, added: Array, directions: Sequence[Array]) -> list[float]:
        """The derivatives of chi2 along changes of what is added."""
        sums = gaussian_sums(added, *self.compared)
        chi2, over = gaussian_chi2(sums, self.noise, self.variance), 1 / (self.noise + sums[:, 2] * self.variance)
        weights = np.stack([over, over * self.variance / self.noise, -chi2 * over * self.variance], axis=-1)
        return [float((weights * slopes_of_sums(added, each, *self.compared)).sum()) for each in directions]

    def compiled(self) -> Compiled:
        sums, of_sums, noise, variance = compiled(gaussian_sums), compiled(gaussian_chi2), self.noise, self.variance
        places, difference, predicted, direction, norm = self.compared

        def chi2(added: Array) -> float:
            found: float = of_sums(sums(added, places, difference, predicted, direction, norm), noise, variance).sum()
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class FittedBins:
    """A block at one setting.

    The kernel gets the events as signals without features, and for a slope as signals with one feature that grows with
    y, at y = 0.

    Attributes
    ----------
    value, line : Profile
        For signals of one term, and of two.
    standard : array, shape (bins,)
        The Standard Model's events of the members with counted events, in bins of energy of each neutrino.
    places : array of int, shape (members + 1,)
        The numbers of the first of these bins of each such member among the bins of all members, and of the one after
        the last; they are neighbours.
    compared : tuple of array
        What `gaussian_sums` takes beside what is added, of the other members.
    """

    value: Profile | ModelledProfile
    line: Profile | ModelledProfile
    standard: Array
    places: IntArray
    compared: tuple[Any, ...]

    def chi2(self, added: Array) -> float:
        rates = self.standard + added[self.places[0] : self.places[-1]]
        others = squares(gaussian_sums(added, *self.compared)) if len(self.compared[0]) else NO_OTHERS
        return float(self.value.filled(rates, np.empty((len(self.places) - 1, 1, 0, 3)), others, 0.0, 1)[0])

    def slopes(self, added: Array, directions: Sequence[Array]) -> list[float]:
        """The derivatives of chi2 along changes of what is added."""
        events, sums = self.standard + added[self.places[0] : self.places[-1]], gaussian_sums(added, *self.compared)
        change = np.broadcast_to(LINE, (len(self.places) - 1, 1, 1, 3)).copy()
        found = []
        for along in directions:
            rates, others = [np.empty(0)], squares(sums)
            for first, last in itertools.pairwise(self.places):
                rates += [events[first - self.places[0] : last - self.places[0]], along[first:last]]
            half = slopes_of_sums(added, along, *self.compared)[:, None] / 2
            np.divide(half, others[..., 0], out=others[..., 1], where=others[..., 0] > 0)
            found.append(float(self.line.filled(np.concatenate(rates), change, others, 0.0, 3)[1]))
        return found

    def compiled(self) -> Compiled:
        inner, sums, as_squares = self.value.compiled(), compiled(gaussian_sums), compiled(squares)
        standard, first, last, members = self.standard, self.places[0], self.places[-1], len(self.places) - 1
        own, difference, predicted, direction, norm = self.compared

        def chi2(added: Array) -> float:
            others = as_squares(sums(added, own, difference, predicted, direction, norm))
            found: float = inner(standard + added[first:last], np.empty((members, 1, 0, 3)), others, 0.0)
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class FreeRow:
    """chi2 where the row parameter varies; a kind of `Pointwise`.

    Attributes
    ----------
    signal : Signal
    parts : tuple of GaussianBins or FittedBins
        Their chi2 add up.
    """

    signal: Signal
    parts: tuple[GaussianBins | FittedBins, ...]

    def chi2(self, row: float, x: float) -> float:
        added = self.signal.added(row, x)
        return sum(part.chi2(added) for part in self.parts)

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        added, directions = self.signal.added(row, x), self.signal.slopes(row, x)
        along_row, along_x = map(sum, zip(*(part.slopes(added, directions) for part in self.parts), strict=True))
        return along_row, along_x

    def compiled(self) -> Compiled:
        events, of_events = self.signal.compiled(), functools.reduce(_sum, (part.compiled() for part in self.parts))

        def chi2(row: float, x: float) -> float:
            found: float = of_events(events(row, x))
            return found

        return compiled(chi2)


def pointwise(
    found: Likelihood,
    settings: Settings,
    interaction: Interaction,
    row: Mapping[str, Array],
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
    row : mapping of str to array, shape (1,)
        The row parameters of that row.
    experiments, observed : sequence of Experiment
        The members; and those that have the data, see `fastscan.likelihoods.likelihood.contact_sums`.
    is_free : bool
        Whether the row parameter varies; else it is that of the row.

    Raises
    ------
    ModelError
        See `fastscan.likelihoods.signals.signal_of`.
    """
    columns, _ = found.columns(np.zeros((), np.intp), settings)
    others, blocks = (columns.others, columns.blocks) if isinstance(columns, PoissonColumns) else (columns, ())
    assert isinstance(others, GaussianColumns)
    alone = [number for number in range(len(found.members)) if all(number not in each for each in found.blocks)]
    if not is_free:
        return FixedRow.of(others, alone, blocks)
    order = [*alone, *itertools.chain(*found.blocks)]
    members = [bins_of(found, number, experiments[number], observed[number]) for number in order]
    ends = np.cumsum([0, *(each.standard.size for each in members)])
    place = {number: (ends[index], ends[index + 1]) for index, number in enumerate(order)}
    everywhere = [
        np.concatenate([getattr(each, name) for each in members]) for name in ("difference", "predicted", "direction")
    ]

    def compared(numbers: list[int]) -> tuple[Any, ...]:
        places = np.array([place[number] for number in numbers], np.intp).reshape(len(numbers), 2)
        return (places, *everywhere, found.norm[numbers])

    parts: list[GaussianBins | FittedBins] = []
    if alone:
        parts.append(GaussianBins(compared(alone), others.noise[alone, 0], others.variance[alone, 0]))
    for numbers, block in zip(found.blocks, blocks, strict=True):
        counted = numbers[: len(block.counts)]
        places = np.array([place[numbers[0]][0], *(place[number][1] for number in counted)])
        standard = [np.empty(0), *(members[order.index(number)].standard for number in counted)]
        profile = Profile.of(block)
        parts.append(
            FittedBins(
                value=profile.of_terms(1),
                line=profile.of_terms(2),
                standard=np.concatenate(standard),
                places=places,
                compared=compared(numbers[len(counted) :]),
            )
        )
    return FreeRow(signal_of(interaction, row, members, [experiments[number] for number in order]), tuple(parts))
