"""Tables of the survey as text: limits of the combination and of each data set, and published limits beside ours.

Tables are written as Markdown, as LaTeX for a paper, as CSV and as JSON.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from fastscan.answers.records import csv_text
from fastscan.interactions.parameters import M_ZPRIME
from fastscan.limits.confidence import CL, DOF, NO_SENSITIVITY, OK, level_text
from fastscan.survey.published import HOW, METHOD, Entry
from fastscan.survey.recipe import COMBINED, DataSet, data_sets, label
from fastscan.typing import Record

LEVEL = level_text(CL, DOF)
SHOWN_MASSES = (0.0001, 0.01, 1.0)  # GeV; tables show limits at these masses of a mediator
NOTHING = "-"
LATEX = {  # characters and signs of plain text that TeX would misread, and their LaTeX
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "+-": r"$\pm$",
}
HEADER = ("model", "at", "data", "allowed", "expected", "1 sigma", "2 sigma", "unit", "status")
PUBLISHED_HEADER = ("quantity", "data set", "computed", "published", "source", "why different")
SHORT = 4  # number of these columns that a terminal and a paper show


def shown(records: Iterable[Record]) -> list[Record]:
    """The records of limits that tables show; limits on couplings are shown at a few masses."""
    return [
        row for row in records if _mass(row) is None or any(math.isclose(_mass(row) or 0.0, at) for at in SHOWN_MASSES)
    ]


def rows_for(name: str, records: Mapping[str, Sequence[Record]]) -> list[Record]:
    """The records in the table of a question, by model and mass; variants stand beside the original data sets."""
    found = shown(records[name])
    if name == "variants":
        asked = {(row["model"], _mass(row)) for row in found}
        names = {each.experiment for each in data_sets() if any(_is_variant(row, each) for row in found)}
        others = (row for other, own in records.items() if other != name for row in shown(own))
        found += [row for row in others if row["experiment"] in names and (row["model"], _mass(row)) in asked]
    models = list(dict.fromkeys(row["model"] for row in found))
    return sorted(found, key=lambda row: (models.index(row["model"]), _mass(row) or 0.0))


def _is_variant(row: Record, of: DataSet) -> bool:
    """Whether the experiment of a record is a variant of a data set, by the beginning of its name."""
    return str(row["experiment"]).startswith((f"{of.experiment}-", f"{of.events}-"))  # dresden-ii has several


def _mass(row: Record) -> float | None:
    """The mass of a mediator in GeV; None without a mediator, and nan for E6 at a beta, which no table shows."""
    if row.get("beta_rad") is not None:
        return math.nan
    found = row.get("m_zprime_gev", row.get("m_phi_gev"))
    return None if found is None else float(found)


def row_of(record: Record) -> list[str]:
    """A record as a row of texts, see `HEADER`."""
    suffixes = [""] if "limit" in record else (["_gev"] if "limit_gev" in record else ["_low", "_high"])
    allowed = record["allowed_gev"] if "allowed_gev" in record else record["allowed"]
    mass = _mass(record)
    place = "" if mass is None else f"{1000 * mass:g} MeV"
    bands = ("minus_1", "plus_1"), ("minus_2", "plus_2")
    expected = "; ".join(number(record[f"expected{each}"]) for each in suffixes)
    edges = ["; ".join(_between(record, each, *band) for each in suffixes) for band in bands]
    without = record["status"] == NO_SENSITIVITY
    unit = "GeV" if "limit_gev" in record else record["limit_unit"]
    told = "" if record["status"] == OK else record["status"].replace("_", " ")
    cells = [NOTHING] * 4 if without else [intervals(allowed), expected, *edges]
    return [record["model"], place, label(record["experiment"]), *cells, "" if unit == "1" else unit, told]


def _between(record: Record, side: str, low: str, high: str) -> str:
    return f"{number(record[f'expected{side}_{low}'])} to {number(record[f'expected{side}_{high}'])}"


def number(value: float | None, open_end: str = NOTHING) -> str:
    """A number with four digits.

    >>> number(-0.06374), number(2.4023e-05), number(195.27), number(None)
    ('-0.06374', '2.402e-05', '195.3', '-')
    """
    return open_end if value is None else f"{value:.4g}"


def intervals(allowed: Sequence[Sequence[float | None]]) -> str:
    """Allowed intervals as text.

    >>> intervals([(-0.0637, 0.0913), (0.3137, 0.4686)]), intervals([(0.0, 2.4e-5)]), intervals([(195.3, None)])
    ('-0.0637 to 0.0913; 0.3137 to 0.4686', '0 to 2.4e-05', 'above 195.3')
    """
    return "; ".join(_interval(*each) for each in allowed) or "nothing"


def _interval(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "everything"
    if low is None or high is None:
        return f"below {number(high)}" if low is None else f"above {number(low)}"
    return f"{number(low)} to {number(high)}"


def published_row(entry: Entry) -> list[str]:
    """A published limit beside ours as a row of texts, see `PUBLISHED_HEADER`."""
    off = "" if entry.deviation is None else f" ({100 * entry.deviation:+.1f} %)"
    unit = f" {entry.unit}" if entry.unit else ""
    return [
        entry.quantity,
        label(entry.experiment),
        f"{intervals(entry.computed)}{unit}{off}; {100 * entry.cl:.3g} % CL, {entry.dof} dof, {entry.method}",
        f"{entry.published}{unit}; {entry.published_level}, {entry.published_method}",
        f"{entry.data}: {entry.source}, {HOW[entry.how]}",
        entry.why,
    ]


def short_row(entry: Entry) -> list[str]:
    """The first `SHORT` columns of `published_row`, for a terminal and a paper."""
    return published_row(entry)[:SHORT]


def data_set_rows() -> list[list[str]]:
    """A row of texts for each data set: label, name, whether it is combined, and its description."""
    return [[each.label, each.experiment, "yes" if each.combined else "no", each.what] for each in data_sets()]


def markdown(records: Mapping[str, Sequence[Record]], entries: Sequence[Entry], titles: Mapping[str, str]) -> str:
    """All tables as Markdown: the combination's limits by question, published limits beside ours, the data sets."""
    parts = [
        "# Limits from today's published data",
        "",
        f"Limits at {LEVEL}, by {METHOD}, with the median and the bands of expected limits.",
        "",
    ]
    for name, title in titles.items():
        found = rows_for(name, records)
        rows = [row_of(each) for each in found if name == "variants" or each["experiment"] == COMBINED]
        if rows:
            parts += [f"## {title}", "", *_markdown(HEADER, rows), ""]
    parts += ["## Published limits beside these", "", *_markdown(PUBLISHED_HEADER, map(published_row, entries)), ""]
    header = ("data set", "name", "combined", "description")
    parts += ["## Data sets", "", *_markdown(header, data_set_rows())]
    return "\n".join(parts) + "\n"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def latex(records: Mapping[str, Sequence[Record]], entries: Sequence[Entry]) -> str:
    """Two tables in LaTeX: the combination's limits, and the published ones beside ours."""
    limits = [row_of(each) for own in records.values() for each in shown(own) if each["experiment"] == COMBINED]
    caption = f"Limits of the combination at {LEVEL}, by {METHOD}, and expected limits."
    return (
        _latex(HEADER, limits, caption)
        + "\n"
        + _latex(
            PUBLISHED_HEADER[:SHORT], [short_row(each) for each in entries], "Limits computed here and published ones."
        )
    )


def _latex(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    lines = [" & ".join(map(escaped, cells)) + r" \\" for cells in (header, *rows)]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escaped(caption)}}}",
            r"\begin{tabular}{" + "l" * len(header) + "}",
            r"\hline",
            lines[0],
            r"\hline",
            *lines[1:],
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    r"""Plain text as LaTeX.

    >>> print(escaped("eps_ee^u < 5 % +- 1"))
    eps\_ee\textasciicircum{}u $<$ 5 \% $\pm$ 1
    """
    pieces, at = [], 0
    while at < len(text):
        key = next((each for each in sorted(LATEX, key=len, reverse=True) if text.startswith(each, at)), text[at])
        pieces.append(LATEX.get(key, key))
        at += len(key)
    return "".join(pieces)


def published_csv(entries: Sequence[Entry]) -> str:
    """CSV text with a line for each published limit; the columns are the fields of `Entry`."""
    rows = [asdict(entry) for entry in entries]
    return (
        "# Published limits beside computed ones; allowed intervals are low:high, separated by semicolons.\n"
        + csv_text(list(rows[0]), rows)
    )


def as_json(records: Mapping[str, Sequence[Record]], entries: Sequence[Entry]) -> str:
    """JSON text with all limits by question, and the published limits."""
    found = {"limits": records, "published": [asdict(entry) for entry in entries]}
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def by_strength(name: str, records: Sequence[Record]) -> dict[str, tuple[list[str], list[Record]]]:
    """The keys and the records of the limits on each strength, by the name of their CSV file."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.get("limit_on", M_ZPRIME.name), []).append(record)
    names = [name if len(groups) == 1 else f"{name}-{strength}" for strength in groups]
    return {each: (list(rows[0]), rows) for each, rows in zip(names, groups.values(), strict=True)}
