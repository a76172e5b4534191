"""The description and the expected counts of an experiment: as a value, a table, records and a picture."""

import csv
import io
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import REPOSITORY, TESTS, Write, ok, refusal, require_refused
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch

import fastscan
from fastscan import experiments
from fastscan.answers.shown import Shown, bin_records, in_fine_bins, record, show
from fastscan.errors import ExperimentError
from fastscan.experiments import catalogue, energies
from fastscan.experiments.reconstruction import Reconstruction
from fastscan.outputs import spectrum
from fastscan.scans import grid
from fastscan.scans.plan import plan

WISHES = TESTS / "wishes"
OWN = """
title = "Argon in two energies and three times"
label = "Own"
channel = "cevns"
references = ["my thesis"]
assumed = ["quenching 0.25: a guess", "the pulse: that of another target"]
exposure = "308.1 d"
baseline = "28 m"

[[target]]
compound = "Ar"
mass = "24 kg"

[source]
kind = "pion-decay-at-rest"
neutrinos_per_proton = 0.08
protons = 1.76e23
protons_in = "308.1 d"

[detector]
quenching = 0.25
bins = { edges = [5, 10, 30], unit = "keVee" }

[time]
unit = "us"
edges = [0, 0.5, 1, 4]
pulse = { shape = "box", start = 0, length = 0.3 }

[statistics]
kind = "measured"
observed = [20, 15, 25, 12, 10, 18]
sigma_sys = 0.1

[[statistics.background]]
name = "neutrons"
events = [3, 2, 1, 3, 2, 1]

[[statistics.background]]
name = "argon 39"
events = [1, 1, 6, 1, 1, 6]
"""
TOLD = """\
Argon in two energies and three times
  experiment   own (Own)
  channel      cevns, coherent scattering off nuclei
  source       spallation: pions at rest, 1.76e+23 protons in 308.1 d, each
               giving 0.08 neutrinos of each flavour
  geometry     28 m from the source
  exposure     308.1 d, 7394.4 kg d
  target       24 kg of Ar: Ar36 0.3336 %, Ar38 0.06289 %,
               Ar40 99.6 %; form factor Fermi
  threshold    5 keVee
  quenching    0.25
  efficiency   1
  bins         2 from 5 to 30 keVee
  time         3 bins from 0 to 4 us after the protons; constant pulse from 0
               us, 0.3 us long
  observation  measured, 100 events; sigma_sys 0.1
  background   neutrons 12 events; argon 39 16 events
  references   my thesis
  assumed      quenching 0.25: a guess
  assumed      the pulse: that of another target
"""


@pytest.fixture
def own(write: Write) -> Path:
    return write("own.toml", OWN)


def flavours(experiment: str, neutrino: str) -> float:
    """Counts of one neutrino from pions at rest, by nested quadrature over T and E."""
    end = naive.PROMPT_ENERGY_MEV if neutrino == "nu_mu" else naive.M_MUON / 2
    g_p, g_n = naive.sm_couplings("cevns")
    total = 0.0
    for isotope, number in naive.nuclei(experiment):
        mass = isotope.atomic_mass * naive.ATOMIC_MASS_UNIT - isotope.charge * naive.M_ELECTRON
        weak = g_p * isotope.charge + g_n * (isotope.mass_number - isotope.charge)

        def rate(recoil: float, isotope: naive.Isotope = isotope, mass: float = mass) -> float:
            q = math.sqrt(2 * mass * recoil + recoil**2)
            seen = naive.efficiency(experiment, recoil / naive.KEV) * naive.factor(experiment, isotope, q) ** 2
            if neutrino == "nu_mu":
                return seen * naive.kinematic_factor(recoil, end, mass)
            lowest = (recoil + q) / 2

            def at(energy: float) -> float:
                return naive.sns_spectrum(neutrino, energy) * naive.kinematic_factor(recoil, energy, mass)

            return seen * naive.integral(at, [lowest, end])

        kinks = [edge * naive.KEV for edge in naive.efficiency_edges(experiment)]
        last = min(kinks[-1], naive.max_recoil(end, mass))
        found = naive.integral(rate, [*(kink for kink in kinks if kink < last), last])
        section = naive.G_FERMI**2 * mass / (2 * math.pi) * naive.CM2_PER_MEV_2
        total += number * weak**2 * naive.fluence(experiment) * section * found
    return total


@pytest.mark.parametrize("neutrino", ["nu_mu", "nu_e", "nubar_mu"])
def test_the_events_of_each_neutrino(neutrino: str) -> None:
    found = show("coherent-csi").events
    assert list(found) == ["nu_mu", "nu_e", "nubar_mu"]
    assert found[neutrino] == pytest.approx(flavours("coherent-csi", neutrino), rel=1e-8)


def test_the_events_in_each_bin() -> None:
    shown = show("cr51-lxe-a")
    np.testing.assert_allclose(shown.edges, [5 * n for n in range(121)], rtol=1e-15)
    assert shown.unit == "keV"
    theirs = naive.events_per_bin("cr51-lxe-a", naive.sm_couplings("nu-e"))
    np.testing.assert_allclose(shown.events["nu_e"], theirs, rtol=1e-8)


@pytest.mark.parametrize("name", experiments.names())
def test_all_of_them_are_the_events_of_the_standard_model(name: str) -> None:
    shown = fastscan.show(name)
    assert shown.signal.sum() == pytest.approx(fastscan.events(name, "lr", m_zprime=math.inf), rel=1e-12)
    assert shown.experiment == experiments.load(name)
    if len(shown.edges) == 2:
        fine = in_fine_bins(shown)
        assert fine.signal.sum() == pytest.approx(shown.signal.sum(), rel=1e-9)
        assert len(fine.edges) > 40


def test_backgrounds_data_and_errors() -> None:
    csi, conus = show("coherent-csi"), show("conus")
    neon, plus = show(WISHES / "neon.toml"), show(WISHES / "conus-plus.toml")
    assert csi.backgrounds == {"background": pytest.approx([6])}
    assert (csi.data, csi.error) == (pytest.approx([142]), pytest.approx([math.sqrt(142 + 6 + 2 * 405)]))
    assert conus.background == pytest.approx(0.05 * conus.signal)
    assert conus.data is conus.error is None
    assert neon.background == pytest.approx([6 * 0.2 * 16.7 * 365] * 9, rel=1e-12)
    assert (plus.backgrounds, plus.data, plus.error) == ({}, pytest.approx([395]), pytest.approx([106]))
    expected = show(experiments.load("coherent-csi").expected())
    assert expected.data is None
    assert expected.signal == csi.signal


def test_the_edges_have_the_unit_of_the_file(write: Write) -> None:
    text = (WISHES / "neon.toml").read_text()
    bins = 'bins = { start = 0.2, stop = 2, num = 9, unit = "keVee" }'
    in_pe = 'bins = { start = 5, stop = 50, num = 9, unit = "PE" }'
    assert bins in text
    neon, electronvolts = show(WISHES / "neon.toml"), show("conus")
    assert neon.edges.tolist() == pytest.approx([0.2 + 0.2 * n for n in range(10)], rel=1e-12)
    assert (neon.unit, neon.kind) == ("keVee", "visible")
    assert (electronvolts.unit, electronvolts.edges[0]) == ("eV", 100.0)
    quanta = show(write("quanta.toml", text.replace(bins, in_pe).replace("6 /keV/kg/d", "6 /PE/kg/d")))
    assert (quanta.unit, quanta.edges[1], quanta.kind) == ("PE", 10.0, "photoelectrons")


def test_a_detector_made_in_python_has_the_usual_unit() -> None:
    neon = experiments.load(WISHES / "neon.toml")
    detector = neon.detector
    assert isinstance(detector, Reconstruction)
    assert detector.unit == energies.Unit("keVee", pytest.approx(24.4))
    assert replace(detector, shown_in="").unit == energies.Unit("PE", 1.0)
    assert replace(experiments.load("conus").detector, shown_in="").unit == energies.Unit("keV", 1e-3)


def test_bins_of_energy_and_time(own: Path) -> None:
    shown = show(own)
    assert shown.shape == shown.signal.shape == shown.backgrounds["argon 39"].shape == (2, 3)
    assert shown.data is not None
    assert shown.data.tolist() == [[20, 15, 25], [12, 10, 18]]
    rows = bin_records(shown)
    places = [(row["energy_low"], row["energy_high"], row["time_low_us"], row["time_high_us"]) for row in rows]
    assert places[0] == (5.0, 10.0, 0.0, 0.5)
    assert places[4] == (10.0, 30.0, 0.5, 1.0)
    assert [row["background_argon 39"] for row in rows] == [1, 1, 6, 1, 1, 6]
    assert [row["background"] for row in rows] == [4, 3, 7, 4, 3, 7]
    assert [row["error"] ** 2 for row in rows] == pytest.approx([24, 18, 32, 16, 13, 25])
    for row, signal in zip(rows, shown.signal.ravel(), strict=True):
        assert row["signal"] == signal == pytest.approx(row["nu_mu"] + row["nu_e"] + row["nubar_mu"])


def test_what_is_printed(own: Path) -> None:
    shown = show(own)
    text = ok("show", own)
    digest = f"  digest       {shown.experiment.digest[:12]}\n"
    told, _, tables = text.partition("\nEvents that the Standard Model predicts, and data:\n")
    assert told == TOLD + digest
    over_times, over_energies = tables.split("bin/us")
    first, *rest = over_times.splitlines()
    assert first == "(each table is summed over the bins of the others; --csv has all 6)"
    rows = [line.split() for line in rest if line.strip()]
    assert " ".join(rows[0]) == "bin/keVee nu_mu nu_e nubar_mu signal neutrons argon 39 background data error"
    assert [" ".join(row[:3]) for row in rows[1:3]] == ["5 to 10", "10 to 30"]
    assert rows[3][0] == "all"
    assert [float(row[-1]) for row in rows[1:]] == pytest.approx([74**0.5, 54**0.5, 128**0.5], abs=1e-3)
    assert [float(row[3]) for row in rows[1:3]] == pytest.approx(shown.events["nu_mu"].sum(axis=1), abs=1e-2)
    assert over_energies.count("\n") == 5
    assert max(map(len, told.splitlines())) <= 80


def test_many_bins_are_told_in_few_lines() -> None:
    text = ok("show", "cr51-lxe-a")
    rows = [line.split() for line in text.partition("--csv has each)\n")[2].splitlines()]
    assert [" ".join(row[:-1]) for row in rows[1:3]] == ["0 to 25", "25 to 50"]
    counted = show("cr51-lxe-a").signal
    assert [float(row[-1]) for row in rows[1:-1]] == pytest.approx(counted.reshape(24, 5).sum(axis=1), abs=6e-3)
    assert float(rows[-1][-1]) == pytest.approx(counted.sum(), abs=6e-3)


def test_a_background_beside_the_unnamed_one_is_named_with_it(write: Write) -> None:
    shown = show(write("own.toml", OWN.replace('"argon 39"', '"background"')))
    (first, *_) = bin_records(shown)
    assert (first["background_neutrons"], first["background_background"], first["background"]) == (3, 1, 4)


def test_json_and_csv(own: Path) -> None:
    found, shown = json.loads(ok("show", own, "--json")), show(own)
    keys = "name label title channel source sigma_sys told references assumed digest total bins"
    assert list(found) == keys.split()
    assert found == json.loads(json.dumps(record(shown)))
    assert found["assumed"] == ["quenching 0.25: a guess", "the pulse: that of another target"]
    assert found["total"]["data"] == 100
    assert found["total"]["error"] == pytest.approx(128**0.5)
    rows = list(csv.DictReader(io.StringIO(ok("show", own, "--csv"))))
    assert list(rows[0]) == list(found["bins"][0])
    assert [float(row["nu_e"]) for row in rows] == shown.events["nu_e"].ravel().tolist()
    (only,) = csv.DictReader(io.StringIO(ok("show", WISHES / "red-100.toml", "--csv")))
    assert (only["energy_low"], only["energy_high"], only["energy_unit"]) == ("4.0", "", "electrons")
    assert only["time_low_us"] == only["data"] == only["error"] == ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("conuss",), "did you mean 'conus'?"),
        (("nothing.toml",), "nothing.toml: No such file"),
        (("conus", "--json", "--csv"), "exclude each other"),
        (("conus", "-o", "x.gif"), "a picture's name ends in"),
        ((), "Missing argument"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], problem: str) -> None:
    assert problem in refusal("show", *arguments)


def test_an_experiment_that_sees_nothing_is_refused(write: Write) -> None:
    blind = (catalogue.BUILT_IN / "conus.toml").read_text().replace("efficiency = 0.5", "efficiency = 0")
    with pytest.raises(ExperimentError, match="'blind' sees nothing"):
        show(write("blind.toml", blind))


@pytest.mark.parametrize("assumed", ['"a text"', "[]", "[1]", '["a", "a"]', f'["{"x" * 1001}"]', r'["\u001b[2J"]'])
def test_assumptions_are_lines(write: Write, assumed: str) -> None:
    text = OWN.replace('["quenching 0.25: a guess", "the pulse: that of another target"]', assumed)
    require_refused(show, write("own.toml", text), "assumed: ")


def test_assumptions_and_units_are_no_part_of_what_a_store_is_made_from() -> None:
    given = grid.load(f"{REPOSITORY}/grids/coherent-csi.toml")
    told = [
        replace(each, assumed=("all",), detector=replace(each.detector, shown_in="eV")) for each in given.experiments
    ]
    one, other = plan(given), plan(replace(given, experiments=tuple(told)))
    assert [cube.hash for cube in one] == [cube.hash for cube in other]


def test_experiments_are_listed_by_source() -> None:
    lines = ok("experiments").splitlines()
    sources = {each["name"]: each["source"] for each in json.loads(ok("experiments", "--json"))}
    places = {line.split()[0]: number for number, line in enumerate(lines) if line}
    for name, source in sources.items():
        before = [line for line in lines[: places[name]] if line and lines[lines.index(line) - 1] == ""]
        assert before[-1] == source == experiments.load(name).source.group
    assert lines.index("spallation") < lines.index("reactor") < lines.index("radioactive source")
    assert list(sources) == experiments.names()


def test_experiments_with_assumptions_are_marked(capsys: pytest.CaptureFixture[str], own: Path) -> None:
    from fastscan.outputs import terminal

    terminal.print_experiments([experiments.load(own), experiments.load("conus")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].endswith("three times *")
    assert not lines[6].endswith("*")
    assert lines[-1].startswith("* ")


def stacks(ax: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """Bottoms and tops of the parts that are stacked in a panel, by name."""
    found = {}
    for patch in ax.patches:
        assert isinstance(patch, StepPatch)
        values, _, baseline = patch.get_data()
        found[patch.get_label()] = (np.broadcast_to(baseline, values.shape).tolist(), values.tolist())
    return found


def edges_of(ax: Axes) -> list[float]:
    (edges, *others) = (patch.get_data().edges.tolist() for patch in ax.patches)
    assert all(other == edges for other in others)
    return edges


def require_stacked(ax: Axes, parts: list[np.ndarray]) -> None:
    """Each part must begin where the one before ends."""
    found = list(stacks(ax).values())
    assert len(found) == len(parts)
    ends = list(itertools.accumulate(parts))
    np.testing.assert_allclose([top for _, top in found], ends, rtol=1e-12)
    np.testing.assert_allclose([bottom for bottom, _ in found], [0 * ends[0], *ends[:-1]], rtol=1e-12)


def points_of(ax: Axes) -> tuple[list[float], list[float]]:
    """Heights of the data points in a panel, and half of the lengths of their error bars."""
    (bars,) = ax.containers
    points, _, (lengths,) = bars.lines
    halves = [(segment[1, 1] - segment[0, 1]) / 2 for segment in lengths.get_segments()]
    return points.get_ydata().tolist(), halves


def test_a_picture_of_bins_in_energy_and_time(own: Path) -> None:
    shown = show(own)
    energy, time, excess, excess_in_time = spectrum.draw(shown).axes
    assert shown.data is not None
    for ax, below, over, edges in ((energy, excess, 1, [5, 10, 30]), (time, excess_in_time, 0, [0, 0.5, 1, 4])):
        widths = np.diff(edges)
        assert edges_of(ax) == edges_of(below) == edges
        signals = [part.sum(axis=over) / widths for part in shown.events.values()]
        require_stacked(ax, [*(part.sum(axis=over) / widths for part in shown.backgrounds.values()), *signals])
        require_stacked(below, signals)
        for panel, counted in ((ax, shown.data), (below, shown.data - shown.background)):
            data, error = points_of(panel)
            assert data == pytest.approx(counted.sum(axis=over) / widths)
            assert np.square(error * widths) == pytest.approx((shown.data + shown.background).sum(axis=over))
    assert [ax.get_ylabel() for ax in (energy, excess)] == ["events / keVee", "excess / keVee"]
    assert [ax.get_xlabel() for ax in (energy, excess)] == ["", "visible energy [keVee]"]
    assert time.get_ylabel() == r"events / $\mu$s"
    assert energy.get_title() == "Own"
    names = [text.get_text() for text in time.get_legend().get_texts()]
    assert names == ["neutrons", "argon 39", r"$\nu_\mu$", r"$\nu_e$", r"$\bar\nu_\mu$", "data"]


def test_a_picture_of_one_bin_has_its_spectrum_too() -> None:
    shown = show("coherent-csi")
    energy, all_of_it = spectrum.draw(shown).axes
    fine = in_fine_bins(shown)
    require_stacked(energy, list(fine.events.values()))
    require_stacked(all_of_it, [shown.background, *shown.events.values()])
    assert points_of(all_of_it) == (pytest.approx([142]), pytest.approx([958**0.5]))
    assert not energy.containers
    assert (energy.get_xlabel(), energy.get_ylabel()) == ("recoil energy [keV]", "signal events / 0.2 keV")
    start, stop = energy.get_xlim()
    within = (fine.edges[:-1] >= start) & (fine.edges[1:] <= stop)
    assert 0.999 < fine.signal[within].sum() / shown.signal.sum() <= 1 + 1e-12


def test_whole_numbers_have_bins_of_whole_widths() -> None:
    fine = in_fine_bins(show(WISHES / "red-100.toml"))
    assert np.diff(fine.edges).tolist() == [1.0] * (len(fine.edges) - 1)


@pytest.mark.slow
def test_a_picture_is_written_once(own: Path, tmp_path: Path) -> None:
    picture = tmp_path / "own.svg"
    assert ok("show", own, "-o", picture).endswith(f"written to {picture}\n")
    assert "--overwrite replaces it" in refusal("show", own, "-o", picture)
    json.loads(ok("show", own, "-o", picture, "--overwrite", "--json"))


def test_a_label_is_no_mathematics(own: Path) -> None:
    shown = show(own)
    dollars = replace(shown, experiment=replace(shown.experiment, label="$x$"))
    assert spectrum.draw(dollars).axes[0].get_title() == r"\$x\$"
    assert isinstance(dollars, Shown)


@pytest.mark.parametrize(
    ("detector", "part", "told"),
    [
        ('resolution = { kind = "linear", constant = 2, slope = 0.1, unit = "eVee" }', "resolution",
         "Gaussian, sigma^2 = (2 eVee)^2 + 0.4 eVee E + 0.01 E^2"),
        ('resolution = { kind = "gaussian", fwhm = "0.0235482 keVee", truncated = true }', "resolution",
         "Gaussian, sigma = 10 eVee, nothing below 0"),
        ('quenching = { model = "polynomial", unit = "keV", coefficients = [0.2, -0.01] }', "quenching",
         "polynomial in MeV, 0.2 T^1 + -10 T^2"),
        ('quenching = { model = "table", unit = "keV", energy = [0, 3], values = [0.1, 0.3] }', "quenching",
         "table of 2 recoil energies up to 3 keV: 0.1 to 0.3"),
        ('efficiency = { shape = "logistic", unit = "eVee", plateau = 1, slope = 0.2, midpoint = 70 }', "efficiency",
         "1 / (1 + exp(-0.2 (x - 70))), x in eVee"),
        ('efficiency = { shape = "table", unit = "eV", energy = [0, 9], values = [0.5, 1] }', "efficiency",
         "table of 2 energies, 0 to 0.009 keV: 0.5 to 1, of the recoil energy"),
        ('electrons_per_kevee = 300', "yield", "300 electrons per keVee"),
        ('drop_below = "3 eVee"', "dropped", "recoils that give less than 3 eVee"),
        ("", "bins", "one from 50 eVee on"),
    ],
)  # fmt: skip
def test_a_detector_says_its_numbers(write: Write, detector: str, part: str, told: str) -> None:
    text = (WISHES / "ricochet-ill.toml").read_text()
    own, kept = 'threshold = "50 eVee"\n', 'quenching = { model = "lindhard", k = 0.157 }'
    assert own in text
    assert kept in text
    changed = text.replace(own, own + detector + "\n")
    if "quenching" in detector:
        changed = changed.replace(kept, "")
    assert experiments.load(write("own.toml", changed)).told()[part] == told
