"""Figures 2 and 3 of arXiv:2002.01482: limits against the systematic error and against the luminosity."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastscan.experiments.catalogue import label_of
from fastscan.outputs import figures
from fastscan.outputs.figures import grouped
from fastscan.outputs.page import Finding
from fastscan.paper.figure_parts import (
    COINCIDE,
    KEYS,
    LEVEL,
    NUMBERS,
    REACTORS,
    SHADED,
    SNS,
    PaperFigure,
    kind_of,
    limit_rows,
    name_of,
    of_models,
    outer_labels,
)
from fastscan.stores.cube import Cube
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.figure import Figure

MEASURED = """\
expected: from the Standard
Model's prediction in place
of the data.
scaled data: from the count of
2017 times $L/L_0$, with its deficit."""  # the remark on COHERENT CsI in a figure with other luminosities


def figure2(cubes: Sequence[Cube]) -> PaperFigure:
    """Limits against the systematic error."""
    limits = limit_rows(cubes, sigma_sys="axis")
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
    limits = limit_rows(cubes, sigma_sys=[0.01], luminosity="axis")
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


def _limit_panels(limits: Sequence[Record], x: str, free: str) -> "Figure":
    """Limits against an axis: SNS above reactors, a column for each model; a remark is at the `free` top or bottom."""
    figure, axes = figures.canvas(2, 3, height=4.8, sharex=True, sharey="row")
    for row_of_axes, kind in zip(axes, (SNS, REACTORS), strict=True):
        panels = []
        for ax, model in zip(row_of_axes, ("lr", "chi", "eta"), strict=True):
            ours = [row for row in of_models(limits, model) if kind_of(row["experiment"]) == kind]
            drawn, looks = figures.with_expected(ours, "limit_gev", name_of)
            figures.curves(ax, drawn, x, "limit_gev", figures.curve_of, looks)
            figures.name_axes(ax, x, "limit_gev")
            ax.set(title=f"{figures.symbol(model)}, {kind}", xlim=(ours[0][x], ours[-1][x]))
            figures.remark(ax, _agreement(ours, x), 0.96, 0.95 if free == "top" else 0.05, ha="right", va=free)
            panels.append((ax, drawn))
        for ax, drawn in panels:  # a second loop, when the common axis of masses covers all curves
            figures.excluded_below(ax, drawn, x, "limit_gev")
        figures.legend(row_of_axes[-1], kind, MEASURED if any(row["scaled_data"] for row in ours) else "")
    return outer_labels(figure, axes)


def _agreement(rows: Sequence[Record], x: str) -> str:
    """The remark on where curves of limits begin to coincide; empty where they can always be told apart."""
    limits = {at: [row["limit_gev"] for row in each] for at, each in grouped(rows, lambda row: row[x]).items()}
    apart = [at for at, each in limits.items() if max(each) / min(each) - 1 > COINCIDE]
    together = [at for at in limits if at > max(apart)]
    if not together:
        return ""
    count = NUMBERS[len(grouped(rows, name_of))]
    return f"{count} within {100 * COINCIDE:g} %\nfrom {figures.QUANTITIES[x].label} = {together[0]:.2g} on"


def _ranking(limits: Sequence[Record], kind: str, sigma: float) -> dict[str, list[str]]:
    """Names of the experiments of a kind from the strongest limit to the weakest, for each model."""
    at = [row for row in limits if kind_of(row["experiment"]) == kind and abs(row["sigma_sys"] - sigma) < 1e-9]
    return {
        model: [row["experiment"] for row in sorted(rows, key=lambda row: -row["limit_gev"])]
        for model, rows in grouped(at, lambda row: row["model"]).items()
    }


def _ranked(limits: Sequence[Record], kind: str, sigma: float) -> tuple[str, str]:
    """Two sentences for a finding: the strongest and the weakest experiment, and their limits with the second's."""
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
    """The label of the experiment of all models, or labels with the models of each."""
    models = grouped([{"model": model, "name": name} for model, name in experiments.items()], lambda row: row["name"])
    if len(models) == 1:
        return label_of(*models)
    told = (f"{label_of(name)} ({', '.join(row['model'] for row in rows)})" for name, rows in models.items())
    return " or ".join(told)


def _rise(rows: Sequence[Record], key: str) -> float:
    """The relative rise of a limit from L/L0 = 100 to the last luminosity."""
    rise: float = rows[-1][key] / rows[_nearest(rows, 100)][key] - 1
    return rise


def _nearest(rows: Sequence[Record], luminosity: float) -> int:
    return int(np.abs(np.log([row["luminosity"] / luminosity for row in rows])).argmin())
