"""The report: a page that stands alone, with every number that it was given."""

import base64
import csv
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest

import fastscan
from fastscan.answers import records
from fastscan.experiments import catalogue as experiments
from fastscan.outputs import figures
from fastscan.paper import paper, paper_figures, report, table3
from fastscan.paper.paper_figures import Finding, PaperFigure
from fastscan.paper.table3 import Entry
from fastscan.physics.constants import PHYSICS_VERSION
from fastscan.scans.plan import plan

GRID = """
title = "A part of Table 3"
experiments = ["coherent-csi", "miner", "cr51-lxe-a"]
models = ["chi", "eta", "psi", "lr", "lr-nc"]

[axes]
m_zprime = { start = 20, stop = 2000, num = 11, spacing = "log", unit = "GeV" }
"""
COMMAND = 'fastscan paper -o "results & more"'
MADE = datetime(2026, 1, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))
HOSTILE = Finding("<script>alert('M')</script> & \"all\"", False, "1 < 2; <img src=x>; Delta chi2 > 2.71")
VOID = {"br", "img", "meta"}
DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


class Reader(HTMLParser):
    """Elements with their attributes, cells of tables without their marks, other text; tags must be balanced."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += "" if "sup" in self.open else data
        elif "style" not in self.open:
            self.text += data

    def all(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@dataclass
class Made:
    """What went into a page, and the page."""

    entries: list[Entry]
    figure: PaperFigure
    large: PaperFigure
    html: str
    read: Reader
    place: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    place = tmp_path_factory.mktemp("report")
    grid = place / "part.toml"
    grid.write_text(GRID)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table3, "GRID", grid)
        entries = paper.write_table3(place / "out")
        figure = paper_figures.figure4(plan(paper_figures.grid(4)))
        keys, rows = figure.tables[""]
        large = replace(figure, number=1, title="<b>A</b>", findings=(HOSTILE,), tables={"": (keys, rows * 3)})
        svg = figures.as_svg(figure.draw())
        shown = [report.Shown(figure, svg), report.Shown(large, b"<svg/>")]
        html = report.page(entries, shown, command=COMMAND, made=MADE)
        yield Made(entries, figure, large, html, Reader(html), place)


@pytest.mark.parametrize("title", [r"<script>alert('x')</script> ]]> $\input{x}$ {{ 7 * 7 }}", "<!--", '" onload="x'])
def test_a_hostile_title_of_an_experiment_stays_text(title: str, made: Made, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    lines = (experiments.BUILT_IN / "coherent-csi.toml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("title", "references"))]
    own.write_text("\n".join([f"title = '''{title}'''", f"references = ['''{title}''']", *kept]))
    entries = [replace(each, experiment=str(own)) for each in made.entries if each.experiment == "coherent-csi"]
    read = Reader(report.page(entries, [], command=COMMAND, made=MADE))
    assert read.text.count(title) == 2
    assert "script" not in {element for element, _ in read.elements}
    assert "onload" not in {name for _, attributes in read.elements for name in attributes}


def plain(text: str) -> str:
    return " ".join(text.split())


def typeset(text: str) -> str:
    return plain(Reader(str(report.typeset(text))).text)


def without_data(html: str) -> str:
    return re.sub(r"data:[^\"]*", "", html)


def content(address: str, kind: str) -> bytes:
    head, _, encoded = address.partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(encoded, validate=True)


def saved(made: Made) -> dict[str, str]:
    return {each["download"]: each["href"] for _, each in made.read.elements if "download" in each}


def as_csv(figure: PaperFigure, table: str) -> str:
    file = io.StringIO()
    records.write_csv(file, *figure.tables[table])
    return file.getvalue()


def test_it_needs_nothing_from_elsewhere(made: Made) -> None:
    assert all(each.startswith("data:") for each in made.read.all("src"))
    allowed = re.compile(r"#[\w-]+|data:.*|figure[14]\.(png|pdf)|https://(arxiv\.org/abs|doi\.org)/[\w./]+")
    assert [each for each in made.read.all("href") if not allowed.fullmatch(each)] == []
    tags = {tag for tag, _ in made.read.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "form"})
    assert {name for _, each in made.read.elements for name in each if name.startswith("on")} == set()
    assert not re.search(r"url\(|@import|@font-face", without_data(made.html))


def test_links_inside_the_page_have_an_end(made: Made) -> None:
    ids = made.read.all("id")
    assert len(ids) == len(set(ids))
    assert {each[1:] for each in made.read.all("href") if each.startswith("#")} <= set(ids)
    assert set(made.read.all("aria-labelledby")) <= set(ids)


def test_nothing_of_this_machine_is_in_it(made: Made) -> None:
    for place in (made.place, Path(fastscan.__file__).parent):
        assert str(place) not in made.html
    assert not re.search(r"(?<![\w.<])/(home|root|tmp|usr|var|Users)\b", without_data(made.html))


def test_the_table_has_every_number(made: Made) -> None:
    rows = {row[0]: row for row in made.read.rows}
    assert len(made.entries) == 15
    for entry in made.entries:
        row = rows[entry.experiment]
        assert row[1:3] == [f"{entry.sigma_sys:g}", f"{entry.sm_events:.1f}"]
        if entry.published_gev is not None:
            deviation = f"{100 * (entry.deviation or 0):+.1f}".replace("-", MINUS)
            at = row.index(f"{entry.published_gev:g}")
            shown = deviation[1:] if float(deviation[1:]) == 0 else deviation
            assert row[at - 1 : at + 2] == [f"{entry.computed_gev:.1f}", row[at], f"{shown}\N{NO-BREAK SPACE}%"]
        elif entry.computed_gev is None:
            assert DASH in row
        else:
            assert row[-1] == f"{entry.computed_gev:.1f}"
    expected = [f"{each.expected_gev:.1f}" for each in made.entries if each.expected_gev]
    assert [cell for cell in rows["expected"][1:] if cell not in ("", DASH)] == expected


def test_the_remarks_are_below_it(made: Made) -> None:
    text = plain(made.read.text)
    for about, note in table3.notes_on(made.entries).items():
        assert f"{typeset(about)}: {typeset(note)}." in text


def test_the_summary_counts(made: Made) -> None:
    text = plain(made.read.text)
    limits = sum(entry.computed_gev is not None for entry in made.entries)
    deviations = [entry.deviation for entry in made.entries if entry.deviation is not None]
    assert (limits, len(deviations)) == (13, 10)
    assert f"have none {limits} of 15" in text
    assert f"{sum(abs(each) < 0.01 for each in deviations)} of 10 is the range" in text
    assert "and what must hold 1 of 2" in text


def test_findings_are_there_and_escaped(made: Made) -> None:
    text = plain(made.read.text)
    for finding in (*made.figure.findings, HOSTILE):
        verdict = "agrees" if finding.holds else "differs"
        statement, numbers = (typeset(each) for each in (finding.statement, finding.numbers))
        assert f"{verdict} {statement} {numbers}" in text
    assert "Where Δχ² crosses 2.71 is the limit of Table 3 15 curves" in text
    assert "<script>alert('M')</script> & \"all\" 1 < 2; <img src=x>; Δχ² > 2.71" in text
    assert "<script" not in made.html


def test_the_figure_has_picture_caption_and_files(made: Made) -> None:
    first, second = (each for tag, each in made.read.elements if tag == "img")
    assert b"<svg" in content(first["src"], "image/svg+xml")
    assert content(second["src"], "image/svg+xml") == b"<svg/>"
    assert first["alt"] == f"Figure 4. {made.figure.title}. {made.figure.caption}"
    assert typeset(made.figure.caption) in plain(made.read.text)
    assert {"figure4.png", "figure4.pdf", "figure1.png", "figure1.pdf"} <= set(made.read.all("href"))
    assert "<b>A</b>" in made.read.text


def test_the_tables_are_inside(made: Made) -> None:
    files = saved(made)
    assert list(files) == ["table3.csv", "figure4.csv", "figure4-limits.csv", "figure1.csv.gz"]
    assert content(files["table3.csv"], "text/csv").decode() == table3.as_csv(made.entries)
    for name, table in (("figure4.csv", ""), ("figure4-limits.csv", "limits")):
        assert content(files[name], "text/csv").decode() == as_csv(made.figure, table)
    rows = list(csv.DictReader(io.StringIO(content(files["figure4.csv"], "text/csv").decode())))
    kept = made.figure.tables[""][1]
    assert [
        (row["experiment"], row["model"], float(row["m_zprime_gev"]), float(row["delta_chi2"])) for row in rows
    ] == [(row["experiment"], row["model"], row["m_zprime_gev"], row["delta_chi2"]) for row in kept]


def test_a_large_table_is_compressed(made: Made) -> None:
    plain_text = as_csv(made.large, "")
    assert len(plain_text) > report.LARGEST_PLAIN
    assert gzip.decompress(content(saved(made)["figure1.csv.gz"], "application/gzip")).decode() == plain_text
    assert f"{len(plain_text) / 1000:.0f}\N{NO-BREAK SPACE}kB unpacked" in made.read.text


def test_it_says_what_was_run(made: Made) -> None:
    assert COMMAND in made.read.text
    cells = dict(row for row in made.read.rows if len(row) == 2)
    assert cells["made"] == "2026-01-01 23:30 UTC"
    assert cells["its physics"] == f"version {PHYSICS_VERSION}"
    assert {"fastscan", "python", "numpy", "numba", "scipy", "zarr", "dask", "matplotlib"} <= set(cells)
    assert GRID.strip() in made.read.text
    assert paper_figures.grid(4).read_text() in made.read.text


def test_references_are_linked_once(made: Made) -> None:
    links = [each for each in made.read.all("href") if each.startswith("https://")]
    for reference in ("arxiv.org/abs/1708.01294", "arxiv.org/abs/1903.09891", "doi.org/10.1103/PhysRevD.39.3378"):
        assert links.count(f"https://{reference}") == 1
