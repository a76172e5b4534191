"""Asimov sets: the Standard Model's prediction in place of measured data, in Python, in commands and in grids."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Write, files, ok, refusal, require_refused, scanned

import fastscan
from fastscan.answers import answers, contours, from_cube, planes
from fastscan.answers.point import limits_at_points
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError, InputError, LimitError, StoreError
from fastscan.experiments import catalogue as experiments
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.poisson import Poisson
from fastscan.outputs import plots
from fastscan.outputs.plots import Picture
from fastscan.scans import grid
from fastscan.scans.plan import plan
from fastscan.scans.verify import verify
from fastscan.stores import combining, store
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root

CSI, GE = "coherent-csi", "coherent-ge-mini"  # measured; conus is a projection
ASIMOV = "asimov = true\n"
GRID = """
experiments = ["coherent-csi", "conus"]
models = ["chi", "b-l"]
[axes]
m_zprime = { start = 30, stop = 900, num = 7, spacing = "log", unit = "GeV" }
g = { start = 1e-3, stop = 3, num = 9, spacing = "log" }
sigma_sys = { values = [0.01, 0.28] }
luminosity = { values = [1, 10] }
[combine.both]
experiments = ["coherent-csi", "conus"]
[store]
dtype = "float64"
"""
GROUPS = [f"{experiment}/{model}" for experiment in (CSI, "conus", "both") for model in ("b-l", "chi")]
SETTINGS = {"sigma_sys": np.array([[0.0], [0.05], [0.28]]), "luminosity": np.array([0.5, 1.0, 1000.0])}
MODELS: list[tuple[str, dict[str, Any], str, list[float]]] = [
    ("chi", {}, "m_zprime", [30.0, 300.0, np.inf]),
    ("b-l", {"m_zprime": 0.01}, "g", [0.0, 1e-5, 1e-3]),
    ("nsi-ee-u", {}, "eps", [-0.3, 0.0, 0.4]),
]


# --- In Python ---


@pytest.mark.parametrize("names", [[CSI], [GE], ["conus"], [CSI, "conus", GE]])
@pytest.mark.parametrize(("model", "row", "strength", "values"), MODELS)
def test_it_is_what_is_expected_of_the_experiments_to_the_last_bit(
    names: list[str], model: str, row: dict[str, Any], strength: str, values: list[float]
) -> None:
    parts = [experiments.load(name).expected() for name in names]
    limit = fastscan.limit(names, model, **SETTINGS, **row, asimov=True)
    assert limit.tobytes() == fastscan.limit(parts, model, **SETTINGS, **row).tobytes()
    for function in (fastscan.chi2, fastscan.delta_chi2):
        at = {**row, strength: np.array(values)[:, None, None]}
        ours = function(names, model, **SETTINGS, **at, asimov=True)
        assert ours.tobytes() == function(parts, model, **SETTINGS, **at).tobytes()
    at = {**row, "sigma_sys": 0.1, "luminosity": 3.0}
    assert fastscan.intervals(names, model, **at, asimov=True) == fastscan.intervals(parts, model, **at)


def test_chi2_of_it_is_zero_at_the_standard_model_and_that_of_measured_data_is_not() -> None:
    at = {"m_zprime": np.inf, "luminosity": [1.0, 30.0]}
    assert fastscan.chi2([CSI, "conus"], "chi", **at, asimov=True).tolist() == [0, 0]
    assert (fastscan.chi2([CSI, "conus"], "chi", **at) > 0.1).all()


def test_settings_by_name_are_by_the_names_of_the_experiments() -> None:
    sigma = {CSI: 0.05, "conus": 0.3}
    parts = [experiments.load(name).expected() for name in sigma]
    theirs = {part.name: sigma[name] for part, name in zip(parts, sigma, strict=True)}
    limit = fastscan.limit([*sigma], "chi", sigma_sys=sigma, asimov=True)
    assert limit == fastscan.limit(parts, "chi", sigma_sys=theirs)
    assert limit != fastscan.limit([*sigma], "chi", sigma_sys=sigma)
    with pytest.raises(FastscanError, match="unknown experiment in sigma_sys 'coherent-csi-expected'"):
        fastscan.limit([*sigma], "chi", sigma_sys={"coherent-csi-expected": 0.1}, asimov=True)


def test_a_projection_is_what_it_was() -> None:
    for model, row, _, _ in MODELS:
        limit, again = (fastscan.limit("conus", model, **SETTINGS, **row, asimov=each) for each in (False, True))
        assert limit.tobytes() == again.tobytes()


# --- Counted data, which can't be scaled ---


def counted(observed: float | None) -> Experiment:
    """The reactor experiment with counted events and Poisson's law."""
    conus = experiments.load("conus")
    numbers = None if observed is None else (observed,) * conus.exposed.bins
    return replace(conus, statistics=Poisson(numbers, (), sigma_sys=0.1))


def test_counted_data_at_another_luminosity_are_refused_in_one_line() -> None:
    told = "luminosity must be 1 for the counted data of experiment 'conus'; asimov=True, --asimov or asimov = true"
    measured = counted(2e5)
    for luminosity in (10.0, [1.0, 0.5]):
        for function, at in (
            (fastscan.chi2, {"m_zprime": 300.0}),
            (fastscan.delta_chi2, {"m_zprime": 300.0}),
            (fastscan.limit, {}),
        ):
            with pytest.raises(InputError, match=told):
                function([measured, CSI], "chi", luminosity=luminosity, **at)
    with pytest.raises(InputError, match=told):
        fastscan.intervals(measured, "chi", luminosity=10.0)
    assert np.isfinite(fastscan.chi2(measured, "chi", m_zprime=300.0, luminosity=1.0))


def test_expected_counts_have_any_luminosity() -> None:
    at: dict[str, Any] = {"luminosity": [1.0, 10.0]}
    for mass in (300.0, np.inf):
        chi2 = fastscan.chi2(counted(2e5), "chi", **at, m_zprime=mass, asimov=True)
        assert chi2.tobytes() == fastscan.chi2(counted(None), "chi", **at, m_zprime=mass).tobytes()
    assert chi2 == pytest.approx([0, 0], abs=1e-12)
    asimov = fastscan.limit(counted(2e5), "chi", **at, asimov=True)
    assert asimov.tobytes() == fastscan.limit(counted(None), "chi", **at).tobytes()
    assert asimov[0] < asimov[1]


def test_a_grid_of_counted_data_has_another_luminosity_of_an_asimov_set_alone(write: Write) -> None:
    text = GRID.replace("coherent-csi", "coherent-csi-2021")
    told = r"\[axes\]: luminosity: must be 1 for the counted data of experiment 'coherent-csi-2021'; asimov=True"
    require_refused(grid.load, write("grid.toml", text), told)
    assert grid.load(write("asimov.toml", ASIMOV + text)).asimov
    assert not grid.load(write("one.toml", text.replace("[1, 10]", "[1]"))).asimov


# --- Grids and stores ---


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(GRID, tmp_path_factory.mktemp("measured")))


@pytest.fixture(scope="module")
def asimov(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(ASIMOV + GRID, tmp_path_factory.mktemp("asimov")))


def cubes(location: str) -> dict[str, Cube]:
    root = read_root(location)
    return {name: store.read(root, name) for name in store.group_names(root)}


def test_a_grid_stores_chi2_of_what_is_expected(asimov: str) -> None:
    for name in GROUPS:
        cube = fastscan.open(asimov, name)
        members = [CSI, "conus"] if name.startswith("both") else name.split("/")[:1]
        axes = [cube[axis].values for axis in cube.chi2.dims]
        at = dict(zip(cube.chi2.dims, np.meshgrid(*axes, indexing="ij", sparse=True), strict=True))
        chi2 = fastscan.chi2(members, name.split("/")[1], **at, asimov=True)
        assert cube.chi2.values == pytest.approx(np.broadcast_to(chi2, cube.chi2.shape), rel=1e-13, abs=1e-13)
    assert all(not found.damaged for found in verify(asimov, everything=True))


COUNTED = """
experiments = ["coherent-csi-2021"]
models = ["b-l"]
[axes]
m_zprime = { values = [0.01, 1], unit = "GeV" }
g = { values = [1e-5, 1e-3] }
luminosity = { values = [1, 10] }
[store]
dtype = "float64"
"""


def test_a_grid_of_counted_data_stores_what_is_expected_at_any_luminosity(write: Write, tmp_path: Path) -> None:
    root = fastscan.scan(write("grid.toml", ASIMOV + COUNTED), tmp_path / "out.zarr")
    mass, g, luminosity = np.array([0.01, 1.0]), np.array([[1e-5], [1e-3]]), np.array([1.0, 10.0])
    at = {"g": g, "luminosity": luminosity, "asimov": True}
    stored = fastscan.open(root, "coherent-csi-2021/b-l").chi2.values[:, :, 0]
    theirs = fastscan.chi2("coherent-csi-2021", "b-l", m_zprime=mass[:, None, None], **at)
    assert stored == pytest.approx(theirs, rel=1e-12)
    assert (theirs[..., 1] > theirs[..., 0]).all()
    likelihood, row = store.read(root, "coherent-csi-2021/b-l").at_rows({"m_zprime": np.array(0.1)})
    between = fastscan.chi2("coherent-csi-2021", "b-l", m_zprime=0.1, **at)
    assert likelihood.chi2(g**2, row, {"luminosity": luminosity}) == pytest.approx(between, rel=1e-9)


def test_it_is_part_of_the_hash(measured: str, asimov: str) -> None:
    ours, theirs = cubes(asimov), cubes(measured)
    assert [*ours] == [*theirs] == sorted(GROUPS)
    for name, cube in ours.items():
        assert cube.is_asimov
        assert not cube.is_measured
        assert not theirs[name].is_asimov
        assert cube.hash != theirs[name].hash
        assert cube.hash == theirs[name].with_expected_data().hash
    assert {name for name, cube in theirs.items() if cube.is_measured} == {
        each for each in GROUPS if "conus" not in each
    }


def test_rows_between_those_of_a_store_have_expected_data_too(measured: str, asimov: str) -> None:
    """Rows of a light mediator are made from the arrays in the store, data included."""
    mass = np.array([100.0, 400.0, 77.0])
    theirs = fastscan.chi2([CSI, "conus"], "b-l", m_zprime=mass, g=0.2, sigma_sys=0.1, luminosity=5.0, asimov=True)
    for cube in (cubes(asimov)["both/b-l"], cubes(measured)["both/b-l"].with_expected_data()):
        likelihood, row = cube.at_rows({"m_zprime": mass})
        ours = likelihood.chi2(np.full(3, 0.04), row, {"sigma_sys": 0.1, "luminosity": 5.0})
        assert ours == pytest.approx(theirs, rel=1e-12)


AT = {"sigma_sys": [0.01, 0.1], "luminosity": [1.0, 30.0]}


def test_a_question_to_measured_data_has_the_answer_of_an_asimov_grid(measured: str, asimov: str) -> None:
    ours = list(answers.limits_of_store(measured, Question(at=AT, asimov=True)))
    assert ours == list(answers.limits_of_store(asimov, Question(at=AT)))
    assert ours == list(answers.limits_of_store(asimov, Question(at=AT, asimov=True)))
    assert {each["asimov"] for each in ours} == {True}
    assert not any(each["scaled_data"] or each["expected_status"] for each in ours)
    for record, other in zip(ours, answers.limits_of_store(measured, Question(at=AT)), strict=True):
        key = "limit_gev" if "limit_gev" in record else "limit"
        assert list(record)[-2] == "asimov"
        assert other["asimov"] is False
        expected = other[key.replace("limit", "expected")]
        assert record[key] == (other[key] if other["experiment"] == "conus" else expected)


def test_profiles_and_contours_have_the_answers_of_an_asimov_grid_too(measured: str, asimov: str) -> None:
    theirs, ours = cubes(measured), cubes(asimov)
    for name in GROUPS:
        found = [*from_cube.profile_records(theirs[name], Question(at=AT, asimov=True))]
        assert found == [*from_cube.profile_records(ours[name], Question(at=AT))]
        assert {each["asimov"] for each in found} == {True}
    axes = PlaneAxes(("m_zprime", "g"))
    drawn = [
        planes.plane_of(cube, axes, Question(at={"sigma_sys": 0.1}, asimov=True))
        for cube in (theirs["both/b-l"], ours["both/b-l"])
    ]
    summaries = [contours.contour_summary(plane, contours.contours(plane)) for plane in drawn]
    assert summaries[0] == summaries[1]
    assert summaries[0]["asimov"] is True
    assert summaries[0]["contours"]
    plane = planes.plane_of(theirs["both/b-l"], axes, Question(at={"sigma_sys": 0.1}))
    of_data = contours.contour_summary(plane, contours.contours(plane))
    assert of_data["asimov"] is False
    assert of_data["contours"] != summaries[0]["contours"]


def test_a_store_and_a_single_limit_have_the_same_record(measured: str) -> None:
    at = {"sigma_sys": [0.1], "luminosity": [30.0]}
    for record in answers.limits_of_store(measured, Question((f"{CSI}/chi", "conus/chi"), at=at, asimov=True)):
        (single,) = limits_at_points([record["experiment"]], "chi", Question(at=at, asimov=True))
        assert [*single] == [*record]
        for key in set(record) - {"status"}:
            assert record[key] == single[key], key


def test_the_stored_chi2_is_that_of_its_own_data_alone(measured: str, asimov: str) -> None:
    at = {"sigma_sys": [0.01], "luminosity": [10.0]}
    asked = Question((f"{CSI}/chi",), at=at, stored=True, asimov=True)
    told = "coherent-csi/chi stores no chi2 of an Asimov set; a grid with asimov = true does"
    with pytest.raises(LimitError, match=told):
        list(answers.limits_of_store(measured, asked))
    with pytest.raises(LimitError, match=told):
        list(from_cube.profile_records(cubes(measured)[f"{CSI}/chi"], asked, read_root(measured)))
    in_plane = replace(asked, at={})
    with pytest.raises(LimitError, match=told):
        list(answers.contours_of_store(measured, in_plane, PlaneAxes(("sigma_sys", "m_zprime"))))
    carried = [*answers.limits_of_store(asimov, replace(asked, stored=False))]
    assert [*answers.limits_of_store(asimov, asked)] == carried
    projected = replace(asked, groups=("conus/chi",))
    (stored,), (again,) = (answers.limits_of_store(each, projected) for each in (measured, asimov))
    assert stored == again


def test_experiments_are_combined_in_a_question(measured: str, asimov: str) -> None:
    asked = Question(at=AT, asimov=True)
    ours, theirs = (list(answers.limits_of_store(each, asked, [CSI, "conus"])) for each in (measured, asimov))
    assert ours == theirs
    planned = [each for each in answers.limits_of_store(asimov, Question(at=AT)) if each["experiment"] == "both"]
    assert [each.get("limit_gev", each.get("limit")) for each in ours] == [
        each.get("limit_gev", each.get("limit")) for each in planned
    ]


def test_a_scan_of_it_is_resumed_and_no_other_joins_it(write: Write, tmp_path: Path) -> None:
    store_of_it = scanned(ASIMOV + GRID, tmp_path)
    whole = files(store_of_it)
    for lost in (f"{CSI}/chi/chi2/done.0.json", "both/b-l/chi2/c.0.0.0.0"):
        (store_of_it / lost).unlink()
    fastscan.scan(tmp_path / "grid.toml", store_of_it, resume=True)
    assert files(store_of_it) == whole
    with pytest.raises(StoreError, match=r"coherent-csi/chi is there from another run: asimov differ; nothing was"):
        fastscan.scan(write("measured.toml", GRID), store_of_it, resume=True)
    assert files(store_of_it) == whole


@pytest.mark.parametrize("value", ['"yes"', "1", "[]"])
def test_a_grid_says_true_or_false(value: str, write: Write) -> None:
    require_refused(grid.load, write("grid.toml", f"asimov = {value}\n{GRID}"), "asimov: must be true or false")
    assert [cube.hash for cube in plan(write("false.toml", f"asimov = false\n{GRID}"))] == [
        cube.hash for cube in plan(write("plain.toml", GRID))
    ]


# --- Commands ---


def test_limit_says_that_it_is_of_asimov_data() -> None:
    at = ("chi", "--sigma-sys", 0.01, "--luminosity", 1000)
    assert ok("limit", CSI, *at, "--asimov").splitlines() == [
        "coherent-csi, chi: M_Z' > 956.8 GeV  (90 % CL, 1 dof, sigma_sys 0.01, L/L0 1000, Asimov data)"
    ]
    header, _, row = ok("limit", CSI, "chi", "--luminosity", "1,1000", "--sigma-sys", 0.01, "--asimov").splitlines()[:3]
    assert header == "Lower limits on M_Z' from Asimov data at 90 % CL, 1 dof:"
    assert row.endswith("280.9 GeV")
    (table,) = csv.DictReader(io.StringIO(ok("limit", CSI, *at, "--asimov", "--csv")))
    assert ([*table][-2], table["asimov"], table["scaled_data"]) == ("asimov", "True", "False")
    assert json.loads(ok("limit", CSI, *at, "--json"))["asimov"] is False


@pytest.mark.slow
def test_a_store_says_that_it_is_of_asimov_data(measured: str, asimov: str, write: Write, tmp_path: Path) -> None:
    ours = ok("limits", measured, "--asimov", "--luminosity", "axis")
    assert ours == ok("limits", asimov, "--luminosity", "axis")
    assert ours.startswith("Upper limits on g from Asimov data at 90 % CL, 1 dof:")
    assert "Lower limits on M_Z' from Asimov data at 90 % CL, 1 dof:" in ours
    assert "scaled" not in ours
    told = ok("scan", write("grid.toml", ASIMOV + GRID), "-o", tmp_path / "out.zarr")
    assert "Lower limits on M_Z' from Asimov data at 90 % CL, 1 dof, L/L0 1:" in told
    assert ok("info", asimov).count("  data        Asimov data, the Standard Model's prediction\n") == len(GROUPS)
    assert "Asimov" not in ok("info", measured) + ok("limits", measured)
    plane = ("--group", f"{CSI}/chi", "--axes", "luminosity,m_zprime", "--asimov")
    assert "Delta chi2 = 2.706, Asimov data):" in ok("contours", measured, *plane)
    assert {row["asimov"] for row in csv.DictReader(io.StringIO(ok("contours", measured, *plane, "--csv")))} == {"True"}


@pytest.mark.parametrize("command", ["limits", "contours", "plot"])
def test_no_chi2_of_it_is_stored_with_measured_data(command: str, measured: str, tmp_path: Path) -> None:
    chosen = ["--group", f"{CSI}/chi", "--asimov", "--from-cube"]
    chosen += ["-o", tmp_path / "x.svg"] if command == "plot" else []
    assert refusal(command, measured, *chosen) == (
        "fastscan: coherent-csi/chi stores no chi2 of an Asimov set; a grid with asimov = true does"
    )


@pytest.mark.parametrize("picture", [Picture("profile"), Picture(along="luminosity"), Picture("contour")])
def test_curves_of_it_are_named_expected(picture: Picture, measured: str, asimov: str) -> None:
    groups = (f"{CSI}/chi", "conus/chi")
    at = {} if picture.along else {"sigma_sys": [0.1]}
    for location, asked in ((measured, True), (asimov, False)):
        figure, _ = plots.plot(location, Question(groups, at=at, asimov=asked), picture)
        names = [str(line.get_label()) for line in figure.axes[0].get_lines()]
        assert names[0].startswith("COHERENT CsI, $\\chi$")
        assert all(name.endswith(", expected") for name in names if "chi$" in name)
        assert not any("scaled" in name for name in names)


def test_joint_cubes_of_measured_and_asimov_data_are_refused(tmp_path: Path) -> None:
    alone = GRID.partition("[combine")[0].replace(', "b-l"', "").replace("\ng =", "\n# g =")
    (tmp_path / "ge.toml").write_text(alone.replace(f'"{CSI}", "conus"', f'"{GE}"'))
    location = scanned(ASIMOV + alone, tmp_path)
    fastscan.scan(tmp_path / "ge.toml", location, resume=True)
    root = read_root(location)
    told = f"{GE}/chi has measured data, and others of the combination have an Asimov set"
    with pytest.raises(LimitError, match=told):
        combining.joint_cubes(root, [CSI, GE])
    (joint,) = combining.joint_cubes(root, [CSI, "conus"])
    assert joint.is_asimov
