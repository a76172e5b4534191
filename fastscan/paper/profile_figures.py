"""Figures 1 and 4 of arXiv:2002.01482: Delta chi2 against the mass of the Z'."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastscan.outputs import figures
from fastscan.outputs.figures import grouped
from fastscan.outputs.page import Finding
from fastscan.paper.figure_parts import (
    BANDS,
    COINCIDE,
    KEYS,
    LEVEL,
    NUMBERS,
    PROFILE_KEYS,
    REACTORS,
    SNS,
    THRESHOLD,
    PaperFigure,
    kind_of,
    limit_rows,
    name_of,
    of_models,
    outer_labels,
    profile_rows,
)
from fastscan.stores.cube import Cube
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.figure import Figure


def figure1(cubes: Sequence[Cube]) -> PaperFigure:
    """Delta chi2 against M_Z': left-right for each experiment, E6 chi and eta as bands over the experiments."""
    profiles, limits = profile_rows(cubes), limit_rows(cubes)

    def draw() -> "Figure":
        figure, axes = figures.canvas(2, 2, height=5.4, sharex=True, sharey=True)
        for (left, right), kind in zip(axes, (SNS, REACTORS), strict=True):
            ours = [row for row in profiles if kind_of(row["experiment"]) == kind]
            figures.curves(left, of_models(ours, "lr"), "m_zprime_gev", "delta_chi2", name_of)
            for model in ("chi", "eta"):
                rows, name = of_models(ours, model), figures.symbol(model)
                style = {"color": BANDS[model], "alpha": 0.45, "linewidth": 0}
                figures.band(right, rows, "m_zprime_gev", "delta_chi2", name, **style)
            left.set_title(f"LR, {kind}")
            right.set_title(f"E$_6$, {kind}")
            for ax in (left, right):
                profile_axes(ax, 50, 500, "right")
            figures.legend_inside(left)
            figures.legend_inside(right, title="weakest to strongest")
            found = [row["limit_gev"] for row in of_models(limits, "lr") if kind_of(row["experiment"]) == kind]
            if max(found) / min(found) - 1 < COINCIDE:
                said = f"{NUMBERS[len(found)]} curves\nthat coincide: limits\n{min(found):.1f} to {max(found):.1f} GeV"
                figures.remark(left, said, 0.03, 0.04)
        return outer_labels(figure, axes)

    return PaperFigure(
        number=1,
        title="Delta chi2 against M_Z'",
        caption="Left-right symmetric model (one line an experiment) and E6 models chi and eta (bands from the weakest "
        "to the strongest experiment), each at its own sigma_sys. Delta chi2 is above its minimum over all M_Z'; where "
        f"it is above the line, the threshold at {LEVEL}, {THRESHOLD:.2f}, a mass is excluded. The reactors' lines "
        "coincide.",
        tables={"": (PROFILE_KEYS, profiles), "limits": (KEYS, limits)},
        findings=(_crossings_equal_limits(profiles, limits),),
        drawing=draw,
    )


def figure4(cubes: Sequence[Cube]) -> PaperFigure:
    """Delta chi2 against M_Z' for 51Cr."""
    profiles, limits = profile_rows(cubes), limit_rows(cubes)

    def draw() -> "Figure":
        figure, axes = figures.canvas(2, 2, height=4.6, sharex=True, sharey=True)
        colours = {name: look["color"] for name, look in figures.styles(profiles, name_of).items()}
        solid, dashed = (
            {name: {"color": colour, "linestyle": dash} for name, colour in colours.items()}
            for dash in figures.DASHES[:2]
        )

        def drawn(ax: Any, model: str, style: Mapping[str, Mapping[str, Any]]) -> Any:
            return figures.curves(ax, of_models(profiles, model), "m_zprime_gev", "delta_chi2", name_of, style)

        for ax, model in zip(axes.flat, ("lr", "chi", "eta", "psi"), strict=True):
            lines = drawn(ax, model, solid)
            ax.set_title(figures.symbol(model))
            profile_axes(ax, 80, 1000, "left")
            figures.legend_inside(ax, lines=lines, title="as published" if model == "lr" else None)
        lines = drawn(axes[0, 0], "lr-nc", dashed)
        figures.legend_inside(axes[0, 0], "upper left", lines, title="neutral\ncurrent only")
        return outer_labels(figure, axes)

    return PaperFigure(
        number=4,
        title="51Cr: Delta chi2 against M_Z'",
        caption="Configurations A (5 MCi, 100 d), B (5 MCi, 50 d) and C (10 MCi, 50 d) on liquid xenon at their "
        "sigma_sys = 0.0025. Model lr is what the paper computed; lr-nc, with W exchange left alone, is not in the "
        f"paper. From left to right the lines are B, A and C; above the threshold at {LEVEL}, {THRESHOLD:.2f}, a mass "
        "is excluded.",
        tables={"": (PROFILE_KEYS, profiles), "limits": (KEYS, limits)},
        findings=(_crossings_equal_limits(profiles, limits),),
        drawing=draw,
    )


def profile_axes(ax: Any, low: float, high: float, free: str) -> None:
    """Set up axes of profiles with the threshold, and a remark on it at the left or the right."""
    figures.name_axes(ax, "m_zprime_gev", "delta_chi2")
    ax.set(xlim=(low, high), ylim=(0, 10))
    figures.level(ax, THRESHOLD)
    figures.remark(ax, f"excluded at\n{LEVEL}", 0.985 if free == "right" else 0.015, THRESHOLD / 10 + 0.01, ha=free)


def _crossings_equal_limits(profiles: Sequence[Record], limits: Sequence[Record]) -> Finding:
    """The finding that drawn curves, interpolated, cross the threshold at the limits."""
    worst, count = 0.0, 0
    for profile, (found,) in zip(_curves(profiles), _curves(limits), strict=True):
        value = np.array([row["delta_chi2"] for row in profile])
        last = np.flatnonzero((value[:-1] > THRESHOLD) & (value[1:] <= THRESHOLD))[-1]
        mass = np.log([profile[i]["m_zprime_gev"] for i in (last, last + 1)])
        crossing = math.exp(np.interp(-THRESHOLD, -value[last : last + 2], mass))
        worst, count = max(worst, abs(crossing / found["limit_gev"] - 1)), count + 1
    return Finding(
        f"Where Delta chi2 crosses {THRESHOLD:.2f} is the limit of Table 3",
        worst < 1e-3,
        f"All {count} curves do, to {100 * worst:.3f} %, interpolated between the points drawn.",
    )


def _curves(rows: Iterable[Record]) -> list[list[Record]]:
    return list(grouped(rows, lambda row: (row["experiment"], row["model"])).values())
