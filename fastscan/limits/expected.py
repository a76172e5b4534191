"""Expected limits with their bands: what limits are when the data are the Standard Model's and fluctuate.

The median is the limit of the Asimov set, whose data are the Standard Model's prediction m(0).  The edges of the bands
are limits of sets that lie N = -2, -1, 1 or 2 standard deviations from it towards the theory m(x) at the median limit.
With Delta = m(x) - m(0), the variance V of the data, and the changes T of the prediction with each nuisance,

    |Delta|^2 = Delta^T (V + T T^T)^-1 Delta,      q = (1 + T^T V^-1 T)^-1 T^T V^-1 Delta,

the most probable of all sets whose best estimate of the strength lies N of its errors from 0 have the data
m(0) + N (Delta - T q) / |Delta|, and the centres -N q / |Delta| of the nuisances' constraints.  That is section 4.3 of
arXiv:1007.1727 (Cowan, Cranmer, Gross and Vitells) with sets of data in place of formulas, so that it holds beyond
estimates that are Gaussian:

- chi2 of a set is the full one.  Where a strength has no negative values and N < 0, the best one is 0, and Delta chi2
  is above chi2(0): nothing has to be said of that boundary.
- N counts towards the theory.  Where it predicts fewer events, because it interferes destructively, sets with N > 0
  have fewer events.  So a limit gets weaker with N, whatever the sign of the interference.
- At |N| > 1.64 and 90 % CL a set can exclude the Standard Model, as one out of ten does.  The edge is then the end of
  the allowed interval nearest to it.  A strength that has no negative values has none on the side of N < 0, and the
  edge is the Standard Model: 0, or an infinite mass.
- Where an island merges with the allowed interval, a limit jumps to the far end of the island, and doesn't rise with N
  everywhere.  A band is therefore from the smallest to the largest limit of the sets within it.

A model of fitted parameters is treated alike: each parameter is a nuisance, T is the derivative of the prediction in it
where the parameters begin, on average over both sides of a kink, and a free parameter has no 1 in 1 + T^T V^-1 T and no
centre.  That is the linear model around the Standard Model's best fit; the fits of the sets have the whole one.

Along a straight line, with one bin and an error of the normalisation that is small, all of it is exact.  Otherwise it
is an approximation of what toys give, whose fluctuations across the line change the limit too.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from fastscan.experiments.catalogue import Experiments
from fastscan.interactions.interaction import Strength
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.likelihood import AnyCounts
from fastscan.likelihoods.modelled import ModelledBlock
from fastscan.likelihoods.poisson import PoissonColumns
from fastscan.likelihoods.predictions import signal_in_energy
from fastscan.likelihoods.response import response
from fastscan.likelihoods.settings import Settings, SigmaSys
from fastscan.limits.compared import FREE, Compared, compared, sums_of
from fastscan.limits.confidence import CL, DOF, SM_DISFAVOURED
from fastscan.limits.crossings import find_crossings
from fastscan.limits.drawn import Drawn, DrawnBlock, DrawnModelledBlock, Truth, in_block, parts
from fastscan.limits.limits import Interval, bounds_of, limits_of, require_standard_model, threshold
from fastscan.limits.points import AnyModel, Rows, prepare
from fastscan.typing import Array, IntArray

QUANTILES = [NormalDist().cdf(each) for each in (-2, -1, 0, 1, 2)]
SHIFTS = np.array([-2.0, -1.0, 1.0, 2.0])  # standard deviations from the Asimov set to the edges of the bands


def expected(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    independent: bool = False,
    cl: float = CL,
    dof: int = DOF,
    **at: ArrayLike | None,
) -> Array:
    """The expected limit on the strength of a model, with its bands of 1 and 2 standard deviations.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, independent, cl, dof, at
        As in `fastscan.limit`; everything after the model broadcasts.

    Returns
    -------
    array
        In the unit of the strength's axis.  The last axis has the lower edges of the bands of 2 and 1 standard
        deviations, the median, and the upper edges of 1 and 2, ascending; before it, limits on both sides have an axis
        of two, (low, high).  All are nan, or -inf or inf on an open side, where the median is.  Edges without a limit
        are the weakest that there can be: inf, -inf, or 0 of a mass.

    Raises
    ------
    FastscanError
        As `fastscan.limit`.

    References
    ----------
    arXiv:1007.1727, section 4.3; `fastscan.limits.expected` says where this departs from it.

    Examples
    --------
    The limit from the count of 2017, which was below the expected one, is 195.3 GeV, within one standard deviation:

    >>> expected("coherent-csi", "chi").round(1)
    array([ 57.2, 107.8, 165.3, 241.3, 312.7])
    """
    rows = prepare(experiments, model, at, asimov=True, independent=independent)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    delta = threshold(cl, dof)
    require_standard_model(rows.interaction, rows.likelihood.departs)
    found, shape = bands(rows, settings, delta)
    result: Array = found.reshape((*shape, *found.shape[1:]))
    return result


def bands(rows: Rows, settings: Settings, delta: float) -> tuple[Array, tuple[int, ...]]:
    """As `expected`, of rows with the Standard Model's prediction for data, at resolved settings.

    Returns
    -------
    array, shape (columns, 5) or (columns, 2, 5)
    tuple of int
        The common shape of rows and settings, which the columns are in.
    """
    columns, shape = rows.likelihood.columns(rows.index, settings)
    strength = rows.interaction.strength
    median, _ = bounds_of(find_crossings(columns, delta, strength.largest_x, strength.signed), strength)
    by_side = median.reshape(len(median), math.prod(median.shape[1:]))
    found = np.repeat(by_side[:, :, None], 1 + len(SHIFTS), axis=2)
    gaussian, _ = parts(columns)
    _, setting = np.unique(np.concatenate([gaussian.noise, gaussian.variance]), axis=1, return_inverse=True)
    for side in range(by_side.shape[1]):
        is_low = strength.bound == "lower" or (strength.signed and side == 0)
        limited = np.isfinite(by_side[:, side])
        for each in np.unique(setting[limited]):
            chosen = np.flatnonzero(limited & (setting == each))
            x = strength.to_x(by_side[chosen, side])
            ends = _ends(rows, columns.some(chosen), x, delta, is_low)
            found[chosen, side] = _band(by_side[chosen, side], ends)
    return found.reshape(*median.shape, 1 + len(SHIFTS)), shape


def toy_bands(rows: Rows, settings: Settings, delta: float, toys: int, seed: int) -> tuple[Array, tuple[int, ...]]:
    """As `bands`, from toys: the quantiles of their limits, the median among them.

    The limit of a toy that excludes the Standard Model is the end of the allowed interval nearest to it.

    Parameters
    ----------
    rows, settings, delta
        As in `bands`.
    toys, seed : int
        How many toys of the Standard Model each column has, with all nuisances at 0 and fluctuating centres, and what
        their random numbers begin with.
    """
    columns, shape = rows.likelihood.columns(rows.index, settings)
    strength, found = rows.interaction.strength, []
    for number in range(columns.row.size):
        truth = Truth.unmoved(rows.likelihood, columns.some(np.array([number])), 0.0)
        those = truth.columns_of(truth.streams(seed).draw(toys))
        limits = limits_of(find_crossings(those, delta, strength.largest_x, strength.signed), strength)
        lows = (True, False) if strength.signed else (strength.bound == "lower",)
        ends = np.array([[_end(each, strength, low, toward=False) for low in lows] for each in limits.intervals])
        found.append(np.quantile(ends, QUANTILES, axis=0, method="lower").T)
    bands_of_columns = np.stack(found)
    return (bands_of_columns if strength.signed else bands_of_columns[:, 0]), shape


def _band(median: Array, ends: Array) -> Array:
    """The edges and the median, ascending, from the median (columns,) and the limits of all sets (columns, shifts)."""
    outer, inner = (np.column_stack([median, each]) for each in (ends, ends[:, np.abs(SHIFTS) == 1]))
    return np.stack([outer.min(axis=1), inner.min(axis=1), median, inner.max(axis=1), outer.max(axis=1)], axis=1)


def _ends(rows: Rows, columns: Columns, x: Array, delta: float, is_low: bool) -> Array:
    """The limits of `SHIFTS` on columns at one setting with the median limits x, shape (columns, shifts).

    Each is the low end of an interval, or the high one.
    """
    strength = rows.interaction.strength
    members = compared(rows, columns.some(np.arange(1)), 0.0)
    templates = [_templates(each, rows, columns.row) for each in members]
    change = [x[:, None] * linear + (x * x)[:, None] * square for _, linear, square in templates]
    gaussian, _ = parts(columns)
    sets = _sets(members, gaussian.noise[:, 0], change)
    limits = limits_of(
        find_crossings(_beside(rows, columns, members, templates, sets), delta, strength.largest_x, strength.signed),
        strength,
    )
    sides = np.tile(SHIFTS, len(x))
    pairs = zip(limits.intervals, sides, strict=True)
    ends = np.array([_end(each, strength, is_low, toward > 0) for each, toward in pairs])
    if not strength.signed:
        excluded = (limits.status == SM_DISFAVOURED) & (sides < 0)
        ends = np.where(excluded, strength.from_x(np.zeros(1)), ends)
    return ends.reshape(len(x), len(SHIFTS))


def _end(intervals: Sequence[Interval], strength: Strength, is_low: bool, toward: bool) -> float:
    """The end of the allowed interval that holds x = 0, or is nearest to it, on the side of the theory or on either."""
    if not strength.signed:
        low, high = (intervals[-1] if is_low else intervals[0]) if intervals else strength.ends[::-1]
        return (low if low > min(strength.ends) else 0.0) if is_low else high
    there = [each for each in intervals if not toward or (each[0] < 0 if is_low else each[1] > 0)]
    nearest = min(there, key=lambda ends: max(ends[0], -ends[1], 0.0), default=(-np.inf, np.inf))
    return nearest[0] if is_low else nearest[1]


def _templates(member: Compared, rows: Rows, row: IntArray) -> Array:
    """Events of a member in each bin as a polynomial in x, in some rows: (3, columns, bins)."""
    counts = signal_in_energy(member.experiment, rows.interaction, rows.values)[:, row]  # (neutrinos, columns, 3, bins)
    arriving = response(member.experiment).arriving[0]
    found: Array = np.einsum("ncpe,neo->pceo", counts, arriving).reshape(3, len(row), -1)
    return found


def _sets(members: Sequence[Compared], noise: Array, change: Sequence[Array]) -> Drawn:
    """The sets that lie each of `SHIFTS` standard deviations along changes (columns, bins) of all members.

    Those of a column follow each other.
    """
    nuisances, every = members[0].nuisances, []
    hessian, left, square = np.eye(nuisances), np.zeros((len(change[0]), nuisances)), np.zeros(len(change[0]))
    for member in members:
        free = member.own.start + np.flatnonzero(np.isfinite(member.starts))
        hessian[free, free] = FREE
    for member, one, own in zip(members, noise, change, strict=True):
        # chi2 of counted events is multiplied by the luminosity; what is compared with a variance has it there
        weights = member.weights(np.zeros(nuisances)) / (one if member.variance is None else 1.0)
        changes = member.changes_at(np.zeros(nuisances))
        hessian += (changes * weights) @ changes.T
        left += (own * weights) @ changes.T
        square += (own * own * weights).sum(axis=1)
        every.append((weights, changes))
    fitted = np.linalg.solve(hessian, left.T).T
    shifts = SHIFTS / np.sqrt(square - (left * fitted).sum(axis=1))[:, None]  # (columns, shifts)
    data = []
    for member, (weights, changes), own in zip(members, every, change, strict=True):
        moved = np.where(weights > 0, own - fitted @ changes, 0.0)
        each = (member.expected + shifts[:, :, None] * moved[:, None]).reshape(-1, moved.shape[1])
        data.append(np.maximum(each, 0.0) if member.variance is None else each)
    return Drawn(data, (-shifts[:, :, None] * fitted[:, None]).reshape(-1, nuisances))


def _beside(
    rows: Rows, columns: Columns, members: Sequence[Compared], templates: Sequence[Array], sets: Drawn
) -> Columns:
    """A column, which is a row too, for each set; there are `SHIFTS` for each of the columns.

    What the centres of a member with a variance change is said in `fastscan.limits.toys`.
    """
    gaussian, blocks = parts(columns)
    column = np.repeat(np.arange(columns.row.size), len(SHIFTS))
    row, number = columns.row[column], len(sets.centres)
    sums, norm = np.zeros((len(members), number, *gaussian.sums.shape[2:])), np.zeros((len(members), number))
    noise, scale = np.ones((2, len(members), number))  # the variance of those that have one is whole
    for place, member in enumerate(members):
        if not member.is_fitted:
            scale[place] += member.own_error * sets.centres[:, member.first]
            sums[place], norm[place] = sums_of(member, templates[place][:, column], sets.data[place], scale[place])
    found = []
    for numbers, block in zip(rows.likelihood.blocks, blocks, strict=True):
        counted, others = numbers[: len(block.counts)], numbers[len(block.counts) :]
        noise[counted] = block.noise[: len(counted), column]
        data = [(each, sets.data[member]) for member, each in zip(counted, block.counts, strict=True)]
        kind = DrawnModelledBlock if isinstance(block, ModelledBlock) else DrawnBlock
        found.append(
            kind(
                counts=tuple(_in_rows(each, row) for each in block.counts),
                change=block.change[:, row],
                sums=sums[others],
                norm=norm[others],
                noise=noise[numbers],
                variance=block.variance[:, column] / scale[numbers] ** 2,
                common=block.common[:, :, column] / scale[numbers][:, None],
                drawn=np.concatenate([np.empty((number, 0)), *(each.merged(own) for each, own in data)], axis=1),
                drawn_lost=sum((each.lost(own) for each, own in data), np.zeros(number)),
                centres=sets.centres[:, in_block(rows.likelihood, numbers)],
            )
        )
        sums[others] = 0.0
    variance = gaussian.variance[:, column] / scale**2
    alone = GaussianColumns(sums, gaussian.scale[row], np.arange(number), noise, variance)
    return PoissonColumns(alone, tuple(found)) if found else alone


def _in_rows(counts: AnyCounts, row: IntArray) -> AnyCounts:
    """Counted events in some rows; where rows have no rates of their own, those are all rows'."""
    return counts if len(counts.rates) == 1 else counts.with_rates(counts.rates[row])
