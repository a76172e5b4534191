"""The confidence level of a limit: what it is where nobody says it, and how it is told.

It stands by itself because commands show it before anything numerical is imported; the Delta chi2 that belongs to it
is `fastscan.limits.limits.threshold`.
"""

CL = 0.90  # a probability
DOF = 1  # degrees of freedom: a limit on M_Z' alone


def level_text(cl: float, dof: int) -> str:
    """A confidence level as tables, pictures and captions tell it.

    >>> level_text(CL, DOF)
    '90 % CL, 1 dof'
    """
    return f"{100 * cl:g} % CL, {dof} dof"
