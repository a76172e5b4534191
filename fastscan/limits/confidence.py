"""The words that describe a limit: its confidence level, its status and its method, with their defaults.

This room imports nothing numerical, because the help of the commands shows these words.
`fastscan.limits.limits.threshold` computes the Delta chi2 of a confidence level.
"""

from dataclasses import dataclass

# Statuses of limits, see `fastscan.limits.strengths.limit`; only limits from a store have the last one.
OK, NO_SENSITIVITY, SM_DISFAVOURED, OUTSIDE_AXIS = "ok", "no_sensitivity", "sm_disfavoured", "outside_axis"
SCALED = "scaled data"  # in tables and pictures: measured data multiplied by a luminosity other than 1
ASIMOV = "Asimov data"  # in tables: the Standard Model's prediction in place of measured data
CL = 0.90  # a probability
DOF = 1  # degrees of freedom of a limit on the strength alone
ASYMPTOTIC, BY_TOYS = METHODS = ("asymptotic", "toys")  # where the threshold of Delta chi2 comes from


@dataclass(frozen=True)
class Toys:
    """A request for toys: their number at each point, and the seed of their random numbers."""

    number: int = 10_000
    seed: int = 0


def level_text(cl: float, dof: int) -> str:
    """A confidence level as tables, pictures and captions show it.

    >>> level_text(CL, DOF)
    '90 % CL, 1 dof'
    """
    return f"{100 * cl:g} % CL, {dof} dof"
