"""Bins in time: the arrival of a pulse's neutrinos, and the share of them that is counted."""

import math
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import Write, require_refused
from described import described
from hypothesis import given
from hypothesis import strategies as st
from test_reconstruction import CSI

import fastscan
from fastscan import experiments
from fastscan.experiments.timing import BoxPulse, GaussianPulse
from fastscan.likelihoods.response import response

TIME = '[time]\nunit = "us"\nedges = [-0.1, 0.4, 0.9, 6]\n'
GAUSSIAN = 'pulse = { shape = "gaussian", mean = 0.44, sigma = 0.15 }\n'
PION, MUON = 0.026033, 2.1969811


def timed(write: Write, words: str) -> experiments.Experiment:
    """An experiment with such a [time]."""
    return experiments.load(write("own.toml", described(CSI, "CsI", "pions", words)))


def shares(write: Write, words: str, neutrino: str) -> np.ndarray:
    time = timed(write, words).time
    assert time is not None
    found: np.ndarray = time.shares(neutrino)  # type: ignore[arg-type]
    return found


def test_the_arrival_in_argon_is_that_of_its_page(write: Write) -> None:
    edges = "[time]\nunit = 'us'\nedges = [-0.1, 0.4, 0.9, 1.4, 1.9, 2.4, 2.9, 3.4, 3.9, 4.4, 4.9]\n"
    prompt, delayed = (shares(write, edges + GAUSSIAN, neutrino) for neutrino in ("nu_mu", "nu_e"))
    assert prompt[:4] == pytest.approx([3.32533883e-01, 6.65083101e-01, 2.28854512e-03, 1.2e-09], rel=2e-9, abs=5e-11)
    assert delayed == pytest.approx(
        [
            1.46053691e-02, 1.62711787e-01, 1.67414171e-01, 1.33376548e-01, 1.06228378e-01, 8.46060913e-02,
            6.73849190e-02, 5.36690354e-02, 4.27449555e-02, 3.40444207e-02,
        ],
        rel=5e-9,
    )  # fmt: skip
    assert (prompt.sum(), delayed.sum()) == pytest.approx((0.99991, 0.86679), abs=5e-6)


def decayed(since: float, lifetimes: tuple[float, ...]) -> float:
    """Density of decays after a time."""
    if since < 0:
        return 0.0
    if len(lifetimes) == 1:
        return math.exp(-since / lifetimes[0]) / lifetimes[0]
    pion, muon = lifetimes
    return (math.exp(-since / muon) - math.exp(-since / pion)) / (muon - pion)


@pytest.mark.parametrize(("neutrino", "lifetimes"), [("nu_mu", (PION,)), ("nubar_mu", (PION, MUON))])
@pytest.mark.parametrize("pulse", ["gaussian", "box"])
@given(time=st.floats(-0.5, 5.0))
def test_a_density_is_the_pulse_folded_with_the_decays(
    pulse: str, neutrino: str, lifetimes: tuple[float, ...], time: float
) -> None:
    if pulse == "gaussian":
        ours = GaussianPulse(0.44, 0.15).density(neutrino, np.array([time]))[0]  # type: ignore[arg-type]
        protons = [0.44 + 0.15 * n for n in range(-9, 10)]

        def height(start: float) -> float:
            return naive.gaussian(start, 0.44, 0.15)
    else:
        ours = BoxPulse(0.1, 0.3).density(neutrino, np.array([time]))[0]  # type: ignore[arg-type]
        protons = [0.1, 0.4]

        def height(start: float) -> float:
            return 1 / 0.3

    near = [time - n * PION for n in (0, 1, 3, 6, 12, 40) if protons[0] < time - n * PION < protons[-1]]
    edges = [each for each in (*protons, *near) if each <= time]
    theirs = naive.integral(lambda start: height(start) * decayed(time - start, lifetimes), edges) if edges else 0.0
    assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-13)


def test_the_time_efficiency_is_inside_the_integral(write: Write) -> None:
    found = shares(write, TIME + GAUSSIAN + 'efficiency = { shape = "decay", start = 0.52, rate = 0.0494 }', "nu_e")

    def density(time: float) -> float:
        starts = [0.44 + 0.15 * n for n in range(-9, 10)]
        near = [time - n * PION for n in (0, 1, 3, 6, 12, 40) if starts[0] < time - n * PION < starts[-1]]
        edges = [each for each in (*starts, *near) if each <= time]
        if not edges:
            return 0.0
        return naive.integral(lambda s: naive.gaussian(s, 0.44, 0.15) * decayed(time - s, (PION, MUON)), edges)

    counted = naive.integral(lambda t: density(t) * math.exp(-0.0494 * max(0.0, t - 0.52)), [0.4, 0.52, 0.9])
    assert found[1] == pytest.approx(counted, rel=1e-8)


def test_an_arrival_from_a_file_is_shared_by_overlap(write: Write) -> None:
    """The bins have 200 ns; half of the bin that begins at 0.8 us is before 0.9 us."""
    write(
        "arrival.csv",
        "# t_ns nu_mu nu_e nubar_mu\n0 0.2 0.1 0\n200 0.3 0.1 0.1\n400 0.1 0.2 0\n600 0 0 0\n800 0.2 0.2 0",
    )
    words = TIME + '[time.arrival]\nfile = "arrival.csv"\nunit = "ns"\ntime = "t_ns"\n'
    words += "".join(f'{neutrino} = "{neutrino}"\n' for neutrino in ("nu_mu", "nu_e", "nubar_mu"))
    assert shares(write, words, "nu_mu") == pytest.approx([0.5, 0.2, 0.1], rel=1e-13)
    assert shares(write, words, "nubar_mu") == pytest.approx([0.1, 0.0, 0.0], rel=1e-13)


def test_bins_are_those_of_energy_times_those_of_time(write: Write) -> None:
    whole = response(experiments.load(write("whole.toml", described(CSI, "CsI", "pions"))))
    found = response(timed(write, TIME + GAUSSIAN))
    assert found.by_neutrino.shape == (3, 27, 3)
    for neutrino, each, all_times in zip(found.neutrinos, found.by_neutrino, whole.by_neutrino, strict=True):
        arriving = shares(write, TIME + GAUSSIAN, neutrino)
        assert each == pytest.approx((all_times[:, None] * arriving[:, None]).reshape(27, 3), rel=1e-14)


def test_a_detector_of_today_can_have_bins_in_time(tmp_path: Path) -> None:
    text = (experiments.catalogue.BUILT_IN / "coherent-ge.toml").read_text()
    path = tmp_path / "own.toml"
    path.write_text(text + TIME.replace("6]", "60]").replace("-0.1", "-2") + GAUSSIAN)
    assert fastscan.events(path, "chi", m_zprime=np.inf) == pytest.approx(
        fastscan.events("coherent-ge", "chi", m_zprime=np.inf), rel=1e-9
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (TIME, r"\[time\]: pulse: missing; give the pulse of protons, or the arrival"),
        (TIME.replace("-0.1", "0.5"), r"\[time\]: edges: must increase"),
        (TIME.replace('"us"', '"mus"') + GAUSSIAN, "unit: unknown unit 'mus'; did you mean 'us'"),
        (TIME + GAUSSIAN.replace("gaussian", "gausian"), "shape: unknown shape 'gausian'; did you mean 'gaussian'"),
        (TIME + GAUSSIAN + "arrival = { nu_e = [1] }", "arrival: can't stand here: there is a pulse"),
        (
            TIME + "arrival = { nu_mu = [1], nu_e = [1], nubar_mu = [1] }",
            "nu_mu: must be as many as the 3 bins of time, not 1",
        ),
        (
            TIME + "arrival = { nu_mu = [1, 1, 1], nu_e = [0, 0, 0], nubar_mu = [0, 0, 0] }",
            "nu_mu: must not add up to more than 1, but to 3",
        ),
        (TIME + GAUSSIAN + 'efficiency = { shape = "decay", start = 1 }', r"\[efficiency\]: rate: missing"),
        (TIME.replace("-0.1, 0.4, 0.9, 6", "-9, -8") + GAUSSIAN, r"\[time\]: edges: are all before the first neutrino"),
        (TIME + GAUSSIAN + "pulses = 1", "unknown key 'pulses'; did you mean 'pulse'"),
    ],
)
def test_what_is_wrong_in_a_time_is_told(words: str, problem: str, write: Write) -> None:
    require_refused(experiments.load, write("own.toml", described(CSI, "CsI", "pions", words)), problem)


def test_a_reactor_has_no_pulse(write: Write) -> None:
    path = write("own.toml", described("efficiency = 0.5", more=TIME + GAUSSIAN))
    require_refused(experiments.load, path, "time: can't stand here: the source has no pulse")
