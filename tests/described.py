"""Experiments of a few lines, as files describe them."""

from conftest import Write

from fastscan import experiments

TARGETS = {"Ge": "1 kg", "CsI": "14.6 kg", "Ar": "24.4 kg", "NaI": "10 kg", "Si": "1 kg"}
SOURCES = {
    "reactor": 'kind = "reactor"\npower = "3 GW"\nfission_fractions = { U235 = 1.0 }',
    "pions": 'kind = "pion-decay-at-rest"\nneutrinos_per_proton = 0.0848\nprotons = 3.198e23\nprotons_in = "1 yr"',
}
BASELINES = {"Ar": "27.5 m"}


def described(detector: str, compound: str = "Ge", source: str = "reactor", more: str = "") -> str:
    """An experiment's file with such a detector."""
    return f"""
title = "a test"
channel = "cevns"
references = ["none"]
exposure = "1 yr"
baseline = "{BASELINES.get(compound, "19.3 m")}"
[[target]]
compound = "{compound}"
mass = "{TARGETS[compound]}"
[source]
{SOURCES[source]}
[detector]
{detector}
[statistics]
kind = "projection"
sigma_sys = 0.1
{more}"""


ARGON = """
quenching = 0.25
bins = { start = 5, stop = 25, num = 2, unit = "keVee" }
"""
TIME = """
[time]
unit = "ns"
edges = [0, 1000, 6000]
pulse = { shape = "gaussian", mean = 440, sigma = 150 }
"""
FACTOR = """
[factor]
name = "F90"
edges = [0.5, 0.7, 0.9]
file = "f90.csv"
column = "probability"
"""
SHARES = (
    "kevee,f90,probability,up,down\n10,0.6,0.5,0.6,0.3\n10,0.8,0.5,0.5,0.5\n20,0.6,0.25,0.2,0.2\n20,0.8,0.75,0.8,0.6\n"
)
COUNTED = """
file = "counts.csv"
observed = "events"
[[statistics.background]]
name = "steady"
column = "steady"
error = "10 %"
[[statistics.background]]
name = "neutrons"
column = "neutrons"
total = 12
shapes = [{ name = "late", up = "up", down = "down" }, { name = "wide", up = "up" }]
"""
# energies of 5 to 15 and 15 to 25 keVee, times of 0 to 1 and 1 to 6 us
COUNTS = """# counted by me
kevee,ns,events,steady,neutrons,up,down,zero
5,500,3,1,0,1,2,0
5,1000,0,2,1,1,2,0
15,500,7,3,2,2,1,0
24.9,5999,2,4,3,0,3,0
"""


def counting(words: str = COUNTED, time: str = TIME, factor: str = "", detector: str = ARGON) -> str:
    """The file of an experiment that counts events."""
    plain = 'kind = "projection"\nsigma_sys = 0.1'
    text = described(detector, "Ar", "pions", time + factor)
    assert plain in text
    return text.replace(plain, f'kind = "poisson"\nsigma_sys = 0.1\n{words}')


def read(write: Write, words: str = COUNTED, counts: str = COUNTS, **parts: str) -> experiments.Experiment:
    write("counts.csv", counts)
    write("f90.csv", SHARES)
    return experiments.load(write("own.toml", counting(words, **parts)))
