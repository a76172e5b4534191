"""Formats in which commands print tables for machines, besides JSON.

A new format is a function of keys and records, and a line in `FORMATS`.  The line makes the format an option of every
command that prints such tables.
"""

import sys
from collections.abc import Callable, Iterable, Sequence

from fastscan.typing import Record

Print = Callable[[Sequence[str], Iterable[Record]], None]


def print_csv(keys: Sequence[str], rows: Iterable[Record]) -> None:
    """Print rows as CSV, see `fastscan.answers.records.write_csv`; other commands don't import that room."""
    from fastscan.answers import records

    records.write_csv(sys.stdout, keys, rows)


FORMATS: dict[str, Print] = {"csv": print_csv}
