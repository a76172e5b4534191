"""The tutorial runs, and gives the results in its text."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

TUTORIAL = REPOSITORY / "grids" / "tutorial.py"


@pytest.mark.slow
def test_the_tutorial_makes_its_figure(tmp_path: Path) -> None:
    command = [sys.executable, str(TUTORIAL), str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"MPLBACKEND": "Agg"})
    assert re.match(r"M_Z' > \d+\.\d GeV at 90 % CL for g' = 0\.5, so M_Z'/g' > \d+\.\d GeV\n", done.stdout)
    assert not done.stderr
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "silicon.toml", "my-b-l.toml", "grid.toml", "silicon.zarr", "contours.pdf", "contours.png",
        *(f"{name}.{suffix}" for name in ("light", "nsi") for suffix in ("toml", "zarr", "pdf", "png")),
    }  # fmt: skip
    assert re.search(r"\na B - L boson of 1 MeV has g < \S+; both planes are in light\.pdf and nsi\.pdf", done.stdout)
