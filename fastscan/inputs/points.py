"""Points of a function that people give: in two lists of a TOML file, or in two columns of a file beside it."""

import itertools
from functools import partial

from fastscan.errors import InputError, quoted
from fastscan.inputs import bounds
from fastscan.inputs.columns import Columns
from fastscan.inputs.toml import Table

PLURALS = {"energy": "energies", "time": "times"}
Bounds = tuple[float, float]
Points = tuple[tuple[float, ...], tuple[float, ...]]


def read(table: Table, x: str, y: str, x_within: Bounds, y_within: Bounds) -> Points:
    """The points of a table, with increasing x.

    They are lists, or columns of a ``file`` by name or number in ``columns``; left out, these are the first two.

    Raises
    ------
    FastscanError
        For a key, a file, a column or a number that is missing or wrong.
    """
    if "file" not in table:
        table.refuse("columns", "there is no file")
        first = table.increasing(x, *x_within, bounds.MOST_STEPS)
        second = table.numbers(y, *y_within, bounds.MOST_STEPS)
        if len(first) != len(second):
            raise table.error(y, f"must be as many as the {len(first)} {PLURALS[x]}, not {len(second)}")
        return first, second
    for key in (x, y):
        table.refuse(key, "the file has it")
    data = table.data("file")
    names = table.names_or_numbers("columns") if "columns" in table else [1, 2]
    if len(names) != 2:
        raise table.error("columns", "must be two, by name or by number from 1 on")
    for name in names:
        table.checked("columns", partial(data.column, name))
    first = table.checked("file", lambda: increasing(data, names[0], x_within))
    second = table.checked("file", lambda: column(data, names[1], y_within))
    return first, second


def column(data: Columns, name: str | int, within: Bounds) -> tuple[float, ...]:
    """The numbers of a column of a file, all within bounds, of which there can't be too many."""
    values = data.column(name)
    if len(values) > bounds.MOST_STEPS:
        raise InputError(f"{data.where}: must have at most {bounds.MOST_STEPS} lines of numbers, not {len(values)}")
    check(data, name, values, within)
    return values


def increasing(data: Columns, name: str | int, within: Bounds) -> tuple[float, ...]:
    """A `column` whose numbers increase."""
    values = column(data, name, within)
    if any(one >= other for one, other in itertools.pairwise(values)):
        raise InputError(f"{data.where}: column {quoted(name)}: must increase from each line to the next")
    return values


def check(data: Columns, name: str | int, values: tuple[float, ...], within: Bounds) -> None:
    """Refuse a column of a file in which a number is out of bounds."""
    for value in values:
        if not within[0] <= value <= within[1]:
            raise InputError(
                f"{data.where}: column {quoted(name)}: must be between {within[0]:g} and {within[1]:g}, not {value:g}"
            )
