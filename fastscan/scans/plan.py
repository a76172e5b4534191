"""From a grid to its cubes: what a scan is to compute, and for each cube its likelihood and its identity.

The identity is all that the numbers follow from, as the user gave it.  Nothing is scanned or written here.
"""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fastscan.inputs import data_files as tables
from fastscan.interactions.catalogue import Model
from fastscan.likelihoods import likelihood
from fastscan.physics.constants import PHYSICS_VERSION
from fastscan.scans import grid
from fastscan.scans.grid import Combination, Grid, layout_of
from fastscan.stores.cube import Cube

PROSE = ("title", "description", "references")  # may be reworded, and no number changes


def plan(source: str | Path | Grid) -> list[Cube]:
    """The cubes of a grid, one for each experiment or combination and each model, with their likelihoods."""
    checked = grid.load(source)
    return [_cube(checked, *group) for group in checked.groups()]


def _cube(source: Grid, name: str, measured: Combination, model: Model, combined: bool) -> Cube:
    own_axes = source.axes_of(model.has_beta)
    axes = {name: axis.points() for name, axis in own_axes.items()}
    if "sigma_sys" not in axes:  # each experiment keeps its own, which for several is no single number
        own = measured.experiments[0].statistics.sigma_sys
        axes["sigma_sys"] = np.array([np.nan if combined else own])
    axes.setdefault("luminosity", np.ones(1))
    layout = layout_of(source, model.has_beta, combined)
    references = [each for experiment in measured.experiments for each in experiment.references]
    return Cube(
        name=name,
        title=source.title,
        references=tuple(dict.fromkeys([*references, *model.references])),
        identity={
            "physics_version": PHYSICS_VERSION,
            "members": [each.name for each in measured.experiments],
            "experiments": {each.name: _plain(asdict(each)) for each in measured.experiments},
            "combined": combined,
            "fixed_sigma_sys": measured.sigma_sys,
            "model": _plain(asdict(model)),
            "data": {name: tables.digest(name) for name in tables.INPUTS},
            "axes": {name: axis.described() for name, axis in own_axes.items()},
            "dtype": source.dtype,
            "chunks": list(layout.chunks),
            "chunks_per_task": layout.chunks_per_task,
        },
        axes=axes,
        has_beta=model.has_beta,
        layout=layout,
        likelihood=likelihood.build(measured.experiments, model, axes["beta"] if model.has_beta else None),
    )


def _plain(value: Any) -> Any:
    """A value without its prose as JSON gives it back: lists for tuples, and a word for infinity."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key not in PROSE}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return "infinity" if value == math.inf else value
