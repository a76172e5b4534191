"""Constants of nature and the Standard Model's radiative corrections, as used throughout.

MeV unless the name says otherwise.  Values: Particle Data Group 2018, as arXiv:2002.01482 uses them.
"""

G_FERMI = 1.1663787e-11  # MeV^-2
SIN2_THETA_W = 0.23122  # MS-bar at M_Z
M_Z_GEV = 91.1876
M_ELECTRON = 0.51099895
M_MUON = 105.6583755
M_PION = 139.57039
ATOMIC_MASS_UNIT = 931.49410242
JOULE_PER_MEV = 1.602176634e-13
AVOGADRO = 6.02214076e23  # per mol; one atomic mass unit per nucleus is one gram per mol
HBARC_MEV_FM = 197.3269804
CM2_PER_INVERSE_MEV2 = HBARC_MEV_FM**2 * 1e-26  # (hbar c)^2 turns MeV^-2 into cm^2

# Radiative corrections to the quark couplings (Eq. 3) and to the electron couplings (Eq. 7).
RHO_QUARK = 1.0082
KAPPA_QUARK = 0.9972
LAMBDA_U_LEFT = -0.0031
LAMBDA_D_LEFT = -0.0025
LAMBDA_D_RIGHT = 7.5e-5
LAMBDA_U_RIGHT = LAMBDA_D_RIGHT / 2
RHO_ELECTRON = 1.0127
KAPPA_ELECTRON = 0.9965

# Largest relative systematic error that is taken for one, wherever it is given.
LARGEST_SIGMA_SYS = 1e6

PHYSICS_VERSION = 1  # raise it when a formula or a constant changes a number: a store's identity names it
