"""Experiments: what is measured, with what, for how long, and how its counts are judged.

An experiment is a TOML file, in the package (`fastscan/data/experiments`) or the user's own; no number of an
experiment stands in code.  Quantities are kept in the base units of `fastscan.units`.
"""

import hashlib
import itertools
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from fastscan import nuclei
from fastscan.config import Table, read_toml
from fastscan.errors import FastscanError, unknown

BUILT_IN: Traversable = files("fastscan") / "data" / "experiments"


@dataclass(frozen=True)
class Target:
    """A mass of a compound."""

    compound: str
    mass_kg: float


@dataclass(frozen=True)
class PionDecayAtRest:
    """A stopped-pion source: protons on target in a time, neutrinos of each flavour per proton."""

    neutrinos_per_proton: float
    protons: float
    protons_in_s: float
    baseline_m: float


@dataclass(frozen=True)
class Detector:
    """Logistic efficiency and acceptance steps, as functions of photoelectrons."""

    photoelectrons_per_kev: float
    plateau: float
    slope: float
    midpoint: float
    acceptance_edges: tuple[float, ...]
    acceptance: tuple[float, ...]


@dataclass(frozen=True)
class Measured:
    """Counted events and their backgrounds (Eq. 21)."""

    observed: float
    steady_state: float
    background: float
    background_error: float
    sigma_sys: float


@dataclass(frozen=True)
class Experiment:
    """One experiment; `digest` is the SHA-256 of the file that describes it."""

    name: str
    title: str
    channel: str
    references: tuple[str, ...]
    exposure_s: float
    targets: tuple[Target, ...]
    source: PionDecayAtRest
    detector: Detector
    statistics: Measured
    digest: str


def names() -> list[str]:
    """Names of the experiments in the package."""
    return sorted(
        entry.name.removesuffix(".toml") for entry in BUILT_IN.iterdir() if entry.name != "README.md"
    )


def load(experiment: "str | Experiment", relative_to: Path | None = None) -> Experiment:
    """The experiment of a name, or of a path to a TOML file.

    Parameters
    ----------
    experiment : str or Experiment
        A name of `names`, or a path that ends in ``.toml``; an `Experiment` is passed through.
    relative_to : Path, optional
        Directory from which a relative path counts; left out, the current one.

    Raises
    ------
    FastscanError
        Where the name is unknown, or the file is missing or wrong.

    Examples
    --------
    >>> load("coherent-csi").targets
    (Target(compound='CsI', mass_kg=14.57),)
    """
    if isinstance(experiment, Experiment):
        return experiment
    if not isinstance(experiment, str):
        raise FastscanError(f"an experiment is a name or a path, not {experiment!r}")
    if experiment.endswith(".toml"):
        path = (relative_to or Path()) / experiment
    elif experiment in names():
        path = Path(str(BUILT_IN / f"{experiment}.toml"))
    else:
        raise unknown("experiment", experiment, names())
    table = read_toml(path)
    parsed = _parse(path.stem, table, hashlib.sha256(path.read_bytes()).hexdigest())
    table.done()
    return parsed


def _parse(name: str, table: Table, digest: str) -> Experiment:
    return Experiment(
        name=name,
        title=table.text("title"),
        channel=table.choice("channel", ["cevns"]),
        references=table.texts("references"),
        exposure_s=table.quantity("exposure", "time"),
        targets=tuple(_parse_target(target) for target in table.tables("target")),
        source=_parse_source(table.table("source")),
        detector=_parse_detector(table.table("detector")),
        statistics=_parse_statistics(table.table("statistics")),
        digest=digest,
    )


def _parse_target(table: Table) -> Target:
    target = Target(table.text("compound"), table.quantity("mass", "mass"))
    table.checked("compound", partial(nuclei.parse_formula, target.compound))
    table.done()
    return target


def _parse_source(table: Table) -> PionDecayAtRest:
    table.choice("kind", ["pion-decay-at-rest"])
    source = PionDecayAtRest(
        neutrinos_per_proton=table.positive("neutrinos_per_proton"),
        protons=table.positive("protons"),
        protons_in_s=table.quantity("protons_in", "time"),
        baseline_m=table.quantity("baseline", "length"),
    )
    table.done()
    return source


def _parse_detector(table: Table) -> Detector:
    shape = table.table("efficiency")
    shape.choice("shape", ["logistic"])
    steps = table.table("acceptance")
    edges, values = steps.numbers("edges", minimum=0), steps.numbers("values", minimum=0, maximum=1)
    if len(edges) != len(values) + 1:
        raise steps.error("edges", f"must be one more than the {len(values)} values, not {len(edges)}")
    if any(low >= high for low, high in itertools.pairwise(edges)):
        raise steps.error("edges", "must increase")
    detector = Detector(
        photoelectrons_per_kev=table.positive("photoelectrons_per_kev"),
        plateau=shape.number("plateau", minimum=0, maximum=1),
        slope=shape.positive("slope"),
        midpoint=shape.number("midpoint"),
        acceptance_edges=edges,
        acceptance=values,
    )
    for checked in (shape, steps, table):
        checked.done()
    return detector


def _parse_statistics(table: Table) -> Measured:
    table.choice("kind", ["measured"])
    statistics = Measured(
        observed=table.number("observed", minimum=0),
        steady_state=table.number("steady_state", minimum=0),
        background=table.number("background", minimum=0),
        background_error=table.number("background_error", minimum=0),
        sigma_sys=table.number("sigma_sys", minimum=0),
    )
    if statistics.observed + statistics.steady_state + statistics.background == 0:
        raise table.error("observed", "without any event, steady state or background there is no variance")
    table.done()
    return statistics
