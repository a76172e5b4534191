"""Formats in which commands print tables for machines, besides JSON.

Another format is another function of keys and records, and its line in `FORMATS`, which makes it an option of every
command that prints such a table.
"""

import sys
from collections.abc import Callable, Iterable, Sequence

from fastscan.typing import Record

Print = Callable[[Sequence[str], Iterable[Record]], None]


def print_csv(keys: Sequence[str], rows: Iterable[Record]) -> None:
    """Print rows as CSV, see `fastscan.answers.records.write_csv`, which is imported for nothing else."""
    from fastscan.answers import records

    records.write_csv(sys.stdout, keys, rows)


FORMATS: dict[str, Print] = {"csv": print_csv}
