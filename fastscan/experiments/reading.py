"""Experiment files: from TOML to an `Experiment`.

A key is read, converted and checked in the module of what it describes.  Checks that need the whole file are here.
grids/README.md lists the keys for users.
"""

from collections.abc import Sequence

from fastscan.experiments import geometry as geometries
from fastscan.experiments import reconstruction, timing
from fastscan.experiments.detectors import Detector
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.observations import OBSERVATIONS, Measured
from fastscan.experiments.reconstruction import Reconstruction
from fastscan.experiments.sources import SOURCES, ElectronCapture, PionDecayAtRest
from fastscan.experiments.targets import Target
from fastscan.inputs.toml import Table
from fastscan.typing import Channel

CHANNELS: tuple[Channel, ...] = ("cevns", "nu-e")


def parse(name: str, table: Table) -> Experiment:
    """The experiment that a file describes, under a name.

    Raises
    ------
    ExperimentError
        For the first key that is missing, unknown or wrong, or can't stand beside the others.
    """
    geometry = geometries.read(table)
    channel = table.choice("channel", CHANNELS)
    targets = tuple(Target.read(target, geometry) for target in table.tables("target"))
    experiment = Experiment(
        name=name,
        title=table.text("title"),
        channel=channel,
        references=table.texts("references"),
        exposure_s=table.quantity("exposure", "time"),
        geometry=geometry,
        targets=targets,
        source=table.table("source").of_kind("kind", SOURCES),
        detector=_read_detector(table.table("detector"), channel, targets),
        statistics=table.table("statistics").of_kind("kind", OBSERVATIONS),
        time=timing.read(table.table("time")) if "time" in table else None,
        digest=table.digest,
    )
    table.done()
    if isinstance(experiment.statistics, Measured) and experiment.detector.bins:
        raise table.error("detector", "bins: a measured count is one number; leave the bins out")
    if experiment.channel == "nu-e" and not isinstance(experiment.source, ElectronCapture):
        raise table.error("channel", "'nu-e' is only known for the nu_e of an electron-capture source")
    if experiment.time is not None and not isinstance(experiment.source, PionDecayAtRest):
        raise table.error("time", "can't stand here: only a source of decaying pions has a pulse")
    if isinstance(experiment.detector, Detector):
        largest, threshold = experiment.largest_recoil_mev, experiment.detector.threshold_mev
        if threshold >= largest:
            told = f"threshold {1e3 * threshold:.3g} keV is above any recoil, {1e3 * largest:.3g} keV"
            raise table.error("detector", told)
    return experiment


def _read_detector(table: Table, channel: Channel, targets: Sequence[Target]) -> Detector | Reconstruction:
    """The detector that a file describes, with the isotopes of its targets."""
    if reconstruction.is_described(table):
        return Reconstruction.read(table, channel, [isotope for each in targets for isotope, _ in each.isotopes()])
    return Detector.read(table)
