"""The tables in the package's data: CSV files whose first lines, after '#', say what they are and from where."""

import csv
import functools
import hashlib
from importlib.resources import files

DATA = files("fastscan") / "data"
# Those that event counts follow from: a store's identity names the digest of each.
INPUTS = ("isotopes.csv", "fission_energy.csv", "reactor_low_energy.csv", "reactor_mueller.csv", "shells.csv")


@functools.cache
def rows(name: str) -> list[dict[str, str]]:
    """Rows of a table, by column."""
    lines = (DATA / name).read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if line[0] != "#"))


def digest(name: str) -> str:
    """SHA-256 of a table, which a store's identity names."""
    return hashlib.sha256((DATA / name).read_bytes()).hexdigest()
