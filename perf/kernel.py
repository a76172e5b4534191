"""The kernel against filling memory, and against what one would write otherwise.

The plane is that of E6: 640 betas, 500 masses, 40 sigma_sys and 10 luminosities, 128 million points or 1 GB of
float64, which no processor's cache holds.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import adapter
import numpy as np
from measure import Calls, pair
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray
from scipy import optimize

BETAS, MASSES, SIGMAS, LUMINOSITIES = 640, 500, 40, 10
POINTS = BETAS * MASSES * SIGMAS * LUMINOSITIES
BLOCK_BETAS = 1  # 200,000 points: 0.8 MB of float32 for each thread, which stays in its cache
TWELVE = [f"coherent-{target}" for target in ("csi", "ge", "lar", "nai")] + [
    *("conus", "connie", "miner", "texono", "red100", "ricochet", "nucleus"),
    "cr51-lxe-c",
]
BINNED = "cr51-lxe-c"  # 120 bins
FEW_BETAS = 64  # NumPy's temporary arrays of all of them would wait for the system to find them memory
SPARSE_MASSES = 5  # what NumPy does with 120 bins, to be extrapolated

Array = NDArray[np.float64]


@njit(parallel=True, cache=True)
def fill(out, value):
    """Write a number everywhere: what memory can take."""
    flat = out.reshape(-1)
    for i in prange(flat.size):
        flat[i] = value


class Plane:
    """E6 in experiments over the grid, as the kernel is given it."""

    def __init__(self, names: list[str], betas: int = BETAS, in_parallel: bool = True) -> None:
        self.beta = np.linspace(0, np.pi, betas)
        self.sigma = np.linspace(0.0, 0.3, SIGMAS)[:, None]
        self.luminosity = np.geomspace(1, 1000, LUMINOSITIES)[None]
        masses = np.geomspace(10, 5000, MASSES)
        self.inputs = adapter.kernel_inputs(names, self.beta, masses, self.sigma, self.luminosity)
        self.kernel = adapter.kernel(in_parallel)

    def chi2(self, out: Array, betas: slice = slice(None)) -> None:
        """Fill an array with chi2 at some of the betas."""
        given = self.inputs
        coefficients = np.ascontiguousarray(given.coefficients[:, betas])
        self.kernel(coefficients, given.x, given.noise, given.variance, out)


def cube(dtype: str = "f8", betas: int = BETAS) -> Array:
    return np.empty((betas, MASSES, SIGMAS * LUMINOSITIES), dtype)


@pair("kernel into an existing array / parallel fill of it", at_least=0.95)
def existing_array(place: Path) -> Iterator[Calls]:
    plane, out = Plane(["coherent-csi"]), cube()
    yield lambda: plane.chi2(out), lambda: fill(out, 1.0)


class Blocks:
    """A plane computed as a scan does it: by threads with a block each, in float32, in memory that stays in cache."""

    def __init__(self, names: list[str]) -> None:
        self.plane = Plane(names, in_parallel=False)
        self.blocks = [cube("f4", BLOCK_BETAS) for _ in range(get_num_threads())]
        self.threads = ThreadPoolExecutor(len(self.blocks))

    def chi2(self) -> None:
        list(self.threads.map(self._part, range(len(self.blocks))))

    def _part(self, thread: int) -> None:
        for beta in range(thread * BLOCK_BETAS, BETAS, len(self.blocks) * BLOCK_BETAS):
            self.plane.chi2(self.blocks[thread], slice(beta, beta + BLOCK_BETAS))


@pair("kernel into reused cache-sized blocks of float32 / parallel fill of the cube", at_least=1.5)
def reused_blocks(place: Path) -> Iterator[Calls]:
    whole = cube("f4")
    yield Blocks(["coherent-csi"]).chi2, lambda: fill(whole, np.float32(1))


@pair("summed chi2 of 12 experiments in one pass / parallel fill", at_least=0.17)
def twelve_experiments(place: Path) -> Iterator[Calls]:
    plane, out = Plane(TWELVE), cube()
    yield lambda: plane.chi2(out), lambda: fill(out, 1.0)


@pair(
    f"kernel into reused blocks / NumPy, factorised and broadcast (extrapolated from {FEW_BETAS} betas)",
    at_least=20,
    work=BETAS / FEW_BETAS,
    rounds=15,
)
def numpy_factorised(place: Path) -> Iterator[Calls]:
    blocks = Blocks(["coherent-csi"])
    given = blocks.plane.inputs
    few, noise, variance = given.quartics[0, :FEW_BETAS], given.noise[0], given.variance[0]

    def broadcast() -> Array:
        """The same three numbers for each (beta, M_Z'), spread over the settings."""
        powers = given.x[:, None] ** np.arange(few.shape[-1])
        s_dd, det, s_mm = np.maximum(np.einsum("bsp,mp->sbm", few, powers), 0)[..., None]
        chi2: Array = (s_dd + det * (variance / noise)) / (noise + s_mm * variance)
        return chi2

    yield blocks.chi2, broadcast


@pair(
    f"kernel into reused blocks / NumPy with 120 bins at each point (extrapolated from {SPARSE_MASSES} masses)",
    at_least=0,
    work=BETAS * MASSES / SPARSE_MASSES,
    rounds=5,
)
def numpy_binned(place: Path) -> Iterator[Calls]:
    blocks = Blocks([BINNED])
    plane = blocks.plane
    counts = adapter.bin_counts(BINNED, plane.beta[1])

    def features(couplings: Array) -> Array:
        g1, g2 = couplings[..., 0], couplings[..., 1]
        return np.stack([g1**2, g1 * g2, g2**2], axis=-1)

    standard = counts.response @ features(counts.g_sm)

    def binned() -> Array:
        """Events in each bin and the textbook sums over bins, at each point of one beta and a few masses."""
        couplings = counts.g_sm + plane.inputs.x[:SPARSE_MASSES, None] * counts.kappa
        model = (features(couplings) @ counts.response.T)[:, None, None]
        lam, variance = plane.luminosity[..., None], plane.sigma[..., None] ** 2
        kept = standard > 0
        data, model, error = lam * standard[kept], lam * model[..., kept], np.sqrt(lam * standard[kept])
        miss, shape = (data - model) / error, model / error
        s_dd, s_dm, s_mm = (miss**2).sum(-1), (miss * shape).sum(-1), (shape**2).sum(-1)
        chi2: Array = s_dd - variance[..., 0] * s_dm**2 / (1 + variance[..., 0] * s_mm)
        return chi2

    yield blocks.chi2, binned


@pair(
    "kernel into reused blocks / scipy quad and minimize_scalar at each 120-bin point (extrapolated from one)",
    at_least=1e7,
    work=POINTS,
    rounds=5,
)
def scipy_quad(place: Path) -> Iterator[Calls]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import naive

    row, sigma, luminosity = naive.EXPERIMENTS[BINNED], 0.1, 10.0
    standard_couplings = naive.sm_couplings(row.channel)

    def point() -> float:
        """What a program does that keeps nothing from one point to the next."""
        naive.electron_rates_in.cache_clear()
        couplings = naive.couplings(row.channel, "e6", 200.0, 0.5)
        data = luminosity * naive.events_per_bin(BINNED, standard_couplings)
        model = luminosity * naive.events_per_bin(BINNED, couplings)
        data, model = data[data > 0], model[data > 0]

        def chi2(alpha: float) -> float:
            return float(((data - (1 + alpha) * model) ** 2 / data).sum() + (alpha / sigma) ** 2)

        return float(optimize.minimize_scalar(chi2).fun)

    yield Blocks([BINNED]).chi2, point
