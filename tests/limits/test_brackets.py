"""Roots in brackets: they equal scipy's, and don't depend on other brackets, to the last bit."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from fastscan.limits.brackets import Brackets, Derivatives, Roots, roots
from fastscan.typing import Array, IntArray

WIDTHS = np.geomspace(0.01, 100.0, 41)  # number of functions, one in each bracket
SIZE = 3.0  # height of the functions


def found(width: Array, level: float, ends: tuple[float, float], *, rises: bool, extrema: bool) -> tuple[Roots, int]:
    """The roots of SIZE t exp(1 - t) less a level, and how many points were looked at.

    With t = x / width, and between ends in units of the width.  The functions rise up to t = 1, and fall from there.
    """
    looked = []

    def derivatives(bracket: IntArray, x: Array) -> Derivatives:
        looked.append(x.size)
        t = x / width[bracket]
        size = SIZE * np.exp(1.0 - t)
        return size * t - level, size * (1.0 - t) / width[bracket], size * (t - 2.0) / width[bracket] ** 2

    low, high = (end * width for end in ends)
    brackets = Brackets(low, high, 0.5 * (low + high), np.full(width.size, rises))
    return roots(derivatives, brackets, extrema=extrema), sum(looked)


@pytest.mark.parametrize(("ends", "rises"), [((0.0, 1.0), True), ((1.0, 30.0), False)])
def test_crossings(ends: tuple[float, float], rises: bool) -> None:
    ours, looked = found(WIDTHS, 1.0, ends, rises=rises, extrema=False)
    expected = brentq(lambda t: SIZE * t * math.exp(1.0 - t) - 1.0, *ends, xtol=1e-16, rtol=1e-15)
    assert ours.place == pytest.approx(expected * WIDTHS, rel=1e-13, abs=0)
    assert looked <= 8 * WIDTHS.size


@pytest.mark.parametrize("ends", [(0.0, 1.9), (0.5, 20.0)])
def test_maxima(ends: tuple[float, float]) -> None:
    ours, looked = found(WIDTHS, 0.0, ends, rises=False, extrema=True)
    assert ours.place == pytest.approx(WIDTHS, rel=1e-8)
    assert ours.value == pytest.approx(np.full(WIDTHS.size, SIZE), rel=1e-13)
    assert (ours.curvature < 0).all()
    assert looked <= 10 * WIDTHS.size


def test_what_a_parabola_says_is_looked_at_once() -> None:
    looked = []

    def parabola(_: IntArray, x: Array) -> Derivatives:
        looked.append(x.size)
        return (x - 1.0) ** 2 - 2.0, 2.0 * (x - 1.0), np.full(x.size, 2.0)

    ends = np.array([1.0]), np.array([9.0]), np.array([1.0 + math.sqrt(2.0) * (1 + 1e-7)]), np.array([True])
    assert roots(parabola, Brackets(*ends), extrema=False).place == pytest.approx([1.0 + math.sqrt(2.0)], rel=1e-15)
    assert looked == [1]


def test_a_bracket_does_not_depend_on_those_beside_it() -> None:
    for extrema, ends in ((False, (0.0, 1.0)), (True, (0.5, 20.0))):
        asked = {"ends": ends, "rises": not extrema, "extrema": extrema}
        all_of_them, _ = found(WIDTHS, 1.0, **asked)  # type: ignore[arg-type]
        for chosen in ([7], [3, 40, 0], list(range(40, -1, -1))):
            some, _ = found(WIDTHS[chosen], 1.0, **asked)  # type: ignore[arg-type]
            for ours, every in zip(some, all_of_them, strict=True):
                assert ours.tobytes() == every[chosen].tobytes()


def test_a_jump_to_infinity_is_a_crossing() -> None:
    """A function that is infinite beyond x = 1 has no parabola there, and its bracket is halved."""

    def jumping(_: IntArray, x: Array) -> Derivatives:
        beyond = x > 1.0
        return np.where(beyond, np.inf, -1.0), np.where(beyond, np.nan, 0.0), np.where(beyond, np.nan, 0.0)

    brackets = Brackets(np.zeros(1), np.full(1, 3.0), np.full(1, 1.7), np.array([True]))
    assert roots(jumping, brackets, extrema=False).place == pytest.approx([1.0], rel=1e-14)
