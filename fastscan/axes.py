"""The description of an axis: its name, its units, its bounds, and the way it is drawn and shown.

Grid files, stores, planes, pictures, records, tables and options all read this one description, and an interaction
declares its own axes with it (`fastscan.interactions.parameters`).  This module has the two axes of every experiment.
Nothing numerical is imported, because the help of the commands needs the axes too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastscan.errors import FastscanError, InputError, unknown
from fastscan.inputs import bounds, units

if TYPE_CHECKING:
    from fastscan.typing import Array

IN_PICTURES = {  # LaTeX for units that plain text can't show well
    "1e-11 mu_B": r"$10^{-11}\,\mu_\mathrm{B}$",
    "1e-12 e": r"$10^{-12}\,e$",
    "1e-32 cm2": r"$10^{-32}\,\mathrm{cm}^2$",
}


@dataclass(frozen=True)
class View:
    """One way to draw an axis.

    Attributes
    ----------
    name : str
        The name that a user gives: the axis' own name, or another name such as cos_beta.
    column : str
        Key of the records from which pictures are drawn.
    label : str
        The text along the axis of a picture.
    scale : {"linear", "log", "cos"}
        The quantity that is drawn: the value, its logarithm or its cosine.
    ticks : tuple of int
        The multiples of each power of ten at which a logarithmic scale has numbers.
    range : (float, float)
        The first and the last value that can be drawn in this way, in the unit of the axis.
    """

    name: str
    column: str
    label: str
    scale: str = "linear"
    ticks: tuple[int, ...] = (1,)
    range: tuple[float, float] = (float("-inf"), float("inf"))


@dataclass(frozen=True)
class Axis:
    """An axis of a grid.

    Attributes
    ----------
    name : str
        The name in Python, grid files and stores, and with hyphens on the command line.
    long_name : str
        A description of the quantity, for stores and error messages.
    symbol, text : str
        The quantity in LaTeX's mathematics, and in plain text.
    low, high : float
        Bounds of its values, inclusive.
    expected : str
        The bounds in words, for error messages.
    kind : str
        Key of `fastscan.inputs.units.UNITS`; empty for a number without other units.
    unit : str
        The unit of values in Python and in stores; "1" for a number without unit.  People write it only where there is
        a `kind`.
    example : str
        A value as people write it on the command line.
    default : float or None
        The value that is used where none is given; None where each experiment has its own value, or one must be given.
    left_out : str
        A description of the value that is used where none is given; empty where one must be given.
    shown_in : str
        The unit in which tables and pictures show values; empty for `unit`.
    logarithmic : bool
        Whether the axis is drawn on a logarithmic scale.
    views : tuple of View
        Other ways to draw the axis.
    whole : str
        For an axis of shifts, the name of the shifted quantity; else empty.
    unshifted : float
        The value of the shifted quantity at a shift of 0.
    """

    name: str
    long_name: str
    symbol: str
    text: str
    low: float
    high: float
    expected: str
    kind: str = ""
    unit: str = "1"
    example: str = ""
    default: float | None = None
    left_out: str = ""
    shown_in: str = ""
    logarithmic: bool = False
    views: tuple[View, ...] = ()
    whole: str = ""
    unshifted: float = 0.0

    @property
    def units(self) -> tuple[str, ...]:
        """The units in which a file can give values."""
        return tuple(units.UNITS[self.kind]) if self.kind else ("1",)

    def converted(self, value: Any, unit: str, to: str = "") -> Any:
        """A value, or an array of values, converted from one of the axis' units to another, by default to `unit`."""
        return units.converted(value, self.kind, unit, to or self.unit) if self.kind else value

    def is_decimal(self, unit: str) -> bool:
        """Whether a unit is a power of ten of `unit`, so that decimal numbers stay decimal."""
        return not self.kind or units.decimal_ratio(self.kind, unit, self.unit) is not None

    def exactly(self, number: float, unit: str) -> float:
        """A number, converted to `unit`; where `is_decimal` holds, it is the float nearest to the decimal number."""
        return units.converted_number(number, unit, self.kind, self.unit) if self.kind else number

    @property
    def shown_unit(self) -> str:
        """The unit in which tables and pictures show values; empty for a number without unit."""
        return "" if self.unit == "1" else self.shown_in or self.unit

    def shown(self, value: Any) -> Any:
        """A value, or an array of values, in `shown_unit`."""
        return self.converted(value, self.unit, self.shown_in) if self.shown_in else value

    @property
    def column(self) -> str:
        """The axis' key in records: its name with the unit."""
        return _with_unit(self.name, self.unit if self.unit != "1" else "")

    @property
    def heading(self) -> str:
        """The heading of the axis' column in tables."""
        return f"{self.text}/{self.shown_unit}" if self.shown_unit else self.text

    @property
    def drawn_unit(self) -> str:
        """`shown_unit` in LaTeX, for pictures."""
        return IN_PICTURES.get(self.shown_unit, self.shown_unit)

    @property
    def own_view(self) -> View:
        """The default way to draw the axis."""
        unit = f" [{self.drawn_unit}]" if self.shown_unit else ""
        column = _with_unit(self.name, self.shown_unit)
        ticks = (1, 2, 5) if self.unit != "1" else (1,)  # quantities with a unit span few decades, factors many
        return View(self.name, column, f"${self.symbol}${unit}", "log" if self.logarithmic else "linear", ticks)

    @property
    def all_views(self) -> tuple[View, ...]:
        """All ways to draw the axis, the default first."""
        return (self.own_view, *self.views)

    def told(self, value: float) -> str:
        """A value with its unit for a message, such as ``95 deg``."""
        return self.with_unit(f"{self.shown(value):g}")

    def with_unit(self, told: str) -> str:
        """A number in words with `shown_unit`, such as ``27 x 1e-11 mu_B``."""
        times = "x " if self.shown_unit[:1].isdigit() else ""
        return f"{told} {times}{self.shown_unit}".rstrip()

    def check(self, values: Any) -> "Array":
        """Values as an array of floats in the unit of the axis, checked against its bounds.

        Quantities with a unit are converted, see `fastscan.inputs.arguments`.

        Raises
        ------
        InputError
            Where a value isn't a number, is out of bounds, or has a unit that isn't the axis'.

        Examples
        --------
        >>> SIGMA_SYS.check([0.1, 0.2])
        array([0.1, 0.2])
        """
        from fastscan.inputs import arguments  # imported here: it imports numpy, which the commands' help doesn't need

        return arguments.within(self.name, values, self.low, self.high, self.expected, self.unit)


def _with_unit(name: str, unit: str) -> str:
    """A key of records: a name and a unit, or the name alone for an empty unit.

    >>> _with_unit("m_zprime", "GeV"), _with_unit("r2", "1e-32 cm2")
    ('m_zprime_gev', 'r2_1e-32_cm2')
    """
    return "_".join([name, *unit.lower().split()])


SIGMA_SYS = Axis(
    name="sigma_sys",
    long_name="relative systematic error of the signal normalisation",
    symbol=r"\sigma_\mathrm{sys}",
    text="sigma_sys",
    low=0.0,
    high=bounds.LARGEST_SIGMA_SYS,
    expected=f"zero or positive, at most {bounds.LARGEST_SIGMA_SYS:g}",
    kind="ratio",
    example="0.1",
    left_out="each experiment's own",
)
LUMINOSITY = Axis(
    name="luminosity",
    long_name="factor on the exposure",
    symbol="L/L_0",
    text="L/L0",
    low=bounds.LUMINOSITY[0],
    high=bounds.LUMINOSITY[1],
    expected=f"positive, from {bounds.LUMINOSITY[0]:g} to {bounds.LUMINOSITY[1]:g}",
    example="10",
    default=1.0,
    left_out="1",
    logarithmic=True,
)
SETTINGS = (SIGMA_SYS, LUMINOSITY)  # the axes of an experiment, in addition to those of an interaction


def by_name(axes: Iterable[Axis]) -> dict[str, Axis]:
    """Axes by their names, each once."""
    return {axis.name: axis for axis in axes}


def named(name: str, axes: Mapping[str, Axis], error: type[FastscanError] = InputError) -> Axis:
    """The axis of a name; an unknown name raises an error of the given kind, which suggests the nearest name."""
    if name not in axes:
        raise unknown("axis", name, axes, error)
    return axes[name]
