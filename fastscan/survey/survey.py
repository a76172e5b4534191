"""`fastscan survey`: limits of today's published data as files, pictures, tables and a page.

This room only runs the survey and writes its files.  `recipe` has the questions, `limits` computes limits, `published`
compares them with published ones, `tables` has the text, `survey_figures` and `bars` the pictures, and `report` the
page.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fastscan.errors import OutputError
from fastscan.inputs.files import replacing, writable
from fastscan.limits.confidence import Toys
from fastscan.outputs import csv_files
from fastscan.scans import scanner
from fastscan.scans.plan import plan
from fastscan.stores.cube import Cube
from fastscan.stores.location import local, require_place
from fastscan.survey import tables
from fastscan.survey.limits import (
    AXES,
    Bands,
    Planes,
    all_records,
    asimov_bands,
    bands_of_toys,
    contour_table,
    planes_of,
)
from fastscan.survey.published import Entry, entries
from fastscan.survey.recipe import Question, questions
from fastscan.typing import Record

if TYPE_CHECKING:
    from fastscan.survey.looks import SurveyFigure
    from fastscan.survey.report import Shown

STORE = "survey.zarr"
TEXTS = ("survey.md", "survey.tex", "survey.json", "published.csv")
REPORT, HEPDATA, CONTOURS = "report.html", "hepdata", "-contours.csv"
TOYS = 1000  # default number of toys at each point
Tell = Callable[[str], object]


def run(
    directory: str | Path,
    with_figures: bool = True,
    tell: Tell = lambda _: None,
    *,
    toys: Toys | None = None,
    with_hepdata: bool = False,
    grids: Path | None = None,
) -> tuple[list[Entry], list[str]]:
    """Scan the grids of the survey into a store, or continue it, and write limits, pictures and the page beside it.

    Parameters
    ----------
    directory : str or Path
        The directory for the store and all files.
    with_figures : bool
        Whether to write pictures and the page; they need matplotlib.
    tell : callable, optional
        Function that is called with a line about each step before it begins.
    toys : Toys, optional
        The toys for the bands of expected limits; left out, the bands come from Asimov sets.
    with_hepdata : bool
        Whether to write all limits as a submission to HEPData too.
    grids : Path, optional
        A directory with some of the survey's grids, under their names; left out, the package's.

    Returns
    -------
    list of Entry, list of str
        The published limits beside ours, and the names of the files and folders written.

    Raises
    ------
    OutputError
        Where the directory can't be written, or contains files of these names without the survey's store, and where
        matplotlib or hepdata_lib is missing.
    ScanError
        Where the scan failed.  The same call continues it.
    """
    place, asked = local(directory), questions(grids)
    if with_figures:
        from fastscan.outputs import figures  # where matplotlib is missing, this says so before anything is scanned

        figures.check_name(Path("figure.png"))
    if with_hepdata:
        from fastscan.outputs import hepdata

        hepdata.require_own(place / HEPDATA)
    _require_own(place, asked)
    with writable(place, OutputError):
        place.mkdir(parents=True, exist_ok=True)
    where = str(place / STORE)
    require_place(where, overwrite=False, resume=True)
    cubes = {each.name: plan(each.grid) for each in asked}
    scanned = [cube for own in cubes.values() for cube in own]
    tell(f"scanning {len(scanned)} pairs of data set and model -> {os.path.join(directory, STORE)}")
    scanner.run_or_continue(scanned, where)
    expected = asimov_bands if toys is None else partial(bands_of_toys, toys=toys.number, seed=toys.seed)
    records = {each.name: _limits(place, each, cubes[each.name], expected, tell) for each in asked}
    contours = {each.name: _contours(place, each, cubes[each.name], tell) for each in asked if each.name in AXES}
    tell("published limits beside these")
    found = entries()
    titles = {each.name: each.title for each in asked}
    texts = (
        tables.markdown(records, found, titles),
        tables.latex(records, found),
        tables.as_json(records, found),
        tables.published_csv(found),
    )
    for name, text in zip(TEXTS, texts, strict=True):
        _write(place / name, text)
    written = [*TEXTS, STORE, *(name for each in asked for name in _csv_names(each, records[each.name]))]
    written += [f"{name}{CONTOURS}" for name in contours]
    if with_figures:
        from fastscan.survey import survey_figures

        shown = _draw(place, survey_figures.all_figures(asked, cubes, records, contours, found), tell)
        written = [REPORT, *shown, *written]
        _write_page(place, asked, cubes, records, shown, found, toys, tell)
    if with_hepdata:
        _write_hepdata(place, asked, records, contours, tell)
        written.append(HEPDATA)
    return found, written


def _require_own(place: Path, asked: Sequence[Question]) -> None:
    """Refuse a directory that contains files of the survey's names but not the survey's store."""
    with writable(place, OutputError):
        if not place.exists() or (place / STORE).exists():
            return
        there = sorted(path.name for path in place.iterdir())
    own = ("summary", *(each.name for each in asked))
    for name in there:
        stem, _, end = name.rpartition(".")
        if name in (*TEXTS, REPORT) or (end in ("png", "pdf", "csv") and stem.startswith(own)):
            raise OutputError(f"{place / name} is there without {STORE}; it is left as it is")


def _limits(place: Path, asked: Question, cubes: Sequence[Cube], expected: Bands, tell: Tell) -> list[Record]:
    """The limits of a question; they are written as CSV too."""
    tell(f"{asked.title}: limits")
    records = all_records(cubes, expected)
    for name, (keys, rows) in tables.by_strength(asked.name, records).items():
        _write(place / f"{name}.csv", csv_files.text(asked.title, keys, rows))
    return records


def _csv_names(asked: Question, records: Sequence[Record]) -> list[str]:
    return [f"{name}.csv" for name in tables.by_strength(asked.name, records)]


def _contours(place: Path, asked: Question, cubes: Sequence[Cube], tell: Tell) -> Planes:
    """The contours of a question; they are written as CSV too."""
    tell(f"{asked.title}: contours")
    found = planes_of(asked.name, cubes)
    _write(place / f"{asked.name}{CONTOURS}", csv_files.text(asked.title, *contour_table(found)))
    return found


def _draw(place: Path, drawn: "Iterable[SurveyFigure]", tell: Tell) -> "dict[str, Shown]":
    """Write the pictures and their tables, and return the pictures by name."""
    from fastscan.outputs import figures
    from fastscan.survey.report import Shown

    shown = {}
    for figure in drawn:
        tell(f"{figure.title}: picture")
        picture = figure.draw()
        for suffix in ("png", "pdf"):
            figures.save(picture, place / f"{figure.name}.{suffix}")
        for name, (text, _) in figure.csv.items():
            _write(place / f"{name}.csv", text)
        shown[figure.name] = Shown(figure, figures.as_svg(picture))
    return shown


def _write_page(
    place: Path,
    asked: Sequence[Question],
    cubes: dict[str, list[Cube]],
    records: dict[str, list[Record]],
    shown: "dict[str, Shown]",
    found: Sequence[Entry],
    toys: Toys | None,
    tell: Tell,
) -> None:
    from fastscan.survey import report

    tell(f"{REPORT}: all of it on one page")
    command = f"fastscan survey -o {place.name}"
    if toys is not None:
        command += f" --method toys --toys {toys.number} --seed {toys.seed}"
    text = report.page(
        asked,
        cubes,
        records,
        shown,
        found,
        command=command,
        made=datetime.now(UTC),
        toys=None if toys is None else (toys.number, toys.seed),
    )
    _write(place / REPORT, text)


def _write_hepdata(
    place: Path, asked: Sequence[Question], records: dict[str, list[Record]], contours: dict[str, Planes], tell: Tell
) -> None:
    from fastscan.outputs import hepdata

    tell(f"{HEPDATA}: all limits and contours as tables for HEPData")
    found = [each for question in asked for each in hepdata.limit_tables(records[question.name], question.name)]
    found += [hepdata.contour_table(*each, name) for name, planes in contours.items() for each in planes if each[1]]
    hepdata.write(place / HEPDATA, found, "Limits on new interactions of neutrinos from published data")


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial_file:
        partial_file.write_text(text, encoding="utf-8")
