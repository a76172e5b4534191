"""Every example in a docstring gives what it shows."""

import doctest
import importlib
import pkgutil

import pytest

import fastscan

PREFIX = "fastscan."
MODULES = sorted(module.name.removeprefix(PREFIX) for module in pkgutil.walk_packages(fastscan.__path__, PREFIX))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"fastscan.{name}"))
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_room_says_what_it_is(name: str) -> None:
    assert len(importlib.import_module(f"fastscan.{name}").__doc__ or "") > 40
