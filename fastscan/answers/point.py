"""One limit of experiments, without a grid and without a store."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fastscan.answers.question import Question
from fastscan.answers.records import limit_record, over_g
from fastscan.axes import SETTINGS, by_name
from fastscan.experiments.catalogue import load_all
from fastscan.interactions import catalogue
from fastscan.limits import limits, points
from fastscan.typing import Record


def limit_at_point(names: Sequence[str], model: str, question: Question) -> Record:
    """The limit of one or several experiments at one value of each axis, without a store.

    Beside the keys of every record, ``expected_gev`` is the limit with measured data replaced by the Standard
    Model's prediction (None without data), with its ``expected_status``; for a user's own U(1)' both the intervals
    and this limit are there for M_Z' / g' too, as ``allowed_over_g_gev`` and ``expected_over_g_gev``.
    """
    experiments, interaction = load_all(names), catalogue.load(model)
    at = {name: value for name, value in question.at.items() if name not in by_name(SETTINGS)}
    delta = limits.threshold(question.cl, question.column_dof)
    rows = points.prepare(experiments, interaction, at)
    settings = rows.likelihood.settings(question.at)
    found = limits.at_point(rows, settings, delta)
    point = {**{axis.column: at.get(axis.name) for axis in interaction.family_rows}, **settings.told()[0]}
    told = ("+".join(each.name for each in experiments), interaction.name)
    record = limit_record(told, point, (question.cl, question.column_dof), found, 0, interaction)
    expected, status = None, None
    if any(each.is_measured for each in experiments):
        projected = points.prepare([each.expected() for each in experiments], interaction, at)
        errors = dict(zip(projected.likelihood.members, settings.sigma_sys.values(), strict=True))
        instead = limits.at_point(projected, replace(settings, sigma_sys=errors), delta)
        expected, status = _number(instead.bounds[0]), str(instead.status[0])
    g = interaction.g_prime
    return {
        **record,
        "expected_gev": expected,
        "expected_status": status,
        "allowed_over_g_gev": None
        if g is None
        else [(over_g(low, g), over_g(high, g)) for low, high in record["allowed_gev"]],
        "expected_over_g_gev": over_g(expected, g),
    }


def _number(value: float) -> float | None:
    """A number, or None for one that isn't there."""
    return None if np.isnan(value) else float(value)
