from dataclasses import replace

import naive
import numpy as np
import pytest
from scipy.integrate import dblquad

from fastscan import experiments
from fastscan.experiments import Cylinder, Point
from fastscan.physics.spectra import Continuum


def test_each_flavour_has_the_same_fluence() -> None:
    spectra = experiments.load("coherent-csi").spectra()
    fluences = [spectrum.total for spectrum in spectra]
    assert fluences == pytest.approx([naive.fluence("coherent-csi")] * 3, rel=1e-13)


def test_a_longer_exposure_is_at_the_same_rate() -> None:
    experiment = experiments.load("coherent-csi")
    once, twice = (replace(experiment, exposure_s=days * 86400.0).spectra()[0].total for days in (100, 200))
    assert twice == pytest.approx(2 * once, rel=1e-15)


@pytest.mark.parametrize("name", ["conus", "miner", "cr51-lxe-a"])
def test_fluences_equal_the_naive_ones(name: str) -> None:
    experiment = experiments.load(name)
    if name == "cr51-lxe-a":
        high, low = (spectrum.total for spectrum in experiment.spectra())
        assert high == pytest.approx(9 * low, rel=1e-15)
    else:
        (spectrum,) = experiment.spectra()
        assert isinstance(spectrum, Continuum)
        at = np.array([0.01, 0.3, 1.99, 2.0, 5.0, 9.0])
        shape = [naive.spectrum(naive.EXPERIMENTS[name].source, energy) for energy in at]
        assert spectrum.density(at) / spectrum.density(at)[1] == pytest.approx(
            np.array(shape) / shape[1], rel=1e-12, abs=0
        )


def test_the_mean_inverse_square_of_a_cylinder() -> None:
    """Against the integral over its volume, and a thin disc and a far detector as limits."""
    tank = experiments.load("cr51-lxe-a").geometry
    assert isinstance(tank, Cylinder)
    volume = dblquad(lambda r, z: 2 * np.pi * r / (r**2 + z**2), 1.0, 2.38, 0, 0.69)[0]
    assert tank.mean_inverse_square() == pytest.approx(volume / tank.volume_m3, rel=1e-10)
    far = Cylinder(height_m=0.01, diameter_m=0.01, distance_m=100.0)
    assert far.mean_inverse_square() == pytest.approx(Point(100.005).mean_inverse_square(), rel=1e-6)


def test_a_source_decays_while_it_is_measured() -> None:
    experiment = experiments.load("cr51-lxe-a")
    first = replace(experiment, exposure_s=27.7025 * 86400).spectra()[0].total
    all_of_it = replace(experiment, exposure_s=1e12).spectra()[0].total
    assert first == pytest.approx(all_of_it / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "neutrinos"),
    [
        ("coherent-lar", ["nu_mu", "nu_e", "nubar_mu"]),
        ("miner", ["nubar_e"]),
        ("cr51-lxe-b", ["nu_e", "nu_e"]),
    ],
)
def test_a_source_says_which_neutrinos_it_emits(name: str, neutrinos: list[str]) -> None:
    assert [spectrum.neutrino for spectrum in experiments.load(name).spectra()] == neutrinos
