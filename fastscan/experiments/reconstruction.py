"""Detectors that reconstruct an energy: the probability that a recoil is counted in each bin.

A recoil of energy T gives a visible energy (quenching), which gives photoelectrons or electrons (yield).  The
reconstructed energy x is the last of these in which the detector's bins, threshold or resolution are given.  The
resolution is the distribution p(x | T), and a recoil is counted in bin b with the probability

    R_b(T) = integral over bin b of efficiency(x) p(x | T) dx

Recoil and visible energies are in MeV; x is in MeV, or a number of photoelectrons or electrons.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from fastscan.errors import ExperimentError
from fastscan.experiments import efficiencies, energies, quenching, resolutions
from fastscan.experiments.efficiencies import SHAPES, Efficiency
from fastscan.experiments.energies import Energy, Kind, Unit
from fastscan.experiments.quenching import UNQUENCHED, Quenching
from fastscan.experiments.resolutions import MOST_QUANTA, TOO_MANY_QUANTA, Poisson, Resolution
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.inputs.units import symbol, told
from fastscan.physics.nuclei import Isotope
from fastscan.typing import Array, Channel

# Keys that only a detector with a reconstructed energy has.
KEYS = (
    "quenching",
    "photoelectrons_per_kevee",
    "electrons_per_kevee",
    "charge_yield",
    "resolution",
    "drop_below",
)
Of = Literal["reconstructed", "mean", "recoil"]
STEP, AROUND = 3.0, np.arange(-4.0, 5.0)  # standard deviations between two splits, and the numbers of splits
FINEST, RATIO = 1e-14, 4.0  # first split over the largest recoil, and ratio of neighbours: near 0 all is a power of T
SAMPLES = 4096  # number of recoil energies between which the reconstructed energy is taken for monotonic
BISECTIONS = 60


@dataclass(frozen=True)
class Reconstruction:
    """The response of a detector to recoils.

    Attributes
    ----------
    quenching : Quenching
        Visible energy of a recoil in MeV; for a charge yield, the number of electrons divided by `per_mev`.
    per_mev : float
        Mean x for a visible energy of 1 MeV.
    resolution : Resolution or None
        Distribution of x around its mean; None where x equals its mean.
    efficiency : Efficiency
        Probability to count an event, as a function of the energy `of`.
    bins : tuple of float
        Edges of the bins in x; the last one can be infinite.
    threshold : float
        Smallest x that is counted.
    drop_below_mev : float
        Visible energy in MeV below which a recoil is never counted.
    of : {"reconstructed", "mean", "recoil"}
        The argument of the efficiency: x, the mean of x, or T in MeV.
    sizes : tuple of (Kind, float)
        The kinds of energy that are proportional to x, and x for one unit of each (an MeV, a photoelectron).
    shown_in : str
        The unit in which output shows x; empty for the usual unit.
    """

    quenching: Quenching
    per_mev: float
    resolution: Resolution | None
    efficiency: Efficiency
    bins: tuple[float, ...]
    threshold: float = 0.0
    drop_below_mev: float = 0.0
    of: Of = "reconstructed"
    sizes: tuple[tuple[Kind, float], ...] = (("visible", 1.0),)
    shown_in: str = ""

    def probabilities(self, recoil: Array, isotope: Isotope | None) -> Array:
        """R_b(T): the probability that a recoil of an isotope, or of an electron (None), is counted in each bin.

        Parameters
        ----------
        recoil : array, shape (recoils,)
            Recoil energies in MeV.

        Returns
        -------
        array, shape (bins, recoils)

        Examples
        --------
        Germanium with Lindhard's quenching and a noise of 20 eVee, at a recoil of 1 keV in a bin from 160 to 180 eVee:

        >>> from fastscan.experiments.efficiencies import Constant
        >>> from fastscan.experiments.quenching import Lindhard
        >>> from fastscan.experiments.resolutions import Gaussian
        >>> from fastscan.physics.nuclei import elements
        >>> noise = Gaussian((4e-10, 0.0, 0.0))
        >>> detector = Reconstruction(Lindhard(0.162), 1.0, noise, Constant(1.0), (1.6e-4, 1.8e-4))
        >>> detector.probabilities(np.array([1e-3]), elements()["Ge"][0]).round(6)
        array([[0.36993]])
        """
        visible = self._visible(recoil, isotope)
        seen = visible > self.drop_below_mev
        mean = visible * self.per_mev
        found = np.zeros((len(self.bins) - 1, len(recoil)))
        efficiency = self.efficiency if self.of == "reconstructed" else efficiencies.Constant(1.0)
        for number, (low, high) in enumerate(itertools.pairwise(self.bins)):
            start = max(low, self.threshold)
            if start < high:
                found[number, seen] = self._counted(start, high, efficiency, mean[seen], visible[seen])
        if self.of != "reconstructed":
            found *= self.efficiency.at(mean if self.of == "mean" else recoil)
        return found

    def _counted(self, low: float, high: float, efficiency: Efficiency, mean: Array, visible: Array) -> Array:
        """Probability that a recoil is counted with x between low and high, shape (recoils,)."""
        if self.resolution is None:
            return np.where((low <= mean) & (mean < high), efficiency.at(mean), 0.0)
        reach = self.resolution.reach(mean, visible)
        near = (mean + reach > low) & (mean - reach < high)
        found = np.zeros_like(mean)
        if near.any():
            found[near] = self.resolution.counted(low, high, efficiency, mean[near], visible[near])
        return found

    def check(self, recoils: Iterable[tuple[Isotope | None, float]]) -> None:
        """Refuse a detector that counts nothing, or can't count; `recoils` are scatterers and largest recoils in MeV.

        Raises
        ------
        ExperimentError
            Where more energy is visible than a recoil has, where no recoil reaches the threshold and the bins, and
            where Poisson numbers are too large to be counted one by one.
        """
        largest_x = max(self._largest_x(isotope, largest) for isotope, largest in recoils)
        if largest_x <= max(self.threshold, self.bins[0]):
            dropped = self.drop_below_mev * self.per_mev
            least = {"threshold": self.threshold, "bins": self.bins[0], "drop_below": dropped}
            key = max(least, key=least.__getitem__)
            raise ExperimentError(f"{key}: no recoil from this source gives as much")
        if isinstance(self.resolution, Poisson) and min(largest_x, self.bins[-1]) > MOST_QUANTA:
            raise ExperimentError(f"resolution: {TOO_MANY_QUANTA}")

    def _largest_x(self, isotope: Isotope | None, largest: float) -> float:
        """Largest x of recoils up to an energy in MeV; 0 where nothing is visible."""
        recoil = np.linspace(0.0, largest, SAMPLES)
        visible = self._visible(recoil, isotope)
        excess = recoil[visible > recoil * (1 + bounds.ENERGY_ROUNDING)]
        if len(excess) and "visible" in dict(self.sizes):  # a charge yield gives a number of electrons
            raise ExperimentError(f"quenching: at {1e3 * excess[0]:.3g} keV more energy is visible than a recoil has")
        visible = visible[visible > self.drop_below_mev]
        x = visible * self.per_mev
        if self.resolution is not None:
            x += self.resolution.reach(x, visible)
        return float(x.max(initial=0.0))

    @property
    def widths(self) -> dict[Kind, Array]:
        """Widths of the bins above the threshold, in each energy proportional to x; the last may be infinite."""
        above = np.diff(np.maximum(self.bins, self.threshold))
        return {kind: above / size for kind, size in self.sizes}

    @property
    def unit(self) -> Unit:
        """The unit in which output shows x."""
        return energies.unit_of(self.shown_in, dict(self.sizes))

    def told(self) -> dict[str, str]:
        """The parts of the detector in words, by their headings."""
        kinds = dict(self.sizes)
        quanta = next((kind for kind in kinds if kind not in energies.OWN), None)
        found = {"threshold": self.unit.told(max(self.threshold, self.bins[0]))}
        if "visible" in kinds or "recoil" in kinds:
            found["quenching"] = "none" if self.quenching == UNQUENCHED else self.quenching.told()
        else:
            found["charge yield"] = f"{self.quenching.told()} electrons per keV of recoil energy"
        if quanta and "visible" in kinds:
            found["yield"] = f"{self.per_mev * 1e-3:.6g} {quanta} per keVee"
        if self.drop_below_mev:
            found["dropped"] = f"recoils that give less than {told(self.drop_below_mev, 'visible energy')}"
        if self.resolution is not None:
            found["resolution"] = self.resolution.told(self.unit)
        of = {"reconstructed": "", "mean": ", of the energy before resolution", "recoil": ", of the recoil energy"}
        unit = energies.unit_of("", {"recoil": 1.0}) if self.of == "recoil" else self.unit
        return {
            **found,
            "efficiency": self.efficiency.told(unit) + of[self.of],
            "bins": self.unit.told_bins(self.bins),
        }

    def splits(self, isotope: Isotope | None, largest: float) -> Array:
        """Recoil energies in MeV, from 0 to the largest, between which `probabilities` are smooth enough to integrate.

        The splits don't depend on the source.  Towards 0 they are a geometric series, because everything there is a
        power of T.  Without a resolution there is a split at each x at which the integrand begins, ends or bends; with
        a resolution there are several splits around each such x, three standard deviations apart.
        """
        series = largest * RATIO ** -np.arange(math.ceil(-math.log(FINEST, RATIO)) + 1)
        knots = [knot for knot in (*self.quenching.knots, *self._recoil_knots()) if 0 < knot < largest]
        samples = np.unique([0.0, *series, *np.linspace(0, largest, SAMPLES), *knots])
        sharp = self._recoils(self._mean_knots(), samples, isotope)
        ends = self._recoils(self._ends(), samples, isotope)
        if self.resolution is None:
            return np.unique([0.0, *series, *knots, *sharp, *ends])
        samples = np.unique([*samples, *ends])
        visible = self._visible(samples, isotope)
        sigma = np.maximum(self.resolution.sigma(visible * self.per_mev, visible), np.finfo(float).tiny)
        # number of standard deviations from one sample to the next
        steps = np.abs(np.diff(visible * self.per_mev)) / ((sigma[1:] + sigma[:-1]) / 2)
        away = np.concatenate([[0.0], np.cumsum(steps)])
        centres = np.interp([*ends, largest], samples, away)
        around = np.unique(STEP * (np.round(centres / STEP)[:, None] + AROUND))
        blurred = np.interp(around[(around > 0) & (around < away[-1])], away, samples)
        return np.unique([0.0, *series, *knots, *sharp, *blurred])

    def _visible(self, recoil: Array, isotope: Isotope | None) -> Array:
        """Visible energy in MeV of recoils of an isotope, or of electrons (None), whose whole energy is visible."""
        return recoil if isotope is None else self.quenching.visible(recoil, isotope)

    def _ends(self) -> list[float]:
        """The values of x at which the integrand of a bin begins, ends or bends."""
        knots = self.efficiency.knots if self.of == "reconstructed" else ()
        return [x for x in (*self.bins, self.threshold, *knots) if math.isfinite(x)]

    def _mean_knots(self) -> list[float]:
        """The means of x at which the probability jumps or bends."""
        return [self.drop_below_mev * self.per_mev, *(self.efficiency.knots if self.of == "mean" else ())]

    def _recoil_knots(self) -> tuple[float, ...]:
        """The recoil energies in MeV at which the efficiency bends."""
        return self.efficiency.knots if self.of == "recoil" else ()

    def _recoils(self, means: list[float], samples: Array, isotope: Isotope | None) -> Array:
        """Recoil energies in MeV at which the mean of x has some values; it is taken for monotonic between samples."""
        given = self._visible(samples, isotope) * self.per_mev
        wanted, place = np.nonzero((given[:-1] < np.array(means)[:, None]) != (given[1:] < np.array(means)[:, None]))
        low, high, target = samples[place], samples[place + 1], np.array(means)[wanted]
        rising = given[place] < target
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = self._visible(middle, isotope) * self.per_mev < target
            low, high = np.where(below == rising, middle, low), np.where(below == rising, high, middle)
        return high

    @classmethod
    def read(cls, table: Table, channel: Channel, isotopes: Sequence[Isotope]) -> Self:
        """The detector that the ``[detector]`` table of an experiment's file describes; `isotopes` are the target's.

        Raises
        ------
        ExperimentError
            For a key that is missing, unknown or wrong, or can't stand beside the others; and for an energy that
            doesn't follow from the recoil's energy.
        """
        chain = _Chain.read(table, channel, isotopes)
        threshold = chain.mean(table, "threshold", energies.read(table, "threshold")) if "threshold" in table else 0.0
        bins = chain.read_bins(table) or (threshold, math.inf)
        if threshold >= bins[-1]:
            raise table.error("threshold", "is above all bins")
        resolution = resolutions.read(table, chain.sizes) if "resolution" in table else None
        efficiency, of = chain.read_efficiency(table)
        counted_from = max(threshold, bins[0]) if of == "reconstructed" else 0.0
        if counted_from < efficiency.known_from * (1 - bounds.ENERGY_ROUNDING):
            raise table.error(
                "efficiency",
                "the table says nothing below its first energy: give a threshold or bins there or above, or below = 0",
            )
        drop_below = table.quantity("drop_below", "visible energy") if "drop_below" in table else 0.0
        shown_in = energies.written_unit(table)
        table.done()
        return cls(
            quenching=chain.quenching,
            per_mev=chain.per_mev,
            resolution=resolution,
            efficiency=efficiency,
            bins=bins,
            threshold=threshold,
            drop_below_mev=drop_below,
            of=of,
            sizes=tuple(chain.sizes.items()),
            shown_in=shown_in,
        )


@dataclass(frozen=True)
class _Chain:
    """From a recoil to the reconstructed energy x; `sizes` is x for one unit of each kind of energy."""

    quenching: Quenching
    per_mev: float
    sizes: Mapping[Kind, float]
    isotopes: Sequence[Isotope]

    @classmethod
    def read(cls, table: Table, channel: Channel, isotopes: Sequence[Isotope]) -> Self:
        """The chain that the keys of a detector describe."""
        kind, per_mev = _read_yield(table)
        quanta: dict[Kind, float] = {kind: 1.0} if kind else {}
        if channel == "nu-e":
            for key in ("quenching", "charge_yield"):
                table.refuse(key, "the recoils are electrons, all of whose energy is visible")
            return cls(UNQUENCHED, per_mev, {"recoil": per_mev, "visible": per_mev, **quanta}, ())
        if "charge_yield" in table:
            table.refuse("quenching", "the charge yield is that of a recoil")
            return cls(_read_charge_yield(table), 1e3, {"electrons": 1.0}, isotopes)
        if "quenching" not in table:
            if kind:
                raise table.error("quenching", f"missing; {kind} per keVee are of visible energy: give a quenching")
            return cls(UNQUENCHED, 1.0, {"recoil": 1.0}, isotopes)
        quenched = quenching.read(table, sorted({isotope.symbol for isotope in isotopes}))
        return cls(quenched, per_mev, {"visible": per_mev, **quanta}, isotopes)

    @property
    def quanta(self) -> Kind | None:
        """The kind of quanta, photoelectrons or electrons, where x is their number; else None."""
        return next((kind for kind in self.sizes if kind not in energies.OWN), None)

    def _unknown(self, kind: Kind) -> str:
        """The message for an energy of a kind that doesn't follow from a recoil's energy."""
        return energies.unlike(kind, self.sizes) if self.quanta else energies.missing(kind, "visible" in self.sizes)

    def mean(self, table: Table, key: str, energy: Energy) -> float:
        """The energy of a key, converted to x."""
        if energy.kind in self.sizes:
            return energy.value * self.sizes[energy.kind]
        if energy.kind != "recoil":
            raise table.error(key, self._unknown(energy.kind))
        recoil = np.array([energy.value])
        means = {float(self.quenching.visible(recoil, each)[0]) * self.per_mev for each in self.isotopes}
        if max(means) > min(means) * (1 + bounds.ENERGY_ROUNDING):
            raise table.error(key, "is another visible energy for each element of the target: give that, in keVee")
        return max(means)

    def read_bins(self, table: Table) -> tuple[float, ...]:
        """Edges of the bins in x; empty where there are no bins."""
        if "bins" not in table:
            return ()
        inner = table.table("bins")
        kind, edges = energies.read_edges(inner)
        inner.done()
        if len(edges) > bounds.MOST_STEPS:
            raise table.error("bins", f"must be fewer than {bounds.MOST_STEPS} where an energy is reconstructed")
        means = tuple(self.mean(table, "bins", Energy(kind, edge)) for edge in edges)
        if any(one * (1 + bounds.ENERGY_ROUNDING) >= other for one, other in itertools.pairwise(means)):
            raise table.error("bins", "two edges are the same visible energy")
        return means

    def read_efficiency(self, table: Table) -> tuple[Efficiency, Of]:
        """The efficiency, and the energy that it depends on."""
        number = efficiencies.read_number(table)
        if number is not None:
            return number, "reconstructed"
        inner = table.table("efficiency")
        if self.quanta and "unit" not in inner and inner.choice("shape", SHAPES) != "table":
            kind, unit = self.quanta, 1.0
        else:
            kind, unit = energies.unit(inner)
        of = inner.choice("of", ("reconstructed", "true"), "true" if kind not in self.sizes else "reconstructed")
        if kind in self.sizes:
            size = unit * self.sizes[kind]
            return inner.of_kind("shape", SHAPES, size, 1 / size), "mean" if of == "true" else "reconstructed"
        if kind != "recoil":
            raise inner.error("unit", self._unknown(kind))
        if of == "reconstructed":
            raise inner.error("of", "a recoil energy isn't reconstructed here: give the efficiency in the unit of bins")
        return inner.of_kind("shape", SHAPES, unit, 1 / unit), "recoil"


def _read_yield(table: Table) -> tuple[Kind | None, float]:
    """The kind of quanta, and their number per MeV of visible energy; None and 1 where x is an energy."""
    yields: dict[str, Kind] = {"photoelectrons_per_kevee": "photoelectrons", "electrons_per_kevee": "electrons"}
    for key, kind in yields.items():
        if key in table:
            for other in {*yields, "charge_yield"} - {key}:
                table.refuse(other, f"there is {key}")
            return kind, table.number(key, *bounds.YIELD) * 1e3
    return None, 1.0


def _read_charge_yield(table: Table) -> Quenching:
    """Electrons per keV of recoil energy, as a quenching: a number, or a table by recoil energy."""
    table.take("charge_yield", (int, float, dict), "a number of electrons per keV of recoil energy, or a table of them")
    if table.is_number("charge_yield"):
        return quenching.Factor(table.number("charge_yield", *bounds.YIELD))
    inner = table.table("charge_yield")
    found = quenching.read_points(inner, (0.0, bounds.YIELD[1]))
    inner.done()
    return quenching.Tabulated(*found, share=True)


def is_described(table: Table) -> bool:
    """Whether the ``[detector]`` table of a file describes a detector that reconstructs an energy.

    It does if it has one of `KEYS`, or an energy that isn't a recoil energy.
    """
    units = [symbol(table.text("threshold"))] if table.is_text("threshold") else []
    inner = [table.table(key) for key in ("bins", "efficiency") if table.is_table(key)]
    units += [each.text("unit") for each in inner if each.is_text("unit")]
    return any(key in table for key in KEYS) or not all(map(energies.is_recoil, units))
