"""Detectors given by templates: the probability to count a recoil of some energies in each bin.

The probability is linear between these energies, and 0 below the lowest and above the highest.  The bins can be bins of
any quantity, so that they have numbers in place of energies.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from fastscan.errors import ExperimentError
from fastscan.experiments.energies import Kind, Unit
from fastscan.experiments.morphing import Morphed
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.inputs.units import UNITS
from fastscan.physics.nuclei import Isotope
from fastscan.typing import Array

BIN = Unit("bin", 1.0)
RECOIL_UNITS = UNITS["recoil energy"]


@dataclass(frozen=True, eq=False)
class Templates:
    """The response of a detector to recoils.

    Attributes
    ----------
    energies : tuple of float
        Recoil energies in MeV, increasing.
    response : Morphed
        Probability that a recoil of each energy is counted in each bin, shape (..., energies, bins); it can depend on
        parameters.
    """

    energies: tuple[float, ...]
    response: Morphed

    @classmethod
    def read(cls, table: Table) -> Self:
        """The detector that the table ``templates`` of a detector describes.

        Raises
        ------
        ExperimentError
            For a key that is missing, unknown or wrong, and a file that is damaged, missing, or of another shape.
        """
        inner = table.table("templates")
        data, unit = inner.arrays("file"), RECOIL_UNITS[inner.choice("unit", RECOIL_UNITS)]
        name = inner.text("energy")
        energies = inner.checked("energy", lambda: data.array(name, -1)) * unit
        if len(energies) < 2 or not energies[0] > 0 or not (np.diff(energies) > 0).all():
            raise inner.error("energy", f"{data.where}: {name} must be above 0, and increase from each to the next")
        if len(energies) > bounds.MOST_STEPS:
            raise inner.error("energy", f"must be at most {bounds.MOST_STEPS}, not {len(energies)}")
        response = Morphed.read(inner, data, len(energies), -1)
        inner.done()
        table.done()
        if response.values.shape[-1] < 2:
            raise inner.error("array", f"{data.where}: {inner.text('array')} must have two bins or more")
        if response.values.sum(axis=-1).max(initial=0.0) > 1 + bounds.SHARE_ROUNDING:
            raise inner.error("array", f"{data.where}: more than all recoils of an energy are counted")
        return cls(tuple(energies.tolist()), response)

    @property
    def bins(self) -> tuple[float, ...]:
        """Edges of the bins, which have numbers from 0 on."""
        return tuple(map(float, range(self.response.values.shape[-1] + 1)))

    def of_recoils(self) -> "Templates":
        """A detector with a bin for each energy, in which it counts the recoils around that energy.

        Because probabilities are linear between energies, `response` turns these events into those of the bins.
        """
        return Templates(self.energies, Morphed((), (), np.eye(len(self.energies))))

    def check(self, recoils: Iterable[tuple[Isotope | None, float]]) -> None:
        """Refuse a detector that counts nothing; `recoils` are the scatterers with their largest recoils in MeV."""
        if max(largest for _, largest in recoils) <= self.energies[0]:
            raise ExperimentError("templates: no recoil from this source gives as much")

    @property
    def widths(self) -> dict[Kind, Array]:
        """Widths of the bins in numbers of bins, because they have no energy."""
        return {"bins": np.ones(len(self.bins) - 1)}

    @property
    def unit(self) -> Unit:
        """The unit of the bins' edges."""
        return BIN

    def told(self) -> dict[str, str]:
        """The parts of the detector in words, by their headings."""
        low, high = (1e3 * each for each in (self.energies[0], self.energies[-1]))
        probability = self.response.nominal.sum(axis=-1)
        shares = f"{probability.min():.4g} to {probability.max():.4g}"
        return {
            "efficiency": f"templates of {len(self.energies)} recoil energies, {low:.6g} to {high:.6g} keV: {shares}"
            + told_morph(self.response),
            "bins": f"{len(self.bins) - 1} with numbers",
        }


def told_morph(found: Morphed) -> str:
    """The parameters on which templates depend, in words; empty without any."""
    names: Sequence[str] = found.parameters
    return f", following {' and '.join(names)}" if names else ""
