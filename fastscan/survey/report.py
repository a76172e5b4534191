"""The survey's page: every question with its picture and its limits, published limits, and data sets.

This room fills a `fastscan.outputs.page.Page`, which that room writes as HTML.
"""

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
Limits on interactions beyond the Standard Model, from the published data of experiments that observe coherent
scattering of neutrinos off nuclei. There are limits of each data set, and of all data sets together that count
different events. Expected limits and limits that others have published stand beside them."""
ON_LIMITS = f"""\
Limits are at {LEVEL}. A strength is allowed where {METHOD}, chi2 minus its infimum over all strengths, is at most the
quantile of the chi2 distribution."""
ON_EXPECTED = """\
The expected limit is the limit of data that equal the Standard Model's prediction (the median). The edges of its bands
are the limits of data that lie 1 and 2 standard deviations from that prediction, towards and away from the theory."""
ON_TOYS = """\
Expected limits are quantiles of the limits of simulated measurements of the Standard Model: {number} toys at each
point, seed {seed}. Where parameters of a model are fitted, as in XENONnT, Dresden-II and the combination, there are no
toys; the median is the limit of data that equal the Standard Model's prediction, and the edges of the bands are the
limits of data that lie 1 and 2 standard deviations from it."""
ON_STATUS = """\
The status of a limit is empty, or "no sensitivity", where nothing can be excluded; "sm disfavoured", where the data
exclude the Standard Model at this level, so that there are allowed intervals but no limit; or "outside axis", where the
limit lies outside the axis of the store."""
ON_PUBLISHED = """\
No number here was tuned to a published one. Each computed limit is at the level of the published one where that level
is stated. The source of each published limit says how the number was read; please check a number that was not read in
its paper before you use it."""
ON_COMBINED = """\
Data sets that count the same events are never combined. Combined data sets share the errors that they have in common,
such as the error of the flux of one source."""
ON_SLIDERS = """\
A few numbers describe the whole likelihood of a data set with Gaussian errors, and they are inside this page. From them
the page computes limits at other sigma_sys, CL, degrees of freedom and luminosities, as fastscan does, with every
allowed island. Each slider begins at the data set's own sigma_sys."""
WITH_SLIDERS = ("nsi", "nsi-changing", "heavy")  # questions without a mediator's mass, which have few rows
CITE = f"""\
Please cite fastscan {version("fastscan")}, and the papers of the data sets, models and published limits that you use.
The tables and the list of references name them."""
BIBTEX = """\
@software{fastscan,
  title   = {fastscan: limits on new interactions of neutrinos from low-energy experiments},
  version = {VERSION}
}""".replace("VERSION", version("fastscan"))


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture of the survey, and its SVG."""

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
    """The page as HTML text, for a file in UTF-8.

    Parameters
    ----------
    asked : sequence of Question
    cubes : mapping of str to sequence of Cube
        The cubes of each question, by the question's name.
    records : mapping of str to sequence of Record
        The limits of each question, by the question's name.
    figures : mapping of str to Shown
        The picture of each question, by the question's name, and the summary.
    entries : sequence of Entry
        The published limits.
    command, made
        See `fastscan.outputs.page.Run`.
    toys : (int, int), optional
        Number and seed of the toys behind the expected bands; left out, the bands come from Asimov sets.
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
        text=[ON_LIMITS, how, ON_STATUS],
        configuration={f"{each.title}, grid file {each.grid.name}": each.grid.read_text("utf-8") for each in asked},
        digests={cube.name: cube.hash for own in cubes.values() for cube in own},
    )
    return html(Page(TITLE, [LEAD, how], sections, run, _references(entries), [CITE], BIBTEX))


def _summary(records: Mapping[str, Sequence[Record]], shown: Shown) -> Section:
    limits = sum(len(each) for each in records.values())
    sets = data_sets()
    numbers = [
        (str(limits), "limits, each with its expected limit"),
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
    """The section of a question: its picture, and a table of some of its records, with all of them as a download."""
    table = Table(_caption(asked.title), _columns(), [_row(each) for each in rows], downloads=_download(asked, records))
    return Section(
        id=asked.name,
        title=asked.title,
        text=[asked.text],
        pictures=[] if shown is None else [_picture(shown)],
        tables=[table] if rows else [],
    )


def _settings(asked: Sequence[Question], cubes: Mapping[str, Sequence[Cube]]) -> list[Section]:
    """The section with sliders, for each question without a mass and each data set with a Gaussian likelihood."""
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
        f"{title}: allowed intervals at {LEVEL}, by {METHOD}, and their expected ends, as the median and the ranges of "
        "1 and 2 standard deviations. A semicolon separates the lower from the upper end. Each data set has its own "
        "systematic errors; L/L0 = 1."
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
    """A record as a row of the page's table; the mass is a number, so that the table can be sorted by it."""
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
        "Computed limits beside published ones, each with its level and method. Where both use the same data and the "
        "limit has one side, the relative deviation from the published limit follows the computed one in brackets.",
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
        Column("what", "description"),
    ]
    rows = [dict(zip(("data", "name", "combined", "what"), row, strict=True)) for row in tables.data_set_rows()]
    assumed = {
        f"{each.label}: assumptions": "\n".join(load(each.experiment).assumed or ["none"]) for each in data_sets()
    }
    caption = "The data sets. The command fastscan show NAME prints all numbers of a data set."
    return Section("data-sets", "Data sets", text=[ON_COMBINED], tables=[Table(caption, columns, rows)], more=assumed)


def _references(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """For each reference, what it is cited for: data sets and published limits."""
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
