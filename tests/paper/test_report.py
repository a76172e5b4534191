"""The report: a page without other files, with all numbers that it was given."""

import base64
import csv
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from pages import Reader

import fastscan
from fastscan.experiments import catalogue as experiments
from fastscan.experiments.catalogue import label_of
from fastscan.outputs import figures, page
from fastscan.outputs.page import Finding
from fastscan.paper import paper, paper_figures, report, table3
from fastscan.paper.figure_parts import PaperFigure
from fastscan.paper.table3 import Entry
from fastscan.physics.constants import PHYSICS_VERSION
from fastscan.stores import store

GRID = """
title = "A part of Table 3"
experiments = ["coherent-csi", "miner", "cr51-lxe-a"]
models = ["chi", "eta", "psi", "lr", "lr-nc"]

[axes]
m_zprime = { start = 20, stop = 2000, num = 11, spacing = "log", unit = "GeV" }
"""
COMMAND = 'fastscan paper -o "results & more"'
MADE = datetime(2026, 1, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))
HOSTILE = Finding("<script>alert('M')</script> & \"all\"", False, "<b>No</b>.", "1 < 2; <img src=x>; Delta chi2 > 2.71")
HEADINGS = [
    (model, what)
    for model in ("chi", "eta", "psi", "lr", "lr-nc")
    for what in ("computed", "published", "deviation")
    if what == "computed" or model != "lr-nc"
]
DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


@dataclass
class Made:
    """The input of a page, and the page."""

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
        figure = paper_figures.figure(4)
        keys, rows = figure.tables[""]
        large = replace(figure, number=1, title="<b>A</b>", findings=(HOSTILE,), tables={"": (keys, rows * 3)})
        svg = figures.as_svg(figure.draw())
        shown = [report.Shown(figure, svg), report.Shown(large, b"<svg/>")]
        cubes = [cube for cube in report.adjustable() if cube.experiment in ("miner", "fig6")]
        html = report.page(entries, shown, cubes, command=COMMAND, made=MADE)
        yield Made(entries, figure, large, html, Reader(html), place)


@pytest.mark.parametrize("title", [r"<script>alert('x')</script> ]]> $\input{x}$ {{ 7 * 7 }}", "<!--", '" onload="x'])
def test_a_hostile_title_of_an_experiment_stays_text(title: str, made: Made, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    lines = (experiments.BUILT_IN / "coherent-csi.toml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("title", "references"))]
    own.write_text("\n".join([f"title = '''{title}'''", f"references = ['''{title}''']", *kept]))
    entries = [replace(each, experiment=str(own)) for each in made.entries if each.experiment == "coherent-csi"]
    read = Reader(report.page(entries, [], [], command=COMMAND, made=MADE))
    assert read.text.count(title) == 2
    assert [element for element, _ in read.elements].count("script") == 2
    assert "onload" not in {name for _, attributes in read.elements for name in attributes}


def plain(text: str) -> str:
    return " ".join(text.split())


def typeset(text: str) -> str:
    return plain(Reader(str(page.typeset(text))).text)


def without_data(html: str) -> str:
    return re.sub(r"data:[^\"]*", "", html)


def content(address: str, kind: str) -> bytes:
    head, _, encoded = address.partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(encoded, validate=True)


def saved(made: Made) -> dict[str, str]:
    return {each["download"]: each["href"] for _, each in made.read.elements if "download" in each}


def test_it_needs_nothing_from_elsewhere(made: Made) -> None:
    assert all(each.startswith("data:") for each in made.read.all("src"))
    allowed = re.compile(r"#[\w-]+|data:.*|figure[14]\.(png|pdf)|https://(arxiv\.org/abs|doi\.org)/[\w./]+")
    assert [each for each in made.read.all("href") if not allowed.fullmatch(each)] == []
    tags = [tag for tag, _ in made.read.elements]
    assert set(tags).isdisjoint({"link", "iframe", "object", "embed", "base"})
    assert tags.count("script") == 2
    assert {name for _, each in made.read.elements for name in each if name.startswith("on")} == set()
    assert not re.search(r"url\(|@import|@font-face|fetch\(|XMLHttp|import\(", without_data(made.html))


def test_only_the_package_s_own_script_may_run(made: Made) -> None:
    """The page's policy forbids every request, and every script but the one with this digest."""
    data, script = re.findall(r"<script[^>]*>(.*?)</script>", made.html, re.DOTALL)
    assert script == page.SCRIPT.read_text()
    (policy,) = (each["content"] for _, each in made.read.elements if each.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'",
    ]
    assert [each["label"] for each in json.loads(data)] == ["MINER", "COHERENT CsI + CONNIE + 51Cr (C)"]


def test_a_section_has_its_sliders_and_its_likelihood_s_numbers(made: Made) -> None:
    assert made.read.all("data-likelihood") == ["0", "1"]
    assert {"sliders-miner", "sliders-fig6"} <= set(made.read.all("id"))
    assert "51Cr (C) keeps its 0.0025." in plain(made.read.text)
    assert "MINER: own sigma_sys 0.2" in made.read.text


def test_digests_are_those_of_the_store(made: Made) -> None:
    for group in store.describe(str(made.place / "out" / "table3.zarr")):
        assert f"<dt>{group['group']}</dt><dd>{group['hash']}</dd>" in made.html


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
    number = {name: at for at, name in enumerate(["experiment", "data", "sigma_sys", "events", *HEADINGS])}
    for entry in made.entries:
        row = rows[label_of(entry.experiment)]
        assert row[1:4] == [
            "measured" if entry.experiment == "coherent-csi" else "SM prediction",
            f"{entry.sigma_sys:g}",
            f"{entry.sm_events:.1f}",
        ]
        deviation = f"{100 * (entry.deviation or 0):+.1f}".replace("-", MINUS)
        shown = {
            "computed": DASH if entry.computed_gev is None else f"{entry.computed_gev:.1f}",
            "published": DASH if entry.published_gev is None else f"{entry.published_gev:g}",
            "deviation": DASH
            if entry.deviation is None
            else f"{deviation[1:] if float(deviation[1:]) == 0 else deviation}\N{NARROW NO-BREAK SPACE}%",
        }
        for what, value in shown.items():
            if (entry.model, what) in number:
                assert row[number[entry.model, what]] == value
    expected = [f"{each.expected_gev:.1f}" for each in made.entries if each.expected_gev]
    assert [cell for cell in rows["COHERENT CsI, expected"][4:] if cell != DASH] == expected


def test_numbers_of_tables_are_there_to_sort_by(made: Made) -> None:
    values = {float(each) for each in made.read.all("data-value")}
    assert {entry.computed_gev for entry in made.entries if entry.computed_gev} <= values
    assert {entry.deviation for entry in made.entries if entry.deviation} <= values


def test_the_remarks_are_below_it(made: Made) -> None:
    text = plain(made.read.text)
    for about, note in table3.notes_on(made.entries).items():
        assert f"{typeset(label_of(about))}: {typeset(note)}." in text


def test_the_summary_counts(made: Made) -> None:
    text = plain(made.read.text)
    limits = sum(entry.computed_gev is not None for entry in made.entries)
    deviations = [entry.deviation for entry in made.entries if entry.deviation is not None]
    assert (limits, len(deviations)) == (13, 10)
    assert f"have none{limits} of 15" in text
    assert f"{sum(abs(each) < 0.01 for each in deviations)} of 10 is the range" in text
    assert "and what must hold1 of 2" in text


def test_findings_are_there_and_escaped(made: Made) -> None:
    text = plain(made.read.text)
    for finding in (*made.figure.findings, HOSTILE):
        verdict = "agrees" if finding.holds else "differs"
        told = (finding.statement, finding.conclusion, finding.numbers)
        assert " ".join([verdict, *map(typeset, filter(None, told))]) in text
    assert "Where Δχ² crosses 2.71 is the limit of Table 3 All 15 curves do" in text
    assert "<script>alert('M')</script> & \"all\" <b>No</b>. 1 < 2; <img src=x>; Δχ² > 2.71" in text
    assert "<script>alert" not in made.html


def test_the_figure_has_picture_caption_and_files(made: Made) -> None:
    first, second, _ = (each for tag, each in made.read.elements if tag == "img")  # and the enlarged one
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
    for name in ("figure4.csv", "figure4-limits.csv"):
        assert content(files[name], "text/csv").decode() == made.figure.csv[name.removesuffix(".csv")][0]
    lines = content(files["figure4.csv"], "text/csv").decode().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    kept = made.figure.tables[""][1]
    assert [
        (row["experiment"], row["model"], float(row["m_zprime_gev"]), float(row["delta_chi2"])) for row in rows
    ] == [(row["experiment"], row["model"], row["m_zprime_gev"], row["delta_chi2"]) for row in kept]


def test_a_large_table_is_compressed(made: Made) -> None:
    plain_text, _ = made.large.csv["figure1"]
    assert len(plain_text) > page.LARGEST_PLAIN
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


def test_experiments_have_their_labels_and_names_where_they_are_typed(made: Made) -> None:
    text = plain(made.read.text)
    for name, label in (("coherent-csi", "COHERENT CsI"), ("miner", "MINER"), ("cr51-lxe-a", "51Cr (A)")):
        assert label in {row[0] for row in made.read.rows}
        assert f"{label} ({name}): " in text
    assert [row[0] for row in made.read.rows if row[0] in ("coherent-csi", "miner", "cr51-lxe-a")] == []
    assert "between MINER, \u03b7 and COHERENT CsI, \u03c7" in text
    assert "arXiv:1903.0989151Cr (A)" in text  # the reader leaves no gap between lines of a reference
    assert "<sup>51</sup>Cr (A)" in made.html
