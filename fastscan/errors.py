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
    """Error for a name that isn't known, with the nearest known one or, failing that, the choice."""
    known = sorted(known)
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(known)
    return FastscanError(f"unknown {kind} {name!r}; {hint}")


def tell_in_one_line(*libraries: str) -> None:
    """Silence what libraries log of a server that is lost: fastscan tells it in one line, without their tracebacks."""
    for library in libraries:
        logging.getLogger(library).setLevel(logging.CRITICAL)
