"""Kernels that several threads of a process enter at once, with the threading layer that allows none of it."""

import os
import subprocess
import sys

PROGRAM = """
from threading import Barrier, Thread

import numba
import numpy as np

from fastscan.limits import crossings, points
from fastscan.kernels.blocks import chi2_columns
from fastscan.kernels.crossings import crossings as finder
from fastscan.interactions import contact
from fastscan.likelihoods.gaussian import between_extrema

rows = points.prepare("coherent-csi", "e6", {"beta": np.linspace(0, np.pi, 9)})
columns, _ = rows.likelihood.columns(rows.index[:, None], {"sigma_sys": np.linspace(0, 0.3, 40)})
x = np.tile(contact.gamma(np.geomspace(5, 3000, 23)), (columns.row.size, 1))
one = columns.sums, columns.row, x, columns.noise, columns.variance
others = between_extrema(columns.sums, columns.scale)
other = columns.sums, crossings.LADDER, columns.scale, others, columns.row, *one[3:]
other += 2.7, 8315.0, 8, 2
KERNELS = [(chi2_columns, one), (finder, other)]


def found(answer):
    return b"".join(np.asarray(each).tobytes() for each in (answer if isinstance(answer, tuple) else [answer]))


expected = [found(kernel.serial(*arguments)) for kernel, arguments in KERNELS]
compiled = [found(kernel.parallel(*arguments)) for kernel, arguments in KERNELS]
together, wrong = Barrier(2), []


def enter(number):
    kernel, arguments = KERNELS[number]
    together.wait()
    wrong.extend(number for _ in range(300) if found(kernel.parallel(*arguments)) != expected[number])


threads = [Thread(target=enter, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(numba.threading_layer(), compiled == expected, len(wrong))
"""


def test_two_threads_may_call_kernels_at_once() -> None:
    """numba's workqueue, where it has nothing else, aborts the process that enters it twice."""
    settings = os.environ | {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "2"}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=settings, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "workqueue True 0\n"
