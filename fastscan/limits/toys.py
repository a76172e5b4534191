"""Simulated measurements ("toys"): how often a measurement fits worse than the data where the theory is right.

A toy has counts that are drawn by Poisson's law, or Gauss's, around what is expected at the best nuisances of the data,
and centres of the nuisances' constraints that are drawn around these nuisances.  Each toy is a column of its own.  It
has random numbers of its own too, so that it depends neither on the other toys nor on threads.
"""

from collections.abc import Sequence

import numpy as np

from fastscan.errors import InputError
from fastscan.experiments.observations import Counts
from fastscan.kernels.squares import polynomials
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.gaussian import square_roots
from fastscan.likelihoods.likelihood import norm_of, powers
from fastscan.likelihoods.predictions import signal_in_energy
from fastscan.likelihoods.response import response
from fastscan.limits.compared import Compared
from fastscan.limits.crossings import infimum
from fastscan.limits.drawn import MOST_EXPECTED, Drawn, columns_of_toys, drawable
from fastscan.limits.points import Rows
from fastscan.typing import Array

AT_ONCE = 500  # toys that are drawn together: this bounds the memory


def chi2_of_toys(
    rows: Rows, columns: Columns, x: float, members: Sequence[Compared], z: Array, toys: int, seed: int, is_best: bool
) -> Array:
    """chi2 of toys at a point, with the nuisances minimised out.

    Parameters
    ----------
    rows : Rows
        Those of one row.
    columns : Columns
        One column of their likelihood.
    x : float
        The strength.
    members : sequence of Compared
        What each member compares there.
    z : array, shape (nuisances,)
        The best nuisances.
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
    if any(each.expected_at(z).max() > MOST_EXPECTED for each in members):
        raise InputError(f"toys need at most {MOST_EXPECTED:g} events in a bin")
    strength, found = rows.interaction.strength, []
    for first in range(0, toys, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, toys))
        those = _columns(rows, columns, members, _drawn(members, z, seed, numbers))
        if is_best:
            found.append(infimum(those, strength.largest_x, strength.signed))
        else:
            found.append(those.derivatives(np.arange(len(numbers)), np.full(len(numbers), x))[0])
    return np.concatenate(found)


def _drawn(members: Sequence[Compared], z: Array, seed: int, numbers: range) -> Drawn:
    data: list[list[Array]] = [[] for _ in members]
    centres = []
    for number in numbers:
        stream = np.random.default_rng([seed, number])
        for own, member in zip(data, members, strict=True):
            expected = member.expected_at(z)
            if member.variance is None:  # a bin without events can expect a negative number
                own.append(stream.poisson(np.maximum(expected, 0.0)).astype(float))
            else:
                own.append(stream.normal(expected, np.sqrt(member.variance)))
        centres.append(stream.normal(z, 1.0))
    return Drawn([np.stack(each) for each in data], np.stack(centres))


def _columns(rows: Rows, columns: Columns, members: Sequence[Compared], toys: Drawn) -> Columns:
    """A column, which is a row too, for each toy, from the one column of the data.

    A centre c of the own normalisation of a member with a variance changes what is predicted: in d - m (1 + sigma z)
    with the penalty (z - c)^2, m is replaced by m (1 + sigma c), and sigma by sigma / (1 + sigma c), and all other
    errors of the normalisation too.  The noise is 1, as the members' variance is whole.
    """
    number = len(toys.centres)
    sums = np.zeros((len(members), number, *rows.likelihood.sums.shape[2:]))
    norm = np.zeros((len(members), number))
    scale = np.ones((len(members), number))
    for place, member in enumerate(members):
        if member.variance is not None:
            scale[place] += member.own_error * toys.centres[:, member.first]
            sums[place], norm[place] = _sums(rows, member, toys.data[place], scale[place])
    data, lost = [], []
    for counts, drawn in zip(drawable(rows.likelihood), toys.data, strict=True):
        data.append(drawn if counts is None else counts.merged(drawn))
        lost.append(np.zeros(number) if counts is None else counts.lost(drawn))
    compared = Drawn(data, toys.centres)
    return columns_of_toys(rows.likelihood, columns, compared, sums, norm, scale, np.ones(len(members)), lost)


def _sums(rows: Rows, member: Compared, data: Array, scale: Array) -> tuple[Array, Array]:
    """Sums of a member with a variance in each toy, and of its squared data; its prediction is scaled in each."""
    assert member.variance is not None
    counts = signal_in_energy(member.experiment, rows.interaction, rows.values)[:, 0]  # (neutrinos, 3, energies)
    arriving = response(member.experiment).arriving[0]
    seen = member.variance > 0
    templates = (counts[..., None] * arriving[:, None]).sum(axis=0).reshape(3, -1)[:, seen]
    subtracted = sum(member.backgrounds.values(), -member.scaling)
    nothing, roots, norm = np.zeros(templates.shape[1]), [], []
    for each, factor in zip(data - subtracted, scale.tolist(), strict=True):
        observed = Counts(each[seen], factor * member.scaling[seen], member.variance[seen], 0.0)
        roots.append(square_roots(factor * templates, nothing, observed))
        norm.append(norm_of(observed))
    found: Array = polynomials(np.stack(roots)[None], np.array(powers(len(data)))[None])[0]
    return found, np.array(norm)
