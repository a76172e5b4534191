"""Features that only users' own experiments have, compared with the naive calculation."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import naive
import pytest
from conftest import Write, angles, luminosities, require_refused, sigmas
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscan
from fastscan.errors import ExperimentError
from fastscan.experiments import Helm
from fastscan.experiments import catalogue as experiments
from fastscan.likelihoods.response import response

SCALES, EFFICIENCY, STATISTICS = "background_scales = true", "efficiency = 0.5\n", "[statistics]"
FIXED, LARGE = "background_scales = false", ("background = 0.05", "background = 0.3")
BINS = ('bins = { start = 0, stop = 0.6, num = 3, unit = "keV" }\n', (0.0, 0.2, 0.4, 0.6))
# Replacements in connie's file: old text, new text, and the same in its naive row.
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
    """With half the density, it has the same distance from the source and half the electrons."""
    text = (experiments.BUILT_IN / "cr51-lxe-a.toml").read_text()
    litres = math.pi * naive.XENON_RADIUS**2 * naive.XENON_HEIGHT / 1000
    assert 'density = "2.94 g/cm3"' in text
    path = write("half.toml", text.replace('density = "2.94 g/cm3"', f'mass = "{1.47 * litres} kg"'))
    for mass in (300.0, math.inf):
        expected = naive.events("cr51-lxe-a", "chi", mass) / 2
        assert fastscan.events(path, "chi", m_zprime=mass) == pytest.approx(expected, rel=1e-8, abs=0)


# Replacements of the compound in coherent-ge's file, and the same in its naive row.
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


# --- A table of an efficiency, which is unknown below its first energy ---

CONUS = (experiments.BUILT_IN / "conus.toml").read_text()
THRESHOLD, HALF, ONE_BIN = 'threshold = "100 eV"', "efficiency = 0.5", "[statistics]"
TABLE = 'efficiency = {{ shape = "table", unit = "keV", energy = {}, values = [0.2, 0.5, 0.9, 0.9]{} }}'


def tabulated(threshold: str, below: str = "", energies: str = "[1.0, 1.5, 2.0, 5.0]", bins: str = "") -> str:
    text = CONUS
    for old, new in {THRESHOLD: threshold, HALF: TABLE.format(energies, below), ONE_BIN: bins + ONE_BIN}.items():
        assert old in text
        text = text.replace(old, new)
    return text


def events(path: Path) -> float:
    return float(fastscan.events(path, "chi", m_zprime=math.inf))


@pytest.mark.parametrize("threshold", ["", 'threshold = "999 eV"'])
def test_a_table_needs_a_threshold_from_its_first_energy_on_or_to_say_what_is_below(
    threshold: str, write: Write
) -> None:
    told = (
        "says nothing below its first energy, 1 keV, where its first value held once: give a threshold there or above"
    )
    require_refused(experiments.load, write("mine.toml", tabulated(threshold)), rf"\[detector\]: efficiency: .*{told}")
    detector = experiments.load(write("right.toml", tabulated('threshold = "1000 eV"'))).detector
    with pytest.raises(ExperimentError, match=told):  # a family made in Python
        replace(detector, edges=(0.0, math.inf))


def test_a_table_with_a_threshold_or_with_zero_below_counts_the_same(write: Write) -> None:
    from_threshold = events(write("one.toml", tabulated('threshold = "1 keV"')))
    assert from_threshold == pytest.approx(462.5, abs=0.1)
    for text in (tabulated("", ", below = 0"), tabulated('threshold = "1 eV"', ", below = 0")):
        assert events(write("two.toml", text)) == pytest.approx(from_threshold, rel=1e-9, abs=0)
    higher = (tabulated('threshold = "1.2 keV"', below) for below in ("", ", below = 0"))
    one, two = (events(write("higher.toml", text)) for text in higher)
    assert one == two < from_threshold


def test_zero_below_a_table_is_a_step_inside_a_bin(write: Write) -> None:
    """The bins end at 0.7, 1.4, ... keV; the table begins in the second."""
    bins = 'bins = { start = 0, stop = 2.8, num = 4, unit = "keV" }\n'
    binned = response(experiments.load(write("binned.toml", tabulated("", ", below = 0", bins=bins)))).total
    cut = response(experiments.load(write("cut.toml", tabulated('threshold = "1 keV"', bins=bins)))).total
    assert (binned[0] == 0).all()
    assert binned == pytest.approx(cut, rel=1e-9, abs=0)


def test_below_a_table_another_number_than_zero_is_told(write: Write) -> None:
    told = "below: must be 0; for another efficiency let the table begin at a lower energy"
    require_refused(experiments.load, write("mine.toml", tabulated("", ", below = 0.1")), told)


def test_with_photoelectrons_the_first_edge_is_the_threshold_of_a_table(write: Write) -> None:
    """There is one photoelectron per keV."""
    acceptance = "photoelectrons_per_kev = 1\nacceptance = {{ edges = [{}, 9], values = [1] }}"
    with_edge = events(write("edge.toml", tabulated(acceptance.format(1))))
    assert with_edge == pytest.approx(events(write("plain.toml", tabulated('threshold = "1 keV"'))), rel=1e-9, abs=0)
    require_refused(experiments.load, write("low.toml", tabulated(acceptance.format(0.5))), "says nothing below")
    below = events(write("below.toml", tabulated(acceptance.format(0.5), ", below = 0")))
    assert below == pytest.approx(with_edge, rel=1e-9, abs=0)
