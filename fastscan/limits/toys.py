"""Simulated measurements ("toys"): how often one whose theory is right fits worse than the data.

A toy has counts that are drawn by Poisson's law, or Gauss's, around what is expected at the best nuisances of the data,
and centres of the nuisances' constraints that are drawn around these nuisances.  Toys are rows of one likelihood.  Each
has random numbers of its own, so that it depends neither on the other toys nor on threads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from fastscan.errors import InputError
from fastscan.experiments.observations import Counts
from fastscan.likelihoods.gaussian import square_roots
from fastscan.likelihoods.likelihood import Likelihood, combine, no_roots, powers
from fastscan.likelihoods.poisson import PoissonCounts
from fastscan.likelihoods.predictions import signal_in_energy
from fastscan.likelihoods.response import response
from fastscan.likelihoods.settings import Settings
from fastscan.limits import crossings
from fastscan.limits.compared import Compared
from fastscan.limits.points import Rows
from fastscan.typing import Array

AT_ONCE = 500  # toys that are drawn together: this bounds the memory
MOST_EXPECTED = 1e15  # events in a bin that Poisson's law is drawn for
Fitted = Sequence[tuple[Compared, Array]]  # what each member compares, and its best nuisances


def chi2_of_toys(
    rows: Rows, settings: Settings, x: float, fitted: Fitted, toys: int, seed: int, is_best: bool
) -> Array:
    """chi2 of toys at a point, with the nuisances minimised out.

    Parameters
    ----------
    rows : Rows
        Those of one row.
    settings : Settings
        Of the data, scalars.
    x : float
        The strength.
    fitted : sequence of (Compared, array)
        What each member compares there, and its best nuisances.
    toys : int
    seed : int
        What the random numbers of all toys begin with.
    is_best : bool
        Whether the strength is fitted to each toy, as it is to the data.

    Returns
    -------
    array, shape (toys,)

    Raises
    ------
    InputError
        Where too many events are expected for random numbers.
    """
    if any((each.expected + z @ each.changes).max() > MOST_EXPECTED for each, z in fitted):
        raise InputError(f"toys need at most {MOST_EXPECTED:g} events in a bin")
    strength, found = rows.interaction.strength, [np.empty(0)]
    for likelihood in _likelihoods(rows, fitted, toys, seed):
        number = likelihood.change.shape[1]
        columns, _ = likelihood.columns(np.arange(number), settings)
        if is_best:
            found.append(crossings.infimum(columns, strength.largest_x, strength.signed))
        else:
            found.append(columns.derivatives(np.arange(number), np.full(number, x))[0])
    return np.concatenate(found)


def _likelihoods(rows: Rows, fitted: Fitted, toys: int, seed: int) -> Iterator[Likelihood]:
    """The likelihoods of some toys at a time, each toy a row."""
    for first in range(0, toys, AT_ONCE):
        streams = [np.random.default_rng([seed, toy]) for toy in range(first, min(first + AT_ONCE, toys))]
        members = []
        for place, (member, z) in enumerate(fitted):
            drawn = [_drawn(member, z, stream) for stream in streams]
            data, centres = (np.stack(each) for each in zip(*drawn, strict=True))
            members.append((_counted if member.variance is None else _gaussian)(rows, place, member, data, centres))
        yield combine(members)


def _drawn(member: Compared, z: Array, stream: np.random.Generator) -> tuple[Array, Array]:
    """The data of a toy, and the centres of its nuisances' constraints."""
    expected = member.expected + z @ member.changes
    if member.variance is None:
        data: Array = stream.poisson(np.maximum(expected, 0.0)).astype(float)
    else:
        data = stream.normal(expected, np.sqrt(member.variance))
    return data, stream.normal(z, 1.0)


def _counted(rows: Rows, place: int, member: Compared, data: Array, centres: Array) -> Likelihood:
    """The likelihood of a member with counted events for data (toys, bins) and centres (toys, nuisances)."""
    whole = rows.likelihood
    counts = whole.counted[place]
    assert counts is not None
    again = replace(counts, data=data, centres=centres)
    change = np.repeat(whole.change[place, :, : counts.rates.shape[1] - 1], len(data), axis=0)
    return _member(whole, place, again.totals, no_roots(*again.totals.shape), change, again)


def _gaussian(rows: Rows, place: int, member: Compared, data: Array, centres: Array) -> Likelihood:
    """As `_counted`, of a member whose data have a variance.

    A centre c of the normalisation z, which multiplies m, is another prediction: d - m (1 + sigma z) with the penalty
    (z - c)^2 is d - m (1 + sigma c) - sigma m y with y^2.  So it changes S_dd, and neither D nor S_mm.
    """
    assert member.variance is not None
    polynomials = signal_in_energy(member.experiment, rows.interaction, rows.values)[:, 0]
    arriving = response(member.experiment).arriving[0]
    in_bins = (polynomials[..., None] * arriving[:, None]).sum(axis=0).reshape(3, -1)
    compared = member.variance > 0
    templates, scaling, nothing = in_bins[:, compared], member.scaling[compared], np.zeros(compared.sum())
    subtracted = sum(member.backgrounds.values(), np.zeros(compared.size)) - member.scaling
    roots = []
    for each, (centre,) in zip(data - subtracted, centres, strict=True):
        counts = Counts(each[compared], scaling, member.variance[compared], 0.0)
        found = square_roots(templates, nothing, counts)
        scale = 1 + member.sigma_sys * centre
        found[0] = square_roots(scale * templates, nothing, replace(counts, background=scale * scaling))[0]
        roots.append(found)
    totals = np.insert(np.broadcast_to(templates.sum(axis=1), (len(data), 3)), 0, 0.0, axis=1)
    return _member(rows.likelihood, place, totals, np.stack(roots), powers(len(data)), None)


def _member(
    whole: Likelihood, place: int, rates: Array, roots: Array, change: Array, counts: PoissonCounts | None
) -> Likelihood:
    """The likelihood of a member of another with other data, whose variance is whole."""
    return Likelihood(
        members=(whole.members[place],),
        rates=rates[None],
        roots=roots[None],
        change=np.ascontiguousarray(change)[None],
        spread=np.zeros(1),
        sigma_sys=whole.sigma_sys[[place]],
        follows=whole.follows[[place]],
        momentum_transfer=whole.momentum_transfer[[place]],
        counted=() if counts is None else (counts,),
    )
