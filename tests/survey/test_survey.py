"""`fastscan survey`: its data sets, grids and published limits, and its files from a few small grids."""

import csv
import io
import json
import re
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import REPOSITORY, line_of, run
from readmes import examples

import fastscan
from fastscan.commands.cli import cli
from fastscan.errors import FastscanError
from fastscan.experiments.catalogue import load
from fastscan.interactions import catalogue as models
from fastscan.limits.confidence import Toys
from fastscan.outputs import terminal
from fastscan.scans import grid as grids
from fastscan.stores.location import read_root
from fastscan.survey import published, recipe, survey, survey_figures, tables
from fastscan.survey.published import Entry
from fastscan.survey.survey_figures import islands
from fastscan.typing import Record

SETS = ["coherent-ge-mini", "conus-plus-2025-total", "coherent-csi"]
COMMON = f"""
title = "A part of the survey"
experiments = {json.dumps(SETS)}

[combine.combined]
experiments = ["coherent-ge-mini", "conus-plus-2025-total"]
"""
GRIDS = {  # Gaussian data sets, which need no kernel
    "vectors": """
models = ["universal"]
axes.m_zprime = { start = 1, stop = 1000, num = 6, spacing = "log", unit = "MeV" }
axes.g = { start = 1e-6, stop = 1, num = 11, spacing = "log" }
""",
    "nsi": """
models = ["nsi-ee-u", "nsi-ee-d"]
axes.eps = { start = -1, stop = 1, num = 11 }
""",
    "planes": """
models = ["nsi-ee"]
axes.eps_d = { start = -1, stop = 1, num = 11 }
axes.eps_u = { start = -1, stop = 1, num = 11 }
""",
    "properties": """
models = ["magnetic-e", "millicharge-e", "radius-e", "s2w"]
axes.mu = { start = 1, stop = 1e4, num = 11, spacing = "log" }
axes.q = { start = -1e6, stop = 1e6, num = 11 }
axes.r2 = { start = -100, stop = 100, num = 11 }
axes.shift = { start = -0.8, stop = 0.3, num = 11 }
""",
    "heavy": """
models = ["chi"]
axes.m_zprime = { start = 20, stop = 2000, num = 11, spacing = "log", unit = "GeV" }
""",
}
SUN = "xenonnt-b8"  # its neutrinos are mixtures, for which changes of the flavour are refused
GROUPS = 4 * (1 + 2 + 1 + 4 + 1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with small grids of the survey's names."""
    place = tmp_path_factory.mktemp("grids")
    head, _, combination = COMMON.partition("\n[")
    for name, own in GRIDS.items():
        (place / f"{name}.toml").write_text(f"{head}{own}\n[{combination}")
    return place


@pytest.fixture(scope="module")
def written(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Entry], list[str], list[str]]:
    """The directory, the published limits, the names of the files, and the reported steps."""
    out, steps = tmp_path_factory.mktemp("survey") / "out", []
    entries, names = survey.run(out, tell=steps.append, with_hepdata=True, grids=place)
    return out, entries, names, steps


def rows_of(path: Path) -> list[dict[str, str]]:
    lines = path.read_text().splitlines(keepends=True)
    return list(csv.DictReader(io.StringIO("".join(line for line in lines if line[0] != "#"))))


def number(text: str) -> float | None:
    return float(text) if text else None


def test_the_grids_have_the_data_sets_of_the_table() -> None:
    sets = recipe.data_sets()
    combined = [each.experiment for each in sets if each.combined]
    for question in recipe.questions():
        found = grids.load(question.grid)
        names = [each.name for each in found.experiments]
        if question.name == "variants":
            stems = tuple(each.experiment.removesuffix("-fef") for each in sets)
            assert all(name.startswith(stems) for name in names)
            assert found.combinations == ()
        else:
            left_out = [SUN] if question.name.endswith("-changing") else []
            assert names == [each.experiment for each in sets if each.experiment not in left_out]
            (combination,) = found.combinations
            assert combination.name == recipe.COMBINED
            assert [each.name for each in combination.experiments] == [
                each for each in combined if each not in left_out
            ]
            assert not combination.independent


def test_what_is_combined_counts_different_events() -> None:
    sets = recipe.data_sets()
    events = [each.events for each in sets if each.combined]
    assert len(set(events)) == len(events)
    for each in sets:
        assert load(each.experiment).is_measured
        # left out, because another data set has its events, or to choose one quenching
        assert each.combined or each.events in events or each.experiment == "dresden-ii-fef"
    fastscan.limit([each.experiment for each in sets if each.combined], "chi")  # which refuses one data set twice


def test_every_model_of_nuclei_is_asked() -> None:
    """All but the mixing angle, models of electrons, and models of nu_tau, which only the sun has."""
    asked = {model.name for each in recipe.questions() for model in grids.load(each.grid).models}
    left_out = set(models.MODELS) - asked
    assert all(name in ("psi", "lr-nc") or re.search("tautau|-e[LR]$|-tau$", name) for name in left_out), left_out


def test_published_limits_say_where_they_are_from_and_how_they_were_read() -> None:
    found = published.entries()
    assert len(found) > 30
    known = {each.experiment for each in recipe.data_sets()}
    for entry in found:
        assert entry.how in published.HOW
        assert entry.source
        assert entry.data
        assert entry.why
        assert "as above" not in entry.why
        assert entry.experiment == recipe.COMBINED or any(entry.experiment.startswith(name) for name in known)
        if entry.same_data and entry.status == "ok":
            assert entry.computed


def test_limits_of_the_same_count_agree_with_those_of_another_program() -> None:
    """COHERENT's count of 2017 in one bin: within 5 % for a coupling or a moment; the table comments on epsilons."""
    own = {entry.quantity: entry for entry in published.entries() if "bradkav" in entry.source}
    one_sided = [entry.deviation for entry in own.values() if entry.deviation is not None]
    assert len(one_sided) == 4
    assert max(map(abs, one_sided)) < 0.05
    for coupling in ("u", "d"):
        entry = own[f"eps_emu^{coupling}"]
        ((low, high),) = entry.computed
        assert (low, high) == pytest.approx((entry.published_low, entry.published_high), rel=0.05)


def test_the_weak_mixing_angle_holds_the_published_one() -> None:
    """From the same data, both ranges of one standard deviation overlap by half of either."""
    for entry in published.entries():
        if entry.quantity == "sin2 theta_W" and entry.same_data:
            low, high = (end or 0.0 for end in entry.computed[-1])
            assert entry.published_low is not None
            assert entry.published_high is not None
            shared = min(high, entry.published_high) - max(low, entry.published_low)
            assert shared > 0.4 * min(high - low, entry.published_high - entry.published_low), entry


def test_the_readme_shows_published_limits_as_the_command_does(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(
        list(tables.PUBLISHED_HEADER[: tables.SHORT]), [tables.short_row(each) for each in published.entries()]
    )
    printed = capsys.readouterr().out.splitlines()
    ((_, shown),) = (each for each in examples("README.md") if each[0].startswith("fastscan survey"))
    rows = [
        line for line in shown if line.startswith(("g of", "eps", "M_Z'", "sin2", "magnetic", "electric", "charge"))
    ]
    assert len(rows) > 5
    assert set(rows) <= set(printed)


def test_the_readmes_table_repeats_numbers_of_the_survey_and_of_the_pages() -> None:
    """The numbers of "Beside published work" are tested there; differences follow from its rows."""
    printed = [" ".join(map(str, tables.short_row(each))) for each in published.entries()]
    pages = [(REPOSITORY / "grids" / name).read_text("utf-8") for name in ("published.md", "README.md")]
    known = {word.strip("():;,|") for word in " ".join([*printed, *pages]).split()}
    section = (REPOSITORY / "README.md").read_text("utf-8").split("## Beside published work")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \| (\S+) % \|$", section, re.MULTILINE)
    assert len(rows) > 10
    for what, theirs, ours, difference in rows:
        assert {word.strip("()") for word in ours.split()} <= known, what
        first = [float(re.search(r"\d[\d.e-]*", words)[0]) for words in (ours, theirs)]
        assert float(difference) == pytest.approx(100 * (first[0] / first[1] - 1), abs=0.5), what


def test_what_is_written(written: tuple[Path, list[Entry], list[str], list[str]]) -> None:
    out, _, names, steps = written
    assert steps[0] == f"scanning {GROUPS} pairs of data set and model -> {out}/survey.zarr"
    pictures = {"summary", *GRIDS}
    expected = {f"{name}.{end}" for name in pictures for end in ("png", "pdf")}
    expected |= {"vectors.csv", "nsi.csv", "heavy.csv", "summary.csv", "planes-contours.csv", *survey.TEXTS}
    expected |= {f"properties-{axis}.csv" for axis in ("mu", "q", "r2", "shift")}
    expected |= {"survey.zarr", "report.html", "hepdata"}
    assert {path.name for path in out.iterdir()} == expected
    assert pictures < set(names)
    tables_there = [path.read_text() for path in (out / "hepdata").glob("*.yaml")]
    assert sum("allowed interval" in text and "value: 2" in text for text in tables_there) >= 3  # islands are rows
    assert sum("CONTOUR" in text.upper() for text in tables_there) >= 4


def test_limits_are_those_of_the_library_with_islands_and_bands(
    written: tuple[Path, list[Entry], list[str], list[str]],
) -> None:
    rows = rows_of(written[0] / "vectors.csv")
    combined = ["coherent-ge-mini", "conus-plus-2025-total"]
    islands_there = 0
    for row in rows:
        names = combined if row["experiment"] == "combined" else [row["experiment"]]
        at = {"m_zprime": float(row["m_zprime_gev"])}
        limit, status = fastscan.limit(names, row["model"], **at, with_status=True)
        assert row["status"] in (str(status), "outside_axis")
        assert number(row["limit"]) == (None if np.isnan(limit) else pytest.approx(float(limit), rel=1e-9))
        allowed = [tuple(map(float, each.split(":"))) for each in row["allowed"].split(";")]
        assert allowed == [pytest.approx(each) for each in fastscan.intervals(names, row["model"], **at)]
        islands_there += len(allowed) > 1
        bands = fastscan.expected(names, row["model"], **at)
        keys = ("expected_minus_2", "expected_minus_1", "expected", "expected_plus_1", "expected_plus_2")
        assert [number(row[key]) for key in keys] == [
            pytest.approx(each) if np.isfinite(each) else None for each in bands
        ]
    assert islands_there > 3


def test_the_page_names_level_and_method_and_has_every_picture(
    written: tuple[Path, list[Entry], list[str], list[str]],
) -> None:
    page = (written[0] / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 1 + len(GRIDS)
    for text in ("CL, 1 dof", "CL, 2 dof", "from memory, not checked with the paper", "no sensitivity", "flux of one"):
        assert text in page
    assert str(written[0]) not in page
    for each in recipe.data_sets():
        assert each.label in page


def test_what_is_a_few_numbers_has_sliders(written: tuple[Path, list[Entry], list[str], list[str]]) -> None:
    page = (written[0] / "report.html").read_text()
    found = re.findall(r'<article id="sliders-([^"]+)"', page)
    assert found == [f"{question}-{name}" for question in ("nsi", "heavy") for name in (*SETS, recipe.COMBINED)]
    assert page.count("data-likelihood=") == len(found)


def test_the_texts(written: tuple[Path, list[Entry], list[str], list[str]]) -> None:
    out, entries, *_ = written
    told = json.loads((out / "survey.json").read_text())
    assert set(told["limits"]) == set(GRIDS)
    assert len(told["published"]) == len(entries) == len(rows_of(out / "published.csv"))
    assert told["limits"]["planes"] == []
    text = (out / "survey.md").read_text()
    assert text.count("| combined |") > 5
    latex = (out / "survey.tex").read_text()
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    for line in latex.splitlines():
        if line.endswith(r"\\"):
            assert len(re.findall(r"(?<!\\)&", line)) in (len(tables.HEADER) - 1, tables.SHORT - 1)
        assert not re.search(r"(?<!\\)[%#_^]", line.replace("begin{table}", "")), line


def test_a_second_run_continues_and_changes_nothing(
    written: tuple[Path, list[Entry], list[str], list[str]], place: Path
) -> None:
    out, entries, *_ = written
    before = {path.name: path.read_bytes() for path in out.glob("*.csv")}
    times = {path: path.stat().st_mtime_ns for path in (out / "survey.zarr").rglob("c*") if path.is_file()}
    again, names = survey.run(out, with_figures=False, grids=place)
    assert again == entries
    assert "report.html" not in names
    assert {path.name: path.read_bytes() for path in out.glob("*.csv")} == before
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert len(list(read_root(str(out / "survey.zarr")).groups())) == len(SETS) + 1


def test_the_scan_is_told_as_the_directory_is_given_before_anything_is_made(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The groups of the survey take as long to make as a picture does, during which somebody waits."""
    monkeypatch.chdir(tmp_path)
    Path("grids").mkdir()
    Path("grids/heavy.toml").write_text((place / "heavy.toml").read_text())
    steps: list[tuple[str, bool]] = []
    survey.run("out", False, lambda line: steps.append((line, Path("out/survey.zarr").exists())), grids=Path("grids"))
    assert steps[0] == ("scanning 4 pairs of data set and model -> out/survey.zarr", False)


@pytest.mark.slow
def test_toys_give_the_bands_that_are_asked_for(tmp_path: Path, place: Path) -> None:
    few = tmp_path / "grids"
    few.mkdir()
    (few / "heavy.toml").write_text((place / "heavy.toml").read_text())
    limits = {}
    for seed in (1, 1, 2):
        survey.run(tmp_path / "out", with_figures=seed == 2, toys=Toys(200, seed), grids=few)
        found = json.loads((tmp_path / "out" / "survey.json").read_text())["limits"]["heavy"]
        limits.setdefault(seed, []).append(found)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "fastscan survey -o out --method toys --toys 200 --seed 2" in page
    assert "200 toys at each" in page
    one, again = limits[1]
    assert one == again != limits[2][0]
    for row in one:
        bands = fastscan.expected(
            ["coherent-ge-mini", "conus-plus-2025-total"] if row["experiment"] == "combined" else row["experiment"],
            row["model"],
        )
        assert row["expected_gev"] == pytest.approx(bands[2], rel=0.1)
        assert row["expected_gev_minus_1"] == pytest.approx(bands[1], rel=0.2)


@pytest.mark.parametrize("name", ["survey.md", "nsi.csv", "properties-q.csv", "report.html", "vectors.png"])
def test_files_of_the_user_are_not_overwritten(tmp_path: Path, place: Path, name: str) -> None:
    (tmp_path / name).write_text("my notes")
    with pytest.raises(FastscanError, match=f"{name} is there without survey.zarr; it is left as it is"):
        survey.run(tmp_path, with_figures=False, grids=place)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.slow
def test_the_command(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "GRIDS", place)
    done = CliRunner().invoke(cli, ["survey", "-o", str(tmp_path / "out"), "--no-figures"])
    assert done.exit_code == 0, done.output
    assert "g of a universal vector, 1 GeV" in done.output
    assert done.output.splitlines()[-1].startswith(f"written to {tmp_path / 'out'}: survey.md, survey.tex")
    refused = CliRunner().invoke(cli, ["survey", "-o", str(tmp_path / "out"), "--toys", "3"], standalone_mode=False)
    assert isinstance(refused.exception, click.ClickException | FastscanError)


def test_toys_without_their_method_are_refused_in_one_line(tmp_path: Path) -> None:
    problem = line_of(run("survey", "-o", tmp_path / "out", "--toys", "3"))
    assert "toys" in problem
    assert not (tmp_path / "out").exists()


def test_islands_are_pieces_along_neighbouring_masses() -> None:
    def row(mass: float, *allowed: tuple[float, float | None]) -> Record:
        return {"mass_mev": mass, "allowed": list(allowed)}

    rows = [
        row(1, (0.0, 1.0), (3.0, 4.0)),
        row(2, (0.0, 1.1), (3.1, 4.1)),
        row(3, (0.0, 4.2)),
        row(4, (0.5, 1.2), (3.0, None)),
    ]
    found = list(islands(rows))
    assert found[0] == ([1, 2], [3.0, 3.1], [4.0, 4.1])
    assert found[1:] == [([4], [3.0], [3.0 * survey_figures.BEYOND]), ([4], [0.5], [1.2])]


def test_text_for_latex() -> None:
    assert tables.escaped("a_b & 50 % < x^2 {y} 3 +- 1") == (r"a\_b \& 50 \% $<$ x\textasciicircum{}2 \{y\} 3 $\pm$ 1")
