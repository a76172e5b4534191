"""Dask clusters for the command line: processes on this machine, or a cluster that is running already.

Each worker here computes one task at a time, and the number of workers times their threads never exceeds the cores.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

from fastscan.errors import ScanError, quoted, tell_in_one_line
from fastscan.inputs.files import open_files

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10
FILES, FILES_EACH = 32, 16  # open files that dask's scheduler needs in this process: its own, and for each worker


def threads_each(workers: int) -> int:
    """Number of threads of each worker on this machine.

    Raises
    ------
    ScanError
        Where there are more workers than cores, or they need more open files than this process may have.
    """
    from dask.system import CPU_COUNT  # imported here, because a scan without workers has no need of it

    if not 1 <= workers <= CPU_COUNT:
        raise ScanError(f"--workers must be between 1 and this machine's {CPU_COUNT} cores, not {quoted(workers)}")
    needed, allowed = FILES + FILES_EACH * workers, open_files()
    if needed > allowed:
        raise ScanError(
            f"{workers} workers need {needed} open files, but only {allowed:.0f} are allowed; `ulimit -n {needed}` "
            "allows them"
        )
    return CPU_COUNT // workers


@contextmanager
def client(workers: int | None = None, scheduler: str | None = None) -> "Iterator[Client | None]":
    """A dask client of new worker processes, or of a running scheduler; None where neither is asked for.

    Parameters
    ----------
    workers : int, optional
        Number of processes to start on this machine.
    scheduler : str, optional
        Address of a scheduler that is running.

    Raises
    ------
    ScanError
        Where both are given, there are more workers than cores, or the scheduler doesn't answer.
    """
    if workers is not None and scheduler is not None:
        raise ScanError("--workers and --scheduler exclude each other")
    if workers is None and scheduler is None:
        yield None
        return
    import dask
    import distributed

    tell_in_one_line("distributed", "distributed.client", "tornado.application")  # they may log after an interrupt
    if scheduler is not None:
        try:
            joined = distributed.Client(scheduler, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise ScanError(f"no dask scheduler answers at {scheduler}: {error}") from None
        with joined:
            yield joined
        return
    assert workers is not None
    # workers would log cancelled tasks, which users need not see, because the scan itself reports on its tasks
    quiet = {"distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical"}
    with dask.config.set(quiet), _deaf_to_interrupts():
        local = distributed.LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers,
            threads_per_worker=1,
            env={"NUMBA_NUM_THREADS": threads_each(workers)},
            dashboard_address=":0",  # any free port: None would be dask's default port, also for a second cluster
            scheduler_kwargs={"dashboard": False},  # nobody knows its address, so nobody would open it
        )
    with local, distributed.Client(local) as started:  # type: ignore[no-untyped-call]
        yield started


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started here ignore a terminal's Ctrl-C; this process receives it and ends them.

    They inherit the signals that this thread blocks, and so do processes with which dask replaces them later.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows, where processes inherit no mask and need no tracker
        yield
        return
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")  # the tracker cleans up after killed processes
    resource_tracker.ensure_running()  # before anything is blocked, because it unblocks
    sys.warnoptions.pop()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
