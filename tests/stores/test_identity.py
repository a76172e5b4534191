"""The inputs of a store, to the byte: another content of a data file makes another run."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Write, files, refusal

import fastscan
from fastscan.errors import FastscanError
from fastscan.experiments import catalogue as experiments
from fastscan.scans.plan import plain, plan
from fastscan.stores.cube import hash_of

POINTS = '[axes]\nm_zprime = { values = [100, 200], unit = "GeV" }\n'


@pytest.fixture
def own_experiment(write: Write) -> Path:
    return write("mine.toml", (experiments.BUILT_IN / "coherent-csi.toml").read_text())


def test_one_more_comment_in_a_table_of_the_package_is_another_run(write: Write, tmp_path: Path) -> None:
    grid = write("grid.toml", f'experiments = ["conus"]\nmodels = ["chi"]\n{POINTS}')
    fastscan.scan(grid, tmp_path / "out.zarr")
    before = files(tmp_path / "out.zarr")
    package = tmp_path / "changed/fastscan"
    shutil.copytree(Path(fastscan.__file__).parent, package, ignore=shutil.ignore_patterns("*cache*"))
    with (package / "data/isotopes.csv").open("a") as table:
        table.write("# looked at once more\n")
    resumed = ("scan", grid, "-o", tmp_path / "out.zarr", "--resume")
    problem = refusal(*resumed, env={**os.environ, "PYTHONPATH": str(package.parent)})
    assert "conus/chi is there from another run: data.isotopes.csv differ; nothing was changed" in problem
    assert files(tmp_path / "out.zarr") == before


def test_one_more_comment_in_an_own_experiment_is_another_run(
    own_experiment: Path, write: Write, tmp_path: Path
) -> None:
    grid = write("grid.toml", f'experiments = ["{own_experiment}"]\nmodels = ["chi"]\n{POINTS}')
    fastscan.scan(grid, tmp_path / "out.zarr")
    with own_experiment.open("a") as file:
        file.write("# looked at once more\n")
    with pytest.raises(FastscanError, match=r"another run: experiments\.mine\.digest differ; nothing was changed"):
        fastscan.scan(grid, tmp_path / "out.zarr", resume=True)


def test_one_more_comment_in_an_own_model_is_another_run(write: Write, tmp_path: Path) -> None:
    charges = write("mine.toml", (Path(fastscan.__file__).parent / "grids/models/b-l-contact.toml").read_text())
    grid = write("grid.toml", f'experiments = ["conus"]\nmodels = ["{charges}"]\n{POINTS}')
    fastscan.scan(grid, tmp_path / "out.zarr")
    with charges.open("a") as file:
        file.write("# looked at once more\n")
    with pytest.raises(FastscanError, match=r"another run: model\.digest differ; nothing was changed"):
        fastscan.scan(grid, tmp_path / "out.zarr", resume=True)


# The names of all entries of some identities, as "place: names there"; the experiment is called EXPERIMENT.  `COMMON`
# has what every identity has, the other blocks have what depends on the experiment or on the model.
#
# One entry more or less is another hash: all stores that were made before are then those of another run.  They still
# answer, but no scan resumes them or adds to them.  Each field of an `Experiment` and of its parts is an entry.  Where
# a change of the package makes these tests fail,
#   - a field that is prose, and changes no number, belongs in `PROSE` of `fastscan.scans.plan`;
#   - a constant of a class is a `ClassVar`, which is no field;
#   - else the lines below change, and CHANGELOG.md says that no earlier store can be resumed.
COMMON = """
: physics_version members experiments asimov combined fixed_sigma_sys independent model data axes dtype chunks
    chunks_per_task
experiments: EXPERIMENT
EXPERIMENT: name channel exposure_s geometry targets source detector statistics digest time factor data_set shared
    electrons
EXPERIMENT.targets[]: compound mass_kg molar_mass abundances dopants form_factor
EXPERIMENT.targets[].form_factor:
fixed_sigma_sys:
data: isotopes.csv fission_energy.csv reactor_low_energy.csv reactor_mueller.csv reactor_vogel_engel.csv
    reactor_kopeikin.csv reactor_bestiole.csv solar_fluxes.csv solar_lines.csv solar_spectra.csv shells.csv
axes.m_zprime: values unit
"""
CONTACT = """
axes: m_zprime
model: kind direction
"""
AT_DISTANCE = """
EXPERIMENT.geometry: distance_m
"""
SPALLATION = """
EXPERIMENT.source: neutrinos_per_proton protons protons_in_s
"""
GAUSSIAN = """
EXPERIMENT.detector: edges acceptance efficiency bins
EXPERIMENT.detector.efficiency: plateau slope midpoint per_mev
EXPERIMENT.statistics: observed steady_state background background_error sigma_sys
"""
COUNTED = """
EXPERIMENT.detector: quenching per_mev resolution efficiency bins threshold drop_below_mev of sizes
EXPERIMENT.detector.quenching: coefficients
EXPERIMENT.detector.resolution: constant per_mev
EXPERIMENT.detector.efficiency: plateau slope midpoint per_mev offset
EXPERIMENT.statistics: observed backgrounds sigma_sys merge
EXPERIMENT.statistics.backgrounds[]: name amount error shapes
EXPERIMENT.statistics.backgrounds[].amount: each
EXPERIMENT.time: edges given
"""
MODELLED = """
EXPERIMENT.source: components nu_mu_share
EXPERIMENT.source.components[]: name flux survival
EXPERIMENT.source.components[].survival: energies values
EXPERIMENT.detector: energies response
EXPERIMENT.detector.response: parameters anchors values
EXPERIMENT.statistics: observed errors parameters backgrounds energies sigma_sys
EXPERIMENT.statistics.parameters[]: name start low high error
EXPERIMENT.statistics.backgrounds[]: name factor amount shape
EXPERIMENT.statistics.backgrounds[].shape: each
EXPERIMENT.statistics.backgrounds[].shape: templates
EXPERIMENT.statistics.backgrounds[].shape.templates: parameters anchors values
"""
REACTOR = """
EXPERIMENT.source: power_w fission_fractions evaluation flux cores duty_factor
EXPERIMENT.detector: edges acceptance efficiency bins
EXPERIMENT.detector.efficiency: value
EXPERIMENT.statistics: background background_scales sigma_sys
"""
LIGHT = """
axes: m_zprime g
axes.g: values unit
model: kind charges nu loop digest
model.charges: u d e
"""


def named(value: Any, place: str = "") -> Iterator[str]:
    """The names of the entries of each table in an identity, in lines like the lines above."""
    if isinstance(value, dict):
        yield f"{place}: {' '.join(value)}".strip()
        for name, each in value.items():
            yield from named(each, f"{place}.{name}".strip("."))
    elif isinstance(value, list):
        for each in value:
            yield from named(each, f"{place}[]")


@pytest.mark.parametrize(
    ("experiment", "model", "lines"),
    [
        ("coherent-csi", "chi", CONTACT + AT_DISTANCE + SPALLATION + GAUSSIAN),
        ("coherent-csi-2021", "chi", CONTACT + AT_DISTANCE + SPALLATION + COUNTED),
        ("xenonnt-b8", "chi", CONTACT + MODELLED),
        ("conus", "b-l", LIGHT + AT_DISTANCE + REACTOR),
    ],
    ids=["Gaussian", "counted", "modelled", "light"],
)
def test_an_identity_has_the_entries_that_it_always_had(experiment: str, model: str, lines: str, write: Write) -> None:
    coupling = "g = { values = [1e-5] }\n" if model == "b-l" else ""
    (cube,) = plan(write("grid.toml", f'experiments = ["{experiment}"]\nmodels = ["{model}"]\n{POINTS}{coupling}'))
    found = {line.replace(f"experiments.{experiment}", "EXPERIMENT") for line in named(cube.identity)}
    expected = (COMMON + lines).replace("\n    ", " ").replace("experiments: EXPERIMENT", f"experiments: {experiment}")
    assert sorted(found) == sorted(filter(None, expected.splitlines()))


def test_the_hash_of_an_identity_is_what_it_always_was() -> None:
    """All numbers are exact on every machine; entries have any order, and infinity is a word."""
    identity = {
        "experiments": {
            "a": {"title": "prose", "bins": (0.5, 2.0), "top": np.inf, "counts": np.arange(6.0).reshape(2, 3)}
        },
        "asimov": False,
        "dtype": "float32",
        "factor": None,
    }
    again = dict(reversed(plain(identity).items()))
    assert hash_of(plain(identity)) == "f6f4ff4e960a7ea79e82d9442b5f3f16fd76c16801f693fd19c0dbe335cdfe4d"
    assert hash_of(again) == hash_of(plain(identity))
