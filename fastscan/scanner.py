"""A scan: the grid cut into tasks, the tasks run by dask, each task's chunks computed and written.

No formula and no file format stands here.  Without a client, tasks run in threads of this process; with one,
wherever it sends them.
"""

import functools
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dask.threaded
import numpy as np
import zarr
from dask.callbacks import Callback
from numpy.typing import NDArray

from fastscan import grid, kernels, likelihood, models, store, tables
from fastscan.errors import FastscanError
from fastscan.grid import Combination, Grid
from fastscan.layout import Index, layout_of
from fastscan.location import create, read_root, require_space, size, writable
from fastscan.location import exists as location_exists
from fastscan.models import Model
from fastscan.store import Cube
from fastscan.typing import Array

if TYPE_CHECKING:
    from distributed import Client

PHYSICS_VERSION = 1  # raise it when a formula changes a number
# The package's tables that event counts follow from.
TABLES = ("isotopes.csv", "fission_energy.csv", "reactor_low_energy.csv", "reactor_mueller.csv")
Progress = Callable[[int, int], object]  # called with the points done so far and the points to do


@dataclass(frozen=True)
class Task:
    """What a worker needs to know: which store, which group (and its hash), which of its tasks."""

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
    progress: Progress | None = None,
) -> zarr.Group:
    """Compute chi2 and events over a grid and store them.

    Memory stays bounded by the tasks in flight, whatever the grid's size.

    Parameters
    ----------
    grid : str, Path or Grid
        A grid file, or what `fastscan.grid.load` made of it.
    store : str or Path
        Where to write: a new directory.
    client : distributed.Client, optional
        A dask client whose workers do the work; left out, this process's cores do.
    resume : bool
        Continue a store: compute what is missing, and add groups that aren't there.
    overwrite : bool
        Replace a store.  What isn't a fastscan store is never deleted.
    part : (int, int), optional
        (k, n): only the tasks i with i mod n = k - 1, for n processes that share a grid.  The store is created if it
        isn't there, what is done is skipped, and `finish` is left to be called when all parts are done.
    progress : callable, optional
        Called after each task with the points done so far and the points to do.

    Returns
    -------
    zarr.Group
        Root of the store, finished unless only a part was asked for; see `open`.

    Raises
    ------
    FastscanError
        For a wrong grid, a store that exists, a place that can't be written or is too small.
    """
    cubes = plan(grid)
    where = os.fspath(store)
    return run(cubes, where, client=client, resume=resume, overwrite=overwrite, part=part, progress=progress)


def plan(source: str | Path | Grid) -> list[Cube]:
    """The cubes of a grid, one for each experiment or combination and each model, with their likelihoods."""
    checked = source if isinstance(source, Grid) else grid.load(source)
    alone = [Combination(experiment.name, (experiment,), {}) for experiment in checked.experiments]
    return [
        _cube(checked, measured, model, combined)
        for group, combined in ((alone, False), (checked.combinations, True))
        for measured in group
        for model in checked.models
    ]


def _cube(source: Grid, measured: Combination, model: Model, combined: bool) -> Cube:
    axes = {name: axis.points() for name, axis in source.axes.items()}
    if "sigma_sys" not in axes:  # each experiment keeps its own, which for several is no single number
        own = measured.experiments[0].statistics.sigma_sys
        axes["sigma_sys"] = np.array([np.nan if combined else own])
    axes.setdefault("luminosity", np.ones(1))
    if not model.has_beta:
        axes["beta"] = np.zeros(1)
    layout = layout_of(source, model.has_beta)
    references = [each for experiment in measured.experiments for each in experiment.references]
    described = {name: axis.described() for name, axis in source.axes.items() if name != "beta" or model.has_beta}
    return Cube(
        name=f"{measured.name}/{model.name}",
        title=source.title,
        references=tuple(dict.fromkeys([*references, *model.references])),
        identity={
            "physics_version": PHYSICS_VERSION,
            "experiments": {each.name: store.plain(asdict(each)) for each in measured.experiments},
            "combined": combined,
            "fixed_sigma_sys": measured.sigma_sys,
            "model": store.plain(asdict(model)),
            "data": {name: tables.digest(name) for name in TABLES},
            "axes": described,
            "dtype": source.dtype,
            "chunks": list(layout.chunks),
            "chunks_per_task": layout.chunks_per_task,
        },
        axes=axes,
        has_beta=model.has_beta,
        layout=layout,
        likelihood=likelihood.build(measured.experiments, model, axes["beta"] if model.has_beta else None),
    )


def run(
    cubes: Sequence[Cube],
    location: str,
    *,
    client: "Client | None" = None,
    resume: bool = False,
    overwrite: bool = False,
    part: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> zarr.Group:
    """Create the cubes' groups, run the tasks that aren't done, and finish the store, unless this is but a part."""
    if part is not None and not 1 <= part[0] <= part[1]:
        raise FastscanError(f"part must be k/n with k from 1 to n, not {part[0]}/{part[1]}")
    if part is not None and overwrite:
        raise FastscanError("a part of a scan can't replace a store: other parts write to it too")
    share = resume or part is not None
    there = location_exists(location)
    done = _done(cubes, read_root(location)) if share and there else {}
    needed = sum(cube.layout.size - cube.layout.size_of(done.get(cube.name, ())) for cube in cubes)
    _, parts = part or (1, 1)
    require_space(location, needed // parts - (size(location) if overwrite and there else 0))
    missing = _missing(cubes, done, part or (1, 1))
    to_do = sum(cube.layout.points_of(numbers) for cube, numbers in missing)
    root = create(location, overwrite=overwrite, resume=share)
    where = os.path.abspath(location)
    tasks = [Task(where, cube.name, cube.hash, number) for cube, numbers in missing for number in numbers]
    computed = 0

    def report(points: int) -> None:
        nonlocal computed
        computed += points
        if progress is not None:
            progress(computed, to_do)

    try:
        for cube in cubes:
            if not store.is_there(root, cube):
                store.add(root, cube)
        report(0)
        if client is None:
            _run_in_threads(tasks, report)
        else:
            _run_on_cluster(client, tasks, report)
        if part is None:
            store.finish(root, cubes)
    except OSError as error:
        problem = error.strerror or error
        raise FastscanError(f"{location}: {problem}; what is done is kept, --resume continues") from None
    return read_root(location)


def _done(cubes: Sequence[Cube], root: zarr.Group) -> dict[str, set[int]]:
    """Tasks that are recorded as done; groups from another run are refused, before anything is changed."""
    return {cube.name: store.done_tasks(root, cube) for cube in cubes if store.is_there(root, cube)}


def _missing(cubes: Sequence[Cube], done: dict[str, set[int]], part: tuple[int, int]) -> list[tuple[Cube, list[int]]]:
    """The tasks of a part that aren't done: numbers by cube; parts count the tasks of all cubes in their order."""
    k, n = part
    first = 0
    missing = []
    for cube in cubes:
        own = range((k - 1 - first) % n, cube.layout.tasks, n)
        missing.append((cube, [number for number in own if number not in done.get(cube.name, ())]))
        first += cube.layout.tasks
    return missing


def finish(location: str) -> zarr.Group:
    """Remove what killed writes left in a store, and consolidate it; after all parts of a scan are done.

    Raises
    ------
    FastscanError
        Where tasks are missing: it says which.
    """
    root = read_root(location, write=True)
    cubes = [store.read(root, name) for name in store.group_names(root)]
    missing = {cube.name: set(range(cube.layout.tasks)) - store.done_tasks(root, cube) for cube in cubes}
    lacking = [f"{name} lacks tasks {_ranges(numbers)}" for name, numbers in missing.items() if numbers]
    if lacking or not cubes:
        raise FastscanError(f"{location} isn't complete: {'; '.join(lacking) or 'it has no groups'}")
    with writable(location):
        store.finish(root, cubes)
    return read_root(location)


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as people list them.

    >>> _ranges([0, 1, 2, 5])
    '0-2, 5'
    """
    ordered = sorted(numbers)
    starts = [i for i, number in enumerate(ordered) if i == 0 or number != ordered[i - 1] + 1]
    ends = [*(start - 1 for start in starts[1:]), len(ordered) - 1]
    return ", ".join(
        f"{ordered[start]}" if start == end else f"{ordered[start]}-{ordered[end]}"
        for start, end in zip(starts, ends, strict=True)
    )


def _run_in_threads(tasks: Sequence[Task], report: Callable[[int], None]) -> None:
    graph = {f"task-{n}": (compute, task) for n, task in enumerate(tasks)}
    with Callback(  # type: ignore[no-untyped-call]
        posttask=lambda key, result, graph, state, worker: report(result)
    ):
        dask.threaded.get(graph, list(graph))  # as many threads as dask is configured for: the cores


def _run_on_cluster(client: "Client", tasks: Sequence[Task], report: Callable[[int], None]) -> None:
    from distributed import KilledWorker, as_completed

    futures = client.map(compute, tasks, pure=False)
    try:
        for future in as_completed(futures):  # type: ignore[no-untyped-call]
            report(future.result())
            future.release()
    except KilledWorker as error:
        raise FastscanError(f"workers died over {error.task}; what is done is kept, --resume continues") from None
    finally:
        client.cancel(futures)  # type: ignore[no-untyped-call]


def compute(task: Task) -> int:
    """Compute and write the chunks of a task, then its record; returns its number of points."""
    root, cube = _open(task.location, task.group, task.hash)
    checksums: dict[str, str] = {}
    points = 0
    for array, index in store.chunk_keys(cube, task.number).values():
        block = chi2_block(cube, index) if array == "chi2" else events_block(cube, index)
        checksums |= store.write_chunk(root, cube, array, index, block)
        points += block.size if array == "chi2" else 0
    store.write_record(root, cube, task.number, checksums)
    return points


@functools.lru_cache(maxsize=64)
def _open(location: str, group: str, expected_hash: str) -> tuple[zarr.Group, Cube]:
    """A group as a worker sees it, opened once per process."""
    root = read_root(location, write=True)
    cube = store.read(root, group)
    if cube.hash != expected_hash:
        raise FastscanError(f"{location}: {group} was replaced by another run")
    return root, cube


def chi2_block(cube: Cube, index: Index) -> NDArray[np.floating]:
    """chi2 over the part of a cube that a chunk covers, in the cube's dtype."""
    beta, mass, sigma, lum = cube.layout.region(index)
    given = None if cube.own_sigma_sys else cube.axes["sigma_sys"][sigma, None]
    weight, pull = cube.likelihood.settings(cube.sigma_sys(given), cube.axes["luminosity"][None, lum])
    members, *settings = weight.shape
    betas, masses = beta.stop - beta.start, mass.stop - mass.start
    out = np.empty((betas, masses, math.prod(settings)), cube.layout.dtype)
    _kernel()(
        cube.likelihood.coefficients(beta),
        models.gamma(cube.axes["m_zprime"][mass]),
        weight.reshape(members, -1),
        pull.reshape(members, -1),
        kernels.TILE_POINTS,
        out,
    )
    return out.reshape(betas, masses, *settings)


def _kernel() -> Callable[..., object]:
    """The serial kernel where tasks run side by side; the parallel one in a worker process that runs one at a time.

    How many threads that may have, NUMBA_NUM_THREADS must say: numba's own default is all cores for each worker.
    """
    if "NUMBA_NUM_THREADS" in os.environ and "distributed" in sys.modules:
        from distributed import get_worker

        try:
            alone = get_worker().state.nthreads == 1
        except ValueError:  # no worker: this process' own threads
            alone = False
        if alone:
            return kernels.chi2_block.parallel
    return kernels.chi2_block.serial


def events_block(cube: Cube, index: Index) -> Array:
    """Events over the part of a cube that a chunk covers."""
    beta, mass, _, _ = cube.layout.region(index)
    gamma = models.gamma(cube.axes["m_zprime"][mass])
    return cube.likelihood.events(gamma[None, :], np.arange(beta.start, beta.stop)[:, None])
