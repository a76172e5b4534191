"""Detectors: which recoils are counted, with which probability, and in which bin.

Recoil energies are in MeV.  Each shape of an efficiency is one class with its words, its reading and its value;
another shape is another class and its line in `SHAPES`.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from fastscan.errors import ExperimentError
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.inputs.units import UNITS
from fastscan.typing import Array

RECOIL_UNITS = UNITS["recoil energy"]
ROUNDING = 1e-9  # of an energy that is written in two units
LARGEST_EXPONENT = 700.0  # exp of more than 709 is beyond the largest number


class Efficiency(Protocol):
    """What every shape of a smooth efficiency offers."""

    @property
    def knots(self) -> tuple[float, ...]:
        """Recoil energies in MeV between which the efficiency is smooth enough for a quadrature."""

    @property
    def known_from(self) -> float:
        """Recoil energy in MeV below which it says nothing."""

    def at(self, recoil: Array) -> Array | float:
        """Probability to count recoils of energies in MeV, of shape (...); a constant one is a number."""


class Shape(Efficiency, Protocol):
    """An efficiency that a table of an experiment's file describes."""

    @classmethod
    def read(cls, table: Table, per_mev: float | None) -> Self:
        """The efficiency that the ``efficiency`` table of a detector describes.

        Parameters
        ----------
        table : Table
            The table.
        per_mev : float or None
            Photoelectrons per MeV of recoil energy, where the file gives them.

        Raises
        ------
        ExperimentError
            For a key that is missing or wrong.
        """


@dataclass(frozen=True)
class Constant:
    """The same efficiency at every recoil energy."""

    value: float
    knots: ClassVar[tuple[float, ...]] = ()
    known_from: ClassVar[float] = 0.0

    def at(self, recoil: Array) -> float:
        """See `Efficiency.at`."""
        return self.value


@dataclass(frozen=True)
class Logistic:
    """plateau / (1 + exp(-slope (x - midpoint))) in x = per_mev * recoil energy."""

    plateau: float
    slope: float
    midpoint: float
    per_mev: float
    known_from: ClassVar[float] = 0.0

    @classmethod
    def read(cls, table: Table, per_mev: float | None) -> Self:
        """See `Shape.read`."""
        if per_mev is None:
            raise table.error("shape", "'logistic' is in photoelectrons: give photoelectrons_per_kev")
        return cls(
            plateau=table.number("plateau", *bounds.SHARE),
            slope=table.number("slope", *bounds.SLOPE),
            midpoint=table.number("midpoint", *bounds.PHOTOELECTRONS),
            per_mev=per_mev,
        )

    @property
    def knots(self) -> tuple[float, ...]:
        """Energies around the step, which is smooth but can be steep."""
        steps = ((self.midpoint + n / self.slope) / self.per_mev for n in (-32, -16, -8, -4, 0, 4, 8, 16, 32))
        return tuple(step for step in steps if step > 0)

    def at(self, recoil: Array) -> Array:
        """See `Efficiency.at`."""
        exponent = -(self.slope * (self.per_mev * recoil - self.midpoint))
        smooth: Array = self.plateau * (1 / (1 + np.exp(np.minimum(exponent, LARGEST_EXPONENT))))
        return smooth


@dataclass(frozen=True)
class Tabulated:
    """Efficiency linear between recoil energies in MeV; constant above, and unknown below."""

    energies: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def read(cls, table: Table, per_mev: float | None) -> "Tabulated":
        """See `Shape.read`."""
        unit = RECOIL_UNITS[table.choice("unit", RECOIL_UNITS)]
        energies = table.increasing("energy", *bounds.RECOIL, bounds.MOST_STEPS)
        values = table.numbers("values", *bounds.SHARE, bounds.MOST_STEPS)
        if len(energies) != len(values):
            raise table.error("values", f"must be as many as the {len(energies)} energies, not {len(values)}")
        if "below" in table and table.number("below") != 0:
            raise table.error("below", "must be 0; for another efficiency let the table begin at a lower energy")
        shape: type[Tabulated] = ZeroBelow if "below" in table else cls
        return shape(tuple(energy * unit for energy in energies), values)

    @property
    def knots(self) -> tuple[float, ...]:
        """The energies of the table."""
        return self.energies

    @property
    def known_from(self) -> float:
        """The first energy of the table."""
        return self.energies[0]

    def at(self, recoil: Array) -> Array:
        """See `Efficiency.at`."""
        return np.interp(recoil, self.energies, self.values)


@dataclass(frozen=True)
class ZeroBelow(Tabulated):
    """A table below whose first energy nothing is counted."""

    known_from: ClassVar[float] = 0.0

    def at(self, recoil: Array) -> Array:
        """See `Efficiency.at`."""
        return np.interp(recoil, self.energies, self.values, left=0.0)


SHAPES: dict[str, type[Shape]] = {"logistic": Logistic, "table": Tabulated}


@dataclass(frozen=True)
class Detector:
    """What is accepted: a smooth efficiency times steps, and the bins that recoils are counted in.

    `edges` (recoil energy in MeV) and `acceptance` are the steps, zero outside; `bins` are the edges of the bins
    in MeV, empty for one bin that holds everything.
    """

    edges: tuple[float, ...]
    acceptance: tuple[float, ...]
    efficiency: Efficiency
    bins: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        first = self.efficiency.known_from
        if self.threshold_mev < first * (1 - ROUNDING):
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
        detector = table.checked("efficiency", lambda: cls(edges, acceptance, efficiency, bins))
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

        >>> steps = tuple(photoelectrons / 1.17e3 for photoelectrons in (5, 6, 30))
        >>> detector = Detector(steps, (0.5, 1.0), Logistic(0.6655, 0.4942, 10.8507, per_mev=1.17e3))
        >>> photoelectrons = np.array([4.9, 5.5, 20.0, 30.1])
        >>> detector.probability(photoelectrons / 1.17e3).round(4)
        array([0.    , 0.0221, 0.6583, 0.    ])
        """
        steps = np.array([0.0, *self.acceptance, 0.0])
        step: Array = steps[np.searchsorted(self.edges, recoil, side="right")]
        return step * self.efficiency.at(recoil)

    def bin_edges(self, largest_recoil: float) -> tuple[float, ...]:
        """Edges in MeV of the bins that recoils are counted in.

        A detector without bins of its own has one, from its threshold to the largest recoil (MeV) that there is or
        that it accepts.

        Examples
        --------
        >>> Detector((0.001, math.inf), (1.0,), Constant(0.5)).bin_edges(largest_recoil=0.003)
        (0.001, 0.003)
        """
        return self.bins or (self.edges[0], min(self.edges[-1], largest_recoil))


def _read_steps(table: Table, per_mev: float | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Edges (MeV) and values of what is accepted, zero outside: a threshold, or steps in photoelectrons."""
    if per_mev is None:
        table.refuse("acceptance", "its edges are in photoelectrons: give photoelectrons_per_kev")
        return (table.quantity("threshold", "recoil energy") if "threshold" in table else 0.0, math.inf), (1.0,)
    table.refuse("threshold", "with photoelectrons_per_kev, the acceptance's first edge is the threshold")
    steps, most = table.table("acceptance"), bounds.MOST_STEPS
    edges = tuple(edge / per_mev for edge in steps.increasing("edges", 0, bounds.PHOTOELECTRONS[1], most))
    values = steps.numbers("values", *bounds.SHARE, most)
    if len(edges) != len(values) + 1:
        raise steps.error("edges", f"must be one more than the {len(values)} values, not {len(edges)}")
    steps.done()
    return edges, values


def _read_efficiency(table: Table, per_mev: float | None) -> Efficiency:
    """A number, or a table of a shape; left out, 1."""
    if "efficiency" not in table:
        return Constant(1.0)
    if table.is_number("efficiency"):
        return Constant(table.number("efficiency", *bounds.SHARE))
    return table.table("efficiency").of_kind("shape", SHAPES, per_mev)


def _read_bins(table: Table) -> tuple[float, ...]:
    """Edges of the bins in MeV; empty where there are none."""
    if "bins" not in table:
        return ()
    bins = table.table("bins")
    start, stop = bins.number("start", *bounds.RECOIL), bins.number("stop", *bounds.RECOIL)
    num, unit = bins.whole("num", 1, bounds.MOST_BINS), RECOIL_UNITS[bins.choice("unit", RECOIL_UNITS)]
    if stop <= start:
        raise bins.error("stop", "must be above start")
    bins.done()
    return tuple((start + (stop - start) * i / num) * unit for i in range(num + 1))
