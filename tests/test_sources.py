from dataclasses import replace

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad

from fastscan.experiments import catalogue as experiments
from fastscan.experiments import sources
from fastscan.physics.constants import M_MUON

END = M_MUON / 2


def test_prompt_line() -> None:
    assert sources.prompt_energy() == pytest.approx(naive.PROMPT_ENERGY_MEV, rel=1e-15, abs=0)
    assert sources.prompt_energy() == pytest.approx(29.79, abs=0.005)  # as the paper gives it


@pytest.mark.parametrize("spectrum", [sources.michel_nu_e, sources.michel_nubar_mu])
def test_michel_spectra_are_normalised(spectrum) -> None:
    assert quad(lambda energy: float(spectrum(np.array(energy))), 0, END)[0] == pytest.approx(1.0, rel=1e-12)


@given(st.floats(0.0, END))
def test_michel_spectra_equal_the_naive_ones(energy: float) -> None:
    at = np.array(energy)
    assert float(sources.michel_nu_e(at)) == pytest.approx(naive.sns_spectrum("nu_e", energy), rel=1e-13, abs=1e-18)
    assert float(sources.michel_nubar_mu(at)) == pytest.approx(
        naive.sns_spectrum("nubar_mu", energy), rel=1e-13, abs=1e-18
    )


def test_each_flavour_has_the_same_fluence() -> None:
    spectra = sources.spectra(experiments.load("coherent-csi"))
    fluences = [spectrum.quadrature([])[1].sum() for spectrum in spectra]
    assert fluences == pytest.approx([naive.fluence("coherent-csi")] * 3, rel=1e-13)


def test_a_longer_exposure_is_at_the_same_rate() -> None:
    experiment = experiments.load("coherent-csi")
    once, twice = (
        sources.spectra(replace(experiment, exposure_s=days * 86400.0))[0].quadrature([])[1] for days in (100, 200)
    )
    assert twice == pytest.approx(2 * once, rel=1e-15)


@given(st.sampled_from(["U235", "U238", "Pu239", "Pu241"]), st.floats(0.0, 10.0))
def test_fission_spectra_equal_the_naive_ones(isotope: str, energy: float) -> None:
    ours = float(sources.fission_spectrum(isotope, np.array(energy)))
    # the exponent is a small difference of large terms
    assert ours == pytest.approx(naive.fission_spectrum(isotope, energy), rel=1e-11, abs=1e-30)


def test_a_reactor_emits_about_six_antineutrinos_a_fission() -> None:
    total = quad(lambda e: float(sources.fission_spectrum("U235", np.array(e))), 0, 10, points=[2], limit=500)[0]
    assert total == pytest.approx(6.07, rel=0.1)  # of arXiv:2304.14992, which has more points below 2 MeV


@pytest.mark.parametrize("name", ["conus", "miner", "cr51-lxe-a"])
def test_fluences_equal_the_naive_ones(name: str) -> None:
    experiment = experiments.load(name)
    if name == "cr51-lxe-a":
        high, low = (spectrum.quadrature([])[1][0] for spectrum in sources.spectra(experiment))
        assert high == pytest.approx(9 * low, rel=1e-15)
    else:
        (spectrum,) = sources.spectra(experiment)
        assert isinstance(spectrum, sources.Continuum)
        at = np.array([0.01, 0.3, 1.99, 2.0, 5.0, 9.0])
        shape = [naive.spectrum(naive.EXPERIMENTS[name].source, energy) for energy in at]
        assert spectrum.density(at) / spectrum.density(at)[1] == pytest.approx(
            np.array(shape) / shape[1], rel=1e-12, abs=0
        )


def test_the_mean_inverse_square_of_a_cylinder() -> None:
    """Against the integral over its volume, and a thin disc and a far detector as limits."""
    tank = experiments.load("cr51-lxe-a").geometry
    assert isinstance(tank, experiments.Cylinder)
    volume = dblquad(lambda r, z: 2 * np.pi * r / (r**2 + z**2), 1.0, 2.38, 0, 0.69)[0]
    assert sources.mean_inverse_square(tank) == pytest.approx(volume / tank.volume_m3, rel=1e-10)
    far = experiments.Cylinder(height_m=0.01, diameter_m=0.01, distance_m=100.0)
    assert sources.mean_inverse_square(far) == pytest.approx(
        sources.mean_inverse_square(experiments.Point(100.005)), rel=1e-6
    )


def test_a_source_decays_while_it_is_measured() -> None:
    experiment = experiments.load("cr51-lxe-a")
    (first,) = sources.spectra(replace(experiment, exposure_s=27.7025 * 86400))[0].quadrature([])[1]
    (all_of_it,) = sources.spectra(replace(experiment, exposure_s=1e12))[0].quadrature([])[1]
    assert first == pytest.approx(all_of_it / 2, rel=1e-12)
