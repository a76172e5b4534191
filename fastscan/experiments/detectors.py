"""Detectors that measure the energy of each recoil exactly: the probability to count a recoil, and its bin.

Recoil energies are in MeV.  A detector that measures another energy, or with a resolution, is a
`fastscan.experiments.reconstruction.Reconstruction`.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments import efficiencies, energies
from fastscan.experiments.efficiencies import SHAPES, Efficiency
from fastscan.experiments.energies import Kind, Unit
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.inputs.units import UNITS
from fastscan.typing import Array

RECOIL_UNITS = UNITS["recoil energy"]


@dataclass(frozen=True)
class Detector:
    """A detector that measures the energy of each recoil exactly: its efficiency, smooth times steps, and its bins.

    Attributes
    ----------
    edges : tuple of float, shape (steps + 1,)
        Recoil energies in MeV at which the acceptance changes.
    acceptance : tuple of float, shape (steps,)
        Probability to count a recoil between two neighbouring edges; outside of all edges it is 0.
    efficiency : Efficiency
        The smooth efficiency, which multiplies the steps.
    bins : tuple of float
        Edges of the bins in MeV of recoil energy; empty for one bin over all accepted energies.
    shown_in : str
        The unit in which output shows energies.
    """

    edges: tuple[float, ...]
    acceptance: tuple[float, ...]
    efficiency: Efficiency
    bins: tuple[float, ...] = ()
    shown_in: str = ""

    def __post_init__(self) -> None:
        first = self.efficiency.known_from
        if self.threshold_mev < first * (1 - bounds.ENERGY_ROUNDING):
            raise ExperimentError(
                f"the table says nothing below its first energy, {1e3 * first:g} keV, where its first value held once: "
                "give a threshold there or above, or below = 0 in the table"
            )

    @classmethod
    def read(cls, table: Table) -> Self:
        """The detector that the ``[detector]`` table of an experiment's file describes.

        Raises
        ------
        ExperimentError
            For a key that is missing, unknown or wrong, or can't stand beside the others.
        """
        per_mev = None
        if "photoelectrons_per_kev" in table:
            per_mev = table.number("photoelectrons_per_kev", *bounds.PHOTOELECTRONS_PER_KEV) * 1e3
        edges, acceptance = _read_steps(table, per_mev)
        efficiency, bins = _read_efficiency(table, per_mev), _read_bins(table)
        unit = energies.written_unit(table)
        detector = table.checked("efficiency", lambda: cls(edges, acceptance, efficiency, bins, unit))
        table.done()
        return detector

    @property
    def threshold_mev(self) -> float:
        """Recoil energy in MeV below which nothing is counted."""
        return self.edges[0]

    @property
    def knots(self) -> tuple[float, ...]:
        """Recoil energies in MeV between which `probability` is smooth enough for a quadrature; the last may be inf."""
        return (*self.edges, *self.efficiency.knots)

    def probability(self, recoil: Array) -> Array:
        """Probability to count a recoil: acceptance steps times a smooth efficiency.

        A recoil on an edge of a step belongs to the step above it.

        Parameters
        ----------
        recoil : array, shape (...)
            Recoil energies in MeV.

        Returns
        -------
        array, shape (...)
            Between 0 and 1.

        References
        ----------
        The logistic and its steps at 5, 6 and 30 photoelectrons are those of COHERENT's CsI[Na], arXiv:1804.09459.

        Examples
        --------
        CsI[Na] below its threshold of 5 photoelectrons, in the half step up to 6, in the open, and above 30:

        >>> from fastscan.experiments.efficiencies import Logistic
        >>> steps = tuple(photoelectrons / 1.17e3 for photoelectrons in (5, 6, 30))
        >>> detector = Detector(steps, (0.5, 1.0), Logistic(0.6655, 0.4942, 10.8507, per_mev=1.17e3))
        >>> photoelectrons = np.array([4.9, 5.5, 20.0, 30.1])
        >>> detector.probability(photoelectrons / 1.17e3).round(4)
        array([0.    , 0.0221, 0.6583, 0.    ])
        """
        steps = np.array([0.0, *self.acceptance, 0.0])
        step: Array = steps[np.searchsorted(self.edges, recoil, side="right")]
        return step * self.efficiency.at(recoil)

    @property
    def widths(self) -> dict[Kind, Array]:
        """Widths of the bins above the threshold in MeV; infinite without bins."""
        return {"recoil": np.diff(np.maximum(self.bins or (0.0, math.inf), self.threshold_mev))}

    @property
    def unit(self) -> Unit:
        """The unit in which output shows recoil energies."""
        return energies.unit_of(self.shown_in, {"recoil": 1.0})

    def told(self) -> dict[str, str]:
        """The parts of the detector in words, by their headings."""
        efficiency = self.efficiency.told(self.unit)
        if len(self.acceptance) > 1 or self.acceptance != (1.0,):
            steps = zip(self.acceptance, itertools.pairwise(self.edges), strict=True)
            efficiency += "; times " + ", ".join(f"{share:.6g} from {self.unit.told(*ends)}" for share, ends in steps)
        return {
            "threshold": f"{self.unit.told(self.threshold_mev)} of recoil energy" if self.threshold_mev else "none",
            "efficiency": efficiency,
            "bins": self.unit.told_bins(self.bins or (self.edges[0], self.edges[-1])),
        }

    def bin_edges(self, largest_recoil: float) -> tuple[float, ...]:
        """Edges in MeV of the bins in which recoils are counted.

        A detector without bins of its own has one bin, from its threshold to the largest recoil, in MeV, or to the last
        edge of its acceptance where this is lower.

        Examples
        --------
        >>> from fastscan.experiments.efficiencies import Constant
        >>> Detector((0.001, math.inf), (1.0,), Constant(0.5)).bin_edges(largest_recoil=0.003)
        (0.001, 0.003)
        """
        return self.bins or (self.edges[0], min(self.edges[-1], largest_recoil))


def _read_steps(table: Table, per_mev: float | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Edges in MeV and values of the acceptance, which is 0 outside: a threshold, or steps in photoelectrons."""
    if per_mev is None:
        table.refuse("acceptance", "its edges are in photoelectrons: give photoelectrons_per_kev")
        return (energies.read(table, "threshold").value if "threshold" in table else 0.0, math.inf), (1.0,)
    table.refuse("threshold", "with photoelectrons_per_kev, the acceptance's first edge is the threshold")
    steps, most = table.table("acceptance"), bounds.MOST_STEPS
    edges = tuple(edge / per_mev for edge in steps.increasing("edges", 0, bounds.PHOTOELECTRONS[1], most))
    values = steps.numbers("values", *bounds.SHARE, most)
    if len(edges) != len(values) + 1:
        raise steps.error("edges", f"must be one more than the {len(values)} values, not {len(edges)}")
    steps.done()
    return edges, values


def _read_efficiency(table: Table, per_mev: float | None) -> Efficiency:
    """The efficiency: a number, or a table of a shape; by default 1."""
    number = efficiencies.read_number(table)
    if number is not None:
        return number
    inner = table.table("efficiency")
    shape = inner.choice("shape", SHAPES)
    if "unit" in inner or shape == "table":
        unit = RECOIL_UNITS[inner.choice("unit", RECOIL_UNITS)]
        return inner.of_kind("shape", SHAPES, unit, 1 / unit)
    if per_mev is None:
        raise inner.error("shape", f"{quoted(shape)} is in photoelectrons: give photoelectrons_per_kev, or its unit")
    return inner.of_kind("shape", SHAPES, 1 / per_mev, per_mev)


def _read_bins(table: Table) -> tuple[float, ...]:
    """Edges of the bins in MeV; empty where there are none."""
    if "bins" not in table:
        return ()
    bins = table.table("bins")
    _, edges = energies.read_edges(bins)
    bins.done()
    return edges
