"""Which bins of counted events are merged: those that hold nothing but one background.

All that a fit can change in such bins is how much there is of that background, in all of them alike.  So their sum says
as much as they do, and chi2 of the sum differs from theirs by a constant, see
`fastscan.likelihoods.poisson.PoissonCounts.lost`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fastscan.experiments.poisson import Nuisance
from fastscan.typing import Array, IntArray

NOTHING = 1e-7  # of a background: all else that a bin holds, or a standard deviation adds, up to which it is alone


def merged_bins(
    rates: Array, arriving: Array, backgrounds: Mapping[str, Array], nuisances: Sequence[Nuisance]
) -> IntArray:
    """The bin that each bin is counted in: all bins of one background alone are one, any other is one by itself.

    A background is alone in a bin where all of this adds up to no more than `NOTHING` of it: the Standard Model's
    signal, what one standard deviation of each of its shapes changes, the other backgrounds, and what one standard
    deviation of each nuisance changes but that of the background's own amount.

    Parameters
    ----------
    rates : array, shape (neutrinos, energy bins)
        The Standard Model's events.
    arriving : array, shape (1 + signal shapes, neutrinos, energy bins, others)
        See `fastscan.experiments.experiment.Experiment.arriving`.
    backgrounds : mapping of str to array, shape (bins,)
        Events of each, by its name.
    nuisances : sequence of Nuisance
        Those of the backgrounds.

    Returns
    -------
    array of int, shape (bins,)
        Numbers from 0 on, in the order of the first of the bins that are counted in each.

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
