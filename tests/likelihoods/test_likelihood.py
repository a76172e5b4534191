import itertools
import math
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import luminosities, masses, model_points, sigmas
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fastscan
from fastscan.errors import FastscanError
from fastscan.experiments import catalogue as experiments
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.observations import Counts
from fastscan.interactions import standard_model
from fastscan.interactions.catalogue import load
from fastscan.likelihoods import building
from fastscan.likelihoods.gaussian import square_roots
from fastscan.likelihoods.response import response
from fastscan.limits import points

CSI = "coherent-csi"
NAMES = list(naive.EXPERIMENTS)


@given(st.sampled_from(NAMES), model_points(), masses, luminosities)
@settings(max_examples=200)
def test_events_equal_the_naive_ones(
    name: str, point: tuple[str, float | None], mass: float, luminosity: float
) -> None:
    model, beta = point
    ours = fastscan.events(name, model, m_zprime=mass, beta=beta, luminosity=luminosity)
    # abs: destructive interference can leave a billionth of the events
    lost = 1e-9 * luminosity * naive.events(name, model, math.inf, beta)
    assert ours == pytest.approx(naive.events(name, model, mass, beta, luminosity), rel=1e-8, abs=lost)


@given(st.sampled_from(NAMES), model_points(), masses, sigmas, luminosities)
@example(CSI, ("chi", None), 200.0, 0.0, 1.0)
@example(CSI, ("e6", 1.75), 15.8, 0.0, 1000.0)  # an island: D - N is small
@example("cr51-lxe-c", ("lr", None), 534.0, 0.0025, 1000.0)
@example("conus", ("e6", 1.8), 20.0, 0.0, 1000.0)
@settings(max_examples=400)
def test_chi2_equals_the_naive_minimum_over_the_nuisances(
    name: str, point: tuple[str, float | None], mass: float, sigma: float, luminosity: float
) -> None:
    model, beta = point
    ours = fastscan.chi2(name, model, m_zprime=mass, beta=beta, sigma_sys=sigma, luminosity=luminosity)
    # abs: where data and prediction agree, a sum of squares loses digits
    lost = 1e-15 * luminosity * naive.events(name, model, math.inf, beta)
    theirs = naive.chi2(name, model, mass, beta, sigma, luminosity)
    assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-10 + lost)


def test_own_sigma_sys_is_the_default() -> None:
    assert fastscan.chi2(CSI, "lr", m_zprime=90.0) == fastscan.chi2(CSI, "lr", m_zprime=90.0, sigma_sys=0.28)


def test_everything_after_the_model_broadcasts() -> None:
    mass, beta = np.geomspace(20, 2000, 5), np.linspace(0, 3, 4)[:, None]
    sigma, lum = np.array([0.0, 0.1])[:, None, None], np.array([1.0, 10.0, 100.0])[:, None, None, None]
    cube = fastscan.chi2(CSI, "e6", m_zprime=mass, beta=beta, sigma_sys=sigma, luminosity=lum)
    assert cube.shape == (3, 2, 4, 5)
    for at in np.ndindex(cube.shape):
        one = fastscan.chi2(
            CSI,
            "e6",
            m_zprime=mass[at[3]],
            beta=beta[at[2], 0],
            sigma_sys=sigma[at[1], 0, 0],
            luminosity=lum[at[0], 0, 0, 0],
        )
        assert one == cube[at]
    events = fastscan.events(CSI, "e6", m_zprime=mass, beta=beta, luminosity=lum[..., 0])
    assert events.shape == (3, 4, 5)


def test_empty_arrays_give_empty_answers() -> None:
    assert fastscan.chi2(CSI, "chi", m_zprime=[]).shape == (0,)
    assert fastscan.events(CSI, "chi", m_zprime=[]).shape == (0,)


def user_copy(tmp_path: Path, name: str, **replaced: str) -> str:
    text = (experiments.BUILT_IN / "coherent-csi.toml").read_text()
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    return str(path)


def test_a_combination_is_the_sum_each_with_its_own_nuisances(tmp_path: Path) -> None:
    changes = {"observed = 142": "observed = 155", "sigma_sys = 0.28": "sigma_sys = 0.1", "data_set": "# data_set"}
    other = user_copy(tmp_path, "other", **changes)
    mass = np.geomspace(20, 2000, 7)
    both = fastscan.chi2([CSI, other], "eta", m_zprime=mass)
    assert both == pytest.approx(
        fastscan.chi2(CSI, "eta", m_zprime=mass) + fastscan.chi2(other, "eta", m_zprime=mass), rel=1e-14
    )
    named = fastscan.chi2([CSI, other], "eta", m_zprime=mass, sigma_sys={"other": 0.05})
    assert named == pytest.approx(
        fastscan.chi2(CSI, "eta", m_zprime=mass) + fastscan.chi2(other, "eta", m_zprime=mass, sigma_sys=0.05),
        rel=1e-14,
    )


def forms_of(rates: np.ndarray, signal: np.ndarray, counts: Counts) -> np.ndarray:
    """The sums as quadratic forms in (1, changes of the features)."""
    roots = square_roots(rates, signal, counts)
    return np.swapaxes(roots, -1, -2) @ roots


@given(st.integers(1, 6), st.randoms(use_true_random=False), st.floats(0, 0.5), st.floats(0.5, 50))
def test_the_form_of_the_sums_is_the_textbook_chi2_for_any_number_of_bins(
    bins: int,
    random,
    sigma: float,
    luminosity: float,
) -> None:
    rng = np.random.default_rng(random.getrandbits(32))
    response = rng.uniform(0, 50, (bins, 3))
    standard, features = (standard_model.features(pair) for pair in rng.uniform(-1, 1, (2, 2)))
    counts = Counts(rng.uniform(1, 30, bins), rng.uniform(0, 5, bins), rng.uniform(1, 9, bins), rng.uniform(0, 0.1))
    forms = forms_of(response.T, response @ standard, counts)
    e = np.array([1.0, *(features - standard)])
    s_dd, det, s_mm = np.einsum("i,sij,j->s", e, forms, e)
    lam = luminosity / (1 + luminosity * counts.spread)
    ours = lam * (s_dd + det * lam * sigma**2) / (1 + s_mm * lam * sigma**2)

    model = luminosity * (response @ features + counts.background)
    d = luminosity * counts.data - model
    s = luminosity * counts.variance * (1 + luminosity * counts.spread)
    textbook = np.sum(d**2 / s) - sigma**2 * np.sum(d * model / s) ** 2 / (1 + sigma**2 * np.sum(model**2 / s))
    assert ours == pytest.approx(textbook, rel=1e-9, abs=1e-9 * np.sum((luminosity * counts.data) ** 2 / s))


def exact(rates: np.ndarray, signal: np.ndarray, counts: Counts) -> list[list[list[Fraction]]]:
    """The forms of S_dd, D and S_mm in fractions of the very numbers, D as a sum over pairs of bins.

    By Lagrange's identity D is the sum of (d_b m_c - m_b d_c)^2 over both variances; as d and m add up to the data n,
    that bracket is d_b n_c - n_b d_c, which is linear in the features.
    """
    data, background, variance = (
        [Fraction(float(x)) for x in each] for each in (counts.data, counts.background, counts.variance)
    )
    model = [
        [Fraction(float(signal[b])) + background[b], *(Fraction(float(x)) for x in rates[:, b])]
        for b in range(len(data))
    ]
    difference = [[data[b] - model[b][0], *(-x for x in model[b][1:])] for b in range(len(data))]
    size = range(1 + len(rates))

    def form(vectors: list[tuple[list[Fraction], Fraction]]) -> list[list[Fraction]]:
        return [[sum((v[i] * v[j] / s for v, s in vectors), Fraction(0)) for j in size] for i in size]

    pairs = [
        ([difference[b][i] * data[c] - data[b] * difference[c][i] for i in size], variance[b] * variance[c])
        for b, c in itertools.combinations(range(len(data)), 2)
    ]
    alone = [list(zip(vectors, variance, strict=True)) for vectors in (difference, model)]
    return [form(alone[0]), form(pairs), form(alone[1])]


def of_form(form: list[list[Fraction]], e: np.ndarray) -> Fraction:
    point = [Fraction(float(x)) for x in e]
    return sum((a * b * form[i][j] for i, a in enumerate(point) for j, b in enumerate(point)), Fraction(0))


@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 2**32 - 1), st.floats(0, 6))
@settings(max_examples=60)
def test_the_forms_are_those_of_exact_arithmetic(bins: int, features: int, seed: int, alike: float) -> None:
    """They agree also where data and prediction are nearly proportional, so that S_dd S_mm - (d m)^2 would cancel."""
    rng = np.random.default_rng(seed)
    signal = rng.uniform(1, 30, bins)
    rates = rng.uniform(0, 50, (features, bins))
    data = 1.5 * signal * (1 + 10**-alike * rng.normal(size=bins))
    background = rng.uniform(0, 5, bins) * rng.integers(2)
    counts = Counts(data, background, rng.uniform(1, 9, bins), 0.0)
    ours, theirs = forms_of(rates, signal, counts), exact(rates, signal, counts)
    for e in (np.eye(1 + features)[0], np.array([1.0, *rng.normal(size=features)])):
        s_dd, det, s_mm = (float(of_form(form, e)) for form in theirs)
        largest = np.abs(e) @ np.abs(ours) @ np.abs(e)  # the size of the terms beside which a sum loses digits
        assert e @ ours[0] @ e == pytest.approx(s_dd, rel=1e-13, abs=1e-14 * largest[0])
        # D is n^2 times the square of what d is across the data: d rounds, so what remains of it has that error
        rounding = math.sqrt(det * largest[0] * np.sum(data**2 / counts.variance))
        assert e @ ours[1] @ e == pytest.approx(det, rel=1e-13, abs=1e-14 * (largest[1] + rounding))
        assert e @ ours[2] @ e == pytest.approx(s_mm, rel=1e-13, abs=1e-14 * largest[2])
    diagonal = [[float(form[i][i]) for i in range(1 + features)] for form in theirs]
    # where nothing is left across the data, the square of the rounding is
    left = np.array(diagonal[0]) * np.sum(data**2 / counts.variance) * 1e-15**2
    for s, i in np.ndindex(3, 1 + features):
        assert ours[s, i, i] == pytest.approx(diagonal[s][i], rel=1e-8, abs=100 * left[i])
        assert ours[s, i, i] >= 0


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_one_bin_has_no_determinant(features: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates, signal = rng.uniform(0, 50, (features, 1)), rng.uniform(0, 50, 1)
    counts = Counts(rng.uniform(0.1, 1e3, 1), rng.uniform(0, 5, 1), rng.uniform(0.1, 1e3, 1), 0.0)
    assert not square_roots(rates, signal, counts)[1].any()
    assert not building.build([experiments.load(CSI)], load("chi"), {}).roots[0, 0, 1].any()


@pytest.mark.parametrize("name", NAMES)
def test_a_projection_is_its_data_in_the_standard_model(name: str) -> None:
    """S_dd and D of the Standard Model are zero to the last bit, and so is chi2."""
    ((roots,),) = building.build([experiments.load(name).expected()], load("chi"), {}).roots
    assert not roots[:2, :, 0].any()
    assert roots[2, :, 0].any()
    assert fastscan.chi2(experiments.load(name).expected(), "lr", m_zprime=math.inf, sigma_sys=[0.0, 0.1]).tolist() == [
        0.0,
        0.0,
    ]


def in_bins(name: str, num: int) -> Experiment:
    """An experiment of the package with so many bins of equal width, up to the largest recoil or the last bin's end."""
    whole = experiments.load(name)
    edges = whole.detector.bin_edges(whole.largest_recoil_mev)
    bins = tuple(float(edge) for edge in np.linspace(edges[0], edges[-1], num + 1))
    return replace(whole, name=f"{name}-{num}", detector=replace(whole.detector, bins=bins))


def textbook(standard: np.ndarray, excess: np.ndarray, background: float, sigma: float) -> float:
    """chi2 of a projection whose nuisance scales all expected events, minimised over the nuisance."""
    prediction, variance = standard * (1 + background) + excess, standard * (1 + background)
    mixed = math.fsum(-excess * prediction / variance)
    squares = math.fsum(excess**2 / variance), math.fsum(prediction**2 / variance)
    return squares[0] - sigma**2 * mixed**2 / (1 + sigma**2 * squares[1])


@pytest.mark.parametrize("model", ["chi", "psi", "lr", "lr-nc"])
def test_thousands_of_bins(model: str) -> None:
    """51Cr in 3000 bins of 0.2 keV, against closed integrals of Eq. 6 over each."""
    fine = in_bins("cr51-lxe-a", 3000)
    edges = [0.6 * i / 3000 for i in range(3001)]
    per_coupling = naive.electron_rates_in("cr51-lxe-a", tuple(edges))

    def counted(pair: naive.Pair) -> np.ndarray:
        return np.array([pair[0] ** 2, pair[1] ** 2, -pair[0] * pair[1]]) @ per_coupling

    def chi2(mass: float, sigma: float) -> float:
        standard = counted(naive.sm_couplings("nu-e"))
        excess = counted(naive.couplings("nu-e", model, mass)) - standard
        return textbook(standard[standard > 0], excess[standard > 0], 0.0, sigma)

    total = fastscan.events(fine, model, m_zprime=300.0)
    assert total == pytest.approx(counted(naive.couplings("nu-e", model, 300.0)).sum(), rel=1e-9)
    for mass, sigma in itertools.product([20.0, 150.0, 800.0], [0.0, 0.0025, 0.1]):
        ours = fastscan.chi2(fine, model, m_zprime=mass, sigma_sys=sigma)
        assert ours == pytest.approx(chi2(mass, sigma), rel=1e-7)
    limit = float(fastscan.limit(fine, model))
    assert chi2(limit, 0.0025) == pytest.approx(2.705543454095404, rel=1e-6)
    assert chi2(1.01 * limit, 0.0025) < 2.70554 < chi2(0.99 * limit, 0.0025)
    # 120 bins see the same, but for what they blur
    assert limit == pytest.approx(float(fastscan.limit("cr51-lxe-a", model)), rel=1e-2)


def test_hundreds_of_bins_at_a_reactor() -> None:
    """Germanium at a power plant: some bins are compared with naive nested quadrature, and all with their sum."""
    num, mass = 300, 150.0
    fine = in_bins("conus", num)
    whole = fastscan.events("conus", "chi", m_zprime=[mass, math.inf])
    assert fastscan.events(fine, "chi", m_zprime=[mass, math.inf]) == pytest.approx(whole, rel=1e-9)
    by_bin = response(fine).total
    weak = naive.sm_couplings("cevns")
    edges = np.array(fine.detector.bins) / naive.KEV
    for b in (0, 150):
        expected = naive.events_between("conus", weak, float(edges[b]), float(edges[b + 1]))
        assert by_bin[b] @ [weak[0] ** 2, weak[0] * weak[1], weak[1] ** 2] == pytest.approx(expected, rel=1e-8)
    first, second = naive.couplings("cevns", "chi", mass)
    standard, found = (by_bin @ [p * p, p * n, n * n] for p, n in (weak, (first, second)))
    seen = standard > 0
    ours = fastscan.chi2(fine, "chi", m_zprime=mass)
    assert ours == pytest.approx(textbook(standard[seen], (found - standard)[seen], 0.05, 0.2), rel=1e-8)


def test_a_row_costs_the_same_whatever_the_bins() -> None:
    """Arrays of a likelihood, and results for its rows, have the same shapes for 30 bins and for 3000."""
    shapes = []
    for num in (30, 3000):
        model = points.prepare(in_bins("cr51-lxe-a", num), "e6", {"beta": np.linspace(0, 3, 50)}).likelihood
        arrays = [
            getattr(model, field.name)
            for field in fields(model)
            if field.name not in ("members", "exchanges", "counted", "named")
        ]
        columns, _ = model.columns(np.arange(50), {"sigma_sys": 0.1})
        arrays += [model.sums, model.counts, model.scale, *(getattr(columns, field.name) for field in fields(columns))]
        shapes.append([each.shape for each in arrays])
    assert shapes[0] == shapes[1]
    assert max(size for shape in shapes[1] for size in shape) == 50


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"m_zprime": -1.0}, "m_zprime must be at least 0.001 GeV, not -1"),
        ({"m_zprime": 0.0}, "m_zprime must be at least"),
        ({"m_zprime": float("nan")}, "m_zprime must be at least 0.001 GeV, not nan"),
        ({"m_zprime": "heavy"}, "m_zprime must be a number"),
        ({"m_zprime": 100.0, "sigma_sys": -0.1}, "sigma_sys must be zero or positive"),
        ({"m_zprime": 100.0, "sigma_sys": {"coherent-cs": 0.1}}, "did you mean 'coherent-csi'"),
        ({"m_zprime": 100.0, "luminosity": 0.0}, "luminosity must be positive"),
        ({"m_zprime": 100.0, "luminosity": float("inf")}, "luminosity must be positive, from"),
        ({"m_zprime": 100.0, "beta": 0.0}, "model 'chi' has no beta"),
        ({"m_zprime": [1.0, 2.0], "sigma_sys": [0.1, 0.2, 0.3]}, "do not broadcast"),
    ],
)
def test_bad_arguments_are_told(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(FastscanError, match=problem):
        fastscan.chi2(CSI, "chi", **arguments)


def test_bad_experiments_are_told() -> None:
    with pytest.raises(FastscanError, match="did you mean 'coherent-csi'"):
        fastscan.events("coherent_csi", "chi", m_zprime=100.0)
    with pytest.raises(FastscanError, match="there twice"):
        fastscan.chi2([CSI, CSI], "chi", m_zprime=100.0)
    with pytest.raises(FastscanError, match="no experiment"):
        fastscan.chi2([], "chi", m_zprime=100.0)
    with pytest.raises(FastscanError, match="'coherent-csi' counts more than 1e\\+15 events"):
        fastscan.chi2(replace(experiments.load(CSI), exposure_s=math.nan), "chi", m_zprime=100.0)


@pytest.mark.filterwarnings("ignore:M_Z. is below:fastscan.FastscanWarning")
def test_a_light_mediator_is_far_from_the_standard_model() -> None:
    assert fastscan.chi2(CSI, "chi", m_zprime=1.0) == pytest.approx(1 / 0.28**2, rel=1e-3)
