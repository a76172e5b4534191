"""How kernels are compiled: the options that all of them share, and one source compiled twice.

`jit` compiles a scalar formula or a helper, `Kernel` a loop over grid points that other wings call.

numba keeps compiled code on disk until the file of that function changes, whatever becomes of the other files whose
functions are compiled into it.  It names what it keeps after the function's qualified name.  So `jit` writes a digest
of all sources of this wing into that name: after any edit numba finds nothing old under the new name.
"""

import functools
import hashlib
import logging
import threading
from collections.abc import Callable
from multiprocessing import parent_process
from pathlib import Path
from types import FunctionType
from typing import Any

from numba import get_num_threads, njit
from numba.core.event import Event, Listener, register

from fastscan.errors import warn

log = logging.getLogger(__name__)
SERIAL_POINTS = 65536  # up to this many points, to wake threads costs more time than they save


INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}


def digest_of_sources() -> str:
    """SHA-256 of every source file of this wing, shortened to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("[!.]*.py")):  # editors keep files of their own behind a dot
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


SOURCES = digest_of_sources()


def jit(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile a scalar formula or a kernel, with the options that all kernels share.

    error_model "numpy" lets loops vectorise, nogil lets dask's threads run side by side, and the cache spares the next
    process the compilation.  fastmath stays off: it would delete checks for NaN and reorder sums.
    """
    function.__qualname__ = f"sources_{SOURCES}.{function.__qualname__}"
    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        compiled: Callable[..., Any] = njit(cache=True, **options)(function)
    except RuntimeError:  # numba's own list of places ends with the package's and the home directory's
        _warn_that_nothing_is_kept()
        compiled = njit(**options)(function)
    return compiled


def inner(function):
    return jit(function, **INNER)


@functools.cache
def _warn_that_nothing_is_kept() -> None:
    """Warn once that numba finds no directory for what it compiles; a worker's parent has done so already."""
    if parent_process() is None:
        problem = "numba can keep nothing of what it compiles, so that each process compiles it anew"
        warn(f"{problem}; set NUMBA_CACHE_DIR to a directory that can be written")


class _Compilations(Listener):
    """Logs the first compilation of a function of this wing; numba announces none of what it finds in its cache."""

    def on_start(self, event: Event) -> None:
        if event.data["dispatcher"].py_func.__module__.startswith(__package__):
            _log_that_kernels_are_compiled()

    def on_end(self, event: Event) -> None:
        """Nothing is said at the end."""


@functools.cache
def _log_that_kernels_are_compiled() -> None:
    log.info("compiling the numerical kernels, which takes some ten seconds at the first use")


register("numba:compile", _Compilations())


class Kernel:
    """One source, compiled twice: a decorator.

    `serial` releases the GIL and is for processes that run several tasks in threads.  `parallel` spreads over numba's
    threads and is for processes that do one thing at a time.  Both give the same numbers to the last bit.  The lock is
    there because numba's workqueue layer, the only one that every platform has, aborts the process when two threads
    enter it.
    """

    _lock = threading.Lock()

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__doc__ = function.__doc__
        twin = FunctionType(function.__code__, function.__globals__, f"{function.__name__}_parallel")
        twin.__qualname__ = twin.__name__  # otherwise numba would keep both under one name
        self.serial = jit(function)
        self._parallel = jit(twin, parallel=True)

    def parallel(self, *arguments: Any) -> Any:
        """Run on numba's threads; a second thread that calls this waits."""
        with self._lock:
            return self._parallel(*arguments)

    def of_size(self, points: int) -> Callable[..., Any]:
        """The faster of both for this number of points."""
        return self.parallel if points > SERIAL_POINTS else self.serial

    def chosen(self, points: int, in_parallel: bool | None) -> Callable[..., Any]:
        """The one that is asked for, or else the faster of both."""
        if in_parallel is None:
            return self.of_size(points)
        return self.parallel if in_parallel else self.serial


def threads() -> int:
    """Number of threads that a parallel kernel has."""
    count: int = get_num_threads()
    return count
