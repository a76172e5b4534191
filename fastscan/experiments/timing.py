"""The times of events: bins of time after the protons, and the arrival of the neutrinos of each flavour.

Times are in us.  The events in a bin of energy and time are the events of the energy times the share of neutrinos that
arrive in the bin of time.  Each kind of arrival is one class, which reads its keys and computes its shares.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.inputs import bounds, points
from fastscan.inputs.toml import Table
from fastscan.inputs.units import UNITS
from fastscan.physics.arrival import OF_PIONS, Delays, delayed_box, delayed_gaussian, twice_delayed
from fastscan.physics.quadrature import gauss_legendre
from fastscan.physics.spectra import Neutrino
from fastscan.typing import Array

TIME_UNITS = UNITS["arrival time"]
SPREAD = (-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0)  # knots around the mean of a pulse, in standard deviations
LIFETIMES = (1.0, 3.0, 6.0, 12.0)  # knots after a pulse, in units of each lifetime
LEAST_LEFT = 1e-9  # smallest share of a neutrino's events that a shape must leave in the bins


class Accepted(Protocol):
    """The protocol of time efficiencies."""

    @property
    def knots(self) -> tuple[float, ...]:
        """Times in us between which the efficiency is smooth."""

    def at(self, time: Array) -> Array:
        """Probability to count an event at times in us."""

    def told(self) -> str:
        """In words."""


@dataclass(frozen=True)
class Decaying:
    """An efficiency of 1 up to `start`, in us, and exp(-rate (t - start)) afterwards; the rate is in 1/us."""

    start: float
    rate: float

    @classmethod
    def read(cls, table: Table, unit: float) -> Self:
        """The efficiency that ``start`` and ``rate`` describe; the rate is per unit of time."""
        return cls(table.number("start", *bounds.TIME) * unit, table.number("rate", *bounds.TIME_RATE) / unit)

    @property
    def knots(self) -> tuple[float, ...]:
        """See `Accepted.knots`."""
        return (self.start,)

    def at(self, time: Array) -> Array:
        """See `Accepted.at`."""
        return np.exp(-self.rate * np.maximum(time - self.start, 0.0))

    def told(self) -> str:
        """See `Accepted.told`."""
        return f"efficiency exp(-{self.rate:.6g} (t - {self.start:.6g})), t in us"


@dataclass(frozen=True)
class Tabulated:
    """An efficiency that is linear between times in us, and constant outside."""

    times: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def read(cls, table: Table, unit: float) -> Self:
        """The efficiency that ``time`` and ``values``, or a ``file``, describe."""
        times, values = points.read(table, "time", "values", bounds.TIME, bounds.SHARE)
        return cls(tuple(time * unit for time in times), values)

    @property
    def knots(self) -> tuple[float, ...]:
        """See `Accepted.knots`."""
        return self.times

    def at(self, time: Array) -> Array:
        """See `Accepted.at`."""
        return np.interp(time, self.times, self.values)

    def told(self) -> str:
        """See `Accepted.told`."""
        return f"efficiency from a table of {len(self.times)} times"


EFFICIENCIES: dict[str, type[Decaying | Tabulated]] = {"decay": Decaying, "table": Tabulated}


class Arrival(Protocol):
    """The protocol of arrivals; the source gives the delays of neutrinos, see `Source.delays`."""

    def knots(self, delays: Delays) -> tuple[float, ...]:
        """Times in us between which the densities are smooth."""

    def density(self, neutrino: Neutrino, time: Array, delays: Delays) -> Array:
        """Probability density of a neutrino's arrival at times in us, in 1/us."""

    def told(self) -> str:
        """In words."""


@dataclass(frozen=True)
class GaussianPulse:
    """A Gaussian pulse of protons with mean and sigma in us, which neutrinos follow with their delays."""

    mean: float
    sigma: float

    @classmethod
    def read(cls, table: Table, unit: float) -> Self:
        """The pulse that ``mean`` and ``sigma`` describe."""
        return cls(table.number("mean", *bounds.TIME) * unit, table.number("sigma", *bounds.TIME_WIDTH) * unit)

    def knots(self, delays: Delays) -> tuple[float, ...]:
        """See `Arrival.knots`."""
        end = self.mean + SPREAD[-1] * self.sigma
        return (*(self.mean + n * self.sigma for n in SPREAD), *_after(end, delays))

    def density(self, neutrino: Neutrino, time: Array, delays: Delays = OF_PIONS) -> Array:
        """See `Arrival.density`."""
        lifetimes = dict(delays)[neutrino]
        return _decays(lifetimes, lambda lifetime: delayed_gaussian(time, self.mean, self.sigma, lifetime))

    def told(self) -> str:
        """See `Arrival.told`."""
        return f"Gaussian pulse at {self.mean:.6g} us, sigma {self.sigma:.6g} us"


@dataclass(frozen=True)
class BoxPulse:
    """A constant pulse of protons from `start`, `length` long, both in us; neutrinos follow with their delays."""

    start: float
    length: float

    @classmethod
    def read(cls, table: Table, unit: float) -> Self:
        """The pulse that ``start`` and ``length`` describe."""
        return cls(table.number("start", *bounds.TIME) * unit, table.number("length", *bounds.TIME_WIDTH) * unit)

    def knots(self, delays: Delays) -> tuple[float, ...]:
        """See `Arrival.knots`."""
        end = self.start + self.length
        return (self.start, *_after(self.start, delays), end, *_after(end, delays))

    def density(self, neutrino: Neutrino, time: Array, delays: Delays = OF_PIONS) -> Array:
        """See `Arrival.density`."""
        lifetimes = dict(delays)[neutrino]
        return _decays(lifetimes, lambda lifetime: delayed_box(time, self.start, self.length, lifetime))

    def told(self) -> str:
        """See `Arrival.told`."""
        return f"constant pulse from {self.start:.6g} us, {self.length:.6g} us long"


PULSES: dict[str, type[GaussianPulse | BoxPulse]] = {"gaussian": GaussianPulse, "box": BoxPulse}


@dataclass(frozen=True)
class Histogram:
    """A tabulated arrival: the probability of each neutrino between each two edges in us."""

    edges: tuple[float, ...]
    probabilities: tuple[tuple[Neutrino, tuple[float, ...]], ...]

    @classmethod
    def read(cls, table: Table, delays: Delays) -> Self:
        """The arrival in the ``file`` of a table, with a column ``time`` of lower edges and a column for each neutrino.

        The last bin is as long as the one before it.  Probabilities are not normalised.
        """
        data = table.data("file")
        unit = TIME_UNITS[table.choice("unit", TIME_UNITS)]
        lows = table.column("time", data, *bounds.TIME)
        if len(lows) < 2 or any(one >= other for one, other in itertools.pairwise(lows)):
            raise table.error("time", "must increase from each line to the next, in two lines or more")
        probabilities = tuple((key, table.column(key, data, *bounds.SHARE)) for key, _ in delays)
        for key, column in probabilities:
            _check_total(table, key, column)
        edges = (*lows, 2 * lows[-1] - lows[-2])
        table.done()
        return cls(tuple(edge * unit for edge in edges), probabilities)

    def knots(self, delays: Delays) -> tuple[float, ...]:
        """See `Arrival.knots`."""
        return self.edges

    def density(self, neutrino: Neutrino, time: Array, delays: Delays = OF_PIONS) -> Array:
        """See `Arrival.density`."""
        edges = np.array(self.edges)
        density = np.array([0.0, *(np.array(dict(self.probabilities)[neutrino]) / np.diff(edges)), 0.0])
        return density[np.searchsorted(edges, time, side="right")]

    def told(self) -> str:
        """See `Arrival.told`."""
        return f"arrival from a table of {len(self.edges) - 1} times"


@dataclass(frozen=True)
class Time:
    """Bins in time, the neutrinos' arrival, and the efficiency to count them.

    Attributes
    ----------
    edges : tuple of float
        Edges of the bins in us.
    arrival : Arrival
    efficiency : Accepted or None
        The efficiency by time; None where all events are counted.
    offset : float
        Time in us by which events are counted later than they arrive.
    shapes : tuple of (str, Arrival)
        Names of nuisances, and the arrival at one standard deviation of each.
    """

    edges: tuple[float, ...]
    arrival: GaussianPulse | BoxPulse | Histogram
    efficiency: Decaying | Tabulated | None = None
    offset: float = 0.0
    shapes: tuple[tuple[str, GaussianPulse | BoxPulse | Histogram], ...] = ()

    @property
    def durations(self) -> Array:
        """Length of each bin in us."""
        return np.diff(self.edges)

    def shares(self, neutrino: Neutrino, delays: Delays = OF_PIONS) -> Array:
        """Share of a neutrino's events that is counted in each bin, for the delays of neutrinos behind a pulse.

        Examples
        --------
        The delayed neutrinos of COHERENT's argon in the bins from -0.1 to 0.9 us:

        >>> Time((-0.1, 0.4, 0.9), GaussianPulse(0.44, 0.15)).shares("nu_e").round(8)
        array([0.01460537, 0.16271179])
        """
        return self._shares(self.arrival, neutrino, delays)

    def changes(self, neutrino: Neutrino, delays: Delays = OF_PIONS) -> list[Array]:
        """The change of the shares at one standard deviation of each nuisance, which keeps the sum of the shares."""
        own, found = self.shares(neutrino, delays), []
        for name, arrival in self.shapes:
            moved = self._shares(arrival, neutrino, delays)
            if moved.sum() < LEAST_LEFT * own.sum():
                raise ExperimentError(f"time: shapes: {quoted(name)} leaves no {neutrino} in the bins")
            # a neutrino that arrives in no bin stays without a change
            found.append(moved * (own.sum() / moved.sum()) - own if own.any() else own)
        return found

    def _shares(self, arrival: Arrival, neutrino: Neutrino, delays: Delays) -> Array:
        efficiency, offset = self.efficiency, self.offset
        within = [*(knot + offset for knot in arrival.knots(delays)), *(efficiency.knots if efficiency else ())]
        found = []
        for low, high in itertools.pairwise(self.edges):
            ends = np.unique([low, *(knot for knot in within if low < knot < high), high])
            times, widths = gauss_legendre(ends[:-1], ends[1:])
            counted = widths * arrival.density(neutrino, times - offset, delays)
            found.append((counted * efficiency.at(times) if efficiency else counted).sum())
        return np.array(found)

    def told(self) -> str:
        """The bins, the arrival and the efficiency in words."""
        efficiency = f"; {self.efficiency.told()}" if self.efficiency else ""
        offset = f", {self.offset:.6g} us later" if self.offset else ""
        shapes = "".join(f"; nuisance {name}: {arrival.told()}" for name, arrival in self.shapes)
        return f"{_told_bins(self.edges)}; {self.arrival.told()}{offset}{efficiency}{shapes}"


@dataclass(frozen=True)
class Shares:
    """Bins in time with edges in us, and the share of each neutrino's events in them."""

    edges: tuple[float, ...]
    given: tuple[tuple[Neutrino, tuple[float, ...]], ...]
    efficiency: ClassVar[None] = None
    shapes: ClassVar[tuple[()]] = ()

    @property
    def durations(self) -> Array:
        """Length of each bin in us."""
        return np.diff(self.edges)

    def shares(self, neutrino: Neutrino, delays: Delays = OF_PIONS) -> Array:
        """See `Time.shares`."""
        return np.array(dict(self.given)[neutrino])

    def changes(self, neutrino: Neutrino, delays: Delays = OF_PIONS) -> list[Array]:
        """See `Time.changes`; given shares have no nuisances."""
        return []

    def told(self) -> str:
        """The bins in words."""
        return f"{_told_bins(self.edges)}; arrival given for each"


def read(table: Table, delays: Delays) -> Time | Shares:
    """The bins of time that the ``[time]`` table of an experiment's file describes; see `Source.delays`.

    Raises
    ------
    ExperimentError
        For a key that is missing, unknown or wrong, or can't stand beside the others.
    """
    unit = TIME_UNITS[table.choice("unit", TIME_UNITS)]
    edges = tuple(edge * unit for edge in table.increasing("edges", *bounds.TIME, bounds.MOST_STEPS))
    if len(edges) < 2:
        raise table.error("edges", "must be two or more")
    found = _read_arrival(table, edges, unit, delays)
    if isinstance(found, Time):
        if edges[-1] <= found.arrival.knots(delays)[0] + found.offset:
            raise table.error("edges", "are all before the first neutrino")
        _check_shapes(table, found, delays)
    table.done()
    return found


def _read_arrival(table: Table, edges: tuple[float, ...], unit: float, delays: Delays) -> Time | Shares:
    if "pulse" in table:
        table.refuse("arrival", "there is a pulse")
        return _read_time(table, edges, _read_pulse(table, unit), unit)
    if "arrival" not in table:
        raise table.error("pulse", "missing; give the pulse of protons, or the arrival of each neutrino")
    arrival = table.table("arrival")
    if "file" in arrival:
        return _read_time(table, edges, Histogram.read(arrival, delays), unit)
    for key in ("efficiency", "offset", "shapes"):
        table.refuse(key, "the shares of the arrival are those that are counted")
    given = tuple((key, arrival.numbers(key, *bounds.SHARE, bounds.MOST_STEPS)) for key, _ in delays)
    for key, shares in given:
        if len(shares) != len(edges) - 1:
            raise arrival.error(key, f"must be as many as the {len(edges) - 1} bins of time, not {len(shares)}")
        _check_total(arrival, key, shares)
    arrival.done()
    return Shares(edges, given)


def _read_time(
    table: Table, edges: tuple[float, ...], arrival: GaussianPulse | BoxPulse | Histogram, unit: float
) -> Time:
    return Time(
        edges,
        arrival,
        efficiency=table.table("efficiency").of_kind("shape", EFFICIENCIES, unit) if "efficiency" in table else None,
        offset=table.number("offset", *bounds.TIME) * unit if "offset" in table else 0.0,
        shapes=tuple(_read_shape(each, unit) for each in table.tables("shapes")) if "shapes" in table else (),
    )


def _read_pulse(table: Table, unit: float) -> GaussianPulse | BoxPulse:
    return table.table("pulse").of_kind("shape", PULSES, unit)


def _read_shape(table: Table, unit: float) -> tuple[str, GaussianPulse | BoxPulse]:
    """The name of a nuisance, and the pulse at one standard deviation of the nuisance."""
    found = table.text("name"), _read_pulse(table, unit)
    table.done()
    return found


def _check_shapes(table: Table, time: Time, delays: Delays) -> None:
    """Refuse a shape that moves all events out of the bins, because it can't keep their number."""
    for name, arrival in time.shapes:
        if time.edges[-1] <= arrival.knots(delays)[0] + time.offset:
            raise table.error("shapes", f"{quoted(name)} leaves no neutrino in the bins")


def _check_total(table: Table, key: str, shares: Sequence[float]) -> None:
    total = math.fsum(shares)
    if total > 1 + bounds.SHARE_ROUNDING:
        raise table.error(key, f"must not add up to more than 1, but to {total:g}")


def _told_bins(edges: Sequence[float]) -> str:
    number = "one bin" if len(edges) == 2 else f"{len(edges) - 1} bins"
    return f"{number} from {edges[0]:.6g} to {edges[-1]:.6g} us after the protons"


def _after(end: float, delays: Delays) -> tuple[float, ...]:
    """Times after the end of a pulse between which the density of decays is smooth."""
    lifetimes = dict.fromkeys(lifetime for _, each in delays for lifetime in each)
    return tuple(end + n * lifetime for lifetime in lifetimes for n in LIFETIMES)


def _decays(lifetimes: tuple[float, ...], delayed: Callable[[float], Array]) -> Array:
    """The density after one or two decays in a row; `delayed` computes it after one decay with some lifetime."""
    if len(lifetimes) == 1:
        return delayed(*lifetimes)
    first, second = lifetimes
    return twice_delayed(delayed(first), delayed(second), first, second)
