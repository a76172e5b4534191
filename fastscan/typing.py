"""Types that the numerical modules share: arrays, and the channel of a scattering."""

from typing import TYPE_CHECKING, Literal, TypeAlias

Channel = Literal["cevns", "nu-e"]  # coherent off nuclei, or off electrons

if TYPE_CHECKING:  # the modules that only describe experiments do without numpy
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    IntArray: TypeAlias = NDArray[np.intp]
else:
    Array = IntArray = object
