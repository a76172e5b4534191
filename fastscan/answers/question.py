"""A question about limits, profiles or contours: the groups, the values of axes, and the level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from fastscan.errors import LimitError
from fastscan.limits.confidence import CL, DOF, Toys

if TYPE_CHECKING:  # at run time nothing numerical is imported here, because commands make questions while they start
    from fastscan.stores.cube import Cube

Values = float | Sequence[float] | Literal["axis"]  # the word stands for all points of an axis


@dataclass(frozen=True)
class Question:
    """A question about limits, profiles or contours.

    Attributes
    ----------
    groups : tuple of str
        Groups of a store; empty for all groups that can answer.
    at : mapping of str to values
        Values of axes by name, in the units of the axes: one, several, or "axis" for all of an axis' points.  For
        experiments without a store, sigma_sys can be a mapping by experiment.
    cl : float
        Confidence level, a probability.
    dof : int or None
        Degrees of freedom; None for 1 or, in a plane, for the number of the model's parameters that the plane shows.
    stored : bool
        Whether to use the stored chi2: values must be on the axes, and the stored chi2 must agree with the likelihood.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data.
    independent : bool
        Whether experiments that are combined share no nuisance.
    toys : Toys or None
        The toys that give the threshold of Delta chi2; None for the quantile of the chi2 distribution.
    """

    groups: tuple[str, ...] = ()
    at: Mapping[str, Any] = field(default_factory=dict)
    cl: float = CL
    dof: int | None = None
    stored: bool = False
    asimov: bool = False
    independent: bool = False
    toys: Toys | None = None

    @property
    def column_dof(self) -> int:
        """Degrees of freedom of a question about columns."""
        return DOF if self.dof is None else self.dof

    def about(self, cube: "Cube", *, stored: bool) -> "Cube":
        """A cube with the data (measured or Asimov) and the nuisances (shared or independent) of the question.

        Parameters
        ----------
        cube : Cube
        stored : bool
            Whether the answer comes from the stored chi2.  Stored toys count as such, because they are compared with
            the data of the scan.

        Raises
        ------
        LimitError
            Where the question is about an Asimov set or independent errors, and the stored chi2 or toys are not.
            Where the question is about toys, and the cube stores none, or toys of another dof.
        """
        if self.toys is not None:
            if cube.toys is None:
                raise LimitError(f"{cube.name} stores no toys: scan a grid with toys = {{ number = 10000 }}")
            if self.dof not in (None, cube.toys.dof):
                raise LimitError(f"{cube.name} stores toys of {cube.toys.dof} dof, not of {self.dof}")
            stored = True
        if self.independent:
            if stored and cube.likelihood.shared:
                raise LimitError(
                    f"{cube.name} stores no chi2 of independent errors; [combine.NAME] with independent = true does"
                )
            cube = cube.with_independent_errors()
        if self.asimov:
            if stored and cube.is_measured:
                raise LimitError(f"{cube.name} stores no chi2 of an Asimov set; a grid with asimov = true does")
            cube = cube.with_expected_data()
        return cube

    @property
    def held(self) -> dict[str, float]:
        """The single value of each axis in the question, at which contours hold the axis."""
        held: dict[str, float] = {}
        for name, values in self.at.items():
            if isinstance(values, str) or (isinstance(values, Sequence) and len(values) != 1):
                raise LimitError(f"contours are drawn at one {name}")
            held[name] = values[0] if isinstance(values, Sequence) else values
        return held


@dataclass(frozen=True)
class PlaneAxes:
    """The axes of a plane.

    Attributes
    ----------
    names : (str, str), optional
        Names of the two axes; None for the first axes that a group has.
    minimise : tuple of str
        Names of further axes, over whose points chi2 is minimised.
    """

    names: tuple[str, str] | None = None
    minimise: tuple[str, ...] = ()
