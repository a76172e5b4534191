"""Scans of counted events: their stores contain the likelihood's chi2, whatever processes and pieces compute it."""

import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from conftest import FASTSCAN, ok, refusal, scanned

import fastscan
from fastscan.answers import from_cube
from fastscan.answers.planes import plane_of
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import StoreError
from fastscan.interactions import catalogue
from fastscan.likelihoods import poisson
from fastscan.likelihoods.building import build
from fastscan.stores import carried, store
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root

CSI, LAR, GE = "coherent-csi-2021", "coherent-lar-2020", "coherent-ge"
GRID = """
experiments = ["coherent-csi-2021", "coherent-lar-2020", "coherent-ge"]
models = ["e6", "nsi-ee", "b-l"]

[combine.both]
experiments = ["coherent-csi-2021", "coherent-lar-2020"]

[combine.all]
experiments = ["coherent-ge", "coherent-csi-2021"]
sigma_sys = { coherent-ge = 0.1 }

[axes]
beta = { start = 0, stop = 180, num = 4, unit = "deg" }
m_zprime = { start = 1, stop = 1e6, num = 5, spacing = "log", unit = "MeV" }
g = { start = 1e-5, stop = 1e-2, num = 7, spacing = "log" }
eps_d = { start = -0.4, stop = 0.4, num = 3 }
eps_u = { start = -0.5, stop = 0.5, num = 11 }
sigma_sys = { values = [0, 0.1, 0.3] }
"""
E6_AXIS = 'm_zprime = { start = 100, stop = 3000, num = 6, spacing = "log", unit = "GeV" }'


def grid_of(models: str) -> str:
    """The grid with one kind of models, and with their axes alone."""
    used = {"e6": ("beta", "m_zprime"), "nsi-ee": ("eps_d", "eps_u"), "b-l": ("m_zprime", "g")}[models]
    lines = [
        line
        for line in GRID.replace('["e6", "nsi-ee", "b-l"]', f'["{models}"]').splitlines()
        if line.partition(" = {")[0] not in {"beta", "m_zprime", "g", "eps_d", "eps_u"} - {*used}
    ]
    return "\n".join(E6_AXIS if models == "e6" and line.startswith("m_zprime") else line for line in lines)


@pytest.fixture(scope="module", params=["e6", "nsi-ee", "b-l"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> zarr.Group:
    return read_root(scanned(grid_of(request.param), tmp_path_factory.mktemp(request.param)))


def cubes(root: zarr.Group) -> list[Cube]:
    return [store.read(root, name) for name in store.group_names(root)]


def chunks(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.glob("*/*/chi2/c.*"))}


def test_what_is_stored_is_what_is_computed_at_each_point(stored: zarr.Group) -> None:
    for cube in cubes(stored):
        values = np.asarray(fastscan.open(stored, cube.name).chi2)
        points = {name: each for name, each in cube.points.items() if name != "luminosity"}
        mesh = dict(zip(points, np.meshgrid(*points.values(), indexing="ij"), strict=True))
        members = cube.likelihood.members
        sigma = mesh.pop("sigma_sys")
        fixed = {"coherent-ge": 0.1} if cube.experiment == "all" else {}
        settings = {member: fixed.get(member, sigma) for member in members}
        ours = fastscan.chi2(members, cube.model, sigma_sys=settings, **mesh)
        assert values[..., 0] == pytest.approx(ours, rel=2e-7)


def test_a_combination_is_the_sum_of_its_members(stored: zarr.Group) -> None:
    """It is the sum if the members are independent, but not with their common flux."""
    model = cubes(stored)[0].model
    both, csi, lar = (np.asarray(fastscan.open(stored, f"{name}/{model}").chi2) for name in ("both", CSI, LAR))
    assert not np.allclose(both[..., 1:, :], (csi + lar)[..., 1:, :], rtol=1e-4)
    assert both[..., 0, :] == pytest.approx((csi + lar)[..., 0, :], rel=3e-7)  # sigma_sys = 0
    cube = store.read(stored, f"both/{model}")
    x, row = cube.x, np.zeros(1, np.intp)
    apart = cube.likelihood.independent().chi2(x, row, {"sigma_sys": 0.3})
    alone = sum(
        store.read(stored, f"{name}/{model}").likelihood.chi2(x, row, {"sigma_sys": 0.3}) for name in (CSI, LAR)
    )
    assert apart == pytest.approx(alone, rel=1e-12)


def test_what_a_store_carries_is_the_likelihood_to_the_last_bit(stored: zarr.Group) -> None:
    """The likelihoods of a store and of the experiments agree, also off the axes."""
    for cube in cubes(stored):
        values = {name: np.linspace(cube.points[name][0], cube.points[name][-1], 5) for name in cube.rows}
        again, row = cube.at_rows(values)
        fresh = build(
            [fastscan.experiments.load(member) for member in cube.likelihood.members],
            catalogue.load(cube.model),
            values,
            {"coherent-ge": 0.1} if cube.experiment == "all" else {},
        )
        x = np.linspace(0, 2, 5) * fresh.scale
        for sigma in (0.0, 0.12):
            expected = fresh.chi2(x, np.arange(5), {"sigma_sys": sigma})
            assert np.array_equal(again.chi2(x, row, {"sigma_sys": sigma}), expected)


def test_limits_of_a_store_are_those_without_one(stored: zarr.Group) -> None:
    for cube in cubes(stored):
        if not from_cube.has_limits(cube):
            with pytest.raises(fastscan.FastscanError, match="is not the SM"):
                list(from_cube.limit_records(cube))
            continue
        records = list(from_cube.limit_records(cube, Question(at={"sigma_sys": 0.1})))
        fixed = {member: 0.1 for member in cube.likelihood.members}
        rows = {name: cube.points[name] for name in cube.rows}
        limits = fastscan.limit(cube.likelihood.members, cube.model, sigma_sys=fixed, **rows)
        key = "limit_gev" if "limit_gev" in records[0] else "limit"
        assert [each[key] if each[key] is not None else math.nan for each in records] == pytest.approx(
            limits.tolist(), nan_ok=True
        )
        stored_too = list(from_cube.limit_records(cube, Question(at={"sigma_sys": 0.1}), stored))
        assert [each[key] for each in stored_too] == [each[key] for each in records]
        if not cube.is_measured:
            continue
        projected = fastscan.limit(cube.likelihood.members, cube.model, sigma_sys=fixed, asimov=True, **rows)
        expected = [each["expected_gev" if key == "limit_gev" else "expected"] for each in records]
        assert [math.nan if each is None else each for each in expected] == pytest.approx(
            np.where(np.isfinite(projected), projected, np.nan).tolist(), nan_ok=True
        )


def test_planes_show_what_is_stored(stored: zarr.Group) -> None:
    for cube in cubes(stored):
        axes = (cube.rows[0], cube.strength)
        question = Question(at={"sigma_sys": 0.1})
        plane, from_store = (plane_of(cube, PlaneAxes(axes), question, root) for root in (None, stored))
        assert from_store.values == pytest.approx(plane.values, rel=1e-6, abs=1e-4)
        assert plane.values.min() >= 0


@pytest.mark.parametrize("stored", ["b-l"], indirect=True)  # commands take seconds, whatever the model
def test_verify_computes_every_chunk_again_and_sees_damage(stored: zarr.Group, tmp_path: Path) -> None:
    place = tmp_path / "copy.zarr"
    shutil.copytree(str(stored.store.root), place)  # type: ignore[attr-defined]
    assert "damaged" not in ok("verify", place, "--all")
    (damaged, *_) = sorted(place.glob(f"{CSI}/*/chi2/c.*"))
    data = bytearray(damaged.read_bytes())
    data[3] ^= 64
    damaged.write_bytes(data)
    before = chunks(Path(str(stored.store.root)))  # type: ignore[attr-defined]
    assert subprocess.run([FASTSCAN, "verify", place], capture_output=True, check=False).returncode != 0
    grid = tmp_path / "grid.toml"
    grid.write_text(grid_of(cubes(stored)[0].model))
    ok("scan", grid, "-o", place, "--resume")
    assert chunks(place) == before


@pytest.mark.parametrize("stored", ["b-l"], indirect=True)  # commands take seconds, whatever the model
def test_pieces_threads_and_processes_change_nothing(stored: zarr.Group, tmp_path: Path) -> None:
    whole = chunks(Path(str(stored.store.root)))  # type: ignore[attr-defined]
    grid = tmp_path / "grid.toml"
    grid.write_text(grid_of(cubes(stored)[0].model))
    ok("scan", grid, "-o", tmp_path / "workers.zarr", "--workers", "2")
    assert chunks(tmp_path / "workers.zarr") == whole
    for part in (2, 1):
        ok("scan", grid, "-o", tmp_path / "parts.zarr", "--part", f"{part}/2")
    ok("finish", tmp_path / "parts.zarr")
    assert chunks(tmp_path / "parts.zarr") == whole


@pytest.mark.slow
def test_a_scan_that_is_killed_is_continued(tmp_path: Path) -> None:
    grid, places = tmp_path / "grid.toml", (tmp_path / "killed.zarr", tmp_path / "whole.zarr")
    text = (
        grid_of("b-l").replace("num = 5", "num = 30").replace('"coherent-lar-2020", "coherent-ge"]', '"coherent-ge"]')
    )
    text = text.replace('[combine.both]\nexperiments = ["coherent-csi-2021", "coherent-lar-2020"]\n', "")
    grid.write_text(f'{text}\n[store]\nchunk = "1 KiB"\n')
    scan = subprocess.Popen([FASTSCAN, "scan", grid, "-o", places[0]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while len(list(places[0].glob("*/*/chi2/done.*"))) < 3 and scan.poll() is None:
        pass
    scan.kill()
    scan.communicate()
    ok("scan", grid, "-o", places[0], "--resume")
    ok("scan", grid, "-o", places[1])
    assert chunks(places[0]) == chunks(places[1])


def test_counted_events_are_unpacked_as_they_were_packed(stored: zarr.Group) -> None:
    (all_of_them,) = (cube.likelihood.counted for cube in cubes(stored) if cube.experiment == "all")
    packed = poisson.packed(all_of_them)
    for one, other in zip(poisson.unpacked(packed), all_of_them, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.is_measured == other.is_measured
            for name in ("rates", "arriving", "background", "data", "effects"):
                assert np.array_equal(getattr(one, name), getattr(other, name))
    for name, wrong in (
        ("sizes", packed["sizes"] * np.nan),
        ("sizes", packed["sizes"] + 1),
        ("sizes", packed["sizes"] * 1e300),
        ("sizes", -packed["sizes"]),
        ("rates", packed["rates"][1:]),
        ("effects", np.concatenate([packed["effects"]] * 2)),
        ("observed", packed["observed"][:, 1:]),
        ("observed", packed["observed"][:1]),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - reading a store makes one line of any
            poisson.unpacked(packed | {name: wrong})


def test_counted_events_that_do_not_fit_are_refused(stored: zarr.Group) -> None:
    """Kernels trust the shapes, and somebody else's store can claim any shapes."""
    whole = store.read(stored, f"{CSI}/{cubes(stored)[0].model}").likelihood
    carried.require_counted(whole)
    (counts,) = whole.counted
    assert counts is not None
    for wrong in (
        replace(whole, counted=whole.counted * 2),
        replace(whole, counted=(replace(counts, rates=np.repeat(counts.rates, 7, axis=0)),)),
        replace(whole, counted=(replace(counts, rates=np.repeat(counts.rates, 9, axis=1)),)),
    ):
        with pytest.raises(ValueError, match="counted events don't fit"):
            carried.require_counted(wrong)


@pytest.mark.parametrize("stored", ["b-l"], indirect=True)  # commands take seconds, whatever the model
def test_a_store_whose_counted_events_are_damaged_is_told(stored: zarr.Group, tmp_path: Path) -> None:
    place = tmp_path / "copy.zarr"
    shutil.copytree(str(stored.store.root), place)  # type: ignore[attr-defined]
    group = f"{CSI}/{cubes(stored)[0].model}"
    (place / group / "counted" / "observed" / "c" / "0" / "0").unlink()
    with pytest.raises(StoreError, match="counted/observed/c/0/0 is lost"):
        fastscan.open(place, group)
    assert "is lost" in refusal("limits", place)
