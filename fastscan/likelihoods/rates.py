"""Energy integrals of one target and one spectrum of neutrinos, bin by bin.

Because no coupling depends on energy, the counts in a bin are an exact quadratic form in the two couplings
(g1, g2), which are (g_p, g_n) in CEvNS and (g_L, g_R) in neutrino-electron scattering:

    N = R[0] g1^2 + R[1] g1 g2 + R[2] g2^2      (Eq. 16 of arXiv:2002.01482)
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from fastscan.experiments.detectors import Detector
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.form_factors import FormFactor
from fastscan.experiments.reconstruction import Reconstruction
from fastscan.physics import cross_sections
from fastscan.physics.constants import M_ELECTRON
from fastscan.physics.kinematics import maximum_recoil, minimum_energy
from fastscan.physics.nuclei import Isotope
from fastscan.physics.quadrature import gauss_legendre
from fastscan.physics.spectra import Neutrino, Spectrum, is_antineutrino
from fastscan.typing import Array


@dataclass(frozen=True)
class Nucleus:
    """A nucleus that recoils coherently, with its target's form factor."""

    isotope: Isotope
    form_factor: FormFactor

    @property
    def mass(self) -> float:
        """Mass in MeV."""
        return self.isotope.mass_mev

    def cross_section(self, recoil: Array, energy: Array, neutrino: Neutrino) -> Array:
        """dsigma/dT of shape (..., 3), see `cross_sections.cevns`; it is the same for every neutrino."""
        factor = self.form_factor.at(cross_sections.momentum_transfer(recoil, self.mass), self.isotope)
        return cross_sections.cevns(recoil, energy, self.isotope, factor)


@dataclass(frozen=True)
class Electron:
    """A free electron that recoils."""

    mass: float = M_ELECTRON

    def cross_section(self, recoil: Array, energy: Array, neutrino: Neutrino) -> Array:
        """dsigma/dT of shape (..., 3), see `cross_sections.neutrino_electron`."""
        return cross_sections.neutrino_electron(recoil, energy, is_antineutrino(neutrino))


Scatterer = Nucleus | Electron
BLOCK_BINS = 64  # integrated at once: some MB of memory
BLOCK_RECOILS = 1024  # energies at once, where they are reconstructed


def scatterers(experiment: Experiment) -> Iterator[tuple[float, Scatterer]]:
    """The nuclei, or the electrons, of an experiment's targets, isotope by isotope: how many, and what they are."""
    for target in experiment.targets:
        for isotope, number in target.isotopes():
            match experiment.channel:
                case "cevns":
                    yield number, Nucleus(isotope, target.form_factor)
                case "nu-e":
                    yield number * isotope.Z, Electron()
                case never:
                    assert_never(never)


def scatterings(detector: Detector, edges: Sequence[float], scatterer: Scatterer, spectrum: Spectrum) -> Array:
    """Accepted recoils per scatterer in each bin, integrated over neutrino and recoil energy.

    Parameters
    ----------
    detector : Detector
        What accepts recoils.
    edges : sequence of float, length bins + 1
        Edges of the bins in MeV of recoil energy, see `Detector.bin_edges`.
    scatterer : Scatterer
        What recoils.
    spectrum : Spectrum
        Fluence of the neutrinos.

    Returns
    -------
    array, shape (bins, 3)
        Recoils per unit of g1^2, g1 g2 and g2^2.

    Notes
    -----
    Each bin is integrated for itself, split at what makes its own integrand less than smooth: in recoil energy, its
    edges and the detector's knots inside it; in neutrino energy, the spectrum's knots and the energies from which
    those recoils are within reach.  So the cost is proportional to the number of bins.
    """
    knots = _recoil_knots(detector, edges)
    blocks = np.split(knots, range(BLOCK_BINS, len(knots), BLOCK_BINS))
    return np.concatenate([_scatterings(detector, block, scatterer, spectrum) for block in blocks])


def _recoil_knots(detector: Detector, edges: Sequence[float]) -> Array:
    """Edges of each bin and the detector's knots inside it, in increasing order, shape (bins, knots).

    Where bins have fewer knots than others, their last edge is repeated: a piece without width adds nothing.
    """
    known = sorted({*detector.knots})
    rows = [
        [start, *known[bisect_right(known, start) : bisect_left(known, stop)], stop]
        for start, stop in itertools.pairwise(edges)
    ]
    longest = max(map(len, rows))
    return np.array([row + row[-1:] * (longest - len(row)) for row in rows])


def _scatterings(detector: Detector, knots: Array, scatterer: Scatterer, spectrum: Spectrum) -> Array:
    """Like `scatterings`, of a few bins at once, with their recoil knots of shape (bins, knots)."""
    splits = minimum_energy(knots, scatterer.mass)
    energies, fluences = spectrum.quadrature(splits, minimum=splits[:, 0])
    reach = maximum_recoil(energies, scatterer.mass)

    def terms(recoils: Array, widths: Array, energies: Array, fluences: Array) -> Array:
        """Summands at neutrino energies (..., energies, 1) and recoils (..., nodes), (..., energies, nodes, 3)."""
        accepted = fluences * widths * detector.probability(recoils)
        return accepted[..., None] * scatterer.cross_section(recoils, energies, spectrum.neutrino)

    total = np.zeros((len(knots), 3))
    for low, high in zip(knots.T[:-1, :, None], knots.T[1:, :, None], strict=True):
        # Neutrinos that reach beyond this piece share its nodes, so that a form factor is computed once for all of
        # them.  Neutrinos whose largest recoil is inside the piece have nodes of their own.
        weights = np.where(reach >= high, fluences, 0.0)
        added = terms(*gauss_legendre(low, high), energies[..., None], weights[..., None])
        within = (reach > low) & (reach < high)
        bins, _ = np.nonzero(within)
        own = gauss_legendre(low[bins, 0], reach[within])
        added[within] = terms(*own, energies[within, None], fluences[within, None])
        total += added.sum(axis=(1, 2))
    return total


def reconstructed(
    detector: Reconstruction, group: Sequence[tuple[float, Scatterer]], spectra: Sequence[Spectrum]
) -> Array:
    """Recoils that a detector counts of isotopes of one element, or of electrons, for each spectrum.

    Parameters
    ----------
    detector : Reconstruction
        What counts recoils.
    group : sequence of (float, Scatterer)
        How many there are of each scatterer.  The detector makes the same of the recoils of all of them.
    spectra : sequence of Spectrum
        Fluences of neutrinos.

    Returns
    -------
    array, shape (spectra, bins, 3)
        Recoils per unit of g1^2, g1 g2 and g2^2.

    Notes
    -----
    The integral over recoil energies has the same nodes for all of them.  They are where `Reconstruction.splits` and
    the largest recoils of the spectra's knots put them, so that they don't depend on a coupling.
    """
    first = group[0][1]
    isotope = first.isotope if isinstance(first, Nucleus) else None
    knots = np.concatenate([spectrum.knots for spectrum in spectra])
    ends = np.concatenate([maximum_recoil(knots, scatterer.mass) for _, scatterer in group])
    splits = np.unique([*detector.splits(isotope, ends.max()), *ends])
    nodes, widths = (each.ravel() for each in gauss_legendre(splits[:-1], splits[1:]))
    total = np.zeros((len(spectra), len(detector.bins) - 1, 3))
    for start in range(0, len(nodes), BLOCK_RECOILS):
        recoils, weights = nodes[start : start + BLOCK_RECOILS], widths[start : start + BLOCK_RECOILS]
        counted = detector.probabilities(recoils, isotope) * weights
        for place, spectrum in enumerate(spectra):
            total[place] += counted @ sum(number * _per_recoil(each, spectrum, recoils) for number, each in group)
    return total


def _per_recoil(scatterer: Scatterer, spectrum: Spectrum, recoils: Array) -> Array:
    """Recoils per MeV of recoil energy and scatterer, integrated over the neutrinos, shape (recoils, 3)."""
    found = np.zeros((len(recoils), 3))
    given = recoils < maximum_recoil(spectrum.knots[-1], scatterer.mass)
    if given.any():
        recoil = recoils[given]
        lowest = minimum_energy(recoil, scatterer.mass)
        energies, fluences = spectrum.quadrature(np.empty((len(recoil), 0)), minimum=lowest)
        section = scatterer.cross_section(recoil[:, None], energies, spectrum.neutrino)
        found[given] = (fluences[..., None] * section).sum(axis=1)
    return found
