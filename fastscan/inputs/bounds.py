"""Bounds of the values that files, options and callers can give.

They are not physics, but limits of arithmetic, memory and patience, which no physics reaches.  Files, commands and the
Python interface share these bounds, and build their messages from them.  Bounds are inclusive.
"""

import math

# --- texts and files ---
LARGEST_FILE = 2**21  # bytes of a file that people write
LARGEST_ARRAYS = 2**25  # bytes of a file's arrays after decompression
DEEPEST_KEY = 16  # parts of a dotted key; a parser's time grows with the square of their number
MOST_KEYS = 1000  # of one table
MOST_TABLES = 100  # of one list of tables
MOST_LISTED = 1000  # experiments, models or references in one list; experiments in one sum
MOST_GROUPS = 10_000  # of one store
LONGEST_LINE = 1000  # characters of a title or a reference
LONGEST_LABEL = 40  # characters of an experiment's label: a picture has room for them beside its curves
LONGEST_NAME = 100  # characters of a name, which becomes the name of a directory in a store
LONGEST_QUANTITY = 80  # characters of a number with its unit

# --- numbers in experiments' files ---
NUMBER = (1e-30, 1e30)  # magnitude of any number, unless it is 0
QUANTITY = {  # quantities of each kind, in its base unit
    "energy": (1e-12, 1e9),
    "recoil energy": (1e-12, 1e9),
    "visible energy": (1e-12, 1e9),
    "photoelectrons": (1e-9, 1e9),
    "electrons": (1e-9, 1e9),
    "length": (1e-6, 1e15),
    "nuclear length": (1e-3, 100.0),
    "mass": (1e-12, 1e15),
    "arrival time": (1e-9, 1e12),
    "time": (1e-9, 1e20),
    "power": (1e-9, 1e20),
    "flux": (1e-20, 1e30),
    "activity": (1e-9, 1e30),
    "density": (1e-6, 1e9),
    "molar mass": (1e-3, 1e6),
    "size": (1.0, 2.0**60),
}
SHARE = (0.0, 1.0)
ENERGY_ROUNDING = 1e-9  # relative difference of an energy that is written in two units
VARIED_SHARE = (0.0, 1e3)  # share of events in a bin of a factor under a changed nuisance; it can be above 1
SHARE_ROUNDING = 1e-6  # difference from 1 of the sum of shares that people write
MOST_ATOMS = 10_000  # of an element in a formula unit
DUTY_FACTOR = (1e-6, 1.0)
NEUTRINOS_PER_PROTON = (1e-9, 1e3)
PROTONS = (1.0, 1e40)
NEUTRINO_ENERGY = (0.0, 1e9)  # in a table of a spectrum, in its unit
FLUX = (0.0, 1e30)  # in such a table
RECOIL = (0.0, 1e9)  # in a table of an efficiency, or of bins, in its unit
PHOTOELECTRONS = (-1e9, 1e9)
PHOTOELECTRONS_PER_KEV = (1e-9, 1e9)
SLOPE = (1e-9, 1e9)  # of a logistic efficiency, per photoelectron
TURN_ON = (1e-9, 1e9)  # width of an efficiency that rises like an error function, in its unit
LINDHARD_K = (1e-6, 10.0)
MOST_COEFFICIENTS = 20  # of a polynomial
WIDTH = (0.0, 1e9)  # of a resolution, in its unit
FANO = (0.0, 1e3)
GAMMA_SHAPE = (0.0, 1e9)  # its constant, and its increase per keVee
YIELD = (1e-9, 1e9)  # photoelectrons or electrons per keVee
OFFSET = (-1e3, 0.0)  # of a logistic efficiency
FACTOR = (-1e9, 1e9)  # edges of a further quantity
TIME = (-1e9, 1e9)  # after the protons, in its unit
TIME_WIDTH = (1e-9, 1e9)
TIME_RATE = (0.0, 1e9)
GIVEN_EVENTS = (0.0, 1e15)
DATA = (-1e15, 1e15)  # counts after a subtraction
DATA_ERROR = (1e-9, 1e15)
RELATIVE_BACKGROUND = (0.0, 1e9)
MOST_STEPS = 1000  # points of an efficiency or edges of an acceptance; each splits the integrals
MOST_BINS = 1_000_000
MOST_NUISANCES = 100  # of one experiment: the cost of a fit grows with the square of their number
EVENTS = (1e-15, 1e15)  # total events of an experiment; beyond these bounds squares of squares overflow

# --- settings ---
LARGEST_SIGMA_SYS = 1e6  # relative error of a signal or a background
SHARED_ERROR = (1e-9, LARGEST_SIGMA_SYS)  # the part of sigma_sys that several experiments have in common
DOUBTFUL_SIGMA_SYS = 1.0  # a user who gives more may mean per cent
LUMINOSITY = (1e-15, 1e15)  # neither a luminosity nor its inverse overflows a sum of squares

# --- models ---
LARGEST_BETA = 2 * math.pi * (1 + 1e-12)  # rad; 360 deg can be rounded upwards
LIGHTEST_GEV = 1e-3  # M_Z'; far below 1 GeV, where the contact interaction ends
G_PRIME = (1e-9, 1e3)  # strength of a user's own U(1)'
LARGEST_CHARGE = 1e6  # of a fermion under such a U(1)'
MEDIATOR_GEV = (0.0, 1e6)  # mass of a mediator; up to the largest mass, limits on the coupling are within COUPLING
COUPLING = (0.0, 1e6)  # of a light mediator: as a contact interaction written at a mass it can be large
MAGNETIC_MOMENT = (0.0, 1e12)  # of a neutrino, in 1e-11 mu_B
MILLICHARGE = (-1e12, 1e12)  # of a neutrino, in 1e-12 e
EPSILON = (-1e6, 1e6)  # of a non-standard interaction, in units of G_F
RADIUS_SQUARED = (-1e9, 1e9)  # of a neutrino's charge, in 1e-32 cm^2
ANGLE_SHIFT = (-1.0, 1.0)  # of sin^2 theta_W

# --- grids ---
MOST_VALUES = 100_000  # numbers that a list gives one by one
LONGEST_AXIS = 10_000_000  # points between a start and a stop
MOST_TASKS = 1_000_000  # of one cube; a scan holds all task numbers in memory at once
CHUNK = (2**10, 2**30)  # bytes: a chunk is held in memory, and is a file
MOST_PARTS = 1_000_000  # of a scan that several jobs share
