"""Crossings: where Delta chi2 passes a threshold along M_Z', the one function that every limit comes from.

Columns of chi2 along log M_Z' are computed from a likelihood on a ladder of masses, which finds every extremum;
between extrema chi2 is monotonic, so each crossing has a bracket, and is refined there.  The ladder follows the
size of the couplings' shift, not a grid: no answer depends on the grid that a store was scanned on.  It has
rungs of its own where a member's S_dd turns, because there extrema can lie closer together than any ladder.
Columns can also have the values that a cube stores; at their masses these count, not the likelihood's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from fastscan import kernels
from fastscan.constants import M_Z_GEV
from fastscan.errors import FastscanError
from fastscan.likelihood import Likelihood
from fastscan.typing import Array, IntArray

CONTACT_GEV = 1.0  # below this mass the contact form of the interaction ends, and with it every limit
HEAVIEST_GEV = 20000.0  # up to which allowed intervals are told
# Shifts of a coupling, gamma |kappa|: 64 rungs for a decade of mass where chi2 can turn, few below, where it is linear.
LADDER = np.concatenate([np.geomspace(1e6, 1e-9, 481), np.geomspace(1e-10, 1e-30, 21)])
BATCH = 2**19  # points of columns at a time, which bounds the memory whatever their number
ROUNDING = 1e-6  # of a stored value: this close to the threshold, the likelihood says on which side it is

OK, NO_SENSITIVITY, SM_DISFAVOURED, OUTSIDE_AXIS = "ok", "no_sensitivity", "sm_disfavoured", "outside_axis"
Status = NDArray[np.str_]
Interval = tuple[float, float]


def _nothing_stored() -> Array:
    return np.empty((1, 0))


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of chi2 along M_Z', each at a beta, and each member's weight and pull.

    Shapes: coefficients as of `Likelihood`; ladder (betas, rungs), log masses in ascending order; beta_index
    (columns,); weight and pull (members, columns); stored (columns, masses), the chi2 of a cube, and axis
    (1, masses), its log masses in ascending order, both empty where there is none.
    """

    coefficients: Array
    ladder: Array
    beta_index: IntArray
    weight: Array
    pull: Array
    axis: Array = field(default_factory=_nothing_stored)
    stored: Array = field(default_factory=_nothing_stored)

    @classmethod
    def of(cls, model: Likelihood, beta_index: IntArray, weight: Array, pull: Array) -> "Columns":
        coefficients = model.coefficients()
        return cls(coefficients, _ladder(model.kappa, coefficients), beta_index, weight, pull)

    def batches(self) -> Iterator[tuple[IntArray, "Columns"]]:
        """Some columns at a time, and their numbers."""
        size = max(1, BATCH // (self.ladder.shape[1] + self.axis.shape[1]))
        for start in range(0, self.beta_index.size, size):
            number = np.arange(start, min(start + size, self.beta_index.size))
            yield number, self.take(number)

    def take(self, chosen: IntArray) -> "Columns":
        return Columns(
            self.coefficients,
            self.ladder,
            self.beta_index[chosen],
            np.ascontiguousarray(self.weight[:, chosen]),
            np.ascontiguousarray(self.pull[:, chosen]),
            self.axis,
            self.stored[chosen] if self.axis.size else self.stored,
        )

    def chi2(self, log_mass: Array) -> Array:
        """chi2 at log M_Z' (GeV) of shape (columns, masses)."""
        gamma = np.exp(2 * (np.log(M_Z_GEV) - log_mass))
        result: Array = kernels.chi2_columns.of_size(log_mass.size)(
            self.coefficients, self.beta_index, gamma, self.weight, self.pull
        )
        return result

    def chi2_of_sm(self) -> Array:
        """chi2 of the Standard Model, infinitely heavy, in each column."""
        return self.chi2(np.full((self.beta_index.size, 1), np.inf))[:, 0]

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
    return np.moveaxis(found, 0, 1).reshape(len(scale), count) / scale


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

    def limits(self) -> tuple[Array, Status]:
        """Lower limit (GeV, nan: none) and status of each column: the largest crossing, where the SM is allowed."""
        largest = np.full(self.sm_allowed.size, np.nan)
        largest[self.column] = self.mass  # ascending: the last one stays
        insensitive = np.isnan(largest) & (self.sm_allowed | self.flat)
        status = np.where(insensitive, NO_SENSITIVITY, np.where(self.sm_allowed, OK, SM_DISFAVOURED))
        return np.where(status == OK, largest, np.nan), status

    def intervals(self, m_min: float = CONTACT_GEV, m_max: float = HEAVIEST_GEV) -> list[list[Interval]]:
        """Allowed intervals of every column between two masses in GeV; an open upper end is inf."""
        starts = np.searchsorted(self.column, np.arange(self.sm_allowed.size + 1)).tolist()
        mass = self.mass.tolist()
        result = []
        for start, stop, allowed, flat in zip(starts, starts[1:], self.sm_allowed, self.flat, strict=False):
            ends = mass[start:stop]
            if allowed or (flat and not ends):
                ends.append(np.inf)
            if len(ends) % 2:
                ends.insert(0, m_min)  # allowed down to where the contact form ends
            pairs = zip(ends[::2], ends[1::2], strict=True)
            clipped = ((max(low, m_min), high if high == np.inf else min(high, m_max)) for low, high in pairs)
            result.append([(low, high) for low, high in clipped if low < min(high, m_max)])
        return result


def find_crossings(columns: Columns, delta: float) -> Crossings:
    """Where Delta chi2 = chi2 - inf over all gamma >= 0 crosses a threshold, at 1 GeV or more."""
    return gathered(((number, _find(batch, delta)) for number, batch in columns.batches()), columns.beta_index.size)


def gathered(parts: Iterable[tuple[IntArray, Crossings]], columns: int) -> Crossings:
    """The crossings of parts of some columns, each with its columns' numbers, as one."""
    column, mass = [np.empty(0, np.intp)], [np.empty(0)]
    sm_allowed, flat = np.empty((2, columns), bool)
    for number, part in parts:
        column.append(number[part.column])
        mass.append(part.mass)
        sm_allowed[number], flat[number] = part.sm_allowed, part.flat
    order = np.argsort(np.concatenate(column), kind="stable")
    return Crossings(np.concatenate(column)[order], np.concatenate(mass)[order], sm_allowed, flat)


def infimum(columns: Columns) -> Array:
    """The infimum of chi2 over all gamma >= 0 of each column; where the SM fits exactly, it is its zero."""
    lowest = columns.chi2_of_sm()
    fitted = np.flatnonzero(lowest > 0)
    for number, batch in columns.take(fitted).batches():
        lowest[fitted[number]] = _ladder_and_extrema(batch).lowest
    return lowest


@dataclass(frozen=True, eq=False)
class _Shape:
    """chi2 of columns on their ladder, of the Standard Model, and at its extrema, each in a column at a log mass."""

    ladder: Array
    value: Array
    sm: Array
    column: IntArray
    at: Array
    extreme: Array

    @property
    def lowest(self) -> Array:
        lowest: Array = np.minimum(self.sm, self.value.min(axis=1))
        np.minimum.at(lowest, self.column, self.extreme)
        return lowest


def _ladder_and_extrema(columns: Columns) -> _Shape:
    ladder = columns.ladder[columns.beta_index]
    value = columns.chi2(ladder)
    sm = columns.chi2_of_sm()
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
    return _Shape(ladder, value, sm, column, at, columns.chi2_at(at, column.astype(float)))


def _find(columns: Columns, delta: float) -> Crossings:
    shape = _ladder_and_extrema(columns)
    lowest = shape.lowest

    def excess(log_mass: Array, column: Array) -> Array:
        return columns.chi2_at(log_mass, column) - lowest[column.astype(np.intp)] - delta

    position, value = _with_stored(columns, shape, lowest + delta)
    above = value - lowest[:, None] > delta
    column, low, high = _brackets(position, above, shape, shape.extreme - lowest[shape.column] > delta)
    root = elementwise.find_root(excess, (low, high), args=(column.astype(float),))
    if columns.axis.size and not root.success.all():
        mass = np.exp(low[~root.success][0])
        raise FastscanError(
            f"the stored chi2 near M_Z' = {mass:.4g} GeV contradicts the likelihood, see `fastscan verify`"
        )
    kept = root.x >= np.log(CONTACT_GEV)
    column, mass = column[kept], np.exp(root.x[kept])
    order = np.lexsort([mass, column])
    heavy = shape.ladder >= np.log(CONTACT_GEV)
    highest = np.where(heavy, shape.value, -np.inf).max(axis=1)
    deepest = np.where(heavy, shape.value, np.inf).min(axis=1)
    flat = np.maximum(highest, shape.sm) - np.minimum(deepest, shape.sm) <= delta
    return Crossings(column[order], mass[order], shape.sm - lowest <= delta, flat)


def _with_stored(columns: Columns, shape: _Shape, level: Array) -> tuple[Array, Array]:
    """Log masses and chi2 of the ladder and of what a cube stores together, ascending."""
    if not columns.axis.size:
        return shape.ladder, shape.value
    axis = np.broadcast_to(columns.axis, columns.stored.shape)
    stored = columns.stored.astype(float)
    column, mass = np.nonzero(np.abs(stored - level[:, None]) <= ROUNDING * stored)
    stored[column, mass] = columns.chi2_at(axis[column, mass], column.astype(float))
    position = np.concatenate([shape.ladder, axis], axis=1)
    order = np.argsort(position, axis=1, kind="stable")  # merges what is sorted already
    value = np.concatenate([shape.value, stored], axis=1)
    return np.take_along_axis(position, order, axis=1), np.take_along_axis(value, order, axis=1)


def _brackets(
    position: Array, above: NDArray[np.bool_], shape: _Shape, peak: NDArray[np.bool_]
) -> tuple[IntArray, Array, Array]:
    """Column, lower and upper log mass of each bracket of one crossing.

    Neighbours on different sides of the threshold are one; an extremum on the other side than both of its
    neighbours makes two.
    """
    column, node = np.nonzero(above[:, 1:] != above[:, :-1])
    right = (position[shape.column] < shape.at[:, None]).sum(axis=1)
    hidden = (above[shape.column, right - 1] != peak) & (above[shape.column, right] != peak)
    turning, right, at = shape.column[hidden], right[hidden], shape.at[hidden]
    return (
        np.concatenate([column, turning, turning]),
        np.concatenate([position[column, node], position[turning, right - 1], at]),
        np.concatenate([position[column, node + 1], at, position[turning, right]]),
    )
