"""Energies as experimenters give them: the unit determines which energy is meant.

    recoil           of the nucleus, or of the electron in "nu-e": eVnr, keVnr, MeVnr, or eV, keV, MeV
    visible          what ionises, "electron equivalent": eVee, keVee, MeVee
    photoelectrons   PE
    electrons        of ionisation: electrons

Each follows from the one before: a quenching turns a recoil's energy into visible energy, and a yield turns visible
energy into photoelectrons or electrons.  Recoil and visible energies are in MeV.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fastscan.errors import quoted
from fastscan.inputs import bounds, units
from fastscan.inputs.toml import Table

Kind = Literal["recoil", "visible", "photoelectrons", "electrons", "bins"]
UNIT_KINDS: dict[Kind, str] = {
    "recoil": "recoil energy",
    "visible": "visible energy",
    "photoelectrons": "photoelectrons",
    "electrons": "electrons",
}
NAMES: dict[Kind, str] = {
    "recoil": "recoil energy",
    "visible": "visible energy (electron equivalent)",
    "photoelectrons": "photoelectrons",
    "electrons": "electrons",
    "bins": "number of the bin",  # for bins that have no energies
}
UNITS: dict[str, tuple[Kind, float]] = {
    unit: (kind, factor) for kind, name in UNIT_KINDS.items() for unit, factor in units.UNITS[name].items()
}
BARE = units.UNITS["energy"]  # units that don't determine the kind of energy
OWN: tuple[Kind, ...] = ("recoil", "visible")  # kinds of energy that need no photoelectrons or electrons
USUAL: dict[Kind, str] = {  # the unit for output of an energy for which a file has no unit
    "recoil": "keV",
    "visible": "keVee",
    "photoelectrons": "PE",
    "electrons": "electrons",
}
EXPECTED = f"an energy with its unit ({', '.join(UNITS)}), such as '160 eVee'"


@dataclass(frozen=True)
class Unit:
    """A unit in which output shows the energies of a detector, and its size in the detector's own unit.

    >>> Unit("eVee", 1e-6).told(160e-6), Unit("keV", 1e-3).told(0.0, math.inf)
    ('160 eVee', '0 keV on')
    """

    symbol: str
    size: float

    def told(self, *ends: float) -> str:
        """An energy, or the range of two, in words."""
        first, last = f"{ends[0] / self.size:.6g}", f"{ends[-1] / self.size:.6g}"
        if len(ends) == 1:
            return f"{first} {self.symbol}"
        return f"{first} {self.symbol} on" if math.isinf(ends[-1]) else f"{first} to {last} {self.symbol}"

    def told_bins(self, edges: Sequence[float]) -> str:
        """Bins in words."""
        number = "one" if len(edges) == 2 else len(edges) - 1
        return f"{number} from {self.told(edges[0], edges[-1])}"


@dataclass(frozen=True)
class Energy:
    """An energy of a kind, in MeV or as a number of photoelectrons or electrons."""

    kind: Kind
    value: float


def unit(table: Table, key: str = "unit") -> tuple[Kind, float]:
    """Kind and size of the energy unit that a key names."""
    return UNITS[table.choice(key, UNITS)]


def unit_of(symbol: str, sizes: Mapping[Kind, float]) -> Unit:
    """The unit of a symbol; the usual unit where the symbol is empty or its kind of energy isn't known.

    `sizes` has the size of each known kind of energy in the detector's own unit.
    """
    kind, factor = UNITS.get(symbol, ("recoil", 1.0))
    if not symbol or kind not in sizes:
        symbol = USUAL[list(sizes)[-1]]
        kind, factor = UNITS[symbol]
    return Unit(symbol, factor * sizes[kind])


def written_unit(table: Table) -> str:
    """The unit of a detector's bins, or else of its threshold, in its table; empty where it has neither."""
    if "bins" in table:
        inner = table.table("bins")
        return inner.text("unit") if inner.is_text("unit") else ""
    return (units.symbol(table.text("threshold")) or "") if "threshold" in table else ""


def read(table: Table, key: str) -> Energy:
    """The energy of a key: a text with a unit that determines the kind of energy."""
    text = table.take(key, str, EXPECTED)
    symbol = units.symbol(text)
    if symbol not in UNITS:
        raise table.error(key, f"{quoted(text)} has no unit of an energy: use one of {', '.join(UNITS)}")
    kind = UNITS[symbol][0]
    return Energy(kind, table.quantity(key, UNIT_KINDS[kind]))


def is_recoil(unit: str | None) -> bool:
    """Whether a unit is a unit of recoil energy; also true for unknown units, which are refused elsewhere."""
    return unit not in UNITS or UNITS[unit][0] == "recoil"


def read_edges(table: Table) -> tuple[Kind, tuple[float, ...]]:
    """Kind and edges of the bins that ``bins`` describes: `written_edges`, and a unit."""
    kind, factor = unit(table)
    return kind, tuple(edge * factor for edge in written_edges(table))


def written_edges(table: Table) -> tuple[float, ...]:
    """Edges of the bins that ``bins`` describes, in its unit: ``edges``, or ``start``, ``stop`` and ``num``."""
    low, high = bounds.RECOIL
    if "edges" in table:
        for key in ("start", "stop", "num"):
            table.refuse(key, "the edges are given")
        edges = table.increasing("edges", low, high, bounds.MOST_STEPS)
        if len(edges) < 2:
            raise table.error("edges", "must be two or more")
        return edges
    start, stop = table.number("start", low, high), table.number("stop", low, high)
    num = table.whole("num", 1, bounds.MOST_BINS)
    if stop <= start:
        raise table.error("stop", "must be above start")
    return tuple(start + (stop - start) * i / num for i in range(num + 1))


def missing(kind: Kind, quenched: bool) -> str:
    """The message of what a detector's table lacks for an energy of a kind; `quenched` if visible energy is known."""
    if kind == "visible":
        return "is electron-equivalent, and nothing says which recoil gives it: give a quenching"
    return f"is a number of {kind}: give {'' if quenched else 'a quenching and '}{kind}_per_kevee"


def unlike(kind: Kind, known: Iterable[Kind]) -> str:
    """The message for an energy of a kind that isn't proportional to the known kinds."""
    return f"is in {NAMES[kind]}, where the detector's are in {' or '.join(NAMES[each] for each in known)}"
