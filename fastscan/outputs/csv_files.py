"""CSV files that describe themselves: lines of comments, then the table that `fastscan.answers.records` writes.

The comments state CL, dof, method, data and units, so that a file keeps its meaning outside its folder, and a digest
that reveals changes of the table.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version

from fastscan.answers import records
from fastscan.axes import SIGMA_SYS
from fastscan.experiments.catalogue import load
from fastscan.limits.confidence import BY_TOYS
from fastscan.physics.constants import PHYSICS_VERSION
from fastscan.typing import Record

MEASURED, PREDICTED = "measured", "prediction of the Standard Model"
THROWN = "toys (the construction of Feldman and Cousins)"
METHOD = "Delta chi2 (chi2 minus its infimum), compared with the quantile of a chi2 distribution (asymptotic)"
UNITS = {"_gev": "GeV", "_mev": "MeV", "_rad": "rad"}  # by the endings of column names


def text(title: str, keys: Sequence[str], rows: Sequence[Record]) -> str:
    """Records as CSV text, below lines that describe them, each of which begins with #.

    Parameters
    ----------
    title : str
        The title of the file.
    keys : sequence of str
        The columns; other keys of the records are left out.  `fastscan plot --overlay` draws a file of two columns.
    rows : sequence of Record
        Records, each with an ``experiment``.

    Returns
    -------
    str
        The text of a file that ``pandas.read_csv(file, comment="#")`` reads.
    """
    body = records.csv_text(keys, ({key: row.get(key) for key in keys} for row in rows))
    lines = [*title.splitlines(), _level(rows), f"data: {data_of(rows)}", _units(keys)]
    lines.append(f"written by fastscan {version('fastscan')}, version {PHYSICS_VERSION} of its physics")
    lines.append(f"SHA-256 of the lines below: {hashlib.sha256(body.encode()).hexdigest()}")
    skipped = len(lines) + 1  # this one too
    lines.append(
        f'to read: pandas.read_csv(file, comment="#"), or numpy.genfromtxt(file, skip_header={skipped}, delimiter=",", '
        'names=True, dtype=None, encoding="utf-8")'
    )
    return "".join(f"# {line}\n" for line in lines) + body


def _level(rows: Sequence[Record]) -> str:
    """The confidence levels and the methods in words; profiles have neither."""
    levels = dict.fromkeys((row["cl"], row["dof"]) for row in rows if "cl" in row)
    if not levels:
        return "Delta chi2 (chi2 minus its infimum over the strength) of points; no CL"
    told = " and ".join(f"{100 * cl:g} % CL, {dof} dof" for cl, dof in levels)
    methods = dict.fromkeys(THROWN if row.get("method") == BY_TOYS else METHOD for row in rows)
    return f"{told}; method: {' and '.join(methods)}"


def data_of(rows: Iterable[Record], told: Callable[[str], str] = str) -> str:
    """The experiments of some records by the kind of their data, in words; `told` turns a name into a label.

    >>> from fastscan.experiments.catalogue import label_of
    >>> data_of([{"experiment": "coherent-csi"}, {"experiment": "conus"}], label_of)
    'measured: COHERENT CsI; prediction of the Standard Model: CONUS'
    """
    kinds: dict[str, list[str]] = {}
    for name, asimov in dict.fromkeys((name, row.get("asimov", False)) for row in rows for name in _members(row)):
        kinds.setdefault(MEASURED if load(name).is_measured and not asimov else PREDICTED, []).append(told(name))
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items())


def _members(row: Record) -> Iterable[str]:
    """The names of the experiments of a record; a combination has a sigma_sys for each of them."""
    errors = row.get(SIGMA_SYS.column)
    return errors if isinstance(errors, dict) else [row["experiment"]]


def _units(keys: Sequence[str]) -> str:
    """The units that the names of columns contain, and the notation of intervals, in words."""
    units = {end: [key for key in keys if key.endswith(end)] for end in UNITS}
    told = [f"{UNITS[end]} of {', '.join(names)}" for end, names in units.items() if names]
    allowed = [key for key in keys if key.startswith("allowed")]
    intervals = f"; {allowed[0]} has low:high of each interval, separated by semicolons" if allowed else ""
    return f"units: {'; '.join(told) or 'none'}{intervals}; an empty cell is a missing value"
