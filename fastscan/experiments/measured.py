"""Measurements with a Gaussian chi2: counted events in one bin or several, a number of signal events, or a rate.

Files describe all of them with the keys of one kind, `Measured`, which reads the others.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from fastscan.axes import SIGMA_SYS
from fastscan.errors import ExperimentError
from fastscan.experiments import backgrounds
from fastscan.experiments.backgrounds import UNNAMED, Background, Exposed, Rate
from fastscan.experiments.bins import Bins
from fastscan.experiments.observations import (
    PROJECTION,
    Counts,
    Gaussian,
    added,
    counts_of,
    read_sigma_sys,
    told_backgrounds,
    told_data,
)
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.typing import Array


@dataclass(frozen=True)
class Measured(Gaussian):
    """Counted events in one bin and their backgrounds (Eq. 21).

    Attributes
    ----------
    observed : float or None
        Events after subtraction of a steady state; None for the Standard Model's prediction.
    steady_state, background : float
        Subtracted events of the steady state, which add to the variance, and events of the other background.
    background_error, sigma_sys : float
        Relative errors of the background and of the signal's normalisation.
    """

    observed: float | None
    steady_state: float
    background: float
    background_error: float
    sigma_sys: float
    refuses: ClassVar[Mapping[str, str]] = {
        "detector.bins": "a measured count is one number; leave the bins out, or give one for each",
        **dict.fromkeys(("time", "factor"), "a measured count is one number; give one for each bin"),
    }

    @classmethod
    def read(cls, table: Table, bins: Bins) -> "Measured | MeasuredBins | MeasuredSignal | MeasuredRate":
        """The measurement that a ``[statistics]`` table describes: of counts in one bin or several, or of a signal."""
        if "signal" in table.names():
            return MeasuredSignal.read(table, bins)
        table.refuse("expected", "the Standard Model's prediction is given beside a measured signal alone")
        if "rate" in table.names():
            return MeasuredRate.read(table, bins)
        if not table.is_number("observed") and "observed" in table.names():
            return MeasuredBins.read(table, bins)
        if table.is_text("background") or table.is_list("background"):
            return MeasuredBins.read(table, bins)
        measured = cls(
            observed=table.number("observed", *bounds.GIVEN_EVENTS),
            steady_state=table.number("steady_state", *bounds.GIVEN_EVENTS),
            background=table.number("background", *bounds.GIVEN_EVENTS),
            background_error=table.relative("background_error", SIGMA_SYS.low, SIGMA_SYS.high),
            sigma_sys=read_sigma_sys(table),
        )
        if measured.observed == measured.steady_state == measured.background == 0:
            raise table.error("observed", "without any event, steady state or background there is no variance")
        return measured

    @property
    def is_measured(self) -> bool:
        """Whether the observed count is measured, not predicted."""
        return self.observed is not None

    def data(self, exposed: Exposed) -> Array | None:
        """See `Observation.data`; the steady state is subtracted."""
        return None if self.observed is None else np.array([self.observed])

    def told(self) -> tuple[str, str]:
        """See `Observation.told`."""
        steady = f", after subtraction of {self.steady_state:.6g} of a steady state" if self.steady_state else ""
        error = f" +- {100 * self.background_error:.6g} %" if self.background else ""
        return f"{told_data(self.observed, 'events')}{steady}", f"{self.background:.6g} events{error}"

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`."""
        return {UNNAMED: np.array([self.background])} if self.background else {}

    def expected(self) -> Self:
        """The same measurement with the predicted signal and background in place of the observed count."""
        return replace(self, observed=None)

    def counts(self, signal: Array, exposed: Exposed | None = None) -> Counts:
        """Counted events after subtraction of the background, in one bin.

        Minimising over the background's own nuisance is exactly an addition to the variance.

        References
        ----------
        Eq. 21 of arXiv:2002.01482.

        Examples
        --------
        COHERENT's 142 events with a background of 6, and a steady state of 405, which adds twice to the variance:

        >>> coherent = Measured(142.0, steady_state=405, background=6, background_error=0.25, sigma_sys=0.28)
        >>> counts = coherent.counts(np.array([180.0]))
        >>> counts.data, counts.variance
        (array([136.]), array([958.]))
        """
        predicted = float(signal.sum()) + self.background
        observed = predicted if self.observed is None else self.observed
        variance = observed + self.background + 2 * self.steady_state
        return Counts(
            data=np.array([observed - self.background]),
            background=np.zeros(1),
            variance=np.array([variance]),
            spread=(self.background_error * self.background) ** 2 / variance,
        )


@dataclass(frozen=True)
class MeasuredBins(Gaussian):
    """Counted events in each bin, from which backgrounds are subtracted.

    Attributes
    ----------
    observed : tuple of float or None
        Events in each bin; None for the Standard Model's prediction.
    errors : tuple of float
        Error of the events in each bin; empty where the variance is the sum of the events and of the backgrounds.
    backgrounds : tuple of Background
    sigma_sys : float
        Relative error of the signal's normalisation.
    """

    observed: tuple[float, ...] | None
    errors: tuple[float, ...]
    backgrounds: tuple[Background, ...]
    sigma_sys: float

    @classmethod
    def read(cls, table: Table, bins: Bins) -> Self:
        """The measurement that a ``[statistics]`` table describes."""
        observed, errors = _read_observed(table, bins)
        if not errors and 0 in observed:
            raise table.error(
                "observed",
                f"bin {observed.index(0) + 1} has no event, of which a Gaussian knows no variance: take kind = "
                '"poisson", join bins, or give an error',
            )
        found = backgrounds.read(table, bins) if "background" in table else ()
        return cls(observed, errors, found, read_sigma_sys(table))

    @property
    def is_measured(self) -> bool:
        """Whether the observed counts are measured, not predicted."""
        return self.observed is not None

    def data(self, exposed: Exposed) -> Array | None:
        """See `Observation.data`."""
        return None if self.observed is None else np.array(self.observed)

    def told(self) -> tuple[str, str]:
        """See `Observation.told`."""
        total = None if self.observed is None else math.fsum(self.observed)
        return told_data(total, "events"), told_backgrounds(self.backgrounds)

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`."""
        return {each.name: each.amount.events(exposed) for each in self.backgrounds}

    def expected(self) -> Self:
        """The same measurement with the predicted signal and backgrounds in place of the observed counts."""
        return replace(self, observed=None)

    def counts(self, signal: Array, exposed: Exposed | None = None) -> Counts:
        """Counted events after subtraction of the backgrounds.

        Examples
        --------
        >>> from fastscan.experiments.backgrounds import Events, Exposed
        >>> neutrons = Background("neutrons", Events((2.0, 1.0)))
        >>> measured = MeasuredBins((30.0, 9.0), (), (neutrons,), sigma_sys=0.1)
        >>> counts = measured.counts(np.array([25.0, 10.0]), Exposed(1.0, 1.0, 2, 1, {}))
        >>> counts.data, counts.variance
        (array([28.,  8.]), array([32., 10.]))
        """
        total, error = added(self.backgrounds, exposed)
        observed = signal + total if self.observed is None else np.array(self.observed)
        if len(observed) != len(signal):
            raise ExperimentError(f"observed: must be as many numbers as the {len(signal)} bins, not {len(observed)}")
        variance = np.array(self.errors) ** 2 if self.errors else observed + total
        return counts_of(observed - total, variance, error)


@dataclass(frozen=True)
class MeasuredSignal(Gaussian):
    """A measured number of signal events and its error.

    Attributes
    ----------
    signal : float or None
        Signal events; None for the Standard Model's prediction.
    error : float
        Error of the signal in events, without the error of the prediction.
    sigma_sys : float
        Relative error of the signal's normalisation.
    predicted : float or None
        Signal events in the Standard Model, to which all predictions are scaled; None to compute them from the source,
        the target and the detector.
    """

    signal: float | None
    error: float
    sigma_sys: float
    predicted: float | None = None

    @classmethod
    def read(cls, table: Table, bins: Bins) -> Self:
        """The measurement that a ``[statistics]`` table describes; its error is the mean of two unequal errors."""
        _refuse_counts(table)
        signal = table.number("signal", *bounds.DATA)
        if table.is_list("signal_error"):
            errors = table.numbers("signal_error", *bounds.DATA_ERROR, 2)
        else:
            errors = (table.number("signal_error", *bounds.DATA_ERROR),)
        predicted = table.number("expected", *bounds.EVENTS) if "expected" in table else None
        return cls(signal, sum(errors) / len(errors), read_sigma_sys(table), predicted)

    @property
    def is_measured(self) -> bool:
        """Whether the signal is measured, not predicted."""
        return self.signal is not None

    def data(self, exposed: Exposed) -> Array | None:
        """See `Observation.data`."""
        return None if self.signal is None else np.array([self.signal])

    def told(self) -> tuple[str, str]:
        """See `Observation.told`."""
        scaled = "" if self.predicted is None else f", predictions scaled to {self.predicted:.6g} in the Standard Model"
        return f"{told_data(self.signal, 'signal events')} +- {self.error:.6g}{scaled}", "subtracted"

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`."""
        return {}

    def expected(self) -> Self:
        """The same measurement with the predicted signal."""
        return replace(self, signal=None)

    def counts(self, signal: Array, exposed: Exposed | None = None) -> Counts:
        """The signal in one bin.

        Examples
        --------
        >>> MeasuredSignal(395.0, 106.0, sigma_sys=0.17).counts(np.array([347.0])).data
        array([395.])
        """
        if len(signal) != 1:
            raise ExperimentError(f"signal: is one number, where there are {len(signal)} bins: leave the bins out")
        data = signal if self.signal is None else np.array([self.signal])
        return counts_of(data, np.array([self.error**2]), 0.0)


@dataclass(frozen=True)
class MeasuredRate(Gaussian):
    """A measured rate of the signal and its error.

    Attributes
    ----------
    rate, error : Rate
        The rate of the signal and its error; a rate of None stands for the Standard Model's prediction.
    sigma_sys : float
        Relative error of the signal's normalisation.
    """

    rate: Rate | None
    error: Rate
    sigma_sys: float

    @classmethod
    def read(cls, table: Table, bins: Bins) -> Self:
        """The measurement that a ``[statistics]`` table describes."""
        _refuse_counts(table)
        rate, error = (backgrounds.read_rate(table, key) for key in ("rate", "rate_error"))
        if error.per_s == 0:
            raise table.error("rate_error", "must be positive")
        return cls(rate, error, read_sigma_sys(table))

    @property
    def is_measured(self) -> bool:
        """Whether the rate is measured, not predicted."""
        return self.rate is not None

    def data(self, exposed: Exposed) -> Array | None:
        """See `Observation.data`."""
        return None if self.rate is None else self.rate.events(exposed)

    def told(self) -> tuple[str, str]:
        """See `Observation.told`."""
        rate = PROJECTION if self.rate is None else f"measured, signal {self.rate.told()}"
        return f"{rate} +- {self.error.told()}", "subtracted"

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`."""
        return {}

    def expected(self) -> Self:
        """The same measurement with the predicted signal."""
        return replace(self, rate=None)

    def counts(self, signal: Array, exposed: Exposed | None = None) -> Counts:
        """The signal in each bin.

        Examples
        --------
        48 +- 1 a day, in ten days:

        >>> rate, error = (Rate(per_day / 86400, per_kg=False, per=None) for per_day in (48.0, 1.0))
        >>> counts = MeasuredRate(rate, error, sigma_sys=0.1).counts(np.ones(1), Exposed(1.0, 864000.0, 1, 1, {}))
        >>> counts.data.round(9), counts.variance.round(9)
        (array([480.]), array([100.]))
        """
        if exposed is None:
            raise ExperimentError("a rate follows from the exposure: give it")
        data = self.data(exposed)
        return counts_of(signal if data is None else data, self.error.events(exposed) ** 2, 0.0)


OBSERVED = "a number, a list of numbers, or a table with a file and a column"


def _refuse_counts(table: Table) -> None:
    """Refuse the keys of counted events beside a measured signal."""
    for key in ("observed", "background", "steady_state"):
        table.refuse(key, "the signal is what is left of it")


def _read_observed(table: Table, bins: Bins) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Observed counts and their errors, if any: lists, or a column and an ``error`` column of a file."""
    table.take("observed", (int, float, list, dict), OBSERVED)
    if table.is_number("observed"):
        return (table.number("observed", *bounds.GIVEN_EVENTS),), ()
    if table.is_list("observed"):
        errors = table.numbers("error", *bounds.DATA_ERROR, bounds.MOST_BINS) if "error" in table else ()
        observed = table.numbers("observed", *(bounds.DATA if errors else bounds.GIVEN_EVENTS), bounds.MOST_BINS)
    else:
        table.refuse("error", "name the column of errors beside that of the events")
        inner = table.table("observed")
        data = bins.data(inner)
        errors = inner.column("error", data, *bounds.DATA_ERROR) if "error" in inner else ()
        observed = inner.column("column", data, *(bounds.DATA if errors else bounds.GIVEN_EVENTS))
        inner.done()
    if errors and len(errors) != len(observed):
        raise table.error("error", f"must be as many as the {len(observed)} observed, not {len(errors)}")
    return observed, errors
