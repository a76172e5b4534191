"""How the time of a scan grows with points, experiments, threads and workers: `python perf/scaling.py`.

Writes perf/scaling.csv and perf/scaling.png.  A scan goes to local files, in this process' threads or in worker
processes; each number is the median of five.  The largest grid takes 8 GB of disk.
"""

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import dask
import numba
import numpy as np
from adapter import layout
from kernel import TWELVE, Plane, cube
from matplotlib import pyplot as plt
from measure import seconds

import fastscan
from grids import grid

HERE = Path(__file__).parent
ROUNDS = 5
POINTS = [10**6, 10**7, 10**8, 5 * 10**8, 2 * 10**9]
EXPERIMENTS = [1, 2, 3, 4, 6, 8, 10, 12]
PARTS = [1, 2]
SETTINGS, MASSES = 1000, 500  # of each beta
Row = tuple[str, str, int, int, float]  # what, by what, how much of it, points, seconds


def grid_file(place: Path, points: int) -> Path:
    """A grid of so many points: more betas, and fewer masses where one beta has more."""
    betas, masses = max(2, points // (SETTINGS * MASSES)), min(MASSES, points // (2 * SETTINGS))
    path = place / f"{points}.toml"
    path.write_text(grid(betas, masses, SETTINGS // 10, 10))
    return path


def timed(call: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """Median of some calls, after one that compiles and fills the cache."""
    found = []
    for _ in range(ROUNDS + 1):
        before()
        found.append(seconds(call))
    return median(found[1:])


def scans(place: Path) -> Iterator[Row]:
    """Scans by points, threads and workers."""
    store = place / "out.zarr"

    def scan(points: int, **how: object) -> float:
        source = grid_file(place, points)
        return timed(lambda: fastscan.scan(source, store, **how), lambda: shutil.rmtree(store, ignore_errors=True))

    for points in POINTS:
        yield "scan, 2 threads", "points", points, points, scan(points)
    large = POINTS[2]
    for threads in PARTS:
        with dask.config.set(num_workers=threads):
            yield "scan", "threads", threads, large, scan(large)
    for workers in PARTS:
        with layout.client(workers=workers) as client:
            yield "scan", "workers", workers, large, scan(large, client=client)


def kernels() -> Iterator[Row]:
    """The kernel alone, into memory that is there, by experiments and threads."""
    betas = 320
    out = cube(betas=betas)
    for count in EXPERIMENTS:
        plane = Plane(TWELVE[:count], betas)
        yield "kernel, 2 threads", "experiments", count, out.size, timed(lambda p=plane: p.chi2(out))
    plane = Plane(TWELVE[:1], betas)
    for threads in PARTS:
        numba.set_num_threads(threads)
        yield "kernel", "threads", threads, out.size, timed(lambda: plane.chi2(out))


def draw(rows: list[Row]) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    panels = {"points": "points of the grid", "experiments": "experiments summed", "threads": "threads or workers"}
    for ax, (by, label) in zip(axes, panels.items(), strict=True):
        for what, name in dict.fromkeys(row[:2] for row in rows):
            if name == by or (by == "threads" and name == "workers"):
                x, rate = np.array([(row[2], row[3] / row[4]) for row in rows if row[:2] == (what, name)]).T
                ax.plot(x, rate / 1e6, "o-", label=f"{what}, {name}" if by == "threads" else what)
        ax.set(xlabel=label, ylabel="million points a second", ylim=(0, None))
        ax.legend(frameon=False)
        ax.grid(alpha=0.3)
    axes[0].set_xscale("log")
    axes[2].set_xticks(PARTS)
    figure.savefig(HERE / "scaling.png", dpi=110)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        rows = [*kernels(), *scans(Path(place))]
    with (HERE / "scaling.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "by", "number", "points", "seconds"))
        writer.writerows((*row[:-1], f"{row[-1]:.4g}") for row in rows)
    draw(rows)


if __name__ == "__main__":  # dask's workers import this file
    main()
