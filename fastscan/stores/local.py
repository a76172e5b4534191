"""Stores in directories of this machine, behind zarr's own `Store`; files in them are not trusted."""

import errno
import os
import stat
import uuid
import weakref
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zarr.storage import LocalStore

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

LARGEST_METADATA = 2**26  # bytes of a JSON file; no larger ones are written or read
LARGEST_FILE = 2**32  # bytes of any other file


class Directory(LocalStore):
    """zarr's storage in a directory of this machine.

    Anything but a regular file reads as missing: a reader could wait for a pipe for ever, and a device has no end.
    Files that are larger than fastscan's, or outside the directory, read as missing too.

    After the directory was deleted or replaced, nothing is written.  So no half store is made anew, and the results of
    one run don't get into the store of another.
    """

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._opened: int | None = None
        if not read_only and root.is_dir() and hasattr(os, "O_DIRECTORY"):  # Windows opens no directories
            self._opened = os.open(root, os.O_RDONLY)  # while it is open, no other directory gets its inode number
            weakref.finalize(self, os.close, self._opened)

    async def get(
        self, key: str, prototype: "BufferPrototype | None" = None, byte_range: "ByteRequest | None" = None
    ) -> "Buffer | None":
        return await super().get(key, prototype, byte_range) if self._has_file(key) else None

    async def set(self, key: str, value: "Buffer") -> None:
        self._require_place(key, len(value))
        await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: "Buffer") -> None:
        self._require_place(key, len(value))
        await super().set_if_not_exists(key, value)

    def write(self, key: str, data: memoryview) -> None:
        """Write a file atomically into a directory that exists, in this thread.

        zarr's event loop would cost as much time as writing some MiB.
        """
        path = self.root / key
        partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")  # the names that zarr gives
        try:
            partial.write_bytes(data)
            # If another directory took this one's place before, it is noticed here; if it does later, the partial file
            # is not found.
            self._require_place(key, len(data))
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    @property
    def is_there(self) -> bool:
        """Whether the directory is still the one that was opened for writing; True if none was opened for writing."""
        try:
            return self._opened is None or os.path.samestat(os.fstat(self._opened), os.stat(self.root))
        except OSError:
            return False

    def _require_place(self, key: str, size: int) -> None:
        """Refuse to write where the store was deleted or replaced, or more bytes than would be read again."""
        if not self.is_there:
            raise FileNotFoundError("the store was deleted or replaced")
        if size > _most(key):
            raise OSError(errno.EFBIG, f"{key} would be larger than {_most(key)} bytes")

    def _has_file(self, key: str) -> bool:
        """Whether a regular file inside the directory has a key, and isn't too large to be fastscan's."""
        if PurePosixPath(key).is_absolute() or ".." in key.split("/"):
            return False
        try:
            status = os.stat(self.root / key)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size <= _most(key)


def _most(key: str) -> int:
    """The largest number of bytes of a file with this key."""
    return LARGEST_METADATA if key.endswith(".json") else LARGEST_FILE
