"""The parameters of interactions, each described as an axis.

Nothing numerical is imported, because the options of the commands are made from these descriptions.
"""

import math
from dataclasses import replace

from fastscan.axes import SETTINGS, Axis, View, by_name
from fastscan.inputs.bounds import (
    ANGLE_SHIFT,
    COUPLING,
    EPSILON,
    LARGEST_BETA,
    LIGHTEST_GEV,
    MAGNETIC_MOMENT,
    MEDIATOR_GEV,
    MILLICHARGE,
    RADIUS_SQUARED,
)
from fastscan.physics.constants import SIN2_THETA_W

ELECTROMAGNETIC_PROPERTIES = "Electromagnetic properties of neutrinos of a flavour"  # a family in several rooms

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
MEDIATOR = replace(  # mass of a light Z', along which the limits on g' are given
    M_ZPRIME,
    low=MEDIATOR_GEV[0],
    high=MEDIATOR_GEV[1],
    expected=f"zero or positive, at most {MEDIATOR_GEV[1]:g} GeV",
    example="10MeV",
)
M_PHI = replace(
    MEDIATOR,
    name="m_phi",
    long_name="mass of the scalar",
    symbol=r"M_\phi",
    text="M_phi",
)
G = Axis(
    name="g",
    long_name="coupling of the mediator",
    symbol="g",
    text="g",
    low=COUPLING[0],
    high=COUPLING[1],
    expected=f"zero or positive, at most {COUPLING[1]:g}",
    example="1e-5",
    logarithmic=True,
)
MU = Axis(
    name="mu",
    long_name="magnetic moment of neutrinos of a flavour",
    symbol=r"\mu_\nu",
    text="mu",
    low=MAGNETIC_MOMENT[0],
    high=MAGNETIC_MOMENT[1],
    expected=f"zero or positive, at most {MAGNETIC_MOMENT[1]:g} in 1e-11 mu_B",
    unit="1e-11 mu_B",
    example="5",
    logarithmic=True,
)
Q = Axis(
    name="q",
    long_name="electric charge of neutrinos of a flavour",
    symbol=r"q_\nu",
    text="q",
    low=MILLICHARGE[0],
    high=MILLICHARGE[1],
    expected=f"from {MILLICHARGE[0]:g} to {MILLICHARGE[1]:g} in 1e-12 e",
    unit="1e-12 e",
    example="-2",
)
EPS = Axis(
    name="eps",
    long_name="strength of a non-standard interaction in units of G_F",
    symbol=r"\varepsilon",
    text="eps",
    low=EPSILON[0],
    high=EPSILON[1],
    expected=f"from {EPSILON[0]:g} to {EPSILON[1]:g}",
    example="0.1",
)
EPS_D = replace(
    EPS,
    name="eps_d",
    long_name="strength of a non-standard interaction with d quarks",
    symbol=r"\varepsilon^d",
    text="eps_d",
)
EPS_U = replace(
    EPS,
    name="eps_u",
    long_name="strength of a non-standard interaction with u quarks",
    symbol=r"\varepsilon^u",
    text="eps_u",
)
RADIUS = Axis(
    name="r2",
    long_name="squared charge radius of neutrinos of a flavour",
    symbol=r"\langle r^2\rangle",
    text="r2",
    low=RADIUS_SQUARED[0],
    high=RADIUS_SQUARED[1],
    expected=f"from {RADIUS_SQUARED[0]:g} to {RADIUS_SQUARED[1]:g} in 1e-32 cm2",
    unit="1e-32 cm2",
    example="20",
)
SHIFT = Axis(
    name="shift",
    long_name="shift of sin^2 theta_W at low energies",
    symbol=r"\Delta\sin^2\theta_W",
    text="shift",
    low=ANGLE_SHIFT[0],
    high=ANGLE_SHIFT[1],
    expected=f"from {ANGLE_SHIFT[0]:g} to {ANGLE_SHIFT[1]:g}",
    example="0.02",
    whole="sin2_theta_w",
    unshifted=SIN2_THETA_W,
)
ROWS = (BETA, MEDIATOR, M_PHI, EPS_D)  # row parameters of some interaction
STRENGTHS = (M_ZPRIME, G, MU, Q, EPS, EPS_U, RADIUS, SHIFT)  # axes of the strength of some interaction
# Each name once, in the order of records and options: a Z' mass is a row parameter of light models and the strength of
# heavy models.
PARAMETERS = tuple(by_name((*ROWS, *STRENGTHS)).values())
AXES = (*PARAMETERS, *SETTINGS)  # every axis that a grid can have
