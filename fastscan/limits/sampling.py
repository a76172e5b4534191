"""A likelihood prepared for samplers and minimisers: chi2 as a function of the model's free parameters.

`likelihood` computes once all that doesn't depend on the free parameters, so that a call takes microseconds.  The
object that it returns can be pickled, so that worker processes can call it.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastscan.axes import Axis
from fastscan.errors import InputError, warn
from fastscan.experiments.catalogue import Experiments, load_all
from fastscan.experiments.experiment import Experiment
from fastscan.inputs import arguments
from fastscan.interactions import catalogue
from fastscan.interactions.interaction import Interaction
from fastscan.interactions.light import MASSLESS
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.pointwise import Pointwise, pointwise
from fastscan.likelihoods.settings import SigmaSys
from fastscan.likelihoods.signals import MEV, compiled
from fastscan.limits import doubts
from fastscan.limits.compared import best_nuisances, compared, nuisance_names
from fastscan.limits.points import AnyModel, Rows, rows_of
from fastscan.typing import Array

LIGHTEST = MASSLESS / MEV  # GeV; a lighter mediator counts as massless
ANY_ROW = 1.0  # a value within the bounds of every row parameter


class PreparedLikelihood:
    """chi2 of a model in experiments as a function of the model's free parameters; `likelihood` returns it.

    Each method takes the free parameters by name, or by position in the order of `parameters`.  They are numbers, or
    arrays that broadcast, in the units of `fastscan.chi2`.

    Attributes
    ----------
    parameters : tuple of str
        Names of the free parameters: the row parameter, if the model has one, then the strength's.
    fixed : dict of str to float
        Values of the model's fixed parameters, by name.
    """

    def __init__(
        self,
        experiments: Sequence[Experiment],
        interaction: Interaction,
        fixed: Mapping[str, float],
        settings: Mapping[str, Any],
        asimov: bool,
        independent: bool,
    ) -> None:
        self._experiments, self._interaction = experiments, interaction
        self._asimov, self._independent = asimov, independent
        self.fixed = dict(fixed)
        self._free = [axis for axis in interaction.parameters if axis.name not in fixed]
        self.parameters = tuple(axis.name for axis in self._free)
        self._names = frozenset(self.parameters)
        strength = interaction.strength
        self._unit, self._power = strength.unit, strength.power
        self._strength = fixed.get(strength.axis.name)
        (self._row,) = [fixed.get(axis.name) for axis in interaction.rows] or [ANY_ROW]  # None where it is free
        rows = self._rows(ANY_ROW if self._row is None else self._row)
        self._settings = rows.likelihood.settings(settings)
        if self._settings.shape:
            raise InputError("sigma_sys and luminosity must be scalars here: prepare one likelihood for each")
        self._likelihood, self._prepared = rows.likelihood, self._pointwise(rows)
        self._end, self._doubt = doubts.end_of_form(strength, rows.likelihood.momentum_transfers)
        self._plain = [self._without_doubt(axis) for axis in self._free]
        warn(*doubts.about_errors(self._settings.sigma_sys), *self._doubts(np.array(self._strength or np.inf)))

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature with the free parameters' names, from which minimisers such as iminuit take them."""
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in self.parameters])

    def __getstate__(self) -> dict[str, Any]:
        """The object without compiled code, which a process that unpickles it compiles again on demand."""
        return {name: value for name, value in self.__dict__.items() if name != "njit"}

    def __repr__(self) -> str:
        names = "+".join(each.name for each in self._experiments)
        return f"<likelihood of {self._interaction.name} in {names}, of {', '.join(self.parameters) or 'no parameter'}>"

    def __call__(self, *values: ArrayLike, **named: ArrayLike) -> Any:
        """chi2 at points of the model, as `fastscan.chi2` computes it.

        Parameters
        ----------
        *values, **named : array_like
            The free parameters, see `PreparedLikelihood`.

        Returns
        -------
        float, or array in the parameters' common shape
            chi2, dimensionless.

        Raises
        ------
        FastscanError
            For a parameter that is unknown, missing, fixed or given twice, and for a value out of bounds.

        Warns
        -----
        FastscanWarning
            As `fastscan.chi2`.
        """
        if named:
            values = self._in_order(values, named)
        point = self._point(values)
        if point is not None:
            return self._prepared.chi2(*point)
        checked = self._checked(values)
        if any(each.shape for each in checked):
            return self._chi2_of_arrays(checked)
        row, x = self._row_and_x([float(each) for each in checked])
        return self._at(row).chi2(row, x)

    def logl(self, *values: ArrayLike, **named: ArrayLike) -> Any:
        """The logarithm of the likelihood, -chi2 / 2.

        It takes, raises and warns as a call does, and returns the same shape.

        >>> like = likelihood("conus", "b-l", m_zprime=0.01)
        >>> bool(like.logl(1e-5) == -like(1e-5) / 2)
        True
        """
        return -0.5 * self(*values, **named)

    def gradient(self, *values: ArrayLike, **named: ArrayLike) -> Array:
        """The analytic derivatives of chi2 with respect to the free parameters.

        They are the derivatives at fixed nuisances: at its minimum over the nuisances, chi2 doesn't change with them.

        Parameters
        ----------
        *values, **named : array_like
            The free parameters, see `PreparedLikelihood`.

        Returns
        -------
        array, shape (..., parameters)
            Derivatives in the order of `parameters`, each per unit of its parameter; nan where chi2 is infinite.

        Raises
        ------
        FastscanError
            As a call.

        Warns
        -----
        FastscanWarning
            As a call.
        """
        ordered: tuple[Any, ...] = self._in_order(values, named)
        if self._point(ordered) is None:
            return self._each(ordered, len(self.parameters), self._gradient)
        return np.array(self._gradient([float(value) for value in ordered]))

    def pulls(self, *values: ArrayLike, **named: ArrayLike) -> dict[str, Any]:
        """The nuisances at which chi2 is smallest, in standard deviations of their constraints.

        Parameters
        ----------
        *values, **named : array_like
            The free parameters, see `PreparedLikelihood`.

        Returns
        -------
        dict of str to float, or to array in the parameters' common shape
            Nuisances by name: first those that experiments share, then those of each experiment.  With several
            experiments the name of the latter contains the experiment, as in ``"conus: signal"``.

        Raises
        ------
        FastscanError
            As a call, and where chi2 is infinite.

        Warns
        -----
        FastscanWarning
            As a call.
        """
        names = list(self._likelihood.shared)
        for each in self._experiments:
            prefix = f"{each.name}: " if len(self._experiments) > 1 else ""
            names += [prefix + name for name in nuisance_names(each)]
        found = self._each(self._in_order(values, named), len(names), self._best_nuisances)
        return {name: found[..., number][()] for number, name in enumerate(names)}

    @functools.cached_property
    def njit(self) -> Callable[..., float]:
        """chi2 for a user's own compiled code: a numba function of the free parameters, numbers by position.

        The function is compiled at the first access.  It neither checks its arguments nor warns, and it returns nan for
        a mediator lighter than 1 eV.
        """
        inner, unit, power = self._prepared.compiled(), self._unit, float(self._power)
        lightest = LIGHTEST if self._has_free_mass else -math.inf
        fixed_row, fixed_strength = self._row or 0.0, self._strength or 0.0

        def of_both(row: float, strength: float) -> float:
            found: float = inner(float(row), (strength / unit) ** power) if row >= lightest else math.nan
            return found

        both = compiled(of_both)
        by_free: dict[tuple[bool, bool], Callable[..., float]] = {
            (True, True): lambda row, strength: both(row, strength),
            (True, False): lambda row: both(row, fixed_strength),
            (False, True): lambda strength: both(fixed_row, strength),
            (False, False): lambda: both(fixed_row, fixed_strength),
        }
        return compiled(by_free[self._row is None, self._strength is None], inline="never")

    # The arguments of a call

    def _in_order(self, values: tuple[ArrayLike, ...], named: Mapping[str, ArrayLike]) -> tuple[ArrayLike, ...]:
        """The values of the free parameters in the order of `parameters`, each given once, by position or by name."""
        if not values and named.keys() == self._names:
            return tuple([named[name] for name in self.parameters])
        order = ", ".join(self.parameters)
        if len(values) > len(self.parameters):
            raise InputError(f"the free parameters are {order or 'none'}, not {len(values)} values")
        given = dict(zip(self.parameters, values, strict=False))
        for name in named:
            if name in self.fixed:
                raise InputError(f"{name} is fixed at {self.fixed[name]:g}: leave it out")
            if name in given:
                raise InputError(f"{name} is given twice, by name and by position in the order {order}")
        given |= named
        self._interaction.require_parameters(given, self._free, catalogue.MODELS.values())
        return tuple(given[name] for name in self.parameters)

    def _without_doubt(self, axis: Axis) -> tuple[float, float]:
        """The range of a free parameter in which a value is valid, causes no warning and makes no mediator massless."""
        if axis.name == self._interaction.strength.axis.name:
            return max(axis.low, self._end), axis.high
        return (LIGHTEST if self._has_free_mass else axis.low), axis.high

    @property
    def _has_free_mass(self) -> bool:
        return self._row is None and self._interaction.mediator is not None

    def _point(self, values: tuple[Any, ...]) -> tuple[float, float] | None:
        """The row parameter and x, where all values are plain floats in the ranges of `_without_doubt`; else None."""
        if len(values) != len(self._plain):
            return None
        for value, (low, high) in zip(values, self._plain, strict=True):
            if not (isinstance(value, float) and low <= value <= high):
                return None
        return self._row_and_x([float(value) for value in values])  # because NumPy's floats compute slowly

    def _checked(self, values: tuple[ArrayLike, ...]) -> list[Array]:
        """The values of the free parameters as arrays, checked against their bounds; warns of doubtful ones."""
        ordered = self._in_order(values, {})
        found = [axis.check(value) for axis, value in zip(self._free, ordered, strict=True)]
        arguments.broadcast(**{name: each.shape for name, each in zip(self.parameters, found, strict=True)})
        if self._strength is None:
            warn(*self._doubts(found[-1]))
        return found

    def _doubts(self, strengths: Array) -> list[str]:
        return [self._doubt] if (strengths < self._end).any() else []

    def _row_and_x(self, values: Sequence[float]) -> tuple[float, float]:
        """The row parameter and x at a point."""
        strength = values[-1] if self._strength is None else self._strength
        return values[0] if self._row is None else self._row, (strength / self._unit) ** self._power

    def _each(self, values: tuple[ArrayLike, ...], number: int, function: Callable[..., Any]) -> Array:
        """What a function returns at each point, `number` numbers: shape (..., number)."""
        checked = self._checked(values)
        shape = np.broadcast_shapes(*(each.shape for each in checked))
        points = np.array([np.broadcast_to(each, shape) for each in checked]).reshape(len(checked), math.prod(shape)).T
        found = [function(point) for point in points.tolist()]
        return np.array(found).reshape(*shape, number)

    # The computation at a point

    def _rows(self, row: float) -> Rows:
        """The likelihood in one row, of measured data or of the Standard Model's prediction."""
        values = {axis.name: np.array(row) for axis in self._interaction.rows}
        return rows_of(self._experiments, self._interaction, values, self._asimov, self._independent)

    def _pointwise(self, rows: Rows) -> Pointwise:
        observed = [each.expected() if self._asimov and each.is_measured else each for each in self._experiments]
        return pointwise(
            rows.likelihood,
            self._settings,
            self._interaction,
            rows.values,
            self._experiments,
            observed,
            is_free=self._row is None,
        )

    def _at(self, row: float) -> Pointwise:
        return self._massless[1] if self._has_free_mass and row < LIGHTEST else self._prepared

    @functools.cached_property
    def _massless(self) -> tuple[Likelihood, Pointwise]:
        """The likelihood for a massless mediator, see `fastscan.interactions.interaction.Term.massless`."""
        rows = self._rows(0.0)
        return rows.likelihood, self._pointwise(rows)

    def _chi2_of_arrays(self, checked: Sequence[Array]) -> Array:
        strength = checked[-1] if self._strength is None else np.array(self._strength)
        x, row = self._interaction.strength.to_x(strength), np.zeros((), np.intp)
        found = self._likelihood
        if self._row is None:
            values = checked[0]
            row = np.arange(values.size).reshape(values.shape)
            found = self._massless[0] if self._has_free_mass and (values < LIGHTEST).any() else found
            channels = [each.channels for each in self._experiments]
            found = found.in_rows(self._interaction, channels, {self.parameters[0]: values.ravel()})
        return found.chi2(x, row, self._settings)

    def _gradient(self, values: Sequence[float]) -> list[float]:
        row, x = self._row_and_x(values)
        along_row, along_x = self._at(row).slopes(row, x)
        strength = values[-1] if self._strength is None else self._strength
        per_strength = self._power * (strength / self._unit) ** (self._power - 1) / self._unit
        return [along_row] * (self._row is None) + [along_x * per_strength] * (self._strength is None)

    def _best_nuisances(self, values: Sequence[float]) -> Array:
        row, x = self._row_and_x(values)
        rows = self._rows(row)
        columns, _ = rows.likelihood.columns(rows.index, self._settings)
        return best_nuisances(compared(rows, columns, x), rows.likelihood, columns, x)


def likelihood(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    luminosity: float = 1.0,
    asimov: bool = False,
    independent: bool = False,
    **fixed: ArrayLike | None,
) -> PreparedLikelihood:
    """chi2 of a model as a function of its free parameters, prepared for samplers and minimisers.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several experiments are combined, as in `chi2`.
    model : str or Model
        Name (see ``fastscan models``), or path to a TOML file with a user's own charges.
    sigma_sys : float or mapping, optional
        Relative error of the signal's normalisation, or one by experiment; left out, each experiment's own.
    luminosity : float
        Factor on the exposure, as in `chi2`.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data.
    independent : bool
        Whether experiments that are combined share no nuisance.
    **fixed : float
        Values of the model's fixed parameters, by name; the other parameters are free.

    Returns
    -------
    PreparedLikelihood

    Raises
    ------
    FastscanError
        As `chi2`, and for arguments that aren't scalars.

    Warns
    -----
    FastscanWarning
        As `chi2`.

    References
    ----------
    Those of `chi2`.

    Examples
    --------
    >>> like = likelihood("conus", "b-l")
    >>> like.parameters
    ('m_zprime', 'g')
    >>> round(like(m_zprime=0.01, g=1e-5), 4), round(like.logl(0.01, 1e-5), 4)
    (1.653, -0.8265)
    >>> [round(slope) for slope in like.gradient(0.01, 1e-5).tolist()]
    [-409, 529852]
    >>> {name: round(float(each), 4) for name, each in like.pulls(0.01, 1e-5).items()}
    {'signal': -1.2856}
    >>> likelihood("coherent-csi", "e6", beta=0.5)([100, 200]).round(4)
    array([8.2813, 2.9991])
    """
    interaction = catalogue.load(model)
    given = {name: value for name, value in fixed.items() if value is not None}
    every = dict.fromkeys(axis.name for axis in interaction.parameters)
    interaction.require_parameters({**every, **given}, interaction.parameters, catalogue.MODELS.values())
    checked = {axis.name: axis.check(given[axis.name]) for axis in interaction.parameters if axis.name in given}
    for name, value in checked.items():
        if value.shape:
            raise InputError(f"{name} is fixed, and must be a scalar: leave it out, and give its values in each call")
    return PreparedLikelihood(
        load_all(experiments),
        interaction,
        {name: float(value) for name, value in checked.items()},
        {"sigma_sys": sigma_sys, "luminosity": luminosity},
        asimov,
        independent,
    )
