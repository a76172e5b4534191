"""A source whose fluxes at the detector are given: as columns of a file, as lines, or both."""

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self, get_args

import numpy as np

from fastscan.errors import unknown
from fastscan.experiments.source import Source
from fastscan.inputs import bounds, points
from fastscan.inputs.columns import Columns
from fastscan.inputs.toml import Table
from fastscan.inputs.units import UNITS
from fastscan.physics.quadrature import area_of_linear
from fastscan.physics.spectra import Continuum, Line, Neutrino, Spectrum
from fastscan.typing import Array

NEUTRINOS: tuple[Neutrino, ...] = get_args(Neutrino)
ENERGY_UNITS = UNITS["energy"]
Densities = tuple[tuple[Neutrino, tuple[float, ...]], ...]


@dataclass(frozen=True)
class GivenFlux(Source):
    """Fluxes at the detector.

    Attributes
    ----------
    energies : tuple of float
        Neutrino energies in MeV; empty where there are only lines.
    densities : tuple of (Neutrino, tuple of float)
        Flux of each kind of neutrino at these energies in cm^-2 s^-1 MeV^-1, linear in between and 0 outside.
    lines : tuple of Line
        Lines with their fluences in one second, in cm^-2.
    known_from_mev : float
        Energy in MeV below which the flux is unknown; 0 where there are no neutrinos of lower energy.
    """

    energies: tuple[float, ...]
    densities: Densities
    lines: tuple[Line, ...]
    known_from_mev: float = 0.0
    group: ClassVar[str] = "other"
    at_detector: ClassVar[bool] = True

    @classmethod
    def read(cls, table: Table) -> Self:
        """The fluxes that a ``[source]`` table describes: a ``file``, ``lines``, or both.

        Where the table has a total ``flux``, lines are fractions of it, and the file is scaled to the rest.
        """
        total = table.quantity("flux", "flux") if "flux" in table else None
        if "file" not in table and "lines" not in table:
            raise table.error("file", "missing; give a file of spectra, or lines, or both")
        lines = _read_lines(table, total) if "lines" in table else ()
        rest = None if total is None else total - math.fsum(line.fluence for line in lines)
        if "file" not in table:
            if total and rest and abs(rest) > bounds.SHARE_ROUNDING * total:
                raise table.error("lines", f"fractions must add up to 1, not {1 - rest / total:g}")
            return cls((), (), lines)
        energies, densities = _read_file(table)
        known_from = _read_end(table, energies, densities)
        if rest is not None:
            if rest <= 0:
                raise table.error("lines", "leave nothing of the flux for the file")
            densities = _scaled(densities, rest / sum(area_of_linear(energies, values) for _, values in densities))
        return cls(energies, densities, lines, known_from)

    def told(self) -> str:
        """See `Source.told`."""
        total = {neutrino: float(area_of_linear(self.energies, values)) for neutrino, values in self.densities}
        continua = [f"{neutrino} {flux:.6g} /cm2/s" for neutrino, flux in total.items()]
        lines = [f"{line.neutrino} {line.fluence:.6g} /cm2/s at {line.energy:.6g} MeV" for line in self.lines]
        return f"by flux, {', '.join(continua + lines)}"

    @property
    def endpoint_mev(self) -> float:
        """Largest energy of the neutrinos in MeV."""
        return max(*self.energies[-1:], *(line.energy for line in self.lines), 0.0)

    def spectra(self, exposure_s: float, dilution: float) -> list[Spectrum]:
        """The neutrinos of the file and the lines, see `Source.spectra`.

        Examples
        --------
        >>> given = GivenFlux((1.0, 3.0), (("nubar_e", (2.0, 0.0)),), (Line("nu_e", 0.8613, 5e9),))
        >>> continuum, line = given.spectra(exposure_s=10.0, dilution=1.0)
        >>> assert isinstance(continuum, Continuum) and isinstance(line, Line)
        >>> float(continuum.density(np.array(2.0))), line.fluence
        (10.0, 50000000000.0)
        """
        found: list[Spectrum] = [
            Continuum(neutrino, self.energies, partial(self._fluence, exposure_s, values))
            for neutrino, values in self.densities
        ]
        return found + [replace(line, fluence=exposure_s * line.fluence) for line in self.lines]

    def _fluence(self, exposure_s: float, values: tuple[float, ...], energy: Array) -> Array:
        return exposure_s * np.interp(energy, self.energies, values)


def _scaled(densities: Densities, factor: float) -> Densities:
    return tuple((neutrino, tuple(factor * value for value in values)) for neutrino, values in densities)


def _read_lines(table: Table, total: float | None) -> tuple[Line, ...]:
    """Lines, each with a ``flux`` or, where the total flux is given, with its ``fraction``."""
    found = []
    for line in table.tables("lines"):
        if total is None:
            line.refuse("fraction", "the source has no flux of which it is one; give the flux of the line")
            flux = line.quantity("flux", "flux")
        else:
            line.refuse("flux", "that of the source is given; give the line's fraction of it")
            flux = line.number("fraction", *bounds.SHARE) * total
        found.append(Line(line.choice("neutrino", NEUTRINOS), line.quantity("energy", "energy"), flux))
        line.done()
    return tuple(found)


def _read_file(table: Table) -> tuple[tuple[float, ...], Densities]:
    """Energies in MeV and the flux of each neutrino in cm^-2 s^-1 MeV^-1, from columns of a file."""
    unit = ENERGY_UNITS[table.choice("unit", ENERGY_UNITS)]
    data = points.data_of(table)
    columns = _read_columns(table, data)
    energies = table.checked("file", partial(points.increasing, data, columns["energy"], bounds.NEUTRINO_ENERGY))
    names = [neutrino for neutrino in NEUTRINOS if neutrino in columns]
    found = [table.checked("file", partial(data.column, columns[name], *bounds.FLUX)) for name in names]
    if not any(map(any, found)):
        raise table.error("file", f"{data.where}: there is no flux in it")
    return tuple(energy * unit for energy in energies), _scaled(tuple(zip(names, found, strict=True)), 1 / unit)


def _read_columns(table: Table, data: Columns) -> dict[str, str | int]:
    """The columns of the energy and of each neutrino, by these names or as the key ``columns`` names them."""
    if "columns" in table:
        inner = table.table("columns")
        found = {key: inner.take(key, (str, int), "a column's name, or its number from 1 on") for key in inner.names()}
    else:
        found = {name: name for name in data.names}
        if len(found) < len(data.names):
            raise table.error("file", f"{data.where}: two columns have the same name")
    for key in found:
        if key != "energy" and key not in NEUTRINOS:
            raise table.error("columns", unknown("neutrino", key, NEUTRINOS))
    if "energy" not in found or len(found) == 1:
        raise table.error("columns", "must name the columns of the energy and of one neutrino or more, such as nubar_e")
    return found


def _read_end(table: Table, energies: tuple[float, ...], densities: Densities) -> float:
    """Energy in MeV below which the flux is unknown: the first energy, where a table doesn't begin with a flux of 0.

    With ``outside = 0`` the flux is known to be 0 outside; a table that doesn't end with 0 needs this key.
    """
    if "outside" in table:
        if table.number("outside") != 0:
            raise table.error("outside", "must be 0; let the file go on to other energies instead")
        return 0.0
    if any(values[-1] > 0 for _, values in densities):
        ends = f"ends at {energies[-1]:g} MeV with a flux that isn't 0"
        raise table.error("file", f"{ends}: let it go on, or give outside = 0")
    return energies[0] if any(values[0] > 0 for _, values in densities) else 0.0
