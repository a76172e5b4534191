"""numba's cache after an edit: it looks at the file of a kernel only, not at files that the kernel imports."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from fastscan import errors
from fastscan.kernels import jit

PROGRAM = """
import numpy as np

from fastscan.kernels.blocks import chi2_columns
from fastscan.kernels.squares import SQUARES

coefficients, one = np.zeros((1, 1, 3, SQUARES)), np.ones((1, 1))
coefficients[0, 0, 0, 0] = 7.0
out = np.empty((1, 1))
chi2_columns.run(1, 1, False, coefficients, np.zeros(1, np.intp), one, one, one, out)
print(round(out.item(), 12))
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package to be edited, with only its kernels and the errors that they import."""
    package, wing = tmp_path / "fastscan", Path(jit.__file__).parent
    shutil.copytree(wing, package / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(errors.__file__, package)
    (package / "__init__.py").touch()
    return package


def computed(package: Path) -> tuple[float, dict[str, int]]:
    """chi2 in a process of its own, and the age of each compiled function in its cache."""
    cache = package.parent / "cache"
    settings = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(package.parent)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=settings,
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    ages = {str(path.relative_to(cache)): path.stat().st_mtime_ns for path in cache.rglob("*.nbc")}
    return float(ended.stdout), ages


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="of compiled code")
def test_an_edit_of_an_imported_room_is_compiled_and_nothing_else_is(copied: Path) -> None:
    value, kept = computed(copied)
    assert value == 49.0
    assert kept
    assert computed(copied) == (value, kept)
    inner = copied / "kernels" / "gaussian.py"
    text = inner.read_text()
    formula = "return fma(det, t, s_dd), fma(s_mm, variance, noise)"
    assert text.count(formula) == 1
    inner.write_text(text.replace(formula, "return 2.0 * fma(det, t, s_dd), fma(s_mm, variance, noise)"))
    assert computed(copied)[0] == 98.0
