"""The results of arXiv:2002.01482: Table 3 beside the published one, the six figures, and a report of it all."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastscan import query, records, scanner, tables
from fastscan.cube import Cube
from fastscan.errors import FastscanError
from fastscan.experiments import load
from fastscan.files import replacing, writable
from fastscan.location import local
from fastscan.plan import plan

if TYPE_CHECKING:
    from fastscan.recipes import Finding

GRID = files("fastscan") / "grids" / "paper" / "table3.toml"
FILES = ("table3.md", "table3.csv", "table3.json", "table3.zarr")
FIGURE_FILES = tuple(f"figure{n}{end}" for n in range(1, 7) for end in (".png", ".pdf", ".csv", "-limits.csv"))
REPORT = "report.html"


@dataclass(frozen=True)
class Entry:
    """One limit of Table 3.

    Limits are in GeV, None where there is none; `deviation` is relative to the published limit, and
    `expected_gev` is the limit with measured data replaced by the Standard Model's prediction.
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


def run(directory: str | Path, with_figures: bool = True) -> "tuple[list[Entry], list[tuple[int, Finding]], list[str]]":
    """Table 3, and the figures and the report unless they aren't wanted.

    Returns
    -------
    list of Entry, list of (int, Finding), list of str
        The table, what each figure shows by its number, and the names of what was written: a figure's stands for
        its PNG, PDF and CSV.

    Raises
    ------
    FastscanError
        As `table3`, and where matplotlib is missing.
    """
    if not with_figures:
        return table3(directory), [], list(FILES)
    from fastscan import figures, recipes, report  # before anything is computed, as matplotlib may be missing

    entries = table3(directory)
    place = local(directory)
    written, findings, shown = list(FILES), [], []
    for figure in recipes.paper_figures():
        name = f"figure{figure.number}"
        picture = figure.draw()
        for suffix in ("png", "pdf"):
            figures.save(picture, place / f"{name}.{suffix}")
        for table, (text, _) in figure.csv.items():
            _write(place / f"{table}.csv", text)
        shown.append(report.Shown(figure, figures.as_svg(picture)))
        findings += [(figure.number, finding) for finding in figure.findings]
        written.append(name)
    command = f"fastscan paper -o {place.name}"
    _write(place / REPORT, report.page(entries, shown, command=command, made=datetime.now(UTC)))
    return entries, findings, [REPORT, *written]


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def table3(directory: str | Path) -> list[Entry]:
    """Scan the grid of Table 3 into a store, or continue it, and write the table beside it.

    Parameters
    ----------
    directory : str or Path
        Gets the files of `FILES`.

    Returns
    -------
    list of Entry
        One for each experiment and model, in the paper's order.

    Raises
    ------
    FastscanError
        Where the directory can't be written, or holds the table's store from other inputs.

    References
    ----------
    Table 3 of arXiv:2002.01482.
    """
    place = local(directory)
    for name in (*FILES[:-1], REPORT, *FIGURE_FILES):
        with writable(place):
            alone = (place / name).exists() and not (place / FILES[-1]).exists()
        if alone:
            raise FastscanError(f"{place / name} is there without {FILES[-1]}; it is left as it is")
    cubes = plan(str(GRID))
    scanner.run(cubes, str(place / FILES[-1]), resume=True)
    published, notes = published_limits(), notes_by_subject()
    entries = [_entry(cube, published, notes) for cube in cubes]
    texts = (markdown(entries), as_csv(entries), json.dumps([asdict(entry) for entry in entries], indent=2) + "\n")
    for name, text in zip(FILES[:-1], texts, strict=True):
        _write(place / name, text)
    return entries


def _entry(cube: Cube, published: dict[tuple[str, str], float], notes: dict[str, str]) -> Entry:
    (found,) = records.of_cube(cube)
    experiment, model = found["experiment"], found["model"]
    computed, paper = found["limit_gev"], published.get((experiment, model))
    loaded = load(experiment)
    expected = query.limit(loaded.expected(), model) if loaded.is_measured else np.nan
    return Entry(
        experiment=experiment,
        model=model,
        computed_gev=computed,
        status=found["status"],
        published_gev=paper,
        deviation=computed / paper - 1 if computed and paper else None,
        expected_gev=None if np.isnan(expected) else float(expected),
        cl=found["cl"],
        dof=found["dof"],
        sigma_sys=found["sigma_sys"],
        sm_events=float(cube.likelihood.events(np.zeros(1), np.zeros(1, np.intp))[0]),
        note="; ".join(notes[subject] for subject in (experiment, model) if subject in notes),
    )


def published_limits() -> dict[tuple[str, str], float]:
    """The paper's limits in GeV, by experiment and model; those that it leaves empty aren't there.

    Examples
    --------
    >>> published_limits()["coherent-csi", "chi"]
    183.0
    """
    return {
        (experiment, row["model"]): float(limit)
        for row in tables.rows("table3.csv")
        for experiment, limit in row.items()
        if experiment != "model" and limit
    }


def notes_by_subject() -> dict[str, str]:
    """Why entries differ from the published ones, by experiment or model."""
    return {row["about"]: row["note"] for row in tables.rows("table3_notes.csv")}


def rows(entries: Sequence[Entry]) -> list[list[str]]:
    """The table as text: a header, then a row for each experiment, with "computed / published, deviation"."""
    models = list(dict.fromkeys(entry.model for entry in entries))
    by_name = {(entry.experiment, entry.model): entry for entry in entries}
    table = [["experiment", "SM events", *models]]
    for experiment in dict.fromkeys(entry.experiment for entry in entries):
        cells = [by_name[experiment, model] for model in models]
        table.append([experiment, f"{cells[0].sm_events:.5g}", *map(_cell, cells)])
        if any(cell.expected_gev for cell in cells):
            table.append([f"  {experiment}, expected", "", *(_number(cell.expected_gev) for cell in cells)])
    return table


def _cell(entry: Entry) -> str:
    text = f"{_number(entry.computed_gev)} / {_number(entry.published_gev, 0)}"
    return text if entry.deviation is None else f"{text} {100 * entry.deviation:+.1f} %"


def _number(limit: float | None, digits: int = 1) -> str:
    return "-" if limit is None else f"{limit:.{digits}f}"


def remarks(entries: Sequence[Entry]) -> list[str]:
    """A line on each experiment or model that has a note, and one on what stands for no limit."""
    subjects = {subject for entry in entries for subject in (entry.experiment, entry.model)}
    lines = [f"{about}: {note}." for about, note in notes_by_subject().items() if about in subjects]
    return ["-: no sensitivity, or not in the paper.", *lines]


def markdown(entries: Sequence[Entry]) -> str:
    """The table and its remarks as Markdown."""
    header, *body = rows(entries)
    lines = [
        "# Table 3 of arXiv:2002.01482",
        "",
        "Lower limits on M_Z' in GeV at 90 % CL (1 dof), each experiment at its own sigma_sys:",
        "computed / published, deviation.",
        "",
        *(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *body)),
        "",
        *(f"- {line}" for line in remarks(entries)),
    ]
    return "\n".join(lines) + "\n"


def as_csv(entries: Sequence[Entry]) -> str:
    """One line an entry, with the fields of `Entry` as columns."""
    rows = [asdict(entry) for entry in entries]
    return records.csv_text(list(rows[0]), rows)
