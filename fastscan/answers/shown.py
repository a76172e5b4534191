"""What is expected of an experiment in the Standard Model, bin by bin, beside its backgrounds and its data.

A record of a bin has the keys ``energy_low``, ``energy_high`` (None where the bin has no end) and ``energy_unit``,
``factor``, ``factor_low`` and ``factor_high`` (None without bins of a further quantity), ``time_low_us`` and
``time_high_us`` (None without bins of time), one for the events of each neutrino by its name, ``nuclei`` and
``electrons`` for those of all neutrinos where both recoil, ``signal`` for all of them,
``background_NAME`` for each background that has a name and ``background`` for all, ``data`` and ``error`` (None where
nothing is measured).
"""

import itertools
import math
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np

from fastscan.experiments import energies
from fastscan.experiments.backgrounds import UNNAMED
from fastscan.experiments.catalogue import load
from fastscan.experiments.detectors import Detector
from fastscan.experiments.energies import Kind
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.templates import Templates
from fastscan.likelihoods.predictions import standard_by_channel, standard_by_neutrino, standard_counts
from fastscan.likelihoods.response import response
from fastscan.physics.spectra import Neutrino
from fastscan.typing import Array, Channel, Record

RECOILS: dict[Channel, str] = {"cevns": "nuclei", "nu-e": "electrons"}
FINE_BINS = 120  # at most, of a spectrum that is drawn of an experiment in one bin
MOST_NUMBERED = 40  # bins of no energy that a picture has
SEEN = 0.999  # the part of the signal up to which it is drawn
SAMPLES = 256  # of recoils, of which the largest doesn't always give the most energy that is seen
LEAST_RANGE = 1.1  # of its end over its beginning
REACH = 5.0  # standard deviations of the resolution at the end of such a spectrum


@dataclass(frozen=True, eq=False)
class Shown:
    """An experiment, and the events in its bins.

    Arrays of events have the shape (energy bins, factor bins, time bins), without what the experiment has no bins of.

    Attributes
    ----------
    experiment : Experiment
        What is shown; `experiment.told` says it in words.
    unit : str
        The unit of `edges`, which says which energy it is: that of the experiment's file.
    edges : array, shape (energy bins + 1,)
        Edges of the energy bins; the last can be infinite.
    factor_edges : array, shape (factor bins + 1,), or None
        Edges of the bins of a further quantity, `experiment.factor`.
    time_edges_us : array, shape (time bins + 1,), or None
        Edges of the time bins in us.
    events : dict of str to array
        Events that the Standard Model predicts, by neutrino.
    recoiling : dict of str to array
        The same of all neutrinos, by what recoils: ``nuclei`` and ``electrons``, or one of them.
    backgrounds : dict of str to array
        Events of each background, by its name.
    data, error : array or None
        What was counted, and its error in chi2, without systematic ones: the square root of its variance, or of the
        events themselves where they follow Poisson's law; None where nothing is measured.
    """

    experiment: Experiment
    unit: str
    edges: Array
    factor_edges: Array | None
    time_edges_us: Array | None
    events: dict[Neutrino, Array]
    recoiling: dict[str, Array]
    backgrounds: dict[str, Array]
    data: Array | None
    error: Array | None

    @property
    def signal(self) -> Array:
        """Events of all neutrinos."""
        return sum(self.events.values(), np.zeros(self.shape))

    @property
    def background(self) -> Array:
        """Events of all backgrounds."""
        return sum(self.backgrounds.values(), np.zeros(self.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays of events."""
        sides = (self.edges, self.factor_edges, self.time_edges_us)
        return tuple(len(edges) - 1 for edges in sides if edges is not None)

    @property
    def kind(self) -> Kind:
        """The kind of energy that the bins are in."""
        return energies.UNITS[self.unit][0] if self.unit in energies.UNITS else "bins"


def show(experiment: str | PathLike[str] | Experiment) -> Shown:
    """An experiment as fastscan understands it, and what the Standard Model predicts in each of its bins.

    Parameters
    ----------
    experiment : str, path or Experiment
        Name (see ``fastscan experiments``), path to a TOML file, or `Experiment`.

    Returns
    -------
    Shown
        Its numbers at luminosity 1, and the experiment that they are of.

    Raises
    ------
    FastscanError
        For an unknown name, a file that is wrong, and an experiment that counts nothing or too much.

    References
    ----------
    Those of the experiment, ``experiment.references`` of what is returned.

    Examples
    --------
    >>> csi = show("coherent-csi")
    >>> {neutrino: round(float(events.sum()), 2) for neutrino, events in csi.events.items()}
    {'nu_mu': 29.38, 'nu_e': 60.32, 'nubar_mu': 90.42}
    >>> csi.data, csi.backgrounds, csi.experiment.told()["geometry"]
    (array([142.]), {'background': array([6.])}, '19.3 m from the source')
    """
    loaded = load(experiment)
    standard_counts(loaded)  # refuses an experiment without events, or with too many to compute with
    found = _expected(loaded)
    signal, statistics = found.signal.ravel(), loaded.statistics
    exposed = loaded.exposed
    backgrounds, data = statistics.backgrounds_in(signal, exposed), statistics.data(exposed)
    error = statistics.counting_errors(signal, exposed)
    return replace(
        found,
        backgrounds={name: events.reshape(found.shape) for name, events in backgrounds.items()},
        data=None if data is None else data.reshape(found.shape),
        error=None if error is None else error.reshape(found.shape),
    )


def _expected(experiment: Experiment) -> Shown:
    """What the Standard Model predicts, without backgrounds and data."""
    unit, factor, time = experiment.detector.unit, experiment.factor, experiment.time
    empty = Shown(
        experiment=experiment,
        unit=unit.symbol,
        edges=np.array([float(f"{edge / unit.size:.12g}") for edge in _edges(experiment)]),  # as people write them
        factor_edges=None if factor is None else np.array(factor.edges),
        time_edges_us=None if time is None else np.array(time.edges),
        events={},
        recoiling={},
        backgrounds={},
        data=None,
        error=None,
    )
    neutrinos, counts = response(experiment).neutrinos, standard_by_neutrino(experiment)
    events = {neutrino: each.reshape(empty.shape) for neutrino, each in zip(neutrinos, counts, strict=True)}
    by_channel = standard_by_channel(experiment).items()
    recoiling = {RECOILS[channel]: each.reshape(empty.shape) for channel, each in by_channel}
    return replace(empty, events=events, recoiling=recoiling)


def _edges(experiment: Experiment) -> tuple[float, ...]:
    """Edges of the bins in the detector's own energy."""
    detector = experiment.detector
    return detector.bin_edges(experiment.largest_recoil_mev) if isinstance(detector, Detector) else detector.bins


def in_fine_bins(shown: Shown, until: float | None = None) -> Shown:
    """The signal of an experiment with one bin of energy as a spectrum, which no background and no data are of.

    Bins of photoelectrons or electrons, which can be whole numbers, have whole widths.

    Parameters
    ----------
    shown : Shown
    until : float, optional
        Where it ends, in the unit of the edges; left out, where the largest recoil is.
    """
    experiment, low = shown.experiment, shown.edges[0]
    high = _largest(experiment) / experiment.detector.unit.size if until is None else until
    high = max(high, LEAST_RANGE * low)
    width = _round_width((high - low) / FINE_BINS, whole=shown.kind not in energies.OWN)
    edges = low + width * np.arange(max(math.ceil((high - low) / width), 1) + 1)
    if experiment.detector.bins:  # what a detector accepts ends by itself, a bin doesn't
        edges = np.unique(np.minimum(edges, shown.edges[-1]))
    assert not isinstance(experiment.detector, Templates), "templates have several bins"
    detector = replace(experiment.detector, bins=tuple((edges * experiment.detector.unit.size).tolist()))
    factor = experiment.factor
    if factor is not None:  # which is the same in all of the one bin
        factor = replace(factor, probability=factor.probability * (len(edges) - 1), shapes=())
    return _expected(replace(experiment, detector=detector, factor=factor))


def in_few_bins(shown: Shown) -> Shown:
    """What is drawn of bins of no energy: where they are many, as many neighbours each time are one; others stay.

    Examples
    --------
    >>> in_few_bins(show("xenonnt-b8")).shape, in_few_bins(show("dresden-ii-fef")).shape
    ((27,), (130,))
    """
    number = shown.shape[0]
    fitting = [each for each in range(1, number) if number % each == 0 and number // each <= MOST_NUMBERED]
    if shown.kind != "bins" or not fitting:
        return shown

    def merged(events: Array) -> Array:
        found: Array = events.reshape(-1, fitting[0], *events.shape[1:]).sum(axis=1)
        return found

    return replace(
        shown,
        edges=shown.edges[:: fitting[0]],
        events={name: merged(events) for name, events in shown.events.items()},
        recoiling={name: merged(events) for name, events in shown.recoiling.items()},
        backgrounds={name: merged(events) for name, events in shown.backgrounds.items()},
        data=None if shown.data is None else merged(shown.data),
        error=None if shown.error is None else np.sqrt(merged(shown.error**2)),
    )


def seen_until(fine: Shown) -> float:
    """The edge of a bin above which hardly any events are."""
    below = np.cumsum(fine.signal.reshape(len(fine.signal), -1).sum(axis=1))
    edge: float = fine.edges[(below < SEEN * below[-1]).sum() + 1]
    return edge


def _largest(experiment: Experiment) -> float:
    """The largest energy that the detector sees of a recoil, in its own energy."""
    detector = experiment.detector
    if isinstance(detector, Detector):
        return min(detector.bin_edges(experiment.largest_recoil_mev)[-1], experiment.largest_recoil_mev)
    assert not isinstance(detector, Templates), "templates have several bins"
    # electrons beside nuclei reach far beyond the energies that people look at
    recoils = [each for each in experiment.largest_recoils if each[0] is not None or experiment.channel == "nu-e"]
    seen = [detector.quenching.visible(np.linspace(0.0, most, SAMPLES), each).max() for each, most in recoils]
    visible = np.array([max(seen)])
    mean = visible * detector.per_mev
    spread = 0.0 if detector.resolution is None else REACH * detector.resolution.sigma(mean, visible)
    return float(min((mean + spread).item(), detector.bins[-1]))


def _round_width(least: float, whole: bool) -> float:
    """The next 1, 2 or 5 times a power of ten.

    >>> _round_width(0.03, whole=False), _round_width(0.03, whole=True), _round_width(2.1, whole=True)
    (0.05, 1.0, 5.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    width = next(step * power for step in (1, 2, 5, 10) if step * power >= least)
    return max(width, 1.0) if whole else width


def bin_records(shown: Shown) -> list[Record]:
    """A record for each bin, the times of an energy in turn; those of an energy in each bin of a further quantity."""
    factor = shown.experiment.factor
    places = itertools.product(_bins(shown.edges), _bins(shown.factor_edges), _bins(shown.time_edges_us))
    found = columns(shown)
    numbers = zip(*(column.ravel().tolist() for column in found.values()), strict=True)
    return [
        {
            "energy_low": low,
            "energy_high": high,
            "energy_unit": shown.unit,
            "factor": None if factor is None else factor.name,
            "factor_low": least,
            "factor_high": most,
            "time_low_us": early,
            "time_high_us": late,
            **dict(zip(found, row, strict=True)),
            **({} if shown.data is not None else {"data": None, "error": None}),
        }
        for ((low, high), (least, most), (early, late)), row in zip(places, numbers, strict=True)
    ]


def _bins(edges: Array | None) -> list[tuple[float | None, float | None]]:
    """The two edges of each bin, None where it has no end; without bins, one that has neither."""
    pairs = [(None, None)] if edges is None else itertools.pairwise(edges.tolist())
    return [(low, None if high == math.inf else high) for low, high in pairs]


def columns(shown: Shown) -> dict[str, Array]:
    """The numbers of each bin by their keys in records, data and their error where there are any."""
    found: dict[str, Array] = {str(neutrino): events for neutrino, events in shown.events.items()}
    if len(shown.recoiling) > 1:
        found |= shown.recoiling
    found |= {"signal": shown.signal}
    if list(shown.backgrounds) != [UNNAMED]:
        found |= {f"background_{name}": events for name, events in shown.backgrounds.items()}
    found |= {"background": shown.background}
    if shown.data is not None and shown.error is not None:
        found |= {"data": shown.data, "error": shown.error}
    return found


def record(shown: Shown) -> Record:
    """All that is shown of an experiment: what it is, its numbers in each bin, and their sums."""
    experiment = shown.experiment
    sums = {
        key: float(np.sqrt((each**2).sum()) if key == "error" else each.sum()) for key, each in columns(shown).items()
    }
    return {
        "name": experiment.name,
        "label": experiment.label,
        "title": experiment.title,
        "channel": experiment.channel,
        "source": experiment.source.group,
        "sigma_sys": experiment.statistics.sigma_sys,
        "told": experiment.told(),
        "references": list(experiment.references),
        "assumed": list(experiment.assumed),
        "digest": experiment.digest,
        "total": sums,
        "bins": bin_records(shown),
    }
