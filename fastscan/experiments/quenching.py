"""Quenching: the visible part of a recoil's energy, by element where elements differ.

Each kind is one class, which reads its keys and computes visible energies; a new kind is a new class and its line in
`QUENCHINGS`.  Energies are in MeV.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from fastscan.errors import unknown
from fastscan.inputs import bounds, points, units
from fastscan.inputs.toml import Table
from fastscan.inputs.units import told
from fastscan.physics.nuclei import Isotope
from fastscan.physics.quenching import lindhard
from fastscan.typing import Array

RECOIL_UNITS, VISIBLE_UNITS = units.UNITS["recoil energy"], units.UNITS["visible energy"]


class Quenching(Protocol):
    """The protocol of quenchings."""

    @property
    def knots(self) -> tuple[float, ...]:
        """Recoil energies in MeV between which the visible energy is smooth."""

    def visible(self, recoil: Array, isotope: Isotope | None) -> Array:
        """Visible energy in MeV of recoils of an isotope, or of electrons (None), with energies in MeV."""

    def told(self) -> str:
        """The quenching in words."""


class Model(Quenching, Protocol):
    """A quenching that a table of an experiment's file describes."""

    @classmethod
    def read(cls, table: Table) -> Self:
        """The quenching that a ``quenching`` table describes.

        Raises
        ------
        ExperimentError
            For a key that is missing or wrong.
        """


@dataclass(frozen=True)
class Factor:
    """A constant visible share of a recoil's energy; 1 where nothing is quenched."""

    share: float
    knots: ClassVar[tuple[float, ...]] = ()

    def visible(self, recoil: Array, isotope: Isotope | None) -> Array:
        """See `Quenching.visible`."""
        return self.share * recoil

    def told(self) -> str:
        """See `Quenching.told`."""
        return f"{self.share:.6g}"


UNQUENCHED = Factor(1.0)


@dataclass(frozen=True)
class Lindhard:
    """Lindhard's model, see `fastscan.physics.quenching.lindhard`."""

    k: float
    knots: ClassVar[tuple[float, ...]] = ()

    @classmethod
    def read(cls, table: Table) -> Self:
        """See `Model.read`."""
        return cls(table.number("k", *bounds.LINDHARD_K))

    def visible(self, recoil: Array, isotope: Isotope | None) -> Array:
        """See `Quenching.visible`."""
        assert isotope is not None
        return lindhard(recoil, isotope.Z, self.k)

    def told(self) -> str:
        """See `Quenching.told`."""
        return f"Lindhard, k = {self.k:.6g}"


@dataclass(frozen=True)
class Polynomial:
    """A polynomial c1 T + c2 T^2 + ... of the recoil energy T in MeV; nothing is visible where it is negative."""

    coefficients: tuple[float, ...]
    knots: ClassVar[tuple[float, ...]] = ()

    @classmethod
    def read(cls, table: Table) -> Self:
        """See `Model.read`; the coefficients are for recoil and visible energy in the same unit."""
        unit = RECOIL_UNITS[table.choice("unit", RECOIL_UNITS)]
        given = table.numbers("coefficients", most=bounds.MOST_COEFFICIENTS)
        return cls(tuple(each * unit**-power for power, each in enumerate(given)))

    def visible(self, recoil: Array, isotope: Isotope | None) -> Array:
        """See `Quenching.visible`."""
        found = np.zeros_like(recoil)
        for each in reversed(self.coefficients):
            found = (found + each) * recoil
        return np.maximum(found, 0.0)

    def told(self) -> str:
        """See `Quenching.told`."""
        powers = enumerate(self.coefficients, 1)
        return "polynomial in MeV, " + " + ".join(f"{each:.6g} T^{power}" for power, each in powers)


@dataclass(frozen=True)
class Tabulated:
    """A table, linear between recoil energies T in MeV: the visible energy in MeV or, with `share`, its share of T.

    Above the table the last share holds.
    """

    energies: tuple[float, ...]
    values: tuple[float, ...]
    share: bool

    @classmethod
    def read(cls, table: Table) -> Self:
        """See `Model.read`; without ``visible``, the unit of visible energies, values are shares."""
        share = "visible" not in table
        factor = 1.0 if share else VISIBLE_UNITS[table.choice("visible", VISIBLE_UNITS)]
        energies, values = read_points(table, bounds.SHARE if share else bounds.RECOIL)
        return cls(energies, tuple(value * factor for value in values), share)

    @property
    def knots(self) -> tuple[float, ...]:
        """The energies of the table."""
        return self.energies

    def visible(self, recoil: Array, isotope: Isotope | None) -> Array:
        """See `Quenching.visible`."""
        if self.share:
            return recoil * np.interp(recoil, self.energies, self.values)
        last = self.energies[-1]
        return np.interp(recoil, self.energies, self.values) * np.maximum(recoil / last, 1.0)

    def told(self) -> str:
        """See `Quenching.told`."""
        factor, unit = (1.0, "") if self.share else (1e3, " keVee")
        low, high = min(self.values) * factor, max(self.values) * factor
        recoils = f"table of {len(self.energies)} recoil energies up to {told(self.energies[-1], 'energy')}"
        return f"{recoils}: {low:.4g} to {high:.4g}{unit}"


@dataclass(frozen=True)
class ByElement:
    """A quenching for each element, by its symbol."""

    elements: tuple[tuple[str, Quenching], ...]

    @property
    def knots(self) -> tuple[float, ...]:
        """The knots of all elements."""
        return tuple(sorted({knot for _, each in self.elements for knot in each.knots}))

    def visible(self, recoil: Array, isotope: Isotope | None) -> Array:
        """See `Quenching.visible`."""
        assert isotope is not None
        return dict(self.elements)[isotope.symbol].visible(recoil, isotope)

    def told(self) -> str:
        """See `Quenching.told`."""
        return "; ".join(f"{symbol} {each.told()}" for symbol, each in self.elements)


NUMBER_OR_MODEL = "a number, or a table with a model"
QUENCHINGS: dict[str, type[Model]] = {"lindhard": Lindhard, "polynomial": Polynomial, "table": Tabulated}


def read(table: Table, symbols: Sequence[str]) -> Quenching:
    """The quenching of a detector whose target has some elements.

    The key ``quenching`` is a number, a table with a ``model``, or a number or such a table for each element.

    Raises
    ------
    ExperimentError
        For a key that is missing or wrong, and for an element that isn't in the target.
    """
    table.take("quenching", (int, float, dict), f"{NUMBER_OR_MODEL}, or one of them for each element")
    if table.is_number("quenching") or "model" in table.table("quenching"):
        return _number_or_model(table, "quenching")
    inner = table.table("quenching")
    for name in inner.names():
        if name not in symbols:
            raise inner.error(name, unknown("key", name, ["model", *symbols]))
    found = tuple((symbol, _of_element(inner, symbol)) for symbol in symbols)
    inner.done()
    return ByElement(found)


def _of_element(table: Table, symbol: str) -> Quenching:
    table.take(symbol, (int, float, dict), NUMBER_OR_MODEL)
    return _number_or_model(table, symbol)


def _number_or_model(table: Table, key: str) -> Quenching:
    if table.is_number(key):
        return Factor(table.number(key, *bounds.SHARE))
    return table.table(key).of_kind("model", QUENCHINGS)


def read_points(table: Table, within: tuple[float, float]) -> points.Points:
    """Recoil energies in MeV, from 0 on, and the values of a table at these energies."""
    unit = RECOIL_UNITS[table.choice("unit", RECOIL_UNITS)]
    energies, values = points.read(table, "energy", "values", bounds.RECOIL, within)
    if energies[0] > 0:
        raise table.error("file" if "file" in table else "energy", "must begin at 0, with what a recoil gives there")
    return tuple(energy * unit for energy in energies), values
