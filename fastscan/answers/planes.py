"""Planes: Delta chi2 over any two axes of a cube, with the other axes held, minimised over or fitted.

Coordinates of a plane are drawn ones: the logarithm of masses and luminosities, beta as an angle or its cosine.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import zarr

from fastscan.answers.question import PlaneAxes, Question
from fastscan.axes import LUMINOSITY, SETTINGS, Axis, View, by_name, named
from fastscan.errors import LimitError, unknown
from fastscan.interactions.parameters import AXES
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.settings import is_scaled
from fastscan.limits.crossings import infimum
from fastscan.limits.feldman_cousins import critical_of_three, places_of, require_enough
from fastscan.limits.limits import threshold
from fastscan.stores import chunks
from fastscan.stores.cube import Cube
from fastscan.typing import Array, IntArray

AT_ONCE = 2**20  # points computed at a time, to bound the memory where chi2 is minimised over an axis
LOOK = 4  # steps in place of each step along the strength, to find bands between two points of the grid
FINEST = 64  # largest number of steps in place of one, for thin bands
MOST_POINTS = 2**21  # largest number of points of a refined plane, some 10 MB
Scale = tuple[Callable[[Array], Array], Callable[[Array], Array]]  # from an axis' unit to drawn coordinates, and back
SCALES: dict[str, Scale] = {
    "linear": (np.positive, np.positive),
    "log": (np.log, np.exp),
    "cos": (np.cos, np.arccos),
}
VIEWS: dict[str, tuple[Axis, View]] = {view.name: (axis, view) for axis in AXES for view in axis.all_views}


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two axes of a plane: its view, and its points in the unit of the axis, shape (points,)."""

    axis: Axis
    view: View
    points: Array

    def to_scale(self, values: Array) -> Array:
        """The drawn coordinates of values in the unit of the axis, in their shape."""
        return SCALES[self.view.scale][0](values)

    def from_scale(self, drawn: Array) -> Array:
        """Values in the unit of the axis from drawn coordinates, in their shape; points return to the last bit."""
        order = np.argsort(self.drawn)
        near = order[np.minimum(np.searchsorted(self.drawn, drawn, sorter=order), order.size - 1)]
        return np.where(self.drawn[near] == drawn, self.points[near], SCALES[self.view.scale][1](drawn))

    @cached_property
    def drawn(self) -> Array:
        """The drawn coordinates of the points."""
        return self.to_scale(self.points)

    def finer(self, times: int) -> "Side":
        """The same side with `times` steps in place of each of its steps."""
        own = np.arange(self.points.size, dtype=float)
        number = np.arange((self.points.size - 1) * times + 1) / times
        return replace(self, points=self.from_scale(np.interp(number, own, self.drawn)))

    def viewed(self, values: Array) -> Array:
        """Values as output shows them: in the unit of the axis, or as drawn coordinates of another view."""
        return values if self.view.name == self.axis.name else self.to_scale(values)


@dataclass(frozen=True, eq=False)
class CriticalPlane:
    """t_c of the toys at the points of a plane, and its interpolation between them.

    Attributes
    ----------
    x, y : array, shape (points,)
        Drawn coordinates of the points.
    t_c, error : array, shape (y, x)
        t_c, which is 0 where no Delta chi2 is accepted, and its Monte-Carlo error.
    """

    x: Array
    y: Array
    t_c: Array
    error: Array

    def at(self, x: Array, y: Array) -> tuple[Array, Array]:
        """t_c and its error at points of the plane, in drawn coordinates that broadcast."""
        from scipy.interpolate import RegularGridInterpolator  # imported here, because other planes don't need it

        points = np.stack(np.broadcast_arrays(y, x), axis=-1)
        t_c, error = (RegularGridInterpolator((self.y, self.x), each)(points) for each in (self.t_c, self.error))
        return t_c, error


@dataclass(frozen=True, eq=False)
class Plane:
    """Two axes of a cube as a plane, and the treatment of the other axes.

    Attributes
    ----------
    cube : Cube
        A group of a store, or of a plan.
    x, y : Side
        The two axes.
    held : dict of str to array
        The points of each other axis.  chi2 is minimised over several points, and one point holds the axis there.  A
        setting is absent where each experiment keeps its own value.
    fits_rows : bool
        Whether Delta chi2 is chi2 minus the infimum over all rows of the cube, or over the column of the same row.  The
        settings are the same in both cases.
    cl, dof : float, int
        Confidence level and degrees of freedom of the contours.
    stored_in : zarr.Group, optional
        Root of the store whose chi2 is used on the grid; left out, the likelihood computes chi2.
    toys : CriticalPlane, optional
        The threshold of Delta chi2 from toys; left out, the threshold is the quantile of the chi2 distribution.
    """

    cube: Cube
    x: Side
    y: Side
    held: dict[str, Array]
    fits_rows: bool
    cl: float
    dof: int
    stored_in: zarr.Group | None = None
    toys: "CriticalPlane | None" = None

    @property
    def delta(self) -> float:
        """The asymptotic threshold of Delta chi2."""
        return threshold(self.cl, self.dof)

    def threshold(self, x: Array, y: Array) -> Array:
        """The threshold of Delta chi2 at points in drawn coordinates, which broadcast."""
        if self.toys is None:
            return np.broadcast_to(self.delta, np.broadcast_shapes(x.shape, y.shape))
        return self.toys.at(x, y)[0]

    @cached_property
    def thresholds(self) -> Array:
        """The threshold of Delta chi2 on the grid, shape (y, x)."""
        return self.threshold(self.x.drawn[None, :], self.y.drawn[:, None])

    @property
    def scales_data(self) -> bool:
        """Whether measured data are scaled to a luminosity other than 1 anywhere in the plane."""
        sides = {side.axis.name: side.points for side in (self.x, self.y)}
        return self.cube.is_measured and any(map(is_scaled, {**self.held, **sides}[LUMINOSITY.name].tolist()))

    @property
    def shown(self) -> tuple[str, str]:
        """Names of the two axes."""
        return self.x.axis.name, self.y.axis.name

    @property
    def fitted(self) -> tuple[str, ...]:
        """Names of the axes over which the infimum is taken that Delta chi2 subtracts."""
        return (*(self.cube.rows if self.fits_rows else ()), self.cube.strength)

    def _in_units(self, x: Array, y: Array) -> dict[str, Array]:
        """Points in drawn coordinates, converted to the units of their axes, by the axes' names."""
        return {side.axis.name: side.from_scale(drawn) for side, drawn in ((self.x, x), (self.y, y))}

    def chi2(self, x: Array, y: Array, rows: tuple[Likelihood, IntArray] | None = None) -> Array:
        """chi2 at points in drawn coordinates; x, y and chi2 have shape (n,).

        `rows` is the result of `rows_at` for the points, if it is known already.
        """
        parts = [np.empty(0)]
        for part in _slices(x.size, self._at_once):
            own = None if rows is None else (rows[0], rows[1][part, None])
            parts.append(self._chi2_at(x[part], y[part], own))
        return np.concatenate(parts)

    def rows_at(self, x: Array, y: Array) -> tuple[Likelihood, IntArray] | None:
        """The likelihood in the rows of points (n,), and each point's row; None if a row parameter isn't shown."""
        at = {name: values for name, values in self._in_units(x, y).items() if name in self.cube.rows}
        return self.cube.at_rows(at) if at.keys() == set(self.cube.rows) else None

    @property
    def _at_once(self) -> int:
        """Number of points of the plane that are computed at a time, each with all points of the other axes."""
        return max(1, AT_ONCE // math.prod(points.size for points in self.held.values()))

    def _chi2_at(self, x: Array, y: Array, rows: tuple[Likelihood, IntArray] | None = None) -> Array:
        """chi2 at points in drawn coordinates that broadcast, in their common shape."""
        at = _product(self._in_units(x, y), self.held)
        likelihood, row = rows or self.cube.at_rows(at)
        strength = self.cube.interaction.strength.to_x(at[self.cube.strength])
        chi2 = likelihood.chi2(strength, row, at)
        lowest: Array = chi2.min(axis=-1)
        return lowest

    def lowest(self, x: Array, y: Array) -> Array:
        """The infimum that Delta chi2 subtracts, at points as in `chi2`; shape (n,)."""
        varying = {name: points for name, points in self._in_units(x, y).items() if name not in self.fitted}
        held = {name: points for name, points in self.held.items() if name not in self.fitted}
        if self.fits_rows:
            held |= {name: self.cube.points[name] for name in self.cube.rows}
        settings = np.stack([np.zeros(x.size), *varying.values()], axis=1)
        each, number = np.unique(settings, axis=0, return_inverse=True)
        at = _product(dict(zip(varying, each[:, 1:].T, strict=True)), held)
        likelihood, row = self.cube.at_rows(at)
        columns, shape = likelihood.columns(row, at)
        strength = self.cube.interaction.strength
        found = infimum(columns, strength.largest_x, strength.signed)
        lowest: Array = np.atleast_1d(found.reshape(shape).min(axis=-1))
        return lowest[number.ravel()]

    @cached_property
    def values(self) -> Array:
        """Delta chi2 on the grid, shape (y, x), from the likelihood or from the stored chi2."""
        x, y = self.x.drawn[None, :], self.y.drawn[:, None]
        width = min(x.size, self._at_once)
        blocks = [
            [self._chi2_at(x[:, across], y[up]) for across in _slices(x.size, width)]
            for up in _slices(y.size, max(1, self._at_once // width))
        ]
        chi2 = np.block(blocks)
        if self.stored_in is not None:
            stored = self._stored(self.stored_in)
            chunks.require_same(self.cube, stored, chi2)
            chi2 = stored
        return chi2 - self._lowest_on_grid

    @cached_property
    def resolved(self) -> "Plane":
        """The plane with a finer grid where lines on its own grid would cut a thin band into pieces.

        A band is a range of strengths between two crossings of the threshold, allowed or excluded.  Bands are searched
        for at `LOOK` times as many strengths.  chi2 on the finer grid comes from the likelihood; a stored chi2 is
        compared with the likelihood first.
        """
        points = self.x.points.size * self.y.points.size
        if self.cube.strength not in self.shown or points * LOOK > MOST_POINTS:
            return self
        if self.stored_in is not None:
            _ = self.values  # raises an error if the stored chi2 differs from the likelihood's
        upright = self.y.axis.name == self.cube.strength
        strengths, others = (self.y, self.x) if upright else (self.x, self.y)
        finer = self._with_sides(strengths.finer(LOOK), others)
        allowed = finer.values <= finer.thresholds
        allowed = allowed.T if upright else allowed  # (others, strengths)
        needed = _steps_needed([np.flatnonzero(row[1:] != row[:-1]) / LOOK for row in allowed])
        along, across = _affordable(needed, points)
        return self if along == across == 1 else self._with_sides(strengths.finer(along), others.finer(across))

    def _with_sides(self, strengths: Side, others: Side) -> "Plane":
        """The plane with other points on its sides, where the likelihood computes chi2."""
        x, y = (others, strengths) if self.y.axis.name == strengths.axis.name else (strengths, others)
        return replace(self, x=x, y=y, stored_in=None)

    @property
    def _lowest_on_grid(self) -> Array:
        """The infimum that Delta chi2 subtracts on the grid, in a shape that broadcasts to (y, x)."""
        own = [side.drawn[:1] if side.axis.name in self.fitted else side.drawn for side in (self.x, self.y)]
        x, y = np.meshgrid(*own)
        return self.lowest(x.ravel(), y.ravel()).reshape(x.shape)

    def with_toys(self, root: zarr.Group) -> "Plane":
        """The plane with thresholds from the stored toys; `root` is the root of the cube's store.

        Raises
        ------
        LimitError
            Where the toys have other degrees of freedom, chi2 is minimised over an axis, or an axis is held at a value
            that is not one of its points.
        """
        run, cube = self.cube.toys, self.cube
        assert run is not None, "a question about toys is refused where there are none"
        if run.dof != self.dof or (run.dof > 1) != self.fits_rows:
            raise LimitError(f"{cube.name} stores toys of {run.dof} dof, which such a plane can't use")
        if any(points.size > 1 for points in self.held.values()):
            raise LimitError(f"{cube.name} stores toys of single points: chi2 can't be minimised over an axis")
        require_enough(run.number, self.cl)
        stored = self._chosen(chunks.stored_array(root, cube, "toys")[..., places_of(run.number, self.cl)])
        t_c, error = critical_of_three(chunks.computed(cube, stored, "toys").reshape(*stored.shape[:2], 3))
        return replace(self, toys=CriticalPlane(self.x.drawn, self.y.drawn, np.maximum(t_c, 0.0), error))

    def _stored(self, root: zarr.Group) -> Array:
        """The stored chi2 on the grid, shape (y, x)."""
        values = chunks.computed(self.cube, self._chosen(chunks.stored_array(root, self.cube, "chi2")))
        return values.reshape(values.shape[:2])

    def _chosen(self, stored: Any) -> Any:
        """A stored dask array on the grid: its dimensions are (y, x), then those of the other axes with one point each.

        An axis that is held at several points is replaced by the minimum over them.
        """
        cube, axes = self.cube, list(reversed(self.shown))
        dimensions = list(cube.points)
        for number, name in enumerate(dimensions):
            if name in axes:
                continue
            held = self.held.get(name)
            chosen = cube.stored_setting(name, None) if held is None else cube.on_axis(name, held)
            stored = stored[(slice(None),) * number + (chosen,)].min(axis=number, keepdims=True)
        order = [dimensions.index(name) for name in axes]
        order += [number for number in range(stored.ndim) if number not in order]
        return stored.transpose(order)


def _steps_needed(ends: Sequence[Array]) -> tuple[int, int]:
    """The numbers of steps, along the strength and across it, in place of one, with which no band is cut.

    A band is resolved if it is two steps wide, and connected if it moves by no more than half of its width from one
    line of the grid to the next.  A band on one line alone ends between two lines, and needs no finer steps.

    Parameters
    ----------
    ends : sequence of array, shape (crossings,)
        Places on each line along the strength where the threshold is crossed, ascending, in steps of the grid.

    Examples
    --------
    >>> _steps_needed([np.array([3.0, 3.5]), np.array([4.0, 4.5])]), _steps_needed([np.array([1.0, 9.0])] * 2)
    ((4, 4), (1, 1))
    """
    along, across = 1.0, 1.0
    for here, there in itertools.pairwise(ends):
        if here.size == there.size >= 2:
            width = np.minimum(np.diff(here), np.diff(there))
            moves = np.abs(here[1:] + here[:-1] - there[1:] - there[:-1]) / 2
            along, across = max(along, (2 / width).max()), max(across, (2 * moves / width).max())
    return min(math.ceil(along), FINEST), min(math.ceil(across), FINEST)


def _affordable(times: tuple[int, int], points: int) -> tuple[int, int]:
    """The numbers of steps `times`, reduced until a plane of `points` points has at most `MOST_POINTS`."""
    along, across = times
    while points * along * across > MOST_POINTS and max(along, across) > 1:
        along, across = (along - 1, across) if along >= across else (along, across - 1)
    return along, across


def plane_of(
    cube: Cube, axes: PlaneAxes, question: Question | None = None, stored_in: zarr.Group | None = None
) -> Plane:
    """A plane of a cube with the axes, the held values and the level of a question.

    Parameters
    ----------
    cube : Cube
        A group of a store, or of a plan.
    axes : PlaneAxes
        Names of `VIEWS`; left out, the axes of `first_axes`.
    question : Question, optional
        Values at which other axes are held.  A row parameter must be on its axis; a setting need not be.  Settings that
        are left out are each experiment's own, or their default.  With 1 degree of freedom each row is a model of its
        own; with 2 the row parameters are fitted too.
    stored_in : zarr.Group, optional
        Root of the cube's store, to use the stored chi2: settings must then be on their axes too.  A question about
        stored toys needs this root.

    Returns
    -------
    Plane

    Raises
    ------
    LimitError
        Where an axis is unknown, absent or too short; where a parameter is neither shown, held nor minimised over;
        where the question is about an Asimov set or independent errors and the stored chi2 is not; and where stored
        toys don't fit the plane.

    Examples
    --------
    >>> from fastscan.answers.contours import contours
    >>> from fastscan.scans.plan import plan
    >>> e6 = plan("grids/coherent-csi.toml")[-1]
    >>> plane = plane_of(e6, PlaneAxes(("beta", "m_zprime")), Question(at={"sigma_sys": 0.1}))
    >>> plane.dof, plane.values.shape, float(plane.values[200, 0].round(3))  # (masses, betas)
    (2, (400, 181), 29.722)
    >>> [line.closed for line in contours(plane)]
    [False, False, False, False, False]
    """
    asked = question or Question()
    cube = asked.about(cube, stored=stored_in is not None)
    given = asked.held
    names = axes.names or first_axes([cube], held=(*given, *axes.minimise))
    x, y = (side_of(cube, name) for name in names)
    shown = (x.axis.name, y.axis.name)
    if shown[0] == shown[1]:
        raise LimitError(f"a plane has two different axes, not {names[0]} and {names[1]}")
    for name in (*given, *axes.minimise):
        if name not in by_name(AXES):
            raise unknown("axis", name, by_name(AXES), LimitError)
        if name in shown or (name in given and name in axes.minimise):
            raise LimitError(f"{name} can be only one of shown, held and minimised over")
    held = {name: cube.axis_points(name) for name in axes.minimise if not _is_foreign(cube, name)}
    held |= {name: _held_at(cube, name, value) for name, value in given.items() if not _is_foreign(cube, name)}
    for axis in SETTINGS:
        if axis.default is not None and axis.name not in (*shown, *held):
            held[axis.name] = np.array([axis.default])
    for axis in cube.interaction.parameters:
        if axis.name not in (*shown, *held):
            raise LimitError(f"{cube.name}: give a value of {axis.name}, or minimise over it")
    dof = dof_of(cube, shown, cube.toys.dof if asked.toys and cube.toys else asked.dof)
    over_rows = set(cube.rows) & set(axes.minimise) or (set(cube.rows) & set(shown) and dof > 1)
    plane = Plane(
        cube, x, y, held, bool(over_rows), asked.cl, dof, None if asked.toys and not asked.stored else stored_in
    )
    return plane.with_toys(stored_in) if asked.toys and stored_in is not None else plane


def _is_foreign(cube: Cube, name: str) -> bool:
    """Whether only other models have this row parameter, so that a question about many groups ignores it here."""
    return name not in cube.axes


def side_of(cube: Cube, name: str) -> Side:
    """The side of a plane of a cube for a name of `VIEWS`; a `LimitError` where the cube's axis can't be a side."""
    axis, view = _view(name)
    points, axis = cube.axis_points(axis.name), cube.axes[axis.name]  # the axis as the cube's own model describes it
    if not cube.changes_along(axis.name):
        raise LimitError(f"{cube.name} fixes each {axis.name}: nothing changes along the axis")
    if points.size < 2:
        raise LimitError(f"{cube.name}: a plane needs 2 points on the axis {axis.name}, not {points.size}")
    if view.scale == "log" and not points.min() > 0:
        raise LimitError(f"{cube.name}: a plane shows {axis.name} by its logarithm, but the axis has {points.min():g}")
    low, high = view.range
    if not (points.min() >= low and points.max() <= high * (1 + 1e-12)):
        low, high = axis.shown(low), axis.shown(high)
        raise LimitError(f"{cube.name}: {name} needs {axis.name} between {low:g} and {high:g} {axis.shown_unit}")
    return Side(axis, view, points)


def _view(name: str) -> tuple[Axis, View]:
    if name not in VIEWS:
        raise unknown("axis", name, VIEWS, LimitError)
    return VIEWS[name]


def has(cube: Cube, name: str) -> bool:
    """Whether a cube has the axis of a name of `VIEWS`, with at least two points, and chi2 changes along it."""
    axis, _ = _view(name)
    return cube.changes_along(axis.name) and cube.points[axis.name].size >= 2


def _held_at(cube: Cube, name: str, value: float) -> Array:
    """The checked value at which an axis is held, shape (1,), in the unit of the axis."""
    values = named(name, cube.axes, LimitError).check(value).ravel()
    if values.shape != (1,):
        raise LimitError(f"{name} is held at one value")
    return cube.axis_points(name)[cube.on_axis(name, values)] if name in cube.rows else values


def dof_of(cube: Cube, shown: Sequence[str], dof: int | None) -> int:
    """Degrees of freedom: as given, or the number of the model's parameters that are shown, at least 1."""
    if dof is not None:
        return dof
    return max(1, sum(axis.name in shown for axis in cube.interaction.parameters))


def first_axes(cubes: Sequence[Cube], held: Sequence[str] = ()) -> tuple[str, str]:
    """The default axes of a plane, by name: the first of `AXES` that can stand beside the strength; the strength."""
    for axis in AXES:
        for cube in cubes:
            if axis.name in second_axes(cube, held):
                return axis.name, cube.strength
    raise LimitError(f"{cubes[0].name} has no second axis for a plane, only {cubes[0].strength}")


def second_axes(cube: Cube, held: Sequence[str] = ()) -> list[str]:
    """Names of the axes that can stand beside a cube's strength in a plane: row parameters, then settings."""
    others = (*cube.rows, *(axis.name for axis in SETTINGS))
    return [name for name in others if name not in held and has(cube, name)]


def can_show(cube: Cube, axes: PlaneAxes, held: Sequence[str]) -> bool:
    """Whether a cube has the axes of a plane or, where none are named, its strength and a second axis."""
    if axes.names is not None:
        return all(has(cube, name) for name in axes.names)
    return has(cube, cube.strength) and bool(second_axes(cube, (*held, *axes.minimise)))


def _slices(size: int, most: int) -> list[slice]:
    """Slices of at most `most` elements that cover `size` elements."""
    return [slice(start, start + most) for start in range(0, size, most)]


def _product(points: Mapping[str, Array], held: Mapping[str, Array]) -> dict[str, Array]:
    """Points of some axes, shape (...), combined with the k combinations of `held` points of others.

    The arrays broadcast to (..., k).
    """
    mesh = np.meshgrid(*held.values(), indexing="ij")
    combined = {name: values.ravel() for name, values in zip(held, mesh, strict=True)}
    return {**{name: values[..., None] for name, values in points.items()}, **combined}
