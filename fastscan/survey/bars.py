"""Pictures of allowed intervals: a bar for each data set, and below them bars of published intervals."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastscan.axes import View
from fastscan.interactions.interaction import Interaction
from fastscan.limits.confidence import CL, NO_SENSITIVITY
from fastscan.outputs import figures
from fastscan.stores.cube import Cube
from fastscan.survey.limits import sides
from fastscan.survey.looks import (
    INNER,
    LEVEL,
    METHOD,
    OTHERS,
    OUTER,
    SurveyFigure,
    band_patches,
    drawn,
    look_of,
    one_of_each_model,
    set_lines,
    with_legend,
)
from fastscan.survey.published import Entry
from fastscan.survey.recipe import COMBINED, Question
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

ON_INTERVALS = f"""\
Allowed intervals at {LEVEL}, by {METHOD}, with a bar for each data set; the thick bar is the combination. Data sets
without a bar have no sensitivity. Grey boxes show where the ends of the combination's interval are expected, within 1
and 2 standard deviations. Grey bars are published intervals with the names of their data, at the same CL unless another
one is given."""
PANELS: dict[str, Any] = {
    "nsi": [[("eps", "-u"), ("eps", "-d")]],
    "nsi-changing": [[("eps", "-u"), ("eps", "-d")]],
    "properties": [[("mu", "magnetic"), ("q", "millicharge")], [("r2", "radius"), ("shift", "s2w")]],
    "heavy": [[("m_zprime", "")]],
}
RANGES: dict[str, tuple[float, float]] = {
    "eps": (-0.7, 0.7),
    "r2": (-90, 40),
    "shift": (-0.75, 0.2),
    "q": (-1e6, 1e6),
    "mu": (0.7, 2000),
    "m_zprime": (50, 700),
}
GAP = 2.0  # distance between models, in bars
ROOM = 0.7  # fraction of a panel's width up to which a text fits to the right of a bar's end
LINEAR = 100.0  # in 1e-12 e; the axis of charges is linear up to it, and logarithmic beyond


def intervals(
    question: Question, cubes: Sequence[Cube], records: Sequence[Record], others: Sequence[Entry]
) -> SurveyFigure:
    """The picture of a question's allowed intervals, with a bar for each model and data set."""
    models = {cube.model: cube.interaction for cube in one_of_each_model(cubes)}
    panels = _panels(question.name, models)

    def draw() -> "Figure":
        heights = [max(sum(_height(records, name, others) for name in names) for _, names in row) for row in panels]
        figure = figures.sheet(height=1.3 + 0.085 * sum(heights) + 0.35 * len(panels))
        grid = figure.subplot_mosaic(
            [[f"{r}-{c}" for c in range(len(row))] for r, row in enumerate(panels)], height_ratios=heights
        )
        for r, row in enumerate(panels):
            for c, (axis, names) in enumerate(row):
                _interval_panel(grid[f"{r}-{c}"], axis, names, records, others, models)
        told = [*set_lines(records), *band_patches(), _published_line()]
        return with_legend(figure, told)

    return SurveyFigure(
        name=question.name,
        title=question.title,
        alt=f"{question.title}: bars of allowed values for {len(models)} models and each data set",
        caption=" ".join(ON_INTERVALS.split()),
        tables={},
        drawing=draw,
    )


def _panels(name: str, models: Mapping[str, Interaction]) -> list[list[tuple[str, list[str]]]]:
    """The rows of panels of a picture; each panel has the name of its axis and the names of its models."""
    return [
        [(axis, [model for model in models if _belongs(model, part)]) for axis, part in row] for row in PANELS[name]
    ]


def _belongs(model: str, part: str) -> bool:
    return model.endswith(part) if part.startswith("-") else model.startswith(part)


def _height(records: Sequence[Record], name: str, others: Sequence[Entry]) -> float:
    return len([row for row in records if row["model"] == name]) + len(_of_model(others, name)) + GAP


def _of_model(others: Sequence[Entry], name: str) -> list[Entry]:
    return [each for each in others if each.model.removesuffix(".toml") == name and not each.at]


def _interval_panel(
    ax: "Axes",
    axis: str,
    names: Sequence[str],
    records: Sequence[Record],
    others: Sequence[Entry],
    models: Mapping[str, Interaction],
) -> None:
    _describe(ax, axis, models[names[0]])
    at, ticks = 0.0, []
    for name in names:
        begin = at
        at = _put_ours(ax, [row for row in records if row["model"] == name], models[name], at)
        at = _put_published(ax, _of_model(others, name), models[name], at)
        ticks.append(((begin + at + 1.0) / 2, figures.symbol(name)))
        at -= GAP
        ax.axhline(at + GAP / 2 + 0.5, color="0.8", linewidth=0.4)
    ax.set(ylim=(at + GAP / 2 + 0.5, 1.0))
    ax.set_yticks([place for place, _ in ticks], [text for _, text in ticks])
    ax.tick_params(axis="y", length=0)


def _describe(ax: "Axes", axis: str, model: Interaction) -> None:
    """Set up the axis along which the bars lie."""
    figures.describe(ax, model.strength.axis.own_view, View("y", "y", ""))
    ax.set(xlim=RANGES[axis], ylabel="")
    figures.number_axes(ax)
    if axis == "q":  # charges have either sign and span many powers of ten
        ax.set_xscale("symlog", linthresh=LINEAR)
        ax.set_xticks([sign * 10.0**power for sign in (-1, 1) for power in (2, 4, 6)] + [0.0])
    if model.strength.signed:
        ax.axvline(0, color="0.6", linewidth=0.5, zorder=0.5)


def _put_ours(ax: "Axes", records: Sequence[Record], model: Interaction, at: float) -> float:
    """Draw the bars of each data set, downwards from a height; return the height below them."""
    for experiment, (row,) in drawn(records).items():
        if experiment == COMBINED:
            _boxes(ax, row, at, sides(model.strength))
        allowed = row["allowed_gev"] if "allowed_gev" in row else row["allowed"]
        for low, high in allowed if row["status"] != NO_SENSITIVITY else ():
            _bar(ax, low, high, at, **look_of(experiment))
        at -= 1.0
    return at


def _put_published(ax: "Axes", others: Sequence[Entry], model: Interaction, at: float) -> float:
    """Draw the bars of published limits, downwards from a height; return the height below them."""
    start = model.strength.axis.unshifted if model.strength.axis.whole else 0.0
    for each in others:
        low, high = (None if end is None else end - start for end in (each.published_low, each.published_high))
        _bar(ax, low, high, at, color=OTHERS, linestyle="-", linewidth=1.2)
        _beside(ax, each.data + (f" ({100 * each.cl:.0f} %)" if each.cl != CL else ""), low, high, at)
        at -= 1.0
    return at


def _bar(ax: "Axes", low: float | None, high: float | None, at: float, **look: Any) -> None:
    """Draw an interval; an open end reaches the edge of the picture."""
    left, right = ax.get_xlim()
    ends = [left if low is None else max(low, left), right if high is None else min(high, right)]
    if ends[0] < ends[1]:
        width = 2.2 * look["linewidth"]
        ax.plot(ends, [at, at], solid_capstyle="butt", scalex=False, **{**look, "linewidth": width})
        caps = {"marker": "|", "markersize": 2 * width, "linestyle": "none", "color": look["color"]}
        ax.plot(ends, [at, at], scalex=False, **caps)  # caps, because a gap between dashes can hide an end


def _beside(ax: "Axes", text: str, low: float | None, high: float | None, at: float) -> None:
    """Write a text beside a bar, on the side with enough room."""
    left, right = ax.get_xlim()
    style: dict[str, Any] = {"fontsize": 5, "color": OTHERS, "va": "center_baseline", "textcoords": "offset points"}
    end = right if high is None else min(high, right)
    share = ax.transAxes.inverted().transform(ax.transData.transform((end, at)))[0]
    if share < ROOM:
        ax.annotate(figures.literal(text), (end, at), (3, 0), ha="left", **style)
    else:
        ax.annotate(figures.literal(text), (left if low is None else max(low, left), at), (-3, 0), ha="right", **style)


def _boxes(ax: "Axes", row: Record, at: float, names: Sequence[str]) -> None:
    """Draw the boxes of 1 and 2 standard deviations in which the ends of the combination's interval are expected."""
    left, right = ax.get_xlim()
    for side in names:
        for number, colour in ((2, OUTER), (1, INNER)):
            low, high = (row[f"expected{side}_{sign}_{number}"] for sign in ("minus", "plus"))
            low, high = left if low is None else max(low, left), right if high is None else min(high, right)
            ax.fill_between([low, high], at - 0.5, at + 0.5, color=colour, linewidth=0, zorder=0)


def _published_line() -> "Line2D":
    from matplotlib.lines import Line2D

    return Line2D([], [], color=OTHERS, linewidth=2.6, label="published")
