"""The tables in the package's data: CSV files, whose first lines, after '#', describe the table and its source."""

import csv
import functools
import hashlib
from importlib.resources import files

import numpy as np

from fastscan.typing import Array

DATA = files("fastscan") / "data"
# The tables that determine event counts: a store's identity contains the digest of each.
INPUTS = (
    "isotopes.csv",
    "fission_energy.csv",
    "reactor_low_energy.csv",
    "reactor_mueller.csv",
    "reactor_vogel_engel.csv",
    "reactor_kopeikin.csv",
    "reactor_bestiole.csv",
    "solar_fluxes.csv",
    "solar_lines.csv",
    "solar_spectra.csv",
    "shells.csv",
)


@functools.cache
def rows(name: str) -> list[dict[str, str]]:
    """Rows of a table, each a dictionary by column."""
    lines = (DATA / name).read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if line[0] != "#"))


@functools.cache
def columns(name: str) -> dict[str, Array]:
    """Columns of a table of numbers."""
    found = rows(name)
    return {key: np.array([float(row[key]) for row in found]) for key in found[0]}


def digest(name: str) -> str:
    """SHA-256 of a table, which a store's identity contains."""
    return hashlib.sha256((DATA / name).read_bytes()).hexdigest()
