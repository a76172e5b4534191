"""Simulated measurements ("toys") for the goodness of a fit: the distribution of chi2 if the fitted point is true.

The counts of a toy are drawn from Poisson or Gaussian distributions around the expected counts at the nuisances that
fit the data best, and the centres of the nuisances' constraints are drawn around these nuisances.  Each toy is one
column.  Each has random numbers of its own, so that a toy depends neither on other toys nor on threads.
"""

from collections.abc import Sequence

import numpy as np

from fastscan.errors import InputError
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.predictions import signal_in_energy
from fastscan.likelihoods.response import response
from fastscan.limits.compared import Compared, sums_of
from fastscan.limits.crossings import infimum
from fastscan.limits.drawn import MOST_EXPECTED, Drawn, columns_of_toys, drawable
from fastscan.limits.points import Rows
from fastscan.typing import Array

AT_ONCE = 500  # toys that are drawn together: this bounds the memory


def chi2_of_toys(
    rows: Rows, columns: Columns, x: float, members: Sequence[Compared], z: Array, toys: int, seed: int, is_best: bool
) -> Array:
    """chi2 of toys that are drawn at one point, minimised over the nuisances.

    Parameters
    ----------
    rows : Rows
        A single row.
    columns : Columns
        One column of its likelihood.
    x : float
        The strength, dimensionless.
    members : sequence of Compared
        The prediction and the data of each member at the point.
    z : array, shape (nuisances,)
        The nuisances that fit the data best, in standard deviations.
    toys : int
        Number of toys.
    seed : int
        Seed of the random numbers.
    is_best : bool
        Whether to minimise chi2 of each toy over the strength too, as a fit of the best strength does for the data.

    Returns
    -------
    array, shape (toys,)
        chi2, dimensionless.

    Raises
    ------
    InputError
        Where a bin expects more events than random numbers are drawn for.
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
    """The data and the centres of the toys of some numbers, drawn at nuisances z."""
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
    """One column in a row of its own for each toy, made from the one column of the data.

    The normalisation of a member with a variance is constrained around a centre c in each toy.  The difference
    d - m (1 + sigma z) with the penalty (z - c)^2 becomes one with the penalty z^2 if m is replaced by m (1 + sigma c),
    and sigma, like all other errors of the normalisation, by sigma / (1 + sigma c).  The noise of the columns is 1,
    because `Compared.variance` contains it.
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
    """The sums and the norm of `sums_of` for the toys of one column."""
    counts = signal_in_energy(member.experiment, rows.interaction, rows.values)[:, 0]  # (neutrinos, 3, energies)
    arriving = response(member.experiment).arriving[0]
    templates = (counts[..., None] * arriving[:, None]).sum(axis=0).reshape(3, 1, -1)
    return sums_of(member, np.broadcast_to(templates, (3, *data.shape)), data, scale)
