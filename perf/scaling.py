"""How the time of scans, fits and limits grows with what they are of: `python perf/scaling.py`.

Writes perf/scaling.csv and perf/scaling.png.  A scan goes to local files, in this process' threads or in worker
processes; each number is the median of five.  The largest grid takes 8 GB of disk.  `python perf/scaling.py counted`
measures counted events alone, of which chi2 is minimised over nuisances, and leaves the other rows as they are.
"""

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import adapter
import click
import dask
import numba
import numpy as np
from kernel import TWELVE, Plane, cube
from matplotlib import pyplot as plt
from measure import seconds
from profiles import GRID

import fastscan
from grids import grid

HERE = Path(__file__).parent
ROUNDS = 5
POINTS = [10**6, 10**7, 10**8, 5 * 10**8, 2 * 10**9]
EXPERIMENTS = [1, 2, 3, 4, 6, 8, 10, 12]
PARTS = [1, 2]
BINS_AND_NUISANCES = {
    "coherent-csi-2021": (99, 4),
    "coherent-lar-2020-summed": (120, 9),
    "coherent-csi-2017": (144, 3),
    "coherent-lar-2020": (960, 9),
}
TOGETHER = ["coherent-csi-2021", "coherent-lar-2020-summed", "conus-plus-2025", "coherent-ge-mini"]
MODEL = "universal"
MANY_MASSES = [1, 10, 100, 1000, 10000]
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
        with adapter.client(workers=workers) as client:
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


def counted(place: Path) -> Iterator[Row]:
    """Fits of counted events by bins, nuisances and data sets; limits by masses; scans by threads and workers."""
    m_zprime, g = np.geomspace(1e-3, 1, 16)[:, None], np.geomspace(1e-6, 1e-3, 512)
    for name, (bins, nuisances) in BINS_AND_NUISANCES.items():
        seen = timed(lambda name=name: fastscan.chi2(name, MODEL, m_zprime=m_zprime, g=g))
        yield f"{nuisances} nuisances", "bins", bins, 16 * 512, seen
    for number in range(1, len(TOGETHER) + 1):
        seen = timed(lambda number=number: fastscan.chi2(TOGETHER[:number], MODEL, m_zprime=m_zprime, g=g))
        yield "chi2", "data sets", number, 16 * 512, seen
    for number in MANY_MASSES:
        masses = np.geomspace(1e-3, 1, number)
        yield "limits", "masses", number, number, timed(lambda m=masses: fastscan.limit(TOGETHER[0], MODEL, m_zprime=m))
    source, store = place / "counted.toml", place / "counted.zarr"
    source.write_text(GRID)

    def scan(**how: object) -> float:
        return timed(lambda: fastscan.scan(source, store, **how), lambda: shutil.rmtree(store, ignore_errors=True))

    for threads in PARTS:
        with dask.config.set(num_workers=threads):
            yield "scan of counted events", "threads", threads, 10**7, scan()
    for workers in PARTS:
        with adapter.client(workers=workers) as client:
            yield "scan of counted events", "workers", workers, 10**7, scan(client=client)


def draw(rows: list[Row]) -> None:
    figure, grid = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    panels = {
        "points": "points of the grid",
        "experiments": "experiments summed",
        "threads": "threads or workers",
        "bins": "bins of counted events",
        "data sets": "data sets that share nuisances",
        "masses": f"masses of {TOGETHER[0]}",
    }
    for ax, (by, label) in zip(grid.ravel(), panels.items(), strict=True):
        for what, name in dict.fromkeys(row[:2] for row in rows):
            if name == by or (by == "threads" and name == "workers"):
                x, rate = np.array([(row[2], row[3] / row[4]) for row in rows if row[:2] == (what, name)]).T
                ax.plot(x, rate / 1e6, "o-", label=f"{what}, {name}" if by == "threads" else what)
        ax.set(xlabel=label, ylabel="million points a second")
        if by != "threads":
            ax.set_ylim(0, None)
        ax.legend(frameon=False)
        ax.grid(alpha=0.3)
    for ax in (grid[0, 0], grid[1, 2]):
        ax.set_xscale("log")
        ax.minorticks_off()
    for ax, numbers in ((grid[0, 2], PARTS), (grid[1, 1], range(1, len(TOGETHER) + 1))):
        ax.set_xticks(numbers)
    grid[0, 2].set_yscale("log")
    grid[1, 2].set_ylabel("million limits a second")
    figure.savefig(HERE / "scaling.png", dpi=110)


def kept() -> list[Row]:
    """The rows of the last run that are not about counted events."""
    with (HERE / "scaling.csv").open(newline="") as file:
        rows = [(what, by, int(n), int(points), float(time)) for what, by, n, points, time in [*csv.reader(file)][1:]]
    return [row for row in rows if row[1] not in ("bins", "data sets", "masses") and "counted" not in row[0]]


@click.command()
@click.argument("only", type=click.Choice(["counted"]), required=False)
def main(only: str | None) -> None:
    """How times grow with points, experiments, bins, masses, data sets, threads and workers, as CSV and picture."""
    with tempfile.TemporaryDirectory() as place:
        others = kept() if only else [*kernels(), *scans(Path(place))]
        rows = [*others, *counted(Path(place))]
    with (HERE / "scaling.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "by", "number", "points", "seconds"))
        writer.writerows((*row[:-1], f"{row[-1]:.4g}") for row in rows)
    draw(rows)


if __name__ == "__main__":  # dask's workers import this file
    main()
