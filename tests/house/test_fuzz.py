"""Fuzzed inputs: a sample of the cases of tests/fuzz.py, which says how to run more."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from conftest import TESTS

CASES = 60  # of each kind; 1000 of each have been run
KINDS = ["experiment", "grid", "metadata", "model", "options"]


@pytest.mark.slow
@pytest.mark.skipif(
    not (hasattr(os, "fork") and find_spec("resource")), reason="cases are forked, and what they take is limited"
)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_people_give_ends_well_or_with_one_line(kind: str) -> None:
    command = [sys.executable, str(TESTS / "fuzz.py"), kind, str(CASES), "--seed", "1"]
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}  # a process that has threads can't be forked safely
    ended = subprocess.run(command, env=os.environ | one_thread, stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(ended.stdout) == []


def test_an_accident_to_a_long_text_costs_little() -> None:
    """A process that takes more than ten seconds of a processor is killed."""
    resource = pytest.importorskip("resource", reason="nothing limits what a process takes")
    program = "import fuzz\nfor found in (fuzz.KEY, fuzz.VALUE):\n"
    program += "    for long in ('x' * 2_000_000, '[' * 200_000, '{ a = ' * 500):\n        found.findall(f'a = {long}')"
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CPU, (10, 10))}
    subprocess.run([sys.executable, "-c", program], cwd=TESTS, check=True, **limit)
