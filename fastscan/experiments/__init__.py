"""What is measured, with what, for how long: sources, detectors and observations, read from TOML files."""

from fastscan.experiments.catalogue import load, load_all, names

__all__ = ["load", "load_all", "names"]
