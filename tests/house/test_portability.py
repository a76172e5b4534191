"""Portability: without modules that some machines lack, with few open files, and without a place for caches."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FASTSCAN, GRID, HIDDEN, Write, line_of, ok, slow, without

import fastscan

HERE = Path(fastscan.__file__).parent


@pytest.mark.parametrize("hidden", [slow("sched_getaffinity"), slow("fcntl"), slow("resource"), slow("fork")])
def test_commands_do_without_what_other_machines_lack(hidden: str, grid_file: Path, tmp_path: Path) -> None:
    lacking = {"cwd": tmp_path, "env": without(hidden)}
    assert "M_Z' > 195.3 GeV" in ok("limit", "coherent-csi", "chi", **lacking)
    assert "to do: 10.9 k points" in ok("scan", grid_file, "-o", "out.zarr", "--dry-run", "--workers", "1", **lacking)
    threads = ok("scan", grid_file, "-o", "threads.zarr", **lacking)
    assert ok("scan", grid_file, "-o", "workers.zarr", "--workers", "1", **lacking) == threads
    assert "2 chunks good" in ok("verify", "workers.zarr", **lacking)
    assert "written to paper: table3.md" in ok("paper", "-o", "paper", "--no-figures", **lacking)


def test_what_is_hidden_is_hidden_from_workers_too() -> None:
    program = "import os; print(hasattr(os, 'fork'))"
    started = [sys.executable, "-c", program]
    told = subprocess.run(started, env=without("fork"), capture_output=True, text=True, check=True)
    assert (told.stdout, HIDDEN.name) == ("False\n", "hidden")


PROGRAM = """
import sys, warnings
warnings.filterwarnings("error", category=EncodingWarning, module="fastscan")
from fastscan.commands.cli import main
sys.argv = ["fastscan", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    "arguments", [["limit", "conus", "chi"], slow(["paper", "-o", "paper"])], ids=["limit", "paper"]
)
def test_no_file_is_read_or_written_in_the_machines_own_encoding(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-X", "warn_default_encoding", "-c", PROGRAM, *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_title_that_the_terminal_can_not_show_is_written_out(write: Write, tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(f'title = "Σ of E₆"\n{GRID}', encoding="utf-8")
    fastscan.scan(grid, tmp_path / "out.zarr")
    told = ok("info", tmp_path / "out.zarr", env={**os.environ, "PYTHONIOENCODING": "cp1252"})
    assert "coherent-csi/chi: \\u03a3 of E\\u2086" in told


def test_a_file_url_is_as_python_writes_it(grid_file: Path, tmp_path: Path) -> None:
    place = tmp_path / "a place of 100 %" / "out.zarr"
    fastscan.scan(grid_file, place.as_uri())
    assert place.is_dir()
    assert "arXiv:1708.01294" in ok("cite", place.as_uri())


def limited(files: int, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a command that may have only so many files open."""
    command = ["bash", "-c", f'ulimit -n {files}; exec "$@"', "bash", FASTSCAN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


needs_limits = pytest.mark.skipif(
    not shutil.which("bash") or os.environ.get("FASTSCAN_HIDE") == "resource",
    reason="a shell limits the files that a command has open, and the module resource tells how many",
)


@needs_limits
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["scan", "dry run"])
def test_too_few_open_files_for_workers_are_told(dry: list[str], grid_file: Path, tmp_path: Path) -> None:
    problem = line_of(limited(32, "scan", grid_file, "-o", tmp_path / "out.zarr", "--workers", "1", *dry))
    assert problem == "fastscan: 1 workers need 48 open files, but only 32 are allowed; `ulimit -n 48` allows them"
    assert not (tmp_path / "out.zarr").exists()


@needs_limits
def test_too_few_open_files_for_any_command_are_told() -> None:
    for arguments in (["limit", "conus", "chi"], ["info", "absent.zarr"]):
        problem = line_of(limited(8, *arguments))
        assert problem == "fastscan: only 8 open files are allowed, too few to work with; `ulimit -n 64` allows more"


@pytest.mark.slow
@needs_limits
def test_as_many_open_files_as_are_asked_for_are_enough(grid_file: Path, tmp_path: Path) -> None:
    for number, options in ((16, []), (48, ["--workers", "1"])):
        ended = limited(number, "scan", grid_file, "-o", tmp_path / f"{number}.zarr", *options)
        assert ended.returncode == 0, ended.stderr


@pytest.fixture
def nothing_kept(tmp_path: Path) -> dict[str, str]:
    """The environment of a user without a home, whose fastscan is in a directory that can't be written."""
    shutil.copytree(HERE, tmp_path / "fastscan", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "fastscan" / "kernels" / "__pycache__").write_text("a file, where numba wants a directory")
    nowhere = str(tmp_path / "fastscan" / "__init__.py" / "home")
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), nowhere)
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    return {**environment, **homes, "PYTHONPATH": str(tmp_path)}


def warnings_in(told: str) -> list[str]:
    """The warnings of fastscan in the output of a command or of Python."""
    return re.findall(r"(?:fastscan: warning|FastscanWarning): (.*)", told)


WARNING = (
    "numba can keep nothing of what it compiles, so that each process compiles it anew; set NUMBA_CACHE_DIR to a "
    "directory that can be written"
)


MANY = "import fastscan, numpy; print(fastscan.chi2('conus', 'chi', m_zprime=numpy.geomspace(10, 1e4, 9999)).max())"


@pytest.mark.slow
@pytest.mark.parametrize("command", [[FASTSCAN, "scan", "-o", "out.zarr"], [sys.executable, "-c", MANY]])
def test_where_nothing_that_is_compiled_can_be_kept_it_is_compiled_each_time(
    command: list[str], nothing_kept: dict[str, str], grid_file: Path, tmp_path: Path
) -> None:
    """As in a container of a user without a home."""
    asked = [*command, *([str(grid_file)] if FASTSCAN in command else [])]
    ended = subprocess.run(
        asked, cwd=tmp_path, env=nothing_kept, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert warnings_in(ended.stderr) == [WARNING]
    assert ended.stderr.startswith(("fastscan: warning: ", "<string>:1: "))  # in Python, at the user's own line


@pytest.mark.slow
def test_workers_do_not_repeat_that_nothing_can_be_kept(
    nothing_kept: dict[str, str], grid_file: Path, tmp_path: Path
) -> None:
    command = [FASTSCAN, "scan", grid_file, "-o", tmp_path / "out.zarr", "--workers", "1"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=nothing_kept, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert warnings_in(ended.stderr) == [WARNING]
