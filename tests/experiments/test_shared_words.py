"""Shared parts of sigma_sys: words of files, combinations with and without them, and records."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY, Write, ok, refusal, require_refused, scanned
from described import described

import fastscan
from fastscan import experiments
from fastscan.answers import answers, contours, from_cube, planes
from fastscan.answers.point import limits_at_points
from fastscan.answers.question import PlaneAxes, Question
from fastscan.errors import LimitError
from fastscan.experiments.catalogue import BUILT_IN
from fastscan.limits.points import prepare
from fastscan.scans import grid
from fastscan.scans.plan import plan
from fastscan.stores import store
from fastscan.stores.combining import joint_cubes
from fastscan.stores.cube import Cube
from fastscan.stores.location import read_root

README = (REPOSITORY / "grids" / "README.md").read_text()
CSI, LAR, FLUX = "coherent-csi-2021", "coherent-lar-2020", "flux-sns"
ROW: dict[str, Any] = {"m_zprime": 0.03}
PLAIN = 'kind = "projection"\nsigma_sys = 0.1'
ONE = 'quenching = 0.25\nthreshold = "5 keVee"\n'
KINDS = {
    "projection": "",
    "measured": "observed = 12\nsteady_state = 0\nbackground = 1\nbackground_error = 0.2\n",
    "measured bins": "observed = [12]\nerror = [3]\n",
    "measured signal": "signal = 12\nsignal_error = 3\nexpected = 13\n",
    "measured rate": 'rate = "1 /d"\nrate_error = "0.1 /d"\n',
    "poisson": "observed = [12]\n",
}


def read(write: Write, kind: str, shared: str) -> experiments.Experiment:
    text = described(ONE, "Ar", "pions")
    assert PLAIN in text
    words = f'kind = "{kind.split()[0]}"\nsigma_sys = 0.1\n{shared}\n{KINDS[kind]}'
    return experiments.load(write("own.toml", text.replace(PLAIN, words)))


# --- Words ---


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_observation_can_share_errors(kind: str, write: Write) -> None:
    found = read(write, kind, 'shared = { flux-sns = "10 %", qf.Ar = 0.03 }'.replace("qf.Ar", '"qf.Ar"'))
    assert found.shared == ((FLUX, 0.1), ("qf.Ar", 0.03))
    assert found.told()["observation"].endswith(
        "; sigma_sys 0.1, of which flux-sns 0.1 is shared, of which qf.Ar 0.03 is shared"
    )
    nothing = read(write, kind, "")
    assert nothing.shared == read(write, kind, "shared = {}").shared == ()
    assert nothing.told()["observation"].endswith("; sigma_sys 0.1")


@pytest.mark.parametrize(
    ("shared", "problem"),
    [
        ("shared = { flux = 0 }", "flux: must be between 1e-09 and 1e"),
        ("shared = { flux = -0.1 }", "flux: must be between 1e-09 and 1e"),
        ("shared = { flux = nan }", "flux: must be"),
        ("shared = { flux = 1e7 }", "flux: must be between 1e-09 and 1e"),
        ('shared = { flux = "much" }', "flux: "),
        ("shared = { flux = true }", "flux: must be a number such as 0.2, or a text such as '20 %'"),
        ("shared = { flux = [0.1] }", "flux: must be a number"),
        ("shared = 0.1", "shared: must be a table"),
        ('shared = ["flux"]', "shared: must be a table"),
        ('shared = { "a flux" = 0.1 }', "a flux: 'a flux' can't name a group"),
        ("shared = { signal = 0.1 }", "nuisance 'signal' is that of the signal itself, and is there twice"),
        ("share = { flux = 0.1 }", "unknown key 'share'; did you mean 'shared'"),
    ],
)
@pytest.mark.parametrize("kind", ["projection", "measured", "poisson"])
def test_what_no_error_is_is_refused(kind: str, shared: str, problem: str, write: Write) -> None:
    text = described(ONE, "Ar", "pions").replace(PLAIN, f'kind = "{kind}"\nsigma_sys = 0.1\n{shared}\n{KINDS[kind]}')
    require_refused(experiments.load, write("own.toml", text), problem)


def test_a_background_has_another_name(write: Write) -> None:
    shared = "shared = { neutrons = 0.1 }"
    background = '[[statistics.background]]\nname = "neutrons"\nevents = 3\nerror = 0.2\n'
    text = described(ONE, "Ar", "pions")
    words = f'kind = "poisson"\nsigma_sys = 0.1\n{shared}\n{KINDS["poisson"]}{background}'
    require_refused(
        experiments.load, write("own.toml", text.replace(PLAIN, words)), "nuisance 'neutrons' is there twice"
    )
    renamed = words.replace('name = "neutrons"', 'name = "brn"')
    assert experiments.load(write("own.toml", text.replace(PLAIN, renamed))).shared == (("neutrons", 0.1),)


def test_which_experiments_of_the_package_share_what() -> None:
    loaded = {name: experiments.load(name).shared for name in experiments.names()}
    sharing = {name for name, shared in loaded.items() if shared}
    assert {loaded[name] for name in sharing} == {((FLUX, 0.1),), ((FLUX, 0.0999),), (("flux-8b", 0.0381),)}
    variants = {name for name in loaded if name.startswith((f"{CSI}-", f"{LAR}-"))}
    assert sharing == {CSI, LAR, "coherent-csi-2017", "coherent-ge-mini", "xenonnt-b8", *variants}


def test_a_variant_shares_what_its_base_does(write: Write) -> None:
    words = f'variant_of = "{CSI}"\ntitle = "own"\n[statistics]\n'
    assert experiments.load(write("own.toml", words + "sigma_sys = 0.2\n")).shared == ((FLUX, 0.1),)
    assert experiments.load(write("own.toml", words + "shared = { flux-sns = 0.05 }\n")).shared == ((FLUX, 0.05),)


def test_the_example_of_the_documentation(write: Write) -> None:
    example = README.split("### Shared errors")[1].split("```toml\n")[1].split("```")[0]
    text = described(ONE, "Ar", "pions").replace(PLAIN, example)
    assert experiments.load(write("own.toml", text)).shared == ((FLUX, 0.1),)


# --- Combinations ---


def chi2(names: list[str], **settings: Any) -> Any:
    return fastscan.chi2(names, "b-l", g=[0.0, 3e-5, 2e-4], **ROW, **settings)


@pytest.mark.parametrize("names", [["coherent-csi"], [CSI], [LAR], ["coherent-csi", "conus"], [CSI, "conus"]])
def test_what_shares_nothing_is_what_it_was(names: list[str]) -> None:
    assert chi2(names).tobytes() == chi2(names, independent=True).tobytes()
    assert prepare(names, "b-l", ROW).likelihood.shared == ()
    apart = sum(chi2([name]) for name in names)
    assert chi2(names) == pytest.approx(apart, rel=1e-12)
    limits = [fastscan.limit(names, "b-l", **ROW, independent=each) for each in (False, True)]
    assert limits[0].tobytes() == limits[1].tobytes()


def test_a_shared_flux_is_one_nuisance() -> None:
    assert prepare([CSI, LAR], "b-l", ROW).likelihood.shared == (FLUX,)
    assert prepare([CSI, LAR], "b-l", ROW, independent=True).likelihood.shared == ()
    apart = chi2([CSI]) + chi2([LAR])
    assert chi2([CSI, LAR], independent=True) == pytest.approx(apart, rel=1e-12)
    assert (abs(chi2([CSI, LAR]) - apart) > 1e-3).all()


@pytest.mark.parametrize("asimov", [False, True])
def test_functions_know_independent_errors(asimov: bool) -> None:
    both, at = [CSI, LAR], {**ROW, "asimov": asimov}
    for function, more in ((fastscan.limit, {}), (fastscan.delta_chi2, {"g": 1e-4})):
        ours, theirs = (function(both, "b-l", **at, **more, independent=each) for each in (False, True))
        assert ours != pytest.approx(theirs, rel=1e-6)
    ours, theirs = (fastscan.intervals(both, "b-l", **at, independent=each) for each in (False, True))
    assert ours != theirs


def test_the_record_of_a_limit_says_what_is_shared() -> None:
    asked = Question(at=ROW)
    (joint,) = limits_at_points([CSI, LAR], "b-l", asked)
    (apart,) = limits_at_points([CSI, LAR], "b-l", Question(at=ROW, independent=True))
    (alone,) = limits_at_points([CSI], "b-l", asked)
    assert [each["shared_nuisances"] for each in (joint, apart, alone)] == [[FLUX], [], []]
    assert [list(each)[-1] for each in (joint, apart, alone)] == ["shared_nuisances"] * 3
    assert joint["limit"] != apart["limit"]
    assert apart["limit"] == fastscan.limit([CSI, LAR], "b-l", **ROW, independent=True)


def test_the_command_says_what_is_shared() -> None:
    asked = ("limit", f"{CSI},{LAR}", "b-l", "--m-zprime", "30MeV")
    assert ok(*asked).splitlines()[0].endswith(", shared flux-sns)")
    assert "shared" not in ok(*asked, "--independent")
    assert json.loads(ok(*asked, "--json"))["shared_nuisances"] == [FLUX]
    assert json.loads(ok(*asked, "--json", "--independent"))["shared_nuisances"] == []
    (row,) = csv.DictReader(io.StringIO(ok(*asked, "--csv")))
    assert row["shared_nuisances"] == FLUX
    several = ok(*asked[:-1], "30MeV,1GeV")
    assert several.startswith("Upper limits on g with shared flux-sns at 90 % CL, 1 dof:")


# --- Grids and stores ---

GRID = f"""
experiments = ["{CSI}", "{LAR}"]
models = ["b-l"]
[axes]
m_zprime = {{ values = [0.03, 1], unit = "GeV" }}
g = {{ start = 1e-5, stop = 1e-2, num = 5, spacing = "log" }}
sigma_sys = {{ values = [0.05, 0.2] }}
[combine.joint]
experiments = ["{CSI}", "{LAR}"]
[combine.apart]
experiments = ["{CSI}", "{LAR}"]
independent = true
[store]
dtype = "float64"
"""
JOINT, APART = "joint/b-l", "apart/b-l"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(scanned(GRID, tmp_path_factory.mktemp("stored")))


def cube(location: str, name: str) -> Cube:
    return store.read(read_root(location), name)


@pytest.mark.parametrize(("group", "independent"), [(JOINT, False), (APART, True)])
def test_a_grid_stores_chi2_of_either(group: str, independent: bool, stored: str) -> None:
    found = fastscan.open(stored, group)
    axes = [found[axis].values for axis in found.chi2.dims]
    at = dict(zip(found.chi2.dims, np.meshgrid(*axes, indexing="ij", sparse=True), strict=True))
    theirs = fastscan.chi2([CSI, LAR], "b-l", **at, independent=independent)
    assert found.chi2.values == pytest.approx(np.broadcast_to(theirs, found.chi2.shape), rel=1e-12)
    assert cube(stored, group).likelihood.shared == (() if independent else (FLUX,))


def test_it_is_part_of_what_a_run_is(write: Write) -> None:
    hashes = {
        words: [each.hash for each in plan(write("grid.toml", GRID.replace("independent = true", words)))]
        for words in ("", "independent = false", "independent = true")
    }
    plain, false, true = hashes.values()
    assert plain == false
    assert [one == other for one, other in zip(plain, true, strict=True)] == [True, True, True, False]


@pytest.mark.parametrize("value", ['"yes"', "1", "[]"])
def test_a_combination_says_true_or_false(value: str, write: Write) -> None:
    path = write("grid.toml", GRID.replace("independent = true", f"independent = {value}"))
    require_refused(grid.load, path, r"apart\]?: independent: must be true or false")


def test_a_grid_says_it_of_a_combination_alone(write: Write) -> None:
    require_refused(grid.load, write("grid.toml", f"independent = true\n{GRID}"), "unknown key 'independent'")


AT = {"sigma_sys": [0.1], "m_zprime": [0.03]}


def test_a_question_has_the_answer_of_an_independent_combination(stored: str) -> None:
    asked, apart = Question((JOINT,), at=AT, independent=True), Question((APART,), at=AT)
    (ours,), (theirs,) = (answers.limits_of_store(stored, each) for each in (asked, apart))
    (again,) = answers.limits_of_store(stored, Question((APART,), at=AT, independent=True))
    (combined,) = answers.limits_of_store(stored, Question(at=AT, independent=True), [CSI, LAR])
    for record in (ours, theirs, again, combined):
        assert record["shared_nuisances"] == []
        assert record["limit"] == pytest.approx(theirs["limit"], rel=1e-12)
        assert record["expected"] == pytest.approx(theirs["expected"], rel=1e-12)
    (joint,) = answers.limits_of_store(stored, Question((JOINT,), at=AT))
    (added,) = answers.limits_of_store(stored, Question(at=AT), [CSI, LAR])
    for record in (joint, added):
        assert record["shared_nuisances"] == [FLUX]
        assert record["limit"] == pytest.approx(joint["limit"], rel=1e-12)
        assert record["limit"] != pytest.approx(theirs["limit"], rel=1e-6)


def test_asimov_sets_share_nuisances_too(stored: str) -> None:
    for independent in (False, True):
        asked = Question((JOINT,), at=AT, asimov=True, independent=independent)
        (found,) = answers.limits_of_store(stored, asked)
        (measured,) = answers.limits_of_store(stored, Question((JOINT,), at=AT, independent=independent))
        assert found["limit"] == measured["expected"]
        assert found["shared_nuisances"] == ([] if independent else [FLUX])


def test_profiles_and_contours_say_what_is_shared(stored: str) -> None:
    joint, apart = cube(stored, JOINT), cube(stored, APART)
    ours = [*from_cube.profile_records(joint, Question(at=AT, independent=True))]
    theirs = [*from_cube.profile_records(apart, Question(at=AT))]
    assert [each["delta_chi2"] for each in ours] == pytest.approx([each["delta_chi2"] for each in theirs], rel=1e-9)
    assert {tuple(each["shared_nuisances"]) for each in ours} == {()}
    assert {tuple(each["shared_nuisances"]) for each in from_cube.profile_records(joint, Question(at=AT))} == {(FLUX,)}
    for group, asked, shared in ((joint, False, [FLUX]), (joint, True, []), (apart, False, [])):
        axes, question = PlaneAxes(("m_zprime", "g")), Question(at={"sigma_sys": 0.1}, independent=asked)
        plane = planes.plane_of(group, axes, question)
        lines = contours.contours(plane)
        assert contours.contour_summary(plane, lines)["shared_nuisances"] == shared
        vertices = [*contours.contour_records(plane, lines)]
        assert vertices
        assert all(each["shared_nuisances"] == shared for each in vertices)


def test_a_store_has_chi2_of_its_own_nuisances_alone(stored: str) -> None:
    at = {"sigma_sys": [0.05]}
    asked = Question((JOINT,), at=at, stored=True, independent=True)
    with pytest.raises(LimitError, match=r"joint/b-l stores no chi2 of independent errors; \[combine.NAME\] with"):
        list(answers.limits_of_store(stored, asked))
    for group in (APART, f"{CSI}/b-l"):
        insisting = Question((group,), at=at, stored=True, independent=True)
        (found, _), (again, _) = (
            answers.limits_of_store(stored, each) for each in (insisting, Question((group,), at=at))
        )
        assert found["limit"] == again["limit"]


@pytest.mark.parametrize("command", ["limits", "contours", "plot"])
def test_commands_refuse_it_in_one_line(command: str, stored: str, tmp_path: Path) -> None:
    chosen = ["--group", JOINT, "--independent", "--from-cube"]
    chosen += ["--axes", "m_zprime,g", "--sigma-sys", "0.05"] if command == "contours" else []
    chosen += ["-o", tmp_path / "x.svg"] if command == "plot" else []
    assert refusal(command, stored, *chosen) == (
        "fastscan: joint/b-l stores no chi2 of independent errors; [combine.NAME] with independent = true does"
    )


@pytest.mark.slow
def test_commands_say_what_is_shared(stored: str) -> None:
    told = ok("limits", stored, "--sigma-sys", "0.1")
    assert "Upper limits on g with shared flux-sns at 90 % CL, 1 dof:" in told
    assert "Upper limits on g at 90 % CL, 1 dof:" in told
    assert "shared" not in ok("limits", stored, "--sigma-sys", "0.1", "--independent")
    assert ok("info", stored).count("  shared      flux-sns\n") == 1
    plane = ("--axes", "m_zprime,g", "--sigma-sys", "0.1", "--group", JOINT)
    assert ", shared flux-sns):" in ok("contours", stored, *plane)
    assert "shared" not in ok("contours", stored, *plane, "--independent")
    assert ok("plot", stored, "-o", Path(stored).parent / "x.svg", *plane, "--independent")


def test_independent_parts_stay_so_in_a_combination(stored: str) -> None:
    (joint,) = joint_cubes(read_root(stored), [CSI, LAR])
    assert joint.likelihood.shared == joint.expected.shared == (FLUX,)
    assert joint.with_independent_errors().likelihood.shared == ()
    assert joint.with_independent_errors().expected.shared == ()


def test_no_file_of_the_package_shares_more_than_it_has() -> None:
    for name in experiments.names():
        found = experiments.load(name)
        assert sum(error**2 for _, error in found.shared) <= found.statistics.sigma_sys**2, BUILT_IN / name
