"""Stores of experiments with a model of parameters, and their damaged arrays."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from conftest import files, scanned

from fastscan.answers import answers
from fastscan.answers.question import Question
from fastscan.errors import FastscanError
from fastscan.likelihoods.modelled import ARRAYS
from fastscan.scans.verify import verify
from fastscan.stores.layout import CARRIED, COUNTED, EXCHANGES, MODELLED

GRID = """
experiments = ["xenonnt-b8", "dresden-ii-fef"]
models = ["b-l"]
[axes]
m_zprime = { values = [0.01, 1], unit = "GeV" }
g = { values = [1e-5, 1e-4] }
"""
GROUPS = ("xenonnt-b8/b-l", "dresden-ii-fef/b-l")
CARRYING = {"likelihood": CARRIED, "exchanges": EXCHANGES, "counted": COUNTED, "modelled": MODELLED}


@dataclass(frozen=True)
class Whole:
    """The files of an intact store, and its limits."""

    contents: dict[str, bytes]
    limits: dict[str, float]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    out = scanned(GRID, tmp_path_factory.mktemp("whole"))
    return Whole(files(out), limits(out))


def limits(out: Path) -> dict[str, float]:
    """The limit of each experiment at each mass."""
    found = answers.limits_of_store(str(out), Question())
    return {f"{each['experiment']} {each['m_zprime_gev']}": each["limit"] for each in found}


@contextmanager
def told_if_refused() -> Iterator[None]:
    """Require that a FastscanError has one line."""
    try:
        yield
    except FastscanError as error:
        problem = str(error)
    else:
        return
    assert len(problem.splitlines()) == 1, problem


def written(whole: Whole, out: Path, **changed: bytes) -> Path:
    """A copy of the store in which some files have other content."""
    for name, content in (whole.contents | changed).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    return out


def forged(whole: Whole, group: str, file: str, content: bytes) -> dict[str, bytes]:
    """New contents for a group's file and its metadata, with a fitting checksum."""
    described = json.loads(whole.contents[f"{group}/zarr.json"])
    checksums = json.loads(described["attributes"]["checksums"])
    checksums[file] = xxhash.xxh3_64_hexdigest(content)
    described["attributes"]["checksums"] = json.dumps(checksums)
    return {f"{group}/zarr.json": json.dumps(described).encode(), f"{group}/{file}": content}


def carried(whole: Whole) -> Iterator[tuple[str, str]]:
    """Each file with numbers of a group's likelihood: the group, and the file's name in it."""
    for group in GROUPS:
        for name in sorted(whole.contents):
            file = name.removeprefix(f"{group}/")
            if file != name and "/c/" in file and file.partition("/")[0] in CARRYING:
                yield group, file


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_every_array_of_a_model_is_there(whole: Whole) -> None:
    there = {(group, file.partition("/c/")[0]) for group, file in carried(whole)}
    for group in GROUPS:
        for name in ("likelihood", "exchanges", "modelled"):
            assert {(group, f"{name}/{array}") for array in CARRYING[name]} <= there


@pytest.mark.parametrize("cut", [0.0, 0.5, 1.0], ids=["emptied", "halved", "flipped"])
def test_an_array_that_is_damaged_is_refused_in_one_line(cut: float, whole: Whole, tmp_path: Path) -> None:
    for number, (group, file) in enumerate(carried(whole)):
        content = whole.contents[f"{group}/{file}"]
        other = flipped(content, len(content) // 2) if cut == 1 else content[: int(cut * len(content))]
        out = written(whole, tmp_path / str(number), **{f"{group}/{file}": other})
        with pytest.raises(FastscanError, match=f"{file} is damaged") as refused:
            limits(out)
        assert len(str(refused.value).splitlines()) == 1


def test_an_array_of_another_shape_is_refused_in_one_line(whole: Whole, tmp_path: Path) -> None:
    """The array has a fitting checksum, but another number of values or of dimensions."""
    number = 0
    for group, file in carried(whole):
        name, content = file.partition("/c/")[0], whole.contents[f"{group}/{file}"]
        described = json.loads(whole.contents[f"{group}/{name}/zarr.json"])
        described["shape"][0] *= 2
        described["chunk_grid"]["configuration"]["chunk_shape"][0] *= 2
        for other, text in ((content * 2, described), (content[:-8], None)):
            changed = forged(whole, group, file, other)
            if text is not None:
                longer = Whole(whole.contents | changed, whole.limits)
                changed |= forged(longer, group, f"{name}/zarr.json", json.dumps(text).encode())
            number += 1
            out = written(whole, tmp_path / str(number), **changed)
            with told_if_refused():
                assert limits(out) == whole.limits  # numbers that no limit needs


def places(whole: Whole, group: str) -> Iterator[tuple[str, int, int]]:
    """The range of each array of a model among all numbers in `fastscan.likelihoods.modelled.packed`."""
    shapes = np.frombuffer(whole.contents[f"{group}/modelled/shapes/c/0/0"], "<f8").reshape(len(ARRAYS), 4)
    start = 0
    for (name, dimensions), shape in zip(ARRAYS.items(), shapes.astype(int).tolist(), strict=True):
        size = math.prod(shape[:dimensions])
        yield name, start, start + size
        start += size


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("becomes", [lambda x: 1.5 * x + 0.25, lambda x: np.nan * x], ids=["another", "nan"])
@pytest.mark.filterwarnings("ignore::fastscan.FastscanWarning", "ignore::RuntimeWarning")
def test_numbers_of_a_model_that_were_forged_are_refused_or_found(
    group: str, becomes: Callable[[Any], Any], whole: Whole, tmp_path: Path
) -> None:
    """They are refused in one line, or found by `verify`, which compares likelihood and cube, or change nothing."""
    file = "modelled/numbers/c/0"
    numbers = np.frombuffer(whole.contents[f"{group}/{file}"], "<f8")
    for name, start, stop in places(whole, group):
        if start == stop:
            continue
        other = numbers.copy()
        other[start:stop] = becomes(other[start:stop])
        out = written(whole, tmp_path / name, **forged(whole, group, file, other.tobytes()))
        with told_if_refused():
            (found,) = [each for each in verify(out, everything=True) if each.group == group]
            assert found.damaged or limits(out) == pytest.approx(whole.limits), name


@pytest.mark.parametrize("group", GROUPS)
def test_shapes_of_a_model_that_were_forged_are_refused(group: str, whole: Whole, tmp_path: Path) -> None:
    file = "modelled/shapes/c/0/0"
    shapes = np.frombuffer(whole.contents[f"{group}/{file}"], "<f8")
    for number, at in enumerate(range(0, shapes.size, 6)):
        for step, value in enumerate((shapes[at] + 1, np.nan, 1e18)):
            other = shapes.copy()
            other[at] = value
            out = written(whole, tmp_path / f"{number}-{step}", **forged(whole, group, file, other.tobytes()))
            with told_if_refused():
                assert limits(out) == whole.limits  # sizes beyond an array's dimensions aren't used
