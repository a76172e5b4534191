"""What stands in the READMEs is what the commands print, word for word."""

import re
import runpy
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import run
from measurements import FOUR_NORMS, ONE_SIGMA
from test_published_likelihoods import free_counts, likelihood, scaling, with_shared_distributions

import fastscan
from fastscan import experiments

REPOSITORY = Path(__file__).parents[1]
PAGES = ["README.md", "grids/README.md", "grids/manual.md", "grids/published.md"]
LINES_LEFT_OUT = "[...]"


def examples(readme: str) -> list[tuple[str, list[str]]]:
    """The commands in the console blocks of a README, each with the lines that stand below it."""
    found = []
    for block in (REPOSITORY / readme).read_text("utf-8").split("```console\n")[1:]:
        for example in block.partition("```")[0].removeprefix("$ ").split("\n$ "):
            command, *shown = example.rstrip("\n").split("\n")
            found.append((command, shown))
    return found


def require_same(shown: list[str], printed: list[str]) -> None:
    """Lines that a README shows must be those that were printed; a line of dots stands for any number of them."""
    start, end = shown, shown[:0]
    if LINES_LEFT_OUT in shown:
        gap = shown.index(LINES_LEFT_OUT)
        start, end = shown[:gap], shown[gap + 1 :]
        assert len(printed) > len(start) + len(end)
        printed = printed[: len(start)] + printed[len(printed) - len(end) :]
    assert printed == start + end


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which commands find the grids of the repository, and to which they write."""
    place = tmp_path_factory.mktemp("readme")
    (place / "grids").symlink_to(REPOSITORY / "grids")
    return place


@pytest.mark.parametrize("readme", PAGES)
def test_the_examples_print_what_is_shown(readme: str, place: Path) -> None:
    """One after the other, because they use what the ones before have made."""
    for command, shown in examples(readme):
        program, name, *arguments = shlex.split(command)
        assert program == "fastscan"
        if name in ("paper", "survey"):
            continue  # they take long: test_paper.py and test_survey.py compare what they print
        ended = run(name, *arguments, cwd=place)
        assert ended.returncode == 0, ended.stderr
        require_same(shown, ended.stderr.splitlines() + ended.stdout.splitlines())


def test_every_answer_has_an_example() -> None:
    commands = {command.split()[1] for readme in PAGES for command, _ in examples(readme)}
    assert commands >= {"paper", "survey", "limit", "coverage", "show", "scan", "limits", "contours", "plot"}


VALUE_SHOWN = re.compile(r"(.+)  # (\[.*\]|\(.*\)|\{.*\}|-?[\d.]+)")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.(\d+))?(?![\w.])")


@pytest.mark.parametrize(("page", "heading"), [("README.md", "In Python"), ("grids/manual.md", "The same in Python")])
def test_python_gives_what_the_comments_say(
    page: str, heading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment that begins with numbers has those of its line's value, to the digits that it shows."""
    (tmp_path / "grids").symlink_to(REPOSITORY / "grids")
    monkeypatch.chdir(tmp_path)
    section = (REPOSITORY / page).read_text("utf-8").split(f"## {heading}\n")[1]
    block = section.split("```python\n")[1].partition("```")[0]
    (tmp_path / "block.py").write_text("shown = []\n" + VALUE_SHOWN.sub(r"shown.append(\1)  # \2", block))
    found = runpy.run_path(str(tmp_path / "block.py"))["shown"]
    shown = [numbers for _, numbers in VALUE_SHOWN.findall(block)]
    assert len(found) == len(shown) > 1
    for value, text in zip(found, shown, strict=True):
        numbers = np.ravel(np.array(list(value.values()) if isinstance(value, dict) else value, dtype=object))
        for number, ours in zip(NUMBER.finditer(text), numbers, strict=False):
            assert abs(float(number[0]) - ours) <= 0.5001 * 0.1 ** len(number[1] or ""), text


def test_a_difference_is_found() -> None:
    require_same(["a", LINES_LEFT_OUT, "d"], ["a", "b", "c", "d"])
    require_same(["a"], ["a"])
    for shown, printed in (
        (["a"], ["b"]),
        (["a"], ["a", "b"]),
        (["a", LINES_LEFT_OUT, "d"], ["a", "b", "c"]),
        (["a", LINES_LEFT_OUT, "d"], ["a", "d"]),
    ):
        with pytest.raises(AssertionError):
            require_same(shown, printed)


PUBLISHED = (REPOSITORY / "grids" / "published.md").read_text("utf-8")
ROWS = {name: cells for name, cells in re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", PUBLISHED, re.MULTILINE)}


def deviation(ours: float, published: str) -> str:
    return f"{published}: {100 * (ours / float(published.split()[0]) - 1):+.1f} %"


@pytest.mark.parametrize("name", ROWS)
def test_counts_beside_published_ones_are_ours(name: str) -> None:
    """The signal that is predicted, and the one that is found without a prior on its size."""
    predicted = float(fastscan.events(name, scaling(), eps=0.0))
    found = free_counts(likelihood(name))
    within = fastscan.intervals(name, scaling(), sigma_sys=0.0, cl=ONE_SIGMA)[-1]
    low, high = (1 + np.array(within)) ** 2 * predicted
    expected, by_them, ours, seen_by_them = ROWS[name].split(" | ")
    assert (expected, ours) == (f"{predicted:.1f}", f"{found:.1f} ({low:.1f} to {high:.1f})")
    assert by_them == deviation(predicted, by_them.partition(":")[0])
    assert seen_by_them == deviation(found, seen_by_them.partition(":")[0])


def test_what_is_said_of_differences_to_published_counts() -> None:
    text = " ".join(PUBLISHED.split())
    assert len(ROWS) == 4
    release = {name: float(number) for name, number in FOUR_NORMS["release"].items()}  # see the test of them
    found = "gives {counts:.1f} ({low:.1f} to {high:.1f}), and of the backgrounds {ss:.0f} ss, {brn:.0f} brn and "
    assert (found + "{delbrn:.1f} delbrn").format(**release) in text
    assert f"{free_counts(with_shared_distributions()):.1f} would be found" in text
    first = experiments.load("coherent-csi-2017")
    alone = replace(first.statistics, observed=None, backgrounds=())
    endless = replace(first, name="endless", time=None, statistics=alone)
    assert f"{fastscan.events(endless, 'chi', m_zprime=np.inf):.1f} would be predicted" in text
    full = experiments.load("coherent-csi-2021")
    backgrounds = tuple(replace(each, error=0.0) for each in full.statistics.backgrounds)
    known = replace(full, name="known", statistics=replace(full.statistics, backgrounds=backgrounds))
    low, high = (1 + np.array(fastscan.intervals(known, scaling(), sigma_sys=0.0, cl=ONE_SIGMA)[-1])) ** 2
    error = (high - low) / 2 * fastscan.events(known, "chi", m_zprime=np.inf)
    assert f"would still give the signal to {error:.0f} only" in text
