import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Write, angles, luminosities, sigmas, tells_its_peak
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import fastscan
from fastscan.answers import answers
from fastscan.answers.question import Question
from fastscan.errors import FastscanError
from fastscan.stores import store
from fastscan.typing import Record

# crossings are looked for down to 1 GeV, where the contact form has ended in coherent-csi
pytestmark = pytest.mark.filterwarnings("ignore:M_Z. is below:fastscan.FastscanWarning")
CHUNK = "conus/e6/chi2/c.0.0.0.0"
DENSE = """
experiments = ["coherent-csi", "conus"]
models = ["e6"]
[axes]
beta = { start = 0, stop = 180, num = 91, unit = "deg" }
m_zprime = { start = 1, stop = 3000, num = 300, spacing = "log", unit = "GeV" }
sigma_sys = { start = 0, stop = 0.3, num = 7 }
luminosity = { values = [1, 10, 1000] }
"""
WITHOUT_NUMBERS = dict.fromkeys(("limit_gev", "allowed_gev"))
SMALL = DENSE.replace("num = 91", "num = 13").replace("num = 7", "num = 4")


def limits(
    place: Path, groups: tuple[str, ...] = (), stored: bool = False, combined: tuple[str, ...] = (), **at: Any
) -> list[Record]:
    """The limits of a store, by default at all points of its settings' axes; None stands for each one's own value."""
    chosen = {"sigma_sys": "axis", "luminosity": "axis"} | at
    given = {name: values for name, values in chosen.items() if values is not None}
    return list(answers.limits_of_store(str(place), Question(groups, given, stored=stored), combined))


def numbers(record: Record) -> list[float]:
    """The limit and the ends of the allowed intervals; infinity for none."""
    ends = [end for interval in record["allowed_gev"] for end in interval]
    return [math.inf if number is None else number for number in (record["limit_gev"], *ends)]


def agreed(place: Path, **chosen: Any) -> list[Record]:
    """Limits from the stored values, which must equal the limits from the likelihood."""
    stored, carried = limits(place, stored=True, **chosen), limits(place, **chosen)
    assert all(one | WITHOUT_NUMBERS == other | WITHOUT_NUMBERS for one, other in zip(stored, carried, strict=True))
    for one, other in zip(stored, carried, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-6)
    return stored


@pytest.fixture
def small(write: Write, tmp_path: Path) -> Path:
    fastscan.scan(write("grid.toml", SMALL), tmp_path / "out.zarr")
    return tmp_path / "out.zarr"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cube_and_its_likelihood_give_the_same_limits(dtype: str, write: Write, tmp_path: Path) -> None:
    fastscan.scan(write("grid.toml", f'{DENSE}[store]\ndtype = "{dtype}"\n'), tmp_path / "out.zarr")
    found = agreed(tmp_path / "out.zarr")
    assert len(found) == 2 * 91 * 7 * 3
    assert {"ok", "no_sensitivity", "sm_disfavoured"} < set(Counter(each["status"] for each in found))
    assert sum(len(each["allowed_gev"]) > 1 for each in found) > 300


@pytest.mark.parametrize(
    ("chunk", "dtype", "shape"),
    [("1 KiB", "float32", (1, 150, 1, 1)), ("5 KiB", "float64", (1, 300, 1, 2)), ("60 KiB", "float32", (4, 300, 4, 3))],
)
def test_chunks_of_any_size_give_the_same_limits(
    chunk: str, dtype: str, shape: tuple[int, ...], write: Write, tmp_path: Path
) -> None:
    source = write("grid.toml", f'{SMALL}[store]\ndtype = "{dtype}"\nchunk = "{chunk}"\n')
    root = fastscan.scan(source, tmp_path / "out.zarr")
    assert store.read(root, "conus/e6").layout.chunks == shape
    assert any(len(each["allowed_gev"]) > 1 for each in agreed(tmp_path / "out.zarr"))


def test_a_coarse_mass_axis_gives_the_same_limits(write: Write, tmp_path: Path) -> None:
    coarse = DENSE.replace("start = 1, stop = 3000, num = 300", "start = 30, stop = 300, num = 4")
    fastscan.scan(write("grid.toml", coarse), tmp_path / "out.zarr")
    assert "outside_axis" in {each["status"] for each in agreed(tmp_path / "out.zarr")}


def axis(points: st.SearchStrategy[float], most: int) -> st.SearchStrategy[list[float]]:
    return st.lists(points, min_size=1, max_size=most, unique=True).map(sorted)


@given(
    axis(st.floats(1e-3, 20000), 6),
    axis(angles, 4),
    axis(sigmas, 3),
    axis(luminosities, 2),
    st.sampled_from(["coherent-csi", "conus", "cr51-lxe-a"]),
    st.sampled_from(["float32", "float64"]),
)
@example([14.4, 16.9, 50.0], [math.radians(100)], [0.01, 0.28], [1.0, 10.0], "coherent-csi", "float32")
@settings(max_examples=25)
def test_any_axes_give_the_same_limits(
    masses: list[float], beta: list[float], sigma: list[float], luminosity: list[float], name: str, dtype: str
) -> None:
    with tempfile.TemporaryDirectory() as place:
        grid = Path(place, "grid.toml")
        grid.write_text(
            f"""
            experiments = ["{name}"]
            models = ["e6"]
            [axes]
            beta = {{ values = {beta}, unit = "rad" }}
            m_zprime = {{ values = {masses}, unit = "GeV" }}
            sigma_sys = {{ values = {sigma} }}
            luminosity = {{ values = {luminosity} }}
            [store]
            dtype = "{dtype}"
            """
        )
        fastscan.scan(grid, f"{place}/out.zarr")
        agreed(Path(place, "out.zarr"))


def test_a_combination_and_a_model_without_beta_give_the_same_limits(write: Write, tmp_path: Path) -> None:
    combined = '[combine.both]\nexperiments = ["coherent-csi", "conus"]\nsigma_sys = { conus = 0.05 }\n'
    fastscan.scan(write("grid.toml", SMALL.replace('["e6"]', '["e6", "chi"]') + combined), tmp_path / "out.zarr")
    found = agreed(tmp_path / "out.zarr", groups=("both/e6", "both/chi", "conus/chi"))
    assert found[0]["sigma_sys"] == {"coherent-csi": 0.0, "conus": 0.05}
    # the axis has 0.2, conus's own value, but no stored chi2 has both 0.28 and 0.05
    assert agreed(tmp_path / "out.zarr", groups=("conus/chi",), sigma_sys=None)[0]["sigma_sys"] == 0.2
    with pytest.raises(FastscanError, match=r"0\.28 is not on the axis"):
        limits(tmp_path / "out.zarr", groups=("both/chi",), sigma_sys=None, stored=True)


def test_points_of_the_axes_can_be_asked_for_in_any_order(small: Path) -> None:
    beta = [math.pi, 0.0, math.radians(105), 0.0]
    found = agreed(small, beta=beta, sigma_sys=[0.3, 0.0], luminosity=[1000.0, 1.0])
    assert [each["beta_rad"] for each in found[:16:4]] == pytest.approx(beta)


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"beta": [math.radians(20)]}, "beta = 20 deg is not on the axis of coherent-csi/e6; the nearest is 15 deg"),
        ({"sigma_sys": [0.21]}, r"sigma_sys = 0\.21 is not on the axis of coherent-csi/e6; the nearest is 0\.2$"),
        ({"sigma_sys": None}, r"sigma_sys = 0\.28 is not on the axis of coherent-csi/e6; the nearest is 0\.3$"),
        ({"luminosity": [7.0]}, "luminosity = 7 is not on the axis of coherent-csi/e6; the nearest is 10$"),
        ({"combined": ("coherent-csi", "conus")}, "no stored cube"),
    ],
)
def test_what_is_not_stored_is_refused(chosen: dict[str, Any], problem: str, small: Path) -> None:
    with pytest.raises(FastscanError, match=problem):
        limits(small, stored=True, **chosen)


def test_an_incomplete_cube_gives_no_limits(small: Path) -> None:
    (small / "conus/e6/chi2/done.0.json").unlink()
    with pytest.raises(FastscanError, match="conus/e6 lacks 1 of 1 tasks"):
        limits(small, stored=True)
    assert len(limits(small)) == 2 * 13 * 4 * 3


def change(path: Path, changed: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
    path.write_bytes(changed(np.frombuffer(path.read_bytes(), "<f4")).astype("<f4").tobytes())


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (lambda chi2: 3 * chi2, "conus/e6: the stored chi2 contradicts the likelihood"),
        (lambda chi2: (1 + 1e-5) * chi2, "contradicts the likelihood"),
        (lambda chi2: 0 * chi2, "contradicts the likelihood"),
        (lambda chi2: chi2[::-1], "contradicts the likelihood"),
        (lambda chi2: np.where(np.arange(chi2.size) == 1000, np.nan, chi2), "conus/e6: chi2 lacks values"),
        (lambda chi2: chi2[:-1], "conus/e6 is half-written or damaged"),
    ],
)
def test_stored_values_that_can_not_be_are_told(changed: Callable[..., Any], problem: str, small: Path) -> None:
    change(small / CHUNK, changed)
    with pytest.raises(FastscanError, match=problem):
        limits(small, stored=True)


@pytest.mark.parametrize("towards", [-math.inf, math.inf])
def test_rounding_of_stored_values_changes_nothing(towards: float, small: Path) -> None:
    before = limits(small, stored=True)
    change(small / CHUNK, lambda chi2: np.nextafter(chi2, np.float32(towards)))
    assert limits(small, stored=True) == before


MANY = """
experiments = ["coherent-csi"]
models = ["e6"]
[axes]
beta = { start = 0, stop = 180, num = 500, unit = "deg" }
m_zprime = { start = 10, stop = 2000, num = 400, spacing = "log", unit = "GeV" }
sigma_sys = { start = 0.0, stop = 0.3, num = 15 }
luminosity = { start = 1, stop = 1000, num = 8, spacing = "log" }
[store]
dtype = "float64"
chunk = "4 MiB"
"""
# The peak is this process's own: getrusage would include the memory of the process that started this one.
ASK = """
import os, re, sys
from pathlib import Path
from fastscan.answers import answers, records
from fastscan.answers.question import Question
from fastscan.interactions.catalogue import load

def ask(place):
    found = answers.limits_of_store(place, Question(at={"sigma_sys": "axis", "luminosity": "axis"}, stored=True))
    with open(os.devnull, "w") as file:
        records.write_csv(file, records.limit_keys(load("e6")), found)

def peak_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

few, many = sys.argv[1:]
ask(few)
before = peak_mb()
ask(many)
print(peak_mb() - before)
"""


@pytest.mark.slow
@tells_its_peak
def test_a_cube_larger_than_the_memory_gives_limits(small: Path) -> None:
    """Measured: 69 MB for 60,000 limits, and up to 143 on a busy machine, from a cube of 183 MB."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "grid.toml").write_text(MANY)
        root = fastscan.scan(f"{place}/grid.toml", f"{place}/out.zarr")
        assert store.read(root, "coherent-csi/e6").layout.points == 60_000 * 400
        command = [sys.executable, "-c", ASK, small, f"{place}/out.zarr"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 165
