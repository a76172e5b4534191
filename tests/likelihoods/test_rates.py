from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscan
from fastscan import experiments
from fastscan.experiments import Experiment
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.interactions import standard_model
from fastscan.likelihoods.response import response
from fastscan.physics import quadrature


def test_sm_events_of_coherent_csi() -> None:
    events = fastscan.events("coherent-csi", "chi", m_zprime=np.inf)
    assert events == pytest.approx(180.12, abs=0.005)  # COHERENT quotes 173 +- 48, arXiv:1708.01294
    assert events == pytest.approx(naive.events("coherent-csi", "chi", np.inf), rel=1e-9)


@pytest.mark.parametrize("name", naive.EXPERIMENTS)
def test_sm_events_of_every_experiment(name: str) -> None:
    assert fastscan.events(name, "chi", m_zprime=np.inf) == pytest.approx(naive.events(name, "chi", np.inf), rel=1e-9)


@given(st.sampled_from(list(naive.EXPERIMENTS)), st.floats(-2, 2), st.floats(-2, 2))
@settings(max_examples=100)
def test_the_response_is_the_quadratic_form_in_the_couplings(name: str, first: float, second: float) -> None:
    total = response(experiments.load(name)).total
    ours = total @ standard_model.features(np.array([first, second]))
    theirs = naive.events_per_bin(name, (first, second))
    scale = float(np.abs(total).max()) * (first**2 + second**2)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12 * scale + 1e-200)


@pytest.mark.parametrize("name", experiments.names())
def test_twice_the_nodes_change_no_count_by_1e9(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiments.load(name)
    total = response(experiment).total
    monkeypatch.setattr(quadrature, "NODES", 2 * quadrature.NODES)
    assert response.__wrapped__(experiment).total == pytest.approx(total, rel=1e-9)


def test_changing_the_unit_of_length_in_a_file_changes_nothing(tmp_path: Path) -> None:
    text = (BUILT_IN / "coherent-csi.toml").read_text()
    other = tmp_path / "other.toml"
    for old, new in {"14.57 kg": "14570 g", "19.3 m": "0.0193 km", "308.1 d": "7394.4 h"}.items():
        assert old in text
        text = text.replace(old, new)
    other.write_text(text)
    ours = response(experiments.load(str(other))).total
    assert ours == pytest.approx(response(experiments.load("coherent-csi")).total, rel=1e-14)


def in_bins(experiment: Experiment, edges: Sequence[float]) -> Experiment:
    return replace(experiment, detector=replace(experiment.detector, bins=tuple(edges)))


@pytest.mark.parametrize("name", ["coherent-csi", "coherent-lar", "conus", "cr51-lxe-a"])
def test_a_bin_does_not_depend_on_the_others(name: str) -> None:
    """Each of several bins equals the bin alone to the last bit, and their sum is the whole count."""
    experiment = experiments.load(name)
    low, high = experiment.detector.threshold_mev, experiment.largest_recoil_mev
    edges = np.linspace(low, high, 8)
    edges[0] = 0.0  # nothing is accepted below the threshold
    together = response(in_bins(experiment, edges)).by_neutrino
    for number in range(7):
        alone = response(in_bins(experiment, edges[number : number + 2])).by_neutrino
        assert (together[:, number] == alone[:, 0]).all()
    assert together.sum(axis=1) == pytest.approx(response(in_bins(experiment, [low, high])).by_neutrino[:, 0], rel=1e-9)


@pytest.mark.parametrize("name", ["conus", "cr51-lxe-a"])
def test_ten_times_the_bins_are_ten_times_the_work(name: str) -> None:
    """The work is the number of nodes of the integrals."""
    experiment = experiments.load(name)
    work = []
    for bins in (64, 640):
        edges = np.linspace(experiment.detector.threshold_mev, experiment.largest_recoil_mev, bins + 1)
        (parts,) = response(in_bins(experiment, edges)).recoils.values()
        work.append(sum(part.energies.size for part in parts))
    assert work[1] < 11 * work[0]
