"""Columns of numbers in text files: from HEPData, from a spreadsheet, from a program.

Commas, semicolons or blanks separate columns.  Lines that begin with '#' are comments.  The names of the columns are in
the first line that isn't a comment, or in the last comment with as many words as there are columns.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastscan.errors import InputError, quoted, shown_path, unknown
from fastscan.inputs import bounds
from fastscan.inputs.files import read_described


@dataclass(frozen=True)
class Columns:
    """The columns of a file.

    Attributes
    ----------
    where : str
        The file, for error messages.
    names : tuple of str
        Names of the columns; empty where the file has none.
    rows : tuple of tuple of float
        The numbers, line by line; all lines have the same length.
    lines : tuple of int
        The number of each line of numbers in the file, from 1 on.
    digest : str
        SHA-256 of the file.
    """

    where: str
    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    lines: tuple[int, ...]
    digest: str

    def column(self, which: str | int, low: float = -math.inf, high: float = math.inf) -> tuple[float, ...]:
        """The numbers of a column, by its name or by its number from 1 on.

        Raises
        ------
        InputError
            Where there is no such column, or a number in it is below `low` or above `high`.
        """
        if isinstance(which, str):
            if which not in self.names:
                raise InputError(f"{self.where}: {unknown('column', which, self.names or _numbers(self.rows[0]))}")
            index = self.names.index(which)
        else:
            index = which - 1
        if not 0 <= index < len(self.rows[0]):
            raise InputError(f"{self.where}: there is no column {which}, only {len(self.rows[0])}")
        values = tuple(row[index] for row in self.rows)
        for value in values:
            if not low <= value <= high:
                problem = f"must be between {low:g} and {high:g}, not {value:g}"
                raise InputError(f"{self.where}: column {quoted(which)}: {problem}")
        return values


def read(path: Path, sha256: str | None = None) -> Columns:
    """The columns of a file.

    Parameters
    ----------
    path : Path
    sha256 : str, optional
        SHA-256 that the file must have, in hexadecimal digits; None allows any file.

    Raises
    ------
    InputError
        Where the file can't be read, has another SHA-256, isn't in UTF-8, has no numbers, or has lines of different
        lengths.
    """
    where, (content, digest) = shown_path(path), read_described(path, sha256)
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{where}: not in UTF-8: save it as UTF-8") from None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    comments = [line.lstrip("# ") for _, line in numbered if line.lstrip().startswith("#")]
    written = [(number, _split(line)) for number, line in numbered if not line.lstrip().startswith("#")]
    names: Sequence[str] = ()
    if written and not any(_is_number(word) for word in written[0][1]):
        names = written.pop(0)[1]
    if not written:
        raise InputError(f"{where}: there are no numbers in it")
    if len(written) > bounds.MOST_VALUES:
        raise InputError(f"{where}: more than {bounds.MOST_VALUES} lines of numbers")
    length = len(written[0][1])
    rows = tuple(_row(where, number, words, length) for number, words in written)
    if not names:
        names = next((words for words in map(_split, reversed(comments)) if len(words) == length), ())
    lines_of_rows = tuple(number for number, _ in written)
    return Columns(where, tuple(names), rows, lines_of_rows, digest)


def _row(where: str, number: int, words: Sequence[str], length: int) -> tuple[float, ...]:
    """The numbers of a line."""
    if len(words) != length:
        raise InputError(f"{where}: line {number}: {len(words)} columns, where the lines before have {length}")
    for word in words:
        if not _is_number(word):
            raise InputError(f"{where}: line {number}: {quoted(word)} is no number")
    return tuple(map(float, words))


def _split(line: str) -> list[str]:
    """The words of a line."""
    for separator in ",;":
        if separator in line:
            (words,) = csv.reader(io.StringIO(line.strip()), delimiter=separator)
            return [word.strip() for word in words]
    return line.split()


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _numbers(row: Sequence[float]) -> list[str]:
    """Numbers of columns, which stand for missing names in a message."""
    return [str(number) for number, _ in enumerate(row, 1)]
