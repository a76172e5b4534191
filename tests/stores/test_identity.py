"""What a store was made from, to the byte: a data file that says something else is another run's."""

import os
import shutil
from pathlib import Path

import pytest
from conftest import Write, files, refusal

import fastscan
from fastscan.errors import FastscanError
from fastscan.experiments import catalogue as experiments

POINTS = '[axes]\nm_zprime = { values = [100, 200], unit = "GeV" }\n'


@pytest.fixture
def own_experiment(write: Write) -> Path:
    return write("mine.toml", (experiments.BUILT_IN / "coherent-csi.toml").read_text())


def test_one_more_comment_in_a_table_of_the_package_is_another_run(write: Write, tmp_path: Path) -> None:
    grid = write("grid.toml", f'experiments = ["conus"]\nmodels = ["chi"]\n{POINTS}')
    fastscan.scan(grid, tmp_path / "out.zarr")
    before = files(tmp_path / "out.zarr")
    package = tmp_path / "changed/fastscan"
    shutil.copytree(Path(fastscan.__file__).parent, package, ignore=shutil.ignore_patterns("*cache*"))
    with (package / "data/isotopes.csv").open("a") as table:
        table.write("# looked at once more\n")
    resumed = ("scan", grid, "-o", tmp_path / "out.zarr", "--resume")
    problem = refusal(*resumed, env={**os.environ, "PYTHONPATH": str(package.parent)})
    assert "conus/chi is there from another run: data.isotopes.csv differ; nothing was changed" in problem
    assert files(tmp_path / "out.zarr") == before


def test_one_more_comment_in_an_own_experiment_is_another_run(
    own_experiment: Path, write: Write, tmp_path: Path
) -> None:
    grid = write("grid.toml", f'experiments = ["{own_experiment}"]\nmodels = ["chi"]\n{POINTS}')
    fastscan.scan(grid, tmp_path / "out.zarr")
    with own_experiment.open("a") as file:
        file.write("# looked at once more\n")
    with pytest.raises(FastscanError, match=r"another run: experiments\.mine\.digest differ; nothing was changed"):
        fastscan.scan(grid, tmp_path / "out.zarr", resume=True)


def test_one_more_comment_in_an_own_model_is_another_run(write: Write, tmp_path: Path) -> None:
    charges = write("mine.toml", (Path(fastscan.__file__).parent / "grids/models/b-l-contact.toml").read_text())
    grid = write("grid.toml", f'experiments = ["conus"]\nmodels = ["{charges}"]\n{POINTS}')
    fastscan.scan(grid, tmp_path / "out.zarr")
    with charges.open("a") as file:
        file.write("# looked at once more\n")
    with pytest.raises(FastscanError, match=r"another run: model\.digest differ; nothing was changed"):
        fastscan.scan(grid, tmp_path / "out.zarr", resume=True)
