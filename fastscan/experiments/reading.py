"""Experiment files: from TOML to an `Experiment`.

The module that uses a key reads, converts and checks it.  Checks that need the whole file are here.  grids/README.md
lists the keys for users.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from fastscan.errors import quoted
from fastscan.experiments import energies, reconstruction, timing
from fastscan.experiments import geometry as geometries
from fastscan.experiments.bins import ENERGY, TIME, Bins
from fastscan.experiments.detectors import Detector
from fastscan.experiments.experiment import AnyDetector, Electrons, Experiment
from fastscan.experiments.factors import Factor
from fastscan.experiments.measured import Measured
from fastscan.experiments.modelled import Modelled
from fastscan.experiments.observations import Observation
from fastscan.experiments.poisson import SIGNAL, Poisson
from fastscan.experiments.projections import Projection
from fastscan.experiments.reconstruction import Reconstruction
from fastscan.experiments.sources import SOURCES
from fastscan.experiments.targets import Target
from fastscan.experiments.templates import Templates
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table, check_name
from fastscan.inputs.units import UNITS, quantity
from fastscan.typing import Channel

EXPOSURE = "a time such as '1 yr', or a mass times a time such as '331 kg d'"
AGREEMENT = 0.01  # largest relative difference of live time and exposure, because papers round them
BINDINGS: tuple[Electrons, ...] = ("bound", "free")
CHANNELS: tuple[Channel, ...] = ("cevns", "nu-e")
OBSERVATIONS: dict[str, type[Observation]] = {
    "measured": Measured,
    "projection": Projection,
    "poisson": Poisson,
    "modelled": Modelled,
}


def parse(name: str, table: Table) -> Experiment:
    """The experiment that a file describes, under a name.

    Raises
    ------
    ExperimentError
        For the first key that is missing, unknown or wrong, or can't stand beside the others.
    """
    source = table.table("source").of_kind("kind", SOURCES)
    geometry = geometries.read(table, source.at_detector)
    channel = table.choice("channel", CHANNELS)
    targets = tuple(Target.read(target, geometry) for target in table.tables("target"))
    detector = _read_detector(table.table("detector"), channel, targets)
    if not source.delays:
        table.refuse("time", "the source has no pulse, after which its neutrinos arrive")
    time = timing.read(table.table("time"), source.delays) if "time" in table else None
    in_energy = _energy_bins(table.table("detector"), detector)
    factor = Factor.read(table.table("factor"), in_energy) if "factor" in table else None
    bins = _all_bins(table, in_energy, factor)
    statistics = table.table("statistics")
    shared = _read_shared(statistics)
    experiment = Experiment(
        name=name,
        title=table.text("title"),
        label=_read_label(table, name),
        channel=channel,
        references=table.texts("references"),
        exposure_s=_read_exposure(table, sum(target.mass_kg for target in targets)),
        geometry=geometry,
        targets=targets,
        source=source,
        detector=detector,
        time=time,
        factor=factor,
        statistics=statistics.of_kind("kind", OBSERVATIONS, bins),
        digest=table.digest,
        data_set=_read_data_set(table),
        shared=shared,
        electrons=_read_electrons(table, channel),
        assumed=table.texts("assumed") if "assumed" in table else (),
    )
    table.done()
    _refuse(table, experiment.statistics.refuses)
    if len(experiment.channels) > 1:
        _check_electrons(table, experiment.detector)
    _check_reach(table, experiment)
    _check_spectrum(table, experiment)
    exposed = experiment.exposed
    if exposed.bins > bounds.MOST_BINS:
        raise table.error(
            "detector", f"bins: must be at most {bounds.MOST_BINS} with those of time, not {exposed.bins}"
        )
    table.checked("statistics", lambda: experiment.statistics.check(exposed))
    _check_nuisances(table, experiment)
    return experiment


def _refuse(table: Table, keys: Mapping[str, str]) -> None:
    """Refuse keys of a file with the reason for each; ``time.shapes`` is the key ``shapes`` of the table ``time``."""
    for name, why in keys.items():
        outer, _, key = name.rpartition(".")
        if not outer:
            table.refuse(key, why)
        elif outer in table:
            table.table(outer).refuse(key, why)


def _energy_bins(detector: Table, found: AnyDetector) -> Bins:
    """The bins of energy, in the unit of the file; the bins of templates have numbers."""
    if isinstance(found, Templates):
        return Bins(((ENERGY, found.bins),))
    return Bins(((ENERGY, energies.written_edges(detector.table("bins"))),) if "bins" in detector else ())


def _all_bins(table: Table, in_energy: Bins, factor: Factor | None) -> Bins:
    """The bins of the experiment, in the units of the file."""
    in_factor = () if factor is None else ((factor.name, factor.edges),)
    in_time = ((TIME, table.table("time").numbers("edges")),) if "time" in table else ()
    return Bins((*in_energy.edges, *in_factor, *in_time))


def _check_nuisances(table: Table, experiment: Experiment) -> None:
    """Refuse unknown parameters of templates, too many nuisances, and two nuisances with the same name."""
    detector, statistics = experiment.detector, experiment.statistics
    responses = [detector.response] if isinstance(detector, Templates) else []
    table.checked("statistics", partial(statistics.check_templates, responses))
    names = [SIGNAL, *(name for name, _ in experiment.shared), *experiment.signal_shapes, *statistics.names]
    if len(names) > bounds.MOST_NUISANCES:
        raise table.error("statistics", f"must be at most {bounds.MOST_NUISANCES} nuisances in all, not {len(names)}")
    for name in names:
        if names.count(name) > 1:
            whose = " is that of the signal itself, and" if name == SIGNAL else ""
            raise table.error("statistics", f"nuisance {quoted(name)}{whose} is there twice")


def _read_shared(statistics: Table) -> tuple[tuple[str, float], ...]:
    """Names and relative errors of the parts of sigma_sys that other experiments share."""
    table = statistics.table("shared", {})
    for name in table.names():
        table.checked(name, partial(check_name, name))
    return tuple((name, table.relative(name, *bounds.SHARED_ERROR)) for name in table.names())


def _read_data_set(table: Table) -> str:
    """The name of the data set; empty where no other experiment counts the same events."""
    return table.checked("data_set", partial(check_name, table.text("data_set"))) if "data_set" in table else ""


def _check_reach(table: Table, experiment: Experiment) -> None:
    """Refuse a detector that counts none of the source's recoils, or can't count them."""
    if isinstance(experiment.detector, Reconstruction | Templates):
        table.checked("detector", partial(experiment.detector.check, experiment.largest_recoils))
        return
    largest, threshold = experiment.largest_recoil_mev, experiment.detector.threshold_mev
    if threshold >= largest:
        told = f"threshold {1e3 * threshold:.3g} keV is above any recoil, {1e3 * largest:.3g} keV"
        raise table.error("detector", told)
    bins = experiment.detector.bins
    if bins and bins[0] >= largest:
        raise table.error("detector", f"bins begin above any recoil, {1e3 * largest:.3g} keV")


def _read_electrons(table: Table, channel: Channel) -> Electrons | None:
    """Whether recoiling electrons are free or bound; None where only nuclei recoil, or the file doesn't say."""
    if "electrons" not in table:
        return None
    if channel == "cevns" and not table.is_text("electrons"):
        return "bound" if table.flag("electrons") else None
    return table.choice("electrons", BINDINGS)


def _check_electrons(table: Table, detector: AnyDetector) -> None:
    """Refuse electrons beside nuclei where the detector's response to electrons isn't known."""
    if "factor" in table:
        raise table.error(
            "electrons", f"how {quoted(table.table('factor').text('name'))} of electrons is distributed isn't known"
        )
    if not isinstance(detector, Reconstruction) or "visible" not in dict(detector.sizes):
        raise table.error("electrons", "need a detector that sees energy: give the quenching of the nuclear recoils")
    if detector.of == "recoil":
        raise table.error("electrons", "the efficiency is one of nuclear recoils: give it in energy that is visible")


def _check_spectrum(table: Table, experiment: Experiment) -> None:
    """Refuse a spectrum that begins above the lowest energy of neutrinos that could be counted."""
    first, lowest = experiment.source.known_from_mev, experiment.lowest_neutrino_mev
    if lowest < first:
        raise table.error(
            "source",
            f"the file begins at {first:g} MeV with a flux that isn't 0, and the detector counts recoils of neutrinos "
            f"from {lowest:.3g} MeV on: let it begin at lower energies, or give outside = 0",
        )


def _read_label(table: Table, name: str) -> str:
    """The label of the experiment in figures and tables: its name, unless the file has a label."""
    label = table.text("label", default=name)
    if "label" in table and not 0 < len(label.strip()) <= bounds.LONGEST_LABEL:
        raise table.error("label", f"must be 1 to {bounds.LONGEST_LABEL} characters, not {len(label.strip())}")
    return label.strip()


def _read_exposure(table: Table, mass_kg: float) -> float:
    """Duration of the measurement in s, from a time, or from a mass times a time such as "331 kg d"."""
    text = table.take("exposure", str, EXPOSURE)
    units = text.split()[1:]
    if len(units) != 2:
        table.refuse("live_time", "the exposure is a time")
        return table.quantity("exposure", "time")
    mass, time = units
    if mass not in UNITS["mass"] or time not in UNITS["time"]:
        raise table.error("exposure", f"must be {EXPOSURE}, not {quoted(text)}")
    number, _, _ = text.strip().partition(" ")
    per_kg = table.checked("exposure", lambda: quantity(f"{number} {time}", "time")) * UNITS["mass"][mass]
    exposure = per_kg / mass_kg
    low, high = bounds.QUANTITY["time"]
    if not low <= exposure <= high:
        raise table.error("exposure", f"must be positive, and within reason, not {quoted(text)}")
    if "live_time" in table and abs(table.quantity("live_time", "time") / exposure - 1) > AGREEMENT:
        days = exposure / UNITS["time"]["d"]
        raise table.error("live_time", f"the exposure says {days:.4g} d with the mass of the targets: they must agree")
    return exposure


def _read_detector(table: Table, channel: Channel, targets: Sequence[Target]) -> AnyDetector:
    """The detector that a file describes, with the isotopes of its targets."""
    if "templates" in table:
        return Templates.read(table)
    if reconstruction.is_described(table):
        return Reconstruction.read(table, channel, [isotope for each in targets for isotope, _ in each.isotopes()])
    return Detector.read(table)
