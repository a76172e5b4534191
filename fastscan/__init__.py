"""Limits on new interactions of neutrinos from low-energy experiments, over dense grids.

    events, chi2           expected counts and chi-square at any points
    show                   an experiment, with the Standard Model's prediction, backgrounds and data in each bin
    fit                    the best nuisances at a point of a model, and the prediction beside the data
    limit, intervals       limits on the strength of a model, and every allowed interval
    expected               the expected limit, with bands of 1 and 2 standard deviations
    delta_chi2             chi2 minus its infimum over all strengths
    coverage               how often intervals contain the true value
    likelihood             chi2 prepared for samplers and minimisers
    scan, open             compute a grid file into a store, and open it with xarray
    experiments, models    the package's experiments and models, and the classes for your own
    grid                   grid files

beta is in radians, m_zprime and m_phi are in GeV, mu in 1e-11 mu_B, q in 1e-12 e and r2 in 1e-32 cm2; g, epsilons and
the shift of sin^2 theta_W are numbers.  The physics of heavy Z' bosons follows arXiv:2002.01482.  Each name imports its
code at first use, so that importing fastscan takes no time.  Errors are `FastscanError`, whose kinds in
`fastscan.errors` can be caught separately.  The logger ``fastscan`` is silent unless it has a handler.

Each folder is a wing, and each module is a room in it.  Data flow from top to bottom, and a room imports only from what
stands above it:

    errors
    typing
    kernels       squares  jit  arithmetic  lanes  cholesky  polynomials  gaussian  counted  members
                  newton  poisson  components  cells  modelled  blocks  ladders  roots  crossings
    inputs        bounds  units  spacing  files  columns  arrays  toml  points  data_files  arguments
    axes
    physics       constants  nuclei  form_factors  kinematics  cross_sections  quadrature  spectra
                  reactors  solar  quenching  resolution  arrival  shells
    interactions  parameters  interaction  standard_model  contact  light  nsi  moments  catalogue
    experiments   geometry  source  fluxes  sun  sources  energies  efficiencies  detectors  quenching  resolutions
                  reconstruction  morphing  templates  bins  shapes  timing  factors  backgrounds
                  observations  measured  projections  poisson  modelled  form_factors  targets  experiment
                  data_sets  reading  catalogue
    likelihoods   settings  columns  counted  gaussian  poisson  modelled  rates  response  predictions  exchanges
                  merging  member  likelihood  building  signals  profiles  fixed_row  free_row  pointwise
    limits        confidence  doubts  points  brackets  search  crossings  drawn  feldman_cousins  limits
                  strengths  compared  toys  expected  coverage  sampling
    stores        layout  local  remote  location  arrays  cube  carried  chunks  store  combining
    scans         grid  plan  costs  threads  toy_runs  blocks  progress  scanner  cluster  verify
    answers       question  records  point  covered  from_cube  planes  contours  answers  shown  fits
    outputs       page  sliders  hepdata  csv_files  formats  figures  guides  overlays  plots  spectrum  fitted
                  wording  terminal  printed  citations
    paper         table3  figure_parts  profile_figures  setting_figures  plane_figure  combined_figure  paper_figures
                  report  paper
    survey        recipe  limits  published  tables  looks  bars  survey_figures  report  survey
    commands      signals  completion  options  asking  scanning  answering  publishing  cli
    __main__
"""

from importlib import import_module

TYPE_CHECKING = False  # typing's own would be an import; a command is to answer signals from its first moment
if TYPE_CHECKING:
    from typing import Any

    from fastscan import experiments
    from fastscan.answers.fits import fit
    from fastscan.answers.shown import show
    from fastscan.errors import FastscanError, FastscanWarning
    from fastscan.interactions import catalogue as models
    from fastscan.limits.coverage import coverage
    from fastscan.limits.expected import expected
    from fastscan.limits.points import chi2, events
    from fastscan.limits.sampling import likelihood
    from fastscan.limits.strengths import delta_chi2, intervals, limit
    from fastscan.scans import grid
    from fastscan.scans.scanner import scan
    from fastscan.stores.store import open

__all__ = [
    "FastscanError",
    "FastscanWarning",
    "chi2",
    "coverage",
    "delta_chi2",
    "events",
    "expected",
    "experiments",
    "fit",
    "grid",
    "intervals",
    "likelihood",
    "limit",
    "models",
    "open",
    "scan",
    "show",
]

_HOMES = {
    "FastscanError": "errors",
    "FastscanWarning": "errors",
    "events": "limits.points",
    "chi2": "limits.points",
    "delta_chi2": "limits.strengths",
    "limit": "limits.strengths",
    "intervals": "limits.strengths",
    "expected": "limits.expected",
    "coverage": "limits.coverage",
    "likelihood": "limits.sampling",
    "scan": "scans.scanner",
    "open": "stores.store",
    "show": "answers.shown",
    "fit": "answers.fits",
}
_ROOMS = {"experiments": "experiments", "grid": "scans.grid", "models": "interactions.catalogue"}  # as users know them


def __getattr__(name: str) -> "Any":
    if name in _ROOMS:
        value: Any = import_module(f"{__name__}.{_ROOMS[name]}")
    elif name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
