"""Every example in a docstring gives what it shows."""

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Callable

import pytest

import fastscan
from fastscan import experiments, grid, models

PREFIX = "fastscan."
MODULES = sorted(module.name.removeprefix(PREFIX) for module in pkgutil.walk_packages(fastscan.__path__, PREFIX))
FACE = [getattr(fastscan, name) for name in fastscan.__all__]
FUNCTIONS = [each for each in FACE if inspect.isfunction(each)]
READERS = [experiments.load, experiments.load_all, grid.load, models.load]
WORDS = [each for each in map(vars(experiments).get, experiments.__all__) if dataclasses.is_dataclass(each)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"fastscan.{name}"))
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_room_says_what_it_is(name: str) -> None:
    assert len(importlib.import_module(f"fastscan.{name}").__doc__ or "") > 40


@pytest.mark.parametrize("function", [*FUNCTIONS, *READERS])
def test_what_users_call_is_described(function: Callable[..., object]) -> None:
    text = inspect.getdoc(function) or ""
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in text, section
    parameters = text.partition("\nParameters\n")[2].partition("\nReturns\n")[0]
    for name in inspect.signature(function).parameters:
        assert name in parameters, name


@pytest.mark.parametrize("kind", WORDS)
def test_the_words_of_an_experiment_are_described(kind: type) -> None:
    text = inspect.getdoc(kind) or ""
    assert [each.name for each in dataclasses.fields(kind) if each.name not in text] == []
