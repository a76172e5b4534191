"""Answers as records: dictionaries that commands print as tables, JSON and CSV, and that pictures are drawn from.

The record of a limit on the mass of a heavy Z' has these keys:

    experiment, model        the experiment, or the name of a combination; and the model
    beta_rad                 one key for each row parameter of the model's family; None where the model lacks it
    sigma_sys, luminosity    the settings; sigma_sys by experiment where there are several
    cl, dof                  the level
    limit_gev                the limit; None where there is none
    limit_over_g_gev         the limit on M_Z' / g' of a user's own U(1)', else None
    status                   see `fastscan.limits.strengths.limit`
    allowed_gev              every allowed interval; None is an open upper end
    expected_gev             where data are measured, the limit with the Standard Model's prediction in their place,
    expected_status          and its status; else None
    allowed_over_g_gev       the intervals and the expected limit for M_Z' / g'
    expected_over_g_gev
    scaled_data              whether measured data are scaled to a luminosity other than 1
    warning                  doubts about the question, see `fastscan.limits.doubts`; None without any
    asimov                   whether the question put the Standard Model's prediction in place of measured data
    shared_nuisances         names of the nuisances that several experiments share

The record of a limit on another strength has one key for each row parameter, with its unit in the name (``eps_d``).
``limit_on`` is the name of the strength's axis, and ``limit_unit`` its unit.  The limit is ``limit``, or ``limit_low``
and ``limit_high`` for a strength of either sign (None without a limit, or for an open side); ``expected``, or
``expected_low`` and ``expected_high``, follow the same rule.  In ``allowed`` None is an open end.  Where the axis is a
shift of a quantity, the limits on the quantity itself are there too (``sin2_theta_w_low``, ``sin2_theta_w_high``).  For
a mediator, ``limit_over_g_gev`` is the lower limit on its mass over its coupling if the limit on the coupling is above
sqrt(4 pi), else None.

Limits from toys have further keys at the end: ``method``, which is "toys", ``toys`` and ``seed``; ``error_gev`` and
``allowed_errors_gev``, the Monte-Carlo errors of the limit and of the intervals' ends; and ``asymptotic_gev``,
``asymptotic_status`` and ``asymptotic_allowed_gev``, the answers of the asymptotic method.  Keys of a limit that is not
on a mass lack ``_gev``; the keys of a strength of either sign end in ``_low`` and ``_high``.

Profiles and contours have one record for each point, with the keys of `LAST` at their end.
"""

import csv
import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike

from fastscan.axes import LUMINOSITY, SETTINGS, Axis
from fastscan.interactions.interaction import Interaction, Strength
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.settings import Settings, is_scaled
from fastscan.limits.confidence import BY_TOYS, Toys
from fastscan.limits.crossings import Crossings
from fastscan.limits.doubts import about_errors, end_of_form
from fastscan.limits.limits import Limits
from fastscan.typing import Array, Record

# Keys of a contour's vertex from toys: delta_chi2 is t_c, and asymptotic_delta_chi2 the quantile of the distribution.
TOY_KEYS = ("delta_chi2", "method", "toys", "seed", "delta_chi2_error", "asymptotic_delta_chi2")
LAST = ("scaled_data", "warning", "asimov", "shared_nuisances")  # keys at the end of every record


def limit_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a limit's record; they are the same for all models of a family."""
    if model.strength.bound != "lower":
        return _keys_of_strength(model)
    unit = model.strength.axis.unit.lower()
    answer = (f"limit_{unit}", f"limit_over_g_{unit}", "status", f"allowed_{unit}")
    expected = (f"expected_{unit}", "expected_status", f"allowed_over_g_{unit}", f"expected_over_g_{unit}")
    return ("experiment", "model", *_settings(model), "cl", "dof", *answer, *expected, *LAST)


def _keys_of_strength(model: Interaction) -> tuple[str, ...]:
    """The keys of `limit_keys` for a limit that is not on a mass."""
    place = ("experiment", "model", *_settings(model), "limit_on")
    limit, expected = (_sides(which, model.strength) for which in ("limit", "expected"))
    whole = model.strength.axis.whole
    beside = _sides(whole, model.strength) if whole else ()
    ratio = ("limit_over_g_gev",) if has_ratio(model.strength) else ()
    answer = (*limit, "limit_unit", *ratio, *beside, "status", "allowed", "cl", "dof")
    return (*place, *answer, *expected, "expected_status", *LAST)


def has_ratio(strength: Strength) -> bool:
    """Whether limits on the strength can turn into limits on the mediator's mass over its coupling."""
    return math.isfinite(strength.perturbative)


def _contact_ratio(coupling: float | None, mass: float, strength: Strength) -> float | None:
    """The lower limit on M/g in the mass's unit, where the upper limit on g is not perturbative; else None."""
    return mass / coupling if coupling is not None and coupling > strength.perturbative else None


def _sides(which: str, strength: Strength) -> tuple[str, ...]:
    """The keys of a bound: one key, or one for each of its two sides."""
    return (f"{which}_low", f"{which}_high") if strength.signed else (which,)


def profile_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a point of a profile."""
    return ("experiment", "model", *_settings(model), model.strength.axis.column, "delta_chi2", *LAST)


def contour_keys(model: Interaction) -> tuple[str, ...]:
    """The keys of a vertex of a contour; each axis has one key for each of its views."""
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
    expected: tuple[Array, str] | None = None,
    doubts: Sequence[str] = (),
    asimov: bool = False,
    shared: Sequence[str] = (),
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
    expected : (array, str), optional
        The bound, or both of its sides, and the status with the Standard Model's prediction in place of the data; left
        out where no data are measured.
    doubts : sequence of str
        Doubts about this limit, see `doubts_of_limits`.
    asimov : bool
        Whether the limit itself comes from the Standard Model's prediction in place of measured data.
    shared : sequence of str
        Names of the nuisances that several experiments share.

    Returns
    -------
    dict
        A record with the keys of `limit_keys`.
    """
    g, strength = model.g_prime, model.strength
    limit, status = _finite(found.bounds[number]), str(found.status[number])
    allowed = [tuple(_finite(ends)) for ends in found.intervals[number]]
    instead = [None] * len(limit) if expected is None else _finite(expected[0])
    instead_status = None if expected is None else str(expected[1])
    scaled = expected is not None and is_scaled(point[LUMINOSITY.column])
    place = (*names, *(point[key] for key in _settings(model)))
    last = (scaled, warning_of(doubts), asimov, list(shared))
    if strength.bound == "lower":
        allowed_over_g = None if g is None else [(over_g(low, g), over_g(high, g)) for low, high in allowed]
        answer = (*limit, over_g(limit[0], g), status, allowed, *instead, instead_status)
        values = (*place, *level, *answer, allowed_over_g, over_g(instead[0], g), *last)
    else:
        axis = strength.axis
        beside = [None if end is None else axis.unshifted + end for end in limit] if axis.whole else []
        if has_ratio(strength):
            beside.append(_contact_ratio(limit[0], point[model.rows[0].column], strength))
        answer = (*limit, axis.unit, *beside, status, allowed, *level, *instead, instead_status)
        values = (*place, axis.name, *answer, *last)
    return dict(zip(limit_keys(model), values, strict=True))


def toy_keys(model: Interaction) -> tuple[str, ...]:
    """The keys that a limit from toys adds to `limit_keys`."""
    on_mass, strength = model.strength.bound == "lower", model.strength
    unit = f"_{strength.axis.unit.lower()}" if on_mass else ""
    error, asymptotic = (tuple(f"{key}{unit}" for key in _sides(which, strength)) for which in ("error", "asymptotic"))
    errors = (*error, f"allowed_errors{unit}")
    return ("method", "toys", "seed", *errors, *asymptotic, "asymptotic_status", f"asymptotic_allowed{unit}")


def toy_record(toys: Toys, found: Limits, number: int, model: Interaction) -> Record:
    """The part of a limit's record with the keys of `toy_keys`; `found` and `number` are as in `limit_record`."""
    errors, asymptotic = found.errors, found.asymptotic
    assert errors is not None, "limits from toys have errors"
    assert asymptotic is not None, "limits from toys come with the asymptotic ones"
    ends, allowed = ([tuple(_finite(each)) for each in of.intervals[number]] for of in (errors, asymptotic))
    bounds, without = (_finite(of.bounds[number]) for of in (errors, asymptotic))
    values = (BY_TOYS, toys.number, toys.seed, *bounds, ends, *without, str(asymptotic.status[number]), allowed)
    return dict(zip(toy_keys(model), values, strict=True))


def _finite(values: ArrayLike) -> list[float | None]:
    """One number or several as a list, with None in place of nan and of infinities."""
    return [value if math.isfinite(value) else None for value in np.atleast_1d(values).tolist()]


def warning_of(doubts: Sequence[str]) -> str | None:
    """Doubts as the one text of a record; None without any."""
    return "; ".join(doubts) or None


def doubts_of_limits(
    found: Crossings, likelihood: Likelihood, strength: Strength, settings: Settings
) -> list[list[str]]:
    """The doubts about each limit: large systematic errors, and crossings where the interaction's form doesn't hold.

    Parameters
    ----------
    found : Crossings
        Crossings of the columns: every row at every setting, the settings fastest.
    likelihood, strength
        The likelihood and the strength of the columns.
    settings : Settings
        The settings of the columns.

    Returns
    -------
    list of list of str
        The doubts about each column, in words.
    """
    end, text = end_of_form(strength, likelihood.momentum_transfers)
    below = np.zeros(found.sm_allowed.size, bool)
    below[found.column[strength.from_x(found.x) < end]] = True
    errors = itertools.cycle([about_errors(each) for each in settings.errors()])
    return [[*each, *([text] if ended else [])] for each, ended in zip(errors, below.tolist(), strict=False)]


def over_g(mass: float | None, g_prime: float | None) -> float | None:
    """The ratio M_Z' / g' in the unit of the mass; None where the mass or g' is None."""
    return None if mass is None or g_prime is None else mass / g_prime


def write_csv(file: TextIO, keys: Sequence[str], records: Iterable[Record]) -> None:
    """Write records as CSV under a header of keys.  A key that a record lacks is an empty cell.

    The header is written only once the first record exists, so that an error leaves no half of a table.
    """
    writer = csv.DictWriter(file, keys, lineterminator="\n")
    begun = False
    for each in records:
        if not begun:
            writer.writeheader()
        begun = True
        writer.writerow({key: csv_cell(value) for key, value in each.items()})
    if not begun:
        writer.writeheader()


def csv_text(keys: Sequence[str], records: Iterable[Record]) -> str:
    """Records as CSV, as text."""
    file = io.StringIO()
    write_csv(file, keys, records)
    return file.getvalue()


def csv_cell(value: object) -> object:
    """A value as a CSV cell: intervals are low:high, a mapping is name=value; several are separated by semicolons.

    >>> csv_cell([(14.5, 16.8), (36.1, None)]), csv_cell([(None, 0.2)])
    ('14.5:16.8;36.1:inf', '-inf:0.2')
    >>> csv_cell({"conus": 0.2}), csv_cell(["flux-sns", "qf"])
    ('conus=0.2', 'flux-sns;qf')
    """
    if isinstance(value, dict):
        return ";".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ";".join(value)
    if isinstance(value, list):
        ends = [(-math.inf if low is None else low, math.inf if high is None else high) for low, high in value]
        return ";".join(f"{low}:{high}" for low, high in ends)
    return value
