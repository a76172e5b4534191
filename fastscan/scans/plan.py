"""From a grid to its cubes: each cube that a scan computes, with its likelihood and its identity.

The identity holds all inputs that determine the numbers, as the user gave them.  Nothing is scanned or written here.
"""

import hashlib
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fastscan.axes import SETTINGS, Axis
from fastscan.errors import warn
from fastscan.inputs import data_files
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.building import build, with_expected_data
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.limits.drawn import drawable
from fastscan.physics.constants import PHYSICS_VERSION
from fastscan.scans import grid
from fastscan.scans.grid import Combination, Grid, layout_of
from fastscan.stores.cube import Cube
from fastscan.typing import Array

PROSE = (
    "title",
    "label",
    "description",
    "references",
    "assumed",
    "shown_in",
)  # keys whose texts may change without any change of a number


def plan(source: str | Path | Grid) -> list[Cube]:
    """The cubes of a grid, with their likelihoods.

    Parameters
    ----------
    source : str, Path or Grid
        See `fastscan.scans.grid.load`.

    Returns
    -------
    list of Cube
        One for each experiment or combination and each model, in the order of `Grid.groups`.

    Raises
    ------
    FastscanError
        Where the grid is wrong, or an experiment counts no events.
    """
    checked = grid.load(source)
    warn(*grid.doubts(checked))
    return cubes_of(checked)


def cubes_of(source: Grid) -> list[Cube]:
    """The cubes of a checked grid, as `plan` returns them, without warnings."""
    cubes = [_cube(source, *group) for group in source.groups()]
    return [cube.with_expected_data() for cube in cubes] if source.asimov else cubes


def _cube(source: Grid, name: str, measured: Combination, model: Interaction, combined: bool) -> Cube:
    given = source.axes_of(model)
    mesh = np.meshgrid(*(given[axis.name].array() for axis in model.rows), indexing="ij")
    rows = {axis.name: each.ravel() for axis, each in zip(model.rows, mesh, strict=True)}
    joint = build(measured.experiments, model, rows, measured.sigma_sys)
    found = joint.independent() if measured.independent else joint
    if source.toys:
        drawable(found)
    points = {
        axis.name: given[axis.name].array() if axis.name in given else _left_out(axis, found, combined)
        for axis in (*model.parameters, *SETTINGS)
    }
    layout = layout_of(source, model, combined)
    references = [each for experiment in measured.experiments for each in experiment.references]
    return Cube(
        name=name,
        title=source.title,
        label=name.partition("/")[0] if combined else measured.experiments[0].label,
        references=tuple(dict.fromkeys([*references, *model.references])),
        identity={
            "physics_version": PHYSICS_VERSION,
            "members": [each.name for each in measured.experiments],
            "experiments": {each.name: plain(asdict(each)) for each in measured.experiments},
            "asimov": False,
            "combined": combined,
            "fixed_sigma_sys": measured.sigma_sys,
            "independent": measured.independent,
            "model": model.identity(),
            "data": {name: data_files.digest(name) for name in data_files.INPUTS},
            "axes": {axis: each.described() for axis, each in given.items()},
            "dtype": source.dtype,
            "chunks": list(layout.chunks),
            "chunks_per_task": layout.chunks_per_task,
            **({"toys": asdict(source.toys)} if source.toys else {}),
        },
        interaction=model,
        points=points,
        layout=layout,
        likelihood=found,
        expected=with_expected_data(found, measured.experiments, model, rows),
    )


def _left_out(axis: Axis, found: Likelihood, combined: bool) -> Array:
    """The single point of a setting that the grid leaves out; nan where several experiments have their own values."""
    return np.array([np.nan]) if combined and axis.default is None else found.own(axis.name)


def plain(value: Any) -> Any:
    """A value that JSON preserves: without prose, with lists for tuples, and with texts for infinity and arrays."""
    if isinstance(value, np.ndarray):
        return f"sha256 {hashlib.sha256(value.tobytes()).hexdigest()} of {list(value.shape)}"
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in PROSE}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return "infinity" if value == math.inf else value
