"""A page of results: pictures, tables, findings and the record of the run, in one self-contained HTML file.

Rooms with results fill a `Page` with plain data, and `html` writes it; this room knows no experiment and no figure.
The template is ``fastscan/data/page.html``, and the page's one script is ``fastscan/data/page.js``.  Pictures, tables
and script are inside the page, whose policy forbids the browser to fetch anything.  The page is readable without its
script.
"""

import base64
import gzip
import hashlib
import json
import math
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from fastscan.physics.constants import PHYSICS_VERSION
from fastscan.typing import Record

TEMPLATE, SCRIPT = (files("fastscan") / "data" / name for name in ("page.html", "page.js"))
PACKAGES = ("fastscan", "numpy", "numba", "scipy", "zarr", "dask", "matplotlib")
LARGEST_PLAIN = 500_000  # bytes; a larger table is compressed, so that the page can be sent by mail
SHADES = (0.005, 0.01, 0.02, 0.04)  # relative deviations, of either sign, at which each shade begins
DASH, MINUS, INFINITY = "\N{EN DASH}", "\N{MINUS SIGN}", "\N{INFINITY}"
SIGNS = {  # patterns in escaped text and their replacements, applied one after the other
    "Delta chi2": "Δchi2",
    "chi2": "<i>χ</i>²",
    "M_Z&#39;": "<i>M</i><sub>Z&#39;</sub>",
    "Z&#39;": "Z&prime;",
    r"\bg&#39;": "<i>g</i>&prime;",
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


@dataclass(frozen=True)
class Finding:
    """A statement that was published or must be true, and whether our numbers agree with it.

    Attributes
    ----------
    statement : str
    holds : bool
        Whether our numbers agree.
    conclusion : str
        Our result in words.
    numbers : str
        The numbers behind it, shown in small print, one line for each part between semicolons.
    """

    statement: str
    holds: bool
    conclusion: str
    numbers: str = ""


@dataclass(frozen=True)
class Download:
    """A table inside the page, as a file to save.

    Attributes
    ----------
    name : str
        The file's name.
    address : str
        The content as a ``data:`` address.
    size, unpacked : int
        Bytes of the file, and of its content when unpacked.
    rows : int
        Number of rows.
    """

    name: str
    address: str
    size: int
    unpacked: int
    rows: int


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, which a reader can enlarge.

    Attributes
    ----------
    svg : bytes
        The picture.
    alt : str
        A description for readers who can't see the picture.
    caption : sequence of str
        Paragraphs that state the confidence level, the degrees of freedom, the method and the data of the picture.
    downloads : sequence of Download
        The tables behind the picture, see `download`.
    files : sequence of str
        Names of files with the picture in the page's folder, to which the page links.
    """

    svg: bytes
    alt: str
    caption: Sequence[str]
    downloads: Sequence[Download] = ()
    files: Sequence[str] = ()


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    key : str
        The key of its values in the records.
    title : str
        Its heading, with the unit.
    form : str
        The format of numbers, such as ``.1f``; text is shown as it is, None as a dash, intervals as low to high.
    group : str
        A heading above the title, which neighbours with the same group share.
    shaded : bool
        Whether relative deviations are shaded by their size; the form is then in per cent, such as ``+.1%``.
    strong : bool
        Whether its values are emphasised.
    """

    key: str
    title: str
    form: str = "g"
    group: str = ""
    shaded: bool = False
    strong: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """A table that a reader can sort by any of its columns.

    Attributes
    ----------
    caption : str
        The meaning of the numbers, with CL, dof, method and data set, unless columns state them.
    columns : sequence of Column
        The first column is the heading of each row.
    rows : sequence of mapping
        Records; a missing key counts as None.  Numbers must be numbers, because the page sorts by them.
    notes : sequence of str
        Lines below the table.
    downloads : sequence of Download
        The table as files.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Record]
    notes: Sequence[str] = ()
    downloads: Sequence[Download] = ()


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the page, listed in its contents.

    The elements appear in the order of the attributes.  `typeset` typesets plain text; a `Markup` is not changed.

    Attributes
    ----------
    id : str
        The fragment of links to the section, unique on the page.
    title : str
    text : sequence of str
        Paragraphs.
    numbers : sequence of (str, str)
        Pairs of a number and its meaning, shown large.
    pictures, tables, findings : sequences
    likelihoods : sequence of mapping
        The numbers from which the section's sliders recompute limits, see `fastscan.outputs.sliders`.
    more : mapping of str to str
        Longer texts (configuration, lists) by their titles, which a reader can open.
    parts : sequence of Section
        Subsections, which have no parts themselves.
    """

    id: str
    title: str
    text: Sequence[str] = ()
    numbers: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    findings: Sequence[Finding] = ()
    likelihoods: Sequence[Mapping[str, Any]] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    parts: "Sequence[Section]" = ()


@dataclass(frozen=True, eq=False)
class Run:
    """The record of the run that made the page.

    Attributes
    ----------
    command : str
        The command, without paths or names of one machine.
    made : datetime
        The time of the page, which is shown in UTC.
    text : sequence of str
        Conventions: the definition of a limit, the meaning of each status.
    configuration : mapping of str to str
        Texts of the configuration files by their titles.
    digests : mapping of str to str
        Digests of the inputs of each group of a store (`Cube.hash`), or of each experiment, by name.
    """

    command: str
    made: datetime
    text: Sequence[str] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Page:
    """The contents of a page.

    Attributes
    ----------
    title : str
    lead : sequence of str
        Paragraphs below the title.
    sections : sequence of Section
    run : Run
    references : mapping of str to sequence of str
        For each reference (``arXiv:...``, ``doi:...`` or words), the things that it is cited for.
    cite : sequence of str
        Paragraphs on how to cite the page's numbers.
    bibtex : str
        The BibTeX entry to cite.
    """

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
    run: Run
    references: Mapping[str, Sequence[str]]
    cite: Sequence[str]
    bibtex: str


def html(page: Page) -> str:
    """The page as HTML text, for a file in UTF-8."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        typeset=typeset, cited=cited, size=_size, cell=_cell, shade=_shade, sorted_by=_sorted_by, groups=_groups
    )
    environment.globals.update(address=address, is_number=_is_number)
    script = SCRIPT.read_text("utf-8")
    likelihoods = [each for section in page.sections for part in (section, *section.parts) for each in part.likelihoods]
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        page=page,
        made=page.run.made.astimezone(UTC),
        versions={name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        physics_version=PHYSICS_VERSION,
        script=Markup(script),  # the package's own
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        likelihoods=likelihoods,
        likelihoods_json=Markup(json.dumps(likelihoods, allow_nan=False).replace("<", "\\u003c")),
    )


def address(kind: str, content: bytes) -> str:
    """Content of a media type `kind` as a ``data:`` address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def download(name: str, text: str, rows: int) -> Download:
    """A table in CSV with the name of its file (without suffix) and its number of rows; compressed if it is large."""
    plain = text.encode()
    if len(plain) <= LARGEST_PLAIN:
        return Download(f"{name}.csv", address("text/csv", plain), len(plain), len(plain), rows)
    packed = gzip.compress(plain, mtime=0)
    return Download(f"{name}.csv.gz", address("application/gzip", packed), len(packed), len(plain), rows)


def typeset(text: str) -> Markup:
    """Plain text as HTML with typeset symbols; a `Markup` is returned unchanged.

    >>> print(typeset("M_Z' at sigma_sys < 0.1, 90 deg"))
    <i>M</i><sub>Z&prime;</sub> at <i>&sigma;</i><sub>sys</sub> &lt; 0.1, 90°
    """
    if isinstance(text, Markup):
        return text
    found = str(escape(text))
    for pattern, sign in SIGNS.items():
        found = re.sub(pattern, sign, found)
    return Markup(found)


def cited(reference: str) -> Markup:
    """A reference as HTML, with a link for arXiv and DOI.

    >>> print(cited("arXiv:2002.01482"), cited("A thesis"))
    <a href="https://arxiv.org/abs/2002.01482">arXiv:2002.01482</a> A thesis
    """
    for start, place in (("arXiv:", "https://arxiv.org/abs/"), ("doi:", "https://doi.org/")):
        if reference.startswith(start):
            return Markup('<a href="{}">{}</a>').format(place + reference[len(start) :], reference)
    return escape(reference)


def _is_number(value: object) -> bool:
    """Whether the page sorts by a value as a number; nan doesn't count as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _sorted_by(value: float) -> str:
    """A number in the form that the page's script reads.

    >>> _sorted_by(0.1), _sorted_by(math.inf)
    ('0.1', 'Infinity')
    """
    return repr(value).replace("inf", "Infinity")


def _size(count: int) -> str:
    """A number of bytes in kB, as text.

    >>> _size(1234), _size(123456)
    ('1.2\\xa0kB', '123\\xa0kB')
    """
    return f"{count / 1000:.1f}\N{NO-BREAK SPACE}kB" if count < 9950 else f"{count / 1000:.0f}\N{NO-BREAK SPACE}kB"


def _cell(value: object, form: str) -> Markup:
    """A value as a table shows it.

    >>> print(_cell(-1.23, "+.1f"), _cell([(14.46, 16.83), (36.13, None)], ".1f"))
    −1.2 14.5 to 16.8; 36.1 to ∞
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Markup('<abbr title="none">{}</abbr>').format(DASH)
    if isinstance(value, list | tuple):
        return Markup("; ").join(_interval(each, form) for each in value)
    return Markup(_number(value, form)) if isinstance(value, int | float) else typeset(str(value))


def _interval(ends: Any, form: str) -> Markup:
    """An allowed interval, where None is an open end; a text is typeset."""
    if isinstance(ends, str):
        return typeset(ends)
    low, high = (end if end is not None else sign * math.inf for end, sign in zip(ends, (-1, 1), strict=True))
    return Markup(f"{_number(low, form)} to {_number(high, form)}")


def _number(value: float, form: str) -> str:
    """A number in a format, with typographic signs; a number that rounds to 0 has no sign."""
    if math.isinf(value):
        return INFINITY if value > 0 else MINUS + INFINITY
    text = format(value, form)
    if float(text.rstrip("%")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS).replace("%", "\N{NARROW NO-BREAK SPACE}%")


def _shade(deviation: float | None) -> str:
    """The CSS class of a deviation's shade; empty without a deviation."""
    if deviation is None:
        return ""
    return f"{'above' if deviation > 0 else 'below'}{sum(abs(deviation) >= step for step in SHADES)}"


def _groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Headings above neighbouring columns, each with the number of its columns."""
    found: list[tuple[str, int]] = []
    for column in columns:
        if found and found[-1][0] == column.group:
            found[-1] = column.group, found[-1][1] + 1
        else:
            found.append((column.group, 1))
    return found
