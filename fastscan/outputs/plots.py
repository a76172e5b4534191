"""Pictures of a user's own store: Delta chi2 profiles, limits along an axis, contours in a plane.

Where the kind of picture isn't given, it is contours if every group has rows, else limits along a setting, else
profiles.  Pictures draw the same records that the commands print.  Measured data at a luminosity other than 1 are
labelled "scaled data", and expected limits are drawn beside the limits from them.  Curves from an Asimov set are
labelled "expected".  A picture shows limits on one strength; groups with limits on another strength are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from fastscan.answers import answers, contours, from_cube, planes
from fastscan.answers.contours import Contour
from fastscan.answers.planes import Plane, Side
from fastscan.answers.question import PlaneAxes, Question
from fastscan.axes import SETTINGS, Axis, View, by_name
from fastscan.errors import LimitError, unknown
from fastscan.interactions.parameters import AXES, ROWS
from fastscan.limits.confidence import SCALED, level_text
from fastscan.limits.limits import threshold
from fastscan.outputs import figures, guides, overlays
from fastscan.outputs.guides import Sides
from fastscan.outputs.overlays import Overlay
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("profile", "limit", "contour")
DEGREE = {"deg": r"$\degree$"}  # units that have their own sign in a picture
MASS_UNITS = ("GeV", "MeV", "keV", "eV")  # a picture uses the first unit that is at most its middle mass
# Endings of the keys of a limit in records.  No record has the middle key of a two-sided limit: it makes the gap
# between the curves of both sides.
SIDES = {"lower": ("_gev",), "upper": ("",), "two-sided": ("_low", "", "_high")}
MOST_CURVES = 21  # with more, curves can't be distinguished
Configuration = Callable[[Record], tuple[str, ...]]  # all that tells the curve of a record from others, but its model


@dataclass(frozen=True)
class Picture:
    """A request for a picture.  `plot` chooses attributes that are left out.

    Attributes
    ----------
    kind : {"profile", "limit", "contour"}
    along : str
        The axis against which limits are drawn.
    plane : PlaneAxes
        The plane of contours.
    """

    kind: str | None = None
    along: str | None = None
    plane: PlaneAxes = field(default_factory=PlaneAxes)


def plot(
    location: str,
    question: Question | None = None,
    picture: Picture | None = None,
    overlay: Sequence[Overlay] = (),
) -> "tuple[Figure, list[str]]":
    """A picture of some groups of a store, or of all groups that the picture can show.

    Parameters
    ----------
    location : str
        Path or URL of the store.
    question : Question, optional
        The groups, the values and the level.  Contours take one value of each axis.
    picture : Picture, optional
        The kind of picture, and its axes.
    overlay : sequence of Overlay
        Other curves, from files.

    Returns
    -------
    Figure, list of str
        The picture, and the names of groups that are left out, because they lack its axes, need a value of a row
        parameter, or have limits on another strength.

    Raises
    ------
    LimitError
        Where nothing can be drawn, or too many curves.
    InputError
        Where an overlay can't be read.

    Examples
    --------
    >>> import fastscan
    >>> _ = fastscan.scan("grids/coherent-csi.toml", "memory://plot")
    >>> groups = ("coherent-csi/chi", "coherent-csi/eta")
    >>> figure, left_out = plot("memory://plot", Question(groups), Picture(along="sigma_sys"))
    >>> figure.axes[0].get_title()
    '90 % CL, 1 dof, $L/L_0$ = 1'
    """
    asked = question or Question()
    root = read_root(location)
    cubes = answers.cubes_of(root, asked.groups)
    answers.require_parameters(cubes, asked)
    wanted = _resolved(cubes, picture or Picture(), asked)
    needed = _axes_shown(cubes, wanted, asked)
    for cube in cubes if asked.groups else ():
        for name in needed:
            planes.side_of(cube, name)
    able = [cube for cube in cubes if asked.groups or _can(cube, needed, wanted, asked)]
    if not able:
        open_rows = dict.fromkeys(name for cube in cubes for name in cube.rows if name not in asked.at)
        say = ", or give " + " or ".join(f"--{name.replace('_', '-')}" for name in open_rows) if open_rows else ""
        raise LimitError(f"no group of {location} fits this picture; choose one with --group{say}")
    shown = able if wanted.kind == "contour" else _of_one_strength(able, asked)
    axes = {axis.name: _suited(axis, shown) for axis in AXES}
    stored_in = root if asked.stored or asked.toys else None
    with figures.look():
        figure, axes_of_figure = figures.canvas(height=3.4)
        ax = axes_of_figure[0, 0]
        if wanted.kind == "contour":
            plane = replace(wanted.plane, names=(needed[0], needed[1]))
            sides = _draw_contours(ax, shown, plane, asked, axes, stored_in)
        elif wanted.kind == "limit":
            sides = _draw_limits(ax, shown, axes[needed[0]], asked, axes, stored_in)
        else:
            sides = _draw_profiles(ax, shown, asked, axes, stored_in)
        figures.number_axes(ax)
        guides.draw(ax, sides)
        overlays.draw(ax, overlay, sides)
        figures.legend(ax)
        figures.make_room(figure, ax)
    return figure, [cube.name for cube in cubes if cube not in shown]


def _suited(axis: Axis, cubes: Sequence[Cube]) -> Axis:
    """An axis in the unit that suits the points of some groups, because masses of mediators span many units."""
    points = np.concatenate([np.empty(0), *(cube.points[axis.name] for cube in cubes if axis.name in cube.points)])
    points = points[np.isfinite(points) & (points > 0)]
    if axis.kind != "energy" or points.size == 0:
        return axis
    middle = float(np.sqrt(points.min()) * np.sqrt(points.max()))
    sizes = {unit: axis.converted(1.0, unit) for unit in MASS_UNITS}
    return replace(axis, shown_in=next((unit for unit, size in sizes.items() if middle >= size), MASS_UNITS[-1]))


def _of_one_strength(cubes: Sequence[Cube], asked: Question) -> list[Cube]:
    """The groups with limits on the same strength as the first one; a `LimitError` if the question names others."""
    same = [cube for cube in cubes if cube.strength == cubes[0].strength]
    for cube in cubes if asked.groups else ():
        if cube not in same:
            theirs = f"{cubes[0].name} has limits on {cubes[0].strength}, {cube.name} on {cube.strength}"
            raise LimitError(f"{theirs}: a picture shows one strength, choose with --group")
    return same


def _resolved(cubes: Sequence[Cube], picture: Picture, asked: Question) -> Picture:
    """The picture with its kind, given or chosen."""
    if picture.kind is not None:
        if picture.kind not in KINDS:
            raise unknown("kind of picture", picture.kind, KINDS, LimitError)
        return picture
    if picture.along is not None:
        return replace(picture, kind="limit")
    asks_for_plane = picture.plane != PlaneAxes() or any(cube.strength in asked.at for cube in cubes)
    if asks_for_plane or all(_has_free_row(cube, asked) for cube in cubes):
        return replace(picture, kind="contour")
    free = [axis.name for axis in SETTINGS if axis.name not in asked.at]
    has_setting = any(planes.has(cube, name) for cube in cubes for name in free)
    return replace(picture, kind="limit" if has_setting else "profile")


def _has_free_row(cube: Cube, asked: Question) -> bool:
    """Whether the strength can be drawn against a row parameter that has no value in the question."""
    return any(planes.has(cube, name) and name not in asked.at for name in cube.rows)


def _axes_shown(cubes: Sequence[Cube], picture: Picture, asked: Question) -> tuple[str, ...]:
    """The axes that a picture shows, given or chosen; a `LimitError` where an argument doesn't fit its kind."""
    if picture.along is not None and picture.kind != "limit":
        raise LimitError("along is for pictures of limits")
    said = all(cube.strength in asked.at for cube in cubes)
    if picture.kind != "contour" and (picture.plane != PlaneAxes() or said):
        strengths = dict.fromkeys(cube.strength for cube in cubes)
        raise LimitError(f"axes, minimise and {' or '.join(strengths)} are for pictures of contours")
    if picture.kind == "profile":
        if asked.toys is not None:
            raise LimitError("a profile can't show the threshold of toys: draw limits or contours")
        return ()
    if picture.kind == "contour":
        return picture.plane.names or planes.first_axes(cubes, held=(*asked.at, *picture.plane.minimise))
    choice = [axis.name for axis in (*SETTINGS, *ROWS)]
    free = [name for name in choice if name not in asked.at]
    along = picture.along
    if along is None:
        along = next((name for name in free if any(planes.has(cube, name) for cube in cubes)), choice[0])
    if along not in choice:
        raise unknown("axis", along, choice, LimitError)
    if along not in free:
        raise LimitError(f"limits are drawn along all of {along}: leave its value out")
    return (along,)


def _can(cube: Cube, needed: Sequence[str], picture: Picture, asked: Question) -> bool:
    """Whether a group has the needed axes, and each of its row parameters is given, shown or minimised over."""
    if picture.kind != "contour" and cube.strength in asked.at:
        return False
    shown = {planes.VIEWS[name][0].name for name in needed if name in planes.VIEWS}
    settled = {*asked.at, *picture.plane.minimise, *shown}
    return all(planes.has(cube, name) for name in needed) and set(cube.rows) <= settled


def _draw_profiles(
    ax: "Axes", cubes: Sequence[Cube], asked: Question, axes: Mapping[str, Axis], stored_in: zarr.Group | None
) -> Sides:
    rows = [_drawn(cube, row, axes) for cube in cubes for row in from_cube.profile_records(cube, asked, stored_in)]
    told = _told_axes(cubes, axes)
    strength = axes[cubes[0].strength]
    configuration = _configurations(cubes, rows, told)
    label = _marked(_labels(configuration))
    _require_few(rows, label, told)
    looks = figures.styles(rows, label, configuration)
    _curves(ax, rows, strength.own_view, figures.QUANTITIES["delta_chi2"], label, looks)
    ax.set_title(_title(rows, told))
    delta = threshold(asked.cl, asked.column_dof)
    ax.set(ylim=(0, 4 * delta))
    figures.level(ax, delta).set_label(f"excluded at {level_text(asked.cl, asked.column_dof)}")
    return strength, None


def _draw_limits(
    ax: "Axes",
    cubes: Sequence[Cube],
    along: Axis,
    asked: Question,
    axes: Mapping[str, Axis],
    stored_in: zarr.Group | None,
) -> Sides:
    over = replace(asked, at={**asked.at, along.name: "axis"})
    records = [(cube, row) for cube in cubes for row in from_cube.limit_records(cube, over, stored_in)]
    strength = cubes[0].interaction.strength
    sides = [[_side_of_limit(_drawn(cube, row, axes), each) for cube, row in records] for each in SIDES[strength.bound]]
    rows = [row for side in sides for row in side]
    told = _told_axes(cubes, axes, along.name)
    configuration = _configurations(cubes, rows, told)
    label = _labels(configuration)
    _require_few(rows, label, told)
    beside, looks = figures.with_expected(rows, "limit", label, figures.styles(rows, label, configuration))
    x = along.own_view
    _curves(ax, beside, x, replace(figures.limit_view(strength), column="limit"), figures.curve_of, looks)
    if any(len(row["allowed"]) > 1 for row in rows):
        ax.plot([], [], " ", label="further intervals are allowed")
    elif len(looks) == 1:
        if strength.bound != "upper":
            figures.excluded_below(ax, sides[0], x.column, "limit").set_label("excluded")
        if strength.bound != "lower":
            figures.excluded_above(ax, sides[-1], x.column, "limit").set_label("_" if strength.signed else "excluded")
    ax.set_title(_title(rows, told, _level(asked.cl, asked.column_dof, asked)))
    return along, strength.axis


def _draw_contours(
    ax: "Axes",
    cubes: Sequence[Cube],
    shown: PlaneAxes,
    asked: Question,
    axes: Mapping[str, Axis],
    stored_in: zarr.Group | None,
) -> Sides:
    found = list(answers.contours_of_cubes(cubes, asked, shown, stored_in))
    by_plane = [(plane, _contour_rows(plane, lines, axes)) for plane, lines in found]
    rows = [row for _, records in by_plane for row in records]
    plane, _ = found[0]
    x, y = (_view_of(side, axes) for side in (plane.x, plane.y))
    told = _told_axes(cubes, axes, *plane.shown)
    figures.describe(ax, x, y)
    configuration = _configurations(cubes, rows, told)
    label = _marked(_labels(configuration))
    looks = figures.styles(rows, label, configuration)
    empty = {label(records[0]): each for each, records in by_plane if records[0]["contour"] is None}
    for line in figures.contour_curves(ax, rows, x.column, y.column, label, looks):
        name = str(line.get_label())
        if name in empty:
            line.set_label(f"{name}:\n{_why_no_contour(empty[name])}")
    opacity = 0.15 if len(found) == 1 else 0.08
    for each, records in by_plane:
        sides = [_points(side, axes) for side in (each.x, each.y)]
        colour = looks[label(records[0])]["color"]
        figures.excluded(ax, sides, contours.bounded(each.values, each.thresholds), 0.5, colour, opacity)
    named = {"color": figures.COLOURS[0], "alpha": opacity} if len(found) == 1 else figures.EXCLUDED
    ax.fill_between([], [], label="excluded", **named)
    xs, ys = (_points(side, axes) for side in (plane.x, plane.y))
    ax.set(xlim=(min(xs), max(xs)), ylim=(min(ys), max(ys)))
    level = _level(plane.cl, plane.dof, asked)
    scaled = f", {SCALED}" if any(each.scales_data for each, _ in found) else ""
    ax.set_title(_title(rows, told, level) if len(empty) < len(found) else f"{level}{scaled}: no contour in this plane")
    return _axis_of(plane.x, axes), _axis_of(plane.y, axes)


def _level(cl: float, dof: int, asked: Question) -> str:
    """The level of a picture in words, with "toys" if the threshold comes from toys."""
    return level_text(cl, dof) + (", toys" if asked.toys is not None else "")


def _contour_rows(plane: Plane, lines: Sequence[Contour], axes: Mapping[str, Axis]) -> list[Record]:
    """The records of the vertices of a plane's contours; without any, one record without a place, for the legend."""
    sides = (plane.x, plane.y)
    first = Contour(plane.x.points[:1], plane.y.points[:1], closed=False)
    told: Record = {"scaled_data": plane.scales_data}
    if not lines:
        told |= {"contour": None, **{_view_of(side, axes).column: None for side in sides}}
    records = contours.contour_records(plane, lines or [first])
    return [{**_drawn(plane.cube, row, axes), **told} for row in records]


def _why_no_contour(plane: Plane) -> str:
    return "no contour, " + ("all excluded" if (plane.values > plane.thresholds).all() else "nothing excluded")


def _side_of_limit(row: Record, key: str) -> Record:
    """A record of a limit with one side under the keys "limit" and "expected", for all strengths; None if missing."""
    names = {"allowed": "allowed_gev" if "allowed_gev" in row else "allowed"}
    names |= {name: f"{name}{key}" for name in ("limit", "expected")}
    return {**row, **{name: row.get(own) for name, own in names.items()}}


def _drawn(cube: Cube, row: Record, axes: Mapping[str, Axis]) -> Record:
    """A record with its axes in the units of pictures.

    Errors by experiment become one number: the error of all members that follow a common value, or None if they differ.
    """
    drawn = dict(row)
    for axis in axes.values():
        value = row.get(axis.column)
        if isinstance(value, dict):
            follows = dict(zip(cube.likelihood.members, cube.likelihood.follows, strict=True))
            free = {each for name, each in value.items() if follows[name]}
            value = free.pop() if len(free) == 1 else None
        if axis.column in row:
            drawn[axis.own_view.column] = None if value is None else axis.shown(value)
    return drawn


def _axis_of(side: Side, axes: Mapping[str, Axis]) -> Axis | None:
    """The axis of a plane's side; None where another quantity is drawn, such as its cosine."""
    return axes[side.axis.name] if side.view.name == side.axis.name else None


def _view_of(side: Side, axes: Mapping[str, Axis]) -> View:
    axis = _axis_of(side, axes)
    return side.view if axis is None else axis.own_view


def _points(side: Side, axes: Mapping[str, Axis]) -> list[float]:
    """The points of a plane's axis in the units of a picture."""
    axis = _axis_of(side, axes)
    values = side.viewed(side.points) if axis is None else axis.shown(side.points)
    return [float(each) for each in values]


def _told_axes(cubes: Sequence[Cube], axes: Mapping[str, Axis], *shown: str) -> list[Axis]:
    """The row parameters and settings that no side of the picture shows, so that their values may tell curves apart."""
    telling = by_name(axis for cube in cubes for axis in (*cube.interaction.rows, *SETTINGS))
    return [axis for name, axis in axes.items() if name in telling and name not in shown]


def _values_told(rows: Sequence[Record], told: Sequence[Axis]) -> dict[Axis, set[float | None]]:
    return {axis: {row[axis.own_view.column] for row in rows} for axis in told}


def _told(axis: Axis, value: float) -> str:
    r"""A setting as a picture shows it: ``$\beta$ = 30`` and the symbol of its unit."""
    unit = DEGREE.get(axis.shown_unit, f" {axis.drawn_unit}".rstrip())
    number = f"{value:.12g}" if unit and not axis.logarithmic else figures.number(value)
    return f"${axis.symbol}$ = {number}{unit}"


def _configurations(cubes: Sequence[Cube], rows: Sequence[Record], told: Sequence[Axis]) -> Configuration:
    """A function that tells curves apart, but for their models: by experiment, and each setting that varies."""
    varying = [axis for axis, values in _values_told(rows, told).items() if len(values) > 1]
    names = _names(cubes)

    def configuration(row: Record) -> tuple[str, ...]:
        values = {axis: row[axis.own_view.column] for axis in varying}
        settings = [_told(axis, value) for axis, value in values.items() if value is not None]
        return (names[row["experiment"]], *settings)

    return configuration


def _names(cubes: Sequence[Cube]) -> dict[str, str]:
    """The experiments as a picture shows them: by their labels, and by their names where two have one label."""
    labels = {cube.experiment: cube.label for cube in cubes}
    shared = [*labels.values()]
    return {name: figures.literal(label if shared.count(label) == 1 else name) for name, label in labels.items()}


def _labels(configuration: Configuration) -> figures.Label:
    """A function that returns a curve's label: experiment, model, settings, and "expected" for an Asimov set."""

    def label(row: Record) -> str:
        experiment, *settings = configuration(row)
        expected = ["expected"] if row["asimov"] else []
        return ", ".join([experiment, figures.symbol(row["model"]), *settings, *expected])

    return label


def _marked(label: figures.Label) -> figures.Label:
    """Labels that mark scaled data."""
    return lambda row: label(row) + (f", {SCALED}" if row["scaled_data"] else "")


def _title(rows: Sequence[Record], told: Sequence[Axis], *level: str) -> str:
    """The title of a picture: the level, and the values that all curves share."""
    common = _values_told(rows, told)
    settings = [
        _told(axis, value)
        for axis, values in common.items()
        if len(values) == 1
        for value in values
        if value is not None
    ]
    return ", ".join([*level, *settings])


def _require_few(rows: Sequence[Record], label: figures.Label, told: Sequence[Axis]) -> None:
    """Refuse more curves than can be distinguished; an expected curve shares the colour of the curve beside it."""
    count = len(set(map(label, rows)))
    if count > MOST_CURVES:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in ("group", *(axis.name for axis in told)))
        raise LimitError(f"{count} curves are too many for a picture; choose with {options}")


def _curves(
    ax: "Axes",
    rows: Sequence[Record],
    x: View,
    y: View,
    label: figures.Label,
    style: Mapping[str, Mapping[str, Any]],
) -> None:
    figures.describe(ax, x, y)
    for line in figures.curves(ax, rows, x.column, y.column, label, style):
        if np.isnan(line.get_ydata()).all():
            line.set_label(f"{line.get_label()}: none")
    points = [row[x.column] for row in rows]
    ax.set(xlim=(min(points), max(points)))
