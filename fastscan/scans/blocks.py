"""The values of a chunk: a cube's likelihood over the part of the grid that the chunk covers, by the kernels."""

import math
import os
import sys
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastscan.interactions import catalogue as models
from fastscan.kernels import blocks
from fastscan.stores.cube import Cube
from fastscan.stores.layout import Index
from fastscan.typing import Array

_of_thread = threading.local()


def chi2_block(cube: Cube, index: Index) -> NDArray[np.floating]:
    """chi2 over the part of a cube that a chunk covers, in the cube's dtype; valid until this thread's next call."""
    beta, mass, sigma, lum = cube.layout.region(index)
    given = None if cube.own_sigma_sys else cube.axes["sigma_sys"][sigma, None]
    noise, variance = cube.likelihood.settings(cube.sigma_sys(given), cube.axes["luminosity"][None, lum])
    members, *settings = noise.shape
    betas, masses = beta.stop - beta.start, mass.stop - mass.start
    out = _buffer(betas * masses * math.prod(settings), cube.layout.dtype).reshape(betas, masses, -1)
    _kernel()(
        cube.likelihood.coefficients(beta),
        models.gamma(cube.axes["m_zprime"][mass]),
        noise.reshape(members, -1),
        variance.reshape(members, -1),
        blocks.TILE_POINTS,
        out,
    )
    return out.reshape(betas, masses, *settings)


def events_block(cube: Cube, index: Index) -> Array:
    """Events over the part of a cube that a chunk covers."""
    beta, mass, _, _ = cube.layout.region(index)
    gamma = models.gamma(cube.axes["m_zprime"][mass])
    return cube.likelihood.events(gamma[None, :], np.arange(beta.start, beta.stop)[:, None])


BLOCKS = {"chi2": chi2_block, "events": events_block}


def block(cube: Cube, array: str, index: Index) -> NDArray[np.floating]:
    """An array of a cube over the part that a chunk covers; valid until this thread's next call."""
    return BLOCKS[array](cube, index)


def _buffer(points: int, dtype: str) -> NDArray[np.floating]:
    """This thread's array for so many points: fresh memory costs more than the arithmetic that fills it."""
    kept: NDArray[np.floating] | None = getattr(_of_thread, "buffer", None)
    if kept is None or kept.size < points or kept.dtype != dtype:
        kept = _of_thread.buffer = np.empty(points, dtype)
    return kept[:points]


def _kernel() -> Callable[..., object]:
    """The serial kernel where tasks run side by side; the parallel one in a worker process that runs one at a time.

    How many threads that may have, NUMBA_NUM_THREADS must say: numba's own default is all cores for each worker.
    """
    if "NUMBA_NUM_THREADS" in os.environ and "distributed" in sys.modules:
        from distributed import get_worker

        try:
            alone = get_worker().state.nthreads == 1
        except ValueError:  # no worker: this process' own threads
            alone = False
        if alone:
            return blocks.chi2_block.parallel
    return blocks.chi2_block.serial
