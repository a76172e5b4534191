"""Questions to a whole store: the groups that answer, and the message of a store that can't answer."""

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Write

import fastscan
from fastscan.answers import answers, from_cube
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError, LimitError
from fastscan.scans.plan import plan
from fastscan.stores import combining

# chi has an axis of masses alone, e6 has a plane.
TWO_KINDS = """
experiments = ["conus"]
models = ["chi", "e6"]
[axes]
beta = { start = 0, stop = 180, num = 13, unit = "deg" }
m_zprime = { start = 20, stop = 2000, num = 37, spacing = "log", unit = "GeV" }
"""


def test_groups_without_a_plane_are_left_out_where_none_is_named(write: Write, tmp_path: Path) -> None:
    store = str(tmp_path / "out.zarr")
    fastscan.scan(write("grid.toml", TWO_KINDS), store)
    (found,) = answers.contours_of_store(store, Question())
    assert found[0].cube.name == "conus/e6"
    with pytest.raises(FastscanError, match="conus/chi has no second axis for a plane, only m_zprime"):
        list(answers.contours_of_store(store, Question(("conus/chi",))))
    with pytest.raises(FastscanError, match="conus/chi has no axis sigma_sys"):
        list(answers.contours_of_store(store, Question(), PlaneAxes(("sigma_sys", "m_zprime"))))


@pytest.mark.parametrize("sigma_sys", ["", "sigma_sys = { values = [0.1, 0.2] }"])
def test_experiments_that_are_combined_are_the_cube_that_a_grid_file_combines(
    sigma_sys: str, write: Write, tmp_path: Path
) -> None:
    axes = f'[axes]\nm_zprime = {{ values = [100, 300], unit = "GeV" }}\n{sigma_sys}\n'
    apart = 'experiments = ["conus", "cr51-lxe-a"]\nmodels = ["chi"]\n' + axes
    together = f'models = ["chi"]\n{axes}[combine.both]\nexperiments = ["conus", "cr51-lxe-a"]'
    root = fastscan.scan(write("apart.toml", apart), tmp_path / "out.zarr")
    (joint,) = combining.joint_cubes(root, ["conus", "cr51-lxe-a"])
    (planned,) = plan(write("together.toml", together))
    assert joint.hash == planned.hash
    assert joint.references == planned.references
    assert joint.likelihood.members == planned.likelihood.members
    np.testing.assert_equal(joint.points, planned.points)
    assert (joint.experiment, joint.model, joint.has_events) == ("conus+cr51-lxe-a", "chi", False)
    asked = Question(at={"sigma_sys": "axis", "luminosity": "axis"})
    ours, theirs = (list(from_cube.limit_records(cube, asked)) for cube in (joint, planned))
    assert [row | {"experiment": "both"} for row in ours] == theirs


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        ({"m_zprime": 100.0}, "the limits of conus/chi are limits on m_zprime: leave m_zprime out"),
        ({"sigma_sys": "axs"}, "sigma_sys is a number, several, or 'axis', not 'axs'"),
        ({"betta": 0.1}, "unknown axis 'betta'; did you mean 'beta'?"),
    ],
)
def test_what_limits_can_not_be_asked_at_is_refused(at: dict[str, object], problem: str, write: Write) -> None:
    axes = 'm_zprime = { start = 50, stop = 500, num = 5, unit = "GeV" }\nsigma_sys = { values = [0.1, 0.2] }'
    (cube,) = plan(write("grid.toml", f'experiments = ["conus"]\nmodels = ["chi"]\n[axes]\n{axes}'))
    for ask in (from_cube.limit_records, from_cube.profile_records):
        with pytest.raises(LimitError, match=f"^{re.escape(problem)}$"):
            list(ask(cube, Question(at=at)))
