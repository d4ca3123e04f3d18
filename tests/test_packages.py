"""Imports follow ARCHITECTURE.md: its list of layers, and its picture of the way of the data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "archspec"
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")


class Import(NamedTuple):
    """An import of one module of the package by another."""

    source: str
    target: str
    top: bool
    """At a module's top, and not inside a function."""

    @property
    def packages(self) -> tuple[str, str]:
        return package(self.source), package(self.target)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package(module: str) -> str:
    """The part of the package that a module belongs to: `reports` of `archspec.reports.columns`."""
    return module.split(".")[1] if "." in module else ""


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports_of(module: str, tree: ast.AST, top: bool = True) -> Iterator[Import]:
    """The imports of a syntax tree; those under `if TYPE_CHECKING` are none."""
    for node in ast.iter_child_nodes(tree):
        if for_types(node):
            continue
        if isinstance(node, ast.Import):
            yield from (Import(module, item.name, top) for item in node.names if item.name.split(".")[0] == "archspec")
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: relative imports are not read here"
            if node.module and node.module.split(".")[0] == "archspec":
                for item in node.names:
                    inner = f"{node.module}.{item.name}"
                    yield Import(module, inner if inner in MODULES else node.module, top)
        else:
            yield from imports_of(module, node, top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def imports() -> list[Import]:
    """Those of all modules; read by the test that asks, and not by each process that collects."""
    return [item for module, path in MODULES.items() for item in imports_of(module, ast.parse(path.read_text("utf-8")))]


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"ARCHITECTURE.md has no section {title}"
    return found[1]


def layers() -> dict[str, int]:
    """The number of the line that a package is on."""
    lines = re.findall(r"^(\d+)\. (.*)$", section("Layers of packages"), re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(1, len(lines) + 1))
    named = [(name, int(number)) for number, line in lines for name in re.findall(r"`(\w+)`", line)]
    assert len(dict(named)) == len(named)
    return dict(named)


def upward() -> set[tuple[str, ...]]:
    return set(re.findall(r"^- `(\w+)` → `(\w+)`: ", section("Layers of packages"), re.MULTILINE))


def problems(imports: list[Import]) -> list[str]:
    """The imports that go up, or between packages of one line, without being listed."""
    level, listed = layers(), upward()
    found = []
    for item in imports:
        source, target = item.packages
        if source in ("", target) or target == "":  # archspec itself gives names on first use, and its version
            continue
        if level[target] <= level[source] and not (not item.top and (source, target) in listed):
            found.append(f"{item.source} imports {item.target}, which is not below it")
    return found


def test_every_package_has_its_layer() -> None:
    here = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert set(layers()) == here - {"__init__"}


def test_packages_import_downwards_only() -> None:
    assert problems(imports()) == []


def test_what_goes_upwards_is_listed_and_there() -> None:
    used = {item.packages for item in imports()}
    assert upward() <= used, "ARCHITECTURE.md lists an import that is no more"


def test_private_modules_stay_in_their_package() -> None:
    found = [
        f"{item.source} imports {item.target}"
        for item in imports()
        if item.packages[0] != item.packages[1]
        and any(part.startswith("_") for part in item.target.split("."))
        and (item.packages[0], item.target) not in GIVEN
    ]
    assert found == []


GIVEN = {
    ("cli", "archspec.commands._common"),
    ("cli", "archspec.commands._unforeseen"),
    ("serving", "archspec.commands._unforeseen"),
}
"""What the command line and the server take of the commands."""


def test_the_picture_names_what_there_is_and_points_downwards() -> None:
    """Every file and folder that the way of the data names is there, and what uses a thing is drawn below it."""
    picture = re.findall(r"^    (.*)$", section("The way of the data"), re.MULTILINE)
    named = re.findall(r"(?<![\w/.])((?:\w+/)*\w+(?:\.py|/))", "\n".join(picture))
    assert len(named) > 10
    assert [name for name in named if not (PACKAGE / name).exists()] == []
    level = layers()
    graph = next(index for index, line in enumerate(picture) if line.startswith("Graph"))
    users = [
        name.split("/")[0].removesuffix(".py")
        for line in picture[graph + 1 :]
        for name in re.findall(r"(?:├──|└──|,) *(\w+(?:\.py|/))", line)
    ]
    assert len(users) >= 5
    takes = {item.packages for item in imports()}
    # Each takes the graph, straight or through what it lies on, and the graph takes none of them at import.
    reach = {"graph"}
    while more := {source for source, target in takes if target in reach and source not in reach}:
        reach |= more
    assert [name for name in users if name not in reach] == []
    assert all(level[name] < level["graph"] for name in users)


def test_every_file_that_the_architecture_names_is_there() -> None:
    named = set(re.findall(r"`((?:[\w-]+/)*[\w-]+(?:\.(?:py|js)|/))`", TEXT))
    paths = [path for folder in ("archspec", "tests", "specs") for path in (ROOT / folder).rglob("*")]
    there = {path.relative_to(ROOT).as_posix() + "/" * path.is_dir() for path in paths}
    assert len(named) > 25
    assert [name for name in sorted(named) if not any(f"/{path}".endswith(f"/{name}") for path in there)] == []


def test_this_check_can_fail() -> None:
    wrong = "import archspec.cli\ndef f():\n    from archspec.runs import folder\n    from archspec import types\n"
    found = problems(list(imports_of("archspec.graph", ast.parse(wrong))))
    assert found == [
        "archspec.graph imports archspec.cli, which is not below it",
        "archspec.graph imports archspec.runs.folder, which is not below it",
    ]
    typed = "if TYPE_CHECKING:\n    from archspec.cli import main\n"
    assert list(imports_of("archspec.graph", ast.parse(typed))) == []
    listed = "def f():\n    from archspec.reports import report\n"
    assert problems(list(imports_of("archspec.graph", ast.parse(listed)))) == []
    assert problems(list(imports_of("archspec.graph", ast.parse("from archspec.reports import report")))) != []
