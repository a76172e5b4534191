import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
import zarr
from conftest import Write
from scipy.optimize import minimize_scalar

import fastscan
from fastscan.answers import answers, from_cube
from fastscan.answers.contours import Contour, contours
from fastscan.answers.planes import VIEWS, Plane, plane_of
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError
from fastscan.limits import limits as query
from fastscan.paper import paper_figures
from fastscan.scans.plan import plan as plan_of
from fastscan.stores import store
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root
from fastscan.typing import Array

CSI, CONUS = "coherent-csi", "conus"
GRID = """
experiments = ["coherent-csi", "conus"]
models = ["e6"]
[axes]
beta = { start = 0, stop = 180, num = 91, unit = "deg" }
m_zprime = { start = 5, stop = 3000, num = 80, spacing = "log", unit = "GeV" }
sigma_sys = { start = 0, stop = 0.5, num = 21 }
luminosity = { start = 1, stop = 1000, num = 13, spacing = "log" }
"""
# Islands are at these angles; the experiments' own sigma_sys and luminosity 1, where they aren't shown.
PLANES: list[tuple[str, str, dict[str, float]]] = [
    ("beta", "m_zprime", {}),
    ("cos_beta", "m_zprime", {}),
    ("sigma_sys", "m_zprime", {"beta": math.radians(100)}),
    ("luminosity", "m_zprime", {"beta": math.radians(100)}),
    ("beta", "sigma_sys", {"m_zprime": 5 * 600 ** (42 / 79)}),
]


def plane(
    cube: Cube,
    x: str,
    y: str,
    *,
    at: Mapping[str, Any] | None = None,
    minimise: Sequence[str] = (),
    cl: float = 0.90,
    dof: int | None = None,
    stored_in: zarr.Group | None = None,
) -> Plane:
    """The plane of two axes, at values of the other axes."""
    return plane_of(cube, PlaneAxes((x, y), tuple(minimise)), Question(at=at or {}, cl=cl, dof=dof), stored_in)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> zarr.Group:
    place = tmp_path_factory.mktemp("planes")
    (place / "grid.toml").write_text(GRID)
    return fastscan.scan(place / "grid.toml", place / "out.zarr")


def axis_of(name: str) -> str:
    """The axis of a name of a plane's side."""
    return VIEWS[name][0].name


def points(lines: list[Contour]) -> Array:
    """The vertices of some contours, shape (vertices, 2)."""
    return np.concatenate([np.stack([line.x, line.y], axis=1) for line in lines])


def excess(shown: Plane, vertices: Array) -> Array:
    """Delta chi2 at vertices minus the threshold, relative to the threshold."""
    x, y = (side.to_scale(at) for side, at in zip((shown.x, shown.y), vertices.T, strict=True))
    return (shown.chi2(x, y) - shown.lowest(x, y)) / shown.delta - 1


@functools.cache
def naive_infimum(name: str, beta: float, sigma: float | None, luminosity: float) -> float:
    """The infimum of chi2 over all masses: a scan where the shift of a coupling is 1e-3 to 1e6, and a minimiser."""
    if name != CSI:
        return 0.0  # the data are the Standard Model's prediction

    def chi2(x: float) -> float:
        return naive.chi2(name, "e6", math.exp(x), beta, sigma, luminosity)

    size = math.hypot(*naive.coupling_shift("cevns", "e6", naive.M_Z_GEV, beta))
    grid = math.log(naive.M_Z_GEV) + np.log(size * np.logspace(-3, 6, 300)) / 2
    lowest = min(range(1, 299), key=lambda i: chi2(grid[i]))
    found = minimize_scalar(chi2, bounds=(grid[lowest - 1], grid[lowest + 1]), method="bounded")
    return min(float(found.fun), naive.chi2_sm(name, sigma, luminosity))


@pytest.mark.parametrize("dof", [1, 2])
@pytest.mark.parametrize(("x", "y", "at"), PLANES)
@pytest.mark.parametrize("name", [CSI, CONUS])
def test_a_contour_is_where_the_naive_delta_chi2_is_the_threshold(
    name: str, x: str, y: str, at: dict[str, float], dof: int, root: zarr.Group
) -> None:
    delta = query.threshold(0.90, dof)
    vertices = points(contours(plane(store.read(root, f"{name}/e6"), x, y, at=at, dof=dof)))
    assert len(vertices) > 20
    for vertex in vertices[:: 20 if name == CSI else 1].tolist():
        shown = dict(zip((axis_of(x), axis_of(y)), vertex, strict=True))
        point = {"sigma_sys": None, "luminosity": 1.0, **at, **shown}
        beta, sigma, luminosity = point["beta"], point["sigma_sys"], point["luminosity"]
        if dof == 2 and "beta" not in at:  # the best fit is at a beta at which the masses reach the data
            beta = math.radians(100)
            assert naive_infimum(name, beta, sigma, luminosity) < 1e-6
        found = naive.chi2(name, "e6", point["m_zprime"], point["beta"], sigma, luminosity)
        assert found - naive_infimum(name, beta, sigma, luminosity) == pytest.approx(delta, rel=1e-3)


@pytest.mark.parametrize("dof", [1, 2])
@pytest.mark.parametrize(("x", "y", "at"), PLANES)
@pytest.mark.parametrize("name", [CSI, CONUS])
def test_a_contour_is_closed_or_leaves_the_grid(
    name: str, x: str, y: str, at: dict[str, float], dof: int, root: zarr.Group
) -> None:
    cube = store.read(root, f"{name}/e6")
    for line in contours(plane(cube, x, y, at=at, dof=dof)):
        first, last = zip(line.x[[0, -1]].tolist(), line.y[[0, -1]].tolist(), strict=True)
        assert line.closed == (first == last)
        for end in () if line.closed else (first, last):
            edges = (cube.axis_points(axis_of(axis))[[0, -1]] for axis in (x, y))
            assert any(np.isclose(at, edge, rtol=1e-12, atol=0).any() for at, edge in zip(end, edges, strict=True)), end


@pytest.mark.parametrize("dof", [1, 2])
@pytest.mark.parametrize(("x", "y", "at"), PLANES)
@pytest.mark.parametrize("name", [CSI, CONUS])
def test_stored_values_have_the_contours_of_the_likelihood(
    name: str, x: str, y: str, at: dict[str, float], dof: int, root: zarr.Group
) -> None:
    cube = store.read(root, f"{name}/e6")
    held = at if "sigma_sys" in (x, y) else {**at, "sigma_sys": 0.1}
    stored, carried = (contours(plane(cube, x, y, at=held, dof=dof, stored_in=place)) for place in (root, None))
    assert [(line.closed, line.x.size) for line in stored] == [(line.closed, line.x.size) for line in carried]
    assert points(stored) == pytest.approx(points(carried), rel=1e-6)


@pytest.mark.parametrize("name", [CSI, CONUS])
def test_at_each_beta_the_highest_vertex_is_the_limit(name: str, root: zarr.Group) -> None:
    cube = store.read(root, f"{name}/e6")
    vertices = points(contours(plane(cube, "beta", "m_zprime", dof=1)))
    limits, status = fastscan.limit(name, "e6", beta=cube.points["beta"], with_status=True)
    inside = (status == "ok") & (limits > 5)
    assert inside.sum() > 80
    highest = [vertices[np.isclose(vertices[:, 0], beta, rtol=1e-12), 1].max() for beta in cube.points["beta"][inside]]
    assert highest == pytest.approx(limits[inside].tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "minimised"),
    [
        ("sigma_sys", "m_zprime", ("beta",)),
        ("beta", "luminosity", ("m_zprime",)),
        ("beta", "m_zprime", ("sigma_sys",)),
        ("m_zprime", "luminosity", ("beta", "sigma_sys")),
    ],
)
@pytest.mark.parametrize("name", [CSI, CONUS])
def test_minimised_axes_have_the_smallest_chi2(
    name: str, x: str, y: str, minimised: tuple[str, ...], root: zarr.Group
) -> None:
    cube = store.read(root, f"{name}/e6")
    held = {"luminosity": 1.0} if "luminosity" not in (x, y) else {}
    held |= {"sigma_sys": 0.1} if "sigma_sys" not in (x, y, *minimised) else {}
    mesh = dict(zip(cube.points, np.meshgrid(*cube.points.values(), indexing="ij", sparse=True), strict=True)) | held
    chi2 = fastscan.chi2(name, "e6", **mesh)
    mesh["m_zprime"] = 100.0
    lowest = fastscan.chi2(name, "e6", **mesh) - fastscan.delta_chi2(name, "e6", **mesh)
    names = tuple(cube.points)
    over = tuple(names.index(axis) for axis in minimised)
    fitted = tuple(number for number in over if names[number] != "m_zprime")
    expected = chi2.min(axis=over, keepdims=True) - lowest.min(axis=fitted, keepdims=True)
    expected = expected.squeeze(tuple(names.index(axis) for axis in (*minimised, *held)))
    expected = expected if names.index(y) < names.index(x) else expected.T
    carried = plane(cube, x, y, at=held, minimise=minimised, dof=1)
    assert carried.values == pytest.approx(expected, rel=1e-9, abs=1e-9)
    stored = plane(cube, x, y, at=held, minimise=minimised, dof=1, stored_in=root)
    assert stored.values == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_two_degrees_of_freedom_fit_beta_as_well(root: zarr.Group) -> None:
    cube = store.read(root, f"{CSI}/e6")
    one, two = (plane(cube, "beta", "m_zprime", dof=dof) for dof in (1, 2))
    lowest = one.lowest(cube.points["beta"], np.full(cube.points["beta"].size, 5.0))  # infimum of each beta
    assert two.values == pytest.approx(one.values + lowest - lowest.min(), abs=1e-9)


@pytest.mark.slow
def test_the_contours_of_the_papers_grids_are_where_delta_chi2_is_the_threshold() -> None:
    cubes = plan_of(paper_figures.grid(5))
    assert len(cubes) == 14
    for cube in cubes:
        region = plane(cube, "cos_beta", "m_zprime", dof=1)
        assert np.abs(excess(region, points(contours(region)))).max() < 1e-3


def test_where_delta_chi2_jumps_the_contour_follows_the_jump(root: zarr.Group) -> None:
    """Where the Z' decouples, its interference changes sign, and the data are reached on one side only."""
    step = np.array([1e-6, 0.0])
    at = {"m_zprime": 150.0, "sigma_sys": 0.01}
    jumps = plane(store.read(root, f"{CSI}/e6"), "beta", "luminosity", at=at, dof=1)
    vertices = points(contours(jumps))
    jumping = np.abs(excess(jumps, vertices)) > 1e-3
    left, right = (excess(jumps, vertices[jumping] + sign * step) for sign in (-1, 1))
    assert jumping.sum() > 10
    assert (np.sign(left) != np.sign(right)).all()
    decoupled = np.array([math.pi / 2, math.pi - math.atan(9 / math.sqrt(15))])
    assert np.abs(vertices[jumping, :1] - decoupled).min(axis=1).max() < 1e-6


@pytest.mark.parametrize(
    ("x", "y", "chosen", "problem"),
    [
        ("bet", "m_zprime", {}, "unknown axis 'bet'; did you mean 'beta'"),
        ("beta", "m_zprime", {"at": {"luminosty": 1}}, "unknown axis 'luminosty'; did you mean 'luminosity'"),
        ("beta", "m_zprime", {"minimise": ["sigma"]}, "unknown axis 'sigma'; did you mean 'sigma_sys'"),
        ("beta", "beta", {}, "two different axes"),
        ("beta", "cos_beta", {}, "two different axes"),
        ("sigma_sys", "m_zprime", {}, "coherent-csi/e6: give a value of beta, or minimise over it"),
        ("beta", "sigma_sys", {}, "coherent-csi/e6: give a value of m_zprime, or minimise over it"),
        ("sigma_sys", "m_zprime", {"at": {"beta": 0.0}, "minimise": ["beta"]}, "beta can be only one of shown, held"),
        ("cos_beta", "m_zprime", {"minimise": ["beta"]}, "beta can be only one of shown, held"),
        ("cos_beta", "m_zprime", {"at": {"m_zprime": 100.0}}, "m_zprime can be only one of shown, held"),
        ("sigma_sys", "m_zprime", {"at": {"beta": math.radians(3)}}, "beta = 3 deg .* the nearest is [24] deg"),
        ("beta", "sigma_sys", {"at": {"m_zprime": 0.0}}, "m_zprime must be at least"),
        ("beta", "m_zprime", {"at": {"sigma_sys": -1.0}}, "sigma_sys must be zero or positive"),
    ],
)
def test_a_plane_that_can_not_be_is_told(
    x: str, y: str, chosen: dict[str, Any], problem: str, root: zarr.Group
) -> None:
    with pytest.raises(FastscanError, match=problem):
        plane(store.read(root, f"{CSI}/e6"), x, y, **chosen)


Plan = Callable[..., Cube]


@pytest.fixture
def plan(write: Write) -> Plan:
    """A cube of the grid above with some axes replaced."""

    def planned(*replaced: tuple[str, str], model: str = "e6", name: str = CONUS) -> Cube:
        text = GRID.replace('"coherent-csi", "conus"', f'"{name}"').replace('"e6"', f'"{model}"')
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        return plan_of(write("grid.toml", text))[0]

    return planned


BETA = 'beta = { start = 0, stop = 180, num = 91, unit = "deg" }'
SIGMA = "sigma_sys = { start = 0, stop = 0.5, num = 21 }"


def test_axes_that_are_too_short_or_absent_or_too_wide_are_told(plan: Plan) -> None:
    for replaced, (x, y), problem in (
        (
            (BETA, 'beta = { values = [90], unit = "deg" }'),
            ("beta", "m_zprime"),
            "a plane needs 2 points on the axis beta, not 1",
        ),
        (
            (SIGMA, "sigma_sys = { values = [0.1] }"),
            ("sigma_sys", "beta"),
            "a plane needs 2 points on the axis sigma_sys, not 1",
        ),
        ((SIGMA, ""), ("sigma_sys", "beta"), "conus/e6 has no axis sigma_sys"),
        (("stop = 180", "stop = 182"), ("cos_beta", "m_zprime"), "cos_beta needs beta between 0 and 180 deg"),
        (("start = 0, stop = 180", "start = -1, stop = 180"), ("m_zprime", "cos_beta"), "cos_beta needs beta between"),
    ):
        with pytest.raises(FastscanError, match=problem):
            plane(plan(replaced), x, y)
    for x in ("beta", "cos_beta"):
        with pytest.raises(FastscanError, match="conus/chi has no axis beta"):
            plane(plan((BETA, ""), model="chi"), x, "m_zprime")


def test_what_is_held_of_another_model_is_passed_over(plan: Plan) -> None:
    """A question about many groups can give the beta for e6, and chi answers too."""
    cube = plan((BETA, ""), model="chi")
    said, silent = (plane(cube, "sigma_sys", "m_zprime", at=at) for at in ({"beta": 0.0}, {}))
    np.testing.assert_array_equal(said.values, silent.values)
    with pytest.raises(FastscanError, match="unknown axis 'betta'"):
        plane(cube, "sigma_sys", "m_zprime", at={"betta": 0.0})


@pytest.mark.filterwarnings("ignore::fastscan.FastscanWarning")
def test_where_delta_chi2_is_enormous_a_vertex_is_still_on_the_threshold(plan: Plan) -> None:
    """Between 1e15 thresholds and none, a straight line would end on the grid point."""
    light = ('start = 5, stop = 3000, num = 80, spacing = "log"', "values = [1, 2, 5, 50]")
    cube = plan((BETA, ""), light, (SIGMA, "sigma_sys = { values = [0, 1, 2] }"), model="chi")
    enormous = plane(cube, "sigma_sys", "m_zprime", dof=1)
    lines = contours(enormous)
    assert np.abs(excess(enormous, points(lines))).max() < 1e-6
    assert points(lines)[:, 0].min() == pytest.approx(0.6, abs=0.02)


def test_a_plane_without_crossings_on_one_kind_of_edge(plan: Plan) -> None:
    heavy = ("start = 5, stop = 3000", "start = 2000, stop = 3000")
    assert contours(plane(plan(heavy), "beta", "m_zprime", dof=1)) == []
    assert fastscan.limit(CONUS, "e6", beta=[]).shape == (0,)


@pytest.mark.parametrize(("factor", "problem"), [(math.nan, "lacks values"), (0.0, "contradicts the likelihood")])
def test_a_damaged_cube_gives_no_contour(factor: float, problem: str, write: Write, tmp_path: Path) -> None:
    fastscan.scan(write("grid.toml", GRID), tmp_path / "out.zarr")
    chunk = tmp_path / "out.zarr/conus/e6/chi2/c.0.0.0.0"
    (np.frombuffer(chunk.read_bytes(), "<f4") * np.float32(factor)).tofile(chunk)
    damaged = read_root(tmp_path / "out.zarr")
    cube = store.read(damaged, "conus/e6")
    shown = plane(cube, "beta", "m_zprime", at={"sigma_sys": 0.2}, dof=1, stored_in=damaged)
    with pytest.raises(FastscanError, match=problem):
        contours(shown)
    if math.isnan(factor):
        with pytest.raises(FastscanError, match=problem):
            list(from_cube.profile_records(cube, Question(at={"sigma_sys": [0.2]}), damaged))


def test_an_axis_is_held_at_one_value(plan: Plan) -> None:
    with pytest.raises(FastscanError, match="luminosity is held at one value"):
        plane(plan(), "beta", "m_zprime", at={"luminosity": np.array([1, 2])})
    with pytest.raises(FastscanError, match="contours are drawn at one luminosity"):
        plane(plan(), "beta", "m_zprime", at={"luminosity": [1, 2]})


def test_a_group_of_one_axis_has_no_plane(write: Write) -> None:
    axes = 'm_zprime = { values = [100, 200], unit = "GeV" }'
    grid = write("grid.toml", f'experiments = ["conus"]\nmodels = ["chi"]\n[axes]\n{axes}')
    with pytest.raises(FastscanError, match="conus/chi has no second axis for a plane, only m_zprime"):
        next(answers.contours_of_cubes(plan_of(grid), Question(), PlaneAxes()))
