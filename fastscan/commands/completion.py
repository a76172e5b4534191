"""What a shell completes after the Tab key: names of experiments, models and groups, and files.

Nothing is imported that takes long, and a store is only looked at where it is a directory.
"""

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Completed = list[CompletionItem]


def experiments(context: click.Context, parameter: click.Parameter, begun: str) -> Completed:
    """Names of experiments, the last of several separated by commas, or files."""
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
    """Groups of the store that stands before in the line."""
    words = filter(None, [context.params.get("store"), *context.args])  # click hasn't parsed a line that isn't whole
    found = {"/".join(array.parts[-3:-1]) for word in words for array in Path(word).glob("*/*/chi2")}
    return [CompletionItem(name) for name in sorted(found) if name.startswith(begun)]


def _names_or_files(known: Iterable[str], begun: str) -> Completed:
    """The known names that begin so; where none does, what the shell knows of files."""
    return [CompletionItem(name) for name in known if name.startswith(begun)] or [CompletionItem(begun, type="file")]
