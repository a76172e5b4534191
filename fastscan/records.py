"""Answers as records: what the commands print as tables, JSON and CSV, and what pictures are drawn from.

The record of a limit has the keys ``experiment`` (or the name of a combination), ``model``, ``beta_rad`` (None
without beta), ``sigma_sys`` (by experiment where there are several), ``luminosity``, ``cl``, ``dof``, ``limit_gev``
(None where there is none), ``limit_over_g_gev`` (of M_Z' / g', for a user's own U(1)', else None),
``status`` and ``allowed_gev``: every allowed interval, where None is an open upper end.
"""

import csv
import functools
import io
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TextIO

import numpy as np
from numpy.typing import ArrayLike

from fastscan import arguments, models, query
from fastscan.crossings import OUTSIDE_AXIS, Crossings, Interval
from fastscan.errors import FastscanError, unknown
from fastscan.experiments import load_all
from fastscan.likelihood import combine
from fastscan.typing import Array, IntArray

if TYPE_CHECKING:  # a limit without a store does without zarr
    import zarr

    from fastscan.cube import Cube
    from fastscan.planes import Contour, Plane

Record = dict[str, Any]
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
Values = Sequence[float] | Literal["axis"]


def record(
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
    """One record, with None for what isn't there."""
    found = None if np.isnan(limit) else float(limit)
    over_g = None if found is None or g_prime is None else found / g_prime
    ends = [(low, None if high == np.inf else high) for low, high in allowed]
    values = (experiment, model, beta, sigma_sys, luminosity, cl, dof, found, over_g, str(status), ends)
    return dict(zip(KEYS, values, strict=True))


def of_point(
    names: Sequence[str],
    model: str,
    *,
    beta: float | None = None,
    sigma_sys: float | Mapping[str, float] | None = None,
    luminosity: float = 1.0,
    cl: float = 0.90,
    dof: int = 1,
) -> Record:
    """The limit of one or several experiments, without a store.

    Beside the keys of every record, ``expected_gev`` is the limit with measured data replaced by the Standard
    Model's prediction (None without data), with its ``expected_status``; for a user's own U(1)' both the intervals
    and this limit are there for M_Z' / g' too, as ``allowed_over_g_gev`` and ``expected_over_g_gev``.
    """
    loaded, of = load_all(names), models.load(model)
    point: dict[str, Any] = {"beta": beta, "luminosity": luminosity, "cl": cl, "dof": dof}
    found = query.at_point(loaded, of, sigma_sys=sigma_sys, **point)
    expected: Array = np.array(np.nan)
    expected_status: ArrayLike | None = None
    if any(each.is_measured for each in loaded):
        renamed = {each.name: each.expected().name for each in loaded}
        sigmas = {renamed[k]: v for k, v in sigma_sys.items()} if isinstance(sigma_sys, Mapping) else sigma_sys
        projected = [each.expected() for each in loaded]
        expected, expected_status = query.limit(projected, of, sigma_sys=sigmas, with_status=True, **point)
    own = {each.name: each.statistics.sigma_sys for each in loaded}
    named = sigma_sys if isinstance(sigma_sys, Mapping) else {} if sigma_sys is None else dict.fromkeys(own, sigma_sys)
    effective = own | dict(named)
    (limit,), (status,) = found.limits(), found.statuses()
    result = record(
        "+".join(each.name for each in loaded),
        of.name,
        limit,
        status,
        found.intervals()[0],
        sigma_sys=effective if len(loaded) > 1 else effective[loaded[0].name],
        g_prime=of.g_prime,
        **point,
    )
    expected_gev = None if np.isnan(expected) else float(expected)
    over_g: Record = {"allowed_over_g_gev": None, "expected_over_g_gev": None}
    if of.g_prime is not None:
        over_g["allowed_over_g_gev"] = [
            (low / of.g_prime, None if high is None else high / of.g_prime) for low, high in result["allowed_gev"]
        ]
        over_g["expected_over_g_gev"] = None if expected_gev is None else expected_gev / of.g_prime
    return {
        **result,
        "expected_gev": expected_gev,
        "expected_status": None if expected_status is None else str(expected_status),
        **over_g,
    }


def sigma_of(given: Sequence[tuple[str | None, float]], names: Sequence[str]) -> float | dict[str, float] | None:
    """sigma_sys from values for all (name None) and for some: the later one counts."""
    named: dict[str, float] = {}
    loaded = [each.name for each in load_all(names)]
    for name, value in given:
        named.update(dict.fromkeys(loaded, value) if name is None else {name: value})
    if all(name is None for name, _ in given):
        return given[-1][1] if given else None
    return named


def of_store(
    location: str,
    groups: Sequence[str] = (),
    *,
    combined: Sequence[str] = (),
    beta: Values = "axis",
    sigma_sys: Values | None = None,
    luminosity: Values = (1.0,),
    cl: float = 0.90,
    dof: int = 1,
    from_cube: bool = False,
) -> Iterator[Record]:
    """`of_cube` of some groups of a store, or of all; "axis" stands for the values of a group's own axis.

    `combined` names experiments (or combinations) of the store whose likelihoods are added up, for each model
    that all of them have, instead.  `from_cube` insists on the stored chi2.
    """
    from fastscan.location import read_root

    root = read_root(location)
    if combined and from_cube:
        raise FastscanError("the sum of several groups is no stored cube; a grid file's [combine.NAME] stores one")
    cubes = _combined(root, combined) if combined else cubes_of(root, location, groups)
    stored_in = root if from_cube else None
    answers = [  # each checks what is asked of it, before the first of them answers
        of_cube(cube, **settings_of(cube, beta, sigma_sys, luminosity), cl=cl, dof=dof, stored_in=stored_in)
        for cube in cubes
    ]
    return itertools.chain.from_iterable(answers)


def cubes_of(root: "zarr.Group", location: str, groups: Sequence[str]) -> "list[Cube]":
    """The groups of a store that are named, each once, or all that it has."""
    from fastscan import store

    names = list(dict.fromkeys(groups)) or store.group_names(root)
    if not names:
        raise FastscanError(f"{location} has no groups")
    return [store.read(root, name) for name in names]


def settings_of(cube: "Cube", beta: Values, sigma_sys: Values | None, luminosity: Values) -> dict[str, Any]:
    """Settings as `of_cube` and `profile` take them, where "axis" stands for the values of a group's own axis."""
    own = sigma_sys is None or (sigma_sys == "axis" and cube.own_sigma_sys)
    return {
        "beta": None if beta == "axis" or not cube.has_beta else np.asarray(beta),
        "sigma_sys": None if own else cube.axes["sigma_sys"] if sigma_sys == "axis" else sigma_sys,
        "luminosity": cube.axes["luminosity"] if luminosity == "axis" else luminosity,
    }


def _combined(root: "zarr.Group", names: Sequence[str]) -> "list[Cube]":
    """For each model that all the named experiments of a store have, a cube with their joint likelihood."""
    from fastscan import store

    groups = store.group_names(root)
    known = dict.fromkeys(group.split("/")[0] for group in groups)
    for name in names:
        if name not in known:
            raise unknown("experiment of this store", name, known)
    shared = [
        model
        for model in dict.fromkeys(group.split("/")[1] for group in groups)
        if all(f"{name}/{model}" in groups for name in names)
    ]
    if not shared:
        raise FastscanError(f"no model is in the store for all of {', '.join(names)}")
    cubes = []
    for model in shared:
        parts = [store.read(root, f"{name}/{model}") for name in names]
        first = parts[0]
        for part in parts:
            same_axes = all(np.array_equal(part.axes[name], first.axes[name]) for name in first.dimensions[:-2])
            if not same_axes or part.identity["model"] != first.identity["model"]:
                raise FastscanError(f"{part.name} and {first.name} differ in beta, in m_zprime or in the model")
        fixed = {member: sigma for part in parts for member, sigma in part.identity["fixed_sigma_sys"].items()}
        cubes.append(
            replace(
                first,
                name=f"{'+'.join(names)}/{model}",
                identity={**first.identity, "fixed_sigma_sys": fixed},
                likelihood=combine([part.likelihood for part in parts]),
            )
        )
    return cubes


def of_cube(
    cube: "Cube",
    *,
    beta: Array | None = None,
    sigma_sys: ArrayLike | None = None,
    luminosity: ArrayLike | None = None,
    cl: float = 0.90,
    dof: int = 1,
    stored_in: "zarr.Group | None" = None,
) -> Iterator[Record]:
    """Limits of a group of a store, from the likelihood that it carries.

    Exact at any sigma_sys and luminosity; left out, they are each experiment's own and 1.  beta (rad) must be on
    the group's axis; left out, every beta on it is there.  A limit outside the group's M_Z' axis is told, and
    marked as such.  With the root of its store as `stored_in`, each stored chi2 must be on the same side of the
    threshold as the likelihood, and sigma_sys and luminosity must be on the axes too.

    Examples
    --------
    >>> from fastscan.scanner import plan
    >>> chi = plan("grids/coherent-csi.toml")[0]
    >>> limits = of_cube(chi, sigma_sys=[0.1, 0.28])
    >>> [(each["sigma_sys"], each["status"], round(each["limit_gev"], 1)) for each in limits]
    [(0.1, 'ok', 348.6), (0.28, 'ok', 195.3)]
    """
    betas, sigmas, factors = _settings(cube, beta, sigma_sys, luminosity)
    delta = query.threshold(cl, dof)
    if stored_in is None:
        find = functools.partial(query.of_cube, cube, betas, sigmas, factors, delta)
    else:
        at = (betas, cube.stored_sigma_sys(sigmas), cube.on_axis("luminosity", factors))
        find = functools.partial(query.of_stored, stored_in, cube, *at, delta)
    points = _points(cube, betas, sigmas, factors)
    return _answers(cube, find, points, cl, dof)


def _answers(
    cube: "Cube", find: Callable[[], Crossings], points: Iterable[dict[str, Any]], cl: float, dof: int
) -> Iterator[Record]:
    """The record of each point, once the crossings in its column are found."""
    name, model = cube.name.split("/")
    found = find()
    limits, states = found.limits(), found.statuses()
    mass = cube.axes["m_zprime"]
    states = np.where((limits < mass.min()) | (limits > mass.max()), OUTSIDE_AXIS, states)
    for point, *answer in zip(points, limits.tolist(), states.tolist(), found.intervals(), strict=True):
        yield record(name, model, *answer, **point, cl=cl, dof=dof, g_prime=cube.g_prime)


def _settings(
    cube: "Cube", beta: Array | None, sigma_sys: ArrayLike | None, luminosity: ArrayLike | None
) -> tuple[IntArray, Array | None, Array]:
    """Indices of betas, systematic errors (None: each experiment's own) and luminosities that a query asks for."""
    betas = np.arange(cube.layout.shape[0]) if beta is None else cube.on_axis("beta", beta)
    sigmas = None if sigma_sys is None else arguments.sigma_sys(sigma_sys)
    factors = np.ones(1) if luminosity is None else arguments.luminosity(luminosity)
    return betas, sigmas, factors


def _points(cube: "Cube", betas: IntArray, sigmas: Array | None, factors: Array) -> Iterator[dict[str, Any]]:
    """What is told of each combination of settings."""
    angles = cube.axes["beta"][betas].tolist() if cube.has_beta else [None]
    for beta, sigma, factor in itertools.product(angles, _told_sigmas(cube, sigmas), factors.tolist()):
        yield {"beta": beta, "sigma_sys": sigma, "luminosity": factor}


def profile(
    cube: "Cube",
    *,
    beta: Array | None = None,
    sigma_sys: ArrayLike | None = None,
    luminosity: ArrayLike | None = None,
    stored_in: "zarr.Group | None" = None,
) -> Iterator[Record]:
    """Delta chi2 at each mass of a group's axis, with the keys of `PROFILE_KEYS`; arguments as of `of_cube`."""
    name, model = cube.name.split("/")
    betas, sigmas, factors = _settings(cube, beta, sigma_sys, luminosity)
    values = query.profiles(cube, betas, sigmas, factors, stored_in).reshape(-1, cube.axes["m_zprime"].size)
    masses = cube.axes["m_zprime"].tolist()
    for point, column in zip(_points(cube, betas, sigmas, factors), values.tolist(), strict=True):
        settings = (name, model, point["beta"], point["sigma_sys"], point["luminosity"])
        for mass, delta in zip(masses, column, strict=True):
            yield dict(zip(PROFILE_KEYS, (*settings, mass, delta), strict=True))


def contour(plane: "Plane", lines: "Sequence[Contour]", cl: float, dof: int) -> Iterator[Record]:
    """A record for each vertex of the contours of a plane, with the keys of `CONTOUR_KEYS`.

    An axis that isn't shown has the value at which it is held; None stands for one that chi2 is minimised over.
    """
    cube = plane.cube
    name, model = cube.name.split("/")
    held = {axis: points.item() if points.size == 1 else None for axis, points in plane.held.items()}
    (own,) = _told_sigmas(cube, None)
    fixed = {"beta": None, "sigma_sys": own} | held
    level = (cl, dof, query.threshold(cl, dof))
    for number, line in enumerate(lines):
        for x, y in zip(line.x.tolist(), line.y.tolist(), strict=True):
            at = {**fixed, plane.x.removeprefix("cos_"): x, plane.y.removeprefix("cos_"): y}
            if isinstance(at["sigma_sys"], float):  # of a combination, by experiment
                (at["sigma_sys"],) = _told_sigmas(cube, np.array([at["sigma_sys"]]))
            cosine = None if at["beta"] is None else math.cos(at["beta"])
            place = (at["beta"], cosine, at["m_zprime"], at["sigma_sys"], at["luminosity"])
            yield dict(zip(CONTOUR_KEYS, (name, model, number, line.closed, *place, *level), strict=True))


def _told_sigmas(cube: "Cube", sigmas: Array | None) -> list[float | dict[str, float]]:
    """Systematic errors as records tell them: by experiment where there are several."""
    own = dict(zip(cube.likelihood.members, cube.likelihood.sigma_sys.tolist(), strict=True))
    told = []
    for sigma in [None] if sigmas is None else sigmas.tolist():
        by_member = {member: own[member] if s is None else s for member, s in cube.sigma_sys(sigma).items()}
        told.append(by_member if len(own) > 1 else by_member[cube.likelihood.members[0]])
    return told


def contour_summary(plane: "Plane", lines: "Sequence[Contour]", cl: float, dof: int) -> Record:
    """The contours of a plane as one record: the axes, what is held, and each line's vertices by axis."""
    name, model = plane.cube.name.split("/")
    held: dict[str, Any] = {
        axis: points.item() if points.size == 1 else "minimised" for axis, points in plane.held.items()
    }
    if "sigma_sys" not in (plane.x, plane.y) and held.get("sigma_sys") != "minimised":
        (held["sigma_sys"],) = _told_sigmas(plane.cube, plane.held.get("sigma_sys"))
    return {
        "experiment": name,
        "model": model,
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


def contours_of_store(
    location: str,
    groups: Sequence[str] = (),
    *,
    axes: tuple[str, str] | None = None,
    minimise: Sequence[str] = (),
    at: Mapping[str, float] | None = None,
    cl: float = 0.90,
    dof: int | None = None,
    from_cube: bool = False,
) -> "Iterator[tuple[Plane, list[Contour], int]]":
    """Planes of some groups of a store, or of all that have the axes, with their contours and degrees of freedom.

    Arguments as of `fastscan.planes.plane_of`; axes left out are the first that a group has.
    """
    from fastscan import planes
    from fastscan.location import read_root

    root = read_root(location)
    cubes = cubes_of(root, location, groups)
    given = (*(at or {}), *minimise)
    able = [cube for cube in cubes if planes.can_show(cube, axes, given)]
    yield from contours(
        cubes if groups else able or cubes[:1],  # one that can't be drawn says why
        axes=axes,
        minimise=minimise,
        at=at,
        cl=cl,
        dof=dof,
        stored_in=root if from_cube else None,
    )


def contours(
    cubes: "Iterable[Cube]",
    *,
    axes: tuple[str, str] | None = None,
    minimise: Sequence[str] = (),
    at: Mapping[str, float] | None = None,
    cl: float = 0.90,
    dof: int | None = None,
    stored_in: "zarr.Group | None" = None,
) -> "Iterator[tuple[Plane, list[Contour], int]]":
    """As `contours_of_store`, of cubes; with the root of their store as `stored_in`, from the stored chi2."""
    from fastscan import planes

    for cube in cubes:
        held = {name: value for name, value in (at or {}).items() if name != "beta" or cube.has_beta}
        over = [name for name in minimise if name != "beta" or cube.has_beta]
        x, y = axes or planes.axes_of(cube, held=(*(at or {}), *minimise))
        degrees = planes.degrees(x, y, dof)
        plane = planes.plane_of(cube, x, y, at=held, minimise=over, dof=degrees, stored_in=stored_in)
        yield plane, planes.contours(plane, query.threshold(cl, degrees)), degrees


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
