import math
from dataclasses import replace

import naive
import numpy as np
import pytest
from conftest import Write
from scipy.integrate import dblquad

from fastscan import experiments
from fastscan.errors import ExperimentError
from fastscan.experiments import Cylinder, Experiment, Point, Reactor
from fastscan.interactions.standard_model import couplings, features
from fastscan.likelihoods.response import response
from fastscan.physics.spectra import Continuum, Line


def test_each_flavour_has_the_same_fluence() -> None:
    spectra = experiments.load("coherent-csi").spectra()
    fluences = [spectrum.total for spectrum in spectra]
    assert fluences == pytest.approx([naive.fluence("coherent-csi")] * 3, rel=1e-13)


def test_a_longer_exposure_is_at_the_same_rate() -> None:
    experiment = experiments.load("coherent-csi")
    once, twice = (replace(experiment, exposure_s=days * 86400.0).spectra()[0].total for days in (100, 200))
    assert twice == pytest.approx(2 * once, rel=1e-15)


@pytest.mark.parametrize("name", ["conus", "miner", "cr51-lxe-a"])
def test_fluences_equal_the_naive_ones(name: str) -> None:
    experiment = experiments.load(name)
    if name == "cr51-lxe-a":
        high, low = (spectrum.total for spectrum in experiment.spectra())
        assert high == pytest.approx(9 * low, rel=1e-15)
    else:
        (spectrum,) = experiment.spectra()
        assert isinstance(spectrum, Continuum)
        at = np.array([0.01, 0.3, 1.99, 2.0, 5.0, 9.0])
        shape = [naive.spectrum(naive.EXPERIMENTS[name].source, energy) for energy in at]
        assert spectrum.density(at) / spectrum.density(at)[1] == pytest.approx(
            np.array(shape) / shape[1], rel=1e-12, abs=0
        )


def test_the_mean_inverse_square_of_a_cylinder() -> None:
    """Against the integral over its volume, and a thin disc and a far detector as limits."""
    tank = experiments.load("cr51-lxe-a").geometry
    assert isinstance(tank, Cylinder)
    volume = dblquad(lambda r, z: 2 * np.pi * r / (r**2 + z**2), 1.0, 2.38, 0, 0.69)[0]
    assert tank.mean_inverse_square() == pytest.approx(volume / tank.volume_m3, rel=1e-10)
    far = Cylinder(height_m=0.01, diameter_m=0.01, distance_m=100.0)
    assert far.mean_inverse_square() == pytest.approx(Point(100.005).mean_inverse_square(), rel=1e-6)


def test_a_source_decays_while_it_is_measured() -> None:
    experiment = experiments.load("cr51-lxe-a")
    first = replace(experiment, exposure_s=27.7025 * 86400).spectra()[0].total
    all_of_it = replace(experiment, exposure_s=1e12).spectra()[0].total
    assert first == pytest.approx(all_of_it / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "neutrinos"),
    [
        ("coherent-lar", ["nu_mu", "nu_e", "nubar_mu"]),
        ("miner", ["nubar_e"]),
        ("cr51-lxe-b", ["nu_e", "nu_e"]),
    ],
)
def test_a_source_says_which_neutrinos_it_emits(name: str, neutrinos: list[str]) -> None:
    assert [spectrum.neutrino for spectrum in experiments.load(name).spectra()] == neutrinos


SECONDS = 100 * naive.DAY
FUEL = {"U235": 0.58, "U238": 0.07, "Pu239": 0.30, "Pu241": 0.05}
FRACTIONS = "fission_fractions = { U235 = 0.58, U238 = 0.07, Pu239 = 0.30, Pu241 = 0.05 }"
ALUMINIUM = """
title = "A kg of aluminium"
channel = "cevns"
references = ["none"]
exposure = "100 d"
{place}
[[target]]
compound = "Al"
mass = "1 kg"
[source]
{source}
[detector]
threshold = "{threshold}"
[statistics]
kind = "projection"
sigma_sys = 0.05
"""


@pytest.fixture
def aluminium(write: Write):
    """An experiment with a kg of aluminium in front of a source."""

    def described(source: str, threshold: str = "4 keV", place: str = "") -> Experiment:
        text = ALUMINIUM.format(source=source, threshold=threshold, place=place)
        return experiments.load(write("aluminium.toml", text))

    return described


def counted(experiment: Experiment) -> dict[str, float]:
    """The Standard Model's events of each neutrino."""
    found = response(experiment)
    events = (found.by_neutrino @ features(couplings("cevns")[0])).sum(axis=1)
    return dict(zip(found.neutrinos, map(float, events), strict=True))


def naively(source: naive.Neutrinos, number: float, threshold_kev: float) -> float:
    """Naive events of a kg of aluminium, for a multiple of a source's neutrinos."""
    (isotope,) = naive.isotopes("Al")
    nuclei = [(isotope, 1000 / isotope.atomic_mass * naive.AVOGADRO)]
    chain = naive.Chain(lambda recoil, _: recoil, (threshold_kev, math.inf))
    name = f"other {len(naive.OTHERS)}"  # the reference caches the spectrum of each name
    naive.OTHERS[name] = source
    return float(naive.chained_events(name, number, nuclei, naive.sm_couplings("cevns"), chain)[0])


# Thresholds in keV above which there is little of a table with many lines.
THRESHOLDS = {"mueller-vogel-engel": 0.05, "vogel-engel": 0.05, "kopeikin-mueller": 0.05, "bestiole": 8.0}


@pytest.mark.parametrize("spectrum", THRESHOLDS)
def test_a_reactor_by_its_flux_counts_as_the_naive_calculation(spectrum: str, aluminium) -> None:
    threshold = THRESHOLDS[spectrum]
    experiment = aluminium(
        f'kind = "reactor"\nflux = "2e13 /cm2/s"\nspectrum = "{spectrum}"\n{FRACTIONS}', f"{threshold} keV"
    )
    theirs = naively(naive.reactor(spectrum, FUEL, area=1.0), 2e13 * SECONDS, threshold)
    assert counted(experiment) == pytest.approx({"nubar_e": theirs}, rel=1e-8)


@pytest.mark.parametrize("spectrum", ["mueller-vogel-engel", "vogel-engel", "bestiole"])
def test_cores_with_a_duty_factor_count_as_the_naive_calculation(spectrum: str, aluminium) -> None:
    threshold = THRESHOLDS[spectrum]
    cores = 'cores = [{ power = "4.25 GW", baseline = "72 m" }, { power = "4 GW", baseline = "102 m" }]'
    experiment = aluminium(
        f'kind = "reactor"\n{cores}\nduty_factor = 0.9\nspectrum = "{spectrum}"\n{FRACTIONS}', f"{threshold} keV"
    )
    energy = sum(part * naive.FISSION_ENERGY[fuel] for fuel, part in FUEL.items()) * naive.JOULE_PER_MEV
    fissions = sum(
        power / energy / (4 * math.pi * centimetres**2) for power, centimetres in ((4.25e9, 7200), (4e9, 10200))
    )
    theirs = naively(naive.reactor(spectrum, FUEL), 0.9 * SECONDS * fissions, threshold)
    assert counted(experiment) == pytest.approx({"nubar_e": theirs}, rel=1e-8)


def test_one_core_is_a_reactor_at_its_baseline(aluminium) -> None:
    alone = aluminium(f'kind = "reactor"\npower = "3 GW"\n{FRACTIONS}', place='baseline = "20 m"')
    core = aluminium(f'kind = "reactor"\ncores = [{{ power = "3 GW", baseline = "20 m" }}]\n{FRACTIONS}')
    assert alone.geometry == Point(20.0)
    assert core.geometry is None
    assert counted(core) == counted(alone)


def test_a_reactor_says_how_its_strength_was_given(aluminium) -> None:
    source = aluminium(f'kind = "reactor"\nflux = "2e13 /cm2/s"\n{FRACTIONS}').source
    assert (source.flux, source.power_w, source.cores, source.evaluation) == (2e13, None, (), "mueller-vogel-engel")


# Thresholds in keV that only the highest energies of each component pass, where its table has few lines.
SUN = {"pp": 0.0, "7Be": 0.0, "pep": 0.0, "13N": 0.08, "15O": 0.2, "17F": 0.2, "8B": 19.0, "hep": 25.0}


@pytest.mark.parametrize("component", SUN)
def test_the_sun_counts_as_the_naive_calculation(component: str, aluminium) -> None:
    source = f'kind = "sun"\ncomponents = ["{component}"]\nfluxes = {{ {component} = "3e9 /cm2/s" }}\nsurvival = 1'
    experiment = aluminium(source, threshold=f"{SUN[component] or 1e-6} keV")
    theirs = naively(naive.solar(component), 3e9 * SECONDS, SUN[component] or 1e-6)
    assert counted(experiment) == pytest.approx({"nu_e": theirs}, rel=1e-8)


def test_neutrinos_of_the_sun_arrive_in_three_flavours(aluminium) -> None:
    """With probabilities by energy, of a line and of a spectrum."""
    table = '{ unit = "keV", energy = [300, 1150, 2000], values = [0.6, 0.5, 0.4] }'
    source = f'kind = "sun"\ncomponents = ["13N", "7Be"]\nsurvival = {{ 13N = {table}, 7Be = 0.55 }}\nnu_mu_share = 0.4'
    found = counted(aluminium(source, threshold="0.06 keV"))
    survived = naive.solar(
        "13N", lambda energy: float(np.interp(energy, (0.3, 1.15, 2.0), (0.6, 0.5, 0.4))), (0.3, 1.15)
    )
    nitrogen = naively(naive.solar("13N"), 2.78e8 * SECONDS, 0.06)
    beryllium = naively(naive.solar("7Be"), 4.93e9 * SECONDS, 0.06)
    nu_e = naively(survived, 2.78e8 * SECONDS, 0.06)
    rest = nitrogen - nu_e + 0.45 * beryllium
    assert found == pytest.approx(
        {"nu_e": nu_e + 0.55 * beryllium, "nu_mu": 0.4 * rest, "nu_tau": 0.6 * rest}, rel=1e-8
    )


def test_all_the_sun_has_the_fluxes_of_the_model(aluminium) -> None:
    whole = aluminium(f'kind = "sun"\ncomponents = {list(SUN)}\nsurvival = 0.5', threshold="1 eV")
    total = 5.98e10 + 1.44e8 + 7.98e3 + 4.93e9 + 5.46e6 + 2.78e8 + 2.05e8 + 5.29e6
    assert sum(spectrum.total for spectrum in whole.spectra()) == pytest.approx(total * SECONDS, rel=1e-12)


TABLE = "energy,nu_mu,nubar_e\n5000,0,0\n9000,3,1\n12000,1,2.5\n15000,0,0\n"
ENERGIES = (5.0, 9.0, 12.0, 15.0)
MU, E_BAR = (0.0, 3000.0, 1000.0, 0.0), (0.0, 1000.0, 2500.0, 0.0)  # per MeV


def test_a_file_and_lines_count_as_the_naive_calculation(aluminium, write: Write) -> None:
    write("flux.csv", TABLE)
    lines = 'lines = [{ neutrino = "nu_tau", energy = "12.5 MeV", flux = "700 /cm2/s" }]'
    found = counted(aluminium(f'kind = "table"\nfile = "flux.csv"\nunit = "keV"\n{lines}'))
    assert found == pytest.approx(
        {
            "nu_mu": naively(naive.linear(ENERGIES, MU), SECONDS, 4.0),
            "nubar_e": naively(naive.linear(ENERGIES, E_BAR), SECONDS, 4.0),
            "nu_tau": naively(naive.Neutrinos(lines=((12.5, 1.0),)), 700 * SECONDS, 4.0),
        },
        rel=1e-8,
    )


def test_a_flux_is_shared_by_lines_and_a_file(aluminium, write: Write) -> None:
    write("flux.csv", TABLE)
    lines = 'lines = [{ neutrino = "nu_mu", energy = "29.8 MeV", fraction = 0.3 }]'
    columns = 'columns = { energy = 1, nubar_mu = "nubar_e" }'
    given = f'kind = "table"\nflux = "1e6 /cm2/s"\nfile = "flux.csv"\nunit = "keV"\n{columns}\n{lines}'
    continuum, line = aluminium(given).spectra()
    assert (continuum.neutrino, line.neutrino) == ("nubar_mu", "nu_mu")
    assert (continuum.total, line.total) == pytest.approx((0.7e6 * SECONDS, 0.3e6 * SECONDS), rel=1e-12)


def test_lines_alone_are_a_source(aluminium) -> None:
    one, other = (
        f'{{ neutrino = "nu_e", energy = "{energy}", fraction = {part} }}'
        for energy, part in (("0.8613 MeV", 0.9), ("384.3 keV", 0.1))
    )
    lines = f"[{one}, {other}]"
    source = aluminium(f'kind = "table"\nflux = "5e9 /cm2/s"\nlines = {lines}', threshold="1 eV").source
    assert source.lines == (Line("nu_e", 0.8613, 4.5e9), Line("nu_e", pytest.approx(0.3843), pytest.approx(5e8)))


def test_a_spectrum_that_begins_above_the_threshold_is_refused_unless_it_is_all(aluminium, write: Write) -> None:
    """At 6 MeV no recoil of aluminium is above 2.87 keV; a reconstructed energy has no sharp threshold."""
    write("flux.csv", "# energy nubar_e\n6 2\n8 0\n")
    given = 'kind = "table"\nfile = "flux.csv"\nunit = "MeV"'
    assert aluminium(given, threshold="2.9 keV").source.known_from_mev == 6.0
    begins = (
        r"source: the file begins at 6 MeV with a flux that isn't 0, .* neutrinos from 5\.\d* MeV on: .* outside = 0"
    )
    with pytest.raises(ExperimentError, match=begins):
        aluminium(given, threshold="2.8 keV")
    with pytest.raises(ExperimentError, match=r"begins at 6 MeV .* neutrinos from 0 MeV on"):
        aluminium(given, threshold='0.5 keVee"\nquenching = { model = "lindhard", k = 0.16 }\nresolution = "0.01 keVee')
    all_of_it = counted(aluminium(f"{given}\noutside = 0", threshold="2.8 keV"))
    assert all_of_it["nubar_e"] == pytest.approx(naively(naive.linear((6, 8), (2, 0)), SECONDS, 2.8), rel=1e-8)


NAMES = r"nubar_e, nubar_mu, nubar_tau, nu_e, nu_mu, nu_tau"
REACTOR, OF_FILE = f'kind = "reactor"\n{FRACTIONS}\n', 'kind = "table"\nfile = "flux.csv"\nunit = "MeV"\n'
REFUSED = [
    (REACTOR, "", r"power: missing"),
    (f'{REACTOR}power = "3 GW"\nflux = "1e13 /cm2/s"', "", r"power: can't stand here: the flux at the det"),
    (f'{REACTOR}flux = "-1e13 /cm2/s"', "", r"flux: must be positive"),
    (f'{REACTOR}flux = "1e13 /m2/s"', "", r"flux: .* has no unit of flux: use one of /cm2/s"),
    (f"{REACTOR}flux = 1e13", "", r"flux: must be a flux with its unit \(/cm2/s\), such as '1.5e13 /cm2/s'"),
    (f'{REACTOR}cores = [{{ baseline = "20 m" }}]', "", r"\[\[cores\]\] 1: power: missing"),
    (f'{REACTOR}cores = [{{ power = "3 GW" }}]', "", r"\[\[cores\]\] 1: baseline: missing"),
    (f'{REACTOR}power = "3 GW"\ncores = [{{ power = "3 GW", baseline = "20 m" }}]', "", r"power: can't stand here: ea"),
    (f'{REACTOR}power = "3 GW"\nspectrum = "bestole"', "", r"spectrum: unknown spectrum 'bestole'; did you mean 'best"),
    (f'{REACTOR}power = "3 GW"\nspectrum = "kopeikin-mueller"', "",
     r"spectrum: kopeikin-mueller has a shape, but no number for each fission: give the flux, or one of mueller-vogel"),
    (f'{REACTOR}power = "3 GW"\nduty_factor = 1.1', "", r"duty_factor: must be between 1e-06 and 1, not 1.1"),
    (f'{REACTOR}flux = "1e13 /cm2/s"', 'baseline = "20 m"', r"baseline: can't stand here: the source says how many"),
    ('kind = "sun"\ncomponents = ["9B"]\nsurvival = 1', "", r"components: unknown component '9B'; known: 13N,"),
    ('kind = "sun"\ncomponents = ["8B"]', "", r"survival: missing; it must be a number from 0 to 1, or a table"),
    ('kind = "sun"\ncomponents = ["8B"]\nsurvival = { pp = 1 }', "", r"\[survival\]: 8B: missing"),
    ('kind = "sun"\ncomponents = ["8B"]\nsurvival = 1.2', "", r"survival: must be between 0 and 1, not 1.2"),
    ('kind = "sun"\ncomponents = ["8B"]\nsurvival = 1\nfluxes = { pp = "6e10 /cm2/s" }', "", r"fluxes\]: unknown key"),
    ('kind = "sun"\ncomponents = ["8B"]\nsurvival = 1', 'baseline = "1 km"', r"baseline: can't stand here"),
    ('kind = "table"', "", r"file: missing; give a file of spectra, or lines, or both"),
    (f'{OF_FILE}columns = {{ energy = 1, nu_x = 2 }}', "", r"columns: unknown neutrino 'nu_x'"),
    (f'{OF_FILE}columns = {{ energy = 1 }}', "", r"columns: must name the columns of the energy and of one neutrino"),
    (f'{OF_FILE}columns = {{ energy = 1, nu_e = 3 }}', "", r"file: .*flux.csv: column 3: must be between 0 and .* -1"),
    (f'{OF_FILE}columns = {{ energy = 1, nu_e = 4 }}', "", r"file: .*flux.csv: there is no flux in it"),
    (f'{OF_FILE}columns = {{ energy = 1, nu_e = 2 }}', "", r"file: ends at 15 MeV with a flux that isn't 0: .* outsi"),
    (f'{OF_FILE}columns = {{ energy = 1, nu_e = 2 }}\noutside = 1', "", r"outside: must be 0"),
    ('kind = "table"\nlines = [{ neutrino = "nu_e", energy = "9 MeV", fraction = 1 }]', "", r"1: fraction: can't st"),
    ('kind = "table"\nflux = "1 /cm2/s"\nlines = [{ neutrino = "nu_e", energy = "15 MeV", fraction = 0.5 }]', "",
     r"lines: fractions must add up to 1, not 0.5"),
    (f'{OF_FILE}outside = 0\ncolumns = {{ energy = 1, nu_e = 2 }}\nflux = "1 /cm2/s"\n' +
     'lines = [{ neutrino = "nu_e", energy = "15 MeV", fraction = 1 }]', "", r"lines: leave nothing of the flux"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "place", "problem"), REFUSED)
def test_a_source_that_can_not_be_is_refused_in_one_line(
    source: str, place: str, problem: str, aluminium, write: Write
) -> None:
    write("flux.csv", "5,1,-1,0\n15,1,-1,0\n")
    with pytest.raises(ExperimentError, match=problem) as refused:
        aluminium(source, place=place)
    assert "\n" not in str(refused.value)


def test_an_unknown_neutrino_in_the_head_of_a_file_is_told(aluminium, write: Write) -> None:
    write("flux.csv", "energy,nue\n5,1\n15,0\n")
    with pytest.raises(ExperimentError, match=r"unknown neutrino 'nue'; did you mean 'nu_e'"):
        aluminium(OF_FILE)


def test_a_file_with_a_neutrino_twice_is_refused(aluminium, write: Write) -> None:
    write("flux.csv", "energy,nu_e,nu_e\n5,0,0\n9,1,2\n15,0,0\n")
    with pytest.raises(ExperimentError, match="two columns have the same name"):
        aluminium(OF_FILE)


@pytest.mark.parametrize("change", [{"flux": 1e13}, {"power_w": None}, {"evaluation": "bestole"}])
def test_a_reactor_made_in_python_is_checked_too(change: dict[str, object]) -> None:
    plant = experiments.load("conus").source
    assert isinstance(plant, Reactor)
    with pytest.raises(ExperimentError):
        replace(plant, **change)


def test_a_geometry_and_a_source_that_needs_none_are_refused_in_python_too(aluminium) -> None:
    sun = aluminium('kind = "sun"\ncomponents = ["8B"]\nsurvival = 1')
    with pytest.raises(ExperimentError, match="needs no geometry"):
        replace(sun, geometry=Point(1.0))
    with pytest.raises(ExperimentError, match="needs a geometry"):
        replace(sun, source=experiments.load("conus").source)
