"""A cube on and between the points of its axes, and with more than one row parameter."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import GRID, Write, angles
from hypothesis import given, settings

import fastscan
from fastscan.answers import from_cube
from fastscan.answers.answers import limits_of_store
from fastscan.answers.from_cube import Selection
from fastscan.answers.question import Question
from fastscan.axes import LUMINOSITY, SIGMA_SYS, Axis
from fastscan.errors import LimitError
from fastscan.interactions import catalogue, standard_model
from fastscan.interactions.contact import Contact, e6_shifts
from fastscan.interactions.parameters import AXES, BETA, M_ZPRIME
from fastscan.interactions.standard_model import Chiral
from fastscan.scans.blocks import block
from fastscan.scans.grid import Grid, Points, load
from fastscan.scans.plan import plan
from fastscan.scans.verify import verify
from fastscan.stores import store
from fastscan.stores.cube import Cube
from fastscan.stores.layout import files_with
from fastscan.typing import Array, Channel


@pytest.fixture
def cube(write: Write) -> Cube:
    return plan(write("grid.toml", GRID))[-1]


def test_a_whole_axis_is_found_on_itself(cube: Cube) -> None:
    """The memory grows with the axis, not with its square: 10^6 points would need 8 TB."""
    long = replace(cube, points={**cube.points, "luminosity": np.geomspace(1, 1000, 1_000_000)})
    points = long.points["luminosity"]
    assert (long.on_axis("luminosity", points * (1 + 1e-10)) == np.arange(points.size)).all()
    assert cube.on_axis("luminosity", np.array([1000, 1, 10])).tolist() == [2, 0, 1]
    for missed, nearest in ((4, 1), (6, 10), (2000, 1000)):
        with pytest.raises(LimitError, match=f"luminosity = {missed} is not on the axis.*the nearest is {nearest}$"):
            cube.on_axis("luminosity", np.array([1, missed]))


def test_couplings_of_another_fastscan_give_nothing_between_the_betas(cube: Cube) -> None:
    other = replace(cube, likelihood=replace(cube.likelihood, change=cube.likelihood.change * 1.001))
    with pytest.raises(LimitError, match=r"made with other couplings than this fastscan's between its beta$"):
        other.at_rows({"beta": np.array([0.5])})


@pytest.mark.parametrize("degrees", ["start = 0, stop = 180, num = 13", "values = [0, 90, 180]", "values = [3, 70]"])
@pytest.mark.parametrize(("name", "channel"), [("conus", "cevns"), ("cr51-lxe-a", "nu-e")])
@given(fraction=angles)
@settings(max_examples=50)
def test_between_the_points_of_its_axis_a_cube_has_every_beta(
    degrees: str, name: str, channel: Channel, fraction: float, write: Write
) -> None:
    grid = GRID.replace("start = 0, stop = 180, num = 13", degrees).replace("coherent-csi", name)
    cube = plan(write("grid.toml", grid))[-1]
    first, last = cube.points["beta"][[0, -1]]
    beta = first + (last - first) * np.array([fraction / math.pi, 0.0, 1.0, 0.5])
    likelihood, number = cube.at_rows({"beta": beta})
    e6 = catalogue.MODELS["e6"]
    assert isinstance(e6, Contact)
    kappa, pair = e6.kappa(channel, {"beta": beta}), standard_model.couplings(channel)
    for x in (0.3, 2.0):  # features change as those of shifted couplings
        change = likelihood.change[0, number] @ np.array([1, x, x**2])
        shifted = standard_model.features(pair + x * kappa) - standard_model.features(pair)
        assert change == pytest.approx(shifted.reshape(beta.size, -1), abs=1e-12)


SHARE = Axis(
    name="share",
    long_name="factor on the charges",
    symbol="s",
    text="s",
    low=0.0,
    high=10.0,
    expected="from 0 to 10",
)


@dataclass(frozen=True, eq=False)
class Shared(Contact):
    """E6 with a factor on all charges beside its angle: the shifts are those of E6 times the factor."""

    family_rows: ClassVar[tuple[Axis, ...]] = (BETA, SHARE)

    @property
    def rows(self) -> tuple[Axis, ...]:
        return (BETA, SHARE)

    def shifts(self, rows: Mapping[str, Array]) -> Chiral:
        beta, share = rows["beta"][:, None], rows["share"][:, None]
        shifts = e6_shifts(np.cos(beta), np.sin(beta))
        return {fermion: (left * share, right * share) for fermion, (left, right) in shifts.items()}

    def identity(self) -> dict[str, Any]:
        return {"kind": "shared"}


MODEL = Shared("shared", "")
# each of another size, so that no two axes can be mistaken for each other
TWO_ROW_AXES = {
    "beta": Points(BETA, values=(0.0, 0.4, 1.1, 2.0, 3.0), unit="rad"),
    "share": Points(SHARE, values=(0.5, 1.0, 3.0)),
    "m_zprime": Points(M_ZPRIME, start=30, stop=3000, num=7, spacing="log", unit="GeV"),
    "sigma_sys": Points(SIGMA_SYS, values=(0.0, 0.1, 0.2, 0.3)),
    "luminosity": Points(LUMINOSITY, values=(1.0, 10.0)),
}
EXPERIMENT, SHAPE = "coherent-csi", (5, 3, 7, 4, 2)


@pytest.fixture
def two_rows(write: Write) -> Grid:
    """A grid of a model with two row axes, cut across each of them: chunks of 1 KiB have 128 points."""
    return replace(
        load(write("grid.toml", GRID)),
        models=(MODEL,),
        axes=TWO_ROW_AXES,
        dtype="float64",
        chunk_size=1024,
        task_size=1,
    )


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a kind of interaction known, as one line in the catalogue and one among the axes would."""
    monkeypatch.setitem(catalogue.KINDS, "shared", Shared)
    monkeypatch.setattr(from_cube, "AXES", (*AXES, SHARE))
    monkeypatch.setattr(store, "FILES", files_with((*AXES, SHARE)))


def directly(points: Mapping[str, Array]) -> Array:
    """chi2 over all axes, each row computed as a question about it alone."""
    sigma, lam = points["sigma_sys"][:, None], points["luminosity"]
    mass = points["m_zprime"][:, None, None]
    rows = [
        fastscan.chi2(EXPERIMENT, MODEL, m_zprime=mass, sigma_sys=sigma, luminosity=lam, beta=beta, share=share)
        for beta, share in itertools.product(points["beta"], points["share"])
    ]
    return np.stack(rows).reshape(tuple(each.size for each in points.values()))


def test_the_blocks_of_two_row_axes_are_chi2_and_events_at_each_point(two_rows: Grid) -> None:
    (cube,) = plan(two_rows)
    assert tuple(cube.points) == ("beta", "share", "m_zprime", "sigma_sys", "luminosity")
    assert cube.layout.shape == SHAPE
    assert (cube.rows, cube.row_shape) == (("beta", "share"), (5, 3))
    assert cube.layout.chunks[:2] == (1, 2)  # a chunk that covers no whole axis of rows
    expected = directly(cube.points)
    mass, beta, share = cube.points["m_zprime"], cube.points["beta"][:, None, None], cube.points["share"][:, None]
    events = fastscan.events(EXPERIMENT, MODEL, m_zprime=mass, beta=beta, share=share)
    computed = {"chi2": np.full(SHAPE, np.nan), "events": np.full(SHAPE[:3], np.nan)}
    for task in range(cube.layout.tasks):
        for array, index in cube.layout.chunks_of(task):
            computed[array][cube.layout.region(index)[: computed[array].ndim]] = block(cube, array, index)
    assert computed["chi2"] == pytest.approx(expected, rel=1e-13)
    assert computed["events"].tobytes() == events.tobytes()


def test_rows_of_two_axes_are_numbered_with_the_last_axis_fastest(two_rows: Grid) -> None:
    (cube,) = plan(two_rows)
    beta, share = np.array([[4], [1]]), np.array([0, 2])
    numbers = cube.row_numbers(dict(zip(cube.rows, np.broadcast_arrays(beta, share), strict=True)))
    assert numbers.tolist() == [[12, 14], [3, 5]]


def test_between_the_points_of_two_row_axes_a_cube_has_every_row(two_rows: Grid) -> None:
    """The values broadcast, repeat, and have no order."""
    (cube,) = plan(two_rows)
    beta, share = np.array([[2.5], [0.1], [2.5]]), np.array([7.0, 0.7])
    likelihood, number = cube.at_rows({"beta": beta, "share": share})
    assert number.shape == (3, 2)
    assert likelihood.change.shape[1] == 4  # rows that differ
    x = cube.interaction.strength.to_x(np.array(120.0))
    found = likelihood.chi2(x, number, {"sigma_sys": 0.1})
    assert (
        found.tolist()
        == fastscan.chi2(EXPERIMENT, MODEL, m_zprime=120.0, sigma_sys=0.1, beta=beta, share=share).tolist()
    )


@pytest.mark.usefixtures("known")
def test_a_store_of_two_row_axes_answers_at_each_of_its_rows(two_rows: Grid, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    root = fastscan.scan(two_rows, out)
    stored = fastscan.open(root, f"{EXPERIMENT}/shared")
    assert stored.chi2.dims == ("beta", "share", "m_zprime", "sigma_sys", "luminosity")
    assert stored.events.dims == ("beta", "share", "m_zprime")
    cube = store.read(root, f"{EXPERIMENT}/shared")
    assert stored.chi2.values == pytest.approx(directly(cube.points), rel=1e-13)
    assert not any(each.damaged or each.missing for each in verify(out, everything=True))
    at = {"beta": [2.0, 0.4], "share": [3.0, 0.5], "sigma_sys": [0.1, 0.3]}
    selection = Selection.of(cube, Question(at=at))
    assert selection.numbers.tolist() == [11, 9, 5, 3]
    profiles = selection.profiles(root).reshape(4, 2, -1)
    for stored_in in (False, True):
        found = list(limits_of_store(str(out), Question(at=at, stored=stored_in)))
        points = list(itertools.product(at["beta"], at["share"], at["sigma_sys"]))
        assert [(each["beta_rad"], each["share"], each["sigma_sys"]) for each in found] == points
        for each, (beta, share, sigma) in zip(found, points, strict=True):
            expected = fastscan.limit(EXPERIMENT, MODEL, beta=beta, share=share, sigma_sys=sigma)
            assert each["limit_gev"] == pytest.approx(float(expected), rel=1e-12)
    for row, (beta, share) in enumerate(itertools.product(at["beta"], at["share"])):
        delta = fastscan.delta_chi2(
            EXPERIMENT, MODEL, m_zprime=cube.points["m_zprime"], beta=beta, share=share, sigma_sys=0.3
        )
        assert profiles[row, 1] == pytest.approx(delta, rel=1e-9, abs=1e-9)
