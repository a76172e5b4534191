"""Experiments: what is measured, with what, for how long, and how its counts are judged.

An experiment is a TOML file, in the package (`fastscan/data/experiments`) or the user's own; no number of an
experiment stands in code.  Quantities are kept in the base units of `fastscan.units`.
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

from fastscan import nuclei
from fastscan.config import Table, check_name, name_or_path, read_toml
from fastscan.constants import LARGEST_SIGMA_SYS, M_ELECTRON, M_MUON
from fastscan.errors import unknown
from fastscan.kinematics import maximum_recoil
from fastscan.units import UNITS

BUILT_IN: Traversable = files("fastscan") / "data" / "experiments"
FUELS = ("U235", "U238", "Pu239", "Pu241")
RECOIL_UNITS = {name: UNITS["energy"][name] for name in ("eV", "keV", "MeV")}


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


@dataclass(frozen=True)
class PionDecayAtRest:
    """A stopped-pion source: protons on target in a time, neutrinos of each flavour per proton."""

    neutrinos_per_proton: float
    protons: float
    protons_in_s: float
    endpoint_mev: ClassVar[float] = M_MUON / 2


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


@dataclass(frozen=True)
class Detector:
    """What is accepted: a smooth efficiency times steps, and the bins that recoils are counted in.

    `edges` (recoil energy in MeV) and `acceptance` are the steps, zero outside; `bins` are the edges of the bins
    in MeV, empty for one bin that holds everything.
    """

    edges: tuple[float, ...]
    acceptance: tuple[float, ...]
    efficiency: Constant | Logistic | Tabulated
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


@dataclass(frozen=True)
class Experiment:
    """One experiment; `digest` is the SHA-256 of the file that describes it."""

    name: str
    title: str
    channel: str
    references: tuple[str, ...]
    exposure_s: float
    geometry: Point | Cylinder
    targets: tuple[Target, ...]
    source: PionDecayAtRest | Reactor | ElectronCapture
    detector: Detector
    statistics: Measured | Projection
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
    table = read_toml(path)
    parsed = _parse(table.checked("file name", partial(check_name, path.stem)), table)
    table.done()
    return parsed


def load_all(experiments: Experiments) -> list[Experiment]:
    """`load` of one or of several."""
    if isinstance(experiments, str | PathLike | Experiment) or not isinstance(experiments, Sequence):
        return [load(experiments)]
    return [load(experiment) for experiment in experiments]


def _parse(name: str, table: Table) -> Experiment:
    geometry = _parse_geometry(table)
    experiment = Experiment(
        name=name,
        title=table.text("title"),
        channel=table.choice("channel", ["cevns", "nu-e"]),
        references=table.texts("references"),
        exposure_s=table.quantity("exposure", "time"),
        geometry=geometry,
        targets=tuple(_parse_target(target, geometry) for target in table.tables("target")),
        source=_parse_source(table.table("source")),
        detector=_parse_detector(table.table("detector")),
        statistics=_parse_statistics(table.table("statistics")),
        digest=table.digest,
    )
    if isinstance(experiment.statistics, Measured) and experiment.detector.bins:
        raise table.error("detector", "bins: a measured count is one number; leave the bins out")
    if experiment.channel == "nu-e" and not isinstance(experiment.source, ElectronCapture):
        raise table.error("channel", "'nu-e' is only known for the nu_e of an electron-capture source")
    largest, threshold = largest_recoil(experiment), experiment.detector.edges[0]
    if threshold >= largest:
        raise table.error("detector", f"threshold {threshold:.3g} MeV is above any recoil ({largest:.3g} MeV)")
    return experiment


def largest_recoil(experiment: Experiment) -> float:
    """Largest recoil energy in MeV that the source gives to any target."""
    masses = [M_ELECTRON]
    if experiment.channel == "cevns":
        compounds = [nuclei.parse_formula(target.compound) for target in experiment.targets]
        isotopes = [isotope for atoms in compounds for symbol in atoms for isotope in nuclei.elements()[symbol]]
        masses = [isotope.mass_mev for isotope in isotopes]
    return maximum_recoil(experiment.source.endpoint_mev, min(masses))


def _parse_geometry(table: Table) -> Point | Cylinder:
    if "cylinder" not in table:
        return Point(table.quantity("baseline", "length"))
    cylinder = table.table("cylinder")
    parsed = Cylinder(*(cylinder.quantity(key, "length") for key in ("height", "diameter", "distance")))
    cylinder.done()
    return parsed


def _parse_target(table: Table, geometry: Point | Cylinder) -> Target:
    compound = table.text("compound")
    table.checked("compound", partial(nuclei.parse_formula, compound))
    if isinstance(geometry, Cylinder) and "density" in table:
        mass = table.quantity("density", "density") * geometry.volume_m3
    else:
        mass = table.quantity("mass", "mass")
    molar_mass = table.quantity("molar_mass", "molar mass") if "molar_mass" in table else None
    table.done()
    return Target(compound, mass, molar_mass)


def _parse_source(table: Table) -> PionDecayAtRest | Reactor | ElectronCapture:
    source: PionDecayAtRest | Reactor | ElectronCapture
    match table.choice("kind", ["pion-decay-at-rest", "reactor", "electron-capture"]):
        case "pion-decay-at-rest":
            source = PionDecayAtRest(
                neutrinos_per_proton=table.positive("neutrinos_per_proton"),
                protons=table.positive("protons"),
                protons_in_s=table.quantity("protons_in", "time"),
            )
        case "reactor":
            fractions = table.table("fission_fractions")
            shares = tuple((fuel, fractions.number(fuel, 0, 1)) for fuel in FUELS if fuel in fractions)
            fractions.done(known=FUELS)
            if abs(sum(share for _, share in shares) - 1) > 1e-6:
                raise table.error("fission_fractions", "must add up to 1")
            source = Reactor(table.quantity("power", "power"), shares)
        case _:
            lines = []
            for line in table.tables("lines"):
                lines.append((line.quantity("energy", "energy"), line.number("fraction", 0, 1)))
                line.done()
            source = ElectronCapture(
                table.quantity("activity", "activity"), table.quantity("half_life", "time"), tuple(lines)
            )
    table.done()
    return source


def _parse_detector(table: Table) -> Detector:
    per_mev = table.positive("photoelectrons_per_kev") * 1e3 if "photoelectrons_per_kev" in table else None
    edges: tuple[float, ...] = (0.0, math.inf)
    acceptance: tuple[float, ...] = (1.0,)
    if per_mev is not None:
        steps = table.table("acceptance")
        edges = tuple(edge / per_mev for edge in steps.increasing("edges", minimum=0))
        acceptance = steps.numbers("values", minimum=0, maximum=1)
        if len(edges) != len(acceptance) + 1:
            raise steps.error("edges", f"must be one more than the {len(acceptance)} values, not {len(edges)}")
        steps.done()
    elif "threshold" in table:
        edges = (table.quantity("threshold", "energy"), math.inf)
    bins: tuple[float, ...] = ()
    if "bins" in table:
        given = table.table("bins")
        start, stop = given.number("start", minimum=0), given.number("stop", minimum=0)
        num, unit = given.whole("num", 1, 1000), RECOIL_UNITS[given.choice("unit", RECOIL_UNITS)]
        if stop <= start:
            raise given.error("stop", "must be above start")
        bins = tuple((start + (stop - start) * i / num) * unit for i in range(num + 1))
        given.done()
    detector = Detector(edges, acceptance, _parse_efficiency(table, per_mev), bins)
    table.done()
    return detector


def _parse_efficiency(table: Table, per_mev: float | None) -> Constant | Logistic | Tabulated:
    """A number, or a table of a shape; a logistic is in photoelectrons."""
    if "efficiency" not in table:
        return Constant(1.0)
    if table.is_number("efficiency"):
        return Constant(table.number("efficiency", 0, 1))
    shape = table.table("efficiency")
    efficiency: Logistic | Tabulated
    if shape.choice("shape", ["logistic", "table"]) == "logistic":
        if per_mev is None:
            raise shape.error("shape", "'logistic' is in photoelectrons: give photoelectrons_per_kev")
        efficiency = Logistic(shape.number("plateau", 0, 1), shape.positive("slope"), shape.number("midpoint"), per_mev)
    else:
        unit = RECOIL_UNITS[shape.choice("unit", RECOIL_UNITS)]
        energies = shape.increasing("energy", minimum=0)
        values = shape.numbers("values", 0, 1)
        if len(energies) != len(values):
            raise shape.error("values", f"must be as many as the {len(energies)} energies, not {len(values)}")
        efficiency = Tabulated(tuple(energy * unit for energy in energies), values)
    shape.done()
    return efficiency


def _parse_statistics(table: Table) -> Measured | Projection:
    statistics: Measured | Projection
    if table.choice("kind", ["measured", "projection"]) == "projection":
        has_background = "background" in table
        statistics = Projection(
            background=table.number("background", minimum=0) if has_background else 0.0,
            background_scales=table.flag("background_scales") if has_background else False,
            sigma_sys=table.number("sigma_sys", 0, LARGEST_SIGMA_SYS),
        )
    else:
        statistics = Measured(
            observed=table.number("observed", minimum=0),
            steady_state=table.number("steady_state", minimum=0),
            background=table.number("background", minimum=0),
            background_error=table.number("background_error", minimum=0),
            sigma_sys=table.number("sigma_sys", 0, LARGEST_SIGMA_SYS),
        )
        if statistics.observed == statistics.steady_state == statistics.background == 0:
            raise table.error("observed", "without any event, steady state or background there is no variance")
    table.done()
    return statistics
