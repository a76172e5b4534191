import naive
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscan.physics.kinematics import four_momentum_transfer, maximum_recoil, minimum_energy

masses = st.floats(0.5, 2e5)


@given(st.floats(1e-3, 100.0), masses)
def test_maximum_recoil_equals_the_naive_one(energy: float, mass: float) -> None:
    assert maximum_recoil(energy, mass) == pytest.approx(naive.max_recoil(energy, mass), rel=1e-14, abs=0)


@given(st.floats(1e-6, 1.0), masses)
def test_minimum_energy_inverts_maximum_recoil(recoil: float, mass: float) -> None:
    assert maximum_recoil(minimum_energy(recoil, mass), mass) == pytest.approx(recoil, rel=1e-12, abs=0)


@given(st.floats(1e-3, 100.0), masses)
def test_momentum_transfer_is_that_of_the_momenta_of_the_neutrino(energy: float, mass: float) -> None:
    """Backwards the neutrino keeps E - T: q = 2 E - T in momentum, T in energy, and their squares differ by Q^2."""
    recoil = maximum_recoil(energy, mass)
    squared = (2 * energy - recoil) ** 2 - recoil**2
    transfer = four_momentum_transfer(recoil, mass)
    assert transfer == pytest.approx(squared**0.5, rel=1e-9)
    assert transfer <= 2 * energy * (1 + 1e-12)
