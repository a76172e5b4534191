"""Crossings: where Delta chi2 passes a threshold along M_Z', the one function that every limit comes from.

Columns of chi2 are computed from a likelihood on a ladder of gamma = (M_Z / M_Z')^2, which finds every extremum;
between extrema chi2 is monotonic, so each crossing has a bracket, and is refined there.  The ladder follows the
size of the couplings' shift, not a grid: no answer depends on the grid that a store was scanned on.  It has
rungs of its own where a member's S_dd turns, because there extrema can lie closer together than any ladder.
Columns can also have the values that a cube stores; at their masses these count, not the likelihood's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastscan import kernels, models
from fastscan.errors import FastscanError
from fastscan.likelihood import Likelihood
from fastscan.typing import Array, IntArray

CONTACT_GEV = 1.0  # below this mass the contact form of the interaction ends, and with it every limit
HEAVIEST_GEV = 20000.0  # up to which allowed intervals are told
# Shifts of a coupling, gamma |kappa|: 64 rungs for a decade of mass where chi2 can turn, few below, where it is linear.
LADDER = np.concatenate([np.geomspace(1e6, 1e-9, 481), np.geomspace(1e-10, 1e-30, 21)])
MOST = 8  # crossings of a column for which there is room at first

OK, NO_SENSITIVITY, SM_DISFAVOURED, OUTSIDE_AXIS = "ok", "no_sensitivity", "sm_disfavoured", "outside_axis"
Status = NDArray[np.str_]
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of chi2 along M_Z', each at a beta, and each member's weight and pull.

    Shapes: coefficients as of `Likelihood`; ladder (betas, rungs), in gamma; beta_index (columns,); weight
    and pull (members, columns); stored (columns, masses), the chi2 of a cube, and axis (masses,), the gamma of its
    masses, both empty where there is none.
    """

    coefficients: Array
    ladder: Array
    beta_index: IntArray
    weight: Array
    pull: Array
    axis: Array = field(default_factory=lambda: np.empty(0))
    stored: Array = field(default_factory=lambda: np.empty((1, 0)))

    @classmethod
    def of(cls, model: Likelihood, beta_index: IntArray, weight: Array, pull: Array) -> "Columns":
        coefficients = model.coefficients()
        return cls(coefficients, _ladder(model.kappa, coefficients), beta_index, weight, pull)

    def with_stored(self, chosen: IntArray, axis: Array, stored: Array) -> "Columns":
        """Some of the columns, with what a cube stores of them at the gammas of its axis."""
        return replace(
            self,
            beta_index=self.beta_index[chosen],
            weight=self.weight[:, chosen],
            pull=self.pull[:, chosen],
            axis=axis,
            stored=stored,
        )

    def chi2(self, gamma: Array) -> Array:
        """chi2 of each column at gamma of shape (masses,), shape (columns, masses)."""
        result: Array = kernels.chi2_columns.of_size(self.beta_index.size * gamma.size)(
            self.coefficients,
            self.beta_index,
            np.broadcast_to(gamma, (self.beta_index.size, gamma.size)).copy(),
            self.weight,
            self.pull,
        )
        return result

    def crossings(self, delta: float, most: int) -> tuple[Any, ...]:
        """What `fastscan.kernels.crossings` finds, on the rungs of the ladder and the masses of the axis."""
        rungs = np.concatenate([self.ladder, np.broadcast_to(self.axis, (len(self.ladder), self.axis.size))], axis=1)
        order = np.argsort(rungs, axis=1, kind="stable")
        stored_at = np.where(order < self.ladder.shape[1], -1, order - self.ladder.shape[1])
        result: tuple[Any, ...] = kernels.crossings.of_size(self.beta_index.size * rungs.shape[1])(
            self.coefficients,
            np.take_along_axis(rungs, order, axis=1),
            self.beta_index,
            np.ascontiguousarray(self.weight),
            np.ascontiguousarray(self.pull),
            np.ascontiguousarray(self.stored, float),
            stored_at,
            float(delta),
            float(models.gamma(CONTACT_GEV)),
            most,
        )
        return result


def _ladder(kappa: Array, coefficients: Array) -> Array:
    """gamma at which each beta's columns are computed, shape (betas, rungs), in any order."""
    largest = np.abs(kappa).max(axis=(0, 2))
    scale = np.where(largest > 0, largest, 1.0)[:, None]
    return np.concatenate([LADDER / scale, _turning_points(coefficients, scale)], axis=1)


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
    """Where Delta chi2 = chi2 - inf over all gamma >= 0 crosses a threshold, at 1 GeV or more.

    Raises
    ------
    FastscanError
        Where stored values contradict the likelihood.
    """
    most = MOST
    lowest, of_sm, flat, count, gamma, bracket = columns.crossings(delta, most)
    if count.max(initial=0) > most:
        most = int(count.max())
        lowest, of_sm, flat, count, gamma, bracket = columns.crossings(delta, most)
    contradicted = np.isnan(gamma) & (np.arange(most) < count[:, None])
    if contradicted.any():
        mass = models.mass(bracket[contradicted][0, 0])
        raise FastscanError(
            f"the stored chi2 near M_Z' = {mass:.4g} GeV contradicts the likelihood, see `fastscan verify`"
        )
    mass = np.sort(models.mass(gamma), axis=1)
    column, place = np.nonzero(mass >= CONTACT_GEV)
    return Crossings(column, mass[column, place], of_sm - lowest <= delta, flat)


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
    """The infimum of chi2 over all gamma >= 0 of each column."""
    lowest: Array = columns.crossings(np.inf, 0)[0]
    return lowest
