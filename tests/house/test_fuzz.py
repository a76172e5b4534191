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
