"""The options that commands share, and the types of values that a user writes on the command line.

The types refuse values that can't be read, before a command runs.  The rooms that use the values check their bounds.
"""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import click

from fastscan.answers.question import Question
from fastscan.axes import SIGMA_SYS, Axis, by_name
from fastscan.commands import completion
from fastscan.errors import FastscanError, quoted
from fastscan.inputs.units import quantity_in, relative
from fastscan.interactions.parameters import AXES, PARAMETERS, ROWS, STRENGTHS
from fastscan.limits.confidence import ASYMPTOTIC, BY_TOYS, CL, DOF, METHODS, Toys
from fastscan.outputs.formats import FORMATS

PART = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
LONGEST_MESSAGE = 160  # characters of a message from click, which quotes a whole argument
Option = Callable[[Any], Any]  # a decorator of a command


class InOrder(click.Group):
    """A group whose help lists its commands in the order in which a user meets them, not alphabetically."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def main(self, *arguments: Any, **settings: Any) -> Any:
        """Run a command; a long message from click is shortened in its middle."""
        try:
            return super().main(*arguments, **settings)
        except click.ClickException as error:
            message = error.format_message()
            if len(message) <= LONGEST_MESSAGE:
                raise
            raise click.UsageError(f"{message[:90]} ... {message[-40:]}") from None


class Quantity(click.ParamType):  # type: ignore[type-arg]
    """A number with its unit, converted to one unit of its kind."""

    def __init__(self, name: str, kind: str, unit: str) -> None:
        self.name, self.kind, self.unit = name, kind, unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return quantity_in(value, self.kind, self.unit)
        except FastscanError as error:
            self.fail(str(error), param, ctx)


class Number(click.ParamType):  # type: ignore[type-arg]
    """A number in Python's notation: "integer" or "float"."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(value) if self.name == "float" else int(value)
        except ValueError:  # of an integer of thousands of digits too
            self.fail(f"{quoted(value)} is not a valid {self.name}", param, ctx)


INTEGER, FLOAT = Number("integer"), Number("float")


class Relative(click.ParamType):  # type: ignore[type-arg]
    """A relative error: a number, or one in per cent."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if "%" not in value:
            return FLOAT.convert(value, param, ctx)
        try:
            return relative(value)
        except FastscanError as error:
            self.fail(str(error), param, ctx)


class Values(click.ParamType):  # type: ignore[type-arg]
    """Values separated by commas."""

    name = "values"

    def __init__(self, each: "click.ParamType[Any]") -> None:
        self.each = each

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return [self.each.convert(part, param, ctx) for part in value.split(",")]


class Points(Values):
    """Values separated by commas, or the word "axis" for all values of the store's axis."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "axis" else super().convert(value, param, ctx)


class Pair(click.ParamType):  # type: ignore[type-arg]
    """Two names separated by a comma."""

    name = "x,y"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        parts = tuple(value.split(","))
        if len(parts) != 2:
            self.fail(f"{quoted(value)} is not two names separated by a comma", param, ctx)
        return parts


class Part(click.ParamType):  # type: ignore[type-arg]
    """k/n: two whole numbers."""

    name = "k/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        part = PART.fullmatch(value)
        if not part:
            self.fail(f"{quoted(value)} is not of the form 3/16", param, ctx)
        return int(part[1]), int(part[2])


class SigmaSys(click.ParamType):  # type: ignore[type-arg]
    """Relative errors, or name=errors, as a pair (None, errors) or (name, errors)."""

    name = "sigma"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, equals, errors = value.rpartition("=")
        if equals and not name:
            self.fail(f"{quoted(value)} names no experiment", param, ctx)
        return name or None, Values(Relative()).convert(errors, param, ctx)


class At(click.ParamType):  # type: ignore[type-arg]
    """Values of a model's parameters by name, NAME=VALUE separated by commas.

    A number without a unit is in the unit of the Python interface.
    """

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        axes, found = by_name(PARAMETERS), {}
        for part in value.split(","):
            name, equals, number = (each.strip() for each in part.partition("="))
            if not equals or name not in axes or name in found:
                told = "is given twice" if name in found else f"is not one of {', '.join(axes)} with = and a value"
                self.fail(f"{quoted(part)} {told}", param, ctx)
            found[name] = _of_axis(axes[name], number, param, ctx)
        return found


class Nuisance(click.ParamType):  # type: ignore[type-arg]
    """NAME=VALUE: the name of a nuisance and a number."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, equals, number = value.rpartition("=")
        if not (equals and name):
            self.fail(f"{quoted(value)} is not of the form signal=1", param, ctx)
        return name, FLOAT.convert(number, param, ctx)


def _of_axis(axis: Axis, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
    """A value of an axis, with its unit, or without one in the unit of the Python interface."""
    try:
        return float(value)
    except ValueError:
        found: float = axis_type(axis).convert(value, param, ctx)
        return found


def together(*decorators: Option) -> Option:
    """Several options as one decorator, in their order."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def only_one(**given: bool) -> None:
    """Refuse options that exclude each other."""
    if all(given.values()):
        raise click.UsageError(" and ".join(f"--{name}" for name in given) + " exclude each other")


def axis_type(axis: Axis) -> "click.ParamType[Any]":
    """The type of one value of an axis on the command line: a number, with a unit where the axis has one."""
    if not axis.kind:
        return FLOAT
    return Relative() if axis.unit == "1" else Quantity(axis.kind, axis.kind, axis.unit)


def one_value(axis: Axis, note: str = "") -> Option:
    """An option for one value of an axis; the note says which values or models it is for."""
    left_out = f"; left out, {axis.left_out}" if axis.left_out else ""
    words = f"{_described(axis, note)}: {axis.example}{left_out}."
    return click.option(_flag(axis), type=axis_type(axis), help=words)


def several_values(axis: Axis, note: str = "", stored: bool = True) -> Option:
    """An option for several values of an axis, with a note as in `one_value`; if `stored`, also the word 'axis'."""
    left_out = f"; left out, {axis.left_out}" if axis.left_out else ""
    several = "several separated by commas, or 'axis'" if stored else "or several separated by commas"
    return click.option(
        _flag(axis),
        type=Points(axis_type(axis)) if stored else Values(axis_type(axis)),
        help=f"{_described(axis, note)}: {axis.example}, {several}{left_out}.",
    )


def _flag(axis: Axis) -> str:
    return "--" + axis.name.replace("_", "-")


def _described(axis: Axis, note: str) -> str:
    """The first words of an option's help: the quantity of the axis, a note, and its unit."""
    words = axis.long_name[0].upper() + axis.long_name[1:]
    if axis.unit == "1":
        return words + note
    return f"{words}{note}, with its unit" if axis.kind else f"{words} in {axis.unit}{note}"


def on_axis(axis: Axis) -> str:
    """A note that values must be points of the store's axis; empty for axes whose values need not be."""
    return ", one of the store's points" if axis in ROWS and axis not in STRENGTHS else ""


def not_shown(axis: Axis) -> str:
    """A note that a parameter can be given if the plane doesn't show it; empty for settings."""
    return f", if {axis.name} is not shown" if axis in PARAMETERS else ""


def question(*options: Option, dof: Option) -> Option:
    """The options of a question as one decorator; the command gets them as one argument `question`.

    The given options are for groups and axes; the decorator adds the options for the data and the level.
    """

    def decorate(command: Any) -> Any:
        @functools.wraps(command)
        def ask(**given: Any) -> Any:
            said = {axis.name: given.pop(axis.name, None) for axis in AXES}
            asked = Question(
                groups=given.pop("groups", ()),
                at={name: value for name, value in said.items() if value is not None and value != ()},
                cl=given.pop("cl"),
                dof=given.pop("dof"),
                stored=given.pop("from_cube", False),
                asimov=given.pop("asimov"),
                independent=given.pop("independent"),
                toys=_toys(given.pop("method", ASYMPTOTIC), given.pop("toys", None), given.pop("seed", None)),
            )
            return command(question=asked, **given)

        return together(*options, asimov, independent, cl, dof)(ask)

    return decorate


def formats(command: Any) -> Any:
    """The options of machine-readable formats as one decorator; a user can give one of them.

    The command gets `as_json` and `print_rows`: a function of `FORMATS`, or None without such an option.
    """

    @functools.wraps(command)
    def ask(as_json: bool, **given: Any) -> Any:
        chosen = [name for name in FORMATS if given.pop(name)]
        several = ["json"] * as_json + chosen
        if len(several) > 1:
            only_one(**dict.fromkeys(several, True))
        return command(as_json=as_json, print_rows=FORMATS[chosen[0]] if chosen else None, **given)

    flags = [click.option(f"--{name}", name, is_flag=True, help=f"Print {name.upper()}.") for name in FORMATS]
    return together(as_json, *flags)(ask)


def _toys(name: str, number: int | None, seed: int | None) -> Toys | None:
    """The toys that options request; `fastscan.limits` checks their number."""
    if name == ASYMPTOTIC:
        if number is not None or seed is not None:
            raise click.UsageError(f"--toys and --seed need --method {BY_TOYS}")
        return None
    return Toys(*(Toys.number if number is None else number, Toys.seed if seed is None else seed))


def with_sigma_sys(asked: Question, names: Sequence[str]) -> Question:
    """A question with its `--sigma-sys` options resolved; each is for one experiment, or for all (name None).

    `names` are the names of the experiments.  A later option replaces an earlier one.  The n-th errors of several
    experiments belong together.
    """
    given: Sequence[tuple[str | None, list[float]]] = asked.at.get(SIGMA_SYS.name, ())
    if not given:
        return asked
    if all(name is None for name, _ in given):
        return replace(asked, at={**asked.at, SIGMA_SYS.name: given[-1][1]})
    named: dict[str, list[float]] = {}
    for name, errors in given:
        named.update(dict.fromkeys(names, errors) if name is None else {name: errors})
    return replace(asked, at={**asked.at, SIGMA_SYS.name: named})


store = click.argument("store", type=click.Path())
asimov = click.option(
    "--asimov", is_flag=True, help="Use the Standard Model's prediction, an Asimov set, in place of measured data."
)
independent = click.option(
    "--independent", is_flag=True, help="Combine experiments without shared nuisances: every error is independent."
)
cl = click.option("--cl", type=FLOAT, default=CL, show_default=True, help="Confidence level, a probability.")
dof = click.option(
    "--dof", type=INTEGER, default=DOF, show_default=True, help="Degrees of freedom of the chi2 quantile."
)
plane_dof = click.option(
    "--dof",
    type=INTEGER,
    help="Degrees of freedom; left out, the number of the model's parameters that the plane shows, at least 1.",
)
method = click.option(
    "--method",
    type=click.Choice(METHODS),
    default=ASYMPTOTIC,
    show_default=True,
    help="Origin of the threshold of Delta chi2: the quantile of a chi2 distribution, or of toys at each point.",
)
toys = click.option("--toys", type=INTEGER, help=f"Number of toys at each point; left out, {Toys.number}.")
seed = click.option("--seed", type=INTEGER, help=f"Seed of the toys' random numbers; left out, {Toys.seed}.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
hepdata = click.option("--hepdata", type=click.Path(), metavar="DIR", help="Also write a HEPData submission to DIR.")
group = click.option(
    "--group",
    "groups",
    multiple=True,
    shell_complete=completion.groups,
    help="Group <experiment>/<model>; left out, all groups. Repeatable.",
)
from_cube = click.option(
    "--from-cube",
    is_flag=True,
    help="Use the stored chi2: values must be on the store's axes, and chi2 must agree with the likelihood.",
)
part = click.option(
    "--part", type=Part(), help="Compute only part k of n, such as 3/16, of a grid that jobs share; see `finish`."
)
plane = together(
    click.option(
        "--axes",
        type=Pair(),
        help=f"Axes of the plane: two of {', '.join(view.name for axis in AXES for view in axis.all_views)}; "
        "left out, the group's first axis and its strength.",
    ),
    click.option("--minimise", multiple=True, metavar="AXIS", help="Minimise chi2 over a further axis. Repeatable."),
)
