"""The commands, in the order in which a user meets them.  No logic: every command calls the Python interface.

Commands import what they need when they run, so that ``fastscan --help`` starts in a moment.
"""

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import click

from fastscan.answers.question import PlaneAxes, Question
from fastscan.axes import LUMINOSITY, SETTINGS, SIGMA_SYS, by_name
from fastscan.commands import completion, options, signals
from fastscan.errors import (
    FastscanError,
    FastscanWarning,
    InputError,
    OutputError,
    StoreError,
    quoted,
    shown,
    tell_in_one_line,
)
from fastscan.inputs.files import open_files
from fastscan.interactions.parameters import AXES, ROWS, STRENGTHS
from fastscan.limits.confidence import ASYMPTOTIC, BY_TOYS, METHODS
from fastscan.outputs import terminal

FEWEST_FILES = 16  # open files that any command needs, the standard streams among them


@click.group(
    cls=options.InOrder,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="fastscan")
@click.pass_context
def cli(context: click.Context) -> None:
    """Limits on new interactions of neutrinos from low-energy experiments.

    \b
    A first limit:      fastscan limit coherent-csi chi
    A grid in a store:  fastscan scan grids/coherent-csi.toml -o results/coherent-csi.zarr
    Limits from it:     fastscan limits results/coherent-csi.zarr
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@click.argument("experiments", shell_complete=completion.experiments)
@click.argument("model", shell_complete=completion.models)
@options.question(
    *(options.several_values(axis, " of a model that has one", stored=False) for axis in ROWS),
    click.option(
        "--sigma-sys",
        multiple=True,
        type=options.SigmaSys(),
        metavar="[NAME=]VALUES",
        help="Relative systematic error, 0.2 or 20%, or several separated by commas, of all or, repeatable, of one, "
        "where several of one go together with those of another; left out, each experiment's own.",
    ),
    options.several_values(LUMINOSITY, stored=False),
    options.method,
    options.toys,
    options.seed,
    dof=options.dof,
)
@options.as_json
@options.as_csv
def limit(experiments: str, model: str, question: Question, as_json: bool, as_csv: bool) -> None:
    """Limits on the strength of a model, without a store.

    They are lower limits on the mass of a heavy Z', upper ones on a coupling, and on both sides of what has either
    sign. One for every combination of the values. EXPERIMENTS is a name of `fastscan experiments`, a path to a TOML
    file, or several of them separated by commas, which are combined. MODEL is a name of `fastscan models` or a path to
    a TOML file of one. Measured data at a luminosity other than 1 are scaled, with their deficit or
    excess; what is then expected stands beside it. With --method toys the construction of Feldman and Cousins says
    what is allowed, with the error that so many toys leave; what the quantile of chi2 says stands beside it.

    \b
    Examples: fastscan limit coherent-csi chi --sigma-sys 0.1
              fastscan limit coherent-csi chi --method toys --toys 40000
              fastscan limit coherent-csi e6 --beta 0deg,45deg --sigma-sys 1%,20% --luminosity 1,10
              fastscan limit coherent-csi,connie,cr51-lxe-c eta --sigma-sys 0.1 --sigma-sys cr51-lxe-c=0.0025
              fastscan limit conus b-l --m-zprime 1MeV,10MeV,1GeV
              fastscan limit coherent-lar nsi-etau-u --sigma-sys 0.1
    """
    options.only_one(json=as_json, csv=as_csv)
    from fastscan.answers import point, records
    from fastscan.experiments.catalogue import load_all

    loaded = load_all(experiments.split(","))
    asked = options.with_sigma_sys(question, [each.name for each in loaded])
    found = point.limits_at_points(loaded, model, asked)
    if as_csv:
        records.write_csv(sys.stdout, list(found[0]), found)
    elif as_json:
        terminal.print_json(found if len(found) > 1 else found[0])
    elif len(found) > 1:
        labels = {each.name: each.label for each in loaded}
        terminal.print_limits(found, question.cl, question.column_dof, labels)
    else:
        terminal.print_limit(found[0])


@cli.command()
@click.argument("experiments", shell_complete=completion.experiments)
@click.argument("model", shell_complete=completion.models)
@click.option(
    "--at",
    "points",
    type=options.At(),
    multiple=True,
    required=True,
    metavar="NAME=VALUE,...",
    help="A point of the model that is the truth: m_zprime=10MeV,g=3e-5. Repeatable.",
)
@click.option(
    "--nuisance",
    "nuisances",
    type=options.Nuisance(),
    multiple=True,
    metavar="[EXPERIMENT/]NAME=VALUE",
    help="A nuisance that truly isn't 0, in standard deviations, by its name in `fastscan show --model`. Repeatable.",
)
@options.one_value(SIGMA_SYS)
@options.one_value(LUMINOSITY)
@options.asimov
@options.independent
@options.cl
@options.dof
@options.toys
@options.seed
@options.as_json
@options.as_csv
def coverage(
    experiments: str,
    model: str,
    points: tuple[dict[str, float], ...],
    nuisances: tuple[tuple[str, float], ...],
    as_json: bool,
    as_csv: bool,
    **asked: Any,
) -> None:
    """How often limits hold what is true.

    Experiments are done again in toys, of which each has counts around what is expected at a point, and centres of
    the nuisances' constraints around the true nuisances. The answer is the part of them whose asymptotic interval
    holds the point, with the error that so many toys leave.

    \b
    Examples: fastscan coverage coherent-csi chi --at m_zprime=inf --at m_zprime=300GeV
              fastscan coverage coherent-csi-2021 nsi-ee-u --at eps=0.1 --nuisance signal=1 --toys 2000
    """
    options.only_one(json=as_json, csv=as_csv)
    from fastscan.answers import covered, records

    given = {name: value for name, value in asked.items() if value is not None}
    found = covered.coverage_records(experiments.split(","), model, points, nuisances=dict(nuisances), **given)
    if as_csv:
        records.write_csv(sys.stdout, list(found[0]), found)
    elif as_json:
        terminal.print_json(found if len(found) > 1 else found[0])
    else:
        terminal.print_coverage(found)


@cli.command()
@options.as_json
def experiments(as_json: bool) -> None:
    """The experiments in the package.

    Example: fastscan experiments
    """
    from fastscan.experiments import catalogue as known
    from fastscan.experiments.source import GROUPS

    loaded = [known.load(name) for name in known.names()]
    if as_json:
        told = [
            {
                "name": each.name,
                "label": each.label,
                "title": each.title,
                "channel": each.channel,
                "source": each.source.group,
                "sigma_sys": each.statistics.sigma_sys,
                "references": each.references,
                "assumed": each.assumed,
            }
            for each in loaded
        ]
        terminal.print_json(told)
    else:
        terminal.print_experiments(sorted(loaded, key=lambda each: GROUPS.index(each.source.group)))


@cli.command()
@click.argument("experiment", shell_complete=completion.experiments)
@click.option("--model", shell_complete=completion.models, help="Compare a point of this model with the data.")
@click.option("--at", type=options.At(), metavar="NAME=VALUE,...", help="The point: m_zprime=10MeV,g=3e-5.")
@click.option("--best", is_flag=True, help="Take the strength, which is left out of the point, from the best fit.")
@click.option("--toys", type=options.INTEGER, default=0, help="Simulated measurements for the goodness of the fit.")
@click.option("--seed", type=options.INTEGER, default=0, show_default=True, help="Beginning of their random numbers.")
@options.one_value(SIGMA_SYS)
@options.asimov
@options.independent
@click.option("-o", "--output", type=click.Path(), help="Picture of the spectrum to write: .png, .pdf or .svg.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@options.as_json
@options.as_csv
def show(
    experiment: str,
    model: str | None,
    output: str | None,
    overwrite: bool,
    as_json: bool,
    as_csv: bool,
    at: dict[str, float] | None,
    **fitted: Any,
) -> None:
    """What an experiment is, and what it is expected to count.

    The numbers of EXPERIMENT, a name of `fastscan experiments` or a path to a TOML file, what of them is assumed, and
    the events that the Standard Model predicts in each bin by neutrino, beside its backgrounds and its data. The error
    of data is the one in chi2, without systematic errors. Where bins are of several quantities, such as energy and
    time, each has a table, which is summed over the others; --csv and --json have every bin. -o draws the spectrum
    too, of an experiment with one bin in finer ones. Pictures need matplotlib: pip install 'fastscan[plot]'.

    With --model it is one point of a model beside the data: chi2, the best nuisances and their errors, and the events
    of each component before and after they are fitted. EXPERIMENT can then be several separated by commas.

    \b
    Examples: fastscan show coherent-csi
              fastscan show grids/experiments/quenched-detector.toml --csv
              fastscan show conus -o conus.pdf
              fastscan show coherent-csi-2021 --model b-l --at m_zprime=10MeV,g=3e-5 -o fit.pdf
              fastscan show coherent-lar-2020 --model nsi-ee-u --best --toys 1000
    """
    options.only_one(json=as_json, csv=as_csv)
    if output is not None:
        _check_picture(output, overwrite)
    picture: Callable[[], Any]
    if model is None:
        for name, value in {"at": at, **fitted}.items():
            if value:
                raise click.UsageError(f"--{name.replace('_', '-')} is of a point of a model: give --model")
        picture = _show_experiment(experiment, as_json, as_csv)
    else:
        picture = _show_fit(experiment, model, {**fitted, **(at or {})}, as_json, as_csv)
    if output is not None:
        from pathlib import Path

        from fastscan.outputs import figures

        figures.save(picture(), Path(output))
        click.echo(f"written to {output}", err=as_json or as_csv)


def _show_experiment(experiment: str, as_json: bool, as_csv: bool) -> Callable[[], Any]:
    """Print what an experiment is; what draws it."""
    from fastscan.answers import records, shown

    found = shown.show(experiment)
    if as_csv:
        bins = shown.bin_records(found)
        records.write_csv(sys.stdout, list(bins[0]), bins)
    elif as_json:
        terminal.print_json(shown.record(found))
    else:
        terminal.print_shown(shown.record(found))

    def picture() -> Any:
        from fastscan.outputs import spectrum

        return spectrum.draw(found)

    return picture


def _show_fit(experiments: str, model: str, asked: dict[str, Any], as_json: bool, as_csv: bool) -> Callable[[], Any]:
    """Print a fit; what draws it."""
    from fastscan.answers import fits, records

    found = fits.fit(experiments.split(","), model, **asked)
    told = fits.record(found)
    if as_csv:
        bins = [{"experiment": each["name"], **line} for each in told["experiments"] for line in each["bins"]]
        records.write_csv(sys.stdout, list(dict.fromkeys(key for line in bins for key in line)), bins)
    elif as_json:
        terminal.print_json(told)
    else:
        terminal.print_fit(told, found.interaction.parameters)

    def picture() -> Any:
        from fastscan.outputs import fitted

        return fitted.draw(found)

    return picture


def _check_picture(output: str, overwrite: bool) -> None:
    """Refuse a name that is no picture's, and a file that is there and isn't to be replaced."""
    from pathlib import Path

    from fastscan.outputs import figures

    figures.check_name(Path(output))
    if Path(output).exists() and not overwrite:
        raise OutputError(f"{output} exists; --overwrite replaces it")


@cli.command()
@options.as_json
def models(as_json: bool) -> None:
    """The models, family by family.

    Example: fastscan models
    """
    from fastscan.interactions.catalogue import MODELS

    if as_json:
        terminal.print_json([terminal.told_model(model) for model in MODELS.values()])
    else:
        terminal.print_models(MODELS.values())


@cli.command()
@click.argument("what", metavar="EXPERIMENT|MODEL|STORE", shell_complete=completion.citable)
def cite(what: str) -> None:
    """The references to cite for an experiment, a model or a store.

    An experiment or a model is a name or a path to a TOML file. The references of a store are its experiments' and
    its models'.

    \b
    Examples: fastscan cite red100
              fastscan cite grids/models/b-l-contact.toml
              fastscan cite results/coherent-csi.zarr
    """
    from fastscan.outputs import citations

    for reference in citations.references_of(what):
        click.echo(shown(reference))


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
@options.part
@click.option("--dry-run", is_flag=True, help="Only tell what it takes: tasks, points, bytes, memory, disk.")
@click.option("--workers", type=options.INTEGER, metavar="N", help="Processes on this machine, in place of threads.")
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
              fastscan scan grids/coherent-csi.toml -o results/parts.zarr --part 3/16
    """
    options.only_one(resume=resume, overwrite=overwrite)
    if dry_run:
        options.only_one(workers=workers is not None, scheduler=scheduler is not None)
        _tell_costs(grid, store, resume=resume, overwrite=overwrite, part=part, workers=workers, scheduler=scheduler)
        return
    from fastscan.answers.from_cube import has_limits, limit_records
    from fastscan.scans import cluster, scanner
    from fastscan.scans.plan import plan
    from fastscan.scans.progress import Progress, ProgressBar

    cubes = plan(grid)
    again = "--resume" if not resume and part is None else "the same command"
    with cluster.client(workers, scheduler) as client, ProgressBar(cubes, store) as bar:

        def progress(now: Progress) -> None:
            signals.say_at_end(f"{now.tasks} of {now.tasks_to_do} tasks are done; {again} continues")
            bar(now)

        scanner.run(cubes, store, client=client, resume=resume, overwrite=overwrite, part=part, progress=progress)
    if part is not None:
        click.echo(f"part {part[0]} of {part[1]} is done; `fastscan finish {store}` when all are")
        return
    labels = {cube.experiment: cube.label for cube in cubes}
    terminal.print_summary((each for cube in cubes if has_limits(cube) for each in limit_records(cube)), labels)


def _tell_costs(grid: str, store: str, **scan: Any) -> None:
    """What a scan takes; one that can't fit is an error."""
    from fastscan.scans.cluster import threads_each
    from fastscan.scans.costs import costs, require_fit

    if scan["workers"] is not None:
        threads_each(scan["workers"])
    found = costs(grid, store, **scan)
    terminal.print_costs(found, store)
    require_fit(found, store)


@cli.command()
@options.store
def finish(store: str) -> None:
    """Finish a store whose parts are done.

    Removes what killed writes left in STORE and consolidates its metadata. Where tasks are missing it names the parts
    to run again, changes nothing, and exits with 2.

    Example: fastscan finish results/coherent-csi.zarr
    """
    from fastscan.scans import scanner

    scanner.finish(store)
    click.echo(f"{store} is complete")


@cli.command()
@options.store
@options.as_json
def info(store: str, as_json: bool) -> None:
    """What a store holds, and what made it.

    For each group of STORE: its axes, points, bytes, how many of its tasks are done, version and references.

    Example: fastscan info results/coherent-csi.zarr
    """
    from fastscan.stores import store as stores

    groups = stores.describe(store)
    if as_json:
        terminal.print_json(groups)
        return
    for group in groups:
        terminal.print_group(group)


@cli.command()
@options.store
@click.option("--all", "everything", is_flag=True, help="Compute every chunk again, not a sample.")
@options.as_json
def verify(store: str, everything: bool, as_json: bool) -> None:
    """Check a store: every chunk's checksum, and a sample computed again.

    Damaged chunks are named, and lose their record of being done, so that `fastscan scan --resume` computes them
    anew. Exits with 2 where anything is damaged or missing.

    Example: fastscan verify results/coherent-csi.zarr
    """
    from dataclasses import asdict

    from fastscan.scans import verify as checks

    checked = checks.verify(store, everything)
    if as_json:
        terminal.print_json([asdict(each) for each in checked])
    for each in [] if as_json else checked:
        terminal.print_checked(each)
    if any(each.damaged or each.missing for each in checked):
        raise StoreError(f"{store} is damaged or not complete; `fastscan scan --resume` computes what is missing")


@cli.command()
@options.store
@click.option("--combine", help="Experiments of the store, separated by commas: the limits of their summed chi2.")
@options.question(
    options.group,
    *(options.several_values(axis, f"{options.on_axis(axis)}, or all of the axis") for axis in ROWS),
    *(options.several_values(axis) for axis in SETTINGS),
    options.from_cube,
    options.method,
    dof=options.dof,
)
@options.as_json
@options.as_csv
@options.hepdata
def limits(
    store: str, combine: str | None, question: Question, as_json: bool, as_csv: bool, hepdata: str | None
) -> None:
    """Limits on the strengths of models from a store.

    They come from the likelihood that STORE carries: exact at any sigma_sys and luminosity, on its axes or off
    them, and the same whatever its grid. One outside the axis, such as that of M_Z', is marked. Measured data at a
    luminosity other than 1 are scaled, with their deficit or excess; such a limit is marked, and the expected one,
    from the Standard Model's prediction in place of the data, is beside it. Values are separated by commas; the word
    axis stands for all values of the store's axis. --json and --csv also give every allowed interval and the expected
    limits. --hepdata writes all of that as tables that HEPData takes, and needs hepdata_lib: pip install
    'fastscan[hepdata]'.

    \b
    Examples: fastscan limits results/coherent-csi.zarr --sigma-sys 0.1,0.2 --json
              fastscan limits results/coherent-csi.zarr --group coherent-csi/e6 --beta 0deg,100deg
    """
    options.only_one(json=as_json, csv=as_csv)
    options.only_one(group=bool(question.groups), combine=combine is not None)
    from fastscan.answers import answers, records

    if hepdata is not None:
        from fastscan.outputs import hepdata as submission

        submission.require_own(hepdata)
    found: Iterable[dict[str, Any]]
    found, keys = answers.limits_with_keys(store, question, combine.split(",") if combine is not None else ())
    if hepdata is not None:
        found = list(found)
        submission.write(hepdata, submission.limit_tables(found), f"Limits from the store {_last_part(store)}")
        click.echo(f"written to {hepdata}: submission.yaml and its tables", err=True)
    if as_csv:
        records.write_csv(sys.stdout, keys, found)
    elif as_json:
        terminal.print_json(list(found))
    else:
        terminal.print_limits(found, question.cl, question.column_dof, answers.labels_of_store(store))


@cli.command()
@options.store
@options.plane
@options.question(
    options.group,
    *(options.one_value(axis, options.on_axis(axis) + options.not_shown(axis)) for axis in AXES),
    options.from_cube,
    options.method,
    dof=options.plane_dof,
)
@options.as_json
@options.as_csv
@options.hepdata
def contours(
    store: str,
    axes: tuple[str, str] | None,
    minimise: tuple[str, ...],
    question: Question,
    as_json: bool,
    as_csv: bool,
    hepdata: str | None,
) -> None:
    """Contours of Delta chi2 in a plane of two axes of a store.

    The lines are drawn through the grid of STORE, and each vertex is then put where the likelihood that the store
    carries has it. With 1 dof each beta is a model of its own, with 2 beta is fitted as well as M_Z'. --csv and
    --json print the vertices: beta in rad, masses in GeV. A contour is closed, or leaves the grid at both ends;
    regions much narrower than the grid can fall into pieces, and a finer grid joins them. With 1 dof Delta chi2 can
    jump between betas that fit the data at some mass and betas that don't: a contour runs along the jump. --hepdata
    writes the vertices as tables that HEPData takes.

    \b
    Examples: fastscan contours results/coherent-csi.zarr --group coherent-csi/e6 --csv > contour.csv
              fastscan contours results/coherent-csi.zarr --axes sigma_sys,m_zprime --beta 30deg
    """
    options.only_one(json=as_json, csv=as_csv)
    from fastscan.answers import answers, records
    from fastscan.answers.contours import contour_records, contour_summary

    if hepdata is not None:
        from fastscan.outputs import hepdata as submission

        submission.require_own(hepdata)
    found = list(answers.contours_of_store(store, question, PlaneAxes(axes, minimise)))
    if hepdata is not None:
        tables = [submission.contour_table(plane, lines) for plane, lines in found]
        submission.write(hepdata, tables, f"Contours from the store {_last_part(store)}")
        click.echo(f"written to {hepdata}: submission.yaml and its tables", err=True)
    if as_csv:
        rows = (row for plane, lines in found for row in contour_records(plane, lines))
        keys = dict.fromkeys(key for plane, _ in found for key in records.contour_keys(plane.cube.interaction))
        keys |= dict.fromkeys(records.TOY_KEYS if question.toys else ())
        records.write_csv(sys.stdout, list(keys), rows)
        return
    summaries = [contour_summary(plane, lines) for plane, lines in found]
    if as_json:
        terminal.print_json(summaries)
    for summary in [] if as_json else summaries:
        terminal.print_contours(summary)


@cli.command()
@options.store
@click.option("-o", "--output", required=True, type=click.Path(), help="File to write: .png, .pdf or .svg.")
@click.option("--kind", help="profile, limit or contour; left out, what the store has axes for.")
@click.option("--along", help="Axis for limits: sigma_sys, luminosity, beta or the mass of a mediator.")
@click.option(
    "--overlay",
    multiple=True,
    metavar="FILE[,label=TEXT][,x=UNIT][,y=UNIT]",
    help="Draw another curve, from a file of two columns, the picture's x and y; units of the columns where they are "
    "not those of the picture. Repeatable; files with one label are pieces of one curve.",
)
@options.plane
@options.question(
    options.group,
    *(options.one_value(axis, options.not_shown(axis)) for axis in STRENGTHS if axis.name not in by_name(ROWS)),
    *(options.several_values(axis, options.on_axis(axis)) for axis in (*ROWS, *SETTINGS)),
    options.from_cube,
    options.method,
    dof=options.plane_dof,
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def plot(
    store: str,
    output: str,
    kind: str | None,
    along: str | None,
    overlay: tuple[str, ...],
    axes: tuple[str, str] | None,
    minimise: tuple[str, ...],
    question: Question,
    overwrite: bool,
) -> None:
    """A picture of a store: profiles, limits or contours.

    A profile is Delta chi2 against what the limits of a group are on; limits are drawn against sigma_sys, luminosity,
    beta or the mass of a mediator; contours bound the regions that are excluded in a plane. Measured data at a
    luminosity other than 1 are named scaled data; limits from them are thin, beside the expected ones. Needs
    matplotlib: pip install 'fastscan[plot]'.

    \b
    Examples: fastscan plot results/coherent-csi.zarr -o limits.pdf
              fastscan plot results/coherent-csi.zarr -o plane.png --kind contour --axes cos_beta,m_zprime
              fastscan plot results/light.zarr -o light.pdf --overlay borexino.csv,label=Borexino,x=GeV
    """
    from pathlib import Path

    from fastscan.outputs import figures, plots
    from fastscan.outputs.overlays import Overlay

    _check_picture(output, overwrite)
    wanted = plots.Picture(kind, along, PlaneAxes(axes, minimise))
    picture, left_out = plots.plot(store, question, wanted, [Overlay.parse(each) for each in overlay])
    figures.save(picture, Path(output))
    click.echo(f"written to {output}" + (f"; without {shown(', '.join(left_out))}" if left_out else ""))


@cli.command()
@click.option("-o", "--output", "directory", required=True, type=click.Path(), help="Directory for the results.")
@click.option("--no-figures", is_flag=True, help="Only Table 3, without matplotlib.")
@click.option("--hepdata", is_flag=True, help="Also the limits as a submission to HEPData, in hepdata.")
def paper(directory: str, no_figures: bool, hepdata: bool) -> None:
    """Table 3 and Figures 1 to 6 of arXiv:2002.01482, beside the published values.

    Scans the grid of the table into a store in the directory, or continues it, prints each limit beside the
    published one, and writes the table as CSV, JSON and Markdown, the figures as PNG, PDF and CSV, and a report with
    all of it on one page, report.html. Figures need matplotlib: pip install 'fastscan[plot]'.

    Example: fastscan paper -o results/paper
    """
    from fastscan.paper import paper as results
    from fastscan.paper import table3

    signals.say_at_end("the same command continues")
    entries, findings, written = results.run(
        directory, not no_figures, tell=partial(click.echo, err=True), with_hepdata=hepdata
    )
    click.echo(table3.TITLE)
    header, *rows = table3.rows(entries)
    terminal.print_table(header, rows)
    for note in table3.remarks(entries):
        click.echo(note)
    for figure, finding in findings:
        click.echo(f"Fig. {figure}: {finding.statement}: {'agrees' if finding.holds else 'DIFFERS'}")
        for line in (finding.conclusion, finding.numbers):
            if line and not finding.holds:
                click.echo(f"        {line}")
    click.echo(f"written to {directory}: " + ", ".join(written))


@cli.command()
@click.option("-o", "--output", "directory", required=True, type=click.Path(), help="Directory for the results.")
@click.option("--no-figures", is_flag=True, help="Only limits and tables, without matplotlib.")
@click.option("--hepdata", is_flag=True, help="Also all limits as a submission to HEPData, in hepdata.")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default=ASYMPTOTIC,
    show_default=True,
    help="What is expected: from Asimov sets, or from toys, which takes long.",
)
@click.option("--toys", type=options.INTEGER, help="Toys at each point, with --method toys; left out, 1000.")
@options.seed
def survey(directory: str, no_figures: bool, hepdata: bool, method: str, toys: int | None, seed: int | None) -> None:
    """Limits of today's published data on every model, beside what others have published.

    Scans the grids of the survey into a store in the directory, or continues it, and prints published limits beside
    those that are computed. Limits, with the bands that are expected, are written as CSV, JSON, Markdown and LaTeX,
    pictures as PNG and PDF with their data, and a report with all of it on one page, report.html. Pictures need
    matplotlib: pip install 'fastscan[plot]'.

    \b
    Examples: fastscan survey -o results/survey
              fastscan survey -o results/survey --method toys --toys 200
    """
    from fastscan.limits.limits import toys_of
    from fastscan.survey import survey as results
    from fastscan.survey import tables

    asked = toys_of(method, results.TOYS if toys is None and method == BY_TOYS else toys, seed)
    signals.say_at_end("the same command continues")
    entries, written = results.run(
        directory, not no_figures, tell=partial(click.echo, err=True), toys=asked, with_hepdata=hepdata
    )
    click.echo("Published limits beside computed ones:")
    terminal.print_table(list(tables.PUBLISHED_HEADER[: tables.SHORT]), [tables.short_row(each) for each in entries])
    click.echo(f"written to {directory}: " + ", ".join(written))


def main() -> None:
    """Run a command; what a user can do wrong is one line on stderr and exit code 2."""
    tell_in_one_line("asyncio", "gcsfs")
    for name in ("stdout", "stderr"):  # a stream that the caller has closed is replaced by one that leads nowhere
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process lives
        getattr(sys, name).reconfigure(errors="backslashreplace")  # a title may have what the terminal can't show
    _tell_warnings()
    _tell_compilations()
    try:
        _check_environment()
        cli.main(prog_name="fastscan", standalone_mode=False)
        sys.stdout.flush()
    except (FastscanError, click.ClickException) as error:
        _end(2, error.format_message() if isinstance(error, click.ClickException) else _in_options(str(error)))
    except (SystemExit, BrokenPipeError):  # click exits on a broken pipe: the reader, head or less, has what it wanted
        _end(0)
    except OSError as error:
        _end(2, f"{error.filename or 'output'} can't be written: {error.strerror}")


def _last_part(location: str) -> str:
    """The name of a store without the directories of a machine."""
    return os.path.basename(location.rstrip("/"))


def _tell_warnings() -> None:
    """Print each warning of fastscan once, as one line on stderr; what other packages warn of is left to Python."""
    told: set[str] = set()
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if not issubclass(category, FastscanWarning):
            others(message, category, *where)
        elif str(message) not in told:
            told.add(str(message))
            with suppress(OSError):  # a full or broken stream must cause no other exit code
                click.echo(f"fastscan: warning: {message}", err=True)

    warnings.simplefilter("always", FastscanWarning)
    warnings.showwarning = show  # type: ignore[assignment]


def _tell_compilations() -> None:
    """Say to who waits at a terminal that kernels are being compiled; a progress bar makes room for that line."""
    if sys.stderr.isatty():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("\r\x1b[Kfastscan: %(message)s"))
        log = logging.getLogger("fastscan.kernels")
        log.setLevel(logging.INFO)
        log.addHandler(handler)


def _check_environment() -> None:
    """Refuse what numba, or Python itself, would answer with a traceback."""
    threads = os.environ.get("NUMBA_NUM_THREADS", "1")
    if not (re.fullmatch("[0-9]{1,9}", threads) and int(threads) > 0):
        raise InputError(f"NUMBA_NUM_THREADS must be a whole number from 1 to 999999999, not {quoted(threads)}")
    if open_files() < FEWEST_FILES:
        raise InputError(
            f"only {open_files()} open files are allowed, too few to work with; `ulimit -n 64` allows more"
        )


def _in_options(problem: str) -> str:
    """A problem that names an argument of Python's `scan`, with the option of that name in its place."""
    return re.sub(r"\b(resume|overwrite)=True\b", r"--\1", problem)


def _end(code: int, problem: str = "") -> NoReturn:
    """Print a problem and exit; a full or broken stream must cause no further message and no other exit code."""
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        if problem:
            click.echo(f"fastscan: {shown(problem)}", err=True)
    with suppress(OSError):
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.exit(code)
