"""Resolutions: the distribution of the reconstructed energy x around its mean for a recoil.

Each distribution is one class with its integrals.  Each kind in a file is one function that reads it, and a line in
`RESOLUTIONS`.  Energies are in MeV, or in numbers of photoelectrons or electrons.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy  # its parts load at first use: a list of experiments needs none of them

from fastscan.errors import ExperimentError
from fastscan.experiments import energies
from fastscan.experiments.efficiencies import Efficiency
from fastscan.experiments.energies import Kind, Unit
from fastscan.inputs import bounds
from fastscan.inputs.toml import Table
from fastscan.physics import resolution
from fastscan.physics.quadrature import gauss_legendre
from fastscan.typing import Array

FWHM = 2 * math.sqrt(2 * math.log(2))  # full width at half maximum of a Gaussian, in standard deviations
REACH = 40.0  # standard deviations beyond which every distribution here is below the smallest float
# Standard deviations between which a distribution is smooth enough for a quadrature.
GAUSSIAN_STEPS = np.array([-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0])
GAMMA_STEPS = np.array([-9.0, -6.0, -3.0, -1.5, 0.0, 1.5, 3.0, 6.0, 9.0, 14.0, 20.0, 28.0, REACH])
# Multiples of the mean: near 0 a gamma distribution is a power of x.
TOWARDS_ZERO = np.array([0.0, *8.0 ** -np.arange(8.0, 0.0, -1.0)])
MOST_QUANTA = 1e5  # largest number of quanta of a recoil that is summed one by one
TOO_MANY_QUANTA = f"Poisson numbers of more than {MOST_QUANTA:g}: give a Gaussian resolution, or bins below"
Sizes = Mapping[Kind, float]  # x for one unit of each kind of energy


class Resolution(Protocol):
    """The protocol of resolutions; arrays have the shape (recoils,)."""

    def sigma(self, mean: Array, visible: Array) -> Array:
        """Standard deviation of x, for means of x and visible energies in MeV."""

    def reach(self, mean: Array, visible: Array) -> Array:
        """Distance from the mean beyond which the distribution is below the smallest float."""

    def counted(self, low: float, high: float, efficiency: Efficiency, mean: Array, visible: Array) -> Array:
        """Integral of the efficiency times the distribution of x from low to high, which may be infinite."""

    def told(self, unit: Unit) -> str:
        """The resolution in words, with energies in a unit."""


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian with the variance v0 + v1 E + v2 E^2 at the mean E.

    A `truncated` Gaussian is 0 below x = 0, and normalised above.
    """

    variance: tuple[float, float, float]
    truncated: bool = False

    def sigma(self, mean: Array, visible: Array) -> Array:
        """See `Resolution.sigma`."""
        constant, linear, square = self.variance
        return np.sqrt(constant + mean * (linear + mean * square))

    def reach(self, mean: Array, visible: Array) -> Array:
        """See `Resolution.reach`."""
        return REACH * self.sigma(mean, visible)

    def counted(self, low: float, high: float, efficiency: Efficiency, mean: Array, visible: Array) -> Array:
        """See `Resolution.counted`."""
        sigma = self.sigma(mean, visible)

        def moments(a: float, b: float) -> tuple[Array, Array]:
            zeroth = resolution.gaussian_probability(a, b, mean, sigma)
            return zeroth, resolution.gaussian_moment(a, b, mean, sigma)

        def density(x: Array) -> Array:
            return resolution.gaussian_density(x, mean[:, None], sigma[:, None])

        if self.truncated:
            low = max(low, 0.0)
        if efficiency.is_linear:
            found = linear(efficiency, low, high, moments)
        else:
            found = smooth(efficiency, low, high, mean[:, None] + sigma[:, None] * GAUSSIAN_STEPS, density)
        return found * 2 / (1 + scipy.special.erf(mean / (math.sqrt(2) * sigma))) if self.truncated else found

    def told(self, unit: Unit) -> str:
        """See `Resolution.told`."""
        constant, linear, square = self.variance
        terms = [f"({unit.told(math.sqrt(constant))})^2"] if constant else []
        terms += [f"{unit.told(linear)} E"] if linear else []
        terms += [f"{square:.6g} E^2"] if square else []
        width = f"sigma^2 = {' + '.join(terms)}" if linear or square else f"sigma = {unit.told(math.sqrt(constant))}"
        return f"Gaussian, {width}" + (", nothing below 0" if self.truncated else "")


@dataclass(frozen=True)
class Gamma:
    """A gamma distribution of photoelectrons or electrons; its shape is constant + per_mev * visible energy in MeV."""

    constant: float
    per_mev: float

    def _shape(self, visible: Array) -> Array:
        return self.constant + self.per_mev * visible

    def sigma(self, mean: Array, visible: Array) -> Array:
        """See `Resolution.sigma`."""
        return mean / np.sqrt(self._shape(visible))

    def reach(self, mean: Array, visible: Array) -> Array:
        """See `Resolution.reach`."""
        return REACH * self.sigma(mean, visible)

    def counted(self, low: float, high: float, efficiency: Efficiency, mean: Array, visible: Array) -> Array:
        """See `Resolution.counted`."""
        shape, low = self._shape(visible), max(low, 0.0)

        def moments(a: float, b: float) -> tuple[Array, Array]:
            return resolution.gamma_probability(a, b, mean, shape), resolution.gamma_moment(a, b, mean, shape)

        def density(x: Array) -> Array:
            return resolution.gamma_density(x, mean[:, None], shape[:, None])

        if efficiency.is_linear:
            return linear(efficiency, low, high, moments)
        steps = mean[:, None] + self.sigma(mean, visible)[:, None] * GAMMA_STEPS
        ends = np.concatenate([mean[:, None] * TOWARDS_ZERO, np.maximum(steps, 0.0)], axis=1)
        return smooth(efficiency, low, high, np.sort(ends, axis=1), density)

    def told(self, unit: Unit) -> str:
        """See `Resolution.told`."""
        grows = f" + {self.per_mev * 1e-3:.6g} per keVee" if self.per_mev else ""
        return f"gamma distribution of the shape {self.constant:.6g}{grows}"


@dataclass(frozen=True)
class Poisson:
    """Whole numbers of photoelectrons or electrons by Poisson's law; each number has its efficiency."""

    def sigma(self, mean: Array, visible: Array) -> Array:
        """See `Resolution.sigma`."""
        return np.sqrt(mean)

    def reach(self, mean: Array, visible: Array) -> Array:
        """See `Resolution.reach`; a mean far below 1 gives one quantum often, many standard deviations away."""
        return REACH * (np.sqrt(mean) + 1)

    def counted(self, low: float, high: float, efficiency: Efficiency, mean: Array, visible: Array) -> Array:
        """See `Resolution.counted`; a number on an edge belongs to the bin above it."""
        reach = self.reach(mean, visible)
        first = max(math.ceil(low), math.floor(float((mean - reach).min())), 0)
        last = min(high, math.ceil(float((mean + reach).max())))
        if last > MOST_QUANTA:
            raise ExperimentError(TOO_MANY_QUANTA)
        numbers = np.arange(first, math.ceil(last), dtype=float)
        chances = resolution.poisson_probability(numbers, mean[:, None])
        counted: Array = (chances * efficiency.at(numbers)).sum(axis=1)
        return counted

    def told(self, unit: Unit) -> str:
        """See `Resolution.told`."""
        return "Poisson"


def linear(
    efficiency: Efficiency, low: float, high: float, moments: Callable[[float, float], tuple[Array, Array]]
) -> Array:
    """Integral of the distribution times an efficiency that is linear between knots.

    `moments` computes the probability and the first moment of the distribution between two ends.
    """
    ends = _ends(efficiency, low, high)
    total = np.zeros(())
    for a, b in itertools.pairwise(ends):
        # just inside of the ends, because the efficiency can jump at its first knot
        start, stop = efficiency.at(np.array([np.nextafter(a, b), np.nextafter(b, a)])) * np.ones(2)
        zeroth, first = moments(a, b)
        slope = (stop - start) / (b - a)  # 0 where b is infinite
        total = total + start * zeroth + slope * (first - a * zeroth)
    return total


def smooth(efficiency: Efficiency, low: float, high: float, ends: Array, density: Callable[[Array], Array]) -> Array:
    """Integral of a density times an efficiency that is smooth between knots, by quadrature.

    `ends`, shape (recoils, ends), are values of x between which the density is smooth.
    """
    total = np.zeros(len(ends))
    for a, b in itertools.pairwise(_ends(efficiency, low, high)):
        pieces = np.clip(ends, a, b)
        x, widths = gauss_legendre(pieces[:, :-1], pieces[:, 1:])
        flat = x.reshape(len(ends), -1)
        total += (widths.reshape(flat.shape) * efficiency.at(flat) * density(flat)).sum(axis=1)
    return total


def _ends(efficiency: Efficiency, low: float, high: float) -> list[float]:
    """Two ends, and the knots of an efficiency between them."""
    return [low, *(knot for knot in sorted(efficiency.knots) if low < knot < high), high]


def _read_gaussian(table: Table, sizes: Sizes) -> Gaussian:
    """The same width everywhere: ``sigma`` or ``fwhm``."""
    if "fwhm" in table:
        table.refuse("sigma", "there is a full width at half maximum")
        sigma = _width(table, "fwhm", sizes) / FWHM
    else:
        sigma = _width(table, "sigma", sizes)
    return Gaussian((sigma**2, 0.0, 0.0), _truncated(table))


def _read_linear(table: Table, sizes: Sizes) -> Gaussian:
    """sigma = constant + slope E."""
    unit = _unit(table, sizes)
    constant, slope = table.number("constant", *bounds.WIDTH) * unit, table.number("slope", *bounds.WIDTH)
    if constant == slope == 0:
        raise table.error("slope", "without any width it is no resolution: leave it out")
    return Gaussian((constant**2, 2 * constant * slope, slope**2), _truncated(table))


def _read_quadrature(table: Table, sizes: Sizes) -> Gaussian:
    """sigma^2 = constant^2 + sqrt^2 E + linear^2 E^2, all in one unit."""
    unit = _unit(table, sizes)
    constant, root, slope = (
        table.number(key, *bounds.WIDTH) if key in table else 0.0 for key in ("constant", "sqrt", "linear")
    )
    if constant == root == slope == 0:
        raise table.error("sqrt", "give one or more of constant, sqrt and linear, above 0")
    return Gaussian(((constant * unit) ** 2, root**2 * unit, slope**2), _truncated(table))


def _read_fano(table: Table, sizes: Sizes) -> Gaussian:
    """sigma^2 = sigma0^2 + F eta E, with the noise sigma0, Fano's factor F and the energy eta of a pair."""
    noise = _width(table, "sigma0", sizes)
    linear = table.number("fano", *bounds.FANO) * _width(table, "eta", sizes)
    return Gaussian((noise**2, linear, 0.0), _truncated(table))


def _read_gamma(table: Table, sizes: Sizes) -> Gamma:
    """``shape`` is the shape parameter, perhaps followed by its increase per keVee."""
    _require_quanta(table, sizes)
    shape = table.numbers("shape", *bounds.GAMMA_SHAPE, 2)
    if shape[0] < 1:
        raise table.error("shape", "must begin with 1 or more")
    if len(shape) == 1:
        return Gamma(shape[0], 0.0)
    if "visible" not in sizes:
        raise table.error("shape", "grows with keVee: give photoelectrons_per_kevee or electrons_per_kevee")
    return Gamma(shape[0], shape[1] * 1e3)


def _read_poisson(table: Table, sizes: Sizes) -> Poisson:
    """Poisson's law, which has no keys."""
    _require_quanta(table, sizes)
    return Poisson()


def _truncated(table: Table) -> bool:
    return table.flag("truncated") if "truncated" in table else False


def _width(table: Table, key: str, sizes: Sizes) -> float:
    """The energy of a key, converted to x."""
    energy = energies.read(table, key)
    if energy.kind not in sizes:
        raise table.error(key, energies.unlike(energy.kind, sizes))
    return energy.value * sizes[energy.kind]


def _unit(table: Table, sizes: Sizes) -> float:
    kind, factor = energies.unit(table)
    if kind not in sizes:
        raise table.error("unit", energies.unlike(kind, sizes))
    return factor * sizes[kind]


def _require_quanta(table: Table, sizes: Sizes) -> None:
    if not {"photoelectrons", "electrons"} & set(sizes):
        raise table.error("kind", "is one of photoelectrons or electrons: give bins or a threshold in PE or electrons")


RESOLUTIONS: dict[str, Callable[[Table, Sizes], Resolution]] = {
    "gaussian": _read_gaussian,
    "linear": _read_linear,
    "quadrature": _read_quadrature,
    "fano": _read_fano,
    "gamma": _read_gamma,
    "poisson": _read_poisson,
}


def read(table: Table, sizes: Sizes) -> Resolution:
    """The resolution of a detector: a standard deviation with its unit, a kind without keys, or a table of a kind.

    Raises
    ------
    ExperimentError
        For a key that is missing or wrong, or an energy that isn't proportional to x.
    """
    if table.is_table("resolution") or (table.is_text("resolution") and table.text("resolution").isalpha()):
        inner = table.named_or_table("resolution", "gaussian")
        kind = inner.choice("kind", RESOLUTIONS)
        found = RESOLUTIONS[kind](inner, sizes)
        inner.done(of=kind)
        return found
    return Gaussian((_width(table, "resolution", sizes) ** 2, 0.0, 0.0))
