"""Signals: Ctrl-C and SIGTERM end a command at any moment, with one line on stderr and an exit code.

The command ends at once and no exception is raised, because libraries answer exceptions at odd moments with tracebacks,
or lose them.  A scan records each task after its chunks, and files are replaced whole, so that only unfinished tasks
and files are lost.
"""

import os
import signal
import sys
from types import FrameType

ENDINGS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
SHOW_CURSOR = "\x1b[?25h\n"  # click's progress bar hides the terminal's cursor, and fills the last line

_state = ""


def answer() -> None:
    """Install the handlers, except for signals that the caller ignores, as nohup and a shell's & do."""
    for number in ENDINGS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def say_at_end(state: str) -> None:
    """Set the words that a command adds to its last line if a signal ends it from now on."""
    global _state
    _state = f"; {state}"


def _end(number: int, frame: FrameType | None) -> None:
    """Kill the workers, print the last line, and exit."""
    # The name is missing if the signal came while multiprocessing was being imported.
    workers = getattr(sys.modules.get("multiprocessing"), "active_children", list)
    for worker in workers():
        worker.kill()
    line = f"fastscan: {ENDINGS[signal.Signals(number)]}{_state}\n"
    try:
        os.write(2, ((SHOW_CURSOR if os.isatty(2) else "") + line).encode())
    finally:  # whether or not stderr is open
        os._exit(128 + number)
