"""Whether fastscan got slower: ratios of this checkout against the committed ones, or against another commit's.

    python perf/compare.py                   this checkout against perf/baseline.json
    python perf/compare.py --base main       this checkout and another commit, measured in turn
    python perf/compare.py --write           measure, and write perf/baseline.json and the table of README.md

The first two exit with 1 where a ratio is more than 1.25 times worse.  It counts only when it is so a second time.
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

import click
import pairs  # noqa: F401  declares PAIRS
from measure import PAIRS

HERE = Path(__file__).parent
BASELINE, README = HERE / "baseline.json", HERE.parent / "README.md"
WORST = 1.25


def measured(name: str, checkout: Path) -> dict[str, float] | None:
    """A pair measured in a process of its own with the package of a checkout; None where it can't be."""
    path = os.pathsep.join([str(checkout), str(HERE)])
    command = [sys.executable, str(HERE / "pairs.py"), name]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        click.echo(f"{name}: can't be measured in {checkout}: {done.stderr.strip().splitlines()[-1]}", err=True)
        return None
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


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


def compare(names: list[str], base: Callable[[str], float | None]) -> list[str]:
    """Print each pair's ratio beside the base's, and return those that are too much worse."""
    slower = []
    for name in names:
        for _ in range(2):
            before, now = base(name), measured(name, HERE.parent)
            if now is None or before is None:
                if before is None:
                    click.echo(f"{'':12}  base has none                      {name}")
                break
            worse = before / now["ratio"]
            click.echo(f"{now['ratio']:12.4g}  base {before:12.4g}  {worse:5.2f} x slower  {name}")
            if worse <= WORST:
                break
        else:
            slower.append(name)
        if now is None:
            slower.append(name)
    return slower


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
    start, end = "<!-- perf: written by perf/compare.py -->\n", "<!-- perf -->"
    before, _, rest = README.read_text().partition(start)
    README.write_text(before + start + table(rows, where) + "\n" + end + rest.partition(end)[2])


@click.command(help=__doc__.replace("\n\n    python", "\n\n\b\n    python"))
@click.option("--base", metavar="COMMIT", help="Measure this commit too, in turn with the checkout.")
@click.option("--write", "writes", is_flag=True, help="Write the baseline and the table of README.md.")
@click.option("--only", metavar="TEXT", default="", help="Only pairs that have this in their names.")
def main(base: str | None, writes: bool, only: str) -> None:
    names = [name for name in PAIRS if only in name]
    if not names:
        raise click.UsageError(f"no pair has {only!r} in its name")
    if writes and (base or only):
        raise click.UsageError("--write is about all pairs of this checkout")
    if writes:
        rows = [found for name in names if (found := measured(name, HERE.parent))]
        if len(rows) < len(names):
            raise click.ClickException("nothing was written")
        write(rows)
        click.echo(table(rows, machine()))
        return
    if base is not None:
        with checked_out(base) as checkout:
            slower = compare(names, lambda name: (measured(name, checkout) or {}).get("ratio"))
    else:
        baseline = json.loads(BASELINE.read_text())
        if baseline["machine"] != machine():
            click.echo(
                f"The baseline is another machine's, {baseline['machine']}; --base measures both here.", err=True
            )
        slower = compare(names, {row["name"]: row["ratio"] for row in baseline["pairs"]}.get)
    if slower:
        raise click.ClickException(f"more than {WORST} times slower: {'; '.join(slower)}")


if __name__ == "__main__":
    main()
