"""Answers as records: what the commands print as tables, JSON and CSV, and what pictures are drawn from.

The record of a limit has the keys ``experiment`` (or the name of a combination), ``model``, one for each row parameter
of the model's family (``beta_rad``, None without beta), ``sigma_sys`` (by experiment where there are several),
``luminosity``, ``cl``, ``dof``, ``limit_gev`` (None where there is none), ``limit_over_g_gev`` (of M_Z' / g', for a
user's own U(1)', else None), ``status`` and ``allowed_gev``: every allowed interval, where None is an open upper end.
Profiles and contours have records too, one for each point.  Which cubes and planes are asked is the business of
`fastscan.answers.answers`.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from fastscan.axes import SETTINGS, Axis
from fastscan.interactions.interaction import Interaction
from fastscan.limits.limits import Limits
from fastscan.typing import Record


def limit_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a limit's record, for a model and all of its family."""
    unit = model.strength.axis.unit.lower()
    answer = (f"limit_{unit}", f"limit_over_g_{unit}", "status", f"allowed_{unit}")
    return ("experiment", "model", *_settings(model), "cl", "dof", *answer)


def profile_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a point of a profile."""
    return ("experiment", "model", *_settings(model), model.strength.axis.column, "delta_chi2")


def contour_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a vertex of a contour: every axis in each way in which it is drawn."""
    axes = [column for axis in (*model.family_rows, model.strength.axis) for column in _columns(axis)]
    settings = [axis.column for axis in SETTINGS]
    return ("experiment", "model", "contour", "closed", *axes, *settings, "cl", "dof", "delta_chi2")


def _settings(model: Interaction) -> list[str]:
    return [axis.column for axis in (*model.family_rows, *SETTINGS)]


def _columns(axis: Axis) -> list[str]:
    return [axis.column, *(view.column for view in axis.views)]


def limit_record(
    names: tuple[str, str],
    point: Mapping[str, Any],
    level: tuple[float, int],
    found: Limits,
    number: int,
    model: Interaction,
) -> Record:
    """The record of one limit, with None for what isn't there.

    Parameters
    ----------
    names : (str, str)
        Of the experiment or combination, and of the model.
    point : mapping
        What is said of the column by key.
    level : (float, int)
        Confidence level and degrees of freedom.
    found, number
        Limits of some columns, and the number of this one.
    model : Interaction
        Whose limit it is.
    """
    bound = found.bounds[number]
    limit = None if np.isnan(bound) else float(bound)
    allowed = [(low, None if high == np.inf else high) for low, high in found.intervals[number]]
    answer = (limit, over_g(limit, model.g_prime), str(found.status[number]), allowed)
    settings = (point[key] for key in _settings(model))
    return dict(zip(limit_keys(model), (*names, *settings, *level, *answer), strict=True))


def over_g(mass: float | None, g_prime: float | None) -> float | None:
    """M_Z' / g' of a mass, where both are there."""
    return None if mass is None or g_prime is None else mass / g_prime


def write_csv(file: TextIO, keys: Sequence[str], records: Iterable[Record]) -> None:
    """Records as CSV, with the first one's keys as the header; without any, with these.

    The header waits for the first of them, so that an error leaves no half of a table.
    """
    writer: csv.DictWriter[str] | None = None
    for each in records:
        if writer is None:
            writer = csv.DictWriter(file, list(each), lineterminator="\n")
            writer.writeheader()
        writer.writerow({key: _cell(value) for key, value in each.items()})
    if writer is None:
        csv.DictWriter(file, keys, lineterminator="\n").writeheader()


def csv_text(keys: Sequence[str], records: Iterable[Record]) -> str:
    """Records as CSV, as text."""
    file = io.StringIO()
    write_csv(file, keys, records)
    return file.getvalue()


def _cell(value: object) -> object:
    """A value as CSV has it: intervals as low:high, those by name as name=value, separated by semicolons.

    >>> _cell([(14.5, 16.8), (36.1, None)]), _cell({"conus": 0.2})
    ('14.5:16.8;36.1:inf', 'conus=0.2')
    """
    if isinstance(value, dict):
        return ";".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list):
        return ";".join(f"{low}:{math.inf if high is None else high}" for low, high in value)
    return value
