"""The likelihood of an interaction in one or several experiments, as a few arrays of numbers.

`fastscan.likelihoods.building` builds a likelihood once.  A store carries it, and workers and answers use it.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastscan.axes import LUMINOSITY, SIGMA_SYS
from fastscan.errors import ExperimentError, InputError, quoted
from fastscan.inputs import arguments
from fastscan.interactions.interaction import Interaction
from fastscan.kernels.squares import polynomials
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.counted import Counted
from fastscan.likelihoods.exchanges import Exchange, powers
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.member import statistic_of
from fastscan.likelihoods.modelled import ModelledCounts
from fastscan.likelihoods.poisson import Block, PoissonColumns
from fastscan.likelihoods.predictions import contact_change, terms_of
from fastscan.likelihoods.settings import Given, Settings, counted_once, is_scaled
from fastscan.typing import Array, BoolArray, Channel, IntArray

LEAST_OWN = 1e-11  # smallest share of a Gaussian member's squared error that is its own, not in common


@dataclass(frozen=True, eq=False)
class Likelihood:
    """chi2 of one interaction in one experiment, or in several ("members") whose chi2 add up.

    A shape is a set of events per unit of each feature.  Either features are products of couplings, and all rows share
    one shape; or, where each row has integrals of its own, features are 1, x and x^2, and each row has a shape.  A
    member with fewer features than another has zeros.

    Attributes
    ----------
    members : tuple of str
        Names of the experiments.
    rates : array, shape (members, shapes, 1 + features)
        Events over all bins at luminosity 1: the Standard Model's, then those per unit of each feature.
    roots : array, shape (members, shapes, 3, 1 + features, 1 + features)
        See `fastscan.likelihoods.gaussian.square_roots`.
    change : array, shape (members, rows, features, 3)
        Each feature less its Standard Model value as a polynomial in the strength x, lowest power first.
    spread : array, shape (members,)
        See `fastscan.experiments.observations.Counts`.
    norm : array, shape (members,)
        Sum of the squared data over their variance; 0 for a member with counted events.
    sigma_sys, follows : array, shape (members,)
        Each experiment's own systematic error, or the one at which it is fixed; and whether (1 or 0) a common value
        replaces it.
    momentum_transfer : array, shape (members,)
        The largest momentum transfer in MeV in each experiment.
    named : tuple of str
        Names of nuisances that members can have in common.
    common : array, shape (members, named)
        The relative error of each member's signal that is due to each of these nuisances.
    exchanges : tuple of Exchange
        One for each member, from which the likelihood of other rows is made; empty where all rows share one shape.
    counted : tuple of Counted or None
        The counted events of each member, None for a member with Gaussian counts; empty where no member has counted
        events.  The roots of a member with counted events are 0, so that its Gaussian chi2 is 0.
    """

    members: tuple[str, ...]
    rates: Array
    roots: Array
    change: Array
    spread: Array
    norm: Array
    sigma_sys: Array
    follows: Array
    momentum_transfer: Array
    named: tuple[str, ...]
    common: Array
    exchanges: tuple[Exchange, ...] = ()
    counted: tuple[Counted | None, ...] = ()

    @property
    def counts_events(self) -> tuple[str, ...]:
        """Names of the members whose data are measured counts, which can't be scaled to another luminosity."""
        pairs = zip(self.members, self.counted, strict=False)
        return tuple(name for name, counts in pairs if counts is not None and counts.is_measured)

    @property
    def momentum_transfers(self) -> dict[str, float]:
        """The largest momentum transfer in MeV in each experiment, by the experiment's name."""
        return dict(zip(self.members, self.momentum_transfer.tolist(), strict=True))

    @functools.cached_property
    def sums(self) -> Array:
        """S_dd, D and S_mm of each member and row, see `fastscan.kernels.squares`: (members, rows, 3, SQUARES)."""
        return polynomials(self.roots, self.change)

    @functools.cached_property
    def counts(self) -> Array:
        """Events of each member and row at luminosity 1 as a quadratic in x, shape (members, rows, 3)."""
        standard, per_unit = self.rates[..., 0], self.rates[..., 1:]
        total = np.zeros((*self.change.shape[:2], 3))
        total[..., 0] = standard
        for feature in range(per_unit.shape[-1]):  # spelled out, as the order in which @ adds depends on the shapes
            total += per_unit[..., feature, None] * self.change[:, :, feature]
        return total

    @property
    def departs(self) -> BoolArray:
        """Whether x = 0 is another theory than the Standard Model in each row, shape (rows,)."""
        departs: BoolArray = ((self.change[..., 0] != 0) & (self.rates[..., 1:] != 0)).any(axis=(0, 2))
        return departs

    @functools.cached_property
    def scale(self) -> Array:
        """The x of each row at which the terms in x^2 are as many events as the Standard Model's, shape (rows,).

        Where nothing depends on x^2, the scale is 1; any other number would do.
        """
        constant, _, square = self.counts.sum(axis=0).T
        sensitive = square > 0
        scale: Array = np.sqrt(np.where(sensitive, constant, 1.0) / np.where(sensitive, square, 1.0))
        return scale

    def events(self, x: Array, row: IntArray) -> Array:
        """Signal events of all members together at luminosity 1 (Eq. 16 of arXiv:2002.01482).

        Parameters
        ----------
        x : array, shape (...)
            Strengths, dimensionless.
        row : array of int, shape (...)
            Index of the row of each point; x and the row broadcast.

        Returns
        -------
        array, shape (...)
            Numbers of events.
        """
        constant, linear, square = self.counts.sum(axis=0).T
        total: Array = constant[row] + x * (linear[row] + x * square[row])
        return total

    def settings(self, given: Given | Settings) -> Settings:
        """Each member's systematic error and the luminosity, as a caller gives them or leaves them out.

        See `fastscan.likelihoods.settings.Settings.resolve` for the argument and the errors.  All numbers are
        dimensionless.  An `InputError` also refuses a luminosity other than 1 where a member `counts_events`.
        """
        found = Settings.resolve(given, self.members, self.sigma_sys, self.follows)
        if self.counts_events and any(map(is_scaled, found.luminosity.ravel().tolist())):
            raise InputError(f"{LUMINOSITY.name} {counted_once(self.counts_events)}")
        return found

    def own(self, setting: str) -> Array:
        """The values that a setting has where nobody gives it.

        Parameters
        ----------
        setting : str
            Name of an axis of `fastscan.axes.SETTINGS`.

        Returns
        -------
        array, shape (values,)
            Dimensionless.  For sigma_sys: the own errors of the members in which a common value replaces them.  For
            luminosity: its default.
        """
        if setting == SIGMA_SYS.name:
            return self.sigma_sys[self.follows > 0]
        return np.array([LUMINOSITY.default])

    def columns(self, row: IntArray, given: Given | Settings) -> tuple[Columns, tuple[int, ...]]:
        """The columns of some rows at some settings.

        Parameters
        ----------
        row : array of int, shape (...)
            Index of the row of each column; it broadcasts with the settings.
        given : mapping or Settings
            As `settings` takes them.

        Returns
        -------
        Columns
            In one dimension; `PoissonColumns` where members are fitted, else `GaussianColumns`.
        tuple of int
            The common shape of the row and the settings.

        Raises
        ------
        InputError
            Where a setting is wrong, or the shapes do not broadcast.
        """
        settings = self.settings(given)
        shape = arguments.broadcast(parameters=row.shape, settings=settings.shape)
        noise, variance = (_flat(each, shape) for each in settings.noise_and_variance(self.spread))
        blocks = self.blocks
        alone = [member for block in blocks for member in block]
        sums = self.sums.copy() if alone else self.sums
        sums[alone] = 0.0
        found = GaussianColumns(sums, self.scale, np.broadcast_to(row, shape).flatten(), noise, variance)
        if not blocks:
            return found, shape
        return PoissonColumns(found, tuple(self._block(each, noise, variance) for each in blocks)), shape

    @functools.cached_property
    def blocks(self) -> list[list[int]]:
        """Groups of members that are fitted together, by number: they share nuisances, or one has counted events.

        In each group the members with counted events come first.
        """
        shares = self._common > 0
        linked = shares @ shares.T | np.diag([each is not None for each in self.counted or (None,) * len(self.members)])
        for _ in self.members:  # each product doubles the number of links that are followed: more than enough
            linked = linked @ linked
        firsts = [member for member, row in enumerate(linked) if row.any() and not row[:member].any()]
        found = [np.flatnonzero(linked[first]).tolist() for first in firsts]
        return [sorted(members, key=lambda member: not self.counts_are_kept(member)) for members in found]

    @property
    def modelled(self) -> list[str]:
        """Names of the members that compare their counts with a model of fitted parameters."""
        counts = self.counted or [None] * len(self.members)
        return [name for name, each in zip(self.members, counts, strict=True) if isinstance(each, ModelledCounts)]

    def counts_are_kept(self, member: int) -> bool:
        """Whether a member has counted events, which are compared bin by bin."""
        return bool(self.counted) and self.counted[member] is not None

    @property
    def _common(self) -> Array:
        """The columns of `common` for nuisances that several members share, shape (members, shared)."""
        return self.common[:, (self.common > 0).sum(axis=0) > 1]

    @property
    def shared(self) -> tuple[str, ...]:
        """Names of the nuisances that several members have in common."""
        several = (self.common > 0).sum(axis=0) > 1
        return tuple(name for name, each in zip(self.named, several, strict=True) if each)

    def shared_by(self, members: Sequence[int]) -> list[int]:
        """Numbers, in `shared`, of the nuisances that at least one of some members has."""
        found: list[int] = np.flatnonzero(self._common[members].any(axis=0)).tolist()
        return found

    def _block(self, members: Sequence[int], noise: Array, variance: Array) -> Block:
        """The columns of one group of `blocks`; noise and variance of all members have the shape (members, columns)."""
        counted = [member for member in members if self.counts_are_kept(member)]
        parts = self._common[members][:, self.shared_by(members)]
        total = np.sqrt((parts**2).sum(axis=1))[:, None]
        # the error in common can't be larger than the whole error
        share = np.minimum(1.0, np.sqrt(variance[members]) / np.where(total > 0, total, 1.0))
        common = parts[:, :, None] * share[:, None]
        own = np.maximum(variance[members] - (common**2).sum(axis=1), 0.0)
        others = members[len(counted) :]
        # without an own error, the parabola of a huge signal is so steep that rounding loses its minimum
        own[len(counted) :] = np.maximum(own[len(counted) :], LEAST_OWN * variance[others])
        counts = tuple(each for member in counted if (each := self.counted[member]) is not None)
        kinds = {statistic_of(each).block for each in counts} or {Block}
        if len(kinds) > 1:
            names = ", ".join(quoted(self.members[member]) for member in counted)
            raise ExperimentError(
                f"experiments {names} share a nuisance, and some of them count events without a model of parameters, "
                "others with one: combine them as independent ones"
            )
        (kind,) = kinds
        return kind(
            counts=counts,
            change=self.change[counted],
            sums=self.sums[others],
            norm=np.repeat(self.norm[others, None], self.change.shape[1], axis=1),
            noise=noise[members],
            variance=own,
            common=common,
        )

    def independent(self) -> "Likelihood":
        """The same likelihood without nuisances in common: each member's whole error is its own."""
        return replace(self, named=(), common=np.zeros((len(self.members), 0)))

    def chi2(self, x: Array, row: IntArray, given: Given | Settings) -> Array:
        """chi2 at points (Eq. 21 of arXiv:2002.01482).

        Parameters
        ----------
        x : array, shape (...)
            Strengths, dimensionless.
        row : array of int, shape (...)
            Index of the row of each point.
        given : mapping or Settings
            As `settings` takes them.  The strength, the row and the settings broadcast.

        Returns
        -------
        array, shape (...)
            Dimensionless.

        Raises
        ------
        InputError
            Where a setting is wrong, or the shapes do not broadcast.
        """
        rows = np.broadcast_to(row, arguments.broadcast(strength=x.shape, row=row.shape))
        columns, shape = self.columns(rows, given)
        return columns.chi2(np.broadcast_to(x, shape).reshape(-1, 1)).reshape(shape)

    def in_rows(
        self, interaction: Interaction, channels: Sequence[tuple[Channel, ...]], rows: Mapping[str, Array]
    ) -> "Likelihood":
        """The likelihood of the same experiments in other rows.

        Parameters
        ----------
        interaction : Interaction
            The interaction of this likelihood.
        channels : sequence of tuple of str
            The channels of each member.
        rows : mapping of str to array, shape (rows,)
            The interaction's row parameters by name, in the units of their axes.
        """
        if not self.exchanges:
            features = self.change.shape[2]
            changes = [contact_change(terms_of(interaction, each, rows)) for each in channels]
            padded = [np.pad(each, ((0, 0), (0, features - each.shape[1]), (0, 0))) for each in changes]
            return replace(self, change=np.stack(padded))
        counted = self.counted or (None,) * len(self.members)
        made = [
            exchange.rows_of(counts, interaction, own, rows)
            for exchange, counts, own in zip(self.exchanges, counted, channels, strict=True)
        ]
        totals, roots, found = zip(*made, strict=True)
        change = np.stack([powers(len(each)) for each in totals])
        again = replace(self, rates=np.stack(totals), roots=np.stack(roots), change=change)
        return replace(again, counted=found) if self.counted else again


def _flat(by_member: Array, shape: tuple[int, ...]) -> Array:
    """(members, ...) broadcast to (members, *shape), flattened to (members, points)."""
    members = len(by_member)
    aligned = by_member.reshape(members, *(1,) * (len(shape) - by_member.ndim + 1), *by_member.shape[1:])
    return np.broadcast_to(aligned, (members, *shape)).reshape(members, -1).copy()
