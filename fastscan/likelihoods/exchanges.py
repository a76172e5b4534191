"""Exchanges: an experiment's events at each momentum transfer, from which the likelihood of any row is made.

A light mediator's propagator multiplies the integrand of every count by a smooth function of the momentum transfer q^2,
which differs from row to row.  The experiment's events per unit of this function at nodes of q^2 don't depend on the
row.  The chi2 of any row follows from these events and the data, without the experiment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fastscan.experiments.experiment import Experiment
from fastscan.experiments.observations import Counts
from fastscan.interactions.interaction import Interaction, Term
from fastscan.likelihoods.counted import Counted
from fastscan.likelihoods.gaussian import no_roots, square_roots
from fastscan.likelihoods.predictions import terms_of
from fastscan.likelihoods.response import response
from fastscan.typing import Array, Channel

MOST = 2**31  # largest number of terms, nodes or bins in a store
BLOCK = 256  # rows that are made at once, so that memory doesn't grow with their number


@dataclass(frozen=True, eq=False)
class Exchange:
    """An experiment's events of an interaction at each momentum transfer, and its data, in bins with a variance.

    Attributes
    ----------
    transfer2 : array, shape (nodes,)
        q^2 in MeV^2, see `fastscan.likelihoods.response.Response.exchanged`.
    events : array, shape (terms, nodes, bins)
        Events at luminosity 1 per unit of each term's factor at each node; the terms of all channels follow each other.
    signal : array, shape (bins,)
        Events that the Standard Model predicts at luminosity 1.
    counts : Counts or None
        The data and their variance, in the same bins.  None where events are counted, see
        `fastscan.likelihoods.poisson`: then the bins are bins of energy, one neutrino after the other.
    """

    transfer2: Array
    events: Array
    signal: Array
    counts: Counts | None

    def templates(self, terms: Sequence[Term]) -> Array:
        """Events that an interaction adds in each bin, as polynomials in the strength x.

        Parameters
        ----------
        terms : sequence of Term
            The terms of all channels, in the order of `events`.

        Returns
        -------
        array, shape (rows, 3, bins)
            Coefficients of 1, x and x^2.
        """
        factors = [term.at(self.transfer2) for term in terms]
        found = np.zeros((max(map(len, factors)), 3, self.signal.size))
        for term, factor, events in zip(terms, factors, self.events, strict=True):
            # row by row, so that no sum depends on the other rows
            found[:, term.power] += np.stack([row @ events for row in factor])
        return found

    def in_rows(
        self, interaction: Interaction, channels: Sequence[Channel], rows: Mapping[str, Array]
    ) -> Iterator[Array]:
        """Events that an interaction adds in rows, in blocks of consecutive rows.

        Parameters
        ----------
        interaction : Interaction
        channels : sequence of str
            The channels of the experiment.
        rows : mapping of str to array, shape (rows,)
            The interaction's row parameters by name, in the units of their axes.

        Yields
        ------
        array, shape (rows of the block, 3, bins)
            See `templates`.
        """
        number = max((len(each) for each in rows.values()), default=1)
        for start in range(0, number, BLOCK):
            block = {name: each[start : start + BLOCK] for name, each in rows.items()}
            yield self.templates([term for each in terms_of(interaction, channels, block) for term in each])

    def rows_of(
        self,
        counted: Counted | None,
        interaction: Interaction,
        channels: Sequence[Channel],
        rows: Mapping[str, Array],
    ) -> tuple[Array, Array, Counted | None]:
        """The arrays of a likelihood for this member in rows.

        Parameters
        ----------
        counted : Counted or None
            The member's counted events in other rows; None where it has Gaussian counts.
        interaction, channels, rows
            See `in_rows`.

        Returns
        -------
        totals, roots : array, shape (rows, 4) and (rows, 3, 4, 4)
            See `gaussian_rows`; the roots are 0 where events are counted.
        counted : Counted or None
            The member's counted events in these rows.
        """
        blocks = self.in_rows(interaction, channels, rows)
        if self.counts is not None:
            return *gaussian_rows(self.counts, self.signal, blocks), None
        assert counted is not None, "a member without Gaussian counts has counted events"
        rates = counted_rates(self.signal, blocks)
        found = counted.with_rates(rates.reshape(*rates.shape[:2], *counted.rates.shape[2:]))
        return found.totals, no_roots(len(rates), rates.shape[1]), found


def gaussian_rows(counts: Counts, signal: Array, blocks: Iterable[Array]) -> tuple[Array, Array]:
    """The events and the sums of squares in rows.

    Parameters
    ----------
    counts : Counts
        The data and their variance.
    signal : array, shape (bins,)
        Events that the Standard Model predicts.
    blocks : iterable of array, shape (rows of a block, 3, bins)
        See `Exchange.in_rows`.

    Returns
    -------
    totals : array, shape (rows, 4)
        Events over all bins: the Standard Model's, then the coefficients of 1, x and x^2.  Bins in which the Standard
        Model predicts nothing are left out.
    roots : array, shape (rows, 3, 4, 4)
        See `fastscan.likelihoods.gaussian.square_roots`.
    """
    totals, roots = [np.empty((0, 4))], [np.empty((0, 3, 4, 4))]
    for templates in blocks:
        seen = templates[..., signal > 0].sum(axis=-1)
        totals.append(np.insert(seen, 0, signal.sum(), axis=1))
        roots.append(square_roots(templates, signal, counts))
    return np.concatenate(totals), np.concatenate(roots)


def counted_rates(signal: Array, blocks: Iterable[Array]) -> Array:
    """The Standard Model's events and the coefficients of 1, x and x^2, shape (rows, 4, bins); see `gaussian_rows`."""
    found = [np.empty((0, 4, signal.size))]
    found += [np.insert(templates, 0, signal, axis=1) for templates in blocks]
    return np.concatenate(found)


def powers(rows: int) -> Array:
    """The changes of three features that are 1, x and x^2, as polynomials in x: shape (rows, 3, 3)."""
    return np.broadcast_to(np.eye(3), (rows, 3, 3))


def exchange(
    experiment: Experiment, terms: Sequence[tuple[Term, ...]], signal: Array, counts: Counts | None
) -> Exchange:
    """The events of an experiment per unit of each term's factor, for the terms of each of its channels.

    Parameters
    ----------
    experiment : Experiment
    terms : sequence of tuple of Term
        The terms of each channel; all rows of a term share the weight of its first row.
    signal : array, shape (bins,)
        Events that the Standard Model predicts.
    counts : Counts or None
        The data and their variance; None where events are counted, see `Exchange`.

    Raises
    ------
    ExperimentError
        Where infinitely many recoils of small energy are counted.
    """
    found = response(experiment)
    by_channel = list(zip(experiment.channels, terms, strict=True))
    if counts is None:
        each = np.concatenate([found.exchanged_in_energy(*both) for both in by_channel], axis=1)
        neutrinos, number, nodes, energies = each.shape
        events = np.moveaxis(each, 0, 2).reshape(number, nodes, neutrinos * energies)
        return Exchange(found.transfer2, events, signal, None)
    counted = counts.variance > 0
    events = np.concatenate([found.exchanged(*both).sum(axis=0) for both in by_channel])
    return Exchange(found.transfer2, events[..., counted], signal[counted], counts.some(counted))


def packed(exchanges: Sequence[Exchange]) -> dict[str, Array]:
    """The exchanges of members as a few arrays, one member after the other.

    Returns
    -------
    dict of str to array
        ``sizes`` (members, 3): the numbers of terms, nodes and bins.  ``transfer2`` (nodes,) and ``events`` (numbers,)
        of all members.  ``observed`` (4, bins) of all members: signal, data, background and variance, the last three of
        which are 0 where events are counted.
    """
    observed = [(each.signal, *_observed(each)) for each in exchanges]
    return {
        "sizes": np.array([each.events.shape for each in exchanges], float),
        "transfer2": np.concatenate([each.transfer2 for each in exchanges]),
        "events": np.concatenate([each.events.ravel() for each in exchanges]),
        "observed": np.concatenate(observed, axis=1),
    }


def _observed(exchange: Exchange) -> tuple[Array, Array, Array]:
    """Data, background and variance."""
    if exchange.counts is None:
        nothing = np.zeros_like(exchange.signal)
        return nothing, nothing, nothing
    return exchange.counts.data, exchange.counts.background, exchange.counts.variance


def unpacked(arrays: Mapping[str, Array], spread: Array, counted: Sequence[bool]) -> tuple[Exchange, ...]:
    """The inverse of `packed`; a ValueError where the sizes don't fit the arrays.

    Parameters
    ----------
    arrays : mapping of str to array
    spread : array, shape (members,)
        See `fastscan.experiments.observations.Counts`.
    counted : sequence of bool, length members
        Whether each member has counted events.
    """
    if not ((arrays["sizes"] >= 1) & (arrays["sizes"] <= MOST)).all():  # a nan fails this too
        raise ValueError("the sizes of its experiments' counts are out of bounds")
    sizes = arrays["sizes"].astype(int)
    terms, nodes, bins = sizes.T
    numbers = terms * nodes * bins
    found = (len(sizes), nodes.sum(), numbers.sum(), bins.sum())
    if found != (spread.size, arrays["transfer2"].size, arrays["events"].size, arrays["observed"].shape[1]):
        raise ValueError("what its experiments count has other sizes than it says")
    transfers, events, observed = (
        np.split(arrays[name], np.cumsum(each)[:-1], axis=-1)
        for name, each in (("transfer2", nodes), ("events", numbers), ("observed", bins))
    )
    members = zip(transfers, events, sizes, observed, spread.tolist(), counted, strict=True)
    return tuple(
        Exchange(transfer2, each.reshape(shape), signal, None if poisson else Counts(data, background, variance, own))
        for transfer2, each, shape, (signal, data, background, variance), own, poisson in members
    )
