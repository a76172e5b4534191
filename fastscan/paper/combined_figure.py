"""Figure 6 of arXiv:2002.01482: the combination of COHERENT CsI, CONNIE and 51Cr, and its members."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastscan.outputs import figures
from fastscan.outputs.page import Finding
from fastscan.paper.figure_parts import (
    CHROMIUM,
    KEYS,
    LEVEL,
    PROFILE_KEYS,
    SHADED,
    PaperFigure,
    kind_of,
    limit_rows,
    name_of,
    of_models,
    profile_rows,
)
from fastscan.paper.profile_figures import profile_axes
from fastscan.stores.cube import Cube
from fastscan.typing import Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.figure import Figure


def figure6(cubes: Sequence[Cube]) -> PaperFigure:
    """COHERENT, CONNIE and 51Cr combined."""
    combined = [cube for cube in cubes if not cube.has_events]
    shown = [0.0, 0.01, 0.05, 0.1, 0.2]
    profiles = profile_rows(combined, sigma_sys=shown)
    limits = limit_rows(combined, sigma_sys="axis")
    for cube in cubes:
        if cube.has_events:  # a single experiment; 51Cr keeps its own sigma_sys
            own = kind_of(cube.experiment) == CHROMIUM
            limits += limit_rows([cube]) if own else limit_rows([cube], sigma_sys="axis")
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
        drawing=functools.partial(_drawn, profiles, limits, name),
    )


def _drawn(profiles: Sequence[Record], limits: Sequence[Record], name: str) -> "Figure":
    figure, axes = figures.canvas(2, 2, height=5.0)
    for top, bottom, model in zip(*axes, ("chi", "eta"), strict=True):
        figures.curves(
            top,
            of_models(profiles, model),
            "m_zprime_gev",
            "delta_chi2",
            lambda row: f"{_cevns_sigma_sys(row):g}",
        )
        top.set_title(f"{figures.symbol(model)}, combined")
        profile_axes(top, 200, 2000, "left")
        ours = [{**row, "sigma_sys": s} for row in of_models(limits, model) for s in _drawn_at(row)]
        members = [row for row in ours if row["experiment"] != name]
        looks = {name: {"color": "black", "linewidth": 1.8}} | figures.styles(members, name_of)
        figures.curves(bottom, ours, "sigma_sys", "limit_gev", name_of, looks)[0].set_label("combined")
        figures.name_axes(bottom, "sigma_sys", "limit_gev")
        bottom.set(xlim=(0, 0.2), ylim=(150, 2000), title=figures.symbol(model))
        figures.excluded_below(bottom, members, "sigma_sys", "limit_gev")
    for top, bottom in axes.T:
        figures.legend_inside(top, title=figures.QUANTITIES["sigma_sys"].label)
        figures.legend_inside(bottom)
    for ax in axes[:, 1]:
        ax.set_ylabel("")
    return figure


def _members(limits: Sequence[Record], combined: Record, name: str) -> list[Record]:
    """The limits of a combination's members at the combination's sigma_sys; 51Cr is at its own sigma_sys."""
    return [
        row
        for row in of_models(limits, combined["model"])
        if row["experiment"] != name and _cevns_sigma_sys(combined) in _drawn_at(row, _cevns_sigma_sys(combined))
    ]


def _drawn_at(row: Record, *everywhere: float) -> tuple[float, ...]:
    """Values of sigma_sys at which a row of Fig. 6 is drawn: the row's own, but 51Cr is drawn across the figure."""
    if row["experiment"].startswith("cr51"):  # `kind_of` doesn't know the combination
        return everywhere or (0.0, 0.2)
    return (_cevns_sigma_sys(row),)


def _cevns_sigma_sys(row: Record) -> float:
    """The sigma_sys of a row; for a combination, the sigma_sys of its CEvNS experiments."""
    sigma = row["sigma_sys"]
    value: float = sigma["coherent-csi"] if isinstance(sigma, dict) else sigma
    return value
