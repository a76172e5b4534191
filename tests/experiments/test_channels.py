"""Scattering off electrons at every source, and beside nuclei in one detector."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import naive
import numpy as np
import pytest
from test_package_experiments import EXPECTED, README, conus_sigma
from test_wishes import fluence, nuclei

import fastscan
from fastscan import experiments
from fastscan.answers.shown import record as shown_record
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.likelihoods.predictions import standard_by_channel, standard_by_neutrino, standard_counts
from fastscan.likelihoods.response import response
from fastscan.outputs.spectrum import draw
from fastscan.physics import shells

Write = Callable[[str, str], Path]
HEAD = 'title = "T"\nreferences = ["R"]\nexposure = "1 yr"\n'
STATISTICS = '[statistics]\nkind = "projection"\nbackground = 0.0\nbackground_scales = false\nsigma_sys = 0.05\n'
FUEL = "fission_fractions = { U235 = 0.556, U238 = 0.071, Pu239 = 0.326, Pu241 = 0.047 }\n"


def at_reactor(baseline: float, compound: str, mass: float, power: float, bins: str) -> str:
    return f"""{HEAD}channel = "nu-e"
baseline = "{baseline} m"
[[target]]
compound = "{compound}"
mass = "{mass} kg"
[source]
kind = "reactor"
power = "{power} GW"
{FUEL}[detector]
bins = {bins}
{STATISTICS}"""


CSI_REACTOR = at_reactor(28, "CsI", 187, 2.9, '{ start = 3, stop = 8, num = 10, unit = "MeV" }')
GE_REACTOR = at_reactor(13.9, "Ge", 1.5, 3, '{ start = 3, stop = 23, num = 10, unit = "keV" }')
BE7_LINES = ",\n".join(
    f'{{ neutrino = "{neutrino}", energy = "{energy} MeV", fraction = {share * fraction} }}'
    for neutrino, share in {"nu_e": 0.55, "nu_mu": 0.20, "nu_tau": 0.25}.items()
    for energy, fraction in {0.8613: 0.8956, 0.3843: 0.1044}.items()
)
XE_BE7 = f"""{HEAD}channel = "nu-e"
[[target]]
compound = "Xe"
mass = "1 t"
[source]
kind = "table"
flux = "5e9 /cm2/s"
lines = [
    {BE7_LINES}
]
[detector]
bins = {{ start = 1, stop = 29, num = 14, unit = "keV" }}
{STATISTICS}"""
GE_BESIDE = f"""{HEAD}channel = "cevns"
electrons = true
baseline = "13.9 m"
[[target]]
compound = "Ge"
mass = "1.5 kg"
[source]
kind = "reactor"
power = "3 GW"
{FUEL}[detector]
quenching = {{ model = "lindhard", k = 0.162 }}
resolution = {{ kind = "fano", sigma0 = "20 eVee", fano = 0.11, eta = "2.96 eVee" }}
bins = {{ edges = [0.2, 0.3, 0.5, 1, 1.3, 2, 12], unit = "keVee" }}
{STATISTICS}"""
OF_NUCLEI = "{ shape = 'erf', midpoint = 1, sigma = 1, plateau = 1, unit = 'keV' }"
FILES = {"csi-reactor": CSI_REACTOR, "ge-reactor": GE_REACTOR, "xe-be7": XE_BE7}


def printed(*numbers: float) -> object:
    """A printed number, to be equal in all of its twelve digits."""
    return pytest.approx(numbers, rel=5e-12, abs=0)


@pytest.fixture
def loaded(write: Write) -> Callable[[str], experiments.Experiment]:
    return lambda name: experiments.load(write(f"{name}.toml", FILES[name]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("csi-reactor", (806.018666548,)),
        ("ge-reactor", (50.3807122785,)),
        ("xe-be7", (5.99443403592, 0.481691142054, 0.602113927567)),
    ],
)
def test_electrons_at_other_sources(name: str, expected: tuple[float, ...], loaded) -> None:
    """INTERACTIONS.md, section 7: the counts of each neutrino in the Standard Model."""
    assert standard_by_neutrino(loaded(name)).sum(axis=1) == printed(*expected)


def test_new_interactions_off_electrons_at_other_sources(loaded) -> None:
    """INTERACTIONS.md, section 7: events and chi2."""
    csi, ge, xe = map(loaded, FILES)
    universal = {"m_zprime": 1e-3, "g": math.sqrt(1e-11)}
    assert fastscan.events(csi, "universal", **universal) == pytest.approx(1191.86316733, rel=5e-12)
    assert fastscan.chi2(csi, "universal", **universal) == pytest.approx(34.6503655795, rel=1e-8)
    by_neutrino = fastscan.events(xe, "lmu-ltau", m_zprime=3e-3, g=math.sqrt(4e-9), by_neutrino=True)
    assert [float(by_neutrino[each]) for each in ("nu_e", "nu_mu", "nu_tau")] == printed(
        5.99443403592, 0.528499808129, 0.606976531260
    )
    assert fastscan.events(ge, "magnetic-e", mu=0.7) == pytest.approx(56.8035996098, rel=5e-12)
    assert fastscan.chi2(ge, "magnetic-e", mu=0.7) == pytest.approx(0.996175208181, rel=1e-8)


@pytest.mark.parametrize("model", ["lmu-ltau", "b-3lmu"])
def test_electrons_at_a_reactor_have_no_sensitivity_to_what_acts_on_others(model: str, loaded) -> None:
    _, status = fastscan.limit(loaded("ge-reactor"), model, m_zprime=np.geomspace(1e-6, 1e4, 5), with_status=True)
    assert np.all(status == "no_sensitivity")


def test_electrons_beside_nuclei_are_both_alone(write: Write) -> None:
    """The detector can't tell them apart: counts add up, bin by bin, and only nuclear recoils are quenched."""
    both = experiments.load(write("both.toml", GE_BESIDE))
    nuclei = experiments.load(write("nuclei.toml", GE_BESIDE.replace("electrons = true\n", "")))
    alone = GE_BESIDE.replace('"cevns"\nelectrons = true', '"nu-e"\nelectrons = "bound"')
    electrons = experiments.load(
        write("electrons.toml", alone.replace('quenching = { model = "lindhard", k = 0.162 }\n', ""))
    )
    found = [standard_by_neutrino(each) for each in (both, nuclei, electrons)]
    assert found[0] == pytest.approx(found[1] + found[2], rel=1e-13)
    assert (found[2] > 0).all()
    for model, strength in {
        "chi": {"m_zprime": 150.0},
        "b-l": {"m_zprime": 1e-3, "g": 3e-6},
        "magnetic-e": {"mu": 3},
    }.items():
        added = [float(fastscan.events(each, model, **strength)) for each in (both, nuclei, electrons)]
        assert added[0] == pytest.approx(added[1] + added[2], rel=1e-12)


def test_the_electrons_of_germanium_in_their_shells() -> None:
    """The steps of measurements/reactor.md, section 1, seen at energies between them."""
    energies = np.array([0.02, 0.1, 0.122, 0.15, 0.2, 1.23, 1.3, 2.0, 11.2]) * 1e-3
    assert shells.bound("Ge").freed(energies).tolist() == [4, 14, 18, 20, 22, 26, 28, 30, 32]


@pytest.mark.parametrize("symbol", ["H", "Ar", "Ge", "Xe", "Cs", "W", "U"])
def test_no_electron_is_forgotten(symbol: str) -> None:
    (charge,) = {isotope.charge for isotope in naive.isotopes(symbol)}
    assert shells.bound(symbol).freed(np.array([1.0])).tolist() == [charge]


def test_bound_electrons_are_a_step_of_the_free_ones(write: Write) -> None:
    """In a bin without a binding energy, the counts are proportional to the number of freed electrons."""
    free = experiments.load(write("free.toml", GE_REACTOR))
    bound = replace(free, electrons="bound")
    counts, stepped = (standard_by_neutrino(each)[0] for each in (free, bound))
    expected = np.where(np.arange(10) * 2 + 3 >= 11.103, 32, 30) / 32
    inside = [number for number in range(10) if number != 4]  # 11.103 keV is in the bin from 11 to 13 keV
    assert (stepped / counts)[inside] == pytest.approx(expected[inside], rel=1e-12)
    assert 30 / 32 < stepped[4] / counts[4] < 1


def test_a_combination_of_experiments_with_other_channels(write: Write) -> None:
    """Members with fewer features than others, and rows with shapes of their own: chi2 adds up."""
    both = experiments.load(write("both.toml", GE_BESIDE))
    electrons = experiments.load(write("ge-reactor.toml", GE_REACTOR))
    for model, at in {
        "e6": {"m_zprime": 200.0, "beta": [0.3, 1.0]},
        "b-l": {"m_zprime": [1e-3, 1.0], "g": 3e-6},
    }.items():
        joint = fastscan.chi2([both, electrons, "conus"], model, **at)
        assert joint == pytest.approx(
            sum(fastscan.chi2(each, model, **at) for each in (both, electrons, "conus")), rel=1e-12
        )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            GE_BESIDE.replace("electrons = true", 'electrons = "bond"'),
            "unknown electrons 'bond'; did you mean 'bound'?",
        ),
        (GE_BESIDE.replace("electrons = true", "electrons = 1"), "electrons: must be true or false, not 1"),
        (
            GE_REACTOR.replace('"nu-e"', '"nu-e"\nelectrons = true'),
            "electrons: must be one of 'bound', 'free', not True",
        ),
        (GE_REACTOR.replace('"nu-e"', '"cevns"\nelectrons = true'), "electrons: need a detector that sees energy"),
        (
            GE_BESIDE.replace(
                "bins =", "efficiency = { shape = 'erf', midpoint = 1, sigma = 1, plateau = 1, unit = 'keV' }\nbins ="
            ),
            "electrons: the efficiency is one of nuclear recoils",
        ),
    ],
)
def test_what_the_key_electrons_can_be(text: str, told: str, write: Write) -> None:
    with pytest.raises(fastscan.FastscanError, match=r"x\.toml") as refused:
        experiments.load(write("x.toml", text))
    assert told in str(refused.value)


def test_the_response_of_each_channel_is_kept_apart(write: Write) -> None:
    found = response(experiments.load(write("both.toml", GE_BESIDE)))
    assert found.channels == ("cevns", "nu-e")
    assert found.by_neutrino.shape == (1, 6, 6)


class Variant(NamedTuple):
    """An experiment of the package with electrons: what its file has in place of its threshold, for `naive`."""

    detector: str
    chain: naive.Chain


def energies(*bins: float, per_kev: float = 1.0) -> naive.Chain:
    """A detector that sees the whole energy of an electron, in bins of energy or of photoelectrons."""
    return naive.Chain(lambda t, _: per_kev * t, bins)


VARIANTS = {
    "conus-plus": Variant(
        'bins = { edges = [0.17, 0.8], unit = "keVee" }',
        energies(0.17, 0.8)._replace(
            density=lambda x, mean: naive.gaussian(x, mean, conus_sigma(mean)), width=conus_sigma
        ),
    ),
    "nugen": Variant('bins = { edges = [0.3, 0.8, 2, 12], unit = "keVee" }', energies(0.3, 0.8, 2.0, 12.0)),
    "coherent-ge-mini": Variant("", energies(1.5, 8.5)),
    "coherent-cryocsi": Variant('bins = { edges = [4, 100, 300], unit = "PE" }', energies(4.0, 100, 300, per_kev=50.0)),
    "ess-csi": Variant('quenching = 0.1\nbins = { edges = [0.1, 3], unit = "keVee" }', energies(0.1, 3.0)),
}
MICHEL = {kind: naive.Neutrinos(partial(naive.sns_spectrum, kind), (0.0, naive.M_MUON / 2))
          for kind in ("nu_e", "nubar_mu")}  # fmt: skip
naive.OTHERS |= {"of pions": naive.Neutrinos(lines=((naive.PROMPT_ENERGY_MEV, 1.0),))}
naive.OTHERS |= {f"of muons {kind}": spectrum for kind, spectrum in MICHEL.items()}
STOPPED_PIONS = {"nu_mu": "of pions", **{kind: f"of muons {kind}" for kind in MICHEL}}


@pytest.fixture
def variant(write: Write) -> Callable[[str], experiments.Experiment]:
    """A copy of the package's file, with electrons and with the bins of `VARIANTS`."""

    def copied(name: str) -> experiments.Experiment:
        text = (BUILT_IN / f"{name}.toml").read_text().replace('"cevns"', '"cevns"\nelectrons = true', 1)
        detector = VARIANTS[name].detector
        if detector:
            text = re.sub(r"^threshold = .*$", detector, text, flags=re.MULTILINE)
        return experiments.load(write(f"{name}-e.toml", text))

    return copied


@pytest.mark.parametrize("name", VARIANTS)
def test_electrons_beside_the_nuclei_of_the_package(name: str, variant) -> None:
    """At reactors those of nubar_e; at a spallation source those of three neutrinos, one of them nubar_mu."""
    experiment, this, chain = variant(name), EXPECTED[name], VARIANTS[name].chain
    beams = STOPPED_PIONS if this.source == "sns" else {"nubar_e": this.source}
    theirs = {
        kind: naive.chained_electrons(kind, source, fluence(this), nuclei(this), chain, bound=True)
        for kind, source in beams.items()
    }
    alone = standard_by_neutrino(replace(experiment, electrons=None))
    added = standard_by_channel(experiment)
    assert added["nu-e"] == pytest.approx(sum(theirs.values()), rel=1e-8)
    assert added["cevns"] == pytest.approx(alone.sum(axis=0), rel=1e-13)
    assert standard_counts(experiment) == pytest.approx(added["cevns"] + added["nu-e"], rel=1e-13)
    _, of_electrons = np.split(response(experiment).by_neutrino, 2, axis=-1)  # after the features of nuclei
    only = dict(zip(beams, of_electrons, strict=True))
    for kind, each in theirs.items():  # each neutrino alone, so that one can't replace another
        g_l, g_r = naive.sm_couplings("nu-e", kind.partition("_")[2])
        assert only[kind] @ [g_l**2, g_l * g_r, g_r**2] == pytest.approx(each, rel=1e-8)


@pytest.mark.parametrize("name", VARIANTS)
def test_electrons_beside_nuclei_stand_in_the_documentation(name: str, variant) -> None:
    section = README.split("### Electrons beside nuclei")[1].split("\n### ")[0]
    ((_, nuclear, electronic),) = re.findall(rf"^\| `{name}` \|(.*)\|(.*)\|(.*)\|$", section, flags=re.MULTILINE)
    counted = standard_by_channel(variant(name))
    assert float(nuclear) == pytest.approx(counted["cevns"].sum(), rel=5e-4)
    assert float(electronic) == pytest.approx(counted["nu-e"].sum(), rel=5e-3)


def test_nuclei_and_electrons_are_shown_apart(variant) -> None:
    experiment = variant("nugen")
    shown = fastscan.show(experiment)
    record = shown_record(shown)
    assert list(record["total"]) == ["nubar_e", "nuclei", "electrons", "signal", "background"]
    for row, nuclear, electronic in zip(record["bins"], *standard_by_channel(experiment).values(), strict=True):
        assert (row["nuclei"], row["electrons"]) == (nuclear, electronic)
        assert row["signal"] == pytest.approx(nuclear + electronic, rel=1e-12)
    assert "nuclei" not in shown_record(fastscan.show("nugen"))["total"]
    (dotted,) = (each for each in draw(shown).axes[0].patches if each.get_label() == "electrons")
    events = shown.background + standard_by_channel(experiment)["nu-e"]
    assert dotted.get_data().values == pytest.approx(events / np.diff(shown.edges))  # of bins of different widths
