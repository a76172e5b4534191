"""Columns: chi2 along the strength x of new physics, in one row and at one setting each.

Each kind of likelihood has its own kind of columns.  Limits use them through the protocol `Columns` alone.
"""

from typing import Protocol, Self

import numpy as np

from fastscan.typing import Array, IntArray

INSTEAD = 1e-9  # replaces a root that doesn't exist, in units of a row's scale: so small a strength changes nothing


class Columns(Protocol):
    """Columns of chi2, each in one row and at one setting.

    Attributes
    ----------
    row : array of int, shape (columns,)
        The row of each column.
    scale : array, shape (rows,)
        The x at which the terms in x^2 are as many events as the Standard Model's: the scale on which chi2 changes.
    """

    @property
    def row(self) -> IntArray: ...
    @property
    def scale(self) -> Array: ...

    def some(self, chosen: IntArray) -> Self:
        """The columns of some indices, in their order."""

    def chi2(self, x: Array, in_parallel: bool | None = None) -> Array:
        """chi2 of each column at its own strengths.

        Parameters
        ----------
        x : array, shape (points,) or (columns, points)
            Strengths, common to all columns or for each column.
        in_parallel : bool, optional
            Whether to spread the work over threads; by default it is spread where there are many points.

        Returns
        -------
        array, shape (columns, points)
        """

    def derivatives(self, column: IntArray, x: Array) -> tuple[Array, Array, Array]:
        """chi2, its slope and its curvature in x at points; the results at a point don't depend on other points.

        Parameters
        ----------
        column : array of int, shape (points,)
            Index of each point's column.
        x : array, shape (points,)
            Strengths.

        Returns
        -------
        chi2, slope, curvature : arrays, shape (points,)
            Where chi2 is infinite, slope and curvature are nan.
        """

    def turning(self) -> Array:
        """Finite strengths near which chi2 may have extrema closer together than a ladder's points: (columns, any)."""


def stationary(quartic: Array, scale: Array, signed: bool) -> Array:
    """Strengths x at which quartics are stationary: roots of a cubic, as eigenvalues of its companion matrix.

    Parameters
    ----------
    quartic : array, shape (members, rows, 4)
        Coefficients of x, x^2, x^3 and x^4.
    scale : array, shape (rows,)
        See `Columns`.
    signed : bool
        Whether x can be negative.

    Returns
    -------
    array, shape (members, rows, 3)
        In units of the scale, ascending.  A complex root, or a negative one where x can't be, is replaced by `INSTEAD`.
    """
    slope = quartic * np.arange(1, 5) * scale[:, None] ** np.arange(1.0, 5.0)  # in x / scale
    cubic = np.abs(slope[..., 3]) > 1e-14 * np.abs(slope).max(axis=-1)
    companion = np.zeros((*slope.shape[:2], 3, 3))
    companion[..., 1, 0] = companion[..., 2, 1] = 1.0
    companion[..., 2] = -slope[..., :3] / np.where(cubic, slope[..., 3], 1.0)[..., None]
    roots = np.linalg.eigvals(companion)
    there = cubic[..., None] & (np.abs(roots.imag) < 1e-6 * np.abs(roots.real)) & (signed | (roots.real > 0))
    found: Array = np.sort(np.where(there, roots.real, INSTEAD), axis=-1)
    return found


def middles(found: Array) -> Array:
    """The midpoints between neighbours on the last axis."""
    between: Array = (found[..., 1:] + found[..., :-1]) / 2
    return between


def by_row(found: Array, scale: Array) -> Array:
    """Strengths of each member and row, in units of the scale, as x of each row: shape (rows, any)."""
    members, rows, each = found.shape
    in_x: Array = np.moveaxis(found, 0, 1).reshape(rows, members * each) * scale[:, None]
    return in_x


def turning_of(quartic: Array, scale: Array) -> Array:
    """Strengths x, of either sign, at which quartics are stationary, and the midpoints between them.

    Where a quartic approximates a member's chi2, the extrema of chi2 are separated by these midpoints.

    Parameters
    ----------
    quartic, scale
        As in `stationary`.

    Returns
    -------
    array, shape (rows, 5 members)
    """
    found = stationary(quartic, scale, signed=True)
    return by_row(np.concatenate([found, middles(found)], axis=-1), scale)
