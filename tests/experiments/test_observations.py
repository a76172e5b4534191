from dataclasses import replace

import naive
import numpy as np
import pytest
from conftest import Write, require_refused
from described import described
from test_reconstruction import LINDHARD

import fastscan
from fastscan import experiments
from fastscan.errors import ExperimentError
from fastscan.experiments import Projection
from fastscan.experiments.observations import Counts
from fastscan.likelihoods.response import response

SIGNAL = np.array([30.0, 0.5, 7.0])


def test_measured_counts_are_those_of_coherent() -> None:
    counts = experiments.load("coherent-csi").statistics.counts(np.array([180.12]))
    counted = naive.CSI_MEASURED + naive.CSI_NEUTRONS + 2 * naive.CSI_STEADY
    assert counts.data == [naive.CSI_MEASURED - naive.CSI_NEUTRONS]
    assert counts.variance == [counted]
    assert counts.background == [0.0]
    assert counts.spread == pytest.approx((naive.CSI_NEUTRON_SIGMA * naive.CSI_NEUTRONS) ** 2 / counted, rel=1e-15)


def test_what_is_expected_of_a_measurement_is_the_prediction() -> None:
    experiment = experiments.load("coherent-csi")
    assert experiment.is_measured
    assert not experiment.expected().is_measured
    counts = experiment.expected().statistics.counts(np.array([180.0]))
    assert counts.data == [180.0]
    assert counts.variance == [180.0 + 2 * naive.CSI_NEUTRONS + 2 * naive.CSI_STEADY]


@pytest.mark.parametrize("scales", [True, False])
def test_projected_counts_have_a_background_in_proportion(scales: bool) -> None:
    counts = Projection(background=0.3, background_scales=scales, sigma_sys=0.2).counts(SIGNAL)
    assert counts.background == pytest.approx(0.3 * SIGNAL if scales else 0 * SIGNAL)
    assert counts.data == pytest.approx(SIGNAL + counts.background)
    assert counts.variance == pytest.approx(1.3 * SIGNAL)
    assert counts.spread == 0


BINS = LINDHARD + '\nbins = { start = 160, stop = 190, num = 3, unit = "eVee" }'
ONE = LINDHARD + '\nthreshold = "160 eVee"'


def observing(words: str, detector: str = BINS, kind: str = "measured") -> str:
    """An experiment's file with such [statistics]."""
    plain = 'kind = "projection"\nsigma_sys = 0.1'
    text = described(detector)
    assert plain in text
    return text.replace(plain, f'kind = "{kind}"\nsigma_sys = 0.1\n{words}')


def background(name: str, words: str) -> str:
    return f'\n[[statistics.background]]\nname = "{name}"\n{words}'


def counts_of(path: str) -> Counts:
    experiment = experiments.load(path)
    return experiment.statistics.counts(np.full(experiment.exposed.bins, 4.0), experiment.exposed)


def least(data: np.ndarray, model: np.ndarray, variance: np.ndarray, sigma: float) -> float:
    """chi2 with a normalisation, by its closed form."""
    d, m = data - model, model
    a = (d * m / variance).sum() / ((m * m / variance).sum() + 1 / sigma**2)
    return float(((d - a * m) ** 2 / variance).sum() + (a / sigma) ** 2)


def test_counts_per_bin_have_the_variance_of_what_was_counted_and_subtracted(write: Write) -> None:
    words = (
        "observed = [50, 60, 70]"
        + background("neutrons", "events = [1, 2, 3]")
        + background("flat", "events = [4, 4, 4]")
    )
    counts = counts_of(str(write("own.toml", observing(words))))
    assert counts.data.tolist() == [45, 54, 63]
    assert counts.variance.tolist() == [55, 66, 77]


def test_errors_per_bin_are_the_given_ones(write: Write) -> None:
    write("data.csv", "eVee_lo,excess,error\n160,5,2\n170,-6,3\n180,0,4\n")
    lists = counts_of(str(write("lists.toml", observing("observed = [5, -6, 0]\nerror = [2, 3, 4]"))))
    from_file = observing('observed = { file = "data.csv", column = "excess", error = "error" }')
    found = counts_of(str(write("file.toml", from_file)))
    for each in (lists, found):
        assert each.data.tolist() == [5, -6, 0]
        assert each.variance.tolist() == [4, 9, 16]


def test_the_chi2_of_bins_is_its_closed_form(write: Write) -> None:
    words = "observed = [90, 60, 70]" + background("neutrons", "events = [1, 2, 3]")
    path = write("own.toml", observing(words))
    found = experiments.load(path)
    shape = response(found).total
    for mass in (300.0, np.inf):
        pair = np.array(naive.couplings("cevns", "chi", mass))
        signal = shape @ [pair[0] ** 2, pair[0] * pair[1], pair[1] ** 2]
        theirs = least(np.array([89.0, 58, 67]), signal, np.array([91.0, 62, 73]), 0.1)
        assert fastscan.chi2(path, "chi", m_zprime=mass) == pytest.approx(theirs, rel=1e-9)


def test_a_signal_and_its_error_are_the_form_of_the_published_total(write: Write) -> None:
    """(395 - N)^2 / (106^2 + (0.17 N)^2), with N the prediction."""
    path = write(
        "own.toml", observing("signal = 395\nsignal_error = 106", ONE).replace("sigma_sys = 0.1", "sigma_sys = 0.17")
    )
    n = fastscan.events(path, "chi", m_zprime=300.0)
    theirs = (395 - n) ** 2 / (106**2 + (0.17 * n) ** 2)
    assert fastscan.chi2(path, "chi", m_zprime=300.0) == pytest.approx(theirs, rel=1e-10)


def test_of_unequal_errors_the_mean_is_taken(write: Write) -> None:
    counts = counts_of(str(write("own.toml", observing("signal = 20.6\nsignal_error = [6.3, 7.1]", ONE))))
    assert counts.variance == pytest.approx([6.7**2])


def test_what_is_expected_of_bins_is_the_prediction(write: Write) -> None:
    words = "observed = [50, 60, 70]" + background("neutrons", "events = [1, 2, 3]")
    path = write("own.toml", observing(words))
    experiment = experiments.load(path).expected()
    assert not experiment.is_measured
    counts = experiment.statistics.counts(np.array([10.0, 20.0, 30.0]), experiment.exposed)
    assert counts.data.tolist() == [10, 20, 30]
    assert counts.variance.tolist() == [12, 24, 36]
    one = experiments.load(write("one.toml", observing("signal = 395\nsignal_error = 106", ONE))).expected()
    assert one.statistics.counts(np.array([347.0])).data == [347.0]


@pytest.mark.parametrize(
    ("rate", "error", "factor"),
    [
        ("48.3 /d/100t", "1.1 /d/100 t", 365 / 1e5),
        ("0.7 /d", "0.1 /d", 365),
        ("2 /eVee/kg/h", "1 /eVee/kg/h", 8760 * 30),
    ],
)
def test_a_measured_rate_is_so_many_events(rate: str, error: str, factor: float, write: Write) -> None:
    """The rate is for 1 kg, a year and a bin of 30 eVee."""
    one = LINDHARD + '\nbins = { edges = [160, 190], unit = "eVee" }'
    measured = experiments.load(write("own.toml", observing(f'rate = "{rate}"\nrate_error = "{error}"', one)))
    events, spread = (float(text.split()[0]) * factor for text in (rate, error))
    signal = np.array([4.0])
    counts = measured.statistics.counts(signal, measured.exposed)
    assert (*counts.data, *counts.variance) == pytest.approx((events, spread**2), rel=1e-12)
    assert fastscan.show(measured).data == pytest.approx([events], rel=1e-12)
    expected = measured.expected()
    assert measured.is_measured
    assert not expected.is_measured
    assert expected.statistics.counts(signal, expected.exposed).data.tolist() == [4.0]
    assert expected.statistics.counts(signal, expected.exposed).variance == pytest.approx([spread**2], rel=1e-12)


def test_a_template_has_the_total_that_is_given(write: Write) -> None:
    write("template.csv", "# E n\n1 2\n2 3\n3 5\n")
    words = "observed = [50, 60, 70]" + background("ss", 'file = "template.csv"\ncolumn = "n"\ntotal = 20')
    assert counts_of(str(write("own.toml", observing(words)))).data == pytest.approx([46, 54, 60])
    as_it_is = words.replace("\ntotal = 20", "")
    assert counts_of(str(write("own.toml", observing(as_it_is)))).data == pytest.approx([48, 57, 65])


@pytest.mark.parametrize(
    ("rate", "each"),
    [("6 /keVee/kg/d", 6 * 0.01 * 365), ("6 /keV/d/kg", 6 * 0.01 * 365), ("0.006 /eVee/g/h", 0.006 * 10 * 1000 * 8760)],
)
def test_a_rate_is_multiplied_by_its_exposure(rate: str, each: float, write: Write) -> None:
    """The bins have 10 eVee, the target 1 kg, and the exposure is a year."""
    path = write("own.toml", observing(f'background = "{rate}"', kind="projection"))
    counts = counts_of(str(path))
    assert counts.data == pytest.approx([4.0] * 3)
    assert counts.variance - 4 == pytest.approx([each] * 3)
    heavier = experiments.load(path)
    heavier = replace(heavier, exposure_s=2 * heavier.exposure_s)
    assert heavier.statistics.counts(np.zeros(3), heavier.exposed).variance == pytest.approx([2 * each] * 3)


def test_the_error_of_a_background_in_one_bin_is_a_part_of_the_variance_that_grows_with_luminosity(
    write: Write,
) -> None:
    """The numbers are COHERENT's: 142 events, 6 of them neutrons, with an error of 25 %."""
    for observed in ("[142]", "142"):
        words = f"observed = {observed}" + background("neutrons", "events = 6\nerror = 0.25")
        counts = counts_of(str(write("own.toml", observing(words, ONE))))
        assert counts.variance == pytest.approx([148.0])
        assert counts.spread == pytest.approx((0.25 * 6) ** 2 / 148)


FOUR = background("ss", "events = [1, 2, 3]")


@pytest.mark.parametrize(
    ("words", "detector", "kind", "problem"),
    [
        (
            'observed = "five"',
            BINS,
            "measured",
            "observed: must be a number, a list of numbers, or a table with a file",
        ),
        ("observed = [5, 6]", BINS, "measured", "observed: must be as many numbers as the 3 bins, not 2"),
        ("observed = [5, 0, 6]", BINS, "measured", 'observed: bin 2 has no event, .* take kind = "poisson"'),
        ("observed = [5, 1, 6]\nerror = [1, 0, 1]", BINS, "measured", "error: must be between"),
        ("observed = [5, 1, 6]\nerror = [1, 1]", BINS, "measured", "error: must be as many as the 3 observed, not 2"),
        ('observed = { file = "no.csv", column = 1 }', BINS, "measured", "file: .*no.csv: No such file"),
        (
            'observed = { file = "less.csv", column = "n" }\nerror = [1, 1, 1]',
            BINS,
            "measured",
            "error: can't stand here: name the column of errors",
        ),
        ('observed = { file = "less.csv", column = "n" }', BINS, "measured", "column: .*less.csv: column 'n': must be"),
        ("signal = 3\nsignal_error = 1", BINS, "measured", "signal: is one number, where there are 3 bins"),
        ("signal = 3", ONE, "measured", "signal_error: missing"),
        ("signal = 3\nsignal_error = 1\nobserved = 3", ONE, "measured", "observed: can't stand here"),
        ("observed = 5\nsteady_state = 0\nbackground = 0\nbackground_error = 0", BINS, "measured", "give one for each"),
        ('rate = "3 /d"', ONE, "measured", "rate_error: missing"),
        ('rate = "3 /d"\nrate_error = 1', ONE, "measured", "rate_error: must be a rate such as"),
        ('rate = "3 /d"\nrate_error = "0 /d"', ONE, "measured", "rate_error: must be positive"),
        ('rate = "3 /d"\nrate_error = "1 /d"\nobserved = 3', ONE, "measured", "observed: can't stand here"),
        ('rate = "3 /d"\nrate_error = "1 /d"', BINS, "measured", "a rate says nothing of bins"),
        ('rate = "3 /d/0 t"\nrate_error = "1 /d"', ONE, "measured", "'3 /d/0 t' divides by nothing"),
        ('background = "6 /kg"', ONE, "projection", "background: '6 /kg' must have one time"),
        ('background = "6 /kg/day"', ONE, "projection", "'day' is no time, mass or energy"),
        ('background = "lots"', ONE, "projection", "background: must be a rate such as"),
        ('background = "6 /keVee/kg/d"', ONE, "projection", "a rate per energy needs bins that end"),
        ('background = "6 /d"', BINS, "projection", "a rate says nothing of bins"),
        ('background = "1.2.3 /d"', ONE, "projection", "background: must be a rate such as"),
        ('background = "1e400 /d"', ONE, "projection", "background: must be between 0 and 1e.15 in its unit"),
        (
            'background = "6 /keVnr/kg/d"',
            BINS,
            "projection",
            "is in recoil energy, where the detector's are in visible",
        ),
        ('background = "6 /d"\nbackground_scales = true', ONE, "projection", "background_scales: must be false"),
        ("observed = [5, 6, 7]" + FOUR + FOUR, BINS, "measured", "'ss' is there twice"),
        (
            "observed = [5, 6, 7]" + background("a", "events = [1]"),
            BINS,
            "measured",
            "'a': must be as many numbers as the 3",
        ),
        ("observed = [5, 6, 7]" + background("a", "event = [1]"), BINS, "measured", "did you mean it by 'event'"),
        (
            "observed = [5, 6, 7]" + FOUR + "\nerror = 0.1",
            BINS,
            "measured",
            'in several bins it is a nuisance of its own: take kind = "poisson"',
        ),
    ],
)
def test_what_is_wrong_in_an_observation_is_told(
    words: str, detector: str, kind: str, problem: str, write: Write
) -> None:
    write("less.csv", "n,error\n5,1\n-3,1\n6,1\n")
    require_refused(experiments.load, write("own.toml", observing(words, detector, kind)), problem)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ('exposure = "331 kg x"', "exposure: must be a time such as '1 yr', or a mass times a time"),
        ('exposure = "many kg d"', "exposure: 'many d' is no time"),
        ('exposure = "331 kg d"\nlive_time = "300 d"', "live_time: the exposure says 331 d"),
        ('exposure = "1 yr"\nlive_time = "300 d"', "live_time: can't stand here: the exposure is a time"),
    ],
)
def test_an_exposure_that_is_wrong_or_given_twice_is_told(words: str, problem: str, write: Write) -> None:
    require_refused(experiments.load, write("own.toml", described(ONE).replace('exposure = "1 yr"', words)), problem)


@pytest.mark.parametrize("words", ["331 kg d", "0.331 t d", '331 kg d"\nlive_time = "330 d'])
def test_an_exposure_is_a_mass_times_a_time(words: str, write: Write) -> None:
    path = write("own.toml", described(ONE).replace('exposure = "1 yr"', f'exposure = "{words}"'))
    assert experiments.load(path).exposure_s == pytest.approx(331 * 86400)


@pytest.mark.parametrize("number", [1e308, 1e200, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["conus", "coherent-csi"])
def test_numbers_that_python_gives_and_no_square_can_hold_are_refused(name: str, number: float) -> None:
    loaded = experiments.load(name)
    beyond = replace(loaded, statistics=replace(loaded.statistics, background=number))
    for each in (beyond, beyond.expected()):
        with pytest.raises(ExperimentError, match="has numbers too large for counts: check its data"):
            fastscan.limit(each, "chi")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("measured", "signal = 20\nsignal_error = 6"),
        ("measured", "observed = [20]\nerror = [5]"),
        ("projection", 'background = "0.42 /d"'),
        ("projection", background("neutrons", 'rate = "0.42 /d"\nerror = 0.1')),
    ],
)
def test_relative_errors_can_be_in_per_cent(kind: str, words: str, write: Write) -> None:
    text = observing(words, ONE, kind)
    per_cent = text.replace("sigma_sys = 0.1", 'sigma_sys = "10 %"').replace("error = 0.1", 'error = "10 %"')
    assert per_cent != text
    one, other = (experiments.load(write(name, each)) for name, each in (("a.toml", text), ("b.toml", per_cent)))
    assert one.statistics == other.statistics
