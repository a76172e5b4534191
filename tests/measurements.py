"""Check numbers of measurements/csi.md (sections 6 and 7) and of measurements/lar.md (4 and 5), as they are printed.

Numbers are texts, so that half a unit of the last printed digit is known.
"""

from decimal import Decimal
from typing import NamedTuple

import naive
from naive import nsi, vector, weak_angle
from scipy.stats import chi2 as chi2_distribution

from fastscan.interactions.interaction import Interaction
from fastscan.interactions.nsi import NonStandard

CSI_2021, CSI_2017 = "coherent-csi-2021", "coherent-csi-2017"
HELM, OFFSET = "coherent-csi-2021-helm", "coherent-csi-2021-offset"
LAR, LAR_SUMMED = "coherent-lar-2020", "coherent-lar-2020-summed"
S2W = 0.23122


def misses(ours: float, printed: str, relative: float = 0.0, absolute: float = 0.0) -> str:
    """The difference from a printed number, in words; empty within half a unit of its last digit or the tolerance."""
    theirs = float(printed)
    half = 0.5 * 10.0 ** int(Decimal(printed).as_tuple().exponent)
    deviation, tolerance = ours - theirs, max(half * (1 + 1e-9), relative * abs(theirs), absolute)
    return "" if abs(deviation) <= tolerance else f"{ours:.12g} is {deviation:+.3g} off {printed}, of {tolerance:.1g}"


class Point(NamedTuple):
    """A point of couplings, for fastscan and for `naive`."""

    model: str | Interaction
    at: dict[str, float]
    naive: naive.Interaction


def both(flavour: str, q2: float) -> naive.Chiral:
    """eps_ee^d = 0.25 and eps_mumu^u = 0.05."""
    return {"e": naive.vector_couplings({"d": 0.25}), "mu": naive.vector_couplings({"u": 0.05})}[flavour]


TWO = NonStandard("two-epsilons", "", (), {"ee": {"d": 0.25}, "mumu": {"u": 0.05}})
POINTS = {
    "SM": Point("nsi-ee-u", {"eps": 0.0}, naive.STANDARD),
    "eps_ee^u = 0.10": Point("nsi-ee-u", {"eps": 0.10}, nsi("ee", {"u": 0.10})),
    "eps_mumu^d = -0.05": Point("nsi-mumu-d", {"eps": -0.05}, nsi("mumu", {"d": -0.05})),
    "eps_ee^d = 0.25, eps_mumu^u = 0.05": Point(TWO, {"eps": 1.0}, naive.Interaction(both)),
    "eps_emu^u = 0.10": Point("nsi-emu-u", {"eps": 0.10}, nsi("emu", {"u": 0.10})),
    "universal, 10 MeV, 3e-5": Point("universal", {"m_zprime": 0.010, "g": 3e-5}, vector("universal", 10, 3e-5)),
    "b-l, 50 MeV, 1e-4": Point("b-l", {"m_zprime": 0.050, "g": 1e-4}, vector("b-l", 50, 1e-4)),
    "universal, 1 MeV, 1e-4": Point("universal", {"m_zprime": 0.001, "g": 1e-4}, vector("universal", 1, 1e-4)),
    "b-3lmu, 30 MeV, 1e-4": Point("b-3lmu", {"m_zprime": 0.030, "g": 1e-4}, vector("b-3lmu", 30, 1e-4)),
    "s2 = 0.20": Point("s2w", {"shift": 0.20 - S2W}, weak_angle(0.20 - S2W)),
}
# counts and chi2 of each point
AT_POINTS = {
    CSI_2021: {
        "SM": ("358.098637", "85.87532672"),
        "eps_ee^u = 0.10": ("271.157291", "89.01761640"),
        "eps_mumu^d = -0.05": ("509.906605", "94.95451429"),
        "eps_ee^d = 0.25, eps_mumu^u = 0.05": ("153.873811", "105.65417566"),
        "eps_emu^u = 0.10": ("445.450907", "89.65633413"),
        "universal, 10 MeV, 3e-5": ("240.408172", "93.74647390"),
        "b-l, 50 MeV, 1e-4": ("674.745007", "101.66535123"),
        "universal, 1 MeV, 1e-4": ("760.548634", "156.50474426"),
        "s2 = 0.20": ("295.891966", "85.29679528"),
    },
    CSI_2017: {
        "SM": ("156.678773", "145.80595177"),
        "eps_ee^u = 0.10": ("118.460857", "145.83922213"),
        "eps_mumu^d = -0.05": ("222.944909", "147.49975585"),
        "eps_ee^d = 0.25, eps_mumu^u = 0.05": ("67.223366", "149.93367431"),
        "eps_emu^u = 0.10": ("194.893567", "146.69809267"),
        "universal, 10 MeV, 3e-5": ("98.256265", "146.63000691"),
        "b-l, 50 MeV, 1e-4": ("308.177413", "150.33097169"),
        "universal, 1 MeV, 1e-4": ("570.386031", "180.67464537"),
        "s2 = 0.20": ("129.463986", "145.53833677"),
    },
    HELM: {"SM": ("333.907", "84.710")},
    OFFSET: {"SM": ("356.404", "82.864")},
    LAR: {
        "SM": ("124.918994", "1030.45345291"),
        "eps_ee^u = 0.10": ("94.293781", "1031.85443996"),
        "eps_mumu^d = -0.05": ("182.000680", "1031.36342438"),
        "eps_ee^d = 0.25, eps_mumu^u = 0.05": ("53.559053", "1035.07122493"),
        "universal, 10 MeV, 3e-5": ("62.169933", "1033.18629958"),
        "b-l, 50 MeV, 1e-4": ("278.958565", "1039.45233081"),
        "universal, 1 MeV, 1e-4": ("2553.843966", "1092.04049589"),
        "b-3lmu, 30 MeV, 1e-4": ("1123.581394", "1081.23338546"),
        "s2 = 0.20": ("99.942765", "1031.27007684"),
    },
    LAR_SUMMED: {
        "SM": ("124.918994", "113.547914"),
        "eps_ee^u = 0.10": ("94.293781", "115.08050551"),
        "eps_mumu^d = -0.05": ("182.000680", "113.37629154"),
        "eps_ee^d = 0.25, eps_mumu^u = 0.05": ("53.559053", "118.12499631"),
        "universal, 10 MeV, 3e-5": ("62.169933", "117.28239700"),
        "b-l, 50 MeV, 1e-4": ("278.958565", "118.69007531"),
        "universal, 1 MeV, 1e-4": ("2553.843966", "166.77481414"),
        "b-3lmu, 30 MeV, 1e-4": ("1123.581394", "153.84760376"),
        "s2 = 0.20": ("99.942765", "114.60873071"),
    },
}
COUNTS_TO = {CSI_2021: 1e-8, CSI_2017: 1e-8, HELM: 0.0, OFFSET: 0.0, LAR: 1e-6, LAR_SUMMED: 1e-6}  # relative
CHI2_TO = {CSI_2021: 1e-6, CSI_2017: 1e-6, HELM: 0.0, OFFSET: 0.0, LAR: 1e-5, LAR_SUMMED: 1e-5}  # absolute
ENDS_TO = 1e-5  # of intervals and limits, relative

# Standard Model events of each neutrino
BY_NEUTRINO = {
    CSI_2021: {"nu_e": "116.881308", "nu_mu": "54.032381", "nubar_mu": "187.184947"},
    CSI_2017: {"nu_e": "51.380929", "nu_mu": "28.607230", "nubar_mu": "76.690615"},
    LAR: {"nu_e": "38.7730079", "nu_mu": "30.8287156", "nubar_mu": "55.3172704"},
}
# (energy, time): nu_e, nu_mu, nubar_mu, backgrounds, data
CSI_2021_BINS = {
    (1, 3): ("0.35539336", "5.04335663", "0.47985173", "2.29268501", "0.15170146", "0.00802759", "3"),
    (2, 8): ("8.36956732", "0.00766665", "11.59536304", "25.57521138", "0.02049163", "0.21182791", "49"),
    (4, 6): ("0.99045604", "0.16121591", "1.58307738", "2.41136143", "0.40634403", "0.03456921", "5"),
    (5, 9): ("6.52451245", "0.00025633", "11.60083196", "66.64834194", "0.00068582", "0.31654434", "65"),
    (8, 10): ("0.09496861", "0.00000000", "0.30739295", "66.05747347", "0.00016288", "0.08054589", "62"),
}
BACKGROUNDS = {
    CSI_2021: ("1286", "18.4", "5.6"),
    CSI_2017: ("405", "5.419342"),
    LAR: ("3152", "497", "33"),
}
# (energy, F90, time): nu_e, nu_mu, nubar_mu, dF90, dtime, ss, brn, delbrn, brn_energy, brn_time, brn_width, data
LAR_BINS = {
    (0, 2, 1): ("0.97266260", "3.98267415", "1.18962796", "-0.56613844", "0.57439870", "13.47829932", "11.21270016",
                "0", "-0.42339722", "-0.60996002", "3.32400151", "31"),
    (0, 4, 1): ("0.60011072", "2.45721942", "0.73397341", "1.37950551", "0.35439094", "9.33881953", "7.73086011",
                "0", "-0.26933811", "-0.42253053", "2.30174104", "27"),
    (1, 4, 2): ("0.59624427", "0.00227429", "0.92797903", "0.01941109", "0.21235873", "4.79938976", "5.52915008",
                "0", "0.10256133", "2.68910280", "-2.66445975", "8"),
    (2, 5, 1): ("0.14285151", "0.00001992", "0.30517328", "-0.00001051", "-0.16937152", "3.13959984", "11.56620016",
                "0", "-0.11439713", "-0.66970462", "3.42690155", "18"),
    (3, 6, 3): ("0.00809536", "0", "0.02543646", "0.00357391", "0.00374168", "2.91962985", "0",
                "0.24541188", "0", "0", "0", "1"),
}  # fmt: skip
# Probability of each energy bin for a recoil of caesium with 10 keV
CSI_AT_10_KEV = ("2.4139161532e-3", "1.0349787671e-1", "1.7234771326e-1", "8.6625298077e-2", "2.2756538400e-2",
                 "4.6804045435e-3", "7.7144824132e-5", "7.7617905694e-7", "1.5901383265e-9")  # fmt: skip
CSI_2021_SHARES = {
    "nu_mu": ("1.3709400e-03", "3.9073314e-02", "1.6480835e-01", "2.9897457e-01", "2.9469262e-01", "1.5329109e-01",
              "4.0524983e-02", "4.0897913e-03", "3.8290771e-04", "1.9392770e-04", "7.0734390e-05"),
    "nu_e": ("1.2330632e-05", "7.9188908e-04", "6.0455301e-03", "1.8907277e-02", "3.5054019e-02", "4.5501394e-02",
             "4.7688343e-02", "4.5769238e-02", "2.7920030e-01", "2.7006881e-01", "9.8480345e-02"),
    "nubar_mu": ("1.9219022e-05", "9.2561898e-04", "6.5135772e-03", "1.9634402e-02", "3.5644020e-02", "4.5689598e-02",
                 "4.7635987e-02", "4.5661360e-02", "2.7851703e-01", "2.6940789e-01", "9.8239342e-02"),
}  # fmt: skip
DELAYED = ("1.46053691e-02", "1.62711787e-01", "1.67414171e-01", "1.33376548e-01", "1.06228378e-01", "8.46060913e-02",
           "6.73849190e-02", "5.36690354e-02", "4.27449555e-02", "3.40444207e-02")  # fmt: skip
LAR_SHARES = {
    "nu_mu": ("3.32533883e-01", "6.65083101e-01", "2.28854512e-03", "1.2e-09"),
    "nu_e": DELAYED,
    "nubar_mu": DELAYED,
}
# s_f[0..3], all times and F90
LAR_ALL_TIMES = {
    "nu_e": ("44.7319436", "26.924721", "13.833222", "3.273236", "0.625652"),
    "nu_mu": ("30.8316283", "26.971610", "3.859906", "0.000112", "0"),
    "nubar_mu": ("63.8188562", "32.930639", "21.529666", "6.992604", "1.965864"),
}
# Nuisances of the Standard Model, relative changes of amounts and shapes in sigmas, by the names of `naive_poisson`
NUISANCES = {
    CSI_2021: {"signal": "-0.08040997", "ss": "-0.01500042", "brn": "-0.09155422", "nin": "-0.02647928"},
    CSI_2017: {"signal": "-0.12813683", "ss": "0.00110380", "brn": "0.02358757"},
    LAR: {
        "signal": "0.01774704", "cevns_f90": "0.22625732", "cevns_time": "0.19059236", "ss": "-0.00346113",
        "brn": "0.05557767", "delbrn": "-0.66028651", "brn_energy": "-0.51435436", "brn_time": "-0.23607825",
        "brn_width": "0.97558713",
    },
}  # fmt: skip
ERRORS = {  # of amounts of backgrounds
    CSI_2021: {"ss": 0.021, "brn": 0.25, "nin": 0.35},
    CSI_2017: {"ss": 0.05, "brn": 0.25},
    LAR: {"ss": 25 / 3152, "brn": 160 / 497},
}
# without CEvNS; without a prior on its normalisation: chi2 and counts
NO_SIGNAL = {CSI_2021: "215.82484218", CSI_2017: "184.39292096", LAR: "1043.14110"}
FREE_SIGNAL = {
    CSI_2021: ("85.17025208", "312.9863"),
    CSI_2017: ("145.53692596", "130.9107"),
    LAR: ("1030.32841", "140.482"),
}
FREE_COUNTS = {LAR_SUMMED: "162.74", HELM: "310.4", OFFSET: "314.2"}  # where the chi2 isn't printed
SHARED_STRENGTH = "1.266"  # argon's free signal, if all neutrinos share one distribution of energy and of time
# Argon with the normalisations alone, and with the release's template of the signal
FOUR_NORMS = {
    "page": {"chi2": "1070.33754", "counts": "134.200", "low": "94.332", "high": "174.810", "no signal": "1082.19792"},
    "release": {
        "chi2": "1067.15618", "counts": "160.205", "low": "117.959", "high": "203.111", "no signal": "1082.19792",
        "ss": "3131.397", "brn": "552.117", "delbrn": "10.536",
    },
}  # fmt: skip
# Counts at which chi2 is 1 above its smallest value where the couplings of the SM are scaled and sigma_sys is 0
SCALED_SIGNAL = {LAR: ("101.148", "182.606"), LAR_SUMMED: ("116.13", "214.16")}


class Column(NamedTuple):
    """Allowed intervals of a strength."""

    model: str
    at: dict[str, float]
    cl: float
    dof: int
    ends: tuple[str, ...]  # two ends of each interval, but one where it begins at 0
    nearest: bool = (
        False  # whether the printed Delta chi2 is above the minimum next to the Standard Model, not the lowest one
    )

    @property
    def label(self) -> str:
        return "-".join([self.model, *(f"{value:g}" for value in self.at.values()), f"{self.cl:.2f}"])

    @property
    def quantile(self) -> float:
        return float(chi2_distribution.ppf(self.cl, self.dof))


def upper(model: str, mass: float, *ends: str, cl: float = 0.90, dof: int = 2, nearest: bool = False) -> Column:
    """The intervals of a coupling g."""
    return Column(model, {"m_zprime": mass}, cl, dof, ends, nearest)


ONE_SIGMA, TWO_SIGMA = 0.6826894921370859, 0.9544997361036416
COLUMNS = {
    CSI_2021: [
        Column("s2w", {}, ONE_SIGMA, 1, ("0.184813", "0.235749")),
        Column("nsi-ee-u", {}, 0.90, 1, ("-0.063746", "0.091297", "0.313739", "0.468614")),
        Column("nsi-ee-d", {}, 0.90, 1, ("-0.056948", "0.081542", "0.280220", "0.418637")),
        Column("nsi-mumu-u", {}, 0.90, 1, ("-0.014095", "0.054587", "0.350412", "0.418944")),
        Column("nsi-mumu-d", {}, 0.90, 1, ("-0.012594", "0.048758", "0.312988", "0.374275")),
        upper("universal", 0.010, "2.678376e-5"),
        upper("universal", 0.010, "2.847279e-5", cl=TWO_SIGMA),
        upper("universal", 1.0, "5.740767e-4", "1.681925e-3", "1.830924e-3", nearest=True),
        upper("b-l", 0.010, "4.668973e-5"),
        upper("b-l", 1.0, "7.987505e-4"),
    ],
    CSI_2017: [
        Column("s2w", {}, ONE_SIGMA, 1, ("0.156159", "0.264655"), nearest=True),
        Column("nsi-ee-u", {}, 0.90, 1, ("-0.103934", "0.508923")),
        Column("nsi-ee-d", {}, 0.90, 1, ("-0.092849", "0.454590"), nearest=True),
        Column("nsi-mumu-u", {}, 0.90, 1, ("-0.077997", "0.080855", "0.324067", "0.483005")),
        Column("nsi-mumu-d", {}, 0.90, 1, ("-0.069733", "0.072254", "0.289458", "0.431482"), nearest=True),
        upper("universal", 0.010, "3.703407e-5"),
        upper("universal", 0.010, "3.910738e-5", cl=TWO_SIGMA),
        upper("universal", 1.0, "7.365153e-4", "1.618337e-3", "1.979110e-3"),
        upper("b-l", 0.010, "6.131434e-5"),
        upper("b-l", 1.0, "1.558399e-3"),
    ],
    HELM: [
        Column("nsi-ee-u", {}, 0.90, 1, ("-0.078", "0.072", "0.333", "0.483")),
        upper("universal", 0.010, "2.53e-5"),
        upper("b-l", 0.010, "4.88e-5"),
    ],
    OFFSET: [
        Column("nsi-ee-u", {}, 0.90, 1, ("-0.039", "0.128", "0.277", "0.444")),
        upper("universal", 0.010, "2.62e-5"),
        upper("b-l", 0.010, "4.79e-5"),
    ],
    LAR: [
        Column("s2w", {}, ONE_SIGMA, 1, ("0.1990", "0.3002"), nearest=True),
        Column("nsi-ee-u", {}, 0.90, 1, ("-0.1838", "0.5531")),
        Column("nsi-ee-d", {}, 0.90, 1, ("-0.1720", "0.5175")),
        Column("nsi-mumu-u", {}, 0.90, 1, ("-0.0799", "0.0696", "0.2997", "0.4491")),
        Column("nsi-mumu-d", {}, 0.90, 1, ("-0.0747", "0.0651", "0.2804", "0.4203"), nearest=True),
        *(upper("universal", mass, end, dof=1) for mass, end in
          ((0.001, "2.925e-5"), (0.010, "2.973e-5"), (0.050, "4.319e-5"), (0.100, "6.787e-5"))),
        *(upper("b-l", mass, end, dof=1) for mass, end in
          ((0.001, "3.691e-5"), (0.010, "3.944e-5"), (0.050, "7.346e-5"), (0.100, "1.301e-4"))),
    ],
}  # fmt: skip
BEST_S2W = {CSI_2021: "0.208865", CSI_2017: "0.201751", HELM: ".2189", OFFSET: ".2103", LAR: "0.2505"}
