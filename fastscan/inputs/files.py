"""Manners with files, whatever is in them: what goes wrong is one line, and a file is replaced whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from fastscan.errors import FastscanError, OutputError, StoreError

# What readers meet in JSON, and in other files, that aren't whole or are something else.
MALFORMED = (ValueError, KeyError, TypeError, RecursionError)
DAMAGE = (*MALFORMED, FileNotFoundError, NotADirectoryError, IsADirectoryError, AttributeError, IndexError)


@contextmanager
def readable(what: str | PathLike[str]) -> Iterator[None]:
    """Tell what can't be read of a store, because it is damaged or half-written, in one line."""
    try:
        yield
    except FastscanError:
        raise
    except DAMAGE as error:
        problem = (str(error) or type(error).__name__).splitlines()[0]
        raise StoreError(f"{what} is half-written or damaged: {problem}") from None
    except OSError as error:
        raise StoreError(f"{what} can't be read: {error.strerror or error}") from None


@contextmanager
def writable(what: str | PathLike[str], error: type[FastscanError] = StoreError) -> Iterator[None]:
    """Tell what can't be written, of a store unless another kind of error is given, in one line."""
    try:
        yield
    except OSError as problem:
        raise error(f"{what} can't be written: {problem.strerror or problem}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, in whose place `path` is once it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    with writable(path, OutputError):
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
