import math
import re
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import naive
import pytest
from conftest import REPOSITORY, Write, ok, refusal, require_refused

import fastscan
from fastscan.errors import ExperimentError, FastscanError
from fastscan.experiments import catalogue as experiments
from fastscan.likelihoods.response import response
from fastscan.physics import nuclei
from fastscan.scans import grid
from fastscan.stores import store
from fastscan.stores.location import read_root

TEXT = (experiments.BUILT_IN / "coherent-csi.toml").read_text()


def test_every_experiment_of_the_package_loads() -> None:
    for name in experiments.names():
        assert experiments.load(name).name == name


def test_a_user_file_is_named_after_itself(write: Write) -> None:
    mine = experiments.load(str(write("my-csi.toml", TEXT)))
    assert mine.name == "my-csi"
    assert mine.targets == experiments.load("coherent-csi").targets


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('compound = "CsI"', 'compound = "XxI"', "compound: unknown element 'Xx'"),
        (
            'compound = "CsI"',
            'compound = "cesium iodide"',
            "compound: 'cesium iodide' is no chemical formula",
        ),
        ('mass = "14.57 kg"', 'mass = "14.57 lb"', "mass: '14.57 lb' has no unit of mass"),
        ('mass = "14.57 kg"', 'mass = "-14.57 kg"', "mass: must be positive"),
        ('compound = "CsI"', 'compound = "CsI127"', "compound: 'I127' would be 127 atoms; for an isotope"),
        ('mass = "14.57 kg"', "mass = 10", r"mass: must be a mass with its unit \(g, kg, t\), such as '10 kg', not 10"),
        ('mass = "14.57 kg"', "", r"mass: missing; it must be a mass with its unit \(g, kg, t\)"),
        ('mass = "14.57 kg"', 'mas = "14.57 kg"', "mass: missing; .*; did you mean it by 'mas'"),
        ('mass = "14.57 kg"', 'density = "4.5 g/cm3"', "density: can't stand here: it needs a cylinder"),
        ("[[target]]", "[target]", "target: must be one or more tables"),
        ('channel = "cevns"', 'channel = "cevn"', "channel: unknown channel 'cevn'; did you mean 'cevns'"),
        (
            'kind = "pion-decay-at-rest"',
            'kind = "reakton"',
            "kind: unknown kind 'reakton'; did you mean 'reactor'",
        ),
        ("protons = 1.76e23", "protons = 0", r"protons: must be between 1 and 1e\+40, not 0"),
        ("plateau = 0.6655", "plateau = 1.6655", "plateau: must be between 0 and 1"),
        ("edges = [5, 6, 30]", "edges = [5, 30]", "edges: must be one more than the 2 values"),
        ("edges = [5, 6, 30]", "edges = [5, 30, 6]", "edges: must increase"),
        ("values = [0.5, 1.0]", "values = [0.5, 1.1]", "values: must be between 0 and 1, not 1.1"),
        ("observed = 142", "observed = -142", "observed: must be"),
        ("observed = 142", "obsrved = 142", "observed: missing; it must be a number; did you mean it by 'obsrved'"),
        ("background = 6", "", r"background: missing; it must be a number$"),
        ("photoelectrons_per_kev = 1.17", "", "acceptance: can't stand here: its edges are in photoelectrons"),
        (
            "[detector] ",
            '[detector]\nthreshold = "5 keV"\n',
            "threshold: can't stand here: with photoel",
        ),
        ("sigma_sys = 0.28", "sigma_sys = 0.28\nsigma = 1", "unknown key 'sigma'; did you mean 'sigma_sys'"),
        ("title", "titel", "title: missing; it must be a text; did you mean it by 'titel'"),
        ("[[target]]", "[[targets]]", r"target: missing; .*\[\[target\]\]; did you mean it by 'targets'"),
        ("baseline", "baselines", "baseline: missing; .*; did you mean it by 'baselines'"),
        ('channel = "cevns"', "", "channel: missing; it must be one of 'cevns', 'nu-e'"),
        ("observed = 142", "observed = 1e16", r"observed: must be between 0 and 1e\+15, not 1e\+16"),
        ("steady_state = 405", "steady_state = 1e308", "steady_state: must be between"),
        ("background = 6", "background = 1e308", "background: must be between"),
        ("background = 6", "background = 5e-324", r"background: must be 0, or 1e-30 at least, not 5e-324"),
        ("background_error = 0.25", "background_error = 1e30", "background_error: must be between"),
        ("photoelectrons_per_kev = 1.17", "photoelectrons_per_kev = 1e-300", "photoelectrons_per_kev: must be between"),
        ("slope = 0.4942", "slope = 1e300", "slope: must be between"),
        ("midpoint = 10.8507", "midpoint = -1e300", "midpoint: must be between"),
        ("edges = [5, 6, 30]", "edges = [5, 6, 1e300]", "edges: must be between"),
        ("neutrinos_per_proton = 0.08", "neutrinos_per_proton = 1e300", "neutrinos_per_proton: must be between"),
        ("observed = 142", "observed = 0x" + "f" * 5000, "observed: must be a finite number, not a number of thous"),
        ('mass = "14.57 kg"', f'mass = "{"1" * 1000} kg"', r"mass: '1+\.\.\.1* kg' is no mass"),
        ("14.6 kg", r"14.6\u202e kg", r"title: must be one line of characters that can be shown, not .*\\u202e"),
        ("14.6 kg", r"14.6\u001b[2J kg", r"title: must be one line of characters that can be shown, not .*\\x1b\[2J"),
        ("14.6 kg", r"14.6\n kg", r"title: must be one line of characters that can be shown, not .*\\n"),
        ('"arXiv:1708.01294"', r'"arXiv:\u0007"', r"references: must be one line of characters that can be shown"),
        ("14.6 kg", "x" * 2000, "title: must have at most 1000 characters, not"),
        ('["arXiv:1708.01294"', f"{[f'r{n}' for n in range(1000)]}"[:-1], "references: must be at most 1000 texts"),
        ('"arXiv:1708.01294"', '"arXiv:2002.01482"', "references: 'arXiv:2002.01482' is there twice"),
        ("title", 'name = "a/b"\ntitle', "name: 'a/b' can't name a group; use letters, digits and"),
        ("title", f'name = "{"x" * 101}"\ntitle', "name: 'x.*x' can't name a group: it is longer than 100 characters"),
        ("title", 'name = "conus"\ntitle', "name: 'conus' is an experiment of the package; give the file another name"),
        ("[statistics]", "[statistic]", "statistics: missing; it must be a table; did you mean it by 'statistic'"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_wrong_names_the_file_and_the_key(old: str, new: str, problem: str, write: Write) -> None:
    assert old in TEXT
    path = write("mine.toml", TEXT.replace(old, new, 1))
    with pytest.raises(FastscanError, match=problem) as caught:
        experiments.load(str(path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


# experiment, old text, new text, problem: of files of every kind
WRONG = [
    (
        "conus",
        'threshold = "100 eV"',
        'threshold = "100 keV"',
        "detector: threshold 100 keV is above any recoil, 3.07 keV",
    ),
    (
        "conus",
        'threshold = "100 eV"',
        'threshold = "100"',
        "threshold: '100' has no unit of an energy: use one of eV, keV, MeV, eVnr",
    ),
    ("conus", 'threshold = "100 eV"', 'threshold = "1e-7 GeV"', "no unit of an energy: use one of eV, keV, MeV, eVnr"),
    ("conus", 'exposure = "1 yr"', 'exposure = "1 a"', "no unit of time: use one of s, h, d, yr$"),
    ("conus", "background = 0.05", "background = 1e308", r"background: must be between 0 and 1e\+09, not 1e\+308"),
    ("conus", 'mass = "3.85 kg"', 'mass = "1e20 kg"', "mass: must be positive, and within reason, not '1e20 kg'"),
    ("conus", "[[target]]", "[[target]]\n" * 101, "target: must be at most 100 tables, not 101"),
    ("cr51-lxe-a", ', unit = "keV" }', " }", "unit: missing; it must be one of 'eV', 'keV', 'MeV'"),
    ("cr51-lxe-a", "stop = 600", "stop = 1e300", "stop: must be between"),
    ("coherent-lar", "117.55]", "1e300]", "energy: must be between"),
    (
        "coherent-lar",
        "20, 21.85,",
        f"{', '.join(f'20.{n:04d}' for n in range(1, 1001))}, 21.85,",
        "must be at most 1000",
    ),
    ("conus", "efficiency = 0.5", "efficiency = 1.5", "efficiency: must be between 0 and 1"),
    ("conus", "efficiency = 0.5", 'efficiency = "half"', "efficiency: must be a table"),
    ("conus", "efficiency = 0.5", 'efficiency = { shape = "logistic" }', "give photoelectrons_per_kev"),
    ("conus", 'channel = "cevns"', 'channel = "nu-e"\nelectrons = false', "electrons: must be one of 'bound', 'free'"),
    ("conus", 'baseline = "17 m"', 'baseline = "1e-200 m"', "baseline: must be positive, and within reason"),
    ("conus", "sigma_sys = 0.2", "sigma_sys = 1e7", "sigma_sys: must be between 0 and 1e"),
    ("conus", "sigma_sys = 0.2", 'sigma_sys = "20"', "sigma_sys: '20' is no relative error: write a number such as"),
    ("conus", "sigma_sys = 0.2", 'sigma_sys = "-1 %"', "sigma_sys: must be between 0 and 1e"),
    ("conus", "sigma_sys = 0.2", "sigma_sys = [0.2]", "sigma_sys: must be a number such as 0.2, or a text such as"),
    ("coherent-csi", "[detector] ", "[detector]\nbins = { start = 4, stop = 26, num = 3, unit = 'keV' }", "bins"),
    ("conus", "U235 = 0.556", "U235 = 0.656", "fission_fractions: must add up to 1, not 1.1"),
    ("conus", "power =", "half_life = '1 d'\npower =", r"\[source\] of kind 'reactor': unknown key 'half_life'"),
    ("conus", "efficiency = 0.5", "eficiency = 0.5", "unknown key 'eficiency'; did you mean 'efficiency'"),
    ("conus", "U235 = 0.556", "U236 = 0.556", "unknown key 'U236'"),
    ("conus", 'power = "3.9 GW"', 'power = "3.9 hp"', "power: '3.9 hp' has no unit of power"),
    ("conus", 'power = "3.9 GW"', "", r"power: missing; it must be a power with its unit \(W, kW, MW, GW\)"),
    ("conus", 'baseline = "17 m"', "", "baseline: missing"),
    (
        "conus",
        "background_scales = true",
        "background_scales = 1",
        "background_scales: must be true or false",
    ),
    (
        "conus",
        "background_scales = true",
        "",
        "background_scales: missing; it must be true or false",
    ),
    ("conus", "background = 0.05", "", "background_scales: can't stand here: there is no background"),
    ("conus", 'compound = "Ge"', 'compound = "Gx"', "compound: unknown element"),
    ("conus", 'compound = "Ge"', 'compound = "Tc"', "compound: 'Tc' has no natural composition of isotopes$"),
    ("conus", 'compound = "Ge"', 'compound = "Ge76"', "for an isotope write 'Ge' and give abundances, for atoms"),
    (
        "conus",
        'compound = "Ge"',
        'compound = "Ge"\nabundances = { Ge76 = 0.9 }',
        "abundances: the shares of Ge must add",
    ),
    (
        "conus",
        'compound = "Ge"',
        'compound = "Ge"\nabundances = { Xe136 = 1 }',
        "abundances: there is no Xe in the target",
    ),
    ("conus", 'compound = "Ge"', 'compound = "Ge"\nabundances = { Ge77 = 1 }', "abundances: unknown isotope 'Ge77'"),
    (
        "conus",
        'compound = "Ge"',
        'compound = "Ge"\nabundances = { Ge76 = 2 }',
        r"\[abundances\]: Ge76: must be between 0 and 1",
    ),
    ("conus", 'compound = "Ge"', 'compound = "Ge"\nabundances = "Ge76"', "abundances: must be a table"),
    ("conus", 'compound = "Ge"', 'compound = "Ge"\ndopants = { Xx = 0.1 }', "dopants: unknown element 'Xx'"),
    (
        "conus",
        'compound = "Ge"',
        'compound = "Ge"\ndopants = { Tl = 0.5, In = 0.5 }',
        "dopants: must add up to less than 1",
    ),
    ("conus", '[[target]]\ncompound = "Ge"\nmass = "3.85 kg"', "target = []", r"one or more tables \[\[target\]\]"),
    ("coherent-lar", "0.6385,", "1.6385,", "values: must be between 0 and 1, not 1.6385"),
    ("coherent-lar", "20, 21.85,", "21.85, 20,", "energy: must increase"),
    ("coherent-lar", "0.6385, ", "", "values: must be as many as the 15 energies, not 14"),
    ("coherent-lar", 'unit = "keV"', 'unit = "GeV"', "unit: unknown unit 'GeV'"),
    ("cr51-lxe-a", "fraction = 0.90", "fraction = 1.90", "fraction: must be between 0 and 1"),
    ("cr51-lxe-a", "fraction = 0.90", "fraction = 0.95", "lines: .* must not add up to more than 1, but to 1.05"),
    ("cr51-lxe-a", "exposure =", "baseline = '1 m'\nexposure =", "baseline: can't stand here: the cylinder has"),
    ("cr51-lxe-a", "density =", "mass = '1 t'\ndensity =", "mass: can't stand here: it follows from the density"),
    ("cr51-lxe-a", 'activity = "5 MCi"', 'activity = "5 M"', "activity: '5 M' has no unit of activity"),
    ("cr51-lxe-a", "num = 120", "num = 0", "num: must be a whole number from 1"),
    ("cr51-lxe-a", "num = 120", "num = 2000000", "num: must be a whole number from 1 to 1000000, not 2000000"),
    ("cr51-lxe-a", "stop = 600", "stop = 0", "stop: must be above start"),
    (
        "cr51-lxe-a",
        'density = "2.94 g/cm3"',
        'density = "2.94 g/l"',
        "density: '2.94 g/l' has no unit of density",
    ),
    ("cr51-lxe-a", 'diameter = "1.38 m"', 'diameter = "-1 m"', "diameter: must be positive"),
]


@pytest.mark.parametrize(("name", "old", "new", "problem"), WRONG, ids=lambda text: text[:40])
def test_what_is_wrong_in_other_kinds_of_files_is_told(
    name: str, old: str, new: str, problem: str, write: Write
) -> None:
    text = (experiments.BUILT_IN / f"{name}.toml").read_text()
    assert old in text
    path = write("mine.toml", text.replace(old, new, 1))
    require_refused(experiments.load, path, problem)


def test_a_file_can_not_have_the_name_of_an_experiment_of_the_package(write: Write) -> None:
    with pytest.raises(FastscanError, match=r"'conus' is an experiment of the package; give the file another name"):
        experiments.load(write("conus.toml", TEXT))
    assert experiments.load(str(experiments.BUILT_IN / "conus.toml")) == experiments.load("conus")


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert experiments.load(tmp_path / "mine.toml").targets == experiments.load("coherent-csi").targets


@pytest.mark.parametrize("name", ["zarr.json.toml", "..toml", "детектор.toml", f"{'x' * 101}.toml"])
def test_a_file_that_can_not_name_a_group_is_told_and_can_say_its_name(name: str, write: Write) -> None:
    with pytest.raises(FastscanError, match=r"without a key 'name': .* can't name a group"):
        experiments.load(str(write(name, TEXT)))
    assert experiments.load(str(write(name, f'name = "mine"\n{TEXT}'))).name == "mine"


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("my detector.toml", "my-detector"),
        ("my_det (1).toml", "my_det-1"),
        ("détecteur.toml", "detecteur"),
        ("de\N{COMBINING ACUTE ACCENT}tecteur.toml", "detecteur"),
        ("_x.toml", "x"),
        ("a..b-.toml", "a..b-"),
        ("mine.TOML", "mine"),
    ],
)
def test_a_file_is_called_by_what_of_its_name_a_group_can_have(name: str, called: str, write: Write) -> None:
    path = write(name, TEXT)
    assert experiments.load(path).name == called
    assert ok("limit", path, "chi").startswith(f"{called}, chi: M_Z' > 195.3 GeV")
    assert ok("cite", path).startswith("arXiv:1708.01294")


def test_a_name_changes_no_number(write: Write) -> None:
    named = experiments.load(write("a.toml", f'name = "b"\n{TEXT}'))
    plain = experiments.load(write("b.toml", TEXT))
    assert replace(named, digest=plain.digest) == plain


@pytest.mark.parametrize("name", ["a/b", r"a\b", "..", "", "$x$", "\x1b[2J", "\0", "zarr.json", "x" * 101])
def test_a_name_from_python_is_one_that_a_group_can_have(name: str) -> None:
    with pytest.raises(ExperimentError, match="can't name a group"):
        replace(experiments.load("conus"), name=name)


def test_more_experiments_than_a_sum_can_have_are_told() -> None:
    with pytest.raises(ExperimentError, match="at most 1000 experiments can be combined, not 1001"):
        experiments.load_all(["conus"] * 1001)


def test_a_tilde_is_the_home_wherever_a_path_stands(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    grid_text = 'experiments = ["~/mine.toml"]\nmodels = ["chi"]\n[axes]\nm_zprime = { values = [9], unit = "GeV" }'
    home = write("mine.toml", TEXT).parent
    write("grid.toml", grid_text)
    monkeypatch.setenv("HOME", str(home))
    assert experiments.load("~/mine.toml").name == experiments.load(Path("~/mine.toml")).name == "mine"
    assert [each.name for each in grid.load("~/grid.toml").experiments] == ["mine"]
    assert ok("cite", "~/mine.toml").startswith("arXiv:1708.01294")
    assert "no home of such a user" in refusal("limit", "~nobody-of-this-name/mine.toml", "chi")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_file_in_another_encoding_is_told(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(TEXT.replace("14.6", "14·6").encode(encoding))
    require_refused(experiments.load, path, "not in UTF-8: save it as UTF-8")


def test_hostile_files_are_one_line(write: Write) -> None:
    for text in ("a = " + "[" * 5000, "a = " + "9" * 5000, TEXT.replace("142", "9" * 400)):
        with pytest.raises(FastscanError) as caught:
            experiments.load(str(write("mine.toml", text)))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300
    with pytest.raises(FastscanError):
        experiments.load("a\0b.toml")


@pytest.mark.parametrize("wrong", [5, None, 1.5])
def test_what_is_no_experiment_is_told(wrong: object) -> None:
    with pytest.raises(FastscanError, match="a name or a path"):
        experiments.load_all(wrong)


def test_a_path_object_is_a_path(write: Write) -> None:
    assert experiments.load(write("mine.toml", TEXT)).name == "mine"


@pytest.mark.parametrize(
    "detector", ["efficiency = 0.0", "efficiency = 1e-30", 'bins = { start = 10, stop = 90, num = 3, unit = "eV" }']
)
def test_a_detector_that_sees_nothing_is_told(detector: str, write: Write) -> None:
    text = (experiments.BUILT_IN / "conus.toml").read_text()
    path = write("blind.toml", text.replace("efficiency = 0.5", detector))
    with pytest.raises(FastscanError, match="'blind' sees nothing"):
        fastscan.limit(str(path), "chi")


def test_data_without_any_variance_are_told(write: Write) -> None:
    text = re.sub(r"(observed|steady_state|background) = [0-9.]+", r"\1 = 0", TEXT)
    with pytest.raises(FastscanError, match="there is no variance"):
        experiments.load(str(write("mine.toml", text)))


README = (REPOSITORY / "grids" / "README.md").read_text()


@pytest.mark.parametrize("name", experiments.names())
def test_the_documentation_has_every_key(name: str) -> None:
    tables = README.split("### The keys of an experiment file")[1].split("###")[0]
    documented = {*re.findall(r"\w+", tables)}

    def keys(value: object) -> set[str]:
        if isinstance(value, list):
            return {key for each in value for key in keys(each)}
        inside = value.items() if isinstance(value, dict) else ()
        # what is shared and parameters have names of their own
        inner = {"shared": lambda each: (), "parameters": lambda each: keys(list(each.values()))}
        return {found for key, each in inside for found in (key, *inner.get(key, keys)(each))}

    assert keys(tomllib.loads((experiments.BUILT_IN / f"{name}.toml").read_text())) <= documented
    assert set(nuclei.WITHOUT_COMPOSITION.split()[:8]) <= documented  # those up to uranium


def test_the_documentation_of_families_and_sweeps_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = README.split("### Families and sweeps")[1].split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grids").symlink_to(REPOSITORY / "grids")
    exec(code, {})  # noqa: S102 the code is the documentation's own
    assert store.group_names(read_root("family.zarr")) == [f"coherent-csi/b-{x}l" for x in (1, 2, 3)]


@pytest.mark.parametrize("name", ["coherent-csi", "conus", "nucleus", "cr51-lxe-a"])
def test_the_largest_recoil_is_that_of_the_lightest_target(name: str) -> None:
    known = naive.EXPERIMENTS[name]
    if known.channel == "nu-e":
        masses, energy = [naive.M_ELECTRON], max(energy for energy, _ in naive.CR51_LINES)
    else:
        numbers = [isotope for isotope, _ in naive.nuclei(name)]
        masses = [each.atomic_mass * naive.ATOMIC_MASS_UNIT - each.charge * naive.M_ELECTRON for each in numbers]
        energy = naive.spectrum_edges(known.source)[-1]
    expected = max(naive.max_recoil(energy, mass) for mass in masses)
    assert experiments.load(name).largest_recoil_mev == pytest.approx(expected, rel=1e-14)
    transfer = max(math.sqrt(2 * mass * naive.max_recoil(energy, mass)) for mass in masses)
    assert experiments.load(name).largest_momentum_transfer_mev == pytest.approx(transfer, rel=1e-14)


def test_relative_errors_can_be_in_per_cent(write: Write) -> None:
    text = (experiments.BUILT_IN / "coherent-csi.toml").read_text()
    in_per_cent = text.replace("sigma_sys = 0.28", 'sigma_sys = "28 %"')
    in_per_cent = in_per_cent.replace("background_error = 0.25", 'background_error = "25%"')
    assert in_per_cent.count('%"') == 2
    found = experiments.load(write("mine.toml", in_per_cent)).statistics
    assert found == experiments.load("coherent-csi").statistics


def test_three_thousand_bins_are_no_trouble(write: Write) -> None:
    text = (experiments.BUILT_IN / "cr51-lxe-a.toml").read_text().replace("num = 120", "num = 3000")
    found = response(experiments.load(write("fine.toml", text))).total
    assert found.shape == (3000, 3)
    coarse = response(experiments.load("cr51-lxe-a")).total
    assert found.reshape(120, 25, 3).sum(axis=1) == pytest.approx(coarse, rel=1e-10, abs=1e-12 * coarse.max())


def test_an_experiment_is_plain_data() -> None:
    """A store's identity is made of it."""
    plain = asdict(experiments.load("coherent-csi"))
    assert plain["source"] == {"neutrinos_per_proton": 0.08, "protons": 1.76e23, "protons_in_s": 308.1 * 86400}
    assert plain["detector"]["efficiency"] == {"plateau": 0.6655, "slope": 0.4942, "midpoint": 10.8507, "per_mev": 1170}
    assert plain["statistics"]["observed"] == 142
