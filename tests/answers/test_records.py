import csv
import io
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from conftest import Write

import fastscan
from fastscan.answers import answers, from_cube, planes, records
from fastscan.answers.contours import contour_records, contours
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import FastscanError
from fastscan.interactions import catalogue
from fastscan.scans.plan import plan
from fastscan.stores import location, store
from fastscan.stores.cube import Cube
from fastscan.typing import Record

HEAVY = catalogue.load("e6")
KEYS, PROFILE_KEYS, CONTOUR_KEYS = (
    keys_of(HEAVY) for keys_of in (records.limit_keys, records.profile_keys, records.contour_keys)
)

# Its limits are ok and outside the axis; at 90.001 deg below 1 GeV; at 100 deg the data disfavour the SM.
EVERY_STATUS = """
experiments = ["coherent-csi"]
models = ["chi", "e6"]
[axes]
beta = { values = [0, 60, 90.001, 100, 113], unit = "deg" }
m_zprime = { values = [30, 65, 140, 300], unit = "GeV" }
sigma_sys = { values = [0.01, 0.28] }
luminosity = { values = [1, 10] }
"""


@pytest.fixture
def place(write: Write, tmp_path: Path) -> Path:
    fastscan.scan(write("grid.toml", EVERY_STATUS), tmp_path / "out.zarr")
    return tmp_path / "out.zarr"


def table(keys: tuple[str, ...], rows: list[Record]) -> list[dict[str, str]]:
    """Records as CSV, read again."""
    file = io.StringIO()
    records.write_csv(file, keys, rows)
    return list(csv.DictReader(io.StringIO(file.getvalue())))


@pytest.mark.filterwarnings("ignore:M_Z. is below:fastscan.FastscanWarning")
@pytest.mark.parametrize("from_cube", [False, True])
def test_a_table_of_limits_says_what_the_records_say(from_cube: bool, place: Path) -> None:
    asked = Question(at={"sigma_sys": "axis", "luminosity": "axis"}, stored=from_cube)
    found = list(answers.limits_of_store(str(place), asked))
    rows = table(KEYS, found)
    assert len(rows) == len(found) == (1 + 5) * 2 * 2
    assert {row["status"] for row in rows} == {"ok", "outside_axis", "sm_disfavoured", "no_sensitivity"}
    for row, record in zip(rows, found, strict=True):
        for key in ("experiment", "model", "status"):
            assert row[key] == record[key]
        for key in ("beta_rad", "sigma_sys", "luminosity", "cl", "dof", "limit_gev", "limit_over_g_gev"):
            assert (float(row[key]) if row[key] else None) == record[key]
        pairs = [tuple(map(float, pair.split(":"))) for pair in row["allowed_gev"].split(";") if pair]
        assert pairs == [(low, math.inf if high is None else high) for low, high in record["allowed_gev"]]
        assert (row["limit_gev"] == "") == (row["status"] in ("no_sensitivity", "sm_disfavoured"))
        assert (row["status"] == "outside_axis") == (
            row["limit_gev"] != "" and not 30 <= float(row["limit_gev"]) <= 300
        )


def test_a_limit_below_1_gev_is_none(place: Path) -> None:
    beta = math.radians(90.001)
    assert 0.01 < naive.limit(["coherent-csi"], "e6", beta, m_low=0.01, m_high=10) < 1
    asked = Question(("coherent-csi/e6",), at={"beta": [beta]})
    (row,) = table(KEYS, list(answers.limits_of_store(str(place), asked)))
    assert (row["status"], row["limit_gev"], row["allowed_gev"]) == ("no_sensitivity", "", "1.0:inf")


def test_an_error_leaves_no_header() -> None:
    def broken() -> Iterator[Record]:
        raise FastscanError("nothing can be computed")
        yield {}

    file = io.StringIO()
    with pytest.raises(FastscanError, match="nothing can be computed"):
        records.write_csv(file, KEYS, broken())
    assert file.getvalue() == ""


@pytest.mark.parametrize("keys", [KEYS, PROFILE_KEYS, CONTOUR_KEYS])
def test_no_records_are_a_table_with_a_header(keys: tuple[str, ...]) -> None:
    file = io.StringIO()
    records.write_csv(file, keys, iter(()))
    assert file.getvalue() == ",".join(keys) + "\n"


COMBINED = """
models = ["chi"]
[axes]
m_zprime = { start = 50, stop = 900, num = 40, spacing = "log", unit = "GeV" }
luminosity = { values = [1, 10, 100] }
[combine.both]
experiments = ["conus", "connie"]
sigma_sys = { connie = 0.05 }
"""
SIGMAS = "sigma_sys = { values = [0, 0.1] }\n[combine"


@pytest.mark.parametrize(
    ("grid", "chosen", "told"),
    [
        (COMBINED, {}, {"conus": 0.2, "connie": 0.05}),
        (COMBINED, {"at": {"sigma_sys": 0.1}}, {"conus": 0.1, "connie": 0.05}),
        (COMBINED.replace("[combine", SIGMAS), {"minimise": ["sigma_sys"]}, None),
    ],
)
def test_a_vertex_tells_the_sigma_sys_of_each_experiment(
    grid: str, chosen: dict[str, Any], told: dict[str, float] | None, write: Write
) -> None:
    (cube,) = plan(write("grid.toml", grid))
    minimise = tuple(chosen.get("minimise", ()))
    axes, asked = PlaneAxes(("luminosity", "m_zprime"), minimise), Question(at=chosen.get("at", {}), dof=1)
    plane = planes.plane_of(cube, axes, asked)
    found = list(contour_records(plane, contours(plane)))
    assert len(found) > 2
    assert all(row["sigma_sys"] == told for row in found)


def expected_profile(cube: Cube, sigma: list[float] | None, luminosity: list[float]) -> list[float]:
    name, model = cube.name.split("/")
    beta = {name: cube.points[name][:, None, None, None] for name in cube.rows}
    at = {"sigma_sys": None if sigma is None else np.array(sigma)[:, None, None], "m_zprime": cube.points["m_zprime"]}
    values = fastscan.delta_chi2(name, model, luminosity=np.array(luminosity)[:, None], **beta, **at)
    return values.ravel().tolist()


@pytest.mark.parametrize("group", ["coherent-csi/chi", "coherent-csi/e6"])
@pytest.mark.parametrize(("sigma", "luminosity"), [(None, [1.0]), ([0.28, 0.01], [10.0, 1.0])])
def test_a_profile_is_delta_chi2_at_the_masses_of_the_axis(
    group: str, sigma: list[float] | None, luminosity: list[float], place: Path
) -> None:
    root = location.read_root(str(place))
    cube = store.read(root, group)
    expected = expected_profile(cube, sigma, luminosity)
    settings = {"sigma_sys": sigma, "luminosity": luminosity}
    asked = Question(at={name: values for name, values in settings.items() if values is not None})
    for stored_in, exact in ((None, 1e-12), (root, 1e-6)):
        found = list(from_cube.profile_records(cube, asked, stored_in))
        assert [row["delta_chi2"] for row in found] == pytest.approx(expected, rel=exact, abs=exact)
        assert [row["m_zprime_gev"] for row in found[-4:]] == [30, 65, 140, 300]
        assert found[-1]["beta_rad"] == (math.radians(113) if cube.rows else None)
        assert (found[-1]["sigma_sys"], found[-1]["luminosity"]) == ((sigma or [0.28])[-1], luminosity[-1])
        rows = table(PROFILE_KEYS, found)
        assert [float(row["delta_chi2"]) for row in rows] == [row["delta_chi2"] for row in found]


def test_a_profile_of_stored_values_that_can_not_be_is_told(place: Path) -> None:
    root, chunk = location.read_root(str(place)), place / "coherent-csi/chi/chi2/c.0.0.0"
    chunk.write_bytes((np.frombuffer(chunk.read_bytes(), "<f4") * np.float32(1 + 1e-5)).tobytes())
    with pytest.raises(FastscanError, match="coherent-csi/chi: the stored chi2 contradicts the likelihood"):
        list(from_cube.profile_records(store.read(root, "coherent-csi/chi"), stored_in=root))


def test_a_profile_of_stored_values_has_only_what_is_stored(place: Path, write: Write) -> None:
    root = location.read_root(str(place))
    asked = Question(at={"sigma_sys": [0.1]})
    with pytest.raises(FastscanError, match=r"sigma_sys = 0\.1 is not on the axis .* the nearest is 0\.01"):
        list(from_cube.profile_records(store.read(root, "coherent-csi/chi"), asked, root))
    without_sigma = EVERY_STATUS.replace("sigma_sys = { values = [0.01, 0.28] }", "")
    cube = plan(write("other.toml", without_sigma))[0]
    asked = Question(at={"sigma_sys": [0.1, 0.5]})
    assert [row["sigma_sys"] for row in from_cube.profile_records(cube, asked)][::4] == [0.1, 0.5]


def test_likelihoods_that_do_not_fit_together_are_told(write: Write, tmp_path: Path) -> None:
    grid = EVERY_STATUS.replace('"coherent-csi"', '"conus"')
    grid = grid.replace('"chi", "e6"', '"chi"').replace("beta =", "# beta =")
    root = fastscan.scan(write("grid.toml", grid), tmp_path / "out.zarr")
    other = EVERY_STATUS.replace("[30, 65,", "[30, 60,")
    fastscan.scan(write("other.toml", other), tmp_path / "out.zarr", resume=True)
    with pytest.raises(FastscanError, match=r"conus/chi and coherent-csi/chi differ in m_zprime$"):
        list(answers.limits_of_store(str(tmp_path / "out.zarr"), Question(), ["coherent-csi", "conus"]))
    shutil.rmtree(tmp_path / "out.zarr" / "coherent-csi" / "chi")
    with pytest.raises(FastscanError, match="no model is in the store for all of coherent-csi, conus"):
        list(answers.limits_of_store(str(tmp_path / "out.zarr"), Question(), ["coherent-csi", "conus"]))
    assert store.group_names(root) == ["coherent-csi/e6", "conus/chi"]
