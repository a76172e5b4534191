"""Models of a heavy Z': every coupling is g(beta, gamma) = g_SM + gamma kappa(beta), gamma = (M_Z / M_Z')^2.

So a model is nothing but a map from beta to kappa, one pair of numbers: (proton, neutron) for CEvNS,
(left, right) for neutrino-electron scattering.  The pairs are built from the chiral shifts of u, d and e.
"""

import math
from dataclasses import dataclass

import numpy as np

from fastscan.constants import (
    KAPPA_ELECTRON,
    KAPPA_QUARK,
    LAMBDA_D_LEFT,
    LAMBDA_D_RIGHT,
    LAMBDA_U_LEFT,
    LAMBDA_U_RIGHT,
    M_Z_GEV,
    RHO_ELECTRON,
    RHO_QUARK,
)
from fastscan.constants import SIN2_THETA_W as S2
from fastscan.errors import FastscanError, unknown
from fastscan.typing import Array

# Charges of Table 1, sqrt(40) Y_chi and sqrt(24) Y_psi; right-handed f carries minus the charge of f^c.
E6_CHARGES = {"Q": (-1, 1), "u^c": (-1, 1), "e^c": (-1, 1), "d^c": (3, 1), "l": (3, 1)}
RHO = {"u": RHO_QUARK, "d": RHO_QUARK, "e": RHO_ELECTRON}

Chiral = dict[str, tuple[Array, Array]]  # fermion -> (left, right)


@dataclass(frozen=True)
class Model:
    """A model as `fastscan models` lists it; `direction` is (cos beta, sin beta) where a name fixes it."""

    description: str
    direction: tuple[float, float] | None = None


MODELS = {
    "chi": Model("E6, U(1)_chi: beta = 0", (1.0, 0.0)),
    "psi": Model("E6, U(1)_psi: beta = 90 deg; no sensitivity in CEvNS", (0.0, 1.0)),
    "eta": Model("E6, U(1)_eta: cos(beta) = sqrt(3/8)", (math.sqrt(3 / 8), math.sqrt(5 / 8))),
    "lr": Model("left-right symmetric, as published: for electrons its rule includes the charged current"),
    "lr-nc": Model("left-right symmetric, neutral current only, as a Z' acts; the same as lr in CEvNS"),
    "e6": Model("E6, U(1)_beta over the axis beta: Y = cos(beta) Y_chi + sin(beta) Y_psi"),
}


def has_beta(model: str) -> bool:
    """Whether the model has the axis beta; an unknown model is a `FastscanError`."""
    if model not in MODELS:
        raise unknown("model", model, MODELS)
    return model == "e6"


def gamma(m_zprime: Array) -> Array:
    """(M_Z / M_Z')^2 of masses in GeV; zero, the Standard Model, at infinity."""
    return (M_Z_GEV / np.asarray(m_zprime, float)) ** 2


def sm_chiral() -> dict[str, tuple[float, float]]:
    """Standard Model couplings of u, d (Eq. 3) and, to a nu_e, of e with the charged current (Eq. 7)."""
    up, down = 2 / 3 * KAPPA_QUARK * S2, 1 / 3 * KAPPA_QUARK * S2
    electron = KAPPA_ELECTRON * S2
    return {
        "u": (RHO_QUARK * (1 / 2 - up) + LAMBDA_U_LEFT, RHO_QUARK * -up + LAMBDA_U_RIGHT),
        "d": (RHO_QUARK * (-1 / 2 + down) + LAMBDA_D_LEFT, RHO_QUARK * down + LAMBDA_D_RIGHT),
        "e": (RHO_ELECTRON * (-1 / 2 + electron) + 1, RHO_ELECTRON * electron),
    }


def e6_shifts(cos_beta: Array, sin_beta: Array) -> Chiral:
    """Shifts of the chiral couplings per gamma in E6 (Eqs. 11-15), from one rule for all fermions.

    eps_fP = (10/3) s2 gamma rho_f Y_nu Y_fP, with the charges Y_beta = cos(beta) Y_chi + sin(beta) Y_psi.
    """
    Y = {
        field: cos_beta * chi / math.sqrt(40) + sin_beta * psi / math.sqrt(24)
        for field, (chi, psi) in E6_CHARGES.items()
    }
    handed = {"u": (Y["Q"], -Y["u^c"]), "d": (Y["Q"], -Y["d^c"]), "e": (Y["l"], -Y["e^c"])}
    return {
        fermion: (10 / 3 * S2 * RHO[fermion] * Y["l"] * left, 10 / 3 * S2 * RHO[fermion] * Y["l"] * right)
        for fermion, (left, right) in handed.items()
    }


def left_right_shifts(neutral_current_only: bool) -> Chiral:
    """Shifts of the chiral couplings per gamma in the left-right symmetric model (Eqs. 8-10).

    f_L = A g_L + B g_R and f_R = A g_R + B g_L with A = 1 + gamma s2^2 / (1 - 2 s2),
    B = gamma s2 (1 - s2) / (1 - 2 s2).
    """
    a, b = S2**2 / (1 - 2 * S2), S2 * (1 - S2) / (1 - 2 * S2)
    shifts: Chiral = {}
    for fermion, (left, right) in sm_chiral().items():
        if neutral_current_only and fermion == "e":
            left -= 1  # a Z' doesn't touch W exchange
        shifts[fermion] = (np.array([a * left + b * right]), np.array([a * right + b * left]))
    return shifts


def nucleons(u: Array, d: Array) -> Array:
    """Couplings to proton and neutron from the vector couplings to the quarks, shape (..., 2)."""
    return np.stack([2 * u + d, u + 2 * d], axis=-1)


def channel_couplings(chiral: Chiral, channel: str) -> Array:
    """The pair of couplings that a channel sees, shape (..., 2)."""
    if channel == "nu-e":
        return np.stack(chiral["e"], axis=-1)
    (u_left, u_right), (d_left, d_right) = chiral["u"], chiral["d"]
    return nucleons(u_left + u_right, d_left + d_right)


def sm_couplings(channel: str) -> Array:
    """Standard Model couplings (g_p, g_n) in CEvNS, (g_L, g_R) in nu-e scattering (Eqs. 3, 7).

    Examples
    --------
    >>> sm_couplings("cevns").round(6)
    array([ 0.030623, -0.512013])
    """
    return channel_couplings({f: (np.array(l), np.array(r)) for f, (l, r) in sm_chiral().items()}, channel)


def kappa(model: str, channel: str, beta: Array | None = None) -> Array:
    """Shift of a channel's couplings per gamma = (M_Z / M_Z')^2.

    Parameters
    ----------
    model : str
        A name of `MODELS`.
    channel : {"cevns", "nu-e"}
        Which pair of couplings: (p, n) or (L, R).
    beta : array, shape (betas,), optional
        Angles in rad, for ``e6`` only.

    Returns
    -------
    array, shape (betas, 2)
        With betas = 1 for models without beta.

    Raises
    ------
    FastscanError
        For an unknown model, ``e6`` without beta, another model with it.

    Examples
    --------
    >>> kappa("chi", "cevns").round(6)
    array([[-0.233116, -0.466232]])
    """
    if has_beta(model):
        if beta is None:
            raise FastscanError("model 'e6' needs beta")
        shifts = e6_shifts(np.cos(beta), np.sin(beta))
    elif beta is not None:
        raise FastscanError(f"model {model!r} has no beta; only 'e6' has")
    elif (direction := MODELS[model].direction) is not None:
        shifts = e6_shifts(np.array([direction[0]]), np.array([direction[1]]))
    else:
        shifts = left_right_shifts(neutral_current_only=model == "lr-nc")
    return channel_couplings(shifts, channel)
