"""Non-standard interactions of nu_e at two detectors of the European Spallation Source: unlike N/Z, unlike slopes.

python grids/gallery/nsi_plane.py results/gallery
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import fastscan

EXPERIMENTS = {"ess-csi": "CsI", "ess-si": "Si"}
THRESHOLD = 4.605  # of Delta chi2, at 90 % CL with 2 degrees of freedom


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    eps = np.linspace(-1.2, 1.6, 401)
    figure, ax = plt.subplots(figsize=(4.5, 4.0), layout="constrained")

    def above_minimum(experiments: str | list[str]) -> np.ndarray:
        chi2 = fastscan.chi2(experiments, "nsi-ee", eps_u=eps, eps_d=eps[:, np.newaxis])
        return chi2 - chi2.min()

    for color, (experiment, label) in enumerate(EXPERIMENTS.items()):
        ax.contour(eps, eps, above_minimum(experiment), levels=[THRESHOLD], colors=f"C{color}")
        ax.plot([], [], color=f"C{color}", label=label)
    ax.contourf(eps, eps, above_minimum(list(EXPERIMENTS)), levels=[0, THRESHOLD], colors="0.8")
    ax.fill_between([], [], color="0.8", label="combined")
    ax.plot(0, 0, "k+", markersize=9, label="Standard Model")
    ax.set(xlabel=r"$\epsilon_{ee}^{u}$", ylabel=r"$\epsilon_{ee}^{d}$", title="allowed at 90 % CL")
    ax.legend(frameon=False)
    figure.savefig(directory / "nsi_plane.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
