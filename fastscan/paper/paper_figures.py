"""Figures 1 to 6 of arXiv:2002.01482: for each the grid, and the function that makes the figure of its cubes.

The grids are ``grids/paper/figure<number>.toml``; nothing is scanned for them, because their likelihoods answer.  The
function computes the data behind the figure and compares each statement of the paper about the figure with our numbers;
the report says whether it holds.  `fastscan.outputs.figures` has the curves and bands that figures are drawn with.
"""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from fastscan.paper.combined_figure import figure6
from fastscan.paper.figure_parts import PaperFigure
from fastscan.paper.plane_figure import figure5
from fastscan.paper.profile_figures import figure1, figure4
from fastscan.paper.setting_figures import figure2, figure3
from fastscan.scans import grid as grids
from fastscan.scans.plan import plan

GRIDS = files("fastscan") / "grids" / "paper"
RECIPES = dict(enumerate((figure1, figure2, figure3, figure4, figure5, figure6), start=1))


def grid(number: int) -> Path:
    """The grid file of a figure."""
    return Path(str(GRIDS / f"figure{number}.toml"))


def title_of(number: int) -> str:
    """What a figure's grid is called, before anything is computed."""
    return grids.load(grid(number)).title


def all_figures() -> Iterator[PaperFigure]:
    """The six figures, in their order."""
    return map(figure, RECIPES)


def figure(number: int) -> PaperFigure:
    """A figure, from its grid."""
    return RECIPES[number](plan(grid(number)))
