"""A cube between and on the points of its axes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from conftest import GRID, Write, angles
from hypothesis import given, settings

from fastscan.errors import FastscanError
from fastscan.interactions import catalogue as models
from fastscan.scans.plan import plan
from fastscan.stores.cube import Cube


@pytest.fixture
def cube(write: Write) -> Cube:
    return plan(write("grid.toml", GRID))[-1]


def test_a_whole_axis_is_found_on_itself(cube: Cube) -> None:
    """In memory that grows with the axis, not with its square: 10^6 points would need 8 TB."""
    long = replace(cube, axes={**cube.axes, "luminosity": np.geomspace(1, 1000, 1_000_000)})
    points = long.axes["luminosity"]
    assert (long.on_axis("luminosity", points * (1 + 1e-10)) == np.arange(points.size)).all()
    assert cube.on_axis("luminosity", np.array([1000, 1, 10])).tolist() == [2, 0, 1]
    for missed, nearest in ((4, 1), (6, 10), (2000, 1000)):
        with pytest.raises(FastscanError, match=f"luminosity = {missed} is not on the axis.*the nearest is {nearest}$"):
            cube.on_axis("luminosity", np.array([1, missed]))


def test_couplings_of_another_fastscan_give_nothing_between_the_betas(cube: Cube) -> None:
    other = replace(cube, likelihood=replace(cube.likelihood, kappa=cube.likelihood.kappa * 1.001))
    with pytest.raises(FastscanError, match="made with other couplings than this fastscan's between its betas"):
        other.at_beta(np.array([0.5]))


@pytest.mark.parametrize("degrees", ["start = 0, stop = 180, num = 13", "values = [0, 90, 180]", "values = [3, 70]"])
@pytest.mark.parametrize(("name", "channel"), [("conus", "cevns"), ("cr51-lxe-a", "nu-e")])
@given(fraction=angles)
@settings(max_examples=50)
def test_between_the_points_of_its_axis_a_cube_has_every_beta(
    degrees: str, name: str, channel: str, fraction: float, write: Write
) -> None:
    grid = GRID.replace("start = 0, stop = 180, num = 13", degrees).replace("coherent-csi", name)
    cube = plan(write("grid.toml", grid))[-1]
    first, last = cube.axes["beta"][[0, -1]]
    beta = first + (last - first) * np.array([fraction / math.pi, 0.0, 1.0, 0.5])
    likelihood, number = cube.at_beta(beta)
    assert likelihood.kappa[0, number] == pytest.approx(models.kappa("e6", channel, beta), abs=1e-12)
