"""Shapes: nuisances that change the distribution of numbers over bins, read from columns of a file."""

from collections.abc import Callable

from fastscan.inputs.toml import Table

Numbers = tuple[float, ...]


def read(table: Table, central: Numbers, column: Callable[[Table, str], Numbers]) -> tuple[tuple[str, Numbers], ...]:
    """The ``shapes`` of a table: names of nuisances, and the change of numbers at one standard deviation of each.

    Parameters
    ----------
    table : Table
        Each of its ``shapes`` has a ``name``, the numbers ``up`` at one standard deviation, and optionally the numbers
        ``down`` at minus one.  The change is (up - down) / 2, or up minus the central numbers without ``down``.
    central : tuple of float
        The central numbers.
    column : callable
        Function that returns the numbers of the column that a key of a table names.

    Raises
    ------
    ExperimentError
        For a key that is missing, unknown or wrong.
    """
    if "shapes" not in table:
        return ()
    found = []
    for each in table.tables("shapes"):
        name, up = each.text("name"), column(each, "up")
        if "down" in each:
            change = tuple((high - low) / 2 for high, low in zip(up, column(each, "down"), strict=True))
        else:
            change = tuple(high - middle for high, middle in zip(up, central, strict=True))
        each.done()
        found.append((name, change))
    return tuple(found)
