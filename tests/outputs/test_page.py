"""The page: its script computes what Python computes, and its tables and pictures are complete and readable."""

import itertools
import json
import math
import random
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quickjs
from pages import Reader

import fastscan
from fastscan.errors import FastscanError
from fastscan.limits.crossings import find_crossings, infimum
from fastscan.limits.limits import Limits, limits_of, threshold
from fastscan.outputs import page, sliders
from fastscan.outputs.page import Column, Page, Picture, Run, Section, Table
from fastscan.paper import report
from fastscan.scans.plan import plan
from fastscan.stores.cube import Cube

OTHERS = """
title = "Others"
experiments = ["conus-plus-2025-total"]
models = ["b-l", "nsi-ee-u", "magnetic-e"]

[axes]
m_zprime = { values = [1e-3, 0.1, 10], unit = "GeV" }
g = { start = 1e-6, stop = 1e-2, num = 3, spacing = "log" }
eps = { start = -1, stop = 1, num = 3 }
mu = { start = 0.1, stop = 100, num = 3, spacing = "log" }
"""


COUNTED = """
experiments = ["coherent-csi-2017"]
models = ["lr"]

[axes]
m_zprime = { start = 20, stop = 2000, num = 3, spacing = "log", unit = "GeV" }
"""


class Engine:
    """The script of the page in an engine without a browser."""

    def __init__(self, likelihoods: dict[str, Any]) -> None:
        self.context = quickjs.Context()
        self.context.eval(page.SCRIPT.read_text())
        self.context.eval(f"const likelihoods = {json.dumps(likelihoods, allow_nan=False)}")

    def __call__(self, expression: str) -> Any:
        return json.loads(self.context.eval(f"JSON.stringify({expression})"))

    def answer(self, name: str, number: int, **settings: Any) -> dict[str, Any]:
        found: dict[str, Any] = self(f"answer(likelihoods[{json.dumps(name)}], {number}, {json.dumps(settings)})")
        return found


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Cube]]:
    """The paper's by experiment, and those of other kinds of strength by model."""
    others = tmp_path_factory.mktemp("sliders") / "others.toml"
    others.write_text(OTHERS)
    found: dict[str, list[Cube]] = {}
    for cube in report.adjustable():
        found.setdefault(cube.experiment, []).append(cube)
    for cube in plan(others):
        found.setdefault(cube.model, []).append(cube)
    return found


@pytest.fixture(scope="module")
def engine(cubes: dict[str, list[Cube]]) -> Engine:
    return Engine({name: sliders.numbers(each) for name, each in cubes.items()})


def python(cube: Cube, data: str, row: int, sigma: float, luminosity: float, delta: float) -> Limits:
    """The limits that Python finds at the same settings."""
    likelihood = cube.expected if data == sliders.PREDICTED else cube.likelihood
    columns, _ = likelihood.columns(np.array([row]), {"sigma_sys": sigma, "luminosity": luminosity})
    strength = cube.interaction.strength
    return limits_of(find_crossings(columns, delta, strength.largest_x, strength.signed), strength)


def ends(intervals: Any) -> list[float]:
    """The ends of intervals, open ones as infinities."""
    return [
        (sign * math.inf if end is None else end) for each in intervals for sign, end in zip((-1, 1), each, strict=True)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_script_finds_python_s_limits(seed: int, cubes: dict[str, list[Cube]], engine: Engine) -> None:
    """At random settings, to 1e-9: limits, statuses and every interval, islands among them."""
    draw = random.Random(seed)
    seen = set()
    for _ in range(150):
        name = draw.choice([*cubes, "coherent-csi", "nsi-ee-u"])
        number = draw.randrange(len(cubes[name]))
        cube = cubes[name][number]
        rows = len(cube.likelihood.scale)
        row = draw.choice([draw.randrange(rows), min(rows - 1, 20)])  # e6 has islands near 100 deg
        data = draw.choice([*sliders.numbers([cube])["models"][0]["data"]])
        sigma = draw.choice([0.0, draw.uniform(0, 0.02), draw.uniform(0, 0.5)])
        luminosity, cl, dof = 10 ** draw.uniform(-1, 3), draw.uniform(0.5, 0.999), draw.choice([1, 2])
        settings = {"data": data, "row": row, "sigmaSys": sigma, "luminosity": luminosity, "cl": cl, "dof": dof}
        found = engine.answer(name, number, **settings)
        expected = python(cube, data, row, sigma, luminosity, threshold(cl, dof))
        assert found["status"] == expected.status[0], (name, cube.model, settings)
        assert ends(found["intervals"]) == pytest.approx(ends(expected.intervals[0]), rel=1e-9), (name, settings)
        bounds = np.atleast_1d(expected.bounds[0])
        if found["status"] == "ok":
            sides = (-1, 1) if len(bounds) == 2 else (1,)
            limits = [
                sign * math.inf if each is None else each for sign, each in zip(sides, found["limit"], strict=True)
            ]
            assert limits == pytest.approx(bounds, rel=1e-9)
        else:
            assert all(each is None for each in found["limit"]) or cube.interaction.strength.signed
        seen.add((found["status"], len(found["intervals"])))
    assert {("ok", 1), ("no_sensitivity", 1)} < seen


def test_it_finds_islands_and_data_that_exclude_the_standard_model(engine: Engine) -> None:
    settings = {"row": 20, "luminosity": 1, "cl": 0.9, "dof": 1}  # beta = 100 deg
    found = engine.answer("coherent-csi", 5, data="measured", sigmaSys=0.28, **settings)
    assert [round(each, 2) for each in ends(found["intervals"])] == [14.46, 16.83, 36.13, math.inf]
    python = fastscan.intervals("coherent-csi", "e6", beta=math.radians(100))
    assert ends(found["intervals"])[:3] == pytest.approx([*python[0], python[1][0]], rel=1e-9)
    lighter = engine.answer("coherent-csi", 5, data="measured", sigmaSys=0.1, **settings | {"luminosity": 3})
    assert (lighter["status"], lighter["limit"]) == ("sm_disfavoured", [None])


def test_its_infimum_is_python_s(cubes: dict[str, list[Cube]], engine: Engine) -> None:
    for cube, number in ((cubes["fig6"][5], 5), (cubes["coherent-csi"][0], 0)):
        columns, _ = cube.likelihood.columns(np.array([0]), {"sigma_sys": 0.05, "luminosity": 1})
        settings = {"data": "measured", "sigmaSys": 0.05, "luminosity": 1, "cl": 0.9, "dof": 1}
        lowest = engine.answer(cube.experiment, number, **settings)["lowest"]
        assert lowest == pytest.approx(infimum(columns, cube.interaction.strength.largest_x)[0], abs=1e-12)


def test_the_limits_of_table_3(engine: Engine, cubes: dict[str, list[Cube]]) -> None:
    """With each experiment's own sigma_sys, the script finds the command's limits."""
    for name in ("miner", "cr51-lxe-b"):
        own = float(cubes[name][0].likelihood.sigma_sys[0])
        settings = {"data": sliders.PREDICTED, "sigmaSys": own, "luminosity": 1, "cl": 0.9, "dof": 1}
        for number, model in enumerate(("chi", "eta", "psi", "lr", "lr-nc")):
            (found,) = engine.answer(name, number, **settings)["limit"]
            assert math.isclose(math.nan if found is None else found, fastscan.limit(name, model), rel_tol=1e-9) or (
                found is None and np.isnan(fastscan.limit(name, model))
            )


@pytest.mark.parametrize("dof", [1, 2])
def test_its_thresholds_are_quantiles(dof: int, engine: Engine) -> None:
    for cl in (0.01, 0.5, 0.6827, 0.9, 0.95, 0.9973, 0.999999, 1 - 1e-12):
        assert engine(f"threshold({cl!r}, {dof})") == pytest.approx(threshold(cl, dof), rel=1e-12)


def test_likelihoods_that_are_more_than_sums_are_refused(tmp_path: Path) -> None:
    grid = tmp_path / "counted.toml"
    grid.write_text(COUNTED)
    with pytest.raises(FastscanError, match="coherent-csi-2017/lr' has no sliders: they need Gaussian data"):
        sliders.numbers(plan(grid))


def test_models_that_share_no_strength_or_row_are_refused(cubes: dict[str, list[Cube]]) -> None:
    with pytest.raises(FastscanError, match="limits on one strength"):
        sliders.numbers([*cubes["b-l"], *cubes["nsi-ee-u"]])


def test_the_numbers_as_text_are_those_of_the_likelihood(cubes: dict[str, list[Cube]]) -> None:
    (cube,) = cubes["miner"][:1]
    text = sliders.told(sliders.numbers([cube]))
    rows = [[float(each) for each in line.partition(":")[2].split(",")] for line in text.splitlines()[-3:]]
    assert rows == [pytest.approx(row, rel=1e-8) for row in cube.likelihood.sums[0, 0].tolist()]


def test_tables_sort_numbers_as_numbers_and_what_is_missing_last(engine: Engine) -> None:
    values = [10, None, -2, 9, None]
    for sign, expected in ((1, [-2, 9, 10, None, None]), (-1, [10, 9, -2, None, None])):
        assert engine(f"{json.dumps(values)}.sort((a, b) => compared(a, b, {sign}))") == expected
    assert engine('["c", "b", null, "a"].sort((a, b) => compared(a, b, 1))') == ["a", "b", "c", None]


ROWS = [
    {"who": "A & B", "limit": 12.345, "change": -0.0123, "allowed": [(1.0, 2.0), (3.0, None)], "status": "ok"},
    {"who": "C", "limit": None, "change": None, "allowed": [(None, 0.5)], "status": "sm_disfavoured"},
    {"who": "D", "limit": -1e-12},
]
COLUMNS = [
    Column("who", "who"),
    Column("limit", "limit [GeV]", ".2f", "M_Z'", strong=True),
    Column("change", "change", "+.1%", "M_Z'", shaded=True),
    Column("allowed", "allowed", ".1f"),
    Column("status", "status"),
]


def small(**fields: Any) -> str:
    """A page with one section."""
    return page.html(
        Page(
            title="Limits on g'",
            lead=["All of it."],
            sections=[Section("one", "One", **fields)],
            run=Run("fastscan survey -o out", datetime(2026, 1, 2, tzinfo=UTC), digests={"a/b": "0123abcd"}),
            references={"arXiv:2002.01482": ["A", "B"], "A thesis": ["C"]},
            cite=["Cite it."],
            bibtex="@misc{x}",
        )
    )


def test_a_table_has_its_numbers_and_what_they_sort_by() -> None:
    html = small(tables=[Table("Limits at 90 % CL, 1 dof", COLUMNS, ROWS, notes=["A note."])])
    read = Reader(html)
    assert read.rows[:5] == [
        ["", "M_Z'".replace("_", "").replace("'", "\u2032"), ""],
        ["who", "limit [GeV]", "change", "allowed", "status"],
        ["A & B", "12.35", "\u22121.2\u202f%", "1.0 to 2.0; 3.0 to \u221e", "ok"],
        ["C", "\u2013", "\u2013", "\u2212\u221e to 0.5", "sm_disfavoured"],
        ["D", "0.00", "\u2013", "\u2013", "\u2013"],
    ]
    assert read.all("data-value") == ["12.345", "-0.0123", "-1e-12"]
    assert 'class="below2"' in html


def test_headings_name_one_thing_each_and_in_order() -> None:
    """For screen readers: one h1, no level is skipped, every picture has a description and every table a caption."""
    picture = Picture(b"<svg/>", "What it shows", ["A caption."])
    part = Section("part", "Part", pictures=[picture], tables=[Table("Its table", COLUMNS, ROWS)])
    read = Reader(small(parts=[part]))
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels[1:]))
    assert [each["alt"] for tag, each in read.elements if tag == "img"] == ["What it shows", ""]
    tags = [tag for tag, _ in read.elements]
    assert tags.count("caption") == 1
    assert {each.get("scope") for tag, each in read.elements if tag == "th"} == {"col", "colgroup", "row"}


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)] if len(colour) == 7 else [1.0, 1.0, 1.0]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_has_contrast_in_light_and_in_dark(scheme: int) -> None:
    """The contrast is at least 4.5 to 1, on paper and on every shade behind numbers."""
    rules = re.findall(r":root \{(.*?)\}", page.TEMPLATE.read_text(), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", rules[scheme]))
    behind = ["paper", "faint", *(name for name in colours if re.fullmatch("(above|below)\\d", name))]
    pairs = [("ink", each) for each in behind] + [(each, "paper") for each in ("soft", "link", "good")]
    pairs.append(("soft", "faint"))
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
