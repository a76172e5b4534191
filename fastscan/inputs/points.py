"""Points of a function that people give: in two lists of a TOML file, or in two columns of a file beside it."""

import itertools

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
    columns = [table.checked("columns", lambda name=name: data.column(name)) for name in names]  # type: ignore[misc]
    if len(columns[0]) > bounds.MOST_STEPS:
        raise table.error("file", f"must have at most {bounds.MOST_STEPS} lines of numbers, not {len(columns[0])}")
    for name, values, within in zip(names, columns, (x_within, y_within), strict=True):
        table.checked("file", lambda name=name, each=values, ends=within: check(data, name, each, ends))  # type: ignore[misc]
    if any(one >= other for one, other in itertools.pairwise(columns[0])):
        raise table.error("file", f"{data.where}: column {quoted(names[0])}: must increase from each line to the next")
    return columns[0], columns[1]


def check(data: Columns, name: str | int, values: tuple[float, ...], within: Bounds) -> None:
    """Refuse a column of a file in which a number is out of bounds."""
    for value in values:
        if not within[0] <= value <= within[1]:
            raise InputError(
                f"{data.where}: column {quoted(name)}: must be between {within[0]:g} and {within[1]:g}, not {value:g}"
            )
