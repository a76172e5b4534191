"""The life of a store: create its groups, write chunks, record what is done, finish; and read it back.

A store is ordinary zarr v3 that xarray opens.  A group ``<experiment>/<model>``, or ``<combination>/<model>``, which
has no events, holds

    chi2(beta, m_zprime, sigma_sys, luminosity)   events(beta, m_zprime)   and one 1-D array an axis
    likelihood/                                   the arrays of `fastscan.likelihood.Likelihood`
    chi2/done.<task>.json                         one record a task, written after its chunks

An uncompressed chunk is its bytes: they go to zarr's own `Store`, which writes them atomically.  What is done is
recorded, never inferred from the files that are there.
"""

import asyncio
import functools
import hashlib
import json
import math
import platform
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xxhash
import zarr
from numpy.typing import NDArray
from zarr import AsyncArray, AsyncGroup
from zarr.abc.buffer import Buffer as AnyBuffer
from zarr.buffer import default_buffer_prototype
from zarr.buffer.cpu import Buffer
from zarr.core.sync import sync  # zarr's own way from its async stores to threads
from zarr.errors import ZarrUserWarning
from zarr.storage import LocalStore, MemoryStore, StorePath

from fastscan import models
from fastscan.errors import FastscanError, unknown
from fastscan.layout import (
    ATTRIBUTES,
    DIMENSIONS,
    LEFTOVER,
    LIKELIHOOD_DIMENSIONS,
    RECORD,
    Index,
    Layout,
)
from fastscan.likelihood import Likelihood
from fastscan.location import Location, names, read_root, readable
from fastscan.typing import Array, IntArray

if TYPE_CHECKING:
    import dask.array
    import xarray

T = TypeVar("T")
SETTLE = 5  # seconds that another process gets to write a group that it has begun
RANKS = {"chi2": 4, "events": 2}  # dimensions of an array, beta counted


@dataclass(frozen=True, eq=False)
class Cube:
    """A group of a store: what is in it, and how it is cut.

    `identity` says what the numbers follow from, as the user gave it; its hash decides whether two runs are the
    same.  Models other than e6 have no beta: their arrays lack that
    dimension, while `axes` and `layout` keep it with length 1.
    """

    name: str
    title: str
    references: tuple[str, ...]
    identity: dict[str, Any]
    axes: dict[str, Array]
    has_beta: bool
    layout: Layout
    likelihood: Likelihood

    @functools.cached_property
    def hash(self) -> str:
        return hash_of(self.identity)

    @property
    def has_events(self) -> bool:
        """Whether events are stored: those of one experiment; a combination has none."""
        return not self.identity["combined"]

    @property
    def arrays(self) -> dict[str, str]:
        """The arrays that are computed, and their dtypes."""
        return {"chi2": self.layout.dtype} | ({"events": "float64"} if self.has_events else {})

    @property
    def g_prime(self) -> float | None:
        """The strength of a user's own U(1)', where the limit is one on M_Z' / g'; None for other models."""
        strength: float | None = self.identity["model"]["g_prime"]
        return strength

    @property
    def own_sigma_sys(self) -> bool:
        """Whether the grid leaves the axis out, so that each experiment keeps its own."""
        return "sigma_sys" not in self.identity["axes"]

    def sigma_sys(self, value: T | None) -> dict[str, T | None]:
        """Each member's systematic error where the others' is a value, or (None) their own."""
        fixed = self.identity["fixed_sigma_sys"]
        return {name: fixed.get(name, value) for name in self.likelihood.members}

    def axis(self, name: str) -> Array:
        """The points of an axis; one that the group doesn't have is a `FastscanError`."""
        if (name == "beta" and not self.has_beta) or (name == "sigma_sys" and self.own_sigma_sys):
            raise FastscanError(f"{self.name} has no axis {name}")
        return self.axes[name]

    def on_axis(self, name: str, values: Array) -> IntArray:
        """Indices of values on an axis."""
        points = self.axis(name)
        nearest: IntArray = np.abs(points - values[:, None]).argmin(axis=1)
        missed = np.flatnonzero(~(np.abs(points[nearest] - values) <= 1e-9 * np.maximum(1, np.abs(values))))
        if missed.size:
            wanted, there = values[missed[0]], points[nearest[missed[0]]]
            told = [f"{np.degrees(x):g} deg" if name == "beta" else f"{x:g}" for x in (wanted, there)]
            raise FastscanError(f"{name} = {told[0]} is not on the axis of {self.name}; the nearest is {told[1]}")
        return nearest

    def stored_sigma_sys(self, values: Array | None) -> IntArray:
        """Indices on the axis sigma_sys of values, or (None) of what the experiments have of their own."""
        if self.own_sigma_sys and values is None:
            return np.zeros(1, np.intp)
        own = {
            sigma
            for member, sigma in zip(self.likelihood.members, self.likelihood.sigma_sys.tolist(), strict=True)
            if member not in self.identity["fixed_sigma_sys"]
        }
        if values is None and len(own) != 1:
            raise FastscanError(f"{self.name}: no stored chi2 has each experiment's own sigma_sys; say which")
        return self.on_axis("sigma_sys", np.array(list(own)) if values is None else values)

    def at_beta(self, beta: Array) -> tuple[Likelihood, IntArray]:
        """The likelihood at any betas, and the index of each in it; only models with beta have more than one."""
        if not self.has_beta:
            return self.likelihood, np.zeros(beta.shape, np.intp)
        each, number = np.unique(beta, return_inverse=True)
        return replace(self.likelihood, kappa=self._couplings(each)), number.reshape(beta.shape)

    @functools.cached_property
    def _couplings(self) -> Callable[[Array], Array]:
        """The members' kappa at betas, from the model's formula, which must give what is stored on the axis."""
        channels = [self.identity["experiments"][member]["channel"] for member in self.likelihood.members]
        model = self.identity["model"]["name"]

        def kappa(beta: Array) -> Array:
            return np.stack([models.kappa(model, channel, beta) for channel in channels])

        if not np.allclose(kappa(self.axes["beta"]), self.likelihood.kappa, rtol=1e-12, atol=1e-15):
            raise FastscanError(f"{self.name} was made with other couplings than this fastscan's between its betas")
        return kappa

    @property
    def dimensions(self) -> tuple[str, ...]:
        return self.stored(DIMENSIONS)

    def stored(self, over_dimensions: tuple[T, ...]) -> tuple[T, ...]:
        """Names, shape or index without the beta that isn't stored."""
        return over_dimensions if self.has_beta else over_dimensions[1:]


def hash_of(identity: Any) -> str:
    """The hash of an identity, whatever the order of its entries."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def is_there(root: zarr.Group, cube: Cube) -> bool:
    """Whether a store has the group of a cube; one of the same name from another run is a `FastscanError`."""
    with readable(f"group {cube.name}"):
        attributes = _attributes(root, cube.name)
    if not attributes:
        return False
    if cube.hash not in (attributes["hash"], hash_of(attributes.get("identity"))):  # one of them may be damaged
        changed = ", ".join(_differences(attributes.get("identity"), cube.identity))
        raise FastscanError(f"{cube.name} is there from another run: {changed} differ; nothing was changed")
    return True


def _attributes(root: zarr.Group, name: str) -> dict[str, Any]:
    """What a group of fastscan's says of itself; nothing where its zarr.json is lost, damaged or another's."""
    try:
        attributes: dict[str, Any] = json.loads(read_bytes(root, f"{name}/zarr.json") or b"{}")["attributes"]
        return attributes if isinstance(attributes["hash"], str) else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


def ensure(root: zarr.Group, cube: Cube) -> None:
    """Create the group of a cube, or what is missing or damaged of it.

    Several processes can do so at the same time: the first to write the group's own metadata owns the name, and its
    files are those that count.

    Raises
    ------
    FastscanError
        Where another run has a group of this name, or had one whose metadata are lost.
    """
    if is_there(root, cube):
        if _is_whole(root, cube):
            return
    else:
        _require_own_records(root, cube)
    aside = zarr.open_group(MemoryStore(), mode="w-", zarr_format=3)
    _make(aside, cube)
    files = sync(_read_files(aside, _small_files(aside)))
    own = f"{cube.name}/zarr.json"
    sync(root.store.set_if_not_exists(own, files[own]))
    if is_there(root, cube) and read_bytes(root, own) != files[own].to_bytes():
        # the same run on another machine or by another version, where last digits may differ
        for _ in range(10):
            if _is_whole(root, cube):
                return
            time.sleep(SETTLE / 10)
    sync(_write_files(root, files))


def _is_whole(root: zarr.Group, cube: Cube) -> bool:
    try:
        read(root, cube.name)
    except FastscanError:
        return False
    return True


def _require_own_records(root: zarr.Group, cube: Cube) -> None:
    """Refuse a name that holds anything but this run's: what another run computed, or what fastscan didn't make."""
    records = sorted(recorded_tasks(root, cube))
    if any(checksums_of(root, cube, task) is None for task in records):
        raise FastscanError(f"{cube.name} lost its zarr.json, and holds what another run computed")
    if not records and read_bytes(root, f"{cube.name}/zarr.json") is not None:
        raise FastscanError(f"{cube.name}/zarr.json is damaged, or nothing that fastscan made; it is left as it is")


def _small_files(root: zarr.Group) -> list[str]:
    """All files of a group in memory."""

    async def listed() -> list[str]:
        return [key async for key in root.store.list() if key != "zarr.json"]

    return sync(listed())


async def _read_files(root: zarr.Group, keys: Iterable[str]) -> dict[str, AnyBuffer]:
    """Those of the files that are there; all at once, as each may wait for the network."""
    keys = list(keys)
    values = await asyncio.gather(*(root.store.get(key, default_buffer_prototype()) for key in keys))
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None}


async def _write_files(root: zarr.Group, files: dict[str, AnyBuffer]) -> None:
    await asyncio.gather(*(root.store.set(key, value) for key, value in files.items()))


def _make(root: zarr.Group, cube: Cube) -> None:
    group = root.create_group(cube.name)
    for name in cube.dimensions:
        _put_array(group, name, cube.axes[name], (name,))
    for name, dtype in cube.arrays.items():
        rank = RANKS[name]
        group.create_array(
            name,
            shape=cube.stored(cube.layout.shape[:rank]),
            chunks=cube.stored(cube.layout.chunks[:rank]),
            dtype=dtype,
            fill_value=math.nan,
            compressors=None,
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=cube.stored(DIMENSIONS[:rank]),
            attributes=ATTRIBUTES[name],
        )
    carried = group.create_group("likelihood")
    for field in fields(Likelihood):
        if field.name in LIKELIHOOD_DIMENSIONS:
            values = getattr(cube.likelihood, field.name)
            _put_array(carried, field.name, values, LIKELIHOOD_DIMENSIONS[field.name])
    group.update_attributes(
        {
            "Conventions": "CF-1.11",
            "title": cube.title,
            "source": f"fastscan {version('fastscan')}",
            "references": list(cube.references),
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("numpy", "numba", "scipy", "zarr")},
            },
            "members": list(cube.likelihood.members),
            "identity": cube.identity,
            "hash": cube.hash,
            "checksums": _checksums(root, cube.name),
        }
    )


def _checksums(root: zarr.Group, name: str) -> dict[str, str]:
    """Checksums of what a group consists of but for its own zarr.json: all that its limits follow from."""
    prefix = f"{name}/"
    files = sync(_read_files(root, [key for key in _small_files(root) if key.startswith(prefix)]))
    checksums = {key.removeprefix(prefix): xxhash.xxh3_64_hexdigest(files[key].to_bytes()) for key in sorted(files)}
    return {key: checksum for key, checksum in checksums.items() if key != "zarr.json"}


def _put_array(group: zarr.Group, name: str, values: Array, dimensions: tuple[str, ...]) -> None:
    group.create_array(
        name,
        data=values,
        chunks=tuple(max(1, size) for size in values.shape),
        fill_value=math.nan,
        compressors=None,
        dimension_names=dimensions,
        attributes=ATTRIBUTES.get(name, {}),
    )


def _differences(one: Any, other: Any, name: str = "") -> list[str]:
    """Names of the entries in which two identities differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [name]
    return [
        different
        for key in sorted({*one, *other})
        for different in _differences(one.get(key), other.get(key), f"{name}.{key}".strip("."))
    ]


def group_names(root: zarr.Group) -> list[str]:
    """Names of the groups ``<experiment>/<model>``, be they damaged: what holds a chi2."""

    async def inside(directory: str) -> list[str]:
        return [name async for name in root.store.list_dir(directory)]

    async def listed() -> list[str]:
        outer = await inside("")
        inner = await asyncio.gather(*map(inside, outer))
        groups = [f"{one}/{other}" for one, others in zip(outer, inner, strict=True) for other in others]
        contents = await asyncio.gather(*map(inside, groups))
        return sorted(group for group, content in zip(groups, contents, strict=True) if "chi2" in content)

    with readable("the store"):
        return sync(listed())


def read(root: zarr.Group, name: str) -> Cube:
    """A group of a store, with the likelihood that it carries."""
    with readable(f"group {name}"):
        attributes = _attributes(root, name)
        if not attributes:
            known = group_names(root)
            raise ValueError("its zarr.json is lost") if name in known else unknown("group", name, known)
        identity = attributes["identity"]
        if hash_of(identity) != attributes["hash"]:
            raise ValueError("what it was made from doesn't fit its hash")
        aside = MemoryStore(sync(_checked_files(root, name, attributes["checksums"])))
        has_beta = "beta" in identity["axes"]
        axes = sync(_read_arrays(aside, [axis for axis in DIMENSIONS if has_beta or axis != "beta"]))
        carried = sync(_read_arrays(aside, [f"likelihood/{array}" for array in LIKELIHOOD_DIMENSIONS]))
        return Cube(
            name=name,
            title=attributes["title"],
            references=tuple(attributes["references"]),
            identity=identity,
            axes=axes,
            has_beta=has_beta,
            layout=Layout(
                shape=tuple(axes[axis].size if axis in axes else 1 for axis in DIMENSIONS),
                chunks=tuple(identity["chunks"]),
                chunks_per_task=identity["chunks_per_task"],
                dtype=identity["dtype"],
            ),
            likelihood=Likelihood(
                tuple(identity["experiments"]), **{name.rpartition("/")[2]: values for name, values in carried.items()}
            ),
        )


async def _checked_files(root: zarr.Group, name: str, checksums: dict[str, str]) -> dict[str, AnyBuffer]:
    """What a group consists of beside its large chunks; what is lost or damaged of it is a ValueError."""
    outer = name.partition("/")[0]
    found = await _read_files(root, [f"{name}/{key}" for key in checksums])
    for key, checksum in checksums.items():
        value = found.get(f"{name}/{key}")
        if value is None or xxhash.xxh3_64_hexdigest(value.to_bytes()) != checksum:
            raise ValueError(f"{key} is {'lost' if value is None else 'damaged'}")
    try:
        await AsyncGroup.open(root.store_path / outer, zarr_format=3, use_consolidated=False)
    except (ValueError, KeyError, TypeError, FileNotFoundError, RecursionError):
        raise ValueError(f"{outer}/zarr.json is lost or damaged") from None
    return {key.removeprefix(f"{name}/"): value for key, value in found.items()}


async def _read_arrays(storage: MemoryStore, arrays: Iterable[str]) -> dict[str, Array]:
    """Small arrays, whole."""

    async def values(array: str) -> Array:
        opened = await AsyncArray.open(StorePath(storage, array), zarr_format=3)
        return np.asarray(await opened.getitem(...), float)

    arrays = list(arrays)
    return dict(zip(arrays, await asyncio.gather(*map(values, arrays)), strict=True))


def chi2_array(root: zarr.Group, cube: Cube) -> "dask.array.Array":
    """The stored chi2 over all four dimensions, read by dask where it is needed.

    Raises
    ------
    FastscanError
        Where the scan isn't complete: what is missing would read as NaN.
    """
    import dask.array

    _require_complete(root, cube)
    stored: dask.array.Array = dask.array.from_zarr(root[f"{cube.name}/chi2"])  # type: ignore[no-untyped-call]
    return stored if cube.has_beta else stored[None]


def computed(cube: Cube, chi2: "dask.array.Array") -> Array:
    """What dask reads of a cube's chi2, as float64; values that are missing are damage."""
    with readable(f"group {cube.name}"):
        values: Array = np.asarray(chi2, float)
    require_values(cube, values)
    return values


def require_values(cube: Cube, values: NDArray[np.floating]) -> None:
    """Refuse chi2 with values missing: a chunk that is lost reads as NaN."""
    if np.isnan(values).any():
        raise FastscanError(f"{cube.name}: chi2 lacks values; the store is damaged, see `fastscan verify`")


def _require_complete(root: zarr.Group, cube: Cube) -> None:
    missing = cube.layout.tasks - len(done_tasks(root, cube))
    if missing:
        raise FastscanError(
            f"{cube.name} lacks {missing} of {cube.layout.tasks} tasks; continue the scan with --resume"
        )


def plain(value: Any) -> Any:
    """A value as JSON gives it back: lists for tuples, and a word for infinity."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return "infinity" if value == math.inf else value


def chunk_bytes(cube: Cube, array: str, index: Index, block: NDArray[Any]) -> NDArray[np.uint8]:
    """A chunk as it is stored: little-endian, and at the edge of the cube filled up with NaN.

    The block must be what the chunk covers.
    """
    rank = RANKS[array]
    covered = tuple(part.stop - part.start for part in cube.layout.region(index)[:rank])
    chunk = cube.layout.chunks[:rank]
    assert block.shape == covered, f"block {block.shape} is not aligned with chunk {index} of {array}"
    if covered != chunk:
        padded = np.full(chunk, np.nan, block.dtype)
        padded[tuple(map(slice, covered))] = block
        block = padded
    return np.ascontiguousarray(block, block.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)


def _chunk_key(cube: Cube, array: str, index: Index) -> str:
    return f"{array}/c." + ".".join(map(str, cube.stored(index[: RANKS[array]])))


def chunk_keys(cube: Cube, task: int) -> dict[str, tuple[str, Index]]:
    """The keys of a task's chunks, and the array and index of each."""
    arrays = {
        index: ("chi2", "events") if cube.has_events and index[2:] == (0, 0) else ("chi2",)
        for index in cube.layout.indices(task)
    }
    return {_chunk_key(cube, array, index): (array, index) for index, names in arrays.items() for array in names}


def write_chunk(root: zarr.Group, cube: Cube, array: str, index: Index, block: NDArray[Any]) -> dict[str, str]:
    """Write one chunk and return its key and checksum."""
    data = chunk_bytes(cube, array, index, block)
    key = _chunk_key(cube, array, index)
    _put(root, f"{cube.name}/{key}", Buffer.from_array_like(data))
    return {key: xxhash.xxh3_64_hexdigest(data.data)}


def write_record(root: zarr.Group, cube: Cube, task: int, checksums: dict[str, str]) -> None:
    """Record a task as done, with the checksums of its chunks; called after they are written."""
    record = json.dumps({"hash": cube.hash, "chunks": checksums}, indent=0).encode()
    _put(root, f"{cube.name}/chi2/done.{task}.json", Buffer.from_bytes(record))


def _put(root: zarr.Group, key: str, value: AnyBuffer) -> None:
    """Write a file atomically: in this thread where the store can, as local ones do from zarr 3.1.6 on.

    The way over zarr's event loop costs as much as writing some MiB does.
    """
    if isinstance(root.store, LocalStore) and hasattr(root.store, "set_sync"):
        root.store.set_sync(key, value)
    else:
        sync(root.store.set(key, value))


def checksums_of(root: zarr.Group, cube: Cube, task: int) -> dict[str, str] | None:
    """The checksums in a task's record; None where it is another run's, or can't be read."""
    data = read_bytes(root, f"{cube.name}/chi2/done.{task}.json")
    try:
        record = json.loads(data or b"")
        checksums: dict[str, str] = dict(record["chunks"])
        return checksums if record["hash"] == cube.hash else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def read_bytes(root: zarr.Group, key: str) -> bytes | None:
    """A file of a store; None where there is none.  What can't be read is an OSError: it may be there all the same."""
    value = sync(root.store.get(key, default_buffer_prototype()))
    return None if value is None else value.to_bytes()


def done_tasks(root: zarr.Group, cube: Cube) -> set[int]:
    """Numbers of the tasks that are recorded as done, and whose chunks of chi2 are there."""
    keys = _keys(root, cube)
    return {
        task
        for task in _recorded(keys, cube)
        if all(_chunk_key(cube, "chi2", index).removeprefix("chi2/") in keys for index in cube.layout.indices(task))
    }


def recorded_tasks(root: zarr.Group, cube: Cube) -> set[int]:
    """Numbers of the tasks that are recorded as done, whatever has become of their chunks."""
    return _recorded(_keys(root, cube), cube)


def _keys(root: zarr.Group, cube: Cube) -> set[str]:
    return names(root.store, f"{cube.name}/chi2")


def _recorded(keys: Iterable[str], cube: Cube) -> set[int]:
    recorded = {int(match[1]) for key in keys if (match := RECORD.fullmatch(key))}
    return {task for task in recorded if task < cube.layout.tasks}


def finish(root: zarr.Group, cubes: Iterable[Cube]) -> None:
    """Remove what killed writes left in finished groups, and consolidate, so that a plain xarray opens it."""

    async def remove_leftovers() -> None:
        for cube in cubes:
            keys = [key async for key in root.store.list_prefix(f"{cube.name}/")]
            for key in keys:
                if LEFTOVER.search(key):
                    await root.store.delete(key)

    sync(remove_leftovers())
    with warnings.catch_warnings():
        # consolidated metadata is zarr-python's convention, not yet in the v3 specification
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        zarr.consolidate_metadata(root.store)


def describe(location: Location) -> list[dict[str, Any]]:
    """What each group of a store holds: axes, points, bytes, tasks in all and done, and what made it."""
    root = read_root(location)
    described = []
    for name in group_names(root):
        cube = read(root, name)
        attributes = root[name].attrs
        described.append(
            {
                "group": name,
                "title": cube.title,
                "axes": {
                    axis: {
                        "size": points.size,
                        "first": float(points[0]),
                        "last": float(points[-1]),
                        "units": ATTRIBUTES[axis]["units"],
                    }
                    for axis, points in cube.axes.items()
                },
                "points": cube.layout.points,
                "dtype": cube.layout.dtype,
                "bytes": cube.layout.size,
                "chunks": list(cube.stored(cube.layout.chunks)),
                "tasks": cube.layout.tasks,
                "tasks_done": len(done_tasks(root, cube)),
                "source": attributes["source"],
                "hash": cube.hash,
                "references": cube.references,
            }
        )
    return described


def open(store: Location | zarr.Group, group: str) -> "xarray.Dataset":
    """A group of a store as an xarray Dataset, read lazily.

    Parameters
    ----------
    store : str, path or zarr.Group
        Path of a store, or what `scan` returned.
    group : str
        ``<experiment>/<model>`` or ``<combination>/<model>``.

    Returns
    -------
    xarray.Dataset
        ``chi2(beta, m_zprime, sigma_sys, luminosity)`` and ``events(beta, m_zprime)`` with their axes; ``beta``
        (rad) only for e6, ``m_zprime`` in GeV.

    Raises
    ------
    FastscanError
        Where the store or the group is missing, damaged or not complete, or xarray isn't installed.
    """
    try:
        import xarray
    except ImportError:
        raise FastscanError("opening a cube needs xarray: pip install 'fastscan[xarray]'") from None
    root = store if isinstance(store, zarr.Group) else read_root(store)
    cube = read(root, group)
    _require_complete(root, cube)
    dataset: xarray.Dataset = xarray.open_zarr(root.store, group=group, consolidated=False)
    return dataset
