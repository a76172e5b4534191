"""Fixtures and strategies shared by the tests.

With FASTSCAN_HIDE=fcntl, or another module or function of os, they run as on a machine that doesn't have it.
"""

import math
import os
import runpy
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import fastscan
from fastscan.errors import FastscanError
from fastscan.kernels import blocks
from fastscan.limits import points
from fastscan.stores import store
from fastscan.stores.location import Location, read_root

settings.register_profile(
    "fastscan",
    deadline=None,
    derandomize="CI" in os.environ,  # there a failure must come from the change itself
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.load_profile("fastscan")

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent
HIDDEN = TESTS / "hidden"
pytest.register_assert_rewrite("pages", "readmes")  # so that their assertions show the difference


def without(hidden: str) -> dict[str, str]:
    """The environment of a process that doesn't see a module, or a function of os."""
    places = [str(HIDDEN), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "FASTSCAN_HIDE": hidden, "PYTHONPATH": os.pathsep.join(places)}


if "FASTSCAN_HIDE" in os.environ:
    os.environ.update(without(os.environ["FASTSCAN_HIDE"]))
    runpy.run_path(str(HIDDEN / "sitecustomize.py"))

FASTSCAN, DASK, MOTO = (str(Path(sysconfig.get_path("scripts")) / name) for name in ("fastscan", "dask", "moto_server"))
Arrays = dict[str, tuple[str, bytes]]
Write = Callable[[str, str], Path]
MODELS = ["chi", "psi", "eta", "lr", "lr-nc", "e6"]


def slow(*values: object) -> Any:
    """A slow case of a test whose other cases are fast."""
    return pytest.param(*values, marks=pytest.mark.slow)


def mostly_slow(cases: Iterable[Any]) -> list[Any]:
    """Cases that are alike, a process each, of which every third is enough for most runs; a tuple is several values."""
    every = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [slow(*case) if number % 3 else pytest.param(*case) for number, case in enumerate(every)]


tells_its_peak = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak of a process' memory stands in Linux' /proc"
)

masses = st.floats(1.1, 20000.0)  # the contact form holds down to 1.06 GeV in each experiment of the package
sigmas = st.one_of(st.just(0.0), st.floats(1e-4, 1.0))
luminosities = st.floats(1.0, 1000.0)
angles = st.one_of(st.just(0.0), st.floats(1e-30, math.pi))  # as files can contain them


def pytest_configure(config: pytest.Config) -> None:
    """Compile each kernel once, before each worker and command compiles it."""
    if hasattr(config, "workerinput"):
        return
    fastscan.chi2("coherent-csi", "chi", m_zprime=np.linspace(100, 200, 100_000))  # enough for all cores
    fastscan.limit("coherent-csi", "chi", sigma_sys=np.linspace(0, 0.3, 1000))
    settings, masses = np.ones((2, 1, 1)), np.ones(1)
    coefficients = points.prepare("coherent-csi", "chi", {}).likelihood.sums
    for dtype in ("float32", "float64"):
        blocks.chi2_block.run(1, 1, False, coefficients, masses, *settings, np.empty((1, 1, 1), dtype))


def with_store(grid: str, **settings: str) -> str:
    """A grid file with a [store] table of these settings."""
    return "\n".join([grid, "[store]", *(f'{name} = "{value}"' for name, value in settings.items())])


def scanned(grid: str, place: Path) -> Path:
    """The store of a grid file in a directory, from a scan in this process."""
    (place / "grid.toml").write_text(grid)
    fastscan.scan(place / "grid.toml", place / "out.zarr")
    return place / "out.zarr"


def arrays(location: Location) -> Arrays:
    """Decoded arrays of every group of a store, and their dtypes."""
    found = {}
    for group in store.group_names(read_root(location)):
        with fastscan.open(location, group) as cube:
            for name in {"chi2", "events"} & set(cube):
                found[f"{group}/{name}"] = (str(cube[name].dtype), cube[name].values.tobytes())
    return found


def files(path: Path) -> dict[str, bytes]:
    """The content of every file below a directory."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def run(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """The result of a command: its exit code and its output."""
    command = [FASTSCAN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


def ok(*arguments: object, **options: Any) -> str:
    """The output of a command that must succeed."""
    ended = run(*arguments, **options)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refusal(*arguments: object, **options: Any) -> str:
    """The one line with which a command must refuse its work."""
    return line_of(run(*arguments, **options))


def line_of(ended: "subprocess.CompletedProcess[str]") -> str:
    """The one line of a command that refused its work."""
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("fastscan: ")
    return line


def require_refused(load: Callable[[str], object], path: Path, problem: str) -> None:
    """Require that loading a file fails with one line, which names the file and the problem."""
    with pytest.raises(FastscanError, match=problem) as caught:
        load(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def python(program: str, *options: str) -> str:
    """The output of a new Python process."""
    ended = subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@st.composite
def model_points(draw: st.DrawFn) -> tuple[str, float | None]:
    """A model and, for e6, a beta."""
    model = draw(st.sampled_from(MODELS))
    return model, draw(angles) if model == "e6" else None


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text file and return its path."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


GRID = """
experiments = ["coherent-csi"]
models = ["chi", "e6"]

[axes]
beta = { start = 0, stop = 180, num = 13, unit = "deg" }
m_zprime = { start = 20, stop = 2000, num = 37, spacing = "log", unit = "GeV" }
sigma_sys = { start = 0.0, stop = 0.3, num = 7 }
luminosity = { values = [1, 10, 1000] }
"""


BETA = 'beta = { start = 0, stop = 180, num = 13, unit = "deg" }'
# The same grid with a light model, which has the masses of the heavy one, and a model whose strength has a sign.
GRIDS = {
    "e6": GRID,
    "b-l": GRID.replace(BETA, 'g = { start = 1e-5, stop = 10, num = 13, spacing = "log" }').replace("e6", "b-l"),
    "nsi-ee": GRID.replace(
        BETA, "eps_d = { start = -0.6, stop = 0.6, num = 13 }\neps_u = { start = -1, stop = 1, num = 37 }"
    ).replace("e6", "nsi-ee"),
}


def many_tasks(model: str) -> str:
    """One of `GRIDS` with hundreds of tasks, and without its heavy model that has no row parameter."""
    alone = GRIDS[model].replace("num = 13", "num = 181").replace('"chi", ', "")
    if model == "nsi-ee":
        alone = "\n".join(line for line in alone.splitlines() if not line.startswith("m_zprime"))
    return with_store(alone, chunk="1 KiB", task="1 KiB")


MANY_TASKS = many_tasks("e6")


@pytest.fixture
def grid_file(write: Write) -> Path:
    """A grid of 24,000 points."""
    return write("grid.toml", GRID)
