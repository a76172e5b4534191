"""Pictures of couplings, epsilons and moments: curves, guides for the eye, and published curves beside them."""

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import GRID, ok, refusal, scanned
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

import fastscan
from fastscan.answers import answers
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError
from fastscan.outputs import figures, plots
from fastscan.outputs.overlays import Overlay
from fastscan.outputs.plots import Picture

LIGHT = """
experiments = ["coherent-csi", "conus"]
models = ["universal", "lmu-ltau", "scalar-q14"]
[axes]
m_zprime = { start = 0.1, stop = 10000, num = 26, spacing = "log", unit = "MeV" }
m_phi = { start = 10, stop = 1000, num = 5, spacing = "log", unit = "keV" }
g = { start = 1e-6, stop = 0.1, num = 101, spacing = "log" }
sigma_sys = { values = [0.05, 0.28] }
"""
SIGNED = """
experiments = ["coherent-csi"]
models = ["nsi-ee-u", "nsi-mumu", "nsi-mumu-u", "magnetic-mu", "s2w"]
[axes]
eps_d = { start = -1, stop = 1, num = 41 }
eps_u = { start = -1, stop = 1, num = 41 }
eps = { start = -1, stop = 1, num = 41 }
mu = { start = 1, stop = 1000, num = 31, spacing = "log" }
shift = { start = -0.2, stop = 0.2, num = 41 }
sigma_sys = { values = [0.05, 0.1, 0.28] }
"""
UNIVERSAL = ("coherent-csi/universal",)


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(LIGHT, tmp_path_factory.mktemp("light")))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(SIGNED, tmp_path_factory.mktemp("signed")))


def lines(figure: Figure) -> dict[str, np.ndarray]:
    """The points of the lines that a legend names."""
    found = {str(line.get_label()): line.get_xydata() for line in figure.axes[0].get_lines()}
    return {name: points for name, points in found.items() if not name.startswith("_")}


def names_in_legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def holds(ax: Axes, x: float, y: float) -> bool:
    """Whether a point is in a shade."""
    return any(path.contains_point((x, y)) for shade in ax.collections for path in shade.get_paths())


def test_limits_on_a_coupling_along_the_mass(light: str) -> None:
    asked = Question(("conus/scalar-q14",))
    figure, _ = plots.plot(light, asked, Picture(along="m_phi"))
    rows = answers.limits_of_store(light, Question(asked.groups, at={"m_phi": "axis"}))
    drawn = lines(figure)["CONUS, scalar (14 A + 1.1 Z)"]
    np.testing.assert_allclose(drawn, [(row["m_phi_gev"] * 1e6, row["limit"]) for row in rows], rtol=1e-12)
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"$M_\phi$ [keV]", "upper limit on $g$")
    for mass, limit in drawn[1:-1]:
        assert holds(ax, mass, 1.01 * limit)
        assert not holds(ax, mass, 0.99 * limit)


def test_limits_on_both_sides(signed: str) -> None:
    asked = Question(("coherent-csi/nsi-ee-u",), at={"sigma_sys": "axis"})
    figure, _ = plots.plot(signed, Question(asked.groups))
    rows = list(answers.limits_of_store(signed, asked))
    drawn = lines(figure)[r"COHERENT CsI, $\varepsilon_{ee}^{u}$"]
    sigmas = [row["sigma_sys"] for row in rows]
    for side, points in (("low", drawn[: len(rows)]), ("high", drawn[-len(rows) :])):
        assert points.tolist() == [[sigma, row[f"limit_{side}"]] for sigma, row in zip(sigmas, rows, strict=True)]
    assert np.isnan(drawn[len(rows) : -len(rows), 1]).all()  # the two are not joined
    assert lines(figure)["Standard Model"][:, 1].tolist() == [0, 0]
    ax, (low, high) = figure.axes[0], (rows[1]["limit_low"], rows[1]["limit_high"])
    assert [holds(ax, sigmas[1], each) for each in (low - 1e-3, low + 1e-3, 0, high - 1e-3, high + 1e-3)] == [
        True, False, False, False, True,
    ]  # fmt: skip


def test_a_picture_says_where_intervals_beyond_a_limit_are_allowed(signed: str, light: str) -> None:
    for store, group in ((signed, "coherent-csi/nsi-mumu-u"), (light, *UNIVERSAL)):
        picture = Picture(along="m_zprime" if store == light else "sigma_sys")
        names = names_in_legend(plots.plot(store, Question((group,)), picture)[0])
        assert "further intervals are allowed" in names
        assert "excluded" not in names


def test_units_are_written_as_mathematics(signed: str) -> None:
    figure, _ = plots.plot(signed, Question(("coherent-csi/magnetic-mu",)))
    assert figure.axes[0].get_ylabel() == r"upper limit on $\mu_\nu$ [$10^{-11}\,\mu_\mathrm{B}$]"
    profile, _ = plots.plot(signed, Question(("coherent-csi/magnetic-mu",)), Picture("profile"))
    assert profile.axes[0].get_xlabel() == r"$\mu_\nu$ [$10^{-11}\,\mu_\mathrm{B}$]"


def test_a_plane_of_mass_and_coupling_has_its_islands_as_holes(light: str) -> None:
    figure, _ = plots.plot(light, Question(UNIVERSAL, dof=1))
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$M_{Z'}$ [MeV]", "$g$")
    (shade,) = (each for each in ax.collections if isinstance(each, QuadContourSet))
    for mass in (0.2, 30.0, 3000.0):
        (_, limit), (low, high) = fastscan.intervals("coherent-csi", "universal", m_zprime=mass / 1e3)
        for g, excluded in ((0.9 * limit, False), (math.sqrt(limit * low), True), (math.sqrt(low * high), False),
                            (1.1 * high, True)):  # fmt: skip
            assert sum(path.contains_point((mass, g)) for path in shade.get_paths()) == excluded


def diagonals(ax: Axes) -> dict[str, float]:
    """The mass in GeV over the coupling at the ends of each diagonal, by the diagonal's name."""
    straight = [line for line in ax.get_lines() if len(line.get_xdata()) == 2 and line.get_transform() == ax.transAxes]
    found = {}
    for line, text in zip(straight, ax.texts, strict=True):
        ends = ax.transData.inverted().transform(ax.transAxes.transform(line.get_xydata()))
        assert ends[0, 0] / ends[0, 1] == pytest.approx(ends[1, 0] / ends[1, 1], rel=1e-9)
        found[text.get_text()] = ends[0, 0] / ends[0, 1] * 1e-3  # masses are in MeV
    return found


def test_diagonals_of_equal_mass_over_coupling(light: str) -> None:
    for picture in (Picture(), Picture(along="m_zprime")):
        found = diagonals(plots.plot(light, Question(("conus/universal",)), picture)[0].axes[0])
        assert 3 <= len(found) <= 6
        for name, ratio in found.items():
            number, unit = name.removeprefix("$M_{Z'}/g$ = ").split()
            assert float(number) * {"MeV": 1e-3, "GeV": 1, "TeV": 1e3}[unit] == pytest.approx(ratio, rel=1e-9)


def test_no_diagonals_where_the_coupling_is_not_shown(light: str) -> None:
    along = plots.plot(light, Question(UNIVERSAL, at={"m_zprime": [1e-4]}), Picture(along="sigma_sys"))[0]
    assert not along.axes[0].texts
    assert along.axes[0].get_title() == r"90 % CL, 1 dof, $M_{Z'}$ = 0.1 MeV, $L/L_0$ = 1"


def test_the_largest_coupling_is_drawn(tmp_path: Path) -> None:
    grid = LIGHT.replace("stop = 0.1,", "stop = 100,")
    figure, _ = plots.plot(str(scanned(grid, tmp_path)), Question(("coherent-csi/lmu-ltau",)))
    (end,) = (points for name, points in lines(figure).items() if "4\\pi" in name)
    assert end[:, 1].tolist() == [math.sqrt(4 * math.pi)] * 2


def test_a_plane_of_two_epsilons_has_both_bands_and_the_standard_model(signed: str) -> None:
    figure, _ = plots.plot(signed, Question(("coherent-csi/nsi-mumu",), at={"sigma_sys": [0.05]}))
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"$\varepsilon^d$", r"$\varepsilon^u$")
    assert lines(figure)["Standard Model"].tolist() == [[0, 0]]
    (shade,) = (each for each in ax.collections if isinstance(each, QuadContourSet))
    values = np.linspace(-0.3, 0.7, 201)
    shaded = [sum(path.contains_point((0.0, each)) for path in shade.get_paths()) for each in values]
    assert np.abs(np.diff(shaded)).sum() == 4  # into each band and out of it
    assert not shaded[np.argmin(np.abs(values))]


def test_the_shift_of_an_angle_has_the_standard_model_at_0(signed: str) -> None:
    profile, _ = plots.plot(signed, Question(("coherent-csi/s2w",)), Picture("profile"))
    assert lines(profile)["Standard Model"][:, 0].tolist() == [0, 0]


def test_a_group_without_a_contour_is_named(light: str) -> None:
    figure, left_out = plots.plot(light, Question(("coherent-csi/universal", "conus/lmu-ltau")))
    assert not left_out
    names = names_in_legend(figure)
    assert names[1].startswith(r"CONUS, $L_\mu-L_\tau$")
    assert names[1].endswith(":\nno contour, nothing excluded")
    (empty,) = (points for name, points in lines(figure).items() if "no contour" in name)
    assert np.isnan(empty).all()


def test_one_picture_shows_limits_on_one_strength(signed: str) -> None:
    figure, left_out = plots.plot(signed, picture=Picture(along="sigma_sys"))
    assert figure.axes[0].get_ylabel() == r"upper limit on $\mu_\nu$ [$10^{-11}\,\mu_\mathrm{B}$]"
    assert left_out == [f"coherent-csi/{model}" for model in ("nsi-ee-u", "nsi-mumu", "nsi-mumu-u", "s2w")]
    two = Question(("coherent-csi/magnetic-mu", "coherent-csi/s2w"))
    problem = "coherent-csi/magnetic-mu has limits on mu, coherent-csi/s2w on shift: a picture shows one strength"
    with pytest.raises(FastscanError, match=problem):
        plots.plot(signed, two, Picture(along="sigma_sys"))


def test_numbers_of_many_decades_are_powers_of_ten(light: str) -> None:
    figure, _ = plots.plot(light, Question(UNIVERSAL))
    figure.draw_without_rendering()
    x, y = figure.axes[0].xaxis, figure.axes[0].yaxis
    assert [text.get_text() for text in x.get_ticklabels() if text.get_text()][1:4] == ["0.1", "1", "10"]
    assert {text.get_text() for text in y.get_ticklabels()} >= {"$10^{-6}$", "$10^{-5}$", "$10^{-1}$"}


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.csv"
    path.write_text("# someone's limits\nmass_GeV,g\n0.001,1e-5\n0.01,2e-5\n\n0.1,1e-4\n")
    return path


THEIRS = [(1.0, 1e-5), (10.0, 2e-5), (100.0, 1e-4)]  # MeV


def test_curves_of_others_are_drawn_in_the_units_of_the_picture(light: str, curve: Path) -> None:
    in_gev = Overlay(str(curve), "CONUS, $2021", x="GeV")
    figure, _ = plots.plot(light, Question(UNIVERSAL), overlay=[in_gev, Overlay(str(curve))])
    drawn = lines(figure)
    np.testing.assert_allclose(drawn[r"CONUS, \$2021"], THEIRS, rtol=1e-12)
    assert drawn["theirs: outside the picture"][:, 0].tolist() == [0.001, 0.01, 0.1]
    ax = figure.axes[0]
    assert (*ax.get_xlim(), *ax.get_ylim()) == pytest.approx((0.1, 1e4, 1e-6, 0.1), rel=1e-12)


def test_pieces_of_one_curve_are_named_once(light: str, curve: Path) -> None:
    (curve.parent / "island.csv").write_text("200;2e-4\n300;3e-4\n")
    pieces = [Overlay(str(curve), "theirs", x="GeV"), Overlay(str(curve.parent / "island.csv"), "theirs")]
    figure, _ = plots.plot(light, Question(UNIVERSAL), Picture(along="m_zprime"), pieces)
    assert names_in_legend(figure).count("theirs") == 1
    black = [line for line in figure.axes[0].get_lines() if line.get_color() == "0.0"]
    assert [len(line.get_xdata()) for line in black] == [3, 2]


def test_an_overlay_of_limits_on_a_heavy_mass_can_be_in_another_unit(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text("5 0.2\n28 0.1\n")
    overlay = Overlay(str(tmp_path / "theirs.csv"), x="%", y="TeV")
    figure, _ = plots.plot(str(scanned(GRID, tmp_path)), Question(("coherent-csi/chi",)), overlay=[overlay])
    np.testing.assert_allclose(lines(figure)["theirs"], [(0.05, 200), (0.28, 100)], rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "words", "problem"),
    [
        ("1,2,3\n", {}, "line 1: an overlay has 2 columns, not 3"),
        ("a,b\n1,2\n3,x\n", {}, "line 3: 'x' is no number"),
        ("# a\n\n1,2\n-3,4\n", {}, "line 4: -3 is not on a logarithmic axis"),
        ("1,2\n3\n", {}, "line 2: 1 columns, where the lines before have 2"),
        ("", {}, "there are no numbers in it"),
        ("a,b\n1,2\n", {}, "one point is no curve"),
        ("1,2\n3,4\n", {"x": "kg"}, "theirs.csv: x: unknown unit 'kg'; known: "),
        ("1,2\n3,4\n", {"y": "GeV"}, "theirs.csv: y: 'GeV' can't be given: the axis has one unit only"),
    ],
)
def test_what_is_wrong_with_an_overlay_is_told(
    light: str, tmp_path: Path, text: str, words: dict[str, str], problem: str
) -> None:
    (tmp_path / "theirs.csv").write_text(text)
    with pytest.raises(FastscanError, match=problem) as caught:
        plots.plot(light, Question(UNIVERSAL), overlay=[Overlay(str(tmp_path / "theirs.csv"), **words)])
    assert "theirs.csv" in str(caught.value)


@pytest.mark.slow
def test_the_command_draws_curves_of_others(light: str, curve: Path) -> None:
    picture = curve.with_suffix(".svg")
    arguments = ("plot", light, "--group", *UNIVERSAL, "-o", picture)
    ok(*arguments, "--overlay", f"{curve},label=CONUS, 2021,x=GeV", "--overlay", curve)
    assert picture.exists()
    assert "absent.csv: No such file" in refusal(*arguments, "--overwrite", "--overlay", "absent.csv,label=a")


def test_symbols_of_models() -> None:
    assert figures.symbol("nsi-etau-eL") == r"$\varepsilon_{e\tau}^{eL}$"
    assert figures.symbol("radius-mu") == r"$\langle r^2\rangle_{\nu_\mu}$"
    assert figures.symbol("my-own") == "my-own"


def test_couplings_against_settings(light: str) -> None:
    """The row parameter that isn't drawn is held; the other model's parameter is ignored."""
    plane = PlaneAxes(("sigma_sys", "g"))
    figure, left_out = plots.plot(light, Question(at={"m_zprime": [0.01]}), Picture(plane=plane))
    assert left_out == ["coherent-csi/scalar-q14", "conus/scalar-q14"]
    assert "$M_{Z'}$ = 10 MeV" in figure.axes[0].get_title()


def test_what_must_be_said_of_a_mediator_is_told(light: str) -> None:
    with pytest.raises(FastscanError, match=r"fits this picture; .*, or give --m-zprime or --m-phi"):
        plots.plot(light, picture=Picture("profile"))
    with pytest.raises(
        FastscanError, match=r"26 curves are too many .* --group, --m-zprime, --sigma-sys, --luminosity"
    ):
        plots.plot(light, Question(UNIVERSAL), Picture("profile"))
