"""Gaussian chi2 with one normalisation nuisance: sums over bins, computed once for an experiment, and its columns.

With d = data - m and m = N + background, each over the square root of the variance, chi2 follows from

    S_dd = sum d^2,   D = S_dd S_mm - (sum d m)^2,   S_mm = sum m^2

Counts are linear in the features of the couplings, so each of the three is |root e|^2 with e = (1, changes of the
features from their Standard Model values).  In a row it is a sum of squares in the strength x, see
`fastscan.kernels.squares`.  The cost of the roots grows with the number of bins; the cost of a row does not.
"""

from dataclasses import dataclass, replace

import numpy as np

from fastscan.experiments.observations import Counts
from fastscan.kernels import squares
from fastscan.likelihoods.columns import by_row, middles, stationary, turning_of
from fastscan.typing import Array, IntArray

FEW_POINTS = 4096  # up to so many points are computed by NumPy, in less time than importing the compiler takes


def square_roots(rates: Array, signal: Array, counts: Counts) -> Array:
    """Roots of S_dd, D and S_mm: each sum is |root e|^2 of e = (1, changes of the features).

    A root is the triangular factor of the matrix of all bins, so that both give vectors of the same length for every e.
    D follows from projecting the direction of the data out of d: with the data n over the square root of the variance,
    D = (n n) |d - n (d n) / (n n)|^2, because d + m = n.  In this form nothing cancels; D is never negative, and it is
    zero for one bin.

    Parameters
    ----------
    rates : array, shape (..., features, bins)
        Events per unit of each feature, for several shapes at once.
    signal : array, shape (bins,)
        Events that the Standard Model predicts.
    counts : Counts
        The data and their variance, in the same bins.

    Returns
    -------
    array, shape (..., 3, 1 + features, 1 + features)
        Upper triangular, dimensionless.

    References
    ----------
    Eqs. 21-23 of arXiv:2002.01482, with the nuisance of the normalisation minimised out exactly.

    Examples
    --------
    Where data are the prediction and there is one bin, at the Standard Model (e0 alone) S_dd and D are zero:

    >>> counts = Counts(data=np.array([100.0]), background=np.zeros(1), variance=np.array([120.0]), spread=0.0)
    >>> roots = square_roots(np.array([[400.0]]), np.array([100.0]), counts)
    >>> (roots[:, :, 0] ** 2).sum(axis=1).round(3)
    array([ 0.   ,  0.   , 83.333])
    """
    error = np.sqrt(counts.variance)
    data = counts.data / error
    predicted = signal + counts.background
    constant = np.broadcast_to(predicted, (*rates.shape[:-2], 1, len(predicted)))
    model = np.concatenate([constant, rates], axis=-2) / error
    difference = -model
    difference[..., 0, :] = (counts.data - predicted) / error
    norm = np.linalg.norm(data)
    direction = (data / norm if norm > 0 else data)[:, None]
    across = difference - difference @ direction * direction.T
    across -= across @ direction * direction.T  # a second time, for what rounding left along the data
    return np.stack([_triangular(vectors) for vectors in (difference, norm * across, model)], axis=-3)


def no_roots(shapes: int, basis: int) -> Array:
    """Roots of sums that are 0, see `square_roots`."""
    return np.zeros((shapes, 3, basis, basis))


def norm_of(counts: Counts) -> float:
    """Sum of the squared data over their variance."""
    return float((counts.data**2 / counts.variance).sum())


def _triangular(vectors: Array) -> Array:
    """The upper triangular matrix R with |R e| = |sum_i e_i v_i| for all e, for vectors v, (..., vectors, bins)."""
    *shapes, size, _ = vectors.shape
    factor = np.asarray(np.linalg.qr(np.swapaxes(vectors, -1, -2), mode="r"))
    return np.concatenate([factor, np.zeros((*shapes, size - factor.shape[-2], size))], axis=-2)


def quartics(sums: Array) -> Array:
    """The coefficients of x, x^2, x^3 and x^4, shape (..., 4), of sums of squares, shape (..., SQUARES)."""
    c0, c1, c2, c3, c4, c5 = np.moveaxis(sums, -1, 0)
    return np.stack([2 * c0 * c1, c1**2 + 2 * c0 * c2 + c3**2, 2 * (c1 * c2 + c3 * c4), c2**2 + c4**2 + c5], -1)


def between_extrema(sums: Array, scale: Array, signed: bool = False) -> Array:
    """Strengths x between the points at which a member's S_dd is stationary.

    Parameters
    ----------
    sums : array, shape (members, rows, 3, SQUARES)
        Sums of squares, see `fastscan.kernels.squares`.
    scale : array, shape (rows,)
        See `GaussianColumns`.
    signed : bool
        Whether x can be negative.  Where it can't, or where S_dd has fewer such points, tiny strengths take their
        place, which is harmless.

    Returns
    -------
    array, shape (rows, 2 members)
    """
    return by_row(middles(stationary(quartics(sums[:, :, 0]), scale, signed)), scale)


@dataclass(frozen=True, eq=False)
class GaussianColumns:
    """Columns of chi2 along the strength x, each in one row and at one setting; a kind of `Columns`.

    Attributes
    ----------
    sums : array, shape (members, rows, 3, SQUARES)
        S_dd, D and S_mm of each member as sums of three squares, see `fastscan.kernels.squares`.
    scale : array, shape (rows,)
        The x at which the terms in x^2 are as many events as the Standard Model's: the scale on which chi2 changes.
    row : array of int, shape (columns,)
        The row of each column.
    noise, variance : array, shape (members, columns)
        1 / luminosity plus the part of the variance that grows with the square of the luminosity; and sigma_sys^2.
    """

    sums: Array
    scale: Array
    row: IntArray
    noise: Array
    variance: Array

    def some(self, chosen: IntArray) -> "GaussianColumns":
        """The columns of some indices, in their order."""
        noise, variance = (np.ascontiguousarray(each[:, chosen]) for each in (self.noise, self.variance))
        return replace(self, row=self.row[chosen], noise=noise, variance=variance)

    def chi2(self, x: Array, in_parallel: bool | None = None) -> Array:
        """See `fastscan.likelihoods.columns.Columns`; a few points are computed without the compiler."""
        each = np.broadcast_to(x, (self.row.size, x.shape[-1])).copy()
        if each.size <= FEW_POINTS:
            return self.derivatives(np.repeat(np.arange(len(each)), each.shape[1]), each.ravel())[0].reshape(each.shape)
        from fastscan.kernels.blocks import chi2_columns  # imported here, because few points do without a compiler

        out = np.empty(each.shape)
        chi2_columns.run(len(each), each.size, in_parallel, self.sums, self.row, each, self.noise, self.variance, out)
        return out

    def derivatives(self, column: IntArray, x: Array) -> tuple[Array, Array, Array]:
        """See `fastscan.likelihoods.columns.Columns`; Eq. 21 of arXiv:2002.01482, with the nuisance minimised out.

        With E = S_dd + D t, N = noise + S_mm variance and t = variance / noise, chi2 N = E is differentiated twice.
        """
        chi2, slope, curvature = np.zeros((3, x.size))
        row = self.row[column]
        for sums, noise, variance in zip(self.sums, self.noise[:, column], self.variance[:, column], strict=True):
            if not sums.any():  # the member is fitted in a block
                continue
            s_dd, det, s_mm = (squares.derivatives(sums[row, number], x) for number in range(3))
            t = variance / noise
            excess = [of_s_dd + of_det * t for of_s_dd, of_det in zip(s_dd, det, strict=True)]
            total = noise + s_mm[0] * variance
            growth, bend = (variance * of_s_mm / total for of_s_mm in s_mm[1:])  # at huge x no product overflows
            own = excess[0] / total
            own_slope = excess[1] / total - own * growth
            chi2 += own
            slope += own_slope
            curvature += excess[2] / total - 2.0 * own_slope * growth - own * bend
        return chi2, slope, curvature

    def turning(self) -> Array:
        """See `fastscan.likelihoods.columns.Columns`: the strengths at which a member's S_dd turns."""
        return turning_of(quartics(self.sums[:, :, 0]), self.scale)[self.row]
