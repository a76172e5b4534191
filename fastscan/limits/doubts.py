"""Doubts: valid arguments that a user probably didn't mean, as texts for a `fastscan.errors.FastscanWarning`.

Each function returns one text for each doubt.  The same doubt always has the same text, so that it is shown once.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastscan.axes import SIGMA_SYS
from fastscan.inputs.bounds import DOUBTFUL_SIGMA_SYS
from fastscan.interactions.interaction import Strength


def about_errors(sigma_sys: Mapping[str, Any]) -> list[str]:
    """Doubts about relative systematic errors, numbers or arrays by experiment: above 1, per cent may be meant.

    >>> about_errors({"conus": 0.2, "connie": [0.1, 5.0]})
    ['sigma_sys of connie is above 1: it is a relative error, 0.2 stands for 20 %']
    """
    return [
        f"{SIGMA_SYS.name} of {name} is above {DOUBTFUL_SIGMA_SYS:g}: it is a relative error, 0.2 stands for 20 %"
        for name, errors in sigma_sys.items()
        if np.any(np.asarray(errors) > DOUBTFUL_SIGMA_SYS)
    ]


def end_of_form(strength: Strength, momentum_transfer: Mapping[str, float]) -> tuple[float, str]:
    """The strength at which the form that is assumed for an interaction ceases to hold, and a warning in words.

    Parameters
    ----------
    strength : Strength
    momentum_transfer : mapping of str to float
        The largest momentum transfer in MeV of each combined experiment, by name.

    Returns
    -------
    float
        Value on the strength's axis below which the form doesn't hold; -inf where it always holds.
    str
        The warning about a lower value.
    """
    if strength.lowest is None:
        return -np.inf, ""
    name = max(momentum_transfer, key=momentum_transfer.__getitem__)
    end = strength.lowest(momentum_transfer[name])
    return end, f"{strength.axis.text} is below {strength.axis.told(end)}: {strength.form_ends} of {name}"


def about_strengths(strength: Strength, momentum_transfer: Mapping[str, float], values: ArrayLike) -> list[str]:
    """Doubts about values on a strength's axis, see `end_of_form`; nan raises no doubt.

    >>> from fastscan.interactions.contact import HEAVY
    >>> about_strengths(HEAVY, {"conus": 20.0, "coherent-csi": 100.0}, [0.5, np.inf])
    ["M_Z' is below 1 GeV: the contact form ends at ten times the largest momentum transfer of coherent-csi"]
    """
    end, text = end_of_form(strength, momentum_transfer)
    return [text] if np.any(np.asarray(values) < end) else []
