"""Counted events in bins with a Poisson likelihood and named nuisances.

The relative error of each background's amount, and each of its shapes, is a nuisance.  The expected events are linear
in all nuisances.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import numpy as np

from fastscan.errors import ExperimentError, InputError, quoted
from fastscan.experiments import backgrounds
from fastscan.experiments.backgrounds import Background, Exposed
from fastscan.experiments.bins import Bins
from fastscan.experiments.morphing import Morphed
from fastscan.experiments.observations import read_sigma_sys, refuse_parameters, told_backgrounds, told_data
from fastscan.inputs import bounds
from fastscan.inputs.columns import Columns
from fastscan.inputs.toml import Table
from fastscan.typing import Array

SIGNAL = "signal"  # the nuisance of the signal's normalisation
OBSERVED = "a number, a list of numbers, a column's name, or a table with a file and a column"


@dataclass(frozen=True, eq=False)
class Nuisance:
    """A parameter with a Gaussian constraint, in standard deviations of the constraint.

    Attributes
    ----------
    name : str
    background : str
        Name of the background that the nuisance changes; the same as `name` for the error of the background's amount.
    change : array, shape (bins,)
        Change of the events in each bin at one standard deviation.
    """

    name: str
    background: str
    change: Array


@dataclass(frozen=True)
class Poisson:
    """Events counted in each bin, over backgrounds with nuisances.

    Attributes
    ----------
    observed : tuple of float or None
        Events in each bin; None for the Standard Model's prediction.
    backgrounds : tuple of Background
    sigma_sys : float
        Relative error of the signal's normalisation.
    merge : bool
        Whether all bins that contain nothing but the same background are merged into one.
    """

    observed: tuple[float, ...] | None
    backgrounds: tuple[Background, ...]
    sigma_sys: float
    merge: bool = False
    is_counted: ClassVar[bool] = True
    predicted: ClassVar[None] = None
    refuses: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def read(cls, table: Table, bins: Bins) -> Self:
        """See `Observation.read`; columns without a file of their own are in the table's ``file``."""
        common = bins.data(table) if "file" in table else None
        table.refuse("error", "the variance of what is counted is that of Poisson's law")
        observed = _read_observed(table, bins, common) if "observed" in table else None
        found = backgrounds.read(table, bins, common, shaped=True) if "background" in table else ()
        return cls(observed, found, read_sigma_sys(table), "merge" in table and table.flag("merge"))

    def check(self, exposed: Exposed) -> None:
        """See `Observation.check`."""
        if self.observed is not None and len(self.observed) != exposed.bins:
            told = f"must be as many numbers as the {exposed.bins} bins, not {len(self.observed)}"
            raise ExperimentError(f"observed: {told}")
        for each in self.backgrounds:
            self._events(each, exposed)

    def check_templates(self, found: Sequence[Morphed]) -> None:
        """See `Observation.check_templates`."""
        refuse_parameters(found)

    @property
    def is_measured(self) -> bool:
        """Whether the observed counts are measured, not predicted."""
        return self.observed is not None

    def data(self, exposed: Exposed) -> Array | None:
        """See `Observation.data`."""
        return None if self.observed is None else np.array(self.observed)

    def counting_errors(self, signal: Array, exposed: Exposed) -> Array | None:
        """See `Observation.counting_errors`: the square roots of the events."""
        data = self.data(exposed)
        return None if data is None else np.sqrt(data)

    def told(self) -> tuple[str, str]:
        """See `Observation.told`."""
        total = None if self.observed is None else math.fsum(self.observed)
        merged = ", bins of nothing but one background merged" if self.merge else ""
        return f"{told_data(total, 'events')}, by Poisson's law{merged}", told_backgrounds(self.backgrounds)

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`."""
        return {each.name: self._events(each, exposed) for each in self.backgrounds}

    @property
    def names(self) -> list[str]:
        """Names of the backgrounds and of their shapes, which can be names of nuisances."""
        return [name for each in self.backgrounds for name in (each.name, *(shape.name for shape in each.shapes))]

    def nuisances(self, exposed: Exposed) -> list[Nuisance]:
        """The nuisances of the backgrounds: for each its amount, if this has an error, then its shapes."""
        found = []
        for each in self.backgrounds:
            if each.error:
                found.append(Nuisance(each.name, each.name, each.error * self._events(each, exposed)))
            found += [Nuisance(shape.name, each.name, np.array(shape.change)) for shape in each.shapes]
        return found

    def expected(self) -> Self:
        """The same measurement with the predicted signal and backgrounds in place of the observed counts."""
        return replace(self, observed=None)

    @staticmethod
    def _events(background: Background, exposed: Exposed) -> Array:
        try:
            return background.amount.events(exposed)
        except ExperimentError as error:
            raise ExperimentError(f"background {quoted(background.name)}: {error}") from None


def _read_observed(table: Table, bins: Bins, common: Columns | None) -> tuple[float, ...]:
    """Events in each bin: one number, a list, or a column of a file."""
    table.take("observed", (int, float, list, str, dict), OBSERVED)
    if table.is_number("observed"):
        observed: tuple[float, ...] = (table.number("observed", *bounds.GIVEN_EVENTS),)
    elif table.is_list("observed"):
        observed = table.numbers("observed", *bounds.GIVEN_EVENTS, bounds.MOST_BINS)
    else:
        observed = _read_column(table, bins, common)
    table.checked("observed", partial(_check_whole, observed))
    return observed


def _read_column(table: Table, bins: Bins, common: Columns | None) -> tuple[float, ...]:
    """Events in a column: ``observed`` is its name in the common file, or a table with a file of its own."""
    if table.is_text("observed"):
        if common is None:
            raise table.error("observed", "is a column's name: give the file that it is in")
        return table.column("observed", common, *bounds.GIVEN_EVENTS)
    inner = table.table("observed")
    observed = inner.column("column", bins.data(inner, common), *bounds.GIVEN_EVENTS)
    inner.done()
    return observed


def _check_whole(counts: tuple[float, ...]) -> None:
    for number, each in enumerate(counts, 1):
        if not each.is_integer():
            told = f"Poisson's law is one of whole events, and bin {number} has {each:g}"
            raise InputError(f'{told}: give the events before any subtraction, or take kind = "measured"')
