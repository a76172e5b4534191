"""Small arrays of a group, each in one chunk: written, and read again whole, where they are as fastscan writes them."""

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
    """Some arrays, in a group of their own."""
    inner = group.create_group(name)
    for array, stored in arrays.items():
        put_array(inner, array, values[array], stored)


def put_array(group: zarr.Group, name: str, values: Array, stored: Stored) -> None:
    """An array in one chunk."""
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
    """Small arrays, whole."""

    async def values(array: str) -> Array:
        described = await described_array(storage, array)
        shape = described["shape"]
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"{array} has no shape")
        require_plain(array, described, shape, [max(1, size) for size in shape], "float64", "/")
        chunk = await storage.get("/".join([array, "c", *["0"] * len(shape)]), default_buffer_prototype())
        if chunk is None and math.prod(shape) <= 1:  # zarr doesn't write what is nan, or nothing
            return np.full(shape, math.nan)
        data = b"" if chunk is None else chunk.to_bytes()
        return np.frombuffer(data, "<f8").reshape(shape).astype(float)  # of another size, it is a ValueError

    arrays = list(arrays)
    return dict(zip(arrays, await asyncio.gather(*map(values, arrays)), strict=True))


async def described_array(storage: MemoryStore, array: str) -> dict[str, Any]:
    """The zarr.json of an array."""
    data = await storage.get(f"{array}/zarr.json", default_buffer_prototype())
    described: dict[str, Any] = json.loads(b"" if data is None else data.to_bytes())
    return described
