"""Users' own U(1)' from a table of charges: couplings by hand, limits on M_Z'/g', and messages on mistakes."""

import math

import pytest
from conftest import REPOSITORY, Write, ok, require_refused
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscan
from fastscan.errors import ModelError
from fastscan.interactions import catalogue as models
from fastscan.physics.constants import RHO_ELECTRON, RHO_QUARK

GRIDS = REPOSITORY / "grids"


@pytest.mark.parametrize("name", ["coherent-csi", "conus", "cr51-lxe-a"])
def test_e6_through_charges_equals_the_built_in(name: str) -> None:
    ours = fastscan.limit(name, str(GRIDS / "models/e6-chi.toml"))
    assert ours == pytest.approx(float(fastscan.limit(name, "chi")), rel=1e-9)


def test_the_strength_of_e6() -> None:
    """g'^2 = (10/3) s2 2 sqrt2 G_F M_Z^2 = 0.2114 for the charges of Table 1, see `contact.charge_shifts`."""
    e6 = models.load(str(GRIDS / "models/e6-chi.toml"))
    assert e6.g_prime is not None
    assert 40 * e6.g_prime**2 == pytest.approx(0.2114, abs=5e-5)
    assert e6.charges is not None
    assert e6.charges["d"] == pytest.approx((-RHO_QUARK, -3 * RHO_QUARK))
    assert e6.charges["e"] == pytest.approx((3 * RHO_ELECTRON, RHO_ELECTRON))


def test_b_minus_l_couplings() -> None:
    """Vector charges are 1 for a nucleon and -1 for neutrino and electron, so that kappa follows by hand."""
    b_l = models.load(str(GRIDS / "models/b-l-contact.toml"))
    unit = 1 / (2 * math.sqrt(2) * 1.1663787e-5 * 91.1876**2)
    for flavour in range(3):
        assert b_l.kappa("cevns", {})[0, flavour] == pytest.approx([-2 * unit, -2 * unit], rel=1e-12)
        assert b_l.kappa("nu-e", {})[0, flavour] == pytest.approx([unit, unit], rel=1e-12)


@given(st.floats(0.01, 3.0))
@settings(max_examples=10)
def test_the_limit_is_one_on_the_mass_over_the_strength(strength: float) -> None:
    b_l = models.load(str(GRIDS / "models/b-l-contact.toml"))
    scaled = models.Model("scaled", "", g_prime=strength, charges=b_l.charges, nu=b_l.nu)
    assert fastscan.limit("conus", scaled) / strength == pytest.approx(float(fastscan.limit("conus", b_l)), rel=1e-9)


MODEL = (GRIDS / "models/b-l-contact.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("nu = -1 ", 'nu = "a third" ', "nu: must be a charge such as"),
        ("nu = -1 ", "nu = [-1, -1] ", "nu: has one charge"),
        ("nu = -1 ", "", r"nu: missing; it must be a charge such as -1 or '1/3'$"),
        ("e = -1", "", r"e: missing; it must be a charge such as -1 or '1/3', or two: \[left, right\]"),
        ("e = -1", "e = [-1]", "e: must be a charge such as"),
        ("e = -1", "e = nan", "e: must be a charge of at most"),
        ("e = -1", "e = -1\nmu = -1", "unknown key 'mu'"),
        ('u = "1/3"', 'u = "1/0"', "u: must be a charge such as"),
        ("g_prime = 1.0", "g_prime = 0", "g_prime: must be between"),
        ("g_prime = 1.0", "g_prime = 1e200", "g_prime: must be between"),
        ('u = "1/3"', 'u = "1e99999999"', "u: must be a charge of at most"),
        ('u = "1/3"', "u = [true, 1]", "u: must be a charge of at most"),
        ("g_prime = 1.0", "", "g_prime: missing"),
        ("title", "name", "title: missing"),
        ("title", 'name = "chi"\ntitle', "'chi' is a built-in model; give the file another name"),
        ("title", 'name = "$x$"\ntitle', r"name: '\$x\$' can't name a group"),
        ('"B-L"', r'"B\u202eL"', "title: must be one line of characters that can be shown"),
        ('"doi:10.1103/PhysRevLett.44.1316"', r'"\u001b]0;x"', "references: must be one line of characters"),
        ("e = -1", 'e = "' + "1" * 5000 + '"', r"e: must be a charge of at most 1e\+06, not '1+\.\.\.1+'$"),
        ("g_prime = 1.0", "g_prime = 5e-324", "g_prime: must be between"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_wrong_with_charges_is_told(old: str, new: str, problem: str, write: Write) -> None:
    assert old in MODEL
    path = write("mine.toml", MODEL.replace(old, new, 1))
    require_refused(models.load, path, problem)


def test_a_model_file_can_not_take_a_built_in_name(write: Write) -> None:
    with pytest.raises(ModelError, match="built-in"):
        models.load(str(write("chi.toml", MODEL)))


def test_a_name_is_the_key_or_else_what_of_the_files_name_a_group_can_have(write: Write) -> None:
    plain = models.load(write("my b-l (2).toml", MODEL))
    named = models.load(write("x.TOML", f'name = "mine"\n{MODEL}'))
    assert (plain.name, named.name) == ("my-b-l-2", "mine")
    assert fastscan.limit("conus", named) == fastscan.limit("conus", plain)
    assert ok("cite", write("cited.TOML", MODEL)) == "doi:10.1103/PhysRevLett.44.1316\n"


CHARGES = {"u": (1.0, 1.0), "d": (1.0, 1.0), "e": (-1.0, -1.0)}


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"charges": {"u": (1.0, 1.0)}}, "charges must be those of u, d, e"),
        ({"charges": 3}, "charges must be those of u, d, e"),
        ({"charges": CHARGES | {"d": 1.0}}, r"each fermion has two charges, \(left, right\)"),
        ({"charges": CHARGES | {"d": ("1/3", 1.0)}}, "each charge must be at most"),
        ({"charges": CHARGES | {"d": (math.nan, 1.0)}}, "each charge must be at most"),
        ({"nu": math.inf}, "each charge must be at most"),
        ({"g_prime": math.nan}, "g_prime must be between"),
        ({"g_prime": None}, "g_prime must be between"),
    ],
)
def test_a_model_from_python_is_checked(wrong: dict[str, object], problem: str) -> None:
    with pytest.raises(ModelError, match="'a/b' can't name a group"):
        models.Model("a/b", "", g_prime=1.0, charges=CHARGES)
    right = {"g_prime": 1.0, "charges": CHARGES, "nu": -1.0}
    models.Model("mine", "", **right)
    with pytest.raises(ModelError, match=f"model 'mine': {problem}"):
        models.Model("mine", "", **(right | wrong))
