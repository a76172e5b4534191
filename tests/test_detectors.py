import math

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscan.experiments import catalogue as experiments
from fastscan.experiments import detectors

NUCLEAR = [name for name, known in naive.EXPERIMENTS.items() if known.channel == "cevns"]


@given(st.sampled_from(NUCLEAR), st.floats(0.0, 200.0))
def test_efficiency_equals_the_naive_one(name: str, recoil_kev: float) -> None:
    detector = experiments.load(name).detector
    if any(abs(recoil_kev / 1e3 / edge - 1) < 1e-12 for edge in detector.edges):  # a step is on either side
        return
    ours = detectors.efficiency(detector, np.array(recoil_kev / 1e3))
    assert float(ours) == pytest.approx(naive.efficiency(name, recoil_kev), rel=1e-12)


def test_steps_are_knots() -> None:
    detector = experiments.load("coherent-csi").detector
    assert [1.17e3 * knot for knot in detectors.recoil_knots(detector)[:3]] == pytest.approx([5, 6, 30])


def test_a_detector_without_bins_has_one() -> None:
    ((low, high),) = detectors.bins(experiments.load("conus").detector, 0.003)
    assert (low, high) == (pytest.approx(1e-4), 0.003)


def test_the_bins_of_a_detector() -> None:
    bins = detectors.bins(experiments.load("cr51-lxe-a").detector, math.inf)
    assert len(bins) == 120
    assert bins[0][0] == 0
    assert bins[-1][1] == pytest.approx(0.6, rel=1e-15)
