"""Events that are counted in bins, compared with what is expected by Poisson's law and nuisances with names.

Each background has a relative error of its amount, and shapes, each a nuisance of its own: expectations are linear in
all of them.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments.backgrounds import Background, Exposed
from fastscan.typing import Array


@dataclass(frozen=True, eq=False)
class Nuisance:
    """A parameter that is known within a Gaussian error, in units of which it is counted.

    Attributes
    ----------
    name : str
    change : array, shape (bins,)
        How many events more there are in each bin at one standard deviation.
    """

    name: str
    change: Array


@dataclass(frozen=True)
class Poisson:
    """Events counted in each bin, over backgrounds with nuisances.

    Attributes
    ----------
    observed : tuple of float or None
        Events in each bin; None for what the Standard Model predicts.
    backgrounds : tuple of Background
    sigma_sys : float
        Relative error of the signal's normalisation.
    """

    observed: tuple[float, ...] | None
    backgrounds: tuple[Background, ...]
    sigma_sys: float

    @property
    def is_measured(self) -> bool:
        """Whether the observed counts are measured ones."""
        return self.observed is not None

    def data(self, exposed: Exposed) -> Array | None:
        """See `Observation.data`."""
        return None if self.observed is None else np.array(self.observed)

    def backgrounds_in(self, signal: Array, exposed: Exposed) -> dict[str, Array]:
        """See `Observation.backgrounds_in`."""
        return {each.name: self._events(each, exposed) for each in self.backgrounds}

    def nuisances(self, exposed: Exposed) -> list[Nuisance]:
        """Those of the backgrounds: the amount of each that has an error, then its shapes."""
        found = []
        for each in self.backgrounds:
            if each.error:
                found.append(Nuisance(each.name, each.error * self._events(each, exposed)))
            found += [Nuisance(shape.name, np.array(shape.change)) for shape in each.shapes]
        return found

    def expected(self) -> Self:
        """The same measurement with the predicted signal and backgrounds for the observed counts."""
        return replace(self, observed=None)

    @staticmethod
    def _events(background: Background, exposed: Exposed) -> Array:
        try:
            return background.amount.events(exposed)
        except ExperimentError as error:
            raise ExperimentError(f"background {quoted(background.name)}: {error}") from None
