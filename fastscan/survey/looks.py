"""The look of the survey's pictures: colours and lines of data sets, of expected bands and of published limits.

Data sets that count the same events share a colour; those outside the combination have thin, dashed lines.  The
combination is black, in front of its expected bands.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastscan.limits.confidence import CL, DOF, level_text
from fastscan.outputs import csv_files, figures
from fastscan.outputs.figures import COLOURS, DASHES, grouped
from fastscan.stores.cube import Cube
from fastscan.survey.recipe import COMBINED, COMBINED_LABEL, data_sets
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

LEVEL, METHOD = level_text(CL, DOF), "Delta chi2"
INNER, OUTER = "0.72", "0.88"  # greys of the expected bands of 1 and 2 standard deviations
OTHERS = "0.45"  # grey of limits that others have published


@dataclass(frozen=True, eq=False)
class SurveyFigure:
    """A picture of the survey.

    Attributes
    ----------
    name : str
        Name of its files.
    title, alt, caption : str
        Its heading, its description for readers who can't see it, and its caption.
    tables : dict of str to (sequence of str, list of dict)
        The keys and the records of each table behind it, by the name of the table's file.
    drawing : callable
        Function that draws and returns the figure.
    """

    name: str
    title: str
    alt: str
    caption: str
    tables: dict[str, tuple[Sequence[str], list[Record]]]
    drawing: "Callable[[], Figure]"

    @functools.cached_property
    def csv(self) -> dict[str, tuple[str, int]]:
        """The CSV text and the number of rows of each table, by the name of its file."""
        return {name: (csv_files.text(self.title, keys, rows), len(rows)) for name, (keys, rows) in self.tables.items()}

    def draw(self) -> "Figure":
        """The figure, in the look of all pictures."""
        with figures.look():
            return figures.laid_out(self.drawing())


def look_of(experiment: str) -> dict[str, Any]:
    """Matplotlib's properties of the lines of a data set, or of the combination."""
    if experiment == COMBINED:
        return {"color": "black", "linestyle": "-", "linewidth": 1.7, "zorder": 3}
    sets = {each.experiment: each for each in data_sets()}
    own = sets[experiment]
    events = list(dict.fromkeys(each.events for each in sets.values()))
    colour = COLOURS[events.index(own.events) % len(COLOURS)]
    if own.combined:
        return {"color": colour, "linestyle": "-", "linewidth": 1.2}
    beside = [each.experiment for each in sets.values() if each.events == own.events and not each.combined]
    return {"color": colour, "linestyle": DASHES[1 + beside.index(experiment)], "linewidth": 0.8}


def label_of(experiment: str) -> str:
    """The label of a data set, or of the combination, in a legend."""
    if experiment == COMBINED:
        return COMBINED_LABEL
    sets = {each.experiment: each for each in data_sets()}
    return figures.literal(sets[experiment].label)


def drawn(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records by their data set, the combination last; records of other experiments are left out."""
    known = [*(each.experiment for each in data_sets()), COMBINED]
    groups = grouped(records, lambda row: row["experiment"])
    return {name: groups[name] for name in known if name in groups}


def set_lines(rows: Iterable[Record]) -> "list[Line2D]":
    """A line for a legend for each data set of some records."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], label=label_of(name), **look_of(name)) for name in drawn(rows)]


def band_patches() -> list[Any]:
    """The patches of both expected bands for a legend."""
    from matplotlib.patches import Patch

    told = ((INNER, r"expected, $\pm1\sigma$"), (OUTER, r"expected, $\pm2\sigma$"))
    return [Patch(facecolor=colour, label=label) for colour, label in told]


def with_legend(figure: "Figure", told: Sequence[Any]) -> "Figure":
    """A figure with a legend below its panels."""
    figure.legend(
        handles=list(told), loc="outside lower center", ncols=4, handlelength=2.2, columnspacing=1.0, fontsize=7
    )
    return figure


def one_of_each_model(cubes: Sequence[Cube]) -> list[Cube]:
    """The first cube of each model."""
    return list({cube.model: cube for cube in reversed(cubes)}.values())[::-1]
