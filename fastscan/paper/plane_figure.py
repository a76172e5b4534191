"""Figure 5 of arXiv:2002.01482: regions in the plane of cos(beta) and the mass of the Z'."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastscan.answers import records
from fastscan.answers.contours import contour_records, contours
from fastscan.answers.planes import plane_of
from fastscan.answers.question import PlaneAxes, Question
from fastscan.limits.confidence import CL, DOF, NO_SENSITIVITY, OK
from fastscan.limits.strengths import limit
from fastscan.outputs import figures
from fastscan.outputs.figures import grouped
from fastscan.outputs.page import Finding
from fastscan.paper.figure_parts import (
    BANDS,
    CHROMIUM,
    HEAVY,
    KEYS,
    LEVEL,
    NUMBERS,
    REACTORS,
    SNS,
    PaperFigure,
    kind_of,
    limit_rows,
    name_of,
)
from fastscan.stores.cube import Cube
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.figure import Figure

CONTOUR_KEYS = records.contour_keys(HEAVY)
INSENSITIVE = (
    math.pi / 2,
    math.pi - math.atan(9 / math.sqrt(15)),
)  # where kappa_p = kappa_n = 0: psi, and Y_l = 0


def figure5(cubes: Sequence[Cube]) -> PaperFigure:
    """90 % regions in (cos(beta), M_Z')."""
    limits = limit_rows(cubes)
    for row in limits:
        row["cos_beta"] = math.cos(row["beta_rad"])
    axes = PlaneAxes(("cos_beta", "m_zprime"))
    shown = [plane_of(cube, axes, Question(cl=CL, dof=DOF)) for cube in cubes]
    vertices = [each for plane in shown for each in contour_records(plane, contours(plane))]
    exact = {name: _status_at(name, INSENSITIVE) for name in dict.fromkeys(row["experiment"] for row in limits)}
    cevns = {name: states for name, states in exact.items() if kind_of(name) != CHROMIUM}
    chromium = {name: states for name, states in exact.items() if kind_of(name) == CHROMIUM}
    return PaperFigure(
        number=5,
        title="90 % regions in (cos(beta), M_Z')",
        caption=f"E6, U(1)_beta: the masses below a line are excluded at {LEVEL} (each beta is a model of "
        "its own, as in Table 3), each experiment at its own sigma_sys; those in the shade are excluded by all. "
        "Dotted: the angles at which the Z' decouples.",
        tables={"": (CONTOUR_KEYS, vertices), "limits": ((*KEYS, "cos_beta"), limits)},
        findings=(
            Finding(
                "CEvNS: two insensitive beta, 90 and 113.28 deg",
                all(states == [NO_SENSITIVITY] * 2 for states in cevns.values()),
                f"{_without(cevns, 0)} experiments have no limit at 90 deg, {_without(cevns, 1)} at 113.28 deg.",
                f"On the grid of 0.5 deg the weakest limits are at {_weakest(limits, SNS)} (SNS) and "
                f"{_weakest(limits, REACTORS)} (reactors).",
            ),
            Finding(
                "51Cr: one insensitive beta, 113.28 deg",
                all(states == [OK, NO_SENSITIVITY] for states in chromium.values()),
                f"{_without(chromium, 0)} experiments have no limit at 90 deg, {_without(chromium, 1)} at 113.28 deg.",
                f"On the grid of 0.5 deg the weakest limits are at {_weakest(limits, CHROMIUM)}.",
            ),
        ),
        drawing=functools.partial(_drawn, limits, vertices),
    )


def _drawn(limits: Sequence[Record], vertices: Sequence[Record]) -> "Figure":
    figure, (axes,) = figures.canvas(1, 2, height=3.3, sharex=True, sharey=True)
    left, right = axes
    for ax in axes:
        figures.name_axes(ax, "cos_beta", "m_zprime_gev")
        ax.set(xlim=(-1, 1), ylim=(20, 1500))
    for kind in (SNS, REACTORS):
        ours = [row for row in limits if kind_of(row["experiment"]) == kind]
        name = f"{kind}, weakest to strongest"
        figures.band(left, ours, "cos_beta", "limit_gev", name, color=BANDS[kind], alpha=0.35, linewidth=0)
        look = {name_of(row): {"color": BANDS[kind], "linewidth": 0.4} for row in ours}
        lines = [row for row in vertices if kind_of(row["experiment"]) == kind]
        for line in figures.contour_curves(left, lines, "cos_beta", "m_zprime_gev", name_of, look):
            line.set_label("_")  # the legend names the band, because there are too many curves
    ours = [row for row in vertices if kind_of(row["experiment"]) == CHROMIUM]
    figures.contour_curves(right, ours, "cos_beta", "m_zprime_gev", name_of)
    for ax, kinds, angles in ((left, (SNS, REACTORS), INSENSITIVE), (right, (CHROMIUM,), INSENSITIVE[1:])):
        shown = [row for row in limits if kind_of(row["experiment"]) in kinds]
        figures.excluded_below(ax, shown, "cos_beta", "limit_gev")
        for angle in angles:
            ax.axvline(math.cos(angle), ymax=0.8, color="0.4", linewidth=0.7, linestyle=":", zorder=1)
        figures.remark(ax, f"excluded by all {NUMBERS[len(grouped(shown, name_of))]}", 0.78, 0.1, ha="center")
        figures.legend_inside(ax, "upper center")
    left.set_title("CEvNS")
    right.set_title(figures.literal(CHROMIUM))
    right.set_ylabel("")
    return figure


def _status_at(name: str, angles: Sequence[float]) -> list[str]:
    _, status = limit(name, "e6", beta=angles, with_status=True)
    return list(map(str, status))


def _weakest(limits: Sequence[Record], kind: str) -> str:
    """Angles in deg at which the limits of a kind of experiment have a local minimum, in words."""
    found: set[float] = set()
    for rows in grouped((row for row in limits if kind_of(row["experiment"]) == kind), name_of).values():
        value = np.array([row["limit_gev"] or 0.0 for row in rows])
        low = np.flatnonzero((value[1:-1] < value[:-2]) & (value[1:-1] < value[2:])) + 1
        found |= {round(math.degrees(rows[i]["beta_rad"]), 1) for i in low}
    return ", ".join(f"{angle:g}" for angle in sorted(found)) + " deg"


def _without(states: Mapping[str, Sequence[str]], angle: int) -> str:
    """The share of experiments without sensitivity at the angle with a number, in words."""
    return f"{sum(each[angle] == 'no_sensitivity' for each in states.values())} of {len(states)}"
