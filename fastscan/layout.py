"""The shape of a store: the names and dimensions of its arrays, and how a cube is cut into chunks and tasks."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zarr.core.common import JSON

    from fastscan.grid import Grid

FORMAT = 1
FORMAT_KEY = "fastscan_format"
DIMENSIONS = ("beta", "m_zprime", "sigma_sys", "luminosity")
ATTRIBUTES: "dict[str, dict[str, JSON]]" = {
    "beta": {"units": "rad", "long_name": "E6 mixing angle"},
    "m_zprime": {"units": "GeV", "long_name": "mass of the Z'"},
    "sigma_sys": {"units": "1", "long_name": "relative systematic error of the signal normalisation"},
    "luminosity": {"units": "1", "long_name": "factor on the exposure"},
    "chi2": {"units": "1", "long_name": "chi2, minimised over the nuisances"},
    "events": {"units": "1", "long_name": "expected signal events at luminosity 1"},
}
LIKELIHOOD_DIMENSIONS = {
    "response": ("member", "feature"),
    "gram": ("member", "sum", "row", "column"),
    "g_sm": ("member", "coupling"),
    "kappa": ("member", "beta", "coupling"),
    "spread": ("member",),
    "sigma_sys": ("member",),
}

# Every file that fastscan and zarr write below a store, among them what a killed write leaves behind.
_CHUNK = r"(c(/\d+)+|c(\.\d+)+|zarr\.json)"
FILES = re.compile(
    r"zarr\.json|[^/]+/zarr\.json|[^/]+/[^/]+/(zarr\.json"
    rf"|({'|'.join((*DIMENSIONS, 'events'))})/{_CHUNK}"
    rf"|chi2/({_CHUNK}|done\.\d+\.json)"
    rf"|likelihood/(zarr\.json|({'|'.join(LIKELIHOOD_DIMENSIONS)})/{_CHUNK}))"
)
RECORD = re.compile(r"done\.(\d+)\.json")
LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.partial")  # zarr's temporary files

Index = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """How a cube is cut: its shape and its chunks' over DIMENSIONS, and how many chunks a task writes."""

    shape: Index
    chunks: Index
    chunks_per_task: int
    dtype: str

    def _counts(self) -> list[int]:
        return [math.ceil(size / chunk) for size, chunk in zip(self.shape, self.chunks, strict=True)]

    @property
    def tasks(self) -> int:
        return math.ceil(math.prod(self._counts()) / self.chunks_per_task)

    @property
    def points(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the stored cube."""
        return self.points * np.dtype(self.dtype).itemsize

    @property
    def chunk_size(self) -> int:
        """Bytes of a chunk."""
        return math.prod(self.chunks) * np.dtype(self.dtype).itemsize

    def points_of(self, tasks: Iterable[int]) -> int:
        """Points of the cube that some tasks compute."""
        chunks = (index for task in tasks for index in self.indices(task))
        return sum(math.prod(part.stop - part.start for part in self.region(index)) for index in chunks)

    def size_of(self, tasks: Iterable[int]) -> int:
        """Bytes of the cube that some tasks write."""
        return self.points_of(tasks) * np.dtype(self.dtype).itemsize

    def indices(self, task: int) -> list[Index]:
        """Indices of the chunks of a task."""
        counts = self._counts()
        first, last = task * self.chunks_per_task, (task + 1) * self.chunks_per_task
        numbers = np.arange(first, min(last, math.prod(counts)))
        return list(zip(*(axis.tolist() for axis in np.unravel_index(numbers, counts)), strict=True))

    def region(self, index: Index) -> tuple[slice, ...]:
        """The part of the cube that a chunk covers; a chunk at the edge covers less than it holds."""
        return tuple(
            slice(i * chunk, min((i + 1) * chunk, size))
            for i, chunk, size in zip(index, self.chunks, self.shape, strict=True)
        )


def layout_of(grid: "Grid", has_beta: bool) -> Layout:
    """How the cubes of a grid's models, with beta or without, are cut."""
    sizes = {name: axis.size for name, axis in grid.axes.items() if name != "beta" or has_beta}
    shape = tuple(sizes.get(name, 1) for name in DIMENSIONS)
    itemsize = np.dtype(grid.dtype).itemsize
    chunks = chunk_shape(shape, grid.chunk_size // itemsize)
    return Layout(shape, chunks, max(1, grid.task_size // (math.prod(chunks) * itemsize)), grid.dtype)


def chunk_shape(shape: Sequence[int], points: int) -> Index:
    """Chunks of at most so many points, as equal as can be.

    The M_Z' axis is cut last, so that a limit is read from whole columns.

    Examples
    --------
    >>> chunk_shape((361, 400, 31, 4), 4_000_000)
    (73, 400, 31, 4)
    """
    chunks = list(shape)
    for axis in (0, 2, 3, 1):
        others = math.prod(chunks) // chunks[axis]
        most = max(1, min(chunks[axis], points // others))
        chunks[axis] = math.ceil(shape[axis] / math.ceil(shape[axis] / most))
    return tuple(chunks)
