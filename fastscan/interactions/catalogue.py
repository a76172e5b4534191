"""Models of a heavy Z': every coupling is g(beta, gamma) = g_SM + gamma kappa(beta), gamma = (M_Z / M_Z')^2.

So a model is nothing but a map from beta to kappa, one pair of numbers: (proton, neutron) for CEvNS,
(left, right) for neutrino-electron scattering.  The pairs are built from the chiral shifts of u, d and e.  A
user's own U(1)' is a TOML file with a table of charges and a strength g'.
"""

import itertools
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from os import PathLike
from pathlib import Path
from typing import assert_never

import numpy as np

from fastscan.errors import FastscanError, unknown
from fastscan.inputs.bounds import G_PRIME, LARGEST_CHARGE
from fastscan.inputs.toml import Table, check_name, name_or_path, read_toml
from fastscan.physics.constants import (
    G_FERMI,
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
from fastscan.physics.constants import SIN2_THETA_W as S2
from fastscan.typing import Array, Channel

# Charges of Table 1, sqrt(40) Y_chi and sqrt(24) Y_psi; right-handed f carries minus the charge of f^c.
E6_CHARGES = {"Q": (-1, 1), "u^c": (-1, 1), "e^c": (-1, 1), "d^c": (3, 1), "l": (3, 1)}
RHO = {"u": RHO_QUARK, "d": RHO_QUARK, "e": RHO_ELECTRON}
_FRACTION = re.compile(r"[-+]?[0-9]{1,6}/[0-9]{1,6}")
FERMIONS = ("u", "d", "e")

Chiral = dict[str, tuple[Array, Array]]  # fermion -> (left, right)


@dataclass(frozen=True, eq=False)
class Model:
    """A model of a Z'.

    `direction` is (cos beta, sin beta) where a name fixes it in E6; `g_prime`, `charges` (fermion -> left, right)
    and `nu` are those of a user's own U(1)', `digest` the SHA-256 of its file.
    """

    name: str
    description: str
    references: tuple[str, ...] = ("arXiv:2002.01482",)
    direction: tuple[float, float] | None = None
    g_prime: float | None = None
    charges: dict[str, tuple[float, float]] | None = None
    nu: float = 0.0
    digest: str = ""

    def __post_init__(self) -> None:
        if self.charges is None:
            return
        if set(self.charges) != set(FERMIONS):
            raise FastscanError(f"model {self.name!r}: charges must be those of {', '.join(FERMIONS)}")
        numbers = (*itertools.chain.from_iterable(self.charges.values()), self.nu)
        if not all(abs(number) <= LARGEST_CHARGE for number in numbers):  # which no nan is
            raise FastscanError(f"model {self.name!r}: each charge must be at most {LARGEST_CHARGE:g}")
        if self.g_prime is None or not G_PRIME[0] <= self.g_prime <= G_PRIME[1]:
            raise FastscanError(f"model {self.name!r}: g_prime must be between {G_PRIME[0]:g} and {G_PRIME[1]:g}")

    @property
    def has_beta(self) -> bool:
        """Whether the model has the axis beta."""
        return self.name == "e6"


MODELS = {
    model.name: model
    for model in (
        Model("chi", "E6, U(1)_chi: beta = 0", direction=(1.0, 0.0)),
        Model("psi", "E6, U(1)_psi: beta = 90 deg; no sensitivity in CEvNS", direction=(0.0, 1.0)),
        Model("eta", "E6, U(1)_eta: cos(beta) = sqrt(3/8)", direction=(math.sqrt(3 / 8), math.sqrt(5 / 8))),
        Model("lr", "left-right symmetric, as published: off electrons its rule acts on the charged current too"),
        Model(
            "lr-nc",
            "left-right symmetric, neutral current only, as a Z' acts; in CEvNS the same as lr",
        ),
        Model("e6", "E6, U(1)_beta over the axis beta: Y = cos(beta) Y_chi + sin(beta) Y_psi"),
    )
}


def load(model: str | PathLike[str] | Model, relative_to: Path | None = None) -> Model:
    """The model of a name, or of a path to a TOML file with a user's own charges.

    Parameters
    ----------
    model : str, path or Model
        A name of `MODELS`, or a path that ends in ``.toml``; a `Model` is passed through.
    relative_to : Path, optional
        Directory from which a relative path counts; left out, the current one.

    Raises
    ------
    FastscanError
        Where the name is unknown, or the file is missing or wrong.

    Examples
    --------
    >>> load("e6").has_beta, load("grids/models/b-l.toml").charges["u"]
    (True, (0.3333333333333333, 0.3333333333333333))
    """
    if isinstance(model, Model):
        return model
    found = name_or_path(model, "a model", relative_to)
    if isinstance(found, Path):
        return _read(found)
    if found not in MODELS:
        raise unknown("model", found, MODELS)
    return MODELS[found]


def _read(path: Path) -> Model:
    table = read_toml(path, "a model")
    if path.stem in MODELS:
        raise FastscanError(f"{path}: {path.stem!r} is a built-in model; give the file another name")
    charges = table.table("charges")
    model = Model(
        name=table.checked("file name", partial(check_name, path.stem)),
        description=table.text("title"),
        references=table.texts("references"),
        g_prime=table.number("g_prime", *G_PRIME),
        charges={fermion: _chiral_charges(charges, fermion) for fermion in FERMIONS},
        nu=_chiral_charges(charges, "nu")[0],
        digest=table.digest,
    )
    charges.done()
    table.done()
    return model


def _chiral_charges(table: Table, fermion: str) -> tuple[float, float]:
    """Charges of the left- and the right-handed fermion: two numbers, or one for both."""
    expected = "a charge such as -1 or '1/3'" + ("" if fermion == "nu" else ", or two: [left, right]")
    value = table.take(fermion, (int, float, str, list), expected)
    pair = value if isinstance(value, list) else [value, value]
    try:
        left, right = (
            float(Fraction(charge) if isinstance(charge, str) and _FRACTION.fullmatch(charge) else charge)
            for charge in pair
        )
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        raise table.error(fermion, f"must be {expected}, not {value!r}") from None
    small = abs(left) <= LARGEST_CHARGE and abs(right) <= LARGEST_CHARGE  # which no nan is
    if not small or any(isinstance(charge, bool) for charge in pair):
        raise table.error(fermion, f"must be a charge of at most {LARGEST_CHARGE:g}, not {value!r}")
    if fermion == "nu" and isinstance(value, list):
        raise table.error(fermion, "has one charge, that of the left-handed neutrino")
    return left, right


def gamma(m_zprime: Array | float) -> Array:
    """(M_Z / M_Z')^2 of masses in GeV; zero, the Standard Model, at infinity."""
    return (M_Z_GEV / np.asarray(m_zprime, float)) ** 2


def mass(gamma: Array) -> Array:
    """The M_Z' in GeV of a gamma = (M_Z / M_Z')^2.

    >>> float(mass(gamma(200)).round(6))
    200.0
    """
    with np.errstate(divide="ignore"):  # gamma 0 is the Standard Model
        return np.asarray(M_Z_GEV / np.sqrt(gamma))


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
    """Shifts of the chiral couplings per gamma in E6, from one rule for all fermions.

        eps_fP = (10/3) s2 gamma rho_f Y_nu Y_fP,   Y_beta = cos(beta) Y_chi + sin(beta) Y_psi

    Parameters
    ----------
    cos_beta, sin_beta : array, shape (betas,)
        The direction in the plane of Y_chi and Y_psi.

    Returns
    -------
    dict of fermion to (left, right), each of shape (betas,)
        eps / gamma, dimensionless.

    References
    ----------
    Eqs. 11-15 and Table 1 of arXiv:2002.01482.

    Examples
    --------
    The vector coupling of u, the sum of its two, stays the Standard Model's:

    >>> left, right = e6_shifts(np.array([1.0]), np.array([0.0]))["u"]
    >>> left.round(6), right.round(6)
    (array([-0.058279]), array([0.058279]))
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


def charge_shifts(g_prime: float, nu: float, charges: dict[str, tuple[float, float]]) -> Chiral:
    """Shifts of the chiral couplings per gamma from a U(1)'s charges and its strength, without radiative corrections.

        eps_fP = g'^2 Q_nu Q_fP / (2 sqrt2 G_F M_Z'^2)

    so that only M_Z'/g' counts: g' of 1 is a shift of 1 / (2 sqrt2 G_F M_Z^2) = 3.65 per unit of charge squared.

    Parameters
    ----------
    g_prime : float
        The strength g'.
    nu : float
        Charge of the left-handed neutrino.
    charges : dict of fermion to (left, right)
        Charges of u, d and e; right-handed f carries minus the charge of f^c.

    Returns
    -------
    dict of fermion to (left, right), each of shape (1,)
        eps / gamma, dimensionless.

    Examples
    --------
    The rule of `e6_shifts` is this one, with g'^2 = (10/3) s2 2 sqrt2 G_F M_Z^2 for the charges Y:

    >>> left, _ = charge_shifts(1.0, 1.0, {"e": (1.0, 1.0)})["e"]
    >>> round(10 / 3 * S2 / float(left[0]), 4)
    0.2114
    """
    g_fermi_gev = G_FERMI * 1e6
    strength = g_prime**2 * nu / (2 * math.sqrt(2) * g_fermi_gev * M_Z_GEV**2)
    return {f: (np.array([strength * left]), np.array([strength * right])) for f, (left, right) in charges.items()}


def left_right_shifts(neutral_current_only: bool) -> Chiral:
    """Shifts of the chiral couplings per gamma in the left-right symmetric model.

        f_L = A g_L + B g_R,   A = 1 + gamma s2^2 / (1 - 2 s2)
        f_R = A g_R + B g_L,   B = gamma s2 (1 - s2) / (1 - 2 s2)

    The sum A + B gives kappa_p = g_p s2 / (1 - 2 s2) to the proton, and the same to the neutron.

    Parameters
    ----------
    neutral_current_only : bool
        Whether the rule leaves out the charged current in the electron's g_L, as a Z' does; the published limits
        have it in.

    Returns
    -------
    dict of fermion to (left, right), each of shape (1,)
        Shifts / gamma, dimensionless.

    References
    ----------
    Eqs. 8-10 of arXiv:2002.01482.

    Examples
    --------
    >>> shifts = channel_couplings(left_right_shifts(neutral_current_only=True), "cevns")
    >>> (shifts[0] / sm_couplings("cevns")).round(6), round(S2 / (1 - 2 * S2), 6)
    (array([0.430129, 0.430129]), 0.430129)
    """
    a, b = S2**2 / (1 - 2 * S2), S2 * (1 - S2) / (1 - 2 * S2)
    shifts: Chiral = {}
    for fermion, (left, right) in sm_chiral().items():
        if neutral_current_only and fermion == "e":
            left -= 1  # a Z' doesn't touch W exchange
        shifts[fermion] = (np.array([a * left + b * right]), np.array([a * right + b * left]))
    return shifts


def channel_couplings(chiral: Chiral, channel: Channel) -> Array:
    """The pair of couplings that a channel sees, shape (..., 2)."""
    match channel:
        case "cevns":
            (u_left, u_right), (d_left, d_right) = chiral["u"], chiral["d"]
            u, d = u_left + u_right, d_left + d_right
            return np.stack([2 * u + d, u + 2 * d], axis=-1)
        case "nu-e":
            return np.stack(chiral["e"], axis=-1)
        case never:
            assert_never(never)


def sm_couplings(channel: Channel) -> Array:
    """Standard Model couplings (g_p, g_n) in CEvNS, (g_L, g_R) in nu-e scattering (Eqs. 3, 7).

    Examples
    --------
    >>> sm_couplings("cevns").round(6)
    array([ 0.030623, -0.512013])
    """
    return channel_couplings({f: (np.array(l), np.array(r)) for f, (l, r) in sm_chiral().items()}, channel)


def kappa(model: str | Model, channel: Channel, beta: Array | None = None) -> Array:
    """Shift of a channel's couplings per gamma = (M_Z / M_Z')^2.

    Parameters
    ----------
    model : str or Model
        See `load`.
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
    model = load(model)
    if model.has_beta:
        if beta is None:
            raise FastscanError("model 'e6' needs beta, its mixing angle")
        shifts = e6_shifts(np.cos(beta), np.sin(beta))
    elif beta is not None:
        raise FastscanError(f"model {model.name!r} has no beta; only 'e6' has")
    elif model.direction is not None:
        cos_beta, sin_beta = model.direction
        shifts = e6_shifts(np.array([cos_beta]), np.array([sin_beta]))
    elif model.charges is not None and model.g_prime is not None:
        shifts = charge_shifts(model.g_prime, model.nu, model.charges)
    elif model.name in ("lr", "lr-nc"):
        shifts = left_right_shifts(neutral_current_only=model.name == "lr-nc")
    else:
        raise FastscanError(f"model {model.name!r} has no rule for its couplings: give charges and g_prime")
    return channel_couplings(shifts, channel)
