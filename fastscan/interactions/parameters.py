"""The parameters of interactions, each described as an axis.

Nothing numerical is imported, because the options of the commands are made from these descriptions.
"""

import math

from fastscan.axes import SETTINGS, Axis, View
from fastscan.inputs.bounds import LARGEST_BETA, LIGHTEST_GEV

BETA = Axis(
    name="beta",
    long_name="E6 mixing angle",
    symbol=r"\beta",
    text="beta",
    low=-LARGEST_BETA,
    high=LARGEST_BETA,
    expected="from -2 pi to 2 pi in rad (did you mean degrees?)",
    kind="angle",
    unit="rad",
    example="95deg",
    shown_in="deg",
    views=(View("cos_beta", "cos_beta", r"$\cos\beta$", "cos", range=(0.0, math.pi)),),
)
M_ZPRIME = Axis(
    name="m_zprime",
    long_name="mass of the Z'",
    symbol="M_{Z'}",
    text="M_Z'",
    low=LIGHTEST_GEV,
    high=math.inf,  # the Standard Model
    expected=f"at least {LIGHTEST_GEV:g} GeV",
    kind="energy",
    unit="GeV",
    example="500GeV",
    logarithmic=True,
)
ROWS = (BETA,)  # those that some interaction holds fixed along a column
PARAMETERS = (BETA, M_ZPRIME)  # in the order in which records and options have them
AXES = (*PARAMETERS, *SETTINGS)  # every axis that a grid can have
