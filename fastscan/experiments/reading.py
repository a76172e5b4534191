"""Experiment files: from TOML to an `Experiment`.

A key is read, converted and checked in the module of what it describes.  Checks that need the whole file are here.
grids/README.md lists the keys for users.
"""

from fastscan.experiments import geometry as geometries
from fastscan.experiments.detectors import Detector
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.observations import OBSERVATIONS, Measured
from fastscan.experiments.sources import SOURCES, ElectronCapture
from fastscan.experiments.targets import Target
from fastscan.inputs.bounds import LONGEST_LABEL
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
    experiment = Experiment(
        name=name,
        title=table.text("title"),
        label=_read_label(table, name),
        channel=table.choice("channel", CHANNELS),
        references=table.texts("references"),
        exposure_s=table.quantity("exposure", "time"),
        geometry=geometry,
        targets=tuple(Target.read(target, geometry) for target in table.tables("target")),
        source=table.table("source").of_kind("kind", SOURCES),
        detector=Detector.read(table.table("detector")),
        statistics=table.table("statistics").of_kind("kind", OBSERVATIONS),
        digest=table.digest,
    )
    table.done()
    if isinstance(experiment.statistics, Measured) and experiment.detector.bins:
        raise table.error("detector", "bins: a measured count is one number; leave the bins out")
    if experiment.channel == "nu-e" and not isinstance(experiment.source, ElectronCapture):
        raise table.error("channel", "'nu-e' is only known for the nu_e of an electron-capture source")
    largest, threshold = experiment.largest_recoil_mev, experiment.detector.threshold_mev
    if threshold >= largest:
        told = f"threshold {1e3 * threshold:.3g} keV is above any recoil, {1e3 * largest:.3g} keV"
        raise table.error("detector", told)
    return experiment


def _read_label(table: Table, name: str) -> str:
    """What figures and tables call the experiment: its name, unless the file has a label."""
    label = table.text("label", default=name)
    if "label" in table and not 0 < len(label.strip()) <= LONGEST_LABEL:
        raise table.error("label", f"must be 1 to {LONGEST_LABEL} characters, not {len(label.strip())}")
    return label.strip()
