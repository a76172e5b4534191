"""Points of an axis are the intended decimal numbers: each is the float that Python reads from its decimal text."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import Write, scanned
from hypothesis import given
from hypothesis import strategies as st

import fastscan
from fastscan.inputs.spacing import linear, logarithmic, rounded
from fastscan.scans import grid

written = st.decimals(-1000, 1000, places=4, allow_nan=False).map(float)
FILE = """
experiments = ["conus"]
models = ["e6"]
[axes]
beta = {{ start = 0, stop = 180, num = 361, unit = "deg" }}
m_zprime = {{ {m_zprime} }}
sigma_sys = {{ {sigma_sys} }}
"""


@given(written, written, st.integers(2, 200))
def test_linear_points_are_the_floats_nearest_to_the_exact_ones(one: float, other: float, num: int) -> None:
    start, stop = sorted((one, other))
    first, last = Fraction(repr(start)), Fraction(repr(stop))
    exact = [float(first + number * (last - first) / (num - 1)) for number in range(num)]
    assert linear(start, stop, num).tolist() == exact


def test_ends_of_many_digits_stay_as_they_are_and_points_between_are_rounded() -> None:
    points = linear(1 / 3, 2.123456789012345, 1001)
    assert (points[0], points[-1]) == (1 / 3, 2.123456789012345)
    np.testing.assert_allclose(points, np.linspace(1 / 3, 2.123456789012345, 1001), rtol=1e-14)
    assert all(point == float(f"{point:.15g}") for point in points[1:-1])


@pytest.mark.parametrize(("low", "high"), [(-3, 5), (-15, 15), (0, 3), (-30, 2), (0, 60)])
def test_logarithmic_points_are_whole_powers_where_they_are_meant(low: int, high: int) -> None:
    points = logarithmic(float(f"1e{low}"), float(f"1e{high}"), high - low + 1)
    whole = [float(f"1e{power}") for power in range(low, high + 1)]
    beyond = [power for power in range(low, high + 1) if power > 36]  # nobody needs these
    assert points[: len(points) - len(beyond)].tolist() == whole[: len(points) - len(beyond)]
    np.testing.assert_allclose(points, whole, rtol=1e-13)


@given(st.floats(1e-30, 1e30))
def test_rounded_values_have_15_digits(value: float) -> None:
    for each in (value, -value):
        (found,) = rounded(np.array([each])).tolist()
        assert found == float(f"{found:.15g}")
        assert found == pytest.approx(each, rel=1e-14)


def test_one_point() -> None:
    assert linear(0.1, 0.1, 1).tolist() == logarithmic(0.1, 0.1, 1).tolist() == [0.1]


def test_an_axis_of_a_million_points_is_as_exact() -> None:
    points = linear(0.0, 0.3, 1_000_001)
    assert points[[100_000, 700_000]].tolist() == [0.03, 0.21]


@pytest.mark.parametrize(
    ("unit", "points", "meant"),
    [
        ("MeV", "values = [1.001, 100, 0.57e6]", [0.001001, 0.1, 570.0]),
        ("TeV", "values = [0.57, 1.001, 1.003]", [570.0, 1001.0, 1003.0]),
        ("keV", "start = 1000, stop = 1500, num = 6", [0.001, 0.0011, 0.0012, 0.0013, 0.0014, 0.0015]),
        ("MeV", 'start = 100, stop = 100000, num = 4, spacing = "log"', [0.1, 1.0, 10.0, 100.0]),
        ("GeV", 'start = 1, stop = 1000, num = 4, spacing = "log"', [1.0, 10.0, 100.0, 1000.0]),
    ],
)
def test_masses_are_converted_as_decimal_numbers(unit: str, points: str, meant: list[float], write: Write) -> None:
    text = FILE.format(m_zprime=f'{points}, unit = "{unit}"', sigma_sys="values = [0.1]")
    assert grid.load(write("grid.toml", text)).axes["m_zprime"].array().tolist() == meant


@pytest.mark.parametrize("sigma_sys", ["start = 0.0, stop = 0.3, num = 4", 'start = 0, stop = 30, num = 4, unit = "%"'])
def test_points_of_a_store_are_found_by_the_numbers_that_were_meant(sigma_sys: str, tmp_path: Path) -> None:
    text = FILE.format(m_zprime='values = [100, 200], unit = "GeV"', sigma_sys=sigma_sys)
    stored = scanned(text.replace("num = 361", "num = 5"), tmp_path)
    with fastscan.open(stored, "conus/e6") as cube:
        assert cube.sigma_sys.values.tolist() == [0.0, 0.1, 0.2, 0.3]
        assert cube.chi2.sel(sigma_sys=0.2).shape == (5, 2, 1)
        assert cube.beta.values.tolist() == [0.0, math.pi / 4, math.pi / 2, 135 * (math.pi / 180), math.pi]


def test_angles_are_those_of_a_division_in_degrees(write: Write) -> None:
    text = FILE.format(m_zprime='values = [100], unit = "GeV"', sigma_sys="values = [0.1]")
    beta = grid.load(write("grid.toml", text)).axes["beta"].array()
    assert beta.tolist() == [number / 2 * (math.pi / 180) for number in range(361)]
