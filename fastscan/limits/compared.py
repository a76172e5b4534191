"""What each experiment of a likelihood compares at one point of a model, bin by bin, and the best nuisances.

With nuisances z of all experiments, m + sum_j z_j T_j events are expected, and chi2 is a sum over bins and z^2.  Half
of it has the Hessian 1 + sum w T_i T_j, where w is n / m^2 for n counted events, and 1 / variance for what is compared
with one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from fastscan.errors import InputError
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.modelled import Modelled
from fastscan.experiments.morphing import Morphed
from fastscan.experiments.observations import Counts, Gaussian
from fastscan.experiments.poisson import SIGNAL, Nuisance, Poisson
from fastscan.kernels.squares import polynomials
from fastscan.likelihoods.columns import Columns
from fastscan.likelihoods.exchanges import powers
from fastscan.likelihoods.gaussian import norm_of, square_roots
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.modelled import of_recoils, response_of
from fastscan.likelihoods.poisson import PoissonColumns
from fastscan.likelihoods.predictions import signal_in_energy, standard_counts
from fastscan.likelihoods.response import response
from fastscan.limits.drawn import in_block, signal_errors
from fastscan.limits.points import Rows
from fastscan.typing import Array

DIFFERENCE = 1e-5  # of a nuisance, from which the change of what is expected is computed
FREE = 1e-12  # what a constraint of a nuisance without one amounts to, so that its error isn't infinite


@dataclass(frozen=True, eq=False)
class Compared:
    """What one experiment compares at a point.

    Attributes
    ----------
    name : str
        That of the member of the likelihood.
    experiment : Experiment
    first, nuisances : int
        The number of the first of its own nuisances among those of all experiments, and how many there are in all; the
        first ones are those that experiments share.
    own_error : float
        Relative error of the signal's normalisation that is its own.
    common : array, shape (shared,)
        Relative errors of it with each nuisance that experiments share.
    signal : array, shape (1 + signal shapes, neutrinos, bins)
        Events of each neutrino, and their change at one standard deviation of each signal shape.
    backgrounds : dict of str to array, shape (bins,)
        Events of each background.
    scaling : array, shape (bins,)
        The part of the background that has the signal's normalisation.
    varied : tuple of Nuisance
        The nuisances of the backgrounds.
    data : array, shape (bins,)
        Events that were counted, or those that stand in their place.
    variance : array, shape (bins,), or None
        The variance of the data; None where they follow Poisson's law.
    """

    name: str
    experiment: Experiment
    first: int
    nuisances: int
    own_error: float
    common: Array
    signal: Array
    backgrounds: dict[str, Array]
    scaling: Array
    varied: tuple[Nuisance, ...]
    data: Array
    variance: Array | None

    @property
    def own(self) -> slice:
        """Where its own nuisances are among those of all experiments."""
        return slice(self.first, self.first + len(self.signal) + len(self.varied))

    @property
    def is_fitted(self) -> bool:
        """Whether its nuisances are found by a fit, and not in closed form."""
        return self.variance is None

    @property
    def starts(self) -> Array:
        """What each own nuisance that has no constraint is where it counts as 0; nan of the others."""
        return np.full(self.own.stop - self.own.start, np.nan)

    @property
    def relative_errors(self) -> dict[str, float]:
        """Relative error of the amount that each own nuisance of an amount multiplies, by its name."""
        statistics = self.experiment.statistics
        backgrounds = statistics.backgrounds if isinstance(statistics, Poisson) else ()
        return {SIGNAL: self.own_error, **{each.name: each.error for each in backgrounds}}

    @property
    def expected(self) -> Array:
        """Events in each bin, where all nuisances are 0."""
        events: Array = sum(self.backgrounds.values(), self.signal[0].sum(axis=0))
        return events

    @property
    def changes(self) -> Array:
        """How many events more there are in each bin at one standard deviation of each nuisance: (nuisances, bins)."""
        signal, *shapes = self.signal.sum(axis=1)
        found = np.zeros((self.nuisances, self.data.size))
        found[: self.common.size] = self.common[:, None] * (signal + self.scaling)
        found[self.own] = [self.own_error * (signal + self.scaling), *shapes, *(each.change for each in self.varied)]
        return found

    @property
    def error(self) -> Array:
        """Errors of the data in each bin: the roots of their variance, which is the events by Poisson's law."""
        return np.sqrt(self.data if self.variance is None else self.variance)

    def changes_at(self, z: Array) -> Array:
        """As `changes`, at nuisances z."""
        return self.changes

    def scale(self, z: Array) -> float:
        """What the signal is multiplied by at nuisances z."""
        return float(1 + self.common @ z[: self.common.size] + self.own_error * z[self.first])

    def signal_at(self, z: Array) -> Array:
        """Events of each neutrino at nuisances z, shape (neutrinos, bins)."""
        events, shapes = self.signal[0], self.signal[1:]
        found: Array = self.scale(z) * events + np.tensordot(z[self.own][1 : 1 + len(shapes)], shapes, axes=1)
        return found

    def backgrounds_at(self, z: Array) -> dict[str, Array]:
        """Events of each background at nuisances z, shape (bins,)."""
        found = {name: events + (self.scale(z) - 1) * self.scaling for name, events in self.backgrounds.items()}
        for nuisance, own in zip(self.varied, z[self.own][len(self.signal) :], strict=True):
            found[nuisance.background] = found[nuisance.background] + own * nuisance.change
        return found

    def expected_at(self, z: Array) -> Array:
        """Events in each bin at nuisances z."""
        expected: Array = self.expected + z @ self.changes
        return expected

    def chi2(self, z: Array) -> Array:
        """The part of chi2 of each bin at nuisances z, without that of their constraints; shape (bins,)."""
        expected = self.expected_at(z)
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
        return np.divide(self.data, self.expected_at(z) ** 2, out=np.zeros_like(self.data), where=self.data > 0)


@dataclass(frozen=True, eq=False)
class ComparedModel(Compared):
    """What an experiment compares with a model of parameters.

    A nuisance is how far a parameter is from where it begins: in units of its error, or in its own without one.

    Attributes
    ----------
    model : Modelled
    recoils : array, shape (neutrinos, energies)
        Events of each neutrino and energy.
    response : Morphed
        How those of an energy are distributed among the bins.
    """

    model: Modelled
    recoils: Array
    response: Morphed

    @property
    def own(self) -> slice:
        """See `Compared.own`: of the signal's normalisation, and of the parameters."""
        return slice(self.first, self.first + 1 + len(self.model.parameters))

    @property
    def is_fitted(self) -> bool:
        """See `Compared.is_fitted`."""
        return True

    @property
    def starts(self) -> Array:
        """See `Compared.starts`."""
        return np.array([np.nan, *(np.nan if each.error else each.start for each in self.model.parameters)])

    @property
    def relative_errors(self) -> dict[str, float]:
        """See `Compared.relative_errors`."""
        amounts = {name for each in self.model.backgrounds for name in each.amount}
        known = [each for each in self.model.parameters if each.name in amounts and each.error and each.start]
        return {SIGNAL: self.own_error, **{each.name: each.error / each.start for each in known}}

    def values_at(self, z: Array) -> dict[str, float]:
        """The parameters at nuisances z."""
        pairs = zip(self.model.parameters, z[self.own][1:].tolist(), strict=True)
        return {each.name: each.start + (each.error or 1.0) * own for each, own in pairs}

    def with_values(self, z: Array, values: Array) -> None:
        """Put the nuisances at which the parameters have some values, shape (parameters,)."""
        start, error = (np.array([getattr(each, of) for each in self.model.parameters]) for of in ("start", "error"))
        z[self.own.start + 1 : self.own.stop] = (values - start) / np.where(error > 0, error, 1.0)

    def signal_at(self, z: Array) -> Array:
        """See `Compared.signal_at`."""
        found: Array = self.scale(z) * (self.recoils @ self.response.at(self.values_at(z)))
        return found

    def backgrounds_at(self, z: Array) -> dict[str, Array]:
        """See `Compared.backgrounds_at`."""
        return self.model.backgrounds_at(self.values_at(z))

    def expected_at(self, z: Array) -> Array:
        """See `Compared.expected_at`."""
        events: Array = sum(self.backgrounds_at(z).values(), self.signal_at(z).sum(axis=0))
        return events

    def changes_at(self, z: Array) -> Array:
        """See `Compared.changes_at`, from differences on both sides."""
        found = np.zeros((z.size, self.data.size))
        for number in (*range(self.common.size), *range(self.own.start, self.own.stop)):
            step = np.zeros(z.size)
            step[number] = DIFFERENCE * max(1.0, abs(z[number]))
            found[number] = (self.expected_at(z + step) - self.expected_at(z - step)) / (2 * step[number])
        return found


def nuisance_names(experiment: Experiment) -> list[str]:
    """Names of an experiment's nuisances: of the signal's normalisation, of its shapes, and of the backgrounds.

    Examples
    --------
    >>> from fastscan.experiments import load
    >>> nuisance_names(load("coherent-csi-2021"))
    ['signal', 'ss', 'brn', 'nin']
    """
    statistics = experiment.statistics
    if isinstance(statistics, Modelled):
        return [SIGNAL, *statistics.names]
    if not isinstance(statistics, Poisson):
        return [SIGNAL]
    return [SIGNAL, *experiment.signal_shapes, *(each.name for each in statistics.nuisances(experiment.exposed))]


def compared(rows: Rows, columns: Columns, x: float) -> list[Compared]:
    """What each experiment compares at a point.

    Parameters
    ----------
    rows : Rows
        Those of one row.
    columns : Columns
        One column of the same likelihood.
    x : float
        The strength.
    """
    likelihood = rows.likelihood
    own, common, noise = signal_errors(likelihood, columns)
    places = np.cumsum([common.shape[1], *(len(nuisance_names(each)) for each in rows.experiments)]).tolist()
    found = []
    for number, (name, experiment) in enumerate(zip(likelihood.members, rows.experiments, strict=True)):
        polynomials = signal_in_energy(experiment, rows.interaction, rows.values)[:, 0]
        events = (polynomials * (x ** np.arange(3))[:, None]).sum(axis=1)  # (neutrinos, energies)
        arriving = response(experiment).arriving
        signal = (arriving * events[:, :, None]).reshape(*arriving.shape[:2], -1)
        backgrounds, scaling, varied, data, variance = _observed(experiment, float(noise[number]))
        each = Compared(
            name=name,
            experiment=experiment,
            first=places[number],
            nuisances=places[-1],
            own_error=float(own[number]),
            common=common[number],
            signal=signal,
            backgrounds=backgrounds,
            scaling=scaling,
            varied=varied,
            data=data,
            variance=variance,
        )
        found.append(_modelled(each, rows, x) if isinstance(experiment.statistics, Modelled) else each)
    return found


def _modelled(compared: Compared, rows: Rows, x: float) -> ComparedModel:
    """What is compared with a model."""
    experiment = compared.experiment
    assert isinstance(experiment.statistics, Modelled)
    polynomials = signal_in_energy(of_recoils(experiment), rows.interaction, rows.values)[:, 0]
    recoils = (polynomials * (x ** np.arange(3))[:, None]).sum(axis=1)
    known = {field.name: getattr(compared, field.name) for field in fields(Compared)}
    return ComparedModel(**known, model=experiment.statistics, recoils=recoils, response=response_of(experiment))


def _observed(
    experiment: Experiment, noise: float
) -> tuple[dict[str, Array], Array, tuple[Nuisance, ...], Array, Array | None]:
    """Backgrounds and the part of them that scales, their nuisances, data, and the variance; see `Compared`."""
    statistics, exposed, standard = experiment.statistics, experiment.exposed, standard_counts(experiment)
    backgrounds = statistics.backgrounds_in(standard, exposed)
    total = sum(backgrounds.values(), np.zeros(exposed.bins))
    if isinstance(statistics, Poisson):
        data, nothing = statistics.data(exposed), np.zeros(exposed.bins)
        return (
            backgrounds,
            nothing,
            tuple(statistics.nuisances(exposed)),
            standard + total if data is None else data,
            None,
        )
    if isinstance(statistics, Modelled):
        data, nothing = statistics.data(exposed), np.zeros(exposed.bins)
        variance = np.array(statistics.errors) ** 2 * noise if statistics.errors else None
        return backgrounds, nothing, (), standard + total if data is None else data, variance
    assert isinstance(statistics, Gaussian)
    counts = statistics.counts(standard, exposed)
    data = counts.data + (total - counts.background)  # what is subtracted put back
    return backgrounds, counts.background, (), data, counts.variance * noise


def sums_of(member: Compared, templates: Array, data: Array, scale: Array) -> tuple[Array, Array]:
    """Sums of a member with a variance in sets of data, and of its squared data.

    Parameters
    ----------
    member : Compared
    templates : array, shape (3, sets, bins)
        What the member predicts in each set, as a polynomial in x.
    data : array, shape (sets, bins)
        With the backgrounds, as `Compared.data` is.
    scale : array, shape (sets,)
        What the prediction of each set is multiplied by.

    Returns
    -------
    sums : array, shape (sets, 3, SQUARES)
        See `fastscan.kernels.squares`.
    norm : array, shape (sets,)
        Sum of the squared data over their variance.
    """
    assert member.variance is not None
    seen = member.variance > 0
    subtracted = sum(member.backgrounds.values(), -member.scaling)
    nothing, roots, norm = np.zeros(seen.sum()), [], []
    for own, each, factor in zip(np.moveaxis(templates, 1, 0), data - subtracted, scale.tolist(), strict=True):
        observed = Counts(each[seen], factor * member.scaling[seen], member.variance[seen], 0.0)
        roots.append(square_roots(factor * own[:, seen], nothing, observed))
        norm.append(norm_of(observed))
    found: Array = polynomials(np.stack(roots)[None], np.array(powers(len(data)))[None])[0]
    return found, np.array(norm)


def best_nuisances(members: Sequence[Compared], likelihood: Likelihood, columns: Columns, x: float) -> Array:
    """The nuisances of all members at which chi2 is smallest, in standard deviations.

    Parameters
    ----------
    members : sequence of Compared
    likelihood : Likelihood
        That of the same members.
    columns : Columns
        One of its columns.
    x : float
        The strength.

    Returns
    -------
    array, shape (nuisances,)
        Those that members share, then those of each member.

    Raises
    ------
    InputError
        Where nothing is expected in a bin that has data, so that chi2 is infinite.
    """
    z = np.zeros(members[0].nuisances)
    if isinstance(columns, PoissonColumns):
        for block, pulls in zip(likelihood.blocks, columns.pulls(np.zeros(1, np.intp), np.array([x])), strict=True):
            z[in_block(likelihood, block)] = pulls[0]
    for member in members:
        if isinstance(member, ComparedModel):
            member.with_values(z, z[member.own][1:])
    if np.isnan(z).any():
        raise InputError("nothing is expected in a bin that has data: chi2 is infinite there")
    for member in members:
        if not member.is_fitted and member.variance is not None:  # the signal's own normalisation in closed form
            change, weights = member.changes[member.first], member.weights(z)
            left = (weights * change * (member.data - member.expected_at(z))).sum()
            z[member.first] = left / (1 + (weights * change**2).sum())
    return z


def errors(members: Sequence[Compared], z: Array) -> Array:
    """Errors of the best nuisances z in standard deviations of their constraints: 1 where the data say nothing.

    Those of a nuisance without a constraint are in its own unit.
    """
    rows = [(each.changes_at(z) * np.sqrt(each.weights(z))).T for each in members]
    constraints = np.eye(z.size)
    for each in members:
        free = each.own.start + np.flatnonzero(np.isfinite(each.starts))
        constraints[free, free] = FREE
    root = np.linalg.qr(np.vstack([constraints, *rows]), mode="r")
    found: Array = np.linalg.norm(np.linalg.inv(root), axis=1)  # of the Hessian R^T R, which is never formed
    return found
