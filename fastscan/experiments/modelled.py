"""Observations with a model of fitted parameters: amounts and shapes of backgrounds, and morphing of templates.

Each parameter has bounds and a starting value.  It can have an error, the standard deviation of a Gaussian constraint
around the starting value.  A background is an amount times a shape; the amount is the product of a factor and of
parameters.  All parameters are fitted at each point.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Protocol, Self

import numpy as np

from fastscan.errors import ExperimentError, FastscanError, InputError, quoted, unknown
from fastscan.experiments.backgrounds import Exposed, check_names
from fastscan.experiments.bins import ENERGY, Bins
from fastscan.experiments.morphing import Morphed
from fastscan.experiments.observations import NO_BACKGROUND, read_sigma_sys, told_data
from fastscan.experiments.templates import told_morph
from fastscan.inputs import bounds
from fastscan.inputs.columns import Columns
from fastscan.inputs.toml import Table, check_name
from fastscan.typing import Array

MOST_FACTORS = 3  # largest number of parameters whose product is an amount
Values = Mapping[str, float]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the model, in a unit of its own.

    Attributes
    ----------
    name : str
    start : float
        The starting value of fits.
    low, high : float
        Its bounds.
    error : float
        Standard deviation of its Gaussian constraint around `start`; 0 for a free parameter.
    """

    name: str
    start: float
    low: float
    high: float
    error: float

    @classmethod
    def read(cls, table: Table, name: str) -> Self:
        """The parameter that a table describes."""
        start = table.number("start") if "start" in table else 1.0
        low = table.number("low") if "low" in table else 0.0
        high = table.number("high") if "high" in table else math.inf
        error = table.number("error", *bounds.SHARED_ERROR) if "error" in table else 0.0
        table.done()
        if not low <= start <= high:
            raise table.error("start" if "start" in table else "low", f"{start:g} isn't between {low:g} and {high:g}")
        return cls(name, start, low, high, error)

    def told(self) -> str:
        """The parameter in words."""
        error = f" +- {self.error:.6g}" if self.error else ""
        high = "" if math.isinf(self.high) else f" to {self.high:.6g}"
        return f"{self.name} {self.start:.6g}{error} from {self.low:.6g}{high}"


class Shape(Protocol):
    """The distribution of a background over the bins."""

    @property
    def parameters(self) -> tuple[str | float, ...]:
        """The arguments of the shape: names of parameters, or fixed numbers."""

    def events(self, values: Values, energies: Array) -> Array:
        """Events in each bin for an amount of 1, at values of the parameters; energies are the bins' centres."""

    def told(self) -> str:
        """The shape in words."""


@dataclass(frozen=True)
class Constant:
    """The same number of events in every bin."""

    parameters: ClassVar[tuple[str | float, ...]] = ()

    @classmethod
    def read(cls, table: Table) -> Self:
        """The shape, which has no keys."""
        return cls()

    def events(self, values: Values, energies: Array) -> Array:
        """See `Shape.events`."""
        return np.ones_like(energies)

    def told(self) -> str:
        """See `Shape.told`."""
        return "constant"


@dataclass(frozen=True)
class Exponential:
    """exp(-rate (E - origin)), where E is the centre of a bin in the unit of the bins."""

    rate: str | float
    origin: float

    @classmethod
    def read(cls, table: Table) -> Self:
        """The shape that a table describes."""
        return cls(_name_or_number(table, "rate"), table.number("origin"))

    @property
    def parameters(self) -> tuple[str | float, ...]:
        """See `Shape.parameters`."""
        return (self.rate,)

    def events(self, values: Values, energies: Array) -> Array:
        """See `Shape.events`."""
        return np.exp(-_value(self.rate, values) * (energies - self.origin))

    def told(self) -> str:
        """See `Shape.told`."""
        return f"exp(-{_told(self.rate)} (E - {self.origin:.6g}))"


@dataclass(frozen=True)
class Peak:
    """exp(-(E - centre)^2 / (2 width^2)), where E is the centre of a bin in the unit of the bins."""

    centre: str | float
    width: str | float

    @classmethod
    def read(cls, table: Table) -> Self:
        """The shape that a table describes."""
        width = _name_or_number(table, "width")
        if isinstance(width, float) and width <= 0:
            raise table.error("width", "must be above 0")
        return cls(_name_or_number(table, "centre"), width)

    @property
    def parameters(self) -> tuple[str | float, ...]:
        """See `Shape.parameters`."""
        return self.centre, self.width

    def events(self, values: Values, energies: Array) -> Array:
        """See `Shape.events`."""
        return np.exp(-(((energies - _value(self.centre, values)) / _value(self.width, values)) ** 2) / 2)

    def told(self) -> str:
        """See `Shape.told`."""
        return f"Gaussian around {_told(self.centre)}, width {_told(self.width)}"


@dataclass(frozen=True)
class Template:
    """Fixed events in each bin."""

    each: tuple[float, ...]
    parameters: ClassVar[tuple[str | float, ...]] = ()

    def events(self, values: Values, energies: Array) -> Array:
        """See `Shape.events`."""
        return np.array(self.each)

    def told(self) -> str:
        """See `Shape.told`."""
        return f"{math.fsum(self.each):.6g} events"


@dataclass(frozen=True, eq=False)
class MorphedTemplate:
    """Events in each bin that depend on parameters through templates at anchors."""

    templates: Morphed

    @property
    def parameters(self) -> tuple[str | float, ...]:
        """See `Shape.parameters`."""
        return self.templates.parameters

    def events(self, values: Values, energies: Array) -> Array:
        """See `Shape.events`."""
        return self.templates.at(values)

    def told(self) -> str:
        """See `Shape.told`."""
        return f"{self.templates.nominal.sum():.6g} events{told_morph(self.templates)}"


FORMULAS: dict[str, type[Constant | Exponential | Peak]] = {
    "constant": Constant,
    "exponential": Exponential,
    "gaussian": Peak,
}


@dataclass(frozen=True, eq=False)
class Component:
    """A background: a shape times its amount, the product of a factor and of the named parameters."""

    name: str
    factor: float
    amount: tuple[str, ...]
    shape: Shape

    @classmethod
    def read(cls, table: Table, bins: Bins, common: Columns | None) -> Self:
        """The background that a table describes with a formula (``shape``), a ``column`` or an ``array``."""
        name = table.text("name")
        amount = (table.text("amount"),) if table.is_text("amount") else table.texts("amount")
        if len(amount) > MOST_FACTORS:
            raise table.error("amount", f"must be a product of at most {MOST_FACTORS} parameters, not {len(amount)}")
        factor = table.number("factor", *bounds.GIVEN_EVENTS) if "factor" in table else 1.0
        shape = _read_shape(table, bins, common)
        table.done()
        return cls(name, factor, amount, shape)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters of the amount and of the shape."""
        return (*self.amount, *(each for each in self.shape.parameters if isinstance(each, str)))

    def events(self, values: Values, energies: Array) -> Array:
        """Events in each bin at values of the parameters, shape (bins,)."""
        amount = self.factor * math.prod(values[name] for name in self.amount)
        return amount * self.shape.events(values, energies)

    def told(self) -> str:
        """The background in words."""
        factor = "" if self.factor == 1 else f"{self.factor:.6g} "
        return f"{self.name} {factor}{' '.join(self.amount)} x ({self.shape.told()})"


@dataclass(frozen=True)  # with equality, because results of an experiment are cached by equal experiments
class Modelled:
    """Events in bins, compared with a signal on backgrounds from a model of fitted parameters.

    Attributes
    ----------
    observed : tuple of float or None
        Events in each bin; None for the Standard Model's prediction at the parameters' starting values.
    errors : tuple of float
        Error of the events in each bin; empty where the events follow Poisson's law.
    parameters : tuple of Parameter
    backgrounds : tuple of Component
    energies : tuple of float
        Centres of the bins, in the unit of the experiment's file.
    sigma_sys : float
        Relative error of the signal's normalisation.
    """

    observed: tuple[float, ...] | None
    errors: tuple[float, ...]
    parameters: tuple[Parameter, ...]
    backgrounds: tuple[Component, ...]
    energies: tuple[float, ...]
    sigma_sys: float
    is_counted: ClassVar[bool] = True
    predicted: ClassVar[None] = None
    refuses: ClassVar[Mapping[str, str]] = dict.fromkeys(("time", "factor"), "a model has bins of energy alone")

    @classmethod
    def read(cls, table: Table, bins: Bins) -> Self:
        """See `Observation.read`; columns are in the table's ``file``."""
        common = bins.data(table) if "file" in table else None
        if common is None:
            raise table.error("file", "missing; it must be the name of a file with the events of each bin")
        errors = table.column("error", common, *bounds.DATA_ERROR) if "error" in table else ()
        observed = table.column("observed", common, *(bounds.DATA if errors else bounds.GIVEN_EVENTS))
        inner = table.table("parameters")
        parameters = tuple(Parameter.read(inner.table(name), name) for name in inner.names())
        for each in parameters:
            inner.checked(each.name, partial(check_name, each.name))
        components = table.tables("background")
        found = tuple(Component.read(each, bins, common) for each in components)
        unfit = [each.name for each in parameters if each.start <= 0]  # for a width, at which nothing changes with it
        for component, written in zip(found, components, strict=True):
            for name in component.parameters:
                if name not in [each.name for each in parameters]:
                    raise written.error("amount" if name in component.amount else "shape", _unknown(name, parameters))
            if isinstance(component.shape, Peak) and component.shape.width in unfit:
                raise written.error("width", f"parameter {quoted(component.shape.width)} must start above 0")
        check_names(table, [each.name for each in found])
        edges = dict(bins.edges).get(ENERGY, (0.0, 1.0))
        energies = tuple((low + high) / 2 for low, high in itertools.pairwise(edges))
        return cls(observed, errors, parameters, found, energies, read_sigma_sys(table))

    def check(self, exposed: Exposed) -> None:
        """See `Observation.check`."""
        if not self.errors:
            for number, each in enumerate(self.observed or (), 1):
                if not each.is_integer():
                    raise ExperimentError(f"observed: bin {number} has {each:g}: give whole events, or their error")

    def check_templates(self, found: Sequence[Morphed]) -> None:
        """See `Observation.check_templates`; the templates of backgrounds are checked too.

        All templates must depend on the same parameters of this observation, whose bounds must be within the anchors.
        """
        every = [*found, *self.morphed()]
        if len({(each.parameters, each.anchors) for each in every if each.parameters}) > 1:
            raise InputError("all templates that follow parameters must follow the same, at the same anchors")
        by_name = {each.name: each for each in self.parameters}
        for name, anchors in {pair for each in every for pair in zip(each.parameters, each.anchors, strict=True)}:
            if name not in by_name:
                raise _unknown(name, self.parameters)
            parameter = by_name[name]
            if parameter.start != 0:
                raise InputError(f"parameter {quoted(name)} must have start = 0, where templates are nominal")
            if parameter.low < anchors[0] or parameter.high > anchors[-1]:
                told = f"must be between low = {anchors[0]:g} and high = {anchors[-1]:g}, where there are templates"
                raise InputError(f"parameter {quoted(name)} {told}")

    @property
    def is_measured(self) -> bool:
        """Whether the observed counts are measured, not predicted."""
        return self.observed is not None

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return [each.name for each in self.parameters]

    @property
    def starts(self) -> dict[str, float]:
        """The starting value of each parameter, by its name."""
        return {each.name: each.start for each in self.parameters}

    def data(self, exposed: Exposed) -> Array | None:
        """See `Observation.data`."""
        return None if self.observed is None else np.array(self.observed)

    def counting_errors(self, signal: Array, exposed: Exposed) -> Array | None:
        """See `Observation.counting_errors`."""
        if self.observed is None:
            return None
        return np.array(self.errors) if self.errors else np.sqrt(self.observed)

    def told(self) -> tuple[str, str]:
        """See `Observation.told`."""
        total = None if self.observed is None else math.fsum(self.observed)
        law = "with errors" if self.errors else "by Poisson's law"
        components = "; ".join(each.told() for each in self.backgrounds) or NO_BACKGROUND
        return f"{told_data(total, 'events')}, {law}", f"{components}; {'; '.join(p.told() for p in self.parameters)}"

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`; the parameters have their starting values."""
        return self.backgrounds_at(self.starts)

    def backgrounds_at(self, values: Values) -> dict[str, Array]:
        """Events of each background in each bin at values of the parameters."""
        return {each.name: each.events(values, np.array(self.energies)) for each in self.backgrounds}

    def morphed(self) -> list[Morphed]:
        """The templates of all backgrounds that depend on parameters through templates."""
        return [each.shape.templates for each in self.backgrounds if isinstance(each.shape, MorphedTemplate)]

    def expected(self) -> Self:
        """The same observation with the prediction of signal and backgrounds in place of the observed events."""
        return replace(self, observed=None)


def _unknown(name: str, parameters: tuple[Parameter, ...]) -> FastscanError:
    return unknown("parameter", name, [each.name for each in parameters])


def _read_shape(table: Table, bins: Bins, common: Columns | None) -> Shape:
    """The shape of a background: a formula, a column of the common file, or an array of a file of its own."""
    if "array" in table:
        for key in ("column", "shape"):
            table.refuse(key, "there is an array")
        return MorphedTemplate(Morphed.read(table, table.arrays("file"), bins.number))
    if "column" in table:
        table.refuse("shape", "there is a column")
        return Template(table.column("column", bins.data(table, common), *bounds.GIVEN_EVENTS))
    return FORMULAS[table.choice("shape", FORMULAS)].read(table)


def _name_or_number(table: Table, key: str) -> str | float:
    """The value of a key: the name of a parameter, or a number."""
    table.take(key, (str, int, float), "the name of a parameter, or a number")
    return table.number(key) if table.is_number(key) else table.text(key)


def _value(of: str | float, values: Values) -> float:
    return values[of] if isinstance(of, str) else of


def _told(of: str | float) -> str:
    return of if isinstance(of, str) else f"{of:.6g}"
