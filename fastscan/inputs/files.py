"""Reading and writing files: an error is one line, and a file is replaced whole or not at all."""

import errno
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from fastscan.errors import FastscanError, OutputError, StoreError, shown_path

# The errors of readers that meet JSON, or another file, that isn't whole or is something else.
MALFORMED = (ValueError, KeyError, TypeError, RecursionError)
LONGEST_PROBLEM = 160  # characters of what a library says is wrong
PLACES = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
NUMBERS = (ArithmeticError, LookupError, MemoryError)  # of sizes that no scan makes
DAMAGE = (*MALFORMED, *PLACES, *NUMBERS, AttributeError)


def read_regular(path: str | PathLike[str], most: int) -> bytes:
    """The content of a regular file of at most so many bytes.

    Raises
    ------
    OSError
        Where it can't be read, is larger, or is something else: a pipe could keep its reader waiting for ever, and a
        device has no end.  `strerror` says which.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    with open(path, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes")
    return content


@contextmanager
def readable(what: str | PathLike[str]) -> Iterator[None]:
    """Turn errors of reading a store, which can be damaged or half-written, into a `StoreError` of one line."""
    try:
        yield
    except FastscanError:
        raise
    except DAMAGE as error:
        problem = (str(error) or type(error).__name__).splitlines()[0][:LONGEST_PROBLEM]
        problem = "nested too deeply" if isinstance(error, RecursionError) else problem
        raise StoreError(f"{shown_path(what)} is half-written or damaged: {problem}") from None
    except OSError as error:
        raise StoreError(f"{shown_path(what)} can't be read: {error.strerror or error}") from None


@contextmanager
def writable(what: str | PathLike[str], error: type[FastscanError] = StoreError) -> Iterator[None]:
    """Turn errors of writing into an error of one line, a `StoreError` unless another kind is given."""
    try:
        yield
    except OSError as problem:
        raise error(f"{shown_path(what)} can't be written: {problem.strerror or problem}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to.  Once it is whole it is moved to `path`."""
    partial = path.with_name(f".{path.name}.partial")
    with writable(path, OutputError):
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def open_files() -> float:
    """Number of files that this process may have open at a time; inf where there is no such limit, as on Windows."""
    try:
        import resource
    except ImportError:
        return math.inf
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft
