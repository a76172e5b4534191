"""Types of arrays, shared by the numerical modules."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # the modules that only describe experiments do without numpy
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    IntArray: TypeAlias = NDArray[np.intp]
else:
    Array = IntArray = object
