"""Several experiments together, and users' own models, against sums of naive chi2."""

import math

import naive
import numpy as np
import pytest
import scipy.stats
from conftest import REPOSITORY, slow
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

import fastscan
from fastscan.experiments import catalogue as experiments

FIG6 = ("coherent-csi", "connie", "cr51-lxe-c")
GRIDS = REPOSITORY / "grids"
NAMES = list(naive.EXPERIMENTS)


@pytest.mark.parametrize("model", ["chi", "eta"])
@pytest.mark.parametrize("sigma", [0.2, 0.1, 0.05, 0.01, 0.0])
def test_combined_limits_are_the_minimum_over_the_summed_chi2(model: str, sigma: float) -> None:
    """As in Fig. 6, the CEvNS experiments have a common sigma_sys, and 51Cr has its own."""
    sigmas = {"coherent-csi": sigma, "connie": sigma, "cr51-lxe-c": 0.0025}

    def total(log_mass: float) -> float:
        return sum(naive.chi2(name, model, math.exp(log_mass), None, sigmas[name]) for name in FIG6)

    grid = np.linspace(math.log(20), math.log(20000), 400)
    best = int(np.argmin([total(x) for x in grid]))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, 399)])
    lowest = min(total(math.inf), minimize_scalar(total, bounds=around, method="bounded", options={"xatol": 1e-10}).fun)
    quantile = scipy.stats.chi2.ppf(0.90, 1)
    excess = [total(x) - lowest - quantile for x in grid]
    last = max(i for i in range(399) if excess[i] > 0 >= excess[i + 1])
    expected = math.exp(brentq(lambda x: total(x) - lowest - quantile, grid[last], grid[last + 1], xtol=1e-13))
    assert fastscan.limit(FIG6, model, sigma_sys=sigmas) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=3, unique=True),
    st.sampled_from(["chi", "eta", "psi", "lr", "lr-nc"]),
    st.sampled_from([0.0, 0.01, 0.2]),
    st.sampled_from([1.0, 30.0]),
)
@settings(max_examples=5)
def test_limits_of_combinations_equal_the_naive_ones(
    names: list[str], model: str, sigma: float, luminosity: float
) -> None:
    ours = fastscan.limit(names, model, sigma_sys=sigma, luminosity=luminosity)
    assert ours == pytest.approx(naive.limit(names, model, None, sigma, luminosity), rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", ["chi", slow("eta"), slow("psi"), slow("lr"), slow("lr-nc")])
def test_limits_of_every_experiment_equal_the_naive_ones(name: str, model: str) -> None:
    assert fastscan.limit(name, model) == pytest.approx(naive.limit([name], model), rel=1e-6, nan_ok=True)


@given(st.sampled_from(NAMES), st.floats(0, math.pi), st.sampled_from([0.0, 0.0025, 0.1]), st.floats(1, 1000))
@settings(max_examples=8)
def test_limits_over_beta_equal_the_naive_ones(name: str, beta: float, sigma: float, luminosity: float) -> None:
    ours = fastscan.limit(name, "e6", beta=beta, sigma_sys=sigma, luminosity=luminosity)
    theirs = naive.limit([name], "e6", beta, sigma, luminosity)
    assert ours == pytest.approx(theirs, rel=1e-6, nan_ok=True)


def test_more_data_is_never_weaker_in_an_expectation() -> None:
    parts = [experiments.load(name).expected() for name in FIG6]
    for model in ("chi", "eta", "lr"):
        assert fastscan.limit(parts, model) >= max(fastscan.limit(part, model) for part in parts)


def test_the_expected_limit_of_a_measurement() -> None:
    """The data are the prediction, with its own variance, so that the best fit is the Standard Model."""
    expected = experiments.load("coherent-csi").expected()
    sm = naive.events("coherent-csi", "chi", math.inf)
    assert fastscan.chi2(expected, "chi", m_zprime=np.inf) == pytest.approx(0, abs=1e-12)
    mass = 170.0
    excess = naive.events("coherent-csi", "chi", mass) - sm
    variance = sm + 6 + 6 + 2 * 405 + (0.25 * 6) ** 2
    textbook = minimize_scalar(
        lambda a: (excess + (sm + excess) * a) ** 2 / variance + (a / 0.28) ** 2, bracket=(-0.5, 0.5)
    ).fun
    assert fastscan.chi2(expected, "chi", m_zprime=mass) == pytest.approx(textbook, rel=1e-8)
