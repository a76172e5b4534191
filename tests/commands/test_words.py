"""The words of commands about an incomplete store, about an interrupted scan, and on a terminal."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numba
import pytest
from conftest import FASTSCAN, GRID, MANY_TASKS, Arrays, arrays, run, scanned, slow, with_store

import fastscan
from fastscan.scans.scanner import Progress, plan

CHI, E6 = "coherent-csi/chi", "coherent-csi/e6"
FEW = with_store(GRID.replace("num = 37", "num = 5"), chunk="1 KiB", task="2 KiB")


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scanned(FEW, tmp_path_factory.mktemp("intact"))


@pytest.fixture
def stored(intact: Path, tmp_path: Path) -> Path:
    shutil.copytree(intact, tmp_path / "out.zarr")
    return tmp_path / "out.zarr"


def said(*arguments: object) -> tuple[int, str]:
    """Exit code of a command, and what it prints."""
    ended = run(*arguments)
    return ended.returncode, ended.stdout + ended.stderr


def test_verify_names_the_damaged_chunk(stored: Path) -> None:
    chunk = stored / E6 / "chi2/c.3.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    code, words = said("verify", stored)
    assert code == 2
    good, damaged, key, problem = words.splitlines()
    assert re.fullmatch(rf"{CHI}: \d+ chunks good, \d+ computed again", good)
    assert re.fullmatch(rf"{E6}: \d+ chunks 1 DAMAGED, \d+ computed again", damaged)
    assert key == f"  {E6}/chi2/c.3.0.0.0"
    assert problem == (
        f"fastscan: {stored} is damaged or not complete; `fastscan scan --resume` computes what is missing"
    )


def test_verify_and_info_tell_what_is_missing(stored: Path) -> None:
    (stored / E6 / "chi2/done.1.json").unlink()
    code, words = said("verify", stored)
    assert code == 2
    assert re.search(rf"^{E6}: \d+ chunks good, \d+ computed again, 1 of 4 tasks missing$", words, re.MULTILINE)
    code, words = said("info", stored)
    assert code == 0
    assert re.findall(r"tasks +(\d+)  of (\d+), (.*)", words) == [
        ("1", "1", "complete"),
        ("3", "4", "INCOMPLETE, scan --resume continues"),
    ]


def test_verify_says_that_all_is_good(stored: Path) -> None:
    code, words = said("verify", stored, "--all")
    assert code == 0
    found = re.findall(r"^(\S+): (\d+) chunks good, (\d+) computed again$", words, re.MULTILINE)
    assert [(group, chunks == again) for group, chunks, again in found] == [(CHI, True), (E6, True)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    return arrays(scanned(MANY_TASKS, tmp_path_factory.mktemp("undisturbed")))


@pytest.mark.parametrize(
    ("options", "again"),
    [([], "--resume"), (["--workers", "1"], "--resume"), slow(["--part", "1/1"], "the same command")],
    ids=["threads", "workers", "part"],
)
def test_a_scan_that_is_interrupted_is_one_line_and_goes_on(
    options: list[str], again: str, undisturbed: Arrays, tmp_path: Path
) -> None:
    """A terminal's Ctrl-C goes to all processes of a command, dask's too."""
    out = tmp_path / "out.zarr"
    (tmp_path / "grid.toml").write_text(MANY_TASKS)
    # the tests' parent may ignore the signal, and child processes inherit this
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heed}; from fastscan.__main__ import main; main()"]
    scan = subprocess.Popen(
        [*command, "scan", str(tmp_path / "grid.toml"), "-o", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while sum(1 for _ in out.rglob("done.*.json")) < 10 and scan.poll() is None:
        time.sleep(0.001)
    os.killpg(scan.pid, signal.SIGINT)
    printed, told = scan.communicate(timeout=60)
    assert (scan.returncode, printed) == (130, ""), told
    (ended,) = told.splitlines()[1:]
    assert re.fullmatch(rf"fastscan: interrupted; \d+ of 724 tasks are done; {again} continues", ended)
    done = sum(1 for _ in out.rglob("done.*.json"))
    calls: list[Progress] = []
    fastscan.scan(tmp_path / "grid.toml", out, resume=True, progress=calls.append)
    assert calls[-1].tasks == calls[0].tasks_to_do == plan(tmp_path / "grid.toml")[0].layout.tasks - done
    assert arrays(out) == undisturbed


def on_terminal(*arguments: object, **environment: str) -> str:
    """What a terminal shows of stderr while a command runs."""
    pty = pytest.importorskip("pty")
    here, terminal = pty.openpty()
    command = [FASTSCAN, *map(str, arguments)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal, env={**os.environ, **environment})
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # on Linux, the end of a terminal is an error
        while data := os.read(here, 4096):
            shown += data
    os.close(here)
    assert running.wait(60) == 0
    return shown.decode()


def test_a_terminal_sees_how_far_a_scan_is(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(FEW)
    shown = on_terminal("scan", tmp_path / "grid.toml", "-o", tmp_path / "out.zarr")
    what, _, progress = shown.partition("\n")
    assert "points in 5 tasks to compute; 2 groups of" in what
    assert "\r" in progress
    states = re.findall(r"(\d+)/5 tasks, [\d.]+ ?[kMG]? points/s", progress)
    assert states[-1] == "5"
    assert "100%" in progress


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_a_terminal_sees_why_the_first_command_waits_and_later_ones_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(FEW)
    said = "fastscan: compiling the numerical kernels, which takes some ten seconds at the first use"
    for number in (1, 0):
        command = "scan", tmp_path / "grid.toml", "-o", tmp_path / f"{number}.zarr"
        assert on_terminal(*command, NUMBA_CACHE_DIR=str(tmp_path / "cache")).count(said) == number


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_python_is_told_of_compiling_once_and_only_by_a_logger(tmp_path: Path) -> None:
    once = "import fastscan, numpy; fastscan.chi2('conus', 'chi', m_zprime=numpy.linspace(100, 200, 5000))"
    logged = f"import logging; logging.basicConfig(level=logging.INFO); {once}"
    told = {}
    for name, program in (("silent", once), ("logged", logged)):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / name)}
        ended = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        told[name] = ended.stdout + ended.stderr
    line = "INFO:fastscan.kernels.jit:compiling the numerical kernels, which takes some ten seconds at the first use\n"
    assert told == {"silent": "", "logged": line}
