"""Commands against importing what they need."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from adapter import layout
from measure import Calls, pair

from grids import grid

FASTSCAN = layout.command
LIMIT = [*FASTSCAN, "limit", "coherent-csi", "chi"]
HUGE = grid(1000, 1000, 100, 100)  # 10^10 points


# Functions of the kind that fastscan compiles: scalar formulas, and loops that call them and end by a condition.
COMPILE = """
import numpy as np
from numba import njit

@njit
def quartic(c, x):
    return (((c[4] * x + c[3]) * x + c[2]) * x + c[1]) * x + c[0]

@njit
def bisected(c, low, high):
    while high - low > 1e-9 * high:
        middle = 0.5 * (low + high)
        if (quartic(c, low) < 0) == (quartic(c, middle) < 0):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)

@njit
def roots(coefficients, ladder):
    found = np.full((len(coefficients), 4), np.nan)
    for row in range(len(coefficients)):
        c = coefficients[row]
        number = 0
        for i in range(ladder.size - 1):
            if number < 4 and (quartic(c, ladder[i]) < 0) != (quartic(c, ladder[i + 1]) < 0):
                found[row, number] = bisected(c, ladder[i], ladder[i + 1])
                number += 1
        found[row] = np.sort(found[row])
    return found

roots(np.array([[-1.0, 0.0, 0.0, 0.0, 2.0]]), np.linspace(0.0, 2.0, 9))
"""


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


@pair("2.5 x import numba, scipy.special / fastscan limit coherent-csi chi, warm", at_least=1, work=2.5)
def first_limit(place: Path) -> Iterator[Calls]:
    yield lambda: run(*LIMIT), lambda: python("import numba, scipy.special")


@pair("3 x compiling three functions / fastscan limit coherent-csi chi, nothing compiled", at_least=1, work=3, rounds=3)
def limit_after_install(place: Path) -> Iterator[Calls]:
    yield lambda: run(*LIMIT, NUMBA_CACHE_DIR=tempfile.mkdtemp(dir=place)), lambda: python(COMPILE)


@pair("3 x import numba, zarr, dask.array / fastscan paper without figures, warm", at_least=1, work=3, rounds=5)
def paper(place: Path) -> Iterator[Calls]:
    yield (
        lambda: run(*FASTSCAN, "paper", "--no-figures", "-o", str(place / "paper")),
        lambda: python("import numba, zarr, dask.array"),
    )
