"""Records call measured data at another luminosity than 1 scaled, and have the expected limit beside theirs."""

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Write, ok, run, scanned

import fastscan
from fastscan.answers import answers, contours, from_cube, planes
from fastscan.answers.question import PlaneAxes, Question
from fastscan.experiments import catalogue as experiments
from fastscan.outputs import plots
from fastscan.outputs.plots import Picture
from fastscan.paper import paper_figures
from fastscan.paper.figure_parts import PaperFigure
from fastscan.scans.plan import plan
from fastscan.stores import combining, store
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root
from fastscan.typing import Record

GRID = """
experiments = ["coherent-csi", "conus"]
models = ["chi", "e6"]
[axes]
beta = { values = [0, 60, 90, 100], unit = "deg" }
m_zprime = { start = 30, stop = 900, num = 7, spacing = "log", unit = "GeV" }
sigma_sys = { values = [0.01, 0.28] }
luminosity = { values = [0.5, 1, 10, 1000] }
[combine.both]
experiments = ["coherent-csi", "conus"]
"""
FIXED = "sigma_sys = { conus = 0.1 }"
CSI = "coherent-csi"
AXIS = {"sigma_sys": "axis", "luminosity": "axis"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(GRID + FIXED, tmp_path_factory.mktemp("scaled")))


def expected_limit(names: Sequence[str], record: Record) -> tuple[float | None, str]:
    """The limit of a record's question to the expected version of each experiment, which has another name."""
    sigma = record["sigma_sys"] if isinstance(record["sigma_sys"], dict) else {CSI: record["sigma_sys"]}
    parts = [experiments.load(name).expected() for name in names]
    limit, status = fastscan.limit(
        parts,
        record["model"],
        beta=record["beta_rad"],
        sigma_sys={part.name: sigma[name] for part, name in zip(parts, names, strict=True)},
        luminosity=record["luminosity"],
        with_status=True,
    )
    return (None if np.isnan(limit) else float(limit)), str(status)


@pytest.mark.parametrize("from_the_cube", [False, True])
@pytest.mark.parametrize(("experiment", "members"), [(CSI, [CSI]), ("both", [CSI, "conus"])])
def test_records_from_a_store_have_the_expected_limit_to_the_last_bit(
    experiment: str, members: list[str], from_the_cube: bool, stored: str
) -> None:
    groups = tuple(f"{experiment}/{model}" for model in ("chi", "e6"))
    found = list(answers.limits_of_store(stored, Question(groups, at=AXIS, stored=from_the_cube)))
    assert len(found) == (1 + 4) * 2 * 4
    for record in found:
        limit, status = expected_limit(members, record)
        assert record["expected_gev"] == limit
        outside = limit is not None and not 30 <= limit <= 900
        assert record["expected_status"] == ("outside_axis" if outside else status)
        assert record["scaled_data"] is (record["luminosity"] != 1)
    assert {record["expected_status"] for record in found} == {"ok", "outside_axis", "no_sensitivity"}


def test_a_projection_is_not_scaled_data(stored: str) -> None:
    for record in answers.limits_of_store(stored, Question(("conus/chi", "conus/e6"), at=AXIS)):
        assert (record["expected_gev"], record["expected_status"], record["scaled_data"]) == (None, None, False)


def test_a_store_and_a_single_limit_have_the_same_record(stored: str) -> None:
    """At settings off the axes too, and with an error by the name of an experiment."""
    at = {"sigma_sys": [0.1], "luminosity": [30.0]}
    for record in answers.limits_of_store(stored, Question((f"{CSI}/chi", "both/chi", "conus/chi"), at=at)):
        names = f"{CSI},conus" if record["experiment"] == "both" else record["experiment"]
        settings = ("--sigma-sys", 0.1, "--luminosity", 30)
        single = json.loads(ok("limit", names, "chi", *settings, "--json"))
        assert list(single) == list(record)
        for key in set(record) - {"experiment", "allowed_gev", "status", "expected_status"}:
            assert record[key] == single[key], key
        assert [list(ends) for ends in record["allowed_gev"]] == single["allowed_gev"]


def test_experiments_that_are_combined_in_a_question_have_the_expected_limit_of_a_grids_combination(
    stored: str, write: Write
) -> None:
    root = read_root(stored)
    (chi, _) = combining.joint_cubes(root, [CSI, "conus"])
    planned = next(cube for cube in plan(write("grid.toml", GRID)) if cube.name == "both/chi")
    assert chi.expected.members == chi.likelihood.members == (CSI, "conus")
    for name in ("roots", "spread", "change", "rates", "sigma_sys"):
        assert getattr(chi.expected, name).tobytes() == getattr(planned.expected, name).tobytes()
    assert not any(cube.is_measured for cube in combining.joint_cubes(root, ["conus"]))


def test_rows_off_the_axes_have_the_expected_likelihood_too(stored: str) -> None:
    cube = store.read(read_root(stored), f"{CSI}/e6")
    beta = np.array([0.3, 0.7, 0.3])
    likelihood, row = replace(cube, likelihood=cube.expected).at_rows({"beta": beta})
    strength = cube.interaction.strength.to_x(np.full(3, 150.0))
    ours = likelihood.chi2(strength, row, {"sigma_sys": {CSI: 0.1}, "luminosity": 5.0})
    theirs = fastscan.chi2(
        experiments.load(CSI).expected(), "e6", beta=beta, m_zprime=150.0, sigma_sys=0.1, luminosity=5.0
    )
    assert ours.tolist() == theirs.tolist()


def test_a_table_of_limits_marks_scaled_data_and_has_what_is_expected(stored: str) -> None:
    at = ("--sigma-sys", 0.01, "--luminosity", "0.5,1,1000", "--beta", "100deg")
    header, *rows = ok("limits", stored, *at).splitlines()[1:]
    assert header.endswith("  limit                                                      expected")
    told: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        experiment, _, model = re.split("  +", row)[:3]
        told.setdefault((experiment, model), []).append(row[header.index("limit") :])
    assert [" ".join(each.split()) for each in told[CSI, "chi"]] == [
        "317.1 GeV (scaled data) 239.2 GeV",
        "412.6 GeV 280.9 GeV",
        "4140.5 GeV (outside the axis) (scaled data) 956.8 GeV (outside the axis)",
    ]
    assert "none: the data disfavour the Standard Model (scaled data)  200.6 GeV" in told[CSI, "e6"]
    assert not any("scaled" in each or each.count("GeV") > 1 for each in told["conus", "chi"])
    assert len(told["both", "chi"]) == "\n".join(told["both", "chi"]).count("(scaled data)") + 1 == 3


def test_a_table_of_data_that_are_not_scaled_is_as_without(stored: str) -> None:
    header, *rows = ok("limits", stored, "--group", f"{CSI}/chi", "--sigma-sys", 0.28).splitlines()[1:]
    assert header.split() == ["experiment", "label", "model", "sigma_sys", "L/L0", "limit"]  # chi has no beta
    assert [row.split() for row in rows] == [[CSI, "COHERENT", "CsI", "chi", "0.28", "1", "195.3", "GeV"]]
    assert "expected" not in ok("limits", stored, "--group", "conus/chi", "--luminosity", "axis")


@pytest.mark.parametrize(("luminosity", "is_scaled"), [(1000, True), (0.5, True), (1, False)])
@pytest.mark.parametrize("names", [CSI, f"conus,{CSI}"])
def test_a_single_limit_says_scaled_data(names: str, luminosity: float, is_scaled: bool) -> None:
    line, expected = ok("limit", names, "chi", "--sigma-sys", 0.01, "--luminosity", luminosity).splitlines()
    assert line.endswith(f"L/L0 {luminosity}, scaled data)" if is_scaled else f"L/L0 {luminosity})")
    assert expected.startswith("expected, from the Standard Model's prediction in place of the data: ")


def test_the_limit_from_scaled_data_is_what_it_was() -> None:
    csi = experiments.load(CSI)
    at = {"sigma_sys": 0.01, "luminosity": 1000}
    assert fastscan.limit(csi, "chi", **at) == pytest.approx(4140.53, abs=0.01)
    assert fastscan.limit(csi.expected(), "chi", **at) == pytest.approx(956.80, abs=0.01)


def test_the_summary_of_a_scan_says_its_luminosity(tmp_path: Path, write: Write) -> None:
    grid = write("grid.toml", GRID.replace("[0.5, 1, 10, 1000]", "[10, 1000]"))
    told = ok("scan", grid, "-o", tmp_path / "out.zarr")
    assert told.splitlines()[0] == "Lower limits on M_Z' at 90 % CL, 1 dof, L/L0 1:"
    assert told.splitlines()[2].split() == [CSI, "COHERENT", "CsI", "chi", "0.28", "195.3", "GeV"]
    assert "scaled data" not in told


def test_profiles_say_which_points_are_of_scaled_data(stored: str) -> None:
    root = read_root(stored)
    for group, measured in ((f"{CSI}/chi", True), ("both/e6", True), ("conus/e6", False)):
        for row in from_cube.profile_records(store.read(root, group), Question(at=AXIS)):
            assert list(row)[-4:] == ["scaled_data", "warning", "asimov", "shared_nuisances"]
            assert row["scaled_data"] is (measured and row["luminosity"] != 1)


@pytest.fixture(scope="module")
def chi(stored: str) -> Cube:
    return store.read(read_root(stored), f"{CSI}/chi")


def test_contours_say_which_vertices_are_of_scaled_data(chi: Cube) -> None:
    plane = planes.plane_of(chi, PlaneAxes(("luminosity", "m_zprime")), Question(at={"sigma_sys": 0.28}))
    rows = list(contours.contour_records(plane, contours.contours(plane)))
    assert {row["scaled_data"] for row in rows} == {True, False}
    assert all(row["scaled_data"] == (not math.isclose(row["luminosity"], 1)) for row in rows)


@pytest.mark.parametrize(
    ("axes", "at", "is_scaled"),
    [
        (PlaneAxes(("luminosity", "m_zprime")), {"sigma_sys": 0.28}, True),
        (PlaneAxes(("sigma_sys", "m_zprime")), {"luminosity": 10.0}, True),
        (PlaneAxes(("sigma_sys", "m_zprime")), {}, False),
        (PlaneAxes(("sigma_sys", "m_zprime"), ("luminosity",)), {}, True),
    ],
)
def test_a_plane_says_whether_its_data_are_scaled(
    axes: PlaneAxes, at: dict[str, float], is_scaled: bool, chi: Cube
) -> None:
    plane = planes.plane_of(chi, axes, Question(at=at))
    lines = contours.contours(plane)
    assert contours.contour_summary(plane, lines)["scaled_data"] is is_scaled
    if "luminosity" not in plane.shown:
        assert {row["scaled_data"] for row in contours.contour_records(plane, lines)} <= {is_scaled}


def test_the_text_of_contours_says_scaled_data(stored: str) -> None:
    at = ("--axes", "sigma_sys,m_zprime", "--luminosity")
    assert "Delta chi2 = 2.706, scaled data):" in ok("contours", stored, "--group", f"{CSI}/chi", *at, 10)
    assert "scaled data" not in ok("contours", stored, "--group", f"{CSI}/chi", *at, 1)
    assert "scaled data" not in ok("contours", stored, "--group", "conus/chi", *at, 10)
    table = csv.DictReader(io.StringIO(ok("contours", stored, "--group", f"{CSI}/chi", *at, 10, "--csv")))
    assert {row["scaled_data"] for row in table} == {"True"}


def drawn(stored: str, question: Question, picture: Picture) -> dict[str, plots.figures.Line2D]:
    figure, _ = plots.plot(stored, question, picture)
    return {str(line.get_label()): line for line in figure.axes[0].get_lines()}


CHI = tuple(f"{name}/chi" for name in (CSI, "conus", "both"))
CSI_CHI, CONUS_CHI, BOTH_CHI = (rf"{label}, $\chi$" for label in ("COHERENT CsI", "CONUS", "both"))


def test_a_picture_of_limits_draws_what_is_expected_and_scaled_data_thin_beside(stored: str) -> None:
    asked = Question(CHI, at={"sigma_sys": [0.01]})
    lines = drawn(stored, asked, Picture(along="luminosity"))
    assert list(lines) == [
        f"{CSI_CHI}, expected",
        f"{CSI_CHI}, scaled data",
        CONUS_CHI,
        f"{BOTH_CHI}, expected",
        f"{BOTH_CHI}, scaled data",
    ]
    over = replace(asked, at={**asked.at, "luminosity": "axis"})
    found = list(answers.limits_of_store(stored, over))
    for experiment, name in ((CSI, CSI_CHI), ("both", BOTH_CHI)):
        rows = [row for row in found if row["experiment"] == experiment]
        for which, key in (("expected", "expected_gev"), ("scaled data", "limit_gev")):
            assert lines[f"{name}, {which}"].get_ydata().tolist() == [row[key] for row in rows]
        expected, scaled = (lines[f"{name}, {which}"] for which in ("expected", "scaled data"))
        assert expected.get_color() == scaled.get_color()
        assert expected.get_linewidth() == lines[CONUS_CHI].get_linewidth() > scaled.get_linewidth()
    assert len({lines[f"{name}, expected"].get_color() for name in (CSI_CHI, BOTH_CHI)}) == 2


def test_limits_along_another_axis_are_drawn_so_where_data_are_scaled(stored: str) -> None:
    picture = Picture(along="sigma_sys")
    assert list(drawn(stored, Question(CHI[:2], at={"luminosity": [10.0]}), picture)) == [
        f"{CSI_CHI}, expected",
        f"{CSI_CHI}, scaled data",
        CONUS_CHI,
    ]
    assert list(drawn(stored, Question(CHI[:2]), picture)) == [CSI_CHI, CONUS_CHI]


def test_profiles_and_contours_of_scaled_data_are_named_so(stored: str) -> None:
    profiles = drawn(stored, Question(CHI[:2], at={"sigma_sys": [0.1], "luminosity": [1.0, 10.0]}), Picture("profile"))
    assert [name for name in profiles if "$" in name] == [
        f"{CSI_CHI}, $L/L_0$ = 1",
        f"{CSI_CHI}, $L/L_0$ = 10, scaled data",
        f"{CONUS_CHI}, $L/L_0$ = 1",
        f"{CONUS_CHI}, $L/L_0$ = 10",
    ]
    plane = Picture(plane=PlaneAxes(("luminosity", "m_zprime")))
    assert {*drawn(stored, Question(CHI[:2], at={"sigma_sys": [0.28]}), plane)} == {
        f"{CSI_CHI}, scaled data",
        CONUS_CHI,
    }


def test_an_empty_plane_of_scaled_data_is_named_so(stored: str) -> None:
    asked = Question((f"{CSI}/e6",), at={"luminosity": [10.0], "beta": [math.pi / 2]})
    figure, _ = plots.plot(stored, asked, Picture(plane=PlaneAxes(("sigma_sys", "m_zprime"))))
    assert figure.axes[0].get_title() == "90 % CL, 1 dof, scaled data: no contour in this plane"


@pytest.fixture(scope="module")
def figure3() -> PaperFigure:
    return paper_figures.figure(3)


def test_fig_3_judges_the_expected_limit_and_has_both_in_its_table(figure3: PaperFigure) -> None:
    rows = [row for row in figure3.tables[""][1] if row["experiment"] == CSI]
    assert len(rows) == 3 * 91
    assert [row["scaled_data"] for row in rows] == [row["luminosity"] != 1 for row in rows]
    chi = [row for row in rows if row["model"] == "chi"]
    assert [round(chi[-1][key], 1) for key in ("limit_gev", "expected_gev")] == [4140.5, 956.8]
    csi = experiments.load(CSI).expected()
    theirs = fastscan.limit(csi, "chi", sigma_sys=0.01, luminosity=[row["luminosity"] for row in chi])
    assert [row["expected_gev"] for row in chi] == theirs.tolist()
    finding = figure3.findings[1]
    assert finding.statement == "COHERENT CsI, expected: nearly flat too"
    at_100 = float(fastscan.limit(csi, "chi", sigma_sys=0.01, luminosity=100))
    assert not finding.holds
    assert f"{100 * (chi[-1]['expected_gev'] / at_100 - 1):.1f} %" in finding.conclusion
    counts = csi.statistics.counts(np.array([180.12]))
    assert math.sqrt(counts.variance[0] / 100) / 180.12 == pytest.approx(0.018, abs=5e-4)  # as the finding says
    header = next(line for line in figure3.csv["figure3"][0].splitlines() if not line.startswith("#"))
    assert "expected_gev" in header.split(",")


def test_fig_3_draws_what_is_expected_and_scaled_data_thin_beside(figure3: PaperFigure) -> None:
    for ax in figure3.draw().axes[:3]:
        lines = {line.get_label(): line for line in ax.get_lines()}
        expected, scaled = (lines[f"COHERENT CsI, {which}"] for which in ("expected", "scaled data"))
        assert expected.get_color() == scaled.get_color()
        assert expected.get_linewidth() > scaled.get_linewidth()
        assert expected.get_ydata()[-1] < scaled.get_ydata()[-1]


def test_a_picture_of_scaled_data_is_written(stored: str, tmp_path: Path) -> None:
    ended = run("plot", stored, "-o", tmp_path / "p.svg", "--along", "luminosity", "--sigma-sys", 0.01)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "p.svg").stat().st_size > 0
