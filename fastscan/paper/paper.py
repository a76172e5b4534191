"""`fastscan paper`: the results of arXiv:2002.01482 as files: Table 3, the six figures and a report.

This room only runs the others: `fastscan.paper.table3` makes the table, `fastscan.paper.paper_figures` the figures, and
`fastscan.paper.report` the page.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fastscan.answers.from_cube import limit_records
from fastscan.errors import OutputError
from fastscan.inputs.files import replacing, writable
from fastscan.paper import table3
from fastscan.paper.table3 import Entry
from fastscan.scans import scanner
from fastscan.scans.plan import plan
from fastscan.stores.location import local, require_place

if TYPE_CHECKING:
    from fastscan.outputs.page import Finding
    from fastscan.paper.figure_parts import PaperFigure

TABLE_STORE = "table3.zarr"
FILES = ("table3.md", "table3.csv", "table3.json", TABLE_STORE)
FIGURE_FILES = tuple(f"figure{n}{end}" for n in range(1, 7) for end in (".png", ".pdf", ".csv", "-limits.csv"))
REPORT, HEPDATA = "report.html", "hepdata"


def run(
    directory: str | Path,
    with_figures: bool = True,
    tell: Callable[[str], object] = lambda _: None,
    *,
    with_hepdata: bool = False,
) -> "tuple[list[Entry], list[tuple[int, Finding]], list[str]]":
    """Write Table 3 and, if they are wanted, the figures and the report.

    Parameters
    ----------
    directory : str or Path
        The directory for all files.
    with_figures : bool
        Whether to write figures and report, which need matplotlib.
    tell : callable, optional
        Function that is called with a line about each step before the step.
    with_hepdata : bool
        Whether to write the limits of the table and of the figures as a submission to HEPData too.

    Returns
    -------
    list of Entry, list of (int, Finding), list of str
        The table; the findings on each figure, with the figure's number; and the names of the files, where a figure's
        name stands for its PNG, PDF and CSV.

    Raises
    ------
    OutputError
        As in `write_table3`, and where matplotlib or hepdata_lib is missing.
    """
    place = local(directory)
    if with_figures:
        from fastscan.outputs import figures  # noqa: F401 - a missing matplotlib is an error at once
    if with_hepdata:
        from fastscan.outputs import hepdata

        hepdata.require_own(place / HEPDATA)
    entries = write_table3(directory, tell)
    shown: list[PaperFigure] = []
    written = list(FILES)
    if with_figures:
        command = f"fastscan paper -o {place.name}{' --hepdata' if with_hepdata else ''}"
        shown = _write_figures(place, entries, command, tell)
        written = [REPORT, *FILES, *(f"figure{each.number}" for each in shown)]
    if with_hepdata:
        _write_hepdata(place, shown, tell)
        written.append(HEPDATA)
    return entries, [(each.number, finding) for each in shown for finding in each.findings], written


def _write_figures(
    place: Path, entries: Sequence[Entry], command: str, tell: Callable[[str], object]
) -> "list[PaperFigure]":
    """Write the figures, each as PNG, PDF and CSV, and the report; returns the figures."""
    from fastscan.outputs import figures
    from fastscan.paper import paper_figures, report

    shown = []
    for number in paper_figures.RECIPES:
        tell(paper_figures.title_of(number))
        figure = paper_figures.figure(number)
        picture = figure.draw()
        for suffix in ("png", "pdf"):
            figures.save(picture, place / f"figure{number}.{suffix}")
        for table, (text, _) in figure.csv.items():
            _write(place / f"{table}.csv", text)
        shown.append(report.Shown(figure, figures.as_svg(picture)))
    tell(f"{REPORT}: all of it on one page")
    _write(place / REPORT, report.page(entries, shown, report.adjustable(), command=command, made=datetime.now(UTC)))
    return [each.figure for each in shown]


def _write_hepdata(place: Path, figures: "Sequence[PaperFigure]", tell: Callable[[str], object]) -> None:
    """Write the limits of Table 3 and of the figures; a contour is a limit at each beta, and profiles are left out."""
    from fastscan.outputs import hepdata

    tell(f"{HEPDATA}: the limits as tables for HEPData")
    found = [record for cube in plan(str(table3.GRID)) for record in limit_records(cube)]
    tables = hepdata.limit_tables(found, "Table 3")
    for figure in figures:
        limits = (rows for _, rows in figure.tables.values() if "limit_gev" in rows[0])
        tables += [each for rows in limits for each in hepdata.limit_tables(rows, f"Figure {figure.number}")]
    hepdata.write(place / HEPDATA, tables, "Limits on Z' bosons, with the calculation of arXiv:2002.01482")


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_table3(directory: str | Path, tell: Callable[[str], object] = lambda _: None) -> list[Entry]:
    """Scan the grid of Table 3 into a store, or continue it, and write the table beside it.

    Parameters
    ----------
    directory : str or Path
        The directory for the files in `FILES`.
    tell : callable, optional
        As in `run`.

    Returns
    -------
    list of Entry
        One for each experiment and model, in the paper's order.

    Raises
    ------
    OutputError
        Where the directory can't be written, or has files of these names without the table's store.
    ScanError
        Where the scan failed; the same call continues it.

    References
    ----------
    Table 3 of arXiv:2002.01482.
    """
    place = local(directory)
    for name in (*FILES[:-1], REPORT, *FIGURE_FILES):
        with writable(place, OutputError):
            alone = (place / name).exists() and not (place / TABLE_STORE).exists()
        if alone:
            raise OutputError(f"{place / name} is there without {TABLE_STORE}; it is left as it is")
    where = str(place / TABLE_STORE)
    with writable(place, OutputError):
        place.mkdir(parents=True, exist_ok=True)
    require_place(where, overwrite=False, resume=True)
    cubes = plan(str(table3.GRID))
    title = cubes[0].title
    tell(f"{title}: scanning {len(cubes)} pairs of experiment and model -> {os.path.join(directory, TABLE_STORE)}")
    scanner.run_or_continue(cubes, where)
    tell(f"{title}: limits beside the published ones")
    entries = table3.entries_of(cubes)
    texts = (table3.markdown(entries), table3.as_csv(entries), table3.as_json(entries))
    for name, text in zip(FILES[:-1], texts, strict=True):
        _write(place / name, text)
    return entries
