"""Types that modules share: arrays, channels of scattering, flavours, and records of answers."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

Channel = Literal["cevns", "nu-e"]  # coherent off nuclei, or off electrons
Flavour = Literal["e", "mu", "tau"]  # of a neutrino and of its antineutrino
FLAVOURS: tuple[Flavour, ...] = ("e", "mu", "tau")  # in the order of every array over flavours
Record: TypeAlias = dict[str, Any]  # one answer by key, see fastscan.answers.records

if TYPE_CHECKING:  # a command's help doesn't need numpy
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    IntArray: TypeAlias = NDArray[np.intp]
    BoolArray: TypeAlias = NDArray[np.bool]
else:
    Array = IntArray = BoolArray = object
