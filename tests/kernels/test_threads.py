"""Kernels on several threads: the same bits, whoever calls them and from where."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from fastscan.kernels import jit
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.limits import points
from fastscan.limits.crossings import find_crossings


@pytest.fixture(scope="module")
def columns() -> GaussianColumns:
    rows = points.prepare("coherent-csi", "e6", {"beta": np.linspace(0, np.pi, 9)})
    found, _ = rows.likelihood.columns(rows.index[:, None], {"sigma_sys": np.linspace(0, 0.3, 40)})
    assert isinstance(found, GaussianColumns)
    return found


def bits(columns: GaussianColumns, in_parallel: bool | None = None) -> tuple[bytes, bytes]:
    """chi2 at points of some columns, spread over threads or not, and crossings of many columns."""
    chi2, found = columns.chi2(np.geomspace(1e-6, 10, 23), in_parallel), find_crossings(columns, 2.7, 8315.0)
    return chi2.tobytes(), found.x.tobytes()


@pytest.mark.parametrize("threads", [2, 3, 200])
def test_no_bit_depends_on_threads_even_where_two_call_at_once(
    threads: int, columns: GaussianColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jit, "threads", lambda: 1)
    expected = bits(columns)
    monkeypatch.setattr(jit, "threads", lambda: threads)
    with ThreadPoolExecutor(2) as callers:
        assert {*callers.map(bits, [columns] * 20, [True] * 20)} == {expected}


def test_an_error_in_any_thread_is_the_caller_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(first: int, last: int) -> None:
        raise ZeroDivisionError

    kernel = jit.Kernel.__new__(jit.Kernel)
    kernel.compiled = fails
    monkeypatch.setattr(jit, "threads", lambda: 3)
    with pytest.raises(ZeroDivisionError):
        kernel.run(10, 10, True)


def test_a_process_that_is_forked_has_threads_of_its_own() -> None:
    """emcee's examples fork such processes, which don't have the threads of their parent."""
    program = """
import os
import numpy as np
import fastscan
masses = np.linspace(100, 200, 100_000)
before = fastscan.chi2("conus", "chi", m_zprime=masses)
child = os.fork()
if child == 0:
    os._exit(0 if (fastscan.chi2("conus", "chi", m_zprime=masses) == before).all() else 1)
print(os.waitpid(child, 0)[1])
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=os.environ | {"NUMBA_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout == "0\n"


def test_threads_are_those_that_numba_is_told() -> None:
    most = numba.config.NUMBA_NUM_THREADS
    assert jit.threads() == most
    numba.set_num_threads(1)
    try:
        assert jit.threads() == 1
    finally:
        numba.set_num_threads(most)
