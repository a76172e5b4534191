"""The Standard Model: chiral couplings of quarks and electrons, and the pair of couplings of each channel.

The pair is (g_p, g_n) in CEvNS and (g_L, g_R) in neutrino-electron scattering.  Event counts are quadratic in the pair:
its features (g1^2, g1 g2, g2^2), each times an energy integral.
"""

import functools
from collections.abc import Sequence
from typing import assert_never

import numpy as np

from fastscan.physics.constants import (
    KAPPA_ELECTRON,
    KAPPA_QUARK,
    LAMBDA_D_LEFT,
    LAMBDA_D_RIGHT,
    LAMBDA_U_LEFT,
    LAMBDA_U_RIGHT,
    RHO_ELECTRON,
    RHO_QUARK,
)
from fastscan.physics.constants import SIN2_THETA_W as S2
from fastscan.typing import FLAVOURS, Array, Channel

Chiral = dict[str, tuple[Array, Array]]  # fermion -> (left, right)
ELECTRIC_CHARGE = {"u": 2 / 3, "d": -1 / 3, "e": -1.0}  # in units of e
CHARGED_CURRENT = np.array([1.0, 0.0, 0.0])  # part of the electron's g_L, by the neutrino's flavour


def chiral_couplings() -> Chiral:
    """Couplings (left, right) of u, d (Eq. 3) and e (Eq. 7 of arXiv:2002.01482) to neutrinos of each flavour.

    Only nu_e also exchange a W with the electron, which adds 1 to its left-handed coupling.

    Returns
    -------
    dict of fermion to (left, right), each of shape (3,)
        For nu_e, nu_mu and nu_tau; dimensionless.
    """
    up, down = 2 / 3 * KAPPA_QUARK * S2, 1 / 3 * KAPPA_QUARK * S2
    electron = KAPPA_ELECTRON * S2
    same = np.ones(len(FLAVOURS))
    return {
        "u": ((RHO_QUARK * (1 / 2 - up) + LAMBDA_U_LEFT) * same, (RHO_QUARK * -up + LAMBDA_U_RIGHT) * same),
        "d": ((RHO_QUARK * (-1 / 2 + down) + LAMBDA_D_LEFT) * same, (RHO_QUARK * down + LAMBDA_D_RIGHT) * same),
        "e": (RHO_ELECTRON * (-1 / 2 + electron) + CHARGED_CURRENT, RHO_ELECTRON * electron * same),
    }


def channel_pair(chiral: Chiral, channel: Channel) -> Array:
    """A channel's pair of couplings, shape (..., 2), from chiral couplings of shape (...)."""
    match channel:
        case "cevns":
            (u_left, u_right), (d_left, d_right) = chiral["u"], chiral["d"]
            u, d = u_left + u_right, d_left + d_right
            return np.stack([2 * u + d, u + 2 * d], axis=-1)
        case "nu-e":
            return np.stack(chiral["e"], axis=-1)
        case never:
            assert_never(never)


@functools.cache
def couplings(channel: Channel) -> Array:
    """Standard Model couplings by flavour of the neutrino (Eqs. 3, 7 of arXiv:2002.01482).

    Returns
    -------
    array, shape (3, 2)
        (g_p, g_n) in CEvNS, (g_L, g_R) in nu-e scattering, for nu_e, nu_mu and nu_tau; dimensionless, read-only.

    Examples
    --------
    >>> couplings("cevns")[0].round(6)
    array([ 0.030623, -0.512013])
    """
    pair = channel_pair(chiral_couplings(), channel)
    pair.setflags(write=False)
    return pair


def features(pair: Array) -> Array:
    """(g1^2, g1 g2, g2^2), shape (..., 3), of pairs of couplings of shape (..., 2)."""
    g1, g2 = pair[..., 0], pair[..., 1]
    return np.stack([g1**2, g1 * g2, g2**2], axis=-1)


def features_of(channels: Sequence[Channel]) -> Array:
    """The features of the Standard Model's couplings, channel after channel, shape (flavours, features)."""
    return np.concatenate([features(couplings(each)) for each in channels], axis=-1)


def interference(pair: Array, other: Array) -> Array:
    """The features of the sum of two pairs, shape (..., 2), minus the features of each pair, shape (..., 3)."""
    (g1, g2), (k1, k2) = np.moveaxis(pair, -1, 0), np.moveaxis(other, -1, 0)
    return np.stack([2 * g1 * k1, g1 * k2 + g2 * k1, 2 * g2 * k2], axis=-1)
