"""The response of an experiment: what turns couplings into event counts, done once per experiment.

It is kept by neutrino, because the charges of a model belong to flavours.
"""

import functools
from dataclasses import dataclass

import numpy as np

from fastscan.experiments.detectors import Detector
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.reconstruction import Reconstruction
from fastscan.likelihoods.rates import Nucleus, Scatterer, reconstructed, scatterers, scatterings
from fastscan.physics.spectra import Neutrino, Spectrum, flavour
from fastscan.typing import FLAVOURS, Array


@dataclass(frozen=True, eq=False)
class Response:
    """Coefficients of the squared couplings in each bin's event count at luminosity 1, for each neutrino.

    Attributes
    ----------
    neutrinos : tuple of str, length neutrinos
        The neutrinos of the source, each once.
    by_neutrino : array, shape (neutrinos, bins, 3)
        Events per unit of g1^2, g1 g2 and g2^2, with (g1, g2) = (g_p, g_n) in CEvNS and (g_L, g_R) of the neutrino's
        flavour in neutrino-electron scattering; read-only.
    """

    neutrinos: tuple[Neutrino, ...]
    by_neutrino: Array

    @property
    def by_flavour(self) -> Array:
        """Events of neutrinos and antineutrinos together, shape (flavours, bins, 3), in the order of `FLAVOURS`."""
        total = np.zeros((len(FLAVOURS), *self.by_neutrino.shape[1:]))
        for neutrino, events in zip(self.neutrinos, self.by_neutrino, strict=True):
            total[flavour(neutrino)] += events
        return total

    @property
    def total(self) -> Array:
        """Events of all neutrinos together, shape (bins, 3): for couplings that don't depend on the flavour."""
        total: Array = self.by_neutrino.sum(axis=0)
        return total


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
    place = [neutrinos.index(spectrum.neutrino) for spectrum in spectra]
    detector = experiment.detector
    if isinstance(detector, Detector):
        by_neutrino = _sharp(experiment, detector, spectra, place)
    else:
        by_neutrino = _reconstructed(experiment, detector, spectra, place)
    if experiment.time is not None:
        arriving = np.array([experiment.time.shares(neutrino) for neutrino in neutrinos])
        by_neutrino = (by_neutrino[:, :, None] * arriving[:, None, :, None]).reshape(len(neutrinos), -1, 3)
    by_neutrino.setflags(write=False)
    return Response(neutrinos, by_neutrino)


def _sharp(experiment: Experiment, detector: Detector, spectra: list[Spectrum], place: list[int]) -> Array:
    """Events of each neutrino where the detector knows the energy of each recoil, shape (neutrinos, bins, 3)."""
    edges = detector.bin_edges(experiment.largest_recoil_mev)
    found = np.zeros((max(place) + 1, len(edges) - 1, 3))

    @functools.cache  # the electrons of all isotopes are the same
    def per_scatterer(scatterer: Scatterer) -> list[Array]:
        return [scatterings(detector, edges, scatterer, spectrum) for spectrum in spectra]

    for number, scatterer in scatterers(experiment):
        for neutrino, counts in zip(place, per_scatterer(scatterer), strict=True):
            found[neutrino] += number * counts
    return found


def _reconstructed(
    experiment: Experiment, detector: Reconstruction, spectra: list[Spectrum], place: list[int]
) -> Array:
    """Events of each neutrino where the detector reconstructs an energy, shape (neutrinos, bins, 3)."""
    alike: dict[str, list[tuple[float, Scatterer]]] = {}
    for number, scatterer in scatterers(experiment):
        alike.setdefault(scatterer.isotope.symbol if isinstance(scatterer, Nucleus) else "e", []).append(
            (number, scatterer)
        )
    found = np.zeros((max(place) + 1, len(detector.bins) - 1, 3))
    for group in alike.values():
        for neutrino, counts in zip(place, reconstructed(detector, group, spectra), strict=True):
            found[neutrino] += counts
    return found
