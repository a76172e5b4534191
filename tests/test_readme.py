"""What stands in the READMEs is what the commands print, word for word."""

import shlex
from pathlib import Path

import pytest
from conftest import run

REPOSITORY = Path(__file__).parents[1]
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


@pytest.mark.parametrize("readme", ["README.md", "grids/README.md"])
def test_the_examples_print_what_is_shown(readme: str, place: Path) -> None:
    """One after the other, because they use what the ones before have made."""
    commands = []
    for command, shown in examples(readme):
        program, name, *arguments = shlex.split(command)
        assert program == "fastscan"
        commands.append(name)
        if name == "paper":
            continue  # it takes long: test_paper.py compares what it prints
        ended = run(name, *arguments, cwd=place)
        assert ended.returncode == 0, ended.stderr
        require_same(shown, ended.stderr.splitlines() + ended.stdout.splitlines())
    assert set(commands) >= ({"limit", "scan", "limits", "contours", "plot"} if readme == "README.md" else {"limit"})


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
