"""Limits by toys: compared with exact integrals of one bin and published numbers, and independent of other inputs."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import ok, refusal
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_toys import Bin
from scipy.optimize import minimize

import fastscan
from fastscan.axes import by_name
from fastscan.errors import FastscanError, FastscanWarning
from fastscan.interactions.interaction import Strength
from fastscan.interactions.parameters import STRENGTHS
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.limits import feldman_cousins
from fastscan.limits.confidence import Toys
from fastscan.limits.crossings import infimum
from fastscan.limits.drawn import Drawn, Truth, frames
from fastscan.limits.feldman_cousins import (
    Interpolated,
    critical,
    find_toy_crossings,
    lowest_of,
    throw_crossings,
    thrown_at,
)
from fastscan.limits.limits import limits_in, toy_limits
from fastscan.limits.points import Rows, prepare, prepare_points
from fastscan.typing import Array

CSI_2021 = "coherent-csi-2021"
TOYS = 20_000
pytestmark = pytest.mark.filterwarnings("ignore:in more than 0.1 %:fastscan.errors.FastscanWarning")


def column_of(rows: Rows) -> Truth:
    columns, _ = rows.likelihood.columns(rows.index, {})
    return Truth.unmoved(rows.likelihood, columns, 0.0)


def point(experiment: Any, model: str, **at: float) -> tuple[Truth, Strength]:
    rows, x = prepare_points(experiment, model, at)
    return column_of(rows).of_data(float(x)), rows.interaction.strength


def t_c(truth: Truth, strength: Strength, toys: int = TOYS, cl: float = 0.9) -> tuple[float, float]:
    found = critical(np.sort(thrown_at(truth, strength, toys, 1, 0)), cl)
    return float(found[0]), float(found[1])


def t_of_data(truth: Truth, strength: Strength) -> float:
    (chi2,), _, _ = truth.columns.derivatives(np.zeros(1, np.intp), np.array([truth.x]))
    return float(chi2 - lowest_of(truth.columns, strength)[0])


# --- One bin: published numbers, and exact integrals ---

ONE_BIN = [
    ("coherent-csi", "chi", {"m_zprime": 1000.0}, 0.0819, 1.64236),
    ("coherent-csi", "chi", {"m_zprime": 300.0}, 1.0655, 1.95248),
    ("coherent-csi", "chi", {"m_zprime": 205.0}, 2.4451, 2.42718),
    ("coherent-csi", "chi", {"m_zprime": 150.0}, 4.4918, 2.60183),
    ("conus", "eta", {"m_zprime": 500.0}, 0.0563, 1.64483),
    ("conus", "eta", {"m_zprime": 250.0}, 0.7343, 2.33385),
    ("conus", "eta", {"m_zprime": 170.0}, 2.5766, 2.70473),
    ("coherent-csi", "universal", {"m_zprime": 0.01, "g": 2e-5}, 0.0670, 2.70553),
    ("coherent-csi", "universal", {"m_zprime": 0.01, "g": 4e-5}, 2.4099, 2.70423),
    ("coherent-csi", "universal", {"m_zprime": 0.01, "g": 6e-5}, 12.7545, 1.64383),
    ("coherent-csi", "universal", {"m_zprime": 0.01, "g": 9e-5}, 1.0465, 2.70541),
    ("conus", "b-l", {"m_zprime": 0.01, "g": 4e-6}, 0.0605, 1.64618),
    ("conus", "b-l", {"m_zprime": 0.01, "g": 8e-6}, 0.7843, 2.36200),
    ("conus", "b-l", {"m_zprime": 0.01, "g": 1.1e-5}, 2.2293, 2.69350),
]


def expected(experiment: str, model: str, **at: float) -> float:
    """Expected events in the one bin, with the background that scales with the signal's normalisation."""
    shown = fastscan.show(experiment)
    scaling = shown.experiment.statistics.counts(shown.signal, shown.experiment.exposed).background.sum()
    return float(fastscan.events(experiment, model, **at) + scaling)


def one_bin(experiment: str, model: str, **at: float) -> Bin:
    """The bin of an experiment; expected events are a parabola in x = 1 / m_zprime^2, or g^2."""
    shown = fastscan.show(experiment)
    heavy = "g" not in at
    rows = {} if heavy else {"m_zprime": at["m_zprime"]}
    x = np.array([0.0, 1.0, 2.0]) * (1e-5 if heavy else 1e-9)
    axis = {"m_zprime": np.append(np.inf, x[1:] ** -0.5)} if heavy else {"g": x**0.5}
    m = [expected(experiment, model, **rows, **{name: each}) for name, values in axis.items() for each in values]
    c, b, a = np.polynomial.polynomial.polyfit(x / x[1], m, 2)
    vertex = max(0.0, -b / (2 * a))
    statistics = shown.experiment.statistics
    counts = statistics.counts(shown.signal, shown.experiment.exposed)
    variance = float(counts.variance.sum()) * (1 + counts.spread)
    return Bin(float(counts.data.sum()), variance, statistics.sigma_sys, c + vertex * (b + vertex * a))


@pytest.mark.parametrize(("experiment", "model", "at", "t", "quantile"), ONE_BIN)
def test_one_bin_is_the_exact_integral(
    experiment: str, model: str, at: dict[str, float], t: float, quantile: float
) -> None:
    naive, m = one_bin(experiment, model, **at), expected(experiment, model, **at)
    truth, strength = point(experiment, model, **at)
    assert naive.t_of_data(m) == pytest.approx(t, abs=1e-4)
    assert t_of_data(truth, strength) == pytest.approx(t, abs=1e-4)
    assert naive.critical(m, 0.9) == pytest.approx(quantile, abs=5e-4)
    ours, error = t_c(truth, strength)
    assert ours == pytest.approx(quantile, abs=4 * error)
    assert error == pytest.approx(0.03, abs=0.02)


def test_a_mean_that_is_not_negative() -> None:
    """Gauss's law with a mean that can't be below 0, as in the first table of Feldman and Cousins."""
    ends = {-3.0: 0.263501, -1.0: 0.813646, 0.0: 1.644854, 1.0: 2.644854, 1.5: 3.144854}
    for measured, end in ends.items():
        likelihood = mean_itself(measured)
        columns, _ = likelihood.columns(np.zeros(1, np.intp), {})
        strength = Strength.direct(by_name(STRENGTHS)["mu"], "upper")
        found = throw_crossings(likelihood, columns, strength, 0.9, 2.705543, Toys(TOYS, 1))
        assert found.crossings.x[0] == pytest.approx(end, abs=4 * found.error[0])
        assert found.crossings.sm_allowed[0] == (measured < 1.3)
    assert found.crossings.x[1] == pytest.approx(0.218145, abs=4 * found.error[1])


def mean_itself(measured: float) -> Likelihood:
    """A bin with the variance 1 and without nuisances, in which the expected events equal the strength."""
    roots = np.zeros((1, 1, 3, 2, 2))
    roots[0, 0, 0, 0], roots[0, 0, 2, 0] = [measured, -1.0], [0.0, 1.0]
    return Likelihood(
        members=("one",),
        rates=np.array([[[0.0, 1.0]]]),
        roots=roots,
        change=np.array([[[[0.0, 1.0, 0.0]]]]),
        spread=np.zeros(1),
        norm=np.array([measured**2]),
        sigma_sys=np.zeros(1),
        follows=np.ones(1),
        momentum_transfer=np.ones(1),
        named=(),
        common=np.zeros((1, 0)),
    )


@pytest.mark.parametrize(
    ("experiment", "model", "at"),
    [
        ("coherent-csi", "chi", {"m_zprime": 205.0}),
        ("conus", "nsi-etau-u", {"eps": 0.01}),
        ("coherent-csi", "b-l", {"m_zprime": 0.01, "g": 4e-5}),
        ("conus", "s2w", {"shift": 0.01}),
        ("conus", "magnetic-e", {"mu": 20.0}),
        ("coherent-csi", "psi", {"m_zprime": 100.0}),
    ],
)
def test_the_infimum_of_one_bin_is_that_of_the_search(experiment: str, model: str, at: dict[str, float]) -> None:
    truth, strength = point(experiment, model, **at)
    columns = truth.columns_of(truth.streams(3).draw(300))
    found = infimum(columns, strength.largest_x, strength.signed)
    np.testing.assert_allclose(lowest_of(columns, strength), found, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("experiment", "model", "at"),
    [
        (CSI_2021, "nsi-ee-u", {"eps": 0.08}),
        (CSI_2021, "nsi-mumu-u", {"eps": 0.3}),
        (CSI_2021, "nsi-etau-u", {"eps": 0.1}),
        (CSI_2021, "universal", {"m_zprime": 0.01, "g": 2e-5}),
        (CSI_2021, "scalar-q14", {"m_phi": 0.05, "g": 1e-5}),
        ("coherent-csi-2017", "b-l", {"m_zprime": 0.05, "g": 1e-4}),
        ([CSI_2021, "conus-plus-2025"], "nsi-ee-u", {"eps": 0.1}),
    ],
)
def test_few_rungs_find_the_infimum_of_counted_events(experiment: Any, model: str, at: dict[str, float]) -> None:
    truth, strength = point(experiment, model, **at)
    columns = truth.columns_of(truth.streams(3).draw(200))
    found = infimum(columns, strength.largest_x, strength.signed)
    np.testing.assert_allclose(lowest_of(columns, strength), found, atol=1e-9)


@settings(max_examples=30)
@given(n=st.floats(-300, 900), centre=st.floats(-6, 6))
def test_a_toy_of_one_bin_is_that_by_hand(n: float, centre: float) -> None:
    """This holds for all draws, also with negative expected events."""
    at = {"m_zprime": 0.01, "g": 4e-5}
    naive, m = one_bin("coherent-csi", "b-l", **at), expected("coherent-csi", "b-l", **at)
    truth, strength = point("coherent-csi", "b-l", **at)
    root = truth.expected[0] / truth.scale(0, truth.nuisances) / m  # events in units of the plane
    drawn = Drawn([np.array([[n]]) * root], np.array([[centre]]))
    columns = truth.columns_of(drawn)
    (chi2,), _, _ = columns.derivatives(np.zeros(1, np.intp), np.array([truth.x]))
    by_hand = np.array(n), np.array(naive.sigma * centre)
    assert chi2 == pytest.approx(float(naive.chi2(*by_hand, m)), rel=1e-6, abs=1e-9)
    if 1 + naive.sigma * centre > 0:
        assert lowest_of(columns, strength)[0] == pytest.approx(float(naive.lowest(*by_hand)), rel=1e-4, abs=1e-6)


# --- Limits ---

LIMITS = [
    ("coherent-csi", "chi", {}, [205.912], 195.274),
    ("conus", "eta", {}, [167.2323], 167.2321),
    ("coherent-csi", "universal", {"m_zprime": 0.01}, [4.072317e-5, 7.861162e-5, 9.398097e-5], 4.072815e-5),
    ("conus", "b-l", {"m_zprime": 0.01}, [1.172872e-5], 1.172873e-5),
]


@pytest.mark.parametrize(("experiment", "model", "at", "ends", "asymptotic"), LIMITS)
def test_limits_of_one_bin_are_the_exact_ones(
    experiment: str, model: str, at: dict[str, float], ends: list[float], asymptotic: float
) -> None:
    rows = prepare(experiment, model, at)
    columns, _ = rows.likelihood.columns(rows.index, {})
    _, found = limits_in(rows.likelihood, columns, rows.interaction.strength, 0.9, 1, Toys(TOYS, 2))
    assert found.errors is not None
    assert found.asymptotic is not None
    ours = [end for interval in found.intervals[0] for end in interval]
    errors = [end for interval in found.errors.intervals[0] for end in interval]
    crossed = [each for each in zip(ours, errors, strict=True) if np.isfinite(each[1]) and each[0] > 0]
    assert len(crossed) == len(ends)
    for (end, error), exact in zip(crossed, ends, strict=True):
        assert end == pytest.approx(exact, abs=4 * error)
        assert error < 0.02 * exact
    assert found.asymptotic.bounds[0] == pytest.approx(asymptotic, rel=1e-6)
    assert found.bounds[0] in ours


def test_the_error_of_a_limit_is_that_of_t_c_over_how_t_leaves_it() -> None:
    """t_c rises along u = arsinh(x / scale) together with t, so that the error depends on the difference of slopes."""
    truth, strength = point("conus", "b-l", m_zprime=0.01, g=1e-5)
    scale = float(truth.columns.scale[truth.row])
    u = np.linspace(0.0, 3.0, 31)
    t_c = Interpolated(scale * np.sinh(u), 1.5 + u, np.full(u.size, 0.1), scale)
    found = find_toy_crossings(truth.columns, strength, 2.7, lambda number: t_c)
    (x,) = found.crossings.x

    def left(x: float) -> float:
        (chi2,), _, _ = truth.columns.derivatives(np.zeros(1, np.intp), np.array([x]))
        return float(chi2 - lowest_of(truth.columns, strength)[0] - t_c.at(np.array([x]), np.zeros(1))[0][0])

    steep = (left(1.0001 * x) - left(0.9999 * x)) / (2e-4 * x)
    assert left(x) == pytest.approx(0.0, abs=1e-9)
    assert found.error == pytest.approx([0.1 / abs(steep)], rel=1e-4)


def test_python_has_the_same_limits() -> None:
    asked = {"method": "toys", "toys": 500, "seed": 3}
    g, status = fastscan.limit("conus", "b-l", m_zprime=[0.001, 0.01], with_status=True, **asked)
    assert status.tolist() == ["ok", "ok"]
    assert g == pytest.approx([5.301e-6, 1.1729e-5], rel=0.15)
    assert fastscan.intervals("conus", "b-l", m_zprime=0.001, **asked) == [(0.0, g[0])]
    low, high = fastscan.limit("conus", "nsi-etau-u", **asked)
    assert low < 0 < high
    assert not np.isfinite(fastscan.limit("coherent-csi", "psi", **asked))


# --- Counted events ---

COUNTED = [
    ("nsi-ee-u", {"eps": 0.0}, 0.04053, 2.722, 0.021),
    ("nsi-ee-u", {"eps": 0.08}, 2.10732, 2.540, 0.019),
    ("nsi-ee-u", {"eps": 0.2}, 6.86314, 1.663, 0.019),
    ("nsi-ee-u", {"eps": 0.4}, 0.01411, 2.686, 0.025),
    ("universal", {"m_zprime": 0.01, "g": 0.0}, 0.05780, 1.639, 0.022),
    ("universal", {"m_zprime": 0.01, "g": 1e-5}, 0.00414, 1.696, 0.018),
    ("universal", {"m_zprime": 0.01, "g": 2e-5}, 1.07213, 2.624, 0.018),
    ("universal", {"m_zprime": 0.01, "g": 3e-5}, 7.92894, 2.711, 0.024),
]


@pytest.mark.parametrize(("model", "at", "t", "quantile", "error"), COUNTED)
def test_counted_events_have_the_known_quantiles(
    model: str, at: dict[str, float], t: float, quantile: float, error: float
) -> None:
    truth, strength = point(CSI_2021, model, **at)
    assert t_of_data(truth, strength) == pytest.approx(t, abs=1e-5)
    ours, own = t_c(truth, strength, 2000)
    assert ours == pytest.approx(quantile, abs=4 * (own**2 + error**2) ** 0.5)


@pytest.mark.slow
def test_counted_events_have_the_known_limits() -> None:
    rows = prepare(CSI_2021, "nsi-ee-u", {})
    columns, _ = rows.likelihood.columns(rows.index, {})
    _, found = limits_in(rows.likelihood, columns, rows.interaction.strength, 0.9, 1, Toys(400, 1))
    assert found.errors is not None
    assert found.bounds[0, 1] == pytest.approx(0.087, abs=4 * found.errors.bounds[0, 1])
    assert len(found.intervals[0]) == 2
    rows = prepare(CSI_2021, "universal", {"m_zprime": 0.01})
    columns, _ = rows.likelihood.columns(rows.index, {})
    _, found = limits_in(rows.likelihood, columns, rows.interaction.strength, 0.9, 1, Toys(1000, 1))
    assert found.errors is not None
    assert found.bounds[0] == pytest.approx(2.4031e-5, abs=4 * found.errors.bounds[0])


@pytest.mark.parametrize("number", range(3))
def test_t_of_counted_events_is_that_of_another_minimiser(number: int) -> None:
    """It is chi2 of drawn counts and centres, in the bins and with the nuisances of the experiment's file."""
    truth, strength = point(CSI_2021, "nsi-ee-u", eps=0.08)
    drawn = truth.streams(7).draw(number + 1)
    n, c = drawn.data[0][number], drawn.centres[number]
    counts = truth.likelihood.counted[0]
    assert counts is not None

    def chi2(z: Array, x: float) -> float:
        signal, *shapes = counts.signals(0, truth.likelihood.change[0, 0], x)
        m = (1 + 0.12 * z[0]) * signal + counts.background + z[1:] @ np.stack([*shapes, *counts.effects])
        if (m[n > 0] <= 0).any():
            return np.inf
        seen = np.where(n > 0, n, 1.0)
        return float(
            2 * (m - n + np.where(n > 0, n * np.log(seen / np.where(n > 0, m, 1.0)), 0.0)).sum() + ((z - c) ** 2).sum()
        )

    def least(x: float) -> float:
        return float(minimize(chi2, c, args=(x,), method="BFGS").fun)

    rungs = np.linspace(-0.3, 0.7, 26)
    best = min(range(rungs.size), key=lambda number: least(rungs[number]))
    fine = np.linspace(rungs[best] - 0.04, rungs[best] + 0.04, 33)
    t = least(truth.x) - min(least(x) for x in fine)
    ours = thrown_at(truth, strength, number + 1, 7)[number]
    assert ours == pytest.approx(t, abs=1e-2)


def test_toys_of_one_bin_each_that_share_a_flux_have_a_covariance() -> None:
    """With n events, m expected and the centres c: the residuals n - m (1 + sigma c) and their covariance."""
    names, flux = ("coherent-csi", "coherent-ge-mini"), 0.1
    members = [replace(fastscan.experiments.load(name), shared=(("flux", flux),)) for name in names]
    rows = prepare(members, "nsi-ee-u", {})
    truth, number, found = column_of(rows).of_data(0.05), 4, []
    drawn = truth.streams(3).draw(number)
    own, common, noise = truth.errors
    for x in (0.05, 0.3):
        chi2, _, _ = truth.columns_of(drawn).derivatives(np.arange(number), np.full(number, x))
        m = np.stack([(model @ x ** np.arange(3))[0] for model in truth.models])  # over the roots of the variances
        centres = drawn.centres[:, :1] * common[:, 0] + drawn.centres[:, 1:] * own
        residuals = np.stack([each[:, 0] for each in drawn.data], axis=1) - m * (1 + centres)
        covariance = np.diag(noise + own**2 * m**2) + np.outer(common[:, 0] * m, common[:, 0] * m)
        found.append(chi2)
        by_hand = (residuals @ np.linalg.inv(covariance) * residuals).sum(axis=1)
        assert chi2 == pytest.approx(by_hand, rel=1e-8)
    assert not (found[0] == found[1]).any()
    assert common == pytest.approx(flux)


def test_members_that_share_a_flux_are_fitted_together() -> None:
    """This holds beside counted events too."""
    rows = prepare(["coherent-csi-2021", "coherent-lar-2020"], "nsi-ee-u", {})
    truth = column_of(rows).of_data(0.05)
    assert np.isfinite(truth.nuisances).all()
    t = np.sort(thrown_at(truth, rows.interaction.strength, 60, 1))
    assert t[0] >= 0
    assert 1.0 < t[53] < 6.0


def test_gaussian_members_in_a_block_have_the_nuisances_of_a_fit() -> None:
    flux = [
        replace(fastscan.experiments.load(each), shared=(("flux", 0.1),)) for each in ("coherent-csi", "coherent-ge")
    ]
    for members in (["coherent-csi-2021", "conus-plus-2025"], ["conus-plus-2025"], ["coherent-csi", "conus"], flux):
        fit = fastscan.fit(members, "nsi-ee-u", eps=0.1)
        truth = column_of(prepare(members, "nsi-ee-u", {})).of_data(0.1)
        assert truth.nuisances == pytest.approx([each.value for each in fit.nuisances], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("luminosity", [0.25, 9.0])
def test_toys_fluctuate_with_the_luminosity(luminosity: float) -> None:
    """Counts are relative to the luminosity: their means stay, and their variances are divided by it."""
    rows = prepare(["coherent-ge", CSI_2021], "nsi-ee-u", {}, asimov=True)
    columns, _ = rows.likelihood.columns(rows.index, {"luminosity": luminosity})
    truth = Truth.unmoved(rows.likelihood, columns, 0.05)
    gaussian, counted = truth.streams(5).draw(20_000).data
    many = truth.expected[1] > 1
    variance = truth.expected[1][many] / luminosity
    assert many.sum() > 20
    assert gaussian.var(axis=0) == pytest.approx(1 / luminosity, rel=0.05)  # in units of the variance at luminosity 1
    assert counted.var(axis=0)[many] == pytest.approx(variance, rel=0.09)
    assert (np.abs(counted.mean(axis=0)[many] - truth.expected[1][many]) < 5 * np.sqrt(variance / 20_000)).all()


@pytest.mark.parametrize("luminosity", [0.25, 9.0])
def test_the_best_nuisance_of_one_bin_at_any_luminosity_is_that_by_hand(luminosity: float) -> None:
    """lam (n - m (1 + sigma z))^2 + z^2 is smallest at z = sigma m (n - m) / (1 / lam + sigma^2 m^2)."""
    rows = prepare("coherent-ge", "nsi-ee-u", {}, asimov=True)
    columns, _ = rows.likelihood.columns(rows.index, {"luminosity": luminosity, "sigma_sys": 0.2})
    truth = Truth.unmoved(rows.likelihood, columns, 0.0).of_data(0.1)
    ((n, _, _),), ((m,),) = truth.models[0], truth.models[0] @ [[1.0], [0.1], [0.01]]
    expected = 0.2 * m * (n - m) / (1 / luminosity + (0.2 * m) ** 2)
    assert truth.nuisances == pytest.approx([expected], rel=1e-9)


# --- What toys may not depend on ---


@pytest.mark.parametrize("experiment", ["coherent-csi", "conus-plus-2025", CSI_2021])
def test_toys_of_a_point_are_the_same_however_many_are_thrown_together(
    experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, strength = point(experiment, "nsi-ee-u", eps=0.05)
    first = thrown_at(truth, strength, 40, 1, 2, 3)
    assert (first[:7] == thrown_at(truth, strength, 7, 1, 2, 3)).all()
    monkeypatch.setattr(feldman_cousins, "AT_ONCE", 9)
    assert (first == thrown_at(truth, strength, 40, 1, 2, 3)).all()
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not (first == thrown_at(truth, strength, 40, *other)).any()


def test_centres_that_stay_where_they_are_give_other_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fluctuation of the centres is for: without it the quantile of 1.642 would be a fraction of that."""
    truth, strength = point("coherent-csi", "chi", m_zprime=1000.0)
    right, _ = t_c(truth, strength)
    draw = type(truth.streams(0)).draw

    def fixed(streams: Any, number: int) -> Drawn:
        found = draw(streams, number)
        return replace(found, centres=np.zeros_like(found.centres))

    monkeypatch.setattr("fastscan.limits.drawn.Streams.draw", fixed)
    wrong, _ = t_c(truth, strength)
    assert right == pytest.approx(1.642, abs=0.1)
    assert wrong < 0.2


def test_frames_of_rows_have_the_lengths_of_their_own_planes() -> None:
    """There are several bins; rows share integrals, or each row has its own."""
    for model, at in (("nsi-ee", {"eps_d": [0.0, 0.1]}), ("universal", {"m_zprime": [0.001, 0.01, 1.0]})):
        rows = prepare(["conus-plus-2025", "coherent-csi"], model, at)
        channels = [each.channels for each in rows.experiments]
        x = 1e-10 if model == "universal" else 0.1
        for member, models in enumerate(frames(rows.likelihood, rows.interaction, channels, rows.values)):
            own = rows.likelihood.sums[member, :, 2]
            c0, c1, c2, c3, c4, c5 = own.T
            s_mm = (c0 + x * (c1 + x * c2)) ** 2 + x * x * ((c3 + c4 * x) ** 2 + c5 * x * x)
            assert ((models @ x ** np.arange(3)) ** 2).sum(axis=1) == pytest.approx(s_mm, rel=1e-9)


def test_counts_as_predicted_are_fitted_in_each_row_as_an_asimov_set_is() -> None:
    """A toy whose counts are the Standard Model's prediction, with centres at 0, where rows share integrals or not."""
    for model, at in (("nsi-ee", {"eps_d": [0.0, 0.1]}), ("universal", {"m_zprime": [0.001, 0.05]})):
        rows = prepare(CSI_2021, model, at)
        columns, _ = rows.likelihood.columns(rows.index, {})
        x = 1e-9 if model == "universal" else 0.2
        for row in range(2):
            truth = Truth.unmoved(rows.likelihood, columns.some(np.array([row])), 0.0)
            counts = truth.counted(0)
            assert counts is not None
            drawn = Drawn([(counts.standard + counts.background)[None]], np.zeros((1, truth.nuisances.size)))
            (chi2,), _, _ = truth.columns_of(drawn).derivatives(np.zeros(1, np.intp), np.array([x]))
            asimov = rows.expected().likelihood.chi2(np.array(x), np.array(row), {})
            assert chi2 == pytest.approx(float(asimov), rel=1e-9)
            assert truth.expected[0].sum() > 1000


def test_the_prediction_of_one_row_is_fitted_in_another() -> None:
    """For bins with a variance: the residuals, and the covariance of the signal's normalisation, by hand."""
    rows = prepare("conus-plus-2025", "universal", {"m_zprime": [0.001, 0.05]})
    channels = [each.channels for each in rows.experiments]
    frame = frames(rows.likelihood, rows.interaction, channels, rows.values)
    columns, _ = rows.likelihood.columns(rows.index, {})
    one, other = (Truth.unmoved(rows.likelihood, columns.some(np.array([row])), 0.0, frame) for row in range(2))
    n = one.models[0] @ 1e-9 ** np.arange(3)
    x = 2e-9
    m = other.models[0] @ x ** np.arange(3)
    own, _, noise = other.errors
    covariance = noise[0] * np.eye(m.size) + own[0] ** 2 * np.outer(m, m)
    by_hand = (n - m) @ np.linalg.inv(covariance) @ (n - m)
    columns_of_it = other.columns_of(Drawn([n[None]], np.zeros((1, 1))))
    (chi2,), _, _ = columns_of_it.derivatives(np.zeros(1, np.intp), np.array([x]))
    assert m.size > 10
    assert chi2 == pytest.approx(by_hand, rel=1e-9)


def test_fitted_rows_can_only_lower_the_infimum() -> None:
    """Toys are the same for two dof as for one, but t is measured from an infimum over more."""
    rows = prepare(["conus-plus-2025", "coherent-csi"], "universal", {"m_zprime": [0.001, 0.01, 1.0]})
    likelihood, strength = rows.likelihood, rows.interaction.strength
    channels = [each.channels for each in rows.experiments]
    frame = frames(likelihood, rows.interaction, channels, rows.values)
    columns, _ = likelihood.columns(rows.index, {})
    each = [Truth.unmoved(likelihood, columns.some(np.array([row])), 0.0, frame) for row in range(3)]
    truth = each[1].of_data(1e-10)
    one, two, again = (
        thrown_at(truth, strength, 50, 1, rows=others) for others in ((), each[:1] + each[2:], [each[1]])
    )
    assert (two >= one - 1e-9).all()
    assert (two > one + 1e-3).any()
    assert again == pytest.approx(one, abs=1e-9)


# --- Toys of the Standard Model ---


def test_limits_of_toys_of_the_standard_model_are_around_the_expected_one() -> None:
    rows = prepare("conus", "b-l", {"m_zprime": np.array([0.001, 0.01])})
    bounds, status = toy_limits(rows, rows.likelihood.settings({}), 1000, 1)
    assert bounds.shape == status.shape == (2, 1000)
    expected_limit = fastscan.limit("conus", "b-l", m_zprime=[0.001, 0.01])
    assert np.nanmedian(bounds, axis=1) == pytest.approx(expected_limit, rel=0.1)
    assert (status == "sm_disfavoured").mean() == pytest.approx(0.05, abs=0.03)
    both = prepare("conus", "nsi-ee-u", {})
    assert toy_limits(both, both.likelihood.settings({}), 5, 1)[0].shape == (1, 5, 2)


# --- Commands, and what is refused ---


def test_the_command_has_errors_and_the_asymptotic_limit_beside_it() -> None:
    asked = ("limit", "conus", "b-l", "--m-zprime", "10MeV", "--method", "toys", "--toys", 500, "--seed", 3)
    found = json.loads(ok(*asked, "--json"))
    assert (found["method"], found["toys"], found["seed"]) == ("toys", 500, 3)
    assert found["limit"] == fastscan.limit("conus", "b-l", m_zprime=0.01, method="toys", toys=500, seed=3)
    assert found["asymptotic"] == fastscan.limit("conus", "b-l", m_zprime=0.01)
    assert 0 < found["error"] < 1e-6
    assert found["allowed_errors"] == [[None, found["error"]]]
    told = ok(*asked)
    assert "from 500 toys of seed 3 at each strength; asymptotic: 1.173e-05" in told
    assert "(+- " in told
    header, line = ok(*asked, "--csv").splitlines()
    assert header.endswith("method,toys,seed,error,allowed_errors,asymptotic,asymptotic_status,asymptotic_allowed")
    assert ",toys,500,3," in line
    asymptotic = json.loads(ok(*asked[:5], "--json"))
    assert "method" not in asymptotic


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (["--method", "toys", "--toys", "5"], "toys must be at least 40 for cl = 0.9, not 5"),
        (["--method", "toys", "--toys", "0"], "toys must be a whole number from 1 to 1e+07, not 0"),
        (["--method", "toys", "--seed", "-1"], "seed must be a whole number"),
        (["--method", "toys", "--dof", "2"], "with toys dof must be 1"),
        (["--toys", "100"], "--toys and --seed need --method toys"),
        (["--method", "bayes"], "'bayes' is not one of 'asymptotic', 'toys'"),
    ],
)
def test_what_toys_cannot_answer_is_refused_in_one_line(asked: list[str], problem: str) -> None:
    assert problem in refusal("limit", "conus", "chi", *asked)


def test_python_refuses_the_same() -> None:
    for asked, problem in (
        ({"method": "bayes"}, "unknown method 'bayes'"),
        ({"toys": 100}, "toys and seed need method 'toys'"),
        ({"method": "toys", "toys": 2.5}, "toys must be a whole number"),
    ):
        with pytest.raises(FastscanError, match=problem):
            fastscan.limit("conus", "chi", **asked)


@pytest.mark.filterwarnings("error")
def test_a_large_systematic_error_is_told() -> None:
    with pytest.warns(FastscanWarning, match=r"in more than 0\.1 % of the toys a signal is expected to be negative"):
        fastscan.limit("coherent-csi", "chi", method="toys", toys=100)
    fastscan.limit("coherent-csi", "chi", method="toys", toys=100, sigma_sys=0.1)


def test_too_many_events_for_random_numbers_are_refused() -> None:
    rows, x = prepare_points(CSI_2021, "universal", {"m_zprime": 1e-3, "g": 3.0})
    columns, _ = rows.likelihood.columns(rows.index, {"sigma_sys": 0.0})
    truth, strength = Truth.unmoved(rows.likelihood, columns, float(x)), rows.interaction.strength
    assert not truth.is_possible
    with pytest.raises(FastscanError, match=r"toys need at most 1e\+15 events in a bin"):
        thrown_at(truth, strength, 10, 1)
