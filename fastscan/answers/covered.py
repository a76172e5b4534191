"""Coverage as records, one for each point: the fraction of toys whose asymptotic interval contains the true strength.

A record has the keys ``experiment`` and ``model``; one key for each parameter of the model, which contains its unit,
where None is an infinite mass; ``sigma_sys`` (by experiment where there are several), ``luminosity``, ``cl``, ``dof``,
``toys``, ``seed``, ``nuisances`` (the true nuisances other than 0, in standard deviations), ``coverage``, its binomial
``error``, and ``asimov`` and ``shared_nuisances`` as in the record of a limit.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastscan.errors import InputError
from fastscan.experiments.catalogue import load_all
from fastscan.interactions import catalogue
from fastscan.limits.coverage import coverage
from fastscan.limits.points import prepare
from fastscan.typing import Record


def coverage_records(
    names: Sequence[str], model: str, points: Sequence[Mapping[str, float]], **asked: Any
) -> list[Record]:
    """The coverage at some points of a model, as records.

    Parameters
    ----------
    names : sequence of str
        Names of experiments, or paths to files; several are combined.
    model : str
    points : sequence of mapping of str to float
        The model's parameters by name; every point has the same names.
    **asked
        Further arguments of `fastscan.limits.coverage.coverage`; sigma_sys and luminosity are single numbers.
    """
    experiments, interaction = load_all(names), catalogue.load(model)
    if any(each.keys() != points[0].keys() for each in points):
        raise InputError("each point must have the same parameters")
    at: dict[str, Any] = {name: np.array([each[name] for each in points]) for name in points[0]}
    found = coverage(experiments, interaction, **asked, **at)
    given = {axis.name: at[axis.name] for axis in interaction.rows}
    likelihood = prepare(experiments, interaction, given, independent=bool(asked.get("independent"))).likelihood
    (settings,) = likelihood.settings({name: asked.get(name) for name in ("sigma_sys", "luminosity")}).told()
    return [
        {
            "experiment": "+".join(each.name for each in experiments),
            "model": interaction.name,
            **{axis.column: _finite(point[axis.name]) for axis in interaction.parameters},
            **settings,
            "cl": found.cl,
            "dof": found.dof,
            "toys": found.toys,
            "seed": found.seed,
            "nuisances": found.nuisances,
            "coverage": fraction,
            "error": error,
            "asimov": bool(asked.get("asimov")),
            "shared_nuisances": list(likelihood.shared),
        }
        for point, fraction, error in zip(points, found.fraction.tolist(), found.error.tolist(), strict=True)
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
