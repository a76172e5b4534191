"""Labels of experiments, in addition to their names: in files, stores and tables."""

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import GRID, REPOSITORY, Write, ok, require_refused, scanned

import fastscan
from fastscan.experiments import catalogue
from fastscan.scans import grid
from fastscan.scans.plan import plan

POINTS = '[axes]\nm_zprime = { values = [100, 200], unit = "GeV" }\n'


def own(write: Write, name: str, label: str | None) -> Path:
    """A copy of an experiment of the package, with another label or none."""
    text = (catalogue.BUILT_IN / "conus.toml").read_text()
    return write(f"{name}.toml", text.replace('label = "CONUS"\n', "" if label is None else f"label = {label}\n"))


def own_grid(write: Write, *paths: Path) -> str:
    return f"experiments = {json.dumps([str(path) for path in paths])}\nmodels = ['chi']\n{POINTS}"


def test_each_experiment_of_the_package_has_a_label_of_its_own() -> None:
    labels = {name: catalogue.load(name).label for name in catalogue.names()}
    assert len({*labels.values()}) == len(labels)
    assert {*labels}.isdisjoint(labels.values())
    assert (labels["coherent-csi"], labels["conus"], labels["cr51-lxe-a"]) == ("COHERENT CsI", "CONUS", "51Cr (A)")
    table = ok("experiments").splitlines()
    for name, label in labels.items():
        assert any(line.split("  ")[0].strip() == name and f"  {label}  " in line for line in table)
    assert {each["name"]: each["label"] for each in json.loads(ok("experiments", "--json"))} == labels


def test_without_a_label_an_experiment_is_called_by_its_name(write: Write) -> None:
    assert catalogue.load(own(write, "mine", None)).label == "mine"
    assert catalogue.load(own(write, "mine", '"My own"')).label == "My own"
    assert catalogue.load("coherent-csi").expected().label == "COHERENT CsI, expected"


@pytest.mark.parametrize(
    "label", ['""', '" "', f'"{"x" * 41}"', r'"two\nlines"', r'"\u001b[2J"', r'"\u202eturned"', "1"]
)
def test_a_label_that_cannot_be_shown_is_refused(write: Write, label: str) -> None:
    require_refused(catalogue.load, own(write, "mine", label), "label: must be")


def test_a_label_is_prose_and_not_what_a_store_is_made_from() -> None:
    given = grid.load(f"{REPOSITORY}/grids/coherent-csi.toml")
    renamed = replace(given, experiments=tuple(replace(each, label="Another") for each in given.experiments))
    one, other = plan(given), plan(renamed)
    assert [cube.hash for cube in one] == [cube.hash for cube in other]
    assert {cube.label for cube in other} == {"Another"}
    assert "label" not in one[0].identity["experiments"]["coherent-csi"]


def test_a_store_carries_the_labels(write: Write, tmp_path: Path) -> None:
    text = own_grid(write, own(write, "mine", '"My own"'), own(write, "thine", None))
    store = scanned(text + '[combine.both]\nexperiments = ["mine.toml", "thine.toml"]', tmp_path)
    for path in tmp_path.glob("*ine.toml"):
        os.remove(path)  # a store contains the label
    labels = {name: fastscan.open(store, f"{name}/chi").attrs["label"] for name in ("mine", "thine", "both")}
    assert labels == {"mine": "My own", "thine": "thine", "both": "both"}


def test_tables_have_labels_beside_names_and_records_have_names(write: Write, tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(own_grid(write, own(write, "mine", '"My own"'), own(write, "thine", None)))
    for table in (ok("scan", tmp_path / "grid.toml", "-o", tmp_path / "out.zarr"), ok("limits", tmp_path / "out.zarr")):
        _, header, mine, thine = table.splitlines()
        assert header.split()[:3] == ["experiment", "label", "model"]
        assert (mine.split()[:4], thine.split()[:3]) == (["mine", "My", "own", "chi"], ["thine", "thine", "chi"])
    rows = list(csv.DictReader(io.StringIO(ok("limits", tmp_path / "out.zarr", "--csv"))))
    assert [row["experiment"] for row in rows] == ["mine", "thine"]
    assert "label" not in rows[0]
    assert [row["experiment"] for row in json.loads(ok("limits", tmp_path / "out.zarr", "--json"))] == ["mine", "thine"]


def test_where_every_experiment_is_called_by_its_name_there_is_no_column_of_labels(
    write: Write, tmp_path: Path
) -> None:
    store = scanned(own_grid(write, own(write, "mine", None)), tmp_path)
    assert ok("limits", store).splitlines()[1].split()[:2] == ["experiment", "model"]


@pytest.mark.parametrize("label", ["\x1b[2J\n\u202e turned $\\input{x}$ $^$", ["a", "list"], None, 10**30])
def test_whatever_a_store_says_is_its_label_is_shown_as_text(tmp_path: Path, label: object) -> None:
    store = scanned(GRID.replace('["chi", "e6"]', '["chi"]').replace("beta =", "# beta ="), tmp_path)
    metadata = store / "coherent-csi/chi/zarr.json"
    group = json.loads(metadata.read_text())
    group["attributes"]["label"] = label
    metadata.write_text(json.dumps(group))
    (line,) = ok("limits", store).splitlines()[2:]
    assert line.isprintable()
    assert line.endswith("195.3 GeV")
    ok("plot", store, "-o", tmp_path / "limits.png")
