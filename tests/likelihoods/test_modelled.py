"""chi2 of models of fitted parameters: of counted events, and its derivatives, which searches for limits use."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import Write
from described import described
from scipy.optimize import minimize

import fastscan
from fastscan import experiments, show
from fastscan.limits import points

FLUX = {"shared": (("flux", 0.1),)}
SHARING = [replace(experiments.load(name), **FLUX) for name in ("dresden-ii-fef", "conus-plus-2025")]


@pytest.mark.parametrize("experiment", ["dresden-ii-fef", "xenonnt-b8", SHARING], ids=["one", "morphed", "sharing"])
@pytest.mark.parametrize(("sigma_sys", "luminosity"), [(0.0, 1.0), (0.2, 1.0), (0.2, 7.0)])
def test_derivatives_along_the_strength_are_differences(sigma_sys: float, luminosity: float, experiment: Any) -> None:
    rows = points.prepare(experiment, "b-l", {"m_zprime": 0.01}, asimov=luminosity != 1)
    columns, _ = rows.likelihood.columns(rows.index, {"sigma_sys": sigma_sys, "luminosity": luminosity})
    x = float(columns.scale[0]) * np.array([0.3, 1.0, 2.5])
    _, slope, curvature = columns.derivatives(np.zeros(3, int), x)
    above, below = (columns.derivatives(np.zeros(3, int), x * factor) for factor in (1.0001, 0.9999))
    assert slope == pytest.approx((above[0] - below[0]) / (2e-4 * x), rel=1e-5)
    assert curvature == pytest.approx((above[1] - below[1]) / (2e-4 * x), rel=1e-4)


COUNTED = """
[statistics.parameters]
tail = { start = 20 }
rate = { start = 3, high = 50 }
flat = { start = 5 }
line = { start = 10 }
[[statistics.background]]
name = "tail"
amount = "tail"
shape = "exponential"
rate = "rate"
origin = 0.3
[[statistics.background]]
name = "flat"
amount = "flat"
shape = "constant"
[[statistics.background]]
name = "line"
amount = "line"
shape = "gaussian"
centre = 1.0
width = 0.1
"""


@pytest.mark.parametrize("bins", [8, 13])
def test_counted_events_have_the_minimum_of_another_minimiser(bins: int, write: Write) -> None:
    """An exponential, a constant and a peak in bins that fill the kernel's lines, and in bins that don't."""
    edges = np.linspace(0.3, 1.6, bins + 1)
    energies = (edges[1:] + edges[:-1]) / 2
    counts = np.random.default_rng(bins).poisson(9 + 60 * np.exp(-4 * (energies - 0.3)))
    write("counts.csv", "events\n" + "\n".join(map(str, counts)) + "\n")
    bins_of = f'quenching = 0.2\nbins = {{ start = 0.3, stop = 1.6, num = {bins}, unit = "keVee" }}'
    text = described(bins_of, more=COUNTED).replace(
        'kind = "projection"', 'kind = "modelled"\nfile = "counts.csv"\nobserved = "events"'
    )
    path = write("own.toml", text)
    signal = show(path).signal.reshape(-1, bins).sum(axis=0)

    def chi2(p: np.ndarray) -> float:
        scale, tail, rate, flat, line = p
        peak = np.exp(-(((energies - 1.0) / 0.1) ** 2) / 2)
        m = scale * signal + tail * np.exp(-rate * (energies - 0.3)) + flat + line * peak
        return float(2 * (m - counts + counts * np.log(counts / m)).sum() + ((scale - 1) / 0.1) ** 2)

    bounds = [(0.1, 3), (0, 1e3), (0, 50), (1e-6, 1e3), (0, 1e3)]
    starts = ([1, 20, 3, 5, 10], [1, 5, 1, 10, 1], [1, 1, 20, 10, 5])
    naive = min(minimize(chi2, start, bounds=bounds, method="L-BFGS-B", tol=1e-14).fun for start in starts)
    assert fastscan.chi2(path, "chi", m_zprime=np.inf) == pytest.approx(naive, abs=1e-6)


def test_data_where_nothing_can_be_expected_are_infinitely_improbable(write: Write) -> None:
    """Recoils end below the last bin, in which the background's template is 0 too."""
    write("counts.csv", "events,shape\n4,1\n2,1\n3,1\n1,0\n")
    bins = 'quenching = 0.2\nbins = { start = 0.3, stop = 1.5, num = 4, unit = "keVee" }'
    background = """
[statistics.parameters]
amount = { start = 3 }
[[statistics.background]]
name = "all"
amount = "amount"
column = "shape"
"""
    text = described(bins, more=background).replace(
        'kind = "projection"', 'kind = "modelled"\nfile = "counts.csv"\nobserved = "events"'
    )
    assert fastscan.chi2(write("own.toml", text), "chi", m_zprime=np.inf) == np.inf
