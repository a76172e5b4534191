"""The layout of a store: its arrays with their dimensions, and the division of a cube into chunks and tasks.

The dimensions of a cube are its axes in this order: the row parameters of the interaction, the axis of its strength,
and the settings of the experiments, sigma_sys and luminosity.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastscan.axes import SETTINGS, Axis
from fastscan.inputs.bounds import CHUNK, MOST_TASKS
from fastscan.interactions.parameters import AXES

if TYPE_CHECKING:
    from zarr.core.common import JSON

DTYPES = ("float32", "float64")
FORMAT = 6
FORMAT_KEY = "fastscan_format"
PARTS_KEY = "fastscan_parts"  # in the root, after a scan in parts: [n, group, group, ...], in the order of the grid
JSON_TEXTS = ("references", "versions", "identity", "checksums")  # attributes of a group: netCDF can hold texts alone


@dataclass(frozen=True)
class Stored:
    """A small array of a group: its dimensions, and the attributes that describe it to a reader."""

    dimensions: tuple[str, ...]
    units: str
    long_name: str

    @property
    def attributes(self) -> "dict[str, JSON]":
        return {"units": self.units, "long_name": self.long_name}


@dataclass(frozen=True)
class Computed:
    """A large array, which a scan computes: its description for a reader, its dtype and its dimensions.

    `dtype` None stands for the dtype of the grid.  Without `settings`, the array has only the dimensions of the
    interaction.
    """

    long_name: str
    dtype: str | None
    settings: bool

    @property
    def attributes(self) -> "dict[str, JSON]":
        return {"units": "1", "long_name": self.long_name}


COMPUTED = {  # a combination has no events: they would be events of several experiments
    "chi2": Computed("chi2, minimised over the nuisances", dtype=None, settings=True),
    "events": Computed("expected signal events at luminosity 1", dtype="float64", settings=False),
    "toys": Computed("t of each toy, ascending", dtype=None, settings=True),  # only where a grid asks for toys
}
TOY = "toy"  # the last dimension of toys
# The likelihood that a group carries, see `fastscan.likelihoods.likelihood.Likelihood`.
CARRIED = {
    "rates": Stored(("member", "shape", "term"), "1", "events: the Standard Model's, then those of each feature"),
    "roots": Stored(("member", "shape", "sum", "left", "right"), "1", "square roots of sums over bins, by features"),
    "change": Stored(("member", "row", "feature", "power"), "1", "changes of the features as polynomials in x"),
    "spread": Stored(("member",), "1", "part of the variance that grows with the luminosity squared, relative"),
    "norm": Stored(("member",), "1", "sum of the squared data over their variance"),
    "sigma_sys": Stored(("member",), "1", "each experiment's own systematic error, or the one at which it is fixed"),
    "follows": Stored(("member",), "1", "1 where the axis sigma_sys replaces it, else 0"),
    "momentum_transfer": Stored(("member",), "MeV", "largest momentum transfer"),
}
# A group for the arrays that differ with the Standard Model's prediction in place of measured data, if there are any.
EXPECTED = {name: CARRIED[name] for name in ("roots", "spread", "norm")}
# A group for rows with integrals of their own, from which any row can be made, see
# `fastscan.likelihoods.exchanges.packed`; and a group for the arrays that differ with the prediction in place of data.
EXCHANGES = {
    "sizes": Stored(("member", "size"), "1", "numbers of terms, nodes and bins"),
    "transfer2": Stored(("node",), "MeV2", "squared momentum transfer"),
    "events": Stored(("number",), "1", "events per unit of each term at each node in each bin"),
    "observed": Stored(("quantity", "bin"), "1", "events: the Standard Model's, data, background, and their variance"),
}
EXPECTED_EXCHANGES = {"observed": EXCHANGES["observed"]}
# A group for members with counted events, see `fastscan.likelihoods.poisson.packed`.
COUNTED = {
    "sizes": Stored(("member", "size"), "1", "sizes of what each member counts, 0 for one without counted events"),
    "rates": Stored(("number",), "1", "signal events by shape, feature, neutrino and bin of energy"),
    "arriving": Stored(("share",), "1", "shares of them and their changes, by bins of an energy"),
    "effects": Stored(("change",), "1", "changes of the background at one standard deviation of each nuisance"),
    "observed": Stored(("quantity", "bin"), "1", "events: the background and the data, then which bins are merged"),
}

# A group for members with models of fitted parameters, see `fastscan.likelihoods.modelled.packed`.
MODELLED = {
    "shapes": Stored(("array", "dimension"), "1", "shapes of the arrays of each member's model, 0 without one"),
    "numbers": Stored(("number",), "1", "the arrays of all models"),
}


# All groups of arrays of a likelihood, by name.
GROUPS = {
    "likelihood": CARRIED,
    "expected": EXPECTED,
    "exchanges": EXCHANGES,
    "expected_exchanges": EXPECTED_EXCHANGES,
    "counted": COUNTED,
    "modelled": MODELLED,
}


def stored_axis(axis: Axis) -> Stored:
    """The array of an axis in a store, whose only dimension has the same name."""
    return Stored((axis.name,), axis.unit, axis.long_name)


RECORD = re.compile(r"done\.(\d+)\.json")  # the record of a task, in the directory of chi2
_CHUNK = r"(c(/\d+)+|c(\.\d+)+|zarr\.json)"


def files_with(axes: Iterable[Axis]) -> re.Pattern[str]:
    """The pattern of all files that fastscan and zarr write below a store whose groups have some of these axes."""
    carried = "".join(rf"|{name}/(zarr\.json|({'|'.join(arrays)})/{_CHUNK})" for name, arrays in GROUPS.items())
    return re.compile(
        r"zarr\.json|[^/]+/zarr\.json|[^/]+/[^/]+/(zarr\.json"
        rf"|({'|'.join((*(axis.name for axis in axes), *COMPUTED))})/{_CHUNK}"
        rf"|chi2/{RECORD.pattern}"
        rf"{carried})"
    )


FILES = files_with(AXES)
LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.partial")  # zarr's temporary files

Index = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The shape of a cube, the shape of its chunks, and the number of chunks of chi2 that a task writes.

    `dtype` is the type of chi2.  `arrays` names the arrays of `COMPUTED` that are computed, and `toys` is the number of
    toys at each point.
    """

    shape: Index
    chunks: Index
    chunks_per_task: int
    dtype: str
    arrays: tuple[str, ...]
    toys: int = 0

    @classmethod
    def read(cls, shape: Index, identity: Mapping[str, Any]) -> Self:
        """The layout in a group's identity; a ValueError where no scan would cut a cube in this way."""
        chunks, per_task, dtype = tuple(identity["chunks"]), identity["chunks_per_task"], identity["dtype"]
        toys = identity["toys"]["number"] if "toys" in identity else 0
        layout = cls(shape, chunks, per_task, dtype, arrays_of(identity["combined"], toys), toys)
        sizes = (*zip(chunks, shape, strict=True), (per_task, 2**63), *[(toys, CHUNK[1])] * ("toys" in identity))
        whole = all(type(size) is int and 1 <= size <= most for size, most in sizes)
        if not (whole and dtype in DTYPES and layout.chunk_size <= CHUNK[1] and layout.tasks <= MOST_TASKS):
            raise ValueError("its chunks are not those of a scan")
        return layout

    def rank(self, array: str) -> int:
        """The number of dimensions that a computed array has in common with the cube, which are its first ones."""
        return len(self.shape) if COMPUTED[array].settings else len(self.shape) - len(SETTINGS)

    def _toys_of(self, array: str) -> Index:
        """The length of the dimension of toys, which only the array of toys has."""
        return (self.toys,) if array == "toys" else ()

    def shape_of(self, array: str) -> Index:
        """The shape of a computed array."""
        return self.shape[: self.rank(array)] + self._toys_of(array)

    def chunk_of(self, array: str) -> Index:
        """The shape of an array's chunks; all toys of a point are in one chunk."""
        return self.chunks[: self.rank(array)] + self._toys_of(array)

    def part_of(self, array: str, index: Index) -> Index:
        """The shape of the part of a computed array that a chunk covers."""
        return tuple(part.stop - part.start for part in self.region(index)[: self.rank(array)]) + self._toys_of(array)

    def key_of(self, array: str, index: Index) -> str:
        """The key of a chunk below the group."""
        places = index[: self.rank(array)] + (0,) * len(self._toys_of(array))
        return f"{array}/c." + ".".join(map(str, places))

    def _counts(self) -> list[int]:
        return [math.ceil(size / chunk) for size, chunk in zip(self.shape, self.chunks, strict=True)]

    @property
    def tasks(self) -> int:
        return -(-math.prod(self._counts()) // self.chunks_per_task)

    @property
    def points(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of all chunks, including the padding of chunks at the edge."""
        return sum(math.prod(self._counts()[: self.rank(array)]) * self._chunk_size(array) for array in self.arrays)

    def dtype_of(self, array: str) -> str:
        return COMPUTED[array].dtype or self.dtype

    @property
    def chunk_size(self) -> int:
        """Bytes of a chunk of chi2, or of the toys at its points."""
        return self._chunk_size("toys" if self.toys else "chi2")

    def _chunk_size(self, array: str) -> int:
        return math.prod(self.chunk_of(array)) * np.dtype(self.dtype_of(array)).itemsize

    def points_of(self, tasks: Collection[int]) -> int:
        """Points of the cube that some tasks compute."""
        if len(tasks) == self.tasks:  # a scan can have a million tasks, so they are not counted one by one
            return self.points
        chunks = (index for task in tasks for index in self.indices(task))
        return sum(math.prod(part.stop - part.start for part in self.region(index)) for index in chunks)

    def chunks_of(self, task: int) -> list[tuple[str, Index]]:
        """The chunks that a task writes, as array and index over the cube's dimensions.

        A chunk of an array that lacks the dimensions of the settings belongs to the first chunk of chi2 along them.
        """
        return [
            (array, index)
            for index in self.indices(task)
            for array in self.arrays
            if not any(index[self.rank(array) :])
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


def arrays_of(combined: bool, toys: int = 0) -> tuple[str, ...]:
    """Names of the arrays that are computed; a combination has no events, and toys only exist where asked for."""
    left_out = {"events": combined, "toys": not toys}
    return tuple(name for name in COMPUTED if not left_out.get(name))


PLAIN = [{"name": "bytes", "configuration": {"endian": "little"}}]


def require_plain(
    array: str, described: Mapping[str, Any], shape: Sequence[int], chunks: Sequence[int], dtype: str, separator: str
) -> None:
    """Refuse an array that isn't stored in fastscan's way, before zarr reads it: some codecs execute their input.

    Raises
    ------
    ValueError
        Where the array's zarr.json describes another shape, type or chunks, or any codec but plain bytes.
    """
    ours = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": separator}},
        "fill_value": "NaN",
        "codecs": PLAIN,
    }
    words = [*described["dimension_names"], *described["attributes"].values()]
    wrong = [key for key, value in ours.items() if described[key] != value]
    wrong += ["storage_transformers"] if described.get("storage_transformers") else []
    wrong += ["dimension_names"] if len(described["dimension_names"]) != len(shape) else []
    wrong += ["attributes"] if not all(isinstance(word, str) for word in words) else []
    if wrong:
        raise ValueError(f"{array}/zarr.json has {', '.join(wrong)} that fastscan doesn't write")


def chunk_shape(shape: Sequence[int], points: int) -> Index:
    """Chunks of at most so many points, as equal as can be.

    The axis of the strength, which comes before the settings, is cut last, so that a limit is read from whole columns.

    Examples
    --------
    >>> chunk_shape((361, 400, 31, 4), 4_000_000)
    (73, 400, 31, 4)
    """
    strength = len(shape) - len(SETTINGS) - 1
    chunks = list(shape)
    for axis in (*(axis for axis in range(len(shape)) if axis != strength), strength):
        others = math.prod(chunks) // chunks[axis]
        most = max(1, min(chunks[axis], points // others))
        chunks[axis] = math.ceil(shape[axis] / math.ceil(shape[axis] / most))
    return tuple(chunks)
