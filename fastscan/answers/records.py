"""Answers as records: what the commands print as tables, JSON and CSV, and what pictures are drawn from.

The record of a limit has the keys ``experiment`` (or the name of a combination), ``model``, one for each row parameter
of the model's family (``beta_rad``, None without beta), ``sigma_sys`` (by experiment where there are several),
``luminosity``, ``cl``, ``dof``, ``limit_gev`` (None where there is none), ``limit_over_g_gev`` (of M_Z' / g', for a
user's own U(1)', else None), ``status`` and ``allowed_gev``: every allowed interval, where None is an open upper end.
Where data are measured, ``expected_gev`` and ``expected_status`` are the limit with the Standard Model's prediction in
their place, else None; the intervals and this limit are there for M_Z' / g' too, ``allowed_over_g_gev`` and
``expected_over_g_gev``.  ``scaled_data`` is true where measured data are scaled to a luminosity other than 1, and
``warning`` is what is probably not meant (`fastscan.limits.doubts`), else None.  Profiles and contours have records
too, one for each point, with ``scaled_data`` and ``warning`` at their end.  Which cubes and planes are asked is the
business of `fastscan.answers.answers`.
"""

import csv
import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from fastscan.axes import LUMINOSITY, SETTINGS, Axis
from fastscan.interactions.interaction import Interaction, Strength
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.settings import Settings, is_scaled
from fastscan.limits.crossings import Crossings
from fastscan.limits.doubts import about_errors, end_of_form
from fastscan.limits.limits import Limits
from fastscan.typing import Record

LAST = ("scaled_data", "warning")  # keys at the end of every record


def limit_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a limit's record, for a model and all of its family."""
    unit = model.strength.axis.unit.lower()
    answer = (f"limit_{unit}", f"limit_over_g_{unit}", "status", f"allowed_{unit}")
    expected = (f"expected_{unit}", "expected_status", f"allowed_over_g_{unit}", f"expected_over_g_{unit}")
    return ("experiment", "model", *_settings(model), "cl", "dof", *answer, *expected, *LAST)


def profile_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a point of a profile."""
    return ("experiment", "model", *_settings(model), model.strength.axis.column, "delta_chi2", *LAST)


def contour_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a vertex of a contour: every axis in each way in which it is drawn."""
    axes = [column for axis in (*model.family_rows, model.strength.axis) for column in _columns(axis)]
    settings = [axis.column for axis in SETTINGS]
    return ("experiment", "model", "contour", "closed", *axes, *settings, "cl", "dof", "delta_chi2", *LAST)


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
    expected: tuple[float, str] | None = None,
    doubts: Sequence[str] = (),
) -> Record:
    """The record of one limit, with None where there is no value.

    Parameters
    ----------
    names : (str, str)
        Names of the experiment or combination, and of the model.
    point : mapping of str to object
        The row parameters and settings of the column, by key.
    level : (float, int)
        Confidence level and degrees of freedom.
    found : Limits
        Limits of some columns.
    number : int
        Index of this column among them.
    model : Interaction
        The model that the limit is on.
    expected : (float, str), optional
        The bound and the status with the Standard Model's prediction in place of the data; left out where no data are
        measured.
    doubts : sequence of str
        What is to be warned of, see `doubts_of_limits`.
    """
    g = model.g_prime
    limit = _number(found.bounds[number])
    allowed = [(low, None if high == np.inf else high) for low, high in found.intervals[number]]
    allowed_over_g = None if g is None else [(over_g(low, g), over_g(high, g)) for low, high in allowed]
    answer = (limit, over_g(limit, g), str(found.status[number]), allowed)
    instead = (None, None) if expected is None else (_number(expected[0]), str(expected[1]))
    scaled = expected is not None and is_scaled(point[LUMINOSITY.column])
    settings = (point[key] for key in _settings(model))
    values = (
        *names,
        *settings,
        *level,
        *answer,
        *instead,
        allowed_over_g,
        over_g(instead[0], g),
        scaled,
        warning_of(doubts),
    )
    return dict(zip(limit_keys(model), values, strict=True))


def _number(value: float) -> float | None:
    """A number, or None for one that isn't there."""
    return None if np.isnan(value) else float(value)


def warning_of(doubts: Sequence[str]) -> str | None:
    """Doubts as a record has them."""
    return "; ".join(doubts) or None


def doubts_of_limits(
    found: Crossings, likelihood: Likelihood, strength: Strength, settings: Settings
) -> list[list[str]]:
    """The doubts about each limit: about its errors, and about a crossing where the interaction's form has ended.

    Parameters
    ----------
    found : Crossings
        Crossings of the columns: every row at every setting, the settings fastest.
    likelihood, strength
        Those of the columns.
    settings : Settings
        The settings, at one of which each column is.
    """
    end, text = end_of_form(strength, likelihood.momentum_transfers)
    below = np.zeros(found.sm_allowed.size, bool)
    below[found.column[strength.from_x(found.x) < end]] = True
    errors = itertools.cycle([about_errors(each) for each in settings.errors()])
    return [[*each, *([text] if ended else [])] for each, ended in zip(errors, below.tolist(), strict=False)]


def over_g(mass: float | None, g_prime: float | None) -> float | None:
    """M_Z' / g' in the unit of the mass; None where the mass or g' is None."""
    return None if mass is None or g_prime is None else mass / g_prime


def write_csv(file: TextIO, keys: Sequence[str], records: Iterable[Record]) -> None:
    """Write records as CSV.  The keys of the first record are the header; if there is no record, `keys` are.

    The header is written after the first record has arrived, so that an error leaves no half of a table.
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
