"""Feldman and Cousins' construction of one Gaussian bin by plain integrals, without any random number.

n events are counted in a bin where m (1 + c) are expected, with a variance s and a relative error sigma of the signal;
c is the centre of its constraint.  What is expected is any m from its smallest value on, up to infinity.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
WIDTH = 6.5  # range of the integrals in standard deviations
STEPS = 1201  # nodes of each of the two integrals


@dataclass(frozen=True)
class Bin:
    """One bin: its data, their variance, the error of the signal, and the smallest m that is allowed."""

    data: float
    variance: float
    sigma: float
    smallest: float

    def chi2(self, n: Array, c: Array, m: Array | float) -> Array:
        """chi2 with the normalisation minimised out."""
        found: Array = (n - m * (1 + c)) ** 2 / (self.variance + (self.sigma * m) ** 2)
        return found

    def lowest(self, n: Array, c: Array) -> Array:
        """The infimum of chi2 over m: at the best m if this is allowed, else at an end of the allowed range."""
        best = n / (1 + c)
        at_infinity = ((1 + c) / self.sigma) ** 2 if self.sigma else np.full_like(best, np.inf)
        ends = np.minimum(self.chi2(n, c, self.smallest), at_infinity)
        return np.where(best >= self.smallest, 0.0, ends)

    def t(self, n: Array, c: Array, m: float) -> Array:
        """chi2 above its infimum."""
        return self.chi2(n, c, m) - self.lowest(n, c)

    def t_of_data(self, m: float) -> float:
        """t of the data, whose centre is 0."""
        return float(self.t(np.array(self.data), np.array(0.0), m))

    def best_centre(self, m: float) -> float:
        """The best normalisation, minus 1, for the data at some m."""
        return self.sigma**2 * m * (self.data - m) / (self.variance + (self.sigma * m) ** 2)

    def distribution(self, m: float, centre: float) -> tuple[Array, Array]:
        """t of all measurements with m expected at a true centre, ascending, and the probability up to each."""
        z = np.linspace(-WIDTH, WIDTH, STEPS)
        weight = np.exp(-(z**2) / 2)
        n = m * (1 + centre) + math.sqrt(self.variance) * z
        c, of_c = (centre + self.sigma * z, weight) if self.sigma else (np.array([centre]), np.ones(1))
        t = self.t(n[:, None], c[None, :], m).ravel()
        order = np.argsort(t)
        likely = (weight[:, None] * of_c).ravel()[order]
        return t[order], np.cumsum(likely) / likely.sum()

    def critical(self, m: float, cl: float) -> float:
        """t_c at the centre that is best for the data."""
        t, probability = self.distribution(m, self.best_centre(m))
        return float(t[np.searchsorted(probability, cl)])

    def coverage(self, m: float, threshold: float, centre: float = 0.0) -> float:
        """The probability of a t up to a threshold."""
        t, probability = self.distribution(m, centre)
        return float(probability[np.searchsorted(t, threshold, side="right") - 1])
