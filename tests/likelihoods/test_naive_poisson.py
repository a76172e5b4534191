"""The reference calculation of counted events against the numbers of measurements/csi.md and measurements/lar.md.

Nothing of the package is computed here: whatever else is held to `naive_poisson` stands on these numbers.
"""

import measurements
import naive
import naive_poisson
import numpy as np
import pytest
from conftest import TESTS
from measurements import AT_POINTS, COLUMNS, CSI_2021, LAR, POINTS, Column, misses
from naive_poisson import Counted, counts, minimum, signal

RELEASE = TESTS / "data" / "cenns10_cevns.txt"  # the release's prediction of the signal
FREE = 1e4  # error of a normalisation, so large that it has no prior


def measured(experiment: str) -> Counted:
    return naive_poisson.MEASURED[experiment]()


def standard(experiment: str) -> np.ndarray:
    return signal(measured(experiment), naive.STANDARD)


@pytest.mark.parametrize(("experiment", "point"), [(each, point) for each in AT_POINTS for point in AT_POINTS[each]])
def test_counts_and_chi2(experiment: str, point: str) -> None:
    printed_counts, printed_chi2 = AT_POINTS[experiment][point]
    expected = signal(measured(experiment), POINTS[point].naive)
    assert not misses(expected[0].sum(), printed_counts, relative=measurements.COUNTS_TO[experiment])
    found = minimum(measured(experiment), expected).chi2
    assert not misses(found, printed_chi2, absolute=measurements.CHI2_TO[experiment])


@pytest.mark.parametrize("experiment", measurements.BY_NEUTRINO)
def test_standard_model_by_neutrino(experiment: str) -> None:
    found = counts(measured(experiment), naive.STANDARD)
    for neutrino, printed in measurements.BY_NEUTRINO[experiment].items():
        assert not misses(found[neutrino][0].sum(), printed, relative=measurements.COUNTS_TO[experiment])


def test_argon_at_all_times() -> None:
    found = naive_poisson.energy_counts(measured(LAR), naive.STANDARD)
    for neutrino, printed in measurements.LAR_ALL_TIMES.items():
        for ours, number in zip([found[neutrino].sum(), *found[neutrino]], printed, strict=False):
            assert not misses(ours, number, relative=1e-6)


def test_shares_of_time() -> None:
    """The shares of 2021 follow from the release's histogram; argon's are tested too."""
    csi, argon = naive_poisson.csi_2021_arrival(0.0), naive_poisson.lar_arrival(0.44)
    for found, printed in ((csi, measurements.CSI_2021_SHARES), (argon, measurements.LAR_SHARES)):
        for neutrino, shares in printed.items():
            for ours, number in zip(found[neutrino], shares, strict=False):
                assert not misses(ours, number)


def test_response_of_caesium_at_10_kev() -> None:
    caesium = naive.isotopes("Cs")[0]
    recoil, mass = np.array([0.01]), naive.mass_of(caesium)
    assert not misses(mass, "123772.539775")
    momentum = np.sqrt(2 * mass * recoil + recoil**2)
    assert not misses(momentum[0], "49.75390332")
    assert not misses(naive_poisson.fermi(caesium, momentum)[0], "0.77768677")
    for ours, number in zip(naive_poisson.csi_2021_response(recoil)[:, 0], measurements.CSI_AT_10_KEV, strict=True):
        assert not misses(ours, number)
    for neutrino, number in (("nu_e", "0.7143447808"), ("nubar_mu", "0.9626330886"), ("nu_mu", "0.6048211132")):
        assert not misses(naive_poisson.kinematic(neutrino, recoil, mass)[0], number)
    assert not misses(naive_poisson.caesium_iodide(14.6)[0][1], "3.3841376574e25")
    assert not misses(naive_poisson.sns_fluence(0.0848, 3.198e23, 19.3), "5.79361764e14")


@pytest.mark.parametrize("bin", measurements.CSI_2021_BINS)
def test_bins_of_caesium_iodide(bin: tuple[int, int]) -> None:
    csi, found = measured(CSI_2021), counts(measured(CSI_2021), naive.STANDARD)
    arrays = [*(found[neutrino][0] for neutrino in naive_poisson.NEUTRINOS), *csi.backgrounds.values(), csi.observed]
    for array, number in zip(arrays, measurements.CSI_2021_BINS[bin], strict=True):
        assert not misses(array.reshape(9, 11)[bin], number, relative=1e-8)


@pytest.mark.parametrize("bin", measurements.LAR_BINS)
def test_bins_of_argon(bin: tuple[int, int, int]) -> None:
    argon, found = measured(LAR), counts(measured(LAR), naive.STANDARD)
    shapes = [argon.changes[name] for name in ("brn_energy", "brn_time", "brn_width")]
    arrays = [*(found[neutrino][0] for neutrino in naive_poisson.NEUTRINOS), *standard(LAR)[1:]]
    arrays += [*argon.backgrounds.values(), *shapes, argon.observed]
    for array, number in zip(arrays, measurements.LAR_BINS[bin], strict=True):
        assert not misses(array.reshape(12, 8, 10)[bin], number, relative=1e-6)


@pytest.mark.parametrize("experiment", measurements.BACKGROUNDS)
def test_backgrounds_in_all_bins(experiment: str) -> None:
    found = measured(experiment).backgrounds.values()
    for each, number in zip(found, measurements.BACKGROUNDS[experiment], strict=True):
        assert not misses(each.sum(), number, relative=1e-12)


@pytest.mark.parametrize("experiment", measurements.NUISANCES)
def test_nuisances_of_the_standard_model(experiment: str) -> None:
    found = minimum(measured(experiment), standard(experiment))
    printed = measurements.NUISANCES[experiment]
    sizes = [measurements.ERRORS[experiment].get(name, 1.0) for name in printed]
    for ours, size, number in zip([found.scale - 1, *found.pulls], sizes, printed.values(), strict=True):
        assert not misses(size * ours, number)


@pytest.mark.parametrize("experiment", measurements.NO_SIGNAL)
def test_without_a_signal(experiment: str) -> None:
    assert not misses(minimum(measured(experiment), 0 * standard(experiment)).chi2, measurements.NO_SIGNAL[experiment])


@pytest.mark.parametrize("experiment", measurements.FREE_SIGNAL)
def test_a_signal_of_free_size(experiment: str) -> None:
    """The signal's shapes stay the Standard Model's, whatever its size."""
    printed_chi2, printed_counts = measurements.FREE_SIGNAL[experiment]
    total = standard(experiment)[0].sum()
    found = minimum(measured(experiment)._replace(sigma=FREE), standard(experiment))
    assert not misses(found.chi2, printed_chi2, absolute=measurements.CHI2_TO[experiment])
    assert not misses(found.scale * total, printed_counts)


@pytest.mark.parametrize("experiment", measurements.FREE_COUNTS)
def test_counts_of_a_signal_of_free_size(experiment: str) -> None:
    found = minimum(measured(experiment)._replace(sigma=FREE), standard(experiment))
    assert not misses(found.scale * standard(experiment)[0].sum(), measurements.FREE_COUNTS[experiment])


def ends_of(measured: Counted, expected: np.ndarray) -> list[float]:
    """Counts at which chi2 is 1 above its minimum, if the signal is scaled together with its shapes."""
    return [expected[0].sum() * x for x in naive_poisson.scaled(measured, expected).allowed(1.0)]


@pytest.mark.parametrize("experiment", measurements.SCALED_SIGNAL)
def test_a_signal_that_is_scaled_with_its_shapes(experiment: str) -> None:
    ends = ends_of(measured(experiment), standard(experiment))
    for ours, number in zip(ends, measurements.SCALED_SIGNAL[experiment], strict=True):
        assert not misses(ours, number)


@pytest.mark.parametrize("which", measurements.FOUR_NORMS)
def test_argon_with_normalisations_alone(which: str) -> None:
    """The signal is the page's, or the release's template."""
    norms = {name: measured(LAR).changes[name] for name in measured(LAR).backgrounds}
    four = measured(LAR)._replace(changes=norms)
    template = np.loadtxt(RELEASE, usecols=3)[None]
    expected = standard(LAR)[:1] if which == "page" else template
    found = minimum(four._replace(sigma=FREE), expected)
    low, high = ends_of(four, expected)
    ours = {"chi2": found.chi2, "counts": expected.sum() * found.scale, "low": low, "high": high}
    ours["no signal"] = minimum(four, 0 * expected).chi2
    for pull, (name, change) in zip(found.pulls, norms.items(), strict=True):
        ours[name] = four.backgrounds[name].sum() + pull * change.sum()
    for name, number in measurements.FOUR_NORMS[which].items():
        assert not misses(ours[name], number), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "column"), [(each, column) for each in COLUMNS for column in COLUMNS[each]],
    ids=lambda value: value if isinstance(value, str) else value.label,
)  # fmt: skip
def test_intervals(experiment: str, column: Column) -> None:
    line = naive_poisson.along(measured(experiment), column.model, column.at)
    found = line.allowed(column.quantile, column.nearest)
    if column.model == "s2w":
        found = [measurements.S2W + x for x in found[-2:]]  # a second interval is below it
    if not line.signed:
        start, *found = np.sqrt(found)
        assert start == 0.0
    for ours, number in zip(found, column.ends, strict=True):
        assert not misses(ours, number, relative=measurements.ENDS_TO)


@pytest.mark.parametrize("experiment", measurements.BEST_S2W)
def test_the_best_weak_mixing_angle(experiment: str) -> None:
    best = naive_poisson.along(measured(experiment), "s2w", {}).best(-0.1, 0.1)
    assert not misses(measurements.S2W + best, measurements.BEST_S2W[experiment])
