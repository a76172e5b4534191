"""Energy integrals, done once per experiment: the response that turns couplings into event counts.

Because no coupling depends on energy, the counts in a bin are an exact quadratic form in the two couplings
(g1, g2), which are (g_p, g_n) in CEvNS and (g_L, g_R) in neutrino-electron scattering:

    N = R[0] g1^2 + R[1] g1 g2 + R[2] g2^2      (Eq. 16)
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from fastscan.experiments import detectors, sources
from fastscan.experiments.catalogue import Detector, Experiment
from fastscan.experiments.sources import Spectrum
from fastscan.physics import cross_sections, nuclei
from fastscan.physics.constants import M_ELECTRON
from fastscan.physics.kinematics import largest_recoil, maximum_recoil, minimum_energy
from fastscan.physics.quadrature import gauss_legendre
from fastscan.typing import Array


@dataclass(frozen=True)
class Scatterer:
    """What recoils: how many, their mass (MeV), and dsigma/dT(recoil, energy) of shape (..., 3)."""

    number: float
    mass: float
    cross_section: Callable[[Array, Array], Array]


@functools.cache
def response(experiment: Experiment) -> Array:
    """Coefficients of the squared couplings in each bin's event count at luminosity 1.

    Parameters
    ----------
    experiment : Experiment
        Of `fastscan.experiments.catalogue.load`.

    Returns
    -------
    array, shape (bins, 3)
        Events per unit of g1^2, g1 g2 and g2^2; read-only.  Accurate to 1e-10 relative.

    References
    ----------
    Eqs. 16 and 20 of arXiv:2002.01482.

    Examples
    --------
    COHERENT's CsI[Na] in one bin: events per unit of g_p^2, g_p g_n and g_n^2, and with the Standard Model's couplings

    >>> from fastscan.experiments.catalogue import load
    >>> from fastscan.interactions.catalogue import sm_couplings
    >>> ((pp, pn, nn),) = response(load("coherent-csi"))
    >>> g_p, g_n = sm_couplings("cevns")
    >>> round(float(pp * g_p**2 + pn * g_p * g_n + nn * g_n**2), 2)
    180.12
    """
    bins = detectors.bins(experiment.detector, largest_recoil(experiment))
    spectra = sources.spectra(experiment)
    total = np.zeros((len(bins), 3))
    for scatterer in scatterers(experiment):
        for spectrum in spectra:
            total += scatterer.number * scatterings(experiment.detector, bins, scatterer, spectrum)
    total.setflags(write=False)
    return total


def scatterers(experiment: Experiment) -> Iterator[Scatterer]:
    """The nuclei, or the electrons, of an experiment's targets."""
    for target in experiment.targets:
        for isotope, number in nuclei.targets(target.compound, target.mass_kg, target.molar_mass):
            match experiment.channel:
                case "cevns":
                    cross_section = functools.partial(cross_sections.cevns, isotope=isotope)
                    yield Scatterer(number, isotope.mass_mev, cross_section)
                case "nu-e":
                    yield Scatterer(number * isotope.Z, M_ELECTRON, cross_sections.neutrino_electron)
                case never:
                    assert_never(never)


def scatterings(detector: Detector, bins: list[tuple[float, float]], scatterer: Scatterer, spectrum: Spectrum) -> Array:
    """Accepted recoils per scatterer in each bin, integrated over E and T, shape (bins, 3).

    Split wherever the integrand isn't smooth: at bin edges, the efficiency's knots, the spectrum's knots, and the
    neutrino energies from which such a recoil is within reach.
    """
    knots = sorted({*itertools.chain(*bins), *detectors.recoil_knots(detector)} - {np.inf})
    energies, fluences = spectrum.quadrature(minimum_energy(T, scatterer.mass) for T in knots)
    reach = maximum_recoil(energies, scatterer.mass)
    total = np.zeros((len(bins), 3))
    for low, high in itertools.pairwise(knots):
        within = [low >= start and high <= stop for start, stop in bins]
        reaching = reach > low
        if not any(within) or not reaching.any():
            continue
        recoils, widths = gauss_legendre(low, np.minimum(high, reach[reaching]))
        accepted = fluences[reaching, None] * widths * detectors.efficiency(detector, recoils)
        rate = scatterer.cross_section(recoils, energies[reaching, None])
        total[within.index(True)] += np.sum(accepted[..., None] * rate, axis=(0, 1))
    return total
