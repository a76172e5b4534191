"""Expected limits and their bands: the limits from data that fluctuate around the Standard Model's prediction.

The median is the limit of the Asimov set, whose data are the Standard Model's prediction m(0).  The edges of the bands
are the limits of sets of data that lie N = -2, -1, 1 or 2 standard deviations from m(0), towards the prediction m(x) of
the theory at the median limit.  Let Delta = m(x) - m(0), V the variance of the data, and T the changes of the
prediction at one standard deviation of each nuisance.  With

    |Delta|^2 = Delta^T (V + T T^T)^-1 Delta,      q = (1 + T^T V^-1 T)^-1 T^T V^-1 Delta,

consider all sets whose best estimate of the strength lies N of its errors from 0.  The most probable one of them has
the data m(0) + N (Delta - T q) / |Delta|, and the nuisances' constraints have their centres at -N q / |Delta|.  This is
section 4.3 of arXiv:1007.1727 (Cowan, Cranmer, Gross and Vitells), with sets of data in place of formulas, so that the
estimate of the strength need not be Gaussian:

- The limit of a set comes from its full chi2.  Where a strength has no negative values and N < 0, the best strength is
  0 and Delta chi2 is chi2 - chi2(0), so the boundary at 0 needs no special treatment.
- N counts towards the theory.  Where the theory predicts fewer events, because it interferes destructively, sets with
  N > 0 have fewer events.  So a limit gets weaker with N, whatever the sign of the interference.
- At 90 % CL one set out of ten excludes the Standard Model, and a set with |N| > 1.64 can.  The edge is then the end of
  the allowed interval that is nearest to the Standard Model.  A strength without negative values has no allowed
  interval on the side of N < 0; there the edge is the Standard Model itself: 0, or an infinite mass.
- Where an island merges with the allowed interval, a limit jumps to the far end of the island, so that limits don't
  rise with N everywhere.  A band therefore extends from the smallest to the largest limit of the sets within it.

A model of fitted parameters is treated alike.  Each parameter is a nuisance, and T is the derivative of the prediction
at the parameters' starting values, averaged over both sides of a kink.  A free parameter has no constraint: neither a 1
in 1 + T^T V^-1 T nor a centre.  Only the choice of the sets uses this linear model; their fits use the full model.

The bands are exact for one bin with a small error of the normalisation.  With several bins they are an approximation of
toys, because fluctuations across the line from m(0) to m(x) change a limit too.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from fastscan.experiments.catalogue import Experiments
from fastscan.interactions.interaction import Strength
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.counted import Counted
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.poisson import PoissonColumns, PseudoData
from fastscan.likelihoods.predictions import signal_in_energy
from fastscan.likelihoods.response import response
from fastscan.likelihoods.settings import Settings, SigmaSys
from fastscan.limits.compared import FREE, Compared, compared, sums_of
from fastscan.limits.confidence import CL, DOF, SM_DISFAVOURED
from fastscan.limits.crossings import find_crossings
from fastscan.limits.drawn import Drawn, Truth, in_block, parts
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
        As in `fastscan.limit`; the model's parameters, sigma_sys and luminosity broadcast.

    Returns
    -------
    array, shape (..., 5) or (..., 2, 5)
        Limits in the unit of the strength's axis.  The last axis has five numbers, ascending: the lower edges of the
        bands of 2 and 1 standard deviations, the median, and the upper edges of the bands of 1 and 2.  A strength of
        either sign adds an axis of two before it, (low, high).  Where the median is nan, -inf or inf, so are the edges.
        An edge at which nothing is excluded is the weakest possible limit: inf, -inf, or 0 for a mass.

    Raises
    ------
    FastscanError
        As `fastscan.limit`.

    References
    ----------
    arXiv:1007.1727, section 4.3; the docstring of `fastscan.limits.expected` lists the differences.

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
    """The expected limits of rows whose data are the Standard Model's prediction, see `expected`.

    Parameters
    ----------
    rows : Rows
    settings : Settings
        Resolved settings, which broadcast with the rows.
    delta : float
        The threshold of Delta chi2.

    Returns
    -------
    array, shape (columns, 5) or (columns, 2, 5)
        As the last axes of `expected`.
    tuple of int
        The common shape of rows and settings; flattened, its elements are the columns.
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
    """The bands of `bands` from toys: the five numbers are quantiles of the limits of toys of the Standard Model.

    Toys are drawn with all nuisances at 0, and the centres of the nuisances' constraints fluctuate.  Where a toy
    excludes the Standard Model, its limit is the end of the allowed interval that is nearest to the Standard Model.

    Parameters
    ----------
    rows, settings, delta
        As in `bands`.
    toys, seed : int
        Number of toys of each column, and the seed of their random numbers.
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
    """The edges and the median, ascending: (columns, 5), from the median (columns,) and the sets' limits `ends`."""
    outer, inner = (np.column_stack([median, each]) for each in (ends, ends[:, np.abs(SHIFTS) == 1]))
    return np.stack([outer.min(axis=1), inner.min(axis=1), median, inner.max(axis=1), outer.max(axis=1)], axis=1)


def _ends(rows: Rows, columns: Columns, x: Array, delta: float, is_low: bool) -> Array:
    """The limits of the sets at each of `SHIFTS`, shape (columns, shifts), in the unit of the strength's axis.

    The columns share one setting, and x, shape (columns,), are their median limits.  A limit is the low end of an
    interval if `is_low`, else the high end.
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
    """The low or high end of the allowed interval that contains x = 0 or is nearest to it.

    If `toward`, only intervals on the side of the theory count: x < 0 for a low end, x > 0 for a high one.
    """
    if not strength.signed:
        low, high = (intervals[-1] if is_low else intervals[0]) if intervals else strength.ends[::-1]
        return (low if low > min(strength.ends) else 0.0) if is_low else high
    there = [each for each in intervals if not toward or (each[0] < 0 if is_low else each[1] > 0)]
    nearest = min(there, key=lambda ends: max(ends[0], -ends[1], 0.0), default=(-np.inf, np.inf))
    return nearest[0] if is_low else nearest[1]


def _templates(member: Compared, rows: Rows, row: IntArray) -> Array:
    """Events of a member in each bin as a polynomial in x, in the row of each column: (3, columns, bins)."""
    counts = signal_in_energy(member.experiment, rows.interaction, rows.values)[:, row]  # (neutrinos, columns, 3, bins)
    arriving = response(member.experiment).arriving[0]
    found: Array = np.einsum("ncpe,neo->pceo", counts, arriving).reshape(3, len(row), -1)
    return found


def _sets(members: Sequence[Compared], noise: Array, change: Sequence[Array]) -> Drawn:
    """The sets of data at each of `SHIFTS` along the changes of all members' predictions, (columns, bins) each.

    The sets of one column follow each other.
    """
    nuisances, every = members[0].nuisances, []
    hessian, left, square = np.eye(nuisances), np.zeros((len(change[0]), nuisances)), np.zeros(len(change[0]))
    for member in members:
        free = member.own.start + np.flatnonzero(np.isfinite(member.starts))
        hessian[free, free] = FREE
    for member, one, own in zip(members, noise, change, strict=True):
        # the noise divides chi2 of counted events; a variance contains it already
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
    """One column in a row of its own for each set of data; each of the given columns has one set for each of `SHIFTS`.

    `fastscan.limits.toys` explains how a centre changes the prediction of a member with a variance.
    """
    gaussian, blocks = parts(columns)
    column = np.repeat(np.arange(columns.row.size), len(SHIFTS))
    row, number = columns.row[column], len(sets.centres)
    sums, norm = np.zeros((len(members), number, *gaussian.sums.shape[2:])), np.zeros((len(members), number))
    noise, scale = np.ones((2, len(members), number))  # noise 1, because `Compared.variance` contains it
    for place, member in enumerate(members):
        if not member.is_fitted:
            scale[place] += member.own_error * sets.centres[:, member.first]
            sums[place], norm[place] = sums_of(member, templates[place][:, column], sets.data[place], scale[place])
    found = []
    for numbers, block in zip(rows.likelihood.blocks, blocks, strict=True):
        counted, others = numbers[: len(block.counts)], numbers[len(block.counts) :]
        noise[counted] = block.noise[: len(counted), column]
        own = [(each, sets.data[member]) for member, each in zip(counted, block.counts, strict=True)]
        data = np.concatenate([np.empty((number, 0)), *(each.merged(events) for each, events in own)], axis=1)
        lost = sum((each.lost(events) for each, events in own), np.zeros(number))
        found.append(
            replace(
                block,
                counts=tuple(_in_rows(each, row) for each in block.counts),
                change=block.change[:, row],
                sums=sums[others],
                norm=norm[others],
                noise=noise[numbers],
                variance=block.variance[:, column] / scale[numbers] ** 2,
                common=block.common[:, :, column] / scale[numbers][:, None],
                drawn=PseudoData(data, lost, sets.centres[:, in_block(rows.likelihood, numbers)]),
            )
        )
        sums[others] = 0.0
    variance = gaussian.variance[:, column] / scale**2
    alone = GaussianColumns(sums, gaussian.scale[row], np.arange(number), noise, variance)
    return PoissonColumns(alone, tuple(found)) if found else alone


def _in_rows(counts: Counted, row: IntArray) -> Counted:
    """Counted events in some rows; where rows have no rates of their own, those are all rows'."""
    return counts if len(counts.rates) == 1 else counts.with_rates(counts.rates[row])
