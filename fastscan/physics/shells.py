"""The electrons of atoms: the number of electrons that a recoil can free.

A bound electron counts as free for energies above its binding energy, and not at all below.  `data/shells.csv` has the
energies of these step functions.
"""

import functools
from dataclasses import dataclass

import numpy as np

from fastscan.inputs import data_files
from fastscan.physics.nuclei import Isotope
from fastscan.typing import Array


@dataclass(frozen=True)
class Shells:
    """Binding energies in MeV, and the number of an atom's electrons with each of them."""

    binding_mev: tuple[float, ...]
    electrons: tuple[int, ...]

    def freed(self, energy: Array) -> Array:
        """Number of an atom's electrons that an energy in MeV frees, in the shape of the energy.

        Examples
        --------
        Germanium at 0.2, 1.3 and 12 keV:

        >>> bound("Ge").freed(np.array([2e-4, 1.3e-3, 1.2e-2]))
        array([22., 28., 32.])
        """
        found = np.zeros_like(energy)
        for binding, electrons in zip(self.binding_mev, self.electrons, strict=True):
            found += electrons * (energy > binding)
        return found


@functools.cache
def free(isotope: Isotope) -> Shells:
    """All electrons of an atom, as if none were bound."""
    return Shells((0.0,), (isotope.Z,))


@functools.cache
def bound(symbol: str) -> Shells:
    """The electrons of an element in their shells.

    References
    ----------
    W. T. Elam, B. D. Ravel and J. R. Sieber, Radiat. Phys. Chem. 63 (2002) 121, as in XrayDB.
    """
    rows = [row for row in data_files.rows("shells.csv") if row["element"] == symbol]
    return Shells(tuple(float(row["binding_ev"]) * 1e-6 for row in rows), tuple(int(row["electrons"]) for row in rows))
