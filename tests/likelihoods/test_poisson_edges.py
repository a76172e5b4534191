"""Edge cases of counted events: empty bins and backgrounds, signals of zero and of any size, members in any order."""

import math
import warnings
from dataclasses import replace
from itertools import permutations
from random import Random

import naive_poisson
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

import fastscan
from fastscan.errors import FastscanWarning
from fastscan.likelihoods.building import combine
from fastscan.likelihoods.gaussian import no_roots
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.poisson import PoissonColumns, PoissonCounts
from fastscan.limits import points
from fastscan.limits.drawn import Drawn, Truth

BACKGROUND = [3.0, 0.5, 7.0]
DATA = [4.0, 0.0, 9.0]
SIGNAL = [1.0, 2.0, 0.5]


def counted(
    data: list[float],
    background: list[float],
    signal: list[float],
    effects: tuple[list[float], ...] = (),
    shapes: tuple[list[float], ...] = (),
) -> PoissonCounts:
    """One neutrino in one bin of energy; the signal, and its changes at one standard deviation, are times x."""
    bins = len(data)
    return PoissonCounts(
        rates=np.array([0.0, 1.0]).reshape(1, 2, 1, 1),
        arriving=np.array([signal, *shapes]).reshape(1 + len(shapes), 1, 1, bins),
        background=np.array(background),
        data=np.array(data),
        effects=np.array(effects).reshape(len(effects), bins),
        is_measured=True,
    )


def likelihood(counts: PoissonCounts, name: str = "own", sigma_sys: float = 0.1) -> Likelihood:
    """The likelihood of one member whose signal is multiplied by x."""
    return Likelihood(
        members=(name,),
        rates=counts.totals[None],
        roots=no_roots(1, 2)[None],
        change=np.array([[[[0.0, 1.0, 0.0]]]]),
        spread=np.zeros(1),
        norm=np.zeros(1),
        sigma_sys=np.array([sigma_sys]),
        follows=np.ones(1),
        momentum_transfer=np.ones(1),
        named=(),
        common=np.zeros((1, 0)),
        counted=(counts,),
    )


def chi2(counts: PoissonCounts, scale: float, sigma_sys: float) -> float:
    """chi2 with the signal multiplied by a scale."""
    found = likelihood(counts).chi2(np.array([scale]), np.array([0]), {"sigma_sys": sigma_sys})
    return float(found[0])


def naive(counts: PoissonCounts, scale: float, sigma_sys: float) -> float:
    """The same chi2 from the reference calculation."""
    signal = scale * counts.arriving.reshape(len(counts.arriving), -1)
    measured = naive_poisson.Counted(
        recoils=[],
        arrival={},
        sigma=sigma_sys,
        backgrounds={"all": counts.background},
        changes={str(number): each for number, each in enumerate(counts.effects)},
        observed=counts.data,
    )
    return naive_poisson.minimum(measured, signal).chi2


def column(counts: PoissonCounts, sigma_sys: float) -> PoissonColumns:
    found, _ = likelihood(counts).columns(np.array([0]), {"sigma_sys": sigma_sys})
    assert isinstance(found, PoissonColumns)
    return found


@pytest.mark.parametrize("centre", [-3.0, -1.01, -0.5])
def test_centres_of_constraints_at_which_a_bin_is_empty(centre: float) -> None:
    """A toy's background can be drawn so low that no events are expected where the search would begin."""
    counts = counted([4.0, 9.0], [3.0, 7.0], [0.01, 0.02], effects=([3.0, 0.5],))
    truth = Truth.unmoved(likelihood(counts), column(counts, 0.1), 1.0)
    toy = truth.columns_of(Drawn([counts.data[None]], np.array([[0.0, centre]])))

    def chi2(z: np.ndarray) -> float:
        m = (1 + 0.1 * z[0]) * np.array([0.01, 0.02]) + counts.background + z[1] * np.array([3.0, 0.5])
        if (m <= 0).any():
            return math.inf
        n = counts.data
        return float(2 * (m - n + n * np.log(n / m)).sum() + z[0] ** 2 + (z[1] - centre) ** 2)

    naive = minimize(chi2, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert toy.chi2(np.ones(1))[0, 0] == pytest.approx(naive.fun, rel=1e-9)


@pytest.mark.parametrize("x", [-1.0, -0.9, 0.0, 3.0])
def test_a_signal_without_which_the_first_guess_of_a_background_is_negative(x: float) -> None:
    """The guess is for the Standard Model's signal of 12 events with one count; at x = -1 there is no signal."""
    counts = replace(
        counted([1.0, 9.0], [3.0, 7.0], [12.0, 0.1], effects=([6.0, 0.5],)),
        rates=np.array([1.0, 1.0]).reshape(1, 2, 1, 1),
    )
    assert counts.background[0] + counts.likely[0] * 6.0 < -1
    assert chi2(counts, x, 0.1) == pytest.approx(naive(counts, 1 + x, 0.1), rel=1e-9)


def test_a_bin_with_events_is_what_its_formula_says() -> None:
    ours = chi2(counted([4.0], [3.0], [2.0]), 1.0, 0.0)
    assert ours == pytest.approx(2 * (5 - 4 + 4 * math.log(4 / 5)), rel=1e-14)


def test_a_bin_without_events_is_twice_what_is_expected() -> None:
    assert chi2(counted([0.0], [3.0], [2.0]), 1.0, 0.0) == 10.0


def test_a_normalisation_is_minimised_over_in_a_bin_without_events() -> None:
    """2 (1 + a) S + (a / sigma)^2 is smallest at a = -sigma^2 S."""
    assert chi2(counted([0.0], [0.0], [2.0]), 1.0, 0.5) == pytest.approx(2 * 2 - 0.5**2 * 2**2, rel=1e-14)


def test_a_normalisation_is_minimised_over_in_a_bin_with_events() -> None:
    """1 - n / m + (m - S) / (sigma S)^2 = 0 is a quadratic equation in m."""
    n, s, width = 4.0, 2.0, (0.5 * 2.0) ** 2
    m = (s - width) / 2 + math.sqrt((s - width) ** 2 / 4 + width * n)
    expected = 2 * (m - n + n * math.log(n / m)) + (m - s) ** 2 / width
    assert chi2(counted([n], [0.0], [s]), 1.0, 0.5) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("sigma_sys", [0.0, 0.1, 3.0])
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0, 30.0])
def test_an_empty_background(scale: float, sigma_sys: float) -> None:
    empty = counted([4.0, 0.0, 0.0], [0.0] * 3, SIGNAL, effects=([0.0] * 3,))
    assert chi2(empty, scale, sigma_sys) == pytest.approx(naive(empty, scale, sigma_sys), rel=1e-10)


def test_no_background_at_all() -> None:
    """An experiment without background counts as many events as it expects."""
    assert chi2(counted(SIGNAL, [0.0] * 3, SIGNAL), 1.0, 0.1) == 0.0


@pytest.mark.parametrize("sigma_sys", [0.0, 0.1, 1e6])
def test_a_signal_of_zero_leaves_the_background(sigma_sys: float) -> None:
    counts = counted(DATA, BACKGROUND, SIGNAL, shapes=([0.3, -0.3, 0.0],))
    deviance = sum(2 * (b - d + (d * math.log(d / b) if d else 0.0)) for d, b in zip(DATA, BACKGROUND, strict=True))
    assert chi2(counts, 0.0, sigma_sys) == pytest.approx(deviance, rel=1e-14)


@pytest.mark.parametrize("sigma_sys", [0.01, 0.12, 1.0])
@pytest.mark.parametrize("scale", [1e3, 1e6, 1e12, 1e18])
def test_a_huge_signal(scale: float, sigma_sys: float) -> None:
    counts = counted([4.0, 1.0, 9.0], BACKGROUND, SIGNAL, effects=([0.5, 0.1, -0.4],), shapes=([0.3, -0.3, 0.0],))
    assert chi2(counts, scale, sigma_sys) == pytest.approx(naive(counts, scale, sigma_sys), rel=1e-10)


@pytest.mark.parametrize(
    "scale",
    [1e3, 1e6, pytest.param(1e10, marks=pytest.mark.xfail(reason="the Hessian loses the priors", strict=True))],
)
def test_a_huge_signal_whose_shapes_are_all_that_of_its_normalisation(scale: float) -> None:
    """In one bin, the nuisances share the price of taking it away: 1 / (sum of their squared relative changes)."""
    counts = counted([3.0], [0.0], [48.0], shapes=([-2.0], [-7.0]))
    expected = (1 - 3 / (48 * scale)) ** 2 / (1.5**2 + (2 / 48) ** 2 + (7 / 48) ** 2)
    assert chi2(counts, scale, 1.5) == pytest.approx(expected, rel=3 / scale)


@pytest.mark.parametrize("sigma_sys", [0.01, 0.12, 1.0])
def test_a_huge_signal_saturates(sigma_sys: float) -> None:
    """The normalisation removes as much of the signal as is best, which costs 1 / sigma^2."""
    counts = counted([4.0, 1.0, 9.0], BACKGROUND, SIGNAL, effects=([0.5, 0.1, -0.4],))
    best = minimize_scalar(lambda kept: naive(counts, kept, 0.0), bounds=(0, 10), method="bounded").fun
    assert chi2(counts, 1e12, sigma_sys) == pytest.approx(best + 1 / sigma_sys**2, rel=1e-9)


def test_a_huge_signal_without_an_error_is_as_improbable_as_it_is() -> None:
    counts = counted(DATA, BACKGROUND, SIGNAL)
    assert chi2(counts, 1e12, 0.0) == pytest.approx(2e12 * sum(SIGNAL), rel=1e-10)


@pytest.mark.parametrize("sigma_sys", [0.0, 0.1])
def test_events_where_nothing_is_expected_are_infinitely_improbable(sigma_sys: float) -> None:
    counts = counted([4.0, 1.0], [3.0, 0.0], [2.0, 0.0], effects=([0.5, 0.0],))
    assert chi2(counts, 1.0, sigma_sys) == math.inf
    values, slope, curvature = column(counts, sigma_sys).derivatives(np.zeros(2, int), np.array([1.0, 6.0]))
    assert (values == math.inf).all()
    assert np.isnan([slope, curvature]).all()


def test_infinity_ends_where_something_is_expected() -> None:
    """Along the strength, the signal vanishes in the only bin with events and without background."""
    counts = counted([4.0, 1.0], [3.0, 0.0], [2.0, 1.0])
    found = column(counts, 0.1).chi2(np.array([0.0, 1e-9, 1.0]))[0]
    assert found[0] == math.inf
    assert np.isfinite(found[1:]).all()


@pytest.mark.xfail(reason="what nothing is expected of without nuisances is taken for impossible", strict=True)
def test_a_nuisance_can_make_up_for_nothing() -> None:
    """In a bin with an event, nothing is expected but by a nuisance: 2 (z - 1 - ln z) + z^2 at 2 z^2 + 2 z - 2 = 0."""
    z = (math.sqrt(5) - 1) / 2
    expected = 2 * (z - 1 - math.log(z)) + z**2
    assert chi2(counted([1.0], [0.0], [0.0], effects=([1.0],)), 1.0, 0.1) == pytest.approx(expected, rel=1e-12)


def test_less_than_nothing_in_a_bin_without_events_is_warned_of() -> None:
    """A nuisance, pulled by the other bin, removes more than there is; the bin still adds 2 m to chi2."""
    counts = counted([0.0, 20.0], [1.0, 5.0], [0.0, 0.0], effects=([-3.0, 5.0],))
    with pytest.warns(FastscanWarning, match="a negative number of events is expected in a bin without events"):
        ours = chi2(counts, 1.0, 0.1)
    assert ours == pytest.approx(naive(counts, 1.0, 0.1), rel=1e-10)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_less_than_nothing_is_warned_of_in_each_of_members_that_share_a_nuisance(order: tuple[int, int]) -> None:
    less = counted([0.0, 20.0], [1.0, 5.0], [0.0, 0.0], effects=([-3.0, 5.0],))
    members = [
        replace(likelihood(counts, name), named=("flux",), common=np.array([[0.05]]))
        for name, counts in (("less", less), ("enough", counted(DATA, BACKGROUND, SIGNAL)))
    ]
    joint = combine([members[number] for number in order])
    assert joint.shared == ("flux",)
    with pytest.warns(FastscanWarning, match="a negative number of events is expected in a bin without events"):
        joint.chi2(np.array([1.0]), np.array([0]), {"sigma_sys": 0.1})


def test_nothing_in_a_bin_without_events_is_no_reason_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chi2(counted([0.0, 4.0], [0.0, 4.0], [0.0, 0.0]), 1.0, 0.1) == 0.0


def test_no_error_of_the_normalisation_is_the_limit_of_a_small_one() -> None:
    counts = counted(DATA, BACKGROUND, SIGNAL, effects=([0.5, 0.1, -0.4],))
    without = chi2(counts, 3.0, 0.0)
    assert without == pytest.approx(naive(counts, 3.0, 0.0), rel=1e-12)
    assert chi2(counts, 3.0, 1e-7) == pytest.approx(without, rel=1e-12)
    assert chi2(counts, 3.0, 1e-2) < without


amounts = st.one_of(st.just(0.0), st.floats(0.01, 50.0))


@st.composite
def problems(draw: st.DrawFn) -> PoissonCounts:
    """A few bins, with or without events, backgrounds and signals."""
    bins = draw(st.integers(1, 6))

    def each(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=bins, max_size=bins))

    background, signal = each(amounts), each(amounts)
    changes = st.floats(-0.3, 0.3)
    effects = [np.multiply(each(changes), background) for _ in range(draw(st.integers(0, 3)))]
    shapes = [np.multiply(each(changes), signal) for _ in range(draw(st.integers(0, 2)))]
    data = [float(n) for n in each(st.integers(0, 60))]
    return counted(data, background, signal, tuple(effects), tuple(shapes))


scales = st.one_of(st.just(0.0), st.floats(1e-6, 1e3), st.floats(1e3, 1e6))
errors = st.one_of(st.just(0.0), st.floats(1e-3, 2.0))


@given(problems(), scales, errors)
@pytest.mark.filterwarnings("ignore:a negative number")
def test_any_problem_has_the_minimum_of_the_reference(counts: PoissonCounts, scale: float, sigma_sys: float) -> None:
    ours, theirs = chi2(counts, scale, sigma_sys), naive(counts, scale, sigma_sys)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@given(problems(), st.lists(scales, min_size=1, max_size=40), errors, st.randoms(use_true_random=False))
@pytest.mark.filterwarnings("ignore:a negative number")
def test_no_bit_depends_on_the_order_or_on_what_is_computed_beside(
    counts: PoissonCounts, of: list[float], sigma_sys: float, random: Random
) -> None:
    found, x = column(counts, sigma_sys), np.array(of)
    whole = found.chi2(x, in_parallel=False)[0]
    order = list(range(len(of)))
    random.shuffle(order)
    cut = random.randrange(len(of))
    assert found.chi2(x[order], in_parallel=False)[0].tobytes() == whole[order].tobytes()
    pieces = [found.chi2(each, in_parallel=False)[0] for each in (x[:cut], x[cut:]) if each.size]
    assert np.concatenate(pieces).tobytes() == whole.tobytes()
    with_slopes, *_ = found.derivatives(np.zeros(x.size, int), x)
    assert with_slopes.tobytes() == whole.tobytes()
    assert found.chi2(x, in_parallel=True)[0].tobytes() == whole.tobytes()


@pytest.mark.parametrize("experiment", ["coherent-csi-2021", "coherent-lar-2020"])
@pytest.mark.parametrize("model", ["nsi-ee-u", "b-l"])
def test_no_bit_depends_on_threads(experiment: str, model: str) -> None:
    random = np.random.default_rng(1)
    at = {"eps": random.normal(size=50)}
    if model == "b-l":
        at = {"m_zprime": 10 ** random.uniform(-4, 1, 50), "g": 10 ** random.uniform(-6, -2, 50)}
    rows, x = points.prepare_points(experiment, model, at)
    found, _ = rows.likelihood.columns(np.broadcast_to(rows.index, x.shape), {})
    serial = found.chi2(x[:, None], in_parallel=False)
    assert len(np.unique(serial)) == 50
    all_threads = numba.get_num_threads()
    for threads in range(1, all_threads + 1):
        numba.set_num_threads(threads)
        try:
            assert found.chi2(x[:, None], in_parallel=True).tobytes() == serial.tobytes()
        finally:
            numba.set_num_threads(all_threads)


@pytest.mark.parametrize("members", [*permutations(["coherent-csi-2021", "coherent-lar-2020", "coherent-ge"])])
def test_members_in_any_order_add_up(members: tuple[str, ...]) -> None:
    """Members that share nothing have the same chi2 to the last bit; their sum differs by rounding alone."""
    eps = np.array([-0.3, 0.0, 0.1, 20.0])
    alone = {member: fastscan.chi2(member, "nsi-mumu-d", eps=eps) for member in members}
    joint = fastscan.chi2(members, "nsi-mumu-d", eps=eps, independent=True)
    assert joint == pytest.approx(sum(alone.values()), rel=1e-15)
    two = fastscan.chi2(members[:2], "nsi-mumu-d", eps=eps, independent=True)
    assert two.tobytes() == sum(alone[member] for member in members[:2]).tobytes()


def test_members_that_share_nuisances_are_the_same_in_any_order() -> None:
    eps = np.array([-0.3, 0.0, 0.1, 20.0])
    members = ["coherent-csi-2021", "coherent-lar-2020", "coherent-ge"]
    found = [fastscan.chi2(each, "nsi-mumu-d", eps=eps) for each in permutations(members)]
    assert all(each == pytest.approx(found[0], rel=1e-12) for each in found)
    assert (found[0] > fastscan.chi2(members, "nsi-mumu-d", eps=eps, independent=True)).any()
