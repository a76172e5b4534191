"""The catalogue of experiments: those of the package, and a user's own.

An experiment is a TOML file, in the package (`fastscan/data/experiments`) or the user's own; no number of an
experiment stands in code.
"""

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path

from fastscan.errors import ExperimentError, unknown
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.reading import parse
from fastscan.inputs.bounds import MOST_LISTED
from fastscan.inputs.toml import name_of, name_or_path, read_toml

BUILT_IN: Traversable = files("fastscan") / "data" / "experiments"

Experiments = str | PathLike[str] | Experiment | Sequence[str | PathLike[str] | Experiment]


def names() -> list[str]:
    """Names of the experiments in the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in BUILT_IN.iterdir() if entry.name.endswith(".toml"))


def load(experiment: str | PathLike[str] | Experiment, relative_to: Path | None = None) -> Experiment:
    """The experiment of a name, or of a path to a TOML file.

    Parameters
    ----------
    experiment : str, path or Experiment
        A name of `names`, or a path that ends in ``.toml``, where ~ is the user's home; an `Experiment` is passed
        through.
    relative_to : Path, optional
        Directory from which a relative path counts; left out, the current one.

    Raises
    ------
    ExperimentError
        Where the name is unknown, or the file is missing or wrong.

    Examples
    --------
    >>> load("coherent-ge").targets
    (Target(compound='Ge', mass_kg=15.0, molar_mass=None, abundances=(), dopants=(), form_factor=Fermi()),)
    """
    if isinstance(experiment, Experiment):
        return experiment
    path = name_or_path(experiment, "an experiment", relative_to)
    if isinstance(path, str):
        if path not in names():
            raise unknown("experiment", path, names(), ExperimentError)
        path = Path(str(BUILT_IN / f"{path}.toml"))
    table = read_toml(path, "an experiment")
    name = name_of(table, path)
    if name in names() and path.resolve().parent != Path(str(BUILT_IN)).resolve():
        raise table.error("name", f"{name!r} is an experiment of the package; give the file another name")
    return parse(name, table)


def load_all(experiments: Experiments) -> list[Experiment]:
    """`load` of one or of several."""
    if isinstance(experiments, str | PathLike | Experiment) or not isinstance(experiments, Sequence):
        return [load(experiments)]
    if len(experiments) > MOST_LISTED:
        raise ExperimentError(f"at most {MOST_LISTED} experiments can be combined, not {len(experiments)}")
    return [load(experiment) for experiment in experiments]
