"""A scan to a store against the raw writing of the same files, and commands against what they import."""

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from measure import Pair

import fastscan
from fastscan import records

GRID = """
experiments = ["coherent-csi"]
models = ["e6"]
[axes]
beta = { start = 0, stop = 180, num = 400, unit = "deg" }
m_zprime = { start = 10, stop = 5000, num = 400, spacing = "log", unit = "GeV" }
sigma_sys = { start = 0.0, stop = 0.3, num = 160 }
luminosity = { start = 1, stop = 1000, num = 10, spacing = "log" }
"""  # 256 million points: 1 GB
FASTSCAN = str(Path(sysconfig.get_path("scripts")) / "fastscan")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def write_raw(place: Path, sizes: list[int], ready: bytes) -> None:
    """Two threads that write ready bytes to as many files of the same sizes."""
    place.mkdir()

    def write(number: int) -> None:
        with (place / str(number)).open("wb") as file:
            file.write(memoryview(ready)[: sizes[number]])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(len(sizes))))


@contextmanager
def pairs() -> Iterator[list[Pair]]:
    """The pairs, while their files are there."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "grid.toml").write_text(GRID)
        small = place / "small.zarr"
        (place / "small.toml").write_text(GRID.replace("num = 160", "num = 40"))
        fastscan.scan(place / "small.toml", small)
        fastscan.scan(place / "grid.toml", place / "first.zarr")
        sizes = [path.stat().st_size for path in (place / "first.zarr").rglob("c.*")]
        ready = np.random.default_rng(0).bytes(max(sizes))

        def scan() -> None:
            shutil.rmtree(place / "first.zarr")  # each side removes what the other measures next to nothing
            fastscan.scan(place / "grid.toml", place / "first.zarr")

        def raw() -> None:
            shutil.rmtree(place / "raw", ignore_errors=True)
            write_raw(place / "raw", sizes, ready)

        def limits() -> None:
            list(records.of_store(str(small), sigma_sys="axis", luminosity="axis"))

        def read_cube() -> None:
            fastscan.open(str(small), "coherent-csi/e6").chi2.load()

        click = [sys.executable, "-c", "import click"]
        yield [
            Pair("scan of 256 M points to zarr / raw write of the same files", scan, raw, 0.40, rounds=5),
            Pair("160,000 limits / reading the cube from zarr", limits, read_cube, 5, rounds=3),
            Pair("fastscan --help / import click", lambda: run(FASTSCAN, "--help"), lambda: run(*click), 0.3),
        ]
