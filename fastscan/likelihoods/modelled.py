"""Members of a likelihood with a model of fitted parameters: their data and prediction, and columns of their chi2.

As for other counted events, the signal is kept as events of each energy, neutrino by neutrino.  A table distributes the
events of each energy over the bins; it is given at anchors of the parameters on which it depends.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastscan.experiments.experiment import Experiment
from fastscan.experiments.modelled import (
    MOST_FACTORS,
    Component,
    Constant,
    Exponential,
    Modelled,
    MorphedTemplate,
    Parameter,
    Peak,
    Template,
)
from fastscan.experiments.morphing import MOST_PARAMETERS, Morphed
from fastscan.experiments.templates import Templates
from fastscan.likelihoods.poisson import Block
from fastscan.typing import Array, IntArray

NONE = -1  # stands for the number of a missing parameter
KINDS = (Constant, Template, MorphedTemplate, Exponential, Peak)  # in the order of `fastscan.kernels.components`
MOST_STEPS = 50  # largest number of steps towards the best nuisances in common
ENOUGH = 1e-11  # a step that promises to lower chi2 by less is the last one


@dataclass(frozen=True, eq=False)
class ModelledCounts:
    """The data of an experiment, and the tables of its model, bin by bin.

    Attributes
    ----------
    rates : array, shape (shapes, 1 + features, neutrinos, energies)
        Events of each energy at luminosity 1: the Standard Model's, then the events per unit of each feature.
    spread : array, shape (anchors, energies, bins)
        The distribution of events of each energy over the bins, at each anchor.
    parts, numbers, templates, axes, sides, morphing, energies, weight, start, low, high, centre, tightness : array
        See `fastscan.kernels.components.Model`; the first parameter is the scale of the signal.
    background, data : array, shape (bins,)
        Events at luminosity 1: the backgrounds at the parameters' starting values, and the data.
    is_measured : bool
        Whether the data are measured, not predicted.
    """

    rates: Array
    spread: Array
    parts: IntArray
    numbers: Array
    templates: Array
    axes: Array
    sides: IntArray
    morphing: IntArray
    energies: Array
    weight: Array
    start: Array
    low: Array
    high: Array
    centre: Array
    tightness: Array
    background: Array
    data: Array
    is_measured: bool

    @property
    def nuisances(self) -> int:
        """The number of its own nuisances: the signal's normalisation, and the parameters."""
        return len(self.start)

    @property
    def nominal(self) -> Array:
        """The distribution of events of each energy over the bins at the nominal parameters: (energies, bins)."""
        places = [int(np.flatnonzero(axis[:side] == 0)[0]) for axis, side in zip(self.axes, self.sides, strict=True)]
        found: Array = self.spread[places[0] * self.sides[1] + places[1]]
        return found

    @property
    def totals(self) -> Array:
        """Signal events summed over all bins, at the nominal parameters: (shapes, 1 + features)."""
        totals: Array = self.rates.sum(axis=2) @ self.nominal.sum(axis=1)
        return totals

    @property
    def standard(self) -> Array:
        """Signal events that the Standard Model predicts in each bin, at the nominal parameters."""
        events: Array = self.rates[0, 0].sum(axis=0) @ self.nominal
        return events

    @functools.cached_property
    def summed(self) -> Array:
        """The rates summed over neutrinos, shape (shapes, 1 + features, energies)."""
        return np.ascontiguousarray(self.rates.sum(axis=2))

    @functools.cached_property
    def model(self) -> Any:
        """The model as the kernel takes it, a `fastscan.kernels.components.Model`."""
        from fastscan.kernels.components import Model  # imported here: other members need no compiler

        own = {name: getattr(self, name) for name in Model._fields if name != "filled"}
        spread = np.moveaxis(in_lines(self.spread), 2, 1)  # the energies of a line follow each other
        own["spread"] = np.ascontiguousarray(spread).reshape(len(spread), -1, spread.shape[-1])
        own |= {name: in_lines(own[name]) for name in ("templates", "energies", "weight")}
        return Model(**own, filled=in_lines(np.ones(self.data.size)))

    @functools.cached_property
    def without_empty_bins(self) -> "ModelledCounts":
        """The same counts with all empty bins merged into one, where every component is a template.

        A bin without counted events adds 2 N to chi2, where N is its expected events, so that the merged bin adds the
        same as all of them.
        """
        kinds = [KINDS.index(Template), KINDS.index(MorphedTemplate)]
        empty = self.data == 0
        if self.weight.size or empty.sum() < 2 or not np.isin(self.parts[:, 0], kinds).all():
            return self

        def merged(events: Array) -> Array:
            return np.concatenate([events[..., ~empty], events[..., empty].sum(axis=-1, keepdims=True)], axis=-1)

        return replace(
            self,
            spread=merged(self.spread),
            templates=merged(self.templates),
            energies=merged(self.energies),  # no template depends on them
            background=merged(self.background),
            data=merged(self.data),
        )

    def with_rates(self, rates: Array) -> "ModelledCounts":
        """The same counts with other rates; merged bins are kept, because they don't depend on rates."""
        found = replace(self, rates=rates)
        vars(found)["without_empty_bins"] = self.without_empty_bins
        return found

    def merged(self, events: Array) -> Array:
        """See `Counted.merged`: no bins are merged."""
        return events

    def lost(self, data: Array) -> Array:
        """See `Counted.lost`: it is 0, because no bins are merged."""
        return np.zeros(data.shape[:-1])

    def centres(self, deviations: Array) -> Array:
        """Centres of constraints at given distances from the parameters' starting values.

        Parameters
        ----------
        deviations : array, shape (sets, parameters)
            Distances in standard deviations; those of free parameters are ignored.

        Returns
        -------
        array, shape (sets, parameters)
            Centres in the units of the parameters; the centre of the signal's scale stays in standard deviations.
        """
        error = np.divide(1.0, np.sqrt(self.tightness), out=np.zeros_like(self.tightness), where=self.tightness > 0)
        found: Array = self.centre + error * deviations
        found[:, 0] = deviations[:, 0]
        return found

    def expected(self) -> "ModelledCounts":
        """The same counts with the predicted signal and background in place of the data."""
        return replace(self, data=self.standard + self.background, is_measured=False)


def in_lines(values: Array) -> Array:
    """Numbers of bins, (..., bins), in the kernel's lines, (..., lines, LANES); 0 fills up the last line."""
    from fastscan.kernels.lanes import LANES

    bins = values.shape[-1]
    lines = np.zeros((*values.shape[:-1], -(-bins // LANES) * LANES))
    lines[..., :bins] = values
    return lines.reshape(*values.shape[:-1], -1, LANES)


@functools.cache
def of_recoils(experiment: Experiment) -> Experiment:
    """The experiment whose energy bins are the energies of `ModelledCounts.rates`.

    For a detector given by templates these are the templates' energies; otherwise it is the experiment itself.
    """
    detector = experiment.detector
    return replace(experiment, detector=detector.of_recoils()) if isinstance(detector, Templates) else experiment


def modelled_counts(experiment: Experiment, rates: Array) -> ModelledCounts:
    """The data and the tables of an experiment with a model of fitted parameters.

    Parameters
    ----------
    experiment : Experiment
    rates : array
        See `ModelledCounts`.

    Returns
    -------
    ModelledCounts
    """
    statistics, exposed = experiment.statistics, experiment.exposed
    assert isinstance(statistics, Modelled)
    response = response_of(experiment)
    follows = next((each for each in (response, *statistics.morphed()) if each.parameters), response)
    numbered = {each.name: number for number, each in enumerate(statistics.parameters, 1)}
    sides: list[int] = [*map(len, follows.anchors), *[1] * MOST_PARAMETERS][:MOST_PARAMETERS]
    axes = np.zeros((MOST_PARAMETERS, max(sides)))
    for axis, values in zip(axes, follows.anchors, strict=False):
        axis[: len(values)] = values
    energies, bins = response.values.shape[-2:]
    spread = np.broadcast_to(response.values.reshape(-1, energies, bins), (sides[0] * sides[1], energies, bins))
    parts, numbers, templates = _tables(statistics.backgrounds, numbered, bins)
    data, scale = statistics.data(exposed), Parameter("", 1.0, 0.0, np.inf, 0.0)
    every = [scale, *statistics.parameters]
    start, low, high, error = (
        np.array([getattr(each, name) for each in every]) for name in ("start", "low", "high", "error")
    )
    found = ModelledCounts(
        rates=rates,
        spread=np.ascontiguousarray(spread),
        parts=parts,
        numbers=numbers,
        templates=templates,
        axes=axes,
        sides=np.array(sides, np.intp),
        morphing=np.array([numbered[name] for name in follows.parameters] + [NONE] * MOST_PARAMETERS, np.intp)[:2],
        energies=np.array(statistics.energies),
        weight=np.array(statistics.errors) ** -2.0,
        start=start,
        low=low,
        high=high,
        centre=start,
        tightness=np.divide(1.0, error**2, out=np.zeros_like(error), where=error > 0),
        background=sum(statistics.backgrounds_in(np.zeros(bins), exposed).values(), np.zeros(bins)),
        data=np.zeros(bins) if data is None else data,
        is_measured=statistics.is_measured,
    )
    return found.expected() if data is None else found


def response_of(experiment: Experiment) -> Morphed:
    """The distribution of events of each energy over the bins, as templates of shape (..., energies, bins)."""
    if isinstance(experiment.detector, Templates):
        return experiment.detector.response
    return Morphed((), (), np.eye(experiment.exposed.bins))


def _tables(components: Iterable[Component], numbered: Mapping[str, int], bins: int) -> tuple[IntArray, Array, Array]:
    """The `parts`, `numbers` and `templates` of `ModelledCounts`: those of the signal, then of each background."""
    signal = [KINDS.index(MorphedTemplate), 0, *[NONE] * (MOST_FACTORS - 1), 0, NONE, NONE]
    parts, numbers, templates = [signal], [[1.0, 0.0, 0.0, 0.0]], [np.zeros((1, bins))]
    for each in components:
        shape, kind = each.shape, type(each.shape)
        amount = [numbered[name] for name in each.amount]
        shaped = () if isinstance(shape, MorphedTemplate) else shape.parameters
        numbered_shape = [numbered[of] if isinstance(of, str) else NONE for of in shaped]
        fixed = [0.0 if isinstance(of, str) else of for of in shaped]
        first = sum(map(len, templates))
        if isinstance(shape, Template):
            templates.append(np.array(shape.each)[None])
        elif isinstance(shape, MorphedTemplate):
            templates.append(shape.templates.values.reshape(-1, bins))
        parts.append(
            [
                KINDS.index(kind),
                *(amount + [NONE] * MOST_FACTORS)[:MOST_FACTORS],
                first,
                *(numbered_shape + [NONE] * 2)[:2],
            ]
        )
        origin = shape.origin if isinstance(shape, Exponential) else 0.0
        numbers.append([each.factor, origin, *(fixed + [0.0] * 2)[:2]])
    return np.array(parts, np.intp), np.array(numbers), np.concatenate(templates)


@dataclass(frozen=True, eq=False)
class ModelledBlock(Block):
    """Columns of members with models of fitted parameters, and of Gaussian members that share nuisances with them.

    At fixed shared nuisances z, each member's chi2 is minimised by itself.  Newton's method then minimises over z.
    """

    def filled(
        self, row: IntArray, x: Array, column: IntArray, width: int, in_parallel: bool | None = None
    ) -> tuple[Array, int]:
        """See `Block.filled`."""
        from fastscan.kernels.poisson import NUISANCES

        common = self.common[..., column]  # (members, common, points)
        shared = common.shape[1]
        centre = self.drawn.centres[row, :shared].T if self.drawn else np.zeros((shared, x.size))
        z = centre.copy()
        for _ in range(MOST_STEPS):
            shift = (common * z).sum(axis=1)
            needed = 1 if width == 1 and not len(z) else NUISANCES
            each, own = self._each(row, x, column, shift, needed, in_parallel)
            if not len(z):
                break
            slope = 2 * (z - centre) + (common * each[:, 3, None]).sum(axis=0)
            square = 2 * np.eye(len(z)) + np.einsum("mfp,mgp,mp->pfg", common, common, each[:, 4])
            finite = np.isfinite(square).all(axis=(1, 2)) & np.isfinite(slope).all(axis=0)
            square[~finite], slope[:, ~finite] = np.eye(len(z)), 0.0
            step = -np.linalg.solve(square, slope.T[..., None])[..., 0].T
            if not (np.abs(slope * step).sum(axis=0) > ENOUGH).any():
                break
            z += step
        total = each.sum(axis=0)
        out = np.empty((x.size, width))
        out[:, 0] = total[0] + ((z - centre) ** 2).sum(axis=0)
        if width > 1:
            mixed = (common * each[:, 5, None]).sum(axis=0)  # (common, points)
            out[:, 1], out[:, 2] = total[1], total[2]
            if len(z):
                out[:, 2] -= (mixed * np.linalg.solve(square, mixed.T[..., None])[..., 0].T).sum(axis=0)
        if width > NUISANCES:
            out[:, NUISANCES:] = np.concatenate([z, *own]).T
        return out, 0

    def _each(
        self,
        row: IntArray,
        x: Array,
        column: IntArray,
        shift: Array,
        width: int,
        in_parallel: bool | None,
    ) -> tuple[Array, list[Array]]:
        """chi2 of each member, minimised at fixed shared nuisances.

        `shift`, shape (members, points), is the relative change of each member's signal by the shared nuisances.

        Returns
        -------
        array, shape (members, 1 or 6, points)
            chi2; its first and second derivatives in x, those in the shift, and the mixed one.
        list of array, shape (1 + parameters, points)
            For each member with a model: the pull of its signal's normalisation, and its parameters.
        """
        from fastscan.kernels.modelled import PARAMETERS, profiles

        found = np.empty((len(self.noise), 1 if width == 1 else PARAMETERS, x.size))
        own: list[Array] = []
        bins = np.cumsum([0, *(each.data.size for each in self.counts)])
        nuisances = np.cumsum([self.common.shape[1], *(each.nuisances for each in self.counts)])
        sets, chosen = self.drawn, row if self.drawn else np.zeros(x.size, np.intp)
        for number, (counts, change) in enumerate(zip(self.counts, self.change, strict=True)):
            model, rates = counts.model, counts.summed
            if sets is None:
                model, data = counts.without_empty_bins.model, counts.without_empty_bins.data[None]
                centres = counts.centres(np.zeros((1, counts.nuisances)))
            else:
                data = np.ascontiguousarray(sets.data[:, bins[number] : bins[number + 1]])
                centres = counts.centres(sets.centres[:, nuisances[number] : nuisances[number + 1]])
            out = np.empty((x.size, 1 if width == 1 else PARAMETERS + counts.start.size))
            variance = np.ascontiguousarray(self.variance[number, column])
            settings = np.ascontiguousarray(self.noise[number, column]), variance, np.ascontiguousarray(shift[number])
            work = x.size * counts.data.size**2
            profiles.run(
                x.size,
                work,
                in_parallel,
                model,
                rates,
                change,
                row,
                np.ascontiguousarray(x),
                *settings,
                in_lines(data),
                centres,
                chosen,
                out,
            )
            found[number] = out[:, :PARAMETERS].T
            if width > 1:
                parameters, sigma = out[:, PARAMETERS:].T, np.sqrt(variance)
                pull = np.divide(parameters[0] - 1 - shift[number], sigma, out=np.zeros(x.size), where=sigma > 0)
                own.append(np.concatenate([pull[None], parameters[1:]]))
        for number, (sums, norm) in enumerate(zip(self.sums, self.norm, strict=True), len(self.counts)):
            curve = _parabolas(sums[row], norm[row], x, self.noise[number, column], self.variance[number, column])
            u, (value, first, second) = shift[number], curve
            found[number, 0] = value[0] + u * (value[1] + u * value[2])
            if width > 1:
                found[number, 1] = first[0] + u * (first[1] + u * first[2])
                found[number, 2] = second[0] + u * (second[1] + u * second[2])
                found[number, 3], found[number, 4] = value[1] + 2 * u * value[2], 2 * value[2]
                found[number, 5] = first[1] + 2 * u * first[2]
        return found, own

    @property
    def nuisances(self) -> int:
        """See `Block.nuisances`: the shared ones, then each member's normalisation of the signal and parameters."""
        own: list[int] = [each.start.size for each in self.counts]
        return len(self.common[0]) + sum(own)


def _parabolas(sums: Array, norm: Array, x: Array, noise: Array, variance: Array) -> Any:
    """The result of `fastscan.kernels.gaussian.parabola` at points, shape (points,)."""
    from fastscan.kernels import squares
    from fastscan.kernels.gaussian import parabola

    derivatives = [squares.derivatives(sums[:, number], x) for number in range(3)]
    return getattr(parabola, "py_func", parabola)(derivatives, norm, noise, variance)  # on arrays it needs no compiler


def packed(counts: Sequence[Any]) -> dict[str, Array]:
    """The `ModelledCounts` of members as two arrays, one member after the other.

    Returns
    -------
    dict of str to array
        ``shapes``, (members * arrays, 4): the shape of each array of `ARRAYS`, filled up with 0; all 0 for members
        without a model.  ``numbers``: the numbers of all arrays, flattened.
    """
    shapes, numbers = [], [np.empty(0)]
    for each in counts:
        for name in ARRAYS:
            values = np.asarray(getattr(each, name), float) if isinstance(each, ModelledCounts) else None
            shapes.append([0] * 4 if values is None else [*values.shape, *[0] * (4 - values.ndim)])
            numbers += [] if values is None else [values.ravel()]
    return {"shapes": np.array(shapes, float), "numbers": np.concatenate(numbers)}


def unpacked(arrays: Mapping[str, Array]) -> tuple[ModelledCounts | None, ...]:
    """The inverse of `packed`; a ValueError where the shapes don't fit the numbers."""
    members, rest = divmod(len(arrays["shapes"]), len(ARRAYS))
    if rest or arrays["shapes"].shape[1:] != (4,) or not (arrays["shapes"] >= 0).all():
        raise ValueError("the shapes of its models are invalid")
    found: list[ModelledCounts | None] = []
    place = 0
    for shapes in arrays["shapes"].astype(int).reshape(members, len(ARRAYS), 4).tolist():
        if not any(map(any, shapes)):
            found.append(None)
            continue
        values: dict[str, Any] = {}
        for (name, dimensions), shape in zip(ARRAYS.items(), shapes, strict=True):
            size = int(np.prod(shape[:dimensions], dtype=object))
            own = arrays["numbers"][place : place + size].reshape(shape[:dimensions])
            values[name], place = own.astype(np.intp) if name in WHOLE else own, place + size
        own_counts = ModelledCounts(**values | {"is_measured": bool(values["is_measured"])})
        _require_fitting(own_counts)
        found.append(own_counts)
    if place != arrays["numbers"].size:
        raise ValueError("its models have other sizes than it says")
    return tuple(found)


def _require_fitting(found: ModelledCounts) -> None:
    """Refuse arrays that don't fit each other, because the kernel doesn't check them."""
    anchors, energies, bins = found.spread.shape
    components, parameters, templates = len(found.parts), found.start.size, len(found.templates)
    wanted = {
        "parts": (components, 2 + MOST_FACTORS + 2),
        "numbers": (components, 4),
        "templates": (templates, bins),
        "axes": (MOST_PARAMETERS, int(found.sides.max(initial=1))),
        "sides": (MOST_PARAMETERS,),
        "morphing": (MOST_PARAMETERS,),
        "weight": (bins if found.weight.size else 0,),
        **dict.fromkeys(("low", "high", "centre", "tightness"), (parameters,)),
        **dict.fromkeys(("energies", "background", "data"), (bins,)),
    }
    wrong = [name for name, shape in wanted.items() if getattr(found, name).shape != shape]
    parts = found.parts if not wrong else np.zeros((1, 7), np.intp)
    first = parts[:, 1 + MOST_FACTORS]
    last = np.select([parts[:, 0] == KINDS.index(each) for each in (Template, MorphedTemplate)], [1, anchors], 0)
    last[0] = 0  # the signal has no templates here
    numbered = [*np.delete(parts, [0, 1 + MOST_FACTORS], axis=1).ravel(), *found.morphing]
    fits = (
        not wrong
        and found.rates.shape[3] == energies
        and found.sides.min() > 0
        and found.sides.prod() == anchors
        and parts[:, 0].min() >= 0
        and parts[:, 0].max() < len(KINDS)
        and first.min() >= 0
        and (first + last).max() <= templates
        and min(numbered) >= NONE
        and max(numbered) < parameters
    )
    if not fits:
        raise ValueError("the arrays of its models don't fit each other")


ARRAYS = {  # the attributes of `ModelledCounts`, and their numbers of dimensions
    "rates": 4,
    "spread": 3,
    "parts": 2,
    "numbers": 2,
    "templates": 2,
    "axes": 2,
    "sides": 1,
    "morphing": 1,
    **dict.fromkeys(("energies", "weight", "start", "low", "high", "centre", "tightness", "background", "data"), 1),
    "is_measured": 0,
}
WHOLE = ("parts", "sides", "morphing")  # arrays of whole numbers, which are indices of parameters and templates
