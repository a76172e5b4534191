"""Elastic scattering of a neutrino off a target at rest: what recoil it can give.  All in MeV.

Reference: what relativistic energy and momentum conservation leave, as under Eqs. 1 and 6 of arXiv:2002.01482.
"""

import math
from typing import TypeVar, assert_never

from fastscan.experiments.catalogue import Experiment
from fastscan.physics import nuclei
from fastscan.physics.constants import M_ELECTRON
from fastscan.typing import Array

Energy = TypeVar("Energy", float, Array)


def maximum_recoil(energy: Energy, mass: float) -> Energy:
    """Largest recoil energy that a neutrino gives to a target of a mass (Eq. 1).

    Examples
    --------
    >>> round(maximum_recoil(30.0, 1e5), 5)
    0.01799
    """
    return 2 * energy**2 / (mass + 2 * energy)


def minimum_energy(recoil: float, mass: float) -> float:
    """Smallest neutrino energy that gives a recoil energy: the inverse of `maximum_recoil`.

    Examples
    --------
    >>> round(minimum_energy(maximum_recoil(30.0, 1e5), 1e5), 9)
    30.0
    """
    return (recoil + math.sqrt(recoil**2 + 2 * mass * recoil)) / 2


def largest_recoil(experiment: Experiment) -> float:
    """Largest recoil energy that an experiment's source gives to any of its targets.

    That is the lightest isotope's, or the electron's, from the most energetic neutrino.

    Examples
    --------
    A reactor on germanium, in keV:

    >>> from fastscan.experiments.catalogue import load
    >>> round(1e3 * largest_recoil(load("conus")), 3)
    3.07
    """
    match experiment.channel:
        case "cevns":
            compounds = [nuclei.parse_formula(target.compound) for target in experiment.targets]
            isotopes = [isotope for atoms in compounds for symbol in atoms for isotope in nuclei.elements()[symbol]]
            lightest = min(isotope.mass_mev for isotope in isotopes)
        case "nu-e":
            lightest = M_ELECTRON
        case never:
            assert_never(never)
    return maximum_recoil(experiment.source.endpoint_mev, lightest)
