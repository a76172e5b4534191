"""Advice to contributors is true: hooks run what CI runs, and names in tests/README.md exist."""

import re

import pytest
from conftest import REPOSITORY, TESTS

PAGE = (TESTS / "README.md").read_text("utf-8")
CODE = [path for folder in ("fastscan", "tests") for path in (REPOSITORY / folder).rglob("*.py")]


@pytest.mark.skipif(not (REPOSITORY / ".ci").is_dir(), reason="the sdist has no .ci")
def test_hooks_run_what_ci_runs() -> None:
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8")
    entries = re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE)
    lines = re.findall(r"^\.venv/bin/((?:ruff|mypy).*)$", (REPOSITORY / ".ci" / "run").read_text(), re.MULTILINE)
    assert entries == [*(line.removesuffix(" --check") for line in lines), "pytest"]


def test_files_that_are_named_are_there() -> None:
    named = set(re.findall(r"`([\w/.]+(?:\.py|\.csv|/))`", PAGE))
    assert len(named) > 20
    known = {f"/{path.relative_to(REPOSITORY)}" for path in CODE}
    for name in named:
        there = (REPOSITORY / name).exists() or (TESTS / name).exists()
        assert there or any(path.endswith(f"/{name}") for path in known), name


def test_names_of_tables_and_tests_are_there() -> None:
    code = "\n".join(path.read_text("utf-8") for path in CODE)
    named = set(re.findall(r"`([A-Z_]{4,}|test_\w+)`", PAGE))
    assert {"SOURCES", "test_no_model_is_left_out"} < named
    for name in named:
        assert re.search(rf"^(?:def )?{name}\b", code, re.MULTILINE), name
