"""The survey's page: each question with its picture, its limits and what was run; `fastscan.outputs.page` draws it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version

from fastscan.experiments.catalogue import load
from fastscan.outputs import csv_files, sliders
from fastscan.outputs.page import Column, Download, Page, Picture, Run, Section, Table, download, html
from fastscan.stores.cube import Cube
from fastscan.survey import tables
from fastscan.survey.looks import SurveyFigure
from fastscan.survey.published import HOW, METHOD, Entry
from fastscan.survey.recipe import Question, data_sets
from fastscan.survey.tables import LEVEL, PUBLISHED_HEADER
from fastscan.typing import Record

TITLE = "Limits on new interactions of neutrinos from today's published data"
LEAD = """\
What the published data of experiments that see coherent scattering of neutrinos off nuclei say about interactions
beyond the Standard Model: limits of each data set, and of all that count different events together, beside what was
expected and beside what others have published."""
ON_EXPECTED = """\
Expected limits are those of data that are the Standard Model's prediction (the median), and of data that lie 1 and 2
standard deviations from it towards and away from the theory (the bands)."""
ON_TOYS = """\
Expected limits are quantiles of the limits of simulated measurements of the Standard Model: {number} toys at each
point, seed {seed}. Where parameters of a model are fitted, as in XENONnT, Dresden-II and the combination, they are
those of data that are the Standard Model's prediction, and that lie 1 and 2 standard deviations from it."""
ON_STATUS = """\
Statuses: no sensitivity, nothing can be excluded; sm disfavoured, the data exclude the Standard Model at this level, so
that there are allowed intervals and no limit; outside axis, the limit lies outside the axis of the store."""
ON_PUBLISHED = """\
No number here was tuned to a published one. Each is computed at the level of the published one where that is stated;
how the published one was read stands beside it, and whoever uses a number that was not read in its paper should check
it there."""
ON_COMBINED = """\
Data sets that count the same events are never combined. Those that are share by name the errors that they have in
common, such as that of the flux of one source."""
ON_SLIDERS = """\
The likelihood of a data set that is compared as Gaussian numbers is a few numbers itself, which are inside this page.
From them it computes limits at other sigma_sys, CL, degrees of freedom and luminosities, as fastscan does, with every
island that is allowed. Each begins at its own sigma_sys."""
WITH_SLIDERS = ("nsi", "nsi-changing", "heavy")  # questions without a mass, of which the page has all numbers
CITE = f"""\
fastscan {version("fastscan")}, and the papers of the data sets, of the models and of the published limits that you use:
they stand in the tables and in the list of references."""
BIBTEX = """\
@software{fastscan,
  title   = {fastscan: limits on new interactions of neutrinos from low-energy experiments},
  version = {VERSION}
}""".replace("VERSION", version("fastscan"))


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture of the survey as SVG, with what it shows."""

    figure: SurveyFigure
    svg: bytes


def page(
    asked: Sequence[Question],
    cubes: Mapping[str, Sequence[Cube]],
    records: Mapping[str, Sequence[Record]],
    figures: Mapping[str, Shown],
    entries: Sequence[Entry],
    *,
    command: str,
    made: datetime,
    toys: tuple[int, int] | None = None,
) -> str:
    """The page as HTML, to be written as UTF-8.

    Parameters
    ----------
    asked : sequence of Question
    cubes : mapping of str to sequence of Cube
        What each question is asked of, by its name.
    records : mapping of str to sequence of Record
        The limits of each question.
    figures : mapping of str to Shown
        The pictures by the same names, and that of the summary.
    entries : sequence of Entry
        The published limits.
    command, made
        See `fastscan.outputs.page.Run`.
    toys : (int, int), optional
        Number and seed of the toys that gave the bands; left out, they are those of Asimov sets.
    """
    how = ON_EXPECTED if toys is None else ON_TOYS.format(number=toys[0], seed=toys[1])
    sections = [
        _summary(records, figures["summary"]),
        *(
            _question(each, records[each.name], tables.rows_for(each.name, records), figures.get(each.name))
            for each in asked
        ),
        *_settings(asked, cubes),
        _published(entries),
        _data(),
    ]
    run = Run(
        command=command,
        made=made,
        text=[f"Limits are at {LEVEL}, by {METHOD} above its infimum over the strength.", how, ON_STATUS],
        configuration={f"{each.title}, grid file {each.grid.name}": each.grid.read_text("utf-8") for each in asked},
        digests={cube.name: cube.hash for own in cubes.values() for cube in own},
    )
    return html(Page(TITLE, [LEAD, how], sections, run, _references(entries), [CITE], BIBTEX))


def _summary(records: Mapping[str, Sequence[Record]], shown: Shown) -> Section:
    limits = sum(len(each) for each in records.values())
    sets = data_sets()
    numbers = [
        (str(limits), "limits, each with what was expected"),
        (str(len(sets)), f"data sets, {sum(each.combined for each in sets)} of which are combined"),
    ]
    return Section("summary", "Summary", text=[ON_COMBINED], numbers=numbers, pictures=[_picture(shown)])


def _picture(shown: Shown) -> Picture:
    figure = shown.figure
    return Picture(
        svg=shown.svg,
        alt=f"{figure.alt}. {figure.caption}",
        caption=[figure.caption],
        downloads=[download(name, text, rows) for name, (text, rows) in figure.csv.items()],
        files=[f"{figure.name}.png", f"{figure.name}.pdf"],
    )


def _question(asked: Question, records: Sequence[Record], rows: Sequence[Record], shown: Shown | None) -> Section:
    """A question with its picture and a table of some rows of all its records."""
    table = Table(_caption(asked.title), _columns(), [_row(each) for each in rows], downloads=_download(asked, records))
    return Section(
        id=asked.name,
        title=asked.title,
        text=[asked.text],
        pictures=[] if shown is None else [_picture(shown)],
        tables=[table] if rows else [],
    )


def _settings(asked: Sequence[Question], cubes: Mapping[str, Sequence[Cube]]) -> list[Section]:
    """A part with sliders for each question and each data set that is a few numbers."""
    parts = []
    for question in (each for each in asked if each.name in WITH_SLIDERS):
        by_experiment: dict[str, list[Cube]] = {}
        for cube in cubes[question.name]:
            if sliders.is_adjustable(cube.likelihood):
                by_experiment.setdefault(cube.experiment, []).append(cube)
        found = (sliders.panel(own, f"sliders-{question.name}-{name}") for name, own in by_experiment.items())
        parts += [replace(each, title=f"{each.title}: {question.title}") for each in found]
    return [Section("sliders", "Limits at other settings", text=[ON_SLIDERS], parts=parts)] if parts else []


def _download(asked: Question, records: Sequence[Record]) -> list[Download]:
    return [
        download(name, csv_files.text(asked.title, keys, rows), len(rows))
        for name, (keys, rows) in tables.by_strength(asked.name, records).items()
    ]


def _caption(title: str) -> str:
    return (
        f"{title}: all that is allowed at {LEVEL}, by {METHOD}, and the ends that were expected, as the median and the "
        "ranges of 1 and 2 standard deviations. Ends on two sides stand one after the other. Each data set has its own "
        "systematic errors, L/L0 = 1."
    )


def _columns() -> list[Column]:
    titles = {
        "model": "model",
        "at": "mass/MeV",
        "data": "data set",
        "allowed": "allowed",
        "expected": "expected, median",
    }
    titles |= {"one": "1 sigma", "two": "2 sigma", "unit": "unit", "status": "status"}
    return [Column(key, title, ".4g", strong=key == "allowed") for key, title in titles.items()]


def _row(record: Record) -> Record:
    """A record as the page's table has it; the mass is a number, so that it sorts."""
    model, place, data, allowed, expected, one, two, unit, status = tables.row_of(record)
    mass = float(place.removesuffix(" MeV")) if place else None
    cells = {"allowed": allowed, "expected": expected, "one": one, "two": two, "unit": unit, "status": status}
    return {"model": model, "at": mass, "data": data, **cells}


def _published(entries: Sequence[Entry]) -> Section:
    keys = [f"c{number}" for number in range(len(PUBLISHED_HEADER))]
    rows = [dict(zip(keys, tables.published_row(each), strict=True)) for each in entries]
    columns = [
        Column(key, title, strong=title == "computed") for key, title in zip(keys, PUBLISHED_HEADER, strict=True)
    ]
    table = Table(
        "Computed limits beside published ones, each with its level and method. Where the data are the same and the "
        "limit has one side, its deviation from the published one stands behind it.",
        columns,
        rows,
        downloads=[download("published", tables.published_csv(entries), len(entries))],
    )
    return Section("published", "Published limits beside these", text=[ON_PUBLISHED], tables=[table])


def _data() -> Section:
    columns = [
        Column("data", "data set"),
        Column("name", "name"),
        Column("combined", "combined"),
        Column("what", "what it is"),
    ]
    rows = [dict(zip(("data", "name", "combined", "what"), row, strict=True)) for row in tables.data_set_rows()]
    assumed = {
        f"{each.label}: what is assumed": "\n".join(load(each.experiment).assumed or ["nothing"])
        for each in data_sets()
    }
    caption = "The data sets. fastscan show NAME has all numbers of each."
    return Section("data-sets", "Data sets", text=[ON_COMBINED], tables=[Table(caption, columns, rows)], more=assumed)


def _references(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """What each reference is cited for: data sets, and published limits."""
    found: dict[str, list[str]] = {}
    for each in data_sets():
        for reference in load(each.experiment).references:
            found.setdefault(reference, []).append(each.label)
    for entry in entries:
        source = entry.source.split(",")[0]
        told = f"{entry.quantity} ({HOW[entry.how]})"
        if told not in found.setdefault(source, []):
            found[source].append(told)
    return found
