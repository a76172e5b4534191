"""Limits, allowed intervals and Delta chi2 along the strength of an interaction, in the units of its axis.

A limit is about one column: Delta chi2 is chi2 above its infimum over that column, and what it is compared with is a
quantile of chi2.
"""

from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri  # inverse of the chi2 distribution's survival function

from fastscan.axes import SETTINGS
from fastscan.errors import InputError, warn
from fastscan.experiments.catalogue import Experiments
from fastscan.inputs import arguments
from fastscan.interactions.contact import CONTACT_GEV
from fastscan.interactions.interaction import Strength
from fastscan.interactions.parameters import M_ZPRIME
from fastscan.likelihoods.settings import SigmaSys
from fastscan.limits.confidence import CL, DOF, NO_SENSITIVITY, OK, SM_DISFAVOURED
from fastscan.limits.crossings import Crossings, find_crossings, infimum
from fastscan.limits.points import AnyModel, doubts_about, prepare, prepare_points
from fastscan.typing import Array

HEAVIEST_GEV = 20000.0  # the default upper end of the masses that `intervals` searches
Status = NDArray[np.str_]
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Limits:
    """The answer to a question about columns.

    Attributes
    ----------
    bounds : array, shape (columns,)
        The bound of each column in the unit of the strength's axis; nan where there is none.
    status : array of str, shape (columns,)
        Why a column has a bound or none.
    intervals : list of list of (low, high)
        Every allowed interval of each column, ascending; an open upper end is inf.
    """

    bounds: Array
    status: Status
    intervals: list[list[Interval]]


def limits_of(found: Crossings, strength: Strength) -> Limits:
    """Bounds, their status and the allowed intervals of columns.

    Parameters
    ----------
    found : Crossings
        The crossings of the columns.
    strength : Strength
        The strength that the columns run along; its axis gives the unit of the bounds.
    """
    return Limits(*bounds_of(found, strength), _intervals(found, strength))


def bounds_of(found: Crossings, strength: Strength) -> tuple[Array, Status]:
    """As `limits_of`, without the intervals."""
    return _bounds(found, strength), _status(found)


def _bounds(found: Crossings, strength: Strength) -> Array:
    """The lower bound on the axis of each column: its crossing at the smallest x, where x = 0 is allowed."""
    smallest = np.full(found.sm_allowed.size, np.nan)
    smallest[found.column] = found.x  # x descends in each column, so the smallest x is assigned last
    smallest[~found.sm_allowed] = np.nan
    return strength.from_x(smallest)


def _status(found: Crossings) -> Status:
    crossed = np.zeros(found.sm_allowed.size, bool)
    crossed[found.column] = True
    insensitive = ~crossed & (found.sm_allowed | found.flat)
    return np.where(insensitive, NO_SENSITIVITY, np.where(found.sm_allowed, OK, SM_DISFAVOURED))


def _intervals(found: Crossings, strength: Strength) -> list[list[Interval]]:
    """Crossings by column, with x = 0 and the largest x where they are allowed, in pairs."""
    end, largest = strength.from_x(np.array([0.0, strength.largest_x])).tolist()
    starts = np.searchsorted(found.column, np.arange(found.sm_allowed.size + 1)).tolist()
    crossed = strength.from_x(found.x).tolist()  # ascending in each column
    result = []
    for start, stop, allowed, flat in zip(starts, starts[1:], found.sm_allowed, found.flat, strict=False):
        ends = crossed[start:stop]
        if allowed or (flat and not ends):
            ends.append(end)
        if len(ends) % 2:
            ends.insert(0, largest)
        result.append([(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True) if low < high])
    return result


def threshold(cl: float, dof: int) -> float:
    """Delta chi2 at a confidence level: the quantile of the chi2 distribution.

    Parameters
    ----------
    cl : float
        Confidence level, a probability between 0 and 1.
    dof : int
        Degrees of freedom, from 1 to 1000.

    Returns
    -------
    float
        Dimensionless.

    Raises
    ------
    InputError
        Where cl or dof is out of bounds.

    Examples
    --------
    >>> round(threshold(0.90, 1), 6), round(threshold(0.90, 2), 6)
    (2.705543, 4.60517)
    """
    probability = arguments.scalar("cl", cl, 0, 1)
    return float(chdtri(arguments.scalar("dof", dof, 1, 1000, whole=True), 1 - probability))


@overload
def limit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = ...,
    luminosity: ArrayLike = ...,
    cl: float = ...,
    dof: int = ...,
    with_status: Literal[False] = ...,
    **at: ArrayLike | None,
) -> Array: ...
@overload
def limit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = ...,
    luminosity: ArrayLike = ...,
    cl: float = ...,
    dof: int = ...,
    with_status: Literal[True],
    **at: ArrayLike | None,
) -> tuple[Array, Status]: ...
def limit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    cl: float = CL,
    dof: int = DOF,
    with_status: bool = False,
    **at: ArrayLike | None,
) -> Array | tuple[Array, Status]:
    """Lower limit on M_Z': the largest mass at which Delta chi2 crosses the quantile of chi2.

    Delta chi2 is taken above the infimum over all M_Z'.  The model's other parameters, sigma_sys and luminosity
    broadcast.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several are combined.
    model, sigma_sys
        As in `chi2`.
    luminosity : array_like
        Factor on the exposure.  Other than 1 it scales measured data, their deficit or excess too, which is no limit of
        a longer run: that is expected of ``experiments.load("coherent-csi").expected()``, in which the Standard Model's
        prediction stands in for the data.
    cl : float
        Confidence level, a probability.
    dof : int
        Degrees of freedom of the quantile: 1 for a limit on M_Z' alone.
    with_status : bool
        Also return why there is a limit or none.
    **at : array_like
        The model's other parameters: ``beta`` in rad, of ``e6``.

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

    Warns
    -----
    FastscanWarning
        Of a sigma_sys above 1, and of crossings where the contact form of the interaction has ended, see `chi2`.

    References
    ----------
    Table 3 of arXiv:2002.01482.

    Examples
    --------
    >>> limit("coherent-csi", "chi").round(1)
    np.float64(195.3)
    >>> limit("coherent-csi", "psi", with_status=True)
    (np.float64(nan), np.str_('no_sensitivity'))

    A thousand times the exposure, with the data of 2017 scaled, and with the Standard Model's prediction:

    >>> from fastscan import experiments
    >>> csi = experiments.load("coherent-csi")
    >>> [limit(each, "chi", sigma_sys=0.01, luminosity=1000).round(1) for each in (csi, csi.expected())]
    [np.float64(4140.5), np.float64(956.8)]
    """
    rows = prepare(experiments, model, at)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    found = find_crossings(columns, threshold(cl, dof), rows.largest_x)
    warn(*doubts_about(rows, found.x, settings))
    bounds, status = bounds_of(found, rows.interaction.strength)
    limits: Array = bounds.reshape(shape)[()]
    return (limits, status.reshape(shape)[()]) if with_status else limits


def intervals(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: float = 1.0,
    cl: float = CL,
    dof: int = DOF,
    m_min: float = CONTACT_GEV,
    m_max: float = HEAVIEST_GEV,
    **at: float | None,
) -> list[Interval]:
    """Every allowed interval of M_Z' between m_min and m_max; scalar arguments only.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, cl, dof, at
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
    unit = M_ZPRIME.unit
    lowest, highest = (arguments.scalar(*each, 0, np.inf, unit=unit) for each in (("m_min", m_min), ("m_max", m_max)))
    if not CONTACT_GEV <= lowest < highest:
        raise InputError(f"m_min and m_max must be ordered and at least {CONTACT_GEV:g} GeV")
    delta, rows = threshold(cl, dof), prepare(experiments, model, at)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    if shape:
        *others, last = (axis.name for axis in (*rows.interaction.rows, *SETTINGS))
        raise InputError(f"{', '.join(others)} and {last} must be scalars here; call it once per point")
    crossings = find_crossings(columns, delta, rows.largest_x)
    warn(*doubts_about(rows, crossings.x, settings))
    (found,) = limits_of(crossings, rows.interaction.strength).intervals
    clipped = ((max(low, lowest), high if high == np.inf else min(high, highest)) for low, high in found)
    return [(low, high) for low, high in clipped if low < min(high, highest)]


def delta_chi2(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    **at: ArrayLike | None,
) -> Array:
    """Delta chi2: chi2 above its infimum over all strengths of the model, with everything else the same.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, at
        As in `chi2`; everything after the model broadcasts.  `limit` says what luminosity does to measured data.

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
    rows, x = prepare_points(experiments, model, at)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    warn(*doubts_about(rows, x, settings))
    value = rows.likelihood.chi2(x, rows.index, settings)
    return value - infimum(columns, rows.largest_x).reshape(shape)
