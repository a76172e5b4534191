import math

import naive
import pytest

from fastscan import nuclei
from fastscan.errors import FastscanError


def test_abundances_add_up_to_one() -> None:
    for isotopes in nuclei.elements().values():
        assert math.fsum(isotope.abundance for isotope in isotopes) == pytest.approx(1.0, rel=1e-15, abs=0)


def test_a_compound_holds_the_mass_it_was_given() -> None:
    found = nuclei.targets("CaWO4", 0.608)
    grams = sum(number * isotope.atomic_mass_u for isotope, number in found) / naive.AVOGADRO
    assert grams == pytest.approx(608, rel=1e-14)
    oxygen = sum(number for isotope, number in found if isotope.Z == 8)
    tungsten = sum(number for isotope, number in found if isotope.Z == 74)
    assert oxygen == pytest.approx(4 * tungsten, rel=1e-14)


def test_nuclear_mass_lacks_the_electrons() -> None:
    (argon,) = (isotope for isotope in nuclei.elements()["Ar"] if isotope.A == 40)
    assert argon.mass_mev == pytest.approx(37215.526, abs=1e-3)  # particle 1.1.0, less 18 electrons
    assert argon.N == 22


@pytest.mark.parametrize(
    ("formula", "atoms"),
    [
        ("Ge", {"Ge": 1}),
        ("CsI", {"Cs": 1, "I": 1}),
        ("Al2O3", {"Al": 2, "O": 3}),
        ("OAlO", {"O": 2, "Al": 1}),
    ],
)
def test_formulas(formula: str, atoms: dict[str, int]) -> None:
    assert nuclei.parse_formula(formula) == atoms


@pytest.mark.parametrize("formula", ["", "csi", "Cs I", "Xx", "C2-", "Ge0", "2Ge", "Ca(WO4)", "Gé"])
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(FastscanError):
        nuclei.parse_formula(formula)
