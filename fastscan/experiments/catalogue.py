"""Experiments: what is measured, with what, for how long, and how its counts are judged.

An experiment is a TOML file, in the package (`fastscan/data/experiments`) or the user's own, which
`experiment_files` reads; no number of an experiment stands in code.  Here are the words it consists of, in the base
units of `fastscan.inputs.units`, and `names` and `load`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path
from typing import ClassVar

from fastscan.errors import FastscanError, unknown
from fastscan.inputs.toml import check_name, name_or_path, read_toml
from fastscan.physics.constants import M_MUON
from fastscan.typing import Channel

BUILT_IN: Traversable = files("fastscan") / "data" / "experiments"


@dataclass(frozen=True)
class Target:
    """A mass of a compound; `molar_mass` in g/mol, None for that of the natural isotopes."""

    compound: str
    mass_kg: float
    molar_mass: float | None = None


@dataclass(frozen=True)
class Point:
    """A detector that is small beside its distance from the source."""

    distance_m: float


@dataclass(frozen=True)
class Cylinder:
    """A cylindrical detector with the source on its axis, at a distance from its nearer face."""

    height_m: float
    diameter_m: float
    distance_m: float

    @property
    def volume_m3(self) -> float:
        return math.pi / 4 * self.diameter_m**2 * self.height_m


Geometry = Point | Cylinder


@dataclass(frozen=True)
class PionDecayAtRest:
    """A stopped-pion source: protons on target in a time, neutrinos of each flavour per proton."""

    neutrinos_per_proton: float
    protons: float
    protons_in_s: float
    endpoint_mev: ClassVar[float] = M_MUON / 2  # of both neutrinos from the muon's decay


@dataclass(frozen=True)
class Reactor:
    """A reactor: thermal power, and the share of fissions of each fuel isotope."""

    power_w: float
    fission_fractions: tuple[tuple[str, float], ...]
    endpoint_mev: ClassVar[float] = 10.0  # where the tabulated spectra end


@dataclass(frozen=True)
class ElectronCapture:
    """A radioactive source: activity at the start, half-life, lines as (energy in MeV, share of decays)."""

    activity_bq: float
    half_life_s: float
    lines: tuple[tuple[float, float], ...]

    @property
    def endpoint_mev(self) -> float:
        return max(energy for energy, _ in self.lines)


Source = PionDecayAtRest | Reactor | ElectronCapture


@dataclass(frozen=True)
class Constant:
    """The same efficiency at every recoil energy."""

    value: float


@dataclass(frozen=True)
class Logistic:
    """plateau / (1 + exp(-slope (x - midpoint))) in x = per_mev * recoil energy."""

    plateau: float
    slope: float
    midpoint: float
    per_mev: float


@dataclass(frozen=True)
class Tabulated:
    """Efficiency linear between recoil energies in MeV, constant outside."""

    energies: tuple[float, ...]
    values: tuple[float, ...]


Efficiency = Constant | Logistic | Tabulated


@dataclass(frozen=True)
class Detector:
    """What is accepted: a smooth efficiency times steps, and the bins that recoils are counted in.

    `edges` (recoil energy in MeV) and `acceptance` are the steps, zero outside; `bins` are the edges of the bins
    in MeV, empty for one bin that holds everything.
    """

    edges: tuple[float, ...]
    acceptance: tuple[float, ...]
    efficiency: Efficiency
    bins: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measured:
    """Counted events and their backgrounds (Eq. 21); `observed` None: what the Standard Model predicts."""

    observed: float | None
    steady_state: float
    background: float
    background_error: float
    sigma_sys: float


@dataclass(frozen=True)
class Projection:
    """Data that are the Standard Model's prediction (Eqs. 22, 23).

    `background` is relative to the signal; where it `background_scales`, the nuisance acts on it as well.
    """

    background: float
    background_scales: bool
    sigma_sys: float


Statistics = Measured | Projection


@dataclass(frozen=True)
class Experiment:
    """One experiment; `digest` is the SHA-256 of the file that describes it."""

    name: str
    title: str
    channel: Channel
    references: tuple[str, ...]
    exposure_s: float
    geometry: Geometry
    targets: tuple[Target, ...]
    source: Source
    detector: Detector
    statistics: Statistics
    digest: str

    @property
    def is_measured(self) -> bool:
        """Whether there are data, so that an observed limit differs from the expected one."""
        return isinstance(self.statistics, Measured) and self.statistics.observed is not None

    def expected(self) -> "Experiment":
        """The same experiment with its data replaced by the Standard Model's prediction.

        The predicted signal and background stand in for the observed count, in the variance too.

        Examples
        --------
        >>> load("coherent-csi").expected().name
        'coherent-csi-expected'
        """
        if not self.is_measured:
            return self
        assert isinstance(self.statistics, Measured)
        return replace(self, name=f"{self.name}-expected", statistics=replace(self.statistics, observed=None))


Experiments = str | PathLike[str] | Experiment | Sequence[str | PathLike[str] | Experiment]


def names() -> list[str]:
    """Names of the experiments in the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in BUILT_IN.iterdir() if entry.name.endswith(".toml"))


def load(experiment: str | PathLike[str] | Experiment, relative_to: Path | None = None) -> Experiment:
    """The experiment of a name, or of a path to a TOML file.

    Parameters
    ----------
    experiment : str, path or Experiment
        A name of `names`, or a path that ends in ``.toml``; an `Experiment` is passed through.
    relative_to : Path, optional
        Directory from which a relative path counts; left out, the current one.

    Raises
    ------
    FastscanError
        Where the name is unknown, or the file is missing or wrong.

    Examples
    --------
    >>> load("coherent-ge").targets
    (Target(compound='Ge', mass_kg=15.0, molar_mass=None),)
    """
    if isinstance(experiment, Experiment):
        return experiment
    path = name_or_path(experiment, "an experiment", relative_to)
    if isinstance(path, str):
        if path not in names():
            raise unknown("experiment", path, names())
        path = Path(str(BUILT_IN / f"{path}.toml"))
    elif path.stem in names() and path.resolve().parent != Path(str(BUILT_IN)).resolve():
        raise FastscanError(f"{path}: {path.stem!r} is an experiment of the package; give the file another name")
    from fastscan.experiments.reading import parse  # it speaks in the words above

    table = read_toml(path, "an experiment")
    return parse(table.checked("file name", partial(check_name, path.stem)), table)


def load_all(experiments: Experiments) -> list[Experiment]:
    """`load` of one or of several."""
    if isinstance(experiments, str | PathLike | Experiment) or not isinstance(experiments, Sequence):
        return [load(experiments)]
    return [load(experiment) for experiment in experiments]
