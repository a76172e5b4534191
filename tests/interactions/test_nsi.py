"""Non-standard interactions, charge radii and the weak mixing angle, held to `naive` and to INTERACTIONS.md."""

import math
from collections.abc import Callable

import naive
import numpy as np
import pytest
from conftest import REPOSITORY, Write, ok, require_refused
from naive import Interaction, nsi, radius, weak_angle
from scipy.optimize import brentq

import fastscan
from fastscan.errors import FastscanError
from fastscan.interactions import catalogue as models

CSI, LAR, XENON = "coherent-csi", "coherent-lar", "cr51-lxe-a"
DELTA = 2.705543454095404  # 90 % of chi2 with 1 degree of freedom
GRIDS = REPOSITORY / "grids"


@pytest.mark.parametrize(
    ("experiment", "model", "at", "events", "chi2"),
    [
        (CSI, "nsi-ee-u", {"eps": 0.25}, {"nu_e": 3.32373698622}, 0.0771937758647),
        (CSI, "nsi-mumu-d", {"eps": -0.2}, {"nu_mu": 130.294779821, "nubar_mu": 400.932779248}, 7.30857229082),
        (LAR, "nsi-etau-u", {"eps": 0.3}, {"nu_e": 5951.47944447}, 5.04916041941),
        (
            CSI,
            "radius-mu",
            {"r2": 20},
            {"nu_mu": 83.9111846838, "nu_e": 60.3231779974, "nubar_mu": 258.167871973},
            5.19723358647,
        ),
        ("connie", "s2w", {"shift": 0.02}, {"nubar_e": 5965.80044033}, 0.495747767953),
    ],
)
def test_printed_numbers(
    experiment: str, model: str, at: dict[str, float], events: dict[str, float], chi2: float
) -> None:
    """INTERACTIONS.md section 7."""
    found = fastscan.events(experiment, model, by_neutrino=True, **at)
    assert {neutrino: float(found[neutrino]) for neutrino in events} == pytest.approx(events, rel=1e-9)
    assert fastscan.chi2(experiment, model, **at) == pytest.approx(chi2, rel=1e-8)


def test_printed_limit() -> None:
    """INTERACTIONS.md section 7: without interference both sides are alike."""
    low, high = fastscan.limit(LAR, "nsi-etau-u", sigma_sys=0.1)
    assert (low, high) == pytest.approx((-0.147816877394, 0.147816877394), rel=1e-8)
    assert fastscan.limit(LAR, "nsi-emu-u", sigma_sys=0.1) != pytest.approx([low, high], rel=1e-2)


def test_islands() -> None:
    """INTERACTIONS.md section 6: only one flavour vanishes with eps_ee, and two of three together with eps_mumu."""
    assert len(fastscan.intervals(CSI, "nsi-ee-u")) == 1
    assert len(fastscan.intervals(CSI, "nsi-mumu-u")) == 2


CASES: list[tuple[str, str, str, Callable[[float], Interaction], float]] = [
    (LAR, "nsi-ee-d", "eps", lambda x: nsi("ee", {"d": x}), 0.17),
    (CSI, "nsi-emu-u", "eps", lambda x: nsi("emu", {"u": x}), -0.3),
    (LAR, "nsi-mutau-d", "eps", lambda x: nsi("mutau", {"d": x}), 0.2),
    (CSI, "nsi-tautau-u", "eps", lambda x: nsi("tautau", {"u": x}), 0.5),
    ("connie", "nsi-ee-u", "eps", lambda x: nsi("ee", {"u": x}), 0.1),
    (XENON, "nsi-ee-eL", "eps", lambda x: nsi("ee", {"eL": x}), 0.02),
    (XENON, "nsi-etau-eR", "eps", lambda x: nsi("etau", {"eR": x}), 0.3),
    (XENON, "nsi-mumu-eL", "eps", lambda x: nsi("mumu", {"eL": x}), 0.3),
    (LAR, "radius-e", "r2", lambda x: radius("e", x), -15.0),
    (XENON, "radius-e", "r2", lambda x: radius("e", x), 0.4),
    (XENON, "s2w", "shift", weak_angle, 0.003),
    (CSI, "s2w", "shift", weak_angle, -0.05),
]


@pytest.mark.parametrize(("experiment", "model", "name", "new", "x"), CASES, ids=lambda each: str(each)[:12])
def test_events_chi2_and_intervals_equal_the_naive_ones(
    experiment: str, model: str, name: str, new: Callable[[float], Interaction], x: float
) -> None:
    """Amplitudes are complete at each point; the scan uses the quadratic polynomial through three points."""
    standard = naive.standard_counts(experiment)
    there, mirrored = (naive.all_counts(experiment, new(each)) - standard for each in (x, -x))
    assert fastscan.events(experiment, model, **{name: x}) == pytest.approx((standard + there).sum(), rel=1e-10)
    expected = naive.chi2_of_counts(experiment, standard, there)
    assert fastscan.chi2(experiment, model, **{name: x}) == pytest.approx(expected, rel=1e-9, abs=1e-9)

    def chi2(t: float) -> float:
        excess = t * (there - mirrored) / 2 + t * t * (there + mirrored) / 2
        return naive.chi2_of_counts(experiment, standard, excess)

    size = np.geomspace(1e-3, 1e3, 400)
    t = np.concatenate([-size[::-1], [0.0], size])
    values = np.array([chi2(each) for each in t])
    bottom = np.linspace(*t[[max(values.argmin() - 1, 0), min(values.argmin() + 1, t.size - 1)]], 2001)
    level = min(values.min(), min(map(chi2, bottom))) + DELTA
    places = np.flatnonzero((values[1:] > level) != (values[:-1] > level))
    ends = sorted(abs(x) * math.copysign(1, x) * brentq(lambda at: chi2(at) - level, t[i], t[i + 1]) for i in places)
    allowed = fastscan.intervals(experiment, model)
    found = [end for pair in allowed for end in pair if math.isfinite(end)]
    assert found == pytest.approx(ends, rel=1e-5)
    assert bool(ends) == (fastscan.limit(experiment, model, with_status=True)[1] != "no_sensitivity")


@pytest.mark.parametrize("pair", ["ee", "mumu", "etau"])
def test_a_plane_is_a_direction_at_each_point(pair: str) -> None:
    u, d = np.array([-0.3, 0.0, 0.2]), np.array([[0.25], [0.0]])
    found = fastscan.events(LAR, f"nsi-{pair}", eps_u=u, eps_d=d)
    for row, eps_d in zip(found, d.ravel(), strict=True):
        for events, eps_u in zip(row, u, strict=True):
            along = {"u": float(eps_u) or 1e-30, "d": float(eps_d)}
            model = models.NonStandard("here", "", (), {pair: along})
            assert events == pytest.approx(float(fastscan.events(LAR, model, eps=1.0)), rel=1e-12)
    # the Standard Model lies on the row eps_d = 0 and, without interference, nothing cancels on another
    assert fastscan.limit(LAR, f"nsi-{pair}", eps_d=0.0) == pytest.approx(fastscan.limit(LAR, f"nsi-{pair}-u"))


def test_where_u_and_d_cancel_the_standard_model_is_allowed_again() -> None:
    """In one kind of nucleus only (2 Z + N) eps_u + (Z + 2 N) eps_d counts: both islands move with eps_d."""
    on_axis = fastscan.intervals("conus", "nsi-ee", eps_d=0.0)
    moved = fastscan.intervals("conus", "nsi-ee", eps_d=0.1)
    shift = {low - other for (low, _), (other, _) in zip(on_axis, moved, strict=True)}
    assert 0.09 < min(shift) <= max(shift) < 0.12  # (Z + 2 N) / (2 Z + N) = 1.09 of germanium


@pytest.mark.parametrize(
    ("experiment", "model"), [("conus", "nsi-mumu-u"), ("conus", "nsi-ee-eL"), (XENON, "nsi-ee-u")]
)
def test_what_no_neutrino_or_target_sees_has_no_sensitivity(experiment: str, model: str) -> None:
    limits, status = fastscan.limit(experiment, model, with_status=True)
    assert (limits.tolist(), status) == ([-math.inf, math.inf], "no_sensitivity")
    assert fastscan.intervals(experiment, model) == [(-math.inf, math.inf)]


@pytest.mark.parametrize("name", [name for name in models.MODELS if name.startswith(("nsi", "radius", "s2w"))])
@pytest.mark.parametrize("channel", ["cevns", "nu-e"])
def test_a_store_can_tell_which_model_it_was(name: str, channel: str) -> None:
    model = models.MODELS[name]
    again = models.of_identity(name, model.identity(), model.references)
    rows = {axis.name: np.array([-0.1, 0.3]) for axis in model.rows}
    (one,), (other,) = (each.terms(channel, rows) for each in (model, again))  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.weight, other.weight)


def test_of_several_shifts_only_the_own_flavour_interferes() -> None:
    """eps_emu acts equally on nu_e and nu_mu, and has no term linear in x."""
    (term,) = models.MODELS["nsi-emu-d"].terms("cevns", {})
    assert not term.weight[..., :2].any()
    np.testing.assert_array_equal(term.weight[0, :, :, 2], [[1, 2, 4], [1, 2, 4], [0, 0, 0]])


MODEL = (GRIDS / "models/my-nsi.toml").read_text()


def test_a_file_is_a_direction(write: Write) -> None:
    path = write("mine.toml", MODEL)
    mine = models.load(str(path))
    assert (mine.name, mine.strength.axis.name) == ("mine", "eps")
    new = {"ee": {"u": 1.0, "d": -0.5}, "etau": {"d": 0.3}}
    direction = models.NonStandard("same", "", (), new)
    for experiment in (CSI, "conus"):
        assert fastscan.limit(experiment, mine) == pytest.approx(fastscan.limit(experiment, direction), rel=1e-12)
    assert ok("cite", path) == "arXiv:1907.00991\n"
    assert "mine: eps " in ok("limit", "coherent-csi", path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("etau =", "etaus =", r"\[direction\]: unknown key 'etaus'; did you mean 'etau'"),
        ("d = 0.3", "s = 0.3", r"\[etau\]: unknown key 's'; known: d, eL, eR, u"),
        ("d = 0.3", "d = nan", "d: must be a finite number"),
        ("d = 0.3", "d = 1e9", "d: must be between"),
        ("d = 0.3", 'd = "1/3"', "d: must be a number"),
        ('kind = "nsi"', 'kind = "nsis"', "kind: unknown kind 'nsis'; did you mean 'nsi'"),
        ("[direction]", "[directions]", "direction: missing"),
        ("title", "name = 's2w'\ntitle", "'s2w' is a built-in model"),
        ("u = 1.0, d = -0.5", "u = 0, d = 0", None),
    ],
)
def test_what_is_wrong_with_a_direction_is_told(old: str, new: str, problem: str | None, write: Write) -> None:
    assert old in MODEL
    path = write("mine.toml", MODEL.replace(old, new, 1))
    if problem is None:  # the rest is still a direction
        models.load(str(path))
    else:
        require_refused(models.load, path, problem)


def test_a_direction_that_is_none_is_refused(write: Write) -> None:
    path = write("mine.toml", MODEL.replace("u = 1.0, d = -0.5", "u = 0").replace("d = 0.3", "d = 0"))
    require_refused(models.load, path, "has no direction: every epsilon is 0")
    with pytest.raises(FastscanError, match="unknown pair of flavours 'mue'"):
        models.NonStandard("mine", "", (), {"mue": {"u": 1.0}})
    with pytest.raises(FastscanError, match="unknown coupling 's'"):
        models.NonStandard("mine", "", (), {"ee": {"s": 1.0}})


SUN = """
title = "a tonne of xenon"
channel = "cevns"
references = ["none"]
exposure = "1 yr"
[[target]]
compound = "Xe"
mass = "1 t"
[source]
kind = "sun"
components = ["8B"]
survival = 0.33
[detector]
threshold = "0.5 keV"
[statistics]
kind = "projection"
background = 0.1
background_scales = false
sigma_sys = 0.05
"""


def test_neutrinos_of_the_sun_can_not_change_their_flavour(write: Write) -> None:
    """INTERACTIONS.md section 8: coherent mixtures interfere through terms that the calculation lacks."""
    path = write("solar.toml", SUN)
    assert fastscan.events(path, "nsi-ee-u", eps=0.1) > 0
    with pytest.raises(FastscanError, match=r"its neutrinos are mixtures of flavours.*'nsi-emu-u'"):
        fastscan.events(path, "nsi-emu-u", eps=0.1)
