"""Coverage of asymptotic intervals: published numbers, exact integrals, and what is refused."""

import json

import numpy as np
import pytest
from conftest import ok, refusal
from test_feldman_cousins import expected, one_bin

import fastscan
from fastscan.errors import FastscanError

DELTA = 2.705543
M_Z = 91.1876  # GeV
pytestmark = pytest.mark.filterwarnings("ignore:in more than 0.1 %:fastscan.errors.FastscanWarning")


def masses(gamma: list[float]) -> list[float]:
    return [np.inf if each == 0 else M_Z / each**0.5 for each in gamma]


def test_one_bin_is_covered_as_published() -> None:
    found = fastscan.coverage("coherent-csi", "chi", m_zprime=masses([0.0, 0.1, 0.2]), toys=40_000, seed=1)
    assert found.fraction.shape == (3,)
    assert found.error == pytest.approx((found.fraction * (1 - found.fraction) / 40_000) ** 0.5, rel=0.01)
    for fraction, error, published in zip(found.fraction, found.error, (0.95, 0.9285, 0.9001), strict=True):
        assert fraction == pytest.approx(published, abs=4 * error)


@pytest.mark.parametrize("signal", [0.0, 1.5])
def test_one_bin_is_covered_as_the_exact_integral_says(signal: float) -> None:
    at = {"m_zprime": 300.0}
    naive, m = one_bin("coherent-csi", "chi", **at), expected("coherent-csi", "chi", **at)
    found = fastscan.coverage("coherent-csi", "chi", **at, toys=40_000, nuisances={"signal": signal})
    assert float(found.fraction) == pytest.approx(naive.coverage(m, DELTA, naive.sigma * signal), abs=4 * found.error)


def test_counted_events_are_covered_as_published() -> None:
    found = fastscan.coverage("coherent-csi-2021", "nsi-ee-u", eps=[0.0, 0.1, 0.2], toys=2000, seed=1)
    published = zip(found.fraction, found.error, (0.9029, 0.9342, 0.9530), (0.0021, 0.0018, 0.0015), strict=True)
    for fraction, error, other, its_error in published:
        assert fraction == pytest.approx(other, abs=4 * (error**2 + its_error**2) ** 0.5)


def test_settings_broadcast_with_points() -> None:
    found = fastscan.coverage("conus", "b-l", m_zprime=0.01, g=[[0.0], [1e-5]], sigma_sys=[0.1, 0.2, 0.3], toys=100)
    assert found.fraction.shape == (2, 3)
    assert ((found.fraction > 0.75) & (found.fraction <= 1)).all()
    assert (found.error > 0).all()


def test_nuisances_of_several_experiments_have_their_names() -> None:
    members = ["coherent-csi-2021", "coherent-lar-2020"]
    asked = {"toys": 20, "nuisances": {"coherent-csi-2021/ss": 1.0}}
    assert fastscan.coverage(members, "nsi-ee-u", eps=0.0, **asked).nuisances == {"coherent-csi-2021/ss": 1.0}
    with pytest.raises(FastscanError, match="unknown nuisance 'ss'; known: "):
        fastscan.coverage(members, "nsi-ee-u", eps=0.0, toys=20, nuisances={"ss": 1.0})
    with pytest.raises(FastscanError, match="nuisance signal must be a number between -100 and 100"):
        fastscan.coverage("conus", "nsi-ee-u", eps=0.0, toys=20, nuisances={"signal": np.nan})


def test_the_command_says_the_same() -> None:
    asked = ("coverage", "conus", "b-l", "--at", "m_zprime=10MeV,g=0", "--at", "m_zprime=10MeV,g=1e-5", "--toys", 200)
    ours = fastscan.coverage("conus", "b-l", m_zprime=0.01, g=[0.0, 1e-5], toys=200, nuisances={"signal": -1.0})
    asked = (*asked, "--nuisance", "signal=-1")
    found = json.loads(ok(*asked, "--json"))
    assert [each["coverage"] for each in found] == ours.fraction.tolist()
    assert [each["error"] for each in found] == ours.error.tolist()
    first = found[0]
    assert (first["m_zprime_gev"], first["g"], first["nuisances"]) == (0.01, 0.0, {"signal": -1.0})
    assert (first["cl"], first["dof"], first["toys"], first["seed"]) == (0.9, 1, 200, 0)
    table = ok(*asked)
    assert "true nuisances signal -1, from 200 toys of seed 0 at each point:" in table
    assert len(table.splitlines()) == 4
    assert ok(*asked, "--csv").startswith("experiment,model,m_zprime_gev,g,sigma_sys,luminosity,cl,dof,toys,seed,")


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ([], "Missing option '--at'"),
        (["--at", "g=1e-5"], "model 'b-l' needs m_zprime"),
        (["--at", "m_zprime=10MeV,g=0", "--at", "g=0"], "each point must have the same parameters"),
        (["--at", "m_zprime=10MeV,g=0", "--nuisance", "signal"], "is not of the form signal=1"),
        (["--at", "m_zprime=10MeV,g=0", "--nuisance", "flux=1"], "unknown nuisance 'flux'; known: signal"),
        (["--at", "m_zprime=10MeV,g=0", "--toys", "0"], "toys must be a whole number"),
        (["--at", "m_zprime=10MeV,g=0", "--json", "--csv"], "--json and --csv exclude each other"),
    ],
)
def test_what_is_no_point_is_refused_in_one_line(asked: list[str], problem: str) -> None:
    assert problem in refusal("coverage", "conus", "b-l", *asked)
