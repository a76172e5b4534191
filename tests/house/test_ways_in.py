"""The ways in: `python -m fastscan`, what a shell completes, and the names that `import fastscan` gives."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FASTSCAN, GRID, REPOSITORY, ok, python, scanned
from readmes import blocks


def test_the_module_is_the_command() -> None:
    for arguments in (["--version"], ["limit", "--help"], ["limit", "conus", "chi"]):
        ended = subprocess.run(
            [sys.executable, "-m", "fastscan", *arguments], capture_output=True, text=True, check=False
        )
        assert ended.stdout == ok(*arguments)
    refused = subprocess.run([sys.executable, "-m", "fastscan", "limit"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith("fastscan: Missing argument 'EXPERIMENTS'")


@pytest.mark.parametrize("name", ["experiments", "models", "grid"])
def test_rooms_that_users_know_are_there_at_once(name: str) -> None:
    """Each name is tried in a new Python, so that no import before can help."""
    assert python(f"import fastscan; print(fastscan.{name}.load)").startswith("<function load")
    assert python(f"from fastscan import {name}; print({name}.load)").startswith("<function load")
    assert python(f"import fastscan; print({name!r} in dir(fastscan), {name!r} in fastscan.__all__)") == "True True\n"


def test_the_package_imports_no_numba_before_it_is_used() -> None:
    assert (
        python("import sys, fastscan; dir(fastscan); fastscan.experiments; print('numba' in sys.modules)") == "False\n"
    )


def completed(line: str, directory: Path) -> list[str]:
    """The completions that bash gets for the last word of a line."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_FASTSCAN_COMPLETE": "bash_complete"}
    return ok(env={**os.environ, **asked}, cwd=directory).splitlines()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("place")
    scanned(GRID, place)
    return place


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fastscan li", ["plain,limit", "plain,limits"]),
        (
            "fastscan limit conu",
            [f"plain,conus{end}" for end in ("", "-plus", "-plus-2025", "-plus-2025-electrons", "-plus-2025-total")],
        ),
        ("fastscan limit conus,conn", ["plain,conus,connie"]),
        ("fastscan limit conus lr", ["plain,lr", "plain,lr-nc"]),
        ("fastscan limit conus ./mo", ["file,./mo"]),
        ("fastscan cite re", ["plain,red100", "plain,red100-2024"]),
        ("fastscan cite out", ["file,out"]),
        ("fastscan scan gr", ["file,gr"]),
        ("fastscan limits out.zarr --group coherent-csi/e", ["plain,coherent-csi/e6"]),
        ("fastscan limits out.zarr --json --group ", ["plain,coherent-csi/chi", "plain,coherent-csi/e6"]),
        ("fastscan plot out.zarr --ki", ["plain,--kind"]),
    ],
)
def test_a_shell_completes_commands_names_and_files(line: str, words: list[str], place: Path) -> None:
    assert completed(line, place) == words


def test_completing_imports_nothing_that_takes_long(place: Path) -> None:
    asked = {
        "COMP_WORDS": "fastscan limits out.zarr --group c",
        "COMP_CWORD": "4",
        "_FASTSCAN_COMPLETE": "bash_complete",
    }
    command = [sys.executable, "-X", "importtime", "-m", "fastscan"]
    ended = subprocess.run(command, cwd=place, env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert "coherent-csi/chi" in ended.stdout
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "click" in imported
    assert not {"numba", "scipy", "zarr", "dask", "xarray"} & imported


@pytest.mark.skipif(os.name == "nt", reason="Windows starts a script's workers in the same way, by other paths")
def test_the_manuals_script_with_a_client_runs(tmp_path: Path) -> None:
    """Its guard is needed: each worker starts the script again."""
    (script,) = [block for block in blocks("grids/manual.md", "python") if "Client()" in block]
    (tmp_path / "grids").symlink_to(REPOSITORY / "grids")
    (tmp_path / "script.py").write_text(script)
    ended = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert "is complete" in ok("finish", "results/csi.zarr", cwd=tmp_path)


@pytest.mark.skipif(not shutil.which("bash"), reason="it is bash that completes")
def test_bash_completes_as_the_manual_switches_it_on(place: Path) -> None:
    line = 'eval "$(_FASTSCAN_COMPLETE=bash_source fastscan)"'
    assert any(line in block for block in blocks("grids/manual.md", "sh"))
    ask = 'COMP_WORDS=(fastscan limit conn); COMP_CWORD=2; _fastscan_completion fastscan; echo "${COMPREPLY[@]}"'
    path = os.pathsep.join([str(Path(FASTSCAN).parent), os.environ["PATH"]])
    told = subprocess.run(
        ["bash", "-c", f"{line}; {ask}"],
        env={**os.environ, "PATH": path},
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "connie\n"
