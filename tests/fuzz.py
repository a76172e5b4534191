"""A fuzzer of whatever people give: files of experiments, models and grids, options, and the metadata of stores.

    python tests/fuzz.py grid 1000 --seed 1        the cases 0 to 999 of a kind; failures as JSON
    python tests/fuzz.py grid 1 --first 17 -v      one of them again, with all that it printed

A case is a function of the kind, the seed and its number alone.  Each runs the command line in a process of its own,
which is forked before any thread starts, with 10 s of CPU time.  It must end well or with one line and exit code 2;
a traceback, a hang, more than 2 kB of text or a raw control character is a failure.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

JSON_TEXTS = ("references", "versions", "identity", "checksums")  # attributes of a group that are texts of JSON
CPU_SECONDS, WALL_SECONDS, MEMORY = 10, 40, 8 * 2**30
LONGEST_OUTPUT = 2000
REPOSITORY = Path(__file__).parent.parent
GRID = """\
title = "E6 and left-right"
experiments = ["coherent-csi", "conus"]
models = ["e6", "lr"]

[axes]
beta = { start = 0, stop = 180, num = 5, unit = "deg" }
m_zprime = { start = 50, stop = 5000, num = 9, spacing = "log", unit = "GeV" }
sigma_sys = { start = 0.0, stop = 0.3, num = 3 }
luminosity = { values = [1, 10, 100] }

[combine.both]
experiments = ["coherent-csi", "conus"]
sigma_sys = { conus = 0.2 }
independent = true

[store]
dtype = "float32"
chunk = "16 MiB"
task = "16 MiB"
"""
NUMBERS = [
    *"-1 0 -0.0 1 2 0.5 1e-300 5e-324 1e17 1e300 1.7e308 1e400 nan -inf inf 10000000".split(),  # noqa: SIM905
    *"18446744073709551616".split(),  # noqa: SIM905
    *("9" * 5000, "0x10", "1_0", "true", "1979-05-27", "07:32:00"),
]
TEXTS = [
    *("", " ", "x" * 10_000, "x" * 2_000_000, "a\\nb", "\\u0000", "\\u001b[2J", "\u202eevil", "é", "\U0001f600"),
    *("10", "10 kg", "1 GeV", "1e308 t", "-3 m", "20 %", "5 lightyears", "0.1 keV", "1 keVee", "10 kg kg", "nan kg"),
    *("conus", "chi", "e6", "table", "cevns", "Ge", "Ge76", "CsI" * 500, "log", "../x.toml", "~/x.toml", "/dev/zero"),
    *("fifo.toml", ".", "<script>alert(1)</script>", "$\\\\input{x}$", "{{ 7 * 7 }}", "%s%n", "%(x)s"),
]
COLLECTIONS = [
    *("[]", "{}", "[[1]]", "[1, nan]", '[1, "1"]', "[0.3, 0.2]", "{ start = 1 }", '{ shape = "table" }', '["conus"]'),
    *("[" * 2000 + "]" * 2000, "[" * 200_000, "{ a = " * 500, str(list(range(30_000))), str(["x"] * 30_000)),
    str([f"e{n}" for n in range(30_000)]).replace("'", '"'),
]
BYTES = [b"\0", b"\xff\xfe", b"\xe9", b"\r", b"\x1b[2J", b'"""', b"'", b"]", b"}", b"=", b"#", b"\xe2\x80\xae"]
VALUE = re.compile(r'"[^"\n]*"|(?<=[ =\[])[-+]?[0-9][-+0-9.eE]*|true|false|\[[^][\n]*\]|\{[^{}\n]*\}')
KEY = re.compile(r"\b[A-Za-z_]\w*+(?= *=)|(?<=\[)[A-Za-z_.]+(?=\])")


@dataclass(frozen=True)
class Failure:
    """A case that ended badly: the case, its end, and the end of its output."""

    case: str
    command: list[str]
    problem: str
    printed: str


# --- Inputs ---


def hostile(rng: random.Random) -> str:
    """A hostile value in TOML."""
    kind = rng.choice("nntc")
    if kind == "n":
        return rng.choice(NUMBERS)
    return f'"{rng.choice(TEXTS)}"' if kind == "t" else rng.choice(COLLECTIONS)


def accident(rng: random.Random, text: str) -> str:
    """A TOML text after one accident."""

    def anywhere(pattern: re.Pattern[str]) -> tuple[int, int]:
        return rng.choice([match.span() for match in pattern.finditer(text)] or [(0, 0)])

    kind = rng.choice(["value", "value", "value", "key", "line", "twice", "swap", "cut", "insert"])
    if kind == "value":
        start, end = anywhere(VALUE)
        return text[:start] + hostile(rng) + text[end:]
    if kind == "key":
        start, end = anywhere(KEY)
        return text[:start] + misspelt(rng, text[start:end]) + text[end:]
    if kind in ("line", "twice", "swap"):
        lines = text.splitlines(keepends=True)
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        if kind == "swap":
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines[at] *= {"line": 0, "twice": rng.choice([2, 3, 30_000])}[kind]
        return "".join(lines)
    at = rng.randrange(len(text) + 1)
    return text[:at] if kind == "cut" else text[:at] + rng.choice(string.printable) + text[at:]


def misspelt(rng: random.Random, word: str) -> str:
    """A word with a typing error."""
    at = rng.randrange(len(word) + 1)
    return rng.choice(
        [word + "s", word[:-1] or "x", word[:at] + word[at + 1 :] or "y", word.upper(), word + "_x", f"{word}.{word}"]
    )


def garbled(rng: random.Random, text: str) -> bytes:
    """The bytes of a file that began as a valid TOML text."""
    for _ in range(rng.randint(1, 3)):
        text = accident(rng, text) or "\n"
    content = text.encode("utf-8", "surrogatepass")
    kind = rng.randrange(20)
    if kind == 0:
        return text.encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-7", "utf-8-sig"]), "replace")
    if kind == 1:
        return ("# é\n" + text).encode("cp1252", "replace")
    if kind == 2:
        at = rng.randrange(len(content) + 1)
        return content[:at] + rng.choice(BYTES) + content[at:]
    return content


def own_file(rng: random.Random, place: Path, texts: list[str]) -> str:
    """A garbled file, or something other than a regular file, and its name."""
    name = rng.choice(["mine.toml"] * 20 + ["my detector.toml", "é.TOML", "conus.toml", "-.toml", "mine"])
    file = place / name
    kind = rng.randrange(60)
    if kind == 0:
        os.mkfifo(file)
    elif kind == 1:
        file.symlink_to(rng.choice(["/dev/zero", "/dev/stdin", "/nowhere", str(file), "/proc/self/mem", "/"]))
    else:
        file.write_bytes(garbled(rng, rng.choice(texts)))
    return name


Case = list[str]  # the arguments of a command
EXPERIMENTS = [
    file.read_text("utf-8")
    for folder in (files("fastscan") / "data" / "experiments", REPOSITORY / "grids" / "experiments")
    for file in sorted(folder.iterdir(), key=lambda each: each.name)
    if not file.name.endswith(".npz")
]
OWN_DATA = "# E n e\n0 0.2 1\n0.2 0.5 2\n0.4 0.9 3\n"
DETECTORS = [
    *(file.read_text("utf-8") for file in sorted((REPOSITORY / "tests" / "wishes").glob("*.toml"))),
    (REPOSITORY / "grids" / "experiments" / "quenched-detector.toml").read_text("utf-8"),
    """\
title = "all that a detector can have"
channel = "cevns"
references = ["none"]
exposure = "308 d"
baseline = "19.3 m"
[[target]]
compound = "CsI"
mass = "14.6 kg"
[source]
kind = "pion-decay-at-rest"
neutrinos_per_proton = 0.0848
protons = 3.198e23
protons_in = "308 d"
[time]
unit = "us"
edges = [0, 0.5, 1, 6]
pulse = { shape = "gaussian", mean = 0.44, sigma = 0.15 }
efficiency = { shape = "decay", start = 0.52, rate = 0.0494 }
[detector]
photoelectrons_per_kevee = 13.35
quenching = { model = "polynomial", unit = "MeV", coefficients = [0.0554628, 4.30681, -111.707, 840.384] }
efficiency = { shape = "logistic", plateau = 1.32045, slope = 0.285979, midpoint = 10.8646, offset = -0.333322 }
resolution = { kind = "gamma", shape = [1, 9.56] }
bins = { edges = [0, 20], unit = "PE" }
[statistics]
kind = "measured"
sigma_sys = 0.12
shared = { flux = 0.1, "quenching" = "5 %" }
observed = { file = "data.txt", column = "n", error = "e" }
[[statistics.background]]
name = "brn"
events = [1, 2, 3]
[[statistics.background]]
name = "ss"
file = "data.txt"
column = 2
total = 10
""",
    """\
title = "all that counted events can have"
channel = "cevns"
references = ["none"]
data_set = "mine"
exposure = "1 yr"
baseline = "27.5 m"
[[target]]
compound = "Ar"
mass = "24.4 kg"
[source]
kind = "pion-decay-at-rest"
neutrinos_per_proton = 0.09
protons = 13.8e22
protons_in = "1 yr"
[detector]
quenching = 0.25
bins = { edges = [0, 40], unit = "keVee" }
[factor]
name = "F90"
edges = [-0.1, 0.1, 0.3, 0.5]
file = "data.txt"
bins = { F90 = "E" }
column = "E"
shapes = [{ name = "f", up = "n", down = 1 }]
[time]
unit = "ns"
edges = [0, 6000]
offset = 64
pulse = { shape = "gaussian", mean = 440, sigma = 150 }
shapes = [{ name = "t", pulse = { shape = "box", start = 300, length = 600 } }]
[statistics]
kind = "poisson"
sigma_sys = 0.13
shared = { flux-sns = "10 %" }
file = "data.txt"
sha256 = "a039663327063fc255f3effe301b14f24ff0a3e722fc8c0fc322bad89c9c102f"
bins = { F90 = "E" }
observed = "e"
[[statistics.background]]
name = "brn"
column = "e"
total = 10
error = "20 %"
shapes = [{ name = "w", up = "n", down = "E" }, { name = "v", up = 3 }]
""",
    """\
variant_of = "conus-plus-2025-total"
title = "a signal that is scaled"
[statistics]
signal = 400
expected = 300
shared = { flux-plant = 0.02 }
""",
    """\
variant_of = "coherent-csi-2021"
title = "what differs"
electrons = "bound"
[statistics]
sigma_sys = 0.1
observed = { column = "events" }
""",
]
MODELS = [file.read_text("utf-8") for file in sorted((REPOSITORY / "grids" / "models").iterdir())]


def experiment(rng: random.Random, place: Path) -> Case:
    name = own_file(rng, place, EXPERIMENTS)
    return rng.choice([["limit", name, "chi"], ["limit", f"conus,{name}", "lr", "--json"], ["cite", name]])


def detector(rng: random.Random, place: Path) -> Case:
    data = OWN_DATA if rng.randrange(4) else accident(rng, OWN_DATA)
    for name in ("data.txt", "chavarria.txt"):
        (place / name).write_bytes(data.encode("utf-8", "surrogatepass"))
    return ["limit", own_file(rng, place, DETECTORS), "chi", rng.choice(["--json", "--csv"])]


def model(rng: random.Random, place: Path) -> Case:
    name = own_file(rng, place, MODELS)
    return rng.choice([["limit", "conus", name], ["cite", name], ["limit", "conus", name, "--csv"]])


def grid(rng: random.Random, place: Path) -> Case:
    name = own_file(rng, place, [GRID])
    return ["scan", name, "-o", "out.zarr", "--dry-run"]


WORDS = [
    *NUMBERS,
    *(text for text in TEXTS if len(text) < 100_000),
    *("9" * 4301 + "/3", "95 deg", "1 eV", "inf GeV", "\udcff"),
    *"axis 0deg 1e300deg 500GeV 0.1,0.2 , ,, = conus=0.1 a=b=c 3/16 0/3 1/0 -1/3".split(),  # noqa: SIM905
    *"coherent-csi/chi coherent-csi/e6".split(),  # noqa: SIM905
    *"beta,m_zprime cos_beta,m_zprime beta sigma_sys limit contour profile x.png x.svg".split(),  # noqa: SIM905
    *"x.exe out.zarr fifo".split(),  # noqa: SIM905
    *"s3:// memory://x file:///dev/zero http://127.0.0.1:9/x tcp://127.0.0.1:9 - -- --x".split(),  # noqa: SIM905
]
COMMANDS = {
    "limit coherent-csi e6": "--beta --sigma-sys --luminosity --independent --cl --dof --json --csv",
    "limit coherent-csi chi": "--sigma-sys --luminosity --independent --cl --dof --json --csv",
    "limits out.zarr": "--combine --group --beta --sigma-sys --luminosity --independent --from-cube --cl --dof --json",
    "contours out.zarr": "--axes --minimise --group --beta --m-zprime --sigma-sys --independent --cl --dof",
    "plot out.zarr -o x.svg": "--kind --along --axes --minimise --group --beta --m-zprime --sigma-sys --cl --overwrite",
    "scan grid.toml -o new.zarr --dry-run": "--resume --overwrite --part --workers --scheduler",
    "scan grid.toml -o out.zarr": "--part --resume",
    "info out.zarr": "--json",
    "verify out.zarr": "--all --json",
    "finish out.zarr": "",
    "cite coherent-csi": "",
    "experiments": "--json",
    "models": "--json",
}
FLAGS = {"--json", "--csv", "--independent", "--from-cube", "--resume", "--overwrite", "--all"}


def options(rng: random.Random, place: Path) -> Case:
    command = rng.choice(sorted(COMMANDS))
    words = command.split()
    known = COMMANDS[command].split()
    for option in rng.sample(known, k=min(len(known), rng.randint(0, 3))):
        words += [option] if option in FLAGS else [option, rng.choice(WORDS)]
    if rng.random() < 0.3:
        words[rng.randrange(len(words))] = rng.choice(WORDS)
    shutil.copytree(STORE, place, dirs_exist_ok=True)
    os.mkfifo(place / "fifo")
    return [word for word in words if "\0" not in word and len(word) < 100_000]


JSON_VALUES: list[Any] = [
    *(None, True, 0, -1, 1, 10**18, 10**400, 1.5, 1e308, "", "x" * 1_000_000, "\u202e\x1b[2J", "../../etc/passwd"),
    *([], {}, [0], [[]], [10**15] * 3, ["a"] * 30_000, {"a": {}}, {"name": "gzip", "configuration": {"level": 9}}),
]
ASKED = [
    *(
        f"{command} out.zarr"
        for command in ("limits", "limits --from-cube", "contours", "info", "verify", "finish", "cite")
    ),
    "plot out.zarr -o x.svg",
    "scan grid.toml -o out.zarr --resume",
    "scan grid.toml -o out.zarr --overwrite",
]
RAW_JSON = [b"", b"null", b"[" * 200_000, b'{"a":' * 100_000, b"{}", b"9" * 5000, b"NaN", b"\xff", b" " * 3_000_000]


def metadata(rng: random.Random, place: Path) -> Case:
    shutil.copytree(STORE, place, dirs_exist_ok=True)
    store = place / "out.zarr"
    for _ in range(rng.randint(1, 2)):
        found = sorted(file for file in store.rglob("*") if file.is_file())
        texts = [file for file in found if file.suffix == ".json"]
        file = rng.choice(texts if rng.random() < 0.8 else found)
        damage(rng, file)
    if rng.random() < 0.5:
        refit(store)
    return rng.choice(ASKED).split()


def damage(rng: random.Random, file: Path) -> None:
    """Change a file of a store, or put something else in its place."""
    content = file.read_bytes()
    kind = rng.randrange(12)
    if kind == 0:
        file.unlink()
        special = rng.choice(["nothing", "fifo", "folder", "/dev/zero", "loop"])
        if special == "fifo":
            os.mkfifo(file)
        elif special == "folder":
            file.mkdir()
        elif special != "nothing":
            file.symlink_to("/dev/zero" if special == "/dev/zero" else file)
    elif kind == 1:
        file.write_bytes(rng.choice(RAW_JSON))
    elif kind == 2 or file.suffix != ".json":
        at = rng.randrange(len(content) + 1)
        file.write_bytes(content[:at] + rng.choice([*BYTES, b""]) + content[at + rng.choice([0, 1, 10**9]) :])
    else:
        try:
            document = unfolded(content)
            change(rng, document)
            file.write_text(folded(document))
        except (ValueError, RecursionError):
            return  # it is damaged already


def unfolded(content: bytes) -> Any:
    """A JSON document in which a group's attributes that are texts of JSON are replaced by their values."""
    document = json.loads(content)
    with suppress(KeyError, TypeError):
        attributes = document["attributes"]
        attributes |= {key: json.loads(attributes[key]) for key in JSON_TEXTS}
    return document


def folded(document: Any) -> str:
    """The inverse of `unfolded`, as a text."""
    with suppress(KeyError, TypeError):
        attributes = document["attributes"]
        document = document | {"attributes": attributes | {key: json.dumps(attributes[key]) for key in JSON_TEXTS}}
    return json.dumps(document)


def change(rng: random.Random, document: Any) -> None:
    """Put a hostile value somewhere into a JSON document, or remove an entry."""
    places = list(entries(document))
    if not places:
        return
    container, key = rng.choice(places)
    if isinstance(container, dict) and rng.random() < 0.2:
        del container[key]
    elif isinstance(container, dict) and rng.random() < 0.1:
        container[misspelt(rng, key or "x")] = rng.choice(JSON_VALUES)
    else:
        container[key] = rng.choice(JSON_VALUES)


def entries(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON document, as a container and a key or an index."""
    keys = list(document) if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        yield document, key
        yield from entries(document[key])


def refit(store: Path) -> None:
    """Write fitting hashes and checksums for a group's changed files, so that only their meaning is wrong."""
    from fastscan.stores.chunks import checksum
    from fastscan.stores.cube import hash_of

    for group in store.glob("*/*/zarr.json"):
        try:
            document = unfolded(group.read_bytes())
            attributes = document["attributes"]
            attributes["hash"] = hash_of(attributes["identity"])
            for name in attributes["checksums"]:
                file = group.parent / name
                if file.is_file() and not file.is_symlink():
                    attributes["checksums"][name] = checksum(file.read_bytes())
            group.write_text(folded(document))
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError):
            continue  # it is damaged beyond that


KINDS: dict[str, Callable[[random.Random, Path], Case]] = {
    "experiment": experiment,
    "detector": detector,
    "model": model,
    "grid": grid,
    "options": options,
    "metadata": metadata,
}
STORE = Path()  # a directory with grid.toml and out.zarr, once `main` has made it


# --- Running them ---


def run(command: Case, place: Path) -> tuple[int, str, str]:
    """The exit code of a command in a directory (a signal as a negative number), and its output."""
    out, err = place / ".out", place / ".err"
    child = os.fork()
    if child == 0:
        _be(command, place, out, err)
    _, status = os.waitpid(child, 0)
    printed = (file.read_text(errors="replace") for file in (out, err))
    return os.waitstatus_to_exitcode(status), *printed


def _be(command: Case, place: Path, out: Path, err: Path) -> None:
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(WALL_SECONDS)
        os.chdir(place)
        for stream, file in enumerate((Path(os.devnull), out, err)):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), stream)
        from fastscan.commands import cli

        sys.argv = ["fastscan", *command]
        cli.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 whatever it is, it is the finding
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def problem_of(code: int, out: str, err: str) -> str:
    """The problem with the end of a command; empty without a problem."""
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"more than {CPU_SECONDS} s of CPU time"
    if code == -signal.SIGALRM:
        return f"more than {WALL_SECONDS} s"
    if code not in (0, 2):
        return f"exit code {code}"
    if "Traceback" in out + err:
        return "a traceback"
    if len(err) > LONGEST_OUTPUT or (code == 2 and len(out + err) > LONGEST_OUTPUT):
        return f"{len(out + err)} characters of output"
    if any(not (each.isprintable() or each == "\n") for each in out + err):
        return "a control character"
    if code == 2 and "fastscan: " not in err:
        return "no line that says why"
    return ""


def fuzz(kind: str, numbers: range, seed: int, verbose: bool = False) -> list[Failure]:
    """The cases of some numbers that end badly."""
    failures = []
    for number in numbers:
        case = f"{kind} 1 --first {number} --seed {seed}"
        rng = random.Random(f"{seed}/{kind}/{number}")
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory)
            command = KINDS[kind](rng, place)
            code, out, err = run(command, place)
            if verbose:
                print(command, code, out[:5000], err[:5000], sep="\n")
            problem = problem_of(code, out, err)
            if problem:
                failures.append(Failure(case, [word[:200] for word in command], problem, (out + err)[-1500:]))
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz the command line; print the cases that end badly as JSON.")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("number", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true")
    given = parser.parse_args()
    # modules that start no thread are loaded once, for all processes
    import fastscan.answers.answers
    import fastscan.answers.point
    import fastscan.scans.scanner  # noqa: F401

    with tempfile.TemporaryDirectory() as directory:
        global STORE
        STORE = Path(directory)
        (STORE / "grid.toml").write_text(GRID)
        command = [sys.executable, "-c", "from fastscan.commands.cli import main; main()", "scan", "grid.toml"]
        subprocess.run([*command, "-o", "out.zarr"], cwd=STORE, check=True, capture_output=True)
        failures = fuzz(given.kind, range(given.first, given.first + given.number), given.seed, given.verbose)
    print(json.dumps([asdict(each) for each in failures], indent=1))


if __name__ == "__main__":
    main()
