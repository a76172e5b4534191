"""`open` returns a Dataset that netCDF can hold, or the names of the groups if none is asked for."""

from pathlib import Path

import pytest
import xarray as xr
from conftest import GRID, scanned

import fastscan
from fastscan.errors import StoreError

E6 = "coherent-csi/e6"
COMBINED = '[combine.both]\nexperiments = ["coherent-csi", "conus"]\n'


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    grid = GRID.replace('["coherent-csi"]', '["coherent-csi", "conus"]')
    return scanned(f'title = "Σ of E₆"\n{grid}{COMBINED}', tmp_path_factory.mktemp("open"))


@pytest.mark.parametrize(("engine", "library"), [("scipy", "scipy"), ("netcdf4", "netCDF4")])
@pytest.mark.parametrize("group", [E6, "both/e6"])
def test_a_cube_can_be_written_as_netcdf(engine: str, library: str, group: str, stored: Path, tmp_path: Path) -> None:
    """Its attributes too, by `open` and by xarray alone; scipy's is the oldest format, which can hold the least."""
    pytest.importorskip(library)
    opened = fastscan.open(stored, group)
    for number, cube in enumerate((opened, xr.open_zarr(stored, group=group))):
        path = tmp_path / f"{number}.nc"
        cube.to_netcdf(path, engine=engine)
        with xr.open_dataset(path, engine=engine) as copy:
            xr.testing.assert_identical(copy.load(), opened)


@pytest.mark.parametrize("given", ["path", "root"])
def test_without_a_group_the_groups_are_named(given: str, stored: Path) -> None:
    store = stored if given == "path" else fastscan.scan(stored.parent / "grid.toml", stored, resume=True)
    with pytest.raises(StoreError) as caught:
        fastscan.open(store)
    assert str(caught.value) == (
        f"say which group of {stored} to open: both/chi, both/e6, coherent-csi/chi, coherent-csi/e6, "
        "conus/chi, conus/e6"
    )


@pytest.mark.parametrize("group", [["coherent-csi/e6"], 3, b"conus/chi"], ids=repr)
def test_a_group_of_another_type_is_unknown(group: object, stored: Path) -> None:
    with pytest.raises(StoreError, match="unknown group"):
        fastscan.open(stored, group)


def test_without_a_group_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"absent\.zarr does not exist"):
        fastscan.open(tmp_path / "absent.zarr")
