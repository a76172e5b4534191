"""Limits and profiles of a cube, a group of a store: from the likelihood or from the chi2 that the cube stores.

A stored chi2 is first compared with the likelihood.  dask reads it chunk by chunk, so that a cube can be larger than
memory.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr

from fastscan.answers.question import Question
from fastscan.answers.records import doubts_of_limits, limit_record, profile_keys, toy_record, warning_of
from fastscan.axes import LUMINOSITY, SETTINGS, by_name, named
from fastscan.errors import LimitError, warn
from fastscan.inputs.files import readable
from fastscan.interactions.parameters import AXES
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.settings import Settings, is_scaled
from fastscan.limits.confidence import OUTSIDE_AXIS, Toys
from fastscan.limits.crossings import Crossings, find_crossings, infimum
from fastscan.limits.doubts import about_errors, end_of_form
from fastscan.limits.feldman_cousins import (
    Interpolated,
    ToyCrossings,
    critical_of_three,
    find_toy_crossings,
    places_of,
    require_enough,
)
from fastscan.limits.limits import Status, bounds_of, limits_of, require_standard_model, threshold, toy_limits_of
from fastscan.stores import chunks
from fastscan.stores.cube import Cube, crossed
from fastscan.typing import Array, IntArray, Record


@dataclass(frozen=True, eq=False)
class Selection:
    """The columns of a cube that a question is about: every combination of some rows and some settings.

    Attributes
    ----------
    cube : Cube
    rows : dict of str to array of int, shape (points,)
        Indices of the chosen points on the axis of each row parameter, by its name.
    settings : dict of str to (array, shape (values,), or None)
        Values of each setting by its name; None stands for the experiments' own values, or the default.
    """

    cube: Cube
    rows: dict[str, IntArray]
    settings: dict[str, Array | None]

    @classmethod
    def of(cls, cube: Cube, question: Question) -> "Selection":
        """The columns of a cube that a question is about.

        A row parameter that the question doesn't mention takes all its points.  A setting that the question doesn't
        mention takes each experiment's own value, or the default.  Row parameters that the model doesn't have are
        ignored.

        Raises
        ------
        InputError
            Where a value is out of its axis' bounds.
        LimitError
            Where an axis is unknown or is the strength's, or a row parameter is not on its axis.
        """
        at = question.at
        for name in at:
            named(name, by_name(AXES), LimitError)
            if name == cube.strength:
                raise LimitError(f"the limits of {cube.name} are limits on {name}: leave {name} out")
        rows = {name: cube.on_axis(name, cube.checked(name, at.get(name, "axis"))) for name in cube.rows}
        settings: dict[str, Array | None] = {}
        for axis in SETTINGS:
            values = at.get(axis.name)
            absent = values is None or (isinstance(values, str) and not cube.has_axis(axis.name))
            settings[axis.name] = None if absent else cube.checked(axis.name, values)
        return cls(cube, rows, settings)

    @functools.cached_property
    def numbers(self) -> IntArray:
        """Indices of the rows in the likelihood, shape (rows,)."""
        mesh = np.meshgrid(*self.rows.values(), indexing="ij")
        return np.atleast_1d(self.cube.row_numbers(dict(zip(self.rows, mesh, strict=True)))).ravel()

    @functools.cached_property
    def resolved(self) -> Settings:
        """The settings of every member at every combination."""
        given = {name: values for name, values in self.settings.items() if values is not None}
        return self.cube.likelihood.settings(crossed(given))

    @functools.cached_property
    def columns(self) -> Columns:
        """The columns from the likelihood, shape (rows * settings,): row by row, every combination of the settings."""
        return self._columns_of(self.cube.likelihood)

    @functools.cached_property
    def expected_columns(self) -> Columns:
        """The same columns with measured data replaced by the Standard Model's prediction."""
        return self._columns_of(self.cube.expected)

    def _columns_of(self, likelihood: Likelihood) -> Columns:
        row = self.numbers.reshape(-1, *(1 for _ in self.resolved.shape))
        return likelihood.columns(row, self.resolved)[0]

    @functools.cached_property
    def stored_settings(self) -> list[IntArray]:
        """Indices of the settings on the axes of the store, one array of shape (values,) for each setting.

        Raises
        ------
        LimitError
            Where a setting is not on its axis.
        """
        return [self.cube.stored_setting(name, values) for name, values in self.settings.items()]

    def points(self) -> Iterator[dict[str, Any]]:
        """The row parameters and settings of each column, as its record shows them.

        Row parameters that other models of the family have, but not this one, are None.
        """
        cube = self.cube
        lacking = dict.fromkeys(axis.column for axis in cube.interaction.family_rows)
        columns = [cube.axes[name].column for name in self.rows]
        values = [cube.points[name][index].tolist() for name, index in self.rows.items()]
        for *row, settings in itertools.product(*values, self.resolved.told()):
            yield {**lacking, **dict(zip(columns, row, strict=True)), **settings}

    def crossings(self, delta: float, root: zarr.Group | None = None) -> Crossings:
        """The crossings of the columns.

        Parameters
        ----------
        delta : float
            The threshold of Delta chi2.
        root : zarr.Group, optional
            Root of the cube's store; if given, the stored chi2 must agree with the likelihood.

        Raises
        ------
        LimitError
            With `root`, where a setting is not on its axis.
        StoreError
            With `root`, where the stored chi2 is damaged, not complete, or differs from the likelihood's.
        """
        if root is not None:
            self._require_stored(root)
        return crossings_along(self.cube, self.columns, delta)

    def profiles(self, root: zarr.Group | None = None) -> Array:
        """Delta chi2 at the points of the strength's axis.

        Parameters and errors are those of `crossings`.

        Returns
        -------
        array, shape (columns, points)
            Delta chi2, dimensionless.
        """
        chi2 = self.columns.chi2(self.cube.x)
        if root is not None:
            stored = chunks.computed(self.cube, self._stored(root)).reshape(chi2.shape)
            chunks.require_same(self.cube, stored, chi2)
            chi2 = stored
        strength = self.cube.interaction.strength
        delta: Array = chi2 - infimum(self.columns, strength.largest_x, strength.signed)[:, None]
        return delta

    def _stored(self, root: zarr.Group, name: str = "chi2") -> Any:
        """The stored chi2 of the columns as a dask array, with the dimensions of rows, settings and points.

        The stored array "toys" has another dimension at the end.
        """
        strength = len(self.rows)
        stored = chunks.stored_array(root, self.cube, name)
        order = [*(axis for axis in range(len(self.cube.points)) if axis != strength), strength]
        order += range(len(self.cube.points), stored.ndim)
        chosen = stored.transpose(order)  # type: ignore[no-untyped-call]
        for axis, index in enumerate((*self.rows.values(), *self.stored_settings)):
            chosen = chosen[(slice(None),) * axis + (index,)]
        return chosen

    def _require_stored(self, root: zarr.Group) -> None:
        """Refuse a stored chi2 that differs from the likelihood's.  Memory holds one chunk of it at a time."""
        import dask.array  # imported here, because it takes longer than most questions take to answer
        from dask.base import compute
        from dask.delayed import delayed

        cube, columns = self.cube, self.columns
        stored = self._stored(root)
        stored = stored.rechunk({stored.ndim - 1: -1})
        number = np.arange(columns.row.size).reshape(stored.shape[:-1])
        numbers = dask.array.from_array(number, chunks=stored.chunks[:-1])  # type: ignore[no-untyped-call]

        def require(block: Array, own: IntArray) -> None:
            chunks.require_values(cube, block)
            chunks.require_same(cube, block.reshape(own.size, -1), columns.some(own.ravel()).chi2(cube.x))

        tasks = [
            delayed(require)(block, own)
            for block, own in zip(stored.to_delayed().ravel(), numbers.to_delayed().ravel(), strict=True)
        ]
        with readable(f"group {cube.name}"):
            # blocks run one after the other, because the columns of a block are spread over the cores already
            compute(*tasks, scheduler="synchronous")  # type: ignore[no-untyped-call]

    def toy_crossings(self, delta: float, cl: float, root: zarr.Group) -> ToyCrossings:
        """The ends of the intervals that the stored toys accept along the columns, see `find_toy_crossings`.

        t_c is interpolated between the points of the strength's axis; t of the data comes from the likelihood.

        Parameters
        ----------
        delta : float
            The asymptotic t_c.
        cl : float
            Confidence level, a probability.
        root : zarr.Group
            Root of the cube's store.

        Raises
        ------
        LimitError
            Where a setting is not on its axis.
        StoreError
            Where the stored toys are damaged or not complete.
        """
        cube, columns = self.cube, self.columns
        order = np.argsort(cube.x)
        t_c, error = (each[:, order] for each in self._critical(root, cl))

        def critical_of(number: int) -> Interpolated:
            scale = float(columns.scale[columns.row[number]])
            return Interpolated(cube.x[order], t_c[number], error[number], scale)

        return find_toy_crossings(columns, cube.interaction.strength, delta, critical_of)

    def _critical(self, root: zarr.Group, cl: float) -> tuple[Array, Array]:
        """t_c of the stored toys at the points of the strength's axis, and its error, each (columns, points)."""
        run, cube = self.cube.toys, self.cube
        assert run is not None, "a question about toys is refused where there are none"
        stored = self._stored(root, "toys")[..., places_of(run.number, cl)]
        three = chunks.computed(cube, stored, "toys").reshape(self.columns.row.size, cube.x.size, 3)
        return critical_of_three(three)


def crossings_along(cube: Cube, columns: Columns, delta: float) -> Crossings:
    """Crossings of columns along the strength of a cube's model."""
    strength = cube.interaction.strength
    return find_crossings(columns, delta, strength.largest_x, strength.signed)


def has_limits(cube: Cube, question: Question | None = None) -> bool:
    """Whether a question about a cube is about limits that exist: x = 0 is the Standard Model in all of its rows."""
    if not cube.likelihood.departs.any():
        return True
    return not cube.likelihood.departs[Selection.of(cube, question or Question()).numbers].any()


def limit_records(
    cube: Cube, question: Question | None = None, stored_in: zarr.Group | None = None
) -> Iterator[Record]:
    """The limits of a group of a store, as records.

    Parameters
    ----------
    cube : Cube
        The group.
    question : Question, optional
        Settings can lie on the group's axes or off them, and limits are exact at both.  Settings that the question
        doesn't mention are each experiment's own errors and an exposure of 1.  Row parameters must be on the axes.
    stored_in : zarr.Group, optional
        Root of the group's store.  If given, the stored chi2 must agree with the likelihood, and settings must be on
        the axes too.  A question about stored toys needs this root.

    Returns
    -------
    iterator of dict
        The records of `fastscan.answers.records`.  A limit outside the group's axis of the strength is given and has
        the status ``outside_axis``.  Where data are measured, the expected limit comes from the likelihood, even with
        `stored_in`, because no chi2 of expected data is stored.  Limits from toys have no expected limit.

    Raises
    ------
    InputError
        Where a value, the cl or the dof is out of bounds.
    LimitError
        Where an axis is unknown or is the strength's; where a value is not on an axis and must be; where x = 0 is not
        the Standard Model; where the question is about an Asimov set or independent errors and the stored chi2 is not;
        and where stored toys are missing or have another dof.  The call itself raises these errors, before the first
        record.
    StoreError
        Where the stored chi2 is damaged, not complete, or differs from the likelihood's.

    Examples
    --------
    >>> from fastscan.scans.plan import plan
    >>> chi = plan("grids/coherent-csi.toml")[0]
    >>> limits = limit_records(chi, Question(at={"sigma_sys": [0.1, 0.28]}))
    >>> [(each["sigma_sys"], each["status"], round(each["limit_gev"], 1)) for each in limits]
    [(0.1, 'ok', 348.6), (0.28, 'ok', 195.3)]
    """
    asked = question or Question()
    cube = asked.about(cube, stored=stored_in is not None)
    selection = Selection.of(cube, asked)
    delta = threshold(asked.cl, asked.column_dof)
    require_standard_model(cube.interaction, cube.likelihood.departs[selection.numbers])
    if stored_in is not None:
        _ = selection.stored_settings  # settings that are not on the axes are refused here, before the first record
    if asked.toys is not None and cube.toys is not None:
        if cube.toys.dof != asked.column_dof:
            raise LimitError(f"{cube.name} stores toys of {cube.toys.dof} dof, but limits need {asked.column_dof} dof")
        require_enough(cube.toys.number, asked.cl)
    return _found_limits(selection, asked, delta, stored_in)


def _found_limits(
    selection: Selection, asked: Question, delta: float, stored_in: zarr.Group | None
) -> Iterator[Record]:
    """The record of each selected column; the crossings of all columns are found before the first record."""
    cube = selection.cube
    strength = cube.interaction.strength
    crossings = selection.crossings(delta, None if asked.toys and not asked.stored else stored_in)
    asymptotic, found = crossings, limits_of(crossings, strength)
    if asked.toys is not None and stored_in is not None:
        by_toys = selection.toy_crossings(delta, asked.cl, stored_in)
        crossings, found = by_toys.crossings, toy_limits_of(by_toys, asymptotic, strength)
    doubts = doubts_of_limits(crossings, cube.likelihood, strength, selection.resolved)
    warn(*itertools.chain(*doubts))
    marked = replace(found, status=_marked(cube, found.bounds, found.status))
    expected: Iterable[tuple[Array, str] | None] = itertools.repeat(None)
    if cube.is_measured and asked.toys is None:  # expected limits from toys would need other toys, which aren't stored
        bounds, status = bounds_of(crossings_along(cube, selection.expected_columns, delta), strength)
        expected = zip(bounds, _marked(cube, bounds, status), strict=True)
    names, level = (cube.experiment, cube.model), (asked.cl, asked.column_dof)
    for number, (point, instead) in enumerate(zip(selection.points(), expected, strict=False)):
        record = limit_record(
            *(names, point, level, marked, number, cube.interaction, instead, doubts[number]),
            *(cube.is_asimov, cube.likelihood.shared),
        )
        if asked.toys is not None and cube.toys is not None:
            record["scaled_data"] = cube.is_measured and is_scaled(point[LUMINOSITY.column])
            record |= toy_record(Toys(cube.toys.number, cube.toys.seed), marked, number, cube.interaction)
        yield record


def _marked(cube: Cube, bounds: Array, status: Status) -> Status:
    """The status of bounds, replaced by `OUTSIDE_AXIS` where a bound lies outside the axis of the strength."""
    axis = cube.points[cube.strength]
    outside = np.isfinite(bounds) & ((bounds < axis.min()) | (bounds > axis.max()))
    return np.where(outside if outside.ndim == 1 else outside.any(axis=1), OUTSIDE_AXIS, status)


def profile_records(
    cube: Cube, question: Question | None = None, stored_in: zarr.Group | None = None
) -> Iterator[Record]:
    """Delta chi2 at each point of a group's strength axis, as records.

    Parameters and errors are those of `limit_records`, but the first record raises the errors, not the call.

    Returns
    -------
    iterator of dict
        Records with the keys of `profile_keys`.
    """
    asked = question or Question()
    cube = asked.about(cube, stored=stored_in is not None)
    selection = Selection.of(cube, asked)
    strengths = cube.points[cube.strength].tolist()
    values = selection.profiles(stored_in).tolist()
    end, text = end_of_form(cube.interaction.strength, cube.likelihood.momentum_transfers)
    ended = [[text] if strength < end else [] for strength in strengths]
    errors = [about_errors(each) for each in selection.resolved.errors()]
    warn(*itertools.chain(*errors, *ended))
    for point, column, doubts in zip(selection.points(), values, itertools.cycle(errors), strict=False):
        settings = (cube.experiment, cube.model, *point.values())
        scaled = cube.is_measured and is_scaled(point[LUMINOSITY.column])
        for strength, delta, ends in zip(strengths, column, ended, strict=True):
            last = (scaled, warning_of([*doubts, *ends]), cube.is_asimov, list(cube.likelihood.shared))
            record = (*settings, strength, delta, *last)
            yield dict(zip(profile_keys(cube.interaction), record, strict=True))
