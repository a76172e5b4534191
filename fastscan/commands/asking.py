"""Commands that need no store: limits, coverage, lists of experiments and models, an experiment or a fit, citations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fastscan.answers.question import Question
from fastscan.axes import LUMINOSITY, SIGMA_SYS
from fastscan.commands import completion, options
from fastscan.errors import shown
from fastscan.interactions.parameters import ROWS
from fastscan.outputs import printed, terminal
from fastscan.outputs.formats import Print


@click.command()
@click.argument("experiments", shell_complete=completion.experiments)
@click.argument("model", shell_complete=completion.models)
@options.question(
    *(options.several_values(axis, ", for models that have it", stored=False) for axis in ROWS),
    click.option(
        "--sigma-sys",
        multiple=True,
        type=options.SigmaSys(),
        metavar="[NAME=]VALUES",
        help="Relative systematic error of all experiments, or of NAME: 0.2 or 20%, or several separated by commas. "
        "Repeatable; the n-th errors of several experiments belong together. Left out, each experiment's own.",
    ),
    options.several_values(LUMINOSITY, stored=False),
    options.method,
    options.toys,
    options.seed,
    dof=options.dof,
)
@options.formats
def limit(experiments: str, model: str, question: Question, as_json: bool, print_rows: Print | None) -> None:
    """Limits on the strength of a model, without a store.

    The limit is a lower one on the mass of a heavy Z', and an upper one on a coupling or a magnetic moment; a strength
    of either sign has a limit on each side. Every combination of the given values has a limit. EXPERIMENTS is a name
    of `fastscan experiments`, a path to a TOML file, or several of them separated by commas, which are combined. MODEL
    is a name of `fastscan models` or a path to a TOML file. A luminosity other than 1 also multiplies measured data,
    with their deficit or excess; the expected limit is printed too. With --method toys the limit comes from the
    construction of Feldman and Cousins, and its Monte-Carlo error and the asymptotic limit are printed too.

    \b
    Examples: fastscan limit coherent-csi chi --sigma-sys 0.1
              fastscan limit coherent-csi chi --method toys --toys 40000
              fastscan limit coherent-csi e6 --beta 0deg,45deg --sigma-sys 1%,20% --luminosity 1,10
              fastscan limit coherent-csi,connie,cr51-lxe-c eta --sigma-sys 0.1 --sigma-sys cr51-lxe-c=0.0025
              fastscan limit conus b-l --m-zprime 1MeV,10MeV,1GeV
              fastscan limit coherent-lar nsi-etau-u --sigma-sys 0.1
    """
    from fastscan.answers import point
    from fastscan.experiments.catalogue import load_all

    loaded = load_all(experiments.split(","))
    asked = options.with_sigma_sys(question, [each.name for each in loaded])
    found = point.limits_at_points(loaded, model, asked)
    if print_rows is not None:
        print_rows(list(found[0]), found)
    elif as_json:
        terminal.print_json(found if len(found) > 1 else found[0])
    elif len(found) > 1:
        labels = {each.name: each.label for each in loaded}
        terminal.print_limits(found, question.cl, question.column_dof, labels)
    else:
        terminal.print_limit(found[0])


@click.command()
@click.argument("experiments", shell_complete=completion.experiments)
@click.argument("model", shell_complete=completion.models)
@click.option(
    "--at",
    "points",
    type=options.At(),
    multiple=True,
    required=True,
    metavar="NAME=VALUE,...",
    help="Point of the model at which toys are drawn: m_zprime=10MeV,g=3e-5. Repeatable.",
)
@click.option(
    "--nuisance",
    "nuisances",
    type=options.Nuisance(),
    multiple=True,
    metavar="[EXPERIMENT/]NAME=VALUE",
    help="True value of a nuisance in standard deviations, by its name in `fastscan show --model`; left out, 0. "
    "Repeatable.",
)
@options.one_value(SIGMA_SYS)
@options.one_value(LUMINOSITY)
@options.asimov
@options.independent
@options.cl
@options.dof
@options.toys
@options.seed
@options.formats
def coverage(
    experiments: str,
    model: str,
    points: tuple[dict[str, float], ...],
    nuisances: tuple[tuple[str, float], ...],
    as_json: bool,
    print_rows: Print | None,
    **asked: Any,
) -> None:
    """Coverage: how often intervals contain the true value.

    Toys of the experiments are drawn at each point: counts around the expected counts, and centres of the nuisances'
    constraints around the true nuisances. The coverage is the fraction of toys whose asymptotic interval contains the
    point; it is printed with its binomial error.

    \b
    Examples: fastscan coverage coherent-csi chi --at m_zprime=inf --at m_zprime=300GeV
              fastscan coverage coherent-csi-2021 nsi-ee-u --at eps=0.1 --nuisance signal=1 --toys 2000
    """
    from fastscan.answers import covered

    given = {name: value for name, value in asked.items() if value is not None}
    found = covered.coverage_records(experiments.split(","), model, points, nuisances=dict(nuisances), **given)
    if print_rows is not None:
        print_rows(list(found[0]), found)
    elif as_json:
        terminal.print_json(found if len(found) > 1 else found[0])
    else:
        terminal.print_coverage(found)


@click.command()
@options.as_json
def experiments(as_json: bool) -> None:
    """List the experiments in the package.

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


@click.command()
@click.argument("experiment", shell_complete=completion.experiments)
@click.option("--model", shell_complete=completion.models, help="Fit a point of this model to the data.")
@click.option("--at", type=options.At(), metavar="NAME=VALUE,...", help="Point of the model: m_zprime=10MeV,g=3e-5.")
@click.option("--best", is_flag=True, help="Fit the strength too; --at must leave it out.")
@click.option("--toys", type=options.INTEGER, default=0, help="Number of toys for the goodness of the fit.")
@click.option("--seed", type=options.INTEGER, default=0, show_default=True, help="Seed of the toys' random numbers.")
@options.one_value(SIGMA_SYS)
@options.asimov
@options.independent
@click.option("-o", "--output", type=click.Path(), help="Also draw the spectrum or the fit: .png, .pdf or .svg.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@options.formats
def show(
    experiment: str,
    model: str | None,
    output: str | None,
    overwrite: bool,
    as_json: bool,
    print_rows: Print | None,
    at: dict[str, float] | None,
    **fitted: Any,
) -> None:
    """Show an experiment and its expected events, or a fit.

    Prints the description of EXPERIMENT with its assumptions and, in each bin, the events that the Standard Model
    predicts by kind of neutrino, the backgrounds and the data. EXPERIMENT is a name of `fastscan experiments` or a path
    to a TOML file. The error of the data is the error in chi2, without systematic errors. Where bins are in several
    quantities, such as energy and time, each quantity has a table, summed over the others; --csv and --json print
    every bin. -o also draws the spectrum; an experiment with one bin is drawn in finer bins. Pictures need matplotlib:
    pip install 'fastscan[plot]'.

    With --model, the nuisances are fitted to the data at one point of a model. Prints chi2, the best nuisances and
    their errors, and the events of each component before and after the fit. EXPERIMENT can then be several
    experiments, separated by commas.

    \b
    Examples: fastscan show coherent-csi
              fastscan show grids/experiments/quenched-detector.toml --csv
              fastscan show conus -o conus.pdf
              fastscan show coherent-csi-2021 --model b-l --at m_zprime=10MeV,g=3e-5 -o fit.pdf
              fastscan show coherent-lar-2020 --model nsi-ee-u --best --toys 1000
    """
    if output is not None:
        from fastscan.outputs import figures

        figures.require_new(Path(output), overwrite)
    picture: Callable[[], Any]
    if model is None:
        for name, value in {"at": at, **fitted}.items():
            if value:
                raise click.UsageError(f"--{name.replace('_', '-')} is for the fit of a model: give --model too")
        if "," in experiment and not Path(experiment).exists():
            raise click.UsageError("several experiments are shown with a fit: give --model too")
        picture = _show_experiment(experiment, as_json, print_rows)
    else:
        if not at and not fitted["best"]:
            raise click.UsageError("a fit needs a point of the model: give --at NAME=VALUE,... or --best")
        picture = _show_fit(experiment, model, {**fitted, **(at or {})}, as_json, print_rows)
    if output is not None:
        figures.save(picture(), Path(output))
        click.echo(f"written to {output}", err=as_json or print_rows is not None)


def _show_experiment(experiment: str, as_json: bool, print_rows: Print | None) -> Callable[[], Any]:
    """Print an experiment, and return a function that draws it."""
    from fastscan.answers import shown

    found = shown.show(experiment)
    if print_rows is not None:
        bins = shown.bin_records(found)
        print_rows(list(bins[0]), bins)
    elif as_json:
        terminal.print_json(shown.record(found))
    else:
        printed.print_shown(shown.record(found))

    def picture() -> Any:
        from fastscan.outputs import spectrum

        return spectrum.draw(found)

    return picture


def _show_fit(
    experiments: str, model: str, asked: dict[str, Any], as_json: bool, print_rows: Print | None
) -> Callable[[], Any]:
    """Print a fit, and return a function that draws it."""
    from fastscan.answers import fits

    found = fits.fit(experiments.split(","), model, **asked)
    told = fits.record(found)
    if print_rows is not None:
        bins = [{"experiment": each["name"], **line} for each in told["experiments"] for line in each["bins"]]
        print_rows(list(dict.fromkeys(key for line in bins for key in line)), bins)
    elif as_json:
        terminal.print_json(told)
    else:
        printed.print_fit(told, found.interaction.parameters)

    def picture() -> Any:
        from fastscan.outputs import fitted

        return fitted.draw(found)

    return picture


@click.command()
@options.as_json
def models(as_json: bool) -> None:
    """List the models, family by family.

    Example: fastscan models
    """
    from fastscan.interactions.catalogue import MODELS

    if as_json:
        terminal.print_json([terminal.told_model(model) for model in MODELS.values()])
    else:
        terminal.print_models(MODELS.values())


@click.command()
@click.argument("what", metavar="EXPERIMENT|MODEL|STORE", shell_complete=completion.citable)
def cite(what: str) -> None:
    """Print the references of an experiment, a model or a store.

    An experiment or a model is a name or a path to a TOML file. A store has the references of its experiments and of
    its models.

    \b
    Examples: fastscan cite red100
              fastscan cite grids/models/b-l-contact.toml
              fastscan cite results/coherent-csi.zarr
    """
    from fastscan.outputs import citations

    for reference in citations.references_of(what):
        click.echo(shown(reference))
