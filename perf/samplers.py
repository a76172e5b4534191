"""Calls of a prepared likelihood, one point at a time as samplers make them."""

from collections.abc import Iterator
from pathlib import Path

from measure import Calls, pair

import fastscan

CALLS = 2000


def nothing() -> None:
    """A yardstick where a number of seconds is one."""


@pair("prepared chi2 of conus, chi / fastscan.chi2 of the same point", at_least=500, work=100)
def prepared(place: Path) -> Iterator[Calls]:
    like = fastscan.likelihood("conus", "chi")

    def many() -> None:
        for _ in range(CALLS):
            like(300.0)

    def few() -> None:
        for _ in range(CALLS // 100):
            fastscan.chi2("conus", "chi", m_zprime=300.0)

    yield many, few


@pair("10 us / the same call", at_least=1, plus=CALLS * 10e-6)
def scalar(place: Path) -> Iterator[Calls]:
    like = fastscan.likelihood("conus", "chi")
    yield lambda: [like(300.0) for _ in range(CALLS)], nothing


@pair("20 us / prepared chi2 of coherent-csi-2021, b-l", at_least=1, plus=CALLS * 20e-6)
def counted(place: Path) -> Iterator[Calls]:
    like = fastscan.likelihood("coherent-csi-2021", "b-l")
    yield lambda: [like(0.05, 3e-5) for _ in range(CALLS)], nothing
