"""Limits and contours against reading the cube that they are about."""

from collections.abc import Iterator
from pathlib import Path

import adapter
import numpy as np
import zarr
from measure import Calls, pair

import fastscan
from grids import grid

E6 = "coherent-csi/e6"
GRID = grid(400, 400, 40, 10)  # 160,000 columns of 400 masses: 64 million points, 256 MB


def scanned(place: Path) -> zarr.Group:
    (place / "grid.toml").write_text(GRID)
    return fastscan.scan(place / "grid.toml", place / "grid.zarr")


@pair("160,000 limits, all crossings / reading the cube from zarr", at_least=5)
def limits(place: Path) -> Iterator[Calls]:
    root = scanned(place)
    axes = adapter.axes(root, E6)
    beta, sigma, luminosity = (axes[name] for name in ("beta", "sigma_sys", "luminosity"))

    def found() -> None:
        answers = fastscan.limit(
            "coherent-csi", "e6", beta=beta[:, None, None], sigma_sys=sigma[:, None], luminosity=luminosity
        )
        assert answers.size == 160_000

    yield found, lambda: np.asarray(root[f"{E6}/chi2"])


@pair("contour in (beta, M_Z'), 400 x 400 points / reading its cube from zarr", at_least=0)
def contour(place: Path) -> Iterator[Calls]:
    root = scanned(place)
    draw = adapter.contours(root, E6, sigma_sys=0.1)

    def drawn() -> None:
        assert draw()

    yield drawn, lambda: np.asarray(root[f"{E6}/chi2"])
