import math

import naive
import pytest

from fastscan.errors import FastscanError
from fastscan.inputs import data_files as tables
from fastscan.physics import nuclei

# Standard atomic weights of IUPAC's commission (CIAAW 2021), conventional values where it gives intervals.
ATOMIC_WEIGHTS = {
    "O": 15.999, "Na": 22.98977, "Al": 26.98154, "Si": 28.085, "Ar": 39.95, "Ca": 40.078, "Zn": 65.38,
    "Ge": 72.630, "I": 126.90447, "Xe": 131.293, "Cs": 132.90545, "W": 183.84,
}  # fmt: skip


def test_the_elements_are_those_whose_atomic_weights_are_tested() -> None:
    assert set(nuclei.elements()) == set(ATOMIC_WEIGHTS)


@pytest.mark.parametrize("symbol", nuclei.elements())
def test_a_typing_error_in_the_table_of_isotopes_is_seen(symbol: str) -> None:
    rows = [row for row in tables.rows("isotopes.csv") if row["symbol"] == symbol]
    assert math.fsum(float(row["abundance"]) for row in rows) == pytest.approx(1.0, abs=1e-5)
    assert len({row["Z"] for row in rows}) == 1
    for row in rows:
        assert abs(float(row["atomic_mass_u"]) - int(row["A"])) < 0.2
    weight = sum(isotope.abundance * isotope.atomic_mass_u for isotope in nuclei.elements()[symbol])
    assert weight == pytest.approx(ATOMIC_WEIGHTS[symbol], rel=1e-4)


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


@pytest.mark.parametrize("formula", ["Ge76", "Xe136", "NaI127", "Cs133I", "Ge75"])
def test_an_isotope_is_told_from_a_count_of_atoms(formula: str) -> None:
    with pytest.raises(FastscanError, match="natural isotopes only"):
        nuclei.parse_formula(formula)


@pytest.mark.parametrize("formula", ["", "csi", "Cs I", "Xx", "C2-", "Ge0", "2Ge", "Ca(WO4)", "Gé"])
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(FastscanError):
        nuclei.parse_formula(formula)
