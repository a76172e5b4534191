"""Contours: Delta chi2 over a plane of any two axes of a cube, and the lines on which it equals a threshold.

contourpy draws the lines through the plane's grid; each vertex, which lies on an edge between two grid points, is
then moved along its edge to where the likelihood that the cube carries puts it.  Axes are taken in the scale in
which they are drawn: masses and luminosities by their logarithm, beta as an angle or by its cosine.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import contourpy
import numpy as np
import zarr
from scipy.optimize import elementwise

from fastscan.errors import FastscanError, unknown
from fastscan.interactions import catalogue as models
from fastscan.likelihoods.likelihood import Likelihood, chi2_of
from fastscan.limits import limits as query
from fastscan.limits.crossings import infimum
from fastscan.scans.grid import AXIS_RULES
from fastscan.stores import chunks
from fastscan.stores.cube import Cube
from fastscan.stores.layout import DIMENSIONS
from fastscan.typing import Array, IntArray

AT_ONCE = 2**20  # points computed at a time, which bounds the memory where an axis is minimised over


@dataclass(frozen=True)
class Scale:
    """How an axis is drawn: the axis, and the way from its unit to the scale and back."""

    axis: str
    drawn: Callable[[Array], Array]
    back: Callable[[Array], Array]


SCALES = {
    "beta": Scale("beta", np.positive, np.positive),
    "cos_beta": Scale("beta", np.cos, np.arccos),
    "m_zprime": Scale("m_zprime", np.log, np.exp),
    "sigma_sys": Scale("sigma_sys", np.positive, np.positive),
    "luminosity": Scale("luminosity", np.log, np.exp),
}
# What a fit of the model finds; the others are the experiment's.
THEORY = ("beta", "m_zprime")
SECOND_AXES = ("beta", "sigma_sys", "luminosity")  # what M_Z' is shown against where nothing is said


@dataclass(frozen=True, eq=False)
class Contour:
    """A line of constant Delta chi2: its vertices on the two axes (rad, GeV or without unit).

    One that isn't `closed` leaves the grid at both ends.  Where Delta chi2 jumps, as it can between betas that fit
    the data at some mass and betas that don't, a contour runs along the jump.
    """

    x: Array
    y: Array
    closed: bool


@dataclass(frozen=True, eq=False)
class Plane:
    """Two axes of a cube, named as in SCALES, and what is done with the others.

    `held` has their points: chi2 is the minimum over them, which holds the axis where there is one.  sigma_sys is
    absent where each experiment keeps its own.  Delta chi2 is chi2 above its infimum over all M_Z' and, where
    `fits_beta`, over the betas on the axis, at the same sigma_sys and luminosity.  On the grid it is the
    likelihood's, or what a store has, whose root `stored_in` is.
    """

    cube: Cube
    x: str
    y: str
    held: dict[str, Array]
    fits_beta: bool
    stored_in: zarr.Group | None = None

    @cached_property
    def points(self) -> tuple[Array, Array]:
        """Both axes' points as they are drawn."""
        x, y = (SCALES[name].drawn(self.cube.axis(SCALES[name].axis)) for name in (self.x, self.y))
        return x, y

    def _in_units(self, x: Array, y: Array) -> dict[str, Array]:
        """Points as they are drawn in the units of their axes."""
        return {SCALES[name].axis: SCALES[name].back(drawn) for name, drawn in ((self.x, x), (self.y, y))}

    @property
    def fitted(self) -> tuple[str, ...]:
        """Axes over which the infimum is taken that Delta chi2 is measured from."""
        return THEORY if self.fits_beta else ("m_zprime",)

    def chi2(self, x: Array, y: Array) -> Array:
        """chi2 at points (n,) of the axes as they are drawn."""
        size = max(1, AT_ONCE // math.prod(points.size for points in self.held.values()))
        parts = [self._chi2_of_few(x[i : i + size], y[i : i + size]) for i in range(0, x.size, size)]
        return np.concatenate([np.empty(0), *parts])

    def _chi2_of_few(self, x: Array, y: Array) -> Array:
        point = _product(self._in_units(x, y), self.held)
        likelihood, index, sigma_sys = self._likelihood_at(point)
        chi2 = chi2_of(likelihood, index, models.gamma(point["m_zprime"]), sigma_sys, point["luminosity"])
        lowest: Array = chi2.min(axis=1)
        return lowest

    def _likelihood_at(self, point: Mapping[str, Array]) -> tuple[Likelihood, IntArray, dict[str, Array | None]]:
        """The likelihood at some points' betas, the index of each in it, and each member's systematic error there."""
        likelihood, index = self.cube.at_beta(point.get("beta", np.zeros((1, 1))))
        return likelihood, index, self.cube.sigma_sys(point.get("sigma_sys"))

    def lowest(self, x: Array, y: Array) -> Array:
        """What Delta chi2 is measured from at points (n,)."""
        varying = {name: points for name, points in self._in_units(x, y).items() if name not in self.fitted}
        held = {name: points for name, points in self.held.items() if name not in self.fitted}
        if self.fits_beta:
            held["beta"] = self.cube.axes["beta"]
        rows = np.stack([np.zeros(x.size), *varying.values()], axis=1)
        each, number = np.unique(rows, axis=0, return_inverse=True)
        point = _product(dict(zip(varying, each[:, 1:].T, strict=True)), held)
        columns, shape = query.columns_of(*self._likelihood_at(point), point["luminosity"])
        lowest: Array = infimum(columns).reshape(shape).min(axis=1)
        return lowest[number.ravel()]

    @cached_property
    def values(self) -> Array:
        """Delta chi2 on the grid, shape (y, x): the likelihood's, or what is stored."""
        x, y = (each.ravel() for each in np.meshgrid(*self.points))
        chi2 = self.chi2(x, y)
        if self.stored_in is not None:
            stored = self._stored(self.stored_in).ravel()
            chunks.require_same(self.cube, stored, chi2)
            chi2 = stored
        return chi2.reshape(self.points[1].size, -1) - self._lowest_on_grid

    @property
    def _lowest_on_grid(self) -> Array:
        """What Delta chi2 is measured from on the grid, along the axes on which it depends: broadcasts to (y, x)."""
        own = [
            points[:1] if SCALES[name].axis in self.fitted else points
            for name, points in zip((self.x, self.y), self.points, strict=True)
        ]
        x, y = np.meshgrid(*own)
        return self.lowest(x.ravel(), y.ravel()).reshape(x.shape)

    def _stored(self, root: zarr.Group) -> Array:
        cube, axes = self.cube, [SCALES[self.y].axis, SCALES[self.x].axis]
        chi2 = chunks.chi2_array(root, cube)
        for number, name in enumerate(DIMENSIONS):
            if name in self.held or (name == "sigma_sys" and name not in axes):
                chosen = cube.stored_sigma_sys(None) if name not in self.held else cube.on_axis(name, self.held[name])
                chi2 = chi2[(slice(None),) * number + (chosen,)].min(axis=number, keepdims=True)
        order = [DIMENSIONS.index(name) for name in axes]
        order += [number for number in range(len(DIMENSIONS)) if number not in order]
        values = chunks.computed(cube, chi2.transpose(order))  # type: ignore[no-untyped-call]
        return values.reshape(values.shape[:2])


def plane_of(
    cube: Cube,
    x: str,
    y: str,
    *,
    at: Mapping[str, float] | None = None,
    minimise: Sequence[str] = (),
    dof: int | None = None,
    stored_in: zarr.Group | None = None,
) -> Plane:
    """A plane of a cube.

    Parameters
    ----------
    cube : Cube
        A group of a store, or of a plan.
    x, y : str
        Names of `SCALES`: beta, cos_beta, m_zprime, sigma_sys or luminosity.
    at : mapping
        Values at which other axes are held, in rad, GeV or without unit, on their axis or off it (beta on it).
        sigma_sys is left out for each experiment's own, luminosity for 1.
    minimise : sequence of str
        Other axes over whose points chi2 is minimised.
    dof : int
        Degrees of freedom for which contours are drawn: 1 takes each beta as a model of its own, 2 fits beta too.
    stored_in : zarr.Group
        Root of the cube's store, to insist on the stored chi2: other axes are then held at their points only.

    Raises
    ------
    FastscanError
        Where an axis is unknown, absent or too short, or one isn't said.

    Examples
    --------
    >>> from fastscan.scans.plan import plan
    >>> e6 = plan("grids/coherent-csi.toml")[-1]
    >>> plane = plane_of(e6, "beta", "m_zprime", at={"sigma_sys": 0.1})
    >>> plane.values.shape, float(plane.values[200, 0].round(3))  # (masses, betas)
    ((400, 181), 29.722)
    >>> [line.closed for line in contours(plane, query.threshold(0.90, 2))]
    [False, True, False, False, False]
    """
    shown = [scale_of(cube, name).axis for name in (x, y)]
    if shown[0] == shown[1]:
        raise FastscanError(f"a plane has two different axes, not {x} and {y}")
    given = dict(at or {})
    for name in (*given, *minimise):
        if name not in DIMENSIONS:
            raise unknown("axis", name, DIMENSIONS)
        if name in shown or (name in given and name in minimise):
            raise FastscanError(f"{name} can be shown, held or minimised over, one of them")
    held = {name: cube.axis(name) for name in minimise}
    held |= {name: _checked(cube, name, value) for name, value in given.items()}
    if "luminosity" not in (*shown, *held):
        held["luminosity"] = np.ones(1)
    for name in THEORY:
        if name not in (*shown, *held) and (name != "beta" or cube.has_beta):
            raise FastscanError(f"{cube.name}: say at which {name}, or minimise over it")
    fitted = "beta" in minimise or ("beta" in shown and dof_of(x, y, dof) > 1)
    return Plane(cube, x, y, held, fitted, stored_in)


def scale_of(cube: Cube, name: str) -> Scale:
    """The scale of an axis that a plane of a cube can have."""
    scale = _named(name)
    points = cube.axis(scale.axis)
    if scale.axis == "sigma_sys" and cube.fixes_sigma_sys:
        raise FastscanError(f"{cube.name} fixes each sigma_sys: nothing changes along the axis")
    if not has(cube, name):
        raise FastscanError(f"{cube.name}: a plane needs 2 points on the axis {scale.axis}, not {points.size}")
    if name == "cos_beta" and not (points.min() >= 0 and points.max() <= math.pi * (1 + 1e-12)):
        raise FastscanError(f"{cube.name}: cos_beta needs beta between 0 and 180 deg")
    return scale


def _named(name: str) -> Scale:
    if name not in SCALES:
        raise unknown("axis", name, SCALES)
    return SCALES[name]


def has(cube: Cube, name: str) -> bool:
    """Whether an axis of `SCALES` is there, something changes along it, and it has points enough: two."""
    axis = _named(name).axis
    changes = axis != "sigma_sys" or not cube.fixes_sigma_sys
    return changes and cube.has_axis(axis) and cube.axes[axis].size >= 2


def _checked(cube: Cube, name: str, value: float) -> Array:
    _, check = AXIS_RULES[name]
    values = np.atleast_1d(check(np.asarray(value)))
    if values.shape != (1,):
        raise FastscanError(f"{name} is held at one value")
    return cube.axis(name)[cube.on_axis(name, values)] if name == "beta" else values


def dof_of(x: str, y: str, dof: int | None) -> int:
    """Degrees of freedom: as given, or as many as parameters of the model are shown."""
    shown = [_named(name).axis for name in (x, y)]
    return max(1, sum(axis in THEORY for axis in shown)) if dof is None else dof


def axes_of(*cubes: Cube, held: Sequence[str] = ()) -> tuple[str, str]:
    """The plane that one would look at first: M_Z' against the first other axis that a cube has points enough of."""
    for name in SECOND_AXES:
        if name not in held and any(has(cube, name) for cube in cubes):
            return name, "m_zprime"
    raise FastscanError(f"{cubes[0].name} has no second axis for a plane, only m_zprime")


def can_show(cube: Cube, axes: tuple[str, str] | None, held: Sequence[str]) -> bool:
    """Whether a cube has the axes of a plane, or, where none are said, M_Z' and a second axis that isn't held."""
    if axes is not None:
        return all(has(cube, name) for name in axes)
    return has(cube, "m_zprime") and any(has(cube, name) for name in SECOND_AXES if name not in held)


def contours(plane: Plane, delta: float) -> list[Contour]:
    """The lines on which Delta chi2 equals a threshold."""
    generator = contourpy.contour_generator(*plane.points, bounded(plane.values, delta))
    lines = [np.asarray(line, float) for line in generator.lines(0.5)]
    vertices = _refined(plane, np.concatenate([np.empty((0, 2)), *lines]), delta)
    x, y = (_back(plane, name, drawn) for name, drawn in zip((plane.x, plane.y), vertices.T, strict=True))
    ends = np.cumsum([len(line) for line in lines])[:-1]
    closed = [np.array_equal(line[0], line[-1]) for line in lines]
    return [Contour(*each) for each in zip(np.split(x, ends), np.split(y, ends), closed, strict=True)] if lines else []


def bounded(values: Array, delta: float) -> Array:
    """Delta chi2 as a number below 1 that is 0.5 at the threshold: never too large to interpolate."""
    return values / (np.abs(values) + delta)


def _refined(plane: Plane, vertices: Array, delta: float) -> Array:
    """Vertices (n, 2), as they are drawn, each moved along its edge of the grid to where Delta chi2 is delta.

    One at a grid point, where rounding decides on which side the threshold is, stays.
    """
    place = np.stack([_position(points, xy) for points, xy in zip(plane.points, vertices.T, strict=True)], axis=1)
    along = np.abs(place - np.rint(place)).argmax(axis=1)  # the axis on which a vertex lies between two points
    refined = vertices.copy()
    for axis, points in enumerate(plane.points):
        own = np.flatnonzero(along == axis)
        changes = SCALES[(plane.x, plane.y)[axis]].axis not in plane.fitted
        lowest = np.zeros(own.size) if changes else plane.lowest(*vertices[own].T)
        cell = np.minimum(place[own, axis].astype(np.intp), points.size - 2)

        def excess(moved: Array, other: Array, lowest: Array, axis: int = axis, changes: bool = changes) -> Array:
            x, y = (moved, other) if axis == 0 else (other, moved)
            return plane.chi2(x, y) - (plane.lowest(x, y) if changes else lowest) - delta

        bracket = (points[cell], points[cell + 1])
        root = elementwise.find_root(excess, bracket, args=(vertices[own, 1 - axis], lowest))
        refined[own, axis] = np.where(root.success, root.x, vertices[own, axis])
    return refined


def _back(plane: Plane, name: str, drawn: Array) -> Array:
    """Points as they are drawn in the unit of their axis, whose ends rounding must not pass."""
    points = plane.cube.axis(SCALES[name].axis)
    return np.clip(SCALES[name].back(drawn), points.min(), points.max())


def _position(points: Array, values: Array) -> Array:
    """Where values lie between ascending or descending points, counted in points."""
    number = np.arange(points.size, dtype=float)
    sign = 1.0 if points[0] < points[-1] else -1.0
    place: Array = np.interp(sign * values, sign * points, number)
    return place


def _product(points: Mapping[str, Array], held: Mapping[str, Array]) -> dict[str, Array]:
    """Points (n,) of some axes with every combination of others' (k): arrays that broadcast to (n, k)."""
    mesh = np.meshgrid(*held.values(), indexing="ij")
    combined = {name: values.reshape(1, -1) for name, values in zip(held, mesh, strict=True)}
    return {**{name: values[:, None] for name, values in points.items()}, **combined}
