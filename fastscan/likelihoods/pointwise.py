"""chi2 of one interaction at single points, and its slopes, from numbers that are prepared once.

In `FixedRow` the row parameter is fixed, or there is none: a Gaussian chi2 is a quotient of two sums of squares in x.
In `FreeRow` the row parameter varies, and the events in each bin are computed at each point, see
`fastscan.likelihoods.signals`.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fastscan.experiments.experiment import Experiment
from fastscan.interactions.interaction import Interaction
from fastscan.likelihoods.fixed_row import FixedRow
from fastscan.likelihoods.free_row import FittedBins, FreeRow, GaussianBins
from fastscan.likelihoods.gaussian import GaussianColumns
from fastscan.likelihoods.likelihood import Likelihood
from fastscan.likelihoods.poisson import PoissonColumns
from fastscan.likelihoods.profiles import Profile
from fastscan.likelihoods.settings import Settings
from fastscan.likelihoods.signals import Compiled, bins_of, signal_of
from fastscan.typing import Array


class Pointwise(Protocol):
    """chi2 at points, each a value of the row parameter and a strength x."""

    def chi2(self, row: float, x: float) -> float:
        """chi2 at a point; infinite where a bin with data expects nothing."""

    def slopes(self, row: float, x: float) -> tuple[float, float]:
        """The derivatives of chi2 in the row parameter and in x; nan where chi2 is infinite."""

    def compiled(self) -> Compiled:
        """`chi2` as a function for compiled code, without warnings."""


def pointwise(
    found: Likelihood,
    settings: Settings,
    interaction: Interaction,
    row: Mapping[str, Array],
    experiments: Sequence[Experiment],
    observed: Sequence[Experiment],
    is_free: bool,
) -> Pointwise:
    """chi2 at points, at one setting.

    Parameters
    ----------
    found : Likelihood
        A likelihood of one row.
    settings : Settings
        One setting, of scalars.
    interaction : Interaction
    row : mapping of str to array, shape (1,)
        The row parameters of that row.
    experiments, observed : sequence of Experiment
        The members; and the experiments with their data, see `fastscan.likelihoods.member.contact_sums`.
    is_free : bool
        Whether the row parameter varies; otherwise it is fixed at its value in `row`.

    Raises
    ------
    ModelError
        See `fastscan.likelihoods.signals.signal_of`.
    """
    columns, _ = found.columns(np.zeros((), np.intp), settings)
    others, blocks = (columns.others, columns.blocks) if isinstance(columns, PoissonColumns) else (columns, ())
    assert isinstance(others, GaussianColumns)
    alone = [number for number in range(len(found.members)) if all(number not in each for each in found.blocks)]
    if not is_free:
        return FixedRow.of(others, alone, blocks)
    order = [*alone, *itertools.chain(*found.blocks)]
    members = [bins_of(found, number, experiments[number], observed[number]) for number in order]
    ends = np.cumsum([0, *(each.standard.size for each in members)])
    place = {number: (ends[index], ends[index + 1]) for index, number in enumerate(order)}
    everywhere = [
        np.concatenate([getattr(each, name) for each in members]) for name in ("difference", "predicted", "direction")
    ]

    def compared(numbers: list[int]) -> tuple[Any, ...]:
        places = np.array([place[number] for number in numbers], np.intp).reshape(len(numbers), 2)
        return (places, *everywhere, found.norm[numbers])

    parts: list[GaussianBins | FittedBins] = []
    if alone:
        parts.append(GaussianBins(compared(alone), others.noise[alone, 0], others.variance[alone, 0]))
    for numbers, block in zip(found.blocks, blocks, strict=True):
        counted = numbers[: len(block.counts)]
        places = np.array([place[numbers[0]][0], *(place[number][1] for number in counted)])
        standard = [np.empty(0), *(members[order.index(number)].standard for number in counted)]
        profile = Profile.of(block)
        parts.append(
            FittedBins(
                value=profile.of_terms(1),
                line=profile.of_terms(2),
                standard=np.concatenate(standard),
                places=places,
                compared=compared(numbers[len(counted) :]),
            )
        )
    return FreeRow(signal_of(interaction, row, members, [experiments[number] for number in order]), tuple(parts))
