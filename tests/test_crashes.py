"""What happens when a scan is killed: real processes, kill -9."""

import os
import random
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import GRID

import fastscan
from fastscan import scanner, store
from fastscan.location import read_root

FASTSCAN, DASK = (str(Path(sysconfig.get_path("scripts")) / name) for name in ("fastscan", "dask"))
KILLS = 20
E6 = "coherent-csi/e6"


def records(out: Path) -> int:
    return sum(1 for _ in out.rglob("done.*.json"))


def chunks(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("c.*"))}


def test_killed_twenty_times_a_scan_is_the_same_and_little_is_repeated(tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    text = GRID.replace("num = 13", "num = 361").replace('["chi", "e6"]', '["e6"]')
    grid.write_text(f'{text}\n[store]\nchunk = "1 KiB"\ntask = "1 KiB"')
    fastscan.scan(grid, tmp_path / "undisturbed.zarr")
    out, rng, in_flight = tmp_path / "out.zarr", random.Random(0), len(os.sched_getaffinity(0))
    unfinished: set[int] = set()
    killed = 0
    while killed < KILLS:
        before = records(out)
        command = [FASTSCAN, "scan", grid, "-o", out, "--resume"]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while records(out) == before and running.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.random() / 100)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL, "the scan ended before it was killed often enough"
        killed += 1
        root = read_root(out)
        cube = store.read(root, E6)
        done = store.recorded_tasks(root, cube)
        keys = {task: store.chunk_keys(cube, task) for task in range(cube.layout.tasks)}
        written = {task for task in keys if any((out / E6 / key).exists() for key in keys[task])}
        assert done <= written
        assert len(written - done - unfinished) <= in_flight  # what this kill makes another run compute again
        unfinished = written - done
    fastscan.scan(grid, out, resume=True)
    assert chunks(out) == chunks(tmp_path / "undisturbed.zarr")
    assert not [path for path in out.rglob("*.partial")]
    scanner.finish(str(out))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A dask scheduler and two workers, as on a real cluster: its address, and the workers' processes."""
    address = f"tcp://127.0.0.1:{free_port()}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [DASK, "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"], **quiet
    )
    worker = [DASK, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    workers = [subprocess.Popen(worker, **quiet) for _ in range(2)]
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def test_a_worker_killed_in_a_scan_is_done_without(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, workers = cluster
    grid = tmp_path / "grid.toml"
    text = GRID.replace("num = 13", "num = 181").replace('["chi", "e6"]', '["e6"]')
    grid.write_text(f'{text}\n[store]\nchunk = "1 KiB"\ntask = "1 KiB"')
    fastscan.scan(grid, tmp_path / "undisturbed.zarr")
    out = tmp_path / "out.zarr"
    running = subprocess.Popen([FASTSCAN, "scan", grid, "-o", out, "--scheduler", address], stderr=subprocess.PIPE)
    while records(out) < 10 and running.poll() is None:
        time.sleep(0.001)
    assert running.poll() is None
    workers[0].kill()
    _, problem = running.communicate(timeout=60)
    assert running.returncode == 0, problem.decode()
    assert chunks(out) == chunks(tmp_path / "undisturbed.zarr")
