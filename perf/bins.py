"""An experiment of many bins against the same one in fewer."""

from collections.abc import Iterator
from pathlib import Path

import adapter
import numpy as np
from measure import Calls, pair

FEW, MANY = 300, 3000


@pair(
    f"energy integrals and sums over bins, {MANY // FEW} x those of {FEW} bins / those of {MANY} bins",
    at_least=0.8,
    work=MANY / FEW,
)
def proportional(place: Path) -> Iterator[Calls]:
    few, many = (adapter.integrate("cr51-lxe-c", np.linspace(0, 0.6, bins + 1)) for bins in (FEW, MANY))
    yield many, few
