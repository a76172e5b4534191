"""Where a store lies: finding one, making one, replacing one, without harm to anything else."""

import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import zarr
from zarr.errors import ContainsArrayError
from zarr.storage import LocalStore

from fastscan.errors import FastscanError
from fastscan.layout import FILES, FORMAT, FORMAT_KEY, LEFTOVER

Location = str | PathLike[str]


@contextmanager
def readable(what: Location) -> Iterator[None]:
    """Tell what can't be read, because it is damaged or half-written, in one line."""
    try:
        yield
    except FastscanError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        problem = (str(error) or type(error).__name__).splitlines()[0]
        raise FastscanError(f"{what} is half-written or damaged: {problem}") from None


@contextmanager
def writable(what: Location) -> Iterator[None]:
    """Tell what can't be written in one line."""
    try:
        yield
    except OSError as error:
        raise FastscanError(f"{what} can't be written: {error.strerror or error}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, in whose place `path` is once it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    with writable(path):
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def local(location: Location) -> Path:
    """The path of a store; a symbolic link counts as what it points to."""
    text = os.fspath(location)
    if "://" in text:
        raise FastscanError(f"{text}: only paths on this machine are supported so far")
    if not text:
        raise FastscanError("the path of the store is empty")
    return Path(os.path.realpath(text))


def read_root(location: Location, *, write: bool = False) -> zarr.Group:
    """The root group of a store; what isn't one is a `FastscanError`."""
    path = local(location)
    if not os.path.lexists(path):
        raise FastscanError(f"{location} does not exist")
    with readable(location):
        try:
            # not consolidated: that metadata would hide groups of a scan that is still running
            root = zarr.open_group(
                LocalStore(path, read_only=not write),
                mode="r+" if write else "r",
                zarr_format=3,
                use_consolidated=False,
            )
        except (FileNotFoundError, NotADirectoryError, ContainsArrayError):
            raise FastscanError(f"{location} is no fastscan store") from None
        found = root.attrs.get(FORMAT_KEY)
    if found is None:
        raise FastscanError(f"{location} is no fastscan store")
    if found != FORMAT:
        raise FastscanError(f"{location} is a store of format {found}; this fastscan reads format {FORMAT}")
    return root


def exists(location: Location) -> bool:
    """Whether a store is there; something else that is there is a `FastscanError`."""
    path = local(location)
    with writable(location):
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return False
    try:
        read_root(location)
    except FastscanError as error:
        raise FastscanError(f"{error}; it is left as it is") from None
    return True


def create(location: Location, *, overwrite: bool, resume: bool) -> zarr.Group:
    """The root of a new store, or of one that is to be continued or replaced.

    Raises
    ------
    FastscanError
        Where a store is there and neither resume nor overwrite was asked for; where something else is there, or
        the store holds files that fastscan didn't write; where the place can't be written.
    """
    if overwrite and resume:
        raise FastscanError("resume and overwrite exclude each other")
    path = local(location)
    for parent in path.parents:
        if (parent / "zarr.json").is_file():
            raise FastscanError(f"{location} lies inside a store, {parent}")
    if not exists(location):
        return _new(location, path)
    if resume:
        return read_root(location, write=True)
    if not overwrite:
        raise FastscanError(f"{location} exists; --resume continues it, --overwrite replaces it")
    _refuse_foreign(path)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with writable(location):
        path.rename(aside)  # so that either store is whole, whatever happens
    root = _new(location, path)
    with writable(aside):
        shutil.rmtree(aside)
    return root


def _new(location: Location, path: Path) -> zarr.Group:
    with writable(location):
        return zarr.open_group(
            LocalStore(path),
            mode="a",  # another part of the same scan may have been faster
            zarr_format=3,
            attributes={FORMAT_KEY: FORMAT},
            use_consolidated=False,
        )


def _refuse_foreign(path: Path) -> None:
    """Refuse a store that holds anything that fastscan didn't write: it would be deleted with the store."""
    for directory, folders, files in os.walk(path):
        for name in (*folders, *files):
            entry = Path(directory, name)
            ours = LEFTOVER.sub("", entry.relative_to(path).as_posix())
            if entry.is_symlink() or (name in files and not FILES.fullmatch(ours)):
                raise FastscanError(f"{entry} is nothing that fastscan wrote; nothing was deleted")


def size(location: Location) -> int:
    """Bytes of the files below a location."""
    return sum(
        os.path.getsize(os.path.join(directory, name))
        for directory, _, files in os.walk(local(location))
        for name in files
    )


def free_space(location: Location) -> float:
    """Bytes that are free where a store is to lie; inf where the file system doesn't say."""
    path = local(location)
    with writable(location):
        there = next(place for place in (path, *path.parents) if place.exists())
        usage = shutil.disk_usage(there)
    return usage.free if usage.total > 0 else math.inf


def require_space(location: Location, needed: int) -> None:
    """Refuse what can't fit on the disk."""
    free = free_space(location)
    if free < needed:
        raise FastscanError(f"{location} needs {needed / 1e6:.1f} MB, but only {free / 1e6:.1f} MB are free")
