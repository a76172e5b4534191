"""Verification of a store: checksums of its chunks, and chunks that are computed again from the store's likelihood.

The record of a task with damaged chunks is removed, so that ``scan --resume`` computes the task anew.
"""

import logging
from dataclasses import dataclass

import dask.threaded
import numpy as np
import zarr

from fastscan.inputs.files import readable, writable
from fastscan.scans.blocks import block
from fastscan.stores import chunks, store
from fastscan.stores.cube import Cube
from fastscan.stores.location import Location, read_bytes, read_root

log = logging.getLogger(__name__)
ROUNDING = 1e-6  # relative difference that is allowed, because another processor may round differently
SAMPLE = 8  # chunks of a group that are computed again; enough to see a wrong likelihood, data file or version


@dataclass(frozen=True)
class Checked:
    """The result for a group: its numbers of tasks, chunks and recomputed chunks; missing tasks and damaged chunks."""

    group: str
    tasks: int
    missing: tuple[int, ...]
    chunks: int
    recomputed: int
    damaged: tuple[str, ...]


def verify(location: Location, everything: bool = False) -> list[Checked]:
    """Check every chunk's checksum, and compute a sample of the chunks, or every one, again.

    Parameters
    ----------
    location : path
        The store.
    everything : bool
        Compute every chunk again.

    Returns
    -------
    list of Checked
        One for each group.  The record of each task with a damaged chunk has been removed.

    Raises
    ------
    StoreError
        Where there is no store, its metadata are damaged, or a record can't be removed.

    Examples
    --------
    >>> import fastscan
    >>> _ = fastscan.scan("grids/coherent-csi.toml", "memory://verify")
    >>> checked = verify("memory://verify")
    >>> checked[0].group, checked[0].chunks, checked[0].damaged
    ('coherent-csi/chi', 2, ())
    """
    root = read_root(location)
    checked = []
    for name in store.group_names(root):
        cube = store.read(root, name)
        done = sorted(chunks.recorded_tasks(root, cube))
        rng = np.random.default_rng(0)  # the same sample each time, so that a result can be reproduced
        sample = set(done if everything else rng.permutation(done)[:SAMPLE].tolist())
        graph = {f"task-{task}": (_check, root, cube, task, task in sample) for task in done}
        with readable(location):
            found = dict(zip(done, dask.threaded.get(graph, list(graph)), strict=True))
        damaged = {task: keys for task, (_, keys) in found.items() if keys}
        if damaged:
            log.warning("%s: chunks of tasks %s are damaged; their records are removed", name, sorted(damaged))
            with writable(location):
                writable_root = read_root(location, write=True)
                for task in damaged:
                    chunks.forget(writable_root, cube, task)
        checked.append(
            Checked(
                group=name,
                tasks=cube.layout.tasks,
                missing=tuple(sorted(set(range(cube.layout.tasks)) - set(done))),
                chunks=sum(count for count, _ in found.values()),
                recomputed=sum(found[task][0] for task in sample),
                damaged=tuple(key for keys in damaged.values() for key in keys),
            )
        )
    return checked


def _check(root: zarr.Group, cube: Cube, task: int, recompute: bool) -> tuple[int, list[str]]:
    """The number of a task's chunks, and the keys of the damaged ones."""
    keys = chunks.chunk_keys(cube, task)
    checksums = chunks.checksums_of(root, cube, task) or {}  # without a record, all chunks count as damaged
    damaged = []
    for key, (array, index) in keys.items():
        data = read_bytes(root, f"{cube.name}/{key}")
        right = data is not None and checksums.get(key) == chunks.checksum(data)
        if data is not None and right and recompute:
            values = block(cube, array, index)
            again = chunks.chunk_bytes(cube, array, index, values).view(values.dtype)
            right = np.allclose(np.frombuffer(data, values.dtype), again, rtol=ROUNDING, atol=0, equal_nan=True)
        if not right:
            damaged.append(f"{cube.name}/{key}")
    return len(keys), damaged
