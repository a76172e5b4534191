"""Reading and writing files: an error is one line, and a file is replaced whole or not at all.

Objects that are made from files are cached until one of these files changes on disk.
"""

import errno
import math
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import TypeVar

from fastscan.errors import FastscanError, InputError, OutputError, StoreError, shown_path
from fastscan.inputs import bounds

# The errors of readers of JSON, or of another file, that is incomplete or is something else.
MALFORMED = (ValueError, KeyError, TypeError, RecursionError)
LONGEST_PROBLEM = 160  # characters of a library's error message
PLACES = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
NUMBERS = (ArithmeticError, LookupError, MemoryError)  # errors from sizes that no scan makes
DAMAGE = (*MALFORMED, *PLACES, *NUMBERS, AttributeError)

Loaded = TypeVar("Loaded")
Stamps = dict[str, tuple[int, int, int]]  # by absolute path: a file's times of contents and of status, and its size
SETTLED = 2_000_000_000  # ns: file systems store times to 2 s or better, so that a younger file can change unseen
_reading: ContextVar[Stamps | None] = ContextVar("_reading", default=None)  # stamps of the files that are being loaded


def kept(load: Callable[[Path], Loaded]) -> Callable[[Path], Loaded]:
    """A function that loads a file, and returns the same object again while nothing has changed on disk.

    Nothing has changed while all files that it read by `read_regular` have the same times and sizes as before.
    """
    found: dict[tuple[Path, str], tuple[Stamps, Loaded]] = {}

    @wraps(load)
    def from_before(path: Path) -> Loaded:
        key = (path, os.path.abspath(path))  # with the given path too, because messages name it
        stamps, loaded = found.get(key, ({}, None))
        if loaded is not None and _are_unchanged(stamps):
            return loaded
        stamps, began = {}, time.time_ns()
        token = _reading.set(stamps)
        try:
            fresh = load(path)
        finally:
            _reading.reset(token)
        if all(began - max(modified, changed) > SETTLED for modified, changed, _ in stamps.values()):
            found[key] = (stamps, fresh)
        return fresh

    return from_before


def _are_unchanged(stamps: Stamps) -> bool:
    try:
        return all(_stamp(os.stat(path)) == stamp for path, stamp in stamps.items())
    except OSError:
        return False


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


def read_regular(path: str | PathLike[str], most: int) -> bytes:
    """The content of a regular file of at most so many bytes.

    Raises
    ------
    OSError
        Where the file can't be read, is larger, or isn't a regular file: a pipe could keep its reader waiting for ever,
        and a device has no end.  `strerror` is the reason.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    reading = _reading.get()
    if reading is not None:
        reading[os.path.abspath(path)] = _stamp(status)
    with open(path, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes")
    return content


def read_described(path: Path, sha256: str | None) -> tuple[bytes, str]:
    """The content of a data file and its SHA-256; where `sha256` is given, any other file is refused.

    Raises
    ------
    InputError
        Where the file can't be read, or has another SHA-256.
    """
    import hashlib  # imported here: most commands start without it

    where = shown_path(path)
    try:
        content = read_regular(path, bounds.LARGEST_FILE)
    except OSError as problem:
        raise InputError(f"{where}: {problem.strerror}") from None
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise InputError(f"{where} is damaged, or isn't the file that is described: its sha256 is {digest}")
    return content, digest


@contextmanager
def readable(what: str | PathLike[str]) -> Iterator[None]:
    """Turn errors from reading a damaged or half-written store into a `StoreError` of one line."""
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
    """Turn errors from writing into an error of one line, a `StoreError` unless another kind is given."""
    try:
        yield
    except OSError as problem:
        raise error(f"{shown_path(what)} can't be written: {problem.strerror or problem}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; the complete file is then moved to `path`."""
    partial = path.with_name(f".{path.name}.partial")
    with writable(path, OutputError):
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def open_files() -> float:
    """Largest number of files that this process may have open; inf where there is no limit, as on Windows."""
    try:
        import resource
    except ImportError:
        return math.inf
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft
