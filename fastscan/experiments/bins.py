"""The bins of an experiment as its file has them; each line of a data file is one of them."""

import itertools
import math
from dataclasses import dataclass

from fastscan.inputs.columns import Columns
from fastscan.inputs.toml import Table

ENERGY, TIME = "energy", "time"
ROUNDING = 1e-6  # of the width of a bin, by which a label can be below it


@dataclass(frozen=True)
class Bins:
    """The bins of some quantities: those of the first one after the other, each in all those of the next.

    Attributes
    ----------
    edges : tuple of (str, tuple of float)
        Names of the quantities and edges of their bins, in the units in which the experiment's file has them.
    """

    edges: tuple[tuple[str, tuple[float, ...]], ...]

    @property
    def number(self) -> int:
        """How many bins there are."""
        return math.prod(len(edges) - 1 for _, edges in self.edges)

    def data(self, table: Table, common: Columns | None = None) -> Columns:
        """The columns of the ``file`` of a table, whose lines are those of the bins in their order; else common ones.

        Columns that ``bins`` names, by quantity, have a number in each line that is in its bin: a lower edge, a centre.

        Raises
        ------
        ExperimentError
            Where the file has more lines or fewer than there are bins, or one that belongs to another bin.
        """
        if common is not None and "file" not in table:
            return common
        found = table.data("file")
        if len(found.rows) != self.number:
            told = f"must have a line for each of the {self.number} bins, not {len(found.rows)} lines"
            raise table.error("file", f"{found.where}: {told}")
        if "bins" in table:
            self._check_labels(table.table("bins"), found)
        return found

    def _check_labels(self, labels: Table, data: Columns) -> None:
        given = {name: labels.column(name, data, -math.inf, math.inf) for name, _ in self.edges if name in labels}
        labels.done()
        for line, place in enumerate(itertools.product(*(itertools.pairwise(edges) for _, edges in self.edges))):
            for (name, _), (low, high) in zip(self.edges, place, strict=True):
                room = ROUNDING * (high - low)
                if name in given and not low - room <= given[name][line] < high - room:
                    told = f"{name} {given[name][line]:g} isn't in the bin from {low:g} to {high:g}, which is in turn"
                    raise labels.error(name, f"{data.where}: line {data.lines[line]}: {told}")
