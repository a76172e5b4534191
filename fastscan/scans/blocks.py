"""The values of a chunk: the kernels evaluate a cube's likelihood over the part of the grid that a chunk covers."""

import math
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from fastscan.kernels import blocks
from fastscan.stores.cube import Cube
from fastscan.stores.layout import Index
from fastscan.typing import Array, IntArray

_of_thread = threading.local()


def chi2_block(cube: Cube, index: Index) -> NDArray[np.floating]:
    """chi2 over the part of a cube that a chunk covers (Eq. 21 of arXiv:2002.01482).

    Parameters
    ----------
    cube : Cube
    index : tuple of int
        The chunk's index over the dimensions of the cube.

    Returns
    -------
    array, shape (rows, strength, sigma_sys, luminosity), with a dimension for each axis that makes a row
        Dimensionless, in the cube's dtype.  This thread's next call overwrites it.
    """
    rows, strength, settings = _parts(cube, index)
    numbers, x = _rows(cube, rows).ravel(), cube.x[strength]
    shape = tuple(part.stop - part.start for part in cube.layout.region(index))
    if cube.likelihood.counted:
        return _counted_block(cube, numbers, x, settings).reshape(shape)
    noise, variance = cube.noise_and_variance(settings)
    members = len(noise)
    assert noise[0].size == math.prod(shape[len(rows) + 1 :]), "the settings don't fill the block"
    out = _buffer(math.prod(shape), cube.layout.dtype).reshape(numbers.size, x.size, -1)
    blocks.chi2_block.run(
        numbers.size * x.size,
        out.size,
        _is_alone(),
        np.ascontiguousarray(cube.likelihood.sums[:, numbers]),
        x,
        noise.reshape(members, -1),
        variance.reshape(members, -1),
        out,
    )
    return out.reshape(shape)


def events_block(cube: Cube, index: Index) -> Array:
    """Events at luminosity 1 over the part of a cube that a chunk covers (Eq. 16 of arXiv:2002.01482).

    Parameters are those of `chi2_block`.

    Returns
    -------
    array, shape (rows, strength), with a dimension for each axis that makes a row
        Numbers of events, float64.
    """
    rows, strength, _ = _parts(cube, index)
    return cube.likelihood.events(cube.x[strength], _rows(cube, rows)[..., None])


def _parts(cube: Cube, index: Index) -> tuple[Sequence[slice], slice, Sequence[slice]]:
    """The part of a cube that a chunk covers, on the axes that make rows, on the strength's and on the settings'."""
    region = cube.layout.region(index)
    rows = len(cube.rows)
    return region[:rows], region[rows], region[rows + 1 :]


def _rows(cube: Cube, index: Sequence[slice]) -> IntArray:
    """Numbers of the rows in a part of the axes that make rows, in the shape of the part."""
    mesh = np.meshgrid(*(np.arange(part.start, part.stop) for part in index), indexing="ij")
    return cube.row_numbers(dict(zip(cube.rows, mesh, strict=True)))


BLOCKS = {"chi2": chi2_block, "events": events_block}


def block(cube: Cube, array: str, index: Index) -> NDArray[np.floating]:
    """The values of an array of `BLOCKS` in a chunk; see `chi2_block` and `events_block`."""
    return BLOCKS[array](cube, index)


def _buffer(points: int, dtype: str) -> NDArray[np.floating]:
    """This thread's array for a number of points.

    It is kept, because fresh memory costs more than the arithmetic that fills it.
    """
    kept: NDArray[np.floating] | None = getattr(_of_thread, "buffer", None)
    if kept is None or kept.size < points or kept.dtype != dtype:
        kept = _of_thread.buffer = np.empty(points, dtype)
    return kept[:points]


def _counted_block(cube: Cube, numbers: IntArray, x: Array, settings: Sequence[slice]) -> NDArray[np.floating]:
    """chi2 of a likelihood with counted events: of some rows, at strengths x, over a part of the settings' axes.

    Each point costs a thousand times as much as without, so that nothing is gained by reuse of memory.
    """
    given = cube.settings_at(settings)
    columns, _ = cube.likelihood.columns(numbers[:, None, None], given)
    chi2 = columns.chi2(x, in_parallel=_is_alone()).reshape(numbers.size, -1, x.size)
    return chi2.swapaxes(1, 2).astype(cube.layout.dtype)


def _is_alone() -> bool:
    """Whether a task has all threads of its process: in a worker that runs one at a time, not where they run beside.

    NUMBA_NUM_THREADS must say how many threads a worker has, because numba's default is all cores for each worker.
    """
    if "NUMBA_NUM_THREADS" in os.environ and "distributed" in sys.modules:
        from distributed import get_worker

        with suppress(ValueError):  # there is no worker: the task runs in a thread of this process
            return get_worker().state.nthreads == 1
    return False
