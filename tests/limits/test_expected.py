"""Expected limits and their bands, compared with closed forms, with toys, and with general properties."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import slow
from scipy.optimize import brentq

import fastscan
from fastscan.experiments import load
from fastscan.likelihoods.modelled import ModelledCounts
from fastscan.limits.compared import compared
from fastscan.limits.crossings import find_crossings
from fastscan.limits.expected import SHIFTS, expected, toy_bands
from fastscan.limits.limits import limits_of, threshold
from fastscan.limits.points import Rows, prepare

DELTA = threshold(0.90, 1)
EDGES = (-2.0, -1.0, 0.0, 1.0, 2.0)
LIGHT = {"m_zprime": 0.01}


@pytest.mark.parametrize("model", ["b-l", "magnetic-mu", "chi"])
@pytest.mark.parametrize("sigma_sys", [0.0, 0.1])
@pytest.mark.parametrize(("experiment", "luminosity"), [("coherent-csi", 1.0), ("coherent-ge", 20.0)])
def test_one_bin_has_a_closed_form(experiment: str, luminosity: float, model: str, sigma_sys: float) -> None:
    """Counts rise with x: the limit of a set is where its own Delta chi2 reaches the threshold."""
    at = LIGHT if model == "b-l" else {}
    rows = prepare(experiment, model, at, asimov=True)
    columns, _ = rows.likelihood.columns(rows.index, rows.likelihood.settings({"sigma_sys": sigma_sys}))
    (member,) = compared(rows, columns, 0.0)
    assert member.variance is not None
    variance, extra = float(member.variance[0]) / luminosity, float(member.scaling[0])
    standard, linear, square = rows.likelihood.counts[0, 0]

    def limit(deviations: float) -> float:
        """The count and its constraint's centre take shares of the distance in proportion to their variances."""
        error = np.sqrt(variance + (sigma_sys * (standard + extra)) ** 2)
        data = standard + extra + deviations * variance / error
        scale = 1 - sigma_sys * deviations * sigma_sys * (standard + extra) / error

        def chi2(x: float) -> float:
            events = standard + extra + x * (linear + x * square)
            return float((data - scale * events) ** 2 / (variance + (sigma_sys * events) ** 2))

        lowest = chi2(0.0) if data < scale * (standard + extra) else 0.0
        strength = rows.interaction.strength
        x = last_root(lambda x: chi2(x) - lowest - DELTA, float(rows.likelihood.scale[0]))
        return float(strength.from_x(np.array(x)))

    found = expected(experiment, model, sigma_sys=sigma_sys, luminosity=luminosity, **at)
    np.testing.assert_allclose(found, sorted(map(limit, EDGES)), rtol=1e-7)
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("names", [("coherent-ge", "coherent-nai"), ("dresden-ii-fef", "conus")])
def test_what_shares_an_error_with_next_to_nothing_has_the_bands_of_itself(names: tuple[str, str]) -> None:
    """It doesn't matter then how an error is divided between an own nuisance and one in common."""
    one, other = (replace(load(name), shared=(("flux", 0.1),)) for name in names)
    nothing = replace(other, exposure_s=1e-12 * other.exposure_s)
    joint, alone = (expected(each, "b-l", sigma_sys=0.15, **LIGHT) for each in ([one, nothing], one))
    np.testing.assert_allclose(joint, alone, rtol=1e-6)


def last_root(function: Callable[[float], float], scale: float) -> float:
    """The largest root, which lies beyond the best strength."""
    steps = np.geomspace(1e-4, 1e4, 4001) * scale
    last = np.flatnonzero(np.diff(np.sign([function(x) for x in steps])))[-1]
    return float(brentq(function, steps[last], steps[last + 1], xtol=1e-300, rtol=1e-14))


@pytest.mark.slow
def test_the_median_is_the_limit_of_the_asimov_set() -> None:
    masses = np.geomspace(1e-3, 1, 4)
    for experiments, model, at in (
        ("coherent-csi-2021", "universal", {"m_zprime": masses}),
        (["coherent-csi-2021", "coherent-lar-2020", "conus-plus-2025-total"], "b-l", {"m_zprime": masses}),
        ("coherent-ge-mini", "s2w", {}),
        ("conus-plus-2025", "lr", {}),
    ):
        found = expected(experiments, model, **at)
        np.testing.assert_allclose(found[..., 2], fastscan.limit(experiments, model, asimov=True, **at), rtol=1e-9)
        assert (np.diff(found, axis=-1) >= 0).all()


def test_no_number_depends_on_what_is_asked_beside_it() -> None:
    masses, errors = np.geomspace(1e-3, 1, 3), np.array([[0.05], [0.12]])
    together = expected("coherent-csi-2021", "universal", m_zprime=masses, sigma_sys=errors)
    assert together.shape == (2, 3, 5)
    alone = expected("coherent-csi-2021", "universal", m_zprime=masses[1], sigma_sys=0.05)
    np.testing.assert_allclose(together[0, 1], alone, rtol=1e-9)


@pytest.mark.parametrize(
    ("experiments", "model", "at"),
    [
        ("coherent-csi-2021", "b-l", LIGHT),
        ("coherent-csi-2021", "universal", LIGHT),
        ("conus-plus-2025", "magnetic-e", {}),
        ("coherent-ge-mini", "chi", {}),
        ("coherent-csi-2021", "nsi-ee-u", {}),
        (["coherent-csi-2021", "coherent-ge-mini", "conus-plus-2025-total"], "b-l", LIGHT),
    ],
)
def test_toys_of_the_standard_model_have_these_bands(experiments: Any, model: str, at: dict[str, float]) -> None:
    """Within a tenth of the median at the edges of 1 standard deviation, and a fifth at those of 2."""
    rows = prepare(experiments, model, at, asimov=True)
    by_toys, shape = toy_bands(rows, rows.likelihood.settings({}), DELTA, 1000, 1)
    found = expected(experiments, model, **at)
    assert shape == ()
    off = np.abs(found - by_toys[0]) / np.abs(found[..., 2:3])
    assert off[..., 1:4].max() < 0.1, off
    if model != "nsi-ee-u":  # in one toy out of forty the island merges with the interval, and the limit jumps
        assert off.max() < 0.2, off


@pytest.mark.parametrize("luminosity", [0.1, 10.0])
def test_bands_of_counted_events_have_the_luminosity_of_their_toys(luminosity: float) -> None:
    rows = prepare("coherent-csi-2021", "b-l", LIGHT, asimov=True)
    by_toys, _ = toy_bands(rows, rows.likelihood.settings({"luminosity": luminosity}), DELTA, 300, 1)
    found = expected("coherent-csi-2021", "b-l", luminosity=luminosity, **LIGHT)
    assert found[1:4] == pytest.approx(by_toys[0, 1:4], rel=0.15)


@pytest.mark.parametrize(
    ("experiment", "model", "at"),
    [
        ("dresden-ii-fef", "b-l", LIGHT),
        slow("dresden-ii-lindhard", "magnetic-e", {}),
        slow("xenonnt-b8", "b-l", LIGHT),
        ("xenonnt-b8", "chi", {}),
    ],
)
def test_toys_of_a_model_with_parameters_have_these_bands(experiment: str, model: str, at: dict[str, float]) -> None:
    """Within 15 % of the median at the edges of 1 standard deviation.

    Dresden-II's differ by 1 %, XENONnT's, of a few events, by up to 9 %.
    """
    rows = prepare(experiment, model, at, asimov=True)
    found = expected(experiment, model, **at)
    limits = limits_of_toys(rows, 400)
    by_toys = np.quantile(limits, [0.1587, 0.5, 0.8413])
    off = np.abs(found[1:4] - by_toys) / found[2]
    assert off.max() < 0.15, off


def limits_of_toys(rows: Rows, toys: int) -> list[float]:
    """The limit of each toy, whose data and centres of constraints replace the measured ones."""
    (counts,), (sigma,) = rows.likelihood.counted, rows.likelihood.sigma_sys
    assert isinstance(counts, ModelledCounts)
    error = np.where(counts.tightness > 0, 1 / np.sqrt(np.where(counts.tightness > 0, counts.tightness, 1.0)), 0.0)
    strength, stream, found = rows.interaction.strength, np.random.default_rng(7), []
    for _ in range(toys):
        data = stream.normal(counts.data, counts.weight**-0.5) if counts.weight.size else stream.poisson(counts.data)
        scale, centre = 1 + sigma * stream.normal(), counts.centre + error * stream.normal(size=error.size)
        toy = replace(counts, data=data.astype(float), centre=centre, rates=counts.rates * scale)
        like = replace(rows.likelihood, counted=(toy,))
        columns, _ = like.columns(rows.index, like.settings({"sigma_sys": sigma / scale}))
        limits = limits_of(find_crossings(columns, DELTA, strength.largest_x), strength)
        (intervals,) = limits.intervals
        found.append(intervals[-1][0] if strength.bound == "lower" else intervals[0][1])
    return found


def test_a_combination_with_a_model_of_parameters_has_bands() -> None:
    """The combination with another such model and a Gaussian member has a stronger expected limit than each alone."""
    both = ["xenonnt-b8", "dresden-ii-fef", "conus-plus-2025-total"]
    together = expected(both, "b-l", **LIGHT)
    assert (np.diff(together) > 0).all()
    for name in both:
        assert (together < expected(name, "b-l", **LIGHT)).all()


def test_sets_lie_on_either_side_and_a_band_is_wider_for_two_deviations() -> None:
    assert list(SHIFTS) == [-2, -1, 1, 2]
    low, high = expected("coherent-lar-2020", "nsi-etau-u", sigma_sys=0.1)
    np.testing.assert_allclose(low, -high[::-1], rtol=1e-6)  # without interference both signs are the same theory
    assert (np.diff(high) > 0).all()


def test_where_nothing_is_limited_there_is_no_band() -> None:
    assert np.isnan(expected("coherent-csi", "psi")).all()
    assert np.isnan(expected("conus", "magnetic-mu")).all()


def test_destructive_interference_can_leave_nothing() -> None:
    """Two standard deviations more events exclude the Standard Model, and every strength that lowers the count."""
    found = expected("coherent-ge-mini", "universal", **LIGHT)
    assert found[0] == 0
    assert (found[1:] > 0).all()


@pytest.mark.parametrize(("model", "at", "ends"), [("chi", {}, ()), ("b-l", LIGHT, ()), ("nsi-etau-u", {}, (2,))])
def test_of_no_settings_there_are_no_bands(model: str, at: dict[str, float], ends: tuple[int, ...]) -> None:
    assert expected("coherent-lar", model, sigma_sys=[], **at).shape == (0, *ends, 5)
