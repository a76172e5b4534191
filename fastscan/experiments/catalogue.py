"""The catalogue of experiments: the package's, and a user's own.

An experiment is a TOML file of the package (`fastscan/data/experiments`) or of the user.  No number of an experiment
is in code.
"""

import functools
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path

from fastscan.errors import ExperimentError, unknown
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.reading import parse
from fastscan.inputs.bounds import MOST_LISTED
from fastscan.inputs.files import kept
from fastscan.inputs.toml import VARIANT, Table, name_of, name_or_path, read_toml

BUILT_IN: Traversable = files("fastscan") / "data" / "experiments"
OWN = ("name", "title", "label")  # keys that a variant doesn't share

Experiments = str | PathLike[str] | Experiment | Sequence[str | PathLike[str] | Experiment]


def names() -> list[str]:
    """Names of the experiments in the package, in alphabetical order.

    >>> names()[:2]
    ['coherent-cryocsi', 'coherent-csi']
    """
    return [*_names()]


@functools.cache
def _names() -> tuple[str, ...]:
    found = [entry.name for entry in BUILT_IN.iterdir() if entry.name.endswith(".toml")]
    return tuple(sorted(name.removesuffix(".toml") for name in found))


def load(experiment: str | PathLike[str] | Experiment, relative_to: Path | None = None) -> Experiment:
    """The experiment with a name, or from a TOML file.

    Parameters
    ----------
    experiment : str, path or Experiment
        A name of `names`, or a path that ends in ``.toml``, where ~ is the user's home.  An `Experiment` is returned
        unchanged.
    relative_to : Path, optional
        Directory to which a relative path refers; by default the current one.

    Returns
    -------
    Experiment
        The experiment.  It is cached until its file, or a file that it names, changes on disk.

    Raises
    ------
    ExperimentError
        Where the name is unknown, or the file is missing or wrong.

    Examples
    --------
    >>> load("coherent-ge").targets
    (Target(compound='Ge', mass_kg=15.0, molar_mass=None, abundances=(), dopants=(), form_factor=Fermi()),)
    """
    return experiment if isinstance(experiment, Experiment) else _load(_path_of(experiment, relative_to))


@kept
def _load(path: Path) -> Experiment:
    """The experiment of a file."""
    table = _read(path)
    name = name_of(table, path)
    if name in names() and path.resolve().parent != Path(str(BUILT_IN)).resolve():
        raise table.error("name", f"{name!r} is an experiment of the package; give the file another name")
    return parse(name, table)


def _path_of(experiment: str | PathLike[str], relative_to: Path | None) -> Path:
    """The file of an experiment of the package, or a user's own."""
    path = name_or_path(experiment, "an experiment", relative_to)
    if isinstance(path, Path):
        return path
    if path not in names():
        raise unknown("experiment", path, names(), ExperimentError)
    return Path(str(BUILT_IN / f"{path}.toml"))


def _read(path: Path) -> Table:
    """The file of an experiment; a variant's file takes missing keys from the experiment of which it is a variant."""
    table = read_toml(path, "an experiment")
    if VARIANT not in table:
        return table
    base = table.checked(VARIANT, lambda: read_toml(_path_of(table.text(VARIANT), path.parent), "an experiment"))
    if VARIANT in base:
        raise table.error(VARIANT, "is a variant itself; name the experiment that it is one of")
    return table.over(base, OWN)


@functools.cache
def label_of(name: str) -> str:
    """The label of an experiment of the package; any other name is returned unchanged.

    >>> label_of("cr51-lxe-a"), label_of("chi")
    ('51Cr (A)', 'chi')
    """
    return load(name).label if name in names() else name


def load_all(experiments: Experiments) -> list[Experiment]:
    """One experiment or several, each as `load` returns it.

    Parameters
    ----------
    experiments : str, path, Experiment or sequence of them
        One experiment, or several.

    Returns
    -------
    list of Experiment

    Raises
    ------
    ExperimentError
        As `load`, and for more than `fastscan.inputs.bounds.MOST_LISTED` experiments.

    Examples
    --------
    >>> [each.label for each in load_all(["conus", "coherent-ge"])]
    ['CONUS', 'COHERENT Ge']
    """
    if isinstance(experiments, str | PathLike | Experiment) or not isinstance(experiments, Sequence):
        return [load(experiments)]
    if len(experiments) > MOST_LISTED:
        raise ExperimentError(f"at most {MOST_LISTED} experiments can be combined, not {len(experiments)}")
    return [load(experiment) for experiment in experiments]
