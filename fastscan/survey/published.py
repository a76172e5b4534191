"""Limits that others have published, beside ours: their source, how the number was read, and why ours differs.

The table is ``fastscan/data/published_limits.csv``.  No number in it is an input of a likelihood.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastscan.answers.point import limits_at_points
from fastscan.answers.question import Question
from fastscan.inputs import data_files
from fastscan.interactions import catalogue
from fastscan.interactions.interaction import Interaction
from fastscan.limits.confidence import CL, DOF, OK
from fastscan.survey.recipe import COMBINED, GRIDS, data_sets
from fastscan.typing import Record

METHOD = "Delta chi2"
HOW = {
    "abstract": "read in the abstract",
    "file": "read in a file of results",
    "summary": "read in a third party's summary, not checked with the paper",
    "memory": "from memory, not checked with the paper",
}


@dataclass(frozen=True)
class Entry:
    """A published limit, and the computed limit beside it.

    Limits are in `unit`, and None where there is none.  `computed` are all allowed intervals, where None is an open
    end.  `cl` and `dof` are the level of the computed limit; `published_level` is the published level in words.
    `deviation` is the relative difference of the computed from the published limit, where both use the same data and
    the limit has one side; else None.
    """

    quantity: str
    model: str
    at: str
    experiment: str
    computed: list[tuple[float | None, float | None]]
    status: str
    published: str
    published_low: float | None
    published_high: float | None
    unit: str
    deviation: float | None
    cl: float
    dof: int
    method: str
    published_level: str
    published_method: str
    data: str
    source: str
    how: str
    same_data: bool
    why: str


def entries() -> list[Entry]:
    """The entry of every line of the table, with its computed limit."""
    return [_entry(row) for row in _filled(data_files.rows("published_limits.csv"))]


def _filled(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The lines of the table, where a reason "as above" is replaced by the reason of the line above."""
    found: list[dict[str, str]] = []
    for row in rows:
        above = found[-1]["why"] if found else ""
        found.append(
            {
                **row,
                "why": row["why"].replace("as above", above, 1) if row["why"].startswith("as above") else row["why"],
            }
        )
    return found


def _entry(row: dict[str, str]) -> Entry:
    cl, dof = float(row["cl"] or CL), int(row["dof"] or DOF)
    low, high = (float(row[key]) if row[key] else None for key in ("low", "high"))
    computed, status = _computed(row, cl, dof)
    same = row["same"] == "yes"
    told = f"{100 * float(row['cl']):.3g} % CL, {row['dof']} dof" if row["cl"] and row["dof"] else ""
    return Entry(
        quantity=row["quantity"],
        model=row["model"],
        at=row["at"],
        experiment=row["experiment"],
        computed=computed,
        status=status,
        published=row["published"],
        published_low=low,
        published_high=high,
        unit=row["unit"],
        deviation=_deviation(computed, low, high) if same and status == OK else None,
        cl=cl,
        dof=dof,
        method=METHOD,
        published_level=told
        or (f"{100 * float(row['cl']):.3g} % CL, dof not stated" if row["cl"] else "level not stated"),
        published_method=row["method"],
        data=row["data"],
        source=row["source"],
        how=row["how"],
        same_data=same,
        why=row["why"],
    )


def _deviation(
    computed: Sequence[tuple[float | None, float | None]], low: float | None, high: float | None
) -> float | None:
    """The relative difference of a computed limit from a published one; None for a limit on two sides."""
    if not computed or (low is None) == (high is None):
        return None
    ours, theirs = (computed[-1][0], low) if high is None else (computed[0][1], high)
    return ours / theirs - 1 if ours is not None and theirs else None


def _computed(row: dict[str, str], cl: float, dof: int) -> tuple[list[tuple[float | None, float | None]], str]:
    """The allowed intervals and the status of the computed limit.

    Several models, written with +, have one strength x in common.  If each model alone limits x to at most x_i, all
    together limit x to at most x = (sum_i x_i^-2)^-1/2.
    """
    members = (
        [each.experiment for each in data_sets() if each.combined]
        if row["experiment"] == COMBINED
        else [row["experiment"]]
    )
    asked = Question(at=_place(row["at"]), cl=cl, dof=dof)
    found = [limits_at_points(members, model(name), asked)[0] for name in row["model"].split("+")]  # type: ignore[arg-type]
    if len(found) > 1:
        together = 1 / math.sqrt(sum(each["limit"] ** -2 for each in found))
        return [(0.0, together)], str(found[0]["status"])
    return _intervals(found[0], model(row["model"])), str(found[0]["status"])


def _place(text: str) -> dict[str, Any]:
    """The values of a text such as ``m_zprime=0.01``, by name."""
    return {name: float(value) for name, _, value in (each.partition("=") for each in text.split(",") if each)}


def _intervals(record: Record, interaction: Interaction) -> list[tuple[float | None, float | None]]:
    """The allowed intervals of a record; a shift of a quantity is turned into the quantity itself."""
    allowed = record["allowed_gev"] if "allowed_gev" in record else record["allowed"]
    axis = interaction.strength.axis
    start = axis.unshifted if axis.whole else 0.0
    return [tuple(None if end is None else start + end for end in ends) for ends in allowed]  # type: ignore[misc]


def model(name: str) -> Interaction:
    """A model of the survey: a model of the package by name, or a file of the survey."""
    return catalogue.load(Path(str(GRIDS)) / "models" / name if name.endswith(".toml") else name)
