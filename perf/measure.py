"""How perf/ measures: a subject and its yardstick in turn, in one run, so that only their ratio counts."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

Call = Callable[[], object]
Calls = tuple[Call, Call]
Make = Callable[[Path], Iterator[Calls]]


@dataclass(frozen=True)
class Pair:
    """A subject and its yardstick, which `make` gives while their files are in a directory.

    What counts is (work x the yardstick's seconds + plus) over the subject's seconds: larger is better, and
    `at_least` is asked for.  `work` is how many times more the subject does, where the yardstick is extrapolated.
    """

    name: str
    at_least: float
    make: Callable[[Path], AbstractContextManager[Calls]]
    work: float
    plus: float
    rounds: int


@dataclass(frozen=True)
class Ratio:
    """What came out: medians of the interleaved rounds, in seconds."""

    name: str
    ratio: float
    at_least: float
    subject: float
    yardstick: float


PAIRS: dict[str, Pair] = {}


def pair(
    name: str, at_least: float, *, work: float = 1.0, plus: float = 0.0, rounds: int = 7
) -> Callable[[Make], Make]:
    """Declare the pair that a function makes."""

    def declare(make: Make) -> Make:
        PAIRS[name] = Pair(name, at_least, contextmanager(make), work, plus, rounds)
        return make

    return declare


@contextmanager
def ready(pair: Pair) -> Iterator[Calls]:
    """Subject and yardstick, compiled and with their files in the cache."""
    with tempfile.TemporaryDirectory() as place, pair.make(Path(place)) as (subject, yardstick):
        subject(), yardstick()
        yield subject, yardstick


def seconds(call: Call) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def ratio_of(pair: Pair, subject: list[float], yardstick: list[float]) -> Ratio:
    one, other = median(subject), median(yardstick)
    return Ratio(pair.name, (pair.work * other + pair.plus) / one, pair.at_least, one, other)


def measure(pair: Pair) -> Ratio:
    subjects: list[float] = []
    yardsticks: list[float] = []
    with ready(pair) as (subject, yardstick):
        for _ in range(pair.rounds):
            yardsticks.append(seconds(yardstick))
            subjects.append(seconds(subject))
    return ratio_of(pair, subjects, yardsticks)
