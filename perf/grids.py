"""The grid files of the scans that are measured: E6, or a light mediator, at COHERENT's CsI, of any size."""


def grid(betas: int, masses: int, sigmas: int, luminosities: int) -> str:
    """A grid file with so many points on each axis."""
    return f"""
experiments = ["coherent-csi"]
models = ["e6"]
[axes]
beta = {{ start = 0, stop = 180, num = {betas}, unit = "deg" }}
m_zprime = {{ start = 10, stop = 5000, num = {masses}, spacing = "log", unit = "GeV" }}
sigma_sys = {{ start = 0.0, stop = 0.3, num = {sigmas} }}
luminosity = {{ start = 1, stop = 1000, num = {luminosities}, spacing = "log" }}
"""


def light_grid(masses: int, couplings: int, sigmas: int) -> str:
    """A grid file of a light mediator at the same experiment."""
    return f"""
experiments = ["coherent-csi"]
models = ["universal"]
[axes]
m_zprime = {{ start = 1e-2, stop = 1e5, num = {masses}, spacing = "log", unit = "MeV" }}
g = {{ start = 1e-7, stop = 1, num = {couplings}, spacing = "log" }}
sigma_sys = {{ start = 0.0, stop = 0.3, num = {sigmas} }}
"""
