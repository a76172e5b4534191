"""What an experiment counts: the Standard Model's prediction in each bin, and what an interaction adds to it.

What is added is a sum over features of a template, events in each bin, times a polynomial in the strength x.  Where
nothing depends on the recoil but the Standard Model's own integrals, a feature is a product of couplings and all rows
share the templates.  Where something does, as a mediator's propagator, each row has templates of its own: those of
1, x and x^2.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.sun import Sun
from fastscan.inputs.bounds import EVENTS
from fastscan.interactions import standard_model
from fastscan.interactions.interaction import Interaction, Term
from fastscan.likelihoods.response import response
from fastscan.physics.spectra import Neutrino
from fastscan.typing import Array, Channel

BLOCK = 256  # rows whose templates are made at once, so that memory doesn't grow with them
POWERS = np.eye(3)[None]  # of the features that are 1, x and x^2


@dataclass(frozen=True, eq=False)
class Prediction:
    """Expected counts of an experiment at luminosity 1.

    Attributes
    ----------
    signal : array, shape (bins,)
        Events that the Standard Model predicts.
    rates : array, shape (shapes, features, bins)
        Events per unit of each feature; one shape for all rows, or one for each.
    change : array, shape (rows, features, 3)
        Each feature less its Standard Model value as a polynomial in the strength x, lowest power first.
    is_contact : bool
        Whether the features are those of the Standard Model's own integrals, the same for every interaction.
    """

    signal: Array
    rates: Array
    change: Array
    is_contact: bool

    @property
    def totals(self) -> Array:
        """Events over all bins: the Standard Model's, then those of each feature, shape (shapes, 1 + features).

        Bins in which the Standard Model predicts nothing are left out.
        """
        seen = self.signal > 0
        per_feature = self.rates[:, :, seen].sum(axis=-1)
        return np.column_stack([np.full(len(per_feature), self.signal[seen].sum()), per_feature])


def predict(experiment: Experiment, interaction: Interaction, rows: Mapping[str, Array]) -> Prediction:
    """The prediction of an interaction for an experiment.

    Parameters
    ----------
    experiment : Experiment
    interaction : Interaction
    rows : mapping of str to array, shape (rows,)
        The interaction's row parameters, by name, in the units of their axes.

    Raises
    ------
    ExperimentError
        Where the Standard Model predicts no events or too many, infinitely many recoils of small energy are counted, or
        neutrinos that arrive as coherent mixtures change their flavour.
    """
    if interaction.changes_flavour and isinstance(experiment.source, Sun):
        raise ExperimentError(
            f"experiment {quoted(experiment.name)}: neutrinos of the sun are mixtures of flavours, in which changes of "
            f"the flavour interfere; of model {quoted(interaction.name)} they can't be counted"
        )
    signal = standard_counts(experiment)
    terms = terms_of(interaction, experiment.channels, rows)
    if is_contact(terms):
        return Prediction(signal, weak_rates(experiment)[None], contact_change(terms), is_contact=True)
    templates = np.concatenate([each.sum(axis=0) for each in _templates(experiment, interaction, rows)])
    return Prediction(signal, templates, np.broadcast_to(POWERS, (len(templates), 3, 3)), is_contact=False)


def counts_by_neutrino(
    experiment: Experiment, interaction: Interaction, rows: Mapping[str, Array]
) -> dict[Neutrino, Array]:
    """Events of each neutrino at luminosity 1, all bins together, as polynomials in the strength x.

    Parameters and errors are those of `predict`.

    Returns
    -------
    dict of str to array, shape (rows, 3)
        Coefficients of 1, x and x^2.
    """
    found = response(experiment)
    added = np.concatenate([each.sum(axis=-1) for each in _templates(experiment, interaction, rows)], axis=1)
    for number, counts in enumerate(standard_by_neutrino(experiment)):
        added[number, :, 0] += counts.sum()
    return dict(zip(found.neutrinos, added, strict=True))


def standard_by_neutrino(experiment: Experiment) -> Array:
    """Events that the Standard Model predicts at luminosity 1, shape (neutrinos, bins)."""
    found = response(experiment)
    features = _standard_features(experiment.channels)
    return np.stack([events @ features[each] for each, events in zip(found.flavours, found.by_neutrino, strict=True)])


def standard_by_channel(experiment: Experiment) -> dict[Channel, Array]:
    """Events of all neutrinos that the Standard Model predicts in each channel at luminosity 1, shape (bins,).

    Examples
    --------
    >>> from fastscan.experiments import load
    >>> {channel: float(events.sum().round(2)) for channel, events in standard_by_channel(load("coherent-csi")).items()}
    {'cevns': 180.12}
    """
    found, counted = response(experiment), {}
    for channel in found.channels:
        (rates,), features = found.rates(channel, "weak"), _standard_features((channel,))
        of_each = [events @ features[each] for each, events in zip(found.flavours, rates, strict=True)]
        counted[channel] = np.sum(of_each, axis=0)
    return counted


@functools.cache
def standard_counts(experiment: Experiment) -> Array:
    """Events that the Standard Model predicts at luminosity 1, shape (bins,), read-only.

    Raises
    ------
    ExperimentError
        Where there are none, or too many to compute with.
    """
    signal: Array = _standard_features(experiment.channels).ravel() @ weak_rates(experiment)
    fewest, most = EVENTS
    name = quoted(experiment.name)
    if not signal.sum() <= most:  # a nan fails this too
        raise ExperimentError(f"experiment {name} counts more than {most:g} events: check its numbers")
    if signal.sum() < fewest:
        raise ExperimentError(f"experiment {name} sees nothing: check its thresholds, bins and efficiency")
    signal.setflags(write=False)
    return signal


def is_contact(terms: list[tuple[Term, ...]]) -> bool:
    """Whether nothing depends on the recoil but the Standard Model's own integrals, in any channel."""
    return all(term.process == "weak" and term.factor is None for each in terms for term in each)


def contact_change(terms: list[tuple[Term, ...]]) -> Array:
    """Each weak feature less its Standard Model value as a polynomial in x.

    Parameters
    ----------
    terms : list of tuple of Term
        Those of each channel, none of which depends on the recoil.

    Returns
    -------
    array, shape (rows, features, 3)
        The features are those of every flavour, one flavour after the other, each those of every channel.
    """
    weight = np.concatenate([sum(term.weight for term in each) for each in terms], axis=2)
    rows, flavours, features, powers = weight.shape
    return weight.reshape(rows, flavours * features, powers)  # without -1, because there can be no rows


def terms_of(
    interaction: Interaction, channels: Sequence[Channel], rows: Mapping[str, Array]
) -> list[tuple[Term, ...]]:
    """What an interaction adds to the Standard Model's counts in each channel, see `Interaction.terms`."""
    return [interaction.terms(channel, rows) for channel in channels]


def _templates(experiment: Experiment, interaction: Interaction, rows: Mapping[str, Array]) -> list[Array]:
    """What an interaction adds for each neutrino, (neutrinos, rows, 3, bins), in blocks of rows."""
    number = max((len(each) for each in rows.values()), default=1)
    blocks = [slice(start, start + BLOCK) for start in range(0, number, BLOCK)]
    found = response(experiment)
    return [
        found.templates(terms_of(interaction, experiment.channels, {name: each[block] for name, each in rows.items()}))
        for block in blocks
    ]


@functools.cache
def weak_rates(experiment: Experiment) -> Array:
    """Events per unit of each weak feature of every flavour, shape (features, bins)."""
    by_flavour = response(experiment).by_flavour  # (flavours, bins, features)
    return np.moveaxis(by_flavour, 1, -1).reshape(-1, by_flavour.shape[1])


def _standard_features(channels: tuple[Channel, ...]) -> Array:
    """The features of the Standard Model's couplings, shape (flavours, features)."""
    return np.concatenate([standard_model.features(standard_model.couplings(each)) for each in channels], axis=-1)
