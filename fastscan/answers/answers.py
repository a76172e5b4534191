"""Questions to a store: the groups that are named answer, or else every group that can."""

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
    """`fastscan.answers.from_cube.limit_records` of some groups of a store, or of all that have limits.

    `combined` names experiments (or combinations) of the store.  Their likelihoods are then added up instead, for each
    model that all of them have.
    """
    return limits_with_keys(location, question, combined)[0]


def limits_with_keys(
    location: str, question: Question, combined: Sequence[str] = ()
) -> tuple[Iterator[Record], list[str]]:
    """As `limits_of_store`, with every key that any of the records has."""
    root = read_root(location)
    if combined and (question.stored or question.toys):
        raise LimitError("the sum of several groups is no stored cube; a grid file's [combine.NAME] stores one")
    cubes = joint_cubes(root, combined) if combined else cubes_of(root, question.groups)
    require_parameters(cubes, question)
    if not question.groups:  # where none has a limit, one says why
        cubes = [cube for cube in cubes if has_limits(cube, question)] or cubes[:1]
    stored_in = root if question.stored or question.toys else None
    # every group checks its question before the first group answers
    found = [limit_records(cube, question, stored_in) for cube in cubes]
    keys = dict.fromkeys(key for cube in cubes for key in limit_keys(cube.interaction))
    keys |= dict.fromkeys(key for cube in cubes for key in toy_keys(cube.interaction) if question.toys)
    return itertools.chain.from_iterable(found), list(keys)


def labels_of_store(location: str) -> dict[str, str]:
    """What people call the experiments and combinations of a store, by their names."""
    return store.labels(read_root(location))


def cubes_of(root: zarr.Group, groups: Sequence[str]) -> list[Cube]:
    """The groups of a store that are named, each once, or all that it has."""
    return [store.read(root, name) for name in dict.fromkeys(groups) or store.group_names(root)]


def require_parameters(cubes: Iterable[Cube], question: Question) -> None:
    """Refuse a value of a model's parameter that no group has; groups without it pass over what others have."""
    for name in question.at:
        if name in by_name(PARAMETERS) and not any(name in cube.interaction_axes for cube in cubes):
            raise LimitError(f"none of the groups has the axis {name}")


def contours_of_store(
    location: str, question: Question, axes: PlaneAxes | None = None
) -> Iterator[tuple[Plane, list[Contour]]]:
    """Planes of some groups of a store, or of all that have the axes, with their contours.

    Axes left out are the first that a group has; see `fastscan.answers.planes.plane_of`.
    """
    root = read_root(location)
    shown = axes or PlaneAxes()
    cubes = cubes_of(root, question.groups)
    require_parameters(cubes, question)
    able = [cube for cube in cubes if can_show(cube, shown, tuple(question.at))]
    chosen = cubes if question.groups else able or cubes[:1]  # one that can't be drawn says why
    yield from contours_of_cubes(chosen, question, shown, root if question.stored or question.toys else None)


def contours_of_cubes(
    cubes: Iterable[Cube], question: Question, axes: PlaneAxes, stored_in: zarr.Group | None = None
) -> Iterator[tuple[Plane, list[Contour]]]:
    """As `contours_of_store`, of cubes; with the root of their store as `stored_in`, from the stored chi2.

    The planes are `fastscan.answers.planes.Plane.resolved`, as the lines that are drawn through them.
    """
    for cube in cubes:
        plane = plane_of(cube, axes, question, stored_in)
        lines = contours(plane)
        warn(*doubts_of_contours(plane, lines))
        yield plane.resolved, lines
