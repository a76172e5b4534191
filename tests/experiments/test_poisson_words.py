"""Counted events in experiments' files: their words, their data files, and the experiments of the package."""

import re
import tomllib
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, Write, refusal, require_refused, scanned
from described import ARGON, COUNTED, COUNTS, FACTOR, SHARES, TIME, counting, described, read
from hypothesis import given
from hypothesis import strategies as st

import fastscan
from fastscan import experiments
from fastscan.errors import ExperimentError, FastscanError, GridError
from fastscan.experiments import Helm
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.experiments.data_sets import require_distinct
from fastscan.experiments.poisson import Poisson
from fastscan.experiments.timing import GaussianPulse, Time
from fastscan.likelihoods.predictions import standard_counts, standard_energies
from fastscan.likelihoods.response import response
from fastscan.stores.combining import joint_cubes
from fastscan.stores.location import read_root

README = (REPOSITORY / "grids" / "README.md").read_text()
LABELS = 'bins = { energy = "kevee", time = "ns" }'


def counted(experiment: experiments.Experiment) -> Poisson:
    assert isinstance(experiment.statistics, Poisson)
    return experiment.statistics


def test_a_measurement_is_one_table(write: Write) -> None:
    found = read(write, f"{LABELS}\n{COUNTED}")
    statistics = counted(found)
    assert statistics.sigma_sys == 0.1
    assert statistics.observed == (3, 0, 7, 2)
    steady, neutrons = statistics.backgrounds_in(standard_counts(found), found.exposed).values()
    assert steady.tolist() == [1, 2, 3, 4]
    assert neutrons.tolist() == [0, 2, 4, 6]
    amount, late, wide = statistics.nuisances(found.exposed)
    assert [each.name for each in (amount, late, wide)] == ["steady", "late", "wide"]
    assert amount.change == pytest.approx([0.1, 0.2, 0.3, 0.4], rel=1e-15)
    up, down = np.array([3.0, 3, 6, 0]), np.array([3.0, 3, 1.5, 4.5])  # each with the sum of 12
    assert late.change.tolist() == ((up - down) / 2).tolist()
    assert wide.change.tolist() == (up - neutrons).tolist()
    assert found.told()["observation"] == "measured, 12 events, by Poisson's law; sigma_sys 0.1"
    assert found.told()["background"] == "steady 10 events +- 10 %; neutrons 12 events (nuisances late, wide)"


@pytest.mark.parametrize(
    "observed",
    [
        "observed = [3, 0, 7, 2]",
        'observed = { file = "counts.csv", column = "events" }',
        'observed = { file = "counts.csv", column = 3, bins = { energy = 1, time = 2 } }',
        'file = "counts.csv"\nobserved = "events"',
        'file = "counts.csv"\nobserved = { column = "events" }',
    ],
)
def test_events_are_a_list_or_a_column(observed: str, write: Write) -> None:
    assert counted(read(write, observed)).observed == (3, 0, 7, 2)


def test_one_bin_counts_one_number(write: Write) -> None:
    one = 'quenching = 0.25\nthreshold = "5 keVee"'
    assert counted(read(write, "observed = 142", time="", detector=one)).observed == (142,)


def test_what_is_not_observed_is_expected(write: Write) -> None:
    projected = read(write, 'file = "counts.csv"')
    assert not projected.is_measured
    assert projected.told()["observation"].startswith("projection, the Standard Model's prediction in place of data")
    measured = read(write)
    assert measured.is_measured
    assert measured.expected().statistics == replace(counted(measured), observed=None)


def test_backgrounds_can_be_rates_lists_and_empty(write: Write) -> None:
    words = 'observed = [3]\nbackground = "2 /d"'
    one = 'quenching = 0.25\nthreshold = "5 keVee"'
    rate = read(write, words, time="", detector=one)
    assert counted(rate).backgrounds_in(np.ones(1), rate.exposed)["background"] == pytest.approx([730], rel=1e-15)
    lists = read(write, "observed = [3, 0, 7, 2]\nbackground = [{ name = 'none', events = [0, 0, 0, 0], error = 1 }]")
    (nothing,) = counted(lists).nuisances(lists.exposed)
    assert nothing.change.tolist() == [0, 0, 0, 0]
    template = read(write, COUNTED.replace("total = 12", "total = 0"))
    assert counted(template).backgrounds_in(np.ones(4), template.exposed)["neutrons"].tolist() == [0, 0, 0, 0]


# --- Labels and digests of data files ---


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def refused(write: Write, counts: str, problem: str, words: str = f"{LABELS}\n{COUNTED}") -> None:
    """Such a data file is refused, named beside the file that names it."""
    data = write("counts.csv", counts)
    require_refused(
        experiments.load, write("own.toml", counting(words)), rf"file|bins.*{re.escape(str(data))}.*{problem}"
    )


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ("".join(lines(COUNTS)[:-1]), "must have a line for each of the 4 bins, not 3 lines"),
        (COUNTS + lines(COUNTS)[-1], "must have a line for each of the 4 bins, not 5 lines"),
        (COUNTS.replace("15,500", "15,1500"), r"line 5: time 1500 isn't in the bin from 0 to 1000, which is in turn"),
        (COUNTS.replace("24.9", "25"), r"line 6: energy 25 isn't in the bin from 15 to 25, which is in turn"),
        (COUNTS.replace("5,1000,", "5,-1,"), r"line 4: time -1 isn't in the bin from 1000 to 6000"),
        (COUNTS.replace("kevee,", "keV,"), "unknown column 'kevee'"),
        (COUNTS.replace("24.9", "x"), "line 6: 'x' is no number"),
    ],
)
def test_a_file_of_other_bins_is_refused(counts: str, problem: str, write: Write) -> None:
    refused(write, counts, problem)


@given(places=st.lists(st.integers(0, 3), min_size=2, max_size=2, unique=True).map(sorted))
def test_swapped_lines_are_refused_with_the_first_of_them(places: list[int], write: Write) -> None:
    first, second = (place + 2 for place in places)
    swapped = lines(COUNTS)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    refused(write, "".join(swapped), f"line {first + 1}: ")


@given(byte=st.integers(0, len(COUNTS) - 1), change=st.integers(1, 255))
def test_a_damaged_file_is_refused_by_its_digest(byte: int, change: int, write: Write) -> None:
    data = write("counts.csv", COUNTS)
    path = write("own.toml", counting(f'sha256 = "{sha256(COUNTS.encode()).hexdigest()}"\n{COUNTED}'))
    assert counted(experiments.load(path)).observed == (3, 0, 7, 2)
    damaged = bytearray(COUNTS.encode())
    damaged[byte] ^= change
    data.write_bytes(damaged)
    problem = (
        rf"file: {re.escape(str(data))} is damaged, or isn't the file that is described: its sha256 is [0-9a-f]{{64}}$"
    )
    require_refused(experiments.load, path, problem)


def test_a_digest_in_capitals_is_the_same(write: Write) -> None:
    assert counted(read(write, f'sha256 = "{sha256(COUNTS.encode()).hexdigest().upper()}"\n{COUNTED}')).is_measured


def test_any_file_can_have_a_digest(write: Write) -> None:
    write("efficiency.csv", "1,0.5\n2,0.6\n")
    detector = 'efficiency = { shape = "table", unit = "keV", file = "efficiency.csv", sha256 = "0", below = 0 }'
    require_refused(experiments.load, write("own.toml", described(detector)), r"file: .*efficiency\.csv is damaged")


def test_labels_are_in_the_units_of_the_edges(write: Write) -> None:
    """The same bins in eVee and us."""
    detector = ARGON.replace("start = 5, stop = 25", "start = 5000, stop = 25000").replace("keVee", "eVee")
    time = TIME.replace("ns", "us").replace("1000, 6000", "1, 6").replace("440", "0.44").replace("150", "0.15")
    counts = "kevee,ns,events\n5000,0,3\n5000,1,0\n15000,0,7\n15000,1,2\n"
    words = f'{LABELS}\nfile = "counts.csv"\nobserved = "events"'
    found = read(write, words, counts, time=time, detector=detector)
    assert found.detector.bins == pytest.approx(read(write).detector.bins, rel=1e-15)
    with pytest.raises(FastscanError, match="energy 5 isn't in the bin from 5000 to 15000"):
        read(write, words, COUNTS, time=time, detector=detector)


def test_gaussian_counts_can_have_labels_too(write: Write) -> None:
    words = f'observed = {{ file = "counts.csv", column = "steady", {LABELS} }}'
    write("counts.csv", COUNTS)
    path = write("own.toml", counting(words).replace('"poisson"', '"measured"'))
    assert experiments.load(path).is_measured
    write("counts.csv", COUNTS.replace("24.9", "14.9"))
    require_refused(experiments.load, path, r"counts\.csv: line 6: energy 14\.9 isn't in the bin from 15 to 25")


# --- A further quantity, and shapes of the signal ---


def test_a_factor_distributes_the_events_of_each_energy(write: Write) -> None:
    shapes = 'shapes = [{ name = "tilt", up = "up", down = "down" }, { name = "more", up = "up" }]\n'
    labels = 'bins = { energy = "kevee", F90 = "f90" }\n'
    found = read(write, "", factor=FACTOR + shapes + labels)
    assert found.factor is not None
    assert found.exposed.factor_bins == 2
    assert found.factor.shares().tolist() == [[0.5, 0.5], [0.25, 0.75]]
    tilt, more = found.factor.changes()
    assert tilt == pytest.approx(np.array([[0.15, 0.0], [0.0, 0.1]]), abs=1e-15)
    assert more == pytest.approx(np.array([[0.1, 0.0], [-0.05, 0.05]]), abs=1e-15)
    assert found.signal_shapes == ("tilt", "more")
    assert found.told()["factor"] == "F90, 2 bins from 0.5 to 0.9; nuisance tilt; nuisance more"
    alone = read(write, "")
    whole = standard_counts(alone).reshape(2, 1, 2)
    expected = whole * np.array([[0.5, 0.5], [0.25, 0.75]])[:, :, None]
    assert standard_counts(found) == pytest.approx(expected.ravel(), rel=1e-14)


def test_a_factor_is_one_of_the_labels(write: Write) -> None:
    labels = 'bins = { energy = "kevee", F90 = "f90", time = "ns" }'
    rows = [
        f"{e},{f},{t},{n}"
        for n, (e, f, t) in enumerate((e, f, t) for e in (5, 15) for f in (0.5, 0.7) for t in (0, 1000))
    ]
    counts = "\n".join(["kevee,f90,ns,events", *rows])
    words = f'{labels}\nfile = "counts.csv"\nobserved = "events"'
    assert counted(read(write, words, counts, factor=FACTOR)).observed == tuple(range(8))
    with pytest.raises(FastscanError, match=r"line 4: F90 0\.9 isn't in the bin from 0\.7 to 0\.9"):
        read(write, words, counts.replace("0.7", "0.9"), factor=FACTOR)


@given(offset=st.floats(-200, 2000))
def test_an_offset_is_a_later_pulse(offset: float) -> None:
    edges, pulse = (-0.1, 0.4, 0.9, 6.0), GaussianPulse(0.44, 0.15)
    later = Time(edges, pulse, offset=offset / 1000)
    same = Time(edges, replace(pulse, mean=0.44 + offset / 1000))
    assert later.shares("nu_e") == pytest.approx(same.shares("nu_e"), rel=1e-12, abs=1e-15)


def test_times_are_shifted_and_shaped_in_the_unit_of_the_table(write: Write) -> None:
    shapes = 'shapes = [{ name = "start", pulse = { shape = "gaussian", mean = 640, sigma = 150 } }]'
    time = read(write, time=f"{TIME}offset = 64\n{shapes}").time
    assert isinstance(time, Time)
    assert time.offset == pytest.approx(0.064, rel=1e-15)
    assert time.told().endswith(", 0.064 us later; nuisance start: Gaussian pulse at 0.64 us, sigma 0.15 us")
    (change,) = time.changes("nu_e")
    late = replace(time, arrival=GaussianPulse(0.64, 0.15)).shares("nu_e")
    own = time.shares("nu_e")
    assert change == pytest.approx(late * own.sum() / late.sum() - own, rel=1e-14)
    assert change.sum() == pytest.approx(0, abs=1e-15)


def test_a_neutrino_that_is_never_counted_has_no_shape() -> None:
    """After 100 us there are neutrinos of muons alone."""
    late = Time((100.0, 101.0, 102.0), GaussianPulse(0.44, 0.15), shapes=(("start", GaussianPulse(0.64, 0.15)),))
    (prompt,), (delayed,) = late.changes("nu_mu"), late.changes("nu_e")
    assert prompt.tolist() == [0, 0]
    assert np.isfinite(delayed).all()


# --- What is refused ---

SHAPE = '\nshapes = [{ name = "x", up = "up" }]'
ONE_BACKGROUND = '[[statistics.background]]\nname = "a"\n'
PULSE = 'pulse = { shape = "gaussian", mean = 440, sigma = 150 } }]'


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            "observed = [3, 0.5, 7, 2]",
            "observed: Poisson's law is one of whole events, and bin 2 has 0.5: give the events ",
        ),
        ("observed = [3, 0, 7]", "observed: must be as many numbers as the 4 bins, not 3"),
        ("observed = [3, -1, 7, 2]", "observed: must be between 0 and 1e"),
        ("observed = true", "observed: must be a number, a list of numbers, a column's name, or a table"),
        ('observed = "events"', "observed: is a column's name: give the file that it is in"),
        ('file = "counts.csv"\nobserved = "event"', "observed: .*unknown column 'event'; did you mean 'events'"),
        ('file = "no.csv"\nobserved = "events"', r"no\.csv: No such file"),
        (
            "observed = [3, 0, 7, 2]\nerror = [1, 1, 1, 1]",
            "error: can't stand here: the variance of what is counted is",
        ),
        ("observed = [3, 0, 7, 2]\nsteady_state = 5", "unknown key 'steady_state'"),
        (f'file = "counts.csv"\n{ONE_BACKGROUND}', "column: missing"),
        (f"{ONE_BACKGROUND}events = [1, 2, 3]", "'a': must be as many numbers as the 4 bins, not 3"),
        (f"{ONE_BACKGROUND}events = [1, 2, 3, 4]{SHAPE}", "shapes: can't stand here: they are columns of a file"),
        (f'{ONE_BACKGROUND}rate = "1 /d"{SHAPE}', "shapes: can't stand here: there is a rate"),
        (f'{ONE_BACKGROUND}rate = "1 /d"', "'a': a rate says nothing of bins"),
        (COUNTED.replace("total = 12", "total = 12\nevents = [1]"), "events: can't stand here: they are in the file"),
        (COUNTED.replace('column = "steady"', 'column = "zero"\ntotal = 4'), "column: a template without any event"),
        (COUNTED.replace('down = "down"', 'down = "zero"'), r"shapes\]\] 1: down: a template without any event"),
        (COUNTED.replace('down = "down"', 'left = "down"'), r"shapes\]\] 1: unknown key 'left'"),
        (COUNTED.replace('"late"', '"steady"'), "nuisance 'steady' is there twice"),
        (COUNTED.replace('"late"', '"wide"'), "nuisance 'wide' is there twice"),
        (
            COUNTED.replace('"steady"\ncolumn', '"signal"\ncolumn'),
            "'signal' is that of the signal itself, and is there",
        ),
        (
            "background = [" + ",".join(f"{{ name = '{n}', events = [0, 0, 0, 0] }}" for n in range(100)) + "]",
            "statistics: must be at most 100 nuisances in all, not 101",
        ),
        (f"bins = {{ energie = 1 }}\n{COUNTED}", "unknown key 'energie'; did you mean 'energy'"),
        (f"bins = {{ energy = 9 }}\n{COUNTED}", r"energy: .*counts\.csv: there is no column 9"),
        (f"bins = 1\n{COUNTED}", "bins: must be a table"),
        (f'sha256 = ""\n{COUNTED}', "is damaged, or isn't the file that is described"),
        ('sha256 = "x"', "unknown key 'sha256'"),
    ],
)
def test_what_is_wrong_in_counted_events_is_told(words: str, problem: str, write: Write) -> None:
    write("counts.csv", COUNTS)
    require_refused(experiments.load, write("own.toml", counting(words)), problem)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (FACTOR.replace('"F90"', '"time"'), "name: 'time' has bins of its own: this is another quantity"),
        (FACTOR.replace("0.5, 0.7, 0.9", "0.5, 0.9, 0.7"), r"\[factor\]: edges: must increase"),
        (FACTOR.replace("0.5, 0.7, 0.9", "0.5"), r"\[factor\]: edges: must be two or more"),
        (FACTOR.replace("0.5, 0.7", "0.5"), r"f90\.csv: must have a line for each of the 2 bins, not 4 lines"),
        (FACTOR.replace('"probability"', '"kevee"'), "column: .*must be between 0 and 1, not 10"),
        (FACTOR.replace('"probability"', '"f90"'), "column: must not add up to more than 1, but to 1.4 in bin 1"),
        (FACTOR + "column2 = 1", "unknown key 'column2'; did you mean 'column'"),
        (FACTOR + "bins = { energy = 'f90' }", r"f90\.csv: line 2: energy 0.6 isn't in the bin from 5 to 15"),
        (FACTOR + 'shapes = [{ name = "x", up = "up" }, { name = "x", up = "down" }]', "nuisance 'x' is there twice"),
        (FACTOR + 'shapes = [{ name = "x", up = "ups" }]', "up: .*unknown column 'ups'; did you mean 'up'"),
        (TIME + 'shapes = [{ name = "x", pulses = {} }]', "pulse: missing; .* mean it by 'pulses'"),
        (TIME + f'shapes = [{{ name = "steady", {PULSE}', "nuisance 'steady' is there twice"),
        (TIME + f'shapes = [{{ name = "x", {PULSE.replace("440", "1e6")}', "leaves no neutrino in the bins"),
        (TIME + "offset = 1e9", "edges: are all before the first neutrino"),
        (TIME + 'offset = "1 ns"', "offset: must be a number"),
        (TIME[: TIME.index("pulse")] + "offset = 1\narrival = { nu_mu = [1], nu_e = [1], nubar_mu = [1] }",
         "offset: can't stand here: the shares of the arrival are those that are counted"),
        (TIME[: TIME.index("pulse")] + "shapes = []\narrival = { nu_mu = [1], nu_e = [1], nubar_mu = [1] }",
         "shapes: can't stand here: the shares of the arrival are those that are counted"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_factor_or_a_time_is_told(more: str, problem: str, write: Write) -> None:
    write("counts.csv", COUNTS)
    write("f90.csv", SHARES)
    text = counting(COUNTED, more) if "[time]" in more else counting("", TIME, more)
    require_refused(experiments.load, write("own.toml", text), problem)


@pytest.mark.parametrize(
    ("time", "factor", "words", "problem"),
    [
        (TIME + 'shapes = [{ name = "x", ' + PULSE, "", "observed = [1, 1, 1, 1]", r"\[time\]: shapes"),
        (TIME, FACTOR + SHAPE, "observed = [1, 1, 1, 1, 1, 1, 1, 1]", r"\[factor\]: shapes"),
        (TIME, "", f'observed = [1, 1, 1, 1]\n{ONE_BACKGROUND}file = "counts.csv"\ncolumn = "up"{SHAPE}',
         r"background\]\] 1: shapes"),
    ],
)  # fmt: skip
def test_a_gaussian_chi2_has_no_shapes(time: str, factor: str, words: str, problem: str, write: Write) -> None:
    write("counts.csv", COUNTS)
    write("f90.csv", SHARES)
    path = write("own.toml", counting(words, time, factor).replace('"poisson"', '"measured"'))
    told = f'{problem}: can\'t stand here: each is a nuisance of its own, for which there is kind = "poisson"'
    require_refused(experiments.load, path, told)


def test_there_are_not_too_many_bins(write: Write) -> None:
    time = TIME.replace("[0, 1000, 6000]", str(list(range(601))))
    detector = 'bins = { start = 1, stop = 100, num = 2000, unit = "keV" }'
    path = write("own.toml", counting("", time, detector=detector))
    require_refused(experiments.load, path, "detector: bins: must be at most 1000000 with those of time, not 1200000")


def test_how_electrons_are_distributed_is_not_known(write: Write) -> None:
    write("f90.csv", SHARES)
    path = write("own.toml", counting("", factor=FACTOR).replace('"cevns"', '"cevns"\nelectrons = true'))
    require_refused(experiments.load, path, "electrons: how 'F90' of electrons is distributed isn't known")


def test_one_measured_number_has_no_factor(write: Write) -> None:
    words = "observed = 5\nsteady_state = 1\nbackground = 0\nbackground_error = 0"
    text = counting(words, "", FACTOR, 'quenching = 0.25\nthreshold = "5 keVee"').replace('"poisson"', '"measured"')
    write("f90.csv", "".join(lines(SHARES)[:3]))
    require_refused(
        experiments.load, write("own.toml", text), "factor: can't stand here: a measured count is one number"
    )


# --- Data sets ---


def test_two_of_a_data_set_cannot_be_combined(write: Write) -> None:
    twice = "experiments 'a' and 'c' can't be combined: both count events of the data set 'x'"
    require_distinct({"a": "x", "b": "y", "c": "", "d": ""})
    with pytest.raises(ExperimentError, match=twice):
        require_distinct({"a": "x", "b": "y", "c": "x"})


@pytest.mark.parametrize("variant", ["coherent-csi-2017", "coherent-csi-2021-helm"])
def test_a_question_combines_no_data_set_with_itself(variant: str) -> None:
    assert "data set 'coherent-csi'" in refusal("limit", f"coherent-csi,{variant}", "nsi-ee-u")
    with pytest.raises(ExperimentError, match="can't be combined: both count events of the data set 'coherent-csi'"):
        fastscan.chi2(["coherent-csi", "conus", variant], "chi", m_zprime=100)


def test_a_grid_combines_no_data_set_with_itself(write: Write) -> None:
    text = 'models = ["chi"]\n[axes]\nm_zprime = { values = [100], unit = "GeV" }\n[combine.both]\nexperiments = '
    path = write("grid.toml", text + '["coherent-csi", "coherent-csi-2017"]')
    with pytest.raises(GridError, match=r"\[both\]: experiments: experiments .* data set 'coherent-csi'"):
        fastscan.grid.load(path)


def test_a_store_combines_no_data_set_with_itself(write: Write, tmp_path: Path) -> None:
    conus = (BUILT_IN / "conus.toml").read_text()
    for name in ("one", "two"):
        write(f"{name}.toml", f'data_set = "same"\n{conus}')
    grid = (
        'experiments = ["one.toml", "two.toml"]\nmodels = ["chi"]\n[axes]\nm_zprime = { values = [100], unit = "GeV" }'
    )
    store = scanned(grid, tmp_path)
    with pytest.raises(ExperimentError, match=r"'one' and 'two' can't be combined: both count .* data set 'same'"):
        joint_cubes(read_root(store), ["one", "two"])


# --- Variants ---


def test_a_variant_says_what_differs(write: Write) -> None:
    text = 'variant_of = "coherent-csi-2021"\ntitle = "mine"\n[statistics]\nsigma_sys = 0.1'
    found, base = experiments.load(write("mine.toml", text)), experiments.load("coherent-csi-2021")
    expected = replace(
        base,
        name="mine",
        label="mine",
        title="mine",
        statistics=replace(counted(base), sigma_sys=0.1),
        digest=found.digest,
    )
    assert found == expected
    assert found.digest != base.digest


def test_a_variant_of_a_file_finds_the_data_of_both(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("base", "variants"):
        (tmp_path / folder).mkdir()
    write("base/counts.csv", COUNTS)
    write("base/base.toml", "name = 'theirs'\n" + counting())
    write("variants/neutrons.csv", "n\n4\n3\n2\n1\n")
    text = """
variant_of = "../base/base.toml"
title = "mine"
[[statistics.background]]
name = "neutrons"
file = "neutrons.csv"
column = "n"
"""
    write("variants/mine.toml", text)
    monkeypatch.chdir(tmp_path)
    found = experiments.load("variants/mine.toml")
    (neutrons,) = counted(found).backgrounds
    assert (found.name, counted(found).observed, neutrons.amount.each) == ("mine", (3, 0, 7, 2), (4, 3, 2, 1))
    digest = found.digest
    write("base/base.toml", (tmp_path / "base" / "base.toml").read_text() + "# a comment\n")
    assert experiments.load("variants/mine.toml").digest != digest


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'variant_of = "coherent-csi-2022"\ntitle = "x"',
            "variant_of: unknown experiment 'coherent-csi-2022'; did you",
        ),
        ('variant_of = "no.toml"\ntitle = "x"', r"variant_of: .*no\.toml: No such file"),
        ('variant_of = "coherent-csi-2021-helm"\ntitle = "x"', "variant_of: is a variant itself"),
        ('variant_of = "mine.toml"\ntitle = "x"', "variant_of: is a variant itself"),
        ('variant_of = "coherent-csi-2021"', r"mine\.toml \(a variant of .*coherent-csi-2021\.toml\): title: missing"),
        ('variant_of = "coherent-csi-2021"\ntitle = "x"\nx = 1', r"\(a variant of .*: unknown key 'x'"),
        (
            'variant_of = "coherent-csi-2021"\ntitle = "x"\n[statistics]\nkind = "measured"',
            r"\(a variant of .*\[statistics\]: observed",
        ),
        (
            'variant_of = "coherent-csi-2021"\ntitle = "x"\n[statistics]\nfile = "coherent-lar-2020.csv"',
            r"coherent-lar-2020\.csv: No such file",
        ),
        ("variant_of = 1", "variant_of: must be a text, not 1"),
        ('title = "x"\n[axes]\nvariant_of = 1', "is a grid's file, where an experiment's is needed"),
    ],
)
def test_what_is_wrong_in_a_variant_is_told(text: str, problem: str, write: Write) -> None:
    require_refused(experiments.load, write("mine.toml", text), problem)


# --- The experiments of the package ---

PACKAGE = [name for name in experiments.names() if re.search("csi-20|lar-20", name)]


def parsed(name: str) -> dict[str, object]:
    return tomllib.loads((BUILT_IN / f"{name}.toml").read_text())


def files_in(value: object) -> list[dict[str, object]]:
    """The tables of a file that name a data file."""
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    own = [value] if isinstance(value, dict) and "file" in value else []
    return own + [each for part in inside for each in files_in(part)]


DATA = sorted({str(table["file"]) for name in PACKAGE for table in files_in(parsed(name))})


@pytest.fixture
def own_copy(tmp_path: Path) -> Path:
    """A copy of the package's files, in which experiments have names that are free."""
    for data in DATA:
        (tmp_path / data).write_bytes((BUILT_IN / data).read_bytes())
    for name in PACKAGE:
        text = (BUILT_IN / f"{name}.toml").read_text()
        (tmp_path / f"own-{name}.toml").write_text(re.sub('variant_of = "(.*)"', r'variant_of = "own-\1.toml"', text))
    return tmp_path


@pytest.mark.parametrize("name", PACKAGE)
def test_each_data_file_of_the_package_has_its_digest(name: str) -> None:
    for table in files_in(parsed(name)):
        assert table["sha256"] == sha256((BUILT_IN / str(table["file"])).read_bytes()).hexdigest()


@pytest.mark.parametrize("data", DATA)
def test_a_damaged_file_of_the_package_is_refused(data: str, own_copy: Path) -> None:
    users = [name for name in PACKAGE if data in {table["file"] for table in files_in(parsed(name))}]
    file = own_copy / data
    content = file.read_bytes()
    for name in users:
        assert experiments.load(own_copy / f"own-{name}.toml").is_measured
    file.write_bytes(content[:-1])
    for name in users:
        path = own_copy / f"own-{name}.toml"
        require_refused(experiments.load, path, rf"file: {re.escape(str(file))} is damaged, or isn't the file")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("coherent-csi-2021", "coherent-csi-2021.csv"),
        ("coherent-csi-2017", "coherent-csi-2017.csv"),
        ("coherent-lar-2020", "coherent-lar-2020.csv"),
        ("coherent-lar-2020", "coherent-lar-2020-f90.csv"),
    ],
)
def test_without_a_digest_the_labels_of_the_package_tell(name: str, data: str, own_copy: Path) -> None:
    path, file = own_copy / f"own-{name}.toml", own_copy / data
    path.write_text(re.sub('sha256 = ".*"\n', "", path.read_text()))
    rows = lines(file.read_text())
    first = next(number for number, line in enumerate(rows) if line[0] not in "#abcdefghijklmnopqrstuvwxyz")
    label, rest = rows[first].split(",", 1)
    wrong = {
        "truncated": (rows[:-1], "must have a line for each of the"),
        "swapped": ([*rows[:first], rows[first + 1], rows[first], *rows[first + 2 :]], f"line {first + 1}: "),
        "relabelled": (
            [*rows[:first], f"{float(label) + 1000},{rest}", *rows[first + 1 :]],
            f"line {first + 1}: energy ",
        ),
    }
    for changed, problem in wrong.values():
        file.write_text("".join(changed))
        require_refused(experiments.load, path, f"{re.escape(str(file))}: {problem}")


# Bins of the tables of measurements/csi.md and lar.md, and what backgrounds, shapes and data are in them.
BINS = {
    ("coherent-csi-2021", (9, 11)): (
        ("ss", "brn", "nin", "data"),
        {
            (1, 3): (2.29268501, 0.15170146, 0.00802759, 3),
            (2, 8): (25.57521138, 0.02049163, 0.21182791, 49),
            (4, 6): (2.41136143, 0.40634403, 0.03456921, 5),
            (5, 9): (66.64834194, 0.00068582, 0.31654434, 65),
            (8, 10): (66.05747347, 0.00016288, 0.08054589, 62),
        },
    ),
    ("coherent-lar-2020", (12, 8, 10)): (
        ("ss", "brn", "delbrn", "brn_energy", "brn_time", "brn_width", "data"),
        {
            (0, 2, 1): (13.47829932, 11.21270016, 0, -0.42339722, -0.60996002, 3.32400151, 31),
            (0, 4, 1): (9.33881953, 7.73086011, 0, -0.26933811, -0.42253053, 2.30174104, 27),
            (1, 4, 2): (4.79938976, 5.52915008, 0, 0.10256133, 2.68910280, -2.66445975, 8),
            (2, 5, 1): (3.13959984, 11.56620016, 0, -0.11439713, -0.66970462, 3.42690155, 18),
            (3, 6, 3): (2.91962985, 0, 0.24541188, 0, 0, 0, 1),
        },
    ),
}


@pytest.mark.parametrize(("name", "shape"), BINS)
def test_bins_of_the_package_are_those_of_the_pages(name: str, shape: tuple[int, ...]) -> None:
    columns, rows = BINS[name, shape]
    found = experiments.load(name)
    statistics, exposed = counted(found), found.exposed
    data = statistics.data(exposed)
    assert data is not None
    shapes = {each.name: each.change for each in statistics.nuisances(exposed)}
    ours = shapes | statistics.backgrounds_in(standard_counts(found), exposed) | {"data": data}
    for place, row in rows.items():
        assert [ours[column].reshape(shape)[place] for column in columns] == pytest.approx(row, abs=5e-9)


NUISANCES = {
    "coherent-csi-2021": {"signal": 0.12, "ss": 0.021, "brn": 0.25, "nin": 0.35},
    "coherent-csi-2017": {"signal": 0.28, "ss": 0.05, "brn": 0.25},
    "coherent-lar-2020": {"signal": 17 / 128, "ss": 25 / 3152, "brn": 160 / 497, "delbrn": 1.0},
}


@pytest.mark.parametrize("name", NUISANCES)
def test_nuisances_of_the_package_are_those_of_the_pages(name: str) -> None:
    statistics = counted(experiments.load(name))
    errors = {"signal": statistics.sigma_sys} | {each.name: each.error for each in statistics.backgrounds}
    assert errors == pytest.approx(NUISANCES[name], rel=1e-15)


def test_the_nine_nuisances_of_argon() -> None:
    argon = experiments.load("coherent-lar-2020")
    assert argon.signal_shapes == ("cevns_f90", "cevns_time")
    own = [each.name for each in counted(argon).nuisances(argon.exposed)]
    assert own == ["ss", "brn", "brn_energy", "brn_time", "brn_width", "delbrn"]
    known = {  # changes of the signal's events, all neutrinos together
        (0, 2, 1): (-0.56613844, 0.57439870),
        (0, 4, 1): (1.37950551, 0.35439094),
        (1, 4, 2): (0.01941109, 0.21235873),
        (2, 5, 1): (-0.00001051, -0.16937152),
        (3, 6, 3): (0.00357391, 0.00374168),
    }
    by_energy = zip(response(argon).neutrinos, standard_energies(argon), strict=True)
    changes = np.sum([argon.arriving(neutrino)[1:] * events[:, None] for neutrino, events in by_energy], axis=0)
    for place, row in known.items():
        assert [change.reshape(12, 8, 10)[place] for change in changes] == pytest.approx(row, abs=5e-9)


def test_summed_argon_is_argon_summed() -> None:
    whole, summed = (experiments.load(name) for name in ("coherent-lar-2020", "coherent-lar-2020-summed"))
    for one, other in zip(in_energy_and_time(whole), in_energy_and_time(summed), strict=True):
        assert one == pytest.approx(other, rel=1e-11, abs=1e-15)


def in_energy_and_time(argon: experiments.Experiment) -> list[np.ndarray]:
    """What is counted and expected of argon, and how that changes with each nuisance, summed over F90."""
    statistics, exposed = counted(argon), argon.exposed
    signal, data = standard_counts(argon), statistics.data(exposed)
    assert data is not None
    parts = [data, signal, *statistics.backgrounds_in(signal, exposed).values()]
    parts += [each.change for each in statistics.nuisances(exposed)]
    parts += [*argon.arriving("nu_e")]
    return [part.reshape(12, -1, 10).sum(axis=1) for part in parts]


def test_variants_of_the_package_differ_in_what_their_names_say() -> None:
    base = experiments.load("coherent-csi-2021")
    prose = {"name": "x", "title": "", "label": "", "digest": ""}
    plain = replace(base, **prose)
    helm, offset, electrons = (
        replace(experiments.load(f"coherent-csi-2021-{which}"), **prose) for which in ("helm", "offset", "electrons")
    )
    (target,) = helm.targets
    assert target.form_factor == Helm(0.9, (("Cs", 5.01), ("I", 4.94)))
    assert replace(helm, targets=plain.targets) == plain
    assert replace(offset, time=plain.time) == plain
    assert replace(electrons, electrons=None) == plain
    assert electrons.electrons == "bound"
    assert isinstance(offset.time, Time)
    at_once = replace(offset.time, offset=0.0)
    for neutrino in ("nu_e", "nu_mu", "nubar_mu"):  # the base has the same numbers, with eight digits
        assert at_once.shares(neutrino) == pytest.approx(base.time.shares(neutrino), rel=5e-8)


@pytest.mark.parametrize("name", PACKAGE)
def test_their_counts_stand_in_the_documentation(name: str) -> None:
    (row,) = (line for line in README.splitlines() if line.startswith(f"| `{name}`"))
    assert float(row.split("|")[3]) == pytest.approx(standard_counts(experiments.load(name)).sum(), abs=0.05)


def test_the_example_of_the_documentation_is_an_experiment(write: Write) -> None:
    example = README.split("### Counted events")[1].split("```toml\n")[1].split("```")[0]
    plain = '[statistics]\nkind = "projection"\nsigma_sys = 0.1\n'
    text = described(ARGON, "Ar", "pions")
    assert plain in text
    write("f90.csv", SHARES)
    places = [(energy, f90, time) for energy in (10, 20) for f90 in (0.6, 0.8) for time in (0.5, 3)]
    rows = "".join(f"{energy},{f90},{time},4,2,1,2\n" for energy, f90, time in places)
    write("counts.csv", f"kevee,f90,us,events,steady,neutrons,late\n{rows}")
    found = experiments.load(write("own.toml", text.replace(plain, example)))
    assert found.signal_shapes == ("F90 of recoils", "start")
    assert [each.name for each in counted(found).nuisances(found.exposed)] == [
        "steady state",
        "neutrons",
        "neutrons' time",
    ]


def test_the_variant_of_the_documentation_is_an_experiment(write: Write) -> None:
    example = README.split("### Variants")[1].split("```toml\n")[1].split("```")[0]
    assert experiments.load(write("own.toml", example)).statistics.sigma_sys == 0.1
