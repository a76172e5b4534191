"""Limits, allowed intervals and Delta chi2 along the strength of an interaction, in the units of its axis.

A limit is about one column: Delta chi2 is chi2 above its infimum over that column, and what it is compared with is a
quantile of chi2.
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastscan.axes import SETTINGS
from fastscan.errors import InputError, LimitError, quoted, unknown, warn
from fastscan.experiments.catalogue import Experiments
from fastscan.inputs import arguments
from fastscan.interactions.contact import CONTACT_GEV
from fastscan.interactions.interaction import Interaction, Strength
from fastscan.interactions.parameters import M_ZPRIME
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.settings import Settings, SigmaSys
from fastscan.limits.confidence import ASYMPTOTIC, BY_TOYS, CL, DOF, METHODS, NO_SENSITIVITY, OK, SM_DISFAVOURED, Toys
from fastscan.limits.crossings import Crossings, find_crossings, infimum
from fastscan.limits.drawn import Truth
from fastscan.limits.feldman_cousins import AT_ONCE, ToyCrossings, throw_crossings
from fastscan.limits.points import AnyModel, Rows, doubts_about, prepare, prepare_points
from fastscan.typing import Array, BoolArray

MOST_TOYS, LARGEST_SEED = 10_000_000, 2**53
SHIFT = 1e-3  # of a Monte-Carlo error, over which its effect on what a bound is quoted on is taken as linear
SAME = 1e-9  # relative difference of a crossing and of the bound that it is
SMALLEST_DELTA = 1e-9  # of a Delta chi2 that a crossing can be found of
HEAVIEST_GEV = 20000.0  # the default upper end of the masses that `intervals` searches
Status = NDArray[np.str_]
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Limits:
    """The answer to a question about columns.

    Attributes
    ----------
    bounds : array, shape (columns,) or (columns, 2)
        The bound of each column in the unit of the strength's axis, or its lower and upper one; nan where there is
        none, and of two -inf or inf where one is open.
    status : array of str, shape (columns,)
        Why a column has a bound or none.
    intervals : list of list of (low, high)
        Every allowed interval of each column, ascending; an open end is -inf or inf.
    errors, asymptotic : Limits, optional
        Where toys say what is allowed: the Monte-Carlo errors of the bounds and of the ends, nan of those that are
        open; and the limits without toys.
    """

    bounds: Array
    status: Status
    intervals: list[list[Interval]]
    errors: "Limits | None" = None
    asymptotic: "Limits | None" = None


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
    status = _status(found)
    if not strength.signed:
        return strength.from_x(_nearest_above(found, np.nan)), status
    sides = np.stack([_nearest_below(found), _nearest_above(found, np.inf)], axis=-1)
    sides[status == SM_DISFAVOURED] = np.nan
    return strength.from_x(sides), status


def limits_in(
    likelihood: Likelihood, columns: Columns, strength: Strength, cl: float, dof: int, toys: Toys | None
) -> tuple[Crossings, Limits]:
    """The crossings of columns, and the limits that follow; see `limit`.

    Parameters
    ----------
    likelihood : Likelihood
    columns : Columns
        Of the likelihood.
    strength : Strength
    cl, dof
        As in `limit`.
    toys : Toys or None
        The toys that say what is allowed; None for the quantile of chi2.
    """
    delta = threshold(cl, dof)
    asymptotic = _crossings(columns, delta, strength)
    if toys is None:
        return asymptotic, limits_of(asymptotic, strength)
    if dof != DOF:
        raise InputError(f"with toys dof must be {DOF}: t of a column has one, and toys give its quantile themselves")
    found = throw_crossings(likelihood, columns, strength, cl, delta, checked(toys))
    return found.crossings, toy_limits_of(found, asymptotic, strength)


def toy_limits_of(found: ToyCrossings, asymptotic: Crossings, strength: Strength) -> Limits:
    """As `limits_of`, with errors, and with the limits without toys."""
    limits, without = limits_of(found.crossings, strength), limits_of(asymptotic, strength)
    return replace(limits, errors=_errors(found, limits, strength), asymptotic=without)


def _errors(found: ToyCrossings, limits: Limits, strength: Strength) -> Limits:
    """The Monte-Carlo errors of limits, in their own places; nan of an end that is none of the crossings."""
    x, column = found.crossings.x, found.crossings.column
    values = strength.from_x(x)
    known = np.isfinite(found.error)
    shifted = strength.from_x(x + SHIFT * np.where(known, found.error, 0.0))
    errors = np.where(known, np.abs(shifted - values) / SHIFT, np.nan)

    def of(ends: ArrayLike, number: int) -> Array:
        own = column == number
        near = np.abs(np.atleast_1d(ends)[:, None] - values[own]) <= SAME * np.abs(values[own])
        return np.array([errors[own][each][0] if each.any() else np.nan for each in near])

    intervals = [
        [(low, high) for low, high in (of(each, number).tolist() for each in own)]
        for number, own in enumerate(limits.intervals)
    ]
    bounds = [of(each, number) for number, each in enumerate(limits.bounds)]
    return Limits(np.array(bounds).reshape(limits.bounds.shape), limits.status, intervals)


def toys_of(method: str, toys: int | None, seed: int | None) -> Toys | None:
    """The toys that a caller asks for; None where none are asked for.

    Raises
    ------
    InputError
        For an unknown method, and for toys or a seed without the method "toys".
    """
    if method not in METHODS:
        raise unknown("method", str(method), METHODS)
    given = {"number": toys, "seed": seed}
    asked = {name: value for name, value in given.items() if value is not None}
    if method == ASYMPTOTIC and asked:
        raise InputError(f"toys and seed are of method {BY_TOYS!r}, not of {ASYMPTOTIC!r}")
    return None if method == ASYMPTOTIC else checked(Toys(**asked))


def checked(toys: Toys) -> Toys:
    """Toys with numbers that are within their bounds; else an `InputError`."""
    number = arguments.scalar("toys", toys.number, 1, MOST_TOYS, whole=True)
    return Toys(int(number), int(arguments.scalar("seed", toys.seed, 0, LARGEST_SEED, whole=True)))


def _nearest_above(found: Crossings, without: float) -> Array:
    """The crossing of each column at the smallest x > 0, where x = 0 is allowed; another number without any."""
    above = found.x > 0
    nearest = np.full(found.sm_allowed.size, without)
    nearest[found.column[above]] = found.x[above]  # x descends in each column, so the smallest x is assigned last
    nearest[~found.sm_allowed] = without
    return nearest


def _nearest_below(found: Crossings) -> Array:
    """The crossing of each column at the largest x < 0, where x = 0 is allowed; -inf without any."""
    mirrored = Crossings(found.column[::-1], -found.x[::-1], found.sm_allowed, found.flat)
    return -_nearest_above(mirrored, np.inf)


def _status(found: Crossings) -> Status:
    crossed = np.zeros(found.sm_allowed.size, bool)
    crossed[found.column] = True
    insensitive = ~crossed & (found.sm_allowed | found.flat)
    return np.where(insensitive, NO_SENSITIVITY, np.where(found.sm_allowed, OK, SM_DISFAVOURED))


def _intervals(found: Crossings, strength: Strength) -> list[list[Interval]]:
    """Crossings by column, with the smallest and the largest x where they are allowed, in pairs."""
    smallest, largest = strength.ends
    starts = np.searchsorted(found.column, np.arange(found.sm_allowed.size + 1)).tolist()
    crossed = strength.from_x(found.x).tolist()
    below = np.bincount(found.column[found.x < 0], minlength=found.sm_allowed.size)
    allowed = found.sm_allowed ^ (below % 2 == 1)  # at the smallest x: a crossing leads into an interval or out of it
    step = -1 if smallest < largest else 1  # x descends in each column
    result = []
    for start, stop, begins, flat in zip(starts, starts[1:], allowed, found.flat, strict=False):
        ends = crossed[start:stop]
        if begins or (flat and not ends):
            ends.append(smallest)
        if len(ends) % 2:
            ends.insert(0, largest)
        ascending = ends[::step]
        result.append([(low, high) for low, high in zip(ascending[::2], ascending[1::2], strict=True) if low < high])
    return result


def require_standard_model(interaction: Interaction, departs: BoolArray) -> None:
    """Refuse limits where x = 0 is not the Standard Model in some row: none says how far from it one can go.

    Parameters
    ----------
    interaction : Interaction
    departs : array of bool
        Of some rows, see `fastscan.likelihoods.likelihood.Likelihood.departs`.
    """
    if departs.any():
        rows = " and ".join(axis.name for axis in interaction.rows)
        name = f"{interaction.strength.axis.name} = 0"
        told = f"model {quoted(interaction.name)} has intervals and contours, but no limit, where {name} is not the SM"
        raise LimitError(f"{told}: at {rows} other than 0")


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
        Where cl or dof is out of bounds, or the quantile is lost in the rounding of a chi2.

    Examples
    --------
    >>> round(threshold(0.90, 1), 6), round(threshold(0.90, 2), 6)
    (2.705543, 4.60517)
    """
    probability = arguments.scalar("cl", cl, 0, 1)
    delta = _quantile(arguments.scalar("dof", dof, 1, 1000, whole=True), 1 - probability)
    if delta < SMALLEST_DELTA:
        raise InputError(f"cl = {probability:g} is too small: its Delta chi2, {delta:.3g}, is lost in rounding")
    return delta


def _quantile(dof: float, above: float) -> float:
    """The quantile of the chi2 distribution above which lies a probability; the usual ones have a closed form."""
    if dof == 1:
        return NormalDist().inv_cdf(above / 2) ** 2
    if dof == 2:
        return -2 * math.log(above)
    from scipy.special import chdtri  # imported here, because it takes longer than a limit

    return float(chdtri(dof, above))


def toy_limits(
    rows: Rows, settings: Settings, toys: int, seed: int, *, cl: float = CL, dof: int = DOF
) -> tuple[Array, Status]:
    """The asymptotic limits of toys in which the Standard Model is the truth, with all nuisances at 0.

    The centres of the nuisances' constraints fluctuate, as the counts do.  Each column has the same toys; those of
    several bins with a variance are the same in law.

    Parameters
    ----------
    rows : Rows
        As `fastscan.limits.points.prepare` returns them.
    settings : Settings
        Of the likelihood of the rows, with which they broadcast.
    toys, seed : int
        How many, and what their random numbers begin with.
    cl, dof
        As in `limit`.

    Returns
    -------
    bounds, status : array, shape (columns, toys) or (columns, toys, 2), and (columns, toys)
        As those of `Limits`, in the units of the strength's axis; nan where a toy has no limit.

    Raises
    ------
    LimitError
        Where x = 0 is not the Standard Model in some row.
    """
    delta, strength, likelihood = threshold(cl, dof), rows.interaction.strength, rows.likelihood
    require_standard_model(rows.interaction, likelihood.departs)
    columns, _ = likelihood.columns(rows.index, settings)
    found = []
    for number in range(columns.row.size):
        truth = Truth.unmoved(likelihood, columns.some(np.array([number])), 0.0)
        streams, parts = truth.streams(seed), []
        for first in range(0, toys, AT_ONCE):
            those = truth.columns_of(streams.draw(min(AT_ONCE, toys - first)))
            parts.append(bounds_of(_crossings(those, delta, strength), strength))
        found.append(tuple(map(np.concatenate, zip(*parts, strict=True))))
    bounds, status = zip(*found, strict=True)
    return np.stack(bounds), np.stack(status)


def _crossings(columns: Columns, delta: float, strength: Strength) -> Crossings:
    return find_crossings(columns, delta, strength.largest_x, strength.signed)


@overload
def limit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = ...,
    luminosity: ArrayLike = ...,
    asimov: bool = ...,
    independent: bool = ...,
    cl: float = ...,
    dof: int = ...,
    method: str = ...,
    toys: int | None = ...,
    seed: int | None = ...,
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
    asimov: bool = ...,
    independent: bool = ...,
    cl: float = ...,
    dof: int = ...,
    method: str = ...,
    toys: int | None = ...,
    seed: int | None = ...,
    with_status: Literal[True],
    **at: ArrayLike | None,
) -> tuple[Array, Status]: ...
def limit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    asimov: bool = False,
    independent: bool = False,
    cl: float = CL,
    dof: int = DOF,
    method: str = ASYMPTOTIC,
    toys: int | None = None,
    seed: int | None = None,
    with_status: bool = False,
    **at: ArrayLike | None,
) -> Array | tuple[Array, Status]:
    """Limit on the strength of a model: the end of the allowed interval that holds the Standard Model.

    It is a lower limit on the mass of a heavy Z', and an upper limit on a coupling or a magnetic moment; what can have
    either sign, as the epsilon of a non-standard interaction, has a limit on each side.  Delta chi2 is taken above the
    infimum over all strengths.  The model's other parameters, sigma_sys and luminosity broadcast.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several are combined.
    model, sigma_sys
        As in `chi2`.
    luminosity : array_like
        Factor on the exposure.  Other than 1 it scales measured data, their deficit or excess too, which is no limit of
        a longer run: that is expected with `asimov`.  Counted data of a Poisson likelihood can't be scaled.
    asimov : bool
        Whether the limit is the expected one, with the Standard Model's prediction in place of measured data.
    independent : bool
        Whether experiments that are combined share no nuisance, see `chi2`.
    cl : float
        Confidence level, a probability.
    dof : int
        Degrees of freedom of the quantile: 1 for a limit on the strength alone.
    method : {"asymptotic", "toys"}
        Where the threshold of Delta chi2 comes from: the quantile of the chi2 distribution, or at each strength that of
        toys, as Feldman and Cousins construct intervals, see `fastscan.limits.feldman_cousins`.
    toys, seed : int, optional
        How many toys at each strength, and what their random numbers begin with; left out, 10000 and 0.
    with_status : bool
        Also return why there is a limit or none.
    **at : array_like
        The model's other parameters: ``beta`` in rad, of ``e6``; the mass of a light mediator in GeV, ``m_zprime`` or
        ``m_phi``; ``eps_d`` of a plane of non-standard interactions.

    Returns
    -------
    limit : array
        In the unit of the strength's axis, GeV for a heavy Z'; nan where there is none.  Limits on both sides are a
        last axis of two, (low, high), -inf or inf where that side is open.  Above sqrt(4 pi) a limit on g says nothing
        but that on M/g, the mass of the mediator over it.
    status : array of str
        ``ok``; ``no_sensitivity``, no strength can be excluded, or no mass of 1 GeV or more; ``sm_disfavoured``, the
        data exclude the Standard Model and with it all small strengths, see `intervals`.

    Raises
    ------
    FastscanError
        As `chi2`, for a cl outside (0, 1) or a dof below 1, and where strength 0 is not the Standard Model, as at an
        ``eps_d`` other than 0.

    Warns
    -----
    FastscanWarning
        Of a sigma_sys above 1, and of crossings where the contact form of the interaction has ended, see `chi2`.

    References
    ----------
    Table 3 of arXiv:2002.01482; with toys, Feldman and Cousins, arXiv:physics/9711021.

    Examples
    --------
    >>> limit("coherent-csi", "chi").round(1)
    np.float64(195.3)
    >>> limit("coherent-csi", "psi", with_status=True)
    (np.float64(nan), np.str_('no_sensitivity'))
    >>> limit("coherent-lar", "nsi-etau-u", sigma_sys=0.1).round(4)
    array([-0.1478,  0.1478])

    A thousand times the exposure, with the data of 2017 scaled, and with the Standard Model's prediction:

    >>> longer = {"sigma_sys": 0.01, "luminosity": 1000}
    >>> [limit("coherent-csi", "chi", **longer, asimov=each).round(1) for each in (False, True)]
    [np.float64(4140.5), np.float64(956.8)]

    A thousand toys at each strength leave an error of 2 %:

    >>> limit("conus", "b-l", m_zprime=0.01, method="toys", toys=1000).round(6)
    np.float64(1.2e-05)
    """
    asked = toys_of(method, toys, seed)
    rows = prepare(experiments, model, at, asimov, independent)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    delta, strength = threshold(cl, dof), rows.interaction.strength
    require_standard_model(rows.interaction, rows.likelihood.departs)
    if asked is None:
        found = _crossings(columns, delta, strength)
    else:
        found, _ = limits_in(rows.likelihood, columns, strength, cl, dof, asked)
    warn(*doubts_about(rows, found.x, settings))
    bounds, status = bounds_of(found, strength)
    limits: Array = bounds.reshape((*shape, *bounds.shape[1:]))[()]
    return (limits, status.reshape(shape)[()]) if with_status else limits


def intervals(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: float = 1.0,
    asimov: bool = False,
    independent: bool = False,
    cl: float = CL,
    dof: int = DOF,
    method: str = ASYMPTOTIC,
    toys: int | None = None,
    seed: int | None = None,
    m_min: float | None = None,
    m_max: float | None = None,
    **at: float | None,
) -> list[Interval]:
    """Every allowed interval of a model's strength; scalar arguments only.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, asimov, independent, cl, dof, method, toys, seed, at
        As in `limit`.
    m_min, m_max : float, optional
        Range of the mass of a heavy Z' in GeV; left out, from 1, where the contact interaction ends, to 20000.

    Returns
    -------
    list of (low, high)
        In the unit of the strength's axis, ascending.  An open end is ``-inf`` or ``inf``; below a mass it is m_min.

    Raises
    ------
    FastscanError
        As `chi2`, for a cl outside (0, 1) or a dof below 1, for arguments that aren't scalars, and for a range that is
        empty or of no mass.

    References
    ----------
    The crossings of Fig. 1 of arXiv:2002.01482; its Table 3 has the largest of each, which is `limit`.

    Examples
    --------
    Where the Z' interferes destructively, light masses can be allowed again:

    >>> from math import radians
    >>> [(round(low, 2), round(high, 2)) for low, high in intervals("coherent-csi", "e6", beta=radians(100))]
    [(14.46, 16.83), (36.13, inf)]
    >>> [(round(low, 2), round(high, 2)) for low, high in intervals("coherent-csi", "nsi-mumu-u")]
    [(-0.07, 0.13), (0.27, 0.47)]
    """
    asked, rows = toys_of(method, toys, seed), prepare(experiments, model, at, asimov, independent)
    strength = rows.interaction.strength
    lowest, highest = _range(strength, m_min, m_max)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    if shape:
        *others, last = (axis.name for axis in (*rows.interaction.rows, *SETTINGS))
        raise InputError(f"{', '.join(others)} and {last} must be scalars here; call it once per point")
    crossings, limits = limits_in(rows.likelihood, columns, strength, cl, dof, asked)
    warn(*doubts_about(rows, crossings.x, settings))
    (found,) = limits.intervals
    clipped = ((max(low, lowest), high if high == np.inf else min(high, highest)) for low, high in found)
    return [(low, high) for low, high in clipped if low < min(high, highest)]


def _range(strength: Strength, m_min: float | None, m_max: float | None) -> Interval:
    """The ends of the masses that `intervals` searches; of other strengths there is no end."""
    if strength.axis is not M_ZPRIME:
        if m_min is not None or m_max is not None:
            raise InputError(f"m_min and m_max are a range of {M_ZPRIME.name}, not of {strength.axis.name}")
        return -np.inf, np.inf
    given = {"m_min": CONTACT_GEV if m_min is None else m_min, "m_max": HEAVIEST_GEV if m_max is None else m_max}
    lowest, highest = (arguments.scalar(*each, 0, np.inf, unit=M_ZPRIME.unit) for each in given.items())
    if not CONTACT_GEV <= lowest < highest:
        raise InputError(f"m_min and m_max must be ordered and at least {CONTACT_GEV:g} GeV")
    return lowest, highest


def delta_chi2(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    asimov: bool = False,
    independent: bool = False,
    **at: ArrayLike | None,
) -> Array:
    """Delta chi2: chi2 above its infimum over all strengths of the model, with everything else the same.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, asimov, independent, at
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
    rows, x = prepare_points(experiments, model, at, asimov, independent)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    warn(*doubts_about(rows, x, settings))
    value = rows.likelihood.chi2(x, rows.index, settings)
    strength = rows.interaction.strength
    return value - infimum(columns, strength.largest_x, strength.signed).reshape(shape)
