"""Reading TOML that people write: every key is checked, and every error names the file and the key.

A `Table` hands out its keys one by one, converted and validated; `done` then refuses the keys that nobody
asked for.  Inside the package, what came through here is trusted.
"""

import hashlib
import itertools
import math
import os
import re
import reprlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from fastscan.errors import ExperimentError, FastscanError, GridError, InputError, ModelError, nearest, unknown
from fastscan.inputs import units
from fastscan.inputs.bounds import QUANTITY
from fastscan.inputs.files import read_regular

Converted = TypeVar("Converted")
Choice = TypeVar("Choice", bound=str)
Parsed = TypeVar("Parsed", bound="Readable")
LARGEST_BYTES = 2**24  # largest file that is read; a device has no end
KINDS = {"charges": "a model", "axes": "a grid", "target": "an experiment"}  # kinds of files, by a key of theirs alone
ERRORS = {"a model": ModelError, "a grid": GridError, "an experiment": ExperimentError}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def read_toml(path: Path, kind: str = "") -> "Table":
    """The TOML file of a kind as a `Table`, whose errors are those of the kind."""
    error = ERRORS.get(kind, InputError)
    try:
        content = read_regular(path, LARGEST_BYTES)
        entries = tomllib.loads(content.decode("utf-8-sig"))  # editors of Windows write a mark at the beginning
    except OSError as problem:
        raise error(f"{path}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise error(f"{path}: not a text file") from None
    # not TOML, a number of thousands of digits, a path with a NUL, tables nested too deeply
    except (ValueError, RecursionError) as problem:
        raise error(f"{str(path)!r}: {str(problem) or 'nested too deeply'}") from None
    for key, other in KINDS.items():
        if kind and key in entries and kind != other:
            raise error(f"{path} is {other}'s file, where {kind}'s is needed: it has {key}")
    return Table(entries, str(path), hashlib.sha256(content).hexdigest(), error)


def name_or_path(given: object, kind: str, directory: Path | None) -> str | Path:
    """A path where a text ends in ``.toml``, relative to the directory; else the name of an experiment or a model."""
    if not isinstance(given, str | PathLike):
        raise ERRORS[kind](f"{kind} is a name or a path, not {given!r}")
    text = os.fspath(given)
    return (directory or Path()) / text if text.endswith(".toml") else text


def check_name(name: str) -> str:
    """A name, if a group of a store can have it."""
    if not NAME.fullmatch(name) or name == "zarr.json":
        raise InputError(f"{name!r} can't name a group; use letters, digits and . _ + -")
    return name


class Readable(Protocol):
    """A class whose values are read from tables."""

    @classmethod
    def read(cls, table: "Table", *args: Any, **kwargs: Any) -> Self:
        """The value that a table describes; further arguments are what the class needs to know beside the table."""


class Table:
    """One table of a configuration file.

    Parameters
    ----------
    entries : dict
        As tomllib gives them.
    where : str
        File and table, for error messages.
    digest : str
        SHA-256 of the file.
    kind : type of error
        The error that is raised for whatever is wrong in the table.
    """

    def __init__(
        self, entries: dict[str, Any], where: str, digest: str = "", kind: type[FastscanError] = InputError
    ) -> None:
        self.digest = digest
        self._kind = kind
        self._entries = entries
        self._where = where
        self._asked: set[str] = set()  # keys that were read
        self._mentioned: set[str] = set()  # keys that could be there

    def error(self, key: str, problem: object) -> FastscanError:
        """The error to raise for a key of this table."""
        return self._kind(f"{self._where}: {key}: {problem}")

    def __contains__(self, key: str) -> bool:
        self._mentioned.add(key)
        return key in self._entries

    def names(self) -> list[str]:
        return list(self._entries)

    def done(self, known: Iterable[str] = (), of: str = "") -> None:
        """Refuse keys that nobody asked for and that aren't otherwise known, in a table `of` a kind."""
        read = {*self._asked, *known}
        where = f"{self._where} of kind {of!r}" if of else self._where
        for key in self._entries:
            if key not in read:
                raise self._kind(f"{where}: {unknown('key', key, read | self._mentioned)}")

    def refuse(self, key: str, why: str) -> None:
        """Refuse a key that is known, but can't stand beside the others."""
        if key in self._entries:
            raise self.error(key, f"can't stand here: {why}")

    def checked(self, key: str, convert: Callable[[], Converted]) -> Converted:
        """The value that `convert` returns; an error of it becomes the error of a key of this table."""
        try:
            return convert()
        except FastscanError as error:
            raise self.error(key, error) from None

    def take(self, key: str, kinds: type | tuple[type, ...], expected: str) -> Any:
        """The value of a key that must be there and of a kind."""
        value = self._given(key, expected)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self.error(key, f"must be {expected}, not {value!r}")
        return value

    def _given(self, key: str, expected: str) -> Any:
        self._asked.add(key)
        if key not in self._entries:
            raise self.error(key, f"missing; it must be {expected}{self._misspelt(key)}")
        return self._entries[key]

    def _misspelt(self, key: str) -> str:
        """A hint at a key that may be a misspelling of a missing one; background_error is none of background."""
        others = {other for other in self._entries if not other.startswith(key)} - self._asked
        near = nearest(key, others, likeness=0.7)  # at this likeness "u" is not taken for "nu"
        return f"; did you mean it by {near!r}?" if near else ""

    def text(self, key: str, default: str | None = None) -> str:
        if default is not None and key not in self:
            return default
        value: str = self.take(key, str, "a text")
        return value

    def choice(self, key: str, choices: Iterable[Choice], default: str | None = None) -> Choice:
        """The one of the choices that the key names."""
        named = {choice: choice for choice in choices}
        value = self.text(key, default)
        if value not in named:
            raise self.error(key, unknown(key, value, named))
        return named[value]

    def of_kind(self, key: str, kinds: Mapping[str, type[Parsed]], *context: object) -> Parsed:
        """The value that this table describes, of the kind that a key names, with the keys of that kind and no others.

        The kinds are classes by name; their `read` gets this table and the context.
        """
        kind = self.choice(key, kinds)
        parsed = kinds[kind].read(self, *context)
        self.done(of=kind)
        return parsed

    def number(self, key: str, minimum: float = -math.inf, maximum: float = math.inf) -> float:
        return self._checked_number(key, self.take(key, (int, float), "a number"), minimum, maximum)

    def is_number(self, key: str) -> bool:
        return isinstance(self._entries.get(key), int | float)

    def flag(self, key: str) -> bool:
        value = self._given(key, "true or false")
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def whole(self, key: str, minimum: int, maximum: int) -> int:
        """A whole number within bounds."""
        expected = f"a whole number from {minimum} to {maximum}"
        value: int = self.take(key, int, expected)
        if not minimum <= value <= maximum:
            raise self.error(key, f"must be {expected}, not {value}")
        return value

    def increasing(self, key: str, minimum: float = -math.inf) -> tuple[float, ...]:
        values = self.numbers(key, minimum)
        if any(low >= high for low, high in itertools.pairwise(values)):
            raise self.error(key, "must increase from each to the next")
        return values

    def positive(self, key: str) -> float:
        return self.number(key, minimum=math.ulp(0.0))

    def numbers(self, key: str, minimum: float = -math.inf, maximum: float = math.inf) -> tuple[float, ...]:
        values = self.take(key, list, "a list of numbers")
        if not values:
            raise self.error(key, "the list is empty")
        return tuple(self._checked_number(key, value, minimum, maximum) for value in values)

    def _checked_number(self, key: str, value: object, minimum: float, maximum: float) -> float:
        try:
            finite = not isinstance(value, bool) and math.isfinite(value)  # type: ignore[arg-type]
        except (TypeError, OverflowError):
            finite = False
        if not finite or not isinstance(value, int | float):
            raise self.error(key, f"must be a finite number, not {reprlib.repr(value)}")
        if not minimum <= value <= maximum:
            bounds = f"between {minimum:g} and {maximum:g}" if maximum < math.inf else f"at least {minimum:g}"
            raise self.error(key, f"must be {'positive' if minimum == math.ulp(0.0) else bounds}, not {value!r}")
        return float(value)

    def quantity(self, key: str, kind: str, default: str | None = None) -> float:
        """A positive quantity with a unit, in the base unit of its kind."""
        text = default if default is not None and key not in self else self.take(key, str, units.expected(kind))
        value = self.checked(key, lambda: units.quantity(text, kind))
        if not QUANTITY[0] <= value <= QUANTITY[1]:
            raise self.error(key, f"must be positive, and within reason, not {text!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.take(key, list, "a list of texts")
        if not values:
            raise self.error(key, "the list is empty")
        for value in values:
            if not isinstance(value, str):
                raise self.error(key, f"must be a list of texts, not {value!r} in it")
            if values.count(value) > 1:
                raise self.error(key, f"{value!r} is there twice")
        return tuple(values)

    def table(self, key: str, default: dict[str, Any] | None = None) -> Self:
        if default is not None and key not in self:
            return type(self)(default, f"{self._where}: [{key}]", kind=self._kind)
        return type(self)(self.take(key, dict, "a table"), f"{self._where}: [{key}]", kind=self._kind)

    def tables(self, key: str) -> tuple[Self, ...]:
        values = self.take(key, list, f"one or more tables [[{key}]]")
        if not values or not all(isinstance(value, dict) for value in values):
            raise self.error(key, f"must be one or more tables [[{key}]]")
        return tuple(
            type(self)(value, f"{self._where}: [[{key}]] {n}", kind=self._kind) for n, value in enumerate(values, 1)
        )
