"""What a scan takes: tasks, points, bytes, memory and disk, known from the grid alone before anything is computed.

What can't fit is refused: disk by `fastscan.location.require_space`, memory here.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import psutil

from fastscan import arguments
from fastscan import grid as grids
from fastscan.errors import FastscanError
from fastscan.grid import Grid
from fastscan.layout import Layout, layout_of
from fastscan.location import Location, free_space, is_url


@dataclass(frozen=True)
class Costs:
    """What a scan takes in all, and by group; sizes in bytes, memory for each task that is in flight."""

    points: int
    tasks: int
    size: int
    memory_per_task: int
    tasks_in_flight: int
    memory: int
    free: float
    groups: dict[str, Layout]


def costs(source: str | Path | Grid, location: str, workers: int | None = None) -> Costs:
    """What a scan of a grid takes, with so many workers, or with this process' cores.

    Raises
    ------
    FastscanError
        For a wrong grid, or a place that can't be looked at.
    """
    checked = source if isinstance(source, Grid) else grids.load(source)
    names = [each.name for each in checked.experiments] + [each.name for each in checked.combinations]
    groups = {
        f"{name}/{model.name}": layout_of(checked, model.has_beta) for name, model in product(names, checked.models)
    }
    return Costs(
        points=sum(layout.points for layout in groups.values()),
        tasks=sum(layout.tasks for layout in groups.values()),
        size=sum(layout.size + _events_size(layout) for layout in groups.values()),
        memory_per_task=memory_per_task(groups.values(), location),
        tasks_in_flight=threads() if workers is None else workers,
        memory=available_memory(),
        free=free_space(location),
        groups=groups,
    )


def _events_size(layout: Layout) -> int:
    return 8 * math.prod(layout.shape[:2])


def memory_per_task(layouts: Iterable[Layout], location: Location) -> int:
    """Bytes that a task holds: a chunk, the copy that is padded at the edge of the cube, and the one on its way."""
    return (3 if is_url(location) else 2) * max(layout.chunk_size for layout in layouts)


def threads() -> int:
    """As many tasks at a time as dask is configured for: without its `num_workers`, the cores."""
    import dask.config  # here, because it takes as long as all the rest of a dry run
    from dask.system import CPU_COUNT

    configured = dask.config.get("num_workers", None)
    return CPU_COUNT if configured is None else int(arguments.scalar("dask's num_workers", configured, 1, 1e4, True))


def available_memory() -> int:
    """Bytes of memory that this machine can give."""
    available: int = psutil.virtual_memory().available
    return available


def require_memory(per_task: int, tasks: int) -> None:
    """Refuse tasks in flight that this machine's memory can't hold."""
    available = available_memory()
    if per_task * tasks > available:
        raise FastscanError(
            f"{tasks} tasks in flight need {per_task * tasks / 1e6:.1f} MB of memory, but only "
            f"{available / 1e6:.1f} MB are available; a smaller chunk in the grid's [store] needs less"
        )
