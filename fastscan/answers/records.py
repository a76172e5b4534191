"""Answers as records: what the commands print as tables, JSON and CSV, and what pictures are drawn from.

The record of a limit has the keys ``experiment`` (or the name of a combination), ``model``, one for each row parameter
of the model's family (``beta_rad``, None without beta), ``sigma_sys`` (by experiment where there are several),
``luminosity``, ``cl``, ``dof``, ``limit_gev`` (None where there is none), ``limit_over_g_gev`` (of M_Z' / g', for a
user's own U(1)', else None), ``status`` and ``allowed_gev``: every allowed interval, where None is an open upper end.
Profiles and contours have records too, one for each point.  Which cubes and planes are asked is the business of
`fastscan.answers.answers`.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from fastscan.answers.question import Question
from fastscan.axes import SETTINGS, Axis
from fastscan.interactions.interaction import Interaction
from fastscan.limits.limits import OUTSIDE_AXIS, Limits, limits_of, threshold
from fastscan.typing import Record

if TYPE_CHECKING:  # a limit without a store does without zarr
    import zarr

    from fastscan.answers.contours import Contour
    from fastscan.answers.from_cube import Selection
    from fastscan.answers.planes import Plane
    from fastscan.stores.cube import Cube


def limit_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a limit's record, for a model and all of its family."""
    unit = model.strength.axis.unit.lower()
    answer = (f"limit_{unit}", f"limit_over_g_{unit}", "status", f"allowed_{unit}")
    return ("experiment", "model", *_settings(model), "cl", "dof", *answer)


def profile_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a point of a profile."""
    return ("experiment", "model", *_settings(model), model.strength.axis.column, "delta_chi2")


def contour_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a vertex of a contour: every axis in each way in which it is drawn."""
    axes = [column for axis in (*model.family_rows, model.strength.axis) for column in _columns(axis)]
    settings = [axis.column for axis in SETTINGS]
    return ("experiment", "model", "contour", "closed", *axes, *settings, "cl", "dof", "delta_chi2")


def _settings(model: Interaction) -> list[str]:
    return [axis.column for axis in (*model.family_rows, *SETTINGS)]


def _columns(axis: Axis) -> list[str]:
    return [axis.column, *(view.column for view in axis.views)]


def limit_record(
    names: tuple[str, str],
    point: Mapping[str, Any],
    level: tuple[float, int],
    found: Limits,
    number: int,
    model: Interaction,
) -> Record:
    """The record of one limit, with None for what isn't there.

    Parameters
    ----------
    names : (str, str)
        Of the experiment or combination, and of the model.
    point : mapping
        What is said of the column by key.
    level : (float, int)
        Confidence level and degrees of freedom.
    found, number
        Limits of some columns, and the number of this one.
    model : Interaction
        Whose limit it is.
    """
    bound = found.bounds[number]
    limit = None if np.isnan(bound) else float(bound)
    allowed = [(low, None if high == np.inf else high) for low, high in found.intervals[number]]
    answer = (limit, over_g(limit, model.g_prime), str(found.status[number]), allowed)
    settings = (point[key] for key in _settings(model))
    return dict(zip(limit_keys(model), (*names, *settings, *level, *answer), strict=True))


def over_g(mass: float | None, g_prime: float | None) -> float | None:
    """M_Z' / g' of a mass, where both are there."""
    return None if mass is None or g_prime is None else mass / g_prime


def limit_records(
    cube: "Cube", question: Question | None = None, stored_in: "zarr.Group | None" = None
) -> Iterator[Record]:
    """Limits of a group of a store, from the likelihood that it carries.

    Exact at any settings; left out, they are each experiment's own and an exposure of 1.  Row parameters must be on the
    group's axes.  A limit outside the group's axis of the strength is told, and marked as such.  With the root of its
    store as `stored_in`, each stored chi2 must be the likelihood's, and settings must be on the axes too.  What can't
    be answered is refused at once, before the first record.

    Examples
    --------
    >>> from fastscan.scans.plan import plan
    >>> chi = plan("grids/coherent-csi.toml")[0]
    >>> limits = limit_records(chi, Question(at={"sigma_sys": [0.1, 0.28]}))
    >>> [(each["sigma_sys"], each["status"], round(each["limit_gev"], 1)) for each in limits]
    [(0.1, 'ok', 348.6), (0.28, 'ok', 195.3)]
    """
    from fastscan.answers.from_cube import Selection

    asked = question or Question()
    selection = Selection.of(cube, asked)
    delta = threshold(asked.cl, asked.column_dof)
    if stored_in is not None:
        _ = selection.stored_settings  # refused here, where they aren't on the axes
    return _found_limits(selection, asked, delta, stored_in)


def _found_limits(
    selection: "Selection", asked: Question, delta: float, stored_in: "zarr.Group | None"
) -> Iterator[Record]:
    """The record of each column, once the crossings are found."""
    cube = selection.cube
    found = limits_of(selection.crossings(delta, stored_in), cube.interaction.strength)
    axis = cube.points[cube.strength]
    outside = (found.bounds < axis.min()) | (found.bounds > axis.max())
    marked = Limits(found.bounds, np.where(outside, OUTSIDE_AXIS, found.status), found.intervals)
    level = (asked.cl, asked.column_dof)
    for number, point in enumerate(selection.points()):
        yield limit_record((cube.experiment, cube.model), point, level, marked, number, cube.interaction)


def profile_records(
    cube: "Cube", question: Question | None = None, stored_in: "zarr.Group | None" = None
) -> Iterator[Record]:
    """Delta chi2 at each point of a group's strength axis, with the keys of `profile_keys`; as `limit_records`."""
    from fastscan.answers.from_cube import Selection

    selection = Selection.of(cube, question or Question())
    strengths = cube.points[cube.strength].tolist()
    values = selection.profiles(stored_in).tolist()
    for point, column in zip(selection.points(), values, strict=True):
        settings = (cube.experiment, cube.model, *point.values())
        for strength, delta in zip(strengths, column, strict=True):
            yield dict(zip(profile_keys(cube.interaction), (*settings, strength, delta), strict=True))


def contour_records(plane: "Plane", lines: "Sequence[Contour]") -> Iterator[Record]:
    """A record for each vertex of the contours of a plane, with the keys of `contour_keys`.

    An axis that isn't shown has the value at which it is held; None stands for one that chi2 is minimised over.
    """
    cube = plane.cube
    axes = (*cube.interaction.family_rows, cube.interaction.strength.axis)
    held = {name: points.item() if points.size == 1 else None for name, points in plane.held.items()}
    level = (plane.cl, plane.dof, plane.delta)
    for number, line in enumerate(lines):
        names = (cube.experiment, cube.model, number, line.closed)
        for x, y in zip(line.x.tolist(), line.y.tolist(), strict=True):
            at = {**held, plane.x.axis.name: x, plane.y.axis.name: y}
            place = [value for axis in axes for value in _drawn_values(axis, at.get(axis.name))]
            settings = _settings_told(cube, at).values()
            yield dict(zip(contour_keys(cube.interaction), (*names, *place, *settings, *level), strict=True))


def _settings_told(cube: "Cube", at: Mapping[str, float | None]) -> dict[str, Any]:
    """The settings at a point as records have them, by name; None for those over which chi2 is minimised."""
    (told,) = cube.likelihood.settings({name: value for name, value in at.items() if value is not None}).told()
    return {axis.name: None if at.get(axis.name, 0.0) is None else told[axis.column] for axis in SETTINGS}


def _drawn_values(axis: Axis, value: float | None) -> list[float | None]:
    """A value of an axis, and what is drawn of it in each of its other views."""
    return [value, *(None if value is None else VIEWED[view.scale](value) for view in axis.views)]


VIEWED: dict[str, Callable[[float], float]] = {"cos": math.cos}  # what a view has of a value, by its scale


def contour_summary(plane: "Plane", lines: "Sequence[Contour]") -> Record:
    """The contours of a plane as one record: the axes, what is held, and each line's vertices by axis."""
    cube = plane.cube
    at = {name: points.item() if points.size == 1 else None for name, points in plane.held.items()}
    settings = {name: value for name, value in _settings_told(cube, at).items() if name not in plane.shown}
    held = {name: "minimised" if value is None else value for name, value in {**at, **settings}.items()}
    return {
        "experiment": cube.experiment,
        "model": cube.model,
        "axes": [plane.x.view.name, plane.y.view.name],
        "units": {axis.name: axis.unit for axis in (*cube.interaction.family_rows, cube.interaction.strength.axis)},
        "held": held,
        "cl": plane.cl,
        "dof": plane.dof,
        "delta_chi2": plane.delta,
        "contours": [{"closed": line.closed, "vertices": _vertices(plane, line)} for line in lines],
    }


def _vertices(plane: "Plane", line: "Contour") -> dict[str, list[float]]:
    """The vertices of a line by the names of the plane's axes."""
    return {side.view.name: side.viewed(at).tolist() for side, at in ((plane.x, line.x), (plane.y, line.y))}


def write_csv(file: TextIO, keys: Sequence[str], records: Iterable[Record]) -> None:
    """Records as CSV, with the first one's keys as the header; without any, with these.

    The header waits for the first of them, so that an error leaves no half of a table.
    """
    writer: csv.DictWriter[str] | None = None
    for each in records:
        if writer is None:
            writer = csv.DictWriter(file, list(each), lineterminator="\n")
            writer.writeheader()
        writer.writerow({key: _cell(value) for key, value in each.items()})
    if writer is None:
        csv.DictWriter(file, keys, lineterminator="\n").writeheader()


def csv_text(keys: Sequence[str], records: Iterable[Record]) -> str:
    """Records as CSV, as text."""
    file = io.StringIO()
    write_csv(file, keys, records)
    return file.getvalue()


def _cell(value: object) -> object:
    """A value as CSV has it: intervals as low:high, those by name as name=value, separated by semicolons.

    >>> _cell([(14.5, 16.8), (36.1, None)]), _cell({"conus": 0.2})
    ('14.5:16.8;36.1:inf', 'conus=0.2')
    """
    if isinstance(value, dict):
        return ";".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list):
        return ";".join(f"{low}:{math.inf if high is None else high}" for low, high in value)
    return value
