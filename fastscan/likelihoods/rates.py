"""Counted recoils of an experiment: energy integrals as sums over nodes in recoil energy.

Every cross section is a polynomial in 1/E, so that the integral over neutrino energies E is done first, by moments of
the spectrum above the smallest energy that gives a recoil.  There remains one integral over recoil energies.  Its nodes
don't depend on the interaction: a mediator's propagator is a factor at each node.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np

from fastscan.experiments.detectors import Detector
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.form_factors import FormFactor
from fastscan.experiments.reconstruction import Reconstruction
from fastscan.experiments.templates import Templates
from fastscan.physics.constants import M_ELECTRON
from fastscan.physics.cross_sections import Process, momentum_transfer
from fastscan.physics.kinematics import maximum_recoil, minimum_energy
from fastscan.physics.nuclei import Isotope
from fastscan.physics.quadrature import STEEPEST_LOGARITHMIC, logarithmic, panels
from fastscan.physics.shells import Shells
from fastscan.physics.spectra import Neutrino, Spectrum, is_antineutrino
from fastscan.typing import Array, BoolArray, Channel, IntArray

UNLIKELY = 1e-11  # probability to count a recoil: for a massless mediator, less likely recoils are left out
BLOCK = 1024  # recoils at once, where an energy is reconstructed: some MB of memory


@dataclass(frozen=True)
class Nucleus:
    """A nucleus that recoils as a whole (CEvNS), with its target's form factor."""

    isotope: Isotope
    form_factor: FormFactor

    @property
    def mass(self) -> float:
        """Mass in MeV."""
        return self.isotope.mass_mev

    def features(self, process: Process, recoil: Array, moments: Array, neutrino: Neutrino) -> Array:
        """Recoils per MeV and nucleus, shape (recoils, features); they are the same for every neutrino."""
        factor = self.form_factor.at(momentum_transfer(recoil, self.mass), self.isotope)
        return process.nucleus(recoil, moments, self.isotope, factor)


@dataclass(frozen=True)
class Electrons:
    """The electrons of an atom; a recoil can free an electron that is bound by less than the recoil's energy."""

    shells: Shells
    mass: float = M_ELECTRON

    def features(self, process: Process, recoil: Array, moments: Array, neutrino: Neutrino) -> Array:
        """Recoils per MeV and atom, shape (recoils, features)."""
        return self.shells.freed(recoil)[:, None] * process.electron(recoil, moments, is_antineutrino(neutrino))


Scatterer = Nucleus | Electrons


def scatterers(experiment: Experiment, channel: Channel) -> list[tuple[float, Scatterer]]:
    """The nuclei, or the electrons of atoms, in an experiment's targets, each with its number of nuclei or atoms."""
    found: dict[Scatterer, float] = {}
    for number, scatterer in _each_scatterer(experiment, channel):
        found[scatterer] = found.get(scatterer, 0.0) + number
    return [(number, scatterer) for scatterer, number in found.items()]


def _each_scatterer(experiment: Experiment, channel: Channel) -> Iterator[tuple[float, Scatterer]]:
    """The scatterers of each isotope of each target, with their numbers."""
    for target in experiment.targets:
        for isotope, number in target.isotopes():
            match channel:
                case "cevns":
                    yield number, Nucleus(isotope, target.form_factor)
                case "nu-e":
                    yield number, Electrons(experiment.shells(isotope))
                case never:
                    assert_never(never)


@dataclass(frozen=True, eq=False)
class Sharp:
    """Recoils that a detector counts in the bin of their energy: a weight for each node, and each bin's first node."""

    weight: Array
    first: IntArray

    def sums(self, density: Array) -> Array:
        """Integrals of a density at the nodes, shape (nodes, columns), over each bin, shape (bins, columns)."""
        found = np.zeros((len(self.first) - 1, density.shape[1]))
        filled = np.flatnonzero(np.diff(self.first))
        if filled.size:
            found[filled] = np.add.reduceat(self.weight[:, None] * density, self.first[filled], axis=0)
        return found

    def part(self, start: int, stop: int) -> "Sharp":
        """The same for the nodes from start to stop alone."""
        return Sharp(self.weight[start:stop], np.clip(self.first - start, 0, stop - start))


@dataclass(frozen=True, eq=False)
class Blurred:
    """Recoils that a detector counts in several bins: probability times weight, shape (bins, nodes)."""

    probability: Array

    def sums(self, density: Array) -> Array:
        """See `Sharp.sums`."""
        return self.probability @ density

    def part(self, start: int, stop: int) -> "Blurred":
        """See `Sharp.part`."""
        return Blurred(self.probability[:, start:stop])


@dataclass(frozen=True, eq=False)
class Spread:
    """Recoils in a detector with templates: sparse weights around the templates' energies, and a response.

    The weights have the shape (energies, nodes).  The response is the probability that a recoil at each energy is
    counted in each bin, shape (bins, energies).
    """

    around: Any
    response: Array

    def sums(self, density: Array) -> Array:
        """See `Sharp.sums`."""
        found: Array = self.response @ (self.around @ density)
        return found

    def part(self, start: int, stop: int) -> "Spread":
        """See `Sharp.part`."""
        return Spread(self.around[:, start:stop], self.response)


@dataclass(frozen=True, eq=False)
class Recoils:
    """Some scatterers of one kind, at the nodes of the integral over their recoil energies.

    Attributes
    ----------
    number : float
        Number of scatterers.
    scatterer : Scatterer
    energies : array, shape (nodes,)
        Recoil energies T in MeV.
    counted : Sharp, Blurred or Spread
        How the detector counts recoils at the nodes.
    likely : array of bool, shape (nodes,)
        Where the probability to count a recoil is above `UNLIKELY`.
    softest : float
        Probability to count a recoil without energy.
    """

    number: float
    scatterer: Scatterer
    energies: Array
    counted: Sharp | Blurred | Spread
    likely: BoolArray
    softest: float

    @property
    def transfer2(self) -> Array:
        """q^2 = 2 M T in MeV^2, the argument of a propagator, shape (nodes,)."""
        return 2 * self.scatterer.mass * self.energies

    def density(self, process: Process, spectrum: Spectrum) -> Array:
        """Recoils per MeV at each node, shape (nodes, features)."""
        moments = spectrum.moments(minimum_energy(self.energies, self.scatterer.mass))
        return self.number * self.scatterer.features(process, self.energies, moments, spectrum.neutrino)


def recoils(experiment: Experiment, channel: Channel, knots: Array) -> list[Recoils]:
    """All recoils of a channel, by kind of scatterer.

    Parameters
    ----------
    experiment : Experiment
    channel : {"cevns", "nu-e"}
        One of its channels.
    knots : array, shape (knots,)
        Neutrino energies in MeV between which all spectra are smooth; the last is the largest.
    """
    detector = experiment.detector
    if isinstance(detector, Detector):
        edges = detector.bin_edges(experiment.largest_recoil_mev)
        return [_sharp(detector, edges, *each, knots) for each in scatterers(experiment, channel)]
    if isinstance(detector, Templates):
        return [_spread(detector, *each, knots) for each in scatterers(experiment, channel)]
    alike: dict[object, list[tuple[float, Scatterer]]] = {}  # a detector responds equally to all isotopes of an element
    for number, scatterer in scatterers(experiment, channel):
        kind = scatterer.isotope.symbol if isinstance(scatterer, Nucleus) else scatterer.shells
        alike.setdefault(kind, []).append((number, scatterer))
    return [each for group in alike.values() for each in _blurred(detector, group, knots)]


def _sharp(detector: Detector, edges: Sequence[float], number: float, scatterer: Scatterer, knots: Array) -> Recoils:
    """Recoils in a detector that measures the energy of each without blurring.

    The integral of each bin is split where the integrand isn't smooth: at the detector's knots in the bin, and at the
    largest recoils from neutrinos at the spectra's knots.  So the cost is proportional to the number of bins.
    """
    ends = maximum_recoil(knots, scatterer.mass)
    largest = min(edges[-1], ends[-1])
    splits = np.unique([*edges, *detector.knots, *_bindings(scatterer), *ends])
    pieces = panels(splits[(splits >= edges[0]) & (splits <= largest)], STEEPEST_LOGARITHMIC)
    nodes, widths = (each.ravel() for each in logarithmic(pieces[:-1], pieces[1:]))
    probability = detector.probability(nodes)
    counted = Sharp(widths * probability, np.searchsorted(nodes, edges))
    softest = float(detector.probability(np.zeros(1))[0]) if edges[0] == 0 else 0.0
    return Recoils(number, scatterer, nodes, counted, probability > UNLIKELY, softest)


def _spread(detector: Templates, number: float, scatterer: Scatterer, knots: Array) -> Recoils:
    """Recoils in a detector given by templates."""
    from scipy.sparse import csc_array  # imported here: other detectors need no sparse weights

    ends = maximum_recoil(knots, scatterer.mass)
    first, last = detector.energies[0], min(detector.energies[-1], ends[-1])
    splits = np.unique([*detector.energies, *_bindings(scatterer), *ends])
    pieces = panels(splits[(splits >= first) & (splits <= last)], STEEPEST_LOGARITHMIC)
    nodes, widths = (each.ravel() for each in logarithmic(pieces[:-1], pieces[1:]))
    below = np.searchsorted(detector.energies, nodes) - 1
    low, high = np.array(detector.energies)[below], np.array(detector.energies)[below + 1]
    share, each = (nodes - low) / (high - low), np.arange(nodes.size)
    weights = np.concatenate([widths * (1 - share), widths * share])
    places = np.concatenate([below, below + 1]), np.tile(each, 2)
    around = csc_array((weights, places), shape=(len(detector.energies), nodes.size))
    likely = np.interp(nodes, detector.energies, detector.response.nominal.sum(axis=-1)) > UNLIKELY
    return Recoils(number, scatterer, nodes, Spread(around, detector.response.nominal.T), likely, 0.0)


def _blurred(detector: Reconstruction, group: Sequence[tuple[float, Scatterer]], knots: Array) -> list[Recoils]:
    """Recoils of isotopes of one element, or of electrons, in a detector that reconstructs an energy.

    The integral is split at `Reconstruction.splits`, and at the largest recoils from neutrinos at the spectra's knots.
    """
    first = group[0][1]
    isotope = first.isotope if isinstance(first, Nucleus) else None
    ends = np.concatenate([maximum_recoil(knots, scatterer.mass) for _, scatterer in group])
    splits = np.unique([*detector.splits(isotope, ends.max()), *_bindings(first), *ends])
    pieces = panels(splits, STEEPEST_LOGARITHMIC)
    nodes, widths = (each.ravel() for each in logarithmic(pieces[:-1], pieces[1:]))
    probability = np.empty((len(detector.bins) - 1, len(nodes)))
    for start in range(0, len(nodes), BLOCK):
        part = slice(start, start + BLOCK)
        probability[:, part] = detector.probabilities(nodes[part], isotope)
    somewhere = probability.sum(axis=0)
    used = somewhere > 0
    counted = Blurred((probability * widths)[:, used])
    likely, softest = somewhere[used] > UNLIKELY, float(somewhere[0])
    return [Recoils(number, scatterer, nodes[used], counted, likely, softest) for number, scatterer in group]


def _bindings(scatterer: Scatterer) -> tuple[float, ...]:
    """Recoil energies in MeV at which the number of electrons that can recoil jumps; none for nuclei."""
    return scatterer.shells.binding_mev if isinstance(scatterer, Electrons) else ()
