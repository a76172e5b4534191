"""A cube: the contents of a group of a store, the way it is cut into chunks, and the identity of its run.

Nothing is read or written here: `fastscan.stores.store` stores a cube's group, and `fastscan.stores.chunks` its values.
"""

import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastscan.axes import SETTINGS, Axis, by_name, named
from fastscan.errors import LimitError, quoted
from fastscan.experiments.experiment import channels_of
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.settings import Settings
from fastscan.stores.layout import Index, Layout
from fastscan.typing import Array, Channel, IntArray

LOOKED_AT = 32  # rows of a cube in which its couplings are compared with today's formula
ON_AXIS = 1e-9  # largest distance of a value from a point, relative to the value or to the axis' smallest step


@dataclass(frozen=True)
class ToyRun:
    """Toys at each point of a cube, as a grid asks for them.

    Attributes
    ----------
    number, seed : int
        Number of toys at each point, and the seed of their random numbers.
    dof : int
        t of a toy is chi2 minus an infimum: over the strength where dof is 1, and over all rows too where it is 2.
    """

    number: int
    seed: int
    dof: int = 1


@dataclass(frozen=True, eq=False)
class Cube:
    """A group of a store: its contents, and the way it is cut.

    Attributes
    ----------
    name, title, label, references
        ``<experiment>/<model>``, the title of the grid, the label of the experiment, and the references to cite.
    identity : dict
        All inputs that determine the numbers, as the user gave them.  Two runs are the same if their hashes are equal.
    interaction : Interaction
        The model.
    points : dict of str to array
        The points of each axis, in its unit, by the axis' name, in the order of the dimensions: rows, strength,
        settings.
    layout : Layout
        The shapes of the cube and its chunks.
    likelihood : Likelihood
        The likelihood in the rows of the grid, the last row parameter fastest.
    expected : Likelihood
        The likelihood with measured data replaced by the Standard Model's prediction; `likelihood` itself where no data
        are measured.
    """

    name: str
    title: str
    label: str
    references: tuple[str, ...]
    identity: dict[str, Any]
    interaction: Interaction
    points: dict[str, Array]
    layout: Layout
    likelihood: Likelihood
    expected: Likelihood

    @functools.cached_property
    def hash(self) -> str:
        return hash_of(self.identity)

    @property
    def experiment(self) -> str:
        """Name of the experiment, or of the combination."""
        return self.name.split("/")[0]

    @property
    def model(self) -> str:
        return self.name.split("/")[1]

    @property
    def is_measured(self) -> bool:
        """Whether any of the data are measured, so that an observed limit differs from the expected one."""
        return self.expected is not self.likelihood

    @property
    def is_asimov(self) -> bool:
        """Whether the grid asks for an Asimov set: the Standard Model's prediction in place of measured data."""
        return self.identity.get("asimov") is True

    def with_expected_data(self) -> "Cube":
        """The cube that the same grid makes with ``asimov = true``."""
        return replace(self, identity={**self.identity, "asimov": True}, likelihood=self.expected)

    def with_independent_errors(self) -> "Cube":
        """The cube that the same grid makes where its combination has ``independent = true``."""
        likelihood = self.likelihood.independent()
        expected = self.expected.independent() if self.is_measured else likelihood
        return replace(self, identity={**self.identity, "independent": True}, likelihood=likelihood, expected=expected)

    @property
    def toys(self) -> "ToyRun | None":
        """The toys that are stored at each point; None without toys."""
        return ToyRun(**self.identity["toys"]) if "toys" in self.identity else None

    @property
    def axes(self) -> dict[str, Axis]:
        """The axes by their names, in the order of the dimensions."""
        return by_name((*self.interaction.parameters, *SETTINGS))

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the axes of the row parameters."""
        return tuple(axis.name for axis in self.interaction.rows)

    @property
    def strength(self) -> str:
        """Name of the strength's axis, along which columns run."""
        return self.interaction.strength.axis.name

    @property
    def interaction_axes(self) -> tuple[str, ...]:
        """Names of the axes of the model: its row parameters and its strength."""
        return (*self.rows, self.strength)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Number of points of each row parameter; empty without row parameters."""
        return tuple(self.points[name].size for name in self.rows)

    @property
    def x(self) -> Array:
        """The strengths x of the points of the strength's axis, dimensionless, shape (points,)."""
        return self.interaction.strength.to_x(self.points[self.strength])

    @property
    def has_events(self) -> bool:
        """Whether events are stored, which a combination doesn't have."""
        return "events" in self.layout.arrays

    def changes_along(self, name: str) -> bool:
        """Whether the group has an axis along which something changes; a fixed error changes nothing."""
        return self.has_axis(name) and (name in self.interaction_axes or self.likelihood.own(name).size > 0)

    def has_axis(self, name: str) -> bool:
        """Whether the group has an axis; an axis that the grid leaves out counts if it has a default."""
        return name in self.points and (name in self.identity["axes"] or self.axes[name].default is not None)

    def axis_points(self, name: str) -> Array:
        """The points of an axis in its unit, shape (points,); a `LimitError` if the group doesn't have the axis."""
        if not self.has_axis(name):
            raise LimitError(f"{self.name} has no axis {name}")
        return self.points[name]

    def on_axis(self, name: str, values: Array) -> IntArray:
        """Indices of values among the points of an axis.

        Parameters
        ----------
        name : str
            Name of the axis.
        values : array, shape (values,)
            Values in the unit of the axis.

        Returns
        -------
        array of int, shape (values,)

        Raises
        ------
        LimitError
            Where the group doesn't have the axis, or a value isn't on the axis; the error names the nearest point.
        """
        points, axis = self.axis_points(name), self.axes[name]
        # the index of the nearest point is the number of midpoints below the value
        nearest: IntArray = np.searchsorted(points[:-1] + np.diff(points) / 2, values)
        step = np.diff(points).min() if points.size > 1 else 0.0
        missed = np.flatnonzero(~(np.abs(points[nearest] - values) <= ON_AXIS * np.maximum(step, np.abs(values))))
        if missed.size:
            wanted, there = (axis.told(each.ravel()[missed[0]]) for each in (values, points[nearest]))
            raise LimitError(f"{name} = {wanted} is not on the axis of {self.name}; the nearest is {there}")
        return nearest

    def checked(self, name: str, values: Any) -> Array:
        """Values of one of the group's axes, checked.

        Parameters
        ----------
        name : str
            Name of the axis.
        values : array_like or "axis"
            Values in the unit of the axis; "axis" stands for all of its points.

        Returns
        -------
        array, shape (values,)

        Raises
        ------
        InputError
            Where a value is out of the axis' bounds.
        LimitError
            Where the axis is unknown or the group doesn't have it, or another text is given.
        """
        axis = named(name, self.axes, LimitError)
        if not isinstance(values, str):
            return np.atleast_1d(axis.check(values)).ravel()
        if values != "axis":
            raise LimitError(f"{name} is a number, several, or 'axis', not {quoted(values)}")
        return self.axis_points(name)

    def stored_setting(self, name: str, values: Array | None) -> IntArray:
        """Indices of a setting's values among the points of its axis.

        Parameters
        ----------
        name : str
            Name of the setting.
        values : array, shape (values,), or None
            None stands for the members' own value.

        Returns
        -------
        array of int, shape (values,) or (1,)

        Raises
        ------
        LimitError
            Where a value is not on the axis, or the members have different values of their own.
        """
        if values is None:
            if not self.changes_along(name):
                return np.zeros(1, np.intp)
            values = np.unique(self.likelihood.own(name))
            if values.size > 1:
                raise LimitError(f"{self.name}: no stored chi2 has each experiment's own {name}; say which")
        return self.on_axis(name, values)

    def noise_and_variance(self, index: Sequence[slice]) -> tuple[Array, Array]:
        """The noise and the variance at a part of the settings' axes, for the kernels.

        Parameters
        ----------
        index : sequence of slice
            The part of each axis of `fastscan.axes.SETTINGS`, in their order.

        Returns
        -------
        noise, variance : array, shape (members, sigma_sys, luminosity)
            See `fastscan.likelihoods.settings.Settings.noise_and_variance`; dimensionless.
        """
        return self.settings_at(index).noise_and_variance(self.likelihood.spread)

    def settings_at(self, index: Sequence[slice]) -> Settings:
        """Each member's settings at a part of the settings' axes, see `noise_and_variance`."""
        parts = zip(SETTINGS, index, strict=True)
        given = {axis.name: self.points[axis.name][part] for axis, part in parts if self.has_axis(axis.name)}
        return self.likelihood.settings(crossed(given))

    def parts(self, index: Index) -> tuple[IntArray, slice, Sequence[slice]]:
        """The part of the cube that a chunk covers: the numbers of its rows, and slices of the other axes.

        Parameters
        ----------
        index : tuple of int
            The chunk's index over the dimensions of the cube.

        Returns
        -------
        array of int, shape (rows, ...)
            Numbers of rows, with a dimension for each row parameter.
        slice
            The part of the strength's axis.
        sequence of slice
            The parts of the settings' axes.
        """
        region, rows = self.layout.region(index), len(self.rows)
        mesh = np.meshgrid(*(np.arange(part.start, part.stop) for part in region[:rows]), indexing="ij")
        return self.row_numbers(dict(zip(self.rows, mesh, strict=True))), region[rows], region[rows + 1 :]

    def row_numbers(self, at: Mapping[str, IntArray]) -> IntArray:
        """The number of each row in the likelihood.

        Parameters
        ----------
        at : mapping of str to array of int, shape (...)
            Indices on the axis of each row parameter, by name; they broadcast.

        Returns
        -------
        array of int, shape (...)
            The shape is () for a model without row parameters.
        """
        if not self.rows:
            return np.zeros((), np.intp)
        numbers: IntArray = np.ravel_multi_index(tuple(at[name] for name in self.rows), self.row_shape)
        return numbers

    def at_rows(self, values: Mapping[str, Array]) -> tuple[Likelihood, IntArray]:
        """The likelihood at any values of the row parameters, on the axes or off them.

        Parameters
        ----------
        values : mapping of str to array, shape (...)
            The row parameters by name, in the units of their axes; they broadcast.

        Returns
        -------
        Likelihood
            The likelihood in the rows of these values.
        array of int, shape (...)
            The number of each value's row in this likelihood.

        Raises
        ------
        LimitError
            Where a value is off the axis, and the cube was made with other couplings than today's formula gives.
        """
        if not self.rows:
            return self.likelihood, np.zeros((), np.intp)
        if all(np.isin(values[name], self.points[name]).all() for name in self.rows):
            return self.likelihood, self.row_numbers({name: self.on_axis(name, values[name]) for name in self.rows})
        each, place = zip(*(np.unique(values[name], return_inverse=True) for name in self.rows), strict=True)
        sizes = [axis.size for axis in each]
        # one number for each combination of the values; not all combinations need occur
        number = np.ravel_multi_index(tuple(np.broadcast_arrays(*place)), sizes)
        occurring, number = (np.arange(sizes[0]), number) if len(sizes) == 1 else np.unique(number, return_inverse=True)
        rows = zip(self.rows, each, np.unravel_index(occurring, sizes), strict=True)
        self._require_own_couplings()
        return self._in_rows({name: axis[index] for name, axis, index in rows}), number

    def _in_rows(self, rows: Mapping[str, Array]) -> Likelihood:
        """The likelihood at some values of the row parameters, by the model's formula in this version."""
        return self.likelihood.in_rows(self.interaction, self.channels, rows)

    @property
    def row_values(self) -> dict[str, Array]:
        """The row parameters of each row of the likelihood by name, shape (rows,)."""
        mesh = np.meshgrid(*(self.points[name] for name in self.rows), indexing="ij")
        return {name: each.ravel() for name, each in zip(self.rows, mesh, strict=True)}

    @property
    def channels(self) -> list[tuple[Channel, ...]]:
        """The channels of each member."""
        found = (self.identity["experiments"][member] for member in self.likelihood.members)
        return [channels_of(each["channel"], each["electrons"]) for each in found]

    def _require_own_couplings(self) -> None:
        """Refuse a cube whose couplings differ from today's formula; this is checked in `LOOKED_AT` of its rows."""
        if self._has_own_couplings:
            return
        told = " or ".join(self.rows)
        raise LimitError(f"{self.name} was made with other couplings than this fastscan's between its {told}")

    @functools.cached_property
    def _has_own_couplings(self) -> bool:
        own = np.unique(np.linspace(0, math.prod(self.row_shape) - 1, LOOKED_AT).astype(np.intp))
        places = zip(self.rows, np.unravel_index(own, self.row_shape), strict=True)
        again = self._in_rows({name: self.points[name][index] for name, index in places})
        rates = self.likelihood.rates[:, own] if self.likelihood.exchanges else self.likelihood.rates
        return all(
            np.allclose(*pair, rtol=1e-9, atol=1e-15)
            for pair in ((again.change, self.likelihood.change[:, own]), (again.rates, rates))
        )


def crossed(settings: Mapping[str, Array]) -> dict[str, Array]:
    """Values of settings as arrays that broadcast to every combination.

    Parameters
    ----------
    settings : mapping of str to array, shape (values,)
        Values of some settings by name.

    Returns
    -------
    dict of str to array
        The same values.  Each setting has its own dimension, in the order of `fastscan.axes.SETTINGS`.
    """
    number = {axis.name: dimension for dimension, axis in enumerate(SETTINGS)}
    return {
        name: values.reshape([-1 if dimension == number[name] else 1 for dimension in range(len(SETTINGS))])
        for name, values in settings.items()
    }


def hash_of(identity: Any) -> str:
    """The hash of an identity, whatever the order of its entries."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def differences(one: Any, other: Any, name: str = "") -> list[str]:
    """Names of the entries in which two identities differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [name]
    return [
        different
        for key in sorted({*one, *other})
        for different in differences(one.get(key), other.get(key), f"{name}.{key}".strip("."))
    ]
