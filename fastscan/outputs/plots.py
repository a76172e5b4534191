"""Pictures of a user's own store: Delta chi2 profiles, limits along an axis, contours in a plane.

What isn't said is chosen as one would look first: contours where every group has the axis beta, else limits along
sigma_sys or luminosity, else profiles.  Whatever is drawn comes from the same records that the commands print.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from fastscan.answers import answers, planes, records
from fastscan.answers.records import Values
from fastscan.errors import FastscanError, unknown
from fastscan.limits import limits as query
from fastscan.limits.confidence import CL, DOF, level_text
from fastscan.outputs import figures
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root
from fastscan.typing import Array, Record

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("profile", "limit", "contour")
ALONG = ("sigma_sys", "luminosity", "beta")
DRAWN = {"beta": "beta_deg", "m_zprime": "m_zprime_gev"}  # axis -> what is drawn of it; others as they are
HIDDEN_BY = {"cos_beta": "beta_deg"}  # an angle isn't told where its cosine is shown
TOLD = {
    "beta_deg": r"$\beta$ = {:.12g}$\degree$",
    "sigma_sys": r"$\sigma_\mathrm{{sys}}$ = {:g}",
    "luminosity": "$L/L_0$ = {:g}",
}
MOST_CURVES = 21  # more can't be told apart


@dataclass(frozen=True)
class Settings:
    """What a picture holds for; dof None: 1, and 2 for contours in beta and m_zprime.

    Values in rad, GeV or without unit; "axis" stands for all of an axis.  Contours take one of each.
    """

    beta: Values | None = None
    m_zprime: float | None = None
    sigma_sys: Values | None = None
    luminosity: Values | None = None
    cl: float = CL
    dof: int | None = None
    from_cube: bool = False

    @property
    def limit_dof(self) -> int:
        """Degrees of freedom of a limit, and of the threshold in a profile."""
        return DOF if self.dof is None else self.dof


def plot(
    location: str,
    groups: Sequence[str] = (),
    *,
    kind: str | None = None,
    along: str | None = None,
    axes: tuple[str, str] | None = None,
    minimise: Sequence[str] = (),
    settings: Settings | None = None,
) -> "tuple[Figure, list[str]]":
    """A picture of some groups of a store, or of all that it can show.

    Parameters
    ----------
    location, groups
        Path of the store, and names of its groups.
    kind : {"profile", "limit", "contour"}
        Left out, it is chosen.
    along : {"sigma_sys", "luminosity", "beta"}
        The axis against which limits are drawn.
    axes, minimise
        The plane of contours, and the axes over which chi2 is minimised, see `fastscan.answers.planes.plane_of`.
    settings : Settings
        At which values.

    Returns
    -------
    Figure, list of str
        The picture, and the groups that are left out because they lack its axes, or need a beta.

    Raises
    ------
    FastscanError
        Where nothing can be drawn, or too many curves.

    Examples
    --------
    >>> import fastscan
    >>> _ = fastscan.scan("grids/coherent-csi.toml", "memory://plot")
    >>> figure, left_out = plot("memory://plot", ["coherent-csi/chi", "coherent-csi/eta"], along="sigma_sys")
    >>> figure.axes[0].get_title()
    '90 % CL, 1 dof, $L/L_0$ = 1'
    """
    chosen = settings or Settings()
    root = read_root(location)
    cubes = answers.cubes_of(root, groups)
    if kind is None:
        kind = _first_kind(cubes, along, bool(axes or minimise), chosen)
    needed = _axes_shown(cubes, kind, along, axes, minimise, chosen)
    for cube in cubes if groups else ():
        for name in needed:
            planes.scale_of(cube, name)
    shown = [cube for cube in cubes if groups or _can(cube, needed, minimise, chosen)]
    if not shown:
        raise FastscanError(f"no group of {location} can be shown so; choose one with --group, or say --beta")
    stored_in = root if chosen.from_cube else None
    with figures.look():
        figure, axes_of_figure = figures.canvas(height=3.4)
        ax = axes_of_figure[0, 0]
        if kind == "contour":
            _draw_contours(ax, shown, needed, minimise, chosen, stored_in)
        elif kind == "limit":
            _draw_limits(ax, shown, needed[0], chosen, stored_in)
        else:
            _draw_profiles(ax, shown, chosen, stored_in)
        figures.make_room(figure, ax)
    return figure, [cube.name for cube in cubes if cube not in shown]


def _axes_shown(
    cubes: Sequence[Cube],
    kind: str,
    along: str | None,
    axes: tuple[str, str] | None,
    minimise: Sequence[str],
    chosen: Settings,
) -> tuple[str, ...]:
    """The axes that a kind of picture shows, as they are said or chosen; what doesn't fit the kind is refused."""
    if kind not in KINDS:
        raise unknown("kind of picture", kind, KINDS)
    if along is not None and kind != "limit":
        raise FastscanError("an axis to draw along is for limits")
    if kind != "contour" and (axes or minimise or chosen.m_zprime is not None):
        raise FastscanError("axes, minimise and m_zprime are for contours")
    if kind == "profile":
        return ("m_zprime",)
    if kind == "contour":
        return axes or planes.axes_of(*cubes, held=(*_said(chosen), *minimise))
    free = [name for name in ALONG if getattr(chosen, name) is None]
    if along is None:
        along = next((name for name in free if any(planes.has(cube, name) for cube in cubes)), ALONG[0])
    if along not in ALONG:
        raise unknown("axis", along, ALONG)
    if along not in free:
        raise FastscanError(f"limits are drawn along all of {along}: it can't be said too")
    return (along,)


def _first_kind(cubes: Sequence[Cube], along: str | None, plane: bool, chosen: Settings) -> str:
    if along is not None:
        return "limit"
    if (
        plane
        or chosen.m_zprime is not None
        or (chosen.beta is None and cubes and all(planes.has(cube, "beta") for cube in cubes))
    ):
        return "contour"
    return (
        "limit"
        if any(planes.has(cube, name) for cube in cubes for name in ALONG[:2] if getattr(chosen, name) is None)
        else "profile"
    )


def _can(cube: Cube, needed: Sequence[str], minimise: Sequence[str], chosen: Settings) -> bool:
    """Whether a group has the axes, and a beta that is said or shown."""
    says_beta = chosen.beta is not None or "beta" in minimise or {"beta", "cos_beta"} & set(needed)
    return all(planes.has(cube, name) for name in needed) and bool(says_beta or not cube.has_beta)


def _draw_profiles(ax: "Axes", cubes: Iterable[Cube], chosen: Settings, stored_in: zarr.Group | None) -> None:
    rows = [
        _drawn(cube, row)
        for cube in cubes
        for row in records.profile_records(cube, **_said(chosen), stored_in=stored_in)
    ]
    _curves(ax, rows, "m_zprime_gev", "delta_chi2")
    ax.set_title(_title(rows, ("m_zprime_gev", "delta_chi2")))
    delta = query.threshold(chosen.cl, chosen.limit_dof)
    figures.level(ax, delta, chosen.cl, chosen.limit_dof)
    ax.set(ylim=(0, 4 * delta))


def _draw_limits(ax: "Axes", cubes: Iterable[Cube], along: str, chosen: Settings, stored_in: zarr.Group | None) -> None:
    asked = {**_said(chosen), along: "axis", "cl": chosen.cl, "dof": chosen.limit_dof}
    rows = [_drawn(cube, row) for cube in cubes for row in records.limit_records(cube, **asked, stored_in=stored_in)]
    drawn = DRAWN.get(along, along)
    _curves(ax, rows, drawn, "limit_gev")
    ax.set_title(_title(rows, (drawn, "limit_gev"), level_text(chosen.cl, chosen.limit_dof)))


def _draw_contours(
    ax: "Axes",
    cubes: Sequence[Cube],
    axes: Sequence[str],
    minimise: Sequence[str],
    chosen: Settings,
    stored_in: zarr.Group | None,
) -> None:
    x, y = axes
    held = _held(chosen)
    found = list(
        answers.contours_of_cubes(
            cubes, axes=(x, y), minimise=minimise, at=held, cl=chosen.cl, dof=chosen.dof, stored_in=stored_in
        )
    )
    rows = [
        _drawn(plane.cube, row)
        for plane, lines, dof in found
        for row in records.contour_records(plane, lines, chosen.cl, dof)
    ]
    drawn_x, drawn_y = DRAWN.get(x, x), DRAWN.get(y, y)
    figures.name_axes(ax, drawn_x, drawn_y)
    figures.contour_curves(ax, rows, drawn_x, drawn_y, _labels(rows, (drawn_x, drawn_y)))
    plane, _, dof = found[0]
    points_x, points_y = (_points(name, drawn) for name, drawn in zip(axes, plane.points, strict=True))
    if len(found) == 1:
        delta = query.threshold(chosen.cl, dof)
        figures.excluded(ax, points_x, points_y, planes.bounded(plane.values, delta), 0.5)
    ax.set(xlim=(min(points_x), max(points_x)), ylim=(min(points_y), max(points_y)))
    level = level_text(chosen.cl, dof)
    ax.set_title(_title(rows, (drawn_x, drawn_y), level) if rows else f"{level}: no contour in this plane")
    if rows or len(found) == 1:
        figures.legend(ax)


def _said(chosen: Settings) -> dict[str, Any]:
    """What is said of axes, as records are asked for it."""
    values = {name: getattr(chosen, name) for name in ("beta", "m_zprime", "sigma_sys", "luminosity")}
    return {name: value for name, value in values.items() if value is not None}


def _held(chosen: Settings) -> dict[str, float]:
    """The one value of each axis that is said."""
    held: dict[str, float] = {}
    for name, values in _said(chosen).items():
        if isinstance(values, float):
            held[name] = values
        elif isinstance(values, str) or len(values) != 1:
            raise FastscanError(f"contours are drawn at one {name}")
        else:
            held[name] = values[0]
    return held


def _drawn(cube: Cube, row: Record) -> Record:
    """A record as it is drawn: beta in deg, and of a combination the sigma_sys that its free members share."""
    sigma = row["sigma_sys"]
    if isinstance(sigma, dict):
        free = {value for name, value in sigma.items() if name not in cube.fixed_sigma_sys}
        sigma = free.pop() if len(free) == 1 else None
    return {**row, "sigma_sys": sigma, "beta_deg": None if row["beta_rad"] is None else math.degrees(row["beta_rad"])}


def _points(name: str, drawn: Array) -> list[float]:
    """The points of a plane's axis in the units of a picture."""
    if name == "cos_beta":
        return [float(each) for each in drawn]
    back = planes.SCALES[name].back(drawn).tolist()
    return [math.degrees(each) for each in back] if name == "beta" else back


def _settings_told(rows: Sequence[Record], shown: Sequence[str]) -> dict[str, set[float | None]]:
    """The values of each setting that isn't on an axis of the picture."""
    hidden = {*shown, *(HIDDEN_BY.get(name) for name in shown)}
    return {key: {row[key] for row in rows} for key in TOLD if key not in hidden}


def _labels(rows: Sequence[Record], shown: Sequence[str]) -> figures.Label:
    """What tells a curve from the others: its group, and each setting that isn't the same for all."""
    varying = [key for key, values in _settings_told(rows, shown).items() if len(values) > 1]

    def label(row: Record) -> str:
        settings = [TOLD[key].format(row[key]) for key in varying if row[key] is not None]
        return ", ".join([f"{row['experiment']}/{row['model']}", *settings])

    return label


def _title(rows: Sequence[Record], shown: Sequence[str], *level: str) -> str:
    """What all curves have in common."""
    common = _settings_told(rows, shown)
    settings = [TOLD[key].format(*values) for key, values in common.items() if len(values) == 1 and None not in values]
    return ", ".join([*level, *settings])


def _curves(ax: "Axes", rows: Sequence[Record], x: str, y: str) -> None:
    label = _labels(rows, (x, y))
    count = len(dict.fromkeys(map(label, rows)))
    if count > MOST_CURVES:
        raise FastscanError(f"{count} curves are too many for a picture; choose with --group, --beta, --sigma-sys")
    figures.name_axes(ax, x, y)
    for line in figures.curves(ax, rows, x, y, label):
        if np.isnan(line.get_ydata()).all():
            line.set_label(f"{line.get_label()}: none")
    points = [row[x] for row in rows]
    ax.set(xlim=(min(points), max(points)))
    figures.legend(ax)
