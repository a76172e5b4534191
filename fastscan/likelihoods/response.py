"""The response of an experiment: event counts per unit of each product of couplings, computed once per experiment.

It has one entry for each neutrino, because the charges of a model belong to flavours.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments.experiment import Experiment
from fastscan.interactions import standard_model
from fastscan.interactions.interaction import Term
from fastscan.likelihoods import rates
from fastscan.likelihoods.rates import Recoils
from fastscan.physics.cross_sections import WEAK, Process
from fastscan.physics.quadrature import STEEPEST_PROPAGATOR, interpolation, logarithmic, panels
from fastscan.physics.spectra import Neutrino, Spectrum, flavour
from fastscan.typing import FLAVOURS, Array, Channel

SOFTEST = 1e-12  # largest probability to count a recoil without energy for which massless mediators are allowed


@dataclass(frozen=True, eq=False)
class Response:
    """Event counts at luminosity 1 as sums over nodes in recoil energy, for each neutrino.

    Attributes
    ----------
    experiment : str
        Name of the experiment.
    channels : tuple of str
        The channels whose events the detector can't tell apart.
    neutrinos : tuple of str, length neutrinos
        The neutrinos of the source, each once.
    spectra : list of Spectrum
        Fluences of the neutrinos; a neutrino can have several spectra.
    recoils : dict of str to list of Recoils
        The recoils of each channel.
    arriving : array, shape (1 + signal shapes, neutrinos, energy bins, others)
        See `Experiment.arriving`, for each neutrino.
    """

    experiment: str
    channels: tuple[Channel, ...]
    neutrinos: tuple[Neutrino, ...]
    spectra: list[Spectrum]
    recoils: dict[Channel, list[Recoils]]
    arriving: Array

    @functools.cached_property
    def by_neutrino(self) -> Array:
        """Events per unit of each feature of the weak process, shape (neutrinos, bins, features); read-only.

        The features are g1^2, g1 g2 and g2^2, with (g1, g2) = (g_p, g_n) in CEvNS and (g_L, g_R) of the neutrino's
        flavour in neutrino-electron scattering.  The features of one channel follow those of the other.
        """
        rates = self._in_all_bins(self.in_energy.swapaxes(1, 2)).swapaxes(1, 2)
        rates.setflags(write=False)
        return rates

    @functools.cached_property
    def in_energy(self) -> Array:
        """As `by_neutrino`, in bins of energy alone: shape (neutrinos, energy bins, features); read-only."""
        rates = np.concatenate([self._weak_rates(channel) for channel in self.channels], axis=-1)
        rates.setflags(write=False)
        return rates

    @property
    def flavours(self) -> list[int]:
        """The flavour of each neutrino, as an index of `FLAVOURS`."""
        return [flavour(neutrino) for neutrino in self.neutrinos]

    @property
    def standard(self) -> Array:
        """Events that the Standard Model predicts, shape (neutrinos, bins)."""
        features = standard_model.features_of(self.channels)
        return np.stack([events @ features[each] for each, events in zip(self.flavours, self.by_neutrino, strict=True)])

    def scaled(self, total: float) -> "Response":
        """The response with the number of scatterers scaled such that the Standard Model predicts `total` events.

        Raises
        ------
        ExperimentError
            Where the Standard Model predicts no events.
        """
        predicted = self.standard.sum()
        if not predicted > 0:
            raise ExperimentError(
                f"experiment {quoted(self.experiment)} sees nothing that could be scaled to {total:g}"
            )
        factor = total / predicted
        parts = {
            channel: [replace(part, number=factor * part.number) for part in parts]
            for channel, parts in self.recoils.items()
        }
        return replace(self, recoils=parts)

    @property
    def by_flavour(self) -> Array:
        """Events of neutrinos and antineutrinos together, in the order of `FLAVOURS`: (flavours, bins, features)."""
        total = np.zeros((len(FLAVOURS), *self.by_neutrino.shape[1:]))
        for each, events in zip(self.flavours, self.by_neutrino, strict=True):
            total[each] += events
        return total

    @property
    def total(self) -> Array:
        """Events of all neutrinos together, shape (bins, features): for couplings that don't depend on the flavour."""
        total: Array = self.by_neutrino.sum(axis=0)
        return total

    def _weak_rates(self, channel: Channel) -> Array:
        """`in_energy` for one channel."""
        sums = []
        for part, density in zip(self.recoils[channel], self._densities(channel, WEAK), strict=True):
            recoils, *others = density.shape
            sums.append(part.counted.sums(density.reshape(recoils, math.prod(others))).reshape(-1, *others))
        return np.moveaxis(sum(sums, np.zeros(())), 0, 1)

    def _in_all_bins(self, events: Array) -> Array:
        """Events in bins of energy, shape (neutrinos, ..., energy bins), in all bins."""
        shares = self.arriving[0].reshape(len(self.neutrinos), *(1 for _ in events.shape[1:-1]), events.shape[-1], -1)
        counted: Array = events[..., None] * shares
        return counted.reshape(*events.shape[:-1], -1)

    @functools.cached_property
    def panels(self) -> Array:
        """Ends of the panels of q^2 in MeV^2, (panels + 1,), on which factors of the integrands are interpolated."""
        everything = [part.transfer2 for parts in self.recoils.values() for part in parts if part.energies.size]
        low, high = min(each[0] for each in everything), max(each[-1] for each in everything)
        return panels(np.array([low, high]), STEEPEST_PROPAGATOR)

    @functools.cached_property
    def transfer2(self) -> Array:
        """The nodes q^2 in MeV^2 of the interpolation, shape (nodes,)."""
        return logarithmic(self.panels[:-1], self.panels[1:])[0].ravel()

    def exchanged(self, channel: Channel, terms: Sequence[Term]) -> Array:
        """Events per unit of each term's factor at the nodes q^2.

        The sum over nodes of the factor there times these events is the number of events.

        Parameters
        ----------
        channel : {"cevns", "nu-e"}
            One of `channels`.
        terms : sequence of Term
            All rows of a term share the weight of its first row.

        Returns
        -------
        array, shape (neutrinos, terms, nodes, bins)

        Raises
        ------
        ExperimentError
            As in `exchanged_in_energy`.
        """
        return self._in_all_bins(self.exchanged_in_energy(channel, terms))

    def exchanged_in_energy(self, channel: Channel, terms: Sequence[Term]) -> Array:
        """As `exchanged`, in bins of energy alone: shape (neutrinos, terms, nodes, energy bins).

        Raises
        ------
        ExperimentError
            Where a term is massless and the experiment counts recoils of any small energy.
        """
        parts = self.recoils[channel]
        if any(term.massless for term in terms) and any(each.softest > SOFTEST for each in parts):
            raise ExperimentError(
                f"experiment {quoted(self.experiment)} counts recoils of any small energy, whose rate grows without "
                "bound for a mediator of less than 1 eV: give it a threshold, or drop_below where energies are blurred"
            )
        shared = [self._at_nodes(channel, term.process, term.massless) for term in terms]
        weights = [term.weight[0, self.flavours, :, term.power] for term in terms]  # each (neutrinos, features)
        return np.stack([np.einsum("nf,nfqe->nqe", *each) for each in zip(weights, shared, strict=True)], axis=1)

    def _at_nodes(self, channel: Channel, process: Process, massless: bool) -> Array:
        """Events per unit of each feature, shared among the nodes q^2: (neutrinos, features, nodes, energy bins).

        They are computed once, because all models share them.
        """
        key = (channel, process, massless)
        if key not in self._kept_at_nodes:
            pairs = zip(self.recoils[channel], self._densities(channel, process), strict=True)
            shares = [self._shared(part, _likely(part, density) if massless else density) for part, density in pairs]
            self._kept_at_nodes[key] = np.moveaxis(sum(shares, np.zeros(())), 0, -1)
        return self._kept_at_nodes[key]

    @functools.cached_property
    def _kept_at_nodes(self) -> dict[tuple[Channel, Process, bool], Array]:
        return {}

    def _shared(self, part: Recoils, density: Array) -> Array:
        """Events from densities (recoils, ...), shared among the nodes q^2: shape (energy bins, ..., nodes)."""
        places = [0, *np.searchsorted(part.transfer2, self.panels[1:-1]).tolist(), part.energies.size]
        found = []
        for low, high, start, stop in zip(self.panels, self.panels[1:], places, places[1:], strict=False):
            share = interpolation(low, high, part.transfer2[start:stop]).T  # (recoils, nodes)
            each = density[start:stop, ..., None] * share[:, None, None]
            sums = part.counted.part(start, stop).sums(each.reshape(stop - start, math.prod(each.shape[1:])))
            found.append(sums.reshape(len(sums), *each.shape[1:]))
        return np.concatenate(found, axis=-1)

    def _densities(self, channel: Channel, process: Process) -> list[Array]:
        """Recoils per MeV at the nodes of each of `recoils`, shape (nodes, neutrinos, features)."""
        key = (channel, process)
        if key not in self._kept:
            self._kept[key] = [self._density(process, part) for part in self.recoils[channel]]
        return self._kept[key]

    @functools.cached_property
    def _kept(self) -> dict[tuple[Channel, Process], list[Array]]:
        return {}

    def _density(self, process: Process, part: Recoils) -> Array:
        found: list[Array | float] = [0.0] * len(self.neutrinos)
        for spectrum in self.spectra:
            found[self.neutrinos.index(spectrum.neutrino)] += part.density(process, spectrum)
        return np.stack(found, axis=1)


def _likely(part: Recoils, density: Array) -> Array:
    """Densities (recoils, ...), set to 0 where a recoil is hardly ever counted, see `UNLIKELY`.

    Towards T = 0 the rate of a massless term rises like 1/T^2 without bound, and would lift the farthest tail of a
    Gaussian resolution above everything else.
    """
    found: Array = np.where(part.likely[:, None, None], density, 0.0)
    return found


@functools.cache
def response(experiment: Experiment) -> Response:
    """The response of an experiment.

    Parameters
    ----------
    experiment : Experiment
        See `fastscan.experiments.load`.

    Returns
    -------
    Response
        Accurate to 1e-10 relative.  Where the experiment gives the number of events that the Standard Model predicts,
        all counts are scaled to this number.

    References
    ----------
    Eqs. 16 and 20 of arXiv:2002.01482.

    Examples
    --------
    COHERENT's CsI[Na] in one bin: events of each neutrino with the Standard Model's couplings

    >>> from fastscan.experiments import load
    >>> from fastscan.interactions.standard_model import couplings
    >>> found = response(load("coherent-csi"))
    >>> g_p, g_n = couplings("cevns")[0]  # the same for every flavour
    >>> events = found.by_neutrino @ [g_p**2, g_p * g_n, g_n**2]
    >>> {neutrino: round(float(counts.sum()), 2) for neutrino, counts in zip(found.neutrinos, events, strict=True)}
    {'nu_mu': 29.38, 'nu_e': 60.32, 'nubar_mu': 90.42}
    """
    spectra = experiment.spectra()
    neutrinos = tuple(dict.fromkeys(spectrum.neutrino for spectrum in spectra))
    knots = np.unique(np.concatenate([spectrum.knots for spectrum in spectra]))
    found = Response(
        experiment.name,
        experiment.channels,
        neutrinos,
        spectra,
        {channel: rates.recoils(experiment, channel, knots) for channel in experiment.channels},
        np.stack([experiment.arriving(neutrino) for neutrino in neutrinos], axis=1),
    )
    total = experiment.predicted_signal
    return found if total is None else found.scaled(total)
