"""Figures 1 to 6 of arXiv:2002.01482: for each the grid, the data behind it, what it shows, how it is drawn.

`fastscan.outputs.figures` has the curves and bands that they are drawn with.  The grids are
``grids/paper/figure<number>.toml``; nothing is scanned for them, because their likelihoods answer.  Each
statement of the paper about a figure is compared with our numbers, and the report says whether it holds.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastscan.answers import records
from fastscan.answers.contours import contour_records, contours
from fastscan.answers.from_cube import limit_records, profile_records
from fastscan.answers.planes import plane_of
from fastscan.answers.question import PlaneAxes, Question, Values
from fastscan.experiments.catalogue import label_of, load
from fastscan.interactions.catalogue import MODELS
from fastscan.limits.confidence import CL, DOF, NO_SENSITIVITY, OK, level_text
from fastscan.limits.limits import threshold
from fastscan.limits.strengths import limit
from fastscan.outputs import csv_files, figures
from fastscan.outputs.figures import grouped
from fastscan.outputs.page import Finding
from fastscan.scans import grid as grids
from fastscan.scans.plan import plan
from fastscan.stores.cube import Cube
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.figure import Figure

GRIDS = files("fastscan") / "grids" / "paper"
LEVEL, THRESHOLD = level_text(CL, DOF), threshold(CL, DOF)
HEAVY = MODELS["lr"]  # a member of the family that all models of the paper belong to
KEYS, PROFILE_KEYS, CONTOUR_KEYS = records.limit_keys(HEAVY), records.profile_keys(HEAVY), records.contour_keys(HEAVY)
SNS, REACTORS, CHROMIUM = "SNS", "reactors", "51Cr"
BANDS = {"chi": "#0072B2", "eta": "#E69F00", SNS: "#0072B2", REACTORS: "#E69F00"}
COINCIDE = 0.1  # limits that differ by less are hard to tell apart in a picture
NUMBERS = {3: "three", 4: "four", 7: "seven", 11: "eleven"}
MEASURED = """\
expected: from the Standard
Model's prediction in place
of the data.
scaled data: from the count of
2017 times $L/L_0$, with its deficit."""  # what is said of COHERENT CsI where it is drawn at other luminosities
SHADED = "The shade covers the masses that every experiment of a panel excludes."
INSENSITIVE = (
    math.pi / 2,
    math.pi - math.atan(9 / math.sqrt(15)),
)  # where kappa_p = kappa_n = 0: psi, and Y_l = 0


@dataclass(frozen=True, eq=False)
class PaperFigure:
    """A figure: what is drawn, the rows behind it by table (its columns and its records), and what it shows."""

    number: int
    title: str
    caption: str
    tables: dict[str, tuple[Sequence[str], list[Record]]]
    findings: tuple[Finding, ...]
    drawing: "Callable[[], Figure]"

    @functools.cached_property
    def csv(self) -> dict[str, tuple[str, int]]:
        """Each table as CSV and the number of its rows, by the name of its file."""
        title = f"Figure {self.number} of arXiv:2002.01482, computed anew: {self.title}"
        return {
            f"figure{self.number}{'-' if table else ''}{table}": (
                csv_files.text(f"{title}{f'; {table}' if table else ''}", keys, rows),
                len(rows),
            )
            for table, (keys, rows) in self.tables.items()
        }

    def draw(self) -> "Figure":
        """The figure."""
        with figures.look():
            return figures.laid_out(self.drawing())


def grid(number: int) -> Path:
    """The grid file of a figure."""
    return Path(str(GRIDS / f"figure{number}.toml"))


def title_of(number: int) -> str:
    """What a figure's grid is called, before anything is computed."""
    return grids.load(grid(number)).title


def all_figures() -> Iterator[PaperFigure]:
    """The six figures, in their order."""
    return map(figure, RECIPES)


def figure(number: int) -> PaperFigure:
    """A figure, from its grid."""
    return RECIPES[number](plan(grid(number)))


def figure1(cubes: Sequence[Cube]) -> PaperFigure:
    """Delta chi2 against M_Z': left-right for each experiment, E6 chi and eta as bands over the experiments."""
    profiles, limits = _profiles(cubes), _limits(cubes)

    def draw() -> "Figure":
        figure, axes = figures.canvas(2, 2, height=5.4, sharex=True, sharey=True)
        for (left, right), kind in zip(axes, (SNS, REACTORS), strict=True):
            ours = [row for row in profiles if kind_of(row["experiment"]) == kind]
            figures.curves(left, _of(ours, "lr"), "m_zprime_gev", "delta_chi2", _experiment)
            for model in ("chi", "eta"):
                style = {"color": BANDS[model], "alpha": 0.45, "linewidth": 0}
                figures.band(right, _of(ours, model), "m_zprime_gev", "delta_chi2", figures.symbol(model), **style)
            left.set_title(f"LR, {kind}")
            right.set_title(f"E$_6$, {kind}")
            for ax in (left, right):
                _profile_axes(ax, 50, 500, "right")
            figures.legend_inside(left)
            figures.legend_inside(right, title="weakest to strongest")
            found = [row["limit_gev"] for row in _of(limits, "lr") if kind_of(row["experiment"]) == kind]
            if max(found) / min(found) - 1 < COINCIDE:
                said = f"{NUMBERS[len(found)]} curves\nthat coincide: limits\n{min(found):.1f} to {max(found):.1f} GeV"
                figures.remark(left, said, 0.03, 0.04)
        return _outer(figure, axes)

    return PaperFigure(
        number=1,
        title="Delta chi2 against M_Z'",
        caption="Left-right symmetric model (one line an experiment) and E6 models chi and eta (bands from the weakest "
        "to the strongest experiment), each at its own sigma_sys. Delta chi2 is above its minimum over all M_Z'; where "
        f"it is above the line, the threshold at {LEVEL}, {THRESHOLD:.2f}, a mass is excluded. The reactors' lines "
        "coincide.",
        tables={"": (PROFILE_KEYS, profiles), "limits": (KEYS, limits)},
        findings=(_crossings_equal_limits(profiles, limits),),
        drawing=draw,
    )


def figure2(cubes: Sequence[Cube]) -> PaperFigure:
    """Limits against the systematic error."""
    limits = _limits(cubes, sigma_sys="axis")
    best = {at: _ranking(limits, SNS, at) for at in (0.0, 0.2, 0.3)}
    reactors = {at: _ranking(limits, REACTORS, at) for at in (0.0, 0.2)}
    strongest_two = {frozenset(ranked[:2]) for ranked in best[0.0].values()}
    return PaperFigure(
        number=2,
        title="Limits against sigma_sys",
        caption=f"Lower limits at {LEVEL}, against the relative systematic error of the signal, at L/L0 = 1. {SHADED}",
        tables={"": (KEYS, limits)},
        findings=(
            Finding(
                "SNS: LAr and NaI are the strongest at small sigma_sys",
                strongest_two == {frozenset(("coherent-lar", "coherent-nai"))},
                *_ranked(limits, SNS, 0.0),
            ),
            Finding(
                "SNS: CsI is the strongest at large sigma_sys",
                all(ranked[0] == "coherent-csi" for at in (0.2, 0.3) for ranked in best[at].values()),
                *_ranked(limits, SNS, 0.3),
            ),
            *(
                Finding(
                    f"Reactors: xenon (RED-100) strongest, germanium (TEXONO) weakest; at sigma_sys = {at:g}",
                    all((ranked[0], ranked[-1]) == ("red100", "texono") for ranked in reactors[at].values()),
                    *_ranked(limits, REACTORS, at),
                )
                for at in (0.0, 0.2)
            ),
        ),
        drawing=lambda: _limit_panels(limits, "sigma_sys", free="top"),
    )


def figure3(cubes: Sequence[Cube]) -> PaperFigure:
    """Limits against the luminosity at a small systematic error."""
    limits = _limits(cubes, sigma_sys=[0.01], luminosity="axis")
    curves = grouped(limits, lambda row: (row["experiment"], row["model"]))
    measured = [rows for curve, rows in curves.items() if curve[0] == "coherent-csi"]
    projections = {curve: _rise(rows, "limit_gev") for curve, rows in curves.items() if curve[0] != "coherent-csi"}
    steepest = max(projections, key=lambda curve: projections[curve])
    expected, scaled = ([_rise(rows, key) for rows in measured] for key in ("expected_gev", "limit_gev"))
    return PaperFigure(
        number=3,
        title="Limits against the luminosity",
        caption=f"Lower limits at {LEVEL}, against the factor on the exposure, at sigma_sys = 0.01. COHERENT CsI is "
        "expected, from the Standard Model's prediction in place of the data; thin beside it is the limit from scaled "
        f"data: the count of 2017 times L/L0, with its deficit. {SHADED}",
        tables={"": (KEYS, limits)},
        findings=(
            Finding(
                "Projections: nearly flat once systematics dominate (less than 10 % from L/L0 = 100 to 1000)",
                max(projections.values()) < 0.1,
                f"They rise by {100 * min(projections.values()):.2f} to {100 * projections[steepest]:.1f} %, "
                f"most for {label_of(steepest[0])}, {steepest[1]}.",
            ),
            Finding(
                "COHERENT CsI, expected: nearly flat too",
                max(expected) < 0.1,
                f"It rises by {100 * max(expected):.1f} %, as its counting error, 1.8 % at L/L0 = 100, still exceeds "
                f"sigma_sys. From scaled data it rises by {100 * max(scaled):.1f} %, as their deficit, 136 events for "
                "180, weighs ever more against models that add events.",
            ),
        ),
        drawing=lambda: _limit_panels(limits, "luminosity", free="bottom"),
    )


def figure4(cubes: Sequence[Cube]) -> PaperFigure:
    """Delta chi2 against M_Z' for 51Cr."""
    profiles, limits = _profiles(cubes), _limits(cubes)

    def draw() -> "Figure":
        figure, axes = figures.canvas(2, 2, height=4.6, sharex=True, sharey=True)
        colours = {name: look["color"] for name, look in figures.styles(profiles, _experiment).items()}
        solid, dashed = (
            {name: {"color": colour, "linestyle": dash} for name, colour in colours.items()}
            for dash in figures.DASHES[:2]
        )

        def drawn(ax: Any, model: str, style: Mapping[str, Mapping[str, Any]]) -> Any:
            return figures.curves(ax, _of(profiles, model), "m_zprime_gev", "delta_chi2", _experiment, style)

        for ax, model in zip(axes.flat, ("lr", "chi", "eta", "psi"), strict=True):
            lines = drawn(ax, model, solid)
            ax.set_title(figures.symbol(model))
            _profile_axes(ax, 80, 1000, "left")
            figures.legend_inside(ax, lines=lines, title="as published" if model == "lr" else None)
        lines = drawn(axes[0, 0], "lr-nc", dashed)
        figures.legend_inside(axes[0, 0], "upper left", lines, title="neutral\ncurrent only")
        return _outer(figure, axes)

    return PaperFigure(
        number=4,
        title="51Cr: Delta chi2 against M_Z'",
        caption="Configurations A (5 MCi, 100 d), B (5 MCi, 50 d) and C (10 MCi, 50 d) on liquid xenon at their "
        "sigma_sys = 0.0025. Model lr is what the paper computed; lr-nc, with W exchange left alone, is not in the "
        f"paper. From left to right the lines are B, A and C; above the threshold at {LEVEL}, {THRESHOLD:.2f}, a mass "
        "is excluded.",
        tables={"": (PROFILE_KEYS, profiles), "limits": (KEYS, limits)},
        findings=(_crossings_equal_limits(profiles, limits),),
        drawing=draw,
    )


def figure5(cubes: Sequence[Cube]) -> PaperFigure:
    """90 % regions in (cos(beta), M_Z')."""
    limits = _limits(cubes)
    for row in limits:
        row["cos_beta"] = math.cos(row["beta_rad"])
    axes = PlaneAxes(("cos_beta", "m_zprime"))
    shown = [plane_of(cube, axes, Question(cl=CL, dof=DOF)) for cube in cubes]
    vertices = [each for plane in shown for each in contour_records(plane, contours(plane))]
    exact = {name: _status_at(name, INSENSITIVE) for name in dict.fromkeys(row["experiment"] for row in limits)}
    cevns = {name: states for name, states in exact.items() if kind_of(name) != CHROMIUM}
    chromium = {name: states for name, states in exact.items() if kind_of(name) == CHROMIUM}
    return PaperFigure(
        number=5,
        title="90 % regions in (cos(beta), M_Z')",
        caption=f"E6, U(1)_beta: the masses below a line are excluded at {LEVEL} (each beta is a model of "
        "its own, as in Table 3), each experiment at its own sigma_sys; those in the shade are excluded by all. "
        "Dotted: the angles at which the Z' decouples.",
        tables={"": (CONTOUR_KEYS, vertices), "limits": ((*KEYS, "cos_beta"), limits)},
        findings=(
            Finding(
                "CEvNS: two insensitive beta, 90 and 113.28 deg",
                all(states == [NO_SENSITIVITY] * 2 for states in cevns.values()),
                f"{_without(cevns, 0)} experiments have no limit at 90 deg, {_without(cevns, 1)} at 113.28 deg.",
                f"On the grid of 0.5 deg the weakest limits are at {_weakest(limits, SNS)} (SNS) and "
                f"{_weakest(limits, REACTORS)} (reactors).",
            ),
            Finding(
                "51Cr: one insensitive beta, 113.28 deg",
                all(states == [OK, NO_SENSITIVITY] for states in chromium.values()),
                f"{_without(chromium, 0)} experiments have no limit at 90 deg, {_without(chromium, 1)} at 113.28 deg.",
                f"On the grid of 0.5 deg the weakest limits are at {_weakest(limits, CHROMIUM)}.",
            ),
        ),
        drawing=functools.partial(_draw_figure5, limits, vertices),
    )


def _draw_figure5(limits: Sequence[Record], vertices: Sequence[Record]) -> "Figure":
    figure, (axes,) = figures.canvas(1, 2, height=3.3, sharex=True, sharey=True)
    left, right = axes
    for ax in axes:
        figures.name_axes(ax, "cos_beta", "m_zprime_gev")
        ax.set(xlim=(-1, 1), ylim=(20, 1500))
    for kind in (SNS, REACTORS):
        ours = [row for row in limits if kind_of(row["experiment"]) == kind]
        name = f"{kind}, weakest to strongest"
        figures.band(left, ours, "cos_beta", "limit_gev", name, color=BANDS[kind], alpha=0.35, linewidth=0)
        look = {_experiment(row): {"color": BANDS[kind], "linewidth": 0.4} for row in ours}
        lines = [row for row in vertices if kind_of(row["experiment"]) == kind]
        for line in figures.contour_curves(left, lines, "cos_beta", "m_zprime_gev", _experiment, look):
            line.set_label("_")  # there are too many curves for the legend, which names their band
    ours = [row for row in vertices if kind_of(row["experiment"]) == CHROMIUM]
    figures.contour_curves(right, ours, "cos_beta", "m_zprime_gev", _experiment)
    for ax, kinds, angles in ((left, (SNS, REACTORS), INSENSITIVE), (right, (CHROMIUM,), INSENSITIVE[1:])):
        shown = [row for row in limits if kind_of(row["experiment"]) in kinds]
        figures.excluded_below(ax, shown, "cos_beta", "limit_gev")
        for angle in angles:
            ax.axvline(math.cos(angle), ymax=0.8, color="0.4", linewidth=0.7, linestyle=":", zorder=1)
        figures.remark(ax, f"excluded by all {NUMBERS[len(grouped(shown, _experiment))]}", 0.78, 0.1, ha="center")
        figures.legend_inside(ax, "upper center")
    left.set_title("CEvNS")
    right.set_title(figures.literal(CHROMIUM))
    right.set_ylabel("")
    return figure


def figure6(cubes: Sequence[Cube]) -> PaperFigure:
    """COHERENT, CONNIE and 51Cr combined."""
    combined = [cube for cube in cubes if not cube.has_events]
    shown = [0.0, 0.01, 0.05, 0.1, 0.2]
    profiles = _profiles(combined, sigma_sys=shown)
    limits = _limits(combined, sigma_sys="axis")
    for cube in cubes:
        if cube.has_events:  # 51Cr keeps its own sigma_sys
            limits += _limits([cube]) if kind_of(cube.experiment) == CHROMIUM else _limits([cube], sigma_sys="axis")
    name = combined[0].experiment
    gains = [
        row["limit_gev"] / max(each["limit_gev"] for each in _members(limits, row, name))
        for row in limits
        if row["experiment"] == name
    ]

    return PaperFigure(
        number=6,
        title="COHERENT CsI, CONNIE and 51Cr combined",
        caption="Sum of the chi2 of COHERENT CsI, CONNIE and 51Cr (C), each with its own nuisances; sigma_sys is "
        "that of the two CEvNS experiments, 51Cr keeps 0.0025. Above: Delta chi2 of the combination; below: limits at "
        f"{LEVEL}, of the combination and of its members. {SHADED}",
        tables={"": (PROFILE_KEYS, profiles), "limits": (KEYS, limits)},
        findings=(
            Finding(
                "The combination is never weaker than its best member",
                min(gains) >= 1,
                f"Its limit is {min(gains):.3f} to {max(gains):.3f} times the best member's, over sigma_sys 0 to 0.2.",
            ),
        ),
        drawing=functools.partial(_draw_figure6, profiles, limits, name),
    )


def _draw_figure6(profiles: Sequence[Record], limits: Sequence[Record], name: str) -> "Figure":
    figure, axes = figures.canvas(2, 2, height=5.0)
    for top, bottom, model in zip(*axes, ("chi", "eta"), strict=True):
        figures.curves(
            top,
            _of(profiles, model),
            "m_zprime_gev",
            "delta_chi2",
            lambda row: f"{_cevns_sigma_sys(row):g}",
        )
        top.set_title(f"{figures.symbol(model)}, combined")
        _profile_axes(top, 200, 2000, "left")
        ours = [{**row, "sigma_sys": s} for row in _of(limits, model) for s in _drawn_at(row)]
        members = [row for row in ours if row["experiment"] != name]
        looks = {name: {"color": "black", "linewidth": 1.8}} | figures.styles(members, _experiment)
        figures.curves(bottom, ours, "sigma_sys", "limit_gev", _experiment, looks)[0].set_label("combined")
        figures.name_axes(bottom, "sigma_sys", "limit_gev")
        bottom.set(xlim=(0, 0.2), ylim=(150, 2000), title=figures.symbol(model))
        figures.excluded_below(bottom, members, "sigma_sys", "limit_gev")
    for top, bottom in axes.T:
        figures.legend_inside(top, title=figures.QUANTITIES["sigma_sys"].label)
        figures.legend_inside(bottom)
    for ax in axes[:, 1]:
        ax.set_ylabel("")
    return figure


RECIPES = dict(enumerate((figure1, figure2, figure3, figure4, figure5, figure6), start=1))


@functools.cache
def kind_of(name: str) -> str:
    """Whether an experiment is at the SNS, at a reactor or with 51Cr."""
    experiment = load(name)
    if experiment.channel == "nu-e":
        return CHROMIUM
    return SNS if experiment.source.group == "spallation" else REACTORS


def _cevns_sigma_sys(row: Record) -> float:
    """The sigma_sys of a row; of a combination, that of its CEvNS experiments."""
    sigma = row["sigma_sys"]
    value: float = sigma["coherent-csi"] if isinstance(sigma, dict) else sigma
    return value


def _profiles(cubes: Iterable[Cube], **at: Values) -> list[Record]:
    return [row for cube in cubes for row in profile_records(cube, Question(at=at))]


def _limits(cubes: Iterable[Cube], **at: Values) -> list[Record]:
    return [row for cube in cubes for row in limit_records(cube, Question(at=at))]


def _experiment(row: Record) -> str:
    """The experiment of a row as a picture shows it."""
    return figures.literal(label_of(row["experiment"]))


def _of(rows: Iterable[Record], *models: str) -> list[Record]:
    return [row for row in rows if row["model"] in models]


def _profile_axes(ax: Any, low: float, high: float, free: str) -> None:
    """Axes of profiles, and above the threshold what it means, at the left or the right."""
    figures.name_axes(ax, "m_zprime_gev", "delta_chi2")
    ax.set(xlim=(low, high), ylim=(0, 10))
    figures.level(ax, THRESHOLD)
    figures.remark(ax, f"excluded at\n{LEVEL}", 0.985 if free == "right" else 0.015, THRESHOLD / 10 + 0.01, ha=free)


def _limit_panels(limits: Sequence[Record], x: str, free: str) -> "Figure":
    """Limits against an axis: SNS above reactors, a column for each model; right at the top or bottom is room."""
    figure, axes = figures.canvas(2, 3, height=4.8, sharex=True, sharey="row")
    for row_of_axes, kind in zip(axes, (SNS, REACTORS), strict=True):
        panels = []
        for ax, model in zip(row_of_axes, ("lr", "chi", "eta"), strict=True):
            ours = [row for row in _of(limits, model) if kind_of(row["experiment"]) == kind]
            drawn, looks = figures.with_expected(ours, "limit_gev", _experiment)
            figures.curves(ax, drawn, x, "limit_gev", figures.curve_of, looks)
            figures.name_axes(ax, x, "limit_gev")
            ax.set(title=f"{figures.symbol(model)}, {kind}", xlim=(ours[0][x], ours[-1][x]))
            figures.remark(ax, _agreement(ours, x), 0.96, 0.95 if free == "top" else 0.05, ha="right", va=free)
            panels.append((ax, drawn))
        for ax, drawn in panels:  # now that their common axis of masses reaches over all curves
            figures.excluded_below(ax, drawn, x, "limit_gev")
        figures.legend(row_of_axes[-1], kind, MEASURED if any(row["scaled_data"] for row in ours) else "")
    return _outer(figure, axes)


def _outer(figure: "Figure", axes: Any) -> "Figure":
    """Labels only along the outer edges."""
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    return figure


def _rise(rows: Sequence[Record], key: str) -> float:
    """By how much a limit rises from L/L0 = 100 to the end, relative."""
    rise: float = rows[-1][key] / rows[_nearest(rows, 100)][key] - 1
    return rise


def _nearest(rows: Sequence[Record], luminosity: float) -> int:
    return int(np.abs(np.log([row["luminosity"] / luminosity for row in rows])).argmin())


def _crossings_equal_limits(profiles: Sequence[Record], limits: Sequence[Record]) -> Finding:
    """Where the drawn curves cross the threshold, by interpolation, beside the limits of the same points."""
    worst, count = 0.0, 0
    for profile, (found,) in zip(_curves(profiles), _curves(limits), strict=True):
        value = np.array([row["delta_chi2"] for row in profile])
        last = np.flatnonzero((value[:-1] > THRESHOLD) & (value[1:] <= THRESHOLD))[-1]
        mass = np.log([profile[i]["m_zprime_gev"] for i in (last, last + 1)])
        crossing = math.exp(np.interp(-THRESHOLD, -value[last : last + 2], mass))
        worst, count = max(worst, abs(crossing / found["limit_gev"] - 1)), count + 1
    return Finding(
        f"Where Delta chi2 crosses {THRESHOLD:.2f} is the limit of Table 3",
        worst < 1e-3,
        f"All {count} curves do, to {100 * worst:.3f} %, interpolated between the points drawn.",
    )


def _curves(rows: Iterable[Record]) -> list[list[Record]]:
    return list(grouped(rows, lambda row: (row["experiment"], row["model"])).values())


def _ranking(limits: Sequence[Record], kind: str, sigma: float) -> dict[str, list[str]]:
    """Names of the experiments of a kind from the strongest limit to the weakest, for each model."""
    at = [row for row in limits if kind_of(row["experiment"]) == kind and abs(row["sigma_sys"] - sigma) < 1e-9]
    return {
        model: [row["experiment"] for row in sorted(rows, key=lambda row: -row["limit_gev"])]
        for model, rows in grouped(at, lambda row: row["model"]).items()
    }


def _ranked(limits: Sequence[Record], kind: str, sigma: float) -> tuple[str, str]:
    """Who is the strongest and who the weakest, and with their limits the strongest two and the weakest."""
    by_name = {(row["experiment"], row["model"], round(row["sigma_sys"], 9)): row["limit_gev"] for row in limits}
    rankings = _ranking(limits, kind, sigma)
    ratios = [by_name[names[0], model, sigma] / by_name[names[-1], model, sigma] for model, names in rankings.items()]

    def told(model: str, names: Sequence[str]) -> str:
        return ", ".join(f"{label_of(name)} {by_name[name, model, sigma]:.1f}" for name in names)

    strongest, weakest = (_by_model({model: names[at] for model, names in rankings.items()}) for at in (0, -1))
    conclusion = f"At sigma_sys = {sigma:g} the strongest limit is that of {strongest}, the weakest that of {weakest}; "
    numbers = [
        f"{model}: {told(model, names[:2])} ... {told(model, names[-1:])} GeV" for model, names in rankings.items()
    ]
    return (
        f"{conclusion}their ratio is {min(ratios):.2f} to {max(ratios):.2f}.",
        "; ".join(numbers),
    )


def _by_model(experiments: Mapping[str, str]) -> str:
    """Experiments by model: one where it is the same for all, else each with its models."""
    models = grouped([{"model": model, "name": name} for model, name in experiments.items()], lambda row: row["name"])
    if len(models) == 1:
        return label_of(*models)
    told = (f"{label_of(name)} ({', '.join(row['model'] for row in rows)})" for name, rows in models.items())
    return " or ".join(told)


def _agreement(rows: Sequence[Record], x: str) -> str:
    """From where on curves of limits, as they rise or fall together, can't be told apart; empty where they can."""
    limits = {at: [row["limit_gev"] for row in each] for at, each in grouped(rows, lambda row: row[x]).items()}
    apart = [at for at, each in limits.items() if max(each) / min(each) - 1 > COINCIDE]
    together = [at for at in limits if at > max(apart)]
    if not together:
        return ""
    count = NUMBERS[len(grouped(rows, _experiment))]
    return f"{count} within {100 * COINCIDE:g} %\nfrom {figures.QUANTITIES[x].label} = {together[0]:.2g} on"


def _status_at(name: str, angles: Sequence[float]) -> list[str]:
    _, status = limit(name, "e6", beta=angles, with_status=True)
    return list(map(str, status))


def _weakest(limits: Sequence[Record], kind: str) -> str:
    """Angles at which the limits of a kind of experiment have a local minimum, in deg."""
    found: set[float] = set()
    for rows in grouped((row for row in limits if kind_of(row["experiment"]) == kind), _experiment).values():
        value = np.array([row["limit_gev"] or 0.0 for row in rows])
        low = np.flatnonzero((value[1:-1] < value[:-2]) & (value[1:-1] < value[2:])) + 1
        found |= {round(math.degrees(rows[i]["beta_rad"]), 1) for i in low}
    return ", ".join(f"{angle:g}" for angle in sorted(found)) + " deg"


def _without(states: Mapping[str, Sequence[str]], angle: int) -> str:
    """How many of some experiments have no sensitivity at an angle, by its number."""
    return f"{sum(each[angle] == 'no_sensitivity' for each in states.values())} of {len(states)}"


def _members(limits: Sequence[Record], combined: Record, name: str) -> list[Record]:
    """The limits of a combination's members at its sigma_sys; 51Cr's is at its own."""
    return [
        row
        for row in _of(limits, combined["model"])
        if row["experiment"] != name and _cevns_sigma_sys(combined) in _drawn_at(row, _cevns_sigma_sys(combined))
    ]


def _drawn_at(row: Record, *everywhere: float) -> tuple[float, ...]:
    """Values of sigma_sys at which a row of Fig. 6 is drawn: its own, and that of 51Cr across the figure."""
    if row["experiment"].startswith("cr51"):  # the combination is of no kind
        return everywhere or (0.0, 0.2)
    return (_cevns_sigma_sys(row),)
