"""Reference calculation for the tests: slow and obvious on purpose.

Written from PHYSICS.md (the content of arXiv:2002.01482 as formulas), with nothing of the package but its tables of
data, so that a shared mistake is unlikely: adaptive quadrature split at every kink, the couplings of Eqs. 8-15 one
chiral coupling at a time, numerical minimisers over nuisances, dense scans and a root finder for limits. Particle
energies and masses are MeV, heavy Z' masses GeV, lengths fm or cm; names with _kev hold keV. Equation numbers are
the paper's, section numbers those of PHYSICS.md. Interactions beyond the heavy Z' stand at the end: `Interaction` is a
full amplitude, which `counts` squares and integrates anew at each point; they are written from INTERACTIONS.md.
"""

import bisect
import csv
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.integrate import dblquad, quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import spherical_in, spherical_jn
from scipy.stats import chi2 as chi2_distribution

Array = npt.NDArray[np.float64]
Pair = tuple[float, float]
Compound = tuple[tuple[str, int], ...]  # (element, atoms), ...

DATA = resources.files("fastscan") / "data"

# Section 1
G_FERMI, S2, M_Z_GEV = 1.1663787e-5 * 1e-6, 0.23122, 91.1876  # MeV^-2, sin^2 of the weak mixing angle, GeV
M_ELECTRON, M_MUON, M_PION, ATOMIC_MASS_UNIT = 0.51099895, 105.6583755, 139.57039, 931.49410242
M_TAU, ALPHA = 1776.86, 1 / 137.035999084
HBAR_C, JOULE_PER_MEV, AVOGADRO = 197.3269804, 1.602176634e-13, 6.02214076e23  # MeV fm
CM2_PER_MEV_2 = (HBAR_C * 1e-13) ** 2
DAY, KEV = 86400.0, 1e-3  # s, MeV
# Section 2, Eqs. 3 and 7
RHO, KAPPA, RHO_E, KAPPA_E = 1.0082, 0.9972, 1.0127, 0.9965
LAMBDA_UL, LAMBDA_DL, LAMBDA_DR = -0.0031, -0.0025, 7.5e-5
# Section 6
PROMPT_ENERGY_MEV = (M_PION**2 - M_MUON**2) / (2 * M_PION)
SNS_NEUTRINOS_PER_DAY = 0.08 * 1.76e23 / 308.1  # of each flavour
REACTOR_SWITCH, REACTOR_END = 2.0, 10.0  # MeV: table below, exponential above, nothing beyond
FISSION_ENERGY = {"U235": 202.36, "U238": 205.99, "Pu239": 211.12, "Pu241": 214.26}  # MeV
POWER_PLANT = {"U235": 0.556, "U238": 0.071, "Pu239": 0.326, "Pu241": 0.047}
FISSION_FRACTIONS = {"power plant": POWER_PLANT, "research reactor": {"U235": 1.0}}
CR51_LINES = ((0.750, 0.90), (0.430, 0.10))  # MeV, fraction
BE7_LINES = ((0.8613, 0.8956), (0.3843, 0.1044))
BE7_FLUX = 5e9  # of solar neutrinos, per cm^2 and s
BE7_FLAVOURS = {"nu_e": 0.55, "nu_mu": 0.20, "nu_tau": 0.25}
CR51_LIFETIME, DECAYS_PER_MCI = 27.7025 * DAY / math.log(2), 3.7e16  # s, per second
XENON_HEIGHT, XENON_RADIUS, XENON_DISTANCE = 138.0, 69.0, 100.0  # cm
XENON_ELECTRONS_PER_CM3 = 2.94 / 131.293 * AVOGADRO * 54
CR51_BIN_EDGES = [5.0 * KEV * i for i in range(121)]
# Section 7: CsI photoelectrons per keV; LAr efficiency at recoil energies in keV
PHOTOELECTRONS = 1.17
LAR_KEV = [20, 21.85, 23.63, 25.39, 27.13, 28.85, 30.56, 33.93, 37.25, 40.5, 46.86, 51.5]
LAR_KEV += [66.28, 93.23, 117.55]
LAR_EFFICIENCY = [0.6385, 0.691, 0.7355, 0.775, 0.807, 0.833, 0.855, 0.887, 0.904, 0.922, 0.940, 0.943]
LAR_EFFICIENCY += [0.952, 0.957, 0.963]
# Section 8
BACKGROUND_FRACTION = 0.05
CSI_MEASURED, CSI_NEUTRONS, CSI_STEADY, CSI_NEUTRON_SIGMA = 142.0, 6.0, 405.0, 0.25


class Experiment(NamedTuple):
    """One row of section 7; for 51Cr, strength is in MCi and the detector is the xenon cylinder."""

    source: str  # sns, a key of FISSION_FRACTIONS, cr51 or be7
    target: tuple[tuple[Compound, float], ...] = ()  # kg of each compound
    baseline: float = 0.0  # m
    threshold_kev: float = 0.0
    strength: float = 0.0  # thermal power in GW, or MCi
    days: float = 365.0
    sigma_sys: float = 0.2
    channel: str = "cevns"  # or nu-e
    efficiency: float = 0.5  # constant efficiency above the threshold
    background: float = BACKGROUND_FRACTION  # of the signal
    background_scales: bool = True
    bins_kev: tuple[float, ...] = ()  # edges; None for one bin of all recoils
    abundances: tuple[
        tuple[str, int, float], ...
    ] = ()  # (element, mass number, mole fraction) in place of natural ones
    dopants: tuple[tuple[str, float], ...] = ()  # (element, share of the mass of each compound)
    distribution: str = "fermi"  # form factor of the nucleons: fermi, helm or klein-nystrand
    rms_fm: tuple[tuple[int, float], ...] = ()  # root mean square radius by proton number


CSI, NAI = (("Cs", 1), ("I", 1)), (("Na", 1), ("I", 1))
GE, AR, SI, XE, ZN = (("Ge", 1),), (("Ar", 1),), (("Si", 1),), (("Xe", 1),), (("Zn", 1),)
CAWO4, AL2O3 = (("Ca", 1), ("W", 1), ("O", 4)), (("Al", 2), ("O", 3))
EXPERIMENTS = {
    "coherent-csi": Experiment("sns", ((CSI, 14.57),), 19.3, days=308.1, sigma_sys=0.28),
    "coherent-ge": Experiment("sns", ((GE, 15.0),), 22.0, 5.0),
    "coherent-lar": Experiment("sns", ((AR, 1000.0),), 29.0, 20.0),
    "coherent-nai": Experiment("sns", ((NAI, 2000.0),), 28.0, 13.0),
    "conus": Experiment("power plant", ((GE, 3.85),), 17.0, 0.100, 3.9),
    "connie": Experiment("power plant", ((SI, 1.0),), 30.0, 0.028, 3.95),
    "miner": Experiment("research reactor", ((GE, 2 / 3), (SI, 1 / 3)), 2.0, 0.100, 1e-3),
    "texono": Experiment("power plant", ((GE, 1.0),), 28.0, 0.100, 2.9),
    "red100": Experiment("power plant", ((XE, 100.0),), 19.0, 0.500, 3.0),
    "ricochet": Experiment("power plant", ((ZN, 1.0), (GE, 1.0)), 100.0, 0.050, 8.54),
    "nucleus": Experiment("power plant", ((CAWO4, 0.608), (AL2O3, 0.392)), 100.0, 0.020, 8.54),
    "cr51-lxe-a": Experiment("cr51", (), 0.0, 0.0, 5.0, 100.0, 0.0025, "nu-e", 1.0),
    "cr51-lxe-b": Experiment("cr51", (), 0.0, 0.0, 5.0, 50.0, 0.0025, "nu-e", 1.0),
    "cr51-lxe-c": Experiment("cr51", (), 0.0, 0.0, 10.0, 50.0, 0.0025, "nu-e", 1.0),
}


class Isotope(NamedTuple):
    """One row of isotopes.csv; abundance is the mole fraction, normalised to 1 in its element."""

    charge: int
    mass_number: int
    atomic_mass: float  # u
    abundance: float


@lru_cache
def rows(name: str) -> list[dict[str, str]]:
    """Rows of a data file, its '#' comment lines left out."""
    lines = (DATA / name).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def integral(function: Callable[[float], float], edges: Iterable[float]) -> float:
    """From the first to the last edge, one adaptive quadrature per interval so that no kink is inside one."""
    points = sorted(set(edges))
    pieces = itertools.pairwise(points)
    return math.fsum(quad(function, a, b, epsabs=0.0, epsrel=1e-12, limit=200)[0] for a, b in pieces)


def quark_couplings() -> dict[str, float]:
    """Chiral couplings of quarks in the Standard Model (Eq. 3)."""
    up_left, up_right = RHO * (1 / 2 - 2 / 3 * KAPPA * S2) + LAMBDA_UL, RHO * (-2 / 3 * KAPPA * S2)
    down_left, down_right = RHO * (-1 / 2 + 1 / 3 * KAPPA * S2) + LAMBDA_DL, RHO * (1 / 3 * KAPPA * S2)
    return {"uL": up_left, "uR": up_right + LAMBDA_DR / 2, "dL": down_left, "dR": down_right + LAMBDA_DR}


def nucleon_couplings(quark: dict[str, float]) -> Pair:
    """Vector couplings of proton and neutron from the chiral ones of the quarks (Eq. 2)."""
    up, down = quark["uL"] + quark["uR"], quark["dL"] + quark["dR"]
    return 2 * up + down, up + 2 * down


def sm_couplings(channel: str, flavour: str = "e") -> Pair:
    """'cevns': (g_p, g_n); 'nu-e': (g_L, g_R) on electrons, of nu_e with the charged current included (Eq. 7)."""
    if channel == "cevns":
        return nucleon_couplings(quark_couplings())
    return RHO_E * (-1 / 2 + KAPPA_E * S2) + charged_current(flavour), RHO_E * KAPPA_E * S2


def charged_current(flavour: str) -> float:
    """The exchange of a W adds to g_L for nu_e; a nu_mu or a nu_tau can't exchange a W with an electron."""
    return {"e": 1.0, "mu": 0.0, "tau": 0.0}[flavour]


def e6_shifts(model: str, gamma: float, beta: float | None) -> dict[str, float]:
    """The shift of each chiral coupling by the E6 Z' (Eqs. 11-15)."""
    # The named models exactly, since cos(pi/2) is not 0 in floating point.
    mixing = {"chi": (1.0, 0.0), "psi": (0.0, 1.0), "eta": (math.sqrt(3 / 8), math.sqrt(5 / 8))}
    if model == "e6" and beta is not None:
        mixing["e6"] = math.cos(beta), math.sin(beta)
    cb, sb = mixing[model]
    q = 3 * cb / (2 * math.sqrt(24)) + sb / 6 * math.sqrt(5 / 8)
    p = cb / math.sqrt(24) - sb / 3 * math.sqrt(5 / 8)
    eps_ul, eps_dr = -4 * gamma * S2 * RHO * p * q, -8 * gamma * S2 * RHO * q**2
    eps_el, eps_er = 8 * gamma * S2 * RHO_E * q**2, 4 * gamma * S2 * RHO_E * p * q
    return {"uL": eps_ul, "uR": -eps_ul, "dL": eps_ul, "dR": eps_dr, "eL": eps_el, "eR": eps_er}


def left_right_shift(gamma: float, left: float, right: float) -> Pair:
    """The shift of a pair of chiral couplings by the left-right symmetric Z': A - 1 and B of Eqs. 8-10."""
    a_minus_one, b = gamma * S2**2 / (1 - 2 * S2), gamma * S2 * (1 - S2) / (1 - 2 * S2)
    return a_minus_one * left + b * right, a_minus_one * right + b * left


def coupling_shift(
    channel: str, model: str, m_zprime: float, beta: float | None = None, flavour: str = "e"
) -> Pair:  # fmt: skip
    """The shift of sm_couplings by the Z'; the difference couplings - sm_couplings would lose digits near the SM."""
    gamma = (M_Z_GEV / m_zprime) ** 2
    if model in ("lr", "lr-nc") and channel == "nu-e":
        left, right = sm_couplings("nu-e", flavour)
        # The Z' does not touch W exchange: lr-nc keeps the charged current, the 1 in g_L, out of the rule.
        return left_right_shift(gamma, left - charged_current(flavour) if model == "lr-nc" else left, right)
    if model in ("lr", "lr-nc"):
        g = quark_couplings()
        eps = dict(zip(("uL", "uR"), left_right_shift(gamma, g["uL"], g["uR"]), strict=True))
        eps |= dict(zip(("dL", "dR"), left_right_shift(gamma, g["dL"], g["dR"]), strict=True))
    else:
        eps = e6_shifts(model, gamma, beta)
    # In E6 eps_dL + eps_dR is proportional to q cos(beta): next to beta = 90 degrees the sum loses digits.
    return (eps["eL"], eps["eR"]) if channel == "nu-e" else nucleon_couplings(eps)


def couplings(
    channel: str, model: str, m_zprime: float, beta: float | None = None, flavour: str = "e"
) -> Pair:  # fmt: skip
    """Standard Model plus Z': (g_p, g_n) for 'cevns', (g_L, g_R) for 'nu-e'."""
    (g1, g2), (d1, d2) = sm_couplings(channel, flavour), coupling_shift(channel, model, m_zprime, beta, flavour)
    return g1 + d1, g2 + d2


@cache
def form_factor(q_mev: float, mass_number: int) -> float:
    """Symmetrised Fermi form factor (Eqs. 4, 5) for x = Q c, y = pi Q a; F(0) = 1.

    The bracket y sin(x)/tanh(y) - x cos(x) loses digits at small Q, where it goes as Q^3. It is written as
    sin(x) [y/tanh(y) - 1] + [sin(x) - x cos(x)], with spherical Bessel functions for the square brackets.
    """
    if q_mev == 0:
        return 1.0
    x = q_mev / HBAR_C * (1.23 * mass_number ** (1 / 3) - 0.60)
    y = q_mev / HBAR_C * math.pi * 0.52
    bracket = math.sin(x) * y**2 * spherical_in(1, y) / math.sinh(y) + x**2 * spherical_jn(1, x)
    return float(3 / (x * (x**2 + y**2)) * y / math.sinh(y) * bracket)


def smeared_sphere(distribution: str, radius: float, smearing: float, r: float) -> float:
    """Density, up to its norm, of a uniform sphere smeared by a Gaussian (helm) or a Yukawa potential; all in fm."""
    if distribution == "helm":
        a, b = (radius - r) / (math.sqrt(2) * smearing), (radius + r) / (math.sqrt(2) * smearing)
        edges = smearing / (math.sqrt(2 * math.pi) * r) * (math.exp(-(b**2)) - math.exp(-(a**2)))
        return (math.erf(a) + math.erf(b)) / 2 + edges
    if r < radius:
        inside = (1 + radius / smearing) * math.exp(-radius / smearing)
        return 1 - inside * math.sinh(r / smearing) / (r / smearing)
    outside = radius / smearing * math.cosh(radius / smearing) - math.sinh(radius / smearing)
    return outside * math.exp(-r / smearing) / (r / smearing)


GAUSS = np.polynomial.legendre.leggauss(160)


def transform(distribution: str, radius: float, smearing: float, q_mev: float) -> float:
    """Fourier transform of a smeared sphere over its norm, by quadrature over the distance from the centre.

    The rule is a fixed one: an adaptive one complains where the wave cancels what it integrates.
    """
    ends = [0.0, radius, radius + 10 * smearing, radius + 45 * smearing]  # exp(-45) is below the resolution of floats

    def shell(r: float) -> float:
        return r**2 * smeared_sphere(distribution, radius, smearing, r) if r else 0.0

    wave = norm = 0.0
    for low, high in itertools.pairwise(ends):
        nodes, weights = (low + high + (high - low) * GAUSS[0]) / 2, (high - low) * GAUSS[1] / 2
        for r, w in zip(nodes.tolist(), weights.tolist(), strict=True):
            wave += w * shell(r) * np.sinc(q_mev / HBAR_C * r / math.pi)
            norm += w * shell(r)
    return wave / norm


def factor(experiment: str, isotope: Isotope, q_mev: float) -> float:
    """Form factor of an isotope in an experiment."""
    row = EXPERIMENTS[experiment]
    if row.distribution == "fermi":
        return form_factor(q_mev, isotope.mass_number)
    rms = dict(row.rms_fm).get(isotope.charge)
    smearing, mean_square = {"helm": (0.9, 3 * 0.9**2), "klein-nystrand": (0.7, 6 * 0.7**2)}[row.distribution]
    if rms:
        radius = math.sqrt(5 / 3 * (rms**2 - mean_square))
    elif row.distribution == "helm":  # Lewin and Smith
        c = 1.23 * isotope.mass_number ** (1 / 3) - 0.60
        radius = math.sqrt(c**2 + 7 / 3 * math.pi**2 * 0.52**2 - 5 * smearing**2)
    else:
        radius = 1.23 * isotope.mass_number ** (1 / 3)
    return transform(row.distribution, radius, smearing, q_mev)


@lru_cache
def isotopes(symbol: str) -> list[Isotope]:
    """The natural isotopes of an element."""
    of_element = [row for row in rows("isotopes.csv") if row["symbol"] == symbol]
    total = math.fsum(float(row["abundance"]) for row in of_element)
    columns = [(row["Z"], row["A"], row["atomic_mass_u"], row["abundance"]) for row in of_element]
    return [Isotope(int(z), int(a), float(mass), float(part) / total) for z, a, mass, part in columns]


def shares(symbol: str, chosen: Sequence[tuple[str, int, float]]) -> list[tuple[Isotope, float]]:
    """Isotopes of an element and their mole fractions: chosen isotopes, or else all natural ones."""
    if not chosen:
        return [(isotope, isotope.abundance) for isotope in isotopes(symbol)]
    natural = {isotope.mass_number: isotope for isotope in isotopes(symbol)}
    return [(natural[mass_number], share) for _, mass_number, share in chosen]


def nuclei(experiment: str) -> list[tuple[Isotope, float]]:
    """Isotopes and numbers of nuclei in the detector, an element once for each compound that it is in."""
    row, numbers = EXPERIMENTS[experiment], []
    undoped = 1 - math.fsum(share for _, share in row.dopants)
    hosts = [(compound, kilograms * undoped) for compound, kilograms in row.target]
    dopants = [(((symbol, 1),), kilograms * share) for _, kilograms in row.target for symbol, share in row.dopants]
    chosen = {element: [each for each in row.abundances if each[0] == element] for element, _, _ in row.abundances}
    for compound, kilograms in [*hosts, *dopants]:
        parts = [
            (isotope, n * share) for symbol, n in compound for isotope, share in shares(symbol, chosen.get(symbol, []))
        ]
        molar_mass = math.fsum(atoms * isotope.atomic_mass for isotope, atoms in parts)  # g
        numbers += [(iso, kilograms * 1000 / molar_mass * AVOGADRO * atoms) for iso, atoms in parts]
    return numbers


def efficiency(experiment: str, recoil_kev: float) -> float:
    """Probability that a nuclear recoil of this energy is counted (section 7)."""
    if experiment == "coherent-csi":
        x = PHOTOELECTRONS * recoil_kev
        step = 0.0 if x < 5 or x > 30 else 0.5 if x < 6 else 1.0
        return step * 0.6655 / (1 + math.exp(-0.4942 * (x - 10.8507)))
    if recoil_kev < EXPERIMENTS[experiment].threshold_kev:
        return 0.0
    if experiment == "coherent-lar":
        return float(np.interp(recoil_kev, LAR_KEV, LAR_EFFICIENCY))
    return EXPERIMENTS[experiment].efficiency


def efficiency_edges(experiment: str) -> list[float]:
    """Recoil energies in keV where the efficiency begins, jumps, has a kink and ends."""
    special = {"coherent-csi": [x / PHOTOELECTRONS for x in (5, 6, 30)], "coherent-lar": [*LAR_KEV, math.inf]}
    return special.get(experiment, [EXPERIMENTS[experiment].threshold_kev, math.inf])


def between(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """Linear between the points of a table, and 0 outside; np.interp is slow for one number."""
    if not xs[0] <= x <= xs[-1]:
        return 0.0
    n = min(bisect.bisect_right(xs, x), len(xs) - 1)
    part = (x - xs[n - 1]) / (xs[n] - xs[n - 1])
    return (1 - part) * ys[n - 1] + part * ys[n]


def sns_spectrum(flavour: str, energy_mev: float) -> float:
    """Neutrinos of muon decay at rest per MeV, normalised to 1 (Eq. 17)."""
    if not 0 <= energy_mev <= M_MUON / 2:
        return 0.0
    x = energy_mev / M_MUON
    return {"nu_e": 192 * x**2 * (1 / 2 - x), "nubar_mu": 64 * x**2 * (3 / 4 - x)}[flavour] / M_MUON


@lru_cache
def low_energy_column(name: str) -> list[float]:
    """A column of the reactor table below 2 MeV."""
    return [float(row[name]) for row in rows("reactor_low_energy.csv")]


@lru_cache
def mueller_coefficients(isotope: str) -> list[float]:
    """alpha_1 to alpha_6 of a fissile isotope."""
    row = next(row for row in rows("reactor_mueller.csv") if row["isotope"] == isotope)
    return [float(row[f"alpha{k}"]) for k in range(1, 7)]


def fission_spectrum(isotope: str, energy_mev: float) -> float:
    """Antineutrinos per MeV and fission of one isotope."""
    if energy_mev > REACTOR_END:
        return 0.0
    if energy_mev >= REACTOR_SWITCH:
        return math.exp(sum(a * energy_mev**k for k, a in enumerate(mueller_coefficients(isotope))))
    return between(energy_mev, low_energy_column("energy_mev"), low_energy_column(isotope))


def spectrum(source: str, energy_mev: float) -> float:
    """Continuous spectrum per MeV, per SNS flavour or per fission; CEvNS does not see flavour."""
    if source in OTHERS:
        return OTHERS[source].density(energy_mev)
    if source == "sns":
        return sns_spectrum("nu_e", energy_mev) + sns_spectrum("nubar_mu", energy_mev)
    return sum(part * fission_spectrum(iso, energy_mev) for iso, part in FISSION_FRACTIONS[source].items())


def spectrum_edges(source: str) -> list[float]:
    """Neutrino energies where the continuous spectrum begins, has a kink and ends."""
    if source in OTHERS:
        return list(OTHERS[source].edges)
    if source == "sns":
        return [0.0, M_MUON / 2]
    return [*low_energy_column("energy_mev"), REACTOR_SWITCH, REACTOR_END]


class Neutrinos(NamedTuple):
    """Another source: its spectrum per MeV, where it begins, bends and ends, and its lines."""

    density: Callable[[float], float] = lambda energy: 0.0
    edges: tuple[float, ...] = ()  # MeV
    lines: tuple[Pair, ...] = ()  # MeV, number


OTHERS: dict[str, Neutrinos] = {}  # sources that tests describe, by their names there


def spectrum_lines(source: str) -> list[Pair]:
    """Energies of a source's lines, and the neutrinos in each beside a continuous spectrum of `spectrum`."""
    return list(OTHERS[source].lines) if source in OTHERS else [(PROMPT_ENERGY_MEV, 1.0)] if source == "sns" else []


def linear(energies: Sequence[float], values: Sequence[float], area: float | None = None) -> Neutrinos:
    """A spectrum that is linear between the energies of a table, normalised to an area if one is given."""

    def density(energy: float) -> float:
        return between(energy, energies, values)

    scale = 1.0 if area is None else area / integral(density, energies)
    return Neutrinos(lambda energy: scale * density(energy), tuple(energies))


def tabulated(name: str, column: str, where: Callable[[dict[str, str]], bool] = lambda row: True) -> Neutrinos:
    """A column of a data file over its energies in MeV."""
    chosen = [row for row in rows(name) if where(row)]
    return linear([float(row["energy_mev"]) for row in chosen], [float(row[column]) for row in chosen])


def mixed(parts: Sequence[tuple[float, Neutrinos]], area: float | None = None) -> Neutrinos:
    """A weighted sum of spectra with the same edges, normalised to an area if one is given."""
    edges = parts[0][1].edges

    def density(energy: float) -> float:
        return sum(weight * part.density(energy) for weight, part in parts)

    scale = 1.0 if area is None else area / integral(density, edges)
    return Neutrinos(lambda energy: scale * density(energy), edges)


def reactor(name: str, fractions: dict[str, float], area: float | None = None) -> Neutrinos:
    """A reactor's antineutrinos, per fission or normalised to an area: the four spectra of measurements/reactor.md."""
    low_edges = tuple(e for e in tabulated("reactor_kopeikin.csv", "all").edges if e < REACTOR_SWITCH)

    def isotope(fuel: str) -> Neutrinos:
        if name == "vogel-engel":
            return tabulated("reactor_vogel_engel.csv", fuel)
        if name == "bestiole":
            return tabulated("reactor_bestiole.csv", fuel)
        if name == "mueller-vogel-engel":
            return Neutrinos(lambda energy: fission_spectrum(fuel, energy), tuple(spectrum_edges("power plant")))
        below = tabulated("reactor_kopeikin.csv", "all")
        edges = (*low_edges, REACTOR_SWITCH, REACTOR_END)
        return Neutrinos(
            lambda energy: (below.density if energy < REACTOR_SWITCH else partial(fission_spectrum, fuel))(energy),
            edges,
        )

    if name == "vogel-engel" and area is not None:  # each isotope has the area 1
        return mixed([(share * area, mixed([(1.0, isotope(fuel))], 1.0)) for fuel, share in fractions.items()])
    return mixed([(share, isotope(fuel)) for fuel, share in fractions.items()], area)


SOLAR_LINES = {"pep": ((1.442, 1.0),), "7Be": ((0.8613, 0.897), (0.3843, 0.103))}


def solar(
    component: str, survival: Callable[[float], float] = lambda energy: 1.0, bends: Sequence[float] = ()
) -> Neutrinos:
    """A component of the sun's neutrinos, of area 1 as the sun emits them, times a probability that bends somewhere."""
    if component in SOLAR_LINES:
        return Neutrinos(lines=tuple((energy, part * survival(energy)) for energy, part in SOLAR_LINES[component]))
    emitted = tabulated("solar_spectra.csv", "per_mev", lambda row: row["component"] == component)
    emitted = mixed([(1.0, emitted)], 1.0)
    inside = {bend for bend in bends if emitted.edges[0] < bend < emitted.edges[-1]}
    return Neutrinos(
        lambda energy: emitted.density(energy) * survival(energy), tuple(sorted({*emitted.edges, *inside}))
    )


def fluence(experiment: str) -> float:
    """Over the exposure and per cm^2: neutrinos of each SNS flavour, or fissions."""
    row = EXPERIMENTS[experiment]
    area = 4 * math.pi * (row.baseline * 100) ** 2
    if row.source == "sns":
        return SNS_NEUTRINOS_PER_DAY * row.days / area
    energy = sum(part * FISSION_ENERGY[isotope] for isotope, part in FISSION_FRACTIONS[row.source].items())
    return row.strength * 1e9 / (energy * JOULE_PER_MEV) * row.days * DAY / area


def max_recoil(energy: float, mass: float) -> float:
    """Largest recoil energy of a target of this mass (section 3)."""
    return 2 * energy**2 / (mass + 2 * energy)


def kinematic_factor(recoil: float, energy: float, mass: float) -> float:
    """The square bracket of the CEvNS cross section (Eq. 1)."""
    return 2 - 2 * recoil / energy - mass * recoil / energy**2


@lru_cache
def rate_per_nucleus(experiment: str, isotope: Isotope, low_kev: float, high_kev: float) -> float:
    """Counts in a bin over the exposure for a weak charge of 1 (Eq. 16), by nested quadrature over T and E."""
    source = EXPERIMENTS[experiment].source
    mass = isotope.atomic_mass * ATOMIC_MASS_UNIT - isotope.charge * M_ELECTRON
    kinks = [edge * KEV for edge in efficiency_edges(experiment)]
    start, stop = max(kinks[0], low_kev * KEV), min(kinks[-1], high_kev * KEV)
    # A kink of the spectrum at E makes a kink of the recoil spectrum at the largest recoil for E.
    kinks += [max_recoil(energy, mass) for energy in spectrum_edges(source)]

    def detected(recoil: float) -> float:
        q = math.sqrt(2 * mass * recoil + recoil**2)
        return efficiency(experiment, recoil / KEV) * factor(experiment, isotope, q) ** 2

    def continuous(recoil: float) -> float:
        lowest = (recoil + math.sqrt(recoil**2 + 2 * mass * recoil)) / 2  # E for which recoil is max_recoil
        edges = [lowest, *(edge for edge in spectrum_edges(source) if edge > lowest)]
        average = integral(lambda e: spectrum(source, e) * kinematic_factor(recoil, e, mass), edges)
        return detected(recoil) * average

    def prompt(recoil: float) -> float:
        return detected(recoil) * kinematic_factor(recoil, PROMPT_ENERGY_MEV, mass)

    def recoils(energy: float) -> list[float]:
        end = max(start, min(stop, max_recoil(energy, mass)))
        return [start, *(kink for kink in kinks if start < kink < end), end]

    total = integral(continuous, recoils(spectrum_edges(source)[-1]))
    if source == "sns":
        total += integral(prompt, recoils(PROMPT_ENERGY_MEV))
    return fluence(experiment) * G_FERMI**2 * mass / (2 * math.pi) * CM2_PER_MEV_2 * total


@lru_cache
def nuclear_rates(experiment: str) -> tuple[Array, Array, Array]:
    """Z and N of every isotope in the detector, and its counts in each bin for a weak charge of 1, (bins, isotopes)."""
    number = nuclei(experiment)
    charge = np.array([isotope.charge for isotope, _ in number], dtype=np.float64)
    neutrons = np.array([isotope.mass_number - isotope.charge for isotope, _ in number], dtype=np.float64)
    bins = list(itertools.pairwise(EXPERIMENTS[experiment].bins_kev)) or [(0.0, math.inf)]
    rates = [[count * rate_per_nucleus(experiment, isotope, *edges) for isotope, count in number] for edges in bins]
    return charge, neutrons, np.array(rates)


def electron_integrals(energy: float, low: float, high: float) -> Array:
    """The terms of g_L^2, g_R^2 and -g_L g_R in Eq. 6 integrated over a bin, without the prefactor."""
    edges = [low, max(low, min(high, max_recoil(energy, M_ELECTRON)))]
    right = integral(lambda recoil: (1 - recoil / energy) ** 2, edges)
    mixed = integral(lambda recoil: M_ELECTRON * recoil / energy**2, edges)
    return np.array([edges[1] - edges[0], right, mixed])


def electron_rates(experiment: str) -> Array:
    """As `electron_rates_in`, in the experiment's own 120 bins."""
    return electron_rates_in(experiment, tuple(CR51_BIN_EDGES))


@lru_cache
def electron_rates_in(experiment: str, bin_edges: tuple[float, ...]) -> Array:
    """Counts in each bin that multiply g_L^2, g_R^2 and -g_L g_R, shape (3, bins) (Eqs. 6, 18-20)."""
    scale = cr51_neutrinos_per_area(experiment) * XENON_ELECTRONS_PER_CM3
    scale *= 2 * G_FERMI**2 * M_ELECTRON / math.pi * CM2_PER_MEV_2
    bins = itertools.pairwise(bin_edges)
    columns = [sum(part * electron_integrals(e, low, high) for e, part in CR51_LINES) for low, high in bins]
    return np.array(scale * np.array(columns).T)


@lru_cache
def cr51_neutrinos_per_area(experiment: str) -> float:
    """Neutrinos per cm^2 over the exposure, integrated over the volume of xenon in cm^3 (Eqs. 18-20)."""
    row = EXPERIMENTS[experiment]

    def ring(radius: float, z: float) -> float:
        return 2 * math.pi * radius / (radius**2 + z**2)

    xenon = (XENON_DISTANCE, XENON_DISTANCE + XENON_HEIGHT, 0, XENON_RADIUS)
    inverse_square = float(dblquad(ring, *xenon, epsabs=0, epsrel=1e-12)[0])  # 1/r^2 over the volume, cm
    seconds = integral(lambda t: math.exp(-t / CR51_LIFETIME), [0, row.days * DAY])  # s
    return DECAYS_PER_MCI * row.strength * seconds * inverse_square / (4 * math.pi)


def events_between(experiment: str, couplings: Pair, low_kev: float, high_kev: float) -> float:
    """Signal counts of a CEvNS experiment at luminosity 1 with recoil energies between two, for (g_p, g_n)."""
    g_p, g_n = couplings
    parts = (
        number
        * rate_per_nucleus(experiment, isotope, low_kev, high_kev)
        * (g_p * isotope.charge + g_n * (isotope.mass_number - isotope.charge)) ** 2
        for isotope, number in nuclei(experiment)
    )
    return math.fsum(parts)


def events_per_bin(experiment: str, couplings: Pair) -> Array:
    """Signal counts at luminosity 1 for (g_p, g_n) or (g_L, g_R)."""
    g1, g2 = couplings
    if EXPERIMENTS[experiment].channel == "nu-e":
        return np.array([g1**2, g2**2, -g1 * g2]) @ electron_rates(experiment)
    charge, neutrons, rates = nuclear_rates(experiment)
    return np.array([math.fsum(in_bin * (g1 * charge + g2 * neutrons) ** 2) for in_bin in rates])


def excess_per_bin(experiment: str, shift: Pair) -> Array:
    """N - N_SM with x^2 - y^2 as (x - y)(x + y): the difference of two events_per_bin loses digits."""
    channel = EXPERIMENTS[experiment].channel
    (g1, g2), (d1, d2) = sm_couplings(channel), shift
    if channel == "nu-e":
        factors = [d1 * (2 * g1 + d1), d2 * (2 * g2 + d2), -(g1 * d2 + g2 * d1 + d1 * d2)]
        return np.array(factors) @ electron_rates(experiment)
    charge, neutrons, rates = nuclear_rates(experiment)
    weak, change = g1 * charge + g2 * neutrons, d1 * charge + d2 * neutrons
    return np.array([math.fsum(in_bin * change * (2 * weak + change)) for in_bin in rates])


def events(experiment: str, model: str, m_zprime: float, beta: float | None = None, luminosity: float = 1.0) -> float:
    """All signal counts of an experiment."""
    pair = couplings(EXPERIMENTS[experiment].channel, model, m_zprime, beta)
    return luminosity * math.fsum(events_per_bin(experiment, pair))


def chi2(
    experiment: str, model: str, m_zprime: float, beta: float | None = None, sigma_sys: float | None = None,
    luminosity: float = 1.0,
) -> float:  # fmt: skip
    """Eqs. 21-23 with a heavy Z'."""
    channel = EXPERIMENTS[experiment].channel
    standard = events_per_bin(experiment, sm_couplings(channel))
    excess = excess_per_bin(experiment, coupling_shift(channel, model, m_zprime, beta))
    return chi2_of_counts(experiment, standard, excess, sigma_sys, luminosity)


def chi2_of_counts(
    experiment: str, standard: Array, excess: Array, sigma_sys: float | None = None, luminosity: float = 1.0
) -> float:
    """Eqs. 21-23 minimised over the nuisances, each in units of its sigma so that sigma 0 fixes it at 0.

    The counts at luminosity 1 of each bin are those of the Standard Model and what is added to them.
    """
    row = EXPERIMENTS[experiment]
    sigma = row.sigma_sys if sigma_sys is None else sigma_sys
    standard, excess = luminosity * standard, luminosity * excess
    background = (0.0 if row.channel == "nu-e" else row.background) * standard
    scaling = background if row.background_scales else 0.0 * background  # all other backgrounds have been subtracted
    counted = standard > 0  # 51Cr: no bins above the largest recoil
    # The normalisation a is counted from 0, or from -1 where the Z' dominates and a is close to -1: either
    # alone loses digits in the other's range, data - prediction being a difference of large numbers there.
    centre = -1.0 if sigma > 0 and excess.sum() > standard.sum() else 0.0
    first_pull = centre / sigma if sigma > 0 else 0.0

    def residuals(step: Array) -> Array:
        """(data - prediction) / error and the pulls, a = centre + sigma step[0]."""
        if experiment == "coherent-csi":  # Eq. 21: measured counts, signal and neutron nuisances
            neutrons = luminosity * CSI_NEUTRONS * (1 + CSI_NEUTRON_SIGMA * step[1])
            signal = (standard + excess) * (1 + centre) + (standard + excess) * sigma * step[0]
            missing = luminosity * CSI_MEASURED - signal - neutrons
            variance = np.array([luminosity * (CSI_MEASURED + CSI_NEUTRONS + 2 * CSI_STEADY)])
        else:  # Eqs. 22, 23: the data are the SM and the background, so that at a = 0 they miss -excess
            variance, data = standard + background, standard + scaling
            missing = (data if centre else -excess) - (data + excess) * sigma * step[0]
        pulls = [first_pull + step[0], *step[1:]]
        return np.concatenate([missing[counted] / np.sqrt(variance[counted]), pulls])

    # Linear in the nuisances: a least-squares solver minimises the sum of squares. Its error changes the
    # minimum only in second order, since the sum is evaluated where the solver landed.
    units = np.eye(2 if experiment == "coherent-csi" else 1)
    start = residuals(0 * units[0])
    slopes = np.array([residuals(unit) - start for unit in units]).T
    best = np.linalg.lstsq(slopes, -start, rcond=None)[0].astype(np.float64)
    return math.fsum(residuals(best) ** 2)


def chi2_sm(experiment: str, sigma_sys: float | None = None, luminosity: float = 1.0) -> float:
    """chi2 without a Z'."""
    return chi2(experiment, "lr", math.inf, None, sigma_sys, luminosity)


def combined_chi2(
    experiments: Sequence[str], model: str, m_zprime: float, beta: float | None = None,
    sigma_sys: float | None = None, luminosity: float = 1.0,
) -> float:  # fmt: skip
    """Sum over the experiments, each with its own nuisances (Fig. 6)."""
    return math.fsum(chi2(name, model, m_zprime, beta, sigma_sys, luminosity) for name in experiments)


def crossings(
    experiments: Sequence[str], model: str, beta: float | None = None, sigma_sys: float | None = None,
    luminosity: float = 1.0, cl: float = 0.90, dof: int = 1, m_low: float = 1.0, m_high: float = 20000.0,
) -> list[float]:  # fmt: skip
    """Every mass in the range, ascending, at which Delta chi2 crosses the quantile of chi2."""

    def value(x: float) -> float:
        return combined_chi2(experiments, model, math.exp(x), beta, sigma_sys, luminosity)

    def sampled(x: Array, more: Sequence[Array]) -> tuple[Array, Array]:
        x = np.unique(np.concatenate([x, *more]))
        return x, np.array([value(point) for point in x])

    def turning_points() -> list[int]:
        step = np.where(np.abs(np.diff(y)) < 1e-12 * (1 + y[1:]), 0, np.diff(y))  # not rounding
        return [int(i) + 1 for i in np.flatnonzero(step[:-1] * step[1:] < 0)]

    def extremum(low: float, middle: float, high: float) -> Array:
        sign = 1 if value(middle) < value(low) else -1
        found = minimize_scalar(
            lambda p: sign * value(p), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
        )
        return np.array([found.x])

    # The given range, and in each channel shifts of 1e-6 to 1e3, where minima and islands can be.
    grids = [np.linspace(math.log(m_low), math.log(m_high), 800)]
    for channel in {EXPERIMENTS[name].channel for name in experiments}:
        size = math.hypot(*coupling_shift(channel, model, M_Z_GEV, beta))
        if size > 1e-12:  # below this, rounding: no sensitivity
            grids.append(math.log(M_Z_GEV) + np.log(size * np.logspace(-3, 6, 800)) / 2)
    x, y = sampled(grids[0], grids[1:])
    # Finer around each extremum, because a narrow island can lie between grid points; then the extrema.
    x, y = sampled(x, [np.linspace(x[i - 1], x[i + 1], 66) for i in turning_points()])
    x, y = sampled(x, [extremum(x[i - 1], x[i], x[i + 1]) for i in turning_points()])
    in_sm = combined_chi2(experiments, model, math.inf, beta, sigma_sys, luminosity)
    level = min(in_sm, float(y.min())) + float(chi2_distribution.ppf(cl, dof))
    steps = np.flatnonzero((y[:-1] > level) != (y[1:] > level))
    roots = [brentq(lambda p: value(p) - level, x[i], x[i + 1], xtol=1e-13, rtol=1e-14) for i in steps]
    return [math.exp(root) for root in roots if m_low <= math.exp(root) <= m_high]


def limit(
    experiments: Sequence[str], model: str, beta: float | None = None, sigma_sys: float | None = None,
    luminosity: float = 1.0, cl: float = 0.90, dof: int = 1, m_low: float = 1.0, m_high: float = 20000.0,
) -> float:  # fmt: skip
    """Lower limit in GeV: the largest crossing; nan without one, or when the data disfavour the SM itself."""
    found = crossings(experiments, model, beta, sigma_sys, luminosity, cl, dof, m_low, m_high)
    if not found:
        return math.nan
    at_limit = combined_chi2(experiments, model, found[-1], beta, sigma_sys, luminosity)
    in_sm = combined_chi2(experiments, model, math.inf, beta, sigma_sys, luminosity)
    return found[-1] if in_sm <= at_limit else math.nan


class Chain(NamedTuple):
    """A detector's response to a recoil: x; all numbers of x have one unit, an energy or photoelectrons."""

    mean: Callable[[float, Isotope], float]  # x of a recoil energy in keV
    bins: tuple[float, ...]  # edges in x
    density: Callable[[float, float], float] | None = None  # density of x around its mean; None if x is the mean
    width: Callable[[float], float] = lambda mean: 0.0  # standard deviation at a mean
    efficiency: Callable[[float], float] = lambda x: 1.0
    knots: tuple[float, ...] = ()  # x at which the efficiency begins, jumps or bends
    recoil_knots: tuple[float, ...] = ()  # recoil energies in keV at which the mean bends


DEVIATIONS = (-8.0, -3.0, 0.0, 3.0, 8.0)


def gaussian(x: float, mean: float, sigma: float) -> float:
    """Density of a Gaussian."""
    return math.exp(-(((x - mean) / sigma) ** 2) / 2) / (math.sqrt(2 * math.pi) * sigma)


def seen(chain: Chain, mean: float, low: float, high: float) -> float:
    """Probability that a recoil with a mean x is counted between two values of x."""
    if chain.density is None:
        return chain.efficiency(mean) if low <= mean < high else 0.0
    density, width = chain.density, chain.width(mean)
    ends = [max(low, mean - 12 * width), min(high, mean + 60 * width)]
    if ends[0] >= ends[1]:
        return 0.0
    edges = [*chain.knots, *(mean + n * width for n in (*DEVIATIONS, 14.0, 25.0))]
    inside = [edge for edge in edges if ends[0] < edge < ends[1]]
    return integral(lambda x: chain.efficiency(x) * density(x, mean), [*ends, *inside])


def moments(source: str, edges: Sequence[float]) -> tuple[float, float, float]:
    """Integrals of the continuous spectrum times E^-k, k = 0, 1, 2, from the first edge to the last."""

    def moment(power: int) -> float:
        return integral(lambda energy: spectrum(source, energy) / math.pow(energy, power), edges)

    return moment(0), moment(1), moment(2)


@cache
def moments_above(source: str, first: int) -> tuple[float, float, float]:
    """`moments` from an edge of the continuous spectrum to its end."""
    edges, total = spectrum_edges(source)[first:], (0.0, 0.0, 0.0)
    for low, high in reversed(list(itertools.pairwise(edges))):
        zero, one, two = (a + b for a, b in zip(total, moments_between(source, low, high), strict=True))
        total = zero, one, two
    return total


@cache
def moments_between(source: str, low: float, high: float) -> tuple[float, float, float]:
    """`moments` between two edges of the continuous spectrum."""
    return moments(source, [low, high])


def neutrinos_above(source: str, lowest: float) -> tuple[float, float, float]:
    """Neutrinos above an energy, of the continuous spectrum and of the lines, times E^-k, k = 0, 1, 2."""
    total, edges = (0.0, 0.0, 0.0), spectrum_edges(source)
    if edges and lowest < edges[-1]:
        first = next(n for n, edge in enumerate(edges) if edge > lowest)
        parts = moments(source, [max(lowest, edges[0]), edges[first]])
        zero, one, two = (part + above for part, above in zip(parts, moments_above(source, first), strict=True))
        total = zero, one, two
    for energy, number in spectrum_lines(source):
        if lowest < energy:
            total = total[0] + number, total[1] + number / energy, total[2] + number / energy**2
    return total


def lowest_energy(recoil: float, mass: float) -> float:
    """The lowest neutrino energy for a recoil, at which it is the largest recoil."""
    return (recoil + math.sqrt(recoil**2 + 2 * mass * recoil)) / 2


def largest_recoils(source: str, mass: float) -> list[float]:
    """The largest recoils at the edges of a source's spectrum and of its lines."""
    return [max_recoil(energy, mass) for energy in (*spectrum_edges(source), *(e for e, _ in spectrum_lines(source)))]


def recoil_spectrum(source: str, fluence: float, isotope: Isotope, recoil: float) -> float:
    """Recoils per MeV of recoil energy and nucleus, for a weak charge of 1 and without form factor; all neutrinos."""
    mass = mass_of(isotope)
    zero, one, two = neutrinos_above(source, lowest_energy(recoil, mass))
    kinematic = 2 * zero - 2 * recoil * one - mass * recoil * two
    return fluence * G_FERMI**2 * mass / (2 * math.pi) * CM2_PER_MEV_2 * kinematic


def chained_events(
    source: str, fluence: float, numbers: Sequence[tuple[Isotope, float]], couplings: Pair, chain: Chain
) -> Array:
    """Counts in each bin of a detector that measures x of nuclear recoils, by nested quadrature over T and x."""
    g_p, g_n = couplings
    counts = np.zeros(len(chain.bins) - 1)
    for isotope, number in numbers:
        weak = g_p * isotope.charge + g_n * (isotope.mass_number - isotope.charge)

        def rate(recoil: float, isotope: Isotope = isotope) -> float:
            q = math.sqrt(2 * mass_of(isotope) * recoil + recoil**2)
            return recoil_spectrum(source, fluence, isotope, recoil) * form_factor(q, isotope.mass_number) ** 2

        def mean(recoil_kev: float, isotope: Isotope = isotope) -> float:
            return chain.mean(recoil_kev, isotope)

        counts += number * weak**2 * counted_in_bins(rate, mean, largest_recoils(source, mass_of(isotope)), chain)
    return counts


def chained_electrons(
    neutrino: str, source: str, fluence: float, numbers: Sequence[tuple[Isotope, float]], chain: Chain, bound: bool
) -> Array:
    """The same of electrons, free or in their shells, which a neutrino of a kind hits; x is not quenched in the chain.

    A bound electron counts as a free one where the recoil has more than its binding energy.
    """
    shells = {isotope.charge: binding_energies(isotope, bound) for isotope, _ in numbers}
    kinks = {energy for each in shells.values() for energy, _ in each}

    def rate(recoil: float) -> float:
        freed = {z: sum(n for energy, n in each if recoil > energy) for z, each in shells.items()}
        electrons = math.fsum(number * freed[isotope.charge] for isotope, number in numbers)
        section = electron_section(STANDARD, neutrino, recoil)
        weighed = zip(section, neutrinos_above(source, lowest_energy(recoil, M_ELECTRON)), strict=True)
        return fluence * electrons * CM2_PER_MEV_2 * sum(term * moment for term, moment in weighed)

    def mean(recoil_kev: float) -> float:
        return chain.mean(recoil_kev, numbers[0][0])

    return counted_in_bins(rate, mean, [*largest_recoils(source, M_ELECTRON), *kinks], chain)


def binding_energies(isotope: Isotope, bound: bool) -> list[tuple[float, int]]:
    """Binding energies of an atom's shells in MeV and the electrons in each; all at 0 where they are free."""
    if not bound:
        return [(0.0, isotope.charge)]
    symbol = next(row["symbol"] for row in rows("isotopes.csv") if int(row["Z"]) == isotope.charge)
    of_element = [row for row in rows("shells.csv") if row["element"] == symbol]
    return [(float(row["binding_ev"]) * 1e-6, int(row["electrons"])) for row in of_element]


def counted_in_bins(
    rate: Callable[[float], float], mean_of: Callable[[float], float], ends: Sequence[float], chain: Chain
) -> Array:
    """Counts in each bin from a rate of recoils per MeV, which bends or ends at some recoils, and a mean x by keV."""
    counts, last = np.zeros(len(chain.bins) - 1), max(ends)

    def mean(recoil: float) -> float:
        return mean_of(recoil / KEV)

    def recoil_of(x: float, deviations: float) -> float:
        """The recoil with a mean x that is so many standard deviations away."""

        def away(recoil: float) -> float:
            return mean(recoil) + deviations * chain.width(mean(recoil)) - x

        if away(0.0) >= 0 or away(last) <= 0:
            return last
        return float(brentq(away, 0.0, last, xtol=1e-300, rtol=1e-15))

    kinks = sorted({0.0, *ends, *(knot * KEV for knot in chain.recoil_knots if knot * KEV < last)})
    for place, (low, high) in enumerate(itertools.pairwise(chain.bins)):
        xs = [x for x in (low, high, *chain.knots) if 0 < x < math.inf]
        around = DEVIATIONS if chain.density else (0.0,)
        edges = sorted({*kinks, *(recoil_of(x, n) for x in xs for n in around)})
        inside = [
            (a, b) for a, b in itertools.pairwise(edges)
            if mean(b) + 9 * chain.width(mean(b)) > low and mean(a) - 9 * chain.width(mean(a)) < high
        ]  # fmt: skip

        def counted(recoil: float, low: float = low, high: float = high) -> float:
            return seen(chain, mean(recoil), low, high) * rate(recoil)

        counts[place] = math.fsum(integral(counted, pair) for pair in inside)
    return counts


# Interactions of INTERACTIONS.md. Strengths are g, eps, mu / 1e-11 mu_B, q / 1e-12 e, <r^2> / 1e-32 cm^2 and the shift
# of sin^2(theta_W); masses of mediators are MeV.
Chiral = dict[str, float]  # couplings of uL, uR, dL, dR, eL, eR; missing ones are 0

FLAVOURS = ("e", "mu", "tau")
LEPTON_MASSES = {"e": M_ELECTRON, "mu": M_MUON, "tau": M_TAU}
ELECTRIC_CHARGES = {"u": 2 / 3, "d": -1 / 3, "e": -1.0}
VECTOR_CHARGES = {  # of nu_e, nu_mu, nu_tau (and of e, mu, tau), and of u and d
    "universal": ((1, 1, 1), 1.0),
    "b-l": ((-1, -1, -1), 1 / 3),
    "b-3le": ((-3, 0, 0), 1 / 3),
    "b-3lmu": ((0, -3, 0), 1 / 3),
    "b-2le-lmu": ((-2, -1, 0), 1 / 3),
    "lmu-ltau": ((0, 1, -1), 0.0),
    "le-lmu": ((1, -1, 0), 0.0),
    "le-ltau": ((1, 0, -1), 0.0),
}
SCALAR_COUPLINGS = {"scalar-q14": (15.1, 14.0), "scalar-sigma17": (17.3, 17.3), "scalar-ftq": (18.6747, 18.8822)}


class Interaction(NamedTuple):
    """The additions to the amplitudes of a neutrino by its flavour, some of them functions of q^2 = 2 M T in MeV^2."""

    interfering: Callable[[str, float], Chiral] = lambda flavour, q2: {}  # with the Standard Model
    changing: Callable[[str], list[Chiral]] = lambda flavour: []  # one for each other flavour that comes out
    scalar: Callable[[float], tuple[float, float, float]] = lambda q2: (0.0, 0.0, 0.0)  # off p, n and e, in MeV^-2
    magnetic: Callable[[str], float] = lambda flavour: 0.0  # moment in mu_B
    softness: float = 1.0  # recoil energy in MeV above which cross sections fall


STANDARD = Interaction()


def vector_couplings(of: dict[str, float]) -> Chiral:
    """Equal left and right couplings, from the vector coupling of each fermion, which is their sum."""
    return {fermion + hand: coupling / 2 for fermion, coupling in of.items() for hand in "LR"}


def vector(model: str, mass: float, g: float) -> Interaction:
    """Exchange of a vector of any mass; with a loop of charged leptons where no quark is charged."""
    leptons, quark = VECTOR_CHARGES[model]
    charges = {"u": quark, "d": quark, "e": float(leptons[0])}

    def interfering(flavour: str, q2: float) -> Chiral:
        charge = leptons[FLAVOURS.index(flavour)]
        mixing = 0.0 if quark else 2 * ALPHA / math.pi * vacuum_polarisation(leptons, q2)
        strength = g**2 * charge / (math.sqrt(2) * G_FERMI * (q2 + mass**2))
        return vector_couplings({f: strength * (charges[f] + ELECTRIC_CHARGES[f] * mixing) for f in charges})

    return Interaction(interfering, softness=min(1.0, mass**2 / (2 * M_ELECTRON)))


@cache
def vacuum_polarisation(charges: tuple[float, ...], q2: float) -> float:
    """- sum_k Q_k int_0^1 y (1 - y) ln(m_k^2 + y (1 - y) q^2) dy over the charged leptons; sum Q_k = 0."""

    def loop(mass: float) -> float:
        def integrand(y: float) -> float:
            return y * (1 - y) * math.log(mass**2 + y * (1 - y) * q2)

        return 2 * integral(integrand, [0.0, 1e-4, 1e-2, 0.5])

    return -math.fsum(q * loop(LEPTON_MASSES[k]) for k, q in zip(FLAVOURS, charges, strict=True) if q)


def scalar(model: str, mass: float, g: float) -> Interaction:
    """Exchange of a scalar; off electrons g^2 is the product of the couplings of neutrino and electron."""
    proton, neutron = SCALAR_COUPLINGS[model]

    def amplitudes(q2: float) -> tuple[float, float, float]:
        exchange = g**2 / (q2 + mass**2)
        return proton * exchange, neutron * exchange, exchange

    return Interaction(scalar=amplitudes, softness=min(1.0, mass**2 / (2 * M_ELECTRON)))


def nsi(flavours: str, directions: dict[str, float]) -> Interaction:
    """Non-standard interactions eps of two flavours ("ee", "etau") with u and d (vector), eL and eR."""
    quarks = {fermion: eps for fermion, eps in directions.items() if fermion in ("u", "d")}
    electrons = {fermion: eps for fermion, eps in directions.items() if fermion in ("eL", "eR")}
    chiral = vector_couplings(quarks) | electrons
    first, second = next((a, b) for a in FLAVOURS for b in FLAVOURS if a + b == flavours)
    if first == second:
        return Interaction(interfering=lambda flavour, q2: chiral if flavour == first else {})
    return Interaction(changing=lambda flavour: [chiral] if flavour in (first, second) else [])


def magnetic(of: str, moment: float) -> Interaction:
    """A magnetic moment of one flavour."""
    return Interaction(magnetic=lambda flavour: moment * 1e-11 if flavour == of else 0.0, softness=0.0)


def photon_couplings(charge: float, q2: float) -> Chiral:
    """Exchange of a photon by a neutrino with an electric charge in units of e."""
    exchange = 4 * math.pi * ALPHA * charge / (math.sqrt(2) * G_FERMI * q2)
    return vector_couplings({fermion: exchange * electric for fermion, electric in ELECTRIC_CHARGES.items()})


def millicharge(of: str, charge: float) -> Interaction:
    """An electric charge of one flavour."""

    def interfering(flavour: str, q2: float) -> Chiral:
        return photon_couplings(charge * 1e-12, q2) if flavour == of else {}

    return Interaction(interfering, softness=0.0)


def radius(of: str, mean_square: float) -> Interaction:
    """A charge radius of one flavour: a charge of - <r^2> q^2 / 6, whose q^2 cancels the photon's propagator."""
    per_q2 = -mean_square * 1e-32 / CM2_PER_MEV_2 / 6
    return Interaction(lambda flavour, q2: photon_couplings(per_q2 * q2, q2) if flavour == of else {})


def weak_angle(shift: float) -> Interaction:
    """A shift of sin^2(theta_W)."""
    quarks = {fermion: -RHO * KAPPA * ELECTRIC_CHARGES[fermion] * shift for fermion in ("u", "d")}
    chiral = {fermion + hand: coupling for fermion, coupling in quarks.items() for hand in "LR"}
    chiral |= {"eL": RHO_E * KAPPA_E * shift, "eR": RHO_E * KAPPA_E * shift}
    return Interaction(lambda flavour, q2: chiral)


class Beam(NamedTuple):
    """Neutrinos of one kind over the exposure."""

    neutrino: str  # nu_e, nubar_mu, ...
    fluence: float  # neutrinos per cm^2, times the fractions of lines and the spectrum
    lines: tuple[Pair, ...] = ()  # MeV, fraction
    source: str = ""  # continuous spectrum; None if there are only lines

    def density(self, energy: float) -> float:
        """The continuous spectrum per MeV."""
        return sns_spectrum(self.neutrino, energy) if self.source == "sns" else spectrum(self.source, energy)

    @property
    def edges(self) -> list[float]:
        """Neutrino energies where the continuous spectrum begins, has a kink and ends."""
        return spectrum_edges(self.source) if self.source else []


def beams(experiment: str) -> list[Beam]:
    """The neutrinos of an experiment; those of 51Cr are integrated over the volume of xenon in cm^3."""
    row = EXPERIMENTS[experiment]
    if row.source == "sns":
        line = Beam("nu_mu", fluence(experiment), ((PROMPT_ENERGY_MEV, 1.0),))
        return [line, *(Beam(neutrino, fluence(experiment), (), "sns") for neutrino in ("nu_e", "nubar_mu"))]
    if row.source == "cr51":
        return [Beam("nu_e", cr51_neutrinos_per_area(experiment), CR51_LINES)]
    if row.source == "be7":
        total = BE7_FLUX * row.days * DAY
        return [Beam(neutrino, total * share, BE7_LINES) for neutrino, share in BE7_FLAVOURS.items()]
    return [Beam("nubar_e", fluence(experiment), (), row.source)]


@cache
def inverse_moments(beam: Beam, lowest: float) -> tuple[float, float, float]:
    """Neutrinos per cm^2 above an energy, times E^-k, for k = 0, 1, 2."""

    def moment(power: int) -> float:
        lines = math.fsum(part / math.pow(energy, power) for energy, part in beam.lines if energy > lowest)
        edges = [lowest, *(edge for edge in beam.edges if edge > lowest)]
        return beam.fluence * (lines + integral(lambda e: beam.density(e) / math.pow(e, power), edges))

    return moment(0), moment(1), moment(2)


def targets(experiment: str) -> list[tuple[Isotope | None, float]]:
    """The targets of neutrinos and their numbers: nuclei, or electrons (None), for 51Cr per cm^3."""
    row = EXPERIMENTS[experiment]
    if row.channel == "cevns":
        return [*nuclei(experiment)]
    if row.source == "cr51":
        return [(None, XENON_ELECTRONS_PER_CM3)]
    return [(None, math.fsum(number * isotope.charge for isotope, number in nuclei(experiment)))]


def mass_of(isotope: Isotope | None) -> float:
    """Mass of a nucleus, or of the electron."""
    return M_ELECTRON if isotope is None else isotope.atomic_mass * ATOMIC_MASS_UNIT - isotope.charge * M_ELECTRON


def nuclear_section(new: Interaction, flavour: str, isotope: Isotope, recoil: float) -> tuple[float, float, float]:
    """Terms in E^0, E^-1 and E^-2 of dsigma/dT off a nucleus in MeV^-3, without its form factor."""
    mass, charge, neutrons = mass_of(isotope), isotope.charge, isotope.mass_number - isotope.charge
    q2 = 2 * mass * recoil

    def weak_charge(chiral: Chiral) -> float:
        g_p, g_n = nucleon_couplings(dict.fromkeys(("uL", "uR", "dL", "dR"), 0.0) | chiral)
        return g_p * charge + g_n * neutrons

    amplitudes = [weak_charge(quark_couplings()) + weak_charge(new.interfering(flavour, q2))]
    amplitudes += [weak_charge(chiral) for chiral in new.changing(flavour)]
    weak = G_FERMI**2 * mass / (2 * math.pi) * math.fsum(amplitude**2 for amplitude in amplitudes)
    proton, neutron, _ = new.scalar(q2)
    scalar = (proton * charge + neutron * neutrons) ** 2 * mass**2 * recoil / (4 * math.pi)
    moment = math.pi * ALPHA**2 / M_ELECTRON**2 * (new.magnetic(flavour) * charge) ** 2
    return 2 * weak + moment / recoil, -2 * recoil * weak - moment, -mass * recoil * weak + scalar


def electron_section(new: Interaction, neutrino: str, recoil: float) -> tuple[float, float, float]:
    """Terms in E^0, E^-1 and E^-2 of dsigma/dT off a free electron in MeV^-3 (Eq. 6)."""
    kind, flavour = neutrino.split("_")
    q2 = 2 * M_ELECTRON * recoil

    def pair(chiral: Chiral) -> Pair:
        left, right = chiral.get("eL", 0.0), chiral.get("eR", 0.0)
        return (right, left) if kind == "nubar" else (left, right)

    standard = dict(zip(("eL", "eR"), sm_couplings("nu-e", flavour), strict=True))
    (g_1, g_2), (d_1, d_2) = pair(standard), pair(new.interfering(flavour, q2))
    amplitudes = [(g_1 + d_1, g_2 + d_2), *(pair(chiral) for chiral in new.changing(flavour))]
    strength = 2 * G_FERMI**2 * M_ELECTRON / math.pi
    zero = strength * math.fsum(a**2 + b**2 for a, b in amplitudes)
    one = strength * math.fsum(-2 * recoil * b**2 for _, b in amplitudes)
    two = strength * math.fsum(recoil**2 * b**2 - M_ELECTRON * recoil * a * b for a, b in amplitudes)
    scalar = new.scalar(q2)[2] ** 2 * M_ELECTRON**2 * recoil * (1 + recoil / (2 * M_ELECTRON)) / (4 * math.pi)
    moment = math.pi * ALPHA**2 / M_ELECTRON**2 * new.magnetic(flavour) ** 2
    return zero + moment / recoil if moment else zero, one - moment, two + scalar


def counts(experiment: str, new: Interaction) -> dict[str, Array]:
    """Signal counts in each bin at luminosity 1 of each neutrino, by nested quadrature over T and E.

    The variable of the integral over T is ln(T + the softness), or ln(T) where no recoil is arbitrarily small: cross
    sections rise steeply towards small T where what is exchanged is light.
    """
    row = EXPERIMENTS[experiment]
    edges_kev = [edge / KEV for edge in CR51_BIN_EDGES] if row.source == "cr51" else row.bins_kev or (0.0, math.inf)
    bins = list(itertools.pairwise(edges_kev))
    found: dict[str, Array] = {}
    for beam in beams(experiment):
        found[beam.neutrino] = np.zeros(len(bins))
        for isotope, number in targets(experiment):
            in_bins = [scatterings(experiment, new, beam, isotope, low, high) for low, high in bins]
            found[beam.neutrino] += number * np.array(in_bins)
    return found


def scatterings(
    experiment: str, new: Interaction, beam: Beam, isotope: Isotope | None, low_kev: float, high_kev: float
) -> float:
    """Counts per nucleus, or electron, between two recoil energies."""
    mass, kinks = mass_of(isotope), [edge * KEV for edge in efficiency_edges(experiment)]
    ends = [max_recoil(energy, mass) for energy in (*beam.edges, *(energy for energy, _ in beam.lines))]
    start, stop = max(kinks[0], low_kev * KEV), min(kinks[-1], high_kev * KEV, max(ends))
    soft = 0.0 if start > 0 else new.softness

    def counted(s: float) -> float:
        recoil = math.exp(s) - soft
        lowest = (recoil + math.sqrt(recoil**2 + 2 * mass * recoil)) / 2  # E for which recoil is max_recoil
        if isotope is None:
            section, detected = electron_section(new, beam.neutrino, recoil), 1.0
        else:
            section = nuclear_section(new, beam.neutrino.split("_")[1], isotope, recoil)
            detected = factor(experiment, isotope, math.sqrt(2 * mass * recoil + recoil**2)) ** 2
        detected *= efficiency(experiment, recoil / KEV) * CM2_PER_MEV_2
        weighed = zip(section, inverse_moments(beam, lowest), strict=True)
        return math.exp(s) * detected * sum(term * moment for term, moment in weighed)

    inside = [kink for kink in (*kinks, *ends) if start < kink < stop]
    return integral(counted, [math.log(t + soft) for t in (start, *inside, stop)]) if start < stop else 0.0


def all_counts(experiment: str, new: Interaction) -> Array:
    """All signal counts in each bin at luminosity 1."""
    total: Array = np.stack([*counts(experiment, new).values()]).sum(axis=0)
    return total


@cache
def standard_counts(experiment: str) -> Array:
    """All signal counts of the Standard Model in each bin."""
    return all_counts(experiment, STANDARD)


def chi2_with(experiment: str, new: Interaction, sigma_sys: float | None = None, luminosity: float = 1.0) -> float:
    """chi2 with an interaction."""
    standard = standard_counts(experiment)
    excess = all_counts(experiment, new) - standard
    return chi2_of_counts(experiment, standard, excess, sigma_sys, luminosity)
