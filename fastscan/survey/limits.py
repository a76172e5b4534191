"""The survey's answers: limits of a grid's cubes as records, with their expected bands, and contours of planes."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fastscan.answers.answers import contours_of_cubes
from fastscan.answers.contours import Contour, contour_records
from fastscan.answers.from_cube import limit_records
from fastscan.answers.planes import Plane
from fastscan.answers.question import PlaneAxes, Question
from fastscan.answers.records import contour_keys
from fastscan.experiments.catalogue import load
from fastscan.interactions.interaction import Strength
from fastscan.interactions.parameters import EPS_D
from fastscan.likelihoods.settings import Settings
from fastscan.limits.confidence import CL, DOF
from fastscan.limits.expected import bands, toy_bands
from fastscan.limits.limits import threshold
from fastscan.limits.points import Rows
from fastscan.stores.cube import Cube
from fastscan.typing import Array, Record

Bands = Callable[[Rows, Settings, float], Array]  # from rows, settings and a threshold to the array of `bands`
Planes = Sequence[tuple[Plane, Sequence[Contour]]]
AXES = {  # the axes of a question's planes, by the question's name
    "planes": ("eps_d", "eps_u"),
    "planes-changing": ("eps_d", "eps_u"),
    "e6": ("cos_beta", "m_zprime"),
}
PLANE_DOF = 2
EDGES = ("minus_2", "minus_1", "plus_1", "plus_2")  # keys of the edges of bands, in standard deviations
PLACES = (0, 1, 3, 4)  # indices of the edges on the last axis of `bands`; index 2 is the median


def asimov_bands(rows: Rows, settings: Settings, delta: float) -> Array:
    """Expected bands from sets of data that lie 1 and 2 standard deviations from the Standard Model's prediction."""
    return bands(rows, settings, delta)[0]


def bands_of_toys(rows: Rows, settings: Settings, delta: float, toys: int, seed: int) -> Array:
    """Expected bands from toys of the Standard Model.

    A likelihood with a model of fitted parameters has no toys, and gets the bands of `asimov_bands`.
    """
    if rows.likelihood.modelled:
        return asimov_bands(rows, settings, delta)
    return toy_bands(rows, settings, delta, toys, seed)[0]


def sides(strength: Strength) -> tuple[str, ...]:
    """The endings of a record's keys for each side of a limit."""
    if strength.bound == "lower":
        return (f"_{strength.axis.unit.lower()}",)
    return ("_low", "_high") if strength.signed else ("",)


def records_of(cube: Cube, expected: Bands = asimov_bands) -> Iterator[Record]:
    """The limits in every row of a cube, at each experiment's own errors, with their expected bands.

    Parameters
    ----------
    cube : Cube
    expected : callable, optional
        Function that computes the median and the bands; left out, `asimov_bands`.

    Returns
    -------
    iterator of dict
        Records of limits, followed by ``expected_minus_2`` to ``expected_plus_2`` for each side.  A cube of a plane has
        no records, because its rows are not the Standard Model at x = 0.
    """
    if any(axis.name == EPS_D.name for axis in cube.interaction.rows):
        return
    rows = rows_of_cube(cube)
    found = expected(rows, rows.likelihood.settings({}), threshold(CL, DOF))
    names = sides(cube.interaction.strength)
    for record, row in zip(limit_records(cube), found.reshape(len(found), len(names), -1), strict=True):
        told = dict(record)
        for side, quantiles in zip(names, row.tolist(), strict=True):
            finite = [value if np.isfinite(value) else None for value in quantiles]
            told[f"expected{side}"] = finite[2]
            told |= {f"expected{side}_{edge}": finite[place] for edge, place in zip(EDGES, PLACES, strict=True)}
        yield told


def rows_of_cube(cube: Cube) -> Rows:
    """The rows of a cube, with the Standard Model's prediction as data."""
    members = [load(name).expected() for name in cube.identity["members"]]
    mesh = np.meshgrid(*(cube.points[name] for name in cube.rows), indexing="ij")
    values = {name: each.ravel() for name, each in zip(cube.rows, mesh, strict=True)}
    number = np.arange(cube.expected.change.shape[1])
    return Rows(members, cube.interaction, values, cube.expected, number)


def all_records(cubes: Sequence[Cube], expected: Bands = asimov_bands) -> list[Record]:
    """The records of several cubes, one after the other."""
    return list(itertools.chain.from_iterable(records_of(cube, expected) for cube in cubes))


def planes_of(name: str, cubes: Sequence[Cube]) -> Planes:
    """The planes of a question's cubes, with their contours."""
    return list(contours_of_cubes(cubes, Question(cl=CL, dof=PLANE_DOF), PlaneAxes(AXES[name])))


def contour_table(found: Planes) -> tuple[Sequence[str], list[Record]]:
    """The keys and the records of the vertices of all contours."""
    rows = [row for plane, lines in found for row in contour_records(plane, lines)]
    return contour_keys(found[0][0].cube.interaction), rows
