"""A posterior by emcee, of the mass and the coupling of a light B - L boson, beside the limit at each mass.

python grids/gallery/sampler.py results/gallery
"""

import sys
from pathlib import Path

import emcee
import numpy as np
from matplotlib import pyplot as plt

import fastscan

EXPERIMENTS = ["coherent-csi", "conus-plus-2025"]
LOW, HIGH = np.log10([[1e-3, 1e-6], [1, 1e-2]])  # the prior is flat in the logarithms of mass in GeV and coupling


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    like = fastscan.likelihood(EXPERIMENTS, "b-l")

    def log_probability(at: np.ndarray) -> np.ndarray:  # of all walkers at once
        inside = ((at > LOW) & (at < HIGH)).all(axis=1)
        return np.where(inside, like.logl(*10.0 ** np.clip(at, LOW, HIGH).T), -np.inf)

    np.random.seed(1)
    sampler = emcee.EnsembleSampler(200, 2, log_probability, vectorize=True)
    sampler.run_mcmc(np.random.uniform(LOW, HIGH, (200, 2)), 1000)
    mass, g = sampler.get_chain(discard=200, flat=True).T

    figure, ax = plt.subplots(figsize=(4.5, 3.5), layout="constrained")
    ax.hist2d(mass + 3, g, bins=[15, 40], range=[(0, 3), (-6, -2)], cmap="Blues", vmin=0)
    masses = np.geomspace(1e-3, 1, 61)
    limit = fastscan.limit(EXPERIMENTS, "b-l", m_zprime=masses)
    ax.plot(np.log10(1e3 * masses), np.log10(limit), "C1", label="90 % CL limit at each mass")
    ax.set(xlabel=r"$\log_{10}(M_{Z'}/\mathrm{MeV})$", ylabel=r"$\log_{10}\,g_{B-L}$")
    ax.legend(frameon=False, loc="upper left")
    figure.savefig(directory / "sampler.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
