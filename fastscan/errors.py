"""The errors of fastscan, one class for each kind of input or result that can't be used, and its warning.

Each is a `FastscanError`, and so a `ValueError`.  Its text is one line with the problem and, where there is one, the
remedy.  The command line prints the text and exits with 2.  In Python each kind can be caught by its class:

    InputError             an argument, a quantity or a file that people write; its own kinds are
        ExperimentError        an experiment
        ModelError             a model, or a parameter of it
        GridError              a grid file
    StoreError             a store that is missing, damaged or another's
    ScanError              a scan that can't begin, or that was given up
    LimitError             a question about limits or contours that has no answer
    OutputError            a picture or a file that can't be made
"""

import difflib
import importlib
import logging
import reprlib
import sys
import warnings
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path

logging.getLogger("fastscan").addHandler(logging.NullHandler())  # silent unless a user asks for more
LONGEST_QUOTE = 80  # characters of what a user gave that a message shows
LONGEST_PATH = 300  # characters of a path
LONGEST_LIST = 250  # characters of a list of known names
# Files whose code no user wrote: fastscan's own, and the import system's, which calls fastscan's modules.
NOT_A_USERS = (str(Path(__file__).parent), "<frozen importlib", importlib.__file__)


class FastscanError(ValueError):
    """The base of all errors; its message is one printable line, whatever characters a name in it has."""

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


class InputError(FastscanError):
    """An argument, a quantity or a file that people write can't be used."""


class ExperimentError(InputError):
    """An experiment is unknown, or described wrongly."""


class ModelError(InputError):
    """A model is unknown or described wrongly, or doesn't have a given parameter."""


class GridError(InputError):
    """A grid file is wrong."""


class StoreError(FastscanError):
    """A store is missing, damaged, belongs to another run, or wasn't made by fastscan."""


class ScanError(FastscanError):
    """A scan can't begin, or was given up."""


class LimitError(FastscanError):
    """A question about limits or contours has no answer."""


class OutputError(FastscanError):
    """A picture or a file can't be made."""


class FastscanWarning(UserWarning):
    """fastscan gives an answer, but the user may have meant another question, such as with a sigma_sys above 1.

    The warning points at the user's own line; ``warnings.simplefilter("error", fastscan.FastscanWarning)`` makes it an
    error.
    """


def unknown(kind: str, name: str, known: Iterable[str], error: type[FastscanError] = InputError) -> FastscanError:
    """The error for an unknown name, with the nearest known name or, where none is near, all known names.

    >>> print(unknown("model", "chii", ["chi", "psi"]))
    unknown model 'chii'; did you mean 'chi'?
    """
    known = sorted(known)
    near = nearest(name, known)
    hint = f"did you mean {quoted(near)}?" if near else "known: " + _listed(known)
    return error(f"unknown {kind} {quoted(name)}; {hint}")


def _listed(names: list[str]) -> str:
    """Names for a message; a long list is cut after the first ones."""
    text = ", ".join(names)
    return text if len(text) <= LONGEST_LIST else text[: text.rfind(",", 0, LONGEST_LIST)] + ", ..."


def shown(text: str) -> str:
    """A text that a terminal and a page can show safely.

    It is one line, in which control characters and marks that change the direction of writing are escaped.

    >>> shown("two\\nlines, \\x1b[2J cleared, \\u202e turned")
    'two lines, \\\\x1b[2J cleared, \\\\u202e turned'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in " ".join(text.split()))


def quoted(value: object) -> str:
    """A user's value for a message: in quotes where it is a text, and cut where it is long.

    >>> quoted("conus"), len(quoted("x" * 1000)), quoted([0.1] * 1000)
    ("'conus'", 80, '[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, ...]')
    """
    return _QUOTES.repr(value)[:LONGEST_QUOTE]


class _Quotes(reprlib.Repr):
    """A `reprlib.Repr` for integers of any length: Python refuses to write out more than 4300 digits."""

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:
            return "a number of thousands of digits"


_QUOTES = _Quotes()
_QUOTES.maxstring = _QUOTES.maxother = _QUOTES.maxlong = LONGEST_QUOTE


def warn(*texts: str) -> None:
    """Warn of each text once, at the line that called fastscan."""
    if not texts:
        return
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(NOT_A_USERS):
        frame = frame.f_back
    module, seen = frame.f_globals.get("__name__"), frame.f_globals.setdefault("__warningregistry__", {})
    for text in dict.fromkeys(texts):
        warnings.warn_explicit(
            shown(text), FastscanWarning, frame.f_code.co_filename, frame.f_lineno, module=module, registry=seen
        )


def shown_path(path: str | PathLike[str]) -> str:
    """A path for a message; a very long path is cut at its beginning.

    >>> len(shown_path("x" * 1000))
    303
    """
    text = fspath(path)
    return text if len(text) <= LONGEST_PATH else f"...{text[-LONGEST_PATH:]}"


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name that was probably meant; None where none is similar enough.

    The default `likeness` rejects a name of two letters if only one letter agrees.
    """
    near = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=likeness)
    return near[0] if near else None


def tell_in_one_line(*libraries: str) -> None:
    """Silence the logs of libraries about a lost server, because fastscan reports it in one line of its own."""
    for library in libraries:
        logging.getLogger(library).setLevel(logging.CRITICAL)
