"""Contours: the lines of a plane on which Delta chi2 equals a threshold, and their records.

contourpy draws the lines through the plane's grid, with vertices on the edges between grid points.  Each vertex is then
moved along its edge to the point where Delta chi2 of the cube's likelihood equals the threshold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import contourpy
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import elementwise

from fastscan.answers.planes import SCALES, Plane, Side
from fastscan.answers.records import TOY_KEYS, contour_keys, warning_of
from fastscan.axes import LUMINOSITY, SETTINGS, SIGMA_SYS, Axis
from fastscan.likelihoods.settings import is_scaled
from fastscan.limits.confidence import BY_TOYS
from fastscan.limits.doubts import about_errors, about_strengths
from fastscan.limits.limits import SMALLEST_DELTA
from fastscan.stores.cube import Cube
from fastscan.typing import Array, Record


@dataclass(frozen=True, eq=False)
class Contour:
    """A line of constant Delta chi2.

    Where Delta chi2 jumps, as it can between rows that fit the data at some strength and rows that don't, a contour
    runs along the jump.

    Attributes
    ----------
    x, y : array, shape (vertices,)
        The vertices on the two axes of the plane, in the units of the axes.
    closed : bool
        Whether the line is closed.  If not, it leaves the grid at both ends.
    """

    x: Array
    y: Array
    closed: bool


def contours(plane: Plane) -> list[Contour]:
    """The lines on which a plane's Delta chi2 equals the threshold of its level.

    Parameters
    ----------
    plane : Plane
        See `fastscan.answers.planes.plane_of`.

    Returns
    -------
    list of Contour
        Empty where no line crosses the plane.

    Raises
    ------
    StoreError
        Where the plane uses the stored chi2, and that is damaged, not complete, or differs from the likelihood's.

    References
    ----------
    Fig. 5 of arXiv:2002.01482.
    """
    plane = plane.resolved
    generator = contourpy.contour_generator(plane.x.drawn, plane.y.drawn, bounded(plane.values, plane.thresholds))
    lines = [np.asarray(line, float) for line in generator.lines(0.5)]
    vertices = _refined(plane, np.concatenate([np.empty((0, 2)), *lines]))
    x, y = (_back(side, drawn) for side, drawn in zip((plane.x, plane.y), vertices.T, strict=True))
    ends = np.cumsum([len(line) for line in lines])[:-1]
    closed = [np.array_equal(line[0], line[-1]) for line in lines]
    return [Contour(*each) for each in zip(np.split(x, ends), np.split(y, ends), closed, strict=True)] if lines else []


def bounded(values: Array, delta: ArrayLike) -> Array:
    """Delta chi2, of any shape, as a number below 1 that is 0.5 at the threshold `delta`, which broadcasts.

    Unlike Delta chi2 itself, this number is never too large to interpolate.
    """
    found: Array = values / (np.abs(values) + np.maximum(delta, SMALLEST_DELTA))
    return found


def _refined(plane: Plane, vertices: Array) -> Array:
    """Vertices (n, 2) in drawn coordinates, each moved along its grid edge to where Delta chi2 is the threshold.

    A vertex at a grid point is not moved, because there rounding decides on which side the threshold lies.
    """
    sides = (plane.x, plane.y)
    place = np.stack([_position(side.drawn, xy) for side, xy in zip(sides, vertices.T, strict=True)], axis=1)
    along = np.abs(place - np.rint(place)).argmax(axis=1)  # the axis on which a vertex lies between two points
    refined = vertices.copy()
    for axis, side in enumerate(sides):
        own = np.flatnonzero(along == axis)
        edge = np.rint(place[own, 1 - axis]).astype(np.intp)
        vertices[own, 1 - axis] = refined[own, 1 - axis] = sides[1 - axis].drawn[edge]  # without rounding
        changes = side.axis.name not in plane.fitted
        lowest = np.zeros(own.size) if changes else plane.lowest(*vertices[own].T)
        cell = np.minimum(place[own, axis].astype(np.intp), side.drawn.size - 2)

        # along the strength each vertex stays in its row, so that the rows are found once
        rows = plane.rows_at(*vertices[own].T) if side.axis.name == plane.cube.strength else None

        def excess(
            moved: Array,
            other: Array,
            lowest: Array,
            row: Array,
            axis: int = axis,
            changes: bool = changes,
            rows: Any = rows,
        ) -> Array:
            x, y = (moved, other) if axis == 0 else (other, moved)
            known = None if rows is None else (rows[0], row.astype(np.intp))
            return plane.chi2(x, y, known) - (plane.lowest(x, y) if changes else lowest) - plane.threshold(x, y)

        bracket = (side.drawn[cell], side.drawn[cell + 1])
        row = np.zeros(own.size) if rows is None else rows[1].astype(float)
        root = elementwise.find_root(excess, bracket, args=(vertices[own, 1 - axis], lowest, row))
        refined[own, axis] = np.where(root.success, root.x, vertices[own, axis])
    return refined


def _back(side: Side, drawn: Array) -> Array:
    """Drawn coordinates converted to the unit of their axis, clipped because rounding may move them past its ends."""
    return np.clip(side.from_scale(drawn), side.points.min(), side.points.max())


def _position(points: Array, values: Array) -> Array:
    """The fractional index of each value among ascending or descending points."""
    number = np.arange(points.size, dtype=float)
    sign = 1.0 if points[0] < points[-1] else -1.0
    place: Array = np.interp(sign * values, sign * points, number)
    return place


def contour_records(plane: Plane, lines: Sequence[Contour]) -> Iterator[Record]:
    """A record for each vertex of the contours of a plane.

    Parameters
    ----------
    plane : Plane
    lines : sequence of Contour
        What `contours` returns for the plane.

    Returns
    -------
    iterator of dict
        Records with the keys of `contour_keys`, and of `TOY_KEYS` for contours from toys.  An axis that isn't shown has
        the value at which it is held, or None where chi2 is minimised over it.
    """
    cube = plane.cube
    axes = (*cube.interaction.family_rows, cube.interaction.strength.axis)
    keys, level = contour_keys(cube.interaction), (plane.cl, plane.dof, None if plane.toys else plane.delta)
    for number, line in enumerate(lines):
        names = (cube.experiment, cube.model, number, line.closed)
        at = _at(plane, line.x, line.y)
        place = [column for axis in axes for column in _columns(axis, at.get(axis.name), line.x.size)]
        warnings: list[str | None] = [None] * line.x.size
        if doubts(plane, line.x, line.y):
            warnings = [warning_of(doubts(plane, *vertex)) for vertex in zip(line.x, line.y, strict=True)]
        toys = None if plane.toys is None else _toy_records(plane, line)
        for *values, settings, warning in zip(*place, _settings_at(cube, at, line.x.size), warnings, strict=True):
            luminosity = settings[LUMINOSITY.name]
            scaled = plane.scales_data if luminosity is None else cube.is_measured and is_scaled(luminosity)
            last = (scaled, warning, cube.is_asimov, list(cube.likelihood.shared))
            found = dict(zip(keys, (*names, *values, *settings.values(), *level, *last), strict=True))
            yield found | ({} if toys is None else next(toys))


def _toy_records(plane: Plane, line: Contour) -> Iterator[Record]:
    """For contours from toys: the part of each vertex's record with the keys of `TOY_KEYS`."""
    run, found = plane.cube.toys, plane.toys
    assert run is not None, "a plane with toys comes from a cube with toys"
    assert found is not None, "a plane with toys has t_c"
    t_c, error = found.at(plane.x.to_scale(line.x), plane.y.to_scale(line.y))
    for pair in zip(t_c.tolist(), error.tolist(), strict=True):
        yield dict(zip(TOY_KEYS, (pair[0], BY_TOYS, run.number, run.seed, pair[1], plane.delta), strict=True))


def doubts(plane: Plane, x: ArrayLike, y: ArrayLike) -> list[str]:
    """Doubts about points of a plane, in the units of its axes, and about the values at which it holds other axes."""
    cube = plane.cube
    at = _at(plane, x, y)
    given = {name: values for name, values in at.items() if values is not None}
    minimised = SIGMA_SYS.name in at.keys() - given.keys()
    errors = {} if minimised else cube.likelihood.settings(given).sigma_sys
    transfers = cube.likelihood.momentum_transfers
    about_mass = about_strengths(cube.interaction.strength, transfers, given.get(cube.strength, ()))
    return [*about_errors(errors), *about_mass]


def doubts_of_contours(plane: Plane, lines: Sequence[Contour]) -> list[str]:
    """The `doubts` about all vertices of a plane's contours together."""
    x = np.concatenate([np.empty(0), *(line.x for line in lines)])
    y = np.concatenate([np.empty(0), *(line.y for line in lines)])
    return doubts(plane, x, y)


def _at(plane: Plane, x: ArrayLike, y: ArrayLike) -> dict[str, Any]:
    """The value of each axis at points of a plane; None for an axis over which chi2 is minimised."""
    return {**_held(plane), plane.x.axis.name: x, plane.y.axis.name: y}


def _held(plane: Plane) -> dict[str, float | None]:
    """The value at which each other axis is held; None for an axis over which chi2 is minimised."""
    return {name: points.item() if points.size == 1 else None for name, points in plane.held.items()}


def _settings_at(cube: Cube, at: Mapping[str, Array | float | None], size: int) -> list[dict[str, Any]]:
    """The settings at some points by name, as in records; None for a setting over which chi2 is minimised."""
    given = {name: values for name, values in at.items() if values is not None}
    told = cube.likelihood.settings(given).told()
    minimised = {axis.name for axis in SETTINGS if at.get(axis.name, 0.0) is None}
    points = [{axis.name: None if axis.name in minimised else each[axis.column] for axis in SETTINGS} for each in told]
    return points if len(points) == size else points * size


def _columns(axis: Axis, values: Array | float | None, size: int) -> list[list[float | None]]:
    """Values of an axis at some points, then the drawn values of each of its other views."""
    if values is None:
        return [[None] * size for _ in (axis, *axis.views)]
    each = np.broadcast_to(values, size)
    return [each.tolist(), *(SCALES[view.scale][0](each).tolist() for view in axis.views)]


def contour_summary(plane: Plane, lines: Sequence[Contour]) -> Record:
    """The contours of a plane as one record.

    Parameters
    ----------
    plane : Plane
    lines : sequence of Contour
        What `contours` returns for the plane.

    Returns
    -------
    dict
        The names and units of the axes, the values that are held, the level, whether measured data are scaled anywhere
        in the plane, each line's vertices by axis, the warning, whether the data are an Asimov set, and the nuisances
        that experiments share.
    """
    cube = plane.cube
    at = _held(plane)
    (settings,) = _settings_at(cube, at, 1)
    told = {**at, **{name: value for name, value in settings.items() if name not in plane.shown}}
    held = {name: "minimised" if value is None else value for name, value in told.items()}
    return {
        "experiment": cube.experiment,
        "model": cube.model,
        "axes": [plane.x.view.name, plane.y.view.name],
        "units": {axis.name: axis.unit for axis in (*cube.interaction.family_rows, cube.interaction.strength.axis)},
        "held": held,
        "cl": plane.cl,
        "dof": plane.dof,
        "delta_chi2": None if plane.toys else plane.delta,
        "scaled_data": plane.scales_data,
        "contours": [{"closed": line.closed, "vertices": _vertices(plane, line)} for line in lines],
        "warning": warning_of(doubts_of_contours(plane, lines)),
        "asimov": cube.is_asimov,
        "shared_nuisances": list(cube.likelihood.shared),
        **_told_toys(plane),
    }


def _told_toys(plane: Plane) -> Record:
    """For contours from toys: what `contour_summary` adds about them."""
    run, found = plane.cube.toys, plane.toys
    if run is None or found is None:
        return {}
    told = {"method": BY_TOYS, "toys": run.number, "seed": run.seed, "largest_error": float(found.error.max())}
    return told | {"asymptotic_delta_chi2": plane.delta}


def _vertices(plane: Plane, line: Contour) -> dict[str, list[float]]:
    """The vertices of a line by the names of the plane's axes."""
    return {side.view.name: side.viewed(at).tolist() for side, at in ((plane.x, line.x), (plane.y, line.y))}
