"""A cube: what a group of a store holds, how it is cut, and which run it belongs to.

Nothing is read or written here: `fastscan.stores.store` keeps a cube's group, `fastscan.stores.chunks` its values.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from fastscan.errors import FastscanError
from fastscan.interactions import catalogue as models
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.stores.layout import DIMENSIONS, Layout
from fastscan.typing import Array, IntArray

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Cube:
    """A group of a store: what is in it, and how it is cut.

    `identity` says what the numbers follow from, as the user gave it; its hash decides whether two runs are the
    same.  Models other than e6 have no beta: `axes` and the arrays lack it, while `layout` keeps it with length 1.
    """

    name: str
    title: str
    references: tuple[str, ...]
    identity: dict[str, Any]
    axes: dict[str, Array]
    has_beta: bool
    layout: Layout
    likelihood: Likelihood

    @functools.cached_property
    def hash(self) -> str:
        return hash_of(self.identity)

    @property
    def experiment(self) -> str:
        """Name of the experiment, or of the combination."""
        return self.name.split("/")[0]

    @property
    def model_name(self) -> str:
        return self.name.split("/")[1]

    @property
    def fixed_sigma_sys(self) -> dict[str, float]:
        """The systematic errors of those members of a combination that don't follow the axis."""
        fixed: dict[str, float] = self.identity["fixed_sigma_sys"]
        return fixed

    @property
    def has_events(self) -> bool:
        """Whether events are stored: those of one experiment; a combination has none."""
        return "events" in self.layout.arrays

    @property
    def g_prime(self) -> float | None:
        """The strength of a user's own U(1)', where the limit is one on M_Z' / g'; None for other models."""
        strength: float | None = self.identity["model"]["g_prime"]
        return strength

    @property
    def own_sigma_sys(self) -> bool:
        """Whether the grid leaves the axis out, so that each experiment keeps its own."""
        return "sigma_sys" not in self.identity["axes"]

    @property
    def fixes_sigma_sys(self) -> bool:
        """Whether every member's is fixed, so that nothing changes along the axis."""
        return len(self.fixed_sigma_sys) == len(self.likelihood.members)

    def sigma_sys(self, values: Array | None) -> dict[str, Array | None]:
        """Each member's systematic error where those that aren't fixed have some values, or (None) their own."""
        shape = () if values is None else values.shape
        fixed = {name: np.full(shape, sigma) for name, sigma in self.fixed_sigma_sys.items()}
        return {name: fixed.get(name, values) for name in self.likelihood.members}

    def has_axis(self, name: str) -> bool:
        """Whether the group has one of the four axes; without sigma_sys, each experiment keeps its own."""
        return not ((name == "beta" and not self.has_beta) or (name == "sigma_sys" and self.own_sigma_sys))

    def axis(self, name: str) -> Array:
        """The points of an axis; one that the group doesn't have is a `FastscanError`."""
        if not self.has_axis(name):
            raise FastscanError(f"{self.name} has no axis {name}")
        return self.axes[name]

    def on_axis(self, name: str, values: Array) -> IntArray:
        """Indices of values on an axis."""
        points = self.axis(name)
        nearest: IntArray = np.searchsorted(points[:-1] + np.diff(points) / 2, values)  # as many middles lie below
        missed = np.flatnonzero(~(np.abs(points[nearest] - values) <= 1e-9 * np.maximum(1, np.abs(values))))
        if missed.size:
            wanted, there = values[missed[0]], points[nearest[missed[0]]]
            told = [f"{np.degrees(x):g} deg" if name == "beta" else f"{x:g}" for x in (wanted, there)]
            raise FastscanError(f"{name} = {told[0]} is not on the axis of {self.name}; the nearest is {told[1]}")
        return nearest

    def stored_sigma_sys(self, values: Array | None) -> IntArray:
        """Indices on the axis sigma_sys of values, or (None) of what the experiments have of their own."""
        if values is not None:
            return self.on_axis("sigma_sys", values)
        own = {
            sigma
            for member, sigma in zip(self.likelihood.members, self.likelihood.sigma_sys.tolist(), strict=True)
            if member not in self.fixed_sigma_sys
        }
        if self.own_sigma_sys or not own:
            return np.zeros(1, np.intp)
        if len(own) > 1:
            raise FastscanError(f"{self.name}: no stored chi2 has each experiment's own sigma_sys; say which")
        return self.on_axis("sigma_sys", np.array(list(own)))

    def at_beta(self, beta: Array) -> tuple[Likelihood, IntArray]:
        """The likelihood at any betas, and the index of each in it; only models with beta have more than one."""
        if not self.has_beta:
            return self.likelihood, np.zeros(beta.shape, np.intp)
        each, number = np.unique(beta, return_inverse=True)
        return replace(self.likelihood, kappa=self._couplings(each)), number.reshape(beta.shape)

    @functools.cached_property
    def _couplings(self) -> Callable[[Array], Array]:
        """The members' kappa at betas, from the model's formula, which must give what is stored on the axis."""
        channels = [self.identity["experiments"][member]["channel"] for member in self.likelihood.members]
        model = self.identity["model"]["name"]

        def kappa(beta: Array) -> Array:
            return np.stack([models.kappa(model, channel, beta) for channel in channels])

        if not np.allclose(kappa(self.axes["beta"]), self.likelihood.kappa, rtol=1e-12, atol=1e-15):
            raise FastscanError(f"{self.name} was made with other couplings than this fastscan's between its betas")
        return kappa

    @property
    def dimensions(self) -> tuple[str, ...]:
        return self.stored(DIMENSIONS)

    def stored(self, over_dimensions: tuple[T, ...]) -> tuple[T, ...]:
        """Names, shape or index without the beta that isn't stored."""
        return over_dimensions if self.has_beta else over_dimensions[1:]


def hash_of(identity: Any) -> str:
    """The hash of an identity, whatever the order of its entries."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def differences(one: Any, other: Any, name: str = "") -> list[str]:
    """Names of the entries in which two identities differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [name]
    return [
        different
        for key in sorted({*one, *other})
        for different in differences(one.get(key), other.get(key), f"{name}.{key}".strip("."))
    ]
