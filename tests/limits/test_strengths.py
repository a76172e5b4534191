"""Strengths of every kind: columns of either sign compared with a scan, and their bounds, statuses and intervals."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Write, ok, refusal
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

import fastscan
from fastscan.errors import FastscanError
from fastscan.experiments.observations import Counts
from fastscan.interactions.contact import HEAVY
from fastscan.interactions.interaction import Strength
from fastscan.interactions.parameters import EPS, MU
from fastscan.kernels.squares import polynomials
from fastscan.likelihoods.gaussian import GaussianColumns, square_roots
from fastscan.limits.crossings import Crossings, find_crossings, infimum
from fastscan.limits.limits import bounds_of, limits_of
from fastscan.typing import Array

INF, NAN = math.inf, math.nan
DELTA = 2.705543454095404  # 90 % of chi2 with 1 degree of freedom
TWO_SIDED, UPPER = Strength.direct(EPS, "two-sided"), Strength.direct(MU, "upper")
LARGEST = 1e30  # beyond every crossing here

Bins = list[tuple[float, float, float]]  # events s, interference k and the rest m: N = s [(1 + k x)^2 + (m x)^2]


def coefficients(bins: Bins, unit: float) -> Array:
    """Counts as polynomials in x / unit: shape (3, bins)."""
    return np.array([[s, 2 * s * k / unit, s * (k * k + m * m) / unit**2] for s, k, m in bins]).T


def columns_of(bins: Bins, unit: float, data: Array, sigma: float) -> GaussianColumns:
    """One column of such counts; the package itself computes sums from counts."""
    standard, linear, square = coefficients(bins, unit)
    counts = Counts(data=data, background=0 * data, variance=standard, spread=0.0)
    roots = square_roots(np.stack([linear, square])[None], standard, counts)
    change = np.array([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    scale = np.array([math.sqrt(standard.sum() / square.sum())])
    variance = np.array([[sigma**2]])
    sums = polynomials(roots[None], change[None])
    return GaussianColumns(sums, scale, np.zeros(1, np.intp), np.ones((1, 1)), variance)


def scanned(bins: Bins, unit: float, data: Array, sigma: float) -> tuple[list[float], float]:
    """All crossings of a column by brute force, ascending, and the infimum; unclear cases are skipped."""
    polynomial = coefficients(bins, unit)
    standard = polynomial[0]

    def chi2(x: float) -> float:
        n = polynomial[0] + x * (polynomial[1] + x * polynomial[2])
        a = ((data - n) * n / standard).sum() * sigma**2 / (1 + (n * n / standard).sum() * sigma**2)
        pull = a / sigma if sigma > 0 else 0.0
        return float(((data - n * (1 + a)) ** 2 / standard).sum() + pull**2)

    size = math.sqrt(standard.sum() / polynomial[2].sum()) * np.geomspace(1e-6, 1e5, 3000)
    x = np.concatenate([-size[::-1], [0.0], size])
    values = np.array([chi2(each) for each in x])
    extrema = []
    for i in np.flatnonzero(np.diff(np.sign(np.diff(values)))) + 1:
        sign = 1.0 if values[i] < values[i - 1] else -1.0
        ends = x[i - 1], x[i + 1]
        found = minimize_scalar(
            lambda at, sign=sign: sign * chi2(at), bounds=ends, method="bounded", options={"xatol": 1e-9 * size[0]}
        )
        extrema.append(found.x)
    # an interval can lie between two points of the grid, around an extremum
    x = np.unique([*x, *extrema])
    values = np.array([chi2(each) for each in x])
    lowest = values.min()
    level = lowest + DELTA
    turning = np.searchsorted(x, extrema)
    assume(all(abs(values[i] - level) > 1e-3 * (1 + level) for i in (*turning, 0, -1)))
    places = np.flatnonzero((values[1:] > level) != (values[:-1] > level))
    return [brentq(lambda at: chi2(at) - level, x[i], x[i + 1], xtol=1e-300, rtol=1e-12) for i in places], lowest


bins_of = st.lists(
    st.tuples(st.floats(5.0, 1e4), st.floats(-3.0, 3.0), st.floats(0.0, 2.0)).filter(lambda b: abs(b[1]) + b[2] > 0.1),
    min_size=1,
    max_size=4,
)


@given(
    bins_of,
    st.floats(-16, 8).map(lambda power: 10.0**power),
    st.one_of(st.just(0.0), st.floats(0.01, 0.5)),
    st.one_of(st.just(0.0), st.floats(-2.0, 2.0)),
    st.floats(0.8, 1.2),
)
@example([(100.0, 2.0, 0.0)], 1.0, 0.1, 0.0, 1.0)  # a second allowed interval at x < 0
@example([(100.0, -2.0, 0.0)], 1e-16, 0.1, 0.0, 1.0)  # and at x > 0
@example([(100.0, 2.0, 0.0)], 1.0, 0.02, 0.0, 0.5)  # fewer events than the Standard Model's
@settings(max_examples=60, deadline=None)
def test_a_signed_column_is_what_a_scan_finds(
    bins: Bins, unit: float, sigma: float, true: float, factor: float
) -> None:
    polynomial = coefficients(bins, 1.0)
    data = factor * (polynomial[0] + true * (polynomial[1] + true * polynomial[2]))
    expected, lowest = scanned(bins, unit, data, sigma)
    columns = columns_of(bins, unit, data, sigma)
    found = find_crossings(columns, DELTA, LARGEST, signed=True)
    assert found.x[::-1].tolist() == pytest.approx(expected, rel=1e-6, abs=0)
    assert infimum(columns, LARGEST, signed=True)[0] == pytest.approx(lowest, rel=1e-6, abs=1e-6)


@given(bins_of, st.one_of(st.just(0.0), st.floats(0.01, 0.5)), st.floats(-2.0, 2.0))
@settings(max_examples=30, deadline=None)
def test_the_mirror_of_a_column_has_the_mirrored_crossings(bins: Bins, sigma: float, true: float) -> None:
    polynomial = coefficients(bins, 1.0)
    data = polynomial[0] + true * (polynomial[1] + true * polynomial[2])
    mirrored = [(s, -k, m) for s, k, m in bins]
    here, there = (
        find_crossings(columns_of(each, 1.0, data, sigma), DELTA, LARGEST, signed=True) for each in (bins, mirrored)
    )
    assert (-there.x[::-1]).tolist() == pytest.approx(here.x.tolist(), rel=1e-9)
    assert here.sm_allowed == there.sm_allowed


def test_x_below_zero_is_not_looked_at_where_x_has_one_sign() -> None:
    """Only a negative x explains the data: with x >= 0 the infimum is at the Standard Model."""
    bins: Bins = [(100.0, 1.0, 0.0)]
    column = columns_of(bins, 1.0, np.array([49.0]), 0.0)
    assert infimum(column, LARGEST)[0] == pytest.approx(51.0**2 / 100)
    assert infimum(column, LARGEST, signed=True)[0] == pytest.approx(0.0, abs=1e-12)
    one_sided, signed = (find_crossings(column, DELTA, LARGEST, signed=each) for each in (False, True))
    assert (bool(one_sided.sm_allowed[0]), bool(signed.sm_allowed[0])) == (True, False)
    # two intervals, around 1 + x = 0.7 and -0.7
    root = [math.sqrt(49 + each * 10 * math.sqrt(DELTA)) / 10 for each in (1, -1)]
    assert (1 + signed.x).tolist() == pytest.approx([root[0], root[1], -root[1], -root[0]])


def test_the_largest_strength_counts_on_both_sides() -> None:
    column = columns_of([(100.0, 1.0, 0.0)], 1.0, np.array([100.0]), 0.0)
    every = find_crossings(column, DELTA, LARGEST, signed=True).x
    assert every.size == 4
    near = find_crossings(column, DELTA, 1.0, signed=True)
    assert near.x.tolist() == every[:2].tolist()
    assert find_crossings(column, DELTA, 0.01, signed=True).flat[0]
    assert not near.flat[0]


def crossings(*x: float, allowed: bool, flat: bool = False) -> Crossings:
    return Crossings(np.zeros(len(x), np.intp), np.array(x), np.array([allowed]), np.array([flat]))


@pytest.mark.parametrize(
    ("strength", "found", "bound", "status", "allowed"),
    [
        (TWO_SIDED, crossings(0.2, -0.1, allowed=True), [-0.1, 0.2], "ok", [(-0.1, 0.2)]),
        (TWO_SIDED, crossings(0.2, allowed=True), [-INF, 0.2], "ok", [(-INF, 0.2)]),
        (TWO_SIDED, crossings(-0.1, allowed=True), [-0.1, INF], "ok", [(-0.1, INF)]),
        (TWO_SIDED, crossings(-0.1, -0.3, allowed=True), [-0.1, INF], "ok", [(-INF, -0.3), (-0.1, INF)]),
        (TWO_SIDED, crossings(0.4, 0.3, 0.2, -0.1, allowed=True), [-0.1, 0.2], "ok", [(-0.1, 0.2), (0.3, 0.4)]),
        (TWO_SIDED, crossings(allowed=True), [-INF, INF], "no_sensitivity", [(-INF, INF)]),
        (TWO_SIDED, crossings(allowed=False, flat=True), [-INF, INF], "no_sensitivity", [(-INF, INF)]),
        (TWO_SIDED, crossings(0.4, 0.3, allowed=False), [NAN, NAN], "sm_disfavoured", [(0.3, 0.4)]),
        (TWO_SIDED, crossings(0.3, -0.3, allowed=False), [NAN, NAN], "sm_disfavoured", [(-INF, -0.3), (0.3, INF)]),
        (TWO_SIDED, crossings(-0.3, -0.4, allowed=False), [NAN, NAN], "sm_disfavoured", [(-0.4, -0.3)]),
        (UPPER, crossings(5.0, allowed=True), 5.0, "ok", [(0.0, 5.0)]),
        (UPPER, crossings(9.0, 7.0, 5.0, allowed=True), 5.0, "ok", [(0.0, 5.0), (7.0, 9.0)]),
        (UPPER, crossings(9.0, 5.0, allowed=True), 5.0, "ok", [(0.0, 5.0), (9.0, INF)]),
        (UPPER, crossings(allowed=True), NAN, "no_sensitivity", [(0.0, INF)]),
        (UPPER, crossings(7.0, 5.0, allowed=False), NAN, "sm_disfavoured", [(5.0, 7.0)]),
        (HEAVY, crossings(0.25, allowed=True), 2 * 91.1876, "ok", [(2 * 91.1876, INF)]),
        (HEAVY, crossings(4.0, 0.25, allowed=False), NAN, "sm_disfavoured", [(91.1876 / 2, 2 * 91.1876)]),
        (
            HEAVY,
            crossings(4.0, 1.0, 0.25, allowed=False),
            NAN,
            "sm_disfavoured",
            [(1.0, 91.1876 / 2), (91.1876, 182.3752)],
        ),
    ],
)
def test_what_crossings_mean(
    strength: Strength, found: Crossings, bound: Any, status: str, allowed: list[tuple[float, float]]
) -> None:
    limits = limits_of(found, strength)
    assert limits.bounds.shape == ((1, 2) if strength.signed else (1,))
    assert limits.bounds[0] == pytest.approx(bound, nan_ok=True)
    assert limits.status[0] == status
    assert [end for pair in limits.intervals[0] for end in pair] == pytest.approx([e for pair in allowed for e in pair])
    for one, other in zip(bounds_of(found, strength), (limits.bounds, limits.status), strict=True):
        np.testing.assert_array_equal(one, other)


def test_limits_on_two_sides_broadcast() -> None:
    sigma = np.array([[0.02, 0.1, 0.28]])
    limits, status = fastscan.limit("coherent-csi", "nsi-ee", eps_d=[[0.0], [0.0]], sigma_sys=sigma, with_status=True)
    assert (limits.shape, status.shape) == ((2, 3, 2), (2, 3))
    one = fastscan.limit("coherent-csi", "nsi-ee", eps_d=0.0, sigma_sys=0.1)
    assert one.shape == (2,)
    assert limits[1, 1].tobytes() == one.tobytes()
    ends = fastscan.delta_chi2("coherent-csi", "nsi-ee", eps_d=0.0, eps_u=one, sigma_sys=0.1)
    assert ends == pytest.approx([DELTA, DELTA])


def test_intervals_are_where_delta_chi2_is_small() -> None:
    point = {"eps_d": 0.2, "sigma_sys": 0.1}
    allowed = fastscan.intervals("coherent-lar", "nsi-ee", **point)
    grid = np.linspace(-1, 1, 2001)
    inside = np.zeros(grid.size, bool)
    for low, high in allowed:
        inside |= (grid > low) & (grid < high)
    delta = fastscan.delta_chi2("coherent-lar", "nsi-ee", eps_u=grid, **point)
    assert (delta >= 0).all()
    np.testing.assert_array_equal(inside, delta < DELTA)
    assert inside.any()
    assert not inside.all()


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: fastscan.limit("conus", "nsi-ee", eps_d=[0.0, 0.1]), "intervals and contours, but no limit"),
        (lambda: fastscan.intervals("conus", "nsi-ee-u", m_min=2.0), "range of m_zprime, not of eps"),
        (lambda: fastscan.limit("conus", "nsi-ee-u", eps=0.1), "the limits of model 'nsi-ee-u' are limits on eps"),
        (lambda: fastscan.limit("conus", "chi", m_zprime=100.0), "the limits of model 'chi' are limits on m_zprime"),
        (lambda: fastscan.limit("conus", "nsi-ee"), "needs eps_d"),
        (lambda: fastscan.events("conus", "radius-e", r2=1e30), "r2 must be from"),
        (lambda: fastscan.events(["conus", "connie"], "s2w", shift=0.0, by_neutrino=True), "takes one experiment"),
    ],
)
def test_what_can_not_be_asked_is_told(call: Any, problem: str) -> None:
    with pytest.raises(FastscanError, match=problem):
        call()


def test_events_by_neutrino_add_up() -> None:
    for model, at in (("nsi-etau-u", {"eps": np.array([-0.3, 0.0, 0.2])}), ("chi", {"m_zprime": 200.0})):
        apart = fastscan.events("coherent-lar", model, luminosity=2.0, by_neutrino=True, **at)
        assert list(apart) == ["nu_mu", "nu_e", "nubar_mu"]
        total = fastscan.events("coherent-lar", model, luminosity=2.0, **at)
        assert sum(apart.values()) == pytest.approx(total, rel=1e-12)
        assert apart["nu_e"].shape == total.shape
    rows = fastscan.events("conus", "e6", beta=[[0.1], [0.2]], m_zprime=[100.0, 200.0, 300.0], by_neutrino=True)
    assert rows["nubar_e"].shape == (2, 3)


KEYS = ["experiment", "model", "sigma_sys", "luminosity", "limit_on", "limit_low", "limit_high", "limit_unit", "status"]


def test_the_command_tells_both_sides() -> None:
    line = ok("limit", "coherent-lar", "nsi-etau-u", "--sigma-sys", "0.1")
    assert line == "coherent-lar, nsi-etau-u: eps -0.1478 to 0.1478  (90 % CL, 1 dof, sigma_sys 0.1, L/L0 1)\n"
    record = json.loads(ok("limit", "coherent-csi", "radius-mu", "--json"))
    assert list(record)[:9] == KEYS
    low, high = fastscan.limit("coherent-csi", "radius-mu")
    assert (record["limit_on"], record["limit_low"], record["limit_high"]) == ("r2", low, high)
    assert (record["limit_unit"], record["status"]) == ("1e-32 cm2", "ok")
    assert record["allowed"] == [list(each) for each in fastscan.intervals("coherent-csi", "radius-mu")]
    (row,) = csv.DictReader(io.StringIO(ok("limit", "conus", "nsi-ee-u", "--sigma-sys", "0.7", "--csv")))
    assert (row["limit_low"], row["status"]) == ("", "ok")
    first, second = (tuple(map(float, pair.split(":"))) for pair in row["allowed"].split(";"))
    assert (first[0], second[1]) == (-INF, INF)
    assert float(row["limit_high"]) == first[1]
    assert "eps below" in ok("limit", "conus", "nsi-ee-u", "--sigma-sys", "0.7")
    assert "nsi-mumu-u: no sensitivity" in ok("limit", "conus", "nsi-mumu-u")


def test_the_angle_itself_stands_beside_its_shift() -> None:
    record = json.loads(ok("limit", "connie", "s2w", "--json"))
    for side in ("low", "high"):
        assert record[f"sin2_theta_w_{side}"] == pytest.approx(0.23122 + record[f"limit_{side}"], rel=1e-15)
    told = ok("limit", "connie", "s2w")
    assert f"(sin2_theta_w {record['sin2_theta_w_low']:.4g} to {record['sin2_theta_w_high']:.4g})" in told


def test_the_commands_refuse_what_has_no_limit() -> None:
    assert "no limit, where eps_u = 0 is not the SM" in refusal("limit", "conus", "nsi-ee", "--eps-d", "0,0.1")
    assert "the limits of model 'chi' are limits on m_zprime" in refusal("limit", "conus", "chi", "--m-zprime", "1TeV")
    assert "nsi-ee at eps_d = 0: eps_u " in ok("limit", "conus", "nsi-ee", "--eps-d", "0")


MIXED = """
experiments = ["conus", "coherent-csi"]
models = ["chi", "nsi-ee-u", "nsi-ee", "b-l"]
[axes]
m_zprime = { values = [0.01, 100, 200], unit = "GeV" }
g = { start = 1e-6, stop = 1e-2, num = 5, spacing = "log" }
eps = { start = -0.05, stop = 1, num = 14 }
eps_d = { values = [0, 0.1] }
eps_u = { start = -1, stop = 1, num = 5 }
sigma_sys = { values = [0.05, 0.2] }
"""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mixed")
    (place / "grid.toml").write_text(MIXED)
    return place


def test_a_store_of_many_kinds_of_models(mixed: Path) -> None:
    place = mixed / "out.zarr"
    summary = ok("scan", mixed / "grid.toml", "-o", place)
    titles = ["Lower limits on M_Z' at", "Limits on eps at", "Upper limits on g at"]
    for text in (summary, ok("limits", place)):
        assert all(text.count(title) == 1 for title in titles)
        assert "nsi-ee " not in text  # at most of its rows x = 0 is not the Standard Model
    rows = list(csv.DictReader(io.StringIO(ok("limits", place, "--csv"))))
    assert {row["model"] for row in rows} == {"chi", "nsi-ee-u", "b-l"}
    for row in rows:
        assert (row["limit_gev"] != "") == (row["model"] == "chi")
        assert (row["limit_high"] != "") == (row["model"] == "nsi-ee-u")
        if row["model"] == "nsi-ee-u":
            low, high = fastscan.limit(row["experiment"], "nsi-ee-u")
            assert (float(row["limit_low"]), float(row["limit_high"])) == (low, high)
            assert row["status"] == ("outside_axis" if low < -0.05 else "ok")
        if row["model"] == "b-l":
            mass = float(row["m_zprime_gev"])
            assert float(row["limit"]) == fastscan.limit(row["experiment"], "b-l", m_zprime=mass)
    assert {row["status"] for row in rows if row["model"] == "nsi-ee-u"} == {"ok", "outside_axis"}
    assert "no limit, where eps_u = 0" in refusal("limits", place, "--group", "conus/nsi-ee")
    at_zero = json.loads(ok("limits", place, "--group", "conus/nsi-ee", "--eps-d", "0", "--json"))
    assert [each["limit_low"] for each in at_zero] == [fastscan.limit("conus", "nsi-ee", eps_d=0.0)[0]]


@pytest.mark.slow
def test_pictures_of_what_has_two_sides(mixed: Path) -> None:
    place = mixed / "out.zarr"
    if not place.exists():
        ok("scan", mixed / "grid.toml", "-o", place)
    for kind, group in (("profile", "conus/nsi-ee-u"), ("limit", "conus/nsi-ee-u"), ("contour", "conus/nsi-ee")):
        ok("plot", place, "-o", mixed / f"{kind}.png", "--kind", kind, "--group", group)


def test_models_are_told_by_family() -> None:
    told = ok("models")
    families = [line for line in told.splitlines() if line.endswith(":") and not line.startswith(" ")]
    listed = json.loads(ok("models", "--json"))
    assert [f"{name}:" for name in dict.fromkeys(each["family"] for each in listed)] == families
    by_name = {each["name"]: each for each in listed}
    assert by_name["nsi-ee"]["rows"] == ["eps_d"]
    assert (by_name["nsi-ee"]["strength"], by_name["nsi-ee"]["bound"]) == ("eps_u", "two-sided")
    assert (by_name["b-l"]["strength"], by_name["b-l"]["bound"]) == ("g", "upper")
    assert (by_name["chi"]["strength"], by_name["chi"]["bound"]) == ("m_zprime", "lower")


def test_a_limit_beyond_what_a_coupling_can_be_is_one_on_the_ratio() -> None:
    found = json.loads(ok("limit", "conus", "b-l", "--m-zprime", "1GeV,10TeV", "--json"))
    light, heavy = found
    assert light["limit_over_g_gev"] is None
    assert heavy["limit"] > math.sqrt(4 * math.pi)
    assert heavy["limit_over_g_gev"] == 1e4 / heavy["limit"] == pytest.approx(980.348579, rel=1e-8)
    assert "(M/g > 980.3 GeV)" in ok("limit", "conus", "b-l", "--m-zprime", "10TeV")


def test_a_quantity_without_a_kind_of_unit_is_a_number(write: Write) -> None:
    """A value in 1e-32 cm^2 is given as a number, or names this very unit; another unit is refused."""

    class Named:
        def __init__(self, units: str) -> None:
            self.attrs, self.data = {"units": units}, np.array([20.0])

    events = fastscan.events("coherent-csi", "radius-mu", r2=20.0)
    assert fastscan.events("coherent-csi", "radius-mu", r2=Named("1e-32 cm2")) == events
    with pytest.raises(FastscanError, match="r2 must be in 1e-32 cm2, not in 'cm'"):
        fastscan.events("coherent-csi", "radius-mu", r2=Named("cm"))
