"""The output of the commands on the terminal: JSON, and tables of limits, contours, stores, models and experiments."""

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from fastscan.axes import SETTINGS
from fastscan.errors import shown
from fastscan.inputs.units import short
from fastscan.interactions.parameters import M_ZPRIME, PARAMETERS
from fastscan.limits.confidence import (
    ASIMOV,
    CL,
    DOF,
    SM_DISFAVOURED,
    level_text,
)
from fastscan.outputs.wording import (
    bound_text,
    by_kind,
    conditions,
    data_text,
    error_text,
    intervals_text,
    is_by_toys,
    is_on_mass,
    limit_text,
    limited_axis,
    limits_text,
    range_text,
    relation,
    row_axes,
    setting_text,
    toys_text,
)
from fastscan.typing import Record

if TYPE_CHECKING:
    from fastscan.experiments.experiment import Experiment
    from fastscan.interactions.interaction import Interaction
    from fastscan.scans.costs import Costs
    from fastscan.scans.verify import Checked

ASSUMED = "*"  # the mark of an experiment with an assumption that no paper gives
ABOUT_MODELS = """\
For scattering off electrons, lr and lr-nc differ much: 483 and 276 GeV for
cr51-lxe-a. A Z' does not change W exchange, so such a model predicts lr-nc;
arXiv:2002.01482 computed lr. A model of your own is a TOML file with charges,
couplings or epsilons, see grids/models."""


def print_json(value: object) -> None:
    """Print a value as JSON.  JSON has no NaN; a missing number is null."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose columns are as wide as their widest cells."""
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
    """Print a table whose rows begin with names of experiments; a column of labels follows if any label differs."""
    if any(labels.get(name, name) != name for name, *_ in rows):
        columns = (columns[0], "label", *columns[1:])
        rows = [(name, shown(labels.get(name, name)), *cells) for name, *cells in rows]
    print_table(columns, rows)


def print_models(models: Iterable["Interaction"]) -> None:
    """Print the names and descriptions of models, family by family."""
    families: dict[str, list[tuple[str, str]]] = {}
    for model in models:
        families.setdefault(model.family, []).append((model.name, model.description))
    for family, told in families.items():
        click.echo(f"{family}:")
        print_table(("model", "description"), told)
        click.echo()
    click.echo(ABOUT_MODELS)


def told_model(model: "Interaction") -> dict[str, object]:
    """A model as a record for JSON."""
    return {
        "name": model.name,
        "description": model.description,
        "family": model.family,
        "rows": [axis.name for axis in model.rows],
        "strength": model.strength.axis.name,
        "bound": model.strength.bound,
    }


def print_limit(found: Record) -> None:
    """Print one limit, the expected limit, and the allowed intervals where there are several."""
    rows = [f"{axis.text} = {axis.told(found[axis.column])}" for axis in row_axes(found)]
    where = shown(f"{found['experiment']}, {found['model']}") + (f" at {', '.join(rows)}" if rows else "")
    limit = f"{relation(found)}{bound_text(found, 'limit')}{error_text(found)}"
    click.echo(f"{where}: {limit}  ({conditions(found)}{data_text(found)})")
    if is_by_toys(found):
        click.echo(f"from {toys_text(found)} at each strength; asymptotic: {bound_text(found, 'asymptotic')}")
    if found["expected_status"]:
        click.echo(
            "expected, from the Standard Model's prediction in place of the data: " + bound_text(found, "expected")
        )
    allowed = found["allowed_gev" if is_on_mass(found) else "allowed"]
    if len(allowed) > 1 or found["status"] == SM_DISFAVOURED:
        click.echo("allowed: " + intervals_text(allowed, limited_axis(found)))
        if found.get("allowed_over_g_gev"):
            click.echo("allowed M_Z'/g': " + intervals_text(found["allowed_over_g_gev"], M_ZPRIME))


def print_limits(found: Iterable[Record], cl: float, dof: int, labels: Mapping[str, str] | None = None) -> None:
    """Print a table of limits for each strength, data and method."""
    for kind, limits in by_kind(found).items():
        click.echo(f"{kind} at {level_text(cl, dof)}:")
        _print_limits(limits, labels or {})


def _print_limits(limits: Sequence[Record], labels: Mapping[str, str]) -> None:
    """Print a row for each limit; a column of expected limits is added if any limit comes from scaled data."""
    scaled = any(each["scaled_data"] for each in limits)
    axes = [axis for axis in PARAMETERS if any(each.get(axis.column) is not None for each in limits)]
    rows = [
        (
            shown(each["experiment"]),
            shown(each["model"]),
            *("" if each.get(axis.column) is None else f"{axis.shown(each[axis.column]):.6g}" for axis in axes),
            *(setting_text(each[axis.column]) for axis in SETTINGS),
            limit_text(each),
            *((bound_text(each, "asymptotic"),) if is_by_toys(each) else ()),
            *((bound_text(each, "expected"),) if scaled else ()),
        )
        for each in limits
    ]
    headings = (axis.heading for axis in (*axes, *SETTINGS))
    columns = ["experiment", "model", *headings, "limit"]
    columns += ["asymptotic"] * any(map(is_by_toys, limits)) + ["expected"] * scaled
    print_labelled(columns, rows, labels)


def print_summary(found: Iterable[Record], labels: Mapping[str, str]) -> None:
    """Print a row for each experiment and model, with the range of limits over the model's rows, at luminosity 1."""
    own = [axis for axis in SETTINGS if axis.default is None]  # settings with a value for each experiment
    defaults = [f"{axis.text} {axis.default:g}" for axis in SETTINGS if axis.default is not None]
    for kind, limits in by_kind(found).items():
        groups: dict[tuple[str, ...], list[Record]] = {}
        for each in limits:
            key = (shown(each["experiment"]), shown(each["model"]), *(setting_text(each[axis.column]) for axis in own))
            groups.setdefault(key, []).append(each)
        click.echo(f"{kind} at {', '.join([level_text(CL, DOF), *defaults])}:")
        rows = [(*key, limits_text(each)) for key, each in groups.items()]
        print_labelled(("experiment", "model", *(axis.heading for axis in own), "limit"), rows, labels)


def print_coverage(found: Sequence[Record]) -> None:
    """Print the coverage of intervals, a row for each point."""
    first = found[0]
    axes = [axis for axis in PARAMETERS if axis.column in first]
    moved = [f"{shown(name)} {value:+g}" for name, value in first["nuisances"].items()]
    truth = f", true nuisances {', '.join(moved)}" if moved else ""
    where = shown(f"{first['experiment']}, {first['model']}")
    toys = f"{toys_text(first)} at each point"
    click.echo(f"{where}: coverage of intervals at {conditions(first)}{data_text(first)}{truth}, from {toys}:")
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
    """Print a line for each contour of a plane."""
    level = "" if is_by_toys(plane) else f"Delta chi2 = {plane['delta_chi2']:.4g}"
    if is_by_toys(plane):
        level = f"{toys_text(plane)} at each point, whose quantiles have errors up to {plane['largest_error']:.2g}"
    where = f"{level_text(plane['cl'], plane['dof'])}, {level}"
    where += data_text(plane)
    group = shown(f"{plane['experiment']}/{plane['model']}")
    click.echo(f"{group} in {', '.join(plane['axes'])} ({where}):")
    for line in plane["contours"]:
        ends = "closed" if line["closed"] else "leaves the grid at both ends"
        ranges = ", ".join(range_text(name, line["vertices"][name]) for name in plane["axes"])
        click.echo(f"  {len(line['vertices'][plane['axes'][0]])} vertices, {ends}: {ranges}")
    if not plane["contours"]:
        click.echo("  no contour: Delta chi2 does not cross the threshold in this plane")


def print_group(group: Record) -> None:
    """Print the contents of a store's group, and its origin."""
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
    """Print the result of checking a store's group, and the keys of its damaged chunks."""
    missing = f", {len(group.missing)} of {group.tasks} tasks missing" if group.missing else ""
    state = f"{len(group.damaged)} DAMAGED" if group.damaged else "good"
    click.echo(f"{shown(group.group)}: {group.chunks} chunks {state}, {group.recomputed} computed again{missing}")
    for key in group.damaged:
        click.echo(f"  {key}")


def print_costs(found: "Costs", store: str) -> None:
    """Print the costs of a scan, by group and in total."""
    rows = [
        (name, short(each.points), f"{each.tasks}", short(each.size, "B"), short(each.chunk_size, "B"))
        for name, each in found.groups.items()
    ]
    print_table(("group", "points", "tasks", "size", "chunk"), rows)
    click.echo(f"to do: {short(found.points)} points in {found.tasks} tasks, {short(found.size, 'B')} with the events")
    tasks = "each task" if found.tasks_in_flight is None else f"each of {found.tasks_in_flight} tasks"
    here = f"; {short(found.available_memory, 'B')} available here" if math.isfinite(found.available_memory) else ""
    click.echo(
        f"memory: {short(found.memory_per_task, 'B')} for {tasks} in flight, one for each worker, and Python's own"
        f"{here}"
    )
    free = f"{short(found.free_disk, 'B')} free" if math.isfinite(found.free_disk) else "no limit known"
    click.echo(f"disk: {free} at {store}")


def print_experiments(experiments: Sequence["Experiment"]) -> None:
    """Print experiments under the group of their sources, whose order they follow; assumptions are marked."""
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
        click.echo(f"\n{ASSUMED} some inputs are assumed, because no paper gives them; `fastscan show` lists them")
