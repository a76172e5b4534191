"""A few points and columns are computed by NumPy, without a compiler: the numbers are the kernels'."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from fastscan.interactions.catalogue import MODELS
from fastscan.likelihoods import gaussian
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.limits import crossings, points
from fastscan.limits.crossings import Crossings, find_crossings
from fastscan.limits.limits import bounds_of

EXPERIMENTS = ["coherent-csi", "conus", "conus-plus-2025", "texono"]
ROWS = {
    "beta": np.radians([0.0, 20.0, 100.0, 105.0, 160.0]),
    "m_zprime": np.geomspace(1e-5, 10, 5),
    "m_phi": np.geomspace(1e-5, 10, 5),
    "eps_d": np.array([-0.7, 0.0, 0.3]),
}
DELTA = 2.705543454095404


def columns_of(experiments: list[str], model: str) -> GaussianColumns:
    """Columns in some rows, with small and large errors at several luminosities."""
    rows = points.prepare(experiments, model, {axis.name: ROWS[axis.name] for axis in MODELS[model].rows})
    settings = {"sigma_sys": np.array([0.0, 0.02, 0.1, 0.3]), "luminosity": np.array([1.0, 0.5, 3.0, 20.0])}
    found, _ = rows.likelihood.columns(rows.index[..., None], settings)
    assert isinstance(found, GaussianColumns)
    return found


def found_in(columns: GaussianColumns, model: str, few: int, monkeypatch: pytest.MonkeyPatch) -> Crossings:
    """The crossings, if up to so many columns are few."""
    monkeypatch.setattr(crossings, "FEW_COLUMNS", few)
    strength = MODELS[model].strength
    return find_crossings(columns, DELTA, strength.largest_x, strength.signed)


def combined() -> Iterator[tuple[list[str], str]]:
    """Every model with one of the experiments, and some with a sum of them or with one that sees electrons."""
    for number, model in enumerate(MODELS):
        yield [EXPERIMENTS[number % len(EXPERIMENTS)]], model
    yield from ((["coherent-csi", "conus", "texono"], model) for model in ("e6", "b-l", "nsi-ee", "s2w"))
    yield from ((["cr51-lxe-c"], model) for model in ("e6", "s2w"))


@pytest.mark.parametrize(("experiments", "model"), [*combined()])
def test_crossings_and_statuses_are_those_of_the_kernel(
    experiments: list[str], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = columns_of(experiments, model)
    one, other = (found_in(columns, model, few, monkeypatch) for few in (columns.row.size, 0))
    assert one.column.tolist() == other.column.tolist()
    assert one.x == pytest.approx(other.x, rel=1e-12)
    strength = MODELS[model].strength
    assert bounds_of(one, strength)[1].tolist() == bounds_of(other, strength)[1].tolist()
    assert one.flat.tolist() == other.flat.tolist()


def test_chi2_is_that_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    columns, x = columns_of(["coherent-csi", "cr51-lxe-c"], "e6"), np.concatenate([[0.0], np.geomspace(1e-9, 1e9, 91)])
    few = columns.chi2(x)
    monkeypatch.setattr(gaussian, "FEW_POINTS", 0)
    assert few == pytest.approx(columns.chi2(x), rel=1e-12)


def test_no_bit_of_a_column_depends_on_those_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = columns_of(["coherent-csi"], "e6")
    together = found_in(columns, "e6", columns.row.size, monkeypatch)
    assert np.bincount(together.column).max() == 4
    x = np.geomspace(1e-6, 10, 23)
    chi2 = columns.chi2(x)
    for column in range(columns.row.size):
        alone = columns.some(np.array([column]))
        own = found_in(alone, "e6", 1, monkeypatch)
        assert own.x.tobytes() == together.x[together.column == column].tobytes()
        assert alone.chi2(x).tobytes() == chi2[[column]].tobytes()


def test_few_numbers_import_neither_the_compiler_nor_special_functions() -> None:
    program = """
import sys
import numpy as np
import fastscan
masses = np.linspace(100, 200, 1000)
fastscan.events("conus", "chi", m_zprime=masses)
fastscan.chi2(["conus", "coherent-csi"], "chi", m_zprime=masses)
fastscan.delta_chi2("conus", "e6", m_zprime=masses, beta=0.3)
fastscan.limit("coherent-csi", "b-l", m_zprime=np.geomspace(0.001, 1, 50), dof=2)
fastscan.intervals("coherent-csi", "nsi-mumu-u")
print({"numba", "scipy.special"} & {*sys.modules})
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
