"""How kernels are compiled, and how one is spread over cores.

`jit` compiles a scalar formula or a helper, `inner` a helper that only compiled code calls, and `Kernel` a loop over
grid points that other wings call.

numba keeps the compiled code of a function on disk until the function's own file changes, even if functions of other
files are compiled into it.  It names the compiled code after the function's qualified name.  So `jit` writes a digest
of all sources of this wing into that name: after any edit numba finds nothing old under the new name.
"""

import functools
import hashlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from numba import config, get_num_threads, njit
from numba.core.event import Event, Listener, register
from numba.np.ufunc import threading_layer

from fastscan.errors import warn

log = logging.getLogger(__name__)
SERIAL_POINTS = 65536  # up to this many points, waking threads costs more time than they save
SHARES = 8  # shares of the work for each thread: some cost more, and a thread that is done takes the next share


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


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that only compiled code calls, and that makes no array; Python can't call it.

    numba then leaves out the counting of references to arrays, which costs more than the arithmetic of a short
    function, and the code that unpacks Python's objects, which takes most of the time of compilation.
    """
    return jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


@functools.cache
def _warn_that_nothing_is_kept() -> None:
    """Warn once that numba finds no directory for what it compiles; a worker's parent has done so already."""
    if parent_process() is None:
        problem = "numba can keep nothing of what it compiles, so that each process compiles it anew"
        warn(f"{problem}; set NUMBA_CACHE_DIR to a directory that can be written")


class _Compilations(Listener):
    """Logs the first compilation of a function of this wing; what numba finds in its cache is not compiled."""

    def on_start(self, event: Event) -> None:
        if event.data["dispatcher"].py_func.__module__.startswith(__package__):
            _log_that_kernels_are_compiled()

    def on_end(self, event: Event) -> None:
        """Log nothing at the end."""


@functools.cache
def _log_that_kernels_are_compiled() -> None:
    log.info("compiling the numerical kernels, which takes some ten seconds at the first use")


register("numba:compile", _Compilations())


_of_thread = threading.local()


@contextmanager
def in_one_thread() -> Iterator[None]:
    """Run this thread's kernels in this thread alone: for callers that run many such threads side by side."""
    before = getattr(_of_thread, "is_alone", False)
    _of_thread.is_alone = True
    try:
        yield
    finally:
        _of_thread.is_alone = before


class Kernel:
    """A loop over numbered pieces of work, such as columns, that threads share: a decorator.

    The last two arguments of the loop are the number of the first piece and the number after that of the last piece.
    The loop writes its results to arrays of the caller, and is compiled once.  Compiled code doesn't hold Python's
    lock, so that Python's own threads can share the pieces among cores.  A piece is computed by the same operations
    whichever thread computes it, so that results depend neither on threads nor on shares, to the last bit.

    Attributes
    ----------
    compiled : callable
        The compiled loop.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__doc__ = function.__doc__
        self.compiled = jit(function)

    def run(self, pieces: int, points: int, in_parallel: bool | None, *arguments: Any) -> list[Any]:
        """Compute all pieces.

        Parameters
        ----------
        pieces : int
            Number of pieces.
        points : int
            Number of grid points in all pieces together.
        in_parallel : bool or None
            Whether to spread the pieces over threads; None does so for more than `SERIAL_POINTS` points, except within
            `in_one_thread`.
        *arguments
            The arguments of the loop that come before its range.

        Returns
        -------
        list
            What the loop returned for each share of the pieces, in any order.
        """
        if in_parallel is None:
            in_parallel = points > SERIAL_POINTS and not getattr(_of_thread, "is_alone", False)
        number = threads() if in_parallel else 1
        if number == 1:
            return [self.compiled(*arguments, 0, pieces)]
        shares = min(pieces, number * SHARES)
        left = deque((pieces * share // shares, pieces * (share + 1) // shares) for share in range(shares))
        found: list[Any] = []

        def work() -> None:
            while True:
                try:
                    share = left.popleft()
                except IndexError:  # nothing is left
                    return
                found.append(self.compiled(*arguments, *share))

        helpers = [_pool(number - 1).submit(work) for _ in range(number - 1)]
        try:
            work()
        finally:
            left.clear()  # a caller that is interrupted doesn't wait for the rest
        for helper in helpers:
            helper.result()
        return found


@functools.cache
def _pool(helpers: int) -> ThreadPoolExecutor:
    """Threads that help whoever calls a kernel; they wait from one call to the next."""
    return ThreadPoolExecutor(helpers, "fastscan-kernel")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process doesn't have these threads


def threads() -> int:
    """Number of threads that a kernel may use: NUMBA_NUM_THREADS, or the number set by `numba.set_num_threads`."""
    try:
        threading_layer()
    except ValueError:  # numba never started its own threads, which aren't needed, so that no other number was set
        most: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
        return most
    chosen: int = get_num_threads()
    return chosen
