"""Templates that follow parameters: given at anchors of one or two of them, bilinear in between.

Where all parameters are 0 a template is the nominal one.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from fastscan.errors import InputError
from fastscan.inputs.arrays import Arrays
from fastscan.inputs.toml import Table
from fastscan.typing import Array

MOST_PARAMETERS = 2  # that templates follow


@dataclass(frozen=True, eq=False)
class Morphed:
    """Templates at anchors of parameters.

    Attributes
    ----------
    parameters : tuple of str
        Names of the parameters.
    anchors : tuple of tuple of float
        Values of each, increasing, of which one is 0.
    values : array, shape (anchors of the first, of the second, ..., any)
    """

    parameters: tuple[str, ...]
    anchors: tuple[tuple[float, ...], ...]
    values: Array

    @classmethod
    def read(cls, table: Table, data: Arrays, *shape: int) -> Self:
        """The templates of the key ``array``, of a shape beside that of the anchors of the parameters in ``morph``.

        Anchors are the arrays that have the parameters' names.

        Raises
        ------
        ExperimentError
            For a key that is missing or wrong, and arrays that are missing or have another shape.
        """
        names = table.texts("morph") if "morph" in table else ()
        if len(names) > MOST_PARAMETERS:
            raise table.error("morph", f"must be at most {MOST_PARAMETERS} parameters, not {len(names)}")
        anchors = tuple(table.checked("morph", partial(_anchors, data, name)) for name in names)
        array = table.text("array")
        values = table.checked("array", lambda: data.array(array, *map(len, anchors), *shape))
        if values.min() < 0:
            raise table.error("array", f"{data.where}: {array} has events below 0")
        return cls(names, anchors, values)

    @property
    def nominal(self) -> Array:
        """The templates where all parameters are 0, shape (any)."""
        return self.at(dict.fromkeys(self.parameters, 0.0))

    def at(self, parameters: Mapping[str, float]) -> Array:
        """The templates at values of the parameters, shape (any).

        Examples
        --------
        >>> found = Morphed(("one",), ((-1.0, 0.0, 1.0),), np.array([[8.0], [10.0], [14.0]]))
        >>> found.nominal, found.at({"one": 0.25})
        (array([10.]), array([11.]))
        """
        found = self.values
        for name, anchors in zip(self.parameters, self.anchors, strict=True):
            place = float(np.interp(parameters[name], anchors, np.arange(len(anchors))))
            low = min(int(place), len(anchors) - 2)
            found = found[low] + (place - low) * (found[low + 1] - found[low])
        return found


def _anchors(data: Arrays, name: str) -> tuple[float, ...]:
    """The anchors of a parameter; an InputError where they don't increase from below 0 to above."""
    found: tuple[float, ...] = tuple(data.array(name, -1).tolist())
    if any(one >= other for one, other in itertools.pairwise(found)) or 0.0 not in found[1:-1]:
        raise InputError(f"{data.where}: {name} must increase from below 0 to above, and have 0 in it")
    return found
