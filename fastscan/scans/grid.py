"""The grid file: which experiments and models, over which axes, stored how.

Everything a user can get wrong is found here, before anything is computed or written.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fastscan import experiments
from fastscan.experiments.experiment import Experiment
from fastscan.inputs import arguments
from fastscan.inputs.bounds import LARGEST_SIGMA_SYS
from fastscan.inputs.toml import Table, check_name, read_toml
from fastscan.inputs.units import M_ZPRIME_UNITS, UNITS
from fastscan.interactions.catalogue import Model
from fastscan.interactions.catalogue import load as load_model
from fastscan.stores.layout import DIMENSIONS, Layout, arrays_of, chunk_shape
from fastscan.typing import Array

# name -> units, and the check of its points, which are then in rad, GeV or without unit
AXIS_RULES: dict[str, tuple[dict[str, float], Callable[[Array], Array]]] = {
    "beta": (UNITS["angle"], partial(arguments.finite, "beta")),
    "m_zprime": (M_ZPRIME_UNITS, arguments.m_zprime),
    "sigma_sys": ({"1": 1.0}, arguments.sigma_sys),
    "luminosity": ({"1": 1.0}, arguments.luminosity),
}
Named = TypeVar("Named", Experiment, Model)
DTYPES = ("float32", "float64")
LONGEST_AXIS = 10_000_000
MOST_TASKS = 1_000_000  # a scan knows of them all at once
SMALLEST_CHUNK, LARGEST_CHUNK = 2**10, 2**30


@dataclass(frozen=True)
class Axis:
    """One axis as the file gives it: `values`, or `num` points from `start` to `stop`.

    `factor` turns its unit into rad or GeV.
    """

    values: tuple[float, ...] = ()
    start: float = 0.0
    stop: float = 0.0
    num: int = 0
    spacing: str = "linear"
    unit: str = "1"
    factor: float = 1.0

    @property
    def size(self) -> int:
        """The number of points."""
        return len(self.values) or self.num

    def points(self) -> Array:
        """The axis' points, in rad, GeV or without unit."""
        if self.values:
            return np.array(self.values) * self.factor
        space = np.geomspace if self.spacing == "log" else np.linspace
        return space(self.start, self.stop, self.num) * self.factor

    def described(self) -> dict[str, object]:
        """The axis as the file gives it, for a store's identity: nothing in it is computed."""
        range_keys = ("start", "stop", "num", "spacing")
        given: dict[str, object] = (
            {"values": list(self.values)} if self.values else {key: getattr(self, key) for key in range_keys}
        )
        return {**given, "unit": self.unit}


@dataclass(frozen=True)
class Combination:
    """Experiments whose chi2 add up under a name; `sigma_sys` is fixed for some, the others follow the axis."""

    name: str
    experiments: tuple[Experiment, ...]
    sigma_sys: dict[str, float]


@dataclass(frozen=True)
class Grid:
    """A grid file, checked.  Axes that it leaves out are absent from `axes`; sizes are in bytes."""

    title: str
    experiments: tuple[Experiment, ...]
    combinations: tuple[Combination, ...]
    models: tuple[Model, ...]
    axes: dict[str, Axis]
    dtype: str
    chunk_size: int
    task_size: int

    def axes_of(self, has_beta: bool) -> dict[str, Axis]:
        """The axes of models with beta, or of those without."""
        return {name: axis for name, axis in self.axes.items() if name != "beta" or has_beta}

    def groups(self) -> Iterator[tuple[str, Combination, Model, bool]]:
        """Each group of the store: its name, what is measured, its model, whether that is combined; parts count so."""
        alone = [Combination(experiment.name, (experiment,), {}) for experiment in self.experiments]
        for group, combined in ((alone, False), (self.combinations, True)):
            for measured in group:
                for model in self.models:
                    yield f"{measured.name}/{model.name}", measured, model, combined


def load(source: str | Path | Grid) -> Grid:
    """Read and check a grid file.

    Parameters
    ----------
    source : str, Path or Grid
        TOML file; paths of experiments in it count from its directory.  A `Grid` is passed through.

    Raises
    ------
    FastscanError
        One line that names the file and the key that is missing, unknown or wrong.

    Examples
    --------
    >>> grid = load("grids/coherent-csi.toml")
    >>> grid.axes["m_zprime"].points()[[0, -1]]
    array([  10., 2000.])
    """
    if isinstance(source, Grid):
        return source
    table, directory = read_toml(Path(source), "a grid"), Path(source).parent
    combined = "combine" in table
    alone = _experiments(table, directory) if "experiments" in table or not combined else ()
    models = _models(table, directory)
    grid = Grid(
        title=table.text("title", default=""),
        experiments=alone,
        combinations=_combinations(table.table("combine"), alone, directory) if combined else (),
        models=models,
        axes=_axes(table, with_beta=any(model.has_beta for model in models)),
        **_storage(table.table("store", default={})),
    )
    table.done()
    tasks = max(layout.tasks for layout in layouts_of(grid).values())
    if tasks > MOST_TASKS:
        raise table.error("store", f"cuts a cube into {tasks} tasks; a larger chunk or task makes at most {MOST_TASKS}")
    return grid


def layout_of(grid: Grid, has_beta: bool, combined: bool) -> Layout:
    """How the cubes of a grid's models, with beta or without, are cut."""
    sizes = {name: axis.size for name, axis in grid.axes_of(has_beta).items()}
    shape = tuple(sizes.get(name, 1) for name in DIMENSIONS)
    itemsize = np.dtype(grid.dtype).itemsize
    chunks = chunk_shape(shape, grid.chunk_size // itemsize)
    per_task = max(1, grid.task_size // (math.prod(chunks) * itemsize))
    return Layout(shape, chunks, per_task, grid.dtype, arrays_of(combined))


def layouts_of(grid: Grid) -> dict[str, Layout]:
    """How each group of a grid's store is cut."""
    return {name: layout_of(grid, model.has_beta, combined) for name, _, model, combined in grid.groups()}


def _experiments(table: Table, directory: Path) -> tuple[Experiment, ...]:
    return _listed(table, "experiments", partial(experiments.load, relative_to=directory))


def _models(table: Table, directory: Path) -> tuple[Model, ...]:
    return _listed(table, "models", partial(load_model, relative_to=directory))


def _listed(table: Table, key: str, load: Callable[[str], Named]) -> tuple[Named, ...]:
    """What a list of names and paths stands for; two of the same name are refused."""
    loaded: dict[str, Named] = {}
    for given in table.texts(key):
        found = table.checked(key, partial(load, given))
        if found.name in loaded:
            raise table.error(key, f"two are named {found.name!r}")
        loaded[found.name] = found
    return tuple(loaded.values())


def _combinations(table: Table, alone: tuple[Experiment, ...], directory: Path) -> tuple[Combination, ...]:
    if not table.names():
        raise table.error("NAME", "missing; a combination is a table [combine.NAME]")
    found = []
    for name in table.names():
        entry = table.table(name)
        table.checked(name, partial(check_name, name))
        if name in {*experiments.names(), *(experiment.name for experiment in alone)}:
            raise table.error(name, "is the name of an experiment")
        members = _experiments(entry, directory)
        fixed = entry.table("sigma_sys", default={})
        sigma = {each.name: fixed.number(each.name, 0, LARGEST_SIGMA_SYS) for each in members if each.name in fixed}
        fixed.done(known=[each.name for each in members])
        entry.done()
        found.append(Combination(name, members, sigma))
    return tuple(found)


def _axes(table: Table, with_beta: bool) -> dict[str, Axis]:
    axes = table.table("axes")
    parsed = {name: _axis(axes.table(name), *AXIS_RULES[name]) for name in AXIS_RULES if name in axes}
    axes.done(known=AXIS_RULES)
    if "m_zprime" not in parsed:
        raise axes.error("m_zprime", "missing; every grid needs this axis")
    if with_beta and "beta" not in parsed:
        raise axes.error("beta", "missing; model 'e6' needs this axis")
    if not with_beta and "beta" in parsed:
        raise axes.error("beta", "no model of this grid uses this axis; only 'e6' does")
    return parsed


def _axis(table: Table, units: dict[str, float], check: Callable[[Array], Array]) -> Axis:
    unit = table.choice("unit", units, default="1" if "1" in units else None)
    factor = units[unit]
    if "values" in table:
        axis = Axis(values=table.numbers("values"), unit=unit, factor=factor)
    else:
        spacing = table.choice("spacing", ["linear", "log"], default="linear")
        num = table.whole("num", 1, LONGEST_AXIS)
        axis = Axis((), table.number("start"), table.number("stop"), num, spacing, unit, factor)
        if spacing == "log" and min(axis.start, axis.stop) <= 0:
            raise table.error("start", "must be positive, and stop too, where spacing is 'log'")
        if axis.start > axis.stop:
            raise table.error("stop", f"must not be below start ({axis.start:g}), but is {axis.stop:g}")
        if (axis.num == 1) != (axis.start == axis.stop):
            raise table.error("num", "must be 1 where start equals stop, and only there")
    table.done()
    key = "values" if axis.values else "start"
    with np.errstate(over="ignore", invalid="ignore"):
        points = axis.points()
    table.checked(key, partial(check, points))
    table.checked(key, partial(arguments.finite, "the axis", points))
    if (np.diff(points) <= 0).any():
        raise table.error(key, "must increase from each point to the next")
    return axis


def _storage(table: Table) -> dict[str, Any]:
    sizes = {}
    for key in ("chunk", "task"):
        sizes[f"{key}_size"] = int(min(table.quantity(key, "size", default="16 MiB"), 2**62))
    if not SMALLEST_CHUNK <= sizes["chunk_size"] <= LARGEST_CHUNK:
        raise table.error("chunk", "must be between 1 KiB and 1 GiB: it is held in memory, and is a file")
    dtype = table.choice("dtype", DTYPES, default="float32")
    table.done()
    return {"dtype": dtype, **sizes}
