"""Form factors: each compared with the Fourier transform of its distribution, and the radii in files."""

import math
from dataclasses import asdict
from decimal import Decimal, localcontext

import naive
import numpy as np
import pytest
from conftest import Write
from hypothesis import given
from hypothesis import strategies as st

from fastscan.errors import FastscanError
from fastscan.experiments import Fermi, Helm, KleinNystrand, Target
from fastscan.experiments import catalogue as experiments
from fastscan.experiments.form_factors import FORM_FACTORS, FormFactor
from fastscan.physics import cross_sections, form_factors, nuclei
from fastscan.physics.constants import HBARC_MEV_FM

(CAESIUM,) = nuclei.elements()["Cs"]
LINE = 'compound = "CsI"\n'
TEXT = (experiments.BUILT_IN / "coherent-csi.toml").read_text()


@given(st.floats(0.05, 120.0), st.integers(12, 240))
def test_the_symmetrised_fermi_form_factor_equals_the_textbook_form(momentum: float, mass_number: int) -> None:
    # the textbook form loses digits as Q -> 0, where its bracket is a difference of equal numbers
    lost = 1e-15 / (momentum * mass_number ** (1 / 3) / naive.HBAR_C) ** 2
    ours = float(form_factors.fermi(np.array(momentum), mass_number))
    assert ours == pytest.approx(naive.form_factor(momentum, mass_number), rel=1e-12, abs=10 * lost)


def waves(x: Decimal) -> tuple[Decimal, Decimal]:
    """sin(x) and cos(x) with fifty digits, as sums of their series."""
    terms = [Decimal(1)]
    while abs(terms[-1]) > Decimal("1e-60") or len(terms) < x:
        terms.append(terms[-1] * x / len(terms))
    return sum(terms[1::4]) - sum(terms[3::4]), sum(terms[0::4]) - sum(terms[2::4])


@pytest.mark.parametrize("mass_number", [4, 40, 133])
def test_no_digits_are_lost_where_the_textbook_forms_cancel(mass_number: int) -> None:
    """The textbook forms are computed with fifty digits; where a form factor is small, its terms determine rounding."""
    radius = form_factors.half_density_radius(mass_number)
    momenta = np.geomspace(1e-4, 300, 60)
    fermi, helm = form_factors.fermi(momenta, mass_number), form_factors.helm(momenta, radius, 0.9)
    for q, one, other in zip((momenta / HBARC_MEV_FM).tolist(), fermi.tolist(), helm.tolist(), strict=True):
        with localcontext() as context:
            context.prec = 50
            x, y = Decimal(math.pi * form_factors.SURFACE * q), Decimal(radius * q)
            sine, cosine = waves(y)
            high, low = x.exp(), (-x).exp()
            bracket = x * sine * (high + low) / (high - low) - y * cosine
            expected = 6 / (y * (x * x + y * y)) * x / (high - low) * bracket
            sphere = float(3 * (sine - y * cosine) / y**3) * math.exp(-((q * 0.9) ** 2) / 2)
        assert one == pytest.approx(float(expected), rel=1e-15, abs=1e-16)
        assert other == pytest.approx(sphere, rel=2e-15, abs=1e-16)


def test_at_any_momentum_a_form_factor_is_a_number() -> None:
    assert np.abs(form_factors.fermi(np.array([1e5, 1e9]), 133)).max() < 1e-12


@pytest.mark.parametrize("kind", [Fermi(), Helm(), KleinNystrand()])
def test_a_form_factor_is_one_at_rest_and_smooth_towards_it(kind: FormFactor) -> None:
    small = kind.at(np.array([0.0, 1e-9, 1e-6, 1e-3]), CAESIUM)
    assert small == pytest.approx(1.0, abs=1e-8)
    assert small[0] == 1.0


@given(st.floats(0.05, 120.0), st.floats(1.5, 8.0), st.floats(0.3, 1.2))
def test_helm_and_klein_nystrand_are_the_transforms_of_smeared_spheres(
    q: float, radius: float, smearing: float
) -> None:
    for kind, ours in (("helm", form_factors.helm), ("klein-nystrand", form_factors.klein_nystrand)):
        expected = naive.transform(kind, radius, smearing, q)
        assert float(ours(np.array(q), radius, smearing)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_root_mean_square_radii_are_those_of_the_distributions() -> None:
    """They follow from the slope at Q = 0: F = 1 - Q^2 r^2 / 6."""
    q = 0.01 * naive.HBAR_C
    for kind in (Helm(radii_fm=(("Cs", 5.01),)), KleinNystrand(radii_fm=(("Cs", 5.01),))):
        squared = 6 * (1 - float(kind.at(np.array(q), CAESIUM))) / 0.01**2
        assert math.sqrt(squared) == pytest.approx(5.01, rel=1e-3)


def test_the_form_factor_of_caesium_is_that_of_an_independent_calculation() -> None:
    at_ten_kev = cross_sections.momentum_transfer(np.array(0.010), CAESIUM.mass_mev)
    assert float(at_ten_kev) == pytest.approx(49.75390332, abs=5e-9)
    assert float(Fermi().at(at_ten_kev, CAESIUM)) == pytest.approx(0.77768677, abs=5e-9)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Fermi()),
        ('form_factor = "fermi"', Fermi()),
        ('form_factor = { kind = "fermi" }', Fermi()),
        ('form_factor = "helm"', Helm()),
        ('form_factor = { kind = "helm", skin = "1.0 fm" }', Helm(skin_fm=1.0)),
        (
            'form_factor = { kind = "helm", radii = { Cs = "5.01 fm", I = "4.94 fm" } }',
            Helm(radii_fm=(("Cs", 5.01), ("I", 4.94))),
        ),
        ('form_factor = "klein-nystrand"', KleinNystrand()),
        (
            'form_factor = { kind = "klein-nystrand", range = "0.9 fm", r0 = "1.2 fm", radii = { Cs133 = "5.0 fm" } }',
            KleinNystrand(0.9, 1.2, (("Cs133", 5.0),)),
        ),
    ],
)
def test_a_target_names_its_form_factor(line: str, expected: FormFactor, write: Write) -> None:
    (target,) = experiments.load(write("mine.toml", TEXT.replace(LINE, f"{LINE}{line}\n"))).targets
    assert target == Target("CsI", 14.57, form_factor=expected)


def test_each_kind_is_told_from_the_others_in_the_identity_of_a_store() -> None:
    plain = [asdict(Target("CsI", 1.0, form_factor=kind())) for kind in FORM_FACTORS.values()]
    assert all(plain.count(each) == 1 for each in plain)


def test_the_radius_of_an_isotope_goes_before_that_of_its_element() -> None:
    germanium = {isotope.A: isotope for isotope in nuclei.elements()["Ge"]}
    both = Helm(radii_fm=(("Ge", 4.1), ("Ge76", 4.2)))
    assert both.radius_squared(germanium[76]) == Helm(radii_fm=(("Ge", 4.2),)).radius_squared(germanium[76])
    assert both.radius_squared(germanium[74]) == Helm(radii_fm=(("Ge", 4.1),)).radius_squared(germanium[74])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('form_factor = "helmm"', "kind: unknown kind 'helmm'; did you mean 'helm'"),
        ("form_factor = 5", "form_factor: must be a text"),
        ("form_factor = { }", r"\[form_factor\]: kind: missing"),
        ('form_factor = { kind = "fermi", skin = "1 fm" }', "of kind 'fermi': unknown key 'skin'"),
        (
            'form_factor = { kind = "helm", skin = "0.9 cm" }',
            "skin: '0.9 cm' has no unit of nuclear length: use one of fm",
        ),
        ('form_factor = { kind = "helm", skin = 0.9 }', "skin: must be a nuclear length with its unit .fm., such as"),
        ('form_factor = { kind = "helm", skin = "4 fm" }', "skin: 4 fm leaves no sphere inside the skin of I127"),
        ('form_factor = { kind = "helm", radii = { Xe = "5 fm" } }', "Xe: is no element and no isotope of the target"),
        ('form_factor = { kind = "helm", radii = { Cs134 = "5 fm" } }', "Cs134: is no element and no isotope"),
        (
            'form_factor = { kind = "helm", radii = { Cs = "1 fm" } }',
            "skin: 0.9 fm leaves no sphere inside the skin of Cs",
        ),
        (
            'form_factor = { kind = "klein-nystrand", radii = { I = "1 fm" } }',
            "range: 0.7 fm leaves no sphere inside I127",
        ),
    ],
)
def test_a_form_factor_that_can_not_be_is_told(line: str, problem: str, write: Write) -> None:
    path = write("mine.toml", TEXT.replace(LINE, f"{LINE}{line}\n"))
    with pytest.raises(FastscanError, match=problem) as caught:
        experiments.load(path)
    assert "[[target]] 1" in str(caught.value)
