import math

import naive
import numpy as np
import pytest
from conftest import MODELS, masses, model_points
from hypothesis import given
from hypothesis import strategies as st

from fastscan.errors import FastscanError
from fastscan.interactions import catalogue as models

CHANNELS = ["cevns", "nu-e"]
INSENSITIVE = math.pi - math.atan(9 / math.sqrt(15))  # tan(beta) = -9 / sqrt(15)


def kappa(model: str, channel: str, beta: float | None) -> np.ndarray:
    return models.kappa(model, channel, None if beta is None else np.array([beta]))[0]


@pytest.mark.parametrize("channel", CHANNELS)
def test_standard_model_couplings(channel: str) -> None:
    assert models.sm_couplings(channel) == pytest.approx(naive.sm_couplings(channel), rel=1e-14, abs=0)


def test_nucleon_couplings_of_the_paper() -> None:
    assert models.sm_couplings("cevns") == pytest.approx([0.030623, -0.512013], abs=5e-7)


@given(model_points(), masses, st.sampled_from(CHANNELS))
def test_couplings_of_each_model_equal_the_naive_ones(
    point: tuple[str, float | None], mass: float, channel: str
) -> None:
    model, beta = point
    ours = models.sm_couplings(channel) + models.gamma(np.array(mass)) * kappa(model, channel, beta)
    scale = 1 + float(models.gamma(np.array(mass)))
    assert ours == pytest.approx(naive.couplings(channel, model, mass, beta), rel=1e-12, abs=1e-15 * scale)


@pytest.mark.parametrize(("model", "beta"), [("chi", 0.0), ("psi", math.pi / 2), ("eta", math.atan(math.sqrt(5 / 3)))])
@pytest.mark.parametrize("channel", CHANNELS)
def test_named_models_are_points_of_e6(model: str, beta: float, channel: str) -> None:
    assert kappa(model, channel, None) == pytest.approx(kappa("e6", channel, beta), rel=1e-12, abs=1e-16)


def test_where_e6_has_no_sensitivity() -> None:
    assert kappa("psi", "cevns", None).tolist() == [0.0, 0.0]
    assert np.abs(kappa("e6", "cevns", INSENSITIVE)).max() < 1e-16
    assert np.abs(kappa("e6", "nu-e", INSENSITIVE)).max() < 1e-16
    assert np.abs(kappa("psi", "nu-e", None)).max() > 0.01


@given(st.floats(0.0, math.pi))
def test_e6_interferes_destructively_in_cevns_only_between_its_insensitive_betas(beta: float) -> None:
    interference = float(models.sm_couplings("cevns") @ kappa("e6", "cevns", beta))
    if min(abs(beta - math.pi / 2), abs(beta - INSENSITIVE)) > 1e-9:
        assert (interference < 0) == (math.pi / 2 < beta < INSENSITIVE)


def test_left_right_models_differ_for_electrons_only() -> None:
    assert kappa("lr", "cevns", None).tolist() == kappa("lr-nc", "cevns", None).tolist()
    assert kappa("lr", "nu-e", None)[0] > 2 * kappa("lr-nc", "nu-e", None)[0]


def test_the_u_quark_vector_coupling_stays_sm_in_e6() -> None:
    proton, neutron = kappa("e6", "cevns", 0.7)
    assert neutron == 2 * proton


@pytest.mark.parametrize("model", MODELS)
def test_beta_belongs_to_e6_alone(model: str) -> None:
    with pytest.raises(FastscanError, match="beta"):
        models.kappa(model, "cevns", None if model == "e6" else np.array([0.5]))


def test_a_model_without_a_rule_is_told() -> None:
    with pytest.raises(FastscanError, match="'new' has no rule for its couplings"):
        models.kappa(models.Model("new", "nobody taught its couplings"), "cevns")


def test_an_unknown_model_is_told_the_nearest() -> None:
    with pytest.raises(FastscanError, match="did you mean 'lr-nc'"):
        models.kappa("lr_nc", "cevns")


def test_gamma_of_an_infinite_mass_is_the_standard_model() -> None:
    assert models.gamma(np.array([np.inf, 91.1876])).tolist() == [0.0, 1.0]
