"""Limits as records, one a point: what the commands print as tables, JSON and CSV.

A record has the keys ``experiment`` (or the name of a combination), ``model``, ``beta_rad`` (None without beta),
``sigma_sys`` (by experiment where there are several), ``luminosity``, ``cl``, ``dof``,
``limit_gev`` (None where there is none), ``limit_over_g_gev`` (of M_Z' / g', for a user's own U(1)', else None) and
``status``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from fastscan import models, query
from fastscan.errors import FastscanError, unknown
from fastscan.experiments import load_all
from fastscan.likelihood import combine
from fastscan.typing import Array, IntArray

if TYPE_CHECKING:  # a limit without a store does without zarr
    import zarr

    from fastscan.store import Cube

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
)
Values = Sequence[float] | Literal["axis"]


def record(
    experiment: str,
    model: str,
    limit: float,
    status: str,
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
    values = (experiment, model, beta, sigma_sys, luminosity, cl, dof, found, over_g, str(status))
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

    Beside the keys of every record, ``allowed_gev`` has every allowed interval (an open upper end is None) and
    ``expected_gev`` the limit with measured data replaced by the Standard Model's prediction (None without data), with
    its ``expected_status``; for a user's own U(1)' both are there for M_Z' / g' too, as ``allowed_over_g_gev`` and
    ``expected_over_g_gev``.
    """
    loaded, of = load_all(names), models.load(model)
    point: dict[str, Any] = {"beta": beta, "luminosity": luminosity, "cl": cl, "dof": dof}
    limit, status = query.limit(loaded, of, sigma_sys=sigma_sys, with_status=True, **point)
    allowed = query.intervals(loaded, of, sigma_sys=sigma_sys, **point)
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
    name = "+".join(each.name for each in loaded)
    expected_gev = None if np.isnan(expected) else float(expected)
    over_g: Record = {"allowed_over_g_gev": None, "expected_over_g_gev": None}
    if of.g_prime is not None:
        ends = [(low / of.g_prime, None if high == np.inf else high / of.g_prime) for low, high in allowed]
        expected_over_g = None if expected_gev is None else expected_gev / of.g_prime
        over_g = {"allowed_over_g_gev": ends, "expected_over_g_gev": expected_over_g}
    return {
        **record(
            name,
            of.name,
            float(limit),
            str(status),
            sigma_sys=effective if len(loaded) > 1 else effective[loaded[0].name],
            g_prime=of.g_prime,
            **point,
        ),
        "allowed_gev": [(low, None if high == np.inf else high) for low, high in allowed],
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
) -> list[Record]:
    """`of_cube` of some groups of a store, or of all; "axis" stands for the values of a group's own axis.

    `combined` names experiments (or combinations) of the store whose likelihoods are added up, for each model
    that all of them have, instead.
    """
    from fastscan import store
    from fastscan.location import read_root

    root = read_root(location)
    if combined:
        cubes = _combined(root, combined)
    else:
        cubes = [store.read(root, name) for name in dict.fromkeys(groups) or store.group_names(root)]
    records = []
    for cube in cubes:
        records += of_cube(
            cube,
            beta=None if beta == "axis" or not cube.has_beta else np.asarray(beta),
            sigma_sys=cube.axes["sigma_sys"] if sigma_sys == "axis" else sigma_sys,
            luminosity=cube.axes["luminosity"] if luminosity == "axis" else luminosity,
            cl=cl,
            dof=dof,
        )
    return records


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
) -> list[Record]:
    """Limits from the likelihood that a group of a store carries.

    Exact at any sigma_sys and luminosity; left out, they are each experiment's own and 1.  beta (rad) must be on
    the group's axis; left out, every beta on it is there.  A limit outside the group's M_Z' axis is told, and
    marked as such.
    """
    name, model = cube.name.split("/")
    several = len(cube.likelihood.members) > 1
    own = dict(zip(cube.likelihood.members, map(float, cube.likelihood.sigma_sys), strict=True))
    sigmas = [None] if sigma_sys is None else [None if np.isnan(s) else float(s) for s in np.asarray(sigma_sys)]
    betas = np.arange(cube.layout.shape[0]) if beta is None else _on_axis(cube, beta)
    factors = np.ones(1) if luminosity is None else np.asarray(luminosity, float)
    mass = cube.axes["m_zprime"]
    found = []
    for sigma in sigmas:
        limits, states = query.limits_of(
            cube.likelihood, betas[:, None], cube.sigma_sys(sigma), factors[None, :], cl, dof
        )
        states = np.where((limits < mass.min()) | (limits > mass.max()), query.OUTSIDE_AXIS, states)
        effective = {member: own[member] if each is None else each for member, each in cube.sigma_sys(sigma).items()}
        found.append((effective if several else effective[cube.likelihood.members[0]], limits, states))
    return [
        record(
            name,
            model,
            limits[b, f],
            states[b, f],
            beta=float(cube.axes["beta"][betas[b]]) if cube.has_beta else None,
            sigma_sys=sigma,
            luminosity=float(factors[f]),
            cl=cl,
            dof=dof,
            g_prime=cube.g_prime,
        )
        for b in range(betas.size)
        for sigma, limits, states in found
        for f in range(factors.size)
    ]


def _on_axis(cube: "Cube", beta: Array) -> IntArray:
    """Indices of betas on a group's axis."""
    axis = cube.axes["beta"]
    nearest: IntArray = np.abs(axis - beta[:, None]).argmin(axis=1)
    missed = np.flatnonzero(np.abs(axis[nearest] - beta) > 1e-9)
    if missed.size:
        wanted, there = np.degrees(beta[missed[0]]), np.degrees(axis[nearest[missed[0]]])
        raise FastscanError(f"beta = {wanted:g} deg is not on the axis of {cube.name}; the nearest is {there:g} deg")
    return nearest
