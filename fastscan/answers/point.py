"""Limits of experiments, without a grid and without a store."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastscan.answers.question import Question
from fastscan.answers.records import doubts_of_limits, limit_record, over_g
from fastscan.axes import SETTINGS, Axis, by_name
from fastscan.errors import warn
from fastscan.experiments.catalogue import load_all
from fastscan.interactions import catalogue
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.settings import Settings
from fastscan.limits import limits, points
from fastscan.limits.crossings import Crossings, find_crossings
from fastscan.limits.points import Rows
from fastscan.typing import Record


def limits_at_points(names: Sequence[str], model: str, question: Question) -> list[Record]:
    """The limits of one or several experiments at every combination of the values of each axis, without a store.

    Values of sigma_sys that are given by experiment go together, the first with the first.  Beside the keys of every
    record, ``expected_gev`` is the limit with measured data replaced by the Standard Model's prediction (None without
    data), with its ``expected_status``; for a user's own U(1)' both the intervals and this limit are there for
    M_Z' / g' too, as ``allowed_over_g_gev`` and ``expected_over_g_gev``.
    """
    experiments, interaction = load_all(names), catalogue.load(model)
    delta = limits.threshold(question.cl, question.column_dof)
    given = _crossed(question.at, (*interaction.rows, *SETTINGS))
    at = {name: values for name, values in given.items() if name not in by_name(SETTINGS)}
    rows = points.prepare(experiments, interaction, at)
    settings = rows.likelihood.settings(given)
    crossings = _crossings(rows, settings, delta)
    found = limits.limits_of(crossings, interaction.strength)
    doubts = doubts_of_limits(crossings, rows.likelihood, interaction.strength, settings)
    warn(*itertools.chain(*doubts))
    expected: list[tuple[float | None, str | None]] = [(None, None)] * found.bounds.size
    if any(each.is_measured for each in experiments):
        projected = points.prepare([each.expected() for each in experiments], interaction, at)
        errors = dict(zip(projected.likelihood.members, settings.sigma_sys.values(), strict=True))
        instead = _crossings(projected, replace(settings, sigma_sys=errors), delta)
        projections = limits.limits_of(instead, interaction.strength)
        expected = list(zip(map(_number, projections.bounds), projections.status.tolist(), strict=True))
    told = ("+".join(each.name for each in experiments), interaction.name)
    level = (question.cl, question.column_dof)
    records = []
    for number, point in enumerate(_points(interaction, at, settings)):
        record = limit_record(told, point, level, found, number, interaction, doubts[number])
        records.append(_with_expected(record, *expected[number], interaction.g_prime))
    return records


def _crossed(at: Mapping[str, Any], axes: Sequence[Axis]) -> dict[str, Any]:
    """Values of some axes by name, along a dimension for each axis; other names stay as they are."""
    dimension = {axis.name: number for number, axis in enumerate(axes)}

    def along(name: str, values: Any) -> Any:
        if values is None or name not in dimension:
            return values
        if isinstance(values, Mapping):  # by experiment
            return {member: along(name, each) for member, each in values.items()}
        checked = by_name(axes)[name].check(values)
        return checked.reshape([-1 if number == dimension[name] else 1 for number in range(len(axes))])

    return {name: along(name, values) for name, values in at.items()}


def _crossings(rows: Rows, settings: Settings, delta: float) -> Crossings:
    return find_crossings(rows.likelihood.columns(rows.index, settings)[0], delta, rows.largest_x)


def _points(interaction: Interaction, at: Mapping[str, Any], settings: Settings) -> Iterator[dict[str, Any]]:
    """The part of each record that says where it is, the last setting fastest."""
    lacking = dict.fromkeys(axis.column for axis in interaction.family_rows)
    values = [at[axis.name].ravel().tolist() for axis in interaction.rows]
    for *row, setting in itertools.product(*values, settings.told()):
        yield {**lacking, **dict(zip((axis.column for axis in interaction.rows), row, strict=True)), **setting}


def _with_expected(record: Record, expected: float | None, status: str | None, g: float | None) -> Record:
    """A record with its expected limit, before its warning."""
    warning = record.pop("warning")
    over = None if g is None else [(over_g(low, g), over_g(high, g)) for low, high in record["allowed_gev"]]
    return {
        **record,
        "expected_gev": expected,
        "expected_status": status,
        "allowed_over_g_gev": over,
        "expected_over_g_gev": over_g(expected, g),
        "warning": warning,
    }


def _number(value: float) -> float | None:
    """A number, or None for one that isn't there."""
    return None if np.isnan(value) else float(value)
