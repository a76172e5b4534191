"""Each option of a command does what the Python argument of its name does, and both change the answer."""

import csv
import io
import itertools
import json
import math
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import scanned

from fastscan.answers import answers, contours, point
from fastscan.answers.question import PlaneAxes, Question
from fastscan.commands.cli import cli
from fastscan.errors import FastscanError
from fastscan.outputs import figures, plots
from fastscan.outputs.plots import Picture
from fastscan.scans.verify import verify

E6, BOTH = "coherent-csi/e6", ["coherent-csi", "conus"]
GRID = """
experiments = ["coherent-csi", "conus"]
models = ["chi", "e6"]
[axes]
beta = { values = [0, 40, 80, 120], unit = "deg" }
m_zprime = { start = 20, stop = 2000, num = 60, spacing = "log", unit = "GeV" }
sigma_sys = { values = [0.05, 0.1, 0.2] }
luminosity = { values = [1, 10, 100] }
[store]
chunk = "1 KiB"
task = "1 KiB"
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(GRID, tmp_path_factory.mktemp("stored")))


@pytest.fixture
def asked(capsys: pytest.CaptureFixture[str]) -> Any:
    """The JSON that a command, run in this process, prints."""

    def ask(*arguments: object) -> Any:
        cli.main([*map(str, arguments), "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    return ask


def as_json(value: object) -> Any:
    return json.loads(json.dumps(value))


SIGMAS = [
    (["0.1"], {"coherent-csi": 0.1, "conus": 0.1}),
    (["0.1", "conus=0.05"], {"coherent-csi": 0.1, "conus": 0.05}),
    (["conus=0.05", "0.1"], {"coherent-csi": 0.1, "conus": 0.1}),
    (["conus=0.05"], {"coherent-csi": 0.28, "conus": 0.05}),
    (["conus=0.05", "conus=0.3"], {"coherent-csi": 0.28, "conus": 0.3}),
    (["0.1", "0.2"], {"coherent-csi": 0.2, "conus": 0.2}),
]


@pytest.mark.parametrize(("given", "meant"), SIGMAS)
def test_of_repeated_values_of_sigma_sys_the_later_counts(
    given: list[str], meant: dict[str, float], asked: Any
) -> None:
    options = [word for value in given for word in ("--sigma-sys", value)]
    found = asked("limit", ",".join(BOTH), "chi", *options)
    assert found["sigma_sys"] == meant
    assert [found] == as_json(point.limits_at_points(BOTH, "chi", Question(at={"sigma_sys": meant})))


LIMIT = [
    (["--beta", "40deg"], Question(at={"beta": math.radians(40)})),
    (["--beta", "40deg", "--luminosity", "10"], Question(at={"beta": math.radians(40), "luminosity": 10.0})),
    (["--beta", "40deg", "--cl", "0.95"], Question(at={"beta": math.radians(40)}, cl=0.95)),
    (["--beta", "40deg", "--dof", "2"], Question(at={"beta": math.radians(40)}, dof=2)),
    (["--beta", "40deg", "--asimov"], Question(at={"beta": math.radians(40)}, asimov=True)),
]


@pytest.mark.parametrize(("options", "meant"), LIMIT)
def test_limit(options: list[str], meant: Question, asked: Any) -> None:
    assert [asked("limit", "conus", "e6", *options)] == as_json(point.limits_at_points(["conus"], "e6", meant))


SEVERAL = [
    (["--beta", "0deg,40deg"], {"beta": [0.0, math.radians(40)]}),
    (["--beta", "40deg", "--sigma-sys", "1%,0.2"], {"beta": math.radians(40), "sigma_sys": [0.01, 0.2]}),
    (
        ["--beta", "0deg,100deg", "--sigma-sys", "0.01,20 %", "--luminosity", "1,10"],
        {"beta": [0.0, math.radians(100)], "sigma_sys": [0.01, 0.2], "luminosity": [1.0, 10.0]},
    ),
]


@pytest.mark.parametrize(("options", "at"), SEVERAL)
def test_limit_at_several_values(options: list[str], at: dict[str, Any], asked: Any) -> None:
    """There is one limit for each point, the last option varying fastest, as in `limits`."""
    found = asked("limit", "coherent-csi", "e6", *options)
    assert found == as_json(point.limits_at_points(["coherent-csi"], "e6", Question(at=at)))
    values = [each if isinstance(each, list) else [each] for each in at.values()]
    points = [dict(zip(at, each, strict=True)) for each in itertools.product(*values)]
    alone = [point.limits_at_points(["coherent-csi"], "e6", Question(at=each)) for each in points]
    assert found == as_json([each for (each,) in alone])


def test_limit_at_several_values_is_the_table_of_a_store(capsys: pytest.CaptureFixture[str], stored: str) -> None:
    chosen = ["--beta", "0deg,40deg", "--sigma-sys", "0.1,0.2", "--luminosity", "1,10"]
    cli.main(["limit", "coherent-csi", "e6", *chosen], standalone_mode=False)
    alone = capsys.readouterr().out
    cli.main(["limits", stored, "--group", E6, *chosen], standalone_mode=False)
    assert alone == capsys.readouterr().out
    cli.main(["limit", "coherent-csi", "e6", *chosen, "--csv"], standalone_mode=False)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = point.limits_at_points(
        ["coherent-csi"],
        "e6",
        Question(at={"beta": [0, math.radians(40)], "sigma_sys": [0.1, 0.2], "luminosity": [1, 10]}),
    )
    assert [float(row["limit_gev"]) for row in rows] == [each["limit_gev"] for each in found]
    assert list(rows[0]) == list(found[0])


def test_errors_by_name_go_together(asked: Any) -> None:
    found = asked("limit", ",".join(BOTH), "chi", "--sigma-sys", "0.1,0.2", "--sigma-sys", "conus=5%,10%")
    assert [each["sigma_sys"] for each in found] == [
        {"coherent-csi": 0.1, "conus": 0.05},
        {"coherent-csi": 0.2, "conus": 0.1},
    ]
    kept = asked("limit", ",".join(BOTH), "chi", "--sigma-sys", "conus=5%,10%", "--luminosity", "1,10")
    assert [(each["sigma_sys"]["conus"], each["luminosity"]) for each in kept] == [
        (0.05, 1.0),
        (0.05, 10.0),
        (0.1, 1.0),
        (0.1, 10.0),
    ]
    with pytest.raises(FastscanError, match="shapes that do not broadcast"):
        asked("limit", ",".join(BOTH), "chi", "--sigma-sys", "0.1,0.2,0.3", "--sigma-sys", "conus=5%,10%")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--beta", "axis"], "'axis' is no angle"),
        (["--beta", "0deg,"], "'' is no angle"),
        (["--sigma-sys", "0.1,axis"], "'axis' is not a valid float"),
        (["--sigma-sys", "conus=x%"], "'x%' is no relative error"),
        (["--luminosity", "1,x"], "'x' is not a valid float"),
    ],
)
def test_values_of_limit_that_are_none_are_refused(options: list[str], problem: str, asked: Any) -> None:
    with pytest.raises(click.BadParameter, match=problem):
        asked("limit", "coherent-csi", "e6", *options)


def test_limit_as_csv(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["limit", ",".join(BOTH), "e6", "--beta", "100deg", "--csv"], standalone_mode=False)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    (found,) = point.limits_at_points(BOTH, "e6", Question(at={"beta": math.radians(100)}))
    assert list(row) == list(found)
    assert float(row["limit_gev"]) == found["limit_gev"]
    assert row["sigma_sys"] == "coherent-csi=0.28;conus=0.2"


LIMITS: list[tuple[list[str], Question]] = [
    (["--group", E6, "--group", "conus/chi"], Question((E6, "conus/chi"))),
    (["--beta", "40deg,120deg"], Question(at={"beta": [math.radians(40), math.radians(120)]})),
    (["--sigma-sys", "0.15"], Question(at={"sigma_sys": [0.15]})),
    (["--sigma-sys", "axis"], Question(at={"sigma_sys": "axis"})),
    (["--luminosity", "3"], Question(at={"luminosity": [3.0]})),
    (["--luminosity", "axis"], Question(at={"luminosity": "axis"})),
    (["--cl", "0.95"], Question(cl=0.95)),
    (["--dof", "2"], Question(dof=2)),
    (["--asimov"], Question(asimov=True)),
]


@pytest.mark.parametrize(("options", "meant"), LIMITS)
def test_limits(options: list[str], meant: Question, asked: Any, stored: str) -> None:
    found = asked("limits", stored, *options)
    assert found == as_json(list(answers.limits_of_store(stored, meant)))
    assert found != as_json(list(answers.limits_of_store(stored, Question())))


def test_limits_of_combined_experiments(asked: Any, stored: str) -> None:
    found = asked("limits", stored, "--combine", "coherent-csi,conus")
    assert found == as_json(list(answers.limits_of_store(stored, Question(), BOTH)))
    assert {each["experiment"] for each in found} == {"coherent-csi+conus"}


CONTOURS: list[tuple[list[str], Question, PlaneAxes]] = [
    (["--group", E6], Question((E6,)), PlaneAxes()),
    (["--axes", "cos_beta,m_zprime"], Question(), PlaneAxes(("cos_beta", "m_zprime"))),
    (["--minimise", "beta"], Question(), PlaneAxes(minimise=("beta",))),
    (["--minimise", "beta", "--minimise", "luminosity"], Question(), PlaneAxes(minimise=("beta", "luminosity"))),
    (
        ["--axes", "sigma_sys,luminosity", "--beta", "40deg", "--m-zprime", "0.3TeV"],
        Question(at={"beta": math.radians(40), "m_zprime": 300.0}),
        PlaneAxes(("sigma_sys", "luminosity")),
    ),
    (["--sigma-sys", "0.2"], Question(at={"sigma_sys": 0.2}), PlaneAxes()),
    (["--luminosity", "10"], Question(at={"luminosity": 10.0}), PlaneAxes()),
    (["--cl", "0.95"], Question(cl=0.95), PlaneAxes()),
    (["--dof", "1"], Question(dof=1), PlaneAxes()),
    (["--asimov"], Question(asimov=True), PlaneAxes()),
]


@pytest.mark.parametrize(("options", "meant", "axes"), CONTOURS)
def test_contours(options: list[str], meant: Question, axes: PlaneAxes, asked: Any, stored: str) -> None:
    def told(question: Question, plane_axes: PlaneAxes) -> Any:
        planes = answers.contours_of_store(stored, question, plane_axes)
        return as_json([contours.contour_summary(plane, lines) for plane, lines in planes])

    found = asked("contours", stored, *options)
    assert found == told(meant, axes)
    assert found != told(Question(), PlaneAxes())


PLOT: list[tuple[list[str], Question, Picture]] = [
    (["--group", "conus/chi"], Question(("conus/chi",)), Picture()),
    (["--kind", "profile"], Question(), Picture("profile")),
    (["--along", "luminosity"], Question(), Picture(along="luminosity")),
    (
        ["--along", "luminosity", "--sigma-sys", "0.1"],
        Question(at={"sigma_sys": [0.1]}),
        Picture(along="luminosity"),
    ),
    (["--axes", "beta,m_zprime"], Question(), Picture(plane=PlaneAxes(("beta", "m_zprime")))),
    (
        ["--axes", "beta,luminosity", "--m-zprime", "300GeV"],
        Question(at={"m_zprime": 300.0}),
        Picture(plane=PlaneAxes(("beta", "luminosity"))),
    ),
    (["--minimise", "beta"], Question(), Picture(plane=PlaneAxes(minimise=("beta",)))),
    (["--beta", "40deg,80deg"], Question(at={"beta": [math.radians(40), math.radians(80)]}), Picture()),
    (["--luminosity", "10,100"], Question(at={"luminosity": [10.0, 100.0]}), Picture()),
    (["--cl", "0.95"], Question(cl=0.95), Picture()),
    (["--dof", "2"], Question(dof=2), Picture()),
    (["--asimov"], Question(asimov=True), Picture()),
]


@pytest.fixture(scope="module")
def plain(stored: str) -> bytes:
    return figures.as_svg(plots.plot(stored)[0])


@pytest.mark.parametrize(("options", "meant", "picture"), PLOT)
def test_plot(options: list[str], meant: Question, picture: Picture, plain: bytes, stored: str, tmp_path: Path) -> None:
    """The same picture is the same file."""
    cli.main(["plot", stored, "-o", str(tmp_path / "asked.svg"), *options], standalone_mode=False)
    drawn = (tmp_path / "asked.svg").read_bytes()
    assert drawn == figures.as_svg(plots.plot(stored, meant, picture)[0])
    assert drawn != plain


@pytest.mark.parametrize("command", ["limits", "contours", "plot"])
def test_from_cube_reads_what_is_stored(command: str, stored: str, tmp_path: Path) -> None:
    """The numbers are the same, so that only a store with wrong values shows whether they were read."""
    wrong = tmp_path / "wrong.zarr"
    shutil.copytree(stored, wrong)
    for chunk in (wrong / E6 / "chi2").glob("c.*"):
        chunk.write_bytes(bytes(chunk.stat().st_size))
    chosen = ["--sigma-sys", "0.1", "--group", E6]
    if command == "plot":
        chosen += ["--axes", "beta,m_zprime", "-o", str(tmp_path / "x.png"), "--overwrite"]
    cli.main([command, str(wrong), *chosen], standalone_mode=False)
    cli.main([command, stored, *chosen, "--from-cube"], standalone_mode=False)
    with pytest.raises(FastscanError, match="contradicts the likelihood"):
        cli.main([command, str(wrong), *chosen, "--from-cube"], standalone_mode=False)


@pytest.mark.parametrize("everything", [False, True])
def test_verify(everything: bool, asked: Any, stored: str) -> None:
    found = asked("verify", stored, *(["--all"] if everything else []))
    assert found == as_json([asdict(each) for each in verify(stored, everything)])
    assert [each["recomputed"] == each["chunks"] for each in found if each["tasks"] > 8] == [everything] * 2
