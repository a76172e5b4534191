"""Pictures of a user's own store: the choice of rows, their agreement with the records, and refusals."""

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from conftest import GRID, TESTS, scanned
from matplotlib.colors import to_hex
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from fastscan.answers import answers
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError
from fastscan.experiments import catalogue as experiments
from fastscan.outputs import figures, plots
from fastscan.outputs.plots import Picture
from fastscan.paper import paper_figures

GOLDEN = TESTS / "golden"


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
        r"COHERENT CsI, $\chi$, $\sigma_\mathrm{sys}$ = 0.1",
        r"COHERENT CsI, $\chi$, $\sigma_\mathrm{sys}$ = 0.2",
    ]


def test_a_curve_without_a_limit_is_named_so(tmp_path: Path) -> None:
    store = scanned(GRID.replace('"chi", "e6"', '"chi", "psi"').replace("beta =", "# beta ="), tmp_path)
    figure, _ = plots.plot(str(store))
    assert [*drawn(figure)] == [r"COHERENT CsI, $\chi$", r"COHERENT CsI, $\psi$: none"]


def test_a_curve_is_named_once_by_what_differs(stored: str) -> None:
    for axes in (("beta", "m_zprime"), ("cos_beta", "m_zprime"), ("m_zprime", "beta")):
        figure, _ = plots.plot(stored, picture=Picture(plane=PlaneAxes(axes)))
        names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert names == ["COHERENT CsI, E$_6$", "excluded"]


OWN = """
title = "The first one"
label = "CsI for $5, $6"
"""


def own_experiment(place: Path, name: str, head: str) -> str:
    text = (experiments.BUILT_IN / "coherent-csi.toml").read_text()
    (place / f"{name}.toml").write_text(head + text[text.index("channel") :])
    return f"{name}.toml"


def of_own_experiments(place: Path, *names: str, heads: Sequence[str] = (OWN,)) -> str:
    paths = [own_experiment(place, name, head) for name, head in zip(names, itertools.cycle(heads), strict=False)]
    grid = GRID.replace('["coherent-csi"]', repr(paths)).replace("beta =", "# beta =").replace(', "e6"', "")
    return str(scanned(grid, place))


def test_an_own_label_is_drawn_as_it_is_written(tmp_path: Path) -> None:
    """Dollars in a label must not begin mathematics, which would show `5, ` in italics, or fail."""
    figure, _ = plots.plot(of_own_experiments(tmp_path, "mine"))
    assert [*drawn(figure)] == [r"CsI for \$5, \$6, $\chi$"]
    figures.save(figure, tmp_path / "mine.png")


def test_without_a_label_the_name_is_drawn(tmp_path: Path) -> None:
    figure, _ = plots.plot(of_own_experiments(tmp_path, "mine", heads=['title = "The first one"\n']))
    assert [*drawn(figure)] == [r"mine, $\chi$"]


def test_two_experiments_of_one_label_are_told_apart_by_their_names(tmp_path: Path) -> None:
    figure, _ = plots.plot(of_own_experiments(tmp_path, "mine", "thine"))
    assert [*drawn(figure)] == [r"mine, $\chi$", r"thine, $\chi$"]


def test_a_store_that_does_not_say_a_label_has_names(tmp_path: Path) -> None:
    store = of_own_experiments(tmp_path, "mine")
    metadata = Path(store) / "mine/chi/zarr.json"
    group = json.loads(metadata.read_text())
    del group["attributes"]["label"]
    metadata.write_text(json.dumps(group))
    assert [*drawn(plots.plot(store)[0])] == [r"mine, $\chi$"]


@pytest.mark.parametrize("models", range(1, plots.MOST_CURVES + 1))
def test_no_two_curves_look_alike(models: int) -> None:
    rows = [{"model": f"m{m}", "name": f"n{n}"} for n in range(plots.MOST_CURVES // models) for m in range(models)]
    looks = figures.styles(rows, lambda row: row["name"] + row["model"], lambda row: row["name"])
    assert len({tuple(look.values()) for look in looks.values()}) == len(looks) == len(rows)


def test_a_colour_stands_for_a_configuration_and_a_dash_for_a_model(several: str) -> None:
    figure, _ = plots.plot(several, picture=Picture(along="sigma_sys"))
    looks = {str(line.get_label()): (line.get_color(), line._dash_pattern) for line in figure.axes[0].get_lines()}
    assert len(looks) == 4
    for experiment in ("COHERENT CsI", "CONUS"):
        assert looks[rf"{experiment}, $\chi$"][0] == looks[f"{experiment}, LR"][0]
    for model in (r"$\chi$", "LR"):
        assert looks[f"COHERENT CsI, {model}"][1] == looks[f"CONUS, {model}"][1]
    assert len({colour for colour, _ in looks.values()}) == 2


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> str:
    grid = GRID.replace('["coherent-csi"]', '["coherent-csi", "conus"]').replace('"chi",', '"chi", "lr",')
    return str(scanned(grid, tmp_path_factory.mktemp("several")))


def names_in_legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_what_is_excluded_is_shaded_in_every_kind_of_picture(several: str) -> None:
    one, both = Question(("conus/chi",)), Question(("coherent-csi/e6", "conus/e6"))
    profile, _ = plots.plot(several, one, Picture("profile"))
    (shade,) = profile.axes[0].patches
    assert shade.get_extents().transformed(profile.axes[0].transData.inverted()).y0 == pytest.approx(2.7055, abs=1e-4)
    assert names_in_legend(profile)[-1] == "excluded at 90 % CL, 1 dof"
    limits, _ = plots.plot(several, one, Picture(along="sigma_sys"))
    assert names_in_legend(limits) == [r"CONUS, $\chi$", "excluded"]
    (line,), (shade,) = limits.axes[0].get_lines(), limits.axes[0].collections
    for sigma, limit in line.get_xydata()[1:-1]:
        assert shade.get_paths()[0].contains_point((sigma, 0.99 * limit))
        assert not shade.get_paths()[0].contains_point((sigma, 1.01 * limit))
    contours, _ = plots.plot(several, both)
    planes = [each for each in contours.axes[0].collections if isinstance(each, QuadContourSet)]
    colours = [line.get_color() for line in contours.axes[0].get_lines() if not line.get_label().startswith("_")]
    assert [to_hex(plane.get_facecolor()[0]).upper() for plane in planes] == colours
    assert names_in_legend(contours)[-1] == "excluded"


def test_where_lighter_masses_are_allowed_again_nothing_is_shaded_below_a_limit(tmp_path: Path) -> None:
    store = str(scanned(GRID.replace("num = 13", "num = 181"), tmp_path))
    asked = Question(("coherent-csi/e6",), at={"beta": [math.radians(100)], "sigma_sys": [0.1]})
    assert any(len(row["allowed_gev"]) > 1 for row in answers.limits_of_store(store, asked))
    figure, _ = plots.plot(store, Question(asked.groups, at={"sigma_sys": [0.1]}), Picture(along="beta"))
    assert "excluded" not in names_in_legend(figure)


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
        (Question(), Picture("profile", plane=PLANE), "axes, minimise and m_zprime are for pictures of contours"),
        (Question(at={"luminosity": [1, 10]}), Picture("contour"), "at one luminosity"),
        (Question(("coherent-csi/e6",)), Picture("profile"), "61 curves are too many"),
        (Question(), Picture("profile", along="beta"), "along is for pictures of limits"),
        (Question(("coherent-csi/chy",)), Picture(), "did you mean 'coherent-csi/chi'"),
        (Question(dof=0), Picture(), "dof must be"),
        (Question(at={"beta": [0.5]}), Picture(along="beta"), "along all of beta: leave its value out"),
        (Question(at={"m_zprime": [0.0]}), Picture("profile"), "are for pictures of contours"),
    ],
)
def test_what_cannot_be_drawn_is_told(stored: str, asked: Question, picture: Picture, problem: str) -> None:
    with pytest.raises(FastscanError, match=problem):
        plots.plot(stored, asked, picture)


def test_where_no_group_has_the_axis_it_is_told(tmp_path: Path) -> None:
    store = scanned(GRID.replace('"chi", "e6"', '"e6"'), tmp_path)
    with pytest.raises(FastscanError, match=r"no group of .* fits this picture; .*, or give --beta"):
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
    """The golden images were checked by eye; a change of matplotlib's rendering is within the tolerance."""
    if name == "plane":
        figure, _ = plots.plot(stored, Question(("coherent-csi/e6",)))
    else:
        figure = paper_figures.figure(4).draw()
    figure.savefig(tmp_path / f"{name}.png", dpi=60)
    assert compare_images(str(GOLDEN / f"{name}.png"), str(tmp_path / f"{name}.png"), tol=12) is None
