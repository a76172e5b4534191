"""The kernel against filling memory, and against what one would write otherwise.

The plane is that of E6 at COHERENT's CsI: 640 betas, 500 masses, 40 sigma_sys and 10 luminosities, 128 million points
or 1 GB of float64, which no processor's cache holds.
"""

from collections.abc import Iterator

import numpy as np
from measure import Pair
from numba import njit, prange
from numpy.typing import NDArray

from fastscan import experiments, kernels, likelihood, models

BETAS, MASSES, SIGMAS, LUMINOSITIES = 640, 500, 40, 10
BLOCK_BETAS = 2  # 400,000 points: 0.8 MB of float32 for each of two threads, which stays in cache
TWELVE = [name for name in experiments.names() if not name.startswith("cr51")] + ["cr51-lxe-c"]

Array = NDArray[np.float64]


@njit(parallel=True, cache=True)
def fill(out, value):
    """Write a number everywhere: what memory can take."""
    flat = out.reshape(-1)
    for i in prange(flat.size):
        flat[i] = value


def plane(names: list[str]) -> tuple[Array, Array, Array, Array]:
    """Coefficients, gamma, and weight and pull at each setting."""
    loaded = tuple(experiments.load(name) for name in names)
    found = likelihood.build(loaded, models.MODELS["e6"], np.linspace(0, np.pi, BETAS))
    sigma = np.linspace(0.0, 0.3, SIGMAS)[:, None]
    weight, pull = found.settings(dict.fromkeys(found.members, sigma), np.geomspace(1, 1000, LUMINOSITIES)[None])
    gamma = models.gamma(np.geomspace(10, 5000, MASSES))
    return found.coefficients(), gamma, weight.reshape(len(names), -1), pull.reshape(len(names), -1)


def numpy_factorised(coefficients: Array, gamma: Array, weight: Array, pull: Array) -> Array:
    """The same three numbers for each (beta, M_Z'), spread over the settings by broadcasting."""
    powers = gamma[:, None] ** np.arange(kernels.POWERS)
    sums = np.maximum(np.einsum("bsp,mp->sbm", coefficients[0], powers), 0)[..., None]
    chi2: Array = weight[0] * (sums[0] + sums[1] * pull[0]) / (1 + sums[2] * pull[0])
    return chi2


def pairs() -> Iterator[Pair]:
    coefficients, gamma, weight, pull = plane(["coherent-csi"])
    out, cube32 = np.empty((BETAS, MASSES, weight.shape[1])), np.empty((BETAS, MASSES, weight.shape[1]), "f4")
    block = np.empty((BLOCK_BETAS, MASSES, weight.shape[1]), "f4")

    def whole() -> None:
        kernels.chi2_block.parallel(coefficients, gamma, weight, pull, kernels.TILE_POINTS, out)

    def blocks() -> None:
        for beta in range(0, BETAS, BLOCK_BETAS):
            part = np.ascontiguousarray(coefficients[:, beta : beta + BLOCK_BETAS])
            kernels.chi2_block.parallel(part, gamma, weight, pull, kernels.TILE_POINTS, block)

    yield Pair("kernel into an existing array / parallel fill of it", whole, lambda: fill(out, 1.0), 0.95)
    yield Pair(
        "kernel into reused blocks / parallel fill of the cube", blocks, lambda: fill(cube32, np.float32(1)), 1.5
    )
    twelve, gamma12, weight12, pull12 = plane(TWELVE)

    def summed() -> None:
        kernels.chi2_block.parallel(twelve, gamma12, weight12, pull12, kernels.TILE_POINTS, out)

    yield Pair("summed chi2 of 12 experiments / parallel fill", summed, lambda: fill(out, 1.0), 0.17)
    yield Pair(
        "kernel / NumPy factorised broadcasting",
        whole,
        lambda: numpy_factorised(coefficients, gamma, weight, pull),
        20,
    )
