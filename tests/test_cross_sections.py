import math

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscan.physics import cross_sections, nuclei
from fastscan.physics.kinematics import maximum_recoil

ISOTOPES = [isotope for isotopes in nuclei.elements().values() for isotope in isotopes]


@given(st.floats(0.05, 120.0), st.integers(12, 240))
def test_form_factor_equals_the_textbook_form(momentum: float, mass_number: int) -> None:
    # the textbook form loses digits as Q -> 0, where its bracket is a difference of equal numbers
    lost = 1e-15 / (momentum * mass_number ** (1 / 3) / naive.HBAR_C) ** 2
    ours = float(cross_sections.form_factor(np.array(momentum), mass_number))
    assert ours == pytest.approx(naive.form_factor(momentum, mass_number), rel=1e-12, abs=10 * lost)


def test_form_factor_is_one_at_rest_and_smooth_towards_it() -> None:
    small = np.array([0.0, 1e-9, 1e-6, 1e-3])
    assert cross_sections.form_factor(small, 133) == pytest.approx(1.0, abs=1e-8)
    assert cross_sections.form_factor(small, 133)[0] == 1.0


@given(st.sampled_from(ISOTOPES), st.floats(0.1, 52.0), st.floats(0.01, 0.99), st.floats(-1, 1), st.floats(-1, 1))
def test_cevns_is_the_formula(isotope: nuclei.Isotope, energy: float, share: float, g_p: float, g_n: float) -> None:
    M = isotope.mass_mev
    T = share * maximum_recoil(energy, M)
    F = naive.form_factor(math.sqrt(2 * M * T + T**2), isotope.A)
    charge = (g_p * isotope.Z + g_n * isotope.N) * F
    formula = naive.G_FERMI**2 * M / (2 * math.pi) * charge**2 * (2 - 2 * T / energy - M * T / energy**2)
    ours = cross_sections.cevns(np.array(T), np.array(energy), isotope) @ [g_p**2, g_p * g_n, g_n**2]
    # at the largest recoil, and where proton and neutron cancel, both lose what is small beside this
    scale = cross_sections.cevns(np.array(0.0), np.array(energy), isotope).max() * (g_p**2 + g_n**2)
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
    terms = cross_sections.neutrino_electron(np.array(T), np.array(energy), antineutrino)
    ours = terms @ [g_l**2, g_l * g_r, g_r**2]
    assert ours == pytest.approx(formula, rel=1e-12, abs=1e-14 * np.abs(terms).max())


def test_the_cross_section_vanishes_at_the_largest_recoil_of_a_heavy_target() -> None:
    (iodine,) = nuclei.elements()["I"]
    energy = np.array(30.0)
    end = maximum_recoil(30.0, iodine.mass_mev)
    at_end, half_way = (cross_sections.cevns(np.array(T), energy, iodine)[2] for T in (end, end / 2))
    assert abs(at_end) < 1e-3 * half_way
