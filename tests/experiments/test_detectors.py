import math

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from fastscan import experiments
from fastscan.experiments import Logistic

NUCLEAR = [name for name, known in naive.EXPERIMENTS.items() if known.channel == "cevns"]


@given(st.sampled_from(NUCLEAR), st.floats(0.0, 200.0))
def test_the_probability_equals_the_naive_efficiency(name: str, recoil_kev: float) -> None:
    detector = experiments.load(name).detector
    if any(abs(recoil_kev / 1e3 / edge - 1) < 1e-12 for edge in detector.edges):  # a step is on either side
        return
    ours = detector.probability(np.array(recoil_kev / 1e3))
    assert float(ours) == pytest.approx(naive.efficiency(name, recoil_kev), rel=1e-12)


@given(st.floats(1e-3, 1e6), st.floats(-1e3, 1e3), st.floats(0.0, 1e3))
def test_a_logistic_is_the_one_of_scipy_however_steep(slope: float, midpoint: float, x: float) -> None:
    """Without a warning of an overflow, which would be an error here."""
    ours = Logistic(0.7, slope, midpoint, per_mev=1.0).at(np.array([x]))
    assert ours == pytest.approx(0.7 * expit(slope * (x - midpoint)), rel=1e-14, abs=1e-300)


def test_steps_are_knots() -> None:
    detector = experiments.load("coherent-csi").detector
    assert [1.17e3 * knot for knot in detector.knots[:3]] == pytest.approx([5, 6, 30])


def test_a_detector_without_bins_has_one() -> None:
    assert experiments.load("conus").detector.bin_edges(0.003) == (pytest.approx(1e-4), 0.003)


def test_the_bins_of_a_detector() -> None:
    edges = experiments.load("cr51-lxe-a").detector.bin_edges(math.inf)
    assert len(edges) == 121
    assert edges[0] == 0
    assert edges[-1] == pytest.approx(0.6, rel=1e-15)
