"""How perf/ measures: a subject and its yardstick in turn, in one run, so that only their ratio counts."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Pair:
    """Two things that are timed in turn.

    What counts is the yardstick's time over the subject's: larger is better.  `work` is how many times more the
    subject does than the yardstick, where the yardstick is extrapolated.
    """

    name: str
    subject: Callable[[], object]
    yardstick: Callable[[], object]
    at_least: float
    work: float = 1.0
    rounds: int = 7


def seconds(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started
