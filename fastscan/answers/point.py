"""One limit of experiments, without a grid and without a store."""

from collections.abc import Sequence
from dataclasses import replace

from fastscan.answers.question import Question
from fastscan.answers.records import limit_record
from fastscan.axes import SETTINGS, by_name
from fastscan.experiments.catalogue import load_all
from fastscan.interactions import catalogue
from fastscan.likelihoods.likelihood import with_expected_data
from fastscan.limits import limits, points
from fastscan.typing import Record


def limit_at_point(names: Sequence[str], model: str, question: Question) -> Record:
    """The record of the limit of one or several experiments at one value of each axis, without a store."""
    experiments, interaction = load_all(names), catalogue.load(model)
    at = {name: value for name, value in question.at.items() if name not in by_name(SETTINGS)}
    delta = limits.threshold(question.cl, question.column_dof)
    rows = points.prepare(experiments, interaction, at)
    settings = rows.likelihood.settings(question.at)
    found = limits.at_point(rows, settings, delta)
    point = {**{axis.column: at.get(axis.name) for axis in interaction.family_rows}, **settings.told()[0]}
    told = ("+".join(each.name for each in experiments), interaction.name)
    expected = with_expected_data(rows.likelihood, experiments)
    instead = None
    if expected is not rows.likelihood:
        projected = limits.at_point(replace(rows, likelihood=expected), settings, delta)
        instead = (projected.bounds[0], projected.status[0])
    return limit_record(told, point, (question.cl, question.column_dof), found, 0, interaction, instead)
