import math
from dataclasses import replace
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import luminosities, masses, model_points, sigmas
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fastscan
from fastscan.errors import FastscanError
from fastscan.experiments import catalogue as experiments
from fastscan.experiments.observations import Counts
from fastscan.likelihoods import likelihood

CSI = "coherent-csi"
NAMES = list(naive.EXPERIMENTS)


@given(st.sampled_from(NAMES), model_points(), masses, luminosities)
@settings(max_examples=200)
def test_events_equal_the_naive_ones(
    name: str, point: tuple[str, float | None], mass: float, luminosity: float
) -> None:
    model, beta = point
    ours = fastscan.events(name, model, m_zprime=mass, beta=beta, luminosity=luminosity)
    # abs: destructive interference can leave a billionth of the events
    lost = 1e-9 * luminosity * naive.events(name, model, math.inf, beta)
    assert ours == pytest.approx(naive.events(name, model, mass, beta, luminosity), rel=1e-8, abs=lost)


@given(st.sampled_from(NAMES), model_points(), masses, sigmas, luminosities)
@example(CSI, ("chi", None), 200.0, 0.0, 1.0)
@example(CSI, ("e6", 1.75), 15.8, 0.0, 1000.0)  # an island: D - N is small
@example("cr51-lxe-c", ("lr", None), 534.0, 0.0025, 1000.0)
@example("conus", ("e6", 1.8), 20.0, 0.0, 1000.0)
@settings(max_examples=400)
def test_chi2_equals_the_naive_minimum_over_the_nuisances(
    name: str, point: tuple[str, float | None], mass: float, sigma: float, luminosity: float
) -> None:
    model, beta = point
    ours = fastscan.chi2(name, model, m_zprime=mass, beta=beta, sigma_sys=sigma, luminosity=luminosity)
    # abs: where data and prediction meet, a sum over squares loses what it is small beside
    lost = 1e-15 * luminosity * naive.events(name, model, math.inf, beta)
    theirs = naive.chi2(name, model, mass, beta, sigma, luminosity)
    assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-10 + lost)


def test_own_sigma_sys_is_the_default() -> None:
    assert fastscan.chi2(CSI, "lr", m_zprime=90.0) == fastscan.chi2(CSI, "lr", m_zprime=90.0, sigma_sys=0.28)


def test_everything_after_the_model_broadcasts() -> None:
    mass, beta = np.geomspace(20, 2000, 5), np.linspace(0, 3, 4)[:, None]
    sigma, lum = np.array([0.0, 0.1])[:, None, None], np.array([1.0, 10.0, 100.0])[:, None, None, None]
    cube = fastscan.chi2(CSI, "e6", m_zprime=mass, beta=beta, sigma_sys=sigma, luminosity=lum)
    assert cube.shape == (3, 2, 4, 5)
    for at in np.ndindex(cube.shape):
        one = fastscan.chi2(
            CSI,
            "e6",
            m_zprime=mass[at[3]],
            beta=beta[at[2], 0],
            sigma_sys=sigma[at[1], 0, 0],
            luminosity=lum[at[0], 0, 0, 0],
        )
        assert one == cube[at]
    events = fastscan.events(CSI, "e6", m_zprime=mass, beta=beta, luminosity=lum[..., 0])
    assert events.shape == (3, 4, 5)


def test_empty_arrays_give_empty_answers() -> None:
    assert fastscan.chi2(CSI, "chi", m_zprime=[]).shape == (0,)
    assert fastscan.events(CSI, "chi", m_zprime=[]).shape == (0,)


def user_copy(tmp_path: Path, name: str, **replaced: str) -> str:
    text = (experiments.BUILT_IN / "coherent-csi.toml").read_text()
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    return str(path)


def test_a_combination_is_the_sum_each_with_its_own_nuisances(tmp_path: Path) -> None:
    other = user_copy(tmp_path, "other", **{"observed = 142": "observed = 155", "sigma_sys = 0.28": "sigma_sys = 0.1"})
    mass = np.geomspace(20, 2000, 7)
    both = fastscan.chi2([CSI, other], "eta", m_zprime=mass)
    assert both == pytest.approx(
        fastscan.chi2(CSI, "eta", m_zprime=mass) + fastscan.chi2(other, "eta", m_zprime=mass), rel=1e-14
    )
    named = fastscan.chi2([CSI, other], "eta", m_zprime=mass, sigma_sys={"other": 0.05})
    assert named == pytest.approx(
        fastscan.chi2(CSI, "eta", m_zprime=mass) + fastscan.chi2(other, "eta", m_zprime=mass, sigma_sys=0.05),
        rel=1e-14,
    )


@given(st.integers(1, 6), st.randoms(use_true_random=False), st.floats(0, 0.5), st.floats(0.5, 50))
def test_the_gram_form_is_the_textbook_chi2_for_any_number_of_bins(
    bins: int,
    random,
    sigma: float,
    luminosity: float,
) -> None:
    rng = np.random.default_rng(random.getrandbits(32))
    response = rng.uniform(0, 50, (bins, 3))
    g_sm, g = rng.uniform(-1, 1, (2, 2))
    counts = Counts(rng.uniform(1, 30, bins), rng.uniform(0, 5, bins), rng.uniform(1, 9, bins), rng.uniform(0, 0.1))
    forms = likelihood.gram_matrices(response, g_sm, counts)
    e = np.array([1.0, *(likelihood.features(g) - likelihood.features(g_sm))])
    s_dd, det, s_mm = np.einsum("i,sij,j->s", e, forms, e)
    lam = luminosity / (1 + luminosity * counts.spread)
    ours = lam * (s_dd + det * lam * sigma**2) / (1 + s_mm * lam * sigma**2)

    model = luminosity * (response @ likelihood.features(g) + counts.background)
    d = luminosity * counts.data - model
    s = luminosity * counts.variance * (1 + luminosity * counts.spread)
    textbook = np.sum(d**2 / s) - sigma**2 * np.sum(d * model / s) ** 2 / (1 + sigma**2 * np.sum(model**2 / s))
    assert ours == pytest.approx(textbook, rel=1e-9, abs=1e-9 * np.sum((luminosity * counts.data) ** 2 / s))


def test_one_bin_has_no_determinant() -> None:
    model = likelihood.build([experiments.load(CSI)], "chi", None)
    assert not model.gram[0, 1].any()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"m_zprime": -1.0}, "m_zprime must be at least 0.001 GeV, not -1"),
        ({"m_zprime": 0.0}, "m_zprime must be at least"),
        ({"m_zprime": float("nan")}, "m_zprime must be at least 0.001 GeV, not nan"),
        ({"m_zprime": "heavy"}, "m_zprime must be a number"),
        ({"m_zprime": 100.0, "sigma_sys": -0.1}, "sigma_sys must be zero or positive"),
        ({"m_zprime": 100.0, "sigma_sys": {"coherent-cs": 0.1}}, "did you mean 'coherent-csi'"),
        ({"m_zprime": 100.0, "luminosity": 0.0}, "luminosity must be positive"),
        ({"m_zprime": 100.0, "luminosity": float("inf")}, "luminosity must be positive, from"),
        ({"m_zprime": 100.0, "beta": 0.0}, "model 'chi' has no beta"),
        ({"m_zprime": [1.0, 2.0], "sigma_sys": [0.1, 0.2, 0.3]}, "do not broadcast"),
    ],
)
def test_bad_arguments_are_told(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(FastscanError, match=problem):
        fastscan.chi2(CSI, "chi", **arguments)


def test_bad_experiments_are_told() -> None:
    with pytest.raises(FastscanError, match="did you mean 'coherent-csi'"):
        fastscan.events("coherent_csi", "chi", m_zprime=100.0)
    with pytest.raises(FastscanError, match="there twice"):
        fastscan.chi2([CSI, CSI], "chi", m_zprime=100.0)
    with pytest.raises(FastscanError, match="no experiment"):
        fastscan.chi2([], "chi", m_zprime=100.0)
    with pytest.raises(FastscanError, match="'coherent-csi' counts no finite number of events"):
        fastscan.chi2(replace(experiments.load(CSI), exposure_s=math.nan), "chi", m_zprime=100.0)


def test_a_light_mediator_is_far_from_the_standard_model() -> None:
    assert fastscan.chi2(CSI, "chi", m_zprime=1.0) == pytest.approx(1 / 0.28**2, rel=1e-3)
