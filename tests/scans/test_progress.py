"""The progress of a scan from Python: a bar on a terminal or where it is asked for, and a user's own function."""

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import GRID, with_store

import fastscan
from fastscan.errors import InputError
from fastscan.scans.plan import plan
from fastscan.scans.progress import Progress, ProgressBar

FEW = with_store(GRID.replace("num = 37", "num = 5"), chunk="1 KiB", task="2 KiB")


def program(place: Path, options: str) -> list[str]:
    (place / "grid.toml").write_text(FEW)
    code = f"import fastscan; fastscan.scan({str(place / 'grid.toml')!r}, {str(place / 'out.zarr')!r}{options})"
    return [sys.executable, "-c", code]


def on_a_terminal(command: list[str]) -> str:
    """The output of a program to stderr if this is a terminal."""
    pty = pytest.importorskip("pty")
    here, terminal = pty.openpty()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # on Linux, the end of a terminal is an error
        while data := os.read(here, 4096):
            shown += data
    os.close(here)
    assert running.wait(60) == 0, shown
    return shown.decode()


def require_bar(shown: str) -> None:
    what, _, progress = shown.partition("\n")
    assert "points in 5 tasks to compute; 2 groups of" in what
    states = re.findall(r"(\d+)/5 tasks, [\d.]+ ?[kMG]? points/s", progress)
    assert states[-1] == "5"
    assert "\r" in progress
    assert "100%" in progress
    assert progress.endswith("\n")


@pytest.mark.parametrize("options", ["", ", progress=True"], ids=["default", "asked for"])
def test_a_terminal_sees_a_bar(options: str, tmp_path: Path) -> None:
    require_bar(on_a_terminal(program(tmp_path, options)))


def test_a_bar_is_no_wider_than_a_terminal(tmp_path: Path) -> None:
    """A line that is, leaves its first part in the terminal at each change."""
    shown = on_a_terminal(program(tmp_path, ""))
    bars = re.split(r"[\r\n]+", re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", shown.partition("\n")[2]))
    assert max(map(len, bars)) == 80
    assert all("points/s" in bar for bar in bars if "tasks" in bar)


def test_what_is_complete_has_no_bar(tmp_path: Path) -> None:
    on_a_terminal(program(tmp_path, ""))
    again = on_a_terminal(program(tmp_path, ", resume=True"))
    assert again.startswith("0 points in 0 tasks to compute; 2 groups of")
    assert "%" not in again


def test_what_went_wrong_stands_in_the_bar(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(FEW)
    with ProgressBar(plan(tmp_path / "grid.toml"), "out.zarr", anywhere=True) as bar:
        bar(Progress(0, 5, 0, 100, retried=0, failed=0))
        bar(Progress(1, 5, 20, 100, retried=3, failed=0))
        bar(Progress(1, 5, 20, 100, retried=3, failed=1))
    _, first, second, third = re.split(r"\r", capsys.readouterr().err)
    assert "retried" not in first
    assert "points/s, 3 retried" in second
    assert "points/s, 3 retried, 1 failed" in third


def test_a_notebook_sees_a_bar_where_it_asks_for_one(tmp_path: Path) -> None:
    """The stderr of a notebook isn't a terminal, and shows no control sequences."""
    ended = subprocess.run(program(tmp_path, ", progress=True"), capture_output=True, check=True)
    require_bar(ended.stderr.decode())
    assert b"\x1b" not in ended.stderr
    assert ended.stdout == b""


@pytest.mark.parametrize("options", ["", ", progress=False"], ids=["default", "not wanted"])
def test_elsewhere_nothing_is_printed(options: str, tmp_path: Path) -> None:
    ended = subprocess.run(program(tmp_path, options), capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (b"", b"")


@pytest.mark.parametrize("options", [", progress=False", ", progress=lambda now: None"], ids=["none", "function"])
def test_a_terminal_sees_none_that_is_not_wanted(options: str, tmp_path: Path) -> None:
    assert on_a_terminal(program(tmp_path, options)) == ""


def test_anything_else_is_refused(grid_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="progress is True, False or a function, not 'yes'"):
        fastscan.scan(grid_file, tmp_path / "out.zarr", progress="yes")
    assert not (tmp_path / "out.zarr").exists()
