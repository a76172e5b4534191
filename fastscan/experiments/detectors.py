"""What a detector sees of a recoil: its efficiency, and the energies at which that isn't smooth.

Recoil energies in MeV.  What a file can say of a detector is in `fastscan.experiments.catalogue.Detector`.
"""

import itertools

import numpy as np
from scipy.special import expit

from fastscan.experiments.catalogue import Constant, Detector, Efficiency, Logistic, Tabulated
from fastscan.typing import Array


def efficiency(detector: Detector, recoil: Array) -> Array:
    """Probability to accept a recoil: acceptance steps times a smooth efficiency.

    A recoil on an edge of a step belongs to the step above it.

    Parameters
    ----------
    detector : Detector
        Of an experiment.
    recoil : array, shape (...)
        Recoil energies.

    Returns
    -------
    array, shape (...)
        Between 0 and 1.

    References
    ----------
    The logistic and its steps at 5, 6 and 30 photoelectrons are those of COHERENT's CsI[Na], arXiv:1804.09459.

    Examples
    --------
    CsI[Na] below its threshold of 5 photoelectrons, in the half step up to 6, in the open, and above 30:

    >>> from fastscan.experiments.catalogue import load
    >>> photoelectrons = np.array([4.9, 5.5, 20.0, 30.1])
    >>> efficiency(load("coherent-csi").detector, photoelectrons / 1.17e3).round(4)
    array([0.    , 0.0221, 0.6583, 0.    ])
    """
    steps = np.array([0.0, *detector.acceptance, 0.0])
    step: Array = steps[np.searchsorted(detector.edges, recoil, side="right")]
    return step * smooth_efficiency(detector.efficiency, recoil)


def smooth_efficiency(efficiency: Efficiency, recoil: Array) -> Array | float:
    """The efficiency without its steps, at recoil energies of shape (...); a constant one is a number."""
    match efficiency:
        case Constant(value):
            return value
        case Logistic(plateau, slope, midpoint, per_mev):
            smooth: Array = plateau * expit(slope * (per_mev * recoil - midpoint))
            return smooth
        case Tabulated(energies, values):
            return np.interp(recoil, energies, values)


def bins(detector: Detector, largest_recoil: float) -> list[tuple[float, float]]:
    """The bins (low, high) that recoils are counted in; without any of the detector's own, one from end to end."""
    edges = detector.bins or (detector.edges[0], min(detector.edges[-1], largest_recoil))
    return list(itertools.pairwise(edges))


def recoil_knots(detector: Detector) -> list[float]:
    """Recoil energies between which `efficiency` is smooth enough for a quadrature."""
    match detector.efficiency:
        case Tabulated(energies, _):
            return [*detector.edges, *energies]
        case Logistic(_, slope, midpoint, per_mev):  # smooth, but it can be steep
            steps = ((midpoint + n / slope) / per_mev for n in (-32, -16, -8, -4, 0, 4, 8, 16, 32))
            return [*detector.edges, *(step for step in steps if step > 0)]
        case Constant():
            return list(detector.edges)
