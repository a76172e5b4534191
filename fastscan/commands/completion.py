"""Completion in shells after the Tab key: names of experiments, models and groups, and files.

No room is imported that takes long to import, and groups are completed only for stores that are directories.
"""

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Completed = list[CompletionItem]


def experiments(context: click.Context, parameter: click.Parameter, begun: str) -> Completed:
    """Names of experiments, or files, for the last of several parts separated by commas."""
    from fastscan.experiments.catalogue import names

    before, comma, _ = begun.rpartition(",")
    return _names_or_files((f"{before}{comma}{name}" for name in names()), begun)


def models(context: click.Context, parameter: click.Parameter, begun: str) -> Completed:
    """Names of models, or files."""
    from fastscan.interactions.catalogue import MODELS

    return _names_or_files(MODELS, begun)


def citable(context: click.Context, parameter: click.Parameter, begun: str) -> Completed:
    """Names of experiments and of models, or files."""
    from fastscan.experiments.catalogue import names
    from fastscan.interactions.catalogue import MODELS

    return _names_or_files([*names(), *MODELS], begun)


def groups(context: click.Context, parameter: click.Parameter, begun: str) -> Completed:
    """Groups of the store that the line names before."""
    words = filter(None, [context.params.get("store"), *context.args])  # click hasn't parsed an incomplete line
    found = {"/".join(array.parts[-3:-1]) for word in words for array in Path(word).glob("*/*/chi2")}
    return [CompletionItem(name) for name in sorted(found) if name.startswith(begun)]


def _names_or_files(known: Iterable[str], begun: str) -> Completed:
    """The known names that begin with `begun`; if there are none, files, which the shell completes."""
    return [CompletionItem(name) for name in known if name.startswith(begun)] or [CompletionItem(begun, type="file")]
