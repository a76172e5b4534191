"""Coverage as records: how often the asymptotic interval of a model contains the true value, a record for each point.

A record has the keys ``experiment`` and ``model``; one for each parameter of the model with its unit in it, where None
is an infinite mass; ``sigma_sys`` (by experiment where there are several), ``luminosity``, ``cl``, ``dof``, ``toys``,
``seed``, ``nuisances`` (those that truly aren't 0, in standard deviations), ``coverage``, ``error``, which is that of
so many toys, and ``asimov`` and ``shared_nuisances`` as a limit's record has them.
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
    """The records of the coverage at some points of a model.

    Parameters
    ----------
    names : sequence of str
        Names of experiments, or paths to files; several are combined.
    model : str
    points : sequence of mapping of str to float
        The model's parameters by name, of the same names at each point.
    **asked
        Further arguments of `fastscan.limits.coverage.coverage`, settings among them as one number each.
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
