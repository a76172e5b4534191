"""Points of a function, given in two lists of a TOML file, or in two columns of a data file."""

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

    The points are two lists, or two columns of a ``file``: ``columns`` has their names or numbers, by default 1 and 2.

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
    data = data_of(table)
    key = "columns" if "columns" in table else "file"  # the key that an error of a column names
    names = table.names_or_numbers("columns") if key == "columns" else [1, 2]
    if len(names) != 2:
        raise table.error("columns", "must be two, by name or by number from 1 on")
    first = table.checked(key, partial(increasing, data, names[0], x_within))
    second = table.checked(key, partial(data.column, names[1], *y_within))
    return first, second


def data_of(table: Table) -> Columns:
    """The columns of the ``file`` of a table, which must not have too many lines."""
    data = table.data("file")
    if len(data.rows) > bounds.MOST_STEPS:
        raise table.error("file", f"must have at most {bounds.MOST_STEPS} lines of numbers, not {len(data.rows)}")
    return data


def increasing(data: Columns, which: str | int, within: Bounds) -> tuple[float, ...]:
    """The numbers of a column, within bounds, which increase from each line to the next."""
    values = data.column(which, *within)
    if any(one >= other for one, other in itertools.pairwise(values)):
        raise InputError(f"{data.where}: column {quoted(which)}: must increase from each line to the next")
    return values
