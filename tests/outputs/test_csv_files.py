"""CSV files with a description of themselves, which other programs' readers can read."""

import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pandas
import pytest

from fastscan.answers import records
from fastscan.answers.from_cube import limit_records, profile_records
from fastscan.answers.question import Question
from fastscan.axes import SIGMA_SYS
from fastscan.interactions.parameters import M_ZPRIME
from fastscan.outputs import csv_files, figures, overlays
from fastscan.outputs.overlays import Overlay
from fastscan.paper import figure_parts, paper_figures
from fastscan.physics.constants import PHYSICS_VERSION
from fastscan.scans.plan import plan
from fastscan.typing import Record


@pytest.fixture(scope="module")
def limits() -> list[Record]:
    """Limits of a combination and of its members, of one measured and of others."""
    cubes = plan(paper_figures.grid(6))
    return [row for cube in cubes for row in limit_records(cube, Question(at={"sigma_sys": [0.0, 0.1]}, cl=0.95))]


def comments(text: str) -> list[str]:
    return [line.removeprefix("# ") for line in text.splitlines() if line.startswith("#")]


def test_the_comments_say_what_it_is(limits: list[Record]) -> None:
    text = csv_files.text("Limits of all", figure_parts.KEYS, limits)
    title, level, data, units, written, digest, _ = comments(text)
    assert title == "Limits of all"
    assert level == f"95 % CL, 1 dof; method: {csv_files.METHOD}"
    assert data == "data: measured: coherent-csi; prediction of the Standard Model: connie, cr51-lxe-c"
    assert units.startswith("units: GeV of limit_gev, ")
    assert "rad of beta_rad; allowed_gev has low:high" in units
    assert f"version {PHYSICS_VERSION} of its physics" in written
    body = text.split("\n", 7)[-1]
    assert body == records.csv_text(figure_parts.KEYS, limits)
    assert digest.split()[-1] == hashlib.sha256(body.encode()).hexdigest()


def test_asimov_data_are_named_so() -> None:
    (cube,) = plan(paper_figures.grid(6))[:1]
    rows = list(limit_records(cube, Question(asimov=True)))
    _, _, data, *_ = comments(csv_files.text("Expected", figure_parts.KEYS, rows))
    assert data == "data: prediction of the Standard Model: coherent-csi"


def test_a_profile_has_no_confidence_level() -> None:
    (cube,) = plan(paper_figures.grid(6))[:1]
    rows = list(profile_records(cube, Question(at={"sigma_sys": [0.1]})))
    assert comments(csv_files.text("P", figure_parts.PROFILE_KEYS, rows))[1].endswith("no CL")


def test_pandas_and_numpy_read_it_as_it_says(limits: list[Record]) -> None:
    text = csv_files.text("Limits of all", figure_parts.KEYS, limits)
    table = pandas.read_csv(io.StringIO(text), comment="#")
    assert table["limit_gev"].tolist() == [row["limit_gev"] for row in limits]
    skipped = int(re.findall(r"skip_header=(\d+)", text)[0])
    words = {"delimiter": ",", "names": True, "dtype": None, "encoding": "utf-8"}
    read = np.genfromtxt(io.StringIO(text), skip_header=skipped, **words)
    assert read["limit_gev"].tolist() == [row["limit_gev"] for row in limits]


def test_islands_survive() -> None:
    (cube,) = [each for each in plan(paper_figures.grid(5)) if each.experiment == "coherent-csi"]
    rows = list(limit_records(cube, Question(at={"beta": [np.radians(100)]})))
    table = pandas.read_csv(io.StringIO(csv_files.text("I", figure_parts.KEYS, rows)), comment="#")
    found = [tuple(map(float, each.split(":"))) for each in table["allowed_gev"][0].split(";")]
    assert found == [(low, np.inf if high is None else high) for low, high in rows[0]["allowed_gev"]]
    assert len(found) == 2


def test_two_columns_of_it_are_an_overlay(limits: list[Record], tmp_path: Path) -> None:
    """The comments and the names of the columns are passed over."""

    rows = [row for row in limits if row["experiment"] == "connie" and row["model"] == "chi"]
    (tmp_path / "ours.csv").write_text(csv_files.text("Ours", ("sigma_sys", "limit_gev"), rows))
    _, ((ax,),) = figures.canvas(1, 1, height=3)
    ax.set(xlim=(-1, 1), ylim=(1, 1000))
    (line,) = overlays.draw(ax, [Overlay(str(tmp_path / "ours.csv"))], (SIGMA_SYS, M_ZPRIME))
    assert line.get_xydata().tolist() == [[row["sigma_sys"], row["limit_gev"]] for row in rows]
