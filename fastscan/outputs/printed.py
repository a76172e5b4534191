"""An experiment, or a fit, on the terminal: a description in words, and tables of the events in bins."""

import math
import textwrap
from collections.abc import Mapping, Sequence

import click

from fastscan.axes import Axis
from fastscan.errors import shown
from fastscan.outputs.terminal import print_table
from fastscan.typing import Record

WIDTH = 80  # characters of a line of prose
LONGEST_PART, NO_BREAK = 30, "\N{NO-BREAK SPACE}"  # a part between commas with fewer characters stays on one line
MOST_LINES = 24  # largest number of lines of a table of bins


def print_shown(found: Record) -> None:
    """Print the description of an experiment, part by part, and its events in each bin."""
    click.echo(shown(found["title"]))
    names = found["name"] if found["name"] == found["label"] else f"{found['name']} ({found['label']})"
    parts = [("experiment", names), *found["told"].items(), ("references", ", ".join(found["references"]))]
    parts += [("assumed", each) for each in found["assumed"]]
    for what, text in [*parts, ("digest", found["digest"][:12])]:
        click.echo(_wrapped(f"  {what:<13}", shown(text)))
    click.echo("\nEvents that the Standard Model predicts" + (", and data:" if "data" in found["total"] else ":"))
    _print_events(found)


def print_fit(found: Record, parameters: Sequence[Axis]) -> None:
    """Print a fit: its chi2, the nuisances, and the events of each experiment by component and in bins.

    Parameters
    ----------
    found : dict
        The record of the fit, see `fastscan.answers.fits.record`.
    parameters : sequence of Axis
        The parameters of the model.
    """
    at = [f"{each.text} = {_at(each, found[each.column])}" for each in parameters]
    best = ", the best fit" if found["best"] else ""
    click.echo(shown(f"{found['experiment']}, {found['model']} at {', '.join(at)}{best}"))
    number = "1 bin" if found["number_of_bins"] == 1 else f"{found['number_of_bins']} bins"
    fitted = ", the strength fitted" if found["best"] else ""
    click.echo(
        f"chi2 = {found['chi2']:.4f}, of which {found['chi2_of_nuisances']:.4f} from nuisances, in {number}{fitted}"
    )
    if found["toys"] is not None:
        toys = found["toys"]
        click.echo(f"p = {toys['p_value']:.4g}: the fraction of {toys['number']} toys with at least this chi2")
    click.echo("\nNuisances, in standard deviations of their constraints:")
    rows = [_nuisance(each, len(found["experiments"]) > 1) for each in found["nuisances"]]
    print_table(("nuisance", "value", "error", "amount"), rows)
    for each in found["experiments"]:
        _print_fitted(each)


def _at(axis: Axis, value: float | None) -> str:
    """A value of an axis in words; None is an infinite mass."""
    return "inf" if value is None else axis.told(value)


def _nuisance(each: Record, with_experiment: bool) -> tuple[str, ...]:
    """The row of a nuisance: its name, value and error, and the change of the amount that it multiplies."""
    name = " ".join([*each["experiments"], each["name"]]) if with_experiment else each["name"]
    if each["is_free"]:
        return shown(name), "", "", f"{each['value']:.5g} +- {each['error']:.2g}"
    relative = each["relative_error"]
    amount = (
        "" if relative is None else f"{100 * relative * each['value']:+.2f} +- {100 * relative * each['error']:.2f} %"
    )
    return shown(name), f"{each['value']:+.3f}", f"{each['error']:.3f}", amount


def _print_fitted(found: Record) -> None:
    """Print the events of an experiment in a fit, and the data or the prediction in place of them."""
    data = math.fsum(each["data"] for each in found["bins"])
    told = "data" if found["is_measured"] else "events of the Standard Model as data"
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
    click.echo("\nEvents after the fit, and the part of chi2 of each bin:")
    _print_events({"bins": found["bins"], "total": {**summed, "data": data, "chi2": found["chi2"]}})


def _print_events(found: Record) -> None:
    """Print a table of the events in bins of energy, and one for each other quantity with several bins."""
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
    """A text beside its heading, in lines that break after commas where parts between commas are short."""
    whole = ", ".join(part if len(part) > LONGEST_PART else part.replace(" ", NO_BREAK) for part in text.split(", "))
    filled = textwrap.fill(whole, WIDTH, initial_indent=what, subsequent_indent=" " * len(what), break_on_hyphens=False)
    return filled.replace(NO_BREAK, " ")


def _print_bins(found: Record, heading: str, low: str, high: str) -> None:
    """Print the events in bins of one quantity, summed over the others; `low` and `high` are the keys of its edges.

    A line holds several neighbouring bins where there are more than `MOST_LINES`.
    """
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
    """The keys of sums that repeat their only part, and of a background of 0."""
    keys = list(total)
    neutrinos, named = keys.index("signal"), keys.index("background") - keys.index("signal") - 1
    none_or_one = named == 1 or total["background"] == 0
    return {*(["signal"] if neutrinos == 1 else []), *(["background"] if none_or_one else [])}


def _range(low: float, high: float | None) -> str:
    return f"{low:.6g} on" if high is None else f"{low:.6g} to {high:.6g}"


def _sum(key: str, values: Sequence[float]) -> float:
    """The sum of events, or of errors in quadrature."""
    return math.hypot(*values) if key == "error" else math.fsum(values)


def _numbers(values: Sequence[float], total: float) -> list[str]:
    """Numbers and their sum as texts, with the decimals that give the largest number five digits."""
    largest = max(map(abs, values))
    if not 1e-3 <= largest < 1e9:
        return [f"{value:.4e}" if value else "0" for value in (*values, total)]
    decimals = max(4 - math.floor(math.log10(largest)), 0)
    return [f"{value:.{decimals}f}" for value in (*values, total)]


def _right_aligned(cells: Sequence[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) for cell in cells]
