"""Experiment files: from TOML to the words of `fastscan.experiments.catalogue`, one function for each section.

A key is read, converted and checked where it is used, so what it may be stands in one place; grids/README.md tells
users.  A kind of source, efficiency or statistics is one function and its line in a table of kinds.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from fastscan.experiments.catalogue import (
    Constant,
    Cylinder,
    Detector,
    Efficiency,
    ElectronCapture,
    Experiment,
    Geometry,
    Logistic,
    Measured,
    PionDecayAtRest,
    Point,
    Projection,
    Reactor,
    Source,
    Statistics,
    Tabulated,
    Target,
)
from fastscan.inputs.bounds import LARGEST_SIGMA_SYS
from fastscan.inputs.toml import Table
from fastscan.inputs.units import UNITS
from fastscan.physics import nuclei
from fastscan.physics.kinematics import largest_recoil
from fastscan.typing import Channel

T = TypeVar("T")
CHANNELS: tuple[Channel, ...] = ("cevns", "nu-e")
FUELS = ("U235", "U238", "Pu239", "Pu241")
RECOIL_UNITS = {name: UNITS["energy"][name] for name in ("eV", "keV", "MeV")}
ROUNDING = 1e-6  # of shares that people write


def parse(name: str, table: Table) -> Experiment:
    """The experiment that a file describes, under a name.

    Raises
    ------
    FastscanError
        For the first key that is missing, unknown or wrong, or can't stand beside the others.
    """
    geometry = _geometry(table)
    experiment = Experiment(
        name=name,
        title=table.text("title"),
        channel=table.choice("channel", CHANNELS),
        references=table.texts("references"),
        exposure_s=table.quantity("exposure", "time"),
        geometry=geometry,
        targets=tuple(_target(target, geometry) for target in table.tables("target")),
        source=_of_kind(table.table("source"), "kind", SOURCES),
        detector=_detector(table.table("detector")),
        statistics=_of_kind(table.table("statistics"), "kind", STATISTICS),
        digest=table.digest,
    )
    table.done()
    if isinstance(experiment.statistics, Measured) and experiment.detector.bins:
        raise table.error("detector", "bins: a measured count is one number; leave the bins out")
    if experiment.channel == "nu-e" and not isinstance(experiment.source, ElectronCapture):
        raise table.error("channel", "'nu-e' is only known for the nu_e of an electron-capture source")
    largest, threshold = largest_recoil(experiment), experiment.detector.edges[0]
    if threshold >= largest:
        told = f"threshold {1e3 * threshold:.3g} keV is above any recoil, {1e3 * largest:.3g} keV"
        raise table.error("detector", told)
    return experiment


def _geometry(table: Table) -> Geometry:
    if "cylinder" not in table:
        return Point(table.quantity("baseline", "length"))
    table.refuse("baseline", "the cylinder has its distance from the source")
    cylinder = table.table("cylinder")
    parsed = Cylinder(*(cylinder.quantity(key, "length") for key in ("height", "diameter", "distance")))
    cylinder.done()
    return parsed


def _target(table: Table, geometry: Geometry) -> Target:
    compound = table.text("compound")
    table.checked("compound", partial(nuclei.parse_formula, compound))
    if isinstance(geometry, Cylinder) and "density" in table:
        table.refuse("mass", "it follows from the density and the cylinder's volume")
        mass = table.quantity("density", "density") * geometry.volume_m3
    else:
        table.refuse("density", "it needs a cylinder to fill; without one, give the mass")
        mass = table.quantity("mass", "mass")
    molar_mass = table.quantity("molar_mass", "molar mass") if "molar_mass" in table else None
    table.done()
    return Target(compound, mass, molar_mass)


def _of_kind(table: Table, key: str, kinds: Mapping[str, Callable[..., T]], *context: object) -> T:
    """What a table is of the kind that it names, with the keys of that kind and no others."""
    kind = table.choice(key, kinds)
    parsed = kinds[kind](table, *context)
    table.done(of=kind)
    return parsed


def _pion_decay_at_rest(table: Table) -> PionDecayAtRest:
    return PionDecayAtRest(
        neutrinos_per_proton=table.positive("neutrinos_per_proton"),
        protons=table.positive("protons"),
        protons_in_s=table.quantity("protons_in", "time"),
    )


def _reactor(table: Table) -> Reactor:
    fractions = table.table("fission_fractions")
    shares = tuple((fuel, fractions.number(fuel, 0, 1)) for fuel in FUELS if fuel in fractions)
    fractions.done()
    total = math.fsum(share for _, share in shares)
    if abs(total - 1) > ROUNDING:
        raise table.error("fission_fractions", f"must add up to 1, not {total:g}")
    return Reactor(table.quantity("power", "power"), shares)


def _electron_capture(table: Table) -> ElectronCapture:
    lines = []
    for line in table.tables("lines"):
        lines.append((line.quantity("energy", "energy"), line.number("fraction", 0, 1)))
        line.done()
    total = math.fsum(fraction for _, fraction in lines)
    if total > 1 + ROUNDING:
        raise table.error("lines", f"fractions of all decays must not add up to more than 1, but to {total:g}")
    return ElectronCapture(table.quantity("activity", "activity"), table.quantity("half_life", "time"), tuple(lines))


SOURCES: dict[str, Callable[[Table], Source]] = {
    "pion-decay-at-rest": _pion_decay_at_rest,
    "reactor": _reactor,
    "electron-capture": _electron_capture,
}


def _detector(table: Table) -> Detector:
    per_mev = table.positive("photoelectrons_per_kev") * 1e3 if "photoelectrons_per_kev" in table else None
    edges, acceptance = _steps(table, per_mev)
    detector = Detector(edges, acceptance, _efficiency(table, per_mev), _bins(table))
    table.done()
    return detector


def _steps(table: Table, per_mev: float | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Edges (MeV) and values of what is accepted, zero outside: a threshold, or steps in photoelectrons."""
    if per_mev is None:
        table.refuse("acceptance", "its edges are in photoelectrons: give photoelectrons_per_kev")
        return (table.quantity("threshold", "energy") if "threshold" in table else 0.0, math.inf), (1.0,)
    table.refuse("threshold", "with photoelectrons_per_kev, the acceptance's first edge is the threshold")
    steps = table.table("acceptance")
    edges = tuple(edge / per_mev for edge in steps.increasing("edges", minimum=0))
    values = steps.numbers("values", minimum=0, maximum=1)
    if len(edges) != len(values) + 1:
        raise steps.error("edges", f"must be one more than the {len(values)} values, not {len(edges)}")
    steps.done()
    return edges, values


def _bins(table: Table) -> tuple[float, ...]:
    """Edges of the bins in MeV; empty where there are none."""
    if "bins" not in table:
        return ()
    bins = table.table("bins")
    start, stop = bins.number("start", minimum=0), bins.number("stop", minimum=0)
    num, unit = bins.whole("num", 1, 1000), RECOIL_UNITS[bins.choice("unit", RECOIL_UNITS)]
    if stop <= start:
        raise bins.error("stop", "must be above start")
    bins.done()
    return tuple((start + (stop - start) * i / num) * unit for i in range(num + 1))


def _efficiency(table: Table, per_mev: float | None) -> Efficiency:
    """A number, or a table of a shape; left out, 1."""
    if "efficiency" not in table:
        return Constant(1.0)
    if table.is_number("efficiency"):
        return Constant(table.number("efficiency", 0, 1))
    return _of_kind(table.table("efficiency"), "shape", SHAPES, per_mev)


def _logistic(table: Table, per_mev: float | None) -> Logistic:
    if per_mev is None:
        raise table.error("shape", "'logistic' is in photoelectrons: give photoelectrons_per_kev")
    return Logistic(table.number("plateau", 0, 1), table.positive("slope"), table.number("midpoint"), per_mev)


def _tabulated(table: Table, per_mev: float | None) -> Tabulated:
    unit = RECOIL_UNITS[table.choice("unit", RECOIL_UNITS)]
    energies = table.increasing("energy", minimum=0)
    values = table.numbers("values", 0, 1)
    if len(energies) != len(values):
        raise table.error("values", f"must be as many as the {len(energies)} energies, not {len(values)}")
    return Tabulated(tuple(energy * unit for energy in energies), values)


SHAPES: dict[str, Callable[[Table, float | None], Efficiency]] = {"logistic": _logistic, "table": _tabulated}


def _measured(table: Table) -> Measured:
    measured = Measured(
        observed=table.number("observed", minimum=0),
        steady_state=table.number("steady_state", minimum=0),
        background=table.number("background", minimum=0),
        background_error=table.number("background_error", minimum=0),
        sigma_sys=table.number("sigma_sys", 0, LARGEST_SIGMA_SYS),
    )
    if measured.observed == measured.steady_state == measured.background == 0:
        raise table.error("observed", "without any event, steady state or background there is no variance")
    return measured


def _projection(table: Table) -> Projection:
    has_background = "background" in table
    if not has_background:
        table.refuse("background_scales", "there is no background")
    return Projection(
        background=table.number("background", minimum=0) if has_background else 0.0,
        background_scales=table.flag("background_scales") if has_background else False,
        sigma_sys=table.number("sigma_sys", 0, LARGEST_SIGMA_SYS),
    )


STATISTICS: dict[str, Callable[[Table], Statistics]] = {"measured": _measured, "projection": _projection}
