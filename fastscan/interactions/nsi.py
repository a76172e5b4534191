"""Contact interactions that shift the weak couplings or change the flavour: NSI, charge radii, the weak mixing angle.

Each adds a matrix over flavours to the couplings, (final, incoming) = (l', l), that grows with the strength x:

    g_l'l = delta_l'l g_l + s_l'l + x k_l'l

and events of nu_l follow from the features of g_l'l, summed over l'.  Only l' = l interferes with the Standard Model.
The matrices are symmetric.  Non-standard interactions (NSI) have x = epsilon, after

    L = -2 sqrt2 G_F eps_l'l^fP (nubar_l' gamma^mu nu_l)(fbar gamma_mu P f),   eps^V = eps^L + eps^R

Quarks are sensitive to eps^V only, electrons to eps^L and eps^R separately.  A charge radius and a shift of the weak
mixing angle are such epsilons too, proportional to the electric charge of f.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from fastscan.axes import Axis
from fastscan.errors import ModelError, quoted, unknown
from fastscan.inputs.bounds import EPSILON
from fastscan.inputs.toml import Table, check_name, name_of
from fastscan.interactions import standard_model
from fastscan.interactions.interaction import Interaction, RowShifts, Strength, Term
from fastscan.interactions.parameters import ELECTROMAGNETIC_PROPERTIES, EPS, EPS_D, EPS_U, RADIUS, SHIFT
from fastscan.interactions.standard_model import ELECTRIC_CHARGE
from fastscan.physics.constants import (
    ALPHA,
    CM2_PER_INVERSE_MEV2,
    G_FERMI,
    KAPPA_ELECTRON,
    KAPPA_QUARK,
    RHO_ELECTRON,
    RHO_QUARK,
)
from fastscan.typing import FLAVOURS, Array, Channel, Flavour

Direction = Mapping[str, Mapping[str, float]]  # pair of flavours -> coupling -> epsilon per x
PAIRS = {one + other: (one, other) for place, one in enumerate(FLAVOURS) for other in FLAVOURS[place:]}
COUPLINGS = {  # shift of a channel's pair of couplings per unit of each epsilon
    "cevns": {"u": (2.0, 1.0), "d": (1.0, 2.0)},
    "nu-e": {"eL": (1.0, 0.0), "eR": (0.0, 1.0)},
}
KNOWN_COUPLINGS = [name for channel in COUPLINGS.values() for name in channel]
NSI = "Non-standard interactions in units of G_F, of quarks eps^V = eps^L + eps^R"  # a family


@dataclass(frozen=True, eq=False)
class Shifts(Interaction):
    """An interaction that shifts the couplings, or changes the flavour, in proportion to the strength."""

    name: str
    description: str
    references: tuple[str, ...]

    @property
    @abstractmethod
    def direction(self) -> Direction:
        """The epsilons per x."""

    @property
    def changes_flavour(self) -> bool:
        return any(len(set(PAIRS[pair])) > 1 for pair in self.direction)

    def start(self, channel: Channel, rows: Mapping[str, Array]) -> Array:
        """The shifts of the couplings at x = 0 in each row, shape (rows, flavours, flavours, 2)."""
        return np.zeros((1, len(FLAVOURS), len(FLAVOURS), 2))

    def terms(self, channel: Channel, rows: Mapping[str, Array]) -> tuple[Term, ...]:
        """The features of g + s + x k minus the features of g, expanded in x and summed over final flavours."""
        couplings = np.zeros((len(FLAVOURS), len(FLAVOURS), 2))
        couplings[np.diag_indices(len(FLAVOURS))] = standard_model.couplings(channel)
        start, shift = self.start(channel, rows), matrix(self.direction, channel)
        powers = (
            standard_model.interference(couplings, start) + standard_model.features(start),
            standard_model.interference(couplings + start, shift),
            standard_model.features(shift),
        )
        return (Term(np.stack(np.broadcast_arrays(*powers), axis=-1).sum(axis=1)),)


def matrix(direction: Direction, channel: Channel) -> Array:
    """The shifts of a channel's couplings by epsilons.

    Returns
    -------
    array, shape (flavours, flavours, 2)
        By final and incoming flavour: (p, n) in CEvNS, or (L, R) in nu-e scattering; dimensionless.

    Examples
    --------
    >>> matrix({"emu": {"u": 0.1}}, "cevns")[:, 0]  # from nu_e to each flavour
    array([[0. , 0. ],
           [0.2, 0.1],
           [0. , 0. ]])
    """
    found = np.zeros((len(FLAVOURS), len(FLAVOURS), 2))
    for pair, epsilons in direction.items():
        one, other = map(FLAVOURS.index, PAIRS[pair])
        for coupling, epsilon in epsilons.items():
            found[one, other] += epsilon * np.array(COUPLINGS[channel].get(coupling, (0.0, 0.0)))
        found[other, one] = found[one, other]
    return found


@dataclass(frozen=True, eq=False)
class NonStandard(Shifts):
    """Non-standard interactions along a direction in the space of epsilons.

    Attributes
    ----------
    along : dict of pair to dict of coupling to float
        The epsilons per unit of the strength, by pair of flavours of `PAIRS`, and by coupling: u and d (vector), eL and
        eR.
    digest : str
        SHA-256 of the model's file; empty for a model made in Python.
    """

    along: Direction | None = None
    digest: str = ""
    family: ClassVar[str] = NSI
    strength: ClassVar[Strength] = Strength.direct(EPS, "two-sided")

    def __post_init__(self) -> None:
        check_name(self.name, ModelError)
        for pair, epsilons in self.direction.items():
            _require(pair, PAIRS, "pair of flavours")
            for coupling, epsilon in epsilons.items():
                _require(coupling, KNOWN_COUPLINGS, "coupling")
                if not EPSILON[0] <= epsilon <= EPSILON[1]:  # a nan fails this too
                    raise ModelError(f"model {quoted(self.name)}: each epsilon must be at most {EPSILON[1]:g}")
        if not any(each for epsilons in self.direction.values() for each in epsilons.values()):
            raise ModelError(f"model {quoted(self.name)} has no direction: every epsilon is 0")

    @property
    def direction(self) -> Direction:
        return self.along or {}

    @classmethod
    def read(cls, table: Table, path: Path) -> Self:
        """The model that a TOML file describes, under the name that it gives itself or else the file's own."""
        directions = table.table("direction")
        along = {pair: _epsilons(directions.table(pair)) for pair in PAIRS if pair in directions}
        directions.done()
        name, description, references = name_of(table, path), table.text("title"), table.texts("references")
        table.done()
        return table.checked("direction", lambda: cls(name, description, references, along, table.digest))

    def identity(self) -> dict[str, Any]:
        return {
            "kind": "nsi",
            "along": {pair: dict(epsilons) for pair, epsilons in self.direction.items()},
            "digest": self.digest,
        }


def _require(name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        raise unknown(what, name, known, ModelError)


def _epsilons(table: Table) -> dict[str, float]:
    """The epsilons of one pair of flavours; epsilons that are left out are 0."""
    found = {coupling: table.number(coupling, *EPSILON) for coupling in KNOWN_COUPLINGS if coupling in table}
    table.done()
    return found


def one_and(epsilon: float) -> Array:
    """1 and epsilon, shape (2,)."""
    return np.array([1.0, epsilon])


def slopes_of_one_and(epsilon: float) -> Array:
    """The derivatives of `one_and`, shape (2,)."""
    return np.array([0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Plane(Shifts):
    """Non-standard interactions of a pair of flavours with u and d: a row is an epsilon of d, and x is the one of u.

    At an epsilon of d other than 0, x = 0 is not the Standard Model.
    """

    pair: str = ""
    family: ClassVar[str] = NSI
    family_rows: ClassVar[tuple[Axis, ...]] = (EPS_D,)
    strength: ClassVar[Strength] = Strength.direct(EPS_U, "two-sided")

    @property
    def rows(self) -> tuple[Axis, ...]:
        return (EPS_D,)

    @property
    def direction(self) -> Direction:
        return {self.pair: {"u": 1.0}}

    def start(self, channel: Channel, rows: Mapping[str, Array]) -> Array:
        return rows[EPS_D.name][:, None, None, None] * matrix({self.pair: {"d": 1.0}}, channel)

    def row_shifts(self, channel: Channel) -> RowShifts:
        """The shifts at x = 0, which are proportional to the epsilon of d."""
        start, growth = matrix({self.pair: {"d": 1.0}}, channel), matrix(self.direction, channel)
        nothing = np.zeros_like(start)
        return RowShifts(one_and, slopes_of_one_and, np.stack([nothing, start]), np.stack([growth, nothing]))

    def identity(self) -> dict[str, Any]:
        return {"kind": "nsi-plane", "pair": self.pair}


@dataclass(frozen=True, eq=False)
class ChargeRadius(Shifts):
    """A charge radius squared of neutrinos of one flavour, in 1e-32 cm^2.

        eps^fV = -Q_f 4 pi alpha <r^2> / (6 sqrt2 G_F),   Q_f the electric charge of f

    It is added to any charge radius that the Standard Model's couplings contain.  Antineutrinos of the flavour have the
    same shift of their couplings.

    References
    ----------
    C. Giunti and A. Studenikin, Rev. Mod. Phys. 87 (2015) 531, arXiv:1403.6344.
    """

    flavour: Flavour = "e"
    family: ClassVar[str] = ELECTROMAGNETIC_PROPERTIES
    strength: ClassVar[Strength] = Strength.direct(RADIUS, "two-sided")

    @property
    def direction(self) -> Direction:
        """
        >>> (-2 * matrix(ChargeRadius("radius-mu", "", (), "mu").direction, "cevns")[1, 1, 0]).round(10)
        np.float64(0.0475911743)
        """
        unit = 1e-32 / CM2_PER_INVERSE_MEV2  # MeV^-2
        per_charge = -4 * math.pi * ALPHA * unit / (6 * math.sqrt(2) * G_FERMI)
        return {2 * self.flavour: _by_charge(per_charge, per_charge)}

    def identity(self) -> dict[str, Any]:
        return {"kind": "radius", "flavour": self.flavour}


@dataclass(frozen=True, eq=False)
class WeakAngle(Shifts):
    """A shift of sin^2 theta_W at low energies, the same for every flavour.

    In CEvNS it shifts g_p alone, off electrons g_L and g_R equally, each with its own radiative corrections.

    References
    ----------
    Eqs. 3 and 7 of arXiv:2002.01482.
    """

    family: ClassVar[str] = "The weak mixing angle"
    strength: ClassVar[Strength] = Strength.direct(SHIFT, "two-sided")

    @property
    def direction(self) -> Direction:
        """
        >>> matrix(WeakAngle("s2w", "", ()).direction, "cevns")[0, 0].round(6)
        array([-2.010754,  0.      ])
        """
        epsilons = _by_charge(-2 * RHO_QUARK * KAPPA_QUARK, -2 * RHO_ELECTRON * KAPPA_ELECTRON)
        return {2 * flavour: epsilons for flavour in FLAVOURS}

    def identity(self) -> dict[str, Any]:
        return {"kind": "weak-angle"}


def _by_charge(quark: float, electron: float) -> dict[str, float]:
    """Epsilons proportional to the electric charge: vector ones of quarks, both chiral ones of an electron."""
    chiral = electron * ELECTRIC_CHARGE["e"] / 2
    return {"u": quark * ELECTRIC_CHARGE["u"], "d": quark * ELECTRIC_CHARGE["d"], "eL": chiral, "eR": chiral}
