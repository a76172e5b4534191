import naive
import numpy as np
import pytest

from fastscan import experiments
from fastscan.experiments import Projection

SIGNAL = np.array([30.0, 0.5, 7.0])


def test_measured_counts_are_those_of_coherent() -> None:
    counts = experiments.load("coherent-csi").statistics.counts(np.array([180.12]))
    counted = naive.CSI_MEASURED + naive.CSI_NEUTRONS + 2 * naive.CSI_STEADY
    assert counts.data == [naive.CSI_MEASURED - naive.CSI_NEUTRONS]
    assert counts.variance == [counted]
    assert counts.background == [0.0]
    assert counts.spread == pytest.approx((naive.CSI_NEUTRON_SIGMA * naive.CSI_NEUTRONS) ** 2 / counted, rel=1e-15)


def test_what_is_expected_of_a_measurement_is_the_prediction() -> None:
    experiment = experiments.load("coherent-csi")
    assert experiment.is_measured
    assert not experiment.expected().is_measured
    counts = experiment.expected().statistics.counts(np.array([180.0]))
    assert counts.data == [180.0]
    assert counts.variance == [180.0 + 2 * naive.CSI_NEUTRONS + 2 * naive.CSI_STEADY]


@pytest.mark.parametrize("scales", [True, False])
def test_projected_counts_have_a_background_in_proportion(scales: bool) -> None:
    counts = Projection(background=0.3, background_scales=scales, sigma_sys=0.2).counts(SIGNAL)
    assert counts.background == pytest.approx(0.3 * SIGNAL if scales else 0 * SIGNAL)
    assert counts.data == pytest.approx(SIGNAL + counts.background)
    assert counts.variance == pytest.approx(1.3 * SIGNAL)
    assert counts.spread == 0
