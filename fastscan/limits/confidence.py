"""The words of a limit: its confidence level, the default of that level, and the limit's status.

They stand by themselves because commands show them before anything numerical is imported; the Delta chi2 that belongs
to a level is `fastscan.limits.limits.threshold`.
"""

from dataclasses import dataclass

# Statuses of limits, see `fastscan.limits.strengths.limit`; only limits from a store have the last one.
OK, NO_SENSITIVITY, SM_DISFAVOURED, OUTSIDE_AXIS = "ok", "no_sensitivity", "sm_disfavoured", "outside_axis"
SCALED = "scaled data"  # what tables and pictures call measured data at a luminosity other than 1, with their deficit
ASIMOV = "Asimov data"  # what tables call the Standard Model's prediction that was asked for in place of measured data
CL = 0.90  # a probability
DOF = 1  # degrees of freedom: a limit on M_Z' alone
ASYMPTOTIC, BY_TOYS = METHODS = ("asymptotic", "toys")  # where the threshold of Delta chi2 comes from


@dataclass(frozen=True)
class Toys:
    """Toys that are asked for: how many at each point, and what their random numbers begin with."""

    number: int = 10_000
    seed: int = 0


def level_text(cl: float, dof: int) -> str:
    """A confidence level as tables, pictures and captions show it.

    >>> level_text(CL, DOF)
    '90 % CL, 1 dof'
    """
    return f"{100 * cl:g} % CL, {dof} dof"
