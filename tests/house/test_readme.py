"""What stands in the READMEs is what the commands print, word for word."""

import shlex
from pathlib import Path

import pytest
from conftest import REPOSITORY, run
from readmes import LINES_LEFT_OUT, examples, require_same


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
        if name in ("paper", "survey"):
            continue  # they take long: test_paper.py and test_survey.py compare what they print
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
