"""Confidence level and degrees of freedom reach every number: records, intervals, contours, beside the naive ones."""

import math
from decimal import Decimal, localcontext

import naive
import numpy as np
import pytest
from conftest import scanned
from scipy.optimize import minimize_scalar
from scipy.stats import chi2 as chi2_distribution

import fastscan
from fastscan.answers import answers, contours
from fastscan.answers.point import limits_at_points
from fastscan.answers.question import Question
from fastscan.limits import limits as query

CSI, CL, DOF = "coherent-csi", 0.95, 2
BETA = math.radians(100)  # two allowed intervals
GRID = """
experiments = ["coherent-csi"]
models = ["chi", "e6"]
[axes]
beta = { values = [80, 100, 120], unit = "deg" }
m_zprime = { start = 5, stop = 800, num = 60, spacing = "log", unit = "GeV" }
sigma_sys = { values = [0.1, 0.2] }
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(GRID, tmp_path_factory.mktemp("stored")))


def ends(intervals: list[tuple[float, float | None]]) -> list[float]:
    """The closed ends of allowed intervals."""
    return [end for interval in intervals for end in interval if end is not None and 1 < end < math.inf]


def crossings(model: str, beta: float | None, sigma_sys: float) -> list[float]:
    return naive.crossings([CSI], model, beta, sigma_sys, cl=CL, dof=DOF)


@pytest.mark.parametrize(("model", "beta"), [("chi", None), ("e6", BETA)])
@pytest.mark.parametrize("from_cube", [False, True])
def test_records_of_a_store(model: str, beta: float | None, from_cube: bool, stored: str) -> None:
    at = {"sigma_sys": [0.1]} | ({} if beta is None else {"beta": [beta]})
    (found,) = answers.limits_of_store(stored, Question((f"{CSI}/{model}",), at, CL, DOF, stored=from_cube))
    expected = crossings(model, beta, 0.1)
    assert ends(found["allowed_gev"]) == pytest.approx(expected, rel=1e-6)
    assert found["limit_gev"] == pytest.approx(expected[-1], rel=1e-6)
    assert (found["cl"], found["dof"]) == (CL, DOF)


@pytest.mark.parametrize(("model", "beta"), [("chi", None), ("e6", BETA)])
def test_record_and_intervals_of_a_point(model: str, beta: float | None) -> None:
    point = {"beta": beta, "sigma_sys": 0.1, "cl": CL, "dof": DOF}
    expected = crossings(model, beta, 0.1)
    at = {"sigma_sys": 0.1} | ({} if beta is None else {"beta": beta})
    (found,) = limits_at_points([CSI], model, Question(at=at, cl=CL, dof=DOF))
    assert ends(found["allowed_gev"]) == pytest.approx(expected, rel=1e-6)
    assert found["limit_gev"] == pytest.approx(expected[-1], rel=1e-6)
    assert ends(fastscan.intervals(CSI, model, **point)) == pytest.approx(expected, rel=1e-6)


def test_the_expected_limit_of_a_point() -> None:
    """The data are the prediction: in one bin, Delta chi2 is the square of N - N_SM over its error."""
    (record,) = limits_at_points([CSI], "chi", Question(at={"sigma_sys": 0.1}, cl=CL, dof=DOF))
    found = record["expected_gev"]
    signal, standard = (naive.events(CSI, "chi", mass) for mass in (found, math.inf))
    expected = standard + naive.CSI_NEUTRONS
    variance = expected + naive.CSI_NEUTRONS + 2 * naive.CSI_STEADY
    variance += (naive.CSI_NEUTRON_SIGMA * naive.CSI_NEUTRONS) ** 2 + (0.1 * signal) ** 2
    assert (signal - standard) ** 2 / variance == pytest.approx(chi2_distribution.ppf(CL, DOF), rel=1e-6)


def infimum(beta: float) -> float:
    """The lowest naive chi2 at a beta, the Standard Model's included."""

    def chi2(mass: float) -> float:
        return naive.chi2(CSI, "e6", mass, beta, 0.1)

    masses = np.geomspace(5, 800, 60)
    least = int(np.argmin([chi2(mass) for mass in masses[1:-1]])) + 1
    ends = masses[least - 1], masses[least + 1]
    return min(chi2(math.inf), float(minimize_scalar(chi2, bounds=ends, options={"xatol": 1e-9}).fun))


@pytest.mark.parametrize("from_cube", [False, True])
@pytest.mark.parametrize("dof", [1, 2])
def test_a_vertex_of_a_contour(dof: int, from_cube: bool, stored: str) -> None:
    """The vertex is at an angle of the axis; with 2 degrees of freedom, beta is fitted too."""
    question = Question((f"{CSI}/e6",), {"sigma_sys": 0.1}, CL, dof, stored=from_cube)
    ((plane, lines),) = answers.contours_of_store(stored, question)
    assert (plane.cl, plane.dof) == (CL, dof)
    vertices = [row for row in contours.contour_records(plane, lines) if abs(row["beta_rad"] - BETA) < 1e-12]
    assert vertices
    betas = [BETA] if dof == 1 else np.radians([80, 100, 120])
    lowest = min(infimum(beta) for beta in betas)
    for row in vertices:
        above = naive.chi2(CSI, "e6", row["m_zprime_gev"], row["beta_rad"], 0.1) - lowest
        assert above == pytest.approx(chi2_distribution.ppf(CL, dof), rel=1e-6), row
        assert (row["cl"], row["dof"]) == (CL, dof)
        assert row["delta_chi2"] == pytest.approx(chi2_distribution.ppf(CL, dof), rel=1e-12)


@pytest.mark.parametrize(("cl", "dof"), [(0.6827, 1), (0.90, 1), (0.95, 2), (0.9973, 3)])
def test_the_threshold_is_the_quantile(cl: float, dof: int) -> None:
    assert query.threshold(cl, dof) == pytest.approx(chi2_distribution.ppf(cl, dof), rel=1e-12)


@pytest.mark.parametrize("cl", [0.01, 0.6827, 0.90, 0.95, 0.9545, 0.99, 0.9973, 0.999999])
@pytest.mark.parametrize("dof", [1, 2, 3, 1000])
def test_thresholds_are_quantiles_of_the_chi2_distribution(cl: float, dof: int) -> None:
    """SciPy's own quantile for 1 dof is off by 1e-14 of itself near 68 %, by its probability with fifty digits."""
    assert query.threshold(cl, dof) == pytest.approx(chi2_distribution.isf(1 - cl, dof), rel=2e-14)


@pytest.mark.parametrize("cl", [0.01, 0.6827, 0.90, 0.95, 0.9973])
def test_the_threshold_for_one_degree_of_freedom_is_exact(cl: float) -> None:
    with localcontext() as context:
        context.prec = 50
        half, terms = Decimal(query.threshold(cl, 1)) / 2, [Decimal(1)]
        while terms[-1] > Decimal("1e-45"):  # of the probability below, exp(-x/2) sum_k x^(k+1/2) / (2k+1)!!
            terms.append(terms[-1] * 2 * half / (2 * len(terms) + 1))
        density = (-half).exp() / (half * Decimal("3.14159265358979323846264338327950288")).sqrt()
        error = (2 * half * density * sum(terms) - (1 - Decimal(1 - cl))) / density / (2 * half)
    assert abs(error) < 1e-15
