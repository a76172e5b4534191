"""Ratios of fastscan to yardsticks measured in the same run: `pytest perf -n 0 --benchmark-json perf.json`.

Each round times the yardstick and then the subject; what is told is the ratio of the medians.  No ratio is asserted.
"""

from collections.abc import Iterator
from statistics import median

import kernels
import pytest
import scans
from measure import Pair, seconds
from pytest_benchmark.fixture import BenchmarkFixture


@pytest.fixture(scope="session")
def all_pairs() -> Iterator[dict[str, Pair]]:
    with scans.pairs() as found:
        yield {pair.name: pair for pair in (*kernels.pairs(), *found)}


NAMES = [
    "kernel into an existing array / parallel fill of it",
    "kernel into reused blocks / parallel fill of the cube",
    "summed chi2 of 12 experiments / parallel fill",
    "kernel / NumPy factorised broadcasting",
    "scan of 256 M points to zarr / raw write of the same files",
    "160,000 limits / reading the cube from zarr",
    "fastscan --help / import click",
]


@pytest.mark.parametrize("name", NAMES)
def test_ratio(name: str, all_pairs: dict[str, Pair], benchmark: BenchmarkFixture) -> None:
    pair = all_pairs[name]
    pair.subject(), pair.yardstick()  # compiled and in the cache
    yardstick: list[float] = []
    benchmark.pedantic(pair.subject, setup=lambda: yardstick.append(seconds(pair.yardstick)), rounds=pair.rounds)
    ratio = pair.work * median(yardstick) / benchmark.stats.stats.median
    benchmark.extra_info |= {"ratio": ratio, "at_least": pair.at_least}
