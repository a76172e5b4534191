"""Limits on heavy Z' bosons from low-energy neutrino experiments, over dense four-dimensional grids.

    events, chi2           expected counts and chi-square at any points
    limit, intervals       lower limits on M_Z', and every allowed interval
    delta_chi2             chi2 above its infimum over all M_Z'
    scan, open             fill a store over a grid file, and read it as xarray

beta is in radians and m_zprime in GeV.  The physics follows arXiv:2002.01482.  Names load what they need at first
use, so that importing fastscan costs nothing.

Each folder is a wing, each module a room in it.  Data flow from top to bottom, and a room imports only from what
stands above it:

    errors  typing
    kernels       kernels
    inputs        bounds  units  files  toml  data_files  arguments
    physics       constants  nuclei  kinematics  cross_sections  quadrature  spectra
    interactions  catalogue
    experiments   geometry  sources  detectors  observations  targets  experiment  reading  catalogue
    likelihoods   rates  response  likelihood
    limits        confidence  crossings  limits
    stores        layout  location  remote  cube  chunks  store
    scans         grid  costs  plan  blocks  scanner  cluster  verify
    answers       planes  records  answers
    outputs       figures  plots  terminal  citations
    paper         table3  paper_figures  report  paper
    commands      options  cli
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastscan.errors import FastscanError

if TYPE_CHECKING:
    from fastscan.likelihoods.likelihood import chi2, events
    from fastscan.limits.limits import delta_chi2, intervals, limit
    from fastscan.scans.scanner import scan
    from fastscan.stores.store import open

__all__ = ["FastscanError", "chi2", "delta_chi2", "events", "intervals", "limit", "open", "scan"]

_HOMES = {
    "events": "likelihoods.likelihood",
    "chi2": "likelihoods.likelihood",
    "delta_chi2": "limits.limits",
    "limit": "limits.limits",
    "intervals": "limits.limits",
    "scan": "scans.scanner",
    "open": "stores.store",
}
_ROOMS = {"grid": "scans.grid", "models": "interactions.catalogue"}  # rooms that have names of their own for users


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        value = import_module(f"{__name__}.{_ROOMS[name]}")
    elif name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
