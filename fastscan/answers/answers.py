"""What is asked of experiments, and of a store: limits as records, contours as planes with their lines.

A limit of experiments needs no store.  Of a store, every group answers that can, or those that are named.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fastscan.answers.question import PlaneAxes, Question
from fastscan.answers.records import limit_record, limit_records, over_g
from fastscan.axes import SETTINGS, by_name
from fastscan.errors import LimitError, unknown
from fastscan.experiments.catalogue import load_all
from fastscan.interactions import catalogue
from fastscan.likelihoods.likelihood import combine
from fastscan.limits import limits, points
from fastscan.typing import Record

if TYPE_CHECKING:  # a limit without a store does without zarr
    import zarr

    from fastscan.answers.contours import Contour
    from fastscan.answers.planes import Plane
    from fastscan.stores.cube import Cube


def limit_at_point(names: Sequence[str], model: str, question: Question) -> Record:
    """The limit of one or several experiments at one value of each axis, without a store.

    Beside the keys of every record, ``expected_gev`` is the limit with measured data replaced by the Standard
    Model's prediction (None without data), with its ``expected_status``; for a user's own U(1)' both the intervals
    and this limit are there for M_Z' / g' too, as ``allowed_over_g_gev`` and ``expected_over_g_gev``.
    """
    experiments, interaction = load_all(names), catalogue.load(model)
    at = {name: value for name, value in question.at.items() if name not in by_name(SETTINGS)}
    delta = limits.threshold(question.cl, question.column_dof)
    rows = points.prepare(experiments, interaction, at)
    settings = rows.likelihood.settings(question.at)
    found = limits.at_point(rows, settings, delta)
    point = {**{axis.column: at.get(axis.name) for axis in interaction.family_rows}, **settings.told()[0]}
    told = ("+".join(each.name for each in experiments), interaction.name)
    record = limit_record(told, point, (question.cl, question.column_dof), found, 0, interaction)
    expected, status = None, None
    if any(each.is_measured for each in experiments):
        projected = points.prepare([each.expected() for each in experiments], interaction, at)
        errors = dict(zip(projected.likelihood.members, settings.sigma_sys.values(), strict=True))
        instead = limits.at_point(projected, replace(settings, sigma_sys=errors), delta)
        expected, status = _number(instead.bounds[0]), str(instead.status[0])
    g = interaction.g_prime
    return {
        **record,
        "expected_gev": expected,
        "expected_status": status,
        "allowed_over_g_gev": None
        if g is None
        else [(over_g(low, g), over_g(high, g)) for low, high in record["allowed_gev"]],
        "expected_over_g_gev": over_g(expected, g),
    }


def limits_of_store(location: str, question: Question, combined: Sequence[str] = ()) -> Iterator[Record]:
    """`fastscan.answers.records.limit_records` of some groups of a store, or of all.

    `combined` names experiments (or combinations) of the store whose likelihoods are added up, for each model
    that all of them have, instead.
    """
    from fastscan.stores.location import read_root

    root = read_root(location)
    if combined and question.stored:
        raise LimitError("the sum of several groups is no stored cube; a grid file's [combine.NAME] stores one")
    cubes = joint_cubes(root, combined) if combined else cubes_of(root, question.groups)
    stored_in = root if question.stored else None
    # each checks what is asked of it, before the first of them answers
    return itertools.chain.from_iterable([limit_records(cube, question, stored_in) for cube in cubes])


def cubes_of(root: "zarr.Group", groups: Sequence[str]) -> "list[Cube]":
    """The groups of a store that are named, each once, or all that it has."""
    from fastscan.stores import store

    return [store.read(root, name) for name in dict.fromkeys(groups) or store.group_names(root)]


def joint_cubes(root: "zarr.Group", names: Sequence[str]) -> "list[Cube]":
    """For each model that all the named experiments of a store have, their combination."""
    from fastscan.stores import store

    groups = store.group_names(root)
    known = dict.fromkeys(group.split("/")[0] for group in groups)
    for name in names:
        if name not in known:
            raise unknown("experiment of this store", name, known, LimitError)
    shared = [
        model
        for model in dict.fromkeys(group.split("/")[1] for group in groups)
        if all(f"{name}/{model}" in groups for name in names)
    ]
    if not shared:
        raise LimitError(f"no model is in the store for all of {', '.join(names)}")
    return [_joint([store.read(root, f"{name}/{model}") for name in names]) for model in shared]


def _joint(parts: "Sequence[Cube]") -> "Cube":
    """The cube that a grid file's [combine.NAME] would make of some cubes of one model, over the first one's axes."""
    from fastscan.stores.layout import arrays_of

    first = parts[0]
    shared = (*first.rows, first.strength)
    for part in parts:
        if part.identity["model"] != first.identity["model"]:
            raise LimitError(f"{part.name} and {first.name} differ in the model")
        for name in shared:
            if not np.array_equal(part.points[name], first.points[name]):
                raise LimitError(f"{part.name} and {first.name} differ in {name}")
    # of several experiments' own there is no single number
    own = {axis.name: np.array([np.nan]) for axis in SETTINGS if not first.has_axis(axis.name)}
    joint = {
        "combined": True,
        "members": [name for part in parts for name in part.identity["members"]],
        "experiments": {name: each for part in parts for name, each in part.identity["experiments"].items()},
        "fixed_sigma_sys": {name: sigma for part in parts for name, sigma in part.identity["fixed_sigma_sys"].items()},
    }
    return replace(
        first,
        name=f"{'+'.join(part.experiment for part in parts)}/{first.model}",
        references=tuple(dict.fromkeys(reference for part in parts for reference in part.references)),
        identity=first.identity | joint,
        points=first.points | own,
        layout=replace(first.layout, arrays=arrays_of(combined=True)),
        likelihood=combine([part.likelihood for part in parts]),
    )


def contours_of_store(
    location: str, question: Question, axes: PlaneAxes | None = None
) -> "Iterator[tuple[Plane, list[Contour]]]":
    """Planes of some groups of a store, or of all that have the axes, with their contours.

    Axes left out are the first that a group has; see `fastscan.answers.planes.plane_of`.
    """
    from fastscan.answers import planes
    from fastscan.stores.location import read_root

    root = read_root(location)
    shown = axes or PlaneAxes()
    cubes = cubes_of(root, question.groups)
    able = [cube for cube in cubes if planes.can_show(cube, shown, tuple(question.at))]
    chosen = cubes if question.groups else able or cubes[:1]  # one that can't be drawn says why
    yield from contours_of_cubes(chosen, question, shown, root if question.stored else None)


def contours_of_cubes(
    cubes: "Iterable[Cube]", question: Question, axes: PlaneAxes, stored_in: "zarr.Group | None" = None
) -> "Iterator[tuple[Plane, list[Contour]]]":
    """As `contours_of_store`, of cubes; with the root of their store as `stored_in`, from the stored chi2."""
    from fastscan.answers import planes
    from fastscan.answers.contours import contours

    for cube in cubes:
        plane = planes.plane_of(cube, axes, question, stored_in)
        yield plane, contours(plane)


def _number(value: float) -> float | None:
    """A number, or None for one that isn't there."""
    return None if np.isnan(value) else float(value)
