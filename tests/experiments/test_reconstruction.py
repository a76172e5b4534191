"""Detectors that reconstruct an energy: the probability to count a recoil in each bin, and counts."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import naive
import numpy as np
import pytest
from conftest import TESTS, Write, require_refused
from described import described
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import fastscan
from fastscan import experiments
from fastscan.experiments import Reconstruction
from fastscan.interactions.standard_model import couplings, features
from fastscan.likelihoods.response import response
from fastscan.physics import quadrature

LINDHARD = 'quenching = { model = "lindhard", k = 0.162 }'
CSI = """
photoelectrons_per_kevee = 13.351134846461949            # 1 / 0.0749
quenching = { model = "polynomial", unit = "MeV", coefficients = [0.0554628, 4.30681, -111.707, 840.384] }
efficiency = { shape = "logistic", plateau = 1.32045, slope = 0.285979, midpoint = 10.8646, offset = -0.333322 }
resolution = { kind = "gamma", shape = [1, 9.56] }
bins = { edges = [0, 8, 12, 16, 20, 24, 32, 40, 50, 60], unit = "PE" }
"""
CSI_TIME = """
[time]
unit = "us"
edges = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 2, 4, 6]
[time.arrival]   # measurements of the release, arXiv:2110.07730, with the time efficiency
nu_mu = [1.3709400e-03, 3.9073314e-02, 1.6480835e-01, 2.9897457e-01, 2.9469262e-01, 1.5329109e-01, 4.0524983e-02,
    4.0897913e-03, 3.8290771e-04, 1.9392770e-04, 7.0734390e-05]
nu_e = [1.2330632e-05, 7.9188908e-04, 6.0455301e-03, 1.8907277e-02, 3.5054019e-02, 4.5501394e-02, 4.7688343e-02,
    4.5769238e-02, 2.7920030e-01, 2.7006881e-01, 9.8480345e-02]
nubar_mu = [1.9219022e-05, 9.2561898e-04, 6.5135772e-03, 1.9634402e-02, 3.5644020e-02, 4.5689598e-02, 4.7635987e-02,
    4.5661360e-02, 2.7851703e-01, 2.6940789e-01, 9.8239342e-02]
"""
LAR = f"""
quenching = {{ model = "polynomial", unit = "keV", coefficients = [0.246, 0.00078] }}
resolution = {{ kind = "quadrature", unit = "keVee", sqrt = 0.58 }}
bins = {{ start = 0, stop = 120, num = 12, unit = "keVee" }}
[detector.efficiency]
shape = "table"
unit = "keVee"
file = "{TESTS / "data" / "cenns10_efficiency.txt"}"
columns = ["E", "efficiency"]
below = 0
"""
LAR_TIME = """
[time]
unit = "us"
edges = [-0.1, 0.4, 0.9, 1.4, 1.9, 2.4, 2.9, 3.4, 3.9, 4.4, 4.9]
pulse = { shape = "gaussian", mean = 0.44, sigma = 0.15 }
"""


@pytest.fixture
def loaded(write: Write) -> Callable[..., experiments.Experiment]:
    """The experiment of a file with such a detector."""
    return lambda *args: experiments.load(str(write("own.toml", described(*args))))


def counts(experiment: experiments.Experiment) -> dict[str, np.ndarray]:
    """Counts of the Standard Model by neutrino."""
    found = response(experiment)
    return dict(zip(found.neutrinos, found.by_neutrino @ features(couplings("cevns")[0]), strict=True))


def last_digit(value: float, digits: int) -> float:
    """Half a unit of the last digit of a number printed with so many digits."""
    return 0.5 * 10.0 ** (math.floor(math.log10(value)) + 1 - digits)


def test_the_response_of_cesium_iodide_is_that_of_its_page(loaded: Callable[..., experiments.Experiment]) -> None:
    csi = loaded(CSI, "CsI", "pions")
    assert isinstance(csi.detector, Reconstruction)
    isotope = csi.targets[0].isotopes()[-1][0]
    found = csi.detector.probabilities(np.array([0.01]), isotope)[:, 0]
    known = [
        2.4139161532e-3, 1.0349787671e-1, 1.7234771326e-1, 8.6625298077e-2, 2.2756538400e-2, 4.6804045435e-3,
        7.7144824132e-5, 7.7617905694e-7, 1.5901383265e-9,
    ]  # fmt: skip
    for ours, theirs in zip(found, known, strict=True):
        assert ours == pytest.approx(theirs, abs=last_digit(theirs, 11), rel=1e-8)


def test_the_counts_of_cesium_iodide_are_those_of_its_page(loaded: Callable[..., experiments.Experiment]) -> None:
    by_neutrino = counts(loaded(CSI, "CsI", "pions", CSI_TIME))
    total = {name: each.sum() for name, each in by_neutrino.items()}
    assert total == pytest.approx({"nu_e": 116.881308, "nu_mu": 54.032381, "nubar_mu": 187.184947}, abs=5e-7, rel=1e-8)
    known = {  # energy and time bin: nu_e, nu_mu, nubar_mu
        (1, 3): (0.35539336, 5.04335663, 0.47985173),
        (2, 8): (8.36956732, 0.00766665, 11.59536304),
        (4, 6): (0.99045604, 0.16121591, 1.58307738),
        (5, 9): (6.52451245, 0.00025633, 11.60083196),
        (8, 10): (0.09496861, 0.0, 0.30739295),
    }
    for (energy, time), row in known.items():
        ours = [by_neutrino[name].reshape(9, 11)[energy, time] for name in ("nu_e", "nu_mu", "nubar_mu")]
        assert ours == pytest.approx(row, abs=5e-9, rel=1e-8)


def test_the_counts_of_argon_are_those_of_its_page(loaded: Callable[..., experiments.Experiment]) -> None:
    argon = loaded(LAR, "Ar", "pions", LAR_TIME)
    argon = replace(argon, source=replace(argon.source, neutrinos_per_proton=0.09, protons=13.8e22))
    in_the_window = {name: each.sum() for name, each in counts(argon).items()}
    known = {"nu_e": 38.7730079, "nu_mu": 30.8287156, "nubar_mu": 55.3172704}
    assert in_the_window == pytest.approx(known, abs=5e-8, rel=1e-8)
    by_energy = counts(replace(argon, name="all-times", time=None))
    known = {"nu_e": 44.7319436, "nu_mu": 30.8316283, "nubar_mu": 63.8188562}
    assert {name: each.sum() for name, each in by_energy.items()} == pytest.approx(known, abs=5e-8, rel=1e-8)
    first = {
        "nu_e": (26.924721, 13.833222, 3.273236, 0.625652),
        "nu_mu": (26.971610, 3.859906, 0.000112, 0.0),
        "nubar_mu": (32.930639, 21.529666, 6.992604, 1.965864),
    }
    for name, row in first.items():
        assert by_energy[name][:4] == pytest.approx(row, abs=5e-7, rel=1e-8)


def erf_bins(edges: np.ndarray, mean: float, sigma: float, truncated: bool) -> list[float]:
    """The formula of a Gaussian's bins."""
    norm = 2 / (1 + math.erf(mean / (math.sqrt(2) * sigma))) if truncated else 1.0
    y = [math.erf((edge - mean) / (math.sqrt(2) * sigma)) for edge in edges]
    return [norm / 2 * (b - a) for a, b in itertools.pairwise(y)]


@pytest.mark.parametrize("truncated", [True, False])
@given(recoil=st.floats(0.05, 3.0))
def test_a_gaussian_response_is_that_of_the_error_function(truncated: bool, recoil: float, tmp_path_factory) -> None:
    path = tmp_path_factory.getbasetemp() / f"gaussian-{truncated}.toml"
    text = f"""{LINDHARD}
[detector.resolution]
kind = "fano"
sigma0 = "68.5 eVee"
fano = 0.11
eta = "2.96 eVee"
truncated = {str(truncated).lower()}
[detector.bins]
start = 0.2
stop = 1.5
num = 130
unit = "keVee"
"""
    path.write_text(described(text))
    detector = experiments.load(str(path)).detector
    assert isinstance(detector, Reconstruction)
    eps = 11.5 * 32 ** (-7 / 3) * recoil
    g = 3 * eps**0.15 + 0.7 * eps**0.6 + eps
    mean = recoil * 0.162 * g / (1 + 0.162 * g)
    sigma = math.sqrt(0.0685**2 + 0.11 * 0.00296 * mean)
    isotope = experiments.load("coherent-ge").targets[0].isotopes()[0][0]
    ours = detector.probabilities(np.array([recoil * 1e-3]), isotope)[:, 0]
    assert ours == pytest.approx(erf_bins(np.linspace(0.2, 1.5, 131), mean, sigma, truncated), rel=1e-9, abs=1e-14)


def gaussian(width: Callable[[float], float]) -> Callable[[float, float], float]:
    return lambda x, mean: naive.gaussian(x, mean, width(mean))


def lowered_logistic(x: float) -> float:
    return max(0.0, 1.32045 / (1 + math.exp(-0.285979 * (x - 10.8646))) - 0.333322)


def stepped(x: float) -> float:
    return float(np.interp(x, (5.0, 10.0, 30.0), (0.1, 0.6, 0.9), left=0.0))


def error_function(x: float, plateau: float = 0.9, midpoint: float = 9.0, sigma: float = 2.5) -> float:
    return plateau / 2 * (1 + math.erf((x - midpoint) / (math.sqrt(2) * sigma)))


def csi_visible(recoil: float) -> float:
    """Visible energy in keVee of recoils in keVnr."""
    t = recoil / 1e3
    return 1e3 * (0.0554628 * t + 4.30681 * t**2 - 111.707 * t**3 + 840.384 * t**4)


YIELD = 13.0
RESOLUTIONS = {
    '"2 PE"': (lambda mean: 2.0, None),
    '{ fwhm = "5 PE", kind = "gaussian" }': (lambda mean: 5.0 / (2 * math.sqrt(2 * math.log(2))), None),
    '{ kind = "linear", unit = "PE", constant = 0.5, slope = 0.1 }': (lambda mean: 0.5 + 0.1 * mean, None),
    '{ kind = "quadrature", unit = "keVee", constant = 0.02, sqrt = 0.1, linear = 0.05 }': (
        lambda mean: YIELD * math.sqrt(0.02**2 + 0.1**2 * mean / YIELD + 0.05**2 * (mean / YIELD) ** 2),
        None,
    ),
    '{ kind = "gamma", shape = [1, 9.56] }': (
        lambda mean: mean / math.sqrt(1 + 9.56 * mean / YIELD),
        lambda x, mean: float(stats.gamma.pdf(x, 1 + 9.56 * mean / YIELD, scale=mean / (1 + 9.56 * mean / YIELD))),
    ),
}  # fmt: skip
EFFICIENCIES = {
    "0.7": (lambda x: 0.7, ()),
    '{ shape = "logistic", plateau = 1.32045, slope = 0.285979, midpoint = 10.8646, offset = -0.333322 }': (
        lowered_logistic,
        (10.8646 - math.log(1.32045 / 0.333322 - 1) / 0.285979, 10.8646, 20.0, 60.0),
    ),
    '{ shape = "erf", plateau = 0.9, midpoint = 9, sigma = 2.5 }': (error_function, (4.0, 9.0, 14.0)),
    '{ shape = "table", unit = "PE", energy = [5, 10, 30], values = [0.1, 0.6, 0.9], below = 0 }': (
        stepped,
        (5.0, 10.0, 30.0),
    ),
}


@pytest.mark.parametrize("efficiency", EFFICIENCIES)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_response_is_that_of_adaptive_quadrature(
    resolution: str, efficiency: str, loaded: Callable[..., experiments.Experiment]
) -> None:
    edges = (2.0, 6.0, 7.5, 20.0, 45.0)
    csi = loaded(
        f"""photoelectrons_per_kevee = {YIELD}
quenching = {{ model = "polynomial", unit = "MeV", coefficients = [0.0554628, 4.30681, -111.707, 840.384] }}
resolution = {resolution}
efficiency = {efficiency}
bins = {{ edges = {list(edges)}, unit = "PE" }}""",
        "CsI",
        "pions",
    )
    width, density = RESOLUTIONS[resolution]
    accepted, knots = EFFICIENCIES[efficiency]
    chain = naive.Chain(lambda t, _: 0.0, edges, density or gaussian(width), width, accepted, knots)
    assert isinstance(csi.detector, Reconstruction)
    recoils = np.array([1.5, 4.0, 9.0, 17.0, 30.0])
    ours = csi.detector.probabilities(recoils * 1e-3, csi.targets[0].isotopes()[0][0])
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        theirs = [naive.seen(chain, YIELD * csi_visible(recoil), low, high) for recoil in recoils]
        assert ours[place] == pytest.approx(theirs, rel=1e-9, abs=1e-15)


def test_poisson_counts_whole_photoelectrons(loaded: Callable[..., experiments.Experiment]) -> None:
    csi = loaded(
        """photoelectrons_per_kevee = 13.348
quenching = 0.0878
resolution = "poisson"
efficiency = { shape = "logistic", plateau = 0.6655, slope = 0.4942, midpoint = 11.3507 }
bins = { edges = [6.5, 8.5, 10.5, 30.5], unit = "PE" }""",
        "CsI",
        "pions",
    )
    assert isinstance(csi.detector, Reconstruction)
    iodine, _ = csi.targets[0].isotopes()[0]
    ours = csi.detector.probabilities(np.array([0.008, 0.02]), iodine)
    for recoil, column in zip((8.0, 20.0), ours.T, strict=True):
        mean = 0.0878 * 13.348 * recoil
        chances = {
            n: stats.poisson.pmf(n, mean) * 0.6655 / (1 + math.exp(-0.4942 * (n - 11.3507))) for n in range(7, 31)
        }
        bins = ((7, 8), (9, 10), range(11, 31))
        assert column == pytest.approx([math.fsum(chances[n] for n in numbers) for numbers in bins], rel=1e-12)


def fissions(seconds: float = 365 * naive.DAY, gigawatts: float = 3.0, distance: float = 1930.0) -> float:
    """Fissions of U235 per cm^2."""
    energy = naive.FISSION_ENERGY["U235"] * naive.JOULE_PER_MEV
    return gigawatts * 1e9 / energy * seconds / (4 * math.pi * distance**2)


def lindhard(recoil: float, isotope: naive.Isotope) -> float:
    """Visible energy in keVee of recoils in keVnr, with k = 0.162."""
    eps = 11.5 * isotope.charge ** (-7 / 3) * recoil
    g = 3 * eps**0.15 + 0.7 * eps**0.6 + eps
    return recoil * 0.162 * g / (1 + 0.162 * g)


def naive_total(chain: naive.Chain) -> float:
    """Events of a kilogram of germanium at the reactor of the tests."""
    nuclei = numbers(naive.GE, 1.0)
    return float(naive.chained_events("research reactor", fissions(), nuclei, naive.sm_couplings("cevns"), chain).sum())


def test_a_mean_far_below_one_gives_single_electrons(loaded: Callable[..., experiments.Experiment]) -> None:
    """No electron has the probability exp(-mean), however many standard deviations away one electron is."""
    words = LINDHARD + '\nelectrons_per_kevee = 3\nresolution = "poisson"\nthreshold = "1 electrons"'
    detector = loaded(words).detector
    assert isinstance(detector, Reconstruction)
    isotope = experiments.load("coherent-ge").targets[0].isotopes()[0][0]
    recoils = np.array([1e-9, 1e-7, 1e-6, 1e-4])
    means = 3e3 * detector.quenching.visible(recoils, isotope)
    assert detector.probabilities(recoils, isotope)[0] == pytest.approx(-np.expm1(-means), rel=1e-9)
    counted = naive.Chain(
        lambda t, isotope: 3 * lindhard(t, isotope), (0.0, math.inf), efficiency=lambda mean: -math.expm1(-mean)
    )
    assert counts(loaded(words))["nubar_e"].sum() == pytest.approx(naive_total(counted), rel=1e-8)


def test_an_error_function_counts_as_the_naive_calculation(loaded: Callable[..., experiments.Experiment]) -> None:
    """A turn-on in visible energy with a resolution, and a turn-on in recoil energy without quenching or resolution."""
    turn_on = 'shape = "erf", plateau = 0.95, midpoint = 150, sigma = 15, unit = "eVee"'
    blurred = loaded(f'{LINDHARD}\nresolution = "20 eVee"\nthreshold = "0.1 keVee"\nefficiency = {{ {turn_on} }}')
    chain = naive.Chain(
        lindhard,
        (0.1, math.inf),
        gaussian(lambda mean: 0.02),
        lambda mean: 0.02,
        lambda x: error_function(x, 0.95, 0.15, 0.015),
        (0.105, 0.15, 0.195),
    )
    assert counts(blurred)["nubar_e"].sum() == pytest.approx(naive_total(chain), rel=1e-8)
    sharp = loaded('efficiency = { shape = "erf", plateau = 0.95, midpoint = 0.7, sigma = 0.05, unit = "keVnr" }')
    chain = naive.Chain(
        lambda t, _: t,
        (0.0, math.inf),
        efficiency=lambda x: error_function(x, 0.95, 0.7, 0.05),
        knots=(0.55, 0.7, 0.85),
    )
    assert counts(sharp)["nubar_e"].sum() == pytest.approx(naive_total(chain), rel=1e-8)


@pytest.mark.parametrize("which", ["csi", "lar", "ge", "narrow", "sharp"])
def test_twice_the_nodes_change_no_count(
    which: str, loaded: Callable[..., experiments.Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = LINDHARD + '\nresolution = "0.01 eVee"\nbins = { start = 160, stop = 350, num = 19, unit = "eVee" }'
    experiment = {
        "csi": lambda: loaded(CSI, "CsI", "pions"),
        "lar": lambda: loaded(LAR, "Ar", "pions"),
        "ge": lambda: loaded(narrow.replace("0.01 eVee", "20.38 eVee")),
        "narrow": lambda: loaded(narrow),
        "sharp": lambda: loaded(LINDHARD + '\nthreshold = "160 eVee"'),
    }[which]()
    once = response(experiment).total
    monkeypatch.setattr(quadrature, "NODES", 2 * quadrature.NODES)
    twice = response.__wrapped__(experiment).total
    assert once == pytest.approx(twice, rel=1e-10, abs=1e-14 * float(np.abs(twice).max()))


def test_a_very_good_resolution_is_none(loaded: Callable[..., experiments.Experiment]) -> None:
    bins = '\nbins = { start = 160, stop = 350, num = 4, unit = "eVee" }'
    sharp = response(loaded(LINDHARD + bins)).total
    assert response(loaded(LINDHARD + bins + '\nresolution = "1e-5 eVee"')).total == pytest.approx(sharp, rel=1e-9)


def test_a_detector_without_quenching_is_the_same_in_either_words(
    loaded: Callable[..., experiments.Experiment], write: Write
) -> None:
    """A quenching of 1 in electron-equivalent energies, and recoil energies."""
    visible = loaded('quenching = 1\nthreshold = "200 eVee"\nefficiency = 0.5')
    recoil = experiments.load(str(write("recoil.toml", described('threshold = "200 eVnr"\nefficiency = 0.5'))))
    assert response(visible).total == pytest.approx(response(recoil).total, rel=1e-11)


def test_energies_are_converted_where_one_follows_from_the_other(
    loaded: Callable[..., experiments.Experiment], write: Write
) -> None:
    """A threshold in recoil energy, in visible energy and in photoelectrons of germanium."""
    chain = LINDHARD + "\nphotoelectrons_per_kevee = 10\n"
    eps = 11.5 * 32 ** (-7 / 3)
    g = 3 * eps**0.15 + 0.7 * eps**0.6 + eps
    visible = 0.162 * g / (1 + 0.162 * g)
    assert visible == pytest.approx(0.17548085, abs=5e-9)  # as on the page
    found = []
    for number, threshold in enumerate(("1 keVnr", f"{visible} keVee", f"{10 * visible} PE")):
        path = write(f"{number}.toml", described(chain + f'threshold = "{threshold}"'))
        found.append(fastscan.events(path, "chi", m_zprime=np.inf))
    assert found == pytest.approx([found[0]] * 3, rel=1e-11)


def sns(protons: float = 3.198e23, per: float = 0.0848, distance: float = 1930.0) -> float:
    """Fluence of each flavour."""
    return per * protons / (4 * math.pi * distance**2)


def numbers(compound: naive.Compound, kilograms: float) -> list[tuple[naive.Isotope, float]]:
    """Isotopes of a compound and their nuclei."""
    parts = [(isotope, atoms * isotope.abundance) for symbol, atoms in compound for isotope in naive.isotopes(symbol)]
    molar = math.fsum(isotope.atomic_mass * share for isotope, share in parts)
    return [(isotope, kilograms * 1000 / molar * naive.AVOGADRO * share) for isotope, share in parts]


def test_quenching_by_element_counts_as_the_naive_calculation(loaded: Callable[..., experiments.Experiment]) -> None:
    ours = loaded(
        'quenching = { Na = 0.15, I = 0.05 }\nthreshold = "2 keVee"\nresolution = "0.4 keVee"', "NaI", "pions"
    )
    chain = naive.Chain(
        lambda t, isotope: (0.15 if isotope.charge == 11 else 0.05) * t,
        (2.0, math.inf),
        gaussian(lambda mean: 0.4),
        lambda mean: 0.4,
    )
    theirs = naive.chained_events("sns", sns(), numbers(naive.NAI, 10.0), naive.sm_couplings("cevns"), chain)
    assert sum(each.sum() for each in counts(ours).values()) == pytest.approx(theirs.sum(), rel=1e-8)


def test_counts_without_a_time_cut_of_the_first_cesium_iodide(loaded: Callable[..., experiments.Experiment]) -> None:
    """Poisson smearing of arXiv:1804.09459, where n photoelectrons are in the bin that ends at n: 168.61."""
    csi = loaded(
        """photoelectrons_per_kevee = 13.348
quenching = 0.0878
resolution = "poisson"
efficiency = { shape = "logistic", plateau = 0.6655, slope = 0.4942, midpoint = 11.3507 }
bins = { start = 6.5, stop = 30.5, num = 12, unit = "PE" }""",
        "CsI",
        "pions",
    )
    source = replace(csi.source, neutrinos_per_proton=0.08, protons=1.76e23)
    csi = replace(csi, source=source, targets=(replace(csi.targets[0], mass_kg=14.57),))
    assert sum(each.sum() for each in counts(csi).values()) == pytest.approx(168.61, abs=0.005)


def test_an_efficiency_of_the_true_energy_is_the_reading_of_its_page(
    loaded: Callable[..., experiments.Experiment],
) -> None:
    argon = loaded(LAR + 'of = "true"\n', "Ar", "pions", LAR_TIME)
    argon = replace(argon, source=replace(argon.source, neutrinos_per_proton=0.09, protons=13.8e22))
    assert sum(each.sum() for each in counts(argon).values()) == pytest.approx(126.31, abs=0.005)


def test_an_efficiency_in_recoil_energy_is_one_of_the_recoil(loaded: Callable[..., experiments.Experiment]) -> None:
    table = 'shape = "table", energy = [0, 1], values = [0, 1]'
    detector = loaded(
        f'{LINDHARD}\nbins = {{ edges = [0, 9], unit = "keVee" }}\nefficiency = {{ {table}, unit = "keVnr" }}'
    ).detector
    assert isinstance(detector, Reconstruction)
    isotope = experiments.load("coherent-ge").targets[0].isotopes()[0][0]
    assert detector.probabilities(np.array([2e-4, 5e-4, 2e-3]), isotope)[0] == pytest.approx([0.2, 0.5, 1.0])


def test_recoils_that_give_less_than_a_pair_are_dropped(loaded: Callable[..., experiments.Experiment]) -> None:
    words = LINDHARD + '\nresolution = "68.5 eVee"\nbins = { start = 0.2, stop = 0.3, num = 2, unit = "keVee" }'
    every = loaded(words).detector
    paired = loaded(words + '\ndrop_below = "2.96 eVee"').detector
    assert isinstance(every, Reconstruction)
    assert isinstance(paired, Reconstruction)
    isotope = experiments.load("coherent-ge").targets[0].isotopes()[0][0]
    recoils = np.array([1e-5, 2e-5, 1e-4])
    seen = every.quenching.visible(recoils, isotope) > 2.96e-6
    assert (paired.probabilities(recoils, isotope) == every.probabilities(recoils, isotope) * seen).all()
    assert seen.tolist() == [False, False, True]


HEPDATA = """#: table_doi: 10.17182/hepdata.0
#: name: Efficiency
"Energy [keVee]","Efficiency","error +","error -"
0.1,0.2,0.01,-0.01
0.2,0.5,0.01,-0.01
0.4,0.9,0.01,-0.01
"""


def test_an_efficiency_from_hepdata_is_that_of_its_numbers(
    loaded: Callable[..., experiments.Experiment], write: Write
) -> None:
    """The file is in the directory of the experiment's file, whatever the current directory is."""
    write("efficiency.csv", HEPDATA)
    words = LINDHARD + '\nthreshold = "0.1 keVee"\nefficiency = { shape = "table", unit = "keVee", '
    lists = loaded(words + "energy = [0.1, 0.2, 0.4], values = [0.2, 0.5, 0.9] }")
    for columns in ("", ', columns = ["Energy [keVee]", "Efficiency"]', ", columns = [1, 2]"):
        from_file = loaded(words + f'file = "efficiency.csv"{columns} }}')
        assert from_file.detector == lists.detector
        assert from_file.digest != lists.digest


def test_the_digest_of_an_experiment_follows_its_data_files(
    loaded: Callable[..., experiments.Experiment], write: Write
) -> None:
    words = LINDHARD + '\nthreshold = "0.1 keVee"\nefficiency = { shape = "table", unit = "keVee", file = "e.csv" }'
    write("e.csv", HEPDATA)
    first = loaded(words)
    write("e.csv", HEPDATA.replace("0.01", "0.02"))
    assert loaded(words).digest != first.digest


def table(file: str, more: str = "") -> str:
    """A detector whose efficiency is in a file."""
    words = f'efficiency = {{ shape = "table", unit = "keVee", file = "{file}"{more} }}'
    return f'{LINDHARD}\nthreshold = "0.1 keVee"\n{words}'


FILES = {
    "ok.csv": HEPDATA,
    "word.csv": "a,b\n1,2\nx,3\n",
    "short.csv": "a,b\n1,2\n3\n",
    "down.csv": "a b\n0 0.2\n3 0.3\n2 0.4\n",
    "large.csv": "a;b\n0;0.2\n3;4\n",
    "empty.csv": "# nothing\n",
    "nan.csv": "0,0.1\n1,nan\n",
}
WRONG = [
    ('threshold = "160 eVee"', "threshold: is electron-equivalent, .* give a quenching"),
    ('bins = { start = 1, stop = 2, num = 2, unit = "keVee" }', "bins: is electron-equivalent, .* give a quenching"),
    ('threshold = "5 PE"', "threshold: is a number of photoelectrons: give a quenching and photoelectrons_per_kevee"),
    (LINDHARD + '\nthreshold = "5 PE"', "threshold: is a number of photoelectrons: give photoelectrons_per_kevee"),
    ("photoelectrons_per_kevee = 5", "quenching: missing"),
    (LINDHARD + '\nthreshold = "160 eVe"', "threshold: '160 eVe' has no unit of an energy: use one of eV, .* eVee"),
    ('bins = { start = 1, stop = 2, num = 2, unit = "keVe" }', "unit: unknown unit 'keVe'; did you mean 'keVee'"),
    ('quenching = { model = "lindhart", k = 0.1 }', "model: unknown model 'lindhart'; did you mean 'lindhard'"),
    ('quenching = { model = "lindhard" }', r"\[quenching\]: k: missing"),
    ('quenching = "lindhard"', "quenching: must be a number, or a table with a model"),
    ("quenching = { Na = 0.1 }", "Na: unknown key 'Na'; known: Ge, model"),
    (
        LINDHARD + '\nresolution = "20 eV"',
        "resolution: is in recoil energy, where the detector's are in visible energy",
    ),
    (LINDHARD + '\nresolution = "gamma"', "kind: is one of photoelectrons or electrons"),
    (LINDHARD + '\nresolution = { kind = "gausian" }', "unknown kind 'gausian'; did you mean 'gaussian'"),
    (LINDHARD + "\nphotoelectrons_per_kev = 1", "unknown key 'photoelectrons_per_kev'; did you mean"),
    (LINDHARD + '\ndrop_below = "3 eV"', "drop_below: '3 eV' has no unit of visible energy: use one of eVee"),
    (LINDHARD + '\nbins = { edges = [2, 1], unit = "keVee" }', "edges: must increase"),
    ('charge_yield = "NEST"', "charge_yield: must be a number of electrons per keV of recoil energy, or a table"),
    ('charge_yield = { unit = "keVnr", energy = [1, 2], values = [5, 6] }', "energy: must begin at 0"),
    (table("no.csv"), "file: .*no.csv: No such file"),
    (table("word.csv"), "file: .*word.csv: line 3: 'x' is no number"),
    (table("short.csv"), "file: .*short.csv: line 3: 1 columns, where the lines before have 2"),
    (table("down.csv"), "file: .*down.csv: column 1: must increase"),
    (table("large.csv"), "file: .*large.csv: column 2: must be between 0 and 1, not 4"),
    (table("empty.csv"), "file: .*empty.csv: there are no numbers"),
    (table("nan.csv"), "file: .*nan.csv: line 2: 'nan' is no number"),
    (table("."), "file: .*: not a regular file"),
    (
        table("ok.csv", ', columns = ["Energy [keV]", "Efficiency"]'),
        "unknown column 'Energy .keV.'; did you mean 'Energy .keVee.'",
    ),
    (table("ok.csv", ", columns = [1, 5]"), "there is no column 5, only 4"),
    (table("ok.csv", ", energy = [1, 2]"), "energy: can't stand here: the file has it"),
    (
        table("ok.csv").replace('"0.1 keVee"', '"0.05 keVee"'),
        "efficiency: the table says nothing below its first energy",
    ),
    (LINDHARD + '\nefficiency = { shape = "logistic", plateau = 1, slope = 1, midpoint = 1 }', "unit: missing"),
    (
        LINDHARD
        + '\nefficiency = { shape = "logistic", plateau = 0.2, slope = 1, midpoint = 1, offset = -0.3, unit = "eVee" }',
        "plateau: is no higher than the offset is deep",
    ),
    (LINDHARD + '\nefficiency = { shape = "erf", midpoint = 1, sigma = 0, unit = "keVee" }', "plateau: missing"),
    (
        LINDHARD + '\nefficiency = { shape = "erf", plateau = 1, midpoint = 1, sigma = 0, unit = "keVee" }',
        "sigma: must be between 1e-09",
    ),
    ('efficiency = { shape = "erf", plateau = 1, midpoint = 1, sigma = 1 }', "shape: 'erf' is in photoelectrons"),
    (LINDHARD + '\nefficiency = "high"', "efficiency: must be a table of a shape, or a number from 0 to 1"),
    (
        LINDHARD + '\nelectrons_per_kevee = 300\nthreshold = "5 PE"',
        "threshold: is in photoelectrons, where the detector's are in visible energy .* or electrons",
    ),
    ('charge_yield = 5\nthreshold = "1 keVee"', "threshold: is in visible energy .*, where .* are in electrons"),
    (LINDHARD + '\nthreshold = "500 keVee"', "detector: threshold: no recoil from this source gives as much"),
    (LINDHARD + '\nbins = { edges = [9, 10], unit = "MeVee" }', "detector: bins: no recoil from this source"),
    ('bins = { edges = [9, 10], unit = "MeV" }', "detector: bins begin above any recoil"),
    ("quenching = 0", "detector: threshold: no recoil from this source gives as much"),
    ('quenching = 0\nresolution = "20 eVee"', "detector: threshold: no recoil from this source gives as much"),
    (LINDHARD + '\ndrop_below = "5 MeVee"', "detector: drop_below: no recoil from this source gives as much"),
    (
        """quenching = { model = "polynomial", unit = "keV", coefficients = [0.2, -0.1] }
bins = { edges = [0.5, 1.5], unit = "keVnr" }""",
        "bins: two edges are the same visible energy",
    ),
    (LINDHARD + '\nthreshold = "2 keVee"\nbins = { edges = [1, 2], unit = "keVee" }', "threshold: is above all bins"),
    (
        'quenching = { model = "polynomial", unit = "keV", coefficients = [0.06, 4.3] }\nthreshold = "0.1 keVee"',
        "detector: quenching: at 0.2.* keV more energy is visible than a recoil has",
    ),
    (
        LINDHARD + '\nelectrons_per_kevee = 1e8\nthreshold = "5 electrons"\nresolution = "poisson"',
        r"own.toml: detector: resolution: Poisson numbers of more than 100000",
    ),
]


@pytest.mark.parametrize(("words", "problem"), WRONG)
def test_what_is_wrong_in_a_detector_is_told(words: str, problem: str, write: Write) -> None:
    for name, text in FILES.items():
        write(name, text)
    require_refused(experiments.load, write("own.toml", described(words)), problem)


def test_energies_are_another_for_each_element(write: Write) -> None:
    words = 'quenching = { Na = 0.15, I = 0.05 }\nthreshold = "2 keVnr"'
    path = write("own.toml", described(words, "NaI", "pions"))
    require_refused(experiments.load, path, "threshold: is another visible energy for each element")


def test_electrons_are_not_quenched(write: Write) -> None:
    """In neutrino-electron scattering every energy is visible."""
    text = (experiments.catalogue.BUILT_IN / "cr51-lxe-a.toml").read_text()
    assert 'unit = "keV"' in text
    visible = write("visible.toml", text.replace('unit = "keV"', 'unit = "keVee"'))
    theirs = response(experiments.load("cr51-lxe-a")).total
    assert response(experiments.load(visible)).total == pytest.approx(theirs, rel=1e-9, abs=1e-12 * float(theirs.max()))
    quenched = write("quenched.toml", text.replace("[detector]", "[detector]\nquenching = 0.2"))
    require_refused(experiments.load, quenched, "quenching: can't stand here: the recoils are electrons")
