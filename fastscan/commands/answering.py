"""Commands that a store answers: limits, contours and pictures."""

import os
from collections.abc import Iterable
from typing import Any

import click

from fastscan.answers.question import PlaneAxes, Question
from fastscan.axes import SETTINGS, by_name
from fastscan.commands import options
from fastscan.errors import shown
from fastscan.interactions.parameters import AXES, ROWS, STRENGTHS
from fastscan.outputs import terminal
from fastscan.outputs.formats import Print


@click.command()
@options.store
@click.option("--combine", help="Combine these experiments of the store, separated by commas.")
@options.question(
    options.group,
    *(options.several_values(axis, f"{options.on_axis(axis)} (all of them, if not given)") for axis in ROWS),
    *(options.several_values(axis) for axis in SETTINGS),
    options.from_cube,
    options.method,
    dof=options.dof,
)
@options.formats
@options.hepdata
def limits(
    store: str, combine: str | None, question: Question, as_json: bool, print_rows: Print | None, hepdata: str | None
) -> None:
    """Limits on the strengths of models from a store.

    The likelihood in STORE gives the limits, so that they are exact at any sigma_sys and luminosity, on the store's
    axes or off them, and don't depend on its grid. A limit outside the strength's axis is marked. A luminosity other
    than 1 also multiplies measured data, with their deficit or excess; such a limit is marked, and the expected limit,
    from the Standard Model's prediction in place of the data, is printed too. Values are separated by commas; the word
    axis stands for all values of the store's axis. --json and --csv also print every allowed interval and the expected
    limits. --hepdata writes all of this as tables for HEPData, and needs hepdata_lib: pip install 'fastscan[hepdata]'.

    \b
    Examples: fastscan limits results/coherent-csi.zarr --sigma-sys 0.1,0.2 --json
              fastscan limits results/coherent-csi.zarr --group coherent-csi/e6 --beta 0deg,100deg
    """
    options.only_one(group=bool(question.groups), combine=combine is not None)
    from fastscan.answers import answers

    if hepdata is not None:
        from fastscan.outputs import hepdata as submission

        submission.require_own(hepdata)
    found: Iterable[dict[str, Any]]
    found, keys = answers.limits_with_keys(store, question, combine.split(",") if combine is not None else ())
    if hepdata is not None:
        found = list(found)
        submission.write(hepdata, submission.limit_tables(found), f"Limits from the store {_last_part(store)}")
        click.echo(f"written to {hepdata}: submission.yaml and its tables", err=True)
    if print_rows is not None:
        print_rows(keys, found)
    elif as_json:
        terminal.print_json(list(found))
    else:
        terminal.print_limits(found, question.cl, question.column_dof, answers.labels_of_store(store))


@click.command()
@options.store
@options.plane
@options.question(
    options.group,
    *(options.one_value(axis, options.on_axis(axis) + options.not_shown(axis)) for axis in AXES),
    options.from_cube,
    options.method,
    dof=options.plane_dof,
)
@options.formats
@options.hepdata
def contours(
    store: str,
    axes: tuple[str, str] | None,
    minimise: tuple[str, ...],
    question: Question,
    as_json: bool,
    print_rows: Print | None,
    hepdata: str | None,
) -> None:
    """Contours of Delta chi2 in a plane of two axes of a store.

    The lines are drawn through the grid of STORE, and each vertex is then moved onto the contour of the store's
    likelihood. With 1 dof each beta is a model of its own; with 2 dof beta is fitted too. --csv and --json print the
    vertices: beta in rad, masses in GeV. A contour is closed, or leaves the grid at both ends. Regions much narrower
    than the grid can fall into pieces; a finer grid joins them. With 1 dof Delta chi2 can jump between betas that fit
    the data at some mass and betas that don't; a contour then runs along the jump. --hepdata writes the vertices as
    tables for HEPData.

    \b
    Examples: fastscan contours results/coherent-csi.zarr --group coherent-csi/e6 --csv > contour.csv
              fastscan contours results/coherent-csi.zarr --axes sigma_sys,m_zprime --beta 30deg
    """
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
    if print_rows is not None:
        rows = (row for plane, lines in found for row in contour_records(plane, lines))
        keys = dict.fromkeys(key for plane, _ in found for key in records.contour_keys(plane.cube.interaction))
        keys |= dict.fromkeys(records.TOY_KEYS if question.toys else ())
        print_rows(list(keys), rows)
        return
    summaries = [contour_summary(plane, lines) for plane, lines in found]
    if as_json:
        terminal.print_json(summaries)
    for summary in [] if as_json else summaries:
        terminal.print_contours(summary)


@click.command()
@options.store
@click.option("-o", "--output", required=True, type=click.Path(), help="File to write: .png, .pdf or .svg.")
@click.option("--kind", help="Kind of picture: profile, limit or contour; left out, the store's axes decide.")
@click.option("--along", help="Axis of limits: sigma_sys, luminosity, beta or the mass of a mediator.")
@click.option(
    "--overlay",
    multiple=True,
    metavar="FILE[,label=TEXT][,x=UNIT][,y=UNIT]",
    help="Draw a curve from a file with two columns, the picture's x and y; x= and y= give the columns' units if they "
    "are not the picture's. Repeatable; files with the same label are pieces of one curve.",
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
    """Draw a picture of a store: profiles, limits or contours.

    A profile is Delta chi2 against the strength of a model. Limits are drawn against sigma_sys, luminosity, beta or the
    mass of a mediator. Contours bound the excluded regions of a plane. Measured data at a luminosity other than 1 are
    labelled scaled data; limits from them are thin lines, and the expected limits are drawn too. Needs matplotlib: pip
    install 'fastscan[plot]'.

    \b
    Examples: fastscan plot results/coherent-csi.zarr -o limits.pdf
              fastscan plot results/coherent-csi.zarr -o plane.png --kind contour --axes cos_beta,m_zprime
              fastscan plot results/light.zarr -o light.pdf --overlay borexino.csv,label=Borexino,x=GeV
    """
    from pathlib import Path

    from fastscan.outputs import figures, plots
    from fastscan.outputs.overlays import Overlay

    figures.require_new(Path(output), overwrite)
    wanted = plots.Picture(kind, along, PlaneAxes(axes, minimise))
    picture, left_out = plots.plot(store, question, wanted, [Overlay.parse(each) for each in overlay])
    figures.save(picture, Path(output))
    click.echo(f"written to {output}" + (f"; without {shown(', '.join(left_out))}" if left_out else ""))


def _last_part(location: str) -> str:
    """The name of a store without the directories of a machine."""
    return os.path.basename(location.rstrip("/"))
