"""Pictures draw the numbers in the records."""

import math

import matplotlib.figure
import numpy as np
import pytest
from conftest import scanned
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastscan.answers import answers, contours, from_cube
from fastscan.answers.question import PlaneAxes, Question
from fastscan.outputs import figures, plots
from fastscan.outputs.plots import Picture
from fastscan.paper import paper_figures
from fastscan.paper.figure_parts import PaperFigure
from fastscan.stores import store
from fastscan.stores.location import read_root
from fastscan.typing import Record

GRID = """
experiments = ["coherent-csi", "conus"]
models = ["chi", "e6"]
[axes]
beta = { start = 0, stop = 180, num = 19, unit = "deg" }
m_zprime = { start = 20, stop = 2000, num = 25, spacing = "log", unit = "GeV" }
sigma_sys = { values = [0.05, 0.1, 0.2] }
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(GRID, tmp_path_factory.mktemp("stored")))


@pytest.fixture(scope="module")
def by_number() -> dict[int, PaperFigure]:
    return {figure.number: figure for figure in paper_figures.all_figures()}


def drawn(ax: Axes) -> list[list[tuple[float, float]]]:
    """The points of every line that isn't straight."""
    return [list(map(tuple, line.get_xydata().tolist())) for line in ax.get_lines() if len(line.get_xdata()) > 2]


def points(rows: list[Record], x: str, y: str) -> list[tuple[float, float]]:
    return [(row[x], math.nan if row[y] is None else row[y]) for row in rows]


def require_equal(ours: list[list[tuple[float, float]]], theirs: list[list[tuple[float, float]]]) -> None:
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def by_curve(rows: list[Record], x: str, y: str) -> list[list[tuple[float, float]]]:
    """Rows as curves, one for each experiment and model."""
    groups = figures.grouped(rows, lambda row: (row["experiment"], row["model"]))
    return [points(each, x, y) for each in groups.values()]


def test_profiles(stored: str) -> None:
    figure, _ = plots.plot(stored, Question(("coherent-csi/chi", "conus/chi")), Picture("profile"))
    root = read_root(stored)
    profiles = [list(from_cube.profile_records(store.read(root, name))) for name in ("coherent-csi/chi", "conus/chi")]
    require_equal(drawn(figure.axes[0]), [points(rows, "m_zprime_gev", "delta_chi2") for rows in profiles])


def test_limits_along_beta(stored: str) -> None:
    asked = Question(("coherent-csi/e6", "conus/e6"), at={"sigma_sys": [0.1]})
    figure, _ = plots.plot(stored, asked, Picture("limit", along="beta"))
    rows = [row | {"beta_deg": math.degrees(row["beta_rad"])} for row in answers.limits_of_store(stored, asked)]
    require_equal(drawn(figure.axes[0]), by_curve(rows, "beta_deg", "limit_gev"))


def test_contours(stored: str) -> None:
    asked, axes = Question(("conus/e6",)), PlaneAxes(("cos_beta", "m_zprime"))
    figure, _ = plots.plot(stored, asked, Picture(plane=axes))
    ((plane, lines),) = answers.contours_of_store(stored, asked, axes)
    rows = list(contours.contour_records(plane, lines))
    expected = [
        points(each, "cos_beta", "m_zprime_gev") for each in figures.grouped(rows, lambda row: row["contour"]).values()
    ]
    require_equal(drawn(figure.axes[0]), expected)


def test_what_is_shaded_is_excluded(stored: str) -> None:
    """The shade ends where the contour runs, and light masses are in it."""
    figure, _ = plots.plot(stored, Question(("conus/e6",), at={"sigma_sys": [0.1]}))
    ax = figure.axes[0]
    (shade,) = (each for each in ax.collections if type(each).__name__ == "QuadContourSet")
    (path,) = shade.get_paths()
    asked = Question(("conus/e6",), at={"beta": "axis", "sigma_sys": [0.1]}, dof=2)
    limits = {round(math.degrees(row["beta_rad"])): row["limit_gev"] for row in answers.limits_of_store(stored, asked)}
    assert path.contains_point((20.0, 0.5 * limits[20]))
    assert not path.contains_point((20.0, 2.0 * limits[20]))


def extent(ax: Axes, rows: list[Record]) -> dict[float, tuple[float, float]]:
    """The range of a band at each x: its outline goes forth along one edge and back along the other."""
    outline = figures.band(ax, rows, "x", "y", "band").get_paths()[0].vertices
    xs = sorted({row["x"] for row in rows})
    return {x: (min(ys), max(ys)) for x in xs for ys in [outline[outline[:, 0] == x, 1].tolist()]}


def test_a_band_reaches_from_the_lowest_to_the_highest_curve() -> None:
    ax = Figure().subplots()
    curves = {"a": [3.0, 1.0, 2.0], "b": [4.0, 5.0, 1.0], "c": [3.5, 2.0, 7.0]}
    rows = [{"x": x, "y": y} for ys in curves.values() for x, y in zip([1.0, 2.0, 4.0], ys, strict=True)]
    assert extent(ax, rows) == {1.0: (3.0, 4.0), 2.0: (1.0, 5.0), 4.0: (1.0, 7.0)}


def test_a_band_reaches_to_the_bottom_where_a_curve_has_no_value() -> None:
    ax = Figure().subplots()
    ax.set_ylim(-10, 10)
    values = {1.0: [3.0, 4.0], 2.0: [None, 5.0], 3.0: [None, None], 4.0: [1.0, 2.0]}
    rows = [{"x": x, "y": y} for x, ys in values.items() for y in ys]
    assert extent(ax, rows) == {1.0: (3.0, 4.0), 2.0: (-10.0, 5.0), 3.0: (-10.0, -10.0), 4.0: (1.0, 2.0)}


AXES = {1: ("m_zprime_gev", "delta_chi2"), 2: ("sigma_sys", "limit_gev"), 3: ("luminosity", "limit_gev"),
        4: ("m_zprime_gev", "delta_chi2"), 5: ("cos_beta", "m_zprime_gev")}  # fmt: skip
LINES = {1: 11, 2: 33, 3: 36, 4: 15, 5: 39}


@pytest.mark.slow
@pytest.mark.parametrize("number", AXES)
def test_every_line_of_the_papers_figures_is_one_of_their_tables(
    number: int, by_number: dict[int, PaperFigure]
) -> None:
    x, y = AXES[number]
    tables = by_number[number].tables
    rows = [row for _, table in tables.values() for row in table if {x, y} <= set(row)]
    curves = figures.grouped(rows, lambda row: (row["experiment"], row["model"], row.get("contour")))
    known = [np.array(points(each, x, y)) for each in curves.values()]
    if number == 3:  # where data are scaled, the expected limits are drawn beside
        known += [np.array(points(each, x, "expected_gev")) for each in curves.values() if each[-1]["scaled_data"]]
    figure: matplotlib.figure.Figure = by_number[number].draw()
    lines = [np.array(line) for ax in figure.axes for line in drawn(ax)]
    assert len(lines) == LINES[number]
    for line in lines:
        same = [each for each in known if each.shape == line.shape]
        assert any(np.allclose(each, line, rtol=1e-12, atol=0, equal_nan=True) for each in same)
