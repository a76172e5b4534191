"""Quadrature: integrals of functions that are smooth between two ends, by one rule for sources and rates."""

import functools

import numpy as np
from numpy.typing import ArrayLike

from fastscan.typing import Array

NODES = 24  # on each smooth piece: 64 nodes change no response by more than 1e-12
STEEPEST = 4.0  # largest ratio of the ends of a piece on which powers are smooth
STEEPEST_LOGARITHMIC = 100.0  # the same for powers and propagators, with nodes in the logarithm
STEEPEST_PROPAGATOR = 10.0  # the same for propagators that are interpolated in the logarithm, to 1e-12
SMALLEST = 1e-24  # times the first end above 0: below this the integral is negligible


def gauss_legendre(low: Array | float, high: Array | float) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss-Legendre rule on intervals [low, high].

    Parameters
    ----------
    low, high : array, shape (...)
        Ends of the intervals; they broadcast.

    Returns
    -------
    nodes, weights : array, shape (..., NODES)
        In the unit of the ends: an integral is the sum of weights times the integrand at the nodes.

    Examples
    --------
    >>> nodes, weights = gauss_legendre(0.0, 3.0)
    >>> float((weights * nodes**2).sum().round(9))
    9.0
    """
    nodes, weights = _rule(NODES)
    half = np.asarray(high - low)[..., None] / 2
    return np.asarray(low)[..., None] + half * (1 + nodes), half * weights


def area_of_linear(energies: ArrayLike, values: ArrayLike) -> float:
    """Integral of a function that is linear between values at energies, both of shape (points,).

    Examples
    --------
    >>> area_of_linear([0.0, 1.0, 3.0], [0.0, 2.0, 0.0])
    3.0
    """
    values = np.asarray(values)
    return float(np.diff(energies) @ (values[1:] + values[:-1])) / 2


def logarithmic(low: Array, high: Array) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss-Legendre rule in the logarithm, on intervals [low, high] above 0.

    Parameters and returns are as in `gauss_legendre`.

    Examples
    --------
    A propagator of a light mediator, where 24 nodes in the variable itself miss the fourth digit:

    >>> low, high = np.array(1e-4), np.array(1e-2)
    >>> nodes, weights = logarithmic(low, high)
    >>> float((weights / (nodes + 1e-6) ** 2).sum().round(6)), float((1 / (low + 1e-6) - 1 / (high + 1e-6)).round(6))
    (9801.000098, 9801.000098)
    """
    nodes, weights = gauss_legendre(np.zeros_like(low), np.log(high / low))
    found = np.asarray(low)[..., None] * np.exp(nodes)
    return found, found * weights


def panels(ends: Array, steepest: float) -> Array:
    """Ends of pieces, with further ends between them, so that the ratio of neighbouring ends is limited.

    Parameters
    ----------
    ends : array, shape (ends,)
        Ascending, at least 0; the array can be empty.
    steepest : float
        Largest ratio of neighbouring ends: `STEEPEST`, or `STEEPEST_LOGARITHMIC` for nodes in the logarithm.

    Returns
    -------
    array, shape (more ends,)
        Ascending and positive: a first end of 0 is replaced by a geometric series towards 0.

    Examples
    --------
    >>> panels(np.array([0.1, 10.0, 2000.0]), 100.0).round(3)
    array([1.00000e-01, 1.00000e+01, 1.41421e+02, 2.00000e+03])
    >>> panels(np.array([0.0, 1.0]), 100.0)[[0, -2, -1]]
    array([1.e-24, 1.e-02, 1.e+00])
    """
    if ends.size < 2:
        return ends
    if ends[0] == 0:
        ends = np.array([SMALLEST * ends[1], *ends[1:]])
    ratios = np.log(ends[1:] / ends[:-1]) / np.log(steepest)
    pieces = np.maximum(np.ceil(ratios - 1e-9), 1).astype(int)
    between = [
        np.geomspace(ends[place], ends[place + 1], pieces[place], endpoint=False)[1:]
        for place in np.flatnonzero(pieces > 1)  # only few of many bins are divided
    ]
    return np.sort(np.concatenate([ends, *between]))


def interpolation(low: float, high: float, at: Array) -> Array:
    """Weights that interpolate a smooth function at points in [low, high] from its values at nodes of `logarithmic`.

    The interpolation is the polynomial in the logarithm that has the function's values at all nodes.

    Parameters
    ----------
    low, high : float
        Ends of the interval, above 0.
    at : array, shape (points,)
        Points in the interval.

    Returns
    -------
    array, shape (NODES, points)
        The values at the nodes times these weights, summed over nodes, are the values at the points.

    Examples
    --------
    >>> nodes, _ = logarithmic(np.array(1.0), np.array(10.0))
    >>> share = interpolation(1.0, 10.0, np.array([5.0]))
    >>> (1 / (nodes + 2) @ share * 7).round(12)
    array([1.])
    """
    nodes, weights = _rule(NODES)
    order = np.arange(NODES) + 0.5
    polynomials = np.polynomial.legendre.legvander(2 * np.log(at / low) / np.log(high / low) - 1, NODES - 1)
    share: Array = (weights[:, None] * np.polynomial.legendre.legvander(nodes, NODES - 1) * order) @ polynomials.T
    return share


@functools.cache
def _rule(nodes: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(nodes)
