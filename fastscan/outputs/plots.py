"""Pictures of a user's own store: Delta chi2 profiles, limits along an axis, contours in a plane.

The kind of picture that isn't named is chosen: contours where every group has rows, else limits along a
setting, else profiles.  Whatever is drawn comes from the same records that the commands print.  Measured data at a
luminosity other than 1 are named scaled data; the expected limits are drawn beside those from them.
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
from fastscan.axes import SETTINGS, Axis, by_name
from fastscan.errors import LimitError, unknown
from fastscan.interactions.parameters import AXES, ROWS
from fastscan.limits.confidence import SCALED, level_text
from fastscan.limits.limits import threshold
from fastscan.outputs import figures
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("profile", "limit", "contour")
DEGREE = {"deg": r"$\degree$"}  # units that have their own sign in a picture
MOST_CURVES = 21  # more can't be distinguished
Configuration = Callable[[Record], tuple[str, ...]]  # what but its model distinguishes the curve of a record


@dataclass(frozen=True)
class Picture:
    """The picture that is asked for.  An attribute that is left out is chosen for the user.

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


def plot(location: str, question: Question | None = None, picture: Picture | None = None) -> "tuple[Figure, list[str]]":
    """A picture of some groups of a store, or of all that it can show.

    Parameters
    ----------
    location : str
        Path or URL of the store.
    question : Question
        Which groups, at which values, at which level.  Contours take one value of each axis.
    picture : Picture
        Which kind, and what its axes show.

    Returns
    -------
    Figure, list of str
        The picture, and the groups that are left out because they lack its axes, or need a row parameter.

    Raises
    ------
    LimitError
        Where nothing can be drawn, or too many curves.

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
    wanted = _resolved(cubes, picture or Picture(), asked)
    needed = _axes_shown(cubes, wanted, asked)
    for cube in cubes if asked.groups else ():
        for name in needed:
            planes.side_of(cube, name)
    shown = [cube for cube in cubes if asked.groups or _can(cube, needed, wanted.plane, asked)]
    if not shown:
        raise LimitError(f"no group of {location} can be shown so; choose one with --group, or say --beta")
    if wanted.kind == "limit" and any(cube.interaction.strength.bound != "lower" for cube in shown):
        raise LimitError("limits are drawn on M_Z' only; profiles and contours are drawn of every strength")
    stored_in = root if asked.stored else None
    with figures.look():
        figure, axes_of_figure = figures.canvas(height=3.4)
        ax = axes_of_figure[0, 0]
        if wanted.kind == "contour":
            _draw_contours(ax, shown, replace(wanted.plane, names=(needed[0], needed[1])), asked, stored_in)
        elif wanted.kind == "limit":
            _draw_limits(ax, shown, needed[0], asked, stored_in)
        else:
            _draw_profiles(ax, shown, asked, stored_in)
        figures.make_room(figure, ax)
    return figure, [cube.name for cube in cubes if cube not in shown]


def _resolved(cubes: Sequence[Cube], picture: Picture, asked: Question) -> Picture:
    """The picture with its kind, which is the given one or is chosen."""
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
    """Whether the strength can be drawn against a row parameter, to which the question gives no value."""
    return any(planes.has(cube, name) and name not in asked.at for name in cube.rows)


def _axes_shown(cubes: Sequence[Cube], picture: Picture, asked: Question) -> tuple[str, ...]:
    """The axes that a picture shows, given or chosen; a `LimitError` where an argument doesn't fit its kind."""
    strengths = tuple(dict.fromkeys(cube.strength for cube in cubes))
    if picture.along is not None and picture.kind != "limit":
        raise LimitError("an axis to draw along is for limits")
    if picture.kind != "contour" and (picture.plane != PlaneAxes() or set(strengths) & set(asked.at)):
        raise LimitError(f"axes, minimise and {' or '.join(strengths)} are for contours")
    if picture.kind == "profile":
        return strengths
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
        raise LimitError(f"limits are drawn along all of {along}: it can't be said too")
    return (along,)


def _can(cube: Cube, needed: Sequence[str], plane: PlaneAxes, asked: Question) -> bool:
    """Whether a group has the axes, and each of its row parameters is given, shown or minimised over."""
    shown = {planes.VIEWS[name][0].name for name in needed if name in planes.VIEWS}
    settled = {*asked.at, *plane.minimise, *shown}
    return all(planes.has(cube, name) for name in needed) and set(cube.rows) <= settled


def _draw_profiles(ax: "Axes", cubes: Sequence[Cube], asked: Question, stored_in: zarr.Group | None) -> None:
    rows = [_drawn(cube, row) for cube in cubes for row in from_cube.profile_records(cube, asked, stored_in)]
    told = _told_axes(cubes)
    strength = cubes[0].interaction.strength.axis.own_view.column
    configuration = _configurations(cubes, rows, told)
    label = _marked(_labels(configuration))
    _require_few(rows, label)
    _curves(ax, rows, strength, "delta_chi2", label, figures.styles(rows, label, configuration))
    ax.set_title(_title(rows, told))
    delta = threshold(asked.cl, asked.column_dof)
    ax.set(ylim=(0, 4 * delta))
    figures.level(ax, delta).set_label(f"excluded at {level_text(asked.cl, asked.column_dof)}")
    figures.legend(ax)


def _draw_limits(ax: "Axes", cubes: Sequence[Cube], along: str, asked: Question, stored_in: zarr.Group | None) -> None:
    over = replace(asked, at={**asked.at, along: "axis"})
    rows = [_drawn(cube, row) for cube in cubes for row in from_cube.limit_records(cube, over, stored_in)]
    drawn = cubes[0].axes[along].own_view.column
    limit = figures.limit_view(cubes[0].interaction.strength).column
    told = _told_axes(cubes, along)
    configuration = _configurations(cubes, rows, told)
    label = _labels(configuration)
    _require_few(rows, label)
    beside, looks = figures.with_expected(rows, limit, label, figures.styles(rows, label, configuration))
    _curves(ax, beside, drawn, limit, figures.curve_of, looks)
    if len(looks) == 1 and all(len(row["allowed_gev"]) == 1 for row in rows):  # lighter masses aren't allowed again
        figures.excluded_below(ax, beside, drawn, limit).set_label("excluded")
    ax.set_title(_title(rows, told, level_text(asked.cl, asked.column_dof)))
    figures.legend(ax)


def _draw_contours(
    ax: "Axes", cubes: Sequence[Cube], axes: PlaneAxes, asked: Question, stored_in: zarr.Group | None
) -> None:
    found = list(answers.contours_of_cubes(cubes, asked, axes, stored_in))
    by_plane = [(plane, _contour_rows(plane, lines)) for plane, lines in found]
    rows = [row for _, records in by_plane for row in records]
    plane, _ = found[0]
    told = _told_axes(cubes, *plane.shown)
    shown = (plane.x.view.column, plane.y.view.column)
    figures.name_axes(ax, *shown)
    configuration = _configurations(cubes, rows, told)
    label = _marked(_labels(configuration))
    looks = figures.styles(rows, label, configuration)
    figures.contour_curves(ax, rows, *shown, label, looks)
    opacity = 0.15 if len(found) == 1 else 0.08
    for each, records in by_plane:
        colour = looks[label(records[0])]["color"] if records else figures.COLOURS[0]
        sides = [_points(side) for side in (each.x, each.y)]
        figures.excluded(ax, sides, contours.bounded(each.values, each.delta), 0.5, colour, opacity)
    named = {"color": figures.COLOURS[0], "alpha": opacity} if len(found) == 1 else figures.EXCLUDED
    ax.fill_between([], [], label="excluded", **named)
    x, y = (_points(side) for side in (plane.x, plane.y))
    ax.set(xlim=(min(x), max(x)), ylim=(min(y), max(y)))
    level = level_text(plane.cl, plane.dof)
    scaled = f", {SCALED}" if any(each.scales_data for each, _ in found) else ""
    ax.set_title(_title(rows, told, level) if rows else f"{level}{scaled}: no contour in this plane")
    figures.legend(ax)


def _contour_rows(plane: Plane, lines: Sequence[Contour]) -> list[Record]:
    """The vertices of a plane's contours, which are all called the same."""
    records = contours.contour_records(plane, lines)
    return [{**_drawn(plane.cube, row), "scaled_data": plane.scales_data} for row in records]


def _drawn(cube: Cube, row: Record) -> Record:
    """A record with its axes in the units of pictures.

    Of errors by experiment one number is drawn: the value that all members share that follow a common one, else None.
    """
    drawn = dict(row)
    for axis in AXES:
        value = row.get(axis.column)
        if isinstance(value, dict):
            follows = dict(zip(cube.likelihood.members, cube.likelihood.follows, strict=True))
            free = {each for name, each in value.items() if follows[name]}
            value = free.pop() if len(free) == 1 else None
        if axis.column in row:
            drawn[axis.own_view.column] = None if value is None else axis.shown(value)
    return drawn


def _points(side: Side) -> list[float]:
    """The points of a plane's axis in the units of a picture."""
    values = side.viewed(side.points)
    shown = side.axis.shown(values) if side.view.name == side.axis.name else values
    return [float(each) for each in shown]


def _told_axes(cubes: Sequence[Cube], *shown: str) -> list[Axis]:
    """The row parameters and settings whose values distinguish curves, because no side of the picture shows them."""
    axes = by_name(axis for cube in cubes for axis in (*cube.interaction.rows, *SETTINGS))
    return [axis for axis in AXES if axis.name in axes and axis.name not in shown]


def _values_told(rows: Sequence[Record], told: Sequence[Axis]) -> dict[Axis, set[float | None]]:
    return {axis: {row[axis.own_view.column] for row in rows} for axis in told}


def _told(axis: Axis, value: float) -> str:
    r"""A setting as a picture shows it: ``$\beta$ = 30`` and the sign of its unit."""
    unit = DEGREE.get(axis.shown_unit, f" {axis.shown_unit}".rstrip())
    return f"${axis.symbol}$ = {value:.12g}{unit}" if unit else f"${axis.symbol}$ = {value:g}"


def _configurations(cubes: Sequence[Cube], rows: Sequence[Record], told: Sequence[Axis]) -> Configuration:
    """What but its model distinguishes a curve: its experiment, and each setting that isn't the same for all."""
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
    """The label of a curve: its experiment, its model, and its settings."""

    def label(row: Record) -> str:
        experiment, *settings = configuration(row)
        return ", ".join([experiment, figures.symbol(row["model"]), *settings])

    return label


def _marked(label: figures.Label) -> figures.Label:
    """Names of curves which say where measured data are scaled."""
    return lambda row: label(row) + (f", {SCALED}" if row["scaled_data"] else "")


def _title(rows: Sequence[Record], told: Sequence[Axis], *level: str) -> str:
    """What all curves have in common."""
    common = _values_told(rows, told)
    settings = [
        _told(axis, value)
        for axis, values in common.items()
        if len(values) == 1
        for value in values
        if value is not None
    ]
    return ", ".join([*level, *settings])


def _require_few(rows: Sequence[Record], label: figures.Label) -> None:
    """Refuse more curves than can be distinguished; an expected curve has the colour of the one beside it."""
    count = len(set(map(label, rows)))
    if count > MOST_CURVES:
        raise LimitError(f"{count} curves are too many for a picture; choose with --group, --beta, --sigma-sys")


def _curves(
    ax: "Axes",
    rows: Sequence[Record],
    x: str,
    y: str,
    label: figures.Label,
    style: Mapping[str, Mapping[str, Any]],
) -> None:
    figures.name_axes(ax, x, y)
    for line in figures.curves(ax, rows, x, y, label, style):
        if np.isnan(line.get_ydata()).all():
            line.set_label(f"{line.get_label()}: none")
    points = [row[x] for row in rows]
    ax.set(xlim=(min(points), max(points)))
