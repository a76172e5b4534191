"""Arrays of numbers in files of NumPy (.npz), for tables of more than two dimensions.

A text under the name ``header`` describes the arrays and their source, as the first lines of other data files do.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastscan.errors import InputError, shown_path, unknown
from fastscan.inputs import bounds
from fastscan.inputs.files import read_described
from fastscan.typing import Array

HEADER = "header"
DAMAGED = (ValueError, OSError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, MemoryError)


@dataclass(frozen=True, eq=False)
class Arrays:
    """The arrays of a file.

    Attributes
    ----------
    where : str
        The file, for error messages.
    arrays : mapping of str to array
        The arrays by name.
    digest : str
        SHA-256 of the file.
    """

    where: str
    arrays: Mapping[str, Array]
    digest: str

    def array(self, name: str, *shape: int) -> Array:
        """The array of a name, which must have this shape; -1 stands for any length.

        Raises
        ------
        InputError
            Where there is no such array, or it has another shape.
        """
        if name not in self.arrays:
            raise InputError(f"{self.where}: {unknown('array', name, self.arrays)}")
        found = self.arrays[name]
        if len(found.shape) != len(shape) or any(of not in (-1, n) for of, n in zip(shape, found.shape, strict=True)):
            wanted = " x ".join("any" if of == -1 else str(of) for of in shape)
            there = " x ".join(map(str, found.shape)) or "a single one"
            raise InputError(f"{self.where}: {name} must be {wanted} numbers, not {there}")
        return found


def read(path: Path, sha256: str | None = None) -> Arrays:
    """The arrays of a file.

    Parameters
    ----------
    path : Path
    sha256 : str, optional
        SHA-256 that the file must have, in hexadecimal digits; None allows any file.

    Raises
    ------
    InputError
        Where the file can't be read, has another SHA-256, or contains anything but finite numbers.
    """
    where, (content, digest) = shown_path(path), read_described(path, sha256)
    try:
        found = _loaded(content)
    except DAMAGED:
        raise InputError(f"{where}: no file of NumPy arrays (.npz), or a damaged one") from None
    for name, values in found.items():
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise InputError(f"{where}: {name} has something else than finite numbers in it")
    return Arrays(where, {name: values.astype(float) for name, values in found.items()}, digest)


def _loaded(content: bytes) -> dict[str, Array]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(each.file_size for each in archive.infolist()) > bounds.LARGEST_ARRAYS:
            raise ValueError("too large")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files if name != HEADER}
