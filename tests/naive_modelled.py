"""Reference calculation of Dresden-II and XENONnT, slow and obvious on purpose, from measurements/reactor.md.

It uses nothing of the package but its tables of data: Gauss-Legendre quadrature in recoil energy, scipy's least squares
for Dresden-II's background, and for XENONnT grids of the two yields with Newton's method in plain numpy on them.
Recoils, masses and neutrinos' energies are MeV, visible energies keVee.
"""

import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import naive
import numpy as np
from naive import Array
from naive_poisson import nodes, table
from scipy.optimize import brentq, least_squares
from scipy.special import erf

DATA = files("fastscan") / "data"
AVOGADRO, DAY = 6.02214076e23, 86400.0


class Nucleus(NamedTuple):
    """An isotope: its number of protons and of nucleons, its mass in MeV, and how many nuclei there are."""

    charge: int
    nucleons: int
    mass: float
    number: float


Charge = Callable[[Nucleus, Array], Array]  # amplitude A of a nucleus at recoils T; g_p Z + g_n N in the Standard Model


def couplings(g_p: float, g_n: float) -> Charge:
    return lambda nucleus, recoil: g_p * nucleus.charge + g_n * (nucleus.nucleons - nucleus.charge) + 0 * recoil


def b_minus_l(mass_mev: float, g: float) -> Charge:
    """The Standard Model, and a mediator that couples to baryon number minus lepton number."""
    standard = couplings(*naive.sm_couplings("cevns"))

    def charge(nucleus: Nucleus, recoil: Array) -> Array:
        propagator = 2 * nucleus.mass * recoil + mass_mev**2
        added = nucleus.nucleons * 3 * g**2 * (-1 / 3) / (math.sqrt(2) * naive.G_FERMI * propagator)
        return standard(nucleus, recoil) + added

    return charge


def nuclei(symbol: str, kilograms: float) -> list[Nucleus]:
    """Isotopes of an element, by mole fractions."""
    found = naive.isotopes(symbol)
    molar = sum(each.atomic_mass * each.abundance for each in found)
    moles = 1e3 * kilograms / molar * AVOGADRO
    return [Nucleus(each.charge, each.mass_number, naive.mass_of(each), moles * each.abundance) for each in found]


def integrals(energies: Array, flux: Array, lowest: Array) -> Array:
    """I_k of a spectrum that is linear between energies, above the lowest ones, for k = 0, 1 and 2: (3, recoils)."""
    x, w = nodes(energies, 6)
    phi = np.interp(x, energies, flux) * w
    whole = np.array([np.append(np.cumsum((phi * x**-k)[::-1])[::-1], 0.0) for k in range(3)])
    # the interval with the lowest energy is integrated separately
    place = np.clip(np.searchsorted(energies, lowest, side="right") - 1, 0, len(energies) - 2)
    first_whole = np.searchsorted(x, energies[place + 1])
    t, v = np.polynomial.legendre.leggauss(8)
    half = np.maximum(energies[place + 1] - lowest, 0) / 2
    at = lowest + half * (1 + t[:, None])
    part = np.array([(half * v[:, None] * np.interp(at, energies, flux) * at**-k).sum(axis=0) for k in range(3)])
    return np.where(lowest < energies[-1], whole[:, first_whole] + part, 0.0)


def rate(nucleus: Nucleus, recoil: Array, charge: Charge, energies: Array, flux: Array) -> Array:
    """Recoils per MeV and s."""
    lowest = (recoil + np.sqrt(recoil**2 + 2 * nucleus.mass * recoil)) / 2
    i0, i1, i2 = integrals(energies, flux, lowest)
    momentum = np.sqrt(2 * nucleus.mass * recoil + recoil**2)
    form = np.array([naive.form_factor(q, nucleus.nucleons) for q in momentum])
    section = (
        naive.G_FERMI**2 * nucleus.mass / (2 * math.pi) * naive.CM2_PER_MEV_2 * form**2 * charge(nucleus, recoil) ** 2
    )
    found: Array = nucleus.number * section * (2 * i0 - 2 * recoil * i1 - nucleus.mass * recoil * i2)
    return found


# --- Dresden-II, section 3 ---

CENTRES = 0.205 + 0.01 * np.arange(130)
EDGES = 0.2 + 0.01 * np.arange(131)
PAIR = 0.00296  # keVee, the threshold


@cache
def reactor() -> tuple[Array, Array]:
    """Energies and the flux of antineutrinos per MeV, cm2 and s."""
    rows = naive.rows("reactor_vogel_engel.csv")
    energies = np.array([float(row["energy_mev"]) for row in rows])
    total = np.zeros_like(energies)
    for isotope, share in {"U235": 0.58, "U238": 0.08, "Pu239": 0.29, "Pu241": 0.05}.items():
        flux = np.array([float(row[isotope]) for row in rows])
        total += share * flux / np.trapezoid(flux, energies)
    return energies, 4.8e13 * total


def dresden_visible(recoil: Array, quenching: str) -> Array:
    """Visible energy of recoils; quenching is a column of the table, or Lindhard's k = 0.157."""
    kev = 1e3 * recoil
    if quenching == "lindhard":
        eps = 11.5 * 32 ** (-7 / 3) * kev
        g = 3 * eps**0.15 + 0.7 * eps**0.6 + eps
        return kev * 0.157 * g / (1 + 0.157 * g)
    found = table("dresden-ii-quenching")
    return kev * np.interp(kev, found["kev"], found[quenching])


def dresden_response(recoil: Array, quenching: str) -> Array:
    """R_i(T), shape (130, recoils)."""
    visible = dresden_visible(recoil, quenching)
    width = np.sqrt(2 * (0.0685**2 + 0.11 * 0.00296 * visible))
    inside = erf((EDGES[1:, None] - visible) / width) - erf((EDGES[:-1, None] - visible) / width)
    response: Array = np.where(visible > PAIR, inside / (1 + erf(visible / width)), 0.0)
    return response


def dresden_signal(quenching: str, charge: Charge) -> Array:
    """Events in each bin, of nuclei."""
    total, first = np.zeros(130), brentq(lambda t: float(dresden_visible(np.array(t), quenching)) - PAIR, 1e-6, 1e-4)
    for nucleus in nuclei("Ge", 2.924):
        energies, flux = reactor()
        ends = 2 * energies**2 / (nucleus.mass + 2 * energies)  # largest recoils for each energy
        last = ends[-1]
        edges = np.concatenate([np.geomspace(first, last, 60), 1e-5 * np.arange(1, int(last / 1e-5) + 1), ends])
        recoil, weights = nodes(np.unique(edges[(edges >= first) & (edges <= last)]), 6)
        of_recoils = rate(nucleus, recoil, charge, energies, flux) * weights * DAY
        total += dresden_response(recoil, quenching) @ of_recoils
    return total


def dresden_background(p: Array) -> Array:
    """B(E) of N, A, C, h, E1, w and r."""
    n, a, c, h, e1, w, r = p

    def g(centre: float, width: float) -> Array:
        return np.exp(-(((CENTRES - centre) / width) ** 2) / 2)

    peaks = h * g(e1, w) + 0.008 * h * g(1.142, w) + 0.16 * r * h * (w / 0.0685) * g(0.158, 0.0685)
    found: Array = n + a * np.exp(-c * (CENTRES - 0.2)) + peaks
    return found


DRESDEN_START = (13.8, 63.9, 3.9, 84.6, 1.2924, 0.0696, 1.0)


def dresden_chi2(signal: Array, sigma: float = 0.0, start: tuple[float, ...] = DRESDEN_START) -> tuple[float, Array]:
    """chi2 and the seven parameters of the background; the signal has a scale a with an error sigma, unless it is 0."""
    data = table("dresden-ii")

    def residuals(p: Array) -> Array:
        scale = 1 + sigma * p[7]
        left = (data["on"] - dresden_background(p[:7]) - scale * signal) / data["error"]
        return np.array([*left, (p[6] - 1) / 0.03, p[7]])

    low, high = [0.0] * 5 + [1e-3, 0.0, -1 / sigma if sigma else -1.0], [np.inf] * 8
    high[2] = 200.0
    found = least_squares(
        residuals, [*start, 0.0], bounds=(low, high), x_scale=[1, 1, 1, 1, 0.01, 0.01, 0.1, 1], xtol=1e-14, ftol=1e-14,
        gtol=1e-12, max_nfev=2000,
    )  # fmt: skip
    return 2 * float(found.cost), found.x[:7]


# --- XENONnT, section 5 ---

XENON_SIGMAS = np.array([0.2529, 0.0904, 0.0576, 0.0576, 1.0, 0.58])  # of the signal, AC of three runs, ER and RG
YEARS = 1.174398 + 2.342593 + 3.249665


@cache
def xenon_file() -> dict[str, Array]:
    with (DATA / "experiments" / "xenonnt-b8.npz").open("rb") as file:
        found = np.load(file)
        return {name: found[name].astype(float) for name in found.files if name != "header"}


def per_tonne_year(recoil: Array, charge: Charge) -> Array:
    """dR/dT of 8B neutrinos in 1/(t yr MeV)."""
    rows = [row for row in naive.rows("solar_spectra.csv") if row["component"] == "8B"]
    energies, flux = (np.array([float(row[key]) for row in rows]) for key in ("energy_mev", "per_mev"))
    flux = 5.25e6 * flux / np.trapezoid(flux, energies)
    total = np.zeros_like(recoil)
    for nucleus in nuclei("Xe", 1e3):
        total += rate(nucleus, recoil, charge, energies, flux) * 365.25 * DAY
    return total


def xenon_signal(charge: Charge) -> Array:
    """Events in each bin at all anchors of the yields, shape (7, 7, 243)."""
    found = xenon_file()
    energies = 1e-3 * found["energy"]
    recoil, weights = nodes(np.unique([*energies, *(1e-3 * np.arange(0.5, 4.5, 0.01))]), 4)
    counted = per_tonne_year(recoil, charge) * weights * YEARS
    hats = np.array([np.interp(recoil, energies, one) for one in np.eye(46)])
    return np.tensordot(found["response"], hats @ counted, axes=(2, 0))


def morphed(anchors: Array, tly: Array, tqy: Array) -> Array:
    """Bilinear between integers from -3 to 3: shape (points, bins)."""
    i, j = (np.minimum(np.floor(t + 3).astype(int), 5) for t in (tly, tqy))
    u, v = (tly + 3 - i)[:, None], (tqy + 3 - j)[:, None]
    low = (1 - v) * anchors[i, j] + v * anchors[i, j + 1]
    high = (1 - v) * anchors[i + 1, j] + v * anchors[i + 1, j + 1]
    found: Array = (1 - u) * low + u * high
    return found


def inner_chi2(signal: Array, radiogenic: Array, rest: Array, data: Array, sigmas: Array) -> Array:
    """chi2 minimised over the amounts, which stay positive, at many yields: shape (points,)."""
    points, amounts = len(signal), len(sigmas)
    events = np.empty((points, amounts, data.size))
    events[:, 0], events[:, 1:-1], events[:, -1] = signal, rest, radiogenic
    y = np.ones((points, amounts))
    y[:, 0] = np.minimum(1.0, data.sum() / signal.sum(axis=1))
    seen = data > 0

    def chi2(y: Array) -> Array:
        m = np.einsum("pa,pab->pb", y, events)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = m.sum(axis=1) - data.sum() + (data[seen] * np.log(data[seen] / m[:, seen])).sum(axis=1)
        found: Array = np.where((y >= 0).all(axis=1), 2 * part + (((y - 1) / sigmas) ** 2).sum(axis=1), np.inf)
        return np.where(np.isnan(found), np.inf, found)

    value = chi2(y)
    for _ in range(60):
        m = np.einsum("pa,pab->pb", y, events)
        slope = np.einsum("pb,pab->pa", 1 - data / m, events) * 2 + 2 * (y - 1) / sigmas**2
        square = 2 * np.einsum("pb,pab,pcb->pac", data / m**2, events, events) + 2 * np.diag(sigmas**-2)
        held = (y <= 0) & (slope > 0)
        slope = np.where(held, 0.0, slope)
        square = np.where(held[:, :, None] | held[:, None, :], np.eye(amounts), square)
        step, length = -np.linalg.solve(square, slope[..., None])[..., 0], np.ones(points)
        for _ in range(40):
            trial = np.maximum(y + length[:, None] * step, 0.0)
            there = chi2(trial)
            if (there <= value + 1e-12).all():
                break
            length = np.where(there <= value + 1e-12, length, length / 2)
        better = there <= value + 1e-12
        change = np.abs(np.where(better, value - there, 0.0)).max()
        y, value = np.where(better[:, None], trial, y), np.where(better, there, value)
        if change < 1e-12:
            break
    return value


def xenon_chi2(signal: Array, radiogenic: Array, rest: Array, data: Array, sigmas: Array) -> tuple[float, float, float]:
    """chi2 at the best yields, and these yields, from a grid and finer grids around the three best points."""

    def on(tly: Array, tqy: Array) -> Array:
        found = inner_chi2(morphed(signal, tly, tqy), morphed(radiogenic, tly, tqy), rest, data, sigmas)
        return found + tly**2 + tqy**2

    sides = np.arange(-3, 3.01, 0.5)
    tly, tqy = (each.ravel() for each in np.meshgrid(sides, sides))
    values = on(tly, tqy)
    best = (np.inf, 0.0, 0.0)
    for start in np.argsort(values)[:3]:
        place, width = (values[start], tly[start], tqy[start]), 0.25
        while width > 1e-6:
            around = width * np.linspace(-1, 1, 5)
            ones, others = (each.ravel() for each in np.meshgrid(place[1] + around, place[2] + around))
            ones, others = np.clip(ones, -3, 3), np.clip(others, -3, 3)
            found = on(ones, others)
            lowest = int(np.argmin(found))
            if found[lowest] < place[0]:
                place = (float(found[lowest]), float(ones[lowest]), float(others[lowest]))
            else:
                width /= 3
        best = min(best, place)
    return best


def xenon_2026(charge: Charge) -> tuple[float, float, float]:
    """chi2 of the experiment of the package, and the best yields."""
    found = table("xenonnt-b8")
    rest = np.array([found[name] for name in ("ac0", "ac1", "ac2", "er")])
    return xenon_chi2(xenon_signal(charge), xenon_file()["rg"], rest, found["events"], XENON_SIGMAS)
