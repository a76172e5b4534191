"""Adding to fastscan, as the README of the tests says: a class, or a function, and one line in a table."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from conftest import Write, scanned

import fastscan
from fastscan import experiments
from fastscan.answers import answers
from fastscan.answers.question import Question
from fastscan.errors import ExperimentError
from fastscan.experiments import geometry, reading
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.experiments.poisson import Poisson
from fastscan.experiments.source import Source
from fastscan.inputs.toml import Table
from fastscan.interactions import catalogue, standard_model
from fastscan.interactions.interaction import Interaction, Strength, Term
from fastscan.interactions.parameters import AXES, MU
from fastscan.likelihoods import member, poisson
from fastscan.likelihoods.member import Statistic, poisson_counts
from fastscan.likelihoods.poisson import Block, PoissonCounts
from fastscan.limits.limits import threshold
from fastscan.physics import cross_sections
from fastscan.physics.arrival import Delays
from fastscan.physics.cross_sections import Process
from fastscan.physics.spectra import Line, Spectrum
from fastscan.stores import layout, store
from fastscan.typing import Array, Channel, IntArray

GERMANIUM = (BUILT_IN / "coherent-ge.toml").read_text()
PIONS = GERMANIUM[GERMANIUM.index("[source]") : GERMANIUM.index("[detector]")]
DECAYING_KAONS = '[source]\nkind = "kaons"\nneutrinos = 1e21\n\n'


@dataclass(frozen=True)
class Kaons(Source):
    """Kaons that decay at rest, each into a nu_mu of one energy."""

    neutrinos: float
    group: ClassVar[str] = "spallation"
    endpoint_mev: ClassVar[float] = 235.5
    delays: ClassVar[Delays] = (("nu_mu", (0.01238,)),)

    @classmethod
    def read(cls, table: Table) -> Self:
        return cls(table.number("neutrinos", 0.0, 1e25))

    def told(self) -> str:
        return f"kaons at rest, {self.neutrinos:g} neutrinos"

    def spectra(self, exposure_s: float, dilution: float) -> list[Spectrum]:
        return [Line("nu_mu", self.endpoint_mev, self.neutrinos * dilution)]


def test_a_source(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of fluxes with the same line gives the same neutrinos; their arrival times have columns by neutrino."""
    monkeypatch.setitem(reading.SOURCES, "kaons", Kaons)
    kaons = GERMANIUM.replace(PIONS, DECAYING_KAONS)
    found = fastscan.events(write("kaons.toml", kaons), "chi", m_zprime=np.inf)
    flux = 1e21 / (4 * np.pi * 2200**2) / (365 * 86400)
    line = f'{{ neutrino = "nu_mu", energy = "235.5 MeV", flux = "{flux!r} /cm2/s" }}'
    there = f'[source]\nkind = "table"\nlines = [{line}]\n\n'
    given = GERMANIUM.replace(PIONS, there).replace('baseline = "22 m"\n', "")
    assert found == pytest.approx(fastscan.events(write("line.toml", given), "chi", m_zprime=np.inf), rel=1e-12)
    time = '\n[time]\nunit = "us"\nedges = [0, 1, 3]\narrival = { nu_mu = [0.5, 0.25] }\n'
    binned = fastscan.show(write("binned.toml", kaons + time))
    early, late = binned.signal.ravel()
    assert (early + late, early) == pytest.approx((0.75 * found, 2 * late), rel=1e-12)
    pulse = '\n[time]\nunit = "us"\nedges = [0, 1, 1.01238]\npulse = { shape = "box", start = 1, length = 1e-6 }\n'
    _, within_a_lifetime = fastscan.show(write("pulsed.toml", kaons + pulse)).signal.ravel()
    assert within_a_lifetime == pytest.approx((1 - np.exp(-1)) * found, rel=1e-4)


def test_a_source_of_mixtures(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reading.SOURCES, "kaons", Kaons)
    monkeypatch.setattr(Kaons, "mixed", True)
    path = write("kaons.toml", GERMANIUM.replace(PIONS, DECAYING_KAONS))
    with pytest.raises(ExperimentError, match=r"mixtures of flavours.*'nsi-emu-u'"):
        fastscan.limit(path, "nsi-emu-u")


@dataclass(frozen=True)
class Shell:
    """A shell around the source, from one radius in m to another."""

    inner: float
    outer: float

    @classmethod
    def read(cls, table: Table) -> Self:
        shell = table.table("shell")
        found = cls(shell.quantity("inner", "length"), shell.quantity("outer", "length"))
        shell.done()
        return found

    def told(self) -> str:
        return f"shell from {self.inner:g} to {self.outer:g} m"

    @property
    def volume_m3(self) -> float:
        return 4 / 3 * np.pi * (self.outer**3 - self.inner**3)

    def mean_inverse_square(self) -> float:
        return 4 * np.pi * (self.outer - self.inner) / self.volume_m3


def test_a_geometry(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Liquid in a thin shell counts as its mass at one distance; a second key with a distance is refused."""
    monkeypatch.setitem(geometry.GEOMETRIES, "shell", Shell)
    shell = GERMANIUM.replace('baseline = "22 m"', 'shell = { inner = "21.999 m", outer = "22.001 m" }')
    filled = shell.replace('mass = "15 kg"', 'density = "5.3 g/cm3"')
    found = fastscan.events(write("shell.toml", filled), "chi", m_zprime=np.inf)
    there = fastscan.events("coherent-ge", "chi", m_zprime=np.inf)
    assert found / there == pytest.approx(5300 * 4 * np.pi * 22**2 * 0.002 / 15, rel=1e-7)
    with pytest.raises(ExperimentError, match="shell: can't stand here: the baseline has its distance"):
        experiments.load(write("both.toml", 'baseline = "22 m"\n' + shell))


@dataclass(frozen=True)
class Twice(Poisson):
    """Counts that are each compared twice."""


class TwiceCounts(PoissonCounts):
    """The data and the prediction of such counts."""


class TwiceBlock(Block):
    """Columns of such counts, with twice the chi2."""

    def filled(
        self, row: IntArray, x: Array, column: IntArray, width: int, in_parallel: bool | None = None
    ) -> tuple[Array, int]:
        found, negative = super().filled(row, x, column, width, in_parallel)
        return 2 * found, negative


def twice(counts: PoissonCounts) -> TwiceCounts:
    return TwiceCounts(**{field.name: getattr(counts, field.name) for field in fields(counts)})


TWICE = Statistic(
    observation=Twice,
    counts=TwiceCounts,
    made=lambda experiment, rates: twice(poisson_counts(experiment, rates)),
    block=TwiceBlock,
    packed=poisson.packed,
    unpacked=lambda arrays: tuple(each and twice(each) for each in poisson.unpacked(arrays)),
)
COUNTING = """
[statistics]
kind = "poisson"
sigma_sys = 0
"""


def test_a_statistic(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points, limits, expected limits, samplers and stores all have its chi2."""
    monkeypatch.setitem(reading.OBSERVATIONS, "twice", Twice)
    monkeypatch.setitem(member.STATISTICS, "twice", TWICE)
    monkeypatch.setitem(layout.GROUPS, "twice", layout.COUNTED)
    monkeypatch.setattr(store, "FILES", layout.files_with(AXES))  # computed from the table when it is imported
    text = GERMANIUM[: GERMANIUM.index("[statistics]")] + COUNTING
    once, both = write("once.toml", text), write("both.toml", text.replace('"poisson"', '"twice"'))
    at = {"m_zprime": 0.03, "g": np.geomspace(1e-5, 1e-3, 5)}
    assert fastscan.chi2(both, "b-l", **at) == pytest.approx(2 * fastscan.chi2(once, "b-l", **at), rel=1e-12)
    found = fastscan.limit(both, "b-l", m_zprime=0.03, cl=0.95)
    assert fastscan.delta_chi2(once, "b-l", m_zprime=0.03, g=found) == pytest.approx(threshold(0.95, 1) / 2, rel=1e-6)
    assert (fastscan.expected(both, "b-l", m_zprime=0.03) < fastscan.expected(once, "b-l", m_zprime=0.03)).all()
    prepared = fastscan.likelihood(both, "b-l", m_zprime=0.03)
    assert prepared(at["g"]) == pytest.approx(2 * fastscan.chi2(once, "b-l", **at), rel=1e-9)
    assert prepared(1e-4) == pytest.approx(2 * fastscan.chi2(once, "b-l", m_zprime=0.03, g=1e-4), rel=1e-9)
    axes = '[axes]\nm_zprime = { values = [0.03], unit = "GeV" }\ng = { values = [1e-4] }\n'
    out = scanned(f'experiments = ["{both}"]\nmodels = ["b-l"]\n{axes}', tmp_path)
    (row,) = answers.limits_of_store(str(out), Question(cl=0.95))
    assert row["limit"] == pytest.approx(float(found), rel=1e-9)


DOUBLE = Process(
    lambda recoil, moments, isotope, factor: 2 * cross_sections.cevns(recoil, moments, isotope, factor),
    lambda recoil, moments, antineutrino: 2 * cross_sections.neutrino_electron(recoil, moments, antineutrino),
)


@dataclass(frozen=True, eq=False)
class More(Interaction):
    """The Standard Model's recoils, plus 2 x^2 times as many."""

    name: str
    description: str = ""
    references: tuple[str, ...] = ()
    digest: str = ""
    family: ClassVar[str] = "More"
    strength: ClassVar[Strength] = Strength.direct(MU, "upper")

    @classmethod
    def read(cls, table: Table, path: Path) -> Self:
        found = cls(path.stem, table.text("title"), table.texts("references"), table.digest)
        table.done()
        return found

    def terms(self, channel: Channel, rows: Mapping[str, Array]) -> tuple[Term, ...]:
        weight = np.zeros((1, 3, 3, 3))
        weight[0, :, :, 2] = standard_model.features_of((channel,))
        return (Term(weight, DOUBLE),)

    def identity(self) -> dict[str, Any]:
        return {"kind": "more"}


@pytest.mark.parametrize("experiment", ["coherent-csi", "cr51-lxe-a"])
def test_a_process(experiment: str) -> None:
    standard = fastscan.events(experiment, "chi", m_zprime=np.inf)
    found = fastscan.events(experiment, More("more"), mu=[0.0, 1.0, 3.0])
    assert found == pytest.approx(standard * np.array([1.0, 3.0, 19.0]), rel=1e-9)


def test_a_kind_of_interaction_in_files(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the new kind is recognised as a model's file, without a change elsewhere."""
    monkeypatch.setitem(catalogue.FILE_KINDS, "more", More.read)
    path = write("mine.toml", 'kind = "more"\ntitle = "more"\nreferences = ["none"]\n')
    assert fastscan.limit("conus", path) == fastscan.limit("conus", More("more"))
    with pytest.raises(ExperimentError, match="is a model's file, where an experiment's is needed: it has kind"):
        experiments.load(path)


ADD_LINES = """
from fastscan.outputs import formats

formats.FORMATS["names"] = lambda keys, rows: print(*keys[:2], *(row["model"] for row in rows))

from fastscan.commands.cli import main

main()
"""


def test_a_format() -> None:
    def ended(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", ADD_LINES, "limit", "conus", "chi", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})

    assert ended("--names").stdout == "experiment model chi\n"
    assert ended("--names", "--csv").stderr == "fastscan: --csv and --names exclude each other\n"
