"""A picture of an experiment: the spectrum that it is expected to count, by kind of neutrino, on its backgrounds.

Events are stacked, and data are points with the errors of chi2.  Where nuclei and electrons recoil, a dotted line shows
the electrons' events on the backgrounds.  The energy bins, the bins of a further quantity and the time bins have a
panel each, summed over the others; where bins have different widths, events are divided by the width.  An experiment
with one energy bin shows its signal as a spectrum in finer bins; if that bin is its only bin, the bin itself has a
panel too.  Many bins without an energy are merged into few.  Where there are data in several energy bins, a second row
shows their excess over the backgrounds, with the signal alone.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastscan.answers.shown import Shown, in_few_bins, in_fine_bins, seen_until
from fastscan.outputs import figures
from fastscan.physics.spectra import Neutrino
from fastscan.typing import Array

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREYS = ("0.8", "0.65", "0.5", "0.9", "0.72", "0.58")  # of backgrounds
SYMBOLS: dict[Neutrino, str] = {
    "nu_e": r"$\nu_e$",
    "nu_mu": r"$\nu_\mu$",
    "nu_tau": r"$\nu_\tau$",
    "nubar_e": r"$\bar\nu_e$",
    "nubar_mu": r"$\bar\nu_\mu$",
    "nubar_tau": r"$\bar\nu_\tau$",
}
POINTS: dict[str, Any] = {"fmt": "o", "markersize": 3, "color": "black", "linewidth": 0.8}  # the look of data
ENERGY, FACTOR, TIME = 0, 1, -1  # dimensions of arrays of events


def draw(shown: Shown) -> "Figure":
    """The picture of an experiment.

    Parameters
    ----------
    shown : Shown
        See `fastscan.answers.shown.show`.

    Returns
    -------
    Figure
        A figure with a row of panels: one for the energy, one for each other quantity with several bins, or one for an
        only bin.  Where there are data on backgrounds, a second row shows them without the backgrounds.

    Examples
    --------
    >>> from fastscan.answers.shown import show
    >>> figure = draw(show("cr51-lxe-a"))
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('recoil energy [keV]', 'events / 5 keV')
    """
    shown = in_few_bins(shown)
    sides = ((_draw_factor, shown.factor_edges), (_draw_times, shown.time_edges_us))
    panels = [_draw_energies if len(shown.edges) > 2 else _draw_signal]
    panels += [panel for panel, edges in sides if edges is not None and len(edges) > 2]
    widths = [1] * len(panels)
    if panels == [_draw_signal]:
        panels, widths = [_draw_signal, _draw_bin], [4, 1]
    rows = [shown]
    if shown.data is not None and shown.backgrounds and panels[0] is _draw_energies:
        rows += [replace(shown, backgrounds={}, data=shown.data - shown.background)]
    with figures.look():
        ratios = {"width_ratios": widths, "height_ratios": [3, 2][: len(rows)]}
        height = 3.0 if len(rows) == 1 else 4.6
        figure, axes = figures.canvas(len(rows), len(panels), height, sharex="col", gridspec_kw=ratios)
        for row, its_axes in zip(rows, axes, strict=True):
            for panel, ax in zip(panels, its_axes, strict=True):
                panel(ax, row)
        for above in axes[:-1].flat:
            above.set_xlabel("")
        for below in axes[1:].flat:
            below.set_ylabel(below.get_ylabel().replace("events", "excess"))
        axes[0, 0].set_title(figures.literal(shown.experiment.label))
        figures.legend(axes[0, -1])
        figures.make_room(figure, axes[0, -1])
    return figure


def _draw_energies(ax: "Axes", shown: Shown) -> None:
    stack(ax, shown.edges, shown, ENERGY, unit_of(shown))
    ax.set(xlabel=energy_label(shown))


def _draw_signal(ax: "Axes", shown: Shown) -> None:
    """Draw a spectrum in finer bins up to `seen_until`, because the lightest nucleus can recoil much farther."""
    until = seen_until(in_fine_bins(shown))
    _draw_energies(ax, in_fine_bins(shown, until))
    ax.set(xlim=(shown.edges[0], until), ylabel=f"signal {ax.get_ylabel()}")


def _draw_factor(ax: "Axes", shown: Shown) -> None:
    assert shown.experiment.factor is not None
    assert shown.factor_edges is not None
    stack(ax, shown.factor_edges, shown, FACTOR)
    ax.set(xlabel=figures.literal(shown.experiment.factor.name))


def _draw_times(ax: "Axes", shown: Shown) -> None:
    assert shown.time_edges_us is not None
    stack(ax, shown.time_edges_us, shown, TIME, r"$\mu$s")
    ax.set(xlabel=r"time after the protons [$\mu$s]")


def _draw_bin(ax: "Axes", shown: Shown) -> None:
    stack(ax, np.array([0.0, 1.0]), shown, ENERGY)
    ax.set(xlabel="all", ylabel="events", xticks=[])


def stack(ax: "Axes", edges: Array, shown: Shown, dimension: int, unit: str = "") -> None:
    """Draw backgrounds, on them the events of each neutrino, and the data, in the bins of one dimension."""
    widths = np.diff(edges)
    alike = np.allclose(widths, widths[0], rtol=1e-6)
    per = np.ones_like(widths) if alike else widths
    bottom = np.zeros(len(edges) - 1)
    greys = {name: GREYS[number % len(GREYS)] for number, name in enumerate(shown.backgrounds)}
    colours = dict(zip(shown.events, figures.COLOURS, strict=False))
    parts = [(figures.literal(name), events, greys[name]) for name, events in shown.backgrounds.items()]
    parts += [(SYMBOLS[name], events, colours[name]) for name, events in shown.events.items()]
    for name, events, colour in parts:
        top = bottom + along(events, dimension) / per
        ax.stairs(top, edges, baseline=bottom, fill=True, color=colour, label=name)
        bottom = top
    if len(shown.recoiling) > 1:
        electrons = along(shown.background + shown.recoiling["electrons"], dimension) / per
        ax.stairs(electrons, edges, color="black", linestyle=":", label="electrons")
    if shown.data is not None and shown.error is not None:
        data, error = along(shown.data, dimension) / per, np.sqrt(along(shown.error**2, dimension)) / per
        middles = (edges[1:] + edges[:-1]) / 2
        ax.errorbar(middles, data, error, label="data", **POINTS)
    else:
        ax.set_ylim(bottom=0)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylabel(f"events / {f'{widths[0]:.4g} {unit}' if alike else unit or '1'}".rstrip())


def along(events: Array, dimension: int) -> Array:
    """Events in the bins of one dimension, summed over the others."""
    summed: Array = np.moveaxis(events, dimension, 0).reshape(events.shape[dimension], -1).sum(axis=1)
    return summed


def unit_of(shown: Shown) -> str:
    """The unit of the bins' width, as text for the axis of events."""
    several = shown.unit == "bin" and shown.edges[1] - shown.edges[0] > 1
    return {"electrons": "e$^-$", "bin": "bins" if several else "bin"}.get(shown.unit, shown.unit)


def energy_label(shown: Shown) -> str:
    """The text along the axis of energies."""
    names = {"recoil": "recoil energy", "visible": "visible energy"}
    return f"{names[shown.kind]} [{shown.unit}]" if shown.kind in names else figures.literal(shown.unit)
