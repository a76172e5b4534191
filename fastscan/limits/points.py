"""Events and chi2 at any points: what a caller's arguments mean, and the likelihood that belongs to them."""

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
from fastscan.likelihoods import likelihood
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
        Index of each row in the likelihood, in the common shape of the caller's arguments.
    """

    experiments: Sequence[Experiment]
    interaction: Interaction
    values: dict[str, Array]
    likelihood: Likelihood
    index: IntArray

    def expected(self) -> "Rows":
        """The same with measured data replaced by the Standard Model's prediction; itself where none are measured.

        The members of the likelihood keep their names, so that settings by name hold for both.
        """
        instead = likelihood.with_expected_data(self.likelihood, self.experiments, self.interaction, self.values)
        if instead is self.likelihood:
            return self
        return replace(self, experiments=[each.expected() for each in self.experiments], likelihood=instead)

    def independent(self) -> "Rows":
        """The same without a nuisance that several experiments share."""
        return replace(self, likelihood=self.likelihood.independent())


def prepare(
    experiments: Experiments,
    model: AnyModel,
    at: Mapping[str, ArrayLike | None],
    asimov: bool = False,
    independent: bool = False,
) -> Rows:
    """The likelihood of a model in experiments, in the rows that a caller gives.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        The chi2 of several add up.
    model : str, path or Interaction
    at : mapping of str to array_like
        The row parameters by name, in the units of their axes; they broadcast.  None stands for one that isn't given.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data.
    independent : bool
        Whether the experiments share no nuisance.

    Raises
    ------
    FastscanError
        For unknown names, and parameters that are missing, or that the model doesn't have.
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
    """The rows at checked values of the row parameters, which broadcast; all else is as in `prepare`."""
    shape = arguments.broadcast(**{name: each.shape for name, each in values.items()})
    rows = {name: np.broadcast_to(each, shape).ravel() for name, each in values.items()}
    found = likelihood.build(experiments, interaction, rows)
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
    """The rows of `prepare`, and the strengths x of the points at which a caller asks.

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
        Strengths x, dimensionless, in the shape in which the strength's axis is given.

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
    """The values of some of the parameters, checked; None stands for one that isn't given."""
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
    """Expected signal events, all bins together.

    Everything after the model broadcasts.

    Parameters
    ----------
    experiment : str or Experiment
        Name (see ``fastscan experiments``), path to a TOML file, or `Experiment`.
    model : str or Model
        Name (see ``fastscan models``), or path to a TOML file with a user's own charges.
    luminosity : array_like
        Factor on the exposure.
    by_neutrino : bool
        Whether to count the events of each neutrino of the source apart.
    **at : array_like
        The model's parameters by name.  Of a heavy Z', ``m_zprime`` is the mass in GeV, where ``inf`` is the Standard
        Model; ``beta``, which ``e6`` alone has, is the E6 mixing angle in rad.  Light mediators have their mass in GeV,
        ``m_zprime`` or ``m_phi``, and their coupling ``g``; non-standard interactions ``eps``, or ``eps_u`` and
        ``eps_d``; neutrinos of a flavour ``mu`` in 1e-11 mu_B, ``q`` in 1e-12 e or ``r2`` in 1e-32 cm^2; ``s2w`` has
        ``shift``.  Quantities with a unit of their own, as those of astropy, pint or unyt, are converted, here as in
        every other argument.

    Returns
    -------
    array, or dict of str to array
        Events, of the arguments' common shape; with `by_neutrino` those of each neutrino, such as nubar_e.

    Raises
    ------
    FastscanError
        For unknown names, values out of bounds, and a mediator of less than 1 eV where no threshold bounds the counts.

    Warns
    -----
    FastscanWarning
        Of a mass below ten times the largest momentum transfer, where the contact form of the interaction ends.

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
        raise InputError("events by neutrino are those of one experiment: call it once for each")
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
    """chi2 with every nuisance minimised out (Eq. 21).

    Everything after the model broadcasts.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several are combined: their chi2 add up, but for nuisances that they share by name, which are minimised out of
        the sum.
    model : str or Model
        Name (see ``fastscan models``), or path to a TOML file with a user's own charges.
    sigma_sys : array_like or mapping, optional
        Relative error of the signal's normalisation; left out, each experiment's own.  A mapping gives it by
        experiment, and the unnamed keep their own.
    luminosity : array_like
        Factor on the exposure.  Other than 1 it scales measured data, their deficit or excess too; counted data of a
        Poisson likelihood can't be scaled, and are refused then.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data, at any luminosity.  The experiments keep their
        names.
    independent : bool
        Whether all nuisances of each experiment are its own.
    **at : array_like
        The model's parameters by name, as in `events`.

    Returns
    -------
    array
        Of the arguments' common shape.

    Raises
    ------
    FastscanError
        For unknown names, values that are negative, zero or not finite, and counted data at a luminosity other than 1.

    Warns
    -----
    FastscanWarning
        As `events`, and of a sigma_sys above 1, where per cent may be meant.

    References
    ----------
    Eq. 21 of arXiv:2002.01482, after COHERENT, arXiv:1708.01294; of counted events, Baker and Cousins,
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
