"""Responses by neutrino and by flavour."""

import pytest

from fastscan import experiments
from fastscan.interactions.standard_model import couplings, features
from fastscan.likelihoods.response import response

# Events of the Standard Model by neutrino, from an independent calculation.
EVENTS = {
    "coherent-csi": {"nu_mu": 29.3809048854, "nu_e": 60.3231779974, "nubar_mu": 90.4164498093},
    "coherent-lar": {"nu_mu": 889.788051339, "nu_e": 1634.90029240, "nubar_mu": 2505.41255976},
}


@pytest.mark.parametrize("name", EVENTS)
def test_standard_model_events_by_neutrino(name: str) -> None:
    found = response(experiments.load(name))
    events = (found.by_neutrino @ features(couplings("cevns")[0])).sum(axis=1)
    ours = dict(zip(found.neutrinos, events.tolist(), strict=True))
    assert ours == pytest.approx(EVENTS[name], rel=1e-11)


@pytest.mark.parametrize("name", experiments.names())
def test_flavours_together_are_the_total(name: str) -> None:
    found = response(experiments.load(name))
    assert found.by_flavour.sum(axis=0) == pytest.approx(found.total, rel=1e-15)
    assert not found.by_neutrino.flags.writeable


def test_a_flavour_is_its_neutrinos_and_antineutrinos() -> None:
    found = response(experiments.load("coherent-csi"))
    mu_line, e_michel, mu_michel = found.by_neutrino
    e, mu, tau = found.by_flavour
    assert (e == e_michel).all()
    assert (mu == mu_line + mu_michel).all()
    assert not tau.any()


def test_lines_of_one_neutrino_are_one_response() -> None:
    found = response(experiments.load("cr51-lxe-a"))
    assert found.neutrinos == ("nu_e",)
    assert found.by_neutrino.shape == (1, 120, 3)
