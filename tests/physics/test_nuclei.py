import math

import naive
import periodictable
import pytest

from fastscan.errors import FastscanError
from fastscan.inputs import data_files as tables
from fastscan.physics import nuclei

# Standard atomic weights of IUPAC's commission (CIAAW 2021), conventional values where it gives intervals.
ATOMIC_WEIGHTS = {
    "O": 15.999, "Na": 22.98977, "Al": 26.98154, "Si": 28.085, "Ar": 39.95, "Ca": 40.078, "Zn": 65.38,
    "Ge": 72.630, "I": 126.90447, "Xe": 131.293, "Cs": 132.90545, "W": 183.84,
}  # fmt: skip
# Elements with another composition in periodictable 2.1.0: the centre of lithium's range, and none for uranium.
OTHERS = {"Li": {6: 0.0759, 7: 0.9241}, "U": {234: 0.000054, 235: 0.007204, 238: 0.992742}}


def test_the_table_has_every_element_with_a_natural_composition() -> None:
    known = {element.symbol: sum(isotope.abundance for isotope in element) > 0 for element in periodictable.elements}
    assert set(nuclei.elements()) == {symbol for symbol, natural in known.items() if natural} | {"U"}
    missing = set(known) - set(nuclei.elements()) - {"n"}  # periodictable counts the neutron among the elements
    assert set(nuclei.WITHOUT_COMPOSITION.split()) == missing


@pytest.mark.parametrize("symbol", nuclei.elements())
def test_isotopes_are_those_of_periodictable_to_the_digits_of_the_table(symbol: str) -> None:
    element = periodictable.elements.symbol(symbol)
    rows = {int(row["A"]): row for row in tables.rows("isotopes.csv") if row["symbol"] == symbol}
    assert {int(row["Z"]) for row in rows.values()} == {element.number}
    masses = {A: float(row["atomic_mass_u"]) for A, row in rows.items()}
    assert masses == pytest.approx({A: element[A].mass for A in rows}, rel=5e-9, abs=0)  # nine digits
    theirs = {isotope.isotope: isotope.abundance / 100 for isotope in element if isotope.abundance > 0}
    abundances = {A: float(row["abundance"]) for A, row in rows.items()}
    assert abundances == pytest.approx(OTHERS.get(symbol, theirs), rel=5e-6, abs=0)  # six digits


@pytest.mark.parametrize("symbol", nuclei.elements())
def test_the_mean_mass_is_the_standard_atomic_weight(symbol: str) -> None:
    isotopes = nuclei.elements()[symbol]
    assert math.fsum(isotope.abundance for isotope in isotopes) == pytest.approx(1.0, abs=1e-15)
    weight = sum(isotope.abundance * isotope.atomic_mass_u for isotope in isotopes)
    # sulfur and boron vary so much on Earth that their conventional weights have four digits
    tolerance = 4e-4 if symbol in ("S", "B") else 1e-4
    assert weight == pytest.approx(periodictable.elements.symbol(symbol).mass, rel=tolerance)
    assert weight == pytest.approx(ATOMIC_WEIGHTS.get(symbol, weight), rel=1e-4)


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


def test_numbers_of_nuclei_are_those_of_independent_calculations() -> None:
    argon = [number for _, number in nuclei.targets("Ar", 24.4)]
    assert argon == pytest.approx([1.22711973e24, 2.31328677e23, 3.66372172e26], rel=5e-9)
    (iodine, number), (caesium, same) = nuclei.targets("CsI", 14.6)
    assert number == same == pytest.approx(3.3841376574e25, rel=1e-10)
    assert (iodine.name, caesium.name) == ("I127", "Cs133")
    assert caesium.mass_mev == pytest.approx(123772.539775, abs=1e-6)


def test_an_enriched_detector_has_the_isotopes_that_were_chosen() -> None:
    found = nuclei.targets("Ge", 50.0, abundances=[("Ge76", 0.92), ("Ge74", 0.08)])
    (light, few), (heavy, many) = found
    assert (light.A, heavy.A, heavy.N) == (74, 76, 44)
    assert many / few == pytest.approx(0.92 / 0.08, rel=1e-14)
    assert (few * light.atomic_mass_u + many * heavy.atomic_mass_u) / naive.AVOGADRO == pytest.approx(50e3, rel=1e-14)
    assert nuclei.targets("Ge", 1.0, 75.8, abundances=[("Ge76", 1)])[0][1] == pytest.approx(1e3 / 75.8 * naive.AVOGADRO)
    natural = {isotope.A: isotope.abundance for isotope in nuclei.elements()["Ge"]}
    assert natural[76] == pytest.approx(0.0775, abs=1e-4)


def test_elements_without_chosen_isotopes_stay_natural() -> None:
    heavy_water = nuclei.targets("H2O", 1.0, abundances=[("H2", 1), ("H1", 0)])
    assert [isotope.name for isotope, _ in heavy_water] == ["H2", "O16", "O17", "O18"]
    (_, deuterons), *oxygen = heavy_water
    assert deuterons == pytest.approx(2 * sum(number for _, number in oxygen), rel=1e-14)


def test_a_dopant_is_counted_by_its_share_of_the_mass() -> None:
    doped, pure = nuclei.targets("NaI", 2.0, dopants=[("Tl", 1e-3)]), nuclei.targets("NaI", 2.0)
    assert [isotope.name for isotope, _ in doped] == ["Na23", "I127", "Tl203", "Tl205"]
    assert [number for _, number in doped[:2]] == pytest.approx([0.999 * number for _, number in pure], rel=1e-14)
    thallium = sum(number * isotope.atomic_mass_u for isotope, number in doped[2:]) / naive.AVOGADRO
    assert thallium == pytest.approx(2.0, rel=1e-14)  # grams of two kilograms


@pytest.mark.parametrize(
    ("abundances", "problem"),
    [
        ([("Ge76", 0.92)], "the shares of Ge must add up to 1, not 0.92"),
        ([("Ge76", 1), ("Si28", 0.5)], "the shares of Si must add up to 1, not 0.5"),
        ([("Ge77", 1)], "unknown isotope 'Ge77'; the table of isotopes has Ge70, Ge72, Ge73, Ge74, Ge76"),
        ([("76Ge", 1)], "'76Ge' is no isotope such as 'Ge76'"),
        ([("Ge", 1)], "'Ge' is no isotope such as 'Ge76'"),
        ([("Xx76", 1)], "unknown element 'Xx'"),
        ([("Tc99", 1)], "'Tc' has no natural composition of isotopes"),
    ],
)
def test_isotopes_that_can_not_be_are_refused(abundances: list[tuple[str, float]], problem: str) -> None:
    with pytest.raises(FastscanError, match=problem):
        nuclei.composition(abundances)


@pytest.mark.parametrize(
    ("formula", "atoms"),
    [
        ("Ge", {"Ge": 1}),
        ("CsI", {"Cs": 1, "I": 1}),
        ("Al2O3", {"Al": 2, "O": 3}),
        ("OAlO", {"O": 2, "Al": 1}),
        ("H2", {"H": 2}),
        ("CH4", {"C": 1, "H": 4}),
        ("C9H12", {"C": 9, "H": 12}),
        ("C12H26", {"C": 12, "H": 26}),
        ("C3F8", {"C": 3, "F": 8}),
        ("TeO2", {"Te": 1, "O": 2}),
        ("Ca3(PO4)2", {"Ca": 3, "P": 2, "O": 8}),
        ("CH3(CH2)4CH3", {"C": 6, "H": 14}),
        ("K4(Fe(CN)6)1", {"K": 4, "Fe": 1, "C": 6, "N": 6}),
        ("(Li)6Gd(BO3)3", {"Li": 6, "Gd": 1, "B": 3, "O": 9}),
        ("CsI(Tl)", {"Cs": 1, "I": 1}),
        ("CsI[Na]", {"Cs": 1, "I": 1}),
        ("CaF2:Eu", {"Ca": 1, "F": 2}),
    ],
)
def test_formulas(formula: str, atoms: dict[str, int]) -> None:
    assert nuclei.parse_formula(formula) == atoms


@pytest.mark.parametrize(
    "formula", ["Ge76", "Xe136", "NaI127", "Cs133I", "Ge75", "Li6I", "C13", "C13O2", "He3", "B10F3"]
)
def test_an_isotope_is_told_from_a_count_of_atoms(formula: str) -> None:
    with pytest.raises(FastscanError, match=r"for an isotope write '[A-Z][a-z]?' and give abundances"):
        nuclei.parse_formula(formula)


@pytest.mark.parametrize(
    "formula",
    [
        "", "csi", "Cs I", "Xx", "C2-", "Ge0", "Ge2Ge0", "2Ge", "Gé", "Tc", "D2O", "Na9999Na9999",
        "Ca(WO4)", "(WO4)Ca", "Ca(WO4", "CaWO4)2", "Ca()2", "(Ca)0", "(" * 5000, "(((((Ge9)9999)9999)9999)9999)9999",
        "(Tl)", ":Tl", "Cs(Tl)I", "CsI(Tl)\n", "CsI(Tl]", "CsI(Xx)", "CsI(Tl)(Na)",
    ],
)  # fmt: skip
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(FastscanError) as caught:
        nuclei.parse_formula(formula)
    assert len(str(caught.value)) < 200
