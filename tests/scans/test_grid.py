import math
from pathlib import Path

import numpy as np
import pytest
from conftest import GRID, REPOSITORY, Write, require_refused, with_store

from fastscan.errors import FastscanError
from fastscan.experiments import catalogue as experiments
from fastscan.scans import grid


def test_axes_are_in_rad_and_gev(write: Write) -> None:
    axes = grid.load(write("grid.toml", GRID)).axes
    assert axes["beta"].array()[[0, -1]].tolist() == [0.0, math.pi]
    assert axes["m_zprime"].array() == pytest.approx(np.geomspace(20, 2000, 37))
    assert axes["luminosity"].array().tolist() == [1.0, 10.0, 1000.0]


def test_masses_can_be_in_tev(write: Write) -> None:
    axis = 'm_zprime = { values = [0.05, 0.5], unit = "TeV" }'
    loaded = grid.load(write("grid.toml", f'experiments=["coherent-csi"]\nmodels=["lr"]\n[axes]\n{axis}'))
    assert loaded.axes["m_zprime"].array() == pytest.approx([50, 500])
    assert set(loaded.axes) == {"m_zprime"}


def test_experiments_of_the_user_count_from_the_grid_file(write: Write, tmp_path: Path) -> None:
    text = (experiments.BUILT_IN / "coherent-csi.toml").read_text()
    (tmp_path / "sub").mkdir()
    write("sub/mine.toml", text)
    loaded = grid.load(write("sub/grid.toml", GRID.replace('"coherent-csi"', '"mine.toml"')))
    assert [experiment.name for experiment in loaded.experiments] == ["mine"]


B_L = (REPOSITORY / "grids/models/b-l-contact.toml").read_text()
BETA = 'beta = { start = 0, stop = 180, num = 13, unit = "deg" }'
MASS = 'm_zprime = { start = 20, stop = 2000, num = 37, spacing = "log", unit = "GeV" }'
SIGMA = "sigma_sys = { start = 0.0, stop = 0.3, num = 7 }"
LUMINOSITY = "luminosity = { values = [1, 10, 1000] }"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"coherent-csi"', '"coherent-cis"', r"experiments: .*did you mean 'coherent-csi'"),
        ('["coherent-csi"]', "[]", "experiments: the list is empty"),
        ('["coherent-csi"]', '["coherent-csi", "coherent-csi"]', "there twice"),
        ('["coherent-csi"]', "[3]", "experiments: must be a list of texts"),
        ('["coherent-csi"]', '"coherent-csi"', "experiments: must be a list of texts"),
        ('"coherent-csi"', '"mine.toml"', "mine.toml: No such file"),
        ('"chi"', '"chii"', "models: unknown model 'chii'; did you mean 'chi'"),
        ('["chi", "e6"]', "[]", "models: the list is empty"),
        ("models =", "modles =", "models: missing"),
        ('["chi", "e6"]', '["b-l-contact.toml", "./b-l-contact.toml"]', "models: two are named 'b-l-contact'"),
        ("[axes]", "[axis]", "axes: missing"),
        (MASS, "", r"m_zprime: missing"),
        (BETA, "", r"beta: missing; model 'e6' needs"),
        ('["chi", "e6"]', '["chi"]', "beta: no model of this grid uses this axis"),
        ("sigma_sys =", "sigma_sis =", "unknown key 'sigma_sis'; did you mean 'sigma_sys'"),
        ("[axes]", 'color = "red"\n[axes]', "unknown key 'color'"),
        ('"deg"', '"degrees"', "unit: unknown unit 'degrees'; did you mean 'deg'"),
        ('unit = "GeV"', 'unit = "kg"', "unit: unknown unit 'kg'; known: GeV, MeV, TeV"),
        (', unit = "GeV"', "", "unit: missing"),
        ("start = 20,", "start = -20,", "must be positive"),
        (
            'start = 20, stop = 2000, num = 37, spacing = "log"',
            "start = -20, stop = 2000, num = 37",
            "must be at least 0.001 GeV, not -20",
        ),
        ("start = 20, stop = 2000", "start = 2000, stop = 20", "stop: must not be below start"),
        ("start = 20,", "start = nan,", "start: must be a finite number"),
        ("start = 20,", "start = inf,", "start: must be a finite number"),
        ("start = 20,", "start = true,", "start: must be a number"),
        ("num = 37", "num = 0", "num: must be a whole number from 1"),
        ("num = 37", "num = 1", "num: must be 1 where start equals stop"),
        ("num = 37", "num = 3.5", "num: must be a whole number"),
        ("num = 37", "num = 10000000000000", "num: must be a whole number from 1 to 10000000"),
        ('"log"', '"logarithmic"', "spacing: unknown spacing 'logarithmic'"),
        (
            "start = 0.0, stop = 0.3, num = 7",
            "start = -0.1, stop = 0.3, num = 7",
            "must be zero or positive, at most 1e\\+06, not -0.1",
        ),
        ("start = 0.0, stop = 0.3, num = 7", "values = [0.3, 0.1]", "values: must increase"),
        ("start = 0.0, stop = 0.3, num = 7", "values = [0.1, 0.1]", "values: must increase"),
        ("start = 0.0, stop = 0.3, num = 7", "values = [0.1, nan]", "values: must be a finite number"),
        ("start = 0.0, stop = 0.3, num = 7", "values = []", "values: the list is empty"),
        ("start = 0.0, stop = 0.3, num = 7", "values = [0.1], num = 3", "unknown key 'num'"),
        (
            BETA,
            "beta = { values = [0, 100], unit = 'rad' }",
            r"values: beta must be from -2 pi .* degrees\?\), not 100",
        ),
        (BETA, "beta = { start = 0, stop = 361, num = 3, unit = 'deg' }", "start: beta must be from -2 pi to 2 pi"),
        (SIGMA, 'sigma_sys = { values = ["10 %"] }', "values: must be a finite number, not '10 %'"),
        (
            LUMINOSITY,
            LUMINOSITY + '\n[combine.x]\nexperiments = ["conus"]\nsigma_sys = { conus = "20" }',
            "conus: '20' is no relative error",
        ),
        (SIGMA, 'sigma_sys = { values = [0.1], unit = "GeV" }', "unit: unknown unit 'GeV'"),
        (SIGMA, "sigma_sys = 0.1", "sigma_sys: must be a table"),
        ("[1, 10, 1000]", "[0, 1]", "values: luminosity must be positive, from 1e-15 to 1e\\+15, not 0"),
        (LUMINOSITY, LUMINOSITY + '\n[store]\ndtype = "float16"', "dtype: unknown dtype 'float16'"),
        (LUMINOSITY, LUMINOSITY + '\n[store]\nchunk = "16"', "chunk: '16' has no unit of size"),
        (LUMINOSITY, LUMINOSITY + '\n[store]\nchunk = "-1 MiB"', "chunk: must be positive"),
        (LUMINOSITY, LUMINOSITY + '\n[store]\nchunk = "2 GiB"', "chunk: must be between 1 KiB and 1 GiB"),
        (
            LUMINOSITY,
            LUMINOSITY + '\n[store]\nchunks = "1 MiB"',
            "unknown key 'chunks'; did you mean 'chunk'",
        ),
        (LUMINOSITY, LUMINOSITY + "\n[combine]", "NAME: missing"),
        (LUMINOSITY, LUMINOSITY + '\n[combine."zarr.json"]\nexperiments = ["conus"]', "can't name a group"),
        (LUMINOSITY, LUMINOSITY + '\n[combine.coherent-csi]\nexperiments = ["conus"]', "name of an experiment"),
        (LUMINOSITY, LUMINOSITY + '\n[combine.connie]\nexperiments = ["conus"]', "name of an experiment"),
        (LUMINOSITY, LUMINOSITY + "\n[combine.x]", r"\[x\]: experiments: missing"),
        (
            LUMINOSITY,
            LUMINOSITY + '\n[combine.x]\nexperiments = ["conus"]\nsigma_sys = { conus = 1e9 }',
            "conus: must be between 0 and 1e",
        ),
        ("[axes]", "[axes", "Expected"),
        ("start = 20,", "start = 1e300,", "start: must be between"),
        ("num = 37", "num = 0x" + "f" * 5000, "num: must be a whole number .* not a number of thousands of digits"),
        ("[1, 10, 1000]", f"{[*range(1, 100_002)]}", "values: must be at most 100000 numbers, not 100001"),
        (LUMINOSITY, LUMINOSITY + '\n[store]\nchunk = "1 MB"', "no unit of size: use one of B, KiB, MiB, GiB$"),
        ('["coherent-csi"]', r'["sub\mydet.toml"]', r"Unescaped .*; in a path write /, or put it in single quotes$"),
        ('["coherent-csi"]', r'["C:\Users\me.toml"]', r"Invalid hex value .*; in a path write /, or put it in"),
        ('["coherent-csi"]', r'["sub\new.toml"]', r"experiments: must be one line .*; in a path write /, or put it in"),
        ('["coherent-csi"]', f"{['conus', *(f'e{n}' for n in range(1000))]}", "must be at most 1000 texts, not 1001"),
        ('["coherent-csi"]', '["conus", "conus"]', "experiments: 'conus' is there twice"),
        ('["coherent-csi"]', '["a b.toml", "a-b.toml"]', "experiments: two are named 'a-b'"),
        (LUMINOSITY, f"{LUMINOSITY}\n[combine.{'x' * 10_000}]", "x: 'x.*x' can't name a group: it is longer than 100"),
        (LUMINOSITY, LUMINOSITY + "\n[combine]" + "\nx.y = 1" * 2, "Cannot overwrite"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_wrong_is_told_in_one_line(old: str, new: str, problem: str, write: Write) -> None:
    assert old in GRID
    write("b-l-contact.toml", B_L)
    for name in ("a b.toml", "a-b.toml"):
        write(name, (experiments.BUILT_IN / "conus.toml").read_text())
    path = write("grid.toml", GRID.replace(old, new, 1))
    require_refused(grid.load, path, problem)


def test_errors_can_be_in_per_cent(write: Write) -> None:
    text = GRID.replace(SIGMA, 'sigma_sys = { start = 0, stop = 30, num = 7, unit = "%" }')
    text += '\n[combine.x]\nexperiments = ["conus", "connie"]\nsigma_sys = { conus = "7 %", connie = 0.05 }'
    loaded = grid.load(write("grid.toml", text))
    assert loaded.axes["sigma_sys"].array().tolist() == [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
    assert loaded.combinations[0].sigma_sys == {"conus": 0.07, "connie": 0.05}


def test_a_full_turn_is_the_largest_beta(write: Write) -> None:
    text = GRID.replace(BETA, 'beta = { start = -360, stop = 360, num = 5, unit = "deg" }')
    assert grid.load(write("grid.toml", text)).axes["beta"].array()[[0, -1]].tolist() == [-2 * math.pi, 2 * math.pi]


def test_files_that_are_no_grids(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    for name, problem in {
        "binary.toml": "not in UTF-8: save it as UTF-8",
        "absent.toml": "No such file",
        ".": "not a regular file",
    }.items():
        with pytest.raises(FastscanError, match=problem):
            grid.load(tmp_path / name)
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(FastscanError, match="experiments: missing"):
        grid.load(tmp_path / "empty.toml")


def test_more_tasks_than_a_scan_can_know_are_told(write: Write) -> None:
    text = with_store(GRID.replace("num = 13", "num = 3000000"), chunk="1 KiB", task="1 KiB")
    with pytest.raises(FastscanError, match="store: cuts a cube into 12000000 tasks; a larger chunk or task makes"):
        grid.load(write("grid.toml", text))
