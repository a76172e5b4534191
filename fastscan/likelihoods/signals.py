"""Added events at single points: how they depend on a row parameter and on the strength x.

Added events are the events that an interaction adds to the Standard Model's.  Samplers and minimisers ask for one point
at a time, where broadcasting costs a thousand times as much as the arithmetic.  A point is a value of the interaction's
row parameter, in the unit of its axis, and a strength x.  The row parameter either shifts the couplings, or is the mass
of a mediator.

The functions at a point are plain Python and NumPy, and `compiled` gives the same functions to numba.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from fastscan.errors import ModelError, quoted
from fastscan.experiments.experiment import Experiment
from fastscan.interactions import standard_model
from fastscan.interactions.interaction import Interaction, RowShifts
from fastscan.interactions.light import propagator
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.member import in_bins
from fastscan.likelihoods.predictions import terms_of
from fastscan.typing import Array, Channel

MEV = 1e3  # per GeV, the unit of a row parameter that is a mass
Compiled = Callable[..., Any]
Places = tuple[tuple[int, int, int, int], ...]


def compiled(function: Callable[..., Any], inline: Literal["always", "never"] = "always") -> Compiled:
    """A function for compiled code, which is compiled with each of its callers; numba is imported at the call."""
    from numba import njit

    found: Compiled = njit(error_model="numpy", inline=inline)(function)
    return found


def sum_of(first: Compiled, second: Compiled) -> Compiled:
    """The sum of two functions of one argument for compiled code."""

    def total(argument: Any) -> float:
        found: float = first(argument) + second(argument)
        return found

    return compiled(total)


class Signal(Protocol):
    """Added events in all bins of all members, one member after the other."""

    def added(self, row: float, x: float) -> Array:
        """The events at a point, shape (bins,)."""

    def slopes(self, row: float, x: float) -> tuple[Array, Array]:
        """The derivatives of the events in the row parameter and in x, each of shape (bins,)."""

    def compiled(self) -> Compiled:
        """`added` as a function for compiled code."""


@dataclass(frozen=True, eq=False)
class Bins:
    """The bins of a member: bins with a variance, in units of their errors, or bins of energy by neutrino.

    The latter are those of a member with counted events.

    Attributes
    ----------
    standard : array, shape (bins,)
        The Standard Model's signal.
    difference, predicted, direction : array, shape (bins,)
        Data minus prediction and the prediction, both in the Standard Model, and the data normalised to length 1; 0
        where events are counted.
    rates : array, shape (features, bins)
        Events per unit of each weak feature, see `fastscan.likelihoods.predictions.weak_rates`.
    transfer2 : array, shape (nodes,)
    exchanged : array, shape (terms, nodes, bins)
        See `fastscan.likelihoods.exchanges.Exchange`; there are no nodes where nothing is exchanged.
    """

    standard: Array
    difference: Array
    predicted: Array
    direction: Array
    rates: Array
    transfer2: Array
    exchanged: Array


def bins_of(found: Likelihood, number: int, experiment: Experiment, observed: Experiment) -> Bins:
    """The bins of a member of a likelihood of one row.

    Parameters
    ----------
    found : Likelihood
    number : int
        The number of the member.
    experiment, observed : Experiment
        See `fastscan.likelihoods.member.contact_sums`.
    """
    made = found.exchanges[number] if found.exchanges else None
    counted = found.counted[number] if found.counted else None
    transfer2, exchanged = (np.empty(0), np.empty((0, 0, 1))) if made is None else (made.transfer2, made.events)
    if counted is not None:
        standard, *rates = counted.rates[0].reshape(counted.rates.shape[1], -1)
        nothing = np.zeros_like(standard)
        return Bins(standard, nothing, nothing, nothing, np.array(rates), transfer2, exchanged)
    if made is None:
        signal, weak, counts = in_bins(experiment, observed)
    else:
        assert made.counts is not None, "a member without counted events has Gaussian ones"
        signal, weak, counts = made.signal, np.empty((0, made.signal.size)), made.counts
    error = np.sqrt(counts.variance)
    data, predicted = counts.data / error, signal + counts.background
    norm = np.linalg.norm(data)
    return Bins(
        standard=signal / error,
        difference=(counts.data - predicted) / error,
        predicted=predicted / error,
        direction=data / norm if norm > 0 else data,
        rates=weak / error,
        transfer2=transfer2,
        exchanged=exchanged / error,
    )


def signal_of(
    interaction: Interaction, row: Mapping[str, Array], members: Sequence[Bins], experiments: Sequence[Experiment]
) -> Signal:
    """How the events of members depend on the row parameter.

    Parameters
    ----------
    interaction : Interaction
    row : mapping of str to array, shape (1,)
        The value of the row parameter in the row from which the members are made.
    members : sequence of Bins
    experiments : sequence of Experiment
        The experiment of each member.

    Raises
    ------
    ModelError
        Where the row parameter is neither a mediator's mass nor known to shift the couplings.
    """
    if interaction.mediator is not None:
        return _exchanged(interaction, row, row[interaction.mediator.name] * MEV, members, experiments)
    channels: list[Channel] = list(dict.fromkeys(channel for each in experiments for channel in each.channels))
    shifts = {channel: interaction.row_shifts(channel) for channel in channels}
    known = {channel: each for channel, each in shifts.items() if each is not None}
    if len(known) < len(shifts):
        raise ModelError(f"model {quoted(interaction.name)} can't be prepared unless {', '.join(row)} is fixed")
    return _shifted(known, members, experiments)


# Couplings that are shifted -----------------------------------------------------------------------------------------


def interference(pair: Array, other: Array) -> Array:
    """The features of the sum of two pairs of couplings, minus the features of each pair.

    Parameters
    ----------
    pair, other : array, shape (2, pairs)
        The first coupling of all pairs, then the second coupling.

    Returns
    -------
    array, shape (3 pairs,)
        See `fastscan.interactions.standard_model.interference`: the first feature of all pairs, then the second and
        the third feature.
    """
    return np.concatenate((2 * pair[0] * other[0], pair[0] * other[1] + pair[1] * other[0], 2 * pair[1] * other[1]))


@dataclass(frozen=True, eq=False)
class Shifted:
    """The signal of couplings g that become g + s, where s = sum_j f_j(row) (start_j + x growth_j).

    s adds to the features of g the interference of g + s/2 with s.  The derivative of these features is the
    interference of g + s with the derivative of s.

    Attributes
    ----------
    functions, derivatives : callable
        The f_j and their derivatives, see `fastscan.interactions.interaction.RowShifts`.
    couplings : array, shape (2, pairs)
        The Standard Model's couplings, which are 0 where the flavour changes.
    start, growth : array, shape (functions, 2 pairs)
        The first coupling of all pairs, then the second coupling.
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
        values, line, shape = self.functions(row), self.start + x * self.growth, self.couplings.shape
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


def _shifted(
    shifts: Mapping[Channel, RowShifts], members: Sequence[Bins], experiments: Sequence[Experiment]
) -> Shifted:
    """The signal of shifted couplings; each pair belongs to a channel, a final flavour and an incoming flavour."""
    pairs = [
        (channel, final, flavour)
        for channel, each in shifts.items()
        for final, flavour in np.argwhere(((each.start != 0) | (each.growth != 0)).any(axis=(0, 3))).tolist()
    ]
    pairs = pairs or [(next(iter(shifts)), 0, 0)]  # a pair that isn't shifted
    start, growth = (
        np.stack([getattr(shifts[channel], name)[:, final, flavour] for channel, final, flavour in pairs], axis=-1)
        for name in ("start", "growth")
    )  # (functions, 2, pairs)
    couplings = [(final == flavour) * standard_model.couplings(channel)[flavour] for channel, final, flavour in pairs]
    both = list(zip(members, experiments, strict=True))
    rates = [
        np.concatenate([_of_feature(*each, channel, flavour, feature) for each in both])
        for feature, (channel, _, flavour) in itertools.product(range(3), pairs)
    ]
    first = next(iter(shifts.values()))
    return Shifted(
        functions=first.functions,
        derivatives=first.derivatives,
        couplings=np.ascontiguousarray(np.transpose(couplings)),
        start=start.reshape(len(start), -1),
        growth=growth.reshape(len(growth), -1),
        rates=np.array(rates),
    )


def _of_feature(member: Bins, experiment: Experiment, channel: Channel, flavour: int, feature: int) -> Array:
    """Events of a member per unit of a feature of a channel and a flavour, shape (bins,)."""
    if channel not in experiment.channels:
        return np.zeros_like(member.standard)
    place = flavour * len(experiment.channels) + experiment.channels.index(channel)
    found: Array = member.rates[3 * place + feature]
    return found


# A mediator that is exchanged ---------------------------------------------------------------------------------------


def propagated(row: float, transfer2: Array) -> Array:
    """The propagator 1 / (q^2 + M^2) in MeV^-2 for a mass M in GeV, at q^2 in MeV^2, shape (nodes,)."""
    found: Array = 1 / (transfer2 + (MEV * row) ** 2)
    return found


def contracted(
    linear: Array, square: Array, places: Places, of_linear: tuple[Array, ...], of_square: tuple[Array, ...]
) -> Array:
    """Events in all bins, one member after the other: sums over each member's nodes of factors times events.

    Parameters
    ----------
    linear, square : array, shape (nodes of all members,)
        Factors at the nodes.
    places : tuple of tuple of 4 int
        For each member the numbers of its first node and of the node after its last, and the same for its bins.
    of_linear, of_square : tuple of array, shape (nodes, bins)
        Events of each member per unit of each factor.
    """
    found = np.empty(places[-1][3])
    for member in range(len(places)):
        node, last_node, first, last = places[member]
        of_one = linear[node:last_node] @ of_linear[member]
        found[first:last] = of_one + square[node:last_node] @ of_square[member]
    return found


@dataclass(frozen=True, eq=False)
class Exchanged:
    """The signal of a mediator: sums over nodes of y and y^2 with y = x / (q^2 + M^2); the row is the mass M in GeV.

    Attributes
    ----------
    transfer2 : array, shape (nodes,)
        q^2 in MeV^2 at the nodes of all members.
    places, of_linear, of_square
        See `contracted`.
    """

    transfer2: Array
    places: Places
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
        """The derivative of the events, from y and the derivative of y at the nodes."""
        return contracted(slope, 2 * y * slope, self.places, self.of_linear, self.of_square)

    def compiled(self) -> Compiled:
        factor, sums = compiled(propagated), compiled(contracted)
        transfer2, places, of_linear, of_square = self.transfer2, self.places, self.of_linear, self.of_square

        def added(row: float, x: float) -> Array:
            y = x * factor(row, transfer2)
            found: Array = sums(y, y * y, places, of_linear, of_square)
            return found

        return compiled(added)


def _exchanged(
    interaction: Interaction,
    row: Mapping[str, Array],
    mass: Array,
    members: Sequence[Bins],
    experiments: Sequence[Experiment],
) -> Exchanged:
    """The signal of a mediator, from the events of its terms in a row with this mass in MeV, shape (1,)."""
    by_power: dict[int, list[Array]] = {1: [], 2: []}
    for member, experiment in zip(members, experiments, strict=True):
        found = {power: np.zeros(member.exchanged.shape[1:]) for power in by_power}
        terms = itertools.chain(*terms_of(interaction, experiment.channels, row))
        for term, events in zip(terms, member.exchanged, strict=True):
            rest = term.at(member.transfer2) / propagator(mass[:, None], member.transfer2) ** term.power
            found[term.power] += rest[0, :, None] * events
        for power, each in found.items():
            by_power[power].append(each)
    nodes, bins = (
        itertools.pairwise(np.cumsum([0, *(getattr(each, name).size for each in members)]).tolist())
        for name in ("transfer2", "standard")
    )
    return Exchanged(
        transfer2=np.concatenate([each.transfer2 for each in members]),
        places=tuple((*node, *place) for node, place in zip(nodes, bins, strict=True)),
        of_linear=tuple(by_power[1]),
        of_square=tuple(by_power[2]),
    )
