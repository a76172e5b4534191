"""What each experiment of a likelihood compares at one point of a model, bin by bin, and its best nuisances.

With nuisances z, m + sum_j z_j T_j events are expected, and chi2 is a sum over bins and z^2.  Half of it has the
Hessian 1 + sum w T_i T_j, where w is n / m^2 for n counted events, and 1 / variance for what is compared with one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastscan.errors import InputError
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.observations import Gaussian
from fastscan.experiments.poisson import SIGNAL, Nuisance, Poisson
from fastscan.likelihoods.likelihood import Columns
from fastscan.likelihoods.poisson import PoissonColumns
from fastscan.likelihoods.predictions import signal_in_energy, standard_counts
from fastscan.likelihoods.response import response
from fastscan.limits.points import Rows
from fastscan.typing import Array


@dataclass(frozen=True, eq=False)
class Compared:
    """What one experiment compares at a point.

    Attributes
    ----------
    name : str
        That of the member of the likelihood.
    experiment : Experiment
    sigma_sys : float
        Relative error of the signal's normalisation.
    signal : array, shape (1 + signal shapes, neutrinos, bins)
        Events of each neutrino, and their change at one standard deviation of each signal shape.
    backgrounds : dict of str to array, shape (bins,)
        Events of each background.
    scaling : array, shape (bins,)
        The part of the background that has the signal's normalisation.
    nuisances : tuple of Nuisance
        Those of the backgrounds.
    data : array, shape (bins,)
        Events that were counted, or those that stand in their place.
    variance : array, shape (bins,), or None
        The variance of the data; None where they follow Poisson's law.
    """

    name: str
    experiment: Experiment
    sigma_sys: float
    signal: Array
    backgrounds: dict[str, Array]
    scaling: Array
    nuisances: tuple[Nuisance, ...]
    data: Array
    variance: Array | None

    @property
    def names(self) -> list[str]:
        """Names of the nuisances: of the signal's normalisation, of its shapes, and of the backgrounds."""
        return nuisance_names(self.experiment)

    @property
    def relative_errors(self) -> dict[str, float]:
        """Relative error of the amount that each nuisance of an amount multiplies, by its name."""
        statistics = self.experiment.statistics
        backgrounds = statistics.backgrounds if isinstance(statistics, Poisson) else ()
        return {SIGNAL: self.sigma_sys, **{each.name: each.error for each in backgrounds}}

    @property
    def expected(self) -> Array:
        """Events in each bin, where all nuisances are 0."""
        events: Array = sum(self.backgrounds.values(), self.signal[0].sum(axis=0))
        return events

    @property
    def changes(self) -> Array:
        """How many events more there are in each bin at one standard deviation of each nuisance: (nuisances, bins)."""
        signal, *shapes = self.signal.sum(axis=1)
        return np.stack([self.sigma_sys * (signal + self.scaling), *shapes, *(each.change for each in self.nuisances)])

    @property
    def error(self) -> Array:
        """Errors of the data in each bin: the roots of their variance, which is the events by Poisson's law."""
        return np.sqrt(self.data if self.variance is None else self.variance)

    def signal_at(self, z: Array) -> Array:
        """Events of each neutrino at nuisances z, shape (neutrinos, bins)."""
        events, shapes = self.signal[0], self.signal[1:]
        found: Array = (1 + self.sigma_sys * z[0]) * events + np.tensordot(z[1 : 1 + len(shapes)], shapes, axes=1)
        return found

    def backgrounds_at(self, z: Array) -> dict[str, Array]:
        """Events of each background at nuisances z, shape (bins,)."""
        found = {name: events + self.sigma_sys * z[0] * self.scaling for name, events in self.backgrounds.items()}
        for nuisance, own in zip(self.nuisances, z[len(self.signal) :], strict=True):
            found[nuisance.background] = found[nuisance.background] + own * nuisance.change
        return found

    def chi2(self, z: Array) -> Array:
        """The part of chi2 of each bin at nuisances z, without that of their constraints; shape (bins,)."""
        expected = self.expected + z @ self.changes
        if self.variance is not None:
            counted = self.variance > 0  # elsewhere nothing is expected, and nothing compared
            return np.where(counted, (self.data - expected) ** 2, 0.0) / np.where(counted, self.variance, 1.0)
        seen = self.data > 0
        ratio = np.where(seen, expected, 1.0) / np.where(seen, self.data, 1.0)
        return 2 * np.where(seen, self.data * ((ratio - 1) - np.log(ratio)), expected)

    def weights(self, z: Array) -> Array:
        """What a square of events in each bin adds to half of the second derivative of chi2, shape (bins,)."""
        if self.variance is not None:
            return np.divide(1.0, self.variance, out=np.zeros_like(self.variance), where=self.variance > 0)
        expected = self.expected + z @ self.changes
        return np.divide(self.data, expected**2, out=np.zeros_like(self.data), where=self.data > 0)


def nuisance_names(experiment: Experiment) -> list[str]:
    """Names of an experiment's nuisances: of the signal's normalisation, of its shapes, and of the backgrounds.

    Examples
    --------
    >>> from fastscan.experiments import load
    >>> nuisance_names(load("coherent-csi-2021"))
    ['signal', 'ss', 'brn', 'nin']
    """
    statistics = experiment.statistics
    if not isinstance(statistics, Poisson):
        return [SIGNAL]
    return [SIGNAL, *experiment.signal_shapes, *(each.name for each in statistics.nuisances(experiment.exposed))]


def compared(rows: Rows, x: float, sigma_sys: Sequence[float]) -> list[Compared]:
    """What each experiment compares at a point.

    Parameters
    ----------
    rows : Rows
        Those of one row.
    x : float
        The strength.
    sigma_sys : sequence of float
        Relative error of each member's signal.
    """
    found = []
    for name, experiment, error in zip(rows.likelihood.members, rows.experiments, sigma_sys, strict=True):
        polynomials = signal_in_energy(experiment, rows.interaction, rows.values)[:, 0]
        events = (polynomials * (x ** np.arange(3))[:, None]).sum(axis=1)  # (neutrinos, energies)
        arriving = response(experiment).arriving
        signal = (arriving * events[:, :, None]).reshape(*arriving.shape[:2], -1)
        found.append(_compared(name, experiment, error, signal))
    return found


def _compared(name: str, experiment: Experiment, sigma_sys: float, signal: Array) -> Compared:
    statistics, exposed, standard = experiment.statistics, experiment.exposed, standard_counts(experiment)
    backgrounds = statistics.backgrounds_in(standard, exposed)
    total = sum(backgrounds.values(), np.zeros(exposed.bins))
    if isinstance(statistics, Poisson):
        data, nothing = statistics.data(exposed), np.zeros(exposed.bins)
        nuisances = tuple(statistics.nuisances(exposed))
        counted = standard + total if data is None else data
        return Compared(name, experiment, sigma_sys, signal, backgrounds, nothing, nuisances, counted, None)
    assert isinstance(statistics, Gaussian)
    counts = statistics.counts(standard, exposed)
    data = counts.data + (total - counts.background)  # what is subtracted put back
    variance = counts.variance * (1 + counts.spread)
    return Compared(name, experiment, sigma_sys, signal, backgrounds, counts.background, (), data, variance)


def best_nuisances(members: Sequence[Compared], columns: Columns, x: float) -> list[Array]:
    """The nuisances of each member at which chi2 is smallest, in standard deviations.

    Parameters
    ----------
    members : sequence of Compared
    columns : GaussianColumns or PoissonColumns
        One column of the same likelihood.
    x : float
        The strength.

    Raises
    ------
    InputError
        Where nothing is expected in a bin that has data, so that chi2 is infinite.
    """
    counted = iter(columns.pulls(np.zeros(1, np.intp), np.array([x])) if isinstance(columns, PoissonColumns) else ())
    found = [next(counted)[0] if each.variance is None else _closed(each) for each in members]
    for member, each in zip(members, found, strict=True):
        if np.isnan(each).any():
            raise InputError(f"nothing is expected in a bin of {member.name} that has data: chi2 is infinite there")
    return found


def _closed(member: Compared) -> Array:
    """The one nuisance of a member whose chi2 is a square."""
    (change,), weights = member.changes, member.weights(np.zeros(1))
    pull = (weights * change * (member.data - member.expected)).sum() / (1 + (weights * change**2).sum())
    return np.array([pull])


def errors(member: Compared, z: Array) -> Array:
    """Errors of the best nuisances z in standard deviations of their constraints: 1 where the data say nothing."""
    root = np.linalg.qr(np.vstack([np.eye(len(z)), (member.changes * np.sqrt(member.weights(z))).T]), mode="r")
    found: Array = np.linalg.norm(np.linalg.inv(root), axis=1)  # of the Hessian R^T R, which is never formed
    return found
