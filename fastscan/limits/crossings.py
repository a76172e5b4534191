"""Crossings: where Delta chi2 passes a threshold along a column, the one function that every limit comes from.

Columns of chi2 are computed from a likelihood on a ladder of strengths x, which finds every extremum; between extrema
chi2 is monotonic, so each crossing has a bracket, and is refined there.  The ladder follows the scale of a row's own
counts, not a grid: no answer depends on the grid that a store was scanned on.  Where a member's S_dd turns, extrema can
lie closer together than any ladder: it has rungs of its own between them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastscan.kernels import crossings as kernel
from fastscan.kernels.jit import threads
from fastscan.likelihoods.likelihood import Columns
from fastscan.likelihoods.poisson import PoissonColumns
from fastscan.limits import search
from fastscan.typing import Array, IntArray

LADDER = np.geomspace(1e-9, 1e6, 481)  # x in units of a row's scale: 32 rungs for a factor of ten
SIGNED_LADDER = np.concatenate([-LADDER[::-1], LADDER])
# Where chi2 costs a fit: 4 rungs for a factor of ten, and 16 where both terms of the counts in x matter.
FEW = np.unique(np.concatenate([np.geomspace(1e-9, 1e6, 61), np.geomspace(1e-2, 1e2, 65)]))
AT_ONCE = 2**18  # rungs of columns at a time: this bounds the memory
MOST = 4  # crossings of a column for which there is room at first


@dataclass(frozen=True, eq=False)
class Crossings:
    """Every crossing in some columns.

    Attributes
    ----------
    column : array of int, shape (crossings,)
        Index of the column of each crossing, ascending.
    x : array, shape (crossings,)
        The strength of each crossing, descending in each column.
    sm_allowed : array of bool, shape (columns,)
        Whether a column allows x = 0, the Standard Model.
    flat : array of bool, shape (columns,)
        Whether a column distinguishes no strength up to the largest one from another.
    """

    column: IntArray
    x: Array
    sm_allowed: NDArray[np.bool_]
    flat: NDArray[np.bool_]


def find_crossings(columns: Columns, delta: float, largest_x: float, signed: bool = False) -> Crossings:
    """Where Delta chi2 crosses a threshold: chi2 less its infimum over all x that there are.

    Parameters
    ----------
    columns : GaussianColumns or PoissonColumns
    delta : float
        The threshold of Delta chi2, see `fastscan.limits.limits.threshold`.
    largest_x : float
        Crossings at larger strengths are left out, those at x < -largest_x too.
    signed : bool
        Whether x can be below 0.

    References
    ----------
    The crossings of Fig. 1 of arXiv:2002.01482, whose chi2 is Eq. 21.
    """
    lowest, of_sm, flat, count, x = _kernel(columns, delta, largest_x, signed, MOST)
    if count.sum() > x.size:
        lowest, of_sm, flat, count, x = _kernel(columns, delta, largest_x, signed, int(count.max()))
    column = np.repeat(np.arange(count.size), count)
    real = np.abs(x) <= largest_x
    with np.errstate(invalid="ignore"):  # where chi2 is infinite everywhere, nothing is allowed
        sm_allowed = of_sm - lowest <= delta
    return Crossings(column[real], x[real], sm_allowed, flat)


def infimum(columns: Columns, largest_x: float, signed: bool = False) -> Array:
    """The infimum of chi2 over all x that there are, which `find_crossings` uses.

    Parameters
    ----------
    columns : GaussianColumns or PoissonColumns
    largest_x, signed
        As in `find_crossings`; the infimum is over larger x too.

    Returns
    -------
    array, shape (columns,)
        Dimensionless.
    """
    lowest: Array = _kernel(columns, np.inf, largest_x, signed, 0)[0]
    return lowest


def best(columns: Columns, largest_x: float, signed: bool = False) -> Array:
    """The strength x of each column at which chi2 is its infimum; where it is that of ever larger x, the largest.

    Parameters
    ----------
    columns, largest_x, signed
        As in `find_crossings`.

    Returns
    -------
    array, shape (columns,)
        Dimensionless.
    """
    return search.lowest(columns, _rungs(columns, largest_x, signed))


def gathered(parts: Iterable[tuple[IntArray, Crossings]], columns: int) -> Crossings:
    """The crossings of all columns, put together from those of parts.

    Parameters
    ----------
    parts : iterable of (array of int, Crossings)
        The indices of the columns of each part, and their crossings.  Each column is in one part.
    columns : int
        Number of all columns.
    """
    column, x = [np.empty(0, np.intp)], [np.empty(0)]
    sm_allowed, flat = np.empty((2, columns), bool)
    for number, part in parts:
        column.append(number[part.column])
        x.append(part.x)
        sm_allowed[number], flat[number] = part.sm_allowed, part.flat
    order = np.argsort(np.concatenate(column), kind="stable")
    return Crossings(np.concatenate(column)[order], np.concatenate(x)[order], sm_allowed, flat)


def _kernel(columns: Columns, delta: float, largest_x: float, signed: bool, most: int) -> tuple[Any, ...]:
    """What `fastscan.kernels.crossings.crossings` returns for some columns, or `fastscan.limits.search.crossings`."""
    if isinstance(columns, PoissonColumns):
        return _searched(columns, delta, largest_x, signed)
    ladder = SIGNED_LADDER if signed else LADDER
    others = between_extrema(columns.sums, columns.scale, signed)
    if signed:  # the kernel itself has the largest x as a rung
        others = np.column_stack([others, np.full(len(others), -largest_x)])
    found: tuple[Any, ...] = kernel.crossings.of_size(columns.row.size * ladder.size)(
        columns.sums,
        ladder,
        columns.scale,
        others,
        columns.row,
        columns.noise,
        columns.variance,
        float(delta),
        largest_x,
        most,
        threads(),
    )
    return found


def _searched(columns: PoissonColumns, delta: float, largest_x: float, signed: bool) -> tuple[Any, ...]:
    """What `fastscan.limits.search.crossings` returns, some columns at a time."""
    rungs = _rungs(columns, largest_x, signed)
    parts = [
        search.crossings(columns.some(own), rungs[own], delta, largest_x)
        for own in np.array_split(np.arange(columns.row.size), math.ceil(rungs.size / AT_ONCE) or 1)
    ]
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def _rungs(columns: Columns, largest_x: float, signed: bool) -> Array:
    """Strengths at which columns are searched, ascending: (columns, rungs)."""
    ladder = np.concatenate([-FEW[::-1], FEW]) if signed else FEW
    gaussian = columns.others if isinstance(columns, PoissonColumns) else columns
    others = [between_extrema(gaussian.sums, columns.scale, signed)[columns.row], np.zeros((columns.row.size, 1))]
    if isinstance(columns, PoissonColumns):
        others.append(columns.turning())
    ends = np.full((columns.row.size, 1), largest_x)
    rungs = np.column_stack([ladder * columns.scale[columns.row, None], *others, -ends, ends])
    return np.sort(rungs if signed else np.maximum(rungs, 0.0), axis=1)


def between_extrema(sums: Array, scale: Array, signed: bool = False) -> Array:
    """Strengths x between the points at which a member's S_dd is stationary.

    These are roots of a cubic, as eigenvalues of its companion matrix.  A root that x can't have is replaced by the
    smallest point of the ladder, which is harmless.

    Parameters
    ----------
    sums : array, shape (members, rows, 3, SQUARES)
        Sums of squares, see `fastscan.kernels.polynomials`.
    scale : array, shape (rows,)
        See `fastscan.likelihoods.gaussian.GaussianColumns`.
    signed : bool
        Whether x can be below 0.

    Returns
    -------
    array, shape (rows, 2 members)
    """
    c0, c1, c2, c3, c4, c5 = np.moveaxis(sums[:, :, 0], -1, 0)
    quartic = np.stack([2 * c0 * c1, c1**2 + 2 * c0 * c2 + c3**2, 2 * (c1 * c2 + c3 * c4), c2**2 + c4**2 + c5], -1)
    slope = quartic * np.arange(1, 5) * scale[:, None] ** np.arange(1.0, 5.0)  # in x / scale
    cubic = np.abs(slope[..., 3]) > 1e-14 * np.abs(slope).max(axis=-1)
    companion = np.zeros((*slope.shape[:2], 3, 3))
    companion[..., 1, 0] = companion[..., 2, 1] = 1.0
    companion[..., 2] = -slope[..., :3] / np.where(cubic, slope[..., 3], 1.0)[..., None]
    roots = np.linalg.eigvals(companion)
    there = cubic[..., None] & (np.abs(roots.imag) < 1e-6 * np.abs(roots.real)) & (signed | (roots.real > 0))
    found = np.sort(np.where(there, roots.real, LADDER[0]), axis=-1)
    between = (found[..., 1:] + found[..., :-1]) / 2
    in_x: Array = np.moveaxis(between, 0, 1).reshape(len(scale), 2 * len(sums)) * scale[:, None]
    return in_x
