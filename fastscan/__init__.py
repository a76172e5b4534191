"""Limits on heavy Z' bosons from low-energy neutrino experiments, over dense four-dimensional grids.

    events, chi2           expected counts and chi-square at any points
    limit, intervals       lower limits on M_Z', and every allowed interval
    delta_chi2             chi2 above its infimum over all M_Z'
    scan, open             fill a store over a grid file, and read it as xarray

beta is in radians and m_zprime in GeV.  The physics follows arXiv:2002.01482.  Names load what they need at first
use, so that importing fastscan costs nothing.
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
