"""The reference calculation of new interactions against numbers of an independent program, INTERACTIONS.md section 7.

Nothing of the package is computed here: whatever else is held to `naive` stands on these numbers.
"""

import math
from collections.abc import Callable

import naive
import numpy as np
import pytest
from naive import Experiment, Interaction, magnetic, millicharge, nsi, radius, scalar, vector, weak_angle
from scipy.optimize import brentq, minimize_scalar

CSI, LAR, XENON = "coherent-csi", "coherent-lar", "cr51-lxe-a"
QUANTILE = 2.705543454095404  # of 90 % and one degree of freedom
# All recoils of free electrons are counted, and nothing else; the data are the prediction.
OTHER_SOURCES = {
    "csi-reactor": Experiment(
        "power plant", ((naive.CSI, 187.0),), 28.0, 3e3, 2.9, bins_kev=tuple(range(3000, 8001, 500))
    ),
    "ge-reactor": Experiment("power plant", ((naive.GE, 1.5),), 13.9, 3.0, 3.0, bins_kev=tuple(range(3, 24, 2))),
    "xe-be7": Experiment("be7", ((naive.XE, 1000.0),), threshold_kev=1.0, bins_kev=tuple(range(1, 30, 2))),
}


@pytest.fixture(autouse=True)
def other_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, row in OTHER_SOURCES.items():
        free = row._replace(channel="nu-e", efficiency=1.0, sigma_sys=0.05)
        monkeypatch.setitem(naive.EXPERIMENTS, name, free)


def printed(*numbers: float) -> object:
    """A printed number, to be equal in all of its twelve digits."""
    return pytest.approx(numbers, rel=5e-12, abs=0)


def events(experiment: str, new: Interaction) -> tuple[float, ...]:
    """Events over all bins of each neutrino."""
    return tuple(float(counts.sum()) for counts in naive.counts(experiment, new).values())


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        (CSI, (29.3809048854, 60.3231779974, 90.4164498093)),
        (LAR, (889.788051339, 1634.90029240, 2505.41255976)),
        ("csi-reactor", (806.018666548,)),
        ("ge-reactor", (50.3807122785,)),
        ("xe-be7", (5.99443403592, 0.481691142054, 0.602113927567)),
    ],
)
def test_standard_model_by_neutrino(experiment: str, expected: tuple[float, ...]) -> None:
    assert events(experiment, naive.STANDARD) == printed(*expected)


@pytest.mark.parametrize("experiment", [CSI, LAR, "conus", XENON])
def test_standard_model_as_factorised(experiment: str) -> None:
    """Counts that are integrated together with their couplings equal `events_per_bin`."""
    couplings = naive.sm_couplings(naive.EXPERIMENTS[experiment].channel)
    assert naive.standard_counts(experiment) == pytest.approx(naive.events_per_bin(experiment, couplings), rel=1e-11)


@pytest.mark.parametrize(
    ("experiment", "new", "expected"),
    [
        (CSI, vector("universal", 30, 6e-5), (2.53364155838, 11.1486698399, 18.4038649521)),
        (CSI, vector("lmu-ltau", 30, 3e-3), (1.66296667734, 60.3231779974, 7.31356245482)),
        (CSI, vector("b-3lmu", 0.5, 5e-5), (90.3963242912, 60.3231779974, 218.899796535)),
        ("conus", vector("b-l", 3, 8e-6), (174995.461483,)),
        ("conus", vector("le-lmu", 3, 1e-4), (64405.4566069,)),
        ("connie", scalar("scalar-q14", 0.5, 2e-6), (22748.1931402,)),
        (LAR, vector("b-2le-lmu", 300, 2e-4), (1073.19731389, 2332.55257739, 3014.31910202)),
        (XENON, vector("universal", 0.02, 1e-7), (12438.7168089,)),
        (XENON, vector("le-lmu", 300, 3e-4), (13294.0354635,)),
        (CSI, nsi("ee", {"u": 0.25}), (29.3809048854, 3.32373698622, 90.4164498093)),
        (CSI, nsi("mumu", {"d": -0.2}), (130.294779821, 60.3231779974, 400.932779248)),
        (LAR, nsi("etau", {"u": 0.3}), (889.788051339, 5951.47944447, 2505.41255976)),
        ("conus", magnetic("e", 5), (91885.2876737,)),
        (CSI, magnetic("mu", 300), (55.7810143800, 60.3231779974, 124.299576730)),
        ("conus", millicharge("e", -2), (90407.3679807,)),
        (CSI, radius("mu", 20), (83.9111846838, 60.3231779974, 258.167871973)),
        ("connie", weak_angle(0.02), (5965.80044033,)),
        ("csi-reactor", vector("universal", 1, math.sqrt(1e-11)), (1191.86316733,)),
        ("xe-be7", vector("lmu-ltau", 3, math.sqrt(4e-9)), (5.99443403592, 0.528499808129, 0.606976531260)),
        ("ge-reactor", magnetic("e", 0.7), (56.8035996098,)),
    ],
)
def test_events(experiment: str, new: Interaction, expected: tuple[float, ...]) -> None:
    assert events(experiment, new) == printed(*expected)


@pytest.mark.parametrize(
    ("experiment", "new", "expected"),
    [
        (CSI, vector("universal", 30, 6e-5), 10.3731509658),
        (CSI, vector("lmu-ltau", 30, 3e-3), 3.32813840995),
        (CSI, vector("b-3lmu", 0.5, 5e-5), 4.67632142356),
        ("conus", vector("b-l", 3, 8e-6), 5.56687687140),
        ("conus", vector("le-lmu", 3, 1e-4), 3.52316486066),
        ("connie", scalar("scalar-q14", 0.5, 2e-6), 14.7315678356),
        (LAR, vector("b-2le-lmu", 300, 2e-4), 1.08194854300),
        (XENON, vector("universal", 0.02, 1e-7), 60.9930800171),
        (XENON, vector("le-lmu", 300, 3e-4), 83.2680516224),
        (CSI, nsi("ee", {"u": 0.25}), 0.0771937758647),
        (CSI, nsi("mumu", {"d": -0.2}), 7.30857229082),
        (LAR, nsi("etau", {"u": 0.3}), 5.04916041941),
        ("conus", magnetic("e", 5), 0.00689211174844),
        (CSI, magnetic("mu", 300), 1.98498572723),
        ("conus", millicharge("e", -2), 4.18833750706e-5),
        (CSI, radius("mu", 20), 5.19723358647),
        ("connie", weak_angle(0.02), 0.495747767953),
        ("csi-reactor", vector("universal", 1, math.sqrt(1e-11)), 34.6503655795),
        ("ge-reactor", magnetic("e", 0.7), 0.996175208181),
    ],
)
def test_chi2(experiment: str, new: Interaction, expected: float) -> None:
    assert naive.chi2_with(experiment, new) == pytest.approx(expected, rel=1e-10, abs=0)


def test_events_in_bins() -> None:
    (in_bins,) = naive.counts(XENON, vector("universal", 0.02, 1e-7)).values()
    assert tuple(in_bins[[0, 50, 111]]) == printed(218.758417533, 114.816484506, 80.7564218659)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("lmu-ltau", (4.3706047552e-3, 4.3705909331e-3, 4.3368546415e-3)),
        ("le-lmu", (8.2562275896e-3, 7.8218075401e-3, 2.4824470280e-3)),
    ],
)
def test_proton_charges_of_loops(model: str, expected: tuple[float, ...]) -> None:
    charges, _ = naive.VECTOR_CHARGES[model]
    loops = [2 * naive.ALPHA / math.pi * naive.vacuum_polarisation(charges, q2) for q2 in (0.0, 1.0, 2500.0)]
    assert loops == pytest.approx(expected, rel=2e-11, abs=0)


def test_constants_of_section_1() -> None:
    fermi = 1 / (math.sqrt(2) * naive.G_FERMI)
    moment = math.pi * naive.ALPHA**2 / naive.M_ELECTRON**2 * naive.CM2_PER_MEV_2
    found = (fermi, 4 * math.pi * naive.ALPHA * fermi, moment)
    assert found == pytest.approx((60624116437.18695, 5559306462.608948, 2.49467202303e-25), rel=3e-12, abs=0)
    per_unit = naive.nucleon_couplings(
        dict.fromkeys(("uL", "uR", "dL", "dR"), 0.0) | radius("e", 1).interfering("e", 9.0)
    )
    assert per_unit == pytest.approx((-0.0237955871, 0.0), abs=5e-11)


Family = Callable[[float], Interaction]


def of_coupling(model: str, mass: float) -> Family:
    return lambda g: vector(model, mass, g)


def crossing(experiment: str, family: Family, near: float, lowest: float, sigma_sys: float | None = None) -> float:
    """The strength close to a printed one at which chi2 is above its infimum by the quantile."""

    def above(strength: float) -> float:
        return naive.chi2_with(experiment, family(strength), sigma_sys) - lowest - QUANTILE

    return float(brentq(above, 0.99 * near, 1.01 * near, xtol=1e-300, rtol=1e-14))


@pytest.mark.parametrize(
    ("experiment", "family", "sigma_sys", "expected"),
    [
        ("conus", of_coupling("b-l", 3), None, 6.15586397295e-6),
        (XENON, of_coupling("b-l", 0.02), None, 4.98323147429e-8),
        (LAR, lambda eps: nsi("etau", {"u": eps}), 0.1, 0.147816877394),
        ("conus", lambda moment: magnetic("e", moment), 0.1, 17.0759664578),
    ],
)
def test_limits(experiment: str, family: Family, sigma_sys: float | None, expected: float) -> None:
    """The data are the Standard Model's prediction, so that the infimum is 0."""
    assert crossing(experiment, family, expected, 0.0, sigma_sys) == pytest.approx(expected, rel=2e-11, abs=0)


@pytest.mark.parametrize(
    ("experiment", "mass_over_g"),
    [(CSI, 867.534522), (LAR, 989.860875), ("conus", 980.348579), ("connie", 1041.535386), (XENON, 2346.787224)],
)
def test_heavy_limits_are_those_of_the_contact_rule(experiment: str, mass_over_g: float) -> None:
    """B-L only adds events: in measured data that are too few of them, too, the infimum is the Standard Model's."""
    lowest = naive.chi2_with(experiment, naive.STANDARD)
    found = 1e4 / crossing(experiment, of_coupling("b-l", 1e7), 1e4 / mass_over_g, lowest)
    assert found == pytest.approx(mass_over_g, abs=6e-7)


@pytest.mark.parametrize(
    ("experiment", "model", "mass", "ends", "last_digits"),
    [
        (CSI, "universal", 30, (4.6218675105e-5, 9.3349618308e-5, 1.10286532483e-4), 3e-8),
        ("conus", "universal", 0.3, (2.37801227894e-6, 7.69195116843e-6, 8.59064525950e-6), 2e-11),
        (CSI, "lmu-ltau", 60, (3.39486257125e-3, 4.66297488132e-3, 6.22956847659e-3), 2e-11),
    ],
)
def test_islands(experiment: str, model: str, mass: float, ends: tuple[float, ...], last_digits: float) -> None:
    """The infimum lies between the ends of an allowed interval: in data without a deficit it is 0, at g = 0.

    The last end at coherent-csi is printed to eight digits only: there Delta chi2 is 9e-7 below the quantile.
    """
    family = of_coupling(model, mass)
    dip = minimize_scalar(
        lambda share: naive.chi2_with(experiment, family(share * ends[0])), bounds=(0, 1), options={"xatol": 1e-9}
    )
    crossings = [crossing(experiment, family, end, float(dip.fun)) for end in ends]
    assert crossings[:-1] == pytest.approx(ends[:-1], rel=2e-11, abs=0)
    assert crossings[-1] == pytest.approx(ends[-1], rel=last_digits, abs=0)


def test_one_interval_or_two() -> None:
    """If one of three neutrinos interferes, there is no island; if two interfere, there is one."""
    grid = np.linspace(-0.4, 1.2, 33)
    lowest = {
        flavour: np.array([naive.chi2_with(CSI, nsi(2 * flavour, {"u": eps})) for eps in grid])
        for flavour in ("e", "mu")
    }
    allowed = {flavour: chi2 < chi2.min() + QUANTILE for flavour, chi2 in lowest.items()}
    intervals = {flavour: int((np.diff(within.astype(int)) == 1).sum()) for flavour, within in allowed.items()}
    assert intervals == {"e": 1, "mu": 2}


@pytest.mark.parametrize(
    "new", [vector("lmu-ltau", 10, 1e-2), vector("b-3lmu", 10, 1e-2), nsi("mutau", {"eL": 0.5, "u": 0.5})]
)
@pytest.mark.parametrize("experiment", ["conus", XENON])
def test_no_charge_no_sensitivity(experiment: str, new: Interaction) -> None:
    """A pure source of nu_e or nubar_e isn't sensitive to interactions of nu_mu and nu_tau alone."""
    standard = naive.standard_counts(experiment)
    assert naive.all_counts(experiment, new) == pytest.approx(standard, rel=1e-12, abs=0)
