"""Each script of the gallery runs, and draws the picture beside it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from conftest import REPOSITORY
from matplotlib.testing.compare import compare_images

GALLERY = REPOSITORY / "grids" / "gallery"
SCRIPTS = sorted(path.stem for path in GALLERY.glob("*.py"))
README = (GALLERY / "README.md").read_text("utf-8")
LARGEST = 60_000  # bytes of a picture, because the wheel has them too
TOLERANCE = 12  # largest root mean square of differences, out of 255, as from other fonts or another seed's chain


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_it_draws_the_picture_that_is_shown(script: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(GALLERY / f"{script}.py"), str(tmp_path / "new")]
    environment = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr  # workers that end can log that their scheduler has
    assert done.stdout in README
    assert bool(done.stdout) == (f"`{script}.py` prints" in README)
    drawn, shown = tmp_path / "new" / f"{script}.png", GALLERY / f"{script}.png"
    assert shown.stat().st_size < LARGEST
    assert drawn.stat().st_size > LARGEST / 10
    if matplotlib.__version_info__ >= (3, 11):  # older versions set text elsewhere
        assert compare_images(str(shown), str(drawn), tol=TOLERANCE) is None


def test_the_page_shows_all_scripts() -> None:
    rows = re.findall(r"^\| \[(\w+)\.py\]\(\1\.py\): .* \| !\[.+\]\(\1\.png\) \|$", README, re.MULTILINE)
    assert sorted(rows) == SCRIPTS
    assert sorted(path.stem for path in GALLERY.glob("*.png")) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_needs_the_public_face_alone(script: str) -> None:
    imported = re.findall(r"^\s*(?:from|import) (fastscan.*)$", (GALLERY / f"{script}.py").read_text(), re.MULTILINE)
    assert imported == ["fastscan"]
