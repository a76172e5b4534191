"""The weak mixing angle from the events that COHERENT published, each in bins, with the flux that they share.

python grids/gallery/published_data.py results/gallery
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import fastscan

SIN2_THETA_W = 0.23122  # of fastscan's Standard Model
EXPERIMENTS = {"CsI, 2021": ["coherent-csi-2021"], "Ar, 2020": ["coherent-lar-2020"]}
EXPERIMENTS["combined"] = [name for names in EXPERIMENTS.values() for name in names]


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    shift = np.linspace(-0.2, 0.2, 201)
    figure, ax = plt.subplots(figsize=(4.5, 3.5), layout="constrained")
    for label, names in EXPERIMENTS.items():
        low, high = SIN2_THETA_W + np.array(fastscan.intervals(names, "s2w", cl=0.6827)[-1])
        ax.plot(SIN2_THETA_W + shift, fastscan.delta_chi2(names, "s2w", shift=shift), label=label)
        print(f"{label}: {low:.3f} to {high:.3f} at 68.27 % CL")
    for text, threshold in (("68 % CL", 1.0), ("90 % CL", 2.706)):
        ax.axhline(threshold, color="0.6", linestyle=":")
        ax.text(0.415, threshold, text, ha="right", va="bottom", color="0.4")
    ax.axvline(SIN2_THETA_W, color="0.6")
    ax.set_title("Standard Model", x=SIN2_THETA_W / 0.42, color="0.4", fontsize="medium")
    ax.set(xlabel=r"$\sin^2\theta_W$ at low energies", ylabel=r"$\Delta\chi^2$", xlim=(0, 0.42), ylim=(0, 4.5))
    ax.legend(frameon=False, loc="upper left")
    figure.savefig(directory / "published_data.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
