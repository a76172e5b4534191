"""Magnetic moments and electric charges of neutrinos, which exchange massless photons.

For both, the rate grows without bound towards small recoils, so that a detector needs a threshold.  The charge radius,
in which a factor q^2 cancels the photon's propagator, is in `fastscan.interactions.nsi`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastscan.interactions.interaction import Interaction, Strength, Term
from fastscan.interactions.light import ELECTROMAGNETIC, couplings, expanded
from fastscan.interactions.parameters import ELECTROMAGNETIC_PROPERTIES, MU, Q
from fastscan.physics.constants import ALPHA
from fastscan.physics.cross_sections import MAGNETIC
from fastscan.typing import FLAVOURS, Array, Channel, Flavour

MAGNETON = 1e-11  # unit of the axis mu in mu_B
CHARGE = 1e-12  # unit of the axis q in e


@dataclass(frozen=True, eq=False)
class MagneticMoment(Interaction):
    """A magnetic moment of neutrinos of one flavour in 1e-11 mu_B.

    It flips the neutrino's chirality, and so doesn't interfere with the Standard Model.
    """

    name: str
    description: str
    references: tuple[str, ...]
    flavour: Flavour = "e"
    family: ClassVar[str] = ELECTROMAGNETIC_PROPERTIES
    strength: ClassVar[Strength] = Strength.direct(MU, "upper")

    def terms(self, channel: Channel, rows: Mapping[str, Array]) -> tuple[Term, ...]:
        """The square of the moment in units of mu_B, in either channel."""
        weight = np.zeros((1, len(FLAVOURS), 1, 3))
        weight[0, FLAVOURS.index(self.flavour), 0, 2] = MAGNETON**2
        return (Term(weight, MAGNETIC, massless=True),)

    def identity(self) -> dict[str, Any]:
        return {"kind": "magnetic", "flavour": self.flavour}


@dataclass(frozen=True, eq=False)
class Millicharge(Interaction):
    """An electric charge of neutrinos of one flavour in 1e-12 e: the photon is a vector without mass, x = q e^2."""

    name: str
    description: str
    references: tuple[str, ...]
    flavour: Flavour = "e"
    family: ClassVar[str] = ELECTROMAGNETIC_PROPERTIES
    strength: ClassVar[Strength] = Strength.direct(Q, "two-sided")

    def terms(self, channel: Channel, rows: Mapping[str, Array]) -> tuple[Term, ...]:
        """An exchange that interferes with the Standard Model.

        Examples
        --------
        >>> constant = Millicharge("", "", ()).terms("cevns", {})[0].weight[0, 0, 0, 1]  # per q^2 of a proton
        >>> float((constant / (2 * 0.030623)).round(5))
        0.00556
        """
        nu = [4 * math.pi * ALPHA * CHARGE * (each == self.flavour) for each in FLAVOURS]
        kappa = couplings(channel, nu, ELECTROMAGNETIC)
        return expanded(channel, [(kappa, lambda q2: 1 / q2[None])], massless=True)

    def identity(self) -> dict[str, Any]:
        return {"kind": "millicharge", "flavour": self.flavour}
