"""The likelihoods of COHERENT's published data, against the numbers of measurements/csi.md and measurements/lar.md."""

import re
from dataclasses import replace

import measurements
import naive
import naive_poisson
import numpy as np
import pytest
from conftest import REPOSITORY, TESTS
from measurements import AT_POINTS, COLUMNS, CSI_2021, FOUR_NORMS, LAR, ONE_SIGMA, POINTS, Column, misses
from scipy.optimize import brentq, minimize_scalar

import fastscan
from fastscan import experiments
from fastscan.errors import FastscanWarning
from fastscan.interactions import catalogue, standard_model
from fastscan.interactions.nsi import NonStandard
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.poisson import PoissonColumns, PoissonCounts
from fastscan.limits import points
from fastscan.limits.crossings import find_crossings

RELEASE = TESTS / "data" / "cenns10_cevns.txt"  # the release's prediction of the signal
FREE = 1e6  # relative error of a normalisation, so large that it has no prior
NEUTRINOS = ("nu_e", "nu_mu", "nubar_mu")


def scaling() -> NonStandard:
    """Epsilons that multiply the couplings of all neutrinos by 1 + x."""
    g_p, g_n = standard_model.couplings("cevns")[0]
    quarks = {"u": (2 * g_p - g_n) / 3, "d": (2 * g_n - g_p) / 3}
    return NonStandard("scaling", "", (), {"ee": quarks, "mumu": quarks})


def likelihood(experiment: str) -> Likelihood:
    return points.prepare(experiment, scaling(), {}).likelihood


def counted(experiment: str) -> PoissonCounts:
    (found,) = likelihood(experiment).counted
    assert found is not None
    return found


def columns(found: Likelihood, sigma_sys: float | None = None) -> PoissonColumns:
    column, _ = found.columns(np.array([0]), {"sigma_sys": sigma_sys})
    assert isinstance(column, PoissonColumns)
    return column


def pulls(found: Likelihood, sigma_sys: float | None = None) -> np.ndarray:
    """The best nuisances in the Standard Model."""
    (each,) = columns(found, sigma_sys).pulls(np.array([0]), np.zeros(1))
    return each[0]


def free_counts(found: Likelihood) -> float:
    """The best number of signal events of one member, without a prior on this number."""
    return float((1 + FREE * pulls(found, FREE)[0]) * found.rates[0, 0, 0])


def with_shared_distributions() -> Likelihood:
    """That of argon, where all neutrinos share one distribution of energy, one of F90 at each, and one of time."""
    argon, whole = likelihood(LAR), counted(LAR)
    events = (whole.rates[0, 0, :, :, None] * whole.arriving).sum(axis=1).reshape(3, 12, 8, 10)  # and of both shapes
    energy = events[0].sum(axis=(1, 2))
    f90, varied_f90 = events[:2].sum(axis=3) / energy[:, None]
    time, varied_time = events[[0, 2]].sum(axis=(1, 2)) / energy.sum()
    shares = [f90[:, :, None] * time, varied_f90[:, :, None] * time, f90[:, :, None] * varied_time]
    shared = replace(
        whole,
        rates=np.broadcast_to(energy, (1, 2, 1, 12)).copy(),  # of the Standard Model, and per unit of x
        arriving=np.stack(shares).reshape(3, 1, 12, 80),
    )
    change = np.zeros((1, 1, 1, 3))
    change[..., 1] = 1.0
    return replace(argon, counted=(shared,), change=change, rates=shared.totals[None])


@pytest.mark.parametrize(("experiment", "point"), [(each, point) for each in AT_POINTS for point in AT_POINTS[each]])
def test_counts_and_chi2(experiment: str, point: str) -> None:
    counts, chi2 = AT_POINTS[experiment][point]
    model, at, _ = POINTS[point]
    ours = fastscan.events(experiment, model, **at)
    assert not misses(ours, counts, relative=measurements.COUNTS_TO[experiment])
    ours = fastscan.chi2(experiment, model, **at)
    assert not misses(ours, chi2, absolute=measurements.CHI2_TO[experiment])


OTHER_POINTS: list[tuple[str, dict[str, float], naive.Interaction]] = [
    ("nsi-mumu-u", {"eps": 0.7}, naive.nsi("mumu", {"u": 0.7})),
    ("nsi-etau-d", {"eps": -0.4}, naive.nsi("etau", {"d": -0.4})),
    ("nsi-ee-eL", {"eps": 30.0}, naive.nsi("ee", {"eL": 30.0})),
    ("nsi-emu-eR", {"eps": 30.0}, naive.nsi("emu", {"eR": 30.0})),
    ("nsi-ee-u", {"eps": 1e6}, naive.nsi("ee", {"u": 1e6})),
    ("universal", {"m_zprime": 1e-4, "g": 1e-6}, naive.vector("universal", 0.1, 1e-6)),
    ("b-3le", {"m_zprime": 0.1, "g": 3e-4}, naive.vector("b-3le", 100, 3e-4)),
    ("b-l", {"m_zprime": 5.0, "g": 0.9}, naive.vector("b-l", 5000, 0.9)),
    ("s2w", {"shift": 0.3}, naive.weak_angle(0.3)),
]


@pytest.mark.parametrize(("model", "at", "new"), OTHER_POINTS)
@pytest.mark.parametrize("experiment", naive_poisson.MEASURED)
def test_every_likelihood_is_that_of_the_reference(
    experiment: str, model: str, at: dict[str, float], new: naive.Interaction
) -> None:
    measured = naive_poisson.MEASURED[experiment]()
    theirs = {neutrino: each[0].sum() for neutrino, each in naive_poisson.counts(measured, new).items()}
    assert fastscan.events(experiment, model, by_neutrino=True, **at) == pytest.approx(theirs, rel=1e-9)
    assert fastscan.chi2(experiment, model, **at) == pytest.approx(naive_poisson.chi2(measured, new), rel=1e-9)


@pytest.mark.parametrize("experiment", measurements.BY_NEUTRINO)
def test_standard_model_by_neutrino(experiment: str) -> None:
    ours = fastscan.events(experiment, scaling(), eps=0.0, by_neutrino=True)
    for neutrino, number in measurements.BY_NEUTRINO[experiment].items():
        assert not misses(ours[neutrino], number, relative=measurements.COUNTS_TO[experiment])


def test_argon_at_all_times() -> None:
    ours = dict(zip(fastscan.show(LAR).events, counted(LAR).rates[0, 0], strict=True))
    for neutrino, (total, *first) in measurements.LAR_ALL_TIMES.items():
        assert not misses(ours[neutrino].sum(), total, relative=1e-6)
        for each, number in zip(ours[neutrino], first, strict=False):
            assert not misses(each, number, relative=1e-6)


@pytest.mark.parametrize("bin", measurements.CSI_2021_BINS)
def test_bins_of_caesium_iodide(bin: tuple[int, int]) -> None:
    shown = fastscan.show(CSI_2021)
    arrays = [*(shown.events[neutrino] for neutrino in NEUTRINOS), *shown.backgrounds.values(), shown.data]
    for array, number in zip(arrays, measurements.CSI_2021_BINS[bin], strict=True):
        assert not misses(array[bin], number, relative=1e-8)


@pytest.mark.parametrize("bin", measurements.LAR_BINS)
def test_bins_of_argon(bin: tuple[int, int, int]) -> None:
    shown, found = fastscan.show(LAR), counted(LAR)
    changes = (found.rates[0, 0, :, :, None] * found.arriving[1:]).sum(axis=1)
    arrays = [*(shown.events[neutrino] for neutrino in NEUTRINOS), *changes]
    arrays += [*shown.backgrounds.values(), *found.effects[2:5], shown.data]
    for array, number in zip(arrays, measurements.LAR_BINS[bin], strict=True):
        assert not misses(array.reshape(12, 8, 10)[bin], number, relative=1e-6)


@pytest.mark.parametrize("experiment", measurements.BACKGROUNDS)
def test_backgrounds_in_all_bins(experiment: str) -> None:
    ours = fastscan.show(experiment).backgrounds.values()
    for each, number in zip(ours, measurements.BACKGROUNDS[experiment], strict=True):
        assert not misses(each.sum(), number, relative=1e-12)


@pytest.mark.parametrize("experiment", measurements.NUISANCES)
def test_nuisances_of_the_standard_model(experiment: str) -> None:
    loaded = fastscan.experiments.load(experiment)
    statistics = loaded.statistics
    nuisances = [each.name for each in statistics.nuisances(loaded.exposed)]
    names = ["signal", *loaded.signal_shapes, *nuisances]
    errors = {"signal": statistics.sigma_sys, **measurements.ERRORS[experiment]}
    ours = dict(zip(names, pulls(likelihood(experiment)), strict=True))
    assert ours.keys() == measurements.NUISANCES[experiment].keys()
    for name, number in measurements.NUISANCES[experiment].items():
        assert not misses(errors.get(name, 1.0) * ours[name], number)


@pytest.mark.parametrize("experiment", measurements.NO_SIGNAL)
def test_without_a_signal(experiment: str) -> None:
    ours = fastscan.chi2(experiment, scaling(), eps=-1.0)
    assert not misses(ours, measurements.NO_SIGNAL[experiment], absolute=measurements.CHI2_TO[experiment])


@pytest.mark.parametrize("experiment", measurements.FREE_SIGNAL)
def test_a_signal_of_free_size(experiment: str) -> None:
    with pytest.warns(FastscanWarning, match="sigma_sys"):
        ours = fastscan.chi2(experiment, scaling(), eps=0.0, sigma_sys=FREE)
    assert not misses(ours, measurements.FREE_SIGNAL[experiment][0], absolute=measurements.CHI2_TO[experiment])


FREE_COUNTS = {each: counts for each, (_, counts) in measurements.FREE_SIGNAL.items()} | measurements.FREE_COUNTS


@pytest.mark.parametrize("experiment", FREE_COUNTS)
def test_counts_of_a_signal_of_free_size(experiment: str) -> None:
    assert not misses(free_counts(likelihood(experiment)), FREE_COUNTS[experiment])


def test_argon_where_neutrinos_share_their_distributions() -> None:
    found = with_shared_distributions()
    assert found.rates[0, 0, 0] == pytest.approx(likelihood(LAR).rates[0, 0, 0], rel=1e-12)
    assert not misses(free_counts(found) / found.rates[0, 0, 0], measurements.SHARED_STRENGTH)


@pytest.mark.parametrize("experiment", measurements.SCALED_SIGNAL)
def test_a_signal_that_is_scaled_with_its_shapes(experiment: str) -> None:
    expected = fastscan.events(experiment, scaling(), eps=0.0)
    found = fastscan.intervals(experiment, scaling(), sigma_sys=0.0, cl=measurements.ONE_SIGMA)
    for ours, number in zip(found[-1], measurements.SCALED_SIGNAL[experiment], strict=True):
        assert not misses((1 + ours) ** 2 * expected, number)


@pytest.mark.parametrize("which", measurements.FOUR_NORMS)
def test_argon_with_normalisations_alone(which: str) -> None:
    """The signal is the page's, or the release's template as the signal of one neutrino."""
    printed, argon, whole = measurements.FOUR_NORMS[which], likelihood(LAR), counted(LAR)
    template = np.loadtxt(RELEASE, usecols=3) if which == "release" else whole.standard
    by_energy = template.reshape(12, 80)
    rates = by_energy.sum(axis=1)[:, None] * [1.0, 1.0]  # of the Standard Model, and per unit of x
    shares = np.divide(by_energy, rates[:, :1], out=np.zeros_like(by_energy), where=rates[:, :1] > 0)
    four = replace(
        whole,
        rates=rates.T[None, :, None, :],
        arriving=shares[None, None],
        effects=np.delete(whole.effects, [2, 3, 4], axis=0),
    )
    change = np.zeros((1, 1, 1, 3))
    change[..., 1] = 1.0
    found = replace(argon, counted=(four,), change=change, rates=four.totals[None])
    signal, *sizes = pulls(found, FREE)
    ours = {
        "chi2": found.chi2(np.zeros(1), np.array([0]), {"sigma_sys": FREE})[0],
        "counts": (1 + FREE * signal) * template.sum(),
        "no signal": found.chi2(-np.ones(1), np.array([0]), {"sigma_sys": FREE})[0],
    }
    crossings = find_crossings(columns(found, 0.0), 1.0, 1e3, signed=True)
    ours["high"], ours["low"] = (1 + crossings.x) * template.sum()
    for name, size, change in zip(fastscan.show(LAR).backgrounds, sizes, four.effects, strict=True):
        ours[name] = fastscan.show(LAR).backgrounds[name].sum() + size * change.sum()
    for name, number in printed.items():
        assert not misses(ours[name], number), name


@pytest.mark.parametrize("experiment", measurements.BEST_S2W)
def test_the_best_weak_mixing_angle(experiment: str) -> None:
    def chi2(shift: float) -> float:
        return float(fastscan.chi2(experiment, "s2w", shift=shift))

    best = minimize_scalar(chi2, bounds=(-0.1, 0.1), method="bounded", options={"xatol": 1e-9}).x
    assert not misses(measurements.S2W + best, measurements.BEST_S2W[experiment])


LABELLED = {
    "argnames": ("experiment", "column"),
    "argvalues": [(each, column) for each in COLUMNS for column in COLUMNS[each]],
    "ids": lambda value: value if isinstance(value, str) else value.label,
}


def printed_as(column: Column, strengths: list[float]) -> list[float]:
    """Values of a column's strength on its axis, as the pages print them."""
    return [measurements.S2W + each for each in strengths] if column.model == "s2w" else strengths


@pytest.mark.parametrize(**LABELLED)
def test_intervals(experiment: str, column: Column) -> None:
    """The reference calculation gives the same, and so do pages that use the infimum of chi2 over all strengths."""
    ours = [end for pair in fastscan.intervals(experiment, column.model, cl=column.cl, dof=column.dof, **column.at)
            for end in pair]  # fmt: skip
    line = naive_poisson.along(naive_poisson.MEASURED[experiment](), column.model, column.at)
    theirs = line.allowed(column.quantile)
    assert ours == pytest.approx(theirs if line.signed else np.sqrt(theirs), rel=1e-6)
    if not column.nearest:
        held = printed_as(column, ours)[-len(column.ends) :]
        for end, number in zip(held, column.ends, strict=True):
            assert not misses(end, number, relative=measurements.ENDS_TO)


@pytest.mark.parametrize(**LABELLED)
def test_limits(experiment: str, column: Column) -> None:
    """A limit is an end of the interval that contains the Standard Model; there can be two."""
    ours = fastscan.limit(experiment, column.model, cl=column.cl, dof=column.dof, **column.at)
    found = fastscan.intervals(experiment, column.model, cl=column.cl, dof=column.dof, **column.at)
    ((low, high),) = [(low, high) for low, high in found if low <= 0 <= high]
    expected = (low, high) if catalogue.load(column.model).strength.signed else high
    assert ours == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("experiment", "column"), [(each, column) for each in COLUMNS for column in COLUMNS[each] if column.nearest],
    ids=lambda value: value if isinstance(value, str) else value.label,
)  # fmt: skip
def test_ends_above_the_minimum_nearest_to_the_standard_model(experiment: str, column: Column) -> None:
    """A page's ends are where chi2 is so much above that minimum, not above the smaller one of the other island."""
    strength = catalogue.load(column.model).strength

    def chi2(value: float) -> float:
        at = {strength.axis.name: value, **column.at}
        return float(fastscan.chi2(experiment, column.model, **at))

    line = naive_poisson.along(naive_poisson.MEASURED[experiment](), column.model, column.at)
    nearest, _ = line.minima()[0]
    level = chi2(nearest if line.signed else nearest**0.5) + column.quantile
    for number in column.ends:
        end = float(number) - (measurements.S2W if column.model == "s2w" else 0.0)
        ours = brentq(lambda value: chi2(value) - level, end - 2e-3 * abs(end), end + 2e-3 * abs(end), rtol=1e-12)
        assert not misses(printed_as(column, [ours])[0], number, relative=measurements.ENDS_TO)


PUBLISHED = (REPOSITORY / "grids" / "published.md").read_text("utf-8")
ROWS = {name: cells for name, cells in re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", PUBLISHED, re.MULTILINE)}


def deviation(ours: float, published: str) -> str:
    return f"{published}: {100 * (ours / float(published.split()[0]) - 1):+.1f} %"


@pytest.mark.parametrize("name", ROWS)
def test_counts_beside_published_ones_are_ours(name: str) -> None:
    """These are the predicted signal, and the best signal without a prior on its size."""
    predicted = float(fastscan.events(name, scaling(), eps=0.0))
    found = free_counts(likelihood(name))
    within = fastscan.intervals(name, scaling(), sigma_sys=0.0, cl=ONE_SIGMA)[-1]
    low, high = (1 + np.array(within)) ** 2 * predicted
    expected, by_them, ours, seen_by_them = ROWS[name].split(" | ")
    assert (expected, ours) == (f"{predicted:.1f}", f"{found:.1f} ({low:.1f} to {high:.1f})")
    assert by_them == deviation(predicted, by_them.partition(":")[0])
    assert seen_by_them == deviation(found, seen_by_them.partition(":")[0])


def test_what_is_said_of_differences_to_published_counts() -> None:
    text = " ".join(PUBLISHED.split())
    assert len(ROWS) == 4
    release = {name: float(number) for name, number in FOUR_NORMS["release"].items()}  # see the test of them
    signal, backgrounds = "{counts:.1f} ({low:.1f} to {high:.1f}) signal events", "{ss:.0f} ss, {brn:.0f} brn and "
    assert f"gives {signal}, and backgrounds of {backgrounds}{{delbrn:.1f}} delbrn".format(**release) in text
    assert f"{free_counts(with_shared_distributions()):.1f} events would be found" in text
    first = experiments.load("coherent-csi-2017")
    alone = replace(first.statistics, observed=None, backgrounds=())
    endless = replace(first, name="endless", time=None, statistics=alone)
    assert f"{fastscan.events(endless, 'chi', m_zprime=np.inf):.1f} events would be predicted" in text
    full = experiments.load("coherent-csi-2021")
    backgrounds = tuple(replace(each, error=0.0) for each in full.statistics.backgrounds)
    known = replace(full, name="known", statistics=replace(full.statistics, backgrounds=backgrounds))
    low, high = (1 + np.array(fastscan.intervals(known, scaling(), sigma_sys=0.0, cl=ONE_SIGMA)[-1])) ** 2
    error = (high - low) / 2 * fastscan.events(known, "chi", m_zprime=np.inf)
    assert f"these events give the signal with an error of {error:.0f}." in text
