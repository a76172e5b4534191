"""Merging of bins that hold only one background: the merged bins, and the chi2, which stays the same."""

from dataclasses import replace
from pathlib import Path

import measurements
import numpy as np
import pytest
from conftest import Write, ok, require_refused, scanned
from described import counting
from measurements import AT_POINTS, LAR, POINTS
from test_poisson_edges import column, counted

import fastscan
from fastscan import experiments
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.poisson import Poisson
from fastscan.interactions import catalogue
from fastscan.likelihoods import building, member, poisson
from fastscan.likelihoods.merging import merged_bins
from fastscan.likelihoods.poisson import PoissonCounts
from fastscan.stores import store
from fastscan.stores.location import read_root

FILE = f"""
variant_of = "{LAR}"
title = "COHERENT liquid argon, bins of the steady state alone merged"
[statistics]
merge = true
"""
BEYOND_60_KEV = np.zeros((12, 8, 10), bool)  # and 1.9 us, in bins of energy, F90 and time
BEYOND_60_KEV[6:, :, 4:] = True


def merging(experiment: Experiment) -> Experiment:
    assert isinstance(experiment.statistics, Poisson)
    return replace(experiment, name="merged", statistics=replace(experiment.statistics, merge=True))


@pytest.fixture(scope="module")
def argon() -> Experiment:
    return merging(experiments.load(LAR))


def in_one(chosen: np.ndarray) -> np.ndarray:
    """The number of the compared bin of each bin, if chosen bins are merged into the last one."""
    found = np.cumsum(~chosen.ravel()) - 1
    found[chosen.ravel()] = (~chosen).sum()
    return found


def test_bins_of_the_steady_state_alone_are_merged(argon: Experiment) -> None:
    """Everything else in these bins, and its change at one standard deviation, is at most 1e-7 of the steady state."""
    shown = fastscan.show(LAR)
    whole, statistics = member.counted_events(argon), argon.statistics
    assert isinstance(statistics, Poisson)
    shapes = (whole.rates[0, 0, :, :, None] * whole.arriving[1:]).sum(axis=1).reshape(2, -1)
    else_there = shown.signal.ravel() + sum(np.abs(each) for each in shapes)
    else_there += sum(shown.backgrounds[name].ravel() for name in ("brn", "delbrn"))
    else_there += sum(abs(each.change) for each in statistics.nuisances(argon.exposed) if each.name != "ss")
    alone = else_there <= 1e-7 * shown.backgrounds["ss"].ravel()
    assert alone.sum() == 301
    assert whole.bin_of is not None
    (several,) = np.flatnonzero(np.bincount(whole.bin_of) > 1)
    assert np.array_equal(whole.bin_of == several, alone)
    assert whole.bin_of.max() + 1 == 960 - 301 + 1
    assert np.array_equal(np.unique(whole.bin_of[~alone]), np.delete(np.arange(660), several))


@pytest.mark.parametrize("point", AT_POINTS[LAR])
def test_chi2_is_that_of_all_bins(point: str, argon: Experiment) -> None:
    model, at, _ = POINTS[point]
    assert abs(fastscan.chi2(argon, model, **at) - fastscan.chi2(LAR, model, **at)) < 1e-6
    assert not measurements.misses(
        fastscan.chi2(argon, model, **at), AT_POINTS[LAR][point][1], absolute=measurements.CHI2_TO[LAR] + 1e-6
    )


@pytest.mark.parametrize(
    ("model", "at"),
    [
        ("universal", {"m_zprime": np.geomspace(1e-4, 10, 6)[:, None], "g": np.geomspace(1e-6, 1, 7)}),
        ("scalar-q14", {"m_phi": np.geomspace(1e-4, 1, 6)[:, None], "g": np.geomspace(1e-6, 1e-2, 7)}),
        ("nsi-mumu-d", {"eps": np.concatenate([np.linspace(-1, 1, 21), np.geomspace(1, 1e6, 9)])}),
        ("magnetic-mu", {"mu": np.geomspace(1, 1e5, 11)}),
    ],
)
def test_chi2_is_that_of_all_bins_wherever_couplings_are(model: str, at: dict[str, np.ndarray]) -> None:
    own = experiments.load(LAR)
    np.testing.assert_allclose(fastscan.chi2(merging(own), model, **at), fastscan.chi2(own, model, **at), 0, 1e-4)


def test_the_bins_that_were_measured_lose_what_was_measured(argon: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "merged_bins", lambda *_: in_one(BEYOND_60_KEV))
    counts = member.counted_events(argon)
    assert counts.merged(counts.data).size == 673
    assert counts.lost(counts.data) == pytest.approx(326.29907, abs=1e-4)
    for point in AT_POINTS[LAR]:
        model, at, _ = POINTS[point]
        assert fastscan.chi2(argon, model, **at) == pytest.approx(fastscan.chi2(LAR, model, **at), abs=1e-4)


def together(counts: PoissonCounts, *bin_of: int) -> PoissonCounts:
    return replace(counts, bin_of=np.array(bin_of))


@pytest.mark.parametrize("data", [[4.0, 1.0, 9.0, 5.0, 2.0], [4.0, 0.0, 0.0, 5.0, 0.0], [0.0] * 5])
def test_what_is_lost_is_a_constant_where_nothing_but_one_background_is(data: list[float]) -> None:
    """The second, third and last bin have the background in the same proportion to its change."""
    effects = ([0.5, 0.1, 0.4, 1.1, 0.2], [0.3, 0.0, 0.0, -0.4, 0.0])
    counts = counted(data, [3.0, 0.5, 2.0, 7.0, 1.0], [1.0, 0.0, 0.0, 2.0, 0.0], effects=effects)
    for x in (0.0, 0.7, 4.0, 1e6):
        all_bins, merged = (
            np.array(column(each, 0.3).derivatives(np.zeros(1, int), np.array([x])))
            for each in (counts, together(counts, 0, 1, 1, 2, 1))
        )
        np.testing.assert_allclose(merged, all_bins, rtol=1e-9, atol=1e-12)
        chi2, _, _ = all_bins
        again, _, _ = merged
        assert again == pytest.approx(chi2, rel=1e-13)


def test_where_a_signal_can_move_to_nothing_is_merged() -> None:
    """The last two bins have a signal only if its shape changes."""
    arriving = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.2, -0.2]]).reshape(2, 1, 1, 4)
    background = {"one": np.array([1.0, 1.0, 2.0, 3.0])}
    assert merged_bins(np.array([[5.0]]), arriving, background, []).tolist() == [0, 1, 2, 3]
    assert merged_bins(np.array([[5.0]]), arriving[:1], background, []).tolist() == [0, 1, 2, 2]


def test_what_is_predicted_loses_nothing(argon: Experiment) -> None:
    counts = member.counted_events(argon).expected()
    assert counts.lost(counts.data) == 0.0
    assert 0.0 <= fastscan.chi2(argon, "nsi-ee-u", eps=0.0, asimov=True) < 1e-20
    at = {"eps": 0.3, "asimov": True, "luminosity": 5.0}
    assert fastscan.chi2(argon, "nsi-ee-u", **at) == pytest.approx(fastscan.chi2(LAR, "nsi-ee-u", **at), abs=1e-5)


def test_each_background_has_a_bin_of_its_own() -> None:
    signal, nothing = np.zeros((1, 6)), np.zeros((1, 1, 6, 1))
    backgrounds = {"one": np.array([0.0, 1, 2, 0, 0, 3]), "other": np.array([2.0, 0, 0, 0, 1, 4e-7])}
    assert merged_bins(signal, nothing, backgrounds, []).tolist() == [0, 1, 1, 2, 0, 3]  # empty, and more than 1e-7
    assert merged_bins(signal, nothing, {}, []).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_prepared_likelihood_is_chi2(argon: Experiment) -> None:
    like = fastscan.likelihood(argon, "universal")
    for at in ((1e-3, 2e-5), (0.05, 1e-4)):
        chi2 = fastscan.chi2(argon, "universal", m_zprime=at[0], g=at[1])
        assert like(*at) == pytest.approx(chi2, rel=1e-12)
    fixed = fastscan.likelihood(argon, "universal", m_zprime=0.05)
    assert fixed(1e-4) == pytest.approx(chi2, rel=1e-12)
    assert fixed.njit(1e-4) == pytest.approx(chi2, rel=1e-12)


@pytest.mark.slow
def test_a_fit_and_its_toys_are_those_of_all_bins(argon: Experiment) -> None:
    """Toys are drawn in all bins, so that a seed gives the same toys."""
    ours, theirs = (fastscan.fit(each, "nsi-ee-u", eps=0.1, toys=8, seed=3) for each in (argon, LAR))
    assert ours.toys is not None
    np.testing.assert_allclose(ours.toys, theirs.toys, atol=1e-3)
    assert ours.chi2 == pytest.approx(theirs.chi2, abs=1e-4)
    assert (ours.bins, ours.chi2) == (960, pytest.approx(fastscan.chi2(argon, "nsi-ee-u", eps=0.1), abs=1e-5))


def test_a_store_carries_which_bins_are_merged(write: Write, tmp_path: Path) -> None:
    path = write("merged.toml", FILE)
    grid = f"""
experiments = ["{path}"]
models = ["b-l"]
[axes]
m_zprime = {{ start = 1, stop = 100, num = 3, spacing = "log", unit = "MeV" }}
g = {{ start = 1e-5, stop = 1e-4, num = 3, spacing = "log" }}
[combine.both]
experiments = ["coherent-ge", "{path}"]
"""
    place = scanned(grid, tmp_path)
    ok("verify", place, "--all")
    root = read_root(place)
    fresh = building.build([experiments.load(path)], catalogue.load("b-l"), {"m_zprime": np.array([0.02])})
    cube = store.read(root, "merged/b-l")
    again, _ = cube.at_rows({"m_zprime": np.array([0.02])})
    x, row = np.array([0.0, 0.5]) * fresh.scale, np.zeros(2, np.intp)
    assert np.array_equal(again.chi2(x, row, {}), fresh.chi2(x, row, {}))
    (one,), (counts,) = again.counted, fresh.counted
    assert one is not None
    assert counts is not None
    assert np.array_equal(one.places, counts.places)
    nothing, both = store.read(root, "both/b-l").likelihood.counted
    assert nothing is None
    assert both is not None
    assert np.array_equal(both.places, counts.places)
    values = np.asarray(fastscan.open(place, "merged/b-l").chi2).squeeze()
    at = {"m_zprime": cube.points["m_zprime"][:, None], "g": cube.points["g"]}
    assert values == pytest.approx(fastscan.chi2(LAR, "b-l", **at), abs=2e-4)  # toys are stored in 32 bits


def test_stored_bins_that_are_none_are_refused() -> None:
    alone = counted([4.0, 1.0], [3.0, 2.0], [1.0, 0.0])
    both = (together(counted([4.0, 1.0, 2.0], [3.0, 2.0, 1.0], [1.0, 0.0, 0.0]), 0, 1, 1), None, alone)
    packed = poisson.packed(both)
    first, nothing, last = poisson.unpacked(packed)
    assert first is not None
    assert last is not None
    assert nothing is None
    assert (first.places.tolist(), last.bin_of) == ([0, 1, 1], None)
    for place, wrong in ((0, 7.0), (0, -1.0), (1, 0.5), (2, np.nan), (0, 1.0)):
        observed = packed["observed"].copy()
        observed[2, place] = wrong
        with pytest.raises(ValueError, match="merged into bins that don't exist"):
            poisson.unpacked(packed | {"observed": observed})


@pytest.mark.parametrize("value", ["1", '"yes"', "[true]"])
def test_a_word_that_is_no_choice_is_refused(value: str, write: Write) -> None:
    path = write("own.toml", counting(f"observed = [3, 0, 7, 2]\nmerge = {value}"))
    require_refused(experiments.load, path, r"\[statistics\]: merge: must be true or false")


def test_what_is_merged_is_told(write: Write) -> None:
    path = write("merged.toml", FILE)
    assert "by Poisson's law, bins of nothing but one background merged;" in " ".join(ok("show", path).split())
    assert experiments.load(path).digest != experiments.load(LAR).digest
