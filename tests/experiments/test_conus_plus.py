"""CONUS+ as it was measured: the numbers of measurements/reactor.md (section 4), and what a given prediction scales."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import Write, ok, refusal, require_refused, scanned
from measurements import misses
from scipy.optimize import minimize_scalar

import fastscan
from fastscan import experiments
from fastscan.errors import ExperimentError
from fastscan.experiments import Experiment, MeasuredSignal
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.interactions.nsi import NonStandard
from fastscan.interactions.standard_model import couplings
from fastscan.likelihoods.predictions import standard_counts
from fastscan.likelihoods.response import response

BINS, TOTAL = "conus-plus-2025", "conus-plus-2025-total"
MODELS: list[tuple[str, dict[str, Any]]] = [
    ("b-l", {"m_zprime": 0.01, "g": np.array([0.0, 1e-6, 1e-5, 1e-3])}),
    ("chi", {"m_zprime": np.array([50.0, 300.0, np.inf])}),
    ("scalar-q14", {"m_phi": 1e-4, "g": np.array([0.0, 1e-7, 1e-5])}),
    ("magnetic-e", {"mu": np.array([0.0, 3.0, 300.0])}),
    ("nsi-ee-u", {"eps": np.array([-0.4, 0.0, 0.2])}),
]


def at_couplings(g_p: float, g_n: float) -> NonStandard:
    """An interaction that gives nubar_e these couplings at the strength 1."""
    standard_p, standard_n = couplings("cevns")[0].tolist()
    p, n = g_p - standard_p, g_n - standard_n
    return NonStandard("given", "", (), {"ee": {"u": (2 * p - n) / 3, "d": (2 * n - p) / 3}})


# --- The excess in bins ---


def test_counts_of_the_standard_model() -> None:
    ours = standard_counts(experiments.load(BINS))
    known = {0: "34.038709", 1: "26.443111", 5: "9.6894922", 10: "2.6476972", 18: "0.26603323"}
    assert not [missed for number, printed in known.items() if (missed := misses(ours[number], printed))]
    assert not misses(ours.sum(), "150.5132")


def test_coefficients_of_the_first_bin() -> None:
    found = response(experiments.load(BINS)).total[0] / [1, 2, 1]
    printed = ("88.804176", "112.57935", "142.99009")
    assert not [missed for pair in zip(found, printed, strict=True) if (missed := misses(*pair))]


def test_data_are_those_of_the_page() -> None:
    measured = experiments.load(BINS)
    data = measured.statistics.data(measured.exposed)
    assert data is not None
    assert not misses(data.sum(), "125.296")
    assert (data[0], data[-1]) == (13.27102804, 13.52024922)


@pytest.mark.parametrize(
    ("pair", "printed"),
    [
        ((0.0, 0.0), "21.018418"),
        ((0.05, -0.45), "8.5661763"),
        ((0.0306, -0.62), "8.7050034"),
        ((-0.12, -0.35), "7.8210537"),
        ((0.25, -0.512), "12.011834"),
    ],
)
def test_chi2_at_couplings(pair: tuple[float, float], printed: str) -> None:
    assert not misses(float(fastscan.chi2(BINS, at_couplings(*pair), eps=1.0)), printed)


@pytest.mark.parametrize(
    ("mass_mev", "g", "printed"),
    [(1, 0, "7.3645614"), (1, 2e-6, "7.3518"), (10, 1e-5, "7.5016806"), (30, 2e-5, "7.4764004")],
)
def test_chi2_of_a_light_vector(mass_mev: float, g: float, printed: str) -> None:
    assert not misses(float(fastscan.chi2(BINS, "b-l", m_zprime=mass_mev / 1e3, g=g)), printed)


def test_its_significance_is_the_published_one() -> None:
    """The significance is the square root of chi2 without signal minus chi2 at the best signal."""

    def chi2(strength: float) -> float:
        g_p, g_n = np.sqrt(strength) * couplings("cevns")[0]
        return float(fastscan.chi2(BINS, at_couplings(g_p, g_n), eps=1.0))

    best = minimize_scalar(chi2, bracket=(0.5, 0.9, 1.5)).fun
    assert not misses(np.sqrt(chi2(0.0) - best), "3.698")  # 3.7 standard deviations are published


def test_it_says_that_it_is_no_release() -> None:
    measured = experiments.load(BINS)
    assert "digitised" in measured.title
    assert "digitised" in measured.label
    assert "third party's digitisation" in measured.assumed[0]
    assert "never official" in measured.assumed[0]
    assert "never official" in (BUILT_IN / f"{BINS}.csv").read_text("utf-8")
    assert "third party's digitisation" in ok("show", BINS)


@pytest.mark.parametrize(("old", "new"), [("38.06", "38.16"), ("# CONUS+", "# CONUS")])
def test_other_data_are_refused(old: str, new: str, write: Write) -> None:
    data, text = ((BUILT_IN / f"{BINS}.{ending}").read_text("utf-8") for ending in ("csv", "toml"))
    path = write("own.toml", text)
    file = write(f"{BINS}.csv", data)
    assert experiments.load(path).is_measured
    file.write_text(data.replace(old, new))
    require_refused(experiments.load, path, rf"file: {re.escape(str(file))} is damaged, or isn't the file")
    bare = write("bare.toml", re.sub("sha256.*\n", "", text))
    assert experiments.load(bare).is_measured
    file.write_text(data.replace("170,38.06853583,15.70093458\n", ""))
    require_refused(experiments.load, bare, "must have a line for each of the 19 bins, not 18 lines")
    file.write_text(data.replace("\n170,", "\n180,", 1))
    require_refused(experiments.load, bare, "energy 180 isn't in the bin from 170 to 180")


# --- The published total ---


@pytest.mark.parametrize(("model", "at"), MODELS)
def test_chi2_of_the_total_is_its_closed_form(model: str, at: dict[str, Any]) -> None:
    ratio = fastscan.events(TOTAL, model, **at) / 347
    chi2 = (395 - 347 * ratio) ** 2 / (106**2 + (59 * ratio) ** 2)
    assert fastscan.chi2(TOTAL, model, **at) == pytest.approx(chi2, rel=1e-12)


@pytest.mark.parametrize(("model", "at"), MODELS)
def test_everything_is_scaled_by_one_factor(model: str, at: dict[str, Any]) -> None:
    counted = as_computed(experiments.load(TOTAL))
    factor = 347 / standard_counts(counted).sum()
    events = fastscan.events(TOTAL, model, **at)
    assert events == pytest.approx(factor * fastscan.events(counted, model, **at), rel=1e-12)
    by_neutrino = fastscan.events(TOTAL, model, **at, by_neutrino=True)
    assert by_neutrino["nubar_e"] == pytest.approx(events, rel=1e-12)


def as_computed(experiment: Experiment) -> Experiment:
    """The same experiment without a given prediction."""
    assert isinstance(experiment.statistics, MeasuredSignal)
    return replace(experiment, statistics=replace(experiment.statistics, predicted=None))


def test_what_is_computed_of_the_total_is_near_what_is_published() -> None:
    """We compute 329.0 events for 347 +- 59, with a third of the exposure at each of three thresholds."""
    assert not misses(standard_counts(as_computed(experiments.load(TOTAL))).sum(), "329.0")


def test_the_total_says_what_it_is_scaled_to() -> None:
    total = experiments.load(TOTAL)
    assert total.told()["observation"] == (
        "measured, 395 signal events +- 106, predictions scaled to 347 in the Standard Model; sigma_sys 0.170029"
    )
    assert standard_counts(total).tolist() == pytest.approx([347], rel=1e-14)
    assert fastscan.chi2(total.expected(), "chi", m_zprime=np.inf) == pytest.approx(0, abs=1e-20)
    assert fastscan.events(total.expected(), "chi", m_zprime=np.inf) == pytest.approx(347, rel=1e-14)
    assert total.statistics.sigma_sys == 59 / 347


def test_both_count_the_same_events() -> None:
    told = f"experiments '{BINS}' and '{TOTAL}' can't be combined: both count events of the data set 'conus-plus-run1'"
    with pytest.raises(ExperimentError, match=told):
        fastscan.limit([BINS, TOTAL], "chi")
    assert np.isfinite(fastscan.limit([BINS, "conus-plus"], "chi"))  # which is a projection


def test_electrons_beside_the_nuclei_show_a_charge_and_a_moment() -> None:
    """They are few in the Standard Model; an exchanged photon prefers them, because their recoils are so slow."""
    with_electrons = experiments.load(f"{BINS}-electrons")
    assert standard_counts(with_electrons) == pytest.approx(standard_counts(experiments.load(BINS)), abs=3e-3)
    assert fastscan.limit(with_electrons, "magnetic-e") < 0.3 * fastscan.limit(BINS, "magnetic-e")
    assert (
        np.abs(fastscan.limit(with_electrons, "millicharge-e")).max() < 1e-3 * fastscan.limit(BINS, "millicharge-e")[1]
    )


def test_a_store_has_the_scaled_counts(tmp_path: Any) -> None:
    grid = f'experiments = ["{TOTAL}"]\nmodels = ["b-l"]\n[axes]\nm_zprime = {{ values = [0.001, 1], unit = "GeV" }}\n'
    location = scanned(f'{grid}g = {{ values = [1e-6, 1e-4] }}\n[store]\ndtype = "float64"\n', tmp_path)
    cube = fastscan.open(location, f"{TOTAL}/b-l")
    at = {"m_zprime": np.array([[0.001], [1.0]]), "g": np.array([1e-6, 1e-4])}
    assert cube.events.values == pytest.approx(fastscan.events(TOTAL, "b-l", **at), rel=1e-12)
    assert cube.chi2.values[:, :, 0, 0] == pytest.approx(fastscan.chi2(TOTAL, "b-l", **at), rel=1e-12)


def statistics(write: Write, words: str) -> Any:
    text = (BUILT_IN / f"{TOTAL}.toml").read_text("utf-8")
    return write("own.toml", f"{text.partition('[statistics]')[0]}[statistics]\nsigma_sys = 0.17\n{words}\n")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ('kind = "measured"\nsignal = 395\nsignal_error = 106\nexpected = 0', "expected: must be between 1e-15 and"),
        ('kind = "measured"\nsignal = 395\nsignal_error = 106\nexpected = -347', "expected: must be between 1e-15"),
        ('kind = "measured"\nsignal = 395\nsignal_error = 106\nexpected = "347"', "expected: must be a number"),
        ('kind = "measured"\nobserved = [395]\nerror = [106]\nexpected = 347', "expected: can't stand here: .* beside"),
        ('kind = "measured"\nrate = "1 /d"\nrate_error = "1 /d"\nexpected = 347', "expected: can't stand here"),
        ('kind = "projection"\nexpected = 347', "unknown key 'expected'"),
        ('kind = "poisson"\nobserved = [395]\nexpected = 347', "unknown key 'expected'"),
    ],
)
def test_a_prediction_is_given_of_a_measured_signal_alone(words: str, problem: str, write: Write) -> None:
    require_refused(experiments.load, statistics(write, words), problem)


def test_names_are_suggested() -> None:
    assert refusal("limit", "conus+", "chi") == "fastscan: unknown experiment 'conus+'; did you mean 'conus'?"
    assert "did you mean 'conus-plus-2025'?" in refusal("limit", "conus-plus2025", "chi")
