"""The shape of a store: the names and dimensions of its arrays, and how a cube is cut into chunks and tasks."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zarr.core.common import JSON

FORMAT = 2
FORMAT_KEY = "fastscan_format"


@dataclass(frozen=True)
class Stored:
    """An array of a group: its dimensions, what a reader is told of it, and its dtype, None for the grid's."""

    dimensions: tuple[str, ...]
    units: str
    long_name: str
    dtype: str | None = "float64"

    @property
    def attributes(self) -> "dict[str, JSON]":
        return {"units": self.units, "long_name": self.long_name}


AXES = {
    "beta": Stored(("beta",), "rad", "E6 mixing angle"),
    "m_zprime": Stored(("m_zprime",), "GeV", "mass of the Z'"),
    "sigma_sys": Stored(("sigma_sys",), "1", "relative systematic error of the signal normalisation"),
    "luminosity": Stored(("luminosity",), "1", "factor on the exposure"),
}
DIMENSIONS = tuple(AXES)
# What a scan computes, over the first so many of the dimensions; a combination has chi2 alone.
COMPUTED = {
    "chi2": Stored(DIMENSIONS, "1", "chi2, minimised over the nuisances", dtype=None),
    "events": Stored(DIMENSIONS[:2], "1", "expected signal events at luminosity 1"),
}
# The likelihood that a group carries, see `fastscan.likelihoods.likelihood.Likelihood`.
CARRIED = {
    "response": Stored(("member", "feature"), "1", "events over all bins, by features of the couplings"),
    "gram": Stored(("member", "sum", "row", "column"), "1", "sums over bins as forms in the features"),
    "g_sm": Stored(("member", "coupling"), "1", "couplings in the Standard Model"),
    "kappa": Stored(("member", "beta", "coupling"), "1", "shift of the couplings per (M_Z / M_Z')^2"),
    "spread": Stored(("member",), "1", "part of the variance that grows with the luminosity squared, relative"),
    "sigma_sys": Stored(("member",), "1", "each experiment's own systematic error"),
}

RECORD = re.compile(r"done\.(\d+)\.json")  # of a task, beside the chunks of chi2
# Every file that fastscan and zarr write below a store, among them what a killed write leaves behind.
_CHUNK = r"(c(/\d+)+|c(\.\d+)+|zarr\.json)"
FILES = re.compile(
    r"zarr\.json|[^/]+/zarr\.json|[^/]+/[^/]+/(zarr\.json"
    rf"|({'|'.join((*AXES, *COMPUTED))})/{_CHUNK}"
    rf"|chi2/{RECORD.pattern}"
    rf"|likelihood/(zarr\.json|({'|'.join(CARRIED)})/{_CHUNK}))"
)
LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.partial")  # zarr's temporary files

Index = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """How a cube is cut: its shape and its chunks' over DIMENSIONS, and how many chunks of chi2 a task writes.

    `dtype` is that of chi2, `arrays` what is computed of `COMPUTED`.
    """

    shape: Index
    chunks: Index
    chunks_per_task: int
    dtype: str
    arrays: tuple[str, ...]

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
        """Bytes of all chunks, with what fills up those at the edge."""
        return sum(math.prod(self._counts()[: rank(array)]) * self._chunk_size(array) for array in self.arrays)

    def dtype_of(self, array: str) -> str:
        return COMPUTED[array].dtype or self.dtype

    @property
    def chunk_size(self) -> int:
        """Bytes of a chunk of chi2."""
        return self._chunk_size("chi2")

    def _chunk_size(self, array: str) -> int:
        return math.prod(self.chunks[: rank(array)]) * np.dtype(self.dtype_of(array)).itemsize

    def points_of(self, tasks: Collection[int]) -> int:
        """Points of the cube that some tasks compute."""
        if len(tasks) == self.tasks:  # of which there may be a million
            return self.points
        chunks = (index for task in tasks for index in self.indices(task))
        return sum(math.prod(part.stop - part.start for part in self.region(index)) for index in chunks)

    def chunks_of(self, task: int) -> list[tuple[str, Index]]:
        """The chunks that a task writes, as array and index over DIMENSIONS.

        One of an array of fewer dimensions belongs to the first chunk of chi2 over the others.
        """
        return [
            (array, index) for index in self.indices(task) for array in self.arrays if not any(index[rank(array) :])
        ]

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


def rank(array: str) -> int:
    """The number of dimensions of a computed array, beta counted."""
    return len(COMPUTED[array].dimensions)


def arrays_of(combined: bool) -> tuple[str, ...]:
    """What is computed for an experiment, or for a combination: its events would be those of several."""
    return ("chi2",) if combined else tuple(COMPUTED)


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
