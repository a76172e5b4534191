"""The likelihood in a group of a store: written as arrays, and read again if the arrays fit each other.

Kernels trust the shapes of these arrays.  The counted events of members are in a group for each statistic, see
`fastscan.likelihoods.member.STATISTICS`.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

from fastscan.likelihoods import exchanges
from fastscan.likelihoods.building import expected_counts
from fastscan.likelihoods.counted import Counted
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.member import STATISTICS
from fastscan.stores.arrays import put_arrays, read_arrays
from fastscan.stores.cube import Cube
from fastscan.stores.layout import GROUPS
from fastscan.stores.location import sync
from fastscan.typing import Array


def put(group: zarr.Group, cube: Cube) -> None:
    """Write the likelihoods of a cube into its group, each kind of arrays in a group of its own."""
    found: dict[str, Mapping[str, Array]] = {"likelihood": vars(cube.likelihood)}
    if cube.is_measured:
        found["expected"] = vars(cube.expected)
    if cube.likelihood.exchanges:
        found["exchanges"] = exchanges.packed(cube.likelihood.exchanges)
        if cube.is_measured:
            found["expected_exchanges"] = exchanges.packed(cube.expected.exchanges)
    for name, statistic in STATISTICS.items():
        counted = [each if type(each) is statistic.counts else None for each in cube.likelihood.counted]
        if any(each is not None for each in counted):
            found[name] = statistic.packed(counted)
    for name, values in found.items():
        put_arrays(group, name, values, GROUPS[name])


def read(
    storage: MemoryStore, files: Collection[str], identity: Mapping[str, Any], rows: int
) -> tuple[Likelihood, Likelihood]:
    """The likelihood of a group, and the one with the Standard Model's prediction in place of measured data.

    Parameters
    ----------
    storage : MemoryStore
        The files of the group without its large chunks.
    files : collection of str
        Keys of these files.
    identity : mapping
        The identity of the group.
    rows : int
        Number of rows of the group.

    Raises
    ------
    ValueError
        Where arrays are missing, or don't fit each other.
    """
    likelihood = Likelihood(tuple(identity["members"]), **_arrays(storage, "likelihood"), **_common_of(identity))
    require_shapes(likelihood, rows)
    counted: list[tuple[Counted | None, ...]] = [
        statistic.unpacked(_arrays(storage, name))
        for name, statistic in STATISTICS.items()
        if f"{name}/zarr.json" in files
    ]
    if counted:
        each_member = zip(*counted, strict=True)
        both = (next((each for each in own if each is not None), None) for own in each_member)
        likelihood = replace(likelihood, counted=tuple(both))
    made = {}
    if "exchanges/zarr.json" in files:
        made = _arrays(storage, "exchanges")
        likelihood = _with_exchanges(likelihood, made)
    if likelihood.counted:
        require_counted(likelihood)
    if "expected/zarr.json" not in files:
        return likelihood, likelihood
    instead = _arrays(storage, "expected")
    expected = replace(likelihood, **instead, counted=expected_counts(likelihood.counted))
    if made:
        expected = _with_exchanges(expected, made | _arrays(storage, "expected_exchanges"))
    return likelihood, expected


def require_shapes(likelihood: Likelihood, rows: int) -> None:
    """Refuse a likelihood whose arrays don't fit each other or the rows of its group: kernels trust their shapes."""
    members, shapes, basis = likelihood.rates.shape
    one = (members,)
    wanted = {
        "roots": (*one, shapes, 3, basis, basis),
        "change": (*one, rows, basis - 1, 3),
        **dict.fromkeys(("spread", "norm", "sigma_sys", "follows", "momentum_transfer"), one),
    }
    wrong = [name for name, shape in wanted.items() if getattr(likelihood, name).shape != shape]
    if wrong or members != len(likelihood.members) or shapes not in (1, rows):
        raise ValueError(f"its likelihood's arrays don't fit each other: {', '.join(wrong)}")


def require_counted(likelihood: Likelihood) -> None:
    """Refuse counted events that don't fit the arrays of a likelihood, or its exchanges."""
    members, shapes, basis = likelihood.rates.shape
    fitting = [
        each is None or (each.rates.shape[0] in (1, shapes) and each.rates.shape[1] <= basis)
        for each in likelihood.counted
    ]
    remade = [
        each is None or each.rates[0, 0].size == exchange.signal.size
        for each, exchange in zip(likelihood.counted, likelihood.exchanges, strict=False)
    ]
    if len(likelihood.counted) != members or not all([*fitting, *remade]):
        raise ValueError("its counted events don't fit its likelihood's arrays")


def _common_of(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes `named` and `common` of a likelihood, from the experiments in a group's identity."""
    shared = [dict(identity["experiments"][member]["shared"]) for member in identity["members"]]
    if identity["independent"]:
        shared = [{} for _ in shared]
    named = tuple(dict.fromkeys(name for each in shared for name in each))
    common = np.array([[float(each.get(name, 0.0)) for name in named] for each in shared])
    return {"named": named, "common": common.reshape(len(shared), len(named))}


def _arrays(storage: MemoryStore, group: str) -> dict[str, Any]:
    """The arrays of a group of `GROUPS`, by their names."""
    found = sync(read_arrays(storage, [f"{group}/{array}" for array in GROUPS[group]]))
    return {name.removeprefix(f"{group}/"): values for name, values in found.items()}


def _with_exchanges(likelihood: Likelihood, arrays: Mapping[str, Array]) -> Likelihood:
    """A likelihood with its exchanges, from the arrays of a store."""
    counted = [each is not None for each in likelihood.counted] or [False] * len(likelihood.members)
    return replace(likelihood, exchanges=exchanges.unpacked(arrays, likelihood.spread, counted))
