"""A question: which groups of a store or which experiments answer, at which values, at which level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from fastscan.errors import LimitError
from fastscan.limits.confidence import CL, DOF, Toys

if TYPE_CHECKING:  # commands ask questions before anything numerical is imported
    from fastscan.stores.cube import Cube

Values = float | Sequence[float] | Literal["axis"]  # the word stands for all points of an axis


@dataclass(frozen=True)
class Question:
    """A question about limits, profiles or contours.

    Attributes
    ----------
    groups : tuple of str
        Groups of a store; empty for all that can answer.
    at : mapping of str to values
        Values of axes by name, in the units of the axes: one, several, or "axis" for all of an axis' points.  Of
        experiments without a store, sigma_sys can be a mapping by experiment.
    cl : float
        Confidence level, a probability.
    dof : int or None
        Degrees of freedom; None for 1, and in a plane for as many of the model's parameters as it shows.
    stored : bool
        Whether to insist on the stored chi2: values on the axes only, each of which must be the likelihood's.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data.
    independent : bool
        Whether experiments that are combined share no nuisance.
    toys : Toys or None
        The toys that say what is allowed; None for the quantile of chi2.
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
        """The cube that the question is about: a given one, or one with the data and the nuisances that are asked for.

        Parameters
        ----------
        cube : Cube
        stored : bool
            Whether the answer comes from the chi2 that is stored.

        Raises
        ------
        LimitError
            Where this chi2, or what toys are compared with, is that of measured data, and what is expected is asked
            for; or that of shared nuisances, and independent ones are asked for.  Where toys are asked for, and there
            are none.
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
        """The one value at which each axis is held, for contours."""
        held: dict[str, float] = {}
        for name, values in self.at.items():
            if isinstance(values, str) or (isinstance(values, Sequence) and len(values) != 1):
                raise LimitError(f"contours are drawn at one {name}")
            held[name] = values[0] if isinstance(values, Sequence) else values
        return held


@dataclass(frozen=True)
class PlaneAxes:
    """Which plane is asked for: the names of its two axes, None for the first that a group has, and further axes over
    whose points chi2 is minimised."""

    names: tuple[str, str] | None = None
    minimise: tuple[str, ...] = ()
