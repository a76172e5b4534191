"""Overlays: other people's curves in a picture, from files of two columns.

The columns are coordinates on the picture's two axes, in the picture's units or in given units.  Commas, semicolons or
blanks separate columns, lines that begin with '#' are comments, and names above the columns are ignored.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from fastscan.axes import Axis
from fastscan.errors import InputError, quoted, shown_path, unknown
from fastscan.inputs import columns
from fastscan.outputs import figures
from fastscan.outputs.guides import Sides
from fastscan.typing import Array

if TYPE_CHECKING:  # fastscan.outputs.figures says how to install it
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

KEYS = ("label", "x", "y")
GREYS = ("0.0", "0.45")  # overlays have no colour


@dataclass(frozen=True)
class Overlay:
    """An overlay: a curve from a file.

    Attributes
    ----------
    path : str
        Path of the file.
    label : str
        The label in the legend; empty for the name of the file.  Files with the same label are pieces of one curve.
    x, y : str
        Units of the two columns; empty for the picture's units.
    """

    path: str
    label: str = ""
    x: str = ""
    y: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """An overlay from its form on the command line: the file, then label, x and y, as needed.

        >>> Overlay.parse("limits.csv,label=CONUS, 2021,x=GeV")
        Overlay(path='limits.csv', label='CONUS, 2021', x='GeV', y='')
        """
        path, *words = re.split(rf",(?=(?:{'|'.join(KEYS)})=)", text)
        return cls(path, **dict(word.split("=", 1) for word in words))

    @property
    def name(self) -> str:
        """The label in the legend."""
        return figures.literal(self.label or Path(self.path).stem)


def draw(ax: "Axes", overlays: Sequence[Overlay], sides: Sides) -> "list[Line2D]":
    """Draw some overlays in a picture whose range is set.  The label of a curve outside the range says so.

    Raises
    ------
    InputError
        Where a file can't be read, doesn't have two columns of numbers, or has a number of at most 0 for a logarithmic
        axis, and where the axis doesn't have a unit.
    """
    lines = []
    for number, name in enumerate(dict.fromkeys(overlay.name for overlay in overlays)):
        look = {
            "color": GREYS[number // len(figures.DASHES) % len(GREYS)],
            "linestyle": figures.DASHES[number % len(figures.DASHES)],
            "linewidth": 1.0,
        }
        points = [_points(ax, overlay, sides) for overlay in overlays if overlay.name == name]
        pieces = [ax.plot(*each, scalex=False, scaley=False, **look)[0] for each in points]
        seen = any(_is_seen(ax, piece) for piece in pieces)
        pieces[0].set_label(name if seen else f"{name}: outside the picture")
        lines += pieces
    return lines


def _points(ax: "Axes", overlay: Overlay, sides: Sides) -> list[Array]:
    """The points of an overlay in the units of a picture."""
    found = columns.read(Path(overlay.path))
    if len(found.rows[0]) != 2:
        raise InputError(f"{found.where}: line {found.lines[0]}: an overlay has 2 columns, not {len(found.rows[0])}")
    if len(found.rows) < 2:
        raise InputError(f"{found.where}: one point is no curve")
    points = []
    for number, (axis, unit) in enumerate(zip(sides, (overlay.x, overlay.y), strict=True)):
        values = np.array([row[number] for row in found.rows])
        scale = (ax.get_xscale, ax.get_yscale)[number]()
        if scale == "log" and (values <= 0).any():
            line, value = next(each for each in zip(found.lines, values, strict=True) if each[1] <= 0)
            raise InputError(f"{found.where}: line {line}: {value:g} is not on a logarithmic axis")
        points.append(_converted(values, axis, unit, f"{shown_path(overlay.path)}: {KEYS[number + 1]}"))
    return points


def _converted(values: Array, axis: Axis | None, unit: str, where: str) -> Array:
    """Values converted from a unit to the unit in which an axis is drawn."""
    if not unit:
        return values
    if axis is None or not axis.kind:
        raise InputError(f"{where}: {quoted(unit)} can't be given: the axis has one unit only")
    if unit not in axis.units:
        raise InputError(f"{where}: {unknown('unit', unit, axis.units)}")
    converted: Array = axis.converted(values, unit, axis.shown_unit or "1")
    return converted


def _is_seen(ax: "Axes", line: "Line2D") -> bool:
    """Whether a part of a line is within the range of a picture."""
    path = ax.transData.transform_path(line.get_path())
    return bool(path.intersects_bbox(ax.bbox, filled=False))
