"""The E6 family at COHERENT, scanned by the workers of a dask cluster and read as xarray.

python grids/gallery/cluster.py results/gallery
"""

import sys
from pathlib import Path

import numpy as np
from dask.distributed import Client, LocalCluster
from matplotlib import pyplot as plt

import fastscan

GRID = """
experiments = ["coherent-csi"]
models = ["e6"]
[axes]
beta = { start = 0, stop = 180, num = 181, unit = "deg" }
m_zprime = { start = 10, stop = 1000, num = 400, spacing = "log", unit = "GeV" }
sigma_sys = { values = [0.01, 0.05, 0.1, 0.28] }
"""


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "e6.toml").write_text(GRID)
    # Another cluster is another line: SLURMCluster, KubeCluster, or the address of one that runs.
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        fastscan.scan(directory / "e6.toml", directory / "e6.zarr", client=client, overwrite=True)
    chi2 = fastscan.open(directory / "e6.zarr", "coherent-csi/e6").chi2
    delta = (chi2 - chi2.min(["beta", "m_zprime"])).assign_coords(beta=np.degrees(chi2.beta))
    figure, ax = plt.subplots(figsize=(4.5, 3.5), layout="constrained")
    for color, error in enumerate(delta.sigma_sys.values):
        line = {"colors": f"C{color}", "levels": [4.605]}  # 90 % CL, 2 degrees of freedom
        delta.sel(sigma_sys=error).squeeze().plot.contour(x="beta", ax=ax, add_labels=False, **line)
        ax.plot([], [], f"C{color}", label=f"{100 * error:g} %")
    ax.set(xlabel=r"$\beta$ (degrees)", ylabel="$M_{Z'}$ (GeV)", yscale="log", ylim=(10, 3000))
    ax.legend(frameon=False, title=r"90 % CL, for $\sigma_\mathrm{sys}$ of", ncols=4, loc="upper center")
    figure.savefig(directory / "cluster.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
