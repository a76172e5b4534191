"""Kernels give the same numbers, to the last bit, whatever blocks, threads and neighbours they have."""

import itertools

import llvmlite.binding
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial

from fastscan.experiments import catalogue as experiments
from fastscan.interactions import contact
from fastscan.interactions.catalogue import load
from fastscan.interactions.standard_model import couplings, features
from fastscan.kernels import blocks, components, gaussian, ladders, polynomials, squares
from fastscan.kernels.crossings import crossings as finder
from fastscan.kernels.jit import jit
from fastscan.likelihoods import building
from fastscan.likelihoods.gaussian import between_extrema
from fastscan.likelihoods.modelled import in_lines
from fastscan.limits import crossings

BETA = np.linspace(0, np.pi, 9)
GAMMA = contact.gamma(np.geomspace(5, 3000, 23))
needs_compiler = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="of compiled code, or minutes without it")


def prepared(members: int = 1):
    one = building.build([experiments.load("coherent-csi")], load("e6"), {"beta": BETA})
    given = {"sigma_sys": np.linspace(0, 0.3, 5)[:, None], "luminosity": np.array([1.0, 10.0, 1000.0])}
    settings = one.settings(given).noise_and_variance(one.spread)
    return np.repeat(one.sums, members, axis=0), *(
        np.repeat(setting.reshape(1, -1), members, axis=0) for setting in settings
    )


def block(cuts: list[int] | None = None, dtype: str = "float64", members: int = 1) -> np.ndarray:
    """chi2 in a block, whose lines are computed in ranges between some cuts."""
    coefficients, noise, variance = prepared(members)
    out = np.full((BETA.size, GAMMA.size, noise.shape[1]), np.nan, dtype)
    edges = [0, *sorted(cuts or []), BETA.size * GAMMA.size]
    for first, last in itertools.pairwise(edges):
        blocks.chi2_block.compiled(coefficients, GAMMA, noise, variance, out, first, last)
    return out


@given(st.lists(st.integers(0, BETA.size * GAMMA.size), max_size=5))
@settings(max_examples=30)
def test_ranges_change_no_bit(cuts: list[int]) -> None:
    assert block(cuts).tobytes() == block().tobytes()


def test_columns_and_blocks_agree_to_the_last_bit() -> None:
    coefficients, noise, variance = prepared()
    b, k = (index.ravel() for index in np.indices((BETA.size, noise.shape[1])))
    gamma = np.tile(GAMMA, (b.size, 1))
    expected, found = np.moveaxis(block(), 1, 2).reshape(b.size, GAMMA.size), np.full(gamma.shape, np.nan)
    blocks.chi2_columns.compiled(coefficients, b, gamma, noise[:, k].copy(), variance[:, k].copy(), found, 0, b.size)
    assert found.tobytes() == expected.tobytes()


def test_derivatives_at_points_of_columns() -> None:
    """chi2 equals `chi2_columns`, and the derivatives equal differences over a small step."""
    one = building.build([experiments.load(name) for name in ("conus", "coherent-csi")], load("e6"), {"beta": BETA})
    columns, _ = one.columns(np.arange(BETA.size)[:, None], {"sigma_sys": np.array([0.0, 0.1, 0.3])})
    column, x = (index.ravel() for index in np.meshgrid(np.arange(columns.row.size), GAMMA))
    chi2, slope, curvature = columns.derivatives(column, x)
    each, out = np.tile(GAMMA, (columns.row.size, 1)), np.empty((columns.row.size, GAMMA.size))
    settings = columns.noise, columns.variance
    blocks.chi2_columns.run(columns.row.size, 1, False, columns.sums, columns.row, each, *settings, out)
    assert chi2 == pytest.approx(out.T.ravel(), rel=1e-14, abs=1e-14)
    step = 1e-4 * x
    (above, slope_above, _), (below, slope_below, _) = (columns.derivatives(column, x + h) for h in (step, -step))
    assert slope * x == pytest.approx((above - below) / (2 * step) * x, rel=1e-5, abs=1e-5)
    assert curvature * x**2 == pytest.approx((slope_above - slope_below) / (2 * step) * x**2, rel=1e-5, abs=1e-5)


def test_derivatives_of_one_member() -> None:
    """These derivatives find extrema between rungs."""
    sums, noise, variance = np.random.default_rng(1).normal(size=(3, 6)) ** 2, 0.7, 0.3

    def at(x: float) -> np.ndarray:
        return np.array(gaussian.chi2_derivatives(gaussian.sums_derivatives(gaussian.registers(sums), x), *settings))

    settings = variance / noise, noise, variance
    for x in (-1.3, 0.4, 2.0):
        s_dd, det, s_mm = gaussian.column_sums(sums, x)
        value, slope, curvature = at(x)
        assert value == pytest.approx((s_dd + det * variance / noise) / (noise + s_mm * variance), rel=1e-14)
        differences = (at(x + 1e-6) - at(x - 1e-6)) / 2e-6
        assert (slope, curvature) == pytest.approx(tuple(differences[:2]), rel=1e-6)


@jit
def put_peak(centre, width, energies, filled, out):
    components.put_gaussian(centre, width, energies, filled, out)


def test_derivatives_of_a_peak() -> None:
    """These are first and second derivatives in its centre and its width, and the mixed one."""
    energies, at, steps = np.linspace(0.5, 2.0, 13), np.array([1.2, 0.3]), 1e-6 * np.eye(2)
    lines, filled = in_lines(energies), in_lines(np.ones(13))

    def peak(at: np.ndarray) -> np.ndarray:
        out = np.zeros((6, *lines.shape))
        put_peak(*at, lines, filled, out)
        of_bins = out.reshape(6, -1)
        assert not of_bins[:, 13:].any()
        return of_bins[:, :13]

    by_centre, by_width = ((peak(at + step) - peak(at - step)) / 2e-6 for step in steps)
    expected = [by_centre[0], by_width[0], by_centre[1], by_centre[2], by_width[2]]
    assert peak(at)[0] == pytest.approx(np.exp(-0.5 * ((energies - 1.2) / 0.3) ** 2), rel=1e-14)
    assert peak(at)[1:] == pytest.approx(np.array(expected), abs=1e-7)


def found(order: np.ndarray, in_parallel: bool = False) -> list[np.ndarray]:
    """The results of `crossings` in some columns with islands, in the columns' order; gamma is padded with NaN."""
    beta = np.radians([100.0, 20.0, 105.0])
    loaded = [experiments.load(name) for name in ("conus", "coherent-csi")]
    both = building.build(loaded, load("e6"), {"beta": beta})
    given = {"sigma_sys": np.linspace(0, 0.3, 40)[:, None, None], "luminosity": np.geomspace(1, 1000, 20)[:, None]}
    columns = both.columns(np.arange(3), given)[0].some(order)
    b, others = columns.row, between_extrema(columns.sums, columns.scale)
    shared = columns.sums, crossings.LADDER, columns.scale, others, b, columns.noise, columns.variance
    lowest, at_zero, flat, count = np.empty(b.size), np.empty(b.size), np.empty(b.size, bool), np.empty(b.size, np.intp)
    answer = lowest, at_zero, flat, count, np.full((b.size, 4), np.nan)
    finder.run(b.size, b.size, in_parallel, *shared, 2.7, float(contact.gamma(1.0)), *answer)
    back = np.argsort(order)
    return [values[back] for values in answer]


@needs_compiler
@pytest.mark.parametrize("in_parallel", [False, True])
def test_order_and_threads_change_no_bit_of_a_crossing(in_parallel: bool) -> None:
    """Columns of the same beta are computed together, as many as come one after the other."""
    alone, shuffled = np.arange(2400), np.random.default_rng(0).permutation(2400)
    together = np.argsort(np.tile(np.arange(3), 800), kind="stable")
    expected = [values.tobytes() for values in found(alone)]
    for order in (together, shuffled):
        assert [values.tobytes() for values in found(order, in_parallel)] == expected
    assert {1, 3, 4} <= set(found(alone)[3].tolist())


@needs_compiler
def test_a_crossing_does_not_depend_on_the_columns_beside_it() -> None:
    """Extrema and crossings of many columns are refined together, until the last one converges."""
    together = found(np.arange(2400))
    for column in range(0, 2400, 7):
        alone = found(np.array([column]))
        assert [values.tobytes() for values in alone] == [values[[column]].tobytes() for values in together]


def test_where_chi2_rises_or_falls_whatever_the_setting_is() -> None:
    """The signs are those of the slope of (S_dd + D t) / (1 + S_mm t) at any t, times the square of its denominator."""
    ladder, risen, fallen = np.linspace(-3, 3, 41), 0, 0
    t = np.array([0.0, 1e-3, 0.1, 1.0, 10.0, 1e3])[:, None]
    for seed in range(100):
        own = np.random.default_rng(seed).normal(size=(1, 3, 6))
        own[..., 5] = np.abs(own[..., 5])
        first, between, rest = own[0, :, :3], own[0, :, 3:5], own[0, :, 5]
        sums = [
            Polynomial(c) ** 2 + Polynomial([0, 1]) ** 2 * (Polynomial(d) ** 2 + Polynomial([0, 0, e]))
            for c, d, e in zip(first, between, rest, strict=True)
        ]
        (s_dd, det, s_mm), slopes = ([each(ladder) for each in sums], [each.deriv()(ladder) for each in sums])
        slope = (slopes[0] + slopes[1] * t) * (1 + s_mm * t) - (s_dd + det * t) * slopes[2] * t
        rises, falls = ladders.rises_or_falls(own, ladder, 1.0)
        assert (slope[:, rises] >= -1e-9).all()
        assert (slope[:, falls] <= 1e-9).all()
        risen, fallen = risen + rises.sum(), fallen + falls.sum()
    assert min(risen, fallen) > 500


@needs_compiler
def test_blocks_are_computed_in_the_widest_vectors() -> None:
    if not llvmlite.binding.get_host_cpu_features().get("avx512f"):
        pytest.skip("this processor has no AVX-512")
    serial = numba.njit(nogil=True, error_model="numpy")(blocks.chi2_block.compiled.py_func)
    coefficients, noise, variance = prepared()
    serial(coefficients, GAMMA, noise, variance, np.empty((BETA.size, GAMMA.size, noise.shape[1])), 0, 1)
    assert all("zmm" in text for text in serial.inspect_asm().values())


def test_float32_is_the_rounded_float64() -> None:
    assert block(dtype="float32").tobytes() == block().astype("float32").tobytes()


def test_members_add_up() -> None:
    assert block(members=3) == pytest.approx(3 * block(), rel=1e-15)


def test_polynomials_are_the_sums() -> None:
    """The squares in gamma equal the length of the vector that they expand, whether counts cancel or not."""
    one = building.build([experiments.load("coherent-csi")], load("e6"), {"beta": BETA})
    standard = couplings("cevns")
    for b, kappa in enumerate(load("e6").kappa("cevns", {"beta": BETA})):
        for gamma in GAMMA:
            changes = features(standard + gamma * kappa) - features(standard)
            e = np.array([1.0, *changes.ravel()])
            sums = ((one.roots[0, 0] @ e) ** 2).sum(axis=-1)
            values = [polynomials.sum_of_squares(c, gamma) for c in one.sums[0, b]]
            assert values == pytest.approx(sums, rel=1e-12, abs=1e-20 * (one.roots[0, 0] ** 2).sum())


@pytest.mark.parametrize("features", [1, 3, 9])
def test_polynomials_of_any_basis_are_sums_of_squares(features: int) -> None:
    """This holds also where changes are not zero at x = 0; the derivatives equal those of the quartic."""
    rng = np.random.default_rng(features)
    roots = np.triu(rng.normal(size=(2, 3, 1 + features, 1 + features)))
    change = rng.normal(size=(2, 5, features, 3))
    coefficients = squares.polynomials(roots[:, None], change)
    assert coefficients.shape == (2, 5, 3, squares.SQUARES)
    u = np.concatenate([np.broadcast_to([1.0, 0.0, 0.0], (2, 5, 1, 3)), change], axis=2)
    v = np.einsum("msij,mrjp->mrsip", roots, u)
    for index in np.ndindex(2, 5, 3):
        quartic = sum((Polynomial(each) ** 2 for each in v[index]), Polynomial([0.0]))
        expanded = polynomials.with_slope(coefficients[index])
        for x in (0.0, 0.3, -2.0, 1e3):
            value, slope, curvature = polynomials.derivatives(expanded, x)
            assert value == pytest.approx(quartic(x), rel=1e-12)
            assert polynomials.sum_of_squares(coefficients[index], x) == value
            assert slope == pytest.approx(quartic.deriv()(x), rel=1e-10)
            assert curvature == pytest.approx(quartic.deriv(2)(x), rel=1e-10)
            without_compiler = squares.derivatives(coefficients[index], np.array(x))
            assert without_compiler == pytest.approx((value, slope, curvature), rel=1e-10)


@given(st.integers(1, 4), st.integers(1, 12), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_no_bit_of_a_row_s_squares_depends_on_other_rows(sums: int, features: int, shared: bool, seed: int) -> None:
    """Some features are always 0, such as flavours that a source lacks, and in some rows nothing changes."""
    rng = np.random.default_rng(seed)
    rows, basis = squares.ROWS + 3, 1 + features
    roots = np.triu(rng.normal(size=(2, 1 if shared else rows, sums, basis, basis)))
    roots[..., rng.random(basis) < 0.3] = 0.0
    change = rng.normal(size=(2, rows, features, 3)) * (rng.random((rows, 1, 1)) < 0.9)
    together = squares.polynomials(roots, change)
    for row in (0, 1, squares.ROWS - 1, squares.ROWS, rows - 1):
        own = roots if shared else roots[:, [row]]
        assert squares.polynomials(own, change[:, [row]]).tobytes() == together[:, [row]].tobytes()


def test_counts_that_cancel_keep_their_digits() -> None:
    """The counts are (1 - x)^2 near x = 1, where the quartic of their square has no digits left."""
    roots, change = np.array([[[[1.0, 0.0], [0.0, 0.0]]]]), np.zeros((1, 1, 1, 3))
    roots[0, 0, 0, 1], change[0, 0, 0] = 1.0, (0.0, -2.0, 1.0)
    (((coefficients,),),) = squares.polynomials(roots[:, None], change)
    x = 1 + 1e-5
    assert polynomials.sum_of_squares(coefficients, x) == pytest.approx((x - 1) ** 4, rel=1e-5)
