"""Limits and contours as a submission to HEPData, from the records that the commands print.

There is a table for each model.  What differs between its records (experiment, beta, sigma_sys, ...) are independent
variables, what doesn't are qualifiers: CL, DOF, METHOD, DATA, and the settings.  Every allowed interval is a row of its
own, so that islands and limits on two sides survive; an open end is "inf" or "-inf", and what isn't there is "-".
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
from fastscan.stores.location import local
from fastscan.typing import Record

try:
    from hepdata_lib import Submission, Table, Variable
except ImportError:
    raise OutputError("HEPData files need hepdata_lib: pip install 'fastscan[hepdata]'") from None

ARCHIVE = "submission.tar.gz"  # what is uploaded
DIGITS = 15  # of numbers; the library's own 5 would round them
LONGEST_NAME = 64  # of a table, by HEPData's rules
MISSING = "-"
MEASURED, PREDICTED = "measured", "prediction of the Standard Model (Asimov data)"
ASYMPTOTIC = "Delta chi2 above its infimum, compared with the quantile of chi2"
ABOUT_LIMITS = """\
Every allowed interval is a row; an end that is inf or -inf is open. Limits and statuses stand in each row of an
experiment and a setting: ok; no_sensitivity, nothing can be excluded; sm_disfavoured, the data exclude the Standard
Model; outside_axis, the limit lies outside a store's axis."""
ABOUT_CONTOURS = "The vertices of each line, in their order; one that is not closed leaves the grid at both ends."


def limit_tables(records: Iterable[Record], where: str = "") -> "list[Table]":
    """Tables of limits, one for each model and each kind of limit.

    Parameters
    ----------
    records : iterable of Record
        Records of limits, see `fastscan.answers.records`.
    where : str
        What the tables belong to, such as "Figure 2"; the beginning of their names.

    Returns
    -------
    list of hepdata_lib.Table
        In the order of the records.
    """
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        groups.setdefault((record["model"], record.get("limit_on")), []).append(record)
    return [_limit_table(each, where) for each in groups.values()]


def _limit_table(records: Sequence[Record], where: str) -> "Table":
    first = records[0]
    axis = by_name(PARAMETERS)[first["limit_on"]] if "limit_on" in first else M_ZPRIME
    end = "" if "limit_on" in first else f"_{axis.unit.lower()}"
    each = [(record, number, *ends) for record in records for number, ends in enumerate(_allowed(record, end), start=1)]
    rows = [record for record, *_ in each]
    table = _table(f"{where} limits {axis.name} {first['model']}", f"Limits on {axis.text} of {first['model']}")
    table.description = f"{table.description}. {' '.join(ABOUT_LIMITS.split())}"
    same = _put_what_differs(table, [_circumstances(record) for record in rows])
    table.add_variable(_independent("allowed interval", [number for _, number, *_ in each]))
    symbol, unit = f"${axis.symbol}$", axis.unit
    dependent = [
        _dependent(f"lower end of allowed {symbol}", [low for *_, low, _ in each], unit),
        _dependent(f"upper end of allowed {symbol}", [high for *_, high in each], unit),
    ]
    for key, what in _bounds(first, end).items():
        dependent.append(_dependent(f"{what} {symbol}", [record[key] for record in rows], unit))
    expected = {key.replace("limit", "expected", 1): f"expected {what}" for key, what in _bounds(first, end).items()}
    for key, what in expected.items():
        if any(record[key] is not None for record in rows):
            dependent.append(_dependent(f"{what} {symbol}", [record[key] for record in rows], unit))
    dependent.append(_dependent("status", [record["status"] for record in rows]))
    for variable in dependent:
        is_expected = variable.name.startswith("expected")
        _qualify(variable, same | ({"DATA": PREDICTED} if is_expected else {}))
        table.add_variable(variable)
    return table


def _bounds(record: Record, end: str) -> dict[str, str]:
    """The keys of a record's limits, and what each is."""
    if end:
        ratio = {f"limit_over_g{end}": "lower limit on 1/g' times"}
        return {f"limit{end}": "lower limit on"} | (ratio if record[f"limit_over_g{end}"] is not None else {})
    if "limit" in record:
        return {"limit": "upper limit on"}
    return {"limit_low": "lower limit on", "limit_high": "upper limit on"}


def _allowed(record: Record, end: str) -> list[tuple[float | str, float | str]]:
    """The ends of every allowed interval, open ones in words; of none, one pair of what isn't there."""
    found = record[f"allowed{end}"] or [(MISSING, MISSING)]
    return [("-inf" if low is None else low, "inf" if high is None else high) for low, high in found]


def _circumstances(record: Record) -> dict[str, Any]:
    """What a limit depends on beside the model, by the names of qualifiers."""
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
    """The confidence level, and how it was reached."""
    method = "toys" if record.get("method") == "toys" else ASYMPTOTIC
    shared = ", ".join(record["shared_nuisances"]) or None
    return {"CL": record["cl"], "DOF": record["dof"], "METHOD": method, "SHARED NUISANCES": shared}


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
        What `fastscan.answers.contours.contours` returns for it.
    where : str
        As in `limit_tables`.

    Returns
    -------
    hepdata_lib.Table
        Each vertex is a row: the number of its line, x, and y.
    """
    found, cube = contour_summary(plane, lines), plane.cube
    table = _table(f"{where} contours {cube.experiment} {cube.model}", f"Contours of {cube.name}")
    table.description = f"{table.description}, Delta chi2 = {plane.delta:.6g}. {ABOUT_CONTOURS}"
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
    for variable in (_dependent(_label(plane.y), y, _unit(plane.y)), _dependent("closed", closed)):
        _qualify(variable, same)
        table.add_variable(variable)
    return table


def _label(side: Side) -> str:
    """The quantity of a plane's side in LaTeX, without its unit."""
    return side.view.label if side.view in side.axis.views else f"${side.axis.symbol}$"


def _unit(side: Side) -> str:
    """Its unit; another view, as that of a cosine, has none."""
    return "" if side.view in side.axis.views else side.axis.unit


def _table(name: str, description: str) -> "Table":
    table = Table(name.strip()[:LONGEST_NAME])
    table.description = description
    table.location = f"Computed by fastscan {version('fastscan')}"
    table.keywords = {"phrases": ["CEvNS", "neutrino-electron scattering", "limits"]}
    return table


def _put_what_differs(table: "Table", each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make independent variables of what differs between the rows; the rest is returned."""
    same = {}
    axes = {axis.column: axis for axis in AXES}
    for name, value in each[0].items():
        values = [row[name] for row in each]
        if all(other == value for other in values):
            same[name] = value
        else:
            axis = axes.get(name)
            label, unit = (name, "") if axis is None else (f"${axis.symbol}$", axis.unit)
            table.add_variable(_independent(label, values, unit))
    return same


def _independent(name: str, values: Sequence[Any], unit: str = "") -> "Variable":
    return _variable(name, values, unit, is_independent=True)


def _dependent(name: str, values: Sequence[Any], unit: str = "") -> "Variable":
    return _variable(name, values, unit, is_independent=False)


def _variable(name: str, values: Sequence[Any], unit: str, *, is_independent: bool) -> "Variable":
    shown = [MISSING if value is None else value for value in values]
    variable = Variable(
        name, is_independent=is_independent, is_binned=False, units="" if unit == "1" else unit, values=shown
    )
    variable.digits = DIGITS
    return variable


def _qualify(variable: "Variable", qualifiers: Mapping[str, Any]) -> None:
    axes: dict[str, Axis] = {key: axis for axis in AXES for key in (axis.column, axis.name)}
    for name, value in qualifiers.items():
        if value is not None:
            axis = axes.get(name)
            unit = axis.unit if axis is not None and axis.unit != "1" else ""
            variable.add_qualifier(name if axis is None else axis.name.upper(), value, unit)


def write(directory: str | Path, tables: "Sequence[Table]", comment: str) -> None:
    """Write a submission: submission.yaml, a data file for each table, and the archive of both that is uploaded.

    Parameters
    ----------
    directory : str or Path
        Is made, or replaced if it holds a submission.
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
    """The path of a directory that isn't there, is empty, or holds a submission and nothing else."""
    place = local(directory)
    with writable(place, OutputError):
        names = [path.name for path in place.iterdir()] if place.exists() else []
    ours = "submission.yaml" in names and all(name == ARCHIVE or name.endswith(".yaml") for name in names)
    if names and not ours:
        raise OutputError(f"{shown_path(place)} holds something else than a HEPData submission; it is left as it is")
    return place
