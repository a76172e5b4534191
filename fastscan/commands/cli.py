"""The command `fastscan`: the list of its commands, and how a command runs, reports errors and exits.

There is no logic here: every command calls the Python interface.  Commands import what they need when they run, so that
``fastscan --help`` starts at once.
"""

import logging
import os
import re
import sys
import warnings
from contextlib import suppress
from typing import Any, NoReturn

import click

from fastscan.commands import answering, asking, options, publishing, scanning
from fastscan.errors import FastscanError, FastscanWarning, InputError, quoted, shown, tell_in_one_line
from fastscan.inputs.files import open_files

FEWEST_FILES = 16  # open files that every command needs, including the standard streams
COMMANDS = (
    asking.limit,
    asking.coverage,
    asking.experiments,
    asking.show,
    asking.models,
    asking.cite,
    scanning.scan,
    scanning.finish,
    scanning.info,
    scanning.verify,
    answering.limits,
    answering.contours,
    answering.plot,
    publishing.paper,
    publishing.survey,
)


@click.group(
    cls=options.InOrder,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="fastscan")
@click.pass_context
def cli(context: click.Context) -> None:
    """Limits on new interactions of neutrinos from low-energy experiments.

    \b
    A first limit:      fastscan limit coherent-csi chi
    A grid in a store:  fastscan scan grids/coherent-csi.toml -o results/coherent-csi.zarr
    Limits from it:     fastscan limits results/coherent-csi.zarr
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run a command; an error that a user can cause is one line on stderr and exit code 2."""
    tell_in_one_line("asyncio", "gcsfs")
    for name in ("stdout", "stderr"):  # a stream that the caller has closed is replaced by one that leads nowhere
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process lives
        getattr(sys, name).reconfigure(errors="backslashreplace")  # a title may contain what the terminal can't show
    _tell_warnings()
    _tell_compilations()
    try:
        _check_environment()
        cli.main(prog_name="fastscan", standalone_mode=False)
        sys.stdout.flush()
    except (FastscanError, click.ClickException) as error:
        _end(2, error.format_message() if isinstance(error, click.ClickException) else _in_options(str(error)))
    except (SystemExit, BrokenPipeError):  # click exits on a broken pipe, because the reader (head, less) is done
        _end(0)
    except OSError as error:
        _end(2, f"{error.filename or 'output'} can't be written: {error.strerror}")


def _tell_warnings() -> None:
    """Print each warning of fastscan once, as one line on stderr; Python handles those of other packages."""
    told: set[str] = set()
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if not issubclass(category, FastscanWarning):
            others(message, category, *where)
        elif str(message) not in told:
            told.add(str(message))
            with suppress(OSError):  # a full or broken stream must not change the exit code
                click.echo(f"fastscan: warning: {message}", err=True)

    warnings.simplefilter("always", FastscanWarning)
    warnings.showwarning = show  # type: ignore[assignment]


def _tell_compilations() -> None:
    """Print on a terminal that kernels are being compiled; the line replaces a progress bar for that time."""
    if sys.stderr.isatty():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("\r\x1b[Kfastscan: %(message)s"))
        log = logging.getLogger("fastscan.kernels")
        log.setLevel(logging.INFO)
        log.addHandler(handler)


def _check_environment() -> None:
    """Refuse an environment that numba or Python would answer with a traceback."""
    threads = os.environ.get("NUMBA_NUM_THREADS", "1")
    if not (re.fullmatch("[0-9]{1,9}", threads) and int(threads) > 0):
        raise InputError(f"NUMBA_NUM_THREADS must be a whole number from 1 to 999999999, not {quoted(threads)}")
    if open_files() < FEWEST_FILES:
        raise InputError(
            f"only {open_files()} open files are allowed, too few to work with; `ulimit -n 64` allows more"
        )


def _in_options(problem: str) -> str:
    """A problem in words, with options of the command in place of Python's arguments."""
    return re.sub(r"\b(resume|overwrite)=True\b", r"--\1", problem)


def _end(code: int, problem: str = "") -> NoReturn:
    """Print a problem and exit; a full or broken stream must neither add a message nor change the exit code."""
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        if problem:
            click.echo(f"fastscan: {shown(problem)}", err=True)
    with suppress(OSError):
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.exit(code)
