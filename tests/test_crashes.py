"""What happens when a scan is killed: real processes, kill -9."""

import os
import random
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

from conftest import GRID

import fastscan
from fastscan import scanner, store
from fastscan.location import read_root

FASTSCAN = str(Path(sysconfig.get_path("scripts")) / "fastscan")
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
