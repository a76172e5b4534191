"""The command line: options in, tables or JSON out.  No logic: every command calls the Python interface.

Commands import what they need when they run, so that ``fastscan --help`` starts in a moment.
"""

import csv
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from fastscan.errors import FastscanError
from fastscan.units import quantity

NO_LIMIT = {
    "no_sensitivity": "no sensitivity",
    "sm_disfavoured": "none: the data disfavour the Standard Model",
}


class Angle(click.ParamType):  # type: ignore[type-arg]
    """An angle with its unit."""

    name = "angle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else quantity(value, "angle")
        except FastscanError as error:
            self.fail(str(error), param, ctx)


class Points(click.ParamType):  # type: ignore[type-arg]
    """Values separated by commas, or the word "axis" for those of the store's axis."""

    name = "values"

    def __init__(self, each: "click.ParamType[Any]") -> None:
        self.each = each

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "axis" or not isinstance(value, str):
            return value
        return [self.each.convert(part, param, ctx) for part in value.split(",")]


def options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, in their order."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


confidence = options(
    click.option("--cl", default=0.90, show_default=True, help="Confidence level, a probability."),
    click.option("--dof", default=1, show_default=True, help="Degrees of freedom of the chi2 quantile."),
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="fastscan")
@click.pass_context
def cli(context: click.Context) -> None:
    """Limits on heavy Z' bosons from low-energy neutrino experiments.

    \b
    A first limit:      fastscan limit coherent-csi chi
    A grid in a store:  fastscan scan grids/coherent-csi.toml -o results/coherent-csi.zarr
    Limits from it:     fastscan limits results/coherent-csi.zarr
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@click.argument("grid", type=click.Path())
@click.option(
    "-o", "--output", "store", required=True, type=click.Path(), help="Store to write, a directory."
)
@click.option("--resume", is_flag=True, help="Continue a store: compute what is missing.")
@click.option(
    "--overwrite", is_flag=True, help="Replace a store. What is no fastscan store is never deleted."
)
def scan(grid: str, store: str, resume: bool, overwrite: bool) -> None:
    """Scan a grid file into a store.

    Computes chi2 over GRID and shows the 90 % limit of each model. Runs on this machine's cores. The limits shown are those at each experiment's own sigma_sys and at
    luminosity 1; `fastscan limits` gives all others.

    Example: fastscan scan grids/coherent-csi.toml -o results/coherent-csi.zarr
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    from fastscan import query, scanner

    cubes = scanner.plan(grid)
    points = sum(cube.layout.points for cube in cubes)
    size = sum(cube.layout.size for cube in cubes)
    tasks = sum(cube.layout.tasks for cube in cubes)
    click.echo(
        f"{len(cubes)} groups, {count(points)} points, {size / 1e6:.1f} MB in {tasks} tasks -> {store}",
        err=True,
    )
    started = time.perf_counter()
    with click.progressbar(
        length=points,
        label="scan",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
        item_show_func=lambda speed: speed or "",
    ) as bar:

        def progress(done: int, to_do: int) -> None:
            bar.length = to_do
            speed = f"{count(done / (time.perf_counter() - started))} points/s"
            bar.update(done - bar.pos, speed)

        scanner.run(cubes, store, resume=resume, overwrite=overwrite, progress=progress)
    records = [record for cube in cubes for record in query.store_limits(cube)]
    click.echo("Lower limits on M_Z' at 90 % CL (1 dof), at each experiment's own sigma_sys:")
    print_table(("experiment", "model", "sigma_sys", "limit"), summary(records))


@cli.command()
@click.argument("experiment")
@click.argument("model")
@click.option("--beta", type=Angle(), help="E6 mixing angle with its unit: 95deg, 1.66rad. For model e6.")
@click.option("--sigma-sys", type=float, help="Relative systematic error; left out, the experiment's own.")
@click.option("--luminosity", default=1.0, show_default=True, help="Factor on the exposure.")
@confidence
@as_json
def limit(
    experiment: str,
    model: str,
    beta: float | None,
    sigma_sys: float | None,
    luminosity: float,
    cl: float,
    dof: int,
    as_json: bool,
) -> None:
    """One lower limit on M_Z', without a store.

    EXPERIMENT is a name of `fastscan experiments` or a path to a TOML file, MODEL a name of `fastscan models`.

    \b
    Examples: fastscan limit coherent-csi chi --sigma-sys 0.1
              fastscan limit coherent-csi e6 --beta 100deg
    """
    from fastscan import query

    found = query.point_limit(
        experiment, model, beta=beta, sigma_sys=sigma_sys, luminosity=luminosity, cl=cl, dof=dof
    )
    if as_json:
        print_json(found)
        return
    where = f"{experiment}, {model}" + ("" if beta is None else f" at beta = {math.degrees(beta):g} deg")
    conditions = f"{100 * cl:g} % CL, {dof} dof, sigma_sys {found['sigma_sys']:g}, L/L0 {luminosity:g}"
    above = "M_Z' > " if found["limit_gev"] else ""
    click.echo(f"{where}: {above}{limit_text(found)}  ({conditions})")
    if len(found["allowed_gev"]) > 1 or found["status"] == "sm_disfavoured":
        click.echo("allowed: " + ", ".join(interval_text(*ends) for ends in found["allowed_gev"]))


@cli.command()
@click.argument("store", type=click.Path())
@click.option(
    "--group", "groups", multiple=True, help="Group <experiment>/<model>; left out, all. Repeatable."
)
@click.option(
    "--beta", type=Points(Angle()), default="axis", show_default=True, help="Angles on the axis: 0deg,95deg."
)
@click.option(
    "--sigma-sys", type=Points(click.FLOAT), help="Values, or 'axis'; left out, each experiment's own."
)
@click.option(
    "--luminosity", type=Points(click.FLOAT), default="1", show_default=True, help="Values, or 'axis'."
)
@confidence
@as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def limits(
    store: str,
    groups: tuple[str, ...],
    beta: Any,
    sigma_sys: Any,
    luminosity: Any,
    cl: float,
    dof: int,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Lower limits on M_Z' from a store.

    They come from the likelihood that STORE carries: exact at any sigma_sys and luminosity, on its axes or off
    them, and the same whatever its grid. One outside the M_Z' axis is marked. Values are separated by commas; the word axis stands for all values of the store's axis.

    \b
    Examples: fastscan limits results/coherent-csi.zarr --sigma-sys 0.1,0.2 --json
              fastscan limits results/coherent-csi.zarr --group coherent-csi/e6 --beta 0deg,100deg
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    from fastscan import query

    records = query.limits_in_store(
        store, groups, beta=beta, sigma_sys=sigma_sys, luminosity=luminosity, cl=cl, dof=dof
    )
    if as_json:
        print_json(records)
    elif as_csv:
        print_csv(records)
    else:
        click.echo(f"Lower limits on M_Z' at {100 * cl:g} % CL ({dof} dof):")
        columns = ("experiment", "model", "beta/deg", "sigma_sys", "L/L0", "limit")
        print_table(
            columns,
            [
                (
                    record["experiment"],
                    record["model"],
                    "" if record["beta_rad"] is None else f"{math.degrees(record['beta_rad']):.6g}",
                    f"{record['sigma_sys']:g}",
                    f"{record['luminosity']:g}",
                    limit_text(record),
                )
                for record in records
            ],
        )


@cli.command()
@click.argument("store", type=click.Path())
@as_json
def info(store: str, as_json: bool) -> None:
    """What a store holds, and what made it.

    For each group of STORE: its axes, points, bytes, how many of its tasks are done, version and references.

    Example: fastscan info results/coherent-csi.zarr
    """
    from fastscan import store as stores

    groups = stores.describe(store)
    if as_json:
        print_json(groups)
        return
    for group in groups:
        state = "complete" if group["tasks_done"] == group["tasks"] else "INCOMPLETE, scan --resume continues"
        click.echo(f"{group['group']}: {group['title']}" if group["title"] else group["group"])
        for name, axis in group["axes"].items():
            ends = (
                f"{axis['first']:.6g} to {axis['last']:.6g}" if axis["size"] > 1 else f"{axis['first']:.6g}"
            )
            click.echo(f"  {name:<11} {axis['size']:>7}  {ends} {axis['units'].replace('1', '')}".rstrip())
        click.echo(
            f"  points      {count(group['points']):>7}  {group['dtype']}, {group['bytes'] / 1e6:.1f} MB"
        )
        click.echo(f"  tasks       {group['tasks_done']:>7}  of {group['tasks']}, {state}")
        click.echo(
            f"  made by     {group['source']}, hash {group['hash'][:12]}, see {', '.join(group['references'])}"
        )


@cli.command()
@as_json
def experiments(as_json: bool) -> None:
    """The experiments in the package."""
    from fastscan import experiments as known

    loaded = [known.load(name) for name in known.names()]
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "title": each.title,
                    "channel": each.channel,
                    "sigma_sys": each.statistics.sigma_sys,
                    "references": each.references,
                }
                for each in loaded
            ]
        )
        return
    rows = [(each.name, each.channel, f"{each.statistics.sigma_sys:g}", each.title) for each in loaded]
    print_table(("experiment", "channel", "sigma_sys", "title"), rows)


@cli.command()
@as_json
def models(as_json: bool) -> None:
    """The models of a heavy Z'."""
    from fastscan.models import MODELS

    if as_json:
        print_json([{"name": name, "description": model.description} for name, model in MODELS.items()])
    else:
        print_table(("model", "description"), [(name, model.description) for name, model in MODELS.items()])


def count(number: float) -> str:
    """A count with the prefix that makes it short.

    >>> count(64_000_000), count(950)
    ('64.0 M', '950')
    """
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.1f} {prefix}"
    return f"{number:.0f}"


def limit_text(record: dict[str, Any]) -> str:
    """A limit as a table shows it."""
    if record["limit_gev"] is None:
        return NO_LIMIT[record["status"]]
    outside = " (outside the axis)" if record["status"] == "outside_axis" else ""
    return f"{record['limit_gev']:.1f} GeV{outside}"


def interval_text(low: float, high: float | None) -> str:
    return f"above {low:.4g} GeV" if high is None else f"{low:.4g} to {high:.4g} GeV"


def summary(records: Iterable[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """A row for each experiment and model; over beta, the range of its limits."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for record in records:
        key = (record["experiment"], record["model"], f"{record['sigma_sys']:g}")
        groups.setdefault(key, []).append(record)
    rows = []
    for key, members in groups.items():
        found = sorted((each for each in members if each["limit_gev"]), key=lambda each: each["limit_gev"])
        if len(members) == 1 or not found:
            text = limit_text(members[0])
        else:
            outside = sum(each["status"] == "outside_axis" for each in members)
            text = f"{found[0]['limit_gev']:.1f} to {found[-1]['limit_gev']:.1f} GeV over {len(members)} beta"
            text += f", {outside} of them outside the axis" * (outside > 0)
            text += f", none at {len(members) - len(found)}" * (len(found) < len(members))
        rows.append((*key, text))
    return rows


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def print_csv(records: Sequence[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)


def main() -> None:
    """Run a command; what a user can do wrong is one line on stderr and exit code 2."""
    try:
        cli.main(prog_name="fastscan", standalone_mode=False)
    except (FastscanError, click.ClickException) as error:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        click.echo(f"fastscan: {' '.join(text.split())}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("fastscan: interrupted; a scan continues with --resume", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader, head or less, has what it wanted
        sys.stderr.close()
        sys.exit(0)
