"""The systematic errors of the signals' normalisations: whoever gives them, they are resolved here and nowhere else.

Each experiment of a likelihood ("member") has one.  It is the experiment's own, where nobody says anything or a grid
leaves the axis out; a common value; one that is given by the experiment's name; or one that a combination fixes, which
no common value replaces.  Resolved, all of these are one thing: an array for each member.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fastscan.axes import SIGMA_SYS
from fastscan.errors import unknown
from fastscan.inputs import arguments
from fastscan.typing import Array

Given = ArrayLike | Mapping[str, ArrayLike | None] | None  # what a caller says: common, by name, or nothing


@dataclass(frozen=True, eq=False)
class SigmaSys:
    """The relative systematic error of each member, as arrays that broadcast with each other; by the member's name."""

    values: Mapping[str, Array]

    @classmethod
    def resolve(cls, given: "Given | SigmaSys", members: Sequence[str], own: Array, follows: Array) -> "SigmaSys":
        """What holds for each member, where a caller says something or nothing.

        Parameters
        ----------
        given : array_like, mapping or None
            A common value, values by name, or each member's own.  A `SigmaSys` is passed through.
        members : sequence of str
            Names of the experiments.
        own : array, shape (members,)
            Their own errors, or those at which a combination fixes them.
        follows : array, shape (members,)
            Whether a common value replaces the member's own; 0 or 1.

        Raises
        ------
        InputError
            For a name that is no member's, or a value that is no relative error.

        Examples
        --------
        >>> own, follows = np.array([0.2, 0.0025]), np.array([1, 0])
        >>> resolved = SigmaSys.resolve(0.1, ["conus", "cr51-lxe-a"], own, follows)
        >>> {name: float(value) for name, value in resolved.values.items()}
        {'conus': 0.1, 'cr51-lxe-a': 0.0025}
        """
        if isinstance(given, SigmaSys):
            return given
        if isinstance(given, Mapping):
            for name in given:
                if name not in members:
                    raise unknown("experiment in sigma_sys", name, members)
            named = given
        else:
            named = {name: given for name, free in zip(members, follows, strict=True) if free}
        values = {}
        for name, default in zip(members, own, strict=True):
            said = named.get(name)
            values[name] = SIGMA_SYS.check(default if said is None else said)
        return cls(values)

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape of the members' errors."""
        return arguments.broadcast(**{f"sigma_sys of {name}": value.shape for name, value in self.values.items()})

    def told(self) -> "list[float | dict[str, float]]":
        """Each point as records have it: a number, or numbers by experiment where there are several."""
        each = [np.broadcast_to(value, self.shape).ravel().tolist() for value in self.values.values()]
        points = [dict(zip(self.values, point, strict=True)) for point in zip(*each, strict=True)]
        return [point if len(point) > 1 else next(iter(point.values())) for point in points]
