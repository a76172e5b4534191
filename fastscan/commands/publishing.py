"""Commands that write whole publications: the paper's table and figures, and the survey of today's data."""

from functools import partial

import click

from fastscan.commands import options, signals
from fastscan.limits.confidence import ASYMPTOTIC, BY_TOYS, METHODS
from fastscan.outputs import terminal


@click.command()
@click.option("-o", "--output", "directory", required=True, type=click.Path(), help="Directory for the results.")
@click.option("--no-figures", is_flag=True, help="Compute only Table 3; needs no matplotlib.")
@click.option(
    "--hepdata", is_flag=True, help="Also write the limits as a submission to HEPData, in the folder hepdata."
)
def paper(directory: str, no_figures: bool, hepdata: bool) -> None:
    """Compute Table 3 and Figures 1 to 6 of arXiv:2002.01482 again.

    Scans the grid of the table into a store in the directory, or continues it. Prints each limit beside the published
    one. Writes the table as CSV, JSON and Markdown, the figures as PNG, PDF and CSV, and a report with everything on
    one page, report.html. Figures need matplotlib: pip install 'fastscan[plot]'.

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


@click.command()
@click.option("-o", "--output", "directory", required=True, type=click.Path(), help="Directory for the results.")
@click.option("--no-figures", is_flag=True, help="Compute only limits and tables; needs no matplotlib.")
@click.option(
    "--hepdata", is_flag=True, help="Also write all limits as a submission to HEPData, in the folder hepdata."
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default=ASYMPTOTIC,
    show_default=True,
    help="Origin of expected limits: Asimov sets, or toys, which take long.",
)
@click.option("--toys", type=options.INTEGER, help="Number of toys at each point, with --method toys; left out, 1000.")
@options.seed
def survey(directory: str, no_figures: bool, hepdata: bool, method: str, toys: int | None, seed: int | None) -> None:
    """Compute limits on every model from today's published data.

    Scans the grids of the survey into a store in the directory, or continues it. Prints published limits beside the
    computed ones. Writes limits with their expected bands as CSV, JSON, Markdown and LaTeX, pictures as PNG and PDF
    with their data, and a report with everything on one page, report.html. Pictures need matplotlib: pip install
    'fastscan[plot]'.

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
