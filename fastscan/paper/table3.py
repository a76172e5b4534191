"""Table 3 of arXiv:2002.01482: our limits beside the published ones, with notes on differences, and as text."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

import numpy as np

from fastscan.answers.from_cube import limit_records
from fastscan.experiments.catalogue import label_of
from fastscan.inputs import data_files
from fastscan.limits.confidence import CL, DOF, level_text
from fastscan.outputs import csv_files
from fastscan.stores.cube import Cube

GRID = files("fastscan") / "grids" / "paper" / "table3.toml"
TITLE = f"Lower limits on M_Z' in GeV at {level_text(CL, DOF)}: computed / published, deviation"


@dataclass(frozen=True)
class Entry:
    """One entry of Table 3.

    Limits are in GeV, or None where there is no limit.  `deviation` is relative to the published limit.  `expected_gev`
    is the limit with measured data replaced by the Standard Model's prediction.
    """

    experiment: str
    model: str
    computed_gev: float | None
    status: str
    published_gev: float | None
    deviation: float | None
    expected_gev: float | None
    cl: float
    dof: int
    sigma_sys: float
    sm_events: float
    note: str


def entries_of(cubes: Iterable[Cube]) -> list[Entry]:
    """The table's entries, one for each cube of its grid, in the paper's order."""
    published, notes = published_limits(), notes_by_subject()
    return [_entry(cube, published, notes) for cube in cubes]


def _entry(cube: Cube, published: dict[tuple[str, str], float], notes: dict[str, str]) -> Entry:
    (found,) = limit_records(cube)
    experiment, model = found["experiment"], found["model"]
    computed, paper = found["limit_gev"], published.get((experiment, model))
    return Entry(
        experiment=experiment,
        model=model,
        computed_gev=computed,
        status=found["status"],
        published_gev=paper,
        deviation=computed / paper - 1 if computed and paper else None,
        expected_gev=found["expected_gev"],
        cl=found["cl"],
        dof=found["dof"],
        sigma_sys=found["sigma_sys"],
        sm_events=float(cube.likelihood.events(np.zeros(1), np.zeros(1, np.intp))[0]),
        note="; ".join(notes[subject] for subject in (experiment, model) if subject in notes),
    )


def published_limits() -> dict[tuple[str, str], float]:
    """The paper's limits in GeV, by experiment and model, without entries that the paper leaves empty.

    Examples
    --------
    >>> published_limits()["coherent-csi", "chi"]
    183.0
    """
    return {
        (experiment, row["model"]): float(limit)
        for row in data_files.rows("table3.csv")
        for experiment, limit in row.items()
        if experiment != "model" and limit
    }


def notes_by_subject() -> dict[str, str]:
    """Notes on differences from the published limits, by experiment or model."""
    return {row["about"]: row["note"] for row in data_files.rows("table3_notes.csv")}


def rows(entries: Sequence[Entry]) -> list[list[str]]:
    """The table as text: a header, then a row for each experiment, with "computed / published, deviation"."""
    models = list(dict.fromkeys(entry.model for entry in entries))
    by_name = {(entry.experiment, entry.model): entry for entry in entries}
    table = [["experiment", "SM events", *models]]
    for experiment in dict.fromkeys(entry.experiment for entry in entries):
        cells = [by_name[experiment, model] for model in models]
        label = label_of(experiment)
        table.append([label, f"{cells[0].sm_events:.5g}", *map(_cell, cells)])
        if any(cell.expected_gev for cell in cells):
            table.append([f"  {label}, expected", "", *(_number(cell.expected_gev) for cell in cells)])
    return table


def _cell(entry: Entry) -> str:
    text = f"{_number(entry.computed_gev)} / {_number(entry.published_gev, 0)}"
    return text if entry.deviation is None else f"{text} {100 * entry.deviation:+.1f} %"


def _number(limit: float | None, digits: int = 1) -> str:
    return "-" if limit is None else f"{limit:.{digits}f}"


def notes_on(entries: Sequence[Entry]) -> dict[str, str]:
    """The notes on the experiments and models in a table."""
    subjects = {subject for entry in entries for subject in (entry.experiment, entry.model)}
    return {about: note for about, note in notes_by_subject().items() if about in subjects}


def remarks(entries: Sequence[Entry]) -> list[str]:
    """The lines below the table: the sign for no limit, and the notes."""
    notes = [f"{label_of(about)}: {note}." for about, note in notes_on(entries).items()]
    return ["-: no sensitivity, or not in the paper.", *notes]


def markdown(entries: Sequence[Entry]) -> str:
    """The table and its remarks as Markdown."""
    header, *body = rows(entries)
    lines = [
        "# Table 3 of arXiv:2002.01482",
        "",
        f"{TITLE}.",
        "Each experiment is at its own sigma_sys.",
        "",
        *(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *body)),
        "",
        *(f"- {line}" for line in remarks(entries)),
    ]
    return "\n".join(lines) + "\n"


def as_csv(entries: Sequence[Entry]) -> str:
    """CSV with one line for each entry, and the fields of `Entry` as columns."""
    rows = [asdict(entry) for entry in entries]
    title = "Table 3 of arXiv:2002.01482: lower limits on M_Z', computed and published"
    return csv_files.text(title, list(rows[0]), rows)


def as_json(entries: Sequence[Entry]) -> str:
    """JSON: a list of objects with the fields of `Entry`."""
    return json.dumps([asdict(entry) for entry in entries], indent=2) + "\n"
