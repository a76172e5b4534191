"""Stores at URLs: s3://, gs://, memory:// and all other protocols of fsspec, behind zarr's own `Store`.

Keys, endpoints and time-outs of a service are configured for its library: by the environment variables of AWS and
Google, and by fsspec's configuration.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from zarr.storage import FsspecStore

from fastscan.errors import StoreError

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}  # protocol -> the extra that installs its library
# s3fs tries five times by itself; botocore's own five tries of each would make a scan wait for minutes on a dead server
OPTIONS = {"s3": {"config_kwargs": {"retries": {"total_max_attempts": 1}}}}
PATIENCE = 30  # seconds to wait for the answer to a write, in addition to the transfer
SLOWEST = 1e6  # bytes/s, the slowest transfer


class RemoteStore(FsspecStore):
    """fsspec's storage, where every error is an `OSError`, whichever library raised it."""

    url = ""

    def __str__(self) -> str:
        return self.url

    async def get(
        self, key: str, prototype: "BufferPrototype", byte_range: "ByteRequest | None" = None
    ) -> "Buffer | None":
        with _as_os_error():
            return await super().get(key, prototype, byte_range)

    async def exists(self, key: str) -> bool:
        with _as_os_error():
            return await super().exists(key)

    async def set(self, key: str, value: "Buffer", byte_range: tuple[int, int] | None = None) -> None:
        # an upload that waits for the server's go-ahead (HTTP's Expect) has no time-out of its own in aiohttp
        seconds = PATIENCE + len(value) / SLOWEST
        with _as_os_error():
            try:
                async with asyncio.timeout(seconds):
                    await self._set(key, value, byte_range)
            except TimeoutError:
                raise ConnectionError(f"no answer within {seconds:.0f} s") from None

    async def _set(self, key: str, value: "Buffer", byte_range: tuple[int, int] | None) -> None:
        try:
            await super().set(key, value, byte_range)
        except FileNotFoundError:
            # only synchronous libraries, which zarr wraps, have directories; a service would make a bucket
            if not hasattr(self.fs, "sync_fs"):
                raise
            await self.fs._makedirs(f"{self.path}/{key}".rpartition("/")[0], exist_ok=True)
            await super().set(key, value, byte_range)

    async def delete(self, key: str) -> None:
        with _as_os_error():
            await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        with _as_os_error():
            await super().delete_dir(prefix)

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        with _as_os_error():
            async for key in super().list_prefix(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        with _as_os_error(), suppress(NotADirectoryError):  # a file has nothing in it
            async for key in super().list_dir(prefix):
                yield key


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
        raise
    except Exception as error:
        raise ConnectionError((str(error) or type(error).__name__).splitlines()[0]) from error


def open_url(url: str, *, read_only: bool) -> RemoteStore:
    """The storage at a URL; a `StoreError` where its library isn't installed, or no library knows the protocol."""
    protocol = url.partition("://")[0]
    # listings aren't cached: other processes write to the same store
    options = {"use_listings_cache": False, **OPTIONS.get(EXTRAS.get(protocol, ""), {})}
    try:
        store = RemoteStore.from_url(url, storage_options=options, read_only=read_only)
    except ImportError as error:
        advice = f"pip install 'fastscan[{EXTRAS[protocol]}]'" if protocol in EXTRAS else str(error)
        raise StoreError(f"{protocol}:// needs a library that isn't installed: {advice}") from None
    except (ValueError, TypeError) as error:  # the protocol is unknown, or its class takes no options
        raise StoreError(f"{url} is no place for a store: {error}") from None
    assert isinstance(store, RemoteStore)
    store.url = url
    return store
