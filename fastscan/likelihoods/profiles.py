"""chi2 of members that are fitted together, at single points: most arguments of the kernel are prepared once."""

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastscan.errors import ModelError, warn
from fastscan.kernels.squares import SQUARES
from fastscan.likelihoods.counted import Counted
from fastscan.likelihoods.poisson import NEGATIVE, Block
from fastscan.likelihoods.signals import Compiled, compiled
from fastscan.typing import Array, IntArray


@functools.cache
def _kernel() -> Any:
    """The compiled kernel of counted events, on one thread; numba is imported when this is first called."""
    from fastscan.kernels.poisson import profiles

    return profiles.compiled


def kernel_arguments(
    constants: tuple[Array, ...], sizes: IntArray, rates: Array, change: Array, sums: Array, x: float, out: Array
) -> tuple[Any, ...]:
    """The arguments of `fastscan.kernels.poisson.profiles` at one point of one row, from the constants."""
    arriving, bin_of, effects, products, background, norm, noise, variance, common, data, centres, origin = constants
    counted, row = (sizes, rates, arriving, bin_of, effects, products, background), np.zeros(1, np.intp)
    settings = noise, variance, common
    return counted, change, (sums, norm), row, np.array([x]), settings, data, centres, row, origin, out, 0, 1


@dataclass(frozen=True, eq=False)
class Profile:
    """The arguments of the kernel of counted events that don't depend on the signal, for a block at one setting.

    Attributes
    ----------
    sizes : array of int, shape (members, 8)
        See `fastscan.kernels.poisson.profiles`.
    constants : tuple of array
        Arriving, bin_of, effects, products and background of the members with counted events; norms of the Gaussian
        members; noise, variance and common; data, centres and origin.
    lost : float
        See `Block.lost`.
    """

    sizes: IntArray
    constants: tuple[Any, ...]
    lost: float

    @classmethod
    def of(cls, block: Block) -> "Profile | OtherProfile":
        """The profile of a block of one column and one row."""
        if type(block) is not Block:  # a subclass finds its nuisances in its own way
            return OtherProfile(block)
        sizes, _, *counted = block.counted
        settings, centres = (block.noise, block.variance, block.common), np.zeros((1, block.nuisances))
        constants = (*counted, block.norm, *settings, block.data[None], centres, block.origin)
        return cls(sizes, constants, block.lost.item())

    def of_terms(self, terms: int) -> "Profile":
        """The same profile for signals with so many terms."""
        sizes = self.sizes.copy()
        sizes[:, :2] = 1, terms
        return replace(self, sizes=sizes)

    def filled(self, rates: Array, change: Array, sums: Array, x: float, width: int) -> Array:
        """The first `width` numbers that the kernel computes at a point, shape (width,).

        Warns
        -----
        FastscanWarning
            Where a negative number of events is expected in a bin without events.
        """
        out = np.empty((1, width))
        if _kernel()(*kernel_arguments(self.constants, self.sizes, rates, change, sums, x, out)):
            warn(NEGATIVE)
        out[0, 0] += self.lost
        found: Array = out[0]
        return found

    def compiled(self) -> Compiled:
        """The first number of `filled` as a function of rates, change, sums and x for compiled code."""
        every, constants, sizes, lost = compiled(kernel_arguments), self.constants, self.sizes, self.lost
        numbers = np.empty(1), np.empty((1, 1, 1, 3)), np.empty((1, 1, 3, SQUARES))
        run = _by_address(_kernel(), kernel_arguments(constants, sizes, *numbers, 0.0, np.empty((1, 1))))

        def chi2(rates: Array, change: Array, sums: Array, x: float) -> float:
            # Compiled code treats arrays of the enclosing function as constants, which the kernel doesn't accept.
            a, b, c, d, e, f, g, h, i, j, k, m = constants
            first = a.copy(), b.copy(), c.copy(), d.copy(), e.copy(), f.copy()
            own = (*first, g.copy(), h.copy(), i.copy(), j.copy(), k.copy(), m.copy())
            out = np.empty((1, 1))
            run(*every(own, sizes.copy(), rates, change, sums, x, out))
            found: float = out[0, 0] + lost
            return found

        return compiled(chi2)


@dataclass(frozen=True, eq=False)
class OtherProfile:
    """As `Profile`, for a block that needs more than the kernel of counted events, such as a block with models."""

    block: Block

    def of_terms(self, terms: int) -> "OtherProfile":
        """See `Profile.of_terms`; `filled` finds the number of terms from the signal itself."""
        return self

    def filled(self, rates: Array, change: Array, sums: Array, x: float, width: int) -> Array:
        """See `Profile.filled`."""
        counts: list[Counted] = []
        first = 0
        for each in self.block.counts:
            neutrinos, energies = each.rates.shape[2:]
            terms = 1 + change.shape[2]
            own = rates[first : first + terms * neutrinos * energies]
            counts.append(each.with_rates(own.reshape(1, terms, neutrinos, energies)))
            first += own.size
        block = replace(self.block, counts=tuple(counts), change=change, sums=sums)
        nothing = np.zeros(1, np.intp)
        found: Array = block.filled(nothing, np.full(1, x), nothing, width)[0][0]
        return found

    def compiled(self) -> Compiled:
        """Refuse compiled code with a `ModelError`."""
        raise ModelError("a fitted model of backgrounds has no compiled code to call: call the likelihood itself")


def _by_address(function: Any, arguments: tuple[Any, ...]) -> Any:
    """A compiled function that compiled code calls by its address, for arguments of the same types as these.

    Otherwise numba would optimise the function again with each of its callers, which takes ten seconds for the kernel.
    """
    from numba import typeof
    from numba.core.types import WrapperAddressProtocol

    types = tuple(map(typeof, arguments))
    function.compile(types)
    found = function.overloads[types]

    class Address(WrapperAddressProtocol):
        def __wrapper_address__(self) -> int:
            address: int = found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name)
            return address

        def signature(self) -> Any:
            return found.signature

    return Address()
