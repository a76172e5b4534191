"""The base class of interactions, which make expected counts polynomials in one strength x.

At fixed row parameters every count is N(x) = A + B x + C x^2.  Their values make a row, and x runs along a column.  An
interaction defines its row parameters and its strength, and the three coefficients of every energy integral that it
adds to the Standard Model's counts.  It doesn't depend on an experiment.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from fastscan.axes import Axis
from fastscan.errors import LONGEST_QUOTE, ModelError, quoted
from fastscan.physics.cross_sections import WEAK, Process
from fastscan.typing import Array, Channel


@dataclass(frozen=True)
class Strength:
    """The description of the strength x of an interaction.

    Attributes
    ----------
    axis : Axis
        The axis on which people give x: for a heavy Z', its mass; for a light mediator, its coupling.
    to_x, from_x : callable
        Functions from values on the axis to x and back, for arrays of any shape.
    largest_x : float
        The largest |x| at which the interaction has its assumed form; there are no limits beyond it.
    bound : {"lower", "upper", "two-sided"}
        The bound that is quoted on the axis: a lower bound, where x falls as the axis rises; an upper bound, where both
        begin at 0; a bound on either side, where x has either sign.
    lowest : callable, optional
        Function from the largest momentum transfer in MeV to the value on the axis below which the assumed form is not
        valid; None where it is always valid.
    form_ends : str
        The form that is not valid below this value, in words.
    unit, power : float and int
        x is (value on the axis / unit)^power, as `to_x` computes it for arrays.
    perturbative : float
        The largest perturbative coupling on the axis; beyond it data limit only the ratio of the row's mass to it.
    """

    axis: Axis
    to_x: Callable[[Array], Array]
    from_x: Callable[[Array], Array]
    largest_x: float
    bound: Literal["lower", "upper", "two-sided"]
    lowest: Callable[[float], float] | None = None
    form_ends: str = ""
    unit: float = 1.0
    power: int = 1
    perturbative: float = math.inf

    @classmethod
    def direct(cls, axis: Axis, bound: Literal["upper", "two-sided"]) -> Self:
        """A strength x that equals the value on its axis."""
        return cls(axis, to_x=_unchanged, from_x=_unchanged, largest_x=axis.high, bound=bound)

    @property
    def signed(self) -> bool:
        """Whether x can be negative."""
        return self.bound == "two-sided"

    @property
    def ends(self) -> tuple[float, float]:
        """The values on the axis at the smallest x and at the largest x; infinite where x has no bound."""
        if self.bound == "lower":
            end, largest = self.from_x(np.array([0.0, self.largest_x])).tolist()
            return end, largest
        return (-math.inf if self.signed else 0.0), math.inf


def _unchanged(values: Array) -> Array:
    return np.asarray(values, float)


@dataclass(frozen=True, eq=False)
class Term:
    """Energy integrals that an interaction adds to the Standard Model's counts, and their weights.

    Attributes
    ----------
    weight : array, shape (rows, flavours, features, 3)
        Coefficients of 1, x and x^2 that multiply the energy integral of each feature of the process for neutrinos of
        each flavour, see `fastscan.physics.cross_sections`.  All rows of a term with a factor share one weight, which
        has one power of x.
    process : Process
        The process by which a neutrino scatters.
    factor : callable, optional
        Function from q^2 = 2 M T in MeV^2, shape (nodes,), to the factor of the integrand in each row, shape (rows,
        nodes) or (1, nodes); None for a factor of 1.
    massless : bool
        Whether the mediator has no mass, or hardly any, so that the rate grows without bound towards small recoils.
    """

    weight: Array
    process: Process = WEAK
    factor: Callable[[Array], Array] | None = None
    massless: bool = False

    @property
    def power(self) -> int:
        """The power of x of a term with a factor."""
        return int(self.weight.any(axis=(0, 1, 2)).argmax())

    def at(self, transfer2: Array) -> Array:
        """The factor in each row, (rows, nodes), or in all rows, (1, nodes), at q^2 in MeV^2 of shape (nodes,)."""
        return np.ones((1, transfer2.size)) if self.factor is None else self.factor(transfer2)


@dataclass(frozen=True, eq=False)
class RowShifts:
    """Shifts of a channel's weak couplings by a row parameter r: sum_j f_j(r) (start_j + x growth_j).

    Attributes
    ----------
    functions, derivatives : callable
        Functions from r to the values of all f_j, and to their derivatives, each of shape (functions,); numba must be
        able to compile them.
    start, growth : array, shape (functions, final flavours, incoming flavours, 2)
        Shifts of the channel's pair of couplings.
    """

    functions: Callable[[float], Array]
    derivatives: Callable[[float], Array]
    start: Array
    growth: Array


class Interaction(ABC):
    """The base class of interactions in addition to the Standard Model.

    Attributes
    ----------
    name, description : str
        The name that users give, and one line about the interaction.
    references : tuple of str
        References to cite for the interaction.
    family : str
        The heading under which lists have interactions of this kind.
    family_rows : tuple of Axis
        Row parameters of the family: records have a column for each, whether or not this interaction has the axis.
    strength : Strength
        The description of x.
    g_prime : float or None
        The coupling g' at which a limit on the mass holds, where data limit only M_Z' / g'; else None.
    """

    name: str
    description: str
    references: tuple[str, ...]
    family: ClassVar[str]
    family_rows: ClassVar[tuple[Axis, ...]] = ()
    strength: ClassVar[Strength]
    g_prime: float | None = None

    @property
    def rows(self) -> tuple[Axis, ...]:
        """The row parameters, which are fixed along a column; an interaction without any has one row."""
        return ()

    @property
    def changes_flavour(self) -> bool:
        """Whether neutrinos can change their flavour in the interaction."""
        return False

    @property
    def mediator(self) -> Axis | None:
        """The row parameter that is the mediator's mass M in GeV, if only propagators depend on it; else None.

        A term in x^n then has the factor 1 / (q^2 + M^2)^n.
        """
        return None

    def row_shifts(self, channel: Channel) -> RowShifts | None:
        """The shifts of the couplings by the row parameter, if nothing else depends on it; else None."""
        return None

    @abstractmethod
    def terms(self, channel: Channel, rows: Mapping[str, Array]) -> tuple[Term, ...]:
        """The terms that the interaction adds to the Standard Model's counts in a channel.

        Parameters
        ----------
        channel : {"cevns", "nu-e"}
            Scattering off nuclei or off electrons.
        rows : mapping of str to array, shape (rows,)
            The value of each row parameter in each row, by name and in the unit of its axis.
        """

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """The inputs of the model, for a store's identity; `fastscan.interactions.catalogue` reads them back."""

    @property
    def parameters(self) -> tuple[Axis, ...]:
        """All axes of the model: its row parameters and the axis of its strength."""
        return (*self.rows, self.strength.axis)

    def require_parameters(
        self, given: Collection[str], needed: Sequence[Axis], known: Iterable["Interaction"] = ()
    ) -> None:
        """Refuse parameters that are given but not needed, and parameters that are needed but not given.

        An error about a parameter that this interaction doesn't have names the interaction that has it, if there is
        only one among the `known` interactions, or else the parameters that this interaction has.
        """
        names = [axis.name for axis in needed]
        for name in given:
            if name == self.strength.axis.name and name not in names:
                raise ModelError(f"the limits of model {quoted(self.name)} are limits on {name}: leave {name} out")
            if name not in names:
                owners = [each.name for each in known if name in [axis.name for axis in each.rows]]
                others = f"; it has {', '.join(names)}" if names else ""
                hint = f"; only {owners[0]!r} has" if len(owners) == 1 else others
                raise ModelError(f"model {quoted(self.name)} has no {name[:LONGEST_QUOTE]}{hint}")
        for axis in needed:
            if axis.name not in given:
                raise ModelError(f"model {quoted(self.name)} needs {axis.name}, the {axis.long_name}")
