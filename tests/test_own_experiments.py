"""What an experiment of a user's own can have and none of the package's has, beside the naive calculation."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import naive
import pytest
from conftest import Write, angles, luminosities, sigmas
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscan
from fastscan.experiments import Helm
from fastscan.experiments import catalogue as experiments

SCALES, EFFICIENCY, STATISTICS = "background_scales = true", "efficiency = 0.5\n", "[statistics]"
FIXED, LARGE = "background_scales = false", ("background = 0.05", "background = 0.3")
BINS = ('bins = { start = 0, stop = 0.6, num = 3, unit = "keV" }\n', (0.0, 0.2, 0.4, 0.6))
# What replaces what in connie's file, and what that is in its naive row.
OWN = {
    "fixed": (((SCALES, FIXED), LARGE), {"background_scales": False, "background": 0.3}),
    "efficient": (((EFFICIENCY, ""),), {"efficiency": 1.0}),
    "binned": (((STATISTICS, BINS[0] + STATISTICS),), {"bins_kev": BINS[1]}),
    "binned-fixed": (
        ((STATISTICS, BINS[0] + STATISTICS), (SCALES, FIXED), LARGE),
        {"bins_kev": BINS[1], "background_scales": False, "background": 0.3},
    ),
}


@pytest.fixture(scope="module", params=OWN)
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A file, and the name of its naive row."""
    replaced, row = OWN[request.param]
    text = (experiments.BUILT_IN / "connie.toml").read_text()
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("own") / f"{request.param}.toml"
    path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(naive.EXPERIMENTS, request.param, naive.EXPERIMENTS["connie"]._replace(**row))
        yield path, request.param


def test_its_events(own: tuple[Path, str]) -> None:
    path, name = own
    for mass in (100.0, 400.0, math.inf):
        expected = naive.events(name, "chi", mass, luminosity=3.0)
        assert fastscan.events(path, "chi", m_zprime=mass, luminosity=3.0) == pytest.approx(expected, rel=1e-8, abs=0)


@given(st.sampled_from(["chi", "lr", "e6"]), angles, st.floats(20.0, 2000.0), sigmas, luminosities)
@settings(max_examples=50)
def test_its_chi2(own: tuple[Path, str], model: str, beta: float, mass: float, sigma: float, lam: float) -> None:
    path, name = own
    angle = beta if model == "e6" else None
    ours = fastscan.chi2(path, model, m_zprime=mass, beta=angle, sigma_sys=sigma, luminosity=lam)
    lost = 1e-15 * lam * naive.events(name, model, math.inf, angle)
    theirs = naive.chi2(name, model, mass, angle, sigma, lam)
    assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-10 + lost)


def test_its_limit(own: tuple[Path, str]) -> None:
    path, name = own
    assert fastscan.limit(path, "chi") == pytest.approx(naive.limit([name], "chi"), rel=1e-6)


def test_a_cylinder_with_a_mass(write: Write) -> None:
    """Of half the density: the same distance from the source, half the electrons."""
    text = (experiments.BUILT_IN / "cr51-lxe-a.toml").read_text()
    litres = math.pi * naive.XENON_RADIUS**2 * naive.XENON_HEIGHT / 1000
    assert 'density = "2.94 g/cm3"' in text
    path = write("half.toml", text.replace('density = "2.94 g/cm3"', f'mass = "{1.47 * litres} kg"'))
    for mass in (300.0, math.inf):
        expected = naive.events("cr51-lxe-a", "chi", mass) / 2
        assert fastscan.events(path, "chi", m_zprime=mass) == pytest.approx(expected, rel=1e-8, abs=0)


# What stands in coherent-ge's file for its compound, and what that is in its naive row.
TARGETS = {
    "hydrocarbon": ('compound = "C9H12"', {"target": (((("C", 9), ("H", 12)), 15.0),)}),
    "named dopant": ('compound = "CsI(Tl)"', {"target": ((naive.CSI, 15.0),)}),
    "enriched": (
        'compound = "Ge"\nabundances = { Ge76 = 0.92, Ge74 = 0.08 }',
        {"abundances": (("Ge", 76, 0.92), ("Ge", 74, 0.08))},
    ),
    "doped": (
        'compound = "NaI"\ndopants = { Tl = 0.01 }',
        {"target": ((naive.NAI, 15.0),), "dopants": (("Tl", 0.01),)},
    ),
    "enriched dopant": (
        'compound = "Ar"\ndopants = { Xe = 0.1 }\nabundances = { Xe136 = 1 }',
        {"target": ((naive.AR, 15.0),), "dopants": (("Xe", 0.1),), "abundances": (("Xe", 136, 1.0),)},
    ),
    "helm": ('compound = "Ge"\nform_factor = "helm"', {"distribution": "helm"}),
    "helm with radii": (
        'compound = "CsI"\nform_factor = { kind = "helm", radii = { Cs = "5.01 fm", I = "4.94 fm" } }',
        {"target": ((naive.CSI, 15.0),), "distribution": "helm", "rms_fm": ((55, 5.01), (53, 4.94))},
    ),
    "klein-nystrand": ('compound = "Ge"\nform_factor = "klein-nystrand"', {"distribution": "klein-nystrand"}),
    "klein-nystrand with a radius": (
        'compound = "Ar"\nform_factor = { kind = "klein-nystrand", radii = { Ar = "3.448 fm" } }',
        {"target": ((naive.AR, 15.0),), "distribution": "klein-nystrand", "rms_fm": ((18, 3.448),)},
    ),
}


@pytest.mark.parametrize("name", TARGETS)
def test_events_of_any_target(name: str, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, row = TARGETS[name]
    text = (experiments.BUILT_IN / "coherent-ge.toml").read_text()
    assert 'compound = "Ge"' in text
    path = write("target.toml", text.replace('compound = "Ge"', lines))
    monkeypatch.setitem(naive.EXPERIMENTS, name, naive.EXPERIMENTS["coherent-ge"]._replace(**row))
    for mass in (200.0, math.inf):
        expected = naive.events(name, "chi", mass)
        assert fastscan.events(path, "chi", m_zprime=mass) == pytest.approx(expected, rel=1e-8, abs=0)


def test_several_targets_add_up(write: Write) -> None:
    text = (experiments.BUILT_IN / "coherent-ge.toml").read_text()
    both = 'compound = "Ne"\nmass = "0.9 kg"\n\n[[target]]\ncompound = "CH4"\nmass = "0.1 kg"'
    parts = [both, *(part.removeprefix("[[target]]\n") for part in both.split("\n\n"))]
    single = 'compound = "Ge"\nmass = "15 kg"'
    assert single in text
    paths = [write(f"{n}.toml", text.replace(single, part)) for n, part in enumerate(parts)]
    sum_of_both, neon, methane = (fastscan.events(path, "chi", m_zprime=math.inf) for path in paths)
    assert sum_of_both == pytest.approx(neon + methane, rel=1e-12)


def test_a_target_made_in_python_is_that_of_a_file(write: Write) -> None:
    text = (experiments.BUILT_IN / "conus.toml").read_text()
    enriched = 'compound = "Ge"\nabundances = { Ge76 = 1 }\nform_factor = "helm"'
    from_file = experiments.load(write("mine.toml", text.replace('compound = "Ge"', enriched)))
    (natural,) = experiments.load("conus").targets
    assert from_file.targets == (replace(natural, abundances=(("Ge76", 1.0),), form_factor=Helm()),)


def test_the_commented_example_of_a_detector_works() -> None:
    limit = fastscan.limit(Path(fastscan.__file__).parent / "grids/experiments/my-detector.toml", "chi")
    assert 100 < limit < 1000
