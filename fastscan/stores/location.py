"""The location of a store: a store at a path or a URL is found, made or replaced without harm to anything else."""

import asyncio
import json
import logging
import os
import shutil
import uuid
from collections.abc import Coroutine
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import url2pathname

import zarr
from zarr.abc.buffer import Buffer
from zarr.abc.store import Store
from zarr.buffer import default_buffer_prototype
from zarr.core import sync as zarr_sync
from zarr.errors import ContainsArrayError
from zarr.storage import MemoryStore

from fastscan.errors import FastscanError, StoreError, quoted
from fastscan.inputs.files import MALFORMED, readable, writable
from fastscan.stores.layout import FILES, FORMAT, FORMAT_KEY, LEFTOVER, RECORD
from fastscan.stores.local import Directory

log = logging.getLogger(__name__)
Location = str | PathLike[str]
T = TypeVar("T")
FILE = "file://"  # the beginning of a URL for a path on this machine


def sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine of zarr's stores, from any thread.

    This is the function that zarr itself uses and keeps private.
    """
    return zarr_sync.sync(coroutine)


def text_of(location: object) -> str:
    """A location as a text; a `StoreError` where it isn't a path or a URL."""
    text = os.fspath(location) if isinstance(location, PathLike) else location
    if not isinstance(text, str) or "\0" in text:
        raise StoreError(f"the place of a store is a path or a URL, not {quoted(location)}")
    if not text.removeprefix("file://"):
        raise StoreError("the path of the store is empty")
    return text


def is_url(location: Location) -> bool:
    """Whether a location is a URL, but not of a file on this machine."""
    text = text_of(location)
    return "://" in text and not text.startswith(FILE)


def is_shared(location: Location) -> bool:
    """Whether other processes see the same store at a location."""
    return not text_of(location).startswith("memory://")


def local(location: Location) -> Path:
    """The path of a location on this machine, with symbolic links followed; a URL elsewhere is a `StoreError`."""
    if is_url(location):
        raise StoreError(f"{location}: only a path on this machine can stand here")
    text = text_of(location)
    path = url2pathname(text.removeprefix(FILE)) if text.startswith(FILE) else text
    return Path(os.path.realpath(path))


def absolute(location: Location) -> str:
    """The location in a form that is valid in every directory.

    Returns
    -------
    str
        A URL as it is, or an absolute path with symbolic links followed.

    Raises
    ------
    StoreError
        Where the path is empty.
    """
    return text_of(location) if is_url(location) else str(local(location))


def open_storage(location: Location, *, read_only: bool) -> Store:
    """zarr's access to the files at a location."""
    if not is_url(location):
        return Directory(local(location), read_only=read_only)
    from fastscan.stores.remote import open_url  # imported here, because it imports fsspec

    return open_url(text_of(location), read_only=read_only)


def was_taken(root: zarr.Group) -> bool:
    """Whether the directory of a store was deleted or replaced since it was opened for writing; False for a URL."""
    return isinstance(root.store, Directory) and not root.store.is_there


def place_of(root: zarr.Group) -> str:
    """The location of a store, for messages."""
    return str(root.store).removeprefix(FILE)


def read_bytes(root: zarr.Group, key: str) -> bytes | None:
    """The bytes of a file of a store; None where there is no such file.

    A file that can't be read raises an OSError, because it may exist all the same.
    """
    value = sync(root.store.get(key, default_buffer_prototype()))
    return None if value is None else value.to_bytes()


def names(storage: Store, directory: str) -> set[str]:
    """Names of the files and directories in a directory of a store."""

    async def listed() -> set[str]:
        return {name async for name in storage.list_dir(directory)}

    return sync(listed())


def read_root(location: Location, *, write: bool = False) -> zarr.Group:
    """The root group of a store.

    Parameters
    ----------
    location : str or path
        Path or URL of the store.
    write : bool
        Whether the group can be written to.

    Raises
    ------
    StoreError
        Where nothing is at the location, it can't be read, or it is no store of this format.
    """
    with readable(location):
        storage = open_storage(location, read_only=not write)
        if not (names(storage, "") if is_url(location) else _is_place(local(location))):
            raise StoreError(f"{location} does not exist")
        try:
            # consolidated metadata would hide groups of a scan that is still running
            root = zarr.open_group(storage, mode="r+" if write else "r", zarr_format=3, use_consolidated=False)
        except (FileNotFoundError, NotADirectoryError, ContainsArrayError):
            raise StoreError(f"{location} is no fastscan store") from None
        found = root.attrs.get(FORMAT_KEY)
    if found is None:
        raise StoreError(f"{location} is no fastscan store")
    if found != FORMAT:
        raise StoreError(
            f"{location} is a store of format {quoted(found)}; this fastscan reads format {FORMAT}: "
            "scan it anew, elsewhere"
        )
    return root


def _is_place(path: Path) -> bool:
    """Whether anything is at a path; an OSError where this can't be found out."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def exists(location: Location) -> bool:
    """Whether a store is at a location.

    A store that lost the metadata of its root counts as a store.  A location that is empty, or has only temporary files
    of another process's first write, doesn't.

    Raises
    ------
    StoreError
        Where something other than a store is there, or it can't be read.
    """
    with readable(location):
        storage = open_storage(location, read_only=True)
        begun = all(LEFTOVER.search(name) for name in names(storage, ""))  # empty, or another process's first write
        if begun and (is_url(location) or not local(location).is_file()):
            return False
        lost = _lost_root(storage)
    try:
        if not lost:
            read_root(location)
    except FastscanError as error:
        raise StoreError(f"{error}; it is left as it is") from None
    return True


def _lost_root(storage: Store) -> bool:
    """Whether the root's zarr.json is missing or damaged in a store that has fastscan's records of tasks."""
    try:
        data = sync(storage.get("zarr.json", default_buffer_prototype()))
        lost = data is None or FORMAT_KEY not in json.loads(data.to_bytes())["attributes"]
    except MALFORMED:
        lost = True
    return lost and any(
        RECORD.fullmatch(name)
        for outer in names(storage, "")
        for inner in names(storage, outer)
        for name in names(storage, f"{outer}/{inner}/chi2")
    )


def require_place(location: Location, *, overwrite: bool, resume: bool) -> bool:
    """Whether a store is at a location; a location where none can be made, continued or replaced is refused.

    Raises
    ------
    StoreError
        Where a store exists and neither resume nor overwrite is asked for; where something else exists; or where the
        store to be replaced has files that fastscan didn't write.  At a URL, only the replacement looks for such files.
    """
    for parent in () if is_url(location) else local(location).parents:
        if (parent / "zarr.json").is_file():
            raise StoreError(f"{location} lies inside a store, {parent}")
    there = exists(location)
    if there and not (overwrite or resume):
        raise StoreError(f"{location} exists; resume=True continues it, overwrite=True replaces it")
    if there and overwrite and not is_url(location):
        _require_own_files(local(location))
    return there


def _require_own_files(path: Path) -> None:
    for directory, folders, files in os.walk(path):
        for name in (*folders, *files):
            entry = Path(directory, name)
            if entry.is_symlink() or (name in files and not _is_ours(entry.relative_to(path).as_posix())):
                raise StoreError(f"{entry} is nothing that fastscan wrote; nothing was deleted")


def create(location: Location, *, overwrite: bool, resume: bool) -> zarr.Group:
    """The root of a new store, or of a store that is to be continued or replaced.

    Raises
    ------
    StoreError
        As in `require_place`, and where the location can't be written.
    """
    if require_place(location, overwrite=overwrite, resume=resume) and overwrite:
        return _replace_remote(location) if is_url(location) else _replace(location, local(location))
    with writable(location):
        storage = open_storage(location, read_only=False)
        put = storage.set if _lost_root(storage) else storage.set_if_not_exists  # another process may have been faster
        sync(put("zarr.json", _root_file()))
    return read_root(location, write=True)


def _root_file() -> Buffer:
    """The zarr.json of a store's root."""
    root = zarr.open_group(MemoryStore(), mode="w-", zarr_format=3, attributes={FORMAT_KEY: FORMAT})
    written = sync(root.store.get("zarr.json", default_buffer_prototype()))
    assert written is not None
    return written


def _replace(location: Location, path: Path) -> zarr.Group:
    """A new store in place of an old one.

    The old store is renamed first, so that one of both stores is whole at any time.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with writable(location):
        path.rename(aside)
    try:
        root = create(location, overwrite=False, resume=True)  # another process may have been faster
    except FastscanError:
        with writable(f"{aside} keeps the old store; {location}"):
            aside.rename(path)  # in place of a directory that was begun, where it is empty
        raise
    with writable(aside):
        shutil.rmtree(aside)
    log.info("%s was replaced", location)
    return root


def _replace_remote(location: Location) -> zarr.Group:
    """A new store in place of one at a URL.

    Nothing can be put aside there.  The records are deleted first, so that nothing half-deleted counts as done.
    """
    storage = open_storage(location, read_only=False)

    async def listed() -> list[str]:
        return [key async for key in storage.list_prefix("")]

    with writable(location):
        old = sync(listed())
        foreign = [key for key in old if not _is_ours(key)]
        if foreign:
            raise StoreError(f"{location}/{foreign[0]} is nothing that fastscan wrote; nothing was deleted")
        sync(_delete(storage, old))
    return create(location, overwrite=False, resume=True)


async def _delete(storage: Store, keys: list[str]) -> None:
    await asyncio.gather(*(storage.delete(key) for key in keys if RECORD.fullmatch(key.rpartition("/")[2])))
    await asyncio.gather(
        *(storage.delete_dir(outer) for outer in {key.partition("/")[0] for key in keys} - {"zarr.json"})
    )
    await storage.delete("zarr.json")


def _is_ours(key: str) -> bool:
    """Whether a key is of a file that fastscan writes in a store, or of a temporary file from a killed write."""
    of_write = LEFTOVER.sub("", key)  # without the suffix of a temporary file
    return any(FILES.fullmatch(name) for name in (key, of_write, f"{of_write}.json"))
