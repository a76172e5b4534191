"""The output of the commands: tables, JSON, and the words for limits and contours."""

import itertools
import json
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from fastscan.axes import SETTINGS, Axis, by_name
from fastscan.errors import shown
from fastscan.inputs.units import short
from fastscan.interactions.parameters import AXES, M_ZPRIME, PARAMETERS, STRENGTHS
from fastscan.limits.confidence import (
    ASIMOV,
    BY_TOYS,
    CL,
    DOF,
    NO_SENSITIVITY,
    OUTSIDE_AXIS,
    SCALED,
    SM_DISFAVOURED,
    level_text,
)
from fastscan.typing import Record

if TYPE_CHECKING:
    from fastscan.experiments.experiment import Experiment
    from fastscan.interactions.interaction import Interaction
    from fastscan.scans.costs import Costs
    from fastscan.scans.verify import Checked

NO_LIMIT = {
    NO_SENSITIVITY: "no sensitivity",
    SM_DISFAVOURED: "none: the data disfavour the Standard Model",
}
OVER_ROWS = {
    OUTSIDE_AXIS: "outside the axis",
    NO_SENSITIVITY: "without sensitivity",
    SM_DISFAVOURED: "with the SM disfavoured",
}
WIDTH = 80  # characters of a line of prose
LONGEST_PART, NO_BREAK = 30, "\N{NO-BREAK SPACE}"  # of such a line, that is kept together
MOST_LINES = 24  # of a table of bins
ASSUMED = "*"  # the mark of an experiment in which something is assumed
ABOUT_MODELS = """\
Off electrons lr and lr-nc differ much: 483 and 276 GeV for cr51-lxe-a. A Z'
does not touch W exchange, so lr-nc is what such a model predicts; lr is what
arXiv:2002.01482 computed. A model of your own is a TOML file with charges,
couplings or epsilons, see grids/models."""


def print_json(value: object) -> None:
    """Print JSON, which has no NaN: a number that isn't there is null."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell."""
    for line in table_lines(columns, rows):
        click.echo(line)


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of `print_table`."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    ]


def print_labelled(columns: Sequence[str], rows: Sequence[Sequence[str]], labels: Mapping[str, str]) -> None:
    """A table whose rows begin with the names of experiments, and their labels beside, where any has one."""
    if any(labels.get(name, name) != name for name, *_ in rows):
        columns = (columns[0], "label", *columns[1:])
        rows = [(name, shown(labels.get(name, name)), *cells) for name, *cells in rows]
    print_table(columns, rows)


def print_models(models: Iterable["Interaction"]) -> None:
    """The names and descriptions of models, family by family."""
    families: dict[str, list[tuple[str, str]]] = {}
    for model in models:
        families.setdefault(model.family, []).append((model.name, model.description))
    for family, told in families.items():
        click.echo(f"{family}:")
        print_table(("model", "description"), told)
        click.echo()
    click.echo(ABOUT_MODELS)


def told_model(model: "Interaction") -> dict[str, object]:
    """A model as JSON has it."""
    return {
        "name": model.name,
        "description": model.description,
        "family": model.family,
        "rows": [axis.name for axis in model.rows],
        "strength": model.strength.axis.name,
        "bound": model.strength.bound,
    }


def print_limit(found: Record) -> None:
    """One limit, the expected one, and the intervals where there are several."""
    rows = [f"{axis.text} = {axis.told(found[axis.column])}" for axis in _row_axes(found)]
    where = shown(f"{found['experiment']}, {found['model']}") + (f" at {', '.join(rows)}" if rows else "")
    limit = f"{_relation(found)}{bound_text(found, 'limit')}{error_text(found)}"
    click.echo(f"{where}: {limit}  ({conditions(found)}{_data(found)})")
    if _by_toys(found):
        click.echo(f"from {toys_text(found)} at each strength; asymptotic: {bound_text(found, 'asymptotic')}")
    if found["expected_status"]:
        click.echo(
            "expected, from the Standard Model's prediction in place of the data: " + bound_text(found, "expected")
        )
    allowed = found["allowed_gev" if _is_on_mass(found) else "allowed"]
    if len(allowed) > 1 or found["status"] == SM_DISFAVOURED:
        click.echo("allowed: " + intervals_text(allowed, limited_axis(found)))
        if found.get("allowed_over_g_gev"):
            click.echo("allowed M_Z'/g': " + intervals_text(found["allowed_over_g_gev"], M_ZPRIME))


def _data(record: Record) -> str:
    """The end of the conditions of an answer: what its data are that aren't as measured, and what experiments share."""
    data = SCALED if record.get("scaled_data") else ASIMOV if record["asimov"] else ""
    return "".join(f", {each}" for each in (data, _shared(record)) if each)


def _shared(record: Record) -> str:
    """The nuisances that experiments share, in words; nothing where they share none."""
    return f"shared {' and '.join(record['shared_nuisances'])}" if record["shared_nuisances"] else ""


def print_limits(found: Iterable[Record], cl: float, dof: int, labels: Mapping[str, str] | None = None) -> None:
    """A table for each strength that limits are on."""
    for kind, limits in _by_kind(found).items():
        click.echo(f"{kind} at {level_text(cl, dof)}:")
        _print_limits(limits, labels or {})


def _print_limits(limits: Sequence[Record], labels: Mapping[str, str]) -> None:
    """A row for each limit, with the label of its experiment; the expected limit too where any is from scaled data."""
    scaled = any(each["scaled_data"] for each in limits)
    axes = [axis for axis in PARAMETERS if any(axis.column in each for each in limits)]
    rows = [
        (
            shown(each["experiment"]),
            shown(each["model"]),
            *("" if each.get(axis.column) is None else f"{axis.shown(each[axis.column]):.6g}" for axis in axes),
            *(setting_text(each[axis.column]) for axis in SETTINGS),
            limit_text(each),
            *((bound_text(each, "asymptotic"),) if _by_toys(each) else ()),
            *((bound_text(each, "expected"),) if scaled else ()),
        )
        for each in limits
    ]
    headings = (axis.heading for axis in (*axes, *SETTINGS))
    columns = ["experiment", "model", *headings, "limit"]
    columns += ["asymptotic"] * any(map(_by_toys, limits)) + ["expected"] * scaled
    print_labelled(columns, rows, labels)


def _by_toys(record: Record) -> bool:
    """Whether toys say what is allowed."""
    return record.get("method") == BY_TOYS


def toys_text(record: Record) -> str:
    """The toys of a record, in words."""
    return f"{record['toys']} toys of seed {record['seed']}"


def _is_on_mass(record: Record) -> bool:
    """Whether a limit is on the mass of a heavy Z'."""
    return "limit_gev" in record


def limited_axis(record: Record) -> Axis:
    """The axis that a limit is on."""
    return M_ZPRIME if _is_on_mass(record) else by_name(STRENGTHS)[record["limit_on"]]


def _by_kind(found: Iterable[Record]) -> dict[str, list[Record]]:
    """Limits by what they are, in words; without any, none on a mass."""
    groups: dict[str, list[Record]] = {}
    for each in found:
        sides = "Lower limits" if _is_on_mass(each) else "Limits" if "limit_low" in each else "Upper limits"
        data = f" from {ASIMOV}" if each["asimov"] else ""
        data += f" from {toys_text(each)} at each strength" if _by_toys(each) else ""
        shared = f" with {_shared(each)}" if _shared(each) else ""
        groups.setdefault(f"{sides} on {limited_axis(each).text}{data}{shared}", []).append(each)
    return groups or {f"Lower limits on {M_ZPRIME.text}": []}


def _relation(record: Record) -> str:
    """What stands before a limit in a line; nothing where there is no limit."""
    name = limited_axis(record).text
    if _is_on_mass(record):
        return f"{name} > " if record["limit_gev"] else ""
    if "limit" in record:
        return "" if record["limit"] is None else f"{name} < "
    return "" if record["status"] in NO_LIMIT else f"{name} "


def _row_axes(record: Record) -> list[Axis]:
    """The row parameters of the model of a record."""
    return [axis for axis in PARAMETERS if record.get(axis.column) is not None]


def print_summary(found: Iterable[Record], labels: Mapping[str, str]) -> None:
    """A row for each experiment and model; over its rows, the range of its limits, all at luminosity 1."""
    own = [axis for axis in SETTINGS if axis.default is None]  # settings of which each experiment has its own value
    defaults = [f"{axis.text} {axis.default:g}" for axis in SETTINGS if axis.default is not None]
    for kind, limits in _by_kind(found).items():
        groups: dict[tuple[str, ...], list[Record]] = {}
        for each in limits:
            key = (shown(each["experiment"]), shown(each["model"]), *(setting_text(each[axis.column]) for axis in own))
            groups.setdefault(key, []).append(each)
        click.echo(f"{kind} at {', '.join([level_text(CL, DOF), *defaults])}:")
        rows = [(*key, limits_text(each)) for key, each in groups.items()]
        print_labelled(("experiment", "model", *(axis.heading for axis in own), "limit"), rows, labels)


def print_coverage(found: Sequence[Record]) -> None:
    """How often intervals hold what is true, a row for each point."""
    first = found[0]
    axes = [axis for axis in PARAMETERS if axis.column in first]
    moved = [f"{shown(name)} {value:+g}" for name, value in first["nuisances"].items()]
    truth = f", true nuisances {', '.join(moved)}" if moved else ""
    where = shown(f"{first['experiment']}, {first['model']}")
    toys = f"{toys_text(first)} at each point"
    click.echo(f"{where}: coverage of intervals at {conditions(first)}{_data(first)}{truth}, from {toys}:")
    rows = [
        (
            *(f"{axis.shown(math.inf if each[axis.column] is None else each[axis.column]):.6g}" for axis in axes),
            f"{100 * each['coverage']:.2f} %",
            f"{100 * each['error']:.2g} %",
        )
        for each in found
    ]
    print_table((*(axis.heading for axis in axes), "coverage", "error"), rows)


def print_contours(plane: Record) -> None:
    """The contours of a plane, a line for each."""
    level = "" if _by_toys(plane) else f"Delta chi2 = {plane['delta_chi2']:.4g}"
    if _by_toys(plane):
        level = f"{toys_text(plane)} at each point, whose quantiles have errors up to {plane['largest_error']:.2g}"
    where = f"{level_text(plane['cl'], plane['dof'])}, {level}"
    where += _data(plane)
    group = shown(f"{plane['experiment']}/{plane['model']}")
    click.echo(f"{group} in {', '.join(plane['axes'])} ({where}):")
    for line in plane["contours"]:
        ends = "closed" if line["closed"] else "leaves the grid at both ends"
        ranges = ", ".join(range_text(name, line["vertices"][name]) for name in plane["axes"])
        click.echo(f"  {len(line['vertices'][plane['axes'][0]])} vertices, {ends}: {ranges}")
    if not plane["contours"]:
        click.echo("  no contour: Delta chi2 does not cross the threshold in this plane")


def print_group(group: Record) -> None:
    """What a store's group holds, and what made it."""
    state = "complete" if group["tasks_done"] == group["tasks"] else "INCOMPLETE, scan --resume continues"
    click.echo(shown(f"{group['group']}: {group['title']}" if group["title"] else group["group"]))
    for name, axis in group["axes"].items():
        ends = f"{axis['first']:.6g} to {axis['last']:.6g}" if axis["size"] > 1 else f"{axis['first']:.6g}"
        unit = "" if axis["units"] == "1" else f" {axis['units']}"
        click.echo(f"  {name:<11} {axis['size']:>7}  {ends}{unit}")
    click.echo(f"  points      {short(group['points']):>7}  {group['dtype']}, {short(group['bytes'], 'B')}")
    click.echo(f"  tasks       {group['tasks_done']:>7}  of {group['tasks']}, {state}")
    if group["asimov"]:
        click.echo(f"  data        {ASIMOV}, the Standard Model's prediction")
    if group["toys"]:
        toys = group["toys"]
        click.echo(f"  toys        {toys['number']:>7}  of seed {toys['seed']} at each point, {toys['dof']} dof")
    if group["shared_nuisances"]:
        click.echo(f"  shared      {', '.join(group['shared_nuisances'])}")
    made = f"{group['source']}, hash {group['hash'][:12]}, see {', '.join(group['references'])}"
    click.echo(f"  made by     {shown(made)}")


def print_checked(group: "Checked") -> None:
    """How a store's group was found, and its damaged chunks."""
    missing = f", {len(group.missing)} of {group.tasks} tasks missing" if group.missing else ""
    state = f"{len(group.damaged)} DAMAGED" if group.damaged else "good"
    click.echo(f"{shown(group.group)}: {group.chunks} chunks {state}, {group.recomputed} computed again{missing}")
    for key in group.damaged:
        click.echo(f"  {key}")


def print_costs(found: "Costs", store: str) -> None:
    """What a scan takes, by group and in all."""
    rows = [
        (name, short(each.points), f"{each.tasks}", short(each.size, "B"), short(each.chunk_size, "B"))
        for name, each in found.groups.items()
    ]
    print_table(("group", "points", "tasks", "size", "chunk"), rows)
    click.echo(f"to do: {short(found.points)} points in {found.tasks} tasks, {short(found.size, 'B')} with the events")
    tasks = "each task" if found.tasks_in_flight is None else f"each of {found.tasks_in_flight} tasks"
    here = f"; {short(found.available_memory, 'B')} available here" if math.isfinite(found.available_memory) else ""
    click.echo(
        f"memory: {short(found.memory_per_task, 'B')} for {tasks} in flight, one for each worker, beside what Python "
        f"takes{here}"
    )
    free = f"{short(found.free_disk, 'B')} free" if math.isfinite(found.free_disk) else "no limit known"
    click.echo(f"disk: {free} at {store}")


def print_experiments(experiments: Sequence["Experiment"]) -> None:
    """Experiments in the order of the groups of their sources; those with assumptions are marked."""
    rows = [
        (
            each.name,
            each.label,
            each.channel,
            f"{each.statistics.sigma_sys:g}",
            each.title + (f" {ASSUMED}" if each.assumed else ""),
        )
        for each in experiments
    ]
    header, *lines = table_lines(("experiment", "label", "channel", "sigma_sys", "title"), rows)
    click.echo(header)
    for group, members in itertools.groupby(
        zip(experiments, lines, strict=True), lambda member: member[0].source.group
    ):
        click.echo(f"\n{group}")
        for _, line in members:
            click.echo(line)
    if any(each.assumed for each in experiments):
        click.echo(f"\n{ASSUMED} something that no paper gives is assumed: `fastscan show EXPERIMENT` tells what")


def print_shown(found: Record) -> None:
    """What an experiment is, part by part, and its events in each bin."""
    click.echo(shown(found["title"]))
    names = found["name"] if found["name"] == found["label"] else f"{found['name']} ({found['label']})"
    parts = [("experiment", names), *found["told"].items(), ("references", ", ".join(found["references"]))]
    parts += [("assumed", each) for each in found["assumed"]]
    for what, text in [*parts, ("digest", found["digest"][:12])]:
        click.echo(_wrapped(f"  {what:<13}", shown(text)))
    click.echo("\nEvents that the Standard Model predicts" + (", and data:" if "data" in found["total"] else ":"))
    _print_events(found)


def print_fit(found: Record, parameters: Sequence[Axis]) -> None:
    """A fit: its chi2, the nuisances, and the events of each experiment by component and in bins.

    Parameters
    ----------
    found : dict
        See `fastscan.answers.fits.record`.
    parameters : sequence of Axis
        Those of the model.
    """
    at = [f"{each.text} = {_at(each, found[each.column])}" for each in parameters]
    best = ", the best fit" if found["best"] else ""
    click.echo(shown(f"{found['experiment']}, {found['model']} at {', '.join(at)}{best}"))
    number = "1 bin" if found["number_of_bins"] == 1 else f"{found['number_of_bins']} bins"
    fitted = ", the strength fitted" if found["best"] else ""
    click.echo(
        f"chi2 = {found['chi2']:.4f}, of which {found['chi2_of_nuisances']:.4f} of nuisances, in {number}{fitted}"
    )
    if found["toys"] is not None:
        toys = found["toys"]
        click.echo(f"p = {toys['p_value']:.4g}: the part of {toys['number']} toys with at least this chi2")
    click.echo("\nNuisances, in standard deviations of their constraints:")
    rows = [_nuisance(each, len(found["experiments"]) > 1) for each in found["nuisances"]]
    print_table(("nuisance", "value", "error", "amount"), rows)
    for each in found["experiments"]:
        _print_fitted(each)


def _at(axis: Axis, value: float | None) -> str:
    """A value of an axis; None is the mass at which a mediator decouples."""
    return "inf" if value is None else axis.told(value)


def _nuisance(each: Record, with_experiment: bool) -> tuple[str, ...]:
    """A nuisance, and what it does to the amount that it multiplies."""
    name = " ".join([*each["experiments"], each["name"]]) if with_experiment else each["name"]
    if each["is_free"]:
        return shown(name), "", "", f"{each['value']:.5g} +- {each['error']:.2g}"
    relative = each["relative_error"]
    amount = (
        "" if relative is None else f"{100 * relative * each['value']:+.2f} +- {100 * relative * each['error']:.2f} %"
    )
    return shown(name), f"{each['value']:+.3f}", f"{each['error']:.3f}", amount


def _print_fitted(found: Record) -> None:
    """The events of an experiment in a fit, and its data or what stands for them."""
    data = math.fsum(each["data"] for each in found["bins"])
    told = "data" if found["is_measured"] else "of the Standard Model as data"
    click.echo()
    click.echo(shown(f"{found['label']}: chi2 = {found['chi2']:.4f}, {data:.6g} {told}"))
    after = {key: each["after"] for key, each in found["components"].items()}
    told_keys = [key for key in after if key not in _without_news(after)]
    columns = [["events", *(shown(key.removeprefix("background_")) for key in told_keys)]]
    for when in ("before", "after"):
        *parts, total = (found["components"][key][when] for key in told_keys)
        columns.append([when, *_numbers(parts, total)])
    header, *rows = zip(*map(_right_aligned, columns), strict=True)
    print_table(header, rows)
    neutrinos = list(after)[: list(after).index("signal")]
    summed = {key: each for key, each in after.items() if key not in neutrinos}
    click.echo("\nAfter the fit, and the part of chi2 of bins:")
    _print_events({"bins": found["bins"], "total": {**summed, "data": data, "chi2": found["chi2"]}})


def _print_events(found: Record) -> None:
    """The events in the bins of energy, and in those of each other quantity that has several."""
    bins = found["bins"]
    first = bins[0]
    unit = first["energy_unit"]
    sides = [("bin" if unit == "bin" else f"bin/{unit}", "energy_low", "energy_high")]
    further = [(first["factor"], "factor_low", "factor_high"), ("bin/us", "time_low_us", "time_high_us")]
    sides += [side for side in further if len({each[side[1]] for each in bins}) > 1]
    if len(sides) > 1:
        click.echo(f"(each table is summed over the bins of the others; --csv has all {len(bins)})")
    for number, side in enumerate(sides):
        if number:
            click.echo()
        _print_bins(found, *side)


def _wrapped(what: str, text: str) -> str:
    """A text beside what it is of, in lines that don't end within what stands between two commas."""
    whole = ", ".join(part if len(part) > LONGEST_PART else part.replace(" ", NO_BREAK) for part in text.split(", "))
    filled = textwrap.fill(whole, WIDTH, initial_indent=what, subsequent_indent=" " * len(what), break_on_hyphens=False)
    return filled.replace(NO_BREAK, " ")


def _print_bins(found: Record, heading: str, low: str, high: str) -> None:
    """The events in the bins between two keys, whatever else the bins are of; of very many, several in one line."""
    place = {edge: number for number, edge in enumerate(sorted({each[low] for each in found["bins"]}))}
    together = math.ceil(len(place) / MOST_LINES)
    lines: list[list[Record]] = [[] for _ in range(0, len(place), together)]
    for each in found["bins"]:
        lines[place[each[low]] // together].append(each)
    columns = [[shown(heading), *(_range(line[0][low], line[-1][high]) for line in lines), "all"]]
    for key, total in found["total"].items():
        if key not in _without_news(found["total"]):
            sums = [_sum(key, [each[key] for each in line]) for line in lines]
            columns.append([shown(key.removeprefix("background_")), *_numbers(sums, total)])
    header, *rows = zip(*map(_right_aligned, columns), strict=True)
    if together > 1:
        click.echo(f"({len(place)} bins, {together} of them in a line; --csv has each)")
    print_table(header, rows if len(lines) > 1 else rows[:1])


def _without_news(total: Mapping[str, float]) -> set[str]:
    """The sums that say no more than their only part, and of no background."""
    keys = list(total)
    neutrinos, named = keys.index("signal"), keys.index("background") - keys.index("signal") - 1
    none_or_one = named == 1 or total["background"] == 0
    return {*(["signal"] if neutrinos == 1 else []), *(["background"] if none_or_one else [])}


def _range(low: float, high: float | None) -> str:
    return f"{low:.6g} on" if high is None else f"{low:.6g} to {high:.6g}"


def _sum(key: str, values: Sequence[float]) -> float:
    """A sum of events, or of errors."""
    return math.hypot(*values) if key == "error" else math.fsum(values)


def _numbers(values: Sequence[float], total: float) -> list[str]:
    """Numbers and their sum, with as many decimals as give the largest of them five digits."""
    largest = max(map(abs, values))
    if not 1e-3 <= largest < 1e9:
        return [f"{value:.4e}" if value else "0" for value in (*values, total)]
    decimals = max(4 - math.floor(math.log10(largest)), 0)
    return [f"{value:.{decimals}f}" for value in (*values, total)]


def _right_aligned(cells: Sequence[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) for cell in cells]


def limit_text(record: Record) -> str:
    """A limit as a table shows it, with its error, and marked where it is from scaled data."""
    return bound_text(record, "limit") + error_text(record) + (f" ({SCALED})" if record["scaled_data"] else "")


def error_text(record: Record) -> str:
    """The Monte-Carlo error of a limit in brackets; empty where there is none."""
    keys = ("error_gev", "error", "error_low", "error_high")
    told = [f"{record[key]:.2g}" for key in keys if record.get(key) is not None]
    return f" (+- {', '.join(told)})" if told else ""


def bound_text(record: Record, which: Literal["limit", "expected", "asymptotic"]) -> str:
    """The limit of a record or another one beside it, or why there is none; empty where nothing is measured."""
    status = record["status" if which == "limit" else f"{which}_status"]
    if status is None or status in NO_LIMIT:
        return "" if status is None else NO_LIMIT[status]
    outside = " (outside the axis)" if status == OUTSIDE_AXIS else ""
    if _is_on_mass(record):
        return mass_text(record[f"{which}_gev"], record.get(f"{which}_over_g_gev")) + outside
    axis = limited_axis(record)
    if which in record:
        ratio = record.get("limit_over_g_gev") if which == "limit" else None
        contact = "" if ratio is None else f" (M/{axis.text} > {ratio:.1f} GeV)"
        return axis.with_unit(f"{record[which]:.4g}") + contact + outside
    sides = record[f"{which}_low"], record[f"{which}_high"]
    return interval_text(sides, axis) + outside


def limits_text(records: Sequence[Record]) -> str:
    """One limit, or the range of limits over rows and the number of rows that have none on the axis."""
    if len(records) == 1:
        return limit_text(records[0])
    ends = _range_of_limits(records)
    states = [each["status"] for each in records]
    others = [f"{states.count(state)} {words}" for state, words in OVER_ROWS.items() if state in states]
    rows = " and ".join(axis.text for axis in _row_axes(records[0]))
    return f"{ends} over {len(records)} {rows}" + (f" ({', '.join(others)})" if others else "")


def _range_of_limits(records: Sequence[Record]) -> str:
    """The least and the greatest of some limits; of limits on two sides, the tightest."""
    axis = limited_axis(records[0])
    if "limit_low" in records[0]:
        lows, highs = ([each[key] for each in records if each[key] is not None] for key in ("limit_low", "limit_high"))
        tightest = max(lows, default=None), min(highs, default=None)
        return "none" if tightest == (None, None) else f"at best {interval_text(tightest, axis)}"
    key, digits = ("limit_gev", ".1f") if _is_on_mass(records[0]) else ("limit", ".4g")
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
    """The conditions of a limit: its level and its settings."""
    level = level_text(record["cl"], record["dof"])
    return ", ".join([level, *(f"{axis.text} {setting_text(record[axis.column])}" for axis in SETTINGS)])


def intervals_text(intervals: Iterable[tuple[float | None, float | None]], axis: Axis) -> str:
    """Allowed intervals of an axis."""
    told = [interval_text(each, axis) for each in intervals]
    return ", ".join(told) or ("no mass of 1 GeV or more" if axis is M_ZPRIME else f"no {axis.text}")


def interval_text(ends: tuple[float | None, float | None], axis: Axis) -> str:
    """An interval of an axis, where None is an open end, and that of the quantity of which the axis is a shift.

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
    """The range of an axis that vertices cover."""
    axis = {axis.name: axis for axis in AXES}.get(name)  # None for another view, such as cos_beta
    low, high = (end if axis is None else axis.shown(end) for end in (min(values), max(values)))
    told = f"{low:.4g} to {high:.4g}"
    return f"{name} {told if axis is None else axis.with_unit(told)}"
