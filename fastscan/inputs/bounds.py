"""Bounds of the numbers that a user gives: they are not physics, but limits of arithmetic and memory.

Files and the Python interface share these, and build their messages from them.
"""

LIGHTEST_GEV = 1e-3  # M_Z'; far below 1 GeV, where the contact interaction ends
LUMINOSITY = (1e-15, 1e15)  # neither it nor its inverse overflows a sum of squares
LARGEST_SIGMA_SYS = 1e6  # relative
G_PRIME = (1e-9, 1e3)  # strength of a user's own U(1)'
LARGEST_CHARGE = 1e6  # of a fermion under it
QUANTITY = (1e-30, 1e30)  # of anything with a unit, in its base unit
MOST_TASKS = 1_000_000  # of one cube; a scan holds all task numbers in memory at once
CHUNK = (2**10, 2**30)  # bytes: a chunk is held in memory, and is a file
MOST_PARTS = 1_000_000  # of a scan that several jobs share
