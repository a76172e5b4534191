"""Scans with real dask, threads and worker processes: the same cube, to the last bit."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import dask
import numpy as np
import pytest
import zarr
from conftest import GRID, GRIDS, Arrays, Write, arrays, scanned, slow, tells_its_peak, with_store
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscan
from fastscan.errors import FastscanError
from fastscan.kernels import blocks
from fastscan.scans import scanner
from fastscan.scans.plan import plan

SETTINGS = ("sigma_sys", "luminosity")


@pytest.fixture(scope="module")
def of_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Arrays]:
    return {model: arrays(scanned(grid, tmp_path_factory.mktemp("undisturbed"))) for model, grid in GRIDS.items()}


@pytest.fixture
def undisturbed(of_models: dict[str, Arrays]) -> Arrays:
    return of_models["e6"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("model", GRIDS)
def test_a_cube_is_chi2_and_events_at_its_points(
    model: str, dtype: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastscan.likelihoods.gaussian.FEW_POINTS", 0)  # NumPy's chi2 differs in the last bits
    root = fastscan.scan(write("g.toml", with_store(GRIDS[model], dtype=dtype)), tmp_path / "out.zarr")
    for group in ("coherent-csi/chi", f"coherent-csi/{model}"):
        cube = fastscan.open(root, group)
        own = [name for name in cube.chi2.dims if name not in SETTINGS]
        mesh = np.meshgrid(*(cube[name].values for name in own), indexing="ij", sparse=True)
        at = {name: values[..., None, None] for name, values in zip(own, mesh, strict=True)}
        chi2 = fastscan.chi2(
            "coherent-csi",
            group.split("/")[1],
            **at,
            sigma_sys=cube.sigma_sys.values[:, None],
            luminosity=cube.luminosity.values,
        )
        assert cube.chi2.values.tobytes() == chi2.astype(dtype).tobytes()
        events = fastscan.events("coherent-csi", group.split("/")[1], **at)[..., 0, 0]
        assert cube.events.values.tobytes() == events.tobytes()


@given(
    model=st.sampled_from(list(GRIDS)),
    chunk=st.integers(1024, 40_000),
    task=st.integers(1024, 100_000),
    threads=st.sampled_from([1, 2]),
)
@settings(max_examples=18)
def test_chunk_task_and_threads_change_no_bit(
    model: str, chunk: int, task: int, threads: int, of_models: dict[str, Arrays]
) -> None:
    with tempfile.TemporaryDirectory() as place, dask.config.set(num_workers=threads):
        grid = Path(place) / "grid.toml"
        grid.write_text(with_store(GRIDS[model], chunk=f"{chunk} B", task=f"{task} B"))
        fastscan.scan(grid, Path(place) / "out.zarr")
        assert arrays(Path(place) / "out.zarr") == of_models[model]


@pytest.mark.parametrize("model", ["b-l", "nsi-ee"])
@pytest.mark.parametrize("in_parallel", [False, True])
def test_threads_of_a_kernel_change_no_bit(
    in_parallel: bool, model: str, of_models: dict[str, Arrays], write: Write, tmp_path: Path
) -> None:
    cube = next(each for each in plan(write("g.toml", GRIDS[model])) if each.model == model)
    noise, variance = (each.reshape(1, -1) for each in cube.noise_and_variance([slice(None)] * 2))
    out = np.empty((len(cube.likelihood.scale), cube.x.size, noise.shape[1]), "float32")
    lines = out.shape[0] * out.shape[1]
    blocks.chi2_block.run(lines, out.size, in_parallel, cube.likelihood.sums, cube.x, noise, variance, out)
    assert out.tobytes() == of_models[model][f"{cube.name}/chi2"][1]


@pytest.mark.parametrize(("threads_per_worker", "model"), [slow(1, "e6"), (2, "e6"), slow(1, "b-l"), slow(2, "nsi-ee")])
def test_worker_processes_change_no_bit(
    threads_per_worker: int, model: str, write: Write, tmp_path: Path, of_models: dict[str, Arrays]
) -> None:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=threads_per_worker, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        fastscan.scan(write("grid.toml", GRIDS[model]), tmp_path / "out.zarr", client=client)
    assert arrays(tmp_path / "out.zarr") == of_models[model]


def test_the_clusters_of_the_command_line_have_no_dashboard(write: Write) -> None:
    """In a process of its own: without bokeh, dask's clusters with a dashboard leave a page that says so to all."""
    program = """
from urllib.error import HTTPError
from urllib.request import urlopen

from fastscan.scans import cluster

if __name__ == "__main__":
    with cluster.client(1) as client:
        try:
            urlopen(f"http://127.0.0.1:{client.cluster.scheduler.http_server.port}/status")
        except HTTPError as error:
            print(error.code)
"""
    command = [sys.executable, write("program.py", program)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"404\n"


@pytest.mark.parametrize(
    ("order", "model"), [((1, 2, 3), "e6"), ((3, 1, 2), "e6"), ((3, 1, 2), "b-l"), ((1, 2, 3), "nsi-ee")]
)
def test_parts_make_the_same_cube(
    order: tuple[int, ...], model: str, of_models: dict[str, Arrays], write: Write, tmp_path: Path
) -> None:
    grid = write("parts.toml", with_store(GRIDS[model], chunk="4 KiB", task="4 KiB"))
    out = tmp_path / "out.zarr"
    for number, k in enumerate(order[:-1], 1):
        fastscan.scan(grid, out, part=(k, 3))
        left = sorted(order[number:])
        told = f"parts {left[0]}-{left[1]}" if len(left) > 1 else f"part {left[0]}"
        with pytest.raises(FastscanError, match=rf"isn't complete: \d+ tasks are missing; run {told} of 3 again"):
            scanner.finish(str(out))
    written = {path: path.stat().st_mtime_ns for path in out.rglob("done.*.json")}
    fastscan.scan(grid, out, part=(order[-1], 3))
    fastscan.scan(grid, out, part=(order[0], 3))
    scanner.finish(str(out))
    assert {path: path.stat().st_mtime_ns for path in written} == written  # nothing is computed twice
    assert arrays(out) == of_models[model]


def test_finish_names_the_tasks_where_no_scan_in_parts_has_them_all(write: Write, tmp_path: Path) -> None:
    """Such tasks belong to a group that another grid has added later."""
    out = tmp_path / "out.zarr"
    grid = write("parts.toml", with_store(GRID.replace('["chi", "e6"]', '["e6"]'), chunk="4 KiB", task="4 KiB"))
    for k in (2, 1):
        fastscan.scan(grid, out, part=(k, 2))
    more = write("more.toml", with_store(GRID.replace("csi", "ge"), chunk="1 KiB", task="1 KiB"))
    fastscan.scan(more, out, resume=True)
    scanner.finish(str(out))
    for number in (0, 1):
        (out / f"coherent-ge/chi/chi2/done.{number}.json").unlink()
    with pytest.raises(
        FastscanError, match="complete: coherent-ge/chi lacks tasks 0-1; a scan with resume=True computes them"
    ):
        scanner.finish(str(out))


@pytest.mark.parametrize("said", ["", "[", "{}", "[0, 1]", '["a"]', "[2, [3]]", "[-1]", "[1e999]", "7", "[2, []]"])
def test_a_store_that_lost_what_parts_it_has_lists_tasks(said: str, grid_file: Path, tmp_path: Path) -> None:
    root = fastscan.scan(grid_file, tmp_path / "out.zarr", part=(1, 2))
    zarr.open_group(root.store.root, mode="r+", use_consolidated=False).attrs["fastscan_parts"] = said
    with pytest.raises(FastscanError, match="coherent-csi/e6 lacks tasks 0; a scan with resume=True computes them"):
        scanner.finish(str(tmp_path / "out.zarr"))


@pytest.mark.parametrize("n", [3, 7, 50])
def test_the_parts_that_finish_names_are_all_that_is_needed(n: int, write: Write, tmp_path: Path) -> None:
    """This holds for any number of parts, and in a store with earlier groups of another grid."""
    out = tmp_path / "out.zarr"
    fastscan.scan(write("before.toml", GRID.replace("chi", "eta").replace("csi", "ge")), out)
    grid = write("parts.toml", with_store(GRID, chunk="4 KiB", task="4 KiB"))
    for k in range(1, n + 1):
        fastscan.scan(grid, out, part=(k, n))
    scanner.finish(str(out))
    for task in (2, 11):
        (out / f"coherent-csi/e6/chi2/done.{task}.json").unlink()
    with pytest.raises(FastscanError, match=rf"2 tasks are missing; run parts? [\d,-]+ of {n} again") as caught:
        scanner.finish(str(out))
    named = re.findall(r"\d+", str(caught.value).rpartition("run part")[2].partition(" of ")[0])
    for k in named:
        fastscan.scan(grid, out, part=(int(k), n))
    scanner.finish(str(out))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"part": (0, 3)}, "k from 1 to n, and n at most 1000000, not 0/3"),
        ({"part": (4, 3)}, "not 4/3"),
        ({"part": (1, 10**4000)}, r"n at most 1000000, not 1/1000.*"),
        ({"part": (1.0, 3)}, r"not 1\.0/3"),
        ({"part": "3/16"}, "not '3/16'"),
        ({"part": (1, 2), "overwrite": True}, "can't replace"),
    ],
)
def test_wrong_parts_are_told(wrong: dict[str, object], problem: str, grid_file: Path, tmp_path: Path) -> None:
    with pytest.raises(FastscanError, match=problem):
        fastscan.scan(grid_file, tmp_path / "out.zarr", **wrong)
    assert not (tmp_path / "out.zarr").exists()


def test_resume_computes_what_is_missing_and_nothing_else(write: Write, tmp_path: Path, undisturbed: Arrays) -> None:
    grid = write("g.toml", with_store(GRID, chunk="4 KiB", task="4 KiB"))
    fastscan.scan(grid, tmp_path / "out.zarr")
    task = tmp_path / "out.zarr/coherent-csi/e6/chi2"
    untouched = {file: file.stat().st_mtime_ns for file in task.iterdir()}
    for number, chunk in ((3, "c.3.0.0.0"), (7, "c.7.0.0.0")):
        (task / f"done.{number}.json").unlink()
        (task / chunk).write_bytes(b"half-written")
    calls: list[scanner.Progress] = []
    fastscan.scan(grid, tmp_path / "out.zarr", resume=True, progress=calls.append)
    points = 37 * 21  # of a task
    assert calls == [scanner.Progress(n, 2, n * points, 2 * points, retried=0, failed=0) for n in range(3)]
    rewritten = {file.name for file in task.iterdir() if untouched.get(file) != file.stat().st_mtime_ns}
    assert rewritten == {"done.3.json", "c.3.0.0.0", "done.7.json", "c.7.0.0.0"}
    assert arrays(tmp_path / "out.zarr") == undisturbed


def test_resume_adds_groups_and_continues_the_others(grid_file: Path, write: Write, tmp_path: Path) -> None:
    fastscan.scan(grid_file, tmp_path / "out.zarr")
    more = write("more.toml", GRID.replace('["chi", "e6"]', '["lr", "e6"]'))
    calls: list[scanner.Progress] = []
    root = fastscan.scan(more, tmp_path / "out.zarr", resume=True, progress=calls.append)
    assert [(now.points, now.points_to_do) for now in calls] == [(0, 37 * 21), (37 * 21, 37 * 21)]  # lr alone
    assert {group for group, _ in root["coherent-csi"].groups()} == {"chi", "e6", "lr"}


@tells_its_peak
def test_a_large_grid_is_scanned_in_constant_memory(write: Write, tmp_path: Path) -> None:
    """64 million points, a cube of 256 MB, of which two threads hold two chunks of 16 MB; the libraries take 190 MB."""
    grid = write(
        "big.toml",
        """
        experiments = ["coherent-csi"]
        models = ["e6"]
        [axes]
        beta = { start = 0, stop = 180, num = 400, unit = "deg" }
        m_zprime = { start = 10, stop = 2000, num = 400, spacing = "log", unit = "GeV" }
        sigma_sys = { start = 0, stop = 0.3, num = 100 }
        luminosity = { values = [1, 10, 100, 1000] }
        """,
    )
    program = f"""
import fastscan
fastscan.scan({str(grid)!r}, {str(tmp_path / "big.zarr")!r})
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    two_threads = os.environ | {"DASK_NUM_WORKERS": "2"}
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, env=two_threads)
    assert int(done.stdout) < 320 * 1024
    chunks = list((tmp_path / "big.zarr/coherent-csi/e6/chi2").glob("c.*"))
    assert sum(chunk.stat().st_size for chunk in chunks) == 4 * 64_000_000
    assert np.isfinite(np.fromfile(chunks[-1], "f4")).all()


def test_a_task_of_a_group_that_was_replaced_writes_nothing(grid_file: Path, tmp_path: Path) -> None:
    """This is a worker's view when another scan replaces the store of a running scan."""
    fastscan.scan(grid_file, tmp_path / "out.zarr")
    outcome = scanner.compute(scanner.Task(str(tmp_path / "out.zarr"), "coherent-csi/chi", "of another run", 0))
    assert outcome.points == 0
    assert "coherent-csi/chi was replaced by another run" in outcome.problem
