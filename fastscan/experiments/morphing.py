"""Morphing: templates that depend on one or two parameters, given at anchors and bilinear in between.

The template at which all parameters are 0 is the nominal one.
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

MOST_PARAMETERS = 2  # largest number of parameters on which templates depend


@dataclass(frozen=True, eq=False)
class Morphed:
    """Templates at anchors of parameters.

    Attributes
    ----------
    parameters : tuple of str
        Names of the parameters.
    anchors : tuple of tuple of float
        Anchors of each parameter: increasing values, one of which is 0.
    values : array, shape (anchors of the first parameter, anchors of the second, ..., any)
        The templates at the anchors.
    """

    parameters: tuple[str, ...]
    anchors: tuple[tuple[float, ...], ...]
    values: Array

    @classmethod
    def read(cls, table: Table, data: Arrays, *shape: int) -> Self:
        """The templates in the array that the key ``array`` names.

        The key ``morph`` names the parameters, and arrays with the parameters' names are their anchors.

        Parameters
        ----------
        table : Table
        data : Arrays
            The arrays of the file.
        *shape : int
            The shape of one template, which follows the dimensions of the anchors; -1 for any size.

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
        """The templates at which all parameters are 0, shape (any)."""
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
    """The anchors of a parameter; an `InputError` unless they increase from below 0, through 0, to above."""
    found: tuple[float, ...] = tuple(data.array(name, -1).tolist())
    if any(one >= other for one, other in itertools.pairwise(found)) or 0.0 not in found[1:-1]:
        raise InputError(f"{data.where}: {name} must increase from below 0 to above, and have 0 in it")
    return found
