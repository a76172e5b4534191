"""Neutrinos from the sun before oscillation: the flux, the lines and the spectrum of each component.

Energies are in MeV, fluxes at the earth in neutrinos per cm^2 and s.
"""

import functools

import numpy as np

from fastscan.inputs import data_files
from fastscan.physics.quadrature import area_of_linear
from fastscan.typing import Array


@functools.cache
def fluxes() -> dict[str, float]:
    """Flux of each component at the earth, in cm^-2 s^-1.

    References
    ----------
    B16-GS98 of Vinyoles et al., Astrophys. J. 835 (2017) 202.

    Examples
    --------
    >>> fluxes()["8B"]
    5460000.0
    """
    return {row["component"]: float(row["flux"]) for row in data_files.rows("solar_fluxes.csv")}


def lines(component: str) -> list[tuple[float, float]]:
    """Energies in MeV of a component's lines and their shares of its flux; empty for a component with a spectrum.

    References
    ----------
    Bahcall, Neutrino Astrophysics (1989).

    Examples
    --------
    >>> lines("7Be")
    [(0.8613, 0.897), (0.3843, 0.103)]
    """
    of_component = (row for row in data_files.rows("solar_lines.csv") if row["component"] == component)
    return [(float(row["energy_mev"]), float(row["fraction"])) for row in of_component]


@functools.cache
def spectrum(component: str) -> tuple[Array, Array]:
    """Energies in MeV, and a component's spectrum at these energies in 1/MeV; it has area 1 and is linear in between.

    References
    ----------
    Bahcall et al., Phys. Rev. C 54 (1996) 411 (8B), C 56 (1997) 3391 (pp, hep); Bahcall and Ulrich, Rev. Mod. Phys. 60
    (1988) 297 (13N, 15O, 17F).

    Examples
    --------
    >>> energies, density = spectrum("8B")
    >>> float(energies[density.argmax()])
    6.44
    """
    rows = [row for row in data_files.rows("solar_spectra.csv") if row["component"] == component]
    energies = np.array([float(row["energy_mev"]) for row in rows])
    density = np.array([float(row["per_mev"]) for row in rows])
    return energies, density / area_of_linear(energies, density)
