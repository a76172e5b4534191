"""Numbers from callers: quantities with a unit are converted, and other values are refused in one line."""

import array
import datetime
import decimal
import fractions
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import REPOSITORY

import fastscan
from fastscan.axes import LUMINOSITY, SIGMA_SYS, Axis
from fastscan.errors import FastscanError, InputError
from fastscan.interactions.parameters import BETA, M_ZPRIME

FACTORS = {
    "MeV": ("energy", 1e-3),
    "GeV": ("energy", 1.0),
    "TeV": ("energy", 1e3),
    "m": ("length", 1.0),
    "rad": ("angle", 1.0),
    "deg": ("angle", math.pi / 180),
    "": ("none", 1.0),
    "percent": ("none", 0.01),
}


class ConversionError(Exception):
    """An error of a library's own."""


@dataclass
class Scalar:
    """A quantity like pint's: not an array, with its number as `magnitude`."""

    magnitude: Any
    units: str

    def to(self, unit: str) -> "Scalar":
        return Scalar(np.asarray(self.magnitude) * ratio(self.units, unit), unit)


class Subclass(np.ndarray):
    """A quantity like astropy's: an array that NumPy reads as bare numbers."""

    unit: str

    def to(self, unit: str) -> "Subclass":
        return subclass(np.asarray(self) * ratio(self.unit, unit), unit)


def subclass(values: Any, unit: str) -> Subclass:
    found = np.asarray(values, float).view(Subclass)
    found.unit = unit
    return found


def ratio(unit: str, to: str) -> float:
    (kind, factor), (other, divisor) = FACTORS[unit], FACTORS[to]
    if kind != other:
        raise ConversionError
    return factor / divisor


def real(library: str) -> Any:
    """The function that makes a quantity of a library; the test is skipped without the library."""
    module = pytest.importorskip(library)
    if library == "pint":
        return module.UnitRegistry().Quantity
    if library == "unyt":
        return lambda values, unit: module.unyt_array(values, {"deg": "degree", "": "dimensionless"}.get(unit, unit))
    return lambda values, unit: module.units.Quantity(values, unit)


@pytest.fixture(params=["like pint", "like astropy", "pint", "astropy", "unyt"])
def quantity(request: pytest.FixtureRequest) -> Any:
    own = {"like pint": Scalar, "like astropy": subclass}
    return own[request.param] if request.param in own else real(request.param)


def test_a_quantity_is_converted_to_the_unit_of_its_axis(quantity: Any) -> None:
    for axis, given, meant in [
        (M_ZPRIME, quantity(0.2, "TeV"), 200.0),
        (M_ZPRIME, quantity([0.2, 0.3], "TeV"), [200.0, 300.0]),
        (M_ZPRIME, [quantity(0.2, "TeV"), 30, quantity(500, "MeV")], [200.0, 30.0, 0.5]),
        (M_ZPRIME, [[quantity(0.2, "TeV")], [quantity(1, "GeV")]], [[200.0], [1.0]]),
        (BETA, quantity(180.0, "deg"), math.pi),
        (BETA, quantity(360.0, "deg"), 2 * math.pi),
        (BETA, quantity([[0.5]], "rad"), [[0.5]]),
        (SIGMA_SYS, quantity(20, "percent"), 0.2),
        (SIGMA_SYS, quantity(0.2, ""), 0.2),
        (LUMINOSITY, quantity([50.0], "percent"), [0.5]),
    ]:
        found = axis.check(given)
        assert type(found) is np.ndarray
        assert found.dtype == float
        np.testing.assert_allclose(found, meant, rtol=1e-14)


@pytest.mark.parametrize("library", ["pint", "astropy", "unyt"])
def test_an_array_of_xarray_can_hold_a_quantity(library: str) -> None:
    masses = xr.DataArray(real(library)([0.2, 0.3], "TeV"), dims="m_zprime")
    np.testing.assert_allclose(M_ZPRIME.check(masses), [200.0, 300.0], rtol=1e-14)


@pytest.mark.parametrize(
    ("axis", "unit", "problem"),
    [
        (M_ZPRIME, "m", "m_zprime must be in GeV or in a unit that converts to it, not "),
        (M_ZPRIME, "", "m_zprime must be in GeV or in a unit that converts to it, not "),
        (BETA, "TeV", "beta must be in rad or in a unit that converts to it, not "),
        (SIGMA_SYS, "TeV", "sigma_sys must be without unit, not "),
        (LUMINOSITY, "m", "luminosity must be without unit, not "),
    ],
)
def test_a_quantity_of_another_dimension_is_refused(axis: Axis, unit: str, problem: str, quantity: Any) -> None:
    for given in (quantity(0.2, unit), [quantity(0.2, unit), 1.0], quantity([0.2, 0.3], unit)):
        with pytest.raises(InputError, match=problem) as caught:
            axis.check(given)
        assert "\n" not in str(caught.value)


def test_every_argument_takes_quantities(quantity: Any) -> None:
    at = {"m_zprime": quantity([0.1, 0.2], "TeV"), "beta": quantity(30, "deg"), "sigma_sys": quantity(10, "percent")}
    plain = {"m_zprime": [100, 200], "beta": math.radians(30), "sigma_sys": 0.1}
    for function in (fastscan.chi2, fastscan.delta_chi2):
        np.testing.assert_allclose(function("conus", "e6", **at), function("conus", "e6", **plain), rtol=1e-12)
    by_name = {"connie": quantity(5, "percent")}
    found = fastscan.limit(["conus", "connie"], "chi", sigma_sys=by_name, cl=quantity(95, "percent"))
    assert found == pytest.approx(fastscan.limit(["conus", "connie"], "chi", sigma_sys={"connie": 0.05}, cl=0.95))
    ends = fastscan.intervals("conus", "chi", m_min=quantity(0.5, "TeV"), m_max=quantity(1, "TeV"))
    assert ends == [pytest.approx(pair) for pair in fastscan.intervals("conus", "chi", m_min=500, m_max=1000)]
    with pytest.raises(InputError, match="m_min must be in GeV or in a unit that converts to it, not"):
        fastscan.intervals("conus", "chi", m_min=quantity(0.5, "m"))


def test_an_array_whose_attributes_name_its_unit_is_converted() -> None:
    masses = xr.DataArray([0.2, 0.3], dims="m_zprime", attrs={"units": "TeV"})
    assert M_ZPRIME.check(masses).tolist() == [200.0, 300.0]
    assert BETA.check(xr.DataArray(180.0, attrs={"units": "deg"})) == math.pi
    assert SIGMA_SYS.check(xr.DataArray([20.0], attrs={"units": "%"})) == [0.2]
    assert SIGMA_SYS.check(xr.DataArray([0.2], attrs={"units": "1"})) == [0.2]
    named = pd.Series([0.2])
    named.attrs["units"] = "TeV"
    assert M_ZPRIME.check(named) == [200.0]
    for axis, unit in ((M_ZPRIME, "m"), (M_ZPRIME, "1"), (BETA, "GeV"), (SIGMA_SYS, "rad"), (BETA, "degrees")):
        with pytest.raises(InputError, match=f"{axis.name} must be in .*, not in '{unit}'"):
            axis.check(xr.DataArray([0.2], attrs={"units": unit}))


def test_the_axes_of_a_store_can_be_asked_at(tmp_path: Any) -> None:
    axes = '[axes]\nbeta = { values = [0, 90], unit = "deg" }\nm_zprime = { values = [0.1, 0.2], unit = "TeV" }'
    (tmp_path / "grid.toml").write_text(f'experiments = ["conus"]\nmodels = ["e6"]\n{axes}')
    root = fastscan.scan(tmp_path / "grid.toml", tmp_path / "out.zarr")
    with fastscan.open(root, "conus/e6") as cube:
        found = fastscan.chi2("conus", "e6", beta=cube.beta.values[:, None], m_zprime=cube.m_zprime)
        np.testing.assert_allclose(found, cube.chi2.values[:, :, 0, 0], rtol=1e-6)
    assert BETA.check(root["conus/e6/beta"]).tolist() == [0.0, math.pi / 2]


@pytest.mark.parametrize(
    "values",
    [
        2,
        [1, 2.5],
        (1, np.int8(2), np.float32(2.5)),
        range(1, 4),
        deque([1.0, 2.0]),
        array.array("d", [1, 2]),
        np.array([1, 2]),
        np.array([1.0, 2.0], "float32"),
        np.array([1, 2.0], object),
        np.ma.array([1.0, 2.0], mask=[False, False]),
        pd.Series([1, 2]),
        pd.Series([1, 2], dtype="Int64"),
        pd.Index([1.0]),
        xr.DataArray([[1.0, 2.0]]),
        [np.array([1.0]), [2]],
        decimal.Decimal("0.25"),
        [fractions.Fraction(1, 4), 10**30],
        [],
    ],
    ids=repr,
)
def test_numbers_of_any_kind_are_taken(values: Any) -> None:
    found = M_ZPRIME.check(values)
    assert found.dtype == float
    np.testing.assert_array_equal(found, np.asarray(values, float))


NO_NUMBERS = [
    *("1", b"1", bytearray(b"1"), np.str_("1"), np.array(["1"]), np.array(["1"], object), ["1", 1.0], pd.Series(["1"])),
    *(True, np.True_, [True, 1.0], np.array([True]), pd.Series([True]), [[1.0], [False]]),
    *(1j, np.array([1 + 0j]), None, [1.0, None], np.array([None]), object(), [[1.0], [1.0, 2.0]], {1.0}, {"a": 1.0}),
    *(np.datetime64("2020-01-01"), [np.timedelta64(1, "s")], datetime.date(2020, 1, 1), pd.Timedelta("1s")),
    *(np.ma.masked, np.ma.array([1.0, 2.0], mask=[True, False]), [np.ma.masked, 1.0]),
    *(10**400, [10**400, 1], 10**5000, [1.0, 10**5000], decimal.Decimal("sNaN")),
]


@pytest.mark.parametrize("values", NO_NUMBERS, ids=range(len(NO_NUMBERS)))
@pytest.mark.parametrize("axis", [BETA, M_ZPRIME, SIGMA_SYS, LUMINOSITY], ids=lambda axis: axis.name)
def test_what_is_no_number_is_refused_in_one_line(axis: Axis, values: Any) -> None:
    with pytest.raises(InputError, match=f"^{axis.name} must be a number or an array of numbers, not .") as caught:
        axis.check(values)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 160


SINGLE = [*NO_NUMBERS, [0.9], math.nan]


@pytest.mark.parametrize("value", SINGLE, ids=range(len(SINGLE)))
def test_a_single_argument_that_is_no_number_is_refused_in_one_line(value: Any) -> None:
    with pytest.raises(InputError, match="cl must be a number between 0 and 1, not") as caught:
        fastscan.limit("conus", "chi", cl=value)
    assert len(str(caught.value).splitlines()) == 1


POINT = {"m_zprime": 300.0}
FLAGS: dict[str, Callable[[Any], object]] = {
    "asimov": lambda value: fastscan.limit("conus", "chi", asimov=value),
    "independent": lambda value: fastscan.chi2("conus", "chi", independent=value, **POINT),
    "with_status": lambda value: fastscan.limit("conus", "chi", with_status=value),
    "by_neutrino": lambda value: fastscan.events("conus", "chi", by_neutrino=value, **POINT),
    "best": lambda value: fastscan.fit("conus", "chi", best=value),
    "resume": lambda value: fastscan.scan("grids/nsi.toml", "memory://flags", resume=value),
    "overwrite": lambda value: fastscan.scan("grids/nsi.toml", "memory://flags", overwrite=value),
}


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", ["no", None, 1, math.nan, np.array([True, False])], ids=repr)
def test_a_flag_is_true_or_false(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of anything else nobody knows what is meant: "no" is true in Python, and None false."""
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(InputError, match=f"^{name} must be True or False, not .") as caught:
        FLAGS[name](value)
    assert len(str(caught.value).splitlines()) == 1
    assert fastscan.limit("conus", "chi", asimov=np.True_) == fastscan.limit("conus", "chi", asimov=True)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: fastscan.limit("conus", "chi", method=np.array(["toys", "asymptotic"])), "unknown method"),
        (lambda: fastscan.coverage("conus", "chi", nuisances="signal", **POINT), "nuisances are numbers by name"),
        (lambda: fastscan.coverage("conus", "chi", nuisances=0, **POINT), "nuisances are numbers by name, not 0"),
        (lambda: fastscan.coverage("conus", "chi", nuisances={None: 1}, **POINT), "unknown nuisance 'None'"),
        (lambda: fastscan.grid.load(None), "a grid is a path or a Grid, not None"),
        (lambda: fastscan.scan(["grids/nsi.toml"], "memory://grid"), "a grid is a path or a Grid, not"),
        (lambda: fastscan.models.Model(3, "", g_prime=1.0), "a name is a text, not 3"),
    ],
    ids=range(7),
)
def test_what_is_of_another_type_is_refused_in_one_line(call: Callable[[], object], problem: str) -> None:
    with pytest.raises(FastscanError, match=problem) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InputError, match="m_zprime must be a number or an array of numbers"):
        M_ZPRIME.check(endless)
