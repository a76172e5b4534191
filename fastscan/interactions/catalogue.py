"""Every interaction that there is: by name, from a file, and from what a store says of it.

Adding a kind of interaction is a room of its own and its line in `KINDS`; adding one of a kind is a line in `MODELS`.
"""

import math
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from fastscan.errors import ModelError, shown_path, unknown
from fastscan.inputs.toml import name_or_path
from fastscan.interactions.contact import E6, Charges, LeftRight
from fastscan.interactions.interaction import Interaction

Model = Charges  # as users write it in Python: a U(1)' of their own

MODELS: dict[str, Interaction] = {
    model.name: model
    for model in (
        E6("chi", "E6, U(1)_chi: beta = 0", direction=(1.0, 0.0)),
        E6("psi", "E6, U(1)_psi: beta = 90 deg; no sensitivity in CEvNS", direction=(0.0, 1.0)),
        E6("eta", "E6, U(1)_eta: cos(beta) = sqrt(3/8)", direction=(math.sqrt(3 / 8), math.sqrt(5 / 8))),
        LeftRight("lr", "left-right symmetric, as published: off electrons its rule acts on the charged current too"),
        LeftRight(
            "lr-nc",
            "left-right symmetric, neutral current only, as a Z' acts; in CEvNS the same as lr",
            neutral_current_only=True,
        ),
        E6("e6", "E6, U(1)_beta over the axis beta: Y = cos(beta) Y_chi + sin(beta) Y_psi"),
    )
}
KINDS: dict[str, Callable[..., Interaction]] = {"e6": E6, "left-right": LeftRight, "charges": Charges}


def load(model: str | PathLike[str] | Interaction, relative_to: Path | None = None) -> Interaction:
    """The interaction of a name, or of a path to a TOML file with a user's own charges.

    Parameters
    ----------
    model : str, path or Interaction
        A name of `MODELS`, or a path that ends in ``.toml``, where ~ is the user's home; an `Interaction` is passed
        through.
    relative_to : Path, optional
        Directory from which a relative path counts; left out, the current one.

    Raises
    ------
    ModelError
        Where the name is unknown, or the file is missing or wrong.

    Examples
    --------
    >>> [axis.name for axis in load("e6").rows], load("grids/models/b-l.toml").charges["u"]
    (['beta'], (0.3333333333333333, 0.3333333333333333))
    """
    if isinstance(model, Interaction):
        return model
    found = name_or_path(model, "a model", relative_to)
    if isinstance(found, Path):
        own = Charges.read(found)
        if own.name in MODELS:
            raise ModelError(f"{shown_path(found)}: {own.name!r} is a built-in model; give the file another name")
        return own
    if found not in MODELS:
        raise unknown("model", found, MODELS, ModelError)
    return MODELS[found]


def of_identity(name: str, identity: Mapping[str, Any], references: tuple[str, ...]) -> Interaction:
    """The interaction that a store's group says it was made with, whatever has that name today.

    >>> of_identity("chi", MODELS["chi"].identity(), ()).direction
    (1.0, 0.0)
    """
    words = {
        key: tuple(value) if isinstance(value, list) else value for key, value in identity.items() if key != "kind"
    }
    return KINDS[identity["kind"]](name=name, description="", references=references, **words)
