"""Figures 1 to 6 of arXiv:2002.01482: the grid of each figure, and the function that makes the figure from its cubes.

The grids are ``grids/paper/figure<number>.toml``; they aren't scanned, because their likelihoods give all numbers.  The
function computes the data of the figure and compares each statement of the paper about the figure with our numbers; the
report says whether the statement holds.  `fastscan.outputs.figures` draws the curves and bands.
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
    """The title of a figure's grid, which needs no computation."""
    return grids.load(grid(number)).title


def all_figures() -> Iterator[PaperFigure]:
    """The six figures in order, each computed when it is its turn."""
    return map(figure, RECIPES)


def figure(number: int) -> PaperFigure:
    """A figure, from its grid."""
    return RECIPES[number](plan(grid(number)))
