"""The prepared likelihood for samplers and minimisers, compared with chi2 at the same points and with a fit."""

import itertools
import math
import multiprocessing
import pickle
import re
import runpy
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import naive
import naive_poisson
import numba
import numpy as np
import pytest
from conftest import python, slow
from readmes import blocks

import fastscan
from fastscan import experiments, models
from fastscan.errors import FastscanError, FastscanWarning
from fastscan.experiments.experiment import Experiment
from fastscan.interactions.contact import CONTACT_GEV
from fastscan.limits.sampling import PreparedLikelihood
from fastscan.typing import Array

CSI, LAR, XENON = "coherent-csi-2021", "coherent-lar-2020-summed", "cr51-lxe-a"


def sharing(name: str) -> Experiment:
    """An experiment with Gaussian counts that shares the flux of the SNS."""
    return replace(experiments.load(name), shared=(("flux-sns", 0.1),))


GAUSSIAN_WITH_FLUX, ONE_BIN_WITH_FLUX = sharing("conus-plus-2025"), sharing("coherent-nai")
CASES: list[tuple[Any, str, dict[str, Any]]] = [
    ("conus", "chi", {}),
    ("conus-plus-2025", "lr", {"sigma_sys": 0.0, "luminosity": 10.0}),
    ("coherent-csi", "nsi-ee-u", {"asimov": True}),
    ("conus", "magnetic-e", {}),
    ("conus-plus-2025", "millicharge-e", {}),
    ("conus-plus-2025", "e6", {}),
    (XENON, "e6", {"sigma_sys": 0.1}),
    (["conus", XENON], "e6", {"sigma_sys": {"conus": 0.3}}),
    ("conus-plus-2025", "b-l", {"asimov": True}),
    (XENON, "lmu-ltau", {}),
    ("coherent-csi", "scalar-q14", {"luminosity": 3.0}),
    ("coherent-csi", "nsi-ee", {}),
    ("coherent-csi", "nsi-emu", {}),
    (XENON, "nsi-ee", {}),
    (CSI, "nsi-ee-u", {}),
    (CSI, "b-l", {}),
    (CSI, "b-l", {"m_zprime": 0.02}),
    ("coherent-csi-2021-electrons", "e6", {}),
    (CSI, "nsi-mumu", {"asimov": True, "luminosity": 4.0}),
    ([CSI, LAR], "lmu-ltau", {}),
    ([CSI, LAR, "conus"], "e6", {"independent": True}),
    ([GAUSSIAN_WITH_FLUX, CSI, "conus", ONE_BIN_WITH_FLUX], "b-l", {}),
    ([GAUSSIAN_WITH_FLUX, CSI, "conus", ONE_BIN_WITH_FLUX], "s2w", {}),
    ([GAUSSIAN_WITH_FLUX, ONE_BIN_WITH_FLUX], "e6", {}),
]
EXPONENTS = {"m_phi": (-5, 0), "g": (-6.5, -3.5), "mu": (0, 2.5)}
WIDTHS = {"eps": 1.0, "eps_u": 1.0, "eps_d": 1.0, "beta": 6.0, "q": 1.0, "shift": 0.1}


def told(case: tuple[Any, str, dict[str, Any]]) -> str:
    names, model, words = case
    listed = names if isinstance(names, list) else [names]
    return "-".join(["+".join(getattr(each, "name", each) for each in listed), model, *words])


def prepared(case: tuple[Any, str, dict[str, Any]]) -> PreparedLikelihood:
    names, model, words = case
    return fastscan.likelihood(names, model, **words)


def drawn(like: PreparedLikelihood, model: str, number: int, seed: int = 26) -> list[Array]:
    """Values of the free parameters at random points."""
    random = np.random.default_rng(seed)
    heavy = models.MODELS[model].strength.axis.name == "m_zprime"
    masses = (0.5, 4.0) if heavy else (-5, 1)
    return [
        random.uniform(-WIDTHS[name], WIDTHS[name], number)
        if name in WIDTHS
        else 10 ** random.uniform(*EXPONENTS.get(name, masses), number)
        for name in like.parameters
    ]


def points_of(values: list[Array]) -> Iterator[tuple[float, ...]]:
    return zip(*(each.tolist() for each in values), strict=True)


every_case = pytest.mark.parametrize("case", CASES, ids=told)


@every_case
def test_it_is_chi2(case: tuple[Any, str, dict[str, Any]]) -> None:
    """It takes points and arrays, by name and by position; ln L is minus half of chi2."""
    names, model, words = case
    like = prepared(case)
    values = drawn(like, model, 30)
    expected = fastscan.chi2(names, model, **words, **dict(zip(like.parameters, values, strict=True)))
    allowed = 1e-12 * np.maximum(1.0, np.abs(expected))
    one_by_one = np.array([like(*point) for point in points_of(values)])
    assert (np.abs(one_by_one - expected) <= allowed).all()
    assert (np.abs(like(*values) - expected) <= allowed).all()
    point = dict(zip(like.parameters, next(points_of(values)), strict=True))
    assert like(**point) == one_by_one[0]
    assert like.logl(**point) == -one_by_one[0] / 2
    assert isinstance(like(**point), float)


def difference(function: Callable[[float], float], at: float, step: float) -> float:
    """The central difference of eighth order, whose error in a smooth function is far below 1e-6."""
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    return sum(each * (function(at + n * step) - function(at - n * step)) for n, each in weights.items()) / step


@every_case
def test_gradient_is_that_of_differences(case: tuple[Any, str, dict[str, Any]]) -> None:
    like = prepared(case)
    for point in itertools.islice(points_of(drawn(like, case[1], 6, seed=1)), 6):
        found = like.gradient(*point)
        assert found.shape == (len(like.parameters),)
        for number, (slope, value) in enumerate(zip(found.tolist(), point, strict=True)):
            step = 0.01 if like.parameters[number] == "beta" else 2e-3 * abs(value)
            expected = difference(lambda each, n=number, at=point: like(*at[:n], each, *at[n + 1 :]), value, step)
            # what is left of chi2 after its last step of Newton's method makes a difference uncertain
            assert slope == pytest.approx(expected, rel=1e-6, abs=1e-10 * like(*point) / step)


def test_gradient_of_arrays_has_the_parameters_last() -> None:
    like = fastscan.likelihood("conus", "b-l")
    masses, g = np.array([0.001, 0.01]), np.array([[1e-6], [1e-5], [2e-5]])
    found = like.gradient(m_zprime=masses, g=g)
    assert found.shape == (3, 2, 2)
    assert (found[2, 1] == like.gradient(0.01, 2e-5)).all()


def test_it_is_the_chi2_of_the_reference_calculation() -> None:
    """The reference uses nested quadrature and a minimiser, for heavy and light mediators and counted events."""
    heavy = fastscan.likelihood("coherent-csi", "e6")
    assert heavy(beta=1.0, m_zprime=150.0) == pytest.approx(naive.chi2("coherent-csi", "e6", 150.0, 1.0), rel=1e-8)
    new = naive.vector("b-l", 10.0, 3e-5)
    standard, excess = (sum(naive.counts("coherent-csi", each).values()) for each in (naive.STANDARD, new))
    expected = naive.chi2_of_counts("coherent-csi", standard, excess - standard)
    assert fastscan.likelihood("coherent-csi", "b-l")(0.01, 3e-5) == pytest.approx(expected, rel=1e-7)
    expected = naive_poisson.chi2(naive_poisson.MEASURED[CSI](), new)
    assert fastscan.likelihood(CSI, "b-l")(0.01, 3e-5) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("independent", [False, True])
def test_pulls_are_those_of_a_fit(independent: bool) -> None:
    names = [ONE_BIN_WITH_FLUX, CSI, "conus"]
    like = fastscan.likelihood(names, "b-l", m_zprime=0.01, independent=independent)
    for g, pulls in zip((1e-5, 2e-5), zip(*like.pulls(g=[1e-5, 2e-5]).values(), strict=True), strict=True):
        fitted = fastscan.fit(names, "b-l", m_zprime=0.01, g=g, independent=independent).nuisances
        found = dict(zip(like.pulls(g), pulls, strict=True))
        assert found == {
            each.name if each.name == "flux-sns" else f"{each.experiments[0]}: {each.name}": each.value
            for each in fitted
        }
        assert found == like.pulls(g)
    assert ("flux-sns" in like.pulls(1e-5)) is not independent
    assert [*fastscan.likelihood(CSI, "s2w").pulls(0.01)] == ["signal", "ss", "brn", "nin"]


def test_pulls_at_another_luminosity() -> None:
    """One bin with the variance v and an error that grows with the counts: the best z in closed form."""
    like = fastscan.likelihood("conus", "chi", luminosity=10.0)
    ((sigma,),) = [like.pulls(300.0).values()]
    rows = fastscan.limits.points.prepare("conus", "chi", {})  # type: ignore[attr-defined]
    noise, variance = rows.likelihood.settings({"luminosity": 10.0}).noise_and_variance(rows.likelihood.spread)
    counts = experiments.load("conus").statistics.counts(  # type: ignore[union-attr]
        fastscan.show("conus").signal.ravel(), experiments.load("conus").exposed
    )
    model = fastscan.events("conus", "chi", m_zprime=300.0) + counts.background
    width = math.sqrt(variance[0]) * model
    within = counts.variance * noise[0]
    assert sigma == pytest.approx(float((width * (counts.data - model) / (within + width**2)).item()), rel=1e-10)


def in_a_process(like: PreparedLikelihood, point: tuple[float, ...]) -> tuple[float, list[float]]:
    return like(*point), like.gradient(*point).tolist()


def test_a_worker_process_computes_the_same_bits() -> None:
    likes = [
        fastscan.likelihood("conus", "chi"),
        fastscan.likelihood("conus", "e6"),
        fastscan.likelihood([CSI, GAUSSIAN_WITH_FLUX], "b-l"),
    ]
    points = [(300.0,), (1.0, 300.0), (0.01, 1e-5)]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        there = list(pool.map(in_a_process, likes, points))
    assert there == [in_a_process(like, point) for like, point in zip(likes, points, strict=True)]


def test_a_likelihood_whose_code_was_compiled_can_be_pickled() -> None:
    like = fastscan.likelihood("conus", "chi")
    like.njit(300.0)
    again = pickle.loads(pickle.dumps(like))
    assert again.njit(300.0) == like.njit(300.0)
    assert again.parameters == ("m_zprime",)


def test_gaussian_counts_need_no_compiler() -> None:
    """Their gradient and pulls at one point or a few don't need one either."""
    program = (
        "import sys, fastscan\n"
        "like = fastscan.likelihood(['conus', 'coherent-csi'], 'b-l')\n"
        "like(0.01, 1e-5), like([0.01, 0.02], 1e-5), like.gradient(0.01, 1e-5), like.pulls(0.01, 1e-5)\n"
        "print('numba' in sys.modules)"
    )
    assert python(program) == "False\n"


COMPILED = [
    ("conus", "chi", {}),
    slow(("conus-plus-2025", "e6", {})),
    (CSI, "b-l", {"m_zprime": 0.02}),
    slow(("conus", "b-l", {"g": 1e-5})),
    slow(([GAUSSIAN_WITH_FLUX, CSI, "conus", ONE_BIN_WITH_FLUX], "lmu-ltau", {})),
    slow(([GAUSSIAN_WITH_FLUX, ONE_BIN_WITH_FLUX], "nsi-ee", {})),
]


@pytest.mark.parametrize("case", COMPILED, ids=told)
def test_compiled_code_can_call_it(case: tuple[Any, str, dict[str, Any]]) -> None:
    like = prepared(case)
    chi2 = like.njit

    if len(like.parameters) == 1:

        @numba.njit
        def total(points: Array) -> float:
            found = 0.0
            for point in points:
                found += chi2(point[0])
            return found

    else:

        @numba.njit
        def total(points: Array) -> float:
            found = 0.0
            for point in points:
                found += chi2(point[0], point[1])
            return found

    values = drawn(like, case[1], 5)
    expected = sum(like(*point) for point in points_of(values))
    assert total(np.array(values).T) == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_compiled_code_has_no_mediator_of_less_than_an_electronvolt() -> None:
    like = fastscan.likelihood("conus", "b-l")
    assert math.isnan(like.njit(0.9e-9, 1e-5))
    assert like.njit(1, 1e-5) == pytest.approx(like(1, 1e-5), rel=1e-12)


@pytest.mark.parametrize("mass", [0.0, 1e-12, 0.99e-9, 1.01e-9])
def test_mediators_of_hardly_any_mass(mass: float) -> None:
    """Their recoils count if their probability isn't negligible, as in `chi2`."""
    like = fastscan.likelihood("conus-plus-2025", "b-l")
    expected = fastscan.chi2("conus-plus-2025", "b-l", m_zprime=mass, g=1e-6)
    assert like(mass, 1e-6) == pytest.approx(expected, rel=1e-12)
    both = fastscan.chi2("conus-plus-2025", "b-l", m_zprime=[mass, 0.01], g=1e-6)
    assert like([mass, 0.01], 1e-6) == pytest.approx(both, rel=1e-12)
    along_g = difference(lambda g: like(mass, g), 1e-6, 1e-9)
    assert like.gradient(mass, 1e-6) == pytest.approx([0.0, along_g], rel=1e-6, abs=1e-3)
    with pytest.raises(FastscanError, match="recoils of any small energy"):
        fastscan.likelihood(XENON, "b-l")(0.0, 1e-6)


LIKE = fastscan.likelihood("conus", "b-l")


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: LIKE(0.01), "model 'b-l' needs g, the coupling of the mediator"),
        (lambda: LIKE(), "model 'b-l' needs m_zprime, the mass of the Z'"),
        (lambda: LIKE(0.01, 1e-5, 1.0), "the free parameters are m_zprime, g, not 3 values"),
        (lambda: LIKE(0.01, 1e-5, g=1e-5), "g is given twice, by name and by position in the order m_zprime, g"),
        (lambda: LIKE.logl(m_zprime=0.01, gg=1e-5), "model 'b-l' has no gg; it has m_zprime, g"),
        (lambda: LIKE(0.01, -1e-5), "g must be zero or positive, at most 1e\\+06, not -1e-05"),
        (lambda: LIKE.gradient(0.01, math.nan), "g must be zero or positive, at most 1e\\+06, not nan"),
        (lambda: LIKE.pulls("light", 1e-5), "m_zprime must be a number or an array of numbers, not 'light'"),
        (lambda: LIKE([0.01, 0.02], [1e-5] * 3), r"shapes that do not broadcast: m_zprime \(2,\), g \(3,\)"),
        (
            lambda: fastscan.likelihood("conus", "b-l", g=1e-5)(0.01, g=1e-5),
            "g is fixed at 1e-05: leave it out",
        ),
        (lambda: fastscan.likelihood("conus", "b-l", g=[1e-5]), "g is fixed, and must be a scalar"),
        (lambda: fastscan.likelihood("conus", "b-l", g=-1.0), "g must be zero or positive"),
        (lambda: fastscan.likelihood("conus", "b-l", beta=0.1), "model 'b-l' has no beta; only 'e6' has"),
        (lambda: fastscan.likelihood("conus", "b-l", sigma_sys=[0.1, 0.2]), "sigma_sys and luminosity must be scalars"),
        (lambda: fastscan.likelihood("conuss", "b-l"), "unknown experiment 'conuss'; did you mean 'conus'?"),
        (lambda: fastscan.likelihood(CSI, "b-l", luminosity=2.0), "luminosity must be 1 for the counted data"),
    ],
)
def test_what_is_wrong_is_one_line(call: Callable[[], object], problem: str) -> None:
    with pytest.raises(FastscanError, match=problem) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_what_is_doubtful_is_said() -> None:
    like = fastscan.likelihood("coherent-csi", "chi")
    for doubtful in (0.5 * CONTACT_GEV, [0.5, 100.0]):
        with pytest.warns(FastscanWarning, match="the contact form ends"):
            like(doubtful)
    with pytest.warns(FastscanWarning, match="the contact form ends"):
        fastscan.likelihood("coherent-csi", "e6", m_zprime=0.5)
    with pytest.warns(FastscanWarning, match="sigma_sys of conus is above 1"):
        fastscan.likelihood("conus", "chi", sigma_sys=5.0)


def test_fixed_parameters_are_left_out() -> None:
    free = fastscan.likelihood("conus", "b-l")
    assert fastscan.likelihood("conus", "b-l", g=1e-5)(0.01) == pytest.approx(free(0.01, 1e-5), rel=1e-13)
    assert fastscan.likelihood("conus", "b-l", g=1e-5).gradient(0.01) == pytest.approx(free.gradient(0.01, 1e-5)[:1])
    along_g = fastscan.likelihood("conus", "b-l", m_zprime=0.01)
    assert along_g.parameters == ("g",)
    assert along_g.fixed == {"m_zprime": 0.01}
    assert along_g.gradient(1e-5) == pytest.approx(free.gradient(0.01, 1e-5)[1:])
    point = fastscan.likelihood("conus", "b-l", m_zprime=0.01, g=1e-5)
    assert point.parameters == ()
    assert point() == point.njit() == pytest.approx(free(0.01, 1e-5), rel=1e-13)


def test_strengths_are_powers() -> None:
    """Single numbers are converted to x by this power."""
    for model in models.MODELS.values():
        strength = model.strength
        values = np.array([0.3, 1.0, 250.0])
        assert (values / strength.unit) ** strength.power == pytest.approx(strength.to_x(values), rel=1e-15)


@pytest.mark.parametrize("library", ["iminuit", "emcee"])
def test_the_manuals_examples_print_what_they_say(
    library: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = [each for each in blocks("grids/manual.md", "python") if f"import {library}" in each]
    (tmp_path / "example.py").write_text(block)
    runpy.run_path(str(tmp_path / "example.py"))
    said = re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE)
    assert said
    assert capsys.readouterr().out.splitlines() == said
