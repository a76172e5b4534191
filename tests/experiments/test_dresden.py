"""Dresden-II with three quenchings: the numbers of measurements/reactor.md (section 3), and a reference calculation."""

from dataclasses import replace
from functools import cache
from typing import Any

import naive
import naive_modelled
import numpy as np
import pytest
from conftest import Write, ok, refusal, require_refused, scanned
from measurements import misses
from naive import Array
from scipy.optimize import minimize_scalar
from test_conus_plus import at_couplings

import fastscan
from fastscan import experiments
from fastscan.errors import ExperimentError
from fastscan.experiments import Experiment
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.interactions.light import Vector
from fastscan.likelihoods.predictions import standard_by_channel
from fastscan.likelihoods.response import response
from fastscan.limits import points

FEF, YBE, LINDHARD = "dresden-ii-fef", "dresden-ii-ybe", "dresden-ii-lindhard"
CHI2_TO = 1e-4  # for the page, which has other electrons: our chi2 differs by 5e-5
THIRD = (1 / 3, 1 / 3)
# electrons have no charge, because the page leaves their couplings at the Standard Model's
B_MINUS_L = Vector("b-l-of-nuclei", "", charges={"u": THIRD, "d": THIRD, "e": (0.0, 0.0)}, nu=(-1.0, -1.0, -1.0))
COUPLINGS = ((0.05, -0.45), (0.0306, -0.62), (-0.12, -0.35), (0.25, -0.512))
MEDIATORS = ((1, 2e-6), (10, 1e-5), (30, 2e-5))


@cache
def nuclei_of(name: str) -> Experiment:
    """The experiment without electrons."""
    return replace(experiments.load(name), electrons=None)


def chi2(experiment: str | Experiment, model: Any, **at: float) -> float:
    """chi2 without a nuisance of the signal's normalisation."""
    return float(fastscan.chi2(experiment, model, sigma_sys=0.0, **at))


def off(printed: tuple[str, ...], ours: list[float], **tolerance: float) -> list[str]:
    pairs = zip(ours, printed, strict=True)
    return [missed for number, text in pairs if (missed := misses(number, text, **tolerance))]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        (FEF, ("22.91966", "19.020384", "15.734342", "8.7088047", "2.873382", "0.13063835")),
        (YBE, ("15.85049", "12.309623", "9.4778878", "4.1233324", "0.88710511", "0.023255002")),
        (LINDHARD, ("7.20",)),
    ],
)
def test_counts_of_the_standard_model(name: str, printed: tuple[str, ...]) -> None:
    ours = standard_by_channel(experiments.load(name))["cevns"][[0, 1, 2, 5, 10, 20]]
    assert not off(printed, ours.tolist()[: len(printed)], relative=1e-7)


@pytest.mark.parametrize(
    ("name", "printed"),
    [(FEF, ("59.505547", "75.612225", "96.259158")), (YBE, ("41.153073", "52.291592", "66.569771"))],
)
def test_coefficients_of_the_first_bin(name: str, printed: tuple[str, ...]) -> None:
    assert not off(printed, (response(nuclei_of(name)).total[0] / [1, 2, 1]).tolist())


@pytest.mark.parametrize(
    ("name", "nothing", "best", "strength"),
    [(FEF, "111.30539", "103.78528", "0.8956"), (YBE, "111.30539", "105.34827", "1.3604")],
)
def test_chi2_without_signal_and_with_a_free_one(name: str, nothing: str, best: str, strength: str) -> None:
    g_p, g_n = naive.sm_couplings("cevns")

    def at(scale: float) -> float:
        return chi2(nuclei_of(name), at_couplings(g_p * scale**0.5, g_n * scale**0.5), eps=1.0)

    assert not misses(at(0.0), nothing)
    found = minimize_scalar(at, bounds=(0.3, 1.9), options={"xatol": 1e-6})
    assert not misses(found.fun, best)
    assert not misses(found.x, strength)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        (FEF, ("103.89151", "104.12105", "107.23457", "103.82765", "105.94436", "104.15848", "105.65798", "104.66351")),
        (YBE, ("105.77076", "106.72441", "105.40596", "106.26231", "108.2144", "105.70278", "105.47178", "105.4517")),
    ],
)
def test_chi2_at_points(name: str, printed: tuple[str, ...]) -> None:
    ours = [chi2(name, B_MINUS_L, m_zprime=1.0, g=0.0)]
    ours += [chi2(name, at_couplings(*pair), eps=1.0) for pair in COUPLINGS]
    ours += [chi2(name, B_MINUS_L, m_zprime=1e-3 * mass, g=g) for mass, g in MEDIATORS]
    assert not off(printed, ours, absolute=CHI2_TO)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        (FEF, ("13.8448", "63.8610", "3.87042", "84.6195", "1.292351", "0.0695812", "0.99935")),
        (YBE, ("14.0737", "66.4391", "4.01818", "84.5782", "1.292278", "0.0694054", "1.00140")),
    ],
)
def test_background_of_the_standard_model(name: str, printed: tuple[str, ...]) -> None:
    found = fastscan.fit(name, "nsi-ee-u", eps=0, sigma_sys=0)
    _, *background, ratio = (each.value for each in found.nuisances)
    assert not off(printed, [*background, 1 + 0.03 * ratio], relative=1e-5)
    assert found.degrees_of_freedom == 130 - 6
    assert found.chi2 == pytest.approx(chi2(name, "nsi-ee-u", eps=0.0), rel=1e-12)


def test_it_agrees_with_the_authors_own_counts() -> None:
    """arXiv:2202.09672, ancillary: 100-point rules, and an average nucleus without 76Ge, make up to 1.7 %."""
    pair = 0.5 - 2 * 0.23868, -0.5
    features = np.array([pair[0] ** 2, pair[0] * pair[1], pair[1] ** 2])
    for name, first, last in ((FEF, 22.22968480481684, 0.9958), (YBE, 15.37340315367548, 0.9888)):
        ratio = (response(nuclei_of(name)).total @ features)[0] / first
        assert last < ratio < 1.0165


@pytest.mark.parametrize("name", [FEF, YBE, LINDHARD])
def test_it_is_what_a_reference_calculation_finds(name: str) -> None:
    quenching = name.rpartition("-")[2]
    for mass, g in ((10, 0.0), (1, 2e-6), (30, 5e-5)):
        charge = naive_modelled.b_minus_l(mass, g) if g else naive_modelled.couplings(*naive.sm_couplings("cevns"))
        signal = naive_modelled.dresden_signal(quenching, charge)
        at = {"m_zprime": 1e-3 * mass, "g": g}
        assert fastscan.events(nuclei_of(name), B_MINUS_L, **at) == pytest.approx(signal.sum(), rel=1e-6)
        for sigma in (0.0, 0.05):
            found, _ = naive_modelled.dresden_chi2(signal, sigma)
            ours = fastscan.chi2(nuclei_of(name), B_MINUS_L, sigma_sys=sigma, **at)
            assert ours == pytest.approx(found, rel=3e-8)


@pytest.mark.parametrize("name", [FEF, YBE, LINDHARD])
def test_no_other_start_finds_a_smaller_chi2(name: str) -> None:
    """The background is no linear model: the reference begins at random, at 20 random couplings, and never ends lower.

    Of the best of its starts the worst difference is 5e-10 of chi2.
    """
    stream = np.random.default_rng(28)
    for mass, least, largest in ((1.0, 1e-7, 1e-5), (30.0, 3e-6, 3e-4)):
        g = np.exp(stream.uniform(np.log(least), np.log(largest), 10))
        ours = fastscan.chi2(nuclei_of(name), B_MINUS_L, sigma_sys=0.05, m_zprime=1e-3 * mass, g=g)
        for signal, found in zip(signals(name.rpartition("-")[2], mass, g), ours.tolist(), strict=True):
            starts = [naive_modelled.DRESDEN_START, *(random_start(stream) for _ in range(3))]
            lowest = min(naive_modelled.dresden_chi2(signal, 0.05, start)[0] for start in starts)
            assert lowest == pytest.approx(found, rel=3e-8)


def signals(quenching: str, mass: float, g: Array) -> Array:
    """Events at some couplings g: a parabola in g^2, from the reference calculation at three couplings."""
    at = np.array([0.0, 0.5, 1.0]) * g.max() ** 2
    three = [naive_modelled.dresden_signal(quenching, naive_modelled.b_minus_l(mass, float(x**0.5))) for x in at]
    coefficients = np.linalg.solve(np.vander(at / at[-1], increasing=True), np.stack(three))
    found: Array = np.vander(g**2 / at[-1], 3, increasing=True) @ coefficients
    return found


def random_start(stream: np.random.Generator) -> tuple[float, ...]:
    """Some values of the seven parameters of the background."""
    low, high = (1, 10, 0.5, 20, 1.25, 0.05, 0.9), (30, 120, 50, 150, 1.33, 0.1, 1.1)
    return tuple(stream.uniform(low, high).tolist())


def test_derivatives_are_those_of_chi2() -> None:
    like = fastscan.likelihood(FEF, "b-l")
    at = np.array([0.01, 2e-5])
    slopes = like.gradient(*at)
    for number, slope in enumerate(slopes):
        step = np.where(np.arange(2) == number, 1e-5 * at, 0.0)
        assert slope == pytest.approx((like(*(at + step)) - like(*(at - step))) / (2 * step[number]), rel=1e-6)
    fixed = fastscan.likelihood(FEF, "b-l", m_zprime=0.01)
    assert fixed.gradient(2e-5)[0] == pytest.approx(slopes[1], rel=1e-9)
    with pytest.raises(fastscan.FastscanError, match="has no compiled code to call"):
        _ = like.njit


def test_the_three_quenchings_are_one_measurement() -> None:
    for pair in ((FEF, YBE), (YBE, LINDHARD)):
        with pytest.raises(ExperimentError, match="both count events of the data set 'dresden-ii'"):
            fastscan.limit(list(pair), "chi")
    assert "sigma_sys 0.05" in experiments.load(FEF).told()["observation"]


def test_what_is_expected_is_what_the_model_begins_with() -> None:
    projected = experiments.load(FEF).expected()
    assert fastscan.chi2(projected, "b-l", m_zprime=0.01, g=0.0) == pytest.approx(0, abs=1e-18)
    once, often = fastscan.limit(FEF, "b-l", m_zprime=0.01, luminosity=[1, 100], asimov=True)
    assert often < once
    assert "counted data of experiment 'dresden-ii-fef'" in refusal("limit", FEF, "chi", "--luminosity", "2")


def test_projected_data_are_the_signal_and_the_background_that_the_model_begins_with() -> None:
    (counts,) = points.prepare(nuclei_of(FEF), "chi", {}, asimov=True).likelihood.counted
    signal = naive_modelled.dresden_signal("fef", naive_modelled.couplings(*naive.sm_couplings("cevns")))
    background = naive_modelled.dresden_background(np.array([13.84, 63.9, 3.87, 84.62, 1.2924, 0.0696, 1.0]))
    assert counts.data == pytest.approx(signal + background, rel=1e-6)


def test_a_store_carries_the_model(tmp_path: Any) -> None:
    grid = f'experiments = ["{FEF}", "conus-plus-2025"]\nmodels = ["b-l"]\n[axes]\ng = {{ values = [1e-6, 1e-4] }}\n'
    more = 'm_zprime = { values = [0.001, 1], unit = "GeV" }\n[combine.both]\n'
    more += f'experiments = ["{FEF}", "conus-plus-2025"]\n[store]\ndtype = "float64"\n'
    location = scanned(grid + more, tmp_path)
    at = {"m_zprime": np.array([[0.001], [1.0]]), "g": np.array([1e-6, 1e-4])}
    cube = fastscan.open(location, f"{FEF}/b-l")
    assert cube.chi2.values[:, :, 0, 0] == pytest.approx(fastscan.chi2(FEF, "b-l", **at), rel=1e-12)
    both = fastscan.open(location, "both/b-l").chi2.values[:, :, 0, 0]
    assert both == pytest.approx(fastscan.chi2([FEF, "conus-plus-2025"], "b-l", **at), rel=1e-12)
    assert f"{float(fastscan.limit(FEF, 'b-l', m_zprime=0.001)):.4g}" in ok("limits", location)  # not from the grid
    assert "1 chunks good" in ok("verify", location)


def test_nuisances_that_are_shared_are_one(write: Write) -> None:
    """A shared error of both signals, against the minimum over it of both chi2 at that change of the signals."""
    text = (BUILT_IN / f"{FEF}.toml").read_text("utf-8").replace('file = "dres', f'file = "{BUILT_IN}/dres')
    other = (BUILT_IN / "conus-plus-2025.toml").read_text("utf-8").replace('file = "', f'file = "{BUILT_IN}/')
    both = [
        write("one.toml", text.replace("sigma_sys = 0.05", "sigma_sys = 0.05\nshared = { flux = 0.04 }")),
        write("other.toml", other.replace("sigma_sys = 0.169", "sigma_sys = 0.169\nshared = { flux = 0.1 }")),
    ]
    at = {"m_zprime": 0.01, "g": 2e-5}
    found = fastscan.fit(both, "b-l", **at)
    assert found.nuisances[0].name == "flux"
    assert found.chi2 == pytest.approx(float(fastscan.chi2(both, "b-l", **at)), rel=1e-10)
    assert abs(found.chi2 - float(fastscan.chi2(both, "b-l", independent=True, **at))) > 0.1
    z = found.nuisances[0].value
    for step in (-0.05, 0.05):  # at the minimum, any other shared pull is worse, with everything else fitted again
        assert shared_chi2(both, at, z + step) > found.chi2
    assert shared_chi2(both, at, z) == pytest.approx(found.chi2, rel=1e-9)
    like = fastscan.likelihood(both, "b-l")
    slope = (like(0.01, 2.001e-5) - like(0.01, 1.999e-5)) / 2e-8
    assert like.gradient(0.01, 2e-5)[1] == pytest.approx(slope, rel=1e-5)


def test_a_nuisance_is_not_shared_with_counts_that_have_no_model(write: Write) -> None:
    text = (BUILT_IN / f"{FEF}.toml").read_text("utf-8").replace('file = "dres', f'file = "{BUILT_IN}/dres')
    one = write("one.toml", text.replace("sigma_sys = 0.05", "sigma_sys = 0.05\nshared = { flux-sns = 0.04 }"))
    with pytest.raises(
        ExperimentError, match="share a nuisance, and some of them count events without a model"
    ) as told:
        fastscan.limit([one, "coherent-lar-2020"], "chi")
    assert "'coherent-lar-2020'" in str(told.value)
    assert len(str(told.value).splitlines()) == 1
    assert fastscan.limit([one, "coherent-lar-2020"], "chi", independent=True) > 0


def shared_chi2(both: list[Any], at: dict[str, float], z: float) -> float:
    """chi2 at a value of the shared nuisance: each signal is multiplied, and has the rest of its error."""
    total = z**2
    for path, part, whole in ((both[0], 0.04, 0.05), (both[1], 0.1, 0.169)):
        loaded = experiments.load(path)
        exposure = loaded.exposure_s * (1 + part * z)
        rest = np.sqrt(whole**2 - part**2) / (1 + part * z)
        scaled = replace(loaded, exposure_s=exposure, shared=())
        total += float(fastscan.chi2(scaled, "b-l", sigma_sys=rest, **at))
    return total


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('amount = "constant"', 'amount = "constnt"', "unknown parameter 'constnt'; did you mean 'constant'"),
        ('amount = ["l1", "m_to_l1", "l1_width"]', 'amount = ["l1", "m_to_l1", "l1_width", "rate"]', "at most 3 param"),
        ('centre = "l1_energy"', 'centre = "l1_enrgy"', "unknown parameter 'l1_enrgy'"),
        ("start = 3.87, high = 200", "start = 387, high = 200", "start: 387 isn't between 0 and 200"),
        ("error = 0.03", "error = 0", "error: must be between"),
        ('shape = "exponential"', 'shape = "exponental"', "'exponental'; did you mean 'exponential'"),
        ('error = "error"\n', "", "bin 1 has 92.851: give whole events, or their error"),
        ("width = 0.0685", "width = 0", "width: must be above 0"),
        ("start = 0.0696, low = 0.001", "start = 0", "width: parameter 'l1_width' must start above 0"),
        ('name = "l2"', 'name = "l1"', "background: 'l1' is there twice"),
        ("[statistics.parameters]", "[statistics.parameters]\nsignal = {}", "is that of the signal itself"),
        ('file = "dresden-ii.csv"', 'file = "dresden-iii.csv"', "No such file"),
    ],
)
def test_what_a_model_can_not_be(old: str, new: str, problem: str, write: Write) -> None:
    text = (BUILT_IN / f"{FEF}.toml").read_text("utf-8")
    assert old in text
    text = text.replace(old, new).replace('file = "dres', f'file = "{BUILT_IN}/dres')
    require_refused(experiments.load, write("own.toml", text), problem)
