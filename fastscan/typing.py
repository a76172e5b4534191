"""Types that modules share: of arrays, of the channel of a scattering, and of what is answered."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

Channel = Literal["cevns", "nu-e"]  # coherent off nuclei, or off electrons
Record: TypeAlias = dict[str, Any]  # one answer by key, see fastscan.answers.records

if TYPE_CHECKING:  # the modules that only describe experiments do without numpy
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    IntArray: TypeAlias = NDArray[np.intp]
else:
    Array = IntArray = object
