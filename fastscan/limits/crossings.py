"""Crossings: where Delta chi2 passes a threshold along M_Z', the one function that every limit comes from.

Columns of chi2 are computed from a likelihood on a ladder of gamma = (M_Z / M_Z')^2, which finds every extremum;
between extrema chi2 is monotonic, so each crossing has a bracket, and is refined there.  The ladder follows the
size of the couplings' shift, not a grid: no answer depends on the grid that a store was scanned on.  Where a member's
S_dd turns, extrema can lie closer together than any ladder: it has rungs of its own between them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastscan.interactions import catalogue as models
from fastscan.kernels import blocks, jit
from fastscan.kernels.crossings import crossings
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.typing import Array, IntArray

CONTACT_GEV = 1.0  # below this mass the contact form of the interaction ends, and with it every limit
LADDER = np.geomspace(1e-9, 1e6, 481)  # shifts of a coupling, gamma |kappa|: 64 rungs for a decade of mass
MOST = 4  # crossings of a column for which there is room at first

OK, NO_SENSITIVITY, SM_DISFAVOURED, OUTSIDE_AXIS = "ok", "no_sensitivity", "sm_disfavoured", "outside_axis"
Status = NDArray[np.str_]
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of chi2 along M_Z', each at a beta, and each member's noise and variance.

    Shapes: coefficients as of `Likelihood`; scale (betas,), gamma where a coupling's shift is 1; others (betas, any),
    gammas of rungs beside the ladder's; beta_index (columns,); noise and variance (members, columns).
    """

    coefficients: Array
    scale: Array
    others: Array
    beta_index: IntArray
    noise: Array
    variance: Array

    @classmethod
    def of(cls, likelihood: Likelihood, beta_index: IntArray, noise: Array, variance: Array) -> "Columns":
        coefficients = likelihood.coefficients()
        largest = np.abs(likelihood.kappa).max(axis=(0, 2))
        scale = 1 / np.where(largest > 0, largest, 1.0)
        return cls(coefficients, scale, _between_extrema(coefficients, scale), beta_index, noise, variance)

    def some(self, chosen: IntArray) -> "Columns":
        """The columns of these numbers."""
        noise, variance = (np.ascontiguousarray(each[:, chosen]) for each in (self.noise, self.variance))
        return replace(self, beta_index=self.beta_index[chosen], noise=noise, variance=variance)

    def chi2(self, gamma: Array) -> Array:
        """chi2 of each column at gamma of shape (masses,), shape (columns, masses)."""
        result: Array = blocks.chi2_columns.of_size(self.beta_index.size * gamma.size)(
            self.coefficients,
            self.beta_index,
            np.broadcast_to(gamma, (self.beta_index.size, gamma.size)).copy(),
            self.noise,
            self.variance,
        )
        return result

    def crossings(self, delta: float, most: int) -> tuple[Any, ...]:
        """What `fastscan.kernels.crossings.crossings` finds."""
        result: tuple[Any, ...] = crossings.of_size(self.beta_index.size * LADDER.size)(
            self.coefficients,
            LADDER,
            self.scale,
            self.others,
            self.beta_index,
            self.noise,
            self.variance,
            float(delta),
            float(models.gamma(CONTACT_GEV)),
            most,
            jit.threads(),
        )
        return result


def _between_extrema(coefficients: Array, scale: Array) -> Array:
    """gamma > 0 between the points at which a member's S_dd is stationary, shape (betas, 2 members).

    These are roots of a cubic, as eigenvalues of its companion matrix.  In place of roots that aren't positive numbers
    there are rungs of no importance.
    """
    slope = coefficients[:, :, 0, 1:] * np.arange(1, 5) * scale[:, None] ** np.arange(1.0, 5.0)  # in gamma |kappa|
    cubic = np.abs(slope[..., 3]) > 1e-14 * np.abs(slope).max(axis=-1)
    companion = np.zeros((*slope.shape[:2], 3, 3))
    companion[..., 1, 0] = companion[..., 2, 1] = 1.0
    companion[..., 2] = -slope[..., :3] / np.where(cubic, slope[..., 3], 1.0)[..., None]
    roots = np.linalg.eigvals(companion)
    real = cubic[..., None] & (roots.real > 0) & (np.abs(roots.imag) < 1e-6 * np.abs(roots.real))
    found = np.sort(np.where(real, roots.real, LADDER[0]), axis=-1)
    between = (found[..., 1:] + found[..., :-1]) / 2
    in_gamma: Array = np.moveaxis(between, 0, 1).reshape(len(scale), 2 * len(coefficients)) * scale[:, None]
    return in_gamma


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

    def limits(self) -> Array:
        """Lower limit (GeV) of each column, the largest crossing; nan where there is none or the SM isn't allowed."""
        largest = np.full(self.sm_allowed.size, np.nan)
        largest[self.column] = self.mass  # ascending: the last one stays
        largest[~self.sm_allowed] = np.nan
        return largest

    def statuses(self) -> Status:
        """Why each column has a limit or none."""
        crossed = np.zeros(self.sm_allowed.size, bool)
        crossed[self.column] = True
        insensitive = ~crossed & (self.sm_allowed | self.flat)
        return np.where(insensitive, NO_SENSITIVITY, np.where(self.sm_allowed, OK, SM_DISFAVOURED))

    def intervals(self, m_min: float = CONTACT_GEV, m_max: float = np.inf) -> list[list[Interval]]:
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
    most = MOST
    lowest, of_sm, flat, count, gamma = columns.crossings(delta, most)
    if count.max(initial=0) > most:
        most = int(count.max())
        lowest, of_sm, flat, count, gamma = columns.crossings(delta, most)
    column = np.repeat(np.arange(count.size), count)
    mass = models.mass(gamma)
    real = mass >= CONTACT_GEV
    return Crossings(column[real], mass[real], of_sm - lowest <= delta, flat)


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
