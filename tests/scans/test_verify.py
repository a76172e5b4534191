"""Damage on the disk is found, named, and repaired by a resumed scan."""

import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xxhash
from conftest import GRID, GRIDS, files, scanned, with_store

import fastscan
from fastscan.answers.answers import contours_of_store, limits_of_store
from fastscan.answers.question import Question
from fastscan.errors import FastscanError
from fastscan.scans.scanner import finish
from fastscan.scans.verify import verify
from fastscan.stores.location import create
from fastscan.stores.store import describe

E6, CHUNK = "coherent-csi/e6", "chi2/c.0.0.0.0"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    (tmp_path / "grid.toml").write_text(with_store(GRID, chunk="2 KiB", task="4 KiB"))
    fastscan.scan(tmp_path / "grid.toml", tmp_path / "out.zarr")
    return tmp_path / "out.zarr"


def flip_a_bit(chunk: Path) -> None:
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)


def cut_short(chunk: Path) -> None:
    chunk.write_bytes(chunk.read_bytes()[:-1])


def put_a_pipe(chunk: Path) -> None:
    chunk.unlink()
    os.mkfifo(chunk)


def make_it_huge(chunk: Path) -> None:
    os.truncate(chunk, 2**40)


def write_other_values_with_their_checksum(chunk: Path) -> None:
    """Write a chunk with other values and a fitting record, which only a new computation can find."""
    values = np.frombuffer(chunk.read_bytes(), "<f4") * np.float32(1.001)
    chunk.write_bytes(values.tobytes())
    record = chunk.parent / "done.0.json"
    text = json.loads(record.read_text())
    text["chunks"][CHUNK] = xxhash.xxh3_64_hexdigest(values.tobytes())
    record.write_text(json.dumps(text))


def test_a_good_store_is_left_as_it_is(stored: Path) -> None:
    before = files(stored)
    sampled, all_of_it = verify(stored), verify(stored, everything=True)
    assert files(stored) == before
    assert [each.damaged for each in sampled + all_of_it] == [()] * 4
    assert [each.recomputed for each in all_of_it] == [each.chunks for each in all_of_it]
    assert sampled[1].recomputed < sampled[1].chunks


@pytest.mark.parametrize(
    "damage",
    [flip_a_bit, cut_short, Path.unlink, put_a_pipe, make_it_huge, write_other_values_with_their_checksum],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("model", GRIDS)
def test_a_damaged_chunk_is_named_and_repaired(model: str, damage: Callable[[Path], None], tmp_path: Path) -> None:
    stored, group = scanned(with_store(GRIDS[model], chunk="2 KiB", task="4 KiB"), tmp_path), f"coherent-csi/{model}"
    before = files(stored)
    damage(stored / group / CHUNK)
    damaged = {each.group: each.damaged for each in verify(stored, everything=True)}
    assert damaged == {"coherent-csi/chi": (), group: (f"{group}/{CHUNK}",)}
    with pytest.raises(FastscanError, match="lacks 1 of"):
        fastscan.open(str(stored), group)
    fastscan.scan(stored.parent / "grid.toml", stored, resume=True)
    assert files(stored) == before


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"\x00\xff", b'{"hash": "", "chunks": {}}'])
def test_a_record_that_cannot_be_read_is_no_proof(stored: Path, content: bytes) -> None:
    before = files(stored)
    record = stored / E6 / "chi2/done.0.json"
    chunks = json.loads(record.read_text())["chunks"]
    record.write_bytes(content)
    _, e6 = verify(stored)
    assert set(e6.damaged) == {f"{E6}/{key}" for key in chunks}
    fastscan.scan(stored.parent / "grid.toml", stored, resume=True)
    assert files(stored) == before


def test_what_is_missing_is_told(stored: Path) -> None:
    (stored / E6 / "chi2/done.1.json").unlink()
    _, e6 = verify(stored)
    assert e6.missing == (1,)
    assert e6.damaged == ()


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(FastscanError, match="does not exist"):
        verify(tmp_path / "absent.zarr")


def test_a_store_that_has_not_begun_is_told(tmp_path: Path) -> None:
    """A scan that is killed after its first file leaves such a store."""
    out = tmp_path / "out.zarr"
    create(out, overwrite=False, resume=False)
    questions = [partial(ask, question=Question()) for ask in (limits_of_store, contours_of_store)]
    for ask in (verify, describe, *questions, finish):
        with pytest.raises(FastscanError, match=f"^{re.escape(str(out))} has no groups$"):
            list(ask(str(out)))
