"""The pictures of the survey: couplings against masses, planes and the summary; `fastscan.survey.bars` has bars."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastscan.answers.contours import bounded
from fastscan.axes import View
from fastscan.inputs import data_files
from fastscan.interactions.catalogue import MODELS
from fastscan.interactions.interaction import Interaction
from fastscan.limits.confidence import CL, level_text
from fastscan.outputs import figures
from fastscan.outputs.figures import COLOURS, DASHES, grouped
from fastscan.stores.cube import Cube
from fastscan.survey import bars
from fastscan.survey.limits import EDGES, PLANE_DOF, Planes, contour_table, sides
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

PLANE_LEVEL = level_text(CL, PLANE_DOF)
MEV = 1e-3  # GeV
ON_COUPLINGS = f"""\
Upper limits on g at {LEVEL}, by {METHOD}, of each data set and of the combination, with the expected bands of 1 and 2
standard deviations of the combination. Hatched regions are allowed again, in the colour of the data set. Where the data
exclude the Standard Model, there is no limit, and every allowed region is hatched. Where a band reaches down to the
frame, some of its sets of data exclude the Standard Model and all couplings up to the band's upper edge."""
ON_PLANES = f"""\
Contours at {PLANE_LEVEL}, by {METHOD} above the minimum over the plane, of each data set. The region that the
combination allows is shaded. The cross is the Standard Model."""
ON_SUMMARY = f"""\
Limits at {LEVEL}, by {METHOD}, of the combination. Left: couplings of light mediators; a curve ends where the data
exclude the Standard Model. Right: every other limit divided by its expected median, with the expected bands of 1 and 2
standard deviations. For the mass of a heavy Z' the ratio is inverted, so that a limit left of 1 is stronger than
expected. A cross stands for data that exclude the Standard Model, so that there is no limit."""
ISLAND: dict[str, Any] = {"hatch": "//////", "facecolor": "none", "linewidth": 0.5}
MASS = View("mass", "mass_mev", "$M$ [MeV]", "log")
BEYOND = 50.0  # an open interval is drawn up to 50 times its lower end
JUMP = 1.5  # largest ratio between the change of an island's ends and that of the mass, between neighbouring masses


def all_figures(
    asked: Sequence[Question],
    cubes: Mapping[str, Sequence[Cube]],
    records: Mapping[str, Sequence[Record]],
    contours: Mapping[str, Planes],
    others: Sequence[Entry],
) -> Iterator[SurveyFigure]:
    """The summary, then the picture of each question that has one."""
    yield summary(records)
    for each in asked:
        own = cubes[each.name]
        if each.name in ("vectors", "scalars"):
            yield couplings(each, own, records[each.name])
        elif each.name in contours:
            yield planes(each, contours[each.name])
        elif each.name in bars.PANELS:
            yield bars.intervals(each, own, records[each.name], others)


def couplings(question: Question, cubes: Sequence[Cube], records: Sequence[Record]) -> SurveyFigure:
    """The picture of upper limits on a coupling against the mass of a mediator, with a panel for each model."""
    models = [each.interaction for each in one_of_each_model(cubes)]
    rows = [{**row, "mass_mev": row[_mass(row)] / MEV} for row in records]

    def draw() -> "Figure":
        columns = 2 if len(models) > 3 else len(models)
        figure, axes = figures.canvas(
            -(-len(models) // columns), columns, height=1.1 + 2.1 * -(-len(models) // columns)
        )
        for ax, model in zip(axes.flat, models, strict=True):
            own = [row for row in rows if row["model"] == model.name]
            _coupling_panel(ax, own, model)
            _others_curves(ax, model)
        told = [*set_lines(rows), *band_patches(), _island_patch(), *_others_lines(models)]
        return with_legend(figure, told)

    return SurveyFigure(
        name=question.name,
        title=question.title,
        alt=f"{question.title}: limits on g against the mass, a panel for each of {len(models)} models",
        caption=" ".join(ON_COUPLINGS.split()),
        tables={},
        drawing=draw,
    )


def _mass(row: Record) -> str:
    return "m_zprime_gev" if "m_zprime_gev" in row else "m_phi_gev"


def _coupling_panel(ax: "Axes", rows: Sequence[Record], model: Interaction) -> None:
    for experiment, own in drawn(rows).items():
        look = look_of(experiment)
        masses = [row["mass_mev"] for row in own]
        if experiment == COMBINED:
            _band(ax, own, masses)
        ax.plot(masses, [math.nan if row["limit"] is None else row["limit"] for row in own], **look)
        for at, low, high in islands(own):
            if len(at) > 1:  # an island at one mass has no width
                ax.fill_between(at, low, high, edgecolor=look["color"], **ISLAND)
    found = [row["limit"] for row in rows if row["limit"] is not None]
    ax.set_title(figures.symbol(model.name))
    figures.describe(ax, MASS, figures.QUANTITIES["g"])
    ax.set(xlim=(min(row["mass_mev"] for row in rows), max(row["mass_mev"] for row in rows)))
    ax.set(ylim=(min(found) / 3, max(found) * 3))
    figures.number_axes(ax)
    ax.xaxis.set_major_formatter(lambda value, _: figures.power_of_ten(value))


def islands(rows: Sequence[Record]) -> Iterator[tuple[list[float], list[float], list[float]]]:
    """Islands, allowed intervals without the Standard Model, in pieces: masses in MeV, lower ends and upper ends.

    The n-th island at a mass is the n-th from the largest coupling downwards.  A piece ends where an island merges with
    another one, or with the interval that contains the Standard Model.
    """
    apart = [[ends for ends in reversed(row["allowed"]) if ends[0]] for row in rows]
    for number in range(max(map(len, apart), default=0)):
        piece: list[tuple[float, float, float]] = []
        for row, ends in zip(rows, apart, strict=True):
            low, high = ends[number] if len(ends) > number else (math.nan, math.nan)
            own = (row["mass_mev"], low, BEYOND * low if high is None else high)
            if piece and not _continues(piece[-1], own):
                yield _columns(piece)
                piece = []
            if not math.isnan(low):
                piece.append(own)
        if piece:
            yield _columns(piece)


def _continues(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether intervals at neighbouring masses belong to one island: their ends change little more than the mass."""
    (before, *ends), (after, *others) = one, other
    most = JUMP * after / before
    return all(1 / most < low / high < most for low, high in zip(ends, others, strict=True))


def _columns(piece: Sequence[tuple[float, float, float]]) -> tuple[list[float], list[float], list[float]]:
    at, low, high = (list(each) for each in zip(*piece, strict=True))
    return at, low, high


def _band(ax: "Axes", rows: Sequence[Record], at: Sequence[float]) -> None:
    for number, colour in ((2, OUTER), (1, INNER)):
        low, high = ([_or_nan(row[f"expected_{sign}_{number}"]) for row in rows] for sign in ("minus", "plus"))
        ax.fill_between(at, low, high, color=colour, linewidth=0, zorder=0)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _others_curves(ax: "Axes", model: Interaction) -> None:
    """Draw the published curves in the package, which use COHERENT's count of 2017."""
    kind = {"universal": "vector", "scalar-q14": "scalar"}.get(model.name)
    rows = [row for row in data_files.rows("published_mediators.csv") if row["mediator"] == kind]
    for number, (_, own) in enumerate(_edges(rows).items()):
        points = [(float(row["mass_mev"]), float(row["g"])) for row in own]
        ax.plot(*zip(*points, strict=True), scalex=False, scaley=False, **_others_look(number))


def _edges(rows: Sequence[Mapping[str, str]]) -> dict[tuple[str, int], list[Mapping[str, str]]]:
    """Rows of published curves by edge: the limit, and the two ends of an island above it."""
    found: dict[tuple[str, int], list[Mapping[str, str]]] = {}
    for _, at in itertools.groupby(rows, key=lambda row: row["mass_mev"]):
        for number, row in enumerate(at):
            found.setdefault((row["edge"], number), []).append(row)
    return found


def _others_look(number: int) -> dict[str, Any]:
    return {"color": OTHERS, "linestyle": DASHES[2], "linewidth": 1.0, "zorder": 4}


def _others_lines(models: Sequence[Interaction]) -> "list[Line2D]":
    from matplotlib.lines import Line2D

    shown = any(model.name in ("universal", "scalar-q14") for model in models)
    return [Line2D([], [], label="Kavanagh, CsI one bin", **_others_look(0))] if shown else []


def _island_patch() -> Any:
    from matplotlib.patches import Patch

    return Patch(edgecolor="0.2", label="allowed again", **ISLAND)


def planes(question: Question, found: Planes) -> SurveyFigure:
    """The picture of contours in a plane, with a panel for each model."""
    rows = [{"experiment": plane.cube.experiment} for plane, lines in found if lines]

    def draw() -> "Figure":
        models = list(dict.fromkeys(plane.cube.model for plane, _ in found))
        columns = min(3, len(models))
        figure, axes = figures.canvas(
            -(-len(models) // columns), columns, height=1.0 + 2.3 * -(-len(models) // columns)
        )
        for ax in axes.flat[len(models) :]:
            ax.set_axis_off()
        for ax, model in zip(axes.flat, models, strict=False):
            _plane_panel(ax, [(plane, each) for plane, each in found if plane.cube.model == model])
        return with_legend(figure, [*set_lines(rows), _allowed_patch()])

    return SurveyFigure(
        name=question.name,
        title=question.title,
        alt=f"{question.title}: contours of each data set",
        caption=" ".join(ON_PLANES.split()),
        tables={f"{question.name}-contours": contour_table(found)},
        drawing=draw,
    )


def _plane_panel(ax: "Axes", found: Planes) -> None:
    plane = found[0][0]
    figures.describe(ax, plane.x.view, plane.y.view)
    for each, contours in found:
        look = look_of(each.cube.experiment)
        for line in contours:
            ax.plot(each.x.viewed(line.x), each.y.viewed(line.y), **look)
        if each.cube.experiment == COMBINED:
            sides_ = [[float(value) for value in side.viewed(side.points)] for side in (each.x, each.y)]
            ax.contourf(*sides_, bounded(each.values, each.delta), levels=[-1, 0.5], colors=[INNER], zorder=0)
    x, y = (side.viewed(side.points) for side in (plane.x, plane.y))
    ax.set(xlim=(min(x), max(x)), ylim=(min(y), max(y)), title=figures.symbol(plane.cube.model))
    if plane.y.view.scale == "log":
        figures.number_axes(ax)
    else:
        ax.plot(0, 0, "P", color="black", markersize=5, markeredgecolor="white", markeredgewidth=0.6)
        ax.set_box_aspect(1)


def _allowed_patch() -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=INNER, label="combined, allowed")


def summary(records: Mapping[str, Sequence[Record]]) -> SurveyFigure:
    """The picture of all limits of the combination: couplings, and ratios of the other limits to the expected ones."""
    light = [row for name in ("vectors", "scalars") for row in records.get(name, ()) if row["experiment"] == COMBINED]
    single = [row for name in bars.PANELS for row in records.get(name, ()) if row["experiment"] == COMBINED]
    ratios = [each for row in single for each in _ratios(row)]

    def draw() -> "Figure":
        panels = [(put, rows) for put, rows in ((_all_couplings, light), (_all_ratios, ratios)) if rows]
        figure, axes = figures.canvas(1, len(panels), height=1.0 + 0.13 * max(len(ratios), 24))
        for ax, (put, rows) in zip(axes.flat, panels, strict=True):
            put(ax, rows)
        return figure

    return SurveyFigure(
        name="summary",
        title="All limits of the combination",
        alt="Left: couplings of all light mediators against the mass; right: each other limit over its median",
        caption=" ".join(ON_SUMMARY.split()),
        tables={"summary": (tuple(ratios[0]) if ratios else (), ratios)},
        drawing=draw,
    )


def _ratios(row: Record) -> Iterator[Record]:
    """A record for each side of a limit, with the ratio to the expected median."""
    strength = MODELS[row["model"]].strength if row["model"] in MODELS else None
    if strength is None:
        return
    for side in sides(strength):
        limit, median = row[f"limit{side}"], row[f"expected{side}"]
        if not median:
            continue
        turn = strength.bound == "lower"
        values = [limit, *(row[f"expected{side}_{edge}"] for edge in EDGES)]
        over = [
            None if value is None or (turn and not value) else (median / value if turn else value / median)
            for value in values
        ]
        edges = over[1:] if not turn and median > 0 else over[:0:-1]
        yield {
            "experiment": row["experiment"],
            "model": row["model"],
            "side": side.strip("_"),
            "limit": limit,
            "expected": median,
            "limit_over_expected": over[0],
            **dict(zip(EDGES, edges, strict=True)),
            "status": row["status"],
            "sigma_sys": row["sigma_sys"],
            "cl": row["cl"],
            "dof": row["dof"],
        }


def _all_couplings(ax: "Axes", rows: Sequence[Record]) -> None:
    models = grouped(rows, lambda row: row["model"])
    for number, (model, own) in enumerate(models.items()):
        look = {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number // len(COLOURS)], "linewidth": 1.2}
        at = [row[_mass(row)] / MEV for row in own]
        ax.plot(at, [_or_nan(row["limit"]) for row in own], label=figures.symbol(model), **look)
    figures.describe(ax, MASS, figures.QUANTITIES["g"])
    ax.margins(x=0)
    figures.number_axes(ax)
    ax.xaxis.set_major_formatter(lambda value, _: figures.power_of_ten(value))
    ax.legend(fontsize=6.5, loc="upper left", handlelength=2.6)
    ax.set_title(f"couplings, {LEVEL}")


def _all_ratios(ax: "Axes", ratios: Sequence[Record]) -> None:
    left, right = -1.0, 3.5
    for number, row in enumerate(ratios):
        for low, high, colour in (("minus_2", "plus_2", OUTER), ("minus_1", "plus_1", INNER)):
            ends = [left if row[low] is None else row[low], right if row[high] is None else row[high]]
            ax.fill_between(np.clip(ends, left, right), -number - 0.45, -number + 0.45, color=colour, linewidth=0)
        value = row["limit_over_expected"]
        if value is not None:
            ax.plot(min(value, right), -number, "k|", markersize=6, markeredgewidth=1.6)
        else:
            ax.plot(left + 0.1, -number, "kx", markersize=3)
    names = [f"{figures.symbol(row['model'])}{_side_told(row)}" for row in ratios]
    ax.set_yticks([-n for n in range(len(ratios))], names, fontsize=6.5)
    ax.axvline(1, color="0.3", linewidth=0.6)
    ax.set(xlim=(left, right), ylim=(-len(ratios) + 0.4, 0.6), xlabel="limit / median expected")
    ax.tick_params(axis="y", length=0)
    ax.set_title(f"all others, {LEVEL}")


def _side_told(row: Record) -> str:
    return {"low": ", lower", "high": ", upper"}.get(row["side"], "")
