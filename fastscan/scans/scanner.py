"""A scan: dask runs its tasks, and each task computes and writes some chunks of a store.

A scan can be resumed, be shared in parts, and be finished.  Without a client, tasks run in threads of this process;
with one, on the client's workers.  Formulas and file formats are in other rooms.
"""

import functools
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.threaded
import zarr
from dask.callbacks import Callback

from fastscan.errors import FastscanError, ScanError
from fastscan.inputs.files import writable
from fastscan.scans.blocks import block
from fastscan.scans.costs import costs_of, missing_tasks, parts_with, require_fit, require_sense, threads
from fastscan.scans.grid import Grid
from fastscan.scans.plan import plan
from fastscan.scans.progress import Progress, Told, told
from fastscan.stores import chunks, store
from fastscan.stores.cube import Cube
from fastscan.stores.layout import Layout
from fastscan.stores.location import absolute, create, is_shared, is_url, read_root, text_of, was_taken
from fastscan.stores.location import exists as location_exists

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)
KEPT = "what is done is kept, resume=True continues"
ATTEMPTS = 3  # tries of a task before it counts as failed
MOST_FAILED = 3  # failed tasks that a scan survives; after more, the others would fail too
SUBMITTED = 1000  # tasks that are submitted to a cluster at a time


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task: points computed, number of retries, and the reason for giving up, empty if it is done."""

    points: int
    retried: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Task:
    """A task as a worker gets it: the store, the group and its hash, and the number of the task."""

    location: str
    group: str
    hash: str
    number: int


def scan(
    grid: str | Path | Grid,
    store: str | Path,
    *,
    client: "Client | None" = None,
    resume: bool = False,
    overwrite: bool = False,
    part: tuple[int, int] | None = None,
    progress: bool | Told | None = None,
) -> zarr.Group:
    """Compute chi2 and events over a grid, and store them.

    The memory needed depends on the tasks in flight, not on the size of the grid.

    Parameters
    ----------
    grid : str, Path or Grid
        A grid file, or a grid that `fastscan.grid.load` returned.
    store : str or Path
        The store to write: a new directory, or a URL (``s3://``, ``gs://`` or, without a client, ``memory://``).
    client : distributed.Client, optional
        A dask client whose workers run the tasks; left out, the cores of this process do.  A script that starts workers
        on its own machine needs ``if __name__ == "__main__":``, because each worker begins by running the script.
    resume : bool
        Continue an existing store: compute missing tasks, and add missing groups.
    overwrite : bool
        Replace an existing store.  Only fastscan's own stores are ever deleted.
    part : (int, int), optional
        (k, n): compute only the tasks i with i mod n = k - 1, for n processes that share a grid.  A missing store is
        created, and finished tasks are skipped.  Call `fastscan.scans.scanner.finish` once all parts are done.
    progress : bool or callable, optional
        True shows a bar on stderr, also in a notebook, and False shows none; left out, a terminal shows a bar.  A
        function is called with a `fastscan.scans.progress.Progress` at first and after each task.

    Returns
    -------
    zarr.Group
        Root of the store, which is finished unless `part` is given; see `open`.

    Raises
    ------
    FastscanError
        For a wrong grid, a store that exists, and a place that can't be written or is too small.  Also where tasks
        failed three times each; finished tasks are kept, and `resume` continues.

    Examples
    --------
    >>> root = scan("grids/coherent-csi.toml", "memory://scan")
    >>> root["coherent-csi/e6/chi2"].shape
    (181, 400, 31, 4)
    """
    cubes = plan(grid)
    where = text_of(store)
    with told(progress, cubes, where) as tell:
        return run(cubes, where, client=client, resume=resume, overwrite=overwrite, part=part, progress=tell)


def run(
    cubes: Sequence[Cube],
    location: str,
    *,
    client: "Client | None" = None,
    resume: bool = False,
    overwrite: bool = False,
    part: tuple[int, int] | None = None,
    progress: Told | None = None,
) -> zarr.Group:
    """Create the groups of cubes, run their missing tasks, and finish the store unless `part` is given; see `scan`."""
    require_sense(resume, overwrite, part)
    if client is not None and not is_shared(location):
        raise ScanError(f"{location} is in this process' memory, where no worker can write")
    share = resume or part is not None
    root = create(location, overwrite=False, resume=True) if share and location_exists(location) else None
    groups = {cube.name: cube.layout for cube in cubes}
    missing = missing_tasks(groups, {} if root is None else store.done(root, cubes), part)
    needed = costs_of(groups, missing, location, overwrite=overwrite, here=client is None)
    require_fit(needed, location)
    if root is None:
        root = create(location, overwrite=overwrite, resume=share)
    if part is not None:
        with writable(location):
            store.remember_parts(root, part[1], groups)
    log.info("%s: %d groups, %d tasks of %d points to compute", location, len(cubes), needed.tasks, needed.points)
    where = absolute(location)
    tasks = [Task(where, cube.name, cube.hash, number) for cube in cubes for number in missing[cube.name]]
    tally = _Tally(location, needed.tasks, needed.points, progress)
    made: list[Cube] = []
    try:
        for cube in cubes:
            store.ensure(root, cube)
            made.append(cube)
        tally.show()
        if client is None:
            _run_in_threads(tasks, tally)
        else:
            _run_on_cluster(client, tasks, tally)
        tally.allow_failed(0)
        lost = sum(map(len, missing_tasks(groups, store.done(root, cubes), part).values()))
        if lost:
            raise ScanError(f"{location}: {lost} tasks were deleted while the scan ran; resume=True computes them anew")
        if part is None:
            store.finish(root, cubes)
        log.info("%s: all %d tasks are done", location, needed.tasks)
    except (OSError, FastscanError) as error:
        if _is_gone(location, root, made):
            raise ScanError(f"{location}: the store is gone: it was deleted or replaced while the scan ran") from None
        if isinstance(error, FastscanError):
            raise
        raise ScanError(f"{error.filename or location}: {error.strerror or error}; {KEPT}") from None
    return read_root(location)


def run_or_continue(cubes: Sequence[Cube], location: str) -> None:
    """Scan cubes into a store, or continue the scan, for a command that always resumes; on a terminal with a bar."""
    try:
        with told(None, cubes, location) as bar:
            run(cubes, location, resume=True, progress=bar)
    except ScanError as error:  # such a command has no argument `resume`
        raise ScanError(str(error).replace("resume=True", "the same command")) from None


def _is_gone(location: str, root: zarr.Group, made: Iterable[Cube]) -> bool:
    """Whether a local store was deleted or replaced; at a URL this can't be told from a lost network."""
    return not is_url(location) and (was_taken(root) or not all(store.is_whole(root, cube) for cube in made))


class _Tally:
    """Counts what becomes of the tasks, reports it, and gives the scan up when too many tasks have failed."""

    def __init__(self, location: str, tasks: int, points: int, progress: Told | None) -> None:
        self.location, self.of_tasks, self.of_points, self.progress = location, tasks, points, progress
        self.tasks = self.points = self.retried = self.failed = 0
        self.problem = ""

    def add(self, outcome: Outcome) -> None:
        self.points += outcome.points
        self.retried += outcome.retried
        self.tasks += not outcome.problem
        self.failed += bool(outcome.problem)
        self.problem = outcome.problem or self.problem
        if outcome.problem or outcome.retried:
            log.warning(
                "%s: a task was begun anew %d times: %s", self.location, outcome.retried, outcome.problem or "done"
            )
        self.show()
        self.allow_failed(MOST_FAILED)

    def show(self) -> None:
        if self.progress is not None:
            self.progress(Progress(self.tasks, self.of_tasks, self.points, self.of_points, self.retried, self.failed))

    def allow_failed(self, most: int) -> None:
        if self.failed > most:
            tasks = f"{self.failed} of {self.of_tasks} tasks failed"
            raise ScanError(f"{self.location}: {tasks}: {self.problem}; {KEPT}")


def finish(location: str) -> zarr.Group:
    """Finish a store after all parts of a scan: remove the remains of killed writes, and consolidate its metadata.

    Returns
    -------
    zarr.Group
        Root of the store.

    Raises
    ------
    FastscanError
        Where tasks are missing.  The message names the parts to run again, or the tasks if no parts contain them all.
    """
    root = read_root(location, write=True)
    cubes = [store.read(root, name) for name in store.group_names(root)]
    layouts = {cube.name: cube.layout for cube in cubes}
    missing = missing_tasks(layouts, store.done(root, cubes), part=None)
    lacking = {name: numbers for name, numbers in missing.items() if numbers}
    if lacking:
        raise ScanError(f"{location} isn't complete: {_remedy(store.parts_of(root), layouts, lacking)}")
    with writable(location):
        store.finish(root, cubes)
    return read_root(location)


def _remedy(
    parts: tuple[int, list[str]] | None, layouts: Mapping[str, Layout], lacking: Mapping[str, Sequence[int]]
) -> str:
    """The remedy for missing tasks in words: the parts of the last scan in parts, or a scan with resume."""
    if parts and set(lacking) <= set(parts[1]) <= set(layouts):
        n, groups = parts
        again = parts_with({name: layouts[name] for name in groups}, lacking, n)
        told = f"part{'s' * (len(again) > 1)} {_ranges(again)} of {n}"
        return f"{sum(map(len, lacking.values()))} tasks are missing; run {told} again"
    lists = [f"{name} lacks tasks {_ranges(numbers)}" for name, numbers in lacking.items()]
    return f"{'; '.join(lists)}; a scan with resume=True computes them"


def _ranges(numbers: Iterable[int]) -> str:
    """Whole numbers as a list of ranges, which SLURM's ``--array`` takes.

    >>> _ranges([0, 1, 2, 5])
    '0-2,5'
    """
    ordered = sorted(numbers)
    starts = [i for i, number in enumerate(ordered) if i == 0 or number != ordered[i - 1] + 1]
    ends = [*(start - 1 for start in starts[1:]), len(ordered) - 1]
    return ",".join(
        f"{ordered[start]}" if start == end else f"{ordered[start]}-{ordered[end]}"
        for start, end in zip(starts, ends, strict=True)
    )


def _run_in_threads(tasks: Sequence[Task], tally: _Tally) -> None:
    graph = {f"task-{n}": (compute, task) for n, task in enumerate(tasks)}
    count = Callback(  # type: ignore[no-untyped-call]
        posttask=lambda key, result, graph, state, worker: tally.add(result)
    )
    # a pool of its own, which waits for the tasks in flight, so that a scan writes nothing after it was given up
    with ThreadPoolExecutor(threads()) as pool, count:
        dask.threaded.get(graph, list(graph), pool=pool)


def _run_on_cluster(client: "Client", tasks: Iterable[Task], tally: _Tally) -> None:
    from distributed import CancelledError, KilledWorker, as_completed

    own = f"fastscan-{uuid.uuid4().hex}"  # others may use the same cluster

    def submit(task: Task) -> None:
        key = f"{own}-{task.group}-{task.number}"
        running.add(client.submit(compute, task, key=key, pure=False))  # type: ignore[no-untyped-call]

    def count_lost(event: tuple[float, dict[str, Any]]) -> None:
        """Count the tasks that begin again because a worker was removed."""
        tally.retried += sum(str(key).startswith(own) for key in event[1].get("processing-tasks", ()))

    running = as_completed()  # type: ignore[no-untyped-call]
    client.subscribe_topic("all", count_lost)  # type: ignore[no-untyped-call]
    try:
        waiting = iter(tasks)
        for task in islice(waiting, SUBMITTED):
            submit(task)
        for future in running:
            try:
                tally.add(future.result())
            except KilledWorker:
                tally.add(Outcome(0, problem="it killed each worker that computed it"))
            future.release()
            for task in islice(waiting, 1):
                submit(task)
    except (CancelledError, OSError):
        raise ScanError(f"{tally.location}: the dask scheduler is gone; {KEPT}") from None
    finally:
        client.unsubscribe_topic("all")  # type: ignore[no-untyped-call]
        client.cancel(list(running.futures))  # type: ignore[no-untyped-call]


def compute(task: Task) -> Outcome:
    """Compute and write the chunks of a task, then its record, with at most `ATTEMPTS` tries."""
    problem = ""
    for attempt in range(ATTEMPTS):
        try:
            return Outcome(_compute(task), retried=attempt)
        except OSError as error:
            problem = error.strerror or str(error)
        except FastscanError as error:  # the store can't be read
            problem = str(error)
        _open.cache_clear()  # a store of this name may be another one by now
    return Outcome(0, ATTEMPTS - 1, problem)


def _compute(task: Task) -> int:
    """Compute and write a task once, and return its number of points."""
    root, cube = _open(task.location, task.group, task.hash)
    checksums: dict[str, str] = {}
    points = 0
    for array, index in chunks.chunk_keys(cube, task.number).values():
        values = block(cube, array, index)
        checksums |= chunks.write_chunk(root, cube, array, index, values)
        points += values.size if array == "chi2" else 0
    chunks.write_record(root, cube, task.number, checksums)
    return points


@functools.lru_cache(maxsize=64)
def _open(location: str, group: str, expected_hash: str) -> tuple[zarr.Group, Cube]:
    """The root of a store and the cube of a group, opened once per process."""
    root = read_root(location, write=True)
    cube = store.read(root, group)
    if cube.hash != expected_hash:
        raise ScanError(f"{location}: {group} was replaced by another run")
    return root, cube
