"""Distributions of a reconstructed energy x around the true one: probability between two ends, moment and density.

The first moment is the integral of x p(x) dx between the ends.  All arrays broadcast; all energies have the same unit.
"""

import math

import numpy as np
import scipy  # its parts load at first use: a list of experiments needs none of them

from fastscan.typing import Array

ROOT_2PI = math.sqrt(2 * math.pi)


def gaussian_density(x: Array, mean: Array, sigma: Array) -> Array:
    """Density of a Gaussian, per unit of x."""
    return np.exp(-(((x - mean) / sigma) ** 2) / 2) / (ROOT_2PI * sigma)


def gaussian_probability(low: Array | float, high: Array | float, mean: Array, sigma: Array) -> Array:
    """Probability of a Gaussian between two ends.

    The probability is a difference of two tails on the same side of the mean as the ends, so that nothing cancels far
    from the mean.

    Examples
    --------
    >>> float(gaussian_probability(-1.0, 1.0, np.array(0.0), np.array(1.0)).round(6))
    0.682689
    """
    below, above = (np.asarray(end - mean) / sigma for end in (low, high))
    flipped = below > 0
    first, last = np.where(flipped, -above, below), np.where(flipped, -below, above)
    difference: Array = scipy.special.ndtr(last) - scipy.special.ndtr(first)
    return difference


def gaussian_moment(low: Array | float, high: Array | float, mean: Array, sigma: Array) -> Array:
    """First moment of a Gaussian between two ends: mean P - sigma^2 [p(high) - p(low)].

    Examples
    --------
    >>> float(gaussian_moment(2.0, np.inf, np.array(2.0), np.array(1.0)).round(6))
    1.398942
    """
    steps = gaussian_density(np.asarray(high), mean, sigma) - gaussian_density(np.asarray(low), mean, sigma)
    moment: Array = mean * gaussian_probability(low, high, mean, sigma) - sigma**2 * steps
    return moment


def gamma_density(x: Array, mean: Array, shape: Array) -> Array:
    """Density of a gamma distribution with a mean and a shape k; its rate is k / mean."""
    rate = shape / mean
    power = scipy.special.xlogy(shape, rate) + scipy.special.xlogy(shape - 1, x)
    density: Array = np.exp(power - rate * x - scipy.special.gammaln(shape))
    return density


def gamma_probability(low: Array | float, high: Array | float, mean: Array, shape: Array) -> Array:
    """Probability of a gamma distribution between two ends; as for a Gaussian, nothing cancels in its tails.

    Examples
    --------
    With the shape 1 the distribution is an exponential:

    >>> float(gamma_probability(2.0, np.inf, np.array(1.0), np.array(1.0)).round(6))
    0.135335
    """
    rate = shape / mean
    low, high = np.maximum(low, 0.0), np.maximum(high, 0.0)
    upper = scipy.special.gammaincc(shape, rate * low) - scipy.special.gammaincc(shape, rate * high)
    lower = scipy.special.gammainc(shape, rate * high) - scipy.special.gammainc(shape, rate * low)
    probability: Array = np.where(low > mean, upper, lower)
    return probability


def gamma_moment(low: Array | float, high: Array | float, mean: Array, shape: Array) -> Array:
    """First moment of a gamma distribution between two ends; x p(x) / mean is a gamma density of shape k + 1."""
    moment: Array = mean * gamma_probability(low, high, mean * (shape + 1) / shape, shape + 1)
    return moment


def poisson_probability(count: Array, mean: Array) -> Array:
    """Probability of a count by Poisson's law.

    Examples
    --------
    >>> poisson_probability(np.array([0, 1, 2]), np.array(1.0)).round(6)
    array([0.367879, 0.367879, 0.18394 ])
    """
    probability: Array = np.exp(
        scipy.special.xlogy(count, mean) - mean - scipy.special.gammaln(np.asarray(count) + 1.0)
    )
    return probability
