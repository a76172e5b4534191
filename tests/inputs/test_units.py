import math

import pytest

from fastscan.errors import FastscanError
from fastscan.inputs.units import quantity, quantity_in, relative


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("14.57 kg", "mass", 14.57),
        ("1 t", "mass", 1000.0),
        ("100eV", "energy", 1e-4),
        ("2.5e3 GeV", "energy", 2.5e6),
        ("19.3 m", "length", 19.3),
        ("0.9 fm", "nuclear length", 0.9),
        ("1 yr", "time", 365 * 86400.0),
        ("180 deg", "angle", math.pi),
        ("-90deg", "angle", -math.pi / 2),
        ("16 MiB", "size", 2.0**24),
    ],
)
def test_a_quantity_is_read_in_its_base_unit(text: str, kind: str, value: float) -> None:
    assert quantity(text, kind) == pytest.approx(value, rel=1e-15, abs=0)


def test_a_length_in_the_laboratory_is_none_in_a_nucleus() -> None:
    for text, kind in (("20 fm", "length"), ("20 m", "nuclear length")):
        with pytest.raises(FastscanError, match=f"'{text}' has no unit of {kind}"):
            quantity(text, kind)


@pytest.mark.parametrize("text", ["", "kg", "14.57", "14.57 m", "1.2.3 kg", "1e999 kg", "nan kg", "१ kg", 14.57, None])
def test_what_is_no_mass_is_refused_with_the_units_of_mass(text: object) -> None:
    with pytest.raises(FastscanError, match="g, kg, t"):
        quantity(text, "mass")


@pytest.mark.parametrize(
    ("text", "kind", "unit", "value"),
    [
        ("100 MeV", "energy", "GeV", 0.1),
        ("1.001TeV", "energy", "GeV", 1001.0),
        ("1e6 eV", "energy", "GeV", 0.001),
        ("28 %", "ratio", "1", 0.28),
        ("0.25%", "ratio", "1", 0.0025),
        ("180 deg", "angle", "rad", math.pi),
    ],
)
def test_a_quantity_in_a_unit_is_rounded_once(text: str, kind: str, unit: str, value: float) -> None:
    assert quantity_in(text, kind, unit) == value


def test_every_whole_per_cent_is_its_number() -> None:
    assert [relative(f"{number} %") for number in range(101)] == [float(f"{number / 100:.2f}") for number in range(101)]
    assert relative(0.3) == 0.3


@pytest.mark.parametrize("text", ["20", "twenty %", "% 20", "20 percent", "1.2.3 %", "20 GeV", "1e400 %", ""])
def test_what_is_no_relative_error_is_refused(text: str) -> None:
    with pytest.raises(FastscanError, match=r"is no relative error: write a number such as 0\.2, or '20 %'"):
        relative(text)
