"""Whether fastscan got slower: ratios of this checkout against the committed ones, or against another commit's.

    python perf/compare.py                   this checkout against perf/baseline.json
    python perf/compare.py --base main       this checkout and another commit, measured in turn
    python perf/compare.py --write           measure, and write perf/baseline.json and the tables of the READMEs

The first two exit with 1 where a ratio is more than 1.25 times worse, which counts only when it is so a second time,
and where a pair can't be measured, in the checkout or in the other commit.  The pairs are this checkout's.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pairs  # noqa: F401  declares PAIRS
from measure import PAIRS

HERE = Path(__file__).parent
BASELINE, TABLE, README = HERE / "baseline.json", HERE / "README.md", HERE.parent / "README.md"
WORST = 1.25
MAIN = (  # pairs that the top README shows; perf/README.md has all of them
    "kernel into reused blocks / scipy quad and minimize_scalar at each 120-bin point (extrapolated from one)",
    "kernel into reused blocks / NumPy with 120 bins at each point (extrapolated from 5 masses)",
    "1000 masses of B-L in 14 experiments / integrals at each, 5 masses scaled",
    "Poisson profile, 99 bins x 4, one thread / iminuit with compiled cost and gradient, 32 points scaled",
    "1000 limits of coherent-csi-2021, two threads / iminuit scans of 60 points, one scaled",
    "scan of 256 M points to local zarr / raw write of the same files",
)


Ratio = Callable[[str], float]  # of the pair of a name


class Unmeasured(click.ClickException):
    """A pair can't be measured, for the reason that the message gives."""


class Absent(Unmeasured):
    """A baseline has no such pair, because the pair is newer."""


def measured(name: str, checkout: Path) -> dict[str, float]:
    """A pair measured in a process of its own with the package of a checkout.

    Raises
    ------
    Unmeasured
        Where that fails.
    """
    path = os.pathsep.join([str(checkout), str(HERE)])
    command = [sys.executable, str(HERE / "pairs.py"), name]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        last = [f"it ended with {done.returncode}", *done.stderr.strip().splitlines()][-1]
        raise Unmeasured(f"{name}: can't be measured in {checkout}: {last}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured_ratio(checkout: Path) -> Ratio:
    return lambda name: measured(name, checkout)["ratio"]


def baseline_ratio(rows: list[dict[str, Any]]) -> Ratio:
    """The ratios of a baseline; it has none of pairs that are newer."""
    ratios = {row["name"]: row["ratio"] for row in rows}

    def ratio(name: str) -> float:
        if name not in ratios:
            raise Absent(f"{name}: it is newer than {BASELINE.name}")
        return ratios[name]

    return ratio


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Another commit's files, in a directory of their own."""
    with tempfile.TemporaryDirectory() as place:
        git = ["git", "-C", str(HERE.parent), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", f"{place}/base", revision], check=True)
        try:
            yield Path(place, "base")
        finally:
            subprocess.run([*git, "remove", "--force", f"{place}/base"], check=True)


def compare(names: list[str], base: Ratio, checkout: Ratio) -> list[str]:
    """Print each pair's ratio beside the base's, and return what is wrong, one line for each pair that fails."""
    wrong = []
    for name in names:
        try:
            if not _holds(name, base, checkout):
                wrong.append(f"{name}: more than {WORST} times slower")
        except Unmeasured as error:
            click.echo(f"{'':12}  FAILED                                   {name}")
            wrong.append(error.message)
    return wrong


def _holds(name: str, base: Ratio, checkout: Ratio) -> bool:
    """Whether a pair is as fast as in the base, at one of two looks; one that the base has not is."""
    for _ in range(2):
        try:
            before = base(name)
        except Absent as absent:
            click.echo(f"{checkout(name):12.4g}  base has no such thing                   {absent.message}")
            return True
        now = checkout(name)
        click.echo(f"{now:12.4g}  base {before:12.4g}  {before / now:5.2f} x slower  {name}")
        if before / now <= WORST:
            return True
    return False


def machine() -> str:
    """The processor, as the system names it, how many cores of it there are, and what a vectorising compiler asks."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    name = facts.get("model name", platform.machine())
    return f"{len(os.sched_getaffinity(0))} cores of {name} with {vectors}, Python {platform.python_version()}"


def table(rows: list[dict[str, float]], where: str) -> str:
    lines = [f"Measured on {where}:", "", "| what | ratio | aim |", "|---|---|---|"]
    for row in rows:
        aim = f"{row['at_least']:.4g}" if row["at_least"] else ""
        lines.append(f"| {row['name']} | {row['ratio']:.3g} | {aim} |")
    return "\n".join(lines)


def write(rows: list[dict[str, float]]) -> None:
    where = machine()
    BASELINE.write_text(json.dumps({"machine": where, "pairs": rows}, indent=1) + "\n")
    for page, shown in ((TABLE, rows), (README, [row for row in rows if row["name"] in MAIN])):
        start, end = "<!-- perf: written by perf/compare.py -->\n", "<!-- perf -->"
        before, _, rest = page.read_text().partition(start)
        page.write_text(before + start + table(shown, where) + "\n" + end + rest.partition(end)[2])


@click.command(help=__doc__.replace("\n\n    python", "\n\n\b\n    python"))
@click.option("--base", metavar="COMMIT", help="Measure this commit too, in turn with the checkout.")
@click.option("--write", "writes", is_flag=True, help="Write the baseline and the tables of the READMEs.")
@click.option("--only", metavar="TEXT", default="", help="Only pairs that have this in their names.")
def main(base: str | None, writes: bool, only: str) -> None:
    names = [name for name in PAIRS if only in name]
    if not names:
        raise click.UsageError(f"no pair has {only!r} in its name")
    if writes and (base or only):
        raise click.UsageError("--write is about all pairs of this checkout")
    if writes:
        rows = [measured(name, HERE.parent) for name in names]
        write(rows)
        click.echo(table(rows, machine()))
        return
    here = measured_ratio(HERE.parent)
    if base is not None:
        with checked_out(base) as checkout:
            wrong = compare(names, measured_ratio(checkout), here)
    else:
        baseline = json.loads(BASELINE.read_text())
        if baseline["machine"] != machine():
            click.echo(
                f"The baseline is another machine's, {baseline['machine']}; --base measures both here.", err=True
            )
        wrong = compare(names, baseline_ratio(baseline["pairs"]), here)
    if wrong:
        raise click.ClickException("\n".join([f"{len(wrong)} of {len(names)} pairs", *wrong]))


if __name__ == "__main__":
    main()
