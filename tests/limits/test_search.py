"""The search along columns of any kind, compared with the kernel for Gaussian columns and with brute force."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

import fastscan
from fastscan import experiments
from fastscan.errors import ExperimentError
from fastscan.experiments.observations import Gaussian
from fastscan.interactions.catalogue import load
from fastscan.likelihoods import building
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.poisson import PoissonColumns
from fastscan.limits import crossings
from fastscan.limits import search as searching
from fastscan.limits.crossings import find_crossings, infimum
from fastscan.limits.search import LADDER, Found, search
from fastscan.typing import Array, IntArray

DELTA = 2.705543454095404  # 90 % of chi2 with 1 degree of freedom
LARGEST = 1e12
MASSES = np.geomspace(1e-6, 10, 3)  # GeV
ROWS: dict[str, dict[str, Array]] = {
    "e6": {"beta": np.linspace(0.1, 3.0, 9)},
    "universal": {"m_zprime": MASSES},
    "le-ltau": {"m_zprime": MASSES},
    "scalar-q14": {"m_phi": MASSES},
    "magnetic-e": {},
    "millicharge-e": {},
    "radius-mu": {},
    "nsi-ee": {"eps_d": np.linspace(-0.9, 0.9, 5)},
    "nsi-emu": {"eps_d": np.linspace(-0.9, 0.9, 5)},
    "nsi-mumu": {"eps_d": np.linspace(-0.9, 0.9, 5)},
    "s2w": {},
}
WITH_GAUSSIAN_COLUMNS = [
    name for name in experiments.names() if isinstance(experiments.load(name).statistics, Gaussian)
]
SETTINGS = {"sigma_sys": np.array([0.0, 0.05, 1.0])[:, None], "luminosity": np.array([1.0, 30.0, 1000.0])}

Derivatives = tuple[Array, Array, Array]  # a value, its slope and its curvature
Function = Callable[[Array], Derivatives]


@pytest.fixture(autouse=True)
def gaussian_columns_have_their_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the search would be compared with itself."""
    monkeypatch.setattr(crossings, "FEW_COLUMNS", 0)


@dataclass(frozen=True, eq=False)
class OfAnotherKind:
    """Gaussian columns that are not recognised as such, and the number of their computed points."""

    gaussian: GaussianColumns
    points: list[int]

    @property
    def row(self) -> IntArray:
        return self.gaussian.row

    @property
    def scale(self) -> Array:
        return self.gaussian.scale

    def some(self, chosen: IntArray) -> Self:
        return replace(self, gaussian=self.gaussian.some(chosen))

    def chi2(self, x: Array, in_parallel: bool | None = None) -> Array:
        return self.gaussian.chi2(x, in_parallel)

    def derivatives(self, column: IntArray, x: Array) -> Derivatives:
        self.points.append(x.size)
        return self.gaussian.derivatives(column, x)

    def turning(self) -> Array:
        return self.gaussian.turning()


def columns_in(names: tuple[str, ...], model: str, rows: dict[str, Array]) -> OfAnotherKind:
    found = building.build([experiments.load(name) for name in names], load(model), rows)
    number = np.arange(found.change.shape[1])[:, None, None]
    return OfAnotherKind(found.columns(number, SETTINGS)[0], [])


def require_what_the_kernel_finds(columns: OfAnotherKind, model: str) -> None:
    strength = load(model).strength
    asked = DELTA, strength.largest_x, strength.signed
    found, expected = find_crossings(columns, *asked), find_crossings(columns.gaussian, *asked)
    np.testing.assert_array_equal(found.column, expected.column)
    assert found.x == pytest.approx(expected.x, rel=1e-9, abs=0)
    np.testing.assert_array_equal(found.sm_allowed, expected.sm_allowed)
    np.testing.assert_array_equal(found.flat, expected.flat)
    lowest = infimum(columns.gaussian, *asked[1:])
    assert infimum(columns, *asked[1:]) == pytest.approx(lowest, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", WITH_GAUSSIAN_COLUMNS)
def test_gaussian_columns_of_every_experiment(name: str) -> None:
    points = columns = 0
    for model, rows in ROWS.items():
        try:
            searched = columns_in((name,), model, rows)
        except ExperimentError:  # a mediator without mass and a detector without threshold, or no such neutrino
            continue
        require_what_the_kernel_finds(searched, model)
        points, columns = points + sum(searched.points), columns + 2 * searched.row.size
    assert 15 * columns < points < 60 * columns  # of these points 18 are rungs, or 35 where x has either sign


@pytest.mark.parametrize("model", ["universal", "b-l"])
def test_few_points_of_counted_events_are_computed(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    computed, derivatives = [], PoissonColumns.derivatives

    def counting(self: PoissonColumns, column: IntArray, x: Array) -> Derivatives:
        computed.append(x.size)
        return derivatives(self, column, x)

    monkeypatch.setattr(PoissonColumns, "derivatives", counting)
    masses = np.geomspace(1e-3, 1.0, 40)  # GeV
    _, status = fastscan.limit("coherent-csi-2021", model, m_zprime=masses, with_status=True)
    assert (status != "no_sensitivity").all()
    assert sum(computed) <= 45 * masses.size


@pytest.mark.parametrize("model", ["e6", "universal", "le-ltau", "nsi-ee", "nsi-mumu"])
def test_gaussian_columns_of_combinations(model: str) -> None:
    for names in (("coherent-csi", "conus"), ("coherent-csi", "coherent-lar", "neon")):
        require_what_the_kernel_finds(columns_in(names, model, ROWS[model]), model)


def test_these_columns_have_islands() -> None:
    """The tests above contain columns with three or more crossings, for x of one sign and of either sign."""
    for model in ("e6", "nsi-ee"):
        signed = load(model).strength.signed
        found = search(columns_in(("coherent-csi",), model, ROWS[model]), DELTA, LARGEST, signed)
        assert {1, 3} < set(found.number.tolist()) or {2, 4} <= set(found.number.tolist())


def test_two_valleys_that_a_ladder_sees_as_one() -> None:
    """Around the strength at which a flavour change takes back that of the other quark; found because S_dd turns."""
    columns = columns_in(("nucleus-chooz",), "nsi-emu", {"eps_d": np.linspace(-1, 1, 41)})
    require_what_the_kernel_finds(columns, "nsi-emu")


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Columns of any functions, whose scale is 1."""

    functions: tuple[Function, ...]
    may_turn_at: tuple[float, ...] = ()

    @property
    def row(self) -> IntArray:
        return np.arange(len(self.functions))

    @property
    def scale(self) -> Array:
        return np.ones(len(self.functions))

    def some(self, chosen: IntArray) -> Self:
        return replace(self, functions=tuple(self.functions[number] for number in chosen))

    def chi2(self, x: Array, in_parallel: bool | None = None) -> Array:
        return np.stack([function(x)[0] for function in self.functions])

    def derivatives(self, column: IntArray, x: Array) -> Derivatives:
        values = np.empty((3, x.size))
        for number, function in enumerate(self.functions):
            values[:, column == number] = function(x[column == number])
        return values[0], values[1], values[2]

    def turning(self) -> Array:
        return np.tile(self.may_turn_at, (len(self.functions), 1))


def polynomial(*coefficients: float) -> Function:
    """Columns that are polynomials, with coefficients from the lowest power on."""
    chi2 = np.polynomial.Polynomial(coefficients)
    return lambda x: (chi2(x), chi2.deriv()(x), chi2.deriv(2)(x))


def counted(data: Array, *powers: Array) -> Function:
    """chi2 of events counted in bins without nuisances; expected is a polynomial in x, whose powers are per bin."""

    def chi2(x: Array) -> Derivatives:
        expected, slope, curvature = (
            np.polynomial.polynomial.polyval(x, np.polynomial.polynomial.polyder(np.array(powers), order))
            for order in range(3)
        )
        seen, possible = data[:, None], ((expected > 0) | (data[:, None] == 0)).all(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(seen > 0, seen / expected, 0.0)
            value = expected - seen + np.where(seen > 0, seen * np.log(ratio), 0.0)
            first = slope * (1 - ratio)
            second = curvature * (1 - ratio) + np.where(seen > 0, ratio * slope**2 / expected, 0.0)
        return (
            np.where(possible, 2 * value.sum(axis=0), np.inf),
            np.where(possible, 2 * first.sum(axis=0), np.nan),
            np.where(possible, 2 * second.sum(axis=0), np.nan),
        )

    return chi2


def extremum(chi2: Function, low: float, middle: float, high: float) -> float:
    """Where chi2, finite or not, is lower or higher in the middle than at two ends."""
    sign = 1.0 if chi2(np.array([middle]))[0] <= chi2(np.array([low]))[0] else -1.0
    found = minimize_scalar(
        lambda x: sign * min(chi2(np.array([x]))[0][0], 1e9),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-9 * (high - low)},
    )
    return float(found.x)


def crossing(chi2: Function, level: float, low: float, high: float) -> float:
    return float(brentq(lambda x: min(chi2(np.array([x]))[0][0], 1e9) - level, low, high, xtol=1e-15))


def one(
    function: Function, delta: float = DELTA, *, signed: bool = False, may_turn_at: tuple[float, ...] = ()
) -> Found:
    return search(Synthetic((function,), may_turn_at), delta, LARGEST, signed)


def test_a_parabola() -> None:
    found = one(polynomial(25.0, -10.0, 1.0), delta=4.0)
    assert found.x == pytest.approx([7.0, 3.0], rel=1e-12)
    assert (found.lowest[0], found.at_zero[0]) == (pytest.approx(0.0, abs=1e-12), 25.0)
    assert not found.flat[0]


def test_a_parabola_below_zero() -> None:
    """Where x can't be below 0, the infimum is at 0."""
    column = Synthetic((polynomial(25.0, 10.0, 1.0),))
    assert search(column, 24.0, LARGEST, signed=False).x == pytest.approx([2.0], rel=1e-12)
    assert search(column, 4.0, LARGEST, signed=True).x == pytest.approx([-3.0, -7.0], rel=1e-12)
    near = find_crossings(column, 4.0, 5.0, signed=True)
    assert near.x == pytest.approx([-3.0], rel=1e-12)
    assert not near.sm_allowed[0]


def test_three_crossings() -> None:
    """x (x - 1) (x - 2) has its infimum at its minimum, and rises above it by the threshold before and after."""
    lowest = -2 / math.sqrt(27)
    found = one(polynomial(0.0, 2.0, -3.0, 1.0), delta=0.5)
    assert found.lowest[0] == pytest.approx(lowest, rel=1e-12)
    assert found.x == pytest.approx(np.sort(np.roots([1.0, -3.0, 2.0, -lowest - 0.5]))[::-1], rel=1e-12)


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e8])
def test_a_dip_between_two_rungs(size: float) -> None:
    """chi2 rises at both rungs, and turns twice between them; its slope is (x - turns[0]) (x - turns[1])."""
    low, high = LADDER[np.searchsorted(LADDER, 0.5) :][:2]
    turns = low + np.array([0.3, 0.6]) * (high - low)
    powers = size * np.array([0.0, turns.prod(), -turns.sum() / 2, 1 / 3])
    top, bottom = (np.polynomial.polynomial.polyval(x, powers) for x in turns)
    delta = (top + bottom) / 2
    found = one(polynomial(*powers), delta)
    expected = np.sort(np.roots([*powers[:0:-1], -delta]))[::-1]
    assert found.x == pytest.approx(expected, rel=1e-9)
    assert found.number[0] == 3


def test_a_column_that_nothing_distinguishes() -> None:
    found = find_crossings(Synthetic((polynomial(3.0), polynomial(3.0, 1e-15))), DELTA, LARGEST)
    assert (found.x.size, found.flat.tolist(), found.sm_allowed.tolist()) == (0, [True, True], [True, True])


def test_no_columns() -> None:
    found = find_crossings(Synthetic(()), DELTA, LARGEST)
    assert (found.x.size, found.flat.size, found.sm_allowed.size) == (0, 0, 0)


def test_chi2_that_becomes_infinite() -> None:
    """10 events, of which new physics takes all away at x = 4, and from there on something impossible is expected."""
    chi2 = counted(np.array([10.0]), np.array([10.0]), np.array([-2.5]))
    found = one(chi2)
    assert found.x == pytest.approx([crossing(chi2, DELTA, 0.1, 3.99)], rel=1e-9)
    assert (found.lowest[0], found.flat[0]) == (pytest.approx(0.0, abs=1e-12), False)


def test_chi2_that_falls_until_it_becomes_infinite() -> None:
    """There are so few events that chi2 falls with the expected number up to x = 1, where it becomes impossible."""
    found = one(counted(np.array([1e-30]), np.array([1.0]), np.array([-1.0])), delta=1.0)
    assert found.x == pytest.approx([1.0, 0.5], rel=1e-9)
    assert found.lowest[0] == pytest.approx(0.0, abs=1e-12)


def test_chi2_that_is_infinite_at_first() -> None:
    """Events of which the Standard Model expects none; new physics makes as many at x = 2."""
    chi2 = counted(np.array([10.0]), np.array([-10.0]), np.array([10.0]))
    found = find_crossings(Synthetic((chi2,)), DELTA, LARGEST)
    ends = [crossing(chi2, DELTA, *each) for each in ((2.0, 9.0), (1.01, 2.0))]
    assert found.x == pytest.approx(ends, rel=1e-9)
    assert not found.sm_allowed[0]
    assert infimum(Synthetic((chi2,)), LARGEST)[0] == pytest.approx(0.0, abs=1e-12)


def test_chi2_that_is_infinite_everywhere() -> None:
    found = find_crossings(Synthetic((counted(np.array([10.0]), np.array([0.0])),)), DELTA, LARGEST, signed=True)
    assert (found.x.size, found.flat[0], found.sm_allowed[0]) == (0, False, False)


def test_chi2_that_is_infinite_between_two_valleys() -> None:
    """Interference takes all events away at x = 2, and half of them on either side."""
    chi2 = counted(np.array([50.0]), np.array([400.0]), np.array([-400.0]), np.array([100.0]))
    found = one(chi2, may_turn_at=(2.0,))
    assert found.x.size == 4
    assert chi2(found.x)[0] == pytest.approx(DELTA, rel=1e-9)
    assert np.abs(found.x - 2.0) == pytest.approx(np.abs(found.x - 2.0)[::-1], rel=1e-9)


Bins = list[
    tuple[float, float, float, float]
]  # signal s, interference k, the rest m, background: s [(1 + k x)^2 + (m x)^2] + b

bins_of = st.lists(
    st.tuples(st.floats(1.0, 1e4), st.floats(-3.0, 3.0), st.floats(0.0, 2.0), st.sampled_from([0.0, 3.0, 1e3])).filter(
        lambda b: abs(b[1]) + b[2] > 0.1
    ),
    min_size=1,
    max_size=5,
)


@given(bins_of, st.booleans(), st.one_of(st.just(0.0), st.floats(-2.0, 2.0)), st.floats(0.7, 1.3))
@example([(100.0, -2.0, 0.0, 0.0)], False, 0.0, 1.0)  # an island around the strength at which the sign is turned
@example([(100.0, 2.0, 0.0, 1000.0), (100.0, -1.0, 0.0, 0.0)], True, 0.5, 1.0)
@example([(13.0, 2.0, 1.0, 3.0)], True, 0.0, 1.0)  # a rung is at the barrier between two valleys, up to rounding
@example([(1.5, -0.5, 0.5, 0.0)], False, 0.0, 1.0)  # or exactly
@example([(136.9160595065896, 0.9375, 1.0, 0.0)], True, 0.0, 0.75)
@example([(555.0, -1.0, 0.0, 0.0), (13.0, -2.5, 0.0, 0.0)], False, 1.07, 0.83)  # a valley between two infinite rungs
@example([(2372.0, -2.5, 1.0, 1000.0), (1.5, -1.036, 0.0, 0.0)], False, 0.0, 1.145)  # behind a barrier, and before one
@settings(max_examples=40)
def test_counted_events_are_what_a_scan_finds(bins: Bins, signed: bool, true: float, factor: float) -> None:
    s, k, m, b = np.array(bins).T
    powers = s + b, 2 * s * k, s * (k**2 + m**2)
    data = np.round(factor * np.polynomial.polynomial.polyval(true, np.array(powers)))
    chi2 = counted(data, *powers)
    lowest_counts = -powers[1] / (2 * powers[2])
    x = np.geomspace(1e-7, 1e4, 5001)
    x = np.concatenate([-x[::-1], [0.0], x]) if signed else np.concatenate([[0.0], x])
    x = np.unique([*x, *lowest_counts[signed | (lowest_counts > 0)]])
    values = chi2(x)[0]
    turning = np.flatnonzero((values[2:] > values[1:-1]) != (values[1:-1] > values[:-2])) + 1
    turns = [extremum(chi2, *x[i - 1 : i + 2]) for i in turning]
    x = np.sort([*x, *turns])
    values = chi2(x)[0]
    level = values.min() + DELTA
    assume((np.abs(chi2(np.array([0.0, *turns]))[0] - level) > 1e-3 * (1 + level)).all())
    places = np.flatnonzero((values[1:] > level) != (values[:-1] > level))
    expected = [crossing(chi2, level, *x[i : i + 2]) for i in places]
    found = one(chi2, signed=signed, may_turn_at=tuple(lowest_counts))
    assert found.lowest[0] == pytest.approx(values.min(), rel=1e-9, abs=1e-9)
    assert found.x[::-1].tolist() == pytest.approx(expected, rel=1e-7, abs=0)


ISLANDS = columns_in(("coherent-csi", "conus"), "e6", {"beta": np.radians([100.0, 20.0, 105.0])})
ALL = search(ISLANDS, DELTA, LARGEST, signed=False)


@given(st.lists(st.integers(0, ISLANDS.row.size - 1), min_size=1, max_size=40), st.integers(1, 2000))
@settings(max_examples=30)
def test_order_and_neighbours_change_no_bit(chosen: list[int], together: int) -> None:
    """Columns come in any order, some of them twice, and any number of them is computed at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "TOGETHER", together)
        found = search(ISLANDS.some(np.array(chosen)), DELTA, LARGEST, signed=False)
    for own, every in zip(found[:4], ALL[:4], strict=True):
        assert own.tobytes() == every[chosen].tobytes()
    of_column = np.split(ALL.x, np.cumsum(ALL.number)[:-1])
    assert found.x.tobytes() == np.concatenate([of_column[column] for column in chosen]).tobytes()
    assert ALL.number.max() >= 3
