"""Evaluations of a reactor's antineutrinos, by name: their spectra per fission.

A new evaluation is a new line in `EVALUATIONS`.  Energies are in MeV.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from fastscan.inputs import data_files
from fastscan.physics.quadrature import gauss_legendre
from fastscan.physics.spectra import FISSION_ENDPOINT_MEV, fission_knots, fission_spectrum
from fastscan.typing import Array

Shares = Mapping[str, float]  # fractions of fissions, by isotope of the fuel


@dataclass(frozen=True)
class Evaluation:
    """The antineutrinos of the fissions of each isotope.

    Attributes
    ----------
    spectrum : callable
        Function from an isotope and an array of energies in MeV to antineutrinos per MeV and fission, in the array's
        shape.
    knots : callable
        Function that returns the energies in MeV between which the spectrum is smooth, ascending, from its first energy
        to its last.
    of_any_fuel : bool
        Whether the spectra per fission are valid for every fuel, so that a flux follows from a power.
    mixes_unit_areas : bool
        Whether each isotope's spectrum is normalised to the area 1 before the isotopes' fractions weight it.
    """

    spectrum: Callable[[str, Array], Array]
    knots: Callable[[], tuple[float, ...]]
    of_any_fuel: bool = True
    mixes_unit_areas: bool = False

    def area(self, isotope: str) -> float:
        """Antineutrinos per fission of an isotope, from the first energy of the spectrum to the last.

        Examples
        --------
        >>> round(EVALUATIONS["bestiole"].area("U235"), 2)
        6.07
        """
        knots = np.array(self.knots())
        energies, widths = gauss_legendre(knots[:-1], knots[1:])
        return float(np.sum(widths * self.spectrum(isotope, energies)))

    def unit_weights(self, shares: Shares) -> Shares:
        """The weights of the isotopes' spectra that give their sum the area 1.

        Examples
        --------
        A fission emits 6.68 antineutrinos in the evaluation that CONUS+ uses:

        >>> fuel = {"U235": 0.58, "U238": 0.07, "Pu239": 0.30, "Pu241": 0.05}
        >>> round(0.58 / EVALUATIONS["kopeikin-mueller"].unit_weights(fuel)["U235"], 2)
        6.68
        """
        areas = {isotope: self.area(isotope) for isotope in shares}
        if self.mixes_unit_areas:
            total = math.fsum(shares.values())
            return {isotope: share / total / areas[isotope] for isotope, share in shares.items()}
        total = math.fsum(share * areas[isotope] for isotope, share in shares.items())
        return {isotope: share / total for isotope, share in shares.items()}


def _linear(table: str, isotope: str, energy: Array) -> Array:
    """The spectrum in an isotope's column of a table, linear between the table's energies."""
    columns = data_files.columns(table)
    return np.interp(energy, columns["energy_mev"], columns[isotope], left=0.0, right=0.0)


def _energies(table: str) -> tuple[float, ...]:
    return tuple(map(float, data_files.columns(table)["energy_mev"]))


KOPEIKIN_ENDS_MEV = 2.0  # above this energy the spectra of Mueller et al. replace Kopeikin's


def _kopeikin_mueller(isotope: str, energy: Array) -> Array:
    """The spectrum of an isotope by Mueller et al.; below 2 MeV the spectrum of the whole fuel by Kopeikin."""
    below = _linear("reactor_kopeikin.csv", "all", energy)
    return np.where(energy < KOPEIKIN_ENDS_MEV, below, fission_spectrum(isotope, energy))


def _kopeikin_mueller_knots() -> tuple[float, ...]:
    below = (energy for energy in _energies("reactor_kopeikin.csv") if energy < KOPEIKIN_ENDS_MEV)
    return (*below, KOPEIKIN_ENDS_MEV, FISSION_ENDPOINT_MEV)


EVALUATIONS = {
    # of arXiv:2002.01482
    "mueller-vogel-engel": Evaluation(fission_spectrum, fission_knots),
    # as in the analyses of Dresden-II, arXiv:2202.10829
    "vogel-engel": Evaluation(
        partial(_linear, "reactor_vogel_engel.csv"),
        partial(_energies, "reactor_vogel_engel.csv"),
        mixes_unit_areas=True,
    ),
    # as in the analyses of CONUS+
    "kopeikin-mueller": Evaluation(_kopeikin_mueller, _kopeikin_mueller_knots, of_any_fuel=False),
    # arXiv:2304.14992, without the captures of neutrons
    "bestiole": Evaluation(partial(_linear, "reactor_bestiole.csv"), partial(_energies, "reactor_bestiole.csv")),
}
