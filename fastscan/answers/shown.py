"""An experiment bin by bin: the events that the Standard Model predicts, the backgrounds and the data.

The record of a bin has these keys:

    energy_low, energy_high, energy_unit    edges of the energy bin; energy_high is None where the bin has no end
    factor, factor_low, factor_high         name and edges of the bin of a further quantity; None without such bins
    time_low_us, time_high_us               edges of the time bin; None without time bins
    nu_mu, nubar_e, ...                     events of each kind of neutrino, by its name
    nuclei, electrons                       events by what recoils; only where both recoil
    signal                                  events of all neutrinos
    background_NAME, background             events of each background that has a name, and of all backgrounds
    data, error                             counted events and their error; None where nothing is measured
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
# A picture of an experiment with one bin shows its spectrum in finer bins.
FINE_BINS = 120  # largest number of finer bins
LEAST_RANGE = 1.1  # smallest ratio of the spectrum's end to its beginning
REACH = 5.0  # standard deviations of the resolution between the largest mean energy and the spectrum's end
SAMPLES = 256  # recoil energies that are tried, because the largest recoil may not be seen with the most energy
SEEN = 0.999  # fraction of the signal that a picture shows
MOST_NUMBERED = 40  # largest number of drawn bins that have a number in place of an energy


@dataclass(frozen=True, eq=False)
class Shown:
    """An experiment, and the events in its bins.

    Arrays of events have the shape (energy bins, factor bins, time bins).  A dimension is absent where the experiment
    has no bins of that quantity.

    Attributes
    ----------
    experiment : Experiment
        The experiment; its method `told` describes it in words.
    unit : str
        The unit of `edges` in the experiment's file.  The unit also tells the kind of energy, such as keVnr or keVee.
    edges : array, shape (energy bins + 1,)
        Edges of the energy bins; the last one can be infinite.
    factor_edges : array, shape (factor bins + 1,), or None
        Edges of the bins of a further quantity, `experiment.factor`.
    time_edges_us : array, shape (time bins + 1,), or None
        Edges of the time bins in us.
    events : dict of str to array
        Events that the Standard Model predicts, by kind of neutrino.
    recoiling : dict of str to array
        The same events summed over neutrinos, by what recoils: ``nuclei``, ``electrons``, or both.
    backgrounds : dict of str to array
        Events of each background, by its name.
    data : array or None
        Counted events, or counts after a subtraction as the experiment's file gives them; None for a projection.
    error : array or None
        Error of the data in chi2, without systematic errors: the square root of the variance, or of the counts where
        they follow Poisson's law; None for a projection.
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
        """The kind of energy of the bins; "bins" where they have numbers in place of an energy."""
        return energies.UNITS[self.unit][0] if self.unit in energies.UNITS else "bins"


def show(experiment: str | PathLike[str] | Experiment) -> Shown:
    """An experiment as fastscan reads it, with the Standard Model's prediction, backgrounds and data in each bin.

    Parameters
    ----------
    experiment : str, path or Experiment
        Name (see ``fastscan experiments``), path to a TOML file, or `Experiment`.

    Returns
    -------
    Shown
        The experiment, and its events at luminosity 1.

    Raises
    ------
    FastscanError
        For an unknown name, a file that is wrong, and an experiment that counts nothing or too much.

    References
    ----------
    The references of the experiment, in the result's ``experiment.references``.

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
    """The Standard Model's prediction of an experiment, without backgrounds and data."""
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
    """Edges of the energy bins in the unit in which the detector computes."""
    detector = experiment.detector
    return detector.bin_edges(experiment.largest_recoil_mev) if isinstance(detector, Detector) else detector.bins


def in_fine_bins(shown: Shown, until: float | None = None) -> Shown:
    """The signal of an experiment with one energy bin as a spectrum in finer bins, without backgrounds and data.

    Finer bins of photoelectrons or electrons have widths that are whole numbers.

    Parameters
    ----------
    shown : Shown
    until : float, optional
        The end of the spectrum, in the unit of the edges; left out, the largest energy that a recoil is seen with.

    Returns
    -------
    Shown
    """
    experiment, low = shown.experiment, shown.edges[0]
    high = _largest(experiment) / experiment.detector.unit.size if until is None else until
    high = max(high, LEAST_RANGE * low)
    width = _round_width((high - low) / FINE_BINS, whole=shown.kind not in energies.OWN)
    edges = low + width * np.arange(max(math.ceil((high - low) / width), 1) + 1)
    if experiment.detector.bins:  # the spectrum ends where the experiment's own bin does
        edges = np.unique(np.minimum(edges, shown.edges[-1]))
    assert not isinstance(experiment.detector, Templates), "templates have several bins"
    detector = replace(experiment.detector, bins=tuple((edges * experiment.detector.unit.size).tolist()))
    factor = experiment.factor
    if factor is not None:  # every finer bin has the factor's distribution of the one bin
        factor = replace(factor, probability=factor.probability * (len(edges) - 1), shapes=())
    return _expected(replace(experiment, detector=detector, factor=factor))


def in_few_bins(shown: Shown) -> Shown:
    """An experiment as it is drawn: many bins without an energy are merged, the same number of neighbours each time.

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
    """The upper edge of the bin at which the spectrum contains the fraction `SEEN` of its events."""
    below = np.cumsum(fine.signal.reshape(len(fine.signal), -1).sum(axis=1))
    edge: float = fine.edges[(below < SEEN * below[-1]).sum() + 1]
    return edge


def _largest(experiment: Experiment) -> float:
    """The largest energy with which the detector sees a recoil, in the unit in which the detector computes."""
    detector = experiment.detector
    if isinstance(detector, Detector):
        return min(detector.bin_edges(experiment.largest_recoil_mev)[-1], experiment.largest_recoil_mev)
    assert not isinstance(detector, Templates), "templates have several bins"
    # where nuclei recoil too, electrons are left out, because they reach far beyond the energies of interest
    recoils = [each for each in experiment.largest_recoils if each[0] is not None or experiment.channel == "nu-e"]
    seen = [detector.quenching.visible(np.linspace(0.0, most, SAMPLES), each).max() for each, most in recoils]
    visible = np.array([max(seen)])
    mean = visible * detector.per_mev
    spread = 0.0 if detector.resolution is None else REACH * detector.resolution.sigma(mean, visible)
    return float(min((mean + spread).item(), detector.bins[-1]))


def _round_width(least: float, whole: bool) -> float:
    """The smallest width of 1, 2 or 5 times a power of ten that is at least `least`; if `whole`, at least 1.

    >>> _round_width(0.03, whole=False), _round_width(0.03, whole=True), _round_width(2.1, whole=True)
    (0.05, 1.0, 5.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    width = next(step * power for step in (1, 2, 5, 10) if step * power >= least)
    return max(width, 1.0) if whole else width


def bin_records(shown: Shown) -> list[Record]:
    """A record for each bin: time bins change fastest, then bins of a further quantity, then energy bins."""
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
    """The two edges of each bin, None for an infinite edge; without bins, one pair of None."""
    pairs = [(None, None)] if edges is None else itertools.pairwise(edges.tolist())
    return [(low, None if high == math.inf else high) for low, high in pairs]


def columns(shown: Shown) -> dict[str, Array]:
    """The events of each bin by their keys in records, with the data and their error where there are any."""
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
    """An experiment as one record: its description, its events in each bin, and their sums."""
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
