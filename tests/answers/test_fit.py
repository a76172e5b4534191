"""A fit of a point: its nuisances, the events of its components, the parts of chi2, and toys."""

import csv
import io
import json
import math
from dataclasses import replace
from typing import Any

import measurements
import numpy as np
import pytest
from conftest import ok, refusal
from measurements import CSI_2017, CSI_2021, LAR, misses
from scipy.optimize import minimize

import fastscan
from fastscan import experiments
from fastscan.answers.fits import Fit, fit, record
from fastscan.errors import FastscanError
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.poisson import Poisson
from fastscan.limits import points
from fastscan.limits.compared import nuisance_names
from fastscan.outputs import fitted
from fastscan.typing import Array

SM: dict[str, Any] = {"eps": 0.0}
COUNTED = (CSI_2021, CSI_2017, LAR)


def sharing(name: str, error: float) -> Experiment:
    return replace(experiments.load(name), shared=(("flux", error),))


# members of each kind: alone, independent, with a flux in common, counted events, Gaussian counts, and both
MEMBERS: dict[str, Any] = {
    **{name: name for name in (*COUNTED, "coherent-csi", "conus", "conus-plus-2025", "cr51-lxe-a")},
    "counted": [CSI_2021, LAR],
    "independent": [CSI_2021, "conus", "conus-plus-2025"],
    "gaussian": [sharing("coherent-ge", 0.1), sharing("coherent-nai", 0.05), "conus"],
    "mixed": ["conus", sharing("coherent-ge", 0.1), sharing(LAR, 0.15), CSI_2017],
}


def deviations(found: Fit) -> dict[str, float]:
    """Relative changes of amounts, and nuisances of shapes, of one experiment by name."""
    return {each.name: each.value * (each.relative_error or 1.0) for each in found.nuisances}


@pytest.mark.parametrize("name", COUNTED)
def test_nuisances_at_the_standard_model(name: str) -> None:
    found = fit(name, "nsi-ee-u", **SM)
    ours, printed = deviations(found), measurements.NUISANCES[name]
    assert [*ours] == nuisance_names(experiments.load(name))
    assert ours.keys() == printed.keys()
    assert not [missed for each, number in printed.items() if (missed := misses(ours[each], number))]
    assert not misses(found.chi2, measurements.AT_POINTS[name]["SM"][1], absolute=measurements.CHI2_TO[name])
    assert found.bins == found.degrees_of_freedom == found.experiments[0].chi2.size


@pytest.mark.parametrize("members", MEMBERS)
@pytest.mark.parametrize(
    ("model", "at"), [("nsi-ee-u", {"eps": 0.1}), ("b-l", {"m_zprime": 0.05, "g": 1e-4}), ("chi", {"m_zprime": 300})]
)
def test_bins_and_constraints_add_up_to_chi2(members: str, model: str, at: dict[str, float]) -> None:
    if model == "nsi-ee-u" and "cr51-lxe-a" in members:
        pytest.skip("quarks don't scatter neutrinos off electrons")
    for asked in ({}, {"independent": True}, {"asimov": True}):
        found = fit(MEMBERS[members], model, **at, **asked)
        expected = fastscan.chi2(MEMBERS[members], model, **at, **asked)
        assert found.chi2 == pytest.approx(expected, rel=1e-11, abs=1e-11)
        parts = [*(float(each.chi2.sum()) for each in found.experiments), found.penalty]
        assert found.chi2 == pytest.approx(math.fsum(parts), rel=1e-14)
        assert [each.after.shape for each in found.experiments] == [each.chi2.shape for each in found.experiments]


@pytest.mark.parametrize("members", MEMBERS)
def test_components_add_up_and_give_each_bin_its_chi2(members: str) -> None:
    found = fit(MEMBERS[members], "b-l", m_zprime=0.05, g=3e-5)
    for each in found.experiments:
        after = each.after
        assert after.data is not None
        assert after.error is not None
        expected = after.signal + after.background
        if isinstance(after.experiment.statistics, Poisson):
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = np.where(after.data > 0, after.data * np.log(after.data / expected), 0.0)
            by_hand = 2 * (expected - after.data + logs)
        else:
            away = after.data - expected  # in bins in which nothing is expected there is no error
            by_hand = np.divide(away, after.error, out=np.zeros_like(away), where=after.error > 0) ** 2
        np.testing.assert_allclose(each.chi2, by_hand, rtol=1e-9, atol=1e-9)
        alone = fastscan.events(after.experiment, "b-l", m_zprime=0.05, g=3e-5, by_neutrino=True)
        for neutrino, events in alone.items():
            assert each.before.events[neutrino].sum() == pytest.approx(events, rel=1e-12)


def test_what_nuisances_do_to_the_events() -> None:
    found = fit(LAR, "nsi-ee-u", **SM)
    (each,), (counts,) = found.experiments, points.prepare(LAR, "nsi-ee-u", {}).likelihood.counted
    assert counts is not None
    values = {nuisance.name: nuisance.value for nuisance in found.nuisances}
    relative = {nuisance.name: nuisance.relative_error for nuisance in found.nuisances}
    effects = {nuisance.name: nuisance.change for nuisance in _nuisances(LAR)}
    brn = each.before.backgrounds["brn"].ravel() * (1 + relative["brn"] * values["brn"])
    brn += sum(values[shape] * effects[shape] for shape in ("brn_energy", "brn_time", "brn_width"))
    np.testing.assert_allclose(each.after.backgrounds["brn"].ravel(), brn, rtol=1e-12)
    ss = each.before.backgrounds["ss"] * (1 + relative["ss"] * values["ss"])
    np.testing.assert_allclose(each.after.backgrounds["ss"], ss, rtol=1e-12)
    shapes = (counts.rates[0, 0, :, :, None] * counts.arriving[1:]).sum(axis=1).reshape(2, *each.after.shape)
    signal = each.before.signal * (1 + relative["signal"] * values["signal"])
    signal += values["cevns_f90"] * shapes[0] + values["cevns_time"] * shapes[1]
    np.testing.assert_allclose(each.after.signal, signal, rtol=1e-11, atol=1e-15)


def _nuisances(name: str) -> list[Any]:
    loaded = experiments.load(name)
    assert isinstance(loaded.statistics, Poisson)
    return loaded.statistics.nuisances(loaded.exposed)


def half_chi2(found: Fit, members: list[Experiment]) -> Any:
    """Half of chi2 as a function of all nuisances of Gaussian experiments with a flux in common, by hand."""
    sizes = [each.before for each in found.experiments]

    def value(z: Array) -> float:
        total = z @ z
        for number, shown in enumerate(sizes):
            relative = dict(members[number].shared).get("flux", 0.0)
            own = np.sqrt(members[number].statistics.sigma_sys ** 2 - relative**2)
            scale = 1 + relative * z[0] + own * z[1 + number]
            total += (((shown.data - scale * shown.signal - shown.background) / shown.error) ** 2).sum()
        return 0.5 * float(total)

    return value


def test_gaussian_members_against_a_minimiser() -> None:
    """Values and errors of the nuisances of two experiments in one bin, of one in bins, and of a flux in common."""
    members = [sharing("coherent-csi", 0.1), sharing("conus-plus-2025", 0.05), sharing("coherent-ge-mini", 0.08)]
    found = fit(members, "nsi-ee-u", eps=0.05)
    assert [each.name for each in found.nuisances] == ["flux", "signal", "signal", "signal"]
    value = half_chi2(found, members)
    best = minimize(value, np.zeros(4), method="BFGS", options={"gtol": 1e-10})
    assert 2 * best.fun == pytest.approx(found.chi2, rel=1e-9)
    np.testing.assert_allclose([each.value for each in found.nuisances], best.x, atol=1e-6)
    step = 1e-2 * np.eye(4)
    curved = [[_mixed(value, best.x, one, other) for other in step] for one in step]
    errors = np.sqrt(np.diag(np.linalg.inv(curved)))
    np.testing.assert_allclose([each.error for each in found.nuisances], errors, rtol=1e-6)


def _mixed(value: Any, at: Array, one: Array, other: Array) -> float:
    """A second derivative of a quadratic function."""
    pieces = value(at + one + other) - value(at + one - other) - value(at - one + other) + value(at - one - other)
    return float(pieces / (4 * np.abs(one).sum() * np.abs(other).sum()))


def test_errors_of_counted_events_are_those_of_the_curvature() -> None:
    """A nuisance that is held one step from its best value costs step^2 / error^2, if there are many events."""
    found = fit(CSI_2021, "nsi-ee-u", **SM)
    loaded = experiments.load(CSI_2021)
    index, step = 1, 0.05  # events of the steady state
    nuisance, best = _nuisances(CSI_2021)[0], found.nuisances[index]
    assert nuisance.name == best.name == "ss"
    statistics = loaded.statistics
    assert isinstance(statistics, Poisson)
    costs = []
    for held in (best.value - step, best.value + step):
        ss, *others = statistics.backgrounds
        events = tuple((np.array(ss.amount.events(loaded.exposed)) + held * nuisance.change).tolist())
        fixed = replace(ss, amount=replace(ss.amount, each=events), error=0.0)  # type: ignore[type-var]
        beside = replace(loaded, statistics=replace(statistics, backgrounds=(fixed, *others)))
        costs.append(float(fastscan.chi2(beside, "nsi-ee-u", **SM)) + held**2 - found.chi2)
    assert np.mean(costs) == pytest.approx((step / best.error) ** 2, rel=1e-3)


def test_data_that_say_nothing_leave_an_error_of_one() -> None:
    found = fit(CSI_2021, "nsi-ee-u", sigma_sys=0.0, **SM)
    assert (found.nuisances[0].value, found.nuisances[0].error) == (0.0, 1.0)
    assert all(0 < each.error <= 1 for each in found.nuisances)


@pytest.mark.parametrize("members", MEMBERS)
@pytest.mark.parametrize(("model", "row"), [("nsi-mumu-u", {}), ("universal", {"m_zprime": 0.01}), ("chi", {})])
def test_the_best_strength_has_the_least_chi2(members: str, model: str, row: dict[str, float]) -> None:
    if model == "nsi-mumu-u" and "cr51-lxe-a" in members:
        pytest.skip("quarks don't scatter neutrinos off electrons")
    found = fit(MEMBERS[members], model, best=True, **row)
    assert fastscan.delta_chi2(MEMBERS[members], model, **found.at) == pytest.approx(0.0, abs=1e-9)
    assert found.is_best
    assert found.degrees_of_freedom == found.bins - 1


def test_the_best_of_projections_is_the_standard_model() -> None:
    assert fit("conus", "nsi-ee-u", best=True).at == {"eps": 0.0}
    assert fit("conus", "chi", best=True).at == {"m_zprime": np.inf}


# --- Toys ---


def test_toys_of_argon_are_those_of_the_page() -> None:
    """The page has 1063 +- 44 and p = 0.81; ours are within four errors of so many toys."""
    toys, found = 400, fit(LAR, "nsi-ee-u", toys=400, seed=3, **SM)
    assert found.toys is not None
    assert found.toys.mean() == pytest.approx(1063, abs=4 * 44 / toys**0.5)
    assert found.toys.std() == pytest.approx(44, rel=4 / (2 * toys) ** 0.5)
    assert found.p_value == pytest.approx(0.81, abs=4 * (0.81 * 0.19 / toys) ** 0.5)
    assert found.p_value == (1 + (found.toys >= found.chi2).sum()) / (toys + 1)


@pytest.mark.parametrize("members", [CSI_2021, "gaussian", "mixed"])
@pytest.mark.parametrize("best", [False, True])
def test_toys_depend_on_the_seed_and_their_number_alone(
    members: str, best: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"best": True} if best else SM

    def toys(number: int, seed: int) -> Array:
        found = fit(MEMBERS[members], "nsi-ee-u", toys=number, seed=seed, **asked).toys
        assert found is not None
        return found

    first = toys(20, 1)
    assert (first[:7] == toys(7, 1)).all()
    monkeypatch.setattr("fastscan.limits.toys.AT_ONCE", 3)
    assert (first == toys(20, 1)).all()
    assert not (first == toys(20, 2)).any()


def gaussian_toys(experiment: str, toys: int, seed: int) -> Array:
    """chi2 of toys of one bin, by hand: (n - m (1 + sigma c))^2 / (s + sigma^2 m^2)."""
    found = fit(experiment, "nsi-ee-u", **SM)
    each, pull = found.experiments[0].before, found.nuisances[0]
    m, s, sigma = each.signal.sum(), (each.error**2).sum(), pull.relative_error
    expected, chi2 = m * (1 + sigma * pull.value), []
    for toy in range(toys):
        stream = np.random.default_rng([seed, toy])
        n = stream.normal(expected, np.sqrt(s))
        centre = stream.normal(pull.value, 1.0)
        chi2.append((n - m * (1 + sigma * centre)) ** 2 / (s + (sigma * m) ** 2))
    return np.array(chi2)


@pytest.mark.parametrize("experiment", ["coherent-csi", "coherent-ge-mini"])
def test_toys_of_one_gaussian_bin_are_those_by_hand(experiment: str) -> None:
    """The background is subtracted from both, the counts and what is expected."""
    found = fit(experiment, "nsi-ee-u", toys=50, seed=7, **SM)
    assert found.toys == pytest.approx(gaussian_toys(experiment, 50, 7), rel=1e-7, abs=1e-9)


def test_toys_of_gaussian_bins_have_as_many_degrees_as_bins() -> None:
    found = fit(MEMBERS["gaussian"], "nsi-ee-u", toys=400, **SM)
    assert found.toys is not None
    assert found.toys.mean() == pytest.approx(found.bins, abs=4 * (2 * found.bins / 400) ** 0.5)


def test_toys_of_several_experiments_add_up() -> None:
    """A flux in common removes one constraint and one nuisance, so that the mean stays the same."""
    toys, total, spread = 200, 0.0, 0.0
    for each in MEMBERS["mixed"]:
        alone = fit(each, "nsi-ee-u", toys=toys, seed=1, **SM).toys
        assert alone is not None
        total, spread = total + alone.mean(), spread + alone.var() / toys
    found = fit(MEMBERS["mixed"], "nsi-ee-u", toys=toys, seed=2, **SM).toys
    assert found is not None
    assert found.mean() == pytest.approx(total, abs=4 * (spread + found.var() / toys) ** 0.5)


def test_a_strength_that_is_fitted_to_toys_takes_a_degree() -> None:
    held = fit("conus-plus-2025", "nsi-ee-u", toys=200, **SM).toys
    free = fit("conus-plus-2025", "nsi-ee-u", toys=200, best=True).toys
    assert held is not None
    assert free is not None
    assert held.mean() == pytest.approx(19, abs=4 * (38 / 200) ** 0.5)
    assert free.mean() == pytest.approx(18, abs=4 * (36 / 200) ** 0.5)


# --- What is refused ---


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"eps": [0.0, 0.1]}, "eps, sigma_sys must be scalars here"),
        ({"eps": 0.0, "sigma_sys": [0.1, 0.2]}, "must be scalars here"),
        ({}, "model 'nsi-ee-u' needs eps"),
        ({"eps": 0.0, "best": True}, "the limits of model 'nsi-ee-u' are limits on eps: leave eps out"),
        ({"eps": 0.0, "toys": -1}, "toys must be a whole number from 0 to 100000, not -1"),
        ({"eps": 0.0, "toys": 2.5}, "toys must be a whole number"),
        ({"eps": 0.0, "toys": 10, "seed": -1}, "seed must be a whole number"),
        ({"eps": 0.0, "m_zprime": 1.0}, "model 'nsi-ee-u' has no m_zprime"),
    ],
)
def test_what_is_no_point_is_refused(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(FastscanError, match=problem) as refused:
        fit(CSI_2021, "nsi-ee-u", **asked)
    assert "\n" not in str(refused.value)


def test_more_events_than_can_be_drawn_are_refused() -> None:
    with pytest.raises(FastscanError, match=r"toys need at most 1e\+15 events in a bin"):
        fit(CSI_2021, "universal", m_zprime=1e-3, g=3.0, sigma_sys=0.0, toys=10)


def test_a_row_that_is_left_out_is_refused() -> None:
    with pytest.raises(FastscanError, match="model 'b-l' needs m_zprime, the mass of the Z'"):
        fit(CSI_2021, "b-l", best=True)


def test_options_of_a_point_need_a_model() -> None:
    for option in (["--best"], ["--at", "eps=0"], ["--toys", "3"], ["--sigma-sys", "0.1"]):
        assert "give --model" in refusal("show", CSI_2021, *option)
    assert "several experiments are shown with a fit: give --model" in refusal("show", f"{CSI_2021},conus-plus-2025")
    assert "give --at NAME=VALUE,... or --best" in refusal("show", CSI_2021, "--model", "nsi-ee-u")
    for at, problem in (("eps", "is not one of"), ("eps=0,eps=1", "is given twice"), ("a=1", "is not one of"),
                        ("m_zprime=1 s", "energy")):  # fmt: skip
        assert problem in refusal("show", CSI_2021, "--model", "nsi-ee-u", "--at", at)


# --- What is shown ---


def test_units_of_a_point() -> None:
    shown = [
        json.loads(ok("show", "conus-plus-2025", "--model", "b-l", "--at", at, "--json"))
        for at in ("m_zprime=0.01,g=1e-6", "m_zprime=10 MeV, g=1e-6")
    ]
    assert shown[0] == shown[1]
    assert shown[0]["m_zprime_gev"] == 0.01


def test_json_and_csv_are_the_fit() -> None:
    found = record(fit([CSI_2021, "conus-plus-2025"], "nsi-ee-u", toys=5, seed=2, **SM))
    asked = ("show", f"{CSI_2021},conus-plus-2025", "--model", "nsi-ee-u", "--at", "eps=0", "--toys", 5, "--seed", 2)
    assert json.loads(ok(*asked, "--json")) == json.loads(json.dumps(found))
    lines = list(csv.DictReader(io.StringIO(ok(*asked, "--csv"))))
    assert len(lines) == 99 + 19
    assert sum(float(line["chi2"]) for line in lines) == pytest.approx(found["chi2"] - found["chi2_of_nuisances"])
    assert lines[0]["experiment"] == CSI_2021
    for each in found["experiments"]:
        for key in ("signal", "expected"):
            assert sum(line[key] for line in each["bins"]) == pytest.approx(each["components"][key]["after"])


def test_the_table_tells_all_without_a_line_for_each_bin() -> None:
    table = ok("show", LAR, "--model", "nsi-ee-u", "--at", "eps=0", "--toys", 5)
    assert "chi2 = 1030.4535, of which 2.0336 from nuisances, in 960 bins" in table
    assert "brn_width   +0.976  0.160" in table
    assert "p = " in table
    assert len(table.splitlines()) < 80


@pytest.mark.parametrize("members", ["coherent-csi", "cr51-lxe-a", CSI_2021, LAR, "mixed"])
def test_the_picture_has_the_events_after_the_fit_and_the_data(members: str) -> None:
    found = fit(MEMBERS[members], "chi", m_zprime=300)
    figure = fitted.draw(found)
    figure.draw_without_rendering()
    assert len(figure.subfigs) == len(found.experiments)
    for part, each in zip(figure.subfigs, found.experiments, strict=True):
        events, ratio = part.axes[0], part.axes[-1]
        names = [text.get_text() for text in _legend(part).get_texts()]
        assert names[-2:] == ["before the fit", "data"]
        assert len(names) == len(each.after.backgrounds) + len(each.after.events) + 2
        top = max(patch.get_data().values.max() for patch in events.patches)
        assert top <= events.get_ylim()[1]
        assert ratio.get_ylim()[0] < 1 < ratio.get_ylim()[1]


def _legend(part: Any) -> Any:
    return next(ax.get_legend() for ax in part.axes if ax.get_legend() is not None)
