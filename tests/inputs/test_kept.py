"""An object that is loaded from a file is cached until the file, or a file that it names, changes on disk."""

import os
import shutil
from pathlib import Path

import pytest
from conftest import REPOSITORY

from fastscan import experiments, models
from fastscan.errors import ExperimentError, ModelError
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.inputs import files

GRIDS = REPOSITORY / "grids"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files that were written just now be cached too."""
    monkeypatch.setattr(files, "SETTLED", -(10**18))


def replaced(path: Path, old: str, new: str) -> None:
    """Change a file in place, and its time by as little as a file system resolves."""
    text, before = path.read_text("utf-8"), path.stat().st_mtime_ns
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    os.utime(path, ns=(before + 1000, before + 1000))


def test_an_experiment_is_read_once() -> None:
    assert experiments.load("conus") is experiments.load("conus")
    assert experiments.load("conus") is not experiments.load("connie")


@pytest.mark.usefixtures("settled")
def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = Path(shutil.copy(GRIDS / "experiments" / "my-detector.toml", tmp_path / "mine.toml"))
    first = experiments.load(path)
    assert experiments.load(path) is first
    assert experiments.load(str(path)) is first
    replaced(path, "0.05", "0.07")  # sigma_sys, in as many bytes
    assert experiments.load(path).statistics.sigma_sys == 0.07
    path.unlink()
    with pytest.raises(ExperimentError, match="No such file"):
        experiments.load(path)


@pytest.mark.usefixtures("settled")
def test_a_model_that_changes_is_read_again(tmp_path: Path) -> None:
    path = Path(shutil.copy(GRIDS / "models" / "b-l-contact.toml", tmp_path / "mine.toml"))
    first = models.load(path)
    assert models.load(path) is first
    replaced(path, "g_prime", "g_primf")
    with pytest.raises(ModelError, match="g_prime"):
        models.load(path)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("changed", ["base.csv", "base.toml"])
def test_a_file_that_another_one_names_is_watched_too(changed: str, tmp_path: Path) -> None:
    """Such files are an experiment's data, and the experiment of which a variant is one."""
    for ending in ("toml", "csv"):
        shutil.copy(str(BUILT_IN / f"conus-plus-2025.{ending}"), tmp_path / f"base.{ending}")
    replaced(tmp_path / "base.toml", "conus-plus-2025.csv", "base.csv")
    variant = tmp_path / "variant.toml"
    variant.write_text('variant_of = "base.toml"\ntitle = "A variant"\n')
    first = experiments.load(variant)
    assert experiments.load(variant) is first
    if changed == "base.csv":
        replaced(tmp_path / changed, "CONUS+", "conus+")
        with pytest.raises(ExperimentError, match="damaged"):
            experiments.load(variant)
    else:
        replaced(tmp_path / changed, "sigma_sys = 0.169", "sigma_sys = 0.170")
        assert experiments.load(variant).statistics.sigma_sys == 0.170


def test_a_file_that_was_written_just_now_is_not_kept(tmp_path: Path) -> None:
    """Within one tick of a file system's clock it can change and look the same."""
    path = Path(shutil.copyfile(GRIDS / "experiments" / "my-detector.toml", tmp_path / "mine.toml"))
    assert experiments.load(path) is not experiments.load(path)
    assert experiments.load(path) == experiments.load(path)


@pytest.mark.usefixtures("settled")
def test_a_path_is_told_as_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same relative path in another directory is another file, and an error names the given path."""
    for place, error in (("one", "0.05"), ("other", "0.06")):
        (tmp_path / place).mkdir()
        path = Path(shutil.copy(GRIDS / "experiments" / "my-detector.toml", tmp_path / place / "mine.toml"))
        replaced(path, "sigma_sys = 0.05", f"sigma_sys = {error}")
        monkeypatch.chdir(tmp_path / place)
        assert experiments.load("mine.toml").statistics.sigma_sys == float(error)
