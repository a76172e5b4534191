"""What a detector sees of a recoil: its efficiency, and the energies at which that isn't smooth."""

import numpy as np

from fastscan.experiments import Detector
from fastscan.typing import Array

KEV_PER_MEV = 1e3


def logistic(x: Array, plateau: float, slope: float, midpoint: float) -> Array:
    """plateau / (1 + exp(-slope (x - midpoint)))."""
    return plateau / (1 + np.exp(-slope * (x - midpoint)))


def efficiency(detector: Detector, recoil: Array) -> Array:
    """Probability to accept a nuclear recoil of an energy in MeV.

    The product of a smooth efficiency and of acceptance steps, both functions of photoelectrons.
    Reference for CsI[Na]: arXiv:1804.09459.
    """
    photoelectrons = detector.photoelectrons_per_kev * recoil * KEV_PER_MEV
    accepted = np.array([0.0, *detector.acceptance, 0.0])
    step = np.searchsorted(detector.acceptance_edges, photoelectrons, side="right")
    return accepted[step] * logistic(photoelectrons, detector.plateau, detector.slope, detector.midpoint)


def recoil_knots(detector: Detector) -> list[float]:
    """Recoil energies in MeV, ascending, between which `efficiency` is smooth; it is zero outside."""
    return [edge / detector.photoelectrons_per_kev / KEV_PER_MEV for edge in detector.acceptance_edges]
