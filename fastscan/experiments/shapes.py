"""Shapes: how numbers change with a nuisance of their own."""

from collections.abc import Callable

from fastscan.inputs.toml import Table

Numbers = tuple[float, ...]


def read(table: Table, central: Numbers, column: Callable[[Table, str], Numbers]) -> tuple[tuple[str, Numbers], ...]:
    """The ``shapes`` of a table: names of nuisances, and how much numbers change at one standard deviation of each.

    Parameters
    ----------
    table : Table
        Each of its ``shapes`` has a ``name``, the numbers at one standard deviation as ``up``, and those at minus one
        as ``down``.  Half of their difference is the change; without ``down`` the change is the difference of ``up``
        from the central numbers.
    central : tuple of float
        The numbers themselves.
    column : callable
        The numbers that a key of a table names.

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
