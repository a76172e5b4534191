"""Arrival times of neutrinos from a stopped-pion source: a pulse of protons, and the lifetimes of pions and muons.

Times are in us, densities in 1/us.
"""

import math

import numpy as np
import scipy  # its parts load at first use: a list of experiments needs none of them

from fastscan.physics.spectra import Neutrino
from fastscan.typing import Array

Delays = tuple[tuple[Neutrino, tuple[float, ...]], ...]  # lifetimes of one or two decays in a row after a pulse, in us
PION_LIFETIME_US = 0.026033  # Particle Data Group, PTEP 2020 (2020) 083C01
MUON_LIFETIME_US = 2.1969811
OF_PIONS: Delays = (
    ("nu_mu", (PION_LIFETIME_US,)),
    ("nu_e", (PION_LIFETIME_US, MUON_LIFETIME_US)),
    ("nubar_mu", (PION_LIFETIME_US, MUON_LIFETIME_US)),
)


def delayed_gaussian(time: Array, mean: float, sigma: float, lifetime: float) -> Array:
    """Density of decays, in 1/us, of particles from a Gaussian pulse, with a lifetime tau in us.

        1/(2 tau) exp(-z^2/2) scipy.special.erfcx((sigma/tau - z)/sqrt2),   z = (t - mean)/sigma

    Examples
    --------
    Long after a short pulse the density is an exponential:

    >>> times = np.array([3.0])
    >>> float((delayed_gaussian(times, 0.0, 0.01, 2.0) * 2 * np.exp(times / 2))[0].round(4))
    1.0
    """
    z = (np.asarray(time) - mean) / sigma
    argument = (sigma / lifetime - z) / math.sqrt(2)
    near = np.exp(-(z**2) / 2) * scipy.special.erfcx(np.maximum(argument, 0.0)) / (2 * lifetime)
    # for negative arguments erfcx overflows, so that the exponential is written out
    exponent = np.minimum((sigma / lifetime) ** 2 / 2 - z * sigma / lifetime, 0.0)
    far = np.exp(exponent) * scipy.special.ndtr(z - sigma / lifetime) / lifetime
    density: Array = np.where(argument > 0, near, far)
    return density


def delayed_box(time: Array, start: float, length: float, lifetime: float) -> Array:
    """Density of decays, in 1/us, of particles from a constant pulse of some length in us, with a lifetime in us.

    Examples
    --------
    >>> delayed_box(np.array([-1.0, 1.0]), 0.0, 2.0, 1e-3).round(6)
    array([0. , 0.5])
    """
    since = np.maximum(np.asarray(time) - start, 0.0)
    over = np.maximum(since - length, 0.0)
    density: Array = (np.exp(-over / lifetime) - np.exp(-since / lifetime)) / length
    return density


def twice_delayed(first: Array, second: Array, first_lifetime: float, second_lifetime: float) -> Array:
    """Density after two decays in a row, from the densities after each decay alone.

    (tau2 p2 - tau1 p1) / (tau2 - tau1)
    """
    combined: Array = (second_lifetime * second - first_lifetime * first) / (second_lifetime - first_lifetime)
    return combined
