"""The words for limits: bounds with their errors, reasons for a missing bound, conditions, and allowed intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from fastscan.axes import SETTINGS, Axis, by_name
from fastscan.errors import shown
from fastscan.interactions.parameters import AXES, M_ZPRIME, PARAMETERS, STRENGTHS
from fastscan.limits.confidence import (
    ASIMOV,
    BY_TOYS,
    NO_SENSITIVITY,
    OUTSIDE_AXIS,
    SCALED,
    SM_DISFAVOURED,
    level_text,
)
from fastscan.typing import Record

NO_LIMIT = {
    NO_SENSITIVITY: "no sensitivity",
    SM_DISFAVOURED: "none: the data disfavour the Standard Model",
}
OVER_ROWS = {
    OUTSIDE_AXIS: "outside the axis",
    NO_SENSITIVITY: "without sensitivity",
    SM_DISFAVOURED: "with the SM disfavoured",
}


def data_text(record: Record) -> str:
    """The end of an answer's conditions: "scaled data" or "Asimov data" if they are, and shared nuisances."""
    data = SCALED if record.get("scaled_data") else ASIMOV if record["asimov"] else ""
    return "".join(f", {each}" for each in (data, shared_text(record)) if each)


def shared_text(record: Record) -> str:
    """The nuisances that experiments share, in words; empty where they share none."""
    return f"shared {' and '.join(record['shared_nuisances'])}" if record["shared_nuisances"] else ""


def is_by_toys(record: Record) -> bool:
    """Whether the threshold of Delta chi2 comes from toys."""
    return record.get("method") == BY_TOYS


def toys_text(record: Record) -> str:
    """The toys of a record, in words."""
    return f"{record['toys']} toys of seed {record['seed']}"


def is_on_mass(record: Record) -> bool:
    """Whether a limit is on the mass of a heavy Z'."""
    return "limit_gev" in record


def limited_axis(record: Record) -> Axis:
    """The axis that a limit is on."""
    return M_ZPRIME if is_on_mass(record) else by_name(STRENGTHS)[record["limit_on"]]


def by_kind(found: Iterable[Record]) -> dict[str, list[Record]]:
    """Limits grouped by kind, in words: side, strength, data, toys and shared nuisances.

    Without any record there is one empty group, of limits on M_Z'.
    """
    groups: dict[str, list[Record]] = {}
    for each in found:
        sides = "Lower limits" if is_on_mass(each) else "Limits" if "limit_low" in each else "Upper limits"
        data = f" from {ASIMOV}" if each["asimov"] else ""
        data += f" from {toys_text(each)} at each strength" if is_by_toys(each) else ""
        shared = f" with {shared_text(each)}" if shared_text(each) else ""
        groups.setdefault(f"{sides} on {limited_axis(each).text}{data}{shared}", []).append(each)
    return groups or {f"Lower limits on {M_ZPRIME.text}": []}


def relation(record: Record) -> str:
    """The words before a limit, such as "M_Z' > "; empty where there is no limit."""
    name = limited_axis(record).text
    if is_on_mass(record):
        return f"{name} > " if record["limit_gev"] else ""
    if "limit" in record:
        return "" if record["limit"] is None else f"{name} < "
    return "" if record["status"] in NO_LIMIT else f"{name} "


def row_axes(record: Record) -> list[Axis]:
    """The row parameters that have a value in a record."""
    return [axis for axis in PARAMETERS if record.get(axis.column) is not None]


def limit_text(record: Record) -> str:
    """A limit as a table shows it, with its error, and a mark where it comes from scaled data."""
    return bound_text(record, "limit") + error_text(record) + (f" ({SCALED})" if record["scaled_data"] else "")


def error_text(record: Record) -> str:
    """The Monte-Carlo error of a limit in brackets; empty where there is none."""
    keys = ("error_gev", "error", "error_low", "error_high")
    told = [f"{record[key]:.2g}" for key in keys if record.get(key) is not None]
    return f" (+- {', '.join(told)})" if told else ""


def bound_text(record: Record, which: Literal["limit", "expected", "asymptotic"]) -> str:
    """One of the limits of a record in words, or why there is none; empty where the record lacks this limit."""
    status = record["status" if which == "limit" else f"{which}_status"]
    if status is None or status in NO_LIMIT:
        return "" if status is None else NO_LIMIT[status]
    outside = " (outside the axis)" if status == OUTSIDE_AXIS else ""
    if is_on_mass(record):
        return mass_text(record[f"{which}_gev"], record.get(f"{which}_over_g_gev")) + outside
    axis = limited_axis(record)
    if which in record:
        ratio = record.get("limit_over_g_gev") if which == "limit" else None
        contact = "" if ratio is None else f" (M/{axis.text} > {ratio:.1f} GeV)"
        return axis.with_unit(f"{record[which]:.4g}") + contact + outside
    sides = record[f"{which}_low"], record[f"{which}_high"]
    return interval_text(sides, axis) + outside


def limits_text(records: Sequence[Record]) -> str:
    """One limit in words, or the range of limits over rows, with the numbers of rows without a limit on the axis."""
    if len(records) == 1:
        return limit_text(records[0])
    ends = _range_of_limits(records)
    states = [each["status"] for each in records]
    others = [f"{states.count(state)} {words}" for state, words in OVER_ROWS.items() if state in states]
    rows = " and ".join(axis.text for axis in row_axes(records[0]))
    return f"{ends} over {len(records)} {rows}" + (f" ({', '.join(others)})" if others else "")


def _range_of_limits(records: Sequence[Record]) -> str:
    """The smallest and the largest of several limits; for limits on two sides, the tightest limit of each side."""
    axis = limited_axis(records[0])
    if "limit_low" in records[0]:
        lows, highs = ([each[key] for each in records if each[key] is not None] for key in ("limit_low", "limit_high"))
        tightest = max(lows, default=None), min(highs, default=None)
        return "none" if tightest == (None, None) else f"at best {interval_text(tightest, axis)}"
    key, digits = ("limit_gev", ".1f") if is_on_mass(records[0]) else ("limit", ".4g")
    found = sorted(each[key] for each in records if each[key])
    return axis.with_unit(f"{found[0]:{digits}} to {found[-1]:{digits}}") if found else "none"


def mass_text(mass: float, over_g: float | None) -> str:
    """A limit on M_Z' in GeV, and the same limit on M_Z'/g' unless `over_g` is None."""
    return f"{mass:.1f} GeV" + ("" if over_g is None else f", M_Z'/g' {over_g:.1f} GeV")


def setting_text(value: float | dict[str, float]) -> str:
    """A setting, by experiment where there are several.

    >>> setting_text(0.2), setting_text({"conus": 0.2, "connie": 0.1})
    ('0.2', 'conus 0.2, connie 0.1')
    """
    if isinstance(value, dict):
        return ", ".join(f"{shown(name)} {each:g}" for name, each in value.items())
    return f"{value:g}"


def conditions(record: Record) -> str:
    """The conditions of a limit in words: its level and its settings."""
    level = level_text(record["cl"], record["dof"])
    return ", ".join([level, *(f"{axis.text} {setting_text(record[axis.column])}" for axis in SETTINGS)])


def intervals_text(intervals: Iterable[tuple[float | None, float | None]], axis: Axis) -> str:
    """Allowed intervals of an axis in words."""
    told = [interval_text(each, axis) for each in intervals]
    return ", ".join(told) or ("no mass of 1 GeV or more" if axis is M_ZPRIME else f"no {axis.text}")


def interval_text(ends: tuple[float | None, float | None], axis: Axis) -> str:
    """An interval of an axis in words, where None is an open end.

    Where the axis is a shift of a quantity, the interval of the quantity follows in brackets.

    >>> interval_text((36.1, None), M_ZPRIME), interval_text((-0.0101, 0.02), by_name(STRENGTHS)["shift"])
    ('above 36.1 GeV', '-0.0101 to 0.02 (sin2_theta_w 0.2211 to 0.2512)')
    """
    if axis.whole:
        shift = replace(axis, whole="")
        whole = [None if end is None else axis.unshifted + end for end in ends]
        return f"{interval_text(ends, shift)} ({axis.whole} {interval_text((whole[0], whole[1]), shift)})"
    low, high = ends
    if low is None and high is None:
        return "any"
    told = f"below {high:.4g}" if low is None else f"above {low:.4g}" if high is None else f"{low:.4g} to {high:.4g}"
    return axis.with_unit(told)


def range_text(name: str, values: Sequence[float]) -> str:
    """The range of an axis that vertices cover, in words."""
    axis = {axis.name: axis for axis in AXES}.get(name)  # None for another view, such as cos_beta
    low, high = (end if axis is None else axis.shown(end) for end in (min(values), max(values)))
    told = f"{low:.4g} to {high:.4g}"
    return f"{name} {told if axis is None else axis.with_unit(told)}"
