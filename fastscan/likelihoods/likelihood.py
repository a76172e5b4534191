"""From counts to chi2: the statistics of each experiment as Gram matrices, and the likelihood built from them.

A `Likelihood` is one model's chi2 in one experiment or in the sum of several, as a handful of numbers: a store
carries it, workers and queries use it, and nobody builds it twice.
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from fastscan.errors import FastscanError, unknown
from fastscan.experiments.catalogue import Experiments, load_all
from fastscan.experiments.experiment import Experiment
from fastscan.experiments.observations import Counts
from fastscan.inputs import arguments
from fastscan.interactions import catalogue as models
from fastscan.interactions.catalogue import Model
from fastscan.kernels import kernels
from fastscan.likelihoods import response as responses
from fastscan.typing import Array, IntArray

SigmaSys = ArrayLike | Mapping[str, ArrayLike | None] | None


@functools.cache
def experiment_forms(experiment: Experiment) -> tuple[Array, Array, float]:
    """Response over all bins, Gram matrices and `Counts.spread` of an experiment, once for all models.

    Bins in which the Standard Model predicts nothing are dropped.
    """
    response, g_sm = responses.response(experiment).total, models.sm_couplings(experiment.channel)
    signal = response @ features(g_sm)
    if not np.isfinite(signal).all():
        raise FastscanError(f"experiment {experiment.name!r} counts no finite number of events: check its numbers")
    response, signal = response[signal > 0], signal[signal > 0]
    if not signal.size:
        raise FastscanError(f"experiment {experiment.name!r} sees nothing: check its thresholds, bins and efficiency")
    counts = experiment.statistics.counts(signal)
    return response.sum(axis=0), gram_matrices(response, g_sm, counts), counts.spread


def features(couplings: Array) -> Array:
    """(g1^2, g1 g2, g2^2) of couplings of shape (..., 2): what a response multiplies."""
    g1, g2 = couplings[..., 0], couplings[..., 1]
    return np.stack([g1**2, g1 * g2, g2**2], axis=-1)


def gram_matrices(response: Array, g_sm: Array, counts: Counts) -> Array:
    """Sums over bins as quadratic forms in e = (1, changes of g1^2, g1 g2, g2^2).

    With d = data - m and m = N + background, each over the square root of the variance:

        S_dd = sum d^2,  D = S_dd S_mm - (sum d m)^2,  S_mm = sum m^2

    D is written as a sum over pairs of bins, (data_i m_j - data_j m_i)^2, in which nothing cancels: it is never
    negative, and zero for one bin.

    Parameters
    ----------
    response : array, shape (bins, 3)
        Of `fastscan.likelihoods.response.Response.total`.
    g_sm : array, shape (2,)
        Standard Model couplings.
    counts : Counts
        What is compared.

    Returns
    -------
    array, shape (3, 4, 4)
        The forms of S_dd, D and S_mm: S = e^T form e.

    References
    ----------
    Eqs. 21-23 of arXiv:2002.01482, with the nuisance of the normalisation minimised out exactly.

    Examples
    --------
    Where data are the prediction and there is one bin, at the Standard Model (e0 alone) S_dd and D are zero:

    >>> counts = Counts(data=np.array([100.0]), background=np.zeros(1), variance=np.array([120.0]), spread=0.0)
    >>> forms = gram_matrices(np.array([[0.0, 0.0, 400.0]]), np.array([0.0, 0.5]), counts)
    >>> forms[:, 0, 0].round(3)
    array([ 0.   ,  0.   , 83.333])
    """
    error = np.sqrt(counts.variance)
    data = counts.data / error
    model = np.column_stack([response @ features(g_sm) + counts.background, response]) / error[:, None]
    difference = -model
    difference[:, 0] += data
    i, j = np.triu_indices(data.size, k=1)
    pairs = data[i, None] * model[j] - data[j, None] * model[i]
    return np.stack([vectors.T @ vectors for vectors in (difference, pairs, model)])


@dataclass(frozen=True, eq=False)
class Likelihood:
    """chi2 of one model in one experiment, or in several ("members") whose chi2 add up.

    Attributes
    ----------
    members : tuple of str
        Names of the experiments.
    response : array, shape (members, 3)
        Events over all bins, see `fastscan.likelihoods.response.Response.total`.
    gram : array, shape (members, 3, 4, 4)
        See `gram_matrices`.
    g_sm : array, shape (members, 2)
        Standard Model couplings.
    kappa : array, shape (members, betas, 2)
        Shift of the couplings per gamma.
    spread, sigma_sys : array, shape (members,)
        See `Counts`; each experiment's own systematic error.
    """

    members: tuple[str, ...]
    response: Array
    gram: Array
    g_sm: Array
    kappa: Array
    spread: Array
    sigma_sys: Array

    def coefficients(self, betas: slice = slice(None)) -> Array:
        """Polynomials in gamma of `fastscan.kernels.kernels.polynomials`, at some of the betas."""
        kappa = np.ascontiguousarray(self.kappa[:, betas])
        coefficients: Array = kernels.polynomials(self.gram, self.g_sm, kappa)
        return coefficients

    def events(self, gamma: Array, beta_index: IntArray) -> Array:
        """Signal events of all members together, where gamma and the index of beta broadcast."""
        total = np.zeros(arguments.broadcast(m_zprime=gamma.shape, beta=beta_index.shape))
        for response, g_sm, kappa in zip(self.response, self.g_sm, self.kappa, strict=True):
            squares = features(g_sm + gamma[..., None] * kappa[beta_index])
            # spelled out, as the order in which @ adds depends on the arrays' shape
            total += squares[..., 0] * response[0] + squares[..., 1] * response[1] + squares[..., 2] * response[2]
        return total

    def settings(self, sigma_sys: SigmaSys, luminosity: ArrayLike) -> tuple[Array, Array]:
        """The kernels' noise and variance, shape (members, ...), of systematic errors and luminosities.

        noise = 1 / lam_e = 1 / lam + r, with r = `spread`, and variance = sigma_sys^2.
        """
        lam = arguments.luminosity(luminosity)
        values = list(self._sigmas(sigma_sys))
        shape = arguments.broadcast(
            luminosity=lam.shape,
            **{f"sigma_sys of {m}": s.shape for m, s in zip(self.members, values, strict=True)},
        )
        noise, variance = np.empty((2, len(self.members), *shape))
        for n, sigma in enumerate(values):
            noise[n] = 1 / lam + self.spread[n]
            variance[n] = sigma**2
        return noise, variance

    def _sigmas(self, sigma_sys: SigmaSys) -> Iterable[Array]:
        """Each member's systematic error: its own, a common one, or by name."""
        named = sigma_sys if isinstance(sigma_sys, Mapping) else dict.fromkeys(self.members, sigma_sys)
        for name in named:
            if name not in self.members:
                raise unknown("experiment in sigma_sys", name, self.members)
        for member, own in zip(self.members, self.sigma_sys, strict=True):
            given = named.get(member)
            yield arguments.sigma_sys(own if given is None else given)


def combine(likelihoods: Sequence[Likelihood]) -> Likelihood:
    """The likelihood whose chi2 is the sum of others', for the same model over the same betas."""
    members = [member for each in likelihoods for member in each.members]
    for member in members:
        if members.count(member) > 1:
            raise FastscanError(f"experiment {member!r} is there twice")
    names = [field.name for field in fields(Likelihood) if field.name != "members"]
    return Likelihood(
        tuple(members),
        **{name: np.concatenate([getattr(each, name) for each in likelihoods]) for name in names},
    )


def build(experiments: Sequence[Experiment], model: str | Model, beta: Array | None) -> Likelihood:
    """The likelihood of a model in experiments, over betas of shape (betas,) in rad (``e6`` only)."""
    if not experiments:
        raise FastscanError("no experiment given")
    loaded = models.load(model)
    return combine([_build_one(experiment, loaded, beta) for experiment in experiments])


def _build_one(experiment: Experiment, model: Model, beta: Array | None) -> Likelihood:
    response, gram, spread = experiment_forms(experiment)
    return Likelihood(
        members=(experiment.name,),
        response=response[None],
        gram=gram[None],
        g_sm=models.sm_couplings(experiment.channel)[None],
        kappa=models.kappa(model, experiment.channel, beta)[None],
        spread=np.array([spread]),
        sigma_sys=np.array([experiment.statistics.sigma_sys]),
    )


def prepare(experiments: Experiments, model: str | Model, beta: ArrayLike | None) -> tuple[Likelihood, IntArray]:
    """The likelihood at the betas that a caller gives, and the index of each, in their shape."""
    loaded = load_all(experiments)
    angles = None if beta is None else arguments.finite("beta", beta)
    likelihood = build(loaded, model, None if angles is None else angles.ravel())
    shape = () if angles is None else angles.shape
    return likelihood, np.arange(likelihood.kappa.shape[1]).reshape(shape)


def events(
    experiment: str | PathLike[str] | Experiment,
    model: str | Model,
    *,
    m_zprime: ArrayLike,
    beta: ArrayLike | None = None,
    luminosity: ArrayLike = 1.0,
) -> Array:
    """Expected signal events, all bins together.

    Everything after the model broadcasts.

    Parameters
    ----------
    experiment : str or Experiment
        Name (see ``fastscan experiments``), path to a TOML file, or `Experiment`.
    model : str or Model
        Name (see ``fastscan models``), or path to a TOML file with a user's own charges.
    m_zprime : array_like
        Mass of the Z' in GeV, positive; ``inf`` is the Standard Model.
    beta : array_like, optional
        E6 mixing angle in rad; needed by ``e6``, and by no other model.
    luminosity : array_like
        Factor on the exposure.

    Returns
    -------
    array
        Events, of the arguments' common shape.

    Raises
    ------
    FastscanError
        For unknown names and values that aren't positive or finite.

    References
    ----------
    Eq. 16 of arXiv:2002.01482.

    Examples
    --------
    >>> events("coherent-csi", "chi", m_zprime=[200, float("inf")]).round(2)
    array([289.57, 180.12])
    """
    likelihood, beta_index = prepare(experiment, model, beta)
    gamma = models.gamma(arguments.m_zprime(m_zprime))
    factor = arguments.luminosity(luminosity)
    arguments.broadcast(m_zprime=gamma.shape, beta=beta_index.shape, luminosity=factor.shape)
    result: Array = likelihood.events(gamma, beta_index) * factor
    return result


def chi2(
    experiments: Experiments,
    model: str | Model,
    *,
    m_zprime: ArrayLike,
    beta: ArrayLike | None = None,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
) -> Array:
    """chi2 with every nuisance minimised out (Eq. 21).

    Everything after the model broadcasts.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several are combined: their chi2 add up, each with its own nuisances.
    model : str or Model
        Name (see ``fastscan models``), or path to a TOML file with a user's own charges.
    m_zprime : array_like
        Mass of the Z' in GeV, positive; ``inf`` is the Standard Model.
    beta : array_like, optional
        E6 mixing angle in rad; needed by ``e6``, and by no other model.
    sigma_sys : array_like or mapping, optional
        Relative error of the signal's normalisation; left out, each experiment's own.  A mapping gives it by
        experiment, and the unnamed keep their own.
    luminosity : array_like
        Factor on the exposure; measured data are scaled, deficit and all.

    Returns
    -------
    array
        Of the arguments' common shape.

    Raises
    ------
    FastscanError
        For unknown names and values that are negative, zero or not finite.

    References
    ----------
    Eq. 21 of arXiv:2002.01482, after COHERENT, arXiv:1708.01294.

    Examples
    --------
    >>> chi2("coherent-csi", "chi", m_zprime=[100, 200]).round(4)
    array([8.4882, 3.1303])
    """
    likelihood, beta_index = prepare(experiments, model, beta)
    gamma = models.gamma(arguments.m_zprime(m_zprime))
    return chi2_of(likelihood, beta_index, gamma, sigma_sys, luminosity)


def chi2_of(
    likelihood: Likelihood, beta_index: IntArray, gamma: Array, sigma_sys: SigmaSys, luminosity: ArrayLike
) -> Array:
    """chi2 of a likelihood, where the index of beta, gamma, sigma_sys and luminosity broadcast."""
    noise, variance = likelihood.settings(sigma_sys, luminosity)
    shape = arguments.broadcast(
        m_zprime=gamma.shape, beta=beta_index.shape, **{"sigma_sys with luminosity": noise.shape[1:]}
    )
    result: Array = kernels.chi2_columns.of_size(math.prod(shape))(
        likelihood.coefficients(),
        np.broadcast_to(beta_index, shape).flatten(),
        np.broadcast_to(gamma, shape).reshape(-1, 1).copy(),
        flattened(noise, shape),
        flattened(variance, shape),
    )
    return result.reshape(shape)


def flattened(by_member: Array, shape: tuple[int, ...]) -> Array:
    """(members, ...) broadcast to (members, *shape), flattened to (members, points)."""
    members = len(by_member)
    aligned = by_member.reshape(members, *(1,) * (len(shape) - by_member.ndim + 1), *by_member.shape[1:])
    return np.broadcast_to(aligned, (members, *shape)).reshape(members, -1).copy()
