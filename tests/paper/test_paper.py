"""Table 3 of arXiv:2002.01482: its agreement with the published table, and its files."""

import csv
import json
import math
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import FASTSCAN, ok
from readmes import examples, require_same

import fastscan
from fastscan.errors import FastscanError
from fastscan.experiments import catalogue as experiments
from fastscan.limits.points import prepare
from fastscan.paper import paper, table3
from fastscan.paper.table3 import Entry


def below_the_comments(lines: Iterable[str]) -> Iterator[str]:
    """The table of a CSV file."""
    return (line for line in lines if not line.startswith("#"))


OWN_INPUTS_MISSING = {"coherent-csi", "miner", "texono", "nucleus"}  # not in the paper, or measured data


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The directory of the command's files, its output, and the steps that it reported."""
    place = tmp_path_factory.mktemp("paper") / "out"
    done = subprocess.run([FASTSCAN, "paper", "-o", place], check=True, capture_output=True, text=True)
    return place, done.stdout, done.stderr


@pytest.fixture(scope="module")
def written(told: tuple[Path, str, str]) -> tuple[Path, list[Entry]]:
    return told[0], paper.write_table3(told[0])


def test_what_the_command_says(told: tuple[Path, str, str]) -> None:
    place, text, _ = told
    assert "195.3 / 183 +6.7 %" in text
    assert "534.2 / 534 +0.0 %" in text
    assert "Fig. 1: Where Delta chi2 crosses 2.71 is the limit of Table 3: agrees" in text
    assert text.splitlines()[-1].startswith(f"written to {place}: report.html, table3.md")


def test_the_command_says_what_it_is_doing_before_it_does_it(told: tuple[Path, str, str]) -> None:
    place, _, steps = told
    assert "\r" not in steps
    scanning, limits, *figures, page = steps.splitlines()
    assert scanning.endswith(f": scanning 70 pairs of experiment and model -> {place}/table3.zarr")
    assert limits.endswith(": limits beside the published ones")
    assert [line.partition(" of ")[0] for line in figures] == [f"Fig. {number}" for number in range(1, 7)]
    assert page == "report.html: all of it on one page"


@pytest.mark.slow
def test_a_step_is_told_before_it_begins(tmp_path: Path) -> None:
    """So that somebody who waits knows for what: at the first line there is nothing, at the second all is scanned."""
    done: list[tuple[bool, int]] = []
    out = tmp_path / "out"
    paper.write_table3(out, lambda _: done.append(((out / "table3.zarr").exists(), len([*out.rglob("done.*.json")]))))
    assert done == [(False, 0), (True, 70)]


def test_the_command_concludes_in_a_sentence_before_it_lists_numbers(told: tuple[Path, str, str]) -> None:
    lines = told[1].splitlines()
    for at in (number for number, line in enumerate(lines) if line.endswith("DIFFERS")):
        assert lines[at + 1].startswith("        ")
        assert lines[at + 1].endswith(".")
    (numbers,) = (number for number, line in enumerate(lines) if "MINER 294.2 GeV; chi: CONUS" in line)
    assert lines[numbers - 1].strip().startswith("At sigma_sys = 0 the strongest limit is that of CONUS, the weakest ")


def test_the_manual_shows_what_the_command_says(told: tuple[Path, str, str]) -> None:
    place, text, steps = told
    ((command, shown),) = (each for each in examples("grids/manual.md") if each[0].startswith("fastscan paper"))
    directory = command.split()[-1]
    require_same(shown, (steps + text).replace(str(place), directory).splitlines())


def test_chi_and_lr_are_within_0_6_percent(written: tuple[Path, list[Entry]]) -> None:
    for entry in written[1]:
        known = entry.experiment not in OWN_INPUTS_MISSING
        if entry.deviation is not None and known and entry.model in ("chi", "lr"):
            assert abs(entry.deviation) < 0.006, entry


def test_51cr_is_within_0_6_percent_for_chi_eta_and_lr(written: tuple[Path, list[Entry]]) -> None:
    for entry in written[1]:
        if entry.experiment.startswith("cr51") and entry.model in ("chi", "eta", "lr"):
            assert entry.deviation is not None
            assert abs(entry.deviation) < 0.006, entry


@pytest.mark.parametrize("expected", [False, True])
@pytest.mark.parametrize("luminosity", [1.0, 1000.0])
def test_in_one_bin_the_ratio_of_two_limits_does_not_depend_on_the_statistics(
    expected: bool, luminosity: float
) -> None:
    """As in the note on coherent-csi, chi2 depends only on the number of events, and each model only adds events."""
    measured = experiments.load("coherent-csi")
    csi = measured.expected() if expected else measured
    for cl in (0.68, 0.9, 0.99):
        at = {"sigma_sys": [0.0, 0.01, 0.1, 0.2, 0.28], "luminosity": luminosity, "cl": cl}
        chi, lr, eta = (fastscan.limit(csi, model, **at) for model in ("chi", "lr", "eta"))
        assert chi / lr == pytest.approx(np.full(5, 1.73105), abs=1e-5)
        assert eta / chi == pytest.approx(np.full(5, 0.76376), abs=1e-5)


def test_the_ratios_follow_from_the_couplings_alone(written: tuple[Path, list[Entry]]) -> None:
    """With S = A + B x + C x^2 events, x is solved for the same S; the published ratios are others."""
    note = table3.notes_by_subject()["coherent-csi"]
    ratios = {}
    for one, other in (("chi", "lr"), ("eta", "chi")):
        counts = [prepare("coherent-csi", model, {}).likelihood.counts[0, 0] for model in (one, other)]
        for total in (200.0, 250.0, 400.0):
            x = [np.roots([c, b, a - total]).max() for a, b, c in counts]
            ratios[one, other] = math.sqrt(x[1] / x[0])
            assert f"{one} / {other} = {ratios[one, other]:.3f}" in note
    published = table3.published_limits()
    for (one, other), ratio in ratios.items():
        ours, theirs = (published["coherent-csi", model] for model in (one, other))
        assert f"{ours:g} / {theirs:g} = {ours / theirs:.3f}" in note
        assert not (ours - 0.5) / (theirs + 0.5) <= ratio <= (ours + 0.5) / (theirs - 0.5)
    assert note in next(entry.note for entry in written[1] if entry.experiment == "coherent-csi")


def test_every_difference_has_a_note(written: tuple[Path, list[Entry]]) -> None:
    for entry in written[1]:
        if entry.deviation is not None and abs(entry.deviation) > 0.006:
            assert entry.note, entry


def test_every_published_limit_is_there(written: tuple[Path, list[Entry]]) -> None:
    shown = {(entry.experiment, entry.model): entry.published_gev for entry in written[1] if entry.published_gev}
    assert shown == table3.published_limits()
    none = [entry for entry in written[1] if entry.model == "psi" and not entry.experiment.startswith("cr51")]
    assert {entry.status for entry in none} == {"no_sensitivity"}


def test_the_files(written: tuple[Path, list[Entry]]) -> None:
    place, entries = written
    figures = {f"figure{n}.{suffix}" for n in range(1, 7) for suffix in ("png", "pdf", "csv")}
    limits = {f"figure{n}-limits.csv" for n in (1, 4, 5, 6)}
    assert {path.name for path in place.iterdir()} == {*paper.FILES, *figures, *limits, "report.html"}
    rows = json.loads((place / "table3.json").read_text())
    assert [(row["experiment"], row["model"], row["computed_gev"]) for row in rows] == [
        (entry.experiment, entry.model, entry.computed_gev) for entry in entries
    ]
    with (place / "table3.csv").open() as file:
        assert len(list(csv.DictReader(below_the_comments(file)))) == len(entries) == 14 * 5
    assert "| COHERENT CsI | 180.12 | 195.3 / 183 +6.7 % |" in (place / "table3.md").read_text()


def test_the_data_behind_the_figures(written: tuple[Path, list[Entry]]) -> None:
    """The limits of Figs. 1 and 4 are those of Table 3, row by row."""
    place, entries = written
    table = {(entry.experiment, entry.model): entry.computed_gev for entry in entries}
    for number in (1, 4):
        with (place / f"figure{number}-limits.csv").open() as file:
            for row in csv.DictReader(below_the_comments(file)):
                limit = float(row["limit_gev"]) if row["limit_gev"] else None
                assert limit == pytest.approx(table[row["experiment"], row["model"]], rel=1e-9)
    with (place / "figure5.csv").open() as file:
        vertices = list(csv.DictReader(below_the_comments(file)))
    assert {row["closed"] for row in vertices} == {"False"}
    assert {(row["cl"], row["dof"]) for row in vertices} == {("0.9", "1")}


def test_the_report_is_one_page_that_needs_nothing_else(written: tuple[Path, list[Entry]]) -> None:
    page = (written[0] / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 6
    assert "195.3" in page
    assert str(written[0]) not in page
    assert (written[0] / "report.html").stat().st_size < 5e6


def test_without_figures_there_is_only_the_table(tmp_path: Path) -> None:
    entries, findings, names = paper.run(tmp_path / "out", with_figures=False)
    assert len(entries) == 70
    assert findings == []
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names) == set(paper.FILES)


@pytest.mark.parametrize("name", ["table3.md", "figure6.pdf", "report.html"])
def test_files_of_the_user_are_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("my notes")
    with pytest.raises(FastscanError, match=f"{name} is there without table3.zarr; it is left as it is"):
        paper.run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.slow
def test_what_continues_a_table_that_could_not_be_written_is_the_same_command(tmp_path: Path) -> None:
    """The command has no --resume."""
    place = tmp_path / "out"
    command = ["bash", "-c", f"ulimit -f 1; exec {FASTSCAN} paper --no-figures -o {place}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    step, problem = ended.stderr.splitlines()
    assert "scanning" in step
    assert problem.endswith("table3.zarr: File too large; what is done is kept, the same command continues")
    assert "195.3 / 183 +6.7 %" in ok("paper", "--no-figures", "-o", place)


def test_the_store_is_used_again(written: tuple[Path, list[Entry]]) -> None:
    place, entries = written
    done = {path: path.stat().st_mtime_ns for path in (place / "table3.zarr").rglob("done.*.json")}
    assert paper.write_table3(place) == entries
    assert {path: path.stat().st_mtime_ns for path in done} == done
