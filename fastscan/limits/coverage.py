"""Coverage: how often the asymptotic interval of a repeated experiment contains the true value."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fastscan.errors import InputError, quoted, unknown, warn
from fastscan.experiments.catalogue import Experiments
from fastscan.inputs import arguments
from fastscan.likelihoods.settings import Settings, SigmaSys
from fastscan.limits.compared import nuisance_names
from fastscan.limits.confidence import CL, DOF, Toys
from fastscan.limits.drawn import Truth
from fastscan.limits.feldman_cousins import tell_of_doubts, thrown_at
from fastscan.limits.limits import checked, threshold
from fastscan.limits.points import AnyModel, Rows, doubts_about, prepare_points
from fastscan.typing import Array

FARTHEST = 100.0  # largest true nuisance, in standard deviations


@dataclass(frozen=True, eq=False)
class Coverage:
    """How often the asymptotic interval contains the true value, at some points of a model.

    Attributes
    ----------
    fraction, error : array, shape (...)
        The part of the toys whose interval holds the point that they are drawn at, and its binomial error, which takes
        one toy more of either kind.
    cl, dof : float, int
        The level of the interval.
    toys, seed : int
        How many toys there are at each point, and what their random numbers begin with.
    nuisances : dict of str to float
        The true nuisances that aren't 0, in standard deviations.
    """

    fraction: Array
    error: Array
    cl: float
    dof: int
    toys: int
    seed: int
    nuisances: dict[str, float]


def coverage(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    asimov: bool = False,
    independent: bool = False,
    cl: float = CL,
    dof: int = DOF,
    toys: int = Toys.number,
    seed: int = Toys.seed,
    nuisances: Mapping[str, float] | None = None,
    **at: ArrayLike | None,
) -> Coverage:
    """How often the asymptotic interval of toys holds the point of a model at which they are drawn.

    A toy has counts around what is expected at the point with the true nuisances, and centres of the nuisances'
    constraints around these.  Its interval is that of `fastscan.intervals`: Delta chi2 up to the quantile of chi2, with
    the infimum over all strengths.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, asimov, independent, cl, dof
        As in `limit`.  Of data, variances alone matter.
    toys, seed : int
        How many toys at each point, and what their random numbers begin with.
    nuisances : mapping of str to float, optional
        The true nuisances in standard deviations, by the names that `fastscan.fit` has for them; those of one
        experiment among several are NAME/NUISANCE.  Left out, they are 0.
    **at : array_like
        The model's parameters by name, as in `events`; everything broadcasts.

    Returns
    -------
    Coverage

    Raises
    ------
    FastscanError
        As `limit`, and for unknown nuisances.

    Warns
    -----
    FastscanWarning
        As `chi2`.

    References
    ----------
    Section II of Feldman and Cousins, arXiv:physics/9711021, says what coverage is.

    Examples
    --------
    A strength that can't be below 0 is covered too often there: half of the toys have their best fit at 0.

    >>> found = coverage("conus", "b-l", m_zprime=0.01, g=0.0, toys=1000)
    >>> float(found.fraction.round(2)), float(found.error.round(3))
    (0.95, 0.007)
    """
    delta, asked = threshold(cl, dof), checked(Toys(toys, seed))
    given = {} if nuisances is None else nuisances
    if not isinstance(given, Mapping):
        raise InputError(f"nuisances are numbers by name, not {quoted(given)}")
    rows, x = prepare_points(experiments, model, at, asimov, independent)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    shape = arguments.broadcast(at=x.shape, rows=rows.index.shape, settings=settings.shape)
    warn(*doubts_about(rows, x, settings))
    truths = _truths(rows, np.broadcast_to(x, shape).ravel(), settings, shape, given)
    tell_of_doubts(truths)
    strength = rows.interaction.strength
    held = [
        np.count_nonzero(thrown_at(each, strength, asked.number, asked.seed, place) <= delta)
        for place, each in enumerate(truths)
    ]
    number = np.array(held, float).reshape(shape)
    likely = (number + 1) / (asked.number + 2)  # which is neither 0 nor 1
    return Coverage(
        fraction=number / asked.number,
        error=np.sqrt(likely * (1 - likely) / asked.number),
        cl=float(cl),
        dof=int(dof),
        toys=asked.number,
        seed=asked.seed,
        nuisances=dict(given),
    )


def _truths(
    rows: Rows, x: Array, settings: Settings, shape: tuple[int, ...], nuisances: Mapping[str, float]
) -> list[Truth]:
    """Each point, with the true nuisances."""
    columns, _ = rows.likelihood.columns(np.broadcast_to(rows.index, shape), settings)
    names, true = _names(rows), {}
    for name, value in nuisances.items():
        if name not in names:
            raise unknown("nuisance", str(name), names, InputError)
        true[name] = arguments.scalar(f"nuisance {name}", value, -FARTHEST, FARTHEST)
    z = np.array([true.get(name, 0.0) for name in names])
    numbers = np.arange(x.size)[:, None]
    pairs = zip(numbers, x.tolist(), strict=True)
    return [Truth(rows.likelihood, columns.some(number), each, z) for number, each in pairs]


def _names(rows: Rows) -> list[str]:
    """Names of the nuisances in the order of `fastscan.limits.drawn.Drawn.centres`."""
    own = [(each.name, name) for each in rows.experiments for name in nuisance_names(each)]
    return [
        *rows.likelihood.shared,
        *(name if len(rows.experiments) == 1 else f"{experiment}/{name}" for experiment, name in own),
    ]
