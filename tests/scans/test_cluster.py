"""The clusters of the command line: the threads of each worker, and the threads that a kernel uses."""

from collections.abc import Iterator
from pathlib import Path

import dask.threaded
import numba
import pytest
from conftest import GRID, Write, arrays, scanned, with_store
from dask.system import CPU_COUNT as CORES
from distributed import Client, LocalCluster

import fastscan
from fastscan.scans import cluster, scanner
from fastscan.scans.plan import plan
from fastscan.scans.threads import is_alone

SMALL = GRID.replace("num = 37", "num = 25").replace("num = 7", "num = 3")


@pytest.fixture(scope="module", params=sorted({1, CORES}))
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A cluster of the command line; the environment, which dask changes, is restored afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_NUM_THREADS", "")
        patch.delenv("NUMBA_NUM_THREADS")
        with cluster.client(request.param) as started:
            assert started is not None
            yield started


def test_numbas_threads_times_workers_are_the_cores(client: Client) -> None:
    threads = client.run(numba.get_num_threads)
    assert set(threads.values()) == {CORES // len(threads)}


def test_a_kernel_has_all_threads_of_a_worker_that_has_one_task_at_a_time(client: Client) -> None:
    assert client.submit(is_alone, pure=False).result()


def test_a_kernel_has_one_thread_in_a_worker_that_has_several_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own cluster can have such workers, whose threads compute tasks side by side."""
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    settings = {"n_workers": 1, "dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}}
    with (
        LocalCluster(threads_per_worker=2, **settings) as local,
        Client(local) as client,
    ):
        assert not client.submit(is_alone, pure=False).result()


def test_a_kernel_has_one_thread_where_tasks_run_in_threads_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", str(CORES))
    assert not dask.threaded.get({"task": (is_alone,)}, "task")


@pytest.mark.parametrize("client", [1], indirect=True)
def test_a_cluster_is_given_new_tasks_as_it_does_the_old_ones(
    client: Client, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster has only few tasks at a time, however many there are."""
    monkeypatch.setattr(scanner, "SUBMITTED", 3)
    grid = write("many.toml", with_store(SMALL, chunk="1 KiB", task="1 KiB"))
    calls: list[scanner.Progress] = []
    known: list[int] = []

    def progress(now: scanner.Progress) -> None:
        calls.append(now)
        known.append(len(client.futures))

    fastscan.scan(grid, tmp_path / "many.zarr", client=client, progress=progress)
    tasks = sum(cube.layout.tasks for cube in plan(grid))
    assert [now.tasks for now in calls] == list(range(tasks + 1))
    assert tasks > 10
    assert max(known) <= 3
    assert arrays(tmp_path / "many.zarr") == arrays(scanned(SMALL, tmp_path))
