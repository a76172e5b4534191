"""The threads of a task: whether a task has all threads of its process to itself."""

import os
import sys
from contextlib import suppress


def is_alone() -> bool:
    """Whether a task has all threads of its process, which is so in a worker that runs one task at a time.

    NUMBA_NUM_THREADS must be set to a worker's number of threads, because numba's default is all cores for each worker.
    """
    if "NUMBA_NUM_THREADS" in os.environ and "distributed" in sys.modules:
        from distributed import get_worker

        with suppress(ValueError):  # there is no worker: the task runs in a thread of this process
            return get_worker().state.nthreads == 1
    return False
