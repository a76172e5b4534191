"""What perf/compare.py says of pairs that are slower, that can't be measured, or that the base has not.

No pair is measured here: ratios are made up, or the base's package is one in which nothing can be measured.
"""

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result
from conftest import REPOSITORY

PERF = REPOSITORY / "perf"
HELP = "fastscan --help"
Ratio = Callable[[str], float]


def same(name: str) -> float:
    return 1.0


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(PERF))
    return import_module("compare")


@pytest.fixture
def compared(compare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Result]:
    """Compare a pair in two packages: a base that has only this source, and one with a ratio of 1."""
    real = compare.measured_ratio

    def run(source: str, name: str) -> Result:
        (tmp_path / "fastscan").mkdir()
        (tmp_path / "fastscan" / "__init__.py").write_text(source)
        monkeypatch.setattr(compare, "checked_out", lambda revision: nullcontext(tmp_path))
        monkeypatch.setattr(compare, "measured_ratio", lambda path: real(path) if path == tmp_path else same)
        return CliRunner().invoke(compare.main, ["--base", "any", "--only", name])

    return run


def test_a_pair_that_the_base_cannot_measure_fails(compared: Callable[[str, str], Result]) -> None:
    ended = compared("raise RuntimeError('broken on purpose')", f"/ {HELP}")
    assert ended.exit_code == 1
    assert f"(2 x import click + 0.1 s) / {HELP}: can't be measured in " in ended.output
    assert ended.output.endswith(": RuntimeError: broken on purpose\n")


def failing(error: Exception) -> Ratio:
    def ratio(name: str) -> float:
        raise error

    return ratio


def test_a_pair_fails_where_the_checkout_cannot_measure_it(compare: ModuleType) -> None:
    """Only the base may lack what a pair needs, not the checkout."""
    for error in (compare.Unmeasured("one: why"), compare.Absent("one: why")):
        for base in (same, failing(compare.Absent("one: new"))):
            assert compare.compare(["one"], base, failing(error)) == ["one: why"]


def test_a_pair_that_is_slower_twice_fails(compare: ModuleType) -> None:
    looks = iter([0.5, 1.0])
    assert compare.compare(["one"], same, lambda name: next(looks)) == []
    assert compare.compare(["one"], same, lambda name: 0.5) == ["one: more than 1.25 times slower"]


def test_a_pair_that_is_newer_than_the_baseline_does_not_fail(
    compare: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare.compare(["one"], compare.baseline_ratio([]), same) == []
    assert "base has no such thing" in capsys.readouterr().out


def test_the_readmes_have_the_baseline(compare: ModuleType) -> None:
    rows = json.loads(compare.BASELINE.read_text())["pairs"]
    lines = {row["name"]: compare.table([row], "").splitlines()[-1] for row in rows}
    for page, names in ((compare.TABLE, lines), (compare.README, compare.MAIN)):
        table = (
            page.read_text("utf-8")
            .split("<!-- perf: written by perf/compare.py -->\n")[1]
            .partition("<!-- perf -->")[0]
        )
        assert table.splitlines()[4:] == [line for name, line in lines.items() if name in names]
        assert set(names) <= set(lines)


@pytest.mark.parametrize("path", sorted(set(PERF.glob("*.py")) - {PERF / "adapter.py"}), ids=lambda path: path.stem)
def test_only_the_adapter_imports_rooms_of_the_package(path: Path) -> None:
    """Everything else runs with the package of another commit."""
    assert not re.search(r"^\s*(from fastscan|import fastscan\.)", path.read_text(), re.MULTILINE)
