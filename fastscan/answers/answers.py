"""Questions to a whole store: the named groups answer, or every group that can if none is named."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import zarr

from fastscan.answers.contours import Contour, contours, doubts_of_contours
from fastscan.answers.from_cube import has_limits, limit_records
from fastscan.answers.planes import Plane, can_show, plane_of
from fastscan.answers.question import PlaneAxes, Question
from fastscan.answers.records import limit_keys, toy_keys
from fastscan.axes import by_name
from fastscan.errors import LimitError, warn
from fastscan.interactions.parameters import PARAMETERS
from fastscan.stores import store
from fastscan.stores.combining import joint_cubes
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root
from fastscan.typing import Record


def limits_of_store(location: str, question: Question, combined: Sequence[str] = ()) -> Iterator[Record]:
    """The limits of the groups that a question names, or of all groups that have limits; see `limit_records`.

    If `combined` names experiments (or combinations) of the store, the limits are those of the sum of their
    likelihoods, for each model that all of them have.
    """
    return limits_with_keys(location, question, combined)[0]


def limits_with_keys(
    location: str, question: Question, combined: Sequence[str] = ()
) -> tuple[Iterator[Record], list[str]]:
    """The records of `limits_of_store`, and every key that any of them has."""
    root = read_root(location)
    if combined and (question.stored or question.toys):
        raise LimitError("the sum of several groups is no stored cube; a grid file's [combine.NAME] stores one")
    cubes = joint_cubes(root, combined) if combined else cubes_of(root, question.groups)
    require_parameters(cubes, question)
    if not question.groups:  # if no group has a limit, the first one raises the error that says why
        cubes = [cube for cube in cubes if has_limits(cube, question)] or cubes[:1]
    stored_in = root if question.stored or question.toys else None
    # every group checks the question before the first record
    found = [limit_records(cube, question, stored_in) for cube in cubes]
    keys = dict.fromkeys(key for cube in cubes for key in limit_keys(cube.interaction))
    keys |= dict.fromkeys(key for cube in cubes for key in toy_keys(cube.interaction) if question.toys)
    return itertools.chain.from_iterable(found), list(keys)


def labels_of_store(location: str) -> dict[str, str]:
    """The labels of the experiments and combinations of a store, by their names."""
    return store.labels(read_root(location))


def cubes_of(root: zarr.Group, groups: Sequence[str]) -> list[Cube]:
    """The named groups of a store, each once, or all groups if none is named."""
    return [store.read(root, name) for name in dict.fromkeys(groups) or store.group_names(root)]


def require_parameters(cubes: Iterable[Cube], question: Question) -> None:
    """Refuse a value of a parameter that no group has.  A group ignores parameters that only other groups have."""
    for name in question.at:
        if name in by_name(PARAMETERS) and not any(name in cube.interaction_axes for cube in cubes):
            raise LimitError(f"none of the groups has the axis {name}")


def contours_of_store(
    location: str, question: Question, axes: PlaneAxes | None = None
) -> Iterator[tuple[Plane, list[Contour]]]:
    """Planes with their contours, of the groups that a question names, or of all groups that have the axes.

    Without `axes`, a plane has the first axes of its group, see `fastscan.answers.planes.first_axes`.
    """
    root = read_root(location)
    shown = axes or PlaneAxes()
    cubes = cubes_of(root, question.groups)
    require_parameters(cubes, question)
    able = [cube for cube in cubes if can_show(cube, shown, tuple(question.at))]
    chosen = cubes if question.groups else able or cubes[:1]  # if none can be drawn, the first one says why
    yield from contours_of_cubes(chosen, question, shown, root if question.stored or question.toys else None)


def contours_of_cubes(
    cubes: Iterable[Cube], question: Question, axes: PlaneAxes, stored_in: zarr.Group | None = None
) -> Iterator[tuple[Plane, list[Contour]]]:
    """Planes of cubes, with their contours; with the root of their store as `stored_in`, from the stored chi2.

    Each plane is `fastscan.answers.planes.Plane.resolved`, on whose grid the contours are drawn.
    """
    for cube in cubes:
        plane = plane_of(cube, axes, question, stored_in)
        lines = contours(plane)
        warn(*doubts_of_contours(plane, lines))
        yield plane.resolved, lines
