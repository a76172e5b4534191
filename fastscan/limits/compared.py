"""The comparison of each experiment's data with the prediction at one point of a model, and the best nuisances.

At nuisances z, a bin expects m + sum_j z_j T_j events, where T_j is the change at one standard deviation of nuisance j.
chi2 is a sum over bins plus z^2.  The Hessian of chi2 / 2 in z is 1 + sum_bins w T_i T_j.  The weight w of a bin is
n / m^2 for n counted events, and 1 / variance for data with a Gaussian error.
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

DIFFERENCE = 1e-5  # step of a nuisance for the numerical derivative of the prediction
FREE = 1e-12  # stands for the 1 of a constraint where a nuisance has none, so that its error stays finite


@dataclass(frozen=True, eq=False)
class Compared:
    """The prediction and the data of one experiment at a point.

    The nuisances of all experiments stand in one array: first those that experiments share, then each experiment's own.

    Attributes
    ----------
    name : str
        Name of the member of the likelihood.
    experiment : Experiment
    first : int
        Index of the experiment's first own nuisance.
    nuisances : int
        Number of nuisances of all experiments together.
    own_error : float
        Relative error of the signal's normalisation from the experiment's own nuisance.
    common : array, shape (shared,)
        Relative error of the signal's normalisation from each shared nuisance.
    signal : array, shape (1 + signal shapes, neutrinos, bins)
        Events of each neutrino, and their change at one standard deviation of each signal shape.
    backgrounds : dict of str to array, shape (bins,)
        Events of each background.
    scaling : array, shape (bins,)
        The part of the background that has the signal's normalisation, in events.
    varied : tuple of Nuisance
        The nuisances of the backgrounds.
    data : array, shape (bins,)
        Counted events, or the prediction in place of them.
    variance : array, shape (bins,), or None
        Variance of the data; None where they follow Poisson's law.
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
        """The indices of its own nuisances among those of all experiments."""
        return slice(self.first, self.first + len(self.signal) + len(self.varied))

    @property
    def is_fitted(self) -> bool:
        """Whether a fit finds its best nuisances; otherwise they have a closed form."""
        return self.variance is None

    @property
    def starts(self) -> Array:
        """The starting value of each own nuisance without a constraint, at which z is 0; nan for the others."""
        return np.full(self.own.stop - self.own.start, np.nan)

    @property
    def relative_errors(self) -> dict[str, float]:
        """For each own nuisance that multiplies an amount, by name: the relative error of that amount."""
        statistics = self.experiment.statistics
        backgrounds = statistics.backgrounds if isinstance(statistics, Poisson) else ()
        return {SIGNAL: self.own_error, **{each.name: each.error for each in backgrounds}}

    @property
    def expected(self) -> Array:
        """Expected events in each bin with all nuisances at 0."""
        events: Array = sum(self.backgrounds.values(), self.signal[0].sum(axis=0))
        return events

    @property
    def changes(self) -> Array:
        """The change of the expected events at one standard deviation of each nuisance: (nuisances, bins)."""
        signal, *shapes = self.signal.sum(axis=1)
        found = np.zeros((self.nuisances, self.data.size))
        found[: self.common.size] = self.common[:, None] * (signal + self.scaling)
        found[self.own] = [self.own_error * (signal + self.scaling), *shapes, *(each.change for each in self.varied)]
        return found

    @property
    def error(self) -> Array:
        """The error of the data in each bin: the root of the variance, or of the count under Poisson's law."""
        return np.sqrt(self.data if self.variance is None else self.variance)

    def changes_at(self, z: Array) -> Array:
        """As `changes`, at nuisances z."""
        return self.changes

    def scale(self, z: Array) -> float:
        """The factor on the signal at nuisances z."""
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
        """Expected events in each bin at nuisances z."""
        expected: Array = self.expected + z @ self.changes
        return expected

    def chi2(self, z: Array) -> Array:
        """The part of chi2 of each bin at nuisances z, shape (bins,); the nuisances' constraints are not included."""
        expected = self.expected_at(z)
        if self.variance is not None:
            counted = self.variance > 0  # a bin without variance expects nothing, and adds nothing to chi2
            return np.where(counted, (self.data - expected) ** 2, 0.0) / np.where(counted, self.variance, 1.0)
        seen = self.data > 0
        ratio = np.where(seen, expected, 1.0) / np.where(seen, self.data, 1.0)
        return 2 * np.where(seen, self.data * ((ratio - 1) - np.log(ratio)), expected)

    def weights(self, z: Array) -> Array:
        """The weight w of each bin in the Hessian of chi2 / 2, see the room's docstring; shape (bins,)."""
        if self.variance is not None:
            return np.divide(1.0, self.variance, out=np.zeros_like(self.variance), where=self.variance > 0)
        return np.divide(self.data, self.expected_at(z) ** 2, out=np.zeros_like(self.data), where=self.data > 0)


@dataclass(frozen=True, eq=False)
class ComparedModel(Compared):
    """The prediction and the data of an experiment with a model of fitted parameters.

    The nuisance of a parameter is its distance from its starting value, in units of its error, or in the parameter's
    own unit if it has no error.

    Attributes
    ----------
    model : Modelled
    recoils : array, shape (neutrinos, energies)
        Events of each neutrino in each bin of recoil energy.
    response : Morphed
        The distribution over the bins of events of each energy, which depends on the parameters.
    """

    model: Modelled
    recoils: Array
    response: Morphed

    @property
    def own(self) -> slice:
        """See `Compared.own`: the signal's normalisation, then the parameters."""
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
        """The values of the parameters at nuisances z, by name."""
        pairs = zip(self.model.parameters, z[self.own][1:].tolist(), strict=True)
        return {each.name: each.start + (each.error or 1.0) * own for each, own in pairs}

    def with_values(self, z: Array, values: Array) -> None:
        """Write into z, in place, the nuisances at which the parameters have the given values, shape (parameters,)."""
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
        """See `Compared.changes_at`; computed as central differences."""
        found = np.zeros((z.size, self.data.size))
        for number in (*range(self.common.size), *range(self.own.start, self.own.stop)):
            step = np.zeros(z.size)
            step[number] = DIFFERENCE * max(1.0, abs(z[number]))
            found[number] = (self.expected_at(z + step) - self.expected_at(z - step)) / (2 * step[number])
        return found


def nuisance_names(experiment: Experiment) -> list[str]:
    """Names of an experiment's nuisances: the signal's normalisation, the signal's shapes, then the backgrounds.

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
    """The prediction and the data of each experiment at a point.

    Parameters
    ----------
    rows : Rows
        A single row.
    columns : Columns
        One column of its likelihood.
    x : float
        The strength, dimensionless.

    Returns
    -------
    list of Compared
        One for each member of the likelihood, in its order.
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
    """`compared` of an experiment with a model of fitted parameters."""
    experiment = compared.experiment
    assert isinstance(experiment.statistics, Modelled)
    polynomials = signal_in_energy(of_recoils(experiment), rows.interaction, rows.values)[:, 0]
    recoils = (polynomials * (x ** np.arange(3))[:, None]).sum(axis=1)
    known = {field.name: getattr(compared, field.name) for field in fields(Compared)}
    return ComparedModel(**known, model=experiment.statistics, recoils=recoils, response=response_of(experiment))


def _observed(
    experiment: Experiment, noise: float
) -> tuple[dict[str, Array], Array, tuple[Nuisance, ...], Array, Array | None]:
    """The `backgrounds`, `scaling`, `varied`, `data` and `variance` of `Compared`; the noise multiplies variances."""
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
    data = counts.data + (total - counts.background)  # adds the background that the data of `counts` lack
    return backgrounds, counts.background, (), data, counts.variance * noise


def sums_of(member: Compared, templates: Array, data: Array, scale: Array) -> tuple[Array, Array]:
    """The sums of squares of a member with a variance, in several sets of data.

    Parameters
    ----------
    member : Compared
    templates : array, shape (3, sets, bins)
        Signal events that the member predicts in each set, as a polynomial in x.
    data : array, shape (sets, bins)
        Events with the backgrounds, as in `Compared.data`.
    scale : array, shape (sets,)
        Factor on the prediction in each set.

    Returns
    -------
    sums : array, shape (sets, 3, SQUARES)
        See `fastscan.kernels.squares`.
    norm : array, shape (sets,)
        Sum over bins of the squared data divided by their variance.
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
    """The nuisances of all members at which chi2 is smallest.

    Parameters
    ----------
    members : sequence of Compared
    likelihood : Likelihood
        The likelihood of the same members.
    columns : Columns
        One column of the likelihood.
    x : float
        The strength, dimensionless.

    Returns
    -------
    array, shape (nuisances,)
        Nuisances in standard deviations of their constraints: first the shared ones, then those of each member.

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
    """Errors of the best nuisances z, shape (nuisances,), in standard deviations of their constraints.

    The error is 1 where the data don't constrain a nuisance.  Without a constraint it is in the nuisance's own unit.
    """
    rows = [(each.changes_at(z) * np.sqrt(each.weights(z))).T for each in members]
    constraints = np.eye(z.size)
    for each in members:
        free = each.own.start + np.flatnonzero(np.isfinite(each.starts))
        constraints[free, free] = FREE
    root = np.linalg.qr(np.vstack([constraints, *rows]), mode="r")
    # R^T R is the Hessian, whose inverse has the squared errors on its diagonal; it is never formed
    found: Array = np.linalg.norm(np.linalg.inv(root), axis=1)
    return found
