import math

import naive
import numpy as np
import pytest
from conftest import MODELS, angles, masses, model_points
from hypothesis import given
from hypothesis import strategies as st

import fastscan
from fastscan.errors import ModelError
from fastscan.interactions import contact, standard_model
from fastscan.interactions.catalogue import load
from fastscan.interactions.contact import Charges
from fastscan.interactions.interaction import Interaction
from fastscan.typing import FLAVOURS

CHANNELS = ["cevns", "nu-e"]
THIRD = (1 / 3, 1 / 3)
CHARGES = Charges("b-l", "B - L", g_prime=1.0, charges={"u": THIRD, "d": THIRD, "e": (-1.0, -1.0)}, nu=-1.0)
INSENSITIVE = math.pi - math.atan(9 / math.sqrt(15))  # tan(beta) = -9 / sqrt(15)


def rows(beta: float | None) -> dict[str, np.ndarray]:
    return {} if beta is None else {"beta": np.array([beta])}


def by_flavour(model: str | Interaction, channel: str, beta: float | None) -> np.ndarray:
    """kappa of a row, shape (3, 2)."""
    return load(model).kappa(channel, rows(beta))[0]


def kappa(model: str, channel: str, beta: float | None) -> np.ndarray:
    """kappa of nu_e, the neutrino of 51Cr and of a reactor; in CEvNS it is the same for every neutrino."""
    return by_flavour(model, channel, beta)[0]


@pytest.mark.parametrize("channel", CHANNELS)
def test_standard_model_couplings(channel: str) -> None:
    for flavour, pair in zip(FLAVOURS, standard_model.couplings(channel), strict=True):
        assert pair == pytest.approx(naive.sm_couplings(channel, flavour), rel=1e-14, abs=0)


def test_nucleon_couplings_of_the_paper() -> None:
    for pair in standard_model.couplings("cevns"):
        assert pair == pytest.approx([0.030623, -0.512013], abs=5e-7)


@given(model_points(), masses, st.sampled_from(CHANNELS))
def test_couplings_of_each_model_equal_the_naive_ones(
    point: tuple[str, float | None], mass: float, channel: str
) -> None:
    model, beta = point
    ours = standard_model.couplings(channel) + contact.gamma(mass) * by_flavour(model, channel, beta)
    scale = 1 + float(contact.gamma(mass))
    for flavour, pair in zip(FLAVOURS, ours, strict=True):
        theirs = naive.couplings(channel, model, mass, beta, flavour)
        assert pair == pytest.approx(theirs, rel=1e-12, abs=1e-15 * scale)


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
    interference = float(standard_model.couplings("cevns")[0] @ kappa("e6", "cevns", beta))
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
    point = {} if model == "e6" else {"beta": 0.5}
    with pytest.raises(ModelError, match="beta"):
        fastscan.chi2("conus", model, m_zprime=100.0, **point)
    assert [axis.name for axis in load(model).rows] == (["beta"] if model == "e6" else [])


def test_an_interaction_without_a_rule_can_not_be_made() -> None:
    """The rule is an abstract method, so that nobody can leave it out."""

    class New(contact.Contact):
        pass

    with pytest.raises(TypeError, match="shifts"):
        New("new", "nobody taught its couplings")


def test_an_unknown_model_is_told_the_nearest() -> None:
    with pytest.raises(ModelError, match="did you mean 'lr-nc'"):
        load("lr_nc")


def test_gamma_of_an_infinite_mass_is_the_standard_model() -> None:
    assert contact.gamma(np.array([np.inf, 91.1876])).tolist() == [0.0, 1.0]


@given(masses)
def test_the_mass_of_a_gamma_is_the_mass(mass: float) -> None:
    assert contact.mass(contact.gamma(mass)) == pytest.approx(mass, rel=1e-15)
    assert contact.mass(np.zeros(1)).tolist() == [math.inf]


def test_only_nu_e_has_the_charged_current() -> None:
    """The charged current adds 1 to the left-handed coupling of the electron, and nothing else."""
    cevns, electron = standard_model.couplings("cevns"), standard_model.couplings("nu-e")
    assert (cevns == cevns[0]).all()
    assert electron[0] - electron[1] == pytest.approx([1.0, 0.0], abs=1e-15)
    assert electron[1].tolist() == electron[2].tolist()
    assert electron[1, 0] < 0 < electron[0, 0]


@pytest.mark.parametrize("model", ["chi", "psi", "eta", "e6", "lr-nc", CHARGES])
@pytest.mark.parametrize("channel", CHANNELS)
def test_the_neutral_current_is_the_same_for_every_flavour(model: str | Interaction, channel: str) -> None:
    """A rule for the couplings of the Z' knows no flavour: E6, charges, and left-right without the charged current."""
    found = by_flavour(model, channel, 1.0 if model == "e6" else None)
    assert found[1:] == pytest.approx(np.tile(found[0], (2, 1)), rel=1e-14, abs=0)
    assert (model, channel) == ("psi", "cevns") or found.any()


def test_the_left_right_rule_acts_on_the_charged_current_of_nu_e_alone() -> None:
    """The rule adds A - 1 and B times a left-handed coupling of 1."""
    s2 = naive.S2
    added = by_flavour("lr", "nu-e", None) - by_flavour("lr-nc", "nu-e", None)
    assert added[0] == pytest.approx(np.array([s2**2, s2 * (1 - s2)]) / (1 - 2 * s2), rel=1e-13)
    assert not added[1:].any()
    assert by_flavour("lr", "cevns", None).tolist() == by_flavour("lr-nc", "cevns", None).tolist()


@given(
    st.sampled_from([*MODELS, CHARGES]),
    st.sampled_from(CHANNELS),
    st.lists(angles, min_size=1, max_size=3),
    st.floats(0.0, 1e4),
    st.integers(0, 2**32 - 1),
)
def test_weights_of_the_integrals_are_the_features_of_the_couplings(
    model: str | Interaction, channel: str, betas: list[float], x: float, seed: int
) -> None:
    """Counts of a source of several flavours, against the square of the couplings of each."""
    values = {"beta": np.array(betas)} if model == "e6" else {}
    (added,) = load(model).terms(channel, values)
    weight = added.weight.copy()
    weight[..., 0] += standard_model.features(standard_model.couplings(channel))
    assert weight.shape == (len(betas) if values else 1, len(FLAVOURS), 3, 3)
    integrals = np.random.default_rng(seed).uniform(0.0, 1.0, (len(FLAVOURS), 3))
    for row, beta in zip(weight, betas, strict=False):
        theirs, largest = 0.0, 0.0
        for flavour, each in zip(FLAVOURS, integrals, strict=True):
            g, k = naive.sm_couplings(channel, flavour), shift(model, channel, beta, flavour)
            first, second = g[0] + x * k[0], g[1] + x * k[1]
            theirs += first**2 * each[0] + first * second * each[1] + second**2 * each[2]
            largest += (abs(g[0]) + abs(g[1]) + x * (abs(k[0]) + abs(k[1]))) ** 2
        ours = float(np.sum(row @ x ** np.arange(3.0) * integrals))
        # Where the shift cancels the coupling, a sum of three terms loses digits.
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-14 * largest)


def shift(model: str | Interaction, channel: str, beta: float, flavour: str) -> tuple[float, float]:
    """The shift of the couplings at x = 1, computed in another way than the package's."""
    if model is CHARGES:
        unit = 1 / (2 * math.sqrt(2) * 1.1663787e-5 * 91.1876**2)  # of B - L: 1 a nucleon, -1 a lepton
        return (-2 * unit, -2 * unit) if channel == "cevns" else (unit, unit)
    return naive.coupling_shift(channel, model, naive.M_Z_GEV, beta if model == "e6" else None, flavour)
