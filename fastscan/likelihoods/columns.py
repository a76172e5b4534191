"""Columns: chi2 along the strength x of new physics, and what the search for crossings asks of them.

A kind of likelihood has columns of its own kind.  Limits know them by `Columns` alone.
"""

from typing import Protocol, Self

import numpy as np

from fastscan.typing import Array, IntArray

INSTEAD = 1e-9  # in place of a root that doesn't exist, in units of a row's scale: so small a strength changes nothing


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
            Strengths, those of all columns or of each.
        in_parallel : bool, optional
            Whether to spread the work over threads; left out, where there is much of it.

        Returns
        -------
        array, shape (columns, points)
        """

    def derivatives(self, column: IntArray, x: Array) -> tuple[Array, Array, Array]:
        """chi2, its slope and its curvature in x at points, which depend on nothing beside the point.

        Parameters
        ----------
        column : array of int, shape (points,)
            Index of each point's column.
        x : array, shape (points,)
            Strengths.

        Returns
        -------
        chi2, slope, curvature : arrays, shape (points,)
            Where chi2 is infinite the others are nan.
        """

    def turning(self) -> Array:
        """Strengths at which chi2 may turn closer together than a ladder can see, shape (columns, any); all finite."""


def stationary(quartic: Array, scale: Array, signed: bool) -> Array:
    """Strengths x at which quartics are stationary: roots of a cubic, as eigenvalues of its companion matrix.

    Parameters
    ----------
    quartic : array, shape (members, rows, 4)
        Coefficients of x, x^2, x^3 and x^4.
    scale : array, shape (rows,)
        See `Columns`.
    signed : bool
        Whether x can be below 0.

    Returns
    -------
    array, shape (members, rows, 3)
        In units of the scale, ascending.  A root that x can't have is replaced by `INSTEAD`.
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
    """The middles between neighbours on the last axis."""
    between: Array = (found[..., 1:] + found[..., :-1]) / 2
    return between


def by_row(found: Array, scale: Array) -> Array:
    """Strengths of each member and row, in units of the scale, as x of each row: shape (rows, any)."""
    members, rows, each = found.shape
    in_x: Array = np.moveaxis(found, 0, 1).reshape(rows, members * each) * scale[:, None]
    return in_x


def turning_of(quartic: Array, scale: Array) -> Array:
    """Strengths x, of either sign, at which quartics are stationary, and the middles between them.

    Where the quartic of a member is about its chi2, its extrema are on either side of a middle.

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
