"""Guides in a picture: the place of the Standard Model, and lines of equal mediator mass over coupling.

Guides are thin grey lines below the curves.  They are added last, because they need the range of the picture.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastscan.axes import Axis
from fastscan.inputs import units
from fastscan.interactions.light import COUPLING
from fastscan.interactions.parameters import EPS, EPS_D, EPS_U, M_PHI, MEDIATOR, RADIUS, SHIFT, G, Q
from fastscan.outputs import figures

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.axes import Axes

ZERO_IN_SM = [axis.name for axis in (EPS, EPS_D, EPS_U, RADIUS, SHIFT, Q)]
MASSES = [axis.name for axis in (MEDIATOR, M_PHI)]
MOST_RATIOS = 6  # largest number of diagonals in a picture
BESIDE = 0.05  # fraction of a diagonal between its lower end and its label; curves rarely reach that corner
SHORTEST = 0.25  # fraction of the picture's width; shorter diagonals in a corner are left out
LINE: dict[str, Any] = {"color": "0.6", "linewidth": 0.5, "zorder": 0.5}
SM = "Standard Model"
Sides = tuple[Axis | None, Axis | None]  # the axes along x and y, in the drawn units; None for another quantity


def draw(ax: "Axes", sides: Sides) -> None:
    """Draw the guides that belong to the two axes of a picture."""
    x, y = sides
    ax.autoscale(False)
    _mark_standard_model(ax, *(axis is not None and axis.name in ZERO_IN_SM for axis in sides))
    if x is not None and y is not None and x.name in MASSES and y.name == G.name:
        _draw_ratios(ax, x)
        _draw_end_of_couplings(ax)


def _mark_standard_model(ax: "Axes", along_x: bool, along_y: bool) -> None:
    """Draw the Standard Model: a cross if it lies at 0 on both axes, a line if on one."""
    if along_x and along_y:
        ax.set_box_aspect(1)
        ax.plot(0, 0, "P", color="black", markersize=7, markeredgecolor="white", markeredgewidth=0.6, label=SM)
    elif along_x:
        ax.axvline(0, label=SM, **LINE)
    elif along_y:
        ax.axhline(0, label=SM, **LINE)


def _draw_ratios(ax: "Axes", mass: Axis) -> None:
    """Draw diagonals of equal M/g at powers of ten of 1 GeV; limits on heavy mediators run along such diagonals."""
    lightest, heaviest = (math.log10(mass.converted(end, mass.shown_unit, "GeV")) for end in ax.get_xlim())
    weakest, strongest = map(math.log10, ax.get_ylim())
    width, height = heaviest - lightest, strongest - weakest
    angle = math.degrees(math.atan2(1 / height, 1 / width))  # in a panel whose sides have length 1
    found = {}
    for power in range(math.ceil(lightest - strongest), math.floor(heaviest - weakest) + 1):
        ends = np.array([max(lightest, weakest + power), min(heaviest, strongest + power)])
        if ends[1] - ends[0] > SHORTEST * width:
            found[power] = (ends - lightest) / width, (ends - power - weakest) / height
    for power in list(found)[:: math.ceil(len(found) / MOST_RATIOS) or 1]:
        x, y = found[power]
        ax.plot(x, y, transform=ax.transAxes, **LINE)
        over = "bottom" if y[0] < x[0] else "top"  # on the side that is farther from the frame
        place: dict[str, Any] = {"ha": "left", "va": over, "rotation": angle, "rotation_mode": "anchor"}
        told = f"${mass.symbol}/g$ = {units.told(mass.converted(10.0**power, 'GeV', 'MeV'), mass.kind)}"
        lower = (1 - BESIDE) * x[0] + BESIDE * x[1], (1 - BESIDE) * y[0] + BESIDE * y[1]
        figures.remark(ax, told, *lower, transform_rotates_text=True, **place)


def _draw_end_of_couplings(ax: "Axes") -> None:
    """Draw the largest perturbative coupling; beyond it, limits mean only limits on M/g, of a contact interaction."""
    if ax.get_ylim()[1] > COUPLING.perturbative:
        ax.axhline(COUPLING.perturbative, linestyle=":", label=r"$g = \sqrt{4\pi}$: beyond, on $M/g$ alone", **LINE)
