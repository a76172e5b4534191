"""Light mediators: their propagator 1 / (q^2 + M^2) depends on the momentum transfer q^2 = 2 M_target T.

A vector adds to a channel's pair of couplings, with x = g'^2,

    g -> g + x sum_k f_k(q^2) kappa_k,   kappa = Q_nu Q_f / (2 sqrt2 G_F),   f = 1 / (q^2 + M^2)

for each chirality.  In the limit of a heavy mediator this is the contact rule of `contact.charge_shifts`.  A scalar
doesn't interfere with the Standard Model, because it flips the neutrino's chirality.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from fastscan.axes import Axis
from fastscan.errors import ModelError, quoted
from fastscan.inputs.bounds import LARGEST_CHARGE
from fastscan.inputs.toml import Table, check_name, name_of
from fastscan.interactions import standard_model
from fastscan.interactions.contact import FERMIONS, check_charges, chiral_charges, neutrino_charges
from fastscan.interactions.interaction import Interaction, Strength, Term
from fastscan.interactions.parameters import M_PHI, MEDIATOR, G
from fastscan.interactions.standard_model import ELECTRIC_CHARGE
from fastscan.physics.constants import ALPHA, G_FERMI, M_ELECTRON, M_MUON, M_TAU
from fastscan.physics.cross_sections import SCALAR
from fastscan.typing import FLAVOURS, Array, Channel

MASSLESS = 1e-6  # MeV: a lighter mediator counts as massless, so that recoils need a threshold
LEPTON_MASSES = (M_ELECTRON, M_MUON, M_TAU)  # MeV, in the order of FLAVOURS
NUCLEONS = ("p", "n")
SMALL = 0.05  # q^2 / m^2 below which the closed form of a loop loses digits
SERIES = 9  # terms, each at most 1/80 of the term before
Factor = Callable[[Array], Array]  # from q^2 in MeV^2, shape (nodes,), to (rows, nodes)


def _square(g: Array) -> Array:
    return np.asarray(g, float) ** 2


COUPLING = Strength(
    G, to_x=_square, from_x=np.sqrt, largest_x=G.high**2, bound="upper", power=2, perturbative=math.sqrt(4 * math.pi)
)


@dataclass(frozen=True, eq=False)
class Vector(Interaction):
    """A Z' of any mass.

    Attributes
    ----------
    charges : dict of fermion to (left, right)
        Charges of u, d and e.
    nu : tuple of float
        Charges of nu_e, nu_mu and nu_tau, and of the charged leptons in a loop.
    loop : bool
        Whether a loop of charged leptons mixes the Z' with the photon, so that it couples to quarks without charge.
    digest : str
        SHA-256 of the model's file; empty for a model made in Python.
    """

    name: str
    description: str
    references: tuple[str, ...] = ("arXiv:2202.11002",)
    charges: dict[str, tuple[float, float]] | None = None
    nu: tuple[float, float, float] = (0.0, 0.0, 0.0)
    loop: bool = False
    digest: str = ""
    family: ClassVar[str] = "Z' bosons of any mass, upper limits on g'"
    family_rows: ClassVar[tuple[Axis, ...]] = (MEDIATOR,)
    strength: ClassVar[Strength] = COUPLING

    def __post_init__(self) -> None:
        check_charges(self.name, self.charges, self.nu)
        assert self.charges is not None
        leptons_alone = not any((*self.charges["u"], *self.charges["d"], math.fsum(self.nu)))
        if self.loop and not (leptons_alone and tuple(self.charges["e"]) == (self.nu[0],) * 2):
            raise ModelError(
                f"model {quoted(self.name)}: a loop needs u and d without charge, the same charge of e and nu_e, "
                "and charges of e, mu and tau that add up to 0"
            )

    @classmethod
    def read(cls, table: Table, path: Path) -> Self:
        """The model that a TOML file describes, under the name that it gives itself or else the file's own."""
        charges = table.table("charges")
        words: dict[str, Any] = {
            "name": name_of(table, path),
            "description": table.text("title"),
            "references": table.texts("references"),
            "charges": {fermion: chiral_charges(charges, fermion) for fermion in FERMIONS},
            "nu": neutrino_charges(charges),
            "loop": "loop" in table and table.flag("loop"),
        }
        charges.done()
        table.done()
        return table.checked("charges", lambda: cls(**words, digest=table.digest))

    @property
    def rows(self) -> tuple[Axis, ...]:
        return (self.mediator,)

    @property
    def mediator(self) -> Axis:
        return MEDIATOR

    def terms(self, channel: Channel, rows: Mapping[str, Array]) -> tuple[Term, ...]:
        """The features of g + x sum_k f_k kappa_k minus the features of g, expanded in x."""
        assert self.charges is not None
        mass = rows[MEDIATOR.name][:, None] * 1e3  # MeV

        def mixed(q2: Array) -> Array:
            return loop_charge(self.nu, q2) * propagator(mass, q2)

        exchanges = [(couplings(channel, self.nu, self.charges), lambda q2: propagator(mass, q2))]
        if self.loop:
            exchanges.append((couplings(channel, self.nu, ELECTROMAGNETIC), mixed))
        return expanded(channel, exchanges, massless=bool((mass < MASSLESS).any()))

    def identity(self) -> dict[str, Any]:
        assert self.charges is not None
        return {
            "kind": "vector",
            "charges": {fermion: list(pair) for fermion, pair in self.charges.items()},
            "nu": list(self.nu),
            "loop": self.loop,
            "digest": self.digest,
        }


ELECTROMAGNETIC = {fermion: (charge, charge) for fermion, charge in ELECTRIC_CHARGE.items()}


def propagator(mass: Array, q2: Array) -> Array:
    """1 / (q^2 + M^2) in MeV^-2, (rows, nodes), for masses in MeV, (rows, 1), and q^2 in MeV^2, (nodes,)."""
    return np.asarray(1 / (q2 + mass**2))


def couplings(channel: Channel, nu: Sequence[float], charges: Mapping[str, tuple[float, float]]) -> Array:
    """The shift of a channel's pair of couplings by an exchange, per g'^2 / (q^2 + M^2).

        kappa_fP = Q_nu Q_fP / (2 sqrt2 G_F)

    Parameters
    ----------
    channel : {"cevns", "nu-e"}
    nu : sequence of float
        Charges of nu_e, nu_mu and nu_tau.  Antineutrinos have the same shifts of their couplings.
    charges : mapping of fermion to (left, right)
        Charges of u, d and e.

    Returns
    -------
    array, shape (3, 2)
        (p, n) in CEvNS or (L, R) in nu-e scattering for each flavour, in MeV^2.

    Examples
    --------
    A charge of 1 for nucleons, which is 1/3 for each quark:

    >>> third = (1 / 3, 1 / 3)
    >>> couplings("cevns", (1, 0, 0), {"u": third, "d": third, "e": (0, 0)})[0].round(-6)
    array([6.0624e+10, 6.0624e+10])
    """
    chiral = {fermion: (np.asarray(left), np.asarray(right)) for fermion, (left, right) in charges.items()}
    pair = standard_model.channel_pair(chiral, channel)
    return np.outer(nu, pair) / (2 * math.sqrt(2) * G_FERMI)


def expanded(channel: Channel, exchanges: Sequence[tuple[Array, Factor]], massless: bool) -> tuple[Term, ...]:
    """The terms of exchanges that interfere with the Standard Model and with each other.

    Parameters
    ----------
    channel : {"cevns", "nu-e"}
    exchanges : sequence of (array, callable)
        Shifts of the couplings per x, shape (flavours, 2), each with its dependence on q^2.
    massless : bool
        Whether in some row only a threshold keeps the counts finite.
    """
    standard = standard_model.couplings(channel)
    active = [each for each in exchanges if each[0].any()] or exchanges[:1]
    found = []

    def add(features: Array, power: int, factor: Factor) -> None:
        weight = np.zeros((1, *features.shape, 3))
        weight[..., power] = features
        found.append(Term(weight, factor=factor, massless=massless))

    for number, (kappa, factor) in enumerate(active):
        add(standard_model.interference(standard, kappa), 1, factor)
        add(standard_model.features(kappa), 2, _product(factor, factor))
        for other, other_factor in active[:number]:
            add(standard_model.interference(kappa, other), 2, _product(factor, other_factor))
    return tuple(found)


def _product(one: Factor, other: Factor) -> Factor:
    return lambda q2: one(q2) * other(q2)


def loop_charge(charges: Sequence[float], q2: Array) -> Array:
    """The charge of a proton under a Z' that mixes with the photon in a loop of charged leptons.

        Q_p = -(2 alpha / pi) sum_k Q_k int_0^1 y (1-y) ln[m_k^2 + y (1-y) q^2] dy,   sum_k Q_k = 0

    For every other fermion this charge is multiplied by the fermion's electric charge.  The sign and the size follow
    from quantum electrodynamics without mixing at scales far above the mass of the tau.

    Parameters
    ----------
    charges : sequence of float
        The charges Q_k of e, mu and tau.
    q2 : array, shape (...)
        q^2 in MeV^2.

    Returns
    -------
    array, shape (...)
        Q_p in units of g'.

    References
    ----------
    M. E. Peskin and D. V. Schroeder, An Introduction to Quantum Field Theory, section 7.5; B. Holdom, Phys. Lett. B 166
    (1986) 196.

    Examples
    --------
    For L_mu-L_tau at q^2 = 0 the charge is (alpha / 3 pi) ln(m_tau^2 / m_mu^2):

    >>> float(loop_charge((0, 1, -1), np.array([0.0]))[0].round(10))
    0.0043706048
    """
    total = np.zeros_like(q2)
    for charge, mass in zip(charges, LEPTON_MASSES, strict=True):
        total -= charge * (math.log(mass**2) / 6 + _loop(q2 / mass**2))
    return 2 * ALPHA / math.pi * total


def _loop(ratio: Array) -> Array:
    """int_0^1 y (1-y) ln[1 + y (1-y) r] dy, in closed form or, where it loses digits, as a series in r."""
    small = ratio < SMALL
    r = np.where(small, 1.0, ratio)
    root = np.sqrt(1 + 4 / r)
    # ln[(s + 1) / (s - 1)] with s^2 - 1 = 4/r, so that nothing cancels
    closed = -5 / 18 + 2 / (3 * r) + (1 - 2 / r) * root * np.log((root + 1) ** 2 * r / 4) / 6
    return np.where(small, _loop_series(np.where(small, ratio, 0.0)), closed)


def _loop_series(ratio: Array) -> Array:
    """sum_n -(-r)^n / n B(n+2, n+2), the integral term by term.

    >>> float((_loop_series(np.array(1e-6)) * 30e6).round(6))
    1.0
    """
    total = np.zeros_like(ratio)
    for n in range(SERIES, 0, -1):
        beta = math.factorial(n + 1) ** 2 / math.factorial(2 * n + 3)
        total = ratio * (beta / n - total)
    return total


@dataclass(frozen=True, eq=False)
class Scalar(Interaction):
    """A scalar of any mass, with the same coupling to neutrinos of every flavour.

    g^2 is the product of the couplings to the neutrino and to a quark, from which the couplings to nucleons follow.

    Attributes
    ----------
    couplings : dict of str to float
        Couplings of p, n and e per g, which depend on a convention about quarks in nucleons.
    digest : str
        SHA-256 of the model's file; empty for a model made in Python.
    """

    name: str
    description: str
    references: tuple[str, ...]
    couplings: dict[str, float] | None = None
    digest: str = ""
    family: ClassVar[str] = "Scalars of any mass, upper limits on g = sqrt(g_nu g_q)"
    family_rows: ClassVar[tuple[Axis, ...]] = (M_PHI,)
    strength: ClassVar[Strength] = COUPLING

    def __post_init__(self) -> None:
        check_name(self.name, ModelError)
        if self.couplings is None or set(self.couplings) != {*NUCLEONS, "e"}:
            raise ModelError(f"model {quoted(self.name)}: couplings must be those of p, n, e")
        if not all(abs(each) <= LARGEST_CHARGE for each in self.couplings.values()):  # a nan fails this too
            raise ModelError(f"model {quoted(self.name)}: each coupling must be at most {LARGEST_CHARGE:g}")

    @classmethod
    def read(cls, table: Table, path: Path) -> Self:
        """The model that a TOML file describes, under the name that it gives itself or else the file's own."""
        given = table.table("couplings")
        model = cls(
            name=name_of(table, path),
            description=table.text("title"),
            references=table.texts("references"),
            couplings={each: given.number(each, -LARGEST_CHARGE, LARGEST_CHARGE) for each in (*NUCLEONS, "e")},
            digest=table.digest,
        )
        given.done()
        table.done()
        return model

    @property
    def rows(self) -> tuple[Axis, ...]:
        return (self.mediator,)

    @property
    def mediator(self) -> Axis:
        return M_PHI

    def terms(self, channel: Channel, rows: Mapping[str, Array]) -> tuple[Term, ...]:
        """The squares of the couplings, in a term in x^2."""
        assert self.couplings is not None
        mass = rows[M_PHI.name][:, None] * 1e3  # MeV
        if channel == "cevns":
            features = standard_model.features(np.array([self.couplings[each] for each in NUCLEONS]))
        else:
            features = np.array([self.couplings["e"] ** 2])
        weight = np.zeros((1, len(FLAVOURS), len(features), 3))
        weight[..., 2] = features

        def factor(q2: Array) -> Array:
            return propagator(mass, q2) ** 2

        return (Term(weight, SCALAR, factor, massless=bool((mass < MASSLESS).any())),)

    def identity(self) -> dict[str, Any]:
        return {"kind": "scalar", "couplings": dict(self.couplings or {}), "digest": self.digest}
