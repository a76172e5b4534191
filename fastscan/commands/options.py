"""What the commands are asked with: types of values that a user writes, and the options that commands share.

A value that can't be understood is refused here, before a command runs; what it may be is checked where it is used.
"""

from collections.abc import Callable, Sequence
from typing import Any

import click

from fastscan.errors import FastscanError
from fastscan.inputs.units import UNITS, quantity
from fastscan.limits.confidence import CL, DOF


class InOrder(click.Group):
    """Commands whose help lists them in the order in which a user meets them, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class Quantity(click.ParamType):  # type: ignore[type-arg]
    """A number with its unit, turned into one unit of a kind of `UNITS`."""

    def __init__(self, name: str, kind: str, unit: str) -> None:
        self.name, self.kind, self.unit = name, kind, UNITS[kind][unit]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return quantity(value, self.kind) / self.unit
        except FastscanError as error:
            self.fail(str(error), param, ctx)


class Points(click.ParamType):  # type: ignore[type-arg]
    """Values separated by commas, or the word "axis" for those of the store's axis."""

    name = "values"

    def __init__(self, each: "click.ParamType[Any]") -> None:
        self.each = each

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "axis":
            return value
        return [self.each.convert(part, param, ctx) for part in value.split(",")]


class Pair(click.ParamType):  # type: ignore[type-arg]
    """Two names separated by a comma."""

    name = "x,y"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        parts = tuple(value.split(","))
        if len(parts) != 2:
            self.fail(f"{value!r} is not two names separated by a comma", param, ctx)
        return parts


class Part(click.ParamType):  # type: ignore[type-arg]
    """k/n: two whole numbers."""

    name = "k/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        k, slash, n = value.partition("/")
        if not (slash and k.isdecimal() and n.isdecimal()):
            self.fail(f"{value!r} is not of the form 3/16", param, ctx)
        return int(k), int(n)


class SigmaSys(click.ParamType):  # type: ignore[type-arg]
    """A number, or name=number: (None, number) or (name, number)."""

    name = "sigma"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, equals, number = value.rpartition("=")
        if equals and not name:
            self.fail(f"{value!r} names no experiment", param, ctx)
        return name or None, click.FLOAT.convert(number, param, ctx)


def together(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, in their order."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def sigma_sys_of(given: Sequence[tuple[str | None, float]], names: Sequence[str]) -> float | dict[str, float] | None:
    """What `--sigma-sys` says of some experiments, for all (name None) and for one by one: the later one counts."""
    if all(name is None for name, _ in given):
        return given[-1][1] if given else None
    from fastscan.experiments.catalogue import load_all

    loaded = [each.name for each in load_all(names)]
    named: dict[str, float] = {}
    for name, value in given:
        named.update(dict.fromkeys(loaded, value) if name is None else {name: value})
    return named


def only_one(**given: bool) -> None:
    """Refuse options that exclude each other."""
    if all(given.values()):
        raise click.UsageError(" and ".join(f"--{name}" for name in given) + " exclude each other")


ANGLE = Quantity("angle", "angle", "rad")
ANGLES = Points(ANGLE)
NUMBERS = Points(click.FLOAT)
MASS = Quantity("mass", "energy", "GeV")

store = click.argument("store", type=click.Path())
cl = click.option("--cl", default=CL, show_default=True, help="Confidence level, a probability.")
dof = click.option("--dof", default=DOF, show_default=True, help="Degrees of freedom of the chi2 quantile.")
plane_dof = click.option("--dof", type=int, help="Degrees of freedom; left out, 2 for beta against m_zprime, else 1.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
group = click.option("--group", "groups", multiple=True, help="Group <experiment>/<model>; left out, all. Repeatable.")
from_cube = click.option(
    "--from-cube",
    is_flag=True,
    help="Insist on the stored chi2: values on the axes only, and each stored one must agree.",
)
part = click.option(
    "--part", type=Part(), help="Only part k of n, 3/16, of a grid that several jobs share; see `finish`."
)
plane = together(
    click.option(
        "--axes",
        type=Pair(),
        help="Plane of the contours: two of beta, cos_beta, m_zprime, sigma_sys, luminosity; left out, the first axis "
        "of the group against m_zprime.",
    ),
    click.option("--minimise", multiple=True, metavar="AXIS", help="Minimise chi2 over another axis. Repeatable."),
    click.option("--m-zprime", type=MASS, help="Mass with its unit, 500GeV, where m_zprime is not shown."),
)
