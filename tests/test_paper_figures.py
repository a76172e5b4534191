"""The paper's figures: their data, what they show, and that they can be read."""

import math

import matplotlib.figure
import numpy as np
import pytest

import fastscan
from fastscan.paper import paper_figures
from fastscan.paper.paper_figures import PaperFigure

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


@pytest.mark.parametrize("number", range(1, 7))
def test_legends_cover_nothing_and_axes_have_labels(by_number: dict[int, PaperFigure], number: int) -> None:
    figure: matplotlib.figure.Figure = by_number[number].draw()
    figure.draw_without_rendering()
    frames = [ax.get_window_extent() for ax in figure.axes]
    for ax in figure.axes:
        if ax.get_legend() is not None:
            box = ax.get_legend().get_window_extent()
            assert not any(box.overlaps(frame) for frame in frames)
            assert box.x1 <= figure.bbox.x1
        lines = [line for line in ax.get_lines() if len(line.get_xdata()) > 2]
        looks = {(line.get_color(), str(line.get_linestyle()), line.get_label()) for line in lines}
        if number != 5:  # there the lines of a band are alike
            assert len(looks) == len(lines)
    assert any("GeV" in ax.get_xlabel() + ax.get_ylabel() for ax in figure.axes)
