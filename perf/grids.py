"""The grid files of the scans that are measured: E6 at COHERENT's CsI, of any size."""


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
