"""Small arrays of a group, each in one chunk: they are written, and read again if they are stored in fastscan's way."""

import asyncio
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import zarr
from zarr.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from fastscan.stores.layout import Stored, require_plain
from fastscan.typing import Array


def put_arrays(group: zarr.Group, name: str, values: Mapping[str, Array], arrays: Mapping[str, Stored]) -> None:
    """Write some arrays into a group of their own."""
    inner = group.create_group(name)
    for array, stored in arrays.items():
        put_array(inner, array, values[array], stored)


def put_array(group: zarr.Group, name: str, values: Array, stored: Stored) -> None:
    """Write an array in one chunk."""
    group.create_array(
        name,
        data=values,
        chunks=tuple(max(1, size) for size in values.shape),
        fill_value=math.nan,
        compressors=None,
        dimension_names=stored.dimensions,
        attributes=stored.attributes,
    )


async def read_arrays(storage: MemoryStore, arrays: Iterable[str]) -> dict[str, Array]:
    """The values of small arrays, by name, as float64."""

    async def values(array: str) -> Array:
        described = await described_array(storage, array)
        shape = described["shape"]
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"{array} has no shape")
        require_plain(array, described, shape, [max(1, size) for size in shape], "float64", "/")
        chunk = await storage.get("/".join([array, "c", *["0"] * len(shape)]), default_buffer_prototype())
        if chunk is None and math.prod(shape) <= 1:  # zarr writes no chunk for a single nan or an empty array
            return np.full(shape, math.nan)
        data = b"" if chunk is None else chunk.to_bytes()
        return np.frombuffer(data, "<f8").reshape(shape).astype(float)  # another size raises a ValueError

    arrays = list(arrays)
    return dict(zip(arrays, await asyncio.gather(*map(values, arrays)), strict=True))


async def described_array(storage: MemoryStore, array: str) -> dict[str, Any]:
    """The zarr.json of an array."""
    data = await storage.get(f"{array}/zarr.json", default_buffer_prototype())
    described: dict[str, Any] = json.loads(b"" if data is None else data.to_bytes())
    return described
