"""The commands as a user runs them: the installed script in a process of its own."""

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from conftest import FASTSCAN, GRID, REPOSITORY, line_of, mostly_slow, ok, refusal, run, slow, with_store

import fastscan
from fastscan.commands.cli import cli
from fastscan.experiments import catalogue as experiments
from fastscan.interactions.catalogue import MODELS
from fastscan.scans.costs import costs


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scanned")
    (place / "grid.toml").write_text(GRID)
    ok("scan", "grid.toml", "-o", "out.zarr", cwd=place)
    return place / "out.zarr"


def test_the_scan_of_the_readme(tmp_path: Path) -> None:
    done = run("scan", REPOSITORY / "grids/coherent-csi.toml", "-o", tmp_path / "results/coherent-csi.zarr")
    assert done.returncode == 0, done.stderr
    table = [line.split() for line in done.stdout.splitlines()[1:]]
    assert table[:6] == [
        ["experiment", "label", "model", "sigma_sys", "limit"],
        ["coherent-csi", "COHERENT", "CsI", "chi", "0.28", "195.3", "GeV"],
        ["coherent-csi", "COHERENT", "CsI", "psi", "0.28", "no", "sensitivity"],
        ["coherent-csi", "COHERENT", "CsI", "eta", "0.28", "149.1", "GeV"],
        ["coherent-csi", "COHERENT", "CsI", "lr", "0.28", "112.8", "GeV"],
        ["coherent-csi", "COHERENT", "CsI", "lr-nc", "0.28", "112.8", "GeV"],
    ]
    assert "over 181 beta" in done.stdout
    assert "9.2 M points in 8 tasks to compute; 6 groups of 37.9 MB" in done.stderr
    assert "\r" not in done.stderr  # no progress bar without a terminal


@pytest.mark.slow
def test_worker_processes_and_parts_make_the_same_store(scanned: Path, tmp_path: Path) -> None:
    grid = scanned.parent / "grid.toml"
    ok("scan", grid, "-o", tmp_path / "workers.zarr", "--workers", 1)
    assert "part 2 of 2 is done" in ok("scan", grid, "-o", tmp_path / "parts.zarr", "--part", "2/2")
    unfinished = run("finish", tmp_path / "parts.zarr")
    assert unfinished.returncode == 2
    assert "isn't complete: 1 tasks are missing; run part 1 of 2 again" in unfinished.stderr
    ok("scan", grid, "-o", tmp_path / "parts.zarr", "--part", "1/2")
    assert ok("finish", tmp_path / "parts.zarr").endswith("parts.zarr is complete\n")
    for path in scanned.rglob("c.*"):
        for other in ("workers.zarr", "parts.zarr"):
            assert (tmp_path / other / path.relative_to(scanned)).read_bytes() == path.read_bytes()
    nobody = run("scan", grid, "-o", tmp_path / "x.zarr", "--workers", 1000)
    assert nobody.returncode == 2
    assert "--workers must be between 1 and this machine's" in nobody.stderr
    assert not (tmp_path / "x.zarr").exists()


def test_limits_as_a_table(scanned: Path) -> None:
    lines = ok("limits", scanned, "--group", "coherent-csi/chi").splitlines()
    assert lines[0] == "Lower limits on M_Z' at 90 % CL, 1 dof:"
    assert lines[2].split() == ["coherent-csi", "COHERENT", "CsI", "chi", "0.28", "1", "195.3", "GeV"]


def test_limits_for_machines(scanned: Path) -> None:
    chosen = (
        "--sigma-sys",
        "0.01,0.2",
        "--luminosity",
        "axis",
        "--beta",
        "0deg,105deg",
        "--cl",
        0.95,
        "--dof",
        2,
    )
    records = json.loads(ok("limits", scanned, *chosen, "--json"))
    assert len(records) == 6 + 12
    assert {(record["cl"], record["dof"]) for record in records} == {(0.95, 2)}
    for record in records:
        assert (record["limit_gev"] is None) == (record["status"] in ("no_sensitivity", "sm_disfavoured"))
    assert {record["status"] for record in records} == {"ok", "sm_disfavoured", "outside_axis"}
    rows = list(csv.DictReader(io.StringIO(ok("limits", scanned, *chosen, "--csv"))))
    assert len(rows) == len(records)
    assert [row["limit_gev"] for row in rows] == [str(record["limit_gev"] or "") for record in records]


def test_one_limit(scanned: Path) -> None:
    assert ok("limit", "coherent-csi", "chi", "--sigma-sys", 0.1).splitlines() == [
        "coherent-csi, chi: M_Z' > 348.6 GeV  (90 % CL, 1 dof, sigma_sys 0.1, L/L0 1)",
        "expected, from the Standard Model's prediction in place of the data: 251.9 GeV",
    ]
    assert "psi: no sensitivity" in ok("limit", "coherent-csi", "psi")
    interfering = ok("limit", "coherent-csi", "e6", "--beta", "100deg").splitlines()
    assert interfering[-1] == "allowed: 14.46 to 16.83 GeV, above 36.13 GeV"
    disfavoured = ok("limit", "coherent-csi", "e6", "--beta", "100deg", "--sigma-sys", 0.01, "--luminosity", 10)
    assert "none: the data disfavour the Standard Model" in disfavoured
    assert "allowed: 15.57 to 16.02 GeV, 50.14 to 76.32 GeV" in disfavoured
    record = json.loads(ok("limit", "coherent-csi", "psi", "--json"))
    assert record["limit_gev"] is None
    assert record["status"] == "no_sensitivity"
    assert record["allowed_gev"] == [[1.0, None]]


def test_limits_from_the_cube(scanned: Path) -> None:
    chosen = ("--sigma-sys", "axis", "--luminosity", "axis", "--csv")
    rows, stored = ok("limits", scanned, *chosen), ok("limits", scanned, *chosen, "--from-cube")
    assert len(rows.splitlines()) == 1 + (1 + 13) * 7 * 3
    for ours, theirs in zip(csv.DictReader(io.StringIO(rows)), csv.DictReader(io.StringIO(stored)), strict=True):
        assert ours["status"] == theirs["status"]
        assert float(ours["limit_gev"] or 0) == pytest.approx(float(theirs["limit_gev"] or 0), rel=1e-6)
    done = run("limits", scanned, "--sigma-sys", 0.123, "--from-cube")
    assert done.returncode == 2
    assert "sigma_sys = 0.123 is not on the axis of coherent-csi/chi; the nearest is 0.1" in done.stderr
    assert done.stdout == ""


def test_every_allowed_interval_is_told(scanned: Path) -> None:
    chosen = ("limits", scanned, "--group", "coherent-csi/e6", "--beta", "105deg", "--sigma-sys", 0.1)
    (record,) = json.loads(ok(*chosen, "--json"))
    assert len(record["allowed_gev"]) == 2
    assert record["allowed_gev"][-1] == [record["limit_gev"], None]
    (row,) = csv.DictReader(io.StringIO(ok(*chosen, "--csv")))
    (low, high), (limit, _) = record["allowed_gev"]
    assert row["allowed_gev"] == f"{low}:{high};{limit}:inf"


def test_contours(scanned: Path) -> None:
    table = ok("contours", scanned).splitlines()
    assert table[0] == "coherent-csi/chi in sigma_sys, m_zprime (90 % CL, 1 dof, Delta chi2 = 2.706):"
    assert "coherent-csi/e6 in beta, m_zprime (90 % CL, 2 dof, Delta chi2 = 4.605):" in table
    assert any("leaves the grid at both ends: beta 0 to " in line for line in table)
    group = ("--group", "coherent-csi/e6")
    rows = list(csv.DictReader(io.StringIO(ok("contours", scanned, *group, "--cl", 0.95, "--csv"))))
    assert {(row["cl"], row["dof"], row["closed"]) for row in rows} == {("0.95", "2", "False")}
    assert float(rows[0]["delta_chi2"]) == pytest.approx(5.99146)
    (plane,) = json.loads(ok("contours", scanned, *group, "--axes", "cos_beta,m_zprime", "--json"))
    assert plane["held"] == {"luminosity": 1.0, "sigma_sys": 0.28}
    cosines = plane["contours"][0]["vertices"]["cos_beta"]
    assert -1 <= min(cosines) <= max(cosines) <= 1
    nothing = ok("contours", scanned, "--axes", "sigma_sys,luminosity", "--beta", "0deg", "--m-zprime", "20TeV")
    assert "no contour: Delta chi2 does not cross the threshold in this plane" in nothing


def test_records_tell_each_experiments_sigma_sys(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(
        """
        models = ["chi", "e6"]
        [axes]
        beta = { values = [0, 45, 90], unit = "deg" }
        m_zprime = { values = [100, 500, 1000, 5000], unit = "GeV" }
        sigma_sys = { values = [0, 0.1] }
        [combine.all]
        experiments = ["conus", "cr51-lxe-c"]
        sigma_sys = { cr51-lxe-c = 0.0025 }
        """
    )
    store = tmp_path / "out.zarr"
    ok("scan", tmp_path / "grid.toml", "-o", store)
    rows = list(csv.DictReader(io.StringIO(ok("contours", store, "--group", "all/chi", "--csv"))))
    assert {row["sigma_sys"] for row in rows} >= {"conus=0.1;cr51-lxe-c=0.0025"}
    half = run("limits", store, "--beta", "91deg", "--csv")  # all/chi has no beta, all/e6 not this one
    assert (half.returncode, half.stdout) == (2, "")
    nan = run("limits", store, "--sigma-sys", "nan", "--from-cube")
    assert (nan.returncode, nan.stdout) == (2, "")
    assert "sigma_sys must be zero or positive" in nan.stderr


def test_what_a_scan_is_told_to_take_is_what_lies_there(tmp_path: Path) -> None:
    """The chunks are padded at the edge, and a combination has no events."""
    grid = GRID + '[combine.two]\nexperiments = ["conus", "connie"]'
    (tmp_path / "grid.toml").write_text(with_store(grid, chunk="10 KiB", dtype="float64"))
    told = costs(tmp_path / "grid.toml", str(tmp_path / "out.zarr"))
    fastscan.scan(tmp_path / "grid.toml", tmp_path / "out.zarr")
    chunks = [path for array in ("chi2", "events") for path in tmp_path.rglob(f"{array}/c.*")]
    assert told.size == sum(path.stat().st_size for path in chunks)


def test_plot(scanned: Path, tmp_path: Path) -> None:
    said = ok("plot", scanned, "-o", tmp_path / "new/limits.pdf")
    assert said == f"written to {tmp_path}/new/limits.pdf; without coherent-csi/e6\n"
    assert (tmp_path / "new/limits.pdf").read_bytes().startswith(b"%PDF")
    (tmp_path / "notes.png").write_text("mine")
    refused = run("plot", scanned, "-o", tmp_path / "notes.png")
    assert refused.returncode == 2
    assert "notes.png exists; --overwrite replaces it" in refused.stderr
    assert (tmp_path / "notes.png").read_text() == "mine"
    ok("plot", scanned, "-o", tmp_path / "notes.png", "--overwrite")
    assert (tmp_path / "notes.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    mostly_slow(
        [
            (("contours", "absent.zarr"), "absent.zarr does not exist"),
            (("contours", "{store}", "--axes", "beta"), "'beta' is not two names separated by a comma"),
            (("contours", "{store}", "--axes", "beta,mass"), "unknown axis 'mass'"),
            (("contours", "{store}", "--axes", "beta,cos_beta"), "two different axes"),
            (("contours", "{store}", "--axes", "sigma_sys,luminosity"), "give a value of m_zprime"),
            (("contours", "{store}", "--beta", "30"), "has no unit of angle"),
            (("contours", "{store}", "--dof", "0"), "dof must be a whole number"),
            (("contours", "{store}", "--json", "--csv"), "exclude each other"),
            (("plot", "{store}", "-o", "x.jpg"), "a picture's name ends in .png, .pdf, .svg"),
            (("plot", "{store}", "-o", "/proc/x.png"), "can't be written"),
            (("plot", "{store}", "-o", "x.png", "--kind", "pie"), "unknown kind of picture"),
        ]
    ),
)
def test_bad_contours_and_plots_are_one_line(
    scanned: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    assert problem in refusal(*(each.format(store=scanned) for each in arguments), cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_combined_limits() -> None:
    several = (
        "coherent-csi,connie,cr51-lxe-c",
        "eta",
        "--sigma-sys",
        0.1,
        "--sigma-sys",
        "cr51-lxe-c=0.0025",
        "--json",
    )
    record = json.loads(ok("limit", *several))
    assert record["sigma_sys"] == {"coherent-csi": 0.1, "connie": 0.1, "cr51-lxe-c": 0.0025}
    assert 550 < record["limit_gev"] < 600
    assert 540 < record["expected_gev"] < record["limit_gev"]


def test_a_model_of_the_user() -> None:
    text = ok("limit", "conus", REPOSITORY / "grids/models/b-l-contact.toml")
    assert "conus, b-l-contact: M_Z' > 980.3 GeV, M_Z'/g' 980.3 GeV" in text


def test_a_strength_divides_everything(tmp_path: Path) -> None:
    charges = (REPOSITORY / "grids/models/b-l-contact.toml").read_text().replace("nu = -1 ", "nu = 1 ")
    (tmp_path / "mine.toml").write_text(charges.replace("g_prime = 1.0", "g_prime = 0.5"))
    record = json.loads(ok("limit", "coherent-csi", tmp_path / "mine.toml", "--json"))
    for key in ("limit", "expected"):
        assert record[f"{key}_over_g_gev"] == pytest.approx(2 * record[f"{key}_gev"])
    for ends, over_g in zip(record["allowed_gev"], record["allowed_over_g_gev"], strict=True):
        assert over_g == [None if end is None else pytest.approx(2 * end) for end in ends]
    text = ok("limit", "coherent-csi", tmp_path / "mine.toml")
    assert len(record["allowed_gev"]) == text.count("allowed M_Z'/g'") + 1 == 2  # it interferes destructively


def test_cite(scanned: Path) -> None:
    assert "arXiv:1212.1938" in ok("cite", "red100").splitlines()
    assert ok("cite", "lr").splitlines() == ["arXiv:2002.01482"]
    assert ok("cite", REPOSITORY / "grids/models/b-l-contact.toml").splitlines() == ["doi:10.1103/PhysRevLett.44.1316"]
    assert ok("cite", REPOSITORY / "grids/experiments/my-detector.toml").splitlines() == ["my thesis"]
    assert ok("cite", scanned).splitlines() == ["arXiv:1708.01294", "arXiv:1804.09459", "arXiv:2002.01482"]


def test_info(scanned: Path) -> None:
    text = ok("info", scanned)
    assert "coherent-csi/e6" in text
    assert "complete" in text
    chi, e6 = json.loads(ok("info", scanned, "--json"))
    assert (chi["points"], e6["points"]) == (37 * 21, 13 * 37 * 21)
    assert e6["axes"]["m_zprime"] == {"size": 37, "first": 20.0, "last": 2000.0, "units": "GeV"}
    assert e6["tasks_done"] == e6["tasks"] == 1


def test_experiments_and_models() -> None:
    assert "coherent-csi" in ok("experiments")
    assert len(json.loads(ok("experiments", "--json"))) == len(experiments.names())
    names = [each["name"] for each in json.loads(ok("models", "--json"))]
    assert names == list(MODELS)
    assert names[:6] == ["chi", "psi", "eta", "lr", "lr-nc", "e6"]
    assert "left-right" in ok("models")


def examples(command: click.Command) -> list[str]:
    """The command lines at the end of a command's help."""
    _, found, lines = re.sub(" +", " ", command.help or "").replace("Examples:", "Example:").partition("Example: ")
    assert found, command.name
    return lines.strip().splitlines()


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_ends_its_help_with_examples(name: str) -> None:
    assert ok(name, "--help").startswith(f"Usage: fastscan {name}")
    for line in examples(cli.commands[name]):
        program, command, *arguments = shlex.split(line.partition(" > ")[0])
        assert (program, command) == ("fastscan", name)
        cli.commands[name].make_context(name, arguments)


@pytest.mark.slow
def test_the_examples_run_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "grids").symlink_to(REPOSITORY / "grids")
    ok("scan", str(REPOSITORY / "grids" / "light-mediators.toml"), "-o", str(tmp_path / "results" / "light.zarr"))
    (tmp_path / "borexino.csv").write_text("0.001,1e-5\n0.1,1e-3\n")
    others = (name for name in cli.commands if name not in ("scan", "paper", "survey"))  # the last two take long
    for name in ("scan", *others):
        for line in examples(cli.commands[name]):
            command = line.replace("fastscan", FASTSCAN, 1)
            done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, cwd=tmp_path)
            assert done.returncode == 0, f"{line}: {done.stderr}"
    assert {"contour.csv", "limits.pdf", "plane.png"} < {path.name for path in tmp_path.iterdir()}


def test_the_help_lists_commands_as_a_user_meets_them() -> None:
    assert re.findall(r"^  (\w+)  ", ok("--help").partition("Commands:")[2], re.MULTILINE) == list(cli.commands)


def test_without_arguments_it_shows_the_help() -> None:
    assert ok() == ok("--help")


BAD = [
    (["limit", "coherent-cis", "chi"], "unknown experiment 'coherent-cis'; did you mean 'coherent-csi'?"),
    (["limit", "coherent-csi", "chii"], "unknown model 'chii'; did you mean 'chi'?"),
    (["limit", "coherent-csi", "e6"], "model 'e6' needs beta"),
    (["limit", "coherent-csi", "e6", "--beta", "95"], "'95' has no unit of angle: use one of rad, deg"),
    (["limit", "coherent-csi", "chi", "--beta", "95deg"], "model 'chi' has no beta; only 'e6' has"),
    (["limit", "coherent-csi", "chi", "--sigma-sys", "-0.1"], "sigma_sys must be zero or positive"),
    (["limit", "coherent-csi", "chi", "--sigma-sys", "nan"], "sigma_sys must be zero or positive"),
    (["limit", "coherent-csi", "chi", "--luminosity", "0"], "luminosity must be positive"),
    (["limit", "coherent-csi", "chi", "--luminosity", "1e-320"], "luminosity must be positive, from 1e-15"),
    (
        ["limit", "coherent-csi", "e6", "--beta", "400deg"],
        "beta must be from -2 pi to 2 pi in rad (did you mean degrees?)",
    ),
    (["limit", "coherent-csi", "e6", "--beta", "1e300deg"], "beta must be from -2 pi to 2 pi"),
    (["limit", "coherent-csi", "chi", "--sigma-sys", "0.1,-0.1"], "sigma_sys must be zero or positive"),
    (["limit", "coherent-csi", "chi", "--sigma-sys", "=0.1"], "'=0.1' names no experiment"),
    (["limit", "coherent-csi", "chi", "--cl", "90"], "cl must be a number between 0 and 1, not 90.0"),
    (["limit", "coherent-csi", "chi", "--sigma", "0.1"], "No such option"),
    (["limit", "coherent-csi"], "Missing argument 'MODEL'"),
    (["limt", "coherent-csi"], "No such command 'limt'"),
    (["limit", "absent.toml", "chi"], "absent.toml: No such file or directory"),
    (["limit", "gr\u00edd\N{SNOWMAN}", "chi"], "unknown experiment"),
    (["limits", "absent.zarr"], "absent.zarr does not exist"),
    (["limits", "."], ". is no fastscan store"),
    (["info", "grid.toml"], "grid.toml is no fastscan store"),
    (["limits", "out.zarr", "--beta", "1deg"], "the nearest is 0 deg"),
    (["limits", "out.zarr", "--beta", ""], "'' is no angle"),
    (["limits", "out.zarr", "--eps-d", "0"], "none of the groups has the axis eps_d"),
    (["limits", "out.zarr", "--group", "coherent-csi/chi", "--beta", "0deg"], "none of the groups has the axis beta"),
    (["contours", "out.zarr", "--g", "1e-5"], "none of the groups has the axis g"),
    (["plot", "out.zarr", "-o", "x.png", "--m-phi", "1MeV"], "none of the groups has the axis m_phi"),
    (["limits", "out.zarr", "--sigma-sys", "0.1,x"], "'x' is not a valid float"),
    (["limits", "out.zarr", "--group", "coherent-csi/e5"], "did you mean 'coherent-csi/e6'?"),
    (["limits", "out.zarr", "--json", "--csv"], "--json and --csv exclude each other"),
    (["limit", "coherent-csi,conie", "chi"], "did you mean 'connie'"),
    (["limit", "coherent-csi", "chi", "--sigma-sys", "conus=0.1"], "unknown experiment in sigma_sys 'conus'"),
    (["limits", "out.zarr", "--combine", "coherent-csi,conus"], "unknown experiment of this store 'conus'"),
    (["limits", "out.zarr", "--combine", ""], "unknown experiment of this store ''"),
    (["cite", "out"], "unknown experiment 'out'"),
    (["paper", "-o", "grid.toml"], "grid.toml"),
    (["paper", "-o", "s3://bucket/paper"], "only a path on this machine can stand here"),
    (
        ["plot", "out.zarr", "-o", "x.png", "--kind", "contour", "--sigma-sys", "0.1,0.2"],
        "contours are drawn at one sigma_sys",
    ),
    (["paper", "--no-figures", "-o", "x" * 300], "can't be written: File name too long"),
    (["cite", "x" * 5000], "unknown experiment 'xxx"),
    (["info", "a\x1b[2J\udcff"], r"a\x1b[2J\udcff does not exist"),  # nothing that would steer a terminal
    (["plot", "out.zarr", "-o", "x.png", "--kind", ""], "unknown kind of picture ''"),
    (["plot", "out.zarr", "-o", "x.png", "--along", ""], "unknown axis ''"),
    (["paper"], "Missing option '-o'"),
    (["survey"], "Missing option '-o'"),
    (["survey", "-o", "grid.toml"], "grid.toml"),
    (["survey", "-o", "s3://bucket/survey"], "only a path on this machine can stand here"),
    (["survey", "--no-figures", "-o", "x" * 300], "can't be written: File name too long"),
    (["survey", "-o", "new", "--method", "toy"], "toy"),
    (["scan", "absent.toml", "-o", "new.zarr"], "absent.toml: No such file or directory"),
    (["scan", "/dev/full", "-o", "new.zarr"], "/dev/full: not a regular file"),
    (["scan", "grid.toml", "-o", "new.zarr", "--scheduler", "\udcff"], r"no dask scheduler answers at \udcff"),
    (["scan", "grid.toml"], "Missing option '-o'"),
    (
        ["scan", "grid.toml", "-o", "out.zarr"],
        "out.zarr exists; --resume continues it, --overwrite replaces it",
    ),
    (["scan", "grid.toml", "-o", ".", "--overwrite"], ". is no fastscan store; it is left as it is"),
    (["scan", "grid.toml", "-o", "grid.toml/out.zarr"], "can't be written"),
    (["scan", "grid.toml", "-o", "grid.toml/out.zarr", "--dry-run"], "can't be written"),
    (["scan", "grid.toml", "-o", "grid.toml", "--dry-run"], "grid.toml is no fastscan store"),
    (["scan", "grid.toml", "-o", "new.zarr", "--workers", "1", "--scheduler", "tcp://x:1"], "exclude each other"),
    (["scan", "grid.toml", "-o", "out.zarr", "--resume", "--overwrite"], "exclude each other"),
    (["scan", "grid.toml", "-o", "out.zarr", "--dry-run"], "out.zarr exists; --resume continues it"),
    (["scan", "grid.toml", "-o", "out.zarr/new.zarr", "--dry-run"], "lies inside a store"),
    (["limit", "grid.toml", "chi"], "grid.toml is a grid's file, where an experiment's is needed: it has axes"),
    (["limit", "conus", "grid.toml"], "grid.toml is a grid's file, where a model's is needed"),
    (["limit", "coherent-csi", "chi", "--json", "--csv"], "--json and --csv exclude each other"),
    (["scan", "grid.toml", "-o", "new.zarr", "--part", "3"], "'3' is not of the form 3/16"),
    (
        ["scan", "grid.toml", "-o", "new.zarr", "--part", "17/16"],
        "part must be k/n with k from 1 to n, and n at most 1000000, not 17/16",
    ),
    (["scan", "grid.toml", "-o", "new.zarr", "--part", "0/3"], "part must be k/n with k from 1 to n"),
    (["scan", "grid.toml", "-o", "new.zarr", "--part", "1/1000001"], "n at most 1000000, not 1/1000001"),
    (["scan", "grid.toml", "-o", "new.zarr", "--part", "9" * 4301 + "/3"], "/3' is not of the form 3/16"),
    (["scan", "grid.toml", "-o", "new.zarr", "--part", "\u0661/\u0663"], "is not of the form 3/16"),
    (["scan", "grid.toml", "-o", "new.zarr", "--workers", "1e400"], "'1e400' is not a valid integer"),
    (["scan", "grid.toml", "-o", "new.zarr", "--workers", "9" * 5000], "99999' is not a valid integer"),
    (["scan", "grid.toml", "-o", "new.zarr", "--workers", "9" * 20], "--workers must be between 1 and"),
    (["limit", "coherent-csi", "chi", "--dof", "9" * 5000], "99999' is not a valid integer"),
    (["limit", "coherent-csi", "chi", "--dof", "9" * 20], "dof must be a whole number from 1 to 1000, not 9999"),
    (["limit", "coherent-csi", "chi", "--cl", "nan"], "cl must be a number between 0 and 1, not nan"),
    (["limit", "coherent-csi", "chi", "--cl", "9" * 5000], "cl must be a number between 0 and 1, not inf"),
    (["limit", "coherent-csi", "chi", "--luminosity", "9" * 5000], "luminosity must be positive"),
    (["contours", "out.zarr", "--dof", "9" * 5000], "99999' is not a valid integer"),
    (["contours", "out.zarr", "--axes", "beta"], "'beta' is not two names separated by a comma"),
    (["scan", "grid.toml", "-o", "foo://bucket/out.zarr"], "Protocol not known: foo"),
]


@pytest.mark.parametrize(("arguments", "problem"), mostly_slow(BAD))
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], problem: str, scanned: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in scanned.parent.rglob("*")}
    ended = run(*arguments, cwd=scanned.parent)
    assert problem in (line := line_of(ended))
    assert len(line) < 400
    assert ended.stdout == ""
    assert {path: path.stat().st_mtime_ns for path in scanned.parent.rglob("*")} == before


@pytest.mark.parametrize("variable", ["NUMBA_NUM_THREADS", "DASK_NUM_WORKERS"])
@pytest.mark.parametrize("value", ["x", "0", "-1", "9" * 5000])
def test_a_wrong_number_in_the_environment_is_one_line(variable: str, value: str, grid_file: Path) -> None:
    told = refusal("scan", grid_file, "-o", "memory://x", env=os.environ | {variable: value})
    assert "must be a whole number" in told


@pytest.mark.parametrize(
    ("arguments", "allowed"), [("['--help']", set()), ("['experiments']", {"numpy"}), ("['scan', '--help']", set())]
)
def test_what_needs_no_numbers_imports_no_numerical_package(arguments: str, allowed: set[str]) -> None:
    """NumPy comes with the experiments: one class has both the words and the values of a source or a detector."""
    program = f"""
import sys
from fastscan.commands import cli
cli.cli.main({arguments}, standalone_mode=False)
heavy = {{"numba", "numpy", "scipy.special", "zarr", "dask", "distributed"}} & set(sys.modules)
assert heavy <= {allowed!r}, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_names_are_known_before_they_are_loaded() -> None:
    program = "import sys, fastscan; assert {*fastscan.__all__} <= {*dir(fastscan)}; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_one_limit_imports_neither_storage_nor_scheduler_nor_compiler() -> None:
    program = """
import sys
from fastscan.commands import cli
cli.cli.main(["limit", "coherent-csi", "chi"], standalone_mode=False)
heavy = {"zarr", "dask", "distributed", "xarray", "numba", "scipy.special"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("command", ["experiments", "--help", "limits {store} --csv", "limits {store} --json"])
def test_output_that_can_not_be_written_is_one_line(command: str, scanned: Path) -> None:
    full = f"{FASTSCAN} {command.format(store=scanned)} > /dev/full"
    done = subprocess.run(["bash", "-c", full], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "fastscan: output can't be written: No space left on device\n")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("limits {store} --csv >&-", 0),
        ("scan {store}/../grid.toml -o {store} --resume 2>&-", 0),
        ("limit coherent-csi x 2>&-", 2),
        ("limit coherent-csi x 2> /dev/full", 2),
        ("experiments <&- >&- 2>&-", 0),
    ],
)
def test_closed_or_full_streams_change_no_exit_code(command: str, code: int, scanned: Path) -> None:
    closed = f"{FASTSCAN} {command.format(store=scanned)}"
    done = subprocess.run(["bash", "-c", closed], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("end", ["pdf", slow("png"), slow("svg")])
def test_a_picture_that_a_full_disk_does_not_take_is_one_line(end: str, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="nothing limits what a process writes")
    out = tmp_path / f"x.{end}"
    small = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))}
    told = line_of(run("show", "coherent-csi", "-o", out, **small))
    assert told == f"fastscan: {out} can't be written: File too large"
    assert not list(tmp_path.iterdir())


def test_a_setting_that_matplotlib_refuses_is_one_line(scanned: Path, tmp_path: Path) -> None:
    told = refusal("plot", scanned, "-o", tmp_path / "x.png", env=os.environ | {"MPLBACKEND": "nope"})
    assert told.startswith("fastscan: matplotlib can't be used: Key backend: 'nope'")


def test_a_reader_that_stops_early_is_no_error(scanned: Path) -> None:
    """`fastscan limits ... | head -1`"""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([FASTSCAN, "limits", scanned], check=False, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert "Traceback" not in done.stderr
