"""Toys in stores: they are the same in any process and after a kill, and give limits and contours."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FASTSCAN, files, ok, refusal, scanned, slow
from distributed import Client, LocalCluster

import fastscan
from fastscan.answers import answers
from fastscan.answers.contours import contour_summary
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError
from fastscan.limits.confidence import Toys
from fastscan.limits.drawn import Truth
from fastscan.limits.feldman_cousins import critical, thrown_at
from fastscan.limits.points import prepare
from fastscan.scans import grid
from fastscan.scans.plan import plan
from fastscan.stores import store
from fastscan.stores.cube import hash_of
from fastscan.stores.location import read_root
from fastscan.typing import Array

BY_TOYS = Question(toys=Toys())
GRID = """
experiments = ["conus"]
models = ["b-l"]
toys = { number = 2000, seed = 4 }

[axes]
m_zprime = { values = [1, 10], unit = "MeV" }
g = { start = 1e-6, stop = 3e-5, num = 24, spacing = "log" }
"""
COUNTED = """
experiments = ["coherent-csi-2021", "coherent-csi"]
models = ["nsi-ee-u"]
toys = { number = 60 }

[axes]
eps = { start = -0.2, stop = 0.6, num = 9 }
sigma_sys = { values = [0.05, 0.12] }

[store]
chunk = "1 KiB"
task = "1 KiB"
"""
PLANE = """
experiments = ["conus"]
models = ["b-l"]
toys = { number = 400, seed = 1, dof = 2 }

[axes]
m_zprime = { start = 1, stop = 100, num = 5, spacing = "log", unit = "MeV" }
g = { start = 1e-6, stop = 3e-4, num = 15, spacing = "log" }
"""
pytestmark = pytest.mark.filterwarnings("ignore:in more than 0.1 %:fastscan.errors.FastscanWarning")


@pytest.fixture(scope="module")
def conus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scanned(GRID, tmp_path_factory.mktemp("conus"))


def toys_of(place: Path, group: str) -> Array:
    with fastscan.open(place, group) as cube:
        return np.asarray(cube.toys.values, float)


def test_a_store_holds_the_toys_of_each_point(conus: Path) -> None:
    with fastscan.open(conus, "conus/b-l") as cube:
        assert cube.toys.dims == ("m_zprime", "g", "sigma_sys", "luminosity", "toy")
        assert cube.toys.shape == (2, 24, 1, 1, 2000)
        assert cube.chi2.shape == (2, 24, 1, 1)
        found, strengths = cube.toys.values[1, 7, 0, 0], cube.g.values
    assert (np.diff(found) >= 0).all()
    rows = prepare("conus", "b-l", {"m_zprime": 0.01})
    columns, _ = rows.likelihood.columns(rows.index, {})
    truth = Truth.unmoved(rows.likelihood, columns, 0.0).of_data(float(strengths[7]) ** 2)
    ours = np.sort(thrown_at(truth, rows.interaction.strength, 2000, 4, 1, 7, 0, 0))
    np.testing.assert_allclose(found, ours.astype("float32"), rtol=1e-5, atol=1e-9)


def test_limits_from_stored_toys_are_those_of_toys_without_a_store(conus: Path) -> None:
    found = list(answers.limits_of_store(str(conus), BY_TOYS))
    for each, exact in zip(found, (None, 1.172872e-5), strict=True):
        exact = exact or fastscan.limit("conus", "b-l", m_zprime=0.001)
        assert each["limit"] == pytest.approx(exact, abs=4 * each["error"])
        assert each["error"] < 0.02 * exact
        assert each["asymptotic"] == fastscan.limit("conus", "b-l", m_zprime=each["m_zprime_gev"])
        assert (each["method"], each["toys"], each["seed"], each["status"]) == ("toys", 2000, 4, "ok")
    header, *lines = ok("limits", conus, "--method", "toys", "--csv").splitlines()
    assert header.endswith(",method,toys,seed,error,allowed_errors,asymptotic,asymptotic_status,asymptotic_allowed")
    assert len(lines) == 2
    assert "from 2000 toys of seed 4 at each strength" in ok("limits", conus, "--method", "toys")
    assert "method" not in next(answers.limits_of_store(str(conus), Question()))


def test_contours_run_where_the_toys_cease_to_accept(conus: Path) -> None:
    ((plane, lines),) = answers.contours_of_store(str(conus), BY_TOYS, PlaneAxes(("m_zprime", "g")))
    assert plane.dof == 1
    limits = [each["limit"] for each in answers.limits_of_store(str(conus), BY_TOYS)]
    ends = [line.y[np.isin(line.x, [0.001, 0.01])] for line in lines]
    assert np.sort(np.concatenate(ends)) == pytest.approx(np.sort(limits), rel=1e-3)
    header, line, *_ = ok("contours", conus, "--method", "toys", "--csv").splitlines()
    record = dict(zip(header.split(","), line.split(","), strict=True))
    assert (record["method"], record["toys"], record["seed"]) == ("toys", "2000", "4")
    assert 2 < float(record["delta_chi2"]) < 3.3
    assert 0 < float(record["delta_chi2_error"]) < 0.3
    assert float(record["asymptotic_delta_chi2"]) == pytest.approx(2.705543)
    summary = contour_summary(plane, lines)
    assert summary["delta_chi2"] is None
    assert 0.02 < summary["largest_error"] < 0.3


@pytest.mark.slow
def test_two_dof_have_the_infimum_of_all_rows(tmp_path: Path) -> None:
    """At light masses one bin can't separate masses, so that the quantiles equal those of one dof."""
    place = scanned(PLANE, tmp_path)
    cube = store.read(read_root(place), "conus/b-l")
    assert cube.toys is not None
    assert cube.toys.dof == 2
    two, error = critical(toys_of(place, "conus/b-l"), 0.9)
    assert two.max() < 2.706 + 4 * error.max()
    ((plane, lines),) = answers.contours_of_store(str(place), BY_TOYS)
    assert (plane.dof, len(lines)) == (2, 1)
    ((_, asymptotic),) = answers.contours_of_store(str(place), Question())
    heavy, other = (each.y[np.isclose(each.x, 0.1)] for each in (lines[0], asymptotic[0]))
    assert heavy[0] < other[0]
    assert "400 toys of seed 1 at each point" in ok("contours", place, "--method", "toys")
    assert "stores toys of 2 dof, not of 1" in refusal("limits", place, "--method", "toys")
    with pytest.raises(FastscanError, match="stores toys of 2 dof, not of 1"):
        list(answers.contours_of_store(str(place), Question(dof=1, toys=Toys())))


# --- In any process ---


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scanned(COUNTED, tmp_path_factory.mktemp("undisturbed"))


def chunks(place: Path) -> dict[str, bytes]:
    """The chunks that tasks have written."""
    return {name: data for name, data in files(place).items() if "/c." in name or "/done." in name}


@pytest.mark.parametrize("workers", [slow(1), 4])
def test_toys_are_the_same_whatever_the_workers(
    workers: int, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    (tmp_path / "grid.toml").write_text(COUNTED)
    quiet = {"dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}}
    with LocalCluster(n_workers=workers, threads_per_worker=1, **quiet) as local, Client(local) as client:
        fastscan.scan(tmp_path / "grid.toml", tmp_path / "out.zarr", client=client)
    assert chunks(tmp_path / "out.zarr") == chunks(undisturbed)


@pytest.mark.slow
def test_toys_are_the_same_after_a_kill(undisturbed: Path, tmp_path: Path) -> None:
    """A scan is killed after the first toys, and continued in two parts."""
    (tmp_path / "grid.toml").write_text(COUNTED)
    command = [FASTSCAN, "scan", str(tmp_path / "grid.toml"), "-o", str(tmp_path / "out.zarr")]
    environment = {**os.environ, "DASK_NUM_WORKERS": "1"}
    scan = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob("out.zarr/*/*/chi2/done.*.json")) and scan.poll() is None:
        time.sleep(0.001)
    scan.send_signal(signal.SIGKILL)
    scan.wait()
    before = chunks(tmp_path / "out.zarr")
    assert 0 < len(before) < len(chunks(undisturbed))
    for part in ("1/2", "2/2"):
        ok(*command[1:], "--part", part)
    ok("finish", tmp_path / "out.zarr")
    assert chunks(tmp_path / "out.zarr") == chunks(undisturbed)


@pytest.mark.slow
def test_other_chunks_hold_the_same_toys(undisturbed: Path, tmp_path: Path) -> None:
    place = scanned(COUNTED.replace("1 KiB", "1 MiB"), tmp_path)
    for group in ("coherent-csi-2021/nsi-ee-u", "coherent-csi/nsi-ee-u"):
        assert (toys_of(place, group) == toys_of(undisturbed, group)).all()


def test_a_damaged_or_lost_chunk_of_toys_is_found(tmp_path: Path) -> None:
    place = scanned(COUNTED, tmp_path)
    damaged = next(place.glob("coherent-csi/nsi-ee-u/toys/c.*"))
    damaged.unlink()
    question = Question(at={"sigma_sys": "axis"}, toys=Toys(), groups=("coherent-csi/nsi-ee-u",))
    with pytest.raises(FastscanError, match="toys lacks values; the store is damaged, see `fastscan verify`"):
        list(answers.limits_of_store(str(place), question))
    assert "damaged or not complete" in refusal_of_verify(place)
    ok("scan", tmp_path / "grid.toml", "-o", place, "--resume")
    assert list(answers.limits_of_store(str(place), question))


def refusal_of_verify(place: Path) -> str:
    ended = subprocess.run([FASTSCAN, "verify", place], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    return ended.stderr


# --- Words of grids, and refusals ---


def test_toys_are_part_of_what_a_store_is(tmp_path: Path) -> None:
    def hashed(text: str) -> str:
        (tmp_path / "grid.toml").write_text(text)
        return plan(tmp_path / "grid.toml")[0].hash

    told = "number = 2000, seed = 4"
    others = [GRID.replace(told, each) for each in ("number = 2001, seed = 4", "number = 2000, seed = 5")]
    without = "\n".join(line for line in GRID.splitlines() if not line.startswith("toys"))
    assert len({hashed(each) for each in (GRID, *others, without)}) == 4
    assert hashed(GRID) == hashed(GRID.replace("seed = 4", "seed = 4, dof = 1"))


def test_a_dry_run_counts_the_toys(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(GRID)
    (layout,) = grid.layouts_of(grid.load(tmp_path / "grid.toml")).values()
    assert layout.size == 4 * 48 + 8 * 48 + 4 * 48 * 2000
    assert layout.chunk_size == 4 * 48 * 2000
    assert "384.6 kB with the events" in ok("scan", tmp_path / "grid.toml", "-o", tmp_path / "out.zarr", "--dry-run")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{ number = 0 }", "[toys]: number: must be a whole number from 1"),
        ("{ seed = 1 }", "[toys]: number: missing"),
        ("{ number = 10, dof = 3 }", "[toys]: dof: must be a whole number from 1 to 2"),
        ("{ number = 10, sed = 1 }", "[toys]: unknown key 'sed'"),
        ("5", "toys: must be a table"),
    ],
)
def test_wrong_toys_are_refused(said: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(GRID.replace("{ number = 2000, seed = 4 }", said))
    assert problem in refusal("scan", tmp_path / "grid.toml", "-o", tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()


def test_two_dof_need_a_row(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(COUNTED.replace("number = 60", "number = 60, dof = 2"))
    assert "dof = 2 fits the strength and one row parameter" in refusal(
        "scan", tmp_path / "grid.toml", "-o", tmp_path / "out.zarr"
    )


@pytest.mark.parametrize(
    ("command", "asked", "problem"),
    [
        ("limits", ["--sigma-sys", "0.3"], "has no axis sigma_sys"),
        ("limits", ["--cl", "0.9999"], "toys must be at least 40000 for cl = 0.9999, not 2000"),
        ("limits", ["--dof", "2"], "stores toys of 1 dof, not of 2"),
        ("limits", ["--combine", "conus,conus"], "the sum of several groups is no stored cube"),
    ],
)
def test_what_stored_toys_cannot_answer_is_refused(command: str, asked: list[str], problem: str, conus: Path) -> None:
    assert problem in refusal(command, conus, "--method", "toys", *asked)


@pytest.mark.parametrize("said", [5, {"number": 2000}, {"number": 2000, "seed": 4, "dof": "1"}, {"number": 10**12}])
def test_a_store_that_says_nonsense_of_its_toys_is_refused(said: Any, conus: Path, tmp_path: Path) -> None:
    """The forged identity has a fitting hash."""
    place = tmp_path / "out.zarr"
    shutil.copytree(conus, place)
    own = place / "conus" / "b-l" / "zarr.json"
    described = json.loads(own.read_text())
    identity = {**json.loads(described["attributes"]["identity"]), "toys": said}
    described["attributes"] |= {"identity": json.dumps(identity), "hash": hash_of(identity)}
    own.write_text(json.dumps(described))
    with pytest.raises(FastscanError, match="group conus/b-l is half-written or damaged"):
        store.read(read_root(place), "conus/b-l")


def test_a_store_without_toys_says_so(tmp_path: Path) -> None:
    place = scanned("\n".join(line for line in GRID.splitlines() if not line.startswith("toys")), tmp_path)
    told = "conus/b-l stores no toys: scan a grid with toys = { number = 10000 }"
    assert told in refusal("limits", place, "--method", "toys")
    with pytest.raises(FastscanError, match="conus/b-l stores no toys"):
        list(answers.contours_of_store(str(place), BY_TOYS))


def test_toys_of_measured_data_answer_for_no_asimov_set(undisturbed: Path) -> None:
    question = Question(at={"sigma_sys": 0.12}, toys=Toys(), asimov=True)
    with pytest.raises(FastscanError, match="coherent-csi-2021/nsi-ee-u stores no chi2 of an Asimov set"):
        list(answers.limits_of_store(str(undisturbed), question))
