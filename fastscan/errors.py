"""The errors of fastscan, by what can't be used, and its warning.

Each is a `FastscanError`, and so a `ValueError`; its text is one line that says what is wrong and, where there is one,
the remedy.  The command line prints it and exits with 2.  In Python a kind can be caught apart:

    InputError             an argument, a quantity or a file that people write, and of these
        ExperimentError        an experiment
        ModelError             a model, or a parameter of it
        GridError              a grid file
    StoreError             a store that is missing, damaged or another's
    ScanError              a scan that can't begin, or that was given up
    LimitError             a question about limits or contours that has no answer
    OutputError            a picture or a file that can't be made
"""

import difflib
import logging
from collections.abc import Iterable


class FastscanError(ValueError):
    """What fastscan refuses; the message is one line for the user, whatever a name contains."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


class InputError(FastscanError):
    """An argument, a quantity or a file that people write can't be used."""


class ExperimentError(InputError):
    """An experiment is unknown, or described wrongly."""


class ModelError(InputError):
    """A model is unknown or described wrongly, or a parameter isn't one of its own."""


class GridError(InputError):
    """A grid file is wrong."""


class StoreError(FastscanError):
    """A store is missing, damaged, another run's, or nothing that fastscan made."""


class ScanError(FastscanError):
    """A scan can't begin, or was given up."""


class LimitError(FastscanError):
    """A question about limits or contours has no answer."""


class OutputError(FastscanError):
    """A picture or a file can't be made."""


class FastscanWarning(UserWarning):
    """An answer is given, but may not be what was meant."""


def unknown(kind: str, name: str, known: Iterable[str], error: type[FastscanError] = InputError) -> FastscanError:
    """Error for a name that isn't known, with the nearest known one or, failing that, the choice.

    >>> print(unknown("model", "chii", ["chi", "psi"]))
    unknown model 'chii'; did you mean 'chi'?
    """
    known = sorted(known)
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else "known: " + ", ".join(known)
    return error(f"unknown {kind} {name!r}; {hint}")


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name that was probably meant, if any is alike enough: two letters of which one agrees aren't."""
    near = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=likeness)
    return near[0] if near else None


def tell_in_one_line(*libraries: str) -> None:
    """Silence what libraries log of a server that is lost: fastscan tells it in one line, without their tracebacks."""
    for library in libraries:
        logging.getLogger(library).setLevel(logging.CRITICAL)
