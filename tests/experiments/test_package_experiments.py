"""The experiments that joined the package after those of arXiv:2002.01482.

Each counts as the naive calculation, and stands in the table of grids/README.md beside the number of its paper.
"""

import math
import re
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import REPOSITORY, Write, ok, require_refused, slow
from scipy.stats import binom
from test_wishes import YEAR, Wish, fluence, lindhard, nuclei, recoil, share

import fastscan
from fastscan import experiments
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.experiments.modelled import Modelled
from fastscan.experiments.poisson import Poisson
from fastscan.interactions.standard_model import couplings, features
from fastscan.likelihoods.response import response
from fastscan.stores import store
from fastscan.stores.location import read_root

README = (REPOSITORY / "grids" / "README.md").read_text()
C3F8 = (("C", 3), ("F", 8))
naive.OTHERS["kopeikin-mueller"] = naive.reactor(
    "kopeikin-mueller", {"U235": 0.58, "U238": 0.07, "Pu239": 0.30, "Pu241": 0.05}, area=1.0
)
SNS_RATE, GE_MINI_SECONDS = 1.5e23 / YEAR, 55 * naive.DAY
RED100_KEV, RED100_COUNTED = (
    tuple(float(row[column]) for row in naive.rows("experiments/red100-2024.csv"))
    for column in ("energy_kev", "efficiency")
)
ESS_RATE = 0.3 * 2.8e23 / YEAR
ESS = {
    "ess-csi": (naive.CSI, 22.5, 1.0),
    "ess-xe": (naive.XE, 20.0, 0.9),
    "ess-ge": (naive.GE, 7.0, 0.6),
    "ess-ar": (naive.AR, 10.0, 0.1),
    "ess-si": (naive.SI, 1.0, 0.16),
    "ess-c3f8": (C3F8, 10.0, 2.0),
}


def conus_sigma(mean_kev: float) -> float:
    """Standard deviation of a visible energy: noise, and the number of pairs of 2.96 eV."""
    return math.sqrt(0.02038**2 + 0.1096 * 0.00296 * mean_kev)


EXPECTED = {
    "coherent-ge-mini": Wish(
        "sns", 0.096 * 2.05e22 / GE_MINI_SECONDS, 19.2, GE_MINI_SECONDS, ((naive.GE, 10.66),),
        naive.Chain(lindhard(0.157), (1.5, 8.5)),
    ),
    "coherent-cryocsi": Wish(
        "sns", 0.0848 * SNS_RATE, 19.3, YEAR, ((naive.CSI, 10.0),),
        naive.Chain(share({55: 0.15, 53: 0.15}, 50.0), (4.0, math.inf)),
    ),
    "conus-plus": Wish(
        "kopeikin-mueller", 1.5e13, math.nan, YEAR, ((naive.GE, 2.83),),
        naive.Chain(
            lindhard(0.162), (0.17, math.inf),
            lambda x, mean: naive.gaussian(x, mean, conus_sigma(mean)), conus_sigma,
        ),
    ),
    "nucleus-chooz": Wish(
        "power plant", 4.25, 1 / math.hypot(1 / 72, 1 / 102), YEAR, ((naive.CAWO4, 6.84e-3), (naive.AL2O3, 4.41e-3)),
        naive.Chain(lambda t, _: t, (0.02, 0.04, 0.08, 0.16, 0.32, 1.0)),
    ),
    "ricochet-ill": Wish(
        "research reactor", 0.058, 8.8, 300 * naive.DAY, ((naive.GE, 0.684),),
        naive.Chain(lambda t, _: t, (0.05, 1.0)),
    ),
    "nugen": Wish(
        "power plant", 3.1, 11.1, 235 * naive.DAY, ((naive.GE, 1.41),), naive.Chain(lindhard(0.162), (0.3, math.inf))
    ),
    "neon": Wish(
        "power plant", 2.8, 23.7, YEAR, ((naive.NAI, 13.3),),
        naive.Chain(share({11: 0.15, 53: 0.05}), (0.2, 0.3, 0.4, 0.5)),
    ),
    "red100-2024": Wish(
        "power plant", 3.1, 19, 192 / 73 * naive.DAY, ((naive.XE, 73.0),),
        naive.Chain(
            lambda t, _: t, (RED100_KEV[0], math.inf),
            efficiency=lambda x: float(np.interp(x, RED100_KEV, RED100_COUNTED)), knots=RED100_KEV[1:],
        ),
    ),
    "sbc-inin": Wish("research reactor", 1e-3, 3, YEAR, ((naive.AR, 10.0),), recoil(0.1)),
    **{name: Wish("sns", ESS_RATE, 20, YEAR, ((compound, mass),), recoil(threshold))
       for name, (compound, mass, threshold) in ESS.items()},
}  # fmt: skip
# Events that arXiv:1911.00762 expects at the European Spallation Source in a year.
PUBLISHED = {"ess-csi": 8405, "ess-xe": 7770, "ess-ge": 1610, "ess-ar": 1380, "ess-si": 80}


def counts(name: str) -> np.ndarray:
    """Counts of the Standard Model in each bin."""
    found: np.ndarray = response(experiments.load(name)).total @ features(couplings("cevns")[0])
    return found


def test_every_experiment_has_a_naive_calculation() -> None:
    """Counted events and models have other ones; test_conus_plus checks the numbers of run 1 of CONUS+."""
    kinds = Poisson | Modelled
    counted = [name for name in experiments.names() if isinstance(experiments.load(name).statistics, kinds)]
    checked = ["conus-plus-2025", "conus-plus-2025-electrons", "conus-plus-2025-total"]
    assert sorted({*EXPECTED, *naive.EXPERIMENTS, *counted, *checked}) == experiments.names()


@pytest.mark.parametrize("name", [slow(name) if name == "red100-2024" else name for name in EXPECTED])
def test_it_counts_as_the_naive_calculation(name: str) -> None:
    this = EXPECTED[name]
    theirs = naive.chained_events(this.source, fluence(this), nuclei(this), naive.sm_couplings("cevns"), this.chain)
    assert counts(name) == pytest.approx(theirs, rel=1e-8, abs=1e-12 * theirs.sum())


def table() -> dict[str, list[str]]:
    """Cells of the table of grids/README.md, by experiment."""
    lines = README.split("### Experiments of today")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}


@pytest.mark.parametrize("name", EXPECTED)
def test_its_count_stands_in_the_documentation(name: str) -> None:
    count, published, deviation, _ = table()[name]
    assert float(count) == pytest.approx(counts(name).sum(), rel=5e-4)
    assert bool(deviation) == (published != "no number known")


def test_the_documentation_has_no_other_experiments() -> None:
    assert {*table()} == {*EXPECTED}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_yields_at_the_european_spallation_source(name: str) -> None:
    assert counts(name).sum() == pytest.approx(PUBLISHED[name], rel=0.05)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_says_what_is_assumed_and_where_the_rest_is_from(name: str) -> None:
    experiment = experiments.load(name)
    assert experiment.assumed
    assert all(re.fullmatch(r"arXiv:\d{4}\.\d{5}", reference) for reference in experiment.references)


def test_assumptions_are_texts(write: Write) -> None:
    text = (BUILT_IN / "neon.toml").read_text()
    require_refused(
        experiments.load, write("mine.toml", re.sub(r"assumed = \[", "assumed = [1, ", text)), "assumed: must"
    )
    without = re.sub(r"assumed = \[.*?\n\]\n", "", text, flags=re.DOTALL)
    assert experiments.load(write("mine.toml", without)).assumed == ()


def electrons(recoil_kev: float) -> float:
    """Electrons that a nuclear recoil frees in xenon at 218 V/cm, by the formula of NEST 2 (arXiv:2211.10726)."""
    recombination = 0.0480 * 218**-0.0533 * math.sqrt(recoil_kev + 12.6)
    return recoil_kev / recombination * (1 - 1 / (1 + (recoil_kev / 0.3) ** 2))


def counted_by_red100(recoil_kev: float) -> float:
    """Share of recoils that give 4 to 7 extracted electrons and pass the cuts."""
    kept = {4: 0.138, 5: 0.330, 6: 0.599, 7: 0.719}
    trials = electrons(recoil_kev) / 0.57  # a binomial distribution with a Fano factor of 0.43
    low, part = math.floor(trials), trials % 1
    mixture = [(low, 1 - part), (low + 1, part)]
    return math.fsum(
        weight * share * binom.pmf(n, number, 0.57 * 0.328) for number, weight in mixture for n, share in kept.items()
    )


def test_the_table_of_red100_is_what_its_header_says() -> None:
    assert list(RED100_COUNTED) == pytest.approx([counted_by_red100(each) for each in RED100_KEV], rel=2e-5)


def test_a_grid_over_all_of_them_scans(write: Write, tmp_path: Path) -> None:
    grid = f"""
experiments = {[*EXPECTED]}
models = ["chi"]
[axes]
m_zprime = {{ values = [50, 500, 5000], unit = "GeV" }}
luminosity = {{ values = [1, 10] }}
"""
    fastscan.scan(write("grid.toml", grid), tmp_path / "all.zarr")
    assert store.group_names(read_root(tmp_path / "all.zarr")) == [f"{name}/chi" for name in sorted(EXPECTED)]
    for name in EXPECTED:
        with fastscan.open(tmp_path / "all.zarr", f"{name}/chi") as cube:
            assert np.isfinite(cube.chi2.values).all()
    assert len(ok("limits", tmp_path / "all.zarr", "--csv").splitlines()) > len(EXPECTED)
