"""The costs of a scan: tasks, points, memory and disk space; they are known beforehand, and a scan must fit.

A scan and its dry run call the same functions, so that they can't disagree.
"""

import itertools
import math
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from fastscan.errors import ScanError, quoted, warn
from fastscan.inputs import arguments
from fastscan.inputs.bounds import MOST_PARTS
from fastscan.inputs.files import writable
from fastscan.scans import grid as grids
from fastscan.scans.grid import Grid
from fastscan.stores.layout import Layout
from fastscan.stores.location import Location, is_url, local, read_root, require_place


@dataclass(frozen=True)
class Costs:
    """The costs of a scan.  Sizes, memory and disk space are in bytes.

    `points`, `tasks` and `size` count the tasks that remain to be computed, but `groups` has the whole layouts.
    `tasks_in_flight` is None where a running cluster decides.  `available_memory` is inf where other processes compute.
    """

    points: int
    tasks: int
    size: int
    memory_per_task: int
    tasks_in_flight: int | None
    available_memory: float
    free_disk: float
    groups: Mapping[str, Layout]


def costs(
    source: str | Path | Grid,
    location: str,
    *,
    resume: bool = False,
    overwrite: bool = False,
    part: tuple[int, int] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Costs:
    """The costs of a scan of a grid.

    Nothing is written.  A URL is only read where a store is to be continued.

    Raises
    ------
    GridError
        For a wrong grid.
    ScanError
        Where options exclude each other, or the location can't be written.
    StoreError
        Where the scan would be refused at the location, or the store to be continued belongs to another grid.
    """
    checked = grids.load(source)
    warn(*grids.doubts(checked))
    require_sense(resume, overwrite, part)
    done: dict[str, set[int]] = {}
    share = resume or part is not None
    looked_at = share or not is_url(location)
    if looked_at and require_place(location, overwrite=overwrite, resume=share) and share:
        from fastscan.scans.plan import cubes_of
        from fastscan.stores import store

        done = store.done(read_root(location), cubes_of(checked))
    groups = grids.layouts_of(checked)
    missing = missing_tasks(groups, done, part)
    here = workers is None and scheduler is None
    return costs_of(groups, missing, location, overwrite=overwrite, here=here, workers=workers)


def costs_of(
    groups: Mapping[str, Layout],
    missing: Mapping[str, Sequence[int]],
    location: Location,
    *,
    overwrite: bool,
    here: bool,
    workers: int | None = None,
) -> Costs:
    """The costs of the missing tasks of some groups, in threads of this process (`here`) or on a cluster.

    The memory of a cluster's workers is not checked, because the cluster monitors it itself.
    """
    tasks = sum(map(len, missing.values()))
    in_flight = threads() if here else workers
    size = sum(layout.size * len(missing[name]) // layout.tasks for name, layout in groups.items())
    free = _free_disk(location)
    if overwrite and free < size:
        free += _size_of(location)
    return Costs(
        points=sum(layout.points_of(missing[name]) for name, layout in groups.items()),
        tasks=tasks,
        size=size,
        memory_per_task=memory_per_task(groups.values(), location),
        tasks_in_flight=None if in_flight is None else min(in_flight, tasks),
        available_memory=psutil.virtual_memory().available if here else math.inf,
        free_disk=free,
        groups=groups,
    )


def require_fit(found: Costs, location: Location) -> None:
    """Refuse a scan that does not fit on the disk, or whose tasks in flight do not fit in this process's memory."""
    if found.size > found.free_disk:
        raise ScanError(f"{location} needs {found.size / 1e6:.1f} MB, but only {found.free_disk / 1e6:.1f} MB are free")
    needed = found.memory_per_task * (found.tasks_in_flight or 0)
    if needed > found.available_memory:
        raise ScanError(
            f"{found.tasks_in_flight} tasks in flight need {needed / 1e6:.1f} MB of memory, but only "
            f"{found.available_memory / 1e6:.1f} MB are available; a smaller chunk in the grid's [store] needs less"
        )


def require_sense(resume: bool, overwrite: bool, part: tuple[int, int] | None) -> None:
    """Refuse an impossible part, and options that exclude each other."""
    if part is not None:
        _require_part(part)
    for name, value in {"resume": resume, "overwrite": overwrite}.items():
        arguments.flag(name, value)
    if resume and overwrite:
        raise ScanError("resume and overwrite exclude each other")
    if part is not None and overwrite:
        raise ScanError("a part of a scan can't replace a store: other parts write to it too")


def _require_part(part: object) -> None:
    match part:
        case (int() | np.integer() as k, int() | np.integer() as n) if 1 <= k <= n <= MOST_PARTS:
            return
    told = "/".join(map(quoted, part)) if isinstance(part, tuple) else quoted(part)
    raise ScanError(f"part must be k/n with k from 1 to n, and n at most {MOST_PARTS}, not {told}")


def missing_tasks(
    groups: Mapping[str, Layout], done: Mapping[str, Collection[int]], part: tuple[int, int] | None
) -> dict[str, Sequence[int]]:
    """Numbers of the tasks of each group that aren't done, of all tasks or of a part k/n.

    Parts count the tasks of all groups in their order; part k has every n-th task.

    Examples
    --------
    >>> layout = Layout(shape=(4, 1, 1, 1), chunks=(1, 1, 1, 1), chunks_per_task=1, dtype="float32", arrays=("chi2",))
    >>> missing_tasks({"one": layout, "other": layout}, {"one": {2}}, part=(1, 2))
    {'one': [0], 'other': range(0, 4, 2)}
    """
    k, n = part or (1, 1)
    first = 0
    missing: dict[str, Sequence[int]] = {}
    for name, layout in groups.items():
        own = range((k - 1 - first) % n, layout.tasks, n)
        missing[name] = [number for number in own if number not in done[name]] if done.get(name) else own
        first += layout.tasks
    return missing


def parts_with(groups: Mapping[str, Layout], tasks: Mapping[str, Collection[int]], n: int) -> list[int]:
    """The parts k of n to which some tasks belong; groups are in the order of the grid.

    Examples
    --------
    >>> layout = Layout(shape=(4, 1, 1, 1), chunks=(1, 1, 1, 1), chunks_per_task=1, dtype="float32", arrays=("chi2",))
    >>> parts_with({"one": layout, "other": layout}, {"one": [0, 3], "other": [0]}, n=3)
    [1, 2]
    """
    firsts = itertools.accumulate((layout.tasks for layout in groups.values()), initial=0)
    found = zip(groups, firsts, strict=False)  # the last of `firsts` belongs to no group
    return sorted({(first + number) % n + 1 for name, first in found for number in tasks.get(name, ())})


def memory_per_task(layouts: Collection[Layout], location: Location) -> int:
    """Bytes that a task holds: a chunk, its padded copy at the edge of the cube, and for a URL the copy to send."""
    return (3 if is_url(location) else 2) * max(layout.chunk_size for layout in layouts)


def _free_disk(location: Location) -> float:
    """Free bytes at the location of a store; inf where the number isn't known."""
    if is_url(location):
        return math.inf
    path = local(location)
    with writable(location):
        there = next(place for place in (path, *path.parents) if place.exists())
        if path.is_file():
            raise ScanError(f"{location} is no fastscan store; it is left as it is")
        if not there.is_dir():
            raise ScanError(f"{location} can't be written: {there} is no directory")
        usage = shutil.disk_usage(there)
    return usage.free if usage.total > 0 else math.inf


def _size_of(location: Location) -> int:
    """Bytes of the files below a directory of this machine."""
    files = (os.path.join(directory, name) for directory, _, files in os.walk(local(location)) for name in files)
    return sum(map(os.path.getsize, files))


def threads() -> int:
    """Number of tasks at a time: dask's `num_workers`, or the number of cores where this isn't configured."""
    import dask.config  # imported here, because it takes as long as the rest of a dry run
    from dask.system import CPU_COUNT

    configured = dask.config.get("num_workers", None)
    return CPU_COUNT if configured is None else int(arguments.scalar("dask's num_workers", configured, 1, 1e4, True))
