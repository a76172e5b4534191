"""Expected events and chi2 at any points of a model.

`prepare` and `prepare_points` check a caller's arguments and build their likelihood; `events` and `chi2` evaluate it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from fastscan.axes import LUMINOSITY, Axis
from fastscan.errors import InputError, warn
from fastscan.experiments.catalogue import Experiments, load_all
from fastscan.experiments.experiment import Experiment
from fastscan.inputs import arguments
from fastscan.interactions import catalogue
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.building import build, with_expected_data
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.predictions import counts_by_neutrino
from fastscan.likelihoods.settings import Settings, SigmaSys
from fastscan.limits import doubts
from fastscan.physics.spectra import Neutrino
from fastscan.typing import Array, IntArray

AnyModel = str | PathLike[str] | Interaction  # a name, a path or a loaded interaction


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that a caller asks for.

    Attributes
    ----------
    experiments : sequence of Experiment
    interaction : Interaction
    values : dict of str to array, shape (rows,)
        The row parameters of each row, by name.
    likelihood : Likelihood
        The likelihood of the interaction in all the rows.
    index : array of int, shape (...)
        Index of each row in the likelihood, in the common shape of the caller's row parameters.
    """

    experiments: Sequence[Experiment]
    interaction: Interaction
    values: dict[str, Array]
    likelihood: Likelihood
    index: IntArray

    def expected(self) -> "Rows":
        """The rows with the Standard Model's prediction in place of measured data; unchanged where none are measured.

        The members of the likelihood keep their names, so that settings by name hold for both.
        """
        instead = with_expected_data(self.likelihood, self.experiments, self.interaction, self.values)
        if instead is self.likelihood:
            return self
        return replace(self, experiments=[each.expected() for each in self.experiments], likelihood=instead)

    def independent(self) -> "Rows":
        """The rows with every nuisance private to its experiment, even if experiments share its name."""
        return replace(self, likelihood=self.likelihood.independent())


def prepare(
    experiments: Experiments,
    model: AnyModel,
    at: Mapping[str, ArrayLike | None],
    asimov: bool = False,
    independent: bool = False,
) -> Rows:
    """The likelihood of a model in experiments, at a caller's row parameters.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        The chi2 of several add up.
    model : str, path or Interaction
    at : mapping of str to array_like
        The row parameters by name, in the units of their axes; they broadcast.  A value None counts as not given.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data.
    independent : bool
        Whether the experiments share no nuisance.

    Returns
    -------
    Rows

    Raises
    ------
    FastscanError
        For unknown names, values out of bounds, and parameters that are missing or not the model's.
    """
    interaction = catalogue.load(model)
    values = _checked(interaction, at, interaction.rows)
    return rows_of(load_all(experiments), interaction, values, asimov, independent)


def rows_of(
    experiments: Sequence[Experiment],
    interaction: Interaction,
    values: Mapping[str, Array],
    asimov: bool,
    independent: bool,
) -> Rows:
    """As `prepare`, for loaded experiments and checked values of the row parameters, which broadcast."""
    shape = arguments.broadcast(**{name: each.shape for name, each in values.items()})
    rows = {name: np.broadcast_to(each, shape).ravel() for name, each in values.items()}
    found = build(experiments, interaction, rows)
    measured = Rows(experiments, interaction, rows, found, np.arange(found.change.shape[1]).reshape(shape))
    joint = measured.independent() if arguments.flag("independent", independent) else measured
    return joint.expected() if arguments.flag("asimov", asimov) else joint


def prepare_points(
    experiments: Experiments,
    model: AnyModel,
    at: Mapping[str, ArrayLike | None],
    asimov: bool = False,
    independent: bool = False,
) -> tuple[Rows, Array]:
    """The rows of `prepare`, and the strength x of each point that a caller gives.

    Parameters
    ----------
    experiments, model, asimov, independent
        As in `prepare`.
    at : mapping of str to array_like
        The row parameters and the strength's axis by name, in the units of their axes; they broadcast.

    Returns
    -------
    Rows
    array, shape (...)
        Strengths x, dimensionless, in the shape of the caller's values on the strength's axis.

    Raises
    ------
    FastscanError
        As `prepare`, and where the shapes do not broadcast.
    """
    interaction = catalogue.load(model)
    values = _checked(interaction, at, interaction.parameters)
    arguments.broadcast(**{name: each.shape for name, each in values.items()})
    strength = values.pop(interaction.strength.axis.name)
    rows = rows_of(load_all(experiments), interaction, values, asimov, independent)
    return rows, interaction.strength.to_x(strength)


def _checked(interaction: Interaction, at: Mapping[str, ArrayLike | None], axes: Sequence[Axis]) -> dict[str, Array]:
    """The values of the parameters `axes`, checked against their bounds; a value None counts as not given."""
    given = {name: value for name, value in at.items() if value is not None}
    interaction.require_parameters(given, axes, known=catalogue.MODELS.values())
    return {axis.name: axis.check(given[axis.name]) for axis in axes}


def doubts_about(rows: Rows, x: Array, settings: Settings | None = None) -> list[str]:
    """Doubts about strengths x and settings, see `fastscan.limits.doubts`."""
    strength = rows.interaction.strength
    lowest = strength.from_x(x.max(initial=0.0))
    errors = {} if settings is None else settings.sigma_sys
    about_strengths = doubts.about_strengths(strength, rows.likelihood.momentum_transfers, lowest)
    return [*doubts.about_errors(errors), *about_strengths]


@overload
def events(
    experiment: str | PathLike[str] | Experiment,
    model: AnyModel,
    *,
    luminosity: ArrayLike = ...,
    by_neutrino: Literal[False] = ...,
    **at: ArrayLike | None,
) -> Array: ...
@overload
def events(
    experiment: str | PathLike[str] | Experiment,
    model: AnyModel,
    *,
    luminosity: ArrayLike = ...,
    by_neutrino: Literal[True],
    **at: ArrayLike | None,
) -> dict[Neutrino, Array]: ...
def events(
    experiment: str | PathLike[str] | Experiment,
    model: AnyModel,
    *,
    luminosity: ArrayLike = 1.0,
    by_neutrino: bool = False,
    **at: ArrayLike | None,
) -> Array | dict[Neutrino, Array]:
    """Expected signal events, summed over all bins.

    All arguments after the model broadcast with each other.

    Parameters
    ----------
    experiment : str or Experiment
        Name (see ``fastscan experiments``), path to a TOML file, or `Experiment`.
    model : str or Model
        Name (see ``fastscan models``), or path to a TOML file with a user's own charges.
    luminosity : array_like
        Factor on the exposure.
    by_neutrino : bool
        Whether to return the events of each kind of neutrino separately; for one experiment only.
    **at : array_like
        The model's parameters by name.  A heavy Z' has ``m_zprime``, its mass in GeV, where ``inf`` is the Standard
        Model; ``e6`` also has ``beta``, the E6 mixing angle in rad.  A light mediator has its mass in GeV,
        ``m_zprime`` or ``m_phi``, and its coupling ``g``.  A non-standard interaction has ``eps``, or ``eps_u`` and
        ``eps_d``.  Magnetic moments are ``mu`` in 1e-11 mu_B, charges ``q`` in 1e-12 e, and charge radii ``r2`` in
        1e-32 cm^2; ``s2w`` has ``shift``, the shift of sin^2 theta_W.  Quantities of astropy, pint or unyt are
        converted from their own units, here and in every other argument.

    Returns
    -------
    array, or dict of str to array
        Number of events, in the arguments' common shape.  With `by_neutrino`, one such array for each kind of
        neutrino, by its name, such as nubar_e.

    Raises
    ------
    FastscanError
        For unknown names, values out of bounds, shapes that do not broadcast, and a mediator lighter than 1 eV where
        the experiment has no threshold to keep the counts finite.

    Warns
    -----
    FastscanWarning
        For a mass of a heavy Z' below ten times the largest momentum transfer, where the contact form doesn't hold.

    References
    ----------
    Eq. 16 of arXiv:2002.01482.

    Examples
    --------
    >>> events("coherent-csi", "chi", m_zprime=[200, float("inf")]).round(2)
    array([289.57, 180.12])
    >>> found = events("coherent-csi", "nsi-ee-u", eps=0.25, by_neutrino=True)
    >>> {neutrino: float(counts.round(2)) for neutrino, counts in found.items()}
    {'nu_mu': 29.38, 'nu_e': 3.32, 'nubar_mu': 90.42}
    """
    rows, x = prepare_points(experiment, model, at)
    factor = LUMINOSITY.check(luminosity)
    arguments.broadcast(parameters=np.broadcast_shapes(x.shape, rows.index.shape), luminosity=factor.shape)
    warn(*doubts_about(rows, x))
    if not arguments.flag("by_neutrino", by_neutrino):
        result: Array = rows.likelihood.events(x, rows.index) * factor
        return result
    if len(rows.experiments) > 1:
        raise InputError("by_neutrino takes one experiment: call events once for each")
    powers = x[..., None] ** np.arange(3)
    found = counts_by_neutrino(rows.experiments[0], rows.interaction, rows.values)
    return {neutrino: (counts[rows.index] * powers).sum(axis=-1) * factor for neutrino, counts in found.items()}


def chi2(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: ArrayLike = 1.0,
    asimov: bool = False,
    independent: bool = False,
    **at: ArrayLike | None,
) -> Array:
    """chi2 of points of a model, minimised over every nuisance.

    All arguments after the model broadcast with each other.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several experiments are combined: the sum of their chi2 is minimised over all nuisances, and nuisances that
        experiments share by name are the same nuisance.
    model : str or Model
        Name (see ``fastscan models``), or path to a TOML file with a user's own charges.
    sigma_sys : array_like or mapping, optional
        Relative error of the signal's normalisation; left out, each experiment's own.  A mapping gives it by
        experiment; experiments that the mapping doesn't name keep their own.
    luminosity : array_like
        Factor on the exposure.  A factor other than 1 also multiplies measured data, with their deficit or excess.
        Counted data of a Poisson likelihood can't be multiplied, and such a factor is refused for them.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data, at any luminosity.  The experiments keep their
        names.
    independent : bool
        Whether experiments that are combined share no nuisance.
    **at : array_like
        The model's parameters by name, as in `events`.

    Returns
    -------
    array
        chi2, dimensionless, in the arguments' common shape.

    Raises
    ------
    FastscanError
        As `events`, and for counted data at a luminosity other than 1.

    Warns
    -----
    FastscanWarning
        As `events`, and for a sigma_sys above 1, where per cent may be meant.

    References
    ----------
    Eq. 21 of arXiv:2002.01482, after COHERENT, arXiv:1708.01294; for counted events, Baker and Cousins,
    doi:10.1016/0167-5087(84)90016-4.

    Examples
    --------
    >>> chi2("coherent-csi", "chi", m_zprime=[100, 200]).round(4)
    array([8.4882, 3.1303])
    """
    rows, x = prepare_points(experiments, model, at, asimov, independent)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    result = rows.likelihood.chi2(x, rows.index, settings)
    warn(*doubts_about(rows, x, settings))
    return result
