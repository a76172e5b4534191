import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from fastscan import experiments, sources
from fastscan.constants import M_MUON

END = M_MUON / 2


def test_prompt_line() -> None:
    assert sources.prompt_energy() == pytest.approx(naive.PROMPT_ENERGY_MEV, rel=1e-15)
    assert sources.prompt_energy() == pytest.approx(29.79, abs=0.005)  # PHYSICS.md section 6


@pytest.mark.parametrize("spectrum", [sources.michel_nu_e, sources.michel_nubar_mu])
def test_michel_spectra_are_normalised(spectrum) -> None:
    assert quad(lambda energy: float(spectrum(np.array(energy))), 0, END)[0] == pytest.approx(1.0, rel=1e-12)


@given(st.floats(0.0, END))
def test_michel_spectra_equal_the_naive_ones(energy: float) -> None:
    at = np.array(energy)
    assert float(sources.michel_nu_e(at)) == pytest.approx(
        naive.sns_spectrum("nu_e", energy), rel=1e-13, abs=1e-18
    )
    assert float(sources.michel_nubar_mu(at)) == pytest.approx(
        naive.sns_spectrum("nubar_mu", energy), rel=1e-13, abs=1e-18
    )


def test_each_flavour_has_the_same_fluence() -> None:
    experiment = experiments.load("coherent-csi")
    spectra = sources.pion_decay_at_rest(experiment.source, experiment.exposure_s)
    fluences = [spectrum.quadrature([])[1].sum() for spectrum in spectra]
    assert fluences == pytest.approx([naive.fluence("coherent-csi")] * 3, rel=1e-13)


def test_a_longer_exposure_is_at_the_same_rate() -> None:
    source = experiments.load("coherent-csi").source
    day = 86400.0
    once, twice = (sources.pion_decay_at_rest(source, days * day)[0].quadrature([])[1] for days in (100, 200))
    assert twice == pytest.approx(2 * once, rel=1e-15)
