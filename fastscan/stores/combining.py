"""Combinations of a store's cubes: cubes of one model become the cube that a grid's [combine] would make."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import zarr

from fastscan.axes import SETTINGS
from fastscan.errors import LimitError, unknown
from fastscan.experiments.data_sets import require_distinct
from fastscan.likelihoods.building import combine
from fastscan.stores import store
from fastscan.stores.cube import Cube
from fastscan.stores.layout import arrays_of


def joint_cubes(root: zarr.Group, names: Sequence[str]) -> list[Cube]:
    """The combination of some experiments of a store, for each model that all of them have.

    Parameters
    ----------
    root : zarr.Group
        Root of the store.
    names : sequence of str
        Names of experiments, or of combinations, of the store.

    Returns
    -------
    list of Cube
        One for each model.  They have no stored values.

    Raises
    ------
    LimitError
        Where a name is unknown, no model is shared, the cubes differ in the model or an axis, or some have measured
        data and others an Asimov set.
    ExperimentError
        Where an experiment or a data set would count twice.
    StoreError
        Where a group is damaged.
    """
    groups = store.group_names(root)
    known = dict.fromkeys(group.split("/")[0] for group in groups)
    for name in names:
        if name not in known:
            raise unknown("experiment of this store", name, known, LimitError)
    shared = [
        model
        for model in dict.fromkeys(group.split("/")[1] for group in groups)
        if all(f"{name}/{model}" in groups for name in names)
    ]
    if not shared:
        raise LimitError(f"no model is in the store for all of {', '.join(names)}")
    return [_joint([store.read(root, f"{name}/{model}") for name in names]) for model in shared]


def _joint(parts: Sequence[Cube]) -> Cube:
    """The cube that a grid file's [combine.NAME] would make of some cubes of one model.

    It has the axes of the first cube.
    """
    first = parts[0]
    shared = (*first.rows, first.strength)
    for part in parts:
        if part.identity["model"] != first.identity["model"]:
            raise LimitError(f"{part.name} and {first.name} differ in the model")
        for name in shared:
            if not np.array_equal(part.points[name], first.points[name]):
                raise LimitError(f"{part.name} and {first.name} differ in {name}")
    asimov = any(part.is_asimov for part in parts)
    for part in parts:
        if asimov and part.is_measured:
            raise LimitError(f"{part.name} has measured data, and others of the combination have an Asimov set")
    experiments = {name: each for part in parts for name, each in part.identity["experiments"].items()}
    require_distinct({name: each.get("data_set", "") for name, each in experiments.items()})
    # several experiments have no single own value
    own = {axis.name: np.array([np.nan]) for axis in SETTINGS if not first.has_axis(axis.name)}
    joint = {
        "asimov": asimov,
        "combined": True,
        "members": [name for part in parts for name in part.identity["members"]],
        "experiments": experiments,
        "fixed_sigma_sys": {name: sigma for part in parts for name, sigma in part.identity["fixed_sigma_sys"].items()},
    }
    likelihood = combine([part.likelihood for part in parts])
    measured = any(part.is_measured for part in parts)
    return replace(
        first,
        name=f"{'+'.join(part.experiment for part in parts)}/{first.model}",
        label=" + ".join(part.label for part in parts),
        references=tuple(dict.fromkeys(reference for part in parts for reference in part.references)),
        identity={key: value for key, value in first.identity.items() if key != "toys"} | joint,
        points=first.points | own,
        layout=replace(first.layout, arrays=arrays_of(combined=True), toys=0),
        likelihood=likelihood,
        expected=combine([part.expected for part in parts]) if measured else likelihood,
    )
