"""A fit of the nuisances at one point of a model: the prediction beside the data, and each part of chi2."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from fastscan.answers.shown import Shown, bin_records, columns, show
from fastscan.errors import InputError, warn
from fastscan.experiments.catalogue import Experiments
from fastscan.inputs import arguments
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.settings import SigmaSys
from fastscan.limits.compared import Compared, best_nuisances, compared, errors, nuisance_names
from fastscan.limits.drawn import drawable
from fastscan.limits.points import AnyModel, doubts_about, prepare, prepare_points
from fastscan.limits.search import best_strengths
from fastscan.limits.toys import chi2_of_toys
from fastscan.typing import Array, Record

MOST_TOYS, LARGEST_SEED = 100_000, 2**53


@dataclass(frozen=True)
class Pull:
    """A nuisance at its best value.

    Attributes
    ----------
    name : str
        Name of the nuisance.
    experiments : tuple of str
        Names of the experiments that have the nuisance; several share it.
    value, error : float
        The best value and its error at a fixed strength of the model, in standard deviations of the constraint.  The
        error is 1 where the data don't constrain the nuisance.
    relative_error : float or None
        Standard deviation of the constraint, relative to the amount that the nuisance multiplies.  None where the
        nuisance changes a shape, or changes the signals of experiments by different fractions.
    is_free : bool
        Whether the nuisance is a model's parameter without a constraint.  Its value and error are then in the
        parameter's unit.
    """

    name: str
    experiments: tuple[str, ...]
    value: float
    error: float
    relative_error: float | None
    is_free: bool = False


@dataclass(frozen=True, eq=False)
class FittedExperiment:
    """One experiment in a fit.

    Attributes
    ----------
    name : str
    before, after : Shown
        Events in each bin with all nuisances at 0, and with the best nuisances.  Both contain the data, or the
        prediction in place of them.
    chi2 : array
        The part of chi2 of each bin, dimensionless, in the shape of the events.
    """

    name: str
    before: Shown
    after: Shown
    chi2: Array

    def components(self) -> dict[str, tuple[float, float]]:
        """Sums over bins (before, after) of the events of each component, and of all components as ``expected``."""
        before, after = _components(self.before), _components(self.after)
        return {key: (float(each.sum()), float(after[key].sum())) for key, each in before.items()}

    def bins(self) -> list[Record]:
        """A record for each bin, as in `fastscan.answers.shown`, with ``expected``, ``expected_before`` and ``chi2``.

        ``expected_before`` are the expected events with all nuisances at 0.
        """
        expected, before = _components(self.after)["expected"], _components(self.before)["expected"]
        more = {"expected": expected, "expected_before": before, "chi2": self.chi2}
        numbers = zip(*(each.ravel().tolist() for each in more.values()), strict=True)
        records = zip(bin_records(self.after), numbers, strict=True)
        return [{**each, **dict(zip(more, own, strict=True))} for each, own in records]


@dataclass(frozen=True, eq=False)
class Fit:
    """A point of a model, fitted to the data of experiments.

    Attributes
    ----------
    interaction : Interaction
    at : dict of str to float
        The model's parameters by name, in the units of their axes.
    is_best : bool
        Whether the strength is the one at which chi2 is smallest.
    nuisances : tuple of Pull
        The best nuisances: first those that experiments share, then each experiment's own, in the order signal's
        normalisation, shapes of the signal, backgrounds.
    experiments : tuple of FittedExperiment
        The fit of each experiment.
    toys : array, shape (toys,), or None
        chi2 of simulated measurements that are drawn at this point; None without toys.
    """

    interaction: Interaction
    at: dict[str, float]
    is_best: bool
    nuisances: tuple[Pull, ...]
    experiments: tuple[FittedExperiment, ...]
    toys: Array | None = None

    @property
    def p_value(self) -> float | None:
        """The probability of a chi2 that is at least as large, from the toys; None without toys."""
        return None if self.toys is None else float(1 + (self.toys >= self.chi2).sum()) / (self.toys.size + 1)

    @property
    def penalty(self) -> float:
        """The part of chi2 from the constraints of nuisances."""
        return sum(each.value**2 for each in self.nuisances if not each.is_free)

    @property
    def chi2(self) -> float:
        """chi2: the sum over all bins and constraints."""
        return float(sum(each.chi2.sum() for each in self.experiments)) + self.penalty

    @property
    def bins(self) -> int:
        """The number of bins of all experiments."""
        return sum(each.chi2.size for each in self.experiments)

    @property
    def degrees_of_freedom(self) -> int:
        """The number of bins minus the number of fitted parameters without a constraint, the strength among them."""
        return self.bins - self.is_best - sum(each.is_free for each in self.nuisances)


def _components(shown: Shown) -> dict[str, Array]:
    """Events of each neutrino and of each background, their sums, and all events as ``expected``."""
    parts = {key: events for key, events in columns(shown).items() if key not in ("data", "error")}
    return {**parts, "expected": shown.signal + shown.background}


def record(found: Fit) -> Record:
    """A fit as one record: its point, chi2, nuisances, and each experiment's events by component and in each bin."""
    toys = found.toys
    return {
        "experiment": "+".join(each.name for each in found.experiments),
        "model": found.interaction.name,
        **{axis.column: _finite(found.at[axis.name]) for axis in found.interaction.parameters},
        "best": found.is_best,
        "chi2": found.chi2,
        "chi2_of_nuisances": found.penalty,
        "number_of_bins": found.bins,
        "degrees_of_freedom": found.degrees_of_freedom,
        "toys": None if toys is None else {"number": toys.size, "mean": _finite(toys.mean()), "p_value": found.p_value},
        "nuisances": [{**asdict(each), "experiments": list(each.experiments)} for each in found.nuisances],
        "experiments": [
            {
                "name": each.name,
                "label": each.after.experiment.label,
                "is_measured": each.after.experiment.is_measured,
                "chi2": float(each.chi2.sum()),
                "components": {
                    key: {"before": before, "after": after} for key, (before, after) in each.components().items()
                },
                "bins": each.bins(),
            }
            for each in found.experiments
        ],
    }


def _finite(value: float) -> float | None:
    """A number as records have it: None in place of an infinity."""
    return float(value) if math.isfinite(value) else None


def fit(
    experiments: Experiments,
    model: AnyModel,
    *,
    sigma_sys: SigmaSys = None,
    asimov: bool = False,
    independent: bool = False,
    best: bool = False,
    toys: int = 0,
    seed: int = 0,
    **at: float | None,
) -> Fit:
    """A fit at one point of a model: the best nuisances, and the expected events with them in each bin.

    Parameters
    ----------
    experiments : str, Experiment or sequence of them
        Several experiments are combined, as in `chi2`.
    model : str or Model
        Name (see ``fastscan models``), or path to a TOML file with a user's own charges.
    sigma_sys : float or mapping, optional
        Relative error of the signal's normalisation, or one by experiment; left out, each experiment's own.
    asimov : bool
        Whether the Standard Model's prediction replaces measured data.
    independent : bool
        Whether experiments that are combined share no nuisance.
    best : bool
        Whether to use the strength at which chi2 is smallest; of several such strengths, the one nearest to 0.  The
        strength is then left out of `at`.
    toys : int
        Number of simulated measurements, at most 100000, for the probability of a chi2 that is at least as large.
    seed : int
        Seed of their random numbers; the same seed gives the same toys.
    **at : float
        The model's parameters by name, as in `events`.

    Returns
    -------
    Fit
        The fit at luminosity 1.

    Raises
    ------
    FastscanError
        As `chi2`; for arguments that aren't scalars; where nothing is expected in a bin that has data; and for toys of
        experiments with a model of fitted parameters.

    Warns
    -----
    FastscanWarning
        As `chi2`.

    References
    ----------
    As `chi2`; ``fastscan cite`` prints the references of an experiment and of a model.

    Examples
    --------
    >>> found = fit("coherent-csi-2021", "nsi-ee-u", eps=0)
    >>> {each.name: round(each.value * each.relative_error, 4) for each in found.nuisances}
    {'signal': -0.0804, 'ss': -0.015, 'brn': -0.0916, 'nin': -0.0265}
    >>> round(found.chi2, 4), found.bins
    (85.8753, 99)
    """
    number = int(arguments.scalar("toys", toys, 0, MOST_TOYS, whole=True))
    start = int(arguments.scalar("seed", seed, 0, LARGEST_SEED, whole=True))
    if arguments.flag("best", best):
        rows = prepare(experiments, model, at, asimov, independent)
        x = np.zeros(rows.index.shape)
    else:
        rows, x = prepare_points(experiments, model, at, asimov, independent)
    settings = rows.likelihood.settings({"sigma_sys": sigma_sys})
    if arguments.broadcast(at=x.shape, rows=rows.index.shape, sigma_sys=settings.shape):
        raise InputError(f"{', '.join([*at, 'sigma_sys'])} must be scalars here; call it once per point")
    column, _ = rows.likelihood.columns(rows.index, settings)
    strength = rows.interaction.strength
    if best:
        x = best_strengths(column, strength.largest_x, strength.signed)[0]
    warn(*doubts_about(rows, x, settings))
    members = compared(rows, column, float(x))
    if number:
        drawable(rows.likelihood)
    z = best_nuisances(members, rows.likelihood, column, float(x))
    return Fit(
        interaction=rows.interaction,
        at={
            **{name: float(each[0]) for name, each in rows.values.items()},
            strength.axis.name: float(strength.from_x(x)),
        },
        is_best=best,
        nuisances=tuple(_pulls(members, rows.likelihood.shared, z)),
        experiments=tuple(_fitted(member, z) for member in members),
        toys=chi2_of_toys(rows, column, float(x), members, z, number, start, best) if number else None,
    )


def _pulls(members: Sequence[Compared], shared: Sequence[str], z: Array) -> Iterator[Pull]:
    """The best nuisances z of all members: first the shared ones, then those of each member."""
    found = list(zip(z.tolist(), errors(members, z).tolist(), strict=True))
    for number, name in enumerate(shared):
        those = [each for each in members if each.common[number] > 0]
        parts = {float(each.common[number]) for each in those}
        relative = parts.pop() if len(parts) == 1 else None
        yield Pull(name, tuple(each.name for each in those), *found[number], relative)
    for member in members:
        own = zip(nuisance_names(member.experiment), found[member.own], member.starts.tolist(), strict=True)
        for name, (value, error), start in own:
            if math.isnan(start):
                yield Pull(name, (member.name,), value, error, member.relative_errors.get(name))
            else:
                yield Pull(name, (member.name,), start + value, error, None, is_free=True)


def _fitted(member: Compared, z: Array) -> FittedExperiment:
    """The fit of one member at the best nuisances z."""
    shown = show(member.experiment)
    data, error = (each.reshape(shown.shape) for each in (member.data, member.error))

    def at(nuisances: Array) -> Shown:
        signal, backgrounds = member.signal_at(nuisances), member.backgrounds_at(nuisances)
        return replace(
            shown,
            events={name: each.reshape(shown.shape) for name, each in zip(shown.events, signal, strict=True)},
            recoiling={},
            backgrounds={name: each.reshape(shown.shape) for name, each in backgrounds.items()},
            data=data,
            error=error,
        )

    return FittedExperiment(member.name, at(np.zeros_like(z)), at(z), member.chi2(z).reshape(shown.shape))
