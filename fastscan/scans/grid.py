"""Grid files: the experiments and models of a scan, the points of its axes, and the format of its store.

This room finds all mistakes in a grid file before anything is computed or written.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fastscan import experiments
from fastscan.axes import LUMINOSITY, SETTINGS, SIGMA_SYS, Axis, by_name
from fastscan.errors import GridError, quoted
from fastscan.experiments.data_sets import require_distinct
from fastscan.experiments.experiment import Experiment
from fastscan.inputs import bounds
from fastscan.inputs.spacing import SPACINGS
from fastscan.inputs.toml import Table, check_name, expanded, read_toml
from fastscan.interactions import catalogue
from fastscan.interactions.interaction import Interaction
from fastscan.interactions.parameters import AXES, PARAMETERS
from fastscan.likelihoods.settings import counted_once, is_scaled
from fastscan.limits.confidence import Toys
from fastscan.limits.doubts import about_errors, about_strengths
from fastscan.limits.limits import LARGEST_SEED, MOST_TOYS
from fastscan.stores.cube import ToyRun
from fastscan.stores.layout import DTYPES, Layout, arrays_of, chunk_shape
from fastscan.typing import Array

Named = TypeVar("Named", Experiment, Interaction)


@dataclass(frozen=True)
class Points:
    """The points of an axis as the file gives them.

    Attributes
    ----------
    axis : Axis
    values : tuple of float
        The points in `unit`; empty where they are a range.
    start, stop : float
        The ends of a range in `unit`, both of them points.
    num : int
        How many points a range has.
    spacing : {"linear", "log"}
    unit : str
    """

    axis: Axis
    values: tuple[float, ...] = ()
    start: float = 0.0
    stop: float = 0.0
    num: int = 0
    spacing: str = "linear"
    unit: str = "1"

    @property
    def size(self) -> int:
        """The number of points."""
        return len(self.values) or self.num

    def array(self) -> Array:
        """The points in the unit of the axis, as the floats nearest to the intended decimal numbers.

        >>> from fastscan.axes import SIGMA_SYS
        >>> Points(SIGMA_SYS, start=0.0, stop=0.3, num=4).array().tolist()
        [0.0, 0.1, 0.2, 0.3]
        """
        if self.values:
            return np.array(self.ends)
        space = SPACINGS[self.spacing]
        if self.axis.is_decimal(self.unit):
            start, stop = self.ends
            return space(start, stop, self.num)
        points: Array = self.axis.converted(space(self.start, self.stop, self.num), self.unit)
        return points

    @property
    def ends(self) -> tuple[float, ...]:
        """The values, or start and stop, in the unit of the axis."""
        return tuple(self.axis.exactly(each, self.unit) for each in self.values or (self.start, self.stop))

    def described(self) -> dict[str, object]:
        """The axis as the file gives it, without any computed number, for a store's identity."""
        range_keys = ("start", "stop", "num", "spacing")
        given: dict[str, object] = (
            {"values": list(self.values)} if self.values else {key: getattr(self, key) for key in range_keys}
        )
        return {**given, "unit": self.unit}


@dataclass(frozen=True)
class Combination:
    """Experiments whose chi2 add up under a name.

    Attributes
    ----------
    name : str
    experiments : tuple of Experiment
    sigma_sys : dict of str to float
        The errors of some experiments by name; the others follow the axis.
    independent : bool
        Whether they share no nuisance.
    """

    name: str
    experiments: tuple[Experiment, ...]
    sigma_sys: dict[str, float]
    independent: bool = False


@dataclass(frozen=True)
class Grid:
    """A grid file, checked.

    Attributes
    ----------
    title : str
    experiments, combinations, models : tuple
        The experiments, combinations and models that have groups in the store.
    axes : dict of str to Points
        The points of each axis by its name; axes that the file leaves out are absent.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data.
    dtype : {"float32", "float64"}
        The type in which chi2 is stored.
    chunk_size, task_size : int
        Largest number of bytes of one file, and of the results of one task.
    toys : ToyRun or None
        The toys at each point; None without toys.
    """

    title: str
    experiments: tuple[Experiment, ...]
    combinations: tuple[Combination, ...]
    models: tuple[Interaction, ...]
    axes: dict[str, Points]
    asimov: bool
    dtype: str
    chunk_size: int
    task_size: int
    toys: ToyRun | None = None

    def axes_of(self, model: Interaction) -> dict[str, Points]:
        """The axes of a model's groups that the file gives, in the order of their dimensions."""
        names = [axis.name for axis in (*model.parameters, *SETTINGS)]
        return {name: self.axes[name] for name in names if name in self.axes}

    def groups(self) -> Iterator[tuple[str, Combination, Interaction, bool]]:
        """Each group of the store: its name, what is measured, its model, and whether it is a combination.

        The parts of a scan count tasks in this order.
        """
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
        Path of a TOML file, where ~ is the user's home.  Paths in the file are relative to its directory.  A `Grid` is
        returned unchanged.

    Returns
    -------
    Grid
        The contents of the file; nothing is computed.

    Raises
    ------
    GridError
        For a key that is missing, unknown or wrong; the message is one line that names the file and the key.

    Examples
    --------
    >>> grid = load("grids/coherent-csi.toml")
    >>> grid.axes["m_zprime"].array()[[0, -1]]
    array([  10., 2000.])
    """
    if isinstance(source, Grid):
        return source
    if not isinstance(source, str | PathLike):
        raise GridError(f"a grid is a path or a Grid, not {quoted(source)}")
    path = expanded(source)
    table, directory = read_toml(path, "a grid"), path.parent
    combined = "combine" in table
    alone = _experiments(table, directory) if "experiments" in table or not combined else ()
    models = _models(table, directory)
    toys = _toys(table, models) if "toys" in table else None
    grid = Grid(
        title=table.text("title", default=""),
        experiments=alone,
        combinations=_combinations(table.table("combine"), alone, directory) if combined else (),
        models=models,
        axes=_axes(table, models),
        asimov="asimov" in table and table.flag("asimov"),
        **_storage(table.table("store", default={}), "1 MiB" if toys else "16 MiB"),
        toys=toys,
    )
    table.done()
    if counted := _counted_elsewhere(grid):
        raise table.table("axes").error(LUMINOSITY.name, counted_once(counted))
    groups = (len(grid.experiments) + len(grid.combinations)) * len(grid.models)
    if groups > bounds.MOST_GROUPS:
        told = f"make {groups} groups with the experiments; a store has at most {bounds.MOST_GROUPS}"
        raise table.error("models", told)
    tasks = max(layout.tasks for layout in layouts_of(grid).values())
    if tasks > bounds.MOST_TASKS:
        told = f"cuts a cube into {tasks} tasks; a larger chunk or task makes at most {bounds.MOST_TASKS}"
        raise table.error("store", told)
    return grid


def _counted_elsewhere(grid: Grid) -> list[str]:
    """Names of the experiments with measured counts that a grid would scale to a luminosity other than 1."""
    luminosity = grid.axes.get(LUMINOSITY.name)
    if grid.asimov or luminosity is None or not any(map(is_scaled, luminosity.array().tolist())):
        return []
    measured = {each.name: each for _, group, _, _ in grid.groups() for each in group.experiments if each.is_measured}
    return [name for name, each in measured.items() if each.statistics.is_counted]


def doubts(grid: Grid) -> list[str]:
    """Warnings about the values in a grid, see `fastscan.limits.doubts`."""
    common = grid.axes[SIGMA_SYS.name].ends if SIGMA_SYS.name in grid.axes else ()
    found = []
    for _, measured, model, _ in grid.groups():
        fixed = measured.sigma_sys
        errors = {
            each.name: [fixed[each.name]] if each.name in fixed else [each.statistics.sigma_sys, *common]
            for each in measured.experiments
        }
        transfers = {each.name: each.largest_momentum_transfer_mev for each in measured.experiments}
        ends = grid.axes[model.strength.axis.name].ends
        found += [*about_errors(errors), *about_strengths(model.strength, transfers, ends)]
    return found


def layout_of(grid: Grid, model: Interaction, combined: bool) -> Layout:
    """The layout of the cubes of one of a grid's models; an axis that the grid leaves out has one point."""
    names = [axis.name for axis in (*model.parameters, *SETTINGS)]
    shape = tuple(grid.axes[name].size if name in grid.axes else 1 for name in names)
    itemsize = np.dtype(grid.dtype).itemsize
    toys = grid.toys.number if grid.toys else 0
    size = itemsize * max(toys, 1)  # bytes of a point in its largest array
    chunks = chunk_shape(shape, max(1, grid.chunk_size // size))
    per_task = max(1, grid.task_size // (math.prod(chunks) * size))
    return Layout(shape, chunks, per_task, grid.dtype, arrays_of(combined, toys), toys)


def layouts_of(grid: Grid) -> dict[str, Layout]:
    """The layout of each group of a grid's store."""
    return {name: layout_of(grid, model, combined) for name, _, model, combined in grid.groups()}


def _experiments(table: Table, directory: Path) -> tuple[Experiment, ...]:
    return _listed(table, "experiments", partial(experiments.load, relative_to=directory))


def _models(table: Table, directory: Path) -> tuple[Interaction, ...]:
    return _listed(table, "models", partial(catalogue.load, relative_to=directory))


def _listed(table: Table, key: str, load: Callable[[str], Named]) -> tuple[Named, ...]:
    """The experiments or models in a list of names and paths; two with the same name are refused."""
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
        table.checked(name, partial(check_name, name))
        entry = table.table(name)
        if name in {*experiments.names(), *(experiment.name for experiment in alone)}:
            raise table.error(name, "is the name of an experiment")
        members = _experiments(entry, directory)
        entry.checked("experiments", partial(require_distinct, {each.name: each.data_set for each in members}))
        fixed = entry.table("sigma_sys", default={})
        ends = (SIGMA_SYS.low, SIGMA_SYS.high)
        sigma = {each.name: fixed.relative(each.name, *ends) for each in members if each.name in fixed}
        fixed.done(known=[each.name for each in members])
        independent = "independent" in entry and entry.flag("independent")
        entry.done()
        found.append(Combination(name, members, sigma, independent))
    return tuple(found)


def _axes(table: Table, models: tuple[Interaction, ...]) -> dict[str, Points]:
    """The points of each axis in the file; each axis must belong to a model, and each model needs all of its axes."""
    axes = table.table("axes")
    needed = by_name(axis for model in models for axis in model.parameters)
    known = by_name(AXES) | needed  # a model of this grid decides which description an axis' name has
    parsed = {name: _points(axes.table(name), axis) for name, axis in known.items() if name in axes}
    axes.done(known=known)
    for model in models:
        for axis in model.parameters:
            if axis.name not in parsed:
                raise axes.error(axis.name, f"missing; model {model.name!r} needs this axis")
            axes.checked(axis.name, partial(axis.check, parsed[axis.name].ends))
    for axis in PARAMETERS:
        if axis.name in parsed and axis.name not in needed:
            users = ", ".join(
                repr(name) for name, model in catalogue.MODELS.items() if axis.name in by_name(model.parameters)
            )
            raise axes.error(axis.name, f"no model of this grid uses this axis; these do: {users}")
    return parsed


def _points(table: Table, axis: Axis) -> Points:
    unit = table.choice("unit", axis.units, default="1" if "1" in axis.units else None)
    if "values" in table:
        points = Points(axis, values=table.numbers("values"), unit=unit)
    else:
        spacing = table.choice("spacing", SPACINGS, default="linear")
        num = table.whole("num", 1, bounds.LONGEST_AXIS)
        points = Points(axis, (), table.number("start"), table.number("stop"), num, spacing, unit)
        if spacing == "log" and min(points.start, points.stop) <= 0:
            raise table.error("start", "must be positive, and stop too, where spacing is 'log'")
        if points.start > points.stop:
            raise table.error("stop", f"must not be below start ({points.start:g}), but is {points.stop:g}")
        if (points.num == 1) != (points.start == points.stop):
            raise table.error("num", "must be 1 where start equals stop, and only there")
    table.done()
    key = "values" if points.values else "start"
    ends = table.checked(key, partial(axis.check, points.ends))
    if not np.isfinite(ends).all():
        raise table.error(key, f"the axis must be finite, not {ends[~np.isfinite(ends)][0]:g}")
    if (np.diff(points.array()) <= 0).any():
        raise table.error(key, "must increase from each point to the next")
    return points


def _toys(table: Table, models: tuple[Interaction, ...]) -> ToyRun:
    """The toys that are thrown at each point."""
    entry = table.table("toys")
    number = entry.whole("number", 1, MOST_TOYS)
    seed = entry.whole("seed", 0, LARGEST_SEED) if "seed" in entry else Toys.seed
    dof = entry.whole("dof", 1, 2) if "dof" in entry else 1
    entry.done()
    for model in models:
        if dof > 1 and len(model.rows) != 1:
            raise table.error("toys", f"dof = 2 fits the strength and one row parameter, which {model.name!r} lacks")
    return ToyRun(number, seed, dof)


def _storage(table: Table, size: str) -> dict[str, Any]:
    sizes = {}
    for key in ("chunk", "task"):
        sizes[f"{key}_size"] = int(table.quantity(key, "size", default=size))
    if not bounds.CHUNK[0] <= sizes["chunk_size"] <= bounds.CHUNK[1]:
        raise table.error("chunk", "must be between 1 KiB and 1 GiB: it is held in memory, and is a file")
    dtype = table.choice("dtype", DTYPES, default="float32")
    table.done()
    return {"dtype": dtype, **sizes}
