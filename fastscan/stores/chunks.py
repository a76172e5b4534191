"""The large arrays of a cube: chunks written and recorded as done, and read back by dask.

A chunk is stored uncompressed: its bytes go to zarr's own `Store`, which writes them atomically.  After its chunks,
each task writes the record ``chi2/done.<task>.json`` with their checksums.  A task is done if its record says so; this
is never inferred from the chunks alone.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer as AnyBuffer
from zarr.buffer.cpu import Buffer

from fastscan.errors import StoreError
from fastscan.inputs.files import MALFORMED, readable
from fastscan.stores.cube import Cube
from fastscan.stores.layout import RECORD, Index
from fastscan.stores.local import Directory
from fastscan.stores.location import names, read_bytes, sync
from fastscan.typing import Array

if TYPE_CHECKING:
    import dask.array

STORED_ROUNDING = 1e-6  # relative rounding of float32, with room for another version's last digits
NEGLIGIBLE = 1e-9  # smaller differences of chi2 are rounding, far below any threshold


def checksum(data: bytes | memoryview) -> str:
    """The xxh3 checksum of a file, which detects damage but not malice."""
    return xxhash.xxh3_64_hexdigest(data)


def chunk_bytes(cube: Cube, array: str, index: Index, block: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of a chunk as it is stored: little-endian, and padded with NaN at the edge of the cube.

    The block must have the shape of the part of the cube that the chunk covers.
    """
    covered, chunk = cube.layout.part_of(array, index), cube.layout.chunk_of(array)
    assert block.shape == covered, f"block {block.shape} is not aligned with chunk {index} of {array}"
    if covered != chunk:
        padded = np.full(chunk, np.nan, block.dtype)
        padded[tuple(map(slice, covered))] = block
        block = padded
    return np.ascontiguousarray(block, block.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)


def chunk_keys(cube: Cube, task: int) -> dict[str, tuple[str, Index]]:
    """The array and the index of each chunk of a task, by the chunk's key."""
    return {cube.layout.key_of(array, index): (array, index) for array, index in cube.layout.chunks_of(task)}


def record_key(cube: Cube, task: int) -> str:
    return f"{cube.name}/chi2/done.{task}.json"


def write_chunk(root: zarr.Group, cube: Cube, array: str, index: Index, block: NDArray[Any]) -> dict[str, str]:
    """Write one chunk and return its key and checksum."""
    data = chunk_bytes(cube, array, index, block)
    key = cube.layout.key_of(array, index)
    _put(root, f"{cube.name}/{key}", Buffer.from_array_like(data))
    return {key: checksum(data.data)}


def write_record(root: zarr.Group, cube: Cube, task: int, checksums: dict[str, str]) -> None:
    """Record a task as done, with the checksums of its chunks; called after they are written."""
    record = json.dumps({"hash": cube.hash, "chunks": checksums}, indent=0).encode()
    _put(root, record_key(cube, task), Buffer.from_bytes(record))


def forget(root: zarr.Group, cube: Cube, task: int) -> None:
    """Remove the record of a task, so that a resumed scan computes it anew."""
    sync(root.store.delete(record_key(cube, task)))


def _put(root: zarr.Group, key: str, value: AnyBuffer) -> None:
    """Write a file atomically."""
    if isinstance(root.store, Directory):
        root.store.write(key, memoryview(value.as_buffer_like()))
    else:
        sync(root.store.set(key, value))


def checksums_of(root: zarr.Group, cube: Cube, task: int) -> dict[str, str] | None:
    """The checksums in a task's record; None where the record belongs to another run, or can't be read."""
    data = read_bytes(root, record_key(cube, task))
    try:
        record = json.loads(data or b"")
        checksums: dict[str, str] = dict(record["chunks"])
        return checksums if record["hash"] == cube.hash else None
    except MALFORMED:
        return None


def done_tasks(root: zarr.Group, cube: Cube) -> set[int]:
    """Numbers of the tasks that are recorded as done, and whose chunks of chi2 exist."""
    keys = names(root.store, f"{cube.name}/chi2")
    return {
        task
        for task in _recorded(keys, cube)
        if all(cube.layout.key_of("chi2", index).removeprefix("chi2/") in keys for index in cube.layout.indices(task))
    }


def recorded_tasks(root: zarr.Group, cube: Cube) -> set[int]:
    """Numbers of the tasks that are recorded as done, whether or not their chunks exist."""
    return _recorded(names(root.store, f"{cube.name}/chi2"), cube)


def _recorded(keys: Iterable[str], cube: Cube) -> set[int]:
    recorded = {int(match[1]) for key in keys if (match := RECORD.fullmatch(key))}
    return {task for task in recorded if task < cube.layout.tasks}


def require_complete(root: zarr.Group, cube: Cube) -> None:
    """Refuse a cube that lacks tasks."""
    missing = cube.layout.tasks - len(done_tasks(root, cube))
    if missing:
        raise StoreError(
            f"{cube.name} lacks {missing} of {cube.layout.tasks} tasks; continue the scan with resume=True"
        )


def stored_array(root: zarr.Group, cube: Cube, name: str) -> "dask.array.Array":
    """A stored array over the dimensions of a cube, chi2 or toys, which dask reads when it is needed.

    Raises
    ------
    StoreError
        Where the scan isn't complete, because missing chunks would read as NaN.
    """
    import dask.array

    require_complete(root, cube)
    with readable(f"group {cube.name}"):
        stored: dask.array.Array = dask.array.from_zarr(root[f"{cube.name}/{name}"])  # type: ignore[no-untyped-call]
    return stored


def computed(cube: Cube, stored: "dask.array.Array", name: str = "chi2") -> Array:
    """The values of an array that dask reads, as float64; a missing value is a `StoreError`."""
    with readable(f"group {cube.name}"):
        values: Array = np.asarray(stored, float)
    require_values(cube, values, name)
    return values


def require_values(cube: Cube, values: NDArray[np.floating], name: str = "chi2") -> None:
    """Refuse an array with missing values, because a chunk that is lost reads as NaN."""
    if np.isnan(values).any():
        raise StoreError(f"{cube.name}: {name} lacks values; the store is damaged, see `fastscan verify`")


def require_same(cube: Cube, stored: NDArray[np.floating], chi2: Array) -> None:
    """Refuse stored chi2 that differs from the likelihood's by more than rounding."""
    with np.errstate(over="ignore"):  # a value that is too large for the cube's dtype is stored as infinity
        rounded = chi2.astype(cube.layout.dtype)
    if not np.allclose(stored, rounded, rtol=STORED_ROUNDING, atol=NEGLIGIBLE):
        raise StoreError(f"{cube.name}: the stored chi2 contradicts the likelihood, see `fastscan verify`")
