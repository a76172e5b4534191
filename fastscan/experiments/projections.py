"""Projections: the Standard Model's prediction in place of data, on a relative background or absolute backgrounds.

Files describe both with the keys of one kind, `Projection`, which reads the other.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from fastscan.experiments import backgrounds
from fastscan.experiments.backgrounds import UNNAMED, Background, Exposed
from fastscan.experiments.bins import Bins
from fastscan.experiments.observations import (
    NO_BACKGROUND,
    PROJECTION,
    Counts,
    Gaussian,
    added,
    counts_of,
    read_sigma_sys,
    told_backgrounds,
)
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.typing import Array


@dataclass(frozen=True)
class Projection(Gaussian):
    """The Standard Model's prediction as data, on a background relative to the signal (Eqs. 22, 23).

    Attributes
    ----------
    background : float
        Background relative to the signal, in each bin.
    background_scales : bool
        Whether the nuisance of the signal's normalisation changes the background too.
    sigma_sys : float
        Relative error of the signal's normalisation.
    """

    background: float
    background_scales: bool
    sigma_sys: float
    is_measured: ClassVar[bool] = False

    @classmethod
    def read(cls, table: Table, bins: Bins) -> "Projection | ProjectionOver":
        """The projection that a ``[statistics]`` table describes, on a relative background or absolute backgrounds."""
        if table.is_text("background") or table.is_list("background"):
            return ProjectionOver.read(table, bins)
        has_background = "background" in table
        if not has_background:
            table.refuse("background_scales", "there is no background")
        return cls(
            background=table.number("background", *bounds.RELATIVE_BACKGROUND) if has_background else 0.0,
            background_scales=table.flag("background_scales") if has_background else False,
            sigma_sys=read_sigma_sys(table),
        )

    def data(self, exposed: Exposed) -> None:
        """See `Observation.data`."""

    def told(self) -> tuple[str, str]:
        """See `Observation.told`."""
        scales = "scales" if self.background_scales else "does not scale"
        relative = f"{self.background:.6g} times the signal, {scales} with its normalisation"
        return PROJECTION, relative if self.background else NO_BACKGROUND

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`."""
        return {UNNAMED: self.background * signal} if self.background else {}

    def expected(self) -> Self:
        """The projection itself, because its data are the prediction already."""
        return self

    def counts(self, signal: Array, exposed: Exposed | None = None) -> Counts:
        """The Standard Model's prediction of signal and background as data.

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


@dataclass(frozen=True)
class ProjectionOver(Gaussian):
    """The Standard Model's prediction as data, on backgrounds that don't depend on the signal.

    Attributes
    ----------
    backgrounds : tuple of Background
    sigma_sys : float
        Relative error of the signal's normalisation.
    """

    backgrounds: tuple[Background, ...]
    sigma_sys: float
    is_measured: ClassVar[bool] = False

    @classmethod
    def read(cls, table: Table, bins: Bins) -> Self:
        """The projection that a ``[statistics]`` table describes."""
        if "background_scales" in table and table.flag("background_scales"):
            raise table.error("background_scales", "must be false: these backgrounds don't follow the signal")
        return cls(backgrounds.read(table, bins), read_sigma_sys(table))

    def data(self, exposed: Exposed) -> None:
        """See `Observation.data`."""

    def told(self) -> tuple[str, str]:
        """See `Observation.told`."""
        return PROJECTION, told_backgrounds(self.backgrounds)

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`."""
        return {each.name: each.amount.events(exposed) for each in self.backgrounds}

    def expected(self) -> Self:
        """The projection itself, whose data are the prediction already."""
        return self

    def counts(self, signal: Array, exposed: Exposed | None = None) -> Counts:
        """The Standard Model's prediction as data, with the backgrounds in their variance."""
        total, error = added(self.backgrounds, exposed)
        return counts_of(signal, signal + total, error)
