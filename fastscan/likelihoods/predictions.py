"""Predicted events of an experiment: the Standard Model's in each bin, and those that an interaction adds.

The added events are a sum over features: a template, events in each bin, times a polynomial in the strength x.  For an
interaction with the same recoil spectra as the Standard Model, a feature is a product of couplings, and all rows of all
such interactions share the templates.  Otherwise, as with a mediator's propagator, each row has templates of its own,
see `fastscan.likelihoods.exchanges`.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments.experiment import Experiment
from fastscan.inputs.bounds import EVENTS
from fastscan.interactions import standard_model
from fastscan.interactions.interaction import Interaction, Term
from fastscan.likelihoods.response import Response, response
from fastscan.physics.cross_sections import WEAK
from fastscan.physics.spectra import Neutrino
from fastscan.typing import FLAVOURS, Array, Channel


def require_flavours(experiment: Experiment, interaction: Interaction) -> None:
    """Refuse an interaction that changes flavours where neutrinos arrive as coherent mixtures of flavours."""
    if interaction.changes_flavour and experiment.source.mixed:
        raise ExperimentError(
            f"experiment {quoted(experiment.name)}: its neutrinos are mixtures of flavours, in which changes of the "
            f"flavour interfere; of model {quoted(interaction.name)} they can't be counted"
        )


def counts_by_neutrino(
    experiment: Experiment, interaction: Interaction, rows: Mapping[str, Array]
) -> dict[Neutrino, Array]:
    """Events of each neutrino at luminosity 1, all bins together, as polynomials in the strength x.

    Parameters
    ----------
    experiment : Experiment
    interaction : Interaction
    rows : mapping of str to array, shape (rows,)
        The interaction's row parameters, by name, in the units of their axes.

    Returns
    -------
    dict of str to array, shape (rows, 3)
        Coefficients of 1, x and x^2.

    Raises
    ------
    ExperimentError
        Where the Standard Model predicts no events or too many, or infinitely many recoils of small energy are counted.
    """
    found, counts = response(experiment), signal_in_energy(experiment, interaction, rows)
    seen = found.arriving[0].sum(axis=-1)[:, None, None]
    return dict(zip(found.neutrinos, (counts * seen).sum(axis=-1), strict=True))


def signal_in_energy(experiment: Experiment, interaction: Interaction, rows: Mapping[str, Array]) -> Array:
    """Events of each neutrino at luminosity 1 in bins of energy alone, as polynomials in the strength x.

    Parameters
    ----------
    experiment, interaction, rows
        As in `counts_by_neutrino`.

    Returns
    -------
    array, shape (neutrinos, rows, 3, energy bins)
        Coefficients of 1, x and x^2.

    Raises
    ------
    ExperimentError
        As in `counts_by_neutrino`.
    """
    found, terms = response(experiment), terms_of(interaction, experiment.channels, rows)
    counts = _contact_in_energy(found, terms) if is_contact(terms) else _exchanged_in_energy(found, terms)
    counts[:, :, 0] += standard_energies(experiment)[:, None]
    return counts


def _contact_in_energy(found: Response, terms: list[tuple[Term, ...]]) -> Array:
    """The added events of `signal_in_energy` for an interaction that `is_contact`."""
    change = contact_change(terms)
    by_flavour = change.reshape(len(change), len(FLAVOURS), found.in_energy.shape[-1], 3)
    pairs = zip(found.flavours, found.in_energy, strict=True)
    return np.stack([np.einsum("rfk,bf->rkb", by_flavour[:, each], events) for each, events in pairs])


def _exchanged_in_energy(found: Response, terms: list[tuple[Term, ...]]) -> Array:
    """The added events of `signal_in_energy` for any other interaction."""
    factors = [[term.at(found.transfer2) for term in each] for each in terms]
    rows = max(len(factor) for each in factors for factor in each)
    added = np.zeros((len(found.neutrinos), rows, 3, found.in_energy.shape[1]))
    for channel, each, at_nodes in zip(found.channels, terms, factors, strict=True):
        events = found.exchanged_in_energy(channel, each)  # (neutrinos, terms, nodes, energies)
        for number, (term, factor) in enumerate(zip(each, at_nodes, strict=True)):
            # row by row, so that no sum depends on the other rows
            added[:, :, term.power] += np.stack([row @ events[:, number] for row in factor], axis=1)
    return added


def standard_by_neutrino(experiment: Experiment) -> Array:
    """Events that the Standard Model predicts at luminosity 1, shape (neutrinos, bins)."""
    return response(experiment).standard


def standard_by_channel(experiment: Experiment) -> dict[Channel, Array]:
    """Events of all neutrinos that the Standard Model predicts in each channel at luminosity 1, shape (bins,).

    Examples
    --------
    >>> from fastscan.experiments import load
    >>> {channel: float(events.sum().round(2)) for channel, events in standard_by_channel(load("coherent-csi")).items()}
    {'cevns': 180.12}
    """
    found, counted = response(experiment), {}
    of_channels = np.split(found.by_neutrino, len(found.channels), axis=-1)
    for channel, rates in zip(found.channels, of_channels, strict=True):
        features = standard_model.features_of((channel,))
        of_each = [events @ features[each] for each, events in zip(found.flavours, rates, strict=True)]
        counted[channel] = np.sum(of_each, axis=0)
    return counted


@functools.cache
def standard_counts(experiment: Experiment) -> Array:
    """Events that the Standard Model predicts at luminosity 1, shape (bins,), read-only.

    Raises
    ------
    ExperimentError
        Where there are no events, or too many to compute with.
    """
    signal: Array = standard_model.features_of(experiment.channels).ravel() @ weak_rates(experiment)
    fewest, most = EVENTS
    name = quoted(experiment.name)
    if not signal.sum() <= most:  # a nan fails this too
        raise ExperimentError(f"experiment {name} counts more than {most:g} events: check its numbers")
    if signal.sum() < fewest:
        raise ExperimentError(f"experiment {name} sees nothing: check its thresholds, bins and efficiency")
    signal.setflags(write=False)
    return signal


def is_contact(terms: list[tuple[Term, ...]]) -> bool:
    """Whether all terms of all channels have the recoil spectra of the Standard Model's own process."""
    return all(term.process == WEAK and term.factor is None for each in terms for term in each)


def contact_change(terms: list[tuple[Term, ...]]) -> Array:
    """Each weak feature less its Standard Model value as a polynomial in x.

    Parameters
    ----------
    terms : list of tuple of Term
        The terms of each channel, see `is_contact`.

    Returns
    -------
    array, shape (rows, features, 3)
        Features are ordered by flavour, then by channel.
    """
    weight = np.concatenate([sum(term.weight for term in each) for each in terms], axis=2)
    rows, flavours, features, powers = weight.shape
    return weight.reshape(rows, flavours * features, powers)  # without -1, because there can be no rows


def terms_of(
    interaction: Interaction, channels: Sequence[Channel], rows: Mapping[str, Array]
) -> list[tuple[Term, ...]]:
    """The terms that an interaction adds in each channel, see `Interaction.terms`."""
    return [interaction.terms(channel, rows) for channel in channels]


@functools.cache
def weak_rates(experiment: Experiment) -> Array:
    """Events per unit of each weak feature of every flavour, shape (features, bins)."""
    by_flavour = response(experiment).by_flavour  # (flavours, bins, features)
    return np.moveaxis(by_flavour, 1, -1).reshape(-1, by_flavour.shape[1])


@functools.cache
def weak_energies(experiment: Experiment) -> Array:
    """As `weak_rates`, neutrino by neutrino in bins of energy alone: shape (features, neutrinos, energy bins)."""
    found = response(experiment)
    neutrinos, energies, features = found.in_energy.shape
    rates = np.zeros((len(FLAVOURS), features, neutrinos, energies))
    for number, (own, events) in enumerate(zip(found.flavours, found.in_energy, strict=True)):
        rates[own, :, number] = events.T
    return rates.reshape(-1, neutrinos, energies)


def standard_energies(experiment: Experiment) -> Array:
    """Events that the Standard Model predicts at luminosity 1 in bins of energy, shape (neutrinos, energy bins)."""
    found = response(experiment)
    features = standard_model.features_of(experiment.channels)
    return np.stack([events @ features[each] for each, events in zip(found.flavours, found.in_energy, strict=True)])


def weak_totals(experiment: Experiment) -> Array:
    """Events over all bins: the Standard Model's, then those per unit of each weak feature, shape (1 + features,).

    Bins in which the Standard Model predicts nothing are left out.
    """
    signal = standard_counts(experiment)
    seen = signal > 0
    return np.concatenate([[signal[seen].sum()], weak_rates(experiment)[:, seen].sum(axis=-1)])
