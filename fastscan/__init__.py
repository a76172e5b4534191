"""Limits on heavy Z' bosons from low-energy neutrino experiments, over dense four-dimensional grids.

    events, chi2           expected counts and chi-square at any points
    limit, intervals       lower limits on M_Z', and every allowed interval
    delta_chi2             chi2 above its infimum over all M_Z'
    scan, open             fill a store over a grid file, and read it as xarray

beta is in radians and m_zprime in GeV.  The physics follows arXiv:2002.01482.  Names load what they need at first
use, so that importing fastscan costs nothing.

Each module is a room of its own.  From top to bottom, data flow so:

    config  units  arguments  bounds    what people write, checked and converted
       |
    experiment_files  experiments       what is measured
       |
    constants  tables  nuclei           physics, a function for each quantity
    kinematics  cross_sections
    sources  detectors  quadrature
       |
    rates                               energy integrals, once for each experiment
       |
    likelihood  <--  models             counts become chi2; a model is beta -> kappa, the shift of the couplings
       |
    kernels  crossings                  chi2 compiled, in blocks and in columns; where columns pass a threshold
       |
       |   grid  layout  plan  cube     a grid file, how its arrays are cut, what is to be computed
       |     |
       |   costs  scanner  cluster      whether it fits; tasks run by dask, in threads or on workers
       |     |
       |   blocks  chunks               a task: values computed, written, recorded as done
       |     |
       |   location  remote  files      where a store lies, a path or a URL; manners with files
       |   store  verify                its life; whether it is what it says it is
       |     |
    query  planes  confidence           limits, intervals and contours, of a likelihood alone or of a store
       |
    answers  records                    the same as rows, for tables, JSON and CSV
       |
    figures  plots                      drawing, and pictures of a user's own store
    table3  paper_figures  paper        the paper's table and figures
    report                              all of them on one page
       |
    cli  options  terminal  citations   the commands: what they are asked with, what they show

    errors  typing                      for all: the one exception, and types of arrays
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastscan.errors import FastscanError

if TYPE_CHECKING:
    from fastscan.likelihood import chi2, events
    from fastscan.query import delta_chi2, intervals, limit
    from fastscan.scanner import scan
    from fastscan.store import open

__all__ = ["FastscanError", "chi2", "delta_chi2", "events", "intervals", "limit", "open", "scan"]

_HOMES = {
    "events": "likelihood",
    "chi2": "likelihood",
    "delta_chi2": "query",
    "limit": "query",
    "intervals": "query",
    "scan": "scanner",
    "open": "store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
