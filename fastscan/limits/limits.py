"""Limits and allowed intervals of columns of chi2, in the unit of the strength's axis.

Along one column Delta chi2 is chi2 minus its infimum over all strengths.  A limit is where Delta chi2 crosses a
threshold: a quantile of the chi2 distribution, or of toys.
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastscan.errors import InputError, LimitError, quoted, unknown
from fastscan.inputs import arguments
from fastscan.interactions.interaction import Interaction, Strength
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.settings import Settings
from fastscan.limits.confidence import ASYMPTOTIC, BY_TOYS, CL, DOF, METHODS, NO_SENSITIVITY, OK, SM_DISFAVOURED, Toys
from fastscan.limits.crossings import Crossings, find_crossings
from fastscan.limits.drawn import Truth
from fastscan.limits.feldman_cousins import AT_ONCE, ToyCrossings, throw_crossings
from fastscan.limits.points import Rows
from fastscan.typing import Array, BoolArray

MOST_TOYS, LARGEST_SEED = 10_000_000, 2**53
SHIFT = 1e-3  # step in Monte-Carlo errors of x, over which the quoted quantity is taken as linear in x
SAME = 1e-9  # largest relative difference between a bound and the crossing that it comes from
SMALLEST_DELTA = 1e-9  # smallest threshold of Delta chi2 whose crossings rounding doesn't hide
Status = NDArray[np.str_]
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Limits:
    """The limits of some columns.

    Attributes
    ----------
    bounds : array, shape (columns,) or (columns, 2)
        The bound of each column in the unit of the strength's axis, or its lower and upper bound where the strength
        has either sign.  nan means no bound; one open side of two is -inf or inf.
    status : array of str, shape (columns,)
        Why each column has a bound or none, see `fastscan.limits.strengths.limit`.
    intervals : list of list of (low, high)
        Every allowed interval of each column, ascending; an open end is -inf or inf.
    errors, asymptotic : Limits, optional
        Present where toys give the threshold: the Monte-Carlo errors of the bounds and of the intervals' ends, nan
        for open ones; and the limits with the asymptotic threshold.
    """

    bounds: Array
    status: Status
    intervals: list[list[Interval]]
    errors: "Limits | None" = None
    asymptotic: "Limits | None" = None


def limits_of(found: Crossings, strength: Strength) -> Limits:
    """The bounds, their status and the allowed intervals of columns, from their crossings.

    Parameters
    ----------
    found : Crossings
        The crossings of the columns.
    strength : Strength
        The strength that the columns run along; its axis gives the unit of the bounds.
    """
    return Limits(*bounds_of(found, strength), _intervals(found, strength))


def bounds_of(found: Crossings, strength: Strength) -> tuple[Array, Status]:
    """The bounds and the status of `limits_of`, without the intervals."""
    status = _status(found)
    if not strength.signed:
        return strength.from_x(_nearest_above(found, np.nan)), status
    sides = np.stack([_nearest_below(found), _nearest_above(found, np.inf)], axis=-1)
    sides[status == SM_DISFAVOURED] = np.nan
    return strength.from_x(sides), status


def limits_in(
    likelihood: Likelihood, columns: Columns, strength: Strength, cl: float, dof: int, toys: Toys | None
) -> tuple[Crossings, Limits]:
    """The crossings of columns, and the limits that follow; see `fastscan.limits.strengths.limit`.

    Parameters
    ----------
    likelihood : Likelihood
    columns : Columns
        Columns of the likelihood.
    strength : Strength
    cl, dof
        As in `fastscan.limits.strengths.limit`.
    toys : Toys or None
        The toys that give the threshold; None for the quantile of the chi2 distribution.
    """
    delta = threshold(cl, dof)
    asymptotic = crossings_to(columns, delta, strength)
    if toys is None:
        return asymptotic, limits_of(asymptotic, strength)
    if dof != DOF:
        raise InputError(f"with toys dof must be {DOF}: toys give the quantile of Delta chi2, not a chi2 distribution")
    found = throw_crossings(likelihood, columns, strength, cl, delta, checked(toys))
    return found.crossings, toy_limits_of(found, asymptotic, strength)


def toy_limits_of(found: ToyCrossings, asymptotic: Crossings, strength: Strength) -> Limits:
    """The limits of `limits_of`, with their Monte-Carlo errors and the asymptotic limits."""
    limits, without = limits_of(found.crossings, strength), limits_of(asymptotic, strength)
    return replace(limits, errors=_errors(found, limits, strength), asymptotic=without)


def _errors(found: ToyCrossings, limits: Limits, strength: Strength) -> Limits:
    """The Monte-Carlo error of each bound and each end of an interval; nan for an end that is not a crossing."""
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
    """The toys that the arguments `method`, `toys` and `seed` request; None for the asymptotic method.

    Raises
    ------
    InputError
        For an unknown method, and for toys or a seed without the method "toys".
    """
    if str(method) not in METHODS:  # an array compares with each of them
        raise unknown("method", str(method), METHODS)
    given = {"number": toys, "seed": seed}
    asked = {name: value for name, value in given.items() if value is not None}
    if method == ASYMPTOTIC and asked:
        raise InputError(f"toys and seed need method {BY_TOYS!r}, not {ASYMPTOTIC!r}")
    return None if method == ASYMPTOTIC else checked(Toys(**asked))


def checked(toys: Toys) -> Toys:
    """Toys whose number and seed are within their bounds; anything else is an `InputError`."""
    number = arguments.scalar("toys", toys.number, 1, MOST_TOYS, whole=True)
    return Toys(int(number), int(arguments.scalar("seed", toys.seed, 0, LARGEST_SEED, whole=True)))


def _nearest_above(found: Crossings, without: float) -> Array:
    """The crossing of each column at the smallest x > 0; `without` where there is none, or where x = 0 is excluded."""
    above = found.x > 0
    nearest = np.full(found.sm_allowed.size, without)
    nearest[found.column[above]] = found.x[above]  # x descends in each column, so the smallest x is assigned last
    nearest[~found.sm_allowed] = without
    return nearest


def _nearest_below(found: Crossings) -> Array:
    """The crossing of each column at the largest x < 0; -inf where there is none, or where x = 0 is excluded."""
    mirrored = Crossings(found.column[::-1], -found.x[::-1], found.sm_allowed, found.flat)
    return -_nearest_above(mirrored, np.inf)


def _status(found: Crossings) -> Status:
    """Why each column has a bound or none."""
    crossed = np.zeros(found.sm_allowed.size, bool)
    crossed[found.column] = True
    insensitive = ~crossed & (found.sm_allowed | found.flat)
    return np.where(insensitive, NO_SENSITIVITY, np.where(found.sm_allowed, OK, SM_DISFAVOURED))


def _intervals(found: Crossings, strength: Strength) -> list[list[Interval]]:
    """The allowed intervals of each column: pairs of crossings, or of a crossing and an end of the strength's range."""
    smallest, largest = strength.ends
    starts = np.searchsorted(found.column, np.arange(found.sm_allowed.size + 1)).tolist()
    crossed = strength.from_x(found.x).tolist()
    below = np.bincount(found.column[found.x < 0], minlength=found.sm_allowed.size)
    allowed = found.sm_allowed ^ (below % 2 == 1)  # at the smallest x: each crossing from there to 0 changes the answer
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
    """Refuse limits where x = 0 is not the Standard Model in some row: a limit is a distance from the Standard Model.

    Parameters
    ----------
    interaction : Interaction
    departs : array of bool, shape (rows,)
        Whether each row departs from the Standard Model at x = 0, see
        `fastscan.likelihoods.likelihood.Likelihood.departs`.

    Raises
    ------
    LimitError
        Where some row departs.
    """
    if departs.any():
        rows = " and ".join(axis.name for axis in interaction.rows)
        name = f"{interaction.strength.axis.name} = 0"
        told = f"model {quoted(interaction.name)} has intervals and contours, but no limit, where {name} is not the SM"
        raise LimitError(f"{told}: at {rows} other than 0")


def threshold(cl: float, dof: int) -> float:
    """The threshold of Delta chi2 at a confidence level: a quantile of the chi2 distribution.

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
    """The quantile of the chi2 distribution with the probability `above` above it; in closed form for 1 and 2 dof."""
    if dof == 1:
        return NormalDist().inv_cdf(above / 2) ** 2
    if dof == 2:
        return -2 * math.log(above)
    from scipy.special import chdtri  # imported here, because it takes longer than a limit

    return float(chdtri(dof, above))


def toy_limits(
    rows: Rows, settings: Settings, toys: int, seed: int, *, cl: float = CL, dof: int = DOF
) -> tuple[Array, Status]:
    """The asymptotic limits of toys that are drawn at the Standard Model, with all nuisances at 0.

    The counts of a toy fluctuate, and so do the centres of the nuisances' constraints.  All columns use the same
    random numbers.  Where several bins of an experiment have Gaussian errors, the toys of different columns only
    follow the same distribution.

    Parameters
    ----------
    rows : Rows
        The rows that `fastscan.limits.points.prepare` returns.
    settings : Settings
        The settings of their likelihood, which broadcast with the rows.
    toys, seed : int
        Number of toys, and the seed of their random numbers.
    cl, dof
        As in `fastscan.limits.strengths.limit`.

    Returns
    -------
    bounds : array, shape (columns, toys) or (columns, toys, 2)
        As `Limits.bounds`, in the unit of the strength's axis; nan where a toy has no limit.
    status : array of str, shape (columns, toys)
        As `Limits.status`.

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
            parts.append(bounds_of(crossings_to(those, delta, strength), strength))
        found.append(tuple(map(np.concatenate, zip(*parts, strict=True))))
    bounds, status = zip(*found, strict=True)
    return np.stack(bounds), np.stack(status)


def crossings_to(columns: Columns, delta: float, strength: Strength) -> Crossings:
    """The crossings of columns: where their Delta chi2 passes the threshold `delta`."""
    return find_crossings(columns, delta, strength.largest_x, strength.signed)
