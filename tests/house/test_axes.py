"""An axis is described in one place, from which grids, stores, records, pictures and commands take everything."""

import csv
import io
import math
import re
import sys

import numpy as np
import pytest
import zarr
from conftest import Write, ok, refusal

import fastscan
from fastscan.answers import answers, from_cube, planes, records
from fastscan.answers.contours import contour_records, contours
from fastscan.answers.question import PlaneAxes
from fastscan.axes import LUMINOSITY, SETTINGS, SIGMA_SYS, Axis, View, by_name, named
from fastscan.errors import InputError
from fastscan.interactions import catalogue
from fastscan.interactions.parameters import AXES, BETA, EPS_D, M_ZPRIME, PARAMETERS, RADIUS, ROWS, STRENGTHS
from fastscan.outputs import figures, plots
from fastscan.outputs.plots import Picture
from fastscan.scans.plan import plan

INF = float("inf")
HEAVY = (BETA, M_ZPRIME, SIGMA_SYS, LUMINOSITY)  # the axes of GRID
GRID = """
experiments = ["conus"]
models = ["e6"]
[axes]
beta = { values = [0, 30, 90, 180], unit = "deg" }
m_zprime = { start = 20, stop = 2000, num = 9, spacing = "log", unit = "GeV" }
sigma_sys = { values = [0.05, 0.1, 0.2] }
luminosity = { values = [1, 10, 100] }
"""
# An axis that only this test has: all texts about it must come from its description.
DISTANCE = Axis(
    name="far_away",
    long_name="distance of nothing",
    symbol="d",
    text="d",
    low=1.0,
    high=9000.0,
    expected="from 1 to 9000 m",
    kind="length",
    unit="m",
    example="20m",
    shown_in="km",
    logarithmic=True,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> zarr.Group:
    place = tmp_path_factory.mktemp("axes")
    (place / "grid.toml").write_text(GRID)
    return fastscan.scan(place / "grid.toml", place / "out.zarr")


@pytest.fixture(scope="module")
def stored(root: zarr.Group) -> str:
    return str(root.store.root)


def test_there_is_each_axis_once() -> None:
    assert set(HEAVY) <= set(AXES)
    assert len(by_name(AXES)) == len(AXES)
    assert by_name(AXES) == {axis.name: axis for axis in AXES}
    assert by_name(ROWS).keys() | by_name(STRENGTHS) == by_name(PARAMETERS).keys()
    assert (*PARAMETERS, *SETTINGS) == AXES
    for model in catalogue.MODELS.values():
        assert {axis.name for axis in model.rows} <= {axis.name for axis in ROWS}
        assert model.strength.axis in STRENGTHS


@pytest.mark.parametrize(
    ("axis", "column", "heading", "shown_unit"),
    [
        (BETA, "beta_rad", "beta/deg", "deg"),
        (M_ZPRIME, "m_zprime_gev", "M_Z'/GeV", "GeV"),
        (EPS_D, "eps_d", "eps_d", ""),
        (RADIUS, "r2_1e-32_cm2", "r2/1e-32 cm2", "1e-32 cm2"),
        (SIGMA_SYS, "sigma_sys", "sigma_sys", ""),
        (LUMINOSITY, "luminosity", "L/L0", ""),
        (DISTANCE, "far_away_m", "d/km", "km"),
    ],
)
def test_names_and_units(axis: Axis, column: str, heading: str, shown_unit: str) -> None:
    assert (axis.column, axis.heading, axis.shown_unit) == (column, heading, shown_unit)


@pytest.mark.parametrize(
    ("axis", "units"),
    [
        (BETA, {"rad": 1.0, "deg": math.pi / 180}),
        (M_ZPRIME, {"eV": 1e-9, "keV": 1e-6, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3}),
        (SIGMA_SYS, {"1": 1.0, "%": 0.01}),
        (LUMINOSITY, {"1": 1.0}),
        (DISTANCE, {"cm": 1e-2, "m": 1.0, "km": 1e3}),
    ],
)
def test_the_units_of_a_file(axis: Axis, units: dict[str, float]) -> None:
    assert {unit: axis.converted(1.0, unit) for unit in axis.units} == pytest.approx(units, rel=1e-15, abs=0)
    assert axis.unit in axis.units


def test_a_bound_is_met_in_every_unit() -> None:
    """10^6 eV are 0.001 GeV to the last bit, so that this mass isn't below the lightest one."""
    lightest = {"eV": 1e6, "keV": 1e3, "MeV": 1.0, "GeV": 1e-3, "TeV": 1e-6}
    assert {M_ZPRIME.converted(value, unit) for unit, value in lightest.items()} == {M_ZPRIME.low}


@pytest.mark.parametrize(
    ("axis", "value", "told", "shown"),
    [
        (BETA, math.radians(95), "95 deg", 95.0),
        (M_ZPRIME, 1234.5, "1234.5 GeV", 1234.5),
        (SIGMA_SYS, 0.28, "0.28", 0.28),
        (LUMINOSITY, 10.0, "10", 10.0),
        (DISTANCE, 2500.0, "2.5 km", 2.5),
    ],
)
def test_a_value_as_people_see_it(axis: Axis, value: float, told: str, shown: float) -> None:
    assert axis.told(value) == told
    assert axis.shown(value) == pytest.approx(shown, rel=1e-15)
    assert axis.shown(np.array([0.0, value])) == pytest.approx([0.0, shown], rel=1e-15)


@pytest.mark.parametrize(
    ("axis", "allowed", "refused", "problem"),
    [
        (BETA, [-2 * math.pi, 0.0, 2 * math.pi], [100.0, -6.3, math.inf, math.nan], "in rad .did you mean degrees"),
        (M_ZPRIME, [1e-3, 91.0, math.inf], [0.0, -100.0, math.nan], "m_zprime must be at least .* GeV"),
        (SIGMA_SYS, [0.0, 0.5], [-1e-9, math.inf, math.nan], "sigma_sys must be zero or positive, at most"),
        (LUMINOSITY, [1.0, 1000.0], [0.0, -1.0, math.inf, math.nan], "luminosity must be positive, from .* to"),
        (DISTANCE, [1.0, 9000.0], [0.999, 9001.0], "far_away must be from 1 to 9000 m"),
    ],
)
def test_the_values_that_it_can_have(axis: Axis, allowed: list[float], refused: list[float], problem: str) -> None:
    finite = [value for value in (axis.low, axis.high) if abs(value) < sys.float_info.max or axis is BETA]
    for values in (*allowed, allowed, finite):
        np.testing.assert_array_equal(axis.check(values), values)
        assert axis.check(values).dtype == float
    for value in refused:
        for values in (value, [allowed[0], value]):
            with pytest.raises(InputError, match=problem):
                axis.check(values)
    for nonsense in ("x", None, [1.0, "x"], 1j):
        with pytest.raises(InputError, match=axis.name):
            axis.check(nonsense)


def test_the_views() -> None:
    assert BETA.all_views == (
        View("beta", "beta_deg", r"$\beta$ [deg]", ticks=(1, 2, 5)),
        View("cos_beta", "cos_beta", r"$\cos\beta$", "cos", range=(0.0, math.pi)),
    )
    assert M_ZPRIME.all_views == (View("m_zprime", "m_zprime_gev", "$M_{Z'}$ [GeV]", "log", (1, 2, 5)),)
    assert SIGMA_SYS.all_views == (View("sigma_sys", "sigma_sys", r"$\sigma_\mathrm{sys}$"),)
    assert LUMINOSITY.all_views == (View("luminosity", "luminosity", "$L/L_0$", "log"),)
    assert DISTANCE.own_view == View("far_away", "far_away_km", "$d$ [km]", "log", (1, 2, 5))


def test_an_axis_that_is_not_there_is_told_with_the_nearest() -> None:
    assert named("beta", by_name(AXES)) is BETA
    with pytest.raises(InputError, match="unknown axis 'betta'; did you mean 'beta'"):
        named("betta", by_name(AXES))


@pytest.mark.parametrize("axis", HEAVY, ids=lambda axis: axis.name)
def test_a_grid_file_has_it_in_each_of_its_units(axis: Axis, write: Write) -> None:
    (as_it_is,) = plan(write("grid.toml", GRID))
    (line,) = re.findall(rf"^{axis.name} = .*$", GRID, re.MULTILINE)
    points = as_it_is.points[axis.name]
    for unit in axis.units:
        values = axis.converted(points, axis.unit, unit).tolist()
        named_unit = "" if unit == "1" else f', unit = "{unit}"'
        grid = GRID.replace(line, f"{axis.name} = {{ values = {values}{named_unit} }}")
        (cube,) = plan(write("grid.toml", grid))
        assert cube.points[axis.name] == pytest.approx(points, rel=1e-14)
    others = GRID.replace(line, f'{axis.name} = {{ values = [1, 2], unit = "furlong" }}')
    with pytest.raises(InputError, match=rf"{axis.name}.*unit") as caught:
        plan(write("grid.toml", others))
    assert all(unit in str(caught.value) for unit in axis.units)


@pytest.mark.parametrize("axis", HEAVY, ids=lambda axis: axis.name)
def test_a_grid_file_has_none_of_the_values_that_it_can_not_have(axis: Axis, write: Write) -> None:
    (line,) = re.findall(rf"^{axis.name} = .*$", GRID, re.MULTILINE)
    unit = "" if axis.unit == "1" else f', unit = "{axis.unit}"'
    bad = math.nan if axis is BETA else math.nextafter(axis.low, -INF)
    with pytest.raises(InputError, match=axis.name):
        plan(write("grid.toml", GRID.replace(line, f"{axis.name} = {{ values = [{bad!r}]{unit} }}")))


@pytest.mark.parametrize("axis", HEAVY, ids=lambda axis: axis.name)
def test_a_store_says_what_it_is(axis: Axis, root: zarr.Group, stored: str) -> None:
    assert dict(root[f"conus/e6/{axis.name}"].attrs) == {"units": axis.unit, "long_name": axis.long_name}
    with fastscan.open(stored, "conus/e6") as cube:
        assert cube[axis.name].attrs["units"] == axis.unit
        assert cube.chi2.dims == tuple(each.name for each in HEAVY)


def test_records_have_its_column(root: zarr.Group) -> None:
    model = catalogue.load("e6")
    told = {axis.column for axis in HEAVY} - {M_ZPRIME.column}
    assert told < set(records.limit_keys(model))
    assert told | {M_ZPRIME.column} < set(records.profile_keys(model))
    drawn = {view.column for axis in HEAVY for view in axis.views}
    assert told | {M_ZPRIME.column} | drawn < set(records.contour_keys(model))
    (cube,) = answers.cubes_of(root, ())
    limit = next(from_cube.limit_records(cube))
    profile = next(from_cube.profile_records(cube))
    plane = planes.plane_of(cube, PlaneAxes())
    vertex = next(contour_records(plane, contours(plane)))
    for keys, record in (
        (records.limit_keys(model), limit),
        (records.profile_keys(model), profile),
        (records.contour_keys(model), vertex),
    ):
        assert tuple(record) == keys
        for axis in HEAVY:
            if axis.column in keys:
                assert axis.check(record[axis.column]).shape == ()
    assert vertex["cos_beta"] == math.cos(vertex[BETA.column])


def test_tables_have_its_heading_and_shown_value(stored: str) -> None:
    _, header, *rows = ok("limits", stored, "--luminosity", "axis").splitlines()
    headings = [axis.heading for axis in HEAVY if axis is not M_ZPRIME]
    assert re.split(" {2,}", header) == ["experiment", "label", "model", *headings, "limit"]
    assert [re.split(" {2,}", row)[3] for row in rows] == [beta for beta in ("0", "30", "90", "180") for _ in range(3)]


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_pictures_have_its_label(axis: Axis) -> None:
    for view in axis.all_views:
        assert figures.QUANTITIES[view.column] == view
        assert planes.VIEWS[view.name] == (axis, view)
        assert view.scale in planes.SCALES


@pytest.mark.parametrize(
    ("x", "y"), [("beta", "m_zprime"), ("cos_beta", "m_zprime"), ("sigma_sys", "luminosity"), ("luminosity", "beta")]
)
def test_a_plane_is_labelled_and_scaled_as_its_views_say(x: str, y: str, stored: str) -> None:
    minimised = tuple(
        axis.name for axis in (BETA, M_ZPRIME) if axis.name not in (planes.VIEWS[x][0].name, planes.VIEWS[y][0].name)
    )
    figure, _ = plots.plot(stored, picture=Picture(plane=PlaneAxes((x, y), minimised)))
    (ax,) = figure.axes
    views = planes.VIEWS[x][1], planes.VIEWS[y][1]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (views[0].label, views[1].label)
    assert (ax.get_xscale(), ax.get_yscale()) == tuple("log" if each.scale == "log" else "linear" for each in views)


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
@pytest.mark.parametrize("command", ["limit", "limits", "contours", "plot"])
def test_the_commands_have_an_option_for_it(command: str, axis: Axis) -> None:
    told = " ".join(ok(command, "--help").split())
    if command != "contours":  # a name can be two axes; options take the row parameter
        axis = by_name(ROWS).get(axis.name, axis)
    option = "--" + axis.name.replace("_", "-")
    if axis not in (*ROWS, *SETTINGS) and command in ("limit", "limits"):
        assert f"{option} " not in told  # the limits are limits on it
        return
    (words,) = re.findall(rf"{option} [A-Z\[][^ ]* (.*?)\. ", told)
    assert words
    if (command, axis) != ("limit", SIGMA_SYS):  # which takes an error by experiment, and has words of its own
        assert words.lower().startswith(axis.long_name.lower())
        assert axis.example in words
        assert (f"left out, {axis.left_out}" in words) == bool(axis.left_out)


# For each axis, a value at which some contour is drawn, and the options with which the axis is held at it.
HELD = {
    BETA: (math.radians(30), ("--axes", "sigma_sys,m_zprime")),
    M_ZPRIME: (150.0, ("--axes", "beta,sigma_sys")),
    SIGMA_SYS: (0.1, ()),
    LUMINOSITY: (10.0, ()),
}


@pytest.mark.parametrize("axis", HEAVY, ids=lambda axis: axis.name)
def test_an_option_reads_a_value_in_each_of_its_units(axis: Axis, stored: str) -> None:
    value, others = HELD[axis]
    option = "--" + axis.name.replace("_", "-")
    for unit in axis.units:
        written = f"{axis.converted(value, axis.unit, unit)!r}{'' if unit == '1' else unit}"
        rows = list(csv.DictReader(io.StringIO(ok("contours", stored, *others, option, written, "--csv"))))
        assert [float(row[axis.column]) for row in rows] == pytest.approx([value] * len(rows), rel=1e-12)
        assert rows
    if axis.unit != "1":
        assert f"has no unit of {axis.kind}" in refusal("contours", stored, option, "1")
