"""The geometry of an experiment: the detector's distance from the source, and the dilution of the neutrinos.

Lengths are in m.  A new kind of geometry is a new class and its line in `GEOMETRIES`.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from fastscan.inputs.toml import Table
from fastscan.inputs.units import told


class Geometry(Protocol):
    """The protocol of geometries."""

    @classmethod
    def read(cls, table: Table) -> Self:
        """The geometry that an experiment's file describes by the kind's own key."""

    def told(self) -> str:
        """In words."""

    @property
    def volume_m3(self) -> float | None:
        """Volume in m^3, which a target of a given density fills; None for a point."""

    def mean_inverse_square(self) -> float:
        """Mean of 1/r^2 over the detector, r the distance from the source, in m^-2."""


@dataclass(frozen=True)
class Point:
    """A detector that is small compared with its distance from the source, `distance_m`, in m."""

    distance_m: float
    volume_m3: ClassVar[None] = None

    @classmethod
    def read(cls, table: Table) -> Self:
        """The point that an experiment's file places at its ``baseline``."""
        return cls(table.quantity("baseline", "length"))

    def told(self) -> str:
        """In words."""
        return f"{told(self.distance_m, 'length')} from the source"

    def mean_inverse_square(self) -> float:
        """Mean of 1/r^2 over the detector, r the distance from the source, in m^-2."""
        return 1 / self.distance_m**2


@dataclass(frozen=True)
class Cylinder:
    """A cylindrical detector with the source on its axis.

    Attributes
    ----------
    height_m, diameter_m : float
        Height and diameter in m.
    distance_m : float
        Distance of the source from the nearer face in m.
    """

    height_m: float
    diameter_m: float
    distance_m: float

    @classmethod
    def read(cls, table: Table) -> Self:
        """The cylinder that an experiment's file describes as ``cylinder``."""
        cylinder = table.table("cylinder")
        parsed = cls(*(cylinder.quantity(key, "length") for key in ("height", "diameter", "distance")))
        cylinder.done()
        return parsed

    def told(self) -> str:
        """In words."""
        height, diameter, distance = (
            told(each, "length") for each in (self.height_m, self.diameter_m, self.distance_m)
        )
        return f"cylinder {height} high, {diameter} across, {distance} from the source on its axis"

    @property
    def volume_m3(self) -> float:
        """Volume in m^3."""
        return math.pi / 4 * self.diameter_m**2 * self.height_m

    def mean_inverse_square(self) -> float:
        """Mean of 1/r^2 over the detector, r the distance from the source, in m^-2.

        For a cylinder of volume V and radius R at a distance L, this is pi/V [G(L + h) - G(L)] with
        G(z) = z ln(1 + R^2/z^2) + 2 R arctan(z/R)  (after Eq. 20 of arXiv:2002.01482).

        Examples
        --------
        >>> round(Cylinder(1.38, 1.38, 1.0).mean_inverse_square(), 6)
        0.37558
        """
        R, L = self.diameter_m / 2, self.distance_m

        def G(z: float) -> float:  # noqa: N802 the name of the formula
            return z * math.log1p((R / z) ** 2) + 2 * R * math.atan(z / R)

        return math.pi / self.volume_m3 * (G(L + self.height_m) - G(L))


GEOMETRIES: dict[str, type[Geometry]] = {"cylinder": Cylinder, "baseline": Point}  # by their key in a file


def dilution(geometry: Geometry) -> float:
    """Mean of 1/(4 pi r^2) over a detector, r the distance from the source, in cm^-2.

    >>> f"{dilution(Point(20.0)):.4e}"
    '1.9894e-08'
    """
    return geometry.mean_inverse_square() / (4 * math.pi) * 1e-4  # 1/m^2 to 1/cm^2


def read(table: Table, at_detector: bool) -> Geometry | None:
    """The geometry of an experiment's file, which has the key of one of `GEOMETRIES`.

    It is None where the source gives fluxes at the detector, see `source.Source.at_detector`.

    Raises
    ------
    ExperimentError
        For a key that is missing or wrong, for two geometries, and for a geometry where the source gives fluxes.
    """
    if at_detector:
        for key in GEOMETRIES:
            table.refuse(key, "the source says how many neutrinos are at the detector")
        return None
    own = next((key for key in GEOMETRIES if key in table), "baseline")
    for key in GEOMETRIES:
        if key != own:
            table.refuse(key, f"the {own} has its distance from the source")
    return GEOMETRIES[own].read(table)
