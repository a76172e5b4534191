"""Crossings: where Delta chi2 passes a threshold along a column, the one function that every limit comes from.

Columns of chi2 are computed from a likelihood on a ladder of strengths x, which finds every extremum; between extrema
chi2 is monotonic, so each crossing has a bracket, and is refined there.  The ladder follows the scale of a row's own
counts, not a grid: no answer depends on the grid that a store was scanned on.  Where a member's S_dd turns, extrema can
lie closer together than any ladder: it has rungs of its own between them.

Many Gaussian columns, whose points cost nothing, have a kernel for all of it.  Columns of any other kind are searched
by `fastscan.limits.search`, which computes few points, and so are a few Gaussian ones, which then need no compiler.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.gaussian import GaussianColumns, between_extrema
from fastscan.limits.search import Found, search
from fastscan.typing import Array, IntArray

LADDER = np.geomspace(1e-9, 1e6, 481)  # x in units of a row's scale: 32 rungs for a factor of ten
SIGNED_LADDER = np.concatenate([-LADDER[::-1], LADDER])
FEW_COLUMNS = 512  # are searched by NumPy, in less time than it takes to import the compiler; toys come in fewer
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
    columns : Columns
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
    found = _found(columns, delta, largest_x, signed, MOST)
    if found.x.size < found.number.sum():
        found = _found(columns, delta, largest_x, signed, int(found.number.max()))
    column = np.repeat(np.arange(found.number.size), found.number)
    real = np.abs(found.x) <= largest_x
    return Crossings(column[real], found.x[real], found.at_zero <= found.lowest + delta, found.flat)


def infimum(columns: Columns, largest_x: float, signed: bool = False) -> Array:
    """The infimum of chi2 over all x that there are, which `find_crossings` uses.

    Parameters
    ----------
    columns : Columns
    largest_x, signed
        As in `find_crossings`; the infimum is over larger x too.

    Returns
    -------
    array, shape (columns,)
        Dimensionless.
    """
    return _found(columns, np.inf, largest_x, signed, 0).lowest


def _found(columns: Columns, delta: float, largest_x: float, signed: bool, most: int) -> Found:
    """The crossings of some columns, of Gaussian ones with memory for at most so many in each."""
    if not isinstance(columns, GaussianColumns) or columns.row.size <= FEW_COLUMNS:
        return search(columns, delta, largest_x, signed)
    from fastscan.kernels.crossings import crossings  # imported here, because few columns do without a compiler

    ladder = SIGNED_LADDER if signed else LADDER
    others = between_extrema(columns.sums, columns.scale, signed)
    if signed:  # the kernel itself has the largest x as a rung
        others = np.column_stack([others, np.full(len(others), -largest_x)])
    size = columns.row.size
    lowest, at_zero = np.empty((2, size))
    flat, number, ascending = np.empty(size, bool), np.empty(size, np.intp), np.empty((size, most))
    settings = columns.row, columns.noise, columns.variance
    answer = lowest, at_zero, flat, number, ascending
    asked = ladder, columns.scale, others, *settings, float(delta), largest_x
    crossings.run(size, size * ladder.size, None, columns.sums, *asked, *answer)
    there = np.arange(most)[::-1] < number[:, None]
    return Found(lowest, at_zero, flat, number, ascending[:, ::-1][there])
