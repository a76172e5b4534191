"""From nothing to figures: a detector and a U(1)' of one's own, their limit, a scan, and contours.

    python grids/tutorial.py results/tutorial

takes some seconds and writes the detector, the model, the grids, the stores and the figures, as PDF and PNG.  Change
the texts below to your own and run it again.  It needs matplotlib: pip install ".[plot]".
"""

import sys
from pathlib import Path

from matplotlib import pyplot as plt

import fastscan
from fastscan.answers.contours import contours
from fastscan.answers.planes import plane_of
from fastscan.answers.question import PlaneAxes, Question
from fastscan.outputs import figures, plots
from fastscan.stores import store

# 1. What counts the neutrinos.  Every key is checked; grids/experiments/my-detector.toml explains each.
DETECTOR = """
title = "50 g of silicon, 20 m from a power reactor"
channel = "cevns"
references = ["this tutorial"]
exposure = "1 yr"
baseline = "20 m"

[[target]]
compound = "Si"
mass = "50 g"

[source]
kind = "reactor"
power = "3 GW"
fission_fractions = { U235 = 0.56, U238 = 0.07, Pu239 = 0.31, Pu241 = 0.06 }

[detector]
threshold = "100 eV"
efficiency = 0.8

[statistics]
kind = "projection"
background = 0.2
background_scales = false
sigma_sys = 0.05
"""

# 2. What the Z' couples to: charges of the left-handed neutrino, the electron and the quarks, and a strength.
MODEL = """
title = "B - L with a strength of 0.5"
references = ["doi:10.1103/PhysRevLett.44.1316"]
g_prime = 0.5

[charges]
nu = -1
e = -1
u = "1/3"
d = "1/3"
"""

# 3. Where to look.  The experiment and the model are paths, from the grid file's directory.
GRID = """
title = "B - L at a silicon detector"
experiments = ["silicon.toml"]
models = ["my-b-l.toml"]

[axes]
m_zprime = { start = 50, stop = 10000, num = 300, spacing = "log", unit = "GeV" }
sigma_sys = { start = 0.0, stop = 0.2, num = 101 }
luminosity = { values = [1, 5, 25] }                      # of the exposure, 1 yr
"""

# 4. Other interactions at the same detector: a Z' of any mass, which needs an axis of masses and one of couplings, and
#    non-standard interactions of u and d quarks, which need one of each.
LIGHT = """
title = "B - L of any mass at a silicon detector"
experiments = ["silicon.toml"]
models = ["b-l", "universal"]

[axes]
m_zprime = { start = 0.01, stop = 10000, num = 121, spacing = "log", unit = "MeV" }
g = { start = 1e-7, stop = 0.01, num = 301, spacing = "log" }
"""
NSI = """
title = "Non-standard interactions at a silicon detector"
experiments = ["silicon.toml"]
models = ["nsi-ee"]

[axes]
eps_d = { start = -0.6, stop = 0.6, num = 121 }
eps_u = { start = -0.6, stop = 0.6, num = 121 }
"""


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    detector, model, grid = (directory / name for name in ("silicon.toml", "my-b-l.toml", "grid.toml"))
    detector.write_text(DETECTOR)
    model.write_text(MODEL)
    grid.write_text(GRID)

    # One limit needs no scan.  On the command line: fastscan limit silicon.toml my-b-l.toml
    limit = fastscan.limit(str(detector), str(model))
    print(f"M_Z' > {limit:.1f} GeV at 90 % CL for g' = 0.5, so M_Z'/g' > {limit / 0.5:.1f} GeV")

    # The whole grid.  On the command line: fastscan scan grid.toml -o silicon.zarr
    root = fastscan.scan(grid, directory / "silicon.zarr", overwrite=True)
    cube = store.read(root, "silicon/my-b-l")

    # Contours of Delta chi2.  On the command line, for one exposure:
    #     fastscan plot silicon.zarr -o contour.pdf --kind contour --axes sigma_sys,m_zprime --luminosity 1
    with figures.look():
        figure, ax = plt.subplots(figsize=(4.6, 3.5), layout="constrained")
        for number, years in enumerate(cube.points["luminosity"].tolist()):
            asked = Question(at={"luminosity": years}, cl=0.90, dof=1)
            for line in contours(plane_of(cube, PlaneAxes(("sigma_sys", "m_zprime")), asked)):
                ax.plot(100 * line.x, line.y, color=f"C{number}", label=f"{years:g} yr")
                if number == 0:
                    ax.fill_between(100 * line.x, line.y, color="C0", alpha=0.15, linewidth=0)
        ax.set(
            xlabel=r"systematic error $\sigma_\mathrm{sys}$ (%)", ylabel=r"$M_{Z'}$ (GeV)", xlim=(0, 20), ylim=(0, None)
        )
        ax.text(10, 150, "excluded at 90 % CL", ha="center")
        ax.legend(title="$U(1)_{B-L}$, $g' = 0.5$\n50 g Si, 20 m from 3 GW", frameon=False)
        figure.savefig(directory / "contours.pdf")
        figure.savefig(directory / "contours.png", dpi=200)
    print(f"written to {directory}: silicon.toml, my-b-l.toml, grid.toml, silicon.zarr, contours.pdf, contours.png")

    # The pictures of other interactions are made without drawing by hand.  On the command line:
    #     fastscan scan light.toml -o light.zarr
    #     fastscan plot light.zarr -o light.pdf
    for name, text in (("light", LIGHT), ("nsi", NSI)):
        grid, place = directory / f"{name}.toml", str(directory / f"{name}.zarr")
        grid.write_text(text)
        fastscan.scan(grid, place, overwrite=True)
        picture, _ = plots.plot(place)
        for suffix in (".pdf", ".png"):
            figures.save(picture, directory / f"{name}{suffix}")
    limit = fastscan.limit(str(detector), "b-l", m_zprime=1e-3)
    print(f"a B - L boson of 1 MeV has g < {limit:.3g}; both planes are in light.pdf and nsi.pdf, and as PNG")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
