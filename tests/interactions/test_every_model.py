"""Properties of every model of the catalogue, and of light models in every experiment of the package."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscan
from fastscan import experiments
from fastscan.errors import ExperimentError
from fastscan.experiments import Experiment
from fastscan.interactions import catalogue
from fastscan.likelihoods.exchanges import BLOCK
from fastscan.likelihoods.predictions import counts_by_neutrino
from fastscan.likelihoods.response import response
from fastscan.limits.confidence import NO_SENSITIVITY, OK
from fastscan.physics import quadrature

CSI, LAR, XENON = "coherent-csi", "coherent-lar", "cr51-lxe-a"
HEAVY = {"chi": None, "psi": None, "eta": None, "lr": None, "lr-nc": None, "e6": 1.3}  # with a beta in rad
PAIRS = ("ee", "emu", "etau", "mumu", "mutau", "tautau")


class Point(NamedTuple):
    """A point of a model in fastscan's words, and the additions to the amplitudes there for `naive`."""

    at: dict[str, float]
    new: naive.Interaction
    massless: bool = False


POINTS = {
    **{name: Point({"m_zprime": 2e-3, "g": 1e-5}, naive.vector(name, 2.0, 1e-5)) for name in naive.VECTOR_CHARGES},
    **{
        name: Point({"m_zprime": 2e-2, "g": 1e-3}, naive.vector(name, 20.0, 1e-3))
        for name in ("lmu-ltau", "le-lmu", "le-ltau")
    },
    **{name: Point({"m_phi": 2e-3, "g": 5e-6}, naive.scalar(name, 2.0, 5e-6)) for name in naive.SCALAR_COUPLINGS},
    **{
        f"nsi-{pair}-{coupling}": Point({"eps": 0.15}, naive.nsi(pair, {coupling: 0.15}))
        for pair in PAIRS
        for coupling in ("u", "d", "eL", "eR")
    },
    **{f"nsi-{pair}": Point({"eps_u": 0.2, "eps_d": -0.1}, naive.nsi(pair, {"u": 0.2, "d": -0.1})) for pair in PAIRS},
    **{
        f"{kind}-{flavour}": Point({parameter: x}, new(flavour, x), massless)
        for flavour in naive.FLAVOURS
        for kind, parameter, x, new, massless in (
            ("magnetic", "mu", 30.0, naive.magnetic, True),
            ("millicharge", "q", -20.0, naive.millicharge, True),
            ("radius", "r2", 3.0, naive.radius, False),
        )
    },
    "s2w": Point({"shift": -0.01}, naive.weak_angle(-0.01)),
}


def test_no_model_is_left_out() -> None:
    assert {*POINTS, *HEAVY} == {*catalogue.MODELS}


@pytest.mark.parametrize("experiment", [CSI, "conus", XENON])
@pytest.mark.parametrize("model", POINTS)
def test_events_of_each_neutrino_and_chi2_equal_the_naive_ones(experiment: str, model: str) -> None:
    at, new, massless = POINTS[model]
    if massless and experiment == XENON:
        with pytest.raises(ExperimentError, match="give it a threshold"):
            fastscan.chi2(experiment, model, **at)
        return
    found = fastscan.events(experiment, model, by_neutrino=True, **at)
    expected = {neutrino: float(counts.sum()) for neutrino, counts in naive.counts(experiment, new).items()}
    assert {neutrino: float(events) for neutrino, events in found.items()} == pytest.approx(expected, rel=1e-10)
    chi2 = naive.chi2_with(experiment, new)
    assert fastscan.chi2(experiment, model, **at) == pytest.approx(chi2, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("experiment", [CSI, "conus", XENON])
@pytest.mark.parametrize(("model", "beta"), HEAVY.items())
def test_events_of_heavy_models_equal_the_naive_ones(experiment: str, model: str, beta: float | None) -> None:
    expected = naive.events(experiment, model, 150.0, beta)
    assert fastscan.events(experiment, model, m_zprime=150.0, beta=beta) == pytest.approx(expected, rel=1e-9)


MASSES = np.array([1e-6, 1e-3, 3e-2])  # GeV, below the momentum transfers of every experiment and among them
STEEPEST = {"universal": {"m_zprime": MASSES}, "scalar-q14": {"m_phi": MASSES}, "magnetic-e": {}}
Counts = dict[str, np.ndarray]


def light_counts(experiment: Experiment) -> Counts:
    """The coefficients of 1, x and x^2 in each row, all bins together, for a threshold or a mass above 0."""
    response.cache_clear()
    found = {}
    for model, rows in STEEPEST.items():
        if rows or not experiment.name.startswith("cr51"):
            by_neutrino = counts_by_neutrino(experiment, catalogue.MODELS[model], rows)
            found |= {f"{model} {neutrino}": counts for neutrino, counts in by_neutrino.items()}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", experiments.names())
def test_twice_the_nodes_change_no_light_count_by_1e10(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiments.load(name)
    once = light_counts(experiment)
    monkeypatch.setattr(quadrature, "NODES", 2 * quadrature.NODES)
    twice = light_counts(experiment)
    monkeypatch.undo()
    response.cache_clear()
    for key, counts in once.items():
        assert twice[key] == pytest.approx(counts, rel=1e-10, abs=0)


def mass_of(model: str) -> str:
    """The name of the mass of a mediator."""
    (row,) = catalogue.MODELS[model].rows
    return row.name


Calls = Callable[..., Any]


def of_its_neutrinos(*asked: str, **at: Any) -> np.ndarray:
    """Events of each neutrino, with the neutrinos along the last axis."""
    return np.stack([*fastscan.events(*asked, by_neutrino=True, **at).values()], axis=-1)


@given(
    st.sampled_from([CSI, "conus-plus", XENON]),
    st.sampled_from(["b-l", "lmu-ltau", "scalar-ftq"]),
    st.lists(st.floats(-6, 4), min_size=2, max_size=6),
    st.floats(-7, -2),
)
@settings(max_examples=12, deadline=None)
def test_a_row_does_not_depend_on_the_others(experiment: str, model: str, decades: list[float], power: float) -> None:
    """A row is the same to the last bit, whatever the number of masses and their order."""
    masses, row = 10.0 ** np.array(decades), mass_of(model)
    calls: list[tuple[Calls, dict[str, float]]] = [
        (fastscan.events, {"g": 10**power}),
        (of_its_neutrinos, {"g": 10**power}),
        (fastscan.chi2, {"g": 10**power}),
        (fastscan.limit, {}),
    ]
    for call, at in calls:
        together = call(experiment, model, **{row: masses}, **at)
        np.testing.assert_array_equal(together[::-1], call(experiment, model, **{row: masses[::-1]}, **at))
        np.testing.assert_array_equal(together, [call(experiment, model, **{row: each}, **at) for each in masses])


@pytest.mark.parametrize("experiment", [CSI, "conus-plus", XENON])
def test_rows_in_blocks_are_the_rows_alone(experiment: str) -> None:
    """There are more masses than rows in a block."""
    masses = np.geomspace(1e-6, 1e4, BLOCK + 44)
    together = fastscan.limit(experiment, "b-l", m_zprime=masses)
    apart = [fastscan.limit(experiment, "b-l", m_zprime=masses[part]) for part in (slice(0, 7), slice(7, None))]
    np.testing.assert_array_equal(together, np.concatenate(apart))


@pytest.mark.parametrize(
    ("experiment", "model"),
    [(XENON, "b-l"), (XENON, "scalar-q14"), (LAR, "b-l"), ("connie", "scalar-ftq"), ("conus", "le-lmu")],
)
def test_limits_along_the_mass_have_no_steps(experiment: str, model: str) -> None:
    """From 1 keV to 10 TeV the slope of ln g against ln M goes to 1 in steps as small as those of the masses."""
    masses = np.geomspace(1e-6, 1e4, 401)
    limits = np.asarray(fastscan.limit(experiment, model, **{mass_of(model): masses}))
    slopes = np.diff(np.log(limits)) / np.diff(np.log(masses))
    changes = np.diff(slopes)
    assert np.abs(changes).max() < 0.06
    assert np.abs(np.diff(changes)).max() < 0.01
    assert slopes[-1] == pytest.approx(1, abs=1e-8)
    if experiment != XENON:  # this experiment counts recoils of any small energy
        assert slopes[0] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("mass", [1e-6, 1e-4])
def test_the_lightest_mediators_where_there_is_no_threshold(mass: float) -> None:
    """The first bin of 51Cr counts most: the integral of 1 / (2 m T + M^2)^2 from T = 0 is 1 / (2 m M^2)."""
    g = 1e-9 * math.sqrt(mass)
    events = float(naive.all_counts(XENON, naive.vector("b-l", mass, g)).sum())
    assert fastscan.events(XENON, "b-l", m_zprime=mass / 1e3, g=g) == pytest.approx(events, rel=1e-10)


@pytest.mark.parametrize("model", ["b-l", "scalar-q14"])
def test_less_than_1_ev_is_taken_for_no_mass(model: str) -> None:
    row = mass_of(model)
    assert fastscan.limit(XENON, model, **{row: 1e-9}) > 0
    with pytest.raises(ExperimentError, match="for a mediator of less than 1 eV"):
        fastscan.limit(XENON, model, **{row: [1.0, 0.99e-9]})
    assert fastscan.limit("conus", model, **{row: 0.99e-9}) == pytest.approx(
        float(fastscan.limit("conus", model, **{row: 0.0})), rel=1e-9
    )


@pytest.mark.parametrize(("experiment", "model"), [(CSI, "lmu-ltau"), ("connie", "le-lmu"), ("conus", "scalar-q14")])
def test_the_heaviest_mediators_have_limits(experiment: str, model: str) -> None:
    """Up to the largest mass the limit on g is proportional to it."""
    limits, status = fastscan.limit(experiment, model, with_status=True, **{mass_of(model): [1e4, 1e6]})
    assert np.all(status == OK)
    assert limits[1] / limits[0] == pytest.approx(100, rel=1e-8)


@pytest.mark.parametrize(
    ("experiment", "model"),
    [("conus", "lmu-ltau"), (XENON, "lmu-ltau"), (XENON, "b-3lmu"), ("conus", "magnetic-mu"), ("conus", "radius-tau")],
)
def test_what_acts_on_no_neutrino_of_the_source_has_no_sensitivity(experiment: str, model: str) -> None:
    """There is exactly none, rather than a limit far away."""
    at = {axis.name: np.geomspace(1e-6, 1e4, 5) for axis in catalogue.MODELS[model].rows}
    _, status = fastscan.limit(experiment, model, with_status=True, **at)
    assert np.all(status == NO_SENSITIVITY)


@pytest.mark.parametrize(("mass", "number"), [(1e-3, 1), (1e-2, 1), (6e-2, 2), (1.0, 2)])
def test_islands_of_a_loop_close_where_flavours_do_not_vanish_together(mass: float, number: int) -> None:
    assert len(fastscan.intervals(CSI, "lmu-ltau", m_zprime=mass)) == number
