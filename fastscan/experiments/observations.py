"""Observations: what is compared with a prediction, and with which variance.

Each kind is one class with its words, its reading, and its counts; another kind is another class and its line in
`OBSERVATIONS`.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self

import numpy as np

from fastscan.axes import SIGMA_SYS
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.typing import Array


@dataclass(frozen=True, eq=False)
class Counts:
    """What a chi2 compares, bin by bin at the reference luminosity.

    Attributes
    ----------
    data : array, shape (bins,)
        Counts or expectations, after subtraction of a background that doesn't scale with the signal.
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


class Observation(Protocol):
    """What every kind of observation offers."""

    @property
    def sigma_sys(self) -> float:
        """Relative error of the signal's normalisation."""

    @property
    def is_measured(self) -> bool:
        """Whether there are data, so that an observed limit differs from the expected one."""

    @classmethod
    def read(cls, table: Table) -> Self:
        """The observation that the ``[statistics]`` table of an experiment's file describes.

        Raises
        ------
        ExperimentError
            For a key that is missing or wrong, or can't stand beside the others.
        """

    def expected(self) -> Self:
        """The same observation with its data replaced by the Standard Model's prediction."""

    def counts(self, signal: Array) -> Counts:
        """What a chi2 compares.

        Parameters
        ----------
        signal : array, shape (bins,)
            Events that the Standard Model predicts at the reference luminosity, without background.

        Returns
        -------
        Counts
            In the same bins.
        """


@dataclass(frozen=True)
class Measured:
    """Counted events in one bin and their backgrounds (Eq. 21); `observed` None: what the Standard Model predicts."""

    observed: float | None
    steady_state: float
    background: float
    background_error: float
    sigma_sys: float

    @classmethod
    def read(cls, table: Table) -> Self:
        """The measurement that a ``[statistics]`` table describes."""
        measured = cls(
            observed=table.number("observed", *bounds.GIVEN_EVENTS),
            steady_state=table.number("steady_state", *bounds.GIVEN_EVENTS),
            background=table.number("background", *bounds.GIVEN_EVENTS),
            background_error=table.relative("background_error", SIGMA_SYS.low, SIGMA_SYS.high),
            sigma_sys=table.relative(SIGMA_SYS.name, SIGMA_SYS.low, SIGMA_SYS.high),
        )
        if measured.observed == measured.steady_state == measured.background == 0:
            raise table.error("observed", "without any event, steady state or background there is no variance")
        return measured

    @property
    def is_measured(self) -> bool:
        """Whether the observed count is a measured one."""
        return self.observed is not None

    def expected(self) -> Self:
        """The same measurement with the predicted signal and background for the observed count."""
        return replace(self, observed=None)

    def counts(self, signal: Array) -> Counts:
        """Counted events after subtraction of the background, in one bin.

        Minimising over the background's own nuisance is exactly an addition to the variance.

        References
        ----------
        Eq. 21 of arXiv:2002.01482.

        Examples
        --------
        COHERENT's 142 events with 6 of background, and 405 of a steady state that counts twice:

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
class Projection:
    """Data that are the Standard Model's prediction (Eqs. 22, 23).

    `background` is relative to the signal; where it `background_scales`, the nuisance acts on it as well.
    """

    background: float
    background_scales: bool
    sigma_sys: float
    is_measured: ClassVar[bool] = False

    @classmethod
    def read(cls, table: Table) -> Self:
        """The projection that a ``[statistics]`` table describes."""
        has_background = "background" in table
        if not has_background:
            table.refuse("background_scales", "there is no background")
        return cls(
            background=table.number("background", *bounds.RELATIVE_BACKGROUND) if has_background else 0.0,
            background_scales=table.flag("background_scales") if has_background else False,
            sigma_sys=table.relative(SIGMA_SYS.name, SIGMA_SYS.low, SIGMA_SYS.high),
        )

    def expected(self) -> Self:
        """The projection itself, whose data are the prediction already."""
        return self

    def counts(self, signal: Array) -> Counts:
        """Counts that are the Standard Model's prediction, signal and background.

        References
        ----------
        Eqs. 22 and 23 of arXiv:2002.01482.

        Examples
        --------
        >>> Projection(background=0.05, background_scales=True, sigma_sys=0.2).counts(np.array([100.0])).data
        array([105.])
        """
        background = self.background * signal
        scaling = background if self.background_scales else np.zeros_like(background)
        return Counts(data=signal + scaling, background=scaling, variance=signal + background, spread=0.0)


OBSERVATIONS: dict[str, type[Observation]] = {"measured": Measured, "projection": Projection}
