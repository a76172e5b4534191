"""What ends a command from outside: Ctrl-C and SIGTERM are one line on stderr and an exit code, at any moment.

The command ends at once, wherever it is: nothing is unwound, because libraries that are being imported or called
answer exceptions at odd moments with tracebacks, or lose them.  A scan records each task after its chunks, and files
are replaced whole, so that at most what is in the making is lost.
"""

import os
import signal
import sys
from types import FrameType

ENDINGS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
SHOW_CURSOR = "\x1b[?25h\n"  # click's progress bar hides a terminal's cursor, and stands in the last line

_state = ""


def answer() -> None:
    """Install the answers, except to what the caller wants to be ignored, as nohup and a shell's & do."""
    for number in ENDINGS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def say_at_end(state: str) -> None:
    """What a command that is ended from here on says of its state."""
    global _state
    _state = f"; {state}"


def _end(number: int, frame: FrameType | None) -> None:
    # The name exists once multiprocessing is whole: the signal may have come while it is imported.
    workers = getattr(sys.modules.get("multiprocessing"), "active_children", list)
    for worker in workers():
        worker.kill()
    line = f"fastscan: {ENDINGS[signal.Signals(number)]}{_state}\n"
    try:
        os.write(2, ((SHOW_CURSOR if os.isatty(2) else "") + line).encode())
    finally:  # whether or not stderr is open
        os._exit(128 + number)
