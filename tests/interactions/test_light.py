"""Light mediators, magnetic moments and millicharges: events, chi2 and limits by naive integration and by scaling."""

import math
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import REPOSITORY, Write, require_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

import fastscan
from fastscan.errors import ExperimentError, ModelError
from fastscan.interactions import catalogue as models
from fastscan.interactions.light import Scalar, Vector, loop_charge
from fastscan.physics.constants import G_FERMI

GRIDS = REPOSITORY / "grids"
CSI, LAR, XENON = "coherent-csi", "coherent-lar", "cr51-lxe-a"
EXPERIMENTS = (CSI, LAR, "conus", "connie", XENON)
VECTORS, SCALARS = list(naive.VECTOR_CHARGES), list(naive.SCALAR_COUPLINGS)


def require_as_naive(experiment: str, model: str, new: naive.Interaction, **at: float) -> None:
    events = float(naive.all_counts(experiment, new).sum())
    assert fastscan.events(experiment, model, **at) == pytest.approx(events, rel=1e-10, abs=0)
    chi2 = naive.chi2_with(experiment, new)
    assert fastscan.chi2(experiment, model, **at) == pytest.approx(chi2, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("experiment", "model", "mass", "g", "events", "chi2"),
    [
        (CSI, "universal", 30, 6e-5, 32.0861763503, 10.3731509658),
        (CSI, "lmu-ltau", 30, 3e-3, 69.2997071296, 3.32813840995),
        (CSI, "b-3lmu", 0.5, 5e-5, 369.619298824, 4.67632142356),
        ("conus", "b-l", 3, 8e-6, 174995.461483, 5.56687687140),
        ("conus", "le-lmu", 3, 1e-4, 64405.4566069, 3.52316486066),
        (LAR, "b-2le-lmu", 300, 2e-4, 6420.06899329, 1.08194854300),
        (XENON, "universal", 0.02, 1e-7, 12438.7168089, 60.9930800171),
        (XENON, "le-lmu", 300, 3e-4, 13294.0354635, 83.2680516224),
    ],
)
def test_vectors(experiment: str, model: str, mass: float, g: float, events: float, chi2: float) -> None:
    """The numbers are from an independent program, with masses in MeV; naive integration gives the same."""
    assert fastscan.events(experiment, model, m_zprime=mass / 1e3, g=g) == pytest.approx(events, rel=5e-12)
    assert fastscan.chi2(experiment, model, m_zprime=mass / 1e3, g=g) == pytest.approx(chi2, rel=5e-11)


@pytest.mark.parametrize(
    ("experiment", "model", "at", "events", "chi2"),
    [
        ("connie", "scalar-q14", {"m_phi": 5e-4, "g": 2e-6}, 22748.1931402, 14.7315678356),
        ("conus", "magnetic-e", {"mu": 5}, 91885.2876737, 0.00689211174844),
        (CSI, "magnetic-mu", {"mu": 300}, 240.403769107, 1.98498572723),
        ("conus", "millicharge-e", {"q": -2}, 90407.3679807, 4.18833750706e-5),
    ],
)
def test_scalars_and_moments(experiment: str, model: str, at: dict[str, float], events: float, chi2: float) -> None:
    assert fastscan.events(experiment, model, **at) == pytest.approx(events, rel=5e-12)
    assert fastscan.chi2(experiment, model, **at) == pytest.approx(chi2, rel=1e-10)


@given(st.sampled_from(EXPERIMENTS), st.sampled_from(VECTORS), st.floats(-3, 5), st.floats(0.3, 3.0))
@settings(max_examples=15, deadline=None)
def test_a_vector_of_any_mass_is_as_integrated_at_its_point(
    experiment: str, model: str, log_mass: float, share: float
) -> None:
    """Masses are from 1 keV to 100 GeV; couplings add about as many events as the Standard Model has."""
    mass = 10**log_mass
    g = share * math.sqrt(2e-11 * (mass**2 + 1)) * (30 if model in ("lmu-ltau", "le-lmu", "le-ltau") else 1)
    require_as_naive(experiment, model, naive.vector(model, mass, g), m_zprime=mass / 1e3, g=g)


@given(st.sampled_from(EXPERIMENTS), st.sampled_from(SCALARS), st.floats(-3, 5), st.floats(0.3, 3.0))
@settings(max_examples=10, deadline=None)
def test_a_scalar_of_any_mass_is_as_integrated_at_its_point(
    experiment: str, model: str, log_mass: float, share: float
) -> None:
    mass = 10**log_mass
    g = share * math.sqrt(1e-11 * (mass**2 + 1))
    require_as_naive(experiment, model, naive.scalar(model, mass, g), m_phi=mass / 1e3, g=g)


@pytest.mark.parametrize("flavour", ["e", "mu", "tau"])
@pytest.mark.parametrize("experiment", [CSI, "connie"])
def test_moments_of_each_flavour(experiment: str, flavour: str) -> None:
    require_as_naive(experiment, f"magnetic-{flavour}", naive.magnetic(flavour, 20), mu=20)
    require_as_naive(experiment, f"millicharge-{flavour}", naive.millicharge(flavour, 40), q=40)


@pytest.mark.parametrize(
    ("experiment", "model", "at", "expected"),
    [
        ("conus", "b-l", {"m_zprime": 3e-3}, 6.15586397295e-6),
        (XENON, "b-l", {"m_zprime": 2e-5}, 4.98323147429e-8),
        ("conus", "magnetic-e", {"sigma_sys": 0.1}, 17.0759664578),
    ],
)
def test_limits(experiment: str, model: str, at: dict[str, float], expected: float) -> None:
    assert fastscan.limit(experiment, model, **at) == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize(
    ("experiment", "mass_over_g"),
    [(CSI, 867.534522), (LAR, 989.860875), ("conus", 980.348579), ("connie", 1041.535386), (XENON, 2346.787224)],
)
def test_a_heavy_vector_is_a_contact_interaction(experiment: str, mass_over_g: float) -> None:
    found = 1e4 / float(fastscan.limit(experiment, "b-l", m_zprime=1e4))
    assert found == pytest.approx(mass_over_g, abs=6e-7)
    contact = float(fastscan.limit(experiment, GRIDS / "models/b-l-contact.toml"))
    assert found == pytest.approx(contact, rel=1e-9)


@pytest.mark.parametrize(
    ("experiment", "model", "mass", "ends", "digits"),
    [
        (CSI, "universal", 0.03, [0, 4.6218675105e-5, 9.3349618308e-5, 1.10286532483e-4], 3e-8),
        ("conus", "universal", 3e-4, [0, 2.37801227894e-6, 7.69195116843e-6, 8.59064525950e-6], 1e-10),
        (CSI, "lmu-ltau", 0.06, [0, 3.39486257125e-3, 4.66297488132e-3, 6.22956847659e-3], 1e-10),
    ],
)
def test_islands(experiment: str, model: str, mass: float, ends: list[float], digits: float) -> None:
    """The last end at coherent-csi is printed to eight digits, see the tests of the naive calculation."""
    (first, second) = fastscan.intervals(experiment, model, m_zprime=mass)
    assert [*first, *second] == pytest.approx(ends, rel=digits, abs=0)


def test_data_below_the_standard_model() -> None:
    """A model that lowers the count is preferred to it, one that raises it is not: the infimum is the model's own."""
    at = {"m_zprime": 1e-4, "luminosity": 2, "sigma_sys": 0.02}
    assert np.isnan(fastscan.limit(CSI, "universal", **at))
    (low, _), *_ = fastscan.intervals(CSI, "universal", **at)
    assert low**2 == pytest.approx(9.1e-11, rel=0.01)
    assert fastscan.limit(CSI, "b-l", **at) > 0


@pytest.mark.parametrize(("experiment", "model"), [("conus", "lmu-ltau"), (XENON, "lmu-ltau"), (XENON, "b-3lmu")])
def test_neutrinos_without_charge_see_nothing(experiment: str, model: str) -> None:
    masses = np.geomspace(1e-6, 1e4, 7)
    assert np.isnan(fastscan.limit(experiment, model, m_zprime=masses)).all()
    standard = fastscan.events(experiment, model, m_zprime=1.0, g=0.0)
    assert (fastscan.events(experiment, model, m_zprime=masses, g=1.0) == standard).all()


@pytest.mark.parametrize(
    ("experiment", "transfer", "within"),
    [(CSI, 53.3, 0.015), (LAR, 51.9, 0.02), ("conus", 5.18, 0.03), ("connie", 2.78, 0.11)],
)
def test_limits_over_ten_decades_of_mass(experiment: str, transfer: float, within: float) -> None:
    """Limits are flat for light mediators, proportional to the mass for heavy ones, and smooth in between."""
    masses = np.geomspace(1e-6, 1e4, 200)
    limits = np.asarray(fastscan.limit(experiment, "universal", m_zprime=masses))
    assert limits == pytest.approx(limits[-1] / masses[-1] * np.sqrt(masses**2 + (transfer / 1e3) ** 2), rel=within)
    slopes = np.diff(np.log(limits)) / np.diff(np.log(masses))
    assert slopes[0] == pytest.approx(0, abs=1e-5)
    assert slopes[-1] == pytest.approx(1, abs=1e-9)
    assert (np.diff(slopes) > -1e-9).all()


@pytest.mark.parametrize("model", ["b-l", "scalar-q14"])
@pytest.mark.parametrize("experiment", ["conus", XENON])
def test_counts_along_the_mass(experiment: str, model: str) -> None:
    """Counts don't depend on the mediator's mass M far below q, and fall as 1/M^4 far above."""
    row = "m_phi" if model.startswith("scalar") else "m_zprime"
    standard = float(fastscan.events(experiment, model, g=0.0, **{row: 1.0}))
    heavy = [float(fastscan.events(experiment, model, g=g, **{row: g * 50})) - standard for g in (1e1, 1e3)]
    assert heavy[0] == pytest.approx(heavy[1], rel=1e-7)
    if experiment == "conus":  # this experiment has a threshold
        light = [float(fastscan.events(experiment, model, g=1e-6, **{row: mass})) for mass in (0.0, 1e-9)]
        assert light[0] == pytest.approx(light[1], rel=1e-9)


@pytest.mark.parametrize(
    ("model", "at"),
    [("b-l", {"m_zprime": 0.0}), ("scalar-ftq", {"m_phi": [1.0, 0.0]}), ("magnetic-e", {}), ("millicharge-e", {})],
)
def test_massless_exchange_needs_a_threshold(model: str, at: dict[str, float]) -> None:
    with pytest.raises(ExperimentError, match="threshold"):
        fastscan.limit(XENON, model, **at)
    assert np.isfinite(fastscan.limit("conus", model, **at)).all()


@pytest.mark.parametrize("model", ["millicharge-e", "magnetic-e"])
def test_the_tail_of_a_resolution_makes_no_limit(model: str, write: Write) -> None:
    """Recoils without energy are eight standard deviations below the threshold of CONUS+, and hardly ever counted."""
    text = Path(fastscan.__file__).with_name("data").joinpath("experiments", "conus-plus.toml").read_text("utf-8")
    dropped = text.replace("[detector]", '[detector]\ndrop_below = "5 eVee"')
    low, high = fastscan.intervals("conus-plus", model)[0]
    assert fastscan.intervals(str(write("dropped.toml", dropped)), model)[0] == pytest.approx((low, high), rel=1e-6)


@pytest.mark.parametrize("charges", [(0.0, 1.0, -1.0), (1.0, -1.0, 0.0), (1.0, 0.0, -1.0)])
def test_loops_against_quadrature(charges: tuple[float, float, float]) -> None:
    """The closed form and the series are tested, also on both sides of the boundary between them."""
    transfers = np.concatenate([[0.0], np.geomspace(1e-8, 1e6, 57), 0.05 * 0.51099895**2 * np.array([0.999, 1.001])])
    expected = [2 * naive.ALPHA / math.pi * naive.vacuum_polarisation(charges, float(q2)) for q2 in transfers]
    assert loop_charge(charges, transfers) == pytest.approx(expected, rel=1e-12, abs=1e-16)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("lmu-ltau", (4.3706047552e-3, 4.3705909331e-3, 4.3368546415e-3)),
        ("le-lmu", (8.2562275896e-3, 7.8218075401e-3, 2.4824470280e-3)),
    ],
)
def test_proton_charges_of_loops(model: str, expected: tuple[float, ...]) -> None:
    vector = models.load(model)
    assert isinstance(vector, Vector)
    assert loop_charge(vector.nu, np.array([0.0, 1.0, 2500.0])) == pytest.approx(expected, rel=2e-11)


def test_a_propagator_between_light_and_heavy() -> None:
    """The coefficient of x by hand: the Standard Model's rate at one recoil energy at a time, integrated over it."""
    recoils, mass, m_zprime = (1e-4, 1e-3), 68000.0, 5.0
    (linear, _) = models.load("universal").terms("cevns", {"m_zprime": np.array([m_zprime / 1e3])})
    found = quad(lambda t: linear.factor(np.array([2 * mass * t]))[0, 0], *recoils)[0]  # type: ignore[misc]
    ratio = (2 * mass * recoils[1] + m_zprime**2) / (2 * mass * recoils[0] + m_zprime**2)
    assert found == pytest.approx(math.log(ratio) / (2 * mass), rel=1e-12)
    g_p, g_n = naive.sm_couplings("cevns")
    unit = 3 / (math.sqrt(2) * G_FERMI)  # charge of a nucleon, whose quarks have the charge 1
    expected = [2 * g_p * unit, (g_p + g_n) * unit, 2 * g_n * unit]
    assert linear.weight[0, 1, :, 1] == pytest.approx(expected, rel=1e-12)


MODEL = (GRIDS / "models/my-light.toml").read_text()
B_L = '[charges]\nnu = -1\ne = -1\nu = "1/3"\nd = "1/3"\n'


def test_a_file_is_a_light_vector(write: Write) -> None:
    head, _ = MODEL.split("[charges]")
    own = models.load(write("mine.toml", head + B_L))
    at = {"m_zprime": [1e-4, 0.01, 100.0]}
    assert (fastscan.limit("conus", own, **at) == fastscan.limit("conus", "b-l", **at)).all()
    tau = models.load(GRIDS / "models/my-light.toml")
    assert isinstance(tau, Vector)
    assert tau.nu == (0.0, 0.0, -3.0)
    assert np.isnan(fastscan.limit("conus", tau, m_zprime=1.0))


def test_charges_by_flavour_of_a_contact_model(write: Write) -> None:
    """For a heavy Z' with a table of charges, only the charges of the source's neutrinos matter."""
    contact = (GRIDS / "models/b-l-contact.toml").read_text()
    by_flavour = models.load(write("mine.toml", contact.replace("nu = -1 ", "nu = { e = -1, mu = 5, tau = 0 } ")))
    same = models.load(write("same.toml", contact))
    assert fastscan.limit("conus", by_flavour) == fastscan.limit("conus", same)
    assert fastscan.limit(CSI, by_flavour) != fastscan.limit(CSI, same)
    light = (head := contact.replace("g_prime = 1.0", 'kind = "vector" #')) and models.load(
        write("light.toml", head.replace("nu = -1 ", "nu = { e = -1, mu = 5, tau = 0 } "))
    )
    heavy = 1e5 / float(fastscan.limit(CSI, light, m_zprime=1e5))
    assert heavy == pytest.approx(float(fastscan.limit(CSI, by_flavour)), rel=1e-9)


def test_a_file_is_a_scalar(write: Write) -> None:
    text = 'kind = "scalar"\ntitle = "q14"\nreferences = ["x"]\n[couplings]\np = 15.1\nn = 14\ne = 1\n'
    for experiment in ("conus", XENON):
        ours = fastscan.limit(experiment, write("mine.toml", text), m_phi=1e-3)
        assert ours == fastscan.limit(experiment, "scalar-q14", m_phi=1e-3)
    require_refused(models.load, write("no.toml", text.replace("n = 14\n", "")), r"\[couplings\]: n: missing")
    require_refused(models.load, write("big.toml", text.replace("n = 14", "n = 1e9")), "n: must be between")
    require_refused(models.load, write("more.toml", text + "mu = 1\n"), "unknown key 'mu'")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("tau = -3", "tua = -3", r"\[nu\]: tau: missing; it must be a charge"),
        ("tau = -3", "tau = -3, s = 1", r"\[nu\]: unknown key 's'"),
        ("tau = -3", 'tau = "x"', r"\[nu\]: tau: must be a charge such as"),
        ("tau = -3", "tau = [1, 2]", r"\[nu\]: tau: has one charge"),
        ("tau = -3", "tau = true", r"\[nu\]: tau: must be a charge such as"),
        ("tau = -3", "tau = nan", r"\[nu\]: tau: must be a charge of at most"),
        ("loop = false", 'loop = "no"', "loop: must be true or false"),
        ("loop = false", "loop = true", r"a loop needs u and d without charge"),
        ("loop = false", "g_prime = 1.0", "unknown key 'g_prime'"),
        ('"vector"', '"tensor"', "kind: unknown kind 'tensor'"),
        ('kind = "vector"', 'kind = "scalar"', "couplings: missing"),
        ('kind = "vector"', 'name = "b-l"\nkind = "vector"', "'b-l' is a built-in model"),
    ],
)
def test_what_is_wrong_with_a_light_model_is_told(old: str, new: str, problem: str, write: Write) -> None:
    assert old in MODEL
    require_refused(models.load, write("mine.toml", MODEL.replace(old, new, 1)), problem)


@pytest.mark.parametrize(
    ("nu", "e"), [((1.0, 1.0, -1.0), 1.0), ((1.0, -1.0, 0.0), 0.0)], ids=["that do not add up to 0", "that differ"]
)
def test_a_loop_of_charges(nu: tuple[float, float, float], e: float) -> None:
    charges = {"u": (0.0, 0.0), "d": (0.0, 0.0), "e": (e, e)}
    with pytest.raises(ModelError, match="charges of e, mu and tau that add up to 0"):
        Vector("mine", "", charges=charges, nu=nu, loop=True)


def test_scalars_from_python_are_checked() -> None:
    with pytest.raises(ModelError, match="couplings must be those of p, n, e"):
        Scalar("mine", "", (), {"p": 1.0})
    with pytest.raises(ModelError, match="each coupling must be at most"):
        Scalar("mine", "", (), {"p": 1.0, "n": math.nan, "e": 0.0})


@pytest.mark.parametrize("name", ["lmu-ltau", "b-3le", "scalar-ftq", "magnetic-tau", "millicharge-mu"])
def test_an_identity_is_read_back(name: str) -> None:
    model = models.load(name)
    again = models.of_identity(name, model.identity(), model.references)
    assert type(again) is type(model)
    assert again.identity() == model.identity()
    rows = {axis.name: np.array([0.01, 1.0]) for axis in model.rows}
    for channel in ("cevns", "nu-e"):
        for one, other in zip(again.terms(channel, rows), model.terms(channel, rows), strict=True):
            assert np.array_equal(one.weight, other.weight)


@pytest.mark.parametrize(
    ("model", "at", "problem"),
    [
        ("b-l", {}, "model 'b-l' needs m_zprime"),
        ("scalar-q14", {"m_zprime": 1.0}, "model 'scalar-q14' has no m_zprime"),
        ("b-l", {"m_zprime": -1.0}, "m_zprime must be zero or positive"),
        ("b-l", {"m_zprime": math.inf}, "m_zprime must be zero or positive"),
        ("magnetic-e", {"m_zprime": 1.0}, "model 'magnetic-e' has no m_zprime"),
    ],
)
def test_parameters_are_the_models_own(model: str, at: dict[str, float], problem: str) -> None:
    with pytest.raises(fastscan.FastscanError, match=problem):
        fastscan.limit("conus", model, **at)
