"""Counts, rates and fluxes of analyses of published data, from files that describe their experiments.

The numbers are those of measurements/reactor.md, each of which ours has to be when it is rounded.
"""

from dataclasses import replace

import numpy as np
import pytest
from conftest import TESTS

from fastscan import experiments
from fastscan.experiments import Reactor
from fastscan.interactions.standard_model import couplings, features
from fastscan.likelihoods.response import response
from fastscan.physics.quadrature import gauss_legendre
from fastscan.physics.spectra import Continuum

DATA = TESTS / "data"
STANDARD = features(couplings("cevns")[0])


def described(name: str) -> experiments.Experiment:
    return experiments.load(DATA / f"{name}.toml")


def assert_printed(ours: float, printed: str) -> None:
    """Require that a printed number is ours, rounded."""
    digits = len(printed.partition("e")[0].replace(".", "").lstrip("0"))
    assert f"{float(f'{ours:.{digits}g}'):.12g}" == f"{float(printed):.12g}"


@pytest.mark.parametrize(("lowest", "flux"), [(0.02, "1.4995751e13"), (1.5, "5.2045241e12"), (3.0, "1.5447689e12")])
def test_the_flux_of_conus_plus_above_an_energy(lowest: float, flux: str) -> None:
    (spectrum,) = replace(described("conus-plus-run1"), exposure_s=1.0).spectra()
    assert isinstance(spectrum, Continuum)
    edges = np.array([lowest, *(knot for knot in spectrum.knots if knot > lowest)])
    energies, widths = gauss_legendre(edges[:-1], edges[1:])
    assert_printed(float(np.sum(widths * spectrum.density(energies))), flux)


DRESDEN_II = {
    "fef": (
        {0: "22.91966", 1: "19.020384", 2: "15.734342", 5: "8.7088047", 10: "2.873382", 20: "0.13063835"},
        ("59.505547", "75.612225", "96.259158"),
    ),
    "ybe": (
        {0: "15.85049", 1: "12.309623", 2: "9.4778878", 5: "4.1233324", 10: "0.88710511", 20: "0.023255002"},
        ("41.153073", "52.291592", "66.569771"),
    ),
}


@pytest.mark.parametrize("quenching", DRESDEN_II)
def test_the_counts_of_dresden_ii(quenching: str) -> None:
    counts, first = DRESDEN_II[quenching]
    found = response(described(f"dresden-{quenching}")).total
    for number, printed in counts.items():
        assert_printed(found[number] @ STANDARD, printed)
    for ours, printed in zip(found[0] / [1, 2, 1], first, strict=True):
        assert_printed(ours, printed)


def test_the_counts_of_conus_plus() -> None:
    found = response(described("conus-plus-run1")).total
    counts = {0: "34.038709", 1: "26.443111", 5: "9.6894922", 10: "2.6476972", 18: "0.26603323"}
    for number, printed in counts.items():
        assert_printed(found[number] @ STANDARD, printed)
    assert_printed((found @ STANDARD).sum(), "150.5132")
    for ours, printed in zip(found[0] / [1, 2, 1], ("88.804176", "112.57935", "142.99009"), strict=True):
        assert_printed(ours, printed)


@pytest.mark.parametrize(("spectrum", "events"), [("kopeikin-mueller", "329.0"), ("vogel-engel", "351"),
                                                  ("bestiole", "388"), ("mueller-vogel-engel", "392")])  # fmt: skip
def test_the_whole_exposure_of_conus_plus(spectrum: str, events: str) -> None:
    """327 kg d, a third of them from each of 160, 170 and 180 eVee on, up to 800 eVee; 347 +- 59 are published."""
    run = described("conus-plus-run1")
    assert isinstance(run.source, Reactor)
    whole = replace(
        run,
        exposure_s=327 * 86400,
        source=replace(run.source, evaluation=spectrum),
        detector=replace(run.detector, bins=(0.16e-3, 0.17e-3, 0.18e-3, 0.8e-3)),
    )
    running = np.array([1 / 3, 2 / 3, 1.0])
    assert_printed(running @ response(whole).total @ STANDARD, events)


def test_the_recoil_rate_of_boron_8_in_xenon() -> None:
    """dR/dT at 1 keV per tonne, year of 365.25 d and keV, from a bin so narrow that a parabola is lost in it."""
    assert_printed((response(described("xenonnt-8b")).total @ STANDARD).sum() / 2e-4, "237.50274")
