"""Counted events: the protocol of members of a likelihood that compare events bin by bin with a fitted prediction.

Each statistic has a class of its own, which `fastscan.likelihoods.member.STATISTICS` lists.
"""

from typing import Protocol, Self

from fastscan.typing import Array


class Counted(Protocol):
    """The data and the prediction of a member with counted events."""

    @property
    def rates(self) -> Array:
        """Signal events at luminosity 1 of each energy, shape (shapes, 1 + features, neutrinos, energies).

        The Standard Model's events come first, then those per unit of each feature.
        """

    @property
    def data(self) -> Array:
        """Events at luminosity 1, shape (bins,)."""

    @property
    def is_measured(self) -> bool:
        """Whether the data are measured, not predicted."""

    @property
    def nuisances(self) -> int:
        """The number of its own nuisances, the first of which is the signal's normalisation."""

    @property
    def totals(self) -> Array:
        """Signal events over all bins, shape (shapes, 1 + features)."""

    def with_rates(self, rates: Array) -> Self:
        """The same counts with other rates."""

    def merged(self, events: Array) -> Array:
        """Events in the compared bins, (..., compared bins), from events in all bins, (..., bins)."""

    def lost(self, data: Array) -> Array:
        """chi2 of all bins minus chi2 of the compared bins, shape (...), for data (..., bins)."""

    def expected(self) -> Self:
        """The same counts with the predicted signal and background in place of the data."""
