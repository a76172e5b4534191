"""The catalogue of interactions, which it finds by name, in a file, or from the identity in a store.

A new kind of interaction needs a room of its own and a line in `KINDS`; a new model of a kind is a line in `MODELS`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

from fastscan.errors import ModelError, shown_path, unknown
from fastscan.inputs.files import kept
from fastscan.inputs.toml import Table, name_or_path, read_toml
from fastscan.interactions.contact import E6, Charges, LeftRight
from fastscan.interactions.interaction import Interaction
from fastscan.interactions.light import Scalar, Vector
from fastscan.interactions.moments import MagneticMoment, Millicharge
from fastscan.interactions.nsi import KNOWN_COUPLINGS, PAIRS, ChargeRadius, NonStandard, Plane, WeakAngle
from fastscan.typing import FLAVOURS

Model = Charges  # as users write it in Python: a U(1)' of their own
VECTORS: dict[str, tuple[str, tuple[float, float, float], float]] = {  # nu_e, nu_mu, nu_tau with e, mu, tau; u and d
    "universal": ("universal", (1, 1, 1), 1),
    "b-l": ("B-L", (-1, -1, -1), 1 / 3),
    "b-3le": ("B-3L_e", (-3, 0, 0), 1 / 3),
    "b-3lmu": ("B-3L_mu", (0, -3, 0), 1 / 3),
    "b-2le-lmu": ("B-2L_e-L_mu", (-2, -1, 0), 1 / 3),
    "lmu-ltau": ("L_mu-L_tau", (0, 1, -1), 0),
    "le-lmu": ("L_e-L_mu", (1, -1, 0), 0),
    "le-ltau": ("L_e-L_tau", (1, 0, -1), 0),
}
SCALARS: dict[str, tuple[str, tuple[float, float], tuple[str, ...]]] = {  # couplings of p and n; the coupling of e is 1
    "scalar-q14": ("14 A + 1.1 Z of a nucleus", (15.1, 14.0), ("arXiv:1604.01025", "arXiv:1701.07443")),
    "scalar-sigma17": ("sigma_piN / m_ud", (17.3, 17.3), ("arXiv:2202.11002",)),
    "scalar-ftq": ("sum of f_Tq m_N / m_q", (18.6747, 18.8822), ("arXiv:2211.11905",)),
}
MOMENTS = ("doi:10.1103/PhysRevD.39.3378", "arXiv:1403.6344")
MILLICHARGES = ("arXiv:1403.6344", "arXiv:2005.01645")
STATUS_OF_NSI = ("arXiv:1907.00991",)
RADII = ("arXiv:1403.6344", "arXiv:1810.05606")
ANGLE = ("arXiv:hep-ph/0409169",)


def _charges(nu: Sequence[float], quark: float) -> str:
    """The charges of a built-in Z', in words."""
    quarks = f"quarks {Fraction(quark).limit_denominator(9)}" if quark else "quarks by a loop of leptons"
    return f"Q(e, mu, tau) = {', '.join(f'{each:g}' for each in nu)}; {quarks}"


def _epsilon(pair: str, coupling: str) -> str:
    """A built-in non-standard interaction, in words."""
    changes = len(set(PAIRS[pair])) > 1
    return f"eps_{pair}^{coupling}" + (", which changes the flavour and doesn't interfere" if changes else "")


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
        *(
            Vector(
                name,
                f"{title}: {_charges(nu, quark)}",
                charges={"u": (quark, quark), "d": (quark, quark), "e": (nu[0], nu[0])},
                nu=nu,
                loop=not quark,
            )
            for name, (title, nu, quark) in VECTORS.items()
        ),
        *(
            Scalar(name, f"C_p, C_n, C_e = {p:g}, {n:g}, 1: {title}", references, {"p": p, "n": n, "e": 1.0})
            for name, (title, (p, n), references) in SCALARS.items()
        ),
        *(MagneticMoment(f"magnetic-{each}", f"magnetic moment of nu_{each}", MOMENTS, each) for each in FLAVOURS),
        *(Millicharge(f"millicharge-{each}", f"electric charge of nu_{each}", MILLICHARGES, each) for each in FLAVOURS),
        *(
            NonStandard(f"nsi-{pair}-{coupling}", _epsilon(pair, coupling), STATUS_OF_NSI, {pair: {coupling: 1.0}})
            for pair in PAIRS
            for coupling in KNOWN_COUPLINGS
        ),
        *(
            Plane(f"nsi-{pair}", f"eps_{pair}^u over the axis eps_d, which is eps_{pair}^d", STATUS_OF_NSI, pair)
            for pair in PAIRS
        ),
        *(
            ChargeRadius(f"radius-{each}", f"charge radius squared of nu_{each}, beside the SM's own", RADII, each)
            for each in FLAVOURS
        ),
        WeakAngle("s2w", "shift of sin^2 theta_W from 0.23122, with the SM's radiative corrections", ANGLE),
    )
}
KINDS: dict[str, Callable[..., Interaction]] = {
    "e6": E6,
    "left-right": LeftRight,
    "charges": Charges,
    "vector": Vector,
    "scalar": Scalar,
    "magnetic": MagneticMoment,
    "millicharge": Millicharge,
    "nsi": NonStandard,
    "nsi-plane": Plane,
    "radius": ChargeRadius,
    "weak-angle": WeakAngle,
}
FILE_KINDS: dict[str, Callable[[Table, Path], Interaction]] = {  # users' own, from files
    "contact": Charges.read,
    "vector": Vector.read,
    "scalar": Scalar.read,
    "nsi": NonStandard.read,
}


def load(model: str | PathLike[str] | Interaction, relative_to: Path | None = None) -> Interaction:
    """The interaction with a name, or from a TOML file with a user's own charges or epsilons.

    Parameters
    ----------
    model : str, path or Interaction
        A name of `MODELS`, or a path that ends in ``.toml``, where ~ is the user's home.  An `Interaction` is returned
        unchanged.
    relative_to : Path, optional
        Directory to which a relative path refers; by default the current one.

    Returns
    -------
    Interaction
        The interaction.  It is cached until the file changes on disk.

    Raises
    ------
    ModelError
        Where the name is unknown, or the file is missing or wrong.

    Examples
    --------
    >>> [axis.name for axis in load("e6").rows], load("grids/models/b-l-contact.toml").charges["u"]
    (['beta'], (0.3333333333333333, 0.3333333333333333))
    """
    if isinstance(model, Interaction):
        return model
    found = name_or_path(model, "a model", relative_to)
    if isinstance(found, Path):
        return _load(found)
    if found not in MODELS:
        raise unknown("model", found, MODELS, ModelError)
    return MODELS[found]


@kept
def _load(path: Path) -> Interaction:
    """The interaction of a file."""
    table = read_toml(path, "a model")
    own = FILE_KINDS[table.choice("kind", FILE_KINDS, default="contact")](table, path)
    if own.name in MODELS:
        raise ModelError(f"{shown_path(path)}: {own.name!r} is a built-in model; give the file another name")
    return own


def of_identity(name: str, identity: Mapping[str, Any], references: tuple[str, ...]) -> Interaction:
    """The interaction with which a store's group was made, even if another interaction has its name now.

    >>> of_identity("chi", MODELS["chi"].identity(), ()).direction
    (1.0, 0.0)
    """
    words = {
        key: tuple(value) if isinstance(value, list) else value for key, value in identity.items() if key != "kind"
    }
    return KINDS[identity["kind"]](name=name, description="", references=references, **words)
