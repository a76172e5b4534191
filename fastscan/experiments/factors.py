"""A further quantity in whose bins events are counted, beside energy and time, such as the shape of a pulse.

How it is distributed depends on the reconstructed energy alone, and is the same for all neutrinos.
"""

from dataclasses import dataclass

import numpy as np

from fastscan.typing import Array

Table = tuple[tuple[float, ...], ...]  # a number for each bin of energy, in each bin of the quantity


@dataclass(frozen=True)
class Factor:
    """A quantity, its bins, and how the events of each bin of energy are distributed among them.

    Attributes
    ----------
    name : str
        What people call it.
    edges : tuple of float
        Edges of its bins.
    probability : tuple of tuple of float
        Probability of each bin, for events of each bin of energy.
    shapes : tuple of (str, tuple of tuple of float)
        Names of nuisances, and how much the probabilities change at one standard deviation of each.
    """

    name: str
    edges: tuple[float, ...]
    probability: Table
    shapes: tuple[tuple[str, Table], ...] = ()

    def shares(self) -> Array:
        """The probabilities, shape (energy bins, bins)."""
        return np.array(self.probability)

    def changes(self) -> list[Array]:
        """The changes at one standard deviation of each nuisance, each of shape (energy bins, bins)."""
        return [np.array(change) for _, change in self.shapes]

    def told(self) -> str:
        """In words."""
        return f"{len(self.edges) - 1} bins from {self.edges[0]:.6g} to {self.edges[-1]:.6g}"
