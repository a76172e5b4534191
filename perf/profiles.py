"""Counted events with nuisances: chi2 at points against a general minimiser, NumPy and a plain loop, and what scans do.

The experiment is COHERENT's CsI of 2021, 99 bins and four nuisances, with a universal light mediator.
"""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import adapter
import numpy as np
from adapter import Counted
from iminuit import Minuit
from measure import Calls, pair
from numba import njit

import fastscan

EXPERIMENT, MODEL = "coherent-csi-2021", "universal"
MASSES = np.geomspace(1e-3, 1.0, 16)  # GeV
STRENGTHS = np.geomspace(1e-2, 1.0, 256)  # in units of each row's scale
CURVE = np.geomspace(1e-3, 1.0, 1000)  # GeV
MANY_BINS = "coherent-lar-2020"
MERGED = f"""
variant_of = "{MANY_BINS}"
title = "with bins of one background merged"
[statistics]
merge = true
"""
FEW, SCAN = 32, 60  # points of a general minimiser, which is slow, and of a scan with it along a column
GRID = f"""
experiments = ["{EXPERIMENT}"]
models = ["{MODEL}"]
[axes]
m_zprime = {{ start = 1, stop = 1000, num = 100, spacing = "log", unit = "MeV" }}
g = {{ start = 1e-6, stop = 1e-2, num = 500, spacing = "log" }}
sigma_sys = {{ start = 0.0, stop = 0.3, num = 200 }}
"""


@njit
def expected(z, signal, background, effects, sigma):
    total = background + (1.0 + sigma * z[0]) * signal
    for j in range(effects.shape[0]):
        total += z[1 + j] * effects[j]
    return total


@njit
def cost(z, signal, background, effects, sigma, data):
    total = (z * z).sum()
    events = expected(z, signal, background, effects, sigma)
    for b in range(data.size):
        total += 2.0 * (events[b] - data[b])
        if data[b] > 0.0:
            total += 2.0 * data[b] * math.log(data[b] / events[b])
    return total


@njit
def gradient(z, signal, background, effects, sigma, data):
    left = 2.0 * (1.0 - data / expected(z, signal, background, effects, sigma))
    out = 2.0 * z
    out[0] += sigma * (left * signal).sum()
    for j in range(effects.shape[0]):
        out[1 + j] += (left * effects[j]).sum()
    return out


@njit
def newton(signal, background, effects, sigma, data):
    """Newton's method as one writes it for one point, with steps that empty no bin."""
    size = 1 + effects.shape[0]
    change = np.empty((size, data.size))
    change[0], change[1:] = sigma * signal, effects
    z = np.zeros(size)
    for _ in range(50):
        events = expected(z, signal, background, effects, sigma)
        slope, bend = z.copy(), np.eye(size)
        for b in range(data.size):
            left, weight = 1.0 - data[b] / events[b], data[b] / events[b] ** 2
            for j in range(size):
                slope[j] += left * change[j, b]
                for k in range(size):
                    bend[j, k] += weight * change[j, b] * change[k, b]
        step = np.linalg.solve(bend, -slope)
        fall = 0.0
        for b in range(data.size):
            move = 0.0
            for j in range(size):
                move += step[j] * change[j, b]
            fall = max(fall, -move / events[b])
        z += step / (1.0 + fall)
        if -(step @ slope) < 1e-12:
            break
    return cost(z, signal, background, effects, sigma, data)


@njit
def newton_everywhere(signals, background, effects, sigma, data):
    found = np.empty(len(signals))
    for p in range(len(signals)):
        found[p] = newton(signals[p], background, effects, sigma, data)
    return found


def batched(signals, background, effects, sigma, data):
    """Newton's method at all points at once, in NumPy."""
    size, found = 1 + len(effects), []
    for part in np.array_split(signals, max(1, len(signals) // 256)):  # whose arrays stay in the cache
        change = np.empty((len(part), size, data.size))
        change[:, 0], change[:, 1:] = sigma * part, effects
        z = np.zeros((len(part), size))
        for _ in range(50):
            events = part + background + np.einsum("pj,pjb->pb", z, change)
            slope = z + np.einsum("pb,pjb->pj", 1 - data / events, change)
            bend = np.eye(size) + (change * (data / events**2)[:, None]) @ change.swapaxes(1, 2)
            step = np.linalg.solve(bend, -slope[..., None])[..., 0]
            fall = np.maximum(0, -np.einsum("pj,pjb->pb", step, change) / events).max(axis=1)
            z += step / (1 + fall)[:, None]
            if -(step * slope).sum(axis=1).min() < 1e-12 and (-(step * slope).sum(axis=1) < 1e-12).all():
                break
        events = part + background + np.einsum("pj,pjb->pb", z, change)
        logs = np.log(np.where(data > 0, data, 1.0) / np.where(data > 0, events, 1.0))
        found.append(2 * (events - data + data * logs).sum(axis=1) + (z * z).sum(axis=1))
    return np.concatenate(found)


def minimised(signal, background, effects, sigma, data) -> float:
    """chi2 at a point by a general minimiser, with compiled functions."""
    rest = signal, background, effects, sigma, data
    fit = Minuit(lambda z: cost(z, *rest), np.zeros(1 + len(effects)), grad=lambda z: gradient(z, *rest))
    fit.errordef = 1
    fit.migrad()
    return float(fit.fval)


@dataclass
class Points:
    """Points along columns at some masses, for all who find chi2 there."""

    counted: Counted
    number: int

    @classmethod
    def along_columns(cls) -> "Points":
        return cls(adapter.counted(EXPERIMENT, MODEL, MASSES, STRENGTHS), MASSES.size * STRENGTHS.size)

    def by(self, other: Callable[..., object], signals: np.ndarray) -> object:
        counted = self.counted
        return other(signals, counted.background, counted.effects, counted.sigma, counted.data)

    def check(self, chi2: np.ndarray) -> None:
        np.testing.assert_allclose(chi2, self.counted.chi2(False)[: len(chi2)], atol=1e-3)


@pair(f"Poisson profile, 99 bins x 4, one thread / iminuit with compiled cost and gradient, {FEW} points scaled",
      at_least=300, work=16 * 256 / FEW)  # fmt: skip
def general(place: Path) -> Iterator[Calls]:
    points = Points.along_columns()
    some = points.counted.signals[:FEW]
    points.check(np.array([points.by(minimised, signal) for signal in some]))
    yield lambda: points.counted.chi2(False), lambda: [points.by(minimised, signal) for signal in some]


@pair("the same / NumPy, batched Newton", at_least=8)
def in_numpy(place: Path) -> Iterator[Calls]:
    points = Points.along_columns()
    points.check(points.by(batched, points.counted.signals))
    yield lambda: points.counted.chi2(False), lambda: points.by(batched, points.counted.signals)


@pair("the same / plain numba, point by point", at_least=6)
def point_by_point(place: Path) -> Iterator[Calls]:
    points = Points.along_columns()
    points.check(points.by(newton_everywhere, points.counted.signals))
    yield lambda: points.counted.chi2(False), lambda: points.by(newton_everywhere, points.counted.signals)


@pair("the same on two threads / on one", at_least=1.7)
def two_threads(place: Path) -> Iterator[Calls]:
    many = adapter.counted(EXPERIMENT, MODEL, MASSES, np.geomspace(1e-2, 1.0, 16 * 256))
    yield lambda: many.chi2(True), lambda: many.chi2(False)


@pair(f"chi2 of {MANY_BINS}, bins of one background merged / all bins", at_least=1.2)
def merged(place: Path) -> Iterator[Calls]:
    (place / "merged.toml").write_text(MERGED)
    few, every = (
        adapter.counted(name, MODEL, MASSES, STRENGTHS[::8]) for name in (str(place / "merged.toml"), MANY_BINS)
    )
    np.testing.assert_allclose(few.chi2(False), every.chi2(False), atol=1e-4)
    yield lambda: few.chi2(False), lambda: every.chi2(False)


@pair(f"{CURVE.size} limits of {EXPERIMENT}, two threads / iminuit scans of {SCAN} points, one scaled",
      at_least=1000, work=CURVE.size)  # fmt: skip
def curve(place: Path) -> Iterator[Calls]:
    points = Points.along_columns()
    some = points.counted.signals[:: len(points.counted.signals) // SCAN][:SCAN]

    def limits() -> None:
        assert fastscan.limit(EXPERIMENT, MODEL, m_zprime=CURVE).size == CURVE.size

    yield limits, lambda: [points.by(minimised, signal) for signal in some]


@pair(f"scan of 10^7 points of {EXPERIMENT} / the same kernel in memory", at_least=0.8, rounds=3)
def scan(place: Path) -> Iterator[Calls]:
    (place / "grid.toml").write_text(GRID)
    masses, couplings = np.geomspace(1e-3, 1, 100), np.geomspace(1e-6, 1e-2, 500)
    sigma_sys = np.linspace(0, 0.3, 200)

    def scanned() -> None:
        shutil.rmtree(place / "grid.zarr", ignore_errors=True)
        fastscan.scan(place / "grid.toml", place / "grid.zarr")

    def in_memory() -> None:
        asked = {"m_zprime": masses[:, None, None], "g": couplings[:, None], "sigma_sys": sigma_sys}
        assert fastscan.chi2(EXPERIMENT, MODEL, **asked).size == 10_000_000

    yield scanned, in_memory
