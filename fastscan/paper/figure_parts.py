"""Common parts of the figures of arXiv:2002.01482: the class of a figure, its rows, and groups of experiments."""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastscan.answers import records
from fastscan.answers.from_cube import limit_records, profile_records
from fastscan.answers.question import Question, Values
from fastscan.experiments.catalogue import label_of, load
from fastscan.interactions.catalogue import MODELS
from fastscan.limits.confidence import CL, DOF, level_text
from fastscan.limits.limits import threshold
from fastscan.outputs import csv_files, figures
from fastscan.outputs.page import Finding
from fastscan.stores.cube import Cube
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.figure import Figure

LEVEL, THRESHOLD = level_text(CL, DOF), threshold(CL, DOF)
HEAVY = MODELS["lr"]  # a member of the family to which all models of the paper belong
KEYS, PROFILE_KEYS = records.limit_keys(HEAVY), records.profile_keys(HEAVY)
SNS, REACTORS, CHROMIUM = "SNS", "reactors", "51Cr"
BANDS = {"chi": "#0072B2", "eta": "#E69F00", SNS: "#0072B2", REACTORS: "#E69F00"}
COINCIDE = 0.1  # limits that differ by less are hard to tell apart in a picture
NUMBERS = {3: "three", 4: "four", 7: "seven", 11: "eleven"}
SHADED = "The shade covers the masses that every experiment of a panel excludes."


@dataclass(frozen=True, eq=False)
class PaperFigure:
    """A figure: its drawing, its data by table (each with its columns and records), and its findings."""

    number: int
    title: str
    caption: str
    tables: dict[str, tuple[Sequence[str], list[Record]]]
    findings: tuple[Finding, ...]
    drawing: "Callable[[], Figure]"

    @functools.cached_property
    def csv(self) -> dict[str, tuple[str, int]]:
        """The text of each table as CSV and its number of rows, by the name of its file."""
        title = f"Figure {self.number} of arXiv:2002.01482, computed anew: {self.title}"
        return {
            f"figure{self.number}{'-' if table else ''}{table}": (
                csv_files.text(f"{title}{f'; {table}' if table else ''}", keys, rows),
                len(rows),
            )
            for table, (keys, rows) in self.tables.items()
        }

    def draw(self) -> "Figure":
        """The figure."""
        with figures.look():
            return figures.laid_out(self.drawing())


@functools.cache
def kind_of(name: str) -> str:
    """Whether an experiment is at the SNS, at a reactor or with 51Cr."""
    experiment = load(name)
    if experiment.channel == "nu-e":
        return CHROMIUM
    return SNS if experiment.source.group == "spallation" else REACTORS


def profile_rows(cubes: Iterable[Cube], **at: Values) -> list[Record]:
    """Delta chi2 along the masses of some cubes, at values of the settings."""
    return [row for cube in cubes for row in profile_records(cube, Question(at=at))]


def limit_rows(cubes: Iterable[Cube], **at: Values) -> list[Record]:
    """The limits of some cubes, at values of the settings."""
    return [row for cube in cubes for row in limit_records(cube, Question(at=at))]


def of_models(rows: Iterable[Record], *models: str) -> list[Record]:
    """The rows of some models."""
    return [row for row in rows if row["model"] in models]


def name_of(row: Record) -> str:
    """The experiment of a row as a picture shows it."""
    return figures.literal(label_of(row["experiment"]))


def outer_labels(figure: "Figure", axes: Any) -> "Figure":
    """The figure with labels only along the outer edges of its panels."""
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    return figure
