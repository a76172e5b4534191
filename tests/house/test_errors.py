"""Errors by kind: a mistake raises each, each can be caught alone, and the log is silent without a handler."""

import ast
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Write

import fastscan
from fastscan import errors
from fastscan.answers import answers
from fastscan.answers.question import Question
from fastscan.errors import (
    ExperimentError,
    FastscanError,
    FastscanWarning,
    GridError,
    InputError,
    LimitError,
    ModelError,
    OutputError,
    ScanError,
    StoreError,
)
from fastscan.outputs import figures, plots

GRID = """
experiments = ["conus"]
models = ["chi", "e6"]
[axes]
beta = { start = 0, stop = 180, num = 3, unit = "deg" }
m_zprime = { values = [100, 200], unit = "GeV" }
"""
KINDS = [InputError, ExperimentError, ModelError, GridError, StoreError, ScanError, LimitError, OutputError]
PACKAGE = Path(fastscan.__file__).parent


def a_plane_without_a_second_axis(place: Path) -> None:
    fastscan.scan(place / "grid.toml", place / "out.zarr")
    list(answers.contours_of_store(str(place / "out.zarr"), Question(("conus/chi",))))


def a_picture_where_nothing_can_be_written(place: Path) -> None:
    fastscan.scan(place / "grid.toml", place / "out.zarr")
    figure, _ = plots.plot(str(place / "out.zarr"), Question(("conus/e6",)))
    figures.save(figure, place / "grid.toml" / "plane.png")


MISTAKES: list[tuple[type[FastscanError], Callable[[Path], object], str]] = [
    (InputError, lambda _: fastscan.chi2("conus", "chi", m_zprime=-1.0), "m_zprime must be"),
    (InputError, lambda _: fastscan.limit("conus", "chi", cl=90), "cl must be"),
    (ExperimentError, lambda _: fastscan.limit("connus", "chi"), "did you mean 'conus'"),
    (ExperimentError, lambda _: fastscan.limit(["conus", "conus"], "chi"), "there twice"),
    (ModelError, lambda _: fastscan.limit("conus", "chii"), "did you mean 'chi'"),
    (ModelError, lambda _: fastscan.limit("conus", "e6"), "needs beta"),
    (ModelError, lambda _: fastscan.limit("conus", "chi", beta=0.1), "has no beta"),
    (GridError, lambda place: fastscan.scan(place / "wrong.toml", place / "out.zarr"), "axes"),
    (StoreError, lambda place: fastscan.open(place / "nowhere.zarr", "conus/chi"), "does not exist"),
    (
        ScanError,
        lambda place: fastscan.scan(place / "grid.toml", place / "out.zarr", resume=True, overwrite=True),
        "exclude each other",
    ),
    (LimitError, a_plane_without_a_second_axis, "no second axis"),
    (OutputError, a_picture_where_nothing_can_be_written, "can't be written"),
    (OutputError, lambda place: figures.check_name(place / "plane.doc"), "a picture's name ends in"),
]


@pytest.fixture
def place(write: Write) -> Path:
    write("wrong.toml", 'experiments = ["conus"]\nmodels = ["chi"]\n')
    return write("grid.toml", GRID).parent


@pytest.mark.parametrize(("kind", "mistake", "problem"), MISTAKES)
def test_a_mistake_has_its_kind(
    kind: type[FastscanError], mistake: Callable[[Path], object], problem: str, place: Path
) -> None:
    with pytest.raises(FastscanError, match=problem) as caught:
        mistake(place)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_every_kind_is_met_and_can_be_caught_apart() -> None:
    assert {kind for kind, _, _ in MISTAKES} == set(KINDS)
    defined = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, FastscanError)}
    assert defined == {FastscanError, *KINDS}
    inputs = {InputError, ExperimentError, ModelError, GridError}
    for kind in KINDS:
        assert issubclass(kind, ValueError)
        above = {other for other in KINDS if other is not kind and issubclass(kind, other)}
        assert above == ({InputError} if kind in inputs - {InputError} else set())


@pytest.mark.parametrize("value", [10**5000, [10**5000], {"a": -(10**5000)}], ids=["alone", "listed", "named"])
def test_a_number_of_thousands_of_digits_can_be_quoted(value: object) -> None:
    assert "a number of thousands of digits" in errors.quoted(value)


@pytest.mark.parametrize(
    "value", ["x" * 10_000, [1] * 10_000, {"x": "x" * 10_000}, 10**5000, 1e300, None, b"\0"], ids=lambda _: ""
)
def test_a_quote_is_short(value: object) -> None:
    assert len(errors.quoted(value)) <= 80


def test_of_very_many_known_names_the_first_are_told() -> None:
    told = str(errors.unknown("group", "x", [f"experiment-{n}/chi" for n in range(100_000)]))
    assert told.startswith("unknown group 'x'; known: experiment-0/chi, ")
    assert told.endswith("/chi, ...")
    assert len(told) < 300


def test_a_warning_is_one_that_users_can_filter() -> None:
    assert issubclass(FastscanWarning, UserWarning)
    assert not issubclass(FastscanWarning, FastscanError)


def bare(tree: ast.AST) -> list[int]:
    """Lines that call FastscanError itself, or raise it as a class."""
    found = []
    for node in ast.walk(tree):
        made = node.func if isinstance(node, ast.Call) else node.exc if isinstance(node, ast.Raise) else None
        if getattr(made, "id", getattr(made, "attr", None)) == "FastscanError":
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_raises_an_error_without_a_kind(path: Path) -> None:
    assert bare(ast.parse(path.read_text())) == []


def test_an_error_without_a_kind_would_be_seen() -> None:
    assert sorted(bare(ast.parse("raise FastscanError('x')\nraise errors.FastscanError"))) == [1, 2]


SPEAK = """
import logging, sys
import fastscan.stores.location  # a room that has something to say
if sys.argv[1:]:
    logging.getLogger("fastscan").addHandler(logging.StreamHandler())
logging.getLogger("fastscan.scans").warning("a worker was lost")
"""


@pytest.mark.parametrize(("handler", "said"), [([], ""), (["handler"], "a worker was lost\n")])
def test_the_logger_is_silent_without_a_handler(handler: list[str], said: str) -> None:
    command = [sys.executable, "-c", SPEAK, *handler]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("", said)


def test_a_scan_is_logged(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "fastscan"):
        fastscan.scan(place / "grid.toml", "memory://logged")
    records = [record for record in caplog.records if record.name.startswith("fastscan.")]
    assert records
    assert {record.levelno for record in records} == {logging.INFO}
    assert all("\n" not in record.getMessage() for record in records)
