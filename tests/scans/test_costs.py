"""The costs of a scan: they are known beforehand, and refused where the scan can't fit or would be refused."""

import os
import re
from pathlib import Path

import pytest
from conftest import GRID, REPOSITORY, ok, refusal, run, with_store


@pytest.mark.slow
def test_dry_run(tmp_path: Path) -> None:
    told = ok("scan", REPOSITORY / "grids/coherent-csi.toml", "-o", tmp_path / "x.zarr", "--dry-run").splitlines()
    assert told[6].split() == ["coherent-csi/e6", "9.0", "M", "3", "36.9", "MB", "12.1", "MB"]
    assert told[7] == "to do: 9.2 M points in 8 tasks, 37.9 MB with the events"
    assert "24.2 MB for each of" in told[8]
    (tmp_path / "huge.toml").write_text(GRID.replace("num = 37", "num = 1000000").replace("num = 13", "num = 100000"))
    huge = run("scan", tmp_path / "huge.toml", "-o", tmp_path / "x.zarr", "--dry-run")
    assert huge.returncode == 2
    assert "but only" in huge.stderr
    assert "TB with the events" in huge.stdout
    assert not (tmp_path / "x.zarr").exists()
    (tmp_path / "slivers.toml").write_text(
        with_store(GRID.replace("num = 37", "num = 1000000"), chunk="1 KiB", task="1 KiB")
    )
    slivers = run("scan", tmp_path / "slivers.toml", "-o", tmp_path / "x.zarr", "--dry-run")
    assert "store: cuts a cube into 1066611 tasks; a larger chunk or task makes at most 1000000" in slivers.stderr
    assert "no limit known at s3://b/x" in ok(
        "scan", REPOSITORY / "grids/coherent-csi.toml", "-o", "s3://b/x", "--dry-run"
    )


def test_a_dry_run_tells_what_the_scan_with_the_same_options_would_take(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(with_store(GRID, chunk="4 KiB", task="4 KiB"))

    def told(*options: object) -> list[str]:
        return ok("scan", "grid.toml", "-o", "out.zarr", "--dry-run", *options, cwd=tmp_path).splitlines()[-3:]

    tasks = 14  # one for chi, 13 for e6
    assert f"in {tasks} tasks" in told()[0]
    assert f"in {tasks // 2} tasks" in told("--part", "2/2")[0]
    assert "for each task in flight" in told("--scheduler", "tcp://127.0.0.1:1")[1]
    assert "available here" not in told("--workers", "1")[1]
    ok("scan", "grid.toml", "-o", "out.zarr", "--part", "1/2", cwd=tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert f"in {tasks // 2} tasks" in told("--resume")[0]
    assert "to do: 0 points in 0 tasks" in told("--part", "1/2")[0]
    assert f"in {tasks} tasks" in told("--overwrite")[0]
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "other.toml").write_text(GRID.replace("num = 37", "num = 38"))
    refused = run("scan", "other.toml", "-o", "out.zarr", "--dry-run", "--resume", cwd=tmp_path)
    assert refused.returncode == 2
    assert "axes.m_zprime.num" in refused.stderr


@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["scan", "dry run"])
def test_a_scan_that_no_memory_can_hold_is_refused(options: list[str], tmp_path: Path) -> None:
    """Ten thousand tasks of more than 1 GB each are in flight; the location has no disk that could be too small."""
    huge = GRID.replace("num = 13", "num = 20000").replace("num = 37", "num = 1000").replace("num = 7", "num = 300")
    huge = huge.replace("values = [1, 10, 1000]", "start = 1, stop = 1000, num = 300").replace('"chi", ', "")
    (tmp_path / "grid.toml").write_text(with_store(huge, chunk="400 MiB", task="400 MiB"))
    environment = {**os.environ, "DASK_NUM_WORKERS": "10000"}
    problem = refusal("scan", tmp_path / "grid.toml", "-o", "memory://x", *options, env=environment)
    assert re.search(r"10000 tasks in flight need \d+\.0 MB of memory, but only [\d.]+ MB are available", problem)
