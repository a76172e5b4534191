"""The report: Table 3, the figures, what they show and what was run, as one HTML page without other files.

`fastscan/data/report.html` is its template; pictures and tables are inside the page, as data: addresses.
"""

import base64
import gzip
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files

import jinja2
from markupsafe import Markup, escape

from fastscan.experiments.catalogue import label_of, load
from fastscan.limits.confidence import CL, DOF, level_text
from fastscan.limits.limits import threshold
from fastscan.paper import paper_figures, table3
from fastscan.paper.paper_figures import PaperFigure
from fastscan.paper.table3 import Entry
from fastscan.physics import constants

TEMPLATE = files("fastscan") / "data" / "report.html"
PACKAGES = ("fastscan", "numpy", "numba", "scipy", "zarr", "dask", "matplotlib")
LARGEST_PLAIN = 500_000  # bytes; a larger table is compressed, so that the page can go with a mail
SIGNS = {  # in escaped text, one after the other
    "Delta chi2": "Δchi2",
    "chi2": "<i>χ</i>²",
    "M_Z&#39;": "<i>M</i><sub>Z&#39;</sub>",
    "Z&#39;": "Z&prime;",
    "sigma_sys": "<i>&sigma;</i><sub>sys</sub>",
    "L/L0": "<i>L</i>/<i>L</i><sub>0</sub>",
    r"U\(1\)_beta": "U(1)<sub>beta</sub>",
    r"cos\(beta\)": "cos beta",
    r"\b(beta|chi|eta|psi)\b": r"<i>&\1;</i>",
    r"\blr-nc\b": "LR<sub>nc</sub>",
    r"\blr\b": "LR",
    r"\bE6\b": "E<sub>6</sub>",
    r"\b51Cr\b": "<sup>51</sup>Cr",
    r"(?<=\d) deg\b": "°",
    r"(?<=\d) ?%": "\N{NARROW NO-BREAK SPACE}%",
    r" \.\.\. ": " … ",
}


@dataclass(frozen=True, eq=False)
class Shown:
    """A figure and its picture, as SVG."""

    figure: PaperFigure
    svg: bytes


@dataclass(frozen=True)
class Download:
    """A table inside the page: the name to save it under, its address, its bytes as saved and unpacked, its rows."""

    name: str
    address: str
    size: int
    unpacked: int
    rows: int


def page(entries: Sequence[Entry], figures: Sequence[Shown], *, command: str, made: datetime) -> str:
    """The report as HTML, to be written as UTF-8.

    Parameters
    ----------
    entries : sequence of Entry
        Table 3.
    figures : sequence of Shown
        The figures, in their order; the page links to ``figure<number>.png`` and ``.pdf`` in its own folder.
    command : str
        The command that was run, without paths or names of one machine.
    made : datetime
        The time of the report, which is shown in UTC.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["typeset"] = typeset
    experiments = {entry.experiment: load(entry.experiment) for entry in entries}
    table: dict[str, dict[str, dict[str, Entry]]] = {}  # by kind of source, experiment and model
    for entry in entries:
        kind = paper_figures.kind_of(entry.experiment)
        table.setdefault(kind, {}).setdefault(entry.experiment, {})[entry.model] = entry
    references: dict[str, list[str]] = {}
    for name, experiment in experiments.items():
        for reference in experiment.references:
            references.setdefault(reference, []).append(name)
    numbers = [shown.figure.number for shown in figures]
    grids = [("Table 3", table3.GRID), *((f"Figure {number}", paper_figures.grid(number)) for number in numbers)]
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        entries=entries,
        table=table,
        table_csv=download("table3", table3.as_csv(entries), len(entries)),
        experiments=experiments,
        label_of=label_of,
        remarks=list(table3.notes_on(entries).items()),
        figures=[(shown.figure, address("image/svg+xml", shown.svg), downloads(shown.figure)) for shown in figures],
        command=command,
        made=made.astimezone(UTC),
        versions={name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        physics_version=constants.PHYSICS_VERSION,
        grids=[(title, grid.name, grid.read_text("utf-8")) for title, grid in grids],
        references=references,
        level=level_text(CL, DOF),
        threshold=threshold(CL, DOF),
    )


def address(kind: str, content: bytes) -> str:
    """Content as a data: address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def download(name: str, text: str, rows: int) -> Download:
    """A table in CSV, compressed if it is large."""
    plain = text.encode()
    if len(plain) <= LARGEST_PLAIN:
        return Download(f"{name}.csv", address("text/csv", plain), len(plain), len(plain), rows)
    packed = gzip.compress(plain, mtime=0)
    return Download(f"{name}.csv.gz", address("application/gzip", packed), len(packed), len(plain), rows)


def downloads(figure: PaperFigure) -> list[Download]:
    """The tables behind a figure."""
    return [download(name, text, rows) for name, (text, rows) in figure.csv.items()]


def typeset(text: str) -> Markup:
    """Plain text with the signs of its physics.

    >>> print(typeset("M_Z' at sigma_sys < 0.1, 90 deg"))
    <i>M</i><sub>Z&prime;</sub> at <i>&sigma;</i><sub>sys</sub> &lt; 0.1, 90°
    """
    html = str(escape(text))
    for pattern, sign in SIGNS.items():
        html = re.sub(pattern, sign, html)
    return Markup(html)
