"""The paper's figures: their data, their findings, and their legibility."""

import itertools
import math
import re
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import fastscan
from fastscan.experiments.catalogue import label_of
from fastscan.experiments.catalogue import names as catalogue_names
from fastscan.outputs import figures
from fastscan.paper import paper_figures
from fastscan.paper.figure_parts import PaperFigure

SNS = ("coherent-csi", "coherent-lar", "coherent-ge", "coherent-nai")


@pytest.fixture(scope="module")
def by_number() -> dict[int, PaperFigure]:
    return {figure.number: figure for figure in paper_figures.all_figures()}


def limits(names: tuple[str, ...], model: str, **settings: float) -> dict[str, float]:
    return {name: float(fastscan.limit(name, model, **settings)) for name in names}


def best_two(found: dict[str, float]) -> set[str]:
    return set(sorted(found, key=lambda name: -found[name])[:2])


def test_what_holds_and_what_does_not(by_number: dict[int, PaperFigure]) -> None:
    for figure in by_number.values():
        for finding in figure.findings:
            print(f"Fig. {figure.number} {'agrees' if finding.holds else 'DIFFERS'}: {finding.statement}")
            print(f"    {finding.numbers}")
    holds = {number: [finding.holds for finding in figure.findings] for number, figure in by_number.items()}
    assert holds == {1: [True], 2: [True, True, False, False], 3: [True, False], 4: [True], 5: [True, True], 6: [True]}


@pytest.mark.parametrize("number", [1, 4])
def test_the_curves_cross_the_threshold_at_the_limits_of_table_3(
    by_number: dict[int, PaperFigure], number: int
) -> None:
    keys, rows = by_number[number].tables[""]
    assert tuple(rows[0]) == tuple(keys)
    curves: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        curves.setdefault((row["experiment"], row["model"]), []).append((row["m_zprime_gev"], row["delta_chi2"]))
    for (experiment, model), points in curves.items():
        mass, delta = np.array(points).T
        inside = np.flatnonzero(delta > 2.705543)
        crossing = np.interp(-2.705543, -delta[inside[-1] :], mass[inside[-1] :])
        assert crossing == pytest.approx(float(fastscan.limit(experiment, model)), rel=2e-3)


@pytest.mark.parametrize("model", ["lr", "chi", "eta"])
def test_which_sns_experiment_is_best(model: str) -> None:
    assert best_two(limits(SNS, model, sigma_sys=0.0)) == {"coherent-lar", "coherent-nai"}
    for sigma in (0.2, 0.3):
        large = limits(SNS, model, sigma_sys=sigma)
        assert max(large, key=lambda name: large[name]) == "coherent-csi"


def test_limits_flatten_once_systematics_dominate() -> None:
    lum = [100.0, 1000.0]
    for model in ("lr", "chi", "eta"):
        low, high = fastscan.limit("conus", model, sigma_sys=0.01, luminosity=lum)
        assert 1 < high / low < 1.01
        low, high = fastscan.limit("coherent-csi", model, sigma_sys=0.01, luminosity=lum)
        assert high / low > 1.4  # the measured deficit is scaled, see PHYSICS.md section 8


def test_the_regions_of_fig_5_end_at_the_limits(by_number: dict[int, PaperFigure]) -> None:
    _, vertices = by_number[5].tables[""]
    assert {row["closed"] for row in vertices} == {False}  # each line leaves the grid at the insensitive angles
    for row in vertices[:: len(vertices) // 60]:
        limit = fastscan.limit(row["experiment"], "e6", beta=row["beta_rad"])
        assert row["m_zprime_gev"] == pytest.approx(float(limit), rel=1e-6)
        assert row["cos_beta"] == pytest.approx(math.cos(row["beta_rad"]))


def test_the_combination_is_never_weaker_than_its_best_member(by_number: dict[int, PaperFigure]) -> None:
    _, rows = by_number[6].tables["limits"]
    for row in (each for each in rows if each["experiment"] == "fig6"):
        sigma = row["sigma_sys"]
        members = [float(fastscan.limit(name, row["model"], sigma_sys=value)) for name, value in sigma.items()]
        assert row["limit_gev"] >= max(members)


@pytest.fixture(scope="module")
def pictures(by_number: dict[int, PaperFigure]) -> dict[int, Figure]:
    """The figures as they are saved, with everything in its place."""
    drawn = {number: figure.draw() for number, figure in by_number.items()}
    for figure in drawn.values():
        figure.draw_without_rendering()
    return drawn


def legends(ax: Axes) -> list[Legend]:
    return [each for each in ax.get_children() if isinstance(each, Legend)]


def said(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def boxes(ax: Axes) -> list[tuple[str, Bbox]]:
    """The boxes of the legends and texts within a panel, or beside it."""
    words = [(text.get_text(), text.get_window_extent()) for text in ax.texts if text.get_text()]
    return [*(("legend", each.get_window_extent()) for each in legends(ax)), *words]


def outlines(ax: Axes) -> Iterator[tuple[Path, bool]]:
    """Outlines in pixels of all curves and filled bands of a panel, without straight lines across it."""
    for line in ax.get_lines():
        if len(line.get_xdata()) > 2 or line.get_linestyle() == ":":
            yield line.get_transform().transform_path(line.get_path()), False
    for band in ax.collections:
        if band.get_zorder() > 0:  # below is the shade of what is excluded
            yield from ((band.get_transform().transform_path(path), True) for path in band.get_paths())


@pytest.mark.parametrize("number", range(1, 7))
def test_words_and_legends_cover_no_curve_and_no_other_panel(pictures: dict[int, Figure], number: int) -> None:
    figure = pictures[number]
    frames = [ax.get_window_extent() for ax in figure.axes]
    for ax in figure.axes:
        others = [frame for frame in frames if frame.bounds != ax.get_window_extent().bounds]
        found = boxes(ax)
        for name, box in found:
            assert not any(path.intersects_bbox(box, filled=filled) for path, filled in outlines(ax)), name
            assert not any(box.overlaps(frame) for frame in others), name
            assert not any(box.overlaps(other) for other_name, other in found if other_name != name), name
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


@pytest.mark.parametrize("number", range(1, 7))
def test_a_legend_names_what_its_panel_shows_and_axes_have_labels(pictures: dict[int, Figure], number: int) -> None:
    figure = pictures[number]
    for ax in figure.axes:
        shown = {str(each.get_label()) for each in (*ax.get_lines(), *ax.collections)}
        for legend in legends(ax):
            assert {text.get_text() for text in legend.get_texts()} <= shown
        lines = [line for line in ax.get_lines() if len(line.get_xdata()) > 2]
        looks = {(line.get_color(), str(line.get_linestyle()), line.get_label()) for line in lines}
        if number != 5:  # there the lines of a band are alike
            assert len(looks) == len(lines)
    without = [ax for ax in figure.axes if not legends(ax)]
    assert len(without) == (4 if number in (2, 3) else 0)  # there one legend stands beside a row of panels
    assert any("GeV" in ax.get_xlabel() + ax.get_ylabel() for ax in figure.axes)


@pytest.mark.parametrize("number", range(1, 7))
def test_numbers_of_neighbouring_panels_do_not_touch(pictures: dict[int, Figure], number: int) -> None:
    figure = pictures[number]
    shown = []
    for ax in figure.axes:
        low, high = ax.get_xlim()
        if ax.xaxis.get_tick_params()["labelbottom"]:
            ticks = zip(ax.xaxis.get_majorticklabels(), ax.xaxis.get_majorticklocs(), strict=True)
            shown += [text.get_window_extent() for text, at in ticks if low - 1e-9 <= at <= high * (1 + 1e-9)]
    assert len(shown) >= 8
    for box, other in itertools.combinations(shown, 2):
        beside = abs(box.y0 - other.y0) < box.height
        assert not beside or max(box.x0 - other.x1, other.x0 - box.x1) > 0.07 * figure.dpi


def test_experiments_have_their_labels_on_the_pictures_and_names_in_the_tables(
    by_number: dict[int, PaperFigure], pictures: dict[int, Figure]
) -> None:
    names = {name: figures.literal(label_of(name)) for name in catalogue_names()}
    for number, figure in pictures.items():
        words = "\n".join(text.get_text() for text in figure.findobj(Text))
        assert any(label in words for label in names.values())
        assert [name for name in names if name in words] == []
        for _, rows in by_number[number].tables.values():
            assert {row["experiment"] for row in rows} <= {*names, "fig6"}


def test_curves_that_coincide_are_said_to_on_the_picture(
    by_number: dict[int, PaperFigure], pictures: dict[int, Figure]
) -> None:
    _, limits = by_number[1].tables["limits"]
    found = [row["limit_gev"] for row in limits if row["model"] == "lr" and row["experiment"] not in SNS]
    assert len(found) == 7
    words = f"seven curves\nthat coincide: limits\n{min(found):.1f} to {max(found):.1f} GeV"
    assert [words in said(ax) for ax in pictures[1].axes] == [False, False, True, False]


@pytest.mark.parametrize(("number", "x"), [(2, "sigma_sys"), (3, "luminosity")])
def test_from_where_on_limits_agree_is_what_the_rows_say(
    by_number: dict[int, PaperFigure], pictures: dict[int, Figure], number: int, x: str
) -> None:
    _, rows = by_number[number].tables[""]
    for ax, model in zip(pictures[number].axes[3:], ("lr", "chi", "eta"), strict=True):
        (words,) = (each for each in said(ax) if each.startswith("seven within 10 %"))
        start = float(words.split("= ")[1].removesuffix(" on"))
        ours = [row for row in rows if row["model"] == model and row["experiment"] not in SNS]
        spread = {}
        for at in {row[x] for row in ours}:
            here = [row["limit_gev"] for row in ours if row[x] == at]
            spread[at] = max(here) / min(here) - 1
        assert max(spread[at] for at in spread if at > 1.01 * start) <= 0.1
        assert max(spread[at] for at in spread if at < 0.95 * start) > 0.1
    assert not any("within" in each for ax in pictures[number].axes[:3] for each in said(ax))


def test_one_colour_a_configuration_and_one_dash_a_model(pictures: dict[int, Figure]) -> None:
    left, *others = pictures[4].axes
    looks = [{str(line.get_label()): line.get_color() for line in ax.get_lines() if len(line.get_xdata()) > 2}
             for ax in others]  # fmt: skip
    assert looks[0] == looks[1] == looks[2]
    published, own = ([line for line in left.get_lines() if line.get_linestyle() == dash] for dash in ("-", "--"))
    for lines in (published[:3], own):
        assert {str(line.get_label()): line.get_color() for line in lines} == looks[0]
    assert [legend.get_title().get_text() for legend in legends(left)] == ["as published", "neutral\ncurrent only"]


@pytest.mark.parametrize("number", [1, 4, 6])
def test_what_lies_above_the_threshold_is_shaded_and_said_to_be_excluded(
    pictures: dict[int, Figure], number: int
) -> None:
    profiles = [ax for ax in pictures[number].axes if ax.get_ylim() == (0, 10)]
    assert len(profiles) == (2 if number == 6 else 4)
    for ax in profiles:
        (shade,) = ax.patches
        assert (shade.get_y(), shade.get_y() + shade.get_height()) == pytest.approx((2.7055, 10), abs=1e-4)
        assert "excluded at\n90 % CL, 1 dof" in said(ax)


@pytest.mark.parametrize("number", [2, 3, 5, 6])
def test_the_shade_below_limits_is_what_every_one_of_them_excludes(
    by_number: dict[int, PaperFigure], pictures: dict[int, Figure], number: int
) -> None:
    """Masses below the axis' range can be allowed again, but none within its range."""
    for _, rows in by_number[number].tables.values():
        lowest = 20 if number == 5 else 1
        for row in rows:
            for _, high in row.get("allowed_gev", [])[:-1]:
                assert high < lowest
    for ax in pictures[number].axes:
        shades = [each for each in ax.collections if each.get_zorder() == 0]
        lines = [line.get_xydata() for line in ax.get_lines() if len(line.get_xdata()) > 10]
        for shade in shades:
            for x, y in (point for line in lines for point in line[5:-5:20] if y_inside(ax, point)):
                assert not any(outline.contains_point((x, 1.02 * y)) for outline in shade.get_paths())
        assert len(shades) == (0 if ax.get_ylim() == (0, 10) else 1)


def y_inside(ax: Axes, point: np.ndarray) -> bool:
    low, high = ax.get_ylim()
    return bool(low < point[1] < high)


def test_what_coherent_csi_is_at_other_luminosities_is_said_beside_its_curves(pictures: dict[int, Figure]) -> None:
    words = "\n".join(text.get_text() for text in pictures[3].findobj(Text)).replace("\n", " ")
    assert "expected: from the Standard Model's prediction in place of the data." in words
    assert "scaled data: from the count of 2017 times $L/L_0$, with its deficit." in words
    assert [each.get_text() for each in legends(pictures[3].axes[2])[0].get_texts()][:2] == [
        "COHERENT CsI, expected",
        "COHERENT CsI, scaled data",
    ]


def test_every_finding_concludes_in_a_sentence_before_its_numbers(by_number: dict[int, PaperFigure]) -> None:
    for finding in (each for figure in by_number.values() for each in figure.findings):
        assert re.fullmatch(r"[A-Z0-9].*\.", finding.conclusion)
    strongest, weakest = by_number[2].findings[2:]
    assert "the strongest limit is that of CONUS, the weakest that of MINER; " in strongest.conclusion
    assert (
        "that of CONUS (lr) or CONNIE (chi, eta), the weakest that of MINER (lr) or RED-100 (chi, eta); their ratio is "
        "1.01 to 1.06." in weakest.conclusion
    )
    assert strongest.numbers.startswith("lr: CONUS 1130.0, RED-100 914.8 ... MINER 294.2 GeV; chi: ")
