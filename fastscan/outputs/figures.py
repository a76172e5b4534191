"""Drawing helpers: curves, bands and contours from records, the same records that CSV files contain.

`fastscan.outputs.plots` composes the pictures of a user's store, and other rooms those of the paper and of the survey.
Each function takes an `ax`, draws on it and returns the artists; only `save` writes a file.  The colours are those of
Okabe and Ito, which colour-blind readers can distinguish.  A colour stands for a configuration and a dash pattern for a
model.  Where all curves have one configuration, or one model, each curve has a colour and a dash pattern of its own, so
that a print without colours is readable too.  Needs matplotlib: ``pip install 'fastscan[plot]'``.
"""

import io
import logging
import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from fastscan.axes import View
from fastscan.errors import OutputError, shown, shown_path
from fastscan.inputs.files import replacing, writable
from fastscan.interactions.contact import HEAVY
from fastscan.interactions.interaction import Strength
from fastscan.interactions.nsi import KNOWN_COUPLINGS, PAIRS
from fastscan.interactions.parameters import AXES
from fastscan.limits.confidence import SCALED
from fastscan.typing import Array, Record

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.contour import ContourSet
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
except ImportError:
    raise OutputError("pictures need matplotlib: pip install 'fastscan[plot]'") from None
except ValueError as error:
    raise OutputError(f"matplotlib can't be used: {error}") from None

Label = Callable[[Record], str]

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns about the dates of matplotlib's own fonts

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (5, 1.5, 1.2, 1.5)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
LOOK: dict[Any, Any] = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "pdf.fonttype": 42,  # text remains text
    "svg.fonttype": "path",  # because few machines have a font with the glyph of a prime
    "svg.hashsalt": "fastscan",  # so that the same picture gives the same file
    "savefig.dpi": 200,
}
ISOTOPE = re.compile(r"\b51Cr\b")
SOFT, SMALL = "0.35", 7  # colour and font size of remarks within a picture
THIN = 0.6  # width of a line of less importance
WIDTH = 7.0  # inches, the width of a page's text
PADDING = 0.09  # inches beside each panel, so that tick labels of neighbours don't touch
PLAIN = (1e-3, 1e6)  # numbers between these are written without a power of ten
DECADES = 7  # largest number of tick labels along a logarithmic axis
TICKS = ((1.0, (1, 2, 3, 4, 5, 6, 7, 8, 9)), (3.0, (1, 2, 5)))  # largest number of decades, and multiples with a label
MARGIN = 0.4  # inches above and below a legend
FORMATS = ("png", "pdf", "svg")
EXCLUDED: dict[str, Any] = {"color": "0.5", "alpha": 0.12, "linewidth": 0, "zorder": 0}  # the shade of excluded regions
SYMBOLS = {
    "chi": r"$\chi$",
    "psi": r"$\psi$",
    "eta": r"$\eta$",
    "lr": "LR",
    "lr-nc": r"LR$_\mathrm{nc}$",
    "e6": "E$_6$",
    "b-l": "$B-L$",
    "b-3le": "$B-3L_e$",
    "b-3lmu": r"$B-3L_\mu$",
    "b-2le-lmu": r"$B-2L_e-L_\mu$",
    "lmu-ltau": r"$L_\mu-L_\tau$",
    "le-lmu": r"$L_e-L_\mu$",
    "le-ltau": r"$L_e-L_\tau$",
    "scalar-q14": "scalar (14 A + 1.1 Z)",
    "scalar-sigma17": r"scalar ($\sigma_{\pi N}$)",
    "scalar-ftq": "scalar ($f_{Tq}$)",
    "s2w": r"$\sin^2\theta_W$",
}
FLAVOUR_SYMBOLS = {"e": "e", "mu": r"\mu", "tau": r"\tau"}
PROPERTIES = {"magnetic": r"\mu", "millicharge": "q", "radius": r"\langle r^2\rangle"}
SYMBOLS |= {
    f"{name}-{flavour}": rf"${letter}_{{\nu_{each}}}$"
    for name, letter in PROPERTIES.items()
    for flavour, each in FLAVOUR_SYMBOLS.items()
}
EPSILONS = {
    pair: rf"\varepsilon_{{{FLAVOUR_SYMBOLS[one]}{FLAVOUR_SYMBOLS[other]}}}" for pair, (one, other) in PAIRS.items()
}
SYMBOLS |= {f"nsi-{pair}": f"${epsilon}$" for pair, epsilon in EPSILONS.items()}
SYMBOLS |= {
    f"nsi-{pair}-{coupling}": f"${epsilon}^{{{coupling}}}$"
    for pair, epsilon in EPSILONS.items()
    for coupling in KNOWN_COUPLINGS
}


LIMITS = {"lower": "lower limit on", "upper": "upper limit on", "two-sided": "limits on"}


def limit_view(strength: Strength) -> View:
    """The view of limits on the axis of a strength."""
    own = strength.axis.own_view
    column = f"limit_{strength.axis.unit.lower()}" if strength.bound == "lower" else "limit"  # as records call it
    return View("limit", column, f"{LIMITS[strength.bound]} {own.label}", own.scale, own.ticks)


# Quantities that a picture can draw along an axis, by their keys in records.
QUANTITIES = {
    view.column: view
    for view in (
        *(view for axis in AXES for view in axis.all_views),
        limit_view(HEAVY),
        View("delta_chi2", "delta_chi2", r"$\Delta\chi^2$"),
    )
}


def look() -> AbstractContextManager[None]:
    """The look of all pictures, as a context in which pictures are made."""
    return rc_context(LOOK)


def canvas(rows: int = 1, columns: int = 1, height: float = 3.4, **subplots: Any) -> tuple[Figure, Any]:
    """A figure of a page's width, `height` inches high, and its axes in an array of shape (rows, columns)."""
    figure = sheet(height)
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def sheet(height: float) -> Figure:
    """A figure of a page's width without axes, `height` inches high."""
    return Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(w_pad=PADDING))


def literal(text: str) -> str:
    """A name as a picture shows it, with dollars escaped, because matplotlib reads text between them as mathematics.

    >>> print(literal("a $beta$ source"), literal("51Cr (A)"))
    a \\$beta\\$ source $^{51}$Cr (A)
    """
    return ISOTOPE.sub(r"$^{51}$Cr", shown(text).replace("$", r"\$"))


def symbol(model: str) -> str:
    """A model as a picture shows it: its symbol, or a user's own name."""
    return SYMBOLS.get(model) or literal(model)


def styles(
    rows: Iterable[Record], label: Label, configuration: Callable[[Record], Hashable] | None = None
) -> dict[str, dict[str, Any]]:
    """The look of each curve, by its label: the colour of its configuration and the dash pattern of its model.

    Parameters
    ----------
    rows : iterable of dict
        Records of all curves.
    label : callable
        The label of the curve that a record belongs to.
    configuration : callable, optional
        Function from a record to all that tells its curve apart, but the model; left out, the label.

    Returns
    -------
    dict
        Matplotlib's ``color`` and ``linestyle`` of each curve, by label.
    """
    of = configuration or label
    curves = {label(row): (of(row), row["model"]) for row in rows}
    configurations, models = (list(dict.fromkeys(each[part] for each in curves.values())) for part in (0, 1))
    looks = {}
    for name, (place, model) in curves.items():
        n = configurations.index(place)
        m = models.index(model)
        if len(models) == 1 or len(configurations) == 1:
            colour = dash = n + m
        else:  # where dash patterns are used up, colours distinguish further models, and the other way round
            colour, dash = n + len(configurations) * (m // len(DASHES)), m + len(models) * (n // len(COLOURS))
        looks[name] = {"color": COLOURS[colour % len(COLOURS)], "linestyle": DASHES[dash % len(DASHES)]}
    return looks


def name_axes(ax: Axes, x: str, y: str) -> None:
    """Set the labels with units, and the scales, of both axes, from keys of `QUANTITIES`."""
    describe(ax, QUANTITIES[x], QUANTITIES[y])


def describe(ax: Axes, x: View, y: View) -> None:
    """Set the labels with units, and the scales, of both axes, from their views."""
    for axis, view in ((ax.xaxis, x), (ax.yaxis, y)):
        ax.set(**{f"{axis.axis_name}label": view.label})
        axis.set_major_locator(MaxNLocator("auto", steps=(1, 2, 5, 10)))
        if view.scale == "log":
            ax.set(**{f"{axis.axis_name}scale": "log"})
            _number(axis, view.ticks, number)


def number_axes(ax: Axes) -> None:
    """Set the tick labels along logarithmic axes, as close as the drawn range has room for."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            low, high = axis.get_view_interval()
            decades = math.log10(high / low)
            ticks = next((ticks for most, ticks in TICKS if decades <= most), (1,))
            _number(axis, ticks, number if PLAIN[0] <= low and high < PLAIN[1] else power_of_ten)


def _number(axis: Any, ticks: Sequence[int], text: Callable[[float], str]) -> None:
    axis.set_major_locator(LogLocator(subs=ticks, numticks=DECADES))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())


def number(value: float) -> str:
    r"""A number as a picture shows it: with a power of ten where it is very small or large.

    >>> print(number(0.05), number(2e-5))
    0.05 $2\times10^{-5}$
    """
    return f"{value:g}" if value == 0 or PLAIN[0] <= abs(value) < PLAIN[1] else power_of_ten(value)


def power_of_ten(value: float) -> str:
    r"""A number as a factor and a power of ten.

    >>> print(power_of_ten(20), power_of_ten(0.1))
    $2\times10^{1}$ $10^{-1}$
    """
    mantissa, _, exponent = f"{value:e}".partition("e")
    factor = "" if float(mantissa) == 1 else rf"{float(mantissa):g}\times"
    return f"${factor}10^{{{int(exponent)}}}$"


def curves(
    ax: Axes, rows: Iterable[Record], x: str, y: str, label: Label, style: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Line2D]:
    """Draw a line for each label through the points (x, y) of its rows; a missing value is a gap.

    `x` and `y` are keys of the records.
    """
    groups = grouped(rows, label)
    style_of = styles(_firsts(groups), label) if style is None else style
    return [ax.plot(*_columns(members, x, y), label=name, **style_of[name])[0] for name, members in groups.items()]


def with_expected(
    rows: Iterable[Record], limit: str, label: Label, style: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[list[Record], dict[str, Mapping[str, Any]]]:
    """Rows of limits; for limits from scaled data, also the same rows with the expected limit.

    Returns
    -------
    list of dict
        The rows, each with the name of its curve, which `curve_of` returns.
    dict
        The look of each curve.  A curve of scaled data is thin, in the colour of the expected curve.
    """
    groups = grouped(rows, label)
    style_of = styles(_firsts(groups), label) if style is None else style
    drawn: list[Record] = []
    looks: dict[str, Mapping[str, Any]] = {}
    for name, members in groups.items():
        look = style_of[name]
        scaled = any(row["scaled_data"] for row in members)
        if scaled:
            expected = f"{name}, expected"
            looks[expected] = look
            drawn += [{**row, "curve": expected, limit: row[limit.replace("limit", "expected")]} for row in members]
        curve = f"{name}, {SCALED}" if scaled else name
        looks[curve] = {**look, "linewidth": THIN} if scaled else look
        drawn += [{**row, "curve": curve} for row in members]
    return drawn, looks


def curve_of(row: Record) -> str:
    """The name of the curve to which a row of `with_expected` belongs."""
    curve: str = row["curve"]
    return curve


def band(ax: Axes, rows: Iterable[Record], x: str, y: str, label: str, **style: Any) -> PolyCollection:
    """Draw the range that several curves over the same points cover; a missing value extends it to the bottom."""
    groups = {at: [row[y] for row in members] for at, members in grouped(rows, lambda row: row[x]).items()}
    at = sorted(groups)
    low = [math.nan if None in groups[each] else min(groups[each]) for each in at]
    high = [max((value for value in groups[each] if value is not None), default=math.nan) for each in at]
    bottom = ax.get_ylim()[0]
    return ax.fill_between(at, np.nan_to_num(low, nan=bottom), np.nan_to_num(high, nan=bottom), label=label, **style)


def contour_curves(
    ax: Axes, rows: Iterable[Record], x: str, y: str, label: Label, style: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Line2D]:
    """Draw a line for each contour of each label; a legend names only the first one of a label."""
    groups = grouped(rows, label)
    style_of = styles(_firsts(groups), label) if style is None else style
    return [
        ax.plot(*_columns(line, x, y), label=name if number == 0 else None, **style_of[name])[0]
        for name, members in groups.items()
        for number, line in enumerate(grouped(members, lambda row: (row["experiment"], row["contour"])).values())
    ]


def excluded(
    ax: Axes, sides: Sequence[Sequence[float]], values: Array, level: float, colour: str, opacity: float
) -> ContourSet:
    """Shade the part of a plane where values, shape (y, x), are above a level; `sides` are the points of x and y."""
    x, y = sides
    return ax.contourf(x, y, values, levels=[level, math.inf], colors=[colour], alpha=opacity)


def excluded_below(ax: Axes, rows: Iterable[Record], x: str, y: str) -> PolyCollection:
    """Shade the region that all of some curves of lower limits exclude; a missing limit excludes nothing."""
    return _excluded_beyond(ax, rows, x, y, np.min, ax.get_ylim()[0])


def excluded_above(ax: Axes, rows: Iterable[Record], x: str, y: str) -> PolyCollection:
    """Shade the region that all of some curves of upper limits exclude; a missing limit excludes nothing."""
    return _excluded_beyond(ax, rows, x, y, np.max, ax.get_ylim()[1])


def _excluded_beyond(
    ax: Axes, rows: Iterable[Record], x: str, y: str, weakest: Callable[[list[float]], Any], end: float
) -> PolyCollection:
    groups = grouped(rows, lambda row: row[x])
    at = sorted(groups)
    limits = [weakest([math.nan if row[y] is None else row[y] for row in groups[each]]) for each in at]
    ends = ax.get_ylim()
    shade = ax.fill_between(at, end, limits, **EXCLUDED)
    ax.set_ylim(ends)
    return shade


def level(ax: Axes, delta: float) -> Rectangle:
    """Draw the threshold of Delta chi2, and shade the excluded region above it."""
    top = ax.get_ylim()[1]
    ax.axhline(delta, color="0.4", linewidth=0.7, zorder=1)
    shade = ax.axhspan(delta, top, **EXCLUDED)
    ax.set_ylim(top=top)
    return shade


def remark(ax: Axes, text: str, x: float, y: float, **place: Any) -> Text:
    """Write a remark within a panel, at a place from (0, 0) to (1, 1)."""
    return ax.text(x, y, text, transform=ax.transAxes, color=SOFT, fontsize=SMALL, **place)


def legend(ax: Axes, title: str | None = None, below: str = "") -> Legend:
    """Draw the legend of a panel, or of a row of panels, to its right, where it covers nothing.

    Parameters
    ----------
    ax : Axes
        The panel, or the last panel of a row in which all show the same curves.
    title : str, optional
        A heading above the names.
    below : str, optional
        A remark below the names.
    """
    names = ax.legend(
        loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, handlelength=3.4, title=title, alignment="left"
    )
    if below:
        place: dict[str, Any] = {"xycoords": names, "xytext": (6, -4), "textcoords": "offset points", "va": "top"}
        ax.annotate(below, (0, 0), color=SOFT, fontsize=SMALL, **place)
    return names


def legend_inside(
    ax: Axes, where: str = "upper right", lines: Sequence[Line2D] = (), title: str | None = None
) -> Legend:
    """Draw a legend within a panel, of all that is drawn or of some lines; a panel can have several such legends."""
    handles = lines or ax.get_legend_handles_labels()[0]
    labels = [str(each.get_label()) for each in handles]
    place: dict[str, Any] = {"loc": where, "title": title, "alignment": "left"}
    names = Legend(ax, handles, labels, handlelength=2.0, **place)
    ax.add_artist(names)
    return names


def make_room(figure: Figure, ax: Axes) -> None:
    """Make a figure high enough for the whole legend of a panel."""
    names = ax.get_legend()
    if names is not None:
        needed = names.get_window_extent().height / figure.dpi
        figure.set_figheight(max(figure.get_figheight(), needed + MARGIN))


def laid_out(figure: Figure) -> Figure:
    """A figure whose layout is fixed, so that it isn't computed again for each file."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the suffix.

    Parameters
    ----------
    figure : Figure
        A figure, such as `plots.plot` returns.
    path : Path
        A name that ends in .png, .pdf or .svg.  Its directories are created, and an existing file is replaced once the
        new one is complete.

    Raises
    ------
    OutputError
        For another suffix, and where nothing can be written.
    """
    check_name(path)
    with writable(path, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
    drawn = _as_file(figure, path.suffix[1:])
    with replacing(path) as partial:
        partial.write_bytes(drawn)


def as_svg(figure: Figure) -> bytes:
    """A figure as SVG, for a page."""
    return _as_file(figure, "svg")


def _as_file(figure: Figure, suffix: str) -> bytes:
    """The content of a file, whole before anything is written: matplotlib answers a full disk with other errors."""
    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[suffix]
    file = io.BytesIO()
    with look():
        figure.savefig(file, format=suffix, metadata=metadata)
    return file.getvalue()


def check_name(path: Path) -> None:
    """Refuse a file name whose suffix is no format of pictures."""
    if path.suffix[1:] not in FORMATS:
        raise OutputError(f"{shown_path(path)}: a picture's name ends in {', '.join('.' + each for each in FORMATS)}")


def require_new(path: Path, overwrite: bool) -> None:
    """Refuse a name whose suffix is no format of pictures, and an existing file unless `overwrite`."""
    check_name(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{shown_path(path)} exists; overwrite=True replaces it")


def _firsts(groups: Mapping[str, Sequence[Record]]) -> list[Record]:
    """A record of each curve."""
    return [members[0] for members in groups.values()]


def grouped(rows: Iterable[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    """Rows grouped by the value of a key function, in their order."""
    groups: dict[Any, list[Record]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _columns(rows: Sequence[Record], *names: str) -> list[Array]:
    return [np.array([math.nan if row[name] is None else row[name] for row in rows], float) for name in names]
