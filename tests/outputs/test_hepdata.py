"""Submissions to HEPData: its own validator accepts them, and they contain everything about a limit."""

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import FASTSCAN

from fastscan.answers import answers, records
from fastscan.answers.contours import contour_records
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError
from fastscan.limits.confidence import Toys
from fastscan.outputs import hepdata
from fastscan.paper import paper, table3
from fastscan.scans.scanner import scan

GRID = """
experiments = ["coherent-csi", "conus-plus-2025-total"]
models = ["e6", "nsi-mumu-u", "b-l"]

[axes]
beta      = { values = [90, 95, 100, 105], unit = "deg" }
m_zprime  = { values = [10, 20, 40, 90, 200, 600], unit = "GeV" }
g         = { start = 1e-6, stop = 1, num = 7, spacing = "log" }
eps       = { start = -1, stop = 1, num = 5 }
sigma_sys = { values = [0.05, 0.28] }
"""
PART = """
experiments = ["coherent-csi", "miner"]
models = ["chi", "psi"]

[axes]
m_zprime = { start = 20, stop = 2000, num = 3, spacing = "log", unit = "GeV" }
"""
TOYS = """
experiments = ["conus-plus-2025-total"]
models = ["nsi-ee-u"]
toys = { number = 500, seed = 4 }

[axes]
eps = { start = -0.3, stop = 0.7, num = 41 }
"""
Numbers = list[dict[str, Any]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("hepdata")
    (place / "grid.toml").write_text(GRID)
    scan(place / "grid.toml", place / "out.zarr")
    return place / "out.zarr"


def told(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FASTSCAN, *map(str, words)], check=False, capture_output=True, text=True)


def require_valid(place: Path) -> None:
    """Check a submission with HEPData's own validator."""
    command = [Path(FASTSCAN).with_name("hepdata-validate"), "-a", place / hepdata.ARCHIVE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "is valid" in done.stdout
    with tarfile.open(place / hepdata.ARCHIVE) as archive:
        assert set(archive.getnames()) == {path.name for path in place.iterdir()} - {hepdata.ARCHIVE}


def tables(place: Path) -> dict[str, dict[str, Any]]:
    """The tables of a submission by their names."""
    _, *listed = yaml.safe_load_all((place / "submission.yaml").read_text())
    return {each["name"]: yaml.safe_load((place / each["data_file"]).read_text()) for each in listed}


def rows(table: dict[str, Any]) -> Numbers:
    """The rows of a table: values by the names of its variables."""
    variables = [*table["independent_variables"], *table["dependent_variables"]]
    names = [each["header"]["name"] for each in variables]
    values = zip(*([value["value"] for value in each["values"]] for each in variables), strict=True)
    return [dict(zip(names, row, strict=True)) for row in values]


def qualifiers(variable: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in variable["qualifiers"]}


def end(value: float | None, sign: int) -> float:
    return sign * float("inf") if value is None else value


def test_limits_come_back_with_islands_and_both_sides(store: Path, tmp_path: Path) -> None:
    done = told("limits", store, "--sigma-sys", "axis", "--hepdata", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"written to {tmp_path / 'out'}: submission.yaml and its tables"
    require_valid(tmp_path / "out")
    found = tables(tmp_path / "out")
    assert list(found) == ["limits g b-l", "limits m_zprime e6", "limits eps nsi-mumu-u"]
    wanted = list(answers.limits_of_store(str(store), Question(at={"sigma_sys": "axis"})))
    for name, symbol, key in (
        ("limits m_zprime e6", "M_{Z'}", "allowed_gev"),
        ("limits eps nsi-mumu-u", r"\varepsilon", "allowed"),
        ("limits g b-l", "g", "allowed"),
    ):
        own = [record for record in wanted if record["model"] == name.split()[-1]]
        expected = [
            (record["experiment"], record["sigma_sys"], number, end(low, -1), end(high, 1), record["status"])
            for record in own
            for number, (low, high) in enumerate(record[key], start=1)
        ]
        written = [
            (
                row["EXPERIMENT"],
                row[r"$\sigma_\mathrm{sys}$"],
                row["allowed interval"],
                float(row[f"lower end of allowed ${symbol}$"]),
                float(row[f"upper end of allowed ${symbol}$"]),
                row["status"],
            )
            for row in rows(found[name])
        ]
        assert len(written) == len(expected)
        for ours, theirs in zip(written, expected, strict=True):
            assert ours[:3] == theirs[:3]
            assert ours[3:5] == pytest.approx(theirs[3:5], rel=1e-12)
            assert ours[5] == theirs[5]
    islands = [row["allowed interval"] for row in rows(found["limits m_zprime e6"])]
    assert max(islands) == 2


def test_each_number_says_at_which_level_and_of_which_data_it_is(store: Path, tmp_path: Path) -> None:
    told("limits", store, "--group", "coherent-csi/e6", "--cl", "0.95", "--dof", "2", "--hepdata", tmp_path / "out")
    ((_, table),) = tables(tmp_path / "out").items()
    assert {each["header"]["name"] for each in table["independent_variables"]} == {r"$\beta$", "allowed interval"}
    by_name = {each["header"]["name"]: each for each in table["dependent_variables"]}
    for name, each in by_name.items():
        told_of = qualifiers(each)
        assert (told_of["CL"], told_of["DOF"], told_of["METHOD"]) == (0.95, 2, hepdata.ASYMPTOTIC)
        assert (told_of["EXPERIMENT"], told_of["MODEL"], told_of["SIGMA_SYS"]) == ("coherent-csi", "e6", 0.28)
        assert told_of["DATA"] == (hepdata.PREDICTED if name.startswith("expected") else "measured")
        assert each["header"].get("units") == (None if name == "status" else "GeV")
    assert "expected lower limit on $M_{Z'}$" in by_name


def test_limits_from_toys_have_their_errors(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(TOYS)
    scan(tmp_path / "grid.toml", tmp_path / "out.zarr")
    (record,) = answers.limits_of_store(str(tmp_path / "out.zarr"), Question(toys=Toys()))
    hepdata.write(tmp_path / "out", hepdata.limit_tables([record]), "Toys")
    require_valid(tmp_path / "out")
    ((_, table),) = tables(tmp_path / "out").items()
    by_name = {each["header"]["name"]: each for each in table["dependent_variables"]}
    for number, (which, side) in enumerate((("lower end of allowed", 0), ("upper end of allowed", 1))):
        variable = by_name[rf"{which} $\varepsilon$"]
        errors = [each["errors"][0] for each in variable["values"]]
        assert [each["label"] for each in errors] == ["Monte Carlo"] * len(record["allowed"])
        expected = [pair[side] for pair in record["allowed_errors"]]
        assert [each["symerror"] for each in errors] == pytest.approx(expected, rel=1e-12), number
        told_of = qualifiers(variable)
        assert (told_of["METHOD"], told_of["TOYS"], told_of["SEED"]) == (hepdata.THROWN, 500, 4)
    assert len(record["allowed"]) == 2


def test_contours_come_back_vertex_by_vertex(store: Path, tmp_path: Path) -> None:
    words = ("--group", "coherent-csi/e6", "--axes", "cos_beta,m_zprime", "--hepdata", tmp_path / "out")
    done = told("contours", store, *words)
    assert done.returncode == 0, done.stderr
    require_valid(tmp_path / "out")
    ((name, table),) = tables(tmp_path / "out").items()
    assert name == "contours coherent-csi e6"
    axes = PlaneAxes(("cos_beta", "m_zprime"))
    ((plane, lines),) = answers.contours_of_store(str(store), Question(groups=("coherent-csi/e6",)), axes)
    expected = list(contour_records(plane, lines))
    written = rows(table)
    assert len(written) == len(expected) > 4
    for ours, theirs in zip(written, expected, strict=True):
        assert (ours["contour"], ours["closed"]) == (theirs["contour"] + 1, "yes" if theirs["closed"] else "no")
        place = ours[r"$\cos\beta$"], ours["$M_{Z'}$"]
        assert place == pytest.approx((theirs["cos_beta"], theirs["m_zprime_gev"]), rel=1e-12)
    told_of = qualifiers(table["dependent_variables"][0])
    assert (told_of["CL"], told_of["DOF"], told_of["DATA"]) == (0.9, 2, "measured")


def test_csv_stays_as_it_is(store: Path, tmp_path: Path) -> None:
    done = told("limits", store, "--csv", "--hepdata", tmp_path / "out")
    found, keys = answers.limits_with_keys(str(store), Question())
    assert done.stdout == records.csv_text(keys, found)


def test_a_submission_is_replaced_whole_and_nothing_else_is(store: Path, tmp_path: Path) -> None:
    place = tmp_path / "out"
    found = list(answers.limits_of_store(str(store), Question()))
    hepdata.write(place, hepdata.limit_tables(found), "All")
    hepdata.write(place, hepdata.limit_tables(found[:1]), "One")
    assert len(tables(place)) == 1
    require_valid(place)
    (place / "notes.txt").write_text("mine")
    done = told("limits", store, "--hepdata", place)
    assert (done.returncode, (place / "notes.txt").read_text()) == (2, "mine")
    assert "holds something else than a HEPData submission; it is left as it is" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(FastscanError, match="holds something else"):
        hepdata.write(tmp_path, [], "")


def test_tables_of_one_name_are_numbered(store: Path, tmp_path: Path) -> None:
    found = list(answers.limits_of_store(str(store), Question(groups=("coherent-csi/e6",))))
    twice = [*hepdata.limit_tables(found), *hepdata.limit_tables(found)]
    hepdata.write(tmp_path / "out", twice, "Twice")
    assert list(tables(tmp_path / "out")) == ["limits m_zprime e6", "limits m_zprime e6 (2)"]
    require_valid(tmp_path / "out")


def test_without_the_library_one_line_says_how_to_install_it(store: Path, tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['hepdata_lib'] = None; from fastscan.__main__ import main; main()"
    words = ["limits", str(store), "--hepdata", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", hidden, *words], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["fastscan: HEPData files need hepdata_lib: pip install 'fastscan[hepdata]'"]
    assert not (tmp_path / "out").exists()


def test_the_paper_s_limits_are_written_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "part.toml").write_text(PART)
    monkeypatch.setattr(table3, "GRID", tmp_path / "part.toml")
    entries, _, written = paper.run(tmp_path / "out", False, with_hepdata=True)
    assert written[-1] == "hepdata"
    require_valid(tmp_path / "out" / "hepdata")
    found = tables(tmp_path / "out" / "hepdata")
    assert list(found) == ["Table 3 limits m_zprime chi", "Table 3 limits m_zprime psi"]
    chi = {row["EXPERIMENT"]: row for row in rows(found["Table 3 limits m_zprime chi"])}
    for entry in entries[::2]:
        row = chi[entry.experiment]
        assert row["lower limit on $M_{Z'}$"] == pytest.approx(entry.computed_gev, rel=1e-12)
        assert row["DATA"] == ("measured" if entry.expected_gev else hepdata.PREDICTED)
        assert row["expected lower limit on $M_{Z'}$"] == pytest.approx(entry.expected_gev or hepdata.MISSING)
    assert {row["lower limit on $M_{Z'}$"] for row in rows(found["Table 3 limits m_zprime psi"])} == {hepdata.MISSING}
    (tmp_path / "out" / "hepdata" / "mine.txt").write_text("mine")
    with pytest.raises(FastscanError, match="holds something else"):
        paper.run(tmp_path / "out", False, with_hepdata=True)
