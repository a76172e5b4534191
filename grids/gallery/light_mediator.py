"""A light vector that couples to all fermions alike: where counts exclude it, and what destructive interference allows.

python grids/gallery/light_mediator.py results/gallery
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import fastscan

EXPERIMENTS = {"coherent-csi": "COHERENT CsI, 2017", "conus-plus-2025-total": "CONUS+, 2025"}
THRESHOLD = 2.706  # of Delta chi2, at 90 % CL with 1 degree of freedom: each mass is a model of its own


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    mass, g = np.geomspace(1e-4, 1, 201), np.geomspace(3e-7, 3e-3, 401)
    figure, ax = plt.subplots(figsize=(4.5, 3.5), layout="constrained")

    def delta_chi2(experiments: str | list[str]) -> np.ndarray:
        return fastscan.delta_chi2(experiments, "universal", m_zprime=mass, g=g[:, np.newaxis])

    for color, (experiment, label) in enumerate(EXPERIMENTS.items()):
        ax.contour(1e3 * mass, g, delta_chi2(experiment), levels=[THRESHOLD], colors=f"C{color}")
        ax.plot([], [], color=f"C{color}", label=label)
    ax.contourf(1e3 * mass, g, delta_chi2(list(EXPERIMENTS)), levels=[THRESHOLD, np.inf], colors="0.88")
    ax.fill_between([], [], color="0.88", label="combined")
    ax.set(xlabel="$M_{Z'}$ (MeV)", ylabel="$g$", title="excluded at 90 % CL", xscale="log", yscale="log")
    ax.legend(frameon=False, loc="lower right")
    figure.savefig(directory / "light_mediator.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
