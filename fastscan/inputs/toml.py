"""Reading TOML that people write: every key is checked, and every error names the file and the key.

A `Table` returns the values of its keys one by one, converted and validated; `done` then refuses all other keys.  The
rest of the package trusts these values.
"""

import hashlib
import itertools
import math
import os
import re
import tomllib
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from fastscan.errors import (
    LONGEST_PATH,
    LONGEST_QUOTE,
    ExperimentError,
    FastscanError,
    GridError,
    InputError,
    ModelError,
    nearest,
    quoted,
    shown_path,
    unknown,
)
from fastscan.inputs import arrays, bounds, columns, units
from fastscan.inputs.arrays import Arrays
from fastscan.inputs.columns import Columns
from fastscan.inputs.files import read_regular

Converted = TypeVar("Converted")
Choice = TypeVar("Choice", bound=str)
Parsed = TypeVar("Parsed", bound="Readable")
VARIANT = "variant_of"  # the key of a file with only the differences from another file
KINDS = {  # kinds of files by a key that they have; the first key that a file has decides
    "axes": "a grid",
    "target": "an experiment",
    VARIANT: "an experiment",
    "kind": "a model",
    "charges": "a model",  # without the key "kind", which can be left out
}
ERRORS = {"a model": ModelError, "a grid": GridError, "an experiment": ExperimentError}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
# A key with too many parts: each part is bare or in quotes, and dots join the parts.
_PART = rb"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+"""
_DEEP_KEY = re.compile(rb"(?<![A-Za-z0-9_\\-])(?:" + _PART + rb"\.[ \t]*+){%d}" % bounds.DEEPEST_KEY)
PATHS = "; in a path write /, or put it in single quotes"
_ESCAPE = re.compile("unescaped|hex value", re.IGNORECASE)  # in the parser's message on a path of Windows


def read_toml(path: Path, kind: str = "") -> "Table":
    """The TOML file of a kind as a `Table`, which raises the error of this kind."""
    error, where = ERRORS.get(kind, InputError), shown_path(path)
    try:
        content = read_regular(path, bounds.LARGEST_FILE)
        entries = _parsed(content)
    except OSError as problem:
        raise error(f"{where}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise error(f"{where}: not in UTF-8: save it as UTF-8") from None
    # the file isn't TOML, or has a number of thousands of digits, a path with a NUL, or tables nested too deeply
    except (ValueError, RecursionError) as problem:
        raise error(f"{where}: {_problem(problem)}") from None
    key = deciding_key(entries)
    if kind and key and KINDS[key] != kind:
        raise error(f"{where} is {KINDS[key]}'s file, where {kind}'s is needed: it has {key}")
    return Table(entries, where, hashlib.sha256(content).hexdigest(), error, path.parent)


def deciding_key(keys: Collection[str]) -> str:
    """The key of `KINDS` that decides the kind of a file with such keys; empty where there is none."""
    return next((key for key in KINDS if key in keys), "")


def _parsed(content: bytes) -> dict[str, Any]:
    """The entries of a TOML file."""
    if b"\0" in content:  # every other byte of UTF-16
        raise UnicodeDecodeError("utf-8", content, 0, 1, "NUL")
    text = content.decode("utf-8-sig")  # editors of Windows write a mark at the beginning
    if _DEEP_KEY.search(content):
        raise ValueError(f"a key of more than {bounds.DEEPEST_KEY} parts")
    return tomllib.loads(text)


def _problem(problem: Exception) -> str:
    """The problem with a file, from the parser's error."""
    text = str(problem)
    if isinstance(problem, RecursionError):
        return "nested too deeply"
    if "integer string conversion" in text:
        return "a number of thousands of digits"
    return text[:LONGEST_PATH] + (PATHS if _ESCAPE.search(text) else "")


def is_path(text: str) -> bool:
    """Whether the text for an experiment or a model is a path to a TOML file, not a name."""
    return text.lower().endswith(".toml")


def expanded(path: str | PathLike[str]) -> Path:
    """A path in which ~ is the user's home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{quoted(os.fspath(path))}: no home of such a user is known") from None


def name_or_path(given: object, kind: str, directory: Path | None) -> str | Path:
    """A path, relative to the directory, if a text ends in ``.toml``; else the name of an experiment or a model."""
    if not isinstance(given, str | PathLike):
        raise ERRORS[kind](f"{kind} is a name or a path, not {quoted(given)}")
    text = os.fspath(given)
    return (directory or Path()) / expanded(text) if is_path(text) else text


def check_name(name: str, error: type[FastscanError] = InputError) -> str:
    """A name, if a group of a store can have it; else an error of a kind."""
    if not isinstance(name, str):
        raise error(f"a name is a text, not {quoted(name)}")
    if len(name) > bounds.LONGEST_NAME:
        raise error(f"{quoted(name)} can't name a group: it is longer than {bounds.LONGEST_NAME} characters")
    if not NAME.fullmatch(name) or name == "zarr.json":
        raise error(f"{quoted(name)} can't name a group; use letters, digits and . _ + -")
    return name


def name_of(table: "Table", path: Path) -> str:
    """The name of the experiment or model in a file: its key ``name``, or else the file's own name, see `fit`."""
    if "name" in table:
        return table.checked("name", partial(check_name, table.text("name")))
    return table.checked("file name, without a key 'name'", partial(check_name, fit(path.stem)))


def fit(name: str) -> str:
    """A name that a group can have: letters lose their accents, and other characters become hyphens.

    >>> fit("my détector (1)"), fit("my_det-2.1")
    ('my-detector-1', 'my_det-2.1')
    """
    if NAME.fullmatch(name):
        return name
    plain = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", plain).strip("._+-") or name


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Entries of a table and of its base; a table's own entries win, and inner tables of the same kind are merged."""
    both = {key: _merged(base[key], own[key]) for key in base.keys() & own.keys() if _are_alike(base[key], own[key])}
    return base | own | both


def _are_alike(base: object, own: object) -> bool:
    """Whether both are tables, and the variant's own table doesn't name another kind."""
    if not (isinstance(base, dict) and isinstance(own, dict)):
        return False
    return all(own.get(key, base.get(key)) == base.get(key) for key in ("kind", "model"))


def _located(entries: Any, directory: Path) -> Any:
    """Entries with absolute paths of data files, for paths relative to a directory."""
    if isinstance(entries, list):
        return [_located(each, directory) for each in entries]
    if not isinstance(entries, dict):
        return entries
    located = {key: _located(value, directory) for key, value in entries.items()}
    file = located.get("file")
    if isinstance(file, str) and not file.startswith("~"):
        located["file"] = str(directory / file)
    return located


class Readable(Protocol):
    """A class whose values are read from tables."""

    @classmethod
    def read(cls, table: "Table", *args: Any, **kwargs: Any) -> Self:
        """The value that a table describes; classes can need further arguments."""


class Table:
    """One table of a configuration file.

    Parameters
    ----------
    entries : dict
        The entries from tomllib.
    where : str
        File and table, for error messages.
    digest : str
        SHA-256 of the file.
    kind : type of error
        The error that is raised for any problem in the table.
    directory : Path
        The directory to which paths in the table are relative.
    read : dict of str to str
        SHA-256 of each data file that was read for a table of the file; all tables of a file share it.
    """

    def __init__(
        self,
        entries: dict[str, Any],
        where: str,
        digest: str = "",
        kind: type[FastscanError] = InputError,
        directory: Path = Path(),
        read: dict[str, str] | None = None,
    ) -> None:
        if len(entries) > bounds.MOST_KEYS:
            raise kind(f"{where}: more than {bounds.MOST_KEYS} keys")
        self._digest = digest
        self._kind = kind
        self._directory = directory
        self._read: dict[str, str] = {} if read is None else read
        self._entries = entries
        self._where = where
        self._asked: set[str] = set()  # keys that were read
        self._mentioned: set[str] = set()  # keys that would be allowed

    @property
    def digest(self) -> str:
        """SHA-256 of the file and of all data files that were read for it so far."""
        if not self._read:
            return self._digest
        return hashlib.sha256("".join([self._digest, *sorted(self._read.values())]).encode()).hexdigest()

    def _inner(self, entries: dict[str, Any], name: str) -> Self:
        """A table within this one."""
        where = f"{self._where}: {name}"
        return type(self)(entries, where, kind=self._kind, directory=self._directory, read=self._read)

    def over(self, base: Self, own: Collection[str]) -> Self:
        """A variant's table, completed with the keys of its base in all tables; `own` keys are not inherited.

        Paths of the base's data files are relative to the base's directory.
        """
        shared = {key: value for key, value in base._entries.items() if key not in own}
        entries = _merged(_located(shared, base._directory.absolute()), self._entries)
        del entries[VARIANT]
        where = f"{self._where} (a variant of {base._where})"
        read = {base._where: base._digest}
        return type(self)(entries, where, self._digest, self._kind, self._directory, read)

    def error(self, key: str, problem: object) -> FastscanError:
        """The error to raise for a key of this table."""
        return self._kind(f"{self._where}: {key[:LONGEST_QUOTE]}: {problem}")

    def __contains__(self, key: str) -> bool:
        self._mentioned.add(key)
        return key in self._entries

    def names(self) -> list[str]:
        return list(self._entries)

    def done(self, known: Iterable[str] = (), of: str = "") -> None:
        """Refuse keys that were neither read nor are `known`; `of` is the kind of the table, for the message."""
        read = {*self._asked, *known}
        where = f"{self._where} of kind {of!r}" if of else self._where
        for key in self._entries:
            if key not in read:
                raise self._kind(f"{where}: {unknown('key', key, read | self._mentioned)}")

    def refuse(self, key: str, why: str) -> None:
        """Refuse a key that is known, but excluded by other keys."""
        if key in self._entries:
            raise self.error(key, f"can't stand here: {why}")

    def checked(self, key: str, convert: Callable[[], Converted]) -> Converted:
        """The value that `convert` returns; its error becomes an error of a key of this table."""
        try:
            return convert()
        except FastscanError as error:
            raise self.error(key, error) from None

    def take(self, key: str, kinds: type | tuple[type, ...], expected: str) -> Any:
        """The value of a key that must exist, with one of some types."""
        value = self._given(key, expected)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self.error(key, f"must be {expected}, not {quoted(value)}")
        return value

    def _given(self, key: str, expected: str) -> Any:
        self._asked.add(key)
        if key not in self._entries:
            raise self.error(key, f"missing; it must be {expected}{self._misspelt(key)}")
        return self._entries[key]

    def _misspelt(self, key: str) -> str:
        """A hint at a key that may be a misspelling of a missing key; background_error isn't one of background."""
        others = {other for other in self._entries if not other.startswith(f"{key}_")} - self._asked
        near = nearest(key, others, likeness=0.7)  # at this likeness "u" is not taken for "nu"
        return f"; did you mean it by {quoted(near)}?" if near else ""

    def text(self, key: str, default: str | None = None) -> str:
        if default is not None and key not in self:
            return default
        value: str = self.take(key, str, "a text")
        return self._line(key, value)

    def _line(self, key: str, value: str) -> str:
        """A text of one line that can be shown."""
        if len(value) > bounds.LONGEST_LINE:
            raise self.error(key, f"must have at most {bounds.LONGEST_LINE} characters, not {len(value)}")
        if not value.isprintable():
            hint = PATHS if is_path(value) else ""
            raise self.error(key, f"must be one line of characters that can be shown, not {quoted(value)}{hint}")
        return value

    def choice(self, key: str, choices: Iterable[Choice], default: str | None = None) -> Choice:
        """The choice that the key names."""
        named = {choice: choice for choice in choices}
        expected = "one of " + ", ".join(map(repr, named))
        value: str = default if default is not None and key not in self else self.take(key, str, expected)
        if value not in named:
            raise self.error(key, unknown(key, value, named))
        return named[value]

    def of_kind(self, key: str, kinds: Mapping[str, type[Parsed]], *context: object) -> Parsed:
        """The value that this table describes, of the kind that a key names; only keys of that kind are allowed.

        The kinds are classes by name; their `read` gets this table and the context.
        """
        kind = self.choice(key, kinds)
        parsed = kinds[kind].read(self, *context)
        self.done(of=kind)
        return parsed

    def number(self, key: str, low: float = -bounds.NUMBER[1], high: float = bounds.NUMBER[1]) -> float:
        return self._checked_number(key, self.take(key, (int, float), "a number"), low, high)

    def relative(self, key: str, minimum: float = 0.0, maximum: float = math.inf) -> float:
        """A relative error, a number or a text in per cent."""
        written = self.take(key, (int, float, str), "a number such as 0.2, or a text such as '20 %'")
        return self._checked_number(key, self.checked(key, lambda: units.relative(written)), minimum, maximum)

    def is_number(self, key: str) -> bool:
        return isinstance(self._entries.get(key), int | float)

    def is_text(self, key: str) -> bool:
        return isinstance(self._entries.get(key), str)

    def is_table(self, key: str) -> bool:
        return isinstance(self._entries.get(key), dict)

    def is_list(self, key: str) -> bool:
        return isinstance(self._entries.get(key), list)

    def named_or_table(self, key: str, default: str) -> Self:
        """The table of a key that can be a kind alone: ``key = "kind"`` stands for ``key = { kind = "kind" }``."""
        if key in self and isinstance(self._entries[key], dict):
            return self.table(key)
        return self._inner({"kind": self.text(key, default)}, f"[{key}]")

    def flag(self, key: str) -> bool:
        value = self._given(key, "true or false")
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {quoted(value)}")
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        """A whole number within bounds."""
        expected = f"a whole number from {low} to {high}"
        value: int = self.take(key, int, expected)
        if not low <= value <= high:
            raise self.error(key, f"must be {expected}, not {quoted(value)}")
        return value

    def increasing(self, key: str, low: float, high: float, most: int) -> tuple[float, ...]:
        values = self.numbers(key, low, high, most)
        if any(one >= other for one, other in itertools.pairwise(values)):
            raise self.error(key, "must increase from each to the next")
        return values

    def numbers(
        self,
        key: str,
        low: float = -bounds.NUMBER[1],
        high: float = bounds.NUMBER[1],
        most: int = bounds.MOST_VALUES,
    ) -> tuple[float, ...]:
        return tuple(self._checked_number(key, value, low, high) for value in self._list(key, "numbers", most))

    def _list(self, key: str, of: str, most: int) -> list[Any]:
        """A list of one or more values."""
        values: list[Any] = self.take(key, list, f"a list of {of}")
        if not values:
            raise self.error(key, "the list is empty")
        if len(values) > most:
            raise self.error(key, f"must be at most {most} {of}, not {len(values)}")
        return values

    def _checked_number(self, key: str, value: object, low: float, high: float) -> float:
        try:
            finite = not isinstance(value, bool) and math.isfinite(value)  # type: ignore[arg-type]
        except (TypeError, OverflowError):
            finite = False
        if not finite or not isinstance(value, int | float):
            raise self.error(key, f"must be a finite number, not {quoted(value)}")
        if not low <= value <= high:
            raise self.error(key, f"must be between {low:g} and {high:g}, not {quoted(value)}")
        if 0 < abs(value) < bounds.NUMBER[0]:
            raise self.error(key, f"must be 0, or {bounds.NUMBER[0]:g} at least, not {value!r}")
        return float(value)

    def quantity(self, key: str, kind: str, default: str | None = None) -> float:
        """A positive quantity with a unit, in the base unit of its kind."""
        text = default if default is not None and key not in self else self.take(key, str, units.expected(kind))
        value = self.checked(key, lambda: units.quantity(text, kind))
        low, high = bounds.QUANTITY[kind]
        if not low <= value <= high:
            raise self.error(key, f"must be positive, and within reason, not {quoted(text)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of different texts."""
        found: dict[str, None] = {}
        for value in self._list(key, "texts", bounds.MOST_LISTED):
            if not isinstance(value, str):
                raise self.error(key, f"must be a list of texts, not {quoted(value)} in it")
            if value in found:
                raise self.error(key, f"{quoted(value)} is there twice")
            found[self._line(key, value)] = None
        return tuple(found)

    def table(self, key: str, default: dict[str, Any] | None = None) -> Self:
        if default is not None and key not in self:
            return self._inner(default, f"[{key}]")
        return self._inner(self.take(key, dict, "a table"), f"[{key}]")

    def tables(self, key: str) -> tuple[Self, ...]:
        expected = f"one or more tables [[{key}]]"
        values = self.take(key, list, expected)
        if not values or not all(isinstance(value, dict) for value in values):
            raise self.error(key, f"must be {expected}")
        if len(values) > bounds.MOST_TABLES:
            raise self.error(key, f"must be at most {bounds.MOST_TABLES} tables, not {len(values)}")
        return tuple(self._inner(value, f"[[{key}]] {n}") for n, value in enumerate(values, 1))

    def data(self, key: str) -> Columns:
        """The columns of the data file that a key names, relative to the directory of this file.

        With a key ``sha256``, any other file is refused.
        """
        path = self._directory / self.checked(key, lambda: expanded(self.text(key)))
        sha256 = self.text("sha256") if "sha256" in self else None
        found: Columns = self.checked(key, lambda: columns.read(path, sha256))
        self._read[str(path)] = found.digest
        return found

    def arrays(self, key: str) -> Arrays:
        """The arrays of the NumPy file that a key names, relative to the directory of this file, see `data`."""
        path = self._directory / self.checked(key, lambda: expanded(self.text(key)))
        sha256 = self.text("sha256") if "sha256" in self else None
        found: Arrays = self.checked(key, lambda: arrays.read(path, sha256))
        self._read[str(path)] = found.digest
        return found

    def names_or_numbers(self, key: str) -> list[str | int]:
        """A list of columns, by name or by number from 1 on."""
        values = self._list(key, "columns", bounds.MOST_KEYS)
        if not all(isinstance(value, str | int) and not isinstance(value, bool) for value in values):
            raise self.error(key, f"must be a list of columns by name or number, not {quoted(values)}")
        return values

    def column(self, key: str, data: Columns, low: float, high: float) -> tuple[float, ...]:
        """The numbers, within bounds, of the column that a key names, or gives by its number from 1 on."""
        which = self.take(key, (str, int), "a column's name, or its number from 1 on")
        return self.checked(key, lambda: data.column(which, low, high))
