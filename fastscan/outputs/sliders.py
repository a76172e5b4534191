"""Sliders: the numbers from which a page recomputes limits at other settings, without Python.

The likelihood of a Gaussian experiment with one normalisation consists of three sums over bins, each a sum of squares
of polynomials in the strength x (`fastscan.likelihoods.gaussian`).  The sums don't depend on sigma_sys, luminosity or
CL.  From them ``fastscan/data/page.js`` computes the same limits as `fastscan.limits.strengths`.
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

MEASURED, PREDICTED = "measured", "SM prediction"  # the data of a likelihood
FORMULA = """\
chi2 = sum over experiments of (S_dd + D t) / (noise + S_mm sigma_sys^2)
       with t = sigma_sys^2 / noise and noise = 1 / luminosity + spread,
and each of S_dd, D and S_mm = (c0 + c1 x + c2 x^2)^2 + x^2 [(c3 + c4 x)^2 + c5 x^2]"""


def is_adjustable(likelihood: Likelihood) -> bool:
    """Whether a likelihood consists of sums alone: no counted events, and no nuisance that experiments share."""
    return not likelihood.blocks


def numbers(cubes: Sequence[Cube]) -> dict[str, Any]:
    """The numbers for the sliders of one experiment, or of one combination, as plain data for JSON.

    Parameters
    ----------
    cubes : sequence of Cube
        One cube for each model, all of the same experiment or combination and with limits on the same strength.  Cubes
        with a row parameter have the same one, at the same values.

    Returns
    -------
    dict
        ``label``; ``cl`` and ``dof`` to begin with; ``members``, the experiments with their own sigma_sys, and whether
        they follow the slider; and ``models``.  A model has its strength (x = (value / unit)^power), the values
        of its row parameter, and for each kind of ``data`` the spread of each member's variance and its rows: the
        scale of x, the strengths at which chi2 may turn, and six coefficients of S_dd, D and S_mm of each member.

    Raises
    ------
    LimitError
        Where a likelihood is not adjustable, has more than one row parameter, or where models don't fit together.
    """
    first = cubes[0].likelihood
    if len({(cube.experiment, cube.interaction.strength.axis.name) for cube in cubes}) > 1:
        raise LimitError("sliders need one experiment, or one combination, and limits on one strength")
    if len({json.dumps(_row(cube)) for cube in cubes if cube.interaction.rows}) > 1:
        raise LimitError("models with sliders must share one row parameter, at the same values")
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
    """The row parameter of a cube and its values, in the unit in which it is shown."""
    (axis,) = cube.interaction.rows
    unit = axis.shown_unit or axis.unit
    return {
        "text": axis.text,
        "unit": unit,
        "values": np.round(axis.converted(cube.points[axis.name], axis.unit, unit), 12).tolist(),
    }


def _rows(likelihood: Likelihood) -> list[dict[str, Any]]:
    """The numbers of each row: its scale, its turning points and its sums."""
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
    """A section of a page with the sliders of one experiment, or of one combination, and their numbers as text.

    Parameters
    ----------
    cubes
        As in `numbers`.
    name : str
        The id of the section.

    Returns
    -------
    Section
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
        text=[f"The slider of sigma_sys changes the other experiments only; {kept}."] if fixed else [],
        likelihoods=[found],
        more={"The likelihood in numbers": told(found)},
    )


def told(found: Mapping[str, Any]) -> str:
    """The numbers as text: the formula, then a line for each sum of each model without a row parameter."""
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
