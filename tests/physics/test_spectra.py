import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from fastscan.physics import spectra
from fastscan.physics.constants import M_MUON
from fastscan.physics.spectra import Continuum, Line

END = M_MUON / 2


def test_prompt_line() -> None:
    assert spectra.prompt_energy() == pytest.approx(naive.PROMPT_ENERGY_MEV, rel=1e-15, abs=0)
    assert spectra.prompt_energy() == pytest.approx(29.79, abs=0.005)  # the value in the paper


@pytest.mark.parametrize("spectrum", [spectra.michel_nu_e, spectra.michel_nubar_mu])
def test_michel_spectra_are_normalised(spectrum) -> None:
    assert quad(lambda energy: float(spectrum(np.array(energy))), 0, END)[0] == pytest.approx(1.0, rel=1e-12)


@given(st.floats(0.0, END))
def test_michel_spectra_equal_the_naive_ones(energy: float) -> None:
    at = np.array(energy)
    assert float(spectra.michel_nu_e(at)) == pytest.approx(naive.sns_spectrum("nu_e", energy), rel=1e-13, abs=1e-18)
    assert float(spectra.michel_nubar_mu(at)) == pytest.approx(
        naive.sns_spectrum("nubar_mu", energy), rel=1e-13, abs=1e-18
    )


@given(st.sampled_from(["U235", "U238", "Pu239", "Pu241"]), st.floats(0.0, 10.0))
def test_fission_spectra_equal_the_naive_ones(isotope: str, energy: float) -> None:
    ours = float(spectra.fission_spectrum(isotope, np.array(energy)))
    # the exponent is a small difference of large terms
    assert ours == pytest.approx(naive.fission_spectrum(isotope, energy), rel=1e-11, abs=1e-30)


def test_a_reactor_emits_about_six_antineutrinos_a_fission() -> None:
    total = quad(lambda e: float(spectra.fission_spectrum("U235", np.array(e))), 0, 10, points=[2], limit=500)[0]
    assert total == pytest.approx(6.07, rel=0.1)  # of arXiv:2304.14992, which has more points below 2 MeV


@pytest.mark.parametrize(
    ("neutrino", "flavour", "anti"),
    [("nu_e", 0, False), ("nubar_mu", 1, True), ("nu_tau", 2, False), ("nubar_e", 0, True)],
)
def test_a_neutrino_and_its_antineutrino_share_a_flavour(neutrino, flavour: int, anti: bool) -> None:
    assert spectra.flavour(neutrino) == flavour
    assert spectra.is_antineutrino(neutrino) is anti


@given(st.floats(0.1, 40.0), st.floats(0.1, 40.0))
def test_several_integrals_at_once_are_each_alone(first: float, second: float) -> None:
    """They have different minima, and are compared with adaptive quadrature."""
    bump = Continuum("nu_e", (0.0, 5.0, END), spectra.michel_nu_e)
    starts = np.array([first, second])
    together = bump.moments(starts)
    for start, ours in zip(starts, together.T, strict=True):
        assert bump.moments(np.array(start)).tolist() == ours.tolist()
        for power in range(3):

            def integrand(energy: float, power: int = power) -> float:
                return naive.sns_spectrum("nu_e", energy) / energy**power

            theirs = quad(integrand, start, END, epsabs=0, epsrel=1e-12)[0]
            assert ours[power] == pytest.approx(theirs, rel=1e-12)


def test_a_line_is_itself_in_every_integral() -> None:
    moments = Line("nu_mu", 30.0, 7.0).moments(np.array([[0.1, 29.9], [30.0, 50.0]]))
    assert moments[:, 0].tolist() == [[7.0, 7.0], [7.0 / 30, 7.0 / 30], [7.0 / 900, 7.0 / 900]]
    assert not moments[:, 1].any()
