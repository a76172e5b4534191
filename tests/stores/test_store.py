import errno
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import xxhash
import zarr
from conftest import GRID, Write, files, refusal, with_store

import fastscan
from fastscan.answers import answers, from_cube
from fastscan.answers.question import Question
from fastscan.commands.cli import cli
from fastscan.errors import FastscanError, StoreError
from fastscan.inputs import data_files as tables
from fastscan.interactions import catalogue
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.physics.constants import PHYSICS_VERSION
from fastscan.scans import grid
from fastscan.scans.plan import plan
from fastscan.scans.scanner import finish
from fastscan.scans.verify import verify
from fastscan.stores import chunks, layout, location, store
from fastscan.stores.cube import Cube
from fastscan.typing import Channel

E6 = "coherent-csi/e6"
CHANNELS: tuple[Channel, ...] = ("cevns", "nu-e")


@pytest.fixture
def scanned(grid_file: Path, tmp_path: Path) -> Path:
    fastscan.scan(grid_file, tmp_path / "out.zarr")
    return tmp_path / "out.zarr"


def test_plain_xarray_opens_it(scanned: Path) -> None:
    cube = xr.open_zarr(scanned, group=E6)
    assert cube.chi2.dims == ("beta", "m_zprime", "sigma_sys", "luminosity")
    assert cube.events.dims == ("beta", "m_zprime")
    assert cube.chi2.shape == (13, 37, 7, 3)
    assert (cube.chi2.dtype, cube.events.dtype) == ("float32", "float64")
    units = {"beta": "rad", "m_zprime": "GeV", "sigma_sys": "1", "luminosity": "1"}
    assert {name: cube[name].attrs["units"] for name in cube.coords} == units
    assert all(cube[name].attrs["long_name"] for name in [*cube.coords, "chi2", "events"])
    near = cube.chi2.sel(m_zprime=195, sigma_sys=0.1, luminosity=1, beta=0, method="nearest")
    assert np.isfinite(near.values)


@pytest.mark.parametrize(
    ("model", "axes"), [("chi", ["m_zprime"]), ("lr", ["m_zprime"]), ("e6", ["beta", "m_zprime"])], ids=str
)
def test_the_dimensions_of_a_group_are_the_axes_of_its_model(
    model: str, axes: list[str], write: Write, tmp_path: Path
) -> None:
    """There are no other axes, and no dimensions of length one for axes that the model lacks."""
    source = write("g.toml", GRID.replace('["chi", "e6"]', '["chi", "lr", "e6"]'))
    root = fastscan.scan(source, tmp_path / "out.zarr")
    settings = ["sigma_sys", "luminosity"]
    size = {"beta": 13, "m_zprime": 37, "sigma_sys": 7, "luminosity": 3}
    with xr.open_zarr(tmp_path / "out.zarr", group=f"coherent-csi/{model}") as cube:
        assert cube.chi2.dims == (*axes, *settings)
        assert cube.events.dims == tuple(axes)
        assert set(cube.coords) == {*axes, *settings}
        assert dict(cube.sizes) == {name: size[name] for name in (*axes, *settings)}
        # each array is written to netCDF, with its attributes
        cube.chi2.to_netcdf(tmp_path / "chi2.nc")
        with xr.open_dataset(tmp_path / "chi2.nc") as copied:
            assert copied.chi2.dims == (*axes, *settings)
            assert copied.chi2.values.tobytes() == cube.chi2.values.tobytes()
            assert all(copied[name].attrs == cube[name].attrs != {} for name in ("chi2", *axes, *settings))
    planned = store.read(root, f"coherent-csi/{model}")
    assert list(planned.points) == list(planned.axes) == [*axes, *settings]
    assert planned.layout.shape == tuple(size[name] for name in (*axes, *settings))
    assert sorted(path.name for path in (tmp_path / "out.zarr/coherent-csi" / model).iterdir()) == sorted(
        ["zarr.json", "chi2", "events", "expected", "likelihood", *axes, *settings]
    )


OWN_MODEL = catalogue.Model("mine", "", g_prime=0.7, charges={"u": (1 / 3, 0.1), "d": (0.2, -1), "e": (-1, 0)}, nu=0.3)


@pytest.mark.parametrize("model", [*catalogue.MODELS.values(), OWN_MODEL], ids=lambda model: model.name)
def test_a_group_has_the_interaction_that_its_attributes_say(
    model: Interaction, grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interaction is the same to the last bit, even if another one has its name when the store is read."""
    source = grid.load(grid_file)
    given = {axis.name: grid.Points(axis, values=(0.1, 1.0), unit=axis.unit) for axis in model.parameters}
    source = replace(source, models=(model,), axes={**given, **source.axes})
    fastscan.scan(source, tmp_path / "out.zarr")
    for name in catalogue.MODELS:
        monkeypatch.setitem(catalogue.MODELS, name, OWN_MODEL)
    cube = store.read(location.read_root(tmp_path / "out.zarr"), f"coherent-csi/{model.name}")
    found = cube.interaction
    assert (type(found), found.name) == (type(model), model.name)
    assert (found.identity(), cube.identity["model"]) == (model.identity(), model.identity())
    assert (found.rows, found.g_prime) == (model.rows, model.g_prime)
    rows, transfer2 = {name: cube.points[name] for name in cube.rows}, np.array([1e-3, 1.0, 1e3])
    for channel in CHANNELS:
        for ours, theirs in zip(found.terms(channel, rows), model.terms(channel, rows), strict=True):
            assert ours.weight.tobytes() == theirs.weight.tobytes()
            assert ours.at(transfer2).tobytes() == theirs.at(transfer2).tobytes()


def test_omitted_axes_have_length_one(write: Write, tmp_path: Path) -> None:
    source = write(
        "g.toml",
        'experiments=["coherent-csi"]\nmodels=["lr"]\n[axes]\nm_zprime={values=[100.0, 200.0], unit="GeV"}\n',
    )
    root = fastscan.scan(source, tmp_path / "out.zarr")
    cube = fastscan.open(root, "coherent-csi/lr")
    assert cube.chi2.shape == (2, 1, 1)
    assert cube.sigma_sys.values.tolist() == [0.28]
    assert cube.luminosity.values.tolist() == [1.0]


def test_a_group_says_what_made_it(scanned: Path) -> None:
    attributes = xr.open_zarr(scanned, group=E6).attrs
    assert attributes["source"] == f"fastscan {store.version('fastscan')}"
    assert "arXiv:1708.01294" in json.loads(attributes["references"])
    identity = json.loads(attributes["identity"])
    assert identity["axes"]["beta"]["unit"] == "deg"
    assert identity["experiments"]["coherent-csi"]["statistics"]["observed"] == 142
    assert len(attributes["hash"]) == 64
    assert zarr.open_group(scanned, mode="r").attrs.asdict() == {"fastscan_format": layout.FORMAT}


def test_records_hold_the_checksum_of_every_chunk(scanned: Path) -> None:
    records = [json.loads(path.read_text()) for path in (scanned / E6 / "chi2").glob("done.*.json")]
    checksums = {key: value for record in records for key, value in record["chunks"].items()}
    chunks = {str(path.relative_to(scanned / E6)): path for path in (scanned / E6).glob("*/c.*")}
    assert set(checksums) == {name for name in chunks if name.startswith(("chi2", "events"))}
    for key, checksum in checksums.items():
        assert xxhash.xxh3_64_hexdigest(chunks[key].read_bytes()) == checksum


def test_edge_chunks_are_padded_with_nan(write: Write, tmp_path: Path) -> None:
    source = write("g.toml", with_store(GRID, chunk="30 KiB", dtype="float64"))
    fastscan.scan(source, tmp_path / "out.zarr")
    array = zarr.open_group(tmp_path / "out.zarr", mode="r")[E6]["chi2"]
    assert array.chunks == (4, 37, 7, 3)
    edge = np.frombuffer((tmp_path / "out.zarr" / E6 / "chi2/c.3.0.0.0").read_bytes()).reshape(array.chunks)
    assert np.isfinite(edge[:1]).all()
    assert np.isnan(edge[1:]).all()
    assert np.isfinite(array[:]).all()


def test_a_block_that_is_no_chunk_is_not_written(scanned: Path) -> None:
    root = location.read_root(scanned, write=True)
    cube = store.read(root, E6)
    with pytest.raises(AssertionError, match="not aligned"):
        chunks.write_chunk(root, cube, "chi2", (0, 0, 0, 0), np.zeros((2, 37, 7, 3), "f4"))


def test_the_likelihood_comes_back_as_it_was(scanned: Path, grid_file: Path) -> None:
    root = location.read_root(str(scanned))
    for planned in plan(grid_file):
        carried = store.read(root, planned.name)
        assert carried.hash == planned.hash
        assert carried.likelihood.members == planned.likelihood.members
        for name in layout.CARRIED:
            assert getattr(carried.likelihood, name).tobytes() == getattr(planned.likelihood, name).tobytes()
            assert getattr(carried.expected, name).tobytes() == getattr(planned.expected, name).tobytes()
        differ = [
            name for name in layout.CARRIED if not np.array_equal(*(getattr(each, name) for each in both(carried)))
        ]
        assert differ == [*layout.EXPECTED]
        assert carried.expected.members == carried.likelihood.members


def both(cube: Cube) -> tuple[Likelihood, Likelihood]:
    return cube.likelihood, cube.expected


def test_a_group_without_measured_data_carries_one_likelihood(write: Write, tmp_path: Path) -> None:
    root = fastscan.scan(write("g.toml", GRID.replace("coherent-csi", "conus")), tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr/conus/e6/expected").exists()
    carried = store.read(root, "conus/e6")
    assert carried.expected is carried.likelihood
    assert not carried.is_measured


def test_a_damaged_expected_likelihood_is_told_and_made_anew(scanned: Path, grid_file: Path) -> None:
    before = files(scanned)
    file = scanned / E6 / "expected/roots/c/0/0/0/0/0"
    damaged = bytearray(file.read_bytes())
    damaged[8] ^= 1
    file.write_bytes(damaged)
    assert "expected/roots/c/0/0/0/0/0 is damaged" in refusal("limits", scanned)
    fastscan.scan(grid_file, scanned, resume=True)
    assert files(scanned) == before


def test_an_existing_store_is_refused_and_left_as_it_is(scanned: Path, grid_file: Path) -> None:
    before = files(scanned)
    with pytest.raises(FastscanError, match="exists; resume=True continues it, overwrite=True replaces it"):
        fastscan.scan(grid_file, scanned)
    assert files(scanned) == before


def test_overwrite_replaces_the_whole_store(scanned: Path, write: Write) -> None:
    other = write("other.toml", GRID.replace('["chi", "e6"]', '["lr", "e6"]').replace("num = 13", "num = 5"))
    root = fastscan.scan(other, scanned, overwrite=True)
    assert store.group_names(root) == ["coherent-csi/e6", "coherent-csi/lr"]
    assert xr.open_zarr(scanned, group=E6).chi2.shape[0] == 5


@pytest.mark.parametrize("option", [{}, {"overwrite": True}, {"resume": True}])
def test_what_is_no_store_is_never_touched(option: dict[str, bool], grid_file: Path, tmp_path: Path) -> None:
    directory, file, array = tmp_path / "thesis", tmp_path / "notes.txt", tmp_path / "theirs.zarr"
    directory.mkdir()
    (directory / "chapter1.tex").write_text("...")
    file.write_text("...")
    zarr.create_array(array, shape=3, dtype="f8")[:] = 1.0
    before = files(tmp_path)
    for path in (directory, file, array):
        with pytest.raises(FastscanError, match="no fastscan store"):
            fastscan.scan(grid_file, path, **option)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "foreign",
    [
        "notes.txt",
        "coherent-csi/notes.txt",
        "mine/data.csv",
        "coherent-csi/chi/notes.txt",
        "mine/arr/c/0",
        "coherent-csi/chi/chi2/notes.json",
    ],
)
def test_overwrite_stops_at_files_that_fastscan_did_not_write(foreign: str, scanned: Path, grid_file: Path) -> None:
    (scanned / foreign).parent.mkdir(exist_ok=True, parents=True)
    (scanned / foreign).write_text("...")
    before = files(scanned)
    with pytest.raises(FastscanError, match="nothing that fastscan wrote; nothing was deleted"):
        fastscan.scan(grid_file, scanned, overwrite=True)
    assert files(scanned) == before


def test_an_empty_directory_is_used(grid_file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fastscan.scan(grid_file, tmp_path / "empty")


def test_an_unwritable_place_is_told(grid_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "out.zarr", Path("/proc/out.zarr")):
        with pytest.raises(FastscanError, match="can't be written"):
            fastscan.scan(grid_file, place)


def test_a_grid_larger_than_the_disk_is_refused(write: Write, tmp_path: Path) -> None:
    huge = GRID.replace("num = 13", "num = 100000").replace("num = 37", "num = 1000000")
    with pytest.raises(FastscanError, match=r"needs \d+\.\d MB, but only"):
        fastscan.scan(write("huge.toml", huge), tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()


def test_another_grid_in_the_same_group_is_refused_with_what_differs(scanned: Path, write: Write) -> None:
    before = files(scanned)
    other = write("other.toml", with_store(GRID.replace("num = 7", "num = 9"), dtype="float64"))
    with pytest.raises(FastscanError, match=r"axes\.sigma_sys\.num, chunks, chunks_per_task, dtype differ"):
        fastscan.scan(other, scanned, resume=True)
    assert files(scanned) == before


def test_other_data_files_and_another_physics_version_are_refused(
    scanned: Path, grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(scanned)
    with monkeypatch.context() as patch:
        patch.setattr("fastscan.scans.plan.PHYSICS_VERSION", PHYSICS_VERSION + 1)
        with pytest.raises(FastscanError, match="another run: physics_version differ"):
            fastscan.scan(grid_file, scanned, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(tables, "digest", lambda name: f"another {name}")
        with pytest.raises(FastscanError, match=r"another run: data\.fission_energy\.csv, data\.isotopes\.csv"):
            fastscan.scan(grid_file, scanned, resume=True)
    assert files(scanned) == before


def test_an_incomplete_group_is_not_opened(scanned: Path) -> None:
    (scanned / E6 / "chi2" / "done.0.json").unlink()
    with pytest.raises(FastscanError, match="lacks 1 of 1 tasks"):
        fastscan.open(str(scanned), E6)


def test_what_can_not_be_opened_is_told(scanned: Path, tmp_path: Path) -> None:
    for place, problem in {
        str(tmp_path / "absent.zarr"): "does not exist",
        str(tmp_path): "no fastscan store",
        str(tmp_path / "grid.toml"): "no fastscan store",
    }.items():
        with pytest.raises(FastscanError, match=problem):
            fastscan.open(place, E6)
    with pytest.raises(FastscanError, match="did you mean 'coherent-csi/e6'"):
        fastscan.open(str(scanned), "coherent-csi/e5")
    (scanned / "zarr.json").write_text("{not json")
    with pytest.raises(FastscanError, match="half-written or damaged"):
        fastscan.open(str(scanned), E6)


@pytest.mark.parametrize(
    "damage", ["likelihood/roots/zarr.json", "expected/spread/c/0", "chi2/zarr.json", "m_zprime/zarr.json"]
)
def test_a_damaged_group_is_told(damage: str, scanned: Path) -> None:
    (scanned / E6 / damage).unlink()
    with pytest.raises(FastscanError, match="half-written or damaged"):
        fastscan.open(str(scanned), E6)


@pytest.mark.parametrize("other", [1, 2, 3, 4, 5, layout.FORMAT + 1])
def test_a_store_of_another_format_is_refused_in_one_line_and_left(other: int, scanned: Path, grid_file: Path) -> None:
    """Everything that reads a store refuses it, and so do scans that would continue or replace it."""
    root = json.loads((scanned / "zarr.json").read_text())
    assert root["attributes"]["fastscan_format"] == layout.FORMAT == 6
    root["attributes"]["fastscan_format"] = other
    (scanned / "zarr.json").write_text(json.dumps(root))
    before = files(scanned)
    told = (
        f"{scanned} is a store of format {other}; this fastscan reads format {layout.FORMAT}: scan it anew, elsewhere"
    )
    picture = scanned.parent / "picture.png"
    with pytest.raises(StoreError, match=f"^{re.escape(told)}$"):
        fastscan.open(scanned, E6)
    for command in (
        ["info"],
        ["limits"],
        ["limits", "--from-cube"],
        ["contours"],
        ["plot", "-o", picture],
        ["verify"],
        ["finish"],
    ):
        with pytest.raises(StoreError, match=f"^{re.escape(told)}$"):
            cli.main([*map(str, command), str(scanned)], standalone_mode=False)
    for option in ("--resume", "--part=1/2", "--overwrite"):
        with pytest.raises(StoreError, match=f"^{re.escape(told)}; it is left as it is$"):
            cli.main(["scan", str(grid_file), "-o", str(scanned), option], standalone_mode=False)
    assert refusal("limits", scanned) == f"fastscan: {told}"
    assert files(scanned) == before
    assert not picture.exists()


def test_a_moved_store_still_answers(scanned: Path, tmp_path: Path) -> None:
    before = fastscan.open(str(scanned), E6).chi2.values
    shutil.move(scanned, tmp_path / "moved.zarr")
    assert fastscan.open(str(tmp_path / "moved.zarr"), E6).chi2.values.tobytes() == before.tobytes()


def test_overwrite_stops_at_links(scanned: Path, grid_file: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (scanned / "aa").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FastscanError, match="nothing was deleted"):
        fastscan.scan(grid_file, scanned, overwrite=True)
    assert (scanned / E6 / "zarr.json").is_file()


@pytest.mark.parametrize("begun", [f"{E6}/chi2/c.0.0.0.0", f"{E6}/chi2/done.3.json", f"{E6}/zarr.json", "zarr.json"])
def test_what_a_killed_write_left_behind_is_no_hindrance_and_is_removed(
    begun: str, scanned: Path, grid_file: Path
) -> None:
    leftover = (scanned / begun).with_suffix(f".{'0a' * 16}.partial")
    for continued in ({"resume": True}, {"overwrite": True}):
        leftover.write_bytes(b"half")
        fastscan.scan(grid_file, scanned, **continued)
        assert not leftover.exists()


def test_a_scan_killed_at_its_first_write_leaves_no_store(grid_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    out.mkdir()
    (out / f"zarr.{'0a' * 16}.partial").write_bytes(b"half")
    fastscan.scan(grid_file, out)
    fastscan.scan(grid_file, out, overwrite=True)
    assert sorted(path.name for path in out.iterdir()) == ["coherent-csi", "zarr.json"]


def test_where_no_new_store_can_be_made_the_old_one_is_put_back(
    scanned: Path, grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = files(scanned.parent)
    monkeypatch.setattr(location, "_root_file", full)
    with pytest.raises(FastscanError, match="can't be written: No space left on device"):
        fastscan.scan(grid_file, scanned, overwrite=True)
    assert files(scanned.parent) == before


def test_overwrite_leaves_nothing_beside_the_store(scanned: Path, grid_file: Path) -> None:
    before = sorted(scanned.parent.iterdir())
    fastscan.scan(grid_file, scanned, overwrite=True)
    assert sorted(scanned.parent.iterdir()) == before


def test_resume_changes_nothing_before_every_group_fits(scanned: Path, write: Write) -> None:
    before = files(scanned)
    other = write("other.toml", GRID.replace('["chi", "e6"]', '["eta", "e6"]').replace("num = 13", "num = 5"))
    with pytest.raises(FastscanError, match="nothing was changed"):
        fastscan.scan(other, scanned, resume=True)
    assert files(scanned) == before


@pytest.mark.parametrize("lost", ["likelihood/roots/c/0/0/0/0/0", "likelihood/change/c/0/0/0/0", "m_zprime/c/0"])
def test_a_lost_chunk_of_the_likelihood_is_no_limit(lost: str, scanned: Path) -> None:
    (scanned / E6 / lost).unlink()
    with pytest.raises(FastscanError, match=f"half-written or damaged: {lost} is lost"):
        list(answers.limits_of_store(str(scanned), Question()))


@pytest.mark.parametrize("content", ["{}", "null", "[]", "\x00\x01"])
@pytest.mark.parametrize("damaged", ["zarr.json", "coherent-csi/e6/zarr.json"])
def test_damaged_metadata_are_told(content: str, damaged: str, scanned: Path) -> None:
    (scanned / damaged).write_text(content)
    with pytest.raises(FastscanError):
        fastscan.open(scanned, E6)


def test_a_store_is_not_put_into_a_store(scanned: Path, grid_file: Path) -> None:
    with pytest.raises(FastscanError, match="inside a store"):
        fastscan.scan(grid_file, scanned / "sub")


def test_odd_places_are_told(grid_file: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for place, problem in {
        "": "is empty",
        "file://": "is empty",
        "a\0b": r"is a path or a URL, not 'a\\x00b'",
        5: "is a path or a URL, not 5",
        b"out.zarr": "is a path or a URL, not b'out.zarr'",
        str(tmp_path / ("x" * 300)): "can't be (read|written)",
        str(tmp_path / "loop"): "loop",
        str(tmp_path / "loop/out.zarr"): "loop",
        str(tmp_path / "pipe"): "pipe",
        "/dev/zero": "/dev/zero",
        "foo://x": "Protocol not known: foo",
    }.items():
        scan = partial(fastscan.scan, grid_file, place)
        questions = [partial(ask, place) for ask in (verify, store.describe, finish)]
        for ask in (scan, partial(scan, resume=True), partial(scan, overwrite=True), *questions):
            with pytest.raises(FastscanError, match="." if ask in questions else problem):
                ask()
    with pytest.raises(FastscanError, match="exclude each other"):
        fastscan.scan(grid_file, tmp_path / "new.zarr", resume=True, overwrite=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "target")
    fastscan.scan(grid_file, tmp_path / "dangling")
    assert (tmp_path / "target" / "zarr.json").is_file()


def test_a_combination_has_chi2_and_no_events(write: Write, tmp_path: Path) -> None:
    source = write(
        "g.toml",
        """
        models = ["chi"]
        [axes]
        m_zprime = { values = [100, 300, 900], unit = "GeV" }
        sigma_sys = { values = [0, 0.1] }
        [combine.fig6]
        experiments = ["coherent-csi", "connie", "cr51-lxe-c"]
        sigma_sys = { cr51-lxe-c = 0.0025 }
        """,
    )
    root = fastscan.scan(source, tmp_path / "out.zarr")
    cube = fastscan.open(root, "fig6/chi")
    assert set(cube.data_vars) == {"chi2"}
    expected = sum(
        fastscan.chi2(
            name,
            "chi",
            m_zprime=[[100], [300], [900]],
            sigma_sys=0.0025 if name == "cr51-lxe-c" else [0, 0.1],
        )
        for name in ("coherent-csi", "connie", "cr51-lxe-c")
    )
    assert cube.chi2.values[..., 0] == pytest.approx(expected, rel=1e-6)
    carried = next(from_cube.limit_records(store.read(root, "fig6/chi"), Question(at={"sigma_sys": [0.1]})))[
        "limit_gev"
    ]
    given = {"coherent-csi": 0.1, "connie": 0.1, "cr51-lxe-c": 0.0025}
    assert carried == pytest.approx(float(fastscan.limit(list(given), "chi", sigma_sys=given)), rel=1e-12)


def test_likelihoods_of_a_store_combine(write: Write, tmp_path: Path) -> None:
    source = write(
        "g.toml",
        """
        experiments = ["coherent-csi", "connie", "cr51-lxe-c"]
        models = ["chi", "eta"]
        [axes]
        m_zprime = { values = [100, 900], unit = "GeV" }
        """,
    )
    fastscan.scan(source, tmp_path / "out.zarr")
    names = ["coherent-csi", "connie", "cr51-lxe-c"]
    found = list(answers.limits_of_store(str(tmp_path / "out.zarr"), Question(), combined=names))
    assert [each["model"] for each in found] == ["chi", "eta"]
    for each in found:
        assert each["limit_gev"] == pytest.approx(float(fastscan.limit(names, each["model"])), rel=1e-12)
    with pytest.raises(FastscanError, match="did you mean 'connie'"):
        list(answers.limits_of_store(str(tmp_path / "out.zarr"), Question(), combined=["coherent-csi", "conie"]))


WITHOUT_SIGMA = """
experiments = ["conus", "connie"]
models = ["chi"]
[axes]
m_zprime = { values = [100, 900], unit = "GeV" }
[combine.both]
experiments = ["conus", "connie"]
sigma_sys = { connie = 0.05 }
"""


def test_a_store_without_the_sigma_sys_axis_answers_at_any(write: Write, tmp_path: Path) -> None:
    root = fastscan.scan(write("g.toml", WITHOUT_SIGMA), tmp_path / "out.zarr")
    asked = Question(at={"sigma_sys": [0.01, 0.3]})
    limits = [each["limit_gev"] for each in from_cube.limit_records(store.read(root, "conus/chi"), asked)]
    assert limits == pytest.approx(list(fastscan.limit("conus", "chi", sigma_sys=[0.01, 0.3])), rel=1e-12)


def test_a_combination_without_the_sigma_sys_axis_keeps_each_own(write: Write, tmp_path: Path) -> None:
    root = fastscan.scan(write("g.toml", WITHOUT_SIGMA), tmp_path / "out.zarr")
    cube = fastscan.open(root, "both/chi")
    expected = fastscan.chi2(["conus", "connie"], "chi", m_zprime=[100, 900], sigma_sys={"connie": 0.05})
    assert cube.chi2.values.ravel() == pytest.approx(expected, rel=1e-6)
    (found,) = from_cube.limit_records(store.read(root, "both/chi"))
    assert found["sigma_sys"] == {"conus": 0.2, "connie": 0.05}
    given = fastscan.limit(["conus", "connie"], "chi", sigma_sys={"connie": 0.05})
    assert found["limit_gev"] == pytest.approx(float(given), rel=1e-12)


@pytest.mark.parametrize("axis", ["", "sigma_sys = { values = [0, 0.1, 0.3] }\n"])
def test_a_combination_that_fixes_every_sigma_sys_is_the_same_along_it(axis: str, write: Write, tmp_path: Path) -> None:
    fixed = WITHOUT_SIGMA.replace("connie = 0.05", "conus = 0.1, connie = 0.05").replace("[combine", axis + "[combine")
    fastscan.scan(write("g.toml", fixed), tmp_path / "out.zarr")
    expected = float(fastscan.limit(["conus", "connie"], "chi", sigma_sys={"conus": 0.1, "connie": 0.05}))
    given = {"sigma_sys": {"conus": 0.1, "connie": 0.05}}
    chi2 = fastscan.chi2(["conus", "connie"], "chi", m_zprime=[100, 900], **given).astype("float32")
    stored = fastscan.open(tmp_path / "out.zarr", "both/chi").chi2
    assert (stored.values == chi2[:, None, None]).all()
    assert stored.sizes["sigma_sys"] == (3 if axis else 1)
    groups = ("both/chi",)
    for asked, number in (
        (Question(groups, at={"sigma_sys": [0.0, 0.2]}), 2),
        (Question(groups), 1),
        (Question(groups, at={"sigma_sys": "axis"}, stored=True), 3 if axis else 1),
        (Question(groups, stored=True), 1),
    ):
        records_found = list(answers.limits_of_store(tmp_path / "out.zarr", asked))
        assert len(records_found) == number
        for found in records_found:
            assert found["limit_gev"] == pytest.approx(expected, rel=1e-12)
            assert found["sigma_sys"] == {"conus": 0.1, "connie": 0.05}


def test_stored_values_are_read_at_the_sigma_sys_that_each_experiment_keeps(write: Write, tmp_path: Path) -> None:
    """With --from-cube the grid leaves the axis out, or contains the value that is asked for."""
    fastscan.scan(write("g.toml", WITHOUT_SIGMA), tmp_path / "out.zarr")
    stored_chi2 = Question(("both/chi",), stored=True)
    (stored,) = answers.limits_of_store(tmp_path / "out.zarr", stored_chi2)
    assert stored == next(answers.limits_of_store(tmp_path / "out.zarr", Question(("both/chi",))))
    axis = "sigma_sys = { values = [0.1, 0.2] }\n[combine"
    grid = WITHOUT_SIGMA.replace("[combine", axis).replace("connie", "coherent-csi")
    fastscan.scan(write("g.toml", grid), tmp_path / "axis.zarr")
    (stored,) = answers.limits_of_store(tmp_path / "axis.zarr", stored_chi2)
    assert stored["sigma_sys"] == {"conus": 0.2, "coherent-csi": 0.05}
    none_fixed = grid.replace("sigma_sys = { coherent-csi = 0.05 }", "")
    fastscan.scan(write("g.toml", none_fixed), tmp_path / "differ.zarr")
    with pytest.raises(FastscanError, match="both/chi: no stored chi2 has each experiment's own sigma_sys; say which"):
        list(answers.limits_of_store(tmp_path / "differ.zarr", stored_chi2))


def test_resume_computes_what_lost_its_chunk(scanned: Path, grid_file: Path) -> None:
    before = fastscan.open(scanned, E6).chi2.values
    (scanned / E6 / "chi2" / "c.0.0.0.0").unlink()
    with pytest.raises(FastscanError, match="lacks 1 of 1 tasks"):
        fastscan.open(scanned, E6)
    fastscan.scan(grid_file, scanned, resume=True)
    assert fastscan.open(scanned, E6).chi2.values.tobytes() == before.tobytes()


def test_resume_refuses_a_changed_experiment(grid_file: Path, scanned: Path) -> None:
    loaded = grid.load(grid_file)
    changed = replace(loaded.experiments[0], exposure_s=1e9)
    with pytest.raises(FastscanError, match=r"experiments\.coherent-csi\.exposure_s differ"):
        fastscan.scan(replace(loaded, experiments=(changed,)), scanned, resume=True)


def test_what_another_run_computed_is_left_where_its_group_lost_its_metadata(scanned: Path, write: Write) -> None:
    (scanned / E6 / "zarr.json").unlink()
    other = write("other.toml", GRID.replace('["chi", "e6"]', '["e6"]').replace("num = 13", "num = 5"))
    before = files(scanned)
    with pytest.raises(FastscanError, match=r"lost its zarr\.json, and holds what another run computed"):
        fastscan.scan(other, scanned, resume=True)
    assert files(scanned) == before


def test_a_group_that_nobody_knows_is_left(scanned: Path, grid_file: Path) -> None:
    shutil.rmtree(scanned / E6)
    zarr.create_group(scanned / E6)
    with pytest.raises(FastscanError, match=r"e6/zarr\.json is damaged, or nothing that fastscan made"):
        fastscan.scan(grid_file, scanned, resume=True)


def test_what_stands_in_the_way_of_a_group_is_told(scanned: Path, grid_file: Path) -> None:
    shutil.rmtree(scanned / "coherent-csi")
    (scanned / "coherent-csi").touch()
    with pytest.raises(FastscanError, match=r"out\.zarr/coherent-csi.*: Not a directory; what is done is kept"):
        fastscan.scan(grid_file, scanned, resume=True)


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_group_that_another_version_has_begun_is_waited_for(
    goes_on: bool, scanned: Path, grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metadata have other bytes, which stay if the version goes on, and are replaced if it doesn't."""
    made, metadata, rest = files(scanned), scanned / E6 / "zarr.json", scanned / E6 / "likelihood"
    begun = json.dumps(json.loads(metadata.read_text()), indent=8)
    metadata.write_text(begun)
    rest.rename(scanned.parent / "to come")
    if goes_on:
        threading.Timer(0.2, lambda: (scanned.parent / "to come").rename(rest)).start()
    else:
        monkeypatch.setattr(store, "SETTLE", 0.1)
    fastscan.scan(grid_file, scanned, resume=True)
    assert files(scanned) == made | ({f"{E6}/zarr.json": begun.encode()} if goes_on else {})


def test_rewording_what_no_number_follows_from_is_no_other_run(grid_file: Path, scanned: Path) -> None:
    loaded = grid.load(grid_file)
    experiments = (replace(loaded.experiments[0], title="In other words", references=("arXiv:0000.00000",)),)
    reworded = replace(
        loaded,
        title="Another title",
        experiments=experiments,
        models=tuple(replace(model, description="In other words") for model in loaded.models),
    )
    before = files(scanned)
    fastscan.scan(reworded, scanned, resume=True)
    assert {name for name, data in files(scanned).items() if before[name] != data} <= {"zarr.json"}


TWO = """
models = ["chi"]
[axes]
m_zprime = { values = [100, 900], unit = "GeV" }
[combine.two]
experiments = ["cr51-lxe-c", "connie"]
sigma_sys = { connie = 0.05 }
"""


def test_members_keep_their_order_where_metadata_are_written_anew(write: Write, tmp_path: Path) -> None:
    fastscan.scan(write("g.toml", TWO), tmp_path / "out.zarr")
    before = store.read(location.read_root(tmp_path / "out.zarr"), "two/chi").likelihood
    metadata = tmp_path / "out.zarr/two/chi/zarr.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()), sort_keys=True))
    again = store.read(location.read_root(tmp_path / "out.zarr"), "two/chi").likelihood
    assert again.members == before.members == ("cr51-lxe-c", "connie")
    other = write("other.toml", TWO.replace('"cr51-lxe-c", "connie"', '"connie", "cr51-lxe-c"'))
    with pytest.raises(FastscanError, match="another run: members differ"):
        fastscan.scan(other, tmp_path / "out.zarr", resume=True)


def test_a_combination_without_the_sigma_sys_axis_is_described(write: Write, tmp_path: Path) -> None:
    fastscan.scan(write("g.toml", TWO), tmp_path / "out.zarr")
    (group,) = store.describe(tmp_path / "out.zarr")
    assert list(group["axes"]) == ["m_zprime", "luminosity"]
    json.dumps(group, allow_nan=False)


def test_an_identity_that_was_changed_is_damage(scanned: Path) -> None:
    metadata = scanned / E6 / "zarr.json"
    text = json.loads(metadata.read_text())
    identity = json.loads(text["attributes"]["identity"])
    text["attributes"]["identity"] = json.dumps(identity | {"dtype": "float64"})
    metadata.write_text(json.dumps(text))
    with pytest.raises(FastscanError, match="what it was made from doesn't fit its hash"):
        fastscan.open(str(scanned), E6)


def test_without_xarray_open_says_what_to_install(scanned: Path) -> None:
    code = f"import sys; sys.modules['xarray'] = None; import fastscan; fastscan.open({str(scanned)!r}, {E6!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("opening a cube needs xarray: pip install 'fastscan[xarray]'")
