"""Reference calculation of counted events in bins of energy and time, slow and obvious on purpose.

Written from measurements/csi.md and measurements/lar.md, with nothing of the package but its tables of data: Gauss-
Legendre quadrature of every integral, and damped Newton steps in plain numpy for the nuisances.  Recoils, masses and
neutrinos' energies are MeV, those of detectors photoelectrons (PE) or keVee, times us.  Bins are those of one energy
after the other, each in all bins of F90 where there are some, each in all times.  Interactions are those of `naive`.
"""

import itertools
import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import naive
import numpy as np
from naive import Array, Interaction, Isotope
from numpy.polynomial.legendre import leggauss
from scipy.optimize import brentq, linprog, minimize_scalar
from scipy.special import gammaln, log_ndtr, ndtr, pdtr, spherical_jn

NEUTRINOS = ("nu_e", "nu_mu", "nubar_mu")
END_OF_MUON_DECAY = naive.M_MUON / 2
SPECTRA = {  # coefficients of E^2 and E^3
    "nu_e": (96 / naive.M_MUON**3, -192 / naive.M_MUON**4),
    "nubar_mu": (48 / naive.M_MUON**3, -64 / naive.M_MUON**4),
}
PION_LIFETIME, MUON_LIFETIME = 0.026033, 2.1969811  # us
PANELS, ORDER = 40, 24  # of the recoils
CSI_2021_PE = np.array([0, 8, 12, 16, 20, 24, 32, 40, 50, 60.0])
CSI_2021_TIME = np.array([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 2, 4, 6])
LAR_ENERGY = np.arange(0.0, 121, 10)
LAR_TIME = -0.1 + 0.5 * np.arange(11.0)
LAR_F90_BINS = 8


class Recoils(NamedTuple):
    """Recoils of one isotope by one neutrino, as nodes of a quadrature."""

    isotope: Isotope
    transfer2: Array  # q^2 = 2 M T at each node
    counted: Array  # (energy bins, nodes): events per unit of the squared weak charge


class Electrons(NamedTuple):
    """Recoils of bound electrons by one neutrino, as nodes of a quadrature."""

    recoil: Array
    counted: Array  # (energy bins, nodes): events per unit of the cross section, in MeV^-3, averaged over the spectrum
    moments: Array  # (3, nodes): the spectrum that can give the recoil, times E^-k


class Counted(NamedTuple):
    """A measurement; everything but what depends on couplings is a number in each bin."""

    recoils: list[tuple[str, Recoils]]  # the neutrino of each
    arrival: dict[str, Array]  # (1 + shapes, energy bins, bins of each): shares, then changes at one sigma
    sigma: float  # relative error of the signal's normalisation
    backgrounds: dict[str, Array]
    changes: dict[str, Array]  # changes of backgrounds at one sigma of each nuisance, by name
    observed: Array
    electrons: tuple[tuple[str, Electrons], ...] = ()

    @property
    def background(self) -> Array:
        """Events of all backgrounds."""
        return sum(self.backgrounds.values(), np.zeros(len(self.observed)))


class Minimum(NamedTuple):
    """The smallest chi2, and the parameters there."""

    chi2: float
    scale: float  # of the signal
    pulls: Array  # of its shapes, then of the changes of backgrounds, in sigmas


def nodes(edges: Array, order: int = ORDER) -> tuple[Array, Array]:
    """Nodes and weights between the first and the last edge, equally many in each interval."""
    x, w = leggauss(order)
    low, half = edges[:-1, None], np.diff(edges)[:, None] / 2
    return (low + half * (1 + x)).ravel(), (half * w).ravel()


def table(name: str) -> dict[str, Array]:
    """The columns of one of the package's tables."""
    rows = naive.rows(f"experiments/{name}.csv")
    return {column: np.array([float(row[column]) for row in rows]) for column in rows[0]}


# Signal, csi.md section 1 and lar.md section 2


def kinematic(neutrino: str, recoil: Array, mass: float) -> Array:
    """K_f(T): the integral of the spectrum times [2 - 2 T/E - M T/E^2], a cubic in E and exact with four nodes."""
    lowest = (recoil + np.sqrt(recoil**2 + 2 * mass * recoil)) / 2
    if neutrino == "nu_mu":
        e = naive.PROMPT_ENERGY_MEV
        return np.where(lowest < e, 2 - 2 * recoil / e - mass * recoil / e**2, 0.0)
    x, w = leggauss(4)
    half = np.maximum(END_OF_MUON_DECAY - lowest, 0) / 2
    energies = lowest + half * (1 + x[:, None])
    c2, c3 = SPECTRA[neutrino]
    bracket = 2 * energies**2 - 2 * recoil * energies - mass * recoil  # times E^2, a factor of the spectrum
    found: Array = half * (w @ ((c2 + c3 * energies) * bracket))
    return found


def fermi(isotope: Isotope, momentum: Array) -> Array:
    """The symmetrised Fermi form factor of `naive`."""
    return np.array([naive.form_factor(q, isotope.mass_number) for q in momentum])


def helm(isotope: Isotope, momentum: Array) -> Array:
    """Helm form factor with the neutron radii of caesium and iodine, csi.md section 7."""
    rms, skin = {55: 5.01, 53: 4.94}[isotope.charge], 0.9
    q, radius = momentum / naive.HBAR_C, math.sqrt(5 / 3 * (rms**2 - 3 * skin**2))
    found: Array = 3 * spherical_jn(1, q * radius) / (q * radius) * np.exp(-((q * skin) ** 2) / 2)
    return found


def recoils(
    numbers: list[tuple[Isotope, float]],
    fluence: float,
    response: Callable[[Array], Array],
    form_factor: Callable[[Isotope, Array], Array] = fermi,
) -> list[tuple[str, Recoils]]:
    """Recoils of all isotopes, given their numbers, neutrinos per cm^2 of each kind, and G_i(T) in each energy bin."""
    found = []
    for (isotope, number), neutrino in itertools.product(numbers, NEUTRINOS):
        mass = naive.mass_of(isotope)
        end = naive.PROMPT_ENERGY_MEV if neutrino == "nu_mu" else END_OF_MUON_DECAY
        u, weights = nodes(np.linspace(0, 1, PANELS + 1))  # T = Tmax u^2, as K_f has a root of T
        last = naive.max_recoil(end, mass)
        recoil, weights = last * u**2, 2 * last * u * weights
        momentum = np.sqrt(2 * mass * recoil + recoil**2)
        scale = number * fluence * naive.G_FERMI**2 * mass / (2 * math.pi) * naive.CM2_PER_MEV_2
        rate = scale * form_factor(isotope, momentum) ** 2 * kinematic(neutrino, recoil, mass)
        found.append((neutrino, Recoils(isotope, 2 * mass * recoil, response(recoil) * (rate * weights))))
    return found


def electrons(
    numbers: list[tuple[Isotope, float]], fluence: float, response: Callable[[Array], Array], largest: float
) -> list[tuple[str, Electrons]]:
    """Recoils of the electrons of atoms up to some energy, each free above its binding energy; G_i(T) is theirs."""
    shells = [
        (energy, number * n) for isotope, number in numbers for energy, n in naive.binding_energies(isotope, True)
    ]
    recoil, weights = nodes(
        np.unique([*np.geomspace(1e-2 * naive.KEV, largest, 60), *(e for e, _ in shells if e < largest)])
    )
    freed = sum(n * (recoil > energy) for energy, n in shells)
    counted = response(recoil) * (freed * weights * fluence * naive.CM2_PER_MEV_2)
    return [(neutrino, Electrons(recoil, counted, moments(neutrino, recoil))) for neutrino in NEUTRINOS]


def moments(neutrino: str, recoil: Array) -> Array:
    """The integral of the spectrum times E^-k, k = 0, 1, 2, above the energy that gives an electron a recoil."""
    lowest = (recoil + np.sqrt(recoil**2 + 2 * naive.M_ELECTRON * recoil)) / 2
    if neutrino == "nu_mu":
        return np.array([(lowest < naive.PROMPT_ENERGY_MEV) / naive.PROMPT_ENERGY_MEV**k for k in range(3)])
    x, w = leggauss(4)
    half = (END_OF_MUON_DECAY - lowest) / 2
    energies = lowest + half * (1 + x[:, None])
    c2, c3 = SPECTRA[neutrino]
    return np.array([half * (w @ ((c2 + c3 * energies) * energies ** (2 - k))) for k in range(3)])


def charge2(new: Interaction, neutrino: str, isotope: Isotope, transfer2: Array) -> Array:
    """Squared weak charge, summed over the flavours that come out."""
    flavour, neutrons = neutrino.split("_")[1], isotope.mass_number - isotope.charge

    def charge(chiral: naive.Chiral) -> Array:
        g_p, g_n = naive.nucleon_couplings(dict.fromkeys(("uL", "uR", "dL", "dR"), 0.0) | chiral)
        return np.asarray(g_p * isotope.charge + g_n * neutrons)

    interfering = new.interfering(flavour, transfer2)  # type: ignore[arg-type]  # sums and products, of arrays too
    amplitudes = [charge(naive.quark_couplings()) + charge(interfering)]
    amplitudes += [charge(chiral) for chiral in new.changing(flavour)]
    return np.broadcast_to(sum(amplitude**2 for amplitude in amplitudes), transfer2.shape)


def energy_counts(measured: Counted, new: Interaction) -> dict[str, Array]:
    """Events of each neutrino in each energy bin, at all times and in all bins of F90."""
    found = {neutrino: np.zeros(shares.shape[1]) for neutrino, shares in measured.arrival.items()}
    for neutrino, part in measured.recoils:
        found[neutrino] += part.counted @ charge2(new, neutrino, part.isotope, part.transfer2)
    for neutrino, each in measured.electrons:
        sections = np.array([naive.electron_section(new, neutrino, recoil) for recoil in each.recoil])
        found[neutrino] += each.counted @ (sections.T * each.moments).sum(axis=0)
    return found


def counts(measured: Counted, new: Interaction) -> dict[str, Array]:
    """Events of each neutrino in each bin, and their change at one sigma of each shape: (1 + shapes, bins)."""
    by_energy, shapes = energy_counts(measured, new), len(measured.arrival["nu_e"])
    return {
        neutrino: (shares * by_energy[neutrino][:, None]).reshape(shapes, -1)
        for neutrino, shares in measured.arrival.items()
    }


def signal(measured: Counted, new: Interaction) -> Array:
    """Events in each bin, and their change at one sigma of each shape: (1 + shapes, bins)."""
    total: Array = np.sum([*counts(measured, new).values()], axis=0)
    return total


# Statistic, csi.md section 4 and lar.md section 3


def chi2(measured: Counted, new: Interaction) -> float:
    """chi2 with an interaction."""
    return minimum(measured, signal(measured, new)).chi2


def minimum(measured: Counted, expected: Array) -> Minimum:
    """The smallest chi2 over the nuisances, for the signal and its shapes in each bin."""
    problem = Problem(
        measured.background, np.vstack([expected, *measured.changes.values()]), measured.observed, measured.sigma
    )
    first = np.eye(len(problem.templates))[0]
    starts = (first * problem.scale_in_one_bin(), first)
    start = next((each for each in starts if math.isfinite(problem.chi2(each))), None)
    value, found = problem.descended(problem.possible() if start is None else start)
    return Minimum(value, float(found[0]), found[1:])


class Problem(NamedTuple):
    """chi2 of parameters: the scale of the signal, then nuisances in sigmas, each with a template of events."""

    background: Array
    templates: Array  # (parameters, bins)
    observed: Array
    sigma: float  # relative error of the signal's scale

    def chi2(self, parameters: Array) -> float:
        """chi2; infinite where a bin with events expects none."""
        expected, counted = self.background + parameters @ self.templates, self.observed > 0
        if np.any(expected[counted] <= 0):
            return math.inf
        ratio = expected[counted] / self.observed[counted]
        deviance = np.sum(self.observed[counted] * (ratio - 1 - np.log(ratio))) + np.sum(expected[~counted])
        size = (parameters[0] - 1) / self.sigma if self.sigma else 0.0
        return float(2 * deviance + size**2 + parameters[1:] @ parameters[1:])

    def scale_in_one_bin(self) -> float:
        """The best scale of the signal if all bins were one; a search from 1 would take long for huge signals."""
        total, background = self.templates[0].sum(), self.background.sum()
        if total <= 0 or self.sigma == 0:
            return 1.0
        # in m = scale S + B, half of the derivative of chi2 is 1 - n / m + (m - B - S) / (sigma S)^2
        width = (self.sigma * total) ** 2
        half = (total + background - width) / 2
        root = math.sqrt(half**2 + width * self.observed.sum())
        m = half + root if half > 0 else width * self.observed.sum() / (root - half)
        return float((m - background) / total)

    def possible(self) -> Array:
        """Parameters that make the smallest expectation in a bin with events as large as possible, or 1."""
        size, counted = len(self.templates), self.observed > 0
        bounds = [(-100.0, 100.0) if self.sigma else (1.0, 1.0), *[(-100.0, 100.0)] * (size - 1), (None, 1.0)]
        least = np.append(np.zeros(size), -1.0)  # the last variable, the smallest expectation, is maximised
        above = np.column_stack([-self.templates[:, counted].T, np.ones(counted.sum())])
        found: Array = linprog(least, above, self.background[counted], bounds=bounds).x[:-1]
        return found

    def descended(self, parameters: Array) -> tuple[float, Array]:
        """The smallest chi2 and its parameters, by Newton steps that are halved as long as chi2 doesn't fall.

        A step s is the smallest |A s + r|^2 + 2 c s, with a row of A for each bin that has events and for each prior,
        and the slopes c of the other bins: a least-squares problem keeps digits that the Hessian A^T A would lose.
        """
        centres, errors = np.eye(len(parameters))[0], np.append(self.sigma, np.ones(len(parameters) - 1))
        free, counted, value = errors > 0, self.observed > 0, self.chi2(parameters)
        templates, observed, priors = self.templates[free], self.observed[counted], np.diag(1 / errors[free])
        without = templates[:, ~counted].sum(axis=1)
        while math.isfinite(value):
            expected = (self.background + parameters @ self.templates)[counted]
            rows = np.vstack([(templates[:, counted] * np.sqrt(observed) / expected).T, priors])
            pulls = (parameters - centres)[free] / errors[free]
            residuals = np.concatenate([(expected - observed) / np.sqrt(observed), pulls])
            units = 1 / np.sqrt((rows**2).sum(axis=0))
            rows *= units
            residuals += np.linalg.lstsq(rows.T, units * without, rcond=None)[0]
            step = np.zeros(len(parameters))
            step[free] = -units * np.linalg.lstsq(rows, residuals, rcond=None)[0]
            decrement = ((rows @ (step[free] / units)) ** 2).sum()  # chi2 falls by this; its error is the square
            if decrement < max(1e-9, 1e-13 * value):
                return self.chi2(parameters + step), parameters + step
            while self.chi2(parameters + step) >= value:
                step /= 2
                if np.array_equal(parameters + step, parameters):  # rounding hides the rest
                    return value, parameters
            parameters = parameters + step
            value = self.chi2(parameters)
        return value, parameters


# Along a strength


@dataclass(frozen=True, eq=False)
class Along:
    """Signals that are a quadratic polynomial in a strength x."""

    measured: Counted
    powers: Array  # (3, 1 + shapes, bins)
    scale: float  # scale of the strength
    signed: bool  # whether x can be negative

    def chi2(self, x: float) -> float:
        """chi2 at a strength."""
        return minimum(self.measured, self.powers[0] + x * (self.powers[1] + x * self.powers[2])).chi2

    @cached_property
    def strengths(self) -> Array:
        """Strengths, close enough to separate all minima of chi2; they begin at 0 if they can't be negative."""
        positive = self.scale * np.concatenate([np.linspace(0.02, 2.4, 120), np.geomspace(2.5, 30, 20)])
        return np.concatenate([-positive[::-1] if self.signed else [], [0.0], positive])

    @cached_property
    def values(self) -> Array:
        """chi2 at the strengths."""
        return np.array([self.chi2(x) for x in self.strengths])

    def minima(self) -> list[tuple[float, float]]:
        """Strength and chi2 of each minimum, the nearest to x = 0 first."""
        around = [slice(max(i - 1, 0), i + 2) for i in range(len(self.values))]
        lowest = [each for each, value in zip(around, self.values, strict=True) if value == self.values[each].min()]
        found = [self.best(*self.strengths[each][[0, -1]]) for each in lowest]
        return sorted(((x, self.chi2(x)) for x in found), key=lambda each: abs(each[0]))

    def best(self, low: float, high: float) -> float:
        """The strength of the smallest chi2 between two strengths."""
        options = {"xatol": 1e-10 * self.scale}
        return float(minimize_scalar(self.chi2, bounds=(low, high), method="bounded", options=options).x)

    def allowed(self, quantile: float, nearest: bool = False) -> list[float]:
        """The ends of all intervals in which chi2 is at most a quantile above its infimum, ascending.

        In place of the infimum it can be the minimum nearest to x = 0.
        """
        minima = [value for _, value in self.minima()]
        level = quantile + (minima[0] if nearest else min(minima))
        strengths, inside = self.strengths, self.values <= level
        crossed = np.flatnonzero(inside[1:] != inside[:-1])
        ends = [
            float(brentq(lambda x: self.chi2(x) - level, *strengths[i : i + 2], xtol=1e-300, rtol=1e-13))
            for i in crossed
        ]
        return [0.0, *ends] if inside[0] and not self.signed else ends


def along(measured: Counted, model: str, at: dict[str, float]) -> Along:
    """Along the strength of a model of fastscan's name, which is g^2 of a mediator with a mass ``m_zprime`` in GeV."""

    def interaction(x: float) -> Interaction:
        if "m_zprime" in at:
            return naive.vector(model, 1e3 * at["m_zprime"], math.sqrt(x))
        if model == "s2w":
            return naive.weak_angle(x)
        _, pair, quark = model.split("-")
        return naive.nsi(pair, {quark: x})

    size = 1e-8 if "m_zprime" in at else 0.1
    zero, one, two = (signal(measured, interaction(x)) for x in (0.0, size, 2 * size))
    linear, square = (4 * one - 3 * zero - two) / (2 * size), (two - 2 * one + zero) / (2 * size**2)
    scale = math.sqrt(zero[0].sum() / square[0].sum())
    return Along(measured, np.array([zero, linear, square]), scale, signed="m_zprime" not in at)


def scaled(measured: Counted, expected: Array) -> Along:
    """Along the common size, without an error, of a signal and its shapes; the size is relative to the given signal."""
    none = 0 * expected
    return Along(measured._replace(sigma=0.0), np.array([none, expected, none]), 1.0, signed=False)


# CsI[Na], csi.md sections 1 to 3 and 5


def caesium_iodide(kilograms: float) -> list[tuple[Isotope, float]]:
    """Numbers of nuclei."""
    isotopes = [naive.isotopes("Cs")[0], naive.isotopes("I")[0]]
    number = kilograms * 1e3 * naive.AVOGADRO / sum(isotope.atomic_mass for isotope in isotopes)
    return [(isotope, number) for isotope in isotopes]


def sns_fluence(per_proton: float, protons: float, metres: float) -> float:
    """Neutrinos of each kind per cm^2."""
    return per_proton * protons / (4 * math.pi * (100 * metres) ** 2)


def csi_2021_response(recoil: Array) -> Array:
    """G_i(T) of nuclei, shape (9, recoils), csi.md section 2."""
    return csi_2021_bins(1e3 * (0.0554628 * recoil + 4.30681 * recoil**2 - 111.707 * recoil**3 + 840.384 * recoil**4))


def csi_2021_bins(ee: Array) -> Array:
    """Probability of each bin for energies in keVee, shape (9, energies)."""
    shape = 1 + 9.56 * ee
    rate = shape * 0.0749 / ee
    zero = 10.8646 - math.log(1.32045 / 0.333322 - 1) / 0.285979  # where the efficiency begins
    found = []
    for low, high in itertools.pairwise(CSI_2021_PE):
        x, weights = nodes(np.linspace(max(low, zero), high, 5))
        efficiency = 1.32045 / (1 + np.exp(-0.285979 * (x - 10.8646))) - 0.333322
        x = x[:, None]
        density = np.exp(shape * np.log(rate) + (shape - 1) * np.log(x) - rate * x - gammaln(shape))
        found.append((weights * efficiency) @ density)
    return np.array(found)


def given_arrival(experiment: str) -> dict[str, Array]:
    """tau_f, shape (times,), as the package has it."""
    described = tomllib.loads((naive.DATA / "experiments" / f"{experiment}.toml").read_text())
    return {neutrino: np.array(shares) for neutrino, shares in described["time"]["arrival"].items()}


def csi_2021_arrival(offset: float) -> dict[str, Array]:
    """tau_f, shape (11,): the release's arrivals in bins of 10 ns, shifted by a delay, times the time efficiency."""
    columns = table("coherent-csi-2021-arrival")
    edges = 0.01 * np.arange(len(columns["ns"]) + 1) + offset
    ends = np.unique(np.concatenate([edges, CSI_2021_TIME, [0.52]]))
    ends = ends[(ends >= 0) & (ends <= 6)]
    times, weights = nodes(ends, 4)
    weights = weights * np.where(times < 0.52, 1.0, np.exp(-0.0494 * (times - 0.52)))
    of_time = np.searchsorted(CSI_2021_TIME, times, side="right") - 1
    of_histogram = np.searchsorted(edges, times, side="right") - 1
    found = {}
    for neutrino in NEUTRINOS:
        density = np.where(of_histogram < 0, 0.0, columns[neutrino][of_histogram] / np.diff(edges)[of_histogram])
        arriving = weights * density / columns[neutrino].sum()
        found[neutrino] = np.array([arriving[of_time == bin].sum() for bin in range(len(CSI_2021_TIME) - 1)])
    return found


def same_at_all_energies(arrival: dict[str, Array], energies: int) -> dict[str, Array]:
    """Shares of time without any shapes, as `Counted` has them."""
    return {neutrino: np.broadcast_to(shares, (1, energies, len(shares))) for neutrino, shares in arrival.items()}


@cache
def csi_2021(form_factor: Callable[[Isotope, Array], Array] = fermi, offset: float = 0.0) -> Counted:
    """CsI[Na] of 2021, 9 bins of PE and 11 of time."""
    columns = table("coherent-csi-2021")
    arrival = csi_2021_arrival(offset) if offset else given_arrival("coherent-csi-2021")
    backgrounds = {name: columns[name] for name in ("ss", "brn", "nin")}
    errors = {"ss": 0.021, "brn": 0.25, "nin": 0.35}
    return Counted(
        recoils(caesium_iodide(14.6), sns_fluence(0.0848, 3.198e23, 19.3), csi_2021_response, form_factor),
        same_at_all_energies(arrival, len(CSI_2021_PE) - 1),
        0.12,
        backgrounds,
        {name: error * backgrounds[name] for name, error in errors.items()},
        columns["events"],
    )


def csi_2017_response(recoil: Array) -> Array:
    """Probability of each bin of 2 PE: n photoelectrons fill [n - 1, n), shape (12, recoils), csi.md section 5."""
    mean = 0.0878 * 13.348 * recoil / naive.KEV

    def counted(n: int) -> Array:
        probability = pdtr(n, mean) - pdtr(n - 1, mean)
        seen: Array = probability * 0.6655 / (1 + math.exp(-0.4942 * (n - 0.5 - 10.8507)))
        return seen

    return np.array([counted(low + 1) + counted(low + 2) for low in range(6, 30, 2)])


@cache
def csi_2021_with_electrons() -> Counted:
    """CsI[Na] of 2021 with electrons of caesium and iodine in the signal, whose whole energy is seen."""
    base, fluence = csi_2021(), sns_fluence(0.0848, 3.198e23, 19.3)
    of_all = electrons(caesium_iodide(14.6), fluence, lambda recoil: csi_2021_bins(recoil / naive.KEV), 60 * naive.KEV)
    return base._replace(electrons=tuple(of_all))


@cache
def csi_2017() -> Counted:
    """CsI[Na] of 2017, 12 bins of PE and 12 of time."""
    columns = table("coherent-csi-2017")
    backgrounds = {name: columns[name] for name in ("ss", "brn")}
    return Counted(
        recoils(caesium_iodide(14.57), sns_fluence(0.08, 1.76e23, 19.3), csi_2017_response),
        same_at_all_energies(given_arrival("coherent-csi-2017"), 12),
        0.28,
        backgrounds,
        {"ss": 0.05 * backgrounds["ss"], "brn": 0.25 * backgrounds["brn"]},
        columns["events"],
    )


# Liquid argon, lar.md sections 1 to 3


def argon(kilograms: float) -> list[tuple[Isotope, float]]:
    """Numbers of nuclei."""
    isotopes = naive.isotopes("Ar")
    number = kilograms * 1e3 * naive.AVOGADRO / math.fsum(each.atomic_mass * each.abundance for each in isotopes)
    return [(each, number * each.abundance) for each in isotopes]


def lar_response(recoil: Array) -> Array:
    """G_i(T), shape (12, recoils): the efficiency is linear between its points, its integral with a Gaussian exact."""
    kev = recoil / naive.KEV
    energy = kev * (0.246 + 0.00078 * kev)
    sigma = 0.58 * np.sqrt(energy)
    columns = table("coherent-lar-2020-efficiency")
    points = columns["kevee"]
    knots = np.unique(np.concatenate([points, LAR_ENERGY[points[0] < LAR_ENERGY]]))
    efficiency = np.interp(knots, points, columns["efficiency"])
    found = np.zeros((len(LAR_ENERGY) - 1, len(recoil)))
    for (a, b), (e_a, e_b) in zip(itertools.pairwise(knots), itertools.pairwise(efficiency), strict=True):
        z_a, z_b = (a - energy) / sigma, (b - energy) / sigma
        probability = np.where(z_a > 0, ndtr(-z_a) - ndtr(-z_b), ndtr(z_b) - ndtr(z_a))
        density = (np.exp(-(z_b**2) / 2) - np.exp(-(z_a**2) / 2)) / math.sqrt(2 * math.pi)
        slope = (e_b - e_a) / (b - a)
        into = np.searchsorted(LAR_ENERGY, a, side="right") - 1
        found[into] += (e_a + slope * (energy - a)) * probability - slope * sigma * density
    return found


def exponential_after_gaussian(times: Array, mean: float, width: float, lifetime: float) -> Array:
    """Probability that a decay after a Gaussian pulse is before a time."""
    z = (times - mean) / width
    later = np.exp(-(times - mean) / lifetime + (width / lifetime) ** 2 / 2 + log_ndtr(z - width / lifetime))
    earlier: Array = ndtr(z) - later
    return earlier


def lar_arrival(mean: float) -> dict[str, Array]:
    """tau_f, shape (10,), of a pulse at a time."""
    pion, muon = (
        exponential_after_gaussian(LAR_TIME, mean, 0.15, lifetime) for lifetime in (PION_LIFETIME, MUON_LIFETIME)
    )
    both = (MUON_LIFETIME * muon - PION_LIFETIME * pion) / (MUON_LIFETIME - PION_LIFETIME)
    return {"nu_mu": np.diff(pion), "nu_e": np.diff(both), "nubar_mu": np.diff(both)}


@cache
def lar_2020(summed: bool = False) -> Counted:
    """Liquid argon, 12 bins of keVee, 8 of F90 (or their sum) and 10 of time."""
    columns, f90 = table("coherent-lar-2020"), table("coherent-lar-2020-f90")

    def binned(name: str, total: float) -> Array:
        bins = columns[name].reshape(len(LAR_ENERGY) - 1, LAR_F90_BINS, -1)
        found: Array = total / bins.sum() * (bins.sum(axis=1) if summed else bins).ravel()
        return found

    def by_f90(probability: Array) -> Array:
        bins = probability.reshape(len(LAR_ENERGY) - 1, LAR_F90_BINS)
        return bins.sum(axis=1, keepdims=True) if summed else bins

    p, change = by_f90(f90["probability"]), by_f90((f90["up"] - f90["down"]) / 2)
    arrival, late = lar_arrival(0.44), lar_arrival(0.64)
    shares = {}
    for neutrino, tau in arrival.items():
        moved = late[neutrino] * tau.sum() / late[neutrino].sum() - tau
        products = [(p, tau), (change, tau), (p, moved)]
        shares[neutrino] = np.array([np.einsum("ij,k->ijk", a, b).reshape(len(p), -1) for a, b in products])
    totals, errors = {"ss": 3152, "brn": 497, "delbrn": 33}, {"ss": 25, "brn": 160, "delbrn": 33}
    backgrounds = {name: binned(name, total) for name, total in totals.items()}
    changes = {name: error / totals[name] * backgrounds[name] for name, error in errors.items()}
    for name in ("brn_energy", "brn_time"):
        changes[name] = (binned(f"{name}_up", totals["brn"]) - binned(f"{name}_down", totals["brn"])) / 2
    changes["brn_width"] = binned("brn_width", totals["brn"]) - backgrounds["brn"]
    return Counted(
        recoils(argon(24.4), sns_fluence(0.09, 13.8e22, 27.5), lar_response),
        shares,
        17 / 128,
        backgrounds,
        changes,
        binned("events", 3752),
    )


MEASURED: dict[str, Callable[[], Counted]] = {
    "coherent-csi-2021": csi_2021,
    "coherent-csi-2017": csi_2017,
    "coherent-lar-2020": lar_2020,
    "coherent-lar-2020-summed": lambda: lar_2020(summed=True),
    "coherent-csi-2021-helm": lambda: csi_2021(helm),
    "coherent-csi-2021-offset": lambda: csi_2021(offset=0.0644),
    "coherent-csi-2021-electrons": csi_2021_with_electrons,
}
