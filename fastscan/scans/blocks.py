"""The values of a chunk: the kernels evaluate a cube's likelihood over the part of the grid that a chunk covers."""

import math
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastscan.kernels import blocks
from fastscan.scans.threads import is_alone
from fastscan.scans.toy_runs import toys_block
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
    array, shape (rows, strength, sigma_sys, luminosity), with a dimension for each row parameter
        Dimensionless, in the cube's dtype.  This thread's next call overwrites it.
    """
    rows, strength, settings = cube.parts(index)
    numbers, x = rows.ravel(), cube.x[strength]
    shape = tuple(part.stop - part.start for part in cube.layout.region(index))
    if cube.likelihood.counted:
        return _counted_block(cube, numbers, x, settings).reshape(shape)
    noise, variance = cube.noise_and_variance(settings)
    members = len(noise)
    assert noise[0].size == math.prod(shape[len(cube.rows) + 1 :]), "the settings don't fill the block"
    out = _buffer(math.prod(shape), cube.layout.dtype).reshape(numbers.size, x.size, -1)
    blocks.chi2_block.run(
        numbers.size * x.size,
        out.size,
        is_alone(),
        np.ascontiguousarray(cube.likelihood.sums[:, numbers]),
        x,
        noise.reshape(members, -1),
        variance.reshape(members, -1),
        out,
    )
    return out.reshape(shape)


def events_block(cube: Cube, index: Index) -> Array:
    """Events at luminosity 1 over the part of a cube that a chunk covers (Eq. 16 of arXiv:2002.01482).

    Parameters are as in `chi2_block`.

    Returns
    -------
    array, shape (rows, strength), with a dimension for each row parameter
        Numbers of events, float64.
    """
    rows, strength, _ = cube.parts(index)
    return cube.likelihood.events(cube.x[strength], rows[..., None])


BLOCKS = {"chi2": chi2_block, "events": events_block, "toys": toys_block}


def block(cube: Cube, array: str, index: Index) -> NDArray[np.floating]:
    """The values of an array of `BLOCKS` in a chunk; see `chi2_block`, `events_block` and `toys_block`."""
    return BLOCKS[array](cube, index)


def _buffer(points: int, dtype: str) -> NDArray[np.floating]:
    """This thread's array for a number of points.

    The array is kept, because fresh memory costs more time than the arithmetic that fills it.
    """
    kept: NDArray[np.floating] | None = getattr(_of_thread, "buffer", None)
    if kept is None or kept.size < points or kept.dtype != dtype:
        kept = _of_thread.buffer = np.empty(points, dtype)
    return kept[:points]


def _counted_block(cube: Cube, numbers: IntArray, x: Array, settings: Sequence[slice]) -> NDArray[np.floating]:
    """chi2 of a likelihood with counted events in some rows, at strengths x, over a part of the settings' axes.

    Each point costs a thousand times as much as with Gaussian counts, so that nothing is gained by reuse of memory.
    """
    given = cube.settings_at(settings)
    columns, _ = cube.likelihood.columns(numbers[:, None, None], given)
    chi2 = columns.chi2(x, in_parallel=is_alone()).reshape(numbers.size, -1, x.size)
    return chi2.swapaxes(1, 2).astype(cube.layout.dtype)
