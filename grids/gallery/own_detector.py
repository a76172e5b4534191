"""A detector of one's own: what new physics at its 90 % limit would add to each bin, beside the statistical errors.

python grids/gallery/own_detector.py results/gallery
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import fastscan

DETECTOR = """
title = "1 kg of germanium, 20 m from a power reactor"
channel = "cevns"
references = ["this script"]
exposure = "1 yr"
baseline = "20 m"
target = [{ compound = "Ge", mass = "1 kg" }]
source = { kind = "reactor", power = "3 GW", fission_fractions = { U235 = 0.6, Pu239 = 0.4 } }
detector = { bins = { start = 0.2, stop = 1.2, num = 20, unit = "keV" }, efficiency = 0.8 }
statistics = { kind = "projection", background = 0.2, background_scales = false, sigma_sys = 0.05 }
"""


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    detector = directory / "germanium.toml"
    detector.write_text(DETECTOR)
    shown = fastscan.show(detector)
    error = np.sqrt(shown.signal + shown.background) / shown.signal
    figure, ax = plt.subplots(figsize=(4.5, 3.5), layout="constrained")
    ax.stairs(100 * error, shown.edges, baseline=-100 * error, fill=True, color="0.88", label="statistical error")
    for model, strength, at, label in (
        ("universal", "g", {"m_zprime": 1e-3}, "vector of 1 MeV"),
        ("scalar-q14", "g", {"m_phi": 1e-3}, "scalar of 1 MeV"),
        ("magnetic-e", "mu", {}, r"moment in $10^{-11}\ \mu_\mathrm{B}$"),
    ):
        limit = float(fastscan.limit(detector, model, **at))
        signal = fastscan.fit(detector, model, **at, **{strength: limit}).experiments[0].before.signal
        ax.stairs(
            100 * (signal / shown.signal - 1), shown.edges, baseline=None, label=f"{label}, {strength} = {limit:.2g}"
        )
    ax.set(xlabel="nuclear recoil energy (keV)", ylabel="change of the signal (%)", xlim=(0.2, 1.2), ylim=(-30, 45))
    ax.legend(frameon=False, loc="upper center")
    figure.savefig(directory / "own_detector.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
