"""Where things are in fastscan: the only module of perf/ that knows it.

`compare.py --base` runs the pairs of this checkout with the package of another commit.  Pairs use this module and the
public face, ``import fastscan``, and import nothing else of the package.

Each function imports what it needs when it is called, so that a pair fails only for what the pair itself uses.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kernel = Callable[[Array, Array, Array, Array, NDArray[np.floating]], object]
# The command ``fastscan``, to which its arguments are added.  Without -P, Python would look for the package where it is
# started first, and find that of this checkout.
COMMAND = [sys.executable, "-P", "-c", "from fastscan.commands.cli import main; main()"]


@dataclass(frozen=True)
class KernelInputs:
    """What the block kernel is given for E6 in some experiments.

    Attributes
    ----------
    coefficients : array, shape (members, betas, 3, 6)
        S_dd, D and S_mm along x, as sums of squares.
    quartics : array, shape (members, betas, 3, 5)
        The same as quartics in x, lowest power first, for yardsticks.
    x : array, shape (masses,)
        (M_Z / M_Z')^2.
    noise, variance : array, shape (members, settings)
        1 / lam_e and sigma_sys^2 at each pair of sigma_sys and luminosity.
    """

    coefficients: Array
    quartics: Array
    x: Array
    noise: Array
    variance: Array


@dataclass(frozen=True)
class BinCounts:
    """What counts the events of E6 at one beta in the bins of an experiment whose neutrinos are all nu_e.

    Attributes
    ----------
    response : array, shape (bins, 3)
        Events per unit of g1^2, g1 g2 and g2^2.
    g_sm, kappa : array, shape (2,)
        The Standard Model's couplings (g1, g2), and their shift per x.
    """

    response: Array
    g_sm: Array
    kappa: Array


@dataclass(frozen=True)
class Counted:
    """Points at which counted events are compared with what an experiment of one data set expects.

    Attributes
    ----------
    signals : array, shape (points, bins)
        Signal events at each point.
    background, data : array, shape (bins,)
    effects : array, shape (nuisances, bins)
        Change of the background at one standard deviation of each nuisance.
    sigma : float
        Relative error of the signal's normalisation.
    chi2 : callable
        A function of whether to use threads, which computes chi2 at all points, shape (points,).
    """

    signals: Array
    background: Array
    data: Array
    effects: Array
    sigma: float
    chi2: Callable[[bool], Array]


def expanded(squares: Array) -> Array:
    """Sums of squares of `fastscan.kernels.polynomials`, shape (..., 6), as quartics, shape (..., 5)."""
    c0, c1, c2, c3, c4, c5 = np.moveaxis(squares, -1, 0)
    powers = (c0**2, 2 * c0 * c1, c1**2 + 2 * c0 * c2 + c3**2, 2 * (c1 * c2 + c3 * c4), c2**2 + c4**2 + c5)
    return np.stack(powers, axis=-1)


def _build(*given: Any) -> Any:
    """The likelihood of an interaction in experiments, in some rows."""
    try:
        from fastscan.likelihoods.building import build
    except ImportError:  # until commit 3ca09c3
        from fastscan.likelihoods.likelihood import build
    return build(*given)


def forget(rooms: str) -> None:
    """Empty the caches of the rooms whose names begin so, whatever a commit calls its functions."""
    for name in [name for name in sys.modules if name.startswith(rooms)]:
        for each in vars(sys.modules[name]).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()


def kernel(in_parallel: bool = True) -> Kernel:
    """The kernel on all threads or on one: a function of coefficients, x, noise, variance and of what it fills."""
    from fastscan.kernels import blocks

    fill = blocks.chi2_block
    if hasattr(fill, "run"):
        return lambda *given: fill.run(given[4][..., 0].size, given[4].size, in_parallel, *given)
    twin = fill.parallel if in_parallel else fill.serial  # until commit b8bee19
    return lambda *given: twin(*given[:4], blocks.TILE_POINTS, given[4])


def kernel_inputs(
    names: Sequence[str], beta: Array, m_zprime: Array, sigma_sys: Array, luminosity: Array
) -> KernelInputs:
    """E6 in experiments of these names, where sigma_sys and luminosity broadcast to the settings."""
    from fastscan.experiments import catalogue
    from fastscan.interactions.catalogue import MODELS

    found = _build(catalogue.load_all(names), MODELS["e6"], {"beta": beta})
    settings = found.settings({"sigma_sys": sigma_sys, "luminosity": luminosity})
    noise, variance = (each.reshape(len(names), -1) for each in settings.noise_and_variance(found.spread))
    return KernelInputs(found.sums, expanded(found.sums), MODELS["e6"].strength.to_x(m_zprime), noise, variance)


def counted(name: str, model: str, masses: Array, strengths: Array) -> Counted:
    """An experiment with a light mediator, at strengths in units of each row's scale; see `Counted`."""
    from fastscan.experiments import catalogue
    from fastscan.interactions.catalogue import load

    experiment = catalogue.load(name)
    found = _build([experiment], load(model), {"m_zprime": masses})
    columns, _ = found.columns(np.arange(masses.size), {})
    ((block,), (counts,), change) = columns.blocks, found.counted, found.change[0]
    column = np.repeat(np.arange(masses.size), strengths.size)
    x = (found.scale[:, None] * strengths).ravel()
    powers = x[:, None] ** np.arange(3)
    signals = []
    for row, at in zip(column, powers, strict=True):
        events = counts.rates[row, 0] + np.tensordot(change[row] @ at, counts.rates[row, 1:], 1)
        signals.append((events[:, :, None] * counts.arriving[0]).sum(axis=0).ravel())
    return Counted(
        np.array(signals),
        counts.background,
        counts.data,
        counts.effects,
        experiment.statistics.sigma_sys,
        lambda in_parallel: block.filled(column, x, column, 1, in_parallel)[0][:, 0],
    )


def bin_counts(name: str, beta: float) -> BinCounts:
    """See `BinCounts`."""
    from fastscan.experiments import catalogue
    from fastscan.interactions import standard_model
    from fastscan.interactions.catalogue import MODELS
    from fastscan.likelihoods.response import response

    experiment = catalogue.load(name)
    kappa = MODELS["e6"].kappa(experiment.channel, {"beta": np.array([beta])})
    return BinCounts(response(experiment).total, standard_model.couplings(experiment.channel)[0], kappa[0, 0])


def integrate(name: str, edges: Array) -> Callable[[], object]:
    """A call that computes the energy integrals and sums of an experiment in bins with edges in MeV."""
    from fastscan.experiments import catalogue
    from fastscan.interactions.catalogue import MODELS

    loaded = catalogue.load(name)
    binned = replace(loaded, detector=replace(loaded.detector, bins=tuple(edges)))

    def afresh() -> object:
        forget_integrals()
        return _build([binned], MODELS["chi"], {})

    return afresh


def forget_integrals() -> None:
    """Throw away the energy integrals of experiments, and what was made of them."""
    forget("fastscan.likelihoods.")


def axes(root: zarr.Group, group: str) -> Mapping[str, Array]:
    """The points of each axis of a group of a store."""
    from fastscan.stores import store

    points: dict[str, Array] = store.read(root, group).points
    return points


def contours(root: zarr.Group, group: str, sigma_sys: float) -> Callable[[], Sequence[Any]]:
    """A call that draws the contours of a group of a store in (beta, M_Z'), at 90 % CL and 2 dof."""
    from fastscan.answers.contours import contours
    from fastscan.answers.planes import plane_of
    from fastscan.answers.question import PlaneAxes, Question
    from fastscan.stores import store

    cube = store.read(root, group)
    question = Question(at={"sigma_sys": sigma_sys}, cl=0.90, dof=2)
    return lambda: contours(plane_of(cube, PlaneAxes(("beta", "m_zprime")), question))


def client(workers: int) -> AbstractContextManager[Any]:
    """A dask client of so many worker processes."""
    from fastscan.scans import cluster

    return cluster.client(workers=workers)
