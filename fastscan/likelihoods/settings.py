"""The settings of experiments: systematic errors and luminosity.  They are resolved here and nowhere else.

Each experiment of a likelihood ("member") has a relative error of its signal's normalisation.  This is a value given by
the experiment's name; a value that a combination fixes, which no common value replaces; a common value; or the
experiment's own error, where no value is given or a grid leaves the axis out.  Resolved, each member has one array.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastscan.axes import LUMINOSITY, SIGMA_SYS
from fastscan.errors import ExperimentError, quoted, unknown
from fastscan.inputs import arguments
from fastscan.typing import Array

SigmaSys = ArrayLike | Mapping[str, ArrayLike | None] | None  # common, by name, or each experiment's own
Given = Mapping[str, Any]  # values by the names of axes, some of which need not be settings


def is_scaled(luminosity: float) -> bool:
    """Whether a luminosity scales data that were measured at luminosity 1; rounding errors of 1 don't.

    >>> is_scaled(1.0), is_scaled(1 + 1e-15), is_scaled(0.5), is_scaled(1000.0)
    (False, False, True, True)
    """
    return not math.isclose(luminosity, 1.0)


def counted_once(names: Sequence[str]) -> str:
    """The message that the luminosity must be 1 for counted data of some experiments, and the remedy."""
    data = f"for the counted data of experiment {', '.join(map(quoted, names))}"
    return f"must be 1 {data}; asimov=True, --asimov or asimov = true in a grid puts what is expected in their place"


@dataclass(frozen=True, eq=False)
class Settings:
    """The settings at each point, as arrays that broadcast with each other.

    Attributes
    ----------
    sigma_sys : mapping of str to array
        The relative systematic error of each member, by the member's name.
    luminosity : array
        Factor on the exposure.
    """

    sigma_sys: Mapping[str, Array]
    luminosity: Array

    @classmethod
    def resolve(cls, given: "Given | Settings", members: Sequence[str], own: Array, follows: Array) -> "Settings":
        """The settings of each member, from the settings that a caller gives or leaves out.

        Parameters
        ----------
        given : mapping
            sigma_sys is a common error or a mapping by name; None, or left out, it is each member's own error.
            luminosity is a factor; left out, it is 1.  A `Settings` is returned as it is.
        members : sequence of str
            Names of the experiments.
        own : array, shape (members,)
            The experiments' own errors, or the errors at which a combination fixes them.
        follows : array, shape (members,)
            Whether a common value replaces the member's own; 0 or 1.

        Raises
        ------
        InputError
            Where a name is not a member's, or a value is not a relative error or a factor.

        Examples
        --------
        >>> own, follows = np.array([0.2, 0.0025]), np.array([1, 0])
        >>> resolved = Settings.resolve({"sigma_sys": 0.1}, ["conus", "cr51-lxe-a"], own, follows)
        >>> resolved.told()
        [{'sigma_sys': {'conus': 0.1, 'cr51-lxe-a': 0.0025}, 'luminosity': 1.0}]
        """
        if isinstance(given, Settings):
            return given
        common, luminosity = given.get(SIGMA_SYS.name), given.get(LUMINOSITY.name)
        if isinstance(common, Mapping):
            for name in common:
                if name not in members:
                    raise unknown(f"experiment in {SIGMA_SYS.name}", name, members, ExperimentError)
            named = common
        else:
            named = {name: common for name, free in zip(members, follows, strict=True) if free}
        # A common error that replaces no member's error keeps its shape: nothing changes along its points.
        points = () if common is None or isinstance(common, Mapping) else SIGMA_SYS.check(common).shape
        errors = {}
        for name, default in zip(members, own, strict=True):
            said = named.get(name)
            errors[name] = np.broadcast_to(SIGMA_SYS.check(default), points) if said is None else SIGMA_SYS.check(said)
        return cls(errors, LUMINOSITY.check(LUMINOSITY.default if luminosity is None else luminosity))

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape of all settings."""
        errors = {f"sigma_sys of {name}": value.shape for name, value in self.sigma_sys.items()}
        return arguments.broadcast(luminosity=self.luminosity.shape, **errors)

    def told(self) -> list[dict[str, Any]]:
        """Each point for a record: the error is a number, or numbers by experiment where there are several."""
        luminosity = np.broadcast_to(self.luminosity, self.shape).ravel().tolist()
        return [
            {SIGMA_SYS.column: each if len(each) > 1 else next(iter(each.values())), LUMINOSITY.column: factor}
            for each, factor in zip(self.errors(), luminosity, strict=True)
        ]

    def errors(self) -> list[dict[str, float]]:
        """The error of each member at each point, by the member's name."""
        each = (np.broadcast_to(value, self.shape).ravel().tolist() for value in self.sigma_sys.values())
        return [dict(zip(self.sigma_sys, point, strict=True)) for point in zip(*each, strict=True)]

    def noise_and_variance(self, spread: Array) -> tuple[Array, Array]:
        """The noise and the variance that kernels take, dimensionless, each of shape (members, ...).

        noise = 1 / lam_e = 1 / lam + r, with the luminosity lam and the members' `spread` r of shape (members,), and
        variance = sigma_sys^2.
        """
        noise, variance = np.empty((2, len(self.sigma_sys), *self.shape))
        for member, sigma in enumerate(self.sigma_sys.values()):
            noise[member] = 1 / self.luminosity + spread[member]
            variance[member] = sigma**2
        return noise, variance
