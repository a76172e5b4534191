"""Experiments as their papers describe them: each of tests/wishes loads, and counts as the naive calculation.

What a wish only names, a table or an upper end of the bins, is assumed there and marked so.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import naive
import numpy as np
import pytest
from conftest import TESTS, slow

import fastscan
from fastscan import experiments
from fastscan.interactions.standard_model import couplings, features
from fastscan.likelihoods.predictions import standard_counts
from fastscan.likelihoods.response import response

WISHES = TESTS / "wishes"
YEAR = 365 * naive.DAY
CH4, NE, TEO2, C9H12 = (("C", 1), ("H", 4)), (("Ne", 1),), (("Te", 1), ("O", 2)), (("C", 9), ("H", 12))
naive.OTHERS |= {f"sun {component}": naive.solar(component) for component in ("pp", "7Be", "pep", "8B")}


class Wish(NamedTuple):
    """The numbers of a wish, for the naive calculation."""

    source: str  # of naive: "sns", a reactor's fuel, or a spectrum of area 1
    strength: float  # neutrinos of each flavour in a second, power in GW, or flux per cm^2 and s
    metres: float  # nan where the strength is a flux
    seconds: float
    targets: tuple[tuple[naive.Compound, float], ...]  # and kg
    chain: naive.Chain
    chosen: tuple[tuple[str, int, float], ...] = ()


def recoil(threshold: float) -> naive.Chain:
    """A detector that knows the recoil energy in keV, above a threshold."""
    return naive.Chain(lambda t, _: t, (threshold, math.inf))


def lindhard(k: float) -> Callable[[float, naive.Isotope], float]:
    """keVee of keVnr."""

    def mean(t: float, isotope: naive.Isotope) -> float:
        eps = 11.5 * isotope.charge ** (-7 / 3) * t
        g = 3 * eps**0.15 + 0.7 * eps**0.6 + eps
        return t * k * g / (1 + k * g)

    return mean


def share(factors: dict[int, float], scale: float = 1.0) -> Callable[[float, naive.Isotope], float]:
    """A part of the recoil energy by proton number."""
    return lambda t, isotope: scale * factors[isotope.charge] * t


def times_table(energies: tuple[float, ...], values: tuple[float, ...]) -> Callable[[float, naive.Isotope], float]:
    """T times a table's value at T."""
    return lambda t, _: t * float(np.interp(t, energies, values))


def tabulated(energies: tuple[float, ...], values: tuple[float, ...]) -> Callable[[float, naive.Isotope], float]:
    """A table's value at T; above the table, the last value's share of T."""
    return lambda t, _: float(np.interp(t, energies, values)) * max(1.0, t / energies[-1])


CONUS_SIGMA = 0.048 / (2 * math.sqrt(2 * math.log(2)))
SARKIS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
NEST = (0.0, 0.3, 1.0, 2.0, 5.0)
CHAVARRIA = (0.0, 0.3, 0.68, 1.0, 2.28, 5.0)
EXPECTED = {
    "ccm": Wish("sns", 0.0425 * 7.5e21 / YEAR, 20, 3 * YEAR, ((naive.AR, 7000.0),), recoil(50.0)),
    "connie-skipper": Wish(
        "power plant", 3.95, 30, 243 * naive.DAY, ((naive.SI, 0.247e-3),),
        naive.Chain(
            times_table(SARKIS, (0.03, 0.07, 0.12, 0.17, 0.22, 0.28)),
            tuple(0.015 + 0.04 * n for n in range(6)),
            recoil_knots=SARKIS[1:],
        ),
    ),
    "conus-plus": Wish(
        "power plant", 3.6, 20.7, 119 * naive.DAY, ((naive.GE, 2.83),),
        naive.Chain(
            lindhard(0.162), (0.16, math.inf),
            lambda x, mean: naive.gaussian(x, mean, CONUS_SIGMA),
            lambda mean: CONUS_SIGMA,
            lambda x: float(np.interp(x, (0.16, 0.18, 0.2), (0.9, 0.95, 1.0))),
            (0.16, 0.18, 0.2),
        ),
    ),
    "cryocsi": Wish(
        "sns", 0.0848 * 1.5e23 / YEAR, 19.3, 3 * YEAR, ((naive.CSI, 700.0),),
        naive.Chain(share({55: 0.15, 53: 0.15}, 50.0), (4.0, math.inf)),
    ),
    "cuore-8b": Wish("sun 8B", 5.46e6, math.nan, 5 * YEAR, ((TEO2, 742.0),), recoil(3.0)),
    "enriched-ge76": Wish(
        "power plant", 3.0, 20, YEAR, ((naive.GE, 50.0),), recoil(1.0), (("Ge", 76, 0.92), ("Ge", 74, 0.08))
    ),
    "ge-mini": Wish(
        "sns", 0.288 * 5.4e22 / (55 * naive.DAY), 19.2, 55 * naive.DAY, ((naive.GE, 10.66),),
        naive.Chain(lindhard(0.157), (1.5, math.inf)),
    ),
    "neon": Wish(
        "power plant", 2.8, 23.7, YEAR, ((naive.NAI, 16.7),),
        naive.Chain(share({11: 0.15, 53: 0.05}, 24.4), tuple(24.4 * (0.2 + 0.2 * n) for n in range(10))),
    ),
    "newsg3": Wish(
        "power plant", 3.0, 20, YEAR, ((NE, 0.9), (CH4, 0.1)),
        naive.Chain(share({10: 0.25, 6: 0.3, 1: 0.6}), (0.05, math.inf)),
    ),
    "nucleus-vns": Wish(
        "power plant", 4.25, 1 / math.hypot(1 / 72, 1 / 102), YEAR, ((naive.CAWO4, 6.84e-3), (naive.AL2O3, 4.41e-3)),
        naive.Chain(lambda t, _: t, (0.02, 0.04, 0.08, 0.16, 0.32, 1.0)),
    ),
    "nugen": Wish("power plant", 3.1, 11.1, 235 * naive.DAY, ((naive.GE, 1.41),), recoil(1.4)),
    "red-100": Wish(
        "power plant", 3.1, 19, 331 / 65 * naive.DAY, ((naive.XE, 65.0),),
        naive.Chain(times_table(NEST, (2.0, 4.0, 6.0, 7.0, 7.5)), (4.0, math.inf), recoil_knots=NEST[1:]),
    ),
    "ricochet-ill": Wish(
        "research reactor", 0.058, 8.8, 300 * naive.DAY, ((naive.GE, 0.68),),
        naive.Chain(lindhard(0.157), (0.05, math.inf)),
    ),
    "sbc-lar10": Wish("research reactor", 1e-3, 3, YEAR, ((naive.AR, 10.0),), recoil(0.1)),
    "violeta": Wish(
        "power plant", 2.0, 12, 3 * YEAR, ((naive.SI, 1.0),),
        naive.Chain(
            tabulated(CHAVARRIA, (0.0, 0.015, 0.06, 0.12, 0.5, 1.5)), (0.015, 0.05, 0.1, 0.2, 0.5),
            recoil_knots=CHAVARRIA[1:],
        ),
    ),
}  # fmt: skip
SURVIVAL = {"pp": (5.98e10, 0.57), "7Be": (4.93e9, 0.53), "pep": (1.44e8, 0.43)}  # each with its flux
ELECTRONS = {
    "borexino": Wish("sun", 1.0, math.nan, 740 * naive.DAY, ((C9H12, 71300.0),), recoil(190.0)),
    "gemma": Wish(
        "power plant", 3.0, 13.9, 755 * naive.DAY, ((naive.GE, 1.5),),
        naive.Chain(lambda t, _: t, tuple(2.8 + 0.1 * n for n in range(523))),
    ),
    "texono-nue": Wish(
        "power plant", 2.9, 28, 29882 / 187 * naive.DAY, ((naive.CSI, 187.0),),
        naive.Chain(lambda t, _: t, tuple(3e3 + 500 * n for n in range(11)), efficiency=lambda x: 0.8),
    ),
}  # fmt: skip


def counts_of(name: str) -> np.ndarray:
    """Counts of the Standard Model in each bin."""
    return standard_counts(experiments.load(WISHES / f"{name}.toml"))


def beams(wish: Wish) -> list[tuple[str, str, float]]:
    """Neutrinos that scatter off electrons: their kind, their source, and their fluence or fissions per cm^2."""
    if wish.source != "sun":
        return [("nubar_e", wish.source, fluence(wish))]
    found = []
    for component, (flux, survival) in SURVIVAL.items():
        shares = {"nu_e": survival, "nu_mu": (1 - survival) / 2, "nu_tau": (1 - survival) / 2}
        found += [(kind, f"sun {component}", flux * share * fluence(wish)) for kind, share in shares.items()]
    return found


def fluence(wish: Wish) -> float:
    """Neutrinos of each flavour, or fissions, per cm^2."""
    if math.isnan(wish.metres):
        return wish.strength * wish.seconds
    area = 4 * math.pi * (wish.metres * 100) ** 2
    if wish.source == "sns":
        return wish.strength * wish.seconds / area
    fuels = naive.FISSION_FRACTIONS[wish.source].items()
    energy = sum(part * naive.FISSION_ENERGY[fuel] for fuel, part in fuels)
    return wish.strength * 1e9 / (energy * naive.JOULE_PER_MEV) * wish.seconds / area


def nuclei(wish: Wish) -> list[tuple[naive.Isotope, float]]:
    """Isotopes of the targets and their nuclei."""
    found = []
    for compound, kilograms in wish.targets:
        parts = [(each, n * part) for symbol, n in compound for each, part in naive.shares(symbol, wish.chosen)]
        molar = math.fsum(isotope.atomic_mass * atoms for isotope, atoms in parts)
        found += [(isotope, kilograms * 1000 / molar * naive.AVOGADRO * atoms) for isotope, atoms in parts]
    return found


def test_every_wish_is_there() -> None:
    assert sorted([*EXPECTED, *ELECTRONS]) == sorted(path.stem for path in WISHES.glob("*.toml"))


@pytest.mark.parametrize(
    "name", [slow(name) if name in ("cuore-8b", "conus-plus") else name for name in sorted(set(EXPECTED) - {"ccm"})]
)
def test_a_wish_counts_as_the_naive_calculation(name: str) -> None:
    wish = EXPECTED[name]
    theirs = naive.chained_events(wish.source, fluence(wish), nuclei(wish), naive.sm_couplings("cevns"), wish.chain)
    assert counts_of(name) == pytest.approx(theirs, rel=1e-8, abs=1e-12 * theirs.sum())


@pytest.mark.parametrize("name", ELECTRONS)
def test_a_wish_of_electrons_counts_as_the_naive_calculation(name: str) -> None:
    wish = ELECTRONS[name]
    theirs = sum(
        naive.chained_electrons(*beam, nuclei(wish), wish.chain, bound=name == "gemma") for beam in beams(wish)
    )
    assert counts_of(name) == pytest.approx(theirs, rel=1e-8)


def test_a_measured_rate_is_multiplied_by_its_exposure() -> None:
    """Borexino's 48.3 +- 1.1 a day in 100 t."""
    borexino = experiments.load(WISHES / "borexino.toml")
    counts = borexino.statistics.counts(np.zeros(1), borexino.exposed)
    assert counts.data == pytest.approx([48.3 * 0.713 * 740], rel=1e-12)
    assert counts.variance == pytest.approx([(1.1 * 0.713 * 740) ** 2], rel=1e-12)


def test_the_first_ninety_nanoseconds_count_as_the_naive_calculation() -> None:
    """CCM sees the prompt neutrinos and few of the delayed ones, of a pulse of 290 ns."""
    wish = EXPECTED["ccm"]

    def arrived(until: float, start: float, lifetimes: tuple[float, ...]) -> float:
        """Share of decays until then, of protons that arrive at `start` in us."""
        if len(lifetimes) == 1:
            return 1 - math.exp(-(until - start) / lifetimes[0])
        pion, muon = lifetimes
        early, late = math.exp(-(until - start) / pion), math.exp(-(until - start) / muon)
        return 1 - (muon * late - pion * early) / (muon - pion)

    pulse = 0.29
    prompt, delayed = (
        naive.integral(lambda start, each=each: arrived(0.09, start, each) / pulse, [0.0, 0.09])
        for each in ((0.026033,), (0.026033, 2.1969811))
    )
    whole = experiments.load(WISHES / "ccm.toml")
    found = response(whole)
    by_neutrino = dict(zip(found.neutrinos, found.by_neutrino @ features(couplings("cevns")[0]), strict=True))
    mu, both = by_neutrino["nu_mu"] / prompt, (by_neutrino["nu_e"] + by_neutrino["nubar_mu"]) / delayed
    theirs = naive.chained_events("sns", fluence(wish), nuclei(wish), naive.sm_couplings("cevns"), wish.chain)
    assert mu + both == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize("name", [*EXPECTED, *ELECTRONS])
def test_a_wish_has_a_chi2(name: str) -> None:
    """Backgrounds, data and errors are the wish's."""
    path = WISHES / f"{name}.toml"
    assert math.isfinite(fastscan.chi2(path, "chi", m_zprime=500.0))


def test_a_rate_per_energy_is_in_each_bin() -> None:
    """NEON's 6 per keVee, kg and day, over 16.7 kg and a year, in bins of 0.2 keVee."""
    neon = experiments.load(WISHES / "neon.toml")
    counts = neon.statistics.counts(np.zeros(9), neon.exposed)
    assert counts.variance == pytest.approx([6 * 0.2 * 16.7 * 365] * 9, rel=1e-12)
    edges = neon.detector.bins
    assert [b - a for a, b in itertools.pairwise(edges)] == pytest.approx([24.4 * 0.2] * 9)


def test_an_exposure_in_mass_and_time_is_divided_by_the_mass() -> None:
    assert experiments.load(WISHES / "red-100.toml").exposure_s == pytest.approx(331 / 65 * naive.DAY)
