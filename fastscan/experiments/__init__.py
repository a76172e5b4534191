"""Experiments: sources, targets, detectors and observations, read from TOML files.

`load` reads an experiment.  Its parts are the classes below, from which `dataclasses.replace` makes other experiments.
"""

from fastscan.experiments.backgrounds import Background
from fastscan.experiments.catalogue import load, load_all, names
from fastscan.experiments.detectors import Detector
from fastscan.experiments.efficiencies import Constant, Logistic, Tabulated
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.factors import Factor
from fastscan.experiments.fluxes import GivenFlux
from fastscan.experiments.form_factors import Fermi, Helm, KleinNystrand
from fastscan.experiments.geometry import Cylinder, Point
from fastscan.experiments.measured import Measured, MeasuredBins, MeasuredRate, MeasuredSignal
from fastscan.experiments.poisson import Poisson
from fastscan.experiments.projections import Projection, ProjectionOver
from fastscan.experiments.reconstruction import Reconstruction
from fastscan.experiments.sources import Core, ElectronCapture, PionDecayAtRest, Reactor
from fastscan.experiments.sun import Component, Sun, Survival
from fastscan.experiments.targets import Target

__all__ = [
    "Background",
    "Component",
    "Constant",
    "Core",
    "Cylinder",
    "Detector",
    "ElectronCapture",
    "Experiment",
    "Factor",
    "Fermi",
    "GivenFlux",
    "Helm",
    "KleinNystrand",
    "Logistic",
    "Measured",
    "MeasuredBins",
    "MeasuredRate",
    "MeasuredSignal",
    "PionDecayAtRest",
    "Point",
    "Poisson",
    "Projection",
    "ProjectionOver",
    "Reactor",
    "Reconstruction",
    "Sun",
    "Survival",
    "Tabulated",
    "Target",
    "load",
    "load_all",
    "names",
]
