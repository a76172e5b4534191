"""Backgrounds that don't depend on the signal: counts per bin, rates, and templates.

Each kind is one class, which reads its keys and computes its events.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments import energies, shapes
from fastscan.experiments.bins import Bins
from fastscan.experiments.energies import Kind
from fastscan.inputs import bounds
from fastscan.inputs.columns import Columns
from fastscan.inputs.toml import Table
from fastscan.inputs.units import UNITS
from fastscan.typing import Array

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_PER = rf"/\s*({_NUMBER})?\s*([A-Za-z]+)\s*"  # such as /kg, or /100 t
_RATE = re.compile(rf"\s*({_NUMBER})\s*((?:{_PER})+)")
UNNAMED = "background"  # the name of a background that is the only one
RATE = "a rate such as '6 /keVee/kg/d', '48 /d/100 t' or '0.4 /d'"
NO_NUISANCES = 'each is a nuisance of its own, for which there is kind = "poisson"'  # why there are no shapes


@dataclass(frozen=True, eq=False)
class Exposed:
    """The exposure and the bins of an experiment, which turn rates into events.

    Attributes
    ----------
    mass_kg : float
        Mass of all targets.
    exposure_s : float
        Duration of the measurement in s.
    energy_bins, time_bins, factor_bins : int
        Numbers of bins.  Bins are ordered by energy, then by a further factor, then by time.
    widths : mapping of str to array, shape (energy_bins,)
        Widths of the energy bins in each kind of energy in which they are known: in MeV, photoelectrons or electrons.
    """

    mass_kg: float
    exposure_s: float
    energy_bins: int
    time_bins: int
    widths: Mapping[Kind, Array]
    factor_bins: int = 1

    @property
    def bins(self) -> int:
        """The number of all bins."""
        return self.energy_bins * self.factor_bins * self.time_bins


class Amount(Protocol):
    """The amount of a background, as events in bins."""

    def events(self, exposed: Exposed) -> Array:
        """Events in each bin, shape (bins,)."""

    def told(self) -> str:
        """The amount in words."""


@dataclass(frozen=True)
class Rate:
    """A constant rate per s and, where the file says so, per kg and per MeV, photoelectron or electron.

    `per` is the kind of the energy, or "own" for the detector's own energy, of the recoil or visible.
    """

    per_s: float
    per_kg: bool
    per: Kind | Literal["own"] | None

    def events(self, exposed: Exposed) -> Array:
        """See `Amount.events`.

        Raises
        ------
        ExperimentError
            Where the rate doesn't determine the events in each bin.
        """
        if exposed.time_bins * exposed.factor_bins > 1 or (self.per is None and exposed.energy_bins > 1):
            raise ExperimentError("a rate says nothing of bins, unless it is one per energy: give the events of each")
        total = self.per_s * exposed.exposure_s * (exposed.mass_kg if self.per_kg else 1.0)
        if self.per is None:
            return np.array([total])
        own: Kind = next((kind for kind in energies.OWN if kind in exposed.widths), "visible")
        kind = own if self.per == "own" else self.per
        if kind not in exposed.widths:
            raise ExperimentError(f"the rate's energy {energies.unlike(kind, exposed.widths)}")
        widths = exposed.widths[kind]
        if not np.isfinite(widths).all():
            raise ExperimentError("a rate per energy needs bins that end: give bins")
        return total * widths

    def told(self) -> str:
        """See `Amount.told`.

        >>> Rate(6 / 86400 * 1e3, per_kg=True, per="visible").told()
        '6 /keVee/kg/d'
        """
        per, size = "", 1.0
        if self.per is not None:
            symbol = energies.USUAL["recoil" if self.per == "own" else self.per]
            per, size = f"/{symbol}", energies.UNITS[symbol][1]
        return f"{self.per_s * UNITS['time']['d'] * size:.6g} {per}{'/kg' if self.per_kg else ''}/d"


@dataclass(frozen=True)
class Events:
    """Events in each bin."""

    each: tuple[float, ...]

    def events(self, exposed: Exposed) -> Array:
        """See `Amount.events`."""
        if len(self.each) != exposed.bins:
            raise ExperimentError(f"must be as many numbers as the {exposed.bins} bins, not {len(self.each)}")
        return np.array(self.each)

    def told(self) -> str:
        """See `Amount.told`."""
        return f"{math.fsum(self.each):.6g} events"


@dataclass(frozen=True)
class Shape:
    """A nuisance with a name, and the change of events in each bin at one standard deviation of the nuisance."""

    name: str
    change: tuple[float, ...]


@dataclass(frozen=True)
class Background:
    """A background with a name.

    Attributes
    ----------
    name : str
    amount : Rate or Events
        Its amount.
    error : float
        Relative error of the amount.
    shapes : tuple of Shape
        Nuisances that change its distribution over the bins.
    """

    name: str
    amount: Rate | Events
    error: float = 0.0
    shapes: tuple[Shape, ...] = ()

    def told(self) -> str:
        """The background in words."""
        error = f" +- {100 * self.error:.6g} %" if self.error else ""
        varied = f" (nuisances {', '.join(shape.name for shape in self.shapes)})" if self.shapes else ""
        return ("" if self.name == UNNAMED else f"{self.name} ") + self.amount.told() + error + varied


def read(table: Table, bins: Bins, common: Columns | None = None, shaped: bool = False) -> tuple[Background, ...]:
    """The backgrounds of ``background``: a rate, or a list of tables.

    Each table has a ``name``, and a ``rate``, or ``events`` in each bin, or a ``file`` with a ``column`` of events.  It
    can have the ``total`` to which the column is scaled, and an ``error``.

    Parameters
    ----------
    table : Table
    bins : Bins
        The bins to which the lines of files belong.
    common : Columns, optional
        The file for columns of tables without a ``file`` of their own.
    shaped : bool
        Whether columns can have ``shapes``, see `fastscan.experiments.shapes`, which are columns with the same sum.

    Raises
    ------
    ExperimentError
        For a key that is missing, unknown or wrong, or can't stand beside the others.
    """
    if table.is_text("background"):
        return (Background(UNNAMED, read_rate(table, "background")),)
    found = []
    for each in table.tables("background"):
        if not shaped:
            each.refuse("shapes", NO_NUISANCES)
        found.append(_read_one(each, bins, common))
        each.done()
    check_names(table, [each.name for each in found])
    return tuple(found)


def check_names(table: Table, names: list[str]) -> None:
    """Refuse two backgrounds of one name."""
    for name in names:
        if names.count(name) > 1:
            raise table.error("background", f"{quoted(name)} is there twice")


def _read_one(table: Table, bins: Bins, common: Columns | None) -> Background:
    name = table.text("name")
    error = table.relative("error", 0.0, bounds.LARGEST_SIGMA_SYS) if "error" in table else 0.0
    if "rate" in table:
        for key in ("events", "file", "shapes"):
            table.refuse(key, "there is a rate")
        return Background(name, read_rate(table, "rate"), error)
    if "file" in table or "column" in table or (common is not None and "events" not in table):
        table.refuse("events", "they are in the file")
        events, varied = _read_template(table, bins.data(table, common))
        return Background(name, events, error, varied)
    table.refuse("shapes", "they are columns of a file")
    if table.is_number("events"):
        return Background(name, Events((table.number("events", *bounds.GIVEN_EVENTS),)), error)
    return Background(name, Events(table.numbers("events", *bounds.GIVEN_EVENTS, bounds.MOST_BINS)), error)


def _read_template(table: Table, data: Columns) -> tuple[Events, tuple[Shape, ...]]:
    """The events in the ``column`` of a file and their ``shapes``, all scaled to ``total`` where it is given."""
    total = table.number("total", *bounds.GIVEN_EVENTS) if "total" in table else None

    def column(of: Table, key: str) -> tuple[float, ...]:
        events = of.column(key, data, *bounds.GIVEN_EVENTS)
        given = math.fsum(events)
        if total is None or total == given:
            return events
        if given == 0:
            raise of.error(key, "a template without any event")
        return tuple(each * total / given for each in events)

    events = column(table, "column")
    return Events(events), tuple(Shape(*each) for each in shapes.read(table, events, column))


def read_rate(table: Table, key: str) -> Rate:
    """The rate in a text: a number and, after strokes, a time, and perhaps a mass and an energy.

    Each of these can have a number of its own, such as the mass in "48 /d/100 t".

    Raises
    ------
    ExperimentError
        Where the text is not a rate.
    """
    text = table.take(key, str, RATE)
    match = _RATE.fullmatch(text)
    if not match:
        raise table.error(key, f"must be {RATE}, not {quoted(text)}")
    low, high = bounds.GIVEN_EVENTS
    value, per_kg, times = float(match[1]), False, 0
    if not low <= value <= high:
        raise table.error(key, f"must be between {low:g} and {high:g} in its unit, not {quoted(text)}")
    per: Kind | Literal["own"] | None = None
    for number, unit in re.findall(_PER, match[2]):
        if unit in UNITS["time"]:
            size, times = UNITS["time"][unit], times + 1
        elif unit in UNITS["mass"] and not per_kg:
            size, per_kg = UNITS["mass"][unit], True
        elif unit in energies.UNITS and per is None:
            kind, size = energies.UNITS[unit]
            per = "own" if unit in energies.BARE else kind
        else:
            raise table.error(key, f"{quoted(text)}: {quoted(unit)} is no time, mass or energy, or is there twice")
        divisor = float(number or 1) * size
        value = value / divisor if divisor else math.inf
    if times != 1:
        raise table.error(key, f"{quoted(text)} must have one time, as {RATE}")
    if not math.isfinite(value):
        raise table.error(key, f"{quoted(text)} divides by nothing")
    return Rate(value, per_kg, per)
