"""chi2 of counted events against iminuit, the minimiser that the field uses, at random points of each data set."""

from typing import NamedTuple

import numpy as np
import pytest
from iminuit import Minuit

from fastscan.interactions.interaction import Interaction
from fastscan.interactions.nsi import PAIRS, NonStandard
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.limits import points
from fastscan.typing import Array

POINTS = {  # many bins take long
    "coherent-csi-2017": 1000,
    "coherent-csi-2021": 1000,
    "coherent-lar-2020": 200,
    "coherent-lar-2020-summed": 400,
}
SMALLEST = 1e-4  # of what is expected over what is counted; below it the cost goes on as a parabola


class Cost(NamedTuple):
    """Half of chi2, of parameters in units in which each changes it by something like 1."""

    background: Array
    data: Array
    templates: Array  # (parameters, bins) per unit
    centres: Array  # of the priors
    widths: Array

    @classmethod
    def of(cls, signal: Array, sigma: float, background: Array, effects: Array, data: Array) -> "Cost":
        """A cost with parameters for the size of the signal, its shapes, and the nuisances of the background."""
        templates = np.vstack([signal, effects])
        centres = np.eye(len(templates))[0]
        widths = np.array([sigma, *np.ones(len(templates) - 1)])
        seen = np.sqrt((templates**2 / (data + 1)).sum(axis=1))
        units = 1 / np.hypot(seen, 1 / widths)
        return cls(background, data, templates * units[:, None], centres / units, widths / units)

    def expected(self, parameters: Array) -> Array:
        return self.background + parameters @ self.templates

    def value(self, parameters: Array) -> float:
        expected, data = self.expected(parameters), self.data
        counted = data > 0
        ratio = expected[counted] / data[counted]
        whole = np.maximum(ratio, SMALLEST)
        below = ratio - whole
        terms = whole - 1 - np.log(whole) + below * (1 - 1 / SMALLEST) + (below / SMALLEST) ** 2 / 2
        pulls = (parameters - self.centres) / self.widths
        return float(data[counted] @ terms + expected[~counted].sum() + pulls @ pulls / 2)

    def gradient(self, parameters: Array) -> Array:
        ratio = self.expected(parameters) / np.where(self.data > 0, self.data, 1.0)
        whole = np.maximum(ratio, SMALLEST)
        slope = 1 - (self.data > 0) * (1 / whole - (ratio - whole) / SMALLEST**2)
        return self.templates @ slope + (parameters - self.centres) / self.widths**2

    def minimum(self) -> float:
        """The lowest chi2 that iminuit finds."""
        total = self.templates[0].sum()
        start = np.zeros(len(self.templates))
        start[0] = min(self.centres[0], self.data.sum() / total) if total else self.centres[0]
        fit = Minuit(self.value, start, grad=self.gradient)
        fit.errordef, fit.strategy, fit.tol = Minuit.LIKELIHOOD, 1, 1e-6
        fit.errors = 1.0
        fit.migrad()
        assert fit.valid, fit
        found = np.array(fit.values)
        counted = self.data > 0
        assert (self.expected(found)[counted] > SMALLEST * self.data[counted]).all()
        return 2 * self.value(found)


def signals(found: Likelihood, row: int, x: float) -> Array:
    """Signal events in each bin at a point, and their changes at one standard deviation of each shape."""
    (counts,) = found.counted
    assert counts is not None
    shape = min(row, len(counts.rates) - 1)
    change = found.change[0, row] @ x ** np.arange(3)
    by_energy = counts.rates[shape, 0] + np.tensordot(change, counts.rates[shape, 1:], axes=1)
    return (by_energy[:, :, None] * counts.arriving).sum(axis=1).reshape(len(counts.arriving), -1)


def interactions(random: np.random.Generator, number: int) -> list[tuple[Interaction | str, dict[str, Array]]]:
    """Interactions in random directions and of random masses, and strengths of which the largest are huge."""
    found: list[tuple[Interaction | str, dict[str, Array]]] = []
    for _ in range(20):
        pairs = random.choice([*PAIRS], random.integers(1, len(PAIRS) + 1), replace=False).tolist()
        along = {pair: dict(zip("ud", random.normal(size=2), strict=True)) for pair in pairs}
        eps = 10 ** random.uniform(-3, 6, number // 40) * random.choice([-1, 1], number // 40)
        found.append((NonStandard("random", "", (), along), {"eps": eps}))
    for model in ("universal", "b-l", "b-3lmu", "lmu-ltau", "scalar-q14"):
        mass = 10 ** random.uniform(-6, 2, number // 10)
        g = 10 ** random.uniform(-6, -1, mass.size) * np.maximum(mass, 1e-2)
        found.append((model, {"m_phi" if model.startswith("scalar") else "m_zprime": mass, "g": g}))
    return found


@pytest.mark.parametrize("experiment", POINTS)
def test_chi2_is_that_of_iminuit(experiment: str) -> None:
    """At the Standard Model's counts and at up to 1e14 times as many, for any error of the signal's normalisation."""
    random = np.random.default_rng(24)
    ratios = []
    for model, at in interactions(random, POINTS[experiment]):
        rows, x = points.prepare_points(experiment, model, at)
        (counts,) = rows.likelihood.counted
        assert counts is not None
        sigma_sys = 10 ** random.uniform(-2, 0, x.size)
        chi2 = rows.likelihood.chi2(x, rows.index, {"sigma_sys": sigma_sys})
        for row, strength, sigma, ours in zip(np.broadcast_to(rows.index, x.shape), x, sigma_sys, chi2, strict=True):
            signal = signals(rows.likelihood, row, strength)
            theirs = Cost.of(signal, sigma, counts.background, counts.effects, counts.data).minimum()
            assert abs(ours - theirs) < 1e-7, f"{ours - theirs:+.3g} at {model}, {strength} in row {row}"
            ratios.append(signal[0].sum() / counts.standard.sum())
    assert len(ratios) == POINTS[experiment]
    assert max(ratios) > 1e12
    assert min(ratios) < 0.1
