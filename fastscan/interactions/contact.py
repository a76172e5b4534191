"""Heavy Z' bosons, which act at a point: every coupling is g_SM + x kappa, with x = (M_Z / M_Z')^2.

A model gives kappa, the shift of a channel's pair of couplings per x.  It follows from chiral shifts of u, d and e: in
E6, in left-right symmetry, or in a user's own U(1)', which is a TOML file with a table of charges and a strength g'.
"""

import math
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from fastscan.axes import Axis
from fastscan.errors import ModelError, quoted
from fastscan.inputs.bounds import G_PRIME, LARGEST_CHARGE
from fastscan.inputs.toml import Table, check_name, name_of
from fastscan.interactions import standard_model
from fastscan.interactions.interaction import Interaction, RowShifts, Strength, Term
from fastscan.interactions.parameters import BETA, M_ZPRIME
from fastscan.interactions.standard_model import Chiral
from fastscan.physics.constants import G_FERMI, M_Z_GEV, RHO_ELECTRON, RHO_QUARK
from fastscan.physics.constants import SIN2_THETA_W as S2
from fastscan.typing import FLAVOURS, Array, Channel

CONTACT_GEV = 1.0  # below this mass the interaction has no contact form, so that there are no limits
# Charges of Table 1, sqrt(40) Y_chi and sqrt(24) Y_psi; right-handed f carries minus the charge of f^c.
E6_CHARGES = {"Q": (-1, 1), "u^c": (-1, 1), "e^c": (-1, 1), "d^c": (3, 1), "l": (3, 1)}
NEUTRINO = (E6_CHARGES["l"][0] / math.sqrt(40), E6_CHARGES["l"][1] / math.sqrt(24))  # at beta = 0 and 90 degrees
RHO = {"u": RHO_QUARK, "d": RHO_QUARK, "e": RHO_ELECTRON}
FERMIONS = ("u", "d", "e")
A_CHARGE = "a charge such as -1 or '1/3'"
_FRACTION = re.compile(r"[-+]?[0-9]{1,6}/[0-9]{1,6}")


def gamma(m_zprime: Array | float) -> Array:
    """(M_Z / M_Z')^2 for masses in GeV, dimensionless; at an infinite mass it is 0, the Standard Model."""
    return (M_Z_GEV / np.asarray(m_zprime, float)) ** 2


def mass(gamma: Array) -> Array:
    """The M_Z' in GeV for gamma = (M_Z / M_Z')^2.

    >>> float(mass(gamma(200)).round(6))
    200.0
    """
    with np.errstate(divide="ignore"):  # gamma 0 is the Standard Model
        return np.asarray(M_Z_GEV / np.sqrt(gamma))


def lightest_contact(momentum_transfer: float) -> float:
    """The smallest M_Z' in GeV at which a propagator has its contact form, for a momentum transfer Q in MeV.

    This mass is 10 Q, where 1 / (M_Z'^2 + Q^2) is 1 % below 1 / M_Z'^2.

    >>> lightest_contact(100.0)
    1.0
    """
    return 10 * momentum_transfer / 1e3


HEAVY = Strength(
    M_ZPRIME,
    to_x=gamma,
    from_x=mass,
    largest_x=float(gamma(CONTACT_GEV)),
    bound="lower",
    lowest=lightest_contact,
    form_ends="the contact form ends at ten times the largest momentum transfer",
    unit=M_Z_GEV,
    power=-2,
)


@dataclass(frozen=True, eq=False)
class Contact(Interaction):
    """A heavy Z'."""

    name: str
    description: str
    references: tuple[str, ...] = ("arXiv:2002.01482",)
    family: ClassVar[str] = "Heavy Z' bosons, lower limits on M_Z'"
    family_rows: ClassVar[tuple[Axis, ...]] = (BETA,)
    strength: ClassVar[Strength] = HEAVY

    @abstractmethod
    def shifts(self, rows: Mapping[str, Array]) -> Chiral:
        """Shifts of the chiral couplings per x, dimensionless arrays that broadcast to (rows, flavours)."""

    def kappa(self, channel: Channel, rows: Mapping[str, Array]) -> Array:
        """Shift of a channel's pair of couplings per x.

        Returns
        -------
        array, shape (rows, 3, 2)
            (p, n) in CEvNS or (L, R) in nu-e scattering, for nu_e, nu_mu and nu_tau; dimensionless.

        Examples
        --------
        >>> E6("chi", "E6, U(1)_chi", direction=(1.0, 0.0)).kappa("cevns", {})[0, 0].round(6)
        array([-0.233116, -0.466232])
        """
        pair = standard_model.channel_pair(self.shifts(rows), channel)
        return np.broadcast_to(pair, (len(pair), len(FLAVOURS), 2))

    def terms(self, channel: Channel, rows: Mapping[str, Array]) -> tuple[Term, ...]:
        """The features of g + x kappa minus the features of g, expanded in x."""
        pair = standard_model.couplings(channel)
        kappa = standard_model.channel_pair(self.shifts(rows), channel)  # one entry where all flavours are alike
        weight = np.zeros((len(kappa), len(FLAVOURS), 3, 3))
        weight[..., 1] = standard_model.interference(pair, kappa)
        weight[..., 2] = standard_model.features(kappa)
        return (Term(weight),)


@dataclass(frozen=True, eq=False)
class E6(Contact):
    """U(1)_beta of E6.  `direction` is (cos beta, sin beta) of a model with fixed beta; if None, beta is an axis."""

    direction: tuple[float, float] | None = None

    @property
    def rows(self) -> tuple[Axis, ...]:
        return (BETA,) if self.direction is None else ()

    def shifts(self, rows: Mapping[str, Array]) -> Chiral:
        if self.direction is None:
            beta = rows[BETA.name][:, None]
            return e6_shifts(np.cos(beta), np.sin(beta))
        cos_beta, sin_beta = self.direction
        return e6_shifts(np.array([[cos_beta]]), np.array([[sin_beta]]))

    def row_shifts(self, channel: Channel) -> RowShifts | None:
        """The shifts by beta, which are linear in the functions of `charges_of_beta`."""
        growth = [
            standard_model.channel_pair(e6_shifts(np.array(cos_beta), np.array(sin_beta)), channel) / charge
            for cos_beta, sin_beta, charge in ((1.0, 0.0, NEUTRINO[0]), (0.0, 1.0, NEUTRINO[1]))
        ]
        same = np.eye(len(FLAVOURS))[..., None] * np.stack(growth)[:, None, None]
        return RowShifts(charges_of_beta, slopes_of_charges, np.zeros_like(same), same)

    def identity(self) -> dict[str, Any]:
        return {"kind": "e6", "direction": self.direction and list(self.direction)}


def charges_of_beta(beta: float) -> Array:
    """The charge Y_nu of the neutrino times cos(beta), and times sin(beta), shape (2,).

    Every shift is a sum of multiples of both.  Because both contain the factor Y_nu, no digits cancel where Y_nu is
    small.
    """
    cos_beta, sin_beta = math.cos(beta), math.sin(beta)
    neutrino = NEUTRINO[0] * cos_beta + NEUTRINO[1] * sin_beta
    return np.array([neutrino * cos_beta, neutrino * sin_beta])


def slopes_of_charges(beta: float) -> Array:
    """The derivatives of `charges_of_beta`, shape (2,)."""
    cos_beta, sin_beta = math.cos(beta), math.sin(beta)
    neutrino = NEUTRINO[0] * cos_beta + NEUTRINO[1] * sin_beta
    slope = NEUTRINO[1] * cos_beta - NEUTRINO[0] * sin_beta
    return np.array([slope * cos_beta - neutrino * sin_beta, slope * sin_beta + neutrino * cos_beta])


def e6_shifts(cos_beta: Array, sin_beta: Array) -> Chiral:
    """Shifts of the chiral couplings per x in E6, from one rule for all fermions.

        eps_fP = (10/3) s2 x rho_f Y_nu Y_fP,   Y_beta = cos(beta) Y_chi + sin(beta) Y_psi

    Parameters
    ----------
    cos_beta, sin_beta : array, shape (...)
        The direction in the plane of Y_chi and Y_psi.

    Returns
    -------
    dict of fermion to (left, right), each of shape (...)
        eps / x, dimensionless.

    References
    ----------
    Eqs. 11-15 and Table 1 of arXiv:2002.01482.

    Examples
    --------
    The vector coupling of u, the sum of its two chiral couplings, isn't shifted:

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


@dataclass(frozen=True, eq=False)
class LeftRight(Contact):
    """The left-right symmetric model.

    Its shifts multiply the charged current in the electron's g_L too, as in the published limits, unless
    `neutral_current_only` is set, because a Z' doesn't change the exchange of a W.
    """

    neutral_current_only: bool = False

    def shifts(self, rows: Mapping[str, Array]) -> Chiral:
        couplings = standard_model.chiral_couplings()
        if self.neutral_current_only:
            left, right = couplings["e"]
            couplings["e"] = (left - standard_model.CHARGED_CURRENT, right)
        return left_right_shifts({fermion: (left[None], right[None]) for fermion, (left, right) in couplings.items()})

    def identity(self) -> dict[str, Any]:
        return {"kind": "left-right", "neutral_current_only": self.neutral_current_only}


def left_right_shifts(couplings: Chiral) -> Chiral:
    """Shifts of chiral couplings (left, right) per x in the left-right symmetric model, in the couplings' shapes.

        f_L = A g_L + B g_R,   A = 1 + x s2^2 / (1 - 2 s2)
        f_R = A g_R + B g_L,   B = x s2 (1 - s2) / (1 - 2 s2)

    From the sum A + B follows kappa_p = g_p s2 / (1 - 2 s2) for the proton, and the same rule for the neutron.

    Returns
    -------
    dict of fermion to (left, right)
        Shifts / x, dimensionless.

    References
    ----------
    Eqs. 8-10 of arXiv:2002.01482.

    Examples
    --------
    >>> kappa = LeftRight("lr-nc", "", neutral_current_only=True).kappa("cevns", {})
    >>> (kappa[0, 0] / standard_model.couplings("cevns")[0]).round(6), round(S2 / (1 - 2 * S2), 6)
    (array([0.430129, 0.430129]), 0.430129)
    """
    a, b = S2**2 / (1 - 2 * S2), S2 * (1 - S2) / (1 - 2 * S2)
    return {fermion: (a * left + b * right, a * right + b * left) for fermion, (left, right) in couplings.items()}


@dataclass(frozen=True, eq=False)
class Charges(Contact):
    """A user's own U(1)'.

    Attributes
    ----------
    g_prime : float
        The strength g'.
    charges : dict of fermion to (left, right)
        Charges of u, d and e; right-handed f carries minus the charge of f^c.
    nu : float or tuple of float
        Charge of the left-handed neutrino, or charges of nu_e, nu_mu and nu_tau.
    digest : str
        SHA-256 of the model's file; empty for a model made in Python.
    """

    g_prime: float | None = None
    charges: dict[str, tuple[float, float]] | None = None
    nu: float | tuple[float, float, float] = 0.0
    digest: str = ""

    def __post_init__(self) -> None:
        check_charges(self.name, self.charges, np.ravel(self.nu).tolist())
        if self.g_prime is None or not G_PRIME[0] <= self.g_prime <= G_PRIME[1]:
            raise ModelError(f"model {quoted(self.name)}: g_prime must be between {G_PRIME[0]:g} and {G_PRIME[1]:g}")

    @classmethod
    def read(cls, table: Table, path: Path) -> Self:
        """The model that a TOML file describes; its name is the key ``name``, or else the file's name."""
        charges = table.table("charges")
        model = cls(
            name=name_of(table, path),
            description=table.text("title"),
            references=table.texts("references"),
            g_prime=table.number("g_prime", *G_PRIME),
            charges={fermion: chiral_charges(charges, fermion) for fermion in FERMIONS},
            nu=neutrino_charges(charges) if charges.is_table("nu") else neutrino_charges(charges)[0],
            digest=table.digest,
        )
        charges.done()
        table.done()
        return model

    def shifts(self, rows: Mapping[str, Array]) -> Chiral:
        assert self.charges is not None
        assert self.g_prime is not None
        return charge_shifts(self.g_prime, self.nu, self.charges)

    def identity(self) -> dict[str, Any]:
        assert self.charges is not None
        charges = {fermion: list(pair) for fermion, pair in self.charges.items()}
        return {
            "kind": "charges",
            "g_prime": self.g_prime,
            "charges": charges,
            "nu": self.nu if isinstance(self.nu, float | int) else list(self.nu),
            "digest": self.digest,
        }


def charge_shifts(g_prime: float, nu: ArrayLike, charges: Mapping[str, tuple[float, float]]) -> Chiral:
    """Shifts of the chiral couplings per x from a U(1)'s charges and its strength, without radiative corrections.

        eps_fP = g'^2 Q_nu Q_fP / (2 sqrt2 G_F M_Z'^2)

    so that only M_Z'/g' matters: g' = 1 gives a shift of 1 / (2 sqrt2 G_F M_Z^2) = 3.65 per unit of charge squared.

    Parameters
    ----------
    g_prime : float
        The strength g'.
    nu : float or sequence of float
        Charge of the left-handed neutrino, or charges of nu_e, nu_mu and nu_tau.
    charges : dict of fermion to (left, right)
        Charges of u, d and e; right-handed f carries minus the charge of f^c.

    Returns
    -------
    dict of fermion to (left, right), each of shape (1, 1), or (1, 3)
        eps / x, the same for every flavour or for each flavour; dimensionless.

    Examples
    --------
    The rule of `e6_shifts` is the same, with g'^2 = (10/3) s2 2 sqrt2 G_F M_Z^2 for the charges Y:

    >>> left, _ = charge_shifts(1.0, 1.0, {"e": (1.0, 1.0)})["e"]
    >>> round(10 / 3 * S2 / left.item(), 4)
    0.2114
    """
    g_fermi_gev = G_FERMI * 1e6
    strength = g_prime**2 * np.atleast_2d(nu) / (2 * math.sqrt(2) * g_fermi_gev * M_Z_GEV**2)
    return {fermion: (strength * left, strength * right) for fermion, (left, right) in charges.items()}


def check_charges(name: str, charges: Mapping[str, tuple[float, float]] | None, nu: Iterable[float]) -> None:
    """Refuse a model made in Python that lacks charges of a fermion, or has a charge that is no number or too large."""
    check_name(name, ModelError)
    if not isinstance(charges, Mapping) or set(charges) != set(FERMIONS):
        raise ModelError(f"model {quoted(name)}: charges must be those of {', '.join(FERMIONS)}")
    try:
        numbers: list[Any] = [*(each for left, right in charges.values() for each in (left, right)), *nu]
    except (TypeError, ValueError):
        raise ModelError(f"model {quoted(name)}: each fermion has two charges, (left, right)") from None
    are_real = all(isinstance(number, Real) for number in numbers)
    if not (are_real and all(abs(number) <= LARGEST_CHARGE for number in numbers)):  # a nan fails this too
        raise ModelError(f"model {quoted(name)}: each charge must be at most {LARGEST_CHARGE:g}")


def neutrino_charges(table: Table) -> tuple[float, float, float]:
    """Charges of nu_e, nu_mu and nu_tau: one number ``nu`` for all, or a table of charges by flavour."""
    if not table.is_table("nu"):
        return (_neutrino_charge(table, "nu"),) * 3
    flavours = table.table("nu")
    e, mu, tau = (_neutrino_charge(flavours, flavour) for flavour in FLAVOURS)
    flavours.done()
    return e, mu, tau


def _neutrino_charge(table: Table, key: str) -> float:
    value = table.take(key, (int, float, str, list), A_CHARGE)
    if isinstance(value, list):
        raise table.error(key, "has one charge, that of the left-handed neutrino")
    return _charge(table, key, value, A_CHARGE, value)


def chiral_charges(table: Table, fermion: str) -> tuple[float, float]:
    """Charges of the left- and the right-handed fermion: two numbers, or one number for both."""
    expected = f"{A_CHARGE}, or two: [left, right]"
    value = table.take(fermion, (int, float, str, list), expected)
    pair = value if isinstance(value, list) else [value, value]
    if len(pair) != 2:
        raise table.error(fermion, f"must be {expected}, not {quoted(value)}")
    left, right = (_charge(table, fermion, each, expected, value) for each in pair)
    return left, right


def _charge(table: Table, key: str, charge: Any, expected: str, told: object) -> float:
    """A charge that is a number or a fraction; an error quotes `told`, the whole value of the key."""
    try:
        number = float(Fraction(charge) if isinstance(charge, str) and _FRACTION.fullmatch(charge) else charge)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        raise table.error(key, f"must be {expected}, not {quoted(told)}") from None
    if isinstance(charge, bool) or not abs(number) <= LARGEST_CHARGE:  # a nan fails this too
        raise table.error(key, f"must be a charge of at most {LARGEST_CHARGE:g}, not {quoted(told)}")
    return number
