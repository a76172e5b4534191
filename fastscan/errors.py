"""The one exception of fastscan, raised wherever a user's input or a store can't be used.

Its text is one line that says what is wrong and, where there is one, the remedy.  The command line prints it
and exits with 2; in Python it is a `ValueError`.
"""

import difflib
import logging
from collections.abc import Iterable


class FastscanError(ValueError):
    """Input, file or store that can't be used; the message is one line for the user, whatever a name contains."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


def unknown(kind: str, name: str, known: Iterable[str]) -> FastscanError:
    """Error for a name that isn't known, with the nearest known one or, failing that, the choice.

    >>> print(unknown("model", "chii", ["chi", "psi"]))
    unknown model 'chii'; did you mean 'chi'?
    """
    known = sorted(known)
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else "known: " + ", ".join(known)
    return FastscanError(f"unknown {kind} {name!r}; {hint}")


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name that was probably meant, if any is alike enough: two letters of which one agrees aren't."""
    near = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=likeness)
    return near[0] if near else None


def tell_in_one_line(*libraries: str) -> None:
    """Silence what libraries log of a server that is lost: fastscan tells it in one line, without their tracebacks."""
    for library in libraries:
        logging.getLogger(library).setLevel(logging.CRITICAL)
