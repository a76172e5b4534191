"""The command line: options in, tables or JSON out.  No logic: every command calls the Python interface.

Commands import what they need when they run, so that ``fastscan --help`` starts in a moment.
"""

import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import click

from fastscan.errors import FastscanError
from fastscan.units import UNITS, quantity

if TYPE_CHECKING:
    from fastscan import scanner

NO_LIMIT = {
    "no_sensitivity": "no sensitivity",
    "sm_disfavoured": "none: the data disfavour the Standard Model",
}
OVER_BETA = {
    "outside_axis": "outside the axis",
    "no_sensitivity": "without sensitivity",
    "sm_disfavoured": "with the SM disfavoured",
}


class Quantity(click.ParamType):  # type: ignore[type-arg]
    """A number with its unit, turned into one unit of a kind of `UNITS`."""

    def __init__(self, name: str, kind: str, unit: str) -> None:
        self.name, self.kind, self.unit = name, kind, UNITS[kind][unit]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else quantity(value, self.kind) / self.unit
        except FastscanError as error:
            self.fail(str(error), param, ctx)


ANGLE = Quantity("angle", "angle", "rad")
MASS = Quantity("mass", "energy", "GeV")


class Points(click.ParamType):  # type: ignore[type-arg]
    """Values separated by commas, or the word "axis" for those of the store's axis."""

    name = "values"

    def __init__(self, each: "click.ParamType[Any]") -> None:
        self.each = each

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "axis" or not isinstance(value, str):
            return value
        return [self.each.convert(part, param, ctx) for part in value.split(",")]


class Pair(click.ParamType):  # type: ignore[type-arg]
    """Two names separated by a comma."""

    name = "x,y"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        parts = tuple(value.split(",")) if isinstance(value, str) else value
        if len(parts) != 2:
            self.fail(f"{value!r} is not two names separated by a comma", param, ctx)
        return parts


class Part(click.ParamType):  # type: ignore[type-arg]
    """k/n: two whole numbers."""

    name = "k/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        k, slash, n = value.partition("/")
        if not (slash and k.isdecimal() and n.isdecimal()):
            self.fail(f"{value!r} is not of the form 3/16", param, ctx)
        return int(k), int(n)


class SigmaSys(click.ParamType):  # type: ignore[type-arg]
    """A number, or name=number: (None, number) or (name, number)."""

    name = "sigma"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        name, _, number = value.rpartition("=")
        return name or None, click.FLOAT.convert(number, param, ctx)


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
as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
group = click.option("--group", "groups", multiple=True, help="Group <experiment>/<model>; left out, all. Repeatable.")
plane = options(
    click.option(
        "--axes",
        type=Pair(),
        help="Plane of the contours: two of beta, cos_beta, m_zprime, sigma_sys, luminosity; left out, the first axis "
        "of the group against m_zprime.",
    ),
    click.option("--minimise", multiple=True, metavar="AXIS", help="Minimise chi2 over another axis. Repeatable."),
    click.option("--m-zprime", type=MASS, help="Mass with its unit, 500GeV, where m_zprime is not shown."),
)
from_cube = click.option(
    "--from-cube", is_flag=True, help="Insist on the stored chi2: values on the axes only, each stored mass counts."
)


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
    "-o",
    "--output",
    "store",
    required=True,
    type=click.Path(),
    help="Store to write: a directory, or a URL, s3://bucket/name.",
)
@click.option("--resume", is_flag=True, help="Continue a store: compute what is missing.")
@click.option("--overwrite", is_flag=True, help="Replace a store. What is no fastscan store is never deleted.")
@click.option("--part", type=Part(), help="Only part k of n, 3/16, of a grid that several jobs share; see `finish`.")
@click.option("--dry-run", is_flag=True, help="Only tell what it takes: tasks, points, bytes, memory, disk.")
@click.option("--workers", type=int, metavar="N", help="Processes on this machine, in place of threads.")
@click.option("--scheduler", metavar="ADDRESS", help="Address of a running dask cluster, tcp://host:8786.")
def scan(
    grid: str,
    store: str,
    resume: bool,
    overwrite: bool,
    part: tuple[int, int] | None,
    dry_run: bool,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Scan a grid file into a store.

    Computes chi2 over GRID on this machine's cores or on a dask cluster, and shows the 90 % limit of each model at
    each experiment's own sigma_sys and at luminosity 1; `fastscan limits` gives all others.

    \b
    Examples: fastscan scan grids/coherent-csi.toml -o results/coherent-csi.zarr
              fastscan scan big.toml -o big.zarr --scheduler tcp://head-node:8786
              fastscan scan big.toml -o big.zarr --part 3/16
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    if dry_run:
        tell_costs(grid, store, workers)
        return
    from fastscan import cluster, records, scanner

    cubes = scanner.plan(grid)
    groups = f"{len(cubes)} group{'s' * (len(cubes) > 1)} of {size_text(sum(cube.layout.size for cube in cubes))}"
    with cluster.client(workers, scheduler) as client, ProgressBar(f"{groups} -> {store}") as progress:
        scanner.run(cubes, store, client=client, resume=resume, overwrite=overwrite, part=part, progress=progress)
    if part is not None:
        click.echo(f"part {part[0]} of {part[1]} is done; `fastscan finish {store}` when all are")
        return
    found = [each for cube in cubes for each in records.of_cube(cube)]
    click.echo("Lower limits on M_Z' at 90 % CL (1 dof):")
    print_table(("experiment", "model", "sigma_sys", "limit"), summary(found))


@cli.command()
@click.argument("store", type=click.Path())
def finish(store: str) -> None:
    """Finish a store whose parts are done.

    Removes what killed writes left in STORE and consolidates its metadata. Where tasks are missing it lists them,
    changes nothing, and exits with 2.

    Example: fastscan finish results/big.zarr
    """
    from fastscan import scanner

    scanner.finish(store)
    click.echo(f"{store} is complete")


@cli.command()
@click.argument("store", type=click.Path())
@click.option("--all", "everything", is_flag=True, help="Compute every chunk again, not a sample.")
@as_json
def verify(store: str, everything: bool, as_json: bool) -> None:
    """Check a store: every chunk's checksum, and a sample computed again.

    Damaged chunks are named, and lose their record of being done, so that `fastscan scan --resume` computes them
    anew. Exits with 2 where anything is damaged or missing.

    Example: fastscan verify results/coherent-csi.zarr
    """
    from dataclasses import asdict

    from fastscan import verify as checks

    checked = checks.verify(store, everything)
    if as_json:
        print_json([asdict(each) for each in checked])
    for each in [] if as_json else checked:
        missing = f", {len(each.missing)} of {each.tasks} tasks missing" if each.missing else ""
        state = f"{len(each.damaged)} DAMAGED" if each.damaged else "good"
        click.echo(f"{each.group}: {each.chunks} chunks {state}, {each.recomputed} computed again{missing}")
        for key in each.damaged:
            click.echo(f"  {key}")
    if any(each.damaged or each.missing for each in checked):
        raise FastscanError(f"{store} is damaged or not complete; `fastscan scan --resume` computes what is missing")


@cli.command()
@click.argument("experiments")
@click.argument("model")
@click.option("--beta", type=ANGLE, help="E6 mixing angle with its unit: 95deg, 1.66rad. For model e6.")
@click.option(
    "--sigma-sys",
    multiple=True,
    type=SigmaSys(),
    metavar="[NAME=]VALUE",
    help="Relative systematic error, of all or, repeatable, of one; left out, each experiment's own.",
)
@click.option("--luminosity", default=1.0, show_default=True, help="Factor on the exposure.")
@confidence
@as_json
def limit(
    experiments: str,
    model: str,
    beta: float | None,
    sigma_sys: tuple[tuple[str | None, float], ...],
    luminosity: float,
    cl: float,
    dof: int,
    as_json: bool,
) -> None:
    """One lower limit on M_Z', without a store.

    EXPERIMENTS is a name of `fastscan experiments`, a path to a TOML file, or several of them separated by commas,
    which are combined. MODEL is a name of `fastscan models` or a path to a TOML file with charges.

    \b
    Examples: fastscan limit coherent-csi chi --sigma-sys 0.1
              fastscan limit coherent-csi e6 --beta 100deg
              fastscan limit coherent-csi,connie,cr51-lxe-c eta --sigma-sys 0.1 --sigma-sys cr51-lxe-c=0.0025
    """
    from fastscan import records

    found = records.of_point(
        experiments.split(","),
        model,
        beta=beta,
        sigma_sys=records.sigma_of(sigma_sys, experiments.split(",")),
        luminosity=luminosity,
        cl=cl,
        dof=dof,
    )
    if as_json:
        print_json(found)
        return
    where = f"{found['experiment']}, {found['model']}" + (
        "" if beta is None else f" at beta = {math.degrees(beta):g} deg"
    )
    above = "M_Z' > " if found["limit_gev"] else ""
    click.echo(f"{where}: {above}{limit_text(found)}  ({conditions(found)})")
    if found["expected_status"]:
        click.echo("expected, from the Standard Model's prediction in place of the data: " + expected_text(found))
    if len(found["allowed_gev"]) > 1 or found["status"] == "sm_disfavoured":
        click.echo("allowed: " + ", ".join(interval_text(*ends) for ends in found["allowed_gev"]))
        if found["allowed_over_g_gev"]:
            over_g = ", ".join(interval_text(*ends) for ends in found["allowed_over_g_gev"])
            click.echo(f"allowed M_Z'/g': {over_g}")


@cli.command()
@click.argument("store", type=click.Path())
@group
@click.option("--combine", help="Experiments of the store, separated by commas: the limits of their summed chi2.")
@click.option("--beta", type=Points(ANGLE), default="axis", show_default=True, help="Angles on the axis: 0deg,95deg.")
@click.option("--sigma-sys", type=Points(click.FLOAT), help="Values, or 'axis'; left out, each experiment's own.")
@click.option("--luminosity", type=Points(click.FLOAT), default="1", show_default=True, help="Values, or 'axis'.")
@from_cube
@confidence
@as_json
@as_csv
def limits(
    store: str,
    groups: tuple[str, ...],
    combine: str | None,
    beta: Any,
    sigma_sys: Any,
    luminosity: Any,
    cl: float,
    dof: int,
    from_cube: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Lower limits on M_Z' from a store.

    They come from the likelihood that STORE carries: exact at any sigma_sys and luminosity, on its axes or off
    them, and the same whatever its grid. One outside the M_Z' axis is marked. Values are separated by commas; the
    word axis stands for all values of the store's axis. --json and --csv also tell every allowed interval.

    \b
    Examples: fastscan limits results/coherent-csi.zarr --sigma-sys 0.1,0.2 --json
              fastscan limits results/coherent-csi.zarr --group coherent-csi/e6 --beta 0deg,100deg
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if groups and combine is not None:
        raise click.UsageError("--group and --combine exclude each other")
    from fastscan import records

    found: Iterable[dict[str, Any]] = records.of_store(
        store,
        groups,
        combined=combine.split(",") if combine is not None else (),
        beta=beta,
        sigma_sys=sigma_sys,
        luminosity=luminosity,
        cl=cl,
        dof=dof,
        from_cube=from_cube,
    )
    if as_csv:
        records.write_csv(sys.stdout, records.KEYS, found)
    elif as_json:
        print_json(list(found))
    else:
        rows = [
            (
                each["experiment"],
                each["model"],
                "" if each["beta_rad"] is None else f"{math.degrees(each['beta_rad']):.6g}",
                sigma_text(each),
                f"{each['luminosity']:g}",
                limit_text(each),
            )
            for each in found
        ]
        click.echo(f"Lower limits on M_Z' at {100 * cl:g} % CL ({dof} dof):")
        print_table(("experiment", "model", "beta/deg", "sigma_sys", "L/L0", "limit"), rows)


@cli.command()
@click.argument("store", type=click.Path())
@group
@plane
@click.option("--beta", type=ANGLE, help="Angle on the axis, 30deg, where beta is not shown.")
@click.option("--sigma-sys", type=float, help="Left out, each experiment's own.")
@click.option("--luminosity", type=float, help="Left out, 1.")
@from_cube
@click.option("--cl", default=0.90, show_default=True, help="Confidence level, a probability.")
@click.option("--dof", type=int, help="Degrees of freedom; left out, 2 for beta against m_zprime, else 1.")
@as_json
@as_csv
def contours(
    store: str,
    groups: tuple[str, ...],
    axes: tuple[str, str] | None,
    minimise: tuple[str, ...],
    m_zprime: float | None,
    beta: float | None,
    sigma_sys: float | None,
    luminosity: float | None,
    from_cube: bool,
    cl: float,
    dof: int | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Contours of Delta chi2 in a plane of two axes of a store.

    The lines are drawn through the grid of STORE, and each vertex is then put where the likelihood that the store
    carries has it. With 1 dof each beta is a model of its own, with 2 beta is fitted as well as M_Z'. --csv and
    --json print the vertices: beta in rad, masses in GeV. A contour is closed, or leaves the grid at both ends;
    regions narrower than the grid can fall into pieces, and a finer grid joins them. With 1 dof Delta chi2 can
    jump between betas that fit the data at some mass and betas that don't: a contour runs along the jump.

    \b
    Examples: fastscan contours results/coherent-csi.zarr --group coherent-csi/e6 --csv > contour.csv
              fastscan contours results/coherent-csi.zarr --axes sigma_sys,m_zprime --beta 30deg
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    from fastscan import records

    held = {"beta": beta, "m_zprime": m_zprime, "sigma_sys": sigma_sys, "luminosity": luminosity}
    found = list(
        records.contours_of_store(
            store,
            groups,
            axes=axes,
            minimise=minimise,
            at={name: value for name, value in held.items() if value is not None},
            cl=cl,
            dof=dof,
            from_cube=from_cube,
        )
    )
    if as_csv:
        rows = (row for plane, lines, degrees in found for row in records.contour(plane, lines, cl, degrees))
        records.write_csv(sys.stdout, records.CONTOUR_KEYS, rows)
        return
    if as_json:
        print_json([records.contour_summary(plane, lines, cl, degrees) for plane, lines, degrees in found])
        return
    for summary in [records.contour_summary(plane, lines, cl, degrees) for plane, lines, degrees in found]:
        where = f"{100 * cl:g} % CL, {summary['dof']} dof, Delta chi2 = {summary['delta_chi2']:.4g}"
        click.echo(f"{summary['experiment']}/{summary['model']} in {', '.join(summary['axes'])} ({where}):")
        for line in summary["contours"]:
            ends = "closed" if line["closed"] else "leaves the grid at both ends"
            ranges = ", ".join(range_text(name, line["vertices"][name]) for name in summary["axes"])
            click.echo(f"  {len(line['vertices'][summary['axes'][0]])} vertices, {ends}: {ranges}")
        if not summary["contours"]:
            click.echo("  no contour: Delta chi2 does not cross the threshold in this plane")


@cli.command()
@click.argument("store", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="File to write: .png, .pdf or .svg.")
@click.option("--kind", help="profile, limit or contour; left out, what the store has axes for.")
@click.option("--along", help="Axis for limits: sigma_sys, luminosity or beta.")
@group
@plane
@click.option("--beta", type=Points(ANGLE), help="Angles on the axis: 0deg,95deg, or 'axis'.")
@click.option("--sigma-sys", type=Points(click.FLOAT), help="Values, or 'axis'; left out, each experiment's own.")
@click.option("--luminosity", type=Points(click.FLOAT), help="Values, or 'axis'; left out, 1.")
@from_cube
@click.option("--cl", default=0.90, show_default=True, help="Confidence level, a probability.")
@click.option("--dof", type=int, help="Degrees of freedom; left out, 2 for contours in beta and m_zprime, else 1.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def plot(
    store: str,
    output: str,
    kind: str | None,
    along: str | None,
    groups: tuple[str, ...],
    axes: tuple[str, str] | None,
    minimise: tuple[str, ...],
    m_zprime: float | None,
    beta: Any,
    sigma_sys: Any,
    luminosity: Any,
    from_cube: bool,
    cl: float,
    dof: int | None,
    overwrite: bool,
) -> None:
    """A picture of a store: profiles, limits or contours.

    A profile is Delta chi2 against M_Z'; limits are drawn against sigma_sys, luminosity or beta; contours bound the
    regions that are excluded in a plane. Needs matplotlib: pip install 'fastscan[plot]'.

    \b
    Examples: fastscan plot results/coherent-csi.zarr -o limits.pdf
              fastscan plot results/coherent-csi.zarr -o plane.png --kind contour --axes cos_beta,m_zprime
              fastscan plot results/coherent-csi.zarr -o chi.png --kind profile --sigma-sys 0.1,0.28
    """
    from pathlib import Path

    from fastscan import figures, plots

    figures.check_name(Path(output))
    if Path(output).exists() and not overwrite:
        raise FastscanError(f"{output} exists; --overwrite replaces it")
    settings = plots.Settings(beta, m_zprime, sigma_sys, luminosity, cl, dof, from_cube)
    picture, left_out = plots.plot(
        store, groups, kind=kind, along=along, axes=axes, minimise=minimise, settings=settings
    )
    figures.save(picture, Path(output))
    click.echo(f"written to {output}" + (f"; without {', '.join(left_out)}" if left_out else ""))


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
            ends = f"{axis['first']:.6g} to {axis['last']:.6g}" if axis["size"] > 1 else f"{axis['first']:.6g}"
            unit = "" if axis["units"] == "1" else f" {axis['units']}"
            click.echo(f"  {name:<11} {axis['size']:>7}  {ends}{unit}")
        click.echo(f"  points      {count(group['points']):>7}  {group['dtype']}, {group['bytes'] / 1e6:.1f} MB")
        click.echo(f"  tasks       {group['tasks_done']:>7}  of {group['tasks']}, {state}")
        click.echo(f"  made by     {group['source']}, hash {group['hash'][:12]}, see {', '.join(group['references'])}")


@cli.command()
@click.argument("what", metavar="EXPERIMENT|STORE")
def cite(what: str) -> None:
    """The references to cite for an experiment or a store.

    \b
    Examples: fastscan cite red100
              fastscan cite results/coherent-csi.zarr
    """
    from pathlib import Path

    from fastscan import experiments as known

    if what not in known.names() and ("://" in what or Path(what).is_dir()):
        from fastscan import store as stores

        references = [each for group in stores.describe(what) for each in group["references"]]
    else:
        references = list(known.load(what).references)
    for reference in dict.fromkeys(references):
        click.echo(reference)


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
        click.echo(
            "Off electrons lr and lr-nc differ much: 483 and 276 GeV for cr51-lxe-a. A Z' does not touch W exchange,"
        )
        click.echo(
            "so lr-nc is what such a model predicts; lr is what arXiv:2002.01482 computed. A model of your own is a"
        )
        click.echo("TOML file with charges, see grids/models/b-l.toml.")


@cli.command()
@click.option("-o", "--output", "directory", required=True, type=click.Path(), help="Directory for the results.")
@click.option("--no-figures", is_flag=True, help="Only Table 3, without matplotlib.")
def paper(directory: str, no_figures: bool) -> None:
    """Table 3 and Figs. 1 to 6 of arXiv:2002.01482, computed beside the published values.

    Scans the grid of the table into a store in the directory, or continues it, prints each limit beside the
    published one, and writes the table as CSV, JSON and Markdown, the figures as PNG, PDF and CSV, and a report with
    all of it on one page, report.html. Figures need matplotlib: pip install 'fastscan[plot]'.

    Example: fastscan paper -o results/paper
    """
    from fastscan import paper as recipes

    entries, findings, written = recipes.run(directory, with_figures=not no_figures)
    click.echo("Lower limits on M_Z' in GeV at 90 % CL (1 dof): computed / published, deviation")
    rows = recipes.rows(entries)
    print_table(rows[0], rows[1:])
    for note in recipes.remarks(entries):
        click.echo(note)
    for figure, finding in findings:
        click.echo(f"Fig. {figure}: {finding.statement}: {'agrees' if finding.holds else 'DIFFERS'}")
        if not finding.holds:
            click.echo(f"        {finding.numbers}")
    click.echo(f"written to {directory}: " + ", ".join(written))


class ProgressBar:
    """What a scan is going to do, and on a terminal, how far it is, on stderr."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.stack = ExitStack()
        self.bar: Any = None  # click's, once there is something to show

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.stack.close()

    def __call__(self, now: "scanner.Progress") -> None:
        if self.bar is None:
            click.echo(f"{count(now.points_to_do)} points in {now.tasks_to_do} tasks to compute; {self.what}", err=True)
            bar = click.progressbar(
                length=max(now.points_to_do, 1),
                file=sys.stderr,
                hidden=not sys.stderr.isatty(),
                item_show_func=lambda state: state or "",
            )
            self.bar, self.started = self.stack.enter_context(bar), time.perf_counter()
        speed = f"{count(now.points / (time.perf_counter() - self.started))} points/s"
        state = f"{now.tasks}/{now.tasks_to_do} tasks, {speed}, {now.retried} retried, {now.failed} failed"
        self.bar.update(now.points - self.bar.pos, state)


def tell_costs(grid: str, store: str, workers: int | None) -> None:
    """What a scan takes, by group and in all; one that can't fit is an error."""
    from fastscan.cluster import threads_each
    from fastscan.costs import costs, require_memory
    from fastscan.location import require_space

    if workers is not None:
        threads_each(workers)
    found = costs(grid, store, workers)
    rows = [
        (name, f"{count(each.points)}", f"{each.tasks}", size_text(each.size), size_text(each.chunk_size))
        for name, each in found.groups.items()
    ]
    print_table(("group", "points", "tasks", "size", "chunk"), rows)
    click.echo(f"in all: {count(found.points)} points in {found.tasks} tasks, {size_text(found.size)} with the events")
    click.echo(
        f"memory: {size_text(found.memory_per_task)} for each of {found.tasks_in_flight} tasks in flight, one for each "
        f"worker, beside what Python takes; {size_text(found.memory)} available here"
    )
    free = size_text(found.free) if math.isfinite(found.free) else "no limit known"
    click.echo(f"disk: {free} free at {store}")
    require_space(store, found.size)
    require_memory(found.memory_per_task, found.tasks_in_flight)


def size_text(size: float) -> str:
    """Bytes with the prefix that makes them short.

    >>> size_text(36_900_000), size_text(4e10)
    ('36.9 MB', '40.0 GB')
    """
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if size >= factor:
            return f"{size / factor:.1f} {prefix}B"
    return f"{size / 1e3:.1f} kB"


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
    over_g = "" if record["limit_over_g_gev"] is None else f", M_Z'/g' {record['limit_over_g_gev']:.1f} GeV"
    outside = " (outside the axis)" if record["status"] == "outside_axis" else ""
    return f"{record['limit_gev']:.1f} GeV{over_g}{outside}"


def expected_text(record: dict[str, Any]) -> str:
    if record["expected_gev"] is None:
        return NO_LIMIT[record["expected_status"]]
    over_g = record["expected_over_g_gev"]
    return f"{record['expected_gev']:.1f} GeV" + ("" if over_g is None else f", M_Z'/g' {over_g:.1f} GeV")


def sigma_text(record: dict[str, Any]) -> str:
    sigma = record["sigma_sys"]
    if isinstance(sigma, dict):
        return ", ".join(f"{name} {value:g}" for name, value in sigma.items())
    return f"{sigma:g}"


def conditions(record: dict[str, Any]) -> str:
    """What a limit holds for."""
    return (
        f"{100 * record['cl']:g} % CL, {record['dof']} dof, sigma_sys {sigma_text(record)}, "
        f"L/L0 {record['luminosity']:g}"
    )


def range_text(name: str, values: Sequence[float]) -> str:
    """The range of an axis that vertices cover."""
    unit, factor = {"beta": (" deg", math.degrees(1)), "m_zprime": (" GeV", 1)}.get(name, ("", 1))
    return f"{name} {factor * min(values):.4g} to {factor * max(values):.4g}{unit}"


def interval_text(low: float, high: float | None) -> str:
    return f"above {low:.4g} GeV" if high is None else f"{low:.4g} to {high:.4g} GeV"


def summary(records: Iterable[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """A row for each experiment and model; over beta, the range of its limits."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for record in records:
        key = (record["experiment"], record["model"], sigma_text(record))
        groups.setdefault(key, []).append(record)
    rows = []
    for key, members in groups.items():
        found = sorted((each for each in members if each["limit_gev"]), key=lambda each: each["limit_gev"])
        if len(members) == 1:
            text = limit_text(members[0])
        else:
            ends = f"{found[0]['limit_gev']:.1f} to {found[-1]['limit_gev']:.1f} GeV" if found else "none"
            states = [each["status"] for each in members]
            others = [f"{states.count(s)} {words}" for s, words in OVER_BETA.items() if s in states]
            text = f"{ends} over {len(members)} beta" + (f" ({', '.join(others)})" if others else "")
        rows.append((*key, text))
    return rows


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def main() -> None:
    """Run a command; what a user can do wrong is one line on stderr and exit code 2."""
    for library in ("asyncio", "gcsfs"):  # a server that is lost is told in one line, not in their tracebacks
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        cli.main(prog_name="fastscan", standalone_mode=False)
    except (FastscanError, click.ClickException) as error:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        click.echo(f"fastscan: {' '.join(text.split())}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("fastscan: interrupted", err=True)
        sys.exit(130)
    except SystemExit:  # click's answer to a broken pipe: the reader, head or less, has what it wanted
        sys.stderr.close()
        sys.exit(0)
