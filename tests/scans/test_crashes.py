"""Scans that are killed, disturbed, or left without a place to write: real processes, real disks, kill -9."""

import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import dask
import psutil
import pytest
from conftest import DASK, FASTSCAN, GRID, MANY_TASKS, free_port, many_tasks, run, scanned, slow, with_store
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster

import fastscan
from fastscan.answers.answers import limits_of_store
from fastscan.answers.question import Question
from fastscan.errors import FastscanError
from fastscan.scans import scanner
from fastscan.scans.verify import verify
from fastscan.stores import store
from fastscan.stores.chunks import chunk_keys, recorded_tasks
from fastscan.stores.location import read_root

KILLS = 20
PATIENCE = 120  # seconds, after which a process counts as hanging
E6 = "coherent-csi/e6"


def records(out: Path) -> int:
    return sum(1 for _ in out.rglob("done.*.json"))


def chunks(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("c.*"))}


@pytest.mark.parametrize(("model", "kills"), [slow("e6", KILLS), ("b-l", 2), slow("nsi-ee", 5)])
def test_killed_again_and_again_a_scan_is_the_same_and_little_is_repeated(
    model: str, kills: int, tmp_path: Path
) -> None:
    grid, group = tmp_path / "grid.toml", f"coherent-csi/{model}"
    grid.write_text(many_tasks(model).replace("num = 181", "num = 361"))
    fastscan.scan(grid, tmp_path / "undisturbed.zarr")
    out, rng, in_flight = tmp_path / "out.zarr", random.Random(0), CPU_COUNT
    unfinished: set[int] = set()
    killed = 0
    while killed < kills:
        before = records(out)
        command = [FASTSCAN, "scan", grid, "-o", out, "--resume"]
        running = subprocess.Popen(command, stdout=PIPE, stderr=PIPE)
        while records(out) == before and running.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.random() / 100)
        running.send_signal(signal.SIGKILL)
        _, told = running.communicate(timeout=PATIENCE)
        assert running.returncode == -signal.SIGKILL, f"it ended before it was killed often enough: {told.decode()}"
        killed += 1
        root = read_root(out)
        cube = store.read(root, group)
        done = recorded_tasks(root, cube)
        keys = {task: chunk_keys(cube, task) for task in range(cube.layout.tasks)}
        written = {task for task in keys if any((out / group / key).exists() for key in keys[task])}
        assert done <= written
        assert len(written - done - unfinished) <= in_flight  # tasks to be computed again
        unfinished = written - done
    fastscan.scan(grid, out, resume=True)
    assert chunks(out) == chunks(tmp_path / "undisturbed.zarr")
    assert not [path for path in out.rglob("*.partial")]
    scanner.finish(str(out))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A dask scheduler and two workers, as on a real cluster: its address, and the processes, the scheduler last."""
    address = f"tcp://127.0.0.1:{free_port()}"
    everything = {name: value for name, value in os.environ.items() if name != "FASTSCAN_HIDE"}  # dask needs everything
    with (tmp_path / "dask.log").open("wb") as log:  # their output is shown if a test fails
        told: Any = {"stdout": log, "stderr": log, "env": everything}
        scheduler = subprocess.Popen(
            [DASK, "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"], **told
        )
        worker = [DASK, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        workers = [subprocess.Popen(worker, **told) for _ in range(2)]
    yield address, [*workers, scheduler]
    for process in (*workers, scheduler):
        process.kill()
        process.wait(PATIENCE)
    print((tmp_path / "dask.log").read_text())


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    (tmp_path / "grid.toml").write_text(MANY_TASKS)
    return tmp_path / "grid.toml"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return chunks(scanned(MANY_TASKS, tmp_path_factory.mktemp("undisturbed")))


def started(out: Path, *arguments: object, tasks: int = 10) -> "subprocess.Popen[bytes]":
    """A running scan that has done some tasks."""
    scan = subprocess.Popen([FASTSCAN, "scan", *map(str, arguments), "-o", out], stdout=PIPE, stderr=PIPE)
    while records(out) < tasks and scan.poll() is None:
        time.sleep(0.001)
    assert scan.poll() is None, scan.communicate(timeout=PATIENCE)
    return scan


def test_a_worker_killed_in_a_scan_is_done_without(
    cluster: "tuple[str, list[subprocess.Popen[bytes]]]", grid: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    address, (worker, *_) = cluster
    calls: list[scanner.Progress] = []

    def kill(now: scanner.Progress) -> None:
        calls.append(now)
        if now.tasks == 10:
            worker.kill()

    with Client(address) as client:
        client.wait_for_workers(2)
        fastscan.scan(grid, tmp_path / "out.zarr", client=client, progress=kill)
    assert chunks(tmp_path / "out.zarr") == undisturbed
    assert calls[-1].tasks == calls[-1].tasks_to_do
    assert calls[-1].retried > calls[10].retried == 0 == calls[-1].failed


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_told(grid: Path, tmp_path: Path) -> None:
    def kill(now: scanner.Progress) -> None:
        if now.tasks == 10:
            os.kill(worker, signal.SIGKILL)

    quiet = {"dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}, "silence_logs": logging.CRITICAL}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, **quiet) as local,
        Client(local) as client,
    ):
        worker = next(iter(client.run(os.getpid).values()))
        with pytest.raises(
            FastscanError, match=r"\d of 724 tasks failed: it killed each worker that computed it; what is done"
        ):
            fastscan.scan(grid, tmp_path / "out.zarr", client=client, progress=kill)
        client.wait_for_workers(2)  # a cluster that ends while a worker starts can stumble


@pytest.mark.slow
def test_a_scheduler_that_is_gone_is_told(
    cluster: tuple[str, "list[subprocess.Popen[bytes]]"], grid: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    address, (*_, scheduler) = cluster
    scan = started(tmp_path / "out.zarr", grid, "--scheduler", address)
    scheduler.kill()
    _, told = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 2
    assert told.decode().splitlines()[1:] == [
        f"fastscan: {tmp_path}/out.zarr: the dask scheduler is gone; what is done is kept, --resume continues"
    ]
    fastscan.scan(grid, tmp_path / "out.zarr", resume=True)
    assert chunks(tmp_path / "out.zarr") == undisturbed


@pytest.mark.slow
def test_workers_find_a_relative_path_wherever_they_were_started(
    cluster: tuple[str, "list[subprocess.Popen[bytes]]"], grid: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    address, (worker, *_) = cluster
    assert psutil.Process(worker.pid).cwd() != str(tmp_path)
    command = [FASTSCAN, "scan", grid.name, "-o", "out.zarr", "--scheduler", address]
    scan = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert scan.returncode == 0, scan.stderr
    assert chunks(tmp_path / "out.zarr") == undisturbed


def test_identical_scans_at_the_same_time_are_one(grid: Path, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    out = tmp_path / "out.zarr"
    together = [subprocess.Popen([FASTSCAN, "scan", grid, "-o", out, "--part", "1/1"]) for _ in range(2)]
    assert [scan.wait(PATIENCE) for scan in together] == [0, 0]
    assert chunks(out) == undisturbed
    scanner.finish(str(out))


@pytest.mark.parametrize(
    ("model", "old", "new", "axis"),
    [
        ("e6", "stop = 2000", "stop = 2001", "m_zprime"),
        slow("b-l", "stop = 10", "stop = 11", "g"),
        slow("nsi-ee", "stop = 1,", "stop = 1.5,", "eps_u"),
    ],
)
def test_another_scan_of_the_same_group_is_refused_while_one_runs(
    model: str, old: str, new: str, axis: str, tmp_path: Path
) -> None:
    out, grid, other = tmp_path / "out.zarr", tmp_path / "grid.toml", tmp_path / "other.toml"
    undisturbed = chunks(scanned(many_tasks(model), tmp_path))
    out.rename(tmp_path / "undisturbed.zarr")
    other.write_text(many_tasks(model).replace(old, new))
    scan = started(out, grid)
    with pytest.raises(FastscanError, match=rf"from another run: axes\.{axis}\.stop differ; nothing was changed"):
        fastscan.scan(other, out, resume=True)
    _, problem = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 0, problem.decode()
    assert chunks(out) == undisturbed


def test_of_different_scans_that_start_at_once_one_has_the_group(tmp_path: Path) -> None:
    undisturbed = {}
    for stop in (2000, 2001):
        (tmp_path / f"{stop}.toml").write_text(MANY_TASKS.replace("stop = 2000", f"stop = {stop}"))
        fastscan.scan(tmp_path / f"{stop}.toml", tmp_path / f"{stop}.zarr")
        undisturbed[stop] = chunks(tmp_path / f"{stop}.zarr")
    out = tmp_path / "out.zarr"
    commands = {stop: [FASTSCAN, "scan", tmp_path / f"{stop}.toml", "-o", out, "--part", "1/1"] for stop in undisturbed}
    scans = {stop: subprocess.Popen(command, stdout=PIPE, stderr=PIPE) for stop, command in commands.items()}
    told = {stop: scan.communicate(timeout=PATIENCE)[1].decode() for stop, scan in scans.items()}
    (first,) = [stop for stop, scan in scans.items() if scan.returncode == 0]
    (second,) = [stop for stop, scan in scans.items() if scan.returncode == 2]
    assert "axes.m_zprime.stop differ; nothing was changed" in told[second]
    assert chunks(out) == undisturbed[first]


# --- Signals ---


def heeding(*arguments: object, **options: object) -> "subprocess.Popen[str]":
    """A command that receives signals, even if the tests' parent ignores them; it has its own process group."""

    def heed() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    command = [FASTSCAN, *map(str, arguments)]
    settings = {"preexec_fn": heed, "start_new_session": True, "text": True, **options}
    return subprocess.Popen(command, stdout=PIPE, stderr=PIPE, **settings)  # type: ignore[call-overload, no-any-return]


def wait_for_answers(process: "subprocess.Popen[str]") -> None:
    """Wait until a command handles SIGTERM, which Python itself doesn't, and so handles all signals."""
    status = Path(f"/proc/{process.pid}/status")
    while True:
        caught = re.search(r"SigCgt:\s*(\w+)", status.read_text())
        if process.poll() is not None or (caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1):
            return


@pytest.mark.parametrize("delay", [0, 0.05, *map(slow, (0.001, 0.003, 0.01, 0.02, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5))])
@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_while_modules_load_is_one_line(
    number: signal.Signals, word: str, delay: float, grid: Path, tmp_path: Path
) -> None:
    scan = heeding("scan", grid, "-o", tmp_path / "out.zarr")
    wait_for_answers(scan)
    time.sleep(delay)
    scan.send_signal(number)
    printed, told = scan.communicate(timeout=PATIENCE)
    assert (scan.returncode, printed) == (128 + number, "")
    assert "Traceback" not in told
    assert told.splitlines()[-1].startswith(f"fastscan: {word}")


def test_a_signal_while_multiprocessing_is_imported_is_one_line() -> None:
    code = (
        "import os, signal, sys, types; from fastscan.commands import signals; "
        "signal.signal(signal.SIGINT, signal.SIG_DFL); signals.answer(); "
        "sys.modules['multiprocessing'] = types.ModuleType('multiprocessing'); os.kill(os.getpid(), signal.SIGINT)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "fastscan: interrupted\n")


def test_signals_are_answered_before_anything_is_imported() -> None:
    code = "import sys; before = {*sys.modules}; import fastscan.__main__; print(*{*sys.modules} - before)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in loaded} <= {"fastscan", "importlib", "warnings"}
    assert {name for name in loaded if "fastscan" in name} == {"fastscan", "fastscan.__main__"}


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["threads", "workers"])
@pytest.mark.parametrize("everyone", [slow(False), True], ids=["the command", "its group"])
def test_a_scan_that_is_terminated_says_what_is_done_and_leaves_no_process(
    options: list[str], everyone: bool, grid: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """A batch system sends SIGTERM to all processes of a job, or to the first one."""
    out = tmp_path / "out.zarr"
    scan = heeding("scan", grid, "-o", out, *options)
    while records(out) < 10 and scan.poll() is None:
        time.sleep(0.001)
    started = psutil.Process(scan.pid).children(recursive=True)
    os.killpg(scan.pid, signal.SIGTERM) if everyone else scan.terminate()
    printed, told = scan.communicate(timeout=PATIENCE)
    assert (scan.returncode, printed) == (143, "")
    (ended,) = told.splitlines()[1:]
    assert re.fullmatch(r"fastscan: terminated; \d+ of 724 tasks are done; --resume continues", ended)
    assert not psutil.wait_procs(started, timeout=PATIENCE)[1]
    fastscan.scan(grid, out, resume=True)
    assert chunks(out) == undisturbed
    scanner.finish(str(out))


def test_a_signal_that_the_caller_ignores_is_ignored(grid: Path, tmp_path: Path) -> None:
    """A command under nohup, or in the background of a shell script, has such a caller."""
    out = tmp_path / "out.zarr"
    scan = heeding("scan", grid, "-o", out, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    while records(out) < 10 and scan.poll() is None:
        time.sleep(0.001)
    scan.send_signal(signal.SIGINT)
    _, told = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 0, told


def test_the_library_leaves_signals_alone(grid: Path, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    fastscan.scan(grid, tmp_path / "out.zarr")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- Stores that others touch ---


def clean(told: str) -> list[str]:
    """The output of a command without its announcement of the scan."""
    assert "Traceback" not in told
    return [line for line in told.splitlines() if "tasks to compute" not in line]


@pytest.mark.parametrize("options", [[], ["--workers", "1"]], ids=["threads", "workers"])
def test_a_scan_whose_store_is_deleted_says_so(options: list[str], grid: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    scan = started(out, grid, *options)
    out.rename(tmp_path / "elsewhere.zarr")  # at once; rmtree would race with the scan
    shutil.rmtree(tmp_path / "elsewhere.zarr")
    _, told = scan.communicate(timeout=PATIENCE)
    gone = "the store is gone: it was deleted or replaced while the scan ran"
    assert (scan.returncode, clean(told.decode())) == (2, [f"fastscan: {out}: {gone}"])
    assert not out.exists()


def test_a_scan_whose_store_is_replaced_says_so_and_leaves_the_other(grid: Path, tmp_path: Path) -> None:
    """None of its chunks gets into the other store, whose groups have the same names."""
    out, other = tmp_path / "out.zarr", tmp_path / "other.toml"
    other.write_text(MANY_TASKS.replace("stop = 2000", "stop = 2001"))
    fastscan.scan(other, tmp_path / "undisturbed.zarr")
    scan = started(out, grid)
    fastscan.scan(other, out, overwrite=True)
    _, told = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 2
    (problem,) = clean(told.decode())
    assert "the store is gone: it was deleted or replaced while the scan ran" in problem
    assert chunks(out) == chunks(tmp_path / "undisturbed.zarr")


def test_tasks_that_are_deleted_under_a_scan_are_told(grid: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"

    def delete(now: scanner.Progress) -> None:
        if now.tasks == 700:
            for record in list(out.rglob("done.*.json"))[:5]:
                record.unlink()

    with pytest.raises(FastscanError, match="5 tasks were deleted while the scan ran; resume=True computes them anew"):
        fastscan.scan(grid, out, progress=delete)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        slow(["--overwrite"], ["scan", "grid.toml", "-o", "out.zarr", "--overwrite"]),
        (["--overwrite"], ["scan", "other.toml", "-o", "out.zarr", "--overwrite"]),
        slow(["--overwrite"], ["verify", "out.zarr"]),
        (["--overwrite"], ["limits", "out.zarr"]),
        slow([], ["scan", "grid.toml", "-o", "out.zarr"]),
    ],
    ids=["two that overwrite", "two that differ", "and verify", "and limits", "two plain ones"],
)
@pytest.mark.parametrize("delay", [slow(0), 0.05, slow(0.3)])
def test_what_runs_at_once_ends_well_or_in_one_line(
    one: list[str], other: list[str], delay: float, tmp_path: Path
) -> None:
    few = with_store(GRID, chunk="2 KiB", task="2 KiB")
    (tmp_path / "grid.toml").write_text(few)
    (tmp_path / "other.toml").write_text(few.replace("stop = 2000", "stop = 2001"))
    if one:
        fastscan.scan(tmp_path / "grid.toml", tmp_path / "out.zarr")
    first = heeding("scan", "grid.toml", "-o", "out.zarr", *one, cwd=tmp_path)
    time.sleep(delay)
    second = heeding(*other, cwd=tmp_path)
    for command in (first, second):
        _, told = command.communicate(timeout=PATIENCE)
        assert command.returncode in (0, 2)
        assert len(clean(told)) == (command.returncode == 2)
    repaired = {
        name: run("scan", f"{name}.toml", "-o", "out.zarr", "--resume", cwd=tmp_path) for name in ("grid", "other")
    }
    assert 0 in [each.returncode for each in repaired.values()]
    assert [(each.damaged, each.missing) for each in verify(tmp_path / "out.zarr", everything=True)] == [((), ())] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grid.toml", "other.toml", "out.zarr"]


# --- Disks ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=16m", "tmpfs"]
    if subprocess.run(["mount", *options, place], check=False, capture_output=True).returncode != 0:
        pytest.skip("file systems can't be mounted here; test_files_that_may_not_grow_are_told does without")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with suppress(OSError), path.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(65536))


def test_a_full_disk_is_told_and_the_scan_resumed(small_disk: Path, grid: Path, undisturbed: dict[str, bytes]) -> None:
    out = small_disk / "out.zarr"
    scan = started(out, grid)
    fill(small_disk / "filler")
    _, told = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 2
    (problem,) = told.decode().splitlines()[1:]
    assert "4 of 724 tasks failed: No space left on device; what is done is kept, --resume continues" in problem
    with pytest.raises(FastscanError, match="lacks"):
        fastscan.open(str(out), E6)
    (small_disk / "filler").unlink()
    fastscan.scan(grid, out, resume=True)
    assert chunks(out) == undisturbed


def test_a_store_is_replaced_where_both_do_not_fit(small_disk: Path, grid: Path, undisturbed: dict[str, bytes]) -> None:
    out = small_disk / "out.zarr"
    fastscan.scan(grid, out)
    with (small_disk / "filler").open("wb") as filler:
        filler.write(bytes(shutil.disk_usage(small_disk).free - 100_000))
    fastscan.scan(grid, out, overwrite=True)
    assert chunks(out) == undisturbed


def test_a_read_only_store_answers_and_is_not_written(small_disk: Path, grid: Path) -> None:
    out = small_disk / "out.zarr"
    fastscan.scan(grid, out)
    found = list(limits_of_store(out, Question()))
    (out / E6 / "chi2" / "done.3.json").unlink()
    damaged = out / E6 / "chi2" / "c.5.0.0.0"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert list(limits_of_store(out, Question())) == found
    for write in (
        partial(fastscan.scan, grid, out, resume=True),
        partial(fastscan.scan, grid, out, overwrite=True),
        partial(verify, out),
    ):
        with pytest.raises(FastscanError, match="Read-only file system"):
            write()


def test_files_that_may_not_grow_are_told(grid: Path, tmp_path: Path) -> None:
    """This replaces a full disk where none can be mounted."""
    grid.write_text(MANY_TASKS.replace("1 KiB", "64 KiB"))
    command = f"ulimit -f 48; exec {FASTSCAN} scan {grid} -o {tmp_path}/out.zarr"
    scan = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert scan.returncode == 2
    (problem,) = scan.stderr.splitlines()[1:]
    assert "4 of 9 tasks failed: File too large; what is done is kept, --resume continues" in problem
