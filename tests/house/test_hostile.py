"""Hostile conditions: scans that are interrupted, grid files that are garbled, stores that are damaged."""

import json
import math
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import dask
import numpy as np
import pytest
import xxhash
import zarr
from conftest import GRID, arrays, files, mostly_slow, ok, refusal, slow, with_store
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from zarr.codecs import BytesCodec
from zarr.registry import register_codec

import fastscan
from fastscan.answers import answers
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError
from fastscan.experiments import catalogue as experiments
from fastscan.outputs import citations
from fastscan.scans import grid, scanner
from fastscan.scans.costs import costs
from fastscan.scans.plan import plan
from fastscan.scans.verify import verify
from fastscan.stores import store
from fastscan.stores.cube import hash_of
from fastscan.stores.layout import FORMAT, JSON_TEXTS
from fastscan.typing import Record


@contextmanager
def told_if_refused() -> Iterator[None]:
    """Allow a FastscanError of one line; every other error fails the test."""
    try:
        yield
    except FastscanError as error:
        require_one_line(str(error))


def require_one_line(text: str) -> None:
    assert len(text.splitlines()) == 1, text


def require_clean(out: Path, *groups: str) -> None:
    """Require a store with these groups, complete, in which each chunk equals its recomputed values."""
    found = [(each.group, each.damaged, each.missing) for each in verify(out, everything=True)]
    assert found == [(group, (), ()) for group in sorted(groups)]


# --- Scans that are interrupted ---

RANGES = {"beta": (0, 180), "m_zprime": (5, 3000), "sigma_sys": (0, 0.5), "luminosity": (0.5, 1000)}
UNITS = {"beta": ', unit = "deg"', "m_zprime": ', unit = "GeV"', "sigma_sys": "", "luminosity": ""}


@st.composite
def axes(draw: st.DrawFn, name: str) -> str:
    """An axis of 1 to 6 points in a grid file's words."""
    spacing = draw(st.sampled_from(["values", "linear", "log"]))
    num = draw(st.integers(1, 6))
    low, high = RANGES[name]
    ends = num if spacing == "values" else min(num, 2)
    steps = sorted(draw(st.sets(st.integers(spacing == "log", 100), min_size=ends, max_size=ends)))
    points = [low + (high - low) * step / 100 for step in steps]
    if spacing == "values":
        return f"{name} = {{ values = {points}{UNITS[name]} }}"
    return f'{name} = {{ start = {points[0]}, stop = {points[-1]}, num = {num}, spacing = "{spacing}"{UNITS[name]} }}'


@st.composite
def grids(draw: st.DrawFn) -> str:
    """A grid file without its table [store]."""
    names = st.sampled_from(["coherent-csi", "conus", "cr51-lxe-a"])
    experiments = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    models = draw(st.lists(st.sampled_from(["chi", "lr", "e6"]), min_size=1, max_size=2, unique=True))
    chosen = ["m_zprime", *(["beta"] if "e6" in models else [])]
    chosen += draw(st.lists(st.sampled_from(["sigma_sys", "luminosity"]), unique=True))
    lines = [f"experiments = {experiments}", f"models = {models}", "[axes]", *(draw(axes(name)) for name in chosen)]
    if draw(st.booleans()):
        members = draw(st.lists(names, min_size=2, max_size=3, unique=True))
        lines += ["[combine.both]", f"experiments = {members}"]
        if draw(st.booleans()):
            lines.append(f"sigma_sys = {{ {members[0]} = 0.125 }}")
    return "\n".join(lines)


class InterruptionError(Exception):
    """An exception that ends a scan from outside."""


@contextmanager
def threads(number: int) -> Iterator[None]:
    """dask's own threads; those of an interrupted scan are waited for, because they finish what they have begun."""
    with ThreadPoolExecutor(number) as pool, dask.config.set(num_workers=number, pool=pool):
        yield


def interrupt(file: Path, out: Path, at: int) -> None:
    """A scan that ends when so many tasks are done."""

    def progress(now: scanner.Progress) -> None:
        if now.tasks == at:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        fastscan.scan(file, out, progress=progress)


def done(out: Path) -> dict[Path, int]:
    """The records of tasks, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in out.rglob("done.*.json")}


@pytest.mark.slow
@given(
    text=grids(),
    dtype=st.sampled_from(["float32", "float64"]),
    chunk=st.integers(1024, 12_000),
    task=st.integers(1024, 24_000),
    before=st.sampled_from([1, 2]),
    after=st.sampled_from([1, 2]),
    part=st.floats(0, 1),
)
@settings(max_examples=7)
def test_a_scan_that_was_interrupted_is_resumed_to_the_same_bits(
    text: str, dtype: str, chunk: int, task: int, before: int, after: int, part: float
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "plain.toml").write_text(with_store(text, dtype=dtype))
        (place / "cut.toml").write_text(with_store(text, dtype=dtype, chunk=f"{chunk} B", task=f"{task} B"))
        with threads(1):
            fastscan.scan(place / "plain.toml", place / "undisturbed.zarr")
        tasks = sum(cube.layout.tasks for cube in plan(place / "cut.toml"))
        out = place / "out.zarr"
        with threads(before):
            interrupt(place / "cut.toml", out, at=round(part * tasks))
        recorded = done(out)
        calls: list[scanner.Progress] = []
        with threads(after):
            fastscan.scan(place / "cut.toml", out, resume=True, progress=calls.append)
        assert [now.tasks for now in calls] == list(range(tasks - len(recorded) + 1))
        assert {now.tasks_to_do for now in calls} == {tasks - len(recorded)}
        assert recorded.items() <= done(out).items()  # not computed twice
        assert arrays(out) == arrays(place / "undisturbed.zarr")
        require_clean(out, *(cube.name for cube in plan(place / "cut.toml")))


def test_a_scan_that_has_ended_writes_nothing_more(tmp_path: Path) -> None:
    """Otherwise it could write into another store that takes its place."""
    large = GRID.replace("num = 37", "num = 370").replace("num = 7", "num = 200")
    (tmp_path / "grid.toml").write_text(with_store(large, chunk="2 MiB", task="8 MiB"))
    with threads(2):
        interrupt(tmp_path / "grid.toml", tmp_path / "out.zarr", at=1)
        recorded = done(tmp_path / "out.zarr")
    assert done(tmp_path / "out.zarr") == recorded


# --- Grid files that are garbled ---

README_GRID = """
title = "E6 and left-right at COHERENT and CONUS"
experiments = ["coherent-csi", "conus"]
models = ["e6", "lr"]

[axes]
beta       = { start = 0, stop = 180, num = 5, unit = "deg" }
m_zprime   = { start = 50, stop = 5000, num = 9, spacing = "log", unit = "GeV" }
sigma_sys  = { start = 0.0, stop = 0.3, num = 3 }
luminosity = { values = [1, 10, 100] }

[combine.fig6]
experiments = ["coherent-csi", "connie", "cr51-lxe-c"]
sigma_sys = { cr51-lxe-c = 0.0025 }

[store]
dtype = "float32"
chunk = "16 MiB"
task = "16 MiB"
"""
SMALL = GRID.replace("num = 13", "num = 3").replace("num = 37", "num = 61").replace("num = 7", "num = 3")
MOST_POINTS = 100_000  # of a garbled grid that is scanned
NUMBERS = [
    *(b"", b"-1", b"0", b"-0.0", b"1", b"1e-300", b"5e-324", b"1e17", b"1e300", b"1e308", b"1e400", b"nan", b"-inf"),
    *(b"10000000", b"100000", b"18446744073709551616", b"9" * 5000, b"0x10", b"1_0", b"true", b"1979-05-27"),
    *(b"[]", b"{}", b"[[1]]", b"[1, nan]", b'"1"', b'"' + b"x" * 10_000 + b'"', '"\u2028"'.encode(), b"\xff"),
]
INSERTED = st.one_of(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\t", b"\0", b"\x1b[2J", b'"', b"'", b"[", b"]", b"{", b"}", b"=", b"#"]),
    st.sampled_from([rb'"\n"', rb"\u2028", b'"""', b".", b"[" * 2000, b"\xef\xbb\xbf", b"../", b".toml", b"/"]),
    st.sampled_from(NUMBERS),
    st.binary(max_size=8),
    st.text(max_size=8).map(str.encode),
)


@st.composite
def garbled(draw: st.DrawFn) -> bytes:
    """A valid grid file after one to four accidents."""
    text = draw(st.sampled_from([GRID, README_GRID])).encode()
    for _ in range(draw(st.integers(1, 4))):
        number = [match.span() for match in re.finditer(rb"[0-9.]+", text)]
        line = [match.span() for match in re.finditer(rb"[^\n]+\n?", text)]
        start = draw(st.integers(0, len(text)))
        anywhere = [(start, start + draw(st.integers(0, 30)))]
        low, high = draw(st.sampled_from(draw(st.sampled_from([number or line, line, anywhere])) or anywhere))
        put = {"cut": b"", "repeat": text[low:high] * 2, "insert": draw(INSERTED) + text[low:high]}
        put["replace"] = draw(st.sampled_from(NUMBERS))
        text = text[:low] + put[draw(st.sampled_from(sorted(put)))] + text[high:]
    return text


@pytest.mark.filterwarnings("ignore::fastscan.FastscanWarning")  # its values may be doubtful
@given(garbled())
@example(GRID.encode() + b'[combine."a\\nb"]')
@example(GRID.replace("coherent-csi", r"a\nb.toml").encode())
@example(GRID.replace("chi", r"a\u2028b.toml").encode())
@settings(max_examples=100)
def test_a_garbled_grid_file_is_a_grid_or_one_line(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        file, out = Path(place, "grid.toml"), Path(place, "out.zarr")
        file.write_bytes(text)
        with told_if_refused():
            loaded = grid.load(file)
            assert isinstance(loaded, grid.Grid)
            if costs(loaded, str(out)).points <= MOST_POINTS:
                fastscan.scan(loaded, out)
                list(answers.limits_of_store(str(out), Question()))


# --- Files that are no files ---


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="all files are regular ones")
@pytest.mark.parametrize("make", [a_pipe, a_socket, a_device, Path.mkdir])
def test_what_is_no_regular_file_is_told_at_once(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    make(path)
    for command in (["limit", path, "chi"], ["limit", "conus", path], ["scan", path, "-o", tmp_path / "out.zarr"]):
        assert refusal(*command) == f"fastscan: {path}: not a regular file"


CSI = (experiments.BUILT_IN / "coherent-csi.toml").read_text()
MANY = [f"r{n}" for n in range(30_000)]
LONG = {
    "a title of two million characters": CSI.replace("14.6 kg", "x" * 2_000_000),
    "a title that is numbers": CSI.replace("title = ", f"title = [{'1.5,' * 300_000}]\n#"),
    "nested brackets": "title = " + "[" * 200_000,
    "nested tables": "title = " + "{a=" * 200_000,
    "a number of 5000 digits": CSI.replace("142", "9" * 5000),
    "a number of 5000 hexadecimal digits": CSI.replace("142", "0x" + "f" * 5000),
    "unknown keys": CSI.replace("channel", "\n".join(f"k{n} = 1" for n in range(100_000)) + "\nchannel"),
    "a key of a million characters": CSI.replace("sigma_sys", "s" * 1_000_000),
    "a large file": "#" * 2**24,
    "a deep key": ".".join(["a"] * 200_000) + " = 1",
    "a deep key in quotes": ".".join([r'"\""'] * 200_000) + " = 1",
    "a deep table": "[" + " . ".join(["'a'"] * 200_000) + "]",
    "many references": re.sub(r"references = .*", lambda _: f"references = {MANY}", CSI),
    "many tables": CSI.replace("[[target]]", "[[target]]\n" * 100_000),
    "a quantity of a million characters": CSI.replace("14.57 kg", f"14.57{' ' * 1_000_000}!"),
    "30,000 experiments": GRID.replace('["coherent-csi"]', str(MANY)),
    "an experiment 30,000 times": GRID.replace('["coherent-csi"]', str(["conus"] * 30_000)),
    "a long path": GRID.replace("coherent-csi", f"{'a/' * 400}mine.toml"),
}


@pytest.mark.parametrize("name", mostly_slow(LONG))
def test_what_is_too_much_is_one_short_line_at_little_cost(name: str, tmp_path: Path) -> None:
    """A process that takes more than ten seconds of a processor is killed."""
    resource = pytest.importorskip("resource", reason="nothing limits what a process takes")
    path = tmp_path / "long.toml"
    path.write_text(LONG[name])
    command = ["scan", path, "-o", tmp_path / "out.zarr"] if "[axes]" in LONG[name] else ["limit", path, "chi"]
    line = refusal(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (10, 10)))
    assert len(line) < 1000


@pytest.mark.parametrize(
    "command",
    [
        "limit {} chi",
        "limit conus {}",
        "limit {}.toml chi",
        "limit conus chi {}",
        "limit conus chi --{}",
        "limit conus chi --dof {}",
        "limit conus chi --luminosity {}",
        "limit conus e6 --beta {}",
        "limit conus chi --sigma-sys {}x",
        "limit conus chi --sigma-sys {}=1",
        "scan {} -o out.zarr",
        "scan grid.toml -o out.zarr --part 1/{}",
        "plot out.zarr -o {}",
        "contours out.zarr --axes {}",
        "cite {}",
        "{}",
    ],
)
def test_a_long_argument_is_told_shortly(command: str) -> None:
    assert len(refusal(*command.format("9" * 100_000).split())) < 500


# --- Texts that are more than texts ---

CLEAR, HOSTILE = "\x1b[2J", "\u202e<script>alert('x')</script> ]]> $\\input{x}$\ntwo"
ODD = "a $^$--<b>&]]>"  # dollars around what is no mathematics


@pytest.fixture(scope="module")
def anothers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose maker wrote hostile texts into it, and renamed its directories."""
    place = tmp_path_factory.mktemp("anothers")
    conus = experiments.load("conus")
    said = {"label": CLEAR + HOSTILE, "references": (CLEAR + HOSTILE,)}
    named = tuple(replace(conus, name=name, **said) for name in ("one", "two"))
    (place / "grid.toml").write_text(SMALL.replace('"chi", "e6"', '"chi"').replace("beta =", "# beta ="))
    fastscan.scan(replace(grid.load(place / "grid.toml"), title=CLEAR + HOSTILE, experiments=named), place / "out.zarr")
    (place / "out.zarr/one").rename(place / "out.zarr" / ODD)
    (place / "out.zarr/two").rename(place / "out.zarr" / f"{CLEAR}x")
    return place / "out.zarr"


@pytest.mark.parametrize("command", ["info", "cite", "limits", "verify"])
def test_what_a_store_says_of_itself_is_shown_as_text(command: str, anothers: Path) -> None:
    told = ok(command, anothers)
    assert r"\x1b[2J" in told
    assert told.replace("\n", "").isprintable()


def test_json_has_what_a_store_says_of_itself_as_it_is(anothers: Path) -> None:
    told = ok("info", anothers, "--json")
    assert told.replace("\n", "").isprintable()
    assert {each["title"] for each in json.loads(told)} == {CLEAR + HOSTILE}


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_a_picture_has_a_hostile_name_as_text(kind: str, anothers: Path, tmp_path: Path) -> None:
    picture = tmp_path / f"picture.{kind}"
    assert r"without" not in ok("plot", anothers, "-o", picture)
    if kind == "svg":
        elements = {element.tag.rpartition("}")[2] for element in ElementTree.parse(picture).iter()}
        assert not elements & {"script", "b"}
        assert r"a \$^\$" in picture.read_text()  # the comment beside the glyphs, which has the text as it was written


# --- Stores that are damaged ---

Contents = dict[str, bytes]
Damage = Callable[[Contents, str], bytes | None]  # from files and the name of one to its new content
CHI, E6 = "coherent-csi/chi", "coherent-csi/e6"
GARBAGE = [b"null", b"[]", b"{}", b"NaN", b'{"zarr_format": 3}', b"[" * 100_000, b"\xff\xfe{}"]


@dataclass(frozen=True)
class Intact:
    """An intact store: its grid file, its files, and its limits."""

    grid: Path
    contents: Contents
    arrays: dict[str, tuple[str, bytes]]
    limits: dict[bool, list[Record]]  # from the likelihood, and (True) from the stored chi2


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Intact:
    place = tmp_path_factory.mktemp("intact")
    (place / "grid.toml").write_text(with_store(SMALL, chunk="2 KiB", task="4 KiB"))
    out = place / "out.zarr"
    fastscan.scan(place / "grid.toml", out)
    return Intact(
        place / "grid.toml",
        files(out),
        arrays(out),
        {each: limits(out, each) for each in (False, True)},
    )


def limits(out: Path, from_cube: bool) -> list[Record]:
    """Limits on the axes, and, where the likelihood gives them, at the experiment's own sigma_sys."""
    found = []
    for own in ({"sigma_sys": "axis"},) if from_cube else ({"sigma_sys": "axis"}, {}):
        found += answers.limits_of_store(str(out), Question(at={**own, "luminosity": "axis"}, stored=from_cube))
    return found


def comparable(found: list[Record]) -> list[Any]:
    """Records that `==` compares to 1e-12."""

    def near(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [tuple(map(near, ends)) for ends in value]
        return pytest.approx(value, rel=1e-12, abs=0) if isinstance(value, float) else value

    return [each | {key: near(each[key]) for key in ("limit_gev", "allowed_gev")} for each in found]


def require_no_wrong_limit(intact: Intact, out: Path, from_cube: bool = False) -> None:
    """Require that all limits equal those of the intact store, or are refused."""
    with told_if_refused():
        assert limits(out, from_cube) == comparable(intact.limits[from_cube])


def damaged(intact: Intact, out: Path, file: str, content: bytes | None) -> Path:
    """A copy of the intact store in which one file has other content, or is missing (None)."""
    for name, data in (intact.contents | {file: content}).items():
        if data is not None:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(data)
    return out


def role(file: str) -> str:
    """The name of a file without the numbers of tasks and chunks."""
    return re.sub(r"(?<=[./])\d+", "N", file)


@st.composite
def damages(draw: st.DrawFn, contents: Contents) -> tuple[str, bytes | None]:
    """A file of a store and its new content; each kind of file is equally likely."""
    wanted = draw(st.sampled_from(sorted({role(file) for file in contents})))
    file = draw(st.sampled_from([file for file in contents if role(file) == wanted]))
    content = contents[file]
    place = st.integers(0, len(content) - 1)
    becomes = st.one_of(
        st.sampled_from([None, b""]),
        place.map(lambda at: content[:at]),
        st.tuples(place, st.integers(0, 7)).map(lambda at: flipped(content, *at)),
        st.binary(max_size=2 * len(content)),
        st.sampled_from(GARBAGE),
        st.sampled_from(sorted(contents)).map(lambda other: contents[other]),
    )
    return file, draw(becomes)


def flipped(content: bytes, at: int, bit: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def gone(contents: Contents, file: str) -> None:
    return None


def becomes(content: bytes) -> Damage:
    return lambda contents, file: content


def cut(contents: Contents, file: str) -> bytes:
    return contents[file][:-1]


def other(name: str) -> Damage:
    return lambda contents, file: contents[name]


def edited(old: bytes, new: bytes) -> Damage:
    def edit(contents: Contents, file: str) -> bytes:
        assert old in contents[file]
        return contents[file].replace(old, new, 1)

    return edit


KNOWN: dict[str, tuple[str, Damage]] = {
    # chunks with a fitting checksum
    "change in place of rates": (f"{CHI}/likelihood/rates/c/0/0/0", other(f"{CHI}/likelihood/change/c/0/0/0/0")),
    "spread in place of sigma_sys": (f"{CHI}/likelihood/sigma_sys/c/0", other(f"{CHI}/likelihood/spread/c/0")),
    "spread in place of follows": (f"{E6}/likelihood/follows/c/0", other(f"{E6}/likelihood/spread/c/0")),
    "luminosity in place of beta": (f"{E6}/beta/c/0", other(f"{E6}/luminosity/c/0")),
    "beta in place of luminosity": (f"{E6}/luminosity/c/0", other(f"{E6}/beta/c/0")),
    # metadata that zarr can read
    "shorter roots": (f"{CHI}/likelihood/roots/zarr.json", edited(b"    3,\n    10", b"    1,\n    10")),
    "a shorter change": (f"{E6}/likelihood/change/zarr.json", edited(b"    9,\n    3", b"    8,\n    3")),
    "no members": (f"{CHI}/likelihood/spread/zarr.json", edited(b"    1\n", b"    0\n")),
    "chunks of no size": (f"{E6}/m_zprime/zarr.json", edited(b"        61\n", b"        0\n")),
    "another separator": (f"{E6}/chi2/zarr.json", edited(b'"separator": "."', b'"separator": "/"')),
    "another dimension": (f"{E6}/chi2/zarr.json", edited(b'"sigma_sys"', b'"luminosity"')),
    "no hash": (f"{CHI}/zarr.json", edited(b'"hash"', b'"hush"')),
    # metadata that zarr can't read
    "no group of an experiment": ("coherent-csi/zarr.json", gone),
    "an array in place of that": ("coherent-csi/zarr.json", other(f"{CHI}/chi2/zarr.json")),
    "a key that zarr doesn't know": ("coherent-csi/zarr.json", edited(b'"attributes"', b'"adtributes"')),
    "an empty group": (f"{E6}/likelihood/zarr.json", becomes(b"")),
    "an array nested deeply": (f"{CHI}/m_zprime/zarr.json", becomes(b"[" * 100_000)),
    "a record nested deeply": (f"{E6}/chi2/done.1.json", becomes(b"[" * 100_000)),
    # a chunk of another size
    "a chunk that is cut": (f"{E6}/chi2/c.0.0.0.0", cut),
    # the root, which has few entries
    "no root": ("zarr.json", gone),
    "an empty root": ("zarr.json", becomes(b"")),
    "a root without a format": ("zarr.json", edited(b"fastscan_format", b"fastscan_farmat")),
}
REFUSED: dict[str, tuple[str, Damage, str]] = {
    "a root of another format": (
        "zarr.json",
        edited(b'"fastscan_format": 6', b'"fastscan_format": 99'),
        "of format 99",
    ),
    "a group of another run": (f"{CHI}/zarr.json", other(f"{E6}/zarr.json"), "another run: .* differ; nothing was cha"),
}


def check_answers(intact: Intact, place: Path, file: str, content: bytes | None) -> None:
    """Every question to a damaged store is answered, and limits are right; or it is refused in one line."""
    out = damaged(intact, place / "asked.zarr", file, content)
    require_no_wrong_limit(intact, out)
    require_no_wrong_limit(intact, out, from_cube=True)
    with told_if_refused():
        store.describe(out)
    for group in (CHI, E6):
        # what xarray reads later than `open` is between it and zarr: a chunk that is cut is zarr's ValueError
        with told_if_refused(), fastscan.open(out, group) as cube, suppress(ValueError):
            cube.load()
    with told_if_refused():
        scanner.finish(str(out))
    require_no_wrong_limit(intact, out)
    out = damaged(intact, place / "resumed.zarr", file, content)
    with told_if_refused():
        fastscan.scan(intact.grid, out, resume=True)
    require_no_wrong_limit(intact, out)


def check_repair(intact: Intact, place: Path, file: str, content: bytes | None) -> None:
    """Require that, after `verify`, a resumed scan repairs the store, or reports the damage."""
    out = damaged(intact, place / "repaired.zarr", file, content)
    with told_if_refused():
        verify(out)
    try:
        fastscan.scan(intact.grid, out, resume=True)
    except FastscanError as error:
        require_one_line(str(error))
        require_named(str(error), str(out), CHI, E6)
        return
    require_as_new(intact, out)


def require_repair(intact: Intact, place: Path, file: str, content: bytes | None) -> None:
    """Require that, after `verify`, a resumed scan repairs the store."""
    out = damaged(intact, place / "repaired.zarr", file, content)
    with told_if_refused():
        verify(out)
    fastscan.scan(intact.grid, out, resume=True)
    require_as_new(intact, out)


def require_as_new(intact: Intact, out: Path) -> None:
    require_clean(out, CHI, E6)
    assert arrays(out) == intact.arrays
    for from_cube in (False, True):
        assert limits(out, from_cube) == comparable(intact.limits[from_cube])


def require_named(text: str, *names: str) -> None:
    assert any(name in text for name in names), text


# Shrinking is left out: a smaller damage explains nothing, and takes long.
some = settings(max_examples=8, phases=[Phase.reuse, Phase.generate])


@given(data=st.data())
@some
def test_a_damaged_store_gives_right_answers_or_one_line(intact: Intact, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        check_answers(intact, Path(place), *data.draw(damages(intact.contents)))


@given(data=st.data())
@some
def test_a_resumed_scan_repairs_a_damaged_store_or_says_what_is_wrong(intact: Intact, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        check_repair(intact, Path(place), *data.draw(damages(intact.contents)))


@pytest.mark.parametrize("check", [check_answers, require_repair], ids=["answers", "repair"])
@pytest.mark.parametrize("known", mostly_slow(KNOWN))
def test_damage_that_is_easily_overlooked(
    known: str, check: Callable[[Intact, Path, str, bytes | None], None], intact: Intact, tmp_path: Path
) -> None:
    file, damage = KNOWN[known]
    check(intact, tmp_path, file, damage(intact.contents, file))


@pytest.mark.parametrize("known", REFUSED)
def test_what_may_be_anothers_is_not_repaired(known: str, intact: Intact, tmp_path: Path) -> None:
    file, damage, problem = REFUSED[known]
    out = damaged(intact, tmp_path / "out.zarr", file, damage(intact.contents, file))
    before = files(out)
    with pytest.raises(FastscanError, match=problem):
        fastscan.scan(intact.grid, out, resume=True)
    assert files(out) == before


# --- Stores that were made to harm ---


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    """A sparse file with far more bytes than it takes on the disk."""
    with path.open("wb") as file:
        file.truncate(2**40)


@pytest.mark.parametrize("put", [pipe, device, huge, Path.mkdir], ids=lambda each: each.__name__)
@pytest.mark.parametrize(
    "file",
    [
        "zarr.json",
        "coherent-csi/zarr.json",
        f"{E6}/zarr.json",
        f"{E6}/chi2/zarr.json",
        f"{E6}/chi2/c.0.0.0.0",
        f"{E6}/chi2/done.0.json",
        f"{E6}/beta/zarr.json",
        f"{E6}/beta/c/0",
        f"{E6}/likelihood/zarr.json",
    ],
)
def test_what_is_no_file_of_ours_is_never_read(
    file: str, put: Callable[[Path], None], intact: Intact, tmp_path: Path
) -> None:
    """A reader would wait for a pipe for ever, and a device or a huge file would fill the memory."""
    out = damaged(intact, tmp_path / "out.zarr", file, b"")
    (out / file).unlink()
    put(out / file)
    ask_everything(intact, out)


def ask_everything(intact: Intact, out: Path) -> None:
    """Every question to a store is answered or refused in one line."""
    questions: list[Callable[[], object]] = [
        partial(limits, out, False),
        partial(limits, out, True),
        partial(list, answers.contours_of_store(str(out), Question(groups=(E6,)), PlaneAxes())),
        partial(store.describe, out),
        partial(citations.references_of, str(out)),
        partial(verify, out),
        partial(scanner.finish, str(out)),
        partial(fastscan.scan, intact.grid, out, resume=True),
    ]
    for ask in questions:
        with told_if_refused():
            ask()
    # what xarray reads later than `open` is between it and zarr: a chunk that is cut is zarr's ValueError
    with told_if_refused(), fastscan.open(out, E6) as cube, suppress(ValueError):
        cube.load()


def forged(intact: Intact, out: Path, file: str, content: bytes) -> Path:
    """A copy of the intact store in which a file has other content, with a fitting checksum."""
    group = "/".join(file.split("/")[:2])
    own = unfolded(intact.contents[f"{group}/zarr.json"])
    own["attributes"]["checksums"][file.removeprefix(f"{group}/")] = xxhash.xxh3_64_hexdigest(content)
    damaged(intact, out, f"{group}/zarr.json", folded(own))
    (out / file).write_bytes(content)
    return out


def unfolded(content: bytes) -> Any:
    """A zarr.json in which the texts of JSON among a group's attributes are replaced by their values."""
    document = json.loads(content)
    attributes = document.get("attributes", {})
    attributes |= {key: json.loads(attributes[key]) for key in JSON_TEXTS if key in attributes}
    return document


def folded(document: Any) -> bytes:
    """The inverse of `unfolded`, for values that may have been changed."""
    with suppress(AttributeError, KeyError, TypeError):
        attributes = document["attributes"]
        texts = {key: json.dumps(attributes[key]) for key in JSON_TEXTS if key in attributes}
        document = {**document, "attributes": {**attributes, **texts}}
    return json.dumps(document).encode()


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


JUNK = [
    *(None, [], {}, "", "a\x1b\nb", "9" * 5000, True, -1, 0, 10**30, 1.5, math.inf, math.nan, nested(300)),
    *([None], [[1]], [0] * 4, [1] * 4, [10**18] * 4, ["../x"], {"x": 1}, {"../../../etc/passwd": "0"}),
]


@st.composite
def replaced(draw: st.DrawFn, value: Any) -> Any:
    """A JSON document in which one entry, at any depth, is junk."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 5)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        copy = value.copy()
        copy[key] = draw(replaced(value[key]))
        return copy
    return draw(st.sampled_from(JUNK))


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=25, phases=[Phase.reuse, Phase.generate])
def test_forged_metadata_are_answered_or_refused(intact: Intact, data: st.DataObject) -> None:
    """The metadata can contain anything, with fitting hashes and checksums."""
    file = data.draw(st.sampled_from([file for file in intact.contents if file.endswith("zarr.json")]))
    content = data.draw(replaced(unfolded(intact.contents[file])))
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SETTLE", 0.01)
        out = Path(place, "out.zarr")
        if file.count("/") > 2:
            forged(intact, out, file, folded(content))
        else:
            with suppress(KeyError, TypeError):
                content["attributes"]["hash"] = hash_of(content["attributes"]["identity"])
            damaged(intact, out, file, folded(content))
        ask_everything(intact, out)


@pytest.mark.parametrize("nest", [b"[", slow(b'{"a":')], ids=["lists", "tables"])
@pytest.mark.parametrize(
    "file", ["zarr.json", *map(slow, ["coherent-csi/zarr.json", f"{E6}/zarr.json"]), f"{E6}/chi2/zarr.json"]
)
def test_metadata_that_are_nested_without_end_are_refused(
    file: str, nest: bytes, intact: Intact, tmp_path: Path
) -> None:
    content = nest * 200_000
    ask_everything(intact, damaged(intact, tmp_path / "damaged.zarr", file, content))
    if file.endswith("chi2/zarr.json"):
        ask_everything(intact, forged(intact, tmp_path / "forged.zarr", file, content))


class Canary(BytesCodec):
    """A codec that reports any use of it, as a codec that executes its input would be used."""

    asked = 0

    @classmethod
    def from_dict(cls, data: Any) -> "Canary":
        return cls()

    async def decode(self, *arguments: Any, **options: Any) -> Any:
        Canary.asked += 1
        return await super().decode(*arguments, **options)


@pytest.mark.parametrize("array", ["chi2", "events", "m_zprime", "sigma_sys", "likelihood/roots"])
def test_a_codec_that_fastscan_does_not_write_is_refused_before_it_reads(
    array: str, intact: Intact, tmp_path: Path
) -> None:
    register_codec("canary", Canary)
    described = json.loads(intact.contents[f"{E6}/{array}/zarr.json"])
    described["codecs"][0]["name"] = "canary"
    out = forged(intact, tmp_path / "out.zarr", f"{E6}/{array}/zarr.json", json.dumps(described).encode())
    questions = [partial(limits, out, False), partial(limits, out, True), partial(store.describe, out)]
    for ask in (*questions, partial(verify, out), partial(fastscan.open, out, E6)):
        with pytest.raises(FastscanError, match=f"{array}/zarr.json has codecs that fastscan doesn't write"):
            ask()
    assert Canary.asked == 0


def test_an_array_of_somebody_else_is_left_alone(intact: Intact, tmp_path: Path) -> None:
    """xarray reads coordinates as soon as it opens a group."""
    register_codec("canary", Canary)
    out = damaged(intact, tmp_path / "out.zarr", f"{E6}/mine", None)
    group = zarr.open_group(out, path=E6, mode="r+")
    group.create_array("mine", data=np.arange(3.0), compressors=None, dimension_names=["mine"])
    described = out / E6 / "mine" / "zarr.json"
    described.write_text(described.read_text().replace('"bytes"', '"canary"'))
    Canary.asked = 0
    with fastscan.open(out, E6) as cube:
        assert "mine" not in cube.variables
    assert Canary.asked == 0


def test_a_store_of_zarr_format_2_is_refused(intact: Intact, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    root = zarr.open_group(out, mode="w", zarr_format=2, attributes={"fastscan_format": FORMAT})
    root.create_array("coherent-csi/chi/chi2", shape=3, dtype="f8")
    for ask in (
        store.describe,
        verify,
        partial(fastscan.scan, intact.grid),
        scanner.finish,
        partial(limits, from_cube=True),
    ):
        with pytest.raises(FastscanError, match="is no fastscan store"):
            ask(out)
    before = files(out)
    for option in ({"resume": True}, {"overwrite": True}):
        with pytest.raises(FastscanError, match="is no fastscan store; it is left as it is"):
            fastscan.scan(intact.grid, out, **option)
    assert files(out) == before


@pytest.mark.parametrize(
    "key", ["../../../secret", *map(slow, ["beta/../../../../secret", "/etc/passwd", "mine/zarr.json"])]
)
def test_checksums_lead_nowhere_else(key: str, intact: Intact, tmp_path: Path) -> None:
    """This holds even if a file is there, with a fitting checksum."""
    (tmp_path / "secret").write_bytes(b"secret")
    own = unfolded(intact.contents[f"{E6}/zarr.json"])
    own["attributes"]["checksums"][key] = xxhash.xxh3_64_hexdigest(b"secret")
    out = damaged(intact, tmp_path / "out.zarr", f"{E6}/zarr.json", folded(own))
    with pytest.raises(FastscanError, match="its checksums are of other files than fastscan writes"):
        limits(out, False)
    with told_if_refused():
        fastscan.scan(intact.grid, out, resume=True)
    assert (tmp_path / "secret").read_bytes() == b"secret"


@pytest.mark.slow
def test_a_million_checksums_are_refused(intact: Intact, tmp_path: Path) -> None:
    own = unfolded(intact.contents[f"{E6}/zarr.json"])
    own["attributes"]["checksums"] |= {f"beta/c/{number}": "" for number in range(1_000_000)}
    out = damaged(intact, tmp_path / "out.zarr", f"{E6}/zarr.json", folded(own))
    with pytest.raises(FastscanError, match="its checksums are of other files than fastscan writes"):
        store.describe(out)


@pytest.mark.parametrize("name", ["../other.zarr/coherent-csi/e6", "coherent-csi/../chi", "..", "/etc/passwd", "a/b/c"])
def test_a_group_is_one_of_the_store(name: str, intact: Intact, tmp_path: Path) -> None:
    damaged(intact, tmp_path / "other.zarr", "zarr.json", intact.contents["zarr.json"])
    out = damaged(intact, tmp_path / "out.zarr", "zarr.json", intact.contents["zarr.json"])
    with pytest.raises(FastscanError, match="unknown group"):
        fastscan.open(out, name)


# --- The command line ---


@pytest.mark.parametrize(
    ("file", "damage", "command"),
    [
        ("coherent-csi/zarr.json", gone, ["limits", "--json"]),
        (f"{CHI}/likelihood/zarr.json", becomes(b""), ["finish"]),
        (f"{E6}/events/c.0.0", gone, ["verify"]),
    ],
    ids=["limits", "finish", "verify"],
)
def test_a_command_on_a_damaged_store_ends_in_one_line(
    file: str, damage: Damage, command: list[str], intact: Intact, tmp_path: Path
) -> None:
    out = damaged(intact, tmp_path / "out.zarr", file, damage(intact.contents, file))
    refusal(command[0], out, *command[1:])


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", GRID.encode() + b'[combine."a\\nb"]'], ids=["binary", "a name of two lines"]
)
def test_a_scan_of_a_garbled_grid_ends_in_one_line(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_bytes(text)
    refusal("scan", tmp_path / "grid.toml", "-o", tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()
