"""Coverage: the fraction of repeated experiments whose asymptotic interval contains the true strength."""

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
    """The coverage of the asymptotic interval at some points of a model.

    Attributes
    ----------
    fraction : array, shape (...)
        Fraction of the toys whose interval contains the point at which they are drawn.
    error : array, shape (...)
        Binomial error of the fraction, computed with one more toy inside and one more outside, so that it is never 0.
    cl, dof : float, int
        Confidence level and degrees of freedom of the interval.
    toys, seed : int
        Number of toys at each point, and the seed of their random numbers.
    nuisances : dict of str to float
        True nuisances in standard deviations, by name; all others are 0.
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
    """Coverage: the fraction of toys whose asymptotic interval contains the point of a model at which they are drawn.

    The counts of a toy fluctuate around the expected counts at the point with the true nuisances, and the centres of
    the nuisances' constraints fluctuate around the true nuisances.  The interval of a toy is that of
    `fastscan.intervals`: all strengths whose Delta chi2 is at most the quantile of the chi2 distribution.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, asimov, independent, cl, dof
        As in `limit`.  Of the data only the variances matter.
    toys, seed : int
        Number of toys at each point, and the seed of their random numbers.
    nuisances : mapping of str to float, optional
        True nuisances in standard deviations, at most 100, by their names in `fastscan.fit`.  With several
        experiments the name is NAME/NUISANCE, but for nuisances that they share.  Left out, all are 0.
    **at : array_like
        The model's parameters by name, as in `events`; they broadcast with sigma_sys and luminosity.

    Returns
    -------
    Coverage

    Raises
    ------
    FastscanError
        As `chi2`; for a cl, dof, number of toys, seed or nuisance out of bounds; for unknown nuisances; and for
        experiments with a model of fitted parameters, which have no toys.

    Warns
    -----
    FastscanWarning
        As `chi2`, and where a large systematic error makes the signal of many toys negative.

    References
    ----------
    Feldman and Cousins, arXiv:physics/9711021, section II, define coverage.

    Examples
    --------
    At its lower end 0 a strength is covered too often: half of the toys have their best fit there.

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
    likely = (number + 1) / (asked.number + 2)  # never 0 or 1, so that the error is never 0
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
    """Each point of the flattened `shape` as a `Truth` with the true nuisances."""
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
    """The nuisances' names as callers give them, in the order of `fastscan.limits.drawn.Drawn.centres`."""
    own = [(each.name, name) for each in rows.experiments for name in nuisance_names(each)]
    return [
        *rows.likelihood.shared,
        *(name if len(rows.experiments) == 1 else f"{experiment}/{name}" for experiment, name in own),
    ]
