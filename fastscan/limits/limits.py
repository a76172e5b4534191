"""Limits, allowed intervals and Delta chi2 along M_Z': the columns of a question, and what their crossings answer.

A question is a model in some experiments at some beta, sigma_sys and luminosities.  Its columns of chi2 come from
a likelihood; what a cube stores of them is compared, streamed through dask, so that the cube can be larger than memory.
"""

from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri  # inverse of the chi2 distribution's survival function

from fastscan.errors import FastscanError
from fastscan.experiments.catalogue import Experiments
from fastscan.inputs import arguments
from fastscan.interactions import catalogue as models
from fastscan.interactions.catalogue import Model
from fastscan.likelihoods import likelihood
from fastscan.likelihoods.likelihood import Likelihood, SigmaSys
from fastscan.limits.confidence import CL, DOF
from fastscan.limits.crossings import (
    CONTACT_GEV,
    Columns,
    Crossings,
    Interval,
    Status,
    find_crossings,
    gathered,
    infimum,
)
from fastscan.typing import Array, IntArray

if TYPE_CHECKING:  # a limit without a store does without zarr
    import zarr

    from fastscan.stores.cube import Cube

HEAVIEST_GEV = 20000.0  # up to which `intervals` looks unless it is told otherwise


def threshold(cl: float, dof: int) -> float:
    """Delta chi2 at a confidence level.

    Examples
    --------
    >>> round(threshold(0.90, 1), 6), round(threshold(0.90, 2), 6)
    (2.705543, 4.60517)
    """
    probability = arguments.scalar("cl", cl, 0, 1)
    return float(chdtri(arguments.scalar("dof", dof, 1, 1000, whole=True), 1 - probability))


def columns_of(
    prepared: Likelihood, beta_index: IntArray, sigma_sys: SigmaSys, luminosity: ArrayLike
) -> tuple[Columns, tuple[int, ...]]:
    """Columns where beta's index, sigma_sys and luminosity broadcast, and their common shape."""
    noise, variance = prepared.settings(sigma_sys, luminosity)
    shape = arguments.broadcast(beta=beta_index.shape, **{"sigma_sys with luminosity": noise[0].shape})
    columns = Columns.of(
        prepared,
        np.broadcast_to(beta_index, shape).flatten(),
        likelihood.flattened(noise, shape),
        likelihood.flattened(variance, shape),
    )
    return columns, shape


def crossings_of_cube(
    cube: "Cube", beta: IntArray, sigma_sys: Array | None, luminosity: Array, delta: float
) -> Crossings:
    """Crossings from the likelihood that a cube carries, in columns (beta, sigma_sys, luminosity)."""
    return find_crossings(_cube_columns(cube, beta, sigma_sys, luminosity), delta)


def _cube_columns(cube: "Cube", beta: IntArray, sigma_sys: Array | None, luminosity: Array) -> Columns:
    sigma = None if sigma_sys is None else sigma_sys[:, None]
    return columns_of(cube.likelihood, beta[:, None, None], cube.sigma_sys(sigma), luminosity[None, :])[0]


def profiles(
    cube: "Cube",
    beta: IntArray,
    sigma_sys: Array | None,
    luminosity: Array,
    root: "zarr.Group | None" = None,
) -> Array:
    """Delta chi2 of a cube at the masses of its axis, shape (beta, sigma_sys, luminosity, masses).

    chi2 is the likelihood's, or, with the root of the cube's store, the stored one.
    """
    columns = _cube_columns(cube, beta, sigma_sys, luminosity)
    mass = cube.axes["m_zprime"]
    chi2 = columns.chi2(models.gamma(mass))
    if root is not None:
        from fastscan.stores import chunks

        chosen = chunks.chi2_array(root, cube)[beta][:, :, cube.stored_sigma_sys(sigma_sys)][
            :, :, :, cube.on_axis("luminosity", luminosity)
        ]
        stored = np.moveaxis(chunks.computed(cube, chosen), 1, -1).reshape(-1, mass.size)
        chunks.require_same(cube, stored, chi2)
        chi2 = stored
    delta: Array = chi2 - infimum(columns)[:, None]
    return delta.reshape(beta.size, -1, luminosity.size, mass.size)


def crossings_of_stored(
    root: "zarr.Group", cube: "Cube", beta: IntArray, sigma_sys: IntArray, luminosity: IntArray, delta: float
) -> Crossings:
    """Crossings that the values that a cube stores agree with, in columns given by their indices on its axes.

    dask reads the cube chunk by chunk: memory is bounded by one of them, and by the answer.

    Raises
    ------
    FastscanError
        Where stored values are missing, or contradict the likelihood.
    """
    import dask.array
    from dask.base import compute
    from dask.delayed import delayed

    from fastscan.inputs.files import readable
    from fastscan.stores import chunks

    axes = cube.axes
    values = None if cube.own_sigma_sys else axes["sigma_sys"][sigma_sys]
    columns = _cube_columns(cube, beta, values, axes["luminosity"][luminosity])
    gamma = models.gamma(axes["m_zprime"])
    number = np.arange(columns.beta_index.size).reshape(beta.size, sigma_sys.size, luminosity.size)
    whole = chunks.chi2_array(root, cube)
    chosen = whole[beta][:, :, sigma_sys][:, :, :, luminosity].rechunk({1: -1})
    numbers = dask.array.from_array(  # type: ignore[no-untyped-call]
        number, chunks=tuple(chosen.chunks[axis] for axis in (0, 2, 3))
    )

    def block_crossings(block: Array, own: IntArray) -> tuple[IntArray, Crossings]:
        chunks.require_values(cube, block)
        part = columns.some(own.ravel())
        chunks.require_same(cube, np.moveaxis(block, 1, -1).reshape(own.size, -1), part.chi2(gamma))
        return own.ravel(), find_crossings(part, delta)

    tasks = [
        delayed(block_crossings)(block, own)
        for block, own in zip(chosen.to_delayed().ravel(), numbers.to_delayed().ravel(), strict=True)
    ]
    with readable(f"group {cube.name}"):
        # one after the other: a block's columns are spread over the cores already
        parts = compute(*tasks, scheduler="synchronous")  # type: ignore[no-untyped-call]
        return gathered(parts, number.size)


@overload
def limit(
    experiments: Experiments,
    model: str | Model,
    *,
    beta: ArrayLike | None = ...,
    sigma_sys: SigmaSys = ...,
    luminosity: ArrayLike = ...,
    cl: float = ...,
    dof: int = ...,
    with_status: Literal[False] = ...,
) -> Array: ...
@overload
def limit(
    experiments: Experiments,
    model: str | Model,
    *,
    beta: ArrayLike | None = ...,
    sigma_sys: SigmaSys = ...,
    luminosity: ArrayLike = ...,
    cl: float = ...,
    dof: int = ...,
    with_status: Literal[True],
) -> tuple[Array, Status]: ...
def limit(
    experiments: Experiments,
    model: str | Model,
    *,
    beta: ArrayLike | None = None,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    cl: float = CL,
    dof: int = DOF,
    with_status: bool = False,
) -> Array | tuple[Array, Status]:
    """Lower limit on M_Z': the largest mass at which Delta chi2 crosses the quantile of chi2.

    Delta chi2 is taken above the infimum over all M_Z'.  beta, sigma_sys and luminosity broadcast.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several are combined.
    model, beta, sigma_sys, luminosity
        As in `chi2`.
    cl : float
        Confidence level, a probability.
    dof : int
        Degrees of freedom of the quantile: 1 for a limit on M_Z' alone.
    with_status : bool
        Also return why there is a limit or none.

    Returns
    -------
    limit : array
        GeV; nan where there is none.
    status : array of str
        ``ok``; ``no_sensitivity``, no mass of 1 GeV or more can be excluded; ``sm_disfavoured``, the data exclude
        the Standard Model and with it all large masses, see `intervals`.

    Raises
    ------
    FastscanError
        As `chi2`, and for a cl outside (0, 1) or a dof below 1.

    References
    ----------
    Table 3 of arXiv:2002.01482.

    Examples
    --------
    >>> limit("coherent-csi", "chi").round(1)
    np.float64(195.3)
    >>> limit("coherent-csi", "psi", with_status=True)
    (np.float64(nan), np.str_('no_sensitivity'))
    """
    prepared, beta_index = likelihood.prepare(experiments, model, beta)
    columns, shape = columns_of(prepared, beta_index, sigma_sys, luminosity)
    found = find_crossings(columns, threshold(cl, dof))
    limits: Array = found.limits().reshape(shape)[()]
    return (limits, found.statuses().reshape(shape)[()]) if with_status else limits


def intervals(
    experiments: Experiments,
    model: str | Model,
    *,
    beta: float | None = None,
    sigma_sys: SigmaSys = None,
    luminosity: float = 1.0,
    cl: float = CL,
    dof: int = DOF,
    m_min: float = CONTACT_GEV,
    m_max: float = HEAVIEST_GEV,
) -> list[Interval]:
    """Every allowed interval of M_Z' between m_min and m_max; scalar arguments only.

    Parameters
    ----------
    experiments, model, beta, sigma_sys, luminosity, cl, dof
        As in `limit`.
    m_min, m_max : float
        Range of masses in GeV; m_min at least 1, where the contact interaction ends.

    Returns
    -------
    list of (low, high)
        In GeV, ascending.  An open end is m_min or ``inf``.

    Raises
    ------
    FastscanError
        As `limit`, and for arguments that aren't scalars or an empty range.

    References
    ----------
    The crossings of Fig. 1 of arXiv:2002.01482; its Table 3 has the largest of each, which is `limit`.

    Examples
    --------
    Where the Z' interferes destructively, light masses can be allowed again:

    >>> from math import radians
    >>> [(round(low, 2), round(high, 2)) for low, high in intervals("coherent-csi", "e6", beta=radians(100))]
    [(14.46, 16.83), (36.13, inf)]
    """
    lowest, highest = (arguments.scalar(name, m, 0, np.inf) for name, m in (("m_min", m_min), ("m_max", m_max)))
    if not CONTACT_GEV <= lowest < highest:
        raise FastscanError(f"m_min and m_max must be ordered and at least {CONTACT_GEV:g} GeV")
    found = at_point(experiments, model, beta=beta, sigma_sys=sigma_sys, luminosity=luminosity, cl=cl, dof=dof)
    return found.intervals(lowest, highest)[0]


def at_point(
    experiments: Experiments,
    model: str | Model,
    *,
    beta: float | None,
    sigma_sys: SigmaSys,
    luminosity: float,
    cl: float,
    dof: int,
) -> Crossings:
    """The crossings in a single column: limit, status and intervals in one."""
    prepared, beta_index = likelihood.prepare(experiments, model, beta)
    columns, shape = columns_of(prepared, beta_index, sigma_sys, luminosity)
    if shape:
        raise FastscanError("beta, sigma_sys and luminosity must be scalars here; call it once per point")
    return find_crossings(columns, threshold(cl, dof))


def delta_chi2(
    experiments: Experiments,
    model: str | Model,
    *,
    m_zprime: ArrayLike,
    beta: ArrayLike | None = None,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
) -> Array:
    """Delta chi2: chi2 above its infimum over all M_Z', with everything else the same.

    Parameters
    ----------
    experiments, model, m_zprime, beta, sigma_sys, luminosity
        As in `chi2`; everything after the model broadcasts.

    Returns
    -------
    array
        Of the arguments' common shape.  Where it crosses `threshold`, an allowed interval ends.

    Raises
    ------
    FastscanError
        As `chi2`.

    References
    ----------
    Figs. 1 and 4 of arXiv:2002.01482.

    Examples
    --------
    >>> delta_chi2("conus", "chi", m_zprime=[100, 200, float("inf")]).round(4)
    array([14.6685,  3.5132,  0.    ])
    """
    prepared, beta_index = likelihood.prepare(experiments, model, beta)
    columns, shape = columns_of(prepared, beta_index, sigma_sys, luminosity)
    gamma = models.gamma(arguments.m_zprime(m_zprime))
    value = likelihood.chi2_of(prepared, beta_index, gamma, sigma_sys, luminosity)
    return value - infimum(columns).reshape(shape)
