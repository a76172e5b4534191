"""The order of the rooms: a room imports only from rooms above it, so that there is no circular import."""

import ast
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastscan

HERE = Path(fastscan.__file__).parent
# Pairs of wings that must not import each other, although their order would allow it.
STRANGERS = {"experiments": {"interactions"}, "answers": {"scans"}, "limits": {"stores"}, "stores": {"scans"}}


def shown() -> list[str]:
    """The rooms in the order of the package's docstring."""
    listed = (fastscan.__doc__ or "").partition("above it:")[2].split("\n\n")[1]
    rooms: list[str] = []
    wing = ""
    for line in listed.splitlines():
        first, *others = line.split()
        if line.startswith(" " * 8):  # more of the wing above
            rooms += [f"{wing}.{room}" for room in (first, *others)]
        elif line.startswith("    - "):
            rooms += others
        else:
            wing = first
            rooms += [first, *(f"{first}.{room}" for room in others)]
    return rooms


def walked() -> list[str]:
    prefix = "fastscan."
    return sorted(module.name.removeprefix(prefix) for module in pkgutil.walk_packages(fastscan.__path__, prefix))


ORDER = {room: number for number, room in enumerate(shown())}


def source(room: str) -> Path:
    path = HERE.joinpath(*room.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported(room: str) -> Iterator[str]:
    """Rooms that a room imports anywhere, in functions and for types too."""
    known = set(walked())
    for node in ast.walk(ast.parse(source(room).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastscan"):
            inner = (node.module or "").removeprefix("fastscan").removeprefix(".")
            for alias in node.names:
                name = f"{inner}.{alias.name}".strip(".")
                yield name if name in known else inner
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("fastscan.") for alias in node.names if "fastscan." in alias.name)


def test_the_package_shows_every_room_once() -> None:
    assert sorted(shown()) == walked()


@pytest.mark.parametrize("room", walked())
def test_a_room_imports_only_from_what_stands_above_it(room: str) -> None:
    for other in imported(room):
        if room.count(".") == 0 and other.startswith(f"{room}."):
            continue  # a wing's face shows its rooms
        assert ORDER[other] < ORDER[room], f"{room} imports {other}, which stands below it"
        assert other.split(".")[0] not in STRANGERS.get(room.split(".")[0], set()), f"{room} must not know {other}"


def test_an_import_inside_a_function_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would find an upward import anywhere."""
    (tmp_path / "errors.py").write_text("def f():\n    from fastscan.stores import store\n")
    monkeypatch.setattr("test_wings.HERE", tmp_path)
    assert list(imported("errors")) == ["stores.store"]


def test_kernels_import_numba_and_numpy_only() -> None:
    outside = {"llvmlite", "numba", "numpy", *sys.stdlib_module_names}
    for room in (room for room in shown() if room.startswith("kernels.")):
        nodes = list(ast.walk(ast.parse(source(room).read_text("utf-8"))))
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
        ours = ("fastscan.errors", "fastscan.kernels.")
        assert [name for name in names if not name.startswith(ours) and name.split(".")[0] not in outside] == []
