"""`show` of counted events: errors by Poisson's law, nuisances, and bins of a further quantity."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import Write, ok
from described import COUNTED, FACTOR, TIME, read
from matplotlib.axes import Axes
from test_show import edges_of, points_of, require_stacked

from fastscan import experiments
from fastscan.answers.shown import Shown, bin_records, in_fine_bins, show
from fastscan.experiments.poisson import Poisson
from fastscan.outputs import spectrum

CSI, OLD_CSI, LAR, SUMMED = "coherent-csi-2021", "coherent-csi-2017", "coherent-lar-2020", "coherent-lar-2020-summed"
BINS = {CSI: (9, 11), OLD_CSI: (12, 12), LAR: (12, 8, 10), SUMMED: (12, 1, 10)}
EVENTS = {CSI: 1578, OLD_CSI: 547, LAR: 3752, SUMMED: 3752}
ONE_ENERGY = '\nquenching = 0.25\nbins = { edges = [5, 25], unit = "keVee" }\n'
OBSERVED = "observed = [9, 4, 0, 16]\nbackground = [{ name = 'b', events = [4, 2, 1, 3] }]\n"
SHARES = "probability\n0.5\n0.25\n"


@pytest.mark.parametrize("name", BINS)
def test_what_was_counted_and_its_errors(name: str) -> None:
    shown = show(name)
    assert shown.data is not None
    assert shown.error is not None
    shape = BINS[name]
    assert shown.shape == shown.signal.shape == shown.background.shape == shown.data.shape == shape
    assert shown.data.sum() == EVENTS[name]
    assert (shown.error == np.sqrt(shown.data)).all()
    assert show(shown.experiment.expected()).data is None


def test_events_are_summed_over_what_there_are_no_bins_of() -> None:
    each, summed = show(LAR), show(SUMMED)
    parts = ({**shown.events, **shown.backgrounds}.values() for shown in (each, summed))
    for in_bins, in_all in zip(*parts, strict=True):
        np.testing.assert_allclose(in_bins.sum(axis=1), in_all[:, 0], rtol=1e-12, atol=1e-300)


def test_records_have_the_edges_of_the_further_quantity() -> None:
    shown, rows = show(LAR), bin_records(show(LAR))
    keys = "energy_low energy_high energy_unit factor factor_low factor_high time_low_us time_high_us"
    assert list(rows[0])[:8] == keys.split()
    second = rows[1 * 80 + 4 * 10 + 2]  # second energy, fifth of F90, third of time
    assert list(second.values())[:8] == [10.0, 20.0, "keVee", "F90", 0.7, 0.75, 0.9, 1.4]
    assert second["signal"] == shown.signal[1, 4, 2]
    assert shown.data is not None
    assert second["data"] == shown.data[1, 4, 2] == 8
    assert second["background_brn"] == shown.backgrounds["brn"][1, 4, 2]
    (conus,) = bin_records(show("conus"))
    assert conus["factor"] is conus["factor_low"] is conus["factor_high"] is conus["data"] is None


def test_csv_and_json_have_each_bin() -> None:
    rows = list(csv.DictReader(io.StringIO(ok("show", LAR, "--csv"))))
    assert len(rows) == 960
    assert sum(float(row["data"]) for row in rows) == 3752
    assert (rows[-1]["factor"], rows[-1]["factor_high"], rows[-1]["time_high_us"]) == ("F90", "0.9", "4.9")
    found = json.loads(ok("show", SUMMED, "--json"))
    assert len(found["bins"]) == 120
    assert found["total"]["error"] == pytest.approx(3752**0.5)


@pytest.mark.parametrize(("name", "headings"), [(CSI, ["bin/PE", "bin/us"]), (SUMMED, ["bin/keVee", "bin/us"]),
                                                (LAR, ["bin/keVee", "F90", "bin/us"])])  # fmt: skip
def test_the_tables_are_projections(name: str, headings: list[str]) -> None:
    _, _, text = ok("show", name).partition("and data:\n")
    note, tables = text.split("\n", 1)
    size = np.prod(BINS[name])
    assert note == f"(each table is summed over the bins of the others; --csv has all {size})"
    lines = [[line.split() for line in table.splitlines()] for table in tables.split("\n\n")]
    assert [table[0][0] for table in lines] == headings
    assert [len(table) - 2 for table in lines] == [size for size in BINS[name] if size > 1]
    for table in lines:
        column = table[0].index("data") - len(table[0])
        counted = [float(row[column]) for row in table[1:]]
        assert sum(counted[:-1]) == counted[-1] == EVENTS[name]


@pytest.mark.parametrize("name", BINS)
def test_every_nuisance_is_told(name: str) -> None:
    experiment = experiments.load(name)
    statistics, told = experiment.statistics, experiment.told()
    assert isinstance(statistics, Poisson)
    assert f"sigma_sys {statistics.sigma_sys:.6g}" in told["observation"]
    parts = f"{told.get('factor')}; {told['time']}"
    for shape in experiment.signal_shapes:
        assert f"nuisance {shape}" in parts
    for background in statistics.backgrounds:
        (part,) = (each for each in told["background"].split("; ") if each.startswith(f"{background.name} "))
        assert f"events +- {100 * background.error:.6g} %" in part
        names = ", ".join(shape.name for shape in background.shapes)
        assert part.endswith(f" % (nuisances {names})" if names else " %")


def projected(events: np.ndarray, dimension: int) -> np.ndarray:
    """Events in the bins of one dimension."""
    return events.sum(axis=tuple(each for each in range(events.ndim) if each != dimension))


def require_drawn(upper: Axes, lower: Axes, shown: Shown, dimension: int, per: np.ndarray | float) -> None:
    """Backgrounds, signal and data in one panel, and signal and excess in the one below."""
    backgrounds, signals = (
        [projected(each, dimension) / per for each in parts.values()] for parts in (shown.backgrounds, shown.events)
    )
    require_stacked(upper, [*backgrounds, *signals])
    require_stacked(lower, signals)
    assert shown.data is not None
    counted = projected(shown.data, dimension)
    for ax, expected in ((upper, 0), (lower, projected(shown.background, dimension))):
        data, error = points_of(ax)
        assert data == pytest.approx((counted - expected) / per)
        assert error == pytest.approx(np.sqrt(counted) / per)


def test_a_picture_of_energy_and_time() -> None:
    shown = show(CSI)
    energy, time, excess, excess_in_time = spectrum.draw(shown).axes
    assert shown.time_edges_us is not None
    require_drawn(energy, excess, shown, 0, np.diff(shown.edges))  # bins of unequal widths
    require_drawn(time, excess_in_time, shown, 1, np.diff(shown.time_edges_us))
    assert [ax.get_ylabel() for ax in (energy, time, excess)] == ["events / PE", r"events / $\mu$s", "excess / PE"]
    names = [text.get_text() for text in time.get_legend().get_texts()]
    assert names == ["ss", "brn", "nin", r"$\nu_\mu$", r"$\nu_e$", r"$\bar\nu_\mu$", "data"]


def test_a_picture_of_a_further_quantity() -> None:
    shown = show(LAR)
    axes = spectrum.draw(shown).axes
    for dimension in range(3):
        require_drawn(axes[dimension], axes[3 + dimension], shown, dimension, 1.0)
    assert [ax.get_ylabel() for ax in axes[:3]] == ["events / 10 keVee", "events / 0.05", r"events / 0.5 $\mu$s"]
    assert axes[4].get_xlabel() == "F90"
    assert edges_of(axes[1]) == edges_of(axes[4]) == list(experiments.load(LAR).factor.edges)
    assert len(spectrum.draw(show(SUMMED)).axes) == 4


def test_one_bin_of_energy_has_a_spectrum_beside_its_other_bins(write: Write) -> None:
    """There are two bins of F90, outside of which is a quarter of the events, and two bins of time."""
    write("shares.csv", SHARES)
    factor = FACTOR.replace('"f90.csv"', '"shares.csv"')
    shown = show(read(write, OBSERVED, factor=factor, detector=ONE_ENERGY))
    assert shown.shape == (1, 2, 2)
    fine = in_fine_bins(shown)
    assert fine.signal.sum() == pytest.approx(shown.signal.sum(), rel=1e-9)
    np.testing.assert_allclose(fine.signal.sum(axis=0), shown.signal[0], rtol=1e-9)
    energy, factor, time = spectrum.draw(shown).axes
    assert (energy.get_ylabel()[:13], factor.get_ylabel(), time.get_ylabel()) == (
        "signal events", "events / 0.2", r"events / $\mu$s",
    )  # fmt: skip
    assert points_of(factor)[0] == [13, 16]
    assert points_of(factor)[1] == pytest.approx([13**0.5, 4])


def test_a_picture_without_an_end_of_the_energy(write: Write) -> None:
    """A detector with a threshold alone has one bin, whose last edge is infinite."""
    found = read(write, "", detector='\nquenching = 0.25\nthreshold = "5 keVee"\n')
    assert found.factor is None
    assert bin_records(show(found))[0]["energy_high"] is None
    energy, time = spectrum.draw(show(found)).axes
    assert energy.get_ylabel().startswith("signal events")
    assert edges_of(time) == [0, 1, 6]


def test_what_is_expected_in_place_of_data_has_no_points(write: Write) -> None:
    words = COUNTED.replace('observed = "events"\n', "")
    shown = show(read(write, words, time=TIME))
    assert shown.data is shown.error is None
    energy, time = spectrum.draw(shown).axes
    assert not energy.containers
    assert not time.containers
    named = replace(shown, experiment=replace(shown.experiment, label="$x$"))
    assert spectrum.draw(named).axes[0].get_title() == r"\$x\$"
