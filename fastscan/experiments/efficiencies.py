"""Efficiencies: the probability that an event of an energy is counted.

Each shape is one class, which reads its keys and computes its value; a new shape is a new class and its line in
`SHAPES`.  Energies are in MeV or numbers of photoelectrons or electrons, as in the detector.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
import scipy  # its parts load at first use: a list of experiments needs none of them

from fastscan.experiments.energies import Unit
from fastscan.inputs import bounds, points
from fastscan.inputs.toml import Table
from fastscan.typing import Array

LARGEST_EXPONENT = 700.0  # exp of more than 709 is beyond the largest number


class Efficiency(Protocol):
    """The protocol of smooth efficiencies."""

    @property
    def knots(self) -> tuple[float, ...]:
        """Energies between which the efficiency is smooth enough for a quadrature."""

    @property
    def is_linear(self) -> bool:
        """Whether the efficiency is linear between its knots and constant outside them."""

    @property
    def known_from(self) -> float:
        """Energy below which the efficiency is unknown; 0 where it is known at all energies."""

    def at(self, recoil: Array) -> Array | float:
        """Probability to count events of some energies, shape (...); a number where it is constant."""

    def told(self, unit: Unit) -> str:
        """The efficiency in words, with energies in a unit."""


class Shape(Efficiency, Protocol):
    """An efficiency that a table of an experiment's file describes."""

    @classmethod
    def read(cls, table: Table, unit: float, per: float) -> Self:
        """The efficiency that the ``efficiency`` table of a detector describes.

        Parameters
        ----------
        table : Table
            The table.
        unit, per : float
            The unit of the table's energies, in units of the detector's energy; and its inverse, which is exact where
            the file gives the inverse.

        Raises
        ------
        ExperimentError
            For a key that is missing or wrong.
        """


@dataclass(frozen=True)
class Constant:
    """The same efficiency at every energy, `value`, a probability."""

    value: float
    knots: ClassVar[tuple[float, ...]] = ()
    is_linear: ClassVar[bool] = True
    known_from: ClassVar[float] = 0.0

    def at(self, recoil: Array) -> float:
        """See `Efficiency.at`."""
        return self.value

    def told(self, unit: Unit) -> str:
        """See `Efficiency.told`."""
        return f"{self.value:.6g}"


@dataclass(frozen=True)
class Logistic:
    """plateau / (1 + exp(-slope (x - midpoint))) in x = per_mev * energy.

    Attributes
    ----------
    plateau : float
        Probability far above the midpoint.
    slope, midpoint : float
        Per unit of x, and in units of x.
    per_mev : float
        Units of x per MeV or, where the detector counts quanta, per quantum.
    """

    plateau: float
    slope: float
    midpoint: float
    per_mev: float
    is_linear: ClassVar[bool] = False
    known_from: ClassVar[float] = 0.0

    @classmethod
    def read(cls, table: Table, unit: float, per: float) -> "Logistic":
        """See `Shape.read`."""
        offset = table.number("offset", *bounds.OFFSET) if "offset" in table else 0.0
        plateau = table.number("plateau", bounds.SHARE[0], bounds.SHARE[1] - offset)
        slope = table.number("slope", *bounds.SLOPE)
        midpoint = table.number("midpoint", *bounds.PHOTOELECTRONS)
        if plateau <= -offset:
            raise table.error("plateau", "is no higher than the offset is deep, so that nothing is counted")
        if offset:
            return LoweredLogistic(plateau, slope, midpoint, per, offset)
        return cls(plateau, slope, midpoint, per)

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

    def told(self, unit: Unit) -> str:
        """See `Efficiency.told`."""
        factor = f"{self.per_mev * unit.size:.6g}"
        return f"{self._formula}, x " + (f"in {unit.symbol}" if factor == "1" else f"= {factor} E/{unit.symbol}")

    @property
    def _formula(self) -> str:
        return f"{self.plateau:.6g} / (1 + exp(-{self.slope:.6g} (x - {self.midpoint:.6g})))"


@dataclass(frozen=True)
class LoweredLogistic(Logistic):
    """A logistic plus a negative offset, and 0 where the sum is negative.

    >>> csi = LoweredLogistic(1.32045, 0.285979, 10.8646, 1.0, -0.333322)
    >>> csi.at(np.array([7.0, 8.0, 60.0])).round(4)
    array([0.    , 0.0706, 0.9871])
    >>> csi.told(Unit("PE", 1.0))
    '1.32045 / (1 + exp(-0.285979 (x - 10.8646))) - 0.333322, x in PE'
    """

    offset: float

    @property
    def knots(self) -> tuple[float, ...]:
        """The knots of a logistic, and the energy at which the efficiency becomes positive."""
        if self.plateau + self.offset <= 0:
            return super().knots
        zero = (self.midpoint - math.log(self.plateau / -self.offset - 1) / self.slope) / self.per_mev
        return (*super().knots, *((zero,) if zero > 0 else ()))

    def at(self, recoil: Array) -> Array:
        """See `Efficiency.at`."""
        return np.maximum(super().at(recoil) + self.offset, 0.0)

    @property
    def _formula(self) -> str:
        return f"{super()._formula} - {-self.offset:.6g}"


@dataclass(frozen=True)
class ErrorFunction:
    """plateau / 2 (1 + erf((x - midpoint) / (sqrt2 sigma))) in x = per_mev * energy.

    This is the share of events that pass a threshold at the midpoint after Gaussian noise of width sigma is added to x.

    Examples
    --------
    At the midpoint, and one and two sigma above it:

    >>> ErrorFunction(1.0, 160.0, 20.0, 1e6).at(np.array([160e-6, 180e-6, 200e-6])).round(4)
    array([0.5   , 0.8413, 0.9772])
    """

    plateau: float
    midpoint: float
    sigma: float
    per_mev: float
    is_linear: ClassVar[bool] = False
    known_from: ClassVar[float] = 0.0

    @classmethod
    def read(cls, table: Table, unit: float, per: float) -> Self:
        """See `Shape.read`."""
        plateau = table.number("plateau", *bounds.SHARE)
        midpoint = table.number("midpoint", *bounds.PHOTOELECTRONS)
        return cls(plateau, midpoint, table.number("sigma", *bounds.TURN_ON), per)

    @property
    def knots(self) -> tuple[float, ...]:
        """Energies around the step, which is smooth but can be steep."""
        steps = ((self.midpoint + n * self.sigma) / self.per_mev for n in (-9, -6, -3, 0, 3, 6, 9))
        return tuple(step for step in steps if step > 0)

    def at(self, recoil: Array) -> Array:
        """See `Efficiency.at`."""
        passed: Array = scipy.special.ndtr((self.per_mev * recoil - self.midpoint) / self.sigma)
        return self.plateau * passed

    def told(self, unit: Unit) -> str:
        """See `Efficiency.told`."""
        x = f"x = {self.per_mev * unit.size:.6g} E/{unit.symbol}"
        return f"{self.plateau:.6g} / 2 (1 + erf((x - {self.midpoint:.6g}) / (sqrt2 {self.sigma:.6g}))), {x}"


@dataclass(frozen=True)
class Tabulated:
    """Efficiency linear between energies; constant above, and unknown below.

    Attributes
    ----------
    energies : tuple of float, shape (points,)
        Ascending, in MeV or in quanta, as the detector has them.
    values : tuple of float, shape (points,)
        Probabilities there.
    """

    energies: tuple[float, ...]
    values: tuple[float, ...]
    is_linear: ClassVar[bool] = True

    @classmethod
    def read(cls, table: Table, unit: float, per: float) -> "Tabulated":
        """See `Shape.read`."""
        energies, values = points.read(table, "energy", "values", bounds.RECOIL, bounds.SHARE)
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

    def told(self, unit: Unit) -> str:
        """See `Efficiency.told`."""
        ends = unit.told(self.energies[0], self.energies[-1])
        return f"table of {len(self.energies)} energies, {ends}: {min(self.values):.4g} to {max(self.values):.4g}"


@dataclass(frozen=True)
class ZeroBelow(Tabulated):
    """A table with the efficiency 0 below its first energy."""

    known_from: ClassVar[float] = 0.0

    def at(self, recoil: Array) -> Array:
        """See `Efficiency.at`."""
        return np.interp(recoil, self.energies, self.values, left=0.0)


SHAPES: dict[str, type[Shape]] = {"logistic": Logistic, "erf": ErrorFunction, "table": Tabulated}


def read_number(table: Table) -> Constant | None:
    """The constant efficiency of a detector; None where a table describes it."""
    if "efficiency" not in table:
        return Constant(1.0)
    table.take("efficiency", (int, float, dict), "a table of a shape, or a number from 0 to 1")
    return Constant(table.number("efficiency", *bounds.SHARE)) if table.is_number("efficiency") else None
