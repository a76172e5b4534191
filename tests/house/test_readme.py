"""The READMEs show what the commands print, word for word."""

import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, run, slow
from readmes import LINES_LEFT_OUT, examples, require_same

PAGES = ["README.md", "grids/README.md", "grids/manual.md", "grids/published.md"]
VALUE_SHOWN = re.compile(r"(.+)  # (\[.*\]|\(.*\)|\{.*\}|-?[\d.]+)")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.(\d+))?(?![\w.])")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory in which commands find the grids of the repository, and to which they write."""
    (tmp_path / "grids").symlink_to(REPOSITORY / "grids")
    return tmp_path


@pytest.mark.parametrize(
    "readme", ["README.md", "grids/README.md", slow("grids/manual.md"), slow("grids/published.md")]
)
def test_the_examples_print_what_is_shown(readme: str, place: Path) -> None:
    """The examples run in order, because they use files of the examples before."""
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


@pytest.mark.parametrize(("page", "heading"), [("README.md", "In Python"), ("grids/manual.md", "The same in Python")])
def test_python_gives_what_the_comments_say(
    page: str, heading: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment that begins with numbers has the numbers of its line's value, to as many digits."""
    monkeypatch.chdir(place)
    section = (REPOSITORY / page).read_text("utf-8").split(f"## {heading}\n")[1]
    block = section.split("```python\n")[1].partition("```")[0]
    (place / "block.py").write_text("shown = []\n" + VALUE_SHOWN.sub(r"shown.append(\1)  # \2", block))
    found = runpy.run_path(str(place / "block.py"))["shown"]
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
