"""The response of an experiment: what turns couplings into event counts, done once per experiment.

It is kept by neutrino, because the charges of a model belong to flavours.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastscan.errors import ExperimentError, quoted
from fastscan.experiments.experiment import Experiment
from fastscan.interactions.interaction import Term
from fastscan.likelihoods.rates import Recoils, recoils
from fastscan.physics.spectra import Neutrino, Spectrum, flavour
from fastscan.typing import FLAVOURS, Array, Channel, Process

AT_ONCE = 2**20  # numbers at nodes that are summed at once: some MB of memory
SOFT = 1e-9  # probability below which recoils without energy are not counted


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
        Their fluences; a neutrino can have several.
    recoils : dict of str to list of Recoils
        What recoils in each channel.
    arriving : array, shape (neutrinos, time bins)
        Share of the events of each neutrino in each bin of time.
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
        flavour in neutrino-electron scattering; those of each channel, one after the other.
        """
        rates = np.concatenate([self.rates(channel, "weak")[0] for channel in self.channels], axis=-1)
        rates.setflags(write=False)
        return rates

    @property
    def flavours(self) -> list[int]:
        """The flavour of each neutrino, as an index of `FLAVOURS`."""
        return [flavour(neutrino) for neutrino in self.neutrinos]

    @property
    def by_flavour(self) -> Array:
        """Events of neutrinos and antineutrinos together, shape (flavours, bins, features), as `FLAVOURS` are."""
        total = np.zeros((len(FLAVOURS), *self.by_neutrino.shape[1:]))
        for each, events in zip(self.flavours, self.by_neutrino, strict=True):
            total[each] += events
        return total

    @property
    def total(self) -> Array:
        """Events of all neutrinos together, shape (bins, features): for couplings that don't depend on the flavour."""
        total: Array = self.by_neutrino.sum(axis=0)
        return total

    def rates(self, channel: Channel, process: Process, term: Term | None = None) -> Array:
        """Events per unit of each feature of a process.

        Parameters
        ----------
        channel : {"cevns", "nu-e"}
            One of `channels`.
        process : {"weak", "scalar", "magnetic"}
            See `fastscan.physics.cross_sections`.
        term : Term, optional
            Where it has a factor, that multiplies the integrand.

        Returns
        -------
        array, shape (rows, neutrinos, bins, features)
            One row without a factor.

        Raises
        ------
        ExperimentError
            Where a massless term meets recoils of any small energy.
        """
        parts = self.recoils[channel]
        if term and term.massless and any(each.softest > SOFT for each in parts):
            raise ExperimentError(
                f"experiment {quoted(self.experiment)} counts recoils of any small energy, of which a mediator without "
                "mass, or with less than 1 eV, gives ever more: give it a threshold"
            )
        factor = term.factor if term else None
        total: Array | float = 0.0
        for part, density in zip(parts, self._densities(channel, process), strict=True):
            each = factor(part.transfer2) if factor else np.ones((1, len(density)))
            flat = density.reshape(len(density), density.shape[1] * density.shape[2])
            at_once = max(1, AT_ONCE // max(flat.size, 1))
            parts_of_rows = [each[start : start + at_once, :, None] for start in range(0, len(each), at_once)]
            sums = np.concatenate([part.counted.sums(rows * flat) for rows in parts_of_rows])
            total = total + sums.reshape(*sums.shape[:2], *density.shape[1:])
        events = np.swapaxes(total, 1, 2)
        timed = events[:, :, :, None] * self.arriving[:, None, :, None]  # (rows, neutrinos, energy, time, features)
        return timed.reshape(*events.shape[:2], -1, events.shape[-1])

    def _densities(self, channel: Channel, process: Process) -> list[Array]:
        """Recoils per MeV at the nodes of everything that recoils, each of shape (nodes, neutrinos, features)."""
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

    def templates(self, terms: Sequence[Sequence[Term]]) -> Array:
        """Events that an interaction adds in each bin, as polynomials in the strength x.

        Parameters
        ----------
        terms : sequence of sequence of Term
            Those of each channel.

        Returns
        -------
        array, shape (neutrinos, rows, 3, bins)
            Coefficients of 1, x and x^2.
        """
        rows = max(len(term.weight) for each in terms for term in each)
        bins = len(self.by_neutrino[0])
        found = np.zeros((len(self.neutrinos), rows, 3, bins))
        for channel, each in zip(self.channels, terms, strict=True):
            for term in each:
                rates = self.rates(channel, term.process, term)
                for number, flavour_ in enumerate(self.flavours):
                    weight = term.weight[:, flavour_]  # (rows, features, powers)
                    for feature in range(weight.shape[1]):  # spelled out, so that no sum depends on other rows
                        found[number] += weight[:, feature, :, None] * rates[:, number, None, :, feature]
        return found


@functools.cache
def response(experiment: Experiment) -> Response:
    """The response of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Of `fastscan.experiments.load`.

    Returns
    -------
    Response
        Accurate to 1e-10 relative.

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
    shares = [np.ones(1) if experiment.time is None else experiment.time.shares(each) for each in neutrinos]
    return Response(
        experiment.name,
        experiment.channels,
        neutrinos,
        spectra,
        {channel: recoils(experiment, channel, knots) for channel in experiment.channels},
        np.array(shares),
    )
