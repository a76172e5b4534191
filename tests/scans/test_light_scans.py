"""Scans of light mediators, of strengths of either sign and of moments: their stores and answers, against `naive`."""

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import naive
import numpy as np
import pytest
import zarr
from conftest import GRIDS, Write, ok, refusal, scanned
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import chi2 as chi2_distribution

import fastscan
from fastscan import experiments
from fastscan.answers import answers, from_cube
from fastscan.answers.contours import Contour, contour_records, contours
from fastscan.answers.planes import Plane, plane_of
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError, LimitError
from fastscan.interactions import catalogue
from fastscan.likelihoods import exchanges
from fastscan.likelihoods.response import response
from fastscan.physics.quadrature import interpolation, logarithmic
from fastscan.scans.plan import plan
from fastscan.stores import carried, store
from fastscan.stores.combining import joint_cubes
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root
from fastscan.typing import Array

CSI, CONUS = "coherent-csi", "conus"
LIGHT = """
experiments = ["coherent-csi", "conus"]
models = ["universal", "lmu-ltau", "scalar-q14", "magnetic-e"]

[combine.both]
experiments = ["coherent-csi", "conus"]
sigma_sys = { conus = 0.2 }

[axes]
m_zprime = { start = 0.1, stop = 1e5, num = 19, spacing = "log", unit = "MeV" }
m_phi = { start = 0.1, stop = 1e3, num = 5, spacing = "log", unit = "MeV" }
g = { start = 1e-7, stop = 1, num = 201, spacing = "log" }
mu = { start = 1, stop = 1e4, num = 25, spacing = "log" }
sigma_sys = { values = [0.02, 0.1, 0.3] }
"""
SIGNED = """
experiments = ["coherent-csi", "conus"]
models = ["nsi-ee", "nsi-mumu-u", "radius-mu", "millicharge-e", "s2w"]

[axes]
eps_d = { start = -0.6, stop = 0.6, num = 121 }
eps_u = { start = -1, stop = 1, num = 161 }
eps = { start = -0.4, stop = 0.8, num = 49 }
r2 = { start = -60, stop = 60, num = 31 }
q = { start = -3000, stop = 3000, num = 31 }
shift = { start = -0.2, stop = 0.2, num = 41 }
sigma_sys = { values = [0.02, 0.1, 0.3] }
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> zarr.Group:
    return read_root(scanned(LIGHT, tmp_path_factory.mktemp("light")))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> zarr.Group:
    return read_root(scanned(SIGNED, tmp_path_factory.mktemp("signed")))


def cubes(root: zarr.Group) -> list[Cube]:
    return [store.read(root, name) for name in store.group_names(root)]


# --- What is interpolated ---


@given(st.floats(-3, 3), st.floats(-4, 4))
def test_propagators_are_interpolated_to_the_last_digits(log_low: float, log_mass: float) -> None:
    """The error over a factor of 10 in q^2, at any mass, is at most 1e-12 of the largest value, at the ends."""
    low = 10.0**log_low
    at = np.geomspace(low, 10 * low, 57)
    nodes, _ = logarithmic(np.array(low), np.array(10 * low))

    def propagator(q2: Array) -> Array:
        return 1 / (q2 + 10**log_mass) ** 2

    found = propagator(nodes) @ interpolation(low, 10 * low, at)
    assert found == pytest.approx(propagator(at), rel=0, abs=1e-12 * propagator(at).max())


@pytest.mark.parametrize("name", ["coherent-csi", "coherent-lar", "conus-plus", "cr51-lxe-a", "coherent-nai"])
@pytest.mark.parametrize("model", ["universal", "le-ltau", "scalar-ftq"])
def test_what_is_counted_at_the_nodes_is_what_is_counted_at_every_recoil(name: str, model: str) -> None:
    """This holds in each bin for each neutrino, at masses from 1 eV to 10 TeV."""
    found, interaction = response(experiments.load(name)), catalogue.load(model)
    (row,) = interaction.rows
    masses = np.array([1e-9, 1e-6, 1e-3, 0.03, 1.0, 1e4])
    for channel in found.channels:
        terms = interaction.terms(channel, {row.name: masses})
        for term, events in zip(terms, np.swapaxes(found.exchanged(channel, terms), 0, 1), strict=True):
            for mass in range(masses.size):
                counted = np.zeros(events[:, 0].shape)
                for part, density in zip(found.recoils[channel], found._densities(channel, term.process), strict=True):
                    weighted = (density * term.weight[0, found.flavours, :, term.power]).sum(axis=-1)
                    counted += part.counted.sums(term.at(part.transfer2)[mass][:, None] * weighted).T
                again = np.einsum("j,njb->nb", term.at(found.transfer2)[mass], events)
                assert again == pytest.approx(counted, rel=1e-12, abs=1e-12 * np.abs(counted).max())


def test_exchanges_are_unpacked_as_they_were_packed(light: zarr.Group) -> None:
    likelihood = store.read(light, "both/universal").likelihood
    packed = exchanges.packed(likelihood.exchanges)
    gaussian = [False] * len(likelihood.members)
    for one, other in zip(exchanges.unpacked(packed, likelihood.spread, gaussian), likelihood.exchanges, strict=True):
        for name in ("transfer2", "events", "signal"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("data", "background", "variance", "spread"):
            assert np.array_equal(getattr(one.counts, name), getattr(other.counts, name))
    for name, wrong in (
        ("sizes", packed["sizes"] * np.nan),
        ("sizes", packed["sizes"] + 1),
        ("sizes", packed["sizes"] * 1e300),
        ("sizes", packed["sizes"][:1]),
        ("events", packed["events"][1:]),
        ("observed", packed["observed"][:, 1:]),
    ):
        with pytest.raises(ValueError, match=r"its experiments'? count"):
            exchanges.unpacked(packed | {name: wrong}, likelihood.spread, gaussian)


# --- Stores ---


def test_dimensions_are_the_axes_of_each_model(light: zarr.Group, signed: zarr.Group) -> None:
    settings = ("sigma_sys", "luminosity")
    for root, group, axes in (
        (light, "conus/universal", ("m_zprime", "g")),
        (light, "both/scalar-q14", ("m_phi", "g")),
        (light, "conus/magnetic-e", ("mu",)),
        (signed, "conus/nsi-ee", ("eps_d", "eps_u")),
        (signed, "coherent-csi/radius-mu", ("r2",)),
    ):
        cube = fastscan.open(root, group)
        assert cube.chi2.dims == (*axes, *settings)
        assert np.isfinite(cube.chi2.values).all()
    assert fastscan.open(light, "conus/universal").m_zprime.attrs["units"] == "GeV"
    assert fastscan.open(signed, "coherent-csi/radius-mu").r2.attrs["units"] == "1e-32 cm2"
    assert store.read(light, "conus/universal").points["m_zprime"][[0, -1]].tolist() == [1e-4, 100.0]


def test_a_heavy_and_a_light_model_share_an_axis(write: Write, tmp_path: Path) -> None:
    """m_zprime is the strength of one and the row of the other, and both have the file's points."""
    root = fastscan.scan(write("grid.toml", GRIDS["b-l"]), tmp_path / "out.zarr")
    chi, b_l = (fastscan.open(root, f"coherent-csi/{model}") for model in ("chi", "b-l"))
    assert (chi.chi2.dims[0], b_l.chi2.dims[:2]) == ("m_zprime", ("m_zprime", "g"))
    assert np.array_equal(chi.m_zprime, b_l.m_zprime)
    below = GRIDS["b-l"].replace('start = 20, stop = 2000, num = 37, spacing = "log", unit = "GeV"', "values = [0.5]")
    light_alone = below.replace("values = [0.5]", 'values = [0.5], unit = "MeV"')
    told = refusal("scan", write("below.toml", light_alone), "-o", tmp_path / "below.zarr")
    assert "m_zprime" in told
    assert "at least 0.001 GeV" in told


def test_a_store_says_what_it_holds(tmp_path: Path, write: Write) -> None:
    out = scanned(LIGHT.replace("num = 201", "num = 7"), tmp_path)
    told = ok("info", out)
    assert "m_zprime         19  0.0001 to 100 GeV" in told
    assert "mu               25  1 to 10000 1e-11 mu_B" in told
    assert "both/universal: 1 chunks good, 1 computed again" in ok("verify", out)
    (out / "conus/universal/exchanges/events/c/0").write_bytes(b"")
    assert "conus/universal is half-written or damaged: exchanges/events/c/0 is damaged" in refusal("limits", out)
    fastscan.scan(tmp_path / "grid.toml", out, resume=True)
    assert "conus" in ok("limits", out, "--m-zprime", "100GeV")


def at_of(cube: Cube) -> dict[str, Array]:
    return {name: cube.points[name] for name in cube.rows}


@pytest.mark.parametrize("sigma", [None, 0.1])
def test_limits_from_the_cube_are_those_of_the_likelihood_and_of_experiments(
    sigma: float | None, light: zarr.Group, signed: zarr.Group
) -> None:
    for cube in (*cubes(light), *cubes(signed)):
        if cube.model == "nsi-ee":
            continue
        at = {} if sigma is None else {"sigma_sys": sigma}
        carried = list(from_cube.limit_records(cube, Question(at=at)))
        members = cube.likelihood.members
        said = {"sigma_sys": {CSI: sigma or 0.28, CONUS: 0.2}} if len(members) > 1 else at
        direct = np.atleast_1d(fastscan.limit(list(members), cube.model, **at_of(cube), **said))  # type: ignore[call-overload]
        keys = ("limit_low", "limit_high") if cube.interaction.strength.signed else ("limit",)
        open_end = {"limit_low": -math.inf, "limit_high": math.inf, "limit": math.nan}
        found = np.array([[open_end[key] if each[key] is None else each[key] for key in keys] for each in carried])
        insensitive = [each["status"] == "no_sensitivity" for each in carried]
        found[insensitive] = np.where(np.isnan(direct.reshape(found.shape)), np.nan, found)[insensitive]
        assert found == pytest.approx(direct.reshape(found.shape), rel=1e-12, nan_ok=True)
        if sigma is not None:
            root = light if cube.name in store.group_names(light) else signed
            stored = list(from_cube.limit_records(cube, Question(at=at), root))
            for one, other in zip(stored, carried, strict=True):
                assert one["status"] == other["status"]
                for key in keys:
                    assert (one[key] or 0.0) == pytest.approx(other[key] or 0.0, rel=1e-6)


@pytest.mark.parametrize("group", ["both/universal", "coherent-csi/lmu-ltau", "conus/scalar-q14", "conus/nsi-ee"])
@given(share=st.floats(0.001, 0.999))
@settings(max_examples=10)
def test_between_the_points_of_its_axis_a_cube_has_every_row(
    group: str, share: float, light: zarr.Group, signed: zarr.Group
) -> None:
    """The store alone is enough: no experiment is read."""
    cube = store.read(signed if "nsi" in group else light, group)
    (row,) = cube.rows
    first, last = cube.points[row][[0, -1]]
    at = {row: np.array([first + share * (last - first), first, first * (last / first) ** share if first > 0 else 0.0])}
    likelihood, number = cube.at_rows(at)
    strength = {cube.strength: cube.points[cube.strength][::40]}
    x = cube.interaction.strength.to_x(strength[cube.strength])
    found = likelihood.chi2(x, number[:, None], {"sigma_sys": 0.1})
    sigma = {name: 0.1 if name != CONUS or len(likelihood.members) < 2 else 0.2 for name in likelihood.members}
    direct = fastscan.chi2(list(likelihood.members), cube.model, sigma_sys=sigma, **{row: at[row][:, None]}, **strength)
    assert found == pytest.approx(direct, rel=1e-11, abs=1e-11)


def test_what_was_made_with_other_couplings_gives_nothing_between_its_rows(light: zarr.Group) -> None:
    cube = store.read(light, "conus/universal")
    other = replace(cube, likelihood=replace(cube.likelihood, rates=cube.likelihood.rates * 1.001))
    with pytest.raises(LimitError, match=r"other couplings than this fastscan's between its m_zprime$"):
        other.at_rows({"m_zprime": np.array([0.0123])})
    likelihood, _ = other.at_rows({"m_zprime": cube.points["m_zprime"][[3, 1]]})
    assert likelihood is other.likelihood


def test_groups_of_a_store_are_combined_between_their_rows_too(light: zarr.Group) -> None:
    joint = next(cube for cube in joint_cubes(light, [CSI, CONUS]) if cube.model == "universal")
    likelihood, number = joint.at_rows({"m_zprime": np.array([0.0123])})
    x = np.array([1e-10])
    expected = fastscan.chi2([CSI, CONUS], "universal", m_zprime=0.0123, g=1e-5)
    assert likelihood.chi2(x, number, {})[0] == pytest.approx(float(expected), rel=1e-12)


def test_a_value_near_a_small_point_is_not_on_the_axis(light: zarr.Group) -> None:
    """Masses differ by 1e-4 GeV and less, so that only their ratio separates them."""
    cube = store.read(light, "conus/universal")
    first = cube.points["m_zprime"][0]
    assert cube.on_axis("m_zprime", first * np.array([1 + 1e-10])).tolist() == [0]
    with pytest.raises(LimitError, match="not on the axis"):
        cube.on_axis("m_zprime", first * np.array([1 + 1e-5]))


# --- Contours ---


def shown(
    root: zarr.Group, group: str, x: str, y: str, dof: int | None = None, minimise: tuple[str, ...] = (), **at: float
) -> Plane:
    return plane_of(store.read(root, group), PlaneAxes((x, y), minimise), Question(at=at, dof=dof))


def vertices(lines: list[Contour], every: int) -> list[tuple[float, float]]:
    return [each for line in lines for each in list(zip(line.x.tolist(), line.y.tolist(), strict=True))[::every]]


def excess(chi2: Callable[[float, float], float], lowest: float, plane: Plane, vertex: tuple[float, float]) -> float:
    """Delta chi2 of a vertex above the quantile, relative to it."""
    quantile = float(chi2_distribution.ppf(0.90, plane.dof))
    return (chi2(*vertex) - lowest) / quantile - 1


def naive_universal(experiment: str, mass: float, g: float, sigma: float = 0.1) -> float:
    return naive.chi2_with(experiment, naive.vector("universal", mass * 1e3, g), sigma)


@pytest.mark.parametrize("dof", [1, 2])
def test_vertices_over_the_mass_are_on_the_naive_threshold(dof: int, light: zarr.Group) -> None:
    """The data of this experiment are the Standard Model's prediction, so that the infimum is 0."""
    plane = shown(light, "conus/universal", "m_zprime", "g", dof, sigma_sys=0.1)
    lines = contours(plane)
    chosen = vertices(lines, 25)
    assert len(chosen) > 6
    chi2 = functools.partial(naive_universal, CONUS)
    assert [excess(chi2, 0.0, plane, vertex) for vertex in chosen] == pytest.approx([0] * len(chosen), abs=1e-9)


def test_vertices_of_measured_data_are_on_the_naive_threshold(light: zarr.Group) -> None:
    """Each mass has an infimum of its own, at a coupling that lowers the counts to the data."""
    plane = shown(light, "coherent-csi/universal", "m_zprime", "g", dof=1, sigma_sys=0.3)
    chi2 = functools.partial(naive_universal, CSI, sigma=0.3)
    for mass, g in vertices(contours(plane), 60):
        near = np.geomspace(g / 10, g, 40)
        lowest = near[np.argmin([chi2(mass, each) for each in near])]
        found = minimize_scalar(
            lambda each, mass=mass: chi2(mass, each), bounds=(lowest / 1.1, lowest * 1.1), options={"xatol": 1e-9}
        )
        assert excess(chi2, float(found.fun), plane, (mass, g)) == pytest.approx(0, abs=1e-9)


def test_vertices_of_two_epsilons_are_on_the_naive_threshold(signed: zarr.Group) -> None:
    plane = shown(signed, "conus/nsi-ee", "eps_d", "eps_u", sigma_sys=0.3)
    assert plane.dof == 2

    def chi2(d: float, u: float) -> float:
        return naive.chi2_with(CONUS, naive.nsi("ee", {"d": d, "u": u}), 0.3)

    chosen = vertices(contours(plane), 60)
    assert len(chosen) > 8
    assert [excess(chi2, 0.0, plane, vertex) for vertex in chosen] == pytest.approx([0] * len(chosen), abs=1e-9)


def test_vertices_against_the_error_are_on_the_naive_threshold(signed: zarr.Group, light: zarr.Group) -> None:
    for root, group, y, new, experiment in (
        (signed, "conus/millicharge-e", "q", functools.partial(naive.millicharge, "e"), CONUS),
        (light, "conus/magnetic-e", "mu", functools.partial(naive.magnetic, "e"), CONUS),
    ):
        plane = shown(root, group, "sigma_sys", y)
        assert plane.dof == 1

        def chi2(sigma: float, strength: float, new: object = new, experiment: str = experiment) -> float:
            return naive.chi2_with(experiment, new(strength), sigma)  # type: ignore[operator]

        chosen = vertices(contours(plane), 3)
        assert [excess(chi2, 0.0, plane, vertex) for vertex in chosen] == pytest.approx([0] * len(chosen), abs=1e-9)


@pytest.mark.parametrize("dof", [1, 2])
@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
def test_bands_and_islands_are_closed_or_leave_the_grid(
    dof: int, sigma: float, light: zarr.Group, signed: zarr.Group
) -> None:
    planes = [
        shown(root, group, x, y, dof, sigma_sys=sigma)
        for root, group, x, y in (
            (light, "coherent-csi/universal", "m_zprime", "g"),
            (light, "coherent-csi/lmu-ltau", "m_zprime", "g"),
            (light, "both/universal", "g", "m_zprime"),
            (light, "conus/scalar-q14", "m_phi", "g"),
            (signed, "coherent-csi/nsi-ee", "eps_d", "eps_u"),
            (signed, "conus/nsi-ee", "eps_u", "eps_d"),
        )
    ]
    for plane in planes:
        lines = contours(plane)
        assert lines
        for line in lines:
            ends = [(line.x[end], line.y[end]) for end in (0, -1)]
            assert line.closed == (ends[0] == ends[1])
            for x, y in () if line.closed else ends:
                edges = (*(np.isclose(x, plane.x.points[[0, -1]], rtol=1e-12)),)
                edges += (*np.isclose(y, plane.y.points[[0, -1]], rtol=1e-12),)
                assert any(edges)


@pytest.mark.parametrize(("group", "lines"), [("conus/universal", 3), ("coherent-csi/universal", 3)])
def test_a_thin_band_is_one_line_on_each_side(group: str, lines: int, light: zarr.Group) -> None:
    """The band is thinner than a step of the grid, and moves by more than its width from one mass to the next."""
    plane = shown(light, group, "m_zprime", "g", dof=1, sigma_sys=0.1)
    assert [line.closed for line in contours(plane)] == [False] * lines
    for mass in (1e-4, 0.01, 1.0):
        ends = [
            end
            for ends in fastscan.intervals(group.split("/")[0], "universal", m_zprime=mass, sigma_sys=0.1)
            for end in ends
        ]
        assert len([end for end in ends if 0 < end < math.inf]) == lines


def test_both_bands_of_two_epsilons_follow_their_blind_direction(signed: zarr.Group) -> None:
    """Counts depend on eps_u (2 Z + N) + eps_d (Z + 2 N) alone, up to the isotopes: the bands are parallel."""
    plane = shown(signed, "coherent-csi/nsi-ee", "eps_d", "eps_u", dof=1, sigma_sys=0.1)
    slopes = [np.polyfit(line.x, line.y, 1)[0] for line in contours(plane) if not line.closed and line.x.size > 20]
    assert slopes == pytest.approx([-(55 + 2 * 78) / (2 * 55 + 78)] * len(slopes), rel=0.02)
    limits = fastscan.intervals(CSI, "nsi-ee", eps_d=0.0, sigma_sys=0.1)
    at_zero = sorted(y for line in contours(plane) for x, y in zip(line.x, line.y, strict=True) if x == 0)
    assert at_zero == pytest.approx([end for interval in limits for end in interval if abs(end) < 1], rel=1e-9)


def test_two_degrees_of_freedom_are_measured_from_the_best_row(light: zarr.Group) -> None:
    """This is the default if both axes are the model's; with one, each row is measured from its own infimum."""
    default, one = (shown(light, "coherent-csi/lmu-ltau", "m_zprime", "g", dof) for dof in (None, 1))
    assert (default.dof, one.dof) == (2, 1)
    masses = store.read(light, "coherent-csi/lmu-ltau").points["m_zprime"]
    best = one.lowest(one.x.drawn, np.full(masses.size, -3.0))
    assert default.values == pytest.approx(one.values + best - best.min(), abs=1e-9)
    limits = fastscan.limit(CSI, "lmu-ltau", m_zprime=masses)
    lines = contours(one)
    for mass, limit in zip(masses.tolist(), np.asarray(limits).tolist(), strict=True):
        there = [y for line in lines for x, y in zip(line.x, line.y, strict=True) if x == mass]
        if limit < 1:
            assert min(there) == pytest.approx(limit, rel=1e-9)


def test_stored_values_have_the_contours_of_the_likelihood(light: zarr.Group, signed: zarr.Group) -> None:
    for root, group, axes in (
        (light, "conus/universal", ("m_zprime", "g")),
        (light, "both/universal", ("m_zprime", "g")),
        (signed, "conus/nsi-ee", ("eps_d", "eps_u")),
    ):
        cube, asked = store.read(root, group), Question(at={"sigma_sys": 0.1})
        stored, carried = (contours(plane_of(cube, PlaneAxes(axes), asked, place)) for place in (root, None))
        assert [(line.closed, line.x.size) for line in stored] == [(line.closed, line.x.size) for line in carried]
        for one, other in zip(stored, carried, strict=True):
            assert one.x == pytest.approx(other.x, rel=1e-6)
            assert one.y == pytest.approx(other.y, rel=1e-6, abs=1e-9)


def test_planes_minimise_over_rows_and_over_strengths(light: zarr.Group) -> None:
    over_masses = shown(light, "conus/universal", "sigma_sys", "g", minimise=("m_zprime",))
    cube = store.read(light, "conus/universal")
    chi2 = fastscan.chi2(
        CONUS,
        "universal",
        m_zprime=cube.points["m_zprime"][:, None, None],
        g=cube.points["g"][:, None],
        sigma_sys=cube.points["sigma_sys"],
    )
    assert over_masses.values == pytest.approx(chi2.min(axis=0), rel=1e-9, abs=1e-9)  # the infimum is 0


def test_records_have_the_axes_of_the_model(light: zarr.Group, signed: zarr.Group) -> None:
    for root, group, keys in (
        (light, "conus/universal", ["m_zprime_gev", "g"]),
        (signed, "conus/nsi-ee", ["eps_d", "eps_u"]),
    ):
        found = list(answers.contours_of_store(root.store.root, Question(groups=(group,), at={"sigma_sys": 0.1})))  # type: ignore[attr-defined]
        ((plane, lines),) = found
        record = next(contour_records(plane, lines))
        assert [key for key in record if key in keys] == keys
        assert record["dof"] == 2


def test_massless_points_are_no_plane_but_have_limits(write: Write, tmp_path: Path) -> None:
    text = LIGHT.replace('start = 0.1, stop = 1e5, num = 19, spacing = "log"', "values = [0, 1, 10]")
    alone = text.replace('"universal", "lmu-ltau", "scalar-q14", "magnetic-e"', '"universal"')
    for unused in ("m_phi", "mu"):
        alone = "\n".join(line for line in alone.splitlines() if not line.startswith(f"{unused} ="))
    (cube, *_) = plan(write("grid.toml", alone))
    limits = [each["limit"] for each in from_cube.limit_records(cube)]
    assert limits == pytest.approx(np.asarray(fastscan.limit(CSI, "universal", m_zprime=[0.0, 1e-3, 1e-2])).tolist())
    with pytest.raises(FastscanError, match="shows m_zprime by its logarithm, but the axis has 0"):
        plane_of(cube, PlaneAxes(("m_zprime", "g")))


def test_a_likelihood_whose_arrays_do_not_fit_is_refused(light: zarr.Group) -> None:
    """Kernels trust the shapes, and somebody else's store can claim any shapes."""
    whole = store.read(light, "both/universal").likelihood
    carried.require_shapes(whole, 19)
    for wrong in (
        {"roots": whole.roots[:, :1]},
        {"roots": whole.roots[:, :1], "rates": whole.rates[:, :5]},
        {"change": whole.change[:, :18]},
        {"change": whole.change[..., :2, :]},
        {"spread": whole.spread[:1]},
        {"members": whole.members[:1]},
    ):
        with pytest.raises(ValueError, match="don't fit each other"):
            carried.require_shapes(replace(whole, **wrong), 19)
