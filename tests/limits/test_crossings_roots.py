"""Every crossing of one experiment is a root of a polynomial in gamma: in several bins, and for any data.

chi2 = (S_dd + D v / noise) / (noise + S_mm v), with S_dd, D and S_mm quartics in gamma and v = sigma_sys^2.  That it is
below a level is that a quartic is; where it is stationary, a polynomial of degree 7 is zero.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from conftest import angles, luminosities, sigmas
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial

from fastscan import experiments
from fastscan.experiments.catalogue import Experiment
from fastscan.interactions.catalogue import load
from fastscan.likelihoods import building
from fastscan.limits import crossings
from fastscan.limits.crossings import Crossings
from fastscan.limits.limits import limits_of

M_Z_GEV = 91.1876
DELTA = 2.705543454095404  # 90 % of chi2 with 1 degree of freedom


class Expected(NamedTuple):
    """Masses of all crossings in GeV, ascending, and Delta chi2 of the Standard Model."""

    masses: list[float]
    of_sm: float


def positive_roots(polynomial: Polynomial) -> list[float]:
    return [float(x.real) for x in polynomial.roots() if x.real > 0 and abs(x.imag) < 1e-6 * abs(x)]


def quartic(c: np.ndarray, scale: float) -> Polynomial:
    """A sum of squares as the quartic in x / scale that it is."""
    first = Polynomial(c[:3] * scale ** np.arange(3.0))
    second = Polynomial([0.0, c[3] * scale, c[4] * scale**2])
    return first**2 + second**2 + Polynomial([0.0, 0.0, 0.0, 0.0, c[5] * scale**4])


def from_roots(experiment: Experiment, beta: float, sigma: float, luminosity: float) -> tuple[Expected, Crossings]:
    """The expected crossings from the roots, and the crossings that `find_crossings` finds."""
    model = building.build([experiment], load("e6"), {"beta": np.array([beta])})
    columns, _ = model.columns(np.zeros(1, np.intp), {"sigma_sys": sigma, "luminosity": luminosity})
    scale = float(columns.scale[0])  # unit of gamma in which the coefficients have similar sizes
    s_dd, det, s_mm = (quartic(each, scale) for each in model.sums[0, 0])
    n, v = columns.noise.item(), columns.variance.item()
    above, below = s_dd + det * (v / n), n + s_mm * v
    stationary = [0.0, *positive_roots(above.deriv() * below - above * below.deriv())]
    values = [float(above(x) / below(x)) for x in stationary]
    if v > 0:
        values.append(float(above.coef[-1] / below.coef[-1]))  # as the mass tends to 0
    lowest = min(values)
    masses = sorted(M_Z_GEV / math.sqrt(x * scale) for x in positive_roots(above - (lowest + DELTA) * below))
    expected = Expected([mass for mass in masses if mass >= 1], values[0] - lowest)
    return expected, crossings.find_crossings(columns, DELTA, M_Z_GEV**2)


def require_the_roots(experiment: Experiment, beta: float, sigma: float, luminosity: float) -> int:
    """Require that the crossings are all of the roots; returns their number."""
    expected, found = from_roots(experiment, beta, sigma, luminosity)
    assert (M_Z_GEV / np.sqrt(found.x)).tolist() == pytest.approx(expected.masses, rel=1e-6)
    assert found.sm_allowed[0] == (expected.of_sm <= DELTA)
    assert limits_of(found, load("e6").strength).bounds[0] == pytest.approx(
        expected.masses[-1] if expected.masses and expected.of_sm <= DELTA else math.nan, rel=1e-6, nan_ok=True
    )
    return len(expected.masses)


def sensitive(channel: str, beta: float) -> bool:
    """Whether chi2 depends on masses above 1 GeV."""
    kappa = load("e6").kappa(channel, {"beta": np.array([beta])})
    return bool(np.abs(kappa).max() > 1e-5)


@given(angles, st.one_of(st.just(0.0), st.floats(1e-4, 0.3)), luminosities)
@settings(max_examples=100)
def test_in_many_bins(beta: float, sigma: float, luminosity: float) -> None:
    """The electron scattering of a source, whose D is far from zero."""
    if sensitive("nu-e", beta):
        require_the_roots(experiments.load("cr51-lxe-a"), beta, sigma, luminosity)


@given(angles, sigmas, luminosities, st.sampled_from([60.0, 142.0, 180.0, 250.0]))
@example(1.75, 0.0, 1000.0, 142.0)
@example(1.9, 0.01, 1.34, 142.0)
@example(math.radians(100), 0.28, 1.0, 60.0)
@example(math.radians(100), 0.01, 10.0, 250.0)
@settings(max_examples=200)
def test_with_any_data(beta: float, sigma: float, luminosity: float, observed: float) -> None:
    """Data with a deficit prefer a Z' that interferes destructively, data with an excess one that doesn't."""
    if sensitive("cevns", beta):
        measured = experiments.load("coherent-csi")
        other = replace(measured, statistics=replace(measured.statistics, observed=observed))
        require_the_roots(other, beta, sigma, luminosity)


@pytest.mark.parametrize("observed", [60.0, 142.0, 180.0, 250.0])
def test_the_data_give_islands(observed: float) -> None:
    """The test above contains columns with several crossings."""
    measured = experiments.load("coherent-csi")
    other = replace(measured, statistics=replace(measured.statistics, observed=observed))
    counts = [require_the_roots(other, beta, 0.1, 10.0) for beta in np.radians(np.linspace(91, 113, 12))]
    assert max(counts) >= 2


def test_room_for_one_crossing_is_made_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = experiments.load("coherent-csi")
    beta = math.radians(100)
    _, found = from_roots(measured, beta, 0.1, 10.0)
    monkeypatch.setattr(crossings, "MOST", 1)
    expected, again = from_roots(measured, beta, 0.1, 10.0)
    assert len(expected.masses) >= 3
    assert again.x.tobytes() == found.x.tobytes()
    assert again.column.tolist() == found.column.tolist()


@pytest.mark.parametrize("above", [0.1, 0.01, 0.001])
def test_extrema_may_be_closer_together_than_any_ladder(above: float) -> None:
    """Data just above the fewest events that a Z' can leave: two minima of chi2, and a maximum in between."""
    csi, beta = experiments.load("coherent-csi"), math.radians(100)
    model = building.build([csi], load("e6"), {"beta": np.array([beta])})
    events = model.events((M_Z_GEV / np.geomspace(1, 200, 200_001)) ** 2, np.zeros(1, np.intp))
    observed = float(events.min()) + csi.statistics.background + above
    close = replace(csi, statistics=replace(csi.statistics, observed=observed, background_error=0.0))
    assert require_the_roots(close, beta, 0.0, 1e6 / above**2) == 4
