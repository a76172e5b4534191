from pathlib import Path

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscan.experiments import catalogue as experiments
from fastscan.likelihoods import likelihood, rates
from fastscan.physics import quadrature


def test_sm_events_of_coherent_csi() -> None:
    events = likelihood.events("coherent-csi", "chi", m_zprime=np.inf)
    assert events == pytest.approx(180.12, abs=0.005)  # COHERENT quotes 173 +- 48, arXiv:1708.01294
    assert events == pytest.approx(naive.events("coherent-csi", "chi", np.inf), rel=1e-9)


@pytest.mark.parametrize("name", naive.EXPERIMENTS)
def test_sm_events_of_every_experiment(name: str) -> None:
    assert likelihood.events(name, "chi", m_zprime=np.inf) == pytest.approx(naive.events(name, "chi", np.inf), rel=1e-9)


@given(st.sampled_from(list(naive.EXPERIMENTS)), st.floats(-2, 2), st.floats(-2, 2))
@settings(max_examples=100)
def test_the_response_is_the_quadratic_form_in_the_couplings(name: str, first: float, second: float) -> None:
    response = rates.response(experiments.load(name))
    ours = response @ likelihood.features(np.array([first, second]))
    theirs = naive.events_per_bin(name, (first, second))
    scale = float(np.abs(response).max()) * (first**2 + second**2)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12 * scale + 1e-200)


@pytest.mark.parametrize("name", experiments.names())
def test_twice_the_nodes_change_no_count_by_1e9(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiments.load(name)
    response = rates.response(experiment)
    monkeypatch.setattr(quadrature, "NODES", 2 * quadrature.NODES)
    assert rates.response.__wrapped__(experiment) == pytest.approx(response, rel=1e-9)


def test_changing_the_unit_of_length_in_a_file_changes_nothing(tmp_path: Path) -> None:
    text = (experiments.BUILT_IN / "coherent-csi.toml").read_text()
    other = tmp_path / "other.toml"
    for old, new in {"14.57 kg": "14570 g", "19.3 m": "0.0193 km", "308.1 d": "7394.4 h"}.items():
        assert old in text
        text = text.replace(old, new)
    other.write_text(text)
    ours = rates.response(experiments.load(str(other)))
    assert ours == pytest.approx(rates.response(experiments.load("coherent-csi")), rel=1e-14)
