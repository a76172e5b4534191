"""Scans to a store against writing the same files raw, and two worker processes against one process' threads."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import adapter
import numpy as np
from measure import Calls, pair

import fastscan
from grids import grid, light_grid

GRID = grid(400, 400, 160, 10)  # 256 million points: 1 GB


def write_raw(place: Path, sizes: list[int], ready: bytes) -> None:
    """Two threads that write ready bytes to as many files of the same sizes."""
    place.mkdir()

    def write(number: int) -> None:
        with (place / str(number)).open("wb") as file:
            file.write(memoryview(ready)[: sizes[number]])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(len(sizes))))


class Both:
    """A scan and its raw twin; each removes what the other measures next to nothing."""

    def __init__(self, place: Path, *, synced: bool) -> None:
        self.place, self.synced = place, synced
        (place / "grid.toml").write_text(GRID)
        fastscan.scan(place / "grid.toml", place / "first.zarr")
        self.sizes = [path.stat().st_size for path in (place / "first.zarr").rglob("c.*")]
        self.ready = np.random.default_rng(0).bytes(max(self.sizes))

    def scan(self) -> None:
        shutil.rmtree(self.place / "first.zarr")
        fastscan.scan(self.place / "grid.toml", self.place / "first.zarr")
        if self.synced:
            os.sync()

    def raw(self) -> None:
        shutil.rmtree(self.place / "raw", ignore_errors=True)
        write_raw(self.place / "raw", self.sizes, self.ready)
        if self.synced:
            os.sync()


@pair("scan of 256 M points to local zarr / raw write of the same files", at_least=0.40)
def page_cache(place: Path) -> Iterator[Calls]:
    both = Both(place, synced=False)
    yield both.scan, both.raw


@pair("the same, synced to disk / the same, synced to disk", at_least=0.85)
def to_disk(place: Path) -> Iterator[Calls]:
    both = Both(place, synced=True)
    yield both.scan, both.raw


@pair("the same scan on two dask worker processes / in process", at_least=0.5)
def two_workers(place: Path) -> Iterator[Calls]:
    both = Both(place, synced=False)
    with adapter.client(workers=2) as client:

        def distributed() -> None:
            shutil.rmtree(place / "second.zarr", ignore_errors=True)
            fastscan.scan(place / "grid.toml", place / "second.zarr", client=client)

        yield distributed, both.scan


@pair("scan of 10^8 points over (m_zprime, g, sigma_sys) / of a heavy Z' of that size", at_least=0.8)
def light(place: Path) -> Iterator[Calls]:
    def scanning(name: str, text: str) -> Callable[[], None]:
        (place / f"{name}.toml").write_text(text)

        def scan() -> None:
            shutil.rmtree(place / "out.zarr", ignore_errors=True)
            fastscan.scan(place / f"{name}.toml", place / "out.zarr")

        return scan

    yield scanning("light", light_grid(400, 2500, 100)), scanning("heavy", grid(400, 2500, 10, 10))
