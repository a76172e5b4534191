import math

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscan.physics import cross_sections, form_factors, nuclei
from fastscan.physics.kinematics import maximum_recoil

ISOTOPES = [isotope for isotopes in nuclei.elements().values() for isotope in isotopes]


def cevns(recoil: float, energy: float, isotope: nuclei.Isotope) -> np.ndarray:
    """The cross section with the default form factor."""
    momentum = cross_sections.momentum_transfer(np.array(recoil), isotope.mass_mev)
    factor = form_factors.fermi(momentum, isotope.A)
    return cross_sections.cevns(np.array(recoil), energy ** -np.arange(3.0), isotope, factor)


@given(st.sampled_from(ISOTOPES), st.floats(0.1, 52.0), st.floats(0.01, 0.99), st.floats(-1, 1), st.floats(-1, 1))
def test_cevns_is_the_formula(isotope: nuclei.Isotope, energy: float, share: float, g_p: float, g_n: float) -> None:
    M = isotope.mass_mev
    T = share * maximum_recoil(energy, M)
    F = naive.form_factor(math.sqrt(2 * M * T + T**2), isotope.A)
    charge = (g_p * isotope.Z + g_n * isotope.N) * F
    formula = naive.G_FERMI**2 * M / (2 * math.pi) * charge**2 * (2 - 2 * T / energy - M * T / energy**2)
    ours = cevns(T, energy, isotope) @ [g_p**2, g_p * g_n, g_n**2]
    # at the largest recoil, and where proton and neutron cancel, both lose digits below this
    scale = cevns(0.0, energy, isotope).max() * (g_p**2 + g_n**2)
    assert ours == pytest.approx(formula * naive.CM2_PER_MEV_2, rel=1e-9, abs=1e-13 * scale)


@given(st.floats(0.05, 2.0), st.floats(0.01, 0.99), st.floats(-1, 1), st.floats(-1, 1), st.booleans())
def test_neutrino_electron_is_the_formula(
    energy: float, share: float, g_l: float, g_r: float, antineutrino: bool
) -> None:
    m = naive.M_ELECTRON
    T = share * maximum_recoil(energy, m)
    if antineutrino:  # a right-handed particle: its helicity flips with the electron's
        formula = g_r**2 + g_l**2 * (1 - T / energy) ** 2 - g_l * g_r * m * T / energy**2
    else:
        formula = g_l**2 + g_r**2 * (1 - T / energy) ** 2 - g_l * g_r * m * T / energy**2
    formula *= 2 * naive.G_FERMI**2 * m / math.pi * naive.CM2_PER_MEV_2
    terms = cross_sections.neutrino_electron(np.array(T), energy ** -np.arange(3.0), antineutrino)
    ours = terms @ [g_l**2, g_l * g_r, g_r**2]
    assert ours == pytest.approx(formula, rel=1e-12, abs=1e-14 * np.abs(terms).max())


def test_the_cross_section_vanishes_at_the_largest_recoil_of_a_heavy_target() -> None:
    (iodine,) = nuclei.elements()["I"]
    end = maximum_recoil(30.0, iodine.mass_mev)
    at_end, half_way = (cevns(T, 30.0, iodine)[2] for T in (end, end / 2))
    assert abs(at_end) < 1e-3 * half_way
