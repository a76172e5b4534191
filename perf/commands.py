"""Commands against importing what they need."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import adapter
from measure import Calls, pair

from grids import grid

FASTSCAN = adapter.COMMAND
LIMIT = [*FASTSCAN, "limit", "conus", "chi"]
HUGE = grid(1000, 1000, 100, 100)  # 10^10 points


def run(*command: str, accepted: tuple[int, ...] = (0,), **environment: str) -> None:
    """Run a command in silence; one that fails in another way than accepted is an error."""
    done = subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)
    assert done.returncode in accepted, done.stderr.decode()


def python(code: str) -> None:
    run(sys.executable, "-c", code)


@pair("(2 x import click + 0.1 s) / fastscan --help", at_least=1, work=2, plus=0.1, rounds=15)
def help_text(place: Path) -> Iterator[Calls]:
    yield lambda: run(*FASTSCAN, "--help"), lambda: python("import click")


@pair("(1.5 x fastscan --help + 0.5 s) / --dry-run of 10^10 points", at_least=1, work=1.5, plus=0.5)
def dry_run(place: Path) -> Iterator[Calls]:
    (place / "huge.toml").write_text(HUGE)
    scan = [*FASTSCAN, "scan", str(place / "huge.toml"), "-o", str(place / "huge.zarr"), "--dry-run"]
    # where the disk has no room for 40 GB that is said, and costs as much
    yield lambda: run(*scan, accepted=(0, 2)), lambda: run(*FASTSCAN, "--help")


@pair("2 x import numba / fastscan limit conus chi, warm", at_least=1, work=2, rounds=15)
def warm_limit(place: Path) -> Iterator[Calls]:
    yield lambda: run(*LIMIT), lambda: python("import numba")


@pair("3 x fastscan limit conus chi, warm / the same with nothing compiled", at_least=1, work=3)
def limit_after_install(place: Path) -> Iterator[Calls]:
    yield lambda: run(*LIMIT, NUMBA_CACHE_DIR=tempfile.mkdtemp(dir=place)), lambda: run(*LIMIT)


@pair("3 x import numba, zarr, dask.array / fastscan paper without figures, warm", at_least=1, work=3, rounds=5)
def paper(place: Path) -> Iterator[Calls]:
    yield (
        lambda: run(*FASTSCAN, "paper", "--no-figures", "-o", str(place / "paper")),
        lambda: python("import numba, zarr, dask.array"),
    )
