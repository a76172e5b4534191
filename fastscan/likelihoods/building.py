"""Building a likelihood: from experiments and an interaction, from other likelihoods, or with expected data."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments.data_sets import require_distinct
from fastscan.experiments.experiment import Experiment
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.counted import Counted
from fastscan.likelihoods.exchanges import Exchange, exchange, powers
from fastscan.likelihoods.gaussian import no_roots, norm_of
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.member import compared_counts, contact_sums, counted_events
from fastscan.likelihoods.modelled import of_recoils
from fastscan.likelihoods.predictions import (
    contact_change,
    is_contact,
    require_flavours,
    standard_counts,
    terms_of,
    weak_totals,
)
from fastscan.typing import Array


def build(
    experiments: Sequence[Experiment],
    interaction: Interaction,
    rows: Mapping[str, Array],
    fixed_sigma_sys: Mapping[str, float] | None = None,
) -> Likelihood:
    """The likelihood of an interaction in experiments.

    Parameters
    ----------
    experiments : sequence of Experiment
        The members, whose chi2 add up.
    interaction : Interaction
        See `fastscan.interactions.catalogue.load`.
    rows : mapping of str to array, shape (rows,)
        The interaction's row parameters, by name, in the units of their axes.
    fixed_sigma_sys : mapping of str to float, optional
        Systematic errors, relative to the signal, by the name of the experiment; no common value replaces them.

    Raises
    ------
    ExperimentError
        Where no experiment is given, an experiment or its data set is given twice, or an experiment counts no events or
        too many.
    """
    if not experiments:
        raise ExperimentError("no experiment given")
    require_distinct({each.name: each.data_set for each in experiments})
    joint = combine([_build_one(experiment, interaction, rows) for experiment in experiments])
    fixed = fixed_sigma_sys or {}
    return replace(
        joint,
        sigma_sys=np.array([fixed.get(*each) for each in zip(joint.members, joint.sigma_sys, strict=True)]),
        follows=np.array([float(name not in fixed) for name in joint.members]),
    )


def _build_one(
    experiment: Experiment, interaction: Interaction, rows: Mapping[str, Array], observed: Experiment | None = None
) -> Likelihood:
    """The likelihood in one experiment, with its own data or those of `observed`, which predicts the same."""
    require_flavours(experiment, interaction)
    signal = standard_counts(experiment)
    terms = terms_of(interaction, experiment.channels, rows)
    if experiment.statistics.is_counted:
        counted = counted_events(experiment)
        if is_contact(terms):
            change = contact_change(terms)
            return _member(experiment, counted.totals, no_roots(1, 1 + change.shape[1]), change, counted=counted)
        made = exchange(of_recoils(experiment), terms, counted.rates[0, 0].ravel(), None)
        totals, roots, own = made.rows_of(counted, interaction, experiment.channels, rows)
        return _member(experiment, totals, roots, powers(len(totals)), made=made, counted=own)
    if is_contact(terms):
        roots, counts = contact_sums(experiment, observed or experiment)
        change, norm = contact_change(terms), norm_of(counts)
        return _member(experiment, weak_totals(experiment)[None], roots, change, counts.spread, norm)
    counts = compared_counts(signal, observed or experiment)
    made = exchange(experiment, terms, signal, counts)
    totals, roots, _ = made.rows_of(None, interaction, experiment.channels, rows)
    norm = norm_of(counts.some(counts.variance > 0))
    return _member(experiment, totals, roots, powers(len(totals)), counts.spread, norm, made)


def _member(
    experiment: Experiment,
    rates: Array,
    roots: Array,
    change: Array,
    spread: float = 0.0,
    norm: float = 0.0,
    made: Exchange | None = None,
    counted: Counted | None = None,
) -> Likelihood:
    """The likelihood of one member; see the attributes of `Likelihood`."""
    return Likelihood(
        members=(experiment.name,),
        rates=rates[None],
        roots=roots[None],
        change=np.ascontiguousarray(change)[None],
        spread=np.array([spread]),
        norm=np.array([norm]),
        sigma_sys=np.array([experiment.statistics.sigma_sys]),
        follows=np.ones(1),
        momentum_transfer=np.array([experiment.largest_momentum_transfer_mev]),
        named=tuple(name for name, _ in experiment.shared),
        common=np.array([[error for _, error in experiment.shared]]),
        exchanges=() if made is None else (made,),
        counted=() if counted is None else (counted,),
    )


def combine(likelihoods: Sequence[Likelihood]) -> Likelihood:
    """The likelihood whose chi2 is the sum of the chi2 of others.

    Parameters
    ----------
    likelihoods : sequence of Likelihood
        Likelihoods of the same interaction in the same rows.

    Raises
    ------
    ExperimentError
        Where two likelihoods have a member in common.
    """
    members = [member for each in likelihoods for member in each.members]
    for member in members:
        if members.count(member) > 1:
            raise ExperimentError(f"experiment {quoted(member)} is there twice")
    shapes, basis = (max(each.rates.shape[dimension] for each in likelihoods) for dimension in (1, 2))
    alike = [_widened(each, shapes, basis) for each in likelihoods]
    apart = ("members", "named", "common", "exchanges", "counted")
    names = [field.name for field in fields(Likelihood) if field.name not in apart]
    named = tuple(dict.fromkeys(name for each in likelihoods for name in each.named))
    counted = [counts for each in likelihoods for counts in each.counted or (None,) * len(each.members)]
    return Likelihood(
        tuple(members),
        **{name: np.concatenate([getattr(each, name) for each in alike]) for name in names},
        named=named,
        common=np.concatenate([_common_by_name(each, named) for each in likelihoods]),
        exchanges=tuple(exchange for each in likelihoods for exchange in each.exchanges),
        counted=tuple(counted) if any(likelihood.counted for likelihood in likelihoods) else (),
    )


def _common_by_name(one: Likelihood, named: Sequence[str]) -> Array:
    """The errors that a likelihood's members can have in common, in the order of some names."""
    columns = {name: one.common[:, number] for number, name in enumerate(one.named)}
    nothing = np.zeros(len(one.members))
    return np.array([columns.get(name, nothing) for name in named]).reshape(len(named), len(one.members)).T


def _widened(one: Likelihood, shapes: int, basis: int) -> Likelihood:
    """A likelihood whose arrays are repeated to so many shapes, and padded with zeros to so many features."""

    def padded(values: Array, *dimensions: int) -> Array:
        more = basis - one.rates.shape[-1]
        return np.pad(values, [(0, more * (dimension in dimensions)) for dimension in range(values.ndim)])

    def repeated(values: Array) -> Array:
        return np.broadcast_to(values, (len(values), shapes, *values.shape[2:]))

    return replace(
        one,
        rates=repeated(padded(one.rates, 2)),
        roots=repeated(padded(one.roots, 3, 4)),
        change=padded(one.change, 2),
    )


def with_expected_data(
    found: Likelihood, experiments: Sequence[Experiment], interaction: Interaction, rows: Mapping[str, Array]
) -> Likelihood:
    """The likelihood with measured data replaced by the Standard Model's prediction, as `Experiment.expected` does.

    Parameters
    ----------
    found : Likelihood
    experiments, interaction, rows
        The arguments from which `found` was built.

    Returns
    -------
    Likelihood
        Its members have the same names, so that settings by name hold for both; `found` itself where no data are
        measured.
    """
    measured = [number for number, each in enumerate(experiments) if each.is_measured]
    if not measured:
        return found
    roots, spread, norm, exchanges = found.roots.copy(), found.spread.copy(), found.norm.copy(), list(found.exchanges)
    counted = expected_counts(found.counted)
    for number in measured:
        if not (counted and counted[number]):
            each = experiments[number]
            projected = _build_one(each, interaction, rows, each.expected())
            roots[number] = _widened(projected, *found.rates.shape[1:]).roots[0]
            spread[number], norm[number] = projected.spread[0], projected.norm[0]
            exchanges[number : number + 1] = projected.exchanges
    return replace(found, roots=roots, spread=spread, norm=norm, exchanges=tuple(exchanges), counted=counted)


def expected_counts(counted: Sequence[Counted | None]) -> tuple[Counted | None, ...]:
    """Counted events of members with measured data replaced by the Standard Model's prediction."""
    return tuple(each.expected() if each is not None and each.is_measured else each for each in counted)
