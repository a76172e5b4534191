"""The progress of a scan, and a bar that shows it on stderr, for the command and for Python."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self

import click

from fastscan.errors import InputError, quoted
from fastscan.inputs.units import short
from fastscan.stores.cube import Cube


@dataclass(frozen=True)
class Progress:
    """The progress of a scan: numbers of tasks and points done and to do, of tasks begun anew, and of tasks given up.

    A task begins anew after an error of its storage, and when a cluster loses the worker of the task.
    """

    tasks: int
    tasks_to_do: int
    points: int
    points_to_do: int
    retried: int
    failed: int


WIDTH = 36  # of a bar where no terminal has a width
Told = Callable[[Progress], object]


class ProgressBar:
    """A line about a scan of some cubes into a store and, on a terminal or `anywhere`, a bar with its progress."""

    def __init__(self, cubes: Sequence[Cube], store: str, anywhere: bool = False) -> None:
        size = short(sum(cube.layout.size for cube in cubes), "B")
        self.what = f"{len(cubes)} group{'s' * (len(cubes) > 1)} of {size} -> {store}"
        self.anywhere = anywhere and not _on_terminal()
        self.stack = ExitStack()
        self.bar: Any = None  # click's, once there is something to show

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.stack.close()

    def __call__(self, now: Progress) -> None:
        if self.bar is None:
            click.echo(f"{short(now.points_to_do)} points in {now.tasks_to_do} tasks to compute; {self.what}", err=True)
            bar = click.progressbar(
                length=max(now.points_to_do, 1),
                file=sys.stderr,
                width=0 if _on_terminal() else WIDTH,  # 0: as wide as the terminal is
                hidden=not (_on_terminal() and now.points_to_do),
                item_show_func=lambda state: state or "",
            )
            self.bar, self.started = self.stack.enter_context(bar), time.perf_counter()
            if self.anywhere:
                self.stack.callback(click.echo, err=True)  # ends the line
        speed = f"{short(now.points / (time.perf_counter() - self.started))} points/s"
        troubles = {"retried": now.retried, "failed": now.failed}
        words = [f"{now.tasks}/{now.tasks_to_do} tasks", speed, *(f"{n} {what}" for what, n in troubles.items() if n)]
        state = ", ".join(words)
        self.bar.update(now.points - self.bar.pos, state)
        if self.anywhere:  # click draws on terminals alone
            click.echo(f"\r{self.bar.format_progress_line()}", err=True, nl=False)


def _on_terminal() -> bool:
    """Whether people see stderr; a program without a console has none."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def told(progress: bool | Told | None, cubes: Sequence[Cube], store: str) -> Iterator[Told | None]:
    """The function to call with each `Progress`: a user's own function, a `ProgressBar`, or None."""
    wanted = _on_terminal() if progress is None else progress
    if callable(wanted):
        yield wanted
    elif wanted is True:
        with ProgressBar(cubes, store, anywhere=True) as bar:
            yield bar
    elif wanted is False:
        yield None
    else:
        raise InputError(f"progress is True, False or a function, not {quoted(progress)}")
