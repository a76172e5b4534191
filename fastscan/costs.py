"""What a scan takes: tasks, points, bytes, memory and disk, known from the grid alone before anything is computed."""

import math
import os
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from fastscan import grid as grids
from fastscan.grid import Grid
from fastscan.layout import Layout, layout_of
from fastscan.location import free_space


@dataclass(frozen=True)
class Costs:
    """What a scan takes in all, and by group; sizes in bytes, memory for each task that is in flight."""

    points: int
    tasks: int
    size: int
    memory_per_task: int
    tasks_in_flight: int
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
        memory_per_task=max(_memory(layout) for layout in groups.values()),
        tasks_in_flight=len(os.sched_getaffinity(0)) if workers is None else workers,
        free=free_space(location),
        groups=groups,
    )


def _events_size(layout: Layout) -> int:
    return 8 * math.prod(layout.shape[:2])


def _memory(layout: Layout) -> int:
    """A chunk as it is computed, and the copy that is padded at the edge of the cube."""
    return 2 * layout.chunk_size
