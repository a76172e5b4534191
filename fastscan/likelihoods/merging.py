"""Merging of bins of counted events: all bins that hold nothing but the same background become one bin.

A fit can change such bins only by a common factor, the amount of that background.  So their sum constrains the fit as
much as all of them, and chi2 of the sum differs from their chi2 by a constant, see
`fastscan.likelihoods.poisson.PoissonCounts.lost`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fastscan.experiments.poisson import Nuisance
from fastscan.typing import Array, IntArray

NOTHING = 1e-7  # a background is alone in a bin if all else there is at most this share of it, see `merged_bins`


def merged_bins(
    rates: Array, arriving: Array, backgrounds: Mapping[str, Array], nuisances: Sequence[Nuisance]
) -> IntArray:
    """The compared bin of each bin: bins in which the same background is alone share one, any other bin has its own.

    A background is alone in a bin where the sum of the following is at most `NOTHING` times the background: the
    Standard Model's signal, its change at one standard deviation of each of its shapes, the other backgrounds, and
    their change at one standard deviation of each nuisance except the background's own amount.

    Parameters
    ----------
    rates : array, shape (neutrinos, energy bins)
        The Standard Model's events.
    arriving : array, shape (1 + signal shapes, neutrinos, energy bins, others)
        See `fastscan.experiments.experiment.Experiment.arriving`.
    backgrounds : mapping of str to array, shape (bins,)
        Events of each background, by its name.
    nuisances : sequence of Nuisance
        The nuisances of the backgrounds.

    Returns
    -------
    array of int, shape (bins,)
        Numbers from 0 on, in the order of the first bin in each compared bin.

    Examples
    --------
    >>> signal, one, other = np.array([[5.0, 0, 0, 0]]), np.array([1.0, 2, 3, 4]), np.array([0.0, 1, 0, 0])
    >>> merged_bins(signal, np.ones((1, 1, 4, 1)), {"one": one, "other": other}, []).tolist()
    [0, 1, 2, 2]
    """
    signals = np.abs((rates[:, :, None] * arriving).sum(axis=1)).sum(axis=0).ravel()
    found = np.arange(signals.size)
    for name, events in backgrounds.items():
        others = [each for other, each in backgrounds.items() if other != name]
        changes = [np.abs(each.change) for each in nuisances if each.name != name]
        alone = (events > 0) & (sum([*others, *changes], signals) <= NOTHING * events)
        found[alone] = found[alone].min(initial=signals.size)
    return np.unique(found, return_inverse=True)[1]
