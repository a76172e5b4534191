"""Limits, allowed intervals and Delta chi2 of the strength of a model, at a caller's parameters and settings."""

from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from fastscan.axes import SETTINGS
from fastscan.errors import InputError, warn
from fastscan.experiments.catalogue import Experiments
from fastscan.inputs import arguments
from fastscan.interactions.contact import CONTACT_GEV
from fastscan.interactions.interaction import Strength
from fastscan.interactions.parameters import M_ZPRIME
from fastscan.likelihoods.settings import SigmaSys
from fastscan.limits.confidence import ASYMPTOTIC, CL, DOF
from fastscan.limits.crossings import infimum
from fastscan.limits.limits import (
    Interval,
    Status,
    bounds_of,
    crossings_to,
    limits_in,
    require_standard_model,
    threshold,
    toys_of,
)
from fastscan.limits.points import AnyModel, doubts_about, prepare, prepare_points
from fastscan.typing import Array

HEAVIEST_GEV = 20000.0  # the default upper end of the masses that `intervals` searches


@overload
def limit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = ...,
    luminosity: ArrayLike = ...,
    asimov: bool = ...,
    independent: bool = ...,
    cl: float = ...,
    dof: int = ...,
    method: str = ...,
    toys: int | None = ...,
    seed: int | None = ...,
    with_status: Literal[False] = ...,
    **at: ArrayLike | None,
) -> Array: ...
@overload
def limit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = ...,
    luminosity: ArrayLike = ...,
    asimov: bool = ...,
    independent: bool = ...,
    cl: float = ...,
    dof: int = ...,
    method: str = ...,
    toys: int | None = ...,
    seed: int | None = ...,
    with_status: Literal[True],
    **at: ArrayLike | None,
) -> tuple[Array, Status]: ...
def limit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    asimov: bool = False,
    independent: bool = False,
    cl: float = CL,
    dof: int = DOF,
    method: str = ASYMPTOTIC,
    toys: int | None = None,
    seed: int | None = None,
    with_status: bool = False,
    **at: ArrayLike | None,
) -> Array | tuple[Array, Status]:
    """Limit on the strength of a model: the end of the allowed interval that contains the Standard Model.

    The limit is a lower one on the mass of a heavy Z', and an upper one on a coupling or a magnetic moment.  A strength
    of either sign, such as the epsilon of a non-standard interaction, has a limit on each side.  A strength is allowed
    where chi2 minus its infimum over all strengths is at most the threshold.  The model's other parameters, sigma_sys
    and luminosity broadcast.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several experiments are combined.
    model, sigma_sys
        As in `chi2`.
    luminosity : array_like
        Factor on the exposure.  A factor other than 1 also multiplies measured data, with their deficit or excess, so
        that the limit is not that of a longer run; the expected limit of a longer run needs `asimov`.  Counted data of
        a Poisson likelihood can't be multiplied.
    asimov : bool
        Whether to compute the expected limit, with the Standard Model's prediction in place of measured data.
    independent : bool
        Whether experiments that are combined share no nuisance, see `chi2`.
    cl : float
        Confidence level, a probability.
    dof : int
        Degrees of freedom of the quantile: 1 for a limit on the strength alone.
    method : {"asymptotic", "toys"}
        The origin of the threshold of Delta chi2: the quantile of the chi2 distribution, or the quantile of toys at
        each strength, as Feldman and Cousins construct intervals, see `fastscan.limits.feldman_cousins`.
    toys, seed : int, optional
        Number of toys at each strength, and the seed of their random numbers; left out, 10000 and 0.
    with_status : bool
        Also return the status of each limit.
    **at : array_like
        The model's other parameters: ``beta`` of ``e6`` in rad; the mass of a light mediator in GeV, ``m_zprime`` or
        ``m_phi``; ``eps_d`` of a plane of non-standard interactions.

    Returns
    -------
    limit : array
        Limits in the unit of the strength's axis, GeV for a heavy Z'; nan where there is no limit.  A strength of
        either sign adds a last axis of two, (low, high), with -inf or inf for an open side.  A limit on g above
        sqrt(4 pi) is not perturbative and means only a limit on M/g, the mediator's mass over its coupling.
    status : array of str
        ``ok``; ``no_sensitivity``: the data exclude no strength, or no mass of 1 GeV or more; ``sm_disfavoured``: the
        data exclude the Standard Model and with it all small strengths, see `intervals`.

    Raises
    ------
    FastscanError
        As `chi2`; for a cl, dof, method, number of toys or seed out of bounds; and where strength 0 is not the Standard
        Model, as at an ``eps_d`` other than 0.

    Warns
    -----
    FastscanWarning
        For a sigma_sys above 1, and for crossings where the contact form of the interaction doesn't hold, see `chi2`.

    References
    ----------
    Table 3 of arXiv:2002.01482; with toys, Feldman and Cousins, arXiv:physics/9711021.

    Examples
    --------
    >>> limit("coherent-csi", "chi").round(1)
    np.float64(195.3)
    >>> limit("coherent-csi", "psi", with_status=True)
    (np.float64(nan), np.str_('no_sensitivity'))
    >>> limit("coherent-lar", "nsi-etau-u", sigma_sys=0.1).round(4)
    array([-0.1478,  0.1478])

    A thousand times the exposure, with the data of 2017 multiplied, and with the Standard Model's prediction:

    >>> longer = {"sigma_sys": 0.01, "luminosity": 1000}
    >>> [limit("coherent-csi", "chi", **longer, asimov=each).round(1) for each in (False, True)]
    [np.float64(4140.5), np.float64(956.8)]

    A thousand toys at each strength leave an error of 2 %:

    >>> limit("conus", "b-l", m_zprime=0.01, method="toys", toys=1000).round(6)
    np.float64(1.2e-05)
    """
    asked = toys_of(method, toys, seed)
    rows = prepare(experiments, model, at, asimov, independent)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    delta, strength = threshold(cl, dof), rows.interaction.strength
    require_standard_model(rows.interaction, rows.likelihood.departs)
    if asked is None:
        found = crossings_to(columns, delta, strength)
    else:
        found, _ = limits_in(rows.likelihood, columns, strength, cl, dof, asked)
    warn(*doubts_about(rows, found.x, settings))
    bounds, status = bounds_of(found, strength)
    limits: Array = bounds.reshape((*shape, *bounds.shape[1:]))[()]
    return (limits, status.reshape(shape)[()]) if arguments.flag("with_status", with_status) else limits


def intervals(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: float = 1.0,
    asimov: bool = False,
    independent: bool = False,
    cl: float = CL,
    dof: int = DOF,
    method: str = ASYMPTOTIC,
    toys: int | None = None,
    seed: int | None = None,
    m_min: float | None = None,
    m_max: float | None = None,
    **at: float | None,
) -> list[Interval]:
    """Every allowed interval of a model's strength, for scalar arguments.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, asimov, independent, cl, dof, method, toys, seed, at
        As in `limit`.
    m_min, m_max : float, optional
        Range of the mass of a heavy Z' in GeV; left out, 1 to 20000.  The contact interaction ends at 1 GeV.

    Returns
    -------
    list of (low, high)
        The intervals in the unit of the strength's axis, ascending.  An open end is ``-inf`` or ``inf``; no interval
        of masses begins below m_min.

    Raises
    ------
    FastscanError
        As `chi2`; for a cl, dof, method, number of toys or seed out of bounds; for arguments that aren't scalars; and
        for m_min and m_max that aren't ordered, are below 1 GeV, or belong to a model without a heavy Z'.

    Warns
    -----
    FastscanWarning
        As `limit`.

    References
    ----------
    The crossings of Fig. 1 of arXiv:2002.01482; its Table 3 lists the largest one of each model, which is `limit`.

    Examples
    --------
    Where the Z' interferes destructively, light masses can be allowed again:

    >>> from math import radians
    >>> [(round(low, 2), round(high, 2)) for low, high in intervals("coherent-csi", "e6", beta=radians(100))]
    [(14.46, 16.83), (36.13, inf)]
    >>> [(round(low, 2), round(high, 2)) for low, high in intervals("coherent-csi", "nsi-mumu-u")]
    [(-0.07, 0.13), (0.27, 0.47)]
    """
    asked, rows = toys_of(method, toys, seed), prepare(experiments, model, at, asimov, independent)
    strength = rows.interaction.strength
    lowest, highest = _range(strength, m_min, m_max)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    if shape:
        *others, last = (axis.name for axis in (*rows.interaction.rows, *SETTINGS))
        raise InputError(f"{', '.join(others)} and {last} must be scalars here; call it once per point")
    crossings, limits = limits_in(rows.likelihood, columns, strength, cl, dof, asked)
    warn(*doubts_about(rows, crossings.x, settings))
    (found,) = limits.intervals
    clipped = ((max(low, lowest), high if high == np.inf else min(high, highest)) for low, high in found)
    return [(low, high) for low, high in clipped if low < min(high, highest)]


def _range(strength: Strength, m_min: float | None, m_max: float | None) -> Interval:
    """The range of masses in GeV that `intervals` searches; without ends for any other strength."""
    if strength.axis is not M_ZPRIME:
        if m_min is not None or m_max is not None:
            raise InputError(f"m_min and m_max are a range of {M_ZPRIME.name}, not of {strength.axis.name}")
        return -np.inf, np.inf
    given = {"m_min": CONTACT_GEV if m_min is None else m_min, "m_max": HEAVIEST_GEV if m_max is None else m_max}
    lowest, highest = (arguments.scalar(*each, 0, np.inf, unit=M_ZPRIME.unit) for each in given.items())
    if not CONTACT_GEV <= lowest < highest:
        raise InputError(f"m_min and m_max must be ordered and at least {CONTACT_GEV:g} GeV")
    return lowest, highest


def delta_chi2(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    asimov: bool = False,
    independent: bool = False,
    **at: ArrayLike | None,
) -> Array:
    """Delta chi2: chi2 minus its infimum over all strengths of the model, at the same other arguments.

    Parameters
    ----------
    experiments, model, sigma_sys, luminosity, asimov, independent, at
        As in `chi2`; all arguments after the model broadcast.  See `limit` for the effect of luminosity on data.

    Returns
    -------
    array
        Delta chi2, dimensionless, in the arguments' common shape.  An allowed interval ends where Delta chi2 crosses
        `fastscan.limits.limits.threshold`.

    Raises
    ------
    FastscanError
        As `chi2`.

    Warns
    -----
    FastscanWarning
        As `chi2`.

    References
    ----------
    Figs. 1 and 4 of arXiv:2002.01482.

    Examples
    --------
    >>> delta_chi2("conus", "chi", m_zprime=[100, 200, float("inf")]).round(4)
    array([14.6685,  3.5132,  0.    ])
    """
    rows, x = prepare_points(experiments, model, at, asimov, independent)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    columns, shape = rows.likelihood.columns(rows.index, settings)
    warn(*doubts_about(rows, x, settings))
    value = rows.likelihood.chi2(x, rows.index, settings)
    strength = rows.interaction.strength
    return value - infimum(columns, strength.largest_x, strength.signed).reshape(shape)
