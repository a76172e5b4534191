"""Constants of nature and the Standard Model's radiative corrections, as used throughout.

Units are MeV unless the name says otherwise.  Each group names its source.
"""

# Electroweak: Particle Data Group, Phys. Rev. D 98 (2018) 030001.
G_FERMI = 1.1663787e-11  # MeV^-2
ALPHA = 1 / 137.035999084  # fine-structure constant, CODATA 2018
SIN2_THETA_W = 0.23122  # MS-bar at M_Z
M_Z_GEV = 91.1876

# Masses: CODATA 2018; tau and charged pion: Particle Data Group, PTEP 2020 (2020) 083C01.
M_ELECTRON = 0.51099895
M_MUON = 105.6583755
M_TAU = 1776.86
M_PION = 139.57039
ATOMIC_MASS_UNIT = 931.49410242

# Units: exact in the SI of 2019, hbar c rounded (CODATA 2018).
JOULE_PER_MEV = 1.602176634e-13
AVOGADRO = 6.02214076e23  # per mol; one atomic mass unit per nucleus is one gram per mol
HBARC_MEV_FM = 197.3269804
CM2_PER_INVERSE_MEV2 = HBARC_MEV_FM**2 * 1e-26  # (hbar c)^2 turns MeV^-2 into cm^2

# Radiative corrections to the quark couplings (Eq. 3) and to the electron couplings (Eq. 7) of arXiv:2002.01482.
RHO_QUARK = 1.0082
KAPPA_QUARK = 0.9972
LAMBDA_U_LEFT = -0.0031
LAMBDA_D_LEFT = -0.0025
LAMBDA_D_RIGHT = 7.5e-5
LAMBDA_U_RIGHT = LAMBDA_D_RIGHT / 2
RHO_ELECTRON = 1.0127
KAPPA_ELECTRON = 0.9965

PHYSICS_VERSION = 1  # to be raised when a formula or a constant changes a number: a store's identity contains it
