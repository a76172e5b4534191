"""Integrals of what is smooth between two ends as sums: the one rule that sources and rates share."""

import functools

import numpy as np
from numpy.typing import ArrayLike

from fastscan.typing import Array

NODES = 24  # on each smooth piece: 64 change no response by more than 1e-12


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
    """Integral of what is linear between its values, of shape (points,), at energies of that shape.

    Examples
    --------
    >>> area_of_linear([0.0, 1.0, 3.0], [0.0, 2.0, 0.0])
    3.0
    """
    values = np.asarray(values)
    return float(np.diff(energies) @ (values[1:] + values[:-1])) / 2


@functools.cache
def _rule(nodes: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(nodes)
