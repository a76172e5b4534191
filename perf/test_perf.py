"""The pairs under pytest-benchmark: `pytest perf -n 0 --benchmark-json perf.json`.

What is told is the ratio of the medians of interleaved rounds, beside what is asked for.  No ratio is asserted.
"""

import pairs  # noqa: F401  declares PAIRS
import pytest
from measure import PAIRS, ratio_of, ready, seconds
from pytest_benchmark.fixture import BenchmarkFixture


@pytest.mark.parametrize("name", PAIRS)
def test_ratio(name: str, benchmark: BenchmarkFixture) -> None:
    pair = PAIRS[name]
    yardsticks: list[float] = []
    with ready(pair) as (subject, yardstick):
        benchmark.pedantic(subject, setup=lambda: yardsticks.append(seconds(yardstick)), rounds=pair.rounds)
    found = ratio_of(pair, benchmark.stats.stats.data, yardsticks)
    benchmark.extra_info |= {"ratio": found.ratio, "at_least": found.at_least}
