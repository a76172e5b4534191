"""chi2 of models of fitted parameters: its derivatives along the strength, which searches for limits use."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastscan import experiments
from fastscan.limits import points

FLUX = {"shared": (("flux", 0.1),)}
SHARING = [replace(experiments.load(name), **FLUX) for name in ("dresden-ii-fef", "conus-plus-2025")]


@pytest.mark.parametrize("experiment", ["dresden-ii-fef", "xenonnt-b8", SHARING], ids=["one", "morphed", "sharing"])
@pytest.mark.parametrize("sigma_sys", [0.0, 0.2])
def test_derivatives_along_the_strength_are_differences(sigma_sys: float, experiment: Any) -> None:
    rows = points.prepare(experiment, "b-l", {"m_zprime": 0.01})
    columns, _ = rows.likelihood.columns(rows.index, {"sigma_sys": sigma_sys})
    x = float(columns.scale[0]) * np.array([0.3, 1.0, 2.5])
    _, slope, curvature = columns.derivatives(np.zeros(3, int), x)
    above, below = (columns.derivatives(np.zeros(3, int), x * factor) for factor in (1.0001, 0.9999))
    assert slope == pytest.approx((above[0] - below[0]) / (2e-4 * x), rel=1e-5)
    assert curvature == pytest.approx((above[1] - below[1]) / (2e-4 * x), rel=1e-4)
