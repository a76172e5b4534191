"""chi2 of counted events against fits that have converged, by a plain damped Newton's method in NumPy, at many points.

The minimum is taken far beyond what the kernel asks of itself, and in other parameters: all of them in units in which
each changes what is expected by about its error.
"""

from typing import NamedTuple

import numpy as np
import pytest
from conftest import slow
from test_iminuit import interactions

from fastscan.likelihoods.likelihood import Likelihood
from fastscan.limits import points
from fastscan.typing import Array, IntArray

POINTS = 10_000


class Fits(NamedTuple):
    """Fits side by side: each has its own templates of the signal and its shapes; all share the background's."""

    signals: Array  # (fits, 1 + shapes, bins)
    effects: Array  # (nuisances, bins)
    background: Array  # (bins,)
    data: Array  # (bins,)
    sigma: Array  # (fits,)

    def minima(self) -> Array:
        """The minimum of chi2 of each fit, below which no step gets by more than rounding."""
        own, bins = self.signals.shape[1:]
        size = own + len(self.effects)
        widths = np.ones((len(self.sigma), size))
        widths[:, 0] = self.sigma
        seen = (self.signals**2 / (self.data + 1)).sum(axis=2)
        units = np.hypot(np.sqrt(seen), 1 / widths[:, :own]) ** -1
        signals = self.signals * units[..., None]
        widths[:, :own] /= units
        centres = np.zeros_like(widths)
        centres[:, 0] = 1 / units[:, 0]
        parameters = centres.copy()
        total = signals[:, 0].sum(axis=1)
        parameters[:, 0] = np.minimum(centres[:, 0], self.data.sum() / np.where(total > 0, total, 1e-300))
        products = np.array([one * other for one in self.effects for other in self.effects]).reshape(-1, bins)
        found, active = np.full(len(total), np.nan), np.arange(len(total))
        for _ in range(300):
            signal, z, width, centre = signals[active], parameters[active], widths[active], centres[active]
            expected = self.background + np.einsum("ps,psb->pb", z[:, :own], signal) + z[:, own:] @ self.effects
            assert (expected[:, self.data > 0] > 0).all()
            ratio = np.divide(self.data, expected, out=np.zeros_like(expected), where=self.data > 0)
            weight = np.divide(ratio, expected, out=np.zeros_like(expected), where=self.data > 0)
            gradient = (z - centre) / width**2
            gradient[:, :own] += np.einsum("pb,psb->ps", 1 - ratio, signal)
            gradient[:, own:] += (1 - ratio) @ self.effects.T
            hessian = np.zeros((len(active), size, size))
            hessian[:, range(size), range(size)] = width**-2.0
            hessian[:, :own, :own] += np.einsum("pb,psb,ptb->pst", weight, signal, signal)
            mixed = (weight[:, None] * signal) @ self.effects.T
            hessian[:, :own, own:] += mixed
            hessian[:, own:, :own] += mixed.swapaxes(1, 2)
            hessian[:, own:, own:] += (weight @ products.T).reshape(-1, size - own, size - own)
            step = np.linalg.solve(hessian, -gradient[..., None])[..., 0]
            change = np.einsum("ps,psb->pb", step[:, :own], signal) + step[:, own:] @ self.effects
            fall = np.where(self.data > 0, -change / np.where(self.data > 0, expected, 1.0), 0.0).max(axis=1)
            parameters[active] += np.where(fall > 0.1, 1 / (1 + fall), 1.0)[:, None] * step
            excess = np.divide(expected, self.data, out=np.ones_like(expected), where=self.data > 0) - 1
            terms = np.where(self.data > 0, self.data * (excess - np.log1p(excess)), expected)
            found[active] = 2 * terms.sum(axis=1) + (((z - centre) / width) ** 2).sum(axis=1)
            done = -(step * gradient).sum(axis=1) < 1e-14 * (1 + found[active])
            active = active[~done]
            if not active.size:
                return found
        raise AssertionError(f"{active.size} fits have not converged")


def signals(found: Likelihood, row: IntArray, x: Array) -> Array:
    """Signal events in each bin at points, and their changes at one standard deviation of each shape."""
    (counts,) = found.counted
    assert counts is not None
    change = np.einsum("pfk,pk->pf", found.change[0][row], x[:, None] ** np.arange(3))
    rates = counts.rates[np.minimum(row, len(counts.rates) - 1)]
    by_energy = rates[:, 0] + np.einsum("pf,pfne->pne", change, rates[:, 1:])
    events = np.einsum("pne,sneo->pseo", by_energy, counts.arriving)
    return events.reshape(len(x), len(counts.arriving), -1)


@pytest.mark.parametrize("experiment", ["coherent-csi-2017", "coherent-csi-2021", slow("coherent-lar-2020")])
def test_chi2_is_that_of_converged_fits(experiment: str) -> None:
    """They agree within 1e-9, at a tenth of the Standard Model's counts and at up to 1e12 times as many."""
    random = np.random.default_rng(26)
    number, ratios = 0, []
    for model, at in interactions(random, POINTS):
        rows, x = points.prepare_points(experiment, model, at)
        (counts,) = rows.likelihood.counted
        assert counts is not None
        sigma_sys = 10 ** random.uniform(-2, 0, x.size)
        chi2 = rows.likelihood.chi2(x, rows.index, {"sigma_sys": sigma_sys})
        row = np.broadcast_to(rows.index, x.shape)
        here = signals(rows.likelihood, row, x)
        theirs = Fits(here, counts.effects, counts.background, counts.data, sigma_sys).minima()
        np.testing.assert_allclose(chi2, theirs, rtol=0, atol=1e-9)
        ratios += (here[:, 0].sum(axis=1) / counts.standard.sum()).tolist()
        number += x.size
    assert number == POINTS
    assert max(ratios) > 1e12
    assert min(ratios) < 0.1
