"""A picture of what an experiment is expected to count: its spectrum, by neutrino, over its backgrounds.

Events are stacked, and data are points with the errors of chi2.  A dotted line has those of electrons alone, over the
backgrounds, where nuclei recoil too.  An experiment with one bin has its signal as a
spectrum in finer bins, and beside it the bin itself; one with bins of time or of a factor has them beside those of
energy.
"""

from typing import TYPE_CHECKING

import numpy as np

from fastscan.answers.shown import Shown, in_fine_bins, seen_until
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
ENERGY, FACTOR, TIME = 0, 1, -1  # the dimensions of events


def draw(shown: Shown) -> "Figure":
    """The picture of an experiment.

    Parameters
    ----------
    shown : Shown
        See `fastscan.answers.shown.show`.

    Returns
    -------
    Figure
        With a panel of the energies and, beside it, those of a factor and the times, or the one bin.

    Examples
    --------
    >>> from fastscan.answers.shown import show
    >>> figure = draw(show("cr51-lxe-a"))
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('recoil energy [keV]', 'events / 5 keV')
    """
    several = [edges is not None and len(edges) > 2 for edges in (shown.factor_edges, shown.time_edges_us)]
    beside = [draw_in for draw_in, drawn in zip((_draw_factor, _draw_times), several, strict=True) if drawn]
    one_bin = len(shown.edges) == 2 and not beside
    ratios = {"width_ratios": [4, 1] if one_bin else [1] * (1 + len(beside))}
    with figures.look():
        figure, axes = figures.canvas(columns=len(ratios["width_ratios"]), height=3.0, gridspec_kw=ratios)
        first, last = axes[0, 0], axes[0, -1]
        if one_bin:
            _draw_signal(first, shown)
            _draw_bin(last, shown)
        else:
            _draw_energies(first, shown)
        for ax, draw_in in zip(axes[0, 1:], beside, strict=False):
            draw_in(ax, shown)
        first.set_title(figures.literal(shown.experiment.label))
        figures.legend(last)
        figures.make_room(figure, last)
    return figure


def _draw_energies(ax: "Axes", shown: Shown) -> None:
    _stack(ax, shown.edges, shown, ENERGY)
    unit = "e$^-$" if shown.unit == "electrons" else shown.unit
    ax.set(xlabel=_energy_label(shown), ylabel=_events_label(shown.edges, unit))


def _draw_signal(ax: "Axes", shown: Shown) -> None:
    """A spectrum in finer bins, up to where hardly any events are, however far the lightest nucleus recoils."""
    until = seen_until(in_fine_bins(shown))
    _draw_energies(ax, in_fine_bins(shown, until))
    ax.set(xlim=(shown.edges[0], until), ylabel=f"signal {ax.get_ylabel()}")


def _draw_factor(ax: "Axes", shown: Shown) -> None:
    factor, edges = shown.experiment.factor, shown.factor_edges
    assert factor is not None
    assert edges is not None
    _stack(ax, edges, shown, FACTOR)
    ax.set(xlabel=figures.literal(factor.name), ylabel=_events_label(edges, ""))


def _draw_times(ax: "Axes", shown: Shown) -> None:
    assert shown.time_edges_us is not None
    _stack(ax, shown.time_edges_us, shown, TIME)
    ax.set(xlabel=r"time after the protons [$\mu$s]", ylabel=_events_label(shown.time_edges_us, r"$\mu$s"))


def _draw_bin(ax: "Axes", shown: Shown) -> None:
    _stack(ax, np.array([0.0, 1.0]), shown, ENERGY)
    ax.set(xlabel="all", ylabel="events", xticks=[])


def _stack(ax: "Axes", edges: Array, shown: Shown, dimension: int) -> None:
    """Backgrounds, on them the events of each neutrino, and the data, in the bins of one dimension."""
    bottom = np.zeros(len(edges) - 1)
    greys = {name: GREYS[number % len(GREYS)] for number, name in enumerate(shown.backgrounds)}
    colours = dict(zip(shown.events, figures.COLOURS, strict=False))
    parts = [(figures.literal(name), events, greys[name]) for name, events in shown.backgrounds.items()]
    parts += [(SYMBOLS[name], events, colours[name]) for name, events in shown.events.items()]
    for name, events, colour in parts:
        top = bottom + _along(events, dimension)
        ax.stairs(top, edges, baseline=bottom, fill=True, color=colour, label=name)
        bottom = top
    if len(shown.recoiling) > 1:
        electrons = _along(shown.background + shown.recoiling["electrons"], dimension)
        ax.stairs(electrons, edges, color="black", linestyle=":", label="electrons")
    if shown.data is not None and shown.error is not None:
        data, error = _along(shown.data, dimension), np.sqrt(_along(shown.error**2, dimension))
        middles = (edges[1:] + edges[:-1]) / 2
        ax.errorbar(middles, data, error, fmt="o", markersize=3, color="black", linewidth=0.8, label="data")
    else:
        ax.set_ylim(bottom=0)
    ax.set_xlim(edges[0], edges[-1])


def _along(events: Array, dimension: int) -> Array:
    """Events in the bins of one dimension, whatever the others are."""
    moved = np.moveaxis(events, dimension, 0)
    summed: Array = moved.reshape(len(moved), -1).sum(axis=1)
    return summed


def _energy_label(shown: Shown) -> str:
    names = {"recoil": "recoil energy", "visible": "visible energy"}
    return f"{names[shown.kind]} [{shown.unit}]" if shown.kind in names else figures.literal(shown.unit)


def _events_label(edges: Array, unit: str) -> str:
    """Events in each bin, of which all may have one width."""
    widths = np.diff(edges)
    return (
        f"events / {widths[0]:.4g} {unit}".rstrip()
        if np.allclose(widths, widths[0], rtol=1e-6)
        else "events in each bin"
    )
