"""What a detector sees of a recoil: its efficiency, and the energies at which that isn't smooth."""

import itertools

import numpy as np

from fastscan.experiments import Constant, Detector, Logistic, Tabulated
from fastscan.typing import Array


def efficiency(detector: Detector, recoil: Array) -> Array:
    """Probability to accept a recoil of an energy in MeV: a smooth efficiency times acceptance steps."""
    accepted = np.array([0.0, *detector.acceptance, 0.0])
    step: Array = accepted[np.searchsorted(detector.edges, recoil, side="right")]
    smooth: Array | float
    match detector.efficiency:
        case Constant(value):
            smooth = value
        case Logistic(plateau, slope, midpoint, per_mev):
            smooth = plateau / (1 + np.exp(-slope * (per_mev * recoil - midpoint)))
        case Tabulated(energies, values):
            smooth = np.interp(recoil, energies, values)
    return step * smooth


def bins(detector: Detector, largest_recoil: float) -> list[tuple[float, float]]:
    """The bins that recoils are counted in, in MeV; without any of the detector's own, one from end to end."""
    edges = detector.bins or (detector.edges[0], min(detector.edges[-1], largest_recoil))
    return list(itertools.pairwise(edges))


def recoil_knots(detector: Detector) -> list[float]:
    """Recoil energies in MeV at which `efficiency` isn't smooth."""
    tabulated = detector.efficiency.energies if isinstance(detector.efficiency, Tabulated) else ()
    return [*detector.edges, *tabulated]
