"""Answers as records: what the commands print as tables, JSON and CSV, and what pictures are drawn from.

The record of a limit has the keys ``experiment`` (or the name of a combination), ``model``, ``beta_rad`` (None
without beta), ``sigma_sys`` (by experiment where there are several), ``luminosity``, ``cl``, ``dof``, ``limit_gev``
(None where there is none), ``limit_over_g_gev`` (of M_Z' / g', for a user's own U(1)', else None),
``status`` and ``allowed_gev``: every allowed interval, where None is an open upper end.  Profiles and contours have
records too, one for each point.  Which cubes and planes are asked is the business of `fastscan.answers.answers`.
"""

import csv
import functools
import io
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO

import numpy as np

from fastscan.inputs import arguments
from fastscan.limits import limits as query
from fastscan.limits.confidence import CL, DOF
from fastscan.limits.crossings import OUTSIDE_AXIS, Crossings, Interval
from fastscan.typing import Array, IntArray, Record

if TYPE_CHECKING:  # a limit without a store does without zarr
    import zarr

    from fastscan.answers.planes import Contour, Plane
    from fastscan.stores.cube import Cube

KEYS = (
    "experiment",
    "model",
    "beta_rad",
    "sigma_sys",
    "luminosity",
    "cl",
    "dof",
    "limit_gev",
    "limit_over_g_gev",
    "status",
    "allowed_gev",
)
PROFILE_KEYS = ("experiment", "model", "beta_rad", "sigma_sys", "luminosity", "m_zprime_gev", "delta_chi2")
CONTOUR_KEYS = (
    "experiment",
    "model",
    "contour",
    "closed",
    "beta_rad",
    "cos_beta",
    "m_zprime_gev",
    "sigma_sys",
    "luminosity",
    "cl",
    "dof",
    "delta_chi2",
)
Values = Sequence[float] | Literal["axis"]  # the word stands for the points of a cube's own axis


def limit_record(
    experiment: str,
    model: str,
    limit: float,
    status: str,
    allowed: Sequence[Interval],
    *,
    beta: float | None,
    sigma_sys: float | Mapping[str, float] | None,
    luminosity: float,
    cl: float,
    dof: int,
    g_prime: float | None,
) -> Record:
    """The record of one limit, with None for what isn't there."""
    found = None if np.isnan(limit) else float(limit)
    ends = [(low, None if high == np.inf else high) for low, high in allowed]
    answer = (found, over_g(found, g_prime), str(status), ends)
    return dict(zip(KEYS, (experiment, model, beta, sigma_sys, luminosity, cl, dof, *answer), strict=True))


def over_g(mass: float | None, g_prime: float | None) -> float | None:
    """M_Z' / g' of a mass, where both are there."""
    return None if mass is None or g_prime is None else mass / g_prime


def limit_records(
    cube: "Cube",
    *,
    beta: Values = "axis",
    sigma_sys: Values | None = None,
    luminosity: Values = (1.0,),
    cl: float = CL,
    dof: int = DOF,
    stored_in: "zarr.Group | None" = None,
) -> Iterator[Record]:
    """Limits of a group of a store, from the likelihood that it carries.

    Exact at any sigma_sys and luminosity; left out, they are each experiment's own and 1.  beta (rad) must be on
    the group's axis, and is passed over where the model has none.  A limit outside the group's M_Z' axis is told, and
    marked as such.  With the root of its store as `stored_in`, each stored chi2 must be the likelihood's, and
    sigma_sys and luminosity must be on the axes too.

    Examples
    --------
    >>> from fastscan.scans.plan import plan
    >>> chi = plan("grids/coherent-csi.toml")[0]
    >>> limits = limit_records(chi, sigma_sys=[0.1, 0.28])
    >>> [(each["sigma_sys"], each["status"], round(each["limit_gev"], 1)) for each in limits]
    [(0.1, 'ok', 348.6), (0.28, 'ok', 195.3)]
    """
    betas, sigmas, factors = _settings(cube, beta, sigma_sys, luminosity)
    delta = query.threshold(cl, dof)
    if stored_in is None:
        find = functools.partial(query.crossings_of_cube, cube, betas, sigmas, factors, delta)
    else:
        at = (betas, cube.stored_sigma_sys(sigmas), cube.on_axis("luminosity", factors))
        find = functools.partial(query.crossings_of_stored, stored_in, cube, *at, delta)
    return _found_limits(cube, find, _points(cube, betas, sigmas, factors), cl, dof)


def _found_limits(
    cube: "Cube", find: Callable[[], Crossings], points: Iterable[dict[str, Any]], cl: float, dof: int
) -> Iterator[Record]:
    """The record of each point, once the crossings in its column are found."""
    found = find()
    limits, states = found.limits(), found.statuses()
    mass = cube.axes["m_zprime"]
    states = np.where((limits < mass.min()) | (limits > mass.max()), OUTSIDE_AXIS, states)
    for point, *answer in zip(points, limits.tolist(), states.tolist(), found.intervals(), strict=True):
        yield limit_record(cube.experiment, cube.model_name, *answer, **point, cl=cl, dof=dof, g_prime=cube.g_prime)


def _settings(
    cube: "Cube", beta: Values, sigma_sys: Values | None, luminosity: Values
) -> tuple[IntArray, Array | None, Array]:
    """Indices of betas, systematic errors (None: each experiment's own) and luminosities that a question asks for."""
    if isinstance(beta, str) or not cube.has_beta:
        betas = np.arange(cube.layout.shape[0])
    else:
        betas = cube.on_axis("beta", np.asarray(beta))
    if sigma_sys is None or (isinstance(sigma_sys, str) and cube.own_sigma_sys):
        sigmas = None
    else:
        sigmas = arguments.sigma_sys(cube.axes["sigma_sys"] if isinstance(sigma_sys, str) else sigma_sys)
    factors = arguments.luminosity(cube.axes["luminosity"] if isinstance(luminosity, str) else luminosity)
    return betas, sigmas, factors


def _points(cube: "Cube", betas: IntArray, sigmas: Array | None, factors: Array) -> Iterator[dict[str, Any]]:
    """What is told of each combination of settings."""
    angles = cube.axes["beta"][betas].tolist() if cube.has_beta else [None]
    for beta, sigma, factor in itertools.product(angles, _told_sigmas(cube, sigmas), factors.tolist()):
        yield {"beta": beta, "sigma_sys": sigma, "luminosity": factor}


def _told_sigmas(cube: "Cube", sigmas: Array | None) -> list[float | dict[str, float]]:
    """Systematic errors as records tell them: by experiment where there are several."""
    own = dict(zip(cube.likelihood.members, cube.likelihood.sigma_sys.tolist(), strict=True))
    told = []
    for sigma in [None] if sigmas is None else sigmas.tolist():
        by_member = (own if sigma is None else dict.fromkeys(own, sigma)) | cube.fixed_sigma_sys
        told.append(by_member if len(own) > 1 else by_member[cube.likelihood.members[0]])
    return told


def profile_records(
    cube: "Cube",
    *,
    beta: Values = "axis",
    sigma_sys: Values | None = None,
    luminosity: Values = (1.0,),
    stored_in: "zarr.Group | None" = None,
) -> Iterator[Record]:
    """Delta chi2 at each mass of a group's axis, with the keys of `PROFILE_KEYS`; arguments as of `limit_records`."""
    betas, sigmas, factors = _settings(cube, beta, sigma_sys, luminosity)
    values = query.profiles(cube, betas, sigmas, factors, stored_in).reshape(-1, cube.axes["m_zprime"].size)
    masses = cube.axes["m_zprime"].tolist()
    for point, column in zip(_points(cube, betas, sigmas, factors), values.tolist(), strict=True):
        settings = (cube.experiment, cube.model_name, point["beta"], point["sigma_sys"], point["luminosity"])
        for mass, delta in zip(masses, column, strict=True):
            yield dict(zip(PROFILE_KEYS, (*settings, mass, delta), strict=True))


def contour_records(plane: "Plane", lines: "Sequence[Contour]", cl: float, dof: int) -> Iterator[Record]:
    """A record for each vertex of the contours of a plane, with the keys of `CONTOUR_KEYS`.

    An axis that isn't shown has the value at which it is held; None stands for one that chi2 is minimised over.
    """
    cube = plane.cube
    held = {axis: points.item() if points.size == 1 else None for axis, points in plane.held.items()}
    (own,) = _told_sigmas(cube, None)
    fixed = {"beta": None, "sigma_sys": own} | held
    level = (cl, dof, query.threshold(cl, dof))
    for number, line in enumerate(lines):
        name = (cube.experiment, cube.model_name, number, line.closed)
        for x, y in zip(line.x.tolist(), line.y.tolist(), strict=True):
            at = {**fixed, plane.x.removeprefix("cos_"): x, plane.y.removeprefix("cos_"): y}
            if isinstance(at["sigma_sys"], float):  # of a combination, by experiment
                (at["sigma_sys"],) = _told_sigmas(cube, np.array([at["sigma_sys"]]))
            cosine = None if at["beta"] is None else math.cos(at["beta"])
            place = (at["beta"], cosine, at["m_zprime"], at["sigma_sys"], at["luminosity"])
            yield dict(zip(CONTOUR_KEYS, (*name, *place, *level), strict=True))


def contour_summary(plane: "Plane", lines: "Sequence[Contour]", cl: float, dof: int) -> Record:
    """The contours of a plane as one record: the axes, what is held, and each line's vertices by axis."""
    held: dict[str, Any] = {
        axis: points.item() if points.size == 1 else "minimised" for axis, points in plane.held.items()
    }
    if "sigma_sys" not in (plane.x, plane.y) and held.get("sigma_sys") != "minimised":
        (held["sigma_sys"],) = _told_sigmas(plane.cube, plane.held.get("sigma_sys"))
    return {
        "experiment": plane.cube.experiment,
        "model": plane.cube.model_name,
        "axes": [plane.x, plane.y],
        "units": {"beta": "rad", "m_zprime": "GeV"},
        "held": held,
        "cl": cl,
        "dof": dof,
        "delta_chi2": query.threshold(cl, dof),
        "contours": [
            {
                "closed": line.closed,
                "vertices": {
                    axis: (np.cos(points) if axis == "cos_beta" else points).tolist()
                    for axis, points in ((plane.x, line.x), (plane.y, line.y))
                },
            }
            for line in lines
        ],
    }


def write_csv(file: TextIO, keys: Sequence[str], records: Iterable[Record]) -> None:
    """Records as CSV.  The header waits for the first of them, so that an error leaves no half of a table."""
    writer = csv.DictWriter(file, keys, lineterminator="\n")
    first = True
    for each in records:
        if first:
            writer.writeheader()
            first = False
        writer.writerow({key: _cell(value) for key, value in each.items()})
    if first:
        writer.writeheader()


def csv_text(keys: Sequence[str], records: Iterable[Record]) -> str:
    """Records as CSV, as text."""
    file = io.StringIO()
    write_csv(file, keys, records)
    return file.getvalue()


def _cell(value: object) -> object:
    """A value as CSV has it: intervals as low:high, those by name as name=value, separated by semicolons.

    >>> _cell([(14.5, 16.8), (36.1, None)]), _cell({"conus": 0.2})
    ('14.5:16.8;36.1:inf', 'conus=0.2')
    """
    if isinstance(value, dict):
        return ";".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list):
        return ";".join(f"{low}:{math.inf if high is None else high}" for low, high in value)
    return value
