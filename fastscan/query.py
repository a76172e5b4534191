"""Limits and allowed intervals: where Delta chi2 crosses a threshold along M_Z'.

Columns of chi2 along log M_Z' are computed from a likelihood on a ladder of masses, which finds every extremum;
between extrema chi2 is monotonic, so each crossing has a bracket, and is refined there.  The ladder follows the
size of the couplings' shift, not a grid: no answer depends on the grid that a store was scanned on.  It has
rungs of its own where a member's S_dd turns, because there extrema can lie closer together than any ladder.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import elementwise
from scipy.special import chdtri  # inverse of the chi2 distribution's survival function

from fastscan import arguments, kernels, likelihood
from fastscan.constants import M_Z_GEV
from fastscan.errors import FastscanError
from fastscan.experiments import Experiments
from fastscan.likelihood import Likelihood, SigmaSys
from fastscan.models import Model
from fastscan.typing import Array, IntArray

CONTACT_GEV = 1.0  # below this mass the contact form of the interaction ends, and with it every limit
# Shifts of a coupling, gamma |kappa|: 64 rungs for a decade of mass where chi2 can turn, few below, where it is linear.
LADDER = np.concatenate([np.geomspace(1e6, 1e-9, 481), np.geomspace(1e-10, 1e-30, 21)])
BATCH = 1024  # columns at a time, which bounds the memory whatever their number

OK, NO_SENSITIVITY, SM_DISFAVOURED, OUTSIDE_AXIS = "ok", "no_sensitivity", "sm_disfavoured", "outside_axis"
Status = NDArray[np.str_]


def threshold(cl: float, dof: int) -> float:
    """Delta chi2 at a confidence level.

    Examples
    --------
    >>> round(threshold(0.90, 1), 6), round(threshold(0.90, 2), 6)
    (2.705543, 4.60517)
    """
    probability = arguments.scalar("cl", cl, 0, 1)
    return float(chdtri(arguments.scalar("dof", dof, 1, 1000, whole=True), 1 - probability))


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of chi2 along M_Z', each at a beta, and each member's weight and pull.

    Shapes: coefficients as of `Likelihood`; ladder (betas, rungs), log masses in ascending order; beta_index
    (columns,); weight and pull (members, columns).
    """

    coefficients: Array
    ladder: Array
    beta_index: IntArray
    weight: Array
    pull: Array

    @classmethod
    def of(cls, model: Likelihood, beta_index: IntArray, weight: Array, pull: Array) -> "Columns":
        coefficients = model.coefficients()
        return cls(coefficients, _ladder(model.kappa, coefficients), beta_index, weight, pull)

    def batches(self) -> Iterator["Columns"]:
        for start in range(0, self.beta_index.size, BATCH):
            yield self.take(np.arange(start, min(start + BATCH, self.beta_index.size)))

    def take(self, chosen: IntArray) -> "Columns":
        return Columns(
            self.coefficients,
            self.ladder,
            self.beta_index[chosen],
            np.ascontiguousarray(self.weight[:, chosen]),
            np.ascontiguousarray(self.pull[:, chosen]),
        )

    def chi2(self, log_mass: Array) -> Array:
        """chi2 at log M_Z' (GeV) of shape (columns, masses)."""
        gamma = np.exp(2 * (np.log(M_Z_GEV) - log_mass))
        result: Array = kernels.chi2_columns.of_size(log_mass.size)(
            self.coefficients, self.beta_index, gamma, self.weight, self.pull
        )
        return result

    def chi2_at(self, log_mass: Array, column: Array) -> Array:
        """chi2 at points, each in a column given by its index: for scipy's elementwise solvers."""
        return self.take(column.astype(np.intp)).chi2(log_mass[:, None])[:, 0]


def _ladder(kappa: Array, coefficients: Array) -> Array:
    """Log masses at which each beta's columns are computed, shape (betas, rungs), ascending."""
    largest = np.abs(kappa).max(axis=(0, 2))
    scale = np.where(largest > 0, largest, 1.0)[:, None]
    gamma = np.concatenate([LADDER / scale, _turning_points(coefficients, scale)], axis=1)
    return np.sort(np.log(M_Z_GEV) - 0.5 * np.log(gamma), axis=1)


def _turning_points(coefficients: Array, scale: Array) -> Array:
    """gamma > 0 at which a member's S_dd is stationary, shape (betas, 3 members).

    Roots of a cubic, as eigenvalues of its companion matrix.  In place of roots that aren't positive numbers there
    are rungs of no importance.
    """
    slope = coefficients[:, :, 0, 1:] * np.arange(1, 5) * scale ** -np.arange(1.0, 5.0)  # in gamma |kappa|
    cubic = np.abs(slope[..., 3]) > 1e-14 * np.abs(slope).max(axis=-1)
    companion = np.zeros((*slope.shape[:2], 3, 3))
    companion[..., 1, 0] = companion[..., 2, 1] = 1.0
    companion[..., 2] = -slope[..., :3] / np.where(cubic, slope[..., 3], 1.0)[..., None]
    roots = np.linalg.eigvals(companion)
    real = cubic[..., None] & (roots.real > 0) & (np.abs(roots.imag) < 1e-6 * np.abs(roots.real))
    count = 3 * len(coefficients)
    idle = np.sqrt(LADDER[:count] * LADDER[1 : count + 1]).reshape(-1, 1, 3)  # between other rungs
    found = np.where(real, roots.real, idle)
    return np.moveaxis(found, 0, 1).reshape(slope.shape[1], -1) / scale


@dataclass(frozen=True, eq=False)
class Crossings:
    """Every crossing in some columns: column and mass (GeV), ascending.

    For each column, whether it allows the Standard Model, and whether it is `flat`: no mass of 1 GeV or more can be
    told from another.
    """

    column: IntArray
    mass: Array
    sm_allowed: NDArray[np.bool_]
    flat: NDArray[np.bool_]

    def largest(self) -> Array:
        """The largest mass in each column, nan where there is no crossing."""
        top = np.full(self.sm_allowed.size, np.nan)
        np.fmax.at(top, self.column, self.mass)
        return top


def find_crossings(columns: Columns, delta: float) -> Crossings:
    """Where Delta chi2 = chi2 - inf over all gamma >= 0 crosses a threshold, at 1 GeV or more."""
    ladder = columns.ladder[columns.beta_index]
    value = columns.chi2(ladder)
    sm = columns.chi2(np.full((len(ladder), 1), np.inf))[:, 0]

    which, at, extreme = _extrema(columns, ladder, value)
    lowest = np.minimum(sm, value.min(axis=1))
    np.minimum.at(lowest, which, extreme)
    excess = np.concatenate([value.ravel(), extreme])
    column = np.concatenate([np.repeat(np.arange(len(ladder)), ladder.shape[1]), which])
    position = np.concatenate([ladder.ravel(), at])
    order = np.lexsort([position, column])
    column, position = column[order], position[order]
    above = excess[order] - lowest[column] > delta

    change = np.flatnonzero((above[1:] != above[:-1]) & (column[1:] == column[:-1]))
    column = column[change]
    root = elementwise.find_root(
        lambda x, c: columns.chi2_at(x, c) - lowest[c.astype(np.intp)] - delta,
        (position[change], position[change + 1]),
        args=(column.astype(float),),
    )
    kept = root.x >= np.log(CONTACT_GEV)
    heavy = ladder >= np.log(CONTACT_GEV)
    highest = np.where(heavy, value, -np.inf).max(axis=1)
    deepest = np.where(heavy, value, np.inf).min(axis=1)
    flat = np.maximum(highest, sm) - np.minimum(deepest, sm) <= delta
    return Crossings(column[kept], np.exp(root.x[kept]), sm - lowest <= delta, flat)


def _extrema(columns: Columns, ladder: Array, value: Array) -> tuple[IntArray, Array, Array]:
    """Local minima and maxima of each column: column, log mass, chi2."""
    here, before, after = value[:, 1:-1], value[:, :-2], value[:, 2:]
    sign = ((here < before) & (here <= after)).astype(float) - ((here > before) & (here >= after))
    column, rung = np.nonzero(sign)
    with np.errstate(invalid="ignore"):  # a parabola through an extremum that is only rounding
        found = elementwise.find_minimum(
            lambda x, c, s: s * columns.chi2_at(x, c),
            (ladder[column, rung], ladder[column, rung + 1], ladder[column, rung + 2]),
            args=(column.astype(float), sign[column, rung]),
        )
    at = np.where(found.success, found.x, ladder[column, rung + 1])
    return column, at, columns.chi2_at(at, column.astype(float))


def column_limits(columns: Columns, delta: float) -> tuple[Array, Status]:
    """Lower limit (GeV, nan: none) and status of each column."""
    found = [find_crossings(batch, delta) for batch in columns.batches()]
    top = [crossings.largest() for crossings in found]
    limits = np.concatenate([np.empty(0), *top])
    sm_allowed = np.concatenate([np.empty(0, bool), *(crossings.sm_allowed for crossings in found)])
    flat = np.concatenate([np.empty(0, bool), *(crossings.flat for crossings in found)])
    insensitive = np.isnan(limits) & (sm_allowed | flat)
    status = np.where(insensitive, NO_SENSITIVITY, np.where(sm_allowed, OK, SM_DISFAVOURED))
    return np.where(status == OK, limits, np.nan), status


def limits_of(
    model: Likelihood,
    beta_index: IntArray,
    sigma_sys: SigmaSys,
    luminosity: ArrayLike,
    cl: float = 0.90,
    dof: int = 1,
) -> tuple[Array, Status]:
    """Limits and statuses from a likelihood, where beta's index, sigma_sys and luminosity broadcast."""
    delta = threshold(cl, dof)
    weight, pull = model.settings(sigma_sys, luminosity)
    shape = arguments.broadcast(beta=beta_index.shape, **{"sigma_sys with luminosity": weight[0].shape})
    columns = Columns.of(
        model,
        np.broadcast_to(beta_index, shape).ravel(),
        likelihood.flattened(weight, shape),
        likelihood.flattened(pull, shape),
    )
    limits, status = column_limits(columns, delta)
    return limits.reshape(shape), status.reshape(shape)


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
    cl: float = 0.90,
    dof: int = 1,
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
    limits, status = limits_of(prepared, beta_index, sigma_sys, luminosity, cl, dof)
    return (limits[()], status[()]) if with_status else limits[()]


def intervals(
    experiments: Experiments,
    model: str | Model,
    *,
    beta: float | None = None,
    sigma_sys: SigmaSys = None,
    luminosity: float = 1.0,
    cl: float = 0.90,
    dof: int = 1,
    m_min: float = 1.0,
    m_max: float = 20000.0,
) -> list[tuple[float, float]]:
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
    prepared, beta_index = likelihood.prepare(experiments, model, beta)
    weight, pull = prepared.settings(sigma_sys, luminosity)
    if beta_index.ndim or weight.ndim > 1:
        raise FastscanError("intervals takes scalars; call it once per point")
    return intervals_of(
        Columns.of(prepared, beta_index.reshape(1), weight[:, None], pull[:, None]),
        threshold(cl, dof),
        lowest,
        highest,
    )[0]


def intervals_of(columns: Columns, delta: float, m_min: float, m_max: float) -> list[list[tuple[float, float]]]:
    """Allowed intervals of every column."""
    result = []
    for batch in columns.batches():
        crossings = find_crossings(batch, delta)
        for column, allowed in enumerate(crossings.sm_allowed):
            masses = crossings.mass[crossings.column == column]
            insensitive = masses.size == 0 and crossings.flat[column]
            ends = [*masses, *([np.inf] if allowed or insensitive else [])]
            if len(ends) % 2:
                ends.insert(0, m_min)  # allowed down to where the contact form ends
            pairs = zip(ends[::2], ends[1::2], strict=True)
            clipped = ((max(low, m_min), high if high == np.inf else min(high, m_max)) for low, high in pairs)
            result.append([(float(low), float(high)) for low, high in clipped if low < min(high, m_max)])
    return result
