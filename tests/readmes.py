"""The READMEs, for tests that read them."""

from conftest import REPOSITORY

LINES_LEFT_OUT = "[...]"


def examples(readme: str) -> list[tuple[str, list[str]]]:
    """The commands in the console blocks of a README, each with the lines below it."""
    found = []
    for block in (REPOSITORY / readme).read_text("utf-8").split("```console\n")[1:]:
        for example in block.partition("```")[0].removeprefix("$ ").split("\n$ "):
            command, *shown = example.rstrip("\n").split("\n")
            found.append((command, shown))
    return found


def require_same(shown: list[str], printed: list[str]) -> None:
    """Require that a README's lines were printed; a line of dots stands for any number of lines."""
    start, end = shown, shown[:0]
    if LINES_LEFT_OUT in shown:
        gap = shown.index(LINES_LEFT_OUT)
        start, end = shown[:gap], shown[gap + 1 :]
        assert len(printed) > len(start) + len(end)
        printed = printed[: len(start)] + printed[len(printed) - len(end) :]
    assert printed == start + end


def blocks(readme: str, language: str) -> list[str]:
    """The blocks of a README in a language."""
    text = (REPOSITORY / readme).read_text("utf-8")
    return [block.partition("```")[0] for block in text.split(f"```{language}\n")[1:]]
