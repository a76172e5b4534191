"""A further quantity in whose bins events are counted, in addition to energy and time, such as the shape of a pulse.

The distribution of this quantity depends on the reconstructed energy alone, and is the same for all neutrinos.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from fastscan.errors import quoted
from fastscan.experiments import shapes
from fastscan.experiments.bins import ENERGY, TIME, Bins
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.typing import Array

Numbers = tuple[tuple[float, ...], ...]  # for each bin of energy, a number for each bin of the quantity


@dataclass(frozen=True)
class Factor:
    """A further quantity, its bins, and the distribution of the events of each energy bin over them.

    Attributes
    ----------
    name : str
        Name of the quantity, as output shows it.
    edges : tuple of float
        Edges of its bins.
    probability : tuple of tuple of float
        Probability of each bin of the quantity, for events of each energy bin.
    shapes : tuple of (str, tuple of tuple of float)
        Names of nuisances, and the change of the probabilities at one standard deviation of each.
    """

    name: str
    edges: tuple[float, ...]
    probability: Numbers
    shapes: tuple[tuple[str, Numbers], ...] = ()

    @classmethod
    def read(cls, table: Table, energies: Bins) -> Self:
        """The factor that the ``[factor]`` table of an experiment's file describes, over bins of energy.

        Raises
        ------
        ExperimentError
            For a key that is missing, unknown or wrong, and for a file whose lines don't fit the bins.
        """
        name, edges = table.text("name"), table.increasing("edges", *bounds.FACTOR, bounds.MOST_STEPS)
        if name in (ENERGY, TIME):
            raise table.error("name", f"{quoted(name)} has bins of its own: this is another quantity")
        if len(edges) < 2:
            raise table.error("edges", "must be two or more")
        data = Bins((*energies.edges, (name, edges))).data(table)
        central = table.column("column", data, *bounds.SHARE)
        changes = shapes.read(table, central, lambda shape, key: shape.column(key, data, *bounds.VARIED_SHARE))
        table.done()
        found = cls(
            name, edges, _by_energy(central, edges), tuple((of, _by_energy(each, edges)) for of, each in changes)
        )
        for number, total in enumerate(found.shares().sum(axis=1), 1):
            if total > 1 + bounds.SHARE_ROUNDING:
                raise table.error(
                    "column", f"must not add up to more than 1, but to {total:g} in bin {number} of energy"
                )
        return found

    def shares(self) -> Array:
        """The probabilities, shape (energy bins, bins)."""
        return np.array(self.probability)

    def changes(self) -> list[Array]:
        """The changes at one standard deviation of each nuisance, each of shape (energy bins, bins)."""
        return [np.array(change) for _, change in self.shapes]

    def told(self) -> str:
        """The factor in words."""
        number = "one bin" if len(self.edges) == 2 else f"{len(self.edges) - 1} bins"
        varied = "".join(f"; nuisance {name}" for name, _ in self.shapes)
        return f"{self.name}, {number} from {self.edges[0]:.6g} to {self.edges[-1]:.6g}{varied}"


def _by_energy(numbers: tuple[float, ...], edges: tuple[float, ...]) -> Numbers:
    """Numbers of the bins between edges, for each bin of energy in turn."""
    each = len(edges) - 1
    return tuple(numbers[first : first + each] for first in range(0, len(numbers), each))
