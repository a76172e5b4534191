"""The bins of an experiment in the units of its file; each line of a data file belongs to one bin."""

import itertools
import math
from dataclasses import dataclass

from fastscan.inputs.columns import Columns
from fastscan.inputs.toml import Table

ENERGY, TIME = "energy", "time"
ROUNDING = 1e-6  # a label can be below its bin by this share of the bin's width


@dataclass(frozen=True)
class Bins:
    """The bins of some quantities, ordered by the first quantity, then by the next.

    Attributes
    ----------
    edges : tuple of (str, tuple of float)
        Names of the quantities and edges of their bins, in the units of the experiment's file.
    """

    edges: tuple[tuple[str, tuple[float, ...]], ...]

    @property
    def number(self) -> int:
        """The number of all bins."""
        return math.prod(len(edges) - 1 for _, edges in self.edges)

    def data(self, table: Table, common: Columns | None = None) -> Columns:
        """The columns of a table's ``file``, with one line for each bin in their order; without a file the common ones.

        The key ``bins`` can name a column of labels for each quantity, such as lower edges or centres.  The label of
        each line must be in the line's bin.

        Raises
        ------
        ExperimentError
            Where the file has more or fewer lines than there are bins, or a label in another bin.
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
