"""Limits at many masses of a light mediator: its energy integrals done once for all of them, or at each mass."""

from collections.abc import Iterator
from pathlib import Path

import adapter
import numpy as np
from measure import Calls, pair

import fastscan

EXPERIMENTS = (  # of arXiv:2002.01482
    *("coherent-csi", "coherent-ge", "coherent-lar", "coherent-nai", "connie", "conus", "miner", "nucleus"),
    *("red100", "ricochet", "texono", "cr51-lxe-a", "cr51-lxe-b", "cr51-lxe-c"),
)
MASSES = np.geomspace(1e-6, 1e4, 1000)  # GeV
FEW = MASSES[::200]  # at which the integrals are repeated


@pair(
    f"{MASSES.size} masses of B-L in {len(EXPERIMENTS)} experiments / integrals at each, {FEW.size} masses scaled",
    at_least=100,
    work=MASSES.size / FEW.size,
    rounds=3,
)
def once(place: Path) -> Iterator[Calls]:
    def together() -> None:
        adapter.forget_integrals()
        for experiment in EXPERIMENTS:
            fastscan.limit(experiment, "b-l", m_zprime=MASSES)

    def repeated() -> None:
        for experiment in EXPERIMENTS:
            for mass in FEW:
                adapter.forget_integrals()
                fastscan.limit(experiment, "b-l", m_zprime=mass)

    yield together, repeated
