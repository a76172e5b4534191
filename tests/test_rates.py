from pathlib import Path

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscan import cross_sections, detectors, experiments, likelihood, models, rates, sources


def test_sm_events_of_coherent_csi() -> None:
    events = likelihood.events("coherent-csi", "chi", m_zprime=np.inf)
    assert events == pytest.approx(180.12, abs=0.005)  # PHYSICS.md section 9; COHERENT quotes 173 +- 48
    assert events == pytest.approx(naive.events("coherent-csi", "chi", np.inf), rel=1e-9)


@given(st.floats(-2, 2), st.floats(-2, 2))
@settings(max_examples=50)
def test_the_response_is_the_quadratic_form_in_the_couplings(proton: float, neutron: float) -> None:
    response = rates.response(experiments.load("coherent-csi"))
    ours = response @ likelihood.features(np.array([proton, neutron]))
    theirs = naive.events_per_bin("coherent-csi", (proton, neutron))
    assert ours == pytest.approx(
        theirs, rel=1e-9, abs=1e-9 * float(response.max()) * (proton**2 + neutron**2)
    )


def test_twice_the_nodes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiments.load("coherent-csi")
    response = rates.response(experiment)
    monkeypatch.setattr(sources, "NODES", 2 * sources.NODES)
    assert rates.response.__wrapped__(experiment) == pytest.approx(response, rel=1e-12)


@given(st.floats(0.0, 40.0))
def test_efficiency_equals_the_naive_one(recoil_kev: float) -> None:
    detector = experiments.load("coherent-csi").detector
    ours = detectors.efficiency(detector, np.array(recoil_kev / 1e3))
    assert float(ours) == pytest.approx(naive.efficiency("coherent-csi", recoil_kev), rel=1e-12)


@given(st.floats(1e-6, 1.0), st.floats(1e3, 2e5))
def test_minimum_energy_inverts_maximum_recoil(recoil: float, mass: float) -> None:
    energy = cross_sections.minimum_energy(recoil, mass)
    assert cross_sections.maximum_recoil(np.array(energy), mass) == pytest.approx(recoil, rel=1e-12)


def test_the_cross_section_vanishes_at_the_largest_recoil_of_a_heavy_target() -> None:
    energy, mass = np.array(30.0), 1e5
    end = cross_sections.maximum_recoil(energy, mass)
    assert abs(cross_sections.cevns(end, energy, mass)) < 1e-3 * cross_sections.cevns(end / 2, energy, mass)


def test_changing_the_unit_of_length_in_a_file_changes_nothing(tmp_path: Path) -> None:
    text = (experiments.BUILT_IN / "coherent-csi.toml").read_text()
    other = tmp_path / "other.toml"
    for old, new in {"14.57 kg": "14570 g", "19.3 m": "0.0193 km", "308.1 d": "7394.4 h"}.items():
        assert old in text
        text = text.replace(old, new)
    other.write_text(text)
    ours = rates.response(experiments.load(str(other)))
    assert ours == pytest.approx(rates.response(experiments.load("coherent-csi")), rel=1e-14)


def test_gamma_of_an_infinite_mass_is_the_standard_model() -> None:
    assert models.gamma(np.array([np.inf, 91.1876])).tolist() == [0.0, 1.0]
