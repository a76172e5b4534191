"""Energy integrals, done once per experiment: the response that turns couplings into event counts.

Because no coupling depends on energy, the counts in a bin are an exact quadratic form in the two couplings
(g1, g2), (g_p, g_n) for CEvNS:  N = R[0] g1^2 + R[1] g1 g2 + R[2] g2^2  (Eq. 16).
"""

import functools
import itertools

import numpy as np

from fastscan import cross_sections, nuclei, sources
from fastscan.detectors import efficiency, recoil_knots
from fastscan.experiments import Experiment
from fastscan.sources import Spectrum, gauss_legendre
from fastscan.typing import Array


@functools.cache
def response(experiment: Experiment) -> Array:
    """Coefficients of the squared couplings in each bin's event count at the reference luminosity.

    Parameters
    ----------
    experiment : Experiment
        Of `fastscan.experiments.load`.

    Returns
    -------
    array, shape (bins, 3)
        Events per unit of g_p^2, g_p g_n and g_n^2; read-only.  Accurate to 1e-10 relative.
    """
    spectra = sources.pion_decay_at_rest(experiment.source, experiment.exposure_s)
    total = np.zeros((1, 3))
    for target in experiment.targets:
        for isotope, number in nuclei.targets(target.compound, target.mass_kg):
            scattered = number * sum(scatterings(experiment, isotope, spectrum) for spectrum in spectra)
            total += scattered * np.array([isotope.Z**2, 2 * isotope.Z * isotope.N, isotope.N**2])
    total.setflags(write=False)
    return total


def scatterings(experiment: Experiment, isotope: nuclei.Isotope, spectrum: Spectrum) -> float:
    """Accepted recoils per nucleus and unit of weak charge squared, integrated over E and T.

    Split wherever the integrand isn't smooth: at the efficiency's steps, the spectrum's knots, and the energies
    from which a step is within reach.
    """
    mass = isotope.mass_mev
    knots = recoil_knots(experiment.detector)
    energies, fluences = spectrum.quadrature(cross_sections.minimum_energy(T, mass) for T in knots)
    reach = cross_sections.maximum_recoil(energies, mass)
    total = 0.0
    for low, high in itertools.pairwise(knots):
        recoils, widths = gauss_legendre(np.minimum(low, reach), np.minimum(high, reach))
        seen = efficiency(experiment.detector, recoils) * (
            cross_sections.form_factor(cross_sections.momentum_transfer(recoils, mass), isotope.A) ** 2
        )
        rate = cross_sections.cevns(recoils, energies[:, None], mass)
        total += float(fluences @ np.sum(widths * seen * rate, axis=-1))
    return total
