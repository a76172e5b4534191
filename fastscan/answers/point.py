"""Limits of experiments as records, without a grid and without a store; `fastscan limit` prints them."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fastscan.answers.question import Question
from fastscan.answers.records import doubts_of_limits, limit_record, toy_record
from fastscan.axes import SETTINGS, Axis, by_name
from fastscan.errors import warn
from fastscan.experiments.catalogue import load_all
from fastscan.experiments.experiment import Experiment
from fastscan.interactions import catalogue
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.settings import Settings
from fastscan.limits import limits, points
from fastscan.limits.crossings import Crossings
from fastscan.limits.limits import Limits
from fastscan.limits.points import Rows
from fastscan.typing import Array, Record


def limits_at_points(names: Sequence[str | Experiment], model: str, question: Question) -> list[Record]:
    """The limits of one or several combined experiments at every combination of values, as records.

    Parameters
    ----------
    names : sequence of (str or Experiment)
        Names of experiments, paths to files, or experiments; several are combined.
    model : str
        Name of a model, or path to a file.
    question : Question
        The values and the level.  If sigma_sys is a mapping by experiment, the n-th values of all experiments make one
        combination.

    Returns
    -------
    list of dict
        The records of `fastscan.answers.records`, the settings fastest.

    Raises
    ------
    FastscanError
        As `fastscan.limit`.
    """
    experiments, interaction = load_all(names), catalogue.load(model)
    given = _crossed(question.at, (*interaction.rows, *SETTINGS))
    at = {name: values for name, values in given.items() if name not in by_name(SETTINGS)}
    rows = points.prepare(experiments, interaction, at, question.asimov, question.independent)
    limits.require_standard_model(interaction, rows.likelihood.departs)
    settings = rows.likelihood.settings(given)
    crossings, found = _limits(rows, settings, question)
    doubts = doubts_of_limits(crossings, rows.likelihood, interaction.strength, settings)
    warn(*itertools.chain(*doubts))
    expected: Iterable[tuple[Array, str] | None] = itertools.repeat(None)
    projected = rows.expected()
    if projected is not rows:
        _, instead = _limits(projected, settings, question)
        expected = zip(instead.bounds, instead.status, strict=True)
    told = ("+".join(each.name for each in experiments), interaction.name)
    level = (question.cl, question.column_dof)
    columns = zip(_points(interaction, at, settings), expected, doubts, strict=False)
    shared = rows.likelihood.shared
    return [
        limit_record(told, point, level, found, number, interaction, bound, doubt, question.asimov, shared)
        | (toy_record(question.toys, found, number, interaction) if question.toys else {})
        for number, (point, bound, doubt) in enumerate(columns)
    ]


def _crossed(at: Mapping[str, Any], axes: Sequence[Axis]) -> dict[str, Any]:
    """Values by name, where the values of each of `axes` are checked and lie along a dimension of their own."""
    dimension = {axis.name: number for number, axis in enumerate(axes)}

    def along(name: str, values: Any) -> Any:
        if values is None or name not in dimension:
            return values
        if isinstance(values, Mapping):  # by experiment
            return {member: along(name, each) for member, each in values.items()}
        checked = by_name(axes)[name].check(values)
        return checked.reshape([-1 if number == dimension[name] else 1 for number in range(len(axes))])

    return {name: along(name, values) for name, values in at.items()}


def _limits(rows: Rows, settings: Settings, question: Question) -> tuple[Crossings, Limits]:
    columns, _ = rows.likelihood.columns(rows.index, settings)
    strength, level = rows.interaction.strength, (question.cl, question.column_dof)
    return limits.limits_in(rows.likelihood, columns, strength, *level, question.toys)


def _points(interaction: Interaction, at: Mapping[str, Any], settings: Settings) -> Iterator[dict[str, Any]]:
    """The row parameters and settings of each record, the last setting fastest."""
    lacking = dict.fromkeys(axis.column for axis in interaction.family_rows)
    values = [at[axis.name].ravel().tolist() for axis in interaction.rows]
    for *row, setting in itertools.product(*values, settings.told()):
        yield {**lacking, **dict(zip((axis.column for axis in interaction.rows), row, strict=True)), **setting}
