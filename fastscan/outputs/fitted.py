"""A picture of a fit: the data on the expected events at the best nuisances, component by component.

Each quantity with several bins has a column of panels, summed over the bins of the others.  The upper panel shows the
events, the middle one the excess over the backgrounds, and the lower one the ratio of data to expected events.  A
dashed line shows the expected events with all nuisances at 0.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastscan.answers.fits import Fit, FittedExperiment
from fastscan.answers.shown import Shown, in_few_bins
from fastscan.outputs import figures
from fastscan.outputs.spectrum import ENERGY, FACTOR, POINTS, TIME, along, energy_label, stack, unit_of
from fastscan.typing import Array

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

EVENTS, EXCESS, RATIO = 2.2, 1.5, 0.9  # heights of the panels in inches


class _Side(NamedTuple):
    """A binned quantity: the edges of its bins, its dimension in arrays of events, its unit, and its label."""

    edges: Array
    dimension: int
    unit: str
    label: str


def draw(fit: Fit) -> "Figure":
    """The picture of a fit, with the panels of several experiments below each other.

    Parameters
    ----------
    fit : Fit
        See `fastscan.answers.fits.fit`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from fastscan.answers.fits import fit
    >>> figure = draw(fit("coherent-csi-2021", "s2w", shift=0))
    >>> [ax.get_ylabel() for ax in figure.subfigs[0].axes[::2]]
    ['events / PE', 'excess / PE', 'data / fit']
    """
    heights = [_heights(each) for each in fit.experiments]
    with figures.look():
        figure = figures.sheet(sum(sum(each) + figures.MARGIN for each in heights))
        parts = figure.subfigures(len(heights), 1, height_ratios=[sum(each) for each in heights], squeeze=False)
        for part, each, its_heights in zip(parts[:, 0], fit.experiments, heights, strict=True):
            _draw_experiment(part, each, its_heights)
        figure.suptitle(_told(fit))
    return figure


def _told(fit: Fit) -> str:
    """The model and its point, as the title shows them."""
    values = []
    for axis in fit.interaction.parameters:
        number = figures.number(float(f"{axis.shown(fit.at[axis.name]):.4g}"))
        values.append(f"${axis.symbol}$ = {axis.with_unit(number)}")
    best = " (best fit)" if fit.is_best else ""
    return f"{figures.symbol(fit.interaction.name)}: {', '.join(values)}{best}"


def _heights(fitted: FittedExperiment) -> list[float]:
    """Heights in inches of the rows of panels of an experiment."""
    above_background = fitted.after.background.any() and fitted.chi2.size > 1
    return [EVENTS, EXCESS, RATIO] if above_background else [EVENTS, RATIO]


def _sides(shown: Shown) -> list[_Side]:
    """The quantities that have several bins; without any, the only bin."""
    found = [_Side(shown.edges, ENERGY, unit_of(shown), energy_label(shown))]
    if shown.factor_edges is not None and shown.experiment.factor is not None:
        found.append(_Side(shown.factor_edges, FACTOR, "", figures.literal(shown.experiment.factor.name)))
    if shown.time_edges_us is not None:
        found.append(_Side(shown.time_edges_us, TIME, r"$\mu$s", r"time after the protons [$\mu$s]"))
    only = _Side(np.array([0.0, 1.0]), ENERGY, "", "all")
    return [side for side in found if len(side.edges) > 2] or [only]


def _draw_experiment(part: "SubFigure", fitted: FittedExperiment, heights: list[float]) -> None:
    after, before = in_few_bins(fitted.after), in_few_bins(fitted.before)
    assert after.data is not None
    sides = _sides(after)
    axes = part.subplots(len(heights), len(sides), sharex="col", squeeze=False, gridspec_kw={"height_ratios": heights})
    for side, (*above, last) in zip(sides, axes.T, strict=True):
        _draw_events(above[0], side, after, before)
        for excess in above[1:]:
            signal = replace(after, backgrounds={}, data=after.data - after.background)
            _draw_events(excess, side, signal, replace(before, backgrounds={}))
            excess.set_ylabel(excess.get_ylabel().replace("events", "excess"))
        _draw_ratio(last, side, after)
        last.set(xlabel=side.label)
        if fitted.chi2.size == 1:
            above[0].set(ylabel="events", xticks=[])
    axes[-1, 0].set_ylabel("data / fit")
    number = "one bin" if fitted.chi2.size == 1 else f"{fitted.chi2.size} bins"
    chi2 = rf"$\chi^2$ = {fitted.chi2.sum():.1f} in {number}"
    axes[0, 0].set_title(f"{figures.literal(after.experiment.label)}, {chi2}", loc="left")
    part.align_ylabels(axes)
    figures.legend(axes[0, -1])


def _draw_events(ax: "Axes", side: _Side, after: Shown, before: Shown) -> None:
    """Draw the components after the fit, the data, and the sum of all components before the fit."""
    stack(ax, side.edges, after, side.dimension, side.unit)
    widths = np.diff(side.edges)
    per = np.ones_like(widths) if np.allclose(widths, widths[0], rtol=1e-6) else widths
    expected = along(before.signal + before.background, side.dimension) / per
    ax.stairs(expected, side.edges, color="black", linestyle="--", linewidth=figures.THIN, label="before the fit")


def _draw_ratio(ax: "Axes", side: _Side, after: Shown) -> None:
    """Draw the ratio of data to expected events after the fit.

    The range of the panel covers the bins whose error is smaller than the expected events; others can lie outside.
    """
    assert after.data is not None
    assert after.error is not None
    expected = along(after.signal + after.background, side.dimension)
    there = expected > 0
    data, error = along(after.data, side.dimension), np.sqrt(along(after.error**2, side.dimension))
    ratio, own = data[there] / expected[there], error[there] / expected[there]
    middles = (side.edges[1:] + side.edges[:-1]) / 2
    ax.errorbar(middles[there], ratio, own, **POINTS)
    ax.axhline(1.0, color=figures.SOFT, linewidth=figures.THIN)
    reach = 1.1 * (np.abs(ratio - 1) + own)[own < 1].max(initial=0.0)
    if reach > 0:
        ax.set_ylim(1 - reach, 1 + reach)
    ax.set_xlim(side.edges[0], side.edges[-1])
