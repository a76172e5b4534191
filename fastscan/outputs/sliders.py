"""The few numbers from which a page recomputes limits at other settings.

The likelihood of a Gaussian experiment with one normalisation is three sums over bins, each a sum of squares in the
strength x of its row (`fastscan.likelihoods.gaussian`).  They don't depend on sigma_sys, luminosity or CL, so that a
page that has them needs no Python: ``fastscan/data/page.js`` computes the same limits as `fastscan.limits.strengths`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastscan.errors import LimitError, quoted
from fastscan.experiments.catalogue import label_of
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.limits.confidence import CL, DOF
from fastscan.limits.doubts import end_of_form
from fastscan.outputs.page import Section
from fastscan.stores.cube import Cube

MEASURED, PREDICTED = "measured", "SM prediction"  # the data that are compared with
FORMULA = """\
chi2 = sum over experiments of (S_dd + D t) / (noise + S_mm sigma_sys^2)
       with t = sigma_sys^2 / noise and noise = 1 / luminosity + spread,
and each of S_dd, D and S_mm = (c0 + c1 x + c2 x^2)^2 + x^2 [(c3 + c4 x)^2 + c5 x^2]"""


def is_adjustable(likelihood: Likelihood) -> bool:
    """Whether a likelihood is sums alone: no counted events, and no nuisance that several experiments share."""
    return not likelihood.blocks


def numbers(cubes: Sequence[Cube]) -> dict[str, Any]:
    """What the sliders of one experiment, or of one combination, need: plain data, as JSON has it.

    Parameters
    ----------
    cubes : sequence of Cube
        One for each model, all of the same experiment or combination and with limits on the same strength; those that
        have a row parameter have it in common.

    Returns
    -------
    dict
        ``label``; ``cl`` and ``dof`` to begin with; ``members``, the experiments with their own sigma_sys, and whether
        they follow the slider; and ``models``.  A model has what its strength is (x = (value / unit)^power), the values
        of its row parameter, and for each kind of ``data`` the spread of each member's variance and its rows: the
        scale of x, the strengths at which chi2 may turn, and six coefficients of S_dd, D and S_mm of each member.

    Raises
    ------
    LimitError
        Where a likelihood is not adjustable, has more than one row parameter, or where models don't fit together.
    """
    first = cubes[0].likelihood
    if len({(cube.experiment, cube.interaction.strength.axis.name) for cube in cubes}) > 1:
        raise LimitError("sliders are of one experiment, or one combination, and of limits on one strength")
    if len({json.dumps(_row(cube)) for cube in cubes if cube.interaction.rows}) > 1:
        raise LimitError("models with sliders have one row parameter in common, at the same values")
    return {
        "label": cubes[0].label,
        "cl": CL,
        "dof": DOF,
        "members": [
            {"name": name, "label": label_of(name), "sigma_sys": own, "follows": bool(follows)}
            for name, own, follows in zip(first.members, first.sigma_sys.tolist(), first.follows.tolist(), strict=True)
        ],
        "models": [_model(cube) for cube in cubes],
    }


def _model(cube: Cube) -> dict[str, Any]:
    strength, rows = cube.interaction.strength, cube.interaction.rows
    if not is_adjustable(cube.likelihood) or len(rows) > 1:
        raise LimitError(f"{quoted(cube.name)} has no sliders: they need Gaussian data and at most one row parameter")
    end, told = end_of_form(strength, cube.likelihood.momentum_transfers)
    data = {MEASURED: cube.likelihood, PREDICTED: cube.expected} if cube.is_measured else {PREDICTED: cube.likelihood}
    return {
        "name": cube.model,
        "axis": {"name": strength.axis.name, "text": strength.axis.text, "unit": strength.axis.unit},
        "bound": strength.bound,
        "unit": strength.unit,
        "power": strength.power,
        "largest": strength.largest_x,
        "form_ends_at": end if np.isfinite(end) else None,
        "form_ends": told,
        "row": _row(cube) if rows else None,
        "data": {
            title: {"spread": likelihood.spread.tolist(), "rows": _rows(likelihood)}
            for title, likelihood in data.items()
        },
    }


def _row(cube: Cube) -> dict[str, Any]:
    """The row parameter, in the unit in which it is shown."""
    (axis,) = cube.interaction.rows
    unit = axis.shown_unit or axis.unit
    return {
        "text": axis.text,
        "unit": unit,
        "values": np.round(axis.converted(cube.points[axis.name], axis.unit, unit), 12).tolist(),
    }


def _rows(likelihood: Likelihood) -> list[dict[str, Any]]:
    """Each row's numbers."""
    columns, _ = likelihood.columns(np.arange(likelihood.change.shape[1]), {})
    return [
        {"scale": scale, "turning": turning, "sums": sums}
        for scale, turning, sums in zip(
            likelihood.scale.tolist(),
            columns.turning().tolist(),
            np.moveaxis(likelihood.sums, 1, 0).tolist(),
            strict=True,
        )
    ]


def panel(cubes: Sequence[Cube], name: str) -> Section:
    """A part of a page with the sliders of one experiment, or of one combination, and its numbers as text.

    Parameters
    ----------
    cubes
        As in `numbers`.
    name : str
        The id of the part.
    """
    found = numbers(cubes)
    labels = [member["label"] for member in found["members"]]
    fixed = [each for each in found["members"] if not each["follows"]]
    if len(labels) > 1:
        found["label"] = " + ".join(labels)
    kept = "; ".join(f"{each['label']} keeps its {each['sigma_sys']:g}" for each in fixed)
    return Section(
        id=name,
        title=found["label"],
        text=[f"The slider of sigma_sys is that of the others; {kept}."] if fixed else [],
        likelihoods=[found],
        more={"The likelihood in numbers": told(found)},
    )


def told(found: Mapping[str, Any]) -> str:
    """The numbers as text: the formula, then a line for each sum of each model with one row."""
    lines = [FORMULA, ""]
    for member in found["members"]:
        follows = "" if member["follows"] else ", which no slider changes"
        lines.append(f"{member['label']}: own sigma_sys {member['sigma_sys']:g}{follows}")
    for model in (each for each in found["models"] if each["row"] is None):
        axis = model["axis"]
        lines += ["", f"{model['name']}: x = ({axis['text']} / {model['unit']:g} {axis['unit']})^{model['power']:g}"]
        for title, data in model["data"].items():
            for member, spread, sums in zip(found["members"], data["spread"], data["rows"][0]["sums"], strict=True):
                lines.append(f"  {member['label']}, {title}: spread = {spread:.9g}")
                lines += [
                    f"    {name}: {', '.join(f'{each:.9g}' for each in coefficients)}"
                    for name, coefficients in zip(("S_dd", "D", "S_mm"), sums, strict=True)
                ]
    return "\n".join(lines)
