"""Nuisances that experiments share: combinations against a joint fit, and everything else unchanged."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import iminuit
import numpy as np
import pytest
from conftest import slow
from hypothesis import given
from hypothesis import strategies as st

import fastscan
from fastscan import experiments
from fastscan.experiments.experiment import Experiment
from fastscan.interactions import catalogue
from fastscan.likelihoods.building import build, combine
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.limits.crossings import find_crossings
from fastscan.limits.limits import threshold
from fastscan.typing import Array

CSI, CSI_2017, LAR = "coherent-csi-2021", "coherent-csi-2017", "coherent-lar-2020"
GAUSSIAN = ("coherent-ge", "coherent-nai", "conus")
FLUX = 0.10


def sharing(name: str, *shared: tuple[str, float], **changed: object) -> Experiment:
    return replace(experiments.load(name), shared=shared, **changed)  # type: ignore[arg-type]


def built(found: Sequence[Experiment], model: str = "chi", **rows: Array) -> Likelihood:
    return build(found, catalogue.load(model), rows)


def gaussian_member(experiment: Experiment, signal: Array) -> tuple[Array, Array, Array]:
    """Data, variance and the part of the background that scales with the signal, in each bin."""
    standard = np.asarray(fastscan.show(experiment).signal).ravel()
    counts = experiment.statistics.counts(standard, experiment.exposed)  # type: ignore[union-attr]
    return counts.data, counts.variance * (1 + counts.spread), signal + counts.background


def joint_chi2(
    signals: Sequence[Array], found: Sequence[Experiment], sigma: Sequence[float], flux: Sequence[float]
) -> float:
    """chi2 of experiments with a flux in common, by a minimiser that knows nothing of how fastscan does it."""
    own = [max(s**2 - min(f, s) ** 2, 0.0) ** 0.5 for s, f in zip(sigma, flux, strict=True)]
    common = [min(f, s) for s, f in zip(sigma, flux, strict=True)]
    sizes = [len(each.signal_shapes) + 1 + len(nuisances(each)) for each in found]
    starts = np.cumsum([1, *sizes])

    def value(z: Array) -> float:
        total = float(z @ z)
        for number, (each, signal) in enumerate(zip(found, signals, strict=True)):
            mine = z[starts[number] : starts[number + 1]]
            scale = 1 + common[number] * z[0] + own[number] * mine[0]
            total += member_chi2(each, signal, scale, mine[1:])
        return total

    fit = iminuit.Minuit(value, np.zeros(starts[-1]))
    fit.errordef, fit.tol, fit.strategy = 1, 1e-5, 2
    fit.migrad(iterate=20)
    return float(fit.fval)


def nuisances(experiment: Experiment) -> list[Array]:
    statistics = experiment.statistics
    found = statistics.nuisances(experiment.exposed) if hasattr(statistics, "nuisances") else []
    return [each.change for each in found]


def member_chi2(experiment: Experiment, signal: Array, scale: float, z: Array) -> float:
    if not hasattr(experiment.statistics, "nuisances"):
        data, variance, model = gaussian_member(experiment, signal)
        return float(((data - scale * model) ** 2 / variance).sum())
    data = experiment.statistics.data(experiment.exposed)
    background = sum(experiment.statistics.backgrounds_in(signal[0], experiment.exposed).values())
    effects = [*signal[1:], *nuisances(experiment)]
    expected = scale * signal[0] + background + sum(a * effect for a, effect in zip(z, effects, strict=True))
    if (expected[data > 0] <= 0).any():
        return 1e30
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(data > 0, data * np.log(data / expected), 0.0)
    return float(2 * (expected - data + logs).sum())


def signals_of(found: Likelihood, x: float) -> list[Array]:
    """Signal events of each member with counted events, and their changes with its shapes, in each bin; of one row."""
    signals = []
    for counts, change in zip(found.counted, found.change[:, 0], strict=True):
        assert counts is not None
        coupling = change[: counts.rates.shape[1] - 1] @ [1, x, x**2]
        energies = counts.rates[0, 0] + np.tensordot(coupling, counts.rates[0, 1:], 1)
        signals.append((energies[:, :, None] * counts.arriving).sum(axis=1).reshape(len(counts.arriving), -1))
    return signals


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.12, 0.4])
def test_counted_events_with_a_common_flux_are_a_joint_fit(sigma: float) -> None:
    """CsI of 2017 and of 2021 as if their events were others: four nuisances and three, and the flux."""
    found = [sharing(CSI, ("flux", FLUX), data_set=""), sharing(CSI_2017, ("flux", FLUX), data_set="")]
    joint = built(found)
    assert joint.shared == ("flux",)
    for x in np.array([0.0, 0.3, 2.0, 30.0]) * joint.scale[0]:
        ours = joint.chi2(np.array([x]), np.zeros(1, int), {"sigma_sys": sigma})[0]
        assert ours == pytest.approx(joint_chi2(signals_of(joint, x), found, [sigma] * 2, [FLUX] * 2), abs=1e-6)


def test_gaussian_members_with_a_common_flux_are_a_joint_fit() -> None:
    found = [sharing(name, ("flux", FLUX)) for name in GAUSSIAN]
    joint = built(found, "eta")
    for mass, sigma in itertools.product((120.0, 400.0, np.inf), (0.02, 0.15)):
        x = catalogue.load("eta").strength.to_x(np.array([mass]))
        ours = joint.chi2(x, np.zeros(1, int), {"sigma_sys": sigma})[0]
        signals = [np.atleast_1d(fastscan.events(name, "eta", m_zprime=mass)) for name in GAUSSIAN]
        assert ours == pytest.approx(joint_chi2(signals, found, [sigma] * 3, [FLUX] * 3), abs=1e-7)


def test_a_gaussian_and_a_counted_member_with_a_common_flux_are_a_joint_fit() -> None:
    found = [sharing("coherent-ge", ("flux", FLUX)), sharing(CSI, ("flux", 0.05))]
    joint, counted = built(found), built(found[1:])
    for x in np.array([0.0, 0.5, 3.0]) * joint.scale[0]:
        mass = float(catalogue.load("chi").strength.from_x(np.array(x)))
        signals = [np.atleast_1d(fastscan.events("coherent-ge", "chi", m_zprime=mass)), *signals_of(counted, x)]
        ours = joint.chi2(np.array([x]), np.zeros(1, int), {"sigma_sys": 0.2})[0]
        assert ours == pytest.approx(joint_chi2(signals, found, [0.2] * 2, [FLUX, 0.05]), abs=1e-6)


@pytest.mark.parametrize("independent", [False, slow(True)])
def test_csi_and_argon_are_a_joint_fit(independent: bool) -> None:
    """As the package has them, at random couplings and errors, with the flux in common and without."""
    found = [experiments.load(CSI), experiments.load(LAR)]
    joint, rng = built(found, "nsi-mumu-u"), np.random.default_rng(0)
    assert joint.shared == ("flux-sns",)
    joint = joint.independent() if independent else joint
    for _ in range(8):
        x, sigma = rng.normal() * 10 ** rng.uniform(-1, 1) * joint.scale[0], rng.uniform(0.02, 0.3)
        ours = joint.chi2(np.array([x]), np.zeros(1, int), {"sigma_sys": sigma})[0]
        flux = [0.0, 0.0] if independent else [FLUX, FLUX]
        assert ours == pytest.approx(joint_chi2(signals_of(joint, x), found, [sigma] * 2, flux), abs=1e-6)


@pytest.mark.parametrize("names", [(CSI,), (LAR,), ("coherent-ge",)])
def test_a_single_experiment_is_what_it_was_to_the_last_bit(names: tuple[str, ...]) -> None:
    for model, rows in (("e6", {"beta": np.array([0.3, 1.0])}), ("b-l", {"m_zprime": np.array([0.01, 1.0])})):
        with_one, without = (
            built([sharing(name, *shared) for name in names], model, **rows) for shared in ([("flux", FLUX)], [])
        )
        x, row = np.linspace(0, 3, 6) * without.scale[0], np.arange(6) % 2
        assert with_one.shared == ()
        for given_settings in ({}, {"sigma_sys": 0.0}, {"sigma_sys": 0.3}):
            assert np.array_equal(with_one.chi2(x, row, given_settings), without.chi2(x, row, given_settings))


def test_members_without_a_name_in_common_just_add_up() -> None:
    found = [sharing(CSI, ("flux", FLUX)), sharing("coherent-ge", ("other", FLUX)), sharing("conus")]
    joint, alone = built(found), built([sharing(each.name) for each in found])
    x, row = np.linspace(0, 3, 6) * joint.scale[0], np.zeros(6, int)
    assert np.array_equal(joint.chi2(x, row, {}), alone.chi2(x, row, {}))


@pytest.mark.parametrize("model", ["chi", "nsi-ee-u"])
def test_independent_members_just_add_up(model: str) -> None:
    found = [sharing(CSI, ("flux", FLUX)), sharing(LAR, ("flux", FLUX))]
    joint = built(found, model)
    parts = [built([each], model) for each in found]
    x, row = np.linspace(0, 2, 5) * joint.scale[0], np.zeros(5, int)
    separate = sum(part.chi2(x, row, {}) for part in parts)
    assert joint.independent().chi2(x, row, {}) == pytest.approx(separate, rel=1e-14)
    assert joint.independent().shared == ()


def test_what_is_common_alone_is_one_error() -> None:
    """Where sigma_sys is no larger than the flux, members have no error of their own but for rounding's sake."""
    found = [sharing(name, ("flux", FLUX)) for name in GAUSSIAN]
    joint = built(found)
    columns, _ = joint.columns(np.zeros(1, int), {"sigma_sys": 0.05})
    (block,) = columns.blocks  # type: ignore[union-attr]
    assert (block.variance <= 1e-10 * 0.05**2).all()
    assert block.common.ravel() == pytest.approx(0.05)


def test_two_names_in_common_share_the_whole_error() -> None:
    found = [sharing(name, ("flux", 0.3), ("quenching", 0.4)) for name in GAUSSIAN]
    columns, _ = built(found).columns(np.zeros(1, int), {"sigma_sys": 0.1})
    (block,) = columns.blocks  # type: ignore[union-attr]
    assert block.common[0, :, 0] == pytest.approx([0.06, 0.08])
    assert block.variance == pytest.approx(0.0, abs=1e-12)


def test_names_link_members_through_others() -> None:
    chain = [("a",), ("a", "b"), ("b", "c"), ("c",), ("d",)]
    names = ("coherent-ge", "coherent-nai", "conus", CSI, "coherent-lar")
    found = [sharing(name, *((each, 0.05) for each in own)) for name, own in zip(names, chain, strict=True)]
    joint = built(found)
    assert joint.shared == ("a", "b", "c")
    assert joint.blocks == [[3, 0, 1, 2]]  # counted events first


@given(st.permutations(range(4)))
def test_the_order_of_members_changes_rounding_alone(order: list[int]) -> None:
    names = ("coherent-ge", CSI, CSI_2017, "coherent-nai")
    found = [sharing(name, ("flux", FLUX), data_set="") for name in names]
    x = np.linspace(0, 2, 4) * built(found).scale[0]
    ours, other = (built(each).chi2(x, np.zeros(4, int), {}) for each in (found, [found[n] for n in order]))
    assert ours == pytest.approx(other, rel=1e-12)


def test_points_do_not_depend_on_what_is_beside_them() -> None:
    found = [sharing(CSI, ("flux", FLUX)), sharing("coherent-ge", ("flux", FLUX))]
    joint = built(found, "universal", m_zprime=np.geomspace(1e-3, 1, 7))
    x, row = np.geomspace(1e-3, 30, 50), np.arange(50) % 7
    x = x * joint.scale[row]
    together = joint.chi2(x, row, {"sigma_sys": 0.2})
    backwards = joint.chi2(x[::-1], row[::-1], {"sigma_sys": 0.2})[::-1]
    alone = [joint.chi2(x[k : k + 1], row[k : k + 1], {"sigma_sys": 0.2})[0] for k in range(50)]
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, alone)


def test_derivatives_are_those_of_the_fitted_chi2() -> None:
    found = [sharing(CSI, ("flux", FLUX)), sharing(LAR, ("flux", FLUX)), sharing("coherent-ge", ("flux", 0.05))]
    joint = built(found, "nsi-mumu-u")
    columns, _ = joint.columns(np.zeros(1, int), {})
    for x in np.array([-0.4, 0.1, 0.3, 2.0]) * joint.scale[0]:
        h = 1e-4 * joint.scale[0]
        near = np.array([x - h, x, x + h])
        chi2, slope, curvature = columns.derivatives(np.zeros(3, int), near)
        assert slope[1] == pytest.approx((chi2[2] - chi2[0]) / (2 * h), rel=1e-4, abs=1e-6 * abs(slope).max())
        assert curvature[1] == pytest.approx((slope[2] - slope[0]) / (2 * h), rel=1e-4, abs=1e-6 * abs(curvature).max())


def test_limits_of_a_block_are_where_its_chi2_crosses() -> None:
    found = [sharing(CSI, ("flux", FLUX)), sharing("coherent-ge", ("flux", FLUX))]
    joint, strength = built(found), catalogue.load("chi").strength
    columns, _ = joint.columns(np.zeros(1, int), {})
    crossings = find_crossings(columns, threshold(0.9, 1), strength.largest_x)
    assert crossings.x.size
    fine = np.geomspace(1e-6, 1e3, 4000) * joint.scale[0]
    lowest = min(columns.chi2(fine).min(), columns.chi2(np.zeros(1)).min())
    assert columns.chi2(crossings.x)[0] - lowest == pytest.approx(threshold(0.9, 1), abs=1e-4)


def test_what_members_share_survives_a_combination_of_combinations() -> None:
    parts = [built([sharing(name, ("flux", FLUX))]) for name in ("coherent-ge", CSI)]
    assert combine(parts).shared == ("flux",)
    assert combine([combine(parts), built([experiments.load("conus")])]).shared == ("flux",)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.12])
def test_a_huge_signal_whose_error_is_all_in_common(sigma: float) -> None:
    """Its scale follows from the flux alone where the whole error is shared, and is as small as the signal is huge."""
    members = [CSI, sharing("coherent-lar-2020-summed", ("flux-sns", 0.1))]
    g = np.geomspace(1e-3, 1e5, 501)
    chi2 = fastscan.chi2(members, "b-l", m_zprime=1e-3, g=g, sigma_sys=sigma)
    assert np.isfinite(chi2).all()
    assert chi2[-200:] == pytest.approx(chi2[-1], rel=1e-6)  # whatever the signal, the flux makes up for it


@pytest.mark.parametrize("model", ["nsi-ee-u", "chi", "s2w", "magnetic-mu"])
def test_a_total_whose_whole_error_is_in_common_has_limits(model: str) -> None:
    """Beside counted events its own error was 0, and rounding at huge strengths was lower than the minimum."""
    limits = [
        fastscan.limit([CSI, replace(sharing("coherent-ge-mini", ("flux-sns", shared)), name="total")], model)
        for shared in (0.1, 0.0999999)
    ]
    assert limits[0] == pytest.approx(limits[1], rel=1e-5)
