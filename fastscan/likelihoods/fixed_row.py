"""chi2 along one column, at single points: quotients of sums of squares in x, and fits of linked members."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastscan.kernels.squares import SQUARES
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.poisson import Block
from fastscan.likelihoods.profiles import OtherProfile, Profile
from fastscan.likelihoods.signals import Compiled, compiled, sum_of
from fastscan.typing import Array

UPPER = np.tri(3, dtype=bool).T  # elements of an upper triangular matrix


def quotients(coefficients: Sequence[Sequence[float]], x: float) -> float:
    """Sum over members of u / (noise + w), where u and w are sums of squares.

    Parameters
    ----------
    coefficients : sequence of 13 floats
        For each member: c0 to c5 of u, see `fastscan.kernels.squares`, c0 to c5 of w, and the noise.
    x : float
    """
    total = 0.0
    for a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5, noise in coefficients:
        first, second, square = a0 + x * (a1 + x * a2), x * (a3 + x * a4), x * x * x * x
        under, below = b0 + x * (b1 + x * b2), x * (b3 + x * b4)
        u = first * first + second * second + a5 * square
        total += u / (noise + under * under + below * below + b5 * square)
    return total


def slope_of_quotients(coefficients: Sequence[Sequence[float]], x: float) -> float:
    """The derivative of `quotients` in x."""
    total = 0.0
    for member in coefficients:
        u, u_slope = square_and_slope(member[:SQUARES], x)
        w, w_slope = square_and_slope(member[SQUARES:-1], x)
        over = 1 / (member[-1] + w)
        total += (u_slope - u * over * w_slope) * over
    return total


def square_and_slope(c: Sequence[float], x: float) -> tuple[float, float]:
    """A sum of squares and its derivative in x, see `fastscan.kernels.squares`, in plain numbers.

    >>> square_and_slope((1.0, 2.0, 0.0, 1.0, 0.0, 0.0), 2.0)  # (1 + 2 x)^2 + x^2
    (29.0, 24.0)
    """
    first, second = c[0] + x * (c[1] + x * c[2]), x * (c[3] + x * c[4])
    rises = first * (c[1] + 2 * x * c[2]) + second * (c[3] + 2 * x * c[4])
    return first * first + second * second + c[5] * x**4, 2 * rises + 4 * c[5] * x**3


def merged(one: Array, other: Array) -> Array:
    """The coefficients of one sum of squares that is the sum of two, shape (SQUARES,).

    >>> found = merged(np.array([3.0, 0, 0, 0, 0, 0]), np.array([0.0, 4.0, 0, 0, 0, 0]))  # 9 + 16 x^2
    >>> [round(each, 12) for each in square_and_slope(found.tolist(), 1.0)]
    [25.0, 32.0]
    """
    roots = np.zeros((2, 3, 3))  # the lengths of their combinations of 1, x and x^2 are the sums
    roots[:, UPPER] = [[*c[:5], np.sqrt(c[5])] for c in (one, other)]
    factor = np.linalg.qr(roots.reshape(6, 3), mode="r")[UPPER]
    return np.array([*factor[:5], factor[5] ** 2])


def _scaled(c: Array, factor: float) -> Array:
    """The coefficients of a sum of squares times a factor."""
    return np.array([*(c[:5] * np.sqrt(factor)), c[5] * factor])


@dataclass(frozen=True, eq=False)
class FittedColumn:
    """A block of one column and one row; the attributes are arguments of `Profile.filled`."""

    profile: Profile | OtherProfile
    rates: Array
    change: Array
    sums: Array

    @classmethod
    def of(cls, block: Block) -> "FittedColumn":
        return cls(Profile.of(block), block.rates, block.change, block.sums)

    def filled(self, x: float, width: int) -> Array:
        """The first `width` numbers that the kernel computes at a strength x, shape (width,)."""
        return self.profile.filled(self.rates, self.change, self.sums, x, width)

    def compiled(self) -> Compiled:
        inner, rates, change, sums = self.profile.compiled(), self.rates, self.change, self.sums

        def chi2(x: float) -> float:
            found: float = inner(rates.copy(), change.copy(), sums.copy(), x)
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class FixedRow:
    """chi2 along one column; a kind of `fastscan.likelihoods.pointwise.Pointwise` that ignores its argument `row`.

    Attributes
    ----------
    coefficients : tuple of tuple of 13 floats
        See `quotients`, for the members that share no nuisance with others.
    blocks : tuple of FittedColumn
        The other members.
    """

    coefficients: tuple[tuple[float, ...], ...]
    blocks: tuple[FittedColumn, ...]

    @classmethod
    def of(cls, columns: GaussianColumns, alone: Sequence[int], blocks: Sequence[Block]) -> "FixedRow":
        """chi2 along the first of some columns, from the numbers of members that stand alone, and from blocks."""
        coefficients = []
        for member in alone:
            s_dd, det, s_mm = columns.sums[member, columns.row[0]]
            noise, variance = float(columns.noise[member, 0]), float(columns.variance[member, 0])
            both = merged(s_dd, _scaled(det, variance / noise)), _scaled(s_mm, variance)
            coefficients.append((*np.concatenate(both).tolist(), noise))
        return cls(tuple(coefficients), tuple(map(FittedColumn.of, blocks)))

    def chi2(self, row: float, x: float) -> float:
        total = quotients(self.coefficients, x)
        for block in self.blocks:
            total += float(block.filled(x, 1)[0])
        return total

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        blocks = sum(float(block.filled(x, 3)[1]) for block in self.blocks)
        return 0.0, slope_of_quotients(self.coefficients, x) + blocks

    def compiled(self) -> Compiled:
        along, coefficients = compiled(quotients), np.array(self.coefficients).reshape(-1, 2 * SQUARES + 1)

        def alone(x: float) -> float:
            found: float = along(coefficients, x)
            return found

        total = functools.reduce(sum_of, (block.compiled() for block in self.blocks), compiled(alone))
        return compiled(lambda row, x: total(x))
