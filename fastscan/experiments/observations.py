"""Observations: the data that are compared with a prediction, their variance, and the backgrounds.

Each kind is one class, which reads its keys; a new kind is a new class and its line in
`fastscan.experiments.reading.OBSERVATIONS`.  This module has the protocol of all observations, and the base of those
with a Gaussian chi2.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from fastscan.axes import SIGMA_SYS
from fastscan.errors import ExperimentError, InputError, quoted
from fastscan.experiments.backgrounds import NO_NUISANCES, Background, Exposed
from fastscan.experiments.bins import Bins
from fastscan.experiments.morphing import Morphed
from fastscan.inputs.toml import Table
from fastscan.typing import Array, BoolArray

PROJECTION = "projection, the Standard Model's prediction in place of data"
NO_BACKGROUND = "none"


@dataclass(frozen=True, eq=False)
class Counts:
    """Data, background and variance for a Gaussian chi2, bin by bin at the reference luminosity.

    Attributes
    ----------
    data : array, shape (bins,)
        Observed or expected events, after subtraction of a background that doesn't scale with the signal.
    background : array, shape (bins,)
        The part of the background that scales with the signal's normalisation.
    variance : array, shape (bins,)
        The counting part of the variance of `data`.
    spread : float
        The part of the variance that grows with the luminosity squared, relative to the counting part.
    """

    data: Array
    background: Array
    variance: Array
    spread: float

    def some(self, chosen: BoolArray) -> "Counts":
        """The counts of some bins."""
        return Counts(self.data[chosen], self.background[chosen], self.variance[chosen], self.spread)


class Observation(Protocol):
    """The protocol of observations."""

    @property
    def sigma_sys(self) -> float:
        """Relative error of the signal's normalisation."""

    @property
    def is_measured(self) -> bool:
        """Whether the data are measured, so that an observed limit differs from the expected one."""

    @property
    def is_counted(self) -> bool:
        """Whether events are compared bin by bin with a fitted prediction, instead of in a Gaussian chi2."""

    @property
    def predicted(self) -> float | None:
        """Signal events in the Standard Model, to which all counts are scaled; None where no number is given."""

    @property
    def refuses(self) -> Mapping[str, str]:
        """Keys of an experiment's file that this kind excludes, such as ``time`` or ``time.shapes``, and why."""

    @property
    def names(self) -> Sequence[str]:
        """Names of its own possible nuisances, without those of the signal."""

    @classmethod
    def read(cls, table: Table, bins: Bins) -> "Observation":
        """The observation that the ``[statistics]`` table of an experiment's file describes, in some bins.

        Raises
        ------
        ExperimentError
            For a key that is missing or wrong, or can't stand beside the others.
        """

    def check(self, exposed: Exposed) -> None:
        """Refuse an observation that doesn't fit the bins.

        Raises
        ------
        ExperimentError
            Where it has numbers for more or fewer bins, or its numbers don't determine the events in each bin.
        """

    def check_templates(self, found: Sequence[Morphed]) -> None:
        """Refuse templates of a detector that depend on parameters which the observation doesn't have.

        Raises
        ------
        InputError
        """

    def data(self, exposed: Exposed) -> Array | None:
        """Measured events, or signal events, in each bin; None where nothing is measured."""

    def told(self) -> tuple[str, str]:
        """The data and the backgrounds, in words."""

    def counting_errors(self, signal: Array, exposed: Exposed) -> Array | None:
        """Errors of the data in each bin, without systematic errors; None where nothing is measured."""

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """Events of each background in each bin, by its name; `signal` is the Standard Model's, shape (bins,)."""

    def expected(self) -> Self:
        """The same observation with its data replaced by the Standard Model's prediction."""


class Gaussian(ABC):
    """An observation with a Gaussian chi2."""

    is_counted: ClassVar[bool] = False
    refuses: ClassVar[Mapping[str, str]] = {"time.shapes": NO_NUISANCES, "factor.shapes": NO_NUISANCES}
    names: ClassVar[tuple[str, ...]] = ()

    @property
    def predicted(self) -> float | None:
        """See `Observation.predicted`."""
        return None

    @property
    @abstractmethod
    def is_measured(self) -> bool:
        """See `Observation.is_measured`."""

    def check(self, exposed: Exposed) -> None:
        """See `Observation.check`."""
        self.counts(np.ones(exposed.bins), exposed)

    def check_templates(self, found: Sequence[Morphed]) -> None:
        """See `Observation.check_templates`."""
        refuse_parameters(found)

    def counting_errors(self, signal: Array, exposed: Exposed) -> Array | None:
        """See `Observation.counting_errors`: the square roots of the variance."""
        return np.sqrt(self.counts(signal, exposed).variance) if self.is_measured else None

    @abstractmethod
    def counts(self, signal: Array, exposed: Exposed | None = None) -> Counts:
        """Data, background and variance for a Gaussian chi2.

        Parameters
        ----------
        signal : array, shape (bins,)
            Events that the Standard Model predicts at the reference luminosity, without background.
        exposed : Exposed, optional
            The exposure and the bins, from which backgrounds that are rates follow.

        Returns
        -------
        Counts
            In the same bins.
        """


def refuse_parameters(found: Sequence[Morphed]) -> None:
    """Refuse templates that depend on parameters, for an observation that has no parameters."""
    if any(each.parameters for each in found):
        raise InputError('what templates follow are parameters, for which there is kind = "modelled"')


def read_sigma_sys(table: Table) -> float:
    """The relative error of the signal's normalisation."""
    return table.relative(SIGMA_SYS.name, SIGMA_SYS.low, SIGMA_SYS.high)


def told_data(data: float | None, what: str) -> str:
    """Measured data in words; None stands for a projection."""
    return PROJECTION if data is None else f"measured, {data:.6g} {what}"


def told_backgrounds(found: tuple[Background, ...]) -> str:
    """Backgrounds in words."""
    return "; ".join(each.told() for each in found) or NO_BACKGROUND


def added(found: tuple[Background, ...], exposed: Exposed | None) -> tuple[Array | float, float]:
    """Events of all backgrounds in each bin, and the error of their sum; an error is refused in several bins."""
    if not found:
        return 0.0, 0.0
    if exposed is None:
        raise ExperimentError("backgrounds follow from the exposure: give it")
    total, square = np.zeros(exposed.bins), 0.0
    for each in found:
        try:
            events = each.amount.events(exposed)
        except ExperimentError as error:
            raise ExperimentError(f"background {quoted(each.name)}: {error}") from None
        if each.error and exposed.bins > 1:
            raise ExperimentError(
                f"background {quoted(each.name)}: error: in several bins it is a nuisance of its own: take kind = "
                '"poisson", leave it out, or join the bins'
            )
        total, square = total + events, square + float((each.error * events).sum()) ** 2
    return total, math.sqrt(square)


def counts_of(data: Array, variance: Array, error: float) -> Counts:
    """Counts without a background that scales with the signal; an error of the background needs a single bin."""
    return Counts(data, np.zeros_like(data), variance, error**2 / float(variance[0]) if error else 0.0)
