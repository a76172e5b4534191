"""What is asked of experiments, and of a store: limits as records, contours as planes with their lines.

A limit of experiments needs no store.  Of a store, every group answers that can, or those that are named.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastscan.answers.records import Values, limit_record, limit_records, over_g
from fastscan.errors import FastscanError, unknown
from fastscan.experiments.catalogue import load_all
from fastscan.experiments.experiment import Experiment
from fastscan.interactions import catalogue as models
from fastscan.interactions.catalogue import Model
from fastscan.likelihoods.likelihood import combine
from fastscan.limits import limits as query
from fastscan.limits.confidence import CL, DOF
from fastscan.stores.layout import arrays_of
from fastscan.typing import Record

if TYPE_CHECKING:  # a limit without a store does without zarr
    import zarr

    from fastscan.answers.planes import Contour, Plane
    from fastscan.stores.cube import Cube


def limit_at_point(
    names: Sequence[str],
    model: str,
    *,
    beta: float | None = None,
    sigma_sys: float | Mapping[str, float] | None = None,
    luminosity: float = 1.0,
    cl: float = CL,
    dof: int = DOF,
) -> Record:
    """The limit of one or several experiments, without a store.

    Beside the keys of every record, ``expected_gev`` is the limit with measured data replaced by the Standard
    Model's prediction (None without data), with its ``expected_status``; for a user's own U(1)' both the intervals
    and this limit are there for M_Z' / g' too, as ``allowed_over_g_gev`` and ``expected_over_g_gev``.
    """
    experiments, loaded_model = load_all(names), models.load(model)
    point: dict[str, Any] = {"beta": beta, "luminosity": luminosity, "cl": cl, "dof": dof}
    found = query.at_point(experiments, loaded_model, sigma_sys=sigma_sys, **point)
    own = {each.name: each.statistics.sigma_sys for each in experiments}
    given = sigma_sys if isinstance(sigma_sys, Mapping) else {} if sigma_sys is None else dict.fromkeys(own, sigma_sys)
    sigmas = own | dict(given)
    (limit,), (status,) = found.limits(), found.statuses()
    record = limit_record(
        "+".join(own),
        loaded_model.name,
        limit,
        status,
        found.intervals()[0],
        sigma_sys=sigmas if len(own) > 1 else sigmas[experiments[0].name],
        g_prime=loaded_model.g_prime,
        **point,
    )
    expected, expected_status = _expected(experiments, loaded_model, sigmas, point)
    g = loaded_model.g_prime
    return {
        **record,
        "expected_gev": expected,
        "expected_status": expected_status,
        "allowed_over_g_gev": None
        if g is None
        else [(over_g(low, g), over_g(high, g)) for low, high in record["allowed_gev"]],
        "expected_over_g_gev": over_g(expected, g),
    }


def _expected(
    experiments: Sequence[Experiment], model: Model, sigma_sys: Mapping[str, float], point: dict[str, Any]
) -> tuple[float | None, str | None]:
    """The limit with measured data replaced by the Standard Model's prediction, and its status; None without data."""
    if not any(each.is_measured for each in experiments):
        return None, None
    projected = [each.expected() for each in experiments]
    renamed = {other.name: sigma_sys[each.name] for each, other in zip(experiments, projected, strict=True)}
    limit, status = query.limit(projected, model, sigma_sys=renamed, with_status=True, **point)
    return None if np.isnan(limit) else float(limit), str(status)


def limits_of_store(
    location: str,
    groups: Sequence[str] = (),
    *,
    combined: Sequence[str] = (),
    beta: Values = "axis",
    sigma_sys: Values | None = None,
    luminosity: Values = (1.0,),
    cl: float = CL,
    dof: int = DOF,
    from_cube: bool = False,
) -> Iterator[Record]:
    """`fastscan.answers.records.limit_records` of some groups of a store, or of all.

    `combined` names experiments (or combinations) of the store whose likelihoods are added up, for each model
    that all of them have, instead.  `from_cube` insists on the stored chi2.
    """
    from fastscan.stores.location import read_root

    root = read_root(location)
    if combined and from_cube:
        raise FastscanError("the sum of several groups is no stored cube; a grid file's [combine.NAME] stores one")
    cubes = joint_cubes(root, combined) if combined else cubes_of(root, groups)
    asked: dict[str, Any] = {"beta": beta, "sigma_sys": sigma_sys, "luminosity": luminosity, "cl": cl, "dof": dof}
    stored_in = root if from_cube else None
    # each checks what is asked of it, before the first of them answers
    return itertools.chain.from_iterable([limit_records(cube, **asked, stored_in=stored_in) for cube in cubes])


def cubes_of(root: "zarr.Group", groups: Sequence[str]) -> "list[Cube]":
    """The groups of a store that are named, each once, or all that it has."""
    from fastscan.stores import store

    return [store.read(root, name) for name in dict.fromkeys(groups) or store.group_names(root)]


def joint_cubes(root: "zarr.Group", names: Sequence[str]) -> "list[Cube]":
    """For each model that all the named experiments of a store have, their combination."""
    from fastscan.stores import store

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
    return [_joint([store.read(root, f"{name}/{model}") for name in names]) for model in shared]


def _joint(parts: "Sequence[Cube]") -> "Cube":
    """The cube that a grid file's [combine.NAME] would make of some cubes of one model, over the first one's axes."""
    first = parts[0]
    shared = first.dimensions[:-2]  # beta, where there is one, and m_zprime
    for part in parts:
        same_axes = all(np.array_equal(part.axes[axis], first.axes[axis]) for axis in shared)
        if not same_axes or part.identity["model"] != first.identity["model"]:
            raise FastscanError(f"{part.name} and {first.name} differ in beta, in m_zprime or in the model")
    axes = first.axes
    if first.own_sigma_sys:  # of several, no single number
        axes = axes | {"sigma_sys": np.array([np.nan])}
    joint = {
        "combined": True,
        "members": [name for part in parts for name in part.identity["members"]],
        "experiments": {name: each for part in parts for name, each in part.identity["experiments"].items()},
        "fixed_sigma_sys": {name: sigma for part in parts for name, sigma in part.fixed_sigma_sys.items()},
    }
    return replace(
        first,
        name=f"{'+'.join(part.experiment for part in parts)}/{first.model_name}",
        references=tuple(dict.fromkeys(reference for part in parts for reference in part.references)),
        identity=first.identity | joint,
        axes=axes,
        layout=replace(first.layout, arrays=arrays_of(combined=True)),
        likelihood=combine([part.likelihood for part in parts]),
    )


def contours_of_store(
    location: str,
    groups: Sequence[str] = (),
    *,
    axes: tuple[str, str] | None = None,
    minimise: Sequence[str] = (),
    at: Mapping[str, float] | None = None,
    cl: float = CL,
    dof: int | None = None,
    from_cube: bool = False,
) -> "Iterator[tuple[Plane, list[Contour], int]]":
    """Planes of some groups of a store, or of all that have the axes, with their contours and degrees of freedom.

    Arguments as of `fastscan.answers.planes.plane_of`; axes left out are the first that a group has.
    """
    from fastscan.answers import planes
    from fastscan.stores.location import read_root

    root = read_root(location)
    cubes = cubes_of(root, groups)
    able = [cube for cube in cubes if planes.can_show(cube, axes, (*(at or {}), *minimise))]
    yield from contours_of_cubes(
        cubes if groups else able or cubes[:1],  # one that can't be drawn says why
        axes=axes,
        minimise=minimise,
        at=at,
        cl=cl,
        dof=dof,
        stored_in=root if from_cube else None,
    )


def contours_of_cubes(
    cubes: "Iterable[Cube]",
    *,
    axes: tuple[str, str] | None = None,
    minimise: Sequence[str] = (),
    at: Mapping[str, float] | None = None,
    cl: float = CL,
    dof: int | None = None,
    stored_in: "zarr.Group | None" = None,
) -> "Iterator[tuple[Plane, list[Contour], int]]":
    """As `contours_of_store`, of cubes; with the root of their store as `stored_in`, from the stored chi2."""
    from fastscan.answers import planes

    for cube in cubes:
        held = {name: value for name, value in (at or {}).items() if name != "beta" or cube.has_beta}
        over = [name for name in minimise if name != "beta" or cube.has_beta]
        x, y = axes or planes.axes_of(cube, held=(*(at or {}), *minimise))
        own_dof = planes.dof_of(x, y, dof)
        plane = planes.plane_of(cube, x, y, at=held, minimise=over, dof=own_dof, stored_in=stored_in)
        yield plane, planes.contours(plane, query.threshold(cl, own_dof)), own_dof
