"""One experiment as a member of a likelihood: sums for a Gaussian chi2, or counted events.

Nothing here depends on the interaction.  `STATISTICS` lists the statistics of counted events.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.modelled import Modelled
from fastscan.experiments.observations import Counts, Gaussian, Observation
from fastscan.experiments.poisson import Poisson
from fastscan.inputs.bounds import NUMBER
from fastscan.likelihoods import modelled, poisson
from fastscan.likelihoods.counted import Counted
from fastscan.likelihoods.gaussian import square_roots
from fastscan.likelihoods.merging import merged_bins
from fastscan.likelihoods.modelled import ModelledBlock, ModelledCounts, modelled_counts, of_recoils
from fastscan.likelihoods.poisson import Block, PoissonCounts
from fastscan.likelihoods.predictions import standard_counts, standard_energies, weak_energies, weak_rates
from fastscan.likelihoods.response import response
from fastscan.typing import Array


def poisson_counts(experiment: Experiment, rates: Array) -> PoissonCounts:
    """The counted events of an experiment whose counts follow Poisson's law, with the nuisances of its backgrounds.

    Parameters
    ----------
    experiment : Experiment
    rates : array
        See `PoissonCounts`.

    Raises
    ------
    ExperimentError
        Where backgrounds or data don't fit the bins.
    """
    statistics, exposed = experiment.statistics, experiment.exposed
    assert isinstance(statistics, Poisson)
    signal, data = standard_counts(experiment), statistics.data(exposed)
    backgrounds, nuisances = statistics.backgrounds_in(signal, exposed), statistics.nuisances(exposed)
    effects = [nuisance.change for nuisance in nuisances]
    arriving = response(experiment).arriving
    found = PoissonCounts(
        rates=rates,
        arriving=arriving,
        background=sum(backgrounds.values(), np.zeros(exposed.bins)),
        data=np.zeros(exposed.bins) if data is None else data,
        effects=np.array(effects).reshape(len(effects), exposed.bins),
        is_measured=statistics.is_measured,
        bin_of=merged_bins(rates[0, 0], arriving, backgrounds, nuisances) if statistics.merge else None,
    )
    return found.expected() if data is None else found


@dataclass(frozen=True)
class Statistic:
    """The classes and functions of one statistic of counted events.

    Attributes
    ----------
    observation : type of Observation
        The kind of observation that an experiment's file describes.
    counts : type of Counted
        The member's data and prediction.
    made : callable
        Function from an experiment and its rates to `counts`.
    block : type of Block
        The columns of members that are fitted together.
    packed, unpacked : callable
        Functions from the `counts` of each member, None for a member of another statistic, to arrays for a store, and
        back.
    """

    observation: type[Observation]
    counts: type[Counted]
    made: Callable[[Experiment, Array], Counted]
    block: type[Block]
    packed: Callable[[Sequence[Any]], dict[str, Array]]
    unpacked: Callable[[Mapping[str, Array]], tuple[Counted | None, ...]]


STATISTICS: dict[str, Statistic] = {  # by the group of a store that has the arrays, see `fastscan.stores.layout.GROUPS`
    "counted": Statistic(Poisson, PoissonCounts, poisson_counts, Block, poisson.packed, poisson.unpacked),
    "modelled": Statistic(Modelled, ModelledCounts, modelled_counts, ModelledBlock, modelled.packed, modelled.unpacked),
}


def counted_events(experiment: Experiment) -> Counted:
    """The counted events of an experiment, for interactions in which no row has integrals of its own.

    Raises
    ------
    ExperimentError
        Where backgrounds or data don't fit the bins.
    """
    recoils = of_recoils(experiment)
    rates = np.concatenate([standard_energies(recoils)[None], weak_energies(recoils)])[None]
    (statistic,) = (each for each in STATISTICS.values() if each.observation is type(experiment.statistics))
    return statistic.made(experiment, rates)


def statistic_of(counts: Counted) -> Statistic:
    """The statistic of a member's counted events."""
    (found,) = (each for each in STATISTICS.values() if each.counts is type(counts))
    return found


@functools.cache
def contact_sums(experiment: Experiment, observed: Experiment) -> tuple[Array, Counts]:
    """Roots of the sums and the counts, shared by all interactions with the Standard Model's own integrals.

    Bins without any variance, in which the Standard Model predicts nothing, are dropped.

    Parameters
    ----------
    experiment, observed : Experiment
        The experiment that predicts the counts, and the one with the data: the same, or its `Experiment.expected`.

    Returns
    -------
    array, shape (1, 3, 1 + features, 1 + features)
        See `fastscan.likelihoods.gaussian.square_roots`.
    Counts
        The data and their variance in the bins.
    """
    signal, rates, counts = in_bins(experiment, observed)
    return square_roots(rates[None], signal, counts), counts


def in_bins(experiment: Experiment, observed: Experiment) -> tuple[Array, Array, Counts]:
    """Prediction and data in each bin that has a variance, for a Gaussian chi2; arguments as in `contact_sums`.

    Returns
    -------
    array, shape (bins,)
        Events that the Standard Model predicts.
    array, shape (features, bins)
        Events per unit of each weak feature of every flavour.
    Counts
        The data and their variance.
    """
    signal, rates = standard_counts(experiment), weak_rates(experiment)
    counts = compared_counts(signal, observed)
    counted = counts.variance > 0
    return signal[counted], rates[:, counted], counts.some(counted)


def compared_counts(signal: Array, experiment: Experiment) -> Counts:
    """Data and variance in each bin; an `ExperimentError` where they are too large to be squared.

    Only an experiment made in Python can have such numbers.
    """
    statistics = experiment.statistics
    assert isinstance(statistics, Gaussian)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            counts = statistics.counts(signal, experiment.exposed)
            largest = np.abs(np.concatenate([counts.data, counts.variance, [counts.spread]])).max()
    except OverflowError:  # of Python's own numbers
        largest = np.inf
    if not largest <= NUMBER[1]:  # a nan fails this too
        raise ExperimentError(f"experiment {quoted(experiment.name)} has numbers too large for counts: check its data")
    return counts
