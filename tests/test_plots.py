"""Pictures of a user's own store: what is chosen, that it is what the records say, and what can't be drawn."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from conftest import GRID, scanned
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from fastscan.answers import answers
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError
from fastscan.outputs import figures, plots
from fastscan.outputs.plots import Picture
from fastscan.paper import paper_figures
from fastscan.scans.plan import plan

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(GRID.replace("num = 13", "num = 61"), tmp_path_factory.mktemp("stored")))


def drawn(figure: Figure) -> dict[str, np.ndarray]:
    return {str(line.get_label()): line.get_xydata() for line in figure.axes[0].get_lines()}


def test_what_is_drawn_when_nothing_is_said(stored: str) -> None:
    figure, left_out = plots.plot(stored)
    assert left_out == ["coherent-csi/e6"]
    (points,) = drawn(figure).values()
    asked = Question(("coherent-csi/chi",), at={"sigma_sys": "axis"})
    expected = [row["limit_gev"] for row in answers.limits_of_store(stored, asked)]
    assert points[:, 1].tolist() == expected
    assert plots.plot(stored, Question(("coherent-csi/e6",)))[0].axes[0].get_title() == (
        r"90 % CL, 2 dof, $\sigma_\mathrm{sys}$ = 0.28, $L/L_0$ = 1"
    )


def test_a_profile_names_what_differs(stored: str) -> None:
    figure, _ = plots.plot(stored, Question(at={"sigma_sys": [0.1, 0.2]}), Picture("profile"))
    assert [*drawn(figure)][:2] == [
        r"coherent-csi/chi, $\sigma_\mathrm{sys}$ = 0.1",
        r"coherent-csi/chi, $\sigma_\mathrm{sys}$ = 0.2",
    ]


def test_a_curve_without_a_limit_is_named_so(tmp_path: Path) -> None:
    store = scanned(GRID.replace('"chi", "e6"', '"chi", "psi"').replace("beta =", "# beta ="), tmp_path)
    figure, _ = plots.plot(str(store))
    assert [*drawn(figure)] == ["coherent-csi/chi", "coherent-csi/psi: none"]


def test_a_curve_is_named_once_by_what_differs(stored: str) -> None:
    for axes in (("beta", "m_zprime"), ("cos_beta", "m_zprime"), ("m_zprime", "beta")):
        figure, _ = plots.plot(stored, picture=Picture(plane=PlaneAxes(axes)))
        names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert names == ["coherent-csi/e6", "excluded"]


def test_what_is_said_chooses_the_picture(stored: str) -> None:
    along_luminosity, _ = plots.plot(stored, Question(at={"sigma_sys": [0.1]}))
    assert along_luminosity.axes[0].get_xlabel() == "$L/L_0$"
    minimised, _ = plots.plot(stored, Question(("coherent-csi/e6",)), Picture(plane=PlaneAxes(minimise=("beta",))))
    assert minimised.axes[0].get_xlabel() == r"$\sigma_\mathrm{sys}$"


def test_stored_values_make_the_same_picture(stored: str) -> None:
    asked = Question(("coherent-csi/e6",), at={"sigma_sys": [0.1]})
    for picture in (Picture("contour"), Picture("limit", along="beta")):
        one, _ = plots.plot(stored, asked, picture)
        other, _ = plots.plot(stored, replace(asked, stored=True), picture)
        for a, b in zip(drawn(one).values(), drawn(other).values(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


PLANE = PlaneAxes(("beta", "m_zprime"))


@pytest.mark.parametrize(
    ("asked", "picture", "problem"),
    [
        (Question(), Picture("pie"), "unknown kind of picture 'pie'"),
        (Question(), Picture("limit", along="mass"), "unknown axis 'mass'; did you mean 'sigma_sys'"),
        (Question(("coherent-csi/chi",)), Picture(along="beta"), "coherent-csi/chi has no axis beta"),
        (Question(), Picture("profile", plane=PLANE), "axes, minimise and m_zprime are for contours"),
        (Question(at={"luminosity": [1, 10]}), Picture("contour"), "at one luminosity"),
        (Question(("coherent-csi/e6",)), Picture("profile"), "61 curves are too many"),
        (Question(), Picture("profile", along="beta"), "an axis to draw along is for limits"),
        (Question(("coherent-csi/chy",)), Picture(), "did you mean 'coherent-csi/chi'"),
        (Question(dof=0), Picture(), "dof must be"),
        (Question(at={"beta": [0.5]}), Picture(along="beta"), "it can't be said too"),
        (Question(at={"m_zprime": [0.0]}), Picture("profile"), "are for contours"),
    ],
)
def test_what_cannot_be_drawn_is_told(stored: str, asked: Question, picture: Picture, problem: str) -> None:
    with pytest.raises(FastscanError, match=problem):
        plots.plot(stored, asked, picture)


def test_where_no_group_has_the_axis_it_is_told(tmp_path: Path) -> None:
    store = scanned(GRID.replace('"chi", "e6"', '"e6"'), tmp_path)
    with pytest.raises(FastscanError, match=r"no group of .* can be shown so; .*, or say --beta"):
        plots.plot(str(store), picture=Picture("profile"))


FREE = """
models = ["chi"]
[axes]
m_zprime = { values = [100, 900], unit = "GeV" }
sigma_sys = { values = [0, 0.1, 0.2] }
luminosity = { values = [1, 10] }
[combine.both]
experiments = ["coherent-csi", "connie"]
"""


def test_limits_of_a_combination_are_drawn_along_the_sigma_sys_that_is_not_fixed(tmp_path: Path) -> None:
    figure, _ = plots.plot(str(scanned(FREE + "sigma_sys = { coherent-csi = 0.1 }", tmp_path)))
    (points,) = drawn(figure).values()
    assert points[:, 0].tolist() == [0, 0.1, 0.2]


def test_a_combination_is_not_told_to_have_the_sigma_sys_of_one_of_it(tmp_path: Path) -> None:
    store = str(scanned(FREE, tmp_path))
    own, _ = plots.plot(store, picture=Picture(along="luminosity"))
    assert own.axes[0].get_title() == "90 % CL, 1 dof"
    common, _ = plots.plot(store, Question(at={"sigma_sys": [0.1]}), Picture(along="luminosity"))
    assert common.axes[0].get_title() == r"90 % CL, 1 dof, $\sigma_\mathrm{sys}$ = 0.1"


def test_nothing_is_drawn_along_a_sigma_sys_that_is_fixed(tmp_path: Path) -> None:
    store = str(scanned(FREE + "sigma_sys = { coherent-csi = 0.1, connie = 0.2 }", tmp_path))
    assert plots.plot(store)[0].axes[0].get_xlabel() == "$L/L_0$"
    with pytest.raises(FastscanError, match="both/chi fixes each sigma_sys: nothing changes along the axis"):
        plots.plot(store, Question(("both/chi",)), Picture(along="sigma_sys"))


def test_the_names_of_many_curves_are_all_on_the_picture(stored: str) -> None:
    sigmas, betas = (0.05, 0.1, 0.15, 0.2, 0.25), tuple(np.radians([0, 30, 60, 150]))
    asked = Question(("coherent-csi/e6",), at={"sigma_sys": sigmas, "beta": betas})
    figure, _ = plots.plot(stored, asked, Picture(along="luminosity"))
    figure.draw_without_rendering()
    names = figure.axes[0].get_legend()
    assert len(names.get_texts()) == 2 * 20  # from scaled data, and expected
    assert names.get_window_extent().y0 > 0
    assert names.get_window_extent().x1 < figure.bbox.x1


def test_without_matplotlib_it_is_said_what_to_install(stored: str) -> None:
    code = f"import sys; sys.modules['matplotlib'] = None; from fastscan.outputs import plots; plots.plot({stored!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("pictures need matplotlib: pip install 'fastscan[plot]'")


def test_a_picture_needs_a_format(stored: str, tmp_path: Path) -> None:
    figure, _ = plots.plot(stored)
    with pytest.raises(FastscanError, match=r"ends in \.png, \.pdf, \.svg"):
        figures.save(figure, tmp_path / "x.jpg")
    for suffix, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        figures.save(figure, tmp_path / f"x.{suffix}")
        assert (tmp_path / f"x.{suffix}").read_bytes().startswith(magic)
    assert len(list(tmp_path.iterdir())) == 3  # nothing else is left


@pytest.mark.skipif(matplotlib.__version_info__ < (3, 11), reason="older versions set text elsewhere")
@pytest.mark.parametrize("name", ["plane", "figure4"])
def test_golden_images(stored: str, tmp_path: Path, name: str) -> None:
    """Looked at by eye when they were made; a change of matplotlib's rendering is within the tolerance."""
    if name == "plane":
        figure, _ = plots.plot(stored, Question(("coherent-csi/e6",)))
    else:
        figure = paper_figures.figure4(plan(paper_figures.grid(4))).draw()
    figure.savefig(tmp_path / f"{name}.png", dpi=60)
    assert compare_images(str(GOLDEN / f"{name}.png"), str(tmp_path / f"{name}.png"), tol=12) is None
