"""Lanes: each lane is computed independently of the others, and equally without the compiler."""

import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastscan
from fastscan.kernels.arithmetic import fma
from fastscan.kernels.cholesky import factorise, put_solution
from fastscan.kernels.counted import TOGETHER, put_sums
from fastscan.kernels.jit import jit
from fastscan.kernels.lanes import (
    LANES,
    empty_lanes,
    exponential,
    lane_of,
    lanes_of,
    largest,
    logarithm,
    number_at,
    put_lanes,
    root,
    total,
    where_above,
    write_lanes,
)
from fastscan.typing import Array

eights = st.lists(st.floats(-1e6, 1e6), min_size=LANES, max_size=LANES).map(np.array)


@jit
def put_all(x, y, number, out):
    a, b = lanes_of(x, 0), lanes_of(y, 0)
    put_lanes(out, 0, a + b)
    put_lanes(out, 1, a - number)
    put_lanes(out, 2, number * b)
    put_lanes(out, 3, a / b)
    put_lanes(out, 4, root(a * a))
    put_lanes(out, 5, where_above(a, b, a, number))
    put_lanes(out, 6, number / a)
    put_lanes(out, 7, number)
    put_lanes(out, 8, fma(a, number, b))
    return largest(a), lane_of(b, 3), number_at(out.reshape(-1), 60)


@jit
def write(x, first, out):
    write_lanes(out, first, lanes_of(x, 0))


@jit
def put_logarithms(x, out):
    for line in range(x.shape[0]):
        put_lanes(out, line, logarithm(lanes_of(x, line)))


@jit
def put_exponentials(x, out):
    for line in range(x.shape[0]):
        put_lanes(out, line, exponential(lanes_of(x, line)))


@jit
def total_of(x):
    return total(lanes_of(x, 0))


@jit
def solve(matrix, right, out):
    factorise(matrix, right.shape[0])
    put_solution(matrix, right, out)


@jit
def sums(weights, table, out):
    put_sums(weights, table, out)


@given(eights, eights, st.floats(-1e6, 1e6))
def test_each_lane_is_a_number(x: Array, y: Array, number: float) -> None:
    out = np.empty((9, LANES))
    found = put_all(x[None], y[None], number, out)
    with np.errstate(all="ignore"):
        expected = [x + y, x - number, number * y, x / y, np.sqrt(x * x), np.where(x > y, x, number), number / x]
        fused = [float(Fraction(one) * Fraction(number) + Fraction(other)) for one, other in zip(x, y, strict=True)]
    np.testing.assert_array_equal(out, [*expected, np.full(LANES, number), fused])
    assert found == (x.max(), y[3], number)


@given(st.lists(st.floats(1e-300, 1e300), min_size=LANES, max_size=LANES), st.floats(-1e-3, 1e-3))
def test_logarithms(large: list[float], near: float) -> None:
    x = np.array([large, np.linspace(1, 1 + near, LANES), 2.0 ** np.arange(-4, 4)])
    out = np.empty(x.shape)
    put_logarithms(x, out)
    expected = np.array([[math.log(each) for each in line] for line in x])
    assert out == pytest.approx(expected, rel=4.5e-16, abs=0)


@given(st.lists(st.floats(-707.9, 708.9), min_size=LANES, max_size=LANES), st.floats(-1e-3, 1e-3))
def test_exponentials(any_size: list[float], near: float) -> None:
    x = np.array([any_size, np.linspace(0, near, LANES), np.linspace(-1, 1, LANES)])
    out = np.empty(x.shape)
    put_exponentials(x, out)
    expected = np.array([[math.exp(each) for each in line] for line in x])
    assert out == pytest.approx(expected, rel=4.5e-16, abs=0)


def test_exponentials_beyond_the_range_of_numbers() -> None:
    x = np.array([[-1e308, -np.inf, -800.0, -708.0, 709.0, 800.0, np.inf, 0.0]])
    out = np.empty(x.shape)
    put_exponentials(x, out)
    largest_one = math.exp(709.0)
    expected = [0.0, 0.0, 0.0, 0.0, largest_one, largest_one, largest_one, 1.0]
    assert out[0] == pytest.approx(expected, rel=4.5e-16, abs=0)


@given(eights)
def test_the_sum_of_all_lanes(x: Array) -> None:
    assert total_of(x[None]) == pytest.approx(math.fsum(x), abs=1e-9)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_lanes_are_written_anywhere(dtype: str) -> None:
    x, out = np.linspace(0, 1, LANES)[None] / 3, np.zeros(LANES + 5, dtype)
    write(x, 3, out)
    np.testing.assert_array_equal(out, [0, 0, 0, *x[0].astype(dtype), 0, 0])


def test_a_lane_that_is_not_a_number_counts_for_nothing() -> None:
    x = np.full((1, LANES), np.nan)
    x[0, 2] = -5.0
    assert put_all(x, x, 1.0, np.empty((9, LANES)))[0] == -5.0


@pytest.mark.parametrize("size", [1, 4, 9])
def test_systems_of_equations(size: int) -> None:
    numbers = np.random.default_rng(size)
    root = numbers.normal(size=(LANES, size, size))
    matrices = root @ root.swapaxes(1, 2) + np.eye(size)
    right = numbers.normal(size=(LANES, size))
    out = np.empty((size, LANES))
    solve(np.moveaxis(matrices, 0, -1).reshape(size * size, LANES).copy(), right.T.copy(), out)
    expected = np.linalg.solve(matrices, right[:, :, None])[:, :, 0]
    assert pytest.approx(expected, rel=1e-11) == out.T


@pytest.mark.parametrize("columns", [TOGETHER, 2 * TOGETHER, 3 * TOGETHER])
def test_sums_over_bins(columns: int) -> None:
    numbers = np.random.default_rng(0)
    weights, table = numbers.normal(size=(13, LANES)), numbers.normal(size=(13, columns))
    out = np.full((columns + 1, LANES), -1.0)
    sums(weights, table.ravel(), out)
    assert out[:-1] == pytest.approx(table.T @ weights, rel=1e-13)
    assert (out[-1] == -1.0).all()


def test_lines_lie_in_lines_of_the_cache() -> None:
    for lines in (0, 1, 7):
        found = empty_lanes(lines)
        assert found.shape == (lines, LANES)
        assert found.ctypes.data % (8 * LANES) == 0


def test_without_the_compiler_the_numbers_are_the_same() -> None:
    code = "import fastscan; print(*fastscan.chi2('coherent-csi-2021', 'universal', m_zprime=0.05, g=[0, 5e-5, 10]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    ours = fastscan.chi2("coherent-csi-2021", "universal", m_zprime=0.05, g=[0, 5e-5, 10])
    assert [float(each) for each in done.stdout.split()] == pytest.approx(ours, rel=1e-14)
