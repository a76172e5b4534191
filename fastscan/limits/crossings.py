"""Crossings: the strengths at which Delta chi2 passes a threshold along a column.  Every limit is made of them.

chi2 is computed on a ladder of strengths x, which finds every extremum.  Between extrema chi2 is monotonic, so each
crossing has a bracket, in which it is refined.  The ladder is in units of a scale of the row's own counts, so that no
answer depends on the grid of a store.  Extrema can lie closer together than the ladder's rungs where a member's S_dd
turns; additional rungs separate them there.

Points of Gaussian columns cost little, and a kernel computes many such columns.  `fastscan.limits.search`, which
computes few points, searches columns of every other kind, and few Gaussian ones, so that they need no compiler.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.gaussian import GaussianColumns, between_extrema
from fastscan.limits.search import Found, search
from fastscan.typing import Array, IntArray

LADDER = np.geomspace(1e-9, 1e6, 481)  # x in units of a row's scale: 32 rungs for each factor of ten
SIGNED_LADDER = np.concatenate([-LADDER[::-1], LADDER])
FEW_COLUMNS = 512  # NumPy searches up to 512 columns in less time than it takes to import the compiler
MOST = 4  # crossings for which each column has room at first


@dataclass(frozen=True, eq=False)
class Crossings:
    """Every crossing of some columns.

    Attributes
    ----------
    column : array of int, shape (crossings,)
        Index of the column of each crossing, ascending.
    x : array, shape (crossings,)
        The strength of each crossing, dimensionless, descending within a column.
    sm_allowed : array of bool, shape (columns,)
        Whether a column allows x = 0, the Standard Model.
    flat : array of bool, shape (columns,)
        Whether chi2 of a column changes by no more than the threshold up to the largest strength.
    """

    column: IntArray
    x: Array
    sm_allowed: NDArray[np.bool_]
    flat: NDArray[np.bool_]


def find_crossings(columns: Columns, delta: float, largest_x: float, signed: bool = False) -> Crossings:
    """The strengths at which Delta chi2, chi2 minus its infimum over all allowed x, crosses a threshold.

    Parameters
    ----------
    columns : Columns
    delta : float
        The threshold of Delta chi2, see `fastscan.limits.limits.threshold`.
    largest_x : float
        Crossings at |x| > largest_x are left out.
    signed : bool
        Whether x can be below 0.

    Returns
    -------
    Crossings

    References
    ----------
    The crossings of Fig. 1 of arXiv:2002.01482, whose chi2 is Eq. 21.
    """
    found = _found(columns, delta, largest_x, signed, MOST)
    if found.x.size < found.number.sum():
        found = _found(columns, delta, largest_x, signed, int(found.number.max()))
    column = np.repeat(np.arange(found.number.size), found.number)
    real = np.abs(found.x) <= largest_x
    sm_allowed = (found.at_zero <= found.lowest + delta) & (found.lowest < np.inf)  # an infinite chi2 allows nothing
    return Crossings(column[real], found.x[real], sm_allowed, found.flat)


def infimum(columns: Columns, largest_x: float, signed: bool = False) -> Array:
    """The infimum of chi2 over all allowed x, as `find_crossings` uses it.

    Parameters
    ----------
    columns : Columns
    largest_x, signed
        As in `find_crossings`; the infimum includes |x| > largest_x.

    Returns
    -------
    array, shape (columns,)
        chi2, dimensionless.
    """
    return _found(columns, np.inf, largest_x, signed, 0).lowest


def _found(columns: Columns, delta: float, largest_x: float, signed: bool, most: int) -> Found:
    """The crossings of some columns; the kernel has memory for at most `most` crossings in each column."""
    if not isinstance(columns, GaussianColumns) or columns.row.size <= FEW_COLUMNS:
        return search(columns, delta, largest_x, signed)
    from fastscan.kernels.crossings import crossings  # imported here, because few columns need no compiler

    ladder = SIGNED_LADDER if signed else LADDER
    others = between_extrema(columns.sums, columns.scale, signed)
    if signed:  # the kernel adds a rung at largest_x, but none at -largest_x
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
