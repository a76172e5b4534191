"""Counted events: what a member of a likelihood offers that compares events bin by bin with a fitted prediction.

Each statistic has a class of its own, which `fastscan.likelihoods.member.STATISTICS` lists.
"""

from typing import Protocol, Self

from fastscan.typing import Array


class Counted(Protocol):
    """What a member with counted events compares."""

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
        """Whether the data are measured ones."""

    @property
    def nuisances(self) -> int:
        """How many nuisances it has of its own, the first of which is that of the signal's normalisation."""

    @property
    def totals(self) -> Array:
        """Signal events over all bins, shape (shapes, 1 + features)."""

    def with_rates(self, rates: Array) -> Self:
        """The same with other rates."""

    def merged(self, events: Array) -> Array:
        """Events in the bins that are compared, (..., compared bins), from those in all, (..., bins)."""

    def lost(self, data: Array) -> Array:
        """By how much chi2 of the bins that are compared is below that of all bins, for data (..., bins)."""

    def expected(self) -> Self:
        """The same with the predicted signal and background for the data."""
