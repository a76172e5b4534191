"""What a detector sees of a recoil: its efficiency, and the energies at which that isn't smooth."""

import itertools

import numpy as np
from scipy.special import expit

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
            smooth = plateau * expit(slope * (per_mev * recoil - midpoint))
        case Tabulated(energies, values):
            smooth = np.interp(recoil, energies, values)
    return step * smooth


def bins(detector: Detector, largest_recoil: float) -> list[tuple[float, float]]:
    """The bins that recoils are counted in, in MeV; without any of the detector's own, one from end to end."""
    edges = detector.bins or (detector.edges[0], min(detector.edges[-1], largest_recoil))
    return list(itertools.pairwise(edges))


def recoil_knots(detector: Detector) -> list[float]:
    """Recoil energies in MeV between which `efficiency` is smooth enough for a quadrature."""
    match detector.efficiency:
        case Tabulated(energies, _):
            return [*detector.edges, *energies]
        case Logistic(_, slope, midpoint, per_mev):  # smooth, but it can be steep
            steps = ((midpoint + n / slope) / per_mev for n in (-32, -16, -8, -4, 0, 4, 8, 16, 32))
            return [*detector.edges, *(step for step in steps if step > 0)]
        case Constant():
            return list(detector.edges)
