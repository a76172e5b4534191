"""Doubtful values give a warning: a line on stderr, a `FastscanWarning` at the user's line, and a field in records."""

import csv
import io
import json
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FASTSCAN, Write, ok, run

import fastscan
from fastscan.answers import answers, contours, from_cube, point
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanWarning, warn
from fastscan.experiments import catalogue as experiments
from fastscan.scans.costs import costs
from fastscan.scans.plan import plan
from fastscan.stores.location import read_root

CSI = "coherent-csi"
END = 10 * experiments.load(CSI).largest_momentum_transfer_mev / 1e3  # GeV
MASS = f"M_Z' is below {END:g} GeV: the contact form ends at ten times the largest momentum transfer of {CSI}"
LARGE = "sigma_sys of conus is above 1: it is a relative error, 0.2 stands for 20 %"
GRID = """
experiments = ["conus"]
models = ["chi"]
[axes]
m_zprime = { values = [50, 100, 200], unit = "GeV" }
"""
LIGHT = GRID.replace("conus", CSI).replace("[50,", "[0.5,")
LARGER = GRID + "sigma_sys = { values = [0.1, 5] }"


def said(ask: Callable[[], object]) -> list[str]:
    """The texts of a call's warnings, in order; each must point at a line of this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ask()
    assert {(each.category, each.filename) for each in caught} <= {(FastscanWarning, __file__)}
    return [str(each.message) for each in caught]


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda: fastscan.events(CSI, "chi", m_zprime=1e-3), MASS),
        (lambda: fastscan.chi2(CSI, "chi", m_zprime=[100.0, 0.999 * END]), MASS),
        (lambda: fastscan.delta_chi2(["conus", CSI], "chi", m_zprime=0.9), MASS),
        (lambda: fastscan.chi2("conus", "chi", m_zprime=100.0, sigma_sys=20), LARGE),
        (lambda: fastscan.delta_chi2("conus", "chi", m_zprime=100.0, sigma_sys=[0.1, 1.5]), LARGE),
        (lambda: fastscan.limit(["conus", CSI], "chi", sigma_sys={"conus": 20}), LARGE),
        (lambda: fastscan.limit("conus", "chi", sigma_sys=20), LARGE),
        (lambda: fastscan.intervals("conus", "chi", sigma_sys=20), LARGE),
        (lambda: point.limits_at_points(["conus"], "chi", Question(at={"sigma_sys": [0.1, 5, 20]})), LARGE),
    ],
)
def test_a_call_warns_once_at_the_line_of_the_user(ask: Callable[[], object], text: str) -> None:
    assert said(ask) == [text]


def test_nothing_is_said_where_nothing_is_doubtful() -> None:
    """A warning would be an error in this test."""
    fastscan.events(CSI, "chi", m_zprime=[1.001 * END, math.inf])
    fastscan.chi2("conus", "chi", m_zprime=[0.5, math.inf], sigma_sys=[[0.0], [1.0]])  # momenta at reactors are smaller
    fastscan.delta_chi2("cr51-lxe-a", "chi", m_zprime=[0.02, 1.0])
    fastscan.limit(CSI, "psi")
    fastscan.intervals(CSI, "psi")
    assert fastscan.chi2(CSI, "chi", m_zprime=[]).shape == (0,)


def test_a_limit_that_comes_out_where_the_form_has_ended() -> None:
    beta = [math.radians(100), math.radians(90.001)]
    at = {"sigma_sys": 0.01, "luminosity": 10}
    limits, status = fastscan.limit(CSI, "e6", beta=math.radians(90.001), with_status=True)
    assert (np.isnan(limits), status) == (True, "no_sensitivity")  # below 1 GeV
    found: list[Any] = []
    assert said(lambda: found.append(fastscan.limit(CSI, "e6", beta=beta, **at))) == [MASS]
    assert said(lambda: fastscan.intervals(CSI, "e6", beta=beta[1], **at)) == [MASS]
    records: list[Any] = []
    asked = Question(at={"beta": beta, **at})
    assert said(lambda: records.extend(point.limits_at_points([CSI], "e6", asked))) == [MASS]
    assert [each["warning"] for each in records] == [None, MASS]


def test_the_largest_momentum_transfer_of_a_combination_counts() -> None:
    assert said(lambda: fastscan.chi2(["conus", "connie"], "chi", m_zprime=0.5)) == []
    (text,) = said(lambda: fastscan.chi2(["conus", "coherent-ge", CSI], "chi", m_zprime=0.5))
    assert text == MASS  # caesium and iodine take over more than germanium from the same neutrinos


@pytest.mark.parametrize(("grid", "text"), [(LIGHT, MASS), (LARGER, LARGE)])
def test_a_grid_warns(grid: str, text: str, write: Write, tmp_path: Path) -> None:
    file, out = write("grid.toml", grid), tmp_path / "out.zarr"
    assert said(lambda: plan(file)) == [text]
    assert said(lambda: costs(file, str(out))) == [text]
    assert said(lambda: fastscan.scan(file, out)) == [text]
    assert said(lambda: costs(file, str(out), resume=True)) == [text]
    for done in (run("scan", file, "-o", out, "--resume"), run("scan", file, "-o", out, "--resume", "--dry-run")):
        assert done.returncode == 0
        assert [line for line in done.stderr.splitlines() if "warning" in line] == [f"fastscan: warning: {text}"]


FIXED = LARGER.replace("5]", "0.2]") + '\n[combine.two]\nexperiments = ["conus", "connie"]\nsigma_sys = { conus = 5 }'


def test_errors_that_a_combination_fixes_and_an_experiment_has_are_looked_at(write: Write) -> None:
    assert said(lambda: plan(write("grid.toml", FIXED))) == [LARGE]
    text = (experiments.BUILT_IN / "conus.toml").read_text()
    assert "sigma_sys = 0.2" in text
    own = write("mine.toml", text.replace("sigma_sys = 0.2", "sigma_sys = 20"))
    mine = LARGE.replace("conus", "mine")
    assert said(lambda: fastscan.limit(own, "chi")) == [mine]
    assert said(lambda: plan(write("grid.toml", GRID.replace("conus", str(own))))) == [mine]
    done = run("limit", own, "chi", "--json")
    assert (done.returncode, done.stderr) == (0, f"fastscan: warning: {mine}\n")
    assert json.loads(done.stdout)["warning"] == mine


@pytest.mark.slow
def test_worker_processes_say_nothing_again(write: Write, tmp_path: Path) -> None:
    done = run("scan", write("grid.toml", LARGER), "-o", tmp_path / "out.zarr", "--workers", 2)
    assert done.stderr.count("warning") == 1


@pytest.fixture
def light(write: Write, tmp_path: Path) -> str:
    """A store with a mass below the contact form's range, and with an error above 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FastscanWarning)
        fastscan.scan(write("light.toml", LIGHT + "sigma_sys = { values = [0.1, 0.28, 5] }"), tmp_path / "light.zarr")
    return str(tmp_path / "light.zarr")


def test_records_have_the_warning_before_what_their_data_are(light: str) -> None:
    large = LARGE.replace("conus", CSI)
    rows = list(csv.DictReader(io.StringIO(run("limits", light, "--sigma-sys", "axis", "--csv").stdout)))
    assert list(rows[0])[-3:] == ["warning", "asimov", "shared_nuisances"]
    assert [row["warning"] for row in rows] == ["", "", large]
    (cube,) = answers.cubes_of(read_root(light), ())
    found: list[Any] = []
    asked = Question(at={"sigma_sys": [0.1, 5]})
    assert said(lambda: found.extend(from_cube.profile_records(cube, asked))) == [large, MASS]
    assert [row["warning"] for row in found] == [MASS, None, None, f"{large}; {MASS}", large, large]
    assert list(found[0])[-3:] == ["warning", "asimov", "shared_nuisances"]


def test_the_vertices_of_contours_have_the_warning(light: str) -> None:
    large = LARGE.replace("conus", CSI)
    done = run("contours", light, "--axes", "sigma_sys,m_zprime", "--csv")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    for row in rows:
        doubts = ([large] if float(row["sigma_sys"]) > 1 else []) + ([MASS] if float(row["m_zprime_gev"]) < END else [])
        assert row["warning"] == "; ".join(doubts)
    assert any(row["warning"] for row in rows)
    assert {line.removeprefix("fastscan: warning: ") for line in done.stderr.splitlines()} <= {large, MASS}


def test_a_plane_that_is_held_at_a_light_mass_warns(write: Write, tmp_path: Path) -> None:
    axes = "sigma_sys = { values = [0.1, 0.28] }\nluminosity = { values = [1, 10] }"
    grid = write("grid.toml", GRID.replace("conus", CSI) + axes)
    (cube,) = plan(grid)
    asked, shown = Question(at={"m_zprime": 0.5}), PlaneAxes(("sigma_sys", "luminosity"))
    found: list[Any] = []
    assert said(lambda: found.extend(answers.contours_of_cubes([cube], asked, shown))) == [MASS]
    ((plane, lines),) = found
    assert contours.contour_summary(plane, lines)["warning"] == MASS
    fastscan.scan(grid, tmp_path / "out.zarr")
    done = run("contours", tmp_path / "out.zarr", "--axes", "sigma_sys,luminosity", "--m-zprime", "500MeV")
    assert (done.returncode, done.stderr) == (0, f"fastscan: warning: {MASS}\n")


def test_a_command_says_each_thing_once_on_stderr_and_ends_well() -> None:
    done = run("limit", "conus", "chi", "--sigma-sys", "0.1,5,20")
    assert (done.returncode, done.stderr) == (0, f"fastscan: warning: {LARGE}\n")
    assert "warning" not in done.stdout
    assert len(done.stdout.splitlines()) == 5
    for setting in ("error", "ignore"):
        again = run("limit", "conus", "chi", "--sigma-sys", "20", env=os.environ | {"PYTHONWARNINGS": setting})
        assert (again.returncode, again.stderr) == (0, f"fastscan: warning: {LARGE}\n")


@pytest.mark.parametrize("stream", ["2>&-", "2> /dev/full"])
def test_a_warning_that_can_not_be_printed_changes_no_exit_code(stream: str) -> None:
    command = f"{FASTSCAN} limit conus chi --sigma-sys 20 {stream}"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("conus, chi: no sensitivity")


PROGRAM = """
import fastscan

def mine():
    return fastscan.chi2("coherent-csi", "chi", m_zprime=1e-3)

for _ in range(3):
    mine()
"""


def test_python_shows_the_line_of_the_user_once(write: Write) -> None:
    done = subprocess.run([sys.executable, write("mine.py", PROGRAM)], check=True, capture_output=True, text=True)
    first, line = done.stderr.splitlines()
    assert first.endswith(f"mine.py:5: FastscanWarning: {MASS}")
    assert line.strip() == 'return fastscan.chi2("coherent-csi", "chi", m_zprime=1e-3)'


def test_a_text_is_said_once_and_shown_as_one_line() -> None:
    assert said(lambda: warn("one\ntwo", "other", "one\ntwo")) == ["one two", "other"]
    assert said(lambda: warn()) == []


@pytest.mark.parametrize("command", ["limit conus chi --sigma-sys 20%", "limit conus chi --sigma-sys 1"])
def test_per_cent_are_meant_and_said(command: str) -> None:
    assert ok(*command.split()).startswith("conus, chi: ")
    assert run(*command.split()).stderr == ""
