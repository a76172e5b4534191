"""Limits and contours as a submission to HEPData, from the records that the commands print.

Each model has a table.  Quantities that differ between its records (experiment, beta, sigma_sys, ...) are independent
variables; the others are qualifiers, such as CL, DOF, METHOD, DATA and the settings.  Each allowed interval has a row
of its own, so that islands and limits on two sides are kept.  An open end is "inf" or "-inf", and a missing value "-".
Needs hepdata_lib: ``pip install 'fastscan[hepdata]'``.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastscan.answers.contours import Contour, contour_summary
from fastscan.answers.planes import Plane, Side
from fastscan.answers.records import csv_cell
from fastscan.axes import LUMINOSITY, SIGMA_SYS, Axis, by_name
from fastscan.errors import OutputError, shown_path
from fastscan.inputs.files import writable
from fastscan.interactions.parameters import AXES, M_ZPRIME, PARAMETERS
from fastscan.limits.confidence import BY_TOYS
from fastscan.stores.location import local
from fastscan.typing import Record

try:
    from hepdata_lib import Submission, Table, Uncertainty, Variable
except ImportError:
    raise OutputError("HEPData files need hepdata_lib: pip install 'fastscan[hepdata]'") from None

BY_KEY: dict[str, Axis] = {key: axis for axis in AXES for key in (axis.column, axis.name)}
ARCHIVE = "submission.tar.gz"  # the file to upload
DIGITS = 15  # significant digits; the library's default of 5 would round the numbers
LONGEST_NAME = 64  # characters of a table's name, by HEPData's rules
MISSING = "-"
THROWN = "toys: the construction of Feldman and Cousins"
MEASURED, PREDICTED = "measured", "prediction of the Standard Model (Asimov data)"
ASYMPTOTIC = "Delta chi2 (chi2 minus its infimum), compared with the quantile of a chi2 distribution"
End = tuple[float | str, float | None]  # an end of an interval, and its error
ABOUT_LIMITS = """\
Every allowed interval is a row; an end that is inf or -inf is open. The limit and its status are repeated in each row
of an experiment and a setting. Statuses are ok; no_sensitivity: nothing can be excluded; sm_disfavoured: the data
exclude the Standard Model; outside_axis: the limit lies outside a store's axis."""
ABOUT_CONTOURS = "The vertices of each line, in their order; a line that is not closed leaves the grid at both ends."


def limit_tables(records: Iterable[Record], where: str = "") -> "list[Table]":
    """Tables of limits, one for each model and each kind of limit.

    Parameters
    ----------
    records : iterable of Record
        Records of limits, see `fastscan.answers.records`.
    where : str
        The beginning of the tables' names, such as "Figure 2".

    Returns
    -------
    list of hepdata_lib.Table
        Tables in the order of the records.
    """
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        groups.setdefault((record["model"], record.get("limit_on")), []).append(record)
    return [_limit_table(each, where) for each in groups.values()]


def _limit_table(records: Sequence[Record], where: str) -> "Table":
    """A table of the limits of one model; each allowed interval is a row."""
    axis, end = _strength(records[0])
    name = f"{where} limits {axis.name} {records[0]['model']}"
    table = _table(name, f"Limits on {axis.text} of {records[0]['model']}. {' '.join(ABOUT_LIMITS.split())}")
    each = [
        (record, number, *sides) for record in records for number, sides in enumerate(_allowed(record, end), start=1)
    ]
    rows = [record for record, *_ in each]
    same = _put_what_differs(table, [_circumstances(record) for record in rows])
    table.add_variable(_independent("allowed interval", [number for _, number, *_ in each]))
    symbol = f"${axis.symbol}$"
    for what, at in (("lower", 2), ("upper", 3)):
        values, errors = zip(*(row[at] for row in each), strict=True)
        _put(table, f"{what} end of allowed {symbol}", values, axis.unit, same, errors)
    for key, what in _bounds(records[0], end).items():
        values, errors = zip(*((row[key], row.get(key.replace("limit", "error", 1))) for row in rows), strict=True)
        _put(table, f"{what} {symbol}", values, axis.unit, same, errors)
    for key, what in _bounds(records[0], end).items():
        expected = [record[key.replace("limit", "expected", 1)] for record in rows]
        if any(value is not None for value in expected):
            _put(table, f"expected {what} {symbol}", expected, axis.unit, same | {"DATA": PREDICTED})
    _put(table, "status", [record["status"] for record in rows], "", same)
    return table


def _strength(record: Record) -> tuple[Axis, str]:
    """The axis of a limit, and the ending of its record's keys: the unit for a limit on a mass, else empty."""
    if "limit_on" in record:
        return by_name(PARAMETERS)[record["limit_on"]], ""
    return M_ZPRIME, f"_{M_ZPRIME.unit.lower()}"


def _bounds(record: Record, end: str) -> dict[str, str]:
    """The keys of a record's limits, with a description of each."""
    if end:
        ratio = {f"limit_over_g{end}": "lower limit on 1/g' times"}
        return {f"limit{end}": "lower limit on"} | (ratio if record[f"limit_over_g{end}"] is not None else {})
    if "limit" in record:
        return {"limit": "upper limit on"}
    return {"limit_low": "lower limit on", "limit_high": "upper limit on"}


def _allowed(record: Record, end: str) -> list[tuple[End, End]]:
    """The two ends of every allowed interval, each with its error; without any interval, one pair of `MISSING`."""
    found = record[f"allowed{end}"] or [(MISSING, MISSING)]
    errors = record.get(f"allowed_errors{end}") or [(None, None)] * len(found)
    return [
        (("-inf" if low is None else low, of_low), ("inf" if high is None else high, of_high))
        for (low, high), (of_low, of_high) in zip(found, errors, strict=True)
    ]


def _circumstances(record: Record) -> dict[str, Any]:
    """The conditions of a limit: experiment, settings, level, method and data, by the names of qualifiers."""
    rows = {axis.column: record.get(axis.column) for axis in AXES if axis not in (SIGMA_SYS, LUMINOSITY)}
    return {
        "EXPERIMENT": record["experiment"],
        "MODEL": record["model"],
        **rows,
        SIGMA_SYS.column: csv_cell(record[SIGMA_SYS.column]),
        LUMINOSITY.column: record[LUMINOSITY.column],
        **_level(record),
        "DATA": _data(record["asimov"], record["expected_status"] is not None, record["scaled_data"]),
    }


def _level(record: Mapping[str, Any]) -> dict[str, Any]:
    """The confidence level, and the method with its toys and shared nuisances."""
    return {
        "CL": record["cl"],
        "DOF": record["dof"],
        "METHOD": THROWN if record.get("method") == BY_TOYS else ASYMPTOTIC,
        "TOYS": record.get("toys"),
        "SEED": record.get("seed"),
        "SHARED NUISANCES": ", ".join(record["shared_nuisances"]) or None,
    }


def _data(is_asimov: bool, is_measured: bool, is_scaled: bool) -> str:
    if is_asimov or not is_measured:
        return PREDICTED
    return f"{MEASURED}, scaled to the luminosity" if is_scaled else MEASURED


def contour_table(plane: Plane, lines: Sequence[Contour], where: str = "") -> "Table":
    """A table of the contours of a plane.

    Parameters
    ----------
    plane : Plane
    lines : sequence of Contour
        The result of `fastscan.answers.contours.contours` for the plane.
    where : str
        As in `limit_tables`.

    Returns
    -------
    hepdata_lib.Table
        Each vertex is a row: the number of its line, x, y, and whether the line is closed.
    """
    found, cube = contour_summary(plane, lines), plane.cube
    level = "at the threshold from toys" if plane.toys else f"at Delta chi2 = {plane.delta:.6g}"
    about = f"Contours of {cube.name} {level}. {ABOUT_CONTOURS}"
    table = _table(f"{where} contours {cube.experiment} {cube.model}", about)
    size = [line.x.size for line in lines]
    number = [n for n, count in enumerate(size, start=1) for _ in range(count)]
    closed = ["yes" if line.closed else "no" for line, count in zip(lines, size, strict=True) for _ in range(count)]
    x, y = (
        [value for line in found["contours"] for value in line["vertices"][side.view.name]]
        for side in (plane.x, plane.y)
    )
    held = {name: csv_cell(value) for name, value in found["held"].items()}
    same = {
        "EXPERIMENT": cube.experiment,
        "MODEL": cube.model,
        **held,
        **_level(found),
        "DATA": _data(cube.is_asimov, cube.is_measured, found["scaled_data"]),
    }
    table.add_variable(_independent("contour", number))
    table.add_variable(_independent(_label(plane.x), x, _unit(plane.x)))
    _put(table, _label(plane.y), y, _unit(plane.y), same)
    _put(table, "closed", closed, "", same)
    return table


def _label(side: Side) -> str:
    """The quantity of a plane's side in LaTeX, without its unit."""
    return side.view.label if side.view in side.axis.views else f"${side.axis.symbol}$"


def _unit(side: Side) -> str:
    """The unit of a plane's side; another view than the axis' own, such as a cosine, has none."""
    return "" if side.view in side.axis.views else side.axis.unit


def _table(name: str, description: str) -> "Table":
    table = Table(name.strip()[:LONGEST_NAME])
    table.description = description
    table.location = f"Computed by fastscan {version('fastscan')}"
    table.keywords = {"phrases": ["CEvNS", "neutrino-electron scattering", "limits"]}
    return table


def _put_what_differs(table: "Table", each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add an independent variable for each quantity that differs between the rows; return the others."""
    same = {}
    for name, value in each[0].items():
        values = [row[name] for row in each]
        axis = BY_KEY.get(name)
        if all(other == value for other in values):
            same[name] = value
        else:
            table.add_variable(_independent(name if axis is None else f"${axis.symbol}$", values, _shown_unit(axis)))
    return same


def _independent(name: str, values: Sequence[Any], unit: str = "") -> "Variable":
    return _variable(name, values, unit, is_independent=True)


def _put(
    table: "Table",
    name: str,
    values: Sequence[Any],
    unit: str,
    qualifiers: Mapping[str, Any],
    errors: Sequence[float | None] = (),
) -> None:
    """Add a dependent variable with its qualifiers, and with its Monte-Carlo errors where there are any."""
    variable = _variable(name, values, unit, is_independent=False)
    if any(errors):
        uncertainty = Uncertainty("Monte Carlo", is_symmetric=True)
        uncertainty.values = [error or 0.0 for error in errors]  # the library leaves out an error of 0
        variable.add_uncertainty(uncertainty)
    for key, value in qualifiers.items():
        if value is not None:
            axis = BY_KEY.get(key)
            variable.add_qualifier(key if axis is None else axis.name.upper(), value, _shown_unit(axis))
    table.add_variable(variable)


def _variable(name: str, values: Sequence[Any], unit: str, *, is_independent: bool) -> "Variable":
    shown = [MISSING if value is None else value for value in values]
    units = "" if unit == "1" else unit
    variable = Variable(
        name,
        is_independent=is_independent,
        is_binned=False,
        units=units,
        values=shown,
        zero_uncertainties_warning=False,
    )
    variable.digits = DIGITS
    return variable


def _shown_unit(axis: Axis | None) -> str:
    return "" if axis is None or axis.unit == "1" else axis.unit


def write(directory: str | Path, tables: "Sequence[Table]", comment: str) -> None:
    """Write a submission: submission.yaml, a data file for each table, and an archive of both to upload.

    Parameters
    ----------
    directory : str or Path
        The directory, which is created, or replaced if it holds a submission.
    tables : sequence of hepdata_lib.Table
        Tables of one name are numbered.
    comment : str
        The abstract of the submission.

    Raises
    ------
    OutputError
        Where the directory holds anything else, or can't be written.
    """
    place = require_own(directory)
    submission = Submission()
    submission.comment = comment
    seen: dict[str, int] = {}
    for table in tables:
        seen[table.name] = seen.get(table.name, 0) + 1
        if seen[table.name] > 1:
            ending = f" ({seen[table.name]})"
            table.name = table.name[: LONGEST_NAME - len(ending)] + ending
        submission.add_table(table)
    partial = place.with_name(f".{place.name}.partial")
    with writable(place, OutputError):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            with chdir(partial):  # the library writes its archive to the working directory
                submission.create_files(".", validate=False)
            if place.exists():
                shutil.rmtree(place)
            partial.rename(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def require_own(directory: str | Path) -> Path:
    """The path of a directory for a submission; an `OutputError` if it holds anything else than a submission."""
    place = local(directory)
    with writable(place, OutputError):
        names = [path.name for path in place.iterdir()] if place.exists() else []
    ours = "submission.yaml" in names and all(name == ARCHIVE or name.endswith(".yaml") for name in names)
    if names and not ours:
        raise OutputError(f"{shown_path(place)} holds something else than a HEPData submission; it is left as it is")
    return place
